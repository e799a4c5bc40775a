"""Messages that cannot be written are dropped: the exit code says what became of the work, not of the log.

Simple case: somebody reads them. A log may be full (`2>/dev/full`), closed (`2>&-`) or read by a program that has had
enough (`| head -1`); none of these is a reason to end a run. Of a command whose result is what it prints, a result that
was lost is a failure of the machine.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

PRINTING = ("check", "clean", "compare", "params", "replay", "runs", "verify")
"""Commands whose result is what they print."""


class _Dropping(io.RawIOBase):
    """A file descriptor whose writes always succeed; `lost` is why one did not, else None."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lost: OSError | None = None

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.descriptor

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self.descriptor)

    def write(self, data: Any) -> int:
        """Write what can be written."""
        try:
            return os.write(self.descriptor, data)
        except OSError as error:
            self.lost = error
            return len(data)


@contextmanager
def forgiving() -> Iterator[_Dropping]:
    """Let messages be dropped that cannot be written, and give standard output, which knows what was lost.

    Streams that somebody else has put in the place of the system's are left as they are.
    """
    for descriptor in range(3):  # a closed one would be taken by the next file that is opened
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            continue
        os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    out, error = _Dropping(1), _Dropping(2)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(out, sys.__stdout__, line_buffering=out.isatty())
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(error, sys.__stderr__, line_buffering=True)
    try:
        yield out
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def lost_result(out: _Dropping, arguments: list[str]) -> str:
    """Return why the result of a command could not be printed; empty where it could, or nobody reads on."""
    sys.stdout.flush()
    command = next((each for each in arguments if not each.startswith("-")), "")
    if out.lost is None or out.lost.errno == errno.EPIPE or command not in PRINTING:
        return ""
    return f"the result cannot be printed ({out.lost.strerror})"


def _text(raw: _Dropping, original: TextIO | None, *, line_buffering: bool) -> TextIO:
    encoding, errors = ("utf-8", "backslashreplace") if original is None else (original.encoding, original.errors)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=line_buffering)
