"""Pictures of what changed, of the scorecard, and of what the tables cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import Canvas, chart, empty, money_axis, row_axis, share_axis, width_of
from forecast.reporting.charts.figure import Chart, Folds, Format, Statement, TableView
from forecast.reporting.charts.style import AXIS, BLUE, GREY, INK, RED, SOFT
from forecast.reporting.pages import scorecard as scorecard_sentences
from forecast.reporting.pages.bookings import sentences as bookings_sentences


def waterfall(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw what changed the pipeline of a period, bar by bar from start to end; bars that moved nothing are left out.

    table : as `changes_since` gives it; the bars between start and end sum to end - start.
    """
    title = bookings_sentences.changes_finding(table, company=company)
    if table.empty:
        return empty("There is no picture of what changed", "Two days whose pipeline is known are needed")
    since, period = table["since"].iloc[0], str(table["period"].iloc[0])
    rows = table[(table["deals"] > 0) | table["bar"].isin(["start", "end"])].reset_index(drop=True)
    ends = rows["bar"].isin(["start", "end"]).to_numpy()
    amount = rows["amount"].to_numpy(float)
    level = np.cumsum(np.where(rows["bar"] == "end", 0.0, amount))
    after = np.where(ends, amount, level)
    before = np.where(ends, 0.0, level - amount)
    largest = float(max(before.max(), after.max(), 1.0))
    names = [bookings_sentences.CHANGE_WORDS.get(bar, bar) for bar in rows["bar"]]
    names[0], names[-1] = wording.day(since).rsplit(" ", 1)[0], wording.day(as_of).rsplit(" ", 1)[0]
    booked = rows["booked"].to_numpy(float) if "booked" in rows else np.zeros(len(rows))
    unit = wording.axis_unit(largest, currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        left = width_of(names)
        figure, axes = canvas.axes(38 + 23 * len(rows), left=left, right=86, top=6, bottom=24)
        for i in range(len(rows)):
            low, high = sorted((before[i], after[i]))
            colour = GREY if ends[i] else BLUE if amount[i] >= 0 else RED
            axes.barh(i, high - low, left=low, height=0.62, color=colour, alpha=0.55 if ends[i] else 0.9, zorder=2)
            if ends[i] and booked[i] > 0:
                axes.barh(i, booked[i], height=0.62, color=BLUE, zorder=3)
            if i + 1 < len(rows):
                axes.vlines(after[i], i - 0.31, i + 1.31, color=AXIS, linewidth=1, zorder=1)
            if rows["bar"][i] == "won" and amount[i] == 0:
                axes.scatter([after[i]], [i], s=40, color=BLUE, zorder=3)
                said = f"{wording.money(booked[i], digits=2)} booked"
            else:
                said = (
                    wording.money(amount[i], digits=3 if ends[i] else 2, sign=not ends[i])
                    if amount[i] or ends[i]
                    else f"{rows['deals'][i]:,} deals"
                )
            axes.annotate(
                said,
                (high, i),
                xytext=(8 if rows["bar"][i] == "won" else 5, 0),
                textcoords="offset points",
                va="center",
                color=INK,
                annotation_clip=False,
                zorder=5,
            )
            canvas.say(axes, high, i, _bar(names[i], rows.iloc[i], ends=bool(ends[i]), company=company))
        row_axis(axes, names)
        axes.set_xlim(0, largest * 1.02)
        money_axis(axes, largest, currency=company.currency, axis="x", ticks=4 if canvas.narrow else 6)
        return figure

    shown = rows.assign(bar=names).drop(columns=["since", "period"])
    money = lambda v: wording.money(v, currency=company.currency, sign=False)  # noqa: E731
    return chart(
        draw,
        title=title,
        subtitle=f"Open and booked deals of {period} at full value, {unit}; the forecast weighs them by their odds; "
        "solid at the end: booked",
        description=f"{title}. " + " ".join(f"{n}: {money(a)}." for n, a in zip(names, amount, strict=True)),
        table=shown,
        by="y",
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("amount", "open_pipeline", "booked"), money),
    )


def _bar(name: str, row: pd.Series, *, ends: bool, company: Company) -> str:
    """Return what a bar of the waterfall says."""
    booked = row.get("booked")
    return tooltips.values(
        name,
        tooltips.amount("", row["amount"], currency=company.currency, sign=not ends),
        tooltips.amount("booked", booked, currency=company.currency) if wording.known(booked) and booked else "",
        wording.plural(row["deals"], "deal"),
    )


def moved_deals(table: pd.DataFrame, *, company: Company, most: int = 12) -> Folds:
    """List the deals behind each bar of the waterfall, the largest first, folded away; table as `moves_since` gives it.

    most : deals shown a bar; the rest is counted.
    """
    money = wording.in_currency(company.currency)
    columns = {"opportunity_id": "deal", "segment": "segment", "moved": "moved", "value": "worth now"}
    parts = []
    for bar, rows in table.groupby("bar", sort=False):
        name = bookings_sentences.CHANGE_WORDS.get(str(bar), str(bar))
        # A win moves its amount from open to booked, so that the bar itself is nothing.
        moved = rows["booked"] if bar == "won" else rows["amount"]
        total = f", {wording.money(moved.sum(), currency=company.currency)}" if moved.abs().sum() > 0 else ""
        line = f"{name}: {wording.plural(len(rows), 'deal')}{total}"
        shown = rows.assign(moved=moved)
        formats = {"moved": money, "value": money}
        parts.append((line, TableView(shown, f"Deals {name}", columns, formats, most=most)))
    return Folds(parts, "The deals behind each bar:" if parts else "")


def attention_deals(deals: pd.DataFrame, *, company: Company, as_of: Any, most: int = 20) -> Folds:
    """List the open deals that need attention, the largest first, folded away; no owner is named.

    deals : the snapshot's opportunities. most : deals shown a list; the rest is counted.
    """
    columns = {"opportunity_id": "deal", "segment": "segment", "stage": "stage", "amount": "amount"}
    columns |= {"expected_close_on": "expected close"}
    formats: dict[str, Format] = {"amount": wording.in_currency(company.currency)}
    parts = []
    for line, which in (
        ("Past the expected close date", bookings_sentences.is_stale(deals, as_of)),
        (f"Slipped {bookings_sentences.SLIPS} times or more", bookings_sentences.has_slipped(deals)),
    ):
        rows = deals[which].sort_values(["amount", "opportunity_id"], ascending=[False, True])
        if len(rows):
            told = f"{line}: {wording.plural(len(rows), 'open deal')}"
            parts.append((told, TableView(rows, line, columns, formats, most=most)))
    return Folds(parts)


def scorecard(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw our shares beside the survey's, on one axis from nothing to all.

    table : measure, ours, unit, survey, survey_text, previous.
    """
    title = scorecard_sentences.finding(table)
    rows = table[table["survey"].notna()].reset_index(drop=True) if len(table) else table
    if rows.empty:
        return empty(title, "None of the survey's figures is here.")
    names = [str(name) for name in rows["measure"]]

    def draw(canvas: Canvas) -> Figure:
        left = width_of(names)
        figure, axes = canvas.axes(70 + 34 * len(rows), left=left, right=22, top=34, bottom=24)
        for i, row in rows.iterrows():
            axes.hlines(i, 0, 1, color=AXIS, linewidth=0.6, zorder=1)
            axes.scatter([row["survey"]], [i], marker="|", s=240, color=GREY, linewidth=3, zorder=2)
            if wording.known(row["ours"]):
                axes.hlines(
                    i,
                    min(row["ours"], row["survey"]),
                    max(row["ours"], row["survey"]),
                    color=BLUE,
                    alpha=0.3,
                    linewidth=5,
                    zorder=1.5,
                )
                axes.scatter([row["ours"]], [i], s=80, color=BLUE, zorder=3, clip_on=False)
                axes.text(row["ours"], i - 0.27, wording.percent(row["ours"]), ha="center", va="bottom", color=BLUE)
            else:
                axes.text(1.0, i - 0.1, "ours unknown", ha="right", va="bottom", color=SOFT)
            said = (tooltips.share("ours", row["ours"]), tooltips.share("survey", row["survey"]))
            before = tooltips.share("ours 12 months before", row["previous"])
            place = row["ours"] if wording.known(row["ours"]) else row["survey"]
            canvas.say(axes, place, i, tooltips.values(row["measure"], *said, before))
        row_axis(axes, names)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(len(rows) - 0.5, -0.75)
        share_axis(axes, axis="x")
        axes.text(0, -0.95, "●  ours", color=BLUE, va="bottom")
        axes.text(0.16 if not canvas.narrow else 0.3, -0.95, "┃ the survey's companies", color=SOFT, va="bottom")
        return figure

    shown = rows[["measure", "ours", "survey", "survey_text", "previous"]]
    said = " ".join(
        f"{row['measure']}: ours {wording.percent(row['ours'])}, survey {wording.percent(row['survey'])}."
        for _, row in rows.iterrows()
    )
    return chart(
        draw,
        title=title,
        subtitle="Shares of the last 12 months beside the survey's",
        description=f"{title}. {said}",
        by="y",
        table=shown.rename(columns={"survey_text": "the survey says", "previous": "12 months before"}),
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(
            ("ours", "survey", "12 months before"), lambda v: wording.percent(v) if wording.known(v) else "–"
        ),
    )


def timeline(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw from when to when each table speaks, and the day whose knowledge is used.

    table : table, first, last (dates), rows; empty dates for a table without any.
    """
    rows = table[table["first"].notna()].reset_index(drop=True) if len(table) else table
    absent = int((table["rows"] == 0).sum()) if len(table) else 0
    if rows.empty:
        return empty("No table has dates", "Nothing can be placed in time.")
    years = (rows["last"].max() - rows["first"].min()).days / 365.25
    title = f"The tables cover {wording.number(round(years, 1))} years"
    title += f"; {wording.plural(absent, 'table')} {'is' if absent == 1 else 'are'} absent" if absent else ""
    names = [str(name).replace("_", " ") for name in rows["table"]]
    first, last = (date2num(rows[name]) for name in ("first", "last"))
    day = float(date2num(pd.Timestamp(as_of)))

    def draw(canvas: Canvas) -> Figure:
        left = width_of(names)
        figure, axes = canvas.axes(56 + 24 * len(rows), left=left, right=80, top=26, bottom=24)
        y = np.arange(len(rows))
        axes.hlines(y, first, last, color=BLUE, alpha=0.6, linewidth=9, zorder=2)
        axes.axvline(day, color=INK, linewidth=1.4, zorder=3)
        row_axis(axes, names)
        axes.xaxis_date()
        low, high = float(first.min()), float(max(last.max(), day))
        axes.set_xlim(low, high)
        from matplotlib.dates import DateFormatter, YearLocator

        axes.xaxis.set_major_locator(YearLocator(1 if years < 8 and not canvas.narrow else 2 if years < 16 else 5))
        axes.xaxis.set_major_formatter(DateFormatter("%Y"))
        axes.grid(True, axis="x")
        axes.text(day, -0.72, "as of", ha="right" if day > (low + high) / 2 else "left", va="bottom", color=INK)
        axes.text(high, -0.72, "   rows", va="bottom", color=SOFT, clip_on=False)
        for i, count in enumerate(rows["rows"]):
            axes.text(high, i, f"   {count:,}", va="center", color=SOFT, clip_on=False)
        return figure

    return chart(
        draw,
        title=title,
        subtitle="First to last date of each table, and its rows",
        description=f"{title}. "
        + " ".join(
            f"{n}: {wording.day(a)} to {wording.day(b)}."
            for n, a, b in zip(names, rows["first"], rows["last"], strict=True)
        ),
        table=table,
        company=company,
        as_of=as_of,
    )
