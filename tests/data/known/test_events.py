"""Which events of a company are known on a day, and how much of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.known.events import known_events, known_from
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
