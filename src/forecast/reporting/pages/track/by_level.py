"""How near past forecasts by level were, as page 04 shows it: by kind of node and lead time, and node by node.

All is read from the month's table `hierarchy_scores`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.reporting.charts.figure import Format, Shown, Statement, TableView
from forecast.reporting.pages.words import HABIT, word

LEADS = (1, 3, 6)
"""Months ahead that are shown."""


def by_level(*tables: pd.DataFrame, company: Company) -> Shown:
    """Return what the page says of levels; nothing where no table is given, or no forecast of one has settled.

    tables : the month's `hierarchy_scores`, none where the company has no hierarchy.
    """
    parts: list[Statement | TableView] = []
    for table in tables:
        kinds, nodes = _kinds(table), table[table["node"] != ""]
        if kinds.empty:
            continue
        parts += [
            Statement(_finding(kinds), MORE),
            TableView(kinds, CAPTION, columns=COLUMNS, formats=_formats(company)),
            TableView(
                nodes.sort_values(["of", "booked"], ascending=[True, False]),
                NODES,
                columns=NODE_COLUMNS,
                formats=_formats(company) | {"verdict": lambda verdict: word(verdict, HABIT)},
                fold=NODES,
            ),
        ]
    return Shown(*parts)


def _kinds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of kinds that are shown, from above; the whole once, though each tree has it."""
    rows = table[(table["node"] == "") & table["wape"].notna()]
    first = next((of for of in TREES if (rows["of"] == of).any()), "")
    rows = rows[rows["horizon"].isin(LEADS) & ((rows["level"] > 0) | (rows["of"] == first))]
    tree, kind = (rows[name].map(list(names).index) for name, names in (("of", TREES), ("kind", KINDS)))
    order = rows.assign(of=tree, kind=kind).sort_values(["of", "kind", "horizon"]).index
    return rows.loc[order]


def _finding(kinds: pd.DataFrame) -> str:
    """Return how large the miss was at the shortest lead time that is shown, by kind."""
    first = kinds[kinds["horizon"] == kinds["horizon"].min()]
    misses = [
        MISS.format(wording.percent(sources.cell(first, at, "wape")), KINDS[first.at[at, "kind"]]) for at in first.index
    ]
    ahead = wording.ahead(int(first["horizon"].iloc[0]))
    return FINDING.format(sources.capitalised(ahead), wording.joined(misses))


def _formats(company: Company) -> dict[str, Format]:
    return {
        "kind": lambda kind: KINDS[kind],
        "wape": wording.whole,
        "bias": wording.whole,
        "booked": wording.in_currency(company.currency),
    }


TREES = ("segment", "owner", "product")

# -- sentences ------------------------------------------------------------------------------------------

KINDS: Mapping[str, str] = {
    "total": "the whole",
    "group": "groups of segments",
    "segment": "segments",
    "team": "teams",
    "owner": "owners",
    "family": "families of products",
    "product": "products",
}
MISS = "{} for {}"
FINDING = "{} the miss was {}."
MORE = (
    "The further down, the larger it is: what one owner books and another was to book is a miss of both, and none of "
    "their segment’s. A deal counts with whoever held it when its month had settled."
)
CAPTION = "The miss by level and months ahead, all nodes of a kind together"
COLUMNS: Mapping[str, str] = {
    "kind": "level",
    "horizon": "months ahead",
    "n": "forecasts",
    "booked": "booked",
    "wape": "miss (WAPE)",
    "bias": "bias",
}
NODES = "Each node one month ahead: its miss, and whether its forecasts were off to one side by more than luck"
NODE_COLUMNS: Mapping[str, str] = {
    "path": "node",
    "kind": "level",
    "n": "months",
    "booked": "booked",
    "wape": "miss (WAPE)",
    "bias": "bias",
    "verdict": "one side",
}
