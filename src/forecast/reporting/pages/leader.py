"""What the leader's page says of itself: what it cannot show yet, how to read what it shows, and a benchmark far off.

What it cannot show is one line each, with the table that would bring it. Simple case: a table is absent, and what it
would bring is named beside it. Where the tables are there, it is the record that is too short, or a column that is
empty. A section of which nothing can be shown is not on the page; its line is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.calendar import year_before
from forecast.data.audit.amounts import SEGMENT_SIZE
from forecast.data.audit.names import NEARLY_ALIKE, RENAMED, SEVERAL_WAYS, WRONG_ENCODING
from forecast.data.known.settled import booked_by_month
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import QUANTILE_COLUMNS, TABLES, TOTAL, Company, Log
from forecast.data.sources.redact import NAMES
from forecast.evaluation.judgement import Finding
from forecast.evaluation.questions import COMBINED, COMBINED_SKILL, COMPANY_SKILL
from forecast.reporting.charts.figure import Notes, Statement, Together
from forecast.reporting.pages import audit
from forecast.reporting.pages.bookings.prepare import headline_row, prepare_fan
from forecast.reporting.pages.bookings.sentences import beyond_the_record, headline_facts
from forecast.reporting.pages.planning.prepare import is_answerable
from forecast.reporting.pages.scorecard.card import plain_name
from forecast.reporting.pages.track.lately_sentences import company_alarm
from forecast.reporting.pages.track.lately_sentences import headline as plain_or_under_alarm
from forecast.reporting.pages.track.prepare import OURS
from forecast.reporting.pages.words import (
    APART,
    BEYOND_LUCK,
    TOO_FEW,
    WHICH_IS_NEARER,
    evaluated,
    in_months,
)

_WITH_NAMES = frozenset({SEVERAL_WAYS, NEARLY_ALIKE, RENAMED, WRONG_ENCODING, SEGMENT_SIZE})
"""Findings whose evidence quotes names of the data."""

THEIR_FORECASTS, STARTS, HISTORY = "submitted_forecasts", "joint_planning", "opportunity_history"


def has_record(scores: pd.DataFrame) -> bool:
    """Return whether any past forecast of ours has settled; one not made has not. scores : the month's table."""
    return bool(((scores["model"] == OURS) & (scores["n"] > 0)).any()) if len(scores) else False


def is_short(judged: Mapping[str, Finding]) -> bool:
    """Return whether too few months have settled to judge the company's forecast; then a sentence says it all."""
    found = judged.get(COMPANY_SKILL)
    return found is None or found.estimate.n < found.estimate.fewest


# -- sentences ------------------------------------------------------------------------------------------


def not_the_models(row: Mapping[str, Any], found: Finding, *, company: Company) -> str:
    """Return that the headline is the combination's, why, and what the model alone says."""
    estimate = found.estimate
    misses = f"it missed the company’s months by {wording.percent(estimate.ours)}, the model by "
    misses += f"{wording.percent(estimate.theirs)}, {in_months(estimate.agreeing, estimate.n)}; {BEYOND_LUCK}"
    alone = wording.money(row["mean"], currency=company.currency)
    return f"This is the combination’s number: {misses}. The model alone says {alone}; the rest here is the model’s."


READING = {
    "range": "The range. Of ten periods for which an 80 % range is given, eight should end inside it, one below "
    "and one above.",
    "parts": "The three parts. Booked is won already; wins recorded late may add to it. Open pipeline is what deals "
    "that exist today should bring in the period, each counted with its probability of being won in it. Not yet "
    "created is what deals will bring that nobody has entered yet.",
    "model": "The model makes the numbers of this page from the CRM.",
    "people": "The forecasts of sales, of marketing and the joint one are what people submitted.",
    "benchmark": "The benchmark continues past bookings and knows no deal; a forecast that is no better adds nothing.",
    "miss": "The miss. WAPE is the sum of all errors as a share of what was booked.",
    "planning": "Planning together. Segments that began are compared with those that had not begun in the same month. "
    "“No detectable change” is not “no change”: everything within the interval goes with the data. “Cannot tell” is an "
    "answer.",
}
"""How what the page shows is read, by subject."""


def doubts(
    found: pd.DataFrame, bookings: pd.DataFrame, snap: Snapshot, row: Mapping[str, Any] | None, *, company: Company
) -> list[str]:
    """Return what makes the headline doubtful: deals missing from the data, and months far off the record.

    found, bookings : the month's tables `audit` and `bookings`. row : of the headline.
    """
    fan = prepare_fan(bookings, actuals=booked_by_month(snap), company=company)
    return [*audit.caveats(found), *(beyond_the_record(fan, row["target_period"]) if row else [])]


def facts(row: Mapping[str, Any] | None, answer: str, but: Sequence[str], *, company: Company) -> dict[str, Any]:
    """Return what headline.json holds: the headline and its numbers, and what makes it doubtful (`caveats`)."""
    return {**headline_facts(row, company=company), "headline": answer, "caveats": " ".join(but)}


def told(
    bookings: pd.DataFrame,
    combined: pd.DataFrame,
    judged: Mapping[str, Finding],
    alarms: pd.DataFrame,
    benchmark: pd.DataFrame,
    *,
    notes: pd.DataFrame,
    company: Company,
) -> tuple[Mapping[str, Any] | None, str]:
    """Return the row whose numbers the headline tells, and the sentence that answers.

    Simple case: they are the model's (`lately_sentences.headline`). They are the combination's where that has missed
    the company's months by less than the model, beyond luck, and no alarm is on the company's forecast, which comes
    first; then the sentence says so, and what the model alone says.

    bookings, combined, alarms, benchmark, notes : the month's tables. judged : of the month's record.
    """
    row: Mapping[str, Any] | None = headline_row(bookings, notes=notes)
    found, whose = judged.get(COMBINED_SKILL), ""
    if row is not None and found is not None and found.verdict == "above" and company_alarm(alarms) is None:
        is_it = (combined["segment"] == TOTAL) & (combined["target_period"] == row["target_period"])
        if wording.known(row["mean"]) and combined.loc[is_it, "mean"].notna().any():
            other = sources.row(combined[is_it])
            whose = not_the_models(row, found, company=company)
            row = {**row, **{name: other[name] for name in ("model", "mean", *QUANTILE_COLUMNS, "p_at_least_plan")}}
    return row, plain_or_under_alarm(row, alarms, benchmark, company=company, judged=judged, whose=whose)


def is_combined(row: Mapping[str, Any] | None) -> bool:
    """Return whether the headline's numbers are the combination's: then a picture of the model's chances is no help."""
    return row is not None and row.get("model") == COMBINED


def headline(answer: str, *, but: Sequence[str], beside: Sequence[str] = ()) -> Together:
    """Return the headline with what makes it doubtful right beneath it; what it is measured by follows.

    but : as `doubts` gives it. beside : as `yardsticks` gives it.
    """
    if not but:
        return Together(Statement(answer, *beside, kind="headline"))
    return Together(Statement(answer, kind="headline"), Notes([*but, *beside]))


LIKELY = "likely"
"""What a headline that tells the chance of plan says."""

LEAD = "Each with what would bring it:"
MONTHS = "more months that have settled"
ENOUGH = "months that the model had enough deals to forecast"


def beside(
    row: Mapping[str, Any] | None,
    benchmark: pd.DataFrame,
    judged: Mapping[str, Finding],
    *,
    company: Company,
    headline: str = "",
) -> list[str]:
    """Return what the benchmark expects for the headline's period; no line where it or the model's is not known.

    Simple case: its number, and how likely that makes plan. Where its 80 % range and the model's do not meet, that, and
    whether the record tells which of the two is nearer.

    row : of the headline. benchmark : the month's table. judged : of the month's record. headline : what has been told:
    what the benchmark expects is not told again, and no chance of plan where that tells none (it is under alarm).
    """
    if row is None:
        return []
    rows = benchmark[(benchmark["segment"] == TOTAL) & (benchmark["target_period"] == row["target_period"])]
    if rows.empty:
        return []
    other = sources.row(rows)
    if not all(wording.known(each.get(name)) for each in (row, other) for name in ("mean", "q10", "q90")):
        return []
    money = wording.money(other["mean"], currency=company.currency)
    if other["q10"] <= row["q90"] and row["q10"] <= other["q90"]:
        told = sources.plain(headline)
        if "benchmark" in told and sources.plain(money) in told:
            return []
        chance = other.get("p_at_least_plan") if not told or LIKELY in told else None
        likely = f": {wording.chance(chance)} {LIKELY} to reach plan" if wording.known(chance) else ""
        return [f"The benchmark expects {money}{likely}."]
    span = wording.named_range(other["q10"], other["q90"], currency=company.currency)
    return [f"The benchmark expects {money}, {span}: the two ranges do not meet. {_which(judged.get(COMPANY_SKILL))}."]


def yardsticks(
    row: Mapping[str, Any] | None,
    benchmark: pd.DataFrame,
    judged: Mapping[str, Finding],
    backtest: pd.DataFrame,
    *,
    company: Company,
    headline: str = "",
) -> list[str]:
    """Return the line under the headline: what the benchmark expects, and what the period brought a year before.

    backtest : the month's table. The others are as `beside` takes them. No line where neither is known.
    """
    said = beside(row, benchmark, judged, company=company, headline=headline)
    said += _year_before(row, backtest, company=company)
    return [" ".join(said)] if said else []


def _year_before(row: Mapping[str, Any] | None, backtest: pd.DataFrame, *, company: Company) -> list[str]:
    """Return what the headline's period brought a year before; no line where that is not known."""
    if row is None or not wording.known(row.get("mean")) or backtest.empty:
        return []
    period = year_before(str(row["target_period"]))
    is_it = (backtest["segment"] == TOTAL) & (backtest["target_period"] == period) & backtest["observed"].notna()
    if not is_it.any():
        return []
    booked = wording.money(sources.row(backtest[is_it])["observed"], currency=company.currency)
    return [f"{sources.capitalised(wording.month(period))} brought {booked}."]


def _which(found: Finding | None) -> str:
    """Return whether the record tells which of model and benchmark is nearer, of the company's months."""
    if found is None or found.estimate.n == 0:
        return f"{WHICH_IS_NEARER}: {TOO_FEW}; no past forecast has settled"
    return f"{WHICH_IS_NEARER}: {evaluated(found, APART, wording.percent(abs(found.estimate.value)))}"


def how_to_read(
    log: Log,
    *,
    row: Mapping[str, Any] | None,
    scores: pd.DataFrame,
    planning: Mapping[str, Any],
    compared: bool = False,
) -> list[str]:
    """Return how to read what the page shows: a paragraph for each subject that is on it, and for no other.

    row : of the headline. scores, planning : as `lacking` takes them. compared : whether the benchmark is named beside
    the headline.
    """
    forecast, record = row is not None and wording.known(row.get("mean")), has_record(scores)
    subjects = {
        "range": forecast and row is not None and wording.known(row.get("q10")),
        "parts": forecast and row is not None and wording.known(row.get("not_yet_created")),
        "model": forecast or record,
        "people": THEIR_FORECASTS in log.tables and (record or is_answerable(planning)),
        "benchmark": record or compared,
        "miss": record,
        "planning": is_answerable(planning),
    }
    return [READING[subject] for subject, is_shown in subjects.items() if is_shown]


def of_the_data(table: pd.DataFrame) -> list[str]:
    """Return the audit's findings about columns that change the answer, each with its numbers and what mends it.

    No name from the data: of columns that hold names, and of those nobody declared, only how many rows are concerned.
    """
    return [
        _with_numbers(table, at, told.rstrip(".")) for at in table.index for told in audit.warnings(table.loc[[at]])
    ]


def _with_numbers(table: pd.DataFrame, at: Any, told: str) -> str:
    name, column = table.at[at, "table"], table.at[at, "column"]
    declared = name in TABLES and TABLES[name].column(column) is not None and column not in NAMES
    if declared and table.at[at, "finding"] not in _WITH_NAMES:
        rest = [sources.quoted(table, at, each) for each in ("evidence", "mend")]
    else:
        rest = [wording.plural(sources.cell(table, at, "count"), "row") if table.at[at, "count"] else ""]
    return f"{'; '.join(part for part in (told, *rest) if part)}."


def lacking(
    log: Log,
    *,
    row: Mapping[str, Any] | None,
    deals: pd.DataFrame,
    scores: pd.DataFrame,
    quarters: pd.DataFrame,
    planning: Mapping[str, Any],
    card: pd.DataFrame,
) -> list[str]:
    """Return what the page cannot show, a line each, with what would bring it; what one table brings is one line.

    row : of the headline. deals : the snapshot's opportunities. The others are tables of the month; planning is a row.
    """
    found: dict[str, list[str]] = {}
    for what, brings in (
        *_of_plan(log, row),
        *_of_changes(log),
        *_of_record(log, scores, quarters),
        *_of_planning(log, planning),
        *_of_deals(deals),
        *_of_scorecard(card),
    ):
        found.setdefault(brings, []).append(what)
    return [f"{sources.capitalised(wording.joined(what))}: {_named(brings)}." for brings, what in found.items()]


def _named(brings: str) -> str:
    """Return what would bring something; of a table, that it is one."""
    return f"the table {brings}" if brings in TABLES else brings


def _of_plan(log: Log, row: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if row is not None and not wording.known(row.get("plan")):
        brings = f"plan of {wording.month(row['target_period'])}" if "plan" in log.tables else "plan"
        yield "the chance of reaching plan, and each segment against its plan", brings


def _of_changes(log: Log) -> Iterator[tuple[str, str]]:
    if HISTORY not in log.tables:
        yield "which deals moved in stage, date or amount since last month", HISTORY
        yield "odds by stage and date", HISTORY


def _of_record(log: Log, scores: pd.DataFrame, quarters: pd.DataFrame) -> Iterator[tuple[str, str]]:
    if not has_record(scores):
        was_asked = len(scores) and (scores["model"] == OURS).any()
        yield "the record of past forecasts", ENOUGH if was_asked else MONTHS
    elif quarters.empty:
        yield "how quarters ended against what was said before they began", MONTHS
    if THEIR_FORECASTS not in log.tables:
        yield "the record of what sales and marketing forecast", THEIR_FORECASTS


def _of_planning(log: Log, planning: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if is_answerable(planning):
        return
    absent = [name for name in (THEIR_FORECASTS, STARTS) if name not in log.tables]
    if absent:
        yield "the effect of planning together", wording.joined(absent)
    else:
        why = sources.plain(str(planning["sentence"])).partition(": ")[2].rstrip(".")
        yield f"the effect of planning together ({why})", f"mending {THEIR_FORECASTS}"


def _of_deals(deals: pd.DataFrame) -> Iterator[tuple[str, str]]:
    is_open = deals["outcome"] == "open"
    if is_open.any() and deals.loc[is_open, "expected_close_on"].isna().all():
        yield "which deals are past their date", "expected_close_on in opportunities"


def _of_scorecard(card: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the measures that are not known; what they need stands at the end of their note."""
    for measure, note in card.loc[card["ours"].isna(), ["measure", "note"]].itertuples(index=False):
        needs = str(note).partition("; needs ")[2]
        if needs:
            yield plain_name(str(measure)).replace(": ", " "), needs.replace("`", "")
