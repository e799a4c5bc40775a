"""What changed between two snapshots: the pipeline expected in a quarter, from then to now, in bars that sum exactly.

A deal is worth its amount in a quarter while it is open and expected to close there, and once it is won there; it is
worth nothing there otherwise. The difference of the two values is put down to what happened to the deal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.rates import at_rates_of
from forecast.data.schema import Log, NotedTable
from forecast.errors import DataError, ParameterError

BARS = (
    "start",
    "created",
    "reopened",
    "slipped in",
    "pulled in",
    "dated",
    "pushed out",
    "brought forward",
    "won before",
    "undated",
    "amount up",
    "amount down",
    "owner changed",
    "segment changed",
    "won",
    "lost",
    "gone",
    "end",
)

RATES = "exchange rates"
"""A bar more, after `start`, where the two days lie in years of different plan rates: what the rates alone changed."""

CLOSED = ("won", "lost")
ENTRIES = ("created", "reopened", "slipped in", "pulled in", "dated", "segment changed")
EXITS = ("pushed out", "brought forward", "won before", "undated", "lost", "gone", "segment changed")

_NOTHING = 1e-6
_SINCE = ("bar", "amount", "deals", "open_pipeline", "booked", "since", "period")


def changes(
    before: Snapshot, after: Snapshot, *, quarter: int | None = None, segment: str | None = None
) -> pd.DataFrame:
    """Return the waterfall of open and booked pipeline of a fiscal quarter between two snapshots.

    Parameters
    ----------
    before, after : snapshots of one log; `before` is the earlier.
    quarter : as `Calendar.quarter_of` gives it; by default the quarter in which `after` lies.
    segment : only this segment; by default the whole company.

    Returns
    -------
    DataFrame with bar (`BARS`, in order), amount, deals (int64), open_pipeline, booked; amount = open_pipeline + booked
    in every row, and in all three the bars between `start` and `end` sum to end - start. A deal that left leaves with
    what it was worth, one that came enters with what it was last known to be worth (changes of amount have own bars);
    `won` moves a deal from open_pipeline to booked, so that its amount is 0; `owner changed` counts deals and moves
    nothing; `segment changed` moves deals in or out where one segment is looked at, and only counts them for the whole
    company. What moved between quarters is told by where it came from or went to: `slipped in` from an earlier quarter,
    `pulled in` from a later one, `dated` from having no date; `pushed out` to a later quarter, `brought forward` to an
    earlier one, `won before` where the win turned out to be of an earlier quarter (it was recorded late), `undated` to
    having no date. `gone` is no longer in the data.

    Raises
    ------
    ParameterError : `before` is later than `after`.
    DataError : without history it is not known when deals were expected to close on a past day.
    """
    then, now = _compared(before, after, quarter=quarter, segment=segment)
    bars = dict.fromkeys(BARS, (0.0, 0.0, 0))
    for step in _steps(then, now, whole_company=segment is None):
        opened, booked, deals = bars[step.bar]
        bars[step.bar] = (
            opened + float(step.to_open.sum()),
            booked + float(step.to_booked.sum()),
            deals + len(step.deals),
        )
    frame = pd.DataFrame.from_dict(bars, orient="index", columns=["open_pipeline", "booked", "deals"])
    frame.insert(0, "amount", frame["open_pipeline"] + frame["booked"])
    frame = frame.rename_axis("bar").reset_index().astype({"bar": "str", "deals": "int64"})
    return frame[["bar", "amount", "deals", "open_pipeline", "booked"]]


def moves(before: Snapshot, after: Snapshot, *, quarter: int | None = None, segment: str | None = None) -> pd.DataFrame:
    """Return the deals behind each bar of `changes` between `start` and `end`, which take the same arguments.

    Returns
    -------
    DataFrame with bar (in the order of `BARS`), opportunity_id, segment (where it is now), amount, open_pipeline,
    booked, value (what it is worth now, or was): one row a deal and bar, the largest first; they sum to the bar. Where
    the amount of a deal was never known, all four are nan. A deal may be in several bars: one that came in and grew is
    in two.
    """
    then, now = _compared(before, after, quarter=quarter, segment=segment)
    where = np.where(now.known, now.segment, then.segment)
    value = np.where(np.isnan(now.amount), then.amount, now.amount)
    frames = [
        pd.DataFrame(
            {
                "bar": step.bar,
                "opportunity_id": now.ids[step.deals],
                "segment": where[step.deals],
                "amount": step.to_open + step.to_booked,
                "open_pipeline": step.to_open,
                "booked": step.to_booked,
                "value": value[step.deals],
            }
        )
        for step in _steps(then, now, whole_company=segment is None)
        if step.bar not in ("start", "end")
    ]
    table = pd.concat(frames, ignore_index=True).astype({"bar": "str", "opportunity_id": "str", "segment": "str"})
    table.loc[table["value"].isna(), ["amount", "open_pipeline", "booked"]] = np.nan
    order = table["bar"].map({name: at for at, name in enumerate(BARS)})
    size = -table[["open_pipeline", "booked", "value"]].abs().max(axis=1).fillna(0.0)
    table = table.assign(_order=order, _size=size).sort_values(["_order", "_size", "opportunity_id"], ignore_index=True)
    return table.drop(columns=["_order", "_size"])


def changes_since(log: Log, snap: Snapshot, *, since: str = "") -> pd.DataFrame:
    """Return the waterfall of the quarter in progress (on a quarter's last day: of the next) since an earlier day.

    Parameters
    ----------
    log, snap : the company's tables, and what was known on the later day.
    since : the earlier day or month; by default the end of the month before.

    Returns
    -------
    What `changes` gives at the plan rates of the later day, with the bar RATES where those of the earlier day differ;
    and `since` (date) and `period` (the quarter's label) in every row. Without rows where it is
    not known when deals were expected to close on the earlier day; `attrs["notes"]` then says why.

    Raises
    ------
    ParameterError : `since` is given and is no date, or not before the later day.
    """
    day, quarter = _span(snap, since)
    now = at_rates_of(log, snap.as_of)
    try:
        table = changes(snapshot(now, as_of=day), snap, quarter=quarter)
        if now is not log:
            table = _from_other_rates(table, snapshot(log, as_of=day), quarter=quarter)
    except (DataError, ParameterError) as error:
        out = pd.DataFrame({name: pd.Series(dtype="float64") for name in _SINCE})
        out = out.astype({"bar": "str", "deals": "int64", "since": "datetime64[us]", "period": "str"})
        why = error.problem.what if isinstance(error, DataError) else str(error)
        return NotedTable(table=out, notes=(why,)).frame()
    table = table.assign(since=day, period=snap.calendar.quarter_label(quarter))
    return NotedTable(table=table[list(_SINCE)]).frame()


def moves_since(log: Log, snap: Snapshot, *, since: str = "") -> pd.DataFrame:
    """Return the deals behind each bar of `changes_since`, see `moves`; none where that has no rows."""
    day, quarter = _span(snap, since)
    try:
        return moves(snapshot(at_rates_of(log, snap.as_of), as_of=day), snap, quarter=quarter)
    except (DataError, ParameterError):
        text = {name: pd.Series(dtype="str") for name in ("bar", "opportunity_id", "segment")}
        return pd.DataFrame(
            {**text, **dict.fromkeys(("amount", "open_pipeline", "booked", "value"), pd.Series(dtype="float64"))}
        )


def _from_other_rates(table: pd.DataFrame, before: Snapshot, *, quarter: int) -> pd.DataFrame:
    """Return a waterfall that begins with what the pipeline was worth at the plan rates of the earlier day.

    table : of `changes`, all at the rates of the later day. Where those of the earlier one differ, a bar RATES
    after the first holds what the new rates alone changed; it moves no deal.
    """
    first = table.index[table["bar"] == "start"]
    given = changes(before, before, quarter=quarter).loc[first]
    money = ["amount", "open_pipeline", "booked"]
    moved = table.loc[first, money] - given[money]
    if (moved.abs() < _NOTHING).all(axis=None):
        return table
    bar = moved.assign(bar=RATES, deals=0)[list(table.columns)]
    return pd.concat([given[list(table.columns)], bar, table.drop(index=first)], ignore_index=True)


def _span(snap: Snapshot, since: str) -> tuple[pd.Timestamp, int]:
    """Return the earlier day and the quarter looked at."""
    calendar = snap.calendar
    day = calendar.parse_day(since) if since else calendar.end(snap.period - 1)
    if day >= snap.as_of:
        raise ParameterError(f"since: {day:%Y-%m-%d} is not before {snap.as_of:%Y-%m-%d}")
    return day, int(calendar.quarter_of(snap.period + snap.at_month_end))


# -- two snapshots, deal by deal ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Deals:
    """All deals that either snapshot knows, as one of the two knows them; arrays of shape (n,), the same deals in both.

    known : whether it knows the deal; in_scope : and has it in the segment looked at; inside : and it is worth its
    amount in the quarter. quarter : in which it was won, or else is expected to close, less the one looked at: below 0
    an earlier one, nan where there is no date. amount : nan where unknown. outcome, segment, owner : text, empty where
    unknown; owner is None where the company names none.
    """

    ids: np.ndarray
    known: np.ndarray
    in_scope: np.ndarray
    inside: np.ndarray
    quarter: np.ndarray
    amount: np.ndarray
    outcome: np.ndarray
    segment: np.ndarray
    owner: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What one bar adds for some deals (k,), places in `_Deals`: to open pipeline and to what is booked, both (k,)."""

    bar: str
    deals: np.ndarray
    to_open: np.ndarray
    to_booked: np.ndarray


def _compared(before: Snapshot, after: Snapshot, *, quarter: int | None, segment: str | None) -> tuple[_Deals, _Deals]:
    """Return the deals as the two snapshots know them; see `changes` for what is refused."""
    if before.as_of > after.as_of:
        raise ParameterError(f"changes: {before.as_of:%Y-%m-%d} is later than {after.as_of:%Y-%m-%d}")
    if not before.has_history:
        raise DataError(
            "without history it is not known when deals were expected to close on a past day",
            table="opportunity_history",
            mend="add opportunity_history: the state of each opportunity after each change",
        )
    if quarter is None:
        quarter = int(after.calendar.quarter_of(after.period))
    ids = pd.Index(before.opportunities["opportunity_id"]).union(pd.Index(after.opportunities["opportunity_id"]))
    then, now = (_deals(snap, ids, quarter=quarter, segment=segment) for snap in (before, after))
    return then, now


def _deals(snap: Snapshot, ids: pd.Index, *, quarter: int, segment: str | None) -> _Deals:
    """Return the deals of some ids as a snapshot knows them."""
    frame, calendar = snap.opportunities, snap.calendar
    day = frame["closed_on"].where(frame["outcome"] == "won", frame["expected_close_on"])
    period = calendar.period_of(day)
    away = np.where(day.isna(), np.nan, calendar.quarter_of(period) - quarter)
    inside = frame["outcome"].isin(["open", "won"]).to_numpy() & (away == 0)
    row = pd.Index(frame["opportunity_id"]).get_indexer(ids)
    known = row >= 0

    def text(name: str) -> np.ndarray:
        return np.where(known, frame[name].fillna("").to_numpy(dtype=object)[row], "")

    segments = text("segment")
    in_scope = known if segment is None else known & (segments == segment)
    return _Deals(
        ids=ids.to_numpy(dtype=object),
        known=known,
        in_scope=in_scope,
        inside=in_scope & inside[row],
        quarter=np.where(known, away[row], np.nan),
        amount=np.where(known, frame["amount"].to_numpy(dtype=np.float64)[row], np.nan),
        outcome=text("outcome"),
        segment=segments,
        owner=text("owner") if "owner" in frame else None,
    )


def _steps(then: _Deals, now: _Deals, *, whole_company: bool) -> list[_Step]:
    """Return what each bar adds, in turn; a bar may come more than once.

    What enters does so at the worth last known of it (today's, where none was), as booked only if it was won before;
    amount changes and wins then follow as steps of their own.
    """
    came, went = now.inside & ~then.inside, then.inside & ~now.inside
    moved = then.known & now.known & (then.segment != now.segment)
    cause = _causes(then, now, came=came, went=went, moved=moved)
    amount_then, amount_now = np.nan_to_num(then.amount), np.nan_to_num(now.amount)
    worth = np.where(then.inside, amount_then, 0.0)
    entry = np.where(np.isnan(then.amount), amount_now, amount_then)
    was_won = (then.outcome == "won") & (~came | (now.outcome == "won"))
    is_open, is_won = now.outcome == "open", now.outcome == "won"
    grown = np.where(now.inside, amount_now - np.where(came, entry, worth), 0.0)
    zero = np.zeros(len(worth))

    def step(bar: str, which: np.ndarray, to_open: np.ndarray, to_booked: np.ndarray) -> _Step:
        deals = np.flatnonzero(which)
        return _Step(bar=bar, deals=deals, to_open=to_open[deals], to_booked=to_booked[deals])

    def as_it_was(bar: str, which: np.ndarray, amount: np.ndarray) -> _Step:
        """Return a step that adds to what is booked where the deal was won before, else to the open pipeline."""
        return step(bar, which, np.where(was_won, 0.0, amount), np.where(was_won, amount, 0.0))

    steps = [as_it_was("start", then.inside, worth)]
    steps += [as_it_was(bar, came & (cause == bar), entry) for bar in ENTRIES]
    steps += [as_it_was(bar, went & (cause == bar), -worth) for bar in EXITS]
    if whole_company:
        steps.append(step("segment changed", moved & (then.inside | now.inside), zero, zero))
    steps += [as_it_was("amount up", grown > 0, grown), as_it_was("amount down", grown < 0, grown)]
    steps.append(step("won", now.inside & is_won & ~was_won, -amount_now, amount_now))
    steps.append(step("reopened", now.inside & is_open & was_won, amount_now, -amount_now))
    if then.owner is not None and now.owner is not None:
        other = then.known & now.known & (then.owner != now.owner)
        steps.append(step("owner changed", other & (then.inside | now.inside), zero, zero))
    steps.append(step("end", now.inside, np.where(is_open, amount_now, 0.0), np.where(is_won, amount_now, 0.0)))
    return steps


def _causes(then: _Deals, now: _Deals, *, came: np.ndarray, went: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return the bar to which the coming or going of each deal is put down, empty for the others; (n,) object."""
    cause = np.full(len(came), "", dtype=object)
    cause[came] = "dated"
    cause[came & (then.quarter < 0)] = "slipped in"
    cause[came & (then.quarter > 0)] = "pulled in"
    cause[came & np.isin(then.outcome, CLOSED) & (now.outcome == "open")] = "reopened"
    cause[came & (then.outcome == "lost")] = "reopened"
    cause[came & ~then.known] = "created"
    cause[went] = "undated"
    cause[went & (now.quarter > 0)] = "pushed out"
    cause[went & (now.quarter < 0)] = "brought forward"
    cause[went & (now.quarter < 0) & (now.outcome == "won")] = "won before"
    cause[went & (now.outcome == "lost")] = "lost"
    cause[went & ~now.known] = "gone"
    cause[moved & (then.in_scope != now.in_scope) & (came | went)] = "segment changed"
    return cause
