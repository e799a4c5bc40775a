"""The share won under watch: bets by hand, fair while nothing changes, and what is and is not claimed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom, nbinom

from forecast.errors import DataError, ParameterError
from forecast.evaluation.alarms import limit
from forecast.evaluation.levels import (
    MOST,
    _log_share,
    _log_wins,
    found,
    level_bets,
    months_of,
)
from forecast.models.win.levels import Levels


def levels(won, lost, due_won, due_lost, *, segments=("North", "South")) -> Levels:
    """Return a record of months in which all segments are alike; (T,) each, of one segment."""
    one = [np.stack([a, b], axis=-1) for a, b in ((won, lost), (due_won, due_lost))]
    seen, expected = (np.stack([each * len(segments), *[each] * len(segments)], axis=1).astype(float) for each in one)
    n = 1 + len(segments)
    return Levels(
        as_of=pd.Timestamp("2026-10-31"),
        segments=segments,
        periods=np.arange(len(won)) + 2023 * 12 + 9,
        seen=seen,
        expected=expected,
        level=np.zeros(n),
        moved=np.zeros(n),
        jumped=np.zeros((n, 0)),
        jump_periods=np.zeros(0, dtype=int),
    )


def still(months=36, won=30, lost=70):
    return [np.full(months, value, dtype=float) for value in (won, lost, won, lost)]


def test_a_month_as_expected_pays_less_than_its_stake():
    bets = level_bets([[30, 70]] * 24, [[30, 70]] * 24, fewer=True)
    assert bets.shape == (24, 3)
    assert (bets < 1).all()
    assert (np.diff(bets, axis=1) < 0).all()  # the stronger the change bet on, the less


def test_half_of_the_wins_pays_and_one_month_never_makes_an_alarm():
    won, lost, due, due_lost = still()
    won[-1], lost[-1] = 0, 100
    bets = level_bets(np.stack([won, lost], axis=1) * 3, np.stack([due, due_lost], axis=1) * 3, fewer=True)
    assert bets[-1].max() == MOST
    assert not found(levels(won * 9, lost * 9, due * 9, due_lost * 9))["alarm"].any()


def test_chances_are_those_of_scipy():
    won, closed, level, scatter = np.array([[12.0]]), np.array([[60.0]]), np.array([0.1]), np.array([0.2])
    mean, size = 15 * np.exp(0.1), 25.0
    wins = _log_wins(won, np.array([[15.0]]), closed, level, scatter)
    assert wins[0, 0] == pytest.approx(nbinom.logpmf(12, size, size / (size + mean)))
    share = 0.25 * np.exp(0.1)
    total = 1 / (0.04 * share * (1 - share)) - 1
    of_closed = _log_share(won, np.array([[0.25]]), closed, level, scatter)
    assert of_closed[0, 0] == pytest.approx(betabinom.logpmf(12, 60, share * total, (1 - share) * total))


@pytest.mark.parametrize("fewer", [True, False])
def test_bets_are_fair_while_nothing_changes(fewer):
    rng, paid = np.random.default_rng(4), []
    for _ in range(300):
        won, lost = rng.poisson(40, 36), rng.poisson(90, 36)
        due = np.tile([40.0, 90.0], (36, 1))
        paid.append(level_bets(np.stack([won, lost], axis=1), due, fewer=fewer)[-12:].mean(axis=0))
    assert (np.mean(paid, axis=0) < 1).all()


def test_what_was_always_so_is_no_change():
    won, lost, due, due_lost = still()
    table = found(levels(won * 0.8, lost * 1.1, due, due_lost))
    assert not table["alarm"].any()


def test_a_clear_out_of_old_deals_is_no_change_of_wins():
    won, lost, due, due_lost = still()
    lost[-3:] *= 6
    assert not found(levels(won, lost, due, due_lost))["alarm"].any()


def test_slow_closing_is_no_change_of_the_share():
    won, lost, due, due_lost = still()
    won[-3:] *= 0.5
    lost[-3:] *= 0.5
    assert not found(levels(won, lost, due, due_lost))["alarm"].any()


def test_a_break_is_found_with_its_month_and_what_it_changed():
    won, lost, due, due_lost = still()
    won[-4:], lost[-4:] = 15, 85
    row = found(levels(won, lost, due, due_lost)).iloc[0]
    assert row[["segment", "kind", "alarm", "first", "last", "n"]].tolist() == [
        "Total",
        "fewer",
        True,
        "2026-06",
        "2026-09",
        4,
    ]
    assert row[["won", "closed", "share", "expected_won", "expected_share"]].tolist() == [120, 800, 0.15, 240, 0.3]
    assert row["low"] < 0.15 < row["high"]
    assert row[["segments", "segments_side"]].tolist() == [2, 2]
    assert row["limit"] == limit("company wins fewer")


def test_more_wins_are_found_on_their_own_side():
    won, lost, due, due_lost = still()
    won[-6:], lost[-6:] = 50, 50
    table = found(levels(won, lost, due, due_lost))
    assert table.loc[table["alarm"] & (table["segment"] == "Total"), "kind"].tolist() == ["more"]


def test_the_months_in_a_table():
    table = months_of(levels(*still(months=40)))
    assert len(table) == 36 * 3
    first = table.iloc[0]
    assert first[["segment", "won", "closed", "share", "expected_share"]].tolist() == ["Total", 60, 200, 0.3, 0.3]
    assert first["low"] < 0.3 < first["high"]


def test_without_months_there_is_nothing():
    nothing = levels(*still(months=0))
    assert len(found(nothing)) == len(months_of(nothing)) == 0


def test_a_month_of_which_nothing_was_expected_pays_its_stake_back():
    assert level_bets([[0, 0], [3, 4]], [[0, 0], [0, 0]], fewer=True).tolist() == [[1, 1, 1]] * 2


def test_what_cannot_be_read():
    with pytest.raises(ParameterError, match="shapes"):
        level_bets([1, 2], [1, 2], fewer=True)
    with pytest.raises(DataError, match="negative or missing"):
        level_bets([[1, -1]], [[1, 1]], fewer=True)
