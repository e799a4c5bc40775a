"""Keys as numbers: where a name stands in another table, and the order of rows by their key.

A log has millions of rows whose identifiers mostly come in runs (a history is kept by opportunity), so each run is
looked at once, and nothing as large as the column is built beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.text import by_level, dictionary_of, is_coded, places_in, row_codes, text_of


def places(values: pd.Series, among: pd.Series) -> np.ndarray:
    """Return the first place of each value in `among`, -1 where it is not in it or missing; (n,) int32."""
    if is_coded(values):
        return places_in(values, among)
    runs, lengths = _runs(values)
    found = pc.index_in(runs, value_set=pa.array(among, type=runs.type), skip_nulls=True)
    return np.repeat(np.asarray(pc.fill_null(found, -1)).astype(np.int32), lengths)


def labels(values: pd.Series) -> np.ndarray:
    """Return numbers that are equal for equal values, missing ones too; (n,)."""
    return row_codes(dictionary_of(values)) if is_coded(values) else ranks(values)


def ranks(values: pd.Series) -> np.ndarray:
    """Return numbers that sort as texts, dates or timestamps do, equal for equal values, largest for missing; (n,)."""
    if values.dtype != "str":
        moment = values.array.view("int64")
        missing = moment == pd.NaT.value
        return np.where(missing, np.iinfo(np.int64).max, moment) if missing.any() else moment
    if is_coded(values):
        known = dictionary_of(values)
        count = len(known.dictionary)
        if pc.all(pc.less(known.dictionary[:-1], known.dictionary[1:])).as_py() is not False:
            codes = row_codes(known)
            return codes if not known.null_count else np.where(codes < 0, np.int32(count), codes)
        rank = np.empty(count, dtype=np.int32)
        rank[np.asarray(pc.sort_indices(known.dictionary))] = np.arange(count, dtype=np.int32)
        return by_level(known, rank, missing=count)
    runs, lengths = _runs(values)
    order = np.asarray(pc.sort_indices(runs))
    ordered = runs.take(pa.array(order))
    new = ~np.asarray(pc.fill_null(pc.equal(ordered[:-1], ordered[1:]), False))
    rank = np.empty(len(runs), dtype=np.int32)
    rank[order] = np.append(0, np.cumsum(new))[: len(runs)]
    rank[np.asarray(runs.is_null())] = len(runs)
    return np.repeat(rank, lengths)


def key_order(numbers: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the stable order of rows by several keys, the first counting most; None where they are in it already."""
    same = np.ones(max(len(numbers[0]) - 1, 0), dtype=bool)
    for number in numbers:
        if (same & (number[1:] < number[:-1])).any():
            return np.lexsort(list(numbers)[::-1])
        same &= number[1:] == number[:-1]
    return None


def _runs(values: pd.Series) -> tuple[pa.Array, np.ndarray]:
    """Return the first text of each run of equal ones and the runs' lengths: identifiers mostly come in runs."""
    text = text_of(values)
    if not len(text):
        return text, np.zeros(0, dtype=np.int64)
    goes_on = np.asarray(pc.fill_null(pc.equal(text[:-1], text[1:]), False))
    starts = np.append(0, np.flatnonzero(~goes_on) + 1)
    if 2 * len(starts) > len(text):
        return text, np.ones(len(text), dtype=np.int64)
    return text.take(pa.array(starts)), np.diff(np.append(starts, len(text)))
