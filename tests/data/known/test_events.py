"""Which events of a company are known on a day, and how much of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import Calendar
from forecast.data.known.coding import NONE, day_number
from forecast.data.known.events import LASTING, Events, known_events, known_from
from forecast.data.known.snapshot import snapshot
from logs import STAGES, log_of, table

OPPORTUNITIES = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2026-01-10 East    Won     120    2026-04-30        2026-05-30 won
    """
)
EVENTS = table(
    """
    from       to         kind     text      announced_on
    2026-03-01 2026-04-30 campaign announced 2026-01-15
    2026-03-01 2026-04-30 campaign unheard   .
    2026-03-01 2026-04-30 campaign belated   2026-03-20
    2026-03-01 .          price    lasting   .
    """
)


def known_on(day: str, events: pd.DataFrame = EVENTS) -> dict[str, str]:
    """Return text -> `to` of the events known on a day, `-` for none."""
    log = log_of({"opportunities": OPPORTUNITIES, "stages": STAGES, "events": events})
    found = snapshot(log, as_of=day).events
    return dict(zip(found["text"], found["to"].dt.strftime("%Y-%m-%d").fillna("-"), strict=True))


@pytest.mark.parametrize(
    ("day", "known"),
    [
        ("2026-01-14", {}),
        ("2026-01-15", {"announced": "2026-04-30"}),
        ("2026-02-28", {"announced": "2026-04-30"}),
        ("2026-03-01", {"announced": "2026-04-30", "unheard": "-", "lasting": "-"}),
        ("2026-03-20", {"announced": "2026-04-30", "unheard": "-", "lasting": "-", "belated": "2026-04-30"}),
        ("2026-04-30", dict.fromkeys(["announced", "unheard", "belated"], "2026-04-30") | {"lasting": "-"}),
    ],
)
def test_an_event_is_known_from_its_announcement_or_else_its_first_day(day: str, known: dict[str, str]):
    assert known_on(day) == known


def test_without_announcements_the_first_day_tells():
    assert known_on("2026-03-01", EVENTS.drop(columns="announced_on")) == dict.fromkeys(EVENTS["text"], "-")
    assert "to" not in known_events(dated(EVENTS.drop(columns="to")), day=pd.Timestamp("2026-03-01"))
    assert known_events(None, day=pd.Timestamp("2026-03-01")) is None


def dated(events: pd.DataFrame) -> pd.DataFrame:
    columns = ("from", "to", "announced_on")
    return events.assign(**{name: pd.to_datetime(events[name]) for name in columns if name in events})


@pytest.mark.parametrize("seed", range(20))
def test_what_is_not_known_yet_changes_nothing(seed: int):
    """Property: events of later days, later ends, and the order of rows are out of sight."""
    rng = np.random.default_rng(seed)
    day, n = pd.Timestamp("2026-06-30"), 40
    begins = pd.Timestamp("2026-05-01") + pd.to_timedelta(rng.integers(0, 120, n), unit="D")
    announced = (begins + pd.to_timedelta(rng.integers(-90, 30, n), unit="D")).where(rng.random(n) < 0.5)
    ends = (begins + pd.to_timedelta(rng.integers(0, 90, n), unit="D")).where(rng.random(n) < 0.7)
    events = pd.DataFrame({"from": begins, "to": ends, "kind": rng.choice(["a", "b"], n), "announced_on": announced})
    other = events.copy()
    known = known_from(events) <= day
    other.loc[~known, "kind"] = "c"
    unheard = known & events["announced_on"].isna() & ~(events["to"] <= day)
    other.loc[unheard, "to"] = pd.Timestamp("2026-07-01") + pd.to_timedelta(rng.integers(0, 99, n), unit="D")[unheard]
    other.loc[~known & (events["from"] > day), "from"] += pd.Timedelta(days=5)
    assert known.any()
    assert unheard.any()
    order = rng.permutation(n)
    one, two = (known_events(frame, day=day) for frame in (events, other.iloc[order]))
    pd.testing.assert_frame_equal(one, two)
    assert (known_from(one) <= day).all()
    assert not (one["to"][one["announced_on"].isna()] > day).any()


# -- as numbers --------------------------------------------------------------------------------------------

CODED = table(
    """
    from       to         segment product kind      text announced_on
    2026-03-01 2026-04-30 East    .       Campaign  x    2026-01-15
    2026-03-20 2026-04-30 .       Goods   price     x    .
    2026-02-01 .          .       .       campaign  x    2026-04-10
    2026-02-01 .          Eest    .       campaign  x    .
    """
)


def coded(day: str = "") -> Events:
    made = Events.of(dated(CODED), segments=("East", "West"), products=("Goods",), calendar=Calendar())
    return made.as_of(day_number(pd.Timestamp(day))) if day else made


def test_events_as_numbers_by_hand():
    events, february = coded(), Calendar().period("2026-02-01")
    assert events.kinds == ("campaign", "price")  # capitals make no difference; of an unknown segment is no deal
    assert (events.first - february).tolist() == [0, 1, 1]  # by first day
    assert np.where(events.last == LASTING, -1, events.last - february).tolist() == [-1, 2, 2]
    assert events.segment.tolist() == [NONE, 0, NONE]
    assert events.product.tolist() == [NONE, NONE, 0]
    assert events.kind.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("day", "known"),
    [
        ("2026-01-14", []),
        ("2026-01-15", [("campaign", True)]),
        ("2026-03-20", [("campaign", True), ("price", False)]),
        ("2026-04-09", [("campaign", True), ("price", False)]),
        ("2026-04-10", [("campaign", False), ("campaign", True), ("price", False)]),
        ("2026-04-30", [("campaign", False), ("campaign", True), ("price", True)]),
    ],
)
def test_the_numbers_of_a_day_are_those_known_then(day: str, known: list[tuple[str, bool]]):
    events = coded(day)
    found = [(events.kinds[kind], bool(last != LASTING)) for kind, last in zip(events.kind, events.last, strict=True)]
    assert sorted(found) == sorted(known)


def test_without_a_table_there_are_no_events():
    none = Events.of(None, segments=(), products=(), calendar=Calendar())
    assert len(none.first) == len(none.as_of(20_000).last) == 0
    assert none.kinds == ()


@pytest.mark.parametrize("seed", range(10))
def test_the_numbers_of_an_earlier_day_are_those_of_its_own_snapshot(seed: int):
    """Property: a walk through the past of a snapshot knows on each day what a snapshot of that day holds."""
    rng = np.random.default_rng(seed)
    n, days = 30, pd.to_datetime(["2026-03-31", "2026-05-14"])
    begins = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 200, n), unit="D")
    announced = (begins + pd.to_timedelta(rng.integers(-90, 30, n), unit="D")).where(rng.random(n) < 0.5)
    ends = (begins + pd.to_timedelta(rng.integers(0, 90, n), unit="D")).where(rng.random(n) < 0.7)
    frame = pd.DataFrame({"from": begins, "to": ends, "kind": rng.choice(["a", "b"], n), "announced_on": announced})
    options = {"segments": (), "products": (), "calendar": Calendar()}
    later, then = (Events.of(known_events(frame, day=day), **options) for day in days[::-1])
    one, other = (events.as_of(day_number(days[0])) for events in (later, then))
    for name in ("first", "last", "segment", "product", "kind", "known_on"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name


def test_a_walk_through_the_past_knows_the_events_of_each_day():
    deals = OPPORTUNITIES.assign(product="Goods")
    events = CODED.assign(segment=CODED["segment"].replace("Eest", None))
    log = log_of({"opportunities": deals, "stages": STAGES, "events": events})
    later = snapshot(log, as_of="2026-05-31")
    assert later.state.events.kinds == ("campaign", "price")
    for day in ("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"):
        walked, own = later.ledger.as_of(day).events, snapshot(log, as_of=day).state.events
        for name in ("first", "last", "segment", "product", "known_on"):
            assert getattr(walked, name).tolist() == getattr(own, name).tolist(), (day, name)
        kinds = ([each.kinds[kind] for kind in each.kind] for each in (walked, own))
        assert next(kinds) == next(kinds)
    assert len(later.ledger.as_of("2026-01-31").events.first) == 1
