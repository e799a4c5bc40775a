"""The steady kind of company, and that the ordinary one is what it always was; organisation, events, reasons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.calendar import parse_periods, period_label
from forecast.data.schema import TABLES
from forecast.simulation import truth as oracle
from forecast.simulation.company import Simulation, simulate, write
from forecast.simulation.records.organisation import FAMILIES, REGIONS
from forecast.simulation.records.submitted import REASONS, made_jointly


@pytest.fixture(scope="module")
def steady() -> Simulation:
    return simulate(opportunities=6000, seed=11, steady=True, segments=12)


def origin_of(table: pd.DataFrame) -> pd.Series:
    return table["submitted_on"].dt.year * 12 + table["submitted_on"].dt.month - 1


def test_the_ordinary_company_is_what_it_was_before_there_were_kinds():
    # Sums of the tables made by the code of version 0.2.0; figures of record rest on them.
    tables = simulate(opportunities=1500, seed=4).tables
    assert len(tables["opportunities"]) == 1590
    assert tables["opportunities"]["amount"].sum() == 99_526_137
    assert tables["opportunity_history"]["amount"].sum() == 426_992_234
    assert tables["submitted_forecasts"]["amount"].sum() == pytest.approx(520_049_600.15, abs=0.01)
    assert tables["marketing"]["spend"].sum() == 208_817
    assert tables["quotas"]["quota"].sum() == 13_145_900
    assert tables["costs"]["amount"].sum() == 6_184_977


# -- who plans jointly from when on ------------------------------------------------------------------------


def test_a_quarter_of_the_segments_has_not_begun(steady: Simulation):
    adopted = steady.tables["joint_planning"]["adopted_on"]
    assert adopted.isna().sum() == 3
    assert adopted.dropna().nunique() == 9


def test_joint_planning_begins_with_a_whole_month(steady: Simulation):
    table = steady.tables["submitted_forecasts"]
    starts = steady.tables["joint_planning"].set_index("segment")["adopted_on"].dropna()
    joint = table[(table["submitter"] == "joint") & (table["category"] == "commit")]
    first = starts.dt.year * 12 + starts.dt.month - 1
    since = parse_periods(joint["target_period"]) - joint["segment"].map(first)
    assert since.min() == 0
    made_ahead = since + origin_of(joint).rsub(pd.Series(parse_periods(joint["target_period"]), index=joint.index))
    assert set(made_ahead[since == 0]) == {0, 1, 2, 3}
    announced = steady.tables["joint_planning"].set_index("segment")["announced_on"].dropna()
    assert (joint.groupby("segment")["submitted_on"].min() > announced).all()


def test_which_forecasts_are_made_jointly_by_hand(steady: Simulation):
    together = made_jointly(steady.settings, steady.truth.staff)
    g = int(np.argmax(steady.truth.staff.adopted))
    begins = steady.truth.staff.adopted[g]
    # Three months before the start only the forecast three months ahead is for a month planned jointly.
    assert together[g, begins - 3].tolist() == [False, False, False, True]
    assert together[g, begins - 1].tolist() == [False, True, True, True]
    assert together[g, begins].all()
    assert not together[g, : begins - 3].any()
    assert not together[steady.truth.staff.adopted < 0].any()


@pytest.mark.slow
def test_the_twin_differs_by_the_effect_alone():
    options = {"opportunities": 1500, "seed": 4, "steady": True, "segments": 12}
    twin, treated = simulate(effect=0.0, **options), simulate(effect=0.3, **options)
    for name, table in twin.tables.items():
        if name != "submitted_forecasts":
            pd.testing.assert_frame_equal(table, treated.tables[name])
    a, b = twin.tables["submitted_forecasts"], treated.tables["submitted_forecasts"]
    g = a["segment"].map({name: i for i, name in enumerate(twin.settings.names)}).to_numpy()
    actual = twin.truth.actual[g, parse_periods(a["target_period"]) - twin.settings.start_period]
    joint = (a["submitter"] == "joint").to_numpy()
    np.testing.assert_allclose((b["amount"] - actual)[joint], 0.7 * (a["amount"] - actual)[joint], atol=0.011)
    pd.testing.assert_frame_equal(a[~joint], b[~joint])


# -- organisation ----------------------------------------------------------------------------------------------


def test_seats_are_handed_over_and_every_seller_has_quotas_from_the_first_day_on(steady: Simulation):
    quotas, history = steady.tables["quotas"], steady.tables["opportunity_history"]
    hired = quotas.groupby("owner")["hired_on"].agg(["min", "max"])
    assert (hired["min"] == hired["max"]).all()
    joined = hired["min"][hired["min"] > steady.tables["opportunities"]["created_on"].min()]
    assert len(joined) > 5
    assert (quotas.groupby("owner")["period"].min()[joined.index] == joined.dt.strftime("%Y-%m")).all()
    touched = history.groupby("owner")["recorded_at"].min().dt.tz_convert(None)
    assert (touched.reindex(joined.index).dropna() >= joined[touched.reindex(joined.index).notna()]).all()
    assert set(history["owner"]) <= set(hired.index)
    # A month's quotas are of as many sellers as there are seats.
    assert quotas.groupby("period").size().nunique() == 1


def test_in_the_hierarchy_everybody_belongs_to_one_place_at_a_time(steady: Simulation):
    table = steady.tables["hierarchy"]
    for _, rows in table.groupby(["of", "node"]):
        since, until = rows["from"].to_numpy()[1:], rows["to"].to_numpy()[:-1]
        assert (since == until + np.timedelta64(1, "D")).all()
    segments = table[table["of"] == "segment"]
    assert set(segments["node"]) == set(steady.settings.names)
    assert set(segments["parent"]) == set(REGIONS)
    assert (segments.groupby("node").size() > 1).sum() == 1
    assert set(table.loc[table["of"] == "product", "parent"]) == set(FAMILIES)
    owners = table[table["of"] == "owner"].set_index("node")
    assert set(steady.tables["quotas"]["owner"]) < set(owners.index)
    teams = owners.loc[sorted(set(steady.tables["quotas"]["owner"])), "parent"]
    assert set(owners.loc[sorted(set(teams)), "parent"]) == set(steady.settings.names)


def test_campaigns_are_where_leads_surged(steady: Simulation):
    events = steady.tables["events"]
    assert set(events["kind"]) == {"campaign", "reorganisation", "price change", "migration"}
    assert events["from"].is_monotonic_increasing
    assert (events["announced_on"] < events["from"]).all()
    leads = steady.tables["marketing"].set_index(["segment", "channel", "period"])["leads"].sort_index()
    for campaign in events[events["kind"] == "campaign"].itertuples():
        channel = campaign.text.split(" campaign")[0]
        of_channel = leads[campaign.segment, channel]
        during = of_channel[campaign[1].strftime("%Y-%m") : campaign.to.strftime("%Y-%m")]
        assert len(during) == 3
        assert during.mean() > 1.5 * of_channel.mean()


# -- reasons -------------------------------------------------------------------------------------------------


def test_a_reason_says_the_direction_and_is_written_by_those_who_know(steady: Simulation):
    table = steady.tables["submitted_forecasts"]
    up = table["reason"].isin(REASONS[:4])
    down = table["reason"].isin(REASONS[4:])
    assert (table.loc[up, "amount"] > table.loc[up, "base"]).all()
    assert (table.loc[down, "amount"] < table.loc[down, "base"]).all()
    assert set(table["reason"].dropna()) == set(REASONS)
    g = table["segment"].map({name: i for i, name in enumerate(steady.settings.names)}).to_numpy()
    month = parse_periods(table["target_period"]) - steady.settings.start_period
    off = (table["amount"] - steady.truth.actual[g, month]).abs() / table["base"]
    commit = (table["category"] == "commit") & ((table["amount"] / table["base"] - 1).abs() > 0.1)
    assert off[commit & (up | down)].median() < off[commit & ~(up | down)].median()
    assert table.loc[table["category"] == "best case", "reason"].isna().all()


def test_the_base_is_the_usual_month_as_known_then(steady: Simulation):
    table = steady.tables["submitted_forecasts"]
    row = table[table["submitter"] == "sales"].iloc[-1]
    g = steady.settings.names.index(row["segment"])
    last = origin_of(table).iloc[row.name] - steady.settings.start_period - 2
    assert row["base"] == round(steady.truth.actual[g, last - 11 : last + 1].mean(), -2)


# -- the law ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_folder_is_read_without_a_complaint(steady: Simulation, tmp_path: Path):
    write(steady, tmp_path)
    log = forecast.read(tmp_path)
    assert not log.notes
    assert set(log.tables) == set(TABLES) - {"periods", "stage_changes"}


@pytest.mark.long
@pytest.mark.slow
def test_the_oracle_is_unbiased_for_the_steady_kind_too():
    gaps = []
    for seed in range(350, 374):
        made = simulate(opportunities=4000, seed=seed, steady=True)
        gap, total = np.zeros(6), np.zeros(6)
        for month in range(14, 60, 9):
            table = oracle.expected_bookings(made, period_label(made.settings.start_period + month))
            expected = table[table["segment"] == "Total"]["mean"].to_numpy()
            gap += made.truth.actual[:, month + 1 : month + 7].sum(axis=0) - expected
            total += expected
        gaps.append(gap / total)
    figures = np.array(gaps)
    z = figures.mean(axis=0) / (figures.std(axis=0, ddof=1) / np.sqrt(len(figures)))
    assert (np.abs(z) < 3.0).all(), z
    assert (np.abs(figures.mean(axis=0)) < 0.04).all()


# -- what is written of it ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.3, 0.0])
def test_the_readme_shows_what_is_said_of_the_sample_and_of_its_twin(root: Path, tmp_path: Path, effect: float):
    write(simulate(seed=9001, steady=True, segments=12, effect=effect), tmp_path)
    log = forecast.read(tmp_path)
    errors = forecast.planning_errors(log)
    found = forecast.planning_effect(errors, log.tables["joint_planning"], seed=0)
    quoted = (root / "README.md").read_text(encoding="utf-8").replace("\n> ", " ")
    assert found.sentence in quoted
    if not effect:
        guide = " ".join((root / "docs" / "reading_a_report.md").read_text(encoding="utf-8").split())
        change, low, high = (round(100 * value) for value in (found.mean_change, *found.mean_interval))
        assert f"it is −{-low} % to +{high} %" in guide
        assert f"the estimate in the middle, −{-change} %, is no finding" in guide
