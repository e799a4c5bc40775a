"""A column of text that holds a number a row: a log of millions of rows takes half the memory.

To everybody it is a pandas column of kind `str` like any other: it makes its text when somebody asks for it. What is
asked often (missing values, rows, equality with a word, distinct values) is answered from the numbers. What is computed
from it is plain text again, except some of its rows. `codes` holds the functions that work with the numbers.

The class stands on an attribute that pandas does not document. `works` tries six operations once, and where a later
pandas answers one of them otherwise every column is plain text: results stay, memory is what it was
(docs/decisions/text_as_codes.md).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.extensions import no_default
from pandas.arrays import ArrowStringArray

TEXT = pd.StringDtype("pyarrow", na_value=np.nan)
"""pandas' kind of text: `str`."""


class CodedText(ArrowStringArray):
    """A column of `str` that holds a code a row and each different text once."""

    _held: Any
    """A dictionary of Arrow; once values were set in place plain text, as in any other column of `str`."""

    def __init__(self, values: pa.Array | pa.ChunkedArray, *, dtype: pd.StringDtype = TEXT) -> None:
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

    def to_numpy(self, dtype: Any = None, copy: bool = False, na_value: Any = no_default) -> np.ndarray:
        """Return the texts, as `ExtensionArray.to_numpy`; (n,) object. Each different one is made once for all rows."""
        plainly = self.is_coded and dtype in (None, object) and na_value is no_default
        if not plainly or not 0 < len(self._held.dictionary) <= len(self):
            return super().to_numpy(dtype=dtype, copy=copy, na_value=na_value)
        texts = np.array([*self._held.dictionary.to_pylist(), self._dtype.na_value], dtype=object)
        return np.asarray(texts[np.asarray(pc.fill_null(self._held.indices, -1))])

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
        among = self._from_pyarrow_array(self._held.dictionary).isin(values)
        return np.asarray(pa.array(among).take(self._held.indices))

    def _cmp_method(self, other: Any, op: Any) -> Any:
        if not self.is_coded or not isinstance(other, str) or op not in (operator.eq, operator.ne):
            return super()._cmp_method(other, op)
        equal = np.asarray(pc.fill_null(pc.equal(self._held.dictionary, other).take(self._held.indices), False))
        return equal if op is operator.eq else ~equal


@cache
def works() -> bool:
    """Return whether a coded column does under this pandas what a column of text does; tried once."""
    names = pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0, 1], pa.int8()), pa.array(["a", "b"], pa.large_string())
    )
    plain = pd.Series(ArrowStringArray(names.cast(pa.large_string()), dtype=TEXT))
    try:
        lean = pd.Series(CodedText(names), copy=False)
        return all(operation(lean).equals(operation(plain)) for operation in _TRIED)
    except Exception:  # whatever a later pandas raises, plain text will do
        return False


def _unpickled(held: pa.Array, dtype: pd.StringDtype) -> ArrowStringArray:
    return CodedText(held, dtype=dtype)


_TRIED: tuple[Callable[[pd.Series], pd.Series], ...] = (
    lambda column: column.isna(),
    lambda column: column == "b",
    lambda column: pd.concat([column.take([3, 1]), column.iloc[1:], column[np.array([True, True, False, True])]]),
    lambda column: pd.concat([pd.Series(part) for part in pd.factorize(column)]).astype("str"),
    lambda column: pd.Series(column.to_numpy(), dtype=object),
    lambda column: column.str.upper(),
)
"""Missing values, equality, rows, distinct values, texts of Python, and what pandas does with the text itself."""
