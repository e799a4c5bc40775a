"""The sentences on what each step of forecasting adds, what people change, and wins that nobody saw coming.

A difference is called one only where its corrected p-value is at most .05; for everything else chance could have made
it, and what could not be tested has too few months to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.pages.track.prepare import LUCK
from forecast.reporting.pages.track.sentences import model_name
from forecast.reporting.pages.value_added.prepare import Ladder, is_joint, joint_rows, verdict, verdicts

Columns = tuple[dict[str, str], dict[str, Callable[[Any], str]]]

_KINDS = {
    "up small": "small upward changes",
    "up large": "large upward changes",
    "down small": "small downward changes",
    "down large": "large downward changes",
}


# -- the ladder -----------------------------------------------------------------------------------------


def ladder_finding(table: pd.DataFrame) -> str:
    """Return how many steps add accuracy and how many take it away, beyond chance; table as `value_added` gives it."""
    if table.empty:
        return "There are no two forecasts of the same months yet"
    # Joint next to sales' forecasts shows who was closer; counted as a step it would read as an effect of planning.
    steps_only = table[~joint_rows(table)]
    if steps_only.empty:
        return "Only joint and sales’ forecasts can be compared; that is no effect of planning together"
    found = verdicts(steps_only)
    if set(found) == {"untested"}:
        return "Too few months to tell what any step adds"
    better, worse, steps = found.count("better"), found.count("worse"), len(found)
    if not better and not worse:
        return "No step adds or takes away accuracy beyond chance"
    if not worse:
        return f"{_counted(better, steps)} {'adds' if better == 1 else 'add'} accuracy beyond chance"
    if not better:
        return f"{_counted(worse, steps)} {'takes' if worse == 1 else 'take'} accuracy away, none adds any"
    return f"{_counted(better, steps)} {'adds' if better == 1 else 'add'} accuracy, {wording.spelt(worse)} " + (
        "takes it away" if worse == 1 else "take it away"
    )


def ladder_sentences(table: pd.DataFrame) -> list[str]:
    """Return a sentence a step, then how the steps were tested and what people's steps do not show."""
    sentences = [step_sentence(row) for row in table.to_dict("records")]
    if not sentences:
        return ["What a step adds shows once two forecasts of the same months have settled."]
    tests = int(table["p_holm"].notna().sum())
    if tests > 1:
        sentences.append(
            f"{wording.spelt(tests).capitalize()} comparisons were tested; a difference is named only where it is too "
            f"large to be luck, allowing for {wording.spelt(tests)} tries."
        )
    if (table["lag"] > 0).any():
        sentences.append(LAG_CAVEAT)
    if joint_rows(table).any():
        sentences.append(JOINT_CAVEAT)
    return sentences


LAG_CAVEAT = (
    "We compare people with the model’s forecast of the month end before theirs: they could have had it, and it knew "
    "up to a month less. Each comparison uses only the months that both have, so one forecast’s miss differs a little "
    "from comparison to comparison."
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
    before = _of(row["before"]) + (" of the month end before" if row["lag"] else "")
    miss, miss_before = wording.percent(row["wape"]), wording.percent(row["wape_before"])
    months = wording.plural(row["months"], "month").replace("1 month", "one month")
    found = verdict(row)
    if found == "unclear":
        return f"We cannot tell {_of(row['step'])} from {before}: they miss by {miss} and {miss_before} in {months}."
    both = f"{_the(row['step'])} misses by {miss}, {before} by {miss_before}"
    if found == "untested":
        return f"{both}; too few months to tell ({months})."
    return f"{both}: {_gap(row['added'])} {'less' if found == 'better' else 'more'} in {months}."


def step_note(row: Mapping[Any, Any]) -> str:
    """Return the label of a step in the chart: `23 points less than stage-weighted`."""
    found, before = verdict(row), _of(row["before"]) + (", a month older" if row["lag"] else "")
    if found == "untested":
        return f"too few months to tell from {before}"
    if found == "unclear":
        return f"no clear difference from {before}"
    note = f"{_gap(row['added'], short=True)} {'less' if found == 'better' else 'more'} than {before}"
    return f"{note}; no effect of planning together" if is_joint(row) else note


def describe_ladder(steps: Ladder) -> Caption:
    """Return the words of the chart of steps."""
    title = ladder_finding(steps.table)
    tips = ((step_name(row), wording.named_share("misses by", row["wape"]), step_note(row)) for row in steps.rows)
    return Caption(
        title=title,
        subtitle="Miss as a share of what was booked (WAPE), each segment’s months; lower is better",
        description=f"{title}. " + " ".join(ladder_sentences(steps.table)),
        tooltips=[wording.listed(*parts) for parts in tips],
    )


# -- people ---------------------------------------------------------------------------------------------


def habits_finding(table: pd.DataFrame) -> str:
    """Return who forecasts too high or too low beyond chance; table as `habits` gives it by submitter."""
    if table.empty:
        return "Nobody's forecasts have settled yet"
    tested = table[table["p_holm"].notna() & table["bias"].notna()]
    if tested.empty:
        return "Too few months to tell whether anybody forecasts too high or too low"
    clear = tested[(tested["p_holm"] <= LUCK) & (tested["bias"] * tested["statistic"] > 0)]
    if clear.empty:
        return "Nobody forecasts too high or too low beyond chance"
    parts = []
    for high, way in ((True, "high"), (False, "low")):
        rows = clear[(clear["bias"] > 0) == high]
        if len(rows):
            who = wording.joined(wording.label(name) for name in rows["submitter"])
            sizes = wording.joined(wording.percent(abs(bias)) for bias in rows["bias"])
            parts.append(f"{who} {'forecasts' if len(rows) == 1 else 'forecast'} too {way}, by {sizes}")
    finding = "; ".join(parts)
    return finding[0].upper() + finding[1:]


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


# -- late wins ------------------------------------------------------------------------------------------


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


# -- columns of the tables ------------------------------------------------------------------------------


def luck(p_holm: float) -> str:
    """Return whether luck could have made a difference, `yes` or `no`; `too few months` where it was not tested."""
    return "too few months" if not wording.known(p_holm) else "yes" if p_holm > LUCK else "no"


def more(value: float) -> str:
    """Return a difference of misses in points, with its sign."""
    return wording.points(value, short=True)


def signed(value: float) -> str:
    """Return a share as a percentage with its sign."""
    return wording.percent(value, sign=True)


HABITS: Columns = (
    {"submitter": "submitter", "n": "forecasts", "bias": "bias", "share_over": "too high", "wape": "miss (WAPE)"}
    | {"p_holm": "could be luck?"},
    dict.fromkeys(("share_over", "wape"), wording.whole) | {"bias": signed, "p_holm": luck},
)
"""Headers and formats of what `habits` gives by submitter."""

ADJUSTMENTS: Columns = (
    {"submitter": "submitter", "kind": "change", "n": "forecasts", "share_better": "closer than the model"}
    | {"wape_before": "its miss", "wape": "their miss", "p_holm": "could be luck?"},
    dict.fromkeys(("share_better", "wape_before", "wape"), wording.whole) | {"p_holm": luck},
)
"""Headers and formats of what `adjustments` gives."""


def late_columns(company: Company) -> Columns:
    """Return headers and formats of what `late_wins` gives."""
    names = {"quarter": "quarter", "won": "deals won", "late": "late"}
    names |= {"won_amount": "amount won", "late_amount": "late amount", "late_amount_share": "late, of amount"}
    amounts = dict.fromkeys(("won_amount", "late_amount"), wording.in_currency(company.currency))
    return names, {**amounts, "late_amount_share": wording.percent}


# -- how ------------------------------------------------------------------------------------------------


def _counted(part: int, count: int) -> str:
    counted = wording.of_all(part, count, "step")
    return counted[0].upper() + counted[1:]


def _gap(added: float, *, short: bool = False) -> str:
    if abs(added) < 0.005:
        return "less than 1 point" if short else "less than 1 percentage point"
    return wording.points(abs(added), sign=False, short=short)


def _of(model: str) -> str:
    name = model_name(str(model))
    return f"the {name}" if name == "joint forecast" else name


def _the(model: str) -> str:
    name = _of(model)
    return name[0].upper() + name[1:]
