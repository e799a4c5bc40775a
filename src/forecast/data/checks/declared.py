"""The declared tables as pandera schemas: a second opinion on columns, kinds, empty values, bounds and keys.

`forecast check` asks it after the direct checks, so that a table passes only where two engines agree. Reading does not:
importing pandera and its first validation cost 0.6 CPU seconds in every kernel
(docs/decisions/checks_without_pandera.md). The import therefore lies inside the functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.checks.table import Problem, rows_at
from forecast.data.schema import TABLES, TOTAL, Column

if TYPE_CHECKING:
    import pandera.pandas as pa

_DTYPES = {"date": "datetime64[us]", "timestamp": "datetime64[us, UTC]", "amount": "float64", "number": "float64"}


def schema(name: str) -> pa.DataFrameSchema:
    """Return the pandera schema of a canonical table in its typed form."""
    import pandera.pandas as pa

    table = TABLES[name]
    columns = {column.name: _column(column) for column in table.columns}
    key = [part for part in table.key if table.column(part).required]  # type: ignore[union-attr]
    return pa.DataFrameSchema(columns, unique=key if len(key) == len(table.key) else None, strict=False, name=name)


def _column(column: Column) -> pa.Column:
    import pandera.pandas as pa

    checks = []
    if column.values:
        checks.append(pa.Check.isin(list(column.values)))
    if column.kind in ("amount", "number"):
        checks.append(pa.Check(np.isfinite, name="finite"))
    if column.minimum is not None:
        checks.append(pa.Check.ge(column.minimum))
    if column.unit == "0 to 1":
        checks.append(pa.Check.le(1.0))
    if column.name == "segment":
        checks.append(pa.Check(lambda text: text.str.strip().str.casefold() != TOTAL.casefold(), name="reserved"))
    if column.kind == "period":
        checks.append(pa.Check.str_matches(r"^\d{4}-(0[1-9]|1[0-2])$"))
    return pa.Column(_DTYPES.get(column.kind), checks, nullable=column.nullable, required=column.required)


def second_opinion(name: str, frame: pd.DataFrame) -> list[Problem]:
    """Return what pandera finds wrong with a typed table, one fatal problem a column; no pandera error escapes."""
    import pandera.errors

    numbered = frame.reset_index(drop=True)
    try:
        schema(name).validate(numbered, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        found = []
        for column, group in cases.groupby(cases["column"].fillna("").astype("str"), sort=True):
            rows = np.zeros(len(frame), dtype=bool)
            places = pd.to_numeric(group["index"], errors="coerce").dropna().astype(int)
            rows[places] = True
            what = f"does not hold: {', '.join(sorted(set(group['check'].astype('str'))))}"
            shown = rows_at(frame, rows, TABLES[name].key, column) if rows.any() else ()
            mend = "see data/README.md for what the column holds"
            found.append(Problem("fatal", name, column, what, shown, int(rows.sum()), mend))
        return found
    return []
