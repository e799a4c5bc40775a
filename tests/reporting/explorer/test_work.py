"""A move and what follows it: grey at once, the last move worked out, nothing shown that is not of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forecast.errors import DataError
from forecast.reporting.explorer import work
from forecast.reporting.explorer.work import BUSY, Pane, Work


class Widget:
    """As much of a widget as a pane needs."""

    def __init__(self) -> None:
        self.classes: list[str] = []
        self.value = "old"

    def add_class(self, name: str) -> None:
        if name not in self.classes:
            self.classes.append(name)

    def remove_class(self, name: str) -> None:
        if name in self.classes:
            self.classes.remove(name)

    @property
    def is_grey(self) -> bool:
        return BUSY in self.classes


class Loop:
    """A loop whose calls are made when the test says so, in the order in which they are due."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_later(self, _: float, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def turn(self) -> None:
        """Make the calls that are due now; those they ask for come later."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


@pytest.fixture
def loop(monkeypatch) -> Loop:
    found = Loop()
    monkeypatch.setattr(work, "_loop", lambda **_: found)
    return found


def pane_of(widget: Widget, make: Callable[[], str]) -> Pane:
    def made() -> Callable[[], None]:
        text = make()
        return lambda: setattr(widget, "value", text)

    return Pane(widget, make=made, failed=lambda error: setattr(widget, "value", f"no: {error}"))


def test_without_a_kernel_it_is_answered_at_once():
    widget, seen = Widget(), []
    pane = pane_of(widget, lambda: (seen.append((widget.is_grey, widget.value)), "new")[1])
    Work(lambda: pane).ask(pane)
    assert seen == [(True, "old")]  # grey before it was worked out
    assert (widget.value, widget.is_grey, pane.stale) == ("new", False, False)


def test_only_what_is_looked_at_is_worked_out():
    one, other = Widget(), Widget()
    panes = [pane_of(one, lambda: "one"), pane_of(other, lambda: "other")]
    place = [0]
    asked = Work(lambda: panes[place[0]])
    asked.ask(*panes)
    assert (one.value, one.is_grey) == ("one", False)
    assert (other.value, other.is_grey) == ("old", True)
    place[0] = 1
    asked.ask()
    assert (other.value, other.is_grey) == ("other", False)


def test_what_nothing_moved_is_not_worked_out_again():
    made: list[int] = []
    pane = pane_of(Widget(), lambda: (made.append(1), "new")[1])
    asked = Work(lambda: pane)
    asked.ask(pane)
    asked.ask()
    assert len(made) == 1


def test_of_many_moves_the_last_is_worked_out(loop):
    widget, value, made = Widget(), [0], []
    pane = pane_of(widget, lambda: (made.append(value[0]), str(value[0]))[1])
    asked = Work(lambda: pane)
    for value[0] in (1, 2, 3):
        asked.ask(pane)
    assert widget.is_grey
    loop.turn()
    loop.turn()
    assert made == [3]
    assert (widget.value, widget.is_grey) == ("3", False)


def test_what_was_worked_out_for_an_earlier_move_is_never_shown(loop):
    widget, value = Widget(), [1]
    pane = pane_of(widget, lambda: str(value[0]))
    asked = Work(lambda: pane)
    asked.ask(pane)
    loop.turn()  # worked out for 1, not shown yet
    value[0] = 2
    asked.ask(pane)  # was waiting in the queue
    shown = []
    while loop.calls:
        loop.turn()
        shown.append((widget.value, widget.is_grey))
    assert shown == [("old", True), ("2", False)]


@pytest.mark.parametrize("wait", [False, True])
def test_where_it_fails_the_reason_stands_in_its_place(monkeypatch, wait):
    loop, widget = Loop(), Widget()
    monkeypatch.setattr(work, "_loop", lambda **_: loop if wait else None)

    def make() -> str:
        raise DataError("too few deals", mend="bring more")

    pane = pane_of(widget, make)
    Work(lambda: pane).ask(pane)
    while loop.calls:
        loop.turn()
    assert widget.value.startswith("no: too few deals")
    assert not widget.is_grey


@pytest.mark.parametrize("error", [ValueError("seven"), KeyboardInterrupt()])
def test_an_error_that_is_none_of_ours_leaves_no_grey_and_no_old_picture(error, capsys):
    widget = Widget()

    def make() -> str:
        raise error

    pane = pane_of(widget, make)
    Work(lambda: pane).ask(pane)
    assert widget.value.startswith("no:")
    assert not widget.is_grey
    assert ("ValueError: seven" in capsys.readouterr().err) == isinstance(error, ValueError)


def test_what_fails_while_it_is_shown_leaves_no_grey():
    widget = Widget()

    def show() -> None:
        raise DataError("no room", mend="make some")

    pane = Pane(widget, make=lambda: show, failed=lambda error: setattr(widget, "value", str(error)))
    Work(lambda: pane).ask(pane)
    assert widget.value.startswith("no room")
    assert not widget.is_grey


def test_a_button_waits_for_what_was_moved_before(loop):
    widget, value, done = Widget(), [0], []
    pane = pane_of(widget, lambda: str(value[0]))
    asked = Work(lambda: pane)
    value[0] = 1
    asked.ask(pane)
    asked.then(lambda: done.append((value[0], widget.value)))
    loop.turn()
    value[0] = 2  # the slider's last value, overtaken by the button
    asked.ask(pane)
    for _ in range(6):
        loop.turn()
    assert done == [(2, "2")]
    assert loop.calls == []


def test_a_button_without_a_kernel_acts_at_once():
    done: list[int] = []
    pane = pane_of(Widget(), lambda: "new")
    Work(lambda: pane).then(lambda: done.append(1))
    assert done == [1]
