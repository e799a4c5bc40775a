"""What a model of one's own returns becomes the forecast table.

Simple case: a frame with a row a segment and month, and a mean in each; means add, so Total and the quarters follow.
The complications: quantiles do not add, so those of Total and of quarters are there only where the model returns them,
or returns draws of all segments and months together; what the model leaves out is empty, with a note; and whatever else
is wrong with the frame is refused with the column, the rows and the mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import period_label, period_labels
from forecast.data.known.ledger import KnownState
from forecast.data.schema import QUANTILE_COLUMNS, TOTAL, NotedTable
from forecast.errors import ModelError, nearest, shortened
from forecast.models.tables import bookings_in, chance_of, from_draws, from_means, month_targets, quarter_targets
from forecast.wording import joined, plural

_SEGMENT, _TARGET, _MEAN, _DRAW, _AMOUNT = "segment", "target_period", "mean", "draw", "amount"
_QUANTILE = re.compile(r"q\d+(\.\d+)?%?|p\d{1,2}")
_LISTED = 3
_TOLERANCE = 1e-6
"""Share of a sum by which what a model says of it may differ: it rounds."""

FEWEST_DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What was asked of a model, and of which day: the rows of its table are targets by segments, Total last."""

    model: str
    state: KnownState
    periods: np.ndarray

    @property
    def segments(self) -> tuple[str, ...]:
        return (*self.state.segments, TOTAL)

    @property
    def quarters(self) -> np.ndarray:
        return quarter_targets(self.state, self.periods)[0]

    @property
    def targets(self) -> list[str]:
        """The months, then the quarters they complete, as they are written."""
        return [*period_labels(self.periods), *(self.state.calendar.quarter_label(int(q)) for q in self.quarters)]

    def wrong(self, what: str, mend: str = "") -> ModelError:
        return ModelError(what, model=self.model, origin=f"{self.state.as_of:%Y-%m-%d}", mend=mend)


def table_of(answer: Any, *, model: str, state: KnownState, months: int) -> NotedTable:
    """Return the forecast table of what a model of one's own returned.

    Parameters
    ----------
    answer : a DataFrame with a row a segment and month: segment (one that was known, or `Total`), target_period (a
        month such as 2026-11, a date in it, or a quarter such as `FY26 Q4`), mean, and any of the columns of quantiles.
        Or draws of all of them together: draw, segment, target_period, amount. `attrs["notes"]` are notes of it.
    model : its name. state : what was known. months : as it was asked for.

    Returns
    -------
    The forecast table; nan where the answer has no number. Total and quarters are the sums of their parts.

    Raises
    ------
    ModelError : it is no such frame; the message says which column and rows, and the mend.
    """
    asked = _Asked(model=model, state=state, periods=month_targets(state, months)[0])
    frame = _frame(answer, asked)
    said = tuple(str(note) for note in frame.attrs.get("notes", ()))
    if _DRAW in frame:
        return NotedTable(table=_drawn(frame, asked), notes=said)
    _need_columns(frame, (_SEGMENT, _TARGET, _MEAN), asked)
    target, segment = _places(frame, asked)
    _once(frame, target * len(asked.segments) + segment, asked)
    cells = _cells(frame, target, segment, asked)
    table, notes = _tabled(cells, asked)
    return NotedTable(table=table, notes=(*said, *notes))


# -- the frame -------------------------------------------------------------------------------------------


def _frame(answer: Any, asked: _Asked) -> pd.DataFrame:
    """Return the answer as a frame with plain rows and columns."""
    mend = "return a DataFrame with the columns segment, target_period and mean"
    if answer is None:
        raise asked.wrong("it returned nothing", mend)
    if not isinstance(answer, pd.DataFrame):
        raise asked.wrong(f"it returned {type(answer).__name__}, not a DataFrame", mend)
    frame = answer.reset_index() if any(name in (_SEGMENT, _TARGET) for name in answer.index.names) else answer
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
    frame.attrs = dict(answer.attrs)
    doubled = sorted({name for name in frame.columns if list(frame.columns).count(name) > 1})
    if doubled:
        raise asked.wrong(f"the column {doubled[0]!r} stands there more than once", "name each column once")
    unknown = [name for name in frame.columns if _QUANTILE.fullmatch(name) and name not in QUANTILE_COLUMNS]
    if unknown:
        raise asked.wrong(
            f"the column {unknown[0]!r} is no quantile that is kept", f"any of {', '.join(QUANTILE_COLUMNS)}"
        )
    return frame


def _need_columns(frame: pd.DataFrame, names: Iterable[str], asked: _Asked) -> None:
    for name in names:
        if name not in frame.columns:
            there = ", ".join(map(shortened, frame.columns)) or "none"
            raise asked.wrong(f"there is no column {name!r} in what it returned (columns: {there})", f"add {name}")


def _places(frame: pd.DataFrame, asked: _Asked) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each row's target and segment in `asked`; raises ModelError for those that are not there."""
    targets, segments = asked.targets, asked.segments
    names = pd.Series([_label(value, asked) for value in frame[_TARGET]], dtype="object")
    target = pd.Index(targets).get_indexer(pd.Index(names))
    if (target < 0).any():
        rows = np.flatnonzero(target < 0)
        covered = f"asked for: {targets[0]} to {period_label(int(asked.periods[-1]))}, and quarters they complete"
        what = f"target_period: {_rows(frame, rows, names.iloc[rows])} not among the months asked for"
        raise asked.wrong(what, covered)
    segment = pd.Index(segments).get_indexer(pd.Index(frame[_SEGMENT].astype("object")))
    if (segment < 0).any():
        rows = np.flatnonzero(segment < 0)
        first = frame[_SEGMENT].iloc[rows[0]]
        what = f"segment: {_rows(frame, rows, frame[_SEGMENT].iloc[rows])} no segment known that day"
        raise asked.wrong(what, f"use snap.segments or {TOTAL!r}; {nearest(str(first), segments)}")
    return target, segment


def _label(value: Any, asked: _Asked) -> Any:
    """Return how a target is written: of a date the month it lies in, of text the text."""
    if isinstance(value, pd.Period):
        return str(value.asfreq("M"))
    if isinstance(value, (pd.Timestamp, np.datetime64)) or hasattr(value, "isoformat"):
        return None if pd.isna(value) else period_label(asked.state.calendar.period(pd.Timestamp(value)))
    return value


def _once(frame: pd.DataFrame, key: np.ndarray, asked: _Asked) -> None:
    rows = np.flatnonzero(pd.Series(key).duplicated())
    if len(rows):
        raise asked.wrong(
            f"{_rows(frame, rows)} there more than once", "one row a segment and month; groupby(...).sum() adds them"
        )


def _numbers(frame: pd.DataFrame, name: str, asked: _Asked) -> np.ndarray:
    """Return a column as numbers, (n,), nan where it is empty."""
    column = frame[name]
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    text = np.isnan(values) & column.notna().to_numpy()
    rows = np.flatnonzero(text | np.isinf(values))
    if pd.api.types.is_bool_dtype(column):
        rows = np.arange(len(frame))
    if len(rows):
        raise asked.wrong(f"{name}: {_rows(frame, rows, column.iloc[rows])} no finite number", "leave it out, or empty")
    return values


def _rows(frame: pd.DataFrame, rows: np.ndarray, values: Iterable[Any] | None = None) -> str:
    """Return which rows are meant, the first few by name, ready to be followed by what they are."""
    shown = []
    for place, value in zip(rows[:_LISTED], frame[_SEGMENT] if values is None else values, strict=False):
        where = f"{shortened(str(frame[_SEGMENT].iloc[place]))}, {shortened(str(frame[_TARGET].iloc[place]))}"
        shown.append(f"row {place} ({where})" + ("" if values is None else f" {shortened(repr(value))}"))
    more = f" and {len(rows) - _LISTED:,} more" if len(rows) > _LISTED else ""
    return f"{'; '.join(shown)}{more} {'is' if len(rows) == 1 else 'are'}"


# -- numbers ---------------------------------------------------------------------------------------------


def _cells(frame: pd.DataFrame, target: np.ndarray, segment: np.ndarray, asked: _Asked) -> Mapping[str, np.ndarray]:
    """Return the mean and the quantiles of the answer, each (targets, segments and Total), nan where there is none."""
    columns = [_MEAN, *(name for name in QUANTILE_COLUMNS if name in frame)]
    values = {name: _numbers(frame, name, asked) for name in columns}
    quantiles = np.column_stack([values[name] for name in columns[1:]] or [np.full(len(frame), np.nan)])
    without = np.flatnonzero(np.isnan(values[_MEAN]) & np.isfinite(quantiles).any(axis=1))
    if len(without):
        raise asked.wrong(f"mean: {_rows(frame, without)} without one, but with quantiles", "give the mean, or neither")
    ordered = np.maximum.accumulate(np.where(np.isnan(quantiles), -np.inf, quantiles), axis=1)
    with np.errstate(invalid="ignore"):
        lower = quantiles < ordered - _TOLERANCE * np.abs(ordered)
    crossed = np.flatnonzero(lower.any(axis=1))
    if len(crossed):
        at = int(np.flatnonzero(lower[crossed[0]])[0])
        what = f"{columns[1 + at]}: {_rows(frame, crossed)} below a lower quantile"
        raise asked.wrong(what, "sort each row's quantiles, such as np.sort(q, axis=1)")
    for number, name in enumerate(columns[1:]):
        values[name] = np.where(np.isnan(quantiles[:, number]), np.nan, ordered[:, number])
    shape = (len(asked.targets), len(asked.segments))
    cells = {name: np.full(shape, np.nan) for name in columns}
    for name, column in values.items():
        cells[name][target, segment] = column
    return cells


def _tabled(cells: Mapping[str, np.ndarray], asked: _Asked) -> tuple[pd.DataFrame, list[str]]:
    """Return the forecast table of what was said of each target and segment, and notes on what was not."""
    steps, said = len(asked.periods), cells[_MEAN]
    of_segments = said[:steps, :-1]
    table = from_means(asked.state, model=asked.model, mean=of_segments.T, periods=asked.periods)
    mean = table[_MEAN].to_numpy(copy=True).reshape(said.shape)
    known = np.isfinite(mean) & np.isfinite(said)
    apart = known & (np.abs(mean - said) > _TOLERANCE * np.maximum(np.abs(mean), np.abs(said)))
    if apart.any():
        row, column = (int(place[0]) for place in np.nonzero(apart))
        what = (
            f"mean: {asked.segments[column]} of {asked.targets[row]} is {said[row, column]:,.2f}, but its parts sum to "
            f"{mean[row, column]:,.2f}"
        )
        raise asked.wrong(what, "leave out Total and quarters: means are added up")
    mean[:, -1] = np.where(np.isfinite(mean[:, -1]), mean[:, -1], _total_alone(said[:, -1], asked))
    quarters = np.isnan(mean[steps:]) & np.isfinite(said[steps:])
    mean[steps:] = np.where(quarters, said[steps:], mean[steps:])
    table[_MEAN] = mean.ravel()
    for name in cells.keys() - {_MEAN}:
        table[name] = np.where(np.isfinite(mean), cells[name], np.nan).ravel()
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy(dtype=np.float64)
    table["p_at_least_plan"] = chance_of(table["plan"].to_numpy(), quantiles)
    return table, _notes(cells, mean, asked)


def _total_alone(said: np.ndarray, asked: _Asked) -> np.ndarray:
    """Return the Total where the model forecasts it without its segments, (targets,): quarters are summed of months."""
    out, calendar = said.copy(), asked.state.calendar
    for row, quarter in enumerate(asked.quarters, start=len(asked.periods)):
        months = np.array(calendar.quarter_periods(int(quarter)), dtype=np.int64)
        gone, ahead = months[months < asked.periods[0]], np.isin(asked.periods, months)
        summed = said[: len(asked.periods)][ahead].sum() + bookings_in(asked.state, gone).sum()
        out[row] = summed if np.isfinite(summed) else said[row]
    return out


def _notes(cells: Mapping[str, np.ndarray], mean: np.ndarray, asked: _Asked) -> list[str]:
    steps, model = len(asked.periods), asked.model
    notes, missing = [], np.isnan(mean[:steps, :-1])
    if np.isnan(mean).all():
        return [f"{model}: it returned no number."]
    if missing.all():
        notes.append(f"{model}: it forecasts the {TOTAL} alone, not its segments.")
    elif missing.any():
        row, column = (int(place[0]) for place in np.nonzero(missing))
        count = plural(int(missing.sum()), "segment-month")
        first = f"{asked.segments[column]} {asked.targets[row]}"
        notes.append(f"{model}: no number for {count}, first {first}; what sums them up is empty too.")
    if negative := int((mean[:steps, :-1] < 0).sum()):
        notes.append(f"{model}: {plural(negative, 'mean')} of a segment's month below 0.")
    given = [name for name in QUANTILE_COLUMNS if name in cells]
    inside = any(np.isfinite(cells[name][:steps, :-1]).any() for name in given)
    sums = any(np.isfinite(cells[name][:steps, -1]).any() for name in given)
    if inside and not sums:
        notes.append(f"{model}: no range of {TOTAL}: those of segments do not add up; return it, or draws.")
    return notes


# -- draws -----------------------------------------------------------------------------------------------


def _drawn(frame: pd.DataFrame, asked: _Asked) -> pd.DataFrame:
    """Return the forecast table of joint draws: Total and quarters have their quantiles from the sums of each draw."""
    _need_columns(frame, (_DRAW, _SEGMENT, _TARGET, _AMOUNT), asked)
    target, segment = _places(frame, asked)
    values = _numbers(frame, _AMOUNT, asked)
    shape = (len(asked.state.segments), len(asked.periods))
    outside = np.flatnonzero((segment == shape[0]) | (target >= shape[1]) | np.isnan(values))
    if len(outside):
        mend = "draw months of segments; Total and quarters follow"
        raise asked.wrong(f"{_rows(frame, outside)} no draw of a segment's month", mend)
    draw, names = pd.factorize(frame[_DRAW])
    if (draw < 0).any() or len(names) < FEWEST_DRAWS:
        raise asked.wrong(f"draw: {len(names)} different ones, where {FEWEST_DRAWS} are needed", "number the draws")
    place = (draw * shape[0] + segment) * shape[1] + target
    _once(frame, place, asked)
    draws = np.full(len(names) * shape[0] * shape[1], np.nan)
    draws[place] = values
    lacking = np.flatnonzero(np.isnan(draws))
    if len(lacking):
        where = np.unravel_index(lacking[0], (len(names), *shape))
        first = f"{asked.segments[where[1]]} {asked.targets[where[2]]} of draw {names[where[0]]}"
        what = f"draws: {plural(len(lacking), 'value')} missing, first {first}"
        raise asked.wrong(what, f"every draw needs every segment and month ({joined(asked.state.segments[:3])}, …)")
    return from_draws(asked.state, model=asked.model, draws=draws.reshape(-1, *shape), periods=asked.periods)
