"""Month ends to choose a model on, and later ones to judge it on once: no month counts in both.

Simple case: of a list of month ends the last eighteen are for judging, those before for choosing. Two complications:
forecasts look months ahead, so the ends between are left out until all that was chosen on has come; and where there are
few, two in three are for judging, since what is claimed rests on those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from forecast.errors import ParameterError

Day = TypeVar("Day")


def apart(days: Sequence[Day], *, months: int, judged: int = 18) -> tuple[list[Day], list[Day]]:
    """Return the month ends to choose on, and those to judge on.

    Parameters
    ----------
    days : month ends in order, none left out. months : how far ahead their forecasts look. judged : how many of them
        to judge on, at most two in three.

    Returns
    -------
    Earlier and later days. The last month forecast on the earlier ones has ended by the first of the later, so that a
    choice made on that day could have known all it rests on. Where there are too few for both the earlier are none.

    Raises ParameterError where months or judged is no whole number above 0.

    >>> apart([1, 2, 3, 4, 5, 6, 7, 8], months=2, judged=3)
    ([1, 2, 3, 4], [6, 7, 8])
    """
    for name, value in (("months", months), ("judged", judged)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ParameterError(f"{name}: {value!r} is not a whole number above 0")
    between = months - 1
    later = max(1, min(judged, 2 * (len(days) - between) // 3))
    return list(days[: max(0, len(days) - later - between)]), list(days[len(days) - later :])
