"""Every run is listed with what came of it, and so is one that could not say it."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from forecast.data.sources.private import make_private
from forecast.errors import DataError, MachineError, NotebookError
from forecast.reporting.published.record import Record
from forecast.reporting.published.runs import runs, took
from forecast.reporting.run.progress import Lines, Quiet
from reports import notebook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-months")]

REPORTS = Path("reports")
SIX = dt.datetime(2026, 4, 3, 6, 0, 1, tzinfo=dt.UTC)


def record(**changed) -> Record:
    return Record(**{"out": REPORTS, "as_of": "2026-03", "clock": lambda: SIX, "display": Quiet(), **changed})


def status(folder: str) -> dict:
    return json.loads((REPORTS / "runs" / folder / "status.json").read_text())


def test_runs_are_listed_newest_first_with_what_came_of_them(recorded, place, run):
    recorded()
    recorded()
    notebook(place / "notebooks", "01_first", "1 / 0")
    with pytest.raises(NotebookError):
        recorded()
    (place / "data" / "opportunities.csv").write_text("")
    with pytest.raises(DataError):
        recorded("2026-02")
    found = runs(REPORTS)
    assert [(each.as_of, each.status, each.exit_code, each.started) for each in found] == [
        ("2026-02", "refused", 1, "2026-04-03T09:00:01Z"),
        ("2026-03-31", "failed", 3, "2026-04-03T08:00:01Z"),
        ("2026-03-31", "unchanged", 0, "2026-04-03T07:00:01Z"),
        ("2026-03-31", "published", 0, "2026-04-03T06:00:01Z"),
    ]
    manifest = json.loads(Path("reports/2026-03-31/manifest.json").read_text())
    assert found[3].code == manifest["fingerprints"]["code"]
    assert found[3].text == found[2].text == "We expect 6 deals"
    assert found[3].stands
    assert not found[2].stands
    assert "01_first, cell 3: ZeroDivisionError" in found[1].text
    failed = status("2026-04-03T08-00-01Z_2026-03")
    assert failed["notebook"] == "01_first"
    assert failed["page"].endswith("failed/2026-03-31/01_first.html")
    assert failed["notebooks"]["07_brief"] == {"outcome": "not run"}
    code, out, err = run("runs")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["month", "2026-02", *["2026-03-31"] * 3]
    assert "refused (1)" in out
    code, out, _ = run("runs", "--json")
    assert [each["status"] for each in json.loads(out)] == ["refused", "failed", "unchanged", "published"]
    assert json.loads(out)[3]["record"] == "runs/2026-04-03T06-00-01Z_2026-03"


def test_the_log_tells_the_run_with_its_times_and_the_month_has_none(recorded):
    recorded()
    folder = REPORTS / "runs" / "2026-04-03T06-00-01Z_2026-03"
    lines = (folder / "run.log").read_text().splitlines()
    events = [line.split()[1] for line in lines]
    assert events == ["run", "settled", "start", "done", "start", "done", "published", "end"]
    assert all(line.startswith("2026-04-03T06:00:01Z ") for line in lines)
    assert "status=published exit_code=0" in lines[-1]
    month = b"".join(path.read_bytes() for path in Path("reports/2026-03-31").rglob("*.[hj]*"))
    assert b"2026-04-03" not in month


def test_a_log_of_json(make):
    kept = record(as_json=True)
    with kept.kept():
        make(progress=kept)
    lines = [json.loads(line) for line in (kept.folder / "run.log").read_text().splitlines()]
    assert lines[0] == {"time": "2026-04-03T06:00:01Z", "event": "run", "asked": "2026-03"}
    assert [line["event"] for line in lines][-2:] == ["published", "end"]


def test_what_is_heard_is_passed_on(make, capsys):
    kept = record(display=Lines())
    with kept.kept():
        make(progress=kept)
    assert capsys.readouterr().err.splitlines()[0] == "start  01_first"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt(), ("stopped", 130)),
        (SystemExit(143), ("stopped", 143)),
        (MachineError("disk full"), ("failed", 4)),
        (OSError(28, "No space left on device"), ("failed", 4)),
        (ZeroDivisionError("division by zero"), ("failed", 4)),
    ],
)
def test_how_a_run_ends_is_told(tmp_path, error, told):
    kept = record(out=tmp_path / "reports")
    with pytest.raises(type(error)), kept.kept():
        raise error
    facts = json.loads((kept.folder / "status.json").read_text())
    assert (facts["status"], facts["exit_code"]) == told
    assert runs(tmp_path / "reports")[0].status == told[0]


def test_rows_of_data_are_not_kept_of_a_redacted_run(tmp_path):
    kept = record(out=tmp_path / "reports", redacted=True)
    with pytest.raises(DataError), kept.kept():
        raise DataError("twice", table="opportunities", rows=["Secret deal"])
    written = "".join(path.read_text() for path in kept.folder.iterdir())
    assert "Secret" not in written
    assert "standard error" in written


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for out in (tmp_path / "mine", tmp_path / "no" / "reports"):
        kept = record(out=out)
        with pytest.raises(MachineError), kept.kept():
            raise MachineError("not there")
        file = kept.status_file()
        assert json.loads(file.read_text())["status"] == "failed"
        kept.forget()
        assert not file.parent.exists()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    assert not (tmp_path / "no").exists()


@pytest.mark.faults
def test_what_a_killed_run_told_from_elsewhere_is_swept_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    kept = record(out=tmp_path / "mine")
    with kept.kept():
        pass
    file = kept.status_file()
    os.close(kept._temporary.handle)  # as a kill does
    with record(out=tmp_path / "mine").kept():
        assert not file.parent.exists()


def test_a_clock_that_was_set_back_overwrites_nothing(tmp_path):
    for _ in range(3):
        with record(out=tmp_path / "reports").kept():
            pass
    assert sorted(path.name for path in (tmp_path / "reports" / "runs").iterdir()) == [
        f"2026-04-03T06-00-01Z_2026-03{end}" for end in ("", "_2", "_3")
    ]


def test_a_record_that_is_in_the_way_ends_no_run(make):
    make()
    REPORTS.joinpath("runs").write_text("a file")
    kept = record()
    with kept.kept():
        make(progress=kept)
    assert kept.facts["status"] == "unchanged"


@pytest.mark.faults
def test_a_killed_run_is_told_from_one_under_way(place, run):
    for name in ("00_explore", "01_data_audit", "02_win_probability", "03_bookings", "05_joint_planning"):
        notebook(place / "notebooks", name, "1")
    notebook(place / "notebooks", "06_scorecard", "1")
    notebook(place / "notebooks", "07_leadership_brief", "1")
    notebook(place / "notebooks", "04_track_record", "open('there', 'w').close()\nimport time\ntime.sleep(99)")
    command = [sys.executable, "-m", "forecast", "report", "--data", "data", "--as-of", "2026-03", "-q"]
    process = subprocess.Popen([*command, "--notebooks", "notebooks"])
    deadline = time.monotonic() + 60
    while not (place / "there").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    code, out, _ = run("runs", "--json")
    assert (code, json.loads(out)[0]["status"], json.loads(out)[0]["as_of"]) == (0, "running", "2026-03-31")
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = json.loads(run("runs", "--json")[1])
    assert [each["status"] for each in found] == ["killed"]


def test_months_without_a_record_and_damaged_records_are_listed(make, run):
    make("2026-02")
    (REPORTS / "runs" / "2026-04-03T06-00-01Z_2026-03").mkdir(parents=True)
    (REPORTS / "runs" / "2026-04-03T06-00-01Z_2026-03" / "status.json").write_text("[]")
    found = runs(REPORTS)
    assert [(each.as_of, each.status, each.started) for each in found] == [
        ("2026-03", "killed", ""),
        ("2026-02-28", "published", ""),
    ]
    assert found[1].text == "We expect 6 deals"
    file = REPORTS / "2026-02-28" / "manifest.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({"as_of": facts["as_of"]}))  # as little as it may be
    assert runs(REPORTS)[1].code == ""
    assert run("runs")[0] == 0


def test_nothing_to_list(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("runs", "--out", "nowhere")
    assert (code, out) == (1, "")
    assert "there is no such folder of reports" in err
    (tmp_path / "reports").mkdir()
    code, _, err = run("runs")
    assert code == 1
    assert "no run has written here" in err
    assert run("runs", "--json")[:2] == (0, "[]\n")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0.44, "0.4 s"), (12.4, "12 s"), (59.6, "1 min 0 s"), (412, "6 min 52 s"), (3900, "1 h 5 min")],
)
def test_times_in_words(seconds, words):
    assert took(seconds) == words


def test_a_run_that_has_nothing_to_do_removes_what_one_left_that_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary" / "forecast-of-somebody").mkdir(parents=True)
    for name in ("forecast-data-", "forecast-kernels-"):
        os.close(make_private(name).handle)  # its owner is gone
    record = Record(tmp_path / "reports", as_of="2026-03", clock=lambda: dt.datetime.now(dt.UTC), display=Quiet())
    with record.kept():
        assert [path.name for path in (tmp_path / "temporary").iterdir()] == ["forecast-of-somebody"]


def test_a_status_that_a_killed_run_had_half_written_is_removed(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os\nprint(os.getpid())"], capture_output=True, check=True)
    folder = tmp_path / "reports" / "runs" / "2026-04-03T06-00-01Z_2026-03"
    folder.mkdir(parents=True)
    (folder / f".status-{int(gone.stdout)}-14.json").write_text("{")
    kept = {"status.json", f".status-{os.getpid()}-14.json", ".status-of-somebody.json"}
    for name in kept:
        (folder / name).touch()
    record = Record(tmp_path / "reports", as_of="2026-03", clock=lambda: dt.datetime.now(dt.UTC), display=Quiet())
    with record.kept():
        assert {path.name for path in folder.iterdir()} == kept
