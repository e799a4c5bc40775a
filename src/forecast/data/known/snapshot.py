"""A log -> what was known on a day, as tables.

Only `data/known` reads the log on behalf of the models: a model receives a `Snapshot`, so that rows of the future
cannot reach it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
import pandas as pd

from forecast import wording
from forecast.calendar import Calendar, period_label, period_labels
from forecast.data.codes import blanked, from_codes, places
from forecast.data.known.breaks import find_breaks
from forecast.data.known.broken import Breaks
from forecast.data.known.coding import LOST, OPEN, dates_of
from forecast.data.known.events import known_events
from forecast.data.known.ledger import KnownState, Ledger, ledger_of
from forecast.data.known.mended import mended, names_since
from forecast.data.known.places import known_hierarchy
from forecast.data.rates import at_rates_of
from forecast.data.schema import OUTCOMES, TABLES, Company, Log
from forecast.display import Told, counted, named
from forecast.errors import expect, shortened

_DECLARED = frozenset(column.name for column in TABLES["opportunities"].columns)


@dataclass(frozen=True, kw_only=True, repr=False)
class Snapshot(Told):
    """What was known at the end of a day, in the company's timezone.

    opportunities : one row an opportunity known, sorted by opportunity_id: opportunity_id, created_on, segment, stage,
        amount (reporting currency), expected_close_on, outcome, closed_on (empty unless known closed), stage_since (day
        the current stage was entered), slips (times expected_close_on had moved later; empty where history is silent),
        then the optional columns, those listed in `fixed_at_creation` and those that history carries; last the
        company's own columns that are neither, which are empty on any day but the log's last one: nobody knows what
        they held.
    own_columns : opportunity_id and these columns as they stood when the data were extracted, **not as of the day**, a
        row an opportunity known; None where there are none, and in what a model of one's own is given.
    history : every row of history recorded by then, sorted by opportunity_id, recorded_at: also recorded_on (local
        day), outcome (of the stage), amount in the reporting currency. None where the company has none.
    stages : stage, position, outcome, [probability, is_proposal]; derived where the company gives none.
    stage_changes : names that stages had got by then.
    leads, marketing, submitted_forecasts, plan, joint_planning, quotas, costs, delivery : as known; None where absent.
    events : those announced or begun by then, each once; `to` is empty where it lies ahead and was not announced.
    hierarchy : the rows that had begun by then; `to` is empty where it lies ahead.
    segments : of the known opportunities, sorted.
    notes : sentences: what this snapshot cannot say, and which table would bring it.

    Treat the frames as read-only.

    Examples
    --------
    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2025-06-30")
    >>> len(snap.segments), snap.has_history, snap.at_month_end
    (12, True, True)
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
    events: pd.DataFrame | None
    stage_changes: pd.DataFrame | None = None
    hierarchy: pd.DataFrame | None = None
    own_columns: pd.DataFrame | None = None
    segments: tuple[str, ...]
    has_history: bool
    notes: tuple[str, ...]

    def _told(self) -> tuple[str, dict[str, str]]:
        """Return what a snapshot shows of itself."""
        outcomes = self.opportunities["outcome"].value_counts()
        counts = ", ".join(f"{int(outcomes.get(name, 0)):,} {name}" for name in OUTCOMES)
        tables = ("history", "leads", "marketing", "submitted_forecasts", "plan", "quotas", "events")
        facts = {
            "opportunities": f"{len(self.opportunities):,}: {counts}",
            "segments": named(self.segments),
            "known then": counted({name: getattr(self, name) for name in tables}),
            "notes": f"{len(self.notes):,} in snap.notes" if self.notes else "",
            "next": "forecast.forecast_bookings(snap), forecast.win_probabilities(snap)",
        }
        return f"Snapshot of {self.company.name} on {self.as_of:%Y-%m-%d}", facts

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

    def targets(self, months: int) -> list[str]:
        """Return the months to forecast, as they are written: the next `months`, after the one in progress if any.

        >>> snapshot(log, as_of="2026-10-31").targets(2)  # doctest: +SKIP
        ['2026-11', '2026-12']
        """
        return period_labels(range(self.period + self.at_month_end, self.period + months + 1))

    @cached_property
    def breaks(self) -> Breaks:
        """The breaks in the record that were known by then."""
        return find_breaks(self._as_recorded.as_of(self.as_of), self.stages)

    @cached_property
    def ledger(self) -> Ledger:
        """What was recorded by then, sorted and coded, its breaks known: what a model walks through."""
        return mended(self._as_recorded, self.breaks, names=names_since(self.stage_changes, self.breaks))

    @cached_property
    def _as_recorded(self) -> Ledger:
        """The ledger before anything is done about its breaks."""
        stages = self.stages.sort_values(["position", "stage"])
        segments = set(self.segments)
        if self.history is not None and "segment" in self.history:
            segments |= set(self.history["segment"].dropna().unique())  # one may have lost its last deal since
        return Ledger.of(
            company=self.company,
            last_day=self.as_of,
            opportunities=self.opportunities,
            history=self.history if self.has_history else None,
            segments=tuple(sorted(segments)),
            stages=tuple(stages.loc[stages["outcome"] == "open", "stage"]),
            tables={
                "events": self.events,
                "marketing": self.marketing,
                "submitted_forecasts": self.submitted_forecasts,
                "plan": self.plan,
                "joint_planning": self.joint_planning,
                "hierarchy": self.hierarchy,
            },
        )

    @property
    def state(self) -> KnownState:
        """The same knowledge as arrays."""
        return self.ledger.as_of(self.as_of)


def snapshot(log: Log, *, as_of: str | pd.Timestamp, ledger: Ledger | None = None) -> Snapshot:
    """Return what was known at the end of a day in the company's timezone.

    Parameters
    ----------
    log : a validated log.
    as_of : a day such as 2026-10-31, or a month such as 2026-10, which means its last day.
    ledger : the log's, where there is one already.

    Raises
    ------
    ParameterError : as_of is no date, later than the log's last day, or earlier than its first record; log is none.

    Examples
    --------
    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2025-06-30")
    >>> snap.opportunities["outcome"].value_counts().to_dict()
    {'lost': 7781, 'won': 6275, 'open': 1034}
    """
    expect(log, Log, call="snapshot", mend='forecast.snapshot(forecast.read("data/sample"), as_of=…)')
    asked = log.company.periods.parse_day(as_of)
    if asked in log.kept:
        return cast("Snapshot", log.kept[asked])
    at = at_rates_of(log, asked)
    if at is not log:  # a ledger of the log as it is would be at the rates of its last day
        log, ledger = at, None
    # A copy of the ledger: what is worked out for the frames of one day is let go with them.
    state = (ledger_of(log) if ledger is None else replace(ledger)).as_of(as_of)
    day = state.as_of
    history, opportunities = _history(state), opportunities_of(state)
    own = _own_columns(state)
    ended = _Ended(state.last_complete)
    return Snapshot(
        as_of=day,
        company=log.company,
        opportunities=opportunities if own is None else _with_own(opportunities, own, known=state.is_last),
        history=history,
        stages=_stages(log, opportunities, history),
        marketing=ended.rows(log.get("marketing")),
        submitted_forecasts=_by(log.get("submitted_forecasts"), "submitted_on", day),
        plan=_copy(log.get("plan")),
        joint_planning=_starts(log.get("joint_planning"), day),
        quotas=_copy(log.get("quotas")),
        costs=ended.rows(log.get("costs")),
        delivery=ended.blank(log.get("delivery"), ["delivered_on_time", "satisfaction"]),
        events=known_events(log.get("events"), day=day),
        stage_changes=_by(log.get("stage_changes"), "from", day),
        hierarchy=known_hierarchy(log.get("hierarchy"), day=day),
        segments=tuple(sorted(opportunities["segment"].unique())),
        own_columns=own,
        has_history=history is not None,
        notes=(*_notes(log, opportunities, history, day), *_note_of_own(own, is_last=state.is_last)),
        leads=_leads(log.get("leads"), opportunities, day, is_last=state.is_last),
    )


def expect_snapshot(given: object, *, call: str) -> None:
    """Raise ParameterError where a model was given something else than a snapshot, such as a log."""
    expect(given, Snapshot, call=call, mend="a snapshot: forecast.snapshot(log, as_of=…)")


def keep_snapshot(log: Log, snap: Snapshot) -> None:
    """Let `snapshot` hand out this one whenever it is asked for its day of this log, with all worked out on it."""
    log.kept[snap.as_of] = snap


# -- opportunities and history -----------------------------------------------------------------------------


def _history(state: KnownState) -> pd.DataFrame | None:
    """Return the rows of history recorded by then, None where the company has none."""
    ledger = state.ledger
    if not ledger.has_history:
        return None
    known = ledger.day <= state.day
    # Where everything is known the log's own columns do; pandas copies them once somebody writes.
    return ledger.history.copy(deep=False) if known.all() else ledger.history[known].reset_index(drop=True)


def opportunities_of(state: KnownState) -> pd.DataFrame:
    """Return one row an opportunity known at the end of a day, with what was then known of it; see `Snapshot`."""
    ledger = state.ledger
    base, closed = ledger.opportunities, state.outcome != OPEN
    rows = np.where(state.known, state.last_row, -1)
    changing = dict.fromkeys(("stage", "expected_close_on", *ledger.recorded_columns))
    current = {name: _as_known(state, name, rows) for name in changing if name != "amount"}
    outcome = from_codes(state.outcome, OUTCOMES)
    has_row = np.flatnonzero(rows >= 0)
    stage_since, slips = np.full(len(base), np.datetime64("NaT", "us")), np.full(len(base), np.nan)
    stage_since[has_row] = dates_of(ledger.since(rows[has_row]))
    slips[has_row] = ledger.slips[rows[has_row]]
    columns: dict[str, object] = {
        "opportunity_id": base["opportunity_id"],
        "created_on": base["created_on"],
        "segment": current.get("segment", base["segment"]),
        "stage": current["stage"],
        "amount": state.amount,
        "expected_close_on": current["expected_close_on"],
        "outcome": outcome,
        "closed_on": dates_of(state.closed_on),
        "stage_since": stage_since,
        "slips": slips,
    }
    columns |= {name: base[name] for name in ledger.fixed_columns}
    columns |= {name: column for name, column in current.items() if name not in columns}
    if "lost_reason" in base and "lost_reason" not in columns:
        columns["lost_reason"] = blanked(base["lost_reason"], state.outcome == LOST)
    for name in ("promised_on", "delivered_on"):
        if name in base and name not in columns:
            columns[name] = blanked(base[name], closed & (base[name] <= state.as_of).to_numpy())
    frame = pd.DataFrame(columns, copy=False)
    return frame if state.known.all() else frame[state.known].reset_index(drop=True)


def _own_columns(state: KnownState) -> pd.DataFrame | None:
    """Return the company's own columns without a past, of the deals known; None where there are none."""
    names = state.ledger.own_columns
    if not names:
        return None
    frame = state.ledger.opportunities[["opportunity_id", *names]]
    return frame if state.known.all() else frame[state.known].reset_index(drop=True)


def _with_own(opportunities: pd.DataFrame, own: pd.DataFrame, *, known: bool) -> pd.DataFrame:
    """Return opportunities with the company's own columns, which are empty where their values are not known."""
    keep = np.full(len(own), known)
    columns = {name: blanked(own[name], keep) for name in own if name != "opportunity_id"}
    return pd.concat([opportunities, pd.DataFrame(columns, copy=False)], axis=1)


def _as_known(state: KnownState, name: str, rows: np.ndarray) -> pd.Series:
    """Return a column that changes as a deal goes on; `rows` are the deals' last rows of history, -1 without one.

    Simple case: it is as the last row says. The complications: of a deal without rows only creation and closure are
    known, so that today's value is shown once it is closed, since closing settles it, or on the last day; a column of
    the company's own may be written after that, and is shown on the last day alone; a deal that no row closes has
    today's stage once its closing day has come.
    """
    ledger, closed, rowless = state.ledger, state.outcome != OPEN, rows < 0
    from_creation = name == "segment" or name in ledger.company.fixed_at_creation
    settled = closed & (name in _DECLARED)
    as_today = rowless & (settled | state.is_last | from_creation)
    if name not in ledger.recorded_columns:
        return blanked(ledger.opportunities[name], as_today)
    if name == "stage":
        as_today |= closed & ledger.closes_without_row
    column = pd.Series(ledger.history[name].array.take(rows, allow_fill=True))
    if name not in ledger.opportunities or not as_today.any():
        return column
    return column.mask(as_today, ledger.opportunities[name])


# -- the other tables --------------------------------------------------------------------------------------


class _Ended:
    """Which periods had ended on a day: a period is known on its last day."""

    def __init__(self, last: int) -> None:
        """Take the last period that had ended."""
        self.last = last

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


def _starts(frame: pd.DataFrame | None, day: pd.Timestamp) -> pd.DataFrame | None:
    """Return when segments begin to plan jointly, as known on a day: a later start only where it was announced."""
    if frame is None or "adopted_on" not in frame:
        return frame
    announced = frame["announced_on"] <= day if "announced_on" in frame else pd.Series(data=False, index=frame.index)
    known = (frame["adopted_on"] <= day) | announced
    out = _blank_later(frame, ["announced_on"], day)
    assert out is not None
    return (
        out if (known | frame["adopted_on"].isna()).all() else out.assign(adopted_on=frame["adopted_on"].where(known))
    )


def _leads(
    leads: pd.DataFrame | None, opportunities: pd.DataFrame, day: pd.Timestamp, *, is_last: bool
) -> pd.DataFrame | None:
    """Return the leads that had come in, each later date blank; their opportunity only once that is known.

    The company's own columns of leads have no history: they are empty on any day but the last.
    """
    known = _blank_later(_by(leads, "created_on", day), ["worked_on", "qualified_on", "rejected_on"], day)
    if known is not None and "opportunity_id" in known:
        there = places(known["opportunity_id"], opportunities["opportunity_id"]) >= 0
        if not (there | known["opportunity_id"].isna()).all():
            known["opportunity_id"] = known["opportunity_id"].where(there)
    own = [] if known is None or is_last else [name for name in known if TABLES["leads"].column(name) is None]
    if known is not None and own:
        known = known.assign(**{name: blanked(known[name], np.zeros(len(known), dtype=bool)) for name in own})
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
    outcomes = pd.Series([meaning.get(name, "open") for name in names], dtype="str")
    frame = pd.DataFrame({"stage": names, "outcome": outcomes})
    frame["share"] = frame["stage"].map(share).astype("float64")
    frame["rank"] = frame["outcome"].map({"open": 0, "won": 1, "lost": 2})
    frame = frame.sort_values(["rank", "share", "stage"], na_position="first", ignore_index=True)
    frame["position"] = np.arange(1.0, len(frame) + 1)
    return frame[["stage", "position", "outcome"]]


def past_due(deals: pd.DataFrame, *, as_of: pd.Timestamp) -> pd.Series:
    """Return which deals are open after their expected close date; a deal due on the day itself is not past due.

    deals : expected_close_on and outcome, as a snapshot of `as_of` has them; without outcome all are open. (n,) bool.
    """
    late = deals["expected_close_on"] < pd.Timestamp(as_of)
    return late & (deals["outcome"] == "open") if "outcome" in deals else late


def _meanings(frame: pd.DataFrame) -> dict[str, str]:
    """Return the outcome of the rows in each stage; stages whose rows have several are left out."""
    pairs = frame[["stage", "outcome"]].dropna().drop_duplicates()
    pairs = pairs[~pairs["stage"].duplicated(keep=False).to_numpy()]
    return dict(zip(pairs["stage"], pairs["outcome"], strict=True))


def _notes(log: Log, opportunities: pd.DataFrame, history: pd.DataFrame | None, day: pd.Timestamp) -> tuple[str, ...]:
    """Return what cannot be said, and which table would bring it."""
    notes = []
    fixed = "amount" in log.company.fixed_at_creation
    if history is None and day < log.extracted_on:
        words = {"amount": "amount", "expected_close_on": "expected close date"}
        hidden = ["stage", *(word for name, word in words.items() if name not in log.company.fixed_at_creation)]
        notes.append(
            f"There is no table opportunity_history: of the opportunities open on {wording.day(day)} only the creation "
            f"{'and the amount are' if fixed else 'is'} known, not the {' or the '.join(hidden)} of that day."
        )
    elif history is None:
        notes.append(
            "There is no table opportunity_history: this is the log's last day, so stage, amount and expected close "
            f"date are today's; of any earlier day only creation{', amount' if fixed else ''} and closure are known, "
            "and no forecast uses more."
        )
    elif silent := int(opportunities["stage_since"].isna().sum()):
        notes.append(
            f"opportunity_history has no row of {wording.plural(silent, 'opportunity')}: of these only "
            "creation and closure are known."
        )
    optional = ("opportunity_history", "currencies")
    notes += [f"There is no table {name}: {without}." for name, without in log.missing.items() if name not in optional]
    if "currencies" in log.missing:
        notes.append(f"There is no table currencies: {log.missing['currencies']}.")
    return tuple(notes)


def _note_of_own(own: pd.DataFrame | None, *, is_last: bool) -> list[str]:
    """Return what is to be said of own columns that are empty on this day."""
    if own is None or is_last:
        return []
    names = wording.joined([shortened(name) for name in own if name != "opportunity_id"], most=3)
    return [
        f"Of {names} only today's values are known, not those of the day: empty here, as extracted in own_columns; "
        "list what never changes in fixed_at_creation of company.toml."
    ]
