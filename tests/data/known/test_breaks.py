"""Breaks in the record: by hand, as of a day, and found in companies that have one and in no other."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.audit import breaks as told
from forecast.data.audit.audit import audit
from forecast.data.known.breaks import find_breaks, loads_of
from forecast.data.known.broken import Breaks
from forecast.data.known.ledger import ledger_of
from forecast.data.known.segment_breaks import closed_segments, new_segments
from forecast.data.schema import Log
from forecast.simulation.changes.kinds import Change
from forecast.simulation.company import Simulation, simulate, write
from logs import counted

FOUND = {
    "migration": told.STAMPED,
    "newcrm": told.BEGUN,
    "rename": told.RENAMED,
    "unrecorded": told.UNRECORDED,
    "closed": told.CLOSED,
    "split": told.NEW,
}
"""What the audit calls each break of the simulated company."""


def company(kind: str | None, seed: int, *, steady: bool = False) -> tuple[Simulation, Log]:
    changes = () if kind is None else Change(kind=kind, month="2025-03")
    made = simulate(opportunities=4000, months=36, seed=seed, segments=4, steady=steady, changes=changes)
    with tempfile.TemporaryDirectory() as folder:
        write(made, folder)
        return made, forecast.read(folder)


def breaks_on(log: Log, day: str) -> Breaks:
    return find_breaks(ledger_of(log).as_of(day), log.get("stages"))


def named(log: Log) -> set[str]:
    return set(FOUND.values()) & set(audit(log)["finding"])


def test_a_load_is_a_day_that_no_other_comes_near():
    days = np.r_[np.repeat(np.arange(100), 2), np.full(30, 50)]
    found = loads_of(days, usual=60.0)
    assert (found.days, found.sizes, found.most) == ((50,), (32,), 2)
    assert found.deals.sum() == 32
    assert not loads_of(np.repeat(np.arange(100), 25), usual=60.0).days  # every day holds as many
    assert not loads_of(np.repeat(np.arange(4), 25), usual=60.0).days  # nor are four days a load


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOUND)
@pytest.mark.parametrize("seed", [41, 42])
def test_each_break_is_found_and_no_other(kind: str, seed: int):
    _, log = company(kind, seed)
    assert named(log) == {FOUND[kind]}


@pytest.mark.slow
@pytest.mark.parametrize("steady", [False, True])
def test_a_company_that_goes_on_has_none(steady: bool):
    assert not named(company(None, 43, steady=steady)[1])


@pytest.mark.slow
def test_dates_stamped_anew_are_those_of_the_truth_and_deals_keep_their_age():
    _, still = company(None, 44)
    _, log = company("migration", 44)
    moved = (log.opportunities["created_on"] != still.opportunities["created_on"]).to_numpy()
    ledger = ledger_of(log)
    (load,) = breaks_on(log, "2025-03-31").stamped
    assert load.day == np.datetime64("2025-03-01").astype("datetime64[D]").astype(int)
    assert set(load.deals) <= set(np.flatnonzero(moved))
    assert len(load.deals) > 0.9 * moved.sum()  # the others closed on that very day, or began the day before
    true = still.opportunities["created_on"].to_numpy("datetime64[D]").astype("int64")
    assert np.array_equal(ledger.created_on, true)
    assert np.array_equal(ledger.created_in, ledger_of(still).created_in)
    assert np.array_equal(ledger.stamped_on == load.day, ledger.stamped_on == ledger.stamped_on[load.deals[0]])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["migration", "newcrm", "rename", "unrecorded", "closed", "split"])
def test_nothing_is_known_of_a_break_before_it(kind: str):
    _, log = company(kind, 45)
    view = ledger_of(log).as_of("2025-02-28")
    found = find_breaks(view, log.get("stages"))
    assert found == Breaks()
    assert not closed_segments(view)
    assert not new_segments(view)


@pytest.mark.slow
def test_what_is_found_as_of_a_day_does_not_hang_on_what_came_later():
    # The same day, read from the whole log and from one that ends on it.
    _, log = company("rename", 46)
    day = pd.Timestamp("2025-04-30")
    history = log.tables["opportunity_history"]
    cut = history[history["recorded_at"] < (day + pd.Timedelta(days=1)).tz_localize("Europe/Berlin")]
    tables = {**log.tables, "opportunity_history": cut.reset_index(drop=True)}
    short = Log(tables=tables, company=log.company, extracted_on=day.as_unit("us"))
    assert breaks_on(log, "2025-04-30").renamed == breaks_on(short, "2025-04-30").renamed != ()


def small(rows: list[tuple[str, str, str]], stages: list[tuple[str, int]]) -> Log:
    """Return a log of deals with one row of history a line: id, day, stage; all are open."""
    history = pd.DataFrame(rows, columns=["opportunity_id", "recorded_at", "stage"])
    history = history.assign(amount="10", expected_close_on="2025-12-31")
    deals = history.drop_duplicates("opportunity_id", keep="last")
    first = history.drop_duplicates("opportunity_id")["recorded_at"].str[:10].to_numpy()
    deals = deals.assign(created_on=first, segment="East", closed_on=None, outcome="open")
    table = pd.DataFrame(stages, columns=["stage", "position"]).assign(outcome="open")
    tables = {
        "opportunities": deals.drop(columns="recorded_at"),
        "opportunity_history": history,
        "stages": table.astype("str"),
    }
    return forecast.data.checks.validation.validate(tables, forecast.data.schema.Company())


def renames(position_of_new: int, *, last_old: int = 29, gap: int = 1) -> tuple[tuple[str, str], ...]:
    days = pd.date_range("2025-01-01", periods=80).strftime("%Y-%m-%d")
    old = [(f"A{k}", f"{days[k]}T09:00:00", "Proposal") for k in range(last_old + 1)]
    new = [(f"B{k}", f"{days[k]}T09:00:00", "Offer") for k in range(last_old + gap, 70)]
    log = small(old + new, [("Proposal", 1), ("Offer", position_of_new)])
    view = ledger_of(log).as_of(log.extracted_on)
    return tuple((each.old, each.new) for each in find_breaks(view, log.get("stages")).renamed)


def test_a_stage_is_renamed_where_another_begins_at_its_position():
    assert renames(1) == (("Proposal", "Offer"),)
    assert renames(2) == ()  # another position: another stage
    assert renames(1, gap=-1) == ()  # both are in use on one day and the next
    assert renames(1, gap=30) == ()  # a month lies between


def test_a_segment_was_split_off_the_one_that_lost_as_much():
    log = counted({"East": [40] * 12 + [20] * 6, "North": [0] * 12 + [20] * 6, "West": [30, 31] * 9})
    view = ledger_of(log).as_of(log.extracted_on)
    (found,) = new_segments(view)
    names = view.ledger.segments
    assert (names[found.segment], names[found.of or 0]) == ("North", "East")
    assert (found.created, found.before, found.after) == (20.0, 40.0, 20.0)


def test_a_new_segment_that_took_from_none_has_no_other():
    log = counted({"East": [40] * 18, "North": [0] * 12 + [20] * 6, "West": [30, 31] * 9})
    (found,) = new_segments(ledger_of(log).as_of(log.extracted_on))
    assert found.of is None


def test_a_segment_that_pauses_with_open_deals_has_not_closed():
    log = counted({"East": [40] * 18, "North": [40] * 16 + [0, 0]})
    assert not closed_segments(ledger_of(log).as_of(log.extracted_on))
