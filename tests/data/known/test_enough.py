"""Too little to forecast from: by hand, and the forecast and the audit go by the one rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forecast
from forecast.data.audit.audit import TOO_THIN, audit
from forecast.data.checks.validation import validate
from forecast.data.known.enough import NOTHING_TO_LEARN, closed_deals, complete_months, too_thin, why_no_forecast
from forecast.data.schema import Company, Log


def company(closed: int, *, first: str) -> Log:
    """Return a log that ends with 2024-06: deals created ten days apart from `first`, closed in June or open."""
    day = pd.Timestamp(first) + pd.to_timedelta(np.arange(closed + 5) % 9, unit="D")
    done = np.arange(closed + 5) < closed
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"O{number:03d}" for number in range(closed + 5)],
            "created_on": day,
            "segment": "North",
            "stage": np.where(done, "Won", "Open"),
            "amount": 100.0,
            "expected_close_on": pd.Timestamp("2024-07-31"),
            "closed_on": pd.Series(pd.Timestamp("2024-06-20"), index=range(closed + 5)).where(done),
            "outcome": np.where(done, "won", "open"),
        }
    )
    return validate({"opportunities": frame}, Company(extracted_on=pd.Timestamp("2024-06-30")))


@pytest.mark.parametrize(
    ("closed", "first", "why"),
    [
        (0, "2023-06-01", "only 0 closed deals are known, at least 10 are needed"),
        (1, "2023-06-01", "only 1 closed deal is known, at least 10 are needed"),
        (9, "2023-06-01", "only 9 closed deals are known, at least 10 are needed"),
        (10, "2024-06-01", "only 1 complete month is recorded, at least 3 are needed"),
        (10, "2024-05-01", "only 2 complete months are recorded, at least 3 are needed"),
        (10, "2024-04-01", None),
    ],
)
def test_the_forecast_and_the_audit_go_by_one_rule(closed: int, first: str, why: str | None):
    log = company(closed, first=first)
    snap = forecast.snapshot(log, as_of="2024-06-30")
    assert too_thin(snap.state) == why
    assert closed_deals(snap.state) == closed
    found = audit(log)
    assert found.loc[found["finding"] == TOO_THIN, "evidence"].tolist() == ([why] if why else [])
    if why:
        assert found["finding"].iloc[0] == TOO_THIN
        assert any(why in note for note in forecast.forecast_bookings(snap).attrs["notes"])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 70), st.booleans()), min_size=8, max_size=20),
    st.sampled_from(["2024-06-30", "2024-06-12"]),
)
def test_the_audit_foretells_whether_the_forecast_abstains(deals: list[tuple[int, int, bool]], day: str):
    # Created so many days after the first of January, closed so many later where that was by the end of June.
    created = pd.Timestamp("2024-01-01") + pd.to_timedelta([born for born, _, _ in deals], unit="D")
    closed = pd.Series(created + pd.to_timedelta([lasts for _, lasts, _ in deals], unit="D"))
    done = closed <= "2024-06-30"
    outcome = np.where(done, np.where([won for *_, won in deals], "won", "lost"), "open")
    frame = pd.DataFrame({"created_on": created, "closed_on": closed.where(done), "outcome": outcome})
    frame = frame.assign(opportunity_id=[f"O{n:02d}" for n in range(len(deals))], segment="North", amount=100.0)
    frame = frame.assign(stage=outcome, expected_close_on=pd.Timestamp("2024-07-31"))
    log = validate({"opportunities": frame}, Company(extracted_on=pd.Timestamp("2024-06-30")))
    if created.min() > pd.Timestamp(day):
        return
    snap = forecast.snapshot(log, as_of=day)
    why = why_no_forecast(snap.state)
    abstains = forecast.forecast_bookings(snap)["mean"].isna().all()
    assert (why is not None) == abstains, why
    found = audit(log, as_of=day)
    assert (found["finding"] == TOO_THIN).any() == abstains


def test_deals_that_were_never_seen_open_teach_nothing():
    # Twenty deals over five months, each closed two days after it was made.
    created = pd.Timestamp("2024-01-05") + pd.to_timedelta(np.arange(20) % 5 * 30, unit="D")
    frame = company(20, first="2024-01-05").opportunities.iloc[:20]
    frame = frame.assign(created_on=created, closed_on=created + pd.Timedelta(days=2))
    log = validate({"opportunities": frame}, Company(extracted_on=pd.Timestamp("2024-06-30")))
    snap = forecast.snapshot(log, as_of="2024-06-30")
    assert too_thin(snap.state) is None
    assert why_no_forecast(snap.state) == NOTHING_TO_LEARN
    assert f"No forecast: {NOTHING_TO_LEARN}." in forecast.forecast_bookings(snap).attrs["notes"]


def test_complete_months_by_hand():
    log = company(10, first="2024-04-01")
    assert complete_months(forecast.snapshot(log, as_of="2024-06-30").state) == 3
    assert complete_months(forecast.snapshot(log, as_of="2024-06-29").state) == 2
    assert complete_months(forecast.snapshot(log, as_of="2024-04-15").state) == 0
