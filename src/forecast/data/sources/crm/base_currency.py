"""Amounts in the company's currency, where a CRM keeps them beside the deal's own; and the history converted like them.

Simple case: each deal has both amounts, 200,000 MXN and 10,000 EUR. The second counts, and its rate of 0.05 turns what
the history says of the deal, in MXN, into EUR. Complications: a deal without both (its currency's rate from other
deals), an amount of 0 (no rate can be seen), a deal whose currency was another then (that currency's rate). What no
rate can be found for is not known, never taken as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from forecast.data.codes import places
from forecast.data.sources.crm.values.reading import found
from forecast.errors import DataError

_CENTS = 2
_SAME = 0.005
"""Two amounts are the same if they differ by less than this share."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How the amounts of an export become the company's currency.

    entered, base : today's amount of each deal in its own currency and in the company's (float64), index as the deals.
    rate : the company's currency per unit of the deal's, missing where nothing shows it.
    currency : the deal's currency (text), missing where not said; None where the export has no such column.
    by_currency : currency -> median rate of its deals.
    """

    entered: pd.Series
    base: pd.Series
    rate: pd.Series
    currency: pd.Series | None
    by_currency: pd.Series

    @cached_property
    def company_currency(self) -> str:
        """The currency whose deals have the same amount twice, where there is exactly one; else empty."""
        if self.currency is None:
            return ""
        same = self.entered.notna() & (self.entered != 0) & (self.entered == self.base)
        apart = self.entered.notna() & self.base.notna() & (self.entered != self.base)
        names = set(self.currency[same].dropna().unique()) - set(self.currency[apart].dropna().unique())
        return str(names.pop()) if len(names) == 1 else ""


def conversion(
    pairs: Sequence[tuple[pd.Series, pd.Series]],
    *,
    currency: pd.Series | None = None,
    per_row: pd.Series | None = None,
) -> Conversion:
    """Return how amounts become the company's currency.

    Parameters
    ----------
    pairs : (as entered, in the company's currency), float64 and of one index; the first is the deal's amount, further
        ones only show its rate.
    currency : the deal's currency.
    per_row : a rate the CRM writes on the deal itself, the company's currency per unit of the deal's; used where no
        pair shows one.

    An amount that has no counterpart in the company's currency is converted at the deal's rate, else at its currency's.

    >>> entered, base = pd.Series([200_000.0, 50_000.0]), pd.Series([10_000.0, np.nan])
    >>> conversion([(entered, base)], currency=pd.Series(["MXN", "MXN"])).base.tolist()
    [10000.0, 2500.0]
    """
    entered, base = pairs[0]
    rate = pd.Series(np.nan, index=entered.index, dtype="float64")
    for own, companys in pairs:
        usable = own.notna() & companys.notna() & (own != 0) & (companys != 0)
        rate = rate.where(rate.notna(), (companys / own).where(usable))
    if per_row is not None:
        rate = rate.where(rate.notna(), per_row.where(per_row > 0))
    by_currency = pd.Series(dtype="float64")
    if currency is not None:
        by_currency = rate.groupby(currency).median().dropna()
        rate = rate.where(rate.notna(), currency.map(by_currency).astype("float64"))
    whole = base.where(base.notna(), (entered * rate).round(_CENTS))
    return Conversion(entered=entered, base=whole, rate=rate, currency=currency, by_currency=by_currency)


def unconverted(done: Conversion) -> pd.Index:
    """Return the deals that have an amount as entered, and none in the company's currency."""
    return done.entered.index[done.entered.notna() & done.base.isna()]


def refuse_unconverted(done: Conversion, *, table: str, base: str, own: str) -> None:
    """Raise DataError for amounts that are only in the deal's own currency; base, own : the columns, as they are there.

    A deal that names no currency, or the company's, has its amount in the company's already.
    """
    rows = unconverted(done)
    if len(rows):
        raise DataError(
            f"is empty where {own} is not, and nothing shows the rate of these deals",
            table=table,
            column=base,
            rows=found(done.entered, rows),
            count=len(rows),
            mend=f"export {base} of these deals, or take the column away and give rates for their currencies",
        )


def refuse_other_company_currency(wanted: str, company: str, *, table: str, column: str) -> None:
    """Raise DataError where converted amounts are in another currency than company.toml's; either empty = not known."""
    if wanted and company and wanted != company:
        raise DataError(
            f"converted amounts are in {company}, company.toml says {wanted}",
            table=table,
            column=column,
            mend=f'write currency = "{company}" in company.toml, or export amounts converted to {wanted}',
        )


def history_amounts(
    history: pd.DataFrame, done: Conversion, deals: pd.DataFrame, notes: list[str], *, what: str
) -> pd.Series:
    """Return a history's amounts in the company's currency.

    Parameters
    ----------
    history : opportunity_id, recorded_at, amount (float64, in the deal's currency at that time), [currency].
    done : of the deals. deals : opportunity_id, of the same index.
    notes : gains what was converted, and what could not be.
    what : whose amounts, for the note: `deal_property_history.csv`.

    Simple case: amount times the deal's rate today, and today's amount exactly where the amount is today's. A state in
    another currency than the deal's takes that currency's rate. Where the deal's rate cannot be seen because its amount
    as entered was not exported, the last amount of its history is the one that became today's.
    """
    deal = places(history["opportunity_id"].astype("str"), deals["opportunity_id"].astype("str"))

    def of_deal(values: np.ndarray) -> pd.Series:
        return pd.Series(np.append(values, np.nan)[deal], index=history.index)

    entered, base = done.entered.to_numpy(), done.base.to_numpy()
    last = _last_amounts(history, deal, len(deals))
    seen = np.where(np.isnan(entered) & (last != 0), base / np.where(last == 0, np.nan, last), np.nan)
    rate = of_deal(np.where(done.rate.isna(), seen, done.rate.to_numpy()))
    today, now = of_deal(entered), of_deal(base)
    if done.currency is not None and "currency" in history:
        own = pd.Series(np.append(done.currency.to_numpy(dtype=object), np.nan)[deal], index=history.index, dtype="str")
        other = history["currency"].notna() & own.notna() & (history["currency"] != own)
        companys = np.where(history["currency"] == done.company_currency, 1.0, np.nan)
        there = history["currency"].map(done.by_currency).astype("float64").fillna(pd.Series(companys, history.index))
        rate = rate.where(~other, there)
        today = today.where(~other)
    amount = (history["amount"] * rate).round(_CENTS)
    amount = amount.where(history["amount"] != 0, 0.0).where(history["amount"].notna())
    amount = amount.where(~((history["amount"] == today) & now.notna()), now)
    changed = int((amount.notna() & (amount != history["amount"])).sum())
    if changed:
        notes.append(
            f"{what}: {changed:,} amounts are in the deals' own currencies, converted at the rate of each deal today "
            "(amount in the company's currency / amount as entered)"
        )
    lost = int((history["amount"].notna() & amount.isna()).sum())
    if lost:
        notes.append(f"{what}: {lost:,} amounts are in a currency nothing shows the rate of: not known on these days")
    return amount


def _last_amounts(history: pd.DataFrame, deal: np.ndarray, count: int) -> np.ndarray:
    """Return the last amount of each deal's history, nan where it has none; deal : each row's place among `count`."""
    amount = history["amount"].to_numpy()
    order = np.argsort(pd.DatetimeIndex(history["recorded_at"]).asi8, kind="stable")
    rows = order[~np.isnan(amount[order]) & (deal[order] >= 0)]
    last = np.full(count, np.nan)
    last[deal[rows]] = amount[rows]  # of several the last counts
    return last


def in_company_currency(
    known: pd.DataFrame, frame: pd.DataFrame, done: Conversion, notes: list[str], table: str
) -> pd.DataFrame:
    """Return the history with amounts in the company's currency, unless they are in it already.

    Which they are is seen where a deal's two amounts differ: the last one of its history is today's, in one or the
    other. Parameters as in `history_amounts`; table : whose amounts. A column `currency` is gone from what is returned.
    """
    if "amount" not in known:
        return known.drop(columns="currency", errors="ignore")
    deals = frame[["opportunity_id"]].assign(entered=done.entered, base=done.base)
    apart = deals[(deals["entered"] != 0) & ((deals["base"] / deals["entered"] - 1).abs() > 2 * _SAME)]
    deal = places(known["opportunity_id"].astype("str"), frame["opportunity_id"].astype("str"))
    last = pd.Series(_last_amounts(known, deal, len(frame)), index=frame.index)
    then = last[apart.index]
    as_entered, as_converted = (int(((then / apart[name] - 1).abs() < _SAME).sum()) for name in ("entered", "base"))
    if as_converted > as_entered:
        notes.append(
            f"{table}: amounts are in the company's currency already, as the last ones of {as_converted:,} deals show"
        )
    else:
        known = known.assign(amount=history_amounts(known, done, frame, notes, what=table))
    return known.drop(columns="currency", errors="ignore")
