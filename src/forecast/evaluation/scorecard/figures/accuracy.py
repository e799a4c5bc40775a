"""How near forecasts come: the share of segment-quarters forecast within 5 to 50 %, by lead time and submitter.

Simple case: in a month before a quarter begins somebody forecasts all three of its months for a segment; their sum is
the forecast of the quarter, held against what the three months brought. The lead time is in months from the month of
the forecast to the first of the quarter: 0 = made in that month, 1 = in the month before, and so on, as far ahead as
somebody submits. The complications: a quarter counts once all of it has settled; the official forecast is one
submitter's, then another's (`submissions`), and at most three months ahead, so that of a whole quarter it has two lead
times; and the segments of a quarter share their luck, so quarters are the units of the interval. Of forecasts that
measure something else than what is booked no accuracy is told.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import period_label, period_labels
from forecast.data.audit.scope import MEASURES_OTHER
from forecast.data.submissions import COLUMNS, HORIZONS, counted, name_key, submitters
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.figures.since_joint import Monthly
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.measures import WITHIN
from forecast.evaluation.scorecard.spans import Span
from forecast.wording import joined

FIGURE = "forecast accuracy"
BOUNDS = (0.05, 0.10, 0.20, 0.50)
QUARTERS = 12
"""The last quarters looked at: of the four of a year hardly anything can be told."""

LEADS = (0, 1)
"""Months from an official forecast to the first month of its quarter."""

LONGEST_LEAD = 12
"""Months from the forecast to the first month of the quarter beyond which nothing is told."""

OFFICIAL = "official"
NEEDS = "needs submitted_forecasts"
NOTHING_SETTLED = "no quarter for which all three months were forecast has settled"


def accuracy(known: Known, span: Span) -> list[Definition]:
    """Return the share of segment-quarters within each of BOUNDS, by submitter and lead time, and of segment-months.

    Of submitters who are no reps, which would be a hundred rows, at each lead time that their forecasts hold. Of the
    last QUARTERS quarters that have settled by then, as `first` and `last` say; single months are of the span.
    Intervals: Wilson's with the number of segment-quarters over the design effect of the quarters.
    """
    if known.issued is None:
        why = known.without_official or NEEDS
        return [_row(_quarter_name(OFFICIAL, lead, bound), bound, missing=why) for bound in BOUNDS for lead in LEADS]
    quarters = quarter_forecasts(known)
    last = int(quarters["quarter"].max()) if len(quarters) else 0
    quarters = quarters[quarters["quarter"] > last - QUARTERS]
    groups = {(str(who), int(lead)): rows for (who, lead), rows in quarters.groupby(["submitter", "lead"], sort=True)}
    deals = known.snap.opportunities
    reps = {name_key(str(name)) for name in deals["owner"].dropna().unique()} if "owner" in deals else set()
    names = sorted({who for who, _ in groups if name_key(who) not in reps} - {OFFICIAL}, key=str.lower)
    rows = [
        _of_quarters(known, groups.get((who, lead)), who, lead, bound)
        for who in (OFFICIAL, *names)
        for lead in (LEADS if who == OFFICIAL else [lead for name, lead in groups if name == who])
        for bound in BOUNDS
    ]
    return [*rows, *_of_months(known, span)]


def quarter_forecasts(known: Known) -> pd.DataFrame:
    """Return every forecast of a whole quarter that has settled: submitter, lead, quarter, segment, forecast, actual.

    quarter : the number of the fiscal quarter. The official forecast is one more submitter, `official`.
    """
    assert known.issued is not None
    table = known.snap.submitted_forecasts
    parts = [_with_actual(known, known.issued).assign(submitter=OFFICIAL)]
    if table is not None:
        parts.append(_with_actual(known, counted(table, calendar=known.snap.calendar)))
    calendar = known.snap.calendar
    rows = pd.concat([part[[*COLUMNS, "actual"]] for part in parts], ignore_index=True)
    rows = rows.assign(
        quarter=calendar.quarter_of(rows["target"].to_numpy()),
        lead=rows["target"] - calendar.quarter_position(rows["target"].to_numpy()) - rows["origin"],
    )
    keys = ["submitter", "lead", "quarter", "segment"]
    sums = rows.groupby(keys).agg(forecast=("amount", "sum"), actual=("actual", "sum"), months=("target", "nunique"))
    sums = sums[sums["months"] == 3].drop(columns="months").reset_index()
    sums = sums[sums["lead"].between(0, LONGEST_LEAD)]
    if len(submitters(table)) == 1:  # whose forecasts are the official ones, as far ahead as these go
        sums = sums[(sums["submitter"] == OFFICIAL) | ~sums["lead"].isin(LEADS)]
    return sums.reset_index(drop=True)


def within(forecast: np.ndarray, actual: np.ndarray, bound: float) -> np.ndarray:
    """Return which forecasts are within a share of what was booked; (n,) bool, of nothing booked only nothing."""
    return np.abs(forecast - actual) <= bound * np.abs(actual) * (1 + 1e-12)


def monthly(known: Known, span: Span) -> list[Monthly]:
    """Return by segment and month whether the last official forecast made before the month was within WITHIN."""
    rows = _before_their_month(known, span)
    if rows is None or rows.empty:
        return []
    value = within(rows["amount"].to_numpy(), rows["actual"].to_numpy(), WITHIN).astype(float)
    values = pd.DataFrame({"segment": rows["segment"], "period": period_labels(rows["target"]), "value": value})
    return [Monthly(figure=FIGURE, definition=_month_name("before it began"), values=values)]


def _of_quarters(known: Known, rows: pd.DataFrame | None, submitter: str, lead: int, bound: float) -> Definition:
    name = _quarter_name(submitter, lead, bound)
    if rows is None or rows.empty:
        return _row(name, bound, missing=_why_none(known, NOTHING_SETTLED))
    held = within(rows["forecast"].to_numpy(), rows["actual"].to_numpy(), bound)
    low, high = intervals.share_by(held, rows["quarter"])
    periods = known.snap.calendar.quarter_periods
    return replace(
        _row(name, bound),
        value=float(held.mean()),
        low=low,
        high=high,
        n=len(held),
        first=period_label(periods(int(rows["quarter"].min()))[0]),
        last=period_label(periods(int(rows["quarter"].max()))[2]),
    )


def _of_months(known: Known, span: Span) -> list[Definition]:
    """Return the share of segment-months within WITHIN: of the last forecast made before it, and by lead time.

    Where every last forecast before its month was made in the month before, that lead time is no row of its own.
    """
    assert known.issued is not None
    last_before = _before_their_month(known, span)
    parts = {"before it began": last_before}
    rows = _with_actual(known, known.issued[span.has(known.issued["target"])])
    by_lead = {lead: rows[rows["horizon"] == lead] for lead in HORIZONS}
    if last_before is not None and _are_the_same(last_before, by_lead[1]):
        del by_lead[1]
    parts |= {_ahead(lead): part for lead, part in by_lead.items()}
    found = []
    for made, part in parts.items():
        row = _row(_month_name(made), WITHIN, of="segment-months")
        if part is None or part.empty:
            found.append(replace(row, missing=_why_none(known, "no month with such a forecast has settled")))
            continue
        held = within(part["amount"].to_numpy(), part["actual"].to_numpy(), WITHIN)
        low, high = intervals.share_by(held, part["target"])
        first, last = (period_label(int(end)) for end in (part["target"].min(), part["target"].max()))
        found.append(replace(row, value=float(held.mean()), low=low, high=high, n=len(held), first=first, last=last))
    return found


def _before_their_month(known: Known, span: Span) -> pd.DataFrame | None:
    official = known.official
    return None if official is None else _with_actual(known, official[span.has(official["target"])])


def _are_the_same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two parts hold the same forecasts, of which there are some."""
    keys = ["segment", "target", "origin"]
    return len(one) == len(other) > 0 and len(one.merge(other, on=keys)) == len(one)


def _with_actual(known: Known, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of bookings whose target has settled, with `actual`."""
    rows = known.of_bookings(rows)
    actual = known.actuals.stack().rename("actual")
    actual.index = actual.index.set_names(["target", "segment"])
    return rows.merge(actual.reset_index(), on=["target", "segment"])


def _why_none(known: Known, otherwise: str) -> str:
    """Return why there is no forecast to look at; `otherwise` where none was left out."""
    if not known.other_scope:
        return otherwise
    segments = joined(sorted({segment for segment, _ in known.other_scope}))
    return f"{otherwise}; forecasts for {segments} {MEASURES_OTHER}"


def _ahead(lead: int) -> str:
    return "in the month itself" if not lead else f"{lead} month{'s' if lead > 1 else ''} before"


def _month_name(made: str) -> str:
    return f"months within {100 * WITHIN:.0f} %, official, made {made}"


def _quarter_name(submitter: str, lead: int, bound: float) -> str:
    made = ("in its first month", "in the month before it")[lead] if lead < 2 else _ahead(lead)
    return f"quarters within {100 * bound:.0f} %, {submitter}, made {made}"


def _row(name: str, bound: float, *, of: str = "segment-quarters", missing: str = "") -> Definition:
    unit = of.removesuffix("s")
    means = f"{of} whose forecast was within {100 * bound:.0f} % of what was booked"
    return Definition(figure=FIGURE, definition=name, means=means, unit="share", of=of, n_of=unit, missing=missing)
