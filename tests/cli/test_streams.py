"""A log that is full, closed or no longer read does not end a command, and the exit code is what it would have been."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from forecast.reporting.run.prepare import STAGES
from reports import WRITES, company, notebook

pytestmark = [pytest.mark.slow, pytest.mark.faults]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    company(tmp_path / "data")
    for stage in STAGES:
        notebook(tmp_path / "notebooks", stage.name, WRITES.format(name=f"t{stage.name[:2]}"))
    return tmp_path


def shell(place: Path, command: str, redirected: str) -> int:
    """Run a command of ours in bash, and return its exit code, whatever stands behind it in a pipe."""
    line = f"{sys.executable} -m forecast {command} {redirected}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, text=True, check=False)
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode


@pytest.mark.parametrize("redirected", [">/dev/full 2>/dev/full", ">&- 2>&- <&-", "2>&1 | head -1"])
def test_a_month_is_published_whatever_becomes_of_its_log(place, redirected):
    assert shell(place, "report --data data --as-of 2026-03 --notebooks notebooks", redirected) == 0
    assert (place / "reports" / "2026-03-31" / "index.html").is_file()


@pytest.mark.parametrize("redirected", [">/dev/full 2>/dev/full", ">&- 2>&-", "2>&1 | true"])
def test_what_is_wrong_stays_wrong(place, redirected):
    assert shell(place, "report --data data --as-of 2026-07 --notebooks notebooks", redirected) == 1
    assert shell(place, "deals --data data --as-of 2026-03 --out deals.csv", redirected) == 0
    assert (place / "deals.csv").is_file()


def test_a_result_that_cannot_be_printed_is_lost(place):
    assert shell(place, "params --notebooks notebooks", "") == 0
    assert shell(place, "params --notebooks notebooks", ">/dev/full") == 4
    assert shell(place, "params --notebooks notebooks", "| true") == 0
    done = subprocess.run(
        f"{sys.executable} -m forecast check --data data >/dev/full",
        shell=True,
        cwd=place,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (1, 4)  # by what it found, or that nobody can read it
    assert shell(place, "--version", "2>&-") == 0
