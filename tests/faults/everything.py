"""The companies that faults are done to, and the table of all faults."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from faults import elsewhere, faults, interrupted, spread, sweeps
from faults.faults import FEW, PAUSES, ROOT, Fault
from faults.place import REPORT, Place, prepared
from faults.runs import Disk
from reports import WRITES, company, notebook

NEWER = "O4,2026-02-20,South,Open,30,2026-06-01,,open\n"


def small(folder: Path, disk: Disk) -> Place:
    """Return three deals and three notebooks of a few lines; newer data have a fourth deal."""
    company(folder / "data")
    for name in FEW:
        cells = [PAUSES] if name == "04_track_record" else []
        notebook(folder / "notebooks", name, *cells, WRITES.format(name=f"t{name[:2]}"))
    (folder / "newer").mkdir()
    text = (folder / "data" / "opportunities.csv").read_text() + NEWER
    (folder / "newer" / "opportunities.csv").write_text(text)
    place = prepared(folder, command=REPORT, older=("2026-02", "2026-03"), fresh=False, disk=disk, stages=FEW)
    found = {}
    for name in ("trace", "readings"):
        copied = place.copy(folder.with_name(f"{folder.name}-{name}"))
        found[name] = sweeps.traced(copied, disk, *sweeps.ONE_BY_ONE, readings=name == "readings")
    return Place(**{**place.__dict__, **found})


def few(folder: Path, disk: Disk) -> Place:
    """Return a simulated company of 528 deals and three notebooks of a few lines; newer data have another plan."""
    _simulated(folder)
    for name in FEW:
        cells = [PAUSES] if name == "04_track_record" else []
        notebook(folder / "notebooks", name, *cells, WRITES.format(name=f"t{name[:2]}"))
    return prepared(folder, command=REPORT, older=("2026-02", "2026-03"), fresh=False, disk=disk, stages=FEW)


def real(folder: Path, disk: Disk) -> Place:
    """Return a simulated company of 528 deals and the project's notebooks; newer data have another plan."""
    _simulated(folder)
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return prepared(folder, command=REPORT, older=("2026-02", "2026-03"), fresh=False, disk=disk)


def _simulated(folder: Path) -> None:
    """Write a company of 528 deals, and the newer plan that is to come."""
    made = [sys.executable, "-m", "forecast", "simulate", "--out", str(folder / "data"), "--opportunities", "500"]
    made += ["--months", "24", "--segments", "3", "--end", "2026-03", "--steady", "--seed", "3"]
    folder.mkdir()
    subprocess.run(made, check=True, capture_output=True)
    (folder / "newer").mkdir()
    plan = (folder / "data" / "plan.csv").read_text().splitlines(keepends=True)
    (folder / "newer" / "plan.csv").write_text("".join(plan[:-1]))


PLACES: Mapping[str, Callable[[Path, Disk], Place]] = {
    "small": small,
    "few": few,
    "real": real,
    "import": elsewhere.importing,
    "imported": interrupted.imported,
    "database": elsewhere.database,
    "spread": spread.backtesting,
}

FAULTS = (
    Fault(
        name="import killed",
        done="kill -9 of an import of 500 deals over one of 400, at a file or at a moment",
        do=elsewhere.import_killed,
        times=50,
        place="import",
        quick=4,
    ),
    Fault(
        name="killed again",
        done="kill -9 of a report, and of the two that go on with it",
        do=interrupted.killed_again,
        times=4,
    ),
    Fault(
        name="all killed",
        done="kill -9 of the run and of all that it has started, at once",
        do=interrupted.all_killed,
        times=8,
        quick=2,
    ),
    Fault(
        name="told to end",
        done="SIGTERM, SIGINT (Ctrl-C) or SIGHUP while the month is put together and published",
        do=interrupted.told_to_end,
        times=12,
        quick=2,
    ),
    Fault(
        name="disk full",
        done="no room from a write on, to the end of the run: each write of it once",
        do=sweeps.full_from,
        each=sweeps.need_room,
        quick=2,
    ),
    Fault(
        name="one operation fails",
        done="no room for one write alone, or an error of the disk at one rename, link, removal or fsync alone",
        do=sweeps.fails_once,
        each=sweeps.change_files,
        times=60,
    ),
    Fault(
        name="one reading fails",
        done="an error of the disk at one reading alone, of data, notebooks, or what is published",
        do=sweeps.unreadable_once,
        each=sweeps.read_files,
        times=30,
    ),
    Fault(
        name="import, disk full",
        done="no room from a write of an import on: each write of it once",
        do=elsewhere.import_full,
        each=sweeps.need_room,
        place="import",
    ),
    Fault(
        name="import, one operation fails",
        done="one write, rename or removal of an import alone",
        do=elsewhere.import_fails_once,
        each=sweeps.change_files,
        place="import",
    ),
    Fault(
        name="import, one reading fails",
        done="one reading of an import alone",
        do=elsewhere.import_unreadable,
        each=sweeps.read_files,
        place="import",
    ),
    Fault(
        name="plain disk",
        done="kill -9 near the end on a disk that can neither exchange two folders nor link a file",
        do=interrupted.plain_disk,
        times=10,
    ),
    Fault(
        name="read-only",
        done="reports, TMPDIR or data cannot be written",
        do=faults.read_only,
        times=3,
    ),
    Fault(
        name="kernel killed",
        done="kill -9 of a notebook's kernel in a cell",
        do=faults.kernel_killed,
        times=3,
        quick=1,
    ),
    Fault(
        name="forking process killed",
        done="kill -9 of the process that kernels are forked from",
        do=interrupted.forks_killed,
        times=2,
    ),
    Fault(
        name="out of memory",
        done="a cell takes memory until there is none",
        do=faults.no_memory,
        times=2,
    ),
    Fault(
        name="endless notebook",
        done="a cell loops for ever, prints for ever, prints half a gigabyte at once",
        do=faults.endless,
        times=3,
    ),
    Fault(
        name="stands still",
        done="all its processes are stopped for 12 s (SIGSTOP), and go on",
        do=interrupted.stands_still,
        times=2,
    ),
    Fault(
        name="data replaced",
        done="a file of the data is replaced while a notebook runs",
        do=faults.data_replaced,
        times=2,
        quick=1,
    ),
    Fault(
        name="data gone",
        done="the folder of the data is gone, or empty, while a notebook runs",
        do=interrupted.data_gone,
        times=2,
    ),
    Fault(
        name="import meanwhile",
        done="the data are imported anew while they are read, or later in the report",
        do=interrupted.imported_meanwhile,
        times=8,
        place="imported",
    ),
    Fault(
        name="notebook replaced",
        done="a notebook is replaced before it runs",
        do=faults.notebook_replaced,
        times=2,
    ),
    Fault(
        name="code replaced",
        done="a module of the program is replaced while a notebook runs",
        do=faults.code_replaced,
        times=2,
    ),
    Fault(
        name="clock moved back",
        done="by 400 days before a run, by 40 days in it",
        do=faults.clock_back,
        times=4,
    ),
    Fault(
        name="two runs at once",
        done="started within a second; every other time one waits for the other",
        do=faults.two_at_once,
        times=20,
        quick=1,
    ),
    Fault(
        name="two months at once",
        done="two months are made into one folder; every other time one waits for the other",
        do=interrupted.two_months_at_once,
        times=4,
    ),
    Fault(
        name="log closed",
        done="standard input, output and error are closed, full, or a pipe that nobody reads",
        do=faults.log_closed,
        times=3,
    ),
    Fault(
        name="database restarted",
        done="PostgreSQL is restarted while the deals are read; the run reads them again",
        do=elsewhere.database_restarted,
        times=3,
        place="database",
        alone=True,
    ),
    Fault(
        name="1,000 months",
        done="a thousand months stand in the folder already",
        do=elsewhere.thousand_months,
        times=1,
        told=True,
    ),
    Fault(
        name="Dask worker killed",
        done="kill -9 of one of two workers while a backtest runs on them; the other does its work",
        do=spread.worker_killed,
        times=2,
        place="spread",
    ),
    Fault(
        name="Dask scheduler killed",
        done="kill -9 of the scheduler while a backtest runs",
        do=spread.scheduler_killed,
        times=2,
        place="spread",
    ),
    Fault(
        name="killed",
        done="kill -9 of a report of 528 deals by three small notebooks, at an operation on files (a fifth where "
        "folders are exchanged) or at a moment",
        do=faults.killed,
        times=34,
        place="few",
    ),
    Fault(
        name="killed, real notebooks",
        done="kill -9 of a report of 528 deals: at an operation on files, or at a moment, from the first to the last",
        do=faults.killed,
        times=16,
        place="real",
    ),
)
