"""`forecast.slips`: each move of a close date to a later day, by hand and against the counts of a snapshot."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forecast
from forecast.errors import ParameterError
from logs import STAGES, log_of, random_tables, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome product
    A              2026-01-10 East    Won     120    2026-04-30        2026-04-02 won     P1
    B              2026-02-10 West    Propose 60     2026-06-30        .          open    P2
    """
)
HISTORY = table(
    """
    opportunity_id recorded_at         stage   amount expected_close_on owner
    A              2026-01-10T09:00:00 Qualify 100    2026-03-31        Ada
    A              2026-02-05T10:00:00 Propose 120    .                 Ada
    A              2026-03-01T10:00:00 Propose 120    2026-04-15        Bob
    A              2026-04-02T08:00:00 Won     120    2026-04-30        Bob
    B              2026-02-10T12:00:00 Qualify 50     2026-05-31        Ada
    B              2026-03-20T09:30:00 Propose 60     2026-04-30        Ada
    B              2026-05-04T09:30:00 Propose 60     2026-06-30        Cem
    """
)
LOG = log_of({"opportunities": DEALS, "opportunity_history": HISTORY, "stages": STAGES})


def test_by_hand():
    moves = forecast.slips(forecast.snapshot(LOG, as_of="2026-05-31"))
    rows = [
        f"{row.opportunity_id} {row.moved_on:%m-%d} {row.owner} {row.segment} {row.outcome} {row.amount:g} {row.days}"
        for row in moves.itertuples()
    ]
    # 31 March, nothing, 15 April: 15 days; B came nearer in March, which is no slip
    assert rows == ["A 03-01 Bob East open 120 15", "A 04-02 Bob East won 120 15", "B 05-04 Cem West open 60 61"]
    assert moves["due_before"].dt.strftime("%m-%d").tolist() == ["03-31", "04-15", "04-30"]


def test_nothing_of_later_days():
    moves = forecast.slips(forecast.snapshot(LOG, as_of="2026-03-31"))
    assert moves["opportunity_id"].tolist() == ["A"]
    assert moves["moved_on"].max() <= pd.Timestamp("2026-03-31")


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), carry=st.booleans())
def test_as_many_rows_as_a_snapshot_counts(seed: int, carry: bool):
    snap = forecast.snapshot(log_of(random_tables(seed, seed, as_of="2026-06-30", carry=carry)), as_of="2026-07-31")
    moves = forecast.slips(snap)
    counted = snap.opportunities.set_index("opportunity_id")["slips"].fillna(0)
    found = moves.groupby("opportunity_id").size().reindex(counted.index, fill_value=0)
    assert (found == counted).all()
    assert (moves["days"] > 0).all()


def test_without_a_history_nobody_knows():
    moves = forecast.slips(forecast.snapshot(log_of({"opportunities": DEALS, "stages": STAGES}), as_of="2026-04-30"))
    assert moves.empty
    assert "opportunity_history" in moves.attrs["notes"][0]
    with pytest.raises(ParameterError, match="snapshot"):
        forecast.slips(LOG)  # type: ignore[arg-type]
