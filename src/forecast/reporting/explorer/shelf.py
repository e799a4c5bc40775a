"""The explorer's saved scenarios: listed by name, loaded, deleted, and compared side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from forecast.errors import ForecastError
from forecast.reporting.charts.figure import render
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.scenario_file import delete_scenario, saved_scenarios
from forecast.reporting.explorer.sentences import WIDGETS

MOST = 5
"""Scenarios compared at once; with the base and what stands before a row, a table of seven columns."""


class Shelf:
    """The widgets of the scenarios in a folder.

    folder : where they are saved. load : sets the levers to one of them, and returns what is to be known of it, if
    anything; raises where the day does not know it.
    changed : called after others were chosen, or one is gone. then : makes a call once every choice has arrived.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        load: Callable[[str], str],
        changed: Callable[[], None],
        then: Callable[[Callable[[], None]], None],
    ) -> None:
        import ipywidgets as w

        self._folder, self._load, self._changed, self._held = folder, load, changed, False
        self._really = ""
        wide, auto = w.Layout(width="300px"), w.Layout(width="auto")
        self.names = w.SelectMultiple(
            options=[], rows=4, description=WIDGETS["saved"], style={"description_width": "initial"}, layout=wide
        )
        self.load = w.Button(description=WIDGETS["load"], icon="upload", disabled=True, layout=auto)
        self.delete = w.Button(description=WIDGETS["delete"], icon="trash", disabled=True, layout=auto)
        self.note, self.picture = w.HTML(), w.HTML()
        self.picture.add_class("forecast-picture")
        wrap = w.Layout(flex_flow="row wrap", align_items="flex-start")
        beside = w.VBox([w.HBox([self.load, self.delete]), self.note], layout=w.Layout(flex="1 1 240px"))
        self.view = w.VBox([w.HBox([self.names, beside], layout=wrap), self.picture])
        self.list_anew()
        self.names.observe(self._chosen, names="value")
        self.load.on_click(lambda _: then(self._on_load))
        self.delete.on_click(lambda _: then(self._on_delete))

    def list_anew(self) -> None:
        """List what lies in the folder now; what was chosen stays chosen."""
        try:
            found = saved_scenarios(self._folder)
        except ForecastError as error:
            found = []
            self.note.value = render("note", error)
        else:
            words = sentences.CHOOSE.format(MOST) if found else sentences.NONE_SAVED
            self.note.value = render("note", words)
        self._held = True
        try:
            chosen = self.names.value
            self.names.options = found
            self.names.value = tuple(name for name in chosen if name in found)
        finally:
            self._held = False
        self._buttons()

    def compared(self) -> list[str]:
        """Return the names to be compared: those chosen, or the first where none is."""
        return list(self.names.value or self.names.options)[:MOST]

    def _buttons(self) -> None:
        """Offer to load or delete what is chosen, where it is one; a question asked before is taken back."""
        self._really = ""
        self.delete.description, self.delete.button_style = WIDGETS["delete"], ""
        self.load.disabled = self.delete.disabled = len(self.names.value) != 1

    def _chosen(self, _: Any) -> None:
        if not self._held:
            self._buttons()
            self._changed()

    def _on_load(self) -> None:
        if len(self.names.value) != 1:
            return
        (name,) = self.names.value
        try:
            remark = self._load(name)
        except ForecastError as error:
            self.note.value = render("note", sentences.not_worked_out(error), sentences.NOT_LOADED)
        else:
            self.note.value = render("note", f"{sentences.LOADED} {remark}".strip(), name)

    def _on_delete(self) -> None:
        """Ask first, delete when the same button is pressed again."""
        if len(self.names.value) != 1:
            return
        (name,) = self.names.value
        if self._really != name:
            self._really, self.delete.button_style = name, "danger"
            self.delete.description = WIDGETS["really"].format(name)
            return
        try:
            delete_scenario(name, folder=self._folder)
        except ForecastError as error:
            self._buttons()
            self.note.value = render("note", sentences.not_worked_out(error))
            return
        self.list_anew()
        self.note.value = render("note", sentences.DELETED, name)
        self._changed()
