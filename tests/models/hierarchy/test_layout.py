"""Which nodes there are and where deals stand; whose deals are that are not yet created."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from companies import make_snapshot
from forecast.models.hierarchy.layout import layouts, written
from forecast.models.hierarchy.shares import shares_of
from logs import STAGES, log_of, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome owner product
    A              2026-01-10 East    Won     120    2026-04-30        2026-03-30 won     Ada   Goods
    B              2026-02-10 West    Propose 60     2026-04-30        .          open    Bob   Service
    C              2026-02-11 East    Propose 60     2026-04-30        .          open    Bob   .
    D              2026-02-12 East    Propose 60     2026-04-30        .          open    .     Goods
    """
)
TEAMS = """
    of      node     from       parent  to
    owner   Ada      2026-01-01 Team-1  .
    owner   Bob      2026-01-01 Team-2  ."""


def trees(rows: str, *, as_of: str = "2026-03-31"):
    log = log_of({"opportunities": DEALS, "stages": STAGES, "hierarchy": table(rows)})
    import forecast

    view = forecast.snapshot(log, as_of=as_of).state
    return {tree.of: tree for tree in layouts(view)}, view


def test_owners_of_segments_stand_below_them_also_with_deals_elsewhere():
    found, view = trees(
        TEAMS
        + """
    owner   Team-1   2026-01-01 East    .
    owner   Team-2   2026-01-01 West    .
    segment East     2026-01-01 Europe  .
    segment Europe   2026-01-01 World   .
    """
    )
    assert set(found) == {"segment"}
    tree = found["segment"]
    assert tree.path_of("East", "Ada") == ("World", "Europe", "East", "Team-1", "Ada")
    assert tree.path_of("East", "Bob") == ("World", "Europe", "East", "Team-2", "Bob")
    assert tree.path_of("West", "Bob") == ("West", "Team-2", "Bob")
    assert tree.path_of("East", "") == ("World", "Europe", "East", "no owner")
    assert tree.path_of("South", "Cyd") == ("South", "Cyd")  # both new since
    assert [kind for _, kind in tree.nodes_of("East", "Ada")] == [
        *("total", "group", "group", "segment"),
        *("team", "owner"),
    ]
    assert written(tree.path_of("West", "Bob")) == "West > Team-2 > Bob"
    assert written(()) == "Total"
    east = view.segments.index("East")
    assert tree.path(east, -1) == tree.path_of("East", "")


def test_owners_whose_teams_belong_to_a_region_are_a_tree_of_their_own():
    found, _ = trees(
        TEAMS
        + """
    owner   Team-1   2026-01-01 Europe  .
    segment East     2026-01-01 Europe  .
    segment Europe   2026-01-01 World   .
    product Goods    2026-01-01 Things  .
    """
    )
    assert set(found) == {"segment", "owner", "product"}
    assert found["segment"].path_of("East", "Ada") == ("World", "Europe", "East")
    assert found["owner"].path_of("West", "Ada") == ("World", "Europe", "Team-1", "Ada")
    assert found["owner"].path_of("West", "Bob") == ("Team-2", "Bob")
    assert found["product"].path_of("West", "Goods") == ("Things", "Goods")
    assert found["product"].path_of("West", "Service") == ("Service",)
    assert found["product"].path_of("West", "") == ("no product",)


def test_what_has_others_below_it_and_deals_of_its_own_keeps_them_in_a_leaf():
    found, _ = trees("of node from parent to\nsegment West 2026-01-01 East .\nowner Bob 2026-01-01 Ada .")
    assert found["segment"].path_of("West", "") == ("East", "West")
    assert found["segment"].path_of("East", "") == ("East", "East itself")
    assert found["owner"].path_of("East", "Bob") == ("Ada", "Bob")
    assert found["owner"].path_of("East", "Ada") == ("Ada", "Ada itself")


def test_places_are_those_of_the_day():
    rows = """
    of      node   from       parent to
    segment East   2026-01-01 Europe .
    segment East   2026-03-01 Asia   .
    segment West   2026-01-01 Europe 2026-02-28
    """
    assert trees(rows, as_of="2026-02-28")[0]["segment"].of_segment == (("Europe", "East"), ("Europe", "West"))
    assert trees(rows)[0]["segment"].of_segment == (("Asia", "East"), ("West",))
    assert layouts(make_snapshot("2026-03-31", DEALS.assign(amount=1.0)).state) == []


def test_deals_to_come_are_shared_out_by_those_created_lately_and_none_go_to_who_left():
    deals = pd.DataFrame(
        {
            "opportunity_id": [f"d{number:03}" for number in range(120)],
            "created_on": pd.Timestamp("2026-03-10"),
            "segment": "East",
            "stage": "Propose",
            "amount": 10.0,
            "outcome": "open",
            "owner": ["Ada"] * 60 + ["Bob"] * 30 + ["Cyd"] * 30,
        }
    )
    deals.loc[deals["owner"] == "Cyd", "created_on"] = pd.Timestamp("2025-09-10")
    view = make_snapshot("2026-03-31", deals).state
    codes = view.ledger.columns["owner"].fixed.astype(int)
    found = shares_of(view, codes, levels=3, left=np.zeros(0, dtype=int))
    assert found.codes[0].tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.mean[0], [60 / 105, 30 / 105, 15 / 105])  # six months ago counts half
    without = shares_of(view, codes, levels=3, left=np.array([0]))
    assert without.codes[0].tolist() == [1, 2]
    np.testing.assert_allclose(without.mean[0], [2 / 3, 1 / 3])
    nobody = shares_of(view, codes, levels=3, left=np.array([0, 1, 2]))
    np.testing.assert_allclose(nobody.mean[0], found.mean[0])
    drawn = found.draw(0, 4000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    np.testing.assert_allclose(drawn.mean(axis=0), found.mean[0], atol=0.01)
    share = found.mean[0][0]
    assert drawn[:, 0].var() == pytest.approx(share * (1 - share) / (found.weight[0] + 1), rel=0.1)
