"""Scenarios saved by name: listed, loaded, deleted and compared, and none that the day does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import forecast
from forecast.errors import ParameterError
from forecast.reporting.charts.figure import Chart, Statement, TableView
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.explorer import Explorer
from forecast.reporting.explorer.scenario import Levers
from forecast.reporting.explorer.scenario_file import delete_scenario, saved_scenarios
from forecast.reporting.explorer.work import BUSY
from tiny import tiny_company

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("kept_walks")]

DAY = "2026-10-31"
SCENARIOS = sentences.TABS.index("Scenarios")


@pytest.fixture(scope="module")
def log(sample):
    return forecast.read(sample)


@pytest.fixture(scope="module")
def shared(log, tmp_path_factory) -> Explorer:
    return Explorer(log, as_of=DAY, scenarios=tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def explorer(shared) -> Explorer:
    """One explorer for all tests, with two saved scenarios and nothing moved."""
    for file in Path(shared.scenarios).glob("*"):
        file.unlink()
    shared.tabs.selected_index = 0
    shared.day.value, shared.segment.value, shared.product.value = DAY, "Total", ""
    for name, levers in {"best": {"win_rate": 0.2, "leads": 0.3}, "worst": {"win_rate": -0.2, "slippage": 1.0}}.items():
        save(shared, name, **levers)
    shared.shelf.names.value = ()
    return shared


def save(explorer: Explorer, name: str, **levers: float) -> None:
    explorer.panel.reset.click()
    for lever, value in levers.items():
        explorer.levers[lever].value = value
    explorer.name.value = name
    explorer.save.click()
    explorer.panel.reset.click()


def test_what_is_saved_is_listed_and_compared(explorer):
    explorer.tabs.selected_index = SCENARIOS
    assert explorer.shelf.names.options == ("best", "worst")
    chart, table, _ = explorer.compared()
    assert isinstance(chart, Chart)
    assert chart.title.startswith("In 6 months, best adds €")
    assert " and worst takes €" in chart.title
    assert isinstance(table, TableView)
    assert list(table.frame.columns) == ["bookings", "base", "best", "worst"]
    assert len(table.frame) == 3 + 3 + 6  # three levers are moved by any, six months
    assert explorer.shelf.picture.value.count("<svg") == 1
    assert "difference to base" in explorer.shelf.picture.value


def test_the_levers_as_they_stand_are_beside_them(explorer):
    explorer.levers["win_rate"].value = 0.1
    assert list(explorer.compared()[1].frame.columns)[-1] == sentences.AS_MOVED
    explorer.levers["win_rate"].value, explorer.levers["leads"].value = 0.2, 0.3
    assert list(explorer.compared()[1].frame.columns)[-1] == "worst"  # they are those of `best`


def test_the_chosen_are_compared_alone(explorer):
    explorer.tabs.selected_index = SCENARIOS
    explorer.shelf.names.value = ("worst",)
    assert list(explorer.compared()[1].frame.columns) == ["bookings", "base", "worst"]
    assert "best" not in explorer.shelf.picture.value


def test_one_is_loaded(explorer):
    explorer.tabs.selected_index = SCENARIOS
    assert explorer.shelf.load.disabled
    explorer.shelf.names.value = ("worst",)
    explorer.shelf.load.click()
    assert explorer.moved() == Levers(win_rate=-0.2, slippage=1.0)
    assert explorer.name.value == "worst"
    assert sentences.LOADED in explorer.shelf.note.value
    assert BUSY in explorer.picture._dom_classes  # of what was before
    explorer.tabs.selected_index = 0
    assert "The levers take" in explorer.picture.value


def test_one_is_deleted_when_asked_twice(explorer):
    explorer.tabs.selected_index = SCENARIOS
    explorer.shelf.names.value = ("worst",)
    explorer.shelf.delete.click()
    assert explorer.shelf.delete.description == "Delete worst?"
    explorer.shelf.names.value = ("best",)  # another choice takes the question back
    assert explorer.shelf.delete.description == "Delete"
    explorer.shelf.delete.click()
    assert saved_scenarios(explorer.scenarios) == ["best", "worst"]
    explorer.shelf.delete.click()
    assert saved_scenarios(explorer.scenarios) == ["worst"]
    assert explorer.shelf.names.options == ("worst",)
    assert list(explorer.compared()[1].frame.columns) == ["bookings", "base", "worst"]


def test_what_the_day_does_not_know_has_a_reason_and_no_number(explorer):
    folder = Path(explorer.scenarios)
    (folder / "closed.json").write_text(json.dumps({"won": ["O-00001"], "win_rate": 0.4}), encoding="utf-8")
    (folder / "torn.json").write_text("{", encoding="utf-8")
    explorer.tabs.selected_index = SCENARIOS
    assert explorer.shelf.names.options == ("best", "closed", "torn", "worst")
    _, table, notes = explorer.compared()
    assert list(table.frame.columns) == ["bookings", "base", "best", "worst"]
    assert notes.sentences[0].startswith("closed: not compared: 'O-00001' is not an open deal")
    assert notes.sentences[1].startswith("torn: not compared: ")
    before = explorer.moved()
    explorer.shelf.names.value = ("closed",)
    explorer.shelf.load.click()
    assert explorer.moved() == before
    assert "Not loaded." in explorer.shelf.note.value
    assert "is not an open deal" in explorer.shelf.note.value
    (alone, _) = explorer.compared()
    assert isinstance(alone, Statement)
    assert alone.sentence == sentences.NONE_COMPARED


def test_joint_planning_that_does_not_start_is_said(explorer):
    (Path(explorer.scenarios) / "together.json").write_text('{"joint_planning": true}', encoding="utf-8")
    explorer.tabs.selected_index = SCENARIOS
    assert explorer.compared()[-1].sentences == [
        f"together: {sentences.WITHOUT_JOINT[0].upper()}{sentences.WITHOUT_JOINT[1:]}."
    ]
    explorer.shelf.names.value = ("together",)
    explorer.shelf.load.click()
    assert "does not start here" in explorer.shelf.note.value


def test_another_day_compares_anew(explorer):
    explorer.tabs.selected_index = SCENARIOS
    before = explorer.shelf.picture.value
    explorer.day.value = explorer.day.options[1]
    assert explorer.shelf.picture.value != before
    assert "30 September 2026" in explorer.shelf.picture.value


def test_nothing_saved_and_thin_data_are_said(tmp_path):
    explorer = Explorer(forecast.read(tiny_company(tmp_path / "data")), as_of="2026-03-31", scenarios=tmp_path / "none")
    explorer.tabs.selected_index = SCENARIOS
    assert "too thin" in explorer.shelf.picture.value
    assert "No scenario is saved here yet" in explorer.shelf.note.value
    assert not (tmp_path / "none").exists()


def test_only_a_plain_name_is_deleted(tmp_path):
    other = tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")
    (tmp_path / "in").mkdir()
    with pytest.raises(ParameterError, match="cannot name a scenario"):
        delete_scenario("../other", folder=tmp_path / "in")
    assert other.exists()
    delete_scenario("gone", folder=tmp_path / "in")
