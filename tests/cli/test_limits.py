"""`--memory-limit` is kept: asked before, watched during, and what cannot keep it ends with 4 and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as papq
import pytest

from forecast.cli.limits import kept
from forecast.data import memory
from forecast.data.sources.tables.size import Rows, needed, rows_in
from forecast.errors import MachineError, ParameterError
from reports import company

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is looked at in /proc")


# -- a size -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4 * 10**9), ("500 mb", 5 * 10**8), ("1.5GiB", 1610612736), ("300000000", 3 * 10**8)]
)
def test_a_size_in_bytes(text, size):
    assert memory.size_of(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1GB", "4 apples", "1e9", "nan", "100MB", "0", "4GB 2"])
def test_what_is_no_size_or_too_small_is_refused(text):
    with pytest.raises(ParameterError, match="--memory-limit"):
        memory.size_of(text)


def test_what_is_taken_counts_children_and_what_is_shared_once():
    code = "import time; text = bytearray(150_000_000); print('there', flush=True); time.sleep(60)"
    before = memory.used()
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        grown = memory.used() - before
        assert 150e6 < grown < 200e6
        assert memory.used(child.pid) == pytest.approx(psutil.Process(child.pid).memory_full_info().pss, rel=0.02)
    finally:
        child.kill()
        child.wait()


# -- watched ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "store"), [(None, "system"), ("jemalloc", "jemalloc")])
def test_a_report_takes_its_memory_from_one_store(tmp_path, given, store):
    # What Arrow frees is then given back to the system too; who has chosen another store keeps it.
    code = (
        "import sys\nfrom forecast.cli import app\n"
        "try: app.main(['report', '--data', 'nowhere', '--as-of', '2026-03', '-q'])\n"
        "except SystemExit: pass\n"
        "import pyarrow\nprint(pyarrow.default_memory_pool().backend_name)"
    )
    env = {name: value for name, value in os.environ.items() if name not in memory.ONE_STORE}
    env |= {} if given is None else dict.fromkeys(memory.ONE_STORE, given)
    ran = [sys.executable, "-c", code]
    done = subprocess.run(ran, capture_output=True, text=True, check=True, env=env, cwd=tmp_path)
    assert "nowhere" in done.stderr
    assert done.stdout.split() == [store]


def test_within_the_limit_nothing_is_noticed(monkeypatch):
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    with kept(int(memory.used()) + 10**9):
        assert memory.limit() is not None
        assert int(memory.for_duckdb()["memory_limit"][:-2]) * 10**6 == pytest.approx(memory.limit() / 4, abs=10**6)
        time.sleep(0.2)
    assert memory.limit() is None
    assert not memory.for_duckdb()


def test_beyond_the_limit_it_ends_soon_and_all_is_as_before(monkeypatch):
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    heard = signal.getsignal(signal.SIGUSR1)
    limit, taken = int(memory.used()) + 300 * 10**6, []
    with pytest.raises(MachineError, match="--memory-limit"):
        _grow(limit, taken)
    assert len(taken) < 60
    assert signal.getsignal(signal.SIGUSR1) is heard
    assert memory.VARIABLE not in os.environ


def _grow(limit: int, taken: list[np.ndarray]) -> None:
    with kept(limit):
        while len(taken) < 200:
            taken.append(np.ones(10**6))  # 8 MB
            time.sleep(0.005)


def test_who_does_not_hear_is_ended_with_all_it_started(tmp_path):
    script = tmp_path / "deaf.py"
    script.write_text(
        "import signal, subprocess, time\nfrom forecast.cli import limits\nlimits._GRACE = 0.3\n"
        "with limits.kept(200_000_000):\n"
        "    signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "    child = subprocess.Popen(['sleep', '60'])\n    print(child.pid, flush=True)\n"
        "    text = bytearray(400_000_000)\n    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == MachineError.exit_code
    assert "more than the 200 MB of --memory-limit" in done.stderr
    child = int(done.stdout)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


# -- asked before -----------------------------------------------------------------------------------------


def long_folder(folder: Path, rows: int) -> Path:
    place = folder / "opportunities"
    place.mkdir(parents=True)
    for number in range(2):
        papq.write_table(pa.table({"opportunity_id": pa.array(["A"] * (rows // 2))}), place / f"{number}.parquet")
    return folder


def test_rows_are_told_without_reading(tmp_path):
    folder = long_folder(tmp_path / "data", 5_000)
    frame = pd.DataFrame({"opportunity_id": [f"O-{number:06d}" for number in range(20_000)], "stage": "Open"})
    frame.to_csv(folder / "opportunity_history.csv", index=False)
    frame.to_csv(folder / "notes.csv", index=False)
    rows = rows_in(folder)
    assert rows.opportunities == 5_000
    assert rows.opportunity_history == pytest.approx(20_000, rel=0.01)
    assert rows.leads == 0


def test_what_is_needed_grows_with_the_rows():
    one, two = (needed(Rows(opportunities=n, opportunity_history=4 * n), "backtest") for n in (10**6, 2 * 10**6))
    assert two - one == pytest.approx(one - needed(Rows(), "backtest"))


def test_data_that_cannot_fit_are_refused_before_they_are_read(tmp_path):
    folder = long_folder(tmp_path / "data", 4_000_000)
    done = forecast("check", "--data", str(folder), "--memory-limit", "300MB")
    assert done.returncode == 4
    assert "4,000,000 opportunities with 0 rows of history take about" in done.stderr
    assert "nothing was run" in done.stderr
    assert not done.stdout


# -- whole commands ---------------------------------------------------------------------------------------


def forecast(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "forecast", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )


def test_a_limit_that_is_none_ends_with_1(tmp_path):
    company(tmp_path / "data")
    done = forecast("check", "--data", str(tmp_path / "data"), "--memory-limit", "much")
    assert done.returncode == 1
    assert "'much' is no size" in done.stderr


@pytest.mark.slow
def test_a_run_within_its_limit_stays_below_it_and_answers_the_same(tmp_path, sample):
    limit, out = 10**9, tmp_path / "limited.csv"
    asked = ["bookings", "--data", str(sample), "--as-of", "2026-10", "--out"]
    process = subprocess.Popen([sys.executable, "-m", "forecast", *asked, str(out), "--memory-limit", "1GB"])
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory.used(process.pid))
        time.sleep(0.02)
    assert process.returncode == 0
    assert 2e8 < peak < limit
    assert forecast(*asked, str(tmp_path / "free.csv")).returncode == 0
    assert out.read_bytes() == (tmp_path / "free.csv").read_bytes()


@pytest.mark.slow
def test_a_run_that_cannot_keep_its_limit_ends_with_4_and_leaves_nothing(tmp_path, sample):
    # What it shares with other programs of the moment counts in part: the limit lies well below what it takes alone.
    (tmp_path / "tmp").mkdir()
    out, limit = tmp_path / "out" / "bookings.csv", 25 * 10**7
    out.parent.mkdir()
    asked = ["bookings", "--data", str(sample), "--as-of", "2026-10", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "forecast", *asked],
        env={**os.environ, memory.VARIABLE: "250MB", "TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory.used(process.pid))
        time.sleep(0.02)
    assert process.returncode == 4
    assert process.stderr is not None
    assert "more than the 250 MB of --memory-limit were needed: stopped" in process.stderr.read()
    assert peak < 1.2 * limit  # one array may come on top before anybody looks
    assert not list(out.parent.iterdir())
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.slow
@pytest.mark.faults
def test_a_report_that_cannot_keep_its_limit_leaves_the_last_month_and_no_process(tmp_path):
    company(tmp_path / "data")
    (tmp_path / "tmp").mkdir()
    asked = ["report", "--data", str(tmp_path / "data"), "--as-of", "2026-03", "--out", str(tmp_path / "reports")]
    done = forecast(*asked, "--memory-limit", "260MB", TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 4, done.stderr
    assert "--memory-limit were needed" in done.stderr
    status = json.loads(next((tmp_path / "reports" / "runs").rglob("status.json")).read_text())
    assert (status["status"], status["exit_code"]) == ("stopped", 4)
    assert not (tmp_path / "reports" / "2026-03-31").exists()
    assert not list((tmp_path / "tmp").iterdir())
    ours = [
        one
        for one in psutil.process_iter(["environ"])
        if (one.info["environ"] or {}).get("TMPDIR", "") == str(tmp_path / "tmp")
    ]
    assert not ours
