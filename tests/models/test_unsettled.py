"""No amount is learned from a month that has not settled, and of its outcomes only whether a level has moved.

A company whose wins are recorded up to 60 days late. At a month's end some months are over and have not had their
settle days yet; what they hold so far is altered. With other amounts the forecasts of that day must stay the same to
the bit. With more wins the fit and what is learned of amounts must stay; what is expected of deals to come may rise,
since the youngest deals tell of it.
Smoothed bookings (`ets`, `ets-theta` and statsmodels' two) start from the bookings of the day; their errors alone wait.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import plain_company
from forecast.data.schema import ADDENDS, QUANTILE_COLUMNS, Log
from forecast.models.pipeline.components import Components, components
from forecast.models.registry import MODELS, forecaster
from forecast.models.win.probabilities import fit_win_model
from logs import log_of

pytestmark = pytest.mark.usefixtures("kept_walks")

AS_OF = "2023-06-30"
NO_SERIES = [
    pytest.param(name, marks=pytest.mark.slow if name == "pipeline" else ())
    for name in MODELS
    if not name.startswith(("ets", "theta", "combined")) and name != "pipeline-sales-only"
]
"""Forecasters that do not smooth bookings, and are not made of one that does.

Without marketing the one that leaves it out is `pipeline` again."""
LAST_SETTLED = {7: "2023-05", 45: "2023-04", 90: "2023-03"}
"""The day is June's end: June has never settled; May has after 30 days, April after 61, March after 91."""


@cache
def late_company() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return deals, and a history in which six of ten closures are recorded 1 to 60 days after they took effect."""
    deals = plain_company(deals=2400, months=42, seed=4, segments=2)
    rng = np.random.default_rng(4)
    deals = deals.assign(amount=np.round(rng.lognormal(4, 0.6, len(deals))), expected_close_on=deals["created_on"])
    closed = deals["outcome"] != "open"
    delay = np.where(rng.random(len(deals)) < 0.6, rng.integers(1, 61, len(deals)), 0)
    recorded = pd.to_datetime(deals["closed_on"]) + pd.to_timedelta(delay, unit="D")
    # What the last day does not know yet is open.
    closed &= recorded <= AS_OF
    deals.loc[~closed, ["closed_on", "outcome"]] = [None, "open"]
    deals["stage"] = deals["outcome"].map({"open": "Qualify", "won": "Won", "lost": "Lost"})
    born = deals[["opportunity_id", "amount", "expected_close_on"]].assign(
        stage="Qualify", recorded_at=deals["created_on"] + "T09:00:00"
    )
    ended = deals.loc[closed, ["opportunity_id", "amount", "expected_close_on", "stage"]].assign(
        recorded_at=recorded[closed].dt.strftime("%Y-%m-%dT17:00:00")
    )
    return deals, pd.concat([born, ended], ignore_index=True)


@cache
def company(settle_days: int, *, factor: float = 1.0, more_wins: bool = False, first: str = "") -> Log:
    """Return the log; amounts and outcomes of what closed in the months from `first` on may be others."""
    deals, history = (table.copy() for table in late_company())
    if first:
        young = (deals["closed_on"] >= f"{first}-01").fillna(False).astype(bool)
        names = set(deals.loc[young, "opportunity_id"])
        assert (deals.loc[young, "outcome"] == "won").sum() > 5
        closing = history["opportunity_id"].isin(names) & (history["stage"] != "Qualify")
        deals.loc[young, "amount"] *= factor
        history.loc[closing, "amount"] *= factor
        if more_wins:
            deals.loc[young, ["stage", "outcome"]] = ["Won", "won"]
            history.loc[closing, "stage"] = "Won"
    tables = {"opportunities": deals, "opportunity_history": history, "stages": stages()}
    return log_of(tables, settle_days=settle_days, extracted_on=pd.Timestamp(AS_OF))


@cache
def parts(settle_days: int, **altered: object) -> Components:
    """Return the components of the forecast of the day; see `company`."""
    return components(forecast.snapshot(company(settle_days, **altered), as_of=AS_OF), steps=6)


def stages() -> pd.DataFrame:
    return pd.DataFrame(
        {"stage": ["Qualify", "Won", "Lost"], "position": [1, 2, 3], "outcome": ["open", "won", "lost"]}
    )


def after(month: str) -> str:
    return str(pd.Period(month, "M") + 1)


@pytest.mark.slow
@pytest.mark.parametrize("settle_days", LAST_SETTLED)
def test_components_of_the_forecast_learn_amounts_from_settled_months_alone(settle_days: int):
    # `value` holds the growth and the correction of open deals, `new` conversion and the correction of deals to come.
    first = after(LAST_SETTLED[settle_days])
    one, other = parts(settle_days), parts(settle_days, first=first, factor=5.0)
    for name in ("ids", "chance", "value", "wins", "new", "marketed", "pool", "ratios", "common", "own"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.new.sum() > 0
    assert (one.booked == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("settle_days", LAST_SETTLED)
def test_outcomes_of_months_that_have_not_settled_tell_of_levels_alone(settle_days: int):
    log = company(settle_days)
    altered = company(settle_days, first=after(LAST_SETTLED[settle_days]), more_wins=True)
    one, other = (fit_win_model(forecast.snapshot(each, as_of=AS_OF)).model for each in (log, altered))
    np.testing.assert_array_equal(one.beta, other.beta)
    np.testing.assert_array_equal(one.owner, other.owner)
    plain, more = parts(settle_days), parts(settle_days, first=after(LAST_SETTLED[settle_days]), more_wins=True)
    for name in ("ids", "pool", "ratios"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(more, name), err_msg=name)
    assert plain.wins.sum() < more.wins.sum() < 1.3 * plain.wins.sum()


@pytest.mark.slow
@pytest.mark.parametrize("settle_days", LAST_SETTLED)
def test_components_learn_from_the_last_settled_month(settle_days: int):
    one, other = parts(settle_days), parts(settle_days, first=LAST_SETTLED[settle_days], factor=5.0)
    for name in ("value", "new", "pool", "common"):
        assert not np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("settle_days", LAST_SETTLED)
@pytest.mark.parametrize("name", NO_SERIES)
def test_these_forecasters_do_not_look_at_amounts_of_months_that_have_not_settled(name: str, settle_days: int):
    first = after(LAST_SETTLED[settle_days])
    one, other = (
        forecaster(name)(forecast.snapshot(log, as_of=AS_OF), months=6, seed=1)
        for log in (company(settle_days), company(settle_days, first=first, factor=5.0))
    )
    # The quarter in progress ends with June, so no row holds bookings of the months altered.
    numbers = ["mean", *QUANTILE_COLUMNS, *[column for column in ADDENDS if column in one.columns]]
    assert one["mean"].notna().all(), one.attrs
    pd.testing.assert_frame_equal(one[numbers], other[numbers], check_exact=True)
