"""Two tables of the same name, of two months or two versions of one: which numbers differ, and by how much.

Rows are matched by the columns that name them: the first texts and dates which, taken from the left, tell every row
from every other. A column that only repeats the month's own day names nothing. Rows that nothing names are matched by
their place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.reporting.published.months import refuse_failing

_FOLLOWS = ("horizon",)
"""Columns that follow from the others and the month's day."""
_PLACE = "(row)"
REMADE = "remade"
"""The table that says what changed since the version before, which none before it has."""
_OF_A_PAGE = re.compile(r"^page\d\d_")


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The number that differs most, for the size of its column: the row and column it stands in, before and now."""

    where: str
    column: str
    before: float
    now: float

    @property
    def ratio(self) -> float:
        """Now as a share of before, less 1; NaN where that cannot be told."""
        if not (math.isfinite(self.before) and math.isfinite(self.now)) or self.before == 0:
            return math.nan
        return self.now / self.before - 1

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read: a number that is missing or not finite is None."""
        before, now = (value if math.isfinite(value) else None for value in (self.before, self.now))
        return {"where": self.where, "column": self.column, "before": before, "now": now}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How a table differs.

    only_before, only_now : rows that only one has. numbers, texts : how many were compared, in rows that both have;
    numbers_differ, texts_differ : how many of them differ, if only in the last bit. problem : why it was not compared.
    """

    table: str
    only_before: int = 0
    only_now: int = 0
    numbers: int = 0
    numbers_differ: int = 0
    texts: int = 0
    texts_differ: int = 0
    largest: Largest | None = None
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether nothing differs; a table that could not be compared is not the same."""
        return not (self.only_before or self.only_now or self.numbers_differ or self.texts_differ or self.problem)

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read."""
        return {
            "table": self.table,
            "same": self.same,
            "only_before": self.only_before,
            "only_now": self.only_now,
            "numbers": self.numbers,
            "numbers_differ": self.numbers_differ,
            "texts": self.texts,
            "texts_differ": self.texts_differ,
            "largest": self.largest.as_dict() if self.largest else None,
            "problem": self.problem,
        }


def differences(before: Path, now: Path, *, days: tuple[str, str]) -> list[Difference]:
    """Return how each table of two folders of tables differs, by name; facts (JSON) count as tables of one row.

    Tables of one page alone (`page03_figures`) repeat what others hold and are left out. days : the as_of of each.
    """
    paths = [path for folder in (before, now) for end in ("parquet", "json") for path in folder.glob(f"[!.]*.{end}")]
    names = sorted({path.stem for path in paths if not _OF_A_PAGE.match(path.name)} - {REMADE})
    return [_of_files(name, before, now, days=days) for name in names]


def difference(name: str, before: pd.DataFrame, now: pd.DataFrame, *, days: tuple[str, str] = ("", "")) -> Difference:
    """Return how a table differs. Columns that only one has are not compared; the inputs are not changed.

    Examples
    --------
    >>> before = pd.DataFrame({"segment": ["North", "South"], "mean": [100.0, 50.0]})
    >>> now = pd.DataFrame({"segment": ["South", "East"], "mean": [60.0, 7.0]})
    >>> found = difference("bookings", before, now)
    >>> found.only_before, found.only_now, found.numbers, found.numbers_differ, found.largest.where
    (1, 1, 1, 1, 'South')
    """
    shared = [str(name) for name in before.columns if name in set(now.columns)]
    if not shared:
        empty = not len(before.columns) and not len(now.columns)
        return Difference(table=name, problem="" if empty else "it has other columns")
    before, now = before[shared].reset_index(drop=True), now[shared].reset_index(drop=True)
    keys = _keys(before, now, days)
    first, second = (_matched_by(table, keys) for table in (before, now))
    both = first.index.intersection(second.index, sort=False)
    only_before, only_now = len(first) - len(both), len(second) - len(both)
    first, second = first.loc[both], second.loc[both]
    compared = [column for column in shared if column not in keys]
    numeric = [column for column in compared if _is_number(first[column]) and _is_number(second[column])]
    numeric = [column for column in numeric if days[0] == days[1] or column not in _FOLLOWS]
    a, b = (table[numeric].to_numpy(dtype="float64", na_value=np.nan) for table in (first, second))
    differs = (a != b) & ~(np.isnan(a) & np.isnan(b))
    texts = [column for column in compared if not (_is_number(first[column]) or _is_number(second[column]))]
    texts = [column for column in texts if not _repeats(before[column], days[0]) or not _repeats(now[column], days[1])]
    other = sum(int((_text(first[column]) != _text(second[column])).sum()) for column in texts)
    return Difference(
        table=name,
        only_before=only_before,
        only_now=only_now,
        numbers=a.size,
        numbers_differ=int(differs.sum()),
        texts=len(texts) * len(both),
        texts_differ=other,
        largest=_largest(a, b, differs, [_row(key) for key in both], numeric),
    )


# -- matching rows --------------------------------------------------------------------------------------


def _keys(before: pd.DataFrame, now: pd.DataFrame, days: tuple[str, str]) -> list[str]:
    """Return the columns that name the rows of both; none where no columns do."""
    if max(len(before), len(now)) <= 1:
        return []
    named = [
        column
        for column in before.columns
        if not (_is_number(before[column]) or _is_number(now[column]))
        and not (_repeats(before[column], days[0]) and _repeats(now[column], days[1]))
    ]
    whole = [
        column for column in before.columns if column in named or (_is_whole(before[column]) and column not in _FOLLOWS)
    ]
    coded = [pd.DataFrame({name: pd.factorize(_text(table[name]))[0] for name in whole}) for table in (before, now)]
    for columns in (named, whole):
        for count in range(1, len(columns) + 1):
            keys = columns[:count]
            if not any(table[keys].duplicated().any() for table in coded):
                return keys
    return named


def _matched_by(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return a table indexed by its keys and, among rows of the same, by their place."""
    named = _text_frame(table[list(keys)])
    place = named.groupby(list(keys), sort=False).cumcount() if keys else pd.Series(range(len(table)))
    out = table.copy(deep=False)
    out.index = pd.MultiIndex.from_arrays([*(named[key] for key in keys), place], names=[*keys, _PLACE])
    return out


def _repeats(column: pd.Series, day: str) -> bool:
    """Return whether a column only repeats the month's day."""
    return bool(day) and bool((_text(column) == day).all())


def _row(key: tuple[Any, ...]) -> str:
    names = [str(part) for part in key[:-1]]
    return " / ".join(names) if names else f"row {key[-1] + 1}"


def _text_frame(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: _text(table[name]) for name in table.columns}, index=table.index)


def _text(column: pd.Series) -> pd.Series:
    """Return a column as plain texts; a day without a time as the day alone, what is missing as nothing."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.strftime("%Y-%m-%d %H:%M:%S").fillna("").str.removesuffix(" 00:00:00")
    return column.astype("object").where(column.notna(), "").astype(str)


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column.dtype))


def _is_whole(column: pd.Series) -> bool:
    return bool(pd.api.types.is_integer_dtype(column.dtype))


def _largest(
    before: np.ndarray, now: np.ndarray, differs: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> Largest | None:
    """Return the number that differs most, as a share of the largest in its column."""
    if not differs.any():
        return None
    a, b = np.nan_to_num(before, posinf=0, neginf=0), np.nan_to_num(now, posinf=0, neginf=0)
    scale = np.maximum(np.abs(a), np.abs(b)).max(axis=0)
    size = np.where(differs, np.abs(b - a) / np.where(scale > 0, scale, 1.0), -1.0)
    row, column = divmod(int(size.argmax()), size.shape[1])
    return Largest(
        where=rows[row], column=columns[column], before=float(before[row, column]), now=float(now[row, column])
    )


# -- files ----------------------------------------------------------------------------------------------


def _of_files(name: str, before: Path, now: Path, *, days: tuple[str, str]) -> Difference:
    tables = []
    for folder, when in ((before, "before"), (now, "now")):
        try:
            tables.append(_read(folder, name))
        except FileNotFoundError:
            return Difference(table=name, problem=f"there was none {when}" if when == "before" else "there is none now")
        except (OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:  # pyarrow's are among these
            refuse_failing(error, folder / name)
            return Difference(table=name, problem=f"cannot be read as it was {when}")
    return difference(name, *tables, days=days)


def _read(folder: Path, name: str) -> pd.DataFrame:
    if (folder / f"{name}.json").is_file():
        facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError(name)
        plain = {
            key: value if isinstance(value, (str, int, float)) else json.dumps(value) for key, value in facts.items()
        }
        return pd.DataFrame([plain])
    return pd.read_parquet(folder / f"{name}.parquet")
