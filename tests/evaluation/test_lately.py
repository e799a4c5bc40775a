"""The record of late beside the whole of it, and what is watched: by hand on small records."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.calendar import period_labels
from forecast.data.schema import QUANTILE_COLUMNS
from forecast.evaluation.alarms import limit
from forecast.evaluation.lately import ALARM_COLUMNS, alarms, company_since, lately, parted

FIRST = 2024 * 12
SPREAD = np.array([-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0])


def record(observed: dict[str, list[float]], **means: dict[str, list[float]]) -> pd.DataFrame:
    """Return scored forecasts one month ahead; ranges of the model reach 20 to either side (80 %).

    observed : segment -> what was booked, a month after the other. means : model (`_` for `-`) -> segment -> forecasts;
    nan for none.
    """
    rows = []
    for model, segments in means.items():
        for segment, values in segments.items():
            for place, mean in enumerate(values):
                quantiles = mean + SPREAD if model == "pipeline" else np.full(7, np.nan)
                key = (model.replace("_", "-"), place, segment, mean, observed[segment][place])
                rows.append((*key, *quantiles))
    columns = ["model", "place", "segment", "mean", "observed", *QUANTILE_COLUMNS]
    table = pd.DataFrame(rows, columns=columns)
    months = period_labels(range(FIRST, FIRST + 60))
    table["target_period"] = [months[place + 1] for place in table["place"]]
    table["origin"] = [pd.Timestamp(months[place]) + pd.offsets.MonthEnd(0) for place in table["place"]]
    return forecast.score(table.drop(columns="place").assign(horizon=1))


def row_of(table: pd.DataFrame, **where: str) -> pd.Series:
    found = table[np.logical_and.reduce([table[name] == value for name, value in where.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_every_figure_twice_by_hand():
    # Right for six months, then 50 % too high for six.
    scored = record({"Total": [100.0] * 12}, pipeline={"Total": [100.0] * 6 + [150.0] * 6}, ets={"Total": [110.0] * 12})
    row = row_of(lately(scored), model="pipeline")
    assert row[["n", "n_lately"]].tolist() == [12, 6]
    assert row[["wape", "wape_lately", "bias", "bias_lately"]].tolist() == [0.25, 0.5, 0.25, 0.5]
    assert row[["coverage80", "coverage80_lately"]].tolist() == [0.5, 0.0]
    assert row["skill_lately"] == pytest.approx(1 - 50 / 10)
    assert row[["first", "last"]].tolist() == ["2024-08", "2025-01"]


def test_the_record_before_an_alarm_and_since_by_hand():
    # Right for 18 months, then 50 % too high for six; the benchmark is 10 % too high throughout.
    given = {"pipeline": {"Total": [100.0] * 18 + [150.0] * 6}, "ets": {"Total": [110.0] * 24}}
    scored = record({"Total": [100.0] * 24}, **given)
    found = alarms(scored)
    since = company_since(found)
    assert since == row_of(found, model="pipeline", kind="too high")["first"]
    row = row_of(parted(scored, found), model="pipeline")
    assert row[["n", "n_before", "n_since", "months_before", "months_since"]].tolist() == [24, 18, 6, 18, 6]
    assert row[["wape_before", "wape_since", "bias_before", "bias_since"]].tolist() == [0.0, 0.5, 0.0, 0.5]
    assert row[["coverage80_before", "coverage80_since"]].tolist() == [1.0, 0.0]
    assert row["skill_since"] == pytest.approx(1 - 50 / 10)
    assert row["first"] == since
    # A side comes before ranges; without an alarm there are no parts, nor without a record.
    both = found.assign(alarm=True, evidence=1.0, limit=1.0).assign(first=found["kind"])
    assert company_since(both) != "ranges"
    quiet = parted(scored, found.assign(alarm=False))
    assert quiet.empty
    assert list(quiet.columns) == list(parted(scored, found).columns)
    assert parted(scored.iloc[:0], found).empty


def test_who_forecasts_no_more_has_no_record_of_late():
    scored = record({"A": [100.0] * 12}, pipeline={"A": [100.0] * 12}, submitted_sales={"A": [90.0] * 6 + [np.nan] * 6})
    row = row_of(lately(scored), model="submitted-sales")
    assert row["n"] == 6
    assert row["n_lately"] == 0
    assert np.isnan(row["wape_lately"])
    assert set(alarms(scored)["model"]) == {"pipeline"}
    assert lately(scored.iloc[:0]).empty
    assert alarms(scored.iloc[:0]).columns.tolist() == list(ALARM_COLUMNS)
    assert alarms(scored.iloc[:0]).empty


def test_a_model_that_became_too_high_is_under_alarm():
    rng = np.random.default_rng(1)
    right = list(100 + 10 * rng.standard_normal(18))
    scored = record(
        {"Total": [100.0] * 23},
        pipeline={"Total": [*right, 140.0, 190.0, 150.0, 160.0, 150.0]},
        ets={"Total": [*right, 112.0, 112.0, 112.0, 112.0, 112.0]},
    )
    table = alarms(scored)
    row = row_of(table, model="pipeline", segment="Total", kind="too high")
    assert row["alarm"]
    assert row["months"] == 23
    assert row["limit"] == limit("company too high")
    assert row[["n", "n_side"]].tolist() == [5, 5]
    assert row[["low", "high", "wape", "wape_benchmark"]].tolist() == pytest.approx([0.4, 0.9, 0.58, 0.12])
    assert row[["first", "last"]].tolist() == ["2025-08", "2025-12"]
    assert not row_of(table, kind="too low")["alarm"]
    ranges = row_of(table, kind="ranges")
    assert ranges["n_side"] == 5
    # A month before the last of them there are four, and half a year before none.
    earlier = scored[scored["target_period"] <= "2025-07"]
    assert not alarms(earlier)["alarm"].any()


def test_a_segment_has_its_part_of_the_budget():
    fine = {name: [100.0] * 23 for name in ("A", "B", "C", "D")}
    rng = np.random.default_rng(2)
    right = {name: list(100 + 10 * rng.standard_normal(23)) for name in fine}
    right["C"][-8:] = [170.0] * 8
    table = alarms(record(fine, pipeline=right, ets=right))
    row = row_of(table, segment="C", kind="too high")
    assert row["alarm"]
    assert row["limit"] == limit("segments too high", watched=4)
    assert table["alarm"].sum() == 1
    assert row["wape_benchmark"] == row["wape"]


def test_people_are_compared_with_their_own_past():
    rng = np.random.default_rng(3)
    observed = {name: [100.0] * 23 for name in ("A", "B")}
    noise = {name: 3 * rng.standard_normal(23) for name in observed}
    # Sales were 20 % too low on the whole, and are 60 % too high now; marketing always was 60 % too high.
    sales = {name: list(np.where(np.arange(23) < 16, 80.0, 160.0) + noise[name]) for name in observed}
    marketing = {name: list(160.0 + noise[name][::-1]) for name in observed}
    scored = record(observed, submitted_sales=sales, submitted_marketing=marketing, pipeline=observed)
    table = alarms(scored)
    row = row_of(table, model="submitted-sales", kind="too high")
    assert row["alarm"]
    assert row["limit"] == limit("people too high", watched=2)
    assert row[["n", "n_side"]].tolist() == [7, 7]
    assert row["bias_before"] == pytest.approx(-0.2, abs=0.02)
    assert row["wape_model"] == 0
    assert np.isnan(row["wape_benchmark"])
    assert not table.loc[table["model"] == "submitted-marketing", "alarm"].any()
    assert set(alarms(scored, people=["submitted-marketing"])["model"]) == {"pipeline", "submitted-marketing"}


def test_who_no_longer_is_too_low_gives_no_alarm():
    rng = np.random.default_rng(4)
    noise = 3 * rng.standard_normal(23)
    low_then_right = list(np.where(np.arange(23) < 16, 50.0, 96.0) + noise)
    table = alarms(record({"A": [100.0] * 23}, submitted_sales={"A": low_then_right}))
    row = row_of(table, model="submitted-sales", kind="too high")
    assert row["evidence"] > row["limit"]
    assert not row["alarm"]


def test_the_longer_a_habit_is_known_the_sooner_a_change_is_seen():
    rng = np.random.default_rng(5)
    observed, values = [100.0] * 47, 110 + 10 * rng.standard_normal(47)
    values[-4:] = 160.0
    whole = record({"A": observed}, submitted_sales={"A": list(values)}, pipeline={"A": observed}, ets={"A": observed})
    months = sorted(whole["target_period"].unique())
    recent = whole[whole["target_period"].isin(months[-23:])]
    short = row_of(alarms(recent), model="submitted-sales", kind="too high")
    long = row_of(alarms(recent, past=whole), model="submitted-sales", kind="too high")
    assert long["evidence"] > 2 * short["evidence"]
    assert long["months"] == 47
    assert long["alarm"]
    assert long["wape_benchmark"] == 0
    # The model is still watched over its own record, which ends where it ends.
    assert row_of(alarms(recent, past=whole), segment="A", kind="too high", model="pipeline")["months"] == 23
