"""Are the published months what was published? Each file against its manifest, each manifest against the next one's.

What this finds is what a disk, a copy or a hand did to published files. It is no signature: who can write to the folder
could make all of it anew. Whoever keeps the hash of the last manifest elsewhere can tell that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.reporting.published import book, months
from forecast.reporting.published.months import Link, Published

_TRIES = 3
"""A month that is being replaced while it is read is read again."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found of one version of one month; all lists are of paths in its folder.

    unhashed : its manifest lists no hashes, so nothing can be told. problems : whatever else is wrong, in words.
    """

    month: Published
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unhashed: bool = False
    problems: tuple[str, ...] = ()

    @property
    def unchanged(self) -> bool:
        """Whether it was found to be what was published; False where that cannot be told."""
        return not (self.changed or self.missing or self.extra or self.unhashed or self.problems)

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read."""
        return {
            "as_of": self.month.as_of,
            "version": self.month.version,
            "stands": not self.month.replaced,
            "manifest": self.month.sha256,
            "unchanged": self.unchanged,
            "unhashed": self.unhashed,
            "files": len(self.month.files or {}),
            "changed": list(self.changed),
            "missing": list(self.missing),
            "extra": list(self.extra),
            "problems": list(self.problems),
        }


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found in a folder of reports; `problems` are those of the chain and of the page that lists the months.

    last : the end of the chain; None where nothing was published with one.
    """

    checked: Sequence[Checked]
    problems: Sequence[str]
    last: Link | None
    removed: int = 0

    @property
    def unchanged(self) -> bool:
        """Whether everything was found to be what was published."""
        return not self.problems and all(each.unchanged for each in self.checked)

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read."""
        return {
            "unchanged": self.unchanged,
            "last": self.last.as_dict() if self.last else None,
            "removed": self.removed,
            "problems": list(self.problems),
            "months": [each.as_dict() for each in self.checked],
        }

    def lines(self) -> Iterator[str]:
        """Yield it for a person to read."""
        for each in self.checked:
            count = len(each.month.files or {})
            if each.unchanged:
                yield f"{each.month.name}: unchanged ({count:,} files)"
            elif each.unhashed:
                yield f"{each.month.name}: cannot be told; {_UNHASHED}"
            else:
                yield f"{each.month.name}: NOT as it was published"
            for label, names in (("changed", each.changed), ("missing", each.missing), ("extra", each.extra)):
                yield from (f"  {label}: {name}" for name in names)
            yield from (f"  {problem}" for problem in each.problems)
        yield from self.problems
        if self.last is not None:
            yield f"last published: {self.last.as_of} version {self.last.version}, manifest {self.last.sha256}"
        if self.removed:
            yield f"removed since by `forecast clean` or for their names: {self.removed}"


# -- sentences ------------------------------------------------------------------------------------------

_UNHASHED = "its manifest lists no hashes (made by an earlier version of forecast); make the month again to have them"
_NO_BOOK = (
    f"{book.BOOK} is missing or damaged, so a last month that is gone could not be missed; the next report mends it"
)
_NO_INDEX = f"{book.INDEX} was being written when a run ended; the next report mends it"
_OTHER_INDEX = f"{book.INDEX} (the list of months) is not as it was published; the next report mends it"


# -- verifying ------------------------------------------------------------------------------------------


def verify(out: Path) -> Verified:
    """Return what became of the published files of a folder of reports. Raises ParameterError, MachineError.

    Each version of each month is held against the hashes in its manifest, and each manifest against the hash that the
    publication after it has of it; the last one against the book (`published.json`).
    """
    folder = months.folder_of_reports(out)
    checked = [_checked(month) for month in months.everything(folder)]
    found = [each.month for each in checked]
    noted = book.read(folder)
    last = book.end_of_chain(noted, found)
    return Verified(
        checked=checked,
        problems=[*_of_chain(found, noted, last), *_of_index(folder, noted, found)],
        last=last,
        removed=len(noted.removed),
    )


def _checked(month: Published) -> Checked:
    """Return what became of one month's files; read again where another was published in the meantime."""
    for _ in range(_TRIES):
        result = _compared(month)  # simple case: once
        again = months.read(month.folder, as_of=month.as_of if month.replaced else "", number=month.number)
        if again.sha256 == month.sha256:
            break
        month = again
    return result


def _compared(month: Published) -> Checked:
    if month.problem:
        return Checked(month=month, problems=(month.problem,))
    if month.files is None:
        return Checked(month=month, unhashed=True)
    listed, there = month.files, months.hashes(month.folder)
    return Checked(
        month=month,
        changed=tuple(name for name in sorted(listed) if name in there and there[name] != listed[name]),
        missing=tuple(name for name in sorted(listed) if name not in there),
        extra=tuple(name for name in there if name not in listed),
        problems=_of_itself(month),
    )


def _of_itself(month: Published) -> tuple[str, ...]:
    """Return what is wrong where a manifest is of another month than its folder says."""
    said = month.manifest.get("as_of")
    return () if said == month.as_of else (f"its {months.MANIFEST} is of {said}",)


def _of_chain(found: Sequence[Published], noted: book.Book, last: Link | None) -> list[str]:
    """Return what is wrong with the chain: what was published before something, or last, and is not there as it was."""
    there = {month.link for month in found} | {each.link for each in noted.removed}
    chained = [month for month in found if month.files is not None]
    wanted = [(month.previous, f"published before {month.name}") for month in chained]
    wanted += [(each.previous, f"published before {each.link.as_of}, which was removed") for each in noted.removed]
    wanted.append((last, "published last"))
    problems = [
        f"{link.as_of} version {link.version}, {which}, is missing, or its {months.MANIFEST} is not as it was"
        for link, which in wanted
        if link is not None and link not in there
    ]
    # A run that was killed before it published has kept the month that stands among its versions already: one month.
    followed = [previous for previous, _ in {(month.previous, month.link) for month in chained}]
    twice = {link for link in followed if link is not None and followed.count(link) > 1}
    problems += [
        f"two months were published after {link.as_of} version {link.version}: one of them comes from another folder"
        for link in sorted(twice, key=lambda each: (each.as_of, each.version))
    ]
    if not noted.whole and chained:
        problems.append(_NO_BOOK)
    return problems


def _of_index(folder: Path, noted: book.Book, found: Sequence[Published]) -> list[str]:
    """Return what is wrong with the page that lists the months."""
    if not noted.whole or not found:
        return []
    if not noted.index:
        return [_NO_INDEX]
    return [] if book.index_hash(folder) == noted.index else [_OTHER_INDEX]
