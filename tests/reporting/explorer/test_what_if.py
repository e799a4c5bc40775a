"""`forecast.what_if` and `forecast.bookings_chart`: the doors to the explorer's levers and the report's chart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import forecast
from forecast.data.checks.validation import validate
from forecast.data.schema import Company
from forecast.errors import ParameterError
from forecast.simulation.company import simulate


@pytest.fixture(scope="module")
def snap() -> forecast.Snapshot:
    made = simulate(opportunities=700, months=30, seed=5, segments=3)
    log = validate(made.tables, Company(**{**made.company, "fixed_at_creation": ()}))
    return forecast.snapshot(log, as_of=log.extracted_on)


@pytest.mark.slow
def test_nothing_moved_is_the_forecast_and_a_won_deal_its_amount(snap: forecast.Snapshot):
    table = forecast.forecast_bookings(snap, months=2, seed=3).set_index(["target_period", "segment"])
    still = forecast.what_if(snap, months=2, seed=3)
    assert (still["change"] == 0).all()
    same = table.loc[list(zip(still["target_period"], still["segment"], strict=True))]
    np.testing.assert_allclose(still["base"], same["mean"], atol=0.01)
    np.testing.assert_allclose(still["base_q90"], same["q90"], atol=0.01)
    deals = forecast.win_probabilities(snap, months=2)
    one = deals.nlargest(1, "expected_amount").iloc[0]
    won = forecast.what_if(snap, months=2, seed=3, won=[one["opportunity_id"]]).query("segment == 'Total'")
    assert won["change"].iloc[0] > 0
    assert won["change"].iloc[1] == pytest.approx(-one["expected_2"], abs=0.01)
    lost = forecast.what_if(snap, months=2, seed=3, lost=one["opportunity_id"])
    others = lost[~lost["segment"].isin(["Total", one["segment"]])]
    assert (others["change"] == 0).all()


@pytest.mark.slow
def test_bad_input(snap: forecast.Snapshot):
    closed = snap.opportunities.query("outcome == 'won'")["opportunity_id"].iloc[0]
    with pytest.raises(ParameterError, match="is not an open deal"):
        forecast.what_if(snap, months=1, lost=[closed])
    with pytest.raises(ParameterError, match="win_rate: 2 is not from -1 to 1"):
        forecast.what_if(snap, months=1, win_rate=2)
    with pytest.raises(ParameterError, match="seed"):
        forecast.what_if(snap, months=1, seed=-1)
    with pytest.raises(ParameterError, match="snapshot"):
        forecast.what_if(None)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_chart_of_one_segment(snap: forecast.Snapshot, tmp_path: Path):
    table = forecast.forecast_bookings(snap, months=2)
    chart = forecast.bookings_chart(table, snap=snap, segment=snap.segments[0])
    chart.save(tmp_path / "one.svg")  # type: ignore[union-attr]
    assert snap.segments[0] in (tmp_path / "one.svg").read_text(encoding="utf-8")
    with pytest.raises(ParameterError, match="the table has no 'Nowhere'"):
        forecast.bookings_chart(table, snap=snap, segment="Nowhere")
