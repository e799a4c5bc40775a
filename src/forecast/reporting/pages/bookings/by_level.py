"""The forecast by level, to be opened step by step: regions on segments, these on teams and owners; families on
products.

All is read from the month's table `hierarchy_forecast`. Below a node stand its children, what should bring the most
first; they add up to it, and its range is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.figure import Branch, Shown, Statement, TableView, Tree

MOST = 250
"""Nodes of a tree on a page, at most; of more, the lowest levels are left to the file."""

_BETWEEN = " > "
SEGMENT = "segment"
"""The tree that is cut by segment, and the kind of its nodes that are segments."""


def drill_down(*tables: pd.DataFrame, period: str, company: Company, most: int = MOST, brief: bool = False) -> Shown:
    """Return the trees of a period, each folded away behind a line; nothing where no table is given, or no number.

    tables : the month's `hierarchy_forecast`, none where the company has no hierarchy. period : the headline's. most :
    nodes of a tree. brief : for the leader's page, which names no owner, and without the words on how it is read.
    """
    known = [table[(table["target_period"] == period) & table["mean"].notna()] for table in tables]
    known = [table[table["kind"] != "owner"] if brief else table for table in known]
    trees = [(of, rows[rows["of"] == of]) for rows in known for of in LEADS]
    trees = [(of, rows) for of, rows in trees if (rows["level"] > 0).any()]
    return Shown(*(_tree(rows, of, period=period, company=company, most=most, brief=brief) for of, rows in trees))


def _tree(rows: pd.DataFrame, of: str, *, period: str, company: Company, most: int, brief: bool) -> Tree:
    """Return one tree of the period; rows : its nodes."""
    shown = rows[rows["level"] <= deepest(rows["level"], most=most)]
    notes = [] if brief else [READING]
    notes += [LEFT] if len(shown) < len(rows) else []
    lead = LEADS[of].format(kinds=_kinds(shown), period=wording.month(period))
    return Tree(lead, _below(shown, "", 1, company=company), notes)


def deepest(levels: pd.Series, *, most: int = MOST) -> int:
    """Return down to which level no more than so many nodes stand, the first at least. levels : one a node."""
    fits = [level for level in sorted(set(levels)) if (levels <= level).sum() <= most + 1]
    return max([1, *fits])


def _below(rows: pd.DataFrame, path: str, level: int, *, company: Company) -> list[Branch]:
    """Return the nodes below one, what should bring the most first, each with those below it."""
    prefix = f"{path}{_BETWEEN}" if path else ""
    mine = rows[(rows["level"] == level) & rows["path"].str.startswith(prefix)]
    mine = mine.sort_values(["mean", "path"], ascending=[False, True])
    return [
        Branch(
            _line(mine, at, company=company),
            _below(rows[rows["level"] > level], str(mine.at[at, "path"]), level + 1, company=company),
        )
        for at in mine.index
    ]


def _line(rows: pd.DataFrame, at: object, *, company: Company) -> str:
    """Return a node's line: its name, what it should bring and the range."""
    mean, low, high = (sources.cell(rows, at, name) for name in ("mean", "q10", "q90"))
    amount = wording.money(mean, currency=company.currency)
    span = wording.money_range(low, high, currency=company.currency) if wording.known(low) else ""
    name = wording.label(rows.at[at, "node"], most=_LONGEST)
    return f"{name}: {', '.join(part for part in (amount, span) if part)}"


def _kinds(rows: pd.DataFrame) -> str:
    """Return which kinds of nodes a tree has below the whole, the highest first, in words."""
    first: dict[str, int] = {}
    for kind, level in zip(rows["kind"], rows["level"], strict=True):
        first[kind] = min(int(level), first.get(kind, int(level)))
    order: Sequence[str] = sorted((kind for kind in first if kind in KINDS), key=lambda kind: (first[kind], kind))
    return wording.joined([KINDS[kind] for kind in order])


def kinds_below(table: pd.DataFrame | None) -> dict[str, str]:
    """Return the kinds of nodes there are below the whole, by the words for them, the highest first; none of None."""
    if table is None:
        return {}
    rows = table[table["level"] > 0].sort_values("level", kind="stable")
    return {KINDS[kind]: kind for kind in rows["kind"].unique() if kind in KINDS}


def nodes_of(
    table: pd.DataFrame | None, *, kind: str, segment: str = TOTAL, period: str, company: Company, most: int = 12
) -> TableView | Statement | Shown:
    """Return the nodes of one kind as a table: what each should bring in a period, with its range.

    table : the month's `hierarchy_forecast`; nothing is shown of None, and of no kind. segment : those that lie on the
    way from the whole to it or below it; of a tree that is not cut by segment (products) all are shown, and the caption
    says so. most : rows, the largest first.
    """
    if table is None or not kind:
        return Shown()
    rows = table[(table["kind"] == kind) & (table["target_period"] == period) & table["mean"].notna()]
    trees = [SEGMENT, *(of for of in rows["of"].unique() if of != SEGMENT)]
    tree = next((of for of in trees if (rows["of"] == of).any()), SEGMENT)  # of two the one that is cut by segment
    rows, of_all = rows[rows["of"] == tree], segment == TOTAL or tree != SEGMENT
    if not of_all:
        home = table.loc[(table["of"] == SEGMENT) & (table["kind"] == SEGMENT) & (table["node"] == segment), "path"]
        ways = [str(way) for way in home.unique()]
        near = [any(_on_the_way(str(path), way) for way in ways) for path in rows["path"]]
        rows = rows[near]
    where = WHOLE if of_all else wording.label(segment)
    if rows.empty:
        return Statement(NO_NODES.format(KINDS.get(kind, kind), where, wording.month(period)), kind="nothing")
    shown = rows.nlargest(most, "mean")[["node", "mean", "q10", "q90"]].reset_index(drop=True)
    caption = NODES.format(sources.capitalised(KINDS[kind]), where, wording.month(period))
    if len(rows) > most:
        caption += LARGEST.format(f"{most:,}", f"{len(rows):,}")
    money = wording.in_currency(company.currency)
    return TableView(shown, caption, columns=NODE_HEADS, formats=dict.fromkeys(("mean", "q10", "q90"), money))


def _on_the_way(path: str, home: str) -> bool:
    """Return whether one of two places of a tree lies above or below the other, or is it."""
    return f"{path}{_BETWEEN}".startswith(f"{home}{_BETWEEN}") or f"{home}{_BETWEEN}".startswith(f"{path}{_BETWEEN}")


_LONGEST = 28


# -- sentences ------------------------------------------------------------------------------------------

LEADS: Mapping[str, str] = dict.fromkeys(
    ("segment", "owner", "product"), "{period} with 80 % ranges, step by step: {kinds}"
)
"""The line behind which each tree is folded away."""

KINDS: Mapping[str, str] = {
    "group": "groups of segments",
    "segment": "segments",
    "team": "teams",
    "owner": "owners",
    "family": "families",
    "product": "products",
}
"""What the nodes of a tree are, in words."""

READING = (
    "The lines under one add up to it; their ranges do not, since not all err to one side at once. Each tree is "
    "another cut of the same money."
)
LEFT = "What stands further down is in the table hierarchy_forecast."
NODES, WHOLE, LARGEST = "{} of {}, {}", "the company", "; the {} that should bring the most, of {}"
NO_NODES = "There are no {} of {} in {}."
NODE_HEADS = {"node": "name", "mean": "expected", "q10": "from (80 %)", "q90": "to (80 %)"}
"""The table of the nodes of one kind."""
