"""The explorer of 00_explore: pick a day, a segment and a product, move levers, see the forecast answer.

ipywidgets around `scenario` and its neighbours; no server of its own. What a page shows of it without a browser -
`answer`, `pipeline`, `deal_list` - are the same figures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import period_labels
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import HORIZONS, TOTAL, Log
from forecast.errors import DataError, ForecastError
from forecast.reporting.charts.figure import Chart, Notes, Statement, TableView, render
from forecast.reporting.explorer import charts as explorer_charts
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.charts import IN_LAB, ON_PAGE
from forecast.reporting.explorer.compare import compare, read_or_why
from forecast.reporting.explorer.days import Day, Days, days_back
from forecast.reporting.explorer.deal_table import (
    SEARCHED,
    DealTable,
    by_month,
    by_stage,
    chosen,
    in_order,
    share_of_open,
)
from forecast.reporting.explorer.levers import JointPlanning, LeverPanel
from forecast.reporting.explorer.names import is_cut, labels
from forecast.reporting.explorer.scenario import Base, Levers, check_deals, check_ranges
from forecast.reporting.explorer.scenario_file import (
    check_choice,
    check_scenario,
    levers_of,
    read_scenario,
    write_scenario,
)
from forecast.reporting.explorer.sentences import LOST, WIDGETS, WON
from forecast.reporting.explorer.shelf import Shelf
from forecast.reporting.explorer.work import Pane, Work

_SCENARIOS = len(sentences.TABS) - 1
"""The place of the tab of scenarios."""

_LOOKS = Path(__file__).parents[1] / "templates" / "explorer.css"


class Explorer:
    """The widgets and the state behind them: one log, the day looked at, its forecast taken apart.

    Parameters
    ----------
    log : the company's tables.
    as_of, segment, product : what is shown at first; product empty for all.
    months : months ahead, 1 to 24. seed : of the draws. levers : where they stand at first.
    deals : the win probabilities of `as_of`, where they are there already. planning : the row of the table `planning`
        of `as_of`, likewise; make_planning : makes it where it is not, when asked by a button. alarms : the table of
        `as_of`, where it is there: an alarm on the company's forecast is said beside the answer.
    scenarios : folder in which scenarios are saved.

    Raises
    ------
    ParameterError : a segment, product or open deal that the day does not know, or a lever out of its range.
    """

    def __init__(
        self,
        log: Log,
        *,
        as_of: str,
        segment: str = TOTAL,
        product: str = "",
        months: int = 6,
        seed: int = 0,
        levers: Levers | None = None,
        deals: pd.DataFrame | None = None,
        planning: pd.DataFrame | None = None,
        make_planning: Callable[[], pd.DataFrame] | None = None,
        alarms: pd.DataFrame | None = None,
        scenarios: str | os.PathLike[str] = "scenarios",
    ) -> None:
        self.log, self.months, self.scenarios = log, months, scenarios
        self._first = str(log.company.periods.parse_day(as_of).date())
        self._make_planning, self._alarms = make_planning, alarms

        def day(name: str) -> Day:
            given = {"deals": deals, "planning": planning} if name == self._first else {}
            return Day(log, name, months=months, seed=seed, **given)

        self._days = Days(day)
        start = levers or Levers()
        first = self._days[self._first]
        check_choice(segment, product, segments=first.snap.segments, products=first.products)
        check_ranges(start)
        check_deals(start, first.open_ids)
        self._make_widgets(start)
        self._offer(first)
        self.segment.value, self.product.value = segment, product
        self._prepared, self._held = "", False
        self._watch()
        self._note_choice()
        self._work.ask(*self._panes, first=True)

    def _make_widgets(self, start: Levers) -> None:
        import ipywidgets as w

        style = {"description_width": "initial"}
        back = days_back(self.log, self._first)
        self.day = w.Dropdown(options=back, value=self._first, description=WIDGETS["as_of"], style=style)
        self.segment = w.Dropdown(options=[TOTAL], value=TOTAL, description=WIDGETS["segment"], style=style)
        everything = [(sentences.ALL_PRODUCTS, "")]
        self.product = w.Dropdown(options=everything, value="", description=WIDGETS["product"], style=style)
        self.product_note, self.picture, self.pipe = w.HTML(), w.HTML(), w.HTML()
        taken = {**dict.fromkeys(start.won, WON), **dict.fromkeys(start.lost, LOST)}
        self.panel = LeverPanel(start, changed=self._moved, work_out=self._work_out)
        self.table = DealTable(currency=self.log.company.currency, changed=self._moved, taken=taken)
        words = {"placeholder": WIDGETS["a name"], "description": WIDGETS["name"]}
        self.name = w.Text(value="what-if", style=style, layout=w.Layout(width="220px"), **words)
        self.save = w.Button(description=WIDGETS["save"], icon="save", layout=w.Layout(width="auto"))
        self.saved = w.HTML()
        self.shelf = Shelf(
            self.scenarios,
            load=self.load,
            changed=lambda: self._work.ask(self._panes[_SCENARIOS]),
            then=lambda call: self._work.then(call),
        )
        self._set_out()

    def _set_out(self) -> None:
        """Put the widgets together: what is looked at above, four tabs below."""
        import ipywidgets as w
        from markupsafe import Markup

        wrap = w.Layout(flex_flow="row wrap")
        looked_at = w.HBox([self.day, self.segment, self.product], layout=wrap)
        save = w.VBox([w.HBox([self.name, self.save], layout=wrap), self.saved])
        left = w.VBox([self.panel.view, save], layout=w.Layout(flex="0 1 385px"))
        right = w.VBox([self.picture], layout=w.Layout(flex="1 1 420px", min_width="320px"))
        what_if = w.HBox([left, right], layout=w.Layout(flex_flow="row wrap", align_items="flex-start"))
        self.tabs = w.Tab(
            [what_if, self.pipe, self.table.view, self.shelf.view], titles=sentences.TABS, selected_index=0
        )
        looks = w.HTML(render("style", Markup(_LOOKS.read_text("utf-8"))))  # the library's own, not text
        self.view = w.VBox([looks, looked_at, self.product_note, self.tabs])
        self.view.add_class("forecast-explorer")
        for picture in (self.picture, self.pipe):
            picture.add_class("forecast-picture")

    def _watch(self) -> None:
        """Let each tab follow the controls it shows something of."""
        shows = self._in_place_of
        what_if = Pane(self.picture, self.panel.joint_note, make=self._what_if, failed=shows(self.picture))
        pipeline = Pane(self.pipe, make=self._pipeline, failed=shows(self.pipe))
        deals = Pane(*self.table.follows, make=self._deals, failed=shows(self.table.why, self.table.empty))
        compared = Pane(self.shelf.picture, make=self._compare, failed=shows(self.shelf.picture))
        self._panes = (what_if, pipeline, deals, compared)
        self._work = Work(lambda: self._panes[self.tabs.selected_index or 0])
        self.day.observe(self._another_day, names="value")
        self.segment.observe(self._narrowed, names="value")
        self.product.observe(self._narrowed, names="value")
        self.tabs.observe(self._looked_at, names="selected_index")
        self.panel.reset.on_click(self._back)
        self.save.on_click(lambda _: self._work.then(self._save))

    @property
    def levers(self) -> dict[str, Any]:
        """The sliders by the name of their lever."""
        return self.panel.sliders

    def moved(self) -> Levers:
        """Return the levers as the widgets stand."""
        return self.panel.levers(won=self.table.won, lost=self.table.lost)

    # -- what is known of the day shown ----------------------------------------------------------------

    @property
    def known(self) -> Day:
        """What is known of the day shown."""
        return self._days[self.day.value]

    def snapshot(self) -> Snapshot:
        """Return what was known on the day shown."""
        return self.known.snap

    def base(self) -> Base:
        """Return the forecast of the day shown, taken apart; computed once a day.

        Raises DataError where the data are too thin, saying what is needed.
        """
        return self.known.base

    def deals(self) -> pd.DataFrame:
        """Return the open deals of the day, segment and product shown, with their chances."""
        return chosen(self.known.deals, segment=self.segment.value, product=self.product.value)

    def joint_planning(self) -> JointPlanning:
        """Return the lever of joint planning as it stands on the day shown."""
        return self.known.joint_planning()

    # -- what is shown ---------------------------------------------------------------------------------

    def answer(self, levers: Levers, *, widths: Sequence[int] = ON_PAGE) -> list[Chart | Statement]:
        """Return what levers do to the day and segment shown: finding, charts and notes, or why there is no answer.

        widths : of the charts' drawings, as `chart` takes them.
        """
        company, day, segment = self.log.company, self.day.value, self.segment.value
        try:
            given = self.base()
        except DataError as error:
            return [Statement(sentences.TOO_THIN, wording.sentence(error.problem.mend), kind="abstain")]
        joint, result = self.joint_planning(), self.known.scenario(levers)
        moved = result.table[result.table["segment"] == segment]
        change = sentences.finding(sources.named(moved, "what_if"), segment=segment, company=company)
        changes = result.shares_of(segment)
        change = sentences.supposed(change, explorer_charts.lever_rows(changes, levers))
        looks = {"company": company, "as_of": day, "segment": segment, "widths": widths}
        shown: list[Chart | Statement] = [
            Statement(f"{change}.", self._caveat()),
            explorer_charts.what_if(result.table, events=self.known.events, **looks),
        ]
        if levers != Levers(joint_planning=levers.joint_planning):
            shown.append(explorer_charts.shares(changes, levers, **looks))
        if levers.joint_planning:
            shown.append(Statement(sentences.STARTS[joint.offered], joint.sentence, kind="note"))
        if self.product.value:
            shown.append(self._product_note(given, levers))
        return shown

    def pipeline(self, *, widths: Sequence[int] = ON_PAGE) -> list[Chart | Statement | TableView]:
        """Return the open pipeline of what is chosen: by month of expected close, and by stage.

        widths : of the chart's drawings, as `chart` takes them.
        """
        deals, company = self.deals(), self.log.company
        if deals.empty:
            return [Statement(f"{sentences.NO_DEAL}.", kind="note")]
        months = by_month(deals, self.snapshot(), months=self.months)
        money = wording.in_currency(company.currency)
        return [
            explorer_charts.pipeline(
                months,
                company=company,
                as_of=self.day.value,
                whose=self._whose(),
                segment=self.segment.value,
                events=self.known.events,
                widths=widths,
            ),
            TableView(
                sources.named(by_stage(deals, self.snapshot().stages), "pipeline_by_stage"),
                sentences.STAGES_CAPTION,
                columns=sentences.STAGES_HEADS,
                formats={"amount": money, "expected_amount": money},
                right=("amount", "expected_amount"),
            ),
        ]

    def deal_list(self, *, most: int = 15) -> TableView:
        """Return the largest open deals of what is chosen, with their chances and what drives them."""
        rows = sources.named(in_order(self.deals(), "amount").iloc[:most], "largest_deals", texts=SEARCHED)
        without = () if (rows["product"] != "").any() else ("product",)
        return TableView(
            rows,
            sentences.deals_caption(rows, self._whose()),
            columns={name: head for name, head in sentences.DEALS_HEADS.items() if name not in without},
            formats={
                "amount": wording.in_currency(self.log.company.currency),
                "p_win": wording.chance,
                "factors": wording.factors,
            },
            right=("amount", "p_win"),
        )

    def compared(
        self, names: Sequence[str] | None = None, *, widths: Sequence[int] = ON_PAGE
    ) -> list[Chart | Statement | TableView | Notes]:
        """Return saved scenarios side by side with the base and the levers as they stand, on the day and segment shown.

        names : of the scenarios; those chosen in the tab by default, the first where none is. widths : of the chart's
        drawings, as `chart` takes them.
        """
        try:
            offered = self.joint_planning().offered
        except DataError as error:
            return [Statement(sentences.TOO_THIN, wording.sentence(error.problem.mend), kind="abstain")]
        found = self.shelf.compared() if names is None else list(names)
        scenarios: dict[str, Levers | str] = {name: read_or_why(self._file(name)) for name in found}
        now = self.moved()
        if now not in (Levers(), *scenarios.values()):
            scenarios[sentences.AS_MOVED] = now
        if not scenarios:
            return [Statement(sentences.NONE_SAVED, kind="note")]
        given = compare(scenarios, self.known.scenario, segment=self.segment.value, joint_offered=offered)
        return explorer_charts.side_by_side(given, company=self.log.company, as_of=self.day.value, widths=widths)

    # -- how -------------------------------------------------------------------------------------------

    def _offer(self, day: Day) -> None:
        """Offer the segments and products of a day; what was chosen stays where it is still known."""
        for box, everything, names in (
            (self.segment, (TOTAL, TOTAL), day.snap.segments),
            (self.product, (sentences.ALL_PRODUCTS, ""), day.products),
        ):
            before, shown = box.value, labels(names)
            box.options = [everything, *((shown[name], name) for name in names)]
            box.value = before if before in names else everything[1]
        self._release()

    def _whose(self) -> str:
        return sentences.whose_deals(self.segment.value, self.product.value)

    def _caveat(self) -> str:
        """Return what qualifies an answer: an alarm on the forecast that is moved, and that levers are only assumed."""
        return sentences.caveat(self._alarms if self.day.value == self._first else None)

    def _product_note(self, given: Base, levers: Levers) -> Statement:
        before, after = share_of_open(given, levers, self.deals()["opportunity_id"])
        sentence = sentences.product_sentence(
            self.product.value,
            segment=self.segment.value,
            before=before,
            after=after,
            months=self.months,
            currency=self.log.company.currency,
        )
        return Statement(sentence, sentences.NOT_NARROWED, kind="note")

    def _prepare(self) -> None:
        """Let the controls be those of the day shown, once it is worked out."""
        day = self.known
        if self._prepared == day.day:
            return
        with self._quiet():
            self._offer(day)
        self._note_choice()
        thin = day.is_thin
        joint = JointPlanning(offered=False, sentence="") if thin else day.joint_planning()
        ask = day.planning is None and self._make_planning is not None and day.day == self._first
        marketing = not thin and day.base.has_marketing
        self.panel.offer(thin=thin, has_marketing=marketing, joint=joint, ask=ask and not thin)
        self.table.forget(set() if thin else day.open_ids, list_anew=False)
        self.panel.name_deals(self.table.won, self.table.lost)
        self._prepared = day.day

    # -- the tabs: each works out what it shows, and returns what shows it ---------------------------------

    def _what_if(self) -> Callable[[], None]:
        self._prepare()
        shown = self.answer(self.moved(), widths=IN_LAB)
        alone = len(shown) == 1  # why there is no answer; else the chart's title is the finding
        html = _html(shown) if alone else _html(shown[1:]) + render("note", self._caveat())
        return lambda: setattr(self.picture, "value", html)

    def _pipeline(self) -> Callable[[], None]:
        self._prepare()
        html = _html(self.pipeline(widths=IN_LAB))
        return lambda: setattr(self.pipe, "value", html)

    def _deals(self) -> Callable[[], None]:
        self._prepare()
        deals = self.deals()
        ahead = period_labels(self.snapshot().period + np.arange(1, HORIZONS + 1))
        return lambda: self.table.show(deals, months=ahead)

    def _compare(self) -> Callable[[], None]:
        self._prepare()
        html = _html(self.compared(widths=IN_LAB))
        return lambda: setattr(self.shelf.picture, "value", html)

    def _in_place_of(self, picture: Any, *others: Callable[[], None]) -> Callable[[BaseException], None]:
        """Return what shows why there is no picture, in its place."""

        def show(error: BaseException) -> None:
            for other in others:
                other()
            picture.value = Statement(sentences.not_worked_out(error), kind="abstain")._repr_html_()
            self._release()

        return show

    # -- what the widgets call -------------------------------------------------------------------------

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Set controls without an answer to each."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def _another_day(self, _: Any = None) -> None:
        self.segment.disabled = self.product.disabled = True  # what there is to choose is of the day before
        self._moved(everything=True)

    def _narrowed(self, _: Any = None) -> None:
        if not self._held:
            self._note_choice()
            self._moved(everything=True)

    def _note_choice(self) -> None:
        for box in (self.segment, self.product):
            box.tooltip = box.value if box.value and is_cut(box.value, box.label) else None
        self.product_note.value = render("note", sentences.PRODUCT_NOTE) if self.product.value else ""

    def _moved(self, *, everything: bool = False) -> None:
        """Answer a move: of a lever or a deal, or of what everything follows."""
        self.saved.value = ""  # what was saved is not what the levers say now
        self.panel.name_deals(self.table.won, self.table.lost)
        self._work.ask(*(self._panes if everything else (self._panes[0], self._panes[_SCENARIOS])))

    def _looked_at(self, _: Any = None) -> None:
        if self.tabs.selected_index == _SCENARIOS:  # files may have come and gone
            self.shelf.list_anew()
            self._work.ask(self._panes[_SCENARIOS])
        else:
            self._work.ask()

    def _release(self) -> None:
        self.segment.disabled, self.product.disabled = False, len(self.product.options) < 2

    def _back(self, _: Any = None) -> None:
        self.panel.back()
        self.table.forget()
        self._moved()

    def _work_out(self) -> None:
        assert self._make_planning is not None
        self.panel.work_out.disabled, self.panel.work_out.description = True, WIDGETS["working"]
        try:
            self._days[self._first].planning = self._make_planning()
        except ForecastError as error:
            self.panel.joint_note.value = render("note", sentences.not_worked_out(error))
            return
        finally:
            self.panel.work_out.disabled, self.panel.work_out.description = False, WIDGETS["work out"]
        self._prepared = ""
        self._moved()

    def _save(self) -> None:
        try:
            file = write_scenario(
                self.moved(),
                name=self.name.value.strip(),
                folder=self.scenarios,
                segment=self.segment.value,
                product=self.product.value,
            )
        except ForecastError as error:
            self.saved.value = render("note", error, sentences.NOT_SAVED)
            return
        self.saved.value = render("saved", sentences.command(self.day.value, file.resolve()))
        self.shelf.list_anew()
        self._panes[_SCENARIOS].turn_grey()

    def load(self, name: str) -> str:
        """Set the levers, deals, segment and product to those of a saved scenario; return what is not moved, if any.

        Raises ParameterError, and moves nothing, where it cannot be read or the day does not know what it names.
        """
        values = read_scenario(self._file(name))
        self._prepare()
        day, levers = self.known, levers_of(values)
        check_scenario(values, segments=day.snap.segments, products=day.products, open_deals=day.open_ids)
        with self._quiet():
            self.segment.value, self.product.value = values.get("segment", TOTAL), values.get("product", "")
        self.panel.put(levers)
        self.table.take(levers.won, levers.lost)
        self.name.value = name
        self._note_choice()
        self._moved(everything=True)
        unmoved = levers.joint_planning and not self.panel.joint.value
        return wording.sentence(sentences.WITHOUT_JOINT) if unmoved else ""

    def _file(self, name: str) -> Path:
        return Path(self.scenarios) / f"{name}.json"


def _html(parts: Iterable[Chart | Statement | TableView | Notes]) -> str:
    return "".join(part._repr_html_() for part in parts)
