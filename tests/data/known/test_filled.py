"""From which month on the beginning of the record no longer holds bookings down: by hand."""

from __future__ import annotations

import pandas as pd

import forecast
from forecast.calendar import period_labels
from forecast.data.checks.validation import validate
from forecast.data.known.settled import pipeline_filled_from
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import Company


def known(months_to_win: list[int], *, odd: str = "") -> Snapshot:
    """One deal created on the 5th of each month from January 2022 on, won on the 5th so many months later; 0: open."""
    created = list(pd.date_range("2022-01-05", periods=len(months_to_win), freq=pd.DateOffset(months=1)))
    closed = [day + pd.DateOffset(months=n) if n else pd.NaT for day, n in zip(created, months_to_win, strict=True)]
    if odd:  # a deal that is far older than all others, and open
        created, closed = [pd.Timestamp(odd), *created], [pd.NaT, *closed]
    frame = pd.DataFrame({"created_on": created, "closed_on": closed})
    won = frame["closed_on"].notna()
    frame = frame.assign(
        opportunity_id=[f"O{number:03d}" for number in range(len(frame))],
        segment="North",
        stage=won.map({True: "Won", False: "Open"}),
        amount=100.0,
        expected_close_on=pd.Timestamp("2032-12-31"),
        outcome=won.map({True: "won", False: "open"}),
    )
    log = validate({"opportunities": frame}, Company(extracted_on=pd.Timestamp("2031-12-31")))
    return forecast.snapshot(log, as_of="2031-12-31")


def label(snap: Snapshot) -> str:
    return next(iter(period_labels([pipeline_filled_from(snap)])))


def test_a_pipeline_has_filled_after_as_many_months_as_19_of_20_wins_take():
    assert label(known([4] * 40)) == "2022-05"
    assert label(known([2] * 38 + [9, 9])) == "2022-03"  # two of forty are the slowest twentieth
    assert label(known([2] * 37 + [9, 9, 9])) == "2022-10"


def test_one_odd_date_does_not_make_the_record_begin_earlier():
    assert label(known([4] * 110, odd="2001-03-01")) >= "2022-05"


def test_without_a_win_the_record_decides():
    assert label(known([0] * 12)) <= "2022-02"
