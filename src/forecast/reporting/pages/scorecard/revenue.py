"""Do we sell more? What bookings changed by in a year as a waterfall and a sentence, and since planning is joint.

All is read from the month's table `scorecard_decomposition`; its parts sum to the change to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation.scorecard.measures import BOOKINGS
from forecast.evaluation.scorecard.revenue.decomposition import (
    BESIDE,
    BY_BUYER,
    BY_FACTOR,
    BY_PLANNING,
    BY_YEAR,
    COMPANY,
    SEGMENT,
    WHOLE,
)
from forecast.evaluation.scorecard.revenue.lmdi import log_mean
from forecast.evaluation.scorecard.revenue.parts import ALONE, CUSTOMERS
from forecast.reporting.charts.axes import money_axis, row_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Folds, Format, Notes, Statement, TableView, Together
from forecast.reporting.charts.style import AXIS, FALL, FULL_VALUE, INK, RISE
from forecast.reporting.pages import differences
from forecast.reporting.pages.scorecard.components import (
    NAMES,
    WAYS,
    WITHIN,
    components_of,
    ends_of,
    is_against,
    revenue_of,
    row_of,
    rows_of,
    segments_of,
    why_against,
)
from forecast.reporting.pages.words import LUCK_ALONE, TOO_FEW, word

# -- sentences --------------------------------------------------------------------------------------------

MORE_WHERE = ("more of them where each buys for more", "fewer of them where each buys for more")
"""Added where the number of customers moved bookings by more than as many customers of the mean would have."""

COMES_TO = {
    "new": "bought for the first time in these tables",
    "regained": "who had bought before the two years came back",
    "lost": "of the year before did not buy again",
    "kept": "bought in both years",
}
"""What is said of how many customers are new, regained, lost and kept."""
assert set(COMES_TO) == set(CUSTOMERS)

CHANGE = "change"
BEHIND = "Behind it:"
MISSING = "What bookings changed by cannot be said yet"
HEADS = {"bar": "what changed", "from_value": "before", "to_value": "since", "amount": "changed bookings by"}
BY_SEGMENT = "What bookings changed by, by segment"
SEGMENT_HEADS = {"node": "segment", "from_value": "booked before", "to_value": "booked since", "amount": "change"}
SPLIT = (
    "That is a split of what was booked and no effect of planning: whatever else changed at the time is in it. What "
    "planning did to the forecasts is asked on the page about joint planning."
)

# -- sentences that answer --------------------------------------------------------------------------------


def sell_sentence(table: pd.DataFrame, *, company: Company) -> str:
    """Return whether we sell more: bookings then and now, and the parts of the change, those that go its way first.

    What was booked is a fact; whether the change is more than luck, the scorecard's own rows say. table : the month's
    table `scorecard_decomposition`; empty where there is no year before.
    """
    whole = revenue_of(table)
    if whole is None:
        return ""
    parts = [row for row in components_of(table) if abs(row["amount"]) >= _TOLD * _largest(table)][:_MOST]
    up, heads = whole["amount"] >= 0, _by_heads(table)
    along, against = ([row for row in parts if (row["amount"] >= 0) == way] for way in (up, not up))
    reasons = "; but ".join(
        wording.joined(_way(row, company, by_heads=heads) for row in side) for side in (along, against) if side
    )
    rest = "; the chart has the rest" if len(parts) < len(components_of(table)) else ""
    return wording.sentence(
        f"{_moved(whole, company=company)}: {reasons}{rest}" if reasons else _moved(whole, company=company)
    )


def lost_sentence(table: pd.DataFrame) -> str:
    """Return how many of the year before's customers did not buy again, and which share of its bookings they brought.

    A customer counts in each segment it buys in, so with several segments it is said that they did not buy there.
    """
    rows = {row["component"]: row for row in rows_of(table, BY_BUYER)}
    whole, customers = revenue_of(table), row_of(table, BY_FACTOR, "customers")
    if whole is None or customers is None or not rows or rows["lost"]["missing"] or not customers["from_value"]:
        return ""
    went, every = rows["lost"]["n_before"], customers["from_value"]
    text = f"Of the year before’s {wording.plural(every, 'customer')} {wording.in_full(went)} "
    text += (
        f"({wording.share(went, every)}) did not buy again{' in their segment' if len(segments_of(table)) > 1 else ''}"
    )
    if went and whole["from_value"] > 0:
        brought = wording.percent(-rows["lost"]["amount"] / whole["from_value"])
        text += f"; they had brought {brought} of that year’s bookings"
    return wording.sentence(text)


def customers_sentence(table: pd.DataFrame, *, company: Company) -> str:
    """Return how many customers came, came back, went and stayed, and what bookings changed by with each of them."""
    rows = {row["component"]: row for row in rows_of(table, BY_BUYER)}
    whole = revenue_of(table)
    if whole is None or not rows or rows["new"]["missing"]:
        return ""

    def moved(row: Mapping[str, Any]) -> str:
        return f"({wording.money(row['amount'], currency=company.currency, sign=True)})"

    people = {name: rows[name]["n_before" if name == "lost" else "n_after"] for name in CUSTOMERS}
    told = [
        f"{wording.plural(people[name], 'customer') if name == 'new' else wording.in_full(people[name])} "
        f"{COMES_TO[name]} {moved(rows[name])}"
        for name in CUSTOMERS
    ]
    told += [f"{NAMES[name]} {moved(rows[name])}" for name in ALONE if rows[name]["amount"]]
    counted = ", a customer counted in each segment it bought in" if len(segments_of(table)) > 1 else ""
    return wording.sentence(f"{wording.joined(told)}; together that is the change of bookings {moved(whole)}{counted}")


def against_sentences(table: pd.DataFrame, *, company: Company) -> list[str]:
    """Return a line for each component that goes against its own figure of the whole company, and why it can."""
    told = []
    for row in components_of(table):
        if is_against(row):
            ways = WAYS[row["component"]][row["amount"] <= 0], why_against(table, row)
            name, ends = NAMES[row["component"]], ends_of(row, currency=company.currency)
            moved = "fell" if row["amount"] > 0 else "rose"
            told.append(
                wording.sentence(
                    f"{sources.capitalised(ways[0])} {WITHIN}, while over all {name} {moved} ({ends}): {ways[1]}"
                )
            )
    return told


def segments_sentence(table: pd.DataFrame, *, company: Company) -> str:
    """Return the two segments whose bookings moved most, from what to what; empty with fewer than three."""
    rows = segments_of(table)
    if len(rows) <= _NAMED or not rows["amount"].any():
        return ""
    order = rows["amount"].abs().sort_values(ascending=False, kind="stable").index[:_NAMED]
    told = [
        f"{row['node']} {'rose' if row['amount'] > 0 else 'fell'} from "
        f"{' to '.join(wording.money(row[end], currency=company.currency) for end in ('from_value', 'to_value'))}"
        for row in sources.records(rows.loc[order])
        if row["amount"]
    ]
    return wording.sentence(f"Of the segments {wording.joined(told)}, more than any other")


def luck_sentence(card: pd.DataFrame, *, measure: str = BOOKINGS, what: str = "bookings") -> str:
    """Return whether luck alone could have made the change of a measure, by the scorecard's own row; empty without it.

    card : the month's table `scorecard`. what : how the measure is called in the sentence.
    """
    rows = card[card["measure"] == measure]
    if rows.empty or not rows["against_year"].iloc[0]:
        return ""
    row = sources.row(rows)
    told = word(row["against_year"], LUCK_ALONE).format(what)
    if told == TOO_FEW:
        told = f"whether luck alone made the change of {what}: {told}"
    return f"{sources.capitalised(told)} ({_compared(row)})."


def _compared(row: Mapping[str, Any]) -> str:
    return f"{wording.plural(row['year_n'], 'month')} against the same months before"


def planning_sentence(table: pd.DataFrame, *, company: Company) -> str:
    """Return what the segments that plan jointly booked since, against the year before, and the others meanwhile."""
    rows = table[(table["comparison"] == BY_PLANNING) & (table["split"] == WHOLE)]
    own, beside = rows[rows["level"] == SEGMENT], rows[rows["level"] == BESIDE]
    if own.empty:
        return ""
    then, now = (sources.total(own, end) for end in ("from_value", "to_value"))
    ends = [wording.money(value, currency=company.currency) for value in (now, then)]
    many = f"{wording.plural(sources.count(own), 'segment')} that {'plans' if len(own) == 1 else 'plan'} jointly"
    text = f"The {many} booked {ends[0]} in the months from each one’s start on, twelve at most, and "
    text += f"{ends[1]} in the same months a year before{_by(then, now)}"
    if len(beside):
        then, now = (sources.total(beside, end) for end in ("from_value", "to_value"))
        moved = wording.change(now / then - 1) if then else "began"
        spans = sources.count(beside)
        over = f" on average over the {wording.plural(spans, 'span')} of months" if spans > 1 else ""
        text += f"; meanwhile the bookings of the segments that never joined {moved}{over}"
    return f"{wording.sentence(text)} {SPLIT}"


def shown(table: pd.DataFrame, card: pd.DataFrame, *, company: Company, as_of: Any, brief: bool = False) -> Together:
    """Show the answer, its waterfall, the change of each segment and what is behind it; or why it cannot be said.

    table, card : the month's tables `scorecard_decomposition` and `scorecard`. brief : the answer alone, and
    nothing where it cannot be said.
    """
    picture = revenue_waterfall(table, company=company, as_of=as_of)
    if revenue_of(table) is None:
        return Together() if brief else Together(picture)
    lead = f"{sell_sentence(table, company=company)} {lost_sentence(table)}".strip()
    answer = Statement(lead, luck_sentence(card))
    if brief:
        return Together(answer)
    behind = Notes(remarks(table, company=company), BEHIND)
    return Together(answer, picture, by_segment(table, company=company), behind)


def remarks(table: pd.DataFrame, *, company: Company) -> list[str]:
    """Return what else the parts say: which segments moved most, who came and who went, what goes against the
    company's own figure, what was booked since planning is joint."""
    told = [segments_sentence(table, company=company), customers_sentence(table, company=company)]
    told += against_sentences(table, company=company)
    told.append(planning_sentence(table, company=company) or _why(table, BY_PLANNING))
    parts = table[(table["comparison"] == BY_YEAR) & (table["level"] == COMPANY) & (table["split"] == BY_FACTOR)]
    for why, rows in parts[parts["missing"] != ""].groupby("missing", sort=False):
        told.append(wording.sentence(f"{wording.joined(NAMES[name] for name in rows['component'])}: {why}"))
    return list(filter(None, told))


def _why(table: pd.DataFrame, comparison: str) -> str:
    """Return why a comparison cannot be made; empty where it can."""
    rows = table[(table["comparison"] == comparison) & (table["split"] == WHOLE) & table["amount"].isna()]
    return wording.sentence(sources.quoted(rows, rows.index[0], "missing")) if len(rows) else ""


_TOLD = 0.05
_MOST = 5
"""Parts smaller than this share of the largest, and those after so many, are left to the chart."""

_NAMED = 2
"""So many segments, those that moved most, are named."""

_CLEARLY = 0.1
"""By so large a share more than the head count explains, the customers' part says where they came or went."""


def _largest(table: pd.DataFrame) -> float:
    return max((abs(sources.bare(row["amount"])) for row in components_of(table)), default=0.0)


def _moved(whole: Mapping[str, Any], *, company: Company) -> str:
    """Return `Bookings fell from €18.1 to 17.1 m`, or that they are as they were."""
    before, after = (wording.money(whole[end], currency=company.currency) for end in ("from_value", "to_value"))
    if sources.plain(before) == sources.plain(after):
        return f"Bookings were {after}, as in the year before"
    ends = differences.from_to(whole["from_value"], whole["to_value"], currency=company.currency)
    return f"Bookings {'rose' if whole['amount'] > 0 else 'fell'} {ends}"


def _way(row: Mapping[str, Any], company: Company, *, by_heads: float) -> str:
    """Return `fewer customers bought (−€1.2 m)`; by_heads : what their number alone would have moved bookings by."""
    amount = wording.money(row["amount"], currency=company.currency, sign=True)
    down = row["amount"] <= 0
    more = ""
    if is_against(row):
        more = f" {WITHIN}"
    elif row["component"] == "customers" and abs(row["amount"]) > (1 + _CLEARLY) * abs(by_heads):
        more = f", and {MORE_WHERE[down]}"
    return f"{WAYS[row['component']][down]}{more} ({amount})"


def _by_heads(table: pd.DataFrame) -> float:
    """Return what the number of customers would have moved bookings by, had each been worth the mean of all; else 0."""
    whole, customers = revenue_of(table), row_of(table, BY_FACTOR, "customers")
    if whole is None or customers is None:
        return 0.0
    alone = [row for row in rows_of(table, BY_FACTOR) if row["component"] in ALONE]
    ends = ("from_value", "to_value")
    money = [sources.bare(whole[end]) - np.nansum([sources.bare(row[end]) for row in alone]).item() for end in ends]
    heads = [sources.bare(customers[end]) for end in ends]
    if not min(*money, *heads) > 0:
        return 0.0
    return float(log_mean(np.array(money[1:]), np.array(money[:1]))[0] * np.log(heads[1] / heads[0]))


def _by(before: Any, after: Any) -> str:
    """Return ` (+9 %)`; nothing where there was nothing before."""
    return f" ({wording.percent(after / before - 1, sign=True)})" if before else ""


# -- the waterfall --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What is drawn: a bar for each component, each beginning where the one above ended, and the change at the end.

    rows : of the month's table, the last the change of bookings. names : of the bars. before, after : where each begins
    and ends, in money from what was booked in the year before. table : the month's table, for what the bars rest on.
    """

    rows: pd.DataFrame
    names: Sequence[str]
    before: np.ndarray
    after: np.ndarray
    company: Company
    table: pd.DataFrame

    @property
    def largest(self) -> float:
        """How far the bars reach from the bookings of the year before; at least 1, so that an axis has a length."""
        return float(max(np.abs(self.before).max(), np.abs(self.after).max(), 1.0))


def prepare_steps(table: pd.DataFrame, *, company: Company) -> Steps | None:
    """Return the bars of the company's year; None where there is no year before. Parts that moved nothing are left out.

    table : the month's table `scorecard_decomposition`.
    """
    if revenue_of(table) is None:
        return None
    year = table[(table["comparison"] == BY_YEAR) & (table["level"] == COMPANY)]
    parts = year[(year["split"] == BY_FACTOR) & year["component"].isin(NAMES) & (year["amount"].fillna(0.0) != 0)]
    order = parts["component"].map(list(NAMES).index).sort_values()
    rows = year.loc[[*order.index, *year.index[year["split"] == WHOLE]]]
    names = [NAMES.get(component, CHANGE) for component in rows["component"]]
    amounts = rows["amount"].to_numpy(dtype=np.float64)
    level = np.cumsum(amounts)
    before = np.append((level - amounts)[:-1], 0.0)
    after = np.append(level[:-1], amounts[-1])
    return Steps(rows=rows, names=names, before=before, after=after, company=company, table=table)


def revenue_waterfall(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw what bookings changed by in a year, component by component.

    table : the month's table `scorecard_decomposition`.
    """
    steps = prepare_steps(table, company=company)
    if steps is None:
        return empty(MISSING, _why(table, BY_YEAR))
    caption = describe_steps(steps)
    money: Format = wording.in_currency(company.currency)
    rows = steps.rows.assign(bar=steps.names)
    against = [is_against(row) for row in sources.records(rows)]
    rows.loc[against, ["from_value", "to_value"]] = np.nan  # the figure of the whole company is no part of such a bar
    return chart(
        steps,
        draw_steps,
        caption,
        table=rows,
        heads=HEADS,
        company=company,
        as_of=as_of,
        formats={"amount": money},
        by="y",
    )


def draw_steps(canvas: Canvas, steps: Steps) -> Drawing:
    """Draw a row a bar from the zero line, the bookings of the year before; amounts at the right of the bars."""
    count = len(steps.names)
    figure, axes = canvas.axes(44 + 25 * count, left=width_of(steps.names), right=66, top=6, bottom=24)
    right = np.maximum(steps.before, steps.after)
    amounts, scale = sources.column(steps.rows, "amount"), wording.axis_unit(steps.largest)[0]
    for i in range(count):
        low, high = sorted((steps.before[i], steps.after[i]))
        mark = FULL_VALUE if i == count - 1 else RISE if steps.after[i] >= steps.before[i] else FALL
        axes.barh(i, high - low, left=low, height=0.62, **mark.area, zorder=2)
        if i + 1 < count:
            axes.vlines(steps.after[i], i - 0.31, i + 1.31, color=AXIS, linewidth=1, zorder=1)
        axes.annotate(
            _in_unit(amounts[i], scale),
            (right[i], i),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            annotation_clip=False,
            zorder=5,
        )
    row_axis(axes, steps.names)
    low, high = min(steps.before.min(), steps.after.min(), 0.0), max(right.max(), 0.0)
    margin = 0.03 * max(high - low, 1.0)
    axes.set_xlim(low - margin, high + margin)
    axes.axvline(0, color=INK, linewidth=1.2, zorder=3)
    money_axis(axes, steps.largest, currency=steps.company.currency, axis="x", ticks=3 if canvas.narrow else 6)
    return Drawing(figure=figure, marks=places(axes, right, range(count)))


def _in_unit(amount: Any, scale: float) -> str:
    """Return `+0.663`: an amount in the unit of the axis, the same for all bars."""
    return f"{'+' if amount > 0 else ''}{wording.number(amount / scale)}"


# -- sentences of the waterfall ---------------------------------------------------------------------------


def describe_steps(steps: Steps) -> Caption:
    """Return the words of the waterfall."""
    currency, rows = steps.company.currency, sources.records(steps.rows)
    whole = rows[-1]
    unit = wording.axis_unit(steps.largest, currency=currency)[1]
    title = _moved(whole, company=steps.company)
    described = " ".join(
        f"{name}: {wording.money(row['amount'], currency=currency, sign=True)}."
        for name, row in zip(steps.names, rows, strict=True)
    )
    first, last = (wording.month(part) for part in str(whole["after"]).split(" to "))
    return Caption(
        title=title,
        subtitle=f"What changed the bookings of {first} to {last} against the twelve months before, {unit}; zero is "
        "what was booked before, and the bars sum to the change",
        description=f"{title}. {described}",
        tooltips=[_tooltip(name, row, steps, currency=currency) for name, row in zip(steps.names, rows, strict=True)],
    )


def _tooltip(name: str, row: Mapping[str, Any], steps: Steps, *, currency: str) -> str:
    """Return `customers who bought: −€1.2 m; 2,133 → 2,190`, or why the company's own figure went the other way."""
    amount = wording.named_amount("", row["amount"], currency=currency, sign=True)
    ends = ends_of(row, currency=currency)
    if is_against(row):
        why = why_against(steps.table, row)
        return wording.listed(name, f"{amount} {WITHIN}", f"over all {ends}: {why}")
    return wording.listed(name, amount, ends)


def by_segment(table: pd.DataFrame, *, company: Company) -> Folds:
    """List what the bookings of each segment changed by, the largest change first, folded away."""
    rows = segments_of(table)
    if rows.empty:
        return Folds([])
    order = rows["amount"].abs().sort_values(ascending=False, kind="stable").index
    formats: dict[str, Format] = dict.fromkeys(
        ("from_value", "to_value", "amount"), wording.in_currency(company.currency)
    )
    view = TableView(rows.loc[order], BY_SEGMENT, columns=SEGMENT_HEADS, formats=formats)
    return Folds([(BY_SEGMENT, view)])
