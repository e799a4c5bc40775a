"""The explorer of 00_explore: pick a day and a segment, move levers, see the forecast answer.

ipywidgets around `scenario`; no server of its own. Nothing is computed here but what the widgets ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.data.schema import TOTAL, Log
from forecast.data.snapshots import snapshot
from forecast.errors import ForecastError
from forecast.reporting import plots_scenario
from forecast.reporting.figure import Chart, Finding
from forecast.reporting.scenario import Base, Levers, base, scenario

if TYPE_CHECKING:
    import ipywidgets

_LEVERS = (
    ("leads", "Marketing's pipeline", 0.05, "pipeline still to be created from marketing's leads"),
    ("win_rate", "Win rate", 0.05, "chances to win, of open deals and of deals to come"),
    ("cycle_time", "Cycle time", 0.05, "time until a deal is won"),
    ("slippage", "Slippage, months", 0.25, "months by which open deals are won later"),
)
_SLIDER = {"leads": (-1.0, 1.0), "win_rate": (-0.5, 0.5), "cycle_time": (-0.5, 1.0), "slippage": (0.0, 3.0)}
_DAYS_BACK = 24
_CAVEAT = "It says what the forecast would be if the levers moved, not that they can be moved."
_NO_MARKETING = "No pipeline is known to be marketing's: a marketing table would bring this lever."


class Explorer:
    """The widgets and the state behind them: one log, the day looked at, its forecast taken apart.

    Parameters
    ----------
    log : the company's tables.
    as_of, segment : what is shown at first.
    months : months ahead, 1 to 24. seed : of the draws.
    """

    def __init__(self, log: Log, *, as_of: str, segment: str = TOTAL, months: int = 6, seed: int = 0) -> None:
        import ipywidgets as w

        self.log, self.months, self.seed = log, months, seed
        calendar = log.company.periods
        day = calendar.parse_day(as_of)
        ends = [calendar.end(calendar.period(day) - back) for back in range(1, _DAYS_BACK)]
        first = log.opportunities["created_on"].min()
        days = [day, *(end for end in ends if end >= first and end < day)]
        self._bases: dict[str, Base] = {}
        self.day = w.Dropdown(options=[str(d.date()) for d in days], value=str(day.date()), description="As of")
        self.segment = w.Dropdown(options=[TOTAL], value=TOTAL, description="Segment")
        style = {"description_width": "150px"}
        self.levers: dict[str, Any] = {}
        for name, label, step, tooltip in _LEVERS:
            low, high = _SLIDER[name]
            shown = ".2f" if name == "slippage" else "+.0%"
            layout = w.Layout(width="100%", max_width="460px")
            self.levers[name] = w.FloatSlider(
                value=0.0,
                min=low,
                max=high,
                step=step,
                description=label,
                description_tooltip=tooltip,
                readout_format=shown,
                continuous_update=False,
                style=style,
                layout=layout,
            )
        self.reset = w.Button(description="All levers back", icon="undo")
        self.told = w.HTML()
        self.picture = w.HTML()
        self._segments(segment)
        for widget in (self.segment, *self.levers.values()):
            widget.observe(self._show, names="value")
        self.day.observe(self._new_day, names="value")
        self.reset.on_click(self._reset)
        self._show()

    @property
    def view(self) -> ipywidgets.Widget:
        """The whole explorer as one widget."""
        import ipywidgets as w

        left = w.VBox([self.day, self.segment, *self.levers.values(), self.reset], layout=w.Layout(max_width="480px"))
        right = w.VBox([self.told, self.picture], layout=w.Layout(flex="1 1 420px", min_width="320px"))
        return w.HBox([left, right], layout=w.Layout(flex_flow="row wrap"))

    def moved(self) -> Levers:
        """Return the levers as the sliders stand."""
        leads, win_rate, cycle_time, slippage = (float(self.levers[name].value) for name, *_ in _LEVERS)
        return Levers(leads, win_rate, cycle_time, slippage)

    def base(self) -> Base:
        """Return the forecast of the day shown, taken apart; computed once a day.

        Raises DataError where the data are too thin, saying what is needed.
        """
        day = self.day.value
        if day not in self._bases:
            self._bases[day] = base(snapshot(self.log, as_of=day), months=self.months, seed=self.seed)
        return self._bases[day]

    def pictures(self, levers: Levers) -> list[Chart | Finding]:
        """Return what levers do to the day and segment shown: a finding and two charts, or why it cannot be told."""
        company, day, segment = self.log.company, self.day.value, self.segment.value
        try:
            result = scenario(self.base(), levers)
        except ForecastError as error:
            return [Finding("The data are too thin for a what-if.", str(error), kind="abstain")]
        said = plots_scenario.finding(result.table, segment=segment, company=company)
        return [
            Finding(f"{said}.", _CAVEAT),
            plots_scenario.what_if(result.table, company=company, as_of=day, segment=segment),
            plots_scenario.shares(result.shares, company=company, as_of=day),
        ]

    # -- what the widgets call -------------------------------------------------------------------------

    def _segments(self, wanted: str) -> None:
        try:
            names = [TOTAL, *self.base().segments]
        except ForecastError:
            names = [TOTAL]
        self.segment.options = names
        self.segment.value = wanted if wanted in names else TOTAL

    def _new_day(self, _: Any = None) -> None:
        self._segments(self.segment.value)
        self._show()

    def _reset(self, _: Any = None) -> None:
        for slider in self.levers.values():
            slider.value = 0.0

    def _show(self, _: Any = None) -> None:
        try:
            self.levers["leads"].disabled = not self.base().has_marketing
        except ForecastError:
            for slider in self.levers.values():
                slider.disabled = True
        fixed = self.levers["leads"].disabled and not self.levers["win_rate"].disabled
        self.told.value = f"<p>{_NO_MARKETING}</p>" if fixed else ""
        self.picture.value = "".join(part._repr_html_() for part in self.pictures(self.moved()))
