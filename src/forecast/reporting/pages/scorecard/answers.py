"""The survey's questions answered for this company: each figure with its interval beside the survey's, then under
every other definition, and what changed since joint planning began.

    five = prepare_five(definitions)          # one row a question
    draw_five(canvas, five)                   # our dot and its interval, the survey's tick
    describe_five(five, title)                # subtitle, description, tooltips
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.planning.verdict import NOT_IDENTIFIED
from forecast.evaluation.scorecard.benchmarks import LABEL, benchmark, beside
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures.accuracy import FIGURE as ACCURACY
from forecast.evaluation.scorecard.figures.existing import YEAR_BEFORE
from forecast.evaluation.scorecard.figures.since_joint import CHANGED
from forecast.evaluation.scorecard.figures.won_in_time import DEFINITION as WON_IN_TIME
from forecast.evaluation.scorecard.figures.won_in_time import WITHIN
from forecast.reporting.charts.axes import row_axis, share_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Folds, Format, Statement, TableView
from forecast.reporting.charts.style import AXIS, OURS, SOFT, THEIRS
from forecast.reporting.pages.scorecard.amounts import called, unit_of, value_in, with_range

# -- sentences --------------------------------------------------------------------------------------------

QUESTIONS: Mapping[str, tuple[str, str]] = {
    "reps at quota": ("over the span", "reps at quota"),
    "formal sales process": ("in order and none skipped", "formal sales process"),
    "existing business": ("", "existing business"),
    "forecast accuracy": ("months within 10 %, official, made before it began", "forecast accuracy"),
    "close rate": ("won/proposals, cohorts, by count", "proposals won"),
}
"""Figure of the survey -> which definition of ours comes nearest to it ("" = the first), and its name on the page."""

RANGES = (
    "Each 95 % range stands by itself. Above or below the survey is said only where it holds with all comparisons "
    "of this page taken together: a range may leave out the survey’s figure and the difference still not be proven."
)

OURS_LABEL, SURVEY_LABEL = "● ours, with its 95 % range", "┃ survey, of the same"
FIVE_HEADS = {"name": "", "value": "ours", "low": "from", "high": "to", "n": "of how many", "tick": "survey"}
NOT_DRAWN = "the survey’s is a share of something else"
NOTHING = "None of the survey’s questions can be answered from these tables."
OF_SIZES = (
    "Forecast accuracy is here whether a forecast was near enough or not. How large the errors are, and whether they "
    "became smaller, is asked on the page about joint planning, which can see more."
)
HITS_ALONE = "by hits, coarser than the size of errors"
"""Said of forecast accuracy where it is not shown to have changed: errors may have become smaller all the same."""

MANY_REASONS = "of {}, {}; the page on the scorecard has the reason of each of the others"
DEALS, WON_WITHIN = "deals", "deals won within {} months of creation"
NO_STARTS = "No segment has begun to plan jointly, as far as the tables tell."

HEADS = {
    "question": "",
    "ours": "ours (95 % range)",
    "n": "of how many, in",
    "survey": f"the survey ({LABEL})",
    "compared": "can they be compared?",
}
DEFINED = {
    "definition": "counted how",
    "ours": "ours (95 % range)",
    "before": "the year before",
    "n": "of how many",
    "means": "what it is",
}
CHANGES = {
    "definition": "figure",
    "before": "before",
    "after": "since it began",
    "change": "change less that of segments that have not begun (95 % range)",
    "verdict": "beyond chance?",
}
COMPARED = {"ranked": "yes", "beside": "not ranked", "apart": "no"}
VERDICTS = {CHANGED: "yes", NOT_IDENTIFIED: "cannot tell"}


# -- one row a question ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Five:
    """One row a question of the survey that has an answer.

    table : name, value, low, high, n, n_of, unit, first, last, survey (its figure), tick (the same where it is a share
    of the same thing as ours, else NaN: only then are the two drawn on one axis), survey_says, standing (`ranked`,
    `beside`, `apart`) and why.
    """

    table: pd.DataFrame

    @property
    def shares(self) -> pd.DataFrame:
        """Those of which ours is a share: what can be drawn on one axis with the survey's."""
        return sources.named(self.table[self.table["unit"] == "share"], "five")


def prepare_five(definitions: pd.DataFrame) -> Five:
    """Return the answer to each of the survey's questions; definitions : as `scorecard_definitions` gives them."""
    chosen = [at for figure in QUESTIONS if (at := _answer(definitions, figure)) is not None]
    rows = definitions.loc[chosen]
    theirs = [benchmark(figure) for figure in rows["figure"]]
    standing = [beside(_definition(row), each) for row, each in zip(rows.to_dict("records"), theirs, strict=True)]
    ranked = [each.standing == "ranked" for each in standing]
    table = rows.assign(
        name=[_name(row) for row in rows.to_dict("records")],
        survey=[each.value for each in theirs],
        tick=[each.value if drawn else float("nan") for each, drawn in zip(theirs, ranked, strict=True)],
        survey_says=[each.says for each in theirs],
        standing=[each.standing for each in standing],
        why=[each.why for each in standing],
    )
    return Five(table=table)


def _name(row: Mapping[Any, Any]) -> str:
    """Return the name of a question on the page; where another definition answers it, only what the figure is."""
    nearest, name = QUESTIONS[row["figure"]]
    return name if nearest in ("", row["definition"]) else str(row["figure"])


def _answer(definitions: pd.DataFrame, figure: str) -> Any:
    """Return the label of the row that answers a question; None where none is known."""
    rows = definitions[(definitions["figure"] == figure) & (definitions["segment"] == TOTAL)]
    rows = rows[(rows["missing"] == "") & rows["value"].notna()]
    nearest = rows[rows["definition"] == QUESTIONS[figure][0]]
    rows = nearest if len(nearest) else rows
    return rows.index[0] if len(rows) else None


def _definition(row: Mapping[Any, Any]) -> Definition:
    return Definition(**{name: row[name] for name in ("figure", "definition", "means", "unit", "of")})


# -- the picture ----------------------------------------------------------------------------------------


def five(definitions: pd.DataFrame, title: str, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw our share and its 95 % interval for each question of the survey, with the survey's figure beside it.

    title : the finding, as tested over all of the page: `card.finding`.
    """
    found = prepare_five(definitions)
    if found.shares.empty:
        return empty(title, NOTHING)
    formats: dict[str, Format] = dict.fromkeys(("value", "low", "high", "tick"), wording.percent)
    return chart(
        found,
        draw_five,
        describe_five(found, title),
        table=found.shares,
        heads=FIVE_HEADS,
        company=company,
        as_of=as_of,
        formats=formats,
        by="y",
    )


def draw_five(canvas: Canvas, five: Five) -> Drawing:
    """Draw a line from 0 to 100 % for each question: our dot, its interval as a bar, and the survey's tick
    where it is a share of the same thing."""
    names = list(map(str, five.shares["name"]))
    top, pitch = (50, 33) if canvas.narrow else (34, 36)
    figure, axes = canvas.axes(36 + top + pitch * len(names), left=width_of(names), right=22, top=top, bottom=24)
    for at, row in enumerate(sources.records(five.shares)):
        _draw_question(axes, at, row)
    row_axis(axes, names)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(len(names) - 0.5, -0.75)
    share_axis(axes, axis="x")
    # On a phone the two lines of the legend stand one above the other.
    places_of = ((0, 22), (0, 5)) if canvas.narrow else ((0, 8), (0.5, 8))
    for (x, lift), text, color in zip(places_of, (OURS_LABEL, SURVEY_LABEL), (OURS.name, SOFT), strict=True):
        axes.annotate(
            text,
            (x, 1),
            xycoords=axes.transAxes,
            xytext=(0, lift),
            textcoords="offset points",
            color=color,
            va="bottom",
        )
    return Drawing(figure=figure, marks=places(axes, five.shares["value"], range(len(names))))


def _draw_question(axes: Axes, at: int, row: Mapping[Any, Any]) -> None:
    axes.hlines(at, 0, 1, color=AXIS, linewidth=0.6, zorder=1)
    axes.scatter([row["tick"]], [at], s=240, **THEIRS.points, linewidth=3, zorder=2)
    axes.hlines(at, row["low"], row["high"], **OURS.bar, linewidth=9, zorder=1.5)
    axes.scatter([row["value"]], [at], s=24, **OURS.points, zorder=3, clip_on=False)
    # A range that the dot hides is told all the same; towards an end of the axis the text stays inside it.
    side = "left" if row["value"] < _NEAR_AN_END else "right" if row["value"] > 1 - _NEAR_AN_END else "center"
    at_x = {"left": row["low"], "right": row["high"], "center": row["value"]}[side]
    axes.text(at_x, at - 0.2, with_range(row, currency=""), ha=side, va="bottom", color=OURS.name)


_NEAR_AN_END = 0.3
"""Within this share of an end of the axis a number and its range do not fit on both sides of the dot on a phone."""


# -- sentences of the picture -----------------------------------------------------------------------------


def describe_five(five: Five, title: str) -> Caption:
    """Return the words of the picture."""
    rows = sources.records(five.shares)
    each = [f"{row['name']}: ours {with_range(row, currency='')}, {_survey(row)}." for row in rows]
    return Caption(
        title=title,
        subtitle=f"Shares, ours with the 95 % range; the survey’s ({LABEL}) where they are shares of the same thing",
        description=f"{title}. {' '.join(each)}",
        tooltips=[
            wording.listed(
                row["name"],
                f"ours {with_range(row, currency='')} of {_count(row)}",
                _survey(row),
            )
            for row in rows
        ],
    )


def _survey(row: Mapping[str, Any]) -> str:
    return wording.named_share("survey", row["tick"]) if wording.known(row["tick"]) else NOT_DRAWN


# -- sentences of the tables ------------------------------------------------------------------------------


def beside_table(definitions: pd.DataFrame, *, currency: str) -> TableView:
    """Show each question of the survey with our answer, its interval, on how much it rests, and whether the two can be
    compared."""
    found = prepare_five(definitions).table
    shown = pd.DataFrame(
        {
            "question": [f"{name}: {sources.quoted(found, at, 'definition')}" for at, name in found["name"].items()],
            "ours": [with_range(row, currency=currency) for row in sources.records(found)],
            "n": [", ".join(filter(None, [_count(row), _months(row)])) for row in sources.records(found)],
            "survey": found["survey_says"],
            "compared": [
                f"{COMPARED[row['standing']]}{': ' if row['why'] else ''}{row['why']}"
                for row in found.to_dict("records")
            ],
        },
        index=found.index,
    )
    return TableView(
        sources.named(shown, "beside_the_survey", texts=["survey", "compared"]),
        "The survey’s questions, and our answers",
        columns=HEADS,
        formats=dict.fromkeys(HEADS, str),
        right=["ours"],
        stacks=True,
    )


def every_definition(definitions: pd.DataFrame, *, currency: str) -> Folds:
    """Show all answers to each question, folded away behind a line with the lowest and the highest of the shares."""
    known = definitions[(definitions["segment"] == TOTAL) & definitions["value"].notna()]
    is_before = known["definition"].str.endswith(YEAR_BEFORE)
    parts = []
    for figure, rows in known[~is_before].groupby("figure", sort=False):
        before = known[is_before & (known["figure"] == figure)]
        shown = pd.DataFrame(
            {
                "definition": sources.texts(rows, "definition"),
                "ours": [with_range(row, currency=currency) for row in sources.records(rows)],
                "before": [_before(before, row, currency=currency) for row in rows.to_dict("records")],
                "n": [_count(row) for row in sources.records(rows)],
                "means": [sources.quoted(rows, at, "means") for at in rows.index],
            },
            index=rows.index,
        )
        ways = f", counted in {wording.plural(sources.count(rows), 'way')}" if len(rows) > 1 else ""
        caption = f"{sources.capitalised(called(str(figure)))}{ways}"
        heads = {name: head for name, head in DEFINED.items() if name != "before" or len(before)}
        parts.append(
            (
                caption,
                TableView(
                    shown,
                    caption,
                    columns=heads,
                    formats=dict.fromkeys(heads, str),
                    right=["ours", "before", "n"],
                    stacks=True,
                ),
            )
        )
    return Folds(parts, "Every figure depends on what is counted:")


def _before(rows: pd.DataFrame, of: Mapping[Any, Any], *, currency: str) -> str:
    """Return the figure of the year before of one definition; a dash where there is none."""
    same = rows[rows["definition"] == f"{of['definition']}{YEAR_BEFORE}"]
    return with_range(sources.row(same), currency=currency) if len(same) else "–"


def _months(row: Mapping[Any, Any]) -> str:
    """Return `Nov 25 to Oct 26`; nothing where it covers none."""
    ends = [wording.short_month(row[end], year=True) for end in ("first", "last")]
    return " to ".join(ends) if all(ends) else ""


def _count(row: Mapping[str, Any]) -> str:
    return wording.plural(row["n"], row["n_of"]) if row["n_of"] else wording.number(row["n"])


# -- sentences on what changed since joint planning began -------------------------------------------------


def asked(definitions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of which it was asked whether they changed since joint planning began."""
    return definitions[(definitions["verdict"] != "") & (definitions["segment"] == TOTAL)]


def changed_sentence(definitions: pd.DataFrame) -> str:
    """Return which figures changed since joint planning began by more than chance, or that none is shown to have."""
    rows = asked(definitions)
    if rows.empty:
        return NO_STARTS
    is_told = rows["verdict"] != NOT_IDENTIFIED
    told, open_ended = rows[is_told], rows[~is_told]
    if told.empty:
        return f"Whether any figure changed since joint planning began cannot be told: {_reason(open_ended)}."
    changed = told[told["verdict"] == CHANGED]
    rest = wording.plural(sources.count(told[told["verdict"] != CHANGED]), "measure")
    unknown = wording.plural(sources.count(open_ended), "measure")
    unknown = f" Of {unknown} it cannot be told: {_reason(open_ended)}." if len(open_ended) else ""
    if changed.empty:
        names = list(dict.fromkeys(map(_asked_of, sources.records(told))))
        many = "one figure" if len(names) == 1 else f"{wording.spelt(len(names))} figures"
        figures = f" of {many}" if len(names) < len(told) else ""
        names = [f"{name} {HITS_ALONE}" if name == ACCURACY else name for name in names]
        return (
            f"Of {rest}{figures} asked about ({wording.joined(names)}) none is shown to have changed since joint "
            f"planning began.{unknown}"
        )
    each = [f"{_figure(row)} ({_moved(row)})" for row in sources.records(changed)]
    others = f" Of {rest} more none is shown to have." if len(changed) < len(told) else ""
    return f"Changed since joint planning began, beyond chance: {wording.joined(each)}.{others}{unknown}"


def _reason(rows: pd.DataFrame) -> str:
    """Return why the changes of figures cannot be told: the one reason, or that of the first figure."""
    first = sources.quoted(rows, rows.index[0], "why")
    return first if _is_one_reason(rows) else MANY_REASONS.format(_figures(rows)[0], first)


def _is_one_reason(rows: pd.DataFrame) -> bool:
    """Return whether all changes that cannot be told have one reason."""
    return rows.loc[rows["why"] != "", "why"].nunique() == 1


def of_sizes(definitions: pd.DataFrame) -> list[str]:
    """Return that errors are asked about elsewhere, where the accuracy of forecasts is among the figures."""
    return [OF_SIZES] if (asked(definitions)["figure"] == ACCURACY).any() else []


def changes(definitions: pd.DataFrame, *, currency: str) -> TableView:
    """Show each figure before and since joint planning began, the change with its interval, and whether chance makes
    such a change; where that cannot be told for several reasons, each has its own."""
    rows = asked(definitions)
    told = sources.records(rows)
    shown = pd.DataFrame(
        {
            "definition": _figures(rows),
            "before": [value_in(row["before"], unit_of(row), currency=currency) for row in told],
            "after": [value_in(row["after"], unit_of(row), currency=currency) for row in told],
            "change": [_change(row, currency=currency) for row in told],
            "verdict": [_verdict(rows, at) for at in rows.index],
        },
        index=rows.index,
    )
    right: Sequence[str] = ["before", "after", "change"]
    caption = "Before and since joint planning began"
    return TableView(shown, caption, columns=CHANGES, formats=dict.fromkeys(CHANGES, str), right=right, stacks=True)


def _verdict(rows: pd.DataFrame, at: Any) -> str:
    """Return whether a change is beyond chance; where that cannot be told, why, unless all have one reason."""
    verdict = VERDICTS.get(rows.at[at, "verdict"], "not shown")
    has_own = rows.at[at, "why"] and not _is_one_reason(rows)
    return f"{verdict}: {sources.quoted(rows, at, 'why')}" if has_own else verdict


def _asked_of(row: Mapping[Any, Any]) -> str:
    """Return what a row is a measure of; of what was won in time that, since it is no share of the won or lost."""
    return WON_WITHIN.format(wording.spelt(WITHIN)) if row["definition"] == WON_IN_TIME else str(row["figure"])


def _figure(row: Mapping[str, Any]) -> str:
    return f"{_named(row)}{row['definition']}"


def _figures(rows: pd.DataFrame) -> list[str]:
    """Return the name of each figure, which carries where it stands."""
    named = zip(rows.index, rows.to_dict("records"), strict=True)
    return [f"{_named(row)}{sources.quoted(rows, at, 'definition')}" for at, row in named]


def _named(row: Mapping[Any, Any]) -> str:
    """Return what stands before a definition: the figure, and before what was won in time that it is of deals."""
    return f"{DEALS} " if row["definition"] == WON_IN_TIME else f"{row['figure']}, "


def _moved(row: Mapping[str, Any]) -> str:
    return wording.points(row["change"]) if row["unit"] == "share" else wording.number(row["change"])


def _change(row: Mapping[str, Any], *, currency: str) -> str:
    if not wording.known(row["change"]):
        return "–"
    ends = (row["change"], row["change_low"], row["change_high"])
    if row["unit"] == "share":
        value, low, high = (wording.points(end, short=True) for end in ends)
    else:
        value, low, high = (value_in(end, unit_of(row), currency=currency) for end in ends)
    return f"{value} ({low} to {high})"
