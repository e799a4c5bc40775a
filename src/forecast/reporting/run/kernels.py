"""Where kernels come from: this very Python, forked from a process that has imported everything, or started anew."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forecast.data.memory import ONE_STORE
from forecast.data.sources.private import Private, make_private
from forecast.errors import MachineError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_PASSWORDS = ("PGPASSWORD", "PGSSLPASSWORD", "FORECAST_DATABASE_PASSWORD")
"""Of databases, which no notebook reads: the run has copied the data."""

_MEMORY = {"MALLOC_MMAP_THRESHOLD_": 1 << 24, "MALLOC_TRIM_THRESHOLD_": 1 << 25, "MALLOC_TOP_PAD_": 1 << 22}
"""Bytes up to which the C library keeps what an array gave back for the next one, instead of asking the system for
fresh pages each time: a sixth of the time of a notebook that draws much."""

_GRAMMAR = "rfc3987_syntax"


@contextmanager
def without_iri_grammar() -> Iterator[None]:
    """Import papermill, nbclient and nbconvert inside this, and they come 1.7 CPU seconds sooner.

    They validate notebooks with jsonschema, which on import compiles a grammar of internationalised addresses when the
    package for it is installed; notebooks do not need that check. Here the package is hidden from it, and jsonschema
    leaves that one format unchecked.
    """
    if _GRAMMAR in sys.modules or "jsonschema" in sys.modules:
        yield
        return
    sys.modules[_GRAMMAR] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(_GRAMMAR, None)


class Kernels:
    """Where kernels come from; leaving the context ends every one of them.

    Parameters
    ----------
    forking : fork kernels from a process that has imported the libraries; by default on Linux only, because
        elsewhere a fork of such a process is not safe. Otherwise each kernel starts by itself.
    """

    def __init__(self, *, forking: bool | None = None) -> None:
        self._forking = sys.platform == "linux" if forking is None else forking
        self._private: Private | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._answers: Any = None
        self._asked = False
        self._walking = False
        self._lock = threading.Lock()
        self._managers: dict[int, Any] = {}
        self.closed = False

    def __enter__(self) -> Kernels:
        try:
            self._private = make_private("forecast-kernels-")
        except OSError as error:
            raise MachineError(f"no temporary folder can be made ({error.strerror}); set TMPDIR") from None
        if self._forking:
            self._start_server()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every kernel at once. May be called from another thread than those that wait for them."""
        self.closed = True
        for manager in list(self._managers.values()):
            with contextlib.suppress(Exception):
                manager.provisioner.process.kill()
        channel, self._channel = self._channel, None
        if channel is not None and self._server is not None:
            if not self._asked or self._walking:  # it is busy, for nothing
                with contextlib.suppress(OSError):
                    os.killpg(self._server.pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
            channel.close()
            try:
                self._server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        if self._private is not None:
            self._private.remove()
            self._private = None

    # -- the process that forks ------------------------------------------------------------------------

    def _start_server(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "forecast.reporting.run.fork"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self.environment(),
                start_new_session=True,
            )
        self._channel, self._answers = ours, ours.makefile("rb")

    def ask(self, question: Mapping[str, Any]) -> Any:
        """Ask the forking process; raises OSError where it is gone."""
        with self._lock:
            return self._answer(question)

    def _answer(self, question: Mapping[str, Any]) -> Any:
        """Return the answer to a question; the lock is held."""
        if self._channel is None:
            raise OSError("the process that forks kernels is gone")
        self._asked = True
        self._channel.sendall(json.dumps(question).encode() + b"\n")
        line = self._answers.readline()
        if not line:
            raise OSError("the process that forks kernels is gone")
        return json.loads(line)

    def walk(self, data: str, as_of: str, *, where: str = "") -> None:
        """Let the forking process read the data and walk through their past, for the kernels that come after.

        Returns at once; a kernel that is asked for meanwhile waits. Nothing is done where kernels start by themselves.
        """
        if self._channel is None or self._private is None:
            return
        self._lock.acquire()  # before anybody asks for a kernel; the thread lets go of it
        self._walking = True
        folder = str(self._private.path)
        question = {"ask": "walk", "data": data, "as_of": as_of, "where": where, "folder": folder}
        threading.Thread(target=self._walk, args=(question,), daemon=True).start()

    def _walk(self, question: Mapping[str, Any]) -> None:
        try:
            with contextlib.suppress(OSError, ValueError):
                self._answer(question)
        finally:
            self._walking = False
            self._lock.release()

    def fork(self, arguments: list[str], env: Mapping[str, str], cwd: str) -> ForkedKernel | None:
        """Fork a kernel, or return None where there is nothing to fork from: it then starts by itself.

        Raises RuntimeError once the run was stopped.
        """
        if self.closed:
            raise RuntimeError("the run was stopped")
        if self._channel is None:
            return None
        try:
            question = {"ask": "fork", "arguments": arguments, "env": dict(env), "cwd": cwd}
            return ForkedKernel(self, self.ask(question))
        except (OSError, ValueError):
            return None

    # -- kernel managers -------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """Return the environment of kernels: one BLAS thread, fixed order of sets, no habits, no password."""
        env = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", *_PASSWORDS)}
        env.update(dict.fromkeys(_THREADS, "1"))
        env.update({name: str(size) for name, size in _MEMORY.items()})
        env.update(ONE_STORE)
        env["PYTHONHASHSEED"] = "0"
        env["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # what forks must have one thread
        if self._private is not None:
            env["IPYTHONDIR"] = str(self._private.path / "ipython")
        env["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        return env

    def register(self, manager: Any) -> Path:
        """Take in a kernel manager, to end its kernel with the others; return the file by which it may connect.

        Raises RuntimeError once the run was stopped.
        """
        if self.closed or self._private is None:
            raise RuntimeError("the run was stopped")
        file = self._private.path / f"kernel-{len(self._managers)}-{threading.get_ident()}.json"
        self._managers[id(manager)] = manager
        return file

    def release(self, manager: Any) -> None:
        """Forget a manager whose kernel has ended."""
        self._managers.pop(id(manager), None)


class ForkedKernel:
    """A forked kernel, with what jupyter_client asks of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, kernels: Kernels, pid: int) -> None:
        self.kernels, self.pid = kernels, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self.returncode is None:
            try:
                self.returncode = self.kernels.ask({"ask": "poll", "pid": self.pid})
            except OSError:
                self.returncode = -9  # it ends with the process that forked it
                with contextlib.suppress(OSError):
                    os.killpg(self.pid, signal.SIGKILL)  # and so does what it started
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end."""
        start = time.perf_counter()
        while (code := self.poll()) is None:
            if timeout is not None and time.perf_counter() - start > timeout:
                raise subprocess.TimeoutExpired("kernel", timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """Signal it."""
        with contextlib.suppress(OSError):
            self.kernels.ask({"ask": "signal", "pid": self.pid, "signal": int(number)})

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(15)

    def kill(self) -> None:
        """End it."""
        self.send_signal(9)
