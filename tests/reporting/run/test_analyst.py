"""Cells for whoever works in a notebook: a report neither runs nor shows them, and does not care what is in them."""

from __future__ import annotations

import json
from pathlib import Path

from forecast.reporting.run.prepare import ANALYST, STAGES, as_published
from forecast.reporting.run.progress import Quiet
from forecast.reporting.run.report import report
from reports import WRITES, company, notebook


def with_cell(file: Path, text: str) -> None:
    """Put a cell for the analyst behind the others, in place of the one that is there."""
    content = json.loads(file.read_text(encoding="utf-8"))
    kept = [cell for cell in content["cells"] if ANALYST not in cell["metadata"].get("tags", [])]
    cell = {"cell_type": "code", "id": "mine", "metadata": {"tags": [ANALYST]}, "outputs": [], "execution_count": None}
    file.write_text(json.dumps({**content, "cells": [*kept, {**cell, "source": text}]}), encoding="utf-8")


def test_a_report_does_without_them(tmp_path):
    company(tmp_path / "data")
    for stage in STAGES:
        file = notebook(tmp_path / "notebooks", stage.name, WRITES.format(name=stage.name[3:]))
        with_cell(file, "raise RuntimeError('this is run by hand alone')")
    asked = {"as_of": "2026-03", "out": tmp_path / "reports", "notebooks": tmp_path / "notebooks"}
    page = report(tmp_path / "data", **asked)
    executed = json.loads((page.parent / "notebooks" / f"{STAGES[0].name}.ipynb").read_text(encoding="utf-8"))
    assert all(ANALYST not in cell["metadata"].get("tags", []) for cell in executed["cells"])
    assert "by hand alone" not in page.read_text(encoding="utf-8")
    # Another text of theirs is no other report.
    with_cell(tmp_path / "notebooks" / f"{STAGES[0].name}.ipynb", "1 + 1")
    assert as_published(tmp_path / "data", progress=Quiet(), **asked) == page
