"""Fixtures of the tests that let schedulers run."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def absent() -> Callable[[str], None]:
    """Return what skips a test for want of something, or fails it where everything must run."""
    return pytest.fail if os.environ.get("FORECAST_REQUIRE_ALL") else pytest.skip
