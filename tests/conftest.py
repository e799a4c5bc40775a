"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One BLAS thread: the tests share two cores, and results must not depend on how many threads there are.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent


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
        pytest.skip("no real data here: FORECAST_REAL_DATA names no folder")
    return folder
