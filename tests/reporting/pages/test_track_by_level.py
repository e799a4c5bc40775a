"""How near forecasts by level were, as page 04 says it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.level_scores import COLUMNS, scores_by_level
from forecast.reporting.pages.track.by_level import by_level
from forecast.reporting.pages.words import HABIT


def track(months: int = 20) -> pd.DataFrame:
    """Return forecasts of two owners of one segment: Ada always 2 too high, Bob right on the whole."""
    rows, swings = [], np.random.default_rng(1).choice([-1.0, 1.0], months)
    for number, swing in enumerate(swings):
        origin = pd.Timestamp("2024-01-31") + pd.offsets.MonthEnd(number)
        period = f"{origin + pd.Timedelta(days=1):%Y-%m}"
        for path, kind, level, mean, came in (
            ("Total", "total", 0, 30.0, 28.0 - swing),
            ("East", "segment", 1, 30.0, 28.0 - swing),
            ("East > Ada", "owner", 2, 12.0 + 0.01 * (number % 3), 10.0),
            ("East > Bob", "owner", 2, 18.0, 18.0 - swing),
        ):
            node = path.rpartition(" > ")[2]
            rows.append(("segment", level, kind, path, node, origin, period, 1, mean, came))
    columns = ["of", "level", "kind", "path", "node", "origin", "target_period", "horizon", "mean", "observed"]
    return pd.DataFrame(rows, columns=columns)


def test_misses_are_pooled_by_kind_and_each_node_is_held_against_luck():
    scores = scores_by_level(track())
    assert list(scores.columns) == list(COLUMNS)
    kinds = scores[scores["node"] == ""].set_index("kind")
    assert kinds.loc["owner", "n"] == 40
    owned = track().loc[track()["kind"] == "owner", "observed"].sum()
    assert kinds.loc["owner", "wape"] == pytest.approx((20 * 2 + 0.01 * 19 + 20) / owned)
    whole = track()[track()["level"] == 0]
    expected = (whole["mean"] - whole["observed"]).sum() / whole["observed"].sum()
    assert kinds.loc["total", "bias"] == pytest.approx(expected)
    nodes = scores[scores["node"] != ""].set_index("node")
    assert set(nodes.index) == {"East", "Ada", "Bob"}  # the whole has its record elsewhere
    assert nodes.loc["Ada", "verdict"] == "above"
    assert nodes.loc["Bob", "verdict"] == "unclear"
    assert nodes.loc["Ada", "p_page"] >= nodes.loc["Ada", "p_value"]


def test_luck_is_called_one_side_in_one_company_of_a_hundred_at_most():
    rng = np.random.default_rng(4)
    called = 0
    for _ in range(60):
        luck = track(16)
        luck = luck.assign(observed=luck["mean"] * rng.lognormal(0, 0.5, len(luck)) / np.exp(0.125))
        called += int(scores_by_level(luck)["verdict"].isin(["above", "below"]).any())
    assert called <= 3


def test_the_page_says_each_level_s_miss_and_where_forecasts_were_off():
    scores = sources.of_file(scores_by_level(track()), "hierarchy_scores")
    shown = by_level(scores, company=Company(currency="EUR"))
    html = shown._repr_html_()
    assert "the whole" in html
    assert HABIT.above in html
    assert "hierarchy_scores:" in html
    assert "East &gt; Ada" in html
    assert by_level(company=Company())._repr_html_() == ""
    none = track().assign(observed=np.nan)
    assert scores_by_level(none).empty
    assert by_level(scores_by_level(none), company=Company())._repr_html_() == ""
