"""Past forecasts by level: what came adds up to the settled bookings, and stands where it belonged on the day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.checks.validation import validate
from forecast.data.schema import Company
from forecast.errors import ParameterError
from forecast.evaluation.by_level import backtest_by_level
from forecast.models.pipeline.components import keep_walks
from forecast.simulation.company import simulate

ORIGINS = ("2025-03-31", "2025-06-30", "2026-08-31")


@pytest.fixture(scope="module")
def log():
    made = simulate(opportunities=1500, months=36, seed=6, segments=4, steady=True)
    return validate(made.tables, Company(extracted_on=pd.Timestamp(made.company["extracted_on"])))


@pytest.fixture(scope="module")
def track(log):
    return backtest_by_level(log, origins=ORIGINS, months=3, ranges=False)


def test_what_came_of_segments_is_what_settled_and_every_level_has_all_of_it(log, track):
    actuals = forecast.settled_actuals(log).rename(columns={"period": "target_period", "segment": "node"})
    mine = track[(track["of"] == "segment") & (track["kind"] == "segment") & track["observed"].notna()]
    both = mine.merge(actuals, on=["target_period", "node"])
    assert len(both) == len(mine) > 20
    np.testing.assert_allclose(both["observed"], both["amount"])
    leaves = track[track["kind"].isin(["owner", "product"]) & track["observed"].notna()]
    whole = track[(track["level"] == 0) & track["observed"].notna()]
    keys = ["origin", "of", "target_period"]
    for name in ("observed", "mean"):
        np.testing.assert_allclose(leaves.groupby(keys)[name].sum(), whole.set_index(keys)[name].sort_index())
    # Of the last origin one month has settled, later ones have not.
    last = track[track["origin"] == pd.Timestamp(ORIGINS[-1])]
    assert set(last.loc[last["observed"].notna(), "target_period"]) == {"2026-09"}


def test_the_forecast_is_that_of_the_day_and_reads_off_a_kept_walk(log, track):
    day = ORIGINS[0]
    table = forecast.forecast_by_level(forecast.snapshot(log, as_of=day), months=3)
    months = table[~table["target_period"].str.contains(" ")].set_index(["of", "path", "target_period"])["mean"]
    mine = track[track["origin"] == pd.Timestamp(day)].set_index(["of", "path", "target_period"])["mean"]
    np.testing.assert_allclose(mine.loc[months.index], months, rtol=1e-9)
    assert (mine.drop(months.index) == 0).all()  # nobody knew of them
    snap = forecast.snapshot(log, as_of=log.extracted_on)
    keep_walks(snap)
    off_walk = backtest_by_level(log, origins=ORIGINS, months=3, ranges=False, through=snap)
    pd.testing.assert_frame_equal(track, off_walk)


def test_a_deal_that_changed_hands_counts_with_who_held_it_when_it_settled():
    tables = {
        "opportunities": pd.DataFrame(
            {
                "opportunity_id": [f"d{number:04}" for number in range(400)],
                "created_on": pd.Timestamp("2024-01-05") + pd.to_timedelta(np.arange(400) * 2, unit="D"),
                "segment": np.where(np.arange(400) % 2, "East", "West"),
                "stage": "Open",
                "amount": 10.0,
                "expected_close_on": pd.NaT,
                "closed_on": pd.NaT,
                "outcome": "open",
                "owner": "Bob",
            }
        )
    }
    deals = tables["opportunities"]
    closed = deals["created_on"] + pd.Timedelta(days=40)
    done = closed <= pd.Timestamp("2026-03-31")
    won = done & (np.arange(400) % 3 == 0)
    deals["closed_on"] = closed.where(done)
    deals["outcome"] = np.select([won, done], ["won", "lost"], "open")
    deals["stage"] = np.select([won, done], ["Won", "Lost"], "Open")
    first = deals[["opportunity_id", "amount", "expected_close_on"]].assign(
        recorded_at=deals["created_on"].dt.tz_localize("UTC"), stage="Open", owner="Ada"
    )
    last = deals[done.to_numpy()][["opportunity_id", "amount", "expected_close_on", "stage"]].assign(
        recorded_at=deals["closed_on"][done].dt.tz_localize("UTC"), owner="Bob"
    )
    tables["opportunity_history"] = pd.concat([first, last], ignore_index=True)
    tables["hierarchy"] = pd.DataFrame(
        {"of": "owner", "node": ["Ada", "Bob"], "from": "2024-01-01", "parent": ["One", "Two"]}
    )
    tables["stages"] = pd.DataFrame(
        {"stage": ["Open", "Won", "Lost"], "position": [1, 2, 3], "outcome": ["open", "won", "lost"]}
    )
    log = validate(tables, Company())
    track = backtest_by_level(log, origins=["2026-01-31"], months=1, ranges=False)
    by_owner = track[(track["of"] == "owner") & (track["kind"] == "owner")].set_index("node")
    assert by_owner.loc["Ada", "observed"] == 0
    assert by_owner.loc["Bob", "observed"] > 0
    assert by_owner.loc["Ada", "open_pipeline"] > 0
    assert by_owner.loc["Bob", "open_pipeline"] == 0


def test_without_a_hierarchy_there_is_nothing_and_origins_are_checked(log):
    plain = validate({name: frame for name, frame in log.tables.items() if name != "hierarchy"}, log.company)
    assert backtest_by_level(plain, origins=ORIGINS[:1]).empty
    with pytest.raises(ParameterError, match="after the log's last day"):
        backtest_by_level(log, origins=["2040-01-31"])
