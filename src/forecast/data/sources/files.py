"""A folder of CSV or Parquet files with the canonical names, and company.toml -> `Log`."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq

from forecast.data.checks import validation
from forecast.data.checks.table import LINE
from forecast.data.checks.validation import validate
from forecast.data.codes import from_dictionary
from forecast.data.schema import TABLES, Company, Log
from forecast.data.sources.company import FILE, read_company
from forecast.errors import DataError, Problem, did_you_mean

_SUFFIXES = (".csv", ".parquet")


def read(location: str | os.PathLike[str]) -> Log:
    """Read and validate the tables of a folder.

    Parameters
    ----------
    location : the folder. A relative one is looked for in the working directory, then in each folder above it, so
        that the same `data/sample` works from a notebook and from the command line.

    Raises
    ------
    DataError : the folder, a file or a value is not as the data dictionary (data/README.md) says.
    """
    folder = locate(location)
    tables, company = read_raw(folder)
    return validate(tables, company, source=str(folder), keep=False)


def read_raw(folder: Path) -> tuple[dict[str, pd.DataFrame], Company]:
    """Read the files of a folder as they are: CSV as text with file lines as index, Parquet as typed.

    Returns the tables by name, and the company. Raises DataError for the first file that cannot be read.
    """
    company = read_company(folder)
    tables, unreadable = _tables(folder)
    if unreadable:
        raise unreadable[0]
    return tables, company


def problems_in(location: str | os.PathLike[str]) -> list[Problem]:
    """Return every problem of a folder: files that cannot be read as well as what is wrong in those that can."""
    return examine(location)[1]


def examine(location: str | os.PathLike[str]) -> tuple[Log | None, list[Problem]]:
    """Return the log of a folder, None where a problem is fatal, and every problem as `problems_in` gives them."""
    folder = locate(location)
    found: list[Problem] = []
    company = Company()
    try:
        company = read_company(folder)
    except DataError as error:
        found.append(error.problem)
    tables, unreadable = _tables(folder)
    found += [error.problem for error in unreadable]
    missing = {problem.table for problem in found}
    log, inside = validation.examine(tables, company, source=str(folder), keep=False)
    found += [problem for problem in inside if problem.table not in missing]
    return (None if any(problem.severity == "fatal" for problem in found) else log), found


def locate(location: str | os.PathLike[str]) -> Path:
    """Return the folder a location names; a relative one is tried here and then in each folder above."""
    path = Path(location).expanduser()
    here = Path.cwd()
    tried = [path] if path.is_absolute() else [base / path for base in (here, *here.parents)]
    for candidate in tried:
        if candidate.is_dir():
            return candidate
    for candidate in tried:
        if candidate.exists():
            raise DataError(f"{candidate} is a file", mend="name the folder that holds opportunities.csv")
    raise DataError(
        f"there is no folder {str(location)!r}",
        mend="name a folder with opportunities.csv or opportunities.parquet; `forecast simulate` makes one to try",
    )


def _tables(folder: Path) -> tuple[dict[str, pd.DataFrame], list[DataError]]:
    """Return what could be read, and an error for each file that could not or whose name is misspelt."""
    tables: dict[str, pd.DataFrame] = {}
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    files = [path for path in paths if path.suffix.lower() in _SUFFIXES]
    errors = _misspelt(paths, files)
    for path in files:
        if path.stem in TABLES:
            try:
                tables[path.stem] = _read_table(path)
            except DataError as error:
                errors.append(error)
    if "opportunities" not in tables and not errors:
        errors.append(
            DataError(
                f"this table is missing in {folder}",
                table="opportunities",
                mend="add opportunities.csv or opportunities.parquet; it is the one table that is needed",
            )
        )
    return tables, errors


def _misspelt(paths: list[Path], files: list[Path]) -> list[DataError]:
    """Return an error for each file whose name is nearly that of company.toml or a table, where that is not there."""
    absent = set(TABLES) - {path.stem for path in files}
    meant = {path: absent for path in files if path.stem not in TABLES}
    if not any(path.name == FILE for path in paths):
        meant = {path: {"company"} for path in paths if path.suffix == ".toml"} | meant
    hints = {path: did_you_mean(path.stem.lower(), names) for path, names in meant.items()}
    errors = []
    for path, hint in hints.items():
        if hint and path.suffix == ".toml":
            errors.append(DataError(f"looks like a misspelt {FILE}", table=path.name, mend=f"rename it to {FILE}"))
        elif hint:
            errors.append(
                DataError(
                    f"{path.name} looks like a misspelt table: {hint}",
                    table=path.stem,
                    mend="rename the file; or give it another name or another folder if it is none of ours",
                )
            )
    return errors


def _read_table(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet" and path.with_suffix(".csv").exists():
        raise DataError(
            f"there is {path.stem}.csv and {path.stem}.parquet",
            table=path.stem,
            mend="keep the one that holds, delete the other",
        )
    return _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)


def _read_parquet(path: Path) -> pd.DataFrame:
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty", table=path.stem, mend="write the table again, or take the file away")
    try:
        frame = _typed_columns(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DataError(
            f"{path.name} cannot be read as Parquet ({_first_line(error)})",
            table=path.stem,
            mend="write the file again",
        ) from error
    frame.index = pd.RangeIndex(len(frame))
    return frame


def _typed_columns(path: Path) -> pd.DataFrame:
    """Return the columns of a Parquet file, read one by one, so that the table is never there twice.

    Text is read as the codes in which Parquet keeps it, so that no column stands there written out.
    """
    schema = papq.read_schema(path)
    names = schema.names
    text = [name for name in names if schema.field(name).type in (pa.string(), pa.large_string())]
    if not names or len(set(names)) < len(names):
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


def _read_csv(path: Path) -> pd.DataFrame:
    """Return the table as text, with the line of the file on which each row starts as index."""
    data = path.read_bytes()
    _check_encoding(data, path)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise DataError(f"{path.name} is empty", table=path.stem, mend="write the table again, or take the file away")
    names = next(csv.reader(io.StringIO(data.split(b"\n", 1)[0].decode("utf-8").rstrip("\r"))))
    _check_header(names, path)
    frame = _parsed(data, len(names), path).combine_chunks().to_pandas()
    frame.columns = pd.Index(names)
    frame.index = pd.Index(_lines(data, len(frame)), name=LINE)
    return frame


def _parsed(data: bytes, columns: int, path: Path) -> pa.Table:
    """Return the rows below the header, all as text; refuses rows with more or fewer values than there are columns."""
    names = [f"c{i}" for i in range(columns)]
    broken: list[tuple[int, int]] = []

    def note_row(row: pacsv.InvalidRow) -> str:
        broken.append((row.number or 0, row.actual_columns))
        return "skip"

    try:
        table = pacsv.read_csv(
            pa.BufferReader(data),
            read_options=pacsv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=note_row),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise DataError(
                f"{path.name} cannot be read as CSV ({_first_line(error)})",
                table=path.stem,
                mend="write the file again",
            ) from error
        table = pa.table({name: pa.array([], pa.string()) for name in names})
    if broken:
        raise DataError(
            f"rows with more or fewer values than the {columns} columns",
            table=path.stem,
            rows=[f"line {line} ({count} values)" for line, count in broken],
            mend="put text that holds a comma in double quotes",
        )
    return table


def _check_encoding(data: bytes, path: Path) -> None:
    mend = "save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path.name} is UTF-16, not UTF-8", table=path.stem, rows=["line 1"], mend=mend)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = data[data.rfind(b"\n", 0, error.start) + 1 :].split(b"\n", 1)[0][:60].decode("latin-1").strip()
        raise DataError(
            f"{path.name} is not UTF-8: byte 0x{data[error.start]:02x} at position {error.start:,}",
            table=path.stem,
            rows=[f"line {line} ({text!r})"],
            mend=mend,
        ) from error


def _check_header(names: list[str], path: Path) -> None:
    table = path.stem
    for separator, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            raise DataError(
                f"the columns of {path.name} are separated by {called}", table=table, mend="save it with commas"
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("this column is there twice", table=table, column=twice[0], mend="keep one of them")
    if "" in names:
        raise DataError(
            f"column {names.index('') + 1} of {path.name} has no name", table=table, mend="name it, or take it out"
        )


def _lines(data: bytes, rows: int) -> np.ndarray:
    """Return the line of the file on which each row starts; lines are counted from 1, the header being the first."""
    ends = data.count(b"\n") + (not data.endswith(b"\n"))
    if ends == rows + 1:
        return np.arange(2, rows + 2)
    lines, start = [], 1
    reader = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    for row in reader:
        if row:
            lines.append(start)
        start = reader.line_num + 1
    return np.array(lines[1 : rows + 1], dtype=np.int64)


def _first_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error).splitlines()[0] if str(error) else type(error).__name__)[:200]
