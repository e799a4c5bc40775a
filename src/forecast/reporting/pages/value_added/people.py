"""The sentences on people: their habits, what their changes to the model's forecast did, and wins nobody saw coming.

Habits and changes are claimed as loudly as their tests allow, as on the ladder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import wording
from forecast.data.schema import Company
from forecast.evaluation import judgement
from forecast.evaluation.questions import of_habit
from forecast.reporting.charts.figure import TableColumns
from forecast.reporting.pages.value_added.ladder import luck, verdict, verdicts
from forecast.reporting.pages.words import HABIT

# -- sentences: habits and changes ------------------------------------------------------------------------

_KINDS = {
    "up small": "small upward changes",
    "up large": "large upward changes",
    "down small": "small downward changes",
    "down large": "large downward changes",
}


def habits_finding(table: pd.DataFrame) -> str:
    """Return who forecasts too high or too low beyond chance; table as `habits` gives it by submitter."""
    if table.empty:
        return "Nobody's forecasts have settled yet"
    verdicts_of = [habit_verdict(row) for row in table.to_dict("records")]
    if set(verdicts_of) == {"too few"}:
        return "Too few months to tell whether anybody forecasts too high or too low"
    clear = table[[verdict in ("above", "below") for verdict in verdicts_of]]
    if clear.empty:
        return "Nobody forecasts too high or too low beyond chance"
    parts = []
    for high, way in ((True, HABIT.above), (False, HABIT.below)):
        rows = clear[(clear["bias"] > 0) == high]
        if len(rows):
            who = wording.joined(wording.label(name) for name in rows["submitter"])
            sizes = wording.joined(wording.percent(abs(bias)) for bias in rows["bias"])
            parts.append(f"{who} {'forecasts' if len(rows) == 1 else 'forecast'} {way}, by {sizes}")
    finding = "; ".join(parts)
    return finding[0].upper() + finding[1:]


def habit_verdict(row: Mapping[Any, Any]) -> str:
    """Return what may be said of a submitter's bias, by `judgement`; p_holm is corrected over all words of the page."""
    if not wording.known(row["p_holm"]) or not wording.known(row["bias"]):
        return "too few"
    estimate = of_habit(row)
    return judgement.found(estimate, p_page=1.0 if estimate.p_value == 1.0 else row["p_holm"]).verdict


def adjustments_finding(table: pd.DataFrame) -> str:
    """Return which kinds of changes hurt and which helped, beyond chance; table as `adjustments` gives it."""
    if table.empty:
        return "No forecast of people can be compared with the model’s yet"
    found = verdicts(table)
    if set(found) == {"untested"}:
        return "Too few months to tell whether people's changes helped"
    kinds = {
        way: list(dict.fromkeys(_KINDS[kind] for kind, each in zip(table["kind"], found, strict=True) if each == way))
        for way in ("worse", "better")
    }
    parts = [
        f"{wording.joined(kinds[way])} {verb}" for way, verb in (("worse", "hurt"), ("better", "helped")) if kinds[way]
    ]
    finding = ", ".join(parts) if parts else "no kind of change helped or hurt beyond chance"
    return finding[0].upper() + finding[1:]


def adjustments_sentences(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each change that helped or hurt beyond chance, then what is open, small upward first."""
    if table.empty:
        return ["This needs submitted forecasts, and the model’s of the month end before, of the same settled months."]
    rows = table.to_dict("records")
    open_rows = [row for row in rows if verdict(row) in ("unclear", "untested")]
    sentences = [_change_sentence(row) for row in rows if row not in open_rows]
    small = [row for row in rows if row["kind"] == "up small"]
    if small and all(row in open_rows for row in small):
        count = sum(row["n"] for row in small)
        closer = wording.percent(sum(row["n"] * row["share_better"] for row in small) / count)
        unclear = all(verdict(row) == "unclear" for row in small)
        why = "no effect beyond luck" if unclear else "too few months to tell more"
        sentences.append(f"Small upward changes: {closer} of {count:,} came closer than the model; {why}.")
        open_rows = [row for row in open_rows if row not in small]
    if 0 < len(open_rows) < len(rows):
        others = f"{wording.spelt(len(open_rows))} changes" if len(open_rows) > 1 else "change"
        sentences.append(
            f"The other {others} in the table: luck could have made the difference, or the months are too few."
        )
    if any(verdict(row) in ("better", "worse") for row in rows):
        sentences.append(HIGHER_CAVEAT)
    return sentences


HIGHER_CAVEAT = (
    "Of two equally good forecasts, the higher one is more often too high. So this shows when to stay with the model, "
    "not who forecasts better; the steps above show that."
)


def _change_sentence(row: Mapping[str, Any]) -> str:
    kind = _KINDS[row["kind"]]
    return (
        f"{kind[0].upper()}{kind[1:]} by {wording.label(row['submitter'])} ({row['n']:,}) "
        f"miss by {wording.percent(row['wape'])}, the model by {wording.percent(row['wape_before'])}; "
        f"{wording.percent(row['share_better'])} of them came closer."
    )


# -- sentences: late wins-------------------------------------------------------------------------------


def late_finding(table: pd.DataFrame) -> str:
    """Return what share of the amount won was in no pipeline three weeks into its quarter; table as `late_wins`."""
    if table.empty:
        return "Late wins cannot be counted yet: no quarter has settled since the records began"
    won, late = int(table["won"].sum()), int(table["late"].sum())
    if not won:
        return f"Nothing was won in {wording.plural(len(table), 'settled quarter')}"
    if not late:
        return "Every deal won was in the pipeline three weeks into its quarter"
    amount = table["won_amount"].sum()
    share = table["late_amount"].sum() / amount if amount > 0 else late / won
    what = "of the amount won" if amount > 0 else "of the deals won"
    return f"{wording.percent(share)} {what} was in no pipeline three weeks into its quarter"


def late_sentences(table: pd.DataFrame) -> list[str]:
    """Return the counts behind it, the quarters' range, and how many were entered afterwards under an earlier date."""
    if table.empty or not table["won"].sum():
        return []
    won, late = int(table["won"].sum()), int(table["late"].sum())
    of = f"{wording.plural(won, 'deal')} won in {wording.plural(len(table), 'quarter')}"
    if not late:
        return [f"Of {of}, all were known as open or as won by the end of the quarter’s 21st day."]
    part = f"{wording.spelt(late)} ({wording.percent(late / won)}) {'was' if late == 1 else 'were'}"
    sentences = [f"Of {of}, {part} known neither as open nor as won at the end of the quarter’s 21st day."]
    shares = table["late_amount_share"].dropna()
    if len(shares) > 1:
        low, high = wording.percent(shares.min()), wording.percent(shares.max())
        sentences.append(f"By quarter that was {low if low == high else f'{low} to {high}'} of the amount.")
    back = int(table["backdated"].sum())
    if back:
        sentences.append(
            f"{wording.plural(back, 'of them has', 'of them have')} a creation date of that day or before: entered "
            "afterwards, or counted as lost on that day."
        )
    return sentences


# -- sentences: columns of the tables------------------------------------------------------------------------


def signed(value: float) -> str:
    """Return a share as a percentage with its sign."""
    return wording.percent(value, sign=True)


HABITS: TableColumns = {
    "columns": {
        "submitter": "submitter",
        "n": "forecasts",
        "bias": "bias",
        "share_over": "too high",
        "wape": "miss (WAPE)",
    }
    | {"p_holm": "could be luck?"},
    "formats": dict.fromkeys(("share_over", "wape"), wording.whole) | {"bias": signed, "p_holm": luck},
}
"""Headers and formats of what `habits` gives by submitter."""

ADJUSTMENTS: TableColumns = {
    "columns": {"submitter": "submitter", "kind": "change", "n": "forecasts", "share_better": "closer than the model"}
    | {"wape_before": "its miss", "wape": "their miss", "p_holm": "could be luck?"},
    "formats": dict.fromkeys(("share_better", "wape_before", "wape"), wording.whole) | {"p_holm": luck},
}
"""Headers and formats of what `adjustments` gives."""


def late_columns(company: Company) -> TableColumns:
    """Return headers and formats of what `late_wins` gives."""
    names = {"quarter": "quarter", "won": "deals won", "late": "late"}
    names |= {"won_amount": "amount won", "late_amount": "late amount", "late_amount_share": "late, of amount"}
    amounts = dict.fromkeys(("won_amount", "late_amount"), wording.in_currency(company.currency))
    return {"columns": names, "formats": {**amounts, "late_amount_share": wording.percent}}
