"""Said against happened: by hand, against scipy, and blind to the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import forecast
from forecast.errors import ParameterError
from forecast.evaluation.scores.deals import deal_track, reliability


def test_reliability_by_hand():
    table = reliability([0, 0, 1, 1, 0, 1], [0.1, 0.2, 0.3, 0.7, 0.8, 0.9], bins=2)
    np.testing.assert_allclose(table["said"], [0.2, 0.8])
    np.testing.assert_allclose(table["happened"], [1 / 3, 2 / 3])
    assert list(table["n"]) == [3, 3]


def test_equal_probabilities_share_a_bin_and_none_is_lost():
    table = reliability([1, 0, 0, 0], [0.25] * 4, bins=10)
    assert table[["said", "happened", "n"]].to_numpy().tolist() == [[0.25, 0.25, 4]]
    assert reliability([], []).empty


def test_the_band_holds_what_an_exact_test_would_not_reject():
    n, p = 200, 0.3
    table = reliability(np.zeros(n), np.full(n, p))
    low, high = (round(table[name].item() * n) for name in ("band_low", "band_high"))
    # Equal tails of 2.5 %: the ends are inside by a one-sided exact test, one step beyond them is not.
    assert (
        binomtest(low, n, p, alternative="less").pvalue > 0.025 >= binomtest(low - 1, n, p, alternative="less").pvalue
    )
    assert (
        binomtest(high + 1, n, p, alternative="greater").pvalue
        <= 0.025
        < binomtest(high, n, p, alternative="greater").pvalue
    )


def test_honest_odds_lie_in_the_band_as_often_as_it_says():
    rng = np.random.default_rng(3)
    p = rng.uniform(size=40_000)
    table = reliability(rng.uniform(size=p.size) < p, p, bins=200)
    inside = table["happened"].between(table["band_low"], table["band_high"]).mean()
    assert 0.91 <= inside <= 1.0
    shifted = reliability(rng.uniform(size=p.size) < 0.7 * p, p, bins=20)
    assert shifted["happened"].between(shifted["band_low"], shifted["band_high"]).mean() < 0.3


@pytest.mark.parametrize(
    ("happened", "probability", "bins", "message"),
    [([1], [0.5, 0.5], 10, "shape"), ([1], [1.5], 10, "not between 0 and 1"), ([1], [0.5], 0, "bins")],
)
def test_what_cannot_be_judged_is_refused(happened, probability, bins, message):
    with pytest.raises(ParameterError, match=message):
        reliability(happened, probability, bins=bins)


def test_deals_are_judged_by_what_had_happened_by_then(sample: Path):
    log = forecast.read(sample)
    track = deal_track(log, as_of="2026-09-30", origins=["2026-03-31", "2026-07-31"], horizon=3)
    assert track["origin"].unique().tolist() == [pd.Timestamp("2026-03-31")]  # three months after July have not ended
    deals = log.opportunities.set_index("opportunity_id").loc[track["opportunity_id"]]
    won = (deals["outcome"] == "won") & (deals["closed_on"] <= pd.Timestamp("2026-06-30"))
    np.testing.assert_array_equal(track["won"], won.to_numpy().astype(float))
    assert track["p"].between(0, 1).all()
    assert deal_track(log, as_of="2026-09-30", origins=["2026-08-31"], horizon=3).empty
    with pytest.raises(ParameterError, match="horizon: 7"):
        deal_track(log, as_of="2026-09-30", origins=[], horizon=7)
