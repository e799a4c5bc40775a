"""Quarters: how the forecast of one moved from month to month, and how the last ones ended.

Each forecast is shown as it was made; right for one month, for no plan and for no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.ticker import FixedFormatter, FixedLocator

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.scores.comparison import FEWEST
from forecast.reporting.charts.axes import end_labels, money_axis, money_formats
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Statement, TableColumns
from forecast.reporting.charts.flags import flags_of_days
from forecast.reporting.charts.style import BOOKED, FORECAST, PLAN, RANGE80, RANGE95
from forecast.reporting.pages.bookings.prepare import MODEL


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One quarter's forecasts, two or more, by the day they were made on.

    rows : as_of, target_period, mean, q10, q90 and, where known, q2.5, q97.5, booked; rising by as_of. x : the days as
    numbers. plan : one a day, NaN where there is none. observed : what was booked, NaN where not settled.
    """

    rows: pd.DataFrame
    x: np.ndarray
    plan: np.ndarray
    observed: float
    company: Company

    @property
    def reach(self) -> tuple[float, float]:
        """The first and last day of the axis, a little beyond the marks."""
        wide = 0.08 * float(self.x[-1] - self.x[0])
        return float(self.x[0]) - wide, float(self.x[-1]) + wide

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest amount drawn."""
        names = [name for name in ("q2.5", "q97.5", "q10", "q90", "mean") if name in self.rows]
        amounts = [self.rows[names].to_numpy(float).ravel(), self.plan, [self.observed]]
        drawn = np.concatenate(amounts)
        return float(np.nanmin(drawn)), float(np.nanmax(drawn))


def movement(
    table: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    observed: float | None = None,
    events: pd.DataFrame | None = None,
) -> Chart | Statement:
    """Draw one quarter's forecasts by the day they were made on, with their ranges, plan, and what was booked.

    table : as_of, target_period, mean, q10, q90 and, where known, q2.5, q97.5, booked, plan; one row a month, rising.
    observed : what was booked, where the quarter is settled. events : to be flagged, as `dated` gives them.
    """
    known = table[table["mean"].notna()] if len(table) else table
    title = movement_finding(known, company=company, observed=observed, as_of=as_of)
    if known.empty:
        return empty(title, NOTHING)
    if len(known) == 1:
        return empty(*one_month(known))
    record = prepare_movement(known, company=company, observed=observed)
    table = record.rows.dropna(axis=1, how="all")
    return chart(
        record,
        draw_movement,
        describe_movement(record, title=title),
        table=table,
        heads=MOVEMENT_HEADS,
        company=company,
        as_of=as_of,
        formats={**money_formats(table, company), "as_of": wording.day},
        by="x",
        flags=flags_of_days(events, first=record.reach[0], last=record.reach[1], name="movement"),
    )


def prepare_movement(known: pd.DataFrame, *, company: Company, observed: float | None) -> Movement:
    """Return the forecasts of a quarter as they are drawn. known : rows with a mean, two or more."""
    return Movement(
        rows=known,
        x=date2num(known["as_of"]).astype(float),
        plan=known["plan"].to_numpy(float) if "plan" in known else np.full(len(known), np.nan),
        observed=observed if observed is not None and wording.known(observed) else np.nan,
        company=company,
    )


def draw_movement(canvas: Canvas, record: Movement) -> Drawing:
    """Draw a mark a day with its 80 and 95 % range, plan as a step, and what was booked as a line across."""
    figure, axes = canvas.axes(250, left=44, right=84 if canvas.narrow else 96, top=14, bottom=40)
    rows, x, plan = record.rows, record.x, record.plan
    if {"q2.5", "q97.5"} <= set(rows):
        axes.vlines(x, rows["q2.5"], rows["q97.5"], **RANGE95.bar, linewidth=2, zorder=2)
    axes.vlines(x, rows["q10"], rows["q90"], **RANGE80.bar, linewidth=9, zorder=2, capstyle="butt")
    axes.plot(x, rows["mean"], **FORECAST.series, markersize=6, linewidth=1.4, zorder=4)
    wide, edge = float(x[-1] - x[0]), record.reach[1]
    if np.isfinite(plan).any():
        axes.plot([*x, edge], [*plan, plan[-1]], **PLAN.line, linewidth=1.8, drawstyle="steps-post", zorder=3)
    low, high = record.limits
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    axes.set_xlim(*record.reach)
    axes.set_ylim(low - margin, high + margin)
    money_axis(axes, high, currency=record.company.currency)
    labels = [
        (float(rows["mean"].iloc[-1]), LABELS["mean"], FORECAST.name),
        (float(plan[-1]), LABELS["plan"], PLAN.name),
    ]
    labels.append((float(rows["q90"].iloc[-1]), LABELS["range80"], RANGE80.name))
    if wording.known(record.observed):
        axes.axhline(record.observed, **BOOKED.line, linewidth=1.8, zorder=3)
        labels.append((record.observed, LABELS["booked"], BOOKED.name))
    end_labels(axes, edge + 0.015 * wide, labels)
    _name_days(axes, rows["as_of"], x, most=4 if canvas.narrow else 9)
    return Drawing(figure=figure, marks=places(axes, x, rows["mean"]))


def _name_days(axes: Axes, days: pd.Series, x: np.ndarray, *, most: int) -> None:
    """Name the days of the marks, at most so many, the last one always; the year under the first and where it turns."""
    step = -(-len(x) // most)
    shown = sorted(range(len(x) - 1, -1, -step))
    labels, year = [], 0
    for i in shown:
        day = pd.Timestamp(days.iloc[i])
        labels.append(f"{day.day} {wording.day(day).split()[1][:3]}" + (f"\n{day.year}" if day.year != year else ""))
        year = day.year
    axes.xaxis.set_major_locator(FixedLocator([float(x[i]) for i in shown]))
    axes.xaxis.set_major_formatter(FixedFormatter(labels))


# -- how the last quarters ended ------------------------------------------------------------------------


def closed_quarters(backtest: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts of all settled quarters at the month end before each began, and what came.

    backtest : as `month.table` makes it; the Total's quarters. Returns quarter, expected, q10, q90, plan, booked,
    inside (whether q10 <= booked <= q90), oldest first; only quarters whose last forecast of horizon 1 is there.
    """
    rows = _total(backtest)
    rows = rows[is_quarter(rows["target_period"]) & rows["observed"].notna() & rows["mean"].notna()]
    last = rows[rows["horizon"] == 1].sort_values("origin").drop_duplicates("target_period", keep="last")
    last = last.sort_values("target_period")
    plan = last["plan"] if "plan" in last else pd.Series(float("nan"), index=last.index)
    out = pd.DataFrame(
        {
            "quarter": last["target_period"],
            "expected": last["mean"],
            "q10": last["q10"],
            "q90": last["q90"],
            "plan": plan,
            "booked": last["observed"],
        }
    )
    known = out[["q10", "q90"]].notna().all(axis=1)
    inside = out["booked"].between(out["q10"], out["q90"])
    answer = pd.Series("unknown", index=out.index, dtype="str").where(~known, inside.map({True: "yes", False: "no"}))
    out.attrs = {}
    return sources.named(out.assign(inside=answer), "quarters")


def ranges_at_stage(backtest: pd.DataFrame, *, as_of: Any, company: Company) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the ranges of settled quarters given at today's stage of a quarter, and those of them that held.

    backtest : as `month.table` makes it, made at month ends. The stage is how many months of the quarter had ended: on
    31 October, one of October to December; on a quarter's last day, none of the next one. Rows of it, by quarter.
    """
    calendar = company.periods
    rows = _total(backtest)
    rows = rows[is_quarter(rows["target_period"]) & rows[["observed", "q10", "q90"]].notna().all(axis=1)]
    next_month = calendar.period_of(rows["origin"]) + 1
    labels = [calendar.quarter_label(quarter) for quarter in calendar.quarter_of(next_month)]
    same = (calendar.quarter_position(next_month) == _stage(as_of, company)) & (
        rows["target_period"] == labels
    ).to_numpy()
    given = rows[same].sort_values("target_period")
    return given, given[given["observed"].between(given["q10"], given["q90"])]


def _stage(as_of: Any, company: Company) -> int:
    """Return how many months of its quarter had ended at the end of a day; on a quarter's last day, of the next one."""
    calendar, day = company.periods, pd.Timestamp(as_of)
    period = calendar.period(day)
    return calendar.quarter_position(period + int(day >= calendar.end(period)))


def _total(backtest: pd.DataFrame) -> pd.DataFrame:
    return backtest[(backtest["model"] == MODEL) & (backtest["segment"] == TOTAL)]


# -- sentences ------------------------------------------------------------------------------------------

LABELS = {"mean": "expected", "plan": "plan", "range80": f"80{wording.THIN}% range", "booked": "booked"}
"""What is written in the picture."""

MOVEMENT_HEADS = {
    "as_of": "as of",
    "q10": "low (80 %)",
    "mean": "expected",
    "q90": "high (80 %)",
    "booked": "booked by then",
    "plan": "plan",
}
"""What stands over the columns of its table."""

INSIDE = {"yes": "yes", "no": "no", "unknown": "unknown"}
"""Whether a quarter ended inside its range, by the code of the table."""

NOTHING = "Nothing can be compared."


def describe_movement(record: Movement, *, title: str) -> Caption:
    """Return the words of the picture; title : as `movement_finding` gives it."""
    currency, rows = record.company.currency, sources.records(record.rows)
    unit = wording.axis_unit(record.limits[1], currency=currency)[1]
    months = [month_sentence(row, currency=currency) for row in rows]
    booked = [wording.money(record.observed, currency=currency)] if wording.known(record.observed) else []
    return Caption(
        title=title,
        subtitle=f"Forecast of {rows[0]['target_period']} by the day it was made, {unit}, all segments; "
        "the axis does not start at zero",
        description=" ".join([f"{title}.", *(f"{month}." for month in months), *(f"Booked: {b}." for b in booked)]),
        tooltips=months,
    )


def movement_finding(table: pd.DataFrame, *, company: Company, observed: float | None = None, as_of: Any = None) -> str:
    """Return how the forecast of one quarter moved, as a title.

    table : as_of (dates, rising), target_period, mean; one row a month. observed : what was booked, where settled.
    as_of : the day that is now, by default that of the last row.
    """
    known = table[table["mean"].notna()] if len(table) else table
    if known.empty:
        return "No month has a forecast of the quarter"
    quarter = str(known["target_period"].iloc[0])
    first, last = sources.row(known), sources.row(known, -1)
    money = wording.in_currency(company.currency)
    then = when(first["as_of"], compared_to=last["as_of"])
    if wording.known(observed):
        return f"{quarter} brought {money(observed)}; {then} we expected {money(first['mean'])}"
    if len(known) == 1:
        return f"We expect to book {money(first['mean'])} in {quarter}"
    before, after = money(first["mean"]), money(last["mean"])
    same = sources.plain(before) == sources.plain(after)
    old = as_of is not None and pd.Timestamp(as_of) != last["as_of"]
    if same:
        return f"The forecast of {quarter} {'stayed at' if old else 'is'} {after}, as it was {then}"
    verb = "rose" if last["mean"] > first["mean"] else "fell"
    now = when(last["as_of"], compared_to=first["as_of"]) if old else "now"
    return f"The forecast of {quarter} {verb} from {before} {then} to {after} {now}"


def one_month(table: pd.DataFrame) -> tuple[str, str]:
    """Return what stands in place of the picture where only one month has a forecast of the quarter."""
    quarter = str(table["target_period"].iloc[0])
    return (
        f"How the forecast of {quarter} moves shows from the second month on.",
        f"So far one report here holds it, made {when(table['as_of'].iloc[0])}.",
    )


def then_and_now(before: str, after: str, *, day: Any, period: str) -> str:
    """Return the forecast of a period as of an earlier day, which no report need have held, and as of now, in words."""
    then = wording.day(day).rsplit(" ", 1)[0]
    return wording.sentence(
        f"computed as of {then}, the forecast of {wording.month(period)} would have been {before}; now {after}"
    )


def month_sentence(row: Mapping[Any, Any], *, currency: str) -> str:
    """Return one month's forecast of the quarter: expected, range, booked by then, plan; without a full stop."""
    return wording.listed(
        f"As of {wording.day(row['as_of'])}",
        wording.named_amount("expected", row["mean"], currency=currency),
        wording.named_range(row.get("q10"), row.get("q90"), currency=currency),
        wording.named_amount("booked by then", row["booked"], currency=currency) if row.get("booked") else "",
        wording.named_amount("plan", row.get("plan"), currency=currency),
    )


def when(as_of: Any, *, compared_to: Any = None) -> str:
    """Return `in October`, or `on 15 October` where the day is not a month's last.

    The year is added unless it is that of `compared_to`.
    """
    day = pd.Timestamp(as_of)
    year = "" if compared_to is not None and pd.Timestamp(compared_to).year == day.year else f" {day.year}"
    name = wording.day(day).split()[1]
    return f"in {name}{year}" if day.is_month_end else f"on {day.day} {name}{year}"


def moved(backtest: pd.DataFrame, row: Mapping[str, Any] | None, *, company: Company, chances: bool = True) -> str:
    """Return how the forecast of a period moved since the last month end: `Computed as of …; now …`.

    backtest : forecasts computed from what was known at past month ends. row : the headline's row, as of now. chances :
    whether those of reaching plan are told. Empty where either is not known.
    """
    if row is None or not wording.known(row["mean"]):
        return ""
    period = str(row["target_period"])
    rows = _total(backtest)
    rows = rows[(rows["target_period"] == period) & rows["mean"].notna()].sort_values("origin")
    if rows.empty:
        return ""
    then = sources.row(rows, -1)
    before, after = (_expected(each, company, chances=chances) for each in (then, row))
    return then_and_now(before, after, day=then["origin"], period=period)


def quarters_finding(table: pd.DataFrame) -> str:
    """Return how many of all settled quarters ended inside the range given before they began; a miss of the last first.

    table : as `closed_quarters` gives it.
    """
    known = table[table["inside"] != "unknown"]
    if known.empty:
        return "No quarter has settled whose forecast was made before it began"
    span, misses = f"80{wording.THIN}% range", _last_misses(known)
    if misses.empty:
        ended = sources.capitalised(wording.of_all(_inside(known), sources.count(known), "settled quarter"))
        it = "it" if len(known) == 1 else "they"
        return f"{ended} ended inside the {span} given the day before {it} began"
    last, before = sources.row(misses, -1), known.iloc[: -len(misses)]
    side = "below" if last["booked"] < last["q10"] else "above"
    it, them, spans = ("it", "it", span) if len(misses) == 1 else ("they", "them", f"{span}s")
    miss = f"{wording.joined(misses['quarter'])} ended {side} the {spans} given the day before {it} began"
    inside = wording.of_all(_inside(before), sources.count(before), "quarter")
    own = "theirs" if len(before) > 1 else "its own"
    return f"{miss}; before {them} {inside} ended inside {own}" if len(before) else miss


def _last_misses(known: pd.DataFrame) -> pd.DataFrame:
    """Return the last quarters that one after the other ended on the same side outside their range; may be none."""
    side = np.sign((known["booked"] > known["q90"]).astype(int) - (known["booked"] < known["q10"]).astype(int))
    run = side.iloc[::-1].eq(side.iloc[-1]).cummin().iloc[::-1] & (side != 0)
    return known[run]


STAGES = ("before a quarter began", "one month into a quarter", "two months into a quarter")
"""When a range of a quarter was given, by how many of its months had ended."""


def stage_note(backtest: pd.DataFrame, *, as_of: Any, company: Company) -> str:
    """Return how many past ranges of quarters, given at today's stage of a quarter, held; empty where there is none.

    The latest is named where it did not hold, unless there are too few ranges to tell anything from one.
    """
    given, held = ranges_at_stage(backtest, as_of=as_of, company=company)
    if given.empty:
        return ""
    count = f"{wording.in_full(sources.count(held))} of {wording.in_full(sources.count(given))}"
    note = f"given {STAGES[_stage(as_of, company)]}, {count} held"
    missed = given.index[-1] not in held.index
    return (
        f"{note}; the latest, {given['target_period'].iloc[-1]}, did not" if missed and len(given) >= FEWEST else note
    )


def _inside(known: pd.DataFrame) -> int:
    """Return how many quarters ended inside their range."""
    return sources.count(known[known["inside"] == "yes"])


def columns(company: Company) -> TableColumns:
    """Return headers and formats of what `closed_quarters` gives."""
    names = {"quarter": "", "expected": "expected", "q10": "low (80 %)", "q90": "high (80 %)"}
    names |= {"booked": "booked", "inside": "inside", "plan": "plan"}
    money = wording.in_currency(company.currency)
    formats = dict.fromkeys(("expected", "q10", "q90", "plan", "booked"), money)
    return {"columns": names, "formats": {**formats, "inside": INSIDE.__getitem__}}


def _expected(row: Mapping[str, Any], company: Company, *, chances: bool) -> str:
    amount = wording.money(row["mean"], currency=company.currency)
    chance = row.get("p_at_least_plan") if chances else None
    return f"{amount} ({wording.chance(chance)} likely to reach plan)" if wording.known(chance) else amount
