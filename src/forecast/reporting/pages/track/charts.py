"""Pictures of how good forecasts have been: how far they miss by lead time, and each month as it was forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from forecast import wording
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.judgement import Finding
from forecast.reporting.charts import style
from forecast.reporting.charts.axes import end_labels, line_labels, money_axis, month_axis, share_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Format, Statement
from forecast.reporting.charts.flags import flags_of
from forecast.reporting.charts.style import OTHER_MODELS, OTHER_PEOPLE, Mark
from forecast.reporting.pages.track.parted import in_two_parts
from forecast.reporting.pages.track.prepare import BENCHMARK, OURS, Accuracy, PastForecasts, as_made, prepare_accuracy
from forecast.reporting.pages.track.sentences import (
    ACCURACY_HEADS,
    LABELS,
    NO_FORECAST,
    NOTHING_SETTLED,
    PAST_HEADS,
    UNJUDGED,
    describe_accuracy,
    describe_past_forecasts,
    model_name,
    nothing_scored,
)

_MARKS = {
    OURS: style.FORECAST,
    BENCHMARK: style.BENCHMARK,
    "submitted-joint": style.JOINT,
    "submitted-sales": style.SALES,
    "submitted-marketing": style.MARKETING,
}


def accuracy(
    scores: pd.DataFrame,
    judged: Mapping[str, Finding] = UNJUDGED,
    *,
    company: Company,
    as_of: Any,
    level: str = "segment",
    relative: bool = False,
    parts: pd.DataFrame | None = None,
) -> Chart | Statement:
    """Draw WAPE by lead time: ours, the people's, and the benchmark and others in grey.

    scores : as `summarise` gives them by model, span, level and horizon. judged : what may be said of
    them (`month.table("judgements")`). relative : draw each miss as a share of the
    benchmark's on the same forecasts instead, so that lines of different forecasts can be compared. parts : the month's
    table `parted`; where it has rows the title tells the record in two parts.
    """
    misses = prepare_accuracy(scores, level=level, relative=relative, judged=judged)
    caption = describe_accuracy(misses)
    if parts is not None:
        caption = in_two_parts(caption, parts, level=level, relative=relative)
    if misses.rows.empty:
        return empty(caption.title, nothing_scored(scores, level=level))
    formats: dict[str, Format] = dict.fromkeys(("wape", "bias", "skill", "coverage80"), wording.whole)
    formats["model"] = model_name
    return chart(
        misses,
        draw_accuracy,
        caption,
        table=misses.rows,
        heads=ACCURACY_HEADS,
        company=company,
        as_of=as_of,
        formats=formats,
    )


def draw_accuracy(canvas: Canvas, misses: Accuracy) -> Drawing:
    """Draw a line for each model, named at its end, or where it runs if it ends early."""
    series, horizons = misses.series, misses.horizons
    last = horizons[-1]
    at_end = [model_name(model) for model, rows in series.items() if rows["horizon"].iloc[-1] == last]
    figure, axes = canvas.axes(
        270, left=44, right=max(width_of(at_end, most=40), 0 if canvas.narrow else 160), bottom=40
    )
    looks = _looks(misses.models)
    for model, rows in series.items():
        axes.plot(rows["horizon"], rows["drawn"], **looks[model].series, markersize=5, zorder=4 if model == OURS else 3)
    share_axis(axes)
    axes.set_ylim(0, float(misses.rows["drawn"].max()) * 1.08)
    span = max(last - horizons[0], 1)
    axes.set_xlim(horizons[0] - 0.04 * span, horizons[0] + 1.03 * span)
    axes.xaxis.set_major_locator(FixedLocator(horizons))
    axes.xaxis.set_major_formatter(FixedFormatter([str(horizon) for horizon in horizons]))
    axes.set_xlabel(LABELS["horizon"], loc="left")
    lines = [
        (rows[["horizon", "drawn"]].to_numpy(float), model_name(model), looks[model].name)
        for model, rows in series.items()
    ]
    _name_lines(axes, lines, last=last, at=last + 0.04 * span)
    points = np.concatenate([points for points, _, _ in lines])
    return Drawing(figure=figure, marks=places(axes, points[:, 0], points[:, 1]))


def _name_lines(axes: Axes, lines: list[tuple[np.ndarray, str, str]], *, last: int, at: float) -> None:
    """Write each line's name at x = `at` next to its end; a line that ends before `last` is named where it runs."""
    early = [i for i, (points, _, _) in enumerate(lines) if points[-1, 0] < last]
    late = [(float(points[-1, 1]), name, colour) for points, name, colour in lines if points[-1, 0] == last]
    standing = end_labels(axes, at, late)
    line_labels(axes, lines, named=early, standing=standing)


def _looks(models: Sequence[str]) -> dict[str, Mark]:
    """Return the mark of each model; ours, the benchmark's and the usual submitters' are the same on every chart."""
    people, others = iter(OTHER_PEOPLE), cycle(OTHER_MODELS)
    out: dict[str, Mark] = {}
    for model in models:
        known = _MARKS.get(model)
        spare = next(people, OTHER_PEOPLE[-1]) if known is None and model.startswith("submitted-") else None
        out[model] = known or spare or next(others)
    return out


def track_record(
    backtest: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    horizon: int = 1,
    segment: str = TOTAL,
    since: str = "",
    events: pd.DataFrame | None = None,
) -> Chart | Statement:
    """Draw past months: the range as it was given `horizon` months before, and what was booked.

    since : the first month of an alarm on the company's forecast; the title counts the months from it on apart.
    events : to be flagged, as `dated` gives them.
    """
    rows = as_made(backtest, horizon=horizon, segment=segment)
    past = PastForecasts(rows=rows, horizon=horizon, segment=segment, company=company, since=since)
    caption = describe_past_forecasts(past)
    if not past.is_known:
        return empty(caption.title, NOTHING_SETTLED if rows.empty else f"{NO_FORECAST}.")
    return chart(
        past,
        draw_past_forecasts,
        caption,
        table=rows,
        heads=PAST_HEADS,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("q10", "q50", "q90", "observed"), wording.in_currency(company.currency)),
        by="x",
        flags=flags_of(events, list(rows["target_period"]), company=company, name="past_forecasts", segment=segment),
    )


def draw_past_forecasts(canvas: Canvas, past: PastForecasts) -> Drawing:
    """Draw a month's 95 and 80 % ranges as bars, its median as a dash, and what was booked as a dot or a diamond."""
    rows, inside, x = past.rows, past.inside, np.arange(len(past.rows), dtype=float)
    figure, axes = canvas.axes(260, left=34, right=10, top=24)
    axes.vlines(x, rows["q2.5"], rows["q97.5"], **style.RANGE95.bar, linewidth=2, zorder=2)
    axes.vlines(x, rows["q10"], rows["q90"], **style.RANGE80.bar, linewidth=5 if canvas.narrow else 9, zorder=2)
    axes.hlines(rows["q50"], x - 0.3, x + 0.3, **style.FORECAST.line, linewidth=2, zorder=3)
    size = 26 if canvas.narrow else 40
    booked = rows["observed"].to_numpy()
    axes.scatter(x[inside], booked[inside], s=size, **style.BOOKED.points, zorder=4)
    axes.scatter(x[~inside], booked[~inside], s=size, **style.OUTSIDE.points, linewidth=2, zorder=4)
    month_axis(axes, list(rows["target_period"]), calendar=past.company.periods, most=6 if canvas.narrow else 12)
    axes.set_ylim(0, past.largest * 1.06)
    money_axis(axes, past.largest, currency=past.company.currency)
    outside, forecast = (LABELS[f"{name}, narrow" if canvas.narrow else name] for name in ("outside", "forecast"))
    for share, text, colour in (
        (0.0, f"● {LABELS['booked']}", style.BOOKED.name),
        (0.24 if canvas.narrow else 0.13, f"◇ {outside}", style.OUTSIDE.name),
        (0.5 if canvas.narrow else 0.55, f"▬ {forecast}", style.FORECAST.name),
    ):
        label = axes.text(-0.5 + len(x) * share, past.largest * 1.09, text, color=colour, va="bottom")
        label.set_bbox({"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.0})  # a flag's line must not strike it
    return Drawing(figure=figure, marks=places(axes, x, booked))
