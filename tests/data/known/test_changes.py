"""The waterfall between two snapshots: one worked out by hand, and its bars always sum."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.data.known.changes import BARS, changes, changes_since, moves, moves_since
from forecast.data.known.snapshot import snapshot
from forecast.errors import DataError, ParameterError
from logs import STAGES, log_of, random_tables, table

# Between the end of July and the end of August 2026, in the quarter July to September:
# A grows from 100 to 130; B (50) is won; C (40) slips to October; D comes in from November and shrinks from 30 to 20;
# E (70) is lost; F (10) is created; G (25) passes from East to West and to another owner; H (5) was lost and returns;
# K (15) was won in July and stays.
OPPORTUNITIES = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2026-06-01 East    Qualify 130    2026-09-30        .          open
    B              2026-06-01 East    Won     50     2026-09-30        2026-08-15 won
    C              2026-06-01 East    Qualify 40     2026-10-31        .          open
    D              2026-06-01 East    Qualify 20     2026-09-30        .          open
    E              2026-06-01 East    Lost    70     2026-09-30        2026-08-20 lost
    F              2026-08-10 East    Qualify 10     2026-09-30        .          open
    G              2026-06-01 West    Qualify 25     2026-09-30        .          open
    H              2026-06-01 East    Qualify 5      2026-09-30        .          open
    K              2026-06-01 East    Won     15     2026-07-31        2026-07-20 won
    """
)
HISTORY = table(
    """
    opportunity_id recorded_at segment stage   amount expected_close_on owner
    A              2026-06-01  East    Qualify 100    2026-09-30        R1
    A              2026-08-05  East    Qualify 130    2026-09-30        R1
    B              2026-06-01  East    Qualify 50     2026-09-30        R1
    B              2026-08-15  East    Won     50     2026-09-30        R1
    C              2026-06-01  East    Qualify 40     2026-09-30        R1
    C              2026-08-15  East    Qualify 40     2026-10-31        R1
    D              2026-06-01  East    Qualify 30     2026-11-30        R1
    D              2026-08-15  East    Qualify 20     2026-09-30        R1
    E              2026-06-01  East    Qualify 70     2026-09-30        R1
    E              2026-08-20  East    Lost    70     2026-09-30        R1
    F              2026-08-10  East    Qualify 10     2026-09-30        R1
    G              2026-06-01  East    Qualify 25     2026-09-30        R1
    G              2026-08-10  West    Qualify 25     2026-09-30        R2
    H              2026-06-01  East    Qualify 5      2026-09-30        R1
    H              2026-07-10  East    Lost    5      2026-09-30        R1
    H              2026-08-10  East    Qualify 5      2026-09-30        R1
    K              2026-06-01  East    Qualify 15     2026-07-31        R1
    K              2026-07-20  East    Won     15     2026-07-31        R1
    """
)
TABLES = {"opportunities": OPPORTUNITIES, "opportunity_history": HISTORY, "stages": STAGES}


def two():
    log = log_of(TABLES)
    return snapshot(log, as_of="2026-07-31"), snapshot(log, as_of="2026-08-31")


def bars(frame: pd.DataFrame) -> dict[str, tuple[float, int]]:
    assert frame["bar"].tolist() == list(BARS)
    return {row.bar: (row.amount, row.deals) for row in frame.itertuples() if row.deals}


def test_the_whole_company_by_hand():
    frame = changes(*two())
    assert bars(frame) == {
        "start": (300, 6),  # A 100, B 50, C 40, E 70, G 25, K 15
        "created": (10, 1),
        "reopened": (5, 1),
        "pulled in": (30, 1),
        "pushed out": (-40, 1),
        "amount up": (30, 1),
        "amount down": (-10, 1),
        "owner changed": (0, 1),
        "segment changed": (0, 1),
        "won": (0, 1),
        "lost": (-70, 1),
        "end": (255, 7),  # A 130, B 50, D 20, F 10, G 25, H 5, K 15
    }
    booked = frame.set_index("bar")["booked"]
    assert booked[["start", "won", "end"]].tolist() == [15, 50, 65]


def test_one_segment_by_hand():
    west = bars(changes(*two(), segment="West"))
    assert west == {"owner changed": (0, 1), "segment changed": (25, 1), "end": (25, 1)}
    east = bars(changes(*two(), segment="East"))
    assert east["segment changed"] == (-25, 1)
    assert east["start"] == (300, 6)
    assert east["end"] == (230, 6)


def test_the_next_quarter_sees_the_other_side():
    before, after = two()
    following = bars(changes(before, after, quarter=after.calendar.quarter_of(after.period) + 1))
    # D (30) is brought forward out of it, C (40) slips into it
    assert following == {"start": (30, 1), "slipped in": (40, 1), "brought forward": (-30, 1), "end": (40, 1)}


# Between the end of September and the end of October 2026, in the quarter October to December: A and B were due in
# September and moved to November, B is won in October; C comes forward from January; D had no date and gets one; E
# goes to January, F to September (it is past due), G loses its date; H was won on 28 September, recorded 3 October.
MOVED = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2026-06-01 East    Qualify 1      2026-11-30        .          open
    B              2026-06-01 East    Won     2      2026-11-30        2026-10-20 won
    C              2026-06-01 East    Qualify 4      2026-12-31        .          open
    D              2026-06-01 East    Qualify 8      2026-12-31        .          open
    E              2026-06-01 East    Qualify 16     2027-01-31        .          open
    F              2026-06-01 East    Qualify 32     2026-09-30        .          open
    G              2026-06-01 East    Qualify 64     .                 .          open
    H              2026-06-01 East    Won     128    2026-10-31        2026-09-28 won
    """
)
MOVES = table(
    """
    opportunity_id recorded_at segment stage   amount expected_close_on
    A              2026-06-01  East    Qualify 1      2026-09-30
    A              2026-10-05  East    Qualify 1      2026-11-30
    B              2026-06-01  East    Qualify 2      2026-08-31
    B              2026-10-05  East    Qualify 2      2026-11-30
    B              2026-10-20  East    Won     2      2026-11-30
    C              2026-06-01  East    Qualify 4      2027-01-31
    C              2026-10-05  East    Qualify 4      2026-12-31
    D              2026-06-01  East    Qualify 8      .
    D              2026-10-05  East    Qualify 8      2026-12-31
    E              2026-06-01  East    Qualify 16     2026-11-30
    E              2026-10-05  East    Qualify 16     2027-01-31
    F              2026-06-01  East    Qualify 32     2026-10-31
    F              2026-10-05  East    Qualify 32     2026-09-30
    G              2026-06-01  East    Qualify 64     2026-10-31
    G              2026-10-05  East    Qualify 64     .
    H              2026-06-01  East    Qualify 128    2026-10-31
    H              2026-10-03  East    Won     128    2026-10-31
    """
)


def test_a_deal_that_moved_is_told_by_where_it_came_from_or_went_to():
    log = log_of({"opportunities": MOVED, "opportunity_history": MOVES, "stages": STAGES})
    frame = changes(snapshot(log, as_of="2026-09-30"), snapshot(log, as_of="2026-10-31"))
    assert bars(frame) == {
        "start": (240, 4),  # E, F, G, H
        "slipped in": (3, 2),  # A, B
        "pulled in": (4, 1),
        "dated": (8, 1),
        "pushed out": (-16, 1),
        "brought forward": (-32, 1),
        "won before": (-128, 1),  # recorded late: not pushed out
        "undated": (-64, 1),
        "won": (0, 1),
        "end": (15, 4),
    }


def test_the_deals_behind_each_bar_by_hand():
    table = moves(*two())
    listed = {bar: rows["opportunity_id"].tolist() for bar, rows in table.groupby("bar", sort=False)}
    assert listed == {
        "created": ["F"],
        "reopened": ["H"],
        "pulled in": ["D"],
        "pushed out": ["C"],
        "amount up": ["A"],
        "amount down": ["D"],
        "owner changed": ["G"],
        "segment changed": ["G"],
        "won": ["B"],
        "lost": ["E"],
    }
    won = table.set_index("bar").loc["won"]
    assert (won["amount"], won["open_pipeline"], won["booked"], won["value"]) == (0, -50, 50, 50)
    assert table.set_index("bar").loc["owner changed", ["segment", "value"]].tolist() == ["West", 25]


def test_since_the_month_before():
    log = log_of(TABLES, extracted_on=pd.Timestamp("2026-08-31"))
    snap = snapshot(log, as_of="2026-08-31")
    deals = moves_since(log, snap, since="2026-07-31")
    bars_of = changes_since(log, snap, since="2026-07-31").set_index("bar")
    assert deals.groupby("bar")["amount"].sum().to_dict() == pytest.approx(
        bars_of.loc[bars_of["deals"] > 0, "amount"].drop(["start", "end"]).to_dict()
    )
    bare = log_of({"opportunities": OPPORTUNITIES}, extracted_on=pd.Timestamp("2026-08-31"))
    nothing = moves_since(bare, snapshot(bare, as_of="2026-08-31"))
    assert nothing.empty
    assert list(nothing.columns) == list(deals.columns)
    with pytest.raises(ParameterError, match="not before"):
        moves_since(log, snap, since="2026-08-31")


def test_what_cannot_be_asked_is_refused():
    before, after = two()
    with pytest.raises(ParameterError, match="2026-08-31 is later than 2026-07-31"):
        changes(after, before)
    log = log_of({"opportunities": OPPORTUNITIES})
    with pytest.raises(DataError, match="without history"):
        changes(snapshot(log, as_of="2026-07-31"), snapshot(log, as_of="2026-08-31"))


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), start=st.integers(-60, 30), span=st.integers(0, 60), quarter=st.integers(-1, 1))
def test_the_bars_sum_exactly(seed, start, span, quarter):
    log = log_of(random_tables(seed, seed, as_of="2026-06-17", deals=25), extracted_on=pd.Timestamp("2026-12-31"))
    first = pd.Timestamp("2026-06-17") + pd.Timedelta(days=start)
    before, after = snapshot(log, as_of=first), snapshot(log, as_of=first + pd.Timedelta(days=span))
    chosen = after.calendar.quarter_of(after.period) + quarter
    parts = []
    for segment in (None, "East", "West"):
        frame = changes(before, after, quarter=chosen, segment=segment).set_index("bar")
        steps = frame.drop(index=["start", "end"])
        for column in ("amount", "open_pipeline", "booked"):  # whole numbers here, so that sums are exact
            assert frame.loc["start", column] + steps[column].sum() == frame.loc["end", column]
        assert (frame["amount"] == frame["open_pipeline"] + frame["booked"]).all()
        assert frame.loc[["won", "owner changed"], "amount"].tolist() == [0, 0]
        behind = moves(before, after, quarter=chosen, segment=segment).groupby("bar")
        for column in ("amount", "open_pipeline", "booked"):
            sums = behind[column].sum().reindex(steps.index, fill_value=0.0)
            assert (sums == steps[column]).all()
        assert (behind.size().reindex(steps.index, fill_value=0) == steps["deals"]).all()
        parts.append(frame)
    whole, east, west = parts
    for bar in ("start", "end"):
        assert whole.loc[bar, "amount"] == east.loc[bar, "amount"] + west.loc[bar, "amount"]
        assert whole.loc[bar, "deals"] == east.loc[bar, "deals"] + west.loc[bar, "deals"]
    assert whole.loc["segment changed", "amount"] == 0
    if span == 0:
        assert (whole.drop(index=["start", "end"])["deals"] == 0).all()
