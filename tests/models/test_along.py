"""All origins in one walk: the same as one by one, and as fitted in full every month."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import forecast
from forecast.data.schema import QUANTILE_COLUMNS
from forecast.evaluation.scores.deals import deal_track
from forecast.models.registry import MODELS, at_origins, forecaster
from forecast.models.win.learn import Learner
from forecast.models.win.probabilities import days_to_walk
from forecast.simulation.company import simulate, write

NUMBERS = ["mean", *QUANTILE_COLUMNS, "booked", "open_pipeline", "not_yet_created", "plan", "p_at_least_plan"]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("along")
    write(simulate(opportunities=4000, months=48, seed=22, segments=4), folder)
    return forecast.read(folder)


@pytest.fixture(scope="module")
def last(log):
    return forecast.snapshot(log, as_of="2025-12-31")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MODELS, "submitted-sales"])
def test_one_walk_is_as_one_by_one(log, last, name: str):
    # The later fits of one walk begin where the earlier ended, and codes count levels seen later: nothing beyond the
    # tolerance of the fit may differ. Held to 1e-4 of the mean; draws are of the same random numbers.
    ends = [pd.Timestamp(day).as_unit("us") for day in ("2024-06-30", "2024-11-30", "2025-12-31")]
    for result, day in zip(at_origins(name)(last, origins=ends, months=6, seed=3), ends, strict=True):
        table, alone = result.table, forecaster(name)(forecast.snapshot(log, as_of=day), months=6, seed=3)
        assert list(table.columns) == list(alone.columns)
        for column in table.columns:
            if column in NUMBERS:
                scale = alone["mean"].abs() + 1.0 if column != "p_at_least_plan" else 5.0
                difference = (table[column] - alone[column]).abs() / scale
                assert not (difference > 1e-4).any(), (column, float(difference.max()))
                assert (table[column].isna() == alone[column].isna()).all()
            else:
                assert (table[column] == alone[column]).all()


@pytest.mark.slow
def test_the_odds_of_past_days_in_one_walk_are_those_of_each_day(log):
    # Two month ends share a walk, the day within a month goes alone; the rows come in the order of the days given.
    days = ["2025-06-30", "2025-03-14", "2024-11-30"]
    together = deal_track(log, as_of="2025-12-31", origins=days, horizon=3)
    alone = pd.concat([deal_track(log, as_of="2025-12-31", origins=[day], horizon=3) for day in days])
    assert together["origin"].unique().tolist() == [pd.Timestamp(day) for day in days]
    pd.testing.assert_frame_equal(together, alone.reset_index(drop=True), rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "months", "back"),
    [("pipeline-sales-only", 108, (1, 9, 21)), ("pipeline", 132, (1, 9, 17))],
)
@pytest.mark.long
def test_a_walk_begins_early_enough_for_a_long_past(tmp_path, name: str, months: int, back: tuple[int, ...]):
    # Eleven years: the walk of the last origin begins in the middle of them, the others' earlier. Nine years: a walk
    # that began six years before an origin moved a quantile by .1 to 1 %.
    write(simulate(opportunities=3000, months=months, seed=23, segments=3), tmp_path)
    log = forecast.read(tmp_path)
    calendar, last = log.company.periods, log.company.periods.period(log.extracted_on)
    origins = [str(calendar.end(period).date()) for period in range(last - 25, last)]
    whole = forecast.backtest(log, origins=origins, models=[name], months=3, seed=1)
    for origin in [origins[-k] for k in back]:
        alone = forecast.backtest(log, origins=[origin], models=[name], months=3, seed=1)
        same = whole[whole["origin"] == origin].reset_index(drop=True)
        for column in ("mean", "q2.5", "q10", "q90", "q97.5"):
            difference = (same[column] - alone[column]).abs() / (alone["mean"].abs() + 1.0)
            assert difference.max() < 1e-4, (origin, column, float(difference.max()))


@pytest.mark.slow
def test_a_step_a_month_is_as_a_full_fit_a_month(last):
    ledger = last.ledger
    days, fit_from = days_to_walk(ledger, first=pd.Timestamp("2024-06-30"), last=last.as_of)
    quick, slow = Learner(fit_from=fit_from), Learner(fit_from=fit_from, refit=1)
    worst, sums = 0.0, []
    for seen in ledger.walk(days):
        fast, full = quick.step(seen), slow.step(seen)
        if seen.period < 2024 * 12 + 5:
            continue
        chances = [learned.model.hazards(fast.states, steps=6)[0] for learned in (fast, full)]
        worst = max(worst, float(np.abs(chances[0] - chances[1]).max()))
        sums.append([chance.sum() for chance in chances])
    # One deal's chance in one month differs by less than .05, the sum over all open deals by less than 3 %.
    assert worst < 0.05
    ratio = np.array(sums)[:, 0] / np.array(sums)[:, 1]
    assert np.abs(ratio - 1).max() < 0.03
    assert np.abs(ratio.mean() - 1) < 0.01


@pytest.mark.slow
def test_the_owners_answer_for_what_was_forecast_also_where_only_the_base_rate_was(last):
    # Summed over a month's deals, what was expected of a base rate is near what came: an owner's share of a forecast
    # that said next to nothing would be the deals' own chance.
    ledger = last.ledger
    days, fit_from = days_to_walk(ledger, first=pd.Timestamp("2024-06-30"), last=last.as_of)
    learner, told = Learner(fit_from=fit_from), 0
    for seen in ledger.walk(days[:20]):
        learned = learner.step(seen)
        by_step = learner._origins[seen.first_target].logits if learned.model is not None else {}
        if by_step and not learned.model.informed:
            logits = np.stack([by_step[step] for step in sorted(by_step)], axis=1)
            hazards = np.stack(learned.model.hazards(learned.states, steps=logits.shape[1]), axis=2)
            np.testing.assert_allclose(expit(logits.astype(float)), hazards, rtol=1e-5)
            told += len(logits)
    assert told > 100
