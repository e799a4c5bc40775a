"""Errors as innovations: scaled and filled by hand, against GLS and a Gaussian process, an effect taken out exactly."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from forecast.evaluation.planning.inference.histories import BENCHMARK_SHIFT, MEAN, SHIFTS, Histories, Innovations
from forecast.evaluation.planning.inference.randomisation import NEVER, treatment

DATES = np.array([12, 14, 17, 20, NEVER, NEVER])


def drawn(seed: int, *, months: np.ndarray | None = None, missing: float = 0.0, effect: float = 0.0) -> Histories:
    rng = np.random.default_rng(seed)
    at = np.arange(30) if months is None else months
    observed = rng.random((6, len(at))) >= missing
    error, benchmark = np.abs(rng.standard_t(4, (2, 6, len(at))))
    treated = treatment(DATES, at)
    return Histories(observed, at, error * np.exp(effect * treated), benchmark, treated)


def outcome_of(of: Histories, left: Innovations) -> np.ndarray:
    """Return the outcome less what the benchmark explains, from its innovations; (S, T)."""
    return left.values[0] @ np.linalg.inv(of.structures.whiten[left.structure[0]]).T


def test_two_segments_and_three_months_by_hand():
    # Means 2 and 20; over them .5, 1, 1.5 and 1.5, .5, 1. Without the mean of the two: half the difference.
    error = np.array([[1.0, 2.0, 3.0], [30.0, 10.0, 20.0]])
    treated = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    of = Histories(np.ones((2, 3), dtype=bool), np.arange(3), error, np.ones((2, 3)), treated)
    plain = of.at_shift(np.zeros(1), shift=MEAN, benchmark=False)
    assert outcome_of(of, plain)[0] == pytest.approx([-0.5, 0.25, 0.25])
    assert plain.response == pytest.approx(1.0)  # of the mean itself: as many per cent as the errors
    logs = of.at_shift(np.zeros(1), shift=1.0, benchmark=False)
    assert outcome_of(of, logs)[0] == pytest.approx(np.log([1.5 / 2.5, 2 / 1.5, 2.5 / 2]) / 2)
    assert outcome_of(of, logs)[1] == pytest.approx(-np.log([1.5 / 2.5, 2 / 1.5, 2.5 / 2]) / 2)
    # log(r + 1) moves by r / (r + 1) of a small relative change: 1/3, 1/2, 3/5 twice, in the mean.
    assert logs.response == pytest.approx((1 / 3 + 1 / 2 + 3 / 5) / 3)
    # A half taken out where planning was in force: 1, 2, 6 with a mean of 3.
    half = of.at_shift(np.log([0.5]), shift=MEAN, benchmark=False)
    assert outcome_of(of, half)[0] == pytest.approx(np.array([1 / 3 - 1.5, 2 / 3 - 0.5, 2 - 1.0]) / 2)


def test_an_effect_taken_out_leaves_what_was_there_before():
    plain, moved = drawn(3, missing=0.1), drawn(3, missing=0.1, effect=-0.4)
    for shift in (*SHIFTS, MEAN):
        one, two = plain.at_shift(np.zeros(1), shift=shift), moved.at_shift(np.array([-0.4]), shift=shift)
        assert two.values == pytest.approx(one.values, abs=1e-9)
        assert two.structure == one.structure
        assert two.response == pytest.approx(one.response)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-8, 0.1, 1e3]), st.sampled_from([0.0, 0.1]))
def test_what_a_segment_usually_misses_does_not_matter(seed: int, factor: float, missing: float):
    rng = np.random.default_rng(seed)
    observed = rng.random((4, 20)) >= missing
    error, benchmark = np.abs(rng.standard_t(4, (2, 4, 20)))
    treated, level = np.zeros((4, 20)), factor * np.array([1.0, 7.0, 0.2, 30.0])[:, None]
    one = Histories(observed, np.arange(20), error, benchmark, treated)
    two = Histories(observed, np.arange(20), error * level, benchmark / level, treated)
    precision = np.ones(len(one.structures.shares))
    first, second = (each.innovations(np.zeros(1), precision=precision) for each in (one, two))
    assert second.values == pytest.approx(first.values, abs=1e-8)
    assert (second.structure, second.shift) == (first.structure, first.shift)
    assert two.of_benchmark().values == pytest.approx(one.of_benchmark().values, abs=1e-8)


def test_a_month_missing_is_filled_with_what_a_gaussian_process_expects():
    rng = np.random.default_rng(6)
    observed = rng.random((3, 14)) >= 0.25
    observed[:, 0] = observed[0] = True
    error = np.exp(rng.normal(size=(3, 14)))
    of = Histories(observed, np.arange(14), error, np.ones((3, 14)), np.zeros((3, 14)))
    # By other means: usual = segment and month by least squares; the rest is noise and a spell that fades by .8.
    means = np.array([row[there].mean() for row, there in zip(error, observed, strict=True)])
    values = np.log(error / means[:, None] + 0.5)
    segment, month = np.nonzero(observed)
    dummies = np.column_stack([segment[:, None] == np.arange(3), month[:, None] == np.arange(14)]).astype(float)
    beta = np.linalg.lstsq(dummies, values[observed], rcond=None)[0]
    usual = beta[:3, None] + beta[None, 3:]
    filled = np.where(observed, values, 0.0)
    kernel = ConstantKernel(0.5, "fixed") * Matern(-1 / np.log(0.8), "fixed", nu=0.5)
    for s in range(3):
        there = np.flatnonzero(observed[s])
        process = GaussianProcessRegressor(kernel, alpha=0.5, optimizer=None)
        process.fit(there[:, None], (values - usual)[s, there])
        absent = np.flatnonzero(~observed[s])
        if len(absent):
            filled[s, absent] = usual[s, absent] + process.predict(absent[:, None])
    assert (~observed).sum() >= 4
    left = of.at_shift(np.zeros(1), shift=0.5, benchmark=False)
    assert outcome_of(of, left) == pytest.approx(filled - filled.mean(axis=0), abs=1e-9)


def test_what_stands_in_a_missing_month_is_never_seen():
    rng = np.random.default_rng(9)
    observed = rng.random((6, 30)) >= 0.2
    error, benchmark = np.abs(rng.standard_t(4, (2, 6, 30)))
    treated = treatment(DATES, np.arange(30))
    other = [np.where(observed, values, junk) for values, junk in ((error, 1e9), (benchmark, 0.0))]
    one = Histories(observed, np.arange(30), error, benchmark, treated)
    two = Histories(observed, np.arange(30), *other, treated)
    precision = np.ones(len(one.structures.shares))
    first, second = (each.innovations(np.array([0.0, 0.3]), precision=precision) for each in (one, two))
    assert (first.values == second.values).all()


def test_the_benchmark_is_a_covariate_in_its_month_and_by_its_neighbours():
    months = np.array([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13])
    rng = np.random.default_rng(12)
    benchmark = np.abs(rng.standard_t(5, (5, 12)))
    error = 0.3 * np.abs(rng.standard_t(5, (5, 12))) + 0.5 * benchmark
    of = Histories(np.ones((5, 12), dtype=bool), months, error, benchmark, np.zeros((5, 12)))
    shift = 0.5
    left = of.at_shift(np.zeros(1), shift=shift)
    own = np.log(benchmark / benchmark.mean(axis=1, keepdims=True) + shift)
    near = np.empty((5, 12))
    for t, month in enumerate(months):
        inside = (months != month) & (np.abs(months - month) <= 2)
        near[:, t] = own[:, inside].mean(axis=1)
    y = np.log(error / error.mean(axis=1, keepdims=True) + shift)
    variance = np.linalg.inv(of.structures.precision[left.structure[0]].reshape(12, 12))
    dummies = np.tile(np.eye(12), (5, 1))
    x = np.column_stack([own.ravel(), near.ravel(), dummies])
    model = sm.GLS(y.ravel(), x, sigma=np.kron(np.eye(5), variance)).fit()
    assert outcome_of(of, left) == pytest.approx(model.resid.reshape(5, 12), abs=1e-7)
    assert left.variance[0] == pytest.approx(model.ssr / (4 * 11))


def test_where_the_benchmark_explains_everything_nothing_is_left():
    rng = np.random.default_rng(1)
    error = np.abs(rng.standard_t(4, (4, 20)))
    of = Histories(np.ones((4, 20), dtype=bool), np.arange(20), error, 3 * error, np.zeros((4, 20)))
    assert of.at_shift(np.zeros(1), shift=1.0).values == pytest.approx(0, abs=1e-5)


def test_the_shift_is_the_one_at_which_a_change_stands_out_most():
    of = drawn(7)
    precision = np.linspace(1, 2, len(of.structures.shares))
    effects = np.array([0.0, -0.3, 1.0])
    found = of.innovations(effects, precision=precision)
    each = [of.at_shift(effects, shift=shift) for shift in SHIFTS]
    clear = np.array([one.response * np.sqrt(precision[one.structure] / one.variance) for one in each])
    for k in range(3):
        best = int(clear[:, k].argmax())
        assert found.shift[k] == SHIFTS[best]
        assert found.values[k] == pytest.approx(each[best].values[k])
        assert found.response[k] == each[best].response[k]


@pytest.mark.slow
def test_where_gross_misses_are_frequent_the_logarithm_is_wanted_and_else_the_mean():
    # Errors that are all but normal want a large shift, errors with e^N(0, 1) tails a small one.
    rng = np.random.default_rng(2)
    treated, precision = np.zeros((8, 48)), np.ones(55)
    chosen = {}
    for name, error in {
        "even": 1 + 0.1 * rng.normal(size=(30, 8, 48)),
        "gross": np.exp(rng.normal(size=(30, 8, 48))),
    }.items():
        of = [Histories(np.ones((8, 48), dtype=bool), np.arange(48), each, np.ones((8, 48)), treated) for each in error]
        precision = np.ones(len(of[0].structures.shares))
        chosen[name] = np.median([each.innovations(np.zeros(1), precision=precision).shift[0] for each in of])
    assert chosen["gross"] == min(SHIFTS)
    assert chosen["even"] >= 2.0


def test_panels_stacked_under_a_structure_already_chosen_give_what_each_gives_alone():
    rng = np.random.default_rng(3)
    error, benchmark = np.abs(rng.standard_t(4, (2, 3, 6, 30)))
    everywhere, months, treated = np.ones((6, 30), dtype=bool), np.arange(30), treatment(DATES, np.arange(30))
    stacked = Histories(everywhere, months, error, benchmark, treated).under(structure=7, shift=1.0)
    for k in range(3):
        alone = Histories(everywhere, months, error[k], benchmark[k], treated)
        one = alone.under(structure=7, shift=1.0)
        assert stacked.values[k] == pytest.approx(one.values[0])
        assert stacked.variance[k] == pytest.approx(one.variance[0])
        # Where that structure is the one that fits best, nothing else was chosen either.
        free = alone.at_shift(np.zeros(1), shift=1.0)
        again = alone.under(structure=int(free.structure[0]), shift=1.0)
        assert again.values == pytest.approx(free.values, abs=1e-6)


def test_the_benchmark_by_itself_knows_no_effect_and_no_error():
    rng = np.random.default_rng(4)
    benchmark, everywhere = np.abs(rng.standard_t(4, (6, 30))), np.ones((6, 30), dtype=bool)
    found = [
        Histories(everywhere, np.arange(30), error, benchmark, treatment(DATES, np.arange(30))).of_benchmark()
        for error in np.abs(rng.standard_t(4, (2, 6, 30)))
    ]
    assert (found[0].values == found[1].values).all()
    assert found[0].shift.tolist() == [BENCHMARK_SHIFT]


@pytest.mark.parametrize("error", [np.zeros((6, 30)), np.full((6, 30), 0.3), np.full((6, 30), 1e-300)])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_errors_that_never_vary_have_no_innovations(error: np.ndarray, missing: float):
    observed = np.random.default_rng(1).random((6, 30)) >= missing
    of = Histories(observed, np.arange(30), error, np.zeros((6, 30)), treatment(DATES, np.arange(30)))
    for found in (of.innovations(np.zeros(1), precision=np.ones(len(of.structures.shares))), of.of_benchmark()):
        assert (found.values == 0).all()
        assert np.isfinite(found.variance).all()


def test_what_is_given_stays_as_it_was():
    rng = np.random.default_rng(5)
    observed = rng.random((6, 30)) >= 0.1
    error, benchmark = np.abs(rng.standard_t(4, (2, 6, 30)))
    treated = treatment(DATES, np.arange(30))
    copies = [each.copy() for each in (observed, error, benchmark, treated)]
    of = Histories(observed, np.arange(30), error, benchmark, treated)
    of.innovations(np.array([0.2]), precision=np.ones(len(of.structures.shares)))
    for now, before in zip((observed, error, benchmark, treated), copies, strict=True):
        assert (now == before).all()
