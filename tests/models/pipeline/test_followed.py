"""What the forecast reckons with: by hand where a model is put in, recovered where a company is made to change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot, plain_company
from forecast.data.schema import TOTAL
from forecast.errors import ParameterError
from forecast.models.pipeline.components import components_at_origins
from forecast.models.pipeline.followed import (
    DEALS,
    FEWEST,
    FOLLOWED_COLUMNS,
    KEPT,
    LEVEL,
    LOSSES,
    PLANNED,
    SEASON,
    TO_COME,
    WINS,
    _created,
    _levels,
    _seasons,
    _to_come,
    followed,
)
from forecast.simulation.changes.kinds import Change
from forecast.simulation.company import simulate, write


@pytest.fixture(scope="module")
def snap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("followed")
    write(simulate(opportunities=4000, months=36, seed=54), folder)
    return forecast.snapshot(forecast.read(folder), as_of="2026-10-31")


@pytest.fixture(scope="module")
def origin(snap):
    return next(components_at_origins(snap, origins=[snap.as_of], steps=6, marketing=True))


def made(tmp_path, change: str | None, *, seed: int) -> pd.DataFrame:
    changes = () if change is None else Change(kind=change, month="2026-04" if change == "break" else None)
    write(simulate(opportunities=12_000, months=60, seed=seed, changes=changes), tmp_path)
    return followed(forecast.snapshot(forecast.read(tmp_path), as_of="2026-10-31"))


def test_a_level_by_hand(origin):
    # Chances of 1 in 101 whose odds are halved: 1 in 201, so that of the wins 101 / 201 are left; losses stay.
    model, n = origin.learned.model, len(origin.learned.states)
    plain = np.full((n, 6, 2), np.log(0.01))
    halved = plain + np.log([0.5, 1.0])
    learned = replace(origin.learned, plain=plain, logits=halved)
    rows = _levels(replace(origin, learned=learned), replace(model, shift=object()))
    total = {row.of: row for row in rows if row.name == TOTAL}
    assert total[WINS].change == pytest.approx(101 / 201 - 1)
    assert total[LOSSES].change == pytest.approx(0.0)
    assert total[WINS].deals == n
    assert all(row.deals >= FEWEST for row in rows)


def test_months_of_the_year_by_hand(origin):
    # January counts twice what the others do, which are 12 / 13 of the mean then.
    model = origin.learned.model
    beta = model.beta.copy()
    first = model.code.layout["season"][0]
    beta[first : first + 12, 0] = 0.0
    beta[first, 0] = np.log(2.0)
    quarter = model.code.layout["quarter"][0]
    beta[quarter : quarter + 6, 0] = 0.0
    months = {row.period % 12: row.change for row in _seasons(origin, replace(model, beta=beta))}
    assert list(months) == [10, 11, 0, 1, 2, 3]
    assert months.pop(0) == pytest.approx(24 / 13 - 1)
    np.testing.assert_allclose(list(months.values()), 12 / 13 - 1)
    # Twice as many in the last month of a quarter, too: 2 and 4 in a year of 4 * 2 + 7 + 2.
    beta[quarter + 5, 0] = np.log(2.0)
    rows = {row.period % 12: row for row in _seasons(origin, replace(model, beta=beta))}
    assert rows[11].change == pytest.approx(2 / (17 / 12) - 1)
    assert rows[11].rest == pytest.approx(12 / 13 - 1)


def test_deals_to_come_by_hand(origin):
    # Of 60 and 40 deals to come of two groups the first do half as well, the others as well as ever: .7 in all.
    future = origin.future
    created, young = np.zeros_like(future.created), np.ones(future.created.shape[:2])
    created[0, :2, :] = np.array([10.0, 20 / 3])[:, None]
    young[0, 0] = 0.5
    steps = created.shape[2]
    rows = _to_come(replace(origin, future=replace(future, created=created, young=young)), origin.learned.model)
    found = {row.name: (row.change, row.deals) for row in rows}
    segment, *_ = origin.view.ledger.segments
    assert found.pop(f"segment: {segment}") == (pytest.approx(-0.3), 100)
    assert found.pop(f"source: {future.groups[0]}") == (pytest.approx(-0.5), 60)
    assert found.pop(f"source: {future.groups[1]}") == (pytest.approx(0.0), 40)
    assert steps >= origin.asked == 6
    assert not found


def test_deals_created_by_hand(origin):
    # 30 a month in three months after 20 a month in twelve: half as many again; of the other source nothing is told.
    past = np.zeros_like(origin.future.past)
    past[0, -15:-3], past[0, -3:], past[1, -3:] = 20, 30, 5
    (row,) = _created(replace(origin, future=replace(origin.future, past=past)), origin.learned.model)
    assert (row.name, row.of, row.deals) == (f"source: {origin.future.groups[0]}", DEALS, 90)
    assert row.change == pytest.approx(0.5)
    short = replace(origin, future=replace(origin.future, past=past[:, -14:]))
    assert _created(short, origin.learned.model) == []


def test_the_table(snap):
    table = followed(snap, months=3)
    assert list(table.columns) == list(FOLLOWED_COLUMNS)
    assert len(table[table["kind"] == SEASON]) == 3
    assert set(table["of"]) <= {WINS, LOSSES, DEALS}
    assert (table["deals"] >= FEWEST).all()
    assert (table["kind"] == TO_COME).any()
    assert table.loc[table["kind"] == KEPT, "share"].between(0, 1).all()
    assert table.loc[table["kind"] != KEPT, "change"].gt(-1).all()
    pd.testing.assert_frame_equal(followed(snap, months=3), table)


def test_without_a_model_it_is_empty_and_months_out_of_range_are_refused(snap):
    thin = make_snapshot("2020-12-31", plain_company(deals=12, months=6, seed=3, won=0.2, lost=0.1))
    empty = followed(thin)
    assert list(empty.columns) == list(FOLLOWED_COLUMNS)
    assert empty.empty
    for months in (0, 25):
        with pytest.raises(ParameterError, match="months"):
            followed(snap, months=months)


@pytest.mark.slow
@pytest.mark.long
def test_what_a_company_was_made_to_do_is_what_is_reckoned_with(tmp_path):
    broken = made(tmp_path / "break", "break", seed=51)
    level = broken[(broken["kind"] == LEVEL) & (broken["name"] == TOTAL) & (broken["of"] == WINS)]
    assert level["change"].item() == pytest.approx(0.55 - 1, abs=0.12)
    renewals = made(tmp_path / "renewals", "renewals", seed=52)
    kept = renewals[renewals["kind"] == KEPT].set_index("name")
    assert kept.loc["lead_source: Renewal", "share"] == pytest.approx(0.88, abs=0.06)
    assert kept.loc["lead_source: Renewal", "rest"] < 0.2
    assert kept.loc["lead_source: Outbound", "share"] < 0.2
    still = made(tmp_path / "still", None, seed=53)
    assert still.loc[still["kind"] == LEVEL, "change"].abs().max() < 0.05
    assert still.loc[still["kind"] == PLANNED, "change"].abs().max() < 0.1
