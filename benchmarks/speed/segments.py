"""A page for every segment: wall time of one process against two, of a company with many segments.

    python -m benchmarks.speed.segments --segments 60
    python -m benchmarks.speed.segments --segments 500 --write

Relabels the segments of a simulated company, so that there are as many as asked; makes the month's tables that pages
read; then makes all pages with one worker and with each other number asked, in turn. Says how busy the machine was.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.results import record
from forecast.data.sources.company import FILE
from forecast.models.spread.spread import spread
from forecast.reporting.month.one_segment import divided, of_segment, segments_of
from forecast.reporting.month.results import Results
from forecast.reporting.run import export
from forecast.reporting.run.parameters import parameters_of, read_notebook
from forecast.reporting.run.prepare import notebooks_folder
from forecast.reporting.segments.month import piece_size
from forecast.reporting.segments.names import file_names
from forecast.reporting.segments.page import NOTEBOOK, Asked, Piece, make, packed
from forecast.simulation.company import simulate
from forecast.simulation.company import write as write_company

AS_OF = "2026-10-31"


def company(folder: Path, *, segments: int, opportunities: int) -> Path:
    """Write a simulated company whose eight segments are divided into as many as asked, by the number of the deal."""
    made = simulate(opportunities=opportunities, months=48, seed=1)
    deals = made.tables["opportunities"]
    number = deals["opportunity_id"].str.extract(r"(\d+)", expand=False).astype(int)
    of_deal = (number % segments).map(lambda each: f"Segment {each:03d}")
    deals["segment"] = of_deal.to_numpy()
    history = made.tables["opportunity_history"]
    if "segment" in history:
        history["segment"] = history["opportunity_id"].map(dict(zip(deals["opportunity_id"], of_deal, strict=True)))
    kept = {"opportunities", "opportunity_history", "stages", "currencies"}
    for name in [name for name in made.tables if name not in kept]:
        del made.tables[name]
    write_company(made, folder)
    return folder


def pieces_of(tables: Path) -> list[Piece]:
    """Return the pieces of work of all segments."""
    results = Results(tables)
    names = file_names(segments_of(results.read("bookings")))
    return [
        Piece(segment=segment, name=names[segment], tables={name: packed(rows) for name, rows in parts.items()})
        for segment, parts in divided(results, names)
    ]


def asked_of(data: Path) -> Asked:
    """Return what the pages share."""
    content = read_notebook(notebooks_folder() / f"{NOTEBOOK}.ipynb")
    values: dict[str, Any] = {"as_of": AS_OF, "data": "", "tables": "", "segment": "", "months": 6, "seed": 0}
    frame = export.Page(kind="analysis", title="", notebook=NOTEBOOK, company="Simulated", as_of=AS_OF)
    return Asked(
        notebook=content,
        values=values,
        published=values,
        declared=parameters_of(content, where=NOTEBOOK),
        frame=frame,
        company=(data / FILE).read_bytes(),
        cell_seconds=3600,
    )


def cpu() -> float:
    """Return the CPU seconds of this process and of those that have ended below it."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def timed(pieces: list[Piece], asked: Asked, *, workers: int) -> dict[str, float]:
    """Return wall and CPU seconds of all pages, and how busy the machine was beside them."""
    size = piece_size(len(pieces), workers=2)
    parts = [pieces[at : at + size] for at in range(0, len(pieces), size)]
    start, before, idle = time.perf_counter(), cpu(), _idle()
    made = spread(make, parts, workers=workers, shared=(asked,))
    wall = time.perf_counter() - start
    failed = [each.segment for part in made for each in part if each.failure is not None]
    assert not failed, failed
    cores = os.cpu_count() or 1
    own = cpu() - before
    others = max(cores * wall - (_idle() - idle) - own, 0.0)
    return {"workers": workers, "wall_s": wall, "cpu_s": own, "others_cpu_s": others}


def _idle() -> float:
    """Return for how many seconds the cores have been idle since the machine started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=60)
    parser.add_argument("--opportunities", type=int, default=20_000)
    parser.add_argument("--workers", default="1,2", help="numbers of workers, with commas between")
    parser.add_argument("--folder", type=Path, help="where company and tables are kept for the next time")
    parser.add_argument("--write", action="store_true", help="put the rows into results.csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        data, tables = folder / f"company-{options.segments}", folder / f"tables-{options.segments}"
        if not data.is_dir():
            company(data, segments=options.segments, opportunities=options.opportunities)
        of_segment(data=data, as_of=AS_OF, tables=tables)
        pieces, asked = pieces_of(tables), asked_of(data)
        rows = [timed(pieces, asked, workers=int(each)) for each in options.workers.split(",")]
    table = pd.DataFrame(rows)
    table["ratio"] = table["wall_s"].iloc[0] / table["wall_s"]
    table.insert(0, "segments", len(pieces))
    print(table.round(2).to_string(index=False))
    if options.write:
        record(
            "speed_segments",
            [
                (f"{row['segments']:.0f} segments, {row['workers']:.0f} workers", measure, float(row[measure]), unit)
                for row in table.to_dict("records")
                for measure, unit in (("wall_s", "s"), ("cpu_s", "s"), ("others_cpu_s", "s"), ("ratio", "x"))
            ],
        )


if __name__ == "__main__":
    main()
