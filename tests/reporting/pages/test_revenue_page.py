"""What the page says of the change of revenue: the sentence, the waterfall, and what is not known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.scorecard.measures import BOOKINGS
from forecast.evaluation.scorecard.revenue.decomposition import COLUMNS
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages.scorecard import revenue
from forecast.wording import THIN as T

EURO = Company(currency="EUR")
NAN = float("nan")


def row(
    split: str, component: str, amount: float, *, ends=(NAN, NAN), n=(10, 9), level="company", node="Total", **more
):
    values = {"comparison": "year", "level": level, "node": node, "split": split, "component": component}
    values |= {"amount": amount, "share": NAN, "from_value": ends[0], "to_value": ends[1], "n_before": n[0]}
    values |= {"n_after": n[1], "before": "2024-11 to 2025-10", "after": "2025-11 to 2026-10", "missing": ""}
    return values | more


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        row("total", "revenue", -1.0e6, ends=(18.1e6, 17.1e6)),
        row("factor", "customers", -1.2e6, ends=(100, 90)),
        row("factor", "frequency", 0.0, ends=(1.5, 1.5)),
        row("factor", "units", -0.1e6, ends=(10, 9)),
        row("factor", "price", 0.3e6, ends=(900, 880)),
        row("factor", "mix", 0.01e6),
        row("factor", "account_unknown", -0.01e6, ends=(2e6, 1.99e6)),
        row("factor", "deal_size", 0.0),
        row("factor", "amount_unknown", 0.0),
        row("customers", "new", 2.4e6, n=(0, 20)),
        row("customers", "regained", 0.6e6, n=(0, 5)),
        row("customers", "lost", -4.2e6, n=(35, 0)),
        row("customers", "kept", 0.0, n=(65, 65)),
        row("total", "revenue", -1.0e6, ends=(18.1e6, 17.1e6), level="segment", node="North"),
        row("total", "revenue", 1e6, ends=(4e6, 5e6), level="segment", node="North", comparison="joint planning"),
        row("total", "revenue", 0.5e6, ends=(2e6, 2.5e6), level="beside", node="North", comparison="joint planning"),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_the_sentence_says_what_revenue_changed_by(table: pd.DataFrame):
    assert revenue.sell_sentence(table, company=EURO) == (
        f"Revenue fell from €18.1{T}m to €17.1{T}m: fewer customers bought (−€1.2{T}m) and orders had fewer units "
        f"(−€100{T}k); but prices rose within segments and products (+€300{T}k); the chart has the rest."
    )


def test_revenue_as_it_was_is_neither_risen_nor_fallen(table: pd.DataFrame):
    table.loc[0, ["amount", "to_value"]] = [100.0, 18.1001e6]
    assert revenue.sell_sentence(table, company=EURO).startswith(f"Revenue was €18.1{T}m, as in the year before: ")


def test_who_came_and_who_went(table: pd.DataFrame):
    told, planned = revenue.remarks(table, company=EURO)
    assert told == (
        f"20 new customers bought (+€2.4{T}m), 5 who had bought before the two years came back (+€600{T}k) and 35 of "
        f"the year before did not buy again (−€4.2{T}m); 65 bought in both years."
    )
    assert planned.startswith(f"The 1 segment that plans jointly booked €5{T}m")
    assert f"€4{T}m in the same months a year before (+25{T}%)" in planned
    assert f"never joined rose by 25{T}%" in planned
    assert "no effect of planning" in planned


def test_bars_begin_where_the_one_above_ended_and_end_at_the_change(table: pd.DataFrame):
    steps = revenue.prepare_steps(table, company=EURO)
    assert steps is not None
    assert list(steps.names)[:2] == ["customers who bought", "units per order"]
    assert steps.names[-1] == "change"
    np.testing.assert_allclose(steps.before[1:-1], steps.after[:-2])
    assert steps.before[0] == steps.before[-1] == 0
    assert steps.after[-1] == pytest.approx(steps.after[-2])


def test_the_chart_has_its_words(table: pd.DataFrame):
    chart = revenue.revenue_waterfall(table, company=EURO, as_of="2026-10-31")
    assert isinstance(chart, Chart)
    assert chart.title == f"Revenue fell from €18.1{T}m to €17.1{T}m"
    assert "zero is the revenue before" in chart.subtitle
    assert len(chart.tooltips) == 6
    assert sources.plain(chart.tooltips[0].text) == f"customers who bought: −€1.2{T}m; 100{T}→{T}90"


@pytest.mark.parametrize(("verdict", "could"), [("unclear", "Yes"), ("below", "No")])
def test_luck_is_said_by_the_scorecards_own_test(verdict: str, could: str):
    card = pd.DataFrame({"measure": [BOOKINGS], "against_year": [verdict], "year_n": [12], "n_of": ["month"]})
    assert revenue.luck_sentence(card) == (
        f"Could luck alone have made that change? {could} (12 months against the same months before)."
    )
    assert revenue.luck_sentence(card.assign(against_year="")) == ""


def test_without_a_year_before_it_says_why():
    why = "bookings are recorded from 2026-01 on; the twelve months before need wins in opportunities from then"
    table = pd.DataFrame([row("total", "revenue", NAN, missing=why)], columns=list(COLUMNS))
    picture = revenue.revenue_waterfall(table, company=EURO, as_of="2026-10-31")
    assert isinstance(picture, Statement)
    assert picture.kind == "nothing"
    assert "recorded from 2026-01" in picture.more
    assert revenue.sell_sentence(table, company=EURO) == ""
    assert revenue.remarks(table, company=EURO) == []
