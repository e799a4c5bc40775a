"""Does every fault to a month, and writes the table of docs/reliability.md: `python tests/faults/table.py`.

`--quick` does a few of each that is marked so, in a minute, and writes nothing; `--only WORD` those whose name has it,
and puts their rows into the table that is there with `--write`.
Ends with 1 where anything did not hold, and says what.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / "tests"), str(ROOT / "src")]

from faults import runs  # noqa: E402  (the file is a program of its own)

SEED = 20261130
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by tests/faults/table.py: begin -->\n", "<!-- end -->\n"
HEAD = "| fault | what is done | times | last month intact | next run, to the byte | nothing left | time lost |\n"


def main() -> int:
    """Do the faults, print a line each, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--times", type=int)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    runs.with_disk()
    _load()
    from faults.elsewhere import OPEN
    from faults.everything import FAULTS

    start, rows, wrong = time.monotonic(), [], []
    chosen = [fault for fault in FAULTS if asked.only in fault.name and (fault.quick or not asked.quick)]
    with tempfile.TemporaryDirectory(prefix="fl-", dir=_room()) as folder, OPEN:
        for fault in chosen:
            times = fault.quick if asked.quick else min(asked.times or fault.times, fault.times)
            row, problems = _done(fault, times, Path(folder))
            rows.append(row)
            wrong += problems
            print(row, end="", flush=True)
            if (asked.write and fault is chosen[-1]) or not (asked.quick or asked.only or asked.times):
                _write(rows, time.monotonic() - start, also=bool(asked.only))
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


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


_PLACES: dict[str, Any] = {}
_TOLD: list[str] = []
"""What is told below the table of faults whose figures do not fit in it."""


def _done(fault: Any, times: int, folder: Path) -> tuple[str, list[str]]:
    """Do a fault so often, and return its row of the table and what did not hold."""
    from faults.everything import PLACES
    from faults.faults import Case
    from faults.place import Found

    disk = runs.Disk()
    if fault.place not in _PLACES:
        _PLACES[fault.place] = PLACES[fault.place](folder / fault.place, disk)
    found, problems = [], []
    dice = random.Random(f"{SEED} {fault.name}")
    for number in range(times):
        disk.set(runs.COUNT)
        place = _PLACES[fault.place].copy(folder / "case")
        begun = time.monotonic()
        try:
            each = fault.do(Case(place=place, number=number, times=times, dice=dice, disk=disk))
        except Exception as error:  # counted as what did not hold; the others are still done
            each = Found(answer=[f"{type(error).__name__}: {error}"], intact=["?"], next_run=["?"], left=["?"])
        found.append(each)
        problems += [f"{fault.name}, {number} ({each.note}): {problem}" for problem in each.problems]
        seconds = time.monotonic() - begun
        print(f"  {fault.name} {number} {seconds:.1f} s {each.note} {each.problems}", file=sys.stderr, flush=True)
        shutil.rmtree(place.folder, ignore_errors=True)
    if fault.told:
        _TOLD.append(f"{fault.name}: {found[0].note}")
    held = [sum(not getattr(each, name) for each in found) for name in ("intact", "next_run", "left")]
    cells = [fault.name, fault.done, str(times), *(f"{count} of {times}" for count in held)]
    return f"| {' | '.join([*cells, f'{median(each.lost for each in found):.1f} s'])} |\n", problems


def _write(rows: list[str], seconds: float, *, also: bool) -> None:
    """Put the table in its page, between its marks; also : into the rows that stand there."""
    from faults.everything import FAULTS

    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    standing, _, after = rest.partition(END)
    lines = standing.splitlines(keepends=True) if also else []
    named = {line.split("|")[1].strip(): line for line in [*lines, *rows] if line.startswith("| ")}
    kept = [line for line in lines if not line.startswith("|") and line.strip()]
    when = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    whole = ", ".join(f"{name} {one.seconds:.1f} s and {one.operations:,}" for name, one in _PLACES.items())
    what = f"The row of {', '.join(row.split('|')[1].strip() for row in rows)} was made anew" if also else "Made"
    told = [
        f"{what} on {when} in {max(seconds / 60, 1):.0f} min. Undisturbed runs, and their changes of files: {whole}.\n"
    ]
    told += [f"{line}.\n" for line in _TOLD]
    begins = tuple(line.split(":")[0].split(" on ")[0] for line in told)
    told = [*(f"{line.rstrip()}\n" for line in kept if not line.startswith(begins)), *told]
    table = "".join(named[fault.name] for fault in FAULTS if fault.name in named)
    text = f"\n{HEAD}|---|---|---|---|---|---|---|\n{table}\n" + "".join(f"{line}\n" for line in told)
    PAGE.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
