"""The survey's five figures beside ours; and more to more people, more often, for more money, at lower cost.

The survey asked companies about their sales forecasting; its figures are shares of companies, of people or of revenue
and stand here to hold ours against, not as targets. Ours are computed as known on `as_of`, over the 12 months ended by
then and the 12 before. What a company's tables cannot say stays empty, with the table that would bring it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods, period_label
from forecast.data.known.snapshot import Snapshot, settled_actuals, snapshot
from forecast.data.schema import TOTAL, Log
from forecast.errors import DataError, ParameterError
from forecast.evaluation import measures as measures
from forecast.evaluation.measures import Known, Span
from forecast.evaluation.planning.errors import official_forecasts

COLUMNS = ("measure", "ours", "unit", "survey", "survey_text", "period", "change", "note", "previous")
MODEL = "pipeline"


@dataclass(frozen=True)
class Measure:
    """A row: what it is called, its unit (`share`, `money`, `count`, `ratio`), its maker, what it needs and means."""

    name: str
    unit: str
    make: Callable[[Known, Span], float | None]
    needs: str
    meaning: str
    survey: float = float("nan")
    survey_text: str = ""


ROWS = (
    Measure(
        "forecast accuracy",
        "share",
        measures.forecast_accuracy,
        "submitted_forecasts",
        "segment-months whose official forecast, made before the month began, was within 10 % of what was booked",
        0.38,
        "38 % of companies had forecasting accuracy",
    ),
    Measure(
        "reps at quota",
        "share",
        measures.reps_at_quota,
        "quotas, and owner in opportunities",
        "reps whose wins reached the sum of their quotas",
        0.60,
        "60 % of reps made quota",
    ),
    Measure(
        "formal process",
        "share",
        measures.formal_process,
        "submitted_forecasts",
        "segment-months for which an official forecast was submitted before the month began",
        0.37,
        "37 % of companies had a formal forecasting process",
    ),
    Measure(
        "existing business",
        "share",
        measures.existing_business,
        "type or account_id in opportunities",
        "won value from customers who had bought before",
        0.63,
        "63 % of revenue came from existing business",
    ),
    Measure(
        "proposals won",
        "share",
        measures.proposals_won,
        "opportunity_history, and is_proposal in stages",
        "closed opportunities that had a proposal out and were won",
        0.50,
        "under half of proposals closed",
    ),
    Measure(
        "more people: customers won",
        "count",
        measures.customers,
        "account_id in opportunities",
        "different customers who bought",
    ),
    Measure(
        "more often: orders per customer",
        "ratio",
        measures.orders_per_customer,
        "account_id in opportunities",
        "orders over customers who bought",
    ),
    Measure("more money: mean deal", "money", measures.mean_deal, "opportunities", "won value over wins"),
    Measure(
        "more money: price per unit",
        "money",
        measures.price_per_unit,
        "units in opportunities",
        "won value over units; the mix of products is in it",
    ),
    Measure(
        "lower cost: cost of sales per booked",
        "ratio",
        measures.cost_of_sales,
        "costs",
        "cost of sales and marketing over bookings",
    ),
    Measure(
        "delivery: on time",
        "share",
        measures.on_time,
        "promised_on and delivered_on in opportunities, or delivery",
        "orders delivered by the day promised",
    ),
    Measure(
        "delivery: bookings against capacity",
        "ratio",
        measures.load,
        "delivery",
        "bookings over what can be delivered",
    ),
)


def scorecard(log: Log, *, as_of: str | pd.Timestamp, scores: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row a measure.

    Parameters
    ----------
    log : the company's tables.
    as_of : the day whose knowledge is used; not later than the log's last.
    scores : what `forecast.score` gave for a backtest; brings the accuracy of the model beside that of the people.

    Returns
    -------
    measure, ours (NaN where the tables cannot say), unit (`share` 0 to 1, `money` in the reporting currency, `count`,
    `ratio`), survey (NaN where it has no such figure), survey_text, period (the months `ours` covers), change (against
    the 12 months before: difference of shares, else relative change), note (what it means, what is missing), previous
    (the 12 months before; NaN where the log does not hold them whole).

    Raises ParameterError for an as_of that the log cannot answer.
    """
    snap = snapshot(log, as_of=as_of)
    last = snap.period if snap.at_month_end else snap.period - 1
    span, before = Span(last - 11, last), Span(last - 23, last - 12)
    known = _known(log, snap)
    first = snap.calendar.period(snap.opportunities["created_on"].min())
    rows = [_row(measure, known, span, before, first) for measure in ROWS]
    if scores is not None:
        rows.insert(1, _model_row(scores, span, before))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"ours": float, "survey": float, "change": float})


def _known(log: Log, snap: Snapshot) -> Known:
    calendar = snap.calendar
    closed = snap.opportunities[snap.opportunities["outcome"].isin(["won", "lost"])].copy()
    closed["period"] = calendar.period_of(closed["closed_on"])
    actuals = settled_actuals(log).pivot_table(index="period", columns="segment", values="amount", aggfunc="sum")
    actuals.index = pd.Index(parse_periods(actuals.index))
    settled = actuals[actuals.index <= calendar.last_settled(snap.as_of, settle_days=snap.company.settle_days)]
    official = None
    if log.get("submitted_forecasts") is not None:
        try:
            official = official_forecasts(log, as_of=snap.as_of)
        except DataError:
            official = None
    if official is not None:
        made = official["submitted_on"].to_numpy() < _starts(official["target"], calendar.start)
        official = official[made].sort_values(["segment", "target", "origin"])
        official = official.drop_duplicates(["segment", "target"], keep="last").reset_index(drop=True)
    return Known(snap, closed[closed["outcome"] == "won"], closed, official, settled)


def _starts(periods: pd.Series, start: Callable[[int], pd.Timestamp]) -> np.ndarray:
    days = {int(period): start(int(period)).to_datetime64() for period in periods.unique()}
    return np.array([days[int(period)] for period in periods], dtype="datetime64[us]")


def _row(measure: Measure, known: Known, span: Span, before: Span, first: int) -> tuple[object, ...]:
    ours = measure.make(known, span)
    note = measure.meaning
    previous = None
    if ours is None:
        note += f"; needs {measure.needs}"
    elif before.first < first:
        note += "; the log does not hold the 12 months before"
    else:
        previous = measure.make(known, before)
    return _told(measure.name, measure.unit, ours, previous, measure.survey, measure.survey_text, span, note)


def _model_row(scores: pd.DataFrame, span: Span, before: Span) -> tuple[object, ...]:
    for name in ("model", "horizon", "segment", "target_period", "observed", "mean"):
        if name not in scores.columns:
            raise ParameterError(f"scores: the column {name!r} is missing; give what forecast.score returns")
    rows = scores[(scores["model"] == MODEL) & (scores["horizon"] == 1) & (scores["segment"] != TOTAL)]
    rows = rows[~rows["target_period"].str.startswith("FY") & rows["mean"].notna()]
    periods = parse_periods(rows["target_period"])

    def share(months: Span) -> float:
        part = rows[months.has(periods)]
        return measures.within_share(part["observed"].to_numpy(), part["mean"].to_numpy())

    note = f"segment-months whose forecast by `{MODEL}`, a month ahead, was within 10 % of what was booked"
    return _told("forecast accuracy of the model", "share", share(span), share(before), np.nan, "", span, note)


def _told(
    name: str,
    unit: str,
    ours: float | None,
    previous: float | None,
    survey: float,
    survey_text: str,
    span: Span,
    note: str,
) -> tuple[object, ...]:
    now, then = (float("nan") if value is None else value for value in (ours, previous))
    change = now - then if unit == "share" else measures.ratio(now - then, then)
    months = f"{period_label(span.first)} to {period_label(span.last)}"
    return (name, now, unit, survey, survey_text, months, change, note, then)
