"""The measures of the scorecard: each takes what was known and a span of months, and gives one number.

The survey asked companies about their sales; its figures (`benchmarks`) are shares of companies, people or revenue
and stand here to hold ours against, not as targets. The definitions are in docs/methods/scorecard.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.evaluation.scorecard.benchmarks import benchmark
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.spans import Span
from forecast.evaluation.scores.amounts import Floats, ratio

BOOKINGS = "more revenue: bookings"
"""The measure of what was booked; its parts are in `revenue`."""

COST_OF_SALES = "lower cost: cost of sales per booked"
"""The measure of what selling cost; under other definitions it is in `figures.cost`."""

CAPACITY = "delivery: bookings against capacity"
"""The measure of what was booked over what could be delivered."""

WITHIN = 0.10
"""A forecast is accurate where it is within this share of what was booked."""

LOOK_BACK = 12
"""Months before a win in which an earlier one of the account makes it existing business; the same for every win."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A row of the scorecard.

    unit : `share`, `money`, `count` or `ratio`. make : takes what is known and a span of months, gives the number.
    needs : tables and columns without which it gives None. meaning : what the number counts. survey : the survey's
    figure, NaN where it has none. survey_text : what that figure is a share of. people : where the share is one of
    people, whether each reached it (0 or 1, by name): then they are the units of a test, else the months are. bound :
    where the tables give no more than the least that it can be, why. survey_is_apart : the survey's is a share of
    something else, so that none is above the other. of, survey_of : what ours and the survey's are shares of, where
    that is not the same. told_by : what tells it in these tables, empty
    where `of` is not so. of_settled : whether it waits for months to settle, so that the last of a span may have no
    figure yet.
    """

    name: str
    unit: str
    make: Callable[[Known, Span], float | None]
    needs: str
    meaning: str
    survey: float = float("nan")
    survey_text: str = ""
    people: Callable[[Known, Span], pd.Series | None] | None = None
    bound: Callable[[Known], str] | None = None
    survey_is_apart: bool = False
    of: str = ""
    survey_of: str = ""
    told_by: Callable[[Known, Span], str] | None = None
    of_settled: bool = False


# -- the measures: each takes what was known and a span of months, and gives one number ---------------------
#
# None stands for a measure that the tables cannot give; NaN for one whose denominator is zero.


def forecast_accuracy(known: Known, span: Span) -> float | None:
    """Share of settled segment-months whose official forecast, made before the month, was within 10 %."""
    if known.official is None:
        return None
    rows = known.of_bookings(known.official[span.has(known.official["target"])])
    row = known.actuals.index.get_indexer(rows["target"])
    column = known.actuals.columns.get_indexer(rows["segment"])
    settled = (row >= 0) & (column >= 0)
    actual = known.actuals.to_numpy(dtype=np.float64)[row[settled], column[settled]]
    return within_share(actual, rows["amount"].to_numpy(dtype=np.float64)[settled])


def within_share(actual: Floats, forecast: Floats, *, within: float = WITHIN) -> float:
    """Return the share of |forecast - actual| <= within x actual; NaN where there is no forecast."""
    if not len(actual):
        return float("nan")
    return float(np.mean(np.abs(forecast - actual) <= within * np.abs(actual) * (1 + 1e-12)))


def submitted_in_time(known: Known, span: Span) -> float | None:
    """Share of segment-months for which an official forecast was submitted before the month began."""
    if known.official is None:
        return None
    rows = known.official[span.has(known.official["target"])]
    there = len(rows[["segment", "target"]].drop_duplicates())
    return ratio(there, len(known.snap.segments) * (span.last - span.first + 1))


def reps_at_quota(known: Known, span: Span) -> float | None:
    """Share of those with a quota whose wins reached the sum of their quotas."""
    reached = quota_reached(known, span)
    return None if reached is None else float(reached.mean()) if len(reached) else float("nan")


def quota_reached(known: Known, span: Span) -> pd.Series | None:
    """Return whether the wins of each with a quota reached the sum of their quotas, 0 or 1, by name."""
    attained = quota_attained(known, span)
    return None if attained is None else (attained >= 1).astype("float64")


def quota_attained(known: Known, span: Span) -> pd.Series | None:
    """Return the wins of each with a quota over the sum of their quotas, by name."""
    quotas = span.rows(known.snap.quotas)
    if quotas is None or "owner" not in known.wins.columns:
        return None
    asked = quotas.groupby("owner")["quota"].sum()
    asked = asked[asked > 0]
    won = known.wins[span.has(known.wins["period"])].groupby("owner")["amount"].sum()
    return (won.reindex(asked.index, fill_value=0.0) / asked).astype("float64")


def existing_business(known: Known, span: Span) -> float | None:
    """Share of won value from existing customers: type `existing`, or, without types, an earlier win of the account."""
    wins = known.wins[span.has(known.wins["period"])]
    if "type" in wins.columns and wins["type"].notna().any():
        typed = wins[wins["type"].notna()]
        return ratio(typed.loc[typed_existing(typed), "amount"].sum(), typed["amount"].sum())
    return bought_before(known, span)


def typed_existing(wins: pd.DataFrame) -> pd.Series:
    """Return which wins the CRM's type calls existing business, (n,) bool; a win without a type is none."""
    existing = wins["type"].str.strip().str.lower().str.contains("existing|renewal|expansion|upsell", regex=True)
    return existing.fillna(value=False).astype(bool)


def bought_before(known: Known, span: Span) -> float | None:
    """Share of won value from accounts that had bought in the LOOK_BACK months before."""
    wins = known.wins[span.has(known.wins["period"])]
    if "account_id" not in wins.columns or not wins["account_id"].notna().any():
        return None
    old = of_customers(known.wins).loc[wins.index]
    named = wins["account_id"].notna()
    return ratio(wins.loc[named & old, "amount"].sum(), wins.loc[named, "amount"].sum())


def of_customers(wins: pd.DataFrame, *, months: int = LOOK_BACK) -> pd.Series:
    """Return which wins are of an account with an earlier win at most `months` months before; (n,) bool.

    Of every win as many months are looked back at, so that a longer log finds no more of the same wins. Earlier is an
    earlier day: what an account buys on one day it buys at once. wins : account_id, closed_on, period.
    """
    day = wins["closed_on"].dt.normalize()
    days = pd.DataFrame({"account": wins["account_id"], "day": day, "period": wins["period"]})
    days = days.dropna(subset=["account"]).drop_duplicates(["account", "day"]).sort_values(["account", "day"])
    days["since"] = days["period"] - days.groupby("account")["period"].shift()
    since = pd.DataFrame({"account": wins["account_id"], "day": day}).merge(days, on=["account", "day"], how="left")
    return pd.Series((since["since"] <= months).to_numpy(dtype=bool), index=wins.index)


def what_tells_existing(known: Known, span: Span) -> str:
    """Return that the deals' type tells existing business, with the least it is by accounts; empty without types."""
    if first_orders_count_as_new(known):
        return ""
    by_account = bought_before(known, span)
    if by_account is None or np.isnan(by_account):
        return "by the deal’s type in the CRM"
    share = f"{100 * by_account:.{0 if by_account >= 0.1 else 1}f} %"
    least = f"by orders of the account in the {LOOK_BACK} months before at least {share}"
    return f"by the deal’s type in the CRM; {least}"


def first_orders_count_as_new(known: Known) -> str:
    """Return why the share of existing business is at least what is found, empty where types tell it."""
    if "type" in known.wins.columns and known.wins["type"].notna().any():
        return ""
    return f"who bought last more than {LOOK_BACK} months before, or before the log began, counts as new"


def proposals_won(known: Known, span: Span) -> float | None:
    """Share of the opportunities closed in the span that had a proposal out and were won."""
    closed = known.closed_with_proposal
    if closed is None:
        return None
    out = closed[span.has(closed["period"])]
    return float((out["outcome"] == "won").mean()) if len(out) else float("nan")


def bookings(known: Known, span: Span) -> float:
    """Value won in the span."""
    return float(known.wins.loc[span.has(known.wins["period"]), "amount"].sum())


def customers(known: Known, span: Span) -> float | None:
    """Number of different customers who bought."""
    wins = known.wins[span.has(known.wins["period"])]
    if "account_id" not in wins.columns or not known.wins["account_id"].notna().any():
        return None
    return float(wins["account_id"].nunique())


def orders_per_customer(known: Known, span: Span) -> float | None:
    """Wins of named customers over the number of customers who bought."""
    count = customers(known, span)
    if count is None:
        return None
    wins = known.wins[span.has(known.wins["period"])]
    return ratio(float(wins["account_id"].notna().sum()), count)


def mean_deal(known: Known, span: Span) -> float | None:
    """Won value over number of wins."""
    amounts = known.wins.loc[span.has(known.wins["period"]), "amount"].dropna()
    return ratio(amounts.sum(), float(len(amounts)))


def price_per_unit(known: Known, span: Span) -> float | None:
    """Won value over units won, of wins with units; the mix of products is in it."""
    if "units" not in known.wins.columns:
        return None
    wins = known.wins[span.has(known.wins["period"])].dropna(subset=["units", "amount"])
    wins = wins[wins["units"] > 0]
    return ratio(wins["amount"].sum(), wins["units"].sum())


def cost_of_sales(known: Known, span: Span) -> float | None:
    """Cost of sales and marketing over bookings."""
    costs = span.rows(known.snap.costs)
    if costs is None:
        return None
    spent = costs.loc[costs["function"].isin(["sales", "marketing"]), "amount"].sum()
    return ratio(spent, known.wins.loc[span.has(known.wins["period"]), "amount"].sum())


def on_time(known: Known, span: Span) -> float | None:
    """Share delivered on time: orders promised in the span where promises are recorded, else the delivery table's."""
    wins = known.wins
    if {"promised_on", "delivered_on"} <= set(wins.columns) and wins["promised_on"].notna().any():
        calendar = known.snap.calendar
        due = wins[span.has(calendar.period_of(wins["promised_on"])) & (wins["promised_on"] <= known.snap.as_of)]
        return float((due["delivered_on"] <= due["promised_on"]).mean()) if len(due) else float("nan")
    delivery = span.rows(known.snap.delivery)
    if delivery is None or "delivered_on_time" not in delivery.columns:
        return None
    rows = delivery.dropna(subset=["delivered_on_time", "capacity"])
    return ratio((rows["delivered_on_time"] * rows["capacity"]).sum(), rows["capacity"].sum())


def load(known: Known, span: Span) -> float | None:
    """Bookings over what can be delivered, in the segments and months whose capacity is known."""
    delivery = span.rows(known.snap.delivery)
    if delivery is None:
        return None
    rows = delivery.dropna(subset=["capacity"])
    keys = pd.MultiIndex.from_arrays([parse_periods(rows["period"]), rows["segment"]])
    wins = known.wins[span.has(known.wins["period"])]
    where = pd.MultiIndex.from_arrays([wins["period"], wins["segment"]]).isin(keys)
    return ratio(wins.loc[where, "amount"].sum(), rows["capacity"].sum())


def survey_figure(figure: str) -> dict[str, Any]:
    """Return the survey's figure and what it says, as `Measure` takes them."""
    theirs = benchmark(figure)
    return {"survey": theirs.value, "survey_text": theirs.says}


ROWS = (
    Measure(
        name="forecast accuracy",
        unit="share",
        make=forecast_accuracy,
        needs="submitted_forecasts",
        meaning=(
            "segment-months whose official forecast, made before the month began, was within 10 % of what was booked"
        ),
        **survey_figure("forecast accuracy"),
        survey_is_apart=True,
        of="of our segment-months",
        survey_of="of companies, which had what they would call forecasting accuracy",
        of_settled=True,
    ),
    Measure(
        name="reps at quota",
        unit="share",
        make=reps_at_quota,
        needs="quotas, and owner in opportunities",
        meaning="reps whose wins reached the sum of their quotas",
        **survey_figure("reps at quota"),
        people=quota_reached,
    ),
    Measure(
        name="forecasts submitted in time",
        unit="share",
        make=submitted_in_time,
        needs="submitted_forecasts",
        meaning="segment-months for which an official forecast was submitted before the month began",
    ),
    Measure(
        name="existing business",
        unit="share",
        make=existing_business,
        needs="type or account_id in opportunities",
        meaning="won value from existing customers",
        **survey_figure("existing business"),
        bound=first_orders_count_as_new,
        of="by the CRM’s type of deal",
        told_by=what_tells_existing,
    ),
    Measure(
        name="proposals won",
        unit="share",
        make=proposals_won,
        needs="opportunity_history, and is_proposal in stages",
        meaning="closed opportunities that had a proposal out and were won",
        **survey_figure("close rate"),
        survey_is_apart=True,
        of="of our proposals decided",
        survey_of="of proposals written, an average of companies",
    ),
    Measure(
        name=BOOKINGS,
        unit="money",
        make=bookings,
        needs="opportunities",
        meaning="value of the deals won",
    ),
    Measure(
        name="more people: customers who bought",
        unit="count",
        make=customers,
        needs="account_id in opportunities",
        meaning="different customers who bought",
    ),
    Measure(
        name="more often: orders per customer",
        unit="ratio",
        make=orders_per_customer,
        needs="account_id in opportunities",
        meaning="orders over customers who bought",
    ),
    Measure(
        name="more money: mean deal",
        unit="money",
        make=mean_deal,
        needs="opportunities",
        meaning="won value over wins",
    ),
    Measure(
        name="more money: price per unit",
        unit="money",
        make=price_per_unit,
        needs="units in opportunities",
        meaning="won value over units; the mix of products is in it",
    ),
    Measure(
        name=COST_OF_SALES,
        unit="ratio",
        make=cost_of_sales,
        needs="costs",
        meaning="what sales and marketing cost, over bookings; the cost of what is delivered is not in it",
    ),
    Measure(
        name="delivery: on time",
        unit="share",
        make=on_time,
        needs="promised_on and delivered_on in opportunities, or delivery",
        meaning="orders delivered by the day promised",
    ),
    Measure(
        name=CAPACITY,
        unit="ratio",
        make=load,
        needs="delivery",
        meaning="bookings over what can be delivered",
    ),
)
