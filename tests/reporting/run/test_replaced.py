"""What a report is made from is replaced while it runs: no mixture is published, and the next run makes the month."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import forecast
from forecast.errors import MachineError
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import Stage
from forecast.reporting.run.reading import Reading
from forecast.reporting.run.report import report
from reports import WRITES, company, notebook

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.xdist_group("tiny-report")]

STAGES = (
    Stage(name="01_first"),
    Stage(name="02_second", after=("01_first",)),
    Stage(name="07_brief", after=("02_second",), kind="leader"),
)
ONCE = "import os, pathlib, shutil\nif not os.path.exists('done'):\n    open('done', 'w').close()\n    {}"
ROW = "O4,2026-02-03,South,Open,70,2026-05-01,,open\\n"
COUNTS = (
    "import forecast, pandas as pd\nfrom forecast.reporting.month.results import Results\n"
    "Results(tables).write('{}', pd.DataFrame({{'deals': [len(forecast.read(data).opportunities)]}}))"
)


@pytest.fixture(scope="module")
def kernels():
    with Kernels() as source:
        yield source


@pytest.fixture
def make(tmp_path, monkeypatch, kernels):
    """Return a function that makes the report of a company of three deals; each notebook counts them."""
    monkeypatch.chdir(tmp_path)
    company(tmp_path / "data")
    for stage in STAGES:
        notebook(tmp_path / "notebooks", stage.name, COUNTS.format(stage.name[3:]))

    def made(**changed):
        options = {"as_of": "2026-03", "out": "reports", "notebooks": "notebooks", "stages": STAGES, "jobs": 1}
        return report("data", **{**options, "kernels": kernels, **changed})

    return made


def deals(month: Path) -> list[str]:
    return [(month / "tables" / f"{stage.name[3:]}.csv").read_text().split()[1] for stage in STAGES]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (f"open('data/opportunities.csv', 'a').write('{ROW}')", "opportunities.csv"),
        (
            f"text = open('data/opportunities.csv').read()\n    open('data/x', 'w').write(text + '{ROW}')\n"
            "    os.replace('data/x', 'data/opportunities.csv')",
            "opportunities.csv",
        ),
        ("open('data/plan.csv', 'w').write('period,segment,amount\\n2026-04,North,5\\n')", "plan.csv"),
        ("os.remove('data/company.toml')", "company.toml"),
        ("shutil.move('data/company.toml', 'x'); shutil.move('x', 'data/company.toml')", "company.toml"),
    ],
)
def test_data_replaced_while_a_notebook_runs(make, tmp_path, change, named):
    make()
    before = {path: path.read_bytes() for path in (tmp_path / "reports" / "2026-03-31").rglob("*") if path.is_file()}
    notebook(tmp_path / "notebooks", "02_second", ONCE.format(change), COUNTS.format("second"))
    with pytest.raises(MachineError) as error:
        make()
    assert f"the data changed while the report was made ({named})" in str(error.value)
    assert error.value.exit_code == 4
    assert {path: path.read_bytes() for path in before} == before
    assert "02_second" not in json.loads((tmp_path / "reports/.work/2026-03-31/state.json").read_text())["finished"]
    if named == "company.toml" and not (tmp_path / "data" / named).exists():
        (tmp_path / "data" / named).write_text("extracted_on = 2026-03-31\n")
    make()
    assert len(set(deals(tmp_path / "reports" / "2026-03-31"))) == 1


def test_a_notebook_that_fails_over_half_a_file_is_the_machines_fault(make, tmp_path):
    change = "open('data/opportunities.csv', 'w').write('opportunity_id,created_on')"
    notebook(tmp_path / "notebooks", "02_second", change, COUNTS.format("second"))
    with pytest.raises(MachineError, match=r"the data changed while the report was made \(opportunities.csv\)"):
        make()


def test_a_notebook_that_is_replaced_runs_as_it_was_read(make, tmp_path):
    other = "pathlib.Path('notebooks/07_brief.ipynb').write_text(pathlib.Path('notebooks/01_first.ipynb').read_text())"
    notebook(tmp_path / "notebooks", "02_second", ONCE.format(other), COUNTS.format("second"))
    make()
    month = tmp_path / "reports" / "2026-03-31"
    assert deals(month) == ["3", "3", "3"]
    assert "'brief'" in (month / "notebooks" / "07_brief.ipynb").read_text()


def test_a_program_that_is_replaced_publishes_nothing(tmp_path):
    shutil.copytree(Path(forecast.__file__).parent, tmp_path / "src" / "forecast")
    company(tmp_path / "data")
    replaces = "import forecast.wording as w\nopen(w.__file__, 'a').write('# newer')"
    for name in ("00_explore", "01_data_audit", "02_win_probability", "03_bookings", "04_track_record"):
        notebook(tmp_path / "notebooks", name, WRITES.format(name=f"t{name[:2]}"))
    for name in ("05_joint_planning", "06_scorecard", "07_leadership_brief"):
        notebook(tmp_path / "notebooks", name, replaces if name.startswith("05") else "1")
    command = [sys.executable, "-m", "forecast", "report", "--data", "data", "--as-of", "2026-03", "--quiet"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(
        [*command, "--notebooks", "notebooks"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4, done.stderr
    assert "the program was replaced while the report was made (wording.py)" in done.stderr
    assert not (tmp_path / "reports" / "2026-03-31").exists()


def test_what_is_not_ours_in_the_folder_may_change(tmp_path):
    (tmp_path / "opportunities.csv").write_text("x")
    reading = Reading.begin(tmp_path)
    (tmp_path / "~$plan.xlsx").write_text("somebody has it open")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "notes").mkdir()
    reading.check(last=True)
    (tmp_path / "opportunities.csv").write_text("y")
    with pytest.raises(MachineError, match=r"\(opportunities\.csv\)"):
        reading.check()
    with pytest.raises(MachineError):
        reading.of_a_copy()
    Reading.begin(tmp_path).of_a_copy().check(last=True)
