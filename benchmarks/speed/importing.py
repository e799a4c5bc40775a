"""CPU of importing an export (200,000 opportunities, 1,000,000 rows of history), beside pandas reading the same files.

    python -m benchmarks.speed.importing --rounds 5 --record

Both read the same two files; the import also brings them to our columns, mends, validates and writes the folder. Two
peers: `pd.read_csv(file)` as it comes, which reads numbers as such, and with `dtype="str"`, which reads text as the
import must (an amount may be `1.234,56`, an identifier all digits). Medians of rounds that take turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.results import record
from benchmarks.speed.exports import WRITERS, draw
from forecast.data.sources.crm.importing import import_crm


def _cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _read_all(files: list[Path], **options: str) -> None:
    for file in files:
        pd.read_csv(file, **options)


def measure(crm: str, *, opportunities: int, history: int, rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of `import`, `pandas` and `pandas, text` for one CRM's export."""
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "export", Path(name) / "ours"
        source.mkdir()
        WRITERS[crm](source, draw(opportunities=opportunities, history=history))
        files = sorted(source.glob("*.csv"))
        work = {
            "import": partial(import_crm, crm, source, out),
            "pandas": partial(_read_all, files),
            "pandas, text": partial(_read_all, files, dtype="str"),
        }
        spent: dict[str, list[float]] = {who: [] for who in work}
        for _ in range(rounds):
            for who, each in work.items():
                spent[who].append(_cpu(each))
    return {who: statistics.median(seconds) for who, seconds in spent.items()}


def main() -> None:
    """Print the medians and their ratios; with --record, keep them in benchmarks/results.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opportunities", type=int, default=200_000)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crm", choices=tuple(WRITERS), action="append")
    parser.add_argument("--record", action="store_true", help="write the figures into results.csv")
    asked = parser.parse_args()
    for crm in asked.crm or WRITERS:
        spent = measure(crm, opportunities=asked.opportunities, history=asked.history, rounds=asked.rounds)
        ratios = {who: spent["import"] / spent[who] for who in ("pandas", "pandas, text")}
        print(
            crm, {who: round(seconds, 2) for who, seconds in spent.items()}, {w: round(r, 1) for w, r in ratios.items()}
        )
        if asked.record:
            rows = [(crm, f"CPU of {who}", seconds, "s") for who, seconds in spent.items()]
            rows += [(crm, f"import / {who}", ratio, "") for who, ratio in ratios.items()]
            record("importing", rows)


if __name__ == "__main__":
    main()
