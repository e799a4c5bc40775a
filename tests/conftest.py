"""Fixtures every test may use."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import loaded
import maven
from forecast.reporting.run.kernels import without_iri_grammar
from forecast.reporting.run.report import report
from forecast.simulation.company import simulate, write

if TYPE_CHECKING:
    from servers import Server

with without_iri_grammar():  # else each process compiles a grammar while it collects
    import nbformat  # noqa: F401

# One BLAS thread: the tests share two cores, and results must not depend on how many threads there are.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent

# Where everything must run, a part that is not there fails the test that needs it instead of skipping it.
REQUIRE_ALL = bool(os.environ.get("FORECAST_REQUIRE_ALL"))


LONGEST = (
    "report",
    "tests/schedules/test_cron.py",
    "tests/schedules/test_jupyter_scheduler.py",
    "tests/whole/test_no_future.py",
    "tests/whole/test_jupyterlab.py",
    "tests/whole/test_damaged.py",
    "redacted",
    "tests/evaluation/test_changed.py",
    "tests/reporting/explorer/test_explorer.py",
    "tests/models/pipeline/test_deals.py",
    "tests/models/test_along.py",
    "tests/models/test_recovery.py",
    "tests/models/pipeline/test_bookings.py",
    "hostile",
    "tiny-report",
    "study",
    "tests/evaluation/planning/test_study.py",
    "tests/models/win/test_probabilities.py",
)
"""The groups that take most, in the order in which they begin: none is left for one worker at the end, and while one
waits for a browser the other computes."""

SPREAD = ("test_bad_companies.py", "test_importers.py")
"""Files of many tests that share nothing made beforehand: these come last, each to whichever worker is free."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one worker, which then makes what they share once; begin with the longest groups."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if item.get_closest_marker("xdist_group") is None and item.path.name not in SPREAD:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(ROOT).as_posix()))
    long = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}

    def place(item: pytest.Item) -> tuple[bool, int, bool]:
        group = item.get_closest_marker("xdist_group")
        name = group.args[0] if group else ""
        return group is None, LONGEST.index(name) if name in LONGEST else len(LONGEST), item.path not in long

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Leave the tests and the libraries, which stay to the end, out of every search for garbage from here on."""
    gc.collect()
    gc.freeze()


def _absent(reason: str) -> None:
    if REQUIRE_ALL:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _kernels_loaded_once() -> Iterator[None]:
    """Let the reports made in this process fork their kernels from what is loaded once; see `loaded`."""
    with loaded.shared():
        yield


@pytest.fixture
def kernels_as_for_a_user() -> Iterator[None]:
    """Let each `Kernels` of a test load for itself."""
    with loaded.not_shared():
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def sample() -> Path:
    """Return the folder of the sample company."""
    return ROOT / "data" / "sample"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip where it is not on this machine."""
    folder = Path(os.environ.get("FORECAST_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        _absent("no real data here: FORECAST_REAL_DATA names no folder")
    return folder


@pytest.fixture(scope="session")
def crm_cases() -> Path:
    """Return the folder of small exports that failed, each with what is right, or skip where it is not here."""
    folder = Path(os.environ.get("FORECAST_CASES", ROOT.parent / "shared" / "cases")) / "crm"
    if not folder.is_dir():
        _absent("no cases here: FORECAST_CASES names no folder")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium to drive, or skip where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        _absent("no Chromium on this machine: install the package chromium")
    return str(found)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a running PostgreSQL, or skip where its programs are not on this machine.

    Tests that use it carry `pytest.mark.xdist_group("postgres")`, so that one worker starts it once.
    """
    import servers

    if servers.programs() is None:
        _absent("no PostgreSQL on this machine: install the package postgresql")
    with servers.running() as server:
        yield server


@pytest.fixture(scope="session")
def sample_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of reports made by the main job on the sample, run once as a user runs it.

    Tests that use it carry `pytest.mark.xdist_group("report")`, so that one worker makes it once.
    """
    out = tmp_path_factory.mktemp("main-job") / "reports"
    command = [sys.executable, "-m", "forecast", "report", "--data", "data/sample", "--as-of", "2026-10-31"]
    done = subprocess.run([*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def kept_walks() -> Iterator[None]:
    """Keep, for the tests of a file, the walks through a snapshot's past; see `walks`."""
    import walks

    with walks.kept_walks():
        yield


@pytest.fixture(scope="session")
def maven_company(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of a real company of which only the deals are known, without history."""
    return maven.build(real_data / "maven_crm", tmp_path_factory.mktemp("maven") / "data")


@pytest.fixture(scope="session")
def maven_report(maven_company: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of reports on it; tests that use it carry `pytest.mark.xdist_group("maven")`."""
    out = tmp_path_factory.mktemp("maven-report") / "reports"
    report(maven_company, as_of="2017-12-31", out=out)
    return out


@pytest.fixture(scope="session")
def redacted_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated company's folder, with a rep who submits forecasts and columns that name people."""
    folder = tmp_path_factory.mktemp("redacted") / "data"
    made = simulate(opportunities=900, months=30, seed=3, segments=4)
    deals = made.tables["opportunities"]
    deals["account name"] = deals["account_id"].str.replace("Account", "Customer number")
    deals["e-mail"] = deals["owner"].str.replace("Rep ", "rep_") + "@sellers.example"
    submitted = made.tables["submitted_forecasts"]
    own = submitted[submitted["submitter"] == "sales"].assign(submitter="Rep 002")
    made.tables["submitted_forecasts"] = pd.concat([submitted, own], ignore_index=True)
    write(made, folder)
    return folder


@pytest.fixture(scope="session")
def redacted_report(redacted_company: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of reports on it, redacted, of a month that is not over, with a page for every segment.

    Copies of the data had `private`.

    Tests that use it carry `pytest.mark.xdist_group("redacted")`.
    """
    folder = tmp_path_factory.mktemp("redacted-report")
    (folder / "private").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder / "private"))
        report(redacted_company, as_of="2026-10-20", out=folder / "reports", redacted=True, by="segment")
    return folder / "reports"
