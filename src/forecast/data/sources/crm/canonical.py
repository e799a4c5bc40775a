"""A CRM's deals -> our tables: what CRMs allow and we cannot use is mended here, and said.

A deal won without an amount, closed before it was entered, or closed with a date to come: each mend is a rule, with a
note that says how many rows it touched (docs/importing.md lists them).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.sources.crm.deals import Deals
from forecast.data.sources.crm.values.stages import none_closed

UNKNOWN_STAGE = "Unknown"

_OPPORTUNITY_COLUMNS = (
    "opportunity_id",
    "created_on",
    "segment",
    "stage",
    "amount",
    "expected_close_on",
    "closed_on",
    "outcome",
    "type",
    "lead_source",
    "product",
    "owner",
    "account_id",
    "lead_score",
    "currency",
    "units",
    "lost_reason",
)
_HISTORY_COLUMNS = (
    "opportunity_id",
    "recorded_at",
    "stage",
    "amount",
    "expected_close_on",
    "probability",
    "forecast_category",
    "owner",
)


def canonical(deals: Deals, *, timezone: str) -> tuple[dict[str, pd.DataFrame], pd.Timestamp]:
    """Return our tables and the day the export was made on.

    The day is that of the last change the export knows of: the CRM does not write when it was exported.
    """
    frame = deals.opportunities.copy()
    history = None if deals.history is None or deals.history.empty else deals.history.copy()
    end = _last_day(frame, history, timezone)
    frame = _mended(frame, end, deals.notes)
    if history is not None:
        history = _mended_history(history, frame, deals.notes)
    frame, history = _closing_stages(frame, history, deals)
    tables = {"opportunities": frame[[name for name in (*_OPPORTUNITY_COLUMNS, *deals.extra) if name in frame]]}
    if history is not None:
        tables["opportunity_history"] = history[[name for name in _HISTORY_COLUMNS if name in history]]
    stages = _stages(frame, history, deals.reference)
    if stages is not None:
        tables["stages"] = stages
    if deals.currencies is not None and "currency" in frame:
        tables["currencies"] = deals.currencies
    if deals.marketing is not None:
        tables["marketing"] = deals.marketing
    return tables, end


def _last_day(frame: pd.DataFrame, history: pd.DataFrame | None, timezone: str) -> pd.Timestamp:
    """Return the day of the last change; where nothing is time-stamped, of the last creation or closure."""
    seen = [frame["created_at"].max(), frame["touched_at"].max()]
    if history is not None:
        seen.append(history["recorded_at"].max())
    latest = max((moment for moment in seen if pd.notna(moment)), default=pd.NaT)
    day = latest.tz_convert(timezone).tz_localize(None).normalize() if pd.notna(latest) else pd.NaT
    if frame["touched_at"].isna().all() and history is None:
        days = [day, frame["closed_on"].max(), frame["created_on"].max()]
        day = max((one for one in days if pd.notna(one)), default=pd.NaT)
    return day


def _mended(frame: pd.DataFrame, end: pd.Timestamp, notes: list[str]) -> pd.DataFrame:
    def note(mask: pd.Series, text: str) -> None:
        if mask.any():
            notes.append(f"{int(mask.sum()):,} deals {text}")

    nameless = frame["stage"].isna()
    note(nameless, f"without a stage: stage = {UNKNOWN_STAGE!r}")
    frame["stage"] = frame["stage"].where(~nameless, UNKNOWN_STAGE)

    unpriced = (frame["outcome"] == "won") & frame["amount"].isna()
    note(unpriced, "won without an amount: amount = 0")
    frame["amount"] = frame["amount"].where(~unpriced, 0.0)

    closed = frame["outcome"] != "open"
    notes += none_closed(frame["outcome"], frame["stage"], table="opportunities")
    touched = frame["touched_at"].dt.tz_localize(None).dt.normalize()
    undated = closed & frame["closed_on"].isna()
    note(undated & touched.notna(), "closed without a date: closed_on = the day of their last change")
    frame["closed_on"] = frame["closed_on"].where(~undated, touched).where(closed)

    ahead = closed & (frame["closed_on"] > end)
    note(ahead, "closed with a date still to come: closed_on = the day of their last change")
    frame["closed_on"] = frame["closed_on"].where(~ahead, touched.fillna(end).clip(upper=end))

    late = closed & (frame["closed_on"] < frame["created_on"])
    note(late, "closed before they were entered: created_on = the day they closed")
    frame["created_on"] = frame["created_on"].where(~late, frame["closed_on"])
    return frame


def _mended_history(history: pd.DataFrame, frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame | None:
    total = len(history)
    history = history[history["opportunity_id"].isin(frame["opportunity_id"])]
    if len(history) < total:
        notes.append(f"{total - len(history):,} rows of history belong to deals that are not in the export: left out")
    if history.empty:
        return None
    history = history.sort_values(["opportunity_id", "recorded_at"], kind="stable")
    history = history.drop_duplicates(["opportunity_id", "recorded_at"], keep="last")
    history = history.assign(stage=history["stage"].fillna(UNKNOWN_STAGE))
    # Where the record of a deal begins after it closed, its history would only say when the CRM began to keep one.
    first = history.drop_duplicates("opportunity_id").set_index("opportunity_id")
    closed_on = frame.set_index("opportunity_id")["closed_on"].reindex(first.index)
    began = first["recorded_at"].dt.tz_localize(None).dt.normalize()
    after = first.index[first["closed"].to_numpy(dtype=bool) & (began > closed_on).to_numpy()]
    if len(after):
        notes.append(
            f"the history of {len(after):,} deals begins after they closed and is left out: of these only creation and "
            "closure are known"
        )
        history = history[~history["opportunity_id"].isin(after)]
    return None if history.empty else history


def _closing_stages(
    frame: pd.DataFrame, history: pd.DataFrame | None, deals: Deals
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Give closed deals a stage of their own where the CRM leaves them in an open one."""
    outcomes = frame.groupby("stage")["outcome"].agg(lambda values: set(values))
    open_too = set(outcomes.index[[("open" in values and len(values) > 1) for values in outcomes]])
    both = set(outcomes.index[[values == {"won", "lost"} for values in outcomes]])
    if deals.reference is not None:
        known = deals.reference.set_index("stage")["outcome"]
        meant = frame["stage"].map(known)
        open_too |= set(frame.loc[meant.notna() & (meant != frame["outcome"]), "stage"])
    mixed = open_too | both
    if not mixed:
        return frame, history
    names = {"won": "Won", "lost": "Lost"}
    moved = frame["stage"].isin(mixed) & (frame["outcome"] != "open")
    if moved.any():
        deals.notes.append(f"{int(moved.sum()):,} closed deals stand in a stage of open ones: stage = 'Won' or 'Lost'")
    frame = frame.assign(stage=frame["stage"].where(~moved, frame["outcome"].map(names)))
    if history is not None and moved.any():
        ending = history["opportunity_id"].map(frame[moved].set_index("opportunity_id")["outcome"]).map(names)
        closing = history["closed"].to_numpy(dtype=bool) & ending.notna().to_numpy()
        history = history.assign(stage=history["stage"].where(~closing, ending))
    return frame, history


def _stages(frame: pd.DataFrame, history: pd.DataFrame | None, reference: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the stages that are in use, in the CRM's order; None where the CRM gives no order."""
    if reference is None or "position" not in reference:
        return None
    names = list(frame["stage"].unique()) + ([] if history is None else list(history["stage"].unique()))
    table = pd.DataFrame({"stage": sorted(set(names))})
    known = reference.drop_duplicates("stage").set_index("stage")
    today = frame.drop_duplicates("stage").set_index("stage")["outcome"]
    table["outcome"] = table["stage"].map(today).fillna(table["stage"].map(known["outcome"])).fillna("open")
    position = table["stage"].map(known["position"]).astype("float64")
    rank = table["outcome"].map({"open": 0, "won": 1, "lost": 2})
    order = np.lexsort((table["stage"], position.fillna(-1), rank))
    table["position"] = np.empty(len(table), dtype=np.int64)
    table.loc[table.index[order], "position"] = np.arange(1, len(table) + 1)
    if "probability" in known:
        table["probability"] = table["stage"].map(known["probability"])
    return table.sort_values("position", ignore_index=True)
