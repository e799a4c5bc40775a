"""Each month as one forecaster saw it so many months before, and what was booked: a model with its ranges, or people,
who give one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.scores.amounts import ratio
from forecast.reporting.charts import style
from forecast.reporting.charts.axes import money_axis, month_axis
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages.track.charts import track_record
from forecast.reporting.pages.track.prepare import OURS, as_made, order_of
from forecast.reporting.pages.track.sentences import LABELS, NOTHING_SETTLED, model_name


@dataclass(frozen=True, kw_only=True)
class Made:
    """Months as one forecaster saw them `horizon` months before, and as booked; rows of a backtest, in order.

    Only months that were forecast and have settled are among them. in_part : whether they are sums over the segments
    that have a forecast, since there is none of the company as a whole.
    """

    rows: pd.DataFrame
    model: str
    horizon: int
    company: Company
    in_part: bool = False

    @property
    def miss(self) -> float:
        """The sum of all errors as a share of what was booked."""
        return ratio((self.rows["mean"] - self.rows["observed"]).abs().sum(), self.rows["observed"].abs().sum())

    @property
    def largest(self) -> float:
        """The largest amount drawn; at least 1, so that an axis has a length."""
        return float(np.nanmax([self.rows["mean"].max(), self.rows["observed"].max(), 1.0]))


def forecasters(track: pd.DataFrame) -> dict[str, str]:
    """Return who made forecasts of months that have settled, by the name a page gives: ours first, then people."""
    known = track[~is_quarter(track["target_period"]) & track["mean"].notna() & track["observed"].notna()]
    models = set(known["model"].unique())
    return {model_name(model): model for model in order_of(models) if model in models}


def made_by(
    track: pd.DataFrame, *, model: str = OURS, horizon: int = 1, company: Company, as_of: Any, since: str = ""
) -> Chart | Statement:
    """Draw past months as a forecaster saw them and as they were booked, the company as a whole.

    track : a backtest. model : one of `forecasters`; ours with its ranges, as `track_record` draws it (since : see
    there), another as one number a month. horizon : months before. A statement where nothing of it has settled.
    """
    if model == OURS:
        return track_record(track, company=company, as_of=as_of, horizon=horizon, since=since)
    made = prepare_made(track, model=model, horizon=horizon, company=company)
    caption = describe_made(made)
    if made.rows.empty:
        return empty(caption.title, NOTHING_SETTLED)
    return chart(
        made,
        draw_made,
        caption,
        table=made.rows[["target_period", "mean", "observed"]],
        heads=HEADS,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("mean", "observed"), wording.in_currency(company.currency)),
        by="x",
    )


def prepare_made(track: pd.DataFrame, *, model: str, horizon: int, company: Company) -> Made:
    """Return the months of one forecaster: of the company, or summed over the segments that have a forecast."""
    whole = as_made(track, model=model, horizon=horizon, segment=TOTAL)
    whole = whole[whole["mean"].notna()]
    if len(whole):
        return Made(rows=whole, model=model, horizon=horizon, company=company)
    rows = track[(track["model"] == model) & (track["horizon"] == horizon) & (track["segment"] != TOTAL)]
    rows = rows[~is_quarter(rows["target_period"])].dropna(subset=["mean", "observed"])
    sums = rows.groupby("target_period", as_index=False)[["mean", "observed"]].sum()
    return Made(rows=sums, model=model, horizon=horizon, company=company, in_part=len(sums) > 0)


def draw_made(canvas: Canvas, made: Made) -> Drawing:
    """Draw what was forecast of each month as a dash, what was booked as a dot."""
    rows, x = made.rows, np.arange(len(made.rows), dtype=float)
    figure, axes = canvas.axes(260, left=34, right=10, top=24)
    axes.hlines(rows["mean"], x - 0.3, x + 0.3, **style.FORECAST.line, linewidth=3, zorder=3)
    axes.scatter(x, rows["observed"], s=26 if canvas.narrow else 40, **style.BOOKED.points, zorder=4)
    month_axis(axes, list(rows["target_period"]), calendar=made.company.periods, most=6 if canvas.narrow else 12)
    axes.set_ylim(0, made.largest * 1.06)
    money_axis(axes, made.largest, currency=made.company.currency)
    for share, text, colour in (
        (0.0, f"● {LABELS['booked']}", style.BOOKED.name),
        (0.3 if canvas.narrow else 0.15, f"▬ {AS_FORECAST}", style.FORECAST.name),
    ):
        axes.text(-0.5 + len(x) * share, made.largest * 1.09, text, color=colour, va="bottom")
    return Drawing(figure=figure, marks=places(axes, x, rows["observed"].to_numpy()))


# -- sentences ----------------------------------------------------------------------------------------

HEADS = {"target_period": "month", "mean": "forecast", "observed": "booked"}
AS_FORECAST = "forecast"
MISSED = "{} {} missed by {} over {}"
NOTHING = "Nothing by {} {} has settled"
SUBTITLE = "What was forecast {}, and what was booked, {}, {}"
WHOLE, PART = "all segments", "the segments that have such a forecast"


def describe_made(made: Made) -> Caption:
    """Return the words of past months as one forecaster saw them."""
    name, ahead = model_name(made.model), wording.ahead(made.horizon)
    unit = wording.axis_unit(made.largest, currency=made.company.currency)[1] if len(made.rows) else ""
    subtitle = SUBTITLE.format(ahead, unit, PART if made.in_part else WHOLE)
    if made.rows.empty:
        title = NOTHING.format(name, ahead)
        return Caption(title=title, subtitle=subtitle, description=title)
    title = MISSED.format(name, ahead, wording.percent(made.miss), wording.plural(len(made.rows), "month"))
    title = sources.capitalised(title)
    currency = made.company.currency
    tooltips = [
        wording.listed(
            wording.month(row["target_period"]),
            wording.named_amount("booked", row["observed"], currency=currency),
            wording.named_amount("forecast", row["mean"], currency=currency),
        )
        for row in sources.records(made.rows)
    ]
    return Caption(title=title, subtitle=subtitle, description=f"{title}.", tooltips=tooltips)
