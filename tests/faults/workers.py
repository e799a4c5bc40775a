"""Who does the faults: worker processes side by side, each with a disk of its own that can fail.

A worker reads what to do from standard input, a line each, and answers with what was found. Runs wait more than they
reckon, so three workers do on two cores what one would need twice as long for. A place is made once, by the first who
needs it, and copied by all.
"""

from __future__ import annotations

import fcntl
import json
import pickle
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faults import runs

SEED = 20261130


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is asked: the times of a fault from `part` on, each `of`-th; `of` 0 only makes its place.

    times : how many times in all; 0 for each of what the fault is done to, with `every` the last of them.
    """

    fault: str
    part: int
    of: int
    times: int
    every: bool


# -- who asks ---------------------------------------------------------------------------------------------


def all_done(jobs: Sequence[Job], folder: Path, *, workers: int, heard: Callable[[Job, dict[str, Any]], None]) -> bool:
    """Have jobs done by so many workers, in this order; `heard` gets each with its answer, one at a time.

    Ctrl-C lets the workers end what they do, and begin nothing else. Returns whether all was done.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    lock, stopped = threading.Lock(), threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopped.set())

    def ask() -> None:
        command = [sys.executable, str(Path(__file__).with_name("table.py")), "--worker", str(folder)]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
        with subprocess.Popen(command, **pipes) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            while not stopped.is_set():
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    break
                print(json.dumps(asdict(job)), file=worker.stdin, flush=True)
                line = worker.stdout.readline()
                with lock:
                    heard(job, json.loads(line) if line else {"found": [], "lost": True})
                if not line:
                    break
            worker.stdin.close()

    asking = [threading.Thread(target=ask) for _ in range(workers)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    return not stopped.is_set()


# -- who does ---------------------------------------------------------------------------------------------


def work(folder: Path) -> int:
    """Do what standard input asks until it ends."""
    from faults.elsewhere import OPEN

    answers, sys.stdout = sys.stdout, sys.stderr
    disk = runs.Disk()
    own = Path(folder) / disk.name[-8:]  # short: the names of sockets below it may have some hundred letters
    own.mkdir()
    with OPEN:
        for line in sys.stdin:
            print(json.dumps(_done(Job(**json.loads(line)), folder, own, disk)), file=answers, flush=True)
    return 0


def _done(job: Job, folder: Path, own: Path, disk: runs.Disk) -> dict[str, Any]:
    """Do a part of a fault's times, and return what was found."""
    from faults.everything import FAULTS

    fault = next(each for each in FAULTS if each.name == job.fault)
    place = _place(fault.place, folder, disk)
    whole = {"seconds": place.seconds, "operations": place.operations}
    if not job.of:
        return {"found": [], "place": fault.place, "whole": whole}
    targets: Sequence[object] = range(job.times)
    if fault.each is not None:
        targets = fault.each(place, job.every)
        if 0 < job.times < len(targets):  # so many of them, from the first to the last
            ends = max(job.times - 1, 1)
            targets = [targets[round(each * (len(targets) - 1) / ends)] for each in range(job.times)]
    numbers = range(job.part, len(targets), job.of)
    found = [_once(fault, number, targets, place, own, disk) for number in numbers]
    return {"found": found, "place": fault.place, "whole": whole}


def _once(fault: Any, number: int, targets: Sequence[object], place: Any, own: Path, disk: runs.Disk) -> dict[str, Any]:
    """Do a fault one time, in a copy of the place, and return what was found as words and numbers."""
    from faults.faults import Case
    from faults.place import Found

    disk.set(runs.COUNT)
    copied = place.copy(own / "case")
    dice = random.Random(f"{SEED} {fault.name} {number}")
    begun = time.monotonic()
    case = Case(place=copied, number=number, times=len(targets), dice=dice, disk=disk, target=targets[number])
    try:
        found = fault.do(case)
    except Exception as error:  # counted as what did not hold; the others are still done
        found = Found(answer=[f"{type(error).__name__}: {error}"], intact=["?"], next_run=["?"], left=["?"])
    seconds = time.monotonic() - begun
    print(f"  {fault.name} {number} {seconds:.1f} s {found.note} {found.problems}", file=sys.stderr, flush=True)
    for folder in (copied.folder, *runs.temporary(copied.folder)):
        shutil.rmtree(folder, ignore_errors=True)
    return {**asdict(found), "number": number}


def _place(name: str, folder: Path, disk: runs.Disk) -> Any:
    """Return a place, made by the first who needs it while the others wait."""
    from faults.everything import PLACES

    kept = folder / f"{name}.pickle"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            (folder / name).mkdir()
            made = PLACES[name](folder / name / "place", disk)
            kept.write_bytes(pickle.dumps(made))
        return pickle.loads(kept.read_bytes())
