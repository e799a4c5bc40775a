"""A company whose every name is an attack: its report is harmless in a browser, in a spreadsheet and on the disk."""

from __future__ import annotations

import csv
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import hostile
import reports
from browser import browser
from forecast.errors import NotebookError
from forecast.reporting.run.prepare import Stage
from forecast.reporting.run.report import report
from one_truth import index_faults, names_in, number_faults

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hostile")]

HARMLESS = re.compile(
    "a|body|br|button|caption|code|col|dd|details|dfn|div|dl|dt|em|figcaption|figure|footer|h[1-4]|head|header|hr|html|img|li"
    "|main|meta|nav|ol|p|pre|script|span|strong|style|summary|table|tbody|td|th|thead|time|title|tr|ul"
    "|svg|desc|g|path|text|tspan|use|defs|clippath|rect|circle|line|polyline|polygon"
)
FORMULA = re.compile(r"(^|[;\t\n])[=+\-@\t\r＝＋－＠]")
NUMBER = re.compile(r"^[-+]?\d+(\.\d+)?([eE][-+]?\d+)?%?$")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `data`, `reports` and, below `reports/failed`, the page of a notebook that failed."""
    place = tmp_path_factory.mktemp("hostile")
    hostile.write(place / "data")
    report(place / "data", as_of="2026-10-31", out=place / "reports")
    raising = (
        "import forecast\nlog = forecast.read(data)\nraise ValueError(' '.join(log.opportunities['owner'].unique()))"
    )
    reports.notebook(place / "notebooks", "01_first", raising)
    with pytest.raises(NotebookError):
        report(
            place / "data",
            as_of="2026-09",
            out=place / "reports",
            notebooks=place / "notebooks",
            stages=[Stage(name="01_first")],
        )
    return place


def pages(place: Path) -> list[Path]:
    found = sorted((place / "reports").rglob("*.html"))
    assert len(found) == 11  # the index, eight notebooks, the glossary, the one that failed
    return found


class Tags(HTMLParser):
    """The elements of a piece of HTML and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def hold_harmless(text: str, where: str) -> None:
    """Hold that markup has no element, attribute or address that the library does not write."""
    for tag, attributes in Tags(text).seen:
        assert HARMLESS.fullmatch(tag), f"{where}: <{tag}>"
        assert not [name for name in attributes if name.startswith("on") or not re.fullmatch(r"[a-z:_-]+\d?", name)], (
            where
        )
        for name in ("href", "src", "xlink:href"):
            address = attributes.get(name) or ""
            assert not re.match(r"\s*([a-z][a-z0-9+.-]*:|//|\\\\)", address, re.IGNORECASE) or (
                tag == "img" and address.startswith("data:image/png;base64,")
            ), f"{where}: {address[:60]}"


# -- pages -----------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_nothing_runs_and_nothing_is_asked_for_in_a_browser(made: Path, chromium: str):
    with browser(chromium) as chrome:
        page = chrome.new_context(viewport={"width": 390, "height": 900}).new_page()
        asked: list[str] = []
        said: list[str] = []
        page.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        for path in pages(made):
            name = path.relative_to(made / "reports").as_posix()
            asked.clear()
            said.clear()
            page.goto(path.as_uri())
            page.evaluate("() => document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
            seen = page.evaluate(
                "() => ({harm: window.harm ?? 0, wide: document.body.scrollWidth - window.innerWidth,"
                " policy: document.querySelectorAll('head > meta[http-equiv=Content-Security-Policy]').length,"
                " img: document.images.length, script: document.scripts.length,"
                " speaks: document.querySelector('[data-say]') ? 1 : 0,"
                " other: document.querySelectorAll('iframe, object, embed, form, input, base, link, video').length,"
                " acting: [...document.querySelectorAll('*')].filter(element =>"
                " [...element.attributes].some(attribute => attribute.name.startsWith('on'))).length})"
            )
            beside_the_logo = [url for url in asked if not url.startswith("data:image/png;base64,")]
            assert beside_the_logo == [path.as_uri()], name
            assert said == [], name
            analysis = "analysis/" in name or "failed/" in name
            wanted = {"harm": 0, "policy": 1, "img": 1, "script": analysis + seen["speaks"], "other": 0, "acting": 0}
            assert {key: seen[key] for key in wanted} == wanted, name
            assert seen["wide"] <= 0, f"{name} scrolls sideways"


def test_every_page_forbids_what_it_does_not_need(made: Path):
    for path in pages(made):
        text = path.read_text(encoding="utf-8")
        policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
        assert policy, path
        assert policy.start() < text.index("<title>"), path
        rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
        assert rules.pop("default-src") == "'none'"
        assert rules.pop("img-src") == "data:"
        assert rules.pop("style-src") == "'unsafe-inline'"
        assert re.fullmatch(r"'none'|'sha256-[\w+/=]+'( 'sha256-[\w+/=]+')?", rules.pop("script-src")), path
        assert rules == {"base-uri": "'none'", "form-action": "'none'"}


def test_markup_is_the_librarys_and_the_names_are_there_as_text(made: Path):
    for path in pages(made):
        text = path.read_text(encoding="utf-8")
        hold_harmless(text, path.name)
        assert "&lt;script&gt;window.harm=1" in text, path  # the company's name at the least
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", text), path
    failed = (made / "reports" / "failed" / "2026-09-30" / "01_first.html").read_text(encoding="utf-8")
    assert "&lt;iframe src=javascript" in failed


def test_what_jupyterlab_renders_is_harmless_too(made: Path):
    rendered = 0
    for file in sorted((made / "reports").rglob("*.ipynb")):
        for cell in nbformat.read(file, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert set(output.get("data", {})) <= {"text/html", "text/plain"}, file.name
                if "text/html" in output.get("data", {}):
                    rendered += 1
                    hold_harmless(output["data"]["text/html"], file.name)
    assert rendered > 30


def test_the_leaders_page_names_no_rep(made: Path):
    shown = visible(made / "reports" / "2026-10-31" / "index.html")
    assert "segment 0" in shown
    assert not re.search(r"\bowner \d", shown)
    rep = "=cmd|' /C calc'!A0 owner 5"
    track = visible(made / "reports" / "2026-10-31" / "analysis" / "04_track_record.html")
    assert f"{rep}’s forecast" in track  # who submits has a score, for the analyst
    assert rep not in shown


def test_every_number_leads_to_a_cell_and_no_name_is_taken_for_one(made: Path):
    names, out = names_in(made / "data"), made / "reports"
    assert not "\n".join([*number_faults(out / "2026-10-31", names=names), *index_faults(out, names=names)])


def visible(path: Path) -> str:
    """Return all that a page says, also in titles and descriptions, on one line."""
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return flat(html.unescape(re.sub(r"<[^>]*>", " ", text)))


def flat(text: str) -> str:
    return " ".join(text.split())


# -- files -----------------------------------------------------------------------------------------------


def test_no_table_holds_a_formula(made: Path):
    tables = sorted((made / "reports" / "2026-10-31" / "tables").glob("*.csv"))
    assert len(tables) > 15
    guarded = 0
    for file in tables:
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                for value in row:
                    assert NUMBER.match(value) or not FORMULA.search(value), f"{file.name}: {value[:80]!r}"
                    guarded += value.startswith("'")
    assert guarded > 30


def test_tables_keep_the_names_as_they_are(made: Path):
    deals = pd.read_parquet(made / "reports" / "2026-10-31" / "tables" / "deals.parquet")
    assert set(deals["opportunity_id"]) <= set(hostile.tables()[0]["opportunities"]["opportunity_id"])


def test_no_file_is_made_where_none_belongs(made: Path):
    assert {path.name for path in made.iterdir()} == {"data", "notebooks", "reports"}
    for path in made.rglob("*"):
        inside = path.relative_to(made).as_posix()
        if not inside.startswith("data/"):
            assert re.fullmatch(r"[a-z0-9_./-]+", inside, re.IGNORECASE), inside
    assert {path.name for path in (made / "reports").iterdir()} == {
        ".lock",
        ".work",
        "2026-10-31",
        "failed",
        "index.html",
        "published.json",
    }
    json.loads((made / "reports" / "2026-10-31" / "manifest.json").read_text(encoding="utf-8"))
