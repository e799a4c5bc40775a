"""What a page leads to: the first use of a word to the glossary, a table to its file."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import nbformat.v4 as v4
import pandas as pd
import pytest

from forecast.data.schema import Company
from forecast.reporting.charts.figure import Statement, TableView, Together
from forecast.reporting.month.results import Results
from forecast.reporting.pages.glossary import SECTIONS
from forecast.reporting.run import export, links, pages

MARK = re.compile(r'<dfn><a href="([^"]*)" aria-description="([^"]*)">([^<]*)</a></dfn>')


PAGES = [{"name": "a", "title": "A", "href": "a"}]


def without_sources(html: str) -> str:
    """Return HTML without the elements that say where a number comes from."""
    return re.sub(r'<span data-src="[^"]*">([^<]*)</span>', r"\1", html)


def marked(page: str) -> list[str]:
    return [words for _, _, words in MARK.findall(links.with_terms(page, "glossary.html"))]


def test_the_first_use_of_a_word_is_explained_and_no_other():
    page = links.with_terms("<p>A WAPE of 30 %, no WAPE &amp; Bias.</p><p>bias</p>", "../glossary.html")
    (href, meaning, word), (_, _, second) = MARK.findall(page)
    assert (href, word, second) == ("../glossary.html#wape", "WAPE", "Bias")
    assert html.unescape(meaning) == "All misses added up, as a share of all that was booked: never a mean of ratios."
    assert re.sub(r"</?(dfn|a)\b[^>]*>", "", page) == "<p>A WAPE of 30 %, no WAPE &amp; Bias.</p><p>bias</p>"


@pytest.mark.parametrize(
    "element",
    [
        "<h2>{}</h2>",
        '<a href="#x">{}</a>',
        "<table><caption>{0}</caption><tr><td>{0}</td></tr></table>",
        "<svg><text>{}</text></svg>",
        "<code>{}</code>",
        "<pre><span>{}</span></pre>",
        "<summary>{}</summary>",
        '<p title="{}"></p>',
        '<p title="a > {}"></p>',
        "<!-- {} -->",
        "<script>{}</script>",
        "<style>{}</style>",
        "<head><title>{}</title></head>",
        "<h1><span>a</span>{}</h1>",
    ],
)
def test_only_prose_is_marked(element: str):
    page = element.format("WAPE")
    assert links.with_terms(page, "glossary.html") == page
    assert marked(page + "<p>WAPE</p>") == ["WAPE"]


def test_what_is_in_the_open_comes_before_what_is_folded_away():
    page = "<details><summary>s</summary><p>WAPE, bias</p></details><p>the WAPE</p>"
    shown = links.with_terms(page, "g")
    assert shown.index("WAPE, ") < shown.index("<dfn>") < shown.index("the <dfn>")
    assert marked(page) == ["bias", "WAPE"]


def test_a_table_leads_to_its_file_where_that_is_there():
    frame = pd.DataFrame({"n": range(9)})
    frame.attrs["table"] = "deals"
    shown = without_sources(TableView(frame.iloc[1:], "Deals", most=3)._repr_html_())
    linked = links.with_tables(shown, {"deals"}, page_name="page03", up="../")
    assert '5 more rows in <a href="../tables/deals.csv">deals.csv</a>.' in linked
    assert "5 more rows in deals.csv." in links.with_tables(shown, (), page_name="page03", up="")
    whole = TableView(frame, "Deals")._repr_html_()
    assert '<p class="source file" hidden>' in whole  # in JupyterLab there is no month to lead to
    assert '<p class="source file">Table: <a href="tables/deals.csv">' in links.with_tables(
        whole, {"deals"}, page_name="page07", up=""
    )
    assert "hidden" in links.with_tables(whole, (), page_name="page07", up="")


def test_a_page_s_own_tables_have_its_name_before_theirs():
    frame = pd.DataFrame({"n": range(9)})
    frame.attrs["table"] = "page_misses"
    shown = without_sources(TableView(frame, "Misses", most=3)._repr_html_())
    assert "<summary>6 more rows</summary>" in shown  # all are there, also where there is no file
    linked = links.with_tables(shown, {"page04_misses"}, page_name="page04", up="../")
    assert 'Table: <a href="../tables/page04_misses.csv">page04_misses.csv</a>' in linked


def about(kind: str) -> export.Page:
    return export.Page(
        kind=kind,
        title="T",
        notebook="03_x",
        company="C",
        as_of="2026-10-31",
        pages=[{"name": "a", "title": "A", "href": "a"}],
    )


def test_a_page_of_a_month_leads_there_and_a_page_that_failed_does_not(tmp_path):
    frame = pd.DataFrame({"n": [1]})
    frame.attrs["table"] = "deals"
    Results(tmp_path / "tables").write("deals", frame)
    part = Together(Statement("A WAPE."), TableView(frame, "Deals"))._repr_html_()
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell("1", outputs=[v4.new_output("display_data", {"text/html": part})])]
    )
    for kind, up in (("leader", ""), ("analysis", "../")):
        pages.write_page(notebook, about(kind), tmp_path / "page.html", tables=tmp_path / "tables")
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert f'<a href="{up}tables/deals.csv">deals.csv</a>' in page
        assert MARK.search(page)[1] == f"{up}glossary.html#wape"
        assert f'<p class="words"><a href="{up}glossary.html">' in page
        pages.write_page(notebook, replace(about(kind), pages=()), tmp_path / "failed.html")
        outside = (tmp_path / "failed.html").read_text(encoding="utf-8")
        assert "glossary.html" not in outside
        assert "deals.csv</a>" not in outside


def test_every_word_has_its_place_in_the_glossary(tmp_path):
    pages.write_glossary(tmp_path, company=Company(name="<b>C"))
    page = (tmp_path / links.GLOSSARY).read_text(encoding="utf-8")
    for terms in SECTIONS.values():
        for each in terms:
            assert f'<dt id="{each.anchor}"><dfn>{each.word}</dfn></dt>' in page
    assert "<b>C" not in page
    assert "script-src 'none'" in page


def test_the_index_leads_to_the_newest_month_s_glossary_where_it_has_one(tmp_path):
    for day, words in (("2026-09-30", True), ("2026-10-31", False)):
        for name in ["index.html", "manifest.json", *(["glossary.html"] if words else [])]:
            (tmp_path / day).mkdir(exist_ok=True)
            (tmp_path / day / name).write_text("{}")
    pages.write_index(tmp_path, company=Company(name="C"))
    assert "glossary" not in (tmp_path / "index.html").read_text().split("</style>")[1]
    (tmp_path / "2026-10-31" / "glossary.html").write_text("")
    pages.write_index(tmp_path, company=Company(name="C"))
    assert 'href="2026-10-31/glossary.html"' in (tmp_path / "index.html").read_text()
