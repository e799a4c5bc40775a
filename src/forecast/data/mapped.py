"""An object whose arrays lie in a file that is mapped: memory takes only those pages of it that are looked at.

Simple case: one process makes something large and writes its arrays one after the other into a file; another maps the
file and puts the object together around it. It holds all of it, and so do the processes forked from it, and none takes
memory for an array before it reads it; what two of them read is there once. Who writes into an array writes into pages
of its own. The file needs no name: it may be gone from its folder as soon as it is open.
"""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

_LEAST = 4096
"""Bytes of an array, a page, below which it goes with the rest of the object: a place of its own would cost more."""
_STEP = 64
"""Arrays begin at multiples of so many bytes, as those do that Arrow and the BLAS make."""
_AT_ONCE = 1 << 14
"""Bytes that are written at once. The system keeps what is written at once in one piece, and a piece of which one byte
is read comes into memory whole: 2 MB, where it may."""


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """What is left of an object when its arrays are in a file: `rest` as pickle has it, `places` (start, bytes)."""

    rest: bytes
    places: Sequence[tuple[int, int]]


def write_mapped(thing: object, file: IO[bytes]) -> Mapped:
    """Write the arrays of an object into an open file, at its start, and return the rest; both make it again.

    Raises what `pickle` does for what it cannot take, and OSError where the file cannot be written.

    >>> import tempfile, numpy as np
    >>> numbers = np.arange(2000.0)
    >>> with tempfile.TemporaryFile() as file:
    ...     again = read_mapped(write_mapped({"numbers": numbers}, file), file)
    >>> bool((again["numbers"] == numbers).all())
    True
    """
    places: list[tuple[int, int]] = []

    def goes_with_the_rest(buffer: pickle.PickleBuffer) -> bool:
        """Write an array that is large enough; say whether it was not."""
        content = buffer.raw()
        if content.nbytes < _LEAST:
            return True
        end = sum(places[-1]) if places else 0
        start = -(-end // _STEP) * _STEP
        file.write(bytes(start - end))
        for begin in range(0, content.nbytes, _AT_ONCE):
            file.write(content[begin : begin + _AT_ONCE])
        places.append((start, content.nbytes))
        return False

    rest = pickle.dumps(thing, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=goes_with_the_rest)
    file.flush()
    return Mapped(rest=rest, places=places)


def read_mapped(mapped: Mapped, file: IO[bytes]) -> Any:
    """Return the object of which `write_mapped` made the rest and the file; it outlives both.

    Its arrays are as before and may be written to: that changes neither the file nor what other processes see.
    Raises ValueError or OSError where the file cannot be mapped or is shorter than it was.
    """
    end = sum(mapped.places[-1]) if mapped.places else 0
    if not end:
        return pickle.loads(mapped.rest)
    with memoryview(mmap.mmap(file.fileno(), end, access=mmap.ACCESS_COPY)) as all_of_it:
        return pickle.loads(mapped.rest, buffers=[all_of_it[start : start + size] for start, size in mapped.places])
