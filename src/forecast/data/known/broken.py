"""Breaks in the record as records: what was found, for the archive that is read with them in mind.

`breaks` finds them; here is what the others may know of them without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Load:
    """Deals created on one day in such numbers that the day is not theirs; deals : their places in the ledger."""

    day: int
    deals: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """A stage with another name from a day on; old_last : the last day of the old name. Days since 1970."""

    old: str
    new: str
    old_last: int
    day: int


@dataclass(frozen=True, kw_only=True)
class Breaks:
    """The breaks in the record known on a day.

    stamped, begun : deals whose creation was stamped anew, and that begin anew, on one day; renamed : stages;
    unrecorded : periods without rows. What is learned from the record leaves out what they spoil.
    """

    stamped: tuple[Load, ...] = ()
    begun: tuple[Load, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    unrecorded: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What tells one day's breaks from another's; hashable."""
        days = tuple(load.day for load in self.begun)
        return days, self.renamed, self.unrecorded
