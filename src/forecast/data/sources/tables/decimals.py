"""How numbers and dates are written in a text file: the evidence, and the canonical form.

A spreadsheet writes a table the way its country writes numbers: 1.234,56 and 31.10.2026 next to semicolons. One file is
written in one way, so a value that can be read in one way alone (`2000,50`) decides for all of it (`1.234` is then a
thousand and more).
"""

from __future__ import annotations

import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_SIGN = r"^\s*[+-]?"
_COMMA = rf"{_SIGN}(?:\d{{1,3}}(?:\.\d{{3}})+,\d+|\d{{1,3}}(?:\.\d{{3}}){{2,}}|\d*,(?:\d{{1,2}}|\d{{4,}}))\s*$"
_POINT = rf"{_SIGN}(?:\d{{1,3}}(?:,\d{{3}})+\.\d+|\d{{1,3}}(?:,\d{{3}}){{2,}}|\d*\.(?:\d{{1,2}}|\d{{4,}}))\s*$"
_SAMPLE = 100_000


def decimal_sign(frame: pd.DataFrame) -> str:
    """Return the sign before the decimals, `,` or `.`, as the numbers of a table of text show; empty where none does.

    `2000,50` and `1.234,56` show a comma, `2000.5` and `1,234.56` a point, `1.234` and `1,234` neither. Where a
    table shows both it is empty too. Its first 100,000 rows are looked at.

    >>> decimal_sign(pd.DataFrame({"amount": ["1.234", "2000,50"]}))
    ','
    """
    commas, points = (found(frame, pattern) for pattern in (_COMMA, _POINT))
    if commas == points:
        return ""
    return "," if commas else "."


def with_points(values: pd.Series, decimal: str) -> pd.Series:
    """Return text with its numbers written with a point and without thousands; what is no number stays as it is.

    decimal : the sign before the decimals in `values`, as `decimal_sign` found it; with none nothing is changed.

    >>> with_points(pd.Series(["1.234,56", "n/a"], dtype="str"), ",").tolist()
    ['1234.56', 'n/a']
    """
    if decimal not in (",", "."):
        return values
    thousands = "." if decimal == "," else ","
    number = rf"{_SIGN}(?:\d{{1,3}}(?:\{thousands}\d{{3}})+|\d+)?(?:{re.escape(decimal)}\d+)?\s*$"
    text = pa.array(values, pa.large_string(), from_pandas=True)
    written = pc.replace_substring(pc.replace_substring(text, thousands, ""), decimal, ".")
    fits = pc.match_substring_regex(text, number)
    return pd.Series(pc.if_else(fits, written, text), index=values.index, name=values.name, dtype="str")


def found(frame: pd.DataFrame, pattern: str) -> bool:
    """Return whether any of the first values of a table of text matches a pattern."""
    for column in range(frame.shape[1]):
        text = pa.array(frame.iloc[:_SAMPLE, column], pa.large_string(), from_pandas=True)
        if pc.any(pc.match_substring_regex(text, pattern)).as_py():
            return True
    return False
