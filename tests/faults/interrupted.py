"""Runs that are interrupted otherwise than by one kill: signals, everything killed, a machine asleep, several runs.

Also what a disk may lack, and what may be done to the data while they are read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

from faults.elsewhere import export
from faults.faults import FEW, PAUSES, Case, meanwhile, paused
from faults.place import BEFORE, MONTH, REPORT, Found, Place, answered, differing, left_lying, prepared, survived
from faults.runs import COUNT, KILL, NO_EXCHANGE, NO_LINKS, Disk, Run, left_running, processes, start
from forecast.reporting.published.verify import verify
from reports import WRITES, notebook

SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
"""What a run hears, and the code it ends with then."""


def told_to_end(case: Case) -> Found:
    """Send the run a signal that it hears at an operation on files, from where the month is put together on."""
    number, code = list(SIGNALS.items())[case.number % len(SIGNALS)]
    share = 0.6 + 0.4 * case.share
    case.disk.set(KILL, at=max(1, round(share * case.place.operations)), below=[case.place.folder], how=number)
    run = case.place.run(disk=case.disk).wait()
    found = answered(run, (code, 0), "stopped; the last good month is as it was")
    found.note = f"{number.name} {case.disk.first_hit}: {run.code}"
    case.disk.set(COUNT)
    return survived(case.place, run=run, found=found)


def all_killed(case: Case) -> Found:
    """Kill the run with everything that it has started at once, as the end of a container or a machine does."""
    run = case.place.run()
    time.sleep(case.share * case.place.seconds)
    for signalled in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none sees another go
        for process in processes(case.place.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signalled)
    run.wait()
    return survived(case.place, run=run, found=answered(run, (-signal.SIGKILL, 0)))


def killed_again(case: Case) -> Found:
    """Kill the run, and twice the one that goes on with its work, each at an operation of its own."""
    found = Found()
    for _ in range(3):
        case.disk.set(KILL, at=max(1, round(case.dice.random() * case.place.operations)), below=[case.place.folder])
        run = case.place.run(disk=case.disk).wait()
        found.answer += answered(run, (-signal.SIGKILL, 0)).answer
    case.disk.set(COUNT)
    return survived(case.place, run=run, found=found)


def stands_still(case: Case) -> Found:
    """Stop the run and all its processes for a while, as a machine does that sleeps; then let them go on."""

    def sleep(_: Run) -> None:
        stopped = processes(case.place.folder)
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        time.sleep(ASLEEP)
        for process in stopped:
            os.kill(process, signal.SIGCONT)

    return meanwhile(case, sleep, codes=(0,))


ASLEEP = 12.0
"""Seconds; longer than any pause in what a run and its kernels tell each other."""


def forks_killed(case: Case) -> Found:
    """Kill the process that forks kernels, while a cell runs in one of them."""

    def kill(_: Run) -> None:
        kernel = int((case.place.folder / "kernel").read_text())
        parent = Path(f"/proc/{kernel}/stat").read_text().rpartition(")")[2].split()[1]
        os.kill(int(parent), signal.SIGKILL)

    return meanwhile(case, kill, codes=(3,), words="its kernel died")


# -- a disk that can less ---------------------------------------------------------------------------------


def plain_disk(case: Case) -> Found:
    """Kill the run near its end on a disk that can neither exchange two names nor link a file."""
    share = 0.7 + 0.3 * case.share
    lacks = NO_EXCHANGE | NO_LINKS
    case.disk.set(KILL, at=round(share * case.place.operations), below=[case.place.folder], lacks=lacks)
    run = case.place.run(disk=case.disk).wait()
    found = answered(run, (-signal.SIGKILL, 0))
    found.note = case.disk.first_hit
    case.disk.set(COUNT, lacks=lacks)
    return survived(case.place, run=run, found=found, aside=True)


# -- the data, meanwhile ----------------------------------------------------------------------------------


def data_gone(case: Case) -> Found:
    """Take the folder of the data away while a notebook runs, as a disk that is unmounted; then it is back."""
    data, away = case.place.folder / "data", case.place.folder / "away"
    started = paused(case)
    data.rename(away)
    if case.number % 2:
        data.mkdir()  # the empty folder that a disk was mounted on
    (case.place.folder / "wait").unlink()
    started.wait()
    shutil.rmtree(data, ignore_errors=True)
    away.rename(data)
    return survived(case.place, run=started, found=answered(started, (1, 4), "data"))


IMPORT = ("import", "salesforce", "export", "--extracted-on", "2026-08-31", "--out")


def imported(folder: Path, disk: Disk) -> Place:
    """Return months published by an import of 400 deals; newer data are an import of 500."""
    (folder / "export").mkdir(parents=True)
    (folder / "export" / "User.csv").write_text("Id,Name,ManagerId\n005A,Ann,\n")
    for deals, data in ((400, "data"), (500, "newer")):
        if data == "newer":
            shutil.copytree(folder / "data", folder / data)
        (folder / "export" / "Opportunity.csv").write_text(export(deals, seed=1))
        done = start(folder, *IMPORT, data).wait()
        assert done.code == 0, done.said
    for name in FEW:
        cells = [PAUSES] if name == "04_track_record" else []
        notebook(folder / "notebooks", name, *cells, WRITES.format(name=f"t{name[:2]}"))
    return prepared(folder, command=REPORT, older=("2026-02", "2026-03"), fresh=False, disk=disk, stages=FEW)


def imported_meanwhile(case: Case) -> Found:
    """Import into the data: while a cell waits, or at any moment of the report."""
    place = case.place
    for file in (place.folder / "before").iterdir():
        shutil.copy2(file, place.folder / "data" / file.name)
    if case.number % 2:
        run = paused(case, more=("--no-resume",))
    else:
        run = place.run("--no-resume")
        time.sleep(case.share * place.seconds)
    done = start(place.folder, *IMPORT, "data").wait()
    (place.folder / "wait").unlink(missing_ok=True)
    found = answered(run.wait(), (0, 1, 4), "error: ")
    found.note = f"report {run.code}, import {done.code}"
    if done.code:
        found.answer.append(f"the import ended with {done.code}: {done.said[-500:]}")
    return survived(place, run=run, found=found, old_too=True)


# -- several at once --------------------------------------------------------------------------------------


def two_months_at_once(case: Case) -> Found:
    """Start the runs of two months at once in the same folder; odd times the second waits for the first."""
    place, found = case.place, Found()
    other = tuple(BEFORE[:7] if each == MONTH[:7] else each for each in REPORT)
    more = ("--wait", "120") if case.number % 2 else ()
    runs = [place.run(*more), start(place.folder, *other, *more, stages=place.stages)]
    codes = [run.wait().code for run in runs]
    if codes != [0, 0] and (more or sorted(map(int, filter(None, codes))) != [4]):
        found.answer.append(f"ended with {codes}: {runs[0].said[-300:]} {runs[1].said[-300:]}")
    found.left += [f"still runs: {command}" for command in left_running(place.folder)]
    found.intact += [line for line in verify(place.out).lines() if "unchanged" not in line][:-1]
    following = [start(place.folder, *command, stages=place.stages).wait() for command in (REPORT, other)]
    found.next_run += [f"the next run ended with {run.code}: {run.said[-500:]}" for run in following if run.code]
    found.next_run += [] if verify(place.out).unchanged else verify(place.out).lines()
    found.next_run += differing(place, of=(MONTH, f"versions/{MONTH}"))
    kept = {path.name for path in (place.out / "versions").iterdir()}
    found.next_run += [] if kept == {BEFORE, MONTH} else [f"versions are kept of {sorted(kept)}"]
    found.left += left_lying(place)
    found.lost = max(0.0, sum(run.seconds for run in following))
    return found
