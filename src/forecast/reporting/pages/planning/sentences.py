"""What joint planning did, in sentences: the verdict, what would change it, and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.evaluation.planning.verdict import placebo_contradicts, placebo_is_as_large, placebo_sentence
from forecast.reporting.pages.track.prepare import LUCK

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "bias": ("Bias", "forecast less booked, as a share of a usual month; above zero too much was promised"),
    "interval coverage": (
        "Ranges that held",
        "of the model’s 80 % ranges one to three months ahead; 80 % is promised",
    ),
    "win-probability calibration": (
        "Odds less wins",
        "wins expected at a month’s start less wins, per open deal; above zero the odds were too high",
    ),
    "slippage": ("Slipped deals", "open deals whose expected close moved later during the month"),
}
"""Secondary outcome -> how it is called on a page, what it measures and how to read it."""

_PARTS = {"before": "before the start", "after": "since the start", "not begun": "where it has not begun"}


def finding(row: Mapping[str, Any]) -> str:
    """Return the verdict as a title: never louder than the verdict."""
    change = row.get("relative_change")
    verdict = str(row.get("verdict", "not identified"))
    if verdict in ("improved", "worsened") and wording.known(change):
        return f"Forecast errors {wording.change(change)} when planning together"
    if verdict == "no detectable change":
        return "No detectable change in errors when planning together"
    return "Cannot tell whether planning together helped"


def parts(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the verdict's own sentence, and those that qualify it with what would change it."""
    first, stop, rest = str(row.get("sentence", "")).partition(". ")
    return first + (stop.strip() or ""), " ".join(part for part in (who_began(row), rest, next_step(row)) if part)


def brief(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the verdict's own sentence, and what would change it; a check that speaks against it is never left out."""
    first, _ = parts(row)
    warning = _warning(row)
    step = next_step(row)
    if row.get("verdict") == "no detectable change" and wording.known(row.get("detectable_change")):
        step = f"Only a large fall, {_size(row.get('detectable_change'))} or more, would most likely have shown."
        if decided := _decided(row):
            step += f" One segment less, {decided}, would turn the answer: there are too few to lean on it."
    return first, " ".join(part for part in (who_began(row), warning, step) if part)


def _warning(row: Mapping[str, Any]) -> str:
    """Return the sentence of a placebo that speaks against the verdict; empty where none does."""
    change, placebo, p = (float(row.get(name, np.nan)) for name in ("relative_change", "placebo", "placebo_p_value"))
    if row.get("verdict") == "not identified":
        return ""
    if placebo_contradicts(p):
        return placebo_sentence(change, placebo, p)
    same = placebo_is_as_large(change, placebo)
    return "Nearly the same difference was there before anybody began." if same else ""


def interval(row: Mapping[str, Any]) -> str:
    """Return the 95 % interval in words."""
    low, high = row.get("interval_low", -1.0), row.get("interval_high", np.inf)
    if not wording.known(high) and low <= -1:
        return "any change is possible"
    if not wording.known(high):
        return f"{wording.percent(low, sign=True)} upwards"
    if low <= -1:
        return f"down to no errors at all, up to {wording.percent(high, sign=True)}"
    return f"{wording.percent(low, sign=True)} to {wording.percent(high, sign=True)}"


def next_step(row: Mapping[str, Any]) -> str:
    """Return what would change the verdict."""
    verdict = str(row.get("verdict", ""))
    if "n_segments" not in row:
        return "The tables submitted_forecasts and joint_planning would let the data answer."
    if verdict == "not identified":
        said = "More segments that begin in different months, or some that have not begun, would let the data answer."
        twice = row.get("detectable_twice")
        if wording.known(twice):
            said += f" With {_twice(row)} segments like these a fall of {_size(twice)} would show."
        return said
    if verdict == "no detectable change":
        said = detectable_sentence(row)
        decided = _decided(row)
        if decided:
            said += f" Leaving out {decided} would turn the answer: with so few segments, lean on it neither way."
        return said
    decided = _decided(row)
    if decided:
        return f"The verdict hangs on single segments: without {decided} the data would show no detectable change."
    said = "Months after the starts that look like those before would move the number towards zero."
    if wording.known(row.get("left_out_low")):
        ends = [wording.percent(row[name], sign=True) for name in ("left_out_low", "left_out_high")]
        said += f" No single segment decides it: without any one of them it lies between {ends[0]} and {ends[1]}."
    return said


def detectable_sentence(row: Mapping[str, Any]) -> str:
    """Return how large a fall these data would have shown, and twice as many segments."""
    here, twice = row.get("detectable_change"), row.get("detectable_twice")
    wider = "More months after the starts, and segments that begin later, would narrow the interval."
    if wording.known(here):
        said = f"A fall of {_size(here)} would have shown in 4 of 5 such companies: that is unlikely, not excluded."
        more = f"With {_twice(row)} segments {_size(twice)} would be enough." if wording.known(twice) else wider
        return f"{said} {more}"
    if wording.known(twice):
        return f"With {_twice(row)} segments a fall of {_size(twice)} would show in 4 of 5 such companies."
    return wider


def power_finding(row: Mapping[str, Any]) -> str:
    """Return the title of how much these data could have shown."""
    here, twice = row.get("detectable_change"), row.get("detectable_twice")
    if wording.known(here):
        return f"A fall of {_size(here)} or more would most likely have shown"
    if wording.known(twice):
        return f"No fall would have shown; with {_twice(row)} segments one of {_size(twice)}"
    return "No fall, however large, would have shown"


def left_out_finding(row: Mapping[str, Any]) -> str:
    """Return the title of the effect without each segment in turn."""
    if not wording.known(row.get("left_out_low")):
        return "Whether one segment decides cannot be told"
    ends = [wording.percent(row[name], sign=True) for name in ("left_out_low", "left_out_high")]
    if decided := _decided(row):
        return f"Leaving out {decided} would turn the answer"
    return f"Leaving one out gives {ends[0]} to {ends[1]}"


def who_began(row: Mapping[str, Any]) -> str:
    """Return how many segments began and how many serve for comparison only."""
    if not wording.known(row.get("n_segments")) or not wording.known(row.get("n_adopting")):
        return ""
    began, count = int(row["n_adopting"]), int(row["n_segments"])
    still = count - began
    rest = f"{wording.spelt(still)} {'has not and serves' if still == 1 else 'have not and serve'} for comparison"
    said = f"{wording.of_all(began, count, 'segment')} {'has' if began == 1 else 'have'} begun"
    return wording.sentence(f"{said}; {rest}" if still and began else said)


def others(table: pd.DataFrame) -> tuple[str, str]:
    """Return what the secondary outcomes say: the finding, and how many were looked at and how they were corrected."""
    tested = table[table["verdict"] != "not identified"]
    changed = tested[tested["verdict"] == "changed"]
    if tested.empty:
        said = "Cannot tell whether anything else changed"
    elif changed.empty:
        said = "Nothing else changed beyond luck"
    else:
        each = [f"{row.outcome} by {wording.points(row.change)}" for row in changed.itertuples()]
        said = f"Something else changed: {wording.joined(each)}"
    missing = [f"{row.outcome} cannot be told ({row.reason})" for row in table.itertuples() if row.reason]
    more = ""
    if len(tested):
        count = f"{wording.spelt(len(tested))} {'outcome' if len(tested) == 1 else 'outcomes'}"
        more = f"{count.capitalize()} named in advance {'was' if len(tested) == 1 else 'were'} looked at."
        if len(tested) > 1:
            more += " Of several one may move by luck more easily; the last column allows for that."
    if missing:
        more += f" {wording.sentence('; '.join(missing))}"
    return f"{said}.", more.strip()


def others_shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the secondary outcomes as a reader wants them: outcome, before, after, change, interval, chance."""
    known = table["change"].notna()
    ends = [f"{_points(a)} to {_points(b)}" for a, b in zip(table["interval_low"], table["interval_high"], strict=True)]
    return pd.DataFrame(
        {
            "outcome": [OUTCOMES[str(name)][0] for name in table["outcome"]],
            "before": table["before"],
            "after": table["after"],
            "change": [_points(value) for value in table["change"]],
            "interval": pd.Series(ends, index=table.index, dtype="str").where(known, "cannot tell"),
            "chance": table["p_holm"],
        }
    )


def others_explained(table: pd.DataFrame) -> list[str]:
    """Return what each secondary outcome measures."""
    named = [OUTCOMES[str(name)] for name in table["outcome"]]
    return [f"{name}: {meaning}." for name, meaning in named]


def information(table: pd.DataFrame) -> tuple[str, str]:
    """Return what knowing marketing was worth to the model: the finding, and what it was before and after."""
    if table.empty:
        return "Cannot tell what knowing marketing was worth to the model.", "No month has forecasts of both models."
    said = [f"{_points(row.added, digits=1)} {_PARTS[row.when]}" for row in table.itertuples()]
    apart = table[(table["p_holm"] <= LUCK) & table["added"].notna()]
    if apart.empty:
        first = "Knowing marketing made no difference to the model beyond luck"
    else:
        each = [
            f"{wording.points(abs(row.added), sign=False)} {'off' if row.added > 0 else 'more'} {_PARTS[row.when]}"
            for row in apart.itertuples()
        ]
        first = f"Knowing marketing changed the model’s miss: {wording.joined(each)}"
    more = f"Points it took off the model’s miss: {'; '.join(said)}."
    return f"{first}.", f"{more} The three parts have different months: what differs between them is no effect."


def information_shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison as a reader wants it: when, n, wape_without, wape_with, added, p_holm."""
    return pd.DataFrame(
        {
            "when": [wording.sentence(_PARTS[str(when)]).rstrip(".") for when in table["when"]],
            "forecasts": table["n"],
            "without": table["wape_without"],
            "with": table["wape_with"],
            "added": [_points(value, digits=1) for value in table["added"]],
            "chance": table["p_holm"],
        }
    )


def luck(p_holm: Any) -> str:
    """Return whether luck could have made a change, for a column: `yes` or `no`."""
    return "–" if not wording.known(p_holm) else "yes" if p_holm > LUCK else "no"


def _decided(row: Mapping[str, Any]) -> str:
    """Return the segments without any of which the verdict would be another; empty where there is none."""
    names = str(row.get("decided_by") or "")
    return wording.joined([wording.label(name) for name in names.split(", ")], last="or", most=3) if names else ""


def _twice(row: Mapping[str, Any]) -> str:
    return f"{2 * int(row['n_segments']):,}"


def _size(value: Any) -> str:
    return wording.percent(abs(float(value)))


def _points(value: Any, *, digits: int = 0) -> str:
    """Return a difference of shares in points, such as `+5 points`; the sign as printed."""
    if not wording.known(value):
        return "unbounded" if value is not None and not np.isnan(float(value)) else "–"
    text = f"{abs(float(value)) * 100:.{digits}f}"
    sign = "" if float(text) == 0 else wording.MINUS if value < 0 else "+"
    return f"{sign}{text}"
