"""The explorer's deal table: filters, order, rows to choose from, and why the chosen deal stands where it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from forecast import wording
from forecast.data.schema import HORIZONS
from forecast.reporting.charts.figure import Cards, Notes, Statement, render
from forecast.reporting.explorer.deals import SORTS, chosen, in_order

MOST = 200
"""Rows listed at most; filters bring the rest into view."""

AS_FORECAST, WON, LOST = "as forecast", "won", "lost"
_MARKS = {AS_FORECAST: " ", WON: "W", LOST: "L"}
_COLUMNS = (
    ("", 2),
    ("Deal", 13),
    ("Segment", 13),
    ("Stage", 15),
    ("Product", 11),
    ("Owner", 12),
    ("Close", 11),
    ("Amount", 9),
    ("Chance", 7),
)
_SPACE = "\N{NO-BREAK SPACE}"
_FIRST, _LAST = "largest or latest first", "smallest or earliest first"


class DealTable:
    """The widgets of the deals.

    currency : of the amounts. changed : called after a deal was set to won or lost or back.
    taken : deal -> won or lost; what is set by hand.
    """

    def __init__(self, *, currency: str, changed: Callable[[], None], taken: Mapping[str, str]) -> None:
        import ipywidgets as w

        self._currency, self._changed, self._held = currency, changed, False
        self.taken = dict(taken)
        self._frame, self._months = pd.DataFrame(), [""] * HORIZONS
        style = {"description_width": "initial"}
        self.search = w.Text(placeholder="any word: deal, stage, owner, factor", description="Find", style=style)
        self.stage = w.Dropdown(options=[("every stage", "")], description="Stage", style=style)
        self.owner = w.Dropdown(options=[("everybody", "")], description="Owner", style=style)
        by = [(label, name) for name, label in SORTS.items()]
        self.sort = w.Dropdown(options=by, description="Order", style=style)
        self.direction = w.Dropdown(options=[(_FIRST, True), (_LAST, False)])
        for box, width in (
            (self.search, "290px"),
            (self.stage, "200px"),
            (self.owner, "180px"),
            (self.sort, "200px"),
            (self.direction, "200px"),
        ):
            box.layout = w.Layout(width=width)
        self.count = w.HTML()
        self.head = w.HTML(_pre(_line([name for name, _ in _COLUMNS])))
        self.rows = w.Select(options=[], rows=12, layout=w.Layout(width="calc(100% - 6px)", min_width="690px"))
        self.rows.add_class("forecast-rows")
        self.outcome = w.ToggleButtons(
            options=[AS_FORECAST, WON, LOST],
            value=AS_FORECAST,
            disabled=True,
            style={"button_width": "100px"},
        )
        self.why = w.HTML()
        for box in (self.search, self.stage, self.owner, self.sort, self.direction):
            box.observe(self._filtered, names="value")
        self.rows.observe(self._picked, names="value")
        self.outcome.observe(self._set, names="value")

    @property
    def view(self) -> Any:
        """The table as one widget."""
        import ipywidgets as w

        boxes = [self.search, self.stage, self.owner, self.sort, self.direction]
        filters = w.HBox(boxes, layout=w.Layout(flex_flow="row wrap"))
        listed = w.VBox([self.head, self.rows], layout=w.Layout(overflow="auto"))
        take = w.HBox([w.Label("Take the chosen deal as"), self.outcome], layout=w.Layout(flex_flow="row wrap"))
        return w.VBox([filters, self.count, listed, take, self.why])

    @property
    def won(self) -> tuple[str, ...]:
        """The deals taken as won, sorted."""
        return tuple(sorted(deal for deal, how in self.taken.items() if how == WON))

    @property
    def lost(self) -> tuple[str, ...]:
        """The deals taken as lost, sorted."""
        return tuple(sorted(deal for deal, how in self.taken.items() if how == LOST))

    def show(self, frame: pd.DataFrame, *, months: Sequence[str]) -> None:
        """Show other deals, as `scenario_deals.open_deals` returns them; the filters stay where they still mean any.

        months : the six months ahead, as `2026-11`, by whose ends the chances p_win_1 ... p_win_6 are.
        """
        self._frame, self._months = frame, list(months)
        self._held = True
        try:
            for box, column, everything in (
                (self.stage, "stage", "every stage"),
                (self.owner, "owner", "everybody"),
            ):
                before = box.value
                values = sorted({str(value) for value in frame[column] if str(value)})
                box.options = [(everything, ""), *((wording.label(value), value) for value in values)]
                box.value = before if before in values else ""
                box.disabled = not values
        finally:
            self._held = False
        self._filtered()

    def listed(self) -> pd.DataFrame:
        """Return the deals that the filters leave, in the order asked for; all of them, however many are listed."""
        fitting = chosen(self._frame, stage=self.stage.value, owner=self.owner.value, text=self.search.value)
        return in_order(fitting, self.sort.value, descending=self.direction.value)

    def forget(self, deals: set[str] | None = None) -> None:
        """Put deals back to as forecast: those that are not in `deals`, or all."""
        self.taken = {deal: how for deal, how in self.taken.items() if deals is not None and deal in deals}
        self._filtered()

    # -- what the widgets call -------------------------------------------------------------------------

    def _filtered(self, _: Any = None) -> None:
        if self._held or (self._frame.empty and not len(self._frame.columns)):
            return
        frame = self.listed()
        self.count.value = render("note", self._counted(frame))
        before = self.rows.value
        top = frame.iloc[:MOST]
        options = [(self._row(row), row.opportunity_id) for row in top.itertuples()]
        self._held = True
        try:
            self.rows.options = options
            ids = [deal for _, deal in options]
            self.rows.value = before if before in ids else (ids[0] if ids else None)
        finally:
            self._held = False
        self._picked()

    def _counted(self, frame: pd.DataFrame) -> str:
        if frame.empty:
            return "No open deal fits."
        amount, expected = frame["amount"].sum(), frame["expected_amount"].sum(min_count=1)
        sentence = f"{wording.plural(len(frame), 'open deal')}, {wording.money(amount, currency=self._currency)}"
        if wording.known(float(expected)):
            wins = wording.number(float(frame["p_win"].sum()), digits=2)
            worth = wording.money(expected, currency=self._currency)
            sentence += f"; by the chances {wins} of them are won, worth {worth}"
        return sentence + (f". The first {MOST} are listed." if len(frame) > MOST else ".")

    def _row(self, row: Any) -> str:
        closes = "" if pd.isna(row.expected_close_on) else f"{row.expected_close_on:%Y-%m-%d}"
        chance = "" if pd.isna(row.p_win) else f"{100 * row.p_win:.0f} %"
        amount = wording.money(row.amount)
        mark = _MARKS[self.taken.get(row.opportunity_id, AS_FORECAST)]
        cells = [mark, row.opportunity_id, row.segment, row.stage, row.product, row.owner, closes, amount, chance]
        return _line(cells)

    def _picked(self, _: Any = None) -> None:
        if self._held:
            return
        deal = self.rows.value
        self._held = True
        try:
            self.outcome.disabled = deal is None
            self.outcome.value = self.taken.get(deal, AS_FORECAST)
        finally:
            self._held = False
        self.why.value = "" if deal is None else self.reasons(deal)

    def reasons(self, deal: str) -> str:
        """Return, as HTML, a deal's chances by month and what speaks for and against it."""
        row = self._frame[self._frame["opportunity_id"] == deal].iloc[0]
        if pd.isna(row["p_win"]):
            return Statement(f"{deal}: the chance to win is not known.", row["factors"], kind="abstain")._repr_html_()
        sentence = f"{wording.label(deal)} is won in the end with a chance of {wording.odds(float(row['p_win']))}."
        cards = [
            (f"by the end of {wording.short_month(month)}", wording.chance(float(row[f"p_win_{ahead}"])), "")
            for ahead, month in enumerate(self._months, start=1)
        ]
        reasons = [part for part in wording.factors(row["factors"]).split("; ") if part]
        parts = (
            Statement(sentence),
            Cards(cards),
            Notes(reasons, "What speaks for it (+) and against it (−), strongest first:"),
        )
        return "".join(part._repr_html_() for part in parts)

    def _set(self, _: Any) -> None:
        deal = self.rows.value
        if self._held or deal is None:
            return
        if self.outcome.value == AS_FORECAST:
            self.taken.pop(deal, None)
        else:
            self.taken[deal] = self.outcome.value
        self._filtered()
        self._changed()


def _line(cells: list[str]) -> str:
    """Return cells as one line of fixed columns; the last two set right."""
    parts = []
    for place, ((_, width), cell) in enumerate(zip(_COLUMNS, cells, strict=True)):
        text = wording.label(cell, most=width - 1) if cell else ""
        text = text.replace(wording.THIN, " ")
        parts.append(text.rjust(width) if place >= len(_COLUMNS) - 2 else text.ljust(width))
    return "".join(parts).replace(" ", _SPACE)


def _pre(line: str) -> str:
    return render("list_head", line)
