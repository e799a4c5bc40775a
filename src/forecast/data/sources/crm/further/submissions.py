"""Forecasts that people made -> `submitted_forecasts`, a row a day, month, segment and category, submitter `sales`.

Two records of it: submissions, each with its day (ForecastingSubmission), and what was forecast on the day of the
export (ForecastingItem), which holds no day of its own. Simple case: one seller a segment, one month, `commit`. The
complications:

- a manager's forecast holds that of the reports (`_nodes`): it is never added to theirs;
- a category may hold those before it (commit with what is closed) or stand alone (`_with_closed`): ours hold them;
- a month that had ended by the day holds what was booked, not a forecast: left out;
- quarters: our forecasts are for months, and how a quarter's lies over its months nobody said: left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.sources.crm.further.beside import (
    Beside,
    LeftAside,
    listed,
    money,
    owner_names,
    owner_segments,
    rows_of,
)
from forecast.data.sources.crm.further.periods import periods_of
from forecast.data.sources.crm.further.quotas import as_segments, managers, of_one_type, territories
from forecast.data.sources.crm.values.dates import days
from forecast.data.sources.crm.values.names import plain
from forecast.wording import plural

ITEMS, SUBMISSIONS, PARTS = "forecast_items", "submissions", "submission_items"
SUBMITTER = "sales"
CONVERTED = frozenset(map(plain, ("convertCurrency(ForecastAmount)", "Forecast Amount (converted)")))

_ORDER = ("closed", "commit", "most likely", "best case", "pipeline")
_HOLDING = {
    "closedonly": "closed",
    "commitforecast": "commit",
    "mostlikelyforecast": "most likely",
    "bestcaseforecast": "best case",
}
"""Categories that hold those before them; what is closed is the first."""
_ALONE = {
    **{"closedonly": "closed", "commitonly": "commit", "mostlikelyonly": "most likely", "bestcaseonly": "best case"},
    **{"closed": "closed", "commit": "commit", "mostlikely": "most likely", "bestcase": "best case"},
}
_CENT = 0.005


def make_submissions(beside: Beside, end: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return `submitted_forecasts`; nothing where the export has no such file.

    end : the day of the export. Raises LeftAside where day, month or segment of the forecasts are not in it.
    """
    frame, role = _submitted(beside)
    if frame is None:
        frame, role = _on_the_day(beside, end)
    if frame is None:
        return {}
    frame = of_one_type(beside, role, frame, keys=["owner", "territory", "starts", "period", "category"])
    when = periods_of(beside, role, frame)
    frame = frame.loc[when.index].assign(first=when["first"], months=when["months"])
    frame = _ahead(beside, role, frame)
    _refuse_double(frame)
    frame["amount"] = _amounts(beside, role, frame)
    frame = _in_segments(beside, role, frame[frame["amount"].notna()])
    table = _with_closed(beside, role, frame)
    if table.empty:
        raise LeftAside("it holds no forecast of a month that was still to come")
    beside.say(
        role,
        f"forecasts of {SUBMITTER!r} of {plural(table['submitted_on'].nunique(), 'day')} for "
        f"{plural(table['target_period'].nunique(), 'month')}, a sum a segment; each category holds those before it",
    )
    return {"submitted_forecasts": table}


# -- the two records ---------------------------------------------------------------------------------------


def _submitted(beside: Beside) -> tuple[pd.DataFrame | None, str]:
    """Return the rows of submissions with the day of each, and whose file it is; None where there is none."""
    heads = rows_of(beside, SUBMISSIONS, what="submission")
    parts = rows_of(beside, PARTS, what="submitted amount")
    if heads is None or parts is None or not {"submission", "category"} <= set(parts):
        return None, SUBMISSIONS
    reading, called = beside.export.reading(SUBMISSIONS), beside.export.columns[SUBMISSIONS]
    heads = heads.assign(submitted_on=days(heads["submitted_on"], reading, column=called["submitted_on"], timed=True))
    heads = heads[heads["submitted_on"].notna()].drop_duplicates("submission")
    both = parts[["submission", "category", "amount"]].reset_index().merge(heads, on="submission", how="left")
    both = both.set_index(both.columns[0])
    lost = both["submitted_on"].isna()
    if lost.any():
        beside.say(PARTS, f"{plural(int(lost.sum()), 'row')} of submissions that are not there: left out")
    kept = both[~lost]
    # Of several that an owner submits on one day for one month the last counts.
    at = beside.export.raw[SUBMISSIONS].loc[heads.index, called["submitted_on"]].set_axis(heads["submission"])
    kept = kept.assign(at=kept["submission"].map(at))
    keys = [name for name in ("owner", "submitted_on", "starts", "period", "category", "type") if name in kept]
    kept = kept.sort_values("at", kind="stable").drop_duplicates(keys, keep="last").sort_index()
    return kept, SUBMISSIONS


def _on_the_day(beside: Beside, end: pd.Timestamp) -> tuple[pd.DataFrame | None, str]:
    """Return what was forecast on the day of the export, or on the days that a column of the file says."""
    frame = rows_of(beside, ITEMS, what="forecast")
    if frame is None:
        return None, ITEMS
    export, reading = beside.export, beside.export.reading(ITEMS)
    if "submitted_on" in frame and frame["submitted_on"].notna().any():
        day = days(frame["submitted_on"], reading, column=export.columns[ITEMS]["submitted_on"], timed=True)
        return frame.assign(submitted_on=day)[day.notna()], ITEMS
    asked, named = export.choices.extracted_on, export.days.get(beside.file(ITEMS))
    if asked is None and named is None:
        raise LeftAside(
            "it does not say on which day these forecasts stood: say --extracted-on, or export a column Snapshot Date"
        )
    day = asked if asked is not None else named
    assert day is not None
    if day > end:
        raise LeftAside(f"it is of {day:%Y-%m-%d}, later than the deals ({end:%Y-%m-%d}): export both on one day")
    why = "as --extracted-on says" if asked is not None else "the day in its name"
    beside.say(ITEMS, f"what was forecast on {day:%Y-%m-%d}, {why}; imported each month, these days add up to a record")
    return frame.assign(submitted_on=day.as_unit("us")), ITEMS


def _ahead(beside: Beside, role: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows for a month that had not ended on the day of the forecast."""
    quarters = frame["months"] > 1
    if quarters.any():
        if quarters.all():
            raise LeftAside("forecasts of quarters: ours are of months, and how they lie over these nobody said")
        beside.say(role, f"{plural(int(quarters.sum()), 'forecast')} of quarters: left out, ours are of months")
    past = frame["first"] < beside.calendar.period_of(frame["submitted_on"])
    if past.any():
        beside.say(role, f"{plural(int(past.sum()), 'row')} of months that had ended: left out, they show bookings")
    return frame[~quarters & ~past].copy()


def _refuse_double(frame: pd.DataFrame) -> None:
    """Refuse two forecasts of one owner, day, month and category: their sum would be none."""
    names = ("submitted_on", "owner", "territory", "first", "category", "family", "type", "parent")
    keys = [name for name in names if name in frame]
    twice = int(frame.duplicated(keys, keep=False).sum())
    if twice:
        raise LeftAside(f"{twice:,} rows are second forecasts of the same owner, month and category: keep one of each")


def _amounts(beside: Beside, role: str, frame: pd.DataFrame) -> pd.Series:
    """Return the amounts in the company's currency; those of submissions are in it by Salesforce's own rule."""
    if "amount" not in frame:
        raise LeftAside("it has no amounts (ForecastAmount)")
    if role == SUBMISSIONS:
        frame = frame.drop(columns="currency", errors="ignore")
        return money(beside, PARTS, frame, day=frame["submitted_on"], converted=CONVERTED)
    return money(beside, role, frame, day=frame["submitted_on"], converted=CONVERTED)


# -- whose forecasts make a segment's ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Nodes:
    """Whose forecasts add up to the segments': owner -> segment, of their whole team or of their own deals alone."""

    whole: Mapping[str, str]
    own: Mapping[str, str]


def _in_segments(beside: Beside, role: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return submitted_on, first, segment, category, amount: the sums of what makes each segment's forecast."""
    if frame.empty:
        raise LeftAside("it holds no forecast of a month that was still to come")
    area = territories(beside, frame)
    if area.notna().any():
        frame = frame.assign(segment=as_segments(beside, area))
        if frame["segment"].isna().all():
            raise LeftAside(
                f"its territories ({listed(area.dropna().unique())}) are no segments ({listed(beside.segments)})"
            )
        rows = frame[frame["segment"].notna()]
    else:
        rows = _of_owners(beside, role, frame)
    keys = ["submitted_on", "first", "segment", "category"]
    return rows.groupby(keys, as_index=False)["amount"].sum()


def _of_owners(beside: Beside, role: str, frame: pd.DataFrame) -> pd.DataFrame:
    if "owner" not in frame:
        raise LeftAside("its rows name no owner (OwnerId)")
    frame = frame.assign(owner=owner_names(beside, frame["owner"]))
    frame = frame[frame["owner"].notna()]
    owners = sorted(frame["owner"].unique())
    one = beside.one_segment
    segments = dict.fromkeys(owners, one) if one else owner_segments(beside)
    above = _above(beside, frame)
    own_only = "own_amount" in frame and frame["own_amount"].notna().any()
    if own_only:
        frame = frame.assign(
            own=money(beside, role, frame, day=frame["submitted_on"], converted=frozenset(), amount="own_amount")
        )
    if above is None and own_only:
        beside.say(role, "nobody's manager is known: OwnerOnlyAmount counts, what managers adjusted does not")
        nodes = _Nodes(whole={}, own={name: segments[name] for name in owners if name in segments})
    elif above is None:
        _refuse_teams(frame)
        if len(owners) > 1:
            beside.say(role, "nobody's manager is known: each amount is taken to be of its owner's own deals")
        nodes = _Nodes(whole={name: segments[name] for name in owners if name in segments}, own={})
    else:
        nodes = _nodes(owners, segments, above)
    whole, own = frame["owner"].map(dict(nodes.whole)), frame["owner"].map(dict(nodes.own))
    _refuse_unplaced(frame, nodes, above or {})
    if own.notna().any() and not own_only:
        names = sorted(nodes.own)
        raise LeftAside(
            f"forecasts of {listed(names)} hold those of several segments: export OwnerOnlyAmount, of their own deals"
        )
    kept = [frame[whole.notna()].assign(segment=whole[whole.notna()])]
    if own.notna().any():
        mine = frame[own.notna()]
        kept.append(mine.assign(segment=own[own.notna()], amount=mine["own"]))
    return pd.concat(kept)


def _above(beside: Beside, frame: pd.DataFrame) -> dict[str, str] | None:
    """Return owner -> the owner that they roll up to; None where nothing says it."""
    if "parent" in frame and "id" in frame:
        owner_of = frame.drop_duplicates("id").set_index("id")["owner"]
        pairs = frame.assign(above=frame["parent"].map(owner_of)).dropna(subset=["above"])
        found = dict(zip(pairs["owner"], pairs["above"], strict=True))
        return {name: boss for name, boss in found.items() if name != boss}
    known = managers(beside)
    owners = set(frame["owner"])
    found = {name: boss for name, boss in known.items() if name in owners and boss in owners and name != boss}
    return found if known else None


def _nodes(owners: list[str], segments: Mapping[str, str], above: Mapping[str, str]) -> _Nodes:
    """Choose whose forecasts to add up, each deal in one of them.

    Simple case: from the top down, the first owner all of whose team is in one segment: the forecast holds the team's,
    with what was adjusted on the way. Whose team is in several counts with the own deals alone.
    """
    below: dict[str, list[str]] = {}
    for name, boss in above.items():
        below.setdefault(boss, []).append(name)
    reach: dict[str, set[str]] = {}

    def team(name: str, seen: frozenset[str]) -> set[str]:
        if name in seen:
            raise LeftAside(f"{name} rolls up to a person below: the managers go round in a circle")
        if name not in reach:
            reach[name] = {segments[name]} if name in segments else set()
            for report in below.get(name, []):
                reach[name] |= team(report, seen | {name})
        return reach[name]

    for name in owners:
        team(name, frozenset())
    whole: dict[str, str] = {}
    own: dict[str, str] = {}
    open_names = [name for name in owners if name not in above]
    while open_names:
        name = open_names.pop()
        if len(reach[name]) == 1:
            whole[name] = next(iter(reach[name]))
        elif reach[name]:
            if name in segments:
                own[name] = segments[name]
            open_names += below.get(name, [])
    return _Nodes(whole=whole, own=own)


def _refuse_unplaced(frame: pd.DataFrame, nodes: _Nodes, above: Mapping[str, str]) -> None:
    """Refuse where an amount belongs to nobody who is in a segment: its segment's sum would be too small."""
    counted = set(nodes.whole) | set(nodes.own)
    bosses = set(above.values())

    def covered(name: str) -> bool:
        while name not in nodes.whole and name in above:
            name = above[name]
        return name in nodes.whole

    left = frame[~frame["owner"].isin(counted) & (frame["amount"].abs() > _CENT)]
    if "own" in frame:
        left = left[(left["own"].abs() > _CENT) | ~left["owner"].isin(bosses)]
    else:
        left = left[~left["owner"].isin(bosses)]
    names = sorted(name for name in left["owner"].unique() if not covered(name))
    if names:
        raise LeftAside(
            f"the segment of {plural(len(names), 'owner')} with a forecast is not known ({listed(names)}), so that the "
            "sum of none would be right: name a column of the users with --segment-from"
        )


def _refuse_teams(frame: pd.DataFrame) -> None:
    """Refuse amounts of which one owner's may hold all others': at least their sum in every month and category."""
    owners = frame["owner"].nunique()
    if owners < 2:
        return
    keys = ["submitted_on", "first", "category"]
    cells = frame.groupby([*keys, "owner"])["amount"].sum().unstack("owner").fillna(0.0)
    total = cells.sum(axis=1)
    cells = cells[(total > _CENT).to_numpy()]
    holds = (cells.mul(2).ge(total[cells.index] - _CENT, axis=0)).all()
    if len(cells) and holds.any():
        raise LeftAside(
            f"the forecast of {str(holds.idxmax())!r} may hold those of the others, as a manager's does; nothing says "
            "who reports to whom: export ParentForecastingItemId and Id, OwnerOnlyAmount, or ManagerId of the users"
        )


# -- what a category holds -----------------------------------------------------------------------------------


def _with_closed(beside: Beside, role: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return our table: closed, commit, most likely and best case, each with what is in those before it."""
    called = frame["category"].map(plain, na_action="ignore")
    holding, alone = called.map(_HOLDING), called.map(_ALONE)
    only_closed = called == "closedonly"
    in_steps = holding.notna() & ~only_closed
    keys = ["submitted_on", "first", "segment"]
    if in_steps.any():
        rows = frame.assign(category=holding)[holding.notna()]
        table = rows.groupby([*keys, "category"], as_index=False)["amount"].sum()
        return _ours(table)
    rows = frame.assign(category=alone)[alone.notna()]
    if not (rows["category"] == "commit").any():
        raise LeftAside(f"none of its categories is a commit forecast: {listed(frame['category'].dropna().unique())}")
    cells = rows.groupby([*keys, "category"])["amount"].sum().unstack("category")
    _refuse_doubtful(cells, called)
    cells, running = _with_what_is_closed(beside, role, cells), [name for name in _ORDER if name in cells]
    summed = cells[running].fillna(0.0).cumsum(axis=1)
    beside.say(role, "categories stand alone: commit = Commit + Closed, best case = Best Case + Commit + Closed")
    table = summed.stack().rename("amount").reset_index()
    return _ours(table.rename(columns={table.columns[3]: "category"}))


def _refuse_doubtful(cells: pd.DataFrame, called: pd.Series) -> None:
    """Refuse names that do not say whether each category holds those before it, where the amounts do not either."""
    if called.dropna().str.endswith("only").any():
        return
    there = [name for name in _ORDER if name in cells and cells[name].notna().any()]
    grows = (cells[there].fillna(0.0).diff(axis=1).iloc[:, 1:] >= -_CENT).to_numpy().all()
    closed = "closed" in cells and (cells["closed"].fillna(0.0) > _CENT).any()
    if grows and closed:
        raise LeftAside(
            "it cannot be told whether Commit holds what is closed (it is never less) or stands beside it: export "
            "ForecastingItemCategory (CommitForecast or CommitOnly)"
        )


def _with_what_is_closed(beside: Beside, role: str, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells whose closed deals are known: without rows of Closed only months that had not begun."""
    if "closed" in cells:
        return cells
    frame = cells.reset_index()
    begun = (frame["first"] == beside.calendar.period_of(frame["submitted_on"])).to_numpy()
    if begun.any():
        beside.say(
            role,
            f"{plural(int(begun.sum()), 'forecast')} of the month in progress are left out: without Closed, what was "
            "booked by then is missing in them",
        )
    return cells[~begun]


def _ours(rows: pd.DataFrame) -> pd.DataFrame:
    rank = rows["category"].map({name: place for place, name in enumerate(_ORDER)})
    rows = rows.assign(rank=rank).sort_values(["submitted_on", "first", "segment", "rank"], kind="stable")
    return pd.DataFrame(
        {
            "submitted_on": rows["submitted_on"].to_numpy(),
            "target_period": pd.Series(period_labels(rows["first"]), dtype="str").to_numpy(),
            "segment": rows["segment"].astype("str").to_numpy(),
            "submitter": SUBMITTER,
            "category": rows["category"].astype("str").to_numpy(),
            "amount": np.round(rows["amount"].to_numpy(dtype=np.float64), 2),
        }
    )
