"""Every page for everyone: axe finds nothing in light and dark, wide and narrow; pictures, read-outs, paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from browser import axe_faults, browser, each_page, open_page

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("report")]

MONTH = "2026-10-31"
PICTURES = """() => [...document.querySelectorAll('svg[role=img]')].map(svg => {
    const named = (svg.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id));
    const figure = svg.closest('figure');
    return {
        names: named.map(element => element && element.closest('svg') === svg ? element.textContent : null),
        title: (figure && figure.querySelector('figcaption .title') || {}).textContent,
        rows: figure ? figure.querySelectorAll('details.data tbody tr').length : 0,
        summary: figure && figure.querySelector('details.data > summary') ? 1 : 0,
    };
})"""


@pytest.fixture(scope="module")
def chrome(chromium: str):
    with browser(chromium) as running:
        yield running


def pages_of(report: Path) -> list[Path]:
    pages = sorted(report.rglob("*.html"))
    assert len(pages) >= 9
    return pages


@pytest.mark.parametrize(
    ("width", "dark", "all_pages"), [(1280, False, True), (390, True, True), (1280, True, False), (390, False, False)]
)
def test_axe_finds_nothing(chrome, sample_report: Path, width: int, dark: bool, all_pages: bool):
    """All pages wide and light, narrow and dark, for no colour depends on the width; the leader's page in all four."""
    paths = pages_of(sample_report) if all_pages else [sample_report / MONTH / "index.html"]
    assert not axe_faults(each_page(chrome, paths, width=width, dark=dark, free=True), below=sample_report)


def test_every_picture_names_its_finding_and_has_its_data(chrome, sample_report: Path):
    seen = 0
    for path, page in each_page(chrome, pages_of(sample_report)):
        for picture in page.evaluate(PICTURES):
            seen += 1
            title, description = picture["names"]
            assert title == picture["title"], path.name
            assert len(title.split()) >= 3, f"{path.name}: {title!r} is no sentence"
            assert title[0].isupper() or title[0].isdigit(), f"{path.name}: {title!r}"
            assert len(description) > len("a shape and values"), f"{path.name}: {description!r}"
            assert picture["summary"] == 1, f"{path.name}: {title}: no disclosure"
            assert picture["rows"] >= 1, f"{path.name}: {title}: no table"
    assert seen >= 20


def test_a_mark_says_what_it_is_to_the_pointer_and_to_the_keys(chrome, sample_report: Path):
    page = open_page(chrome, sample_report / MONTH / "index.html")
    plots = [plot for plot in page.query_selector_all(".plot[data-say]") if plot.is_visible()]
    assert len(plots) >= 6
    for plot in plots:
        said = [text for _, _, text in json.loads(plot.get_attribute("data-say"))]
        keys = plot.query_selector(".keys")
        keys.focus()
        assert keys.get_attribute("aria-valuetext") == said[0]
        keys.press("End")
        assert keys.get_attribute("aria-valuetext") == said[-1]
        keys.press("ArrowLeft")
        assert keys.get_attribute("aria-valuenow") == str(max(len(said) - 1, 1))
        assert page.inner_text(".readout.on").split() == re.sub(": |; ", " ", said[max(len(said) - 2, 0)]).split()
        keys.press("Home")
        assert keys.get_attribute("aria-valuenow") == "1"
        keys.press("Escape")
        assert not page.query_selector(".readout.on")
        plot.scroll_into_view_if_needed()
        x, y, text = json.loads(plot.get_attribute("data-say"))[1]
        box = plot.bounding_box()
        scale = box["width"] / float(plot.query_selector("svg").get_attribute("viewBox").split()[2])
        page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)
        assert page.inner_text(".readout.on").split() == re.sub(": |; ", " ", text).split()
        page.mouse.move(0, 0)
        assert not page.query_selector(".readout.on")
    page.context.close()


def test_a_phone_s_readout_stays_on_the_page(chrome, sample_report: Path):
    page = open_page(chrome, sample_report / MONTH / "index.html", width=390)
    for plot in page.query_selector_all(".plot[data-say]"):
        keys = plot.query_selector(".keys")
        if not plot.is_visible():
            assert not keys.is_visible()
            continue
        for key in ("Home", "End"):
            keys.press(key)
            box = page.query_selector(".readout.on").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()


def test_without_scripts_a_page_looks_the_same(chrome, sample_report: Path):
    path = sample_report / MONTH / "index.html"
    with_scripts, without = (open_page(chrome, path, scripts=scripts) for scripts in (True, False))
    assert with_scripts.screenshot(full_page=True) == without.screenshot(full_page=True)
    for page in (with_scripts, without):
        page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_word_says_what_it_means_to_the_pointer_and_to_the_keys(chrome, sample_report: Path, width: int):
    shown = "one => getComputedStyle(one, '::after').content"
    for path, page in each_page(chrome, pages_of(sample_report), width=width):
        words = [word for word in page.query_selector_all("dfn a") if word.is_visible()]
        assert words or path.parent.name != MONTH or path.name == "glossary.html", path.name
        for word in words:
            assert word.evaluate(shown) == "none"
            word.focus()
            assert word.get_attribute("aria-description") in word.evaluate(shown)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
            word.evaluate("one => one.blur()")
        for word in words[:2]:
            word.hover()
            assert word.get_attribute("aria-description") in word.evaluate(shown)


def test_on_paper_words_stay_as_they_are(chrome, sample_report: Path):
    page = open_page(chrome, sample_report / MONTH / "index.html")
    page.emulate_media(media="print")
    page.query_selector("dfn a").focus()
    look = page.evaluate(
        "() => { const one = document.querySelector('dfn a'); const after = getComputedStyle(one, '::after');"
        " return [getComputedStyle(one).textDecorationLine, after.display]; }"
    )
    assert look == ["none", "none"]
    page.context.close()


def test_every_link_leads_somewhere(sample_report: Path):
    found = 0
    for path in pages_of(sample_report):
        html = re.sub(r"<(svg|style|script|code|pre)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for href in re.findall(r'<a [^>]*?href="([^"]+)"', html):
            found += 1
            file, _, anchor = href.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.is_file(), f"{path.name}: {href}"
            if anchor:
                assert f'id="{anchor}"' in target.read_text(encoding="utf-8"), f"{path.name}: {href}"
    assert found >= 100


def test_the_leader_s_page_leads_to_its_tables(sample_report: Path):
    html = (sample_report / MONTH / "index.html").read_text(encoding="utf-8")
    assert {"bookings", "deals", "changes_deals"} & set(re.findall(r'href="tables/([a-z_]+)\.csv"', html))
    assert "file of tables" not in html


def test_pages_are_small(sample_report: Path):
    for path in pages_of(sample_report):
        assert path.stat().st_size < 400_000, f"{path.name}: {path.stat().st_size:,} bytes"


def test_the_leader_s_page_prints_on_four_pages_at_most(chrome, sample_report: Path):
    page = open_page(chrome, sample_report / MONTH / "index.html")
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    assert 1 <= pages <= 4
    assert re.search(rb"/MediaBox\s*\[\s*0 0 59[45][.\d]* 84[12][.\d]*\s*\]", printed), "not on A4"
    page.emulate_media(media="print")
    cut = page.evaluate(
        "() => [...document.querySelectorAll('tr, figure, .card, .finding')]"
        ".filter(one => getComputedStyle(one).breakInside !== 'avoid').map(one => one.outerHTML.slice(0, 80))"
    )
    assert not cut
    page.set_viewport_size({"width": 673, "height": 900})  # the width between the margins of A4
    wide = page.evaluate(
        "() => [...document.querySelectorAll('.scroll:not(.stacks)')].filter(one => one.offsetParent)"
        ".filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.getAttribute('aria-label'))"
    )
    assert not wide, "cut on the right"
    hidden = "() => ['.readout', '.ring', '.keys', '.skip'].filter(one => document.querySelector(one)?.offsetParent)"
    assert page.evaluate(hidden) == []
    page.context.close()


def test_before_and_after_reads_whole_on_a_phone_and_in_print(chrome, sample_report: Path):
    measure = """() => [...document.querySelectorAll('.stacks')].map(one => ({
        fits: one.scrollWidth <= one.clientWidth,
        figures: [...one.querySelectorAll('td[data-head]')].map(cell => cell.getBoundingClientRect())
            .filter(box => box.width && box.left >= 0 && box.right <= innerWidth).length,
        cells: one.querySelectorAll('td[data-head]').length,
        blocks: getComputedStyle(one.querySelector('tbody tr')).display === 'grid'}))"""
    for name, tables in (("index.html", 1), ("analysis/05_joint_planning.html", 3)):
        page = open_page(chrome, sample_report / MONTH / name, width=390)
        found = page.evaluate(measure)
        assert len(found) == tables
        assert found[0]["cells"] == 15  # three rows: both groups, the benchmark in both, the difference
        assert all(one["fits"] and one["blocks"] and one["figures"] == one["cells"] for one in found), found
        page.set_viewport_size({"width": 1280, "height": 900})
        assert all(one["fits"] and not one["blocks"] for one in page.evaluate(measure))
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 673, "height": 900})  # the width between the margins of A4
        assert all(one["fits"] for one in page.evaluate(measure))
        page.context.close()


def test_a_table_that_goes_on_shows_it(chrome, sample_report: Path):
    for path, page in each_page(chrome, pages_of(sample_report), width=390):
        shades = page.evaluate(
            "() => [...document.querySelectorAll('.scroll')].map(one => getComputedStyle(one).backgroundAttachment)"
        )
        assert all(shade == "local, local, scroll, scroll" for shade in shades), path.name
