"""What the survey said, of whom and how sure that is; and which of our figures may stand beside it.

The figures lie in `survey.toml`. They are self-reported answers of companies, nearly twenty years old, of a source that
is known only probably: they give an idea of scale. Ours is called above or below one only where both are shares of the
same thing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from forecast.errors import DataError, ParameterError, nearest
from forecast.evaluation.scorecard.definition import UNITS, Definition

LABEL = "self-reported, 2006-07, not audited"
"""What is printed beside each figure of the survey."""

LATER_LABEL = "self-reported, {}, not audited"
"""The same of a later study, with its year."""

SURVEY_YEAR = "2006"

_FILE = Path(__file__).with_name("survey.toml")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A figure of the survey.

    figure : the question, as `Definition` names it. value, unit : .60, `share`. denominator : what it is a share of
    (`reps`, `companies`, `revenue`). says : the figure in a sentence. year : of the data. n : how many answered, in
    words. source : what is known of where it comes from; no address. confidence : how sure that is, and why.
    compare_with : what of a company may be held against it.
    """

    figure: str
    value: float
    unit: str
    denominator: str
    says: str
    year: str
    n: str
    source: str
    confidence: str
    compare_with: str

    @property
    def label(self) -> str:
        """What is printed beside it."""
        return LABEL if self.year == SURVEY_YEAR else LATER_LABEL.format(self.year)


Standing = Literal["ranked", "beside", "apart"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a figure of ours and one of the survey's stand to each other.

    standing : `ranked`, both are of the same unit and denominator, so that one may be called above the other; `beside`,
    they answer one question and are shares of different things: both are shown, each with its own, and none is called
    above; `apart`, they answer different questions, or only one is a share. why : in half a sentence; empty if ranked.
    """

    standing: Standing
    why: str = ""


@cache
def benchmarks() -> tuple[Benchmark, ...]:
    """Return every figure of the survey and of later studies, as `survey.toml` has them.

    Raises DataError where an entry has no value between 0 and 1, an unknown unit, or an address for a source.
    """
    return read_benchmarks(_FILE.read_text(encoding="utf-8"))


def read_benchmarks(text: str) -> tuple[Benchmark, ...]:
    """Return the figures of a TOML text with one table `figure` each; see `benchmarks`."""
    found = []
    for entry in tomllib.loads(text).get("figure", []):
        lacking = sorted(set(Benchmark.__dataclass_fields__) ^ set(entry))
        if lacking:
            raise DataError(f"has no or an unknown key {lacking[0]!r}", table="survey", rows=[str(entry)[:60]])
        each = Benchmark(**entry)
        if each.unit not in UNITS or not (each.unit != "share" or 0 <= each.value <= 1):
            what = f"{each.value} {each.unit} is no {' or '.join(UNITS)}"
            raise DataError(what, table="survey", column="value", rows=[each.figure])
        if "://" in each.source or "www." in each.source:
            raise DataError("is an address; sources are text", table="survey", column="source", rows=[each.figure])
        found.append(each)
    return tuple(found)


def benchmark(figure: str, *, denominator: str | None = None) -> Benchmark:
    """Return the first figure of that name, of that denominator where one is given.

    >>> benchmark("reps at quota").value
    0.6
    >>> benchmark("close rate", denominator="forecast deals").year
    '2016'

    Raises ParameterError where there is none.
    """
    for each in benchmarks():
        if each.figure == figure and denominator in (None, each.denominator):
            return each
    what = figure if denominator is None else f"{figure} of {denominator}"
    raise ParameterError(f"the survey has no figure {what!r}; {nearest(figure, [b.figure for b in benchmarks()])}")


def beside(of: Definition, theirs: Benchmark) -> Comparison:
    """Return how one of our figures stands to one of the survey's.

    >>> row = Definition(figure="reps at quota", definition="wins", means="", unit="share", of="reps")
    >>> beside(row, benchmark("reps at quota")).standing
    'ranked'
    """
    if of.figure != theirs.figure:
        return Comparison(standing="apart", why=f"one is {of.figure}, the other {theirs.figure}")
    if of.unit != theirs.unit:
        return Comparison(standing="apart", why=f"ours is a {of.unit}, the survey's a {theirs.unit}")
    if not of.of or of.of != theirs.denominator:
        ours = f"a share of {of.of}" if of.of else "of something else"
        return Comparison(standing="beside", why=f"ours is {ours}, the survey's a share of {theirs.denominator}")
    return Comparison(standing="ranked")
