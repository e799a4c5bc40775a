"""The scorecard: its sentences, its figures in their units, and the picture of our shares and the survey's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts.axes import row_axis, share_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Format, Statement
from forecast.reporting.charts.style import AXIS, OURS, SOFT, THEIRS
from forecast.reporting.pages.words import SURVEY, TOO_FEW, YEAR, word

# -- sentences ------------------------------------------------------------------------------------------

LABELS = {"ours": "ours", "survey": "the survey's companies", "unknown": "ours unknown"}
"""What is written in the picture."""

SURVEY_HEADS = {
    "measure": "measure",
    "ours": "ours",
    "survey": "survey",
    "survey_text": "the survey says",
    "previous": "12 months before",
}
"""What stands over the columns of its table."""

NO_FIGURES = "None of the survey's figures is here."


def finding(table: pd.DataFrame) -> str:
    """Return how many of the survey's figures we are above and below by more than chance; table as `scorecard`."""
    known = table[table["survey"].notna() & table["ours"].notna()] if len(table) else table
    if known.empty:
        return "Nothing can be compared with the survey yet"
    if len(known) == 1:
        row = known.iloc[0]
        return f"Compared with the survey on {row['measure']}: {word(row['against_survey'], SURVEY)}"
    counts = known["against_survey"].map(lambda verdict: word(verdict, SURVEY)).value_counts()
    order = [SURVEY.above, SURVEY.below, SURVEY.unclear, TOO_FEW]
    counted = wording.joined(f"{wording.spelt(int(counts[name]))} {name}" for name in order if name in counts)
    return f"Compared with the survey, {counted}"


def value_in(value: float | None, unit: str, *, currency: str) -> str:
    """Return a figure of the scorecard in its unit."""
    if not wording.known(value):
        return wording.UNKNOWN
    if unit == "share":
        return wording.percent(value)
    return wording.money(value, currency=currency) if unit == "money" else wording.number(value)


def missing(table: pd.DataFrame) -> str:
    """Return which figures are not known, and where it stands what they need."""
    unknown = table[table["ours"].isna()]
    if unknown.empty:
        return ""
    return f"Unknown: {wording.joined(unknown['measure'].map(plain_name))}. The table below shows what they need."


def shown(table: pd.DataFrame, *, currency: str) -> pd.DataFrame:
    """Return the scorecard for reading: every figure in its unit, as text."""
    figures = {
        name: [value_in(value, unit, currency=currency) for value, unit in zip(table[name], table["unit"], strict=True)]
        for name in ("ours", "previous")
    }
    out = table[["measure", "note"]].assign(**figures)
    out["note"] = out["note"].str.replace("`", "")
    out["measure"] = out["measure"].map(plain_name)
    out["change"] = [_change(row) for _, row in table.iterrows()]
    return out


def year_sentences(table: pd.DataFrame) -> list[str]:
    """Return which figures rose and which fell against the 12 months before by more than chance, and what is open."""
    known = table[table["against_year"] != ""]
    if known.empty:
        return ["There is no year before to compare with."]
    known = known.assign(name=known["measure"].map(plain_name))
    sentences = []
    for verdict in ("above", "below", "unclear", "too few"):
        rows = known[known["against_year"] == verdict]
        if len(rows):
            heading = wording.sentence(word(verdict, YEAR)).rstrip(".")
            sentences.append(f"{heading}: {wording.joined(rows['name'])}.")
    return [*sentences, YEAR_EXPLAINED]


YEAR_EXPLAINED = (
    "Each month is compared with the same month a year before (reps with a quota: rep by rep), and all figures of this "
    "page are allowed one chance finding in 20 together."
)


def plain_name(measure: str) -> str:
    """Return the name of a measure without what one hopes for: `more people: `, `lower cost: `."""
    return re.sub(r"^(more [a-z]+|lower cost): ", "", measure)


def _change(row: pd.Series) -> str:
    now, then = row["ours"], row["previous"]
    if not (wording.known(now) and wording.known(then)):
        return "–"
    if row["unit"] == "share":
        # Of the figures as they are shown, so that the row adds up.
        return wording.points(round(now, 2) - round(then, 2), short=True)
    return wording.percent(now / then - 1, sign=True) if then else "–"


def describe_survey(survey: Survey) -> Caption:
    """Return the words of our shares and the survey's."""
    title = finding(survey.table)
    shares = [(row, wording.percent(row["ours"]), wording.percent(row["survey"])) for row in survey.rows]
    described = " ".join(f"{row['measure']}: ours {ours}, survey {theirs}." for row, ours, theirs in shares)
    return Caption(
        title=title,
        subtitle="Shares of the last 12 months compared with the survey’s",
        description=f"{title}. {described}",
        tooltips=[
            wording.listed(
                row["measure"],
                wording.named_share("ours", row["ours"]),
                wording.named_share("survey", row["survey"]),
                wording.named_share("ours 12 months before", row["previous"]),
            )
            for row in survey.rows
        ],
    )


# -- our shares and the survey's ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Our shares and the survey's.

    table : the whole scorecard. rows : its measures for which the survey has a figure.
    """

    table: pd.DataFrame
    rows: Sequence[Mapping[Any, Any]]

    @property
    def names(self) -> list[str]:
        """The measures."""
        return [str(row["measure"]) for row in self.rows]


def prepare_survey(table: pd.DataFrame) -> Survey:
    """Return the measures that can be compared; table : measure, ours, unit, survey, survey_text, previous."""
    rows = table[table["survey"].notna()] if len(table) else table
    return Survey(table=table, rows=rows.to_dict("records"))


def scorecard(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw our shares and the survey's, on one axis from nothing to all.

    table : measure, ours, unit, survey, survey_text, previous.
    """
    survey = prepare_survey(table)
    caption = describe_survey(survey)
    if not survey.rows:
        return empty(caption.title, NO_FIGURES)
    formats: dict[str, Format] = dict.fromkeys(("ours", "survey", "previous"), _share_or_dash)
    return chart(
        survey,
        draw_survey,
        caption,
        table=pd.DataFrame(survey.rows),
        heads=SURVEY_HEADS,
        company=company,
        as_of=as_of,
        formats=formats,
        by="y",
    )


def draw_survey(canvas: Canvas, survey: Survey) -> Drawing:
    """Draw a line from 0 to 100 % for each measure, with our dot and the survey's tick on it."""
    names = survey.names
    figure, axes = canvas.axes(70 + 34 * len(names), left=width_of(names), right=22, top=34, bottom=24)
    for place, row in enumerate(survey.rows):
        _draw_measure(axes, place, row)
    row_axis(axes, names)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(len(names) - 0.5, -0.75)
    share_axis(axes, axis="x")
    axes.text(0, -0.95, f"●  {LABELS['ours']}", color=OURS.name, va="bottom")
    axes.text(0.16 if not canvas.narrow else 0.3, -0.95, f"┃ {LABELS['survey']}", color=SOFT, va="bottom")
    at = [row["ours"] if wording.known(row["ours"]) else row["survey"] for row in survey.rows]
    return Drawing(figure=figure, marks=places(axes, at, range(len(at))))


def _draw_measure(axes: Axes, place: int, row: Mapping[Any, Any]) -> None:
    """Draw one measure; where ours is unknown, the words say so."""
    ours, theirs = row["ours"], row["survey"]
    axes.hlines(place, 0, 1, color=AXIS, linewidth=0.6, zorder=1)
    axes.scatter([theirs], [place], s=240, **THEIRS.points, linewidth=3, zorder=2)
    if not wording.known(ours):
        axes.text(1.0, place - 0.1, LABELS["unknown"], ha="right", va="bottom", color=SOFT)
        return
    axes.hlines(place, min(ours, theirs), max(ours, theirs), **OURS.bar, linewidth=5, zorder=1.5)
    axes.scatter([ours], [place], s=80, **OURS.points, zorder=3, clip_on=False)
    axes.text(ours, place - 0.27, wording.percent(ours), ha="center", va="bottom", color=OURS.name)


def _share_or_dash(value: float) -> str:
    return wording.percent(value) if wording.known(value) else "–"
