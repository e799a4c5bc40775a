"""Several files of one kind -> one table: an export in parts, or one view of open deals and one of closed ones.

Simple case: the same columns, no deal in two of them. A row that is in two parts to the letter counts once. What could
be two exports of different days is refused, with both names: columns that differ, and deals that differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from forecast.data.sources.crm.values.names import plain
from forecast.errors import ROWS_LISTED, DataError
from forecast.wording import joined, plural

_MEND = "keep the one that holds in the folder"
ROW = "row of several files"
"""The name of the index of a table put together: its labels are no lines of one file."""


def in_one(parts: Mapping[str, pd.DataFrame], *, key: Collection[str], kind: str, notes: list[str]) -> pd.DataFrame:
    """Return the rows of several files as one table, in the order of the files.

    Parameters
    ----------
    parts : file -> its rows, columns as there (text).
    key : what the column that names a row may be called, as `plain` compares it; empty where rows have no name.
    kind : what the files hold, for messages.

    Raises DataError where the files have different columns, or rows of one name differ.
    """
    names = list(parts)
    first = {plain(str(column)): str(column) for column in parts[names[0]].columns}
    for name in names[1:]:
        _refuse_other_columns(names[0], first, name, parts[name], kind)
    aligned = [
        frame.rename(columns={column: first[plain(str(column))] for column in frame.columns})
        for frame in parts.values()
    ]
    counts = [len(frame) for frame in aligned]
    whole = pd.concat(aligned, ignore_index=True).rename_axis(ROW)
    source = np.repeat(np.arange(len(names)), counts)
    again = _in_an_earlier_part(whole, source)
    rows, source = whole[~again], source[~again]
    called = next((column for plain_name, column in first.items() if plain_name in set(key)), None)
    if called is not None:
        _refuse_differing(rows, source, called, names, kind)
    repeated = f"; {plural(int(again.sum()), 'row')} in two of them count once" if again.any() else ""
    notes.append(f"{joined(names)} are parts of one table, {plural(len(rows), 'row')}{repeated}")
    return rows


def _refuse_other_columns(first: str, columns: Mapping[str, str], name: str, frame: pd.DataFrame, kind: str) -> None:
    there = {plain(str(column)): str(column) for column in frame.columns}
    only = [columns[one] for one in columns if one not in there] + [there[one] for one in there if one not in columns]
    if only or len(there) < frame.shape[1]:
        raise DataError(
            f"{first} and {name} are both taken for the {kind} file, and their columns differ: "
            f"{joined(only[:ROWS_LISTED]) if only else 'columns of one name'}",
            table=name,
            mend=f"{_MEND}, or export both with the same columns",
        )


def _in_an_earlier_part(whole: pd.DataFrame, source: np.ndarray) -> np.ndarray:
    """Return which rows are, to the letter, in a part before their own."""
    codes = whole.groupby([str(column) for column in whole.columns], dropna=False, sort=False).ngroup().to_numpy()
    earliest = np.full(codes.max(initial=-1) + 1, len(source))
    np.minimum.at(earliest, codes, source)
    return source > earliest[codes]


def _refuse_differing(rows: pd.DataFrame, source: np.ndarray, key: str, names: list[str], kind: str) -> None:
    """Refuse rows of one name in two parts: they differ, or they would count once."""
    files = pd.Series(source, index=rows.index).groupby(rows[key]).nunique()
    twice = files.index[files > 1]
    if len(twice):
        where = np.unique(source[rows[key].isin(twice).to_numpy()])
        raise DataError(
            f"{joined(names[place] for place in where)} are both taken for the {kind} file, and "
            f"{plural(len(twice), 'row')} of one {key} differ between them: exports of two days?",
            table=names[int(where[-1])],
            column=key,
            rows=[repr(str(name)) for name in twice[:ROWS_LISTED]],
            count=len(twice),
            mend=_MEND,
        )
