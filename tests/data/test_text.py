"""A coded column of text is to everybody a column of text like any other, and holds a number a row."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from forecast.data import text
from forecast.data.codes import (
    blanked,
    coded,
    dictionary_of,
    from_codes,
    from_dictionary,
    is_coded,
    places,
    recoded,
)
from forecast.data.sources.files import read

_NAMES = ["won", None, "open", "open", "lost", "won", None, "open"]


@pytest.fixture
def plain() -> pd.Series:
    return pd.Series(_NAMES * 10, dtype="str")


@pytest.fixture
def lean(plain: pd.Series) -> pd.Series:
    column = coded(plain)
    assert is_coded(column)
    assert not is_coded(plain)
    return column


OPERATIONS = {
    "dtype": lambda x: x.dtype == "str",
    "isna": lambda x: x.isna(),
    "equal": lambda x: x == "won",
    "unequal": lambda x: x != "won",
    "less": lambda x: x < "p",
    "equal to a column": lambda x: x == x.shift(),
    "isin": lambda x: x.isin(["won", "nowhere"]),
    "isin, missing": lambda x: x.isin(["won", np.nan]),
    "unique": lambda x: pd.Series(x.unique()),
    "nunique": lambda x: x.nunique(),
    "value_counts": lambda x: x.value_counts(),
    "duplicated": lambda x: x.duplicated(),
    "factorize": lambda x: pd.Series(pd.factorize(x)[0]),
    "factorize, values": lambda x: pd.Series(pd.factorize(x)[1]),
    "factorize with missing": lambda x: pd.Series(pd.factorize(x, use_na_sentinel=False)[0]),
    "take": lambda x: x.take([3, 1, -1, 0]),
    "take with gaps": lambda x: pd.Series(x.array.take([3, -1, 0], allow_fill=True)),
    "take filled": lambda x: pd.Series(x.array.take([3, -1, 0], allow_fill=True, fill_value="none")),
    "take nothing": lambda x: x.take([]),
    "one": lambda x: (x.iloc[-1], x.iloc[0]),
    "missing one": lambda x: np.isnan(x.iloc[1]),
    "slice": lambda x: x.iloc[2:-3],
    "backwards": lambda x: x.iloc[::-1],
    "mask": lambda x: x[(np.arange(len(x)) % 3 == 0)],
    "dropna": lambda x: x.dropna(),
    "fillna": lambda x: x.fillna("none"),
    "where": lambda x: x.where(np.arange(len(x)) % 2 == 0),
    "mask by another": lambda x: x.mask(np.arange(len(x)) % 2 == 0, x.shift()),
    "map": lambda x: x.map({"won": 1, "lost": 2}),
    "upper": lambda x: x.str.upper(),
    "concat": lambda x: pd.concat([x, pd.Series(["new"], dtype="str"), x]),
    "group": lambda x: pd.Series(1, index=x.index).groupby(x).sum(),
    "group by two": lambda x: pd.DataFrame({"a": x, "b": x.shift(), "n": 1}).groupby(["a", "b"], dropna=False).sum(),
    "merge": lambda x: pd.DataFrame({"a": x}).merge(pd.DataFrame({"a": ["won", "open"], "b": [1, 2]}), how="left"),
    "sort": lambda x: x.sort_values(),
    "index": lambda x: pd.Index(x).get_indexer(["won", "x"]) if x.is_unique else pd.Index(x).unique(),
    "object": lambda x: x.astype(object),
    "numpy": lambda x: pd.Series(x.to_numpy(dtype=object)),
    "csv": lambda x: x.to_csv(),
    "category": lambda x: x.astype("category"),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "deep copy": lambda x: x.copy(deep=True),
    "list": lambda x: pd.Series(list(x)),
    "max": lambda x: x.max(),
    "add": lambda x: x + "!",
    "Arrow": lambda x: pd.Series(pa.array(x).to_pylist()),
    "Arrow's type": lambda x: str(pa.Table.from_pandas(x.to_frame("x")).schema.field("x").type),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_does_what_a_column_of_text_does(plain: pd.Series, lean: pd.Series, name: str):
    expected, found = OPERATIONS[name](plain), OPERATIONS[name](lean)
    if isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected)
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, (np.ndarray, pd.Index)):
        assert list(found) == list(expected)
    else:
        assert found == expected


def test_values_can_be_set_in_a_copy_and_the_column_stays(plain: pd.Series, lean: pd.Series):
    copy = lean.copy()
    copy.iloc[0] = "new"
    copy.loc[4:6] = ["a", None, "b"]
    expected = plain.copy()
    expected.iloc[0] = "new"
    expected.loc[4:6] = ["a", None, "b"]
    pd.testing.assert_series_equal(copy, expected)
    pd.testing.assert_series_equal(lean, plain)
    assert is_coded(lean)
    frame = pd.DataFrame({"x": lean}, copy=False)
    frame.loc[frame["x"] == "open", "x"] = "shut"
    assert is_coded(lean)
    assert (lean == "open").sum() == 30


def test_places_out_of_bounds_are_refused_as_in_a_column_of_text(plain: pd.Series, lean: pd.Series):
    for column in (plain, lean):
        with pytest.raises(IndexError):
            column.array.take([len(column)])
        with pytest.raises(ValueError, match="indices"):
            column.array.take([0, -2], allow_fill=True)
        with pytest.raises(IndexError):
            column.array[len(column)]


def test_it_holds_a_byte_a_row_where_there_are_few_names():
    column = coded(pd.Series(["proposal", "negotiation"] * 5_000, dtype="str"))
    assert column.array.nbytes < 10_200


def test_names_that_mostly_differ_stay_as_they_are():
    names = pd.Series([f"D-{number}" for number in range(20_000)], dtype="str")
    assert coded(names) is names
    assert not is_coded(from_dictionary(dictionary_of(names)))


def test_a_dictionary_that_says_a_name_twice_is_put_right():
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2] * 8), pa.array(["a", "b", "a"]))
    column = from_dictionary(twice)
    assert is_coded(column)
    assert dictionary_of(column).dictionary.to_pylist() == ["a", "b"]
    assert list(column[:3]) == ["a", "b", "a"]


def test_places_are_those_of_the_text(plain: pd.Series, lean: pd.Series):
    for column in (plain, lean):
        assert places(column, ["open", "won", "open"])[:5].tolist() == [1, -1, 0, 0, -1]


def test_codes_become_their_text():
    assert from_codes(np.array([1, -1, 0]), ("no", "yes")).tolist()[::2] == ["yes", "no"]


def test_names_of_another_table_are_held_as_places_in_it_in_any_order():
    ids = pd.Series(["D-2", "D-10", "D-1"], dtype="str")
    rows = pd.Series(["D-1", None, "D-2", "D-2", "D-10"], dtype="str", index=[3, 4, 5, 6, 7])
    held = recoded(rows, ids)
    assert dictionary_of(held).dictionary.equals(dictionary_of(recoded(ids, ids)).dictionary)
    assert places(held, ids).tolist() == [2, -1, 0, 0, 1]
    pd.testing.assert_series_equal(held, rows)
    moved = ids.sort_values(ignore_index=True)
    again = recoded(held, moved)
    assert dictionary_of(again).dictionary.to_pylist() == ["D-1", "D-10", "D-2"]
    pd.testing.assert_series_equal(again, rows)


def test_names_that_the_other_table_does_not_hold_stay_as_they_are():
    ids = pd.Series(["D-1", "D-2"], dtype="str")
    strange = pd.Series(["D-1", "D-3"], dtype="str")
    assert recoded(strange, ids) is strange
    doubled = pd.Series(["D-1", "D-1"], dtype="str")
    assert recoded(ids[:1], doubled).equals(ids[:1])


def test_blanked_rows_are_missing_and_the_rest_stays(plain: pd.Series, lean: pd.Series):
    keep = np.arange(len(plain)) % 3 > 0
    pd.testing.assert_series_equal(blanked(lean, keep), plain.where(keep))
    pd.testing.assert_series_equal(blanked(plain, keep), plain.where(keep))
    assert is_coded(blanked(lean, keep))


def test_texts_of_python_are_those_of_a_plain_column_each_made_once(plain: pd.Series, lean: pd.Series):
    for column, whole in ((lean, plain), (lean[1:4], plain[1:4]), (lean.take([2, 0, 2, 2]), plain.take([2, 0, 2, 2]))):
        found, expected = column.to_numpy(), whole.to_numpy()
        assert found.dtype == expected.dtype == object
        assert [None if pd.isna(x) else x for x in found] == [None if pd.isna(x) else x for x in expected]
        assert all(x is np.nan for x in found[pd.isna(found)])
    assert len({id(x) for x in lean.to_numpy()}) == lean.nunique(dropna=False)
    filled = lean.to_numpy(na_value="?")
    assert filled.tolist() == plain.to_numpy(na_value="?").tolist()


# -- under a pandas that does otherwise ----------------------------------------------------------------

BROKEN = {
    "isna": lambda self: np.zeros(len(self), dtype=bool),
    "take": lambda self, *_, **__: self[:1],
    "to_numpy": lambda self, *_, **__: np.array(["x"] * len(self), dtype=object),
    "factorize": lambda self, *_: (np.zeros(len(self), dtype=np.intp), self[:1]),
    "_cmp_method": lambda self, *_: np.ones(len(self), dtype=bool),
    "_pa_array": property(lambda self: pa.chunked_array([pa.array(["x"] * len(self), pa.large_string())])),
    "__len__": lambda _: 1 / 0,
}


@pytest.fixture
def tried_anew():
    text.works.cache_clear()
    yield
    text.works.cache_clear()


@pytest.mark.usefixtures("tried_anew")
def test_under_the_pandas_that_is_here_columns_are_coded():
    assert text.works()


@pytest.mark.usefixtures("tried_anew")
@pytest.mark.parametrize("operation", BROKEN)
def test_where_pandas_answers_otherwise_every_column_is_plain_text(operation, plain, monkeypatch):
    monkeypatch.setattr(text.CodedText, operation, BROKEN[operation])
    assert not text.works()
    ids = pd.Series(["D-1", "D-2"], dtype="str")
    columns = {
        "coded": (coded(plain), plain),
        "from_dictionary": (from_dictionary(dictionary_of(plain)), plain),
        "from_codes": (from_codes(np.array([0, -1, 1]), ("a", "b")), pd.Series(["a", None, "b"], dtype="str")),
        "recoded": (recoded(ids[::-1], ids), ids[::-1]),
        "blanked": (blanked(coded(plain), np.arange(len(plain)) > 3), plain.where(np.arange(len(plain)) > 3)),
    }
    for found, expected in columns.values():
        assert not is_coded(found)
        pd.testing.assert_series_equal(found, expected)
    assert places(coded(plain), ["open", "won"])[:3].tolist() == [1, -1, 0]


@pytest.mark.usefixtures("tried_anew")
def test_a_log_of_plain_text_is_the_same_log(sample, monkeypatch):
    lean = read(sample)
    monkeypatch.setattr(text.CodedText, "_cmp_method", BROKEN["_cmp_method"])
    text.works.cache_clear()
    plain = read(sample)
    monkeypatch.undo()
    assert is_coded(lean.opportunities["stage"])
    assert not any(
        is_coded(frame[name]) for frame in plain.tables.values() for name in frame if frame[name].dtype == "str"
    )
    assert plain.notes == lean.notes
    for name, frame in lean.tables.items():
        pd.testing.assert_frame_equal(plain.tables[name], frame)
