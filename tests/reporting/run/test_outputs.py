"""What is kept of a cell's outputs, counted by hand, and whether a notebook came to its end."""

from __future__ import annotations

import nbformat.v4
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.reporting.run import outputs
from forecast.reporting.run.outputs import PRINTED, SHOWN, Room, unfinished


def printed(text: str) -> dict:
    return {"msg_type": "stream", "content": {"name": "stdout", "text": text}}


def shown(text: str) -> dict:
    return {"msg_type": "display_data", "content": {"data": {"text/html": text}}}


def test_what_a_cell_prints_is_cut_once():
    room, first, over, more = Room(), printed("a" * (PRINTED - 2)), printed("bcd"), printed("e")
    assert room.admit(first) == (True, "")
    assert room.admit(over) == (True, outputs.CUT.format(limit=PRINTED))
    assert over["content"]["text"] == "bc"
    assert room.admit(more) == (False, "")
    assert room.admit(shown("chart")) == (True, "")  # a chart after it is kept


def test_what_a_cell_shows_is_cut_once_and_small_outputs_count():
    room = Room()
    kept = [room.admit(shown("x")) for _ in range(SHOWN // 5_000 + 2)]
    assert kept[-3:] == [(True, ""), (False, outputs.CUT_SHOWN.format(limit=SHOWN)), (False, "")]
    assert Room().admit(shown("x" * SHOWN)) == (True, "")


@pytest.mark.slow
@given(st.lists(st.integers(0, 90_000), max_size=12))
def test_never_more_than_there_is_room_for(lengths):
    room, messages = Room(), [printed("x" * length) for length in lengths]
    kept = [message["content"]["text"] for message in messages if room.admit(message)[0]]
    assert len("".join(kept)) == min(sum(lengths), PRINTED)


def test_a_notebook_that_came_to_its_end():
    done = nbformat.v4.new_code_cell("1", execution_count=1)
    empty = nbformat.v4.new_code_cell("  ")
    words = nbformat.v4.new_markdown_cell("words")
    skipped = nbformat.v4.new_code_cell("2")
    error = nbformat.v4.new_output("error", ename="SystemExit", evalue="0", traceback=[])
    left = nbformat.v4.new_code_cell("exit", execution_count=2, outputs=[error])
    assert unfinished(nbformat.v4.new_notebook(cells=[words, done, empty])) is None
    assert unfinished(nbformat.v4.new_notebook(cells=[words, done, skipped])) == (2, "this cell was not executed")
    assert unfinished(nbformat.v4.new_notebook(cells=[done, left, skipped])) == (1, "SystemExit: 0")
