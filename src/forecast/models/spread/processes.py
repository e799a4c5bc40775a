"""Processes of this machine, by loky (it comes with joblib).

Simple case: each process takes the next item until there is none. A process that dies (killed, or out of memory) ends
the pool: what was in hand is given to a new one. Where that happens again and again without an item getting done, it is
no accident. Workers end with the process that asked, however that ends.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from typing import Any

from forecast.errors import MachineError
from forecast.models.spread import worker

_TRIES = 3
"""So many pools may break one after the other without an item done."""
_LOOK = 0.5
"""Seconds between two looks at whether the process that asked still lives."""

_shared: tuple[Any, ...] = ()
"""In a worker: the arguments that all items share."""


def in_processes(
    function: Callable[..., Any],
    items: Sequence[Any],
    shared: tuple[Any, ...],
    *,
    workers: int,
    on_result: Callable[[int, Any], object] | None,
) -> list[Any]:
    """Return the results in the order of the items; arguments as `spread`. Raises MachineError, and what it raises."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    results: dict[int, Any] = {}
    broken = 0
    while len(results) < len(items):
        left, before = [position for position in range(len(items)) if position not in results], len(results)
        try:
            _until_broken(function, items, left, shared, workers=workers, results=results, on_result=on_result)
        except BrokenProcessPool:
            broken = 1 if len(results) > before else broken + 1
            if broken >= _TRIES:
                raise MachineError(
                    f"worker processes died {_TRIES} times in a row, perhaps for want of memory\n"
                    f"  mend: fewer than {workers} workers"
                ) from None
    return [results[position] for position in range(len(items))]


def _until_broken(
    function: Callable[..., Any],
    items: Sequence[Any],
    left: Sequence[int],
    shared: tuple[Any, ...],
    *,
    workers: int,
    results: dict[int, Any],
    on_result: Callable[[int, Any], object] | None,
) -> None:
    """Put the results of items into `results` as they come; the processes are gone in the end, however that comes."""
    from joblib.externals.loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(left)),
        initializer=_begin,
        initargs=(shared, os.getpid()),
        env=dict.fromkeys(worker.THREADS, "1"),
    )
    whole = False
    try:
        work = partial(_work, function, worker.made_of())
        waiting = {pool.submit(work, items[position]): position for position in left}
        while waiting:
            ended = wait(waiting, return_when=FIRST_COMPLETED).done
            # Those that are done count before one that tells of the end of all.
            for future in sorted(ended, key=lambda each: (each.exception() is not None, waiting[each])):
                position = waiting.pop(future)
                results[position] = future.result()
                if on_result is not None:
                    on_result(position, results[position])
        whole = True
    finally:
        pool.shutdown(wait=True, kill_workers=not whole)


def _begin(shared: tuple[Any, ...], asker: int) -> None:
    """Make a fresh process a worker: it leaves Ctrl-C to the process that asked, and ends with it."""
    global _shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shared = shared
    threading.Thread(target=_end_with, args=(asker,), daemon=True).start()


def _end_with(asker: int) -> None:
    while os.getppid() == asker:
        time.sleep(_LOOK)
    os._exit(1)


def _work(function: Callable[..., Any], made: dict[str, str], item: Any) -> Any:
    return worker.done(function, item, _shared, made=made, where="a worker process")
