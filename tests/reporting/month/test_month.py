"""The tables of a month: made once, as known on the day, and from one another."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

import forecast
from forecast.calendar import parse_period
from forecast.errors import ParameterError
from forecast.evaluation.planning.effect import planning_effect
from forecast.evaluation.planning.errors import planning_errors
from forecast.evaluation.planning.study import planning_study
from forecast.reporting.month import tables as month_tables
from forecast.reporting.month.results import Results
from forecast.simulation.company import simulate, write
from tiny import tiny_company

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    write(simulate(opportunities=800, months=32, end="2026-10", seed=5), folder)
    return forecast.read(folder)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(month_tables, "ORIGINS", 4)
    monkeypatch.setattr(month_tables, "MODELS", ("seasonal-naive", "ets"))


def test_an_unknown_table_is_told(log):
    with pytest.raises(ParameterError, match="did you mean 'bookings'"):
        month_tables.table("booking", log, as_of="2026-10")


def test_origins_are_the_month_ends_before(log):
    assert month_tables.origins(log, as_of="2026-10", count=3) == ["2026-07-31", "2026-08-31", "2026-09-30"]
    assert month_tables.origins(log, as_of="2026-09-15", count=1) == ["2026-08-31"]
    early = month_tables.origins(log, as_of="2026-10", count=600)
    first = log.opportunities["created_on"].min()
    assert parse_period(early[0][:7]) == first.year * 12 + first.month - 1 + month_tables.FIRST_MONTHS


def test_a_table_is_made_once_and_kept(log, tmp_path, monkeypatch):
    results = Results(tmp_path / "tables")
    made = month_tables.table("deals", log, as_of="2026-10", results=results)
    monkeypatch.setattr(month_tables, "MAKERS", {"deals": lambda _: pytest.fail("made twice")})
    again = month_tables.table("deals", log, as_of="2026-10", results=results)
    pd.testing.assert_frame_equal(again, made, check_dtype=False)


def test_without_a_folder_a_table_is_made_once_of_each_log_and_question(log, monkeypatch):
    made, nowhere = [], Results("")

    def maker(month):
        made.append((month.log, month.snap.as_of, month.months, month.seed))
        return pd.DataFrame({"count": [len(made)]})

    monkeypatch.setattr(month_tables, "MAKERS", {"deals": maker})

    def count(log, **asked):
        table = month_tables.table("deals", log, results=nowhere, **{"as_of": "2026-10", **asked})
        assert table.attrs["table"] == "deals"
        (number,) = table["count"]
        table.loc[:, "count"] = 0  # what a reader does with a table changes no other reader's
        return number

    assert [count(log), count(log), count(log, as_of="2026-10-31")] == [1, 1, 1]
    assert [count(log, months=3), count(log, months=3), count(log, seed=1), count(log, as_of="2026-09")] == [2, 2, 3, 4]
    assert count(dataclasses.replace(log), as_of="2026-09") == 5
    month_tables.table("deals", log, as_of="2026-10")
    assert len(made) == 6  # nothing is remembered where there is nobody to remember it


def test_the_track_record_of_a_day_holds_what_had_settled_then(log, tmp_path):
    results = Results(tmp_path)
    track = month_tables.table("backtest", log, as_of="2026-04-05", months=3, results=results)
    assert sorted(track["origin"].astype("str").unique()) == ["2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31"]
    months = track[track["target_period"].str.match(r"\d{4}-\d{2}$")]
    known = months[months["observed"].notna()]["target_period"]
    # settle_days is 7: on 5 April, March has ended but not settled; the log itself goes on to October
    assert sorted(known.unique()) == ["2026-01", "2026-02"]
    assert months["target_period"].max() == "2026-06"
    quarters = track[track["target_period"].str.startswith("FY")]
    ends = {
        label: log.company.periods.end(log.company.periods.quarter_periods(quarter)[-1])
        for quarter in range(2024 * 4, 2029 * 4)
        for label in [log.company.periods.quarter_label(quarter)]
    }
    late = quarters["target_period"].map(ends) + pd.Timedelta(days=7) > pd.Timestamp("2026-04-05")
    assert quarters.loc[late, "observed"].isna().all()
    assert {"submitted-sales", "ets", "seasonal-naive"} <= set(track["model"])
    scores = month_tables.table("scores", log, as_of="2026-04-05", months=3, results=results)
    assert set(month_tables.SCORES_BY) <= set(scores.columns)
    assert "backtest" in results
    assert "scores" in results


def test_planning_as_of_a_day_knows_no_later_adoption(log):
    day = log.get("joint_planning")["adopted_on"].dropna().min() - pd.Timedelta(days=1)
    effect = planning_study(log, as_of=day).effect
    assert effect.n_adopting == 0
    assert effect.verdict == "not identified"
    assert planning_effect(planning_errors(log), log.get("joint_planning")).n_adopting > 0  # as of the last day


@pytest.mark.parametrize("missing", ["submitted_forecasts", "joint_planning"])
def test_planning_without_its_tables_is_not_identified_and_says_why(log, missing):
    tables = {name: table for name, table in log.tables.items() if name != missing}
    row = month_tables.table("planning", dataclasses.replace(log, tables=tables), as_of="2026-10", months=2)
    assert len(row) == 1
    assert row["verdict"].item() == "not identified"
    assert row["sentence"].item()
    assert (row["interval_low"].item(), row["interval_high"].item()) == (-1, float("inf"))


def test_the_scorecard_is_made_with_every_definition_of_its_figures(log, tmp_path):
    results = Results(tmp_path)
    card = month_tables.table("scorecard", log, as_of="2026-10", months=1, results=results)
    assert {"measure", "ours", "survey"} <= set(card.columns)
    assert card["ours"].notna().any()
    assert "scorecard_definitions" in results
    rows = month_tables.table("scorecard_definitions", log, as_of="2026-10", months=1, results=results)
    assert {"figure", "definition", "value", "low", "high", "n", "missing"} <= set(rows.columns)
    assert (rows["value"].notna() | (rows["missing"] != "")).all()


def test_the_funnel_is_a_table_of_the_month(log, tmp_path):
    results = Results(tmp_path)
    rows = month_tables.table("scorecard_funnel", log, as_of="2026-10", months=1, results=results)
    assert (tmp_path / "scorecard_funnel.csv").is_file()
    assert set(rows["part"]) == {"hand-over", "source", "leak", "plan", "capacity", "repeat"}
    assert (rows["value"].notna() == (rows["missing"] == "")).all()
    capacity = month_tables.table("capacity", log, as_of="2026-10", months=1, results=results)
    assert rows.loc[rows["part"] == "capacity", "value"].tolist() == pytest.approx(
        capacity["value"].tolist(), nan_ok=True
    )
    plans = rows[(rows["part"] == "plan") & (rows["segment"] == "Total")].set_index("step")
    assert plans.loc["sales against marketing", "n"] > 0


def test_bookings_and_capacity_are_of_the_same_draws(log, tmp_path, monkeypatch):
    day = {"as_of": "2026-10", "months": 1, "seed": 3}
    alone = month_tables.table("capacity", log, **day)
    results = Results(tmp_path)
    bookings = month_tables.table("bookings", log, **day, results=results)
    made = forecast.forecast_bookings(forecast.snapshot(log, as_of="2026-10"), months=1, seed=3)
    pd.testing.assert_frame_equal(bookings, made)
    monkeypatch.setattr(month_tables, "MAKERS", {"capacity": lambda _: pytest.fail("drawn twice")})
    pd.testing.assert_frame_equal(month_tables.table("capacity", log, **day, results=results), alone)


def test_the_reason_of_a_model_that_made_no_forecast_is_its_own():
    notes = [
        "pipeline: No forecast: only 1 closed deals are known, at least 10 are needed. (2026-06-30)",
        "pipeline: No forecast: only 2 closed deals are known, at least 10 are needed. (2026-07-31 to 2026-09-30)",
        "pipeline-sales-only: Another. (2026-07-31)",
        "stage-weighted needs the table `opportunity_history`. (2026-07-31)",
    ]
    assert month_tables.reasons_of(notes, ["pipeline", "stage-weighted", "ets"]) == {
        "pipeline": "only 2 closed deals are known, at least 10 are needed",
        "stage-weighted": "stage-weighted needs the table opportunity_history",
        "ets": "",
    }


def test_without_anything_of_marketing_the_model_without_it_is_none_to_compare_with(tmp_path, monkeypatch):
    monkeypatch.setattr(month_tables, "MODELS", ("pipeline", "pipeline-sales-only", "ets"))
    snap = forecast.snapshot(forecast.read(tiny_company(tmp_path / "a")), as_of="2026-03-31")
    assert month_tables.models(snap) == ["pipeline", "ets"]
    deals = snap.opportunities.assign(lead_source="Web")
    assert month_tables.models(dataclasses.replace(snap, opportunities=deals))[1] == "pipeline-sales-only"


def test_months_before_closures_were_recorded_have_not_settled(tmp_path):
    head = "opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome\n"
    days = [f"2026-{closed:02d}-05" for closed in (3, 4, 5, 6) for _ in range(10)]
    rows = [f"{i},2024-07-01,North,Won,100,{day},{day},won\n" for i, day in enumerate(days)]
    company = 'name = "From"\ncurrency = "EUR"\nextracted_on = 2026-07-31\n'
    folder = tiny_company(
        tmp_path / "from", opportunities=head + "".join(rows), history=None, plan=None, company=company
    )
    track = month_tables.table("backtest", forecast.read(folder), as_of="2026-07-31", months=3)
    known = track.loc[track["observed"].notna(), "target_period"]
    assert set(known) == {"2026-04", "2026-05", "2026-06", "FY26 Q2"}
    before = month_tables.table("backtest", forecast.read(folder), as_of="2026-04-30", months=3)
    assert set(before.loc[before["observed"].notna(), "target_period"]) == {"2026-03"}  # neither January nor FY26 Q1
