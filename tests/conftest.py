"""Fixtures every test may use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers import Server

# One BLAS thread: the tests share two cores, and results must not depend on how many threads there are.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent

# Where everything must run, a part that is not there fails the test that needs it instead of skipping it.
REQUIRE_ALL = bool(os.environ.get("FORECAST_REQUIRE_ALL"))


def _absent(reason: str) -> None:
    if REQUIRE_ALL:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def sample() -> Path:
    """Return the folder of the sample company."""
    return ROOT / "data" / "sample"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip where it is not on this machine."""
    folder = Path(os.environ.get("FORECAST_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        _absent("no real data here: FORECAST_REAL_DATA names no folder")
    return folder


@pytest.fixture(scope="session")
def crm_cases() -> Path:
    """Return the folder of small exports that failed, each with what is right, or skip where it is not here."""
    folder = Path(os.environ.get("FORECAST_CASES", ROOT.parent / "shared" / "cases")) / "crm"
    if not folder.is_dir():
        _absent("no cases here: FORECAST_CASES names no folder")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium to drive, or skip where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        _absent("no Chromium on this machine: install the package chromium")
    return str(found)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a running PostgreSQL, or skip where its programs are not on this machine.

    Tests that use it carry `pytest.mark.xdist_group("postgres")`, so that one worker starts it once.
    """
    import servers

    if servers.programs() is None:
        _absent("no PostgreSQL on this machine: install the package postgresql")
    with servers.running() as server:
        yield server


@pytest.fixture(scope="session")
def sample_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of reports made by the main job on the sample, run once as a user runs it.

    Tests that use it carry `pytest.mark.xdist_group("report")`, so that one worker makes it once.
    """
    out = tmp_path_factory.mktemp("main-job") / "reports"
    command = [sys.executable, "-m", "forecast", "report", "--data", "data/sample", "--as-of", "2026-10-31"]
    done = subprocess.run([*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out
