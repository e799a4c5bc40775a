"""One truth: every number on every page leads to the cell of a table, and says what stands there.

The sample by the main job, a company that has nothing but deals, one too thin to forecast, and a redacted month. A
company whose every name is an attack is held to the same in `test_hostile`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from forecast import wording
from forecast.reporting.run.report import report
from one_truth import CUT_TO, index_faults, names_in, number_faults, page_faults

LONG = "=cmd|' /C calc'!A0 7 segments of the far north, without 40 and 50"


def faults_of(out: Path, day: str, names: frozenset[str]) -> str:
    """Return the faults of a month and of the index, one a line."""
    return "\n".join([*number_faults(out / day, names=names), *index_faults(out, names=names)])


def faults_beside(text: str, folder: Path) -> list[str]:
    """Return the faults of a page of one sentence, of a company whose segment is called `LONG`."""
    file = folder / "page.html"
    file.write_text(f"<p>{text} is below plan</p>", encoding="utf-8")
    return page_faults(file, folder, names=frozenset({LONG}))


@pytest.mark.parametrize("name", [LONG, *(wording.label(LONG, most=most) for most in CUT_TO)])
def test_a_name_is_known_whole_and_cut_short_and_a_number_beside_it_is_found(name: str, tmp_path: Path):
    assert not faults_beside(name, tmp_path)
    for beside in (f"{name} 12", f"12 {name}", f"{name}, by 7 %,", f"7{name[1:]}"):
        assert len(faults_beside(beside, tmp_path)) == 1


@pytest.mark.parametrize(
    "text", ["A0 7 segments…", "=cmd|' /C calc'!A0 7", "=cmd|' /C calc'!A0 7 segmen", "=cmd|' 7…", "7…"]
)
def test_what_is_no_beginning_of_a_name_with_an_ellipsis_is_no_name(text: str, tmp_path: Path):
    assert faults_beside(text, tmp_path)


@pytest.mark.slow
@pytest.mark.xdist_group("report")
def test_the_sample(sample_report: Path, sample: Path):
    assert not faults_of(sample_report, "2026-10-31", names_in(sample))


@pytest.mark.slow
@pytest.mark.xdist_group("report")
def test_a_number_that_differs_from_its_cell_is_found(sample_report: Path, tmp_path: Path):
    month, copy = sample_report / "2026-10-31", tmp_path / "2026-10-31"
    for name in ("index.html", "tables", "notebooks"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).symlink_to(month / name)
    text = (month / "index.html").read_text(encoding="utf-8")
    assert "bookings:" in text
    (copy / "index.html").unlink()
    (copy / "index.html").write_text(text.replace("We expect to book", "Of 12 deals we expect to book"), "utf-8")
    assert any("no source" in fault for fault in number_faults(copy))
    (copy / "tables").unlink()
    (copy / "tables").mkdir()
    for file in (month / "tables").glob("*.parquet"):
        (copy / "tables" / file.name).symlink_to(file)
    (copy / "tables" / "bookings.parquet").unlink()
    moved = pd.read_parquet(month / "tables" / "bookings.parquet")
    moved.assign(mean=moved["mean"] * 1.01).to_parquet(copy / "tables" / "bookings.parquet")
    assert any("differs" in fault for fault in number_faults(copy))


@pytest.mark.slow
@pytest.mark.xdist_group("maven")
def test_a_company_with_nothing_but_deals(maven_report: Path, maven_company: Path):
    assert not faults_of(maven_report, "2017-12-31", names_in(maven_company))


@pytest.mark.slow
@pytest.mark.xdist_group("redacted")
def test_a_redacted_month_that_is_not_over(redacted_report: Path, redacted_company: Path):
    month = redacted_report / "2026-10-20"
    names = set(names_in(redacted_company))
    for table, column in (("deals", "opportunity_id"), ("deals", "segment"), ("scores", "model")):
        names.update(pd.read_parquet(month / "tables" / f"{table}.parquet")[column])
    assert not faults_of(redacted_report, "2026-10-20", frozenset(names))


@pytest.mark.slow
def test_a_company_too_thin_to_forecast(tmp_path: Path):
    deals = pd.DataFrame(
        {
            "opportunity_id": [f"D{i:02d}" for i in range(40)],
            "created_on": pd.date_range("2025-06-01", periods=40, freq="12D").strftime("%Y-%m-%d"),
            "segment": ["North", "South"] * 20,
            "stage": ["Won", "Lost", *["Proposal"] * 38],
            "amount": range(1000, 41000, 1000),
            "expected_close_on": "2026-11-20",
            "closed_on": ["2025-09-01", "2025-09-02", *[""] * 38],
            "outcome": ["won", "lost", *["open"] * 38],
        }
    )
    (tmp_path / "data").mkdir()
    deals.to_csv(tmp_path / "data" / "opportunities.csv", index=False)
    company = 'name = "Thin Company"\ncurrency = "EUR"\nextracted_on = 2026-10-31\n'
    (tmp_path / "data" / "company.toml").write_text(company, encoding="utf-8")
    report(tmp_path / "data", as_of="2026-10-31", out=tmp_path / "reports")
    leader = (tmp_path / "reports" / "2026-10-31" / "index.html").read_text(encoding="utf-8")
    assert "We cannot say what we will book" in leader
    assert "% range" not in re.sub(r"(?s)<footer.*", "", leader.partition("<h2")[0])
    assert not faults_of(tmp_path / "reports", "2026-10-31", names_in(tmp_path / "data"))
