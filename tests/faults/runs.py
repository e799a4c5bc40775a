"""Runs of the program that a fault can be done to: started, waited for, and whatever they leave running is found.

Simple case: a run is forked from this process, which has loaded the libraries once, and its kernels from the run; so a
run of small notebooks costs two seconds instead of eight, and is otherwise what the command line does, in a session of
its own. With `fresh` it is the command itself. The disk below its folders fails as `disk` says (filesystem.c).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"
STAGES = "FAULTS_STAGES"
"""In the environment of a run: the notebooks of a report, all of them where it is empty."""
_PROGRAM = f"""
import sys
sys.path.append({str(HERE.parent)!r})
from faults.runs import few_stages
few_stages()
from forecast.cli.app import main
main()
"""
MARK = "FAULTS_PLACE"
"""In the environment of a run and of all that it starts: the folder of the run."""
COUNT, KILL, FULL, READ_ONLY, ONCE, READING = range(6)
"""What the disk does: nothing but count, send the run a signal at an operation, be full from it on, refuse every
change, let one operation alone end with an error, let one reading."""
NO_EXCHANGE, NO_LINKS = 1, 2
"""What a file system may lack."""
_HEAD = struct.Struct("9q")
_SIZE = _HEAD.size + 2048 + 1024
LONGEST = 300.0
"""Seconds after which a run has lost its way."""


def with_disk() -> None:
    """Start this program again with the file system that can fail before the system's; return where that is done."""
    if "FAULTS_CONTROL" in os.environ:
        return
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        sys.exit("no C compiler on this machine (cc): install gcc and libc6-dev")
    folder = Path(tempfile.mkdtemp(prefix="faults-disk-"))
    library, control = folder / "filesystem.so", folder / "control"
    built = [compiler, "-O2", "-shared", "-fPIC", "-o", library, HERE / "filesystem.c", "-ldl"]
    subprocess.run(built, check=True)
    control.write_bytes(b"\0" * _SIZE)
    env = {**os.environ, "LD_PRELOAD": str(library), "FAULTS_CONTROL": str(control), "PYTHONHASHSEED": "0"}
    code = subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode
    shutil.rmtree(folder)
    sys.exit(code)


class Disk:
    """The file that the failing file system shares with all processes of a run."""

    SIZE = _SIZE

    def __init__(self) -> None:
        self._trace = Path(os.environ["FAULTS_CONTROL"] + ".trace")
        self.name = self._trace.parent.name
        with Path(os.environ["FAULTS_CONTROL"]).open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SIZE)

    def set(
        self,
        mode: int,
        *,
        at: int = 1,
        below: Sequence[Path] = (),
        how: int = signal.SIGKILL,
        lacks: int = 0,
        trace: bool = False,
    ) -> None:
        """Set what the disk does below folders, from which operation on; the count begins anew.

        how : the signal (KILL) or the error's number (ONCE, READING). lacks : what the file system cannot do. trace :
            operations are written down, and read by `traced`.
        """
        self._trace.unlink(missing_ok=True)
        text = "".join(f"{folder}:" for folder in below).encode()
        self._shared[_HEAD.size :] = text.ljust(2048, b"\0") + b"\0" * 1024
        self._shared[: _HEAD.size] = _HEAD.pack(0, at, mode, 0, 0, 0, how, lacks, trace)

    def of(self, process: int) -> None:
        """Say which process is the run."""
        self._change(3, process)

    def clock_back(self, *, days: int) -> None:
        """Set the clock of everything that is started here back by so many days, from now on."""
        self._change(5, days * 86_400)

    def _change(self, place: int, value: int) -> None:
        values = list(_HEAD.unpack(self._shared[: _HEAD.size]))
        values[place] = value
        self._shared[: _HEAD.size] = _HEAD.pack(*values)

    @property
    def count(self) -> int:
        """How many operations there were."""
        return int(_HEAD.unpack(self._shared[: _HEAD.size])[0])

    def traced(self) -> list[tuple[int, str, str, str]]:
        """Return the operations that were written down: number, what it needs (room, name), what it is, its path."""
        lines = self._trace.read_text(errors="replace").splitlines() if self._trace.exists() else []
        parts = [line.split(" ", 3) for line in lines]
        return sorted((int(number), needs, what, path) for number, needs, what, path in parts)

    @property
    def first_hit(self) -> str:
        """Return the operation that failed first, or at which the run was killed; empty where none was."""
        return bytes(self._shared[_HEAD.size + 2048 :]).split(b"\0")[0].decode()


@dataclass(kw_only=True)
class Run:
    """A run under way, or how it ended: its exit code (minus the signal's number) and what it said."""

    process: int
    folder: Path
    started: float
    log: Path
    code: int | None = None
    seconds: float = 0.0
    peak_mb: float = 0.0

    def ended(self) -> bool:
        """Return whether it has ended."""
        if self.code is None:
            process, status, used = os.wait4(self.process, os.WNOHANG)
            if process:
                self.code = os.waitstatus_to_exitcode(status)
                self.peak_mb = used.ru_maxrss / 1024
                self.seconds = time.monotonic() - self.started
        return self.code is not None

    def wait(self) -> Run:
        """Wait for its end; one that takes too long is ended, which shows in its code."""
        while not self.ended():
            if time.monotonic() - self.started > LONGEST:
                os.kill(self.process, signal.SIGKILL)
            time.sleep(0.02)
        return self

    def kill(self) -> Run:
        """End it by kill -9, if it has not ended."""
        if not self.ended():
            os.kill(self.process, signal.SIGKILL)
        return self.wait()

    @property
    def said(self) -> str:
        """What it wrote to standard error and output."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


def temporary(folder: Path) -> tuple[Path, Path]:
    """Return where a run in a folder puts what is temporary: its TMPDIR, and where Python turns to without that."""
    return folder / "tmp", folder.with_name(f"{folder.name}-temp")


def start(
    folder: Path,
    *arguments: str,
    fresh: bool = False,
    env: Mapping[str, str] | None = None,
    limit: Callable[[], object] | None = None,
    disk: Disk | None = None,
    streams: str = "file",
    stages: Sequence[str] = (),
) -> Run:
    """Start a command of ours in a folder, in a session of its own, with a TMPDIR of its own beside its data.

    fresh : a Python of its own. env : further names of its environment. limit : is called in it before it begins.
    disk : what hears which process it is. streams : where standard output and error go, as `_streams` says.
    stages : the notebooks that a report has; none for all of them.
    """
    handle, name = tempfile.mkstemp(prefix="log-", dir=Path(os.environ["FAULTS_CONTROL"]).parent)
    os.close(handle)
    log = Path(name)
    first, other = temporary(folder)
    for each in (first, other):
        each.mkdir(exist_ok=True)
    named = {MARK: str(folder), "TMPDIR": str(first), "TEMP": str(other), "OMP_NUM_THREADS": "1"}
    named["PYTHONPATH"] = str(SOURCE)
    named |= {STAGES: ",".join(stages), **(env or {})}
    started = time.monotonic()
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        status = 70
        try:
            os.setsid()
            os.chdir(folder)
            os.environ.update(named)
            tempfile.tempdir = None
            _streams(log, streams)
            if limit is not None:
                limit()
            if disk is not None:
                disk.of(os.getpid())
            if fresh:
                os.execv(sys.executable, [sys.executable, "-c", _PROGRAM, *arguments])
            status = _become(arguments)
        finally:
            os._exit(status)
    return Run(process=process, folder=folder, started=started, log=log)


def _streams(log: Path, where: str) -> None:
    """Lead standard streams to a `file`, to a `full` disk, to a `pipe` that nobody reads, or have them `closed`."""
    if where == "closed":
        for descriptor in range(3):
            os.close(descriptor)
        return
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if where == "pipe":
        nobody, out = os.pipe()
        os.close(nobody)
    else:
        out = os.open("/dev/full" if where == "full" else log, os.O_WRONLY | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)


def few_stages() -> None:
    """Let a report of this process have the notebooks that the environment names, and no others."""
    names = os.environ.get(STAGES, "").split(",")
    if names == [""]:
        return
    from forecast.reporting.run import prepare, report

    kept = tuple(stage for stage in prepare.STAGES if stage.name in names)
    prepare.STAGES = report.STAGES = kept  # type: ignore[misc]
    report.report.__kwdefaults__["stages"] = kept


def _become(arguments: Sequence[str]) -> int:
    """Do in this fork what the command line does, with kernels forked from what is loaded here."""
    from forecast.cli import app
    from forecast.reporting.run.kernels import Kernels

    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # type: ignore[assignment]
    few_stages()
    Kernels._start_server = _fork_server  # type: ignore[method-assign]
    sys.argv = ["forecast", *arguments]
    try:
        app.main()
        code: object = 0
    except SystemExit as end:
        code = end.code
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


class _Server:
    """The process that forks kernels, with what `Kernels` asks of a Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        end = time.monotonic() + (timeout or 1e9)
        while True:
            process, status = os.waitpid(self.pid, os.WNOHANG)
            if process:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("kernels", timeout or 0)
            time.sleep(0.01)

    def kill(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)


def _fork_server(self: Any) -> None:
    """Do what `Kernels._start_server` does, by a fork of this process, which has loaded what kernels need."""
    from forecast.reporting.run.fork import serve

    ours, theirs = socket.socketpair()
    environment = self.environment()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            ours.close()
            for descriptor in range(3):
                os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            os.environ.clear()
            os.environ.update(environment)
            serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    self._server, self._channel, self._answers = _Server(pid), ours, ours.makefile("rb")


def left_running(folder: Path, *, seconds: float = 15.0) -> list[str]:
    """Return the commands of what a run in a folder has started and what still runs after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = processes(folder)
        if not found or time.monotonic() > end:
            return list(found.values())
        time.sleep(0.05)


def processes(folder: Path) -> dict[int, str]:
    """Return the processes that a run in a folder has started, and their commands.

    They are found by their working folder, or by the mark in their environment.
    """
    found = {int(process.name): _of(process, folder) for process in Path("/proc").glob("[0-9]*")}
    return {process: command for process, command in found.items() if command}


def _of(process: Path, folder: Path) -> str:
    """Return the command of a process that belongs to a folder; empty for any other, and for one that has ended."""
    try:
        if int(process.name) == os.getpid() or (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return ""
        marked = f"{MARK}={folder}\0".encode() in (process / "environ").read_bytes()
        place = (process / "cwd").readlink()
        if marked or place == folder or folder in place.parents:
            return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80] or process.name
    except OSError:
        return ""
    return ""
