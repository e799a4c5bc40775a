"""One process that has loaded what kernels need, and forks of it for the reports made in this process.

Each report starts a process that imports the libraries, more than two CPU seconds, and forks its kernels from it
(`forecast.reporting.run.fork`). Here that process is itself a fork of one that has imported them once. All else is as
it is for a user: its socket, its kernels, how it ends. What runs in a process of its own, as the command line, still
imports for itself, and so does `Kernels` inside `not_shared`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from forecast.reporting.run.kernels import Kernels

_LONGEST = 1 << 20
"""Bytes of a question: an environment and a folder."""


class Forked:
    """The process that forks kernels, with what `Kernels` asks of a `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended already
            self._handle = None

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        if self._handle is None:
            return
        if not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("kernels", timeout or 0)
        os.close(self._handle)
        self._handle = None

    def kill(self) -> None:
        """End it."""
        if self._handle is not None:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)


@cache
def _loaded() -> socket.socket:
    """Start the process that loads, and return the socket on which it is asked for forks."""
    ours, theirs = socket.socketpair()
    environment = Kernels().environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), environment.get("PYTHONPATH", "")])
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "loaded"], stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=environment
        )
    return ours


def _start_server(self: Kernels) -> None:
    """Do what `Kernels._start_server` does, by a fork of what is loaded."""
    ours, theirs = socket.socketpair()
    question = json.dumps({"environment": self.environment(), "folder": str(Path.cwd())}).encode()
    asked = _loaded()
    with theirs:
        socket.send_fds(asked, [question + b"\n"], [theirs.fileno()])
        pid = int(asked.recv(64))
    self._server, self._channel, self._answers = Forked(pid), ours, ours.makefile("rb")  # type: ignore[assignment]


@contextmanager
def shared() -> Iterator[None]:
    """Let reports made inside this fork their kernels from what is loaded once."""
    if sys.platform != "linux":  # elsewhere nothing is forked
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernels, "_start_server", _start_server)
        yield


_OWN = Kernels._start_server


@contextmanager
def not_shared() -> Iterator[None]:
    """Let each `Kernels` load for itself, as for a user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernels, "_start_server", _OWN)
        yield


def _serve(asked: socket.socket) -> None:
    """Load, then fork for each question; ends with the process that asks."""
    from forecast.reporting.run.fork import preload

    preload()
    while True:
        text, handed, _, _ = socket.recv_fds(asked, _LONGEST, 1)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # the forks that have ended
                pass
        if not text:
            return
        while not text.endswith(b"\n"):
            text += asked.recv(_LONGEST)
        pid = os.fork()
        if pid == 0:
            asked.close()
            _become(json.loads(text), handed[0])
        os.close(handed[0])
        asked.sendall(b"%d" % pid)


def _become(question: dict[str, object], handle: int) -> None:
    """Turn this fork into the process that forks the kernels of one run; never returns."""
    from forecast.reporting.run.fork import serve

    try:
        os.setsid()
        os.dup2(handle, 0)
        os.environ.clear()
        os.environ.update(question["environment"])  # type: ignore[call-overload]
        os.chdir(str(question["folder"]))
        serve(socket.socket(fileno=handle))
    finally:
        os._exit(0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _serve(socket.socket(fileno=os.dup(0)))
