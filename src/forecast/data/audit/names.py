"""Names that are not what they seem: one name written in several ways, renamed midway, or read in a wrong encoding.

A letter case, a blank or a sign between letters makes no other name. A single letter more, less or other may be a
slip, where the other spelling is far more frequent: `Anna Meyer` and `Anna Meier` may be two people. A name that ends
where another begins was renamed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rapidfuzz.distance import OSA

from forecast.data.audit.dates import days_of
from forecast.data.codes import dictionary_of, row_codes
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TABLES, Log
from forecast.errors import ROWS_LISTED, Problem, Severity, shortened
from forecast.wording import day, plural

SEVERAL_WAYS = "one name written in several ways"
NEARLY_ALIKE = "names that differ by one letter"
RENAMED = "a name ends where another begins"
WRONG_ENCODING = "names read in a wrong encoding"
VERY_LONG = "names of more than a thousand characters"

_IDENTIFIERS = ("opportunity_id", "lead_id")

# A letter case, a blank or a sign between letters makes no other name; a sign between two digits may.
_SIGNS = re.compile(r"(?<![0-9])[\W_]+|[\W_]+(?![0-9])")

_DIVIDING = ("segment", "stage")
"""Names by which deals are told apart in the forecast: a second spelling is a second segment, or a stage."""

_COMPARED = ("segment", "stage", "product", "owner", "lead_source", "type")
_LETTERS, _RARE, _MATTERS, _NAMES = 5, 0.1, 0.01, 20_000
_LONG = 1000

_OFTEN, _SILENT, _TIMES_GAP, _APART, _RATE = 20, 60, 10, 31, 2.0
_BROKEN = re.compile("[\u00c2\u00c3\u00e2][\u0080-\u00ff\u0152-\u02dc\u2010-\u2122\u20ac]")


def misleading_names(log: Log, snap: Snapshot, *, told: Collection[str] = ()) -> list[Problem]:
    """Return what misleads about the names in a log's columns of text; renames as known on the snapshot's day.

    told : stages of which it is told elsewhere that they were renamed.
    """
    found: list[Problem] = []
    slips: list[Problem] = []
    for column, tables in _text_columns(log).items():
        counted = _counted(log, column, tables)
        found += _several_ways(counted)
        if column in _COMPARED:
            slips += _nearly_alike(counted)
        slips += _wrong_encoding(counted)
        slips += _very_long(counted)
    found.sort(key=lambda problem: -problem.count)
    return [*found, *slips, *_renamed(snap, told)]


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """The distinct names of a column and how many rows have each, over all tables that have the column.

    of : table -> names and rows. all : the same of all tables together.
    """

    column: str
    of: dict[str, dict[str, int]]
    all: dict[str, int]

    def tables(self, names: Iterable[str]) -> str:
        """Return the tables that have one of the names, with commas between."""
        wanted = set(names)
        return ", ".join(table for table, counts in self.of.items() if not wanted.isdisjoint(counts))


def _counted(log: Log, column: str, tables: list[str]) -> _Counted:
    of = {table: _counts(log.tables[table][column]) for table in tables}
    together: Counter[str] = Counter()
    for counts in of.values():
        together.update(counts)
    return _Counted(column=column, of=of, all=dict(together))


def _counts(values: pd.Series) -> dict[str, int]:
    """Return how many rows have each name; counted by code, where names are held as codes."""
    held = dictionary_of(values)
    codes = row_codes(held)
    rows = np.bincount(codes[codes >= 0], minlength=len(held.dictionary))
    pairs = zip(held.dictionary.to_pylist(), rows.tolist(), strict=True)
    return {name: count for name, count in pairs if count}


def _text_columns(log: Log) -> dict[str, list[str]]:
    """Return each text column and the tables that have it; the same name means the same thing."""
    columns: dict[str, list[str]] = {}
    for table in TABLES:
        frame = log.get(table)
        if frame is None:
            continue
        for name, kind in frame.dtypes.items():
            if kind == "str" and name not in _IDENTIFIERS and not str(name).endswith("period"):
                columns.setdefault(str(name), []).append(table)
    return columns


# -- one name, several spellings ------------------------------------------------------------------------


def _several_ways(counted: _Counted) -> list[Problem]:
    """Return names that differ only by blanks, case or signs, within a column and between tables."""
    found = []
    for variants in near_duplicates(counted.all):
        most = max(variants, key=lambda name: (variants[name], name))
        evidence = ", ".join(f"{shortened(name)!r} ({plural(count, 'row')})" for name, count in variants.items())
        found.append(
            Problem(
                severity="warning",
                table=counted.tables(variants),
                column=counted.column,
                what=SEVERAL_WAYS,
                evidence=evidence,
                rows=tuple(repr(shortened(name)) for name in variants)[:ROWS_LISTED],
                count=sum(variants.values()) - variants[most],
                mend=f"write {shortened(most)!r} throughout; as it is, they do not join and are counted apart",
            )
        )
    return found


def near_duplicates(counts: Mapping[str, int]) -> list[dict[str, int]]:
    """Return groups of names that differ only by blanks, case or signs; each name with its count.

    Parameters: counts, by distinct name. `A-12` and `A12` are one name, `1-2` and `12` are not.
    """
    groups: dict[str, list[str]] = {}
    for name in counts if len(counts) > 1 else ():
        text = name if name.isascii() else unicodedata.normalize("NFKC", name)
        groups.setdefault(_SIGNS.sub("", text.casefold()), []).append(name)
    several = sorted(plain for plain, names in groups.items() if len(names) > 1 and plain)
    return [{name: counts[name] for name in sorted(groups[plain])} for plain in several]


def _nearly_alike(counted: _Counted) -> list[Problem]:
    """Return rare names that are one letter away from a frequent one."""
    counts = counted.all
    found = []
    for rare, often in slips(counts):
        part = counts[rare] / sum(counts.values())
        severity: Severity = "warning" if counted.column in _DIVIDING or part > _MATTERS else "info"
        found.append(
            Problem(
                severity=severity,
                table=counted.tables([rare]),
                column=counted.column,
                what=NEARLY_ALIKE,
                evidence=f"{rare!r} ({plural(counts[rare], 'row')}), {often!r} ({plural(counts[often], 'row')})",
                rows=(repr(rare),),
                count=counts[rare],
                mend=f"write {often!r} if {rare!r} is a slip; leave it if the two are different",
            )
        )
    return found


def slips(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return pairs of a rare name and a frequent one that differ in one letter of one word, the rare one first.

    A letter more, less or other, or two that changed places; the word has five letters at least and no digit, so that
    `Rep 001` and `Rep 002`, `East` and `West`, `Region A` and `Region B` stay apart. Rare: at most a tenth as frequent.

    Parameters: counts, by distinct name. Names that `near_duplicates` takes for one are none of these.
    """
    names = [name for name in counts if len(name) <= _LONG]
    if len(names) > _NAMES:
        return []
    by_key: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        for key in dict.fromkeys(_keys(name)):
            by_key.setdefault(key, []).append(name)
    pairs = set()
    for group in by_key.values():
        if len(group) < 2:
            continue
        often = max(group, key=lambda name: (counts[name], name))
        for name in group:
            if counts[name] <= _RARE * counts[often] and _differ_by_a_letter(_words(name), _words(often)):
                pairs.add((name, often))
    return sorted(pairs)


def _words(name: str) -> list[str]:
    return re.sub(r"[\W_]+", " ", name.casefold()).split()


def _keys(name: str) -> Iterator[tuple[str, ...]]:
    """Yield the name with each letter of each of its longer words left out: two with a key in common are near."""
    words = _words(name)
    for at, word in enumerate(words):
        if len(word) >= _LETTERS - 1 and word.isalpha():
            for letter in range(len(word)):
                yield (*words[:at], f"{word[:letter]}{word[letter + 1 :]}", *words[at + 1 :], str(at))
            yield (*words, str(at))


def _differ_by_a_letter(words: list[str], others: list[str]) -> bool:
    if len(words) != len(others):
        return False
    differing = [(a, b) for a, b in zip(words, others, strict=True) if a != b]
    if len(differing) != 1:
        return False
    a, b = differing[0]
    long_enough = max(len(a), len(b)) >= _LETTERS and a.isalpha() and b.isalpha()
    return long_enough and OSA.distance(a, b, score_cutoff=1) == 1


# -- names that are none --------------------------------------------------------------------------------


def _wrong_encoding(counted: _Counted) -> list[Problem]:
    """Return names such as `SÃ¼d`: UTF-8 that was read as something else, once or in part of the rows."""
    counts = counted.all
    broken = {name: mended for name in counts if (mended := as_it_was(name)) is not None}
    if not broken:
        return []
    both = [name for name, mended in broken.items() if mended in counts]
    rows = sum(counts[name] for name in broken)
    first = both[0] if both else next(iter(broken))
    severity: Severity = "warning" if both and counted.column in _DIVIDING else "info"
    return [
        Problem(
            severity=severity,
            table=counted.tables(broken),
            column=counted.column,
            what=WRONG_ENCODING,
            evidence=f"{shortened(first)!r} for {shortened(broken[first])!r}"
            + (", which is there too" if both else ", in all rows that have it"),
            rows=tuple(repr(shortened(name)) for name in broken)[:ROWS_LISTED],
            count=rows,
            mend="export the table again as UTF-8",
        )
    ]


def as_it_was(name: str) -> str | None:
    """Return what a name was before UTF-8 was read as Windows' or ISO's Latin letters; None where it is as it was."""
    if len(name) > _LONG or not _BROKEN.search(name):
        return None
    for encoding in ("cp1252", "latin-1"):
        try:
            return name.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return None


def _very_long(counted: _Counted) -> list[Problem]:
    counts = counted.all
    long = [name for name in counts if len(name) > _LONG]
    if not long or TABLES["opportunities"].column(counted.column) is None:
        return []
    longest = max(map(len, long))
    return [
        Problem(
            severity="info",
            table=counted.tables(long),
            column=counted.column,
            what=VERY_LONG,
            evidence=f"{plural(len(long), 'name')}, the longest of {longest:,} characters",
            rows=tuple(repr(shortened(name)) for name in long)[:ROWS_LISTED],
            count=sum(counts[name] for name in long),
            mend="write names, not texts; pages show their beginning",
        )
    ]


# -- renamed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Used:
    """When a name was in use: first and last day (days since 1970), and rows."""

    name: str
    first: int
    last: int
    rows: int

    @property
    def gap(self) -> float:
        """Mean days from one row to the next."""
        return (self.last - self.first) / max(self.rows - 1, 1)

    @property
    def rate(self) -> float:
        """Rows a day while in use."""
        return self.rows / (self.last - self.first + 1)


def _renamed(snap: Snapshot, told: Collection[str]) -> list[Problem]:
    """Return stages and segments that end where another begins, at about the same rate."""
    found = []
    history = snap.history
    if history is not None and len(history):
        of_stage = _handovers("opportunity_history", "stage", history["stage"], history["recorded_on"])
        found += [problem for problem in of_stage if problem.rows[0] not in told]
    frame = snap.opportunities
    found += _handovers("opportunities", "segment", frame["segment"], frame["created_on"])
    return found


def _handovers(table: str, column: str, names: pd.Series, dates: pd.Series) -> list[Problem]:
    found = []
    for old, new in handovers(names, dates):
        found.append(
            Problem(
                severity="warning",
                table=table,
                column=column,
                what=RENAMED,
                evidence=f"{shortened(old.name)!r} ({plural(old.rows, 'row')}) is last seen on {_day(old.last)}, "
                f"{shortened(new.name)!r} ({plural(new.rows, 'row')}) first on {_day(new.first)}",
                rows=(repr(shortened(old.name)),),
                count=old.rows,
                mend=f"if the {column} was renamed, write {shortened(new.name)!r} throughout"
                f"{_or_say_so(column, old, new)}; what the old name teaches is otherwise lost to the new one",
            )
        )
    return found


def _or_say_so(column: str, old: _Used, new: _Used) -> str:
    """Return how a table says it instead; of stages alone."""
    row = f"{_iso(new.first)}, {shortened(old.name)!r}, {shortened(new.name)!r}"
    return f", or add the row {row} to stage_changes" if column == "stage" else ""


def _iso(days: int) -> str:
    return str(np.datetime64(days, "D"))


def _day(days: int) -> str:
    return day(pd.Timestamp(np.datetime64(days, "D")))


def handovers(names: pd.Series, dates: pd.Series) -> list[tuple[_Used, _Used]]:
    """Return pairs of a name that ends and one that begins then, each at most once.

    Ends: not seen for 60 days and ten times its mean gap before the last row of all, so that chance leaves it
    silent in one of 20,000 cases; begins: likewise after the first row. The two lie at most 31 days apart and are as
    frequent within a factor of 2. A name has 20 rows at least.

    names, dates : (n,) columns; missing ones are left out.
    """
    held = dictionary_of(names)
    codes = row_codes(held)
    dated = np.asarray(dates.notna()) & (codes >= 0)
    codes, days = codes[dated], days_of(dates)[dated]
    if not len(codes):
        return []
    levels = len(held.dictionary)
    first, last = np.full(levels, days.max()), np.full(levels, days.min())
    np.minimum.at(first, codes, days)
    np.maximum.at(last, codes, days)
    rows = np.bincount(codes, minlength=levels)
    used = [
        _Used(
            name=held.dictionary[int(level)].as_py(),
            first=int(first[level]),
            last=int(last[level]),
            rows=int(rows[level]),
        )
        for level in np.flatnonzero(rows >= _OFTEN)
    ]
    ended = [each for each in used if days.max() - each.last > max(_SILENT, _TIMES_GAP * each.gap)]
    begun = [each for each in used if each.first - days.min() > max(_SILENT, _TIMES_GAP * each.gap)]
    near = [
        (abs(new.first - old.last), old, new)
        for old in ended
        for new in begun
        if abs(new.first - old.last) <= _APART and 1 / _RATE <= new.rate / old.rate <= _RATE and old is not new
    ]
    pairs: list[tuple[_Used, _Used]] = []
    taken: set[str] = set()
    for _, old, new in sorted(near, key=lambda each: each[0]):
        if old.name not in taken and new.name not in taken:
            taken |= {old.name, new.name}
            pairs.append((old, new))
    return pairs
