"""The numbers of a page: each leads to a cell of a table, and what no notebook wrote is written with the page.

Simple case: a number that was read from a table of the month carries its cell already, `bookings:17:mean`. Two kinds
become tables of the page first: what a chart or table of the page shows that is in no file yet (`page07_accuracy`),
and numbers that were worked out for a sentence (`page07_figures`: the value, what it was made from, the text).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd

from forecast import sources
from forecast.reporting.month.results import Results
from forecast.reporting.pages import differences  # noqa: F401  (adds to `wording.rounded`)

_TABLE = re.compile(r' data-table="([^"]*)" data-rows="([^"]*)"')
_SOURCE = re.compile(r' data-src="([^"]*)"')
_VIEW = re.compile(rf"\b{sources.VIEW}(?=[a-z0-9_]+:[0-9,\-]*:)")
FIGURES = "figures"


def with_tables(page: str, *, name: str, results: Results) -> str:
    """Return the HTML of a page whose numbers lead to cells of tables, and write those tables that are its own.

    page : HTML as the parts of a page make it. name : how the tables of the page begin, such as `page07`.

    Raises ValueError where two tables of the page have one name and other rows, or a number leads nowhere.
    """
    made: dict[str, pd.DataFrame] = {}

    def keep(found: re.Match[str]) -> str:
        table, rows = _own(found[1], name), _frame(html.unescape(found[2]))
        if table in made and not made[table].equals(rows):
            raise ValueError(f"two tables of the page are called {table!r}")
        made[table] = rows
        return f' data-table="{table}"'

    page = _TABLE.sub(keep, page)
    figures = _Figures(name=name, read=_reader(made, results))
    page = _SOURCE.sub(lambda found: f' data-src="{html.escape(figures.lead(html.unescape(found[1])))}"', page)
    for table, rows in made.items():
        results.write(table, rows)
    if figures.rows:
        results.write(f"{name}_{FIGURES}", pd.DataFrame(figures.rows))
    return page


class _Figures:
    """The numbers of a page that were worked out from cells, one row each; grows while the page is read."""

    def __init__(self, *, name: str, read: Callable[[str], pd.DataFrame]) -> None:
        self.name = name
        self.read = read
        self.rows: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def lead(self, cited: str) -> str:
        """Return sources as the page shows them: of cells as they are, of worked out numbers where they stand now."""
        return " ".join(self._one(_VIEW.sub(f"{self.name}_", source)) for source in cited.split(" "))

    def _one(self, source: str) -> str:
        expressions, rounding = sources.split(source)
        cells = [each if sources.CELL.fullmatch(each) else self._cell(each, rounding) for each in expressions]
        return f"{','.join(cells)}|{rounding}"

    def _cell(self, expression: str, rounding: str) -> str:
        if expression not in self._places:
            self._places[expression] = len(self.rows)
            value = float(sources.evaluate(expression, self.read))
            text = _rounded(value, rounding)
            row = {"figure": len(self.rows), "text": text, "value": value, "rounding": rounding}
            self.rows.append({**row, "made_from": expression})
        return f"{self.name}_{FIGURES}:{self._places[expression]}:value"


def _rounded(value: float, rounding: str) -> str:
    """Return the number as it is worded, where one number makes the words."""
    from forecast import wording

    try:
        return wording.rounded([value], rounding)
    except TypeError:  # a range is made of two
        return ""


def _own(table: str, name: str) -> str:
    return f"{name}_{table.removeprefix(sources.VIEW)}"


def _frame(rows: str) -> pd.DataFrame:
    return pd.DataFrame(**json.loads(rows))


def _reader(made: dict[str, pd.DataFrame], results: Results) -> Callable[[str], pd.DataFrame]:
    """Return what gives a table by its name: one of the page, or one of the month."""

    @cache
    def read(table: str) -> pd.DataFrame:
        return made[table] if table in made else results.read(table)

    return read
