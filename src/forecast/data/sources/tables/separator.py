"""Which sign separates the columns of a text file: seen in several of its lines with their quotes, not in the header.

With the right sign every line has the same number of values. A header `Amount, converted;Stage` splits at commas too,
but its rows do not.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence

from forecast.data.sources.tables.raw import named
from forecast.errors import DataError

CALLED = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

_SAMPLE = 1 << 16
_RECORDS = 200


def declared(data: bytes) -> tuple[str, int]:
    """Return the separator that a first line such as `sep=;` declares, and where the next line begins; else ('', 0).

    Excel writes and reads such a line; it is no row of the table.
    """
    head = data[:16]
    ends = [at for at in (head.find(b"\r"), head.find(b"\n")) if at >= 0]
    if not ends:
        return "", 0
    line = head[: min(ends)].decode("utf-8", errors="replace").strip('"')
    if len(line) != 5 or line[:4].lower() != "sep=" or line[4].isalnum() or not line[4].isascii():
        return "", 0
    end = min(ends)
    return line[4], end + (2 if head[end : end + 2] == b"\r\n" else 1)


def recognised(data: bytes, *, file: str, table: str) -> str:
    """Return the separator of a text in UTF-8; `,` where there is one column.

    Raises DataError where two separators fit equally well.
    """
    sample = data[:_SAMPLE]
    whole = len(sample) == len(data)
    if not any(sign.encode() in sample for sign in CALLED if sign != ","):
        return ","
    text = sample.decode("utf-8", errors="ignore")
    found = {}
    for sign in CALLED:
        if sign in text:
            agreeing, values, header = _agreement(_records(text, sign, whole=whole))
            if values > 1:
                found[sign] = (header, agreeing, values)
    if not found:
        return ","
    best = max(found.values())
    signs = [sign for sign, fit in found.items() if fit == best]
    if len(signs) > 1:
        both = " or ".join(CALLED[sign] for sign in signs)
        raise DataError(
            f"nothing says whether {both} separate the columns of {named(file, table)}: each gives {best[2]} of them",
            table=table,
            rows=["line 1"],
            mend="put text that holds such a sign in double quotes, or write sep=; (or sep=,) on a first line",
        )
    return signs[0]


def _records(text: str, sign: str, *, whole: bool) -> list[list[str]]:
    """Return the first rows as this separator would give them; the last one only where the text ends with it.

    Quotes that stand where this separator allows none show that it is not the one: strictly read, they end the sample.
    """
    records: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True):
            if record:
                records.append(record)
            if len(records) == _RECORDS:
                return records
    except csv.Error:
        return records
    return records if whole else records[:-1] or records


def _agreement(records: Sequence[Sequence[str]]) -> tuple[int, int, bool]:
    """Return how many rows have the most frequent number of values above one, that number, and if row one is of them.

    A row of one value says nothing for a separator: titles above a report and its foot are such.
    """
    counts = [len(record) for record in records]
    several = Counter(count for count in counts if count > 1)
    if not several:
        return 0, 1, False
    values, agreeing = max(several.items(), key=lambda item: (item[1], item[0]))
    return agreeing, values, next(count for count in counts if count > 1) == values
