"""Campaigns -> what marketing spent, by day; a row a campaign and month, to be added up in `marketing`.

Simple case: a campaign of one month, with its cost. The complications: it lasts several months (its cost is spread by
days, over those gone by), it is a parent whose cost is that of its children (counted once), or its cost is a budget
(no spend).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.sources.crm.further.beside import Beside, LeftAside, in_cents, money, own_segment, rows_of
from forecast.data.sources.crm.values.dates import days
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.numbers import numbers
from forecast.wording import plural

ROLE = "campaigns"
CONVERTED = frozenset(map(plain, ("convertCurrency(ActualCost)", "Actual Cost (converted)", "ActualCostConverted")))
NO_CHANNEL = "Unknown"

_CENT = 0.005


def campaign_months(beside: Beside, end: pd.Timestamp) -> pd.DataFrame | None:
    """Return period (int64), segment (missing: the company's), channel, spend, leads of each campaign and month.

    end : the day of the export; nothing is spent after it. None where the export has no campaigns with a cost.
    """
    frame = rows_of(beside, ROLE, what="campaign")
    if frame is None:
        return None
    frame = _dated(beside, _listed_once(beside, frame), end)
    frame["spend"] = _spend(beside, frame)
    frame["leads"] = _leads(beside, frame)
    frame = _counted_once(beside, frame)
    frame = frame[frame["spend"].notna() | (frame["leads"] > 0)]
    if frame.empty:
        return None
    segment = own_segment(beside, ROLE, frame)
    frame["segment"] = pd.Series(np.nan, index=frame.index, dtype="str") if segment is None else segment
    frame["channel"] = frame["channel"].fillna(NO_CHANNEL) if "channel" in frame else NO_CHANNEL
    return _by_month(beside, frame)


def _listed_once(beside: Beside, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a campaign: a report of campaigns with their members repeats each campaign, with its whole cost."""
    same = frame.duplicated()
    if same.any() and "id" in frame:
        beside.say(ROLE, f"{plural(int(same.sum()), 'row')} repeating a campaign, as reports with members do: left out")
        frame = frame[~same]
    if "id" not in frame or not frame["id"].dropna().duplicated().any():
        return frame
    name = frame["id"][frame["id"].duplicated() & frame["id"].notna()].iloc[0]
    raise LeftAside(f"campaign {name!r} is there twice with different values: export each once, with Campaign ID")


def _dated(beside: Beside, frame: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """Return the campaigns that had begun by the day of the export, with first and last day (`begins`, `ends`)."""
    reading, called = beside.export.reading(ROLE), beside.export.columns[ROLE]
    if "starts" not in frame or not frame["starts"].notna().any():
        raise LeftAside("its campaigns have no StartDate, so that no month can be told")
    begins = days(frame["starts"], reading, column=called["starts"])
    ends = days(frame["ends"], reading, column=called["ends"]) if "ends" in frame else begins
    undated, ahead = begins.isna(), begins > end
    for mask, what in ((undated, "without StartDate"), (ahead, "beginning after the day of the export")):
        if mask.any():
            beside.say(ROLE, f"{plural(int(mask.sum()), 'campaign')} {what}: left out")
    kept = ~undated & ~ahead
    short = kept & (ends.isna() | (ends < begins))
    if short.any():
        beside.say(
            ROLE,
            f"{plural(int(short.sum()), 'campaign')} without an EndDate after StartDate: all in the month they begin",
        )
    return frame.assign(begins=begins, ends=ends.where(~short, begins).clip(upper=end))[kept].copy()


def _spend(beside: Beside, frame: pd.DataFrame) -> pd.Series:
    """Return what each campaign cost of its own, without its children's; a budget is no spend."""
    role_columns = beside.export.columns[ROLE]
    if "amount" in frame and frame["amount"].notna().any():
        spend = money(beside, ROLE, frame, day=frame["begins"], converted=CONVERTED)
    elif "hierarchy" in frame and {"id", "parent"} <= set(frame):
        whole = money(beside, ROLE, frame, day=frame["begins"], converted=CONVERTED, amount="hierarchy")
        below = whole.groupby(frame["parent"]).sum()
        spend = whole - frame["id"].map(below).fillna(0.0)
        beside.say(ROLE, f"spend = {role_columns['hierarchy']} less that of the campaigns below")
    else:
        spend = pd.Series(np.nan, index=frame.index, dtype="float64")
    negative = spend < -_CENT
    if negative.any():
        raise LeftAside(f"{plural(int(negative.sum()), 'campaign')} with a cost below 0: correct it, or take it out")
    if "budget" in frame:
        only = spend.isna() & frame["budget"].notna()
        if only.any():
            beside.say(
                ROLE,
                f"{plural(int(only.sum()), 'campaign')} with a budget but no actual cost: a budget is no spend",
            )
    return spend


def _counted_once(beside: Beside, frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the cost of parents that is, to the cent, the sum of their children's: somebody added it up there."""
    if not {"id", "parent"} <= set(frame) or not frame["parent"].notna().any():
        return frame
    below = frame.groupby("parent")["spend"].sum(min_count=1)
    theirs = frame["id"].map(below)
    same = (theirs > _CENT) & ((frame["spend"] - theirs).abs() < _CENT)
    if same.any():
        beside.say(
            ROLE,
            f"the cost of {plural(int(same.sum()), 'parent campaign')} is their children's, and counted with these",
        )
    return frame.assign(spend=frame["spend"].mask(same))


def _leads(beside: Beside, frame: pd.DataFrame) -> pd.Series:
    """Return the leads that each campaign counts itself, used where the export has neither leads nor members."""
    if "leads" not in frame or beside.export.get("leads") is not None or beside.export.get("members") is not None:
        return pd.Series(0.0, index=frame.index)
    count = numbers(frame["leads"], beside.export.reading(ROLE), column=beside.export.columns[ROLE]["leads"])
    beside.say(
        ROLE, f"leads = {beside.export.columns[ROLE]['leads']}, spread like the cost: one in two campaigns counts twice"
    )
    return count.fillna(0.0)


def _by_month(beside: Beside, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a campaign and month, cost and leads by the days of the campaign that lie in it."""
    calendar = beside.calendar
    first, last = calendar.period_of(frame["begins"]), calendar.period_of(frame["ends"])
    count = last - first + 1
    place = np.repeat(np.arange(len(frame)), count)
    period = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(len(place))
    ends = {int(one): calendar.end(int(one)) for one in np.unique(period)}
    month_end = pd.Series([ends[int(one)] for one in period]).to_numpy()
    begins, stops = frame["begins"].to_numpy()[place], frame["ends"].to_numpy()[place]
    day = np.timedelta64(1, "D")
    share = (np.minimum(month_end, stops) - begins + day) / (stops - begins + day)
    out = pd.DataFrame({"period": period})
    for name in ("segment", "channel"):
        out[name] = frame[name].astype("str").to_numpy()[place]
    for name in ("spend", "leads"):
        out[name] = in_cents(frame[name].to_numpy(dtype=np.float64)[place], share, place)
    if (count > 1).any():
        beside.say(
            ROLE, f"the cost of {plural(int((count > 1).sum()), 'campaign')} of several months is spread by days"
        )
    return out
