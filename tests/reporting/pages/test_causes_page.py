"""The leader's section on what changed: its sentences and its waterfall are cells of the tables, and add up."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.models.pipeline.causes import CAUSES
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages.bookings.causes import (
    causes_deals,
    causes_sentence,
    causes_waterfall,
    moved_sentence,
    prepare_moved,
    prepare_waterfall,
)

EURO = Company(currency="EUR")
AMOUNTS = {"won": 300e3, "lost": -500e3, "stage": 100e3, "older": -120e3, "not_yet_created": 20e3}
POINTS = {"won": 0.15, "lost": -0.25, "stage": 0.05, "older": -0.06, "not_yet_created": 0.01}


def tables(*, plan: bool = True) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    nan = float("nan")
    causes = pd.DataFrame(
        [
            {
                "target_period": "FY26 Q4",
                "level": "company",
                "node": "Total",
                "cause": cause,
                "amount": AMOUNTS.get(cause, 0.0),
                "points": POINTS.get(cause, 0.0) if plan else nan,
                "deals": 3 if AMOUNTS.get(cause) and cause != "not_yet_created" else 0,
            }
            for cause in CAUSES
        ]
    )
    ends = {"target_period": "FY26 Q4", "level": "company", "node": "Total"}
    ends |= {"since": pd.Timestamp("2026-09-30"), "as_of": pd.Timestamp("2026-10-31"), "before": 5.0e6, "after": 4.8e6}
    ends |= {"plan": 4.9e6, "chance_before": 0.6, "chance_after": 0.5}
    if not plan:
        ends |= dict.fromkeys(("plan", "chance_before", "chance_after"), nan)
    deals = pd.DataFrame({"cause": ["won"] * 2 + ["lost"], "opportunity_id": ["A", "B", "C"], "segment": "East"})
    deals = deals.assign(
        target_period="FY26 Q4", amount=[200e3, 100e3, -500e3], expected_before=1e3, expected_after=2e3
    )
    given = (("changes_forecast", causes), ("changes_forecast_ends", pd.DataFrame([ends])))
    named = [sources.of_file(frame, name) for name, frame in (*given, ("changes_forecast_deals", deals))]
    return named[0], named[1], named[2]


def test_the_sentences_say_what_the_tables_hold():
    causes, ends, _ = tables()
    moved = prepare_moved(causes, ends, period="FY26 Q4", company=EURO)
    assert sources.plain(moved_sentence(moved)).replace("\u202f", " ") == (
        "Computed as of 30 September, the forecast of FY26 Q4 would have been €5 m (60 % likely to reach plan); "
        "now €4.8 m (50 % likely to reach plan)."
    )
    assert sources.plain(causes_sentence(moved)).replace("\u202f", " ") == (
        "It was lowered by deals lost (€500 k, −25 points) and time that passed over open deals (€120 k, −6 points); "
        "raised by deals won, against what was expected of them (€300 k, +15 points) and open deals that moved on a "
        "stage, or back (€100 k, +5 points); the chart has all causes."
    )
    cited = sources.cited(moved_sentence(moved) + causes_sentence(moved))
    assert any(each.startswith("changes_forecast_ends:0:before|") for each in cited)
    assert any(each.startswith("changes_forecast:1:points|") for each in cited)


def test_the_bars_lead_from_one_forecast_to_the_other():
    causes, ends, deals = tables()
    moved = prepare_moved(causes, ends, period="FY26 Q4", company=EURO)
    assert moved is not None
    record = prepare_waterfall(moved)
    assert list(record.names[:3]) == ["30 September", "won", "lost"]
    assert len(record.rows) == 2 + len(AMOUNTS)  # what moved nothing has no bar
    assert record.after[-2] == pytest.approx(record.after[-1])
    chart = causes_waterfall(moved, as_of="2026-10-31")
    assert isinstance(chart, Chart)
    assert sources.plain(chart.title) == "The forecast of FY26 Q4 fell from €5\u202fm to €4.8\u202fm"
    folds = causes_deals(moved, deals)
    said = [sources.plain(line).split(":")[0] for line, _ in folds.parts]
    assert said == ["won, of those known before", "lost, of those known before"]  # others are not behind the bar


def test_without_a_plan_nothing_is_told_of_its_chance():
    causes, ends, _ = tables(plan=False)
    moved = prepare_moved(causes, ends, period="FY26 Q4", company=EURO)
    assert "plan" not in moved_sentence(moved)
    assert "point" not in sources.plain(causes_sentence(moved))
    assert "points" not in causes_waterfall(moved, as_of="2026-10-31").heads  # type: ignore[union-attr]


def test_under_an_alarm_its_chance_is_not_told():
    causes, ends, deals = tables()
    moved = prepare_moved(causes, ends, period="FY26 Q4", company=EURO, chances=False)
    assert "plan" not in moved_sentence(moved)
    assert "point" not in sources.plain(causes_sentence(moved))
    shown = causes_waterfall(moved, as_of="2026-10-31")
    assert isinstance(shown, Chart)
    assert "points" not in shown.heads
    assert not any("point" in tip.text for tip in shown.tooltips)
    assert causes_deals(moved, deals).lead == "The deals behind each bar, whether due in FY26 Q4 or not:"


def test_what_is_neither_won_nor_lost_is_called_what_it_is():
    causes, ends, _ = tables()
    passed = causes.assign(amount=causes["amount"].mask(causes["cause"] == "restated", -9e5))
    moved = prepare_moved(passed, ends, period="FY26 Q4", company=EURO)
    assert moved is not None
    assert "all else" in prepare_waterfall(moved).names
    assert "deals recorded late, reopened, or passed to another owner or segment" in causes_sentence(moved)


def test_where_an_earlier_forecast_is_missing_one_line_says_so():
    causes, ends, deals = tables()
    moved = prepare_moved(causes, ends, period="FY30 Q1", company=EURO)
    assert moved is None
    assert (moved_sentence(moved), causes_sentence(moved)) == ("", "")
    assert isinstance(causes_waterfall(moved, as_of="2026-10-31"), Statement)
    assert not causes_deals(moved, deals).parts
    # Nothing moved: a forecast of the same day's knowledge.
    still = prepare_moved(causes.assign(amount=0.0), ends, period="FY26 Q4", company=EURO)
    assert causes_sentence(still) == ""


def test_an_amount_as_before_says_how_its_chance_moved():
    causes, ends, _ = tables()
    as_before = sources.of_file(ends.assign(after=5.001e6), "changes_forecast_ends")

    def title(ends: pd.DataFrame, **more: bool) -> str:
        moved = prepare_moved(causes, ends, period="FY26 Q4", company=EURO, **more)
        return sources.plain(causes_waterfall(moved, as_of="2026-10-31").title).replace("\u202f", " ")  # type: ignore[union-attr]

    same = "The forecast of FY26 Q4 is €5 m, as before"
    assert title(as_before) == f"{same}; the chance of plan fell from 60 % to 50 %"
    assert title(as_before.assign(chance_after=0.7)) == f"{same}; the chance of plan rose from 60 % to 70 %"
    assert title(as_before.assign(chance_after=0.601)) == same
    assert title(as_before.assign(chance_before=float("nan"))) == same
    assert title(as_before, chances=False) == same
