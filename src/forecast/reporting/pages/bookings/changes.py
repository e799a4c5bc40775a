"""What changed since an earlier day, and what needs attention now.

First the waterfall of a period's pipeline and the deals behind it; then deals past their date, and deals that slip
again and again; last every sentence of the subject. No owner is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast import sources, wording
from forecast.data.known.changes import RATES
from forecast.data.known.snapshot import past_due
from forecast.data.schema import Company
from forecast.reporting.charts.axes import money_axis, row_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Folds, Format, Statement, TableView
from forecast.reporting.charts.style import AXIS, BOOKED, FALL, FULL_VALUE, INK, RISE

SLIPS = 3
"""Times a close date has moved later from which a deal needs attention."""


FEWEST_OVERDUE = 30
"""Deals past their date, and others, from which it is told how often they were won."""


# -- the waterfall --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Waterfall:
    """Bars from what was there at the start to what is there at the end; those that moved nothing are left out.

    rows : bar, amount, deals and, where known, booked; the first is the start, the last the end. names : of the bars.
    before, after : the level at which a bar begins and ends; the two ends begin at 0. booked : part of a bar, 0 where
    not known. is_end : of the first and the last bar.
    """

    rows: pd.DataFrame
    names: Sequence[str]
    before: np.ndarray
    after: np.ndarray
    booked: np.ndarray
    is_end: np.ndarray
    period: str
    company: Company

    @property
    def amounts(self) -> np.ndarray:
        """What each bar adds, or stands for at the two ends."""
        return self.rows["amount"].to_numpy(float)

    @property
    def largest(self) -> float:
        """The highest level reached; at least 1, so that an axis has a length."""
        return float(max(self.before.max(), self.after.max(), 1.0))


def waterfall(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw what changed the pipeline of a period, bar by bar from start to end; bars that moved nothing are left out.

    table : as `changes_since` gives it; the bars between start and end sum to end - start.
    """
    if table.empty:
        return empty(*NO_PICTURE)
    record = prepare_waterfall(table, company=company, as_of=as_of)
    return chart(
        record,
        draw_waterfall,
        describe_waterfall(record, title=changes_finding(table, company=company)),
        table=record.rows,
        heads=WATERFALL_HEADS,
        company=company,
        as_of=as_of,
        formats={
            "bar": dict(zip(record.rows["bar"], record.names, strict=True)).__getitem__,
            **dict.fromkeys(("amount", "open_pipeline", "booked"), wording.in_currency(company.currency)),
        },
        by="y",
    )


def prepare_waterfall(table: pd.DataFrame, *, company: Company, as_of: Any) -> Waterfall:
    """Return the bars of a table that is not empty, each with the level at which it begins and ends."""
    rows = table[(table["deals"] > 0) | table["bar"].isin(["start", "end", RATES])]
    is_end = rows["bar"].isin(["start", "end"]).to_numpy()
    amounts = rows["amount"].to_numpy(float)
    level = np.cumsum(np.where(rows["bar"] == "end", 0.0, amounts))
    return Waterfall(
        rows=rows,
        names=bar_names(rows, as_of=as_of),
        before=np.where(is_end, 0.0, level - amounts),
        after=np.where(is_end, amounts, level),
        booked=rows["booked"].to_numpy(float) if "booked" in rows else np.zeros(len(rows)),
        is_end=is_end,
        period=str(rows["period"].iloc[0]),
        company=company,
    )


def draw_waterfall(canvas: Canvas, record: Waterfall) -> Drawing:
    """Draw a row a bar, each beginning where the one above ended, with its amount written at its right end."""
    count = len(record.rows)
    figure, axes = canvas.axes(38 + 23 * count, left=width_of(record.names), right=86, top=6, bottom=24)
    right = np.maximum(record.before, record.after)
    for i in range(count):
        _draw_bar(axes, record, i)
        if i + 1 < count:
            axes.vlines(record.after[i], i - 0.31, i + 1.31, color=AXIS, linewidth=1, zorder=1)
        won = record.rows["bar"].iloc[i] == "won"
        if won and record.amounts[i] == 0:
            axes.scatter([record.after[i]], [i], s=40, **BOOKED.points, zorder=3)
        axes.annotate(
            bar_label(record, i),
            (right[i], i),
            xytext=(8 if won else 5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            annotation_clip=False,
            zorder=5,
        )
    row_axis(axes, record.names)
    axes.set_xlim(0, record.largest * 1.02)
    ticks = 4 if canvas.narrow else 6
    money_axis(axes, record.largest, currency=record.company.currency, axis="x", ticks=ticks)
    return Drawing(figure=figure, marks=places(axes, right, range(count)))


def _draw_bar(axes: Axes, record: Waterfall, i: int) -> None:
    """Draw one bar: grey at the ends, outlined where booked; blue for what came, red for what went."""
    low, high = sorted((record.before[i], record.after[i]))
    end = record.is_end[i]
    mark = FULL_VALUE if end else RISE if record.amounts[i] >= 0 else FALL
    axes.barh(i, high - low, left=low, height=0.62, **mark.area, zorder=2)
    if end and record.booked[i] > 0:
        axes.barh(i, record.booked[i], height=0.62, **BOOKED.outlined, zorder=3)


# -- the deals behind it --------------------------------------------------------------------------------


def moved_deals(table: pd.DataFrame, *, company: Company, most: int = 12) -> Folds:
    """List the deals behind each bar of the waterfall, the largest first, folded away; table as `moves_since` gives it.

    most : deals shown a bar; the rest is counted.
    """
    money = wording.in_currency(company.currency)
    parts = []
    for bar, rows in table.groupby("bar", sort=False):
        # A win moves its amount from open to booked, so that the bar itself is nothing.
        moved = "booked" if bar == "won" else "amount"
        line, caption = moved_line(str(bar), rows, moved, company=company), moved_caption(str(bar))
        heads = {**DEAL_HEADS, moved: MOVED, "value": WORTH_NOW}
        formats = {moved: money, "value": money}
        parts.append((line, TableView(rows, caption, columns=heads, formats=formats, most=most)))
    return Folds(parts, MOVED_LEAD if parts else "")


# -- what needs attention -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Attention:
    """The open deals that need attention, the largest first, each list a table of the page.

    past_due : past their expected close date. slipped : SLIPS times or more. undated : without a date, where others
    have one. open_deals : how many there are in all. has_dates, has_slips : whether any open deal has a date, and is
    known to have moved it or not.
    """

    past_due: pd.DataFrame
    slipped: pd.DataFrame
    undated: pd.DataFrame
    open_deals: int
    has_dates: bool
    has_slips: bool


def prepare_attention(deals: pd.DataFrame, *, as_of: Any, looked_at: pd.DataFrame) -> Attention:
    """Return the open deals that need attention.

    deals : the snapshot's opportunities, which are not changed. looked_at : the month's table `audit_looked_at`.
    """
    is_open, date = deals["outcome"] == "open", deals["expected_close_on"]
    has_dates = bool(date[is_open].notna().any())

    def listed(name: str, which: pd.Series) -> pd.DataFrame:
        columns = [column for column in ATTENTION_HEADS if column in deals]
        order = [column for column in ("amount", "opportunity_id") if column in deals]
        rows = deals.loc[which, columns].sort_values(order, ascending=[column != "amount" for column in order])
        return sources.named(rows, name)

    return Attention(
        past_due=listed("past_due", past_due(deals, as_of=as_of)),
        slipped=listed("slipped", has_slipped(deals)),
        undated=listed("undated", is_open & date.isna() & has_dates),
        open_deals=sources.row(looked_at)["open_deals"],
        has_dates=has_dates,
        has_slips="slips" in deals and bool(deals.loc[is_open, "slips"].notna().any()),
    )


def attention_deals(found: Attention, *, company: Company, most: int = 20) -> Folds:
    """List the open deals that need attention, folded away; no owner is named. most : deals shown a list."""
    formats: dict[str, Format] = {"amount": wording.in_currency(company.currency)}
    parts = [
        (attention_line(title, rows), TableView(rows, title, columns=ATTENTION_HEADS, formats=formats, most=most))
        for title, rows in ((STALE, found.past_due), (SLIPPED, found.slipped), (NO_DATE, found.undated))
        if len(rows)
    ]
    return Folds(parts)


def has_slipped(deals: pd.DataFrame) -> pd.Series:
    """Return which deals are open and have slipped SLIPS times or more."""
    slips = deals["slips"] if "slips" in deals else pd.Series(0, index=deals.index)
    return (deals["outcome"] == "open") & (slips >= SLIPS)


# -- sentences ------------------------------------------------------------------------------------------

CHANGE_WORDS = {
    "created": "created",
    "reopened": "reopened",
    "slipped in": "slipped in",
    "pulled in": "pulled in",
    "dated": "given a date",
    "pushed out": "pushed out",
    "brought forward": "brought forward",
    "won before": "won before",
    "undated": "date removed",
    "amount up": "amount raised",
    "amount down": "amount cut",
    "owner changed": "owner changed",
    "segment changed": "segment changed",
    "won": "won",
    "lost": "lost",
    "gone": "removed",
}
"""How each bar of the waterfall is called."""

MOVED_FROM = {
    "slipped in": "slipped in from an earlier quarter",
    "pulled in": "pulled in from a later quarter",
    "pushed out": "pushed out to a later quarter",
    "brought forward": "brought forward to an earlier quarter",
    "won before": "won in an earlier quarter, recorded since",
    "segment changed": "of another segment now",
    "owner changed": "of another owner now",
    "undated": "without a date now",
    "amount up": "with an amount raised",
    "amount down": "with an amount cut",
}
"""The bars whose short name does not say all, in full."""

HAPPENED = {
    "created": ("created since is due in it", "created since are due in it"),
    "reopened": ("due in it was reopened", "due in it were reopened"),
    "slipped in": ("slipped into it from an earlier quarter, won since or still open",) * 2,
    "pulled in": ("was pulled into it from a later quarter", "were pulled into it from a later quarter"),
    "dated": ("that had no date is due in it", "that had no date are due in it"),
    "amount up": ("due in it had its amount raised", "due in it had their amounts raised"),
    "lost": ("that was due in it was lost", "that were due in it were lost"),
    "pushed out": ("was pushed out to a later quarter", "were pushed out to a later quarter"),
    "brought forward": ("was brought forward to an earlier quarter", "were brought forward to an earlier quarter"),
    "won before": ("due in it turned out to be won before it", "due in it turned out to be won before it"),
    "undated": ("lost its date", "lost their dates"),
    "amount down": ("due in it had its amount cut", "due in it had their amounts cut"),
    "gone": ("due in it was removed from the data", "due in it were removed from the data"),
    "segment changed": ("due in it changed segment",) * 2,
}
"""What happened to the deals of a bar: to one, and to several."""

WATERFALL_HEADS = {"bar": "bar", "amount": "amount", "deals": "deals"}
WATERFALL_HEADS |= {"open_pipeline": "open pipeline", "booked": "booked"}
DEAL_HEADS = {"opportunity_id": "deal", "segment": "segment"}
MOVED, WORTH_NOW = "moved", "worth now"
ATTENTION_HEADS = {
    "opportunity_id": "deal",
    "segment": "segment",
    "stage": "stage",
    "amount": "amount",
    "expected_close_on": "expected close",
}
"""What stands over the columns of each table."""

MOVES = "which deals came into the quarter and which left it"
FORECAST_ELSEWHERE = "Why the forecast itself moved is a question of the leader’s page."

NO_PICTURE = ("There is no picture of what changed", "Two days whose pipeline is known are needed")
MOVED_LEAD = "The deals behind each bar:"
TIMES = f"{wording.spelt(SLIPS)} times"
STALE, SLIPPED, NO_DATE = "Past the expected close date", f"Slipped {TIMES} or more", "No expected close date"


def changes_finding(table: pd.DataFrame, *, company: Company) -> str:
    """Return the title of the waterfall: by how much the pipeline of its period moved, and the largest reason."""
    if table.empty:
        return "What changed is not known"
    period = str(table["period"].iloc[0])
    bars = {bar["bar"]: bar for bar in sources.records(table)}
    moved = bars["end"]["amount"] - bars["start"]["amount"]
    between = table.set_index("bar").drop(index=["start", "end"])["amount"]
    if not between.abs().sum() or not moved:
        return (
            f"Booked and open for {period} is as much as before" if between.any() else f"Nothing changed for {period}"
        )
    verb, size = "grew" if moved > 0 else "shrank", wording.money(abs(moved), currency=company.currency)
    largest, way = (between.idxmax(), "rise") if moved > 0 else (between.idxmin(), "fall")
    return (
        f"Booked and open for {period} {verb} by {size}; the largest {way}: {bar_in_full(str(largest), lead='deals ')}"
    )


def changes_sentence(
    table: pd.DataFrame,
    *,
    company: Company,
    notes: Sequence[str] = (),
    deals: pd.DataFrame | None = None,
    row: Mapping[str, Any] | None = None,
) -> str:
    """Return what happened since the day of the earlier snapshot, in one sentence; where nothing is known, why.

    notes : why there is no row. deals : the snapshot's, which may lack dates also today. row : of the headline; how a
    forecast moved, where there is one, is another question.
    """
    if table.empty:
        why = list(notes or ["no earlier day is known"])
        if deals is not None and len(deals) and deals["expected_close_on"].isna().all():
            why.append("nor is it known today, since expected_close_on is empty")
        unknown = wording.sentence(f"{MOVES} is not known: {'; '.join(why)}")
        return f"{unknown} {FORECAST_ELSEWHERE}" if row is not None and wording.known(row["mean"]) else unknown
    since, period = table["since"].iloc[0], str(table["period"].iloc[0])
    bars = {bar["bar"]: bar for bar in sources.records(table)}

    def counted(bar: str, one: str, many: str, amount: str) -> str:
        deals, worth = bars[bar]["deals"], bars[bar].get(amount, float("nan"))
        money = f" ({wording.money(abs(worth), currency=company.currency)})" if deals and wording.known(worth) else ""
        return f"{wording.plural(deals, 'deal')} {one if deals == 1 else many}{money}"

    between = table.set_index("bar").drop(index=["start", "end", RATES], errors="ignore")["amount"]
    riser = str(between.idxmax()) if (between > 0).any() else "created"
    faller = str(between.idxmin()) if (between < 0).any() else "lost"
    parts = [
        counted("won", f"of {period} was won", f"of {period} were won", "booked"),
        *(counted(bar, *HAPPENED[bar], "amount") for bar in (riser, faller)),
    ]
    return wording.sentence(f"since {wording.day(since)}, {wording.joined(parts)}")


def bar_in_full(bar: str, *, lead: str = "") -> str:
    """Return what the deals of a bar did, in full: `slipped in from an earlier quarter`. lead : before it, of deals."""
    return bar if bar == RATES else lead + MOVED_FROM.get(bar, CHANGE_WORDS.get(bar, bar))


def bar_label(record: Waterfall, i: int) -> str:
    """Return what is written at a bar: its amount, what a win booked, or how many deals moved nothing."""
    row, end = sources.row(record.rows, i), record.is_end[i]
    if row["bar"] == "won" and row["amount"] == 0 and "booked" in row:  # a win moves its amount from open to booked
        return f"{wording.money(row['booked'], digits=2)} booked"
    if row["amount"] or end:
        return wording.money(row["amount"], digits=3 if end else 2, sign=not end)
    return wording.plural(row["deals"], "deal")


def bar_names(rows: pd.DataFrame, *, as_of: Any) -> list[str]:
    """Return how the bars of the waterfall are called, the first and the last by their days."""
    days = (wording.day(day).rsplit(" ", 1)[0] for day in (rows["since"].iloc[0], as_of))
    return [next(days) if bar in ("start", "end") else CHANGE_WORDS.get(bar, bar) for bar in rows["bar"]]


def describe_waterfall(record: Waterfall, *, title: str) -> Caption:
    """Return the words of the waterfall; title : as `changes_finding` gives it."""
    currency = record.company.currency
    unit = wording.axis_unit(record.largest, currency=currency)[1]
    bars = list(zip(record.names, record.is_end, sources.records(record.rows), strict=True))
    return Caption(
        title=title,
        subtitle=f"Open and booked deals of {record.period} at full value, {unit}; the forecast weighs them by their "
        "odds; outlined at the end: booked",
        description=f"{title}. "
        + " ".join(f"{name}: {wording.money(row['amount'], currency=currency)}." for name, _, row in bars),
        tooltips=[
            wording.listed(
                name if is_end else bar_in_full(str(row["bar"])),
                wording.named_amount("", row["amount"], currency=currency, sign=not is_end),
                wording.named_amount("booked", row["booked"], currency=currency) if row.get("booked") else "",
                wording.plural(row["deals"], "deal"),
            )
            for name, is_end, row in bars
        ],
    )


def attention(
    rows: pd.DataFrame,
    found: Attention,
    *,
    company: Company,
    alarms: Sequence[str] = (),
    chances: bool = True,
    overdue: pd.DataFrame | None = None,
) -> list[str]:
    """Return what needs attention: alarms, segments far from plan, deals past their date, deals that keep slipping.

    Where there is none, what was looked at; nothing where nothing can be looked at. rows : segments of a period
    (`segment_rows`). alarms : a sentence each. chances : whether those of reaching plan are told. overdue : the month's
    table `overdue`, where it is told how often deals past their date were won. No owner is named.
    """
    sentences = [*alarms, *_far_below_plan(rows, company=company, chances=chances)]
    if count := len(found.past_due):
        verb = "is" if count == 1 else "are"
        needs = "needs" if count == 1 else "need"
        past = f"{_counted(found.past_due, company)} {verb} past the expected close date"
        sentences.append(f"{past} and {needs} a new one.{_often_won(overdue)}")
    if count := len(found.slipped):
        of_all = wording.share(sources.count(found.slipped), found.open_deals)
        verb = "has" if count == 1 else "have"
        sentences.append(
            f"{_counted(found.slipped, company)}, {of_all} of all open deals, {verb} slipped {TIMES} or more."
        )
    if count := len(found.undated):
        verb = "has" if count == 1 else "have"
        sentences.append(f"{_counted(found.undated, company)} {verb} no expected close date.")
    return sentences or _nothing(rows, found)


def _often_won(overdue: pd.DataFrame | None) -> str:
    """Return how often deals past their date were won, and the others; empty where there were too few to say."""
    if overdue is None or (overdue["deals"] < FEWEST_OVERDUE).any():
        return ""
    late, others = (wording.percent(row["share_won"]) for row in sources.records(overdue))
    return f" Of such deals a year or two ago {late} were won since, of other open deals {others}."


def _far_below_plan(rows: pd.DataFrame, *, company: Company, chances: bool) -> list[str]:
    """Return the segments far below plan in one sentence, most money first, each with its chance; none for none."""
    far = rows[(rows["p_at_least_plan"] < 0.25) & (rows["gap"] < 0)] if "p_at_least_plan" in rows else rows.iloc[:0]
    named = []
    for row in sources.records(far.sort_values("gap", kind="stable")):
        chance = f" ({wording.chance(row['p_at_least_plan'])})" if chances else ""
        short = wording.money(row["plan"] - row["mean"], currency=company.currency)
        named.append(f"{wording.label(row['segment'])} by {short}{chance}")
    if not named:
        return []
    how = "with the chance of reaching it" if chances else "by the model"
    return [f"Far below plan in {far['target_period'].iloc[0]}, {how}: {wording.joined(named)}."]


def _nothing(rows: pd.DataFrame, found: Attention) -> list[str]:
    """Return that nothing needs attention of what can be looked at; no sentence where that is nothing."""
    looked_at = [
        what
        for what, known in (
            ("segments far below plan", "p_at_least_plan" in rows and rows["p_at_least_plan"].notna().any()),
            ("deals past their expected close date", found.has_dates),
            (f"deals that slipped {TIMES} or more", found.has_slips),
        )
        if known
    ]
    return [f"Nothing stands out: there are no {wording.joined(looked_at, last='or')}."] if looked_at else []


def moved_line(bar: str, rows: pd.DataFrame, moved: str, *, company: Company) -> str:
    """Return the line behind which the deals of a bar are folded away: `created: 12 deals, €1.2 m`.

    rows : the bar's deals. moved : the column of what each of them moved.
    """
    some = rows[moved].abs().sum() > 0
    total = f", {wording.money(sources.total(rows, moved), currency=company.currency)}" if some else ""
    return f"{CHANGE_WORDS.get(bar, bar)}: {wording.plural(sources.count(rows), 'deal')}{total}"


def moved_caption(bar: str) -> str:
    """Return the caption of the deals of a bar."""
    return f"Deals {bar_in_full(bar)}"


def attention_line(title: str, deals: pd.DataFrame) -> str:
    """Return the line behind which deals that need attention are folded away."""
    return f"{title}: {wording.plural(sources.count(deals), 'open deal')}"


def _counted(deals: pd.DataFrame, company: Company) -> str:
    """Return `3 open deals (€1.2 m)`; deals without an amount are named, and are not taken for nothing."""
    count, without = wording.plural(sources.count(deals), "open deal"), deals[deals["amount"].isna()]
    if len(without) == len(deals):
        return f"{count} without an amount"
    worth = wording.money(sources.total(deals, "amount"), currency=company.currency)
    unknown = f" and {wording.spelt(sources.count(without))} without an amount" if len(without) else ""
    return f"{count} ({worth}{unknown})"
