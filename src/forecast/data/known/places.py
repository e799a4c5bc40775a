"""Where segments, owners and products belong, as known on a day: the rows of `hierarchy` whose day has come.

Simple case: a row holds from its first day on, and is known from then. Two complications: it ends, on its last day or
on the day before the next row of its node begins; and an end that lies ahead is not known yet.
"""

from __future__ import annotations

import pandas as pd

from forecast.errors import ParameterError

KINDS = ("segment", "owner", "product")


def known_hierarchy(table: pd.DataFrame | None, *, day: pd.Timestamp) -> pd.DataFrame | None:
    """Return the rows that had begun by the end of a day, `to` empty where it lies ahead; None without the table.

    Example: "North belongs to Europe until 31 March, then to Asia" is, on 15 March, "North belongs to Europe".
    """
    if table is None:
        return None
    known = table[(table["from"] <= day).to_numpy()].reset_index(drop=True)
    return known.assign(to=known["to"].where(known["to"] <= day)) if "to" in known else known


def parents_on(table: pd.DataFrame | None, *, of: str, day: pd.Timestamp) -> dict[str, str]:
    """Return what each node belongs to on a day: node -> parent, without those that belong to nothing then.

    Parameters
    ----------
    table : `hierarchy` as read or as known later; None for none. of : segment, owner or product.

    Raises ParameterError for another `of`.

    Example: of the rows (North, from 2026-01-01, Europe) and (North, from 2026-03-01, Asia) the second holds on
    2026-03-15, and the first on 2026-02-15.
    """
    if of not in KINDS:
        raise ParameterError(f"of: {of!r} is not one of {', '.join(KINDS)}")
    if table is None:
        return {}
    begun = table[((table["of"] == of) & (table["from"] <= day)).to_numpy()]
    last = begun.sort_values("from", kind="stable").drop_duplicates("node", keep="last")
    if "to" in last:
        last = last[(last["to"].isna() | (last["to"] >= day)).to_numpy()]
    return dict(zip(last["node"].astype(str), last["parent"].astype(str), strict=True))


def ancestors(node: str, parents: dict[str, str]) -> tuple[str, ...]:
    """Return what a node belongs to, nearest first.

    Raises ParameterError where parents lead in a circle: a table that was read has none.

    >>> ancestors("a", {"a": "b", "b": "c"})
    ('b', 'c')
    """
    out: list[str] = []
    while node in parents:
        node = parents[node]
        if node in out:
            raise ParameterError(f"hierarchy: by way of its parents {node!r} belongs to itself")
        out.append(node)
    return tuple(out)
