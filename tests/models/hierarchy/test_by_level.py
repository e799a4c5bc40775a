"""The forecast by level: every level adds up to the cent, in the mean and in each draw, whatever the hierarchy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.checks.validation import validate
from forecast.data.schema import ADDENDS, QUANTILE_COLUMNS, TOTAL, Company
from forecast.errors import ParameterError
from forecast.models.hierarchy.cells import Draws, Holders
from forecast.models.hierarchy.forecast import COLUMNS, by_level, forecast_by_level
from forecast.models.hierarchy.layout import layouts
from forecast.models.hierarchy.targets import Targets
from forecast.models.pipeline.bookings import drawn_at, table_of
from forecast.models.pipeline.components import Origin, components_at_origins
from forecast.simulation.company import simulate

CENT = 0.005
DAYS = ("2026-04-30", "2026-06-17")


@pytest.fixture(scope="module")
def log():
    made = simulate(opportunities=1500, months=36, seed=5, segments=4, steady=True)
    deals = made.tables["opportunities"]
    nobody = np.arange(len(deals)) % 29 == 0
    made.tables["opportunity_history"]["owner"] = made.tables["opportunity_history"]["owner"].mask(
        made.tables["opportunity_history"]["opportunity_id"].isin(deals["opportunity_id"][nobody])
    )
    deals["product"] = deals["product"].mask(np.arange(len(deals)) % 31 == 0)
    return validate(made.tables, Company(extracted_on=pd.Timestamp(made.company["extracted_on"])))


@pytest.fixture(scope="module", params=DAYS)
def origin(log, request: pytest.FixtureRequest) -> Origin:
    """Return a day with its components, in the middle of a month too; the walk is made once."""
    snap = forecast.snapshot(log, as_of=request.param)
    return next(components_at_origins(snap, origins=[snap.as_of], steps=6, marketing=True))


def with_hierarchy(origin: Origin, table: pd.DataFrame | None) -> Origin:
    """Return a day on which another hierarchy is known."""
    ledger = origin.view.ledger
    other = replace(ledger, tables={**ledger.tables, "hierarchy": table})
    return replace(origin, view=replace(origin.view, ledger=other))


def random_hierarchy(origin: Origin, seed: int) -> pd.DataFrame:
    """Return places as odd as a company may have them: some missing, over, managers who sell, segments in segments."""
    rng = np.random.default_rng(seed)
    view, rows = origin.view, []
    day = view.as_of

    def place(of: str, node: str, parent: str) -> None:
        over = rng.random() < 0.1
        rows.append((of, node, day - pd.Timedelta(days=400), parent, day - pd.Timedelta(days=9) if over else pd.NaT))

    for number, name in enumerate(view.segments):
        if rng.random() < 0.8:
            place("segment", name, view.segments[0] if number == 2 and seed % 2 else f"Region {number % 2}")
    for region in (0, 1):
        if rng.random() < 0.7:
            place("segment", f"Region {region}", "World")
    owners = view.ledger.columns["owner"].levels or ()
    for number, name in enumerate(owners):
        if rng.random() < 0.8:
            boss = owners[0] if number % 5 == 1 else f"Team {number % 4}"
            place("owner", name, boss if number else "Team 0")
    for team in range(4):
        if seed % 3:
            place("owner", f"Team {team}", view.segments[team % len(view.segments)] if seed % 3 == 1 else "Region 0")
    for number, name in enumerate(view.ledger.columns["product"].levels or ()):
        place("product", name, f"Family {number % 2}")
    columns = ["of", "node", "from", "parent", "to"]
    return pd.DataFrame(rows, columns=columns).astype({"from": "datetime64[us]", "to": "datetime64[us]"})


def differences(table: pd.DataFrame) -> int:
    """Return how many sums over the children of a node are not the node's, to the cent."""
    found = 0
    for _, tree in table.groupby("of"):
        paths = tree["path"].where(tree["level"] > 0, "")
        above = paths.str.rpartition(" > ")[0]
        inner = set(above[tree["level"] > 0])
        for name in ("mean", *ADDENDS):
            children = tree[tree["level"] > 0].groupby([above[tree["level"] > 0], "target_period"])[name].sum()
            own = tree[paths.isin(inner)].set_index([paths[paths.isin(inner)], "target_period"])[name]
            assert len(children) == len(own)
            found += int(((children - own.reindex(children.index)).abs() > CENT).sum())
    return found


@pytest.mark.parametrize("seed", range(12))
def test_every_level_adds_up_to_the_cent(origin: Origin, seed: int):
    table = by_level(with_hierarchy(origin, random_hierarchy(origin, seed)), months=6, seed=3).table
    assert list(table.columns) == list(COLUMNS)
    assert not table.duplicated(["of", "path", "target_period"]).any()
    assert differences(table) == 0
    assert np.isfinite(table[["mean", *QUANTILE_COLUMNS, *ADDENDS]].to_numpy()).all()
    assert np.abs(table[list(ADDENDS)].sum(axis=1) - table["mean"]).max() < CENT
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles[:, 0] >= table["booked"] - CENT).all()
    # Two trees at once are two cuts of the same money: each has the whole, none has more.
    wholes = table[table["level"] == 0].pivot(index="target_period", columns="of", values="mean")
    assert "product" in wholes
    assert len(wholes.columns) >= 2
    assert (wholes.max(axis=1) - wholes.min(axis=1)).max() < CENT


@pytest.mark.parametrize("seed", range(12))
def test_segments_and_the_whole_have_the_numbers_of_the_forecast(origin: Origin, seed: int):
    bookings = table_of(origin, drawn_at(origin, seed=3), months=6).table
    table = by_level(with_hierarchy(origin, random_hierarchy(origin, seed)), months=6, seed=3).table
    columns = ["mean", *QUANTILE_COLUMNS, *ADDENDS]
    for of in table["of"].unique():
        whole = table[(table["of"] == of) & (table["level"] == 0)].set_index("target_period")[columns]
        total = bookings[bookings["segment"] == TOTAL].set_index("target_period")[columns]
        pd.testing.assert_frame_equal(whole, total.loc[whole.index], rtol=1e-9, check_names=False)
    mine = table[(table["of"] == "segment") & (table["kind"] == "segment")]
    joined = mine.assign(segment=mine["node"].str.removesuffix(" itself")).merge(
        bookings, on=["segment", "target_period"], suffixes=("", "_own")
    )
    assert len(joined) == len(mine)
    for name in columns:
        np.testing.assert_allclose(joined[name], joined[f"{name}_own"], rtol=1e-9, atol=1e-6)


def test_in_each_draw_the_owners_of_a_segment_bring_what_it_brings(origin: Origin):
    parts, view = origin.forecast(), origin.view
    drawn, targets = Draws.of(parts, seed=7), Targets.of(view, 6)
    trees = layouts(view)
    assert [tree.of for tree in trees] == ["segment", "product"]
    for tree in trees:
        holders = Holders.of(view, tree)
        for place in range(len(view.segments)):
            parted = holders.parted(parts, place, deals=origin.parts.ids, months=targets.all_months, drawn=drawn)
            assert len(parted.codes) > 2
            np.testing.assert_allclose(parted.draws.sum(axis=1), drawn.whole[:, place], rtol=1e-9, atol=1e-6)
            # Its mean is the expectation's, as near as chance has it.
            expected = (parted.open_pipeline + parted.new).sum(axis=1)
            error = parted.draws.sum(axis=2).std(axis=0) / np.sqrt(len(parted.draws))
            assert (np.abs(parted.draws.sum(axis=2).mean(axis=0) - expected) < 5 * error + 1e-6).all()


def test_owners_stand_below_their_segments_with_their_own_deals(origin: Origin, log):
    table = by_level(origin, months=6, seed=1).table
    deals = forecast.win_probabilities(forecast.snapshot(log, as_of=origin.view.as_of), months=6)
    known = forecast.snapshot(log, as_of=origin.view.as_of).opportunities.set_index("opportunity_id")["owner"]
    owner = deals["opportunity_id"].map(known).fillna("no owner")
    rows = table[(table["of"] == "segment") & (table["kind"] == "owner") & (table["horizon"] == 1)]
    rows = rows[~rows["target_period"].str.contains(" ")]
    segment = rows["path"].str.split(" > ").str[1]
    mine = rows.set_index([segment, "node"])["open_pipeline"]
    own = deals["expected_1"].groupby([deals["segment"], owner]).sum()
    assert len(own) > 10
    np.testing.assert_allclose(mine.reindex(own.index), own, rtol=1e-9, atol=1e-6)
    assert mine[~mine.index.isin(own.index)].abs().max() < CENT


def test_a_hierarchy_leaves_the_rest_to_the_whole_and_nothing_else_moves(log):
    plain = validate({name: frame for name, frame in log.tables.items() if name != "hierarchy"}, log.company)
    snap, other = (forecast.snapshot(each, as_of=DAYS[0]) for each in (log, plain))
    table = forecast_by_level(other, months=2)
    assert table.empty
    assert list(table.columns) == list(COLUMNS)
    assert "no table hierarchy" in table.attrs["notes"][0]
    pd.testing.assert_frame_equal(
        forecast.forecast_bookings(snap, months=2), forecast.forecast_bookings(other, months=2)
    )


def test_a_part_of_the_company_keeps_its_places(log):
    some = sorted(log.opportunities["segment"].unique())[:2]
    part = forecast.select(log, segment=some)
    pd.testing.assert_frame_equal(part.get("hierarchy"), log.get("hierarchy"))
    table = forecast_by_level(forecast.snapshot(part, as_of=DAYS[0]), months=2)
    assert set(table.loc[table["kind"] == "segment", "node"]) == set(some)
    assert differences(table) == 0
    until = forecast.select(log, until="2025-03-31").get("hierarchy")
    assert until["from"].max() <= pd.Timestamp("2025-03-31")
    assert not (until["to"] > pd.Timestamp("2025-03-31")).any()
    assert len(until) < len(log.get("hierarchy"))


def test_parameters_are_checked_and_too_thin_data_have_nodes_without_numbers(log):
    snap = forecast.snapshot(log, as_of=DAYS[0])
    with pytest.raises(ParameterError, match="months"):
        forecast_by_level(snap, months=0)
    with pytest.raises(ParameterError, match="seed"):
        forecast_by_level(snap, seed=-1)
    thin = forecast_by_level(forecast.snapshot(log, as_of="2023-12-31"), months=2)
    assert len(thin)
    assert thin["mean"].isna().all()
    assert thin.attrs["notes"][0].startswith("No forecast")


def test_it_is_the_same_each_time_and_another_seed_draws_anew(origin: Origin):
    one, again, other = (by_level(origin, months=6, seed=seed).table for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    pd.testing.assert_frame_equal(one[["path", "mean"]], other[["path", "mean"]])
    assert not one["q50"].equals(other["q50"])
    plain = by_level(origin, months=6, seed=None).table
    pd.testing.assert_frame_equal(one[["path", "mean", *ADDENDS]], plain[["path", "mean", *ADDENDS]])
    assert plain["q50"].isna().all()
