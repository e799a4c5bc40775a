"""Effects by segment, month and months since adoption, against segments that have not adopted yet.

The effect on segment s in month t is what changed in s since its base months less what changed, over the same months,
in the segments that are still clean in t. With one base month, the last before adoption, its mean over the segments of
one adoption month is ATT(g,t) of Callaway and Sant'Anna (2021, J. Econometrics 225, eq. 2.8 and 2.9 without
covariates); with the mean of all months before the set-aside ones as base it is the same with less noise.
A cell without a clean segment has no effect: it stays NaN and is marked, never filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from forecast.errors import ParameterError
from forecast.evaluation.planning.randomisation import NEVER, Floats, Ints

Control = Literal["not yet", "never"]
Base = Literal["last", "mean"]


@dataclass(frozen=True)
class Effects:
    """effect (S, T), NaN without support or for segments that never adopt; controls (S, T), how many were clean.

    event (S, T): months since adoption. dates (S,), months (T,) as given.
    """

    effect: Floats
    controls: Ints
    event: Ints
    dates: Ints
    months: Ints

    def att(self) -> pd.DataFrame:
        """Return ATT(g,t): cohort, period, att, n_treated, n_controls for t >= g; att NaN where unsupported."""
        rows = []
        for date in np.unique(self.dates[self.dates <= self.months[-1]]):
            members = self.dates == date
            for column in np.flatnonzero(self.months >= date):
                cell = self.effect[members, column]
                known = ~np.isnan(cell)
                value = float(cell[known].mean()) if known.any() else np.nan
                controls = int(self.controls[members, column].max())
                rows.append((int(date), int(self.months[column]), value, int(known.sum()), controls))
        return pd.DataFrame(rows, columns=["cohort", "period", "att", "n_treated", "n_controls"])

    def by_event_time(self) -> pd.DataFrame:
        """Return event_time, estimate (mean over segments), n_segments, n_controls, supported."""
        adopts = self.dates < NEVER
        event = self.event[adopts]
        rows = []
        for time in np.unique(event) if adopts.any() else []:
            cell = self.effect[adopts][event == time]
            known = ~np.isnan(cell)
            controls = self.controls[adopts][event == time]
            estimate = float(cell[known].mean()) if known.any() else np.nan
            fewest = int(controls[known].min()) if known.any() else 0
            rows.append((int(time), estimate, int(known.sum()), fewest, bool(known.any())))
        return pd.DataFrame(rows, columns=["event_time", "estimate", "n_segments", "n_controls", "supported"])

    def overall(self, kind: Literal["simple", "group", "dynamic", "calendar"]) -> float:
        """Return one number of the post-adoption effects (Callaway and Sant'Anna 2021, section 3).

        simple: the mean over segment-months; group: mean by adoption month, weighted by segments; dynamic: mean over
        months since adoption; calendar: mean over months. Unsupported cells are left out. NaN where all are.
        """
        after = (self.event >= 0) & (self.dates[:, None] < NEVER) & ~np.isnan(self.effect)
        if not after.any():
            return float("nan")
        row, column = np.nonzero(after)
        cells = pd.DataFrame(
            {
                "value": self.effect[after],
                "segment": row,
                "group": self.dates[row],
                "dynamic": self.event[after],
                "calendar": column,
            }
        )
        if kind == "simple":
            return float(cells["value"].mean())
        if kind == "group":
            means = cells.groupby("group")["value"].mean()
            return float(np.average(means, weights=cells.groupby("group")["segment"].nunique()))
        if kind in ("dynamic", "calendar"):
            return float(cells.groupby(kind)["value"].mean().mean())
        raise ParameterError(f"kind: {kind!r} is not one of simple, group, dynamic, calendar")


def effects(
    y: Floats, dates: Ints, months: Ints, *, set_aside: int = 0, control: Control = "not yet", base: Base = "last"
) -> Effects:
    """Return the effect on every segment and month.

    Parameters
    ----------
    y : (S, T), NaN where missing. dates : (S,), `NEVER` where not yet. months : (T,), increasing.
    set_aside : months before adoption that are neither base nor clean.
    control : `not yet` = segments that in month t have not come within `set_aside` months of adoption; `never`.
    base : `last` = the last month before those set aside; `mean` = the mean of all of them.
    """
    if control not in ("not yet", "never") or base not in ("last", "mean"):
        raise ParameterError(f"control {control!r} or base {base!r} is unknown: not yet, never; last, mean")
    shape = y.shape
    effect, controls = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    clean_until = dates - set_aside
    clean = (dates == NEVER)[:, None] | ((months[None, :] < clean_until[:, None]) & (control == "not yet"))
    for date in np.unique(dates[dates < NEVER]):
        members = np.flatnonzero(dates == date)
        before = np.flatnonzero(months < date - set_aside)
        if base == "last":
            before = before[-1:]
        if not len(before):
            continue
        level = _row_means(y[:, before])
        change = y - level[:, None]
        # A control must be clean over the base months too; for `not yet` the later of base and t decides.
        usable = clean & clean[:, before].all(axis=1)[:, None] & ~np.isnan(change)
        usable[members] = False
        count = usable.sum(axis=0)
        mean = np.where(count > 0, np.where(usable, change, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
        effect[members] = change[members] - mean
        controls[members] = count
    event = months[None, :] - dates[:, None]
    return Effects(effect, controls, event, dates, months)


def _row_means(values: Floats) -> Floats:
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
