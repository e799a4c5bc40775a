"""The as-of rules for opportunities: which rows of the log were recorded by the end of a day, and what they say.

Everything is integer and array work on the history sorted by opportunity and time, so that a snapshot of a hundred
thousand rows of history takes some tens of milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.data.codes import blanked, from_codes, places, ranks
from forecast.data.schema import OUTCOMES, Log

OPEN, WON, LOST = range(3)
_DAY_LENGTH = 86_400_000_000
"""Microseconds."""
_NOWHEN = np.datetime64("NaT", "us")

FIXED = ("type", "lead_source", "product", "owner", "account_id", "lead_score", "currency", "units")
"""The optional columns of `opportunities` that count as fixed at creation unless history carries them."""

_SOME = 0.1
_STATE = ("stage", "amount", "expected_close_on")


@dataclass(frozen=True)
class Archive:
    """A log's opportunities and history, sorted and joined by position.

    opportunities : (n) sorted by opportunity_id.
    history : (m) all rows, sorted by opportunity, then recorded_at; None where the company has none.
    position : (m,) row of `opportunities` each history row belongs to.
    recorded_on : (m,) datetime64[us], the day of recorded_at in the company's timezone.
    stage, outcome : (m,) a number for the row's stage; int8, OPEN, WON or LOST: what that stage means.
    today : (n,) int8, the outcome in `opportunities`.
    amount, history_amount : (n,) and (m,) in the reporting currency.
    has_rows : (n,) whether history has any row of the opportunity; says_closure : (n,) any row in a closing stage.
    last_run : (n,) the row at which the outcome that stood in the end began, -1 without history: what
        `opportunities` says of the closure belongs to this one.
    """

    opportunities: pd.DataFrame
    history: pd.DataFrame | None
    position: np.ndarray
    recorded_on: np.ndarray
    stage: np.ndarray
    outcome: np.ndarray
    today: np.ndarray
    amount: np.ndarray
    history_amount: np.ndarray
    has_rows: np.ndarray
    says_closure: np.ndarray
    last_run: np.ndarray


def archive(log: Log) -> Archive:
    """Sort and join a log's opportunities and history."""
    opportunities = log.opportunities
    ids = opportunities["opportunity_id"]
    if not ids.is_monotonic_increasing:
        opportunities = opportunities.sort_values("opportunity_id", ignore_index=True)
        ids = opportunities["opportunity_id"]
    n = len(opportunities)
    today = places(opportunities["outcome"], list(OUTCOMES)).astype(np.int8)
    amount = in_reporting_currency(log, opportunities["amount"], opportunities.get("currency"))
    history = log.get("opportunity_history")
    if history is None:
        none = np.zeros(0)
        no = np.zeros(n, dtype=bool)
        return Archive(
            opportunities,
            None,
            none.astype(np.int64),
            none.astype("datetime64[us]"),
            none.astype(np.int64),
            none.astype(np.int8),
            today,
            amount,
            none,
            no,
            no,
            np.full(n, -1),
        )
    position = places(history["opportunity_id"], ids)
    when = ranks(history["recorded_at"])
    belongs = position >= 0
    in_order = belongs[:-1] & (
        (position[1:] > position[:-1]) | ((position[1:] == position[:-1]) & (when[1:] >= when[:-1]))
    )
    if not (in_order.all() and belongs.all()):
        order = np.lexsort((when, position))
        order = order[belongs[order]]
        history, position = history.take(order), position[order]
    del when, belongs, in_order
    recorded_on = _local_days(history["recorded_at"], log.company.timezone)
    stages = stage_outcomes(log)
    stage = places(history["stage"], list(stages)).astype(np.int16)
    meaning = np.array([OUTCOMES.index(value) for value in stages.values()] + [OPEN], dtype=np.int8)
    outcome = meaning[stage]
    currency = history.get("currency")
    if currency is None and "currency" in opportunities:
        currency = pd.Series(opportunities["currency"].array.take(position))
    return Archive(
        opportunities,
        history,
        position,
        recorded_on,
        stage,
        outcome,
        today,
        amount,
        in_reporting_currency(log, history["amount"], currency),
        np.bincount(position, minlength=n) > 0,
        np.bincount(position[outcome != OPEN], minlength=n) > 0,
        _last_run(position, outcome, n),
    )


def _last_run(position: np.ndarray, outcome: np.ndarray, n: int) -> np.ndarray:
    """Return the first row of the last run of equal outcomes of each opportunity, -1 where it has no row; (n,)."""
    new = np.ones(len(position), dtype=bool)
    new[1:] = (position[1:] != position[:-1]) | (outcome[1:] != outcome[:-1])
    start = np.flatnonzero(new)
    out = np.full(n, -1, dtype=np.int32)
    out[position[start]] = start  # in order of time, so the last one stays
    return out


def stage_outcomes(log: Log) -> dict[str, str]:
    """Return what each stage means: from `stages`, or else from the opportunities that stand in it.

    Without `stages` a stage is won (lost) where all opportunities in it are, and most that came into it stayed.
    """
    stages = log.get("stages")
    if stages is not None:
        return dict(zip(stages["stage"], stages["outcome"], strict=True))
    frame = log.opportunities[["stage", "outcome"]].drop_duplicates()
    alone = frame.groupby("stage", sort=True)["outcome"].agg(["first", "size"])
    meaning = alone["first"].where(alone["size"] == 1, "open").to_dict()
    history = log.get("opportunity_history")
    if history is not None:
        came = history.drop_duplicates(["opportunity_id", "stage"])["stage"].value_counts()
        stayed = log.opportunities["stage"].value_counts()
        for stage in came.index:
            if stage not in meaning or 2 * stayed.get(stage, 0) < came[stage]:
                meaning[stage] = "open"
    return dict(sorted(meaning.items()))


def as_known(log: Log, kept: Archive, as_of: pd.Timestamp) -> Archive:
    """Return the archive with stages read as they stood on a day; as it is where the company says what they mean.

    A stage in which all deals are won in the end may have held open ones on the day: where more than a tenth of
    those that stood in it and stayed there closed only later, it meant `open` then.
    """
    if log.get("stages") is not None or kept.history is None or not len(kept.stage):
        return kept
    day = as_of.to_datetime64()
    rows = np.flatnonzero(kept.recorded_on <= day)
    position = kept.position[rows]
    last = rows[np.append(position[1:] != position[:-1], True)] if len(rows) else rows
    deals, standing = kept.position[last], kept.stage[last]
    final = np.zeros(len(kept.opportunities), dtype=np.int64)
    final[kept.position] = kept.stage  # in order of time, so the last one stays
    stayed = final[deals] == standing
    count = int(kept.stage.max()) + 1
    later = stayed & (_days(kept.opportunities["closed_on"])[deals] > day)
    open_then = np.bincount(standing[later], minlength=count) > _SOME * np.bincount(standing, minlength=count)
    told = np.where(open_then[kept.stage], OPEN, kept.outcome).astype(np.int8)
    says = np.bincount(kept.position[told != OPEN], minlength=len(kept.opportunities)) > 0
    runs_end = _last_run(kept.position, told, len(kept.opportunities))
    return replace(kept, outcome=told, says_closure=says, last_run=runs_end)


def in_reporting_currency(log: Log, amount: pd.Series, currency: pd.Series | None) -> np.ndarray:
    """Return amounts times the plan rate of their currency; (n,) float64. An empty currency is the reporting one."""
    values = amount.to_numpy(dtype=np.float64)
    rates = log.get("currencies")
    if currency is None or rates is None:
        return values.copy()
    code = places(currency, rates["currency"])
    rate = np.append(rates["plan_rate"].to_numpy(dtype=np.float64), 1.0)
    out = rate[code]
    out *= values
    return out


def carried(log: Log) -> list[str]:
    """Return the columns that history carries beside its key, in its order."""
    history = log.get("opportunity_history")
    return (
        [] if history is None else [name for name in history.columns if name not in ("opportunity_id", "recorded_at")]
    )


def covariates(log: Log) -> list[str]:
    """Return the columns of `opportunities` that count as fixed at creation and history does not carry."""
    there = log.opportunities.columns
    taken = carried(log)
    fixed = [name for name in FIXED if name in there and name != "currency"]
    listed = [name for name in log.company.fixed_at_creation if name in there and name not in (*_STATE, "segment")]
    return [name for name in dict.fromkeys([*fixed, *listed]) if name not in taken]


def known_history(log: Log, kept: Archive, as_of: pd.Timestamp) -> tuple[pd.DataFrame | None, np.ndarray]:
    """Return the history rows recorded by the end of a day, and their row numbers in the archive's history."""
    if kept.history is None:
        return None, np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero(kept.recorded_on <= as_of.to_datetime64()).astype(np.int32)
    # Where everything is known the log's own columns do; pandas copies them once somebody writes.
    every = len(rows) == len(kept.history)
    chosen = slice(None) if every else rows
    frame = (kept.history if every else kept.history.take(rows)).reset_index(drop=True)
    columns: dict[str, object] = {
        "opportunity_id": frame["opportunity_id"],
        "recorded_at": frame["recorded_at"],
        "recorded_on": kept.recorded_on[chosen],
        "stage": frame["stage"],
        "outcome": outcome_text(kept.outcome[chosen]),
        "amount": kept.history_amount[chosen],
        "expected_close_on": frame["expected_close_on"],
    }
    for name in carried(log):
        if name not in columns and name != "currency":
            columns[name] = frame[name]
    return pd.DataFrame(columns, copy=False), rows


def outcome_text(codes: np.ndarray) -> pd.Series:
    """Return outcome codes as text."""
    return from_codes(codes, OUTCOMES)


@dataclass(frozen=True)
class Runs:
    """Where each opportunity stands at its last row of a sorted history.

    owner : (k,) position of the opportunities that have a row, ascending; last : (k,) their last row;
    stage_start, outcome_start : (k,) first row of the run of the same stage, and of the same outcome, up to it;
    slips : (k,) how often expected_close_on had moved later.
    """

    owner: np.ndarray
    last: np.ndarray
    stage_start: np.ndarray
    outcome_start: np.ndarray
    slips: np.ndarray


def runs(position: np.ndarray, stage: np.ndarray, outcome: np.ndarray, expected: np.ndarray) -> Runs:
    """Return the runs of a history sorted by `position`, then time; arrays of shape (m,), `expected` datetime64."""
    m = len(position)
    if m == 0:
        none = np.zeros(0, dtype=np.int64)
        return Runs(none, none, none, none, none)
    first = np.ones(m, dtype=bool)
    first[1:] = position[1:] != position[:-1]
    last = np.flatnonzero(np.append(first[1:], True))
    owner = position[last]
    n = int(owner[-1]) + 1

    def run_start(values: np.ndarray) -> np.ndarray:
        new = first.copy()
        new[1:] |= values[1:] != values[:-1]
        start = np.flatnonzero(new)
        latest = np.zeros(n, dtype=np.int32)
        latest[position[start]] = start  # in order of time, so the last one stays
        return latest[owner]

    # Each date beside the one given before it, within the opportunity: rows with an empty date are passed over.
    given = ~np.isnat(expected)
    deal, date = (position, expected) if given.all() else (position[given], expected[given])
    moved = (deal[1:] == deal[:-1]) & (date[1:] > date[:-1])
    slips = np.bincount(deal[1:][moved], minlength=n)
    return Runs(owner, last, run_start(stage), run_start(outcome), slips[owner])


def known_opportunities(log: Log, kept: Archive, rows: np.ndarray, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return one row an opportunity known at the end of a day, with what was then known of it.

    `rows` are the archive's history rows recorded by then. The rules are design section 4's:

    - known from its first row of history, or from created_on where it has none;
    - stage, amount, expected close date and whatever else history carries: from its last row by then;
    - closed where that row's stage is a closing one. Where history never says so, from closed_on;
    - the effective date is closed_on (history's where it carries it). Where that belongs to another closure, or is
      not reached yet, the day the closure was recorded stands in.
    """
    base = kept.opportunities
    n = len(base)
    day = as_of.to_datetime64()
    is_last_day = as_of >= log.extracted_on
    created_on, closed_on = _days(base["created_on"]), _days(base["closed_on"])
    took_effect = (kept.today != OPEN) & (closed_on <= day)

    # Opportunities without history: creation, closure, and what closing (or the log's last day) settles.
    bare = ~kept.has_rows & (created_on <= day)
    outcome = np.where(bare & took_effect, kept.today, OPEN).astype(np.int8)
    effective = np.where(outcome != OPEN, closed_on, _NOWHEN)
    shown = bare & (took_effect | is_last_day)
    listed = log.company.fixed_at_creation
    source = np.full(n, -1, dtype=np.int32)  # last row of history, where there is one
    stage_since = np.full(n, _NOWHEN)
    slips = np.full(n, np.nan)
    silent = np.zeros(n, dtype=bool)
    past = kept.history
    if past is not None and len(rows):
        some = slice(None) if len(rows) == len(past) else rows
        expected = _days(past["expected_close_on"])[some]
        at = runs(kept.position[some], kept.stage[some], kept.outcome[some], expected)
        last, recorded_on = rows[at.last], kept.recorded_on[some]
        source[at.owner] = last
        stage_since[at.owner] = recorded_on[at.stage_start]
        slips[at.owner] = at.slips
        outcome[at.owner] = kept.outcome[last]
        if "closed_on" in past:
            given = _days(past["closed_on"])[last]
            usable = ~np.isnat(given)
        else:
            given = closed_on[at.owner]
            same = rows[at.outcome_start] == kept.last_run[at.owner]
            usable = (given <= day) & (kept.today[at.owner] == outcome[at.owner]) & same
        by_record = np.where(usable, given, recorded_on[at.outcome_start])
        effective[at.owner] = np.where(outcome[at.owner] != OPEN, by_record, _NOWHEN)
        silent = (source >= 0) & ~kept.says_closure & took_effect
        outcome[silent], effective[silent] = kept.today[silent], closed_on[silent]
    known = bare | (source >= 0)

    def current(name: str, today: pd.Series | None, history: pd.Series | None) -> pd.Series:
        """Return a column as known: history's last row where there is one, else today's value where it may be seen."""
        if history is None:
            assert today is not None
            out = pd.Series(today.array)
            seen = shown
        else:
            out = pd.Series(history.array.take(source, allow_fill=True))
            seen = shown & (source < 0)
            if name == "stage":
                seen = seen | silent
        if name == "segment" or name in listed:
            seen = seen | (source < 0)
        if today is None:
            return out
        return blanked(out, seen) if history is None else (out.mask(seen, today) if seen.any() else out)

    taken = carried(log)
    told: dict[str, pd.Series] = {}
    if past is not None:
        told = {name: past[name] for name in taken if name != "currency"}
        told["amount"] = pd.Series(kept.history_amount)
    columns: dict[str, object] = {
        "opportunity_id": base["opportunity_id"],
        "created_on": created_on,
        "segment": current("segment", base["segment"], told["segment"]) if "segment" in told else base["segment"],
        "stage": current("stage", base["stage"], told.get("stage")),
        "amount": current("amount", pd.Series(kept.amount), told.get("amount")),
        "expected_close_on": current("expected_close_on", base["expected_close_on"], told.get("expected_close_on")),
        "outcome": outcome_text(outcome),
        "closed_on": effective,
        "stage_since": stage_since,
        "slips": slips,
    }
    for name in covariates(log):
        columns[name] = base[name]
    for name, column in told.items():
        if name not in columns:
            columns[name] = current(name, base.get(name), column)
    for name in ("lost_reason", "promised_on", "delivered_on"):
        if name in base and name not in columns:
            by_then = outcome == LOST if name == "lost_reason" else (outcome != OPEN) & (_days(base[name]) <= day)
            columns[name] = blanked(base[name], by_then)
    frame = pd.DataFrame(columns, copy=False)
    return frame if known.all() else frame[known].reset_index(drop=True)


def _days(values: pd.Series) -> np.ndarray:
    return values.to_numpy().astype("datetime64[us]")


def _local_days(values: pd.Series, timezone: str) -> np.ndarray:
    local = _days(values.dt.tz_convert(timezone).dt.tz_localize(None))
    moment = local.view(np.int64)
    start = moment // _DAY_LENGTH
    start *= _DAY_LENGTH
    days = start.view("datetime64[us]")
    days[np.isnat(local)] = _NOWHEN
    return days
