"""statsmodels' smoothing as forecasters: the library called by hand, agreement with ours, and months that fit badly."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

from companies import make_snapshot
from forecast.data.schema import QUANTILE_COLUMNS, Company
from forecast.models.baselines.series import transform
from forecast.models.baselines.smoothing import ets_path
from forecast.models.baselines.statsmodels_series import ETS, THETA, ets_by_aicc, theta
from forecast.models.baselines.theta import theta_mixture
from forecast.models.registry import at_origins, forecaster

JANUARY = 2024 * 12
SEASON = np.array([-4.0, -2.0, 1.0, 3.0, 5.0, 2.0, 0.0, -1.0, -3.0, -2.0, 0.0, 1.0]) / 10


def company(amounts: dict[str, np.ndarray], *, as_of: str, settle_days: int = 7):
    """Return a snapshot whose segments book one deal on the 10th of each month from 2024-01 on; 0 = none."""
    rows = [("East", "2024-01-01", None, "open", 1.0)]
    for segment, values in amounts.items():
        for month, amount in enumerate(values):
            closed = f"{(JANUARY + month) // 12:04d}-{month % 12 + 1:02d}-10"
            if amount:
                rows.append((segment, "2024-01-01", closed, "won", float(amount)))
    frame = pd.DataFrame(rows, columns=["segment", "created_on", "closed_on", "outcome", "amount"])
    frame.insert(0, "opportunity_id", [f"O{i:04d}" for i in range(len(frame))])
    return make_snapshot(as_of, frame, company=Company(settle_days=settle_days))


def months_of(table: pd.DataFrame, segment: str) -> pd.DataFrame:
    return table[table["target_period"].str.contains("-") & (table["segment"] == segment)].reset_index(drop=True)


def steady(months: int, *, growth: float = 0.0, season: float = 0.0, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, 9])
    logs = 5 + growth * np.arange(months) + season * np.resize(SEASON, months) + noise * rng.standard_normal(months)
    return np.exp(logs)


# -- against the library ---------------------------------------------------------------------------------


@pytest.mark.parametrize("months", [20, 40])
def test_ets_is_the_one_of_lowest_aicc(months):
    z = np.log(steady(months, season=0.5, noise=0.2))
    fits = []
    for season in (None, "add") if months >= 24 else (None,):
        model = ETSModel(
            pd.Series(z),
            error="add",
            seasonal=season,
            seasonal_periods=12 if season else None,
            initialization_method="heuristic",
        )
        fits.append(model.fit(disp=False))
    best = min(fits, key=lambda fit: fit.aicc)
    np.testing.assert_allclose(ets_by_aicc(z, 6), best.forecast(6), rtol=1e-9)


def test_a_season_shows_from_two_years_on():
    z = np.log(steady(48, season=1.0, noise=0.1))
    assert np.ptp(ets_by_aicc(z, 12)) > 0.5
    assert np.ptp(ets_by_aicc(z[:23], 12)) < 1e-9


@pytest.mark.parametrize("months", [20, 40])
def test_theta_is_statsmodels_theta(months):
    z = np.log(steady(months, growth=0.01, season=1.0, noise=0.1))
    index = pd.period_range("2024-01", periods=months, freq="M").to_timestamp()
    by_hand = (
        ThetaModel(pd.Series(z, index), period=12, deseasonalize=months >= 24, method="additive").fit().forecast(6)
    )
    np.testing.assert_allclose(theta(z, 6), by_hand, rtol=1e-9)


@pytest.mark.parametrize(("settle_days", "first"), [(0, 21), (7, 20)])
@pytest.mark.parametrize(("name", "fit"), [(ETS, ets_by_aicc), (THETA, theta)])
def test_the_table_by_hand(name, fit, settle_days, first):
    # 36 months, 3 ahead: the past origins are months 22 to 33, each a fit of its own; 21 to 32 where the last month
    # has not settled.
    y = steady(36, season=0.5, noise=0.3)
    snap = company({"East": y}, as_of="2026-12-31", settle_days=settle_days)
    table = months_of(forecaster(name)(snap, months=3, seed=0), "East")
    origins = range(first, first + 12)
    z, shift = (part[0] for part in transform(y[None]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        past = np.array([fit(z[: origin + 1], 3) for origin in origins])
        now = fit(z, 3)
    errors = np.array([z[origin + 1 : origin + 4] for origin in origins]) - past
    mean = np.exp(now + (errors**2).mean() / 2) - shift
    np.testing.assert_allclose(table["mean"], mean, rtol=1e-9)
    assert (np.diff(table[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) > 0).all()


# -- beside ours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("season", [0.0, 1.0])
def test_ets_and_ours_agree_on_a_smooth_series(season):
    # Held to 3 %: ours mixes 120 smoothings and shrinks the season, statsmodels takes the likeliest of each.
    for seed in range(3):
        z = np.log(steady(60, season=season, noise=0.02, seed=seed))
        ours = ets_path(z[None], origins=np.array([59]), ahead=6).location[0, 0]
        np.testing.assert_allclose(ets_by_aicc(z, 6), ours, atol=0.03)


@pytest.mark.parametrize(("growth", "season"), [(0.0, 0.0), (0.01, 0.0), (0.01, 1.0)])
def test_theta_and_ours_agree_on_a_smooth_series(growth, season):
    # Held to 3 %: they differ in where the season comes from, and ours averages smoothing constants and scales.
    for seed in range(3):
        y = steady(60, growth=growth, season=season, noise=0.02, seed=seed)
        z, shift = transform(y[None])
        origins = np.array([59])
        path = ets_path(z, origins=origins, ahead=6)
        ours = theta_mixture(y[None], shift, origins=origins, ahead=6, season=path.season)[0, 0]
        np.testing.assert_allclose(theta(np.log(y), 6), np.log(ours), atol=0.03)


@pytest.mark.parametrize(("name", "ours"), [(ETS, "ets"), (THETA, "ets-theta")])
def test_the_tables_agree_on_a_steady_company(name, ours):
    snap = company(
        {s: steady(48, season=0.5, noise=0.05, seed=k) for k, s in enumerate(("East", "West"))}, as_of="2027-12-31"
    )
    theirs, own = (forecaster(model)(snap, months=6, seed=0) for model in (name, ours))
    np.testing.assert_allclose(theirs["mean"], own["mean"], rtol=0.06)
    np.testing.assert_allclose(theirs["q50"], own["q50"], rtol=0.06)


# -- what fits badly -------------------------------------------------------------------------------------


@pytest.fixture(params=[ETS, THETA])
def smoothing(request):
    return forecaster(request.param)


@pytest.mark.parametrize(
    ("months", "as_of", "why"),
    [(11, "2024-11-30", "needs 12 complete months of bookings: 11 are known"), (0, "2025-05-31", "nothing was won")],
)
def test_it_abstains_with_a_reason(smoothing, months, as_of, why):
    table = smoothing(company({"East": steady(months)}, as_of=as_of), months=3, seed=0)
    assert table["mean"].isna().all()
    assert why in table.attrs["notes"][0]


def test_too_few_past_origins_leave_quantiles_empty(smoothing):
    table = smoothing(company({"East": steady(16, noise=0.1)}, as_of="2025-04-30"), months=3, seed=0)
    assert table["mean"].notna().all()
    assert table["q50"].isna().all()
    assert "too few past origins" in table.attrs["notes"][0]


def test_a_constant_company_goes_on(smoothing):
    table = smoothing(company({"East": np.full(30, 100.0)}, as_of="2026-06-30"), months=6, seed=0)
    np.testing.assert_allclose(months_of(table, "East")[["mean", "q2.5", "q97.5"]], 100.0, rtol=1e-9)


def test_segments_that_never_booked_or_just_began(smoothing):
    amounts = {"East": steady(30, noise=0.2), "New": np.r_[np.zeros(25), np.full(5, 50.0)], "None": np.zeros(30)}
    snap = company(amounts, as_of="2026-06-30")
    table = smoothing(snap, months=3, seed=0)
    assert np.isfinite(table[["mean", *QUANTILE_COLUMNS]].to_numpy()).all()
    assert months_of(table, "New")["mean"].between(45, 75).all()
    if "None" in set(table["segment"]):
        assert (months_of(table, "None")["mean"] == 0).all()


def test_months_without_bookings_are_months_like_others(smoothing):
    gaps = steady(48, noise=0.3) * (np.arange(48) % 3 != 1)
    table = smoothing(company({"East": gaps}, as_of="2027-12-31"), months=6, seed=0)
    values = table[["mean", *QUANTILE_COLUMNS]].to_numpy()
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert months_of(table, "East")["mean"].mean() == pytest.approx(gaps.mean(), rel=0.35)


def test_what_is_booked_is_the_least_and_a_month_in_progress_is_not_fitted(smoothing):
    y = steady(20, noise=0.1)
    before = smoothing(company({"East": y}, as_of="2025-08-31"), months=3, seed=0)
    during = smoothing(company({"East": np.r_[y, 5000.0]}, as_of="2025-09-20"), months=2, seed=0)
    assert months_of(during, "East")["mean"].iloc[0] == 5000
    assert months_of(during, "East")["q2.5"].iloc[0] >= 5000 or months_of(during, "East")["q2.5"].isna().all()
    # The same fits; only the factor between median and mean is learned from a set of origins one month shorter.
    np.testing.assert_allclose(
        months_of(during, "East")["mean"].iloc[1:], months_of(before, "East")["mean"].iloc[1:3], rtol=0.02
    )


def test_months_after_an_origin_change_nothing(smoothing):
    y = steady(40, noise=0.3)
    origin = pd.Timestamp("2026-12-31").as_unit("us")
    model = smoothing(company({"East": y[:36]}, as_of="2026-12-31"), months=3, seed=0)["model"].iloc[0]
    for factor in (1.0, 100.0):
        snap = company({"East": np.r_[y[:36], y[36:] * factor]}, as_of="2027-04-30")
        (earlier,) = at_origins(model)(snap, origins=[origin], months=3, seed=0)
        alone = smoothing(company({"East": y[:36]}, as_of="2026-12-31"), months=3, seed=0)
        pd.testing.assert_frame_equal(earlier.frame(), alone)


def test_statsmodels_is_loaded_only_when_it_forecasts():
    code = (
        "import sys; from forecast.models.registry import forecaster; forecaster('ets-statsmodels');"
        "import forecast.models.baselines.statsmodels_series, forecast.models.baselines.decomposition;"
        "print('statsmodels' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
