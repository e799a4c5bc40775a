"""What overrides were worth: by hand, by properties, where nothing is worth anything, and with bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.calendar import period_label
from forecast.data.schema import Log
from forecast.errors import DataError, ParameterError
from forecast.evaluation.people.value import FIGURES, GROUPS, value_of, values_by_cut, with_verdicts
from forecast.evaluation.scores.comparison import diebold_mariano


@pytest.fixture(scope="module")
def sample_log(sample) -> Log:
    return forecast.read(sample)


def rows(
    months: int, *, seed: int = 1, people: int = 3, segments: int = 4, gain: float = 0.0, reasons: float = 0.0
) -> pd.DataFrame:
    """Return overrides of people, of which base and amount miss by the same law; gain, reasons : taken off the error
    of every amount, and of those with a reason."""
    rng = np.random.default_rng(seed)
    n = months * people * segments
    t, who, where = np.indices((months, people, segments)).reshape(3, n)
    before, after = np.abs(rng.normal(0, 30, (2, n)))
    written = rng.random(n) < 0.5
    after *= (1 - gain) * np.where(written, 1 - reasons, 1.0)
    return pd.DataFrame(
        {
            "submitter": np.char.add("P", who.astype(str)),
            "segment": np.char.add("S", where.astype(str)),
            "target_period": [period_label(12 * 2026 + int(k)) for k in t],
            "horizon": 1,
            "against": "base",
            "written": np.where(written, "yes", "no"),
            "reason": np.where(written, "a large deal", "no reason"),
            "direction": np.where(rng.random(n) < 0.5, "up", "down"),
            "size": "small",
            "observed": 100.0,
            "abs_error_before": before,
            "abs_error": after,
        }
    )


def test_by_hand():
    frame = rows(8, people=1, segments=1).assign(
        observed=[100, 100, 100, 100, 200, 200, 100, 100],
        abs_error_before=[10, 20, 30, 10, 40, 10, 20, 30],
        abs_error=[5, 10, 10, 20, 20, 10, 10, 15],
    )
    found = value_of(frame).iloc[0]
    # gains 5, 10, 20, -10, 20, 0, 10, 15 = 70 of 1,000 booked
    assert (found["n"], found["months"]) == (8, 8)
    assert (found["wape_before"], found["wape"], found["added"]) == pytest.approx((0.17, 0.10, 0.07))
    assert found["share_better"] == pytest.approx(6.5 / 8)
    assert found["agreeing"] == 6
    gains = np.array([5, 10, 20, -10, 20, 0, 10, 15]) * 8 / 1000
    test = diebold_mariano(gains, np.zeros(8))
    assert test.mean_difference == pytest.approx(0.07)
    assert found["p_value"] == pytest.approx(test.p_value)
    assert found["luck"] == pytest.approx(test.p_value / 2)
    # of two ordinates, t with four degrees of freedom: 2.776 errors each way
    half = 2.7764451 * test.mean_difference / test.statistic
    assert (found["low"], found["high"]) == pytest.approx((0.07 - half, 0.07 + half))
    assert found["shrunk"] == pytest.approx(0.07)


def test_a_month_counts_by_its_sum_and_not_by_how_many_were_changed():
    one = rows(12, seed=3)
    twice = pd.concat([one, one.assign(segment=one["segment"] + "b")])
    first, second = value_of(one), value_of(twice)
    assert second["n"].tolist() == (2 * first["n"]).tolist()
    same = ["months", "added", "p_value", "low", "high", "shrunk", "luck"]
    pd.testing.assert_frame_equal(first[same], second[same])


def test_the_better_shown_by_luck_are_drawn_to_the_mean():
    found = value_of(rows(24, seed=5, people=6))
    mean = found["shrunk"].mean()
    assert (np.abs(found["shrunk"] - mean) <= np.abs(found["added"] - mean) + 1e-12).all()
    assert found["shrunk"].std() < found["added"].std()


def test_few_months_are_too_few_to_tell_and_are_taken_for_the_mean():
    few = rows(7, seed=2).query("submitter == 'P0'")
    both = pd.concat([few, rows(24, seed=2).query("submitter != 'P0'")])
    found = value_of(both).set_index("submitter")
    assert found.loc["P0", "verdict"] == "too few to tell"
    assert found.loc["P0", ["low", "high", "p_value", "p_holm", "luck"]].isna().all()
    others = found.loc[["P1", "P2"], "shrunk"]
    assert others.min() - 1e-12 <= found.loc["P0", "shrunk"] <= others.max() + 1e-12
    alone = value_of(few).iloc[0]
    assert np.isnan(alone["shrunk"])
    assert alone["added"] == pytest.approx(found.loc["P0", "added"])


def test_help_is_found_where_it_is():
    by = ["submitter", "written"]
    found = value_of(rows(36, seed=11, segments=8, reasons=0.6), by=by).set_index(by)
    assert set(found.xs("yes", level="written")["verdict"]) == {"closer"}
    assert set(found.xs("no", level="written")["verdict"]) == {"cannot tell"}
    harm = value_of(rows(24, seed=7, gain=-0.8))
    assert set(harm["verdict"]) == {"further off"}
    assert (harm["luck"] > 0.95).all()


def test_one_gain_for_all_and_no_gain_for_all():
    frame = rows(10, people=1, segments=1).assign(abs_error_before=10.0, abs_error=5.0)
    found = value_of(frame).iloc[0]
    assert found["added"] == pytest.approx(0.05)
    assert found["p_value"] == pytest.approx(2**-9)  # signs are counted where nothing varies
    assert np.isnan(found["low"])
    tie = value_of(frame.assign(abs_error=10.0)).iloc[0]
    assert (tie["added"], tie["p_value"], tie["share_better"], tie["verdict"]) == (0, 1, 0.5, "cannot tell")
    nothing = value_of(frame.assign(observed=0.0)).iloc[0]
    assert np.isnan(nothing["added"])
    assert nothing["verdict"] == "too few to tell"


def test_rare_reasons_are_one_row():
    frame = rows(24)
    odd = frame["reason"].where(frame.index >= 9, [f"once {i}" for i in range(len(frame))])
    found = value_of(frame.assign(reason=odd), by=["reason"])
    assert found["reason"].tolist() == ["a large deal", "no reason", "other reasons"]
    assert found["n"].sum() == len(frame)
    assert found.set_index("reason").loc["other reasons", "n"] == 9


def test_a_direction_is_told_apart_only_where_all_together_are():
    # Ups gain what downs lose, as of two equally good numbers that are both often too high.
    frame = rows(36, people=2, segments=6)
    up = (frame["direction"] == "up").to_numpy()
    frame = frame.assign(
        abs_error_before=np.where(up, 30.0, 20.0) + frame["abs_error_before"] / 10,
        abs_error=np.where(up, 20.0, 30.0) + frame["abs_error"] / 10,
    )
    assert value_of(frame)["verdict"].eq("cannot tell").all()
    by_way = value_of(frame, by=["direction"])
    whole = value_of(frame.assign(submitter="all"))["p_value"].item()
    assert by_way["p_value"].tolist() == [whole] * 2
    assert by_way["verdict"].eq("cannot tell").all()
    assert (by_way["low"] * by_way["high"] > 0).all()  # alone both would be
    each = value_of(frame, by=["submitter", "direction"]).set_index(["submitter", "direction"])
    person = value_of(frame).set_index("submitter")["p_value"]
    assert each.loc[("P0", "up"), "p_value"] == person["P0"]
    good = value_of(rows(36, seed=7, segments=8, gain=0.5), by=["direction"])
    assert good["verdict"].eq("closer").all()


@pytest.mark.slow
def test_where_overrides_are_worth_nothing_it_rarely_claims_and_its_p_values_are_even():
    claims, values = [], []
    for seed in range(300):
        frame = rows(24, seed=1000 + seed, people=4)
        rng = np.random.default_rng(seed)
        found = value_of(frame.assign(submitter=rng.permutation(frame["submitter"].to_numpy())))
        claims.append((found["verdict"] != "cannot tell").any())
        values.extend(found["p_value"])
    # months of their own, for which the test is careful: docs/methods/scores.md
    assert np.mean(claims) <= 0.05
    assert np.mean(np.array(values) <= 0.05) <= 0.05
    assert 0.4 < np.mean(values) < 0.7


def test_what_a_page_asks_is_one_table():
    frame = rows(24, seed=11, segments=8, reasons=0.6)
    found = values_by_cut(frame).set_index(["by", "group"])
    assert list(found.index) == [("person", f"P{k}") for k in range(3)] + [
        ("reason", "without a reason"),
        ("reason", "with a reason"),
    ]
    assert found.loc[("reason", "with a reason"), "verdict"] == "closer"
    alone = value_of(frame, by=["written"]).set_index("written")
    assert found.loc[("reason", "with a reason"), "shrunk"] == alone.loc["yes", "shrunk"]  # each cut to its own mean
    assert found.loc[("reason", "with a reason"), "p_holm"] > alone.loc["yes", "p_holm"]  # of five, not of two
    again = with_verdicts(found.assign(p_holm=1.0))
    assert again["verdict"].eq("cannot tell").all()
    assert values_by_cut(frame.iloc[:0]).empty


def test_the_public_function_on_the_sample(sample_log):
    found = forecast.value_of_judgement(sample_log, as_of="2026-10-31", by=["submitter", "written"])
    assert list(found.columns) == ["submitter", "written", *FIGURES]
    each = forecast.overrides(sample_log, as_of="2026-10-31")
    pd.testing.assert_frame_equal(found, value_of(each, by=["submitter", "written"]), check_flags=False)
    assert found["n"].sum() == len(each)
    assert any("not settled" in note for note in found.attrs["notes"])
    sales = each[(each["submitter"] == "sales") & (each["written"] == "yes")]
    row = found.set_index(["submitter", "written"]).loc[("sales", "yes")]
    assert row["added"] == pytest.approx(sales["gain"].sum() / sales["observed"].sum())


def test_bad_input():
    frame = rows(9)
    with pytest.raises(ParameterError, match="not grouped by 'person'"):
        value_of(frame, by=["person"])
    with pytest.raises(ParameterError, match="at least one column"):
        value_of(frame, by=[])
    with pytest.raises(ParameterError, match="twice"):
        value_of(frame, by=["written", "written"])
    with pytest.raises(DataError, match="the column is missing"):
        value_of(frame.drop(columns="abs_error"))
    empty = value_of(frame.iloc[:0], by=list(GROUPS))
    assert list(empty.columns) == [*GROUPS, *FIGURES]
    assert value_of(frame, by="submitter").equals(value_of(frame))  # type: ignore[arg-type]
