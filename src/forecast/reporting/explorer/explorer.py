"""The explorer of 00_explore: pick a day, a segment and a product, move levers, see the forecast answer.

ipywidgets around `scenario` and its neighbours; no server of its own. What a page shows of it without a browser -
`answer`, `pipeline`, `deal_list` - are the same figures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import period_labels
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import HORIZONS, TOTAL, Log
from forecast.errors import DataError, ForecastError, ParameterError, nearest
from forecast.models.pipeline.deals import win_probabilities
from forecast.reporting.charts.figure import Chart, Statement, TableView, render
from forecast.reporting.charts.flags import dated
from forecast.reporting.explorer import charts as explorer_charts
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.deal_table import (
    SEARCHED,
    DealTable,
    by_month,
    by_stage,
    chosen,
    in_order,
    open_deals,
    share_of_open,
)
from forecast.reporting.explorer.levers import JointPlanning, LeverPanel, joint_planning
from forecast.reporting.explorer.scenario import Base, Levers, base, check_levers, scenario
from forecast.reporting.explorer.scenario_file import write_scenario
from forecast.reporting.explorer.sentences import LOST, WIDGETS, WON

_DAYS_BACK = 24
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
        import ipywidgets as w

        self.log, self.months, self.seed, self.scenarios = log, months, seed, scenarios
        self._first = str(log.company.periods.parse_day(as_of).date())
        self._planning, self._make_planning = planning, make_planning
        self._bases: dict[str, Base] = {}
        self._snaps: dict[str, Snapshot] = {}
        self._deals: dict[str, pd.DataFrame] = {}
        self._given, self._alarms = deals, alarms
        start = levers or Levers()
        style = {"description_width": "initial"}
        self.day = w.Dropdown(options=self._days(), value=self._first, description=WIDGETS["as_of"], style=style)
        self.segment = w.Dropdown(options=[TOTAL], value=TOTAL, description=WIDGETS["segment"], style=style)
        self.product = w.Dropdown(
            options=[(sentences.ALL_PRODUCTS, "")], value="", description=WIDGETS["product"], style=style
        )
        self.product_note, self.picture, self.pipe = w.HTML(), w.HTML(), w.HTML()
        taken = {**dict.fromkeys(start.won, WON), **dict.fromkeys(start.lost, LOST)}
        self.panel = LeverPanel(start, changed=self._answer, work_out=self._work_out)
        self.table = DealTable(currency=log.company.currency, changed=self._answer, taken=taken)
        words = {"placeholder": WIDGETS["a name"], "description": WIDGETS["name"]}
        self.name = w.Text(value="what-if", style=style, layout=w.Layout(width="220px"), **words)
        self.save = w.Button(description=WIDGETS["save"], icon="save", layout=w.Layout(width="auto"))
        self.saved = w.HTML()
        self._held = False
        self._start(segment, product, start)
        self._whole_day()
        self.day.observe(self._whole_day, names="value")
        self.segment.observe(self._narrowed, names="value")
        self.product.observe(self._narrowed, names="value")
        self.panel.reset.on_click(self._back)
        self.save.on_click(self._save)

    @property
    def levers(self) -> dict[str, Any]:
        """The sliders by the name of their lever."""
        return self.panel.sliders

    @property
    def view(self) -> Any:
        """The whole explorer as one widget: what is looked at above, three tabs below."""
        import ipywidgets as w
        from markupsafe import Markup

        wrap = w.Layout(flex_flow="row wrap")
        for box in (self.day, self.segment, self.product):
            box.layout = w.Layout(width="215px")
        looked_at = w.HBox([self.day, self.segment, self.product], layout=wrap)
        save = w.VBox([w.HBox([self.name, self.save], layout=wrap), self.saved])
        left = w.VBox([self.panel.view, save], layout=w.Layout(flex="0 0 385px"))
        right = w.VBox([self.picture], layout=w.Layout(flex="1 1 420px", min_width="320px"))
        right.add_class("forecast-picture")
        what_if = w.HBox([left, right], layout=w.Layout(flex_flow="row wrap", align_items="flex-start"))
        tabs = w.Tab([what_if, self.pipe, self.table.view], titles=sentences.TABS)
        looks = w.HTML(render("style", Markup(_LOOKS.read_text("utf-8"))))  # the library's own, not text
        whole = w.VBox([looks, looked_at, self.product_note, tabs])
        whole.add_class("forecast-explorer")
        return whole

    def moved(self) -> Levers:
        """Return the levers as the widgets stand."""
        return self.panel.levers(won=self.table.won, lost=self.table.lost)

    # -- what is known of the day shown ----------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return what was known on the day shown."""
        day = self.day.value
        if day not in self._snaps:
            self._snaps[day] = snapshot(self.log, as_of=day)
        return self._snaps[day]

    def base(self) -> Base:
        """Return the forecast of the day shown, taken apart; computed once a day.

        Raises DataError where the data are too thin, saying what is needed.
        """
        day = self.day.value
        if day not in self._bases:
            self._bases[day] = base(self.snapshot(), months=self.months, seed=self.seed)
        return self._bases[day]

    def deals(self) -> pd.DataFrame:
        """Return the open deals of the day, segment and product shown, with their chances."""
        day = self.day.value
        if day not in self._deals:
            ready = self._given if day == self._first else None
            found = win_probabilities(self.snapshot(), months=self.months, seed=self.seed) if ready is None else ready
            self._deals[day] = open_deals(self.snapshot(), found)
        return chosen(self._deals[day], segment=self.segment.value, product=self.product.value)

    def joint_planning(self) -> JointPlanning:
        """Return the lever of joint planning as it stands on the day shown."""
        row = self._planning if self.day.value == self._first else None
        return joint_planning(row, self.snapshot(), self.base().segments)

    # -- what is shown ---------------------------------------------------------------------------------

    def answer(self, levers: Levers) -> list[Chart | Statement]:
        """Return what levers do to the day and segment shown: finding, charts and notes, or why there is no answer."""
        company, day, segment = self.log.company, self.day.value, self.segment.value
        try:
            given = self.base()
        except DataError as error:
            return [Statement(sentences.TOO_THIN, wording.sentence(error.problem.mend), kind="abstain")]
        joint = self.joint_planning()
        starts = levers.joint_planning and joint.offered
        result = scenario(given, levers, width=joint.width if starts else None)
        moved = result.table[result.table["segment"] == segment]
        change = sentences.finding(sources.named(moved, "what_if"), segment=segment, company=company)
        changes = result.shares_of(segment)
        change = sentences.supposed(change, explorer_charts.lever_rows(changes, levers))
        shown: list[Chart | Statement] = [
            Statement(f"{change}.", self._caveat()),
            explorer_charts.what_if(
                result.table, company=company, as_of=day, segment=segment, events=dated(self.snapshot())
            ),
        ]
        if levers != Levers(joint_planning=levers.joint_planning):
            shown.append(explorer_charts.shares(changes, levers, company=company, as_of=day, segment=segment))
        if levers.joint_planning:
            shown.append(Statement(sentences.STARTS[starts], joint.sentence, kind="note"))
        if self.product.value:
            shown.append(self._product_note(given, levers))
        return shown

    def pipeline(self) -> list[Chart | Statement | TableView]:
        """Return the open pipeline of what is chosen: by month of expected close, and by stage."""
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
                events=dated(self.snapshot()),
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

    # -- how -------------------------------------------------------------------------------------------

    def _days(self) -> list[str]:
        calendar = self.log.company.periods
        day = pd.Timestamp(self._first)
        ends = [calendar.end(calendar.period(day) - back) for back in range(1, _DAYS_BACK)]
        first = self.log.opportunities["created_on"].min()
        return [self._first, *(str(end.date()) for end in ends if end >= first and end < day)]

    def _start(self, segment: str, product: str, levers: Levers) -> None:
        """Take over what is shown at first, refusing what the day does not know."""
        known = [TOTAL, *self.snapshot().segments]
        if segment not in known:
            raise ParameterError(f"segment: there is no segment {segment!r}; {nearest(segment, known)}")
        products = self._products()
        if product and product not in products:
            raise ParameterError(f"product: no open deal is of the product {product!r}; {nearest(product, products)}")
        self._options()
        self.segment.value, self.product.value = segment, product
        try:
            check_levers(self.base(), levers)
        except DataError:
            self.table.forget()

    def _products(self) -> list[str]:
        known = self.snapshot().opportunities
        if "product" not in known:
            return []
        return sorted({str(value) for value in known.loc[known["outcome"] == "open", "product"].dropna()})

    def _options(self) -> None:
        """Offer the segments and products of the day shown; what was chosen stays where it is still known."""
        for box, everything, names in (
            (self.segment, (TOTAL, TOTAL), self.snapshot().segments),
            (self.product, (sentences.ALL_PRODUCTS, ""), self._products()),
        ):
            before = box.value
            box.options = [everything, *((wording.label(name), name) for name in names)]
            box.value = before if before in names else everything[1]
        self.product.disabled = len(self.product.options) < 2

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

    # -- what the widgets call -------------------------------------------------------------------------

    def _whole_day(self, _: Any = None) -> None:
        self._held = True
        try:
            self._options()
        finally:
            self._held = False
        try:
            given: Base | None = self.base()
        except DataError:
            given = None
        joint = JointPlanning(offered=False, sentence="") if given is None else self.joint_planning()
        ask = self._planning is None and self._make_planning is not None and self.day.value == self._first
        marketing = given is not None and given.has_marketing
        self.panel.offer(thin=given is None, has_marketing=marketing, joint=joint, ask=ask and given is not None)
        self.table.forget(set(self.snapshot().opportunities.query("outcome == 'open'")["opportunity_id"]))
        self._narrowed()

    def _narrowed(self, _: Any = None) -> None:
        if self._held:
            return
        self.product_note.value = render("note", sentences.PRODUCT_NOTE) if self.product.value else ""
        self.pipe.value = "".join(part._repr_html_() for part in self.pipeline())
        ahead = period_labels(self.snapshot().period + np.arange(1, HORIZONS + 1))
        self.table.show(self.deals(), months=ahead)
        self._answer()

    def _answer(self) -> None:
        self.panel.name_deals(self.table.won, self.table.lost)
        shown = self.answer(self.moved())
        if len(shown) == 1:
            self.picture.value = shown[0]._repr_html_()
            return  # why there is no answer
        caveat = render("note", self._caveat())  # the chart's title is the finding
        self.picture.value = "".join(part._repr_html_() for part in shown[1:]) + caveat

    def _back(self, _: Any = None) -> None:
        self.panel.back()
        self.table.forget()
        self._answer()

    def _work_out(self) -> None:
        assert self._make_planning is not None
        self.panel.work_out.disabled, self.panel.work_out.description = True, WIDGETS["working"]
        try:
            self._planning = self._make_planning()
        finally:
            self.panel.work_out.disabled, self.panel.work_out.description = False, WIDGETS["work out"]
        self._whole_day()

    def _save(self, _: Any = None) -> None:
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
