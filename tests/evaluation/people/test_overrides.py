"""Which submissions are overrides, held against what, and what was booked: by hand, and with bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.schema import Log
from forecast.errors import DataError, ParameterError
from forecast.evaluation.people.overrides import COLUMNS, overrides
from logs import log_of, table

DEALS = """
    opportunity_id  created_on  segment stage outcome closed_on   expected_close_on amount
    O1              2026-01-05  East    Won   won     2026-03-10  2026-03-10        130
    O2              2026-01-05  West    Won   won     2026-03-10  2026-03-10        50
    O3              2026-01-05  East    Won   won     2026-04-10  2026-04-10        100
    O4              2026-01-05  East    Won   won     2026-05-10  2026-05-10        70
"""
SUBMITTED = """
    submitted_on target_period segment submitter amount base reason
    2026-03-02   2026-03       East    Sales     120    100  A_large_deal
    2026-03-02   2026-03       West    sales     70     100  .
    2026-03-03   2026-04       East    sales     90     100  a__LARGE_deal
    2026-03-05   2026-04       East    sales     90     80   budgets_frozen
    2026-03-02   2026-03       East    reps      100    100  .
    2026-04-02   2026-03       East    reps      130    100  it_was_known
    2026-03-02   2026-04       East    reps      20     .    no_base
    2026-03-02   2026-05       East    reps      60     0    from_nothing
    2026-05-02   2026-06       East    reps      60     10   open
"""


@pytest.fixture(scope="module")
def sample_log(sample) -> Log:
    return forecast.read(sample)


def company(submitted: str = SUBMITTED, **more: str) -> Log:
    frame = table(submitted)
    if "reason" in frame:
        frame["reason"] = frame["reason"].str.replace("_", " ")
    tables = {"opportunities": table(DEALS), "submitted_forecasts": frame}
    return log_of(tables, extracted_on=pd.Timestamp("2026-06-30"), **more)


def test_by_hand():
    log = company()
    found = overrides(log)
    assert list(found.columns) == list(COLUMNS)
    rows = found.set_index(["submitter", "target_period", "segment"])
    east = rows.loc[("sales", "2026-03", "East")]
    assert (east["amount"], east["base"], east["observed"]) == (120, 100, 130)
    assert (east["abs_error_before"], east["abs_error"], east["gain"]) == (30, 10, 20)
    assert (east["against"], east["written"], east["direction"], east["size"]) == ("base", "yes", "up", "small")
    west = rows.loc[("sales", "2026-03", "West")]
    assert (west["gain"], west["written"], west["reason"]) == (30, "no", "no reason")
    assert (west["direction"], west["size"]) == ("down", "large")
    last = rows.loc[("sales", "2026-04", "East")]  # the later of a month counts, with its own base and reason
    assert (last["base"], last["reason"], last["gain"]) == (80, "budgets frozen", 10)
    nothing = rows.loc[("reps", "2026-05", "East")]
    assert (nothing["direction"], nothing["size"], nothing["gain"]) == ("up", "large", 60)
    assert len(found) == 4
    assert found.attrs["notes"] == [
        "1 submission submitted after its month had ended is left out.",
        "1 submission of a month that has not settled is left out.",
        "1 submission without a base of its own or a forecast by pipeline of the month end before is left out.",
        "1 submission equal to what it would have changed is left out.",
    ]


def test_only_what_was_known_and_had_settled_by_the_day():
    log = company()
    early = overrides(log, as_of="2026-04-07")  # March settles on its seventh day after
    assert set(early["target_period"]) == {"2026-03"}
    assert overrides(log, as_of="2026-04-06").empty
    # what comes later changes nothing of an earlier day
    later = company(SUBMITTED + "    2026-04-20   2026-04       East    sales     1    80   x\n")
    pd.testing.assert_frame_equal(overrides(later, as_of="2026-04-07"), early)


def test_without_a_base_it_is_the_model_of_the_month_end_before():
    log = company()
    rows = [
        ("pipeline", "2026-02-28", "2026-04", 2, "East", 60.0),
        ("pipeline", "2026-03-31", "2026-04", 1, "East", 100.0),  # made after the submission
        ("ets", "2026-02-28", "2026-04", 2, "East", 999.0),
        ("pipeline", "2026-02-28", "FY26 Q2", 1, "East", 999.0),
    ]
    track = pd.DataFrame(rows, columns=["model", "origin", "target_period", "horizon", "segment", "mean"])
    track = track.assign(origin=pd.to_datetime(track["origin"]), observed=100.0)
    found = overrides(log, track=track)
    model = found[found["against"] == "pipeline"].iloc[0]
    assert (model["submitter"], model["base"], model["abs_error_before"], model["gain"]) == ("reps", 60, 40, -40)
    every = overrides(log, against="pipeline", track=track)
    assert set(every["against"]) == {"pipeline"}
    assert len(every) == 2  # sales' of April is held against the same forecast, whatever base it names
    assert every.set_index("submitter").loc["sales", "gain"] == 30


def test_the_case_and_blanks_of_a_reason_make_no_other():
    text = SUBMITTED.replace("2026-03-05", "2026-04-05").replace("budgets_frozen", "a__large_DEAL")
    found = overrides(company(text))
    assert found.loc[found["submitter"] == "sales", "reason"].unique().tolist() == ["A large deal", "no reason"]


def test_without_the_two_columns_the_model_alone_is_what_was_changed():
    bare = table(SUBMITTED).drop(columns=["base", "reason"])
    log = log_of({"opportunities": table(DEALS), "submitted_forecasts": bare}, extracted_on=pd.Timestamp("2026-06-30"))
    found = overrides(log)  # four deals are too few for the model
    assert found.empty
    assert list(found.columns) == list(COLUMNS)
    assert any("without a base" in note for note in found.attrs["notes"])


@pytest.mark.slow
def test_the_model_of_the_sample_is_the_one_of_a_backtest(sample_log):
    log = sample_log
    table = log.get("submitted_forecasts")
    since = pd.Timestamp("2026-07-01")
    few = table[(table["submitted_on"] >= since) & (table["segment"] == "Alps")].drop(columns=["base", "reason"])
    part = forecast.Log(
        tables={**log.tables, "submitted_forecasts": few}, company=log.company, extracted_on=log.extracted_on
    )
    found = overrides(part, as_of="2026-10-31")
    track = forecast.backtest(log, origins=["2026-06-30", "2026-07-31", "2026-08-31"], models=["pipeline"], months=4)
    pd.testing.assert_frame_equal(found, overrides(part, as_of="2026-10-31", track=track))
    assert set(found["against"]) == {"pipeline"}
    assert found["gain"].notna().all()


def test_bad_input():
    log = company()
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(ParameterError, match="small"):
            overrides(log, small=wrong)
    with pytest.raises(ParameterError, match="neither 'base' nor 'pipeline'"):
        overrides(log, against="ets")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="after the log's last day"):
        overrides(log, as_of="2027-01-31")
    with pytest.raises(DataError, match="missing or empty"):
        overrides(log_of({"opportunities": table(DEALS)}))
    with pytest.raises(DataError, match="the column is missing"):
        overrides(log, track=pd.DataFrame({"model": ["pipeline"]}))
    best = table(SUBMITTED).assign(category="best case")
    with pytest.raises(DataError, match="none is 'commit'"):
        overrides(log_of({"opportunities": table(DEALS), "submitted_forecasts": best}))
