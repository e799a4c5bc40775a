"""From the lead to the next order: what passes each hand-over and after how long, and where it is lost.

All is read from the month's table `scorecard_funnel`, of the company over all its cohorts; segments and quarters stand
in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL
from forecast.evaluation.judgement import Verdict
from forecast.evaluation.scorecard.funnel.hand_overs import STEPS
from forecast.evaluation.scorecard.funnel.leaks import DIFFERENCE
from forecast.evaluation.scorecard.funnel.rows import AGAIN, ALL, CAPACITY, HAND_OVER, LEAK, PLAN
from forecast.reporting.charts.figure import Format, Statement, TableView, Together
from forecast.reporting.pages.words import PLANS_NEARER, word

# -- sentences ------------------------------------------------------------------------------------------

CAPTION = "From the lead to the next order: who passes each hand-over, and after how many days"
HEADS = {
    "step": "hand-over",
    "value": "pass",
    "low": "from (95 % interval)",
    "high": "to",
    "median_days": "half of these by day",
    "q90_days": "nine in ten by day",
    "n": "set out",
}
NOTHING = "No hand-over can be followed yet"
FALL_SHORT = "Most is lost between {}"
PLANS = {"sales": "sales’ own plan", "marketing": "marketing’s plan", "joint": "the joint plan"}
FEWER, MORE = "After a late first order fewer bought again", "After a late first order more bought again"
NOT_TOLD = "Whether a late first order changes that cannot be told"
NO_EFFECT = "orders are not late by lot, so that this is no effect of being late"
ABOVE = "Chance that bookings exceed what can be delivered: {}"
BEHIND, WHY = "What lies behind it:", "Not known:"
CLAIMED = 0.05
"""The corrected p-value below which one plan is called nearer."""


def company_rows(table: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return the company's rows of a part of the funnel, over all cohorts; of the capacity those of the months."""
    here = (table["part"] == part) & (table["segment"] == TOTAL)
    return table[here & ((table["cohort"] == ALL) | (part == CAPACITY))]


def answer(table: pd.DataFrame) -> str:
    """Return the hand-over up to the delivery that the fewest pass, and those that may be it as well."""
    rows = company_rows(table, HAND_OVER)
    known = rows[rows["value"].notna() & rows["step"].isin(STEPS[:-1])]
    if known.empty:
        return wording.sentence(NOTHING)
    may_be = known[known["low"] <= known["high"].min()].sort_values("value")
    named = wording.joined(map(_lost_at, sources.records(may_be)), last="or between")
    return wording.sentence(FALL_SHORT.format(named))


def _lost_at(row: Mapping[str, Any]) -> str:
    start, _, end = row["step"].partition(" to ")
    return f"{start} and {end} ({wording.percent(row['value'])} pass)"


def shown(table: pd.DataFrame) -> Together:
    """Show the answer, and who passes each hand-over. table : the month's table `scorecard_funnel`."""
    rows = company_rows(table, HAND_OVER)
    known = rows[rows["value"].notna()]
    if known.empty:
        return Together(Statement(answer(table), kind="nothing"))
    share: Format = _share
    days: Format = _days
    formats = dict.fromkeys(("value", "low", "high"), share) | dict.fromkeys(("median_days", "q90_days"), days)
    formats["n"] = wording.in_full
    return Together(Statement(answer(table)), TableView(known, CAPTION, columns=HEADS, formats=formats))


def remarks(table: pd.DataFrame) -> list[str]:
    """Return where leads are lost, whose plan was nearer, what cannot be delivered, and what a late order did."""
    leaks = [_leak(row, rows) for rows, row in _each(company_rows(table, LEAK))]
    plans = [_plan(row) for _, row in _each(company_rows(table, PLAN))]
    return list(filter(None, [*leaks, *plans, capacity_sentence(table), again_sentence(table)]))


def reasons(table: pd.DataFrame) -> list[str]:
    """Return a line for each reason why figures of the company are not known, and what would bring them."""
    rows = pd.concat([company_rows(table, part) for part in (HAND_OVER, LEAK, PLAN, CAPACITY, AGAIN)])
    out = []
    for _, same in rows[rows["missing"] != ""].groupby("missing", sort=False):
        names = wording.joined(dict.fromkeys(same["step"]))
        why = sources.quoted(table, same.index[0], "missing")
        out.append(wording.sentence(f"{names}: {why}"))
    return out


def capacity_sentence(table: pd.DataFrame) -> str:
    """Return the chance of each month ahead that its bookings exceed what can be delivered; empty without one."""
    rows = company_rows(table, CAPACITY)
    rows = rows[rows["value"].notna()]
    months = [f"{wording.month(row['cohort'])} {wording.chance(row['value'])}" for row in sources.records(rows)]
    return wording.sentence(ABOVE.format(wording.joined(months))) if months else ""


def again_sentence(table: pd.DataFrame) -> str:
    """Return how many accounts bought again after a late first order and after one on time; empty where not known."""
    rows = company_rows(table, AGAIN)
    rows = rows[rows["value"].notna()]
    if len(rows[rows["step"] == DIFFERENCE]) == 0:
        return ""
    told = []
    for at, row in zip(rows.index, sources.records(rows), strict=True):
        if row["step"] == DIFFERENCE:
            told.append(_difference(row))
        else:
            means = sources.capitalised(sources.quoted(table, at, "means"))
            told.append(wording.sentence(f"{means}: {_figure(row)}"))
    return " ".join(told)


def _each(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, dict[str, Any]]]:
    """Return the known rows one by one, each as a frame and as a record."""
    known = rows[rows["value"].notna()]
    return [(known.loc[[at]], row) for at, row in zip(known.index, sources.records(known), strict=True)]


def _leak(row: Mapping[str, Any], frame: pd.DataFrame) -> str:
    means = sources.capitalised(sources.quoted(frame, frame.index[0], "means"))
    return wording.sentence(f"{means}: {_figure(row)}")


def _figure(row: Mapping[str, Any]) -> str:
    count = wording.plural(row["n"], row["n_of"])
    return f"{wording.percent(row['value'])} ({wording.percents(row['low'], row['high'])}, {count})"


def _difference(row: Mapping[str, Any]) -> str:
    """Return whether more or fewer bought again after a late order, and by how much; or that it cannot be told."""
    ends = (wording.points(row[end], short=True, digits=1) for end in ("low", "high"))
    figure = f"{wording.points(row['value'], digits=1)} ({' to '.join(ends)})"
    if row["low"] <= 0 <= row["high"]:
        return wording.sentence(f"{NOT_TOLD}: {figure}")
    return wording.sentence(f"{FEWER if row['value'] < 0 else MORE}: {figure}; {NO_EFFECT}")


def _plan(row: Mapping[str, Any]) -> str:
    """Return whose plan was nearer, or that it cannot be told."""
    first, second = (PLANS[name] for name in row["step"].split(" against "))
    verdict: Verdict = "unclear"
    if sources.bare(row["p_value"]) < CLAIMED:
        verdict = "above" if row["value"] > 0 else "below"
    low, high = sorted((row["low"], row["high"]), key=lambda end: abs(sources.bare(end)))
    sizes = (wording.percent(abs(value)) for value in (row["value"], low, high))
    months = wording.plural(row["n"], row["n_of"])
    return wording.sentence(sources.capitalised(word(verdict, PLANS_NEARER).format(first, second, months, *sizes)))


def _share(value: Any) -> str:
    return wording.percent(value) if wording.known(value) else "–"


def _days(value: Any) -> str:
    return wording.number(value) if wording.known(value) else "–"
