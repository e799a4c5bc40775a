"""Settled bookings: what each month had brought `settle_days` after its end, what it has brought so far, and late wins.

A late win is a deal won in a quarter that was not in the pipeline three weeks into it, as the CRM had it then: the part
of a quarter that no look at the open pipeline can see.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.known.coding import LOST, NO_DAY, NONE
from forecast.data.known.ledger import KnownState, Ledger, ledger_of
from forecast.data.known.snapshot import Snapshot
from forecast.data.rates import at_rates_of
from forecast.data.schema import Log
from forecast.errors import ParameterError

DAYS = 21
LONGEST = 90
QUARTERS = 8
"""How many quarters are looked back over."""

SLOW = 0.95
"""Share of the wins that have come once a pipeline counts as filled."""

_LATE_WINS = {
    "quarter": "str",
    "day": "datetime64[us]",
    "settled_on": "datetime64[us]",
    "won": "int64",
    "late": "int64",
    "late_share": "float64",
    "won_amount": "float64",
    "late_amount": "float64",
    "late_amount_share": "float64",
    "backdated": "int64",
}


def settled_actuals(log: Log, *, settle_days: int | None = None, ledger: Ledger | None = None) -> pd.DataFrame:
    """Return bookings by month and segment as recorded `settle_days` after each month's end.

    Parameters
    ----------
    log : a validated log.
    settle_days : days a month is given to settle; the company's by default.
    ledger : the log's, where there is one already.

    Returns
    -------
    DataFrame with period (text), segment, amount (reporting currency), deals (int64): every segment in every month from
    the first record to the last month that has settled by the log's end, zeros included; no rows of `Total`. A log may
    hold deals from before the first closure it recorded: what was booked then is not known, and not 0, so the months
    begin with `closures_recorded_from`.

    Raises
    ------
    ParameterError : settle_days is negative.

    Examples
    --------
    >>> import forecast
    >>> actuals = forecast.settled_actuals(forecast.read("data/sample"))
    >>> list(actuals), actuals["period"].max()  # October has not settled: the log ends with it
    (['period', 'segment', 'amount', 'deals'], '2026-09')
    """
    days = log.company.settle_days if settle_days is None else settle_days
    if days < 0:
        raise ParameterError(f"settle_days: {days} is negative")
    ledger = ledger_of(log) if ledger is None else ledger
    calendar = log.company.periods
    starts = [ledger.opportunities["created_on"].min(), ledger.history["recorded_on"].min()]
    first = min(calendar.period(start) for start in starts if not pd.isna(start))
    first = max(first, ledger.as_of(log.extracted_on).closures_recorded_from)
    periods = range(first, calendar.last_settled(log.extracted_on, settle_days=days) + 1)
    states = ledger.walk(calendar.settles_on(period, settle_days=days) for period in periods)
    won = _wins(ledger, [_won_in(state, period) for period, state in zip(periods, states, strict=True)], periods)
    segments = sorted(set(ledger.opportunities["segment"].unique()) | set(won["segment"]))
    return _by_month(won, periods=periods, segments=segments)


def booked_by_month(snap: Snapshot) -> pd.DataFrame:
    """Return period (text), segment, amount (reporting currency), deals (int64) of the wins known on that day.

    Every segment in every month from the first win to the month of `as_of`, zeros included; no rows of `Total`. The
    last months may still grow: wins that are recorded late are not in it. `settled_actuals` holds what settled.
    """
    deals = snap.opportunities
    won = deals[(deals["outcome"] == "won") & deals["closed_on"].notna()]
    period = snap.calendar.period_of(won["closed_on"])
    first = int(period.min()) if len(period) else snap.period
    frame = pd.DataFrame({"period": period, "segment": won["segment"].array, "amount": won["amount"].fillna(0.0).array})
    return _by_month(frame, periods=range(first, snap.period + 1), segments=snap.segments)


def pipeline_filled_from(snap: Snapshot) -> int:
    """Return the first period whose bookings the record's beginning no longer holds down.

    A record begins with the first deals created in it, or with a pipeline that was there. Simple case: the first. As
    wins take months, the next months book little, and what looks like growth is the pipeline filling. It is filled once
    as many months have passed as 19 of 20 wins take at most, from the month in which deals begin to be created: the
    first of 100, so that one odd date does not count. Where a pipeline was there, its deals are older than the
    record, and the first period that is recorded whole counts (`bookings_complete_from`).
    """
    view = snap.state
    born, won = view.ledger.created_in, view.won_deals
    won, known = won[born[won] > 0], view.known & (born > 0)
    if not len(won):
        return view.bookings_complete_from
    months_to_win = np.maximum(view.closed_in[won] - born[won], 0)
    slow = int(np.quantile(months_to_win, SLOW, method="inverted_cdf"))
    return max(int(np.quantile(born[known], 0.01, method="inverted_cdf")) + slow, view.bookings_complete_from)


def _won_in(state: KnownState, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the segments (codes) and amounts of the deals known as won in a period; (k,) both."""
    deals = state.won_deals[state.closed_in[state.won_deals] == period]
    deals = deals[state.segment[deals] != NONE]
    return state.segment[deals], state.amount[deals]


def _wins(ledger: Ledger, by_period: Sequence[tuple[np.ndarray, np.ndarray]], periods: range) -> pd.DataFrame:
    """Return period, segment (text), amount of the wins of each period, one row a deal."""
    segment = np.concatenate([np.zeros(0, dtype=np.int64), *(codes for codes, _ in by_period)])
    return pd.DataFrame(
        {
            "period": np.repeat(np.array(periods, dtype=np.int64), [len(codes) for codes, _ in by_period]),
            "segment": np.array(ledger.segments, dtype=object)[segment],
            "amount": np.concatenate([np.zeros(0), *(amount for _, amount in by_period)]),
        }
    )


def _by_month(won: pd.DataFrame, *, periods: range, segments: Sequence[str]) -> pd.DataFrame:
    """Return period (text), segment, amount and deals of wins (period, segment, amount), zeros included."""
    grid = pd.MultiIndex.from_product([periods, segments], names=["period", "segment"])
    sums = won.groupby(["period", "segment"])["amount"].agg(["sum", "size"]).reindex(grid, fill_value=0)
    return pd.DataFrame(
        {
            "period": pd.Series(period_labels(grid.get_level_values(0)), dtype="str"),
            "segment": pd.Series(grid.get_level_values(1), dtype="str"),
            "amount": sums["sum"].to_numpy(dtype=np.float64),
            "deals": sums["size"].to_numpy(dtype=np.int64),
        }
    )


# -- late wins ---------------------------------------------------------------------------------------------


def late_wins(log: Log, *, as_of: str | pd.Timestamp, days: int = DAYS, quarters: int = QUARTERS) -> pd.DataFrame:
    """Return, for each of the last fiscal quarters, what was won of deals that the CRM did not know `days` into it.

    Parameters
    ----------
    log : a validated log.
    as_of : the day whose knowledge is used; later rows are never read.
    days : days of the quarter after which the pipeline is looked at, to the day's end; 1 to 90.
    quarters : how many of the last settled quarters; 1 or more.

    Returns
    -------
    One row a quarter, oldest first: quarter (label), day (the pipeline is looked at), settled_on (`settle_days` after
    the quarter's end, when its wins are read), won and late (deals, int64), late_share = late / won, won_amount and
    late_amount (reporting currency), late_amount_share, and backdated: how many of the late ones bear a creation date
    of that day or before, entered afterwards or standing as lost then. A deal is late where on `day` it was recorded
    neither as open nor as won. Shares are NaN where nothing was won. Quarters that had not settled on as_of are left
    out, and those that began before the log's first record, of whose pipeline nothing could be known, or before
    closures were recorded (`closures_recorded_from`), of whose wins only some are there.

    Raises
    ------
    ParameterError : days or quarters is out of range, or as_of is not in the log.
    """
    if quarters < 1:
        raise ParameterError(f"quarters: {quarters} is not 1 or more")
    if not 1 <= days <= LONGEST:
        raise ParameterError(f"days: {days} is not from 1 to {LONGEST}, the days of a quarter")
    calendar, wait = log.company.periods, log.company.settle_days
    ledger = ledger_of(at_rates_of(log, calendar.parse_day(as_of)))
    now = ledger.as_of(as_of)
    settled = calendar.last_settled(now.as_of, settle_days=wait)
    first = _first_record(now)
    last = int(calendar.quarter_of(now.period))
    out: list[dict[str, object]] = []
    for quarter in range(last, last - quarters - 5, -1):
        periods = calendar.quarter_periods(quarter)
        if periods[-1] > settled:
            continue
        start = calendar.start(periods[0])
        if start < first or periods[0] < now.closures_recorded_from or len(out) == quarters:
            break
        then = ledger.as_of(start + pd.Timedelta(days=days - 1))
        after = ledger.as_of(calendar.settles_on(periods[-1], settle_days=wait))
        named = {"quarter": calendar.quarter_label(quarter), "day": then.as_of, "settled_on": after.as_of}
        out.append(named | _late_in(periods, then, after))
    return pd.DataFrame(out[::-1], columns=list(_LATE_WINS)).astype(_LATE_WINS)


def _late_in(periods: tuple[int, ...], then: KnownState, after: KnownState) -> dict[str, float]:
    """Return what was won in some periods as known after them, and what of it was not in the pipeline then."""
    won = after.won_deals[np.isin(after.closed_in[after.won_deals], periods)]
    in_pipeline = then.known[won] & (then.outcome[won] != LOST)
    late = won[~in_pipeline]
    created = after.ledger.created_on[late]
    amount, late_amount = (float(np.nan_to_num(after.amount[deals]).sum()) for deals in (won, late))
    return {
        "won": len(won),
        "late": len(late),
        "late_share": len(late) / len(won) if len(won) else np.nan,
        "won_amount": amount,
        "late_amount": late_amount,
        "late_amount_share": late_amount / amount if amount else np.nan,
        "backdated": int(((created != NO_DAY) & (created <= then.day)).sum()),
    }


def _first_record(now: KnownState) -> pd.Timestamp:
    """Return the first day on which the log recorded anything, by what is known on a day."""
    ledger = now.ledger
    first = ledger.opportunities["created_on"][now.known].min()
    recorded = ledger.history["recorded_on"][ledger.day <= now.day].min()
    return first if pd.isna(recorded) else max(first, recorded)
