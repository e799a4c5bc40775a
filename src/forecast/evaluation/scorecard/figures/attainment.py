"""Quota attainment: how many reps reach it, how far the others are from it, and whether those who are new do.

Simple case: a rep has quotas for the months of the year; wins over the sum of the quotas is the attainment, and 1 or
more is at quota. A rep counts where a quota was set in the span. Tenure is from the day hired where the table of quotas
says it (`hired_on`), else from the rep's first deal or first quota, whichever came first; a rep who was there in the
first three months of the log may have been there for years, so their tenure is at least what is seen, and where that
leaves it open between the groups they are a group of their own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods, period_labels
from forecast.data.codes import dictionary_of, row_codes
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.figures.since_joint import Monthly
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.measures import quota_attained
from forecast.evaluation.scorecard.spans import Span

FIGURE = "reps at quota"
NEEDS = "needs quotas, and owner in opportunities"

GROUPS = ("first year", "second year", "third year and later", "tenure not known")
"""By tenure in the middle of the span: under 12 months, 12 to 23, 24 and more, and those who were there from the start
of a log that is too short to tell."""

QUANTILES = (0.1, 0.5, 0.9)

AT_THE_START = 3
"""Months from the beginning of the log in which a rep who is seen may have been there before."""


def attainment(known: Known, span: Span) -> list[Definition]:
    """Return who reaches quota: the share of reps, how attainment is spread, by tenure, and of single months.

    Intervals: Wilson's with the reps as cases for shares of reps; between two of the reps' attainments for quantiles;
    Student's t for the mean; of rep-months, Wilson's with the reps as units, since who misses one month misses others.
    """
    attained = quota_attained(known, span)
    if attained is None:
        return [_missing(name, NEEDS, span) for name in ("over the span", "by month", *_by_tenure_names())]
    if attained.empty:
        why = "nobody has a quota in these months"
        return [_missing(name, why, span) for name in ("over the span", "by month", *_by_tenure_names())]
    reached = (attained >= 1).astype(float)
    means = "reps whose wins reached the sum of their quotas"
    rows = [_share("over the span", means, reached, span)]
    rows += _spread(attained, span)
    rows.append(_by_month(known, span))
    tenure = tenure_of(known, span, attained.index)
    for group in GROUPS:
        here = reached[tenure == group]
        name = f"by tenure: {group}"
        if len(here):
            rows.append(_share(name, f"{means}, of those in their {group}" if "year" in group else means, here, span))
        elif group != GROUPS[-1]:
            rows.append(_missing(name, "no rep with a quota is of that tenure", span))
    return rows


def tenure_of(known: Known, span: Span, names: pd.Index) -> pd.Series:
    """Return which of GROUPS each rep is in, by name: full months from the first one to the middle of the span."""
    calendar, middle = known.snap.calendar, (span.first + span.last) / 2
    quotas = known.snap.quotas
    assert quotas is not None
    seen = [pd.Series(parse_periods(quotas["period"]), index=quotas["owner"].to_numpy())]
    deals = known.snap.opportunities
    seen.append(_first_of_each(deals["owner"], calendar.period_of(deals["created_on"])))
    history = known.snap.history
    if history is not None and "owner" in history.columns:
        seen.append(_first_of_each(history["owner"], calendar.period_of(history["recorded_on"])))
    first = pd.concat(seen).groupby(level=0).min().reindex(names).astype(float)
    begins = calendar.period(known.snap.opportunities["created_on"].min())
    from_before = (first < begins + AT_THE_START).to_numpy()
    if "hired_on" in quotas.columns:
        hired = pd.to_datetime(quotas["hired_on"], errors="coerce").groupby(quotas["owner"]).min().reindex(names)
        stated = hired.notna().to_numpy()
        first = first.mask(stated, pd.Series(calendar.period_of(hired), index=names).astype(float))
        from_before = from_before & ~stated
    months = middle - first.to_numpy()
    group = np.select([months < 12, months < 24], GROUPS[:2], GROUPS[2])
    group = np.where(from_before & (months < 24), GROUPS[3], group)
    return pd.Series(group, index=names)


def _first_of_each(names: pd.Series, periods: np.ndarray) -> pd.Series:
    """Return the first of the periods (n,) beside each name, by name."""
    held = dictionary_of(names)
    codes, none = row_codes(held), np.iinfo(np.int64).max
    first = np.full(len(held.dictionary) + 1, none)  # the last for those without a name
    np.minimum.at(first, codes, periods)
    there = first[:-1] != none
    return pd.Series(first[:-1][there], index=held.dictionary.filter(there).to_pylist(), dtype=np.int64)


def monthly(known: Known, span: Span) -> list[Monthly]:
    """Return the share of rep-months at quota by segment and month; a rep is of the segment of most of their deals."""
    months = _rep_months(known, span)
    if months is None or months.empty:
        return []
    deals = known.snap.opportunities.dropna(subset=["owner"])
    count = deals.groupby(["owner", "segment"]).size().reset_index(name="deals")
    most = count.sort_values(["deals", "segment"]).drop_duplicates("owner", keep="last")
    months = months.assign(segment=months["owner"].map(most.set_index("owner")["segment"])).dropna(subset=["segment"])
    values = (
        months.groupby(["segment", "period"], as_index=False)["reached"].mean().rename(columns={"reached": "value"})
    )
    values = values.assign(period=period_labels(values["period"]))
    return [Monthly(figure=FIGURE, definition="by month", values=values)]


def _rep_months(known: Known, span: Span) -> pd.DataFrame | None:
    """Return owner, period and whether the month's quota was reached, one row a rep and month with a quota."""
    quotas = span.rows(known.snap.quotas)
    if quotas is None or "owner" not in known.wins.columns:
        return None
    asked = quotas.assign(period=parse_periods(quotas["period"])).groupby(["owner", "period"])["quota"].sum()
    asked = asked[asked > 0]
    won = known.wins.groupby(["owner", "period"])["amount"].sum().reindex(asked.index, fill_value=0.0)
    return (won >= asked).astype(float).rename("reached").reset_index()


def _by_month(known: Known, span: Span) -> Definition:
    months = _rep_months(known, span)
    assert months is not None
    if months.empty:
        return _missing("by month", "nobody has a quota in these months", span)
    low, high = intervals.share_by(months["reached"], months["owner"])
    return Definition(
        figure=FIGURE,
        definition="by month",
        means="months of reps in which their wins reached the quota of the month; reps are the units of the interval",
        unit="share",
        of="rep-months",
        value=float(months["reached"].mean()),
        low=low,
        high=high,
        n=len(months),
        n_of="rep-month",
        first=span.first_label,
        last=span.last_label,
    )


def _spread(attained: pd.Series, span: Span) -> list[Definition]:
    """Return the 10, 50 and 90 % quantiles and the mean of the reps' attainments."""
    found = {
        f"attainment: {100 * q:.0f} %": (
            f"wins over quota that {100 * q:.0f} % of the reps are below",
            float(np.quantile(attained, q)),
            intervals.quantile(attained, q),
        )
        for q in QUANTILES
    }
    found["attainment: mean"] = (
        "mean over the reps of wins over quota",
        float(attained.mean()),
        intervals.mean(attained),
    )
    return [
        Definition(
            figure=FIGURE,
            definition=name,
            means=means,
            unit="ratio",
            value=value,
            low=low,
            high=high,
            n=len(attained),
            n_of="rep",
            first=span.first_label,
            last=span.last_label,
        )
        for name, (means, value, (low, high)) in found.items()
    ]


def _share(name: str, means: str, reached: pd.Series, span: Span) -> Definition:
    low, high = intervals.share(reached)
    return Definition(
        figure=FIGURE,
        definition=name,
        means=means,
        unit="share",
        of="reps",
        value=float(reached.mean()),
        low=low,
        high=high,
        n=len(reached),
        n_of="rep",
        first=span.first_label,
        last=span.last_label,
    )


def _missing(name: str, why: str, span: Span) -> Definition:
    of = "rep-months" if name == "by month" else "reps"
    means = "reps whose wins reached the sum of their quotas"
    return Definition(
        figure=FIGURE,
        definition=name,
        means=means,
        unit="share",
        of=of,
        n_of=of.removesuffix("s"),
        first=span.first_label,
        last=span.last_label,
        missing=why,
    )


def _by_tenure_names() -> list[str]:
    return [f"by tenure: {group}" for group in GROUPS[:-1]]
