"""Bytes of a text file -> UTF-8, with the encoding they were in and how that was seen.

A byte-order mark says it; else UTF-16 shows in its zero bytes, and UTF-8 in that all of it can be read as such. What
remains is Windows' own encoding (cp1252) unless its bytes speak against that: then nobody can say, and the line is
refused.
"""

from __future__ import annotations

import codecs
import re

from forecast.data.sources.tables.raw import named
from forecast.errors import DataError

_UTF8_MARK = codecs.BOM_UTF8
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MEND = "save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
_SAMPLE = 1 << 16
_SHOWN = 60

_ZEROS = 0.1
"""Text in UTF-16 has a zero byte in every line end, separator and digit: at least so large a share of its pairs."""

# What cp1252 text does not have. Three accented letters in a row are a word of another alphabet, read wrongly; a sign
# between two letters, or a capital that no alphabet of the West begins a syllable with inside a word, a letter of
# another code page (`Mac Roman`, `Windows-1250`).
_NO_LETTER = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_OTHER_ALPHABET = re.compile(rb"[\xc0-\xff]{3}")
_LOWER = rb"[a-z\xdf-\xf6\xf8-\xff]"
_SIGN_IN_WORD = re.compile(
    rb"[A-Za-z][\x83\x86-\x8b\x95\x98\x99\x9b\xa1-\xac\xae-\xb3\xb5\xb6\xb8-\xbf\xd7\xf7]"
    + _LOWER
    + rb"|[\xa5\xaf\xb3\xb9\xbc\xbe]"
    + _LOWER
    + rb"{2}|\xa3[\xc0-\xff]|[A-Za-z][\xa6\xb6]|[\xa6\xb6][a-z]"
)
_CAPITAL_IN_WORD = re.compile(rb"[A-Za-z][\x8a\x8c\x8e\x9f][a-z]|" + _LOWER + rb"[\x8a\x8c\x8e\x9f](?![A-Z])")
_BEYOND_ASCII_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def to_utf8(data: bytes, *, file: str, table: str) -> tuple[bytes, str, str]:
    """Return the text as UTF-8 without a mark, the encoding it was in, and a note; no note where it was UTF-8.

    Parameters
    ----------
    file, table : the file's name in the message, and the table of the error.

    Raises DataError, with the line, where the bytes are no text, or do not say in which encoding they are.
    """
    if data.isascii() and b"\0" not in data:
        return data, "utf-8", ""
    if data.startswith(_UTF8_MARK):
        data = data[len(_UTF8_MARK) :]
        marked = True
    else:
        marked = False
        for mark, name in _MARKS:
            if data.startswith(mark):
                text = _decoded(data[len(mark) :], name, file=file, table=table)
                return text, name, f"{file}: read as {name.upper()}, as its first bytes say"
        name = _utf16_without_mark(data)
        if name:
            text = _decoded(data, name, file=file, table=table)
            return text, name, f"{file}: read as {name.upper()}: every second byte is zero, and no mark says which"
    if b"\0" in data:
        at = data.index(b"\0")
        raise DataError(
            f"{named(file, table)} has a zero byte at position {at:,}: it is damaged, half written, or no text",
            table=table,
            rows=[_line(data, at)],
            mend="export the file again",
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _western(data, error.start, marked=marked, file=file, table=table)
    return data, "utf-8", ""


def _utf16_without_mark(data: bytes) -> str:
    """Return `utf-16-le` or `utf-16-be` where all zero bytes stand second or first in their pairs, else nothing."""
    sample = data[:_SAMPLE]
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    enough = _ZEROS * (len(sample) // 2)
    if second > enough and not first:
        return "utf-16-le"
    return "utf-16-be" if first > enough and not second else ""


def _decoded(data: bytes, name: str, *, file: str, table: str) -> bytes:
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(name, errors="ignore").count("\n") + 1
        raise DataError(
            f"{named(file, table)} is {name.upper()} and breaks off, or is damaged, at position {error.start:,}",
            table=table,
            rows=[f"line {line}"],
            mend="export the file again",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{named(file, table)} has a zero character: it is damaged",
            table=table,
            rows=[f"line {line}"],
            mend="export it again",
        )
    return text.encode("utf-8")


def _western(data: bytes, start: int, *, marked: bool, file: str, table: str) -> tuple[bytes, str, str]:
    """Return text that is not UTF-8 as read in cp1252, unless its bytes speak against it."""
    against = _against_western(data, start, marked=marked)
    if against:
        at, why = against
        raise DataError(
            f"{named(file, table)} is not UTF-8: byte 0x{data[start]:02x} at position {start:,}; {why}",
            table=table,
            rows=[_line(data, at)],
            mend=_MEND,
        )
    text = data.decode("cp1252")
    note = (
        f"{file}: read as Windows-1252 (cp1252), since it is not UTF-8: byte 0x{data[start]:02x}, {_line(data, start)}"
    )
    return text.encode("utf-8"), "cp1252", note


def _against_western(data: bytes, start: int, *, marked: bool) -> tuple[int, str] | None:
    """Return where and why the text is not cp1252, None where nothing speaks against it."""
    if marked:
        return start, "its first bytes say UTF-8, so it is damaged"
    if len(data) - start < 4 and data[start] >= 0xC2 and all(0x80 <= byte < 0xC0 for byte in data[start + 1 :]):
        return start, "it ends in the middle of a letter, so it is half written"
    utf8 = _BEYOND_ASCII_UTF8.search(data, 0, start)
    if utf8:
        return start, f"{_line(data, utf8.start())} is UTF-8, so the file is damaged or of two parts"
    for pattern, why in (
        (_NO_LETTER, "no letter of Windows-1252 either"),
        (_OTHER_ALPHABET, "letters of another alphabet, in an encoding that nothing says"),
        (_SIGN_IN_WORD, "in Windows-1252 it would be a sign inside a word"),
        (_CAPITAL_IN_WORD, "in Windows-1252 it would be a capital inside a word"),
    ):
        match = pattern.search(data)
        if match:
            return match.start(), why
    return None


def _line(data: bytes, at: int) -> str:
    """Return the line of a position and what stands there, as a user finds it."""
    breaks = b"\n" if b"\n" in data else b"\r"
    line = data.count(breaks, 0, at) + 1
    begins = data.rfind(breaks, 0, at) + 1
    begins = max(begins, at - _SHOWN // 2)
    text = data[begins : begins + 4 * _SHOWN].split(breaks, 1)[0][:_SHOWN].decode("cp1252", errors="replace").strip()
    return f"line {line} ({text!r})"
