"""How deals move through the stages: an order that is not theirs, and many moved together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audited import finding, many
from forecast.data.audit import moves
from forecast.data.audit.audit import audit
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.wording import THIN as T

STAGES = pd.DataFrame(
    {
        "stage": ["A", "B", "C", "Won", "Lost"],
        "position": [1, 2, 3, 4, 5],
        "outcome": ["open", "open", "open", "won", "lost"],
    }
)


def moved(
    first: list[str], then: list[str], *, days: np.ndarray | None = None, stages: pd.DataFrame | None = STAGES
) -> Log:
    """Return a log in which each deal goes from one stage to another, ten days later or after `days`."""
    frame = many(len(first), outcome=["open"] * len(first)).opportunities.assign(stage=then)
    start = frame["created_on"].dt.tz_localize("UTC")
    later = start + pd.to_timedelta(np.full(len(first), 10) if days is None else days, unit="D")
    rows = [frame.assign(recorded_at=start, stage=first), frame.assign(recorded_at=later, stage=then)]
    history = pd.concat(rows)[["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]]
    tables = {"opportunities": frame, "opportunity_history": history} | ({} if stages is None else {"stages": stages})
    return validate(tables, Company())


def test_an_order_of_stages_that_deals_do_not_follow():
    log = moved(["A", "B"] * 60, ["B", "C"] * 60)
    found = audit(log)["finding"].tolist()
    assert moves.BACKWARDS not in found
    assert moves.SKIPPING not in found
    wrong = moved(["A", "B"] * 60, ["B", "C"] * 60, stages=STAGES.assign(position=[1, 3, 2, 4, 5]))
    back = finding(audit(wrong), moves.BACKWARDS)
    assert (back["evidence"], back["count"]) == (f"60 of 120 moves between open stages (50{T}%)", 60)
    skipping = finding(audit(moved(["A"] * 80, ["C"] * 80)), moves.SKIPPING)
    assert skipping["evidence"] == f"80 of 80 moves between open stages (100{T}%)"


def test_without_a_table_of_stages_their_order_is_that_of_the_moves():
    """Z comes before M, M before A: neither the alphabet nor how often they are won says so."""
    found = audit(moved(["Z", "M"] * 60, ["M", "A"] * 60, stages=None))["finding"].tolist()
    assert moves.BACKWARDS not in found
    assert moves.SKIPPING not in found
    mixed = moved(["Z", "M", "A"] * 40, ["M", "Z", "Z"] * 40, stages=None)
    assert moves.BACKWARDS in audit(mixed)["finding"].tolist()


def test_many_that_moved_together():
    first, then = ["A"] * 300 + ["B"] * 60, ["B"] * 300 + ["A"] * 60
    days = np.append(np.full(300, 10), 400 - np.arange(300, 360))  # the last sixty go back on one day
    together = finding(audit(moved(first, then, days=days)), moves.TOGETHER)
    assert together["count"] == 60
    assert together["evidence"] == "60 went back or skipped stages on 4 February 2025; on no other day more than 0"
    assert moves.TOGETHER not in audit(moved(first, then))["finding"].tolist()  # one a day
