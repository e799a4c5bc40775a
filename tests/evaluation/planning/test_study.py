"""What stands beside the planning verdict: secondary outcomes and Holm, marketing's worth, the study as a whole."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.calendar import period_label
from forecast.data.schema import Log
from forecast.errors import DataError
from forecast.evaluation.planning.errors import errors_in_detail
from forecast.evaluation.planning.secondary import (
    LEADS,
    OUTCOMES,
    WITH,
    WITHOUT,
    at_one_level,
    measure_outcomes,
    model_track,
    outcome_changes,
    worth_of_marketing,
)
from forecast.evaluation.planning.study import planning_study
from forecast.evaluation.scores.comparison import diebold_mariano, holm
from forecast.evaluation.scores.deals import deal_track
from forecast.simulation.company import simulate, write
from futures import CLOSING, another_future, eventful
from logs import STAGES, log_of, table

START = 12 * 2022
DATES = (20, 22, 25, 27, 30, 33, None, None)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Return the log of a company with as many segments as the sample, of which two began too early to be judged."""
    folder = tmp_path_factory.mktemp("study")
    write(simulate(opportunities=2400, months=44, seed=9001, steady=True, segments=12), folder)
    return forecast.read(folder)


@pytest.fixture(scope="module")
def study(log: Log):
    return planning_study(log)


# -- the secondary outcomes ------------------------------------------------------------------------------


def outcomes_of(*, shift: float = 0.0, seed: int = 1, dates: tuple[int | None, ...] = DATES) -> tuple:
    """Return the four outcomes of a made-up company, in which bias moves by `shift` on adoption, and adoption."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in OUTCOMES:
        for number, date in enumerate(dates):
            level = rng.normal(0, 0.2)
            noise = rng.normal(0, 0.1, 48)
            for month in range(48):
                moved = shift if name == "bias" and date is not None and month >= date else 0.0
                rows.append((name, f"S{number}", period_label(START + month), level + noise[month] + moved))
    adopted = [None if date is None else f"{period_label(START + date)}-15" for date in dates]
    adoption = pd.DataFrame({"segment": [f"S{i}" for i in range(len(dates))], "adopted_on": adopted})
    return pd.DataFrame(rows, columns=["outcome", "segment", "period", "value"]), adoption


def test_a_shift_is_found_where_it_is_and_nowhere_else():
    outcomes, adoption = outcomes_of(shift=-0.2, seed=5)
    found = outcome_changes(outcomes, adoption, permutations=2_000, seed=0).set_index("outcome")
    assert list(found.index) == list(OUTCOMES)
    bias = found.loc["bias"]
    assert bias["verdict"] == "changed"
    assert bias["interval_low"] < -0.2 < bias["interval_high"] < 0
    assert (found.drop("bias")["verdict"] == "no detectable change").all()
    assert (found["p_holm"] >= found["p_value"]).all()
    assert found["segments"].eq(8).all()
    assert found["months"].eq(48).all()


def test_the_change_is_that_of_least_squares_with_dummies():
    outcomes, adoption = outcomes_of(shift=0.1, seed=7)
    got = outcome_changes(outcomes, adoption, permutations=1_000, seed=0).set_index("outcome").loc["slippage"]
    y = outcomes[outcomes["outcome"] == "slippage"]["value"].to_numpy().reshape(8, 48)
    months, date = np.arange(48), np.array([99 if d is None else d for d in DATES])[:, None]
    after, aside = months >= date, (months >= date - 6) & (months < date)
    segment, month = np.indices(y.shape)
    columns = [segment.ravel()[:, None] == np.arange(8), month.ravel()[:, None] == np.arange(48)]
    x = np.column_stack([after.ravel(), aside.ravel(), *columns]).astype(float)
    assert got["change"] == pytest.approx(np.linalg.lstsq(x, y.ravel(), rcond=None)[0][0])
    begun = y[:6]
    assert got["before"] == pytest.approx(np.mean([row[: d - 6].mean() for row, d in zip(begun, DATES, strict=False)]))  # type: ignore[operator]
    assert got["after"] == pytest.approx(np.mean([row[d:].mean() for row, d in zip(begun, DATES, strict=False)]))


@pytest.mark.long
@pytest.mark.slow
def test_where_nothing_changed_some_change_is_rarely_claimed():
    claimed = 0
    for seed in range(60):
        outcomes, adoption = outcomes_of(seed=100 + seed)
        found = outcome_changes(outcomes, adoption, permutations=1_000, seed=seed)
        claimed += bool((found["verdict"] == "changed").any())
    # Holm holds the chance of any false change at 5 %: 8 or more of 60 would be seen once in 100 times.
    assert claimed <= 7


@pytest.mark.parametrize(
    ("dates", "said"),
    [((20,) * 8, "every segment began in"), ((20,), "the only segment"), ((None, None, None), "no segment began")],
)
def test_what_is_not_identified_says_so_and_is_not_counted(dates, said):
    outcomes, adoption = outcomes_of(dates=dates)
    found = outcome_changes(outcomes, adoption, permutations=1_000, seed=0)
    assert (found["verdict"] == "not identified").all()
    assert found["reason"].str.contains(said).all()
    assert found[["change", "p_value", "p_holm"]].isna().all(axis=None)
    outcomes, adoption = outcomes_of()
    found = outcome_changes(
        outcomes[outcomes["outcome"] == "bias"], adoption, permutations=1_000, seed=0, absent={"slippage": "no history"}
    )
    row = found.set_index("outcome").loc["slippage"]
    assert (row["verdict"], row["reason"]) == ("not identified", "no history")
    assert found["p_holm"].notna().sum() == 1
    bias = found.set_index("outcome").loc["bias"]
    assert bias["p_holm"] == bias["p_value"]


def rest_of_the_page() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what else changed, of which one could not be tested, and what marketing was worth."""
    p = [0.004, np.nan, 0.6, 0.9]
    verdicts = ["changed", "not identified", "no detectable change", "no detectable change"]
    changes = pd.DataFrame({"outcome": OUTCOMES, "p_value": p, "p_holm": holm(p), "verdict": verdicts})
    return changes, pd.DataFrame({"when": ["before", "after"], "p_value": [0.02, 0.01], "p_holm": [0.02, 0.02]})


def test_the_page_is_held_to_one_level_and_the_verdict_comes_first():
    changes, worth = rest_of_the_page()
    one, other = at_one_level(changes, worth, verdict="improved", withheld=False)
    # By hand, of five tests: 5 x .004, 4 x .01, 3 x .02, then 1.
    assert one["p_holm"].tolist() == pytest.approx([0.02, np.nan, 1, 1], nan_ok=True)
    assert other["p_holm"].tolist() == pytest.approx([0.06, 0.04])
    assert one["verdict"].tolist() == changes["verdict"].tolist()
    untested = at_one_level(changes, worth, verdict="not identified", withheld=False)
    pd.testing.assert_frame_equal(untested[0], one)
    pd.testing.assert_frame_equal(untested[1], other)


@pytest.mark.parametrize(("verdict", "withheld"), [("no detectable change", False), ("not identified", True)])
def test_where_the_verdict_claims_nothing_the_rest_of_the_page_claims_nothing(verdict: str, withheld: bool):
    changes, worth = rest_of_the_page()
    one, other = at_one_level(changes, worth, verdict=verdict, withheld=withheld)
    assert one["p_holm"].tolist() == pytest.approx([1, np.nan, 1, 1], nan_ok=True)
    assert (other["p_holm"] == 1).all()
    said = ["no detectable change", "not identified", "no detectable change", "no detectable change"]
    assert one["verdict"].tolist() == said
    assert changes["verdict"].iloc[0] == "changed"  # what was given stays as it was


def test_bad_outcomes_are_refused():
    outcomes, adoption = outcomes_of()
    with pytest.raises(DataError, match="missing"):
        outcome_changes(outcomes.drop(columns="period"), adoption, permutations=1_000, seed=0)
    with pytest.raises(DataError, match="infinite"):
        outcome_changes(outcomes.assign(value=np.inf), adoption, permutations=1_000, seed=0)
    with pytest.raises(DataError, match="not a month"):
        outcome_changes(outcomes.assign(period="soon"), adoption, permutations=1_000, seed=0)


# -- what the outcomes measure ---------------------------------------------------------------------------

HISTORY = """
opportunity_id recorded_at          stage    amount expected_close_on
A              2026-01-05T10:00:00  Qualify  10     2026-03-31
A              2026-02-10T10:00:00  Propose  10     2026-04-30
A              2026-03-20T10:00:00  Won      10     2026-03-20
B              2026-01-05T10:00:00  Qualify  20     2026-02-28
B              2026-02-20T10:00:00  Qualify  20     2026-02-25
B              2026-03-05T10:00:00  Qualify  20     2026-06-30
C              2026-01-05T10:00:00  Qualify  30     2026-05-31
D              2026-02-05T10:00:00  Qualify  40     2026-05-31
D              2026-02-25T10:00:00  Qualify  40     2026-06-30
"""
DEALS = """
opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
A              2026-01-05 East    Won     10     2026-03-20        2026-03-20 won
B              2026-01-05 East    Qualify 20     2026-06-30        .          open
C              2026-01-05 West    Qualify 30     2026-05-31        .          open
D              2026-02-05 West    Qualify 40     2026-06-30        .          open
"""


def small_log() -> Log:
    tables = {"opportunities": table(DEALS), "opportunity_history": table(HISTORY), "stages": STAGES}
    return log_of(tables, extracted_on=pd.Timestamp("2026-04-30"))


def of_outcome(found, name: str) -> dict[tuple[str, str], float]:
    rows = found.table[found.table["outcome"] == name]
    return {(row.segment, row.period): row.value for row in rows.itertuples()}


def test_slippage_by_hand():
    log = small_log()
    period = log.company.periods.period(pd.Timestamp("2026-02-01"))
    none = pd.DataFrame({"segment": [], "period": [], "value": []}).astype({"segment": "str", "period": "str"})
    models = model_track(log, None, targets=range(0), seed=0)
    found = measure_outcomes(log, signed=none, models=models, as_of=log.extracted_on, targets=range(period, period + 2))
    # February: A moved later, B earlier, C not; D was not open at its start. March: B moved later; A, won, did not.
    assert of_outcome(found, "slippage") == {
        ("East", "2026-02"): 0.5,
        ("West", "2026-02"): 0.0,
        ("East", "2026-03"): 0.5,
        ("West", "2026-03"): 0.0,
    }
    assert set(found.absent) == {"bias", "interval coverage", "win-probability calibration"}
    assert "too few deals" in found.absent["win-probability calibration"]


def test_without_history_slippage_is_absent_and_says_why():
    log = small_log()
    tables = {name: frame for name, frame in log.tables.items() if name != "opportunity_history"}
    found = measure_outcomes(
        dataclasses.replace(log, tables=tables),
        signed=pd.DataFrame({"segment": ["East"], "period": ["2026-02"], "value": [0.5]}),
        models=model_track(log, None, targets=range(0), seed=0),
        as_of=log.extracted_on,
        targets=range(12 * 2026 + 1, 12 * 2026 + 3),
    )
    assert "opportunity_history" in found.absent["slippage"]
    assert of_outcome(found, "bias") == {("East", "2026-02"): 0.5}


def test_coverage_by_hand():
    log = small_log()
    rows = [
        (WITH, "2026-03", "East", lead, low, high, 10.0)
        for lead, low, high in ((1, 5, 15), (2, 11, 15), (3, 10, 10))  # in, out, in: the ends count
    ]
    rows += [(WITH, "2026-03", "West", 1, 0, 99, 10.0)]  # a lead time is missing: not counted
    rows += [(WITHOUT, "2026-03", "East", lead, 0, 0, 10.0) for lead in LEADS]
    models = pd.DataFrame(rows, columns=["model", "target_period", "segment", "horizon", "q10", "q90", "observed"])
    none = pd.DataFrame({"segment": [], "period": [], "value": []})
    found = measure_outcomes(log, signed=none, models=models, as_of=log.extracted_on, targets=range(0))
    assert of_outcome(found, "interval coverage") == {("East", "2026-03"): pytest.approx(2 / 3)}


@pytest.mark.slow
def test_calibration_is_what_the_deals_command_said_less_what_came(tmp_path: Path):
    write(simulate(opportunities=12_000, seed=1), tmp_path)  # few enough wins a cell that most have no late one
    log = forecast.read(tmp_path)
    targets = range(12 * 2026 + 2, 12 * 2026 + 5)  # March to May 2026
    none = pd.DataFrame({"segment": [], "period": [], "value": []})
    found = measure_outcomes(
        log,
        signed=none,
        models=model_track(log, None, targets=range(0), seed=0),
        as_of=log.extracted_on,
        targets=targets,
    )
    got = of_outcome(found, "win-probability calibration")
    # The reference takes a snapshot a day and the log's last day for the outcome.
    said = deal_track(log, as_of="2026-10-31", origins=["2026-02-28", "2026-03-31", "2026-04-30"], horizon=1)
    gap = (said["p"] - said["won"]).groupby([said["segment"], said["origin"] + pd.Timedelta(days=1)]).mean()
    want = {(segment, f"{day:%Y-%m}"): value for (segment, day), value in gap.items()}
    assert got.keys() == want.keys()
    assert len(got) == 24
    # A win recorded after the settle days moves a cell by one deal at most.
    assert np.mean([math.isclose(got[key], want[key], abs_tol=1e-9) for key in got]) >= 0.8
    assert max(abs(got[key] - want[key]) for key in got) < 0.05


def fully_told(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables without deals whose history does not tell how they ended: their amounts are today's."""
    deals, history = tables["opportunities"], tables["opportunity_history"]
    told = history["opportunity_id"].isin(history.loc[history["stage"].isin(list(CLOSING)), "opportunity_id"])
    closed = set(deals.loc[deals["outcome"] != "open", "opportunity_id"]) - set(history.loc[told, "opportunity_id"])
    kept = set(history["opportunity_id"]) - closed
    out = dict(tables)
    for name in ("opportunities", "opportunity_history"):
        out[name] = tables[name][tables[name]["opportunity_id"].isin(kept)].reset_index(drop=True)
    leads = tables["leads"]
    out["leads"] = leads.assign(opportunity_id=leads["opportunity_id"].where(leads["opportunity_id"].isin(kept)))
    return out


@pytest.mark.slow
def test_the_study_of_a_day_knows_nothing_recorded_later():
    day = "2026-03-31"
    tables, company = eventful(seed=12, carry=True)
    tables = fully_told(tables)
    other = another_future(tables, day, company, seed=3, carry=True)

    def told(frames: dict[str, pd.DataFrame]) -> dict[str, object]:
        about = {**company, "fixed_at_creation": tuple(company["fixed_at_creation"])}  # type: ignore[arg-type]
        return planning_study(log_of(frames, **about), as_of=day).to_dict()

    first, second = told(tables), told(other)
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert [row["months"] for row in first["secondary"]] == [row["months"] for row in first["secondary"][:1] * 4]  # type: ignore[index]
    assert first["secondary"][0]["months"] > 12  # type: ignore[index]


# -- marketing's worth -----------------------------------------------------------------------------------


def track_of(seed: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    rows = []
    for month in range(24):
        for segment in ("East", "West"):
            observed = 100.0 + rng.normal(0, 5)
            for model, spread in ((WITHOUT, 20), (WITH, 10 if month >= 12 else 20)):
                mean = observed + rng.normal(0, spread)
                rows.append(
                    (
                        model,
                        f"{2024 + month // 12}-{month % 12 + 1:02d}-01",
                        period_label(START + 24 + month),
                        segment,
                        1,
                        mean,
                        observed,
                    )
                )
    columns = ["model", "origin", "target_period", "segment", "horizon", "mean", "observed"]
    adoption = pd.DataFrame({"segment": ["East", "West"], "adopted_on": ["2025-01-10", None]})
    return pd.DataFrame(rows, columns=columns), adoption


def test_information_by_hand_and_by_the_paired_test():
    track, adoption = track_of()
    got = worth_of_marketing(track, adoption).set_index("when")
    assert list(got.index) == ["before", "after", "not begun"]
    assert got["n"].tolist() == [12, 12, 24]
    for when, segment, months in (
        ("before", "East", range(12)),
        ("after", "East", range(12, 24)),
        ("not begun", "West", range(24)),
    ):
        periods = [period_label(START + 24 + month) for month in months]
        rows = track[(track["segment"] == segment) & track["target_period"].isin(periods)]
        miss = (rows["mean"] - rows["observed"]).abs()
        without, with_ = (miss[rows["model"] == name].to_numpy() for name in (WITHOUT, WITH))
        total = rows.loc[rows["model"] == WITH, "observed"].sum()
        test = diebold_mariano(without, with_)
        row = got.loc[when]
        assert row["wape_without"] == pytest.approx(without.sum() / total)
        assert row["added"] == pytest.approx((without.sum() - with_.sum()) / total)
        assert (row["statistic"], row["p_value"]) == pytest.approx((test.statistic, test.p_value))
    assert got["p_holm"].to_numpy() == pytest.approx(holm(got["p_value"].to_numpy()))


def test_information_leaves_out_what_has_no_pair():
    track, adoption = track_of()
    track.loc[(track["model"] == WITH) & (track["segment"] == "West"), "mean"] = np.nan
    track = pd.concat([track, track.assign(segment="Total"), track.assign(target_period="FY24 Q1")])
    assert worth_of_marketing(track, adoption)["when"].tolist() == ["before", "after"]
    assert worth_of_marketing(track.iloc[:0], adoption).empty
    few = worth_of_marketing(track[track["target_period"] <= "2024-03"], adoption)
    assert few["p_value"].isna().all()
    with pytest.raises(DataError, match="twice"):
        worth_of_marketing(track, pd.concat([adoption, adoption]))


# -- the study -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.xdist_group("study")
@pytest.mark.long
def test_the_track_given_and_the_one_computed_tell_the_same(log: Log, study):
    detail = errors_in_detail(log)
    first, last = (
        int(p[:4]) * 12 + int(p[5:]) - 1 for p in (detail.errors["period"].min(), detail.errors["period"].max())
    )
    origins = [str(log.company.periods.end(period).date()) for period in range(last - 12, last)]
    # As many months ahead as the study asks for: a forecast of more months has other draws, and other ends of ranges.
    benchmark = forecast.backtest(log, origins=origins, models=["ets"], months=4, seed=0)
    models = forecast.backtest(log, origins=origins, models=[WITH, WITHOUT], months=3, seed=0)
    track = pd.concat([benchmark, models], ignore_index=True)
    assert first < last - 12
    given = planning_study(log, track=track)
    assert json.dumps(given.to_dict(), sort_keys=True) == json.dumps(study.to_dict(), sort_keys=True)


@pytest.mark.slow
@pytest.mark.xdist_group("study")
def test_the_study_is_whole(log: Log, study):
    told = study.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["verdict"] == forecast.planning_effect(forecast.planning_errors(log), log.get("joint_planning")).verdict
    assert [row["outcome"] for row in told["secondary"]] == list(OUTCOMES)
    assert {row["when"] for row in told["information"]} == {"before", "after", "not begun"}
    assert {row["segments"] for row in told["power"]} == {10, 20, 40}
    assert told["detectable_change"] == pytest.approx(study.detectable[10])
    assert study.detectable[10] < study.detectable[20] < 0
    assert len(told["leave_one_out"]) == 10


@pytest.mark.slow
def test_no_planning_table_means_that_nobody_began(tmp_path: Path):
    write(simulate(opportunities=900, months=32, seed=4, segments=4), tmp_path)
    log = forecast.read(tmp_path)
    tables = {name: frame for name, frame in log.tables.items() if name != "joint_planning"}
    found = planning_study(dataclasses.replace(log, tables=tables))
    assert found.effect.verdict == "not identified"
    assert found.power.empty
    assert (found.secondary["verdict"] == "not identified").all()
    assert found.information["when"].tolist() == ["not begun"]
    json.dumps(found.to_dict(), allow_nan=False)


def test_before_anything_has_settled_the_study_is_not_identified(sample: Path):
    early = planning_study(forecast.read(sample), as_of="2022-08-31")
    assert early.effect.verdict == "not identified"
    assert early.information.empty
    assert (early.secondary["verdict"] == "not identified").all()
    json.dumps(early.to_dict(), allow_nan=False)
