"""The workers of a Dask cluster, reached by the address of its scheduler.

Simple case: the scheduler gives each worker the next item until there is none, and what one that dies had in hand to
another. What nobody would wait for is noticed here: a scheduler that does not answer, one that went away,
a cluster without workers. Then nothing is kept of what was done, and nothing hangs.

What is sent: the function by its name, the items, and once the arguments they share. Workers need this program
(`worker.made_of`), and neither the files of this machine nor a disk in common.
"""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from forecast.errors import MachineError
from forecast.models.spread import worker

CONNECT_SECONDS = 10.0
"""So long a scheduler may take to answer."""
WITHOUT_WORKERS_SECONDS = 30.0
"""So long a cluster may be without workers: one that was killed is started again by its nanny within a few seconds."""
_TALKERS = ("distributed", "tornado", "asyncio")
"""The loggers, with all below them, of a client and of the loop it runs in."""
_LOOK = 1.0
"""Seconds without a result after which we look whether anybody works."""


def on_cluster(
    function: Callable[..., Any],
    items: Sequence[Any],
    shared: tuple[Any, ...],
    *,
    address: str,
    on_result: Callable[[int, Any], object] | None,
) -> list[Any]:
    """Return the results in the order of the items; arguments as `spread`. Raises MachineError, and what it raises."""
    with _connected(address) as crew:
        # Kept by the scheduler: a worker that comes later, or has lost it, gets it again.
        kept = crew.client.submit(_held, shared, pure=False, retries=3)
        return crew.asked(function, items, kept, on_result=on_result)


@contextmanager
def held_there(items: Sequence[Any], *, address: str) -> Iterator[Callable[..., list[Any]]]:
    """Hold items on the workers, and give what asks all of them; see `held`."""
    with _connected(address) as crew:
        kept = [crew.client.submit(_held, item, pure=False, retries=3) for item in items]

        def each(function: Callable[..., Any], *arguments: Any) -> list[Any]:
            return crew.asked(function, kept, arguments)

        yield each


def _held(what: Any) -> Any:
    return what


def _work(function: Callable[..., Any], item: Any, shared: tuple[Any, ...], made: dict[str, str]) -> Any:
    """Return the result of an item, or what the function raised, which is no error of the cluster."""
    from distributed import get_worker

    try:
        return worker.done(function, item, shared, made=made, where=f"the Dask worker {get_worker().address}")
    except Exception as error:
        return _Raised(error)


class _Raised(Exception):
    """What the function raised on a worker."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _gathered(futures: Sequence[Any], crew: _Crew, *, on_result: Callable[[int, Any], object] | None) -> list[Any]:
    """Return the results of futures in their order; each is told of as it comes."""
    from distributed import wait

    places = {future.key: position for position, future in enumerate(futures)}
    results: dict[int, Any] = {}
    waiting = set(futures)
    while waiting:
        try:
            ended = wait(waiting, timeout=_LOOK, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            crew.look()
            continue
        crew.seen()
        for future in sorted(ended, key=lambda each: places[each.key]):
            position = places[future.key]
            results[position] = _result(future, crew)
            if isinstance(results[position], _Raised):
                raise results[position]
            waiting.discard(future)
            if on_result is not None:
                on_result(position, results[position])
    return [results[position] for position in range(len(futures))]


def _result(future: Any, crew: _Crew) -> Any:
    """Return the result of a future that has ended; where its worker died since, it is made once more."""
    from distributed.scheduler import KilledWorker

    while True:
        try:
            return future.result(timeout=_LOOK)
        except TimeoutError:
            crew.look()
        except KilledWorker:
            raise MachineError(
                f"{crew.address}: workers died again and again over one piece of work, perhaps for want of memory"
            ) from None


class _Crew:
    """Who works: looked at where results keep one waiting."""

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address
        self._last_seen: float | None = None

    def asked(
        self,
        function: Callable[..., Any],
        items: Sequence[Any],
        shared: Any,
        *,
        on_result: Callable[[int, Any], object] | None = None,
    ) -> list[Any]:
        """Return the results of items; items and what is shared may be kept by the scheduler."""
        made = worker.made_of()
        futures = [self.client.submit(_work, function, item, shared, made, pure=False) for item in items]
        try:
            return _gathered(futures, self, on_result=on_result)
        finally:
            with contextlib.suppress(Exception):
                self.client.cancel(futures, force=True)

    def seen(self) -> None:
        """Note that somebody works."""
        self._last_seen = time.monotonic()

    def look(self) -> None:
        """Raise MachineError where there has been nobody for too long, at the first look at once; or no scheduler."""
        there = self.client.sync(self.client.scheduler.ncores, workers=None, callback_timeout=CONNECT_SECONDS)
        if there:
            self.seen()
        elif self._last_seen is None or time.monotonic() - self._last_seen > WITHOUT_WORKERS_SECONDS:
            raise MachineError(
                f"{self.address}: this cluster has no workers\n  mend: start some: dask worker {self.address}"
            )


@contextmanager
def _connected(address: str) -> Iterator[_Crew]:
    """Connect to a cluster that has workers; what goes wrong is an error in words, or what the function raised."""
    try:
        with _client(address) as client, _scheduler_lost(address), client.as_current():
            crew = _Crew(client, address)
            crew.look()  # a cluster without workers is told at once, not after the first item
            yield crew
    except _Raised as raised:
        raise raised.error from None


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to a scheduler, quietly, and leave it in the end. Raises MachineError where none answers."""
    try:
        from distributed import Client
    except ImportError:
        raise MachineError(
            "a Dask cluster needs the packages dask and distributed, which are not installed\n"
            "  mend: pip install 'forecast[dask]', or give --workers"
        ) from None
    client, levels = None, _quiet()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions and sizes: what matters of them is told by `worker.done`
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="forecast")
            yield client
    except OSError as error:
        if client is not None:
            raise
        raise MachineError(
            f"{address}: no Dask scheduler answers there within {CONNECT_SECONDS:g} s\n"
            f"  mend: start one (dask scheduler), or give --workers ({type(error).__name__})"
        ) from None
    finally:
        if client is not None:
            with contextlib.suppress(Exception):
                client.close(timeout=2)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _quiet() -> dict[str, int]:
    """Let the client and its loop say nothing: what matters is told in words here. Returns the levels there were.

    Dask gives its loggers levels one by one, so that the parent's would not do.
    """
    names = [name for name in (*logging.root.manager.loggerDict, *_TALKERS) if name.split(".")[0] in _TALKERS]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return levels


@contextmanager
def _scheduler_lost(address: str) -> Iterator[None]:
    """Turn what a client says of a scheduler that went away into a MachineError."""
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CommClosedError, CancelledError, FutureCancelledError, TimeoutError, ConnectionError) as error:
        raise MachineError(
            f"{address}: the Dask scheduler went away before the work was done ({type(error).__name__})\n"
            "  mend: start it again, and run the same command again"
        ) from None
