"""The month's table of overrides: only where somebody wrote what was changed or why, and only what had settled."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.schema import Log
from forecast.reporting.month.overridden import override_values
from logs import log_of

MONTHS = [f"2025-{month:02d}" for month in range(1, 13)]
DAY = pd.Timestamp("2025-12-31")


def company(*, base: float | None = 100, reason: str | None = "a large deal", category: str = "") -> Log:
    deals = pd.DataFrame(
        [
            {"opportunity_id": f"O{month}", "segment": "East", "stage": "Won", "outcome": "won", "amount": "130"}
            | dict.fromkeys(("created_on", "closed_on", "expected_close_on"), f"{month}-10")
            for month in MONTHS
        ]
    )
    rows = [
        {"submitted_on": f"{month}-03", "target_period": month, "segment": "East", "submitter": "sales"}
        | {"amount": str(110 + 10 * (k % 3)), "base": None if base is None else str(base), "reason": reason}
        | ({"category": category} if category else {})
        for k, month in enumerate(MONTHS)
    ]
    return log_of({"opportunities": deals, "submitted_forecasts": pd.DataFrame(rows)}, extracted_on=DAY)


def track(first: str = "2025-01") -> pd.DataFrame:
    """Return the model's forecasts of the month end before, 60 each, and what had settled by the end of the year."""
    months = [month for month in MONTHS if month >= first]
    made = pd.PeriodIndex(months, freq="M").start_time - pd.Timedelta(days=1)
    out = pd.DataFrame({"model": "pipeline", "origin": made, "target_period": months, "horizon": 1, "segment": "East"})
    return out.assign(mean=60.0, observed=[130.0 if month < "2025-12" else float("nan") for month in months])


def test_by_person_and_by_reason_of_the_months_of_the_record():
    found = override_values(company(), DAY, track()).set_index("group")
    assert found.index.tolist() == ["sales", "with a reason"]
    assert found["n"].tolist() == [11, 11]  # December has not settled
    assert found.loc["sales", "wape_before"] == pytest.approx(30 / 130)
    later = override_values(company(), DAY, track("2025-04"))
    assert later["months"].tolist() == [8, 8]


def test_a_reason_without_a_base_is_held_against_the_model():
    found = override_values(company(base=None), DAY, track()).set_index("group")
    assert found.loc["sales", "wape_before"] == pytest.approx(70 / 130)


def test_where_nobody_wrote_either_or_nothing_counts_there_is_none():
    assert override_values(company(base=None, reason=None), DAY, track()).empty
    assert override_values(company(category="best case"), DAY, track()).empty
    assert override_values(company(), DAY, track().assign(observed=float("nan"))).empty
    alone = Log(tables={"opportunities": company().opportunities}, company=company().company, extracted_on=DAY)
    assert override_values(alone, DAY, track()).empty
