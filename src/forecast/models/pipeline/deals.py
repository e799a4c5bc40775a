"""The table of open deals: how likely each is won, why, and what it is expected to bring in each month and in the end.

The amounts of money are those that the bookings forecast adds up (`components`), deal by deal: nothing is worked out a
second time, so the deals of a segment bring in a month what its row of the forecast gives as `open_pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.known.coding import NONE
from forecast.data.known.snapshot import expect_snapshot
from forecast.data.schema import NotedTable, deal_columns
from forecast.errors import DataError
from forecast.models.pipeline.components import Components, Origin, components_at_origins, expected_in_the_end
from forecast.models.tables import month_targets
from forecast.models.win.hazards import one_thread
from forecast.models.win.landmarks import steps_of
from forecast.models.win.probabilities import chance_ever, odds_table
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

SAME = 0.02
"""Share by which the expected amounts may differ from chance times amount without a word."""


def win_probabilities(snap: Snapshot, *, months: int = 6, seed: int = 0) -> pd.DataFrame:
    """Return the open deals: how likely each is won, and what it is expected to bring.

    Parameters
    ----------
    snap : a snapshot. months : for which bookings are expected, 1 to 24; the month in progress comes on top where there
        is one. seed : taken for the sake of a common signature; nothing of this draws a random number.

    Returns
    -------
    `deal_columns`, one row an open deal, sorted by opportunity_id: `segment`; `p_win` (ever), `p_win_low` and
    `p_win_high` (its 95 % range), `p_win_1` … `p_win_6` (by the end of that horizon, cumulative), each from 0 to 1;
    `expected_0` (mid-month) … `expected_N`, the bookings expected of the deal in that month (not cumulative, unrounded,
    in the reporting currency), which over the open deals of a segment sum to `open_pipeline` of `forecast_bookings`;
    `expected_amount`, what it is expected to bring in the end; `factors`, at most five, strongest first, each `(for)` a
    win or `(against)` it. `attrs["notes"]` lists what a reader must know. Where too few deals have closed the numbers
    are nan and the factors say why; where no bookings can be forecast the amounts are.

    Raises
    ------
    ParameterError : months is not from 1 to 24, seed is not an integer >= 0, or snap is no snapshot.

    Examples
    --------
    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2026-10-31")
    >>> deals = forecast.win_probabilities(snap)
    >>> bool(deals["p_win"].between(0, 1).all())
    True
    """
    expect_snapshot(snap, call="win_probabilities")
    return deals_table(snap, months=months, seed=seed).frame()


def deals_table(snap: Snapshot, *, months: int = 6, seed: int = 0) -> NotedTable:
    """Return what `win_probabilities` hands out, with its notes by name."""
    check_seed(seed)
    origin = next(components_at_origins(snap, origins=[snap.as_of], steps=months, marketing=True))
    view, states, model = origin.view, origin.learned.states, origin.learned.model
    horizons = month_targets(view, months)[1]
    with one_thread():
        odds = odds_table(view, states, model)
        by_month, in_the_end = _expected(origin)
    place = view.place_of_segment[states.segment]
    names = np.array([*view.segments, ""], dtype=object)
    table = odds.table.assign(
        segment=pd.Series(names[np.where(place == NONE, len(view.segments), place)], dtype="str"),
        expected_amount=in_the_end,
        **{f"expected_{horizon}": by_month[:, step] for step, horizon in enumerate(horizons)},
    )
    return NotedTable(
        table=table[list(deal_columns(horizons))],
        notes=(*odds.notes, *_notes(origin, in_the_end, odds.table["p_win"].to_numpy(float))),
    )


def _expected(origin: Origin) -> tuple[np.ndarray, np.ndarray]:
    """Return what each open deal is expected to bring in each step (n, S) and in the end (n,); nan where unknown."""
    parts, model, states = origin.parts, origin.learned.model, origin.learned.states
    if isinstance(parts, DataError) or model is None:
        return np.full((len(states), origin.asked), np.nan), np.full(len(states), np.nan)
    by_month = parts.open_by_deal[:, : origin.asked]
    return by_month, _in_the_end(parts, chance_ever(origin.view, model, states).p, modelled=steps_of(origin.view))


def _in_the_end(parts: Components, ever: np.ndarray, *, modelled: int) -> np.ndarray:
    """Return what each deal is expected to bring in the end, (n,), however many months are forecast.

    modelled : steps whose values are corrected one by one; the last of these stands for all later ones.
    """
    chance, value = parts.chance[:, :modelled], parts.value[:, :modelled]
    return expected_in_the_end(chance, value, won_before=parts.won_before, ever=ever)


def _notes(origin: Origin, in_the_end: np.ndarray, p: np.ndarray) -> list[str]:
    """Return what must be known of the amounts of money; in_the_end, p : expected amounts and chances of the deals."""
    if isinstance(origin.parts, DataError):
        return [f"No expected amounts: {origin.parts.problem.what}."] if origin.learned.model is not None else []
    plain = float(p @ origin.like.amounts(origin.learned.states)) if origin.learned.model else 0.0
    return [*origin.amount_notes, *correction_notes(float(in_the_end.sum()), plain)]


def correction_notes(expected: float, plain: float) -> list[str]:
    """Return by how much expected amounts differ from chance times amount, both summed over the open deals.

    Nothing where they agree within `SAME`: then nobody who multiplies finds another sum.
    """
    if plain <= 0 or abs(expected / plain - 1.0) < SAME:
        return []
    came = "less" if expected < plain else "more"
    return [
        f"Past open deals brought {came} than chance times amount, so the expected amounts are corrected: together "
        f"they are {100 * expected / plain:.0f} % of it. Odds and counts of wins are not."
    ]
