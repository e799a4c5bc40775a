"""One control beside a picture: in JupyterLab a choice redraws it, on a page and under papermill it is a picture.

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


class Live:
    """A choice, and what is drawn of it.

    Parameters
    ----------
    label : what is chosen, such as `Segment`. options : what there is to choose, by name where a name differs from its
        value. value : the choice at first; it must be among the options.
    draw : makes what is shown of a choice: anything with HTML of its own, a chart or several.

    Raises
    ------
    ParameterError : value is none of the options; the message names the nearest.

    Example: `Live("Segment", ["Total", "East"], value="Total", draw=lambda name: fan(bookings, segment=name))`.
    """

    def __init__(
        self, label: str, options: Sequence[str] | Mapping[str, Any], *, value: Any, draw: Callable[[Any], Any]
    ) -> None:
        known = dict(options) if isinstance(options, Mapping) else {name: name for name in options}
        if value not in known.values():
            raise ParameterError(f"{label.lower()}: {value!r} is none of them; {nearest(str(value), map(str, known))}")
        self.label, self.options, self.value, self._draw = label, known, value, draw
        self._widget: Any = None

    def shown(self, value: Any) -> str:
        """Return the HTML of a choice; where it cannot be drawn, the reason."""
        try:
            return str(self._draw(value)._repr_html_())
        except ForecastError as error:
            return Statement(str(error), kind="nothing")._repr_html_()

    @property
    def widget(self) -> Any:
        """The control with its picture, made when it is first asked for."""
        if self._widget is None:
            self._widget = self._made()
        return self._widget

    def _made(self) -> Any:
        import ipywidgets as w
        from markupsafe import Markup

        style = {"description_width": "initial"}
        self.control = w.Dropdown(
            options=list(self.options.items()), value=self.value, description=self.label, style=style
        )
        self.picture = w.HTML(self.shown(self.value))
        self.picture.add_class("forecast-picture")
        pane = Pane(self.picture, make=self._drawn, failed=self._failed)
        work = Work(lambda: pane)
        self.control.observe(lambda _: work.ask(pane), names="value")
        looks = w.HTML(render("style", Markup(_LOOKS.read_text("utf-8"))))  # the library's own, not text
        whole = w.VBox([looks, self.control, self.picture])
        whole.add_class("forecast-explorer")
        return whole

    def _drawn(self) -> Callable[[], None]:
        """Draw what the control says, and return what shows it."""
        value = self.control.value
        html = self.shown(value)

        def show() -> None:
            self.value, self.picture.value = value, html

        return show

    def _failed(self, error: BaseException) -> None:
        self.value, self.picture.value = (
            self.control.value,
            Statement(not_worked_out(error), kind="nothing")._repr_html_(),
        )

    def _repr_html_(self) -> str:
        return self.shown(self.value)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        bundle = dict(self.widget._repr_mimebundle_())
        return {**bundle, "text/html": self.picture.value, "text/plain": f"{self.label}: {self.value}"}
