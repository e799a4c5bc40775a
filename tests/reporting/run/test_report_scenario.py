"""`forecast report --scenario FILE`: refused before anything runs, passed to 00_explore alone, kept in the manifest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.errors import ParameterError
from forecast.reporting.run.prepare import Stage, renamed
from forecast.reporting.run.report import report
from reports import company, notebook

STAGES = (Stage(name="00_explore"), Stage(name="07_brief", after=("00_explore",), kind="leader"))
PARAMETERS = """\
data: str = "data"  # folder of the company's tables
as_of: str = "2026-03-31"  # the day whose knowledge is used
tables: str = ""  # folder of result files; empty = none
segment: str = "Total"  # segment
product: str = ""  # product
leads: float = 0.0  # leads; allowed: -1 to 2
win_rate: float = 0.1  # win rate; allowed: -1 to 1
cycle_time: float = 0.0  # cycle time; allowed: -0.5 to 1
slippage: float = 0.0  # slippage; allowed: 0 to 6
won: list[str] = []  # deals
lost: list[str] = []  # deals
joint_planning: bool = False  # joint planning"""
SEGMENT = 'data: str = "data"  # folder\nas_of: str = "2026-03-31"  # day\nsegment: str = "all"  # segment'


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A company whose one open deal is O3, and two notebooks that both have a parameter `segment`."""
    monkeypatch.chdir(tmp_path)
    company(tmp_path / "data")
    notebook(tmp_path / "notebooks", "00_explore", "print(segment, win_rate, won, lost)", parameters=PARAMETERS)
    notebook(tmp_path / "notebooks", "07_brief", "print(segment)", parameters=SEGMENT)
    return tmp_path


def scene(place: Path, **values: object) -> Path:
    file = place / "scene.json"
    file.write_text(json.dumps(values))
    return file


def make(scenario: Path, **changed: object) -> Path:
    options = {"as_of": "2026-03", "out": "reports", "notebooks": "notebooks", "stages": STAGES, **changed}
    return report("data", scenario=scenario, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"win_rat": 1}, "has no 'win_rat'; did you mean 'win_rate'?"),
        ({"win_rate": 2}, "win_rate: 2 is not from -1 to 1"),
        ({"won": ["O1"]}, "'O1' is not an open deal; the table deals lists those that are"),
        ({"won": ["O3"], "lost": ["O3"]}, "taken as won and as lost: O3"),
        ({"segment": "Sout"}, "no segment 'Sout' on that day; did you mean 'South'?"),
        ({"product": "Core"}, "no open deal is of the product 'Core'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(place, values, said):
    with pytest.raises(ParameterError, match=said):
        make(scene(place, **values))
    assert not (place / "reports").exists()


def test_a_parameter_given_twice_and_a_scenario_for_nobody_are_refused(place):
    file = scene(place, win_rate=0.2)
    with pytest.raises(ParameterError, match="win_rate is given twice: by --scenario and by --parameter"):
        make(file, parameters={"win_rate": "0.3"})
    with pytest.raises(ParameterError, match="there is no notebook 00_explore"):
        make(file, stages=(Stage(name="07_brief", kind="leader"),))
    with pytest.raises(ParameterError, match="there is no such scenario"):
        make(place / "none.json")
    with pytest.raises(ParameterError, match="'O2' is not an open deal"):  # the same by parameters
        report("data", as_of="2026-03", notebooks="notebooks", stages=STAGES, parameters={"won": "O2"})


@pytest.mark.slow
@pytest.mark.xdist_group("tiny-report")
def test_it_reaches_its_notebook_alone_and_the_manifest(place):
    file = scene(place, segment="South", win_rate=0.25, won=["O3"], joint_planning=False)
    page = make(file)
    manifest = json.loads((page.parent / "manifest.json").read_text(encoding="utf-8"))
    given = manifest["parameters"]["00_explore"]
    assert (given["segment"], given["win_rate"], given["won"]) == ("South", 0.25, ["O3"])
    assert "segment" not in manifest["parameters"]["07_brief"]
    assert "South 0.25 [&#39;O3&#39;] []" in (page.parent / "analysis" / "00_explore.html").read_text(encoding="utf-8")
    assert "all" in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.xdist_group("tiny-report")
def test_in_a_redacted_month_a_deal_has_its_pseudonym(place):
    page = make(scene(place, segment="South", won=["O3"]), redacted=True)
    manifest = json.loads((page.parent / "manifest.json").read_text(encoding="utf-8"))
    given = manifest["parameters"]["00_explore"]
    assert given["segment"] == "South"
    (deal,) = given["won"]
    assert deal.startswith("deal-")
    for file in page.parent.rglob("*"):
        assert not file.is_file() or b"O3" not in file.read_bytes(), file.name


def test_renamed_by_hand():
    names = {"deal": {"O1": "deal-1", "O2": "deal-2"}, "owner": {"Ann": "owner-1"}, "category": {"Ann": "owner-1"}}
    values = {"won": ["O2 "], "lost": [], "segment": "Ann", "product": "Core", "win_rate": 0.1, "as_of": "2026-03-31"}
    expected = {"won": ["deal-2"], "lost": [], "segment": "owner-1", "product": "Core"}
    assert renamed(values, names) == expected
    assert renamed({}, names) == {}


@pytest.mark.slow
def test_the_command_line_says_what_is_wrong(place):
    file = scene(place, won=["O9"])
    command = [
        sys.executable,
        "-m",
        "forecast",
        "report",
        "--data",
        "data",
        "--as-of",
        "2026-03",
        "--scenario",
        str(file),
    ]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "'O9' is not an open deal" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((place / "reports").glob("*.html"))  # the record of the run alone is there
