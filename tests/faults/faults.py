"""The faults that a month must survive, one row each: what is done, how often, and how; `table.py` does them all.

Each does one thing to one run in a folder of its own, and returns what `place.survived` found afterwards. Moments are
drawn by a seed. Small: three notebooks of a few lines and three deals; real: the project's notebooks, 528 deals.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.place import Found, Place, answered, survived
from faults.runs import COUNT, KILL, READ_ONLY, Disk, Run
from reports import WRITES, notebook

ROOT = Path(__file__).resolve().parents[2]
FEW = ("01_data_audit", "04_track_record", "07_leadership_brief")
"""The notebooks of a small report: two side by side, and one that waits for them."""
PAUSES = """\
import os, time
if os.path.exists('wait'):
    open('kernel', 'w').write(str(os.getpid()))
    while os.path.exists('wait'):
        time.sleep(.02)"""
"""A cell that waits as long as there is a file `wait`, and says which process it runs in."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One time that a fault is done: a place of its own, which time of how many, and its dice.

    target : what it is done to, where each of a list is tried.
    """

    place: Place
    number: int
    times: int
    dice: random.Random
    disk: Disk
    target: object = None

    @property
    def share(self) -> float:
        """How far through the run this time is, evenly from the beginning to the end."""
        return (self.number + self.dice.random()) / self.times


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row of the table. `place` names the company it is done to; `quick` times are done in every test.

    each : what it is done to, once each, in a place; with True every single one. Else it is done so many `times`.
    told : what it noted is told below the table. alone : all times are done by one worker.
    """

    name: str
    done: str
    do: Callable[[Case], Found]
    times: int = 0
    each: Callable[[Place, bool], Sequence[object]] | None = None
    place: str = "small"
    alone: bool = False
    quick: int = 0
    told: bool = False


# -- killed -----------------------------------------------------------------------------------------------


def killed(case: Case) -> Found:
    """Kill the run: every other time after a share of the time it takes, whatever it does just then, else at a file."""
    if case.number % 2:
        run = case.place.run()
        time.sleep(case.share * case.place.seconds)
        run.kill()
    else:
        share = case.share if case.number % 10 else 0.95 + 0.05 * case.dice.random()
        case.disk.set(KILL, at=max(1, round(share * case.place.operations)), below=[case.place.folder])
        run = case.place.run(disk=case.disk).wait()
    found = answered(run, (-signal.SIGKILL, 0))
    found.note = case.disk.first_hit
    case.disk.set(COUNT)
    return survived(case.place, run=run, found=found)


def kernel_killed(case: Case) -> Found:
    """Kill the kernel of a notebook while a cell runs."""

    def kill(_: Run) -> None:
        os.kill(int((case.place.folder / "kernel").read_text()), signal.SIGKILL)

    return meanwhile(case, kill, codes=(3,), words="its kernel died")


def meanwhile(case: Case, do: Callable[[Run], object], *, codes: tuple[int, ...], words: str = "", **run: Any) -> Found:
    """Start the run, wait until a cell of 04_track_record waits, do something, let the cell go on, and look."""
    started, folder = paused(case, **run), case.place.folder
    do(started)
    (folder / "wait").unlink()
    started.wait()
    return survived(case.place, run=started, found=answered(started, codes, words))


# -- the disk ---------------------------------------------------------------------------------------------


def read_only(case: Case) -> Found:
    """Let one of the folders be read-only for the whole run: reports, TMPDIR, then the data."""
    name = ("reports", "tmp", "data")[case.number % 3]
    case.disk.set(READ_ONLY, below=[case.place.folder / name])
    run = case.place.run(disk=case.disk).wait()
    case.disk.set(COUNT)
    found = answered(run, (4,) if name == "reports" else (0,), "error: ")
    found.note = name
    return survived(case.place, run=run, found=found)


# -- what a report is made from ---------------------------------------------------------------------------


def data_replaced(case: Case) -> Found:
    """Replace a file of the data while a notebook runs, and put it back before the next run."""
    file = case.place.folder / "data" / "opportunities.csv"
    kept = file.read_text()

    started, folder = paused(case), case.place.folder
    file.with_name("x").write_text(kept + "O9,2026-02-03,South,Open,70,2026-05-01,,open\n")
    file.with_name("x").replace(file)
    (folder / "wait").unlink()
    started.wait()
    file.write_text(kept)
    found = answered(started, (4,), "the data changed while the report was made (opportunities.csv)")
    return survived(case.place, run=started, found=found)


def notebook_replaced(case: Case) -> Found:
    """Replace a notebook that has not run yet; it runs as it was read."""
    file = case.place.folder / "notebooks" / "07_leadership_brief.ipynb"
    kept = file.read_text()
    started = paused(case)
    file.write_text((case.place.folder / "notebooks" / "01_data_audit.ipynb").read_text())
    (case.place.folder / "wait").unlink()
    started.wait()
    file.write_text(kept)
    return survived(case.place, run=started, found=answered(started, (0,)))


def code_replaced(case: Case) -> Found:
    """Replace a module of the program while a notebook runs, and put it back."""
    place = case.place
    source = place.folder / "src"
    shutil.copytree(ROOT / "src" / "forecast", source / "forecast", ignore=shutil.ignore_patterns("__pycache__"))
    place = Place(**{**place.__dict__, "fresh": True})
    changed = Case(**{**case.__dict__, "place": place})
    started = paused(changed, env={"PYTHONPATH": str(source)})
    file = source / "forecast" / "wording.py"
    file.write_text(file.read_text() + "# newer\n")
    (place.folder / "wait").unlink()
    started.wait()
    found = answered(started, (4,), "the program was replaced while the report was made (wording.py)")
    return survived(case.place, run=started, found=found)


def paused(case: Case, *, more: Sequence[str] = (), **run: Any) -> Run:
    """Start the run, and return it once a cell of 04_track_record waits."""
    folder = case.place.folder
    (folder / "wait").touch()
    started = case.place.run(*more, **run)
    while not ((folder / "kernel").exists() and (folder / "kernel").read_text()) and not started.ended():
        time.sleep(0.02)
    return started


def clock_back(case: Case) -> Found:
    """Set the clock back: by 400 days before the run, or by 40 days while it runs."""
    if case.number % 2 == 0:
        case.disk.clock_back(days=400)
    found = meanwhile(case, lambda _: case.disk.clock_back(days=440), codes=(0,))
    case.disk.set(COUNT)
    records = sorted((path.name for path in (case.place.out / "runs").iterdir()), key=lambda name: name[:10])
    found.note = f"records of runs from {records[0]} to {records[-1]}"
    if case.number % 2 == 0 and records[0][:4] == records[-1][:4]:
        found.answer.append("the clock was not set back")
    return found


# -- what a notebook does ---------------------------------------------------------------------------------

ENDLESS = {
    "loops": ("while True:\n    pass", "3", "the cell took longer than 3 s and was stopped"),
    "prints": ("while True:\n    print('x' * 1000)", "3", "the cell took longer than 3 s and was stopped"),
    "prints one text": ("print('x' * 500_000_000)\nraise ValueError('so much')", "120", "ValueError: so much"),
}
"""Cells, after how many seconds they are stopped, and what is said then."""


def endless(case: Case) -> Found:
    """Let a cell loop for ever, print for ever, or print a text of half a gigabyte."""
    cell, seconds, words = list(ENDLESS.values())[case.number % len(ENDLESS)]
    return _with_cell(case, cell, words, more=("--cell-seconds", seconds))


def no_memory(case: Case) -> Found:
    """Let a cell take memory until there is none: the limit of the processes is 4 GB."""
    cell = "taken = []\nwhile True:\n    taken.append(bytearray(100_000_000))"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    return _with_cell(case, cell, "MemoryError", limit=limit)


def _with_cell(case: Case, cell: str, words: str, *, more: tuple[str, ...] = (), **run: Any) -> Found:
    """Run the month with another cell in one of its notebooks, which fails; then as it was."""
    folder = case.place.folder / "notebooks"
    kept = (folder / "04_track_record.ipynb").read_text()
    notebook(folder, "04_track_record", cell, WRITES.format(name="t04"))
    started = case.place.run(*more, **run).wait()
    (folder / "04_track_record.ipynb").write_text(kept)
    return survived(case.place, run=started, found=answered(started, (3,), words))


# -- several at once --------------------------------------------------------------------------------------


def two_at_once(case: Case) -> Found:
    """Start two runs of the month within a second; odd times the second waits for the first."""
    more = ("--wait", "120") if case.number % 2 else ()
    runs = [case.place.run(*more)]
    time.sleep(case.dice.random())
    runs.append(case.place.run(*more))
    codes = sorted(int(run.wait().code or 0) for run in runs)
    found = Found()
    if codes != [0, 0] and (more or codes != [0, 4]):
        found.answer.append(f"ended with {codes}: {runs[0].said[-300:]} {runs[1].said[-300:]}")
    refused = [run.said for run in runs if run.code == 4]
    if any("is writing here" not in said for said in refused):
        found.answer.append(f"does not say who writes: {refused}")
    return survived(case.place, run=max(runs, key=lambda run: run.seconds), found=found)


STREAMS = ("closed", "full", "pipe")


def log_closed(case: Case) -> Found:
    """Close standard input, output and error before the run begins; or let them be full, or lead to nobody."""
    run = case.place.run(streams=STREAMS[case.number % len(STREAMS)]).wait()
    return survived(case.place, run=run, found=answered(run, (0,)))
