"""The folder of result files, by which notebooks pass tables to each other and a month keeps its numbers.

Each table is there twice: Parquet for programs, CSV for people. Text that a spreadsheet would take for a formula
is written with an apostrophe before it, in the CSV only; also within a text after a semicolon, tab or line break, where
a spreadsheet set to another country begins a cell.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast import sources
from forecast.errors import MachineError, ParameterError

_NAME = re.compile(r"^[a-z][a-z0-9_-]*$")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_INSIDE = re.compile(
    r"(?<=[;\t\n])('*)(?=[=+\-@＝＋－＠])"
)  # where a spreadsheet may divide a cell, a formula may begin
_GUARDED = re.compile(r"(?<=[;\t\n])'('*)(?=[=+\-@＝＋－＠])")
_PLAIN_NUMBER = re.compile(r"^[-+]?\d+(\.\d+)?([eE][-+]?\d+)?%?$")


NOTED = "FORECAST_TABLES_NOTED"
"""The variable of the environment that names a file in which a run has noted what its notebook asks for and writes."""
ASKED, WROTE = "asked", "wrote"


class Results:
    """A folder of result tables; with the folder `""` nothing is written, and what was made is remembered at most.

    Parameters
    ----------
    folder : path of the folder, made when first written to; `""` for none.
    """

    def __init__(self, folder: str | os.PathLike[str] = "") -> None:
        self.folder = Path(folder) if os.fspath(folder) else None
        self._made: dict[str, tuple[object, tuple[Hashable, ...], pd.DataFrame]] = {}

    def __contains__(self, name: str) -> bool:
        if self.folder is None:
            return False
        _note(ASKED, name)
        return self._file(name, "parquet").is_file()

    def write(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """Write a table as Parquet and CSV, each whole or not at all, and return it; its rows are counted from 0.

        Numbers that are read from it by `forecast.sources` know their cell. Raises MachineError.
        """
        written = _without_sources(table)
        if self.folder is not None:
            write_table(written, self._file(name, "csv"), parents=True)
            write_table(written, self._file(name, "parquet"))
            _note(WROTE, name)
        return sources.of_file(written, name)

    def read(self, name: str) -> pd.DataFrame:
        """Read a table that was written. Raises ParameterError where it is not there."""
        if name not in self:
            raise ParameterError(
                f"there is no table {name!r} "
                + (f"in {self.folder}" if self.folder else "because there is no folder of tables")
                + "; run the notebook that makes it first"
            )
        return sources.of_file(pd.read_parquet(self._file(name, "parquet")), name)

    def get(
        self, name: str, make: Callable[[], pd.DataFrame], *, of: object = None, asked: tuple[Hashable, ...] = ()
    ) -> pd.DataFrame:
        """Return the table of that name: read where it is there, else made, and written for who comes next.

        of, asked : what it is made of, and what was asked of that. Without a folder the table is remembered, until it
            is asked for of another object, or with other values.
        """
        if name in self:
            return self.read(name)
        if self.folder is not None or of is None:
            return self.write(name, make())
        return self.write(name, self.remembered(name, make, of=of, asked=asked))

    def remembered(
        self, name: str, make: Callable[[], pd.DataFrame], *, of: object, asked: tuple[Hashable, ...] = ()
    ) -> pd.DataFrame:
        """Return a table that is no file, made once: until it is asked for of another object, or with other values."""
        made_of, made_as, table = self._made.get(name, (None, (), None))
        if table is None or made_of is not of or made_as != asked:
            table = make()
            self._made[name] = of, asked, table
        return table

    def write_facts(self, name: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write a few named values (texts, numbers) as JSON next to the tables, and return them."""
        if self.folder is not None:
            plain = {key: sources.plain(value) if isinstance(value, str) else value for key, value in facts.items()}
            text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False, default=str)
            write_text(text + "\n", self._file(name, "json"), parents=True)
            _note(WROTE, name)
        return facts

    def read_facts(self, name: str) -> dict[str, Any]:
        """Read named values; empty where there are none."""
        if self.folder is None:
            return {}
        _note(ASKED, name)
        if not self._file(name, "json").is_file():
            return {}
        return dict(json.loads(self._file(name, "json").read_text(encoding="utf-8")))

    def _file(self, name: str, suffix: str) -> Path:
        if not _NAME.match(name):
            raise ParameterError(f"{name!r} cannot name a table; use small letters, digits, _ and -")
        assert self.folder is not None
        return self.folder / f"{name}.{suffix}"


def _note(what: str, name: str) -> None:
    """Note that a table was asked for, found or not, or was written, where a run wants to know."""
    if file := os.environ.get(NOTED):
        with Path(file).open("a", encoding="utf-8") as notes:
            notes.write(f"{what} {name}\n")


def noted(file: Path) -> dict[str, list[str]]:
    """Return the names of the tables that were asked for (`ASKED`) and written (`WROTE`), sorted, from such a file."""
    lines = file.read_text(encoding="utf-8").split("\n") if file.is_file() else []
    return {what: sorted({line[len(what) + 1 :] for line in lines if line.startswith(what)}) for what in (ASKED, WROTE)}


def _without_sources(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts carry nothing, and which is not yet a file."""
    out = table.copy(deep=False)
    out.attrs = {name: value for name, value in table.attrs.items() if name != "table"}
    for name in out.columns:
        if pd.api.types.is_string_dtype(out[name].dtype) or out[name].dtype == object:
            out[name] = out[name].map(lambda text: sources.plain(text) if isinstance(text, str) else text)
    return out


def write_table(table: pd.DataFrame, path: str | os.PathLike[str], *, parents: bool = False) -> None:
    """Write a table to a file ending in .csv or .parquet, whole or not at all.

    Raises ParameterError for any other ending and MachineError where the file cannot be written.
    """
    file = Path(path)
    suffix = table_suffix(file)
    if suffix == ".csv":
        write_atomic(file, lambda temporary: _write_csv(table, temporary), parents=parents)
    else:
        write_atomic(file, lambda temporary: table.to_parquet(temporary, index=False), parents=parents)


def table_suffix(path: str | os.PathLike[str]) -> str:
    """Return `.csv` or `.parquet`, or raise ParameterError: what a result file's name may end in."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise ParameterError(f"{Path(path).name!r} must end in .csv or .parquet")
    return suffix


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table that `write_table` wrote. Raises ParameterError where it cannot be read."""
    file = Path(path)
    try:
        if table_suffix(file) == ".csv":
            return _unguarded(pd.read_csv(file))
        return pd.read_parquet(file)
    except FileNotFoundError:
        raise ParameterError(f"{file}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise ParameterError(f"{file}: cannot be read as a table ({error})") from None


def write_text(text: str, path: str | os.PathLike[str], *, parents: bool = False) -> None:
    """Write a text file, whole or not at all. Raises MachineError."""
    write_atomic(Path(path), lambda temporary: temporary.write_text(text, encoding="utf-8"), parents=parents)


def write_atomic(file: Path, write: Callable[[Path], object], *, parents: bool = False) -> None:
    """Let `write` fill a temporary file next to `file`, then put it in its place in one step.

    Raises MachineError where the folder is missing (unless `parents`), is no folder, is full or not writable.
    """
    try:
        if parents:
            file.parent.mkdir(parents=True, exist_ok=True)
        elif not file.parent.is_dir():
            raise MachineError(f"{file}: the folder {file.parent} is not there; make it first")
        if file.is_dir():
            raise MachineError(f"{file}: this is a folder, not a file")
        temporary = file.with_name(f".{file.stem}-{os.getpid()}-{threading.get_ident()}{file.suffix}")
        try:
            write(temporary)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{file}: cannot be written ({error.strerror or error})") from None


def _write_csv(table: pd.DataFrame, file: Path) -> None:
    guarded = table.copy(deep=False)
    for column in guarded.columns:
        if pd.api.types.is_string_dtype(guarded[column].dtype) or guarded[column].dtype == object:
            guarded[column] = guarded[column].map(_guard, na_action="ignore")
    guarded.columns = [_guard(str(column)) for column in guarded.columns]
    guarded.to_csv(file, index=False, lineterminator="\n", date_format=_date_format(table))


def _date_format(table: pd.DataFrame) -> str | None:
    """Return the short form where every date is a day, so that `2026-10-31` does not grow a midnight."""
    dates = table.select_dtypes(include=["datetime"])
    days = all(series.dropna().eq(series.dropna().dt.normalize()).all() for _, series in dates.items())
    return "%Y-%m-%d" if days else None


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet would take a text, or a part of it, for a formula."""
    return bool(_guard(text) != text)


def _guard(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")  # a bare carriage return would end the row
    formula = value.lstrip("'").startswith(_FORMULA) and not _PLAIN_NUMBER.match(value)
    text = _INSIDE.sub(r"'\1", text)
    return f"'{text}" if formula else text


def _unguarded(table: pd.DataFrame) -> pd.DataFrame:
    for column in table.select_dtypes(include=["str"]).columns:
        quoted = table[column].str.startswith("'", na=False)
        if quoted.any():
            quoted &= table[column].str.lstrip("'").str.startswith(_FORMULA, na=False)
            table[column] = table[column].where(~quoted, table[column].str[1:])
        table[column] = table[column].map(lambda text: _GUARDED.sub(r"\1", text), na_action="ignore")
    return table
