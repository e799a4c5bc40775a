"""A company's own columns: as of the day where history has them, today's value on the last day where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forecast
from forecast.data.known.snapshot import snapshot
from forecast.errors import DataError, ParameterError
from logs import STAGES, log_of, random_tables, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome tier size risk
    A              2026-01-10 East    Won     120    2026-04-30        2026-03-30 won     gold 3    high
    B              2026-02-10 West    Propose 60     2026-04-30        .          open    .    4    low
    C              2026-02-01 West    Lost    60     2026-04-30        2026-03-01 lost    iron 5    low
    """
)
HISTORY = table(
    """
    opportunity_id recorded_at         stage   amount expected_close_on risk mood
    A              2026-01-10T09:00:00 Qualify 100    2026-03-31        low  calm
    A              2026-02-05T10:00:00 Propose 120    2026-04-30        .    calm
    B              2026-02-10T12:00:00 Qualify 50     2026-05-31        mid  .
    A              2026-03-30T08:00:00 Won     120    2026-04-30        high wild
    B              2026-04-20T09:30:00 Propose 60     2026-04-30        low  calm
    """
)
TABLES = {"opportunities": DEALS, "opportunity_history": HISTORY, "stages": STAGES}
LAST = pd.Timestamp("2026-05-31")


def own_log(**company):
    return log_of(TABLES, **({"extracted_on": LAST, "fixed_at_creation": ("size",)} | company))


def shown(frame: pd.DataFrame, *columns: str) -> list[str]:
    return [" ".join("." if pd.isna(value) else str(value) for value in row) for row in frame[list(columns)].to_numpy()]


# -- by hand: A and B have a history, C has none ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "answer"),
    [
        ("2026-01-31", ["A . 3.0 low calm"]),
        ("2026-02-28", ["A . 3.0 . calm", "B . 4.0 mid .", "C . 5.0 . ."]),
        # C is closed, but nobody knows when its risk was written
        ("2026-03-31", ["A . 3.0 high wild", "B . 4.0 mid .", "C . 5.0 . ."]),
        ("2026-05-31", ["A gold 3.0 high wild", "B . 4.0 low calm", "C iron 5.0 low ."]),
    ],
)
def test_own_columns_as_of_the_day(as_of, answer):
    snap = snapshot(own_log(), as_of=as_of)
    assert shown(snap.opportunities, "opportunity_id", "tier", "size", "risk", "mood") == answer


def test_what_has_no_history_is_there_as_extracted_and_said_to_be():
    early, last = (snapshot(own_log(), as_of=day) for day in ("2026-01-31", LAST))
    assert shown(early.own_columns, "opportunity_id", "tier") == ["A gold"]
    assert shown(last.own_columns, "opportunity_id", "tier") == ["A gold", "B .", "C iron"]
    assert list(last.own_columns) == ["opportunity_id", "tier"]  # risk has a history, size is fixed
    assert any("Of tier only today's values are known" in note for note in early.notes)
    assert not any("tier" in note for note in last.notes)


def test_a_company_without_own_columns_has_nothing_of_it():
    plain = {**TABLES, "opportunities": DEALS.drop(columns=["tier", "size", "risk"])}
    snap = snapshot(log_of(plain, extracted_on=LAST), as_of="2026-03-31")
    assert snap.own_columns is None
    assert not any("own_columns" in note for note in snap.notes)


def test_leads_keep_theirs_on_the_last_day_alone():
    leads = table(
        """
        lead_id created_on segment channel campaign
        1       2026-01-05 East    Web     spring
        2       2026-02-05 East    Web     autumn
        """
    )
    log = log_of({**TABLES, "leads": leads}, extracted_on=LAST)
    early, last = (snapshot(log, as_of=day).leads for day in ("2026-02-28", LAST))
    assert early["campaign"].isna().all()
    assert last["campaign"].tolist() == ["spring", "autumn"]
    assert log.tables["leads"]["campaign"].tolist() == ["spring", "autumn"]  # the log's own is as it was


def test_a_selection_keeps_them_and_goes_by_those_that_are_known():
    log = own_log()
    part = forecast.select(log, where="size >= 4 AND risk = 'mid'")
    assert part.opportunities["opportunity_id"].tolist() == ["B"]
    assert {"tier", "size", "risk"} <= set(part.opportunities)
    assert "mood" in part.tables["opportunity_history"]
    with pytest.raises(ParameterError, match="tier may not be used: it is today's value"):
        forecast.select(log, where="tier = 'gold'")


# -- never from later ----------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(past=st.integers(0, 10_000), future=st.integers(0, 10_000), day=st.integers(-60, 80), carry=st.booleans())
def test_no_value_was_first_written_after_the_day(past, future, day, carry):
    cut = pd.Timestamp("2026-06-30")
    tables = random_tables(past, future, as_of=str(cut.date()), carry=carry)
    history, deals = tables["opportunity_history"], tables["opportunities"]
    written = (pd.to_datetime(history["recorded_at"], utc=True).dt.tz_localize(None) - cut).dt.days
    last = written.groupby(history["opportunity_id"]).max()
    tables["opportunity_history"] = history.assign(written_on=written.astype(str))
    today = deals["opportunity_id"].map(last).fillna(999).astype(int)
    tables["opportunities"] = deals.assign(written_on=today.astype(str), scribbled="x")
    log = log_of(tables)
    as_of = min(cut + pd.Timedelta(days=day), log.extracted_on - pd.Timedelta(days=1))
    try:
        snap = snapshot(log, as_of=as_of)
    except ParameterError:
        return  # before the first record
    known = snap.opportunities.set_index("opportunity_id")["written_on"]
    limit = (as_of - cut).days
    assert (known.dropna() <= limit).all()
    rows = written[written <= limit].groupby(history["opportunity_id"]).max()
    pd.testing.assert_series_equal(known, rows.reindex(known.index).astype("float64"), check_names=False)
    assert snap.opportunities["scribbled"].isna().all()


@pytest.mark.slow
def test_our_own_models_say_the_same_with_and_without(root: Path):
    log = forecast.read(root / "data" / "sample")
    deals = log.opportunities
    knows = deals["outcome"].map({"won": 2.0, "lost": 1.0, "open": 0.0})
    other = forecast.Log(
        tables={**log.tables, "opportunities": deals.assign(knows=knows, says=deals["outcome"])},
        company=log.company,
        extracted_on=log.extracted_on,
    )
    for day in ("2026-03-31", "2026-10-31"):
        one, two = (forecast.snapshot(each, as_of=day) for each in (log, other))
        pd.testing.assert_frame_equal(forecast.win_probabilities(one, seed=0), forecast.win_probabilities(two, seed=0))
        pd.testing.assert_frame_equal(
            forecast.forecast_bookings(one, months=3, seed=0), forecast.forecast_bookings(two, months=3, seed=0)
        )
    tracks = [
        forecast.backtest(each, origins=["2026-03"], models=["pipeline"], seed=0, months=2) for each in (log, other)
    ]
    pd.testing.assert_frame_equal(*tracks)
    assert not {"knows", "says"} & set(forecast.landmarks(other, origins=["2026-03"]))


# -- bad input ----------------------------------------------------------------------------------------------------


def test_names_of_figures_that_are_worked_out_stay_ours_and_this_is_said():
    tables = {**TABLES, "opportunities": DEALS.assign(slips="7", stage_since="x")}
    log = log_of(tables, extracted_on=LAST)
    assert sum("a figure of this name is worked out" in note.what for note in log.notes) == 2
    snap = snapshot(log, as_of="2026-03-31")
    assert snap.opportunities["slips"].tolist()[:2] == [1, 0]
    assert snap.opportunities["stage_since"].dtype.kind == "M"
    assert list(snap.own_columns) == ["opportunity_id", "tier", "size"]


@pytest.mark.parametrize("name", ["outcome", "closed_on", "slips"])
def test_what_is_known_only_later_is_not_fixed_at_creation(name):
    with pytest.raises(DataError, match=f"'{name}' is"):
        log_of({**TABLES, "opportunities": DEALS.assign(slips="1")}, fixed_at_creation=(name,))


def test_lists_and_other_odd_values_are_kept_as_they_are_written(tmp_path: Path):
    odd = [["x", "y"], None, ["z"]]
    DEALS.assign(rivals=odd, notes=[{"a": 1}, {"a": 2}, None], flag=[True, False, True]).to_parquet(
        tmp_path / "opportunities.parquet"
    )
    log = forecast.read(tmp_path)
    own = forecast.snapshot(log, as_of=log.extracted_on).opportunities
    assert own["rivals"].isna().tolist() == [False, True, False]
    assert "z" in own["rivals"].iloc[2]
    assert own["flag"].tolist() == ["true", "false", "true"]
    assert own.groupby("rivals").size().tolist() == [1, 1]


def test_three_hundred_columns():
    many = pd.DataFrame({f"own_{k}": np.arange(3).astype(str) for k in range(300)})
    log = log_of({**TABLES, "opportunities": pd.concat([DEALS, many], axis=1)}, extracted_on=LAST)
    early, last = (snapshot(log, as_of=day) for day in ("2026-03-31", LAST))
    assert early.opportunities.filter(like="own_").isna().all().all()
    assert last.opportunities["own_299"].tolist() == [0, 1, 2]
    (note,) = [note for note in early.notes if "own_columns" in note]
    assert len(note) < 300
