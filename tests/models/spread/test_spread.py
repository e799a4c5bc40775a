"""The same results wherever work is done; what dies costs time, or is an error in words."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import pieces_of_work as work
from clusters import Cluster, running
from forecast.errors import DataError, ForecastError, MachineError, NotebookError, ParameterError
from forecast.models.spread import cluster as on_dask
from forecast.models.spread import worker
from forecast.models.spread.spread import spread


@pytest.fixture(scope="module")
def cluster():
    with running() as found:
        yield found


@pytest.fixture(params=["here", "processes", "dask"])
def places(request: pytest.FixtureRequest) -> dict[str, object]:
    if request.param == "dask":
        return {"dask": request.getfixturevalue("cluster").address}
    return {"workers": 2 if request.param == "processes" else 1}


@pytest.mark.slow
def test_results_are_those_of_a_loop_to_the_bit_and_in_order(places: dict):
    loop = [work.product(seed, 40) for seed in range(7)]
    heard: dict[int, np.ndarray] = {}
    found = spread(work.product, range(7), shared=(40,), on_result=heard.__setitem__, **places)
    assert all(np.array_equal(one, other) for one, other in zip(found, loop, strict=True))
    assert sorted(heard) == list(range(7))
    assert all(np.array_equal(heard[position], loop[position]) for position in heard)
    assert spread(work.product, [], shared=(40,), **places) == []


@pytest.mark.slow
def test_work_is_done_by_two_processes_of_one_thread(places: dict):
    found = spread(work.where, range(6), **places)
    processes = {process for _, process, _ in found}
    if places == {"workers": 1}:
        assert processes == {os.getpid()}
        return
    assert os.getpid() not in processes
    assert len(processes) == 2
    assert {threads for *_, threads in found} == {"1"}


@pytest.mark.slow
def test_what_the_function_raises_is_raised_as_it_is(places: dict):
    with pytest.raises(NotebookError, match="10_segment, cell 3: it failed") as told:
        spread(work.refuses, [1, 2, 3], **places)
    assert (told.value.exit_code, told.value.transient, told.value.cell) == (3, "kernel", 3)
    with pytest.raises(DataError) as wrong:
        spread(work.refuses, [4, 5], **places)
    assert wrong.value.problem.rows == ("4",)
    with pytest.raises(TimeoutError, match="of its own"):
        spread(work.refuses, [6, 7], **places)


@pytest.mark.slow
@pytest.mark.faults
def test_a_worker_that_is_killed_costs_time_only(tmp_path: Path):
    assert spread(work.dies_once, range(8), workers=2, shared=(tmp_path,)) == [item**2 for item in range(8)]
    assert (tmp_path / "killed").is_file()


@pytest.mark.slow
@pytest.mark.faults
def test_a_dask_worker_that_is_killed_costs_time_only(tmp_path: Path):
    with running() as cluster:
        found = spread(work.dies_once, range(8), dask=cluster.address, shared=(tmp_path,))
        assert found == [item**2 for item in range(8)]
        assert sum(process.poll() is not None for process in cluster.workers) == 1


@pytest.mark.slow
@pytest.mark.faults
def test_workers_that_always_die_are_an_error_in_words():
    with pytest.raises(MachineError, match=r"died 3 times in a row.*\n.*fewer than 2 workers"):
        spread(work.always_dies, [1, 2], workers=2)


@pytest.mark.slow
@pytest.mark.faults
def test_a_scheduler_that_is_killed_is_an_error_in_words_and_no_hang(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with running() as cluster:
        threading.Thread(target=_kill_once_begun, args=(cluster, tmp_path), daemon=True).start()
        start = time.monotonic()
        with pytest.raises(MachineError, match="the Dask scheduler went away before the work was done") as lost:
            spread(work.slow, range(4), dask=cluster.address, shared=(tmp_path, 3.0))
        assert time.monotonic() - start < 25
        assert lost.value.exit_code == 4
    assert "Traceback" not in capfd.readouterr().err
    assert logging.getLogger("distributed.client").level != logging.CRITICAL + 1  # it may talk to others again


def _kill_once_begun(cluster: Cluster, folder: Path) -> None:
    while not list(folder.glob("*.pid")):
        time.sleep(0.05)
    cluster.scheduler.kill()


@pytest.mark.slow
@pytest.mark.faults
def test_workers_that_are_all_gone_are_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(on_dask, "WITHOUT_WORKERS_SECONDS", 2.0)
    with running(workers=1) as cluster:

        def kill() -> None:
            while not list(tmp_path.glob("*.pid")):
                time.sleep(0.05)
            cluster.workers[0].kill()

        threading.Thread(target=kill, daemon=True).start()
        with pytest.raises(MachineError, match="this cluster has no workers"):
            spread(work.slow, range(4), dask=cluster.address, shared=(tmp_path, 3.0))
        with pytest.raises(MachineError, match=r"no workers\n  mend: start some: dask worker tcp://"):
            spread(abs, [1], dask=cluster.address)


def test_no_scheduler_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(on_dask, "CONNECT_SECONDS", 0.5)
    with pytest.raises(MachineError, match="no Dask scheduler answers there within") as told:
        spread(abs, [1], dask="tcp://127.0.0.1:9")
    assert told.value.exit_code == 4


def test_another_program_is_refused():
    made = worker.made_of()
    assert worker.done(abs, -3, (), made=made, where="it") == 3
    other = {**made, "numpy": "1.0", "forecast": "0"}
    with pytest.raises(MachineError, match=r"it runs another program .*the code of forecast; numpy .* there, 1.0 here"):
        worker.done(abs, -3, (), made=other, where="it")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"workers": 0}, "workers: 0 is not a whole number from 1 to 256"),
        ({"workers": True}, "workers: True"),
        ({"workers": 2.0}, "workers: 2.0"),
        ({"dask": "localhost:8786"}, "dask: 'localhost:8786' is not the address of a scheduler"),
        ({"dask": "http://127.0.0.1:80"}, "is not the address of a scheduler"),
        ({"workers": 2, "dask": "tcp://127.0.0.1:1"}, "exclude each other"),
    ],
)
def test_places_that_cannot_be_are_refused(asked: dict, message: str):
    with pytest.raises(ParameterError, match=message):
        spread(abs, [1], **asked)


def test_errors_pass_between_processes_as_they_are():
    import pickle

    for error in (
        NotebookError("x", notebook="n", cell=2, transient="kernel"),
        DataError("what", table="t", rows=[1]),
        MachineError("disk", transient="database"),
        ParameterError("p"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert isinstance(again, ForecastError)
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


SCRIPT = """
import sys, pieces_of_work as work
from pathlib import Path
from forecast.models.spread.spread import spread
from forecast.reporting.run.stopping import terminable
with terminable():
    spread(work.slow, range(4), workers=2, shared=(Path(sys.argv[1]), 60.0))
"""


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running_when_it_is_stopped(tmp_path: Path, number: int, root: Path):
    environment = {**os.environ, "PYTHONPATH": f"{root / 'tests'}{os.pathsep}{root / 'src'}"}
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run behind, it is ignored, and would stay so
    try:
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, tmp_path], env=environment, stderr=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(file.read_text()) for file in tmp_path.glob("*.pid") if file.read_text()]
    process.send_signal(number)
    process.wait(timeout=20)
    assert process.returncode != 0
    deadline = time.monotonic() + 10
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(pids) == 2
    assert not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
