"""Columns of text with few different values, held as a number a row: a log of millions of rows takes half the memory.

To everybody a coded column is a pandas column of kind `str` like any other: it makes its text when somebody asks for
it. What is asked often (missing values, rows, equality with a word, distinct values) is answered from the numbers, and
`dictionary_of` gives these to whoever works with codes. What is computed from a coded column is plain text again,
except some of its rows.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.arrays import ArrowStringArray

__all__ = [
    "CodedText",
    "blanked",
    "by_level",
    "coded",
    "dictionary_of",
    "from_codes",
    "from_dictionary",
    "is_coded",
    "places_in",
    "recoded",
    "reordered",
    "row_codes",
    "text_of",
]

_TEXT = pd.StringDtype("pyarrow", na_value=np.nan)

_ROWS_A_LEVEL = 4
"""Fewer rows than this for each different value, and codes are not worth it."""

_SAMPLE = 4_096


class CodedText(ArrowStringArray):
    """A column of `str` that holds a code a row and each different text once."""

    _held: Any
    """A dictionary of Arrow; once values were set in place plain text, as in any other column of `str`."""

    def __init__(self, values: pa.Array | pa.ChunkedArray, *, dtype: pd.StringDtype = _TEXT) -> None:
        """Hold a dictionary of large_string as it is; anything else as plain text."""
        if isinstance(values, pa.DictionaryArray):
            self._held, self._dtype = values, dtype
            self._cache: dict[str, Any] = {}
        else:
            super().__init__(values, dtype=dtype)

    # pandas keeps a column's text here; whatever it does beyond what is answered below goes through this.
    @property
    def _pa_array(self) -> pa.ChunkedArray:
        return pa.chunked_array([self._held.cast(pa.large_string())]) if self.is_coded else self._held

    @_pa_array.setter
    def _pa_array(self, values: pa.ChunkedArray) -> None:
        self._held = values

    def _from_pyarrow_array(self, pa_array: pa.Array | pa.ChunkedArray) -> ArrowStringArray:
        return ArrowStringArray(pa_array, dtype=self._dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._held if self.is_coded else self._held.combine_chunks(), self._dtype)

    @property
    def is_coded(self) -> bool:
        """Whether it holds codes still."""
        return isinstance(self._held, pa.DictionaryArray)

    def _some(self, held: pa.DictionaryArray, *, readonly: bool = False) -> CodedText:
        out = CodedText(held, dtype=self._dtype)
        out._readonly = readonly
        return out

    def __len__(self) -> int:
        return len(self._held)

    @property
    def nbytes(self) -> int:
        """Bytes held: codes and each different text once."""
        return int(self._held.nbytes)

    @property
    def _hasna(self) -> bool:
        return bool(self._held.null_count)

    def isna(self) -> np.ndarray:
        """Return which values are missing; (n,) bool."""
        if not self._hasna:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self._held.indices.is_null() if self.is_coded else self._held.is_null())

    def copy(self) -> ArrowStringArray:
        """Return another array over the same values, which are never changed in place."""
        return self._some(self._held) if self.is_coded else super().copy()

    def view(self, dtype: Any = None) -> Any:
        """Return another array over the same values."""
        if dtype is None and self.is_coded:
            return self._some(self._held, readonly=self._readonly)
        return super().view(dtype)

    def __getitem__(self, item: Any) -> Any:
        """Return one text, or some rows."""
        if self.is_coded:
            if isinstance(item, (int, np.integer)) and -len(self) <= item < len(self):
                text = self._held[int(item) % len(self)].as_py()
                return self._dtype.na_value if text is None else text
            if isinstance(item, slice) and item.step in (None, 1):
                start, stop, _ = item.indices(len(self))
                return self._some(self._held.slice(start, max(stop - start, 0)), readonly=self._readonly)
            if isinstance(item, np.ndarray) and item.dtype == bool and item.shape == (len(self),):
                return self._some(self._held.filter(pa.array(item)))
        return super().__getitem__(item)

    def take(self, indices: Any, allow_fill: bool = False, fill_value: Any = None) -> ArrowStringArray:
        """Return the rows asked for, as `ExtensionArray.take`."""
        rows = np.asarray(indices)
        if not self.is_coded or not len(self) or not rows.size or (allow_fill and not pd.isna(fill_value)):
            return super().take(indices, allow_fill=allow_fill, fill_value=fill_value)
        least = rows.min()
        if rows.max() >= len(self) or least < -len(self):
            raise IndexError("out of bounds value in 'indices'.")
        if allow_fill and least < -1:
            raise ValueError("'indices' contains values less than allowed")
        if least >= 0:
            chosen = pa.array(rows)
        elif allow_fill:
            chosen = pa.array(rows, mask=rows < 0)
        else:
            chosen = pa.array(np.where(rows < 0, rows + len(self), rows))
        return self._some(self._held.take(chosen))

    def factorize(self, use_na_sentinel: bool = True) -> tuple[np.ndarray, ArrowStringArray]:
        """Return codes in the order in which the values come, and the values, as `ExtensionArray.factorize`."""
        if not self.is_coded or not use_na_sentinel or not len(self):
            return super().factorize(use_na_sentinel)
        found = self._held.indices.dictionary_encode()
        codes = np.array(pc.fill_null(found.indices, -1), dtype=np.intp)
        return codes, self._from_pyarrow_array(self._held.dictionary.take(found.dictionary))

    def unique(self) -> ArrowStringArray:
        """Return the different values in the order in which they come."""
        if not self.is_coded:
            return super().unique()
        return self._from_pyarrow_array(self._held.dictionary.take(pc.unique(self._held.indices)))

    def isin(self, values: Any) -> np.ndarray:
        """Return which values are among some; (n,) bool."""
        if not self.is_coded or self._hasna:
            return np.asarray(super().isin(values))
        return by_level(self._held, self._from_pyarrow_array(self._held.dictionary).isin(values), missing=False)

    def _cmp_method(self, other: Any, op: Any) -> Any:
        if not self.is_coded or not isinstance(other, str) or op not in (operator.eq, operator.ne):
            return super()._cmp_method(other, op)
        answer = np.asarray(pc.equal(self._held.dictionary, other))
        return by_level(self._held, answer if op is operator.eq else ~answer, missing=op is operator.ne)


def text_of(values: pd.Series | Sequence[str]) -> pa.Array:
    """Return a column of text, or a list of texts, as one Arrow array, written out."""
    text = pa.array(values) if isinstance(values, pd.Series) else pa.array(values, type=pa.large_string())
    if isinstance(text, pa.ChunkedArray):
        return text.chunk(0) if text.num_chunks == 1 else text.combine_chunks()
    return text


def places_in(values: pd.Series, among: pd.Series | Sequence[str]) -> np.ndarray:
    """Return the first place of each text in `among`, -1 where it is not in it or missing; (n,) int32."""
    if not is_coded(values):
        text = text_of(values)
        found = pc.index_in(text, value_set=text_of(among).cast(text.type), skip_nulls=True)
        return np.asarray(pc.fill_null(found, -1))
    known, names = dictionary_of(values), text_of(among).cast(pa.large_string())
    if known.dictionary.equals(names):
        return row_codes(known).astype(np.int32, copy=False)
    found = pc.index_in(known.dictionary, value_set=names, skip_nulls=True)
    return by_level(known, np.asarray(pc.fill_null(found, -1)), missing=-1)


def recoded(values: pd.Series, among: pd.Series) -> pd.Series:
    """Return a column held as places in another, whose texts it then shares; as it is where it holds other texts.

    Rows that name what another table holds are looked up once; whoever asks `places_in` of the same column later has
    the answer at no cost.
    """
    names = text_of(among)
    found = places_in(values, among)
    missing = values.isna().to_numpy()
    if not len(names) or (found[~missing] < 0).any() or len(pc.unique(names)) < len(names):
        return values
    indices = pa.array(found, mask=missing) if missing.any() else pa.array(found)
    return pd.Series(CodedText(pa.DictionaryArray.from_arrays(indices, names)), index=values.index, copy=False)


def reordered(values: pd.Series, among: pd.Series, moved: pd.Series) -> pd.Series:
    """Return a column that holds places in `among` holding those in `moved`, the same texts in another order."""
    held, names = dictionary_of(values) if is_coded(values) else None, text_of(moved)
    if held is None or not held.dictionary.equals(text_of(among)) or held.dictionary.equals(names):
        return values
    place = np.asarray(pc.index_in(held.dictionary, value_set=names))
    codes = pa.array(place).take(held.indices)
    return pd.Series(CodedText(pa.DictionaryArray.from_arrays(codes, names)), index=values.index, copy=False)


def blanked(values: pd.Series, keep: np.ndarray) -> pd.Series:
    """Return a column with the values outside a mask missing; codes stay codes."""
    if keep.all():
        return values
    if not is_coded(values):
        return values.where(keep)
    held = dictionary_of(values)
    codes = pc.if_else(pa.array(keep), held.indices, pa.scalar(None, held.indices.type))
    return pd.Series(CodedText(pa.DictionaryArray.from_arrays(codes, held.dictionary)), index=values.index, copy=False)


def by_level(values: pa.DictionaryArray, answers: np.ndarray, *, missing: int | bool) -> np.ndarray:
    """Return the answer of each row, given that of each level; (n,) of the kind of `answers`."""
    each = pa.array(answers).take(values.indices)
    return np.asarray(pc.fill_null(each, missing) if values.null_count else each)


def row_codes(values: pa.DictionaryArray) -> np.ndarray:
    """Return the code of each row, -1 where it is missing; (n,) integers."""
    return np.asarray(pc.fill_null(values.indices, -1) if values.null_count else values.indices)


def is_coded(values: pd.Series) -> bool:
    """Return whether a column is held as codes."""
    return isinstance(values.array, CodedText) and values.array.is_coded


def coded(values: pd.Series) -> pd.Series:
    """Return a column of text held as codes, where it has few enough different values; else the column as it is."""
    if values.dtype != "str" or is_coded(values) or not len(values):
        return values
    text = text_of(values)
    # Names that all differ show it at once; what is dropped here saves little.
    step = max(len(text) // _SAMPLE, 1)
    some = text.take(pa.array(np.arange(0, len(text), step)))
    if len(text) > 2 * _SAMPLE and 2 * len(pc.unique(some)) > len(some):
        return values
    return _shrunk(text.dictionary_encode(), values)


def from_dictionary(values: pa.DictionaryArray) -> pd.Series:
    """Return a column of a dictionary as Arrow has it, held as codes where that is worth it."""
    levels = values.dictionary
    if levels.null_count or len(pc.unique(levels)) < len(levels):  # a file may say a text twice
        values = values.dictionary_decode().dictionary_encode()
    return _shrunk(values.cast(pa.dictionary(values.type.index_type, pa.large_string())), None)


def from_codes(codes: np.ndarray, levels: tuple[str, ...]) -> pd.Series:
    """Return the text of codes (n,) into `levels`; negative codes are missing."""
    small = codes.astype(_index_type(len(levels)).to_pandas_dtype(), copy=False)
    below = codes < 0
    indices = pa.array(small, mask=below) if below.any() else pa.array(small)
    text = pa.array(levels, type=pa.large_string())
    return pd.Series(CodedText(pa.DictionaryArray.from_arrays(indices, text)), copy=False)


def dictionary_of(values: pd.Series) -> pa.DictionaryArray:
    """Return a column of text as codes (null where missing) and levels, which need not all occur."""
    array = values.array
    if isinstance(array, CodedText) and array.is_coded:
        return array._held
    text = text_of(values)
    return text if isinstance(text, pa.DictionaryArray) else text.dictionary_encode()


def _shrunk(found: pa.DictionaryArray, values: pd.Series | None) -> pd.Series:
    levels = len(found.dictionary)
    if _ROWS_A_LEVEL * levels > len(found):
        return pd.Series(ArrowStringArray(found, dtype=_TEXT), copy=False) if values is None else values
    small = pa.DictionaryArray.from_arrays(found.indices.cast(_index_type(levels)), found.dictionary)
    return pd.Series(CodedText(small), index=None if values is None else values.index, copy=False)


def _index_type(levels: int) -> pa.DataType:
    return pa.int8() if levels <= 127 else pa.int16() if levels <= 32_767 else pa.int32()


def _unpickled(held: pa.Array, dtype: pd.StringDtype) -> ArrowStringArray:
    return CodedText(held, dtype=dtype)
