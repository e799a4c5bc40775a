"""A month that is made again says so on its first page: which version it is, what did it, and what changed.

What changed stands in the month's table `remade`, a row a table that differs, and in its manifest, by which the same
run gives the same bytes again when it is repeated.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.reporting.month.results import Results, write_text
from forecast.reporting.published.compare import Comparison, causes, compare
from forecast.reporting.published.months import Published
from forecast.reporting.published.tables import REMADE as TABLE
from forecast.reporting.published.tables import Difference
from forecast.wording import clean, joined, plural

_BLOCK = re.compile(r'\n?<section id="remade".*?</section>', re.DOTALL)
_HEAD = re.compile(r'<main id="content"[^>]*>(?:\s*<h1.*?</h1>)?', re.DOTALL)
_KEYS = ("replaces", "kept", "headline", "differs", "unknown", "numbers", "tables")
_COUNTS = ("only_before", "only_now", "numbers", "numbers_differ", "texts_differ")
_COLUMNS = ("table", *_COUNTS, "row", "column", "before", "now")


# -- sentences ------------------------------------------------------------------------------------------

_NOTE = (
    '\n<section id="remade" class="finding note" aria-label="Made again">'
    '<p class="answer">{answer}</p><p class="more">{more}</p></section>'
)
_LINK = '<a href="tables/remade.csv">remade.csv</a>'
_ANSWER = "This report was made again: it is version {version}, and replaces version {before}."
_OF_OTHER = "It is made from other {what} than the version before."
_OF_THE_SAME = "It is made from the same data, code, notebooks, libraries and parameters as the version before."
_NOT_RECORDED = "What the version before was made from is not fully recorded."
_DIFFER = "Numbers that differ: {numbers} of {of}"
_ROWS = "rows that came or went: {rows}"
_IN = "in {tables}"
_SAME = "No number differs from it."
_WITHOUT_NAMES = "The version before held names and is not kept."
_KEPT = "The version before is kept in the folder {folder}"
_HEADLINE = "It said: “{headline}”."


def _sentences(record: Mapping[str, Any], *, as_of: str, version: int) -> tuple[str, list[str]]:
    """Return the answer and what follows it, as texts."""
    more = [_of_what(record)]
    if record["kept"]:
        more.append(_differences(record))
        if record["headline"]:
            more.append(_HEADLINE.format(headline=record["headline"].rstrip(".")))
        more.append(_KEPT.format(folder=f"versions/{as_of}/{record['replaces']}") + ".")
    else:
        more.append(_WITHOUT_NAMES)
    return _ANSWER.format(version=version, before=record["replaces"]), more


def _of_what(record: Mapping[str, Any]) -> str:
    """Return what the month is made from that the version before was not."""
    if record["unknown"]:
        return _NOT_RECORDED
    return _OF_OTHER.format(what=joined(record["differs"])) if record["differs"] else _OF_THE_SAME


def _differences(record: Mapping[str, Any]) -> str:
    """Return how many numbers differ, and how many rows only one version has."""
    rows = record["tables"]
    if not rows:
        return _SAME
    numbers, of = sum(row["numbers_differ"] for row in rows), record["numbers"]
    parts = [_DIFFER.format(numbers=f"{numbers:,}", of=f"{of:,}")]
    if moved := sum(row["only_before"] + row["only_now"] for row in rows):
        parts.append(_ROWS.format(rows=f"{moved:,}"))
    return f"{'; '.join(parts)}; {_IN.format(tables=plural(len(rows), 'table'))}:"


# -- recording ------------------------------------------------------------------------------------------


def repeated(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a month's manifest says of the version it replaced; None where it replaced none, or is damaged."""
    found = manifest.get(TABLE)
    return found if isinstance(found, dict) and set(found) == set(_KEYS) else None


def record(standing: Published, work: Published) -> dict[str, Any]:
    """Return what the manifest of a month says of the version it replaces.

    standing : the version that stands. work : the month about to replace it, with its manifest as far as it is made.
    A version with names that a month without replaces is not compared: nothing of it is kept.
    """
    kept = bool(standing.manifest.get("redacted")) or not work.manifest.get("redacted")
    found = compare(standing, work) if kept else _of_manifests(standing, work)
    return {
        "replaces": standing.version,
        "kept": kept,
        "headline": found.headlines[0],
        "differs": [cause.what for cause in found.causes if cause.differs and cause.what != "day"],
        "unknown": [cause.what for cause in found.causes if cause.differs is None],
        "numbers": sum(table.numbers for table in found.tables),
        "tables": [_row(table) for table in found.differing],
    }


def _of_manifests(standing: Published, work: Published) -> Comparison:
    return Comparison(before=standing, now=work, causes=causes(standing.manifest, work.manifest), tables=())


def _row(table: Difference) -> dict[str, Any]:
    most = table.largest.as_dict() if table.largest else {"where": "", "column": "", "before": None, "now": None}
    return {
        "table": table.table,
        "only_before": table.only_before,
        "only_now": table.only_now,
        "numbers": table.numbers,
        "numbers_differ": table.numbers_differ,
        "texts_differ": table.texts_differ,
        "row": most["where"],
        "column": most["column"],
        "before": most["before"],
        "now": most["now"],
    }


# -- writing --------------------------------------------------------------------------------------------


def clear(work: Path) -> None:
    """Take away what a run that was ended before it published had written into its work of this."""
    for end in ("csv", "parquet"):
        (work / "tables" / f"{TABLE}.{end}").unlink(missing_ok=True)
    page = work / "index.html"
    if page.is_file() and _BLOCK.search(text := page.read_text(encoding="utf-8")):
        write_text(_BLOCK.sub("", text), page)


def write(work: Path, record: Mapping[str, Any], *, as_of: str, version: int) -> None:
    """Write what changed into a month: the table `remade`, and a note at the head of its first page."""
    rows: Sequence[Mapping[str, Any]] = record["tables"]
    if rows:
        kinds = dict.fromkeys(_COUNTS, "int64") | dict.fromkeys(("before", "now"), "float64")
        Results(work / "tables").write(TABLE, pd.DataFrame(rows, columns=list(_COLUMNS)).astype(kinds))
    page = work / "index.html"
    if not page.is_file():
        return
    answer, more = _sentences(record, as_of=as_of, version=version)
    shown = [html.escape(clean(sentence), quote=False) for sentence in more]
    if rows:
        shown = [f"{sentence} {_LINK}." if sentence.endswith(":") else sentence for sentence in shown]
    block = _NOTE.format(answer=html.escape(answer, quote=False), more=" ".join(shown))
    text = page.read_text(encoding="utf-8")
    write_text(_HEAD.sub(lambda found: found[0] + block, text, count=1), page)
