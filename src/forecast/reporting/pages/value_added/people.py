"""The sentences on people: their habits, what their changes to the model's forecast did, and wins nobody saw coming.

Habits and changes are claimed as loudly as their tests allow, as on the ladder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.checks.validation import LEFT_OUT_OPEN
from forecast.data.schema import Company, Log
from forecast.evaluation import judgement
from forecast.evaluation.questions import of_habit
from forecast.reporting.charts.figure import Notes, Statement, TableColumns, TableView, Together
from forecast.reporting.pages.value_added.ladder import luck, verdicts
from forecast.reporting.pages.words import BEYOND_CHANCE, CHANGE, HABIT, NOT_PROVEN, OF_LATE_NOT

# -- what stands under the heading --------------------------------------------------------------------------


def what_people_change(
    habits: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    submitted: bool,
    alarms: pd.DataFrame | None = None,
    pooled: str = "",
) -> Together:
    """Return who forecasts too high or too low and what became of their changes, or one line that says what is lacking.

    habits, changes, alarms : the month's tables. submitted : whether the company has the table of what people submit.
    pooled : over what months the figures are, where that has to be said.
    """
    if habits.empty:
        return Together(Statement(NOT_SETTLED if submitted else NOT_SUBMITTED, kind="nothing"))
    shown = habits.assign(luck=[_luck_of(row, alarms) for row in sources.records(habits)])
    caption = f"{HABITS_CAPTION}{pooled or TOGETHER}"
    bias = Statement(f"{habits_finding(habits, alarms, pooled=pooled)}."), TableView(shown, caption, **HABITS)
    if changes.empty:
        return Together(*bias, Statement(f"{adjustments_finding(changes)}.", COMPARABLE, kind="nothing"))
    effect = Statement(f"{adjustments_finding(changes)}."), Notes(adjustments_sentences(changes))
    so = [_agreeing(row) for row in sources.records(changes)]
    return Together(
        *bias, *effect, TableView(changes.assign(so=so), f"{CHANGES_CAPTION}{pooled}", right=["so"], **ADJUSTMENTS)
    )


# -- sentences: habits and changes ------------------------------------------------------------------------

NOT_SUBMITTED = "What people forecast and what they change: submitted_forecasts would show it."
NOT_SETTLED = "Nobody’s forecasts have settled yet."
COMPARABLE = "It takes the model’s forecast of the month end before, of the same settled months."
TOGETHER = " together"
HABITS_CAPTION = "Who forecasts too high or too low, all segments and lead times"
CHANGES_CAPTION = "Changes against the model: small is under a quarter of its forecast"

_KINDS = {
    "up small": "small upward changes",
    "up large": "large upward changes",
    "down small": "small downward changes",
    "down large": "large downward changes",
}


def habits_finding(table: pd.DataFrame, alarms: pd.DataFrame | None = None, *, pooled: str = "") -> str:
    """Return who forecasts too high or too low beyond chance, and who does so of late, by an alarm.

    table : as `habits` gives it by submitter. alarms : the month's table; whoever is named for all months already is
    not named again. pooled : over what months the figures are, where that has to be said.
    """
    if table.empty:
        return NOT_SETTLED.rstrip(".")
    rows = sources.records(table)
    found = [habit_verdict(row) for row in rows]
    if set(found) == {"too few"}:
        return "Too few months to tell whether anybody forecasts too high or too low"
    parts, late = [], []
    for side, way in (("above", HABIT.above), ("below", HABIT.below)):
        new = [row for row, each in zip(rows, found, strict=True) if each != side and way in alarm_kinds(row, alarms)]
        if new:
            who = wording.joined(wording.label(row["submitter"]) for row in new)
            late.append(f"{who} {'forecasts' if len(new) == 1 else 'forecast'} {way} of late, an alarm says")
        some = [row for row, each in zip(rows, found, strict=True) if each == side]
        if some:
            who = wording.joined(wording.label(row["submitter"]) for row in some)
            sizes = wording.joined(wording.percent(abs(row["bias"])) for row in some)
            parts.append(f"{who} {'forecasts' if len(some) == 1 else 'forecast'} {way}, by {sizes} in sum")
    if not parts:
        nobody = "Nobody forecasts too high or too low beyond chance"
        return "; ".join([f"{nobody} over all months" if late else nobody, *late])
    return sources.capitalised("; ".join([f"{'; '.join(parts)}, all lead times{pooled or TOGETHER}", *late]))


def _agreeing(row: Mapping[Any, Any]) -> str:
    """Return in how many of its months a kind of change did what it did over all: `14 of 22`."""
    return f"{wording.in_full(row['agreeing'])} of {wording.in_full(row['months'])}"


def alarm_kinds(row: Mapping[Any, Any], alarms: pd.DataFrame | None) -> set[str]:
    """Return the alarms on a submitter's forecasts: `too high`, `too low`. row : of `habits`."""
    if alarms is None:
        return set()
    on = alarms["alarm"] & (alarms["model"] == f"submitted-{row['submitter']}")
    return set(alarms.loc[on, "kind"])


def _luck_of(row: Mapping[Any, Any], alarms: pd.DataFrame | None) -> str:
    """Return whether luck could have made a habit; where an alarm says that it is new, that of late it could not."""
    over_all = luck(row["p_holm"])
    return over_all if over_all == "no" or not alarm_kinds(row, alarms) else OF_LATE_NOT


def habit_verdict(row: Mapping[Any, Any]) -> str:
    """Return what may be said of a submitter's bias, by `judgement`; p_holm is corrected over all words of the page."""
    if not wording.known(row["p_holm"]) or not wording.known(row["bias"]):
        return "too few"
    estimate = of_habit(row)
    return judgement.found(estimate, p_page=1.0 if estimate.p_value == 1.0 else row["p_holm"]).verdict


def adjustments_finding(table: pd.DataFrame) -> str:
    """Return which kinds of changes missed by more than the model and which by less, beyond chance.

    table : as `adjustments` gives it. What was measured and no more: changes are chosen, so none of it says what a
    change did.
    """
    if table.empty:
        return "No forecast of people can be compared with the model’s yet"
    found = verdicts(table)
    if set(found) == {"untested"}:
        return "Too few months to tell whether people’s changes missed by less than the model"
    parts = [
        f"{kinds} {missed}"
        for way, missed in (("worse", CHANGE.below), ("better", CHANGE.above))
        if (kinds := _kinds_by_whom(table[[each == way for each in found]]))
    ]
    if not parts:
        return f"No kind of change missed by less or by more than the model {BEYOND_CHANCE}"
    return sources.capitalised(f"{'; '.join(parts)}, {BEYOND_CHANCE}")


def _kinds_by_whom(table: pd.DataFrame) -> str:
    """Return `large upward changes (by marketing and sales)`: each kind in a table of changes, and whose."""
    kinds = [
        f"{_KINDS[str(kind)]} (by {wording.joined(map(wording.label, rows['submitter']))})"
        for kind, rows in table.groupby("kind", sort=False)
    ]
    return wording.joined(kinds) if kinds else ""


def adjustments_sentences(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each change apart from the model beyond chance, then what is open, small upward first."""
    if table.empty:
        return []
    found = pd.Series(verdicts(table), index=table.index)
    is_open = found.isin(["unclear", "untested"])
    sentences = [_change_sentence(row) for row in sources.records(table[~is_open])]
    small = table["kind"] == "up small"
    if small.any() and is_open[small].all():
        sentences.append(_small_sentence(table[small], untested=bool((found[small] == "untested").any())))
        is_open &= ~small
    others = sources.count(table[is_open])
    if 0 < others < len(table):
        rows = f"{wording.spelt(others)} rows" if others > 1 else "row"
        sentences.append(
            f"The difference in the other {rows} of the table is {NOT_PROVEN}, or months are too few; the table says "
            "in how many months it was so."
        )
    sentences.append(CHANGES_CAVEAT)
    if not set(found) <= {"unclear", "untested"}:
        sentences.append(HIGHER_CAVEAT)
    return sentences


def _small_sentence(small: pd.DataFrame, *, untested: bool) -> str:
    """Return what became of small upward changes, of all who made them together, where none of them is clear."""
    rows, count = sources.records(small), sources.total(small, "n")
    closer = wording.percent(sum(row["n"] * row["share_better"] for row in rows) / count)
    whose = wording.joined(wording.label(row["submitter"]) for row in rows)
    why = "too few months to tell more" if untested else NOT_PROVEN
    each = " for any of them" if len(rows) > 1 and not untested else ""
    together = " together" if len(rows) > 1 else ""
    return (
        f"Small upward changes by {whose}{together}: {closer} of {wording.in_full(count)} came closer than the model; "
        f"{why}{each}."
    )


CHANGES_CAVEAT = (
    "A change is what was submitted less the model’s forecast of the month end before; of all segments and lead times, "
    "together."
)
HIGHER_CAVEAT = (
    "Of two equally good forecasts, the higher one is more often too high. So this shows when to stay with the model, "
    "not who forecasts better; the steps above show that."
)


def _change_sentence(row: Mapping[str, Any]) -> str:
    kind = _KINDS[row["kind"]]
    return (
        f"{kind[0].upper()}{kind[1:]} by {wording.label(row['submitter'])} ({wording.in_full(row['n'])}) "
        f"miss by {wording.percent(row['wape'])}, the model by {wording.percent(row['wape_before'])}; "
        f"{wording.percent(row['share_better'])} of them came closer."
    )


# -- sentences: late wins-------------------------------------------------------------------------------


def late_finding(table: pd.DataFrame, *, undated: bool = False) -> str:
    """Return what share of the amount won was in no pipeline three weeks into its quarter; table as `late_wins`.

    undated : whether deals get their creation date on the way (`deals_get_dates_late`): then it is so much at most.
    """
    if table.empty:
        return "Late wins cannot be counted yet: no quarter has settled since the records began"
    won, late = sources.total(table, "won"), sources.total(table, "late")
    if not won:
        return f"Nothing was won in {wording.plural(sources.count(table), 'settled quarter')}"
    if not late:
        every = "Every deal won" if won > 1 else "The one deal won"
        return f"{every} was known three weeks into its quarter, as open or as won"
    amount = sources.total(table, "won_amount")
    of_amount = bool(amount > 0)
    share = wording.share(sources.total(table, "late_amount"), amount) if of_amount else wording.share(late, won)
    what = "amount won was" if of_amount else "deals won were"
    most = "At most " if undated else ""
    return f"{most}{share} of the {what} in no pipeline three weeks into {'its' if of_amount else 'their'} quarter"


def deals_get_dates_late(log: Log) -> bool:
    """Return whether open deals stand in the data without a creation date, so that those won may have stood so too."""
    return any(LEFT_OUT_OPEN in note.what for note in log.notes)


def late_sentences(table: pd.DataFrame, *, undated: bool = False) -> list[str]:
    """Return the counts behind it, the quarters' range, and how many were entered afterwards under an earlier date.

    undated : as `late_finding` takes it.
    """
    if table.empty or not table["won"].sum():
        return []
    won, late = sources.total(table, "won"), sources.total(table, "late")
    of = f"{wording.plural(won, 'deal')} won in {_quarters(table)}"
    if not late:
        return [wording.sentence(of)]
    part = f"{wording.spelt(late)} ({wording.share(late, won)}) {'was' if late == 1 else 'were'}"
    sentences = [f"Of {of}, {part} known neither as open nor as won {THREE_WEEKS}."]
    if table["late_amount_share"].notna().sum() > 1:
        ends = (wording.percent(sources.aggregate(table, "late_amount_share", how)) for how in ("min", "max"))
        low, high = ends
        same = sources.plain(low) == sources.plain(high)
        sentences.append(f"By quarter that was {low if same else f'{low} to {high}'} of the amount.")
    if undated:
        sentences.append(UNDATED_THEN)
    back = sources.total(table, "backdated")
    if back:
        sentences.append(
            f"{wording.plural(back, 'of them has', 'of them have')} a creation date of that day or before: entered "
            "afterwards, or counted as lost on that day."
        )
    return sentences


UNDATED_THEN = (
    "Open deals without a creation date are in the data: a win that stood so then counts as one that nobody saw coming."
)
THREE_WEEKS = "at the end of the quarter’s third week"


def _quarters(table: pd.DataFrame) -> str:
    """Return `8 quarters, FY24 Q4 to FY26 Q3`."""
    first, last = table["quarter"].iloc[0], table["quarter"].iloc[-1]
    count = wording.plural(sources.count(table), "quarter")
    return f"{count}, {first} to {last}" if len(table) > 1 else f"{count}, {first}"


# -- sentences: columns of the tables------------------------------------------------------------------------


def signed(value: float) -> str:
    """Return a share as a percentage with its sign."""
    return wording.percent(value, sign=True)


HABITS: TableColumns = {
    "columns": {
        "submitter": "submitter",
        "n": "forecasts",
        "bias": "too high in sum (bias)",
        "share_over": "of them too high",
        "wape": "miss (WAPE)",
    }
    | {"luck": "could be luck?"},
    "formats": dict.fromkeys(("share_over", "wape"), wording.whole) | {"bias": signed, "luck": str},
}
"""Headers and formats of what `habits` gives by submitter, with whether luck could have made it."""

ADJUSTMENTS: TableColumns = {
    "columns": {"submitter": "submitter", "kind": "change", "n": "forecasts", "share_better": "closer than the model"}
    | {"wape_before": "its miss", "wape": "their miss", "so": "so in months", "p_holm": "could be luck?"},
    "formats": dict.fromkeys(("share_better", "wape_before", "wape"), wording.whole) | {"so": str, "p_holm": luck},
}
"""Headers and formats of what `adjustments` gives, with in how many months the difference was so."""


def late_columns(company: Company) -> TableColumns:
    """Return headers and formats of what `late_wins` gives."""
    names = {"quarter": "quarter", "won": "deals won", "late": "late"}
    names |= {"won_amount": "amount won", "late_amount": "late amount", "late_amount_share": "late, of amount"}
    amounts = dict.fromkeys(("won_amount", "late_amount"), wording.in_currency(company.currency))
    return {"columns": names, "formats": {**amounts, "late_amount_share": wording.percent}}
