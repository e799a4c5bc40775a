"""What selling costs: per unit booked, per deal won, per new customer and of its first year; and velocity.

Each figure is made for the last twelve months ended and for the twelve before. Simple case: a sum over a sum, of months
in which costs are recorded, with months as the units of its interval. Complications: who is new is told by the same
months of look-back in every year and figure, else one would find fewer than another; where many wins name no customer
it is not told at all; and a first year takes twelve months from the first order, so it is of customers a year older.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from forecast import wording
from forecast.calendar import parse_periods
from forecast.data.schema import TOTAL
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.figures.existing import YEAR_BEFORE, whole_from
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.spans import YEAR, Span
from forecast.evaluation.scores.amounts import Floats, ratio

COST, PER_WIN, NEW_CUSTOMERS, PER_CUSTOMER, PAYBACK, VELOCITY = (
    "cost of sales",
    "cost per won deal",
    "new customers",
    "cost per new customer",
    "payback",
    "velocity",
)
SALES_FORMULA = "value x rate x count / cycle"
FUNCTIONS = {
    "sales and marketing": ("sales", "marketing"),
    "sales alone": ("sales",),
    "marketing alone": ("marketing",),
}
"""Whose cost each definition counts."""

LOOK_BACK = (12, 24)
"""Fewest and most months of earlier wins by which a customer is told to be new, the same for all figures and years."""

MOST_BLANK = 0.05
"""Share of wins without a customer beyond which new customers cannot be counted."""

NEEDS_COSTS = "needs costs"
NEEDS_ACCOUNTS = "needs account_id in opportunities"


def cost_of_sales(known: Known, span: Span) -> list[Definition]:
    """Return what selling costs under every definition, over a span and over the same months a year before.

    Intervals: `intervals.ratio` with months as units; of velocity, by leaving out one month after the other. Rows that
    cannot be known say in `missing` which table would bring them.
    """
    rows = []
    for months, ending in ((span, ""), (_year_before(span), YEAR_BEFORE)):
        found = [*_per_booked(known, months), *_per_win(known, months), _new(known, months, of=span)]
        found += _per_customer(known, months, of=span)
        found += [_payback(known, months, of=span), _velocity(known, months)]
        why = _not_recorded(known, months)
        rows += [_named(row, months, ending=ending, why=why) for row in found]
    return rows


def _year_before(span: Span) -> Span:
    return Span(first=span.first - YEAR, last=span.last - YEAR)


def _named(row: Definition, months: Span, *, ending: str, why: str) -> Definition:
    """Return a row with its months and the ending of its name; without its value where these are not recorded."""
    ends = {"first": row.first or months.first_label, "last": row.last or months.last_label}
    row = replace(row, definition=f"{row.definition}{ending}", **ends)  # type: ignore[arg-type]
    nan = float("nan")
    return replace(row, value=nan, low=nan, high=nan, n=0, missing=why) if why and not row.missing else row


def _not_recorded(known: Known, months: Span) -> str:
    recorded = Span(first=known.begins, last=known.begins).first_label
    return f"wins are recorded from {recorded} on; needs earlier ones" if months.first < known.begins else ""


# -- cost over what it brought ------------------------------------------------------------------------------


def _per_booked(known: Known, months: Span) -> list[Definition]:
    """Return cost over bookings: of all segments by function, and of each segment for sales and marketing together."""
    every = [(name, functions, TOTAL) for name, functions in FUNCTIONS.items()]
    both = next(iter(FUNCTIONS))
    every += [(both, FUNCTIONS[both], segment) for segment in known.snap.segments]
    rows = []
    for name, functions, segment in every:
        means = f"cost of {name.replace(' alone', '')} over bookings of the same months"
        row = Definition(figure=COST, definition=name, means=means, unit="ratio", segment=segment, n_of="month")
        spent = cost_by_month(known, months, functions=functions, segment=segment)
        rows.append(_over(row, spent, by_month(_wins(known, segment), months, "amount"), needs=NEEDS_COSTS))
    return rows


def _per_win(known: Known, months: Span) -> list[Definition]:
    means = "cost of sales and marketing over the deals won in the same months"
    row = Definition(figure=PER_WIN, definition="sales and marketing", means=means, unit="money", n_of="month")
    spent = cost_by_month(known, months, functions=FUNCTIONS["sales and marketing"])
    return [_over(row, spent, by_month(known.wins, months), needs=NEEDS_COSTS)]


def _new(known: Known, months: Span, *, of: Span) -> Definition:
    """Return how many customers were new; of : the later of the two years."""
    back, why = _look_back(known, months, of=of)
    name = f"no order in the {wording.plural(back or LOOK_BACK[1], 'month')} before"
    means = f"customers who bought in these months, with {name} their first"
    row = Definition(figure=NEW_CUSTOMERS, definition=name, means=means, unit="count", n_of="month")
    if why:
        return replace(row, missing=why)
    new = new_customers(known.wins, months, look_back=back)
    return replace(row, value=float(len(new)), n=months.last - months.first + 1)


def _per_customer(known: Known, months: Span, *, of: Span) -> list[Definition]:
    """Return cost over new customers; of : the later of the two years."""
    rows = []
    for name, functions in list(FUNCTIONS.items())[::2]:
        means = f"cost of {name.replace(' alone', '')} over customers who bought, with no order in the {{}} months "
        means += "before their first; who bought before is served by it too"
        row = Definition(figure=PER_CUSTOMER, definition=name, means=means, unit="money", n_of="month")
        back, why = _look_back(known, months, of=of)
        if why:
            rows.append(replace(row, means=means.format(LOOK_BACK[1]), missing=why))
            continue
        new = new_customers(known.wins, months, look_back=back)
        spent = cost_by_month(known, months, functions=functions)
        counted = by_month(new, months)
        rows.append(_over(replace(row, means=means.format(back)), spent, counted, needs=NEEDS_COSTS))
    return rows


def _payback(known: Known, months: Span, *, of: Span) -> Definition:
    """Return what a new customer cost in months of its first year's bookings, of customers a year older.

    Twelve times a share, by the usual name of payback: no time that passed until anything was earned back.
    """
    won_in = _year_before(months)
    means = (
        "twelve times the cost of sales and marketing over what their new customers bought in the twelve months from "
        "their first order on, of customers won in these months who had not bought in the {} before: the cost in "
        "months of that year’s bookings, no time that passed; no margin is in the tables, and with one of half it is "
        "twice as much"
    )
    row = Definition(figure=PAYBACK, definition="in bookings", means="", unit="months", n_of="month")
    row = replace(row, first=won_in.first_label, last=won_in.last_label)
    back, why = _look_back(known, won_in, of=of)
    row = replace(row, means=means.format(wording.plural(back or LOOK_BACK[1], "month")))
    why = why or _not_recorded(known, won_in)
    if why:
        return replace(row, missing=why)
    new = new_customers(known.wins, won_in, look_back=back)
    first_year = bought_in_first_year(known.wins, new)
    spent = cost_by_month(known, won_in, functions=FUNCTIONS["sales and marketing"])
    return _over(row, spent * YEAR, by_month(first_year, won_in, "amount"), needs=NEEDS_COSTS)


def _look_back(known: Known, months: Span, *, of: Span) -> tuple[int, str]:
    """Return the months of look-back of all figures, and why new customers cannot be told; empty where they can.

    Simple case: as many as lie before the year before `of`, the later of the two. Where these are less than the fewest,
    as many as lie before `of`. Earlier months (payback of the year before) are told where they have as many.
    """
    wins = known.wins[months.has(known.wins["period"])]
    if "account_id" not in wins.columns or not known.wins["account_id"].notna().any():
        return 0, NEEDS_ACCOUNTS
    blank = float(wins["account_id"].isna().mean()) if len(wins) else 0.0
    if blank > MOST_BLANK:
        return 0, f"{wording.percent(blank)} of the wins name no customer; {NEEDS_ACCOUNTS} of all of them"
    begins = whole_from(known)
    recorded = [first - begins for first in (of.first - YEAR, of.first)]
    back = min(next((count for count in recorded if count >= LOOK_BACK[0]), LOOK_BACK[0]), LOOK_BACK[1])
    if months.first - begins < back:
        return 0, f"needs {back} months of wins before these to tell who is new"
    return back, ""


def _over(row: Definition, over: Floats, under: Floats, *, needs: str) -> Definition:
    """Return a row with the ratio of two sums over the months in which both are known, and its interval."""
    there = np.isfinite(over) & np.isfinite(under)
    if not there.any():
        return replace(row, missing=needs)
    y, x = over[there], under[there]
    if x.sum() <= 0:
        return replace(row, n=int(there.sum()), missing="there is nothing in these months to divide by")
    low, high = intervals.ratio(y, x)
    return replace(row, value=float(ratio(y.sum(), x.sum())), low=low, high=high, n=int(there.sum()))


# -- sums by month ------------------------------------------------------------------------------------------


def cost_by_month(known: Known, months: Span, *, functions: tuple[str, ...], segment: str = TOTAL) -> Floats:
    """Return the cost of some functions in each month of a span, NaN where one of them has no row; (months,)."""
    costs = months.rows(known.snap.costs)
    count = months.last - months.first + 1
    if costs is None:
        return np.full(count, np.nan)
    costs = costs if segment == TOTAL else costs[costs["segment"] == segment]
    total = np.zeros(count)
    for function in functions:
        rows = costs[costs["function"] == function]
        at = parse_periods(rows["period"]) - months.first
        spent = np.bincount(at, rows["amount"].to_numpy(dtype=np.float64), minlength=count)
        total += np.where(np.bincount(at, minlength=count) > 0, spent, np.nan)
    return total


def by_month(frame: pd.DataFrame, months: Span, column: str = "") -> Floats:
    """Return the sum of a column of rows with `period` in each month of a span, or their number; (months,)."""
    rows = frame[months.has(frame["period"])]
    at = rows["period"].to_numpy(dtype=np.int64) - months.first
    weights = np.nan_to_num(rows[column].to_numpy(dtype=np.float64)) if column else None
    return np.bincount(at, weights, minlength=months.last - months.first + 1).astype(np.float64)


def _wins(known: Known, segment: str) -> pd.DataFrame:
    return known.wins if segment == TOTAL else known.wins[known.wins["segment"] == segment]


def new_customers(wins: pd.DataFrame, months: Span, *, look_back: int) -> pd.DataFrame:
    """Return the first order in a span of each customer without one in the months before it, by account_id and period.

    wins : account_id, period, closed_on. look_back : months before the first of a customer's orders in the span.
    """
    named = wins[wins["account_id"].notna()].sort_values(["closed_on"], kind="stable")
    first = named[months.has(named["period"])].drop_duplicates("account_id")
    earlier = named[named["period"] < months.first].groupby("account_id")["period"].max()
    since = first["period"] - first["account_id"].map(earlier)
    return first[~(since <= look_back)]


def bought_in_first_year(wins: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the orders of new customers in the twelve months from their first, `period` that of the first order."""
    first = new.set_index("account_id")["period"]
    orders = wins[wins["account_id"].isin(first.index)]
    began = orders["account_id"].map(first).astype("int64")
    age = orders["period"] - began
    return orders.assign(period=began)[(age >= 0) & (age < YEAR)]


# -- velocity -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What velocity is made of, by month: deals open at its end, closed, won, won with an amount, their amount, and
    the months from creation to the win, summed; (months,) each."""

    open: Floats
    closed: Floats
    won: Floats
    priced: Floats
    amount: Floats
    cycle: Floats


def velocity_of(flow: Flow) -> float:
    """Return open deals x share won of those closed x mean amount / mean cycle, in money a month.

    >>> one = np.ones(1)
    >>> velocity_of(Flow(open=30 * one, closed=10 * one, won=5 * one, priced=5 * one, amount=500 * one, cycle=15 * one))
    500.0
    """
    rate, value = ratio(flow.won.sum(), flow.closed.sum()), ratio(flow.amount.sum(), flow.priced.sum())
    return float(ratio(flow.open.mean() * rate * value, ratio(flow.cycle.sum(), flow.won.sum())))


def _velocity(known: Known, months: Span) -> Definition:
    means = (
        "mean number of deals open at a month's end, times the share won of those closed, times the mean amount won, "
        "over the mean months from creation to the win; money a month"
    )
    row = Definition(figure=VELOCITY, definition=SALES_FORMULA, means=means, unit="money")
    flow = _flow(known, months)
    value, count = velocity_of(flow), len(flow.open)
    if not np.isfinite(value) or value <= 0:
        return replace(row, n_of="month", missing="needs deals won in these months, with an amount")
    low, high = left_out(flow)
    return replace(row, value=value, low=low, high=high, n=count, n_of="month")


def left_out(flow: Flow) -> intervals.Interval:
    """Return the interval of velocity by leaving out each month in turn (the jackknife), on the log scale.

    NaN with fewer than three months, or where one alone has what it is made of.
    """
    count = len(flow.open)
    if count < 3:
        return intervals.NONE
    without = [velocity_of(_without(flow, month)) for month in range(count)]
    if not np.all(np.isfinite(without)) or min(without) <= 0:
        return intervals.NONE
    logs = np.log(without)
    error = np.sqrt((count - 1) / count * np.sum((logs - logs.mean()) ** 2))
    half = float(stdtrit(count - 1, 0.975) * error)
    value = velocity_of(flow)
    return value * float(np.exp(-half)), value * float(np.exp(half))


def _without(flow: Flow, month: int) -> Flow:
    fields = ("open", "closed", "won", "priced", "amount", "cycle")
    return Flow(**{name: np.delete(getattr(flow, name), month) for name in fields})


def _flow(known: Known, months: Span) -> Flow:
    """Return what velocity is made of, as known today: a deal is open from its creation until it closed."""
    deals, calendar = known.snap.opportunities, known.snap.calendar
    created = calendar.period_of(deals["created_on"])
    ended = deals["closed_on"].notna().to_numpy()
    closed = np.full(len(deals), np.iinfo(np.int64).max)
    closed[ended] = calendar.period_of(deals.loc[ended, "closed_on"])
    every = np.arange(months.first, months.last + 1)
    is_open = [float(((created <= month) & (closed > month)).sum()) for month in every]
    wins = known.wins.assign(cycle=(known.wins["closed_on"] - known.wins["created_on"]).dt.days.clip(lower=0) / 30.4375)
    return Flow(
        open=np.array(is_open),
        closed=by_month(known.closed, months),
        won=by_month(wins, months),
        priced=by_month(wins[wins["amount"].notna()], months),
        amount=by_month(wins, months, "amount"),
        cycle=by_month(wins, months, "cycle"),
    )
