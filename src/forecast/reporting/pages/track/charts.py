"""Pictures of how good forecasts have been: by model and lead time, as they were made, and how honest the odds are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from forecast import wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import (
    Canvas,
    chart,
    empty,
    end_labels,
    line_labels,
    money_axis,
    month_axis,
    share_axis,
    width_of,
)
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.style import (
    AXIS,
    BLUE,
    DASHES,
    GREEN,
    GREY,
    INK,
    MARKERS,
    MIST,
    PAPER,
    PURPLE,
    RED,
    SOFT,
)
from forecast.reporting.pages.track import sentences as track_sentences

_MOST_SERIES = 5
_PEOPLE = {
    "submitted-joint": (RED, DASHES[0], MARKERS[1]),
    "submitted-sales": (GREEN, DASHES[0], MARKERS[2]),
    "submitted-marketing": (PURPLE, DASHES[0], MARKERS[3]),
}


def accuracy(
    scores: pd.DataFrame, *, company: Company, as_of: Any, level: str = "segment", relative: bool = False
) -> Chart | Statement:
    """Draw WAPE by lead time: ours, the people's, and the benchmark and others in grey.

    scores : as `summarise` gives them by model, span, level and horizon. relative : draw each miss as a share of the
    benchmark's on the same forecasts instead, so that lines of different forecasts can be compared.
    """
    rows = track_sentences.monthly(scores, level=level)
    rows = rows[rows["wape"].notna()]
    title = track_sentences.accuracy_finding(scores, level=level)
    relative = relative and bool((rows["model"] == track_sentences.BENCHMARK).any())
    if relative:
        base = rows["model"] == track_sentences.BENCHMARK
        compared = (rows["model"] == track_sentences.OURS) | rows["model"].str.startswith("submitted-")
        rows = rows[base | (compared & rows["skill"].notna())]
        title = track_sentences.relative_finding(scores, level=level)
    rows = rows.assign(drawn=_share_of_benchmark(rows) if relative else rows["wape"])
    if rows.empty:
        return empty(title, "No past forecast has settled yet.")
    models = _chosen(list(rows["model"].unique()))
    looks = _looks(models)
    series = {model: rows[rows["model"] == model] for model in models}
    horizons = sorted({int(h) for frame in series.values() for h in frame["horizon"]})
    top = max(float(frame["drawn"].max()) for frame in series.values())
    at_end = [track_sentences.model_name(name) for name in models if series[name]["horizon"].iloc[-1] == horizons[-1]]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(270, left=44, right=width_of(at_end, most=40) if canvas.narrow else 160, bottom=40)
        drawn: list[tuple[np.ndarray, str, str]] = []
        for model, frame in series.items():
            colour, dash, marker = looks[model]
            axes.plot(
                frame["horizon"], frame["drawn"], color=colour, linestyle=dash, marker=marker, markersize=5, zorder=3
            )
            for row in frame.to_dict("records"):
                canvas.say(axes, row["horizon"], row["drawn"], _missed(model, row))
            points = frame[["horizon", "drawn"]].to_numpy(float)
            drawn.append((points, track_sentences.model_name(model), colour if colour != GREY else SOFT))
        share_axis(axes)
        axes.set_ylim(0, top * 1.08)
        wide = max(horizons[-1] - horizons[0], 1)
        axes.set_xlim(horizons[0] - 0.04 * wide, horizons[0] + 1.03 * wide)
        axes.xaxis.set_major_locator(FixedLocator(horizons))
        axes.xaxis.set_major_formatter(FixedFormatter([str(h) for h in horizons]))
        axes.set_xlabel("months ahead", loc="left")
        early = [i for i, (points, _, _) in enumerate(drawn) if points[-1, 0] < horizons[-1]]
        late = [(float(points[-1, 1]), name, colour) for points, name, colour in drawn if points[-1, 0] == horizons[-1]]
        end_labels(axes, horizons[-1] + 0.04 * wide, late)
        beside = [(horizons[-1] + 0.04 * wide, y, name) for y, name, _ in late]
        line_labels(axes, drawn, named=early, beside=beside)  # a series that ends early is named where it runs
        return figure

    table = rows[rows["model"].isin(models)]
    table = table[["model", "horizon", "n", "wape", "bias", "skill", "coverage80"]].rename(
        columns={"horizon": "months ahead"}
    )
    who = "each segment’s months" if level == "segment" else "the company’s months"
    miss = (
        "Miss as a share of the benchmark’s on the same forecasts"
        if relative
        else "Miss as a share of what was booked (WAPE)"
    )
    return chart(
        draw,
        title=title,
        subtitle=f"{miss}, {who}, by months ahead; lower is better",
        description=f"{title}. " + " ".join(track_sentences.accuracy_sentences(scores, level=level)),
        table=table,
        company=company,
        as_of=as_of,
        formats={
            "model": track_sentences.model_name,
            "wape": wording.whole,
            "bias": wording.whole,
            "skill": wording.whole,
            "coverage80": wording.whole,
        },
    )


def _share_of_benchmark(rows: pd.DataFrame) -> pd.Series:
    """Return 1 - skill: the miss over the benchmark's on the targets both have; 1 for the benchmark itself."""
    return (1 - rows["skill"]).where(rows["model"] != track_sentences.BENCHMARK, 1.0)


def track_record(
    backtest: pd.DataFrame, *, company: Company, as_of: Any, horizon: int = 1, segment: str = TOTAL
) -> Chart | Statement:
    """Draw past months: the range as it was given `horizon` months before, and what was booked."""
    rows = track_sentences.as_made(backtest, horizon=horizon, segment=segment)
    title = track_sentences.coverage_finding(rows)
    if rows.empty or rows["q50"].isna().all():
        return empty(title, "No past forecast has settled yet.")
    x = np.arange(len(rows), dtype=float)
    inside = rows["observed"].between(rows["q10"], rows["q90"]).to_numpy()
    largest = float(np.nanmax([rows["q97.5"].max(), rows["observed"].max(), 1.0]))
    unit = wording.axis_unit(largest, currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(260, left=34, right=10, top=24)
        axes.vlines(x, rows["q2.5"], rows["q97.5"], color=BLUE, alpha=0.3, linewidth=2, zorder=2)
        axes.vlines(x, rows["q10"], rows["q90"], color=BLUE, alpha=0.45, linewidth=5 if canvas.narrow else 9, zorder=2)
        axes.hlines(rows["q50"], x - 0.3, x + 0.3, color=BLUE, linewidth=2, zorder=3)
        size = 26 if canvas.narrow else 40
        observed = rows["observed"].to_numpy()
        axes.scatter(x[inside], observed[inside], s=size, color=INK, zorder=4)
        axes.scatter(
            x[~inside], observed[~inside], s=size, marker="D", facecolor=PAPER, edgecolor=RED, linewidth=2, zorder=4
        )
        month_axis(axes, list(rows["target_period"]), calendar=company.periods, most=6 if canvas.narrow else 12)
        axes.set_ylim(0, largest * 1.06)
        money_axis(axes, largest, currency=company.currency)
        top = largest * 1.09
        axes.text(-0.5, top, "● booked", color=INK, va="bottom")
        outside = "◇ outside" if canvas.narrow else "◇ booked, outside the 80 % range"
        axes.text(-0.5 + len(x) * (0.24 if canvas.narrow else 0.13), top, outside, color=RED, va="bottom")
        place = 0.5 if canvas.narrow else 0.55
        axes.text(-0.5 + len(x) * place, top, "▬ range and median, as said", color=BLUE, va="bottom")
        for i, row in enumerate(rows.to_dict("records")):
            said = tooltips.values(
                wording.month(row["target_period"]),
                tooltips.amount("booked", row["observed"], currency=company.currency),
                tooltips.amount("said: median", row["q50"], currency=company.currency),
                tooltips.span(row["q10"], row["q90"], currency=company.currency),
                "" if inside[i] else "outside it",
            )
            canvas.say(axes, i, row["observed"], said)
        return figure

    table = rows[["target_period", "origin", "q10", "q50", "q90", "observed"]].rename(
        columns={
            "target_period": "month",
            "origin": "said on",
            "q10": "low (80 %)",
            "q50": "median",
            "q90": "high (80 %)",
        }
    )
    who = "all segments" if segment == TOTAL else wording.label(segment)
    amount = lambda v: wording.money(v, currency=company.currency)  # noqa: E731
    return chart(
        draw,
        title=title,
        subtitle=f"What was said {track_sentences.ahead(horizon)}, and what was booked, {unit}, {who}",
        description=f"{title}, from {wording.month(table['month'].iloc[0])} to {wording.month(table['month'].iloc[-1])}.",  # noqa: E501
        table=table,
        by="x",
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("low (80 %)", "median", "high (80 %)", "observed"), amount),
    )


def calibration(
    table: pd.DataFrame,
    probabilities: pd.Series,
    *,
    company: Company,
    as_of: Any,
    what: str = "won within 3 months",
) -> Chart | Statement:
    """Draw said against happened with the band that chance would show, over how often each was said.

    table : said, happened, n, band_low, band_high (as `reliability` gives it), shares of 1. probabilities : all that
    were said, for the histogram.
    """
    title = track_sentences.calibration_finding(table)
    rows = table[table["n"] > 0] if len(table) else table
    if rows.empty:
        return empty(title, "Too few deals have closed.")

    def draw(canvas: Canvas) -> Figure:
        side = 260 if canvas.narrow else 300
        height = side + 120
        figure = Figure(figsize=(canvas.width / 72, height / 72))
        left, wide = 48, min(side * 1.2, canvas.width - 64)
        box = (left / canvas.width, 96 / height, wide / canvas.width, side / height)
        axes = figure.add_axes(box)
        axes.plot([0, 1], [0, 1], color=AXIS, linewidth=1.2, linestyle=DASHES[1], zorder=1.5)
        axes.fill_between(
            rows["said"], rows["band_low"], rows["band_high"], color=MIST, alpha=0.55, linewidth=0, zorder=1
        )
        axes.plot(rows["said"], rows["happened"], color=BLUE, marker="o", markersize=6, zorder=3)
        for name in ("x", "y"):
            share_axis(axes, axis=name)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.tick_params(axis="x", labelbottom=False)
        axes.text(0.02, 0.97, "happened", color=SOFT, va="top")
        axes.text(0.97, 0.9, "as said", color=SOFT, ha="right", va="top")
        below = figure.add_axes((left / canvas.width, 38 / height, wide / canvas.width, 48 / height))
        counts, edges = np.histogram(probabilities.dropna(), bins=20, range=(0, 1))
        below.bar((edges[:-1] + edges[1:]) / 2, counts, width=0.044, color=GREY, zorder=2)
        below.set_xlim(0, 1)
        share_axis(below, axis="x")
        below.grid(False)
        below.set_yticks([])
        below.text(
            0.99,
            1.0,
            f"deals; tallest bar {wording.number(counts.max())}",
            color=SOFT,
            ha="right",
            va="top",
            transform=below.transAxes,
        )
        below.set_xlabel("said", loc="left")
        for row in rows.to_dict("records"):
            happened = tooltips.share("happened", row["happened"])
            alone = f"by chance {wording.percent(row['band_low'])} to {wording.percent(row['band_high'])}"
            said = (f"Said {wording.percent(row['said'])}", happened, alone, wording.plural(row["n"], "deal"))
            canvas.say(axes, row["said"], row["happened"], tooltips.values(*said))
        return figure

    shown = rows[["said", "happened", "band_low", "band_high", "n"]]
    return chart(
        draw,
        title=title,
        subtitle=f"Probability said against share that came true ({what}); grey band: what chance would show",
        description=f"{title}. {track_sentences.calibration_sentence(table)}",
        table=shown.rename(columns={"band_low": "chance from", "band_high": "chance to", "n": "deals"}),
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("said", "happened", "chance from", "chance to"), wording.percent),
    )


def deal_odds(deals: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw how the open deals' win probabilities are spread, and how much money stands at each."""
    title = track_sentences.deals_finding(deals, currency=company.currency)
    known = deals.dropna(subset=["p_win", "expected_amount"])
    if known.empty:
        return empty(title, "No deal has a probability.")
    edges = np.linspace(0, 1, 11)
    code = np.minimum((known["p_win"].to_numpy() * 10).astype(int), 9)
    count = np.bincount(code, minlength=10)
    worth = np.bincount(code, weights=known["expected_amount"].to_numpy(), minlength=10)
    unit = wording.axis_unit(float(worth.max()), currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(230, left=44, right=22, top=26, bottom=40)
        middle = (edges[:-1] + edges[1:]) / 2
        axes.bar(middle, worth, width=0.092, color=BLUE, alpha=0.8, zorder=2)
        for x, value, deals_here in zip(middle, worth, count, strict=True):
            if deals_here:
                axes.text(x, value + worth.max() * 0.015, f"{deals_here:,}", ha="center", va="bottom", color=SOFT)
                name = f"{wording.percent(x - 0.05)} to {wording.percent(x + 0.05)}"
                expected = tooltips.amount("expected", value, currency=company.currency)
                canvas.say(axes, x, value, tooltips.values(name, wording.plural(deals_here, "deal"), expected))
        share_axis(axes, axis="x", ticks=5 if canvas.narrow else 10)
        axes.grid(False)
        money_axis(axes, float(worth.max()), currency=company.currency)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, float(worth.max()) * 1.1 or 1.0)
        over = "over bars: deals" if canvas.narrow else "over each bar the number of deals"
        axes.set_xlabel(f"probability of a win, ever; {over}", loc="left")
        return figure

    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "deals": count, "expected amount": worth})
    return chart(
        draw,
        title=title,
        subtitle=f"Expected amount of open deals by their probability of a win, {unit}",
        description=f"{title}. {wording.plural(int(count[5:].sum()), 'deal')} have a chance of one half or more.",
        table=table,
        by="x",
        company=company,
        as_of=as_of,
        formats={
            "from": wording.percent,
            "to": wording.percent,
            "expected amount": lambda v: wording.money(v, currency=company.currency),
        },
    )


# -- how ------------------------------------------------------------------------------------------------


def _missed(model: str, row: Any) -> str:
    """Return what a model's mark says at one lead time."""
    name = track_sentences.model_name(model)
    bias = row.get("bias", np.nan)
    return tooltips.values(
        f"{name[:1].upper()}{name[1:]}, {track_sentences.ahead(int(row['horizon']))}",
        tooltips.share("misses by", row["wape"]),
        tooltips.share("on the whole too high by" if bias > 0 else "on the whole too low by", abs(bias)),
    )


def _chosen(models: list[str]) -> list[str]:
    """Return at most five models: ours, people, the benchmark, then the best known of the rest."""
    order = [track_sentences.OURS, *sorted(m for m in models if m.startswith("submitted-")), track_sentences.BENCHMARK]
    order += ["stage-weighted-future", "seasonal-naive", "stage-weighted", "pipeline-sales-only", "ets-theta"]
    return [model for model in order if model in models][:_MOST_SERIES] or models[:_MOST_SERIES]


def _looks(models: list[str]) -> dict[str, tuple[str, Any, str]]:
    """Return colour, dash and marker of each model: the usual submitters keep theirs from chart to chart."""
    spare = iter((GREEN, PURPLE, RED))
    out: dict[str, tuple[str, Any, str]] = {}
    for i, model in enumerate(models):
        if model == track_sentences.OURS:
            out[model] = (BLUE, "-", "o")
        elif model.startswith("submitted-"):
            out[model] = _PEOPLE.get(model) or (next(spare, GREY), DASHES[3], MARKERS[1 + i % 3])
        else:
            out[model] = (GREY, DASHES[1 + i % 3], MARKERS[i % 4])
    return out
