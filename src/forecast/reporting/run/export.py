"""An executed notebook -> one HTML page, by nbconvert through a template of our own.

Nothing of nbconvert's own templates is used: they load scripts from the network. The template escapes whatever it
is not asked to trust; what it may trust is markup that the library made (figures, tables) and the notebooks' own text.
Marks that turn the direction of writing are taken out of the whole page.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import html
import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.data.schema import Company
from forecast.reporting.pages import glossary
from forecast.reporting.run import links
from forecast.reporting.run.kernels import without_iri_grammar
from forecast.wording import THIN, clean, day

if TYPE_CHECKING:
    from forecast.reporting.charts.figure import Chart, Statement

TEMPLATES = Path(__file__).parents[1] / "templates"
_LOGO_BYTES = 200_000
_FALLBACK = re.compile(r"(var\(--(?:axis|blue|grey|grid|ink|mist|paper|red|soft)),(?:var\([^()]*\)|[^()]*)\)")
_TOOLTIP = " data-say="
_REMOVED = "remove_cell"
_FOR_LAB = re.compile(r"<style>\.jp-OutputArea [^<]*</style>")
"""How parts look in JupyterLab; a page has a style sheet of its own."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What stands on a page around its notebook.

    `kind` is `leader` (no code) or `analysis` (code folded); `pages` are name, title and href of the month's pages
    as seen from this one; `parameters` are name, value and meaning; `logo` is a data address or empty; `report` is
    what the company calls the report, `footer` its sentence at the foot, if it has one of its own; `calendar` what the
    months are, where they are not the calendar's;
    `redacted` pages say that names on them are pseudonyms; `part` stands over the title of a page of one segment.
    """

    kind: str
    title: str
    notebook: str
    company: str
    as_of: str
    parameters: Sequence[Mapping[str, Any]] = ()
    pages: Sequence[Mapping[str, str]] = ()
    logo: str = ""
    report: str = Company.title
    footer: str = ""
    calendar: str = ""
    redacted: bool = False
    part: str = ""

    @property
    def up(self) -> str:
        """How the month's folder is reached from the page."""
        return "" if self.kind == "leader" else "../"


def page(notebook: Any, frame: Page) -> str:
    """Return the HTML of an executed notebook (an nbformat node, not changed)."""
    resources = {
        "kind": frame.kind,
        "title": frame.title,
        "notebook": frame.notebook,
        "company": frame.company,
        "as_of": frame.as_of,
        "parameters": [dict(parameter) for parameter in frame.parameters],
        "pages": [dict(entry) for entry in frame.pages],
        "logo": frame.logo,
        "report": frame.report,
        "footer": frame.footer,
        "calendar": frame.calendar,
        "redacted": frame.redacted,
        "part": frame.part,
        "glossary": frame.up + links.GLOSSARY,
        "glossary_title": glossary.TITLE,
        "css": _css(),
        "code_css": _code_css() if frame.kind == "analysis" else "",
        "scripts": _scripts(tooltips=_has_tooltips(notebook), switch=frame.kind == "analysis"),
    }
    shown = without_empty_sections(without_removed(notebook))
    body, _ = _exporter().from_notebook_node(shown, resources)
    return clean(_FOR_LAB.sub("", str(body)))


def months_page(
    months: Sequence[Mapping[str, Any]],
    *,
    company: str,
    logo: str = "",
    report: str = Company.title,
    footer: str = "",
    moved: Sequence[Chart | Statement] = (),
    words: str = "",
) -> str:
    """Return the HTML of the index of months: as_of, href and headline of each, in the order given.

    moved : how the forecast moved from month to month. words : where the glossary's page is; empty for none.
    """
    template = _exporter().environment.get_template("months.html.j2")
    facts = {"months": months, "company": company, "logo": logo, "report": report, "footer": footer}
    facts |= {"glossary": words, "glossary_title": glossary.TITLE}
    shown = [part._repr_html_() for part in moved]
    scripts = _scripts(tooltips=any(_TOOLTIP in part for part in shown))
    html = clean(str(template.render(**facts, moved=shown, scripts=scripts, css=_css())))
    return links.with_terms(html, words) if words else html


def glossary_page(*, company: str, logo: str = "", report: str = Company.title) -> str:
    """Return the HTML of a month's glossary: every word that its pages explain, with its sentence."""
    template = _exporter().environment.get_template("glossary.html.j2")
    facts = {"company": company, "logo": logo, "report": report, "title": glossary.TITLE}
    return clean(
        str(template.render(**facts, sections=glossary.SECTIONS, scripts=_scripts(tooltips=False), css=_css()))
    )


def logo(file: Path | None) -> str:
    """Return a raster picture as a data address; empty for none, for a drawing (it may hold scripts) or a large one."""
    if file is None or not file.is_file() or file.stat().st_size > _LOGO_BYTES:
        return ""
    kind = mimetypes.guess_type(file.name)[0] or ""
    if kind not in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        return ""
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"


@lru_cache(maxsize=1)
def _exporter() -> Any:
    """Build the exporter once: it costs as much as five pages."""
    with without_iri_grammar():
        from nbconvert.exporters.templateexporter import TemplateExporter
        from nbconvert.filters import Highlight2HTML

    exporter = TemplateExporter(
        template_name="page",
        template_file="index.html.j2",
        extra_template_basedirs=[str(TEMPLATES)],
        default_preprocessors=[],
        file_extension=".html",
    )
    highlighted = Highlight2HTML(pygments_lexer="ipython3", parent=exporter)
    exporter.register_filter("highlight_code", lambda source: without_plain_marks(highlighted(source)))
    exporter.register_filter("words", words)
    exporter.register_filter("day", day)
    exporter.register_filter("tied", tied)
    exporter.environment.autoescape = True
    return exporter


def without_plain_marks(code: str) -> str:
    """Return highlighted code without the elements of names, punctuation and blanks, whose colour is the text's own.

    >>> without_plain_marks('<span class="kn">import</span><span class="w"> </span><span class="nn">os</span>')
    '<span class="kn">import</span> <span class="nn">os</span>'
    """
    return re.sub(r'<span class="[npw]">([^<]*)</span>', r"\1", code)


def tied(text: str) -> str:
    """Return text in which no line breaks between a number and its per cent sign."""
    return re.sub(r"(?<=\d) %", f"{THIN}%", text)


def words(text: str) -> Any:
    """Turn Markdown that was computed into HTML: names in it may come from a CRM, so markup in it is shown as text."""
    from markupsafe import Markup
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Computed(IPythonRenderer):
        """Links lead to the report's own pages only, and no picture is fetched."""

        def link(self, text: str, url: str, title: str | None = None) -> str:
            own = re.fullmatch(r"[\w./-]*(#[\w.-]*)?", url) and not url.startswith("//")
            return super().link(text, url, title) if own else text

        def image(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002
            return text

    return Markup(MarkdownWithMath(renderer=Computed(escape=True)).render(tied(text)))


def without_removed(notebook: Any) -> Any:
    """Return a notebook without the cells that are for whoever works in it, tagged `remove_cell` as Jupyter has it."""
    out = copy.copy(notebook)
    out["cells"] = [cell for cell in notebook["cells"] if _REMOVED not in cell.get("metadata", {}).get("tags", [])]
    return out


def without_empty_sections(notebook: Any) -> Any:
    """Return a notebook without the headings of sections in which nothing is shown; what is left is not copied.

    A section begins with a cell that holds a heading of the second order and no other line.
    """
    kept: list[Any] = []
    empty = True
    for cell in reversed(notebook["cells"]):
        begins = cell["cell_type"] == "markdown" and cell["source"].strip().startswith("## ")
        alone = begins and "\n" not in cell["source"].strip()
        if not (alone and empty):
            kept.append(cell)
        empty = begins or (empty and not _shows_something(cell))
    out = copy.copy(notebook)
    out["cells"] = kept[::-1]
    return out


def _shows_something(cell: Any) -> bool:
    """Return whether a page shows anything of a cell but its code."""
    if cell["cell_type"] != "code":
        return bool(cell["source"].strip())
    return any(
        "".join(output.get("data", {}).get("text/html", "-")).strip() != "" for output in cell.get("outputs", ())
    )


def _has_tooltips(notebook: Any) -> bool:
    """Return whether a chart of the notebook has marks with a tooltip."""
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", ()))
    return any(_TOOLTIP in output.get("data", {}).get("text/html", "") for output in outputs)


def _scripts(*, tooltips: bool, switch: bool = False) -> dict[str, Any]:
    """Return the texts of the page's own scripts and the words of a policy that allows these and no other."""
    names = [name for name, wanted in (("tooltips", tooltips), ("switch", switch)) if wanted]
    texts = [(TEMPLATES / "page" / f"{name}.js").read_text(encoding="utf-8") for name in names]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in texts]
    return {"texts": texts, "policy": " ".join(f"'sha256-{value}'" for value in hashes) or "'none'"}


@lru_cache(maxsize=1)
def _css() -> str:
    files = sorted((TEMPLATES / "page").glob("*.css"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@lru_cache(maxsize=1)
def _code_css() -> str:
    from pygments.formatters import HtmlFormatter

    light = str(HtmlFormatter(style="default").get_style_defs(".highlight"))
    light = light.replace("#A2F", "#9215E0")  # as it is, its contrast with the wash behind code is 4.46
    dark = str(HtmlFormatter(style="github-dark").get_style_defs(".highlight"))
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


def heading(notebook: Mapping[str, Any], default: str) -> str:
    """Return the first heading of a notebook as plain text, or `default`."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for line in "".join(cell["source"]).splitlines():
                if line.startswith("# "):
                    return html.unescape(line[2:].strip().strip("*_`"))
    return default
