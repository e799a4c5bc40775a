"""The open deals of a day: filtered, sorted, added up by stage and month, and the explorer's table to choose from.

A product filter narrows the open pipeline and nothing else: what is booked is not split by it here, and deals not yet
created are forecast by segment alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.calendar import period_labels
from forecast.data.known.snapshot import Snapshot, past_due
from forecast.data.schema import HORIZONS, TOTAL
from forecast.errors import ParameterError
from forecast.reporting.charts.figure import Cards, Notes, Statement, render
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.names import is_cut, labels, widths
from forecast.reporting.explorer.scenario import Base, Levers, by_deal
from forecast.reporting.explorer.sentences import AS_FORECAST, LATER, LOST, OVERDUE, SORTS, UNDATED, WIDGETS, WON

SEARCHED = ("opportunity_id", "segment", "stage", "product", "owner", "account_id", "factors")


def open_deals(snap: Snapshot, deals: pd.DataFrame) -> pd.DataFrame:
    """Return the open deals of a snapshot with their chances: one row a deal, sorted by opportunity_id.

    deals : as `win_probabilities` returns them, of the same day. The columns are those of both; product and owner are
    empty text where the company records none.
    """
    known = snap.opportunities
    rows = known[known["outcome"] == "open"].drop(columns=["outcome", "closed_on"])
    if "p_win" in rows:
        rows = rows.drop(columns="p_win")
    found = deals.drop(columns="segment", errors="ignore")  # of every open deal it is in `rows`
    out = rows.merge(found, on="opportunity_id", how="left", validate="one_to_one", suffixes=("_recorded", ""))
    for name in ("product", "owner", "account_id"):
        out[name] = out[name].astype("str").fillna("") if name in out else pd.Series("", index=out.index, dtype="str")
    out["stage"] = out["stage"].astype("str").fillna("")
    out["factors"] = out["factors"].astype("str").fillna("")
    return out.sort_values("opportunity_id", ignore_index=True)


def chosen(
    frame: pd.DataFrame, *, segment: str = TOTAL, product: str = "", stage: str = "", owner: str = "", text: str = ""
) -> pd.DataFrame:
    """Return the deals that fit all of it; what is empty (for the segment: Total) does not narrow.

    text : words, each of which must occur in one of `SEARCHED`, in capitals or not; no character is special.
    """
    fits = np.ones(len(frame), dtype=bool)
    for column, value in (("segment", "" if segment == TOTAL else segment), ("product", product), ("stage", stage)):
        if value:
            fits &= (frame[column] == value).to_numpy(dtype=bool, na_value=False)
    if owner:
        fits &= (frame["owner"] == owner).to_numpy(dtype=bool, na_value=False)
    for word in text.casefold().split():
        found = np.zeros(len(frame), dtype=bool)
        for column in SEARCHED:
            lower = frame[column].astype("str").fillna("").map(str.casefold)
            found |= lower.str.contains(word, regex=False).to_numpy(dtype=bool, na_value=False)
        fits &= found
    return frame[fits].reset_index(drop=True)


def in_order(frame: pd.DataFrame, by: str, *, descending: bool = True) -> pd.DataFrame:
    """Return deals sorted by a column of `SORTS`, ties by opportunity_id, what is unknown last."""
    if by not in SORTS:
        raise ParameterError(f"deals cannot be sorted by {by!r}; known: {', '.join(SORTS)}")
    keys = [by] if by == "opportunity_id" else [by, "opportunity_id"]
    return frame.sort_values(keys, ascending=[not descending, True][: len(keys)], na_position="last", ignore_index=True)


def by_stage(frame: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """Return stage, deals, amount, expected_amount; stages in their order, those without a deal left out.

    An amount is missing where that of no deal is known.
    """
    by = frame.groupby("stage", sort=True)
    amounts = by[["amount", "expected_amount"]].sum(min_count=1)
    summed = by.size().to_frame("deals").join(amounts)
    place = dict(zip(stages["stage"], stages["position"], strict=True))
    order = sorted(summed.index, key=lambda name: (place.get(name, np.inf), name))
    return summed.loc[order].reset_index()


def by_month(frame: pd.DataFrame, snap: Snapshot, *, months: int) -> pd.DataFrame:
    """Return month, deals, amount, expected_amount by month of expected close.

    Rows: `overdue` (before as_of), each month from that of as_of (on its last day from the next, where nothing is due
    on that day) to `months` ahead, `later`, and `no date` where a deal has none. They add up to all deals;
    expected_amount is what they should bring in the end.
    """
    overdue = past_due(frame, as_of=snap.as_of).to_numpy()
    due_today = bool((frame["expected_close_on"] == snap.as_of).any())
    first = snap.period + (1 if snap.at_month_end and not due_today else 0)
    ahead = np.arange(first, snap.period + months + 1)
    labels = [OVERDUE, *period_labels(ahead), LATER, UNDATED]
    dated = frame["expected_close_on"].notna().to_numpy()
    place = np.full(len(frame), len(labels) - 1)
    day = frame.loc[dated, "expected_close_on"]
    month = np.clip(np.asarray(snap.calendar.period_of(day), dtype=np.int64) - first, 0, len(ahead)) + 1
    place[dated] = np.where(overdue[dated], 0, month)
    counts = {"deals": np.bincount(place, minlength=len(labels))}
    for name in ("amount", "expected_amount"):
        amount = frame[name].to_numpy(dtype=float)
        known = np.bincount(place, ~np.isnan(amount), minlength=len(labels)) > 0
        summed = np.bincount(place, np.nan_to_num(amount), minlength=len(labels))
        counts[name] = np.where(known | (counts["deals"] == 0), summed, np.nan)
    table = pd.DataFrame({"month": pd.Series(labels, dtype="str"), **counts})
    return table[(table["month"] != UNDATED) | (table["deals"] > 0)].reset_index(drop=True)


def share_of_open(given: Base, levers: Levers, ids: pd.Series) -> tuple[float, float]:
    """Return what some open deals are expected to bring over all months, in the base and with the levers moved.

    ids : opportunity_id of the deals. Raises ParameterError as `scenario` does.
    """
    before, after = by_deal(given, levers)
    inside = np.isin(given.parts.ids.astype(str), ids.to_numpy(dtype=str))
    return float(before[inside].sum()), float(after[inside].sum())


MOST = 200
"""Rows listed at most; filters bring the rest into view."""

_MARKS = {AS_FORECAST: " ", WON: "W", LOST: "L"}
_COLUMNS = ("", "opportunity_id", "segment", "stage", "product", "owner", "expected_close_on", "amount", "p_win")
_LEAST = (2, 9, 9, 9, 9, 9, 12, 9, 8)
_ROOM = 132
"""Characters of a line, if that is enough for the narrowest columns."""

_MONO = 7.55
"""Pixels of a character of the list."""

_SPACE = "\N{NO-BREAK SPACE}"


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
        self.search = w.Text(placeholder=WIDGETS["any word"], description=WIDGETS["find"], style=style)
        self.stage = w.Dropdown(options=[(sentences.ALL_STAGES, "")], description=WIDGETS["stage"], style=style)
        self.owner = w.Dropdown(options=[(sentences.ALL_OWNERS, "")], description=WIDGETS["owner"], style=style)
        by = [(label, name) for name, label in SORTS.items()]
        self.sort = w.Dropdown(options=by, description=WIDGETS["order"], style=style)
        self.direction = w.Dropdown(options=[(sentences.LARGEST_FIRST, True), (sentences.SMALLEST_FIRST, False)])
        self.search.layout = w.Layout(width="290px")
        self.count, self.head, self.why = w.HTML(), w.HTML(), w.HTML()
        self.rows = w.Select(options=[], rows=12)
        self.rows.add_class("forecast-rows")
        self.outcome = w.ToggleButtons(
            options=[AS_FORECAST, WON, LOST],
            value=AS_FORECAST,
            disabled=True,
            style={"button_width": "100px"},
        )
        wrap = w.Layout(flex_flow="row wrap")
        self._filters = w.HBox([self.search, self.stage, self.owner, self.sort, self.direction], layout=wrap)
        self._listed = w.VBox([self.head, self.rows], layout=w.Layout(overflow="auto"))
        self._listed.add_class("forecast-list")
        self._take = w.HBox([w.Label(WIDGETS["take"]), self.outcome], layout=wrap)
        self.view = w.VBox([self._filters, self.count, self._listed, self._take, self.why])
        self._make_lines(self._frame)
        for box in (self.search, self.stage, self.owner, self.sort, self.direction):
            box.observe(self._filtered, names="value")
        self.rows.observe(self._picked, names="value")
        self.outcome.observe(self._set, names="value")

    @property
    def follows(self) -> tuple[Any, ...]:
        """The widgets that show something of the deals."""
        return (self._filters, self.count, self._listed, self._take, self.why)

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
                (self.stage, "stage", sentences.ALL_STAGES),
                (self.owner, "owner", sentences.ALL_OWNERS),
            ):
                before = box.value
                values = sorted({str(value) for value in frame[column] if str(value)})
                shown = labels(values)
                box.options = [(everything, ""), *((shown[value], value) for value in values)]
                box.value = before if before in values else ""
                box.disabled = not values
        finally:
            self._held = False
        self._make_lines(frame)
        self._filtered()

    def listed(self) -> pd.DataFrame:
        """Return the deals that the filters leave, in the order asked for; all of them, however many are listed."""
        if self._frame.empty:
            return self._frame
        fitting = chosen(self._frame, stage=self.stage.value, owner=self.owner.value, text=self.search.value)
        return in_order(fitting, self.sort.value, descending=self.direction.value)

    def forget(self, deals: set[str] | None = None, *, list_anew: bool = True) -> None:
        """Put deals back to as forecast: those that are not in `deals`, or all.

        list_anew : not where other deals are shown soon in any case.
        """
        self.taken = {deal: how for deal, how in self.taken.items() if deals is not None and deal in deals}
        if list_anew:
            self._filtered()

    def take(self, won: Sequence[str], lost: Sequence[str]) -> None:
        """Take deals as won and as lost, and all others as forecast."""
        self.taken = {**dict.fromkeys(won, WON), **dict.fromkeys(lost, LOST)}
        self._filtered()

    def empty(self) -> None:
        """Show no deal at all."""
        self._frame, self.count.value = pd.DataFrame(), ""
        self._held = True
        try:
            self.rows.options, self.outcome.value, self.outcome.disabled = [], AS_FORECAST, True
        finally:
            self._held = False

    # -- what the widgets call -------------------------------------------------------------------------

    def _filtered(self, _: Any = None) -> None:
        if self._held or (self._frame.empty and not len(self._frame.columns)):
            return
        frame = self.listed()
        self.count.value = render("note", sentences.counted(frame, currency=self._currency, most=MOST))
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

    def _make_lines(self, frame: pd.DataFrame) -> None:
        """Give each column of the list the room that its longest name needs, and let no two names look the same."""
        names = {column: frame[column].astype(str) for column in _COLUMNS[1:6] if column in frame}
        wanted = [2 + max(values.str.len().max(), 0) if len(values) else 0 for values in names.values()] or [0] * 5
        heads = [len(head) + 2 for head in sentences.LIST_HEADS]
        asked = [2, *map(int, wanted), 12, 9, 8]
        least = [max(pair) for pair in zip(_LEAST, heads, strict=True)]
        self._widths = widths(zip(least, asked, strict=True), room=_ROOM)
        self._labels = {
            column: labels(values.unique(), most=width - 2)
            for (column, values), width in zip(names.items(), self._widths[1:6], strict=False)
        }
        self.head.value = render("list_head", self._line(sentences.LIST_HEADS))
        self.rows.layout.width = f"{round(_MONO * sum(self._widths)) + 30}px"

    def _row(self, row: Any) -> str:
        closes = "" if pd.isna(row.expected_close_on) else f"{row.expected_close_on:%Y-%m-%d}"
        chance = "" if pd.isna(row.p_win) else f"{100 * row.p_win:.0f} %"
        amount = wording.money(row.amount)
        mark = _MARKS[self.taken.get(row.opportunity_id, AS_FORECAST)]
        names = [self._labels[column].get(str(getattr(row, column)), "") for column in _COLUMNS[1:6]]
        return self._line([mark, *names, closes, amount, chance])

    def _line(self, cells: Sequence[str]) -> str:
        """Return cells as one line of fixed columns; the last two set right."""
        parts = []
        for place, (width, cell) in enumerate(zip(self._widths, cells, strict=True)):
            text = cell.replace(wording.THIN, " ")
            parts.append(text.rjust(width) if place >= len(self._widths) - 2 else text.ljust(width))
        return "".join(parts).replace(" ", _SPACE)

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
        self.rows.tooltip = None if deal is None else self._whole_names(deal)

    def _whole_names(self, deal: str) -> str | None:
        """Return the names of a deal of which the list shows but a part; None where there are none."""
        row = self._frame[self._frame["opportunity_id"] == deal].iloc[0]
        pairs = [(str(row[column]), shown) for column, shown in self._labels.items()]
        cut = [name for name, shown in pairs if name in shown and is_cut(name, shown[name])]
        return "; ".join(cut) or None

    def reasons(self, deal: str) -> str:
        """Return, as HTML, a deal's chances by month and what speaks for and against it."""
        row = self._frame[self._frame["opportunity_id"] == deal].iloc[0]
        if pd.isna(row["p_win"]):
            return Statement(sentences.no_chance(deal), row["factors"], kind="abstain")._repr_html_()
        cards = [
            (sentences.by_end_of(month), wording.chance(float(row[f"p_win_{ahead}"])), "")
            for ahead, month in enumerate(self._months, start=1)
        ]
        reasons = [part for part in wording.factors(row["factors"]).split("; ") if part]
        parts = (
            Statement(sentences.chance(deal, float(row["p_win"]))),
            Cards(cards),
            Notes(reasons, sentences.REASONS),
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
