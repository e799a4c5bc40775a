"""One finding of the audit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One thing that misleads: what, where, the evidence in numbers, the first rows, and the mend."""

    severity: str
    table: str
    column: str
    finding: str
    evidence: str = ""
    rows: tuple[str, ...] = ()
    count: int = 0
    mend: str = ""

    def of(self, rows: Iterable[object], count: int | None = None) -> Finding:
        """Return the finding with its rows, of which the first few are kept, and their number."""
        keys = [str(row) for row in rows]
        return replace(self, rows=tuple(keys[:_SHOWN]), count=len(keys) if count is None else int(count))

    def mended(self, mend: str) -> Finding:
        """Return the finding with its mend."""
        return replace(self, mend=mend)

    def row(self) -> dict[str, object]:
        """Return the finding as a row of the audit table."""
        rows = ", ".join(self.rows)
        return {
            "severity": self.severity,
            "table": self.table,
            "column": self.column,
            "finding": self.finding,
            "evidence": self.evidence,
            "rows": rows,
            "count": self.count,
            "mend": self.mend,
        }
