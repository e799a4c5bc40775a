"""On simulated companies, whose rates are known, the intervals hold them; and losses left open do not move them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import forecast
from forecast.data.known.snapshot import Snapshot
from forecast.evaluation.scorecard.close_rates import ALL_ENDED, COHORT, DECIDED, NAIVE, close_rates, definition_of
from forecast.evaluation.scorecard.funnel.hand_overs import PASSED, hand_over_rows
from forecast.evaluation.scorecard.funnel.leaks import won_elsewhere
from forecast.evaluation.scorecard.funnel.rows import ALL
from forecast.simulation import parameters as par
from forecast.simulation.company import simulate, write
from tiny import tiny_company

ON_TIME = float(np.exp(-np.exp(-(0.5 + 6.0) / 9.0)))
"""Delays in whole days from a Gumbel law at -6 with scale 9, as the simulation draws them."""

UNWORKED = (1 - par.REJECTION) * 0.45
"""Share of leads that come to nothing and that nobody works."""


def company(tmp_path: Path, seed: int) -> Snapshot:
    write(simulate(opportunities=3_000, months=36, end="2026-10", seed=seed), tmp_path / str(seed))
    return forecast.snapshot(forecast.read(tmp_path / str(seed)), as_of="2026-10")


@pytest.mark.slow
def test_known_rates_lie_in_their_intervals(tmp_path: Path):
    held = []
    for seed in range(641, 645):
        snap = company(tmp_path, seed)
        assert snap.leads is not None
        becomes = snap.leads["channel"].map(dict(zip(par.CHANNELS, par.CONVERSION, strict=True)))
        worked = 1 - float((1 - becomes).mean()) * UNWORKED
        for row in hand_over_rows(snap):
            known = {"won to delivered on time": ON_TIME, "lead to worked": worked}.get(row.step)
            if known is not None and row.cohort == ALL:
                held.append(row.low <= known <= row.high)
    assert len(held) == 4 * 2 * 9
    assert np.mean(held) >= 0.90  # 95 % less two standard errors of so many


@pytest.mark.slow
def test_losses_left_open_do_not_move_the_rate_of_cohorts(tmp_path: Path):
    snap = company(tmp_path, 645)
    deals = snap.opportunities
    open_ = (deals["outcome"] == "lost") & (np.random.default_rng(1).random(len(deals)) < 0.6)
    left = deals.assign(
        outcome=deals["outcome"].mask(open_, "open"), closed_on=deals["closed_on"].mask(open_), lost_reason=np.nan
    )
    found = [
        {row.definition: row.value for row in close_rates(each) if row.segment == "Total"}
        for each in (snap, replace(snap, opportunities=left))
    ]
    naive, cohort = definition_of(DECIDED, NAIVE, "count"), definition_of(ALL_ENDED, COHORT, "count")
    assert found[1][cohort] == pytest.approx(found[0][cohort], abs=0.02)
    assert found[1][naive] > found[0][naive] + 0.15


def test_rejected_leads_that_name_an_account_are_followed_to_its_win(tmp_path: Path):
    folder = tiny_company(tmp_path)
    lines = ["lead_id,created_on,segment,channel,rejected_on,account_id"]
    lines += [f"L{i},2025-10-01,North,Events,2025-10-10,Account {1 + i % 5}" for i in range(20)]
    (folder / "leads.csv").write_text("\n".join(lines), encoding="utf-8")
    (journeys, why) = won_elsewhere(forecast.snapshot(forecast.read(folder), as_of="2026-03-31"))
    assert why == ""
    assert journeys is not None
    assert int((journeys.ended == PASSED).sum()) == 12  # accounts 1, 3 and 5 were won
