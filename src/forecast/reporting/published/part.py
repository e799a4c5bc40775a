"""A report of a part of the company: what its condition may be, and in which folder its months may stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from forecast.data.schema import TABLES
from forecast.errors import ParameterError
from forecast.reporting.published import months

# -- sentences ------------------------------------------------------------------------------------------

_WHOLE, _PART = "the whole company", "the deals with {}"

# -- what a part may be --------------------------------------------------------------------------------

PARAMETER = "where"
"""The parameter of notebooks that holds the condition; empty for the whole company."""


def part_of(values: Iterable[Mapping[str, Any]]) -> str:
    """Return the condition that notebooks are given, empty where they are of the whole company.

    values : of each notebook's parameters.
    """
    return next((str(each[PARAMETER]) for each in values if each.get(PARAMETER)), "")


def check_part(where: str, *, out: Path, redacted: bool) -> None:
    """Raise ParameterError where the months of a folder are of another part, or a page would show a name.

    Simple case: a folder of reports is about the whole company, or about one part of it, month after month: what one
    month is compared with is the same thing a month before. The condition stands on the pages, so that in a report
    without names it may not name a deal, an account, an owner or what only the company calls so.
    """
    if redacted and where:
        from forecast.data.selection.condition import columns_of
        from forecast.data.sources.redact import NAMES

        declared = {column.name for column in TABLES["opportunities"].columns}
        hidden = sorted(name for name in columns_of(where) if name in NAMES or name not in declared)
        if hidden:
            raise ParameterError(
                f"--where: {hidden[0]} stands as a pseudonym in a redacted report, and the condition would show it\n"
                "  mend: choose by segment, product, type or the like, or leave out --redact"
            )
    if not out.is_dir():
        return
    for month in months.newest_first(out):
        asked = month.manifest.get("parameters")
        if not isinstance(asked, dict) or not asked:
            continue
        there = part_of(each for each in asked.values() if isinstance(each, dict))
        if there != where:
            raise ParameterError(
                f"--out {out}: the report of {month.as_of} there is of {_called(there)}, not of {_called(where)}\n"
                "  mend: give each part a folder of its own, such as --out reports_of_a_part"
            )
        return


def _called(where: str) -> str:
    return _PART.format(json.dumps(where, ensure_ascii=False)) if where else _WHOLE
