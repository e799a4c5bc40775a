"""The open deals of a day as the explorer shows them: filtered, sorted, added up by stage and by month.

A product filter narrows the open pipeline and nothing else: what is booked is not split by it here, and deals not yet
created are forecast by segment alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
from forecast.errors import ParameterError
from forecast.reporting.explorer.scenario import Base, Levers, by_deal

SORTS = {
    "amount": "Amount",
    "expected_amount": "Expected amount",
    "p_win": "Chance to win",
    "expected_close_on": "Expected close",
    "created_on": "Created",
    "opportunity_id": "Deal",
}
"""What deals are sorted by, and how it is called."""

SEARCHED = ("opportunity_id", "segment", "stage", "product", "owner", "account_id", "factors")
OVERDUE, LATER, UNDATED = "overdue", "later", "no date"


def open_deals(snap: Snapshot, deals: pd.DataFrame) -> pd.DataFrame:
    """Return the open deals of a snapshot with their chances: one row a deal, sorted by opportunity_id.

    deals : as `win_probabilities` returns them, of the same day. The columns are those of both; product and owner are
    empty text where the company records none.
    """
    known = snap.opportunities
    rows = known[known["outcome"] == "open"].drop(columns=["outcome", "closed_on"])
    if "p_win" in rows:
        rows = rows.drop(columns="p_win")
    out = rows.merge(deals, on="opportunity_id", how="left", validate="one_to_one", suffixes=("_recorded", ""))
    for name in ("product", "owner", "account_id"):
        out[name] = out[name].astype("str").fillna("") if name in out else pd.Series("", index=out.index, dtype="str")
    out["stage"] = out["stage"].astype("str").fillna("")
    out["factors"] = out["factors"].astype("str").fillna("")
    return out.sort_values("opportunity_id", ignore_index=True)


def chosen(
    frame: pd.DataFrame, *, segment: str = TOTAL, product: str = "", stage: str = "", owner: str = "", text: str = ""
) -> pd.DataFrame:
    """Return the deals that fit all of it; what is empty (for the segment: Total) does not narrow.

    text : words, each of which must occur in one of `SEARCHED`, in capitals or not; no character is special.
    """
    fits = np.ones(len(frame), dtype=bool)
    for column, value in (("segment", "" if segment == TOTAL else segment), ("product", product), ("stage", stage)):
        if value:
            fits &= (frame[column] == value).to_numpy(dtype=bool, na_value=False)
    if owner:
        fits &= (frame["owner"] == owner).to_numpy(dtype=bool, na_value=False)
    for word in text.casefold().split():
        found = np.zeros(len(frame), dtype=bool)
        for column in SEARCHED:
            lower = frame[column].astype("str").fillna("").map(str.casefold)
            found |= lower.str.contains(word, regex=False).to_numpy(dtype=bool, na_value=False)
        fits &= found
    return frame[fits].reset_index(drop=True)


def in_order(frame: pd.DataFrame, by: str, *, descending: bool = True) -> pd.DataFrame:
    """Return deals sorted by a column of `SORTS`, ties by opportunity_id, what is unknown last."""
    if by not in SORTS:
        raise ParameterError(f"deals cannot be sorted by {by!r}; known: {', '.join(SORTS)}")
    keys = [by] if by == "opportunity_id" else [by, "opportunity_id"]
    return frame.sort_values(keys, ascending=[not descending, True][: len(keys)], na_position="last", ignore_index=True)


def by_stage(frame: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """Return stage, deals, amount, expected_amount; stages in their order, those without a deal left out."""
    summed = frame.groupby("stage", sort=True).agg(
        deals=("opportunity_id", "size"), amount=("amount", "sum"), expected_amount=("expected_amount", "sum")
    )
    place = dict(zip(stages["stage"], stages["position"], strict=True))
    order = sorted(summed.index, key=lambda name: (place.get(name, np.inf), name))
    return summed.loc[order].reset_index()


def by_month(frame: pd.DataFrame, snap: Snapshot, *, months: int) -> pd.DataFrame:
    """Return month, deals, amount, expected_amount by month of expected close.

    Rows: `overdue` (by as_of), each month from that of as_of (from the next, on its last day) to `months` ahead,
    `later`, and `no date` where a deal has none. They add up to all deals; expected_amount is p_win (ever) x amount.
    """
    first = snap.period + (1 if snap.at_month_end else 0)
    ahead = np.arange(first, snap.period + months + 1)
    labels = [OVERDUE, *period_labels(ahead), LATER, UNDATED]
    dated = frame["expected_close_on"].notna().to_numpy()
    place = np.full(len(frame), len(labels) - 1)
    day = frame.loc[dated, "expected_close_on"]
    month = np.clip(np.asarray(snap.calendar.period_of(day), dtype=np.int64) - first, 0, len(ahead)) + 1
    place[dated] = np.where((day <= snap.as_of).to_numpy(), 0, month)
    counts = {"deals": np.bincount(place, minlength=len(labels))}
    for name in ("amount", "expected_amount"):
        counts[name] = np.bincount(place, np.nan_to_num(frame[name].to_numpy(dtype=float)), minlength=len(labels))
    table = pd.DataFrame({"month": pd.Series(labels, dtype="str"), **counts})
    return table[(table["month"] != UNDATED) | (table["deals"] > 0)].reset_index(drop=True)


def share_of_open(given: Base, levers: Levers, ids: pd.Series) -> tuple[float, float]:
    """Return what some open deals are expected to bring over all months, in the base and with the levers moved.

    ids : opportunity_id of the deals. Raises ParameterError as `scenario` does.
    """
    before, after = by_deal(given, levers)
    inside = np.isin(given.parts.ids.astype(str), ids.to_numpy(dtype=str))
    return float(before[inside].sum()), float(after[inside].sum())
