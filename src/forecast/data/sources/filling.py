"""A data folder says so while its files are replaced, so that nobody reads half of the old ones and half of the new.

Simple case: all files are moved in and the mark is gone. Where the program was killed in between, or the disk was full,
the mark stays, and the folder is refused until it has been filled again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecast.errors import DataError

UNFINISHED = ".unfinished"
"""The file in a folder that is being filled."""


@contextmanager
def being_filled(folder: Path) -> Iterator[None]:
    """Mark a folder, made where it is not there, while its files are replaced inside; an error leaves the mark."""
    folder.mkdir(exist_ok=True)
    (folder / UNFINISHED).touch()
    yield
    (folder / UNFINISHED).unlink(missing_ok=True)


def is_unfinished(folder: Path) -> bool:
    """Return whether a folder was being filled when whoever did it ended, or still is."""
    return (folder / UNFINISHED).exists()


def unfinished(folder: Path) -> DataError:
    """Return the error of such a folder."""
    return DataError(
        f"{folder} is being filled, or was when the program that did it was ended: its files are of two kinds",
        mend="fill it again by the same command (`forecast import`, `forecast simulate`)",
    )
