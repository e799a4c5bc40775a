"""Checks of currencies: no sum over several of them without rates, and rates that hold when amounts need them.

A sum of dollars and pesos is a wrong number that nothing shows, so every one of these is fatal; `one_currency` in
company.toml says that the column is wrong and the amounts are not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.checks.table import problem_at
from forecast.data.rates import EVER, TABLE, are_dated
from forecast.data.schema import Company
from forecast.errors import Problem, did_you_mean, nearest
from forecast.wording import number, plural

Tables = Mapping[str, pd.DataFrame]

OPPS, HISTORY = "opportunities", "opportunity_history"
_LISTED = 5


def check_currencies(tables: Tables, company: Company) -> list[Problem]:
    """Return every problem of currencies; `tables` are typed, whole, and hold `opportunities`."""
    rates = tables.get(TABLE)
    if company.one_currency:
        return [] if rates is None else [_both_said(rates)]
    found = [] if rates is None else _plan_rates(rates, company)
    for table in (OPPS, HISTORY):
        if table in tables and "currency" in tables[table]:
            frame = tables[table]
            found += _without_rates(table, frame, company) if rates is None else _unknown(table, frame, rates, company)
    if rates is not None and "currency" in tables[OPPS]:
        found += _before_the_first_rate(tables, rates, company)
        found += _within_a_year(rates, company)
    return found


def check_elsewhere(name: str, raw: pd.DataFrame, company: Company) -> list[Problem]:
    """Return that a raw table which is read in the reporting currency has amounts in another.

    name : any table but opportunities, opportunity_history and currencies.
    """
    if name in (OPPS, HISTORY, TABLE) or "currency" not in raw or company.one_currency or not raw.columns.is_unique:
        return []
    currency = raw["currency"].astype("str").str.strip()
    currency = currency.where(raw["currency"].notna() & (currency != ""))
    used = sorted(set(currency.dropna()))
    if len(used) <= 1 and (not company.currency or used in ([], [company.currency])):
        return []
    ours = f"the reporting currency, {company.currency}" if company.currency else "the reporting currency"
    return problem_at(
        raw,
        np.asarray(currency.notna() & (currency != company.currency)),
        table=name,
        column="currency",
        what=f"amounts in {_listed(used)}, but {name} is read in {ours}",
        mend="convert the amounts and take the column out",
        show="currency",
    )


def _both_said(rates: pd.DataFrame) -> Problem:
    return Problem(
        table=TABLE,
        what="one_currency in company.toml says that no amount is converted, and here are rates",
        count=len(rates),
        mend="take the table out, or one_currency",
    )


def _plan_rates(rates: pd.DataFrame, company: Company) -> list[Problem]:
    rate = rates["plan_rate"]
    own = np.asarray((rates["currency"] == company.currency) & (rate != 1) & rate.notna())
    return [
        *problem_at(
            rates,
            np.asarray(rate == 0),
            table=TABLE,
            column="plan_rate",
            what="is zero",
            mend="write the reporting currency per unit of this currency",
        ),
        *problem_at(
            rates,
            own,
            table=TABLE,
            column="plan_rate",
            what=f"{company.currency} is the reporting currency, so its rate is 1",
            mend="write 1, or correct currency in company.toml",
        ),
    ]


def _without_rates(table: str, frame: pd.DataFrame, company: Company) -> list[Problem]:
    """Return that amounts in several currencies, or in one that is not the reporting one, would be added as they are.

    Simple case: one currency throughout, which is the reporting one. Where company.toml names none, the one that is
    used is it; amounts without a currency are then in it, too.
    """
    currency, given = frame["currency"], frame["amount"].notna()
    others = set(currency[given].dropna().unique()) - {company.currency}
    if not others:
        return []
    if len(others) == 1 and not company.currency:
        return _some_without(table, frame, str(*others)) if table == OPPS else []
    known = currency.isin(others) & given
    sums = frame.loc[known.to_numpy(), "amount"].groupby(currency[known].astype("str")).agg(["sum", "size"])
    worth = [f"{number(row['sum'])} {name} in {plural(int(row['size']), 'row')}" for name, row in sums.iterrows()]
    ours = f", beside the reporting currency {company.currency}" if company.currency else ""
    return problem_at(
        frame,
        np.asarray(known),
        table=table,
        column="currency",
        what=f"amounts in {_listed(sorted(others))}{ours}, but no table currencies: they cannot be added",
        mend="add a table currencies with currency and plan_rate (reporting currency per unit of it); or, if all "
        "amounts are in one currency whatever this column says, write one_currency = true in company.toml",
        show="currency",
        evidence=", ".join(worth[:_LISTED]),
    )


def _some_without(table: str, frame: pd.DataFrame, name: str) -> list[Problem]:
    """Return that some amounts are in one currency, the others in a reporting currency that nothing names."""
    return problem_at(
        frame,
        np.asarray(frame["currency"].isna() & frame["amount"].notna()),
        table=table,
        column="currency",
        what=f"amounts in {name}, and others without a currency: whether these are in {name}, too, nothing says",
        mend=f'write currency = "{name}" in company.toml if they are; if not, its own currency, and a table currencies',
        show="opportunity_id",
    )


def _unknown(table: str, frame: pd.DataFrame, rates: pd.DataFrame, company: Company) -> list[Problem]:
    """Return that a currency has no rate."""
    known = set(rates["currency"].dropna())
    unknown = set(frame["currency"].dropna().unique()) - known - {company.currency}
    if not unknown:
        return []
    name = sorted(unknown)[0]
    folded = {each.strip().casefold(): each for each in known | {company.currency}}
    same = folded.get(str(name).strip().casefold())
    hint = f"did you mean {same!r}?" if same else did_you_mean(name, known) or nearest(name, known)
    return problem_at(
        frame,
        np.asarray(frame["currency"].isin(unknown)),
        table=table,
        column="currency",
        what="a currency that is not in currencies",
        mend=f"add it to currencies, or correct it; {name!r}: {hint}",
    )


def _before_the_first_rate(tables: Tables, rates: pd.DataFrame, company: Company) -> list[Problem]:
    """Return the opportunities that were there before the first rate of their currency began."""
    if not are_dated(rates):
        return []
    begins = rates.assign(begins=rates["from"].fillna(EVER)).groupby("currency")["begins"].min()
    frame = tables[OPPS]
    first = pd.to_datetime(frame["currency"].map(begins.to_dict()))
    early = np.asarray((frame["created_on"] < first) & (frame["currency"] != company.currency))
    if not early.any():
        return []
    names = sorted(frame.loc[early, "currency"].unique())
    return problem_at(
        frame,
        early,
        table=OPPS,
        column="created_on",
        what=f"created before {names[0]} has a rate: its first is from {begins[names[0]]:%Y-%m-%d}",
        mend=f"leave from empty in the first row of {_listed(names)} in currencies if that rate held before, too",
        show="created_on",
    )


def _within_a_year(rates: pd.DataFrame, company: Company) -> list[Problem]:
    """Return the rates that begin within a fiscal year, and wait for the next: all but the first of a currency."""
    if not are_dated(rates):
        return []
    begins = rates["from"].fillna(EVER)
    later = begins > begins.groupby(rates["currency"]).transform("min")
    if not later.any():
        return []
    calendar = company.periods
    first_days = {day: calendar.first_day_of_year(day) for day in begins[later].unique()}
    waits = np.asarray(later & (begins > begins.map(first_days)))
    return problem_at(
        rates,
        waits,
        table=TABLE,
        column="from",
        what="begins within a fiscal year: forecasts keep the rates of its first day until the next year",
        mend="leave it so, or write the first day of the fiscal year it is the plan rate of",
        severity="info",
        show="from",
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
