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


class Pool:
    """Processes that share arguments; leaving the context ends them.

    shared : the arguments that follow the item, the same for all. workers : how many processes.
    """

    def __init__(self, shared: tuple[Any, ...], *, workers: int) -> None:
        self.shared, self.workers = shared, workers
        self._executor: Any = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._end(kill=failed is not None)

    def run(
        self,
        function: Callable[..., Any],
        items: Sequence[Any],
        *,
        on_result: Callable[[int, Any], object] | None = None,
    ) -> list[Any]:
        """Return the results in the order of the items; see `spread`. Raises MachineError, what the function does."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        results: dict[int, Any] = {}
        broken = 0
        while len(results) < len(items):
            before = len(results)
            try:
                self._until_broken(function, items, results, on_result)
            except BrokenProcessPool:
                self._end(kill=True)
                broken = 1 if len(results) > before else broken + 1
                if broken >= _TRIES:
                    raise MachineError(
                        f"worker processes died {_TRIES} times in a row, perhaps for want of memory\n"
                        f"  mend: fewer than {self.workers} workers"
                    ) from None
        return [results[position] for position in range(len(items))]

    def _until_broken(
        self,
        function: Callable[..., Any],
        items: Sequence[Any],
        results: dict[int, Any],
        on_result: Callable[[int, Any], object] | None,
    ) -> None:
        """Put the results that are not there yet into `results`, as they come."""
        pool = self._begun()
        work = partial(_work, function, worker.made_of())
        left = [position for position in range(len(items)) if position not in results]
        waiting = {pool.submit(work, items[position]): position for position in left}
        while waiting:
            ended = wait(waiting, return_when=FIRST_COMPLETED).done
            # Those that are done count before one that tells of the end of all.
            for future in sorted(ended, key=lambda each: (each.exception() is not None, waiting[each])):
                position = waiting.pop(future)
                results[position] = future.result()
                if on_result is not None:
                    on_result(position, results[position])

    def _begun(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=self.workers,
                initializer=_begin,
                initargs=(self.shared, os.getpid()),
                env=dict.fromkeys(worker.THREADS, "1"),
            )
        return self._executor

    def _end(self, *, kill: bool) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=kill)


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
