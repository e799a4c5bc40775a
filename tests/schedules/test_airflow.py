"""The DAG of the recipe in a real Airflow: imported, its task run, retried only where that can help."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from environments import NotToBeHad, environment

pytestmark = [pytest.mark.slow, pytest.mark.long]

RECIPE = Path(__file__).resolve().parents[2] / "docs" / "recipes" / "schedules" / "forecast_dag.py"
_PROGRAM = """\
#!/bin/sh
echo "asked for: $*"
read -r code < {folder}/code
exit $code
"""


@dataclass(frozen=True, kw_only=True)
class Airflow:
    """An Airflow with a database of its own, in whose folder of DAGs lies the recipe alone."""

    program: Path
    folder: Path

    def run(self, *arguments: str) -> str:
        """Return what a command prints; it must end well."""
        settings = {
            "AIRFLOW_HOME": str(self.folder / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        }
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        done = subprocess.run(
            [self.program, *arguments], env=outside | settings, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def tasks_test(self, when: str, *, ends_with: int) -> tuple[str, str]:
        """Run the task as of a logical date; return the state it comes to and the month it asked for.

        ends_with : the code with which the program ends.
        """
        (self.folder / "code").write_text(f"{ends_with}\n", encoding="utf-8")
        log = self.run("tasks", "test", "forecast", "report", when)
        states = re.findall(r"new_state=(\w+)", log)
        months = re.findall(r"asked for: report .*--as-of (\S+)", log)
        assert len(months) == 1, log[-3000:]
        return states[-1], months[0]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    try:
        bin_ = environment("airflow", with_project=False)
    except NotToBeHad as reason:
        pytest.skip(str(reason))  # what a package index offers is not this project's to mend
    folder = tmp_path_factory.mktemp("airflow")
    program = folder / "srv" / "forecast" / ".venv" / "bin" / "forecast"
    for place in (program.parent, folder / "dags", folder / "home"):
        place.mkdir(parents=True)
    program.write_text(_PROGRAM.format(folder=folder), encoding="utf-8")
    program.chmod(0o755)
    dag = RECIPE.read_text(encoding="utf-8").replace("/srv/", f"{folder}/srv/")
    (folder / "dags" / "forecast_dag.py").write_text(dag, encoding="utf-8")
    made = Airflow(program=bin_ / "airflow", folder=folder)
    made.run("db", "migrate")
    return made


def test_airflow_imports_the_dag(airflow: Airflow):
    assert "No data found" in airflow.run("dags", "list-import-errors")
    assert airflow.run("tasks", "list", "forecast").strip().splitlines()[-1] == "report"


@pytest.mark.parametrize(
    ("when", "ends_with", "state", "month"),
    [
        ("2025-07-03T04:00:00+00:00", 0, "success", "2025-06"),  # cleared or backfilled: the month of the run
        ("2026-11-03T05:00:00+00:00", 1, "failed", "2026-10"),
        ("2026-11-03T05:00:00+00:00", 4, "up_for_retry", "2026-10"),
    ],
)
def test_its_task_runs(airflow: Airflow, when: str, ends_with: int, state: str, month: str):
    assert airflow.tasks_test(when, ends_with=ends_with) == (state, month)


def test_the_month_follows_from_the_run_and_only_3_and_4_are_tried_again(airflow: Airflow):
    script = """
import json, sys, types
sys.path.insert(0, sys.argv[1])
import pendulum, forecast_dag
from airflow.sdk.exceptions import AirflowFailException

def month(end, due):
    read = lambda text: pendulum.parse(text) if text else None
    return forecast_dag.month_before(types.SimpleNamespace(data_interval_end=read(end), run_after=read(due)))

def retried(code):
    task = forecast_dag.Report(task_id="report")
    task.hook = types.SimpleNamespace(run_command=lambda *_, **__: types.SimpleNamespace(exit_code=code))
    due = pendulum.datetime(2026, 11, 3, 5)
    try:
        task.execute({"dag_run": types.SimpleNamespace(data_interval_end=due, run_after=due)})
    except Exception as error:
        return not isinstance(error, AirflowFailException)

months = [month("2026-11-03T05:00Z", "2026-12-09T05:00Z"), month("2026-10-31T23:30Z", "2026-10-31T23:30Z"),
          month("2026-01-01T05:00Z", "2026-01-01T05:00Z"), month(None, "2026-03-01T05:00Z")]
print(json.dumps([months, [code for code in (1, 2, 3, 4, 130, 143, -9) if retried(code)], retried(0)]))
"""
    settings = os.environ | {"AIRFLOW_HOME": str(airflow.folder / "home"), "PYTHONPATH": ""}
    command = [airflow.program.with_name("python"), "-c", script, str(airflow.folder / "dags")]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    # Half past eleven on the last of October by UTC is November where the company is.
    months = ["2026-10", "2026-10", "2025-12", "2026-02"]
    assert json.loads(done.stdout.splitlines()[-1]) == [months, [3, 4], None]
