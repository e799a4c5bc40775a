"""Salesforce's exchange rates -> our `currencies`: CurrencyType, and DatedConversionRate where a company has it.

ConversionRate is units of the currency for one of the corporate currency, so that our plan rate is 1 / ConversionRate.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from forecast.data.sources.crm.export import Export, File
from forecast.data.sources.crm.values.dates import days
from forecast.data.sources.crm.values.numbers import numbers
from forecast.data.sources.crm.values.reading import flags, found
from forecast.errors import DataError

FILES = (
    File(
        role="currencies",
        stems=("CurrencyType", "CurrencyTypes", "Currencies"),
        columns={
            "currency": ("IsoCode", "Currency Code", "Currency ISO Code"),
            "rate": ("ConversionRate", "Conversion Rate"),
            "corporate": ("IsCorporate", "Corporate Currency", "Is Corporate"),
        },
        needed=("currency", "rate"),
    ),
    File(
        role="dated_rates",
        stems=("DatedConversionRate", "DatedConversionRates"),
        columns={
            "currency": ("IsoCode", "Currency Code", "Currency ISO Code"),
            "rate": ("ConversionRate", "Conversion Rate"),
            "from": ("StartDate", "Start Date"),
        },
        needed=("currency", "rate", "from"),
    ),
)
_FIRST = pd.Timestamp("1900-01-01")


@dataclass(frozen=True, kw_only=True)
class Rates:
    """table : currency, plan_rate, [from], as our `currencies`. corporate : the currency they are to, if known."""

    table: pd.DataFrame | None
    corporate: str


def rates_of(export: Export) -> Rates:
    """Return the export's exchange rates; without the file, none.

    Raises DataError for a rate that is no positive number, or where company.toml's currency has none.
    """
    static = _static(export)
    if static is None and export.get("dated_rates") is None:
        return Rates(table=None, corporate="")
    corporate = "" if static is None else _corporate(export, static)
    dated = _dated(export)
    if static is not None:
        table = static[["currency", "plan_rate"]]
        if dated is not None:
            others = table[~table["currency"].isin(dated["currency"])]
            table = pd.concat([others, dated], ignore_index=True)
    else:
        table = dated
    assert table is not None
    wanted = export.currency
    if wanted and corporate and wanted != corporate:
        table = _rebased(table, wanted, corporate, export)
        corporate = wanted
    if corporate and "from" in table:
        table = table[(table["currency"] != corporate) | table["from"].isna()]
        table = table.drop_duplicates(["currency", "from"], ignore_index=True)
    return Rates(table=table.reset_index(drop=True), corporate=corporate)


def _plan_rates(export: Export, role: str) -> pd.DataFrame:
    """Return the rows of a file of rates with their plan rate."""
    rows, reading, called = export.frames[role], export.reading(role), export.columns[role]
    rate = numbers(rows["rate"], reading, column=called["rate"])
    bad = rate.index[~(rate > 0)]
    if len(bad):
        raise DataError(
            "a rate is not above 0",
            table=reading.table,
            column=called["rate"],
            rows=found(rows["rate"], bad),
            count=len(bad),
            mend="export units of the currency for one of the corporate currency",
        )
    return rows.assign(plan_rate=1 / rate)


def _static(export: Export) -> pd.DataFrame | None:
    if export.get("currencies") is None:
        return None
    rows = _plan_rates(export, "currencies")
    return rows[rows["currency"].notna()].drop_duplicates("currency")


def _corporate(export: Export, static: pd.DataFrame) -> str:
    """Return the corporate currency: as flagged, else the one whose rate is 1."""
    named = static["currency"][flags(static["corporate"])] if "corporate" in static else static["currency"][:0]
    if len(named) == 1:
        return str(named.iloc[0])
    ones = static["currency"][static["plan_rate"] == 1]
    if len(ones) == 1:
        return str(ones.iloc[0])
    export.notes.append(f"{export.files['currencies']}: the corporate currency is not flagged: export IsCorporate")
    return ""


def _dated(export: Export) -> pd.DataFrame | None:
    """Return dated rates; the first of a currency holds from the beginning."""
    if export.get("dated_rates") is None:
        return None
    rows, reading = _plan_rates(export, "dated_rates"), export.reading("dated_rates")
    begins = days(rows["from"], reading, column=export.columns["dated_rates"]["from"])
    table = pd.DataFrame({"currency": rows["currency"], "plan_rate": rows["plan_rate"], "from": begins})
    table = table.sort_values(["currency", "from"], kind="stable", ignore_index=True)
    first = ~table["currency"].duplicated()
    late = first & (table["from"] >= _FIRST)
    if late.any():
        shown = ", ".join(f"{row.currency} {row._3:%Y-%m-%d}" for row in table[late].head(5).itertuples())
        reading.say("", f"the first rate of each currency is taken to hold before its day, too: {shown}")
    table["from"] = table["from"].mask(first)
    export.notes.append(
        f"{reading.table}: {len(table):,} dated rates; an amount counts at the rate of the first day of the "
        "fiscal year, not at that of its close date as in Salesforce"
    )
    return table


def _rebased(table: pd.DataFrame, wanted: str, corporate: str, export: Export) -> pd.DataFrame:
    """Return rates to another currency than the corporate one."""
    own = table.loc[table["currency"] == wanted, "plan_rate"]
    if len(own) != 1:
        raise DataError(
            f"rates are to {corporate}, company.toml says {wanted}, and there is no one rate between them",
            table=export.files.get("currencies", export.files.get("dated_rates", "")),
            mend=f'write currency = "{corporate}" in company.toml',
        )
    export.notes.append(f"rates are turned from {corporate}, the corporate currency, to {wanted} of company.toml")
    out = table.assign(plan_rate=table["plan_rate"] / float(own.iloc[0]))
    out.loc[out["currency"] == wanted, "plan_rate"] = 1.0
    return (
        out
        if (out["currency"] == corporate).any()
        else pd.concat(
            [out, pd.DataFrame({"currency": [corporate], "plan_rate": 1 / own.to_numpy()})], ignore_index=True
        )
    )
