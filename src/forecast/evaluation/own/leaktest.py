"""Does a model see the future? It is asked twice about the same days: in the world as it is, and in one that goes on
otherwise from there. What it says must be the same, byte for byte.

Everything runs in processes of their own, so that the model is imported afresh: twice in the true world, once from the
last day to the first and once the other way (what it remembers of other days shows there, and a forecast that is not
the same twice), and once for each day in a world that has another future from that day on (`future`), where the folder
of the data itself is covered by the other one (`world`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.data.schema import Log
from forecast.data.sources.company import FILE, company_text
from forecast.data.sources.files import locate
from forecast.data.sources.private import private_folder
from forecast.data.sources.read import read
from forecast.data.sources.writing import write_csv, write_parquet
from forecast.errors import DataError, MachineError, ModelError, ParameterError
from forecast.evaluation.own.future import another_future
from forecast.models.tables import MOST_MONTHS
from forecast.seeds import check_seed

ORIGINS = 3
"""Days that are asked about where none are named: month ends, half a year apart, the last half a year back."""

_APART = 6
_LONG_AGO = 946_684_800
"""When the files of another future were changed, as they say: no day of the data."""

CLEAN, LEAK, UNSTEADY, UNTOLD = "no leak found", "leak", "not the same twice", "cannot tell"


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """What came of the test of one model.

    verdict : `no leak found`, `leak`, `not the same twice` or `cannot tell`. days : those asked about. seen : of each
    day with a difference, what it is. left : tables whose future could not be made another. covered : whether the data
    were out of reach in the other worlds. elsewhere : files outside the data that the model opened.
    """

    model: str
    verdict: str
    days: tuple[str, ...]
    seen: Mapping[str, str]
    left: tuple[str, ...] = ()
    covered: bool = True
    elsewhere: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether no leak was found."""
        return self.verdict == CLEAN

    def lines(self) -> list[str]:
        """Return what a reader must know, one sentence a line."""
        days = ", ".join(self.days)
        lines = [f"{self.model}: {self.verdict} ({days})"]
        lines += [f"  {day}: {what}" for day, what in self.seen.items()]
        if self.left:
            lines.append(f"  its future could not be made another, so not tested: {', '.join(self.left)}")
        if not self.covered:
            lines.append(
                "  this machine cannot hide the data's own folder from a process (that takes Linux and a mount "
                "namespace): a file read through a C library, and dates of files, are not seen here"
            )
        if self.elsewhere:
            lines.append(
                f"  it opened files outside the data, which this test cannot change: {', '.join(self.elsewhere)}"
            )
        return lines


def leaktest(
    models: Sequence[str],
    *,
    data: str | os.PathLike[str],
    days: Iterable[str] = (),
    months: int = 3,
    seed: int = 0,
) -> list[Leaks]:
    """Test whether models see the future.

    Parameters
    ----------
    models : names as `forecaster` takes them: `package.module:function`, entry points, ours too.
    data : a folder of CSV or Parquet files. days : days or months to ask about; default `ORIGINS` month ends.
    months, seed : as for each forecaster.

    Returns
    -------
    One `Leaks` a model, in their order.

    Raises
    ------
    ParameterError : months or seed is out of range, a day is none, or beyond the data. DataError : the data cannot be
    read, or are no such folder. ModelError : the model cannot be imported, or fails on the true data. MachineError : a
    process could not be run.
    """
    if isinstance(months, bool) or not isinstance(months, int) or not 1 <= months <= MOST_MONTHS:
        raise ParameterError(f"months: {months!r} is not a whole number from 1 to {MOST_MONTHS}")
    check_seed(seed)
    folder = locate(data)
    if not folder.is_dir():
        raise DataError("is no folder of tables", table=str(data), mend="a folder of CSV or Parquet files")
    log = read(folder)
    asked = _days(log, days)
    with private_folder() as place:
        worlds = _Worlds(folder=folder, place=place, models=tuple(models), months=months, seed=seed)
        backwards, forwards = worlds.true("backwards", asked[::-1]), worlds.true("forwards", asked)
        left: set[str] = set()
        other: dict[str, list[dict[str, Any]]] = {}
        for day in asked:
            made = another_future(log, pd.Timestamp(day), seed=seed + 1)
            left |= set(made.left)
            other[day] = worlds.other(day, made.log)
    return [
        _judged(name, asked, backwards[at], forwards[at], {day: other[day][at] for day in asked}, tuple(sorted(left)))
        for at, name in enumerate(models)
    ]


def _days(log: Log, days: Iterable[str]) -> list[str]:
    """Return the days to ask about, as ISO days, ascending."""
    from forecast.evaluation.backtest import parse_origins

    calendar = log.company.periods
    named = list(days)
    if not named:
        last = calendar.period(log.extracted_on)
        named = [str(calendar.end(last - _APART * back).date()) for back in range(ORIGINS, 0, -1)]
        first = log.opportunities["created_on"].min()
        named = [day for day in named if pd.Timestamp(day) > first] or [str(calendar.end(last - 1).date())]
    found = parse_origins(log, named)
    if found[-1] >= log.extracted_on:
        raise ParameterError(
            f"days: {found[-1]:%Y-%m-%d} has no future in data that end on {log.extracted_on:%Y-%m-%d}"
        )
    return [str(day.date()) for day in found]


def _judged(
    name: str,
    days: Sequence[str],
    backwards: Mapping[str, Any],
    forwards: Mapping[str, Any],
    other: Mapping[str, Mapping[str, Any]],
    left: tuple[str, ...],
) -> Leaks:
    """Return the verdict on a model from what it said in the worlds."""
    if "import" in forwards["said"]:
        raise ModelError(forwards["said"]["import"], model=name)
    failed = {day: text for day, text in forwards["said"].items() if text.startswith(("ModelError: ", "Parameter"))}
    true = {day: forwards["said"][day] for day in days}
    unsteady = {day: _apart(true[day], backwards["said"].get(day, "")) for day in days}
    leaks = {day: _apart(true[day], _said(other[day], day)) for day in days}
    covered = all(each["covered"] for each in other.values())
    looked = {file for each in other.values() for file in each["data"]} if not covered else set()
    facts: dict[str, Any] = {
        "model": name,
        "days": tuple(days),
        "left": left,
        "covered": covered,
        "elsewhere": tuple(forwards["elsewhere"]),
    }
    if any(leaks.values()) and not any(unsteady.values()):
        seen = {day: f"with another future it says otherwise: {what}" for day, what in leaks.items() if what}
        return Leaks(verdict=LEAK, seen=seen, **facts)
    if any(unsteady.values()):
        why = "draws without the seed, the clock, or what it remembers of other days"
        seen = {day: f"asked again it says otherwise ({why}): {what}" for day, what in unsteady.items() if what}
        return Leaks(verdict=UNSTEADY, seen=seen, **facts)
    if failed:
        day, text = next(iter(failed.items()))
        raise ModelError(f"it fails on the true data: {text}", model=name, origin=day)
    if looked:
        return Leaks(verdict=UNTOLD, seen={days[0]: f"it opens the data's own files ({sorted(looked)[0]})"}, **facts)
    return Leaks(verdict=CLEAN, seen={}, **facts)


def _said(facts: Mapping[str, Any], day: str) -> str:
    return str(facts["said"].get(day, facts["said"].get("import", "nothing")))


def _apart(one: str, other: str) -> str:
    """Return how two answers differ, by the first line that does; empty where they are the same."""
    if one == other:
        return ""
    lines, others = one.splitlines(), other.splitlines()
    pairs = [(a, b) for a, b in zip(lines, others, strict=False) if a != b]
    if not pairs:
        return f"{len(lines):,} lines and {len(others):,}"
    first = pairs[0]
    if all("," in text for text in first):
        cells = [(a, b) for a, b in zip(first[0].split(","), first[1].split(","), strict=False) if a != b]
        where = " ".join(first[0].split(",")[2:5:2])
        return f"{len(pairs):,} rows, first {where}: {cells[0][0][:20]} and {cells[0][1][:20]}"
    return f"{first[0][:160]!r} and {first[1][:160]!r}"


# -- worlds --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Worlds:
    """Where models are asked: processes that find the data as they are, or with another future."""

    folder: Path
    place: Path
    models: tuple[str, ...]
    months: int
    seed: int

    def true(self, name: str, days: Sequence[str]) -> list[dict[str, Any]]:
        """Return what each model says of days, asked in this order, in the world as it is."""
        return self._run(name, days, data=self.folder, cover=None)

    def other(self, day: str, log: Log) -> list[dict[str, Any]]:
        """Return what each model says of a day in a world with another future."""
        copy = self.place / f"future-{day}"
        copy_with(self.folder, copy, log)
        cover = {"folder": str(self.folder.resolve()), "by": str(copy)}
        return self._run(f"other-{day}", [day], data=copy, cover=cover)

    def _run(
        self, name: str, days: Sequence[str], *, data: Path, cover: Mapping[str, str] | None
    ) -> list[dict[str, Any]]:
        work = self.place / name
        work.mkdir()
        models = [{"name": model, "out": str(work / f"{at}.json")} for at, model in enumerate(self.models)]
        job = {"models": models, "data": str(data), "days": list(days), "months": self.months, "seed": self.seed}
        job |= {"cover": cover, "folder": str(self.folder.resolve())}
        file = work / "job.json"
        file.write_text(json.dumps(job), encoding="utf-8")
        env = {**os.environ, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", "forecast.evaluation.own.world", str(file)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        outs = [Path(model["out"]) for model in models]
        if done.returncode or not all(out.is_file() for out in outs):
            last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            raise MachineError(f"the process that asks {', '.join(self.models)} failed: {last}")
        return [json.loads(out.read_text(encoding="utf-8")) for out in outs]


def copy_with(folder: Path, into: Path, log: Log) -> None:
    """Write a data folder with the tables of a log, each in the format and under the name it has in `folder`.

    The files bear a date of long ago. Raises DataError where a table lies in another form than CSV or Parquet.
    """
    into.mkdir()
    for name, frame in log.tables.items():
        there = [
            file for file in sorted(folder.iterdir()) if file.stem.lower() == name and not file.name.startswith(".")
        ]
        if not there or not there[0].is_file() or there[0].suffix.lower() not in (".csv", ".parquet"):
            raise DataError(
                "lies in a form that is not copied here", table=name, mend="give a folder of CSV or Parquet files"
            )
        write = write_csv if there[0].suffix.lower() == ".csv" else write_parquet
        write(frame, into / there[0].name)
    (into / FILE).write_text(company_text(_ending(log)), encoding="utf-8")
    for file in [*into.iterdir(), into]:
        os.utime(file, (_LONG_AGO, _LONG_AGO))


def _ending(log: Log) -> Any:
    from dataclasses import replace

    return replace(log.company, extracted_on=log.extracted_on, logo="")
