"""Why the forecast of a period moved since an earlier day: a waterfall of causes, and the deals behind each.

From the two forecasts in money, bar by bar, with what each cause did to the chance of plan beside it. The tables are
those of `models.pipeline.explained`; every number is a cell of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation.changed import RATES
from forecast.models.pipeline.causes import CAUSES
from forecast.models.pipeline.explained import COMPANY
from forecast.reporting.charts.canvas import Caption, chart, empty
from forecast.reporting.charts.figure import Chart, Folds, Format, Statement, TableView
from forecast.reporting.pages.bookings.changes import DEAL_HEADS, Waterfall, draw_waterfall
from forecast.reporting.pages.quarters import then_and_now


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How one period's forecast of the company moved.

    ends : the row of its two forecasts. causes : one row each, in order; those that moved nothing are left out.
    chances : whether chances of reaching plan, and points of them, are known and may be told.
    """

    ends: Mapping[str, Any]
    causes: pd.DataFrame
    company: Company
    chances: bool = True


def prepare_moved(
    causes: pd.DataFrame,
    ends: pd.DataFrame,
    *,
    period: str,
    company: Company,
    chances: bool = True,
    level: str = COMPANY,
) -> Moved | None:
    """Return how the forecast of a period moved; None where either day has none of it.

    causes, ends : the month's tables `changes_forecast` and `changes_forecast_ends`. chances : whether those of
    reaching plan may be told; where an alarm stands against the forecast they may not. level : `company`, or `segment`,
    of which the tables then hold one.
    """
    both = ends[(ends["target_period"] == period) & (ends["level"] == level)]
    if both.empty:
        return None
    rows = causes[(causes["target_period"] == period) & (causes["level"] == level)]
    causes, chances = rows[rows["amount"].abs() >= CENT], chances and bool(rows["points"].notna().any())
    return Moved(ends=sources.row(both), causes=causes, company=company, chances=chances)


CENT = 0.005
"""What moved less is left out."""


def causes_waterfall(moved: Moved | None, *, as_of: Any) -> Chart | Statement:
    """Draw the causes from the earlier forecast to today's."""
    if moved is None:
        return empty(*NO_EARLIER)
    record = prepare_waterfall(moved)
    money = wording.in_currency(moved.company.currency)
    return chart(
        record,
        draw_waterfall,
        describe_causes(moved, record),
        table=record.rows.assign(bar=record.names),
        heads={name: head for name, head in HEADS.items() if name != "points" or moved.chances},
        company=moved.company,
        as_of=as_of,
        formats={"amount": money, "points": wording.in_points},
        by="y",
    )


def prepare_waterfall(moved: Moved) -> Waterfall:
    """Return the bars: the earlier forecast, each cause, today's."""
    ends, causes = moved.ends, moved.causes
    bars = [
        {"bar": "start", "amount": sources.bare(ends["before"]), "points": np.nan, "deals": 0},
        *causes.assign(bar=causes["cause"])[list(HEADS)].to_dict("records"),
        {"bar": "end", "amount": sources.bare(ends["after"]), "points": np.nan, "deals": 0},
    ]
    rows = sources.named(pd.DataFrame(bars), "what_moved")
    amounts = rows["amount"].to_numpy(float)
    is_end = rows["bar"].isin(["start", "end"]).to_numpy()
    level = np.cumsum(np.where(rows["bar"] == "end", 0.0, amounts))
    days = [wording.day(ends[name]).rsplit(" ", 1)[0] for name in ("since", "as_of")]
    return Waterfall(
        rows=rows,
        names=[days[0], *(CAUSE_WORDS[cause] for cause in causes["cause"]), days[1]],
        before=np.where(is_end, 0.0, level - amounts),
        after=np.where(is_end, amounts, level),
        booked=np.zeros(len(rows)),
        is_end=is_end,
        period=str(ends["target_period"]),
        company=moved.company,
    )


def causes_deals(moved: Moved | None, deals: pd.DataFrame, *, most: int = 12) -> Folds:
    """List the deals behind each cause, the largest first, folded away; no owner is named.

    deals : the month's table `changes_forecast_deals`. most : deals shown a cause; the rest is in the file.
    """
    if moved is None:
        return Folds([])
    money = wording.in_currency(moved.company.currency)
    formats: dict[str, Format] = dict.fromkeys(("amount", "expected_before", "expected_after"), money)
    deals = deals[deals["target_period"] == moved.ends["target_period"]]
    heads = {**DEAL_HEADS, **MOVED_HEADS}
    parts = []
    for cause in sources.records(moved.causes):
        rows = deals[deals["cause"] == cause["cause"]]
        if len(rows):
            view = TableView(rows, deals_caption(cause), columns=heads, formats=formats, most=most)
            parts.append((deals_line(cause, company=moved.company), view))
    return Folds(parts, deals_lead(str(moved.ends["target_period"])) if parts else "")


# -- sentences ------------------------------------------------------------------------------------------

CAUSE_WORDS = {
    "won": "won",
    "lost": "lost",
    "stage": "stage moved",
    "close_date": "date moved",
    "amount": "amount changed",
    "older": "time passed",
    "created": "created since",
    "not_yet_created": "not yet created",
    "learned": "model learned",
    "restated": "all else",
}
"""How each cause is called at its bar."""
assert tuple(CAUSE_WORDS) == CAUSES
CAUSE_WORDS = {RATES: "exchange rates", **CAUSE_WORDS}

_WHAT = {
    RATES: "the plan rates of the new fiscal year",
    "won": "deals won, against what was expected of them",
    "lost": "deals lost",
    "stage": "open deals that moved on a stage, or back",
    "close_date": "close dates that moved",
    "amount": "amounts that changed",
    "older": "time that passed over open deals",
    "created": "deals created since",
    "not_yet_created": "deals not yet created",
    "learned": "what the model learned",
    "restated": "deals recorded late, reopened, or passed to another owner or segment",
}

HEADS = {"bar": "cause", "amount": "amount", "points": "points of the chance of plan", "deals": "deals"}
MOVED_HEADS = {"amount": "moved the forecast by", "expected_before": "expected then", "expected_after": "now"}
"""What stands over the columns of each table."""

NO_EARLIER = ("What moved the forecast shows from the second month on", "The forecasts of two days are needed")


def moved_sentence(moved: Moved | None) -> str:
    """Return the forecast then and now: `Computed as of 30 September, the forecast …; now …`; empty where not known.

    The earlier one was computed today, from what was known then: no report need have held it.
    """
    if moved is None:
        return ""
    ends, currency = moved.ends, moved.company.currency

    def expected(amount: str, chance: str) -> str:
        text = wording.money(ends[amount], currency=currency)
        plan = (
            f" ({wording.chance(ends[chance])} likely to reach plan)"
            if moved.chances and wording.known(ends[chance])
            else ""
        )
        return f"{text}{plan}"

    before, after = expected("before", "chance_before"), expected("after", "chance_after")
    return then_and_now(before, after, day=ends["since"], period=str(ends["target_period"]))


def causes_sentence(moved: Moved | None, *, most: int = 2) -> str:
    """Return the causes that took most and those that brought most, with their amounts and points, in one sentence."""
    if moved is None or moved.causes.empty:
        return ""
    causes = sorted(sources.records(moved.causes), key=lambda cause: -abs(cause["amount"]))
    taken, brought = ([c for c in causes if (c["amount"] > 0) is up][:most] for up in (False, True))
    parts = [
        f"{verb} by {wording.joined(_moved_by(cause, moved) for cause in side)}"
        for verb, side in (("lowered", taken), ("raised", brought))
        if side
    ]
    many = len(causes) > len(taken) + len(brought)
    return wording.sentence(f"it was {'; '.join(parts)}{'; the chart has all causes' if many else ''}")


def _moved_by(cause: Mapping[str, Any], moved: Moved) -> str:
    amount = wording.money(abs(cause["amount"]), currency=moved.company.currency)
    told = moved.chances and wording.known(cause["points"])
    points = f", {wording.points(cause['points'], short=True)}" if told else ""
    return f"{_WHAT[cause['cause']]} ({amount}{points})"


def describe_causes(moved: Moved, record: Waterfall) -> Caption:
    """Return the words of the waterfall of causes."""
    currency = moved.company.currency
    unit = wording.axis_unit(record.largest, currency=currency)[1]
    rows = sources.records(record.rows)
    before, after = (wording.money(moved.ends[name], currency=currency) for name in ("before", "after"))
    same = sources.plain(before) == sources.plain(after)
    way = "" if same else "rose" if moved.ends["after"] > moved.ends["before"] else "fell"
    title = f"The forecast of {record.period} " + (
        f"is {after}, as before{_chance_moved(moved)}" if same else f"{way} from {before} to {after}"
    )
    return Caption(
        title=title,
        subtitle=f"Expected bookings of {record.period}, {unit}; the bars between the two days sum to the difference",
        description=f"{title}. "
        + " ".join(
            f"{name}: {wording.money(row['amount'], currency=currency)}."
            for name, row in zip(record.names, rows, strict=True)
        ),
        tooltips=[
            wording.listed(
                name,
                wording.named_amount("", row["amount"], currency=currency, sign=not is_end),
                wording.points(row["points"], short=True) + " of the chance of plan"
                if moved.chances and wording.known(row["points"])
                else "",
                wording.plural(row["deals"], "deal") if row["deals"] else "",
            )
            for name, is_end, row in zip(record.names, record.is_end, rows, strict=True)
        ],
    )


def _chance_moved(moved: Moved) -> str:
    """Return how the chance of plan moved where the amount did not; empty where that is not known, or as before."""
    before, after = moved.ends["chance_before"], moved.ends["chance_after"]
    if not moved.chances or not (wording.known(before) and wording.known(after)):
        return ""
    then, now = wording.chance(before), wording.chance(after)
    if sources.plain(then) == sources.plain(now):
        return ""
    return f"; the chance of plan {'rose' if after > before else 'fell'} from {then} to {now}"


def deals_lead(period: str) -> str:
    """Return the line over the lists: which deals are in them."""
    return f"The deals behind each bar, whether due in {wording.month(period)} or not:"


def deals_line(cause: Mapping[str, Any], *, company: Company) -> str:
    """Return the line behind which the deals of a cause are folded away: `lost: 156 deals, −€1.10 m`."""
    amount = wording.money(cause["amount"], currency=company.currency, sign=True)
    name = WHICH.get(cause["cause"], CAUSE_WORDS[cause["cause"]])
    return f"{name}: {wording.plural(cause['deals'], 'deal')}, {amount}"


WHICH = {
    "won": "won, of those known before",
    "lost": "lost, of those known before",
    "created": "created since, and open or booked in it",
}
"""Which deals are behind a bar whose name alone would mean more of them: one created and lost since moves nothing."""


def deals_caption(cause: Mapping[str, Any]) -> str:
    """Return the caption of the deals of a cause."""
    return sources.capitalised(_WHAT[cause["cause"]])
