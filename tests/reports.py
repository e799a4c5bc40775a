"""A small company and notebooks of a few lines, to run reports in a second or two."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat.v4

PARAMETERS = """\
data: str = "data"  # folder of the company's tables
as_of: str = "2026-03-31"  # the day whose knowledge is used
tables: str = ""  # folder of result files; empty = none
months: int = 6  # how many months ahead; allowed: 1 to 12"""

WRITES = """\
import pandas as pd
from forecast.reporting.month.results import Results
Results(tables).write("{name}", pd.DataFrame({{"months": [months], "as_of": [as_of]}}))"""


def company(folder: Path) -> Path:
    """Write a data folder of three opportunities that ends in March 2026; return it."""
    folder.mkdir(parents=True)
    (folder / "opportunities.csv").write_text(
        "opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome\n"
        "O1,2026-01-05,North,Won,100,2026-02-10,2026-02-12,won\n"
        "O2,2026-01-20,North,Lost,50,2026-03-01,2026-03-04,lost\n"
        "O3,2026-02-03,South,Open,70,2026-05-01,,open\n",
        encoding="utf-8",
    )
    (folder / "company.toml").write_text('name = "Tiny & Co"\nextracted_on = 2026-03-31\n', encoding="utf-8")
    return folder


def notebook(folder: Path, name: str, *cells: str, parameters: str = PARAMETERS, title: str = "") -> Path:
    """Write a notebook: a title, a parameters cell, then code cells; its file cells are numbered 1, 2, 3, …"""
    written = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(f"# {title or name}"),
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            *(nbformat.v4.new_code_cell(cell) for cell in cells),
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(written), encoding="utf-8")
    return path
