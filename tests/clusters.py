"""A Dask cluster of our own: a scheduler and two worker processes on loopback, gone in the end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

WORKER = "import sys; from distributed.cli.dask_worker import main; sys.argv[0] = 'dask-worker'; main()"
SCHEDULER = "import sys; from distributed.cli.dask_scheduler import main; sys.argv[0] = 'dask-scheduler'; main()"


@dataclass(kw_only=True)
class Cluster:
    """A running cluster: the address of its scheduler, and its processes."""

    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start one more worker, of one thread and without a nanny: what kills it kills it for good."""
        command = [self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
        command += ["--local-directory", str(self.folder)]
        self.workers.append(_start(WORKER, command, self.folder, f"worker-{len(self.workers)}", **environment))
        return self.workers[-1]

    def wait(self, workers: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)


@contextmanager
def running(workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler and workers; all of them are killed in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="dask-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        command = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        scheduler = _start(SCHEDULER, command, folder, "scheduler")
        cluster = Cluster(address=f"tcp://127.0.0.1:{port}", folder=folder, scheduler=scheduler)
        try:
            _listening(port, scheduler)
            for _ in range(workers):
                cluster.add_worker()
            if workers:
                cluster.wait(workers)
            yield cluster
        finally:
            for process in (*cluster.workers, scheduler):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _start(code: str, command: list[str], folder: Path, name: str, **environment: str) -> subprocess.Popen[bytes]:
    tests = str(Path(__file__).parent)
    paths = [tests, str(Path(tests).parent / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def _listening(port: int, scheduler: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert scheduler.poll() is None, "the scheduler did not start"
        assert time.monotonic() < deadline
        time.sleep(0.05)
