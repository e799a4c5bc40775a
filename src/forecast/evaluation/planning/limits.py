"""How far the answer carries: each segment left out in turn, and how small a change these data could have shown.

The second question is answered by simulation on the company's own design: the real adoption months, and histories
drawn from the company's own. The histories are errors with the effect taken out, over what is usual for segment and
month (`scale_to_unit_mean`); each simulated segment gets one of them with its benchmark, begun at a random month and
read on from the first month after the last (a circular block bootstrap with one block: Politis and Romano 1992), which
keeps what neighbouring months have in common. A change is put in from the adoption months on, and the library's own
test is asked whether it sees it: both comparisons together (`agreement`), without the checks that may withhold a claim.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from forecast.errors import ParameterError, nearest
from forecast.evaluation.planning.assessment import starts_and_histories
from forecast.evaluation.planning.estimate import relative_change
from forecast.evaluation.planning.inference.agreement import Agreement, Change, Starts, p_of_agreement
from forecast.evaluation.planning.inference.histories import Histories
from forecast.evaluation.planning.inference.randomisation import ALPHA, Cells, Floats, Ints, assignments, treatment
from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.verdict import interval_of, no_comparison
from forecast.seeds import generator

CUTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.75, 0.9)
"""Shares by which errors fall, of which the power is looked at."""

WANTED = 0.8
"""Share of times in which a change must be seen to count as detectable."""

TIMES = (1, 2, 4)
"""How many times the company's segments are looked at."""

LEFT_OUT_ASSIGNMENTS = 1_000
"""Assignments looked at, at most, where one segment is left out."""

_SIMULATED, _ASSIGNMENTS = 300, 500
LEFT_OUT_COLUMNS = (
    "segment",
    "relative_change",
    "interval_low",
    "interval_high",
    "p_value",
    "mean_change",
    "mean_interval_low",
    "mean_interval_high",
)
POWER_COLUMNS = ("segments", "relative_change", "power")


def leave_one_out(panel: ErrorPanel, *, permutations: int, seed: int) -> pd.DataFrame:
    """Return the effect without each segment in turn: LEFT_OUT_COLUMNS, one row a segment, sorted by name.

    relative_change as the test sees it and mean_change, each with its interval; the checks of the claim are not made
    again. NaN, the intervals (-1, inf) and the p-value 1 where the others alone identify nothing.
    """
    rows = [
        {"segment": name, **change_of(panel.without(name), permutations=permutations, seed=seed)}
        for name in panel.segments
    ]
    return pd.DataFrame(rows, columns=list(LEFT_OUT_COLUMNS))


def otherwise(
    panel: ErrorPanel, *, without: str = "", first: int = 0, permutations: int = LEFT_OUT_ASSIGNMENTS, seed: int
) -> dict[str, float]:
    """Return the effect if other data had been looked at: without a segment, and without the first months of each.

    One sensitivity of many that could be asked for: whoever looks at several until one says what they hoped for has
    found nothing. The checks of a claim are not made, and the verdict does not hang on it.

    Parameters
    ----------
    without : a segment that is left out; empty for none. first : months from each start on that are set aside too, in
        which people may still have been learning. permutations, seed : of the assignments of the start dates.

    Returns
    -------
    The figures of `leave_one_out`, by name: `change_of`.

    Raises ParameterError where the segment is none of the panel's, or first is no count.

    Source: which months to leave out around a start is a choice of the study (donut designs: Barreca et al. 2011, QJE
    126); it is fixed before looking, and other choices are shown beside it.
    """
    if without and without not in panel.segments:
        raise ParameterError(f"without: {without!r} is no segment of the study; {nearest(without, panel.segments)}")
    part = panel.without(without) if without else panel
    return change_of(part.without_first(first), permutations=permutations, seed=seed)


def change_of(panel: ErrorPanel, *, permutations: int, seed: int) -> dict[str, float]:
    """Return the change of a panel, all of LEFT_OUT_COLUMNS but the first; (-1, inf) and 1 where nothing is told."""
    found = _changes(panel, permutations=permutations, seed=seed)
    if found is None:
        figures = (math.nan, -1.0, math.inf, 1.0, math.nan, -1.0, math.inf)
    else:
        change, mean = ((relative_change(each.estimate), *interval_of(each)) for each in found)
        figures = (*change, found[0].p, *mean)
    return dict(zip(LEFT_OUT_COLUMNS[1:], figures, strict=True))


def _changes(panel: ErrorPanel, *, permutations: int, seed: int) -> tuple[Change, Change] | None:
    """Return the change of a panel as the test sees it, and of its mean error; None where nothing can be identified."""
    if no_comparison(panel):
        return None
    starts, histories = starts_and_histories(panel, permutations=permutations, seed=seed)
    if not starts.identified() or starts.smallest_p() > ALPHA:
        return None
    return Agreement(starts, histories).change(), Agreement(starts, histories, mean=True).change()


ROUNDS = 12
"""How often segments and months are brought back to mean 1 in turn."""


def power(panel: ErrorPanel, *, effect: float, seed: int, times: tuple[int, ...] = TIMES) -> pd.DataFrame:
    """Return how often a fall of the errors would have been seen: POWER_COLUMNS, for each size of company and fall.

    panel : the company's. effect : the change in logs that is taken out of its errors first; 0 where none is known.
    times : 2 asks what twice as many segments like these, with the same adoption months, would have shown.

    `relative_change` runs from -.05 to -.90; `power` is the share of 300 simulated companies in which both comparisons
    would show an improvement. The checks (`checks`), which withhold some of these claims, are not made.
    No rows where the treatment cannot be separated from segments and months.
    """
    if len(panel.segments) < 2 or len(np.unique(panel.dates)) < 2:
        return pd.DataFrame(columns=list(POWER_COLUMNS)).astype({"relative_change": float, "power": float})
    rng = generator(seed, 72)
    histories = _histories(panel, effect, rng)
    like = _like(panel, effect=effect, seed=seed)
    rows = []
    if like is None:
        return pd.DataFrame(columns=list(POWER_COLUMNS)).astype({"relative_change": float, "power": float})
    for multiple in times:
        dates = np.tile(panel.dates, multiple)
        error, benchmark = _companies(histories, len(dates), rng)
        for cut, improved in _seen(panel.months, dates, error, benchmark, like=like, seed=seed):
            rows.append((len(dates), -cut, improved))
    return pd.DataFrame(rows, columns=list(POWER_COLUMNS))


def _like(panel: ErrorPanel, *, effect: float, seed: int) -> tuple[int, float] | None:
    """Return the structure and shift that fit the company's own errors, the effect taken out; None for no test.

    They are kept for the simulated companies, whose histories are its own.
    """
    starts, histories = starts_and_histories(panel, permutations=2, seed=seed)
    if not starts.identified():
        return None
    found = Agreement(starts, histories).innovations(np.full(1, effect))
    return int(found.structure[0]), float(found.shift[0])


def _seen(
    months: Ints, dates: Ints, error: Floats, benchmark: Floats, *, like: tuple[int, float], seed: int
) -> Iterator[tuple[float, float]]:
    """Yield each fall that is put in and the share of simulated companies in which it is seen."""
    everywhere, treated = np.ones(error.shape[1:], dtype=bool), treatment(dates, months)
    assigned = assignments(dates, limit=_ASSIGNMENTS, seed=seed)
    structure, shift = like
    starts: Starts | None = None
    for cut in CUTS:
        smaller = error * np.where(treated > 0, 1 - cut, 1.0)
        histories = Histories(everywhere, months, smaller, benchmark, treated)
        starts = starts or Starts(np.unique(dates), months, assigned, histories)
        left = histories.under(structure=structure, shift=shift)
        both = [starts.coefficients(of, left) for of in (starts.given_record, starts.set_aside)]
        improved = (p_of_agreement(*both) <= ALPHA) & (both[0][:, 0] < 0)
        yield cut, float(improved.mean())


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


def scale_to_unit_mean(cells: Cells, sizes: Floats) -> Floats:
    """Return sizes over a factor of each segment and each month, such that both have mean 1; (..., S, T).

    sizes : >= 0. Cells that are not observed are 0, and so are segments and months where all is 0. The months come
    last: their means are 1 exactly, those of segments nearly.
    """
    out = np.where(cells.observed, sizes, 0.0)
    months, segments = cells.observed.sum(axis=1)[:, None], cells.observed.sum(axis=0)[None, :]
    for _ in range(ROUNDS):
        for axis, count in ((-1, months), (-2, segments)):
            total = out.sum(axis=axis, keepdims=True)
            out = out * np.where(total > 0, count / np.where(total > 0, total, 1.0), 0.0)
    return out
