"""What the charts of joint planning draw: numbers picked from the planning tables, and put into records once.

Nothing here is a sentence and nothing draws; `sentences` describes these records, `charts` and `limits` draw them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL
from forecast.evaluation.planning.inference.checks import SOUGHT
from forecast.evaluation.planning.inference.randomisation import ALPHA
from forecast.evaluation.planning.verdict import reads_otherwise

TEXTS = ("sentence", "answer", "more")
"""Columns of the planning table that a page shows as they are."""

EDGE = 1.5
"""Changes beyond +150 % leave the axis, with an arrow."""

_FEWEST = 0.3
"""An axis of changes reaches at least to 30 % on either side."""

EARLIER = ("dip", "placebo")
"""What the same comparison shows in the months before the starts."""

ERRORS = ("error_before", "error_after", "error_early", "error_late")
CHANCES = (0.05, 0.6)
"""True falls of the errors between which the power is drawn."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the chart of the effect: what it is, change with the ends of its interval, and p-value.

    what : `effect`, of the mean error; `interval`, the same without a number (NaN) where no change is claimed;
    `tested`, on the scale of the test, where gross misses count less; `withheld`, an effect that may not be claimed;
    `association`; or one of EARLIER. low, high : unbounded ends are -1 and inf; NaN where there is no interval.
    """

    what: str
    change: float
    p: float
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, kw_only=True)
class EffectRows:
    """The effect, first, and what the months before the starts show.

    changed : whether the verdict claims a change. draws : of how many assignments the p-values were counted.
    """

    rows: tuple[Row, ...]
    changed: bool
    draws: int = 0

    @property
    def reach(self) -> float:
        """How far the axis goes to either side."""
        shown = [abs(v) for row in self.rows for v in (row.change, row.low, row.high) if wording.known(v)]
        return min(max([*shown, _FEWEST]) * 1.08, EDGE)


def planning_row(table: pd.DataFrame) -> dict[str, Any]:
    """Return the one row of the table `planning`: its numbers know their cells, and so do the texts that are shown."""
    texts = {name: sources.quoted(table, table.index[0], name) for name in TEXTS if name in table.columns}
    return {**sources.row(table), **texts}


def is_scored(row: Mapping[str, Any]) -> bool:
    """Return whether any forecast that people submitted is scored."""
    return wording.known(row.get("n_segments"))


def is_answerable(row: Mapping[str, Any]) -> bool:
    """Return whether there are both a forecast that is scored and a table of starts: else there is nothing to show."""
    return is_scored(row) and not row.get("needs")


def mean_change(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return the number to read, the change of the mean error, and the ends of its interval.

    Where a row has none, the change on the scale of the test; where nothing can be compared, the association without
    an interval. NaN where there is no number. row : the planning table's row.
    """
    if wording.known(number(row, "mean_change")):
        return number(row, "mean_change"), _end(row, "mean_interval_low"), _end(row, "mean_interval_high")
    return tested_change(row)


def tested_change(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return the change on the scale of the test, where gross misses count less, and the ends of its interval."""
    return number(row, "relative_change"), _end(row, "interval_low"), _end(row, "interval_high")


def is_claimed(row: Mapping[str, Any]) -> bool:
    """Return whether the verdict claims a change."""
    return row.get("verdict") in ("improved", "worsened")


def is_withheld(row: Mapping[str, Any]) -> bool:
    """Return whether a change would be claimed but for a check that speaks against it."""
    return row.get("verdict") == "not identified" and bool(row.get("withheld"))


def prepare_effect(row: Mapping[str, Any]) -> EffectRows | None:
    """Return the rows of the effect; None where there is no number.

    row : the planning table's row: mean_change, relative_change, their intervals, placebo, dip, p-values, verdict.
    """
    change, low, high = mean_change(row)
    if not wording.known(change):
        return None
    p = number(row, "p_value")
    if is_withheld(row):
        rows = [Row(what="withheld", change=change, p=p, low=low, high=high)]
    elif row.get("verdict") == "not identified":
        rows = [Row(what="association", change=number(row, "relative_change"), p=np.nan)]
    else:
        tested = tested_change(row)
        both = reads_otherwise((change, low, high), tested)  # the p-value is of the scale of the test
        what, numbers = ("effect", (change, tested[0])) if is_claimed(row) else ("interval", (np.nan, np.nan))
        rows = [Row(what=what, change=numbers[0], p=np.nan if both else p, low=low, high=high)]
        if both:
            rows.append(Row(what="tested", change=numbers[1], p=p, low=tested[1], high=tested[2]))
    rows += [
        Row(what=check, change=number(row, check), p=number(row, f"{check}_p_value"))
        for check in EARLIER
        if wording.known(row.get(check))
    ]
    return EffectRows(rows=tuple(rows), changed=is_claimed(row), draws=draws(row))


def mark(name: str, p: float) -> str:
    """Return what a check of a claim found: a `sign`, a `hint`, what is `faint` and does not count; empty for nothing.

    The checks ask more readily than a claim is made, so what chance gives in more than 5 of 100 cases is only a hint.
    """
    if not p <= max(SOUGHT[name], ALPHA):  # NaN, where there is nothing to look at, too
        return ""
    return "faint" if p > SOUGHT[name] else "sign" if p <= ALPHA else "hint"


def draws(row: Mapping[str, Any]) -> int:
    """Return of how many assignments of the dates the p-values were counted; 0 where none were made."""
    count = number(row, "n_assignments")
    return int(sources.bare(count)) if wording.known(count) else 0


@dataclass(frozen=True, kw_only=True)
class Months:
    """The effect by months since the start: event_time, relative_change, n_segments, n_controls; only those known."""

    rows: pd.DataFrame

    @property
    def ends(self) -> tuple[Any, Any]:
        """The least and the greatest change."""
        least, most = (sources.aggregate(self.rows, "relative_change", how) for how in ("min", "max"))
        return least, most

    @property
    def reach(self) -> Any:
        """How many months the furthest is from the start."""
        least, most = (sources.aggregate(self.rows, "event_time", how) for how in ("min", "max"))
        return most if most >= -least else -least

    @property
    def before(self) -> pd.DataFrame:
        """The months before the start."""
        return self.rows[self.rows["event_time"] < 0]

    @property
    def after(self) -> pd.DataFrame:
        """The months from the start on."""
        return self.rows[self.rows["event_time"] >= 0]

    @property
    def drawn(self) -> pd.Series:
        """The changes, those beyond the edge at the edge."""
        return self.rows["relative_change"].clip(upper=EDGE)


def prepare_months(table: pd.DataFrame | None, *, reach: int) -> Months:
    """Return the months of the event study up to `reach` before and after the start; no rows where none is known."""
    columns = ["event_time", "relative_change", "n_segments", "n_controls"]
    if table is None or table.empty:
        return Months(rows=pd.DataFrame(columns=columns))
    rows = table[table["event_time"].between(-reach, reach) & table["relative_change"].notna()]
    return Months(rows=rows[columns].sort_values("event_time"))


@dataclass(frozen=True, kw_only=True)
class SegmentErrors:
    """Mean errors of segments, those that began first, by start, then those that have not.

    rows : the table's rows. pairs : the errors drawn of each, before and after the start; of a segment that has not
    begun those of the earlier and the later months, for comparison.
    """

    rows: pd.DataFrame
    pairs: Sequence[tuple[Any, Any]]

    @property
    def largest(self) -> float:
        """The largest error known."""
        names = [name for name in ERRORS if name in self.rows]
        return float(np.nanmax(self.rows[names].to_numpy(dtype=np.float64)))


def prepare_segments(table: pd.DataFrame) -> SegmentErrors:
    """Return the segments that have any error. table : `by_segment` of the planning effect."""
    rows = table[table["error_before"].notna() | table["error_after"].notna()]
    begun = rows[rows["adopted"] != ""].sort_values("adopted")
    rows = pd.concat([begun, rows[rows["adopted"] == ""].sort_values("segment")])
    drawn = [ERRORS[:2] if adopted else ERRORS[2:] for adopted in rows["adopted"]]
    pairs = [
        (each.get(first, np.nan), each.get(second, np.nan))
        for each, (first, second) in zip(sources.records(rows), drawn, strict=True)
    ]
    return SegmentErrors(rows=rows, pairs=pairs)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """The effect with all segments (`Total`), first, and without each in turn.

    rows : segment, mean_change, mean_interval_low, mean_interval_high, p_value of each; sorted by change after the
    first. changed : whether the verdict claims a change.
    """

    rows: Sequence[Mapping[str, Any]]
    changed: bool

    @property
    def segments(self) -> list[str]:
        """The segments left out; first `Total`, for none."""
        return [str(row["segment"]) for row in self.rows]

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a table."""
        return pd.DataFrame(self.rows)

    @property
    def reach(self) -> float:
        """How far the axis goes to either side."""
        ends = self.table[["mean_interval_low", "mean_interval_high"]].to_numpy(dtype=np.float64)
        return float(min(max(np.abs(ends[np.isfinite(ends)]).max(initial=_FEWEST) * 1.08, _FEWEST), EDGE))


_LEFT_OUT = ("mean_change", "mean_interval_low", "mean_interval_high", "p_value")


def prepare_left_out(table: pd.DataFrame | None, row: Mapping[str, Any]) -> LeftOut | None:
    """Return the effect with all segments and without each; None where nothing is known without any of them.

    table : `planning_segments`, in which the effect without a segment stands in the columns `left_out_`.
    """
    known = table[table["left_out_mean_change"].notna()] if table is not None and len(table) else None
    if known is None or known.empty:
        return None
    whole = dict(zip(("segment", *_LEFT_OUT), (TOTAL, *mean_change(row), row["p_value"]), strict=True))
    rows = [
        {"segment": each["segment"], **{name: each[f"left_out_{name}"] for name in _LEFT_OUT}}
        for each in sources.records(known.sort_values("left_out_mean_change"))
    ]
    return LeftOut(rows=[whole, *rows], changed=is_claimed(row))


@dataclass(frozen=True, kw_only=True)
class Power:
    """How often a fall of the errors would have been seen: segments, relative_change (negative), power."""

    table: pd.DataFrame

    @property
    def sizes(self) -> list[Any]:
        """Numbers of segments, the company's own first."""
        return sources.column(self.table.drop_duplicates("segments").sort_values("segments"), "segments")

    def line(self, size: int) -> pd.DataFrame:
        """The rows of a company of so many segments that are drawn, by rising fall."""
        rows = self.table[self.table["segments"] == size].sort_values("relative_change", ascending=False)
        return rows[rows["relative_change"] >= -CHANCES[1] - 0.005]

    def at(self, size: int, change: float) -> Any:
        """The power of a company of so many segments at one change; NaN where it was not looked at."""
        rows = self.table[(self.table["segments"] == size) & np.isclose(self.table["relative_change"], change)]
        return sources.row(rows)["power"] if len(rows) else float("nan")


def number(row: Mapping[str, Any], name: str) -> Any:
    """Return a number of the planning row, NaN where it has none."""
    value = row.get(name)
    return value if value is not None and wording.known(value) else np.nan


def _end(row: Mapping[str, Any], name: str) -> Any:
    """Return an end of an interval of the planning row; unbounded where it has none."""
    value = row.get(name)
    return value if value is not None else -1.0 if name.endswith("low") else np.inf
