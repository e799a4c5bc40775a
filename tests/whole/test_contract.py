"""A walk through the contract: every command of the command line, every column of every table that comes out.

The main job and `check` run as a user runs them, in a process of their own; the others through the same entrance in
this one. Each command's help is read in `tests/cli`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from addsup import hold_that_deals_add_up
from forecast.cli import app
from forecast.data.schema import FORECAST_COLUMNS, QUANTILE_COLUMNS, TABLES, TOTAL, deal_columns
from forecast.evaluation.value_added import LADDER

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("report")]

PLANNING_FIGURES = {"relative_change", "mean_change", "p_value", "verdict", "reasons", "placebo_p_value", "dip_p_value"}
PLANNING_FIGURES |= {f"{check}_p_value" for check in ("earlier_spell", "trend", "controls", "benchmark", "missing")}
INTERVALS = {"interval": "relative_change", "mean_interval": "mean_change"}
VERDICTS = {"improved", "worsened", "no detectable change", "not identified"}
ADDENDS = ["booked", "open_pipeline", "not_yet_created"]
NOTEBOOKS = (
    "00_explore",
    "01_data_audit",
    "02_win_probability",
    "03_bookings",
    "04_track_record",
    "05_joint_planning",
    "06_scorecard",
    "07_leadership_brief",
)


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that runs the command line in the project's folder and returns what it printed."""
    monkeypatch.chdir(root)

    def ran(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            app.main(list(arguments))
        said = capsys.readouterr()
        assert not ended.value.code, f"{arguments} ended with {ended.value.code}:\n{said.out}\n{said.err}"
        assert "Traceback" not in said.out + said.err
        return said.out

    return ran


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a company that the command line has simulated."""
    out = tmp_path_factory.mktemp("simulated") / "company"
    arguments = ["--opportunities", "1500", "--months", "40", "--seed", "3", "--effect", "0"]
    with pytest.raises(SystemExit) as ended:
        app.main(["simulate", "--out", str(out), *arguments])
    assert not ended.value.code
    return out


def table(path: Path) -> pd.DataFrame:
    """Read a table that came out."""
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def check_forecast_table(frame: pd.DataFrame) -> None:
    """Hold a forecast table against the contract."""
    assert list(frame.columns[: len(FORECAST_COLUMNS)]) == list(FORECAST_COLUMNS)
    assert not frame.duplicated(["model", "origin", "target_period", "segment"]).any()
    assert frame["target_period"].str.fullmatch(r"\d{4}-\d{2}|FY\d{2} Q[1-4]").all()
    assert (frame["horizon"] >= 0).all()
    quantiles = frame[list(QUANTILE_COLUMNS)].dropna()
    assert (np.diff(quantiles.to_numpy(), axis=1) >= -1e-6).all()
    segments = frame[frame["segment"] != TOTAL].groupby(["model", "origin", "target_period"])["mean"].sum(min_count=1)
    totals = frame[frame["segment"] == TOTAL].set_index(["model", "origin", "target_period"])["mean"]
    both = pd.concat([segments, totals], axis=1, keys=["sum", "total"]).dropna()
    assert len(both)
    np.testing.assert_allclose(both["sum"], both["total"], rtol=1e-6)


def test_check(root: Path):
    command = [sys.executable, "-m", "forecast", "check", "--data", "data/sample"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr


def test_bookings(run, tmp_path: Path):
    out = tmp_path / "bookings.parquet"
    run("bookings", "--data", "data/sample", "--as-of", "2026-09", "--months", "6", "--out", str(out))
    frame = table(out)
    check_forecast_table(frame)
    assert list(frame.columns) == [*FORECAST_COLUMNS, *ADDENDS, "plan", "p_at_least_plan"]
    months = frame[frame["target_period"].str.contains("-")]
    assert sorted(months["horizon"].unique()) == [1, 2, 3, 4, 5, 6]
    assert frame["segment"].nunique() == 13
    np.testing.assert_allclose(frame[ADDENDS].sum(axis=1), frame["mean"], rtol=1e-6)
    assert frame["p_at_least_plan"].dropna().between(0, 1).all()
    assert frame["plan"].notna().any()
    assert set(frame["model"]) == {"pipeline"}


def test_bookings_in_the_middle_of_a_month(run, small: Path, tmp_path: Path):
    out = tmp_path / "bookings.csv"
    run("bookings", "--data", str(small), "--as-of", "2026-09-15", "--months", "2", "--out", str(out))
    frame = table(out)
    check_forecast_table(frame)
    months = frame[frame["target_period"].str.contains("-")]
    assert sorted(months["horizon"].unique()) == [0, 1, 2]
    assert (months.loc[months["horizon"] == 0, "booked"] >= 0).all()
    assert months.loc[(months["horizon"] == 0) & (months["segment"] == TOTAL), "booked"].item() > 0


def test_deals(run, small: Path, tmp_path: Path):
    out = tmp_path / "deals.csv"
    run("deals", "--data", str(small), "--as-of", "2026-09-30", "--out", str(out))
    frame = table(out)
    assert list(frame.columns) == list(deal_columns(range(1, 7)))
    chances = frame[[f"p_win_{h}" for h in range(1, 7)] + ["p_win"]].to_numpy()
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances, axis=1) >= -1e-9).all()
    assert frame["opportunity_id"].is_unique
    assert frame["factors"].str.len().gt(0).all()


def test_backtest_and_planning(run, small: Path, tmp_path: Path):
    out = tmp_path / "backtest.parquet"
    models = "pipeline,ets,seasonal-naive,stage-weighted,submitted-sales"
    span = ("--from", "2026-02", "--to", "2026-06", "--step", "2", "--models", models)
    run("backtest", "--data", str(small), *span, "--out", str(out))
    frame = table(out)
    check_forecast_table(frame)
    assert set(frame["model"]) == set(models.split(","))
    assert "observed" in frame
    assert pd.to_datetime(frame["origin"]).dt.strftime("%Y-%m-%d").unique().tolist() == [
        "2026-02-28",
        "2026-04-30",
        "2026-06-30",
    ]
    result = tmp_path / "planning.json"
    run("planning", "--data", str(small), "--backtest", str(out), "--out", str(result))
    told = json.loads(result.read_text(encoding="utf-8"))
    assert set(told) >= PLANNING_FIGURES | set(INTERVALS)
    assert told["verdict"] in VERDICTS
    for interval, change in INTERVALS.items():
        low, high = told[interval]
        assert low is None or high is None or low <= told[change] <= high


def test_simulate(run, small: Path):
    names = {path.stem for path in small.iterdir()}
    assert names >= (set(TABLES) - {"currencies", "periods", "stage_changes"}) | {"company"}
    run("check", "--data", str(small))


@pytest.mark.parametrize("kind", ["salesforce", "hubspot"])
def test_import(run, tmp_path: Path, real_data: Path, kind: str):
    out = tmp_path / kind
    run("import", kind, str(real_data / "fivetran_seeds" / kind), "--out", str(out))
    assert any(path.stem == "opportunities" for path in out.iterdir())


def test_params(run):
    text = run("params")
    for name in NOTEBOOKS:
        assert name in text
    one = run("params", "03_bookings")
    for word in ("as_of", "2026-10-31", "months", "seed"):
        assert word in one


def test_report_folder(sample_report: Path):
    month = sample_report / "2026-10-31"
    assert (sample_report / "index.html").is_file()
    assert (month / "index.html").is_file()
    assert {path.stem for path in (month / "analysis").glob("*.html")} >= set(NOTEBOOKS[:-1])
    assert {path.stem for path in (month / "notebooks").glob("*.ipynb")} == set(NOTEBOOKS)
    beside = ("levels", "segments", "months", "outcomes", "information", "power")
    added = ("value_added", "habits", "adjustments", "overrides", "late_wins", *(f"planning_{name}" for name in beside))
    added += ("benchmark", "lately", "alarms", "odds_ever", "odds_past", "odds_bins", "odds_days", "odds_judgements")
    added += ("events", "levels", "levels_found", "followed")
    added += ("hierarchy_forecast", "hierarchy_scores")
    added += ("capacity", "scorecard_definitions", "scorecard_funnel", "scorecard_decomposition")
    for name in ("bookings", "deals", "backtest", "scores", "planning", "scorecard", *added):
        parquet, csv = table(month / "tables" / f"{name}.parquet"), table(month / "tables" / f"{name}.csv")
        assert list(parquet.columns) == list(csv.columns)
        assert len(parquet) == len(csv) > 0
    manifest = json.loads((month / "manifest.json").read_text(encoding="utf-8"))
    text = json.dumps(manifest)
    for word in ("parameters", "seed", "fingerprint", "versions", "seconds", "memory"):
        assert word in text, word


def hold_that_levels_add_up(nodes: pd.DataFrame, bookings: pd.DataFrame) -> None:
    """Hold that in every tree the children of a node bring what it does, to the cent, the whole all of it."""
    total = bookings[bookings["segment"] == "Total"].set_index("target_period")
    for _, tree in nodes.groupby("of"):
        whole = tree[tree["level"] == 0].set_index("target_period")
        below = tree[tree["level"] > 0]
        above = below["path"].str.rpartition(" > ")[0].replace("", "Total")
        own = tree.set_index(["path", "target_period"])
        for name in ("mean", "booked", "open_pipeline", "not_yet_created"):
            assert (whole[name] - total[name]).abs().max() < 0.005
            sums = below.groupby([above, "target_period"])[name].sum()
            assert len(sums) > 8
            assert (sums - own[name].reindex(sums.index)).abs().max() < 0.005


def test_report_tables(sample_report: Path, root: Path):
    tables = sample_report / "2026-10-31" / "tables"
    check_forecast_table(table(tables / "bookings.parquet"))
    backtest = table(tables / "backtest.parquet")
    check_forecast_table(backtest)
    assert "observed" in backtest
    assert {"pipeline", "ets", "seasonal-naive", "stage-weighted", "submitted-sales"} <= set(backtest["model"])
    assert list(table(tables / "deals.parquet").columns) == list(deal_columns(range(1, 7)))
    # As a reader adds up: from the CSV files alone.
    snap = forecast.snapshot(forecast.read(root / "data" / "sample"), as_of="2026-10-31")
    hold_that_deals_add_up(table(tables / "deals.csv"), table(tables / "bookings.csv"), snap)
    hold_that_levels_add_up(table(tables / "hierarchy_forecast.csv"), table(tables / "bookings.csv"))
    steps = table(tables / "value_added.parquet")["step"]
    assert steps.tolist() == [step for step, _ in LADDER]
    ends = {f"{interval}_{end}" for interval in INTERVALS for end in ("low", "high")}
    assert set(table(tables / "planning.parquet").columns) >= PLANNING_FIGURES | ends
    scorecard = table(tables / "scorecard.parquet")
    assert len(scorecard) >= 9
    assert scorecard.select_dtypes("number").notna().any().any()


def test_pages_ask_nothing_of_the_network(sample_report: Path):
    pages = list(sample_report.rglob("*.html"))
    assert len(pages) >= 9
    reference = re.compile(
        r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']?\s*(?:https?:)?//|@import|url\(\s*["']?(?:https?:)?//"""
    )
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not reference.search(text), page.name
        assert "Content-Security-Policy" in text
        assert len(text) < 600_000
        assert text.count("<h1") == 1
        assert str(Path.cwd()) not in text


def test_code_is_folded_for_analysts_and_absent_for_leaders(sample_report: Path):
    month = sample_report / "2026-10-31"
    leader = (month / "index.html").read_text(encoding="utf-8")
    assert "import forecast" not in leader
    assert "results." not in leader
    analysis = (month / "analysis" / "03_bookings.html").read_text(encoding="utf-8")
    assert "forecast_bookings" in analysis
    assert "<details" in analysis


def test_the_guide_to_a_report_tells_of_the_sample_as_it_is(sample_report: Path, root: Path):
    row = table(sample_report / "2026-10-31" / "tables" / "planning.parquet").iloc[0]
    guide = (root / "docs" / "reading_a_report.md").read_text(encoding="utf-8")
    assert row["verdict"] == "improved"
    change, low, high = (round(100 * row[name]) for name in ("mean_change", "mean_interval_low", "mean_interval_high"))
    plain = " ".join(guide.split())
    assert f'"95 % interval −{-low} % to −{-high} %"' in plain
    assert f"smaller by {-low} % than it would have been and one smaller by {-high} %" in plain
    assert f"its page says {-change} %. Is that wrong? (No: the range, {-high} % to {-low} %, holds it." in plain
    assert f"Had every segment improved by {round(-100 * row['detectable_change'])} %" in guide
    levels = table(sample_report / "2026-10-31" / "tables" / "planning_levels.parquet")
    miss = levels[(levels["by"] == "all") & (levels["measure"] == "miss") & (levels["of"] == "people")]
    shown = miss.set_index(["group", "when"])["value"].mul(100)
    a, b, c, d = (shown[group, when] for group in ("began", "not begun") for when in ("after", "before"))
    moved = f"the miss fell by {b - a:.1f} points where they began, and rose by {c - d:.1f} where they have not"
    fell, rose = f"−{100 - 100 * a / b:.0f} %", f"+{100 * c / d - 100:.0f} %"
    assert f"{moved}: {c - d - (a - b):.1f} points apart; in per cent {fell} against {rose}, the one relative" in plain
    share = f"−{100 - 100 * (a / b) / (c / d):.0f} %"
    assert share == "−25 %"
    assert f"on the sample −{-change} %, not {share}, since it also compares" in plain
    assert f"why does the table above it show {share}?" in plain
    yardstick = levels[(levels["by"] == "all") & (levels["measure"] == "miss") & (levels["of"] == "benchmark")]
    shown = yardstick.set_index(["group", "when"])["value"].mul(100)
    a, b, c, d = (shown[group, when] for group in ("began", "not begun") for when in ("after", "before"))
    assert f"The benchmark, which plans nothing, moved {c - d - (a - b):.1f} points apart" in plain
