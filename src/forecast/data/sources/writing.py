"""A table of ours -> CSV: `2026-10-31`, `2026-10-31 17:05:00.000000Z`, text in quotes, nothing for what is missing.

Arrow's own writer takes most of an import's time for moments with a zone. So each column becomes text here: what is
text once for each different value, a moment as its wall clock with a Z behind it; and rows are put together by parts,
so that the whole file is never in memory.

Or -> Parquet, which takes a fifth of the time and of the bytes, and which no spreadsheet opens.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as papq

from forecast.data.codes import bytes_of, coded, dictionary_of, is_coded, text_of, used

_ROWS = 1 << 15
"""Rows put together at a time."""


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of text, numbers, truth values, dates (datetime64, midnight) and moments (UTC) as CSV."""
    names = pa.array([str(name) for name in frame], pa.large_string())
    columns = [_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    with path.open("wb") as file:
        file.write((",".join(_quoted(names).to_pylist()) + "\n").encode())
        for start in range(0, len(frame), _ROWS):
            cells = [_cells(column.slice(start, _ROWS)) for column in columns]
            ended = _joined(cells[-1], "\n", between="", missing="replace")
            file.write(_bytes(_joined(*cells[:-1], ended, between=",", missing="replace")))


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of the kinds that `write_csv` takes as Parquet; text that is held as codes stays so in the file."""
    columns = {str(name): _stored(frame.iloc[:, place]) for place, name in enumerate(frame)}
    table = pa.table(columns)
    texts = [name for name, values in columns.items() if pa.types.is_dictionary(values.type)]
    largest = max((columns[name].dictionary.nbytes for name in texts), default=0)
    papq.write_table(
        table,
        path,
        compression="none",
        use_dictionary=texts,
        dictionary_pagesize_limit=max(2 * largest, 1 << 20),
        write_statistics=False,
        store_schema=False,
    )


def _stored(values: pd.Series) -> pa.Array:
    """Return a column as Parquet keeps it: text by its codes, dates as days."""
    values = coded(values)
    if is_coded(values):
        return used(dictionary_of(values))
    if values.dtype == "str":
        return text_of(values)
    array = pa.array(values, from_pandas=True)
    return array.cast(pa.date32()) if pd.api.types.is_datetime64_dtype(values.dtype) else array


def _column(values: pd.Series) -> pa.Array:
    """Return a column as Arrow has it; text that is held as codes with its texts in quotes already."""
    values = coded(values)
    if is_coded(values):
        held = dictionary_of(values)
        return pa.DictionaryArray.from_arrays(held.indices, _quoted(held.dictionary))
    array = pa.array(values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(pa.date32()) if pd.api.types.is_datetime64_dtype(values.dtype) else array


def _cells(values: pa.Array) -> pa.Array:
    """Return what is written of each value of a column; missing where it is."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return values.cast(pa.large_string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _quoted(values.cast(pa.large_string()))
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        clock = values.cast(pa.timestamp(kind.unit))  # of UTC: the cast takes the zone away and keeps the moment
        return _joined(clock.cast(pa.large_string()), "Z")
    return values.cast(pa.large_string())


def _quoted(text: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring(text, '"')).as_py():
        text = pc.replace_substring(text, '"', '""')
    return _joined('"', text, '"')


def _joined(*parts: pa.Array | str, between: str = "", missing: str = "emit_null") -> pa.Array:
    """Return the parts of each row as one text; missing : what a missing part does, `replace` counts it as empty."""
    text = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*text, pa.scalar(between, pa.large_string()), null_handling=missing)


def _bytes(text: pa.Array) -> memoryview:
    """Return the bytes of texts one after the other."""
    at, signs = bytes_of(text)
    return signs[at[0] : at[-1]].data
