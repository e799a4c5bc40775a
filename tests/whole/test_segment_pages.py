"""The pages of segments as a reader meets them: axe, a phone, paper, numbers that lead to cells, nobody's name."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from browser import axe_faults, browser, each_page, open_page
from one_truth import names_in, page_faults

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("redacted")]

MONTH = "2026-10-20"


@pytest.fixture(scope="module")
def chrome(chromium: str):
    with browser(chromium) as running:
        yield running


@pytest.fixture(scope="module")
def folder(redacted_report: Path) -> Path:
    """Return the folder of the pages of segments."""
    return redacted_report / MONTH / "segments"


def pages_of(folder: Path) -> list[Path]:
    """Return the list of segments and the pages of two: of that which should bring the most and the least."""
    table = pd.read_parquet(folder.parent / "tables" / "segments.parquet")
    pages = table.loc[table["page"] != "", "page"]
    assert len(pages) == 4
    return [folder / name for name in ("index.html", pages.iloc[0], pages.iloc[-1])]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing(chrome, folder: Path, width: int, dark: bool):
    assert not axe_faults(each_page(chrome, pages_of(folder), width=width, dark=dark, free=True), below=folder)


@pytest.mark.browser
def test_nothing_is_cut_on_a_phone_or_on_paper(chrome, folder: Path):
    for path, page in each_page(chrome, pages_of(folder), width=390):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name
    for path in pages_of(folder):
        page = open_page(chrome, path, width=673)  # the width between the margins of A4
        page.emulate_media(media="print")
        wide = page.evaluate(
            "() => [...document.querySelectorAll('.scroll:not(.stacks)')].filter(one => one.offsetParent)"
            ".filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.getAttribute('aria-label'))"
        )
        assert not wide, f"{path.name}: cut on the right"
        page.context.close()


def test_every_number_leads_to_a_cell_of_the_segment_or_the_month(folder: Path, redacted_company: Path, tmp_path: Path):
    table = pd.read_parquet(folder.parent / "tables" / "segments.parquet")
    deals = pd.read_parquet(folder.parent / "tables" / "deals.parquet")
    names = frozenset({*names_in(redacted_company), *deals["opportunity_id"], *table["segment"]})
    faults = page_faults(folder / "index.html", folder.parent / "tables", names=names)
    for page in table.loc[table["page"] != "", "page"]:
        own = tmp_path / page
        own.mkdir()
        for file in (folder / page.removesuffix(".html") / "tables").glob("*.csv"):  # a segment's are there as CSV
            pd.read_csv(file, float_precision="round_trip").to_parquet(own / f"{file.stem}.parquet")
        faults += page_faults(folder / page, own, names=names)
    assert not faults, "\n".join(faults)


def test_every_link_leads_somewhere(folder: Path):
    found = 0
    for path in sorted(folder.glob("*.html")):
        html = re.sub(r"<(svg|style|script|code|pre)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for href in re.findall(r'<a [^>]*?href="([^"]+)"', html):
            found += 1
            file, _, anchor = href.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.is_file(), f"{path.name}: {href}"
            assert not anchor or f'id="{anchor}"' in target.read_text(encoding="utf-8"), f"{path.name}: {href}"
    assert found >= 20


def test_pseudonyms_are_those_of_the_month_and_segments_keep_their_names(folder: Path):
    # No name is left in any of the files: `test_redacted_report` looks at every byte of the month.
    month = pd.read_parquet(folder.parent / "tables" / "deals.parquet")
    listed = pd.read_parquet(folder.parent / "tables" / "segments.parquet")
    pages = listed[listed["page"] != ""]
    assert set(pages["segment"]) == set(month["segment"])
    for segment, page in zip(pages["segment"], pages["page"], strict=True):
        own = pd.read_csv(folder / page.removesuffix(".html") / "tables" / "deals.csv")
        assert set(own["opportunity_id"]) == set(month.loc[month["segment"] == segment, "opportunity_id"])
        text = (folder / page).read_text(encoding="utf-8")
        assert "shown under pseudonyms" in text
        assert re.search("deal-[0-9a-f]{8}", text)
