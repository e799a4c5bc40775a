"""How deals move through the stages, where history tells: backwards, past stages, or many in a day.

Simple case: a deal goes from one stage to the next, and now and then back or past one. Where many do, the order of the
stages is not that in which the company sells; where many do on one day, somebody moved them together.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.audit.dates import days_of
from forecast.data.codes import labels, places
from forecast.data.known.snapshot import Snapshot
from forecast.errors import Problem
from forecast.wording import day, joined, share

BACKWARDS = "deals move back to an earlier stage"
SKIPPING = "deals skip stages"
TOGETHER = "many deals moved together on one day"

_BACK, _SKIP, _MOVES = 0.2, 0.5, 50
_TIMES_OTHERS, _FEWEST, _OF_ALL = 3, 20, 0.01


def misleading_moves(snap: Snapshot, *, ordered: bool) -> list[Problem]:
    """Return what misleads about moves between open stages, as known on a day.

    ordered : whether the company says the order of its stages; else it is taken from the moves themselves, since a
        stage that wins less often may well come later.
    """
    history = snap.history
    if history is None or len(history) < 2:
        return []
    stages = snap.stages.loc[snap.stages["outcome"] == "open"].sort_values(["position", "stage"])
    at = places(history["stage"], stages["stage"])  # the place of each row's stage among open ones, -1 where closed
    deal = labels(history["opportunity_id"])
    same = (deal[1:] == deal[:-1]) & (at[1:] >= 0) & (at[:-1] >= 0)
    if not ordered:
        at = _as_entered(at, same, len(stages))
    step = at[1:].astype(np.int64) - at[:-1]
    moved = same & (step != 0)
    rows, step = np.flatnonzero(moved) + 1, step[moved]
    return [*_order(history, rows, step), *_together(snap, history, rows, step)]


def _as_entered(at: np.ndarray, same: np.ndarray, stages: int) -> np.ndarray:
    """Return the stages of the rows by when deals enter them: the mean number of moves that a deal has then made.

    at : (m,) stage of each row, -1 where none. same : (m - 1,) whether a row is of the same deal as the one before, and
    both are open. stages : how many there are.
    """
    begins = np.append(True, ~same)
    moved = np.append(False, same & (at[1:] != at[:-1]))
    made = np.cumsum(moved)
    made -= made[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    entered = (at >= 0) & (begins | moved)
    times = np.bincount(at[entered], minlength=stages)
    mean = np.bincount(at[entered], weights=made[entered], minlength=stages) / np.maximum(times, 1)
    place = np.empty(stages + 1, dtype=np.int64)
    place[np.argsort(mean, kind="stable")] = np.arange(stages)
    place[stages] = -1
    return place[at]


def _order(history: pd.DataFrame, rows: np.ndarray, step: np.ndarray) -> list[Problem]:
    """Say where the order of the stages is not the order in which deals go through them."""
    if len(rows) < _MOVES:
        return []
    found = []
    for odd, bound, what, mend in (
        (step < 0, _BACK, BACKWARDS, "put position in stages in the order in which deals go through them"),
        (step > 1, _SKIP, SKIPPING, "check position in stages, and whether history holds every change of stage"),
    ):
        if odd.sum() > bound * len(rows):
            evidence = f"{odd.sum():,} of {len(rows):,} moves between open stages ({share(odd.sum(), len(rows))})"
            problem = Problem(
                severity="warning", table="opportunity_history", column="stage", what=what, evidence=evidence, mend=mend
            )
            found.append(problem.at(pd.unique(history["opportunity_id"].iloc[rows[odd]])))
    return found


def _together(snap: Snapshot, history: pd.DataFrame, rows: np.ndarray, step: np.ndarray) -> list[Problem]:
    """Days on which far more deals went back or skipped stages than on any other."""
    odd = rows[(step < 0) | (step > 1)]
    if len(odd) < _FEWEST:
        return []
    days = days_of(history["recorded_on"])[odd]
    distinct, counts = np.unique(days, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    sizes = np.append(counts[order], 0)
    enough = max(_FEWEST, _OF_ALL * len(snap.opportunities))
    if not (sizes[0] >= _TIMES_OTHERS * sizes[1] and sizes[0] >= enough):
        return []
    on = pd.Timestamp(np.datetime64(int(distinct[order[0]]), "D"))
    names = pd.unique(history["opportunity_id"].iloc[odd[days == distinct[order[0]]]])
    return [
        Problem(
            severity="warning",
            table="opportunity_history",
            column="stage",
            what=TOGETHER,
            evidence=joined([f"{sizes[0]:,} went back or skipped stages on {day(on)}"])
            + f"; on no other day more than {sizes[1]:,}",
            mend="if stages were rebuilt that day, map the old ones to the new in history; how deals fared before is "
            "otherwise lost",
        ).at(names)
    ]
