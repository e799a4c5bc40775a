"""Running a notebook: papermill, with kernels that are this very Python, whatever kernels are installed.

papermill injects the parameters and returns the executed notebook; its engine is replaced by one that takes its kernel
from `Kernels`, reports each cell, notices a kernel that died or a cell that takes too long, and measures memory.
Importing papermill takes a second: import this module only when a notebook is to run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.reporting.run import outputs
from forecast.reporting.run.kernels import Kernels, without_iri_grammar

with without_iri_grammar():
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.launcher import launch_kernel
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from nbformat.v4 import new_output
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, papermill_engines
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook
    from traitlets import Any as AnyTrait

_ENGINE = "forecast"
_START_SECONDS = 120
_SOCKET_PATH = 90  # the longest path of a Unix socket is 104-108 bytes; leave room for the suffix
_OUTPUTS = ("stream", "display_data", "execute_result", "update_display_data")
_INJECTED = "injected-parameters"
_STARTING = threading.Lock()
"""Kernels start one after the other: traitlets resolves the classes a kernel is made of at their first use, and two
threads that do so at once can each find what the other has half done ("import_item accepts strings")."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a notebook failed.

    `kind` is `cell`, `kernel` or `machine`; `cell` its number (1 = first of the notebook's file; None = before any).
    `lost` : its kernel died or did not start, which may not happen again.
    """

    kind: str
    message: str
    cell: int | None
    source: str = ""
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What came of running a notebook: the notebook as far as it came, seconds, peak memory in MB, and the failure."""

    notebook: Any
    seconds: float
    peak_mb: float | None = None
    failure: Failure | None = None


def run_notebook(
    path: Path,
    parameters: Mapping[str, Any],
    *,
    kernels: Kernels,
    on_cell: Callable[[int, int], None] | None = None,
    cell_seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Execution:
    """Run one notebook by papermill and return what came of it; a failing notebook is no exception here.

    `on_cell` hears the number of each cell that starts and how many there are; a cell that takes longer than
    `cell_seconds` fails. `environment` : variables that its kernel has beyond those of all. Several notebooks may run
    at once, each in a thread of its own.
    """
    watch = Watch(kernels=kernels, on_cell=on_cell, cell_seconds=cell_seconds)
    watch.environment.update(environment or {})
    start = time.perf_counter()
    failure: Failure | None = None
    try:
        execute_notebook(
            str(path).replace("{", "{{").replace("}", "}}"),
            None,  # the run writes it when it is whole, not cell by cell
            parameters=dict(parameters),
            engine_name=_ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            watch=watch,
        )
        failure = watch.unfinished()
    except PapermillExecutionError as error:
        message = f"{error.ename}: {error.evalue}".rstrip(": ")
        failure = Failure(kind="cell", message=message, cell=watch.cell_of(error.cell_index), source=error.source)
    except _Exited:
        failure = Failure(kind="kernel", message=outputs.EXITED, cell=watch.cell_of(watch.current), source=watch.source)
    except Exception as error:  # whatever went wrong, the run must go on to say so and end its kernels
        machine = isinstance(error, OSError) and not isinstance(error, TimeoutError) and not kernels.closed
        message = str(error) if machine else watch.explain(error)
        kind, cell = "machine" if machine else "kernel", watch.cell_of(watch.current)
        failure = Failure(kind=kind, message=message, cell=cell, source=watch.source, lost=watch.lost)
    seconds = time.perf_counter() - start
    return Execution(notebook=watch.notebook, seconds=seconds, peak_mb=watch.peak_mb, failure=failure)


class _Exited(Exception):
    """A cell asked its kernel to end."""


class Provisioner(LocalProvisioner):
    """Starts the kernel by a fork where that is offered, else as a process of its own."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start it."""
        cwd = kwargs.get("cwd") or str(Path.cwd())
        arguments = cmd[cmd.index("-f") :]
        parent: Any = self.parent
        forked = parent.kernels.fork(arguments, kwargs["env"], cwd)
        if forked is None:
            self.process = launch_kernel(cmd, **self._scrub_kwargs(kwargs))
            if parent.kernels.closed:  # stopped in the meantime
                self.process.kill()
        else:
            self.process = forked
        self.pid = self.process.pid
        self.pgid = os.getpgid(self.pid) if forked is None else None
        self.cwd = cwd
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the end, looking more often than the base class: it is killed, and ends at once."""
        process, self.process = self.process, None
        return process.wait(timeout=10) if process else 0


class Manager(AsyncKernelManager):
    """A kernel manager that knows where its kernel comes from."""

    kernels = AnyTrait()

    async def _async_pre_start_kernel(self, **kw: Any) -> Any:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or os.urandom(8).hex()
            self.provisioner = Provisioner(kernel_id=self.kernel_id, kernel_spec=self._kernel_spec, parent=self)
        return await super()._async_pre_start_kernel(**kw)


def _manager(kernels: Kernels) -> Manager:
    """Return a kernel manager whose kernel is this Python, talking through files that only this user may open."""
    manager = Manager()
    manager.kernels = kernels
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "forecast.reporting.run.outputs", "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
    )
    file = kernels.register(manager)
    manager.connection_file = str(file)
    if len(str(file)) < _SOCKET_PATH:
        manager.transport = "ipc"
        manager.ip = str(file.with_suffix(""))
    return manager


class Watch:
    """What is seen of one notebook while it runs: the cell it has reached, its peak memory, how its kernel ended."""

    def __init__(
        self, *, kernels: Kernels, on_cell: Callable[[int, int], None] | None, cell_seconds: float | None
    ) -> None:
        self.kernels, self.on_cell, self.cell_seconds = kernels, on_cell, cell_seconds
        self.environment = kernels.environment()
        self.notebook: Any = None
        self.current: int | None = None
        self.peak_mb: float | None = None
        self.exit_code: int | None = None
        self.lost = False
        self._starting = False

    @property
    def source(self) -> str:
        """The source of the cell that ran last."""
        return "" if self.current is None else str(self.notebook.cells[self.current].source)

    def cell_of(self, index: int | None) -> int | None:
        """Return the number, from 1, that a cell has in the notebook's file: injected cells do not count."""
        if index is None or self.notebook is None:
            return None
        cells = self.notebook.cells[: index + 1]
        return max(1, sum(_INJECTED not in cell.metadata.get("tags", []) for cell in cells))

    def unfinished(self) -> Failure | None:
        """Return the failure of a notebook that ended before its last cell without an error of its own."""
        ended = outputs.unfinished(self.notebook)
        if ended is None:
            return None
        source = str(self.notebook.cells[ended[0]].source)
        return Failure(kind="cell", message=ended[1], cell=self.cell_of(ended[0]), source=source)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Hold back other notebooks until the first cell of this one starts, or it has failed before."""
        _STARTING.acquire()
        self._starting = True
        try:
            yield
        finally:
            self._is_up()

    def _is_up(self) -> None:
        if self._starting:
            self._starting = False
            _STARTING.release()

    def started(self, index: int) -> None:
        """Note that a cell starts."""
        self._is_up()
        self.current = index
        if self.on_cell is not None:
            self.on_cell(self.cell_of(index) or 1, self.cell_of(len(self.notebook.cells) - 1) or 1)

    def executed(self, reply: Mapping[str, Any]) -> None:
        """Hear how a kernel answered a cell. Raises _Exited where the cell asked it to end."""
        if outputs.exits(reply.get("content", {})):
            raise _Exited

    def explain(self, error: Exception) -> str:
        """Say what an exception of the client means."""
        if self.kernels.closed:
            return "the run was stopped"
        if isinstance(error, CellTimeoutError):
            return f"the cell took longer than {self.cell_seconds:g} s and was stopped"
        if isinstance(error, DeadKernelError) or "died" in str(error):
            self.lost = True
            memory = ", perhaps for want of memory" if self.exit_code == -9 else ""
            code = f" (exit code {self.exit_code}{memory})" if self.exit_code is not None else ""
            return f"its kernel died{code}"
        if self.current is None and isinstance(error, RuntimeError):
            self.lost = True
            return f"its kernel did not start ({error})"  # which says how long was waited, where it was that
        return f"{type(error).__name__}: {error}"


class Client(PapermillNotebookClient):
    """papermill's client, which keeps of the outputs of a cell what a page can bear."""

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Take in a message of the kernel."""
        if msg["msg_type"] not in _OUTPUTS:
            return super().process_message(msg, cell, cell_index)
        room = self.__dict__.setdefault("rooms", {}).setdefault(cell_index, outputs.Room())
        kept, said = room.admit(msg)
        output = super().process_message(msg, cell, cell_index) if kept else None
        if said:
            cell.outputs.append(new_output("stream", name="stdout", text=said))
        return output


def _execute(cls: type[Engine], nb_man: Any, kernel_name: str, *, watch: Watch, **_: Any) -> None:  # noqa: ARG001
    """Execute the notebook that papermill prepared; kernels are this Python, whatever the notebook names."""
    watch.notebook = nb_man.nb
    with watch.starting():
        manager = _manager(watch.kernels)
        client = Client(
            nb_man,
            km=manager,
            timeout=None if watch.cell_seconds is None else max(1, round(watch.cell_seconds)),
            startup_timeout=_START_SECONDS,
            iopub_timeout=60,  # the default of 4 s is missed on a busy machine
            raise_on_iopub_timeout=True,
            record_timing=False,
            shutdown_kernel="immediate",
            ipython_hist_file=":memory:",
            on_cell_start=lambda cell, cell_index: watch.started(cell_index),  # noqa: ARG005
            on_cell_executed=lambda cell, cell_index, execute_reply: watch.executed(execute_reply),  # noqa: ARG005
        )
        try:
            client.execute(env=watch.environment)
        finally:
            _measure(manager, watch)
            with contextlib.suppress(Exception):
                client._cleanup_kernel()
            watch.kernels.release(manager)


class ForecastEngine(Engine):
    """papermill's engine: one notebook in one kernel from `Kernels`, which ends with it."""

    execute_managed_notebook = classmethod(_execute)  # what else papermill passes to engines is of no use here


def _measure(manager: Any, watch: Watch) -> None:
    """Note the kernel's peak memory, or how it ended."""
    process = getattr(manager.provisioner, "process", None)
    if process is None:
        return
    watch.exit_code = process.poll()
    with contextlib.suppress(OSError, ValueError):
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        lines = [line for line in status.splitlines() if line.startswith("VmHWM")]  # none where it has ended
        watch.peak_mb = int(lines[0].split()[1]) / 1024 if lines else None


papermill_engines.register(_ENGINE, ForecastEngine)
# Its own reading of parameter cells stumbles over comments and warns of it; `parameters` has checked them already.
logging.getLogger("papermill").setLevel(logging.ERROR)
# Of a cell that is stopped while it prints, nbclient leaves a task behind, which ends with an error nobody asks for.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
