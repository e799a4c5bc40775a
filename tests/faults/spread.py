"""Faults to a Dask cluster on which a backtest runs: a worker that is killed, the scheduler that is killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import clusters
from faults.faults import Case
from faults.place import Found, Place, answered, file_hash
from faults.runs import Disk, Run, left_running, start

BACKTEST = ("backtest", "--data", "data", "--from", "2026-01", "--to", "2026-08", "--models", "pipeline,ets")
FILE = "track.csv"


def backtesting(folder: Path, disk: Disk) -> Place:
    """Return a company of 600 deals with a backtest made before, and what one process makes of the one to come."""
    made = [sys.executable, "-m", "forecast", "simulate", "--out", str(folder / "data"), "--opportunities", "600"]
    folder.mkdir()
    subprocess.run([*made, "--months", "30", "--seed", "3"], check=True, capture_output=True)
    (folder / FILE).write_text("of last month\n")
    whole = folder.with_name("alone")
    shutil.copytree(folder, whole)
    disk.set(0, below=[whole])
    done = start(whole, *BACKTEST, "--out", FILE, fresh=True, disk=disk).wait()
    assert done.code == 0, done.said
    hashes = [{FILE: file_hash(place / FILE)} for place in (folder, whole)]
    return Place(
        folder=folder,
        command=(*BACKTEST, "--out", FILE),
        published=hashes[0],
        expected=hashes[1],
        operations=disk.count,
        seconds=done.seconds,
        fresh=True,
    )


def worker_killed(case: Case) -> Found:
    """Kill one of two workers while the backtest runs: the other does its work."""
    with clusters.running(2) as cluster:
        run = case.place.run("--dask", cluster.address)
        _after_a_while(case, run)
        cluster.workers[0].kill()
        run.wait()
    found = answered(run, (0,))
    return _looked_at(case.place, run, found)


def scheduler_killed(case: Case) -> Found:
    """Kill the scheduler while the backtest runs: an error in words, and the file is as it was."""
    with clusters.running(2) as cluster:
        run = case.place.run("--dask", cluster.address)
        _after_a_while(case, run)
        cluster.scheduler.kill()
        run.wait()
    return _looked_at(case.place, run, answered(run, (4,), "scheduler"))


def _after_a_while(case: Case, run: Run) -> None:
    """Wait until the backtest has begun on the cluster: for the imports, and a share of the time it takes."""
    end = time.monotonic() + 3 + 0.5 * case.share * case.place.seconds
    while time.monotonic() < end and not run.ended():
        time.sleep(0.05)


def _looked_at(place: Place, run: Run, found: Found) -> Found:
    """Return what holds: the file as it was or as it is to be; the next run, on another cluster, to the byte."""
    file = place.folder / FILE
    wanted = place.expected if run.code == 0 else place.published
    found.intact += [] if file_hash(file) == wanted[FILE] else [f"{FILE} is neither what it was nor what is right"]
    found.left += [f"still runs: {command}" for command in left_running(place.folder)]
    with clusters.running(2) as cluster:
        following = place.run("--dask", cluster.address).wait()
    if following.code != 0:
        found.next_run.append(f"the next run ended with {following.code}: {following.said[-500:]}")
    if file_hash(file) != place.expected[FILE]:
        found.next_run.append(f"{FILE} is not what one process makes")
    found.left += [f"still runs: {command}" for command in left_running(place.folder)]
    lying = {path.name for path in place.folder.iterdir()} - {"data", "tmp", FILE}
    lying |= {path.name for path in (place.folder / "tmp").iterdir()}
    found.left += [f"left: {name}" for name in sorted(lying)]
    found.lost = max(0.0, run.seconds - following.seconds) if run.code == 0 else run.seconds
    return found
