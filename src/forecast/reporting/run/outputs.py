"""What is kept of the outputs of a cell: as much as a page can bear, and whether the notebook came to its end.

Simple case: a cell prints a few lines, or shows a chart, and all of it is kept. What a cell prints without end is cut,
in what the run holds and on the page, which says so. A kernel sends no more than that in the first place: one text of
a gigabyte would else be held several times over by the run before it could be cut.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PRINTED = 200_000
"""Characters of what a cell prints that are kept: some 3,000 lines."""
SHOWN = 30_000_000
"""Characters of all that a cell shows, charts and tables included; each output counts for 5,000 at least."""
_LEAST = 5_000
TOLD = 20_000
"""Characters of the message of an error that are kept, and of each part of its traceback."""

# -- sentences ------------------------------------------------------------------------------------------

CUT = "\n… what this cell printed is cut here: more than {limit:,} characters\n"
CUT_SHOWN = "\n… what this cell showed is cut here: more than {limit:,} characters\n"
NOT_EXECUTED = "this cell was not executed"
EXITED = "SystemExit: the cell ended its kernel, so nothing after it can have run as written"

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


def exits(reply: Mapping[str, Any]) -> bool:
    """Return whether a cell asked its kernel to end by `exit()` or `quit()`, which in a notebook raise nothing.

    reply : the content of a kernel's answer to a cell. Cells after it may or may not have run, by how fast they are.
    """
    asked = [part for part in reply.get("payload") or () if part.get("source") == "ask_exit"]
    return any(not part.get("keepkernel") for part in asked)


# -- at the source --------------------------------------------------------------------------------------


def limit_at_source() -> None:
    """Let the kernel of this process send no more of a cell than a page can bear, and one character to tell that.

    What a cell prints over that is dropped when it is printed; a chart or an error that is too long is cut when it is
    sent. Called once, before a kernel starts.
    """
    from ipykernel.iostream import OutStream
    from jupyter_client.session import Session

    write, send = OutStream.write, Session.send
    printed: dict[tuple[str, str], int] = {}  # by stream and the message that a cell came with; the last one only

    def _write_limited(self: Any, string: str) -> int | None:
        if not isinstance(string, str):
            return write(self, string)  # which refuses it
        cell = (str(self.name), str(self.parent_header.get("msg_id", "")))
        if cell not in printed:
            for other in [each for each in printed if each[0] == cell[0]]:
                printed.pop(other, None)
        left = PRINTED + 1 - printed.get(cell, 0)
        printed[cell] = printed.get(cell, 0) + len(string)
        if left > 0:
            write(self, string[:left])
        return len(string)

    def _send_limited(self: Any, stream: Any, msg_or_type: Any, content: Any = None, *rest: Any, **named: Any) -> Any:
        if isinstance(msg_or_type, Mapping):
            shorten(msg_or_type["header"]["msg_type"], msg_or_type["content"])
        elif content is not None:
            shorten(msg_or_type, content)
        return send(self, stream, msg_or_type, content, *rest, **named)

    OutStream.write = _write_limited  # type: ignore[method-assign]
    Session.send = _send_limited  # type: ignore[method-assign]


def shorten(kind: str, content: dict[str, Any]) -> None:
    """Cut what a kernel is about to send, in place, where it is more than is kept: a text so that this shows.

    kind, content : the type of the message and its content, as Jupyter has them.
    """
    if kind in ("display_data", "execute_result", "update_display_data"):
        if sum(len(value) for value in content.get("data", {}).values() if isinstance(value, (str, bytes))) > SHOWN:
            content["data"] = {"text/plain": " " * (SHOWN + 1)}
    elif kind == "stream":
        content["text"] = content["text"][: PRINTED + 1]
    elif kind in ("error", "execute_reply") and "evalue" in content:
        content["evalue"] = _told(content["evalue"])
        content["traceback"] = [_told(line) for line in content.get("traceback", ())]


def _told(text: str) -> str:
    return text if len(text) <= TOLD else f"{text[:TOLD]} …"


def _launch() -> None:
    """Become a kernel, as `python -m ipykernel_launcher` does, that sends no more than is kept."""
    if sys.path[0] == "" or Path(sys.path[0]) == Path.cwd():  # comes back once everything is loaded
        del sys.path[0]
    limit_at_source()
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


if __name__ == "__main__":
    _launch()
