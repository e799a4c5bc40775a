"""The companies that faults are done to, and the table of all faults."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from faults import elsewhere, faults, spread
from faults.faults import PAUSES, ROOT, Fault
from faults.place import REPORT, Place, prepared
from faults.runs import Disk
from forecast.reporting.run.prepare import STAGES
from reports import WRITES, company, notebook

NEWER = "O4,2026-02-20,South,Open,30,2026-06-01,,open\n"


def small(folder: Path, disk: Disk) -> Place:
    """Return three deals and eight notebooks of a few lines; newer data have a fourth deal."""
    company(folder / "data")
    for name in (stage.name for stage in STAGES):
        cells = [PAUSES] if name == "04_track_record" else []
        notebook(folder / "notebooks", name, *cells, WRITES.format(name=f"t{name[:2]}"))
    (folder / "newer").mkdir()
    text = (folder / "data" / "opportunities.csv").read_text() + NEWER
    (folder / "newer" / "opportunities.csv").write_text(text)
    return prepared(folder, command=REPORT, older=("2026-02", "2026-03"), fresh=False, disk=disk)


def real(folder: Path, disk: Disk) -> Place:
    """Return a simulated company of 528 deals and the project's notebooks; newer data have another plan."""
    made = [sys.executable, "-m", "forecast", "simulate", "--out", str(folder / "data"), "--opportunities", "500"]
    made += ["--months", "36", "--segments", "4", "--end", "2026-03", "--steady", "--seed", "3"]
    folder.mkdir()
    subprocess.run(made, check=True, capture_output=True)
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    (folder / "newer").mkdir()
    plan = (folder / "data" / "plan.csv").read_text().splitlines(keepends=True)
    (folder / "newer" / "plan.csv").write_text("".join(plan[:-1]))
    return prepared(folder, command=REPORT, older=("2026-02", "2026-03"), fresh=False, disk=disk)


PLACES: Mapping[str, Callable[[Path, Disk], Place]] = {
    "small": small,
    "real": real,
    "import": elsewhere.importing,
    "database": elsewhere.database,
    "spread": spread.backtesting,
}

FAULTS = (
    Fault(
        name="killed at a file",
        done="kill -9 at an operation on files, a fifth of them in the last 5 %, where folders are exchanged",
        times=26,
        do=faults.killed_at,
        quick=3,
    ),
    Fault(
        name="killed at a moment",
        done="kill -9 after a share of the time a run takes",
        times=18,
        do=faults.killed_after,
    ),
    Fault(
        name="disk full",
        done="no room from the n-th change of files on, to the end of the run",
        times=30,
        do=faults.disk_full,
        quick=2,
    ),
    Fault(
        name="read-only",
        done="reports, TMPDIR or data cannot be written",
        times=3,
        do=faults.read_only,
    ),
    Fault(
        name="kernel killed",
        done="kill -9 of a notebook's kernel in a cell",
        times=3,
        do=faults.kernel_killed,
        quick=1,
    ),
    Fault(
        name="out of memory",
        done="a cell takes memory until there is none",
        times=1,
        do=faults.no_memory,
    ),
    Fault(
        name="endless notebook",
        done="a cell loops for ever, prints for ever, prints half a gigabyte at once",
        times=3,
        do=faults.endless,
    ),
    Fault(
        name="data replaced",
        done="a file of the data is replaced while a notebook runs",
        times=2,
        do=faults.data_replaced,
        quick=1,
    ),
    Fault(
        name="notebook replaced",
        done="a notebook is replaced before it runs",
        times=2,
        do=faults.notebook_replaced,
    ),
    Fault(
        name="code replaced",
        done="a module of the program is replaced while a notebook runs",
        times=2,
        do=faults.code_replaced,
    ),
    Fault(
        name="clock moved back",
        done="by 400 days before a run, by 40 days in it",
        times=2,
        do=faults.clock_back,
    ),
    Fault(
        name="two runs at once",
        done="started within a second; every other time one waits for the other",
        times=20,
        do=faults.two_at_once,
        quick=1,
    ),
    Fault(
        name="log closed",
        done="standard input, output and error are closed",
        times=3,
        do=faults.log_closed,
    ),
    Fault(
        name="import killed",
        done="kill -9 of an import of 500 deals over one of 400, at a file or at a moment",
        times=50,
        do=elsewhere.import_killed,
        place="import",
        quick=4,
    ),
    Fault(
        name="database restarted",
        done="PostgreSQL is restarted while the deals are read; the run reads them again",
        times=3,
        do=elsewhere.database_restarted,
        place="database",
    ),
    Fault(
        name="1,000 months",
        done="a thousand months stand in the folder already",
        times=1,
        do=elsewhere.thousand_months,
        told=True,
    ),
    Fault(
        name="killed, real notebooks",
        done="kill -9 at an operation on files, from the first to the last",
        times=6,
        do=faults.killed_at,
        place="real",
    ),
    Fault(
        name="Dask worker killed",
        done="kill -9 of one of two workers while a backtest runs on them; the other does its work",
        times=2,
        do=spread.worker_killed,
        place="spread",
    ),
    Fault(
        name="Dask scheduler killed",
        done="kill -9 of the scheduler while a backtest runs",
        times=2,
        do=spread.scheduler_killed,
        place="spread",
    ),
)
