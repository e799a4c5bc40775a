"""What is kept of the outputs of a cell: as much as a page can bear, and whether the notebook came to its end.

Simple case: a cell prints a few lines, or shows a chart, and all of it is kept. What a cell prints without end is cut,
in what the run holds and on the page, which says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PRINTED = 200_000
"""Characters of what a cell prints that are kept: some 3,000 lines."""
SHOWN = 30_000_000
"""Characters of all that a cell shows, charts and tables included; each output counts for 5,000 at least."""
_LEAST = 5_000

# -- sentences ------------------------------------------------------------------------------------------

CUT = "\n… what this cell printed is cut here: more than {limit:,} characters\n"
CUT_SHOWN = "\n… what this cell showed is cut here: more than {limit:,} characters\n"
NOT_EXECUTED = "this cell was not executed"

# -- outputs --------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Room:
    """How much of one cell's outputs has been kept, and how much may be."""

    printed: int = 0
    shown: int = 0
    said: set[str] = field(default_factory=set)

    def admit(self, message: Mapping[str, Any]) -> tuple[bool, str]:
        """Return whether an output of a kernel is kept, as cut here, and what is to be said after it, once.

        message : its type and content as Jupyter has them; a text that is too long is cut in it.
        """
        content = message["content"]
        if message["msg_type"] == "stream":
            left = PRINTED - self.printed
            self.printed += len(content["text"])
            if self.printed <= PRINTED:
                return True, ""
            content["text"] = content["text"][: max(left, 0)]
            return left > 0, self._once(CUT.format(limit=PRINTED))
        self.shown += max(_LEAST, sum(len(str(value)) for value in content.get("data", {}).values()))
        return (True, "") if self.shown <= SHOWN else (False, self._once(CUT_SHOWN.format(limit=SHOWN)))

    def _once(self, sentence: str) -> str:
        if sentence in self.said:
            return ""
        self.said.add(sentence)
        return sentence


def unfinished(notebook: Any) -> tuple[int, str] | None:
    """Return the cell at which an executed notebook ended early, from 0, and why; None where it came to its end.

    A cell that asked Python to exit, and one that was not executed, leave half a page, whatever exit code they gave.
    """
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                return index, f"{output.ename}: {output.evalue}".rstrip(": ")
        if cell.execution_count is None:
            return index, NOT_EXECUTED
    return None
