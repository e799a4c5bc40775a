"""The pages of the sample's report in a real browser without a network: on a desktop, on a phone, in the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

import forecast
from browser import browser

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("report")]


@pytest.fixture(scope="module")
def chrome(chromium: str):
    with browser(chromium) as running:
        yield running


def visit(chrome, *paths: Path, width: int, dark: bool = False) -> Iterator[dict]:
    """Open pages offline, one after another; yield what each asked for, what it said, and how wide it is."""
    scheme = "dark" if dark else "light"
    context = chrome.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()  # one for all: each has a process, and begins it anew
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in paths:
        asked.clear()
        said.clear()
        page.goto(path.as_uri())
        measured = page.evaluate(
            "() => ({scroll: document.documentElement.scrollWidth, inner: window.innerWidth,"
            " h1: document.querySelectorAll('h1').length, lang: document.documentElement.lang,"
            " unnamed: [...document.querySelectorAll('svg[role=img]')].filter(s => !s.querySelector('title')"
            " || !s.querySelector('desc')).length, pictures: document.querySelectorAll('svg[role=img]').length,"
            " bare: document.querySelectorAll('img:not([alt]), img[alt=\"\"]').length})"
        )
        yield {"asked": list(asked), "said": list(said), **measured}
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_stands_alone(chrome, sample_report: Path, width: int, dark: bool):
    pages = sorted(sample_report.rglob("*.html"))
    assert len(pages) >= 9
    for path, seen in zip(pages, visit(chrome, *pages, width=width, dark=dark), strict=True):
        name = path.relative_to(sample_report).as_posix()
        assert seen["asked"] == [path.as_uri()], name
        assert seen["said"] == [], name
        assert seen["scroll"] <= seen["inner"], f"{name} scrolls sideways at {width} px"
        assert seen["h1"] == 1, name
        assert seen["lang"], name
        assert seen["unnamed"] == 0, f"{name}: a picture without title or description"
        assert seen["bare"] == 0, name


def test_the_leaders_page_has_pictures(chrome, sample_report: Path):
    (seen,) = visit(chrome, sample_report / "2026-10-31" / "index.html", width=1280)
    assert seen["pictures"] >= 3


def test_the_leaders_page_names_no_rep(sample: Path, sample_report: Path):
    text = (sample_report / "2026-10-31" / "index.html").read_text(encoding="utf-8")
    owners = forecast.read(sample).opportunities["owner"].dropna().unique()
    assert len(owners) > 10
    assert not [owner for owner in owners if owner in text]


def test_every_link_leads_somewhere(sample_report: Path):
    for path in sample_report.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for href in re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text):
            target = urlparse(href)
            assert not target.scheme, f"{path.name}: {href}"
            if target.path:
                assert (path.parent / unquote(target.path)).exists(), f"{path.name}: {href}"
            elif target.fragment:
                assert re.search(rf'\bid="{re.escape(unquote(target.fragment))}"', text), f"{path.name}: {href}"
