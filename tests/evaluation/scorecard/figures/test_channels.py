"""What comes in with marketing money: the lags by hand, and how often spend is said to follow demand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.evaluation.scorecard.figures import channels
from forecast.evaluation.scorecard.figures.channels import ALPHA, follows_demand, spread_over
from forecast.evaluation.scorecard.known import known_of
from forecast.evaluation.scorecard.spans import year_of
from forecast.simulation.company import simulate, write
from tiny import tiny_company

MONTHS = 60


def test_the_money_behind_a_month_by_hand():
    # A third of the deals come a month after the lead, two thirds two months after: 1/3 of 20 and 2/3 of 10.
    money = spread_over(np.array([10.0, 20.0, 40.0, 0.0]), np.array([0.0, 1.0, 2.0, 0.0]))
    assert money[2:] == pytest.approx([20 / 3 + 20 / 3, 40 / 3 + 40 / 3])
    assert np.isnan(money[:2]).all()
    assert np.isnan(spread_over(np.ones(3), np.zeros(4))).all()


def series(rng: np.random.Generator, *, rate: float = 0.5) -> np.ndarray:
    """Return sixty months that resemble their neighbours."""
    noise = rng.normal(0, 0.25, MONTHS + 20)
    for month in range(1, len(noise)):
        noise[month] += rate * noise[month - 1]
    return 100 * np.exp(noise[20:])


@pytest.mark.parametrize("follows", [False, True])
def test_how_often_spend_is_said_to_follow_demand(follows: bool):
    found, sets = 0, 400
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        bookings, created, spend = series(rng), np.round(series(rng) / 4), series(rng)
        if follows:  # 5 % of the bookings of the three months before, and a tenth of whim
            past = np.convolve(bookings, np.ones(3) / 3)[: MONTHS - 1]
            spend = np.append(5.0, 0.05 * past) * np.exp(rng.normal(0, 0.1, MONTHS))
        p = follows_demand(spend, bookings, created, month_of_year=np.arange(MONTHS) % 12)
        found += p <= ALPHA
    if follows:
        assert found / sets > 0.9
    else:
        assert found / sets <= 0.10  # as the module says: on the side of "cannot tell"


def test_too_few_months_tell_nothing():
    rng = np.random.default_rng(0)
    few = [series(rng)[:30] for _ in range(3)]
    assert np.isnan(follows_demand(*few, month_of_year=np.arange(30) % 12))
    flat = [np.full(MONTHS, 5.0), series(rng), series(rng)]
    assert np.isnan(follows_demand(*flat, month_of_year=np.arange(MONTHS) % 12))


@pytest.mark.slow
def test_of_a_simulated_company_every_channel_has_a_figure_or_a_reason(tmp_path):
    write(simulate(opportunities=3000, months=60, end="2026-10", seed=3), tmp_path)
    log = forecast.read(tmp_path)
    known = known_of(log, forecast.snapshot(log, as_of="2026-10"))
    rows = channels.channels(known, year_of(known.snap).now)
    names = set(log.tables["marketing"]["channel"])
    assert {row.definition for row in rows} == {f"{name}{end}" for name in names for end in ("", ", the year before")}
    for row in rows:
        assert row.missing.startswith("cannot tell") or (row.low < row.value < row.high and row.n == 12), row
    told = [row for row in rows if not row.missing]
    assert told
    # By hand: amounts created over money spread; the shares of the lags sum to one, so it is near the plain ratio.
    row = next(row for row in told if row.figure == channels.CREATED and "before" not in row.definition)
    deals = known.snap.opportunities
    mine = deals[(deals["lead_source"] == row.definition) & (deals["created_on"] >= "2025-11-01")]
    spend = log.tables["marketing"]
    spent = spend[(spend["channel"] == row.definition) & (spend["period"] >= "2025-11")]["spend"].sum()
    assert row.value == pytest.approx(mine["amount"].sum() / spent, rel=0.35)


def test_without_channels_the_table_is_named(tmp_path):
    log = forecast.read(tiny_company(tmp_path / "data"))
    known = known_of(log, forecast.snapshot(log, as_of="2026-03-31"))
    rows = channels.channels(known, year_of(known.snap).now)
    assert [row.missing for row in rows] == [channels.NEEDS] * 2
    assert all(np.isnan(row.value) for row in rows)
    assert pd.Series([row.figure for row in rows]).is_unique
