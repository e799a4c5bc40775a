"""One reading: what a month is made from stays as it was from the first look at it to the publication.

Simple case: nobody writes into the folder of the data while a run reads it. Where a file is replaced, written to, added
or taken away, the notebooks that finished before have seen other data than those after; such a month is never
published, and no notebook that may have seen both is taken over by the next run. So it is with the program's own files.
Notebooks are read once and run from a private copy, as are databases and workbooks: these may change as they like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from forecast.data.sources.tables.partitions import files_of
from forecast.errors import MachineError
from forecast.reporting.run import workspace

_BESIDE = "~$"
"""How the name of the file begins that Excel lays beside an open workbook."""

Sign = tuple[int, ...]
"""What tells that a file is no longer the same: its inode, length and times of change in nanoseconds."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The signs of what a run reads where it lies, as they were when it began.

    data : the folder of the data, None where the run reads a copy of its own. files, code : the sign of each file, by
    name. versions : those of the packages.
    """

    data: Path | None
    files: Mapping[str, Sign] = field(default_factory=dict)
    code: Mapping[str, Sign] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, data: Path | None) -> Reading:
        """Look at the files, before any of them is read. Raises MachineError."""
        files = {} if data is None else _signs(_files_of(data), changes=True)
        return cls(data=data, files=files, code=_signs(workspace.code_files()), versions=workspace.versions())

    def of_a_copy(self) -> Reading:
        """Return the reading of a run that goes on with a copy of the data. Raises MachineError as `check` does."""
        self.check()
        return replace(self, data=None, files={})

    def check(self, *, last: bool = False) -> None:
        """Raise MachineError where data or program are no longer what they were; last : look at packages too."""
        if self.data is not None:
            now = _signs(_files_of(self.data), changes=True)
            if changed := _differing(self.files, now):
                raise MachineError(
                    f"the data changed while the report was made ({_named(changed)}): nothing is published\n"
                    "  mend: run it again when they are whole",
                    transient="changed",
                )
        changed = _differing(self.code, _signs(workspace.code_files()))
        if last and not changed:
            changed = _differing(self.versions, workspace.versions())
        if changed:
            raise MachineError(
                f"the program was replaced while the report was made ({_named(changed)}): nothing is published\n"
                "  mend: run it again",
                transient="changed",
            )


def _files_of(data: Path) -> list[Path]:
    with workspace.machine("the data cannot be read"):
        return [file for file in files_of(data) if not file.name.startswith(_BESIDE)]


def _signs(files: Iterable[Path], *, changes: bool = False) -> dict[str, Sign]:
    """Return the sign of each file; changes : also when anything about it changed, a move away and back, say."""
    found: dict[str, Sign] = {}
    for file in files:
        try:
            facts = file.stat()
        except FileNotFoundError:  # taken away since its folder was listed
            continue
        sign = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        found[str(file)] = (*sign, facts.st_ctime_ns) if changes else sign
    return found


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _named(changed: list[str]) -> str:
    names = [Path(name).name for name in changed]
    return ", ".join(names if len(names) <= 4 else [*names[:3], "…"])
