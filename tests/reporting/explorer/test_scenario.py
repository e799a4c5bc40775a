"""What if: answers by hand on two deals, shares that add up, and the levers of a real snapshot."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forecast
from forecast.data.schema import TOTAL, Company
from forecast.errors import ParameterError
from forecast.models.pipeline.bookings import forecast_bookings
from forecast.reporting.explorer import scenario as what_if
from forecast.reporting.explorer.charts import shares
from forecast.reporting.explorer.scenario import LEVERS, Levers, scenario, shapley_by_segment
from forecast.sources import plain
from forecast.wording import MINUS, THIN
from scenarios import two_deals


def total(levers: Levers) -> list[float]:
    table = scenario(two_deals(), levers).table
    return table.loc[table["segment"] == TOTAL, "scenario"].tolist()


# Base: month 1 is 10 + 40 + .5 x 100 + .1 x 1,000 = 200; month 2 is 80 + .2 x 100 + .3 x 1,000 = 400.
@pytest.mark.parametrize(
    ("levers", "expected"),
    [
        (Levers(), [200, 400]),
        (Levers(leads=0.5), [200 + 10, 400 + 40]),
        (Levers(win_rate=0.1), [10 + 190 * 1.1, 400 * 1.1]),
        # Half a month later: half of month 1 stays, the rest moves on.
        (Levers(slippage=0.5), [50 + 75, 80 + 75 + 160]),
        # Twice as slow: month 1 has half of month 1, month 2 its other half; pipeline to come likewise.
        (Levers(cycle_time=1.0), [10 + 20 + 75, 20 + 75]),
        (Levers(won=("B",)), [10 + 40 + 50 + 1000, 80 + 20]),
        (Levers(lost=("B",)), [10 + 40 + 50, 80 + 20]),
    ],
)
def test_levers_by_hand(levers: Levers, expected: list[float]):
    assert total(levers) == pytest.approx(expected)


def test_chances_never_exceed_one():
    # A: .5 and .2 doubled is 1.4, so 1 is shared out 5 to 2; B doubled is .2 and .6.
    assert total(Levers(win_rate=1.0))[0] == pytest.approx(10 + 80 + 100 * 5 / 7 + 200)


def brute_force(levers: Levers) -> dict[str, float]:
    """Shapley's value by its definition: the mean marginal contribution over all orders."""
    given = two_deals()
    moved = dict.fromkeys(LEVERS, 0.0)
    orders = list(itertools.permutations(LEVERS))
    for order in orders:
        chosen: tuple[str, ...] = ()
        before = what_if._means(given.parts).sum()
        for lever in order:
            chosen = (*chosen, lever)
            after = what_if._means(what_if._moved(given.parts, what_if._only(levers, chosen))).sum()
            moved[lever] += (after - before) / len(orders)
            before = after
    return moved


def test_shares_are_shapleys():
    levers = Levers(leads=0.5, win_rate=0.2, cycle_time=0.3, slippage=0.5, won=("A",))
    shares = dict(zip(LEVERS, shapley_by_segment(two_deals().parts, levers).sum(axis=1), strict=True))
    assert shares == pytest.approx(brute_force(levers))


@settings(max_examples=25, deadline=None)
@given(
    leads=st.floats(-1, 2),
    win_rate=st.floats(-1, 1),
    cycle_time=st.floats(-0.5, 1),
    slippage=st.floats(0, 6),
    deals=st.sampled_from([((), ()), (("A",), ()), ((), ("B",)), (("B",), ("A",))]),
)
def test_shares_add_up_exactly(leads: float, win_rate: float, cycle_time: float, slippage: float, deals: tuple):
    result = scenario(
        two_deals(),
        Levers(leads=leads, win_rate=win_rate, cycle_time=cycle_time, slippage=slippage, won=deals[0], lost=deals[1]),
    )
    rows = result.table[result.table["segment"] == TOTAL]
    assert result.shares["change"].sum() == pytest.approx(rows["scenario"].sum() - rows["base"].sum(), abs=1e-6)
    assert (rows["scenario"] >= 10.0 - 1e-9).any()


def test_a_lever_that_is_not_moved_has_no_share():
    by_segment = shapley_by_segment(two_deals().parts, Levers(win_rate=0.1))
    shares = pd.Series(by_segment.sum(axis=1), index=LEVERS)
    assert shares.drop("win_rate").abs().max() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("levers", "said"),
    [
        (Levers(leads=2.5), "leads: 2.5 is not from -1 to 2"),
        (Levers(slippage=-1), "slippage: -1"),
        (Levers(won=("C",)), "'C' is not an open deal"),
        (Levers(won=("A",), lost=("A",)), "taken as won and as lost: A"),
    ],
)
def test_what_cannot_be_is_refused(levers: Levers, said: str):
    with pytest.raises(ParameterError, match=said):
        scenario(two_deals(), levers)


@pytest.mark.parametrize(
    ("levers", "title"),
    [
        (Levers(win_rate=0.1), f"Win rate +10{THIN}% brings "),
        (Levers(win_rate=-0.2, slippage=1.0), f"Win rate {MINUS}20{THIN}% and slippage together cost "),
        (Levers(cycle_time=0.5), f"Cycle time +50{THIN}% costs "),
        (Levers(won=("A",)), "Deals set by hand bring "),
        (Levers(), "No lever is moved"),
    ],
)
def test_the_title_says_by_how_much_a_lever_is_moved(levers: Levers, title: str):
    changes = scenario(two_deals(), levers).shares
    chart = shares(changes, levers, company=Company(name="C", currency="EUR"), as_of="2026-10-31")
    assert plain(chart.title).startswith(title)
    html = chart._repr_html_()
    assert "nan" not in html
    assert "unknown" not in html


@pytest.fixture(scope="module")
def snap(sample):
    return forecast.snapshot(forecast.read(sample), as_of="2026-10-31")


@pytest.fixture(scope="module")
def base(snap, kept_walks):  # noqa: ARG001
    return what_if.base(snap)


@pytest.mark.slow
def test_no_lever_moved_is_the_forecast(snap, base):
    table = forecast_bookings(snap, months=6, seed=0)
    told = scenario(base, Levers()).table.set_index(["period", "segment"])
    ours = table[table["target_period"].str.contains("-")].set_index(["target_period", "segment"])
    ours.index.names = told.index.names
    np.testing.assert_allclose(told["scenario"], ours["mean"].reindex(told.index), rtol=1e-9)
    np.testing.assert_allclose(told["q90"], ours["q90"].reindex(told.index), rtol=1e-9)


@pytest.mark.slow
def test_levers_move_the_sample_as_they_should(base):
    assert base.has_marketing

    def change(levers: Levers) -> float:
        return scenario(base, levers).shares["change"].sum()

    assert change(Levers(win_rate=0.1)) > 0 > change(Levers(win_rate=-0.1))
    assert change(Levers(leads=0.2)) > 0
    assert change(Levers(cycle_time=0.3)) < 0
    assert change(Levers(slippage=1.0)) < 0
