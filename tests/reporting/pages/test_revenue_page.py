"""What the page says of the change of bookings: the sentence, the waterfall, and what is not known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.scorecard.measures import BOOKINGS
from forecast.evaluation.scorecard.revenue.decomposition import COLUMNS
from forecast.reporting.charts.canvas import Canvas
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages.scorecard import components, revenue
from forecast.wording import THIN as T

EURO = Company(currency="EUR")
NAN = float("nan")
CARD = pd.DataFrame({"measure": [BOOKINGS], "against_year": ["unclear"], "year_n": [12], "n_of": ["month"]})


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
        row("shares of segments", "price", NAN, ends=(900, 905)),
        row("shares of products", "price", NAN, ends=(900, 850)),
        row("customers", "new", 2.4e6, n=(0, 20)),
        row("customers", "regained", 0.6e6, n=(0, 5)),
        row("customers", "lost", -4.2e6, n=(35, 0)),
        row("customers", "kept", 0.0, n=(65, 65)),
        row("buyer", "new", 2.5e6, n=(0, 20)),
        row("buyer", "regained", 0.5e6, n=(0, 5)),
        row("buyer", "lost", -4.525e6, n=(35, 0)),
        row("buyer", "kept", 0.535e6, n=(65, 65)),
        row("buyer", "account_unknown", -0.01e6, ends=(2e6, 1.99e6)),
        row("buyer", "credits", 0.0, ends=(0, 0)),
        row("total", "revenue", -1.0e6, ends=(18.1e6, 17.1e6), level="segment", node="North"),
        row("total", "revenue", 1e6, ends=(4e6, 5e6), level="segment", node="North", comparison="joint planning"),
        row("total", "revenue", 0.5e6, ends=(2e6, 2.5e6), level="beside", node="North", comparison="joint planning"),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_the_sentence_says_what_revenue_changed_by(table: pd.DataFrame):
    assert revenue.sell_sentence(table, company=EURO) == (
        f"Bookings fell from €18.1 to 17.1{T}m: fewer customers bought (−€1.2{T}m) and orders had fewer units "
        f"(−€100{T}k); but prices rose within segments and products (+€300{T}k); the chart has the rest."
    )


def test_revenue_as_it_was_is_neither_risen_nor_fallen(table: pd.DataFrame):
    table.loc[0, ["amount", "to_value"]] = [100.0, 18.1001e6]
    assert revenue.sell_sentence(table, company=EURO).startswith(f"Bookings were €18.1{T}m, as in the year before: ")


def test_who_came_and_who_went(table: pd.DataFrame):
    told, against, planned = revenue.remarks(table, company=EURO)
    assert told == (  # what each bought, and not what the number of customers is worth: these sum to the change
        f"20 customers bought for the first time in these tables (+€2.5{T}m), 5 who had bought before the two years "
        f"came back (+€500{T}k), 35 of the year before did not buy again (−€4.53{T}m), 65 bought in both years "
        f"(+€535{T}k) and no customer named (−€10{T}k); together that is the change of bookings (−€1{T}m)."
    )
    assert against == (
        f"Prices rose within segments and products, while over all price per unit fell (€900{T}→{T}€880): fewer of the "
        "units were of dearer products."
    )
    assert planned.startswith(f"The 1 segment that plans jointly booked €5{T}m")
    assert f"€4{T}m in the same months a year before (+25{T}%)" in planned
    assert f"meanwhile the bookings of the segments that never joined rose by 25{T}%. " in planned
    assert "no effect of planning" in planned


def test_those_who_never_joined_are_said_to_be_a_mean_over_the_spans(table: pd.DataFrame):
    more = table[table["level"] == "beside"]
    told = revenue.planning_sentence(pd.concat([table, more, more], ignore_index=True), company=EURO)
    assert f"never joined rose by 25{T}% on average over the 3 spans of months" in told


def test_who_did_not_buy_again_is_said_with_what_they_had_brought(table: pd.DataFrame):
    # 35 of 100, who had brought 4.525 of 18.1 m.
    told = f"Of the year before’s 100 customers 35 (35{T}%) did not buy again; they had brought 25{T}% of that year’s "
    told += "bookings."
    assert revenue.lost_sentence(table) == told
    assert told in repr(revenue.shown(table, CARD, company=EURO, as_of="2026-10-31"))
    south = row("total", "revenue", 0.0, ends=(0, 0), level="segment", node="South")
    several = pd.concat([table, pd.DataFrame([south])], ignore_index=True)
    assert "did not buy again in their segment; they" in revenue.lost_sentence(several)
    assert "a customer counted in each segment it bought in" in revenue.customers_sentence(several, company=EURO)
    nameless = table.assign(missing=table["component"].map({"lost": "needs account_id in opportunities"}).fillna(""))
    assert revenue.lost_sentence(nameless) == ""


def test_more_than_the_number_of_customers_explains_is_where_they_buy_for_more(table: pd.DataFrame):
    # Of 16.1 m that were 100 customers' and 15.11 m that were 90's: ln(0.9) x 15.6 m = -1.64 m.
    plain = "fewer customers bought (−€1.2"
    assert plain in revenue.sell_sentence(table, company=EURO)
    table.loc[table["component"].eq("customers"), "amount"] = -1.75e6  # within a tenth
    assert "fewer customers bought (−€1.75" in revenue.sell_sentence(table, company=EURO)
    table.loc[table["component"].eq("customers"), "amount"] = -1.9e6
    told = revenue.sell_sentence(table, company=EURO)
    assert f"fewer customers bought, and fewer of them where each buys for more (−€1.9{T}m)" in told


def test_the_segments_that_moved_most_are_named(table: pd.DataFrame):
    assert revenue.segments_sentence(table, company=EURO) == ""  # one segment is the company
    more = [
        row("total", "revenue", 2e6, ends=(1e6, 3e6), level="segment", node="South"),
        row("total", "revenue", 0.1e6, ends=(1e6, 1.1e6), level="segment", node="West"),
    ]
    told = revenue.segments_sentence(pd.concat([table, pd.DataFrame(more)], ignore_index=True), company=EURO)
    assert told == (
        f"Of the segments South rose from €1{T}m to €3{T}m and North fell from €18.1{T}m to €17.1{T}m, more than any "
        "other."
    )


def test_a_bar_against_the_companys_own_figure_says_so_and_has_no_before_and_since(table: pd.DataFrame):
    chart = revenue.revenue_waterfall(table, company=EURO, as_of="2026-10-31")
    assert isinstance(chart, Chart)
    ends = chart.table.set_index("bar")[["from_value", "to_value"]]
    assert ends.loc["price per unit"].isna().all()
    assert ends.loc["units per order"].tolist() == [10, 9]
    assert sources.plain(chart.tooltips[2].text) == (
        f"price per unit: +€300{T}k within segments and products; over all €900{T}→{T}€880: fewer of the "
        "units were of dearer products"
    )


@pytest.mark.parametrize(
    ("segments", "products", "told"),
    [
        (870, 905, "fewer of the units were of dearer segments"),
        (890, 895, "fewer of the units were of dearer segments and products"),
        (899, 901, components.OTHER_WEIGHTS),  # a twentieth of the change is not said to have made it
        (NAN, NAN, components.OTHER_WEIGHTS),
    ],
)
def test_only_shares_that_moved_the_figure_its_way_are_named(
    table: pd.DataFrame, segments: float, products: float, told: str
):
    table.loc[table["split"] == "shares of segments", "to_value"] = segments
    table.loc[table["split"] == "shares of products", "to_value"] = products
    (against,) = revenue.against_sentences(table, company=EURO)
    assert against.endswith(f": {told}.")
    chart = revenue.revenue_waterfall(table, company=EURO, as_of="2026-10-31")
    assert isinstance(chart, Chart)
    assert sources.plain(chart.tooltips[2].text).endswith(f": {told}")


def test_without_the_shares_none_is_named(table: pd.DataFrame):
    (against,) = revenue.against_sentences(table[~table["split"].str.startswith("shares")], company=EURO)
    assert against.endswith(f": {components.OTHER_WEIGHTS}.")


def test_bars_begin_where_the_one_above_ended_and_end_at_the_change(table: pd.DataFrame):
    steps = revenue.prepare_steps(table, company=EURO)
    assert steps is not None
    assert list(steps.names)[:2] == ["customers who bought", "units per order"]
    assert steps.names[-1] == "change"
    np.testing.assert_allclose(steps.before[1:-1], steps.after[:-2])
    assert steps.before[0] == steps.before[-1] == 0
    assert steps.after[-1] == pytest.approx(steps.after[-2])


def test_all_bars_have_one_unit(table: pd.DataFrame):
    steps = revenue.prepare_steps(table, company=EURO)
    assert steps is not None
    (axes,) = revenue.draw_steps(Canvas(width=720), steps).figure.axes
    assert [sources.plain(text.get_text()) for text in axes.texts] == ["−1.2", "−0.1", "+0.3", "+0.01", "−0.01", "−1"]


def test_the_chart_has_its_words(table: pd.DataFrame):
    chart = revenue.revenue_waterfall(table, company=EURO, as_of="2026-10-31")
    assert isinstance(chart, Chart)
    assert chart.title == f"Bookings fell from €18.1 to 17.1{T}m"
    assert "zero is what was booked before" in chart.subtitle
    assert len(chart.tooltips) == 6
    assert sources.plain(chart.tooltips[0].text) == f"customers who bought: −€1.2{T}m; 100{T}→{T}90"


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        ("unclear", "The change of bookings may be luck"),
        ("below", "The change of bookings is beyond luck"),
        ("too few", "Whether luck alone made the change of bookings: too few to tell"),
    ],
)
def test_luck_is_said_by_the_scorecards_own_test(verdict: str, told: str):
    card = CARD.assign(against_year=verdict)
    assert revenue.luck_sentence(card) == f"{told} (12 months against the same months before)."
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
