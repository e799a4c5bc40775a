"""The names of a table's columns: which are missing, there twice, or misspelt, and what may be meant by them.

A rename is advised only where the name is nearly right **and** the values are of the kind: `account` is near `amount`,
but holds names. Where no column fits, the mend says which is missing, and what the columns hold that come closest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd
from rapidfuzz import fuzz, process

from forecast.data.checks.kinds import LOOKS, as_kind
from forecast.data.schema import WORKED_OUT, Column, Table
from forecast.errors import Problem, shortened

_NEAR = 80
"""Likeness of two names (0 to 100, as in rapidfuzz's `ratio`) from which one may be the other misspelt.

A letter more, less or changed in a name of six letters is 83 to 92; `account` and `amount` are 77, `sales_agent` and
`segment` 67.
"""

_LOOKED_AT = 1000
"""So many values of a column decide what it holds: its first ones that are not empty."""

_CANDIDATES = 3
_CANDIDATES_AMONG = 200
_GROUPS = (2, 60)
"""How many segments a company may have; so many stages too."""

_CODE = re.compile(r"[A-Z]{3}")


def check_columns(table: Table, raw: pd.DataFrame) -> list[Problem]:
    """Return what is wrong with the names of the columns, and that there are no rows."""
    names = [str(name) for name in raw.columns]
    found = [
        Problem(
            table=table.name,
            column=shortened(name),
            what="this column is there twice",
            count=count,
            mend="keep one of them",
        )
        for name, count in sorted(Counter(names).items())
        if count > 1
    ]
    declared, given = {column.name for column in table.columns}, set(names)
    unknown = [name for name in dict.fromkeys(names) if name not in declared]
    absent = [column for column in table.columns if column.name not in given]
    meant = _misspelt(unknown, absent, raw)
    found += [_absent(column, table, raw, unknown, meant) for column in absent if column.required]
    needed = {column.name for column in absent if column.required}
    spare = [name for name in unknown if meant.get(name) not in needed]
    found += [problem for name in spare for problem in _unknown(table, name, meant.get(name))]
    found += _currency_by_another_name(table, raw, spare) if "currency" not in given else []
    if raw.empty:
        required = table.name == "opportunities"
        found.append(
            Problem(
                severity="fatal" if required else "warning",
                table=table.name,
                what="there are no rows in it",
                mend="put the rows in" if required else "put the rows in, or take the file away",
            )
        )
    return found


def _misspelt(unknown: Sequence[str], absent: Sequence[Column], raw: pd.DataFrame) -> dict[str, str]:
    """Return the declared name each unknown column is likely meant for: near in name, and its values fit.

    A declared column is meant by one unknown one at most, the nearest.
    """
    plain = {name: _plain(name) for name in unknown}
    meant: dict[str, str] = {}
    for column in absent:
        near = process.extract(_plain(column.name), plain, scorer=fuzz.ratio, score_cutoff=_NEAR, limit=5)
        for _, _, name in near:
            if name not in meant and fits(_column(raw, str(name)), column):
                meant[str(name)] = column.name
                break
    return meant


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name[:100].strip()).casefold().strip("_")


def _column(raw: pd.DataFrame, name: str) -> pd.Series:
    """Return the first values of a column that are not empty."""
    values = raw.iloc[:, next(at for at, each in enumerate(raw.columns) if str(each) == name)]
    return values.head(50 * _LOOKED_AT).dropna().head(_LOOKED_AT)


def fits(values: pd.Series, column: Column) -> bool:
    """Say whether values (none of them empty) could be those of a declared column: their kind, and how many differ.

    Example: names are no amounts; what differs in every row is no segment; what repeats is no key.
    """
    if values.empty:
        return column.nullable
    typed, bad = as_kind(values, column.kind, timezone="UTC")
    if bad.any():
        return False
    if column.values:
        return bool(typed.isin(column.values).all())
    different = typed.nunique()
    if column.kind == "key" and column.name == "opportunity_id":
        return different == len(typed) or different > _GROUPS[1]
    if column.name in ("segment", "stage"):
        return different <= min(_GROUPS[1], max(len(typed) // 2, 1))
    if column.kind in ("text", "key"):
        return not _are_numbers_or_dates(typed) or column.kind == "key"
    return True


def _are_numbers_or_dates(text: pd.Series) -> bool:
    typed, _ = as_kind(text, None, timezone="UTC")
    return typed.dtype != "str"


def _absent(column: Column, table: Table, raw: pd.DataFrame, unknown: Sequence[str], meant: dict[str, str]) -> Problem:
    named = next((name for name, declared in meant.items() if declared == column.name), None)
    if named is not None:
        mend = f"did you mean {shortened(named)!r}? Rename it to {column.name!r}"
    else:
        mend = f"add the column {column.name} ({column.meaning})"
        mend += "".join(f"; {each}" for each in [_candidates(column, raw, unknown)] if each)
    return Problem(table=table.name, column=column.name, what="this column is missing", mend=mend)


def _candidates(column: Column, raw: pd.DataFrame, unknown: Sequence[str]) -> str:
    """Return which columns hold what could be meant, with an example of each; and what the nearest by name holds."""
    fitting = []
    for name in unknown[:_CANDIDATES_AMONG]:
        values = _column(raw, name)
        if len(values) and fits(values, column):
            fitting.append(f"{shortened(name)!r} ({_holds(values)})")
        if len(fitting) == _CANDIDATES:
            break
    if fitting:
        return f"columns that hold {_LIKE.get(column.name, LOOKS[column.kind])}: {', '.join(fitting)}"
    nearest = process.extractOne(_plain(column.name), {name: _plain(name) for name in unknown}, scorer=fuzz.ratio)
    if nearest is None:
        return ""
    values = _column(raw, str(nearest[2]))
    holds = _holds(values) if len(values) else "nothing"
    return f"none that is there could be it: {shortened(str(nearest[2]))!r} holds {holds}"


_LIKE = {
    "opportunity_id": "a different name in each row",
    "segment": "a few names that repeat",
    "stage": "a few names that repeat",
    "outcome": "open, won or lost",
}


def _holds(values: pd.Series) -> str:
    example = shortened(str(values.iloc[0]))
    different = values.nunique()
    return f"{example!r}, …; {different:,} different in {len(values):,}" if different > 1 else f"only {example!r}"


def _unknown(table: Table, name: str, meant: str | None) -> list[Problem]:
    """Return what is to be said of a column nobody declared: that it is one misspelt, or that nothing reads it."""
    column = shortened(name)
    if meant is not None and table.name != "opportunity_history":
        mend = f"did you mean {meant!r}? Rename it if so"
        what = "looks like a misspelt column"
        return [Problem(severity="warning", table=table.name, column=column, what=what, mend=mend)]
    if table.extra_columns and name in WORKED_OUT:
        what = "a figure of this name is worked out for each day, so that snapshots and models do not hold this column"
        return [Problem(severity="info", table=table.name, column=column, what=what, mend="give it another name")]
    if not table.extra_columns:
        mend = "take it out, or keep it as a remark: nothing reads it"
        what = "this column is not known and is left out"
        return [Problem(severity="info", table=table.name, column=column, what=what, mend=mend)]
    return []


def _currency_by_another_name(table: Table, raw: pd.DataFrame, unknown: Sequence[str]) -> list[Problem]:
    """Return the column that says in which currency amounts are, where it is not called `currency`: none would be told
    from another, and all be added as they are."""
    if table.column("currency") is None:
        return []
    found = []
    for name in unknown:
        if "cur" not in name.casefold():
            continue
        values = _column(raw, name).astype("str")
        if len(values) and values.str.fullmatch(_CODE).all() and values.nunique() > 1:
            found.append(
                Problem(
                    severity="warning",
                    table=table.name,
                    column=shortened(name),
                    what="holds currencies, but amounts are added as they are",
                    evidence=_holds(values),
                    mend="rename it to 'currency' if amounts are in it, and add the table currencies",
                )
            )
    return found
