"""All that `forecast check` says of a company's data, as text and as JSON.

Reading finds what is wrong (`checks`), the audit what misleads (`audit`). Here the two become one list in order of
rank. The JSON has the same findings in the same words, under keys that stay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from forecast.data.audit.audit import misleading
from forecast.data.schema import Log
from forecast.data.sources.read import database_of, examine
from forecast.errors import RANKS, SEVERITIES, Problem
from forecast.wording import plural

SCHEMA = 1
"""Version of the JSON; it grows by one where a key changes its meaning or goes."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Every problem of a company's data, the gravest first, and what was read.

    location : what was looked at. problems : fatal ones, then those that change the answer, then cosmetic ones.
    log : what was read; None where a problem is fatal.
    """

    location: str
    problems: tuple[Problem, ...]
    log: Log | None

    @property
    def is_fatal(self) -> bool:
        """Whether nothing can be forecast from the data."""
        return any(problem.severity == "fatal" for problem in self.problems)

    @property
    def counts(self) -> dict[str, int]:
        """How many problems there are of each rank."""
        return {RANKS[name]: sum(problem.severity == name for problem in self.problems) for name in SEVERITIES}

    def text(self) -> str:
        """Return the findings for reading: what is wrong, the rows, the mend; then what was read, and the counts."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for problem in self.problems:
            if problem.severity == "absent":
                yield f"{problem.rank}: {problem.table}: {problem.evidence}"
            else:
                yield f"{problem.rank}: {problem}".replace("\n  ", "\n    ")
        if self.log is not None:
            deals, tables = plural(len(self.log.opportunities), "opportunity"), plural(len(self.log.tables), "table")
            yield f"{deals}, {tables}, to {self.log.extracted_on.date()}"
        fatal, changing, cosmetic = (self.counts[RANKS[name]] for name in ("fatal", "warning", "info"))
        change = "changes" if changing == 1 else "change"
        yield f"{fatal:,} fatal, {changing:,} {change} the answer, {cosmetic:,} cosmetic"

    def as_dict(self) -> dict[str, Any]:
        """Return the findings with the keys of the JSON, which data/README.md lists."""
        log = self.log
        return {
            "schema": SCHEMA,
            "data": self.location,
            "can_be_forecast": not self.is_fatal,
            "counts": self.counts,
            "tables": {} if log is None else {name: len(frame) for name, frame in log.tables.items()},
            "last_day": None if log is None else f"{log.extracted_on:%Y-%m-%d}",
            "problems": [
                {
                    "rank": problem.rank,
                    "table": problem.table,
                    "column": problem.column,
                    "finding": problem.what,
                    "evidence": problem.evidence,
                    "rows": list(problem.rows),
                    "count": problem.count,
                    "mend": problem.mend,
                }
                for problem in self.problems
            ],
        }


def findings(location: str | os.PathLike[str], *, part: Callable[[Log], Log] | None = None) -> Findings:
    """Return every problem of a data location, the gravest first; of a part of its log, what misleads there.

    Raises
    ------
    DataError : there is nothing at the location. Also what `part` raises.

    Example: `findings("data/sample").is_fatal` is False.
    """
    log, found = examine(location)
    if log is not None and part is not None:
        log = part(log)
    if log is not None:
        # In the order of the audit, which holds again what reading found.
        read_first = {(problem.table, problem.column, problem.what): problem for problem in found}
        audited = [(problem.table, problem.column, problem.what, problem) for problem in misleading(log)]
        found = [read_first.pop((table, column, what), problem) for table, column, what, problem in audited]
        found += read_first.values()
    ranked = sorted(found, key=lambda problem: SEVERITIES.index(problem.severity))
    place = database_of(location)
    shown = str(location) if place is None else place.label
    return Findings(location=shown, problems=tuple(ranked), log=log)
