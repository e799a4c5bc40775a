"""When deals set out and where they ended, as far as a snapshot knows: what close rates and the funnel are made from.

A journey begins on a day (created, first proposal, in commit on the first day of a month) and comes to an end: won,
lost, ended without a decision, or still open. All is followed to the last day of the last settled month, so that what
is recorded a few days late is not taken for still open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, period_label
from forecast.data.codes import by_level, dictionary_of, places
from forecast.data.known.coding import codes_of
from forecast.data.known.snapshot import Snapshot

OPEN, WON, LOST, UNDECIDED = 0, 1, 2, 3
"""Where a deal stands; UNDECIDED = recorded lost, for a reason that says nothing was decided."""

NO_DECISION = r"no[ -]?decision|undecided|status quo|abandon|no response|went dark"
"""Reasons of a loss that say so."""

COMMIT = "commit"
_NAT = np.datetime64("NaT", "D")


@dataclass(frozen=True, kw_only=True)
class Journeys:
    """n journeys. start, end : (n,) days, end = NaT where still open. ended : (n,) codes, -1 = not to be used. amount :
    (n,) in the reporting currency, NaN where not known. segment : (n,) places in `segments`. until : the day all are
    followed to."""

    start: np.ndarray
    end: np.ndarray
    ended: np.ndarray
    amount: np.ndarray
    segment: np.ndarray
    segments: tuple[str, ...]
    until: np.datetime64

    def __len__(self) -> int:
        return len(self.start)

    @property
    def followed(self) -> np.ndarray:
        """How many days each could have been seen, ended or not; (n,)."""
        return (self.until - self.start).astype(np.float64)

    @property
    def days(self) -> np.ndarray:
        """How many days each was under way; (n,)."""
        last = np.where(np.isnat(self.end), self.until, self.end)
        return np.maximum((last - self.start).astype(np.float64), 0.0)

    def take(self, rows: np.ndarray) -> Journeys:
        """Return some of them; rows : places, or a mask."""
        names = ("start", "end", "ended", "amount", "segment")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def with_ends(self, ended: np.ndarray) -> Journeys:
        """Return the same with other codes of where they ended; (n,)."""
        return replace(self, ended=ended)

    def setting_out(self, first: np.datetime64, last: np.datetime64 | None = None) -> Journeys:
        """Return those that set out from a day on, until another (inclusive)."""
        return self.take((self.start >= first) & (self.start <= (self.until if last is None else last)))

    def of(self, segment: str | None) -> Journeys:
        """Return those of one segment; None = all."""
        return self if segment is None else self.take(self.segment == self.segments.index(segment))

    def valued(self) -> Journeys:
        """Return those with an amount above 0."""
        return self.take(np.nan_to_num(self.amount) > 0)


def days_of(dates: pd.Series) -> np.ndarray:
    """Return dates as days, (n,) datetime64[D]."""
    return dates.to_numpy().astype("datetime64[D]")


def followed_until(snap: Snapshot) -> np.datetime64:
    """Return the last day of the last settled month."""
    last = snap.calendar.last_settled(snap.as_of, settle_days=snap.company.settle_days)
    return np.datetime64(snap.calendar.end(last), "D")


def since_creation(snap: Snapshot) -> Journeys:
    """Return every deal from its creation on, one each of `snap.opportunities` created by the day all are followed to.

    A deal closed on a day that is not known is left out; one closed before it was created closed on that day.
    """
    deals, until = snap.opportunities, followed_until(snap)
    start, closed = days_of(deals["created_on"]), days_of(deals["closed_on"])
    outcome = deals["outcome"].to_numpy()
    ended = np.select([outcome == "won", outcome == "lost"], [WON, LOST], OPEN)
    if has_reasons(snap):
        undecided = deals["lost_reason"].astype("str").str.contains(NO_DECISION, case=False, regex=True)
        ended = np.where((ended == LOST) & undecided.fillna(value=False).to_numpy(dtype=bool), UNDECIDED, ended)
    use = ~np.isnat(start) & (start <= until) & ((ended == OPEN) | ~np.isnat(closed))
    ended = np.where(closed > until, OPEN, ended)
    return Journeys(
        start=np.where(use, start, until),
        end=np.where(ended == OPEN, _NAT, np.maximum(closed, start)),
        ended=np.where(use, ended, -1),
        amount=deals["amount"].to_numpy(dtype=np.float64),
        segment=codes_of(deals["segment"], snap.segments).astype(np.int64),
        segments=snap.segments,
        until=until,
    )


def has_reasons(snap: Snapshot) -> bool:
    """Return whether any loss has a reason."""
    deals = snap.opportunities
    return "lost_reason" in deals and bool(deals["lost_reason"].notna().any())


def starting_on(deals: Journeys, start: np.ndarray) -> Journeys:
    """Return the journeys that set out on other days, without those that have none or had ended by then.

    deals : as `since_creation` gives them. start : (n,) days, NaT = never.
    """
    known = ~np.isnat(start) & (start <= deals.until) & (deals.ended >= 0)
    gone = ~np.isnat(deals.end) & (deals.end < start)
    return replace(deals, start=np.where(known, start, deals.until)).take(known & ~gone)


def proposal_stages(snap: Snapshot) -> list[str]:
    """Return the stages of a proposal, and the open ones after them; none where `is_proposal` does not say."""
    stages = snap.stages
    if "is_proposal" not in stages.columns:
        return []
    proposal = stages["is_proposal"].astype("str").str.strip().str.lower().isin(["true", "yes", "1", "1.0"])
    if not proposal.any():
        return []
    later = stages["position"] >= stages.loc[proposal, "position"].min()
    return list(stages.loc[proposal | (later & (stages["outcome"] == "open")), "stage"])


def first_proposal(snap: Snapshot) -> np.ndarray | None:
    """Return the day on which each deal first had a proposal out, NaT = never; None where the tables do not say."""
    names = proposal_stages(snap)
    if snap.history is None or not names:
        return None
    place = places(snap.history["opportunity_id"], snap.opportunities["opportunity_id"])
    rows = np.flatnonzero((codes_of(snap.history["stage"], tuple(names)) >= 0) & (place >= 0))
    day = days_of(snap.history["recorded_on"].iloc[rows])
    return _first_by(place[rows], day, len(snap.opportunities))


def commit_on_day_one(snap: Snapshot) -> tuple[np.ndarray, np.ndarray] | None:
    """Return when deals stood in commit on the first day of a month; None where history has no forecast category.

    Two arrays (n,): the first such day, NaT = never; and whether the deal stood so on the first day of the month in
    which it closed. What stands at the end of the day counts.
    """
    history = snap.history
    if history is None or "forecast_category" not in history or not history["forecast_category"].notna().any():
        return None
    deals, calendar = snap.opportunities, snap.calendar
    whose = places(history["opportunity_id"], deals["opportunity_id"])
    recorded = history["recorded_on"].to_numpy()
    rows = np.flatnonzero(_is_commit(history["forecast_category"]) & (whose >= 0))
    # A row stands until the deal's next one, or until the deal is closed.
    following = np.minimum(rows + 1, len(whose) - 1)
    place, since = whose[rows], recorded[rows].astype("datetime64[D]")
    same = (whose[following] == place) & (following > rows)
    closed = days_of(deals["closed_on"])
    end = np.where(np.isnat(closed), np.datetime64("9999-12-31", "D"), closed)[place]
    to = np.where(same, np.minimum(recorded[following].astype("datetime64[D]"), end), end)
    day = _next_first(calendar, since)

    stood = (day < to) & (day <= np.datetime64(snap.as_of, "D"))
    out = _first_by(place[stood], day[stood], len(deals))

    closing = np.full(len(deals), _NAT)
    known = ~np.isnat(closed)
    closing[known] = _first_of(calendar, calendar.period_of(deals["closed_on"])[known])
    then = (since <= closing[place]) & (closing[place] < to)
    at_closing = np.zeros(len(deals), dtype=bool)
    at_closing[place[then]] = True
    return out, at_closing


def _is_commit(category: pd.Series) -> np.ndarray:
    """Return which rows are in commit, (n,) bool; each different text is looked at once."""
    held = dictionary_of(category.astype("str"))
    levels = pd.Series(held.dictionary.to_pylist(), dtype="str").str.strip().str.lower()
    return by_level(held, (levels == COMMIT).to_numpy(dtype=bool), missing=False)


def _first_by(place: np.ndarray, day: np.ndarray, n: int) -> np.ndarray:
    """Return the first day at each of n places, NaT where there is none; place, day : (k,)."""
    out, none, known = np.full(n, np.iinfo(np.int64).max), _NAT.view(np.int64), ~np.isnat(day)
    np.minimum.at(out, place[known], day[known].view(np.int64))
    out[out == np.iinfo(np.int64).max] = none
    return out.view("datetime64[D]")


def _next_first(calendar: Calendar, days: np.ndarray) -> np.ndarray:
    """Return the first day of a month on or after each day."""
    periods = calendar.period_of(pd.DatetimeIndex(days.astype("datetime64[us]")))
    first = _first_of(calendar, periods)
    return np.where(first == days, first, _first_of(calendar, periods + 1))


def _first_of(calendar: Calendar, periods: np.ndarray) -> np.ndarray:
    names, codes = np.unique(periods, return_inverse=True)
    return np.array([calendar.start(int(period)) for period in names], dtype="datetime64[D]")[codes]


def first_cohort(snap: Snapshot, months: int, *, begins: int | None = None) -> np.datetime64:
    """Return the first day of the cohorts of the last months, none before a month: where closures were recorded."""
    calendar = snap.calendar
    last = calendar.period(followed_until(snap))
    begins = record_begins(snap) if begins is None else begins
    return np.datetime64(calendar.start(min(max(last - months + 1, begins), last)), "D")


def record_begins(snap: Snapshot) -> int:
    """Return the first month whose deals and closures are recorded."""
    begins = snap.calendar.period(snap.opportunities["created_on"].min())
    return max(begins, snap.ledger.as_of(snap.as_of).closures_recorded_from)


def months_named(snap: Snapshot, first: np.datetime64, last: np.datetime64) -> tuple[str, str]:
    """Return the periods of two days as text."""
    return tuple(period_label(snap.calendar.period(pd.Timestamp(day))) for day in (first, last))  # type: ignore[return-value]
