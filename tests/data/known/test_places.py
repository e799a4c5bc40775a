"""What belonged where on a day, as known on that day or a later one."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.known.places import ancestors, known_hierarchy, parents_on
from forecast.data.known.snapshot import snapshot
from forecast.errors import ParameterError
from logs import STAGES, log_of, table

PLACES = table(
    """
    of      node   from       parent to
    owner   Ada    2026-01-01 Team   2026-02-10
    segment East   2026-01-01 Europe .
    segment East   2026-03-01 Asia   .
    segment Europe 2026-01-01 World  .
    """
)
DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome owner
    A              2026-01-10 East    Won     120    2026-04-30        2026-03-30 won     Ada
    """
)


@pytest.fixture
def log():
    return log_of({"opportunities": DEALS, "stages": STAGES, "hierarchy": PLACES})


def test_on_each_day_a_row_holds_that_had_begun_and_has_not_ended(log):
    frame = log.get("hierarchy")
    for day, segments, owners in (
        ("2025-12-31", {}, {}),
        ("2026-02-10", {"East": "Europe", "Europe": "World"}, {"Ada": "Team"}),
        ("2026-02-11", {"East": "Europe", "Europe": "World"}, {}),
        ("2026-03-01", {"East": "Asia", "Europe": "World"}, {}),
    ):
        stamp = pd.Timestamp(day)
        assert parents_on(frame, of="segment", day=stamp) == segments, day
        assert parents_on(frame, of="owner", day=stamp) == owners, day
    assert parents_on(None, of="owner", day=pd.Timestamp("2026-02-10")) == {}
    with pytest.raises(ParameterError, match="not one of"):
        parents_on(frame, of="team", day=pd.Timestamp("2026-02-10"))


def test_a_snapshot_knows_neither_later_rows_nor_ends_that_lie_ahead(log):
    seen = snapshot(log, as_of="2026-01-31").hierarchy
    assert list(seen["node"]) == ["Ada", "East", "Europe"]
    assert seen["to"].isna().all()
    assert known_hierarchy(None, day=pd.Timestamp("2026-01-31")) is None
    later = snapshot(log, as_of="2026-03-31").hierarchy
    assert later["to"].notna().sum() == 1
    # What a later snapshot says of a day before is what was known then.
    for of in ("segment", "owner"):
        day = pd.Timestamp("2026-01-31")
        assert parents_on(seen, of=of, day=day) == parents_on(later, of=of, day=day)


def test_ancestors_come_nearest_first_and_a_circle_is_refused():
    assert ancestors("East", {"East": "Europe", "Europe": "World"}) == ("Europe", "World")
    assert ancestors("World", {}) == ()
    with pytest.raises(ParameterError, match="belongs to itself"):
        ancestors("a", {"a": "b", "b": "a"})
