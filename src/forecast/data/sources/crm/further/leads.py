"""Leads -> the table `leads`, and their number by month, segment and channel for `marketing`.

Simple case: one segment, or a column of it in the file. Where leads have no segment of their own, only those that
became a deal could be placed, by the deal. That tells, in the month a lead came in, what became of it later: a forecast
made of such numbers has seen the future. So `marketing` never uses it: what has no segment is the company's (see
`marketing`); in `leads`, which holds the day of each step, it may stand.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.schema import UNASSIGNED
from forecast.data.sources.crm.further.beside import Beside, own_segment, owner_names, owner_segments, rows_of
from forecast.data.sources.crm.further.campaigns import NO_CHANNEL
from forecast.data.sources.crm.values.dates import days, local_days, moments
from forecast.data.sources.crm.values.ids import case_safe
from forecast.wording import plural

ROLE, MEMBERS = "leads", "members"


def read_leads(beside: Beside, end: pd.Timestamp) -> pd.DataFrame | None:
    """Return lead_id, created_on, segment (missing: not known), channel, [qualified_on, opportunity_id], a row a lead.

    end : the day of the export; later leads are left out. None where the export has no leads.
    """
    frame = rows_of(beside, ROLE, what="lead", named_by="lead_id")
    if frame is None:
        return None
    reading, called = beside.export.reading(ROLE), beside.export.columns[ROLE]
    created = local_days(moments(frame["created_at"], reading, column=called["created_at"]), beside.export.timezone)
    frame = _within(beside, ROLE, frame.assign(created_on=created), end, what="lead")
    frame = _once(beside, frame)
    out = pd.DataFrame(index=frame.index)
    out["lead_id"] = frame["lead_id"] if "lead_id" in frame else [f"lead {place}" for place in range(1, len(frame) + 1)]
    out["created_on"] = frame["created_on"]
    out["segment"] = _segment(beside, frame)
    out["channel"] = frame["channel"].fillna(NO_CHANNEL) if "channel" in frame else NO_CHANNEL
    if "converted_on" in frame:
        converted = days(frame["converted_on"], reading, column=called["converted_on"], timed=True)
        late = converted > end
        out["qualified_on"] = converted.where(~late).where(
            converted.isna() | (converted >= out["created_on"]), out["created_on"]
        )
    if "opportunity_id" in frame:
        known = frame["opportunity_id"].isin(beside.deals["opportunity_id"])
        gone = int((frame["opportunity_id"].notna() & ~known).sum())
        if gone:
            beside.say(ROLE, f"{plural(gone, 'lead')} became deals that are not in the export: they count without one")
        out["opportunity_id"] = frame["opportunity_id"].where(known)
    return out


def _within(beside: Beside, role: str, frame: pd.DataFrame, end: pd.Timestamp, *, what: str) -> pd.DataFrame:
    """Return the rows that came in by the day of the export."""
    undated, later = frame["created_on"].isna(), frame["created_on"] > end
    if undated.any():
        beside.say(role, f"{plural(int(undated.sum()), what)} without a creation date: left out")
    if later.any():
        beside.say(
            role, f"{plural(int(later.sum()), what)} created after {end:%Y-%m-%d}, the day of the deals: left out"
        )
    return frame[~undated & ~later]


def _once(beside: Beside, frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a lead: of rows that differ the last in the file."""
    if "lead_id" not in frame:
        return frame
    frame = frame[frame["lead_id"].notna()].assign(lead_id=case_safe(frame["lead_id"]))
    older = frame["lead_id"].duplicated(keep="last")
    if older.any():
        beside.say(ROLE, f"{plural(int(older.sum()), 'row')} of leads that are there again further down: left out")
    return frame[~older]


def _segment(beside: Beside, frame: pd.DataFrame) -> pd.Series:
    """Return each lead's segment: of its own column, else, where every lead has one, of its owner; else missing."""
    own = own_segment(beside, ROLE, frame)
    if own is not None:
        return own
    if "owner" in frame and beside.export.segment_from and beside.export.segment_from[0] == "users":
        of_owner = owner_names(beside, frame["owner"]).map(owner_segments(beside)).astype("str")
        if of_owner.notna().all():
            beside.say(ROLE, "the segment of a lead is that of its owner")
            return of_owner
    return pd.Series(np.nan, index=frame.index, dtype="str")


def lead_table(beside: Beside, leads: pd.DataFrame) -> pd.DataFrame:
    """Return the table `leads`: one without a segment has that of the deal it became, else `Unassigned`; both said."""
    missing = leads["segment"].isna()
    if not missing.any():
        return leads.reset_index(drop=True)
    of_deal = pd.Series(np.nan, index=leads.index, dtype="str")
    if "opportunity_id" in leads:
        once = beside.deals.drop_duplicates("opportunity_id").set_index("opportunity_id")["segment"]
        of_deal = leads["opportunity_id"].map(once).astype("str")
    placed = int((missing & of_deal.notna()).sum())
    beside.say(
        ROLE,
        f"{plural(int(missing.sum()), 'lead')} without a segment: in the table leads {placed:,} have that of the deal "
        f"they became, {int(missing.sum()) - placed:,} are {UNASSIGNED!r}",
    )
    return leads.assign(segment=leads["segment"].fillna(of_deal).fillna(UNASSIGNED)).reset_index(drop=True)


def read_members(beside: Beside, end: pd.Timestamp) -> pd.DataFrame | None:
    """Return created_on, segment, channel of the leads among campaign members, each on the day it first became one.

    Used where the export has members and no leads. None without any.
    """
    frame = rows_of(beside, MEMBERS, what="campaign member")
    if frame is None or not {"lead_id", "created_at"} <= set(frame):
        return None
    reading, called = beside.export.reading(MEMBERS), beside.export.columns[MEMBERS]
    created = local_days(moments(frame["created_at"], reading, column=called["created_at"]), beside.export.timezone)
    frame = frame[frame["lead_id"].notna()].assign(created_on=created)
    frame = _within(beside, MEMBERS, frame, end, what="campaign member").sort_values("created_on", kind="stable")
    again = frame["lead_id"].duplicated()
    beside.say(
        MEMBERS,
        f"without a file of leads, {plural(int((~again).sum()), 'member')} that are leads count, each once, when "
        f"first a member ({int(again.sum()):,} again in another campaign); channel = the campaign's type",
    )
    frame = frame[~again]
    campaigns = beside.export.get("campaigns")
    channel = pd.Series(np.nan, index=frame.index, dtype="str")
    if campaigns is not None and "channel" in campaigns and "id" in campaigns and "campaign_id" in frame:
        once = campaigns.drop_duplicates("id").set_index("id")["channel"]
        channel = frame["campaign_id"].map(once).astype("str")
    segment = own_segment(beside, MEMBERS, frame)
    out = pd.DataFrame({"created_on": frame["created_on"], "channel": channel.fillna(NO_CHANNEL)})
    return out.assign(segment=pd.Series(np.nan, index=frame.index, dtype="str") if segment is None else segment)
