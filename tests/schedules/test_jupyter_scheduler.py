"""Jobs in a real jupyter-scheduler, through the interface that its dialogs call: a notebook, and the month."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from environments import NotToBeHad, environment
from forecast.simulation.company import simulate, write
from tiny import COMPANY, tiny_company

pytestmark = [pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[2]
MONTH = ROOT / "docs" / "recipes" / "schedules" / "month.ipynb"
OVER = ("COMPLETED", "FAILED")  # a job that has not begun is at first STOPPED


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """A running Jupyter server with the scheduler; `folder` is what its users see."""

    address: str
    folder: Path

    def ask(self, path: str, body: dict[str, Any] | None = None, *, method: str = "GET") -> Any:
        """Return the answer to a request."""
        head = {"Authorization": "token test", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.address}/scheduler/{path}", data=content, headers=head, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def begin(self, kind: str, notebook: str, parameters: dict[str, str], **more: str) -> str:
        """Make a job, or the definition of jobs on a schedule; return its key. Values are typed as in the dialog."""
        body = {
            "name": f"{kind} {notebook}",
            "input_uri": notebook,
            "runtime_environment_name": self.ask("runtime_environments")[0]["name"],
            "output_formats": ["ipynb", "html"],
            "parameters": parameters,
            **more,
        }
        return str(next(iter(self.ask(kind, body, method="POST").values())))

    def over(self, *, seconds: float = 300, **where: str) -> list[dict[str, Any]]:
        """Wait until a job of these properties is over; return all that are, in the order in which they were made."""
        deadline = time.monotonic() + seconds
        while True:
            jobs = [job for job in self.ask("jobs")["jobs"] if all(job.get(key) == where[key] for key in where)]
            done = [job for job in jobs if job["status"] in OVER]
            if done:
                return sorted(done, key=lambda job: job["create_time"])
            assert time.monotonic() < deadline, jobs
            time.sleep(0.5)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    try:
        bin_ = environment("jupyter_scheduler", with_project=True)
    except NotToBeHad as reason:
        pytest.skip(str(reason))  # what a package index offers is not this project's to mend
    folder = tmp_path_factory.mktemp("jupyter-scheduler")
    for name in ("root", "config", "data", "runtime"):
        (folder / name).mkdir()
    shutil.copy2(ROOT / "notebooks" / "03_bookings.ipynb", folder / "root")
    shutil.copy2(MONTH, folder / "root")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(bin_ / "python"), "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ip=127.0.0.1", f"--ServerApp.root_dir={folder / 'root'}", "--IdentityProvider.token=test"]
    command += ["--ServerApp.jpserver_extensions={'jupyter_scheduler': True}"]
    places = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
    places["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")  # the templates of pages
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | places, stdout=log, stderr=log, start_new_session=True
        )
    try:
        made = Scheduler(address=f"http://127.0.0.1:{port}", folder=folder / "root")
        _wait(made, process, folder / "server.log")
        yield made
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the server and the jobs that still run
        process.wait(timeout=30)


def _wait(scheduler: Scheduler, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            scheduler.ask("runtime_environments")
        except OSError:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        else:
            return


def test_a_notebook_of_the_project_runs_with_parameters(scheduler: Scheduler, tmp_path: Path):
    write(simulate(opportunities=400, months=24, seed=5, segments=3), tmp_path / "data")
    typed = {"data": json.dumps(str(tmp_path / "data")), "as_of": '"2026-09-30"', "months": "3"}
    job = scheduler.begin("jobs", "03_bookings.ipynb", typed)
    (done,) = scheduler.over(job_id=job)
    assert done["status"] == "COMPLETED", done
    assert {file["file_format"] for file in done["job_files"]} == {"ipynb", "html", "input"}


def test_text_without_quotes_fails_in_the_cell_of_parameters(scheduler: Scheduler):
    job = scheduler.begin("jobs", "month.ipynb", {"as_of": "2026-10-31T", "data": '"/nowhere"', "out": '"/nowhere"'})
    (done,) = scheduler.over(job_id=job)
    assert done["status"] == "FAILED"
    assert "SyntaxError" in done["status_message"]


def test_a_schedule_makes_the_month_as_soon_as_the_data_are_there(scheduler: Scheduler, tmp_path: Path):
    data = tiny_company(tmp_path / "data")  # up to 31 March
    typed = {"data": json.dumps(str(data)), "out": json.dumps(str(tmp_path / "reports")), "as_of": '"2026-04"'}
    key = scheduler.begin("job_definitions", "month.ipynb", typed, schedule="* * * * *", timezone="UTC")
    try:
        early = scheduler.over(job_definition_id=key)[0]
        assert early["status"] == "FAILED"
        assert "forecast ended with 1" in early["status_message"]
        assert "2026-04-30 is after the last day of the data, 2026-03-31" in early["status_message"]
        assert not (tmp_path / "reports" / "2026-04-30").exists()
        tiny_company(data, company=COMPANY.replace("2026-03-31", "2026-04-30"))
        made = scheduler.over(job_definition_id=key, status="COMPLETED")[0]
        assert made["create_time"] > early["create_time"]
        assert (tmp_path / "reports" / "2026-04-30" / "index.html").is_file()
    finally:
        scheduler.ask(f"job_definitions/{key}", method="DELETE")
