"""Amounts in several currencies: refused without rates, with what they are worth; and rates that come too late."""

from __future__ import annotations

import pytest

from forecast.data.checks.validation import problems
from forecast.data.schema import Company
from forecast.data.sources.company import company_from
from forecast.errors import DataError
from forecast.wording import number
from logs import log_of, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome currency
    A              2026-01-10 East    Won     2000   2026-04-30        2026-03-30 won     USD
    B              2026-02-10 West    Propose 100000 2026-04-30        .          open    MXN
    C              2026-02-11 West    Lost    61     2026-04-30        2026-04-29 lost    MXN
    """
)
RATES = table("currency plan_rate\nUSD 0.9\nMXN 0.05")


def refused(deals, company=None, **tables) -> str:
    with pytest.raises(DataError) as error:
        log_of({"opportunities": deals} | tables, **(company or {}))
    return str(error.value)


def test_two_currencies_without_rates_are_refused_with_what_each_is_worth():
    message = refused(DEALS)
    assert "amounts in MXN, USD, but no table currencies: they cannot be added" in message
    [problem] = [one for one in problems({"opportunities": DEALS}, Company()) if one.column == "currency"]
    assert problem.severity == "fatal"
    assert problem.evidence == "100 k MXN in 2 rows, 2,000 USD in 1 row".replace("100 k", number(100061))
    assert "one_currency = true" in problem.mend
    assert "plan_rate" in problem.mend


def test_one_currency_that_is_not_the_reporting_one_is_refused():
    assert "beside the reporting currency EUR" in refused(DEALS.assign(currency="USD"), {"currency": "EUR"})
    assert log_of({"opportunities": DEALS.assign(currency="USD")}, currency="USD").notes == ()
    assert log_of({"opportunities": DEALS.assign(currency="USD")}).notes == ()


def test_amounts_without_a_currency_beside_a_named_one():
    some = DEALS.assign(currency=["USD", None, None])
    assert 'write currency = "USD" in company.toml' in refused(some)
    assert log_of({"opportunities": some}, currency="USD").notes == ()
    # Of a deal without an amount it does not matter.
    assert log_of({"opportunities": DEALS.assign(currency=["USD", None, "USD"], amount=["1", None, "2"])}).notes == ()


def test_the_company_says_that_it_knows():
    log = log_of({"opportunities": DEALS}, one_currency=True)
    assert log.notes == ()
    assert log.opportunities["amount"].sum() == 102061
    assert "says that no amount is converted, and here are rates" in refused(
        DEALS, {"one_currency": True}, currencies=RATES
    )
    assert company_from({"one_currency": True}).one_currency
    for value in ("true", 1, "yes"):
        with pytest.raises(DataError, match=r"one_currency: .* is not true or false"):
            company_from({"one_currency": value})


def test_a_currency_that_differs_by_case_alone():
    assert "'usd': did you mean 'USD'?" in refused(DEALS.replace({"currency": {"USD": "usd"}}), currencies=RATES)


@pytest.mark.parametrize("name", ["plan", "costs", "delivery", "submitted_forecasts"])
def test_other_tables_are_in_the_reporting_currency(name):
    rows = {
        "plan": "period segment amount currency\n2026-04 West 5 USD\n2026-05 West 5 EUR",
        "costs": "period segment function amount currency\n2026-04 West sales 5 USD\n2026-05 West sales 5 EUR",
        "delivery": "period segment capacity currency\n2026-04 West 5 USD\n2026-05 West 5 EUR",
        "submitted_forecasts": "submitted_on target_period segment submitter amount currency\n"
        "2026-04-01 2026-04 West sales 5 USD\n2026-04-01 2026-05 West sales 5 EUR",
    }
    frame, deals = table(rows[name]), DEALS.assign(currency="EUR")
    message = refused(deals, {"currency": "EUR"}, **{name: frame})
    assert f"{name}.currency: amounts in EUR, USD, but {name} is read in the reporting currency, EUR" in message
    log_of({"opportunities": deals, name: frame.assign(currency="EUR")}, currency="EUR")


def test_rates_that_begin_too_late_are_refused():
    dated = table("currency plan_rate from\nUSD 0.9 2026-01-20\nMXN 0.05 .\nMXN 0.04 2026-02-01")
    message = refused(DEALS, currencies=dated)
    assert "opportunities.created_on: created before USD has a rate: its first is from 2026-01-20\n  rows: A" in message
    assert "leave from empty in the first row of USD" in message
    mexican = DEALS.assign(currency="MXN")
    [note] = log_of({"opportunities": mexican, "currencies": dated.iloc[1:]}).notes
    assert (note.severity, note.column, note.rows) == ("info", "from", ("MXN / 2026-02-01 ('2026-02-01')",))
    assert note.what.startswith("begins within a fiscal year: forecasts keep the rates of its first day")
    new_year = dated.iloc[1:].assign(**{"from": [None, "2026-01-01"]})
    assert log_of({"opportunities": mexican, "currencies": new_year}).notes == ()
    alone = table("currency plan_rate from\nMXN 0.05 2025-01-01")
    assert log_of({"opportunities": mexican, "currencies": alone}).notes == ()
    twice = table("currency plan_rate from\nUSD 0.9 .\nUSD 0.8 .\nMXN 1 .")
    assert "currencies.currency, from: the key is there more than once" in refused(DEALS, currencies=twice)
