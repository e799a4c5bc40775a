"""What else changed when segments began to plan jointly, and what marketing's information was worth to the model.

Four outcomes, named in advance, besides the one that the verdict is about (the size of the error), by segment and
month:

- `bias`: forecast less actual over the usual month, the mean over the series; positive = promised too much;
- `interval coverage`: share of the 80 % ranges of `pipeline`, one to three months ahead, that held;
- `win-probability calibration`: wins expected at the month's start less wins, per deal open then; positive = the
  probabilities were too high;
- `slippage`: share of the deals open at the month's start whose expected close was moved later during the month.

A month counts once it has settled. What a company's tables do not hold is left out, with the reason. Each is a level,
not a size, so it is taken as it is: no logarithm, no benchmark (`estimate.estimate_levels`). The comparison, the
months set aside and the random assignments are those of the error. Four questions give four chances of a false yes;
Holm's (1979, Scand. J. Statistics 6) correction keeps the chance of any at 5 %, and `at_one_level` that of the page.

`pipeline` and `pipeline-sales-only` forecast the same targets; the one knows leads and campaigns, the other does not.
The months of each segment are parted into before its start, from its start on, and not begun (segments that never
begin), and within each part the two are compared with a paired test. That is what the information is worth in each
part; the parts have different months, so a difference between them is no effect of planning jointly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, is_quarter, parse_periods, period_labels
from forecast.data.known.coding import OPEN, WON
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.rates import by_rates
from forecast.data.schema import TOTAL, Log
from forecast.errors import DataError
from forecast.evaluation.backtest import backtest
from forecast.evaluation.planning.effect import before_and_after
from forecast.evaluation.planning.estimate import estimate_levels
from forecast.evaluation.planning.inference.randomisation import ALPHA, NEVER, Floats
from forecast.evaluation.planning.panel import ErrorPanel, adoption_periods, value_panel
from forecast.evaluation.planning.verdict import NOT_IDENTIFIED, no_comparison, too_few_ways
from forecast.evaluation.scores.comparison import FIGURES, compare, holm
from forecast.models.win.probabilities import chances, days_to_walk, learned_along

OUTCOMES = ("bias", "interval coverage", "win-probability calibration", "slippage")
WITH, WITHOUT = "pipeline", "pipeline-sales-only"
"""The model that knows what marketing knows, and the one that does not."""

LEADS = (1, 2, 3)
"""Months ahead of the forecasts looked at: those that people submit and both models give at a month's end."""

OUTCOME_COLUMNS = ("outcome", "segment", "period", "value")
CHANGE_COLUMNS = (
    "outcome",
    "before",
    "after",
    "change",
    "interval_low",
    "interval_high",
    "p_value",
    "p_holm",
    "verdict",
    "reason",
    "segments",
    "months",
)
CLAIMS = ("improved", "worsened")
"""Verdicts that claim a change."""

PARTS = ("before", "after", "not begun")
WORTH_COLUMNS = (
    "when",
    "n",
    "months",
    "wape_without",
    "wape_with",
    "added",
    "statistic",
    "df",
    "p_value",
    "p_holm",
)

_ABSENT = {
    "bias": "no forecast that people submitted has settled",
    "interval coverage": "the model gave no ranges",
    "win-probability calibration": "too few deals had closed for win probabilities",
    "slippage": "no deal was open at the start of a month",
}
"""Why an outcome has no rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Outcomes by segment and month.

    table : OUTCOME_COLUMNS, one row an outcome, segment and month, sorted. absent : outcome -> why it is not measured.
    """

    table: pd.DataFrame
    absent: dict[str, str]


def model_track(
    log: Log, track: pd.DataFrame | None, *, targets: range, seed: int, through: Snapshot | None = None
) -> pd.DataFrame:
    """Return both models' forecasts of the target periods, one to three months ahead, by segment; `observed` settled.

    Parameters
    ----------
    track : a forecast table; what it lacks at month ends is computed.
    targets : target periods, all of them settled. seed, through : of the forecasts computed, as `backtest` takes them.

    Returns
    -------
    Forecast table: segments only, months only, `horizon` in LEADS.
    """
    if not len(targets):
        empty = {name: pd.Series(dtype="float64") for name in ("mean", "q10", "q90", "horizon", "observed")}
        text = {name: pd.Series(dtype="str") for name in ("model", "origin", "target_period", "segment")}
        return pd.DataFrame({**text, **empty})
    calendar = log.company.periods
    wanted = range(targets.start - LEADS[-1], targets.stop - LEADS[0])
    ends = {pd.Timestamp(calendar.end(period)): period for period in wanted}
    covered = _origins_of_both(track, ends)
    missing = [day for day in sorted(ends) if day not in covered]
    parts = []
    if track is not None and covered:
        parts.append(track[track["model"].isin((WITH, WITHOUT)) & pd.to_datetime(track["origin"]).isin(covered)])
    if missing:
        both = [WITH, WITHOUT]
        parts.append(backtest(log, origins=missing, models=both, months=LEADS[-1], seed=seed, through=through))
    rows = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    rows = rows[(rows["segment"] != TOTAL) & ~is_quarter(rows["target_period"])]
    rows = rows[rows["horizon"].isin(LEADS) & rows["mean"].notna()]
    target = parse_periods(rows["target_period"])
    rows = rows[(target >= targets.start) & (target < targets.stop)]
    rows = rows.sort_values(["model", "origin", "target_period", "segment"], ignore_index=True)
    observed = np.full(len(rows), np.nan)
    for at, mine in by_rates(log, rows["origin"]):
        actual = settled_actuals(at).set_index(["period", "segment"])["amount"]
        known = actual.reindex(pd.MultiIndex.from_frame(rows.loc[mine, ["target_period", "segment"]]))
        observed[mine] = known.to_numpy(dtype=np.float64)
    return rows.assign(observed=observed)


def _origins_of_both(track: pd.DataFrame | None, ends: dict[pd.Timestamp, int]) -> set[pd.Timestamp]:
    """Return the month ends at which a forecast table has both models, as far ahead as wanted."""
    if track is None or track.empty:
        return set()
    far = track[(track["horizon"] == LEADS[-1]) & ~is_quarter(track["target_period"])]
    days = [set(pd.to_datetime(far.loc[far["model"] == name, "origin"])) for name in (WITH, WITHOUT)]
    return days[0] & days[1] & set(ends)


def measure_outcomes(
    log: Log, *, signed: pd.DataFrame, models: pd.DataFrame, as_of: pd.Timestamp, targets: range
) -> Outcomes:
    """Return the four outcomes of the target periods as known on `as_of`.

    Parameters
    ----------
    signed : segment, period, value, of `PlanningErrors`. models : of `model_track`. targets : periods, all settled.
    """
    ledger = snapshot(log, as_of=as_of).ledger
    parts = {"bias": signed[["segment", "period", "value"]], "interval coverage": _coverage(models)}
    parts["win-probability calibration"], parts["slippage"] = _deals(ledger, targets)
    why = dict(_ABSENT)
    if not ledger.has_history:
        why["slippage"] = "without opportunity_history it is not known which close dates moved"
    absent = {name: why[name] for name in OUTCOMES if parts[name].empty}
    frames = [parts[name].assign(outcome=name) for name in OUTCOMES if not parts[name].empty]
    if not frames:
        empty = pd.DataFrame({name: pd.Series(dtype="str") for name in OUTCOME_COLUMNS})
        return Outcomes(table=empty.astype({"value": "float64"}), absent=absent)
    table = pd.concat(frames, ignore_index=True)[list(OUTCOME_COLUMNS)]
    order = table["outcome"].map({name: at for at, name in enumerate(OUTCOMES)})
    table = table.assign(_order=order).sort_values(["_order", "segment", "period"], ignore_index=True)
    return Outcomes(table=table.drop(columns="_order"), absent=absent)


def _coverage(models: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the ranges that held; a month counts where every lead time is there."""
    rows = models[(models["model"] == WITH) & models[["q10", "q90", "observed"]].notna().all(axis=1)]
    held = rows["observed"].between(rows["q10"], rows["q90"]).astype(np.float64)
    cells = rows.assign(held=held).groupby(["segment", "target_period"])["held"].agg(["mean", "size"]).reset_index()
    cells = cells[cells["size"] == len(LEADS)]
    return cells.rename(columns={"target_period": "period", "mean": "value"})[["segment", "period", "value"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Probabilities:
    """What the model gave each open deal at a month's start: the month, the deals, their segments, P(won in it)."""

    target: int
    deals: np.ndarray
    segment: np.ndarray
    p: np.ndarray


def _deals(ledger: Ledger, targets: range) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the calibration of the win probabilities and the slippage of the target periods."""
    calendar = ledger.calendar
    empty = pd.DataFrame({"segment": [], "period": [], "value": []}).astype({"segment": "str", "period": "str"})
    if not len(targets):
        return empty, empty
    forecasts: list[_Probabilities] = []
    moved: list[pd.DataFrame] = []
    first, last = (pd.Timestamp(calendar.end(p)) for p in (targets.start - 1, targets.stop - 1))
    days, fit_from = days_to_walk(ledger, first=first, last=last)
    before: KnownState | None = None
    looked_at = [day for day in days if calendar.period(day) >= targets.start - 1]
    for state, learned in learned_along(ledger, days, days=looked_at, fit_from=fit_from):
        if before is not None and state.period in targets:
            moved.append(_slipped(before, state))
        if learned.model is not None and state.period + 1 in targets:
            deals = learned.states.deal
            p = chances(state, learned.model, learned.states)[:, 0]
            forecasts.append(_Probabilities(target=state.period + 1, deals=deals, segment=state.segment[deals], p=p))
        before = state
    slippage = pd.concat(moved, ignore_index=True) if moved and ledger.has_history else empty
    wait = ledger.company.settle_days
    settled = ledger.walk([calendar.settles_on(forecast.target, settle_days=wait) for forecast in forecasts])
    gaps = [_gap(forecast, state) for forecast, state in zip(forecasts, settled, strict=True)]
    return (pd.concat(gaps, ignore_index=True) if gaps else empty), slippage


def _gap(forecast: _Probabilities, state: KnownState) -> pd.DataFrame:
    """Return, by segment, expected less actual wins of a period per deal open at its start."""
    won = (state.outcome[forecast.deals] == WON) & (state.closed_in[forecast.deals] == forecast.target)
    return _by_segment(state, forecast.target, forecast.segment, forecast.p - won)


def _slipped(before: KnownState, state: KnownState) -> pd.DataFrame:
    """Return, by segment, the share of the deals open before whose expected close was moved later since."""
    deals = np.flatnonzero(before.known & (before.outcome == OPEN) & (before.last_row >= 0))
    slips = state.ledger.slips
    later = slips[state.last_row[deals]] > slips[before.last_row[deals]] if len(deals) else np.zeros(0, dtype=bool)
    return _by_segment(state, state.period, before.segment[deals], later.astype(np.float64))


def _by_segment(state: KnownState, period: int, segment: np.ndarray, value: np.ndarray) -> pd.DataFrame:
    """Return the mean of deals' values by segment; deals without a segment (code below 0) are left out."""
    names = state.ledger.segments
    inside = segment >= 0
    count = np.bincount(segment[inside], minlength=len(names))
    total = np.bincount(segment[inside], value[inside], minlength=len(names))
    present = np.flatnonzero(count)
    return pd.DataFrame(
        {
            "segment": pd.Series([names[code] for code in present], dtype="str"),
            "period": pd.Series(period_labels(np.full(len(present), period)), dtype="str"),
            "value": total[present] / count[present],
        }
    )


def outcome_changes(
    outcomes: pd.DataFrame,
    adoption: pd.DataFrame,
    *,
    permutations: int,
    seed: int,
    calendar: Calendar | None = None,
    absent: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return whether each secondary outcome changed when segments began to plan jointly.

    Parameters
    ----------
    outcomes : outcome, segment, period, value (any finite number); of `measure_outcomes`.
    adoption, permutations, seed, calendar : as `planning_effect` takes them.
    absent : outcome -> why it could not be measured.

    Returns
    -------
    CHANGE_COLUMNS, one row an outcome of OUTCOMES: before, after = means over the segments that have both, of the
    months before those set aside and of those from the start on; change = the effect, in the outcome's own unit (a
    share: .05 = 5 points), with its 95 % interval; p_value, and p_holm corrected over the outcomes that can be tested;
    verdict = `changed` where p_holm <= .05, `no detectable change`, or `not identified` (NaN) with the reason.

    Raises DataError where a column is missing or a value is infinite.
    """
    for name in ("outcome", "segment", "period", "value"):
        if name not in outcomes.columns:
            raise DataError("the column is missing", table="outcomes", column=name, mend="as measure_outcomes gives")
    if np.isinf(outcomes["value"].to_numpy(dtype=np.float64)).any():
        raise DataError("is infinite", table="outcomes", column="value", mend="leave the month out")
    rows = []
    for name in OUTCOMES:
        values = outcomes[outcomes["outcome"] == name]
        panel = value_panel(values, adoption, calendar=calendar or Calendar())
        reason = (absent or {}).get(name, "") if values.empty else ""
        rows.append(level_change(name, panel, reason=reason, permutations=permutations, seed=seed))
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
    table["p_holm"] = holm(table["p_value"].to_numpy(dtype=np.float64))
    tested = table["p_holm"].notna()
    table.loc[tested, "verdict"] = np.where(table.loc[tested, "p_holm"] <= ALPHA, "changed", "no detectable change")
    return table


def worth_of_marketing(
    models: pd.DataFrame, adoption: pd.DataFrame, *, calendar: Calendar | None = None
) -> pd.DataFrame:
    """Return what knowing marketing adds to the model's accuracy in each part.

    Parameters
    ----------
    models : forecast table with `observed`, both models; segment rows of months are used, where both gave a number.
    adoption : segment, adopted_on (empty = not yet).

    Returns
    -------
    WORTH_COLUMNS, one row for each of PARTS that has targets: n targets, months among them, WAPE without and with
    marketing, added = wape_without - wape_with (positive = it helps), the paired test on absolute errors averaged by
    target month (NaN with fewer than eight months), p_holm corrected over the parts.
    """
    when = adoption_periods(adoption, calendar=calendar or Calendar())
    keys = ["origin", "target_period", "segment"]
    rows = models[(models["segment"] != TOTAL) & ~is_quarter(models["target_period"])]
    rows = rows[rows["observed"].notna() & rows["mean"].notna()]
    rows = rows.assign(abs_error=(rows["mean"] - rows["observed"]).abs())
    first = rows.loc[rows["model"] == WITHOUT, [*keys, "abs_error"]]
    second = rows.loc[rows["model"] == WITH, [*keys, "observed", "abs_error"]]
    pair = second.merge(first, on=keys, suffixes=("", "_before"), validate="one_to_one")
    start = pair["segment"].map(when).fillna(NEVER).astype(np.int64).to_numpy()
    begun = parse_periods(pair["target_period"]) >= start
    pair["when"] = np.select([start == NEVER, ~begun], ["not begun", "before"], "after")
    parts = [(part, pair[pair["when"] == part]) for part in PARTS]
    found = [{"when": part, **compare(targets)} for part, targets in parts if len(targets)]
    table = pd.DataFrame(found, columns=["when", *FIGURES]).rename(columns={"wape_before": "wape_without"})
    return table.rename(columns={"wape": "wape_with"}).assign(p_holm=holm(table["p_value"]))[list(WORTH_COLUMNS)]


def at_one_level(
    changes: pd.DataFrame, worth: pd.DataFrame, *, verdict: str, withheld: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables held to one level together with the verdict, which comes first and keeps all of its own.

    Simple case: the verdict was tested and claims no change. Then nothing is claimed here: p_holm is 1, and a change
    `no detectable change`. Where the verdict claims one, Holm's correction counts the tests of both tables. So whoever
    reads a false claim reads it after a false verdict (at most 5 %), or after a true one (at most 5 % here): never
    more than 5 % of pages hold one (a serial gatekeeper: Westfall and Krishen 2001, J. Statistical Planning and
    Inference 99). A verdict that could not be tested has used nothing up, and leaves the rest its level.

    changes : of `outcome_changes`. worth : of `worth_of_marketing`. verdict : of `planning_effect`. withheld : whether
    a check withheld its claim; then none is made here either.
    """
    p = holm(np.concatenate([changes["p_value"], worth["p_value"]]).astype(np.float64))
    untested = verdict == NOT_IDENTIFIED and not withheld
    if verdict not in CLAIMS and not untested:
        p = np.where(np.isnan(p), p, 1.0)
    p_changes, p_worth = p[: len(changes)], p[len(changes) :]
    said = np.where(p_changes <= ALPHA, "changed", "no detectable change")
    words = changes["verdict"].where(np.isnan(p_changes), said)
    return changes.assign(p_holm=p_changes, verdict=words), worth.assign(p_holm=p_worth)


def level_change(name: str, panel: ErrorPanel, *, permutations: int, seed: int, reason: str = "") -> dict[str, object]:
    """Return whether a level, such as a share, changed when segments began to plan jointly: CHANGE_COLUMNS but p_holm.

    panel : of `value_panel`. reason : why it is not measured, where it is not. `verdict` is empty where it was tested
    (whoever asks about several corrects p_value over them), else `not identified` with the reason.
    """
    before, after = before_and_after(panel)
    both = before.any(axis=1) & after.any(axis=1)
    row: dict[str, object] = {
        "outcome": name,
        "before": _mean(panel.error[both], before[both]),
        "after": _mean(panel.error[both], after[both]),
        "segments": len(panel.segments),
        "months": len(panel.months),
    }
    reasons = [reason] if reason else no_comparison(panel, of="values")
    if not reasons:
        found = estimate_levels(panel, permutations=permutations, seed=seed)
        reasons = too_few_ways(
            panel, identified=found.identified, smallest_p=found.smallest_p, assignments=found.assignments
        )
        if not reasons:
            ends = {"interval_low": found.low, "interval_high": found.high}
            return row | {"change": found.delta, **ends, "p_value": found.p, "verdict": "", "reason": ""}
    ends = {"interval_low": math.nan, "interval_high": math.nan}
    return row | ends | {"verdict": "not identified", "reason": "; ".join(reasons)}


def _mean(values: Floats, where: np.ndarray) -> float:
    """Return the mean over segments of their means over the cells; NaN where there is no segment."""
    if not len(values):
        return float("nan")
    return float((np.where(where, np.nan_to_num(values), 0.0).sum(axis=1) / where.sum(axis=1)).mean())
