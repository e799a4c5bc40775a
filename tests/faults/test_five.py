"""Five of the faults, a few times each; `make faults` does all of them as often as docs/reliability.md tells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REQUIRE_ALL
from faults.place import Place, left_lying
from faults.runs import MARK, left_running

PROGRAM = Path(__file__).with_name("table.py")


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="what is before the system's library is Linux's")
def test_five_faults_leave_the_month_and_the_next_run_as_they_should_be():
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        (pytest.fail if REQUIRE_ALL else pytest.skip)("no C compiler on this machine: install gcc and libc6-dev")
    done = subprocess.run([sys.executable, PROGRAM, "--quick"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) >= 5, done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_is_left_is_found(tmp_path):
    for name in ("tmp/forecast-kernels-x", "reports/.work/2026-03-31", "reports/2026-03-31"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("reports/.lock", "reports/2026-03-31/.half-1-2.csv"):
        (tmp_path / name).touch()
    place = Place(folder=tmp_path, command=(), published={})
    assert left_lying(place) == [
        "left in tmp: forecast-kernels-x",
        "left in reports: .work",
        "left in reports: 2026-03-31/.half-1-2.csv",
    ]
    assert not left_running(tmp_path)
    for options in ({"cwd": tmp_path}, {"env": {**os.environ, MARK: str(tmp_path)}}):
        with subprocess.Popen(["sleep", "60"], **options) as process:
            assert left_running(tmp_path, seconds=0) == ["sleep 60 "]
            process.kill()
    assert not left_running(tmp_path)
