"""The bytes of a file: unpacked, not beyond a limit, and of the kind that its name promises."""

from __future__ import annotations

import zlib
from pathlib import Path

from forecast.data.sources.tables.raw import is_gzip, named
from forecast.errors import DataError, MachineError

LARGEST = 4 << 30
"""Bytes of one file, unpacked; more is refused before it fills the memory."""

FREE = 256 << 20
"""Below so many bytes nothing is asked; above, a file that grows more than `RATIO`-fold is made to fill the memory."""

RATIO = 100

CHUNK = 1 << 22
"""Bytes unpacked at a time."""

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How an old workbook begins, and a new one under a password."""

_ZIP, _GZ, _PAR = b"PK\x03\x04", b"\x1f\x8b", b"PAR1"


def read_bytes(path: Path, *, table: str) -> bytes:
    """Return the content of a file, unpacked where it is gzip's.

    Raises
    ------
    DataError : it is empty, breaks off, or is larger than `LARGEST` when unpacked.
    MachineError : the machine would not let it be read.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise too_large(path.name, table)
        data = path.read_bytes()
    except OSError as error:
        raise MachineError(f"{path}: cannot be read ({error.strerror or error})") from error
    if data.startswith(_GZ):
        data = _unpacked(data, file=path.name, table=table)
    elif is_gzip(path) and data:
        raise DataError(
            f"{named(path.name, table)} is not compressed, or damaged",
            table=table,
            mend="compress it again, or name it without .gz",
        )
    return data


def _unpacked(data: bytes, *, file: str, table: str) -> bytes:
    """Return what gzip packed, part by part, so that no more is unpacked than may be."""
    parts: list[bytes] = []
    total, at = 0, 0
    view = memoryview(data)
    try:
        while at < len(data):
            unpacker = zlib.decompressobj(wbits=31)
            while not unpacker.eof:
                piece = unpacker.unconsumed_tail or view[at : at + CHUNK]
                if not len(piece):
                    raise DataError(
                        f"{named(file, table)} breaks off: it is half written",
                        table=table,
                        mend="compress or copy it again",
                    )
                if not unpacker.unconsumed_tail:
                    at += len(piece)
                parts.append(unpacker.decompress(piece, CHUNK))
                total += len(parts[-1])
                if is_bomb(total, len(data)):
                    raise too_large(file, table)
            at -= len(unpacker.unused_data)
            if not any(view[at : at + CHUNK]):
                break  # zeros that fill up a block of a tape or disk
    except zlib.error as error:
        raise DataError(
            f"{named(file, table)} is damaged ({error})", table=table, mend="compress or copy it again"
        ) from error
    return b"".join(parts)


def is_bomb(unpacked: int, packed: int) -> bool:
    """Return whether a compressed file gives more than a table of its size can."""
    return unpacked > LARGEST or (unpacked > FREE and unpacked > RATIO * packed)


def too_large(file: str, table: str) -> DataError:
    """Return the error of a file that grows beyond the limit."""
    return DataError(
        f"{named(file, table)} is larger, unpacked, than a table of its size can be, or than {LARGEST >> 30} GB",
        table=table,
        mend="look at what it holds; split it where it is right",
    )


def kind_of(data: bytes) -> str:
    """Return what a file is by its first bytes: `zip`, `ole` (old Excel or a password), `parquet`, `html` or `text`."""
    for magic, kind in ((_ZIP, "zip"), (OLE, "ole"), (_PAR, "parquet")):
        if data.startswith(magic):
            return kind
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<html", b"<!doctype html", b"<table", b"<meta", b"<head", b"<style")):
        return "html"
    return "xml" if head.startswith((b"<?xml", b"<workbook")) else "text"
