"""A control moves, and a picture follows: at once a sign of work, then the picture of what the controls say now.

In a notebook's kernel a move is answered in three steps, so that no picture ever contradicts a control. The picture
turns grey before anything is computed. The computation waits a moment for further moves, and only the last of them is
worked out. What it found is shown only if nothing moved meanwhile; a move made during the computation waits in the
kernel's queue, and is looked at first. Without a kernel (a script, a test) all of it happens at once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

BUSY = "forecast-busy"
"""The class of what is grey because it is not of what the controls say."""

_PAUSE = 0.02
"""Seconds in which further moves arrive that were made before."""

_SETTLED = 0.15
"""Seconds without a move after which a button does what it is for."""


class Pane:
    """Something that follows controls, such as a picture.

    Parameters
    ----------
    widgets : what is grey while it is not of what the controls say.
    make : works out what is to be shown, and returns what shows it; it may take its time.
    failed : shows, in the place of everything, why there is nothing; it is given what was raised.
    """

    def __init__(
        self, *widgets: Any, make: Callable[[], Callable[[], None]], failed: Callable[[BaseException], None]
    ) -> None:
        self.widgets, self.make, self.failed = widgets, make, failed
        self.stale = False

    def turn_grey(self) -> None:
        """Show that this is not of what the controls say."""
        self.stale = True
        for widget in self.widgets:
            widget.add_class(BUSY)

    def turn_back(self) -> None:
        """Show that this is what the controls say."""
        self.stale = False
        for widget in self.widgets:
            widget.remove_class(BUSY)


class Work:
    """Panes of which one is looked at: that one is worked out, the others when they are looked at.

    shown : returns the pane that is looked at.

    Example: `work = Work(lambda: pane)`, then `work.ask(pane)` whenever a control moved.
    """

    def __init__(self, shown: Callable[[], Pane]) -> None:
        self._shown, self._asked = shown, 0

    def ask(self, *panes: Pane, first: bool = False) -> None:
        """Say that panes are not of what the controls say any more; the one looked at is worked out anew.

        first : nothing has been shown yet, so that what a cell shows must not wait for it either.
        """
        for pane in panes:
            pane.turn_grey()
        self._asked += 1
        loop = _loop(cell_too=first)
        _soon(loop, partial(self._make, self._asked, loop))

    def then(self, call: Callable[[], None]) -> None:
        """Make a call once what is looked at is what the controls say, and nothing has moved for a moment.

        A browser sends what a control says one value at a time, and a pressed button at once: the button may overtake
        the last value of a slider.
        """
        loop = _loop(cell_too=False)
        if loop is None:
            call()
        else:
            loop.call_later(_SETTLED, partial(self._then, self._asked, loop, call))

    def _then(self, asked: int, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        if asked == self._asked and not self._shown().stale:
            call()
        else:
            loop.call_later(_SETTLED, partial(self._then, self._asked, loop, call))

    def _make(self, asked: int, loop: asyncio.AbstractEventLoop | None) -> None:
        """Work out the pane looked at, if no control has moved since."""
        pane = self._shown()
        if asked != self._asked or not pane.stale:
            return
        try:
            show: Callable[[], None] = pane.make()
        except BaseException as error:
            show = partial(_fail, pane, error)
        _soon(loop, partial(self._show, asked, pane, show))

    def _show(self, asked: int, pane: Pane, show: Callable[[], None]) -> None:
        """Show what was worked out, if no control has moved since."""
        if asked != self._asked:
            return
        try:
            show()
        except BaseException as error:
            _fail(pane, error)
        finally:
            pane.turn_back()


def _fail(pane: Pane, error: BaseException) -> None:
    """Show why there is nothing; an error that is no answer goes on to the log as well."""
    from forecast.errors import ForecastError

    pane.failed(error)
    if not isinstance(error, (ForecastError, KeyboardInterrupt)):
        sys.excepthook(type(error), error, error.__traceback__)


def _soon(loop: asyncio.AbstractEventLoop | None, call: Callable[[], None]) -> None:
    if loop is None:
        call()
    else:
        loop.call_later(_PAUSE, call)


def _loop(*, cell_too: bool) -> asyncio.AbstractEventLoop | None:
    """Return the loop of a kernel in which a message of a widget is being read; else None.

    cell_too : also where it is a cell that is run.
    """
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    if kernel is None:
        return None
    kinds: Sequence[str] = ("comm_msg", "execute_request") if cell_too else ("comm_msg",)
    try:
        kind = kernel.get_parent()["header"]["msg_type"]
        return asyncio.get_running_loop() if kind in kinds else None
    except (KeyError, TypeError, RuntimeError):
        return None
