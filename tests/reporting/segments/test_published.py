"""Published months with a page for every segment: verified, compared, listed, made again and removed like any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import reports
from forecast.errors import NotebookError
from forecast.reporting.published import months
from forecast.reporting.published.clean import clean
from forecast.reporting.published.compare import compare
from forecast.reporting.published.replay import replayed
from forecast.reporting.published.runs import runs
from forecast.reporting.published.verify import verify
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import Stage
from forecast.reporting.run.report import report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-segments")]

STAGES = (Stage(name="01_first"), Stage(name="07_brief", after=("01_first",), kind="leader"))
MAKES = "from forecast.reporting.month.one_segment import of_segment\nof_segment(data=data, tables=tables, as_of=as_of)"
TELLS = (
    "from forecast.reporting.month.results import Results\nResults(tables).write_facts('headline', {'headline': 'H'})"
)
PARAMETERS = f'{reports.PARAMETERS}\nsegment: str = ""  # name of the segment'
READS = """\
from forecast.reporting.month.one_segment import of_segment
from forecast.reporting.charts.figure import Statement
part = of_segment(segment, data=data, tables=tables, as_of=as_of, months=months)
assert part.segment != "South" or as_of != "2026-01-31", "it broke"
Statement(f"{part.segment}: {len(part.deals)}")"""


@pytest.fixture(scope="module")
def kernels():
    with Kernels() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    reports.company(folder / "data")
    reports.notebook(folder / "notebooks", "01_first", MAKES)
    reports.notebook(folder / "notebooks", "07_brief", TELLS)
    reports.notebook(folder / "notebooks", "10_segment", READS, parameters=PARAMETERS, title="What of it?")
    return folder


def make(place: Path, kernels: Kernels, as_of: str, out: Path | None = None, **options: object) -> Path:
    asked = {"as_of": as_of, "out": out or place / "reports", "notebooks": place / "notebooks", "stages": STAGES}
    return report(place / "data", **asked, kernels=kernels, **options).parent


@pytest.fixture(scope="module")
def published(place: Path, kernels: Kernels) -> Path:
    """Return a folder with February's pages, and March's, which was first made without them."""
    make(place, kernels, "2026-02", by="segment")
    make(place, kernels, "2026-03")
    make(place, kernels, "2026-03", by="segment")
    return place / "reports"


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "reports"))


def test_each_file_of_a_segment_is_verified(copied: Path):
    assert verify(copied).unchanged
    folder = copied / "2026-03-31" / "segments"
    (folder / "north.html").write_text("other", encoding="utf-8")
    (folder / "south" / "tables" / "deals.csv").unlink()
    (folder / "west.html").write_text("more", encoding="utf-8")
    found = {each.month.name: each for each in verify(copied).checked}
    assert found["2026-03-31"].changed == ("segments/north.html",)
    assert found["2026-03-31"].missing == ("segments/south/tables/deals.csv",)
    assert found["2026-03-31"].extra == ("segments/west.html",)
    assert found["2026-02-28"].unchanged
    assert found["2026-03-31 version 1"].unchanged


def test_two_months_with_segments_are_compared_segment_by_segment(published: Path):
    found = compare(months.find(published, "2026-02"), months.find(published, "2026-03"))
    tables = {table.table: table for table in found.tables}
    # North and Total stand in both; South was first known in February, with a deal that is still open.
    assert tables["segments"].problem == ""
    assert tables["segments"].only_before == 0
    assert found.conclusion == "Of all that a month is made from only the day differs: that did it."


def test_pages_that_came_with_a_month_made_again_are_what_did_it(published: Path):
    found = compare(months.find(published, "2026-03@1"), months.find(published, "2026-03"))
    differs = {cause.what: cause.details for cause in found.causes if cause.differs}
    assert differs == {"notebooks": ("10_segment new",)}
    assert [(table.table, table.problem) for table in found.differing] == [("segments", "there was none before")]
    assert found.conclusion == "Of all that a month is made from only the notebooks differ: that did it."
    page = (published / "2026-03-31" / "index.html").read_text(encoding="utf-8")
    assert "It is made from other notebooks than the version before." in page
    gone = compare(months.find(published, "2026-03"), months.find(published, "2026-03@1"))
    assert [cause.details for cause in gone.causes if cause.differs] == [("10_segment gone",)]


def test_the_runs_and_the_list_of_months_know_it_once(published: Path):
    assert [(run.as_of, run.version, run.stands) for run in runs(published)] == [
        ("2026-03-31", 2, True),
        ("2026-03-31", 1, False),
        ("2026-02-28", 1, True),
    ]
    assert (published / "index.html").read_text(encoding="utf-8").count("2026-02-28/index.html") == 1


def test_a_month_with_segments_is_replayed_with_them(published: Path, place: Path, kernels: Kernels):
    options = {"data": place / "data", "notebooks": place / "notebooks", "stages": STAGES, "kernels": kernels}
    with replayed(published, "2026-03", **options) as found:
        assert found.comparison.conclusion == "Everything is the same."
        assert "segments" in {table.table for table in found.comparison.tables}
        assert found.left_out == []
        again, then = found.comparison.now.folder, published / "2026-03-31"
        for page in sorted(then.rglob("segments/**/*")):
            if page.is_file():
                assert (again / page.relative_to(then)).read_bytes() == page.read_bytes(), page
    with replayed(published, "2026-03@1", **options) as found:
        assert not (found.comparison.now.folder / "segments").exists()


def test_old_months_go_with_their_pages_and_those_that_failed(copied: Path, place: Path, kernels: Kernels):
    deals = place / "early"
    shutil.copytree(place / "data", deals)
    text = (deals / "opportunities.csv").read_text(encoding="utf-8")
    (deals / "opportunities.csv").write_text(text.replace("O3,2026-02-03", "O3,2026-01-23"), encoding="utf-8")
    asked = {"as_of": "2026-01", "out": copied, "notebooks": place / "notebooks", "stages": STAGES, "by": "segment"}
    with pytest.raises(NotebookError, match="10_segment of South"):
        report(deals, **asked, kernels=kernels)
    assert (copied / "failed" / "2026-01-31" / "segments" / "south.html").is_file()
    assert (copied / ".work" / "2026-01-31" / "segments" / "north.html").is_file()
    clean(copied, keep=1)
    left = sorted(path.name for path in copied.iterdir() if not path.name.startswith(".lock"))
    assert left == ["2026-03-31", "index.html", "published.json", "versions"]
    assert not list(copied.rglob("2026-01-31"))
    assert (copied / "2026-03-31" / "segments" / "index.html").is_file()
    assert verify(copied).unchanged


def test_the_pages_lead_to_the_months_own_files(published: Path):
    table = pd.read_parquet(published / "2026-03-31" / "tables" / "segments.parquet")
    assert sorted(table["page"]) == ["", "north.html", "south.html"]
    nav = (published / "2026-03-31" / "index.html").read_text(encoding="utf-8")
    assert 'href="segments/index.html"' in nav
    assert 'href="segments/index.html"' not in (published / "versions" / "2026-03-31" / "1" / "index.html").read_text(
        encoding="utf-8"
    )
