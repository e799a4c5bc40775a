"""Controls beside a picture: in JupyterLab a choice redraws it, on a page and under papermill it is a picture.

An output holds both, the picture as HTML and the widget; whoever shows it takes what it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from forecast.errors import ForecastError, ParameterError, nearest
from forecast.reporting.charts.figure import Statement, render
from forecast.reporting.explorer.sentences import not_worked_out
from forecast.reporting.explorer.work import Pane, Work

_LOOKS = Path(__file__).parents[1] / "templates" / "explorer.css"


Options = Sequence[str] | Mapping[str, Any]
"""What there is to choose: names, or values by their names."""


class Live:
    """A choice or several side by side, and what is drawn of them.

    Parameters
    ----------
    label : what is chosen, such as `Segment`; of several choices their labels and options together, as a mapping.
    options : what there is to choose, by name where a name differs from its value; only with one label.
    value : the choice at first, of several one each in their order; each must be among its options.
    draw : makes what is shown of the choices, one argument each: anything with HTML of its own, a chart or several.

    Raises
    ------
    ParameterError : a value is none of its options (the message names the nearest), or there is not one for each.

    Example: `Live("Segment", ["Total", "East"], value="Total", draw=lambda name: fan(bookings, segment=name))`; two:
    `Live({"Segment": names, "Months": {"1 ahead": 1}}, value=("East", 1), draw=lambda name, ahead: …)`.
    """

    def __init__(
        self,
        label: str | Mapping[str, Options],
        options: Options | None = None,
        *,
        value: Any,
        draw: Callable[..., Any],
    ) -> None:
        one = isinstance(label, str)
        asked = {label: options or ()} if isinstance(label, str) else label
        self.options = {
            name: dict(given) if isinstance(given, Mapping) else {each: each for each in given}
            for name, given in asked.items()
        }
        self.values: tuple[Any, ...] = (value,) if one else tuple(value)
        if len(self.values) != len(self.options):
            raise ParameterError(f"value: {len(self.values)} for {len(self.options)} choices; give one for each")
        for (name, known), each in zip(self.options.items(), self.values, strict=True):
            if each not in known.values():
                raise ParameterError(f"{name.lower()}: {each!r} is none of them; {nearest(str(each), map(str, known))}")
        self._draw = draw
        self._widget: Any = None

    def shown(self, *values: Any) -> str:
        """Return the HTML of a choice; where it cannot be drawn, the reason."""
        try:
            return str(self._draw(*values)._repr_html_())
        except ForecastError as error:
            return Statement(str(error), kind="nothing")._repr_html_()

    @property
    def widget(self) -> Any:
        """The controls with their picture, made when they are first asked for."""
        if self._widget is None:
            self._widget = self._made()
        return self._widget

    def _made(self) -> Any:
        import ipywidgets as w
        from markupsafe import Markup

        style = {"description_width": "initial"}
        self.controls = [
            w.Dropdown(options=list(known.items()), value=value, description=label, style=style)
            for (label, known), value in zip(self.options.items(), self.values, strict=True)
        ]
        self.picture = w.HTML(self.shown(*self.values))
        self.picture.add_class("forecast-picture")
        pane = Pane(self.picture, make=self._drawn, failed=self._failed)
        work = Work(lambda: pane)
        for control in self.controls:
            control.observe(lambda _: work.ask(pane), names="value")
        looks = w.HTML(render("style", Markup(_LOOKS.read_text("utf-8"))))  # the library's own, not text
        wrapping = w.Layout(flex_flow="row wrap")  # one below the other where the window is narrow
        whole = w.VBox([looks, w.HBox(self.controls, layout=wrapping), self.picture])
        whole.add_class("forecast-explorer")
        return whole

    @property
    def _asked(self) -> tuple[Any, ...]:
        """What the controls say now."""
        return tuple(control.value for control in self.controls)

    def _drawn(self) -> Callable[[], None]:
        """Draw what the controls say, and return what shows it."""
        values = self._asked
        html = self.shown(*values)

        def show() -> None:
            self.values, self.picture.value = values, html

        return show

    def _failed(self, error: BaseException) -> None:
        said = Statement(not_worked_out(error), kind="nothing")._repr_html_()
        self.values, self.picture.value = self._asked, said

    def _repr_html_(self) -> str:
        return self.shown(*self.values)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        bundle = dict(self.widget._repr_mimebundle_())
        chosen = (f"{label}: {value}" for label, value in zip(self.options, self.values, strict=True))
        return {**bundle, "text/html": self.picture.value, "text/plain": ", ".join(chosen)}
