"""Panels of forecast errors with a known change, for the tests of joint planning."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.schema import ERROR_COLUMNS
from forecast.evaluation.planning.inference.agreement import Agreement, Starts
from forecast.evaluation.planning.inference.histories import Histories
from forecast.evaluation.planning.inference.randomisation import NEVER, Floats, Ints, assignments, treatment

START = 12 * 2022
DATES = (24, 26, 28, 31, 33, 36, None, None)


def panel_of(
    *,
    cut: float = 0.0,
    seed: int = 1,
    dates: tuple[int | None, ...] = DATES,
    months: int = 48,
    missing: float = 0.0,
    before: float = 0.0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return errors and adoption of a company whose errors fall by `cut` on adoption, after a spell `before`."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, date in enumerate(dates):
        for month in range(months):
            error, benchmark = 0.3 * np.abs(rng.standard_t(5, (2, 6))).mean(axis=1)
            if date is not None and month >= date:
                error *= 1 - cut
            elif date is not None and month >= date - 6:
                error *= math.exp(before)
            if rng.random() >= missing:
                rows.append((f"S{number:02d}", period_label(START + month), error, benchmark))
    adopted = [None if date is None else f"{period_label(START + date)}-05" for date in dates]
    adoption = pd.DataFrame({"segment": [f"S{i:02d}" for i in range(len(dates))], "adopted_on": adopted})
    return pd.DataFrame(rows, columns=list(ERROR_COLUMNS)), adoption


def agreement_on(
    error: Floats, benchmark: Floats, dates: Ints, *, observed: np.ndarray | None = None, limit: int = 25_000
) -> Agreement:
    """Return the test on errors and benchmark errors (S, T) of months 0, 1, ...; dates (S,)."""
    months = np.arange(error.shape[-1])
    seen = np.ones(error.shape[-2:], dtype=bool) if observed is None else observed
    histories = Histories(seen, months, error, benchmark, treatment(dates, months))
    return Agreement(Starts(np.unique(dates), months, assignments(dates, limit=limit), histories), histories)


SMALL = np.array([12, 14, 17, 20, NEVER, NEVER])


def small_agreement(seed: int, *, missing: float = 0.0, effect: float = 0.0) -> Agreement:
    """Return the test on a heavy-tailed panel of six segments by 30 months, of which four begin: 360 assignments.

    effect : by which the errors are moved from each start on, in logs.
    """
    rng = np.random.default_rng(seed)
    observed = rng.random((6, 30)) >= missing
    error, benchmark = np.abs(rng.standard_t(4, (2, 6, 30)))
    moved = error * np.exp(effect * treatment(SMALL, np.arange(30)))
    return agreement_on(moved, benchmark, SMALL, observed=observed)
