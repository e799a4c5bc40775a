"""What changed between two snapshots: the pipeline expected in a quarter, from then to now, in bars that sum exactly.

A deal is worth its amount in a quarter while it is open and expected to close there, and once it is won there; it is
worth nothing there otherwise. The difference of the two values is put down to what happened to the deal.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import Log, NotedTable
from forecast.errors import DataError, ParameterError

BARS = (
    "start",
    "created",
    "reopened",
    "pulled in",
    "pushed out",
    "amount up",
    "amount down",
    "owner changed",
    "segment changed",
    "won",
    "lost",
    "gone",
    "end",
)

CLOSED = ("won", "lost")

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
    what it was worth, one that came enters with what it was last known to be worth (amount changes are told apart);
    `won` moves a deal from open_pipeline to booked, so that its amount is 0; `owner changed` counts deals and moves
    nothing; `segment changed` moves deals in or out where one segment is looked at, and only counts them for the whole
    company. `pulled in` and `pushed out` hold whatever came from and left for another quarter, `gone` what is no
    longer in the data.

    Raises
    ------
    ParameterError : `before` is later than `after`.
    DataError : without history it is not known what was expected on a past day.
    """
    parts, _ = _parts(before, after, quarter=quarter, segment=segment)
    bars = dict.fromkeys(BARS, (0.0, 0.0, 0))
    for name, rows, to_open, to_booked in parts:
        opened, booked, deals = bars[name]
        bars[name] = (opened + float(to_open.sum()), booked + float(to_booked.sum()), deals + len(rows))
    frame = pd.DataFrame.from_dict(bars, orient="index", columns=["open_pipeline", "booked", "deals"])
    frame.insert(0, "amount", frame["open_pipeline"] + frame["booked"])
    frame = frame.rename_axis("bar").reset_index().astype({"bar": "str", "deals": "int64"})
    return frame[["bar", "amount", "deals", "open_pipeline", "booked"]]


def moves(before: Snapshot, after: Snapshot, *, quarter: int | None = None, segment: str | None = None) -> pd.DataFrame:
    """Return the deals behind each bar of `changes` between `start` and `end`, which take the same arguments.

    Returns
    -------
    DataFrame with bar (in the order of `BARS`), opportunity_id, segment (where it is now), amount, open_pipeline,
    booked, value (what it is worth now, or was): one row a deal and bar, the largest first; they sum to the bar. A deal
    may be in several bars: one that came in and grew is in two.
    """
    parts, both = _parts(before, after, quarter=quarter, segment=segment)
    now = both["segment_1"].fillna(both["segment_0"]).to_numpy(dtype=object)
    value = both["amount_1"].fillna(both["amount_0"]).fillna(0.0).to_numpy()
    frames = [
        pd.DataFrame(
            {
                "bar": name,
                "opportunity_id": both.index.to_numpy(dtype=object)[rows],
                "segment": now[rows],
                "amount": to_open + to_booked,
                "open_pipeline": to_open,
                "booked": to_booked,
                "value": value[rows],
            }
        )
        for name, rows, to_open, to_booked in parts
        if name not in ("start", "end")
    ]
    table = pd.concat(frames, ignore_index=True).astype({"bar": "str", "opportunity_id": "str", "segment": "str"})
    order = table["bar"].map({name: at for at, name in enumerate(BARS)})
    size = -table[["open_pipeline", "booked", "value"]].abs().max(axis=1)
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
    What `changes` gives, with `since` (date) and `period` (the quarter's label) in every row. Without rows where it is
    not known what was expected on the earlier day; `attrs["notes"]` then says why.

    Raises
    ------
    ParameterError : `since` is given and is no date, or not before the later day.
    """
    day, quarter = _span(snap, since)
    try:
        table = changes(snapshot(log, as_of=day), snap, quarter=quarter)
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
        return moves(snapshot(log, as_of=day), snap, quarter=quarter)
    except (DataError, ParameterError):
        text = {name: pd.Series(dtype="str") for name in ("bar", "opportunity_id", "segment")}
        return pd.DataFrame(
            {**text, **dict.fromkeys(("amount", "open_pipeline", "booked", "value"), pd.Series(dtype="float64"))}
        )


def _span(snap: Snapshot, since: str) -> tuple[pd.Timestamp, int]:
    """Return the earlier day and the quarter looked at."""
    calendar = snap.calendar
    day = calendar.parse_day(since) if since else calendar.end(snap.period - 1)
    if day >= snap.as_of:
        raise ParameterError(f"since: {day:%Y-%m-%d} is not before {snap.as_of:%Y-%m-%d}")
    return day, int(calendar.quarter_of(snap.period + snap.at_month_end))


def _parts(
    before: Snapshot, after: Snapshot, *, quarter: int | None, segment: str | None
) -> tuple[list[tuple[str, np.ndarray, np.ndarray, np.ndarray]], pd.DataFrame]:
    """Return (bar, rows, to open pipeline, to booked) in turn, and the deals, known then or now, that rows point to."""
    if before.as_of > after.as_of:
        raise ParameterError(f"changes: {before.as_of:%Y-%m-%d} is later than {after.as_of:%Y-%m-%d}")
    if not before.has_history:
        raise DataError(
            "without history it is not known what was expected on a past day",
            table="opportunity_history",
            mend="add opportunity_history: the state of each opportunity after each change",
        )
    if quarter is None:
        quarter = int(after.calendar.quarter_of(after.period))
    old, new = (_worth(snap, quarter) for snap in (before, after))
    both = old.add_suffix("_0").join(new.add_suffix("_1"), how="outer")
    count = len(both)
    here_0, here_1 = (both[f"inside_{side}"].notna().to_numpy() for side in "01")
    scope_0, scope_1 = (_in_scope(both, side, segment) for side in "01")
    in_0, in_1 = ((both[f"inside_{side}"] == 1.0).to_numpy() for side in "01")
    in_0, in_1 = in_0 & scope_0, in_1 & scope_1
    amount_0, amount_1 = (both[f"amount_{side}"].fillna(0.0).to_numpy() for side in "01")
    worth_0 = np.where(in_0, amount_0, 0.0)
    state_0, state_1 = (both[f"outcome_{side}"].fillna("").to_numpy(dtype=object) for side in "01")
    segment_0, segment_1 = (both[f"segment_{side}"].fillna("").to_numpy(dtype=object) for side in "01")
    moved = here_0 & here_1 & (segment_0 != segment_1)

    came, went = in_1 & ~in_0, in_0 & ~in_1
    cause = np.full(count, "", dtype=object)  # why a deal came or went
    cause[came] = "pulled in"
    cause[came & np.isin(state_0, CLOSED) & (state_1 == "open")] = "reopened"
    cause[came & (state_0 == "lost")] = "reopened"
    cause[came & ~here_0] = "created"
    cause[went] = "pushed out"
    cause[went & (state_1 == "lost")] = "lost"
    cause[went & ~here_1] = "gone"
    cause[moved & (scope_0 != scope_1) & (came | went)] = "segment changed"

    # What enters does so at the worth last known of it (today's, where none was), as booked only if it was won before;
    # amount changes and wins then follow as bars of their own.
    entry = np.where(both["amount_0"].notna(), amount_0, amount_1)
    was_won = np.where(came, (state_0 == "won") & (state_1 == "won"), state_0 == "won")
    base = np.where(came, entry, worth_0)
    grown = np.where(in_1, amount_1 - base, 0.0)
    now_won = in_1 & (state_1 == "won") & ~was_won
    undone = in_1 & (state_1 == "open") & was_won

    parts: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = []

    def add(name: str, mask: np.ndarray, to_open: np.ndarray, to_booked: np.ndarray) -> None:
        rows = np.flatnonzero(mask)
        parts.append((name, rows, to_open[rows], to_booked[rows]))

    def add_worth(name: str, mask: np.ndarray, worth: np.ndarray) -> None:
        add(name, mask, np.where(was_won, 0.0, worth), np.where(was_won, worth, 0.0))

    zero = np.zeros(count)
    add_worth("start", in_0, worth_0)
    for name in ("created", "reopened", "pulled in", "segment changed"):
        add_worth(name, came & (cause == name), entry)
    for name in ("pushed out", "lost", "gone", "segment changed"):
        add_worth(name, went & (cause == name), -worth_0)
    if segment is None:
        add("segment changed", moved & (in_0 | in_1), zero, zero)
    add_worth("amount up", grown > 0, grown)
    add_worth("amount down", grown < 0, grown)
    add("won", now_won, -amount_1, amount_1)
    add("reopened", undone, amount_1, -amount_1)
    if "owner_0" in both and "owner_1" in both:
        owner_0, owner_1 = (both[f"owner_{side}"].fillna("").to_numpy(dtype=object) for side in "01")
        add("owner changed", here_0 & here_1 & (in_0 | in_1) & (owner_0 != owner_1), zero, zero)
    add("end", in_1, np.where(state_1 == "open", amount_1, 0.0), np.where(state_1 == "won", amount_1, 0.0))
    return parts, both


def _worth(snap: Snapshot, quarter: int) -> pd.DataFrame:
    """Return each known deal by id: segment, outcome, amount, [owner], inside (1.0 where it is worth its amount)."""
    frame = snap.opportunities
    periods = snap.calendar.quarter_periods(quarter)
    due = np.isin(snap.calendar.period_of(frame["expected_close_on"]), periods)
    booked = np.isin(snap.calendar.period_of(frame["closed_on"]), periods)
    columns = ["opportunity_id", "segment", "outcome", "amount", *(["owner"] if "owner" in frame else [])]
    inside = ((frame["outcome"] == "open") & due) | ((frame["outcome"] == "won") & booked)
    return frame[columns].assign(inside=inside.astype(float)).set_index("opportunity_id")


def _in_scope(both: pd.DataFrame, side: str, segment: str | None) -> np.ndarray:
    known = both[f"inside_{side}"].notna().to_numpy()
    return known if segment is None else known & (both[f"segment_{side}"] == segment).to_numpy()
