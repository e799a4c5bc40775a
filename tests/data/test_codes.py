"""Keys as numbers: places and order agree with what pandas says, for any texts, missing ones and repeated ones."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.data.checks.validation import validate
from forecast.data.codes import (
    by_text,
    bytes_of,
    coded,
    dictionary_of,
    either,
    from_chunks,
    held_texts,
    in_one_number,
    is_coded,
    key_order,
    labels,
    looked_up,
    one_below_another,
    own_places,
    padded,
    places,
    ranks,
    repeats,
    translated,
)
from forecast.data.schema import Company
from forecast.data.sources.files import read
from forecast.data.text import CodedText
from logs import STAGES, table

OPPORTUNITIES = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    C              2026-02-11 West    Lost    61     2026-04-30        2026-04-29 lost
    A              2026-01-10 East    Won     120    2026-04-30        2026-03-30 won
    B              2026-02-10 West    Propose 60     2026-04-30        .          open
    """
)
TEXTS = st.lists(
    st.one_of(st.none(), st.sampled_from(["", " a", "a", "A", "b", "é", "O-10", "O-9", "𝒜", "豈"])), max_size=30
)


def text(values: list[str | None]) -> pd.Series:
    return pd.Series(values, dtype="str")


def held(values: list[str | None]) -> pd.Series:
    """Return the same texts held as codes, however few rows there are."""
    return pd.Series(CodedText(dictionary_of(text(values))))


def test_places_by_hand():
    among = text(["b", "a", "b", None])
    assert places(text(["a", "a", "b", None, "c", "a"]), among).tolist() == [1, 1, 0, -1, -1, 1]
    assert places(text([]), among).tolist() == []
    assert places(text(["a"]), text([])).tolist() == [-1]


def test_ranks_by_hand():
    # As texts sort: O-10 before O-9; a missing one after all.
    assert np.argsort(ranks(text(["O-9", None, "O-10", "O-9"])), kind="stable").tolist() == [2, 0, 3, 1]
    dates = pd.Series(pd.to_datetime(["2026-02-01", None, "2026-01-01"]))
    assert np.argsort(ranks(dates)).tolist() == [2, 0, 1]


@given(TEXTS, TEXTS)
def test_places_are_those_of_a_search(values, among):
    expected = [-1 if value is None or value not in among else among.index(value) for value in values]
    for column in (text(values), held(values)):
        assert places(column, text(among)).tolist() == expected


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "O-10", "O-9", "é", None]), st.one_of(st.none(), st.integers(0, 3))))
)
@settings(max_examples=200)
def test_order_is_that_of_a_stable_sort(rows):
    days = pd.to_datetime(pd.Series([day for _, day in rows], dtype="Int64"), unit="D", utc=True)
    frame = pd.DataFrame({"name": text([name for name, _ in rows]), "day": days.astype("datetime64[us, UTC]")})
    order = key_order([ranks(frame["name"]), ranks(frame["day"])])
    expected = frame.sort_values(["name", "day"], kind="stable").index.to_numpy()
    np.testing.assert_array_equal(np.arange(len(frame)) if order is None else order, expected)
    assert (order is None) == bool((expected == np.arange(len(frame))).all())
    coded = held([name for name, _ in rows])
    again = key_order([ranks(coded), ranks(frame["day"])])
    np.testing.assert_array_equal(np.arange(len(frame)) if again is None else again, expected)


def test_several_numbers_in_one_by_hand():
    assert in_one_number([np.array([1, 0, 1]), np.array([5, 9, 7])]).tolist() == [8, 4, 10]
    seconds = np.array([3, 0, 2**40]) * 1_000_000  # what is below the second takes no bits
    assert in_one_number([np.array([0, 0, 1]), seconds]).tolist() == [3, 0, 2**41 + 2**40]
    assert in_one_number([np.array([0, 2**62])]) is None
    assert in_one_number([np.array([0, 2**40, 1]), np.array([0, 2**40 - 1, 1])]) is None
    assert in_one_number([np.array([], dtype=np.int64)]).tolist() == []


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-(10**12), 10**12), st.integers(0, 2)), max_size=30))
def test_several_numbers_in_one_sort_as_they_do(rows):
    numbers = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)] or [np.zeros(0, dtype=np.int64)]
    one = in_one_number(numbers)
    assert one is not None
    np.testing.assert_array_equal(np.argsort(one, kind="stable"), np.lexsort(numbers[::-1]))
    assert len(np.unique(one)) == len(set(rows))


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["b", "c", None]), st.booleans()), max_size=9)
)
def test_columns_side_by_side_and_one_below_another(rows):
    first, other, mask = ([row[place] for row in rows] for place in range(3))
    for one, two in ((text(first), text(other)), (held(first), text(other)), (held(first), held(other))):
        chosen = either(one, np.array(mask, dtype=bool), two)
        assert chosen.equals(one.where(mask, two))
        assert one_below_another([one, two]).equals(pd.concat([text(first), text(other)], ignore_index=True))


@given(TEXTS)
def test_own_places_are_places_in_oneself(values):
    for column in (text(values), held(values)):
        np.testing.assert_array_equal(own_places(column), places(column, column))
        assert repeats(column) == column.duplicated().any()


@given(TEXTS)
def test_labels_are_equal_for_equal_texts_alone(values):
    for column in (text(values), held(values)):
        found = labels(column)
        same = found[:, None] == found[None, :]
        assert (same == [[one == other for other in values] for one in values]).all()


def test_padded_finds_blanks_beyond_the_first_part():
    values = text(["a"] * 300_000 + ["b ", None, "\u00a0c"])
    assert padded(values) == {"b ", "\u00a0c"}
    assert padded(text(["a", None, "a b"])) == set()


def test_validation_leaves_what_it_was_given_unless_told_otherwise():
    given_tables = {"opportunities": OPPORTUNITIES.copy(), "stages": STAGES.copy()}
    kept = validate(given_tables, Company())
    pd.testing.assert_frame_equal(given_tables["opportunities"], OPPORTUNITIES)
    given_up = validate(given_tables, Company(), keep=False)
    assert given_tables == {}
    pd.testing.assert_frame_equal(kept.opportunities, given_up.opportunities)
    assert kept.opportunities["opportunity_id"].tolist() == ["A", "B", "C"]


@pytest.mark.parametrize("rows_a_group", [1, 2, 100])
def test_parquet_is_read_column_by_column_whatever_its_groups_and_names(tmp_path, rows_a_group):
    frame = OPPORTUNITIES.reset_index(drop=True).assign(**{"a.b": ["x", "y", "z"]})
    written = pa.Table.from_pandas(frame, preserve_index=False)
    written = written.append_column("a", pa.array([{"b": 1}, {"b": 2}, {"b": 3}]))
    pq.write_table(written, tmp_path / "opportunities.parquet", row_group_size=rows_a_group)
    log = read(tmp_path)
    assert log.opportunities["a.b"].tolist() == ["y", "z", "x"]
    assert log.opportunities["amount"].tolist() == [120.0, 60.0, 61.0]


def test_each_text_is_asked_once_and_none_that_no_row_has() -> None:
    asked: list[list[str]] = []

    def length(texts: pa.Array) -> pa.Array:
        asked.append(texts.to_pylist())
        return pc.binary_length(texts)

    column = coded(pd.Series(["b", "aa", None, "b", "ccc"] * 4, dtype="str"))
    assert is_coded(column)
    some = column[column != "ccc"]
    assert by_text(some, length).to_pylist() == [1, 2, None, 1] * 4
    assert asked == [["b", "aa"]]


def test_texts_are_translated_and_looked_up_by_what_stands_beside_them() -> None:
    column = coded(pd.Series(["x", "y", None, "z"] * 5, dtype="str", index=range(5, 25)))
    words = translated(column, {"x": "ex", "y": None})
    assert words.iloc[:4].fillna("-").tolist() == ["ex", "-", "-", "-"]
    assert (words.index == column.index).all()
    beside = looked_up(column, pd.Series(["y", "x", "x"], dtype="str"), pd.Series([1.0, 2.0, 3.0]))
    assert beside.iloc[:4].fillna(0).tolist() == [2, 1, 0, 0]
    assert (beside.index == column.index).all()


def test_a_column_read_in_chunks_is_the_column() -> None:
    few = pa.chunked_array([["a", "b", None], [], ["a"] * 9], pa.string())
    many = pa.chunked_array([["a", "b"], [None, "c"]], pa.string())
    none = pa.chunked_array([], pa.string())
    assert is_coded(from_chunks(few))
    assert not is_coded(from_chunks(many))
    for values in (few, many, none):
        assert (
            from_chunks(values).astype(object).where(lambda column: column.notna(), None).tolist() == values.to_pylist()
        )


def test_bytes_of_texts_and_texts_as_they_are_held():
    text = pa.array(["ab", None, "", "é1", "z"], pa.large_string())
    at, signs = bytes_of(text.slice(2, 2))
    assert bytes(signs[at[0] : at[-1]]) == "é1".encode()
    assert np.diff(at).tolist() == [0, 3]
    at, signs = bytes_of(pa.array(["ab", "c"]))
    assert [bytes(signs[begin:end]) for begin, end in itertools.pairwise(at)] == [b"ab", b"c"]
    plain = pd.Series(["b", "a", "b"], dtype="str")
    assert held_texts(plain).to_pylist() == ["b", "a", "b"]
    assert held_texts(coded(pd.Series(["b", "a"] * 8, dtype="str"))).to_pylist() == ["b", "a"]
