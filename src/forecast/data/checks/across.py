"""Checks between columns and between tables: dates in order, outcomes that agree, names that join.

Every function takes the typed tables and returns problems. What is fatal would make a forecast wrong without a sign;
what a forecast can live with is a warning and goes into the log's notes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from forecast.data import submissions
from forecast.data.checks.amounts import amounts_against_history
from forecast.data.checks.currencies import check_currencies
from forecast.data.checks.events import check_events
from forecast.data.checks.hierarchy import check_hierarchy
from forecast.data.checks.stage_changes import check_stage_changes
from forecast.data.checks.table import problem_at
from forecast.data.codes import key_order, own_places, places, ranks
from forecast.data.schema import OUTCOMES, UNASSIGNED, WORKED_OUT, Company
from forecast.errors import Problem, did_you_mean, nearest, shortened

Tables = Mapping[str, pd.DataFrame]

OPPS, HISTORY = "opportunities", "opportunity_history"

# Dates of things that have happened: none can be later than the day the data was extracted, and the last of them ends
# the log by default. What is only expected, planned or promised does not prolong it.
HAPPENED = {
    OPPS: ("created_on", "closed_on", "delivered_on"),
    HISTORY: ("recorded_at",),
    "leads": ("created_on", "worked_on", "qualified_on", "rejected_on"),
    "submitted_forecasts": ("submitted_on",),
}


def check_across(tables: Tables, company: Company) -> list[Problem]:
    """Return every problem between columns and tables; `tables` are typed, whole, and hold `opportunities`."""
    return [
        *_closures(tables),
        *_stages(tables),
        *_histories(tables, company),
        *check_currencies(tables, company),
        *_fixed_columns(tables, company),
        *_beyond_the_end(tables, company),
        *_leads(tables),
        *_segments(tables),
        *check_events(tables),
        *check_hierarchy(tables),
        *check_stage_changes(tables),
        *_submissions(tables),
    ]


def _closures(tables: Tables) -> list[Problem]:
    frame = tables[OPPS]
    closed = np.asarray(frame["outcome"].isin(["won", "lost"]))
    dated = np.asarray(frame["closed_on"].notna())
    won = np.asarray(frame["outcome"] == "won")
    return [
        *problem_at(
            frame,
            closed & ~dated,
            table=OPPS,
            column="closed_on",
            what="won or lost, but without the day it closed",
            mend="fill in closed_on, or set outcome to open",
            show="outcome",
        ),
        *problem_at(
            frame,
            np.asarray(frame["outcome"] == "open") & dated,
            table=OPPS,
            column="closed_on",
            what="open, but with a day it closed",
            mend="empty closed_on, or set outcome to won or lost",
        ),
        *problem_at(
            frame,
            np.asarray(frame["closed_on"] < frame["created_on"]),
            table=OPPS,
            column="closed_on",
            what="closed before it was created",
            mend="correct created_on or closed_on",
        ),
        *problem_at(
            frame,
            won & np.asarray(frame["amount"].isna()),
            table=OPPS,
            column="amount",
            what="won, but without an amount",
            mend="fill in what was booked (0 if nothing was)",
            show="outcome",
        ),
    ]


def _stages(tables: Tables) -> list[Problem]:
    stages = tables.get("stages")
    if stages is None:
        return []
    names = set(stages["stage"].dropna())
    found = []
    for table in (OPPS, HISTORY):
        if table in tables:
            frame = tables[table]
            unknown = sorted(set(frame["stage"].dropna().unique()) - names)
            if unknown:
                found += problem_at(
                    frame,
                    np.asarray(frame["stage"].isin(unknown)),
                    table=table,
                    column="stage",
                    what=f"a stage that is not in stages: {_quoted(unknown)}",
                    mend=f"add it to stages, or correct it; {shortened(unknown[0])!r}: {nearest(unknown[0], names)}",
                )
    frame = tables[OPPS]
    meaning = dict(zip(stages["stage"], stages["outcome"], strict=True))
    says = frame["stage"].map(meaning)
    contradicts = np.asarray((says != frame["outcome"]) & says.isin(OUTCOMES) & frame["outcome"].isin(OUTCOMES))
    if contradicts.any():
        first = frame.iloc[int(np.flatnonzero(contradicts)[0])]
        found += problem_at(
            frame,
            contradicts,
            table=OPPS,
            column="outcome",
            what=f"stage and outcome contradict each other ({first['stage']!r} means {meaning[first['stage']]})",
            mend="correct the stage or the outcome here, or the outcome of the stage in stages",
        )
    return found


def _histories(tables: Tables, company: Company) -> list[Problem]:
    history = tables.get(HISTORY)
    if history is None:
        return []
    frame = tables[OPPS]
    ids = frame["opportunity_id"]
    of = places(history["opportunity_id"], ids)
    known = of >= 0
    unknown = ~known & np.asarray(history["opportunity_id"].notna())
    found = []
    if unknown.any():
        first = str(history["opportunity_id"][unknown].iloc[0])
        found += problem_at(
            history,
            unknown,
            table=HISTORY,
            column="opportunity_id",
            what="history of opportunities that are not in opportunities",
            mend=f"add the opportunities, or take their history out; {first!r}: {_near(first, ids)}",
        )
    own = own_places(ids)
    # Rows of history by opportunity, then time; a row without a time comes last.
    order = key_order([of, ranks(history["recorded_at"])])
    rows = np.arange(len(of), dtype=np.int32) if order is None else order.astype(np.int32)
    rows = rows if known.all() else rows[known[rows]]
    earliest = _row_of(of, rows[::-1], own)
    found += problem_at(
        frame,
        earliest < 0,
        table=OPPS,
        column="opportunity_id",
        what="opportunities without a row in opportunity_history: of these only creation and closure are known",
        mend="add their history, at least the state at creation",
        severity="warning",
    )
    found += problem_at(
        frame,
        np.asarray(_day_of(history["recorded_at"], earliest, frame, company) < frame["created_on"]),
        table=OPPS,
        column="created_on",
        what="history begins before the opportunity was created; it counts as known from its first row of history",
        mend="correct created_on, or the timezone in company.toml",
        severity="warning",
    )
    if not ((own >= 0) & (own != np.arange(len(own)))).any():
        found += amounts_against_history(tables, _row_of(of, rows, own), company)
    return found + _history_against_today(tables, of, rows, own, company)


def _row_of(of: np.ndarray, rows: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return for each opportunity the last of `rows` that is its own, -1 where none is.

    of : (m,) the opportunity of each row of history. rows : (k,). own : (n,) the first row of the same name, or -1.
    """
    last = np.full(len(own) + 1, -1, dtype=np.int32)
    last[of[rows]] = rows
    last[-1] = -1
    return last[own]


def _day_of(recorded_at: pd.Series, rows: np.ndarray, frame: pd.DataFrame, company: Company) -> pd.Series:
    """Return the local day of some rows of history, as a column of `frame`; missing where the row is -1."""
    taken = pd.Series(recorded_at.array.take(rows, allow_fill=True), index=frame.index)
    return taken.dt.tz_convert(company.timezone).dt.tz_localize(None).dt.normalize()


def _history_against_today(
    tables: Tables, of: np.ndarray, rows: np.ndarray, own: np.ndarray, company: Company
) -> list[Problem]:
    """Compare the last row of history with today's values; needs `stages`, which says what closes."""
    stages, frame = tables.get("stages"), tables[OPPS]
    if stages is None or ((own >= 0) & (own != np.arange(len(own)))).any():
        return []
    history = tables[HISTORY]
    meaning = dict(zip(stages["stage"], stages["outcome"], strict=True))
    outcomes = pd.Series(list(meaning.values()), dtype="str")
    stage = places(history["stage"], pd.Series(list(meaning), dtype="str"))
    last = _row_of(of, rows, own)
    last_stage = np.where(last >= 0, stage[last], -1) if len(stage) else np.full(len(frame), -1)
    says = pd.Series(outcomes.array.take(last_stage, allow_fill=True), index=frame.index)
    closes = np.append(np.asarray(outcomes.isin(["won", "lost"])), False)[stage]
    recorded = _day_of(history["recorded_at"], _row_of(of, rows[closes[rows]], own), frame, company)
    return [
        *problem_at(
            frame,
            np.asarray((says != frame["outcome"]) & says.notna() & (recorded.notna() | (frame["outcome"] == "open"))),
            table=OPPS,
            column="outcome",
            what="today's outcome is not that of the last row of history; on any day history is believed",
            mend="add the row of history that is missing, or correct the outcome",
            severity="warning",
        ),
        *problem_at(
            frame,
            np.asarray(recorded.isna() & says.notna() & (frame["outcome"] != "open")),
            table=OPPS,
            column="outcome",
            what="closed, but history has no row that says so: the closure counts as known from closed_on",
            mend="add the closing row, or leave it: closures recorded late then look as if they were on time",
            severity="warning",
        ),
        *problem_at(
            frame,
            np.asarray(recorded < frame["closed_on"]),
            table=OPPS,
            column="closed_on",
            what="closed later than its closure was recorded; until that day the day of recording stands in",
            mend="correct closed_on if it is not meant so",
            severity="info",
        ),
    ]


_NEVER_FIXED = dict.fromkeys(("outcome", "closed_on", "lost_reason"), "known only when a deal closes")
_NEVER_FIXED |= dict.fromkeys(WORKED_OUT, "a figure that is worked out for each day")


def _fixed_columns(tables: Tables, company: Company) -> list[Problem]:
    columns = list(tables[OPPS].columns)
    return [
        Problem(
            table="company.toml",
            column="fixed_at_creation",
            what=f"there is no column {name!r} in opportunities",
            mend=f"correct the list; {nearest(name, columns)}",
        )
        for name in company.fixed_at_creation
        if name not in columns
    ] + [
        Problem(
            table="company.toml",
            column="fixed_at_creation",
            what=f"{name!r} is {_NEVER_FIXED[name]}",
            mend="take it out of the list, or give a column of your own another name",
        )
        for name in company.fixed_at_creation
        if name in _NEVER_FIXED
    ]


def _beyond_the_end(tables: Tables, company: Company) -> list[Problem]:
    if company.extracted_on is None:
        return []
    day = company.extracted_on
    after = (day + pd.Timedelta(days=1)).tz_localize(company.timezone, ambiguous=True, nonexistent="shift_forward")
    found = []
    for table, columns in HAPPENED.items():
        for column in columns:
            if table in tables and column in tables[table]:
                frame = tables[table]
                found += problem_at(
                    frame,
                    np.asarray(frame[column] >= after if column == "recorded_at" else frame[column] > day),
                    table=table,
                    column=column,
                    what=f"later than extracted_on, {day:%Y-%m-%d}",
                    mend="correct the date, or extracted_on in company.toml",
                )
    return found


def _leads(tables: Tables) -> list[Problem]:
    frame = tables.get("leads")
    if frame is None:
        return []
    found = []
    for column in ("worked_on", "qualified_on", "rejected_on"):
        if column in frame:
            found += problem_at(
                frame,
                np.asarray(frame[column] < frame["created_on"]),
                table="leads",
                column=column,
                what="before the lead came in",
                mend="correct it or created_on",
                severity="warning",
            )
    if "opportunity_id" in frame:
        known = places(frame["opportunity_id"], tables[OPPS]["opportunity_id"]) >= 0
        found += problem_at(
            frame,
            ~known & np.asarray(frame["opportunity_id"].notna()),
            table="leads",
            column="opportunity_id",
            what="opportunities that are not in opportunities; the lead counts without one",
            mend="correct it, or leave it empty",
            severity="warning",
        )
    return found


def _segments(tables: Tables) -> list[Problem]:
    """Say which segments of other tables no opportunity has: most often a spelling."""
    known = set(tables[OPPS]["segment"].dropna().unique())
    if HISTORY in tables and "segment" in tables[HISTORY]:
        known |= set(tables[HISTORY]["segment"].dropna().unique())
    found = []
    for table, frame in tables.items():
        if table in (OPPS, HISTORY) or "segment" not in frame:
            continue
        unknown = sorted(set(frame["segment"].dropna().unique()) - known - {UNASSIGNED})
        if unknown:
            found += problem_at(
                frame,
                np.asarray(frame["segment"].isin(unknown)),
                table=table,
                column="segment",
                what=f"segments without any opportunity: {_quoted(unknown)}",
                mend=f"correct the spelling if it is one; {shortened(unknown[0])!r}: {nearest(unknown[0], known)}",
                severity="warning",
            )
    return found


def _submissions(tables: Tables) -> list[Problem]:
    """Say where categories exist and none is the one that counts: then no submitted forecast is scored."""
    frame = tables.get(submissions.TABLE)
    why = "" if frame is None else submissions.why_none_counts(frame)
    if frame is None or not why:
        return []
    return problem_at(
        frame,
        np.asarray(frame["category"].notna()),
        table=submissions.TABLE,
        column="category",
        what=f"{why}: no submitted forecast is scored",
        mend=f"call the category of the forecasts to be scored {submissions.COMMIT!r}, or leave the column out",
        severity="warning",
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(shortened(name)) for name in names[:3])


def _near(name: str, ids: pd.Series) -> str:
    """Return `nearest` among the identifiers that begin alike: comparing with all of them would take minutes."""
    alike = ids[ids.str.startswith(name[:2], na=False)].head(500)
    return did_you_mean(name, alike) or "nothing near it"
