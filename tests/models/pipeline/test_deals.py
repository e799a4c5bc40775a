"""The table of open deals: by hand, adding up to the forecast to the cent, what comes in the end, when it abstains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
import hostile
import maven
from addsup import expected_columns, hold_that_deals_add_up
from companies import make_snapshot, plain_company
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import Log, deal_columns
from forecast.data.sources.redact import redact
from forecast.errors import ParameterError
from forecast.models.pipeline.bookings import draw
from forecast.models.pipeline.components import by_segment, components, expected_bookings, expected_in_the_end
from forecast.models.pipeline.deals import correction_notes, win_probabilities
from forecast.simulation.company import simulate, write

pytestmark = pytest.mark.usefixtures("kept_walks")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Return the log of a simulated company, a seventh as large as the sample."""
    folder = tmp_path_factory.mktemp("deals")
    write(simulate(opportunities=3000, months=48, seed=17, segments=5), folder)
    return forecast.read(folder)


def hold(snap: Snapshot, *, months: int = 6) -> pd.DataFrame:
    deals = win_probabilities(snap, months=months)
    hold_that_deals_add_up(deals, forecast.forecast_bookings(snap, months=months), snap)
    return deals


# -- by hand -------------------------------------------------------------------------------------------


def test_two_deals_by_hand():
    chance, value = np.array([[0.5, 0.2], [0.1, 0.3]]), np.array([[100.0, 90.0], [1000.0, 900.0]])
    by_deal = expected_bookings(chance, value)
    np.testing.assert_allclose(by_deal, [[50, 18], [100, 270]])
    # A is won by .05 already, and by .85 at any time, so by .1 later; B by .4 in all.
    end = expected_in_the_end(chance, value, won_before=np.array([0.05, 0.0]), ever=np.array([0.85, 0.4]))
    np.testing.assert_allclose(end, [50 + 18 + 0.05 * 100 + 0.1 * 90, 100 + 270])


def test_sums_by_segment_by_hand():
    sums = by_segment(np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]), np.array([1, 1, -1]), segments=3)
    assert sums.tolist() == [[0, 0], [11, 22], [0, 0]]  # the third belongs nowhere, and not to the last


def test_a_tiny_company_by_hand():
    """All is known here: hazards are constant, every amount is what it was, so what is left is chance times amount."""
    deals = plain_company(deals=400, months=24, seed=3, segments=2)
    deals["amount"] = deals["segment"].map({"S0": 100.0, "S1": 300.0})
    open_deals = deals["outcome"] == "open"
    deals.loc[open_deals & (deals.index % 5 == 0), "amount"] = np.nan  # what won deals like them brought stands in
    snap = make_snapshot("2021-12-31", deals)
    table = hold(snap)
    assert table.attrs["notes"][-1].startswith(f"{int(deals['amount'].isna().sum())} open deals have no amount")

    parts = components(snap, steps=6)
    correction = parts.value / table["segment"].map({"S0": 100.0, "S1": 300.0}).to_numpy()[:, None]
    np.testing.assert_allclose(correction, np.broadcast_to(correction[0], correction.shape))  # of nobody in particular
    chance = np.diff(table[[f"p_win_{h}" for h in range(1, 7)]].to_numpy(), axis=1, prepend=0.0)
    amount = table["segment"].map({"S0": 100.0, "S1": 300.0}).to_numpy()
    by_hand = chance * amount[:, None] * correction
    np.testing.assert_allclose(table[list(expected_columns(table).values())], by_hand)
    later = table["p_win"] - table["p_win_6"]
    np.testing.assert_allclose(table["expected_amount"], by_hand.sum(axis=1) + later * amount * correction[0, -1])


# -- they add up -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("as_of", "first"), [("2026-10-31", 1), ("2026-10-12", 0)])
def test_on_the_sample(sample: Path, as_of: str, first: int):
    deals = hold(forecast.snapshot(forecast.read(sample), as_of=as_of))
    assert list(deals.columns) == list(deal_columns(range(first, 7)))


@pytest.mark.slow
@pytest.mark.parametrize(("as_of", "months", "first"), [("2025-09-14", 1, 0), ("2025-08", 24, 1)])
def test_one_month_ahead_and_two_years(company: Log, as_of: str, months: int, first: int):
    deals = hold(forecast.snapshot(company, as_of=as_of), months=months)
    assert list(deals.columns) == list(deal_columns(range(first, months + 1)))


@pytest.mark.slow
@pytest.mark.parametrize("as_of", ["2025-06-30", "2025-06-17"])
def test_with_amounts_missing_and_several_segments(company: Log, as_of: str):
    snap = forecast.snapshot(company, as_of=as_of)
    bare = snap.opportunities.copy()
    bare.loc[bare.index % 3 == 0, "amount"] = np.nan
    history = snap.history
    assert history is not None
    history = history.copy()
    history.loc[history["opportunity_id"].isin(bare.loc[bare["amount"].isna(), "opportunity_id"]), "amount"] = np.nan
    deals = hold(make_like(snap, bare, history))
    assert "have no amount" in " ".join(deals.attrs["notes"])
    assert deals["segment"].nunique() > 4


def make_like(snap: Snapshot, opportunities: pd.DataFrame, history: pd.DataFrame) -> Snapshot:
    from dataclasses import replace

    return replace(snap, opportunities=opportunities, history=history)


def test_what_past_forecasts_took_off_or_added_is_said_with_its_number():
    assert correction_notes(331.0, 499.0) == [
        "Past open deals brought less than chance times amount, so the expected amounts are corrected: together they "
        "are 66 % of it. Odds and counts of wins are not."
    ]
    assert "brought more than" in correction_notes(110.0, 100.0)[0]
    assert "110 % of it" in correction_notes(110.0, 100.0)[0]
    for expected, plain in ((101.0, 100.0), (0.0, 0.0)):
        assert correction_notes(expected, plain) == []


@pytest.mark.slow
@pytest.mark.parametrize("as_of", ["2017-09-30", "2017-12-31"])
def test_on_real_data_without_signal(real_data: Path, tmp_path: Path, as_of: str):
    log = forecast.read(maven.build(real_data / "maven_crm", tmp_path / "maven"))
    deals = hold(forecast.snapshot(log, as_of=as_of))
    plain = deals["p_win"] @ deals.merge(log.opportunities[["opportunity_id", "amount"]])["amount"]
    share = deals["expected_amount"].sum() / plain
    assert f"together they are {100 * share:.0f} % of it" in deals.attrs["notes"][-1]
    # The chances of the forecast are those of the deals: one price, one correction, so the ratio is the same for all.
    price = deals.merge(log.opportunities[["opportunity_id", "amount"]])["amount"]
    correction = deals["expected_1"] / (deals["p_win_1"] * price)
    np.testing.assert_allclose(correction, correction.median(), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.long
def test_on_a_redacted_month(tmp_path: Path):
    # Few enough deals that no row is thinned: thinning goes by a hash of the name (docs/privacy.md).
    write(simulate(opportunities=12_000, seed=1), tmp_path / "data")
    log = forecast.read(tmp_path / "data")
    redact(tmp_path / "data", tmp_path / "redacted", log=log, salt=b"0" * 32)
    plain = forecast.snapshot(log, as_of="2026-10-12")
    redacted = forecast.snapshot(forecast.read(tmp_path / "redacted"), as_of="2026-10-12")
    deals = hold(redacted)
    sums = deals.drop(columns="opportunity_id").groupby("segment").sum(numeric_only=True)
    same = win_probabilities(plain).drop(columns="opportunity_id").groupby("segment").sum(numeric_only=True)
    # Segments stand in another order, so that single precision sums in another one; the levels that are learned from
    # the sums pass it on.
    np.testing.assert_allclose(sums, same, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("as_of", ["2026-10-31", "2026-10-13"])
def test_with_names_that_are_attacks(tmp_path: Path, as_of: str):
    hostile.write(tmp_path / "data")
    hold(forecast.snapshot(forecast.read(tmp_path / "data"), as_of=as_of))


# -- in the end ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_comes_in_the_end_does_not_depend_on_the_months_forecast(company: Log):
    snap = forecast.snapshot(company, as_of="2025-10-12")
    short, usual, long = (win_probabilities(snap, months=months) for months in (1, 6, 24))
    for other in (short, long):
        pd.testing.assert_series_equal(other["expected_amount"], usual["expected_amount"])
        shared = [name for name in other if name in usual]
        pd.testing.assert_frame_equal(other[shared], usual[shared])
    assert (long[list(expected_columns(long).values())].sum(axis=1) <= long["expected_amount"] + 0.005).all()


@pytest.mark.slow
def test_what_is_put_in_comes_out():
    """Deals close with .15 won and .15 lost a month: half of what is open is won in the end, .15 of it next month."""
    brought, ratio = [], []
    for seed in range(4):
        deals = plain_company(deals=2500, months=36, seed=seed, segments=2)
        table = win_probabilities(make_snapshot("2022-12-31", deals))
        whole = 100.0 * len(table)
        brought.append(table["expected_amount"].sum() / whole)
        ratio.append(table["expected_1"].sum() / whole)
    assert np.mean(brought) == pytest.approx(0.5, abs=0.02)
    assert np.mean(ratio) == pytest.approx(0.15, abs=0.012)


@pytest.mark.slow
def test_the_mean_is_that_of_the_draws_without_their_noise(company: Log):
    drawn = draw(components(forecast.snapshot(company, as_of="2025-10-12"), steps=6), seed=11)
    mean = drawn.open_pipeline + drawn.not_yet_created
    noise = drawn.draws.std(axis=0) / np.sqrt(len(drawn.draws))
    assert (np.abs(drawn.draws.mean(axis=0) - mean) < 4.5 * noise).all()
    total = drawn.draws.sum(axis=1)
    assert (np.abs(total.mean(axis=0) - mean.sum(axis=0)) < 4 * total.std(axis=0) / np.sqrt(len(total))).all()


# -- where there is no answer -----------------------------------------------------------------------------


def test_where_no_bookings_are_forecast_the_odds_stand_alone():
    # In the middle of the third month there is one to learn from, and two that are complete.
    snap = make_snapshot("2020-03-15", plain_company(deals=300, months=2, seed=2))
    table, bookings = win_probabilities(snap), forecast.forecast_bookings(snap)
    assert bookings["mean"].isna().all()
    amounts = [*expected_columns(table).values(), "expected_amount"]
    assert table[amounts].isna().all(axis=None)
    assert table["p_win"].between(0, 1).all()
    assert any("complete months are recorded" in note for note in table.attrs["notes"])
    assert table["segment"].eq("S0").all()


@pytest.mark.parametrize("months", [0, 25, 2.5, True, "6"])
def test_months_out_of_range_are_refused(months):
    snap = make_snapshot("2020-12-31", plain_company(deals=60, months=12, seed=1))
    with pytest.raises(ParameterError, match="months"):
        win_probabilities(snap, months=months)
