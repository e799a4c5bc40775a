"""Folders for what one run alone may see, in TMPDIR: gone when it ends, and swept by the next run where it was killed.

Simple case: the folder is removed in the end. A run that is killed cannot do that, and its folder may hold a copy of a
database. So each has a file on which its owner holds a lock as long as it lives: a folder whose lock can be taken has
no owner any more. A folder without such a file is not ours, whatever its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from forecast.errors import MachineError

OWNED = ".owned"
"""The file that a folder's owner has locked."""
_NEW = ".new-"
"""How a folder's name begins, and then the number of a process: it makes the folder, which has no owner yet, or removes
it, and may have removed that file already."""


@dataclass(frozen=True, kw_only=True)
class Private:
    """A folder that only this user can read, held by this process until it is removed."""

    path: Path
    handle: int

    def remove(self) -> None:
        """Remove the folder with all in it."""
        _remove(self.path)
        with contextlib.suppress(OSError):
            os.close(self.handle)


def make_private(prefix: str, *, within: Path | None = None) -> Private:
    """Make a folder whose name begins with `prefix`, in TMPDIR or `within`; sweep those that dead runs left there.

    Raises OSError where it cannot be made.
    """
    sweep(prefix, within=within)
    made = Path(tempfile.mkdtemp(prefix=f"{_NEW}{os.getpid()}-{prefix}", dir=within))
    handle = os.open(made / OWNED, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError):  # a disk that knows no locks: then nobody can sweep it
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # It has its name only once it has its owner.
    own = made.with_name(made.name.removeprefix(f"{_NEW}{os.getpid()}-"))
    return Private(path=made.rename(own), handle=handle)


def sweep(prefix: str, *, within: Path | None = None) -> None:
    """Remove the folders of this user whose names begin with `prefix` and whose owner is gone."""
    place = Path(tempfile.gettempdir()) if within is None else within
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            ours = entry.name.startswith(prefix) or _is_deserted(entry.name, prefix)
            if ours and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _sweep(Path(entry.path))


def _is_deserted(name: str, prefix: str) -> bool:
    """Return whether a folder was being made or removed by a process that is gone: killed while it did."""
    process, dash, rest = name.removeprefix(_NEW).partition("-")
    if not (name.startswith(_NEW) and process.isdigit() and dash and rest.startswith(prefix)):
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _sweep(folder: Path) -> None:
    """Remove a folder if it is ours and nobody owns it."""
    if folder.stat().st_uid != os.geteuid():
        return
    if folder.name.startswith(_NEW):
        shutil.rmtree(folder, ignore_errors=True)
        return
    handle = os.open(folder / OWNED, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    """Remove a folder that is held by this process; one that is killed meanwhile leaves it to be swept."""
    with contextlib.suppress(OSError):
        folder = folder.rename(folder.with_name(f"{_NEW}{os.getpid()}-{folder.name}"))
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user can read; it is gone in the end, however that comes. Raises MachineError."""
    try:
        folder = make_private("forecast-data-")
    except OSError as error:
        raise MachineError(f"no temporary folder can be made ({error.strerror}); set TMPDIR") from None
    try:
        yield folder.path
    finally:
        folder.remove()
