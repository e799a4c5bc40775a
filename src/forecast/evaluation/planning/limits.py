"""How far the answer carries: each segment left out in turn, and how small a change these data could have shown.

The second question is answered by simulation on the company's own design: the real adoption months, and histories
drawn from the company's own. The histories are errors with the effect taken out, over what is usual for segment and
month (`ratio`); each simulated segment gets one of them with its benchmark, begun at a random month and read on from
the first month after the last (a circular block bootstrap with one block: Politis and Romano 1992), which keeps what
neighbouring months have in common. A change is put in from the adoption months on, and the library's own test is
asked whether it sees it.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from forecast.evaluation.planning.estimate import designs, relative_change
from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.randomisation import ALPHA, Cells, Floats, assignments, p_value, treatment
from forecast.evaluation.planning.ratio import Ratios, estimate_ratio, scale_to_unit_mean
from forecast.seeds import generator

CUTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.75, 0.9)
"""Shares by which errors fall, of which the power is looked at."""

WANTED = 0.8
"""Share of times in which a change must be seen to count as detectable."""

TIMES = (1, 2, 4)
"""How many times the company's segments are looked at."""

_SIMULATED, _ASSIGNMENTS = 300, 500
LEFT_OUT_COLUMNS = ("segment", "relative_change", "interval_low", "interval_high", "p_value")
POWER_COLUMNS = ("segments", "relative_change", "power")


def leave_one_out(panel: ErrorPanel, *, permutations: int, seed: int) -> pd.DataFrame:
    """Return the effect without each segment in turn: LEFT_OUT_COLUMNS, one row a segment, sorted by name.

    relative_change is NaN, the interval (-1, inf) and the p-value 1 where the others alone identify nothing.
    """
    rows = []
    for name in panel.segments:
        others, found = panel.without(name), None
        if len(others.segments) > 1 and len(np.unique(others.dates)) > 1:
            found = estimate_ratio(others, permutations=permutations, seed=seed)
        if found is None or not found.identified or found.smallest_p > ALPHA:
            rows.append((name, math.nan, -1.0, math.inf, 1.0))
        else:
            low, high = relative_change(found.low), relative_change(found.high)
            rows.append((name, relative_change(found.delta), low, high, found.p))
    return pd.DataFrame(rows, columns=list(LEFT_OUT_COLUMNS))


def power(panel: ErrorPanel, *, effect: float, seed: int, times: tuple[int, ...] = TIMES) -> pd.DataFrame:
    """Return how often a fall of the errors would have been seen: POWER_COLUMNS, for each size of company and fall.

    panel : the company's. effect : the change in logs that is taken out of its errors first; 0 where none is known.
    times : 2 asks what twice as many segments like these, with the same adoption months, would have shown.

    `relative_change` runs from -.05 to -.90; `power` is the share of 300 simulated companies in which the verdict
    would be `improved`. No rows where the treatment cannot be separated from segments and months.
    """
    if len(panel.segments) < 2 or len(np.unique(panel.dates)) < 2:
        return pd.DataFrame(columns=list(POWER_COLUMNS)).astype({"relative_change": float, "power": float})
    rng = generator(seed, 72)
    histories = _histories(panel, effect, rng)
    rows = []
    for multiple in times:
        dates = np.tile(panel.dates, multiple)
        cells = Cells(np.ones((len(dates), len(panel.months)), dtype=bool))
        assigned = assignments(dates, limit=_ASSIGNMENTS, seed=seed)
        design = designs(cells, dates, panel.months, assigned).treatment
        if not design.identified:
            continue
        error, benchmark = _companies(histories, len(dates), rng)
        treated = design.actual[0]
        for cut in CUTS:
            ratios = Ratios(cells, error * np.where(treated > 0, 1 - cut, 1.0), benchmark, treated)
            coefficients = design.coefficients(ratios.outcome(0.0))
            improved = (p_value(coefficients) <= ALPHA) & (coefficients[:, 0] < 0)
            rows.append((len(dates), -cut, float(improved.mean())))
    return pd.DataFrame(rows, columns=list(POWER_COLUMNS))


def detectable_change(table: pd.DataFrame, *, segments: int) -> float:
    """Return the smallest fall seen at least 4 of 5 times by a company of that many segments; NaN where there is none.

    table : of `power`. The power is taken as rising along lines between the falls looked at.
    """
    rows = table[table["segments"] == segments]
    rising = np.maximum.accumulate(rows["power"].to_numpy(dtype=np.float64)) if len(rows) else np.zeros(0)
    if not len(rising) or rising[-1] < WANTED:
        return math.nan
    at = int(np.argmax(rising >= WANTED))
    cuts = rows["relative_change"].to_numpy(dtype=np.float64)
    if at == 0:
        return float(cuts[0])
    share = (WANTED - rising[at - 1]) / (rising[at] - rising[at - 1])
    return float(cuts[at - 1] + share * (cuts[at] - cuts[at - 1]))


def _companies(histories: Floats, segments: int, rng: np.random.Generator) -> Floats:
    """Return errors and benchmark errors of simulated companies; (2, companies, segments, T).

    Each segment gets a history drawn at random, begun at a random month.
    """
    months = histories.shape[-1]
    drawn = rng.integers(0, histories.shape[1], (_SIMULATED, segments, 1))
    begun = rng.integers(0, months, (_SIMULATED, segments, 1))
    return histories[:, drawn, (np.arange(months) + begun) % months]


def _histories(panel: ErrorPanel, effect: float, rng: np.random.Generator) -> Floats:
    """Return errors and benchmark errors over what is usual for segment and month, the effect taken out; (2, S, T).

    A month that is missing gets another one of the same segment, drawn at random.
    """
    treated = treatment(panel.dates, panel.months)
    sizes = np.stack([np.nan_to_num(panel.error) * np.exp(-effect * treated), np.nan_to_num(panel.benchmark)])
    out = scale_to_unit_mean(Cells(panel.observed), sizes)
    segments, months = panel.observed.shape
    # Dividing by means takes variance away.
    wider = math.sqrt(segments / (segments - 1) * months / max(months - 1, 1))
    out = np.maximum(1 + (out - 1) * wider, 0.0)
    for s in range(segments):
        observed, missing = np.flatnonzero(panel.observed[s]), np.flatnonzero(~panel.observed[s])
        if len(missing) and len(observed):
            out[:, s, missing] = out[:, s, rng.choice(observed, len(missing))]
    return out
