"""The tables that go with the verdict: by segment, by months since adoption, and the association.

The effect on segment s in month t is what changed in s since its base months less what changed, over the same months,
in the segments that are still clean in t: that have not adopted, nor come near it. With one base month, the last before
adoption, its mean over the segments of one adoption month is ATT(g,t) of Callaway and Sant'Anna (2021, J. Econometrics
225, eq. 2.8 and 2.9 without covariates); with the mean of all months before the set-aside ones as base it is the same
with less noise. A cell without a clean segment has no effect: it stays NaN and is marked, never filled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.errors import ParameterError
from forecast.evaluation.planning.estimate import SET_ASIDE
from forecast.evaluation.planning.panel import FLOOR, OFFSET, ErrorPanel
from forecast.evaluation.planning.randomisation import NEVER, Floats, Ints


def before_and_after(panel: ErrorPanel) -> tuple[np.ndarray, np.ndarray]:
    """Return which cells are before (without those set aside) and after adoption; each (S, T), False if never."""
    event = panel.months[None, :] - panel.dates[:, None]
    adopts = (panel.dates < NEVER)[:, None] & panel.observed
    return adopts & (event < -SET_ASIDE), adopts & (event >= 0)


def association(panel: ErrorPanel) -> float:
    """Return by how much the error changed relative to the benchmark's from before to after adoption.

    exp(mean over adopting segments of [mean after - mean before] of log error - log benchmark error) - 1; NaN where no
    segment has both. It compares a segment with itself only: whatever else happened then is in it.
    """
    before, after = before_and_after(panel)
    # Where nothing lies before the months set aside, those are better than no before at all.
    event = panel.months[None, :] - panel.dates[:, None]
    fallback = panel.observed & (panel.dates < NEVER)[:, None] & (event < 0)
    before = np.where(before.any(axis=1, keepdims=True), before, fallback)
    relative = np.log(np.maximum(np.nan_to_num(panel.error), FLOOR)) - np.log(np.nan_to_num(panel.benchmark) + OFFSET)
    change = _mean(relative, after) - _mean(relative, before)
    known = ~np.isnan(change)
    return math.expm1(float(change[known].mean())) if known.any() else float("nan")


def segment_effects(panel: ErrorPanel, y: Floats) -> Effects:
    """Return effects on y (S, T) against segments not yet adopted, base = every month before those set aside."""
    values = np.where(panel.observed, y, np.nan)
    return effects(values, panel.dates, panel.months, set_aside=SET_ASIDE, control="not yet", base="mean")


def by_segment(panel: ErrorPanel, found: Effects) -> pd.DataFrame:
    """Return one row a segment: months and mean errors before and after, and its effect as relative change.

    error_early, error_late : mean errors before the median start of the segments that began, and from it on: what
    changed for those that have not begun, over about the same months.
    """
    before, after = before_and_after(panel)
    never = (panel.dates == NEVER)[:, None] | (panel.dates > (panel.months[-1] if len(panel.months) else 0))[:, None]
    before = np.where(never, panel.observed, before)
    effect = np.expm1(_mean(np.nan_to_num(found.effect), after & ~np.isnan(found.effect)))
    starts = panel.dates[panel.adopting]
    middle = float(np.median(starts)) if len(starts) else np.inf
    late = panel.observed & (panel.months[None, :] >= middle)
    return pd.DataFrame(
        {
            "segment": pd.Series(panel.segments, dtype="str"),
            "adopted": pd.Series([period_label(int(d)) if d < NEVER else "" for d in panel.dates], dtype="str"),
            "months_before": before.sum(axis=1),
            "months_after": after.sum(axis=1),
            "error_before": _mean(np.nan_to_num(panel.error), before),
            "error_after": _mean(np.nan_to_num(panel.error), after),
            "benchmark_before": _mean(np.nan_to_num(panel.benchmark), before),
            "benchmark_after": _mean(np.nan_to_num(panel.benchmark), after),
            "change": effect,
            "error_early": _mean(np.nan_to_num(panel.error), panel.observed & ~late),
            "error_late": _mean(np.nan_to_num(panel.error), late),
        }
    )


def event_study(found: Effects) -> pd.DataFrame:
    """Return the effect by months since adoption, one row a month.

    event_time, estimate (mean log difference over segments; NaN where unsupported), relative_change, n_segments,
    n_controls (the fewest any of them is compared with), supported.
    """
    adopts = found.dates < NEVER
    event = found.event[adopts]
    rows = []
    for time in np.unique(event) if adopts.any() else []:
        cell = found.effect[adopts][event == time]
        known = ~np.isnan(cell)
        controls = found.controls[adopts][event == time]
        estimate = float(cell[known].mean()) if known.any() else np.nan
        fewest = int(controls[known].min()) if known.any() else 0
        rows.append((int(time), estimate, int(known.sum()), fewest, bool(known.any())))
    out = pd.DataFrame(rows, columns=["event_time", "estimate", "n_segments", "n_controls", "supported"])
    out.insert(2, "relative_change", np.expm1(out["estimate"].astype(np.float64)))
    return out


Control = Literal["not yet", "never"]
Base = Literal["last", "mean"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Effects:
    """effect (S, T), NaN without support or for segments that never adopt; controls (S, T), how many were clean.

    event (S, T): months since adoption. dates (S,) as given.
    """

    effect: Floats
    controls: Ints
    event: Ints
    dates: Ints


def effects(
    y: Floats, dates: Ints, months: Ints, *, set_aside: int = 0, control: Control = "not yet", base: Base = "last"
) -> Effects:
    """Return the effect on every segment and month.

    Parameters
    ----------
    y : (S, T), NaN where missing. dates : (S,), `NEVER` where not yet. months : (T,), increasing.
    set_aside : months before adoption that are neither base nor clean.
    control : `not yet` = segments that in month t have not come within `set_aside` months of adoption; `never`.
    base : `last` = the last month before those set aside; `mean` = the mean of all of them.
    """
    if control not in ("not yet", "never") or base not in ("last", "mean"):
        raise ParameterError(f"control {control!r} or base {base!r} is unknown: not yet, never; last, mean")
    shape = y.shape
    effect, controls = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    clean_until = dates - set_aside
    clean = (dates == NEVER)[:, None] | ((months[None, :] < clean_until[:, None]) & (control == "not yet"))
    for date in np.unique(dates[dates < NEVER]):
        members = np.flatnonzero(dates == date)
        before = np.flatnonzero(months < date - set_aside)
        if base == "last":
            before = before[-1:]
        if not len(before):
            continue
        level = _mean(y[:, before], ~np.isnan(y[:, before]))
        change = y - level[:, None]
        # A control must be clean over the base months too; for `not yet` the later of base and t decides.
        usable = clean & clean[:, before].all(axis=1)[:, None] & ~np.isnan(change)
        usable[members] = False
        count = usable.sum(axis=0)
        mean = np.where(count > 0, np.where(usable, change, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
        effect[members] = change[members] - mean
        controls[members] = count
    event = months[None, :] - dates[:, None]
    return Effects(effect=effect, controls=controls, event=event, dates=dates)


def _mean(values: Floats, where: np.ndarray) -> Floats:
    """Return the mean of each row over the cells given; (S, T), (S, T) -> (S,), NaN where there is none."""
    count = where.sum(axis=1)
    return np.where(count > 0, np.where(where, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
