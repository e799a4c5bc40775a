"""Scenarios side by side: each by hand, shares that add up to the cent, and none that the day does not know."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forecast
from forecast.errors import ParameterError
from forecast.reporting.explorer.compare import ALL, BASE, compare, compare_files
from forecast.reporting.explorer.scenario import LEVERS, RANGES, Levers, scenario
from forecast.reporting.explorer.scenario_file import write_scenario
from forecast.reporting.explorer.sentences import WITHOUT_JOINT
from scenarios import two_deals

MAKE = partial(scenario, two_deals())


def test_by_hand():
    # booked 10; open: A 50 + 20, B 100 + 300; to come 40 + 80
    compared = compare({"best": Levers(win_rate=0.1), "worst": Levers(lost=("B",))}, MAKE)
    assert compared.names == [BASE, "best", "worst"]
    whole = compared.whole.set_index("scenario")
    assert whole["mean"].tolist() == pytest.approx([600.0, 659.0, 200.0])
    assert whole["change"].tolist() == pytest.approx([0.0, 59.0, -400.0])
    months = compared.table[compared.table["period"] != ALL].pivot(index="period", columns="scenario", values="mean")
    assert months[BASE].tolist() == pytest.approx([200.0, 400.0])
    assert months["worst"].tolist() == pytest.approx([100.0, 100.0])
    shares = compared.by_lever.set_index(["scenario", "lever"])["change"]
    assert shares["worst", "deals"] == pytest.approx(-400.0)
    assert shares["best", "win_rate"] == pytest.approx(59.0)
    assert not compared.left_out
    assert not compared.remarks


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries({name: st.floats(low, high) for name, (low, high) in RANGES.items()}), st.booleans())
def test_shares_add_up_to_the_difference_to_the_cent(moved: dict[str, float], won: bool):
    compared = compare({"mine": Levers(**moved, won=("B",) if won else ())}, MAKE)
    for name, rows in compared.by_lever.groupby("scenario"):
        change = compared.whole.set_index("scenario").loc[name, "change"]
        assert abs(rows["change"].sum() - change) < 0.005
        assert list(rows["lever"]) == list(LEVERS)


def test_the_same_random_numbers():
    compared = compare({"nothing": Levers(), "again": Levers(win_rate=0.2), "same": Levers(win_rate=0.2)}, MAKE)
    whole = compared.whole.set_index("scenario")[["mean", "q10", "q90"]]
    assert whole.loc["nothing"].tolist() == whole.loc[BASE].tolist()
    assert whole.loc["again"].tolist() == whole.loc["same"].tolist()


def test_the_range_of_all_months_is_that_of_the_sum():
    compared = compare({}, MAKE)
    months = compared.table[compared.table["period"] != ALL]
    whole = compared.whole.iloc[0]
    assert months["q10"].sum() <= whole["q10"] <= whole["q90"] <= months["q90"].sum()


def test_a_deal_that_is_not_open_leaves_a_scenario_out():
    compared = compare({"old": Levers(won=("C",)), "new": Levers(won=("A",)), "torn": "torn: no scenario"}, MAKE)
    assert compared.names == [BASE, "new"]
    assert compared.left_out["old"].startswith("'C' is not an open deal")
    assert compared.left_out["torn"] == "torn: no scenario"
    assert np.isfinite(compared.whole["mean"]).all()


def test_joint_planning_that_does_not_start_is_remarked():
    levers = {"together": Levers(joint_planning=True)}
    assert compare(levers, MAKE).remarks == {"together": WITHOUT_JOINT}
    assert compare(levers, MAKE, joint_offered=True).remarks == {}


@pytest.mark.slow
@pytest.mark.usefixtures("kept_walks")
def test_files_are_compared_without_widgets(sample, tmp_path: Path):
    snap = forecast.snapshot(forecast.read(sample), as_of="2026-10-31")
    files = [
        write_scenario(Levers(win_rate=rate), name=name, folder=tmp_path)
        for name, rate in (("best", 0.2), ("worst", -0.2))
    ]
    (tmp_path / "torn.json").write_text("{", encoding="utf-8")
    (tmp_path / "old.json").write_text(json.dumps({"won": ["O-00001"]}), encoding="utf-8")
    files += [tmp_path / "torn.json", tmp_path / "old.json", tmp_path / "gone.json"]
    compared = compare_files(snap, files, segment="Iberia")
    assert compared.names == [BASE, "best", "worst"]
    whole = compared.whole.set_index("scenario")
    assert whole.loc["worst", "mean"] < whole.loc[BASE, "mean"] < whole.loc["best", "mean"]
    table = forecast.forecast_bookings(snap).query("segment == 'Iberia' and horizon >= 1").iloc[:6]
    assert whole.loc[BASE, "mean"] == pytest.approx(table["mean"].sum())
    assert "not a scenario" in compared.left_out["torn"]
    assert "'O-00001' is not an open deal" in compared.left_out["old"]
    assert "no such scenario" in compared.left_out["gone"]
    with pytest.raises(ParameterError, match="did you mean 'Iberia'"):
        compare_files(snap, files, segment="Ibera")
    with pytest.raises(ParameterError, match="two scenarios are called 'best'"):
        compare_files(snap, [tmp_path / "best.json", tmp_path / "other" / "best.json"])
