"""Charts, tables and findings as HTML; one palette for charts and pages; the page's own script and landmarks."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from nbformat import v4

from forecast import wording
from forecast.reporting.charts import style
from forecast.reporting.charts.figure import Cards, Chart, Notes, Statement, TableView, Tooltip, render
from forecast.reporting.charts.svg import svg
from forecast.reporting.run import export

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "x' onmouseover='alert(1)",
    "$\\alpha$ & ]]> <!--",
    "\u202eevil\u0000\u0007",
    "</svg></style>",
    "𝒳 名前 " + "x" * 500,
]


def figure(label: str = "a") -> Figure:
    with style.drawing():
        out = Figure(figsize=(4, 2))
        axes = out.add_subplot()
        axes.plot([0, 1], [0, 1], color=style.BLUE, marker="o")
        axes.text(0.5, 0.5, label, color=style.INK)
        axes.fill_between([0, 1], 0, 1, color=style.BLUE, alpha=0.2)
    return out


def chart(label: str = "a") -> Chart:
    table = pd.DataFrame({"name": [label], "value": [1.5]})
    return Chart(
        figure=figure(label),
        title=f"T {label}",
        subtitle=f"S {label}",
        description=f"D {label}",
        table=table,
        source=f"Source {label}",
        narrow=figure(label),
        tooltips=[Tooltip(1, 2, label)],
    )


class Seen(HTMLParser):
    """What a browser would see: tags, attributes, ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_the_palette_is_readable_in_light_and_dark():
    for palette in (style.LIGHT, style.DARK):
        for role in ("ink", "soft", "blue", "red", "green", "purple"):
            assert style.contrast(palette[role], palette["paper"]) >= 4.5, role
        for role in ("axis", "grey"):
            assert style.contrast(palette[role], palette["paper"]) >= 3.0, role
    assert style.contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert style.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # published example of WCAG


def test_page_and_charts_share_the_palette():
    css = (export.TEMPLATES / "page" / "page.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in css.split("@media", 2)[:2])
    assert {role: light[role] for role in style.LIGHT} == dict(style.LIGHT)
    assert {role: dark[role] for role in style.DARK} == dict(style.DARK)


@pytest.mark.slow
def test_the_same_chart_gives_the_same_bytes_and_leaves_settings_alone():
    before = dict(mpl.rcParams)
    assert chart()._repr_html_() == chart()._repr_html_()
    assert dict(mpl.rcParams) == before
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert chart()._repr_html_() == chart()._repr_html_()
        theirs = chart()._repr_html_()
    assert theirs == chart()._repr_html_()


def test_svg_is_named_described_and_coloured_by_variables():
    root = ET.fromstring(svg(figure(), title="The finding", description="The shape"))
    assert root.get("role") == "img"
    names = root.get("aria-labelledby", "").split()
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    assert [by_id[name].text for name in names] == ["The finding", "The shape"]
    text = ET.tostring(root, encoding="unicode")
    assert "var(--blue,#0069a6)" in text
    assert not re.findall(r"(?<![,(])#[0-9a-f]{6}", re.sub(r'href="#[^"]*"|url\(#[^)]*\)', "", text))
    assert "DejaVu" not in text
    for name in re.findall(r'(?:href="#|url\(#)([^")]+)', text):
        assert name in by_id


def test_lines_between_unknown_points_have_no_shape_and_are_not_drawn():
    drawn = Figure(figsize=(3, 2))
    drawn.subplots().hlines([np.nan, 1.0, np.nan, np.nan, 2.0], 0.0, 1.0, color="black")
    root = ET.fromstring(svg(drawn, title="The finding", description="The shape"))
    assert all(element.get("d") for element in root.iter() if element.tag.endswith("path"))


def test_ids_are_unique_across_charts_and_widths():
    html = chart("a")._repr_html_() + chart("b")._repr_html_()
    ids = [value for name, value in Seen(html).attributes if name == "id"]
    assert len(ids) > 4
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_ever_text(name: str):
    frame = pd.DataFrame({name: [name], "amount": [1.0]})
    parts = [
        chart(name),
        Statement(name, name),
        Notes([name], name),
        Notes([name], name, fold=True),
        Cards([(name, name, name)]),
        TableView(frame, name, total=name, fold=name),
    ]
    for part in parts:
        seen = Seen(part._repr_html_())
        assert not {"img", "script"} & set(seen.tags)
        assert not [attribute for attribute, _ in seen.attributes if attribute.startswith("on")]
        assert "\u202e" not in part._repr_html_()
        assert seen.tags.count("svg") in (0, 2)


def test_the_template_trusts_no_value():
    source = (export.TEMPLATES / "parts.html.j2").read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|\bMarkup\b", source)
    assert render("note", "<b>1 %</b>\u202e", "<i>") == (
        '<p class="forecast-note"><strong>&lt;i&gt;</strong> &lt;b&gt;1\u202f%&lt;/b&gt;</p>'
    )


def test_a_table_reads_without_its_looks():
    frame = pd.DataFrame(
        {
            "segment": ["North", "Total"],
            "amount": [1234567.0, np.nan],
            "day": pd.to_datetime(["2026-10-31", None]),
            "yes": [True, False],
        }
    )
    html = TableView(frame, "Amounts", columns={"segment": "Segment", "amount": "Amount"}, total="Total")._repr_html_()
    assert '<th scope="col">Segment</th><th scope="col" class="n">Amount</th>' in html
    assert '<th scope="row">North</th><td class="n">1.23\u202fm</td>' in html
    assert '<tr class="total"><th scope="row">Total</th><td class="n">–</td>' in html
    assert "<caption><span>Amounts</span></caption>" in html
    worded = pd.DataFrame({"evidence": ["25 open (4 %), worth €986 k", "1.2 m CHF", "bolt 5 m"]})
    html = TableView(worded, "Evidence")._repr_html_()  # no line ends between a number and its unit
    for shown in ("25 open (4\u202f%), worth €986\u202fk", "1.2\u202fm\u202fCHF", "bolt 5 m"):
        assert shown in html
    everything = TableView(frame, "All")._repr_html_()
    assert "2026-10-31" in everything
    assert "<td>yes</td>" in everything
    long = TableView(pd.DataFrame({"n": range(100)}), "Long", most=10)._repr_html_()
    assert "<summary>90 more rows</summary>" in long
    assert '<th scope="row">99</th>' in long  # no file holds them, so all are there
    assert "not shown" not in long
    longer = TableView(pd.DataFrame({"n": range(1000)}), "Longer", most=10)._repr_html_()
    assert "<summary>990 more rows</summary>" in longer
    assert "790 more rows that are not shown here." in longer
    assert "Nothing to show" in TableView(frame.iloc[:0], "None")._repr_html_()


def test_empty_notes_and_cards_show_nothing():
    assert Notes([])._repr_html_() == ""
    assert Cards([])._repr_html_() == ""
    with pytest.raises(ValueError, match="no finding of kind 'loud'"):
        Statement("a", kind="loud")._repr_html_()


def page(kind: str) -> str:
    output = v4.new_output("display_data", data={"text/html": chart()._repr_html_()})
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# What?\n\nIntroduction."),
            v4.new_code_cell("months = 6", metadata={"tags": ["parameters"]}),
            v4.new_markdown_cell("## How good, really?"),
            v4.new_code_cell("secret_call()", outputs=[output]),
        ]
    )
    pages = [{"name": "n", "title": "What?", "href": "index.html"}, {"name": "m", "title": "More", "href": "m.html"}]
    parameters = [{"name": "months", "value": "6", "meaning": "months ahead"}]
    frame = export.Page(
        kind=kind,
        title="What?",
        notebook="n",
        company="C & Co",
        as_of="2026-10-31",
        parameters=parameters,
        pages=pages,
    )
    return export.page(notebook, frame)


@pytest.mark.slow
def test_the_policy_allows_the_pages_own_script_and_nothing_else():
    for kind, count in (("leader", 1), ("analysis", 2)):
        html = page(kind)
        scripts = re.findall(r"<script>(.*?)</script>", html, re.S)
        assert len(scripts) == html.count("<script") == count
        hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
        assert policy
        allowed = " ".join(f"'sha256-{value}'" for value in hashes)
        assert f"script-src {allowed};" in policy[1]
        assert policy[1].startswith("default-src 'none'")


def test_a_page_whose_charts_say_nothing_has_no_script():
    html = export.page(
        v4.new_notebook(cells=[]), export.Page(kind="leader", title="T", notebook="n", company="C", as_of="2026-10-31")
    )
    assert "<script" not in html
    assert "script-src 'none';" in html


def test_the_tooltips_script_is_small_and_writes_text_only():
    script = (export.TEMPLATES / "page" / "tooltips.js").read_text(encoding="utf-8")
    assert len(script.encode()) < 3 * 1024
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(|XMLHttp|import\(|</", script
    )


def test_an_analysis_page_has_contents_parameters_and_folded_code():
    html = page("analysis")
    target = re.search(r'<ol>\s*<li><a href="#([^"]+)">How good, really\?</a>', html)
    assert target
    assert f'id="{target[1]}"' in html
    assert html.count('<details class="code">') == 1  # the parameters stand in their table, not in code
    assert "secret_call" in html
    assert '<th scope="row">months</th><td>6</td><td>months ahead</td>' in html
    for part in ('<html lang="en">', 'href="#content"', '<main id="content"', "<nav", "<header", "<footer"):
        assert part in html


def test_a_leaders_page_has_no_code():
    html = page("leader")
    assert "secret_call" not in html
    assert "all-code" not in html
    assert 'details class="code"' not in html
    assert html.count("<h1") == 1
    assert "C &amp; Co" in html


@pytest.mark.parametrize("name", HOSTILE)
def test_tooltips_come_back_as_they_were_and_are_only_text(name: str):
    one = Chart(
        figure=figure(),
        title="T",
        subtitle="S",
        description="D",
        table=pd.DataFrame({"a": [1.0]}),
        narrow=figure(),
        tooltips=[Tooltip(1.26, 2.5, name), Tooltip(3.0, 4.0, "plain")],
        by="x",
    )
    seen = Seen(one._repr_html_())
    assert "script" not in seen.tags
    (encoded,) = [
        json.loads(value) for attribute, value in seen.attributes if attribute == "data-say"
    ]  # the narrow has none
    assert encoded == [[1, 2, wording.clean(name)], [3, 4, "plain"]]
    assert ("data-by", "x") in seen.attributes
