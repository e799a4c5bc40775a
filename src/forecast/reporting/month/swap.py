"""A finished folder takes the place of another in one step, and is on the disk before it does.

Simple case: system and disk exchange two names at once (Linux, `renameat2` with RENAME_EXCHANGE): there is no moment at
which a reader finds neither, whenever the program or the machine ends. Where they do not, whoever asked must rename
twice, and mend what a kill between the two leaves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

_HERE = -100
"""AT_FDCWD: a relative path is one of the working directory."""
_EXCHANGE = 2


def exchanged(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step, and return whether that could be done; else nothing is changed.

    Source: rename(2) of Linux, `renameat2` since 3.15; ext4, xfs, btrfs, tmpfs and overlayfs know it, NFS does not.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    return int(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)) == 0


def on_disk(folder: Path) -> None:
    """Wait until a folder and all below it are on the disk. Raises OSError where they cannot be."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def name_on_disk(path: Path) -> None:
    """Wait until the name of a file or folder is on the disk, where its file system does that."""
    with contextlib.suppress(OSError):
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
