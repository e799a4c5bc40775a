"""Scenarios as files: what is saved is read back, and what no scenario may hold is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.errors import MachineError, ParameterError
from forecast.reporting.explorer.scenario import Levers
from forecast.reporting.explorer.scenario_file import FIELDS, check_scenario, read_scenario, write_scenario

LEVERS = Levers(leads=0.2, win_rate=-0.1, slippage=1.5, won=("O-1",), lost=("Ö 2, <b>",), joint_planning=True)


def test_what_is_written_is_read(tmp_path: Path):
    file = write_scenario(LEVERS, name="spring-push", folder=tmp_path / "scenarios", segment="Süd", product="Core")
    assert file == tmp_path / "scenarios" / "spring-push.json"
    values = read_scenario(file)
    assert tuple(values) == FIELDS
    assert values["segment"] == "Süd"
    assert values["product"] == "Core"
    levers = {name: values[name] for name in FIELDS if name not in ("segment", "product")}
    assert Levers.given(**levers) == LEVERS


@settings(max_examples=20, deadline=None)
@given(
    leads=st.floats(-1, 2),
    win_rate=st.floats(-1, 1),
    cycle_time=st.floats(-0.5, 1),
    slippage=st.floats(0, 6),
    won=st.lists(st.text(min_size=1).filter(lambda text: text.strip() == text), max_size=3),
)
def test_any_scenario_comes_back(tmp_path_factory, leads, win_rate, cycle_time, slippage, won):
    levers = Levers(leads=leads, win_rate=win_rate, cycle_time=cycle_time, slippage=slippage, won=tuple(won))
    values = read_scenario(write_scenario(levers, name="any", folder=tmp_path_factory.mktemp("any")))
    numbers = {name: values[name] for name in ("leads", "win_rate", "cycle_time", "slippage")}
    assert Levers(**numbers, won=tuple(values["won"])) == levers


def test_a_scenario_of_that_name_is_replaced_and_nothing_else_is_left(tmp_path: Path):
    write_scenario(Levers(), name="a", folder=tmp_path)
    write_scenario(LEVERS, name="a", folder=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert read_scenario(tmp_path / "a.json")["leads"] == 0.2


def test_a_link_is_replaced_and_not_followed(tmp_path: Path):
    outside = tmp_path / "outside.json"
    outside.write_text("mine")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").symlink_to(outside)
    write_scenario(LEVERS, name="a", folder=tmp_path / "in")
    assert outside.read_text() == "mine"
    assert not (tmp_path / "in" / "a.json").is_symlink()


@pytest.mark.parametrize("name", ["", "..", "../up", "a/b", "/etc/x", "a\\b", ".hidden", "a b", "a\n", "x" * 65, "é"])
def test_a_name_is_no_path(tmp_path: Path, name: str):
    with pytest.raises(ParameterError, match="cannot name a scenario"):
        write_scenario(LEVERS, name=name, folder=tmp_path / "in")
    assert not list(tmp_path.rglob("*.json"))


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "in").write_text("")
    with pytest.raises(MachineError, match="cannot be written"):
        write_scenario(LEVERS, name="a", folder=tmp_path / "in")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "s.json: this is not a scenario"),
        ("[1]", "one JSON object"),
        ('{"win_rat": 0.1}', "has no 'win_rat'; did you mean 'win_rate'?"),
        ('{"as_of": "2026-10-31"}', "has no 'as_of'"),
        ('{"win_rate": "0.1"}', "win_rate: '0.1' is not a number"),
        ('{"win_rate": true}', "win_rate: True is not a number"),
        ('{"win_rate": NaN}', "NaN is not a number"),
        ('{"win_rate": 1e999}', "win_rate: inf is not a number"),
        ('{"win_rate": 1.5}', "win_rate: 1.5 is not from -1 to 1"),
        ('{"slippage": -1}', "slippage: -1 is not from 0 to 6"),
        ('{"leads": 0, "leads": 1}', "leads is given twice"),
        ('{"won": "O-1"}', "won: 'O-1' is not a list"),
        ('{"lost": [1]}', r"lost: \[1\] is not a list"),
        ('{"won": [""]}', "is not a list of opportunity ids"),
        ('{"joint_planning": 1}', "joint_planning: 1 is not true or false"),
        ('{"segment": null}', "segment: None is not text"),
        ("[" * 100_000, "this is not a scenario"),
    ],
)
def test_what_no_scenario_holds_is_refused(tmp_path: Path, content: str, said: str):
    file = tmp_path / "s.json"
    file.write_text(content)
    with pytest.raises(ParameterError, match=said):
        read_scenario(file)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path):
    with pytest.raises(ParameterError, match="there is no such scenario"):
        read_scenario(tmp_path / "none.json")
    with pytest.raises(ParameterError, match="cannot be read"):
        read_scenario(tmp_path)
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ParameterError, match="not a scenario"):
        read_scenario(tmp_path / "b.json")
    (tmp_path / "large.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(ParameterError, match="too large"):
        read_scenario(tmp_path / "large.json")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"segment": "Nort"}, "segment: there is no segment 'Nort' on that day; did you mean 'North'?"),
        ({"product": "Cor"}, "product: no open deal is of the product 'Cor'; did you mean 'Core'?"),
        ({"won": ["O9"]}, "'O9' is not an open deal"),
        ({"won": ["O1"], "lost": ["O1"]}, "taken as won and as lost: O1"),
    ],
)
def test_what_the_day_does_not_know_is_refused(values: dict, said: str):
    day = {"segments": ["North", "South"], "products": ["Core", "Plus"], "open_deals": ["O1", "O2"]}
    check_scenario({}, **day)
    check_scenario({"segment": "Total", "product": "Core", "won": ["O1"], "lost": ["O2"]}, **day)
    with pytest.raises(ParameterError, match=said):
        check_scenario(values, **day)


def test_a_thousand_open_deals_are_not_listed_in_a_message():
    with pytest.raises(ParameterError) as error:
        check_scenario(
            {"lost": ["zzz"]}, segments=[], products=[], open_deals=[f"O-{number:05}" for number in range(1000)]
        )
    assert len(str(error.value)) < 200


def test_the_file_is_plain_json(tmp_path: Path):
    text = write_scenario(LEVERS, name="a", folder=tmp_path).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "Ö 2" in text
    assert json.loads(text)["won"] == ["O-1"]
