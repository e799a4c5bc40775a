"""Pieces of work for tests of `forecast.models.spread`: other processes find them here by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from forecast.errors import DataError, NotebookError


def product(seed: int, size: int) -> np.ndarray:
    """Return a matrix product of random numbers, whose last digits depend on the order of sums."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(size, size)) @ rng.normal(size=(size, size))


def where(item: int) -> tuple[int, int, str]:
    """Return the item, the process that did it, and how many threads it was told to use."""
    time.sleep(0.05)
    return item, os.getpid(), os.environ.get("OMP_NUM_THREADS", "")


def dies_once(item: int, folder: Path) -> int:
    """Return the square; the first that takes item 3 is killed with it in hand."""
    time.sleep(0.02)
    if item == 3:
        try:
            (folder / "killed").touch(exist_ok=False)
        except FileExistsError:
            return item**2
        os.kill(os.getpid(), signal.SIGKILL)
    return item**2


def always_dies(item: int) -> int:
    """Kill the process that takes it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def refuses(item: int) -> int:
    """Raise what the library raises, of item 2."""
    if item == 2:
        raise NotebookError("it failed", notebook="10_segment", cell=3, partial="page.html", transient="kernel")
    if item == 5:
        raise DataError("is wrong", table="plan", column="amount", rows=[4], mend="mend it")
    if item == 7:
        raise TimeoutError("of its own")
    return item


def slow(item: int, folder: Path, seconds: float) -> int:
    """Leave the number of the process, and take a while."""
    (folder / f"{item}.pid").write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(seconds)
    return item
