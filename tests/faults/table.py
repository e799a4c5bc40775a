"""Does every fault to a month, and writes the table of docs/reliability.md: `python tests/faults/table.py`.

`--quick` does a few of each that is marked so, in a minute, and writes nothing; `--only WORD` those whose name has it,
and puts their rows into the table that is there with `--write`; `--every` refuses each single operation on files, and
not one of each kind. Ends with 1 where anything did not hold, and says what.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / "tests"), str(ROOT / "src")]

from faults import runs, workers  # noqa: E402  (the file is a program of its own)

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by tests/faults/table.py: begin -->\n", "<!-- end -->\n"
HEAD = "| fault | what is done | times | last month intact | next run, to the byte | nothing left | time lost |\n"
PLACES_BY_TIME = ("real", "few", "small", "imported", "spread", "import")
"""The places, by how long it takes to make them."""
PARTS = 24
"""Into how many jobs the times of a fault are divided at most."""


def main() -> int:
    """Do the faults, print a line each, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--times", type=int)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--worker", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    if asked.worker is not None:
        runs.with_disk()
        _load()
        return workers.work(asked.worker)
    from faults.everything import FAULTS

    start = time.monotonic()
    wanted = [word.strip() for word in asked.only.split(";")]
    chosen = [
        fault for fault in FAULTS if any(word in fault.name for word in wanted) and (fault.quick or not asked.quick)
    ]
    jobs, told = _jobs(chosen, asked), _Told()
    with tempfile.TemporaryDirectory(prefix="fl-", dir=_room()) as folder:
        through = workers.all_done(jobs, Path(folder), workers=1 if asked.quick else asked.workers, heard=told)
    if not through:  # what was done is told all the same
        chosen = [fault for fault in chosen if told.found.get(fault.name)]
    rows = [told.row(fault) for fault in chosen]
    print("".join(rows), end="", flush=True)
    if asked.write or not (asked.quick or asked.only or asked.times):
        told.write(rows, time.monotonic() - start, chosen, also=bool(asked.only) or not through)
    problems = told.problems(chosen)
    for problem in problems:
        print(problem)
    return 1 if problems or not through else 0


def _jobs(chosen: list[Any], asked: argparse.Namespace) -> list[workers.Job]:
    """Return what the workers are asked: to make the places, the longest first, then one fault after the other."""
    first = {fault.place: fault for fault in reversed(chosen) if not fault.alone}
    common = {"times": 0, "every": False}
    found = [workers.Job(fault=first[place].name, part=0, of=0, **common) for place in PLACES_BY_TIME if place in first]
    for fault in chosen:
        times = fault.quick if asked.quick else _times(fault, asked)
        parts = 1 if fault.alone or asked.quick else min(times or PARTS, PARTS)
        found += [
            workers.Job(fault=fault.name, part=part, of=parts, times=times, every=asked.every) for part in range(parts)
        ]
    return found


def _times(fault: Any, asked: argparse.Namespace) -> int:
    """Return how often a fault is done; 0 for each of what it is done to."""
    if fault.each is not None and asked.every:
        return 0
    return min(asked.times or fault.times, fault.times) if fault.times else asked.times or 0


def _room() -> str:
    """Return where to work: in memory where that has room, since runs wait for the disk; else in /tmp."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else "/tmp"


def _load() -> None:
    """Load here what every run needs, so that it is forked with it; this process has one thread then."""
    from forecast.reporting.run.fork import preload
    from forecast.reporting.run.kernels import without_iri_grammar

    with without_iri_grammar():
        import forecast.cli.app
        import forecast.reporting.published.record
        import forecast.reporting.run.engine
        import forecast.reporting.run.report  # noqa: F401
    preload()
    gc.freeze()


class _Told:
    """What the workers found, by fault."""

    def __init__(self) -> None:
        self.found: dict[str, list[dict[str, Any]]] = {}
        self.whole: dict[str, dict[str, Any]] = {}
        self.lost: list[str] = []

    def __call__(self, job: workers.Job, answer: dict[str, Any]) -> None:
        """Hear the answer to a job."""
        self.found.setdefault(job.fault, []).extend(answer["found"])
        if "place" in answer:
            self.whole[answer["place"]] = answer["whole"]
        else:
            self.lost.append(f"{job.fault}: its worker ended")

    def row(self, fault: Any) -> str:
        """Return the row of a fault."""
        found = self.found.get(fault.name, [])
        held = [sum(not each[name] for each in found) for name in ("intact", "next_run", "left")]
        cells = [fault.name, fault.done, str(len(found)), *(f"{count} of {len(found)}" for count in held)]
        lost = median([each["lost"] for each in found] or [0.0])
        return f"| {' | '.join([*cells, f'{lost:.1f} s'])} |\n"

    def problems(self, chosen: list[Any]) -> list[str]:
        """Return what did not hold."""
        found = [(fault.name, each) for fault in chosen for each in self.found.get(fault.name, [])]
        kinds = ("answer", "intact", "next_run", "left")
        told = [(name, each, line) for name, each in found for kind in kinds for line in each[kind]]
        missing = [f"{fault.name}: was not done" for fault in chosen if not self.found.get(fault.name)]
        return [
            *self.lost,
            *missing,
            *(f"{name}, {each['number']} ({each['note']}): {line}" for name, each, line in told),
        ]

    def write(self, rows: list[str], seconds: float, chosen: list[Any], *, also: bool) -> None:
        """Put the table in its page, between its marks; also : into the rows that stand there."""
        from faults.everything import FAULTS

        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        standing, _, after = rest.partition(END)
        lines = standing.splitlines(keepends=True) if also else []
        named = {line.split("|")[1].strip(): line for line in [*lines, *rows] if line.startswith("| ")}
        kept = [line for line in lines if not line.startswith("|") and line.strip()]
        when = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        whole = ", ".join(
            f"{name} {one['seconds']:.1f} s and {one['operations']:,}" for name, one in self.whole.items()
        )
        what = f"The rows of {', '.join(fault.name for fault in chosen)} were made anew" if also else "Made"
        told = [f"{what} on {when} in {max(seconds / 60, 1):.0f} min. Undisturbed, and changes of files: {whole}.\n"]
        told += [f"{fault.name}: {self.found[fault.name][0]['note']}.\n" for fault in chosen if fault.told]
        begins = tuple(line.split(":")[0].split(" on ")[0] for line in told)
        told = [*(f"{line.rstrip()}\n" for line in kept if not line.startswith(begins)), *told]
        table = "".join(named[fault.name] for fault in FAULTS if fault.name in named)
        text = f"\n{HEAD}|---|---|---|---|---|---|---|\n{table}\n" + "".join(f"{line}\n" for line in told)
        PAGE.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
