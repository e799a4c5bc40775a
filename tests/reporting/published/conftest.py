"""Months made by real runs of notebooks of a few lines, to list, verify, compare and clean."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from forecast.cli import app
from forecast.reporting.published.record import Record
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import Stage
from forecast.reporting.run.progress import Quiet
from forecast.reporting.run.report import report
from reports import WRITES, company, notebook

STAGES = (Stage(name="01_first"), Stage(name="07_brief", after=("01_first",), kind="leader"))


@pytest.fixture(scope="package")
def kernels():
    with Kernels() as source:
        yield source


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder, made the current one, with a company and two notebooks that work."""
    monkeypatch.chdir(tmp_path)
    company(tmp_path / "data")
    notebook(tmp_path / "notebooks", "01_first", WRITES.format(name="first"), title="What first?")
    notebook(
        tmp_path / "notebooks",
        "07_brief",
        "from forecast.reporting.month.results import Results\n"
        "Results(tables).write_facts('headline', {'headline': f'We expect {months} deals'})",
        title="The brief",
    )
    return tmp_path


@pytest.fixture
def make(place, kernels):  # noqa: ARG001
    """Return a function that makes the report of a month."""

    def made(as_of="2026-03", **changed):
        options = {"out": "reports", "notebooks": "notebooks", "stages": STAGES, "kernels": kernels}
        return report("data", as_of=as_of, **{**options, **changed})

    return made


@pytest.fixture
def recorded(make):
    """Return a function that makes the report of a month and keeps a record: the first at six, the next at seven …"""
    hour = iter(range(6, 24))

    def made(as_of="2026-03", **changed):
        moment = dt.datetime(2026, 4, 3, next(hour), 0, 1, tzinfo=dt.UTC)
        record = Record(Path("reports"), as_of=as_of, clock=lambda: moment, display=Quiet())
        with record.kept():
            make(as_of, progress=record, **changed)
        return record

    return made


@pytest.fixture
def run(capsys, monkeypatch):
    """Return a function that runs the command line and returns its exit code, standard output and standard error."""
    monkeypatch.setenv("FORECAST_DEBUG", "0")

    def ran(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            app.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(end.value.code or 0), said.out, said.err

    return ran


@pytest.fixture
def more_data(place):
    """Return a function that adds a deal to the company's data."""

    def added(number: int = 4) -> None:
        with (place / "data" / "opportunities.csv").open("a") as file:
            file.write(f"O{number},2026-02-03,South,Open,70,2026-05-01,,open\n")

    return added
