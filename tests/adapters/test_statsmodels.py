"""statsmodels' models of monthly bookings as forecasters: their own forecasts, floors, and what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.stl import STLForecast
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.statespace.structural import UnobservedComponents

import forecast
from forecast.adapters.series import ahead, monthly_bookings, monthly_leads
from forecast.adapters.statsmodels import forecaster
from forecast.data.checks.validation import validate
from forecast.data.schema import QUANTILE_COLUMNS, Company, Log
from forecast.errors import ModelError, ParameterError
from forecast.models.registry import forecaster as called
from forecast.simulation.company import simulate


@pytest.fixture(scope="module")
def log() -> Log:
    made = simulate(opportunities=900, months=40, seed=11, segments=3)
    return validate(made.tables, Company(**{**made.company, "fixed_at_creation": ()}))


def damped(y):
    return ETSModel(y, error="add", trend="add", damped_trend=True)


def test_monthly_bookings_are_what_was_won_by_month(log: Log):
    snap = forecast.snapshot(log, as_of="2026-05-15")
    table = monthly_bookings(snap)
    assert table.index[-1] == pd.Timestamp("2026-04-01")  # May is in progress
    assert table.index.freqstr == "MS"
    won = snap.opportunities[snap.opportunities["outcome"] == "won"]
    won = won[won["closed_on"] < "2026-05-01"]
    assert table.to_numpy().sum() == pytest.approx(won["amount"].sum())
    april = won[won["closed_on"] >= "2026-04-01"].groupby("segment")["amount"].sum()
    np.testing.assert_allclose(table.iloc[-1].to_numpy(), april.reindex(table.columns).fillna(0).to_numpy())
    leads = monthly_leads(snap)
    assert leads.index.equals(table.index)
    known = snap.marketing[snap.marketing["period"] == "2026-04"]["leads"].sum()
    assert leads.iloc[-1].sum() == known


def test_series_of_months_before_by_hand():
    series = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=pd.date_range("2026-01-01", periods=3, freq="MS"))
    past, coming = ahead(series, 3, lag=1)
    assert past["a"].tolist() == [1.0, 1.0, 2.0]
    assert coming["a"].tolist() == [3.0, 2.0, 2.0]  # then the mean of what is known
    assert coming.index[0] == pd.Timestamp("2026-04-01")


@pytest.mark.slow
def test_the_mean_of_a_segment_is_what_statsmodels_says_itself(log: Log):
    """Its quantiles are those of its own prediction, which for an additive model are exact."""
    snap = forecast.snapshot(log, as_of="2026-06-30")
    found = called(forecaster(damped, name="damped", draws=4000))(snap, months=3, seed=1)
    y = monthly_bookings(snap).iloc[-72:]["Alps"]
    results = damped(y).fit(disp=False)
    rows = found[(found["segment"] == "Alps") & found["target_period"].str.contains("-")]
    np.testing.assert_allclose(rows["mean"], np.maximum(results.forecast(3), 0.0), rtol=1e-6)
    summary = results.get_prediction(len(y), len(y) + 2).summary_frame(alpha=0.2)
    for name, bound in (("q10", "pi_lower"), ("q90", "pi_upper")):
        np.testing.assert_allclose(rows[name], np.maximum(summary[bound], 0.0), atol=0.08 * y.std())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "factory", "leads"),
    [
        ("ets", damped, None),
        ("sarimax", lambda y, exog: SARIMAX(y, exog=exog, order=(1, 0, 0), trend="c"), 2),
        ("ucm", lambda y: UnobservedComponents(y, "local level"), None),
        ("stl", lambda y: STLForecast(y, ARIMA, model_kwargs={"order": (1, 0, 0), "trend": "c"}), None),
    ],
)
def test_every_kind_stands_in_a_backtest(log: Log, name: str, factory, leads: int | None):
    mine = forecaster(factory, name=f"my-{name}", leads=leads, draws=300)
    track = forecast.backtest(log, origins=["2026-04-30", "2026-06-15"], models=["ets", mine], months=2)
    rows = track[track["model"] == f"my-{name}"]
    assert rows["mean"].notna().all()
    months = rows[rows["target_period"].str.contains("-")]
    has_quantiles = months[list(QUANTILE_COLUMNS)].notna().all(axis=None)
    assert has_quantiles == (name != "stl")
    again = forecast.backtest(log, origins=["2026-04-30", "2026-06-15"], models=["ets", mine], months=2)
    pd.testing.assert_frame_equal(track, again, check_exact=True)
    # In the month in progress nothing is below what is booked.
    snap = forecast.snapshot(log, as_of="2026-06-15")
    booked = called("ets")(snap, months=2, seed=0)  # whose mean is above what is booked as well
    first = months[(months["origin"] == "2026-06-15") & (months["horizon"] == 0)].set_index("segment")
    won = snap.opportunities[
        (snap.opportunities["outcome"] == "won") & (snap.opportunities["closed_on"] >= "2026-06-01")
    ]
    for segment, amount in won.groupby("segment")["amount"].sum().items():
        assert first.loc[segment, "mean"] >= amount - 1e-6
    assert len(booked) == len(rows[rows["origin"] == "2026-06-15"])


@pytest.mark.slow
def test_it_travels_to_other_processes(log: Log):
    mine = forecaster(damped, name="damped", draws=100)
    asked = {"origins": ["2026-04-30"], "models": ["ets", mine], "months": 2}
    alone = forecast.backtest(log, **asked)
    pd.testing.assert_frame_equal(forecast.backtest(log, **asked, workers=2), alone, check_exact=True)


def test_what_cannot_be_fitted_is_told(log: Log):
    def short(y):
        if y.mean() < 1e4:
            raise ValueError("too small")
        return damped(y)

    early = forecast.snapshot(log, as_of="2024-06-30")
    table = called(forecaster(damped, name="mine"))(early, months=1, seed=0)
    assert table["mean"].isna().all()
    assert "months of bookings, where 24 are needed" in table.attrs["notes"][0]
    late = forecast.snapshot(log, as_of="2026-06-30")
    with pytest.raises(ModelError, match=r"mine at 2026-06-30: .*no segment could be fitted: mine: Alps .*NameError"):
        called(forecaster(lambda y: undefined(y), name="mine"))(late, months=1, seed=0)  # noqa: F821
    with pytest.raises(ParameterError, match="is no name for a model"):
        forecaster(damped, name="a b")


@pytest.mark.parametrize("months", [1, 3])
def test_a_model_by_quarters_is_refused_and_one_of_the_last_years_taken(log: Log, months: int):
    """Three quarters ahead, taken for three months, would be three times too high and look like a forecast."""
    snap = forecast.snapshot(log, as_of="2026-09-30")
    by_quarter = forecaster(lambda y: damped(y.resample("QS").sum()), name="by-quarter", draws=100)
    with pytest.raises(ModelError, match="takes months only: give the model y as it is"):
        called(by_quarter)(snap, months=months, seed=0)
    recent = called(forecaster(lambda y: damped(y.iloc[-24:]), name="recent", draws=100))(snap, months=months, seed=0)
    assert recent["mean"].notna().all()
