"""`report --by segment`: a page for each, the same bytes whoever makes them, and the contracts of a month kept."""

from __future__ import annotations

import contextlib
import html
import json
import re
import threading
import time
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest

import reports
from clusters import running
from forecast.errors import MachineError, NotebookError, ParameterError
from forecast.reporting.month.one_segment import NAMES, of_segment
from forecast.reporting.published import months
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import Stage
from forecast.reporting.run.report import report

SEGMENTS = ["North/East", "north east", "Zürich", "İ" * 120, "<b>South & Co</b>"]
FIRST = (Stage(name="01_first"),)
MAKES = "from forecast.reporting.month.one_segment import of_segment\nof_segment(data=data, tables=tables, as_of=as_of)"
PARAMETERS = f'{reports.PARAMETERS}\nsegment: str = ""  # name of the segment'
READS = """\
from forecast.reporting.month.one_segment import of_segment
from forecast.reporting.charts.figure import Statement
part = of_segment(segment, data=data, tables=tables, as_of=as_of, months=months)
Statement(f"{part.company.name}: {len(part.bookings)} rows of {len(part.segment)} letters")"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = reports.company(tmp_path_factory.mktemp("segments") / "data")
    rows = [
        f'O{number},2026-0{1 + number % 3}-05,"{name}",Open,{100 + number},2026-05-01,,open'
        for number, name in enumerate(SEGMENTS)
    ]
    head = (folder / "opportunities.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / "opportunities.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def kernels():
    with Kernels() as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    reports.notebook(tmp_path / "notebooks", "01_first", MAKES)
    reports.notebook(tmp_path / "notebooks", "10_segment", READS, parameters=PARAMETERS, title="What of it?")
    return tmp_path


def make(company: Path, place: Path, kernels: Kernels, out: str = "reports", **options: object) -> Path:
    asked = {"as_of": "2026-03", "out": place / out, "notebooks": place / "notebooks", "stages": FIRST}
    return report(company, **asked, kernels=kernels, **{"by": "segment", **options}).parents[1]


def files(month: Path) -> dict[str, bytes]:
    return {
        path.relative_to(month).as_posix(): path.read_bytes()
        for path in sorted(month.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


@pytest.mark.slow
def test_each_segment_has_a_page_and_the_same_bytes_wherever_it_is_made(company: Path, place: Path, kernels: Kernels):
    month = make(company, place, kernels)
    alone = files(month)
    pages = {name for name in alone if re.fullmatch(r"segments/[a-z0-9-]+\.html", name)} - {"segments/index.html"}
    assert len(pages) == len(SEGMENTS)
    listed = alone["segments/index.html"].decode()
    assert {f"segments/{href}" for href in re.findall(r'<th scope="row"[^>]*><a href="([^"]+)"', listed)} == pages
    assert "<b>South" not in listed
    table = pd.read_parquet(month / "tables" / "segments.parquet")
    assert set(table["segment"]) == {*SEGMENTS, "Total"}
    listed_as = dict(zip(table["page"], table["segment"], strict=True))
    for name in pages:
        text, folder = alone[name].decode(), name.removesuffix(".html")
        assert "Tiny &amp; Co: " in text
        assert 'href="../glossary.html' in text
        assert 'href="index.html"' in text
        part = html.unescape(re.findall('<p class="part">(.*?)</p>', text)[0])
        assert listed_as[name.removeprefix("segments/")] == part
        notebook = nbformat.reads(alone[f"{folder}/10_segment.ipynb"].decode(), as_version=4)
        assert str(place) not in json.dumps(notebook)
        assert "/tmp/" not in text
        own = {path.stem for path in (month / folder / "tables").glob("*.csv")}
        assert own >= set(NAMES)
    facts = json.loads((month / "manifest.json").read_text(encoding="utf-8"))
    assert facts["notebooks"]["10_segment"]["pages"] == len(SEGMENTS)
    assert set(facts["files"]) == set(alone)
    assert months.hashes(month) == facts["files"]
    assert files(make(company, place, kernels, "spread", workers=2)) == alone


@pytest.mark.long
def test_a_cluster_makes_the_same_bytes(company: Path, place: Path, kernels: Kernels):
    alone = files(make(company, place, kernels))
    with running() as cluster:
        assert files(make(company, place, kernels, "dask", dask=cluster.address)) == alone


@pytest.mark.slow
def test_without_it_nothing_changes(company: Path, place: Path, kernels: Kernels):
    month = make(company, place, kernels, by=None)
    assert not (month / "segments").exists()
    assert not any("segments" in name for name in files(month))
    assert b"segments/index.html" not in b"".join(files(month).values())
    assert "10_segment" not in (month / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.faults
def test_a_worker_that_is_killed_costs_time_only(company: Path, place: Path, kernels: Kernels):
    slow = f"import time\ntime.sleep(.5)\n{READS}"
    reports.notebook(place / "notebooks", "10_segment", slow, parameters=PARAMETERS)
    alone = files(make(company, place, kernels))
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if any("popen_loky" in word for word in process.cmdline()) and process.children():
                        process.kill()
                        killed.append(process.pid)
                        return
            time.sleep(0.05)

    watching = threading.Thread(target=kill, daemon=True)
    watching.start()
    assert files(make(company, place, kernels, "spread", workers=2)) == alone
    watching.join(timeout=60)
    assert killed


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_page_that_fails_is_named_and_the_next_run_goes_on(
    company: Path, place: Path, kernels: Kernels, workers: int
):
    fails = f"{READS}\nassert segment != 'Zürich', 'it broke'"
    reports.notebook(place / "notebooks", "10_segment", fails, parameters=PARAMETERS)
    with pytest.raises(NotebookError, match="10_segment of Zürich, cell 3: AssertionError: it broke") as told:
        make(company, place, kernels, workers=workers)
    assert told.value.exit_code == 3
    assert Path(told.value.partial).is_file()
    assert "it broke" in Path(told.value.partial).read_text(encoding="utf-8")
    assert not (place / "reports" / "2026-03-31").exists()
    reports.notebook(place / "notebooks", "10_segment", READS, parameters=PARAMETERS)
    assert (make(company, place, kernels) / "segments" / "zurich.html").is_file()


@pytest.mark.slow
def test_a_run_takes_over_the_pages_that_are_finished(company: Path, place: Path, kernels: Kernels):
    # It fails at one page, for want of a file; nothing it is made from changes.
    needs = f"{READS}\nfrom pathlib import Path\nassert segment != 'Zürich' or Path({str(place)!r}, 'there').exists()"
    says = f"{needs}\nPath({str(place)!r}, 'ran').open('a').write(segment + chr(10))"
    reports.notebook(place / "notebooks", "10_segment", says, parameters=PARAMETERS)
    with pytest.raises(NotebookError):
        make(company, place, kernels)
    before = (place / "ran").read_text(encoding="utf-8").splitlines() if (place / "ran").exists() else []
    (place / "there").touch()
    month = make(company, place, kernels)
    after = (place / "ran").read_text(encoding="utf-8").splitlines()
    assert sorted(after) == sorted(SEGMENTS)
    assert after[: len(before)] == before
    (place / "ran").unlink()
    assert files(make(company, place, kernels, "afresh")) == files(month)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"by": "owner"}, "a report cannot be divided by 'owner'; known: segment"),
        ({"by": None, "workers": 2}, "give --by segment too"),
        ({"workers": 2, "dask": "tcp://127.0.0.1:1"}, "exclude each other"),
        ({"workers": 0}, "workers: 0 is not"),
    ],
)
def test_what_cannot_be_asked_is_refused(company: Path, place: Path, kernels: Kernels, asked: dict, message: str):
    with pytest.raises(ParameterError, match=message):
        make(company, place, kernels, **asked)
    assert not (place / "reports").exists()


@pytest.mark.slow
@pytest.mark.faults
def test_without_a_scheduler_nothing_is_published(
    company: Path, place: Path, kernels: Kernels, monkeypatch: pytest.MonkeyPatch
):
    from forecast.models.spread import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(MachineError, match="no Dask scheduler answers"):
        make(company, place, kernels, dask="tcp://127.0.0.1:9")
    assert not (place / "reports" / "2026-03-31").exists()


def test_an_unknown_segment_is_refused(company: Path):
    with pytest.raises(ParameterError, match="segment: 'Zurich' is not known on that day; did you mean 'Zürich'"):
        of_segment("Zurich", data=company, as_of="2026-03")
