"""Errors and adoption dates, as people hand them over, checked and laid out as a panel of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from forecast.calendar import NO_PERIOD, Calendar, parse_period, period_label
from forecast.data.schema import ERROR_COLUMNS, TOTAL
from forecast.errors import DataError, ParameterError, nearest
from forecast.evaluation.planning.inference.randomisation import NEVER, Floats, Ints

FLOOR = 0.005
"""Smallest error that the logarithm sees: half a per cent of a month's usual bookings. Zero is a valid error."""

OFFSET = 0.02
"""Added to the benchmark's error before the logarithm."""

FEWEST_BEFORE = 12
"""Fewest months with errors before a start: with less, a segment has no record of its own to compare with.

Twelve hold every month of the year once, and six remain where the six before the start are set aside.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorPanel:
    """Errors of segments by months.

    segments : (S,) sorted names. months : (T,) periods that have any error, increasing. error, benchmark : (S, T), as
    shares of a month's usual bookings, NaN where the cell is missing. dates : (S,) period of adoption, `NEVER` where
    not yet. notes : what was left out or taken for granted, in sentences. dropped : reason -> cells. short : names of
    segments left out because they have fewer than `FEWEST_BEFORE` months before their start; ended : because they have
    none from it on.
    """

    segments: tuple[str, ...]
    months: Ints
    error: Floats
    benchmark: Floats
    dates: Ints
    notes: tuple[str, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    short: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()

    @property
    def observed(self) -> np.ndarray:
        """Which cells are there; (S, T)."""
        return ~np.isnan(self.error)

    @property
    def adopting(self) -> np.ndarray:
        """Which segments adopt within the months of the panel; (S,)."""
        return (self.dates <= self.months[-1]) if len(self.months) else np.zeros(len(self.dates), dtype=bool)

    def without(self, segment: str) -> ErrorPanel:
        """Return the panel of the other segments, in the months in which any of them has an error."""
        others = np.array([name != segment for name in self.segments], dtype=bool)
        months = self.observed[others].any(axis=0)
        return replace(
            self,
            segments=tuple(name for name in self.segments if name != segment),
            months=self.months[months],
            error=self.error[others][:, months],
            benchmark=self.benchmark[others][:, months],
            dates=self.dates[others],
        )

    def without_first(self, months: int) -> ErrorPanel:
        """Return the panel without so many months of each segment from its start on; raises ParameterError."""
        if isinstance(months, bool) or not isinstance(months, int) or months < 0:
            raise ParameterError(f"months: {months!r} is not a whole number from 0 on")
        since = self.months[None, :] - self.dates[:, None]
        first = (since >= 0) & (since < months)
        return replace(
            self, error=np.where(first, np.nan, self.error), benchmark=np.where(first, np.nan, self.benchmark)
        )


def error_panel(
    errors: pd.DataFrame, adoption: pd.DataFrame, *, calendar: Calendar, dropped: Mapping[str, int] | None = None
) -> ErrorPanel:
    """Check errors (ERROR_COLUMNS) and adoption (segment, adopted_on) and lay them out as a panel.

    Segments with fewer than `FEWEST_BEFORE` months with an error before their start, or with none from it on, are left
    out; adoption after the last month counts as not yet. `notes` says so. `dropped` counts what was left out before, by
    reason.

    Raises DataError for a missing column, text in a number, a negative or infinite error, a period or date that is
    none, a segment named twice in adoption or a segment-month named twice in errors.
    """
    frame = _checked_errors(errors)
    when = adoption_periods(adoption, calendar=calendar)
    left_out = {str(reason): int(count) for reason, count in (dropped or {}).items()}
    empty = frame["error"].isna() | frame["benchmark_error"].isna()
    if empty.any():
        left_out["error or benchmark error is empty"] = int(empty.sum())
        frame = frame[~empty]
    return _panel(frame, when, left_out)


def value_panel(values: pd.DataFrame, adoption: pd.DataFrame, *, calendar: Calendar) -> ErrorPanel:
    """Lay out any other outcome (segment, period, value; NaN = missing) as a panel: `error` holds it, `benchmark` 0.

    The same segments are left out as by `error_panel`. Raises DataError for an adoption that cannot be read.
    """
    frame = values.loc[values["value"].notna() & (values["segment"] != TOTAL), ["segment", "period", "value"]]
    frame = frame.reset_index(drop=True)
    frame = frame.assign(error=frame["value"].astype(np.float64), benchmark_error=0.0, t=_periods(frame))
    return _panel(frame, adoption_periods(adoption, calendar=calendar), {})


def _panel(frame: pd.DataFrame, when: dict[str, int], dropped: dict[str, int]) -> ErrorPanel:
    """Return the panel of a frame with segment, t, error and benchmark_error, none of them empty."""
    notes: list[str] = []
    present = sorted(frame["segment"].unique())
    absent = sorted(set(when) - set(present))
    if absent:
        notes.append(f"no errors for {_list(absent)}: left out")
    unknown = [name for name in present if name not in when]
    if unknown:
        notes.append(f"{_list(unknown)} not in joint_planning: taken as not yet planning jointly")
    before, after = _months_beside_start(frame, when)
    short = sorted(before.index[before < FEWEST_BEFORE])
    ended = sorted(set(after.index[after == 0]) - set(short))
    if short:
        notes.append(short_record(short))
    if ended:
        notes.append(nothing_after(ended))
    if short or ended:
        present = [name for name in present if name not in {*short, *ended}]
        frame = frame[frame["segment"].isin(present)]
    months = np.unique(frame["t"].to_numpy(dtype=np.int64))
    if len(months):
        late = [name for name in present if months[-1] < when.get(name, NEVER) < NEVER]
        if late:
            notes.append(f"{_list(late)} began after {period_label(int(months[-1]))}: counts as not yet")
    error, benchmark = np.full((2, len(present), len(months)), np.nan)
    row = pd.Index(present).get_indexer(frame["segment"]) if present else np.zeros(0, dtype=np.int64)
    column = np.searchsorted(months, frame["t"].to_numpy(dtype=np.int64))
    error[row, column], benchmark[row, column] = frame["error"], frame["benchmark_error"]
    dates = np.array([when.get(name, NEVER) for name in present], dtype=np.int64)
    return ErrorPanel(
        segments=tuple(present),
        months=months,
        error=error,
        benchmark=benchmark,
        dates=dates,
        notes=tuple(notes),
        dropped=dropped,
        short=tuple(short),
        ended=tuple(ended),
    )


def _months_beside_start(frame: pd.DataFrame, when: dict[str, int]) -> tuple[pd.Series, pd.Series]:
    """Return the months with an error before the start and from it on, of segments that begin within the frame."""
    begins = [when.get(str(name), NEVER) <= frame["t"].max() for name in frame["segment"]]
    begun = frame[np.array(begins, dtype=bool)]
    start = np.array([when[str(name)] for name in begun["segment"]], dtype=np.int64)
    before = (begun["t"] < start).groupby(begun["segment"]).sum()
    after = (begun["t"] >= start).groupby(begun["segment"]).sum()
    return before, after


def short_record(names: Sequence[str]) -> str:
    """Return why segments are left out that have too few months before their start."""
    return f"{_list(names)} began with fewer than {FEWEST_BEFORE} months of errors before the start: left out"


def nothing_after(names: Sequence[str]) -> str:
    """Return why segments are left out whose errors end before their start."""
    return (
        f"{_list(names)} began after the last month with errors of {'their' if len(names) > 1 else 'its'} own: left out"
    )


def logs(panel: ErrorPanel) -> tuple[Floats, Floats]:
    """Return log max(error, FLOOR) and log(benchmark_error + OFFSET), zero in missing cells; each (S, T)."""
    observed = panel.observed
    outcome = np.log(np.maximum(np.where(observed, panel.error, 1.0), FLOOR))
    covariate = np.log(np.where(observed, panel.benchmark, 1.0) + OFFSET)
    return np.where(observed, outcome, 0.0), np.where(observed, covariate, 0.0)


def _checked_errors(errors: pd.DataFrame) -> pd.DataFrame:
    for name in ERROR_COLUMNS:
        if name not in errors.columns:
            mend = nearest(name, [str(column) for column in errors.columns])
            raise DataError("the column is missing", table="errors", column=name, mend=mend)
    frame = errors.loc[:, list(ERROR_COLUMNS)].reset_index(drop=True)
    frame = frame[frame["segment"] != TOTAL].reset_index(drop=True)
    for name in ("error", "benchmark_error"):
        frame[name] = _number(frame, name)
        values = frame[name]
        if (values < 0).any():
            raise DataError(
                "is negative; an error here is a size",
                table="errors",
                column=name,
                rows=_rows(frame, values < 0),
                mend="give |forecast - actual| over the mean actual, as planning_errors does",
            )
        if np.isinf(values).any():
            raise DataError("is infinite", table="errors", column=name, rows=_rows(frame, np.isinf(values)))
    frame["t"] = _periods(frame)
    twice = frame.duplicated(["segment", "t"], keep=False)
    if twice.any():
        raise DataError(
            "the same segment and month stand there twice",
            table="errors",
            column="period",
            rows=_rows(frame, twice),
            mend="keep one row a segment and month",
        )
    return frame


def _number(frame: pd.DataFrame, name: str) -> pd.Series:
    values = pd.to_numeric(frame[name], errors="coerce").astype(np.float64)
    text = values.isna() & frame[name].notna()
    if text.any():
        shown = [
            f"{row}: {frame[name].iloc[i]!r}" for i, row in zip(np.flatnonzero(text), _rows(frame, text), strict=True)
        ]
        raise DataError(
            "holds text where a number is wanted", table="errors", column=name, rows=shown, mend="numbers only"
        )
    return values


def _periods(frame: pd.DataFrame) -> np.ndarray:
    known: dict[object, int] = {}
    for text in frame["period"].unique():
        try:
            known[text] = parse_period(text)
        except ParameterError as error:
            where = _rows(frame, frame["period"].eq(text) | (pd.isna(text) & frame["period"].isna()))
            mend = "write months as 2026-10"
            raise DataError(
                f"{text!r} is not a month", table="errors", column="period", rows=where, mend=mend
            ) from error
    return np.array([known[text] for text in frame["period"]], dtype=np.int64)


def _rows(frame: pd.DataFrame, where: pd.Series) -> list[str]:
    return [
        f"{segment} {period}" for segment, period in frame.loc[where, ["segment", "period"]].itertuples(index=False)
    ]


def adoption_periods(adoption: pd.DataFrame, *, calendar: Calendar) -> dict[str, int]:
    """Return segment -> period of adoption, `NEVER` where not yet.

    Raises DataError where a column is missing, a segment stands there twice or a date is none.
    """
    for name in ("segment", "adopted_on"):
        if name not in adoption.columns:
            mend = nearest(name, [str(column) for column in adoption.columns])
            raise DataError("the column is missing", table="joint_planning", column=name, mend=mend)
    frame = adoption[["segment", "adopted_on"]].reset_index(drop=True)
    twice = frame["segment"].duplicated(keep=False)
    if twice.any():
        rows = sorted(frame.loc[twice, "segment"].unique())
        raise DataError("the segment stands there twice", table="joint_planning", column="segment", rows=rows)
    given = frame["adopted_on"].notna() & (frame["adopted_on"].astype("str").str.strip() != "")
    text = frame["adopted_on"].where(given)
    if pd.api.types.is_numeric_dtype(text) and given.any():
        rows = frame.loc[given, "segment"].tolist()
        what, mend = "holds numbers where dates are wanted", "write days as 2026-10-01"
        raise DataError(what, table="joint_planning", column="adopted_on", rows=rows, mend=mend)
    dates = pd.to_datetime(text, errors="coerce", format="mixed")
    wrong = given & dates.isna()
    if wrong.any():
        rows = [f"{row.segment}: {row.adopted_on!r}" for row in frame[wrong].itertuples()]
        mend = "write days as 2026-10-01, and leave it empty where joint planning has not begun"
        raise DataError("is not a date", table="joint_planning", column="adopted_on", rows=rows, mend=mend)
    periods = calendar.period_of(dates)
    return {
        str(segment): (NEVER if period == NO_PERIOD else int(period))
        for segment, period in zip(frame["segment"], periods, strict=True)
    }


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
