"""A Parquet file -> a frame of its own types, and the same as text where text is asked for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as papq

from forecast.data.checks.table import LINE
from forecast.data.codes import from_dictionary
from forecast.data.sources.tables.content import LARGEST, RATIO
from forecast.data.sources.tables.delimited import check_names, first_line
from forecast.data.sources.tables.raw import named
from forecast.errors import DataError

_BYTES_A_VALUE = 8


def read_parquet(path: Path, *, table: str) -> pd.DataFrame:
    """Return the table of a Parquet file in its own types, rows counted from 0.

    Raises DataError where it is damaged, half written, or unpacks into more than a table of its size can hold.
    """
    if path.stat().st_size == 0:
        raise DataError(
            f"{named(path.name, table)} is empty", table=table, mend="write the table again, or take the file away"
        )
    try:
        check_size(path, table=table, name=named(path.name, table))
        check_names(papq.read_schema(path).names, separator="", file=path.name, table=table)
        frame = _typed_columns(path)
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        raise DataError(
            f"{named(path.name, table)} cannot be read as Parquet ({first_line(error)})",
            table=table,
            mend="write the file again",
        ) from error
    frame.index = pd.RangeIndex(len(frame))
    return frame


def check_size(path: Path, *, table: str, name: str) -> None:
    """Raise DataError, with the file's name, where it claims more than a file of its size can hold."""
    known = papq.read_metadata(path)
    size = max(
        known.num_rows * known.num_columns * _BYTES_A_VALUE,
        sum(known.row_group(number).total_byte_size for number in range(known.num_row_groups)),
    )
    if size > LARGEST and size > RATIO * path.stat().st_size:
        raise DataError(
            f"{name} claims {known.num_rows:,} rows, more than a file of its size can hold",
            table=table,
            mend="write the file again",
        )


def _typed_columns(path: Path) -> pd.DataFrame:
    """Return the columns of a Parquet file, read one by one, so that the table is never there twice.

    Text is read as the codes in which Parquet keeps it, so that no column stands there written out.
    """
    schema = papq.read_schema(path)
    names = schema.names
    text = [name for name in names if schema.field(name).type in (pa.string(), pa.large_string())]
    if not names:
        return papq.read_table(path).combine_chunks().to_pandas(date_as_object=False, ignore_metadata=True)
    with papq.ParquetFile(path, read_dictionary=text) as file:
        columns: dict[str, pd.Series] = {}
        for name in names:
            table = file.read(columns=[name], use_threads=False).select([name]).combine_chunks()
            values = table.column(0)
            if name in text and values.num_chunks == 1 and pa.types.is_dictionary(values.type):
                columns[name] = from_dictionary(values.chunk(0))
            else:
                columns[name] = table.to_pandas(date_as_object=False, ignore_metadata=True)[name]
            del table, values
            pa.default_memory_pool().release_unused()
    return pd.DataFrame(columns, copy=False)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a typed table as text, as our files write it: 1000, 12.5, true, 2026-10-31, 2026-10-31T17:05:00Z.

    Rows are counted from 1, under the header, as the lines of a text file would be.
    """
    columns = [_text(frame.iloc[:, position]) for position in range(frame.shape[1])]
    out = pd.DataFrame(dict(enumerate(columns)), index=frame.index)
    out.columns = frame.columns
    out.index = pd.Index(range(2, len(frame) + 2), name=LINE)
    return out


def _text(values: pd.Series) -> pd.Series:
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    missing = values.isna()
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind):
        text = values.astype(object).map({True: "true", False: "false"})
    elif isinstance(kind, pd.DatetimeTZDtype):
        text = values.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    elif pd.api.types.is_datetime64_dtype(kind):
        days = (values.dt.normalize() == values)[~missing].all()
        text = values.dt.strftime("%Y-%m-%d" if days else "%Y-%m-%dT%H:%M:%S.%f")
    elif pd.api.types.is_float_dtype(kind):
        text = values.map(
            lambda number: str(int(number)) if float(number).is_integer() else repr(float(number)), "ignore"
        )
    elif values.dtype == "str":
        text = values.astype("str")
    else:
        text = values.map(str, "ignore")
    return text.astype("str").mask(missing)


def _written(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(float(number))
