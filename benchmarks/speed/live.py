"""How soon the live controls of the notebooks answer: from a choice to the new picture, on the sample.

The cells of a notebook run as they stand, the analyst's too, up to the control; then each choice of each is made
in turn, and some of all together at random. CPU is what the kernel does: what is drawn of the choice, as HTML.

    python -m benchmarks.speed.live --tables reports/2026-10-31/tables [--record]

With the tables of a published month the notebooks read what they would else compute first.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.results import record
from forecast.reporting.explorer.live import Live

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/sample")
    parser.add_argument("--tables", default="")
    parser.add_argument("--together", type=int, default=10, help="choices of all controls at once")
    parser.add_argument("--record", action="store_true", help="write the figures into results.csv")
    given = parser.parse_args()
    rows = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        live = control_of(path, data=given.data, tables=given.tables)
        if live is None:
            continue
        times = answers(live, together=given.together)
        labels = " and ".join(live.options)
        median, largest = statistics.median(times), max(times)
        print(f"{path.stem:20} {labels:36} {len(times):3} choices: median {median:.3f} s CPU, largest {largest:.3f} s")
        rows += [(path.stem, "median CPU", median, "s"), (path.stem, "largest CPU", largest, "s")]
    if given.record:
        record("live", rows)


def control_of(path: Path, *, data: str, tables: str) -> Live | None:
    """Return the control of a notebook, its cells run up to it; None where it has none."""
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    places = [at for at, cell in enumerate(cells) if cell["id"].startswith("live-")]
    if not places:
        return None
    names: dict[str, Any] = {}
    for cell in cells[: places[0]]:
        exec("".join(cell["source"]), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names.update(data=data, tables=tables)
    *before, last = _parts("".join(cells[places[0]]["source"]))
    exec("\n".join(before), names)
    live = eval(last, names)
    assert isinstance(live, Live)
    return live


def answers(live: Live, *, together: int) -> list[float]:
    """Return the CPU seconds of each choice of each control, the others as at first, and of some of all at once."""
    live.widget.children  # noqa: B018  the controls are made
    first = [control.value for control in live.controls]
    asked = [
        [option[1] if at == which else value for at, value in enumerate(first)]
        for which, control in enumerate(live.controls)
        for option in control.options
    ]
    draw = random.Random(0)
    asked += [[draw.choice(control.options)[1] for control in live.controls] for _ in range(together)]
    times = []
    for values in asked:
        used = time.process_time()
        live.shown(*values)
        times.append(time.process_time() - used)
    return times


def _parts(source: str) -> list[str]:
    """Return the statements of a cell as text."""
    import ast

    return [ast.unparse(node) for node in ast.parse(source).body]


if __name__ == "__main__":
    main()
