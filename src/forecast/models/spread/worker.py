"""What happens where an item is done: one BLAS thread, one item at a time, and the very program that asks."""

from __future__ import annotations

import hashlib
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from forecast.errors import MachineError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""What tells libraries of numbers how many threads to start."""

_COMPUTING = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "statsmodels")
_ONE_AT_A_TIME = threading.Lock()
"""A Dask worker may have several threads; the library keeps what it made for the next who asks, and is for one."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and OpenMP add with one thread inside this: with more, sums differ in their last digits by machine."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


@lru_cache(maxsize=1)
def made_of() -> dict[str, str]:
    """Return what numbers depend on: the versions of Python and packages, and one SHA-256 over our own modules.

    Looked at once a process, so that of a worker it says what the worker has loaded, not what was laid there since.
    """
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    found |= {name: metadata.version(name) for name in _COMPUTING}
    total, base = hashlib.sha256(), Path(__file__).parents[2]
    for file in sorted(base.rglob("*.py")):
        for part in (file.relative_to(base).as_posix().encode(), file.read_bytes()):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return {**found, "forecast": total.hexdigest()}


def done(function: Callable[..., Any], item: Any, shared: tuple[Any, ...], *, made: dict[str, str], where: str) -> Any:
    """Return the result of an item, done in a process that may be of another machine.

    made : what the program that asks is made of. where : how this worker is called. Raises MachineError where this
    one is made of something else: its numbers would be others.
    """
    ours = made_of()
    if differing := sorted(name for name in made.keys() | ours.keys() if made.get(name) != ours.get(name)):
        raise MachineError(
            f"{where} runs another program than this ({_told(differing, made, ours)}): its numbers could differ\n"
            "  mend: install the same there, and start the worker again"
        )
    with _ONE_AT_A_TIME, one_thread():
        return function(item, *shared)


def _told(differing: list[str], made: dict[str, str], ours: dict[str, str]) -> str:
    """Return which packages differ, with their versions; our own code has none to tell."""
    names = [
        "the code of forecast" if name == "forecast" else f"{name} {ours.get(name)} there, {made.get(name)} here"
        for name in differing
    ]
    return "; ".join(names)
