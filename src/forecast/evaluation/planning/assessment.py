"""One panel of errors assessed: the change with its interval, in logs and in the plain mean, and every check."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from forecast.evaluation.planning.estimate import slope
from forecast.evaluation.planning.inference.agreement import Agreement, Change, Starts
from forecast.evaluation.planning.inference.checks import Check, Evidence, all_checks, dip, placebo
from forecast.evaluation.planning.inference.histories import Histories
from forecast.evaluation.planning.inference.randomisation import ALPHA, Cells, assignments, treatment
from forecast.evaluation.planning.panel import ErrorPanel, logs


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What the data say of one panel.

    change : of the errors, on the scale on which it stands out most. mean : of the plain mean of the errors; its
    interval holds that of the change, so that the number to read is never surer than the test. None where the treatment
    does not move apart from segments and months. claims : -1 where an improvement could be claimed, 1 a
    worsening, 0 neither. checks : see `checks.all_checks`; placebo, dip : of the
    months 7 to 12 and the six months before the starts.
    smallest_p, assignments : of the test. theta : slope of log errors on the benchmark's, for the tables.
    """

    theta: float
    assignments: int
    change: Change | None = None
    mean: Change | None = None
    claims: int = 0
    checks: tuple[Check, ...] = ()
    placebo: Check | None = None
    dip: Check | None = None
    smallest_p: float = 1.0

    @property
    def identified(self) -> bool:
        """Whether there is anything to estimate from."""
        return self.change is not None

    def check(self, name: str) -> Check:
        """Return a check by name; NaN where it was not made."""
        known = {each.name: each for each in self.checks}
        return known.get(name, Check(name=name, value=math.nan, p=math.nan))

    @property
    def withheld(self) -> tuple[Check, ...]:
        """The checks for which the claim is withheld."""
        return tuple(each for each in self.checks if each.withholds)


def assess(panel: ErrorPanel, *, permutations: int, seed: int) -> Assessment:
    """Return the assessment of a panel with at least two segments and two different start dates.

    permutations : how many assignments of the dates are looked at, at most. seed : of the assignments drawn.
    """
    cells = Cells(panel.observed)
    theta = float(slope(cells, *logs(panel)))
    assigned = assignments(panel.dates, limit=permutations, seed=seed)
    starts, histories = starts_and_histories(panel, permutations=permutations, seed=seed)
    if not starts.identified():
        return Assessment(theta=theta, assignments=len(assigned))
    agreement = Agreement(starts, histories)
    change = agreement.change()
    claims = int(np.sign(change.given_record)) if change.p <= ALPHA else 0
    evidence = Evidence(
        agreement=agreement,
        histories=histories,
        starts=starts,
        innovations=agreement.innovations(np.zeros(1)),
        observed=panel.observed,
        error=np.nan_to_num(panel.error),
        benchmark=np.nan_to_num(panel.benchmark),
        sign=float(claims),
    )
    mean = Agreement(starts, histories, mean=True).change()
    mean = replace(mean, low=min(mean.low, change.low), high=max(mean.high, change.high))
    # Whatever the tests say, a change of the mean that points the other way must not be read as the change claimed.
    opposite = claims != 0 and np.sign(mean.estimate) != claims
    checks = [
        replace(check, withholds=True) if check.name == "mean" and opposite else check for check in all_checks(evidence)
    ]
    return Assessment(
        theta=theta,
        assignments=len(assigned),
        change=change,
        mean=mean,
        claims=claims,
        checks=tuple(checks),
        placebo=placebo(evidence),
        dip=dip(evidence),
        smallest_p=starts.smallest_p(),
    )


def starts_and_histories(panel: ErrorPanel, *, permutations: int, seed: int) -> tuple[Starts, Histories]:
    """Return the start dates under every assignment, and the errors as histories, of a panel."""
    treated = treatment(panel.dates, panel.months)
    histories = Histories(
        panel.observed, panel.months, np.nan_to_num(panel.error), np.nan_to_num(panel.benchmark), treated
    )
    assigned = assignments(panel.dates, limit=permutations, seed=seed)
    return Starts(np.unique(panel.dates), panel.months, assigned, histories), histories
