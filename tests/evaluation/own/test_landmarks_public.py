"""`forecast.landmarks`: rows by hand, as known then, and nothing of the future in them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.errors import ParameterError
from forecast.models.own.landmark_table import open_deals, past_landmarks
from futures import another_future, eventful
from tiny import tiny_company

DAY = "2025-10-31"


def test_the_tiny_company_by_hand(tmp_path):
    log = forecast.read(tiny_company(tmp_path / "tiny"))
    found = forecast.landmarks(log, origins=["2026-01-31", "2025-11-30"], horizon=2, as_of="2026-03-31")
    assert found["origin"].dt.strftime("%Y-%m-%d").tolist() == ["2025-11-30"] * 4 + ["2026-01-31"] * 3
    assert found["opportunity_id"].tolist() == ["O1", "O2", "O3", "O4", "O4", "O5", "O6"]
    # O1 and O3 are won by the end of January, O2 and O4 are not; from January on March has not settled.
    assert found["won"].tolist()[:4] == [1.0, 0.0, 1.0, 0.0]
    assert found["won"].isna().tolist()[4:] == [True] * 3
    first = found.iloc[0]
    assert (first["segment"], first["stage"], first["amount"], first["slips"]) == ("North", "Propose", 1200.0, 0)
    assert first["age"] == pytest.approx(58 / 30.4375)  # since 3 October
    assert first["stage_age"] == pytest.approx(18 / 30.4375)  # since 12 November
    assert first["months_to_close"] == pytest.approx(15 / 30.4375)
    assert first["owner"] == "Rep 1"
    assert found.loc[4, "months_to_close"] == pytest.approx(10 / 30.4375)
    assert found.columns[-1] == "won"
    assert not {"outcome", "closed_on", "lost_reason"} & set(found.columns)


def test_a_month_end_settles_seven_days_later(tmp_path):
    log = forecast.read(tiny_company(tmp_path / "tiny"))
    asked = {"origins": ["2026-01-31"], "horizon": 1}
    assert forecast.landmarks(log, **asked, as_of="2026-03-06")["won"].isna().all()
    assert forecast.landmarks(log, **asked, as_of="2026-03-07")["won"].tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"origins": []}, "there is none"),
        ({"origins": ["2026-03"], "as_of": "2026-02-28"}, "is after as_of"),
        ({"origins": ["2026-09"]}, "is after the log's last day"),
        ({"origins": ["2026-01"], "horizon": 0}, "horizon: 0"),
        ({"origins": ["2026-01"], "horizon": True}, "horizon: True"),
        ({"origins": ["2026-01", "2026-01-31"]}, "more than once"),
    ],
)
def test_bad_input(tmp_path, asked, message):
    log = forecast.read(tiny_company(tmp_path / "tiny"))
    with pytest.raises(ParameterError, match=message):
        forecast.landmarks(log, **asked)


@cache
def logs() -> tuple[Log, Log]:
    tables, about = eventful(seed=3, opportunities=800)
    other = another_future(tables, DAY, about, seed=5)
    made = Company(**{**about, "fixed_at_creation": tuple(about["fixed_at_creation"])})
    return validate(tables, made), validate(other, made)


@pytest.mark.slow
def test_covariates_know_nothing_of_what_came_later():
    real, other = logs()
    origins = ["2025-06-30", "2025-09-12", DAY]
    one, two = (forecast.landmarks(log, origins=origins).drop(columns="won") for log in (real, other))
    pd.testing.assert_frame_equal(one, two[one.columns])
    outcomes = [forecast.landmarks(log, origins=[DAY])["won"] for log in logs()]
    assert (outcomes[0] != outcomes[1]).any()


@pytest.mark.slow
def test_a_snapshot_gives_the_landmarks_that_its_day_knew():
    real, other = logs()
    one, two = (past_landmarks(forecast.snapshot(log, as_of=DAY), horizon=3, months=12) for log in (real, other))
    pd.testing.assert_frame_equal(one, two)
    assert one["won"].isin([0.0, 1.0]).all()
    origins = sorted(one["origin"].unique())
    assert len(origins) == 12
    assert origins[-1] == pd.Timestamp("2025-06-30")  # its three months end on 30 September, which has settled
    asked = forecast.landmarks(real, origins=origins, as_of=DAY)
    whole = asked["stage"].notna()  # what has no row of history shows today's values on the day it closed
    merged = asked[whole].merge(one, on=["origin", "opportunity_id"], suffixes=("", "_seen"))
    assert len(merged) == whole.sum() > 500
    for name in ("won", "amount", "stage", "age", "slips"):
        np.testing.assert_array_equal(merged[name].to_numpy(), merged[f"{name}_seen"].to_numpy())


def test_without_history_only_what_is_fixed_is_known():
    deals = pd.DataFrame(
        {
            "opportunity_id": ["A", "B"],
            "created_on": ["2024-01-05", "2024-02-29"],
            "closed_on": ["2024-03-20", None],
            "outcome": ["won", "open"],
            "stage": ["Closed won", "Early"],
            "amount": [90.0, 50.0],
            "segment": ["North", "North"],
            "expected_close_on": ["2024-03-20", "2024-09-01"],
            "product": ["Core", "Plus"],
        }
    )
    snap = make_snapshot("2024-06-30", deals)
    found = open_deals(snap.state)
    assert found["opportunity_id"].tolist() == ["B"]
    assert found[["stage", "amount", "months_to_close"]].isna().all(axis=None)
    assert found["product"].tolist() == ["Plus"]
    assert found["age"].item() == pytest.approx(122 / 30.4375)
