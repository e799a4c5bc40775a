"""A run that is killed at any moment leaves the last good month, no process and no file; the next one clears up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forecast.data.sources.private import OWNED, make_private, sweep
from forecast.errors import NotebookError
from forecast.reporting.month import swap
from forecast.reporting.run import pages, workspace
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import STAGES, Stage
from forecast.reporting.run.report import report
from forecast.reporting.run.stopping import terminable
from reports import WRITES, company, notebook

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.xdist_group("tiny-report")]

TWO = (Stage(name="01_first"), Stage(name="07_brief", after=("01_first",), kind="leader"))
WAITS = (
    "import os, time\nif os.path.exists('wait'):\n    open('kernel', 'w').write(str(os.getpid()))\n    time.sleep(99)"
)
WALK = {"ask": "walk", "data": "data", "as_of": "2026-03-31", "where": "", "folder": "."}


@pytest.fixture(scope="module")
def kernels():
    with Kernels() as source:
        yield source


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Return a folder, made the current one, with a company and eight notebooks; the first waits if told to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "private"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    company(tmp_path / "data")
    for stage in STAGES:
        cells = [WAITS] if stage.name == "04_track_record" else []
        notebook(tmp_path / "notebooks", stage.name, *cells, WRITES.format(name=f"t{stage.name[:2]}"))
    return tmp_path


@contextmanager
def running(place: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the main job, and give it and the process of the kernel that waits."""
    (place / "wait").touch()
    command = [sys.executable, "-m", "forecast", "report", "--data", "data", "--as-of", "2026-03", "--quiet"]
    process = subprocess.Popen([*command, "--notebooks", "notebooks"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while not ((place / "kernel").exists() and (place / "kernel").read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)
    (place / "wait").unlink()
    try:
        yield process, int((place / "kernel").read_text())
    finally:
        process.kill()
        process.communicate()
        (place / "kernel").unlink()


def ended(process: int) -> bool:
    """Return whether a process ends within ten seconds."""
    for _ in range(100):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


def children(process: int) -> dict[int, str]:
    """Return the processes that a process has started, with their commands."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process:
            found[int(folder.name)] = command
    return found


def tables(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "2026-03-31" / "tables").iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_run_that_is_killed_leaves_no_kernel_and_the_next_one_clears_up(place):
    with running(place) as (process, kernel):
        process.kill()
        process.wait()
        assert ended(kernel)
    assert list((place / "private").iterdir())  # nobody was left to remove it
    report("data", as_of="2026-03", out="reports", notebooks="notebooks")
    report("data", as_of="2026-03", out="afresh", notebooks="notebooks")
    assert tables(place / "reports") == tables(place / "afresh")
    assert not list((place / "private").iterdir())
    assert not (place / "reports" / ".work").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_the_process_that_forks_does_not_load_on_for_nobody():
    ours, theirs = socket.socketpair()
    ours.sendall(json.dumps(WALK).encode() + b"\n")  # asked in vain
    ours.close()
    command = [sys.executable, "-X", "importtime", "-m", "forecast.reporting.run.fork"]
    with theirs:
        done = subprocess.run(command, stdin=theirs.fileno(), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "statsmodels" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_who_walks_through_the_past_does_not_walk_on_for_nobody(place):
    (place / "data" / "company.toml").unlink()
    os.mkfifo(place / "data" / "company.toml")  # reading it takes for ever
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "forecast.reporting.run.fork"]
        process = subprocess.Popen(command, stdin=theirs.fileno())
    ours.sendall(json.dumps(WALK).encode() + b"\n")
    deadline = time.monotonic() + 90
    while not (walker := list(children(process.pid))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ours.close()
    assert process.wait(timeout=30) == 0
    assert ended(walker[0])


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_kernels_end_with_the_process_that_forked_them(place):
    with running(place) as (process, kernel):
        forking = [pid for pid, command in children(process.pid).items() if "forecast.reporting.run.fork" in command]
        os.kill(forking[0], signal.SIGKILL)
        assert ended(kernel)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 3, said
    assert "04_track_record" in said
    assert "its kernel died" in said
    assert not list((place / "private").iterdir())


def test_a_month_put_aside_by_a_killed_run_comes_back_with_any_run(place, kernels):
    options = {"out": "reports", "notebooks": "notebooks", "stages": TWO, "kernels": kernels}
    for name in ("01_first", "07_brief"):
        notebook(place / "notebooks", name, WRITES.format(name=name[3:]))
    report("data", as_of="2026-02", **options)
    lost = workspace.Month(out=Path("reports"), as_of="2026-02-28")
    before = {path: path.read_bytes() for path in lost.final.rglob("*") if path.is_file()}
    lost.old.parent.mkdir()
    lost.final.rename(lost.old)  # as far as it came
    (lost.out / ".index-12-34.html").write_text("half")
    notebook(place / "notebooks", "01_first", "1 / 0")
    with pytest.raises(NotebookError):
        report("data", as_of="2026-03", **options)
    assert {path: path.read_bytes() for path in before} == before
    assert not (lost.out / ".index-12-34.html").exists()
    notebook(place / "notebooks", "01_first", WRITES.format(name="first"))
    for left in (lost.old, lost.work, lost.work.with_name("2026-01-31.version")):
        (left / "tables").mkdir(parents=True)  # of a run that was killed after its month was in place
    for _ in range(2):  # the second time it comes out as it stands
        report("data", as_of="2026-03", **options)
        assert [month["as_of"] for month in pages.months(lost.out)] == ["2026-03-31", "2026-02-28"]
        assert not (lost.out / ".work").exists()


def test_nothing_half_written_is_published(place, kernels):
    half = "open(tables + '/.bookings-12-34.parquet', 'w').write('half')"
    for name in ("01_first", "07_brief"):
        notebook(place / "notebooks", name, WRITES.format(name=name[3:]), half)
    report("data", as_of="2026-03", out="reports", notebooks="notebooks", stages=TWO, kernels=kernels)
    assert not list((place / "reports" / "2026-03-31").rglob(".*"))


def test_two_folders_are_exchanged_or_nothing_is_changed(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    swap.on_disk(tmp_path)
    assert not swap.exchanged(tmp_path / "one", tmp_path / "nowhere")
    done = swap.exchanged(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "file").read_text() == ("other" if done else "one")
    swap.name_on_disk(tmp_path / "one")
    if sys.platform == "linux":
        assert done


def test_only_folders_whose_owner_is_gone_are_swept(tmp_path):
    mine = make_private("forecast-x-", within=tmp_path)
    (tmp_path / "forecast-x-somebodys").mkdir()  # never ours
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom forecast.data.sources.private import make_private\n"
        "made = make_private('forecast-x-', within=Path(sys.argv[1]))\n(made.path / 'data').mkdir()\nos._exit(9)"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
        left = {path.name for path in tmp_path.iterdir()} - {mine.path.name, "forecast-x-somebodys"}
        assert len(left) == 1  # the second swept the first's
    sweep("forecast-x-", within=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {mine.path.name, "forecast-x-somebodys"}
    assert (mine.path / OWNED).is_file()
    gone = subprocess.run([sys.executable, "-c", "import os\nprint(os.getpid())"], capture_output=True, check=True)
    for process in (int(gone.stdout), os.getpid()):  # killed before its folder had an owner, and just making one
        (tmp_path / f".new-{process}-forecast-x-a").mkdir()
    sweep("forecast-x-", within=tmp_path)
    (tmp_path / f".new-{os.getpid()}-forecast-x-a").rmdir()
    removed = code.partition("(made.path")[0] + (
        "import shutil\n(made.path / '.owned').unlink()\nshutil.rmtree = lambda *_, **__: os._exit(9)\nmade.remove()"
    )
    subprocess.run([sys.executable, "-c", removed, str(tmp_path)], check=False)  # killed while it removed its folder
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".new-")]
    sweep("forecast-x-", within=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {mine.path.name, "forecast-x-somebodys"}
    assert mine.path.stat().st_mode & 0o077 == 0
    mine.remove()
    assert not mine.path.exists()


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminable():
            os.kill(os.getpid(), signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with pytest.raises(SystemExit) as stop, terminable():
            signal.raise_signal(signal.SIGHUP)
        assert stop.value.code == 129
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
