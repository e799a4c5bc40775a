"""Every sentence of the explorer: findings and captions of its charts, and what stands on its widgets and in its notes.

A function or a template for each; numbers are written by `wording`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.errors import DataError, ForecastError
from forecast.evaluation.planning.verdict import interval_words
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.explorer.scenario import CENT, ranges_differ
from forecast.reporting.pages.bookings.sentences import who
from forecast.reporting.pages.planning.prepare import mean_change
from forecast.reporting.pages.track.lately_sentences import company_alarm, what_happened

LEVER_WORDS = {
    "leads": "marketing's pipeline",
    "win_rate": "win rate",
    "cycle_time": "cycle time",
    "slippage": "slippage",
    "deals": "deals set by hand",
}
LABELS = {"base": "base", "scenario": "scenario", "range80": "80 % range"}
"""What is written in the picture of the months."""

WHAT_IF_HEADS = {
    "period": "month",
    "base": "base",
    "base_q10": "base low (80 %)",
    "base_q90": "base high (80 %)",
    "scenario": "scenario",
    "q10": "scenario low (80 %)",
    "q90": "scenario high (80 %)",
}
SHARES_HEADS = {"lever": "lever", "moved": "moved by", "change": "change"}
PIPELINE_HEADS = {"month": "month", "deals": "deals", "amount": "amount", "expected_amount": "expected in the end"}
STAGES_HEADS = {"stage": "stage", "deals": "deals", "amount": "amount", "expected_amount": "expected in the end"}
DEALS_HEADS = {
    "opportunity_id": "deal",
    "segment": "segment",
    "stage": "stage",
    "product": "product",
    "amount": "amount",
    "p_win": "chance to win",
    "factors": "for and against, strongest first",
}
"""What stands over the columns of each table."""

STAGES_CAPTION = "Open deals by stage"
CAVEAT = "It says what the forecast would be if the levers moved, not that they can be moved."
STILL_OFF = "the base and the scenario are both this model’s"
NOT_NARROWED = (
    "The forecast, its range and the shares of the levers are of all products: what is booked and what is not yet "
    "created is forecast by segment alone."
)
PRODUCT_NOTE = f"The product narrows the open pipeline and the deals. {NOT_NARROWED}"
TOO_THIN = "The data are too thin for a what-if."
STARTS = {
    True: "Joint planning starts: the range moves, bookings do not.",
    False: "Joint planning does not start.",
}
NO_DEAL = "No deal is open here"
INTERRUPTED = "The computation was interrupted; any control asks for it again."
NOT_SAVED = "Not saved."

# -- what stands on the widgets -------------------------------------------------------------------------

WIDGETS = {
    "as_of": "As of",
    "segment": "Segment",
    "product": "Product",
    "name": "Name",
    "a name": "a name",
    "save": "Save scenario",
    "joint": "Start joint planning",
    "work out": "Work it out now",
    "working": "Working it out …",
    "reset": "All levers back",
    "saved": "Saved",
    "load": "Load",
    "delete": "Delete",
    "really": "Delete {}?",
    "find": "Find",
    "any word": "any word: deal, stage, owner, factor",
    "stage": "Stage",
    "owner": "Owner",
    "order": "Order",
    "take": "Take the chosen deal as",
}
TABS = ("What if", "Pipeline", "Deals", "Scenarios")
ALL_PRODUCTS, ALL_STAGES, ALL_OWNERS = "all products", "every stage", "everybody"
LARGEST_FIRST, SMALLEST_FIRST = "largest or latest first", "smallest or earliest first"
SLIDERS = {
    "leads": ("Marketing's pipeline", "pipeline still to be created from marketing's leads"),
    "win_rate": ("Win rate", "chances to win, of open deals and of deals to come"),
    "cycle_time": ("Cycle time", "time until a deal is won"),
    "slippage": ("Slippage, months", "months by which open deals are won later"),
}
"""What stands at each slider, and what it moves."""

SORTS = {
    "amount": "Amount",
    "expected_amount": "Expected amount",
    "p_win": "Chance to win",
    "expected_close_on": "Expected close",
    "created_on": "Created",
    "opportunity_id": "Deal",
}
"""What deals are sorted by, and how it is called."""

LIST_HEADS = ("", "Deal", "Segment", "Stage", "Product", "Owner", "Close", "Amount", "Chance")
OVERDUE, LATER, UNDATED = "overdue", "later", "no date"
AS_FORECAST, WON, LOST = "as forecast", "won", "lost"
NO_FIT = "No open deal fits."
REASONS = "What speaks for it (+) and against it (−), strongest first:"

NO_MARKETING = "No pipeline is known to be marketing's: a marketing table would bring the first lever."
NOT_LOOKED = "Whether planning together changed forecast errors has not been worked out for this day."
ALL_PLAN_JOINTLY = "Not offered: every segment plans jointly already."


# -- charts ---------------------------------------------------------------------------------------------


def describe_what_if(rows: pd.DataFrame, *, segment: str, company: Company, largest: float) -> Caption:
    """Return the words of the months with and without the levers; rows : of one segment of `Scenario.table`."""
    currency, title = company.currency, finding(rows, segment=segment, company=company)
    unit = wording.axis_unit(largest, currency=currency)[1]
    tooltips = [
        wording.listed(
            wording.month(row["period"]),
            wording.named_amount("base", row["base"], currency=currency),
            wording.named_amount("scenario", row["scenario"], currency=currency),
            wording.named_range(row["q10"], row["q90"], currency=currency),
        )
        for row in sources.records(rows)
    ]
    return Caption(
        title=title,
        subtitle=f"Expected bookings by month, {unit}, {who(segment)}; grey: base, blue: scenario; lines: 80 % range",
        description=f"{title}. Two bars a month: the base and the scenario, each with its 80 % range.",
        tooltips=tooltips,
    )


def finding(table: pd.DataFrame, *, segment: str, company: Company) -> str:
    """Return the sentence of a what-if: by how much the months together change."""
    rows = table[table["segment"] == segment]
    before, after = sources.total(rows, "base"), sources.total(rows, "scenario")
    months = wording.plural(sources.count(rows), "month")
    if abs(after - before) < CENT:
        lever = "that moves bookings " if ranges_differ(rows) else ""
        return f"No lever {lever}is moved: {wording.money(before, currency=company.currency)} in {months}"
    change = wording.money(abs(after - before), currency=company.currency)
    moves = f"add {change} to" if after > before else f"take {change} from"
    return f"The levers {moves} {months}: {wording.money(after, currency=company.currency)} in all"


ASSUMED = {
    "leads": "marketing's pipeline still to come were {} {}",
    "win_rate": "every chance to win were {} {}",
    "cycle_time": "the time to a win were {} {}",
    "slippage": "open deals were won later",
    "deals": "open deals ended as set by hand",
}
"""What a moved lever supposes, by how much and in which direction."""


def supposed(change: str, rows: pd.DataFrame) -> str:
    """Return a what-if's finding behind what it supposes: `If every chance to win were 10 % higher, the levers add …`.

    change : as `finding` gives it. rows : lever, moved and change, as `lever_rows` gives them; levers that bring
    nothing are left out.
    """
    words = {name: lever for lever, name in LEVER_WORDS.items()}
    parts = []
    for row in sources.records(rows[rows["change"].abs() >= CENT]):
        lever, moved = words[row["lever"]], row["moved"]
        more, less = ("longer", "shorter") if lever == "cycle_time" else ("higher", "lower")
        parts.append(ASSUMED[lever].format(wording.percent(abs(moved)), more if moved > 0 else less))
    return f"If {wording.joined(parts)}, {change[:1].lower()}{change[1:]}" if parts else change


def caveat(alarms: pd.DataFrame | None) -> str:
    """Return what qualifies a what-if, an alarm on the company's forecast first.

    alarms : the month's table; None where it is not there.
    """
    alarm = None if alarms is None else company_alarm(alarms)
    if alarm is None:
        return CAVEAT
    return f"{wording.sentence(f'{what_happened(alarm)}; {STILL_OFF}')} {CAVEAT}"


def describe_shares(rows: pd.DataFrame, *, segment: str, company: Company, largest: float) -> Caption:
    """Return the words of the levers' shares; rows : lever (in words), moved, change."""
    currency, title = company.currency, shares_finding(rows, currency=company.currency)
    unit = wording.axis_unit(largest, currency=currency)[1]
    return Caption(
        title=title,
        subtitle=f"Share of each lever in the change of all months, {unit}, {who(segment)}",
        description=f"{title}. Bars by lever add up to the change.",
        tooltips=[
            wording.listed(name, share_label(amount, currency=currency))
            for name, amount in zip(rows["lever"], sources.column(rows, "change"), strict=True)
        ],
    )


def shares_finding(rows: pd.DataFrame, *, currency: str) -> str:
    """Return which levers are moved and what they bring: `Win rate +10 % and slippage together bring €1.2 m`."""
    some = rows[rows["change"].abs() >= CENT]
    moved = list(some["lever"])
    if not moved:
        return "No lever is moved"
    shares = [wording.named_share("", share, sign=True) for share in sources.column(some, "moved")]
    change = sources.total(rows, "change")
    verb = "bring" if change >= 0 else "cost"
    if len(moved) > 1:
        verb = f"together {verb}"
    elif moved != [LEVER_WORDS["deals"]]:  # the deals are many, every other lever is one
        verb += "s"
    named = wording.joined(f"{lever} {share}".strip() for lever, share in zip(moved, shares, strict=True))
    return f"{named[0].upper()}{named[1:]} {verb} {wording.money(abs(change), currency=currency)}"


def share_label(amount: float, *, currency: str) -> str:
    """Return what is written at the bar of a lever."""
    return wording.money(amount, currency=currency, sign=True)


def describe_pipeline(rows: pd.DataFrame, *, whose: str, company: Company, largest: float) -> Caption:
    """Return the words of the open pipeline; rows : month, deals, amount, expected_amount."""
    currency, title = company.currency, pipeline_finding(rows, company=company)
    unit = wording.axis_unit(largest, currency=currency)[1]
    return Caption(
        title=title,
        subtitle=f"Open deals by month of expected close, {unit}, {whose}; grey: amount, blue: expected in the end",
        description=f"{title}. A bar a month of expected close, and within it what its deals should bring in the end.",
        tooltips=[
            wording.listed(
                wording.month(row["month"]),
                wording.named_amount(f"{wording.plural(row['deals'], 'deal')},", row["amount"], currency=currency),
                wording.named_amount("expected in the end", row["expected_amount"], currency=currency),
            )
            for row in sources.records(rows)
        ],
    )


def pipeline_finding(table: pd.DataFrame, *, company: Company) -> str:
    """Return how much is open, and what it is expected to bring in the end."""
    count, amount, expected = (sources.total(table, name) for name in ("deals", "amount", "expected_amount"))
    if not count:
        return NO_DEAL
    deals, verb = wording.plural(count, "open deal"), "holds" if count == 1 else "hold"
    held = f"{verb} {wording.money(amount, currency=company.currency)}"
    if not _any_known(table, "amount"):
        held = f"{verb} an amount that is not known"
    if not _any_known(table, "expected_amount"):
        return f"{deals} {held}; what {'it' if count == 1 else 'they'} should bring in the end is not known"
    return f"{deals} {held} and should bring {wording.money(expected, currency=company.currency)} in the end"


def _any_known(table: pd.DataFrame, column: str) -> bool:
    """Say whether a column is known in any row that has deals."""
    return bool(table.loc[table["deals"] > 0, column].notna().any())


# -- deals ----------------------------------------------------------------------------------------------


def whose_deals(segment: str, product: str) -> str:
    """Return whose deals are shown: `all segments`, `North, Basic`."""
    return f"{who(segment)}, {wording.label(product)}" if product else who(segment)


def deals_caption(rows: pd.DataFrame, whose: str) -> str:
    """Return the caption of the largest open deals, those of `rows`."""
    return f"The {wording.number(sources.count(rows))} largest open deals, {whose}"


def counted(deals: pd.DataFrame, *, currency: str, most: int) -> str:
    """Return how many deals the filters leave, and what they are worth; most : how many of them are listed."""
    if deals.empty:
        return NO_FIT
    amount, expected = (deals[name].sum(min_count=1) for name in ("amount", "expected_amount"))
    worth = wording.money(amount, currency=currency) if wording.known(float(amount)) else "amount not known"
    sentence = f"{wording.plural(len(deals), 'open deal')}, {worth}"
    if wording.known(float(expected)):
        wins = wording.number(float(deals["p_win"].sum()), digits=2)
        worth = wording.money(expected, currency=currency)
        sentence += f"; by the chances {wins} of them are won in the end and bring {worth}"
    return sentence + (f". The first {most} are listed." if len(deals) > most else ".")


def no_chance(deal: str) -> str:
    """Return that the chance of a deal is not known."""
    return f"{deal}: the chance to win is not known."


def chance(deal: str, p_win: float) -> str:
    """Return how likely a deal is won in the end."""
    return f"{wording.label(deal)} is won in the end with a chance of {wording.odds(p_win)}."


def by_end_of(month: str) -> str:
    """Return what stands at the chance of a deal to be won by the end of a month."""
    return f"by the end of {wording.short_month(month)}"


def product_sentence(product: str, *, segment: str, before: float, after: float, months: int, currency: str) -> str:
    """Return what the open deals of a product are expected to bring, in the base and with the levers moved."""
    bring = f"bring {wording.money(before, currency=currency)} in {months} months"
    scenario = f", {wording.money(after, currency=currency)} in the scenario" if abs(after - before) >= CENT else ""
    return f"Open deals of {wording.label(product)} in {who(segment)} {bring}{scenario}."


def deals_by_hand(won: Sequence[str], lost: Sequence[str]) -> str:
    """Return which deals are set by hand."""
    parts = [f"{wording.joined(ids, most=4)} taken as {how}" for ids, how in ((won, WON), (lost, LOST)) if ids]
    return f"Deals: {'; '.join(parts)}." if parts else "No deal is set by hand; the tab Deals sets one."


def command(as_of: str, file: object) -> str:
    """Return the command that makes a report of a saved scenario."""
    return f"forecast report --data DIR --as-of {as_of} --scenario {file}"


def not_worked_out(error: BaseException) -> str:
    """Return why there is nothing to be shown."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, DataError):
        return f"{wording.sentence(error.problem.what)} {wording.sentence(error.problem.mend)}".strip()
    if isinstance(error, ForecastError):
        return wording.sentence(str(error))
    return f"This could not be worked out: {type(error).__name__}: {wording.sentence(str(error))}"


# -- scenarios side by side ------------------------------------------------------------------------------

AS_MOVED = "as moved now"
"""What the levers are called that stand as they are, and are not saved."""

WITHOUT_JOINT = "joint planning does not start here; the range is the one without it"
NONE_SAVED = "No scenario is saved here yet: move levers in the tab What if, and save them under a name."
NONE_COMPARED = "No scenario that is saved can be compared."
CHOOSE = "Chosen are compared with the base; with none chosen, the first {}. Several with Ctrl or Shift."
LOADED = "The levers stand as saved under this name."
NOT_LOADED = "Not loaded."
DELETED = "Deleted."
COMPARED_CAPTION = "Scenarios side by side"
COMPARED_ROWS = {
    "all": "{}, expected",
    "range": "80 % range",
    "change": "difference to base",
    "share": "of it {}",
}
"""The rows of the table of scenarios."""

BOOKINGS = "bookings"
COMPARED_HEADS = {
    "scenario": "scenario",
    "mean": "expected",
    "q10": "low (80 %)",
    "q90": "high (80 %)",
    "change": "difference to base",
}


def all_months(months: int) -> str:
    """Return what stands at the row of all months together."""
    return COMPARED_ROWS["all"].format(wording.plural(months, "month"))


def compared_finding(whole: pd.DataFrame, *, months: int, currency: str) -> str:
    """Return by how much scenarios differ from the base; whole : scenario, mean, change of all months, base first."""
    rows = whole.iloc[1:]
    if rows.empty:
        return NONE_COMPARED.removesuffix(".")
    parts = [
        f"{row['scenario']} {_adds(row['change'], currency=currency)}"
        for row in sources.records(rows.sort_values("change", ascending=False, kind="stable"))
    ]
    more = parts if len(parts) <= 3 else [parts[0], parts[-1]]  # best and worst
    return f"In {wording.plural(months, 'month')}, {wording.joined(more)}"


def _adds(change: float, *, currency: str) -> str:
    if abs(change) < CENT:
        return "changes nothing"
    return f"{'adds' if change > 0 else 'takes'} {wording.money(abs(change), currency=currency)}"


def describe_compared(whole: pd.DataFrame, *, months: int, segment: str, company: Company, largest: float) -> Caption:
    """Return the words of scenarios side by side; whole : scenario, mean, q10, q90, change of all months."""
    currency = company.currency
    title = compared_finding(whole, months=months, currency=currency)
    unit = wording.axis_unit(largest, currency=currency)[1]
    return Caption(
        title=title,
        subtitle=f"Expected bookings of {wording.plural(months, 'month')}, {unit}, {who(segment)}; lines: 80 % range",
        description=f"{title}. A point a scenario with its 80 % range, and a line where the base is.",
        tooltips=[
            wording.listed(
                row["scenario"],
                wording.named_amount("", row["mean"], currency=currency),
                wording.named_range(row["q10"], row["q90"], currency=currency),
            )
            for row in sources.records(whole)
        ],
    )


def compared_label(row: Mapping[Any, Any], *, currency: str) -> str:
    """Return what is written at the point of a scenario: its amount, and the difference to the base."""
    amount = wording.money(row["mean"], currency=currency)
    if abs(row["change"]) < CENT:
        return amount
    return f"{amount} ({wording.money(row['change'], currency=currency, sign=True)})"


def about(name: str, why: str, *, left_out: bool) -> str:
    """Return why a scenario has no number, or what is to be known of its numbers."""
    return f"{name}: {'not compared: ' if left_out else ''}{wording.sentence(why)}"


# -- joint planning -------------------------------------------------------------------------------------


def not_offered(why: str) -> str:
    """Return why joint planning may not be moved."""
    return f"Not offered. {wording.sentence(why)}"


def joint_sentence(facts: Mapping[Any, Any], waiting: Iterable[str]) -> str:
    """Return what moving joint planning does; facts : the planning table's row. waiting : segments not begun."""
    change, low, high = mean_change(facts)
    moved = wording.change(change, up="rose by", down="fell by")
    shape = "narrower" if change < 0 else "wider"
    return (
        f"Mean errors of submitted forecasts {moved} where segments began, relative to those that had not "
        f"({interval_words(low, high)}). Once it is started, the range of "
        f"{wording.joined(waiting, most=4)} is drawn {wording.whole(abs(change))} {shape} around its median, as if the "
        "model's errors changed as those of people did; that is assumed. Bookings do not move: nothing says they would."
    )
