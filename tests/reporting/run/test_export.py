"""Pages: what is escaped, what is trusted, what is left out."""

from __future__ import annotations

import re

import nbformat.v4 as v4
import pandas as pd
import pytest

from forecast.data.schema import Company
from forecast.reporting.charts.figure import TableView
from forecast.reporting.pages.fiscal import fiscal_months
from forecast.reporting.run import export, pages
from forecast.reporting.run.engine import Execution, Failure

TURNED = "\u202egnp.exe\u202c"
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


def about(kind: str = "analysis", **changed: object) -> export.Page:
    facts = {"title": "T", "notebook": "03", "company": "C", "as_of": "2026-10-31", **changed}
    return export.Page(kind=kind, **facts)


def code(source: str, *outputs: dict) -> dict:
    return v4.new_code_cell(source, outputs=list(outputs))


def shown(**data: str) -> dict:
    return v4.new_output("display_data", {name.replace("_", "/", 1): text for name, text in data.items()})


@pytest.mark.parametrize("kind", ["leader", "analysis"])
def test_names_from_a_crm_are_shown_as_text(kind):
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title"),
            code("1", shown(text_plain=HOSTILE), shown(text_markdown=f"**{HOSTILE}**")),
            code("2", v4.new_output("stream", text=HOSTILE)),
            code("3", v4.new_output("error", ename="E", evalue=HOSTILE, traceback=[HOSTILE])),
        ]
    )
    html = export.page(
        notebook,
        about(
            kind,
            title=HOSTILE,
            company=HOSTILE,
            parameters=[{"name": "segment", "value": HOSTILE, "meaning": HOSTILE, "allowed": ""}],
            pages=[{"name": HOSTILE, "title": HOSTILE, "href": "x.html"}],
        ),
    )
    assert "<img src=x" not in html
    assert not re.search(r"<script[^>]*>alert", html)
    assert html.count("alert(1)") >= 8


def test_nothing_turns_the_direction_of_writing():
    cells = [code("1", shown(text_plain=TURNED)), code("2", v4.new_output("stream", text=TURNED))]
    pages = [
        export.page(v4.new_notebook(cells=cells), about(title=TURNED, company=TURNED)),
        export.months_page([{"as_of": "2026-10-31", "href": "x", "headline": TURNED}], company=TURNED),
    ]
    for html in pages:
        assert html.count("gnp.exe") >= 3
        assert "\u202e" not in html


def test_markup_of_the_library_is_trusted_and_code_is_for_analysts():
    notebook = v4.new_notebook(cells=[code("import forecast  # < zebra", shown(text_html="<figure>f</figure>"))])
    analysis, leader = (export.page(notebook, about(kind)) for kind in ("analysis", "leader"))
    assert "<figure>f</figure>" in analysis
    assert "<figure>f</figure>" in leader
    assert "&lt; zebra" in analysis
    assert "<details" in analysis
    assert "forecast  #" not in leader
    assert "zebra" not in leader
    assert "Everything here comes from its own tables as known" in leader


def test_the_looks_for_jupyterlab_stay_there():
    table = TableView(pd.DataFrame({"id": ["O-1"], "n": [1]}), "Deals")._repr_html_()
    assert ".jp-OutputArea" in table
    html = export.page(v4.new_notebook(cells=[code("1", shown(text_html=table))]), about())
    assert ".jp-OutputArea" not in html
    assert '<th scope="row">O-1</th>' in html


def test_a_page_asks_nothing_of_the_network():
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# T\n\n$x^2$"), code("1", shown(text_plain="x"))])
    for html in (export.page(notebook, about()), export.months_page([], company="C")):
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(["']?http""", html)
        policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
        assert policy
        assert "default-src 'none'" in policy[1]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b** <i>", "<p>a <strong>b</strong> &lt;i&gt;</p>"),
        ("[x](javascript:alert(1))", "<p>x</p>"),
        ("[x](https://elsewhere.example)", "<p>x</p>"),
        ("[x](//elsewhere.example/a)", "<p>x</p>"),
        ("[x](analysis/03_bookings.html#a)", '<p><a href="analysis/03_bookings.html#a">x</a></p>'),
        ("![<i>](http://elsewhere.example/a.png)", "<p>&lt;i&gt;</p>"),
        ("$<i>$", "<p>$&lt;i&gt;$</p>"),
        ("`<i>`", "<p><code>&lt;i&gt;</code></p>"),
    ],
)
def test_computed_words(text, html):
    assert export.words(text).strip() == html


def test_a_logo_is_a_small_raster_picture(tmp_path):
    png = tmp_path / "logo.png"
    png.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert export.logo(png) == "data:image/png;base64,iVBORw0KGgo="
    (tmp_path / "logo.svg").write_text("<svg onload='alert(1)'/>")
    assert export.logo(tmp_path / "logo.svg") == ""
    assert export.logo(tmp_path / "none.png") == ""
    assert export.logo(None) == ""
    png.write_bytes(b"0" * 300_000)
    assert export.logo(png) == ""


def test_heading():
    cells = [
        {"cell_type": "code", "source": "# no"},
        {"cell_type": "markdown", "source": ["text\n", "# What *will* be?\n"]},
    ]
    assert export.heading({"cells": cells}, "x") == "What *will* be?"
    assert export.heading({"cells": cells[:1]}, "x") == "x"


def test_tidy_takes_out_what_differs_from_run_to_run(tmp_path):
    cell = v4.new_code_cell("months = 3", metadata={"tags": ["injected-parameters"], "papermill": {"duration": 1}})
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "f00"}, "text/plain": "VBox()"}
    figure = shown(text_plain="<Figure at 0x7f0011223344>")
    path = v4.new_output("stream", text=f"{tmp_path}/data/a.csv read")
    work = code("x", v4.new_output("display_data", widget), figure, path)
    notebook = v4.new_notebook(cells=[cell, work], metadata={"papermill": {}, "widgets": {"f00": {}}})
    before = str(notebook)
    kept = pages.tidy(notebook, {"data": "data", "tables": "../tables"}, hide=[tmp_path])
    assert str(notebook) == before
    assert kept.metadata == {}
    assert kept.cells[1].outputs[0].data["application/vnd.jupyter.widget-view+json"] == {"model_id": ""}
    pages.write_notebook(kept, tmp_path / "kept.ipynb")
    assert "widget-view" not in (tmp_path / "kept.ipynb").read_text(encoding="utf-8")
    assert kept.cells[0].source == "# Parameters of this run\ndata = 'data'\ntables = '../tables'"
    assert kept.cells[0].metadata == {"tags": ["injected-parameters"]}
    assert [output.get("data", {}).get("text/plain") or output.text for output in kept.cells[1].outputs] == [
        "VBox()",
        "<Figure>",
        "data/a.csv read",
    ]


def test_where_a_kernel_died_is_shown():
    cells = [v4.new_code_cell("a", metadata={"tags": ["injected-parameters"]}), code("1"), code("2")]
    execution = Execution(
        notebook=v4.new_notebook(cells=cells),
        seconds=1.0,
        failure=Failure(kind="kernel", message="its kernel died", cell=2),
    )
    shown_in = [bool(cell.outputs) for cell in pages.with_failure(execution).cells]
    assert shown_in == [False, False, True]
    failure = Failure(kind="kernel", message=f"it died: {HOSTILE}", cell=None)
    nothing = pages.with_failure(Execution(notebook=None, seconds=1.0, failure=failure))
    html = export.page(nothing, about())
    assert "it died: &#34;&gt;&lt;img src=x" in html
    assert "<img" not in html


def test_a_page_says_that_its_months_are_fiscal_months():
    note = fiscal_months(
        Company(calendar="4-5-4", fiscal_year_start=2, week_starts_on="sunday"), as_of=pd.Timestamp("2026-10-31")
    )
    assert note == "Months are fiscal months of weeks (4-5-4): October 2026 is 4 October to 31 October 2026."
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Title")])
    assert note in export.page(notebook, about(calendar=note))
    assert 'class="calendar"' not in export.page(notebook, about())
    assert fiscal_months(Company(fiscal_year_start=4), as_of="2026-10-31") == ""
