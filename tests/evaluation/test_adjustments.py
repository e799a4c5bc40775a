"""What people changed against the model: by hand, by properties, and with bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import period_label
from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.comparison import diebold_mariano
from forecast.evaluation.scores.scoring import score
from forecast.evaluation.value_added import KINDS, adjustments, kinds_of


def scored(rows: list[tuple[str, str, int, int, float, float]]) -> pd.DataFrame:
    """Score model, segment, target month, horizon, said, observed; made `horizon` months before."""
    frame = pd.DataFrame(rows, columns=["model", "segment", "t", "horizon", "mean", "observed"])
    frame["target_period"] = [period_label(12 * 2026 + t) for t in frame["t"]]
    made = pd.PeriodIndex(
        [period_label(12 * 2026 + t - h) for t, h in zip(frame["t"], frame["horizon"], strict=True)], freq="M"
    )
    return score(frame.assign(origin=made.to_timestamp(how="end").normalize()).drop(columns="t"))


HAND = [
    # the model two months before, then a person one month before; observed 100
    ("pipeline", "A", 3, 2, 100.0, 100.0),
    ("submitted-sales", "A", 3, 1, 110.0, 100.0),  # up by 10 %: 0 off becomes 10 off
    ("pipeline", "B", 3, 2, 80.0, 100.0),
    ("submitted-sales", "B", 3, 1, 90.0, 100.0),  # up by 12.5 %: 20 off becomes 10
    ("pipeline", "C", 3, 2, 100.0, 150.0),
    ("submitted-sales", "C", 3, 1, 160.0, 150.0),  # up by 60 %: 50 off becomes 10
    ("pipeline", "D", 3, 2, 100.0, 50.0),
    ("submitted-sales", "D", 3, 1, 0.0, 50.0),  # down by all of it: 50 off stays 50 off, a tie
    ("pipeline", "E", 3, 2, 0.0, 10.0),
    ("submitted-sales", "E", 3, 1, 10.0, 10.0),  # of nothing there is no share
    ("pipeline", "F", 3, 2, 70.0, 90.0),
    ("submitted-sales", "F", 3, 1, 70.0, 90.0),  # not changed
    ("pipeline", "A", 3, 1, 500.0, 100.0),  # said after the person: not what was changed
]


def test_by_hand():
    table = adjustments(scored(HAND)).set_index("kind")
    assert table.index.tolist() == ["up small", "up large", "down large"]
    assert set(table["submitter"]) == {"sales"}
    small = table.loc["up small"]
    assert (small["n"], small["months"], small["share_better"]) == (2, 1, 0.5)
    assert small["wape_before"] == pytest.approx(20 / 200)
    assert small["wape"] == pytest.approx(20 / 200)
    assert small["added"] == pytest.approx(0)
    assert table.loc["up large", "added"] == pytest.approx(40 / 150)
    assert table.loc["down large", ["share_better", "added"]].tolist() == [0.5, 0]
    assert table[["p_value", "p_holm"]].isna().all(axis=None)  # one month is no test


def test_the_cut_and_the_lag():
    assert adjustments(scored(HAND), small=0.11)["kind"].tolist() == ["up small", "up large", "down large"]
    assert adjustments(scored(HAND), small=0.11)["n"].tolist() == [1, 2, 1]
    same_day = adjustments(scored(HAND), lag=0)  # only A has a forecast of the person's own month end: 500
    assert same_day[["kind", "n", "added"]].to_numpy().tolist() == [["down large", 1, pytest.approx(4 - 0.1)]]
    assert kinds_of(np.array([125.0, 75.0, -50.0]), np.array([100.0, 100.0, -60.0])).tolist() == [
        "up large",
        "down large",
        "up small",
    ]


def many(*, bias: float, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, str, int, int, float, float]] = []
    for t in range(24):
        for segment in "ABCD":
            y = float(rng.gamma(20, 5))
            rows.append(("pipeline", segment, t, 2, y + float(rng.normal(0, 10)), y))
            said = y + bias + rng.normal(0, 10, 2)
            rows.append(("submitted-sales", segment, t, 1, float(said[0]), y))
            rows.append(("submitted-marketing", segment, t, 1, float(said[1]), y))
    return scored(rows)


def test_kinds_part_the_changes_and_carry_the_paired_test():
    rows = many(bias=0)
    table = adjustments(rows)
    assert table.groupby("submitter")["n"].sum().tolist() == [96, 96]
    assert (
        table.groupby("submitter")["kind"]
        .apply(list)
        .map(lambda kinds: kinds == [k for k in KINDS if k in kinds])
        .all()
    )
    tested = table.dropna(subset=["p_value"])
    assert len(tested) >= 4
    assert (tested["p_holm"] >= tested["p_value"]).all()
    sales = rows[rows["model"] == "submitted-sales"].set_index(["target_period", "segment"])
    model = rows[rows["model"] == "pipeline"].set_index(["target_period", "segment"])
    some = kinds_of(sales["mean"].to_numpy(), model["mean"].reindex(sales.index).to_numpy()) == "up small"
    losses = pd.DataFrame({"was": model["abs_error"].reindex(sales.index), "now": sales["abs_error"]})[some]
    by_month = losses.groupby("target_period").mean()
    expected = diebold_mariano(by_month["was"], by_month["now"]).p_value
    row = table[(table["submitter"] == "sales") & (table["kind"] == "up small")].iloc[0]
    assert row["p_value"] == pytest.approx(expected)
    assert row["months"] == len(by_month)


def test_upward_changes_that_hurt_are_found_and_money_has_no_unit():
    rows = many(bias=40)
    table = adjustments(rows).set_index(["submitter", "kind"])
    assert (table.loc[("sales", "up large"), ["added", "statistic"]] < 0).all()
    assert table.loc[("sales", "up large"), "p_holm"] < 0.05
    assert table.loc[("sales", "up large"), "share_better"] < 0.2
    money = ["mean", "observed", "error", "abs_error"]
    thousand = rows.assign(**{name: rows[name] * 1000 for name in money})
    pd.testing.assert_frame_equal(adjustments(thousand), table.reset_index())


def test_of_two_equally_good_skewed_forecasts_the_higher_is_the_worse():
    """Why the page says that changes tell when to stay with ours, not who forecasts better."""
    rng = np.random.default_rng(6)
    rows: list[tuple[str, str, int, int, float, float]] = []
    for t in range(300):
        for segment in "ABCD":
            model, person = 100 * np.exp(rng.normal(0, 0.5, 2))
            rows.append(("pipeline", segment, t, 2, float(model), 100.0))
            rows.append(("submitted-sales", segment, t, 1, float(person), 100.0))
    track = scored(rows)
    pooled = track.groupby("model")["abs_error"].mean()
    assert pooled["submitted-sales"] == pytest.approx(pooled["pipeline"], rel=0.05)
    added = adjustments(track).set_index("kind")["added"]
    assert added["up large"] < -0.1
    assert added["down large"] > 0.1


def test_nothing_to_compare_and_bad_input():
    rows = scored(HAND)
    before = rows.copy()
    adjustments(rows)
    pd.testing.assert_frame_equal(rows, before)
    assert adjustments(rows[rows["submitter"] == ""]).empty
    assert adjustments(rows, model="nobody").empty
    assert list(adjustments(rows.iloc[:0]).columns) == list(adjustments(rows).columns)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ParameterError, match="small"):
            adjustments(rows, small=wrong)
    with pytest.raises(ParameterError, match="lag"):
        adjustments(rows, lag=-1)
    with pytest.raises(DataError, match=r"scored\.submitter: the column is missing"):
        adjustments(rows.drop(columns="submitter"))
