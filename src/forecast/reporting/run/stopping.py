"""What a run does when it is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)
"""To end, and that the terminal is gone."""


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
