"""Every euro of change: on each kind of company the causes sum to the difference of two forecasts made on their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
import hostile
import maven
from forecast.data.schema import TOTAL, Log
from forecast.errors import ParameterError
from forecast.evaluation.changed import changes_forecast, explained
from forecast.models.pipeline.causes import CAUSES
from forecast.models.pipeline.explained import CHANGE_COLUMNS, DEAL_COLUMNS, END_COLUMNS
from forecast.simulation.company import simulate, write
from logs import log_of

pytestmark = pytest.mark.usefixtures("kept_walks")

CENT = 0.005


def hold_that_nothing_is_left_over(log: Log, *, as_of: str, since: str = "", months: int = 6) -> pd.DataFrame:
    """Hold every sum of the tables, to the cent, against forecasts of the two days made without them."""
    snap = forecast.snapshot(log, as_of=as_of)
    change = explained(log, snap, since=since, months=months)
    assert (tuple(change.causes), tuple(change.deals), tuple(change.ends)) == (
        CHANGE_COLUMNS,
        DEAL_COLUMNS,
        END_COLUMNS,
    )
    assert not change.notes
    day = change.ends["since"].iloc[0]
    now = forecast.forecast_bookings(snap, months=months)
    then = forecast.forecast_bookings(forecast.snapshot(log, as_of=day), months=months)
    both = [table.set_index(["target_period", "segment"])[["mean", "p_at_least_plan"]] for table in (then, now)]
    causes = change.causes
    assert not causes.duplicated(["target_period", "level", "node", "cause"]).any()
    assert set(causes["target_period"]) == set(then["target_period"]) & set(now["target_period"])

    # Company and segments: the forecasts themselves, and their chances of plan.
    known = causes[causes["level"] != "owner"].groupby(["target_period", "node"])
    for key, rows in known:
        assert set(rows["cause"]) == set(CAUSES)
        means = [float(each["mean"].get(key, 0.0)) for each in both]
        assert rows["amount"].sum() == pytest.approx(means[1] - means[0], abs=CENT), key
        p = [float(each["p_at_least_plan"].get(key, np.nan)) for each in both]
        if np.isnan(p).any():
            assert rows["points"].isna().all()
        else:
            assert rows["points"].sum() == pytest.approx(p[1] - p[0], abs=1e-12), key
    # Segments and owners are parts of the company, cause by cause.
    company = causes[causes["level"] == "company"].set_index(["target_period", "cause"])["amount"]
    for level in set(causes["level"]) - {"company"}:
        parts = causes[causes["level"] == level].groupby(["target_period", "cause"])["amount"].sum()
        np.testing.assert_allclose(parts[company.index], company, atol=CENT)
    # Each node's two forecasts, an owner's too.
    ends = change.ends.set_index(["target_period", "level", "node"])
    sums = causes.groupby(["target_period", "level", "node"])["amount"].sum()
    np.testing.assert_allclose((ends["after"] - ends["before"])[sums.index], sums, atol=CENT)
    # The deals behind each bar, for the company and for each segment; deals not yet created are nobody's.
    if len(change.deals):
        period = change.deals["target_period"].iloc[0]
        mine = causes[(causes["target_period"] == period) & (causes["cause"] != "not_yet_created")]
        bars = mine[mine["level"] == "segment"].set_index(["node", "cause"])
        behind = change.deals.groupby(["segment", "cause"])["amount"].sum().reindex(bars.index, fill_value=0.0)
        np.testing.assert_allclose(behind, bars["amount"], atol=CENT)
        count = change.deals.groupby("cause")["opportunity_id"].nunique()
        given = mine[mine["level"] == "company"].set_index("cause")["deals"]
        assert (count.reindex(given.index, fill_value=0) == given).all()
    return causes


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Log:
    folder = tmp_path_factory.mktemp("changed")
    write(simulate(opportunities=1500, months=40, seed=31, segments=3), folder)
    return forecast.read(folder)


def raw(log: Log) -> dict[str, pd.DataFrame]:
    names = ("opportunities", "opportunity_history", "stages", "plan", "marketing")
    return {name: log.get(name).copy() for name in names if log.get(name) is not None}


@pytest.mark.parametrize(
    ("as_of", "since"),
    [
        ("2025-12-31", ""),
        pytest.param("2025-10-31", "", marks=pytest.mark.slow),  # another fiscal quarter
        pytest.param("2025-12-31", "2025-08-31", marks=pytest.mark.slow),  # months between
        pytest.param("2025-12-15", "", marks=pytest.mark.slow),  # mid-month against a month's end
        pytest.param("2025-12-15", "2025-11-15", marks=pytest.mark.slow),  # about the same place in two months
        pytest.param("2025-12-31", "2025-12-08", marks=pytest.mark.slow),  # a month's end against its middle
    ],
)
def test_nothing_is_left_over(company, as_of, since):
    hold_that_nothing_is_left_over(company, as_of=as_of, since=since)


@pytest.mark.slow
def test_nothing_is_left_over_far_ahead(company):
    hold_that_nothing_is_left_over(company, as_of="2025-12-31", months=15)


@pytest.mark.slow
@pytest.mark.long
def test_nothing_is_left_over_on_the_sample(sample):
    hold_that_nothing_is_left_over(forecast.read(sample), as_of="2026-10-12")


@pytest.mark.slow
def test_nothing_is_left_over_where_there_is_no_history(real_data, tmp_path):
    log = forecast.read(maven.build(real_data / "maven_crm", tmp_path / "maven"))
    causes = hold_that_nothing_is_left_over(log, as_of=str(log.extracted_on.date()))
    # How a deal stood is not known, so no change of it is: what today's data add is restated.
    moved = causes.groupby("cause")["amount"].apply(lambda amounts: amounts.abs().sum())
    assert (moved[["stage", "close_date", "amount"]] == 0).all()


@pytest.mark.slow
def test_nothing_is_left_over_at_a_hostile_company(tmp_path):
    hostile.write(tmp_path / "hostile")
    log = forecast.read(tmp_path / "hostile")
    hold_that_nothing_is_left_over(log, as_of=str(log.extracted_on.date()))


@pytest.mark.slow
def test_nothing_is_left_over_where_the_stages_mean_what_deals_say(company):
    tables = raw(company)
    del tables["stages"]
    hold_that_nothing_is_left_over(log_of(tables), as_of="2025-12-31")


def edited(log: Log) -> tuple[Log, dict[str, str]]:
    """Return the company with a month in which all that is odd happens; and the deals it happened to."""
    tables = raw(log)
    deals, history = tables["opportunities"], tables["opportunity_history"]
    snap = forecast.snapshot(log, as_of="2025-11-30")
    still = forecast.snapshot(log, as_of="2025-12-31").opportunities
    still = still[still["outcome"] == "open"]["opportunity_id"]
    table = snap.opportunities[snap.opportunities["outcome"] == "open"]
    picked = list(table[table["opportunity_id"].isin(still)]["opportunity_id"][:4])
    history = history[~(history["opportunity_id"].isin(picked) & (history["recorded_at"] > "2025-12-01"))]
    history["segment"] = history["opportunity_id"].map(deals.set_index("opportunity_id")["segment"])
    history["closed_on"] = pd.NaT
    last = history[history["opportunity_id"].isin(picked)].groupby("opportunity_id").tail(1)
    last = last.set_index("opportunity_id").loc[picked].reset_index()
    last["recorded_at"] = pd.Timestamp("2025-12-10 09:00", tz="UTC")
    last.loc[0, "segment"] = "Atlantis"  # a segment that was not there before
    last.loc[1, "segment"] = next(name for name in snap.segments if name != last.loc[1, "segment"])
    last.loc[2, "amount"] = np.nan
    won = tables["stages"].set_index("outcome")["stage"]["won"]
    last.loc[3, "stage"], last.loc[3, "closed_on"] = won, pd.Timestamp("2025-11-20")
    closed = deals.set_index("opportunity_id")["closed_on"]
    history["closed_on"] = (
        history["opportunity_id"].map(closed).where(history["stage"].isin([won, "Closed lost", "Lost"]))
    )
    tables["opportunity_history"] = pd.concat([history, last], ignore_index=True)
    where = deals["opportunity_id"].isin(picked)
    deals.loc[where, ["closed_on", "outcome"]] = [pd.NaT, "open"]
    now = last.set_index("opportunity_id")
    for name in ("segment", "stage", "amount", "expected_close_on"):
        deals.loc[where, name] = deals.loc[where, "opportunity_id"].map(now[name])
    late = deals["opportunity_id"] == picked[3]
    deals.loc[late, "outcome"] = "won"
    deals.loc[late, "closed_on"] = pd.Timestamp("2025-11-20")
    names = ("to a new segment", "to another segment", "amount lost", "won late")
    company = {name: getattr(log.company, name) for name in ("currency", "fiscal_year_start", "settle_days")}
    return log_of(tables, **company), dict(zip(names, picked, strict=True))


@pytest.mark.slow
def test_nothing_is_left_over_where_all_that_is_odd_happens(company):
    log, happened = edited(company)
    causes = hold_that_nothing_is_left_over(log, as_of="2025-12-31")
    assert "Atlantis" in set(causes["node"])
    change = explained(log, forecast.snapshot(log, as_of="2025-12-31"))
    deals = change.deals.set_index("opportunity_id")
    for name in ("to a new segment", "to another segment"):
        moved = deals.loc[[happened[name]]].query("cause == 'restated'")
        assert moved["segment"].nunique() == 2
        assert set(np.sign(moved["amount"])) == {-1.0, 1.0}
    assert "amount" in set(deals.loc[[happened["amount lost"]], "cause"])
    # Won in November, recorded in December: what the forecast had not known.
    assert list(deals.loc[[happened["won late"]], "cause"]) == ["restated"]
    # A segment that has no earlier forecast has no points, and starts from nothing.
    atlantis = causes[causes["node"] == "Atlantis"]
    assert atlantis["points"].isna().all()
    assert (change.ends.query("node == 'Atlantis'")["before"] == 0).all()


@pytest.mark.slow
def test_what_cannot_be_compared_is_said_or_refused(company):
    with pytest.raises(ParameterError, match="since: 2025-12-31 is not before 2025-12-31"):
        changes_forecast(company, as_of="2025-12-31", since="2025-12-31")
    with pytest.raises(ParameterError, match="is not a date"):
        changes_forecast(company, as_of="2025-12-31", since="yesterday")
    with pytest.raises(ParameterError, match="months: 0"):
        changes_forecast(company, as_of="2025-12-31", months=0)
    with pytest.raises(ParameterError, match="seed"):
        changes_forecast(company, as_of="2025-12-31", seed=-1)
    none = changes_forecast(company, as_of="2025-12-31", since="2022-10-31")
    assert none.empty
    assert tuple(none) == CHANGE_COLUMNS
    assert none.attrs["notes"][0].startswith("There was no forecast on 2022-10-31: ")
    far = changes_forecast(company, as_of="2025-12-31", since="2025-03-31", months=3)
    assert far.empty
    assert "reaches no period" in far.attrs["notes"][0]


@pytest.mark.slow
def test_the_tables_are_those_of_a_month(company, tmp_path):
    from forecast.reporting.month import tables
    from forecast.reporting.month.results import Results

    results = Results(tmp_path / "tables")
    made = tables.table("changes_forecast", company, as_of="2025-12-31", results=results)
    for name in ("changes_forecast", "changes_forecast_deals", "changes_forecast_ends"):
        assert {f"{name}.csv", f"{name}.parquet"} <= {path.name for path in (tmp_path / "tables").iterdir()}
    pd.testing.assert_frame_equal(made, results.read("changes_forecast"))
    assert TOTAL in set(made["node"])
