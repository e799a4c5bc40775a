"""A month that was published, made again as of then with today's code, beside what was published.

It is made in a private folder that is removed afterwards; the folder of reports is not touched. Months ahead, seed and
the other parameters are those of the manifest, as far as today's notebooks still have them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forecast.data.sources.read import private_folder
from forecast.errors import ParameterError
from forecast.reporting.published import months
from forecast.reporting.published.compare import Comparison, compare
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import (
    BY,
    SCENARIO_NOTEBOOK,
    STAGES,
    Notebook,
    Stage,
    divided_by,
    notebooks_folder,
    read_notebooks,
)
from forecast.reporting.run.progress import Progress
from forecast.reporting.run.report import report

_SETTLED = ("data", "as_of", "tables")
_OPTIONS = {"months": 6, "seed": 0, "where": ""}


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What came of a replay: the comparison, and the parameters of then that today's notebooks do not have or share."""

    comparison: Comparison
    left_out: Sequence[str]


@contextmanager
def replayed(
    out: Path,
    name: str,
    *,
    data: str | os.PathLike[str],
    jobs: int = 2,
    notebooks: str | os.PathLike[str] | None = None,
    stages: Sequence[Stage] = STAGES,
    progress: Progress | None = None,
    kernels: Kernels | None = None,
    salt_file: str | os.PathLike[str] | None = None,
    nothing_since: bool = False,
) -> Iterator[Replayed]:
    """Make a published month again and yield what differs; the files are there while the context is open.

    name : the month, as `months.find` takes it. data, jobs and all that follow : as for a report; only what was
    known on the month's day is used of the data. Raises what a report raises.
    """
    month = months.find(months.folder_of_reports(out), name)
    asked = month.manifest.get("parameters")
    if not isinstance(asked, dict):
        raise ParameterError(f"{month.folder}: its {months.MANIFEST} does not say by which parameters it was made")
    by = next((by for by, stage in BY.items() if stage.name in asked), None)
    asked = {name: _without_part(values) if by and name == BY[by].name else values for name, values in asked.items()}
    today = read_notebooks(notebooks_folder(notebooks), (*stages, *divided_by(by)))
    given, left_out = parameters_of_then(asked, today)
    options = {option: given.pop(option, default) for option, default in _OPTIONS.items()}
    redacted = bool(month.manifest.get("redacted"))
    if salt_file is not None and not redacted:
        raise ParameterError(f"{month.name} is not redacted: a salt is of no use")
    with private_folder() as private:
        page = report(
            data,
            as_of=month.as_of,
            out=private / "reports",
            months=options["months"],
            seed=options["seed"],
            parameters=given,
            jobs=jobs,
            notebooks=notebooks,
            stages=stages,
            progress=progress,
            kernels=kernels,
            redacted=redacted,
            salt_file=salt_file,
            nothing_since=nothing_since,
            by=by,
            where=options["where"],
        )
        found = compare(month, months.read(page.parent))
        yield Replayed(comparison=replace(found, replayed=True), left_out=left_out)


def _without_part(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a notebook that is run for each part of the month, without the part."""
    return {name: value for name, value in values.items() if name not in BY}


def parameters_of_then(
    asked: Mapping[str, Mapping[str, Any]], today: Mapping[str, Notebook]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values that a manifest has, by name, and what of them cannot be given to today's notebooks.

    Simple case: each name has one value in all notebooks. A what-if goes to the page of scenarios alone: where that
    page has another value than the others, theirs is given.
    """
    values: dict[str, Any] = {}
    left_out = []
    for notebook in sorted(asked, key=lambda name: name == SCENARIO_NOTEBOOK):
        for name, value in asked[notebook].items():
            if name in _SETTLED:
                continue
            if notebook not in today or name not in today[notebook].names:
                left_out.append(f"{notebook}.{name} = {value!r}: there is no such parameter today")
            elif values.setdefault(name, value) != value:
                left_out.append(f"{notebook}.{name} = {value!r}: elsewhere it is {values[name]!r}")
    return values, left_out
