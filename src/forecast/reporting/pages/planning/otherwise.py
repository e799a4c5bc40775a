"""What the study of joint planning would read with other data: one sensitivity in words, and the verdict beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast import wording
from forecast.evaluation.planning.limits import LEFT_OUT_ASSIGNMENTS, otherwise
from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.verdict import interval_words
from forecast.reporting.charts.figure import Statement
from forecast.reporting.pages.planning import sentences
from forecast.reporting.pages.planning.prepare import draws, is_claimed

# -- sentences ----------------------------------------------------------------------------------------

WITHOUT, FIRST, ALL = "without {}", "with the first {} from each start on set aside", "with every segment and month"
READ = "{}: mean errors {} ({}); chance alone gives as much in {} cases"
READ_INTERVAL = "{}: no change is claimed ({}); chance alone gives as much in {} cases"
NOTHING = "{}: nothing can be told, for no arrangement of the starts that is left would be unlikely"
NO_STUDY = "There is no study that could be looked at otherwise."
NO_VERDICT = (
    "This is one of many ways to look at the same months, and no verdict: the checks of a claim are not made for it, "
    "and whoever looks at several until one reads as hoped has found nothing."
)
VERDICT = "The verdict, fixed before looking: {}"
CHANCE = "Had the starts been assigned at random, a change as large as the study’s would appear in {} cases."


def looked_at(
    row: Mapping[str, Any], panel: ErrorPanel | None, *, without: str = "", first: int = 0, seed: int
) -> Statement:
    """Return `otherwise_statement` of what `limits.otherwise` finds in a panel; without one, that there is none."""
    if panel is None:
        return Statement(NO_STUDY, kind="nothing")
    return otherwise_statement(
        row, otherwise(panel, without=without, first=first, seed=seed), without=without, first=first
    )


def otherwise_statement(
    row: Mapping[str, Any], figures: Mapping[str, float], *, without: str = "", first: int = 0
) -> Statement:
    """Return what one sensitivity reads, that it is no verdict, and the study's own verdict with its chance.

    row : the planning table's row. figures : of `limits.otherwise`. without, first : what it was asked with. A change
    is put as a number only where the study claims one; else its interval alone.
    """
    parts = [WITHOUT.format(wording.label(without))] if without else []
    parts += [FIRST.format(wording.plural(first, "month").removeprefix("1 "))] if first else []
    what = wording.joined(parts or [ALL])
    what = what[0].upper() + what[1:]
    change, low, high = (figures[name] for name in ("mean_change", "mean_interval_low", "mean_interval_high"))
    cases = wording.cases(figures["p_value"], draws=min(LEFT_OUT_ASSIGNMENTS, draws(row)))
    if not wording.known(change):
        said = NOTHING.format(what)
    elif is_claimed(row):
        said = READ.format(what, wording.change(change), interval_words(low, high), cases)
    else:
        said = READ_INTERVAL.format(what, interval_words(low, high), cases)
    answer, _ = sentences.parts(row)
    beside = [NO_VERDICT, VERDICT.format(answer)]
    if row.get("verdict") != "not identified" and wording.known(row.get("p_value")):
        beside.append(CHANCE.format(wording.cases(row["p_value"], draws=draws(row))))
    return Statement(f"{said}.", " ".join(beside), kind="note")
