"""What a run does when it is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from forecast.errors import MachineError

SIGNALS = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)
"""To end, and that the terminal is gone."""


class Stopped(BaseException):
    """The run has to end; like a signal, nothing that it takes for an error on its way out."""


class TimeUp(Stopped):
    """The time that was set is over."""


class MemoryUp(Stopped):
    """More memory is taken than was allowed."""


@contextmanager
def limited(seconds: float | None, *, of: float | None = None) -> Iterator[None]:
    """End what runs inside after so many seconds, as Ctrl-C would, where the main thread can hear it.

    Raises MachineError then, which names the time of the whole (`of`) where these are what is left of it. None sets no
    limit.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TimeUp(f"it took longer than {of or seconds:g} s and was stopped; the same command continues")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TimeUp as error:
        raise MachineError(str(error)) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what runs inside as Ctrl-C does, with all it would clean up.

    Raises SystemExit inside, with 128 and the signal's number (143, 129); the handlers that were there before are put
    back. A signal that is ignored stays so (`nohup`). Only the main thread can hear; in another one nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    heard = {number: signal.getsignal(number) for number in SIGNALS}
    heard = {number: before for number, before in heard.items() if before not in (signal.SIG_IGN, None)}
    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in heard.items():
            signal.signal(number, before)
