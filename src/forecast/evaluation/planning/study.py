"""The whole answer on joint planning for a company: the verdict, and everything that qualifies it.

`planning_effect` is about errors; this adds what a reader needs to rely on its verdict or not: which segment decides
it, what these data could have shown, what else changed, and what marketing's information was worth to the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods, period_labels
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log, Told
from forecast.data.submissions import TABLE, counted
from forecast.evaluation.planning.effect import PERMUTATIONS, PlanningEffect, json_ready, planning_effect
from forecast.evaluation.planning.errors import PlanningErrors, errors_in_detail
from forecast.evaluation.planning.levels import FORECAST_COLUMNS, before_and_after
from forecast.evaluation.planning.limits import (
    LEFT_OUT_ASSIGNMENTS,
    LEFT_OUT_COLUMNS,
    detectable_change,
    leave_one_out,
    power,
)
from forecast.evaluation.planning.panel import ErrorPanel, error_panel
from forecast.evaluation.planning.secondary import (
    WITH,
    at_one_level,
    measure_outcomes,
    model_track,
    outcome_changes,
    worth_of_marketing,
)
from forecast.evaluation.planning.verdict import NO_STARTS, STARTS


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PlanningStudy(Told):
    """The verdict and what qualifies it.

    effect : the answer. leave_one_out : the effect without each segment in turn, see `limits.leave_one_out`;
    no rows where it is not identified. power : segments, relative_change, power: how often a fall of the errors would
    have been seen, by this company's segments, twice and four times as many. detectable : segments -> the smallest fall
    seen 4 of 5 times (-0.25 = 25 %), NaN where none is. secondary, information : see `secondary.outcome_changes` and
    `secondary.worth_of_marketing`, both at one level with the verdict (`secondary.at_one_level`). levels : accuracy
    before and after, see `levels.before_and_after`.
    """

    effect: PlanningEffect
    leave_one_out: pd.DataFrame
    power: pd.DataFrame
    detectable: dict[int, float]
    secondary: pd.DataFrame
    information: pd.DataFrame
    levels: pd.DataFrame

    def _told(self) -> tuple[str, dict[str, str]]:
        title, facts = self.effect._told()
        return title, facts | {"next": "study.effect, study.leave_one_out, study.power, study.secondary, study.levels"}

    def to_dict(self) -> dict[str, Any]:
        """Return the effect's attributes, then the rest, as JSON can hold them; what is not finite is None."""
        return {
            **self.effect.to_dict(),
            "leave_one_out": json_ready(self.leave_one_out),
            "detectable_change": json_ready(self.detectable.get(self.effect.n_segments, float("nan"))),
            "detectable_by_segments": json_ready(self.detectable),
            "power": json_ready(self.power),
            "secondary": json_ready(self.secondary),
            "information": json_ready(self.information),
            "levels": json_ready(self.levels),
        }


def planning_study(
    log: Log, *, as_of: str | pd.Timestamp | None = None, track: pd.DataFrame | None = None, seed: int = 0
) -> PlanningStudy:
    """Return whether joint planning helped, as known on `as_of` (by default the log's last day), and what qualifies it.

    Parameters
    ----------
    track : a forecast table whose `ets`, `pipeline` and `pipeline-sales-only` rows serve; what it lacks is computed.
    seed : of forecasts computed here, of assignments drawn and of the simulation of the power.

    Raises DataError where no forecasts were submitted, or none is official.
    """
    calendar = log.company.periods
    day = log.extracted_on if as_of is None else calendar.parse_day(as_of)
    detail = errors_in_detail(log, track, as_of=day)
    adoption = known_adoption(log, detail, day)
    errors = detail.errors
    notes = detail.notes if has_starts(log) else (*detail.notes, NO_STARTS)
    effect = planning_effect(errors, adoption, seed=seed, calendar=calendar, dropped=detail.dropped, notes=notes)
    panel = error_panel(errors, adoption, calendar=calendar)
    left_out, table = _limits(panel, effect, seed=seed)
    detectable = {int(n): detectable_change(table, segments=int(n)) for n in table["segments"].unique()}
    targets = _targets(detail)
    models = model_track(log, track, targets=targets, seed=seed, through=snapshot(log, as_of=day))
    found = measure_outcomes(log, signed=detail.signed, models=models, as_of=day, targets=targets)
    others = outcome_changes(
        found.table, adoption, permutations=PERMUTATIONS, seed=seed, calendar=calendar, absent=found.absent
    )
    worth = worth_of_marketing(models, adoption, calendar=calendar)
    others, worth = at_one_level(others, worth, verdict=effect.verdict, withheld=bool(effect.withheld))
    shown = scored_forecasts(log, detail, models, day)
    if panel.adopting.any():  # the same segments as in the verdict, where there is one
        shown = shown[shown["segment"].isin(panel.segments)]
    return PlanningStudy(
        effect=effect,
        leave_one_out=left_out,
        power=table,
        detectable=detectable,
        secondary=others,
        information=worth,
        levels=before_and_after(shown, adoption, calendar=calendar),
    )


def known_adoption(log: Log, detail: PlanningErrors, day: pd.Timestamp) -> pd.DataFrame:
    """Return segment, adopted_on as known on a day: a start that lies ahead is none yet, and no table, none."""
    table = log.get(STARTS)
    if table is None:
        segments = sorted(detail.errors["segment"].unique())
        return pd.DataFrame(
            {
                "segment": pd.Series(segments, dtype="str"),
                "adopted_on": np.full(len(segments), np.datetime64("NaT", "us")),
            }
        )
    return table.assign(adopted_on=table["adopted_on"].where(table["adopted_on"] <= day))


def has_starts(log: Log) -> bool:
    """Return whether the company records when segments begin to plan jointly."""
    table = log.get(STARTS)
    return table is not None and not table.empty


def scored_forecasts(log: Log, detail: PlanningErrors, models: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Return every submitter's forecasts of the targets that are scored: `levels.FORECAST_COLUMNS`.

    models : `secondary.model_track`, whose ranges of `pipeline` serve: those issued when the benchmark was.
    """
    calendar, official = log.company.periods, detail.official
    table = log.tables[TABLE]
    rows = counted(table[table["submitted_on"] <= day], calendar=calendar)
    rows = rows.assign(period=period_labels(rows["target"])).rename(columns={"horizon": "lead", "amount": "forecast"})
    targets = official.drop(columns="forecast").rename(columns={"submitter": "official"})
    rows = targets.merge(rows[["segment", "period", "lead", "submitter", "forecast"]], on=["segment", "period", "lead"])
    model = models[models["model"] == WITH]
    model = model.assign(
        issued=pd.array(period_labels(calendar.period_of(pd.to_datetime(model["origin"]))), dtype="str")
    )
    model = model.rename(columns={"target_period": "period", "q10": "low", "q90": "high"})
    rows = rows.merge(
        model[["segment", "period", "issued", "low", "high"]], on=["segment", "period", "issued"], how="left"
    )
    return rows.assign(official=rows["submitter"] == rows["official"])[list(FORECAST_COLUMNS)]


def _targets(detail: PlanningErrors) -> range:
    """Return the months with errors, all of them settled: the other outcomes are looked at in the same months."""
    if detail.errors.empty:
        return range(0)
    months = parse_periods(detail.errors["period"])
    return range(int(months.min()), int(months.max()) + 1)


def _limits(panel: ErrorPanel, effect: PlanningEffect, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the effect without each segment, and the power; no rows where the effect is not identified."""
    identified = effect.verdict != "not identified"
    left_out = pd.DataFrame({name: pd.Series(dtype="float64") for name in LEFT_OUT_COLUMNS}).astype({"segment": "str"})
    if identified:
        left_out = leave_one_out(panel, permutations=LEFT_OUT_ASSIGNMENTS, seed=seed)
    change = effect.relative_change if identified and -1 < effect.relative_change < np.inf else 0.0
    return left_out, power(panel, effect=float(np.log1p(change)), seed=seed)
