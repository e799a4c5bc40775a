"""The record of the share won: by hand, and as of a day what only that day knew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.models.win.change.shifts import MonthCounts
from forecast.models.win.levels import levels_at_days, levels_of
from forecast.simulation.company import simulate, write


def month(won, lost, due_won, due_lost) -> MonthCounts:
    """Return a month of one segment (and the unknown one, empty) and one stage."""
    cells = np.zeros((2, 2, 1, 2)), np.zeros((2, 2, 1, 2))
    cells[0][0, 0, 0], cells[1][0, 0, 0] = (won, lost), (due_won, due_lost)
    return MonthCounts(seen=cells[0], expected=cells[1], information=cells[1])


def test_the_record_by_hand():
    day = pd.Timestamp("2026-10-31")
    record = levels_of({5: month(3, 9, 4, 8), 6: month(2, 5, 2, 6)}, {}, as_of=day, segments=("North",))
    assert record.periods.tolist() == [5, 6]
    assert record.seen[0].tolist() == [[3, 9], [3, 9]]
    assert record.expected[1].tolist() == [[2, 6], [2, 6]]
    assert np.isnan(record.level).all()


def test_the_filter_beside_it_sees_a_jump():
    months = {k: month(60 if k < 20 else 30, 140, 60, 140) for k in range(24)}
    record = levels_of(months, months, as_of=pd.Timestamp("2026-10-31"), segments=("North",))
    assert record.moved[0] > 0.99
    assert record.level[0] == pytest.approx(np.log(0.5), abs=0.15)
    assert record.jump_periods[record.jumped[0].argmax()] == 20


def test_a_longer_walk_says_the_same_of_a_month(tmp_path):
    write(simulate(opportunities=2500, months=30, end="2022-06", seed=3), tmp_path)
    log = forecast.read(tmp_path)
    early, late = (forecast.snapshot(log, as_of=day) for day in ("2022-03", "2022-06"))
    first = next(levels_at_days(early, days=[early.as_of]))
    both = list(levels_at_days(late, days=[early.as_of, late.as_of]))
    assert both[0].periods.tolist() == first.periods.tolist()
    assert both[1].periods.tolist() == [*first.periods, *range(first.periods[-1] + 1, first.periods[-1] + 4)]
    for record in both:
        shared = np.flatnonzero(np.isin(record.periods, first.periods))
        np.testing.assert_array_equal(record.seen[shared], first.seen)
        np.testing.assert_allclose(record.expected[shared], first.expected, rtol=1e-6)
