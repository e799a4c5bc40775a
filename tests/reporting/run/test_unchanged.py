"""A month that was published from exactly what is asked is found, and made again where anything differs."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forecast.cli.app import main
from forecast.data.asked_day import Asked
from forecast.errors import MachineError
from forecast.reporting.published import book
from forecast.reporting.published.planned import planned
from forecast.reporting.published.verify import verify
from forecast.reporting.run import prepare, workspace
from forecast.reporting.run.prepare import STAGES, as_published
from forecast.reporting.run.progress import Quiet
from forecast.reporting.run.report import report
from reports import WRITES, company, notebook

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Hears(Quiet):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def published(self, facts: Any) -> None:
        self.told.append(dict(facts))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a place with data, the notebooks of a report, each of one line, and the month made from them."""
    place = tmp_path_factory.mktemp("made")
    company(place / "data")
    for stage in STAGES:
        notebook(place / "notebooks", stage.name, WRITES.format(name=stage.name[3:]))
    report(place / "data", as_of="2026-03", out=place / "reports", notebooks=place / "notebooks")
    return place


@pytest.fixture
def place(made, tmp_path) -> Path:
    """Return a copy of it, under the same names, to be changed."""
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"


def found(place: Path, **more: Any) -> Path | None:
    asked = {"as_of": "2026-03-31", "out": place / "reports", "notebooks": place / "notebooks", "progress": Quiet()}
    return as_published(place / "data", **asked | more)


@pytest.mark.parametrize("as_of", ["2026-03-31", "2026-03"])
def test_the_same_again_is_found(place, as_of):
    hears = Hears()
    page = found(place, as_of=as_of, progress=hears)
    assert page == place / "reports" / "2026-03-31" / "index.html"
    assert [each["new"] for each in hears.told] == [False]
    assert hears.told[0]["version"] == 1


@pytest.mark.slow
@pytest.mark.faults
def test_a_month_that_was_published_but_not_listed_is_listed_by_the_next_run(place, monkeypatch):
    def full(*_: object) -> None:
        raise MachineError("the disk is full")

    asked = {"as_of": "2026-03", "out": place / "reports", "notebooks": place / "notebooks"}
    with (place / "data" / "opportunities.csv").open("a") as file:
        file.write("O4,2026-02-03,South,Open,70,2026-05-01,,open\n")
    monkeypatch.setattr(book, "note_published", full)  # the month is in its place, the list of months is not written
    with pytest.raises(MachineError):
        report(place / "data", **asked)
    assert found(place) is None
    assert [each.rpartition("; ")[2] for each in verify(place / "reports").problems] == ["the next report mends it"]
    monkeypatch.undo()
    report(place / "data", **asked)
    assert found(place) is not None
    assert verify(place / "reports").unchanged


def changed(file: Path) -> None:
    file.write_text(file.read_text().replace("100", "101").replace("Tiny", "Small"))


def reworded(file: Path) -> None:
    """Change a word of the text of a notebook."""
    content = json.loads(file.read_text())
    content["cells"][0]["source"] = "# Another title"
    file.write_text(json.dumps(content))


DIFFERENCES: dict[str, Callable[[Path], object]] = {
    "a value": lambda place: changed(place / "data" / "opportunities.csv"),
    "the company": lambda place: changed(place / "data" / "company.toml"),
    "one more file": lambda place: (place / "data" / "plan.csv").write_text("period,segment,amount\n2026-04,North,9\n"),
    "a text of a notebook": lambda place: reworded(place / "notebooks" / "06_scorecard.ipynb"),
    "a published page": lambda place: (place / "reports" / "2026-03-31" / "index.html").write_text("mine"),
    "a page taken away": lambda place: (place / "reports" / "2026-03-31" / "glossary.html").unlink(),
    "a page too many": lambda place: (place / "reports" / "2026-03-31" / "more.html").write_text("mine"),
    "a damaged manifest": lambda place: (place / "reports" / "2026-03-31" / "manifest.json").write_text("{"),
    "no list of months": lambda place: (place / "reports" / "index.html").unlink(),
    "work that was left": lambda place: (place / "reports" / ".work" / "2026-03-31").mkdir(parents=True),
    "a run that failed since": lambda place: (place / "reports" / "failed" / "2026-03-31").mkdir(parents=True),
    "no month": lambda place: shutil.rmtree(place / "reports" / "2026-03-31"),
    "no reports": lambda place: shutil.rmtree(place / "reports"),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_any_difference_lets_the_run_decide(place, difference):
    DIFFERENCES[difference](place)
    assert found(place) is None


@pytest.mark.parametrize("asked", [{"months": 5}, {"as_of": "2026-02"}])
def test_another_question_lets_the_run_decide(place, asked):
    assert found(place, **asked) is None


@pytest.mark.parametrize("what", ["code_fingerprint", "versions"])
def test_another_program_lets_the_run_decide(place, monkeypatch, what):
    other: Any = "other" if what == "code_fingerprint" else {**workspace.versions(), "numpy": "9.9"}
    monkeypatch.setattr(workspace, what, lambda: other)
    assert found(place) is None


def test_a_logo_without_a_fingerprint_lets_the_run_decide(place):
    """The fingerprints are of the files of the folder itself, of none below it."""
    data = place / "data"
    (data / "pictures").mkdir()
    (data / "pictures" / "logo.png").write_bytes(base64.b64decode(PIXEL))
    with (data / "company.toml").open("a") as text:
        text.write('logo = "pictures/logo.png"\n')
    report(data, as_of="2026-03", out=place / "reports", notebooks=place / "notebooks")
    assert found(place) is None


def test_the_command_says_so_and_no_resume_makes_it_again(place, capsys, monkeypatch):
    command = ["report", "--data", str(place / "data"), "--as-of", "2026-03", "--out", str(place / "reports")]
    command += ["--notebooks", str(place / "notebooks")]

    def ran(*more: str) -> str:
        with pytest.raises(SystemExit) as end:
            main([*command, *more])
        assert end.value.code == 0
        told = capsys.readouterr()
        assert "index.html" in told.out
        return told.err

    assert "nothing was run" in ran()
    monkeypatch.setattr(prepare, "as_published", None)  # is not asked
    assert "done   07_leadership_brief" in ran("--no-resume")


def test_a_dry_run_says_that_nothing_would_run(place):
    asked = {"day": Asked(as_of="2026-03"), "out": place / "reports", "notebooks": place / "notebooks"}
    plan = planned(place / "data", **asked)
    assert plan.why.startswith("none would run")
    assert all(plan.notebooks.values())
    assert planned(place / "data", **asked, resume=False).why.startswith("all would run")
    changed(place / "data" / "opportunities.csv")
    again = planned(place / "data", **asked)
    assert again.why.startswith("all would run")
    assert not any(again.notebooks.values())
