"""How far a run has come: a live display on a terminal, plain lines in a log, nothing when asked to be quiet."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, TextIO


class Progress(Protocol):
    """What a run tells while it goes. Stages run side by side, so calls come from several threads."""

    def plan(self, stages: Sequence[str], expected: Mapping[str, float]) -> None:
        """Hear the stages, in order, and the seconds each took last time where that is known."""

    def begin(self, stage: str) -> None:
        """Hear that a stage starts."""

    def cell(self, stage: str, number: int, cells: int) -> None:
        """Hear that a cell of a stage starts."""

    def end(self, stage: str, outcome: str, seconds: float) -> None:
        """Hear that a stage ended: `done`, `kept` (finished by the run before) or `failed`."""

    def waits(self, holder: str) -> None:
        """Hear that the run waits for another one, and for which."""

    def about(self, facts: Mapping[str, Any]) -> None:
        """Hear what the month is made from, as its manifest will have it, once the data have been read."""

    def published(self, facts: Mapping[str, Any]) -> None:
        """Hear what stands now: `as_of`, `version`, `sha256` of its manifest, and whether it is `new`."""

    def __enter__(self) -> Progress: ...

    def __exit__(self, *exception: Any) -> None: ...


class Quiet:
    """Says nothing."""

    def plan(self, stages: Sequence[str], expected: Mapping[str, float]) -> None:
        """Say nothing."""

    def begin(self, stage: str) -> None:
        """Say nothing."""

    def cell(self, stage: str, number: int, cells: int) -> None:
        """Say nothing."""

    def end(self, stage: str, outcome: str, seconds: float) -> None:
        """Say nothing."""

    def waits(self, holder: str) -> None:
        """Say nothing."""

    def about(self, facts: Mapping[str, Any]) -> None:
        """Say nothing."""

    def published(self, facts: Mapping[str, Any]) -> None:
        """Say nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *exception: Any) -> None:
        return None


class Lines(Quiet):
    """One line when a stage starts and one when it ends: for logs, which have no cursor to move."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._stages: list[str] = []
        self._ended = 0

    def plan(self, stages: Sequence[str], expected: Mapping[str, float]) -> None:  # noqa: ARG002
        """Remember the stages."""
        self._stages = list(stages)

    def waits(self, holder: str) -> None:
        """Write a line."""
        self._write(f"wait   {holder} is writing here")

    def begin(self, stage: str) -> None:
        """Write a line."""
        self._write(f"start  {stage}")

    def end(self, stage: str, outcome: str, seconds: float) -> None:
        """Write a line."""
        with self._lock:
            self._ended += 1
            ended = self._ended
        time_taken = "" if outcome == "kept" else f" {seconds:.1f} s"
        self._write(f"{outcome:6} {stage}{time_taken} ({ended} of {len(self._stages)})")

    def _write(self, line: str) -> None:
        with self._lock:
            print(line, file=self._stream, flush=True)


class Live(Quiet):
    """A display that moves: the stages under way with their cells, how many are through, time taken and to come."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[where]}"),
            console=Console(file=stream or sys.stderr),
            transient=True,
            refresh_per_second=4,
        )
        self._lock = threading.Lock()
        self._tasks: dict[str, Any] = {}
        self._share: dict[str, float] = {}
        self._expected: dict[str, float] = {}
        self._stages: list[str] = []
        self._ended = 0
        self._start = time.perf_counter()
        self._total: Any = None

    def plan(self, stages: Sequence[str], expected: Mapping[str, float]) -> None:
        """Show the line of the whole run."""
        self._stages = list(stages)
        usual = sum(expected.values()) / len(expected) if expected else 1.0
        self._expected = {stage: max(expected.get(stage, usual), 0.1) for stage in stages}
        self._total = self._bars.add_task("report", total=sum(self._expected.values()), where=self._where())

    def begin(self, stage: str) -> None:
        """Show a line for the stage."""
        self._tasks[stage] = self._bars.add_task(f"  {stage}", total=1, where="kernel")

    def cell(self, stage: str, number: int, cells: int) -> None:
        """Move the stage's line."""
        self._bars.update(self._tasks[stage], completed=number - 1, total=cells, where=f"cell {number} of {cells}")
        self._move(stage, (number - 1) / cells)

    def end(self, stage: str, outcome: str, seconds: float) -> None:
        """Take the stage's line away, and leave a plain one above."""
        with self._lock:
            self._ended += 1
        if stage in self._tasks:
            self._bars.remove_task(self._tasks.pop(stage))
        time_taken = "" if outcome == "kept" else f" {seconds:.1f} s"
        self._bars.console.print(f"{outcome:6} {stage}{time_taken}", highlight=False)
        self._move(stage, 1.0)

    def _move(self, stage: str, share: float) -> None:
        with self._lock:
            self._share[stage] = share
            through = sum(self._expected[name] * part for name, part in self._share.items())
        if self._total is not None:
            self._bars.update(self._total, completed=through, where=self._where(through))

    def _where(self, through: float = 0.0) -> str:
        elapsed = time.perf_counter() - self._start
        text = f"{self._ended} of {len(self._stages)} notebooks"
        share = through / sum(self._expected.values()) if self._expected else 0.0
        return f"{text}, about {_clock(elapsed * (1 - share) / share)} to go" if 0.05 < share < 1 else text

    def __enter__(self) -> Live:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._bars.stop()


def progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """Return the display that fits: live on a terminal, lines elsewhere, nothing when quiet."""
    stream = stream or sys.stderr
    if quiet:
        return Quiet()
    if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return Live(stream)
    return Lines(stream)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
