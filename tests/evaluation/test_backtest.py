"""The backtest: origins, what was observed, and that no forecast sees what came later."""

from __future__ import annotations

import weakref

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.checks.validation import validate
from forecast.data.known.ledger import ledger_of
from forecast.data.known.recorded import for_forecasters
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import FORECAST_COLUMNS, Company, Log
from forecast.errors import ParameterError
from forecast.evaluation import backtest as backtest_module
from forecast.evaluation.backtest import DEFAULT_MODELS, backtest, month_ends, observed
from forecast.models.registry import forecaster
from forecast.simulation.company import simulate
from logs import log_of, table

BASELINES = ("ets", "seasonal-naive", "stage-weighted", "stage-weighted-future", "stage-age")
ORIGINS = ("2025-10", "2026-01-15", "2026-04")


@pytest.fixture(scope="module")
def company():
    """Return a small simulated company: three years, three segments."""
    return simulate(opportunities=1500, months=36, seed=11, segments=3)


@pytest.fixture(scope="module")
def log(company) -> Log:
    return validate(company.tables, Company(**{**company.company, "fixed_at_creation": ()}))


@pytest.fixture(scope="module")
def track(log) -> pd.DataFrame:
    return backtest(log, origins=ORIGINS, models=[*BASELINES, "submitted"], months=3)


@pytest.mark.slow
def test_the_columns_and_the_order(track):
    assert tuple(track.columns[: len(FORECAST_COLUMNS)]) == FORECAST_COLUMNS
    assert track.columns[-1] == "observed"
    assert track["origin"].unique().tolist() == [pd.Timestamp(d) for d in ("2025-10-31", "2026-01-15", "2026-04-30")]
    order = list(dict.fromkeys(track["model"]))
    assert order == [*BASELINES, "submitted-joint", "submitted-marketing", "submitted-sales"]
    assert not track.duplicated(["model", "origin", "target_period", "segment"]).any()
    months = track[track["target_period"].str.contains("-")]
    assert months.groupby("origin")["horizon"].unique().map(list).tolist() == [[1, 2, 3], [0, 1, 2, 3], [1, 2, 3]]


def test_each_row_is_what_the_forecaster_says_alone(log, track):
    for origin in ("2026-01-15", "2026-04-30"):
        snap = snapshot(log, as_of=origin)
        for model in ("ets", "stage-age", "submitted-sales"):
            alone = forecaster(model)(snap, months=3, seed=0)
            part = track[(track["origin"] == origin) & (track["model"] == model)].reset_index(drop=True)
            pd.testing.assert_frame_equal(part[list(alone.columns)], alone, check_flags=False)


def test_observed_is_the_settled_actual(log, track):
    actual = settled_actuals(log)
    months = track[track["target_period"].str.contains("-") & (track["model"] == "ets")]
    for _, row in months.iterrows():
        of_month = actual[actual["period"] == row["target_period"]]
        if row["segment"] != "Total":
            of_month = of_month[of_month["segment"] == row["segment"]]
        assert row["observed"] == pytest.approx(of_month["amount"].sum())


def forecasts(tables: dict[str, pd.DataFrame], company, origin: str, **options) -> pd.DataFrame:
    log = validate(tables, Company(**{**company.company, "fixed_at_creation": ()}))
    return backtest(log, origins=[origin], models=[*BASELINES, "submitted", "pipeline"], months=3, **options)


@pytest.mark.slow
@pytest.mark.parametrize("origin", ["2025-12-31", "2026-02-10"])
def test_what_comes_later_changes_nothing_but_what_is_observed(company, origin):
    cut = pd.Timestamp(origin)
    end = (cut + pd.Timedelta(days=1)).tz_localize(company.company["timezone"])
    tables = {name: frame.copy() for name, frame in company.tables.items()}
    history = pd.to_datetime(tables["opportunity_history"]["recorded_at"], utc=True) >= end
    deals = tables["opportunities"]
    later = set(tables["opportunity_history"].loc[history, "opportunity_id"])
    unborn = deals["created_on"] > cut
    # What changes later is three times as large; half of what is created later never is.
    tables["opportunity_history"].loc[history, "amount"] *= 3
    deals.loc[deals["opportunity_id"].isin(later), "amount"] *= 3
    gone = set(deals.loc[unborn, "opportunity_id"].iloc[::2])
    for name in ("opportunities", "opportunity_history"):
        tables[name] = tables[name][~tables[name]["opportunity_id"].isin(gone)]
    tables["leads"] = tables["leads"][~tables["leads"]["opportunity_id"].isin(gone)]
    tables["leads"] = tables["leads"][tables["leads"]["created_on"] <= cut]
    said = tables["submitted_forecasts"]
    tables["submitted_forecasts"] = said.assign(
        amount=said["amount"].where(said["submitted_on"] <= cut, said["amount"] * 3)
    )
    known = company.tables["marketing"]
    tables["marketing"] = known.assign(leads=known["leads"].where(known["period"] < f"{cut:%Y-%m}", known["leads"] * 3))
    if cut.day == 31:  # that month's marketing is known on its last day
        same = known["period"] == f"{cut:%Y-%m}"
        tables["marketing"]["leads"] = tables["marketing"]["leads"].mask(same, known["leads"])
    one, other = forecasts(company.tables, company, origin), forecasts(tables, company, origin)
    pd.testing.assert_frame_equal(one.drop(columns="observed"), other.drop(columns="observed"))
    assert (one["observed"] != other["observed"]).any()


def test_the_order_of_rows_in_the_data_does_not_matter(company, track):
    rng = np.random.default_rng(0)
    shuffled = {name: frame.iloc[rng.permutation(len(frame))] for name, frame in company.tables.items()}
    log = validate(shuffled, Company(**{**company.company, "fixed_at_creation": ()}))
    again = backtest(log, origins=ORIGINS[:1], models=[*BASELINES, "submitted"], months=3)
    pd.testing.assert_frame_equal(again, track[track["origin"] == "2025-10-31"], check_index_type=False)


# -- what was observed, by hand ---------------------------------------------------------------------------

DEALS = table(
    """
    opportunity_id created_on segment stage amount expected_close_on closed_on  outcome
    O1             2025-10-03 East    Won   100    2025-11-20        2025-11-20 won
    O2             2025-10-03 West    Won   40     2025-12-20        2025-12-20 won
    O3             2025-10-03 East    Won   7      2026-01-20        2026-01-20 won
    O4             2026-01-05 West    Lost  9      2026-02-20        2026-02-20 lost
    """
)


def small(deals: pd.DataFrame = DEALS, **company) -> Log:
    return log_of({"opportunities": deals}, **company)


def test_observed_by_hand():
    log = small(extracted_on=pd.Timestamp("2026-02-28"))
    targets = ["2025-09", "2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "FY25 Q4", "FY26 Q1", "FY25 Q3"]
    frame = pd.DataFrame({"target_period": targets, "segment": "Total"})
    expected = [np.nan, 0, 100, 40, 7, np.nan, 140, np.nan, np.nan]
    np.testing.assert_equal(observed(log, frame), expected)
    east = frame.assign(segment="East")
    np.testing.assert_equal(observed(log, east), [np.nan, 0, 100, 0, 7, np.nan, 100, np.nan, np.nan])
    nowhere = frame.assign(segment="Nowhere")
    assert np.isnan(observed(log, nowhere)).all()


def test_observed_follows_the_fiscal_year():
    log = small(extracted_on=pd.Timestamp("2026-02-28"), fiscal_year_start=2)
    frame = pd.DataFrame({"target_period": ["FY26 Q4", "FY26 Q3"], "segment": "Total"})
    np.testing.assert_equal(observed(log, frame), [147, np.nan])  # November to January; September is not in the log


def test_a_month_that_has_not_settled_is_not_observed():
    frame = pd.DataFrame({"target_period": ["2026-01"], "segment": ["Total"]})
    early = DEALS[DEALS["closed_on"] < "2026-02"]
    assert np.isnan(observed(small(early, extracted_on=pd.Timestamp("2026-02-06")), frame)).all()
    assert observed(small(early, extracted_on=pd.Timestamp("2026-02-07")), frame).tolist() == [7]


# -- origins ----------------------------------------------------------------------------------------------


def test_too_early_is_an_abstention_with_its_reason():
    log = small(extracted_on=pd.Timestamp("2026-02-28"))
    assert ledger_of(log).first_day == pd.Timestamp("2025-10-03")
    track = backtest(log, origins=["2025-09-30", "2025-11-30"], models=["ets", "stage-weighted"], months=1)
    assert track["mean"].isna().all()
    assert track.loc[track["origin"] == "2025-09-30", "segment"].unique().tolist() == ["Total"]
    notes = " ".join(track.attrs["notes"])
    assert "nothing was known before the log's first record on 2025-10-03. (2025-09-30)" in notes
    assert "ets needs 6 complete months of bookings: 2 are known. (2025-11-30)" in notes
    assert "stage-weighted needs the table opportunity_history" in notes


def test_origins_are_sorted_and_months_are_their_last_day():
    log = small(extracted_on=pd.Timestamp("2026-02-28"))
    track = backtest(log, origins=["2025-12-10", "2025-11"], models=["ets"], months=1)
    assert track["origin"].dt.strftime("%Y-%m-%d").unique().tolist() == ["2025-11-30", "2025-12-10"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origins": []}, "there is none"),
        ({"origins": "2025-11-30"}, "give a list"),
        ({"origins": ["2025-11", "2025-11-30"]}, "2025-11-30 stands there more than once"),
        ({"origins": ["2025-11", "2026-03-01"]}, "2026-03-01 is after the log's last day, 2026-02-28"),
        ({"origins": ["soon"]}, "'soon' is not a date"),
        ({"models": []}, "models: there is none"),
        ({"models": "ets"}, r"give a list of them, such as \['ets'\]"),
        ({"models": ["ets", "ets"]}, "'ets' stands there more than once"),
        ({"models": ["est"]}, "did you mean 'ets'"),
        ({"models": ["submitted"]}, "needs the table submitted_forecasts"),
        ({"models": ["submitted-sales"]}, "nobody submitted forecasts as 'submitted-sales'"),
        ({"months": 0}, "months: 0 is not a whole number from 1 to 60"),
        ({"seed": -1}, "seed: -1"),
    ],
)
def test_bad_input_is_refused(options, message):
    log = small(extracted_on=pd.Timestamp("2026-02-28"))
    options = {"origins": ["2025-11"], "models": ["ets"], "months": 1, **options}
    with pytest.raises(ParameterError, match=message):
        backtest(log, **options)


def test_a_misspelt_submitter_is_named(log):
    with pytest.raises(ParameterError, match="did you mean 'submitted-sales'"):
        backtest(log, origins=["2025-10"], models=["submitted-sale"])


def test_month_ends():
    log = small(extracted_on=pd.Timestamp("2026-02-28"))
    ends = month_ends(log, first="2025-10", last="2026-02", step=2)
    assert [f"{end:%Y-%m-%d}" for end in ends] == ["2025-10-31", "2025-12-31", "2026-02-28"]
    retail = small(extracted_on=pd.Timestamp("2026-02-28"), calendar="4-4-5", fiscal_year_start=2)
    assert [f"{end:%Y-%m-%d}" for end in month_ends(retail, first="2025-11", last="2025-12")] == [
        "2025-11-30",
        "2025-12-28",
    ]
    for options, message in (
        ({"first": "2026-01", "last": "2025-12"}, "2026-01 is after 2025-12"),
        ({"first": "2026-01", "last": "2026-03"}, "2026-03-31 is after the log's last day"),
        ({"first": "2026-01", "last": "2026-02", "step": 0}, "step: 0"),
    ):
        with pytest.raises(ParameterError, match=message):
            month_ends(log, **options)


def test_progress_is_told():
    told = []
    log = small(extracted_on=pd.Timestamp("2026-02-28"))
    backtest(
        log,
        origins=["2025-11", "2025-12"],
        models=["ets"],
        months=1,
        on_origin=lambda done, of: told.append((done, of)),
    )
    assert told == [(1, 2), (2, 2)]


def test_the_default_models_are_ours_and_every_baseline():
    assert list(DEFAULT_MODELS) == ["pipeline", *BASELINES]


@pytest.mark.slow
def test_on_the_sample_ets_beats_last_year_at_every_horizon(sample):
    log = forecast.read(sample)
    origins = month_ends(log, first="2023-10", last="2026-03", step=3)
    track = backtest(log, origins=origins, models=["ets", "seasonal-naive"])
    months = track[track["target_period"].str.contains("-") & (track["segment"] != "Total")]
    error = (months["mean"] - months["observed"]).abs().groupby([months["model"], months["horizon"]]).sum()
    assert (error["ets"] < error["seasonal-naive"]).all()


def test_a_snapshot_is_let_go_before_the_next_is_made_and_what_came_is_looked_up(log, monkeypatch):
    made, alive = [], []

    def count() -> None:
        alive.append(sum(each() is not None for each in made))

    def watched(*args, **options):
        count()
        snap = snapshot(*args, **options)
        made.append(weakref.ref(snap))
        return snap

    def looked_up(*args, **options):
        count()
        return observed(*args, **options)

    monkeypatch.setattr(backtest_module, "snapshot", watched)
    monkeypatch.setattr(backtest_module, "observed", looked_up)
    backtest(log, origins=["2026-03-10", "2026-04-12"], models=["stage-weighted", "pipeline"])
    assert len(made) == 2
    assert alive == [0, 0, 0]


@pytest.mark.slow
def test_what_no_forecaster_looks_at_may_be_let_go(log):
    lean = for_forecasters(log)
    assert not {"account_id", "lost_reason", "promised_on", "delivered_on"} & set(lean.opportunities)
    assert len(lean.tables["leads"]) == 0
    assert list(lean.missing) == list(log.missing)
    asked = {
        "origins": ["2026-03", "2026-04-12"],
        "models": ["combined", "pipeline-sales-only", "submitted", "stage-age"],
        "seed": 0,
    }
    pd.testing.assert_frame_equal(forecast.backtest(lean, **asked), forecast.backtest(log, **asked), check_exact=True)
