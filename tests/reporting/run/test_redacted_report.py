"""`forecast report --redact`: no name in any byte of what is left behind, the same numbers, a secret that is kept."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

import forecast
import reports
from forecast.data.sources.redact import redact
from forecast.errors import NotebookError, ParameterError
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import STAGES as ALL_STAGES
from forecast.reporting.run.prepare import Stage
from forecast.reporting.run.report import report
from forecast.simulation.company import simulate, write

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("redacted")]

STAGES = (
    Stage(name="01_first"),
    Stage(name="02_second"),
    Stage(name="07_brief", after=("01_first", "02_second"), kind="leader"),
)
TELLS = (
    "import forecast\nlog = forecast.read(data)\n"
    "print(data, log.source, [frame.head(99).to_csv() for frame in log.tables.values()])\n"
    "log.opportunities"
)


@pytest.fixture(scope="module")
def kernels():
    with Kernels() as source:
        yield source


def secrets_of(folder: Path) -> set[str]:
    """Return every name that must not be seen."""
    log = forecast.read(folder)
    names: set[str] = set()
    for frame in log.tables.values():
        for column in ("opportunity_id", "account_id", "owner", "lead_id", "account name", "e-mail"):
            if column in frame:
                names |= set(frame[column].dropna())
    return names


def hold_nothing_of(names: set[str], out: Path, *, at_least: int) -> None:
    """Hold that none of the names occurs in any byte of any file, Parquet read too, nor in a file's name."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    assert len(files) >= at_least
    for path in files:
        seen = path.read_bytes() + path.name.encode()
        if path.suffix == ".parquet":
            seen += pd.read_parquet(path).to_csv().encode()
        found = [name for name in names if name.encode() in seen]
        assert not found, f"{path.relative_to(out)}: {found[:5]}"
        assert b"forecast-data" not in seen, path


def test_a_redacted_month_names_nobody_and_says_the_same(redacted_company: Path, redacted_report: Path):
    names = secrets_of(redacted_company)
    assert len(names) > 2_000
    hold_nothing_of(names, redacted_report, at_least=50)
    assert not list((redacted_report.parent / "private").iterdir())
    month = redacted_report / "2026-10-20"
    deals = pd.read_parquet(month / "tables" / "deals.parquet")
    assert deals["opportunity_id"].str.fullmatch("deal-[0-9a-f]{8}").all()
    assert deals["factors"].str.contains("owner owner-[0-9a-f]{8}").any()
    assert "owner-" in (month / "analysis" / "04_track_record.html").read_text(encoding="utf-8")  # the rep who submits
    leader = (month / "index.html").read_text(encoding="utf-8")
    assert "shown under pseudonyms" in leader
    assert "owner-" not in leader
    manifest = json.loads((month / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["redacted"] is True
    assert manifest["parameters"]["03_bookings"]["data"] == "data"
    assert "opportunities.parquet" in manifest["fingerprints"]["data"]
    bookings = pd.read_parquet(month / "tables" / "bookings.parquet")
    named = booked(redacted_company, as_of="2026-10-20")
    hold_the_same(bookings, named, means=0.03, medians=0.15)  # 900 deals: see docs/privacy.md


def booked(data: Path, *, as_of: str = "2026-10-31") -> pd.DataFrame:
    return forecast.forecast_bookings(forecast.snapshot(forecast.read(data), as_of=as_of), months=6, seed=0)


def hold_the_same(redacted: pd.DataFrame, named: pd.DataFrame, *, means: float, medians: float) -> None:
    """Hold that forecasts agree: what is counted exactly, means and the Total's medians to a relative tolerance."""
    for column in ("model", "target_period", "segment", "booked", "plan"):
        pd.testing.assert_series_equal(redacted[column], named[column], check_dtype=False)
    for column in ("mean", "open_pipeline", "not_yet_created"):
        pd.testing.assert_series_equal(redacted[column], named[column], rtol=means, atol=1.0)
    total = named["segment"] == "Total"
    pd.testing.assert_series_equal(redacted.loc[total, "q50"], named.loc[total, "q50"], rtol=medians)


def test_a_forecast_does_not_depend_on_names_where_no_row_is_thinned(tmp_path: Path):
    write(simulate(opportunities=12_000, seed=1), tmp_path / "data")
    redact(tmp_path / "data", tmp_path / "copy", log=forecast.read(tmp_path / "data"), salt=b"0" * 32)
    hold_the_same(booked(tmp_path / "copy"), booked(tmp_path / "data"), means=1e-4, medians=0.02)


def test_the_samples_forecast_hardly_depends_on_names(sample: Path, tmp_path: Path):
    # Other rows are kept where rows are thinned: see docs/privacy.md.
    redact(sample, tmp_path / "copy", log=forecast.read(sample), salt=b"0" * 32)
    hold_the_same(booked(tmp_path / "copy"), booked(sample), means=0.01, medians=0.02)


# -- with notebooks of a few lines -----------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, made the current one, with notebooks that tell all they can see."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    for name in ("01_first", "02_second", "07_brief"):
        reports.notebook(tmp_path / "notebooks", name, f"open('ran.txt', 'a').write('{name}\\n')", TELLS)
    return tmp_path


def fail(place: Path) -> None:
    cells = (
        TELLS,
        "deals = log.opportunities[:99]\nraise ValueError(f'{data}: {list(deals.owner)} {list(deals.account_id)}')",
    )
    reports.notebook(place / "notebooks", "02_second", *cells)


def make(company: Path, place: Path, kernels: Kernels, **options):
    asked = {"as_of": "2026-10", "out": place / "reports", "notebooks": "notebooks", "stages": STAGES, "jobs": 1}
    return report(company, **{**asked, "kernels": kernels, "redacted": True, **options})


@pytest.mark.faults
def test_a_failed_run_names_nobody_either(redacted_company: Path, place: Path, kernels):
    fail(place)
    with pytest.raises(NotebookError):
        make(redacted_company, place, kernels, redacted=False)  # what a run with names has left is cleared away
    with pytest.raises(NotebookError) as error:
        make(redacted_company, place, kernels)
    names = secrets_of(redacted_company)
    hold_nothing_of(names, place / "reports", at_least=4)
    assert not [name for name in names if name in str(error.value)]
    assert "forecast-data" not in str(error.value)
    left = {path.relative_to(place / "reports").as_posix() for path in (place / "reports").rglob("*") if path.is_file()}
    assert {"failed/2026-10-31/02_second.html", ".work/2026-10-31/notebooks/01_first.ipynb"} <= left
    assert "owner-" in (place / "reports/failed/2026-10-31/02_second.html").read_text(encoding="utf-8")
    assert not list((place / "private").iterdir())


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_is_continued_with_the_same_salt_only(redacted_company: Path, place: Path, kernels, kept: bool):
    fail(place)
    for _ in range(2):
        with pytest.raises(NotebookError):
            make(redacted_company, place, kernels, **({"salt_file": "salt"} if kept else {}))
    assert (place / "ran.txt").read_text().split() == ["01_first"] * (1 if kept else 2)
    assert (place / "salt").exists() == kept


def test_with_the_salt_a_month_is_the_same_again_and_without_it_another(redacted_company: Path, place: Path, kernels):
    def deals(**options):
        make(redacted_company, place, kernels, stages=STAGES[:1], resume=False, **options)
        return json.loads((place / "reports" / "2026-10-31" / "manifest.json").read_text(encoding="utf-8"))[
            "fingerprints"
        ]

    one, same, other = deals(salt_file="salt"), deals(salt_file="salt"), deals()
    assert one == same
    changed = {name for name in one["data"] if one["data"][name] != other["data"][name]}
    assert changed == {f"{name}.parquet" for name in ("leads", "opportunities", "opportunity_history")} | {
        *("events.csv", "hierarchy.csv", "quotas.csv"),
        "submitted_forecasts.parquet",
    }


def test_a_salt_without_redaction_is_refused(redacted_company: Path, place: Path, kernels):
    with pytest.raises(ParameterError, match="give --redact too"):
        make(redacted_company, place, kernels, redacted=False, salt_file="salt")
    with pytest.raises(ParameterError, match="keep it elsewhere"):
        make(redacted_company, place, kernels, salt_file="reports/salt")
    assert not (place / "reports").exists()
    assert not list((place / "private").iterdir())


@pytest.mark.faults
def test_a_run_that_is_stopped_leaves_no_copy(redacted_company: Path, place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(place / "private"))
    for stage in ALL_STAGES:
        reports.notebook(place / "notebooks", stage.name, "1")
    reports.notebook(place / "notebooks", "04_track_record", TELLS, "open('there', 'w')", "import time; time.sleep(99)")
    command = [sys.executable, "-m", "forecast", "report", "--data", str(redacted_company), "--as-of", "2026-10"]
    process = subprocess.Popen([*command, "--redact", "--notebooks", "notebooks"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (place / "there").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    (copy,) = (place / "private").glob("forecast-data-*")
    assert copy.stat().st_mode & 0o077 == 0
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 143
    assert said.splitlines()[-1].endswith("the same command starts anew")
    assert not list((place / "private").glob("forecast-data-*"))
    hold_nothing_of(secrets_of(redacted_company), place / "reports", at_least=1)
