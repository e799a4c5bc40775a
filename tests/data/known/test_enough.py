"""Too little to forecast from: by hand, and the forecast and the audit go by the one rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.audit.audit import TOO_THIN, audit
from forecast.data.checks.validation import validate
from forecast.data.known.enough import closed_deals, complete_months, too_thin
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


def test_complete_months_by_hand():
    log = company(10, first="2024-04-01")
    assert complete_months(forecast.snapshot(log, as_of="2024-06-30").state) == 3
    assert complete_months(forecast.snapshot(log, as_of="2024-06-29").state) == 2
    assert complete_months(forecast.snapshot(log, as_of="2024-04-15").state) == 0
