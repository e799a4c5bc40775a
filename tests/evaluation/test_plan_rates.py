"""Plan rates of two fiscal years: forecasts, what they are held against, and what the new rates alone changed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.known.changes import RATES, changes_since
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import snapshot
from forecast.data.rates import at_rates_of
from forecast.data.schema import TOTAL, Log
from forecast.evaluation.changed import changes_forecast
from logs import STAGES, log_of

THEN, NOW = "2025-12-31", "2026-01-31"


@cache
def company(*, dated: bool = True, later: float = 0.5) -> Log:
    """Return 240 deals of two years, every third one in dollars: worth 1 until 2025, `later` from 2026 on."""
    rng = np.random.default_rng(4)
    n = 240
    born = pd.Timestamp("2024-02-01") + pd.to_timedelta(np.sort(rng.integers(0, 720, n)), unit="D")
    end = born + pd.to_timedelta(rng.integers(20, 150, n), unit="D")
    closed = end <= pd.Timestamp("2026-01-25")
    won = closed & (rng.random(n) < 0.5)
    stage = np.where(won, "Won", np.where(closed, "Lost", "Propose"))
    day = "%Y-%m-%d"
    deals = pd.DataFrame(
        {
            "opportunity_id": [f"O{k:03d}" for k in range(n)],
            "created_on": born.strftime(day),
            "segment": np.where(np.arange(n) % 2 == 0, "East", "West"),
            "stage": stage,
            "amount": np.round(rng.lognormal(8, 0.5, n), 2),
            "expected_close_on": end.strftime(day),
            "closed_on": np.where(closed, end.strftime(day), None),
            "outcome": np.where(won, "won", np.where(closed, "lost", "open")),
            "currency": np.where(np.arange(n) % 3 == 0, "USD", "EUR"),
            "owner": np.where(np.arange(n) % 5 == 0, "Rep 1", "Rep 2"),
        }
    )
    first = deals.assign(recorded_at=born.strftime(day), stage="Propose")
    last = deals[closed].assign(recorded_at=end[closed].strftime(day))
    columns = ["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]
    history = pd.concat([first[columns], last[columns]])
    rates = pd.DataFrame({"currency": ["USD", "USD"], "plan_rate": [1.0, later], "from": [None, "2026-01-01"]})
    plan = pd.DataFrame({"period": ["2026-01", "2026-02", "2026-03"], "segment": "East", "amount": 20_000.0})
    return log_of(
        {
            "opportunities": deals,
            "opportunity_history": history,
            "stages": STAGES,
            "currencies": rates if dated else rates.iloc[:1, :2],
            "plan": pd.concat([plan, plan.assign(segment="West")]),
        },
        currency="EUR",
        extracted_on=pd.Timestamp("2026-02-28"),
    )


def test_a_day_has_the_rates_of_its_year():
    dated, plain = company(), company(dated=False)
    for day, worth in ((THEN, 1.0), ("2026-01-01", 0.5), ("2026-02-28", 0.5)):
        mine, base = (snapshot(log, as_of=day).opportunities.set_index("opportunity_id") for log in (dated, plain))
        dollars = np.arange(len(base)) % 3 == 0
        expected = np.where(dollars, worth, 1.0) * base["amount"]
        pd.testing.assert_series_equal(mine["amount"], expected, check_names=False)
        history = snapshot(dated, as_of=day).history
        assert history is not None
        assert history.set_index("opportunity_id")["amount"]["O000"].iloc[0] == mine["amount"]["O000"]


@pytest.mark.slow
def test_a_forecast_of_the_old_year_does_not_know_the_new_rates():
    frames = [
        forecast.forecast_bookings(snapshot(log, as_of=THEN), months=3) for log in (company(), company(dated=False))
    ]
    pd.testing.assert_frame_equal(*frames)
    other = forecast.forecast_bookings(snapshot(company(later=7.0), as_of=THEN), months=3)
    pd.testing.assert_frame_equal(frames[0], other)


@pytest.mark.slow
def test_a_record_holds_each_forecast_against_bookings_at_its_own_rates():
    origins, models = ["2025-10-31", "2025-11-30", NOW], ["seasonal-naive", "pipeline"]
    track = forecast.backtest(company(), origins=origins, models=models, months=2)
    plain = forecast.backtest(company(dated=False), origins=origins, models=models, months=2)
    old = (track["origin"] < "2026-01-01").to_numpy()
    pd.testing.assert_frame_equal(track[old], plain[old])  # also the January that lies in the new year
    assert track["origin"].tolist() == plain["origin"].tolist()
    at = settled_actuals(at_rates_of(company(), pd.Timestamp("2025-11-30"))).set_index(["period", "segment"])["amount"]
    january = track[old & (track["target_period"] == "2026-01") & (track["segment"] == "East")]
    assert (january["observed"] == at["2026-01", "East"]).all()
    assert (
        at["2026-01", "East"] > settled_actuals(company()).set_index(["period", "segment"])["amount"]["2026-01", "East"]
    )


def test_what_the_rates_alone_changed_is_a_bar_of_its_own():
    log = company()
    snap = snapshot(log, as_of=NOW)
    table = changes_since(log, snap)
    bars = table.set_index("bar")[["amount", "open_pipeline", "booked"]]
    assert bars.index[1] == RATES
    np.testing.assert_allclose(bars.drop(index="end").sum(), bars.loc["end"], atol=0.005)
    plain = changes_since(company(dated=False), snapshot(company(dated=False), as_of=NOW))
    assert RATES not in plain["bar"].tolist()
    assert bars.loc["start", "amount"] == plain.set_index("bar")["amount"]["start"]
    assert bars.loc[RATES, "amount"] < 0
    assert RATES not in changes_since(log, snapshot(log, as_of="2026-02-28"))["bar"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("since", ["", "2025-12-10"])
def test_what_the_rates_alone_changed_is_a_cause_of_its_own(since: str):
    log, day = company(), pd.Timestamp(since or THEN)
    causes = changes_forecast(log, as_of=NOW, since=since, months=2)
    then, now = (forecast.forecast_bookings(snapshot(log, as_of=each), months=2) for each in (day, NOW))
    anew = forecast.forecast_bookings(snapshot(at_rates_of(log, pd.Timestamp(NOW)), as_of=day), months=2)
    key = ["target_period", "segment"]
    ends = now.set_index(key)["mean"] - then.set_index(key)["mean"]
    chances = now.set_index(key)["p_at_least_plan"] - then.set_index(key)["p_at_least_plan"]
    moved = anew.set_index(key)["mean"] - then.set_index(key)["mean"]
    shown = causes[causes["level"] != "owner"]
    sums = shown.groupby(["target_period", "node"])[["amount", "points"]].sum()
    for (label, node), row in sums.iterrows():
        assert row["amount"] == pytest.approx(ends[label, node], abs=0.005)
        if not np.isnan(chances[label, node]):
            assert row["points"] == pytest.approx(chances[label, node], abs=1e-9)
        mine = shown[(shown["target_period"] == label) & (shown["node"] == node)]
        assert mine["cause"].iloc[0] == "exchange_rates"
        assert mine["amount"].iloc[0] == pytest.approx(moved[label, node], abs=0.005)
    owners = causes[causes["level"] == "owner"].groupby("target_period")["amount"].sum()
    for label, total in owners.items():
        assert total == pytest.approx(ends[label, TOTAL], abs=0.005)
    assert (moved.xs(TOTAL, level="segment") < 0).all()


def test_within_a_year_and_without_dates_there_is_no_such_cause():
    for log, day in ((company(), "2026-02-28"), (company(dated=False), NOW)):
        assert "exchange_rates" not in changes_forecast(log, as_of=day, months=2)["cause"].tolist()
