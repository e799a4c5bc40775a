"""Quotas of people -> `quotas`; quotas of territories that are segments -> `plan`.

Simple case: a row an owner and month, with an amount. The complications: quotas by quarter (three equal months), by
product family (added up), of several types of forecast (never added up), in units (left out), of managers for their
whole team (left out: their reports' are there), and of territories.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.sources.crm.further.beside import Beside, LeftAside, listed, money, own_segment, owner_names, rows_of
from forecast.data.sources.crm.further.periods import by_month, periods_of
from forecast.data.sources.crm.values.ids import case_safe
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.reading import flags
from forecast.wording import plural

ROLE = "quotas"
CONVERTED = frozenset(map(plain, ("convertCurrency(QuotaAmount)", "Quota Amount (converted)", "QuotaAmountConverted")))
"""What amounts in the company's currency are called."""

_TEAM_AT_LEAST = 0.99
"""A manager's quota of at least this share of the sum of their reports' is the team's."""


def make_quotas(beside: Beside) -> dict[str, pd.DataFrame]:
    """Return `quotas` (owner, period, quota) and `plan` (period, segment, amount), each where there are rows for it.

    Raises LeftAside where the rows do not say what they are.
    """
    frame = rows_of(beside, ROLE, what="quota")
    if frame is None:
        return {}
    frame = of_one_type(beside, ROLE, _in_money(beside, frame), keys=["owner", "territory", "starts", "period"])
    when = periods_of(beside, ROLE, frame)
    frame = frame.loc[when.index].assign(first=when["first"], months=when["months"])
    starts = pd.Series([beside.calendar.start(int(one)) for one in frame["first"]], index=frame.index)
    frame["quota"] = money(beside, ROLE, frame, day=starts, converted=CONVERTED)
    frame = frame[frame["quota"].notna()]
    if (frame["months"] > 1).any():
        count = int((frame["months"] > 1).sum())
        beside.say(ROLE, f"{plural(count, 'quota')} for a quarter: a third of it for each of its months")
    _refuse_double(frame)
    territory = territories(beside, frame)
    of_area = territory.notna()
    out = {}
    people_rows = frame[~of_area & frame["owner"].notna()] if "owner" in frame else frame[:0]
    if len(people_rows):
        people_rows = _without_teams(beside, people_rows.assign(owner=owner_names(beside, people_rows["owner"])))
        out["quotas"] = _summed(by_month(people_rows, "quota"), ["owner", "period"], "quota")
        _say_without_deals(beside, out["quotas"])
    rest = frame[~of_area & (frame["owner"].isna() if "owner" in frame else True)]
    plan = _planned(beside, frame[of_area].assign(territory=territory[of_area]), rest)
    if plan is not None:
        out["plan"] = plan
    return out


def _summed(rows: pd.DataFrame, keys: list[str], amount: str) -> pd.DataFrame:
    table = rows.groupby(keys, as_index=False)[amount].sum()
    return table.assign(**{amount: table[amount].round(2), "period": period_labels(table["period"])})


def _in_money(beside: Beside, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hold an amount, not a number of units."""
    if "amount" not in frame or not frame["amount"].notna().any():
        raise LeftAside("it has no amounts (QuotaAmount); quotas of units are not used")
    units = frame["amount"].isna()
    if "is_amount" in frame and frame["is_amount"].notna().any():
        units |= ~flags(frame["is_amount"])
    if units.any():
        beside.say(ROLE, f"{plural(int(units.sum()), 'quota')} of units, or without an amount: left out")
    return frame[~units]


def of_one_type(beside: Beside, role: str, frame: pd.DataFrame, *, keys: list[str]) -> pd.DataFrame:
    """Return the rows of one type of forecast: of several, the same deals are in each, and their sum is none.

    keys : columns that name what a row is for; where no two types have one in common, all of them count.
    """
    if "type" not in frame or frame["type"].nunique() < 2:
        return frame
    types = sorted(frame["type"].dropna().unique())
    known = beside.export.get("forecast_types")
    if known is not None and "active" in known:
        counts = flags(known["active"])
        if "is_amount" in known:
            counts &= flags(known["is_amount"])
        active = known.loc[counts & known["type"].isin(types), "type"].unique()
        if len(active) == 1:
            beside.say(role, f"rows of one forecast type count, the only active one of {plural(len(types), 'type')}")
            return frame[frame["type"] == active[0]]
    there = [name for name in keys if name in frame]
    per_key = frame.groupby(there, dropna=False)["type"].nunique()
    if (per_key == 1).all():
        return frame
    raise LeftAside(
        f"it holds {len(types)} types of forecast ({listed(types)}) of the same people and periods, whose sum is none: "
        "keep the rows of one (ForecastingTypeId)"
    )


def _refuse_double(frame: pd.DataFrame) -> None:
    """Refuse two quotas of one person, period and product family that differ: one of them is an older one."""
    keys = [name for name in ("owner", "territory", "first", "family") if name in frame]
    twice = frame[frame.duplicated(keys, keep=False)]
    if len(twice):
        shown = ", ".join(str(value) for value in twice[keys[0]].unique()[:3])
        raise LeftAside(
            f"{len(twice):,} rows are second quotas of the same owner and period ({shown}): keep one of each"
        )


def territories(beside: Beside, frame: pd.DataFrame) -> pd.Series:
    """Return the name of each row's territory, missing where it has none."""
    if "territory" not in frame:
        return pd.Series(np.nan, index=frame.index, dtype="str")
    ids, listed_ones = case_safe(frame["territory"]), beside.export.get("territories")
    if listed_ones is None or "name" not in listed_ones:
        return ids
    names = pd.Series(listed_ones["name"].to_numpy(), index=case_safe(listed_ones["territory"]).to_numpy())
    return ids.map(names[~names.index.duplicated()]).astype("str").fillna(ids)


def as_segments(beside: Beside, names: pd.Series) -> pd.Series:
    """Return the segment that a name is, compared without case and signs; missing where it is none."""
    known = {plain(segment): segment for segment in beside.segments}
    return names.map(lambda name: known.get(plain(name)), na_action="ignore").astype("str")


def _planned(beside: Beside, of_area: pd.DataFrame, rest: pd.DataFrame) -> pd.DataFrame | None:
    """Return the plan: quotas of territories that are segments, and rows without owner or territory that name one."""
    segment = as_segments(beside, of_area["territory"])
    if len(of_area) and segment.isna().any():
        others = of_area.loc[segment.isna(), "territory"]
        beside.say(
            ROLE,
            f"{plural(len(others), 'quota')} of territories that are no segments ({listed(others.unique())}) are left "
            f"out; segments are {listed(beside.segments)}",
        )
    rows = [of_area.assign(segment=segment)[segment.notna()]]
    if len(rest):
        named = own_segment(beside, ROLE, rest)
        if named is None:
            beside.say(ROLE, f"{plural(len(rest), 'quota')} without owner, territory or segment: left out")
        else:
            rows.append(rest.assign(segment=named)[named.notna()])
    both = pd.concat(rows)
    if both.empty:
        return None
    beside.say(ROLE, f"plan = the quotas of {plural(both['segment'].nunique(), 'segment')}")
    return _summed(by_month(both, "quota"), ["period", "segment"], "quota").rename(columns={"quota": "amount"})


# -- managers --------------------------------------------------------------------------------------------


def managers(beside: Beside) -> dict[str, str]:
    """Return the manager of each owner, both by name, where the users say it."""
    users = beside.export.get("users")
    if users is None or "manager" not in users:
        return {}
    pairs = users[["owner", "manager"]].dropna()
    names = owner_names(beside, pairs["owner"])
    return dict(zip(names, owner_names(beside, pairs["manager"]), strict=True))


def _without_teams(beside: Beside, rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out quotas of managers that hold those of their reports, which are there themselves."""
    manager = rows["owner"].map(managers(beside))
    asked = rows.groupby(["owner", "first"])["quota"].sum()
    below = rows.assign(manager=manager).groupby(["manager", "first"])["quota"].sum()
    shared = asked.index.intersection(below.index)
    team = shared[(asked[shared] >= _TEAM_AT_LEAST * below[shared]).to_numpy()]
    is_team = pd.MultiIndex.from_frame(rows[["owner", "first"]]).isin(team)
    if is_team.any():
        names = rows.loc[is_team, "owner"].unique()
        beside.say(
            ROLE,
            f"the quotas of {plural(len(names), 'manager')} hold their reports' and are left out: {listed(names)}",
        )
    return rows[~is_team]


def _say_without_deals(beside: Beside, quotas: pd.DataFrame) -> None:
    count, first, last = quotas["owner"].nunique(), quotas["period"].min(), quotas["period"].max()
    beside.say(ROLE, f"quotas of {plural(count, 'owner')} from {first} to {last}")
    names = set(beside.deals["owner"].dropna()) if "owner" in beside.deals else set()
    without = sorted(set(quotas["owner"]) - names)
    if without:
        beside.say(ROLE, f"{plural(len(without), 'owner')} with a quota own no deal of the export: {listed(without)}")
