"""Columns of text, dates and timestamps by numbers: places in another table, equality and order.

A log has millions of rows with few different texts, and identifiers that mostly come in runs (a history is written by
opportunity). So each different text, or each run, is looked at once, and nothing as large as the column is made. A
column that is held as codes (`text.CodedText`) is asked for its codes; any other is looked through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.arrays import ArrowStringArray

from forecast.data.text import TEXT, CodedText, works

_ROWS_A_LEVEL = 4
"""Fewer rows than this for each different value, and codes are not worth it."""

_BITS = 62
_WIDE = 24
"""A number of more bits is looked at for what all of its values have in common."""

_SAMPLE = 4_096
_PART = 250_000


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


def from_dictionary(values: pa.DictionaryArray, *, index: pd.Index | None = None) -> pd.Series:
    """Return a column of a dictionary as Arrow has it, held as codes where that is worth it."""
    levels = values.dictionary
    if levels.null_count or len(pc.unique(levels)) < len(levels):  # a file may say a text twice
        values = values.dictionary_decode().dictionary_encode()
    return _shrunk(values.cast(pa.dictionary(values.type.index_type, pa.large_string())), None).set_axis(
        pd.RangeIndex(len(values)) if index is None else index
    )


def from_chunks(values: pa.ChunkedArray) -> pd.Series:
    """Return a column of text that was read in chunks, held as codes where that is worth it."""
    step = max(len(values) // _SAMPLE, 1)
    some = pa.concat_arrays(
        [chunk.take(pa.array(np.arange(0, len(chunk), step))) for chunk in values.chunks] or [pa.array([], values.type)]
    )
    if 2 * len(pc.unique(some)) <= len(some) or 0 < len(values) <= 2 * _SAMPLE:
        found = values.dictionary_encode().combine_chunks()
        if _ROWS_A_LEVEL * len(found.dictionary) <= len(found):
            return _shrunk(found.cast(pa.dictionary(found.type.index_type, pa.large_string())), None)
    return text_column(values)


def text_column(values: pa.ChunkedArray) -> pd.Series:
    """Return text that was read in chunks as a column, written out."""
    return pd.Series(ArrowStringArray(values.cast(pa.large_string()).combine_chunks(), dtype=TEXT), copy=False)


def from_codes(codes: np.ndarray, levels: tuple[str, ...]) -> pd.Series:
    """Return the text of codes (n,) into `levels`; negative codes are missing."""
    small = codes.astype(_index_type(len(levels)).to_pandas_dtype(), copy=False)
    below = codes < 0
    indices = pa.array(small, mask=below) if below.any() else pa.array(small)
    text = pa.array(levels, type=pa.large_string())
    return column_of(pa.DictionaryArray.from_arrays(indices, text))


def recoded(values: pd.Series, among: pd.Series) -> pd.Series:
    """Return a column held as places in another, whose texts it then shares; as it is where it holds other texts.

    Rows that name what another table holds are looked up once; whoever asks `places` of the same column later has the
    answer at no cost. A column that holds places already, among the same texts in another order, is not looked
    through: its places move.
    """
    names = text_of(among)
    if is_coded(values):
        known = dictionary_of(values)
        if known.dictionary.equals(names):
            found = known.indices.cast(pa.int32())  # as `places` gives them, so that nobody has to copy them
        else:
            moved = pc.index_in(known.dictionary, value_set=names)
            found = None if moved.null_count else moved.take(known.indices)
        # Levels differ: as many of them as names, and each in its own place, and no name is there twice.
        once = len(known.dictionary) == len(names) or len(pc.unique(names)) == len(names)
    else:
        place, missing = places(values, among), values.isna().to_numpy()
        found = None if (place[~missing] < 0).any() else pa.array(place, mask=missing if missing.any() else None)
        once = len(pc.unique(names)) == len(names)
    if found is None or not once or not len(names):
        return values
    return column_of(pa.DictionaryArray.from_arrays(found, names), index=values.index)


def blanked(values: pd.Series, keep: np.ndarray) -> pd.Series:
    """Return a column with the values outside a mask missing; codes stay codes."""
    if keep.all():
        return values
    if not is_coded(values):
        return values.where(keep)
    held = dictionary_of(values)
    codes = pc.if_else(pa.array(keep), held.indices, pa.scalar(None, held.indices.type))
    return column_of(pa.DictionaryArray.from_arrays(codes, held.dictionary), index=values.index)


def either(values: pd.Series, first: np.ndarray, other: pd.Series) -> pd.Series:
    """Return a column of text with that of another column outside a mask (n,); both are looked at by their codes."""
    if first.all():
        return values
    both = _of_one_dictionary([values, other])
    codes = pc.if_else(pa.array(first), both[0].indices, both[1].indices)
    return column_of(pa.DictionaryArray.from_arrays(codes, both[0].dictionary), index=values.index)


def one_below_another(parts: Sequence[pd.Series]) -> pd.Series:
    """Return columns of text as one, with a plain index."""
    together = _of_one_dictionary(parts)
    codes = pa.concat_arrays([part.indices for part in together])
    return column_of(pa.DictionaryArray.from_arrays(codes, together[0].dictionary))


def _of_one_dictionary(parts: Sequence[pd.Series]) -> list[pa.DictionaryArray]:
    kind = pa.dictionary(pa.int32(), pa.large_string())
    held = [dictionary_of(part).cast(kind) for part in parts]
    if all(part.dictionary.equals(held[0].dictionary) for part in held[1:]):
        return held
    return pa.chunked_array(held, kind).unify_dictionaries().chunks


def column_of(values: pa.DictionaryArray, *, index: pd.Index | None = None) -> pd.Series:
    """Return a column of text that holds a dictionary of large_string as it is; plain text where `works` says no."""
    array = CodedText(values) if works() else ArrowStringArray(values.cast(pa.large_string()), dtype=TEXT)
    return pd.Series(array, index=index, copy=False)


def is_coded(values: pd.Series) -> bool:
    """Return whether a column is held as codes."""
    return isinstance(values.array, CodedText) and values.array.is_coded


def dictionary_of(values: pd.Series) -> pa.DictionaryArray:
    """Return a column of text as codes (null where missing) and levels, which need not all occur."""
    array = values.array
    if isinstance(array, CodedText) and array.is_coded:
        return array._held
    text = text_of(values)
    return text if isinstance(text, pa.DictionaryArray) else text.dictionary_encode()


def text_of(values: pd.Series | Sequence[str]) -> pa.Array:
    """Return a column of text, or a list of texts, as one Arrow array, written out."""
    text = pa.array(values) if isinstance(values, pd.Series) else pa.array(values, type=pa.large_string())
    if isinstance(text, pa.ChunkedArray):
        return text.chunk(0) if text.num_chunks == 1 else text.combine_chunks()
    return text


def held_texts(values: pd.Series) -> pa.Array:
    """Return the texts of a column as they are held: of codes each text once, also one that no row has."""
    return dictionary_of(values).dictionary if is_coded(values) else text_of(values)


def bytes_of(text: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of n texts begins, and last where they end, (n + 1,) int64, in the bytes of all (uint8).

    Nothing is copied, so that a sign of ASCII is looked for in millions of texts at once.
    """
    text = text.cast(pa.large_string())
    _, begins, data = text.buffers()
    at = np.frombuffer(begins, dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    return at, np.frombuffer(data or b"", dtype=np.uint8)


def row_codes(values: pa.DictionaryArray) -> np.ndarray:
    """Return the code of each row, -1 where it is missing; (n,) integers."""
    return np.asarray(pc.fill_null(values.indices, -1) if values.null_count else values.indices)


def by_level(values: pa.DictionaryArray, answers: np.ndarray, *, missing: int | bool) -> np.ndarray:
    """Return the answer of each row, given that of each level; (n,) of the kind of `answers`."""
    each = pa.array(answers).take(values.indices)
    return np.asarray(pc.fill_null(each, missing) if values.null_count else each)


# -- questions ------------------------------------------------------------------------------------------


def places(values: pd.Series, among: pd.Series | Sequence[str]) -> np.ndarray:
    """Return the first place of each text in `among`, -1 where it is not in it or missing; (n,) int32."""
    names = text_of(among).cast(pa.large_string())
    if not is_coded(values):
        runs, lengths = _runs(values)
        found = pc.index_in(runs, value_set=names.cast(runs.type), skip_nulls=True)
        return np.repeat(np.asarray(pc.fill_null(found, -1)), lengths)
    known = dictionary_of(values)
    if known.dictionary.equals(names):
        return row_codes(known).astype(np.int32, copy=False)
    found = pc.index_in(known.dictionary, value_set=names, skip_nulls=True)
    return by_level(known, np.asarray(pc.fill_null(found, -1)), missing=-1)


def by_text(values: pd.Series, answer: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return what `answer` says of each text of a column, (n,); it is asked once for each different text of codes.

    answer : texts (k,), none of them absent from the column -> k answers, missing for missing.
    """
    if not is_coded(values):
        return answer(text_of(values))
    held = used(dictionary_of(values))
    return answer(held.dictionary).take(held.indices)


def rewritten(values: pd.Series, write: Callable[[pa.Array], pa.Array]) -> pd.Series:
    """Return a column with each text as `write` writes it (see `by_text`); codes stay codes."""
    if not is_coded(values):
        text = text_of(values)
        new = write(text)
        return values if new.equals(text) else pd.Series(new, index=values.index, dtype="str")
    levels = dictionary_of(values).dictionary
    if write(levels).equals(levels):
        return values
    held = used(dictionary_of(values))
    new = write(held.dictionary)
    if new.equals(held.dictionary):
        return values
    return from_dictionary(pa.DictionaryArray.from_arrays(held.indices, new), index=values.index)


def used(values: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a dictionary without the texts that no row has, which some rows of a larger column leave behind."""
    there = np.zeros(len(values.dictionary) + 1, dtype=bool)
    there[row_codes(values)] = True
    if there[:-1].all():
        return values
    place = pa.array(np.cumsum(there[:-1], dtype=np.int32) - 1)
    return pa.DictionaryArray.from_arrays(place.take(values.indices), values.dictionary.filter(pa.array(there[:-1])))


def translated(values: pd.Series, meaning: Mapping[str, str | None]) -> pd.Series:
    """Return another text for each text of a column; missing where there is none. Each different text is asked once."""
    held = dictionary_of(values)
    answers = pa.array([meaning.get(text) for text in held.dictionary.to_pylist()], pa.large_string())
    each = answers.dictionary_encode()
    codes = each.indices.take(held.indices)
    return column_of(pa.DictionaryArray.from_arrays(codes, each.dictionary), index=values.index)


def looked_up(values: pd.Series, among: pd.Series, answers: pd.Series) -> pd.Series:
    """Return the answer beside the first row of `among` that holds each text; missing where none does, or no text is.

    among, answers : (k,) keys, and what belongs to each. The column returned has the index of `values`.
    """
    place = places(values, among)
    return pd.Series(answers.array.take(place, allow_fill=True), index=values.index, copy=False)


def labels(values: pd.Series) -> np.ndarray:
    """Return numbers that are equal for equal values, missing ones too; (n,)."""
    return row_codes(dictionary_of(values)) if is_coded(values) else ranks(values)


def ranks(values: pd.Series) -> np.ndarray:
    """Return numbers that sort as texts, dates or timestamps do, equal for equal values, largest for missing; (n,)."""
    if values.dtype != "str":
        moment = values.array.view("int64")
        missing = moment == pd.NaT.value
        return np.where(missing, np.iinfo(np.int64).max, moment) if missing.any() else moment
    if is_coded(values):
        known = dictionary_of(values)
        count = len(known.dictionary)
        if pc.all(pc.less(known.dictionary[:-1], known.dictionary[1:])).as_py() is not False:
            codes = row_codes(known)
            return codes if not known.null_count else np.where(codes < 0, np.int32(count), codes)
        rank = np.empty(count, dtype=np.int32)
        rank[np.asarray(pc.sort_indices(known.dictionary))] = np.arange(count, dtype=np.int32)
        return by_level(known, rank, missing=count)
    runs, lengths = _runs(values)
    order = np.asarray(pc.sort_indices(runs))
    ordered = runs.take(pa.array(order))
    new = ~np.asarray(pc.fill_null(pc.equal(ordered[:-1], ordered[1:]), False))
    rank = np.empty(len(runs), dtype=np.int32)
    rank[order] = np.append(0, np.cumsum(new))[: len(runs)]
    rank[np.asarray(runs.is_null())] = len(runs)
    return np.repeat(rank, lengths)


def key_order(numbers: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the stable order of rows by several keys, the first counting most; None where they are in it already."""
    same = np.ones(max(len(numbers[0]) - 1, 0), dtype=bool)
    for number in numbers:
        if (same & (number[1:] < number[:-1])).any():
            one = in_one_number(numbers)
            return np.lexsort(list(numbers)[::-1]) if one is None else np.argsort(one, kind="stable")
        same &= number[1:] == number[:-1]
    return None


def in_one_number(numbers: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return one number a row that sorts as several whole numbers do, and equals where they do; (n,) int64.

    None where they need more than 62 bits. Moments that are all of a full second take no bits for what is below it.

    Example: in_one_number([np.array([1, 0, 1]), np.array([5, 9, 7])]) gives 8, 4, 10: the second, above 5, takes three
    bits.
    """
    if not len(numbers[0]):
        return np.zeros(0, dtype=np.int64)
    one, bits = np.zeros(len(numbers[0]), dtype=np.int64), 0
    for number in numbers:
        lowest, highest = int(number.min()), int(number.max())
        if highest - lowest >= 1 << _BITS:
            return None
        above = number.astype(np.int64, copy=False) - lowest
        step = int(np.gcd.reduce(above)) if highest - lowest >= 1 << _WIDE else 1
        width = ((highest - lowest) // step).bit_length()
        bits += width
        if bits > _BITS:
            return None
        one <<= width
        one += above // step if step > 1 else above
    return one


def by_key(frame: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return a table sorted by those columns of its key that it has, with a plain index; as it is without a key.

    The one given is emptied column by column, so that a table of millions of rows is never there twice.
    """
    index = pd.RangeIndex(len(frame))
    order = key_order([ranks(frame[column]) for column in key if column in frame]) if key else None
    if order is None:
        return frame.set_axis(index)
    columns = {}
    for column in list(frame.columns):
        columns[column] = pd.Series(frame.pop(column).array.take(order), index=index)
        pa.default_memory_pool().release_unused()
    return pd.DataFrame(columns, index=index, copy=False)


def own_places(values: pd.Series) -> np.ndarray:
    """Return the first place of each text in its own column, -1 where it is missing; (n,) int32."""
    text = text_of(values)
    if not text.null_count and not repeats(values):
        return np.arange(len(text), dtype=np.int32)
    return places(values, values)


def repeats(values: pd.Series) -> bool:
    """Return whether a text is there twice, or two are missing. Texts in order show at once that none is."""
    text = text_of(values)
    if not text.null_count and pc.all(pc.less(text[:-1], text[1:])).as_py() is not False:
        return False
    return len(pc.unique(text)) < len(text)


def distinct(values: pd.Series) -> list[str]:
    """Return the different texts in the order they come, missing ones left out."""
    if not is_coded(values):
        return list(pc.unique(text_of(values)).drop_null().to_pylist())
    known = dictionary_of(values)
    return list(known.dictionary.take(pc.unique(known.indices).drop_null()).to_pylist())


def padded(values: pd.Series) -> set[str]:
    """Return the texts with blanks around them; looked through in parts, as a trimmed copy of all would be as large."""
    text, found = dictionary_of(values).dictionary if is_coded(values) else text_of(values), set()
    for start in range(0, len(text), _PART):
        part = text[start : start + _PART]
        odd = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(part), part), False)
        found.update(part.filter(odd).to_pylist())
    return found


# -- how ------------------------------------------------------------------------------------------------


def _runs(values: pd.Series) -> tuple[pa.Array, np.ndarray]:
    """Return the first text of each run of equal ones and the runs' lengths: identifiers mostly come in runs."""
    text = text_of(values)
    if not len(text):
        return text, np.zeros(0, dtype=np.int64)
    goes_on = np.asarray(pc.fill_null(pc.equal(text[:-1], text[1:]), False))
    starts = np.append(0, np.flatnonzero(~goes_on) + 1)
    if 2 * len(starts) > len(text):
        return text, np.ones(len(text), dtype=np.int64)
    return text.take(pa.array(starts)), np.diff(np.append(starts, len(text)))


def _shrunk(found: pa.DictionaryArray, values: pd.Series | None) -> pd.Series:
    levels = len(found.dictionary)
    if _ROWS_A_LEVEL * levels > len(found):
        return pd.Series(ArrowStringArray(found, dtype=TEXT), copy=False) if values is None else values
    small = pa.DictionaryArray.from_arrays(found.indices.cast(_index_type(levels)), found.dictionary)
    return column_of(small, index=None if values is None else values.index)


def _index_type(levels: int) -> pa.DataType:
    return pa.int8() if levels <= 127 else pa.int16() if levels <= 32_767 else pa.int32()
