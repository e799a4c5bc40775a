"""Leads and campaigns -> `marketing`, a row a month, segment and channel; and `leads`.

Simple case: each lead and campaign has a segment. What has none is the company's: it is shared out by each segment's
part of the deals created in all, a choice, not a fact of the data, and a note says so and how much it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.sources.crm.further.beside import Beside, LeftAside, in_cents
from forecast.data.sources.crm.further.campaigns import ROLE as CAMPAIGNS
from forecast.data.sources.crm.further.campaigns import campaign_months
from forecast.data.sources.crm.further.leads import MEMBERS, lead_table, read_leads, read_members
from forecast.data.sources.crm.further.leads import ROLE as LEADS
from forecast.wording import plural

_KEYS = ["period", "segment", "channel"]


def make_marketing(beside: Beside, end: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return `marketing` (period, segment, channel, leads, [spend]) and `leads`; each where the export has it.

    end : the day of the export. Raises LeftAside for campaigns in an export that counts no leads.
    """
    leads = read_leads(beside, end)
    out = {} if leads is None else {"leads": lead_table(beside, leads)}
    counted = read_members(beside, end) if leads is None else leads
    if leads is not None and beside.export.get(MEMBERS) is not None:
        beside.say(
            MEMBERS, "not counted: the file of leads holds each lead once, a member of two campaigns is there twice"
        )
    try:
        spent = campaign_months(beside, end)
    except LeftAside as why:
        beside.export.notes.append(f"{beside.file(CAMPAIGNS)} is not brought over: {why}")
        spent = None
    if spent is not None and counted is None and not (spent["leads"] > 0).any():
        raise LeftAside(
            f"campaigns cost {spent['spend'].sum():,.2f}, and the export has no leads, which a row of marketing needs: "
            "export Lead beside them"
        )
    parts = [] if counted is None else [_counts(beside, counted)]
    parts += [] if spent is None else [spent]
    if not parts:
        return out
    rows = pd.concat(parts, ignore_index=True)
    measures = ["leads", "spend"] if spent is not None and spent["spend"].notna().any() else ["leads"]
    table = _placed(
        beside, rows, measures, role=CAMPAIGNS if counted is None else LEADS if leads is not None else MEMBERS
    )
    table = table.sort_values(_KEYS, ignore_index=True)
    return {**out, "marketing": table.assign(period=period_labels(table["period"]))[[*_KEYS, *measures]]}


def _counts(beside: Beside, leads: pd.DataFrame) -> pd.DataFrame:
    period = beside.calendar.period_of(leads["created_on"])
    rows = leads[["segment", "channel"]].assign(period=period, leads=1.0)
    return rows.groupby(_KEYS, as_index=False, dropna=False)["leads"].sum()


def _placed(beside: Beside, rows: pd.DataFrame, measures: list[str], *, role: str) -> pd.DataFrame:
    """Return the sums by month, segment and channel; what has no segment shared out by the deals created."""
    without = rows["segment"].isna()
    own = rows[~without]
    if without.any():
        whole = rows[without].groupby(["period", "channel"], as_index=False)[measures].sum(min_count=1)
        own = pd.concat([own, _shared_out(beside, whole, measures)], ignore_index=True)
        what = plural(round(float(rows.loc[without, "leads"].sum())), "lead")
        if "spend" in measures:
            what += f" and a spend of {rows.loc[without, 'spend'].sum():,.2f}"
        beside.say(
            role,
            f"{what} without a segment belong to the company: in marketing each segment is given its share of the "
            "deals created in all (a choice, not a fact of the data; a column in the file, called as the segment's, "
            "decides otherwise)",
        )
    table = own.groupby(_KEYS, as_index=False)[measures].sum(min_count=1)
    table["leads"] = table["leads"].fillna(0.0).round(2)
    if "spend" in measures:
        table["spend"] = table["spend"].round(2)
    return table


def _shared_out(beside: Beside, whole: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Return a row a segment for each of the company's, in hundredths, which sum to it."""
    shares = beside.deals["segment"].value_counts(normalize=True).sort_index()
    place = np.repeat(np.arange(len(whole)), len(shares))
    up_to = np.tile(np.append(np.cumsum(shares.to_numpy())[:-1], 1.0), len(whole))
    out = whole.iloc[place].reset_index(drop=True)
    for name in measures:
        out[name] = in_cents(out[name].to_numpy(dtype=np.float64), up_to, place)
    return out.assign(segment=np.tile(shares.index.to_numpy(dtype=object), len(whole)))
