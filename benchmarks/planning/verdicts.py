"""Many panels asked for their verdict, the library's own, and the shares of a scenario in a table.

The verdict is that of `planning_effect`. Where the p-value of no change is above .05 it claims nothing, whatever the
checks say; that p-value is asked for first, and `planning_effect` only where it is .05 or less. The first panels of a
scenario are asked in full all the same: the two ways must agree there, and their estimates give the median.
"""

from __future__ import annotations

import csv
import dataclasses
import time
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results import record
from forecast.calendar import Calendar, parse_period, period_label
from forecast.evaluation.planning.assessment import starts_and_histories
from forecast.evaluation.planning.effect import planning_effect
from forecast.evaluation.planning.inference import agreement
from forecast.evaluation.planning.inference.agreement import Agreement
from forecast.evaluation.planning.inference.randomisation import ALPHA, NEVER, Floats, Ints
from forecast.evaluation.planning.panel import ErrorPanel, error_panel

PERMUTATIONS = 1_000
IN_FULL = 50
START = parse_period("2015-01")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is claimed of one panel: -1 improved, 1 worsened, 0 neither.

    withheld : whether there was a claim that a check withholds. covers : whether the test at the true change does not
    reject it: then the 95 % interval holds it. mean_covers : whether that test or the one in the plain mean does not.
    mean_change : the number to read; NaN where it was not asked for.
    """

    claim: int
    withheld: bool
    covers: bool
    mean_covers: bool
    mean_change: float = np.nan


def judge(panel: ErrorPanel, *, truth: float, seed: int, in_full: bool, permutations: int = PERMUTATIONS) -> Answer:
    """Return the verdict on a panel, with the true relative change of its mean error."""
    if not panel.observed.all():  # a segment may have too few months before its start: the library leaves it out
        panel = error_panel(*frames(panel), calendar=Calendar())
    starts, histories = starts_and_histories(panel, permutations=permutations, seed=seed)
    p_none, p_truth = Agreement(starts, histories).p_value(np.log1p([0.0, truth]))
    p_mean = Agreement(starts, histories, mean=True).p_value(np.log1p([truth]))[0]
    covers = {"covers": bool(p_truth > ALPHA), "mean_covers": bool(max(p_mean, p_truth) > ALPHA)}
    if p_none > ALPHA and not in_full:
        return Answer(claim=0, withheld=False, **covers)
    found = planning_effect(*frames(panel), permutations=permutations, seed=seed)
    if found.smallest_p <= ALPHA and not np.isclose(found.p_value, p_none, rtol=0, atol=1e-9):
        raise AssertionError(f"the p-value is {p_none} here and {found.p_value} in planning_effect")
    return Answer(
        claim={"improved": -1, "worsened": 1}.get(found.verdict, 0),
        withheld=bool(found.withheld),
        mean_change=found.mean_change,
        **covers,
    )


def panel_of(error: Floats, benchmark: Floats, dates: Ints) -> ErrorPanel:
    """Return a panel of the library from errors (S, T), NaN where missing, and dates (S,) counted from the first."""
    return ErrorPanel(
        segments=tuple(f"S{s:02d}" for s in range(len(error))),
        months=START + np.arange(error.shape[1]),
        error=error,
        benchmark=np.where(np.isnan(error), np.nan, benchmark),
        dates=np.where(dates == NEVER, NEVER, START + dates),
    )


def frames(panel: ErrorPanel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return errors and adoption as a user hands them over."""
    count, months = panel.error.shape
    errors = pd.DataFrame(
        {
            "segment": np.repeat(panel.segments, months),
            "period": np.tile([period_label(int(month)) for month in panel.months], count),
            "error": panel.error.ravel(),
            "benchmark_error": panel.benchmark.ravel(),
        }
    )
    days = [pd.Timestamp(f"{period_label(int(date))}-01") if date < NEVER else pd.NaT for date in panel.dates]
    return errors.dropna(), pd.DataFrame({"segment": panel.segments, "adopted_on": days})


@contextmanager
def largest_single_p(limit: float) -> Iterable[None]:
    """Let each comparison alone have a p-value up to `limit` where a change is claimed (.08 in the library)."""
    usual = agreement.BOTH
    agreement.BOTH = ALPHA / limit
    try:
        yield
    finally:
        agreement.BOTH = usual


# -- shares ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Bars:
    """What was asked for: the largest share of false claims, the smallest power and coverage; None where nothing."""

    false: float | None = None
    power: float | None = None
    coverage: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """Shares of the panels of one scenario, and the median of the mean change said."""

    name: str
    panels: int
    improved: float
    worsened: float
    withheld: float
    coverage: float
    mean_coverage: float
    median_change: float
    truth: float
    seconds: float

    @property
    def rejected(self) -> float:
        """Share of panels with a claim."""
        return self.improved + self.worsened


def row_of(name: str, answers: list[Answer], *, truth: float, began: float) -> Row:
    """Return the shares; began : `time.process_time()` at the start."""
    claims = np.array([answer.claim for answer in answers])
    changes = np.array([answer.mean_change for answer in answers[:IN_FULL]])
    known = changes[~np.isnan(changes)]
    return Row(
        name=name,
        panels=len(answers),
        improved=float(np.mean(claims < 0)),
        worsened=float(np.mean(claims > 0)),
        withheld=float(np.mean([answer.withheld for answer in answers])),
        coverage=float(np.mean([answer.covers for answer in answers])),
        mean_coverage=float(np.mean([answer.mean_covers for answer in answers])),
        median_change=float(np.median(known)) if len(known) == len(changes) else np.nan,
        truth=truth,
        seconds=time.process_time() - began,
    )


HEADING = (
    "| scenario | panels | improved | worsened | either | withheld | interval covers | mean's interval covers"
    " | median mean change | asked |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def line(row: Row, bars: Bars) -> str:
    """Return a row of the table in Markdown; in bold what misses its bar."""
    either, improved = _share(row.rejected), _share(row.improved)
    if bars.false is not None and row.rejected > bars.false:
        either = f"**{either}**"
    if bars.power is not None and row.improved < bars.power:
        improved = f"**{improved}**"
    covers = _share(row.coverage)
    if bars.coverage is not None and not bars.coverage[0] <= row.coverage <= bars.coverage[1]:
        covers = f"**{covers}**"
    mean_covers = _share(row.mean_coverage)
    if bars.coverage is not None and row.mean_coverage < bars.coverage[0]:
        mean_covers = f"**{mean_covers}**"
    cells = [row.name, f"{row.panels:,}", improved, _share(row.worsened), either, _share(row.withheld), covers]
    change = "" if np.isnan(row.median_change) else f"{100 * row.median_change:+.0f} %"
    return f"| {' | '.join([*cells, mean_covers, change, _asked(bars)])} |"


def _asked(bars: Bars) -> str:
    if bars.power is not None:
        return f"improved ≥ {_share(bars.power)}"
    return "" if bars.false is None else f"either ≤ {_share(bars.false)}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def append(path: Path, row: Row) -> None:
    """Add a row to a CSV file."""
    fields = dataclasses.asdict(row)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(fields), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(fields)


def read(path: Path) -> dict[str, Row]:
    """Return the rows of a CSV file by name; the last of a name counts."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            Row(**{key: text if key == "name" else float(text) for key, text in each.items()})  # type: ignore[arg-type]
            for each in csv.DictReader(file)
        ]
    return {row.name: dataclasses.replace(row, panels=int(row.panels)) for row in rows}


def write(benchmark: str, rows: Iterable[Row]) -> None:
    """Put the shares of rows into results.csv."""
    measures = ("improved", "worsened", "withheld", "coverage", "mean_coverage", "median_change")
    record(
        benchmark,
        [(f"{row.name}, {row.panels} panels", name, getattr(row, name), "") for row in rows for name in measures],
    )
