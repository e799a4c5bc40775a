"""A condition in SQL: what it picks, and that it can look at nothing but the deals it is given."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.selection.condition import FUNCTIONS, chosen, columns_of
from forecast.errors import ParameterError

DATES = ("year", "quarter", "month", "day", "-", "+")

DEALS = pd.DataFrame(
    {
        "opportunity_id": ["O1", "O2", "O3", "O4"],
        "product": pd.Series(["GTX Plus", "GTX Pro", None, "GTX Plus"], dtype="str"),
        "amount": [100.0, 2000.0, 3000.0, None],
        "created_on": pd.to_datetime(["2025-01-01", "2025-06-01", "2026-01-01", "2026-02-01"]).as_unit("us"),
        "lead source": pd.Series(["Web", "Fair", "Web", "Web"], dtype="str"),
    }
)


@pytest.mark.parametrize(
    ("condition", "rows", "unknown"),
    [
        ("product = 'GTX Plus'", "O1 O4", 1),
        ("PRODUCT='GTX Plus' AND Amount < 1000", "O1", 1),
        ("amount BETWEEN 1000 AND 5000", "O2 O3", 1),
        ("created_on >= '2026-01-01'", "O3 O4", 0),
        ("year(created_on) = 2025 OR product IS NULL", "O1 O2 O3", 0),
        ("\"lead source\" IN ('Fair')", "O2", 0),
        ("product LIKE 'GTX%' AND NOT starts_with(product, 'GTX Pl')", "O2", 1),
        ("CASE WHEN amount > 2500 THEN true ELSE false END", "O3", 0),
        ("opportunities.amount * 2 > 5000 -- twice", "O3", 1),
        ("created_on::DATE = DATE '2025-06-01'", "O2", 0),
        ("true", "O1 O2 O3 O4", 0),
    ],
)
def test_it_picks_what_sql_picks(condition, rows, unknown):
    found = chosen(condition, DEALS)
    assert list(DEALS["opportunity_id"][found.rows]) == rows.split()
    assert found.unknown == unknown


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", "is not an SQL condition"),
        ("x" * 3000, "is not an SQL condition"),
        ("product = ", "cannot be read"),
        ("product = 'a'; DROP TABLE opportunities", "cannot be read"),
        ("1=1) UNION SELECT (1", "more than a condition"),
        ("1=1) GROUP BY (product", "more than a condition"),
        ("1=1) LIMIT (1", "more than a condition"),
        ("EXISTS (SELECT 1)", "may hold no query"),
        ("amount > (SELECT max(amount) FROM opportunities)", "may hold no query"),
        ("amount IN (SELECT 1)", "may hold no query"),
        ("count(*) > 1", "count_star is not for conditions"),
        ("sum(amount) OVER () > 1", "may hold no window"),
        ("amount > $1", "may hold no parameter"),
        ("list_transform([1], x -> x) = [1]", "list_transform is not for conditions"),
        ("read_text('/etc/passwd') = ''", "read_text is not for conditions"),
        ("getenv('HOME') = ''", "getenv is not for conditions"),
        ("created_on < now()", "now is not for conditions"),
        ("created_on < today()", "today is not for conditions"),
        ("created_on < current_date", "no column 'current_date'"),
        ("random() < 0.5", "random is not for conditions"),
        ("created_on > '2025-01-01T00:00:00Z'::TIMESTAMPTZ", "is no type for conditions"),
        ("amount", "neither true nor false"),
        ("amount > 'many'", "cannot be held against the deals"),
        ("prodct = 'GTX Plus'", "did you mean 'product'?"),
        ('product = "GTX Plus"', "text stands in single quotes: 'GTX Plus'"),
        ("product = 'GTX Plsu'", "there is no product 'GTX Plsu': did you mean 'GTX Plus'?"),
        ("product IN ('A', 'B')", "there is no product 'A'"),
        ("amount > 1e9", "no deal is left by amount > 1e9"),
        ("other.amount > 1", "no column 'amount'"),
        ("outcome = 'won'", "outcome may not be used: later"),
    ],
)
def test_what_it_cannot_be_is_refused_in_words(condition, said):
    with pytest.raises(ParameterError) as error:
        chosen(condition, DEALS, refused={"outcome": "later"})
    assert said in str(error.value)


def test_every_function_it_may_call_is_of_values_alone():
    # A clock, a file, a setting, chance: none of these may decide what is forecast.
    import duckdb

    with duckdb.connect() as session:
        rows = session.sql(
            "SELECT DISTINCT function_name, stability FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'macro')"
        ).fetchall()
    stability = {}
    for name, stable in rows:
        stability.setdefault(name, set()).add(stable)
    for name in FUNCTIONS - {"coalesce", "ifnull", "nullif"}:  # the parser's own
        assert name in stability, f"DuckDB knows no function {name}"
        # Of a time with its zone the month hangs on the machine's; no condition can hold one.
        allowed = {"CONSISTENT", "CONSISTENT_WITHIN_QUERY"} if name in DATES else {"CONSISTENT"}
        assert stability[name] <= {*allowed, None}, f"{name} is {stability[name]}"


def test_the_columns_of_a_condition_are_told():
    assert columns_of("product = 'a' AND (amount > 1 OR \"lead source\" IS NULL)") == {
        "product",
        "amount",
        "lead source",
    }


def test_the_table_is_not_touched():
    before = DEALS.copy(deep=True)
    chosen("amount > 1000", DEALS)
    pd.testing.assert_frame_equal(DEALS, before)
