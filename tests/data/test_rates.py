"""Plan rates by fiscal year: by hand, from dates that are no year's, and never from the future."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.calendar import Calendar
from forecast.data.rates import at_rates_of, rates_on
from logs import log_of, table

RATES = pd.DataFrame(
    {
        "currency": ["USD", "USD", "USD", "GBP"],
        "plan_rate": [0.9, 0.8, 0.7, 1.2],
        "from": pd.to_datetime([None, "2026-04-01", "2026-06-01", "2026-08-15"]),
    }
)


@pytest.mark.parametrize(
    ("day", "start", "usd", "gbp"),
    [
        ("2026-03-31", 4, 0.9, None),
        ("2026-04-01", 4, 0.8, None),
        ("2027-03-31", 4, 0.8, 1.2),  # the rate of 1 June waits for the next year
        ("2027-04-01", 4, 0.7, 1.2),
        ("2026-12-31", 1, 0.9, 1.2),  # a currency that is new within the year has its first rate
        ("2026-08-14", 1, 0.9, None),
        ("2027-01-01", 1, 0.7, 1.2),
    ],
)
def test_the_rate_of_the_fiscal_year(day, start, usd, gbp):
    found = rates_on(RATES, pd.Timestamp(day), Calendar(fiscal_year_start=start))
    assert dict(zip(found["currency"], found["plan_rate"], strict=True)) == (
        {"USD": usd} if gbp is None else {"GBP": gbp, "USD": usd}
    )


def test_rates_without_dates_hold_on_every_day():
    plain = RATES.iloc[[0, 3]].drop(columns="from")
    assert rates_on(plain, pd.Timestamp("1990-01-01"), Calendar()).values.tolist() == [["GBP", 1.2], ["USD", 0.9]]


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(["USD", "GBP"]), st.integers(0, 1500)), min_size=1, max_size=8, unique=True),
    st.integers(0, 1500),
    st.integers(1, 12),
)
def test_a_rate_reaches_no_day_before_it_began(rows, day, start):
    first = pd.Timestamp("2023-01-01")
    rates = pd.DataFrame(
        {
            "currency": [name for name, _ in rows],
            "plan_rate": [1.0 + k for k in range(len(rows))],
            "from": [first + pd.Timedelta(days=after) for _, after in rows],
        }
    )
    today, calendar = first + pd.Timedelta(days=day), Calendar(fiscal_year_start=start)
    begun = rates[rates["from"] <= today]
    found = rates_on(rates, today, calendar)
    pd.testing.assert_frame_equal(found, rates_on(begun, today, calendar))
    assert set(found["currency"]) == set(begun["currency"])  # and each currency that has one by then has a rate


def test_a_log_at_the_rates_of_a_year():
    deals = table(
        """
        opportunity_id created_on segment stage   amount expected_close_on closed_on outcome currency
        A              2026-02-10 West    Propose 100    2027-04-30        .         open    USD
        """
    )
    dated = table("currency plan_rate from\nUSD 0.9 .\nUSD 0.8 2027-01-01")
    log = log_of({"opportunities": deals, "currencies": dated}, currency="EUR", extracted_on=pd.Timestamp("2027-02-28"))
    assert at_rates_of(log, pd.Timestamp("2026-12-31")).tables["currencies"]["plan_rate"].tolist() == [0.9]
    assert at_rates_of(log, pd.Timestamp("2027-01-01")).tables["currencies"]["plan_rate"].tolist() == [0.8]
    assert "from" in log.tables["currencies"]
    plain = log_of({"opportunities": deals, "currencies": dated.iloc[:1, :2]}, currency="EUR")
    assert at_rates_of(plain, pd.Timestamp("2026-12-31")) is plain
