"""The ladder of forecasts: what each step adds to the one before, its sentences and its picture.

A difference is called one only where its corrected p-value is at most .05; for everything else chance could have made
it, and what could not be tested has too few months to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation import judgement
from forecast.evaluation.questions import of_comparison
from forecast.models.registry import own_among
from forecast.reporting.charts.axes import share_axis
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Format, Statement
from forecast.reporting.charts.style import FALL, INK, LEVEL, RISE, SOFT
from forecast.reporting.pages.track.prepare import LUCK
from forecast.reporting.pages.track.sentences import model_name
from forecast.reporting.pages.words import BEYOND_CHANCE, BEYOND_LUCK, NOT_PROVEN, STEP, STEP_CODES, STEPS, in_months

_ROW, _LINE = 66, 17
"""Pixels of a row, and of one more line of text in it."""

_MOST, _MOST_NARROW = 90, 52
"""Characters of a line that fit the picture, and a narrow one."""

_MARKS = {"better": RISE, "worse": FALL}


def verdict(row: Mapping[Any, Any]) -> str:
    """Return `better`, `worse`, `unclear` (chance could have made the difference) or `untested` (too few months).

    By `judgement`, of what a step takes off the miss; `p_holm` is corrected over all words of the page.
    """
    if not wording.known(row["p_holm"]) or not wording.known(row["added"]):
        return "untested"
    estimate = of_comparison(row)
    finding = judgement.found(estimate, p_page=1.0 if estimate.p_value == 1.0 else row["p_holm"])
    return STEP_CODES.get(finding.verdict, "unclear")


def verdicts(table: pd.DataFrame) -> list[str]:
    """Return the verdict of each row."""
    return [verdict(row) for row in sources.records(table)]


def counted(table: pd.DataFrame, found: Sequence[str], wanted: str) -> int:
    """Return how many rows of a table have a verdict."""
    return sources.count(table[[each == wanted for each in found]])


def is_joint(row: Mapping[str, Any]) -> bool:
    """Return whether a step compares joint with sales' forecasts, which is no measure of planning together."""
    return bool(row["step"] == "submitted-joint" and row["before"] == "submitted-sales")


def joint_rows(table: pd.DataFrame) -> pd.Series:
    """Return which rows are such a step."""
    return (table["step"] == "submitted-joint") & (table["before"] == "submitted-sales")


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Steps of forecasting, each with its miss and the miss of what it is compared with on the same months.

    table : all steps, as `value_added` gives them; drawn : those of them with both misses. pooled : over what months,
    where that has to be said.
    """

    table: pd.DataFrame
    drawn: pd.DataFrame
    pooled: str = ""

    @property
    def rows(self) -> Sequence[Mapping[Any, Any]]:
        """The steps that are drawn, one record each."""
        return sources.records(self.drawn)

    @property
    def largest(self) -> float:
        """The largest miss drawn; 1 where all are nothing, so that an axis has a length."""
        return float(max((max(row["wape"], row["wape_before"]) for row in self.rows), default=0.0)) or 1.0


def prepare_ladder(table: pd.DataFrame, *, pooled: str = "") -> Ladder:
    """Return the steps that can be drawn."""
    return Ladder(table=table, drawn=table[table["wape"].notna() & table["wape_before"].notna()], pooled=pooled)


# -- sentences ----------------------------------------------------------------------------------------

LABELS = {"miss": "its miss", "before": "of what it is compared with, same months"}
"""What is written in the picture."""

MISS = "Miss as a share of what was booked (WAPE)"
LADDER_HEADS = {
    "step": "forecast",
    "before": "compared with",
    "n": "forecasts",
    "months": "months",
    "wape_before": "its miss",
    "wape": "miss",
    "added": "added",
    "p_holm": "could be luck?",
}
"""What stands over the columns of its table."""


def ladder_finding(table: pd.DataFrame) -> str:
    """Return how many steps are closer than what they are compared with and how many further off, beyond chance.

    table : as `value_added` gives it. All its rows are counted, as all are tested and drawn.
    """
    if table.empty:
        return "There are no two forecasts of the same months yet"
    if joint_rows(table).all():
        return "Only joint and sales’ forecasts can be compared: who was closer, not why"
    found = verdicts(table)
    if set(found) == {"untested"}:
        return "Too few months to tell what any step adds"
    counts = [counted(table, found, way) for way in ("better", "worse")]
    sides = [(count, side) for count, side in zip(counts, (STEPS.above, STEPS.below), strict=True) if count]
    if not sides:
        return f"{STEPS.unclear} {BEYOND_CHANCE}"
    (first, side), *others = sides
    verb = "is" if first == 1 else "are"
    parts = [f"{wording.spelt(first)} {verb} {side}", *(f"{wording.spelt(count)} {each}" for count, each in others)]
    rows = sources.count(table)
    of = f"Of {wording.spelt(rows)} comparison{'' if rows == 1 else 's'}"
    return f"{of}, {' and '.join(parts)}, {BEYOND_CHANCE}"


def ladder_sentences(table: pd.DataFrame) -> list[str]:
    """Return a sentence a step, then how the steps were tested and what people's steps do not show."""
    sentences = [step_sentence(row) for row in sources.records(table)]
    if not sentences:
        return ["What a step adds shows once two forecasts of the same months have settled."]
    if len(table) > 1:
        sentences.append(POOLED_CAVEAT)
    tests = sources.count(table[table["p_holm"].notna()])
    if tests > 1:
        sentences.append(
            f"{sources.capitalised(wording.spelt(tests))} comparisons were tested; a difference counts as proven only "
            "where it is too large to be luck, allowing for everything that is tested on this page."
        )
    if (table["lag"] > 0).any():
        sentences.append(LAG_CAVEAT)
    if own := own_among(table["step"]):
        whose = wording.joined([model_name(name) for name in own])
        sentences.append(f"{sources.capitalised(whose)} {'is a model' if len(own) == 1 else 'are models'} of your own.")
    return [*sentences, *filter(None, [joint_caveat(table)])]


def joint_caveat(table: pd.DataFrame) -> str:
    """Return what a step from sales' forecasts to joint ones does not show; empty where there is none."""
    return JOINT_CAVEAT if joint_rows(table).any() else ""


def joint_sentence(table: pd.DataFrame) -> str:
    """Return how far joint forecasts were from sales', and what that does not show; empty where there is no such step.

    Of too few months: that they are.
    """
    rows = table[joint_rows(table)]
    if rows.empty:
        return ""
    row = sources.row(rows)
    found = verdict(row)
    if found == "untested":
        return f"Too few months to tell the joint forecast from sales’ own ({wording.plural(row['months'], 'month')})."
    size = f"{wording.gap(row['added'], short=True)} {_side(row)}"
    doubt = f", which is {NOT_PROVEN}" if found == "unclear" else ""
    return (
        f"The joint forecast missed by {size} than sales’ own in the same months{doubt}; that shows who was closer, "
        "not why."
    )


MONTH_END_BEFORE = "of the month end before"
POOLED_CAVEAT = (
    "Each miss here is of all segments and of all lead times that both forecasts have, together; so a forecast’s miss "
    "differs from comparison to comparison, and from that of one lead time."
)
LAG_CAVEAT = (
    "People are compared with the model’s forecast of the month end before theirs, some days older: they could have "
    "had it."
)
JOINT_CAVEAT = (
    "The difference between joint and sales’ forecasts shows who was closer in the same months, not whether planning "
    "together helped: the page on joint planning looks at that."
)


def step_name(row: Mapping[Any, Any]) -> str:
    """Return the name of a step's forecast, with a capital."""
    name = model_name(str(row["step"]))
    return name[0].upper() + name[1:]


def step_sentence(row: Mapping[Any, Any]) -> str:
    """Return what a step adds to the one before, no louder than its test."""
    before = _before(row)
    miss, miss_before = wording.percent(row["wape"]), wording.percent(row["wape_before"])
    months = wording.plural(row["months"], "month")
    found = verdict(row)
    both = f"{_the(row['step'])} misses by {miss}, {before} by {miss_before}"
    if found == "untested":
        return f"{both}; too few months to tell ({months})."
    return f"{both}: {wording.gap(row['added'])} {_side(row)}, {_how_often(row)}."


def _before(row: Mapping[Any, Any]) -> str:
    """Return what a step is compared with: `the model of the month end before`."""
    return _of(row["before"]) + (f" {MONTH_END_BEFORE}" if row["lag"] else "")


def _how_often(row: Mapping[Any, Any]) -> str:
    """Return in how many months a difference was so, and whether it is proven: `in 20 of 22 months; beyond luck`."""
    return f"{in_months(row['agreeing'], row['months'])}; {NOT_PROVEN if verdict(row) == 'unclear' else BEYOND_LUCK}"


def _side(row: Mapping[Any, Any]) -> str:
    """Return whether a step misses by less or by more than what it is compared with."""
    return STEP.below if row["added"] < 0 else STEP.above


def step_note(row: Mapping[Any, Any]) -> str:
    """Return the label of a step in the chart: `23 points less than stage-weighted, in 21 of 23 months; …`."""
    return " ".join(step_parts(row))


def step_parts(row: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the label of a step in the parts between which a picture too narrow for one line breaks it."""
    before = [_of(row["before"]), *([MONTH_END_BEFORE] if row["lag"] else [])]
    if verdict(row) == "untested":
        return "too few months to tell", f"from {before[0]}", *before[1:]
    why = ": closer, not why" if is_joint(row) else ""
    size, *rest = f"{wording.gap(row['added'], short=True)} {_side(row)}", f"than {before[0]}", *before[1:]
    return size, *rest[:-1], f"{rest[-1]},", f"{_how_often(row)}{why}"


def _broken(parts: Sequence[str], most: int) -> list[str]:
    """Return parts as lines of at most `most` characters; a part alone may be longer."""
    lines: list[str] = []
    for part in parts:
        if lines and len(sources.plain(f"{lines[-1]} {part}")) <= most:
            lines[-1] = f"{lines[-1]} {part}"
        else:
            lines.append(part)
    return lines


def describe_ladder(steps: Ladder) -> Caption:
    """Return the words of the chart of steps."""
    title = ladder_finding(steps.table)
    tips = ((step_name(row), wording.named_share("misses by", row["wape"]), step_note(row)) for row in steps.rows)
    return Caption(
        title=title,
        subtitle=f"{MISS}, all segments and lead times{steps.pooled or ' together'}; lower is better",
        description=f"{title}. " + " ".join(ladder_sentences(steps.table)),
        tooltips=[wording.listed(*parts) for parts in tips],
    )


def luck(p_holm: float) -> str:
    """Return whether luck could have made a difference, `yes` or `no`; `too few months` where it was not tested."""
    return "too few months" if not wording.known(p_holm) else "yes" if p_holm > LUCK else "no"


def more(value: float) -> str:
    """Return a difference of misses in points, with its sign."""
    return wording.points(value, short=True)


def _of(model: str) -> str:
    name = model_name(str(model))
    return f"the {name}" if name == "joint forecast" else name


def _the(model: str) -> str:
    name = _of(model)
    return name[0].upper() + name[1:]


# -- picture ------------------------------------------------------------------------------------------


def ladder(table: pd.DataFrame, *, company: Company, as_of: Any, pooled: str = "") -> Chart | Statement:
    """Draw each step's miss as a bar, the miss of the step before on the same months as a tick, and what it added.

    table : as `value_added` gives it. pooled : see `Ladder`. Blue bars are better than the step before beyond chance,
    red ones worse, grey ones no different beyond chance; the words next to each bar say the same.
    """
    steps = prepare_ladder(table, pooled=pooled)
    caption = describe_ladder(steps)
    if steps.drawn.empty:
        return empty(caption.title, ladder_sentences(table.iloc[:0])[0])
    formats: dict[str, Format] = dict.fromkeys(("step", "before"), model_name)
    formats |= dict.fromkeys(("wape_before", "wape"), wording.whole)
    formats |= {"added": more, "p_holm": luck}
    return chart(
        steps,
        draw_ladder,
        caption,
        table=steps.drawn,
        heads=LADDER_HEADS,
        company=company,
        as_of=as_of,
        formats=formats,
        by="y",
    )


def draw_ladder(canvas: Canvas, steps: Ladder) -> Drawing:
    """Draw a bar and a tick for each step, its name over the bar and between them what it adds."""
    rows = steps.rows
    most = _MOST_NARROW if canvas.narrow else _MOST
    lines = [_broken(step_parts(row), most) for row in rows]
    height = _ROW + _LINE * (max(map(len, lines)) - 1)
    figure, axes = canvas.axes(60 + height * len(rows), left=16, right=12, top=28, bottom=28)
    for place, (row, notes) in enumerate(zip(rows, lines, strict=True)):
        _draw_step(axes, place, row, [sources.shortened(text, most) for text in notes], steps.largest, height)
    axes.set_ylim(len(rows) - 0.78, -0.72)
    axes.set_xlim(0, steps.largest * 1.14)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6)
    axes.text(0, -0.86, f"▬ {LABELS['miss']}   ┃ {LABELS['before']}", va="bottom", color=SOFT)
    misses = [row["wape"] for row in rows]
    return Drawing(figure=figure, marks=places(axes, misses, range(len(misses))))


def _draw_step(
    axes: Axes, place: int, row: Mapping[Any, Any], notes: Sequence[str], largest: float, height: int
) -> None:
    """Draw one step; joint next to sales' forecasts stays grey, whatever its test shows.

    notes : the lines over the bar. height : of a row, in pixels.
    """
    found = "unclear" if is_joint(row) else verdict(row)
    unit = _ROW / height
    axes.barh(place, row["wape"], height=0.24 * unit, **_MARKS.get(found, LEVEL).area, zorder=2)
    axes.vlines(row["wape_before"], place - 0.15 * unit, place + 0.15 * unit, color=INK, linewidth=3, zorder=3)
    end = max(row["wape"], row["wape_before"] if abs(row["added"]) < 0.16 * largest else 0.0)
    axes.text(end + 0.015 * largest, place, wording.percent(row["wape"]), va="center", color=INK)
    name = _MARKS.get(found, LEVEL).name
    above = 0.28 * unit
    for text in reversed(notes):
        axes.text(0, place - above, text, va="center", color=name)
        above += _LINE / height
    top = 0.51 * unit + (len(notes) - 1) * _LINE / height
    axes.text(0, place - top, step_name(row), va="center", color=INK, fontweight="bold")
