"""A log -> what was known on a day; settled actuals.

Only this module and its neighbours read the log on behalf of the models: a model receives a `Snapshot`, so that rows
of the future cannot reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, period_label
from forecast.data.codes import is_among
from forecast.data.known.changes import changes
from forecast.data.known.history import Archive, archive, as_known, known_history, known_opportunities
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.known.settled import settled_actuals
from forecast.data.schema import Company, Log
from forecast.errors import ParameterError

__all__ = ["Snapshot", "changes", "settled_actuals", "snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """What was known at the end of a day, in the company's timezone.

    opportunities : one row an opportunity known, sorted by opportunity_id: opportunity_id, created_on, segment, stage,
        amount (reporting currency), expected_close_on, outcome, closed_on (empty unless known closed), stage_since (day
        the current stage was entered), slips (times expected_close_on had moved later; empty where history is silent),
        then the optional columns, those listed in `fixed_at_creation` and those that history carries.
    history : every row of history recorded by then, sorted by opportunity_id, recorded_at: also recorded_on (local
        day), outcome (of the stage), amount in the reporting currency. None where the company has none.
    stages : stage, position, outcome, [probability, is_proposal]; derived where the company gives none.
    leads, marketing, submitted_forecasts, plan, joint_planning, quotas, costs, delivery : as known; None where absent.
    segments : of the known opportunities, sorted.
    notes : sentences: what this snapshot cannot say, and which table would bring it.

    Treat the frames as read-only.
    """

    as_of: pd.Timestamp
    company: Company
    opportunities: pd.DataFrame
    history: pd.DataFrame | None
    stages: pd.DataFrame
    leads: pd.DataFrame | None
    marketing: pd.DataFrame | None
    submitted_forecasts: pd.DataFrame | None
    plan: pd.DataFrame | None
    joint_planning: pd.DataFrame | None
    quotas: pd.DataFrame | None
    costs: pd.DataFrame | None
    delivery: pd.DataFrame | None
    segments: tuple[str, ...]
    has_history: bool
    notes: tuple[str, ...]

    @property
    def calendar(self) -> Calendar:
        """The company's calendar."""
        return self.company.periods

    @property
    def period(self) -> int:
        """The period as_of lies in."""
        return self.calendar.period(self.as_of)

    @property
    def at_month_end(self) -> bool:
        """Whether as_of is the last day of its period, so that no month is in progress."""
        return self.as_of == self.calendar.end(self.period)

    @cached_property
    def ledger(self) -> Ledger:
        """What was recorded by then, sorted and coded: what a model walks through."""
        return Ledger(
            company=self.company,
            last_day=self.as_of,
            opportunities=self.opportunities,
            history=self.history if self.has_history else None,
            stages=self.stages,
            segments=self.segments,
            tables={
                "marketing": self.marketing,
                "submitted_forecasts": self.submitted_forecasts,
                "plan": self.plan,
            },
        )

    @property
    def state(self) -> KnownState:
        """The same knowledge as arrays."""
        return self.ledger.as_of(self.as_of)


def snapshot(log: Log, *, as_of: str | pd.Timestamp, kept: Archive | None = None) -> Snapshot:
    """Return what was known at the end of a day in the company's timezone.

    Parameters
    ----------
    log : a validated log.
    as_of : a day such as 2026-10-31, or a month such as 2026-10, which means its last day.
    kept : the log's archive, where there is one already.

    Raises
    ------
    ParameterError : as_of is no date, later than the log's last day, or earlier than its first record.
    """
    company = log.company
    day = company.periods.parse_day(as_of)
    if day > log.extracted_on:
        raise ParameterError(
            f"as_of {day:%Y-%m-%d} is later than the log's last day, {log.extracted_on:%Y-%m-%d}; "
            "what happened since is not in it"
        )
    kept = as_known(log, archive(log) if kept is None else kept, day)
    history, rows = known_history(log, kept, day)
    opportunities = known_opportunities(log, kept, rows, day)
    if opportunities.empty:
        first = kept.opportunities["created_on"][~kept.has_rows].min()
        if len(kept.recorded_on):
            recorded = pd.Timestamp(kept.recorded_on.min())
            first = recorded if pd.isna(first) else min(first, recorded)
        raise ParameterError(
            f"as_of {day:%Y-%m-%d} is earlier than the log's first record, {first:%Y-%m-%d}: nothing was known"
        )
    ended = _Ended(company.periods, day)
    return Snapshot(
        as_of=day,
        company=company,
        opportunities=opportunities,
        history=history,
        stages=_stages(log, opportunities, history),
        leads=_leads(log.get("leads"), opportunities, day),
        marketing=ended.rows(log.get("marketing")),
        submitted_forecasts=_by(log.get("submitted_forecasts"), "submitted_on", day),
        plan=_copy(log.get("plan")),
        joint_planning=_blank_later(log.get("joint_planning"), ["adopted_on"], day),
        quotas=_copy(log.get("quotas")),
        costs=ended.rows(log.get("costs")),
        delivery=ended.blank(log.get("delivery"), ["delivered_on_time", "satisfaction"]),
        segments=tuple(sorted(opportunities["segment"].unique())),
        has_history=history is not None,
        notes=_notes(log, opportunities, history, day),
    )


class _Ended:
    """Which periods had ended on a day: a period is known on its last day."""

    def __init__(self, calendar: Calendar, day: pd.Timestamp) -> None:
        period = calendar.period(day)
        self.last = period if day == calendar.end(period) else period - 1

    def mask(self, periods: pd.Series) -> np.ndarray:
        """Return which of the labels are of periods that had ended; labels sort as periods do."""
        return np.asarray(periods <= period_label(self.last))

    def rows(self, frame: pd.DataFrame | None) -> pd.DataFrame | None:
        return None if frame is None else frame[self.mask(frame["period"])].reset_index(drop=True)

    def blank(self, frame: pd.DataFrame | None, columns: list[str]) -> pd.DataFrame | None:
        if frame is None:
            return None
        out = frame.copy()
        for name in columns:
            if name in out:
                out[name] = out[name].where(self.mask(out["period"]))
        return out


def _copy(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    return None if frame is None else frame.copy(deep=False)


def _by(frame: pd.DataFrame | None, column: str, day: pd.Timestamp) -> pd.DataFrame | None:
    if frame is None:
        return None
    known = frame[column] <= day
    return frame if known.all() else frame[known].reset_index(drop=True)


def _blank_later(frame: pd.DataFrame | None, columns: list[str], day: pd.Timestamp) -> pd.DataFrame | None:
    if frame is None:
        return None
    later = [name for name in columns if name in frame and (frame[name] > day).any()]
    return frame.assign(**{name: frame[name].where(frame[name] <= day) for name in later})


def _leads(leads: pd.DataFrame | None, opportunities: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame | None:
    """Return the leads that had come in, each later date blank; their opportunity only once that is known."""
    known = _blank_later(_by(leads, "created_on", day), ["worked_on", "qualified_on", "rejected_on"], day)
    if known is not None and "opportunity_id" in known:
        there = is_among(known["opportunity_id"], opportunities["opportunity_id"])
        if not (there | known["opportunity_id"].isna()).all():
            known["opportunity_id"] = known["opportunity_id"].where(there)
    return known


def _stages(log: Log, opportunities: pd.DataFrame, history: pd.DataFrame | None) -> pd.DataFrame:
    """Return the company's stages, or those seen so far, ordered by the share of known closures they led to a win."""
    given = log.get("stages")
    if given is not None:
        return given.sort_values("position", ignore_index=True)
    meaning = _meanings(opportunities) | ({} if history is None else _meanings(history))
    seen = opportunities[["opportunity_id", "stage"]]
    if history is not None:
        seen = pd.concat([seen, history[["opportunity_id", "stage"]]])
    seen = seen.dropna().drop_duplicates()
    outcome = opportunities.set_index("opportunity_id")["outcome"]
    visits = seen.assign(ended=seen["opportunity_id"].map(outcome))
    visits = visits[visits["ended"] != "open"]
    share = (visits["ended"] == "won").groupby(visits["stage"]).mean()
    names = pd.Series(sorted(seen["stage"].unique()), dtype="str")
    frame = pd.DataFrame({"stage": names, "outcome": names.map(meaning).fillna("open").astype("str")})
    frame["share"] = frame["stage"].map(share).astype("float64")
    frame["rank"] = frame["outcome"].map({"open": 0, "won": 1, "lost": 2})
    frame = frame.sort_values(["rank", "share", "stage"], na_position="first", ignore_index=True)
    frame["position"] = np.arange(1.0, len(frame) + 1)
    return frame[["stage", "position", "outcome"]]


def _meanings(frame: pd.DataFrame) -> dict[str, str]:
    """Return the outcome of the rows in each stage; stages whose rows have several are left out."""
    pairs = frame[["stage", "outcome"]].dropna().drop_duplicates()
    pairs = pairs[~pairs["stage"].duplicated(keep=False).to_numpy()]
    return dict(zip(pairs["stage"], pairs["outcome"], strict=True))


def _notes(log: Log, opportunities: pd.DataFrame, history: pd.DataFrame | None, day: pd.Timestamp) -> tuple[str, ...]:
    """Return what cannot be said, and which table would bring it."""
    notes = []
    if history is None and day < log.extracted_on:
        words = {"amount": "amount", "expected_close_on": "expected close date"}
        hidden = ["stage", *(word for name, word in words.items() if name not in log.company.fixed_at_creation)]
        notes.append(
            f"There is no table opportunity_history: of the opportunities open on {day:%Y-%m-%d} only the creation "
            f"is known, not the {' or the '.join(hidden)} of that day."
        )
    elif history is None:
        notes.append(
            "There is no table opportunity_history: this is the log's last day, so stage, amount and expected close "
            "date are today's; of any earlier day only creation and closure are known."
        )
    elif silent := int(opportunities["stage_since"].isna().sum()):
        notes.append(
            f"opportunity_history has no row of {silent:,} opportunities: of these only creation and closure are known."
        )
    optional = ("opportunity_history", "currencies")
    notes += [f"There is no table {name}: {without}." for name, without in log.missing.items() if name not in optional]
    if "currencies" in log.missing and "currency" in log.opportunities:
        notes.append(f"There is no table currencies: {log.missing['currencies']}.")
    return tuple(notes)
