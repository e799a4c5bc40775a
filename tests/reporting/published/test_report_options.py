"""What `forecast report` can be asked: several months, files of parameters, waiting, limits, retries, notices."""

from __future__ import annotations

import contextlib
import json
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from forecast.cli import reporting
from forecast.errors import TRANSIENT, MachineError, NotebookError, ParameterError
from forecast.reporting.run import workspace
from forecast.reporting.run.parameters import parameters_file
from forecast.reporting.run.stopping import TimeUp, limited
from reports import WRITES, notebook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-months")]

REPORTS = Path("reports")
STANDARD = ("--data", "data", "--notebooks", "notebooks")
SLEEPS = "open('there', 'w').close()\nimport time\ntime.sleep(99)"


@pytest.fixture
def whole(place):
    """Return the folder with all notebooks that the command runs, of a cell each."""
    for name in ("00_explore", "01_data_audit", "02_win_probability", "03_bookings", "05_joint_planning"):
        notebook(place / "notebooks", name, "1")
    notebook(place / "notebooks", "06_scorecard", "1")
    notebook(place / "notebooks", "04_track_record", WRITES.format(name="first"))
    (place / "notebooks" / "07_brief.ipynb").rename(place / "notebooks" / "07_leadership_brief.ipynb")
    return place


def statuses() -> list[dict]:
    files = sorted(REPORTS.glob("runs/*/status.json"), key=lambda path: (path.stat().st_mtime_ns, str(path)))
    return [json.loads(path.read_text()) for path in files]


# -- several months -------------------------------------------------------------------------------------


def test_several_months_in_one_call(whole, run):  # noqa: ARG001
    code, out, err = run("report", *STANDARD, "--as-of", "2026-01,2026-02", "--as-of", "2026-03", "--quiet")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"report: reports/{day}/index.html" for day in ("2026-01-31", "2026-02-28", "2026-03-31")
    ]
    assert [each["as_of"] for each in statuses()] == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert run("verify")[0] == 0


def test_a_month_that_is_refused_does_not_keep_the_others(whole, run):  # noqa: ARG001
    code, out, err = run("report", *STANDARD, "--as-of", "2026-07,2026-02", "--quiet")
    assert code == 1
    assert out == "report: reports/2026-02-28/index.html\n"
    assert err.startswith("error: 2026-07: ")
    assert sorted(each["status"] for each in statuses()) == ["published", "refused"]


def test_the_machine_ends_the_series(whole, run):  # noqa: ARG001
    with workspace.locked(REPORTS, "somebody"):
        code, out, err = run("report", *STANDARD, "--as-of", "2026-01,2026-02", "--quiet")
    assert (code, out) == (4, "")
    assert err.count("error: ") == 1
    assert "somebody (process" in err


@pytest.mark.parametrize(
    ("given", "said"), [((",",), "names no day"), (("2026-01", "2026-02, 2026-01"), "2026-01 is given twice")]
)
def test_days_that_cannot_be_asked_for(given, said):
    with pytest.raises(ParameterError, match=said):
        reporting.days_of(given)


# -- some notebooks -------------------------------------------------------------------------------------


def test_one_notebook_alone_is_tried_beside_the_months(whole, run):
    assert run("report", *STANDARD, "--as-of", "2026-03", "-q")[0] == 0
    before = {path: path.read_bytes() for path in REPORTS.rglob("*") if path.is_file() and "runs" not in path.parts}
    ran = "open('ran', 'a').write('x')"
    notebook(whole / "notebooks", "02_win_probability", ran, "print('tried')")
    notebook(whole / "notebooks", "03_bookings", "1 / 0")
    code, out, _ = run("report", *STANDARD, "--as-of", "2026-03", "-q", "--only", "02_win_probability")
    assert (code, out) == (0, "report: reports/trial/2026-03-31/analysis/02_win_probability.html\n")
    tried = REPORTS / "trial" / "2026-03-31"
    assert "tried" in (tried / "analysis" / "02_win_probability.html").read_text()
    assert {path.stem for path in tried.glob("notebooks/*.ipynb")} == {"04_track_record", "02_win_probability"}
    assert {path: path.read_bytes() for path in before} == before
    assert run("verify")[0] == 0
    code, out, _ = run("report", *STANDARD, "--as-of", "2026-03", "-q", "--only", "02_win_probability", "--dry-run")
    assert (code, out.count("    run  ")) == (0, 2)


def test_from_a_notebook_on_finished_ones_run_again(whole, run):
    for name in ("01_data_audit", "02_win_probability", "04_track_record"):
        notebook(whole / "notebooks", name, f"open('ran', 'a').write('{name} ')")
    notebook(whole / "notebooks", "07_leadership_brief", "import os\nassert os.path.exists('mended')")
    assert run("report", *STANDARD, "--as-of", "2026-03", "-q")[0] == 3
    (whole / "ran").unlink()
    (whole / "mended").touch()
    asked = ("report", *STANDARD, "--as-of", "2026-03", "-q", "--from-notebook", "02_win_probability")
    assert "take over  01_data_audit" in run(*asked, "--dry-run")[1]
    assert run(*asked)[0] == 0
    assert (whole / "ran").read_text().split() == ["02_win_probability"]


def test_notebooks_that_are_none(whole, run):  # noqa: ARG001
    for option in ("--only", "--from-notebook"):
        code, _, err = run("report", *STANDARD, "--as-of", "2026-03", option, "03_booking", "-q")
        assert code == 1
        assert "there is no notebook '03_booking'; did you mean '03_bookings'?" in err
    code, _, err = run("report", *STANDARD, "--as-of", "2026-03", "--only", "a", "--from-notebook", "b")
    assert code == 1
    assert "exclude each other" in err


# -- parameters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.toml", "shares = [0.1, 0.2]\nday = 2026-01-31\n"), ("p.yaml", "shares: [.1, .2]\nday: 2026-01-31\n")],
)
def test_parameters_from_a_file(whole, run, name, text):
    parameters = 'day: str = "2026-03"  # allowed: date\nshares: list[float] = [0.5]  # some\nword: str = "a"  # any'
    notebook(whole / "notebooks", "03_bookings", "print(day, shares, word)", parameters=parameters)
    (whole / name).write_text(text)
    code, _, err = run("report", *STANDARD, "--as-of", "2026-03", "-q", "--parameters", name, "-p", "word=b")
    assert (code, err) == (0, "")
    manifest = json.loads((REPORTS / "2026-03-31" / "manifest.json").read_text())
    assert manifest["parameters"]["03_bookings"] == {"day": "2026-01-31", "shares": [0.1, 0.2], "word": "b"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.json", "{}", "must end in .toml, .yaml or .yml"),
        ("no.toml", None, "there is no such file"),
        ("p.toml", "a = ", "this is not TOML"),
        ("p.yaml", "a: [", "this is not YAML"),
        ("p.yaml", "a: !!python/object:os.system x", "this is not YAML"),
        ("p.yaml", "- a", "this is not a list of NAME = VALUE"),
        ("p.yaml", "1: a", "1 is not a plain value"),
        ("p.toml", "[a]\nb = 1", "a is not a plain value"),
        ("p.yaml", b"\xff\xfe", "this is not YAML"),
    ],
)
def test_files_of_parameters_that_cannot_be_read(tmp_path, name, text, said):
    file = tmp_path / name
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ParameterError, match=said):
        parameters_file(file)


def test_an_empty_file_of_parameters_and_one_that_is_given_twice(tmp_path):
    for name in ("p.toml", "p.yaml"):
        (tmp_path / name).write_text("# nothing yet\n")
        assert parameters_file(tmp_path / name) == {}
    (tmp_path / "p.toml").write_text("a = 1\n")
    with pytest.raises(ParameterError, match="a is given twice: by --parameters and by --parameter"):
        reporting.parameters_of(tmp_path / "p.toml", ["a=2"])


# -- waiting and time limits ----------------------------------------------------------------------------


def test_a_run_waits_for_another_as_long_as_it_may(whole, run):  # noqa: ARG001
    holding, letting_go = threading.Event(), threading.Event()

    def hold():
        with workspace.locked(REPORTS, "the report of 2026-02-28"):
            holding.set()
            letting_go.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    holding.wait(30)
    try:
        start = time.monotonic()
        code, _, err = run("report", *STANDARD, "--as-of", "2026-03", "--wait", "1")
        assert code == 4
        assert time.monotonic() - start >= 1
        assert "wait   the report of 2026-02-28 (process" in err
        threading.Timer(2.0, letting_go.set).start()
        assert run("report", *STANDARD, "--as-of", "2026-03", "--wait", "60", "--quiet")[0] == 0
    finally:
        letting_go.set()
        other.join()


@pytest.mark.faults
def test_a_run_that_takes_too_long_is_stopped_and_continued(whole, run):
    ran = "open('ran', 'a').write('x')"
    notebook(whole / "notebooks", "01_data_audit", ran)
    notebook(whole / "notebooks", "04_track_record", "import os, time\nwhile not os.path.exists('go'): time.sleep(.1)")
    start = time.monotonic()
    code, out, err = run("report", *STANDARD, "--as-of", "2026-03,2026-02", "-q", "--timeout", "6")
    assert time.monotonic() - start < 30
    assert (code, out) == (4, "")
    assert "it took longer than 6 s and was stopped; the same command continues" in err
    assert [each["status"] for each in statuses()] == ["stopped"]
    (whole / "go").touch()
    assert run("report", *STANDARD, "--as-of", "2026-03", "-q")[0] == 0
    assert (whole / "ran").read_text() == "x"
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_a_limit_is_no_error_that_a_run_could_swallow():
    with pytest.raises(MachineError, match=r"longer than 0\.05 s"), limited(0.05), contextlib.suppress(Exception):
        time.sleep(5)
    assert not issubclass(TimeUp, Exception)
    with limited(None), limited(9):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


# -- retries --------------------------------------------------------------------------------------------


@pytest.mark.faults
def test_a_kernel_that_died_is_tried_again_and_what_was_done_is_kept(whole, run, monkeypatch):
    monkeypatch.setattr(reporting, "_FIRST_PAUSE", 0.01)
    notebook(whole / "notebooks", "01_data_audit", "open('ran', 'a').write('x')")
    dies = "import os\nif not os.path.exists('lived'):\n    open('lived', 'w').close()\n    os._exit(9)"
    notebook(whole / "notebooks", "02_win_probability", dies)
    code, out, err = run("report", *STANDARD, "--as-of", "2026-03", "--retries", "2", "--jobs", "1")
    assert (code, out) == (0, "report: reports/2026-03-31/index.html\n")
    assert "again in 0.01 s, after a kernel that died: 02_win_probability, cell 3: its kernel died" in err
    assert (whole / "ran").read_text() == "x"
    assert statuses()[0]["retries"] == 1


@pytest.mark.parametrize(("cell", "tries"), [("import os\nos._exit(9)", 3), ("1 / 0", 1)])
def test_only_what_may_pass_is_tried_again_and_not_for_ever(whole, run, monkeypatch, cell, tries):
    monkeypatch.setattr(reporting, "_FIRST_PAUSE", 0.01)
    notebook(whole / "notebooks", "04_track_record", f"open('ran', 'a').write('x')\n{cell}")
    code, _, err = run("report", *STANDARD, "--as-of", "2026-03", "--retries", "2", "-q")
    assert code == 3
    assert (whole / "ran").read_text() == "x" * tries
    assert err.count("error: ") == 1


def test_what_may_pass_is_declared_in_one_place(run):
    assert set(TRANSIENT) == {"database", "kernel", "changed"}
    assert MachineError("x").transient == ""
    assert NotebookError("x", notebook="y", transient="kernel").transient == "kernel"
    text = " ".join(run("report", "--help")[1].split())
    assert all(words in text for words in TRANSIENT.values())


# -- who is told ----------------------------------------------------------------------------------------


@pytest.fixture
def notify(tmp_path) -> str:
    """Return a command that keeps a copy of each status it is told of."""
    script = tmp_path / "tell me.sh"
    script.write_text('#!/bin/sh\necho "$1:$(basename "$2")" >> told\ncp "$2" last\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"'{script}' forecast"


def test_whatever_comes_of_a_month_is_told(whole, run, notify):
    assert run("report", *STANDARD, "--as-of", "2026-03", "-q", "--notify", notify)[0] == 0
    assert json.loads((whole / "last").read_text())["status"] == "published"
    assert run("report", *STANDARD, "--as-of", "2026-03", "-q", "--notify", notify)[0] == 0
    assert json.loads((whole / "last").read_text())["status"] == "unchanged"
    assert run("report", *STANDARD, "--as-of", "2026-07", "-q", "--notify", notify)[0] == 1
    assert json.loads((whole / "last").read_text())["status"] == "refused"
    notebook(whole / "notebooks", "03_bookings", "1 / 0")
    assert run("report", *STANDARD, "--as-of", "2026-03", "-q", "--notify", notify)[0] == 3
    assert json.loads((whole / "last").read_text())["notebook"] == "03_bookings"
    code, _, _ = run("report", *STANDARD, "--as-of", "2026-03", "-q", "--notify", notify, "--out", "no/reports")
    assert code == 4
    assert json.loads((whole / "last").read_text())["exit_code"] == 4
    assert (whole / "told").read_text() == "forecast:status.json\n" * 5


@pytest.mark.parametrize("command", ["false", "no-such-program-here"])
def test_a_notice_that_fails_changes_nothing(whole, run, command):  # noqa: ARG001
    code, out, err = run("report", *STANDARD, "--as-of", "2026-03", "-q", "--notify", command)
    assert (code, out) == (0, "report: reports/2026-03-31/index.html\n")
    assert err.startswith("note: nobody was notified (")


@pytest.mark.parametrize(("text", "said"), [("", "names no command"), ("mail 'x", "is not a command")])
def test_a_notice_that_is_no_command(text, said):
    with pytest.raises(ParameterError, match=said):
        reporting.command_of(text)


@pytest.mark.faults
def test_a_stopped_run_is_told_too(whole, notify):
    notebook(whole / "notebooks", "04_track_record", SLEEPS)
    command = [sys.executable, "-m", "forecast", "report", *STANDARD, "--as-of", "2026-03", "-q", "--notify", notify]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (whole / "there").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert json.loads((whole / "last").read_text())["status"] == "stopped"


# -- the log --------------------------------------------------------------------------------------------


def test_a_log_of_json_on_standard_error_and_beside_the_month(whole, run):  # noqa: ARG001
    code, out, err = run("report", *STANDARD, "--as-of", "2026-03", "--log-format", "json")
    assert (code, out) == (0, "report: reports/2026-03-31/index.html\n")
    lines = [json.loads(line) for line in err.splitlines()]
    assert lines[0]["event"] == "run"
    assert lines[-1]["event"] == "end"
    assert [line["notebook"] for line in lines if line["event"] == "done"].count("03_bookings") == 1
    (log,) = REPORTS.glob("runs/*/run.log")
    assert log.read_text() == err


def test_with_quiet_errors_alone_are_in_the_log_of_json(whole, run):  # noqa: ARG001
    code, out, err = run("report", *STANDARD, "--as-of", "2026-07", "--log-format", "json", "-q")
    assert (code, out) == (1, "")
    (line,) = [json.loads(line) for line in err.splitlines()]
    assert line["event"] == "error"
    assert "2026-07-31" in line["message"]
    code, _, err = run("report", *STANDARD, "--as-of", "2026-03", "--log-format", "xml")
    assert code == 2
    assert "'xml' is not one of text, json" in err


def test_a_failure_is_said_once(whole, run):
    notebook(whole / "notebooks", "04_track_record", "1 / 0")
    code, _, err = run("report", *STANDARD, "--as-of", "2026-03", "-q")
    assert code == 3
    assert err.startswith("error: 04_track_record, cell 3: ZeroDivisionError")
    assert err.count("ZeroDivisionError") == 1
