"""The book of a folder of reports, `<out>/published.json`: what was published last, and what was taken away since.

Each month's manifest names the publication before it by the hash of that manifest, so all of them form a chain in the
order in which they were published. The book holds its end, which no manifest could, and what `forecast clean` took out
of the middle, so that a month that is missing can be told from one that was removed on purpose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from forecast.data.schema import Company
from forecast.errors import ForecastError, MachineError
from forecast.reporting.month.results import write_text
from forecast.reporting.published.months import Link, Published

BOOK = "published.json"
INDEX = "index.html"
_NOT_OF_THE_PAGE = ("extracted_on", "fixed_at_creation", "logo")
_OF_THE_COMPANY = tuple(field.name for field in fields(Company) if field.name not in _NOT_OF_THE_PAGE)


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A publication whose files were taken away: which, what it followed, and why (`clean`, `names`)."""

    link: Link
    previous: Link | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands around the list of months on its page: the company, as it last was, and its logo (a data address)."""

    company: Company
    logo: str = ""


@dataclass(frozen=True, kw_only=True)
class Book:
    """What stands in the book; of one that is not there or damaged (`whole` is False) nothing.

    last : the end of the chain. index : SHA-256 of the page that lists the months; empty while it is written.
    frame : what is needed to write that page again.
    """

    last: Link | None = None
    index: str = ""
    frame: Frame | None = None
    removed: tuple[Removed, ...] = ()
    whole: bool = True


def read(out: Path) -> Book:
    """Return the book of a folder of reports."""
    try:
        return _of_text((out / BOOK).read_bytes())
    except OSError:
        return Book(whole=False)


def read_to_change(out: Path) -> Book:
    """Return the book as `read` does, to write it again.

    Raises MachineError where it is there and cannot be read: what is written then would lack all that stands in it.
    """
    try:
        return _of_text((out / BOOK).read_bytes())
    except FileNotFoundError:
        return Book(whole=False)
    except OSError as error:
        raise MachineError(f"{out / BOOK}: cannot be read ({error.strerror or error}); nothing is written") from None


def _of_text(content: bytes) -> Book:
    """Return what stands in the file of a book."""
    try:
        facts = json.loads(content)
        entries = [(Link.read(each), each) for each in facts.get("removed", [])]
        index = facts.get("index", "")
    except (ValueError, AttributeError, TypeError):
        return Book(whole=False)
    removed = tuple(
        Removed(link=link, previous=Link.read(each.get("previous")), reason=str(each.get("reason", "")))
        for link, each in entries
        if link is not None
    )
    return Book(
        last=Link.read(facts.get("last")),
        index=index if isinstance(index, str) else "",
        frame=_frame(facts.get("frame")),
        removed=removed,
    )


def write(out: Path, book: Book) -> None:
    """Write the book, whole or not at all. Raises MachineError."""
    removed = [
        {**each.link.as_dict(), "previous": each.previous.as_dict() if each.previous else None, "reason": each.reason}
        for each in book.removed
    ]
    frame = None
    if book.frame is not None:
        frame = {name: getattr(book.frame.company, name) for name in _OF_THE_COMPANY} | {"logo": book.frame.logo}
    facts = {"last": book.last.as_dict() if book.last else None, "index": book.index, "frame": frame}
    write_text(json.dumps({**facts, "removed": removed}, indent=1, sort_keys=True) + "\n", out / BOOK)


def _frame(facts: object) -> Frame | None:
    """Return the frame as it was written; None where it is not there, or of another version of forecast."""
    if not isinstance(facts, dict) or set(facts) != {*_OF_THE_COMPANY, "logo"}:
        return None
    values = {name: facts[name] for name in _OF_THE_COMPANY}
    try:
        values["own_periods"] = tuple((int(first), int(second)) for first, second in values["own_periods"])
        company = Company(**values)
        _ = company.periods  # whether the calendar is one
    except (TypeError, ValueError, ForecastError):
        return None
    return Frame(company=company, logo=str(facts["logo"]))


def end_of_chain(book: Book, months: Sequence[Published]) -> Link | None:
    """Return what was published last.

    Simple case: as the book has it. A run may have ended between publishing a month and noting it: then a month follows
    that end. Without a book it is the month that no other follows; of several (made before there was a chain) the
    newest.
    """
    if book.last is not None:
        followers = {month.previous: month.link for month in months if month.previous is not None}
        last = book.last
        for _ in months:
            last = followers.get(last, last)
        return last
    followed = {month.previous for month in months}
    ends = [month for month in months if month.sha256 and month.link not in followed]
    linked = [month for month in ends if month.files is not None]
    newest = max(linked or ends, key=lambda month: (month.as_of, month.version), default=None)
    return newest.link if newest else None


def note_replacing(out: Path) -> None:
    """Note that a month is about to be replaced, so that the page of months will no longer be right: whatever ends the
    run before that page is written again, the next one finds it so."""
    write(out, replace(read_to_change(out), index="", whole=True))


def note_published(out: Path, last: Link) -> None:
    """Note a publication; the page of months is about to be written."""
    write(out, replace(read_to_change(out), last=last, index="", whole=True))


def note_index(out: Path, frame: Frame) -> None:
    """Note the page of months as it now is, and what it takes to write it again."""
    write(out, replace(read_to_change(out), index=index_hash(out), frame=frame, whole=True))


def index_hash(out: Path) -> str:
    """Return the SHA-256 of the page that lists the months; empty where there is none."""
    try:
        return hashlib.sha256((out / INDEX).read_bytes()).hexdigest()
    except OSError:
        return ""
