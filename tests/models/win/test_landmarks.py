"""Landmark rows: states of the past and what became of them, worked out by hand; the present agrees with history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot, plain_company
from forecast.calendar import parse_periods
from forecast.data.schema import Company
from forecast.models.pipeline.corrections import PastForecasts
from forecast.models.win.encoding import vocabulary
from forecast.models.win.landmarks import (
    NO_EVENT,
    STEPS,
    UNDATED,
    Rows,
    at_risk,
    month_rows,
    open_states,
    seen_landmarks,
)
from forecast.models.win.learn import Learner
from logs import log_of


def walked(snap, months: int = 36):
    """Return the last view of a snapshot, and the states at each past origin, by step 0's period."""
    ledger = snap.ledger
    first = max(int(ledger.created_in[ledger.created_in > 0].min()), snap.period - months)
    past = {}
    for view in ledger.walk(ledger.days_like(snap.as_of, first=first)):
        if view.as_of < snap.as_of:
            past[view.first_target] = open_states(view)
    return view, past


def panel_of(snap, months: int = 36):
    view, past = walked(snap, months)
    return seen_landmarks(view, past, months=months)


def rows_of(view, past, month: int, *, most_events: int, most_quiet: int) -> Rows:
    parts = at_risk(view, past, month)
    return month_rows(parts, month, hashes=view.ledger.hashes, most_events=most_events, most_quiet=most_quiet)


def two_deals():
    """A: moves on, slips twice, won on 20 March. B: opened in February, still open at the end of April."""
    history = pd.DataFrame(
        {
            "opportunity_id": ["A", "A", "A", "A", "B"],
            "recorded_on": ["2024-01-05", "2024-02-10", "2024-02-20", "2024-03-20", "2024-02-29"],
            "stage": ["Early", "Late", "Late", "Closed won", "Early"],
            "amount": [100.0, 120.0, 120.0, 90.0, 50.0],
            "expected_close_on": ["2024-02-15", "2024-03-10", "2024-04-10", "2024-03-20", None],
        }
    )
    deals = pd.DataFrame(
        {
            "opportunity_id": ["A", "B"],
            "created_on": ["2024-01-05", "2024-02-29"],
            "closed_on": ["2024-03-20", None],
            "outcome": ["won", "open"],
            "stage": ["Closed won", "Early"],
            "amount": [90.0, 50.0],
            "expected_close_on": ["2024-03-20", None],
            "stage_since": ["2024-03-20", "2024-02-29"],
            "slips": [2.0, 0.0],
        }
    )
    return make_snapshot("2024-04-30", deals, history)


def test_states_by_hand():
    snap = two_deals()
    words = vocabulary(walked(snap)[0])
    panel = panel_of(snap)
    january, february = 2024 * 12, 2024 * 12 + 1
    assert panel.origins.tolist() == [january, february, february + 1]
    # A at the ends of January and February, B at the ends of February and March; A is closed by the end of March.
    assert panel.states.deal.tolist() == [0, 0, 1, 1]
    assert panel.origin.tolist() == [0, 1, 1, 2]
    assert panel.states.target.tolist() == [february, february + 1, february + 1, february + 2]
    assert [words.stages[code] for code in panel.states.stage] == ["Early", "Late", "Early", "Early"]
    assert panel.states.amount.tolist() == [100.0, 120.0, 50.0, 50.0]
    assert panel.states.slips.tolist() == [0, 2, 0, 0]
    assert panel.states.due.tolist() == [0, 1, UNDATED, UNDATED]
    np.testing.assert_allclose(panel.states.age * 30.4375, [26, 55, 0, 31])
    np.testing.assert_allclose(panel.states.stage_age * 30.4375, [26, 19, 0, 31])
    # A closes in the second month after January and the first after February; B has not closed.
    assert panel.event.tolist() == [1, 0, NO_EVENT, NO_EVENT]
    assert panel.observed.tolist() == [3, 2, 2, 1]


def test_the_place_in_the_fiscal_quarter_by_hand():
    deals = two_deals().opportunities
    # The year begins in February, and so does a quarter; step 0 at the end of January is February.
    first_of_year = make_snapshot("2024-03-31", deals, company=Company(fiscal_year_start=2))
    assert panel_of(first_of_year).states.quarter_position.tolist() == [0, 1, 1]  # A in January; A and B
    middle = walked(make_snapshot("2024-04-15", deals, company=Company(fiscal_year_start=2)))[0]
    assert middle.quarter_position == 2  # April itself, which is not over
    assert walked(make_snapshot("2024-04-15", deals))[0].quarter_position == 0


def test_rows_of_a_month_by_hand():
    view, past = walked(two_deals())
    february = 2024 * 12 + 1
    # In March A (open at the ends of January and February) is won; B was open at the end of February.
    rows = rows_of(view, past, february + 1, most_events=100, most_quiet=100)
    seen = sorted(zip(rows.states.deal[rows.landmark].tolist(), rows.step.tolist(), rows.won.tolist(), strict=True))
    assert seen == [(0, 0, True), (0, 1, True), (1, 0, False)]
    assert not rows.lost.any()
    assert (rows.weight == 1).all()
    # In April only B is at risk, seen from two and from one month before.
    rows = rows_of(view, past, february + 2, most_events=100, most_quiet=100)
    assert sorted(rows.step.tolist()) == [0, 1]
    assert at_risk(view, {}, february) == []


def test_thinned_rows_stand_for_all():
    view, past = walked(make_snapshot("2022-12-31", plain_company(deals=9000, months=36, seed=5)))
    target = max(past)
    every = rows_of(view, past, target, most_events=10**6, most_quiet=10**6)
    some = rows_of(view, past, target, most_events=100, most_quiet=200)
    events = int((every.won | every.lost).sum())
    assert len(some) < 400 < len(every)
    kept = some.won | some.lost
    # Weights are inverse shares; the sums come out within four standard errors of a sample of their size.
    assert abs(some.weight[kept].sum() - events) < 4 * events / np.sqrt(100)
    assert abs(some.weight[~kept].sum() - (len(every) - events)) < 4 * (len(every) - events) / np.sqrt(200)
    again = rows_of(view, past, target, most_events=100, most_quiet=200)
    assert (again.landmark == some.landmark).all()


def test_thinned_rows_are_some_of_all_in_their_order_at_one_share_for_every_origin():
    view, past = walked(make_snapshot("2022-12-31", plain_company(deals=9000, months=36, seed=6)))
    target = max(past)
    every = rows_of(view, past, target, most_events=10**6, most_quiet=10**6)
    some = rows_of(view, past, target, most_events=100, most_quiet=200)

    def each(rows: Rows) -> list[tuple]:
        states, at = rows.states, rows.landmark
        return list(zip(rows.step, states.deal[at], states.age[at], rows.won, rows.lost, strict=True))

    place = {row: k for k, row in enumerate(each(every))}
    assert (np.diff([place[row] for row in each(some)]) > 0).all()
    assert len(np.unique(some.step)) > 1
    assert len(np.unique(some.landmark)) == len(some.states)  # no state is there for nothing
    events = int((every.won | every.lost).sum())
    shares = np.where(some.won | some.lost, min(1.0, 100 / events), 200 / (len(every) - events))
    assert (some.weight == 1 / shares).all()


def test_what_is_the_same_for_all_deals_of_a_day_takes_no_memory():
    states = open_states(walked(make_snapshot("2022-12-31", plain_company(deals=900, months=36, seed=5)))[0])
    assert len(states.target) == len(states) > 50
    assert states.target.strides == states.quarter_position.strides == (0,)
    kept = states.take(np.arange(3))
    assert kept.target.tolist() == states.target[:3].tolist()


def test_a_month_has_settled_once_the_settle_days_are_over():
    deals = plain_company(deals=50, months=12, seed=1)
    november = 2020 * 12 + 10
    for as_of, settled in (("2020-11-30", november - 1), ("2020-12-06", november - 1), ("2020-12-07", november)):
        assert walked(make_snapshot(as_of, deals))[0].last_settled == settled


def test_a_closed_deal_that_history_never_closes_leaves_on_its_closing_day():
    snap = two_deals()
    history = snap.history[snap.history["outcome"] == "open"]
    bare = make_snapshot("2024-04-30", snap.opportunities, history)
    assert panel_of(bare).states.deal.tolist() == [0, 0, 1, 1]


def test_in_the_middle_of_a_month_landmarks_stand_in_the_middle():
    deals = plain_company(deals=50, months=12, seed=1)
    snap = make_snapshot("2020-11-15", deals)
    ledger = snap.ledger
    shown = [str(day.date()) for day in ledger.days_like(snap.as_of, first=2020 * 12)]
    assert shown[-2:] == ["2020-10-16", "2020-11-15"]  # 15 of 30 days are half; so are 15.5, rounded to 16, of 31
    assert shown[0].startswith("2020-01")
    assert len(shown) == 11
    panel = panel_of(snap)
    assert panel.steps == 7
    assert (panel.states.target == panel.origins[panel.origin]).all()


def test_without_history_a_deal_is_open_from_creation_to_closure():
    deals = pd.DataFrame(
        {
            "opportunity_id": ["A", "B"],
            "created_on": ["2024-01-31", "2024-02-01"],
            "closed_on": ["2024-02-29", None],
            "outcome": ["lost", "open"],
        }
    )
    snap = make_snapshot("2024-03-31", deals)
    panel = panel_of(snap)
    # A is open at the end of January (created that day) and not at the end of February (closed that day).
    assert list(zip(panel.states.deal.tolist(), panel.origin.tolist(), strict=True)) == [(0, 0), (1, 1)]
    assert panel.event[0] == 0
    assert not panel.won[0]
    assert np.isnan(panel.states.amount).all()


@pytest.mark.slow
def test_the_present_agrees_with_the_last_rows_of_history(sample):
    snap = forecast.snapshot(forecast.read(sample), as_of="2024-06-30")
    now = open_states(walked(snap, 1)[0])
    # A month later, June's end is a past origin; the same deals must look the same.
    later = forecast.snapshot(forecast.read(sample), as_of="2024-07-31")
    panel = panel_of(later, months=1)
    ids_now = snap.opportunities["opportunity_id"].to_numpy()[now.deal]
    ids_then = later.opportunities["opportunity_id"].to_numpy()[panel.states.deal]
    assert ids_now.tolist() == ids_then.tolist()
    for name in ("stage", "segment", "due", "slips", "target", "overdue"):
        assert (getattr(now, name) == getattr(panel.states, name)).all(), name
    for name in ("amount", "age", "stage_age"):
        np.testing.assert_allclose(getattr(now, name), getattr(panel.states, name), err_msg=name)


def test_columns_that_say_nothing_are_left_out():
    snap = two_deals()
    history = snap.history.assign(
        probability=snap.history["stage"].map({"Early": 0.1, "Late": 0.5, "Closed won": 1.0}),
        region="one",
        heat=[1, 2, 3, 4, 5],
    )
    words = vocabulary(walked(make_snapshot("2024-04-30", snap.opportunities, history))[0])
    assert words.numbers == ("heat",)  # probability follows from the stage
    assert not words.factors  # region has one value


@pytest.mark.parametrize("shuffle", [1, 2])
def test_order_of_history_does_not_matter(shuffle: int):
    snap = two_deals()
    mixed = snap.history.sample(frac=1.0, random_state=shuffle)
    other = make_snapshot("2024-04-30", snap.opportunities, mixed)
    a, b = panel_of(snap), panel_of(other)
    assert a.states.amount.tolist() == b.states.amount.tolist()
    assert a.states.slips.tolist() == b.states.slips.tolist()


@pytest.mark.parametrize("settle_days", [0, 7, 45, 90, 200])
def test_models_learn_from_the_months_that_the_settled_actuals_hold(settle_days: int):
    deals = plain_company(deals=400, months=30, seed=2)
    deals = deals.assign(segment="North", stage="Early", amount=100.0, expected_close_on=deals["created_on"])
    company = {"settle_days": settle_days, "extracted_on": pd.Timestamp("2022-06-30")}
    log = log_of({"opportunities": deals}, **company)
    last = int(parse_periods(forecast.settled_actuals(log)["period"]).max())
    ledger = forecast.snapshot(log, as_of="2022-06-30").ledger
    learner, past = Learner(), PastForecasts(ledger, steps=STEPS)
    for view in ledger.walk(ledger.days_like(log.extracted_on, first=2020 * 12)):
        learner.step(view)
        past.observe(view, view.open_deals, view.amount[view.open_deals])
        last_of_day = view.last_settled
        assert max(learner._rows, default=0) <= last_of_day
    assert last_of_day == max(learner._rows) == max(past._growth) == last
    # A month is learned from with all the origins it was looked ahead to from, however long it took to settle.
    assert set(learner._rows[last].step) == set(range(STEPS))
