"""Landmark rows: states of the past and what became of them, worked out by hand; the present agrees with history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot, plain_company
from forecast.models.features import NO_EVENT, UNDATED, landmarks, origin_days, present, vocabulary


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
    words = vocabulary(snap)
    panel = landmarks(snap, words)
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


def test_rows_end_with_the_event_or_the_last_month():
    panel = landmarks(snap := two_deals(), vocabulary(snap))
    landmark, step, won, lost = panel.rows()
    assert list(zip(landmark.tolist(), step.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
    ]
    assert won.tolist() == [False, True, True, False, False, False]
    assert not lost.any()


def test_a_closed_deal_that_history_never_closes_leaves_on_its_closing_day():
    snap = two_deals()
    history = snap.history[snap.history["outcome"] == "open"]
    bare = make_snapshot("2024-04-30", snap.opportunities, history)
    assert landmarks(bare, vocabulary(bare)).states.deal.tolist() == [0, 0, 1, 1]


def test_in_the_middle_of_a_month_landmarks_stand_in_the_middle():
    deals = plain_company(deals=50, months=12, seed=1)
    snap = make_snapshot("2020-11-15", deals)
    periods, days = origin_days(snap)
    shown = days.astype("datetime64[D]").astype(str).tolist()
    assert shown[-1] == "2020-10-16"  # 15 of 30 days are half of the month; so are 15.5, rounded to 16, of 31
    assert shown[0].startswith("2020-01")
    assert len(periods) == 10
    panel = landmarks(snap, vocabulary(snap))
    assert panel.steps == 7
    assert (panel.states.target == periods[panel.origin]).all()


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
    panel = landmarks(snap, vocabulary(snap))
    # A is open at the end of January (created that day) and not at the end of February (closed that day).
    assert list(zip(panel.states.deal.tolist(), panel.origin.tolist(), strict=True)) == [(0, 0), (1, 1)]
    assert panel.event[0] == 0
    assert not panel.won[0]
    assert np.isnan(panel.states.amount).all()


def test_the_present_agrees_with_the_last_rows_of_history(sample):
    snap = forecast.snapshot(forecast.read(sample), as_of="2024-06-30")
    words = vocabulary(snap)
    now = present(snap, words)
    # A month later, June's end is a past origin; the same deals must look the same.
    later = forecast.snapshot(forecast.read(sample), as_of="2024-07-31")
    panel = landmarks(later, vocabulary(later), months=1)
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
    words = vocabulary(make_snapshot("2024-04-30", snap.opportunities, history))
    assert words.numbers == ("heat",)  # probability follows from the stage
    assert not words.factors  # region has one value


@pytest.mark.parametrize("shuffle", [1, 2])
def test_order_of_history_does_not_matter(shuffle: int):
    snap = two_deals()
    mixed = snap.history.sample(frac=1.0, random_state=shuffle)
    other = make_snapshot("2024-04-30", snap.opportunities, mixed)
    a, b = landmarks(snap, vocabulary(snap)), landmarks(other, vocabulary(other))
    assert a.states.amount.tolist() == b.states.amount.tolist()
    assert a.states.slips.tolist() == b.states.slips.tolist()
