"""`--memory-limit`: what a command takes is asked before it runs and watched while it does.

Simple case: the data fit, and nothing is noticed. Where a look at the files says that they cannot, the command ends
before it reads them. Where the command and all that it started take more than the limit after all, it ends as by
Ctrl-C, with everything that it would clean up; one that does not hear it is ended after some seconds with its
processes, and the next run sweeps up. Either way the exit code is 4, and no result is written.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from forecast.data import memory
from forecast.errors import ForecastError, MachineError
from forecast.reporting.run.stopping import MemoryUp

OPTION = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        metavar="SIZE",
        help="Most memory that the command and all it starts may take, such as 4GB; one that needs more ends with 4.",
    ),
]
_PAUSE = 0.05
"""Seconds between two looks."""
_GRACE = 5.0
"""Seconds that a command has to end by itself."""


def limited(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command of the command line with the option `--memory-limit`; it has a parameter `data`."""

    @functools.wraps(command)
    def _run(*, memory_limit: str | None = None, **given: Any) -> None:
        size = memory.limit() if memory_limit is None else memory.size_of(memory_limit)
        with kept(size):
            if size is not None:
                _check_fits(given["data"], command.__name__, size)
            command(**given)

    own = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("memory_limit", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=OPTION)
    _run.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    _run.__annotations__ = {name: one.annotation for name, one in own.parameters.items()} | {"memory_limit": OPTION}
    return _run


def _check_fits(data: str, command: str, size: int) -> None:
    """Raise MachineError where the data are too large for a command to run on within the limit."""
    from forecast.data.sources.files import locate
    from forecast.data.sources.read import database_of
    from forecast.data.sources.tables.size import needed, rows_in

    try:
        place = None if database_of(data) is not None else locate(data)
    except ForecastError:  # whoever reads it will say
        return
    if place is None or not place.is_dir():
        return
    rows = rows_in(place)
    wanted = needed(rows, command)
    if wanted > size:
        raise MachineError(
            f"{rows.in_words()} take about {memory.in_words(wanted)}, and --memory-limit is {memory.in_words(size)}: "
            "nothing was run\n  mend: allow more, or use a machine with more (docs/scale.md says what takes how much)"
        )


@contextmanager
def kept(size: int | None) -> Iterator[None]:
    """Hold what runs inside, and all that it starts, to a limit in bytes; None sets none.

    Raises MachineError where more was taken. Only the main thread can hear that; in another one nothing is watched.
    """
    if size is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise MemoryUp(_message(size))

    through = threading.Event()
    before, variable = signal.signal(signal.SIGUSR1, stop), os.environ.get(memory.VARIABLE)
    os.environ[memory.VARIABLE] = str(size)
    watching = threading.Thread(target=_watch, args=(size, threading.get_ident(), through), daemon=True)
    watching.start()
    try:
        try:
            yield
        finally:
            through.set()
            watching.join()
    except MemoryUp as error:
        raise MachineError(str(error)) from None
    finally:
        signal.signal(signal.SIGUSR1, before)
        if variable is None:
            os.environ.pop(memory.VARIABLE, None)
        else:
            os.environ[memory.VARIABLE] = variable


def _watch(size: int, main: int, through: threading.Event) -> None:
    told = 0.0
    while not through.wait(_PAUSE):
        if memory.used(most=size) <= size:
            continue
        if not told:
            told = time.monotonic()
            signal.pthread_kill(main, signal.SIGUSR1)
        elif time.monotonic() - told > _GRACE:
            _end(size)


def _end(size: int) -> None:
    """End this process and all below it at once."""
    try:
        print(f"error: {_message(size)}", file=sys.stderr, flush=True)
    finally:
        memory.end_below(os.getpid())
        os._exit(MachineError.exit_code)


def _message(size: int) -> str:
    return (
        f"more than the {memory.in_words(size)} of --memory-limit were needed: stopped, and no result was written\n"
        "  mend: allow more; a report takes less with --jobs 1; docs/scale.md says what takes how much"
    )
