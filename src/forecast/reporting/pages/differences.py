"""Differences in words: points between two shares, and how far two changes are apart.

The words of single numbers are in `wording`, whose rules hold here too: what is worded carries its sources. Whoever
words a difference anew from its cells imports this module, which adds its functions to those of `wording.rounded`.
"""

from __future__ import annotations

from forecast.wording import THIN, carries, in_points, known, money_range, percent, points

# -- sentences ------------------------------------------------------------------------------------------

FROM_TO = "from {}"


@carries(2)
def points_between(before: float | None, after: float | None, *, places: int = 0) -> str:
    """Return how far the second of two shares, as they are shown, is above the first, in points; a dash for none.

    places : decimals with which both are shown.
    """
    if not (known(before) and known(after)):
        return "–"
    assert before is not None
    assert after is not None
    return points(round(after, 2 + places) - round(before, 2 + places), short=True, digits=places)


@carries(2)
def from_to(before: float | None, after: float | None, *, currency: str = "") -> str:
    """Return two amounts in one unit and with as many decimals, so that their difference can be seen: `from €42.0 to
    44.2 m`; a dash for none."""
    if not (known(before) and known(after)):
        return "–"
    ends = money_range(before, after, currency=currency)
    return FROM_TO.format(ends.replace(f"{THIN}to{THIN}", "–").replace("–", " to "))


@carries(2)
def moved_by(before: float, after: float) -> str:
    """Return by how many points a share moved, before rounding, to a tenth: `−5.0`; a dash for none."""
    return in_points(after - before, digits=1) if known(before) and known(after) else "–"


@carries(2)
def relative(before: float, after: float) -> str:
    """Return how far a share moved as a share of itself, before rounding: `−21 %`; a dash for none."""
    return percent(after / before - 1, sign=True) if known(before) and known(after) and before else "–"


@carries(4)
def apart(after: float, before: float, other_after: float, other_before: float, *, form: str = "") -> str:
    """Return the change of one share less that of another, before rounding, in points to a tenth: `+1.5`; a dash for
    none.

    form : `size` for `1.5 points`; `share` for how far the one moved against the other as a share of itself: `−25 %`.
    """
    if not all(known(end) for end in (after, before, other_after, other_before)):
        return "–"
    difference = after - before - (other_after - other_before)
    if form == "size":
        return points(abs(difference), sign=False, short=True, digits=1)
    if form == "share":
        return percent(after / before * other_before / other_after - 1, sign=True) if before and other_after else "–"
    return in_points(difference, digits=1)
