"""The tables beside the verdict: by segment, by months since adoption, and the association."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.evaluation.planning.event_time import Effects, effects
from forecast.evaluation.planning.logs import SET_ASIDE
from forecast.evaluation.planning.panel import FLOOR, OFFSET, ErrorPanel
from forecast.evaluation.planning.randomisation import NEVER, Floats


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
    """Return event_time, estimate (mean log difference), relative_change, n_segments, n_controls, supported."""
    out = found.by_event_time()
    out.insert(2, "relative_change", np.expm1(out["estimate"].astype(np.float64)))
    return out


def _mean(values: Floats, where: np.ndarray) -> Floats:
    count = where.sum(axis=1)
    return np.where(count > 0, np.where(where, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
