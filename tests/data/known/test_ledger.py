"""The ledger's walk: by hand, and a snapshot's own ledger knows of every past day what the log's knows, no more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot
from forecast.data.codes import dictionary_of, row_codes
from forecast.data.known.coding import NO_DAY, PeriodTable, codes_of, counted_days, days_of
from forecast.data.known.ledger import ledger_of
from forecast.data.known.recorded import outcomes_as_read_on
from forecast.errors import ParameterError
from forecast.simulation.company import simulate, write

CODES = {"open": 0, "won": 1, "lost": 2}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger")
    write(simulate(opportunities=1500, months=36, seed=21, segments=3), folder)
    return forecast.read(folder)


def agrees(seen, snap, ids) -> None:
    """Hold a view against the snapshot of the same day."""
    deals = snap.opportunities
    here = np.flatnonzero(seen.known)
    assert ids[here].tolist() == deals["opportunity_id"].tolist()
    assert (seen.outcome[here] == deals["outcome"].map(CODES).to_numpy()).all()
    assert (seen.closed_on[here] == days_of(deals["closed_on"])).all()
    assert (seen.closed_in[here] == np.maximum(snap.calendar.period_of(deals["closed_on"]), 0)).all()
    np.testing.assert_array_equal(seen.amount[here], deals["amount"].to_numpy(float))
    assert seen.segments == snap.segments
    assert [seen.segments[k] for k in seen.place_of_segment[seen.segment[here]]] == deals["segment"].tolist()
    row, ledger = seen.last_row[here], seen.ledger
    has = row >= 0
    is_open = has & (seen.outcome[here] == 0)
    assert (ledger.stage[row[is_open]] == codes_of(deals["stage"], ledger.stages)[is_open]).all()
    assert (ledger.since(row[has]) == days_of(deals["stage_since"])[has]).all()
    assert (ledger.slips[row[has]] == deals["slips"].to_numpy()[has]).all()
    assert (ledger.expected[row[has]] == days_of(deals["expected_close_on"])[has]).all()


@pytest.mark.slow
def test_every_day_is_as_the_log_had_it(log):
    last = forecast.snapshot(log, as_of=log.extracted_on)
    ids = last.opportunities["opportunity_id"].to_numpy(dtype=object)
    days = [day.as_unit("us") for day in pd.date_range("2024-02-10", log.extracted_on, freq="37D")]
    for day, seen in zip(days, last.ledger.walk(days), strict=True):
        agrees(seen, forecast.snapshot(log, as_of=day), ids)


def test_reopened_late_and_silent_deals_by_hand():
    history = pd.DataFrame(
        {
            "opportunity_id": ["A", "A", "A", "A", "B", "B", "C"],
            "recorded_on": [
                *("2024-01-05", "2024-02-10", "2024-03-20", "2024-05-02"),
                *("2024-01-10", "2024-03-04", "2024-01-15"),
            ],
            "stage": ["Early", "Closed lost", "Late", "Closed won", "Early", "Closed won", "Early"],
            "amount": [100.0, 100.0, 130.0, 120.0, 50.0, 45.0, 70.0],
            "expected_close_on": None,
        }
    )
    deals = pd.DataFrame(
        {
            "opportunity_id": ["A", "B", "C", "D"],
            "created_on": ["2024-01-05", "2024-01-10", "2024-01-15", "2024-04-01"],
            # A lost, opened again, won on 30 April and recorded in May; B won on 28 February and recorded in March;
            # C's closure is in no row of history; D has none at all.
            "closed_on": ["2024-04-30", "2024-02-28", "2024-03-25", "2024-04-20"],
            "outcome": ["won", "won", "lost", "won"],
            "stage": ["Closed won", "Closed won", "Closed lost", "Closed won"],
            "amount": [120.0, 45.0, 70.0, 10.0],
        }
    )
    ledger = make_snapshot("2024-06-30", deals, history).ledger
    days = [pd.Timestamp(f"2024-0{m}-{d}").as_unit("us") for m, d in ((1, 31), (2, 29), (3, 31), (4, 30), (5, 31))]
    outcomes, closed = [], []
    for seen in ledger.walk(days):
        outcomes.append([seen.outcome[k] if seen.known[k] else None for k in range(4)])
        closed.append([int(c) - 2024 * 12 + 1 if c else 0 for c in seen.closed_in])
    assert outcomes == [
        [0, 0, 0, None],
        [2, 0, 0, None],
        [0, 1, 2, None],
        [0, 1, 2, 1],
        [1, 1, 2, 1],
    ]
    # A's first closure is dated by its record, the second by its day; B's belongs to February once it is known.
    assert closed == [[0, 0, 0, 0], [2, 0, 0, 0], [0, 2, 3, 0], [0, 2, 3, 4], [4, 2, 3, 4]]


def test_without_history_the_past_shows_creation_and_closure_alone():
    deals = pd.DataFrame(
        {
            "opportunity_id": ["A", "B"],
            "created_on": ["2024-01-05", "2024-02-10"],
            "closed_on": ["2024-03-15", None],
            "outcome": ["won", "open"],
            "amount": [100.0, 40.0],
        }
    )
    ledger = make_snapshot("2024-04-30", deals).ledger
    ends = [pd.Timestamp(day).as_unit("us") for day in ("2024-01-31", "2024-03-31", "2024-04-30")]
    january, march, april = ledger.walk(ends)
    assert january.known.tolist() == [True, False]
    assert np.isnan(january.amount).all()
    assert march.amount[0] == 100.0
    assert np.isnan(march.amount[1])
    assert april.amount.tolist() == [100.0, 40.0]


def test_days_must_ascend():
    snap = make_snapshot(
        "2024-04-30", pd.DataFrame({"opportunity_id": ["A"], "created_on": ["2024-01-05"], "outcome": ["open"]})
    )
    with pytest.raises(ValueError, match="ascend"):
        list(snap.ledger.walk([snap.as_of, pd.Timestamp("2024-03-31").as_unit("us")]))
    with pytest.raises(ValueError, match="end by 2024-04-30"):
        list(snap.ledger.walk([pd.Timestamp("2024-05-31").as_unit("us")]))
    assert snap.state.known.tolist() == [True]


def test_the_last_day_holds_the_logs_own_columns(log):
    snap = forecast.snapshot(log, as_of=log.extracted_on)
    history, past = snap.history, log.get("opportunity_history")
    assert np.shares_memory(history["expected_close_on"].to_numpy(), past["expected_close_on"].to_numpy())
    for name in ("opportunity_id", "stage", "owner"):
        shown, stored = (row_codes(dictionary_of(frame[name])) for frame in (history, past))
        assert np.shares_memory(shown, stored), name
    ledger = snap.ledger
    assert np.shares_memory(ledger.deal, row_codes(dictionary_of(past["opportunity_id"])))
    assert np.shares_memory(ledger.value, history["amount"].to_numpy())


def test_a_stage_means_open_as_long_as_deals_that_stay_in_it_close_later():
    # Four deals stand in stage 1 on day 5 and stay there; all are won in the end, one of them on day 9 only. Stage 0
    # is passed through. From day 9 on, or before the late one is there, stage 1 means won.
    rows = {
        "deal": np.array([0, 0, 1, 2, 3]),
        "recorded_on": np.array([1, 2, 3, 4, 5]),
        "stage": np.array([0, 1, 1, 1, 1]),
        "outcome": np.array([0, 1, 1, 1, 1], dtype=np.int8),
        "closed_on": np.array([2, 3, 4, 9]),
    }
    assert outcomes_as_read_on(5, **rows).tolist() == [0, 0, 0, 0, 0]
    for day in (0, 4, 9):
        assert outcomes_as_read_on(day, **rows).tolist() == [0, 1, 1, 1, 1]


def test_a_day_outside_the_log_is_refused(log):
    ledger = ledger_of(log)
    with pytest.raises(ParameterError, match="later than the log's last day"):
        ledger.as_of(log.extracted_on + pd.Timedelta(days=1))
    with pytest.raises(ParameterError, match="earlier than the log's first record"):
        ledger.as_of(ledger.first_day - pd.Timedelta(days=1))
    assert ledger.as_of(ledger.first_day).known.any()


def test_a_table_of_periods_says_what_the_calendar_says(log):
    calendar = log.company.periods
    days = np.array([NO_DAY, 20_000, 19_000, 20_030], dtype=np.int32)
    dated = calendar.period_of(pd.to_datetime(days[1:].astype(np.int64), unit="D"))
    expected = np.append(0, dated)
    assert expected[0] == 0
    assert (PeriodTable.over(calendar, days[2:], None, days).of(days) == expected).all()
    assert PeriodTable.over(calendar, days[:1], None).of(days[:1]).tolist() == [0]


def test_days_are_counted_whatever_their_span():
    days = np.array([7, 5, 7, 20, NO_DAY], dtype=np.int32)
    for some, counted in (
        (days[:4], ([5, 7, 20], [1, 2, 1])),
        (days, ([NO_DAY, 5, 7, 20], [1, 1, 2, 1])),
        (days[:0], ([], [])),
    ):
        found, counts = counted_days(some)
        assert (found.tolist(), counts.tolist()) == counted
        assert found.dtype == np.int32


def test_the_rows_of_a_span_are_those_recorded_in_it(log):
    ledger = ledger_of(log)
    ends = np.unique(ledger.day)[[0, 5, 100, -1]]
    for after, until in (
        (int(ends[0]) - 3, int(ends[0])),
        (int(ends[1]), int(ends[2])),
        (int(ends[2]), int(ends[3]) + 9),
    ):
        expected = np.flatnonzero((ledger.day > after) & (ledger.day <= until))
        np.testing.assert_array_equal(ledger._rows_recorded(after=after, until=until), expected)
