"""Do we sell more? What revenue changed by in a year as a waterfall and a sentence, and since planning is joint.

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
    BY_CUSTOMER,
    BY_FACTOR,
    BY_PLANNING,
    BY_YEAR,
    COMPANY,
    SEGMENT,
    WHOLE,
)
from forecast.evaluation.scorecard.revenue.parts import ALONE, FACTORS
from forecast.reporting.charts.axes import money_axis, row_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Folds, Format, Notes, Statement, TableView, Together
from forecast.reporting.charts.style import AXIS, FALL, FULL_VALUE, INK, RISE
from forecast.reporting.pages.scorecard.card import value_in
from forecast.reporting.pages.words import COULD_BE_LUCK, word

# -- sentences --------------------------------------------------------------------------------------------

NAMES = {
    "customers": "customers who bought",
    "frequency": "orders per customer",
    "units": "units per order",
    "price": "price per unit",
    "deal_size": "size of an order",
    "mix": "mix of products",
    "recording": "orders with units",
    "account_unknown": "no customer named",
    "credits": "credits",
}
"""How each component is called at its bar, in the order of the bars."""
assert set(NAMES) == {*FACTORS, *ALONE}

WAYS = {
    "customers": ("more customers bought", "fewer customers bought"),
    "frequency": ("each ordered more often", "each ordered less often"),
    "units": ("orders had more units", "orders had fewer units"),
    "price": ("prices rose", "prices fell"),
    "deal_size": ("orders grew", "orders shrank"),
    "mix": ("dearer products sold more", "dearer products sold less"),
    "recording": ("more is known of units in orders", "less is known of units in orders"),
    "account_unknown": ("deals that name no customer brought more", "deals that name no customer brought less"),
    "credits": ("credits took less", "credits took more"),
}
"""What is said of each where it added to revenue, and where it took from it."""

WITHIN = "within segments and products"
"""Added where a component goes against its own figure of the whole company, which the mix of segments moves too."""

UNITS = {"customers": "count", "frequency": "ratio", "units": "ratio", "price": "money", "deal_size": "money"}
"""What the component's own figure is; of the others it is no figure of its own."""

CHANGE = "change"
BEHIND = "Behind it:"
MISSING = "What revenue changed by cannot be said yet"
HEADS = {"bar": "what changed", "from_value": "before", "to_value": "since", "amount": "changed revenue by"}
BY_SEGMENT = "What revenue changed by, by segment"
SEGMENT_HEADS = {"node": "segment", "from_value": "revenue before", "to_value": "revenue since", "amount": "change"}
SPLIT = (
    "That is a split of what was booked and no effect of planning: whatever else changed at the time is in it. What "
    "planning did to the forecasts is asked on the page about joint planning."
)

# -- sentences that answer --------------------------------------------------------------------------------


def sell_sentence(table: pd.DataFrame, *, company: Company) -> str:
    """Return whether we sell more: revenue then and now, and the parts of the change, those that go its way first.

    What was booked is a fact; whether the change is more than luck, the scorecard's own rows say. table : the month's
    table `scorecard_decomposition`; empty where there is no year before.
    """
    whole = _revenue(table)
    if whole is None:
        return ""
    parts = [row for row in _components(table) if abs(row["amount"]) >= _TOLD * _largest(table)][:_MOST]
    up = whole["amount"] >= 0
    along, against = ([row for row in parts if (row["amount"] >= 0) == way] for way in (up, not up))
    reasons = "; but ".join(wording.joined(_way(row, company) for row in side) for side in (along, against) if side)
    rest = "; the chart has the rest" if len(parts) < len(_components(table)) else ""
    return wording.sentence(
        f"{_moved(whole, company=company)}: {reasons}{rest}" if reasons else _moved(whole, company=company)
    )


def customers_sentence(table: pd.DataFrame, *, company: Company) -> str:
    """Return how many customers came, came back, went and stayed, and what each brought or took."""
    rows = {row["component"]: row for row in _rows(table, BY_CUSTOMER)}
    if not rows or rows["new"]["missing"]:
        return ""
    came, back, went, stayed = (rows[name] for name in ("new", "regained", "lost", "kept"))
    amounts = (wording.money(row["amount"], currency=company.currency, sign=True) for row in (came, back, went))
    told = [
        f"{number} {who} ({amount})"
        for number, who, amount in zip(
            (
                wording.plural(came["n_after"], "new customer"),
                wording.in_full(back["n_after"]),
                wording.in_full(went["n_before"]),
            ),
            ("bought", "who had bought before the two years came back", "of the year before did not buy again"),
            amounts,
            strict=True,
        )
    ]
    return wording.sentence(f"{wording.joined(told)}; {wording.in_full(stayed['n_after'])} bought in both years")


def luck_sentence(card: pd.DataFrame, *, measure: str = BOOKINGS) -> str:
    """Return whether luck alone could have made the change of a measure, by the scorecard's own row; empty without it.

    card : the month's table `scorecard`.
    """
    rows = card[card["measure"] == measure]
    if rows.empty or not rows["against_year"].iloc[0]:
        return ""
    row = sources.row(rows)
    could = word(row["against_year"], COULD_BE_LUCK)
    return f"Could luck alone have made that change? {sources.capitalised(could)} ({_compared(row)})."


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
        text += f"; over those months the bookings of the segments that never joined {moved}"
    return f"{wording.sentence(text)} {SPLIT}"


def shown(table: pd.DataFrame, card: pd.DataFrame, *, company: Company, as_of: Any, brief: bool = False) -> Together:
    """Show the answer, its waterfall, the change of each segment and what is behind it; or why it cannot be said.

    table, card : the month's tables `scorecard_decomposition` and `scorecard`. brief : without the segments, and with
    nothing where it cannot be said.
    """
    picture = revenue_waterfall(table, company=company, as_of=as_of)
    if _revenue(table) is None:
        return Together() if brief else Together(picture)
    answer = Statement(sell_sentence(table, company=company), luck_sentence(card))
    behind = Notes(remarks(table, company=company), BEHIND)
    return Together(answer, picture, by_segment(table, company=company), behind)


def remarks(table: pd.DataFrame, *, company: Company) -> list[str]:
    """Return what else the parts say: who came and who went, what was booked since planning is joint."""
    planned = planning_sentence(table, company=company) or _why(table, BY_PLANNING)
    told = [customers_sentence(table, company=company), planned]
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


def _revenue(table: pd.DataFrame) -> dict[str, Any] | None:
    rows = _rows(table, WHOLE)
    return rows[0] if rows and wording.known(rows[0]["amount"]) else None


def _rows(table: pd.DataFrame, split: str) -> list[dict[str, Any]]:
    """Return the rows of a split of the company's change in a year."""
    here = (table["comparison"] == BY_YEAR) & (table["level"] == COMPANY) & (table["split"] == split)
    return sources.records(table[here])


def _components(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the components that moved anything, the largest first."""
    rows = [row for row in _rows(table, BY_FACTOR) if wording.known(row["amount"]) and row["amount"]]
    return sorted(rows, key=lambda row: -abs(sources.bare(row["amount"])))


def _largest(table: pd.DataFrame) -> float:
    return max((abs(sources.bare(row["amount"])) for row in _components(table)), default=0.0)


def _moved(whole: Mapping[str, Any], *, company: Company) -> str:
    """Return `revenue fell from €18.1 m to €17.1 m`, or that it is as it was."""
    before, after = (wording.money(whole[end], currency=company.currency) for end in ("from_value", "to_value"))
    if sources.plain(before) == sources.plain(after):
        return f"Revenue was {after}, as in the year before"
    return f"Revenue {'rose' if whole['amount'] > 0 else 'fell'} from {before} to {after}"


def _way(row: Mapping[str, Any], company: Company) -> str:
    """Return `fewer customers bought (−€1.2 m)`."""
    amount = wording.money(row["amount"], currency=company.currency, sign=True)
    up, own = row["amount"] > 0, row["to_value"] - row["from_value"]
    against = row["component"] in UNITS and wording.known(sources.bare(own)) and (own > 0) != up
    return f"{WAYS[row['component']][not up]}{f' {WITHIN}' if against else ''} ({amount})"


def _by(before: Any, after: Any) -> str:
    """Return ` (+9 %)`; nothing where there was nothing before."""
    return f" ({wording.percent(after / before - 1, sign=True)})" if before else ""


# -- the waterfall --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What is drawn: a bar for each component, each beginning where the one above ended, and the change at the end.

    rows : of the month's table, the last the change of revenue. names : of the bars. before, after : where each begins
    and ends, in money from the revenue of the year before.
    """

    rows: pd.DataFrame
    names: Sequence[str]
    before: np.ndarray
    after: np.ndarray
    company: Company

    @property
    def largest(self) -> float:
        """How far the bars reach from the revenue of the year before; at least 1, so that an axis has a length."""
        return float(max(np.abs(self.before).max(), np.abs(self.after).max(), 1.0))


def prepare_steps(table: pd.DataFrame, *, company: Company) -> Steps | None:
    """Return the bars of the company's year; None where there is no year before. Parts that moved nothing are left out.

    table : the month's table `scorecard_decomposition`.
    """
    if _revenue(table) is None:
        return None
    year = table[(table["comparison"] == BY_YEAR) & (table["level"] == COMPANY)]
    parts = year[(year["split"] == BY_FACTOR) & year["component"].isin(NAMES) & (year["amount"].fillna(0.0) != 0)]
    order = parts["component"].map(list(NAMES).index).sort_values()
    rows = year.loc[[*order.index, *year.index[year["split"] == WHOLE]]]
    names = [NAMES.get(component, CHANGE) for component in rows["component"]]
    amounts = rows["amount"].to_numpy(dtype=np.float64)
    level = np.cumsum(amounts)
    before = np.append((level - amounts)[:-1], 0.0)
    return Steps(rows=rows, names=names, before=before, after=np.append(level[:-1], amounts[-1]), company=company)


def revenue_waterfall(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw what revenue changed by in a year, component by component.

    table : the month's table `scorecard_decomposition`.
    """
    steps = prepare_steps(table, company=company)
    if steps is None:
        return empty(MISSING, _why(table, BY_YEAR))
    caption = describe_steps(steps)
    money: Format = wording.in_currency(company.currency)
    rows = steps.rows.assign(bar=steps.names)
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
    """Draw a row a bar from the zero line, the revenue of the year before; amounts at the right of the bars."""
    count = len(steps.names)
    figure, axes = canvas.axes(44 + 25 * count, left=width_of(steps.names), right=66, top=6, bottom=24)
    right = np.maximum(steps.before, steps.after)
    amounts = sources.column(steps.rows, "amount")
    for i in range(count):
        low, high = sorted((steps.before[i], steps.after[i]))
        mark = FULL_VALUE if i == count - 1 else RISE if steps.after[i] >= steps.before[i] else FALL
        axes.barh(i, high - low, left=low, height=0.62, **mark.area, zorder=2)
        if i + 1 < count:
            axes.vlines(steps.after[i], i - 0.31, i + 1.31, color=AXIS, linewidth=1, zorder=1)
        axes.annotate(
            wording.money(amounts[i], sign=True),
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
        subtitle=f"What changed the revenue of {first} to {last} against the twelve months before, {unit}; zero is the "
        "revenue before, and the bars sum to the change",
        description=f"{title}. {described}",
        tooltips=[_tooltip(name, row, currency=currency) for name, row in zip(steps.names, rows, strict=True)],
    )


def _tooltip(name: str, row: Mapping[str, Any], *, currency: str) -> str:
    """Return `customers who bought: −€1.2 m; 2,133 → 2,190`."""
    ends = ""
    if row["component"] in UNITS:
        unit = UNITS[row["component"]]
        ends = f"{wording.THIN}→{wording.THIN}".join(
            value_in(row[end], unit, currency=currency) for end in ("from_value", "to_value")
        )
    return wording.listed(name, wording.named_amount("", row["amount"], currency=currency, sign=True), ends)


def by_segment(table: pd.DataFrame, *, company: Company) -> Folds:
    """List what the revenue of each segment changed by, the largest change first, folded away."""
    rows = table[(table["comparison"] == BY_YEAR) & (table["level"] == SEGMENT) & (table["split"] == WHOLE)]
    if rows.empty:
        return Folds([])
    order = rows["amount"].abs().sort_values(ascending=False, kind="stable").index
    formats: dict[str, Format] = dict.fromkeys(
        ("from_value", "to_value", "amount"), wording.in_currency(company.currency)
    )
    view = TableView(rows.loc[order], BY_SEGMENT, columns=SEGMENT_HEADS, formats=formats)
    return Folds([(BY_SEGMENT, view)])
