"""A process that has imported everything once and forks a kernel from itself for each notebook (Linux only).

A kernel of its own imports pandas, matplotlib and the rest anew: 2-3 CPU seconds a notebook. Forked, it starts in
a few tenths and shares the memory of what was imported. So it is with the data: they are read once, and the walk
through the company's past on which most tables rest is made once; a notebook that reads the same data finds both there,
and the numbers it would have made itself, to the bit. The process listens on a socket inherited from the run
(descriptor 0), one JSON line a question: `walk`, `fork`, `poll`, `signal`. When the run goes away, however it ends, the
socket closes and every kernel is killed with it; when this process is killed itself, the system kills them.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pickle
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn

_LIBRARIES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.heartbeat",
    "ipykernel.iostream",
    "IPython.core.completer",
    "IPython.core.magics",
    "psutil",
    "IPython.core.pylabtools",
    "pandas",
    "pyarrow.parquet",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "statsmodels.stats.multitest",
    "statsmodels.tsa.seasonal",
)
_ON_DEATH_OF_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_NOT_NEEDED = (
    "forecast.__main__",
    "forecast.cli.",
    "forecast.data.sources.crm.",
    "forecast.data.sources.database.",  # the run has copied what lies in one; its drivers take 20 MB
    "forecast.reporting.run.",
    "forecast.simulation.",
)


def preload() -> None:
    """Import what notebooks import. What cannot be imported is left to the notebook, which then says so."""
    import forecast

    sys.modules["debugpy"] = None  # type: ignore[assignment]  # nobody attaches a debugger to these: .1 s a kernel
    with contextlib.suppress(ImportError):
        importlib.import_module("ipykernel.debugger")
    del sys.modules["debugpy"]
    names = [module.name for module in pkgutil.walk_packages(forecast.__path__, "forecast.") if not module.ispkg]
    for name in (*_LIBRARIES, *(name for name in names if not name.startswith(_NOT_NEEDED))):
        try:
            importlib.import_module(name)
        except Exception:  # the notebook that needs it will tell
            continue
    _give_back()
    gc.freeze()  # so that collecting garbage in a kernel does not copy the shared pages


@contextlib.contextmanager
def ending_with(channel: socket.socket) -> Iterator[None]:
    """End the process at once where the run goes away while what is inside takes its time; one thread is left after."""
    through = threading.Event()

    def watch() -> None:
        while not through.wait(0.2):
            if _is_closed(channel):
                os._exit(0)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        through.set()
        watching.join()


def _is_closed(channel: socket.socket) -> bool:
    """Return whether the other end is gone; questions that it asked before may still wait to be read."""
    gone = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
    waiting = select.poll()
    waiting.register(channel, gone)
    return any(event & gone for _, event in waiting.poll(0))


def _give_back() -> None:
    """Give free memory back to the system, so that kernels do not begin with it."""
    from forecast.data.memory import give_back

    gc.collect()
    give_back()


def serve(channel: socket.socket) -> None:
    """Answer questions until the run goes away, then end every kernel."""
    kernels: dict[int, int | None] = {}
    with channel, channel.makefile("rb") as questions:
        for line in questions:
            question = json.loads(line)
            answer = _answer(question, kernels, channel)
            channel.sendall(json.dumps(answer).encode() + b"\n")
    for pid in kernels:
        if _poll(pid, kernels) is None:
            _signal(pid, signal.SIGKILL)
            kernels[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _answer(question: dict[str, Any], kernels: dict[int, int | None], channel: socket.socket) -> Any:
    if question["ask"] == "fork":
        question["parent"] = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(channel.fileno())
            _become_kernel(question)
        kernels[pid] = None
        return pid
    if question["ask"] == "walk":
        return _walk(question, channel)
    if question["ask"] == "poll":
        return _poll(question["pid"], kernels)
    if kernels.get(question["pid"], 0) is None:
        _signal(question["pid"], question["signal"])
    return None


def _walk(asked: Mapping[str, str], channel: socket.socket) -> bool:
    """Have the data read and their past walked through, for every kernel forked from now on; say whether that was done.

    asked : `data`, `as_of` and `where` as the notebooks have them, and a `folder` for files.

    A process of its own does it and hands over what it made: reading starts threads, and what forks must have one. Its
    arrays come in a file without a name, of which a kernel holds in memory what it reads (`data.mapped`).
    What goes wrong is left to the notebook that reads the data, which then says so.
    """
    from forecast.data.mapped import read_mapped
    from forecast.data.selection.reading import hold

    try:
        file = tempfile.TemporaryFile(dir=asked["folder"])  # noqa: SIM115  (closed below, by both processes)
    except OSError:
        return False
    ours, theirs = os.pipe()
    here = os.getpid()
    pid = os.fork()
    if pid == 0:
        _hand_over(theirs, file, asked, parent=here)
    os.close(theirs)
    with file, ending_with(channel), os.fdopen(ours, "rb") as pipe:  # the walker ends with this process
        try:
            held = read_mapped(pickle.load(pipe), file)
        except (EOFError, pickle.UnpicklingError, OSError, ValueError):
            held = None
    _, status = os.waitpid(pid, 0)
    if held is None or status != 0:
        return False
    hold(held)
    _give_back()
    gc.freeze()
    return True


def _hand_over(pipe: int, file: IO[bytes], asked: Mapping[str, str], *, parent: int) -> NoReturn:
    """Read and walk, write what was made to a file and a pipe, and end."""
    from forecast.data.known.snapshot import snapshot
    from forecast.data.mapped import write_mapped
    from forecast.data.selection.reading import read_to_hold
    from forecast.reporting.month.tables import keep_for_others

    status = 1
    try:
        _end_with_parent(parent)
        held = read_to_hold(asked["data"], where=asked["where"])
        keep_for_others(held.log, snapshot(held.log, as_of=asked["as_of"]))
        with os.fdopen(pipe, "wb") as out:
            pickle.dump(write_mapped(held, file), out, protocol=pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)


def _poll(pid: int, kernels: dict[int, int | None]) -> int | None:
    if pid in kernels and kernels[pid] is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            kernels[pid] = os.waitstatus_to_exitcode(status)
    return kernels.get(pid, 1)


def _signal(pid: int, number: int) -> None:
    """Signal a kernel and what it started: its process group, or itself where it has not made one yet."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _end_with_parent(parent: int) -> None:
    """Let the system end this process when the one that forked it does, however that comes."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_ON_DEATH_OF_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before that was said
        os._exit(1)


def _become_kernel(question: dict[str, Any]) -> None:
    """Turn this fresh fork into an IPython kernel; never returns."""
    status = 1
    try:
        _end_with_parent(question["parent"])
        os.setsid()
        empty = os.open(os.devnull, os.O_RDWR)
        os.dup2(empty, 0)
        os.environ.clear()
        os.environ.update(question["env"])
        os.environ["JPY_PARENT_PID"] = str(os.getppid())
        os.chdir(question["cwd"])
        sys.argv = ["ipykernel_launcher", *question["arguments"]]
        sys.path.insert(0, "")
        from ipykernel.kernelapp import IPKernelApp

        from forecast.reporting.run.outputs import limit_at_source

        limit_at_source()
        app = IPKernelApp.instance()
        app.initialize(question["arguments"])
        app.start()
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _channel = socket.socket(fileno=os.dup(0))
    with ending_with(_channel):
        preload()
    serve(_channel)
