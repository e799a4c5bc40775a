"""What is kept of a cell's outputs, counted by hand, and whether a notebook came to its end."""

from __future__ import annotations

import nbformat.v4
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.reporting.run import outputs
from forecast.reporting.run.engine import run_notebook
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.outputs import PRINTED, SHOWN, TOLD, Room, exits, shorten, unfinished
from reports import notebook


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


def test_a_cell_that_asks_its_kernel_to_end():
    assert exits({"payload": [{"source": "ask_exit", "keepkernel": False}]})
    assert not exits({"payload": [{"source": "ask_exit", "keepkernel": True}, {"source": "page"}]})
    assert not exits({"status": "aborted"})


def test_what_a_kernel_sends_is_cut_so_that_the_run_sees_it():
    chart, small = shown("x" * (SHOWN + 1))["content"], shown("x")["content"]
    shorten("display_data", chart)
    shorten("execute_result", small)
    assert Room().admit({"msg_type": "display_data", "content": chart})[0] is False
    assert small == {"data": {"text/html": "x"}}
    error = {"ename": "E", "evalue": "x" * (TOLD + 1), "traceback": ["y" * TOLD, "z" * 9 * TOLD]}
    shorten("error", error)
    assert error == {"ename": "E", "evalue": "x" * TOLD + " …", "traceback": ["y" * TOLD, "z" * TOLD + " …"]}
    reply = {"status": "ok"}
    shorten("execute_reply", reply)
    assert reply == {"status": "ok"}


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("forking", [True, False])
def test_a_text_of_any_length_never_leaves_its_kernel(tmp_path, monkeypatch, forking):
    admit, lengths = Room.admit, []

    def measured(room, message):
        lengths.append(len(str(message["content"])))
        return admit(room, message)

    monkeypatch.setattr(Room, "admit", measured)
    prints = "print('x' * 40_000_000)\nfor _ in range(200):\n    print('y' * 200_000)\nprint('last')"
    shows = "from IPython.display import HTML\nHTML('x' * 40_000_000)"
    file = notebook(tmp_path, "much", prints, "print('z' * 10)", shows, "raise ValueError('x' * 40_000_000)")
    with Kernels(forking=forking) as kernels:
        done = run_notebook(file, {}, kernels=kernels)
    assert max(lengths) < SHOWN + 1_000
    texts = ["".join(output.get("text", "") for output in cell.get("outputs", [])) for cell in done.notebook.cells]
    printed, small, over = [text for text in texts if text]
    assert printed.count("is cut here: more than 200,000 characters") == 1
    assert "last" not in printed
    assert small == "zzzzzzzzzz\n"
    assert "is cut here: more than 30,000,000 characters" in over
    assert len(done.failure.message) < 2 * TOLD
