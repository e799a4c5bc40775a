# ruff: noqa: ARG001
"""Models of one's own on page 04: their rows below ours, ours as they were; a month is made of their code too."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.errors import ParameterError
from forecast.evaluation.value_added import ladder_of
from forecast.reporting.month import own_code, tables
from forecast.reporting.month.own_models import record_with
from forecast.reporting.month.results import Results
from forecast.reporting.pages.track.prepare import by_segment, order_of, prepare_accuracy
from forecast.reporting.pages.value_added import ladder
from forecast.simulation.company import simulate

DAY = "2026-10-31"
MODULE = '''
import forecast
from forecast.models.registry import forecaster


def twin(snap, *, months, seed):
    """The benchmark under another name."""
    return forecaster("ets")(snap, months=months, seed=seed)


def half(snap, *, months, seed):
    rows = twin(snap, months=months, seed=seed)[["segment", "target_period", "mean"]]
    rows = rows[(rows["segment"] != "Total") & rows["target_period"].str.contains("-")]
    return rows.assign(mean=rows["mean"] * SHARE)


SHARE = 0.1
'''


@pytest.fixture(scope="module")
def log() -> Log:
    made = simulate(opportunities=500, months=26, seed=4, segments=3)
    return validate(made.tables, Company(**{**made.company, "fixed_at_creation": ()}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models_beside.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "models_beside", raising=False)
    return tmp_path


@pytest.mark.slow
def test_the_record_with_models_of_ones_own(log: Log, folder: Path):
    month = {"as_of": DAY, "months": 2, "results": Results(folder / "tables")}
    ours = record_with([], log, **month)
    track, scores, steps = record_with(["models_beside:twin", "models_beside:half"], log, **month)

    # What the month says of its own forecasts stands as it was.
    for before, now in zip(ours, (track, scores, steps), strict=True):
        pd.testing.assert_frame_equal(now.iloc[: len(before)], before, check_flags=False, check_dtype=False)
    assert list(dict.fromkeys(track["model"]))[-2:] == ["twin", "half"]
    assert {path.stem for path in (folder / "tables").glob("*_with_own.csv")} == {
        f"{name}_with_own" for name in ("backtest", "scores", "value_added")
    }

    # The twin of the benchmark is scored as the benchmark is.
    columns = [name for name in scores.columns if name not in ("model", "p_value", "p_holm", "why")]
    benchmark, twin = (scores[scores["model"] == name][columns].reset_index(drop=True) for name in ("ets", "twin"))
    pd.testing.assert_frame_equal(twin, benchmark, check_flags=False)
    assert track.loc[track["model"] == "half", "observed"].equals(
        track.loc[track["model"] == "ets", "observed"].set_axis(track.index[track["model"] == "half"])
    )

    # Each is a step after the model; its test pays for everything that is tested.
    own = steps[steps["step"].isin(["twin", "half"])]
    assert own[["step", "before", "lag"]].to_numpy().tolist() == [["half", "pipeline", 0], ["twin", "pipeline", 0]]
    tested = own.dropna(subset=["p_value"])
    assert (tested["p_holm"] >= tested["p_value"]).all()
    words = " ".join(ladder.ladder_sentences(steps))
    assert "Half and twin are models of your own." in words
    assert "models of your own" not in " ".join(ladder.ladder_sentences(ours[2]))

    # On the page: after the people, and drawn.
    drawn = prepare_accuracy(scores, level="segment", relative=False, judged={}).models
    assert list(drawn)[-2:] == ["half", "twin"]
    assert order_of(scores["model"].unique()).index("twin") < order_of(scores["model"].unique()).index("ets")
    where = by_segment(pd.DataFrame({"model": ["pipeline", "ets", "twin"], "segment": "A", "wape": [1.0, 2.0, 3.0]}))
    assert "twin" in where


@pytest.mark.slow
def test_what_is_none_is_refused(log: Log, folder: Path):
    month = {"as_of": DAY, "months": 1, "results": Results("")}
    with pytest.raises(ParameterError, match="has no 'twni'"):
        record_with(["models_beside:twni"], log, **month)


def test_a_model_of_ones_own_is_a_step_after_the_model():
    steps = ladder_of(["pipeline", "seasonal-naive", "mine", "submitted-ceo", "ets"])
    assert steps[-2:] == (("submitted-ceo", "pipeline"), ("mine", "pipeline"))
    assert "mine" not in {step for step, _ in ladder_of(["pipeline", "ets"])}


# -- what a month is made of -----------------------------------------------------------------------------------


def prints(*names: str) -> dict[str, str]:
    return own_code.prints([{"models": list(names)}, {"lead": 1}])


def test_a_month_is_another_where_the_code_of_a_model_is(folder: Path):
    before = prints("models_beside:half")
    assert set(before) == {"models_beside:half"}
    assert prints("models_beside:half") == before
    (folder / "models_beside.py").write_text(MODULE.replace("0.1", "0.2"), encoding="utf-8")
    assert prints("models_beside:half") != before
    assert prints() == {}


def test_of_a_package_all_its_files_count(folder: Path):
    inside = folder / "own_package" / "inner"
    inside.mkdir(parents=True)
    for place in (inside.parent, inside):
        (place / "__init__.py").write_text("", encoding="utf-8")
    (inside / "mine.py").write_text("def mine(snap, *, months, seed): ...\n", encoding="utf-8")
    before = prints("own_package.inner.mine:mine")
    (inside.parent / "helper.py").write_text("A = 1\n", encoding="utf-8")
    assert prints("own_package.inner.mine:mine") != before
    (folder / "beside.py").write_text("A = 1\n", encoding="utf-8")
    again = prints("own_package.inner.mine:mine")
    (folder / "beside.py").write_text("A = 2\n", encoding="utf-8")
    assert prints("own_package.inner.mine:mine") == again


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_thing:mine", "'no_such_thing' cannot be imported"),
        ("ets", "'ets' is no model of your own"),
        ("models_beside:SHARE", "neither a name nor a function"),
    ],
)
def test_before_any_notebook_runs_a_name_must_lead_to_a_model(folder: Path, name: str, message: str):
    with pytest.raises(ParameterError, match=message):
        own_code.check([{"models": [name]}])


def test_a_name_that_leads_to_no_module_has_no_code(folder: Path):
    with pytest.raises(ParameterError, match="there is no module 'no_such_thing'"):
        prints("no_such_thing:mine")


def test_where_no_model_is_asked_for_nothing_is_looked_at():
    own_code.check([{"lead": 1}, {"models": []}])
    assert tables.MODELS[0] == "pipeline"
