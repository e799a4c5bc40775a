"""The explorer's panel of levers: four sliders, the deals set by hand, joint planning, all back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forecast import wording
from forecast.reporting.charts.figure import render
from forecast.reporting.explorer.joint_planning import JointPlanning
from forecast.reporting.explorer.scenario import RANGES, Levers

_SLIDERS = (
    ("leads", "Marketing's pipeline", 0.05, "pipeline still to be created from marketing's leads"),
    ("win_rate", "Win rate", 0.05, "chances to win, of open deals and of deals to come"),
    ("cycle_time", "Cycle time", 0.05, "time until a deal is won"),
    ("slippage", "Slippage, months", 0.25, "months by which open deals are won later"),
)
_NO_MARKETING = "No pipeline is known to be marketing's: a marketing table would bring the first lever."


class LeverPanel:
    """The widgets of the levers.

    levers : where they stand at first. changed : called after every move, once for all that move together. judge :
    works out whether joint planning helped, asked by a button; None hides it.
    """

    def __init__(self, levers: Levers, *, changed: Callable[[], None], judge: Callable[[], None] | None = None) -> None:
        import ipywidgets as w

        self._changed, self._held = changed, False
        self.sliders: dict[str, Any] = {}
        for name, label, step, tooltip in _SLIDERS:
            low, high = RANGES[name]
            self.sliders[name] = w.FloatSlider(
                value=getattr(levers, name),
                min=low,
                max=high,
                step=step,
                description=label,
                tooltip=tooltip,
                readout_format=".2f" if name == "slippage" else "+.0%",
                continuous_update=False,
                style={"description_width": "135px"},
                layout=w.Layout(width="370px"),
            )
        self.joint = w.Checkbox(
            value=levers.joint_planning, description="Start joint planning", indent=False, layout=w.Layout(width="auto")
        )
        self.joint_says = w.HTML()
        self.judge = w.Button(description="Work it out now", icon="balance-scale", layout=w.Layout(width="auto"))
        self.deals_say = w.HTML()
        self.reset = w.Button(description="All levers back", icon="undo", layout=w.Layout(width="auto"))
        self.notes = w.HTML()
        for widget in (*self.sliders.values(), self.joint):
            widget.observe(self._moved, names="value")
        self.judge.on_click(lambda _: judge() if judge else None)

    @property
    def view(self) -> Any:
        """The panel as one widget."""
        import ipywidgets as w

        parts = [
            *self.sliders.values(),
            self.notes,
            self.deals_say,
            self.joint,
            self.joint_says,
            self.judge,
            self.reset,
        ]
        return w.VBox(parts, layout=w.Layout(align_items="flex-start", padding="0 12px 0 0"))

    def levers(self, *, won: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> Levers:
        """Return the levers as they stand, with the deals set by hand."""
        leads, win_rate, cycle_time, slippage = (float(self.sliders[name].value) for name, *_ in _SLIDERS)
        joint = bool(self.joint.value) and not self.joint.disabled
        return Levers(leads, win_rate, cycle_time, slippage, won, lost, joint)

    def back(self) -> None:
        """Put every slider and the switch back; says nothing of it to `changed`."""
        self._held = True
        try:
            for slider in self.sliders.values():
                slider.value = 0.0
            self.joint.value = False
        finally:
            self._held = False

    def offer(self, *, thin: bool, has_marketing: bool, joint: JointPlanning, ask: bool) -> None:
        """Switch levers off that would move nothing, and say why.

        thin : whether there is no forecast at all. ask : whether the button that works out the verdict is offered.
        """
        self._held = True
        try:
            for name, slider in self.sliders.items():
                slider.disabled = thin or (name == "leads" and not has_marketing)
            self.notes.value = "" if has_marketing or thin else _small(_NO_MARKETING)
            self.joint.disabled = thin or not joint.offered
            if self.joint.disabled:
                self.joint.value = False
            self.joint_says.value = _small(joint.says)
            self.judge.layout.display = "" if ask else "none"
        finally:
            self._held = False

    def say_deals(self, won: tuple[str, ...], lost: tuple[str, ...]) -> None:
        """Say which deals are set by hand."""
        parts = [f"{wording.joined(ids, most=4)} taken as {how}" for ids, how in ((won, "won"), (lost, "lost")) if ids]
        said = f"Deals: {'; '.join(parts)}." if parts else "No deal is set by hand; the tab Deals sets one."
        self.deals_say.value = _small(said)

    def _moved(self, _: Any) -> None:
        if not self._held:
            self._changed()


def _small(said: str) -> str:
    return render("note", said)
