"""An object whose arrays lie in a file: it comes back as it was, and takes memory only where it is looked at."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from forecast.data.mapped import Mapped, read_mapped, write_mapped

LARGE = 1_000_000


def through_a_file(thing):
    with tempfile.TemporaryFile() as file:
        return read_mapped(write_mapped(thing, file), file)


def test_arrays_lie_one_after_the_other_and_small_ones_with_the_rest(tmp_path):
    # By hand: 700 floats are 5,600 bytes, from 0 on; the next multiple of 64 is 5,632. Ten bytes get no place.
    large, small = np.arange(700.0), np.arange(10, dtype="int8")
    with (tmp_path / "file").open("w+b") as file:
        mapped = write_mapped([large, small, large + 1], file)
        assert mapped.places == [(0, 5600), (5632, 5600)]
        assert (tmp_path / "file").stat().st_size == 5632 + 5600
        content = (tmp_path / "file").read_bytes()
        assert content == large.tobytes() + bytes(32) + (large + 1).tobytes()
        (tmp_path / "file").unlink()  # nobody needs its name
        first, second, third = read_mapped(mapped, file)
    assert (first == large).all()
    assert (second == small).all()
    assert (third == large + 1).all()


@settings(max_examples=50, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["float64", "int32", "bool", "datetime64[us]", "U3"]),
        st.tuples(st.sampled_from([0, 1, 700, 3000]), st.sampled_from([1, 2, 3])),
    ),
    st.sampled_from("CF"),
)
def test_any_array_comes_back(array, order):
    array = np.asarray(array, order=order)
    again = through_a_file({"one": array, "views": [array[::2], array[1:]]})
    for was, came in zip((array, array[::2], array[1:]), (again["one"], *again["views"]), strict=True):
        assert came.dtype == was.dtype
        assert came.shape == was.shape
        assert came.tobytes() == was.tobytes()


def test_a_table_comes_back_with_its_kinds_and_what_is_missing():
    table = pd.DataFrame(
        {
            "text": pd.Series(["Zoë", None, "=1"] * 2000, dtype="str"),
            "kind": pd.Categorical(["a", "b", None] * 2000),
            "day": pd.to_datetime(["2026-03-31", None, "2026-04-30"] * 2000).as_unit("us"),
            "amount": [1.5, np.nan, -0.0] * 2000,
            "flag": pd.array([True, None, False] * 2000, dtype="boolean"),
        }
    )
    pd.testing.assert_frame_equal(through_a_file(table), table)


def test_what_is_written_into_it_stays_here(tmp_path):
    with (tmp_path / "file").open("w+b") as file:
        mapped = write_mapped(np.zeros(LARGE), file)
        one, other = read_mapped(mapped, file), read_mapped(mapped, file)
    one[:] = 7
    assert one.sum() == 7 * LARGE
    assert other.sum() == 0
    assert not any((tmp_path / "file").read_bytes())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_takes_memory_only_where_it_is_looked_at(tmp_path):
    with (tmp_path / "file").open("w+b") as file:
        array = read_mapped(write_mapped(np.ones(LARGE), file), file)
    assert _resident(tmp_path / "file") == 0
    assert array[LARGE // 2] == 1
    assert 0 < _resident(tmp_path / "file") < array.nbytes / 20
    assert array.sum() == LARGE
    assert _resident(tmp_path / "file") >= array.nbytes


def _resident(file: Path) -> int:
    """Return the bytes of a mapped file that this process has in memory."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split(" ", 1)[0]:
            inside = line.endswith(str(file))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


def test_without_large_arrays_there_is_nothing_to_map(tmp_path):
    with (tmp_path / "file").open("w+b") as file:
        assert read_mapped(write_mapped({"a": [1, "b"]}, file), file) == {"a": [1, "b"]}
    assert (tmp_path / "file").stat().st_size == 0


def test_a_file_that_was_cut_is_refused(tmp_path):
    # Reading beyond its end would end the process.
    with (tmp_path / "file").open("w+b") as file:
        mapped = write_mapped(np.ones(LARGE), file)
        os.truncate(tmp_path / "file", 4096)
        with pytest.raises(ValueError, match="length"):
            read_mapped(mapped, file)


def test_what_cannot_be_written_is_told():
    with open("/dev/full", "wb") as full, pytest.raises(OSError, match="No space"):  # noqa: PTH123
        write_mapped(np.ones(LARGE), full)
    with tempfile.TemporaryFile() as file, pytest.raises((pickle.PicklingError, AttributeError)):
        write_mapped(lambda: None, file)
    with tempfile.TemporaryFile() as file, pytest.raises(EOFError):
        read_mapped(Mapped(rest=b"", places=[]), file)
