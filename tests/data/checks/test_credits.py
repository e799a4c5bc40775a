"""Negative amounts: kept and subtracted, or left out without asking the future; and said with how much they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import sources, wording
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import snapshot
from forecast.errors import DataError
from logs import STAGES, log_of, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2026-01-10 East    Won     2000   2026-03-30        2026-03-30 won
    B              2026-02-10 East    Won     -450   2026-03-30        2026-03-30 won
    C              2026-02-11 West    Propose -61    2026-06-30        .          open
    D              2026-02-12 West    Won     -100   2026-03-30        2026-03-30 won
    """
)
HISTORY = table(
    """
    opportunity_id recorded_at         stage   amount expected_close_on
    A              2026-01-10T09:00:00 Propose 2000   2026-03-30
    A              2026-03-30T09:00:00 Won     2000   2026-03-30
    B              2026-02-10T09:00:00 Propose .      2026-03-30
    B              2026-02-20T09:00:00 Propose -450   2026-03-30
    B              2026-03-30T09:00:00 Won     -450   2026-03-30
    C              2026-02-11T09:00:00 Propose -61    2026-06-30
    D              2026-02-12T09:00:00 Propose 800    2026-03-30
    D              2026-03-30T09:00:00 Won     -100   2026-03-30
    """
)
TABLES = {"opportunities": DEALS, "opportunity_history": HISTORY, "stages": STAGES}


def booked(log) -> float:
    return float(settled_actuals(log)["amount"].sum())


def test_they_are_kept_and_subtracted_by_default():
    log = log_of(TABLES, extracted_on=pd.Timestamp("2026-04-30"))
    assert booked(log) == 1450
    [note] = log.notes
    assert (note.severity, note.column, note.count) == ("warning", "amount", 3)
    assert note.what == "negative amounts are kept: bookings subtract them"
    evidence = sources.plain(note.evidence).replace(wording.THIN, " ")
    assert evidence == "2 won opportunities of −550, 1 open opportunity of −61 (75 % of the opportunities)"
    assert 'negative_amounts = "leave-out"' in note.mend
    assert note.rows[0].startswith("B")


def test_left_out_are_those_that_began_below_nought():
    log = log_of(TABLES, negative_amounts="leave-out", extracted_on=pd.Timestamp("2026-04-30"))
    assert log.opportunities["opportunity_id"].tolist() == ["A", "D"]
    assert set(log.tables["opportunity_history"]["opportunity_id"]) == {"A", "D"}
    assert booked(log) == 2000
    [note] = log.notes
    assert note.what == (
        "opportunities of a negative amount are left out, with 4 rows of history; "
        "1 opportunity that fell below 0 later counts as 0"
    )
    # On a past day D is what it then was, whatever came of it.
    early = snapshot(log, as_of="2026-02-28").opportunities.set_index("opportunity_id")["amount"]
    assert early.to_dict() == {"A": 2000, "D": 800}


def test_without_history_todays_amount_decides():
    log = log_of({"opportunities": DEALS}, negative_amounts="leave-out")
    assert log.opportunities["opportunity_id"].tolist() == ["A"]


def test_nothing_is_left():
    with pytest.raises(DataError, match="all opportunities of a negative amount are left out"):
        log_of({"opportunities": DEALS.iloc[1:]}, negative_amounts="leave-out")


def test_nothing_negative_is_not_mentioned():
    plus = {
        name: frame.assign(amount=frame["amount"].str.lstrip("-")) if "amount" in frame else frame
        for name, frame in TABLES.items()
    }
    log = log_of(plus, extracted_on=pd.Timestamp("2026-04-30"))
    assert log.notes == ()
    assert np.isclose(booked(log), 2550)
