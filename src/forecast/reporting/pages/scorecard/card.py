"""The scorecard: its sentences, and its figures in their units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.evaluation.judgement import Verdict
from forecast.evaluation.scorecard.benchmarks import LABEL
from forecast.evaluation.scorecard.measures import BOOKINGS, COST_OF_SALES
from forecast.evaluation.scores.comparison import FEWEST
from forecast.reporting.charts.figure import Statement, TableView
from forecast.reporting.pages import differences
from forecast.reporting.pages.scorecard.amounts import PERCENTAGE, called, unit_of, value_in
from forecast.reporting.pages.words import (
    COULD_BE_LUCK,
    LATE,
    NO_CHANGE,
    NO_FIGURE,
    NONE_CHANGED,
    OF_LATE_NOT,
    PROVEN,
    SURVEY,
    SURVEY_SIDES,
    SURVEY_UNPROVEN,
    TOO_FEW,
    UNITS,
    YEAR,
    word,
)

# -- sentences ------------------------------------------------------------------------------------------

HEADS = {
    "measure": "",
    "ours": "last twelve months",
    "previous": "a year before",
    "change": "change",
    "luck": "could be luck?",
    "note": "what it is",
}
"""What stands over the columns of each table."""

CAPTION, CAPTION_NOW = "Our figures, now and a year ago", "Our figures"
FIGURES = ("ours", "previous", "change", "luck")
"""The columns of figures, to be set right."""

YEAR_MONTHS = 12
UNKNOWN = "Not known:"


def lead(table: pd.DataFrame, *, currency: str) -> Statement:
    """Return the answer of the page: what was booked against the year before and what selling cost, then the survey.

    table : as `scorecard`.
    """
    booked, cost = (_known_row(table, measure) for measure in (BOOKINGS, COST_OF_SALES))
    told = []
    if booked is not None and wording.known(booked["change"]) and booked["against_year"]:
        moved = f"bookings {wording.change(booked['change'])} on the year before"
        told.append(f"{moved}, {word(booked['against_year'], PROVEN)}")
    elif booked is not None:
        told.append(f"{value_in(booked['ours'], booked['unit'], currency=currency)} were booked in {covered(booked)}")
    if cost is not None:
        told.append(f"selling cost {value_in(cost['ours'], unit_of(cost), currency=currency)} of what was booked")
    compared = f"{finding(table)}."
    rest = " ".join(filter(None, [covered_sentence(table), *changed_sentences(table, currency=currency)]))
    if not told:
        return Statement(compared, rest)
    return Statement(wording.sentence("; ".join(told)), f"{compared} {rest}".strip())


def covered(row: Mapping[str, Any]) -> str:
    """Return `the last twelve months`, or how many are recorded."""
    months = row["months"]
    return "the last twelve months" if months >= YEAR_MONTHS else wording.plural(months, "month")


def _known_row(table: pd.DataFrame, measure: str) -> dict[str, Any] | None:
    rows = table[(table["measure"] == measure) & table["ours"].notna()] if len(table) else table
    return sources.row(rows) if len(rows) else None


def finding(table: pd.DataFrame) -> str:
    """Return which of our figures are above and below the survey's, and which are not proven; table as `scorecard`."""
    known = table[table["survey"].notna() & table["ours"].notna()] if len(table) else table
    known = known[known["against_survey"] != ""] if len(known) else known
    if known.empty:
        return "Nothing can be compared with the survey yet"
    groups = _beside_the_survey(known)
    named = [(head, wording.joined(rows["measure"].map(plain_name))) for head, rows in groups if len(rows)]
    sides = "; ".join(f"{head}{',' if ',' in head else ''} in {names}" for head, names in named if head != TOO_FEW)
    few = "; ".join(f"{head}: {names}" for head, names in named if head == TOO_FEW)
    return f"Compared with the survey, {'; '.join(filter(None, (f'we are {sides}' if sides else '', few)))}"


def _beside_the_survey(known: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the figures above the survey's, those below, those of each side that are not proven, and too few."""
    found, side = known["against_survey"], _sides(known)
    proven = [(word(verdict, SURVEY), known[found == verdict]) for verdict in _SIDES]
    unproven = [
        (name if code == "same" else f"{name}, {SURVEY.unclear}", known[(found == "unclear") & (side == code)])
        for code, name in SURVEY_SIDES.items()
    ]
    return [*proven, *unproven, (TOO_FEW, known[found == "too few"])]


def _sides(table: pd.DataFrame) -> pd.Series:
    """Return on which side of the survey's each figure lies as shown: a key of SURVEY_SIDES."""
    apart = [int(np.sign(round(100 * row.ours) - round(100 * row.survey))) for row in table.itertuples()]
    return pd.Series([("same", "above", "below")[at] for at in apart], index=table.index, dtype=object)


def survey_sentences(table: pd.DataFrame) -> list[str]:
    """Return which figures are above and below the survey's, each with both numbers, on which side those lie that are
    not proven, and why; which are not comparable, since ours can only be more or the survey's is a share of something
    else; and what the survey's figures are."""
    known = table[table["survey"].notna() & table["ours"].notna()]
    found, side = known["against_survey"], _sides(known)
    sentences = []
    for verdict in _SIDES:
        sentences += _listed(f"{word(verdict, SURVEY)} the survey", known[found == verdict])
    for at in known.index[found == "unclear"]:
        sentences.append(_unproven(sources.row(known.loc[[at]]), side[at]))
    sentences += _listed(TOO_FEW, known[found == "too few"])
    sentences += _listed(NOT_COMPARED, known[found == ""])
    return [*sentences, LABELLED] if sentences else []


def _listed(heading: str, rows: pd.DataFrame) -> list[str]:
    """Return `Above the survey: reps at quota (82 %, the survey 60 %).`; nothing of no rows."""
    if rows.empty:
        return []
    return [f"{sources.capitalised(heading)}: {wording.joined(map(_both, sources.records(rows)))}."]


def _unproven(row: Mapping[str, Any], side: str) -> str:
    """Return on which side of the survey's a figure lies, and that it rests on too few units."""
    if side == "same":
        return f"{sources.capitalised(SURVEY_SIDES[side])} as the survey: {_both(row)}."
    units = wording.plural(row["survey_n"], UNITS[row["n_of"]])
    return f"{sources.capitalised(SURVEY_UNPROVEN.format(SURVEY_SIDES[side], units))}: {_both(row)}."


_SIDES: tuple[Verdict, ...] = ("above", "below")
NOT_COMPARED = "Not comparable"
LABELLED = f"The survey’s figures are {LABEL}."


def _both(row: Mapping[str, Any]) -> str:
    """Return `reps at quota (82 %, the survey 60 %)`, with what each is a share of where that differs."""
    ours, theirs = (wording.percent(row[whose]) for whose in ("ours", "survey"))
    ours, theirs = (f"{share} {of}".rstrip() for share, of in ((ours, row["of"]), (theirs, row["survey_of"])))
    return f"{plain_name(row['measure'])} ({_bound(row)}{ours}, the survey {theirs})"


def _ours(row: Mapping[str, Any], *, currency: str) -> str:
    """Return our figure in its unit, with `at least` where it can only be more, and on what it rests where that is
    little, or not all the months that the column's head names.

    A share of fewer than eight months or people is none that could be told from another.
    """
    value = value_in(row["ours"], unit_of(row), currency=currency)
    if row["bound"]:
        value = f"{row['bound']} {value}"
    if row["ours_n"] >= FEWEST:
        return f"{value}{_of_how_many(row, 'ours_n')}"
    count = wording.plural(row["ours_n"], UNITS[row["n_of"]])
    return f"{TOO_FEW} ({count})" if row["unit"] == "share" else f"{value} ({count})"


def _previous(row: Mapping[str, Any], *, currency: str) -> str:
    """Return the figure of the year before in its unit, with how many people or months it is of, as ours."""
    value = value_in(row["previous"], unit_of(row), currency=currency)
    return f"{value}{_of_how_many(row, 'previous_n')}" if wording.known(row["previous"]) else value


def _of_how_many(row: Mapping[str, Any], number: str) -> str:
    """Return ` (75 reps)`; of a share of months ` (11 months)` where they are not all that the column names."""
    all_months = row["n_of"] == "month" and (row["unit"] != "share" or row[number] >= row["months"])
    return "" if all_months else f" ({wording.plural(row[number], UNITS[row['n_of']])})"


def covered_sentence(table: pd.DataFrame) -> str:
    """Return that the last twelve months are not all recorded; empty where they are. table : as `scorecard`."""
    if table.empty or int(table["months"].iloc[0]) >= YEAR_MONTHS:
        return ""
    row = sources.row(table)
    return (
        f"Bookings are recorded from {wording.month(row['first'])} on: the figures of the last twelve months are of "
        f"{wording.plural(row['months'], 'month')}."
    )


def missing(table: pd.DataFrame) -> list[str]:
    """Return a line for each reason why figures are not known: which, and the table that would bring them."""
    unknown = table[table["ours"].isna()]
    lines = []
    for why, rows in unknown.groupby("missing", sort=False):
        reason = sources.quoted(rows, rows.index[0], "missing") if why else "the tables do not hold it"
        lines.append(wording.sentence(f"{wording.joined(rows['measure'].map(plain_name))}: {reason}"))
    return lines


def shown(table: pd.DataFrame, *, currency: str) -> pd.DataFrame:
    """Return what is known of the scorecard for reading: every figure in its unit, as text."""
    rows = [
        {
            "measure": plain_name(row["measure"]),
            "ours": _ours(row, currency=currency),
            "previous": _previous(row, currency=currency),
            "change": _change(row),
            "luck": _luck(row, currency=currency),
            "note": sources.quoted(table, at, "note"),
        }
        for at, row in zip(table.index, sources.records(table), strict=True)
        if wording.known(row["ours"])
    ]
    return pd.DataFrame(rows, columns=list(HEADS))


def year_sentences(table: pd.DataFrame, *, currency: str) -> list[str]:
    """Return which figures rose and which fell by more than chance, over the year or of late, and what is open.

    A figure that is what it was a year before has no change that could be open.
    """
    known = table[table["against_year"] != ""]
    if known.empty:
        return [NO_YEAR_BEFORE]
    sentences = changed_sentences(table, currency=currency)
    found = known["against_year"].isin(_SIDES) | known["against_late"].isin(_SIDES)
    few = ~found & (known["against_year"] == "too few")
    is_open = ~found & ~few
    rest = sources.count(known[is_open & (known["ours"] != known["previous"])])
    if rest:
        of_others = f"Of the other {wording.plural(rest, 'figure')} {NONE_CHANGED}"
        sentences.append(f"{NO_FIGURE if is_open.all() else of_others}.")
    if few.any():
        names = wording.joined(known.loc[few, "measure"].map(plain_name))
        sentences.append(f"{sources.capitalised(TOO_FEW)}: {names}.")
    return [*sentences, year_explained(table)]


def year_answer(table: pd.DataFrame, *, currency: str) -> Statement:
    """Return which figures rose and which fell by more than chance, as the answer over their table."""
    first, *rest = year_sentences(table, currency=currency)
    return Statement(first, " ".join(rest[:-1]))


def changed_sentences(table: pd.DataFrame, *, currency: str) -> list[str]:
    """Return the figures that rose or fell by more than chance, each with both numbers: over the year, then of late.

    What changed over the year is not told again of its last months.
    """
    sentences = []
    for kind, words in (("year", YEAR), ("late", LATE)):
        for verdict in _SIDES:
            is_new = table["against_year"] != verdict if kind == "late" else True
            rows = table[(table[f"against_{kind}"] == verdict) & is_new]
            if rows.empty:
                continue
            each = [_moved(row, kind, currency=currency) for row in sources.records(rows)]
            when = f"{_months_of_late(rows)} " if kind == "late" else ""
            sentences.append(f"{when}{word(verdict, words)}: {wording.joined(each)}.")
    return sentences


def _months_of_late(table: pd.DataFrame) -> str:
    row = sources.row(table)
    return f"In {wording.month(row['late_first'])} to {wording.month(row['last'])}"


def _moved(row: Mapping[str, Any], kind: str, *, currency: str) -> str:
    """Return `proposals won (52 → 22 %)`: the figure a year before, and now."""
    return f"{plain_name(row['measure'])} ({_ends(row, kind, currency=currency)})"


def _ends(row: Mapping[str, Any], kind: str, *, currency: str) -> str:
    """Return `52 → 22 %`: a figure a year before and now, or in the last months of both years."""
    before, now = ("late_previous", "late") if kind == "late" else ("previous", "ours")
    if row["unit"] == "share":
        return wording.moved(row[before], row[now])
    ends = (value_in(row[end], unit_of(row), currency=currency) for end in (before, now))
    return f"{wording.THIN}→{wording.THIN}".join(ends)


def _luck(row: Mapping[str, Any], *, currency: str) -> str:
    """Return whether luck could have made the change on the year before; where the last months alone tell, `of late
    no` with the figure in them and a year before."""
    if not row["against_year"] or row["ours"] == row["previous"]:
        return "–"
    of_late = row["against_late"] in _SIDES and row["against_year"] not in _SIDES
    if not of_late:
        return word(row["against_year"], COULD_BE_LUCK)
    return f"{OF_LATE_NOT} ({_ends(row, 'late', currency=currency)})"


def _all_could_be_luck(known: pd.DataFrame) -> bool:
    """Return whether luck could have made each change that was tested, of the year and of its last months."""
    year, late = known["against_year"], known["against_late"]
    return bool((year == "unclear").any() and year.isin(["unclear", ""]).all() and not late.isin(_SIDES).any())


NO_YEAR_BEFORE = "There is no year before to compare with."
YEAR_EXPLAINED = (
    "Each month is compared with the same month a year before (reps at quota: the two years’ shares), over {} and over "
    "the last six alone; all comparisons of this page are allowed one chance finding in twenty together."
)


def year_explained(table: pd.DataFrame) -> str:
    """Return how the years are compared, and of which measures fewer months are. table : as `scorecard`.

    `over twelve months (forecast accuracy: 11)`: a month that has not settled yet has no accuracy.
    """
    rows = table[(table["against_year"] != "") & (table["n_of"] == "month")]
    fewer = rows[rows["year_n"] < rows["months"]]
    groups = [
        f"{wording.joined(same['measure'].map(plain_name))}: {wording.in_full(sources.row(same)['year_n'])}"
        for _, same in fewer.groupby("year_n", sort=False)
    ]
    months = wording.plural(sources.row(rows)["months"], "month") if len(rows) else "the months"
    few = f" ({'; '.join(groups)})" if groups else ""
    return YEAR_EXPLAINED.format(f"{months}{few}")


def plain_name(measure: str) -> str:
    """Return the name of a measure on a page, without what one hopes for: `more people: `, `lower cost: `."""
    return re.sub(r"^(more [a-z]+|lower cost): ", "", called(measure))


def _change(row: Mapping[str, Any]) -> str:
    """Return the change on the year before: of per cent in points of the figures as shown, so that the row adds up."""
    if row["unit"] == "share":
        return differences.points_between(row["previous"], row["ours"])
    if unit_of(row) == PERCENTAGE:
        return differences.points_between(row["previous"], row["ours"], places=1)
    known = wording.known(row["ours"]) and wording.known(row["previous"]) and row["previous"]
    return wording.percent(row["change"], sign=True) if known else "–"


def _bound(row: Mapping[str, Any]) -> str:
    return f"{row['bound']} " if row["bound"] else ""


def sold(table: pd.DataFrame) -> str:
    """Return what stands over our figures on the leader's page: what those that are known tell."""
    cost = table.loc[table["ours"].notna(), "measure"].str.contains("cost").any()
    return f"What we sell, to how many, how often, for how much{', at what cost' if cost else ''}"


_OF_FORECASTS = "forecast"
"""What the names of the measures begin with that tell of forecasts."""


def of_sales(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without a survey's figure that tell what is sold, to how many, how often, at what price and cost,
    and of deliveries; without the bookings themselves, of which a sentence tells."""
    others = table["measure"].str.startswith(_OF_FORECASTS) | (table["measure"] == BOOKINGS)
    return table[table["survey"].isna() & ~others]


def figures(table: pd.DataFrame, *, currency: str, caption: str = CAPTION, brief: bool = False) -> TableView:
    """Show our figures, now and a year ago, as far as they are known; brief : without what each of them is.

    Without a year before only what is known now is shown. Where luck could have made every change, the caption of a
    brief table says so once.
    """
    heads = {name: head for name, head in HEADS.items() if not brief or name != "note"}
    if (table["against_year"] == "").all():
        heads = {name: head for name, head in heads.items() if name not in ("change", "luck", "previous")}
        caption = CAPTION_NOW if caption == CAPTION else caption
    if covered_sentence(table):
        row = sources.row(table)
        covered = f"{wording.month(row['first'])} to {wording.month(row['last'])}"
        heads, caption = heads | {"ours": "the months recorded"}, f"{caption} ({covered})"
    worded = shown(table, currency=currency)
    if brief and "luck" in heads and _all_could_be_luck(table[table["ours"].notna()]):
        del heads["luck"]
        caption = f"{caption}: {NO_CHANGE}"
    formats = dict.fromkeys(heads, str)
    return TableView(worded, caption, columns=heads, formats=formats, right=FIGURES, stacks="note" in heads)
