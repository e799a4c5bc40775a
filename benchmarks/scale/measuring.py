"""One step of the work on one company, in a process of its own: CPU seconds and peak memory of the process tree.

CPU is of the process and all it started, up to where each ended or was last seen. Memory is the highest sum over the
tree of what each process has for itself plus its share of what is shared (PSS, Linux), looked at a few times a second;
and the highest resident set of any one process, which the kernel keeps and no peak escapes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PAUSE = 0.2
_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """CPU and wall seconds of a step, peak memory of its tree and of its largest process in MB of 2^20 bytes."""

    cpu: float
    wall: float
    memory: float
    largest: float
    code: int


def environment() -> dict[str, str]:
    """Return the environment that every step runs in: one BLAS thread, and compiled modules are written."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return {**inherited, **THREADS, **path, "MPLBACKEND": "Agg"}


def measured(command: list[str], *, log: Path | None = None) -> Cost:
    """Run a command to its end and return what it cost.

    log : where its output goes; by default nowhere.
    """
    start = time.perf_counter()
    with (log or Path(os.devnull)).open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=out, stderr=subprocess.STDOUT)
        seen: dict[int, float] = {}
        peak = largest = 0.0
        while process.poll() is None:
            tree = _tree(process.pid)
            total = 0.0
            for pid in tree:
                memory, highest, cpu = _of(pid)
                total += memory
                largest = max(largest, highest)
                seen[pid] = max(seen.get(pid, 0.0), cpu)
            peak = max(peak, total)
            time.sleep(PAUSE)
    return Cost(
        cpu=sum(seen.values()),
        wall=time.perf_counter() - start,
        memory=peak / 1024,
        largest=largest / 1024,
        code=process.returncode,
    )


def _tree(root: int) -> list[int]:
    """Return the process and all below it, those given to another parent meanwhile included while they are seen."""
    parents: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name; none where the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _of(pid: int) -> tuple[float, float, float]:
    """Return a process' PSS and highest resident set in kB, and its CPU seconds so far, without its children's."""
    fields = _stat(pid)
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0
    return _kilobytes(pid, "smaps_rollup", "Pss:"), _kilobytes(pid, "status", "VmHWM:"), cpu


def _kilobytes(pid: int, file: str, key: str) -> float:
    try:
        for line in (_PROC / str(pid) / file).read_text().splitlines():
            if line.startswith(key):
                return float(line.split()[1])
    except OSError:
        pass
    return 0.0


if __name__ == "__main__":
    found = measured(sys.argv[1:], log=Path("/dev/stderr"))
    print(found)
