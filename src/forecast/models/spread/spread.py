"""The same function for many items, wherever there is room: `spread`.

Simple case: one item after the other, in this process. With `workers` processes of this machine take them, with `dask`
the workers of a cluster. Results are those of the simple case, to the bit and in the order of the items: a result
depends on its item alone, and BLAS adds with one thread wherever it runs. What a worker that dies had in hand is
done again by another; an error of the function ends all, as it would in a loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from forecast.errors import ParameterError
from forecast.models.spread.worker import one_thread

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 256
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/:]+(:\d{1,5})|(tcp|tls)://\[[0-9a-fA-F:.]+\]:\d{1,5}")


def spread(
    function: Callable[..., Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    dask: str = "",
    shared: tuple[Any, ...] = (),
    on_result: Callable[[int, Result], object] | None = None,
) -> list[Result]:
    """Return `function(item, *shared)` of every item, in the order of the items.

    Parameters
    ----------
    function : of a module, so that another process finds it; its result depends on its arguments alone.
    workers : processes of this machine; 1 stays in this one. dask : the address of a scheduler, `tcp://HOST:PORT`;
        empty for none. One of the two at most.
    shared : further arguments, the same for every item; they are sent to a worker once.
    on_result : hears the position of an item and its result as soon as it is there, in the order in which they come.

    Raises
    ------
    ParameterError : workers or dask cannot be.
    MachineError : workers die again and again; no scheduler answers, it went away, it has no workers, or these run
        another program. What the function raises ends all, and is raised as it is.

    >>> spread(abs, [-2, 1])
    [2, 1]
    """
    check_places(workers=workers, dask=dask)
    todo = list(items)
    if dask:
        from forecast.models.spread.cluster import on_cluster

        return on_cluster(function, todo, shared, address=dask, on_result=on_result)
    if workers > 1 and len(todo) > 1:
        from forecast.models.spread.processes import Pool

        with Pool(shared, workers=min(workers, len(todo))) as pool:
            return pool.run(function, todo, on_result=on_result)
    results = []
    with one_thread():
        for position, item in enumerate(todo):
            results.append(function(item, *shared))
            if on_result is not None:
                on_result(position, results[-1])
    return results


@contextmanager
def held(items: Sequence[Any], *, workers: int = 1, dask: str = "") -> Iterator[Callable[..., list[Any]]]:
    """Hold items where work is done, and give what asks all of them: `each(function, *arguments)`.

    `each` returns `function(item, *arguments)` of every item, in their order, as often as it is asked; items are sent
    once. On a cluster each is where there is room, so that together they may be more than one machine holds; a process
    of this machine has all of them. The rest as `spread`.
    """
    check_places(workers=workers, dask=dask)
    if dask:
        from forecast.models.spread.cluster import held_there

        with held_there(items, address=dask) as each:
            yield each
    elif workers > 1 and len(items) > 1:
        from forecast.models.spread.processes import Pool

        with Pool(tuple(items), workers=min(workers, len(items))) as pool:

            def asked(function: Callable[..., Any], *arguments: Any) -> list[Any]:
                return pool.run(_of_held, [(position, function, arguments) for position in range(len(items))])

            yield asked
    else:

        def here(function: Callable[..., Any], *arguments: Any) -> list[Any]:
            with one_thread():
                return [function(item, *arguments) for item in items]

        yield here


def _of_held(asked: tuple[int, Callable[..., Any], tuple[Any, ...]], *items: Any) -> Any:
    position, function, arguments = asked
    return function(items[position], *arguments)


def check_places(*, workers: int, dask: str) -> None:
    """Raise ParameterError for places where no work can be done."""
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MOST_WORKERS:
        raise ParameterError(f"workers: {workers!r} is not a whole number from 1 to {MOST_WORKERS}")
    if dask and not _ADDRESS.fullmatch(dask):
        raise ParameterError(f"dask: {dask!r} is not the address of a scheduler, such as tcp://127.0.0.1:8786")
    if dask and workers > 1:
        raise ParameterError("workers and dask exclude each other: a cluster has the workers it has")


def are_several(*, workers: int, dask: str) -> bool:
    """Return whether items are done elsewhere than in this process alone. Raises ParameterError as `spread` does."""
    check_places(workers=workers, dask=dask)
    return workers > 1 or bool(dask)
