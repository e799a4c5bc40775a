"""What a report would do is said without doing any of it."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from forecast.reporting.published import planned
from forecast.reporting.run import workspace
from reports import notebook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-months")]

REPORTS = Path("reports")
STANDARD = ("report", "--data", "data", "--notebooks", "notebooks", "--as-of", "2026-03")
NAMES = (
    *("04_track_record", "01_data_audit", "02_win_probability", "03_bookings", "05_joint_planning"),
    *("00_explore", "06_scorecard", "07_leadership_brief"),
)


@pytest.fixture
def whole(place):
    """Return the folder with all notebooks that the command runs, of a cell each."""
    for name in NAMES:
        notebook(place / "notebooks", name, "1")
    return place


@pytest.fixture
def plan(run):
    """Return a function that asks what a report would do, and checks that nothing was written."""

    def asked(*more: str) -> tuple[int, dict]:
        before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
        code, out, _ = run(*STANDARD, *more, "--dry-run", "--log-format", "json")
        assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
        return code, json.loads(out)

    return asked


def test_before_the_first_month(whole, run, plan):  # noqa: ARG001
    code, found = plan("--months", "3")
    assert code == 0
    assert found["as_of"] == "2026-03-31"
    assert found["data"] == {
        "name": "data",
        "files": 2,
        "bytes": sum(path.stat().st_size for path in Path("data").iterdir()),
    }
    assert found["parameters"]["03_bookings"]["months"] == 3
    assert found["notebooks"] == dict.fromkeys(NAMES, "run")
    assert found["differs"] is None
    assert found["why"] == "all would run: no such month stands"
    assert not REPORTS.exists()
    code, out, _ = run(*STANDARD, "--dry-run")
    assert code == 0
    assert out.startswith("report of 2026-03-31, nothing is run\n  data        data: 2 files, ")
    assert "    run  03_bookings" in out


def test_beside_the_month_that_stands(whole, run, plan, more_data):
    assert run(*STANDARD, "-q")[0] == 0
    assert plan()[1]["why"].startswith("none would run: the month stands as published")
    again = plan("--no-resume")[1]
    assert again["why"].startswith("all would run; the month stands as made from exactly this")
    more_data()
    notebook(whole / "notebooks", "03_bookings", "2")
    found = plan("--months", "4")[1]
    assert [each["what"] for each in found["differs"]] == ["data", "notebooks", "parameters"]
    assert found["why"].endswith("data, notebooks, parameters differ from what it is made from")


def test_what_a_failed_run_left(whole, run, plan, more_data):
    notebook(whole / "notebooks", "07_leadership_brief", "1 / 0")
    assert run(*STANDARD, "-q")[0] == 3
    found = plan()[1]
    assert found["notebooks"] == {**dict.fromkeys(NAMES, "take over"), "07_leadership_brief": "run"}
    assert found["why"].startswith("those not yet finished would run")
    assert plan("--no-resume")[1]["notebooks"]["01_data_audit"] == "run"
    more_data()
    found = plan()[1]
    assert set(found["notebooks"].values()) == {"run"}
    assert "a run of something else has left work, which would go" in found["why"]


def test_what_is_in_the_way(whole, plan, monkeypatch):
    with workspace.locked(REPORTS, "the report of 2026-02-28"):
        code, found = plan()
        assert code == 4
        assert found["lock"].startswith("the report of 2026-02-28 (process ")
        assert found["refused"] == [f"{found['lock']} is writing there"]
    assert plan()[1]["lock"] == ""
    code, found = plan("--out", "no/reports")
    assert code == 4
    assert found["refused"] == ["the folder no is not there; make it first"]
    usage = namedtuple("usage", "total used free")(10, 9, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, found = plan()
    assert code == 4
    assert len(found["refused"]) == 2
    monkeypatch.undo()
    monkeypatch.chdir(whole)
    monkeypatch.setattr(planned, "_writable", lambda _: False)
    assert "reports cannot be written by this user" in plan()[1]["refused"]


def test_what_is_wrong_ends_as_the_run_would(whole, run):
    for more, said in ((("-p", "nothing=1"), "no notebook has a parameter"), (("--months", "13"), "out of range")):
        code, out, err = run(*STANDARD, *more, "--dry-run")
        assert (code, out) == (1, "")
        assert said in err
    (whole / "data" / "opportunities.csv").write_text("")
    assert run(*STANDARD, "--dry-run")[0] == 1
    assert not REPORTS.exists()


def test_no_secret_is_made(whole, plan):
    code, found = plan("--redact", "--salt-file", "secret")
    assert (code, found["notebooks"]["01_data_audit"]) == (0, "run")
    assert not (whole / "secret").exists()
