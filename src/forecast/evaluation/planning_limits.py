"""How far the answer carries: each segment left out in turn, and how small a change these data could have shown.

The second question is answered by simulation on the company's own design. What the effect and the set-aside months do
not explain of its log errors is dealt out anew: segments' histories drawn with replacement, all of them begun at one
random month (so that neighbouring months and segments stay together, a circular block bootstrap: Politis and Romano
1992), a change put in from the real adoption months on, and the library's own test asked whether it sees it.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from forecast.evaluation.planning_estimate import designs, estimate
from forecast.evaluation.planning_panel import ErrorPanel
from forecast.evaluation.planning_permutation import ALPHA, Floats, Ints, Panel, assignments, p_value

CUTS = tuple(round(0.05 * k, 2) for k in range(1, 19))
"""Shares by which errors fall, of which the power is looked at."""

WANTED = 0.8
"""Share of times in which a change must be seen to count as detectable."""

TIMES = (1, 2, 4)
"""How many times the company's segments are looked at."""

_SIMULATED, _WAYS = 400, 999
LEFT_OUT_COLUMNS = ("segment", "relative_change", "interval_low", "interval_high", "p_value")
POWER_COLUMNS = ("segments", "relative_change", "power")


def leave_one_out(
    panel: ErrorPanel, outcome: Floats, covariate: Floats, *, permutations: int, seed: int
) -> pd.DataFrame:
    """Return the effect without each segment in turn: LEFT_OUT_COLUMNS, one row a segment, sorted by name.

    panel, outcome, covariate : as `planning_estimate.estimate` takes them, (S, T). relative_change is NaN, the interval
    (-1, inf) and the p-value 1 where the others alone identify nothing.
    """
    rows = []
    for left, name in enumerate(panel.segments):
        kept = np.arange(len(panel.segments)) != left
        observed = panel.observed[kept]
        months = observed.any(axis=0)
        found = None
        if kept.sum() > 1 and len(np.unique(panel.dates[kept])) > 1:
            found = estimate(
                outcome[kept][:, months],
                covariate[kept][:, months],
                observed[:, months],
                panel.dates[kept],
                panel.months[months],
                permutations=permutations,
                seed=seed,
            )
        if found is None or not found.identified or found.smallest_p > ALPHA:
            rows.append((name, math.nan, -1.0, math.inf, 1.0))
        else:
            low, high = np.expm1(found.low), np.expm1(found.high)
            rows.append((name, math.expm1(found.delta), float(low), float(high), found.p))
    return pd.DataFrame(rows, columns=list(LEFT_OUT_COLUMNS))


def power(panel: ErrorPanel, y: Floats, *, seed: int, times: tuple[int, ...] = TIMES) -> pd.DataFrame:
    """Return how often a fall of the errors would have been seen: POWER_COLUMNS, for each size of company and fall.

    panel : the company's. y : (S, T), log errors less what the benchmark explains, 0 where not observed.
    times : 2 asks what twice as many segments like these, with the same adoption months, would have shown.

    `relative_change` runs from -.05 to -.90; `power` is the share of 400 simulated companies in which the verdict
    would be `improved`. No rows where the treatment cannot be told from segments and months.
    """
    if len(panel.segments) < 2 or len(np.unique(panel.dates)) < 2:
        return pd.DataFrame(columns=list(POWER_COLUMNS)).astype({"relative_change": float, "power": float})
    noise = _unexplained(panel, y)
    rng = np.random.default_rng([seed, 72])
    rows = []
    for many in times:
        dates = np.tile(panel.dates, many)
        whole = Panel(np.ones((len(dates), len(panel.months)), dtype=bool))
        picks = assignments(dates, limit=_WAYS, seed=seed)
        main = designs(whole, dates, panel.months, picks)[0]
        if not main.identified:
            continue
        drawn = rng.integers(0, len(noise), (_SIMULATED, len(dates)))
        begun = rng.integers(0, noise.shape[1], (_SIMULATED, 1))
        place = (np.arange(noise.shape[1]) + begun) % noise.shape[1]
        coefficients = main.coefficients(noise[drawn[:, :, None], place[:, None, :]])
        of_treatment = main.coefficients(main.actual[0])
        for cut in CUTS:
            shifted = coefficients + math.log1p(-cut) * of_treatment
            seen = (p_value(shifted) <= ALPHA) & (shifted[:, 0] < 0)
            rows.append((len(dates), -cut, float(seen.mean())))
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


def _unexplained(panel: ErrorPanel, y: Floats) -> Floats:
    """Return what effect, set-aside months, segments and months leave of y, as wide as before the fit; (S, T)."""
    cells = Panel(panel.observed)
    dates: Ints = panel.dates
    main = designs(cells, dates, panel.months, assignments(dates, limit=1, seed=0))[0]
    left = cells.demean(y - np.einsum("r,rst->st", main.estimate(y), main.actual))
    segments, months = panel.observed.shape
    # Means and missing cells take variance away; each history gets it back.
    seen = np.maximum(panel.observed.sum(axis=1), 1)
    return left * np.sqrt(months / seen * segments / (segments - 1) * months / max(months - 1, 1))[:, None]
