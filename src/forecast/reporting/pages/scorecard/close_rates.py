"""What share we win: of the deals closed, and of those that set out, side by side.

All is read from the month's table `scorecard_definitions`. Where losses stay open the deals closed flatter; the picture
shows both, and where a rate cannot be told it says so in place of a dot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.scorecard.close_rates import (
    ALL_ENDED,
    COHORT,
    COMMITS,
    DECIDED,
    FIGURE,
    NAIVE,
    PROPOSALS,
    RATES,
    WAYS,
    definition_of,
)
from forecast.reporting.charts.axes import row_axis, share_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, place
from forecast.reporting.charts.figure import Chart, Format, Statement
from forecast.reporting.charts.style import AXIS, BEFORE_START, INK, OURS, SOFT

# -- sentences ------------------------------------------------------------------------------------------

NAMES = {
    DECIDED: "deals won or lost",
    ALL_ENDED: "all deals that ended",
    PROPOSALS: "proposals",
    COMMITS: "commit at month start",
}
"""What each rate is a share of."""

LABELS = {COHORT: "by cohort", NAIVE: "of the deals closed"}
MARKS = {COHORT: OURS, NAIVE: BEFORE_START}
UNKNOWN = "cannot be told"
NO_RATES = "What share of our deals we win cannot be told yet"
OPEN = "Whether deals closed flatter our close rates cannot be told"
ALIKE = "Counted either way, we win much the same share of deals"
APART = "Deals closed say we win {}, cohorts {}, of {}"
FLATTER = "Deals closed say we win {}, but of all that began {}"
HIDDEN = "Deals still open hide what share of deals we win"
HEADS = {"rate": "share of", "way": "followed", "value": "won", "low": "from", "high": "to", "n": "deals"}
WHY = "Not told:"

ALIKE_WITHIN = 0.05
"""How far two rates may lie apart and still be called much the same."""


def title_of(rates: Rates) -> str:
    """Return the finding: where the two differ by more than their ranges, what cannot be told, or that they agree.

    Where so many deals are left open that of those won or lost only the closed ones tell, their rate stands against
    that of all that set out.
    """
    closed, whole = rates.rows.get((DECIDED, NAIVE)), rates.rows.get((ALL_ENDED, COHORT))
    hidden = [rate for rate in rates.names if not wording.known(rates.rows[rate, COHORT]["value"])]
    if DECIDED in hidden and closed and whole and closed["low"] > whole["high"]:
        return FLATTER.format(*(wording.percent(row["value"]) for row in (closed, whole)))
    apart = [rate for rate in rates.names if _are_apart(rates, rate)]
    if apart:
        widest = max(apart, key=lambda rate: _distance(rates, rate))
        naive, cohort = (wording.percent(rates.rows[widest, way]["value"]) for way in (NAIVE, COHORT))
        return APART.format(naive, cohort, NAMES[widest])
    if hidden:
        return HIDDEN
    distances = [_distance(rates, rate) for rate in rates.names if wording.known(rates.rows[rate, NAIVE]["value"])]
    return ALIKE if distances and max(distances) <= ALIKE_WITHIN else OPEN


def _are_apart(rates: Rates, rate: str) -> bool:
    """Return whether the two intervals of a rate do not meet."""
    naive, cohort = rates.rows[rate, NAIVE], rates.rows[rate, COHORT]
    if not (wording.known(naive["value"]) and wording.known(cohort["value"])):
        return False
    return bool(naive["low"] > cohort["high"] or cohort["low"] > naive["high"])


def _distance(rates: Rates, rate: str) -> float:
    return abs(float(sources.bare(rates.rows[rate, NAIVE]["value"])) - sources.bare(rates.rows[rate, COHORT]["value"]))


def reasons(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each close rate of the company that cannot be told, and what would bring it."""
    here = table[(table["figure"] == FIGURE) & (table["segment"] == TOTAL) & (table["missing"] != "")]
    here = here[here["definition"].str.endswith("by count")]
    called = {definition_of(rate, way, "count"): f"{NAMES[rate]}, {LABELS[way]}" for rate in RATES for way in WAYS}
    out = []
    for _, rows in here.groupby("missing", sort=False):
        names = wording.joined(
            called.get(name) or sources.quoted(rows, at, "definition") for at, name in rows["definition"].items()
        )
        out.append(wording.sentence(f"{names}: {sources.quoted(rows, rows.index[0], 'missing')}"))
    return out


def describe_rates(rates: Rates) -> Caption:
    """Return the words of the picture."""
    title = title_of(rates)
    told = [_told(rates, rate, way) for rate in rates.names for way in (COHORT, NAIVE)]
    first = {way: next(rates.rows[rate, way] for rate in rates.names) for way in WAYS}
    when = {way: f"{wording.month(row['first'])} to {wording.month(row['last'])}" for way, row in first.items()}
    return Caption(
        title=title,
        subtitle=(
            f"Share won of …, by number, with 95 % intervals; by cohort: deals that began {when[COHORT]}, each "
            f"followed from its start, those still open as long as they were seen; deals closed {when[NAIVE]}"
        ),
        description=f"{title}. {' '.join(f'{text}.' for text in told)}",
        tooltips=told,
    )


def _told(rates: Rates, rate: str, way: str) -> str:
    row = rates.rows[rate, way]
    if not wording.known(row["value"]):
        return f"{NAMES[rate]}, {LABELS[way]}: {UNKNOWN}"
    interval = wording.percents(row["low"], row["high"])
    deals = wording.plural(row["n"], "deal")
    return f"{NAMES[rate]}, {LABELS[way]}: {wording.percent(row['value'])} ({interval}; {deals})"


# -- the picture ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What is drawn: a row a rate, by cohort and of the deals closed.

    table : rows of the month's table, with rate and way. rows : the same as records, by rate and way; names : the rates
    in order.
    """

    table: pd.DataFrame
    rows: Mapping[tuple[str, str], dict[str, Any]]
    names: Sequence[str]


def prepare_rates(table: pd.DataFrame) -> Rates:
    """Return the company's close rates by count; without those of which neither is known.

    table : the month's table `scorecard_definitions`.
    """
    here = table[(table["figure"] == FIGURE) & (table["segment"] == TOTAL)]
    parts, at = [], {}
    for rate in RATES:
        both = {way: here[here["definition"] == definition_of(rate, way, "count")] for way in WAYS}
        if any(rows["value"].notna().any() for rows in both.values()):
            for way in (COHORT, NAIVE):
                part = both[way].assign(rate=NAMES[rate], way=LABELS[way])
                parts.append(part)
                at[rate, way] = sources.records(part)[0]
    names = [rate for rate in RATES if (rate, COHORT) in at]
    return Rates(table=pd.concat(parts) if parts else here.iloc[:0], rows=at, names=names)


def close_rates(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw the close rate of the company by cohort beside that of the deals closed, under each definition.

    table : the month's table `scorecard_definitions`.
    """
    rates = prepare_rates(table)
    if not rates.names:
        return empty(NO_RATES, " ".join(reasons(table)))
    share: Format = _share
    return chart(
        rates,
        draw_rates,
        describe_rates(rates),
        table=rates.table,
        heads=HEADS,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("value", "low", "high"), share),
        by="y",
    )


def draw_rates(canvas: Canvas, rates: Rates) -> Drawing:
    """Draw a row a rate on an axis from nothing to all: the cohort's dot above that of the deals closed."""
    names = [NAMES[rate] for rate in rates.names]
    figure, axes = canvas.axes(72 + 50 * len(names), left=width_of(names), right=24, top=40, bottom=24)
    row_axis(axes, names)
    axes.set_xlim(-0.01, 1.01)
    share_axis(axes, axis="x")
    marks = []
    for i, rate in enumerate(rates.names):
        for way, y in ((COHORT, i - 0.17), (NAIVE, i + 0.2)):
            _draw_rate(axes, rates.rows[rate, way], y, way)
            marks.append((sources.bare(rates.rows[rate, way]["value"]), y))
    lines = [f"●  {LABELS[COHORT]}", f"◇  {LABELS[NAIVE]}"]
    for k, (text, way) in enumerate(zip(lines, (COHORT, NAIVE), strict=True)):
        lift = 22 - 17 * k if canvas.narrow else 6
        axes.annotate(
            text,
            (0 if canvas.narrow or k == 0 else 0.42, 1),
            xycoords=axes.transAxes,
            xytext=(0, lift),
            textcoords="offset points",
            color=MARKS[way].name,
            va="bottom",
        )
    return Drawing(figure=figure, marks=[place(axes, x, y) for x, y in marks])


def _draw_rate(axes: Axes, row: Mapping[str, Any], y: float, way: str) -> None:
    """Draw a dot on its interval with its number, or the words that it cannot be told."""
    value, low, high = (sources.bare(row[name]) for name in ("value", "low", "high"))
    if not wording.known(value):
        axes.text(0.01, y, UNKNOWN, color=SOFT, va="center")
        return
    mark = MARKS[way]
    axes.hlines(y, 0, 1, color=AXIS, linewidth=0.4, zorder=1)
    axes.hlines(y, low, high, **mark.bar, linewidth=4, zorder=1.5)
    axes.scatter([value], [y], s=52, **mark.points, zorder=3, clip_on=False)
    room = high < 0.86
    axes.annotate(
        wording.percent(row["value"]),
        (high if room else low, y),
        xytext=(9 if room else -9, 0),
        textcoords="offset points",
        ha="left" if room else "right",
        va="center",
        color=INK,
    )


def _share(value: Any) -> str:
    return wording.percent(value) if wording.known(value) else "–"
