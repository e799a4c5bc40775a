"""Identifiers: Salesforce's of 15 and 18 characters, and rows that are there twice.

The first 15 characters tell upper from lower case; the 18-character form adds three that say which of the 15 are upper
case, so that it survives programs that do not tell them apart. Both name the same record.
"""

from __future__ import annotations

import string
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.codes import (
    by_text,
    bytes_of,
    dictionary_of,
    held_texts,
    is_coded,
    places,
    rewritten,
    row_codes,
    text_column,
    text_of,
    used,
)
from forecast.data.sources.crm.values.reading import found
from forecast.errors import ROWS_LISTED, DataError
from forecast.wording import plural

_SHORT, _LONG = r"^[A-Za-z0-9]{15}$", r"^[A-Za-z0-9]{15}[A-Z0-5]{3}$"
_SHORTENED = r"\d([.,]\d+)?[eE]\+?\d+"
_LETTERS = np.frombuffer((string.ascii_uppercase + "012345").encode(), dtype=np.uint8)


def case_safe(ids: pd.Series) -> pd.Series:
    """Return identifiers in their form of 18 characters; what has not 15 letters and digits stays as it is.

    Example: `001A0000006Vm9r` -> `001A0000006Vm9rIAC`.
    """
    text = text_of(ids.astype("str"))
    short = np.asarray(pc.fill_null(pc.match_substring_regex(text, _SHORT), False))
    if not short.any():
        return ids
    given = text.filter(pa.array(short))
    signs = np.frombuffer("".join(given.to_pylist()).encode("ascii"), dtype=np.uint8).reshape(-1, 3, 5)
    upper = (signs >= ord("A")) & (signs <= ord("Z"))
    ending = _LETTERS[(upper * (1 << np.arange(5))).sum(axis=2)]
    endings = pd.Series([bytes(row).decode("ascii") for row in ending], dtype="str")
    out = ids.astype("str").copy()
    out[short] = (out[short].reset_index(drop=True) + endings).to_numpy()
    return out


def are_among(ids: pd.Series, known: pd.Series) -> np.ndarray:
    """Return which identifiers (text) are among others; what is missing is in neither. One look a run of equal ones."""
    ids, known = ids.astype("str"), known.astype("str")
    if not is_coded(known):
        return places(ids, known) >= 0
    held = dictionary_of(known)
    if held.dictionary.equals(text_of(ids)):  # places among these very identifiers, each of which is there once
        there = np.zeros(len(ids) + 1, dtype=bool)
        there[row_codes(held)] = True
        return there[:-1]
    return places(ids, text_column(pa.chunked_array([used(held).dictionary]))) >= 0


def one_form(columns: Mapping[str, pd.Series]) -> tuple[dict[str, pd.Series], str]:
    """Return columns that hold the same identifiers in one form, and a note: 18 characters where both forms occur."""
    count = sum(_count(values, _SHORT, 15) for values in columns.values())
    if not count or not any(_count(values, _LONG, 18) for values in columns.values()):
        return dict(columns), ""
    note = f"{count:,} identifiers of 15 characters are written with their 18, as the export's others"
    return {name: case_safe(values) for name, values in columns.items()}, note


def _count(values: pd.Series, pattern: str, length: int) -> int:
    """Return how many identifiers fit a pattern of so many signs."""
    if values.dtype != "str" or not len(values):
        return 0
    return pc.sum(by_text(values, lambda text: _fit(text, pattern, length))).as_py() or 0


def _fit(text: pa.Array, pattern: str, length: int) -> pa.Array:
    """Return which texts fit a pattern of so many signs; where none is as long, that is seen without looking closer."""
    as_long = pc.equal(pc.binary_length(text), length)
    return pc.match_substring_regex(text, pattern) if pc.any(as_long).as_py() else as_long


def whole(ids: pd.Series, *, table: str, column: str) -> pd.Series:
    """Return identifiers of digits without the `.0` that a spreadsheet wrote behind them.

    Raises DataError for those that it wrote as powers of ten, `1.70001E+10`: several deals may have become one.
    """
    if _are_digits(held_texts(ids)):
        return ids
    shortened = by_text(ids, lambda text: pc.match_substring_regex(text, f"^(?:{_SHORTENED})$"))
    lost = ids.index[np.asarray(pc.fill_null(shortened, False))]
    if len(lost):
        raise DataError(
            "identifiers have lost digits: a spreadsheet wrote them as powers of ten",
            table=table,
            column=column,
            rows=found(ids, lost),
            count=len(lost),
            mend="export the file again, and do not save it from a spreadsheet",
        )
    return rewritten(ids, lambda text: pc.replace_substring_regex(text, r"^(\d+)\.0+$", r"\1"))


def _are_digits(text: pa.Array) -> bool:
    """Return whether texts hold nothing but digits of ASCII; by their bytes, so that nothing is looked at twice."""
    at, signs = bytes_of(text)
    signs = signs[at[0] : at[-1]]
    return bool(((signs >= ord("0")) & (signs <= ord("9"))).all())


def without_repeats(
    frame: pd.DataFrame, key: str, *, changed_at: pd.Series | None, table: str, notes: list[str]
) -> pd.DataFrame:
    """Return one row a key: of identical rows the first, of differing ones the one that was changed last.

    changed_at : when each row was changed last (UTC), index as `frame`. Raises DataError where rows differ and that
    does not tell which is the later one.
    """
    if not frame[key].duplicated().any():
        return frame
    same = frame.duplicated()
    if same.any():
        shown = ", ".join(found(frame[key], frame.index[same]))
        notes.append(
            f"{table}: {plural(int(same.sum()), 'row repeats', 'rows repeat')} another to the letter, one of each is "
            f"kept: {shown}"
        )
        frame = frame[~same]
    twice = frame[key].duplicated(keep=False) & frame[key].notna()
    if not twice.any():
        return frame
    at = pd.Series(pd.NaT, index=frame.index) if changed_at is None else changed_at.reindex(frame.index)
    rows = frame.index[twice]
    latest = at[twice].groupby(frame.loc[twice, key]).transform("max")
    last = (at[twice] == latest) & latest.notna()
    per_key = last.groupby(frame.loc[twice, key]).sum()
    if (per_key != 1).any():
        unclear = frame.loc[twice, key].isin(per_key.index[per_key != 1])
        wrong = rows[unclear.to_numpy()]
        raise DataError(
            "rows of one identifier differ, and no date of change says which holds",
            table=table,
            column=key,
            rows=found(frame[key], wrong)[:ROWS_LISTED],
            count=len(wrong),
            mend="export each deal once, with the date of its last change",
        )
    older = rows[~last.to_numpy()]
    shown = ", ".join(found(frame[key], older))
    notes.append(f"{table}: {len(older):,} older rows of deals that are there twice are left out: {shown}")
    return frame.drop(index=older)
