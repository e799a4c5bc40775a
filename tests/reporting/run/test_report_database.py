"""A report from a database: read once, named without its address, and nowhere a password."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from forecast.data.sources.database.fetch import fetch
from forecast.data.sources.files import read_raw
from forecast.errors import MachineError, NotebookError
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import STAGES, Stage
from forecast.reporting.run.report import report
from reports import PARAMETERS, WRITES, company, notebook
from servers import PASSWORD, Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

LOOKS = f"""\
import os, pathlib
import forecast
word = bytes.fromhex("{PASSWORD.encode().hex()}")
def content(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
lines = b"".join(content(path) for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"))
print("in a list of processes:", word in lines, "| in this kernel:", word in repr(dict(os.environ)).encode())
log = forecast.read(data)
print(len(log.opportunities), "deals of", log.company.name, "from", data, log.source)"""
ONE = (Stage(name="01_first"), Stage(name="02_second", after=("01_first",)), Stage(name="07_brief", kind="leader"))


@pytest.fixture(scope="module")
def kernels() -> Iterator[Kernels]:
    with Kernels() as source:
        yield source


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, made the current one, with notebooks that look around."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    (tmp_path / "private").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "private"))
    for name in ("01_first", "02_second", "07_brief"):
        notebook(tmp_path / "notebooks", name, LOOKS, WRITES.format(name=name[3:]))
    return tmp_path


@pytest.fixture
def address(postgres: Server, place: Path) -> str:
    """Return the address of a database with the small company in a schema."""
    postgres.run("postgres", "DROP DATABASE IF EXISTS report", "CREATE DATABASE report")
    postgres.run(
        "report",
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.company AS SELECT 'name' AS key, 'Tiny & Co' AS value "
        "UNION SELECT 'extracted_on', '2026-03-31'",
    )
    tables = {name: pa.Table.from_pandas(frame) for name, frame in read_raw(company(place / "files"))[0].items()}
    postgres.load("report", {name: table.drop_columns("line") for name, table in tables.items()}, schema="crm")
    return postgres.address("report", schema="crm")


def hold_nothing_of(words: list[str], out: Path) -> int:
    """Assert that no file, name of a file or table below a folder holds a word; return how many files there are."""
    files = [path for path in out.rglob("*") if path.is_file()]
    for path in files:
        seen = path.read_bytes() + path.name.encode()
        if path.suffix == ".parquet":
            seen += pd.read_parquet(path).to_csv().encode()
        assert not [word for word in words if word.encode() in seen], path
    return len(files)


def test_a_month_from_a_database_tells_nothing_of_it_but_its_name(address: str, place: Path, postgres, kernels):
    report(address, as_of="2026-03-31", out="reports", notebooks="notebooks", stages=ONE, kernels=kernels)
    month = place / "reports" / "2026-03-31"
    secrets = [PASSWORD, "postgresql:", f":{postgres.port}", str(postgres.folder), "forecast-data", str(place)]
    assert hold_nothing_of(secrets, place / "reports") >= 10
    assert not list((place / "private").iterdir())
    facts = json.loads((month / "manifest.json").read_text(encoding="utf-8"))
    label = "PostgreSQL database 'report', schema 'crm'"
    assert {one["data"] for one in facts["parameters"].values()} == {label}
    assert sorted(facts["fingerprints"]["data"]) == ["company.toml", "opportunities.parquet"]
    page = (month / "index.html").read_text(encoding="utf-8")
    assert "Tiny &amp; Co" in page
    shown = (month / "notebooks" / "01_first.ipynb").read_text(encoding="utf-8")
    assert "in a list of processes: False | in this kernel: False" in shown
    assert "3 deals of Tiny & Co from data data" in shown


def test_a_run_that_failed_is_continued_where_the_rows_are_the_same(address, place: Path, postgres: Server, kernels):
    ran = "open('ran', 'a').write('{name} ')"
    for name in ("01_first", "02_second", "07_brief"):
        notebook(place / "notebooks", name, ran.format(name=name), WRITES.format(name=name[3:]))
    notebook(place / "notebooks", "02_second", "raise ValueError(f'of {data}')", WRITES.format(name="second"))
    again = {"as_of": "2026-03-31", "out": "reports", "notebooks": "notebooks", "stages": ONE, "jobs": 1}
    with pytest.raises(NotebookError, match="of data") as error:
        report(address, **again, kernels=kernels)
    assert "private" not in str(error.value)
    hold_nothing_of([PASSWORD, "postgresql:", "forecast-data"], place / "reports")
    done = (place / "ran").read_text(encoding="utf-8")
    assert "01_first" in done
    notebook(place / "notebooks", "02_second", "raise ValueError(f'of {data}')", WRITES.format(name="second"))
    postgres.run("report", "UPDATE crm.opportunities SET stage = stage")  # other places in the file, the same rows
    with pytest.raises(NotebookError):
        report(address, **again, kernels=kernels)
    assert (place / "ran").read_text(encoding="utf-8") == done
    postgres.run("report", "UPDATE crm.opportunities SET amount = '71' WHERE opportunity_id = 'O3'")
    with pytest.raises(NotebookError):
        report(address, **again, kernels=kernels)
    assert (place / "ran").read_text(encoding="utf-8") == 2 * done


def test_a_month_stays_as_it_was_where_the_database_is_gone(
    address, place: Path, postgres: Server, kernels, monkeypatch
):
    monkeypatch.setitem(fetch.__kwdefaults__, "pauses", (0.0,))
    again = {"as_of": "2026-03-31", "out": "reports", "notebooks": "notebooks", "stages": ONE, "kernels": kernels}
    report(address, **again)
    page = place / "reports" / "2026-03-31" / "index.html"
    before, made = page.read_bytes(), page.stat().st_mtime_ns
    postgres.run("postgres", "ALTER DATABASE report ALLOW_CONNECTIONS false")
    with pytest.raises(MachineError) as error:
        report(address, **again)
    assert error.value.exit_code == 4
    assert PASSWORD not in str(error.value)
    assert (page.read_bytes(), page.stat().st_mtime_ns) == (before, made)
    assert not list((place / "private").iterdir())
    postgres.run("postgres", "ALTER DATABASE report ALLOW_CONNECTIONS true")


def test_a_redacted_month_from_a_database(address: str, place: Path, kernels):
    names = "import forecast\nprint(forecast.read(data).opportunities['opportunity_id'].tolist())"
    notebook(place / "notebooks", "01_first", names)
    made = {"out": "reports", "notebooks": "notebooks", "stages": ONE, "kernels": kernels}
    report(address, as_of="2026-03-31", redacted=True, **made)
    assert hold_nothing_of([PASSWORD, "postgresql:", "'O1'", "O2"], place / "reports") >= 10
    shown = (place / "reports" / "2026-03-31" / "notebooks" / "01_first.ipynb").read_text(encoding="utf-8")
    assert "deal-" in shown


def test_the_command_line(address: str, place: Path):
    for stage in STAGES:
        notebook(place / "notebooks", stage.name, LOOKS, parameters=PARAMETERS)
    command = [sys.executable, "-m", "forecast", "report", "--data", address, "--as-of", "2026-03", "--out", "reports"]
    done = subprocess.run([*command, "--notebooks", "notebooks"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert hold_nothing_of([PASSWORD, "postgresql:"], place / "reports") >= 15
    wrong = [part.replace("//forecast@", f"//forecast:{PASSWORD}@") for part in command]
    done = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "holds a password" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
