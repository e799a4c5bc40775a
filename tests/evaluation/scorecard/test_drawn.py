"""The companies that the scorecard's intervals are held against: drawn out of a large one, and nothing else."""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from forecast import seeds
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.simulation.parameters import STREAMS


@pytest.fixture(scope="module")
def drawn(root) -> ModuleType:
    """The module; `root` puts the project's folder on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        return importlib.import_module("benchmarks.scorecard.drawn")


@pytest.fixture(scope="module")
def large(drawn: ModuleType) -> Log:
    company = drawn.simulate(opportunities=1_500, months=36, end="2026-10", seed=646)
    return drawn.log_of(company)


def test_a_fifth_of_the_accounts_come_with_all_that_is_theirs(drawn: ModuleType, large: Log):
    small = drawn.draw_accounts(large, np.random.default_rng(1))
    deals, theirs = large.tables["opportunities"], small.tables["opportunities"]
    accounts = deals["account_id"].nunique()
    assert theirs["account_id"].nunique() == round(accounts / 5)
    assert theirs["opportunity_id"].is_unique
    history, rows = large.tables["opportunity_history"], small.tables["opportunity_history"]
    whose = theirs["opportunity_id"].str.split(".").str[0]
    assert (theirs["amount"].to_numpy() == deals.set_index("opportunity_id")["amount"].loc[whose].to_numpy()).all()
    length = history.groupby("opportunity_id").size().loc[whose]
    assert rows.groupby("opportunity_id").size().loc[theirs["opportunity_id"]].to_numpy().tolist() == length.tolist()
    assert small.tables["costs"]["amount"].sum() == pytest.approx(large.tables["costs"]["amount"].sum() / 5)


def test_leads_and_reps_are_drawn_with_what_is_theirs(drawn: ModuleType, large: Log):
    snap = snapshot(large, as_of="2026-10-31")
    leads = drawn.draw_leads(snap, np.random.default_rng(2))
    assert len(leads) == round(len(snap.leads) / 5)
    assert leads["lead_id"].is_unique
    reps = drawn.draw_reps(snap, np.random.default_rng(3))
    who = pd.unique(reps.quotas["owner"])
    assert len(who) == round(snap.quotas["owner"].nunique() / 5)
    for name in who:
        same = snap.opportunities["owner"] == name.split(".")[0]
        assert (reps.opportunities["owner"] == name).sum() == same.sum()


def test_what_draws_shares_no_numbers_with_what_simulates(drawn: ModuleType):
    # The first stream of a seed is the seed's own, so that it must not be drawn from.
    draw = seeds.generator(5, drawn.STREAM).random(4)
    for stream in range(len(STREAMS)):
        assert not np.isin(draw, seeds.generator(5, stream).random(4)).any()


def test_drawing_again_and_again_gives_the_large_company_s_share(drawn: ModuleType, large: Log):
    deals = large.tables["opportunities"]
    light = replace(large, tables={**large.tables, "opportunity_history": large.tables["opportunity_history"].iloc[:0]})
    rng = np.random.default_rng(4)
    shares = [(drawn.draw_accounts(light, rng).opportunities["outcome"] == "won").mean() for _ in range(60)]
    error = np.std(shares, ddof=1) / np.sqrt(60)
    assert np.mean(shares) == pytest.approx((deals["outcome"] == "won").mean(), abs=3 * error)
