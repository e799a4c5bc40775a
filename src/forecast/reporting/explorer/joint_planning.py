"""The lever `start joint planning`: offered only where the verdict found a change, and then it moves the range alone.

The verdict is about the errors of forecasts that people submitted. Taking the model's range as so much narrower (or
wider) is an assumption, said beside the lever; that bookings would move was never tested, so they do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.reporting.pages.planning import sentences as planning_sentences

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

OFFERED = ("improved", "worsened")
NOT_LOOKED = "Whether planning together changed forecast errors has not been worked out for this day."


@dataclass(frozen=True)
class JointPlanning:
    """The lever as it stands on a day.

    offered : whether it may be moved. says : what it does, or why it may not be moved. width : (R,) what the range of
    each segment is multiplied by if it is moved; 1 where a segment plans jointly already.
    """

    offered: bool
    says: str
    width: np.ndarray = field(default_factory=lambda: np.ones(0))


def joint_planning(row: pd.DataFrame | None, snap: Snapshot, segments: tuple[str, ...]) -> JointPlanning:
    """Return the lever for a day.

    Parameters
    ----------
    row : the table `planning` of that day, one row; None where it was not worked out. snap : the snapshot of the day.
    segments : of the forecast, in its order.
    """
    width = np.ones(len(segments))
    if row is None or row.empty:
        return JointPlanning(False, NOT_LOOKED, width)
    facts = row.iloc[0]
    change = float(facts["relative_change"])
    if facts["verdict"] not in OFFERED or not np.isfinite(change):
        return JointPlanning(False, f"Not offered. {wording.sentence(planning_sentences.parts(facts)[0])}", width)
    begun = _begun(snap)
    waiting = [name for name in segments if name not in begun]
    if not waiting:
        return JointPlanning(False, "Not offered: every segment plans jointly already.", width)
    width[[name not in begun for name in segments]] = max(1.0 + change, 0.0)
    return JointPlanning(True, _says(facts, waiting), width)


def _begun(snap: Snapshot) -> set[str]:
    table = snap.joint_planning
    if table is None:
        return set()
    return set(table.loc[table["adopted_on"] <= snap.as_of, "segment"])


def _says(facts: Any, waiting: list[str]) -> str:
    change = float(facts["relative_change"])
    moved = wording.change(change, up="rose by", down="fell by")
    ends = (facts["interval_low"], facts["interval_high"])
    low, high = (wording.percent(float(end), sign=True) if np.isfinite(end) else "open" for end in ends)
    shape = "narrower" if change < 0 else "wider"
    return (
        f"Errors of submitted forecasts {moved} where segments began (95 % interval {low} to {high}). The range of "
        f"{wording.joined(waiting, most=4)} is drawn {wording.whole(abs(change))} {shape} around its median, as if the "
        "model's errors changed as those of people did; that is assumed. Bookings do not move: nothing says they would."
    )
