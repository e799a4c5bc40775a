"""What comes in with a unit of marketing money, in pipeline created and won, by channel; or why that cannot be told.

Simple case: the amount of the deals of a channel created in twelve months, over the money spent on it. Complications.
Leads become deals later, so the money of a month is spread over its own and the three months after as the leads of the
channel turn into deals (`creation.lags_of_leads`), and for what was won further by how long its wins took. And a
channel that is given more money where business is good would look as if the money had brought it: where past demand
tells this month's spend (`follows_demand` at ALPHA; of channels whose money is set without regard to demand it finds
3 to 10 %, the most where months resemble their neighbours much), or where there are too few months to ask, the figure
is not told. What is told is what came with the money, not because of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.figures.cost import by_month
from forecast.evaluation.scorecard.figures.existing import YEAR_BEFORE
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.spans import YEAR, Span
from forecast.evaluation.scores.amounts import Floats
from forecast.models.pipeline.creation import LAGS, lags_of_leads

CREATED, WON = "pipeline created per unit of marketing", "pipeline won per unit of marketing"

ALPHA = 0.05
"""The level at which spend is said to follow demand, in each channel by itself: to miss it would be the worse error."""

FEWEST_MONTHS = 36
"""Fewest months of spend for the question whether it follows demand: season, trend and demand are told apart."""

DEMAND_MONTHS = 3
"""Months of bookings, and of deals created, that stand for past demand."""

MOST_AGE = 24
"""Months from creation within which a win is spread."""

NEEDS = "needs channel and spend in marketing, and the same names in lead_source of opportunities"
_MEANS = {
    CREATED: "amounts of the deals of the channel created in these months",
    WON: "amounts of the deals of the channel won in these months",
}


def channels(known: Known, span: Span) -> list[Definition]:
    """Return what came in with a unit of marketing money, by channel, over a span and the same months a year before.

    One row a channel, of pipeline created and of pipeline won; intervals by `intervals.ratio`, months as units.
    """
    lags, spend = lags_of_leads(known.snap.state), _spend(known)
    if not lags or spend is None:
        rows = [_row(figure, "by channel") for figure in (CREATED, WON)]
        return [replace(row, first=span.first_label, last=span.last_label, missing=NEEDS) for row in rows]
    rows = []
    for channel, weights in sorted(lags.items()):
        deals, wins = (_of_channel(known, frame, channel) for frame in (known.snap.opportunities, known.wins))
        own = spend[channel] if channel in spend else pd.Series(np.nan, index=spend.index)
        why = _why_not(weights, own, deals, known)
        ages = _ages(known, wins, span)
        for months, ending in ((span, ""), (Span(first=span.first - YEAR, last=span.last - YEAR), YEAR_BEFORE)):
            spread = spread_over(own.to_numpy(), weights)
            later = spread_over(spread, ages)
            for figure, frame, money in ((CREATED, deals, spread), (WON, wins, later)):
                row = _row(figure, f"{channel}{ending}")
                row = replace(row, first=months.first_label, last=months.last_label)
                behind = pd.Series(money, index=own.index)
                rows.append(_filled(row, by_month(frame, months, "amount"), behind, months, why=why, known=known))
    return rows


def _row(figure: str, definition: str) -> Definition:
    means = f"{_MEANS[figure]}, over its spend spread as its leads turn into deals; what came with the money, by no "
    return Definition(
        figure=figure, definition=definition, means=f"{means}means because of it", unit="ratio", n_of="month"
    )


def _filled(row: Definition, came: Floats, behind: pd.Series, months: Span, *, why: str, known: Known) -> Definition:
    """Return a row with its ratio over the months whose money is known, or why there is none."""
    money = behind.reindex(range(months.first, months.last + 1)).to_numpy(dtype=np.float64)
    there = np.isfinite(money)
    if months.first < known.begins:
        why = why or f"deals are recorded from {Span(first=known.begins, last=known.begins).first_label} on"
    if not there.all() or money.sum() <= 0:
        why = why or "needs spend in marketing in all of these months and in those before whose leads came in"
    if why:
        return replace(row, missing=why)
    low, high = intervals.ratio(came, money)
    return replace(row, value=float(came.sum() / money.sum()), low=low, high=high, n=len(money))


# -- money and what comes of it -----------------------------------------------------------------------------


def spread_over(spend: Floats, weights: Floats) -> Floats:
    """Return the money of each month that stands behind what comes in it: sum_l w_l spend_{t-l} / sum_l w_l.

    spend : (T,). weights : (L,) from lag 0 on. NaN in the first months, of which some of the money is not known.

    >>> spread_over(np.array([10.0, 20.0, 40.0]), np.array([0.0, 1.0, 1.0]))
    array([nan, nan, 15.])
    """
    used = np.trim_zeros(weights, "b")
    total = used.sum()
    out = np.full(len(spend), np.nan)
    if total <= 0 or len(used) > len(spend):
        return out
    out[len(used) - 1 :] = np.convolve(spend, used / total, mode="valid")
    return out


def follows_demand(spend: Floats, bookings: Floats, created: Floats, *, month_of_year: Floats) -> float:
    """Return how likely past demand would tell spend as well where spend does not follow it; NaN with too few months.

    Statistic: how much less is left of the logarithm of spend, by least squares on the months of the year, a line and
    the spend of the month before, once the bookings and the deals created of the three months before are added
    (Granger 1969, Econometrica 37). The same with demand shifted against spend by every number of months, its end
    before its beginning, is what a demand without any bearing on spend gives; the p-value is the share of shifts, none
    included, that give as much. F would be wrong twice as often where months resemble their neighbours.

    spend, bookings : (T,) money. created : (T,) deals. month_of_year : (T,) 0 to 11.
    """
    x, y, z = (np.log(np.maximum(values, 0.0) + _small(values)) for values in (spend, bookings, created))
    target, before = x[DEMAND_MONTHS:], x[DEMAND_MONTHS - 1 : -1]
    count = len(target)
    if count < FEWEST_MONTHS or np.ptp(target) == 0:
        return float("nan")

    # Season and line are taken out of everything first, so that only the rest is shifted (Frisch and Waugh 1933).
    season = np.eye(12)[np.asarray(month_of_year, dtype=int)[DEMAND_MONTHS:]]
    basis = np.linalg.qr(np.column_stack([season[:, season.any(axis=0)], np.arange(count) / count]))[0]
    past = [np.convolve(values, np.ones(DEMAND_MONTHS) / DEMAND_MONTHS, mode="valid")[:-1] for values in (y, z)]
    every = np.column_stack([target, before, *past])
    every = every - basis @ (basis.T @ every)
    own, demand = every[:, :2], every[:, 2:]

    explained = np.array([_explained(own, np.roll(demand, shift, axis=0)) for shift in range(count)])
    return float(np.mean(explained >= explained[0] * (1 - 1e-9)))


def _explained(own: np.ndarray, demand: np.ndarray) -> float:
    """Return by how much demand lowers what is left of spend, over what then is left. own : spend, the month before."""
    target, before = own.T
    without, within = (_left(target, design) for design in (before[:, None], np.column_stack([before, demand])))
    return (without - within) / max(within, 1e-12 * float(target @ target))


def _small(values: Floats) -> float:
    """Return what is added before a logarithm, so that a month of nothing has one: a hundredth of the mean."""
    return max(float(np.mean(values)) / 100, 1e-9)


def _left(target: Floats, design: np.ndarray) -> float:
    rest = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(rest @ rest)


# -- from tables --------------------------------------------------------------------------------------------


def _spend(known: Known) -> pd.DataFrame | None:
    """Return spend by month and channel over all months that have ended, without a gap; None where there is none."""
    table = known.snap.marketing
    if table is None or not {"channel", "spend"} <= set(table.columns) or not table["spend"].notna().any():
        return None
    rows = table.assign(at=parse_periods(table["period"]))
    wide = rows.pivot_table(index="at", columns="channel", values="spend", aggfunc="sum")
    return wide.reindex(range(int(wide.index.min()), int(wide.index.max()) + 1))


def _of_channel(known: Known, frame: pd.DataFrame, channel: str) -> pd.DataFrame:
    """Return the deals of a channel with `period`, of their creation where they have none."""
    rows = frame[frame["lead_source"] == channel]
    if "period" in rows.columns:
        return rows
    return rows.assign(period=known.snap.calendar.period_of(rows["created_on"]))


def _ages(known: Known, wins: pd.DataFrame, span: Span) -> Floats:
    """Return the share of a channel's wins of three years by months from creation, (MOST_AGE,); 1 at 0 without any."""
    recent = wins[(wins["period"] > span.last - 3 * YEAR) & (wins["period"] <= span.last)]
    age = recent["period"] - known.snap.calendar.period_of(recent["created_on"])
    counts = np.bincount(age.clip(0, MOST_AGE - 1).to_numpy(dtype=np.int64), minlength=1).astype(np.float64)
    return counts / counts.sum() if counts.sum() else np.ones(1)


def _why_not(weights: Floats, spend: pd.Series, deals: pd.DataFrame, known: Known) -> str:
    """Return why what a channel's money brings cannot be told; empty where it can."""
    if weights[:LAGS].sum() <= 0:
        return "cannot tell: the deals of this channel do not follow its leads"
    if spend.notna().sum() == 0:
        return NEEDS
    own = spend.loc[spend.first_valid_index() : spend.last_valid_index()]
    months = Span(first=max(int(own.index[0]), known.begins), last=int(own.index[-1]))
    own = own.reindex(range(months.first, months.last + 1)).fillna(0.0)
    p = follows_demand(
        own.to_numpy(dtype=np.float64),
        by_month(known.wins, months, "amount"),
        by_month(deals, months),
        month_of_year=own.index.to_numpy() % YEAR,
    )
    if np.isnan(p):
        needs = FEWEST_MONTHS + DEMAND_MONTHS
        return f"cannot tell whether spend follows demand; needs {needs} months of spend that differ, in marketing"
    if p <= ALPHA:
        return (
            f"cannot tell: its spend follows demand (p = {p:.2g}); needs months whose spend is set without regard to it"
        )
    return ""
