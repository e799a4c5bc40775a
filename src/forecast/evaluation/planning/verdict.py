"""The verdict in plain words: computed from the numbers, never typed, and never louder than they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from forecast.evaluation.planning.randomisation import ALPHA


def percent(value: float) -> str:
    """Write -0.274 as `-27 %`, 0 as `0 %`, 0.051 as `+5 %`."""
    if math.isnan(value):
        return "unknown"
    whole = round(100 * value)
    return f"{whole:+,} %" if whole else "0 %"


def share(p: float) -> str:
    """Write a p-value as `3 of 100 times`, below a hundredth per 10,000."""
    if p >= 0.01:
        return f"{round(100 * p):.0f} of 100 times"
    return f"{max(1, round(10_000 * p)):.0f} of 10,000 times"


def interval_words(interval: tuple[float, float]) -> str:
    """Write an interval on a relative change; open ends are named."""
    low, high = interval
    if low <= -1 and math.isinf(high):
        return "anything is possible"
    if math.isinf(high):
        return f"95 % interval {percent(low)} upwards, without an upper end"
    if low <= -1:
        return f"95 % interval up to {percent(high)}, without a lower end"
    return f"95 % interval {percent(low)} to {percent(high)}"


def sentence(
    *,
    verdict: str,
    change: float,
    interval: tuple[float, float],
    p_value: float,
    placebo: tuple[float, float],
    dip: tuple[float, float],
    reasons: Sequence[str],
) -> str:
    """Return the verdict with its number, its interval and its two checks."""
    if verdict == "not identified":
        text = f"Cannot tell whether planning jointly changed forecast errors: {'; '.join(reasons)}."
        if not math.isnan(change):
            text += (
                f" In the segments that began, errors relative to the benchmark changed by {percent(change)} from"
                " before to after; that is an association, from which no cause may be read."
            )
        return text
    opening = {
        "improved": f"Forecast errors fell by {abs(round(100 * change))} % when segments began to plan jointly",
        "worsened": f"Forecast errors rose by {abs(round(100 * change))} % when segments began to plan jointly",
        "no detectable change": f"No detectable change in forecast errors: {percent(change)} when segments began to"
        " plan jointly",
    }[verdict]
    text = f"{opening} ({interval_words(interval)})."
    text += f" With the start dates dealt out by lot, a change as large came out {share(p_value)}."
    return " ".join([text, *_checks(change, placebo, dip)])


def _checks(change: float, placebo: tuple[float, float], dip: tuple[float, float]) -> list[str]:
    out = []
    value, p = placebo
    if math.isnan(p):
        out.append("There are too few months before the starts for a placebo.")
    elif p <= ALPHA:
        out.append(
            f"But in the 7 to 12 months before the starts, when nothing had begun (placebo), the same comparison shows"
            f" {percent(value)} ({share(p)} by lot): distrust the number."
        )
    else:
        said = (
            f"In the 7 to 12 months before the starts, when nothing had begun (placebo), the same comparison shows"
            f" {percent(value)} ({share(p)} by lot)"
        )
        large = abs(value) >= abs(change) / 2 and round(100 * value) != 0
        out.append(f"{said}: so large by luck alone, a reason to lean on the number less." if large else f"{said}.")
    value, p = dip
    if math.isnan(p):
        out.append("The six months before the starts cannot be checked.")
    elif p <= ALPHA:
        spell = "worse" if value > 0 else "better"
        out.append(
            f"In the six months before the starts errors were {spell} than usual ({percent(value)}); they are set"
            " aside."
        )
    else:
        out.append(f"The six months before the starts ({percent(value)}) were nothing unusual; they are set aside.")
    return out
