"""The hierarchy: what would count money twice or nowhere is refused, what is doubtful is named, each with its row."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.checks.validation import problems
from forecast.data.schema import Company
from forecast.errors import Problem
from logs import STAGES, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome owner product
    A              2026-01-10 East    Won     120    2026-04-30        2026-03-30 won     Ada   Goods
    B              2026-02-10 West    Propose 60     2026-04-30        .          open    Bob   Service
    """
)
PLACES = table(
    """
    of      node     from       parent  to
    segment East     2026-01-01 North   .
    segment West     2026-01-01 North   .
    owner   Ada      2026-01-01 Team-1  .
    owner   Bob      2026-01-01 Team-2  .
    owner   Team-1   2026-01-01 East    .
    owner   Team-2   2026-01-01 West    .
    product Goods    2026-01-01 Things  .
    product Service  2026-01-01 Work    .
    """
)


def found(rows: str, *, deals: pd.DataFrame = DEALS, places: pd.DataFrame = PLACES) -> list[Problem]:
    more = table("of node from parent to\n" + rows) if rows else places.head(0)
    given = {"opportunities": deals, "stages": STAGES, "hierarchy": pd.concat([places, more], ignore_index=True)}
    return problems(given, Company())


def test_a_hierarchy_in_order_is_told_nothing_of():
    assert found("") == []
    # An empty `to` ends by itself where the next row begins.
    assert found("segment East 2026-03-01 South .") == []


@pytest.mark.parametrize(
    ("rows", "column", "severity", "what", "count"),
    [
        ("segment Total 2026-01-01 World .", "node", "fatal", "reserved", 1),
        ("segment North 2026-01-01 total .", "parent", "fatal", "reserved", 1),
        ("segment North 2026-01-01 World 2025-12-31", "to", "fatal", "ends before it begins", 1),
        ("segment North 2026-01-01 North .", "parent", "fatal", "belongs to itself", 1),
        ("segment North 2026-01-01 East .", "parent", "fatal", "a circle", 2),
        ("owner Team-1 2026-02-01 Ada .", "parent", "fatal", "a circle", 2),
        (
            "segment North 2026-01-01 World 2026-03-01\nsegment North 2026-02-01 Moon .",
            "from",
            "fatal",
            "two parents at once",
            1,
        ),
        (
            "segment North 2026-01-01 World 2026-01-31\nsegment North 2026-03-01 Moon .",
            "from",
            "warning",
            "a gap",
            1,
        ),
        ("segment Eest 2026-01-01 North .", "node", "warning", "no opportunity has it as its segment", 1),
        ("owner Cyd 2026-01-01 Team-1 .", "node", "info", "no opportunity has it as its owner", 1),
        ("product God 2026-01-01 Things .", "node", "warning", "no opportunity has it as its product", 1),
        ("owner Ada 2026-02-01 Eest .", "parent", "warning", "is no segment", 1),
    ],
)
def test_what_does_not_fit_is_named_with_its_row_and_mend(rows: str, column: str, severity: str, what: str, count: int):
    told = [problem for problem in found(rows) if what in problem.what]
    assert len(told) == 1, found(rows)
    (problem,) = told
    assert (problem.table, problem.column, problem.severity) == ("hierarchy", column, severity)
    assert problem.count == count
    assert problem.mend
    assert len(problem.rows) == count


def test_a_circle_that_was_on_no_day_is_none():
    rows = "segment North 2026-01-01 World 2026-01-31\nsegment World 2026-02-01 North ."
    assert not [problem for problem in found(rows) if "circle" in problem.what]
    # The node below a circle is in none; both of the circle are named.
    told = found("segment North 2026-01-01 World .\nsegment World 2026-02-01 North .")
    (circle,) = [problem for problem in told if "circle" in problem.what]
    assert circle.count == 2
    assert "East" not in "".join(circle.rows)


def test_names_of_deals_that_stand_nowhere_and_columns_that_are_not_there_are_told():
    (problem,) = found("", places=PLACES.iloc[1:])
    assert (problem.table, problem.column, problem.severity, problem.count) == ("opportunities", "segment", "info", 1)
    (problem,) = found("", deals=DEALS.drop(columns="product"))
    assert (problem.table, problem.column, problem.severity, problem.count) == ("hierarchy", "of", "warning", 2)
    assert problem.mend.startswith("add the column product")
