"""What is old or left over goes, is said and is noted; what is needed stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forecast.errors import MachineError, NotebookError, ParameterError
from forecast.reporting.published import book
from forecast.reporting.published.clean import clean, waste
from forecast.reporting.run import workspace
from reports import notebook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-months")]

REPORTS = Path("reports")


def names(folder: Path = REPORTS) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_newest_months_stay_and_nothing_is_missed(recorded, run, more_data):
    for month in ("2026-01", "2026-02", "2026-03"):
        recorded(month)
    more_data()
    recorded("2026-01")
    before = {path: path.read_bytes() for path in REPORTS.rglob("*") if path.is_file()}
    code, said, err = run("clean", "--keep", 2, "--dry-run")
    assert (code, err) == (0, "")
    assert [line.split(" (")[0] for line in said.splitlines()] == [
        "would remove: reports/2026-01-31",
        "would remove: reports/versions/2026-01-31/1",
        "would remove: reports/runs/2026-04-03T06-00-01Z_2026-01",
        "would remove: reports/runs/2026-04-03T09-00-01Z_2026-01",
        "to remove: 4 in all, " + said.splitlines()[-1].split(", ")[1],
    ]
    assert {path: path.read_bytes() for path in REPORTS.rglob("*") if path.is_file()} == before
    code, said, _ = run("clean", "--keep", 2)
    assert code == 0
    assert said.count("removed: ") == 5
    assert names() == {".lock", "2026-02-28", "2026-03-31", "index.html", "published.json", "runs"}
    code, out, _ = run("verify")
    assert code == 0, out
    assert "removed since by `forecast clean` or for their names: 2" in out
    assert "2026-01-31" not in (REPORTS / "index.html").read_text()
    assert "2026-02-28/index.html" in (REPORTS / "index.html").read_text()
    recorded("2026-03")
    manifest = json.loads((REPORTS / "2026-03-31" / "manifest.json").read_text())
    assert manifest["previous"]["as_of"] == "2026-01-31"  # its hash is noted, though its files are gone
    assert run("verify")[0] == 0


def test_the_list_of_months_is_written_as_a_report_writes_it(make):
    make("2026-02")
    make("2026-03")
    both = (REPORTS / "index.html").read_text()
    clean(REPORTS, keep=2)
    assert (REPORTS / "index.html").read_text() == both
    clean(REPORTS, keep=1)
    alone = (REPORTS / "index.html").read_text()
    make("2026-03", out="others")
    assert Path("others/index.html").read_text() == alone


def test_versions_beyond_a_number_go(make, run, more_data):
    for number in (4, 5, 6):
        make()
        more_data(number)
    make()
    assert names(REPORTS / "versions/2026-03-31") == {"1", "2", "3"}
    assert [each.what for each in waste(REPORTS, keep=1, keep_versions=1)] == [
        "version 1 of 2026-03-31",
        "version 2 of 2026-03-31",
    ]
    assert run("clean", "--keep", 1, "--versions", 1)[0] == 0
    assert names(REPORTS / "versions/2026-03-31") == {"3"}
    assert run("verify")[0] == 0
    clean(REPORTS, keep=1, keep_versions=0)
    assert not (REPORTS / "versions").exists()
    assert run("verify")[0] == 0


def test_unfinished_work_of_a_month_that_stays_is_continued(make, place):
    make("2026-02")
    ran = "open('ran.txt', 'a').write('x')"
    notebook(place / "notebooks", "01_first", ran)
    for as_of in ("2026-01", "2026-03"):
        notebook(place / "notebooks", "07_brief", "1 / 0")
        with pytest.raises(NotebookError):
            make(as_of)
    assert names(REPORTS / ".work") == {"2026-01-31", "2026-03-31"}
    (REPORTS / ".work" / "2026-03-31.version").mkdir()
    (REPORTS / ".index-12-345.html").write_text("<ht")
    assert {each.what for each in clean(REPORTS, keep=1)} == {
        "left by a run that was killed",
        "pages of a failed run of 2026-01-31",
        "half written",
    }
    assert names(REPORTS / ".work") == {"2026-03-31"}
    assert names(REPORTS / "failed") == {"2026-03-31"}
    assert ".index-12-345.html" not in names()
    with pytest.raises(NotebookError):
        make("2026-03")
    assert (place / "ran.txt").read_text() == "xx"  # taken over


@pytest.mark.faults
def test_the_last_good_month_of_a_killed_swap_is_put_back(make, run):
    make()
    (REPORTS / ".work").mkdir()
    (REPORTS / "2026-03-31").rename(REPORTS / ".work" / "2026-03-31.old")
    make("2026-02")
    assert "2026-03-31" not in {each.path.stem for each in waste(REPORTS, keep=1)}
    clean(REPORTS, keep=1)
    assert "2026-03-31" in names()
    assert "2026-02-28" not in names()
    assert run("verify")[0] == 0


def test_a_run_that_is_under_way_is_not_disturbed(make):
    make("2026-02")
    make("2026-03")
    with workspace.locked(REPORTS, "the report of 2026-04-30"), pytest.raises(MachineError, match="is writing here"):
        clean(REPORTS, keep=1)
    assert "2026-02-28" in names()


def test_what_cannot_be_cleaned_is_told(make, run, tmp_path):
    assert run("clean", "--keep", 0)[0] == 2
    code, _, err = run("clean", "--out", "nowhere", "--keep", 1)
    assert code == 1
    assert "there is no such folder of reports" in err
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match="no month is published here"):
        clean(tmp_path / "empty", keep=1)
    assert names(tmp_path / "empty") == set()
    make("2026-02")
    make("2026-03")
    for options, said in (({"keep": 0}, "keep: 0"), ({"keep": 1, "keep_versions": -1}, "keep_versions: -1")):
        with pytest.raises(ParameterError, match=said):
            clean(REPORTS, **options)
    noted = json.loads((REPORTS / "published.json").read_text())
    (REPORTS / "published.json").write_text(json.dumps({**noted, "frame": {"name": "Tiny"}}))
    with pytest.raises(ParameterError, match="make a report here, then clean"):
        clean(REPORTS, keep=1)
    assert {"2026-02-28", "2026-03-31"} <= names()


def test_the_book_comes_back_as_it_was_written(make):
    make()
    noted = book.read(REPORTS)
    assert noted.frame.company.name == "Tiny & Co"
    book.write(REPORTS, noted)
    assert book.read(REPORTS) == noted
