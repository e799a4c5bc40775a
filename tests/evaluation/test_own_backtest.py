# ruff: noqa: ARG001
"""A model of one's own in a backtest: beside ours, seeing its day alone, the same in other processes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from clusters import running
from forecast.cli import app
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.errors import ModelError, ParameterError
from forecast.simulation.company import simulate, write

ORIGINS = ["2025-10-31", "2026-01-15", "2026-02-28"]
MODULE = '''
"""The last three months' mean of each segment, with quantiles from how months scatter."""
import numpy as np
import pandas as pd

LEVELS = {"q10": -1.28, "q50": 0.0, "q90": 1.28}


def recent(snap, *, months, seed):
    won = snap.opportunities[snap.opportunities["outcome"] == "won"]
    by = [won["segment"], won["closed_on"].dt.to_period("M")]
    wide = won.groupby(by)["amount"].sum().unstack(fill_value=0.0).iloc[:, -12:]
    rows = pd.MultiIndex.from_product([wide.index, snap.targets(months)])
    out = rows.to_frame(index=False, name=["segment", "target_period"])
    noise = np.random.default_rng(seed).normal(size=len(out))
    out["mean"] = wide.iloc[:, -3:].mean(axis=1).reindex(out["segment"]).to_numpy() + noise
    sigma = wide.std(axis=1).reindex(out["segment"]).to_numpy()
    return out.assign(**{name: out["mean"] + z * sigma for name, z in LEVELS.items()})
'''


@pytest.fixture(scope="module")
def log() -> Log:
    made = simulate(opportunities=600, months=30, seed=11, segments=3)
    return validate(made.tables, Company(**{**made.company, "fixed_at_creation": ()}))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory):
    """Return a function of a module that no other process finds."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "my_models.py").write_text(MODULE, encoding="utf-8")
    sys.path.insert(0, str(folder))
    import my_models

    sys.path.remove(str(folder))
    yield my_models.recent
    del sys.modules["my_models"]


def test_it_stands_beside_ours_and_is_scored_like_them(log: Log, mine):
    heard: list[tuple[int, int]] = []
    models = ["ets", mine, ("twin", mine), "submitted"]
    track = forecast.backtest(log, origins=ORIGINS, models=models, months=2, on_origin=lambda *at: heard.append(at))
    assert list(dict.fromkeys(track["model"]))[:3] == ["ets", "recent", "twin"]
    assert heard[-1] == (3, 3)
    sizes = track.groupby("model").size()
    assert sizes["recent"] == sizes["ets"] == sizes["twin"]
    keys = ["origin", "target_period", "horizon", "segment"]
    ours, theirs = (track[track["model"] == name].reset_index(drop=True) for name in ("ets", "recent"))
    pd.testing.assert_frame_equal(ours[[*keys, "plan", "observed"]], theirs[[*keys, "plan", "observed"]])
    table = forecast.summarise(forecast.score(track), by=["model"]).set_index("model")
    assert table.loc["recent", "n"] == table.loc["ets", "n"]
    assert np.isfinite(table.loc["recent", ["wape", "skill", "coverage80"]].astype(float)).all()
    assert any("recent: no range of Total" in note for note in track.attrs["notes"])


def test_at_each_origin_it_sees_the_snapshot_of_that_day(log: Log):
    seen = {}

    def looks(snap, *, months, seed):
        seen[snap.as_of] = snap
        return pd.DataFrame(columns=["segment", "target_period", "mean"])

    forecast.backtest(log, origins=ORIGINS, models=[looks], months=1)
    assert sorted(seen) == [pd.Timestamp(day) for day in ORIGINS]
    for day, snap in seen.items():
        then = forecast.snapshot(log, as_of=day)
        for name in (
            "opportunities",
            "history",
            "leads",
            "marketing",
            "submitted_forecasts",
            "joint_planning",
            "events",
        ):
            pd.testing.assert_frame_equal(getattr(snap, name), getattr(then, name))
        assert (snap.opportunities["created_on"] <= day).all()


@pytest.mark.slow
def test_other_processes_say_the_same_though_they_lack_its_module(log: Log, mine):
    def alike(snap, *, months, seed):
        return mine(snap, months=months, seed=seed)

    asked = {"origins": ORIGINS, "models": ["ets", mine, alike], "months": 2, "seed": 3}
    alone = forecast.backtest(log, **asked)
    pd.testing.assert_frame_equal(forecast.backtest(log, **asked, workers=2), alone, check_exact=True)
    with running() as cluster:
        pd.testing.assert_frame_equal(forecast.backtest(log, **asked, dask=cluster.address), alone, check_exact=True)


def test_what_cannot_be_sent_is_refused_before_anything_is_made(log: Log, tmp_path: Path):
    with (tmp_path / "open").open("w") as file:

        def writes(snap, *, months, seed):
            file.write("x")

        with pytest.raises(ParameterError, match="writes cannot be sent to other processes"):
            forecast.backtest(log, origins=ORIGINS, models=["ets", writes], months=1, workers=2)


def test_its_failure_names_the_origin(log: Log):
    def late(snap, *, months, seed):
        if snap.as_of > pd.Timestamp("2026-01-31"):
            raise ValueError("it is late")
        return pd.DataFrame(columns=["segment", "target_period", "mean"])

    with pytest.raises(ModelError, match="late at 2026-02-28: it raised ValueError: it is late"):
        forecast.backtest(log, origins=ORIGINS, models=[late], months=1)


def test_two_of_a_name_and_one_alone_are_refused(log: Log, mine):
    with pytest.raises(ParameterError, match="'recent' stands there more than once"):
        forecast.backtest(log, origins=ORIGINS, models=[mine, mine])
    with pytest.raises(ParameterError, match="is one model; give a list"):
        forecast.backtest(log, origins=ORIGINS, models=mine)


@pytest.mark.long
def test_the_combination_is_the_same_beside_it(log: Log, mine):
    asked = {"origins": ORIGINS[-1:], "months": 2}
    alone = forecast.backtest(log, models=["pipeline", "combined"], **asked)
    beside = forecast.backtest(log, models=["pipeline", mine, "combined"], **asked)
    beside = beside[beside["model"] != "recent"].reset_index(drop=True)
    pd.testing.assert_frame_equal(beside, alone, check_exact=True)


LOOKS = """
import pandas as pd


def looks(snap, *, months, seed):
    assert len(snap.leads)
    assert "account_id" in snap.opportunities
    assert (snap.history["recorded_at"].dt.hour > 0).any()
    return pd.DataFrame({"segment": snap.segments[0], "target_period": snap.targets(months), "mean": 1.0})
"""


@pytest.mark.slow
def test_on_the_command_line_it_may_look_at_all_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    write(simulate(opportunities=600, months=30, seed=11, segments=3), tmp_path / "data")
    (tmp_path / "a_model_that_looks.py").write_text(LOOKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    span = ["--from", "2026-02", "--to", "2026-02", "--months", "1", "--models", "a_model_that_looks:looks"]
    with pytest.raises(SystemExit) as ended:
        app.main(["backtest", "--data", "data", *span, "--out", "track.csv"])
    assert not ended.value.code, capsys.readouterr().err
    assert (pd.read_csv("track.csv")["mean"] == 1.0).any()
