"""Fixtures every test may use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

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
def chromium() -> str:
    """Return the path of a Chromium to drive, or skip where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        _absent("no Chromium on this machine: install the package chromium")
    return str(found)
