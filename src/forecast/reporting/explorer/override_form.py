"""The form in which a number is changed: the base before it, what past changes brought, and a reason that is required.

Simple case: choose a segment and a month, see the model's forecast, type another amount and why, press the button, and
a row stands in the file. Nothing else is changed: the company's tables stay as they are until the row is put there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Log
from forecast.data.submissions import TABLE, name_key, submitters
from forecast.errors import DataError, ForecastError, ParameterError
from forecast.evaluation.people.overrides import MODEL
from forecast.evaluation.people.value import CLOSER, FURTHER, TOO_FEW, value_of
from forecast.reporting.charts.figure import Statement, render
from forecast.reporting.explorer.override_file import write_override
from forecast.reporting.explorer.scenario import Base, Levers, scenario
from forecast.reporting.pages.words import PAST_CHANGES

_NAMES = (("target_period", "str"), ("segment", "str"))


def bases_of(make: Callable[[], Base]) -> pd.DataFrame:
    """Return the forecast of each month and segment of what the explorer has taken apart: target_period, segment, mean.

    make : makes it, or has it already. Without a row where the data are too thin for a forecast.
    """
    try:
        table = scenario(make(), Levers()).table
    except DataError:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in (*_NAMES, ("mean", "float64"))})
    return table.rename(columns={"period": "target_period", "base": "mean"})[["target_period", "segment", "mean"]]


class OverrideForm:
    """The form and the state behind it.

    Parameters
    ----------
    log : the company's tables. as_of : the day the row is submitted on.
    bookings : the forecast table of that day; its means are the bases.
    file : the CSV file to which rows are added. past : makes the frame of `overrides` as known on the day, when
        somebody is named first. segment : chosen at first.

    Raises
    ------
    ParameterError : segment is none of those that are forecast. Where none is, the form says that instead.

    Example: `OverrideForm(log, as_of=day, bookings=table, file="new.csv", past=partial(forecast.overrides, log))`.
    """

    def __init__(
        self,
        log: Log,
        *,
        as_of: str | pd.Timestamp,
        bookings: pd.DataFrame,
        file: str | os.PathLike[str],
        past: Callable[[], pd.DataFrame],
        segment: str = "",
    ) -> None:
        self.log, self.file, self._past = log, file, past
        self.day = str(log.company.periods.parse_day(as_of).date())
        rows = bookings[(bookings["segment"] != TOTAL) & ~is_quarter(bookings["target_period"])]
        rows = rows[rows["mean"].notna()]
        self._base = {(row["segment"], row["target_period"]): float(row["mean"]) for row in rows.to_dict("records")}
        names = sorted({name for name, _ in self._base})
        if names and segment not in ("", TOTAL, *names):
            raise ParameterError(f"segment: there is no forecast of {segment!r}")
        self._history: pd.DataFrame | None = None
        if not names:  # too thin for a forecast: there is nothing to change, and `view` says so
            return
        self._controls(names, start=segment if segment in names else names[0])
        self._shown()
        for box in (self.segment, self.month):
            box.observe(self._shown, names="value")
        for box in (self.who, self.amount):
            box.observe(self._told, names="value")
        self.save.on_click(self._save)

    def _controls(self, names: list[str], *, start: str) -> None:
        import ipywidgets as w

        def looks(name: str, width: str = "230px") -> dict[str, Any]:
            style = {"description_width": "initial"}
            return {"description": WIDGETS[name], "style": style, "layout": w.Layout(width=width, max_width="100%")}

        offered = [(wording.label(name), name) for name in names]
        self.segment = w.Dropdown(options=offered, value=start, **looks("segment"))
        self.month = w.Dropdown(options=sorted({month for _, month in self._base}), **looks("month"))
        people = submitters(self.log.get(TABLE))
        self.who = w.Combobox(options=people, ensure_option=False, **looks("who"))
        self.amount = w.FloatText(**looks("amount"))
        self.reason = w.Textarea(placeholder=WIDGETS["why"], **looks("reason", "520px"))
        self.replace = w.Checkbox(value=False, description=WIDGETS["replace"], indent=False)
        self.save = w.Button(description=WIDGETS["save"], icon="save", layout=w.Layout(width="auto"))
        self.base_note, self.past_note, self.saved = w.HTML(), w.HTML(), w.HTML()

    @property
    def base(self) -> float:
        """The model's forecast of the month and segment chosen, to the cent; NaN where there is none."""
        return round(self._base.get((self.segment.value, self.month.value), float("nan")), 2)

    @property
    def view(self) -> Any:
        """The whole form as one widget."""
        import ipywidgets as w

        if not self._base:
            return w.HTML(self._repr_html_())
        wrap = w.Layout(flex_flow="row wrap")
        what = w.HBox([self.segment, self.month, self.who, self.amount], layout=wrap)
        button = w.HBox([self.save, self.replace], layout=wrap)
        whole = w.VBox([what, self.base_note, self.past_note, self.reason, button, self.saved])
        whole.add_class("forecast-override")
        return whole

    def past(self) -> str:
        """Return what past changes of this direction by this person brought, or why that cannot be told."""
        who, change = self.who.value.strip(), self.amount.value - self.base
        if not who or not change:
            return ""
        if name_key(who) not in map(name_key, submitters(self.log.get(TABLE))):
            return past_sentence(None, who=who, way="up" if change > 0 else "down")
        if self._history is None:
            self._history = self._past()
        frame = self._history
        mine = frame[frame["submitter"].map(name_key) == name_key(who)]
        way = "up" if change > 0 else "down"
        rows = value_of(mine, by=["direction"])
        rows = rows[rows["direction"] == way]
        own = bool((mine["against"] != MODEL).any())
        return past_sentence(sources.records(rows)[0] if len(rows) else None, who=who, way=way, own=own)

    # -- what the widgets call -------------------------------------------------------------------------

    def _shown(self, _: Any = None) -> None:
        """Show the base, and begin with it as the amount."""
        base, currency = self.base, self.log.company.currency
        amount = wording.in_currency(currency)(base)
        self.base_note.value = render("note", base_sentence(amount, self.segment.value, self.month.value, day=self.day))
        self.amount.value = base
        self._told()

    def _told(self, _: Any = None) -> None:
        try:
            said = self.past()
        except ForecastError as error:
            said = str(error)
        self.past_note.value = render("note", said) if said else ""
        self.saved.value = ""

    def _save(self, _: Any = None) -> None:
        try:
            row = write_override(
                self.log,
                self.file,
                submitted_on=self.day,
                target_period=self.month.value,
                segment=self.segment.value,
                submitter=self.who.value,
                amount=float(self.amount.value),
                base=self.base,
                reason=self.reason.value,
                replace=self.replace.value,
            )
        except ForecastError as error:
            self.saved.value = Statement(str(error), kind="note")._repr_html_()
            return
        amount = wording.in_currency(self.log.company.currency)(float(row["amount"].item()))
        told = saved_sentence(Path(self.file).name, self.segment.value, self.month.value, amount)
        self.saved.value = render("note", told)
        self.reason.value = ""

    def _repr_html_(self) -> str:
        return Statement(WITHOUT_BROWSER if self._base else NOTHING, kind="note")._repr_html_()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        return {**dict(self.view._repr_mimebundle_()), "text/html": self._repr_html_()}


# -- sentences ------------------------------------------------------------------------------------------

WIDGETS: Mapping[str, str] = {
    "segment": "Segment",
    "month": "Month",
    "who": "Who changes it",
    "amount": "Amount",
    "reason": "Reason",
    "why": "Why it is not the base: what do you know that the model does not?",
    "replace": "replace my row of this day",
    "save": "Write the override",
}
WITHOUT_BROWSER = "The form lives in JupyterLab. A script writes the same row with forecast.write_override."
NOTHING = "The data are too thin for a forecast, so there is no number to change."
WAYS = {"up": "upward", "down": "downward"}


def base_sentence(amount: str, segment: str, month: str, *, day: str) -> str:
    """Return what the model expects as of a day, which is the base of a change."""
    return f"As of {day} the model expects {amount} of {wording.label(segment)} in {month}: the base of your change."


def saved_sentence(file: str, segment: str, month: str, amount: str) -> str:
    """Return that a row was written, and where."""
    return f"Written to {wording.label(file)}: {wording.label(segment)}, {month}, {amount}."


OWN_BASES = (
    "They began with other numbers than the model's, and a base that misses by much flatters any change. Page 04 and "
    "forecast.value_of_judgement(log, against='pipeline') hold people against the model."
)


def past_sentence(row: Mapping[str, Any] | None, *, who: str, way: str, own: bool = False) -> str:
    """Return what somebody's past changes of a direction brought, as loudly as their test allows.

    row : of `value_of` by direction, of this person alone; None where there are none. own : whether some of them were
    of a base of their own and not of the model's forecast: a poor base makes any change look good, so that is said.
    """
    name = wording.label(who)
    if row is None:
        return f"No {WAYS[way]} change by {name} has settled yet, so there is nothing to learn from."
    changes = f"{wording.plural(int(row['n']), f'{WAYS[way]} change')} by {name}"
    months = wording.plural(int(row["months"]), "month")
    if row["verdict"] == TOO_FEW:
        return f"Too few months to tell what {changes} brought ({months}; 8 are needed)."
    said = {CLOSER: PAST_CHANGES.above, FURTHER: PAST_CHANGES.below}.get(row["verdict"], PAST_CHANGES.unclear)
    misses = f"missed by {wording.percent(row['wape'])}, what they had changed by {wording.percent(row['wape_before'])}"
    return f"{changes} in {months} {misses}: {said}." + (f" {OWN_BASES}" if own else "")
