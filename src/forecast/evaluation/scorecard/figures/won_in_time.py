"""The share of deals won within six months of their creation: a close rate that months can be compared by.

Simple case: of 40 deals created in January, 12 were won by the end of June: 12 / 40. Every deal counts from its first
day and for as long as every other, so it does not matter when, or whether, losses are closed; the rate among the deals
closed moves with that, and the rate of whole cohorts has none for young months. What is won later is left out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_label, period_labels
from forecast.data.schema import TOTAL
from forecast.evaluation.scorecard.close_rates import FIGURE
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.figures.since_joint import Monthly
from forecast.evaluation.scorecard.funnel.journeys import WON, followed_until, record_begins, since_creation
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.spans import Span

WITHIN = 6
"""Months from the month of creation on in which a win counts, that month included."""

DEFINITION = f"won within {WITHIN} months of creation, by count"
MONTHS = 12
"""Months of creation of the rate itself: the last that can be seen."""

_MEANS = (
    f"deals won by the end of the {WITHIN}th month, that of their creation included, of all created in these months"
)


def won_in_time(known: Known, _: Span) -> list[Definition]:
    """Return the rate of each segment and the Total over the last MONTHS months whose deals could be seen WITHIN
    months; Wilson's interval over the design effect of the months of creation (`intervals.share_by`)."""
    deals = created(known)
    last = int(deals["period"].max()) if len(deals) else 0
    here = deals[deals["period"] > last - MONTHS]
    parts = [(TOTAL, here), *((segment, here[here["segment"] == segment]) for segment in known.snap.segments)]
    return [_row(segment, part) for segment, part in parts]


def monthly(known: Known, span: Span) -> list[Monthly]:
    """Return the rate by segment and month of creation."""
    deals = created(known)
    deals = deals[span.has(deals["period"])]
    if deals.empty:
        return []
    values = deals.groupby(["segment", "period"])["won"].mean().rename("value").reset_index()
    values = values.assign(period=period_labels(values["period"]))
    return [Monthly(figure=FIGURE, definition=DEFINITION, values=values)]


def created(known: Known) -> pd.DataFrame:
    """Return the deals created in months that the record holds and that could be seen WITHIN months: segment, period
    of creation, won (0.0 or 1.0, by the end of the WITHIN-th month)."""
    snap = known.snap
    deals = since_creation(snap)
    calendar, until = snap.calendar, followed_until(snap)
    period = np.asarray(calendar.period_of(pd.Series(deals.start)))
    youngest = calendar.period(pd.Timestamp(until)) - WITHIN + 1
    use = (deals.ended >= 0) & (period >= record_begins(snap)) & (period <= youngest) & (deals.segment >= 0)
    deals, period = deals.take(use), period[use]
    won = np.zeros(len(deals))
    is_won = deals.ended == WON
    ends = np.asarray(calendar.period_of(pd.Series(deals.end[is_won])))
    won[is_won] = ends < period[is_won] + WITHIN
    segments = np.array(deals.segments, dtype=object)[deals.segment]
    return pd.DataFrame({"segment": segments, "period": period, "won": won})


def _row(segment: str, deals: pd.DataFrame) -> Definition:
    few = deals.empty
    low, high = intervals.NONE if few else intervals.share_by(deals["won"], deals["period"])
    return Definition(
        figure=FIGURE,
        definition=DEFINITION,
        means=_MEANS,
        unit="share",
        of="deals created",
        segment=segment,
        value=float("nan") if few else float(deals["won"].mean()),
        low=low,
        high=high,
        n=len(deals),
        n_of="deal",
        first="" if few else period_label(int(deals["period"].min())),
        last="" if few else period_label(int(deals["period"].max())),
        missing=f"no deal of the record is {WITHIN} months old" if few else "",
    )
