"""Every figure of the scorecard under every definition, as one table: each maker gives its rows, a row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.evaluation.planning.effect import PERMUTATIONS
from forecast.evaluation.scorecard.close_rates import close_rates
from forecast.evaluation.scorecard.definition import Definition, as_table
from forecast.evaluation.scorecard.figures import accuracy, attainment, channels, cost, existing, process, won_in_time
from forecast.evaluation.scorecard.figures.since_joint import Monthly, with_changes
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.spans import Span, year_of


@dataclass(frozen=True, kw_only=True)
class Maker:
    """What gives rows.

    make : takes what is known and the span, gives a row for each definition, also for those that cannot be known.
    monthly : takes what is known and all months of the log, gives by segment and month the figures whose change since
    joint planning began is asked about; None where there are none.
    """

    make: Callable[[Known, Span], list[Definition]]
    monthly: Callable[[Known, Span], list[Monthly]] | None = None


MAKERS: tuple[Maker, ...] = (
    Maker(make=attainment.attainment, monthly=attainment.monthly),
    Maker(make=process.process, monthly=process.monthly),
    Maker(make=existing.existing_business, monthly=existing.monthly),
    Maker(make=accuracy.accuracy, monthly=accuracy.monthly),
    Maker(make=lambda known, _: close_rates(known.snap)),
    Maker(make=won_in_time.won_in_time, monthly=won_in_time.monthly),
    Maker(make=cost.cost_of_sales),
    Maker(make=channels.channels),
)
"""In the order of the table."""


def scorecard_definitions(
    log: Log,
    *,
    as_of: str | pd.Timestamp,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    known: Known | None = None,
) -> pd.DataFrame:
    """Return every figure of the scorecard under every definition, `definition.COLUMNS`, one row each.

    Parameters
    ----------
    log : the company's tables.
    as_of : the day whose knowledge is used. Figures are of the last twelve months ended by then, as far as they are in
        the log; where another span is meant, `first` and `last` of the row say so.
    seed, permutations : of the random assignments of start dates behind `change_p`, as `planning_effect` takes them.
    known : what `known_of` gave for that day, where it is made already.

    What cannot be known has a row with the reason in `missing`. Raises ParameterError for an as_of that the log cannot
    answer.
    """
    known = known_of(log, snapshot(log, as_of=as_of)) if known is None else known
    snap = known.snap
    span = year_of(snap).now
    rows = [row for maker in MAKERS for row in maker.make(known, span)]
    whole = Span(first=min(known.begins, span.last), last=span.last)
    series = [each for maker in MAKERS if maker.monthly is not None for each in maker.monthly(known, whole)]
    starts = snap.joint_planning
    if starts is not None and "adopted_on" in starts.columns:
        starts = starts.assign(adopted_on=starts["adopted_on"].where(starts["adopted_on"] <= snap.as_of))
    changed = with_changes(rows, series, starts, calendar=snap.calendar, seed=seed, permutations=permutations)
    return as_table(changed)
