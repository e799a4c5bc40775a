"""The explorer's levers: four sliders, the deals set by hand, joint planning, and all back.

Joint planning is the odd one: whether it may be moved at all depends on the verdict of the day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import Snapshot
from forecast.reporting.charts.figure import render
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.scenario import RANGES, Levers
from forecast.reporting.explorer.sentences import WIDGETS
from forecast.reporting.pages.planning import sentences as planning_sentences
from forecast.reporting.pages.planning.prepare import mean_change

_STEPS = {"leads": 0.05, "win_rate": 0.05, "cycle_time": 0.05, "slippage": 0.25}
"""The sliders by the name of their lever, and the steps in which they move."""


class LeverPanel:
    """The widgets of the levers.

    levers : where they stand at first. changed : called after every move, once for all that move together.
    work_out : works out whether joint planning helped, asked by a button; None hides it.
    """

    def __init__(
        self, levers: Levers, *, changed: Callable[[], None], work_out: Callable[[], None] | None = None
    ) -> None:
        import ipywidgets as w

        self._changed, self._held = changed, False
        self.sliders: dict[str, Any] = {}
        for name, step in _STEPS.items():
            (low, high), (label, tooltip) = RANGES[name], sentences.SLIDERS[name]
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
                layout=w.Layout(width="370px", max_width="100%"),
            )
        self.joint = w.Checkbox(
            value=levers.joint_planning, description=WIDGETS["joint"], indent=False, layout=w.Layout(width="auto")
        )
        self.joint_note = w.HTML()
        self.work_out = w.Button(description=WIDGETS["work out"], icon="balance-scale", layout=w.Layout(width="auto"))
        self.deals_note = w.HTML()
        self.reset = w.Button(description=WIDGETS["reset"], icon="undo", layout=w.Layout(width="auto"))
        self.notes = w.HTML()
        for widget in (*self.sliders.values(), self.joint):
            widget.observe(self._moved, names="value")
        self.work_out.on_click(lambda _: work_out() if work_out else None)

    @property
    def view(self) -> Any:
        """The panel as one widget."""
        import ipywidgets as w

        parts = [
            *self.sliders.values(),
            self.notes,
            self.deals_note,
            self.joint,
            self.joint_note,
            self.work_out,
            self.reset,
        ]
        return w.VBox(parts, layout=w.Layout(align_items="flex-start", padding="0 12px 0 0"))

    def levers(self, *, won: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> Levers:
        """Return the levers as they stand, with the deals set by hand."""
        leads, win_rate, cycle_time, slippage = (float(self.sliders[name].value) for name in _STEPS)
        joint = bool(self.joint.value) and not self.joint.disabled
        return Levers(
            leads=leads,
            win_rate=win_rate,
            cycle_time=cycle_time,
            slippage=slippage,
            won=won,
            lost=lost,
            joint_planning=joint,
        )

    def back(self) -> None:
        """Put every slider and the switch back, without a call of `changed`."""
        self.put(Levers())

    def put(self, levers: Levers) -> None:
        """Put every slider, and the switch where it may be moved, as levers stand, without a call of `changed`."""
        self._held = True
        try:
            for name, slider in self.sliders.items():
                slider.value = getattr(levers, name)
            self.joint.value = levers.joint_planning and not self.joint.disabled
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
            self.notes.value = "" if has_marketing or thin else render("note", sentences.NO_MARKETING)
            self.joint.disabled = thin or not joint.offered
            if self.joint.disabled:
                self.joint.value = False
            self.joint_note.value = render("note", joint.sentence)
            self.work_out.layout.display = "" if ask else "none"
        finally:
            self._held = False

    def name_deals(self, won: tuple[str, ...], lost: tuple[str, ...]) -> None:
        """Name the deals that are set by hand."""
        self.deals_note.value = render("note", sentences.deals_by_hand(won, lost))

    def _moved(self, _: Any) -> None:
        if not self._held:
            self._changed()


# -- joint planning -------------------------------------------------------------------------------------

OFFERED = ("improved", "worsened")


@dataclass(frozen=True, kw_only=True)
class JointPlanning:
    """The lever `start joint planning` as it stands on a day.

    offered : whether it may be moved. sentence : what it does, or why it may not be moved. width : (R,) what the range
    of each segment is multiplied by if it is moved; 1 where a segment plans jointly already.
    """

    offered: bool
    sentence: str
    width: np.ndarray = field(default_factory=lambda: np.ones(0))


def joint_planning(row: pd.DataFrame | None, snap: Snapshot, segments: tuple[str, ...]) -> JointPlanning:
    """Return the lever for a day: offered only where the verdict found a change, and then it moves the range alone.

    The verdict is about the errors of forecasts that people submitted. Taking the model's range as so much narrower (or
    wider) is an assumption, written next to the lever; that bookings would move was never tested, so they do not.

    Parameters
    ----------
    row : the table `planning` of that day, one row; None where it was not worked out. snap : the snapshot of the day.
    segments : of the forecast, in its order.
    """
    width = np.ones(len(segments))
    if row is None or row.empty:
        return JointPlanning(offered=False, sentence=sentences.NOT_LOOKED, width=width)
    facts = row.iloc[0]
    change, _, _ = mean_change(facts)
    if facts["verdict"] not in OFFERED or not np.isfinite(change):
        why = sentences.not_offered(planning_sentences.parts(facts)[0])
        return JointPlanning(offered=False, sentence=why, width=width)
    begun = _begun(snap)
    waiting = [name for name in segments if name not in begun]
    if not waiting:
        return JointPlanning(offered=False, sentence=sentences.ALL_PLAN_JOINTLY, width=width)
    width[[name not in begun for name in segments]] = max(1.0 + change, 0.0)
    return JointPlanning(offered=True, sentence=sentences.joint_sentence(facts, waiting), width=width)


def _begun(snap: Snapshot) -> set[str]:
    table = snap.joint_planning
    if table is None:
        return set()
    return set(table.loc[table["adopted_on"] <= snap.as_of, "segment"])
