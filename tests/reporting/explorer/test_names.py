"""Names where there is little room: whole while they fit, and never two that look the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.reporting.explorer.names import is_cut, labels, widths


def test_whole_while_they_fit():
    assert labels(["Core", "GTX Plus Basic"]) == {"Core": "Core", "GTX Plus Basic": "GTX Plus Basic"}


def test_cut_at_the_end_where_that_tells_them_apart():
    assert labels(["Northern Territories", "Core"], most=10) == {"Northern Territories": "Northern…", "Core": "Core"}


@pytest.mark.parametrize("most", range(8, 15))
def test_products_of_a_real_company_are_told_apart(real_data: Path, most: int):
    products = pd.read_csv(real_data / "maven_crm" / "products.csv")["product"].tolist()
    assert {"GTX Plus Pro", "GTX Plus Basic"} <= set(products)
    shown = labels(products, most=most)
    assert len(set(shown.values())) == len(products)
    assert max(map(len, shown.values())) <= most


def test_the_end_is_kept_where_the_beginning_is_alike():
    shown = labels(["GTX Plus Pro", "GTX Plus Basic"], most=10)
    assert shown == {"GTX Plus Pro": "GTX…s Pro", "GTX Plus Basic": "GTX…Basic"}


def test_names_that_look_alike_to_the_last_letter_are_numbered():
    assert labels(["A  B", "A B"], most=10) == {"A  B": "A B", "A B": "A B (2)"}


@given(st.lists(st.text(min_size=1, max_size=30), max_size=12), st.integers(8, 20))
def test_no_two_look_the_same(names: list[str], most: int):
    shown = labels(names, most=most)
    assert set(shown) == set(names)
    assert len(set(shown.values())) == len(shown)


def test_what_is_cut():
    assert is_cut("Northern Territories", "Northern…")
    assert not is_cut("Core", "Core")


def test_columns_get_what_they_want_while_there_is_room():
    assert widths([(3, 10), (3, 4), (3, 2)], room=20) == [10, 4, 3]


def test_the_widest_column_gives_way_first():
    assert widths([(3, 12), (3, 9), (3, 4)], room=20) == [8, 8, 4]
    assert widths([(5, 9), (6, 9)], room=3) == [5, 6]
