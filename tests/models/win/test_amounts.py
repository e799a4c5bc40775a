"""What a deal is worth where its own amount does not say so, and how far one absurd amount may reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot, plain_company
from forecast.data.known.coding import NONE
from forecast.data.schema import Log
from forecast.models.pipeline.components import components_at_origins
from forecast.models.win.amounts import amount_bounds, counted, like_deals, plausible
from forecast.models.win.landmarks import States, open_states
from logs import log_of

# -- how far an amount reaches ---------------------------------------------------------------------------


def test_the_bound_by_hand():
    """Of 20 amounts 3 are doubted; 8 below them are looked at, each e^.5 times the next: a tail of index 1 / 2.25."""
    values = np.exp(0.5 * np.arange(20.0))
    heaviness = np.mean(0.5 * np.arange(1.0, 9.0))
    assert plausible(values) == pytest.approx(np.exp(0.5 * 16 + heaviness * np.log(3 / 0.1)))


def test_few_amounts_have_no_bound():
    assert plausible(np.arange(1.0, 10.0)) == np.inf


def test_up_to_three_absurd_amounts_have_no_say():
    rng = np.random.default_rng(4)
    amounts = rng.lognormal(9.0, 0.8, 400)
    bound = plausible(amounts)
    assert bound > amounts.max()
    spoiled = amounts.copy()
    spoiled[np.argsort(amounts)[-3:]] *= 100.0
    assert plausible(spoiled) == pytest.approx(bound)


def test_a_company_of_giants_keeps_them():
    """Pareto amounts of index 1, where the largest is thousands of times the median: hardly any company is bounded."""
    rng = np.random.default_rng(5)
    beyond = [bool((values > plausible(values)).any()) for values in 1.0 / rng.random((300, 500))]
    assert np.mean(beyond) < 0.25  # .1 were their tail index known
    prices = np.repeat([100.0, 250.0], [300, 40])  # list prices have no tail, and none of them is a mistake
    assert plausible(prices) > 250.0


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    deals = plain_company(deals=600, months=30, seed=8, segments=2)
    rng = np.random.default_rng(8)
    size = np.where(deals["segment"] == "S0", 1_000.0, 100_000.0)
    kind = np.where(np.arange(len(deals)) // 2 % 2, 3.0, 1.0)
    product = np.where(np.arange(len(deals)) // 2 % 2, "large", "small")
    return deals.assign(amount=size * kind * rng.lognormal(0.0, 0.3, len(deals)), product=product)


def test_a_small_segment_beside_a_large_one_has_a_bound_of_its_own(deals: pd.DataFrame):
    snap = make_snapshot("2022-06-30", deals)
    bounds = amount_bounds(snap.state, open_states(snap.state))
    assert (
        3_000 < bounds[0] < 50_000
    )  # a hundred times a usual amount is beyond it, an ordinary one of the other is not
    assert bounds[1] > 300_000
    assert counted(np.array([1e6, np.nan, 5.0]), np.array([0, 0, NONE]), bounds)[[0, 2]].tolist() == [bounds[0], 5.0]


# -- what stands in --------------------------------------------------------------------------------------


def test_what_stands_in_follows_segment_and_product(deals: pd.DataFrame):
    snap = make_snapshot("2022-06-30", deals)
    view, states = snap.state, open_states(snap.state)
    assert np.isnan(states.amount).all()
    like = like_deals(view, states, amount_bounds(view, states))
    value = pd.Series(like.amounts(states))
    known = snap.opportunities.iloc[states.deal]
    by = [known["segment"].to_numpy(), known["product"].to_numpy()]
    mean = value.groupby(by).mean()
    assert value.groupby(by).std().max() < 1e-6 * value.max()  # the same for all deals alike
    won = snap.opportunities[snap.opportunities["outcome"] == "won"].groupby(["segment", "product"])["amount"].mean()
    np.testing.assert_allclose(mean.loc["S1"], won.loc["S1"], rtol=0.25)  # as far as the wins bear it out
    assert mean["S1", "large"] > 1.8 * mean["S1", "small"]
    assert mean["S1", "small"] > 10 * mean["S0", "small"]


def test_where_nothing_was_won_nothing_stands_in(deals: pd.DataFrame):
    snap = make_snapshot("2022-06-30", deals[deals["outcome"] != "won"])
    view, states = snap.state, open_states(snap.state)
    assert like_deals(view, states, amount_bounds(view, states)).amounts(states).tolist() == [0.0] * len(states)


# -- one kind of forecast on every day ---------------------------------------------------------------------


def _log(deals: pd.DataFrame, **company: object) -> Log:
    table = deals.assign(stage=np.where(deals["outcome"] == "open", "Propose", deals["outcome"]))
    table["expected_close_on"] = pd.to_datetime(table["created_on"]) + pd.Timedelta(days=60)
    return log_of({"opportunities": table}, **company)


def _known(states: States) -> dict[str, bool]:
    """Return which features of deals are known of any."""
    known = {name: bool((getattr(states, name) != NONE).any()) for name in ("stage", "segment")}
    known |= {name: bool(np.isfinite(getattr(states, name)).any()) for name in ("amount", "age", "stage_age")}
    known |= {"due": bool((states.due > -900).any()), "overdue": bool(states.overdue.any())}
    return known | {name: bool((codes != NONE).any()) for name, codes in states.factors.items()}


@pytest.mark.parametrize("fixed", [(), ("amount",)])
def test_the_last_day_shows_the_models_what_earlier_days_show(deals: pd.DataFrame, fixed: tuple[str, ...]):
    """Without history today's stage, amount and close date are known on the last day alone: no model may use them."""
    log = _log(deals, fixed_at_creation=fixed, extracted_on=pd.Timestamp("2022-06-30"))
    last, before = (open_states(forecast.snapshot(log, as_of=day).state) for day in ("2022-06-30", "2022-06-29"))
    assert _known(last) == _known(before)
    assert _known(last)["amount"] == bool(fixed)
    assert forecast.snapshot(log, as_of="2022-06-30").opportunities["amount"].notna().all()  # pages show it


def test_a_deal_without_a_row_stands_on_the_last_day_as_before(deals: pd.DataFrame):
    """The same where history is there, but not of every deal."""
    log = _log(deals, extracted_on=pd.Timestamp("2022-06-30"))
    rows = log.opportunities.iloc[::2]
    history = rows[["opportunity_id", "stage", "amount", "expected_close_on"]].assign(
        recorded_at=rows["created_on"].dt.tz_localize("UTC"), owner="Ada"
    )
    log = replace(log, tables={**log.tables, "opportunity_history": history.reset_index(drop=True)})
    for day in ("2022-06-30", "2022-06-29"):
        view = forecast.snapshot(log, as_of=day).state
        states = open_states(view)
        silent = view.last_row[states.deal] < 0
        assert silent.any()
        assert np.isnan(states.amount[silent]).all()
        assert np.isfinite(states.amount[~silent]).all()
        assert (states.stage[silent] == NONE).all()


@pytest.mark.slow
def test_no_jump_between_the_last_day_and_the_one_before(deals: pd.DataFrame):
    """Amounts of open deals three times those of the won ones moved the last day's forecast alone."""
    table = deals.assign(amount=np.where(deals["outcome"] == "open", 3.0, 1.0) * deals["amount"])
    log = _log(table, extracted_on=pd.Timestamp("2022-06-30"))
    quarter = [
        forecast.forecast_bookings(forecast.snapshot(log, as_of=day), months=3)
        .query("segment == 'Total' and not target_period.str.startswith('FY') and horizon > 0")["mean"]
        .sum()
        for day in ("2022-06-29", "2022-06-30")
    ]
    assert quarter[1] == pytest.approx(quarter[0], rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2022-03-31", "2022-04-12"])
def test_an_export_of_a_day_forecasts_what_a_later_one_says_of_that_day(deals: pd.DataFrame, day: str):
    """No future reaches a past day, and nothing is known on the last day that no past day has: equal to the byte."""
    later = _log(deals, extracted_on=pd.Timestamp("2022-06-30"))
    table = later.opportunities[later.opportunities["created_on"] <= day].reset_index(drop=True)
    still_open = ~(table["closed_on"] <= day)
    rng = np.random.default_rng(3)
    evening = table.assign(
        closed_on=table["closed_on"].mask(still_open),
        outcome=table["outcome"].mask(still_open, "open"),
        stage=table["stage"].mask(still_open, "Propose"),
        amount=table["amount"].where(~still_open, rng.lognormal(12.0, 2.0, len(table))),
        expected_close_on=table["expected_close_on"] + pd.to_timedelta(rng.integers(0, 300, len(table)), unit="D"),
    )
    last = replace(later, tables={**later.tables, "opportunities": evening}, extracted_on=pd.Timestamp(day))
    past, today = (forecast.snapshot(log, as_of=day) for log in (later, last))
    assert today.opportunities["amount"].notna().all()
    pd.testing.assert_frame_equal(
        forecast.forecast_bookings(past, months=3), forecast.forecast_bookings(today, months=3), check_exact=True
    )
    pd.testing.assert_frame_equal(forecast.win_probabilities(past), forecast.win_probabilities(today), check_exact=True)


# -- one absurd amount -----------------------------------------------------------------------------------


def _forecast(log: Log) -> pd.DataFrame:
    table = forecast.forecast_bookings(forecast.snapshot(log, as_of="2022-06-30"), months=3)
    return table[(table["segment"] == "Total") & ~table["target_period"].str.startswith("FY")]


@pytest.mark.parametrize("months_ago", [2, 9, 20])
def test_a_won_deal_whose_decimal_point_is_lost_moves_nothing_else(deals: pd.DataFrame, months_ago: int):
    log = _log(deals, extracted_on=pd.Timestamp("2022-06-30"))
    table = log.opportunities
    day = pd.Timestamp("2022-06-30") - pd.DateOffset(months=months_ago)
    one = table.index[(table["outcome"] == "won") & (table["segment"] == "S1") & (table["closed_on"] < day)]
    one = table.loc[one, "closed_on"].idxmax()
    spoiled = table.assign(amount=table["amount"].where(table.index != one, 100.0 * table["amount"]))
    plain, moved = (_forecast(each) for each in (log, replace(log, tables={**log.tables, "opportunities": spoiled})))
    assert moved["mean"].sum() == pytest.approx(plain["mean"].sum(), rel=0.15)
    told = [note for note in moved.attrs["notes"] if "1 won deal with an amount" in note]
    assert len(told) == 1
    assert table.loc[one, "opportunity_id"] in told[0]
    assert not any("won deal with an amount" in note for note in plain.attrs["notes"])


def test_what_is_booked_stays_as_recorded(deals: pd.DataFrame):
    """In the month in progress a win of a hundred times the usual amount is booked in full."""
    log = _log(deals, extracted_on=pd.Timestamp("2022-06-30"))
    table = log.opportunities
    one = table.index[(table["outcome"] == "won") & (table["closed_on"] >= "2022-06-01")][0]
    spoiled = table.assign(amount=table["amount"].where(table.index != one, 1e9))
    snap = forecast.snapshot(replace(log, tables={**log.tables, "opportunities": spoiled}), as_of="2022-06-29")
    origin = next(components_at_origins(snap, origins=[snap.as_of], steps=3, marketing=True))
    assert origin.parts.booked.sum() > 0.99e9  # type: ignore[union-attr]


# -- what is told ----------------------------------------------------------------------------------------


def test_what_history_would_bring_is_told_with_the_companys_own_figures(deals: pd.DataFrame):
    told = _forecast(_log(deals, currency="EUR", extracted_on=pd.Timestamp("2022-06-30"))).attrs["notes"]
    note = next(note for note in told if note.startswith("Without opportunity_history"))
    assert "its record is of forecasts recomputed in the same way" in note
    assert "their own amounts of today sum to €" in note
    assert "With a history, odds by stage and close date could be learned, and each deal's own amount used." in note
    fixed = _log(deals, fixed_at_creation=("amount",), extracted_on=pd.Timestamp("2022-06-30"))
    note = next(note for note in _forecast(fixed).attrs["notes"] if note.startswith("Without"))
    assert "own amount" not in note
    assert "Amounts are the deals' own, which company.toml says never change." in note
    assert note.startswith("Without opportunity_history stage and close date of")
