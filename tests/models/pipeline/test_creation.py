"""Pipeline to come: counts of series, conversion by age, leads as a leading indicator, sums by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from companies import make_snapshot, plain_company
from forecast.data.schema import Company
from forecast.models.pipeline.cohorts import cohorts
from forecast.models.pipeline.conversion import YoungDeals, conversion
from forecast.models.pipeline.creation import expected_wins
from forecast.models.pipeline.creation_counts import forecast_series, season_of, series_base


def months(n: int, ahead: int = 6) -> np.ndarray:
    return np.arange(n + ahead) % 12


def test_a_constant_series_stays_constant():
    series = forecast_series(np.full((2, 40), 7.0), ahead=6, month_of_year=months(40))
    np.testing.assert_allclose(series.mean, 7.0, rtol=1e-9)


def test_season_and_growth_put_in_come_back():
    index = np.arange(66)
    truth = 200 * np.exp(0.004 * index + 0.2 * np.sin(2 * np.pi * index / 12))
    base = series_base(np.tile(truth[:60], (3, 1)), ahead=6, month_of_year=months(60))
    np.testing.assert_allclose(base[0], truth, rtol=0.03)


def test_a_random_walk_is_carried_and_white_noise_is_not():
    rng = np.random.default_rng(1)
    walk = 100 * np.exp(np.cumsum(0.08 * rng.standard_normal((20, 60)), axis=1))
    walk = forecast_series(walk, ahead=3, month_of_year=months(60, 3))
    noise = forecast_series(100 * (1 + 0.2 * rng.standard_normal((20, 60))), ahead=3, month_of_year=months(60, 3))
    assert walk.rho[0] > 0.75
    assert walk.alpha > 0.4
    assert noise.rho.max() < 0.3


def test_origins_see_only_their_past():
    rng = np.random.default_rng(2)
    counts = rng.poisson(20, (4, 50)).astype(float)
    # Beyond the base, the forecast from month 30 is made of months 0 to 30 alone.
    whole = forecast_series(counts, ahead=2, month_of_year=np.zeros(52, dtype=int))
    assert whole.mean.shape == (4, 50, 2)
    base = whole.base[:, 31:33]
    surprise = whole.mean[:, 30] / base - 1
    seen = counts[:, :31] / whole.base[:, :31] - 1
    weight = whole.alpha * (1 - whole.alpha) ** np.arange(30, -1, -1)
    np.testing.assert_allclose(surprise, (seen @ weight / weight.sum())[:, None] * whole.rho, atol=1e-9)


def test_cohorts_by_hand():
    deals = pd.DataFrame(
        {
            "opportunity_id": ["A", "B", "C", "D"],
            "created_on": ["2024-01-05", "2024-01-20", "2024-02-01", "2024-04-10"],
            "closed_on": ["2024-03-15", "2024-01-25", None, None],
            "outcome": ["won", "won", "open", "open"],
            "amount": [100.0, 40.0, 70.0, 10.0],
            "segment": ["N", "S", "N", "N"],
        }
    )
    at_once = Company(settle_days=0)
    seen = cohorts(make_snapshot("2024-03-31", deals.iloc[:3], company=at_once).state, steps=4)
    assert seen.created[:, 0].tolist() == [[1, 1, 0], [1, 0, 0]]
    assert seen.won[0, 0, 0].tolist() == [0, 0, 1, 0]
    assert seen.amount[0, 0, 0].tolist() == [0, 0, 100, 0]
    assert seen.won[1, 0, 0].tolist() == [1, 0, 0, 0]
    # March's win waits for the settle days of March; the deals created in it do not.
    waiting = cohorts(make_snapshot("2024-03-31", deals.iloc[:3]).state, steps=4)
    assert waiting.settled == 2024 * 12 + 1
    assert waiting.won[0].sum() == 0
    assert waiting.won[1, 0, 0].tolist() == [1, 0, 0, 0]
    np.testing.assert_array_equal(waiting.created, seen.created)
    # In the middle of a month its deals are not a cohort, and late means after the same part of a month.
    middle = cohorts(make_snapshot("2024-04-15", deals).state, steps=4)
    assert middle.periods.tolist() == [2024 * 12, 2024 * 12 + 1, 2024 * 12 + 2]
    assert middle.late_created.sum() == 1


def test_expected_wins_are_creation_times_conversion():
    deals = plain_company(deals=9600, months=48, seed=1, won=0.1, lost=0.1)
    future = expected_wins(make_snapshot("2023-12-31", deals).state, steps=4)
    # 200 deals a month; won 0, 1, 2, ... months after creation: 0, .1, .08, .064 of them.
    expected = 200 * np.cumsum([0.0, 0.1, 0.08, 0.064])
    np.testing.assert_allclose(future.wins[0], expected, rtol=0.06)
    np.testing.assert_allclose(future.value[0], 100 * future.wins[0], rtol=1e-9)


def test_deals_won_in_the_month_they_are_created_count_at_once():
    deals = plain_company(deals=2400, months=24, seed=2)
    quick = deals["closed_on"].notna()
    deals.loc[quick, "closed_on"] = deals.loc[quick, "created_on"].str[:8] + "28"
    future = expected_wins(make_snapshot("2021-12-31", deals).state, steps=3)
    share = (deals["outcome"] == "won").mean()
    np.testing.assert_allclose(future.wins[0], 100 * share, rtol=0.15)


@pytest.mark.parametrize("used", [True, False])
def test_leads_announce_pipeline(used: bool):
    rng = np.random.default_rng(3)
    n, months_ = 4, 48
    leads = rng.poisson(100 * np.exp(0.5 * rng.standard_normal((n, months_))))
    created = np.zeros((n, months_), dtype=int)
    # Three in ten become a deal in the next month.
    created[:, 1:] = rng.binomial(leads[:, :-1], 0.3)
    rows = [(r, t) for r in range(n) for t in range(months_) for _ in range(created[r, t])]
    periods = [f"{2020 + t // 12}-{t % 12 + 1:02d}" for t in range(months_)]
    deals = pd.DataFrame(
        {
            "opportunity_id": [f"O{i:06d}" for i in range(len(rows))],
            "created_on": [f"{periods[t]}-10" for _, t in rows],
            "closed_on": None,
            "outcome": "open",
            "segment": [f"S{r}" for r, _ in rows],
            "lead_source": "Web",
        }
    )
    marketing = pd.DataFrame(
        [(periods[t], f"S{r}", "Web", float(leads[r, t])) for r in range(n) for t in range(months_)],
        columns=["period", "segment", "channel", "leads"],
    )
    future = expected_wins(make_snapshot("2023-12-31", deals, marketing=marketing).state, steps=2, marketing=used)
    assert future.used_leads == used
    next_month = future.created[:, 0, 0]
    error = np.abs(next_month - 0.3 * leads[:, -1]) / (0.3 * leads[:, -1])
    if used:
        assert error.max() < 0.12
    else:
        assert error.max() > 0.3


def test_leads_that_say_nothing_are_not_used():
    rng = np.random.default_rng(4)
    deals = plain_company(deals=2400, months=48, seed=5, segments=2)
    periods = [f"{2020 + t // 12}-{t % 12 + 1:02d}" for t in range(48)]
    noise = rng.poisson(50 * np.exp(rng.standard_normal(96)))
    marketing = pd.DataFrame(
        {"period": periods * 2, "segment": ["S0"] * 48 + ["S1"] * 48, "leads": noise.astype(float)}
    )
    with_leads = expected_wins(make_snapshot("2023-12-31", deals, marketing=marketing).state, steps=3)
    without = expected_wins(make_snapshot("2023-12-31", deals).state, steps=3)
    np.testing.assert_allclose(with_leads.created[:, 0], without.created[:, 0], rtol=0.15)


# -- the calendar, and what the youngest say ---------------------------------------------------------------------


def test_months_of_the_year_come_back_as_far_as_years_agree():
    rng = np.random.default_rng(7)
    moy = np.arange(60) % 12
    truth = np.log(1 + 0.5 * np.sin(2 * np.pi * np.arange(12) / 12))
    found = season_of(rng.poisson(200 * np.exp(truth[moy])).astype(float), moy)
    np.testing.assert_allclose(found, truth - truth.mean(), atol=0.12)
    noise = [season_of(np.exp(rng.normal(5, 0.1, 60)), moy) for _ in range(200)]
    assert np.sqrt(np.mean(np.square(noise))) < 0.35 * 0.1 / np.sqrt(5)
    assert not season_of(np.arange(23.0), moy[:23]).any()


def test_conversion_knows_the_month_of_the_year():
    rng = np.random.default_rng(8)
    deals = plain_company(deals=12_000, months=60, seed=8, won=0.0, lost=0.05)
    created = pd.to_datetime(deals["created_on"])
    # Half of the deals win in the month after their creation, three times as many in December as in June.
    target = created + pd.offsets.MonthBegin(1)
    chance = np.where(target.dt.month == 12, 0.6, np.where(target.dt.month == 6, 0.2, 0.4))
    won = (rng.random(len(deals)) < chance) & (target <= "2024-12-01")
    deals["closed_on"] = deals["closed_on"].mask(won, (target + pd.Timedelta(days=9)).dt.strftime("%Y-%m-%d"))
    deals["outcome"] = deals["outcome"].mask(won, "won")
    view = make_snapshot("2024-12-31", deals).state
    month = conversion(view, cohorts(view, steps=6)).month
    assert month.mean() == pytest.approx(1.0)
    position = conversion(view, cohorts(view, steps=6)).position
    whole = month * position[view.calendar.quarter_position(np.arange(12))]
    assert whole[11] / whole[[0, 2, 3, 7]].mean() == pytest.approx(1.5, rel=0.15)
    assert whole[5] / whole[[0, 2, 3, 7]].mean() == pytest.approx(0.5, rel=0.2)


def test_the_youngest_count_by_what_is_expected_of_them():
    view = make_snapshot("2021-12-31", plain_company(deals=4000, months=24, seed=9, won=0.1, lost=0.1)).state
    seen = cohorts(view, steps=6)
    plain = conversion(view, seen)
    young = np.flatnonzero(view.ledger.created_in >= view.first_target - 3)
    young = np.intersect1d(young, view.open_deals)
    won = seen.won_young[:, :, -3:].sum()
    due = sum((seen.created[:, :, -k] * plain.rate.sum(axis=2)).sum() for k in (1, 2, 3))
    for share in (0.0, 0.5):
        chance = np.zeros((len(young), 6))
        chance[:, 0] = share * max(due - won, 0.0) / len(young)
        found = conversion(view, seen, young=YoungDeals(deal=young, chance=chance, moved=np.ones((1, 6))))
        ratio = found.rate.sum() / plain.rate.sum()
        expected = (won + chance.sum() + 20) / (due + 20)
        assert ratio == pytest.approx(expected, rel=0.1)
        assert ratio < 1


def test_levels_that_moved_move_what_is_to_come_month_by_month():
    view = make_snapshot("2021-12-31", plain_company(deals=4000, months=24, seed=9, won=0.1, lost=0.1)).state
    none = np.zeros(0, dtype=np.int64)
    moved = np.array([[0.5, 0.6, 0.7, 0.8, 0.9, 1.0]])
    plain, less = (
        expected_wins(view, steps=8, young=YoungDeals(deal=none, chance=np.zeros((0, 6)), moved=each))
        for each in (np.ones((1, 6)), moved)
    )
    # The wins so far are read at the level of now, so that the factor of the cohorts differs; it is one for all months.
    share = less.value[:, 1:] / plain.value[:, 1:]
    np.testing.assert_allclose(share / share[:, -1:], [[0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0]], rtol=1e-9)
