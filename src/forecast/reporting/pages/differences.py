"""Differences in words: points between two shares, and how far two changes are apart.

The words of single numbers are in `wording`, whose rules hold here too: what is worded carries its sources. Whoever
words a difference anew from its cells imports this module, which adds its functions to those of `wording.rounded`.
"""

from __future__ import annotations

from forecast.wording import MINUS, carries, in_points, known, points


@carries(2)
def points_between(before: float | None, after: float | None) -> str:
    """Return how far the second of two shares, as they are shown, is above the first, in points; a dash for none."""
    if not (known(before) and known(after)):
        return "–"
    assert before is not None
    assert after is not None
    return points(round(after, 2) - round(before, 2), short=True)


@carries(4)
def apart(after: float, before: float, other_after: float, other_before: float, *, form: str = "") -> str:
    """Return the change of one share less that of another, of the figures as shown, in points: `+5`; a dash for none.

    form : `size` for `5 points`, `sum` for how it comes about: `(49 − 71) − (53 − 75) = 0`.
    """
    if not all(known(end) for end in (after, before, other_after, other_before)):
        return "–"
    a, b, c, d = (round(100 * end) for end in (after, before, other_after, other_before))
    difference = (a - b - (c - d)) / 100
    result = points(abs(difference), sign=False, short=True) if form == "size" else in_points(difference)
    if form != "sum":
        return result
    first, second, third, fourth = (f"{MINUS if end < 0 else ''}{abs(end)}" for end in (a, b, c, d))
    return f"({first} {MINUS} {second}) {MINUS} ({third} {MINUS} {fourth}) = {result}"
