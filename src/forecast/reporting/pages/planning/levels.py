"""Accuracy before and after, as a table that a reader can redo by hand: it opens page 05 and stands on the leader's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.evaluation.planning.levels import (
    AFTER,
    ALL,
    BEFORE,
    BEGAN,
    BENCHMARK,
    BIAS,
    HELD,
    LEAD_TIME,
    MISS,
    MODEL,
    NOT_BEGUN,
    PEOPLE,
    SUBMITTER,
)
from forecast.reporting.charts.canvas import empty
from forecast.reporting.charts.figure import Notes, Statement, TableView, Together
from forecast.reporting.pages import differences
from forecast.reporting.pages.planning.prepare import is_answerable, is_claimed, mean_change

_MOST = 24
"""Rows shown by lead time or submitter: where every rep submits, the rest stands in the file."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A share before and after; NaN where it is not known."""

    before: float
    after: float

    @property
    def change(self) -> float:
        """The difference of the two; NaN where one is not known."""
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Level:
    """One measure: of the segments that began and of those that have not, of people (or the model) and the benchmark.

    by, part, measure : as in the table `planning_levels`. Each pair is of whole targets, see `levels.before_and_after`.
    """

    by: str
    part: str
    measure: str
    began: Pair
    began_benchmark: Pair
    waits: Pair
    waits_benchmark: Pair

    @property
    def difference(self) -> float:
        """The change where segments began less the change where they have not; NaN for none."""
        return self.began.change - self.waits.change

    @property
    def benchmark_difference(self) -> float:
        """The same of the benchmark, which plans nothing."""
        return self.began_benchmark.change - self.waits_benchmark.change


def prepare_levels(table: pd.DataFrame, by: Sequence[str]) -> list[Level]:
    """Return the measures of some parts, in the order of the table. table : `planning_levels`; by : ALL and such."""
    rows = table[table["by"].isin(by)]
    keys = rows[["by", "part", "measure", "of", "group", "when"]].itertuples(index=False, name=None)
    values = dict(zip(keys, sources.column(rows, "value"), strict=True))
    return [
        Level(
            by=key[0],
            part=key[1],
            measure=key[2],
            began=_pair(values, (*key, MODEL if key[2] == HELD else PEOPLE, BEGAN)),
            began_benchmark=_pair(values, (*key, BENCHMARK, BEGAN)),
            waits=_pair(values, (*key, MODEL if key[2] == HELD else PEOPLE, NOT_BEGUN)),
            waits_benchmark=_pair(values, (*key, BENCHMARK, NOT_BEGUN)),
        )
        for key in dict.fromkeys(rows[["by", "part", "measure"]].itertuples(index=False, name=None))
    ]


def _pair(values: Mapping[tuple[str, ...], Any], key: tuple[str, ...]) -> Pair:
    return Pair(before=values.get((*key, BEFORE), np.nan), after=values.get((*key, AFTER), np.nan))


# -- sentences ----------------------------------------------------------------------------------------

NOTHING = (
    "No segment has forecasts both before and after its start",
    "Accuracy before and after a start cannot be compared.",
)
COMPARES_MORE = (
    "counts each segment alike, and also compares those that began with one another, in months when some had begun and "
    "others had not"
)
"""How the verdict differs from the table, so that its number may be another."""

CAPTION = "Forecast accuracy before → after segments began to plan together"
PARTS_CAPTION = "The same by lead time and by who submitted"
HEADS = {
    "what": "",
    "began": "began",
    "waits": "not begun",
    "began_benchmark": "benchmark, began",
    "waits_benchmark": "benchmark, not begun",
    "difference": "difference, points",
}
MONTHS_AHEAD = (
    "Months ahead are those of the submitted forecast; the benchmark and the model are of the month end before it."
)
MEASURES = {MISS: "Miss", BIAS: "Bias", HELD: "Ranges that held"}
HOW_TO_READ = "How to read and redo this table:"


def levels_finding(levels: Sequence[Level]) -> str:
    """Return what the miss was before and after, in both groups; no word on why."""
    miss = next(level for level in levels if level.measure == MISS)
    began, waits = _went(miss.began), _went(miss.waits)
    if not began:
        return f"No segment began with months on both sides; elsewhere the miss went {waits}."
    rest = f"{waits} where they have not" if waits else "no segment is left that has not begun"
    return f"Where segments began, the miss went {began}; {rest}."


def levels_more(levels: Sequence[Level], row: Mapping[str, Any]) -> str:
    """Return how far the miss of both groups moved apart, that this alone proves nothing, and how the verdict differs.

    row : the planning table's row.
    """
    miss = next(level for level in levels if level.measure == MISS)
    parts = [_follows(row, miss.difference), _bridge(row)]
    if wording.known(miss.difference):
        began, waits = (differences.moved_by(pair.before, pair.after) for pair in (miss.began, miss.waits))
        apart = _apart(miss.began, miss.waits, form="size")
        said = f"{began} points where segments began, {waits} where they have not: {apart} apart."
        parts.insert(0, f"{said} {_in_per_cent(miss)}".strip() if is_claimed(row) else said)
    if wording.known(miss.difference) and wording.known(miss.benchmark_difference):
        benchmark = _apart(miss.began_benchmark, miss.waits_benchmark, form="size")
        parts.insert(1, f"The benchmark, which plans nothing, moved {benchmark} apart; the table alone proves nothing.")
    return " ".join(part for part in parts if part)


def _in_per_cent(miss: Level) -> str:
    """Return the change of the miss in both groups as a share of itself; empty where one is not known."""
    share = _apart(miss.began, miss.waits, form="share")
    if share == "–":
        return ""
    began, waits = (differences.relative(pair.before, pair.after) for pair in (miss.began, miss.waits))
    return f"In per cent: {began} against {waits}, the one relative to the other {share}."


def _bridge(row: Mapping[str, Any]) -> str:
    """Return how the verdict differs from the table, so that its number, where it claims one, may be another."""
    change, _, _ = mean_change(row)
    verdict = (
        f"The verdict’s {wording.percent(change, sign=True)}" if is_claimed(row) else "The verdict, which follows,"
    )
    return f"{verdict} {COMPARES_MORE}."


def _follows(row: Mapping[str, Any], difference: float) -> str:
    """Return what may be made of the difference where the verdict does not bear it out; empty where it does."""
    apart = wording.known(difference) and difference != 0
    if row.get("verdict") == "no detectable change":
        return "This need not come from planning together." if apart else ""
    if not is_claimed(row):
        return f"Whether planning together {'did this' if apart else 'changed anything'} cannot be told."
    agrees = apart and (difference < 0) == (row["verdict"] == "improved")
    return "" if agrees else "The verdict finds a change that this does not show."


def levels_explained(table: pd.DataFrame) -> list[str]:
    """Return what the table holds: its measures, which months are before and after, and why the verdict may differ."""
    parted = [wording.month(at) for at in table["parted_at"].unique() if at]
    rows = table[(table["by"] == ALL) & (table["of"] == PEOPLE) & (table["when"] == AFTER)]
    groups = {row["group"]: row["segments"] for row in sources.records(rows)}
    counts = [f"{wording.plural(groups[name], 'segment')} {verb}" for name, verb in _VERBS.items() if name in groups]
    return [
        "Miss (WAPE): all misses added up, as a share of what was booked. Bias: forecast less booked, as the same "
        "share; above zero, too much was promised.",
        "Ranges that held: how many of the model’s 80 % ranges held; next to them the benchmark’s own.",
        "Before: all months until six months before a segment’s own start; the last six are left out, as in one of the "
        "verdict’s two comparisons. After: from the start on."
        + (
            f" Segments that have not begun: the same at the median start of the others, {parted[0]}." if parted else ""
        ),
        f"In the table: {wording.joined(counts)}. The benchmark forecasts the same months of the same segments.",
        "Difference: the change where segments began less the change where they have not, taken before rounding.",
        "The table adds up money, so large segments count for more, and months as they are.",
    ]


_VERBS = {BEGAN: "began", NOT_BEGUN: "did not"}


def levels_shown(levels: Sequence[Level]) -> pd.DataFrame:
    """Return the measures as a reader wants them: what, before and after of each group, the difference."""
    rows = []
    for level in levels:
        pairs = {name: getattr(level, name) for name in HEADS if name not in ("what", "difference")}
        sign = level.measure == BIAS
        cells = {name: wording.moved(pair.before, pair.after, sign=sign, places=1) for name, pair in pairs.items()}
        rows.append({"what": level_name(level), **cells, "difference": _apart(level.began, level.waits)})
    return pd.DataFrame(rows, columns=list(HEADS))


def level_name(level: Level) -> str:
    """Return what a row is called: `Miss`, `Miss, 1 month ahead`, `Miss, sales`."""
    name = MEASURES[level.measure]
    part = _lead(int(level.part)) if level.by == LEAD_TIME else wording.label(level.part)
    return name if level.by == ALL else f"{name}, {part}"


def _lead(months: int) -> str:
    return f"{wording.spelt(months)} {'month' if months == 1 else 'months'} ahead" if months else "same month"


def _went(pair: Pair) -> str:
    if not wording.known(pair.change):
        return ""
    return f"from {wording.whole(pair.before)} to {wording.whole(pair.after)}"


def _apart(began: Pair, waits: Pair, *, form: str = "") -> str:
    """Return the difference of two changes; form : as `differences.apart`."""
    return differences.apart(began.after, began.before, waits.after, waits.before, form=form)


# -- views --------------------------------------------------------------------------------------------


def levels(table: pd.DataFrame | None, row: Mapping[str, Any]) -> Together | Statement:
    """Show accuracy before and after: what the miss was, the table, and how to redo it.

    table : `planning_levels`; None where no forecast of people can be scored. row : the planning table's row.
    """
    if not is_answerable(row):
        return Together()
    if table is None or table.empty:
        return empty(*NOTHING)
    found = prepare_levels(table, [ALL])
    answer = Statement(levels_finding(found), levels_more(found, row))
    return Together(answer, _view(levels_shown(found), CAPTION), Notes(levels_explained(table), HOW_TO_READ, fold=True))


def level_parts(table: pd.DataFrame | None, row: Mapping[str, Any]) -> Statement | Together:
    """Show the same by lead time and by submitter, one measure after the other."""
    if not is_answerable(row):
        return Together()
    if table is None or table.empty:
        return empty(*NOTHING)
    found = prepare_levels(table, [LEAD_TIME, SUBMITTER])
    shown = levels_shown(sorted(found, key=lambda level: list(MEASURES).index(level.measure)))
    return Together(_view(shown, PARTS_CAPTION), Notes([MONTHS_AHEAD]))


def _view(shown: pd.DataFrame, caption: str) -> TableView:
    figures = list(HEADS)[1:]
    return TableView(
        shown,
        caption,
        columns=HEADS,
        formats=dict.fromkeys(figures, str),  # as they are worded: they stay on one line
        right=figures,
        most=_MOST,
        stacks=True,
    )
