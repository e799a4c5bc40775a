"""The baselines: numbers by hand, rates and scatter recovered, abstentions, and the names they go by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companies import make_snapshot, plain_company
from forecast.data.schema import QUANTILE_COLUMNS, Company
from forecast.errors import ParameterError
from forecast.models.baselines import series
from forecast.models.baselines.series import (
    _mean_above,
    correlated_normals,
    draws_from_errors,
    outcomes,
    settled_only,
    shared_correlation,
    transform,
)
from forecast.models.baselines.smoothing import ets_path
from forecast.models.registry import MODELS, forecaster

JANUARY = 2024 * 12


def named(name):
    def call(snap, *, months, seed=0):
        return forecaster(name)(snap, months=months, seed=seed)

    return call


ets, ets_theta = named("ets"), named("ets-theta")
seasonal_naive, stage_age = named("seasonal-naive"), named("stage-age")
stage_weighted, stage_weighted_future = named("stage-weighted"), named("stage-weighted-future")


def submitted(snap, *, submitter, months):
    return forecaster(f"submitted-{submitter}")(snap, months=months, seed=0)


def day(period: int, of_month: int) -> str:
    return f"{period // 12:04d}-{period % 12 + 1:02d}-{of_month:02d}"


def monthly(amounts: dict[str, list[float]], *, as_of: str, extra: list[tuple[str, int, float]] = ()):
    """Return a snapshot whose segments book one deal on the 10th of each month from 2024-01 on; 0 = none."""
    rows = [("East", day(JANUARY, 1), None, "open", 1.0)]
    for segment, values in amounts.items():
        for month, amount in enumerate(values):
            if amount:
                rows.append((segment, day(JANUARY, 1), day(JANUARY + month, 10), "won", amount))
    for segment, month, amount in extra:
        rows.append((segment, day(JANUARY, 1), day(JANUARY + month, 10), "won", amount))
    frame = pd.DataFrame(rows, columns=["segment", "created_on", "closed_on", "outcome", "amount"])
    frame.insert(0, "opportunity_id", [f"O{i:04d}" for i in range(len(frame))])
    return make_snapshot(as_of, frame)


def months_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["target_period"].str.contains("-")]


def means(table: pd.DataFrame, segment: str = "Total") -> list[float]:
    return months_of(table).loc[months_of(table)["segment"] == segment, "mean"].tolist()


def check(table: pd.DataFrame) -> None:
    """Hold what must be true of every forecast that has numbers."""
    assert table["mean"].notna().all()
    assert (table["mean"] >= 0).all()
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy()
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    parts = table[table["segment"] != "Total"].groupby("target_period")["mean"].sum()
    total = table[table["segment"] == "Total"].set_index("target_period")["mean"]
    np.testing.assert_allclose(parts, total[parts.index], rtol=1e-9)


# -- last year ------------------------------------------------------------------------------------------


class TestSeasonalNaive:
    def test_by_hand(self):
        snap = monthly({"East": list(range(1, 16)), "West": [10.0] * 15}, as_of="2025-03-31")
        table = seasonal_naive(snap, months=3)
        assert means(table, "East") == [4, 5, 6]
        assert means(table) == [14, 15, 16]
        # April to June 2025 are a quarter: 4 + 5 + 6 + 30.
        assert table.loc[(table["target_period"] == "FY25 Q2") & (table["segment"] == "Total"), "mean"].item() == 45

    def test_beyond_a_year_it_is_two_years_back(self):
        snap = monthly({"East": list(range(1, 13))}, as_of="2024-12-31")
        assert means(seasonal_naive(snap, months=14), "East") == [*range(1, 13), 1, 2]

    def test_what_is_booked_is_the_least(self):
        snap = monthly({"East": [5.0] * 15}, as_of="2025-04-20", extra=[("East", 15, 9.0)])
        table = seasonal_naive(snap, months=1)
        assert means(table, "East") == [9, 5]

    def test_errors_are_those_of_past_origins(self):
        rng = np.random.default_rng(0)
        base = rng.uniform(50, 150, 12)
        steady = monthly({"East": [*base, *base, *base]}, as_of="2026-12-31")
        table = seasonal_naive(steady, months=6)
        np.testing.assert_allclose(table["q2.5"], table["mean"])  # never wrong so far
        grown = monthly({"East": [*base, *base * 1.5, *base * 2.25]}, as_of="2026-12-31")
        table = months_of(seasonal_naive(grown, months=6))
        assert (table["q10"] > table["mean"]).all()  # too low every time so far

    def test_too_short(self):
        table = seasonal_naive(monthly({"East": [1.0] * 11}, as_of="2024-11-30"), months=3)
        assert table["mean"].isna().all()
        assert "11 complete months" in table.attrs["notes"][0]

    @pytest.mark.parametrize(("closes_on", "first"), [(1, "2024-07"), (10, "2024-08")])
    def test_no_last_year_no_forecast(self, closes_on, first):
        # Deals of January 2024, and closures recorded from July 2024 on: what spring brought is not known, and not 0.
        # Where the first closure is of 10 July, July was not recorded from its beginning.
        rows = [
            ("East", day(JANUARY, 1), day(JANUARY + month, closes_on), "won", 7.0)
            for month in range(6, 15)
            for _ in range(4)
        ]
        frame = pd.DataFrame(rows, columns=["segment", "created_on", "closed_on", "outcome", "amount"])
        frame.insert(0, "opportunity_id", [f"O{i:04d}" for i in range(len(frame))])
        snap = make_snapshot("2025-03-31", frame)
        table = seasonal_naive(snap, months=6)
        assert table["mean"].isna().all()
        assert table.attrs["notes"] == [
            f"seasonal-naive needs the same month a year before: bookings are recorded from {first} on."
        ]
        whole = seasonal_naive(make_snapshot("2025-07-31", frame), months=2)
        assert means(whole, "East") == [28.0, 28.0]


# -- smoothing ------------------------------------------------------------------------------------------


@pytest.fixture(params=["ets", "ets-theta"])
def smoothing(request):
    return named(request.param)


class TestEts:
    def test_the_scale_by_hand(self):
        y = np.array([[0.0, 0.0, 2.0, 0.0, 4.0], [0.0] * 5])
        z, shift = transform(y)
        assert shift.tolist() == [3, 1]
        np.testing.assert_allclose(z[0], [np.nan, np.nan, np.log(5), np.log(3), np.log(7)])
        assert np.isnan(z[1]).all()

    def test_the_mean_cut_at_the_strike(self):
        z = 1.0 + 0.7 * np.random.default_rng(0).standard_normal(2_000_000)
        simulated = np.maximum(np.exp(z) - 3.0, 0).mean()
        assert _mean_above(np.array(1.0), np.array(0.7), np.array(3.0)) == pytest.approx(simulated, rel=0.01)
        assert _mean_above(np.array(1.0), np.array(0.0), np.array(2.0)) == pytest.approx(np.e - 2)

    def test_a_constant_company_goes_on(self, smoothing):
        table = smoothing(monthly({"East": [100.0] * 30, "West": [40.0] * 30}, as_of="2026-06-30"), months=6)
        check(table)
        np.testing.assert_allclose(means(table), 140, rtol=1e-3)
        np.testing.assert_allclose(months_of(table)["q50"], months_of(table)["mean"], rtol=1e-2)

    def test_mean_and_scatter_are_recovered(self, smoothing):
        rng = np.random.default_rng(5)
        y = {f"S{i}": rng.lognormal(4, 0.5, 60).tolist() for i in range(8)}
        table = smoothing(monthly(y, as_of="2028-12-31"), months=6)
        check(table)
        one = months_of(table)[lambda t: t["segment"].str.startswith("S")]
        truth = np.exp(4 + 0.125)
        assert one["mean"].mean() == pytest.approx(truth, rel=0.1)
        assert one["q90"].mean() == pytest.approx(np.exp(4 + 0.5 * 1.2816), rel=0.15)
        assert one["q10"].mean() == pytest.approx(np.exp(4 - 0.5 * 1.2816), rel=0.15)
        total = months_of(table)[lambda t: t["segment"] == "Total"]
        spread = (total["q90"] - total["q10"]).mean()
        together = np.quantile(rng.lognormal(4, 0.5, (20_000, 8)).sum(axis=1), [0.1, 0.9])
        assert spread == pytest.approx(together[1] - together[0], rel=0.3)

    def test_segments_that_move_together_widen_the_total(self, smoothing):
        rng = np.random.default_rng(6)
        shared = np.exp(rng.normal(4, 0.5, 48))
        apart = {f"S{i}": np.exp(rng.normal(4, 0.5, 48)).tolist() for i in range(4)}
        together = {f"S{i}": (shared * np.exp(rng.normal(0, 0.05, 48))).tolist() for i in range(4)}

        def spread(amounts):
            table = months_of(smoothing(monthly(amounts, as_of="2027-12-31"), months=3))
            total = table[table["segment"] == "Total"]
            return ((total["q90"] - total["q10"]) / total["q50"]).mean()

        assert spread(together) > 1.5 * spread(apart)

    def test_what_is_booked_is_the_least(self, smoothing):
        snap = monthly({"East": [100.0] * 20}, as_of="2025-09-20", extra=[("East", 20, 500.0)])
        table = smoothing(snap, months=2)
        assert means(table, "East")[0] == pytest.approx(500, rel=1e-3)
        assert (table.loc[table["horizon"] == 0, "q2.5"].iloc[0]) >= 500

    def test_a_month_in_progress_is_not_fitted(self, smoothing):
        # August has settled on either day, so that errors are learned from the same months.
        before = monthly({"East": [100.0, 60.0] * 10}, as_of="2025-08-31")
        before = smoothing(replace(before, company=Company(settle_days=0)), months=3)
        during = smoothing(monthly({"East": [100.0, 60.0] * 10}, as_of="2025-09-20"), months=2)
        np.testing.assert_allclose(means(during), means(before))

    def test_errors_of_months_that_have_not_settled_are_not_known(self):
        # On 31 August with 45 settle days, July and August wait.
        snap = replace(monthly({"East": [5.0] * 20}, as_of="2025-08-31"), company=Company(settle_days=45))
        known = settled_only(snap.state, np.full((1, 20), 5.0))
        np.testing.assert_array_equal(known, [[5.0] * 18 + [np.nan] * 2])
        actual = outcomes(known, np.array([15, 16]), 3)
        np.testing.assert_array_equal(actual, [[[5.0, 5.0, np.nan]], [[5.0, np.nan, np.nan]]])

    def test_a_segment_born_last_month_borrows_the_others_scatter(self, smoothing):
        east = np.random.default_rng(0).lognormal(4, 0.5, 24).tolist()
        table = smoothing(monthly({"East": east, "New": [0.0] * 23 + [50.0]}, as_of="2025-12-31"), months=3)
        check(table)
        new, old = (months_of(table)[lambda t, s=s: t["segment"] == s] for s in ("New", "East"))
        assert new["q50"].between(35, 70).all()
        # One month is all that is known of its level: an error more than the others have.
        relative = [((one["q90"] - one["q10"]) / one["q50"]).mean() for one in (new, old)]
        assert 0.9 < relative[0] / relative[1] < 2.5

    def test_a_segment_that_never_booked_is_expected_to_book_nothing(self, smoothing):
        snap = monthly({"East": [0.0] * 24, "West": [100.0, 80.0] * 12}, as_of="2025-12-31")
        table = smoothing(snap, months=3)
        check(table)
        assert means(table, "East") == [0, 0, 0]

    @pytest.mark.parametrize(
        ("amounts", "as_of", "why"),
        [([1.0] * 5, "2024-05-31", "needs 6 complete months"), ([], "2025-05-31", "nothing was won")],
    )
    def test_abstains(self, smoothing, amounts, as_of, why):
        table = smoothing(monthly({"East": amounts}, as_of=as_of), months=3)
        assert table["mean"].isna().all()
        assert why in table.attrs["notes"][0]

    def test_the_same_seed_gives_the_same_table_and_the_mean_needs_none(self, smoothing):
        snap = monthly({"East": list(range(1, 31)), "West": [3.0, 9.0] * 15}, as_of="2026-06-30")
        one, same, other = (smoothing(snap, months=6, seed=seed) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(one, same)
        assert (one["mean"] == other["mean"]).all()
        assert (one["q90"] != other["q90"]).any()


class TestEtsTheta:
    def moved(self, snap, *, months: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the numbers of `ets` and of the pool by month and segment, nothing cut off by what is booked."""
        both = [months_of(model(snap, months=months)) for model in (ets, ets_theta)]
        return tuple(table.set_index(["target_period", "segment"]).drop(index="Total", level=1) for table in both)

    def growing(self) -> dict[str, list[float]]:
        rng = np.random.default_rng(9)
        rates = {"East": 0.02, "West": -0.015}
        return {s: np.exp(5 + rate * np.arange(40) + rng.normal(0, 0.2, 40)).tolist() for s, rate in rates.items()}

    def test_the_median_of_the_pool_by_hand(self):
        amounts = self.growing()
        z, shift = transform(np.array([amounts["East"][:20]]))
        table = months_of(ets_theta(monthly({"East": amounts["East"][:20]}, as_of="2025-08-31"), months=3))
        path = ets_path(z, origins=np.array([19]), ahead=3)
        y = np.array(amounts["East"][:20])  # twenty months: no season shows
        summed, weights = np.zeros(3), np.zeros(3)
        for share in (0.03, 0.2, 1.0):
            x = np.log(y / shift[0] + share)
            slope = np.polyfit(np.arange(20), x, 1)[0]
            for alpha in (0.02, 0.06, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9):
                level, squares = x[0], 0.0
                for value in x[1:]:
                    squares += (value - level) ** 2
                    level += alpha * (value - level)
                theta = level + slope / 2 * (np.arange(3) + (1 - (1 - alpha) ** 20) / alpha)
                weight = squares ** (-19 / 2) * np.exp(-x.sum() - (12 + 2 * np.arange(1, 4)) * alpha)
                summed, weights = summed + weight * shift[0] * (np.exp(theta) - share), weights + weight
        centre = (np.exp(path.location[0, 0]) - shift[0] + summed / weights) / 2
        np.testing.assert_allclose(path.season, 0, atol=1e-6)
        east = table[table["segment"] == "East"]
        np.testing.assert_allclose(east["q50"], centre, rtol=2e-3)

    def test_every_quantile_of_ets_is_moved_by_the_same_step_of_logs(self):
        amounts = self.growing()
        own, pool = self.moved(monthly(amounts, as_of="2027-04-30"), months=6)
        shift = dict(zip(amounts, transform(np.array(list(amounts.values())))[1], strict=True))
        add = own.index.get_level_values("segment").map(shift).to_numpy(dtype=float)[:, None]
        columns = [name for name in QUANTILE_COLUMNS if (own[name] > 0).all() and (pool[name] > 0).all()]
        assert len(columns) >= 5
        step = np.log(pool[columns] + add) - np.log(own[columns] + add)
        np.testing.assert_allclose(step, np.repeat(step[["q50"]].to_numpy(), len(columns), axis=1), atol=2e-3)
        assert (step["q50"].abs() > 0.005).any()

    def test_the_mean_is_that_of_the_law_moved(self):
        snap = monthly(self.growing(), as_of="2027-04-30")
        table = months_of(ets_theta(snap, months=6))
        # Two thousand draws in mirrored pairs: their mean is near that of the law; a mean not moved would be off.
        view = next(snap.ledger.walk([snap.as_of]))
        kept = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(series, "from_draws", lambda *_, draws, mean, **__: kept.append((draws, mean)))
            for model in (series.ets, series.ets_theta):
                model(view, months=6, seed=0)
        (before, mean_before), (draws, mean) = kept
        np.testing.assert_allclose(draws.mean(axis=0), mean, rtol=0.02)
        np.testing.assert_allclose(mean / mean_before, draws.mean(axis=0) / before.mean(axis=0), rtol=2e-3)
        assert np.abs(mean / mean_before - 1).max() > 0.01
        np.testing.assert_allclose(table[table["segment"] == "East"]["mean"], mean[0])

    def test_the_reasons_are_those_of_ets(self):
        for amounts, as_of in (([1.0] * 5, "2024-05-31"), ([], "2025-05-31")):
            snap = monthly({"East": amounts}, as_of=as_of)
            notes = [model(snap, months=3).attrs["notes"] for model in (ets, ets_theta)]
            assert notes[1] == [note.replace("ets", "ets-theta") for note in notes[0]]


# -- draws ----------------------------------------------------------------------------------------------


class TestDraws:
    def test_no_errors_no_spread(self):
        past = np.random.default_rng(0).uniform(1, 2, (8, 2, 3))
        mean = np.ones((2, 3))
        draws = draws_from_errors(mean, past, past, floor=np.zeros((2, 3)), rng=np.random.default_rng(1))
        np.testing.assert_allclose(draws, 1)

    def test_scatter_is_that_of_the_errors(self):
        rng = np.random.default_rng(2)
        past = np.full((400, 2, 1), 100.0)
        actual = past + rng.normal(0, 10, past.shape)
        draws = draws_from_errors(past[0], past, actual, floor=np.zeros((2, 1)), rng=rng, n=20_000)
        # Each draw has 0.35 of a second error: sd 10 x sqrt(1 + .35^2).
        np.testing.assert_allclose(draws.std(axis=0), 10 * np.hypot(1, 0.35), rtol=0.07)
        np.testing.assert_allclose(draws.mean(axis=0), 100, rtol=0.02)

    def test_too_few_origins(self):
        past = np.ones((9, 1, 2))
        actual = past.copy()
        actual[5:, 0, 1] = np.nan  # five whole origins
        assert draws_from_errors(past[0], past, actual, floor=past[0] * 0, rng=np.random.default_rng(0)) is None

    def test_no_draw_below_the_floor(self):
        past = np.full((8, 1, 1), 5.0)
        draws = draws_from_errors(past[0], past, past * 0, floor=np.array([[2.0]]), rng=np.random.default_rng(0))
        assert (draws == 2).all()

    def test_correlation_is_recovered_and_shrunk(self):
        rng = np.random.default_rng(3)
        truth = np.array([[1, 0.6, 0.1], [0.6, 1, 0.1], [0.1, 0.1, 1]])
        errors = rng.multivariate_normal(np.zeros(3), truth, 4000)
        np.testing.assert_allclose(shared_correlation(errors), truth, atol=0.04)
        few = shared_correlation(errors[:5])
        assert np.linalg.eigvalsh(few).min() > 0
        np.testing.assert_allclose(np.diag(few), 1)

    def test_draws_have_the_covariance_asked_for(self):
        along = np.array([[[1.0, 0.5], [0.5, 2.0]], [[4.0, 0.0], [0.0, 1.0]]])
        across = np.array([[1.0, 0.7], [0.7, 1.0]])
        draws = correlated_normals(across, along, rng=np.random.default_rng(4), n=200_000)
        np.testing.assert_allclose(draws.mean(axis=0), 0, atol=1e-12)
        for segment in (0, 1):
            np.testing.assert_allclose(np.cov(draws[:, segment].T), along[segment], atol=0.04)
        first = np.corrcoef(draws[:, 0, 0], draws[:, 1, 0])[0, 1]
        assert 0.6 < first < 0.72


# -- stages ---------------------------------------------------------------------------------------------


def staged(rows: list[tuple], *, as_of: str):
    """Return a snapshot of deals: segment, created_on, amount, expected_close_on, (stage, day) changes in order."""
    deals, history = [], []
    for number, (segment, created_on, amount, due, changes) in enumerate(rows):
        key = f"O{number:04d}"
        for stage, when in changes:
            history.append((key, when, stage, amount, due))
        last, when = changes[-1]
        outcome = {"Closed won": "won", "Closed lost": "lost"}.get(last, "open")
        closed = None if outcome == "open" else when
        deals.append((key, segment, created_on, last, amount, due, outcome, closed))
    columns = [
        "opportunity_id",
        "segment",
        "created_on",
        "stage",
        "amount",
        "expected_close_on",
        "outcome",
        "closed_on",
    ]
    past = pd.DataFrame(history, columns=["opportunity_id", "recorded_on", "stage", "amount", "expected_close_on"])
    return make_snapshot(as_of, pd.DataFrame(deals, columns=columns), past)


def closed_pairs(won: int, lost: int, *, late: bool, on: str = "2025-02-15") -> list[tuple]:
    """Return closed deals that began on 2025-01-05, in Early or through Late."""
    path = [("Early", "2025-01-05"), *([("Late", "2025-01-20")] if late else [])]
    ends = ["Closed won"] * won + ["Closed lost"] * lost
    return [("East", "2025-01-05", 10.0, "2025-02-20", [*path, (end, on)]) for end in ends]


class TestStageWeighted:
    def rows(self) -> list[tuple]:
        return [
            *closed_pairs(2, 6, late=False),
            *closed_pairs(8, 4, late=True),
            ("East", "2025-01-10", 100.0, "2025-05-20", [("Early", "2025-01-10")]),  # due in month 2
            ("East", "2025-01-10", 40.0, "2025-04-20", [("Early", "2025-01-10"), ("Late", "2025-02-01")]),
            ("East", "2025-01-10", 500.0, "2025-03-20", [("Early", "2025-01-10"), ("Late", "2025-02-01")]),  # overdue
            ("West", "2025-01-10", 60.0, "2025-04-02", [("Early", "2025-01-10"), ("Late", "2025-02-01")]),
            ("West", "2025-01-10", 1000.0, None, [("Early", "2025-01-10")]),  # no date
            ("West", "2025-01-10", 1000.0, "2026-01-10", [("Early", "2025-01-10")]),  # due later than is asked
        ]

    def test_by_hand(self):
        table = stage_weighted(staged(self.rows(), as_of="2025-03-31"), months=2)
        overall = (10 + 0.5) / (20 + 2)
        early = (10 + 5 * overall) / (20 + 5)  # all 20 closed deals passed Early
        late = (8 + 5 * overall) / (12 + 5)
        np.testing.assert_allclose(means(table, "East"), [40 * late, 100 * early])
        np.testing.assert_allclose(means(table, "West"), [60 * late, 0])
        assert table[list(QUANTILE_COLUMNS)].isna().all(axis=None)
        assert "too few past origins" in table.attrs["notes"][0]
        np.testing.assert_allclose(table["open_pipeline"] + table["booked"], table["mean"])

    def test_mid_month_what_is_booked_comes_on_top(self):
        rows = [
            *self.rows(),
            ("East", "2025-01-05", 7.0, "2025-04-05", [("Early", "2025-01-05"), ("Closed won", "2025-04-02")]),
        ]
        table = stage_weighted(staged(rows, as_of="2025-04-10"), months=1)
        month = table[(table["target_period"] == "2025-04") & (table["segment"] == "East")].iloc[0]
        assert month["booked"] == 7
        assert month["mean"] == pytest.approx(7 + month["open_pipeline"])

    def test_without_history_it_abstains(self):
        snap = make_snapshot("2021-12-31", plain_company(deals=200, months=24, seed=1))
        for model in (stage_weighted, stage_weighted_future, stage_age):
            table = model(snap, months=3)
            assert table["mean"].isna().all()
            assert "opportunity_history" in table.attrs["notes"][0]

    def test_without_closed_deals_it_abstains(self):
        table = stage_weighted(staged(self.rows()[:3] + self.rows()[20:], as_of="2025-03-31"), months=2)
        assert table["mean"].isna().all()
        assert "10 closed deals" in table.attrs["notes"][0]


def with_history(deals: pd.DataFrame):
    """Give every deal of a plain company the stage Early at creation and its closing stage when it closed."""
    known = deals[deals["outcome"] != "open"]
    names = {"won": "Closed won", "lost": "Closed lost"}
    first = deals[["opportunity_id", "created_on", "amount"]].rename(columns={"created_on": "recorded_on"})
    then = known[["opportunity_id", "closed_on", "amount"]].rename(columns={"closed_on": "recorded_on"})
    both = pd.concat([first.assign(stage="Early"), then.assign(stage=known["outcome"].map(names))])
    both["expected_close_on"] = "2022-01-15"
    both = both.sort_values(["opportunity_id", "recorded_on"], ignore_index=True)
    deals = deals.assign(stage=deals["outcome"].map(names).fillna("Early"), expected_close_on="2022-01-15")
    return deals, both


class TestRatesAreRecovered:
    """Deals are won with chance .15 and lost with .15 in each month after the one they are created in."""

    # Every closure is recorded on its day, so that no month has to wait.
    at_once = Company(settle_days=0)
    snap = make_snapshot("2021-12-31", *with_history(plain_company(deals=24_000, months=24, seed=2)), company=at_once)
    open_now = int((snap.opportunities["outcome"] == "open").sum())

    def test_stage_age(self):
        table = months_of(stage_age(self.snap, months=6))
        total = table[table["segment"] == "Total"]
        steps = np.arange(6)
        np.testing.assert_allclose(total["open_pipeline"], self.open_now * 100 * 0.15 * 0.7**steps, rtol=0.06)
        # 1,000 created a month; those of month i are won in month h > i with chance .15 x .7^(h - i - 1).
        new = [1000 * 100 * sum(0.15 * 0.7**k for k in range(step)) for step in steps]
        np.testing.assert_allclose(total["not_yet_created"], new, rtol=0.06, atol=1e-9)
        assert (total["q10"] < total["mean"]).all()
        assert (total["mean"] < total["q90"]).all()

    def test_stage_weighted(self):
        table = months_of(stage_weighted(self.snap, months=2))
        total = table[table["segment"] == "Total"]
        assert total["mean"].iloc[0] == pytest.approx(self.open_now * 100 * 0.5, rel=0.03)  # all are due in January
        assert total["mean"].iloc[1] == 0
        future = months_of(stage_weighted_future(self.snap, months=2))
        future = future[future["segment"] == "Total"]
        np.testing.assert_allclose(future["not_yet_created"], [0, 15_000], rtol=0.06)
        np.testing.assert_allclose(future["mean"], total["mean"].to_numpy() + future["not_yet_created"].to_numpy())


# -- submitted ------------------------------------------------------------------------------------------


class TestSubmitted:
    def snap(self, rows: str, as_of: str = "2025-03-31"):
        lines = [line.split() for line in rows.strip().splitlines()]
        frame = pd.DataFrame(
            lines, columns=["submitted_on", "target_period", "segment", "submitter", "category", "amount"]
        )
        frame["category"] = frame["category"].mask(frame["category"] == ".")
        frame["submitted_on"] = pd.to_datetime(frame["submitted_on"]).astype("datetime64[us]")
        frame["amount"] = frame["amount"].astype(float)
        both = monthly({"East": [1.0] * 15, "West": [1.0] * 15}, as_of=as_of)
        return replace(both, submitted_forecasts=frame)

    ROWS = """
        2025-02-27 2025-04 East sales commit 1
        2025-03-05 2025-04 East sales commit 2
        2025-03-20 2025-04 East sales Commit 3
        2025-03-21 2025-04 East sales best-case 9
        2025-03-05 2025-04 West sales commit 4
        2025-03-05 2025-05 East sales commit 5
        2025-03-05 2025-03 East sales commit 6
        2025-03-05 2025-04 East joint commit 7
    """

    def test_the_last_commit_of_the_month_counts(self):
        table = submitted(self.snap(self.ROWS), submitter="sales", months=2)
        np.testing.assert_equal(means(table, "East"), [3, 5])
        np.testing.assert_equal(means(table, "West"), [4, np.nan])
        np.testing.assert_equal(means(table), [7, np.nan])
        assert set(table["model"]) == {"submitted-sales"}
        assert table[list(QUANTILE_COLUMNS)].isna().all(axis=None)
        np.testing.assert_equal(means(submitted(self.snap(self.ROWS), submitter="joint", months=2)), [np.nan, np.nan])

    def test_mid_month_the_month_in_progress_is_a_target(self):
        table = submitted(self.snap(self.ROWS, as_of="2025-03-30"), submitter="sales", months=1)
        np.testing.assert_equal(means(table, "East"), [6, 3])

    def test_without_categories_every_row_counts(self):
        table = submitted(self.snap("2025-03-05 2025-04 East sales . 4"), submitter="sales", months=1)
        assert means(table, "East") == [4]

    def test_nothing_submitted(self):
        table = submitted(self.snap("2025-02-05 2025-04 East sales . 4"), submitter="sales", months=1)
        assert table["mean"].isna().all()
        assert "submitted nothing" in table.attrs["notes"][0]
        none = submitted(monthly({"East": [1.0] * 3}, as_of="2024-03-31"), submitter="sales", months=1)
        assert "needs the table submitted_forecasts" in none.attrs["notes"][0]


# -- all of them ----------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    deals=st.integers(1, 120),
    seed=st.integers(0, 10**6),
    last_day=st.sampled_from(["2021-12-31", "2022-01-11", "2020-02-29"]),
    amount=st.sampled_from([0.0, 1.0, 1e9]),
)
def test_numbers_or_a_reason_never_both_and_never_nonsense(deals, seed, last_day, amount):
    company = plain_company(deals=deals, months=24, seed=seed, segments=3, amount=amount)
    company = company[pd.to_datetime(company["created_on"]) <= last_day]
    closed = pd.to_datetime(company["closed_on"])
    company["outcome"] = company["outcome"].mask(closed > last_day, "open")
    company["closed_on"] = company["closed_on"].mask(closed > last_day)
    if company.empty:
        return
    snap = make_snapshot(last_day, *with_history(company.reset_index(drop=True)))
    for name in ("seasonal-naive", "ets", "ets-theta", "stage-weighted", "stage-weighted-future", "stage-age"):
        table = forecaster(name)(snap, months=3, seed=0)
        if table["mean"].isna().any():
            assert table["mean"].isna().all(), name
            assert table.attrs["notes"], name
        elif table["q50"].isna().any():
            assert table["q50"].isna().all(), name
            assert table.attrs["notes"], name
        else:
            check(table)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0"])
def test_seeds_that_are_none(seed):
    snap = monthly({"East": [1.0] * 15}, as_of="2025-03-31")
    for name in ("seasonal-naive", "ets", "ets-theta", "ets-statsmodels", "stage-weighted"):
        with pytest.raises(ParameterError, match="seed"):
            forecaster(name)(snap, months=3, seed=seed)


@pytest.mark.slow
def test_every_name_leads_to_a_forecaster():
    snap = make_snapshot("2021-12-31", *with_history(plain_company(deals=2000, months=24, seed=3, segments=2)))
    for name in (*MODELS, "submitted-sales"):
        table = forecaster(name)(snap, months=2, seed=0)
        assert set(table["model"]) == {name}
        assert table["horizon"].max() == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("etss", "did you mean 'ets'"),
        ("stage-weigthed", "'stage-weighted'"),
        ("submitted-", "submitted-sales"),
        ("", "known"),
    ],
)
def test_unknown_names_are_refused(name, hint):
    with pytest.raises(ParameterError, match=hint):
        forecaster(name)
