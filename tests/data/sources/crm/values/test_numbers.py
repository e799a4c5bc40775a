"""Amounts as exports write them: by hand in each form, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.data.sources.crm.values.numbers import amounts, numbers, shares
from forecast.data.sources.crm.values.reading import Reading
from forecast.errors import DataError


def lines(values: list[str | None]) -> pd.Series:
    """Return a column of a file whose rows begin on line 2."""
    return pd.Series(values, dtype="str", index=pd.RangeIndex(2, len(values) + 2, name="line"))


def reading(decimal: str = "") -> Reading:
    return Reading(table="t.csv", decimal=decimal)


def read(values: list[str | None], decimal: str = "") -> list[float]:
    return numbers(lines(values), reading(decimal), column="c").tolist()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.25E7", 12_500_000),
        ("1,25E7", 12_500_000),
        ("$125000", 125_000),
        ("3,522.00", 3_522),
        ("1.234,56", 1_234.56),
        ("1,234,567", 1_234_567),
        ("1.234.567", 1_234_567),
        ("1,25,000.50", 125_000.5),
        ("1 234,56", 1_234.56),
        ("1\u00a0234,56 €", 1_234.56),
        ("1'234.50", 1_234.5),
        ("(1,200.00)", -1_200),
        ("($1,200.00)", -1_200),
        ("-$450.00", -450),
        ("$-450.00", -450),
        ("450.00-", -450),
        ("5,00- €", -5),
        ("-   €", 0),
        ("$ -", 0),
        ("1 234,50 Kč", 1_234.5),
        ("Rs. 1,23,456.50", 123_456.5),
        ("1 234 567 Ft", 1_234_567),
        ("−450", -450),
        ("EUR 1,200.00", 1_200),
        ("USD 2000", 2_000),
        ("2000 USD", 2_000),
        ("R$ 1.200,00", 1_200),
        ("45%", 45),
        ("45,5 %", 45.5),
        ("0.125", 0.125),
        ("1234.567", 1_234.567),
        ("2000,50", 2_000.5),
        (".5", 0.5),
    ],
)
def test_every_form(text: str, value: float):
    assert read([text]) == [pytest.approx(value)]


def test_one_decimal_sign_a_column_told_by_the_clear_values():
    by = reading()
    given = lines(["€1,234", "2000", "3,522.00", None, "null"])
    out = amounts(given, by, column="Amount")
    np.testing.assert_array_equal(out.numbers, [1234, 2000, 3522, np.nan, np.nan])
    assert out.currency is not None
    assert out.currency.dropna().tolist() == ["EUR"]
    assert "t.csv.Amount: decimal point, as line 4 ('3,522.00') shows" in by.notes
    assert read(["1.234", "7,5"]) == [1234, 7.5]
    assert read(["1.234", "7.5"]) == [1.234, 7.5]


def test_the_files_own_decimal_sign_tells():
    assert read(["$125,000", "42,000"], ".") == [125_000, 42_000]
    assert read(["125.000"], ",") == [125_000]
    for text, decimal in (("1.234", "."), ("1,234", ","), ("1,234", ""), ("1.234", "")):
        with pytest.raises(DataError, match=r"cannot be told whether .* is 1,234 or 1\.234"):
            read([text], decimal)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1,234.50", "1.234,50"], "some values have a decimal point, others a decimal comma"),
        (["EUR 1.2k"], r"values are not numbers\n  rows: line 2 \('EUR 1.2k'\)"),
        (["1,2,3.4"], "values are not numbers"),
        (["1.234.5"], "values are not numbers"),
        (["-(5)"], "values are not numbers"),
        (["(5"], "values are not numbers"),
        (["abc"], "values are not numbers"),
        (["inf"], "values are not numbers"),
        (["12 apples"], "values are not numbers"),
    ],
)
def test_refusals(values: list[str], message: str):
    with pytest.raises(DataError, match=message):
        read(values)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.floats(min_value=-1e9, max_value=1e9).map(lambda value: round(value, 2)), min_size=1, max_size=20))
def test_any_amount_is_read_back_from_any_locale(values: list[float]):
    # A value that shows the sign stands in each column, as cents do in any real one.
    english = [f"{value:,.2f}" for value in [*values, 1.5]]
    german = [text.translate(str.maketrans(",.", ".,")) for text in english]
    machine = [repr(value) for value in [*values, 1.5]]
    assert read(english) == read(german) == read(machine) == [*values, 1.5]


def test_shares():
    def share(values: list[str]) -> list[float]:
        return shares(lines(values), reading(), column="p").tolist()

    assert share(["10", "100"]) == [0.1, 1.0]
    assert share(["0.1", "1.0"]) == [0.1, 1.0]
    assert share(["1%", "0%"]) == [0.01, 0.0]


def test_money_has_no_three_decimals():
    assert read(["2.000 €", "12.500 €"]) == [2_000, 12_500]
    assert read(["$2,000", "500"]) == [2_000, 500]
    for texts in (["2.000 €", "12.500"], ["2.000 €", "2,000 €"], ["KWD 2.000"]):
        with pytest.raises(DataError, match="cannot be told"):
            read(texts)
    with pytest.raises(DataError, match="cannot be told"):
        read(["$1.234"], ".")


def test_a_mapping_says_the_decimal_sign():
    for said, value in ((",", 2_000.0), (".", 2.0)):
        by = Reading(table="t.csv", decimal_said=said)
        assert numbers(lines(["2.000"]), by, column="c").tolist() == [value]
    with pytest.raises(DataError, match="decimal comma that the mapping says"):
        numbers(lines(["2000.5"]), Reading(table="t.csv", decimal_said=","), column="c")
