"""The audit of the data: its sentences, and the picture of which dates each table covers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.dates import DateFormatter, YearLocator, date2num

from forecast import sources, wording
from forecast.data.audit.audit import NO_TABLE, TOO_THIN
from forecast.data.audit.dates import ENDS_EARLY
from forecast.data.audit.pipeline import FEWER_OF_LATE, column_words
from forecast.data.checks.validation import LEFT_OUT_OPEN
from forecast.data.schema import Company
from forecast.errors import RANKS
from forecast.reporting.charts.axes import row_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty
from forecast.reporting.charts.figure import Chart, Statement, TableView, Together
from forecast.reporting.charts.flags import flags_of_days
from forecast.reporting.charts.style import INK, OPEN_PIPELINE, SOFT
from forecast.reporting.pages.bookings.sentences import NO_TABLE_NOTE

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot


# -- sentences ------------------------------------------------------------------------------------------

LABELS = {"as_of": "as of", "rows": "rows"}
"""What is written in the picture."""

COVERAGE_HEADS = {"table": "table", "first": "first", "last": "last", "rows": "rows"}
FINDING_HEADS = {
    "finding": "what",
    "rank": "rank",
    "where": "where",
    "count": "rows",
    "evidence": "evidence",
    "mend": "what to do",
}
ABSENT_HEADS = {"table": "table", "evidence": "without it", "mend": "what to do"}
"""What stands over the columns of each table."""

_SPEAKS_FOR_ITSELF = re.compile(
    rf"{FEWER_OF_LATE}|{TOO_THIN}|{ENDS_EARLY}|(?:all |open |many |one )?(?:deals?|amounts)\b|(?:[\d,]+ )?opportunit"
    r"|amounts\b|segments\b|months in\b|closures\b|forecasts of\b"
)
"""Findings that name what they are about; others are led by the name of their column."""

ABSENT = "Tables that are absent"
UNKNOWN = "What else is not known of the day"
UNKNOWN_HEADS = {"note": "what the data do not say"}
AS_IT_WAS = "Past days are read as they then were"
EVERY_TABLE = "Every table is there"
DEALS_COVER, TABLES_COVER = "The deals cover", "The tables cover"
"""What is said of tables that are not there, and where none is missing."""

NO_DATES = ("No table has dates", "Nothing can be placed in time.")


def finding(table: pd.DataFrame) -> str:
    """Return whether the data can carry a forecast, by the forecast's own rule."""
    if reasons := [evidence for what, evidence in _quoted(table) if what == TOO_THIN]:
        return f"The data cannot carry a forecast yet: {reasons[0]}"
    fatal, changing = (sources.count(table[table["rank"] == RANKS[severity]]) for severity in ("fatal", "warning"))
    if fatal:
        return f"The data cannot carry a forecast: {wording.plural(fatal, 'fatal problem')}"
    if changing:
        return f"The data can carry a forecast, with {_that_change(changing)}"
    return "The data can carry a forecast"


def looked_at(snap: Snapshot) -> pd.DataFrame:
    """Return what the audit looked at, as a table of one row: opportunities, open_deals."""
    still_open = int((snap.opportunities["outcome"] == "open").sum())
    return pd.DataFrame({"opportunities": [len(snap.opportunities)], "open_deals": [still_open]})


def counts(table: pd.DataFrame, seen: pd.DataFrame) -> str:
    """Return what was looked at (as `looked_at` gives it), and how many findings there are."""
    known = sources.row(seen)
    counted = f"{wording.plural(known['opportunities'], 'opportunity')}, "
    counted += wording.plural(known["open_deals"], "open deal")
    told = table[~_only_absent(table)]
    found = {severity: sources.count(told[told["rank"] == rank]) for severity, rank in RANKS.items()}
    words = [wording.plural(found["fatal"], "fatal problem")] if found["fatal"] else []
    words += [_that_change(found["warning"])] if found["warning"] else []
    words += [f"{wording.number(found['info'])} {RANKS['info']}"] if found["info"] else []
    return f"Looked at: {counted}. Findings: {wording.joined(words)}." + absent_sentence(table)


def _that_change(count: int) -> str:
    return f"{wording.plural(count, 'finding')} that {'changes' if count == 1 else 'change'} the answer"


def _only_absent(table: pd.DataFrame) -> pd.Series:
    """Return which findings say no more than that a table is not there, where that does not change the answer."""
    return (table["finding"] == NO_TABLE) & (table["rank"] == RANKS["absent"])


def _grave(table: pd.DataFrame) -> pd.DataFrame:
    """Return the findings with which the forecast is another, or none."""
    return table[table["rank"].isin([RANKS["fatal"], RANKS["warning"]])]


def revised(table: pd.DataFrame) -> str:
    """Return what is revised after the fact, by name: the table of findings has the numbers.

    That every past day is read as it was then is said where there is a history to read it from.

    table : findings about the history.
    """
    if (table["finding"] == NO_TABLE).any():
        return "There is no history of changes, so what is revised after the fact cannot be seen."
    if table.empty:
        return f"The history of changes shows no revisions. {AS_IT_WAS}."
    named = "; ".join(what for what, _ in _quoted(table))
    told = wording.sentence(f"the history of changes shows, with numbers among the findings: {named}")
    return f"{told} {AS_IT_WAS}; the numbers say how much would be lost otherwise."


def _quoted(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return what was found and its evidence, as the audit's table has them."""
    return [(str(table.at[row, "finding"]), sources.quoted(table, row, "evidence")) for row in table.index]


def conclusion(table: pd.DataFrame) -> str:
    """Return the finding of the audit with the first thing to mend, or what a forecast needs."""
    sentence = f"{finding(table)}."
    grave = _grave(table)
    if len(grave):
        first, thin = grave.index[0], bool((grave["finding"] == TOO_THIN).any())
        sentence += " " + (
            wording.sentence(str(grave.at[first, "mend"])) if thin else f"Mend first: {said(grave, first)}."
        )
    return sentence + absent_sentence(table)


def absent_sentence(table: pd.DataFrame) -> str:
    """Return how many tables are absent, to follow another sentence; empty where none is.

    One that is among the findings has been counted there.
    """
    absent = sources.count(table[_only_absent(table)])
    kind = "more table" if (table["finding"] == NO_TABLE).sum() > absent else "table"
    return f" {sources.capitalised(wording.plural(absent, kind))} {_are(absent)} absent." if absent else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the findings for reading: table and column in one; without tables that are absent, see `not_shown`."""
    table = table[~_only_absent(table)]
    where = [": ".join(part for part in pair if part) for pair in zip(table["table"], table["column"], strict=True)]
    return table.assign(where=pd.Series(where, index=table.index, dtype="str"))


def not_shown(table: pd.DataFrame, coverage: pd.DataFrame, notes: Sequence[str]) -> Together:
    """Return the tables that are absent, with what each would bring, and what else the snapshot cannot say.

    table, coverage : as `audit` and `coverage` give them. notes : the snapshot's.
    """
    absent = table[table["finding"] == NO_TABLE]
    others = pd.DataFrame({"note": [note for note in notes if not note.startswith(NO_TABLE_NOTE)]}, dtype="str")
    named = sources.named(others, "notes", texts=["note"])
    more = [] if others.empty else [TableView(named, UNKNOWN, columns=UNKNOWN_HEADS)]
    if absent.empty:
        return Together(Statement(every_table(coverage), kind="note"), *more)
    return Together(TableView(absent, ABSENT, columns=ABSENT_HEADS), *more)


def every_table(coverage: pd.DataFrame) -> str:
    """Return that no table is missing; those that are not there and that no page needs are named."""
    unused = list(coverage.loc[coverage["rows"] == 0, "table"])
    if not unused:
        return f"{EVERY_TABLE}."
    are, them = ("is", "it") if len(unused) == 1 else ("are", "them")
    return f"{EVERY_TABLE} that a page rests on; {wording.joined(unused)} {are} not, and no page needs {them}."


def caveats(table: pd.DataFrame) -> list[str]:
    """Return what bears on the headline number itself: deals missing from the data make it too low."""
    left_out = table[table["finding"].str.contains(LEFT_OUT_OPEN, regex=False)]
    ended = table[table["finding"] == ENDS_EARLY]
    late = table[(table["finding"] == FEWER_OF_LATE) & ended.empty]  # where records end, none are created
    return [
        *(
            wording.sentence(f"{sources.quoted(left_out, row, 'finding')}: {sources.quoted(left_out, row, 'evidence')}")
            + " None of them counts as an open deal; part of what they bring may stand under deals not yet created."
            for row in left_out.index
        ),
        *(
            f"The data stop before the day of this report ({str(ended.at[row, 'table']).replace('_', ' ')}: "
            f"{sources.quoted(ended, row, 'evidence')}). What happened since is not in the forecast, and reads as if "
            "nothing had."
            for row in ended.index
        ),
        *(
            f"Far fewer deals were created lately ({evidence}). If young deals are missing from the data, "
            "the forecast is too low and its range too narrow."
            for _, evidence in _quoted(late)
        ),
    ]


def warnings(table: pd.DataFrame) -> list[str]:
    """Return the audit's findings about columns that change the answer, a sentence each; no names from the data."""
    grave = _grave(table)
    grave = grave[grave["column"].fillna("") != ""]
    return [wording.sentence(said(grave, row)) for row in grave.index]


def said(table: pd.DataFrame, row: Any) -> str:
    """Return a finding in words, led by what it is about where it does not say so itself."""
    what, column = sources.quoted(table, row, "finding"), str(table.at[row, "column"] or "")
    where = str(table.at[row, "table"]).replace("_", " ")
    if _SPEAKS_FOR_ITSELF.match(str(table.at[row, "finding"])):
        return what
    return f"{wording.label(column_words(column), most=60)} ({where}): {what}" if column else f"{where}: {what}"


def describe_coverage(covered: Coverage) -> Caption:
    """Return the words of the dates that the tables cover."""
    rows, title = covered.rows, f"{covered.what} {span(covered)}"
    dates = zip(covered.names, rows["first"], rows["last"], strict=True)
    return Caption(
        title=title,
        subtitle="First to last date of each table, and its rows",
        description=f"{title}. " + " ".join(f"{n}: {wording.day(a)} to {wording.day(b)}." for n, a, b in dates),
    )


def span(covered: Coverage) -> str:
    """Return from when to when the deals reach: `November 2021 to October 2026`; else the tables."""
    rows = covered.deals if len(covered.deals) else covered.rows
    first, last = (wording.day(day).split(" ", 1)[1] for day in (rows["first"].min(), rows["last"].max()))
    return f"{first} to {last}" if first != last else first


# -- which dates the tables cover -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Which dates the tables cover.

    rows : table, first, last (dates) and rows, of those with dates. as_of : the day whose knowledge is used.
    """

    rows: pd.DataFrame
    as_of: pd.Timestamp

    @property
    def names(self) -> list[str]:
        """The tables by the names a reader sees."""
        return [str(name).replace("_", " ") for name in self.rows["table"]]

    @property
    def deals(self) -> pd.DataFrame:
        """The row of the deals; plans reach further ahead, lists of people further back than what was sold."""
        return self.rows[self.rows["table"] == "opportunities"]

    @property
    def what(self) -> str:
        """What the title speaks of."""
        return DEALS_COVER if len(self.deals) else TABLES_COVER

    @property
    def low(self) -> float:
        """The first date of all, in days since 1970."""
        return float(date2num(self.rows["first"].min()))

    @property
    def high(self) -> float:
        """The last date of all, or the day whose knowledge is used, in days since 1970."""
        return float(date2num(max(self.rows["last"].max(), self.as_of)))

    @property
    def years(self) -> float:
        """From the first date of all to the last."""
        return float((self.rows["last"].max() - self.rows["first"].min()).days / 365.25)


def prepare_coverage(table: pd.DataFrame, *, as_of: Any) -> Coverage:
    """Return the tables that have dates; table as `coverage` gives it."""
    return Coverage(rows=table[table["first"].notna()], as_of=pd.Timestamp(as_of))


def timeline(
    table: pd.DataFrame, *, company: Company, as_of: Any, events: pd.DataFrame | None = None
) -> Chart | Statement:
    """Draw which dates each table covers, and the day whose knowledge is used.

    table : table, first, last (dates), rows, as `coverage` gives it. events : to be flagged, as `dated` gives them.
    """
    covered = prepare_coverage(table, as_of=as_of)
    if covered.rows.empty:
        return empty(*NO_DATES)
    return chart(
        covered,
        draw_coverage,
        describe_coverage(covered),
        table=table[table["rows"] > 0],
        heads=COVERAGE_HEADS,
        company=company,
        as_of=as_of,
        formats={"rows": wording.in_full},
        flags=flags_of_days(events, first=covered.low, last=covered.high, name="coverage"),
    )


def draw_coverage(canvas: Canvas, covered: Coverage) -> Drawing:
    """Draw a bar from first to last date of each table, its number of rows, and a line at the day."""
    rows, names = covered.rows, covered.names
    first, last = (date2num(rows[name]) for name in ("first", "last"))
    day, low, high = float(date2num(covered.as_of)), covered.low, covered.high
    figure, axes = canvas.axes(56 + 24 * len(rows), left=width_of(names), right=80, top=26, bottom=24)
    axes.hlines(np.arange(len(rows)), first, last, **OPEN_PIPELINE.bar, linewidth=9, zorder=2)
    axes.axvline(day, color=INK, linewidth=1.4, zorder=3)
    row_axis(axes, names)
    axes.xaxis_date()
    axes.set_xlim(low, high)
    years = covered.years * (2.5 if canvas.narrow else 1.0)  # a phone has room for fewer
    every = 1 if years < 8 else 2 if years < 16 else 5 if years < 40 else 10
    axes.xaxis.set_major_locator(YearLocator(every))
    axes.xaxis.set_major_formatter(DateFormatter("%Y"))
    axes.grid(True, axis="x")
    axes.text(day, -0.72, LABELS["as_of"], ha="right" if day > (low + high) / 2 else "left", va="bottom", color=INK)
    axes.text(high, -0.72, f"   {LABELS['rows']}", va="bottom", color=SOFT, clip_on=False)
    for place, count in enumerate(sources.column(rows, "rows")):
        axes.text(high, place, f"   {wording.in_full(count)}", va="center", color=SOFT, clip_on=False)
    return Drawing(figure=figure)
