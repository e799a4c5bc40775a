"""How much memory a run may take, how much it takes, and giving back what it no longer needs.

The limit stands in the environment (`FORECAST_MEMORY_LIMIT`), where `--memory-limit` puts it: the processes that a run
starts have the same one. DuckDB gets a quarter of it; who holds the run to it is `forecast.cli.limits`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from forecast.errors import ParameterError

VARIABLE = "FORECAST_MEMORY_LIMIT"

LEAST = 200 * 10**6
"""Bytes below which nothing can be forecast: Python and its libraries take as much."""

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def size_of(text: str) -> int:
    """Return a size in bytes. Raises ParameterError for what is none, or too small for any run.

    >>> size_of("4GB"), size_of("1.5 GiB")
    (4000000000, 1610612736)
    """
    found = _SIZE.fullmatch(text)
    unit = found[2].upper() if found else "?"
    if not found or (unit not in _UNITS):
        raise ParameterError(f"--memory-limit: {text!r} is no size; write it as 4GB, 500MB or 8GiB")
    size = int(float(found[1]) * _UNITS[unit])
    if size < LEAST:
        raise ParameterError(f"--memory-limit: {text!r} is less than any run takes; give at least {in_words(LEAST)}")
    return size


def in_words(size: float) -> str:
    """Return a size as people say it.

    >>> in_words(3_140_000_000), in_words(200e6)
    ('3.1 GB', '200 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def limit() -> int | None:
    """Return the limit of this run in bytes, None where there is none. Raises ParameterError."""
    text = os.environ.get(VARIABLE, "").strip()
    return size_of(text) if text else None


def for_duckdb() -> dict[str, str | int]:
    """Return what DuckDB is to be told of memory: a quarter of the limit, where there is one."""
    most = limit()
    return {} if most is None else {"memory_limit": f"{most // 4 // 10**6}MB"}


ONE_STORE = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""The environment of a process in which Arrow takes its memory from the C library."""


def from_one_store() -> None:
    """Let Arrow take its memory from the C library in this process and those below it, unless it has begun already.

    Two allocators would each keep what the other could use, and Arrow's own gives little of it back: of reading the
    sample it keeps some 20 MB.
    """
    for name, value in ONE_STORE.items():
        os.environ.setdefault(name, value)


def give_back() -> None:
    """Give memory that was freed back to the system: the allocators of Arrow and C would keep it for later."""
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


# -- how much is taken ------------------------------------------------------------------------------------


def used(root: int | None = None, *, most: float = 0.0) -> float:
    """Return the bytes that a process and all below it take: what each has alone, and its share of what is shared.

    root : the process, by default this one. most : the answer only has to be exact above it: below, what is shared may
    be counted in every process, which is quick. On systems without /proc it is what the kernel calls resident.
    """
    tree = list(_tree(os.getpid() if root is None else root))
    quick = sum(map(_resident, tree))
    return quick if quick <= most else sum(map(_proportional, tree))


def _tree(root: int) -> Iterator[int]:
    yield root
    with contextlib.suppress(OSError):
        for task in (_PROC / str(root) / "task").iterdir():
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    yield from _tree(int(child))


def end_below(root: int) -> None:
    """End all processes below one at once."""
    for pid in list(_tree(root))[:0:-1]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _resident(pid: int) -> float:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0.0


def _proportional(pid: int) -> float:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    return 0.0
