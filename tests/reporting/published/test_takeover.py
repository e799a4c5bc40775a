"""Where one notebook of a published month changed, it is run, and what its tables touch; the others are taken over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from forecast.data.asked_day import Asked
from forecast.reporting.published import remade
from forecast.reporting.published.months import hashes, read
from forecast.reporting.published.planned import planned
from forecast.reporting.published.takeover import contradicted
from forecast.reporting.published.verify import verify
from forecast.reporting.run.prepare import STAGES
from forecast.reporting.run.progress import Quiet
from forecast.reporting.run.report import report
from reports import PARAMETERS, company, notebook

START = "import pandas as pd\nfrom forecast.reporting.month.results import Results\nresults = Results(tables)"
MAKES = "results.write('{name}', pd.DataFrame({{'value': [{value}]}}))"
READS = "results.read('{name}') if '{name}' in results else None"
# Who reads which table: as the notebooks of the project do, in small.
READ = {"02": ["t04"], "03": ["t04"], "05": ["t04"], "00": ["t02"], "06": ["t05", "lost"], "07": ["t03", "t06"]}
EVERY = {stage.name for stage in STAGES}


class Hears(Quiet):
    """Remembers which notebooks ran and which were taken over."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def end(self, notebook: str, outcome: str, seconds: float) -> None:  # noqa: ARG002
        self.told[notebook] = outcome

    @property
    def ran(self) -> set[str]:
        return {name[:2] for name, outcome in self.told.items() if outcome == "done"}


def write(place: Path, name: str, *more: str, value: int = 1, title: str = "") -> None:
    """Write one of the notebooks: it reads its tables and makes one of its own, `t06` in 06."""
    number = name[:2]
    cells = [READS.format(name=table) for table in READ.get(number, [])]
    cells += [MAKES.format(name=f"t{number}", value=value), *more]
    notebook(place / "notebooks", name, START, *cells, title=title)


def name_of(number: str) -> str:
    return next(name for name in EVERY if name.startswith(number))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a place with data, notebooks that read each other's tables, and the month made from them."""
    place = tmp_path_factory.mktemp("made")
    company(place / "data")
    for name in EVERY:
        write(place, name)
    report(place / "data", as_of="2026-03", out=place / "reports", notebooks=place / "notebooks")
    return place


@pytest.fixture
def place(made, tmp_path) -> Path:
    """Return a copy of it, under the same names, to be changed."""
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"


def make(place: Path, *, out: str = "reports", **more: Any) -> set[str]:
    """Make the month again; return the numbers of the notebooks that ran."""
    hears = Hears()
    asked = {"as_of": "2026-03", "out": place / out, "notebooks": place / "notebooks", "progress": hears}
    report(place / "data", **asked | more)
    return hears.ran


def month(place: Path, out: str = "reports") -> Path:
    return place / out / "2026-03-31"


def without_note(place: Path, out: str) -> dict[str, str]:
    """Return the hashes of a month's files, without what they say of the version before."""
    copy = place / f"{out}-copy"
    shutil.copytree(month(place, out), copy)
    remade.clear(copy)
    return hashes(copy)


def changed_text(place: Path) -> None:
    write(place, "06_scorecard", "print('another word')")


def changed_table(place: Path) -> None:
    write(place, "05_joint_planning", value=2)


def changed_first(place: Path) -> None:
    write(place, "04_track_record", value=3)


def changed_last(place: Path) -> None:
    write(place, "07_leadership_brief", "print('another word')")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "ran"),
    [
        (changed_text, {"06", "07"}),
        (changed_table, {"05", "06", "07"}),
        (changed_first, {"04", "02", "03", "05", "00", "06", "07"}),
        (changed_last, {"07"}),
    ],
)
def test_what_changed_is_run_and_what_it_touches_and_comes_out_as_of_a_full_run(place, change, ran):
    change(place)
    asked = {"day": Asked(as_of="2026-03"), "out": place / "reports", "notebooks": place / "notebooks"}
    plan = planned(place / "data", **asked)
    assert {name[:2] for name, kept in plan.notebooks.items() if not kept} == ran
    assert plan.why.startswith("some would run")
    assert make(place) == ran
    assert make(place, out="full", resume=False) == {name[:2] for name in EVERY}
    assert without_note(place, "reports") == without_note(place, "full")
    manifest = read(month(place)).manifest
    assert {name[:2] for name, facts in manifest["notebooks"].items() if facts.get("taken_over")} == {
        name[:2] for name in EVERY
    } - ran
    assert manifest["version"] == 2
    assert verify(place / "reports").unchanged


ALL_TABLES = """\
import forecast
from forecast.reporting.charts.flags import dated
from forecast.reporting.month import one_segment, tables as made
log = forecast.read(data)
for name in one_segment.NAMES:
    if name in made.MAKERS:
        made.table(name, log, as_of=as_of, results=results)
results.write("events", dated(forecast.snapshot(log, as_of=as_of)))"""
OF_SEGMENT = """\
from forecast.reporting.charts.figure import Statement
from forecast.reporting.month.one_segment import of_segment
part = of_segment(segment, data=data, tables=tables, as_of=as_of)
Statement(f"{part.segment}: {len(part.deals)}")"""


def write_segment(place: Path, *more: str) -> None:
    """Write the notebook that is run for every segment."""
    asked = f'{PARAMETERS}\nsegment: str = ""  # name of the segment'
    notebook(place / "notebooks", "10_segment", OF_SEGMENT, *more, parameters=asked, title="What of it?")


@pytest.mark.slow
def test_the_pages_of_segments_are_made_again_and_what_they_read_is_taken_over(tmp_path):
    three = tuple(stage for stage in STAGES if stage.name[:2] in ("04", "06", "07"))
    every, options = {stage.name[:2] for stage in three}, {"stages": three, "by": "segment"}
    company(tmp_path / "data")
    for stage in three:
        write(tmp_path, stage.name, *([ALL_TABLES] if stage.name[:2] == "04" else []))
    write_segment(tmp_path)
    assert make(tmp_path, stages=three) == every
    assert make(tmp_path, **options) == {*every, "10"}  # no page of the month that stands leads to them
    for change, ran in (
        (lambda: write_segment(tmp_path, "1 + 1"), {"10"}),
        (lambda: changed_text(tmp_path), {"06", "07", "10"}),
    ):
        change()
        asked = {"day": Asked(as_of="2026-03"), "out": tmp_path / "reports", "notebooks": tmp_path / "notebooks"}
        plan = planned(tmp_path / "data", **asked, **options)
        assert {name[:2] for name, kept in plan.notebooks.items() if not kept} == ran
        assert make(tmp_path, **options) == ran
        manifest = read(month(tmp_path)).manifest["notebooks"]
        assert {name[:2] for name, facts in manifest.items() if facts.get("taken_over")} == every - ran
    assert make(tmp_path, out="full", **options) == {*every, "10"}
    assert without_note(tmp_path, "reports") == without_note(tmp_path, "full")
    assert verify(tmp_path / "reports").unchanged


@pytest.mark.slow
def test_a_notebook_that_is_asked_for_is_run_from_the_month_that_stands(place):
    assert make(place, from_notebook="06_scorecard") == {"06", "07"}
    assert read(month(place)).manifest["version"] == 1  # it came out as it was


@pytest.mark.slow
def test_a_table_that_was_looked_for_in_vain_lets_everything_run(place):
    """06 asked for the table `lost`; where 01 begins to write it, 06 must see it."""
    write(place, "01_data_audit", MAKES.format(name="lost", value=1))
    assert make(place) == {name[:2] for name in EVERY}


EVERYTHING = {
    "a changed file": lambda place: (place / "data" / "company.toml").write_text("extracted_on = 2026-03-31\n"),
    "another title": lambda place: write(place, "06_scorecard", title="Other"),
    "a page that somebody changed": lambda place: (
        changed_text(place),
        (month(place) / "analysis" / "01_data_audit.html").write_text("mine"),
    ),
    "a notebook that looks into the folder": lambda place: write(
        place, "06_scorecard", "import os; os.listdir(tables)"
    ),
    "a magic": lambda place: write(place, "06_scorecard", "%time 1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("difference", EVERYTHING)
def test_whatever_is_not_certain_lets_everything_run(place, difference):
    EVERYTHING[difference](place)
    assert make(place) == {name[:2] for name in EVERY}


def test_a_month_that_noted_no_tables_lets_everything_run(place):
    file = month(place) / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["notebooks"]["01_data_audit"]["asked"]
    file.write_text(json.dumps(manifest))
    changed_text(place)
    asked = {"day": Asked(as_of="2026-03"), "out": place / "reports", "notebooks": place / "notebooks"}
    assert planned(place / "data", **asked).why.startswith("all would run")


def test_what_was_run_contradicts_what_was_taken_over_where_it_wrote_what_that_asked_for():
    taken = {"taken_over": True, "asked": ["a"], "wrote": ["b"]}
    assert not contradicted({"one": taken, "two": {"asked": ["b"], "wrote": ["c"]}})
    assert contradicted({"one": taken, "two": {"asked": [], "wrote": ["a"]}})
    assert contradicted({"one": taken, "two": {"asked": [], "wrote": ["b"]}})
