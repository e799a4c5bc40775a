"""A backtest among processes and on a cluster is that of one process, to the bit, with its notes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import forecast
from clusters import running
from forecast.errors import MachineError
from forecast.evaluation.backtest import _apart
from forecast.models.spread import cluster as on_dask

MODELS = ["pipeline", "stage-weighted", "submitted", "seasonal-naive", "ets"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory):
    from typer.testing import CliRunner

    from forecast.cli.app import app

    folder = tmp_path_factory.mktemp("spread") / "company"
    made = CliRunner().invoke(app, ["simulate", "--out", str(folder), "--opportunities", "600", "--months", "30"])
    assert made.exit_code == 0, made.output
    return forecast.read(folder)


def _track(
    log: forecast.Log, models: list[str] = MODELS, **places: object
) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    heard: list[tuple[int, int]] = []
    # The first day is before the log, the last inside a month: an abstention, and walks of their own.
    first = log.opportunities["created_on"].min() - pd.Timedelta(days=40)
    days = [first, "2026-07-31", "2026-08-31", "2026-09-12"]
    table = forecast.backtest(
        log, origins=days, models=models, months=2, seed=5, on_origin=lambda *at: heard.append(at), **places
    )
    return table, heard


@pytest.mark.slow
def test_the_frames_and_notes_are_those_of_one_process(log: forecast.Log):
    alone, told = _track(log)
    assert alone.attrs["notes"]
    with running() as cluster:
        for places in ({"workers": 2}, {"dask": cluster.address}):
            spread, heard = _track(log, **places)
            assert_frame_equal(spread, alone, check_exact=True)
            assert spread.attrs == alone.attrs
            assert heard[-1] == told[-1]


@pytest.mark.long
def test_a_combination_is_that_of_one_process(log: forecast.Log):
    alone, _ = _track(log, ["ets", "combined", *MODELS[:2]])
    assert_frame_equal(_track(log, ["ets", "combined", *MODELS[:2]], workers=2)[0], alone, check_exact=True)


def test_what_is_combined_goes_with_its_combination():
    names = ["ets", "stage-age", "combined", "submitted-x", "pipeline-sales-only"]
    assert _apart(names) == [["ets", "combined", "submitted-x"], ["pipeline-sales-only"], ["stage-age"]]
    assert _apart(["ets", "pipeline"]) == [["pipeline"], ["ets"]]


@pytest.mark.faults
def test_without_a_scheduler_nothing_is_written(log: forecast.Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from forecast.cli import commands

    monkeypatch.setattr(on_dask, "CONNECT_SECONDS", 0.5)
    asked = {"first": "2026-05", "last": "2026-06", "step": 1, "models": ["ets"], "months": 1, "seed": 0}
    with pytest.raises(MachineError, match="no Dask scheduler answers"):
        commands.backtest(log.source, **asked, out=tmp_path / "track.csv", dask="tcp://127.0.0.1:9")
    assert list(tmp_path.iterdir()) == []
