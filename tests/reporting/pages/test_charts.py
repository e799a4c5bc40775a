"""Every picture draws what its table says, and says why where there is nothing to draw."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast import sources
from forecast.data.schema import QUANTILE_COLUMNS, TOTAL, Company
from forecast.evaluation.judgement import LEVEL_MARGIN, Estimate, found
from forecast.evaluation.scorecard.definition import Definition, as_table
from forecast.reporting.charts.axes import spread
from forecast.reporting.charts.figure import Chart, Folds, Statement
from forecast.reporting.pages.audit import timeline
from forecast.reporting.pages.bookings.changes import attention_deals, moved_deals, prepare_attention, waterfall
from forecast.reporting.pages.bookings.charts import addends, bookings_fan, plan_dots
from forecast.reporting.pages.odds import calibration, deal_odds
from forecast.reporting.pages.planning import charts as planning_charts
from forecast.reporting.pages.planning import limits as planning_limits
from forecast.reporting.pages.scorecard.answers import five
from forecast.reporting.pages.segments import segments, small_multiples
from forecast.reporting.pages.track.charts import accuracy, track_record
from forecast.reporting.pages.value_added.ladder import ladder

PAGE = {"company": Company(name="C", currency="EUR"), "as_of": pd.Timestamp("2026-10-31")}
HOSTILE = '"><script>alert(1)</script> $x$ ' + "n" * 100


def bookings(
    *, known: bool = True, p: float = 0.31, plan: float = 1.05e6, names: tuple[str, ...] = ("A", HOSTILE)
) -> pd.DataFrame:
    rows = []
    for segment in (*names, TOTAL):
        for horizon, period in enumerate(["FY26 Q4", "2026-11", "2026-12", "2027-01"]):
            mean = 1e6 * (1 + 0.1 * horizon) if known else np.nan
            quantiles = {name: mean * q for name, q in zip(QUANTILE_COLUMNS, np.linspace(0.7, 1.4, 7), strict=True)}
            parts = {"booked": mean * 0.1 * (horizon < 2), "open_pipeline": mean * 0.5, "not_yet_created": mean * 0.4}
            row = {"model": "pipeline", "origin": PAGE["as_of"], "target_period": period, "horizon": horizon}
            rows.append(
                row | {"segment": segment, "mean": mean} | quantiles | parts | {"plan": plan, "p_at_least_plan": p}
            )
    return pd.DataFrame(rows)


ACTUALS = pd.DataFrame({"period": ["2026-09", "2026-10"] * 2, "segment": ["A", "A", HOSTILE, HOSTILE], "amount": 5e5})
SCORES = pd.DataFrame(
    {
        "model": ["pipeline", "pipeline", "ets", "ets", "submitted-sales"],
        "horizon": [1, 2, 1, 2, 1],
        "wape": [0.3, 0.35, 0.4, 0.45, 0.5],
        "bias": 0.01,
        "skill": 0.2,
        "coverage80": 0.8,
        "n": 24,
        "observed": 1.0,
        "level": "segment",
        "span": "month",
    }
)
TRACK = bookings().assign(observed=1e6).query("horizon == 1")
EFFECT = pd.Series(
    {
        "mean_change": -0.21,
        "mean_interval_low": -0.46,
        "mean_interval_high": 0.13,
        "relative_change": -0.2,
        "interval_low": -0.45,
        "interval_high": 0.12,
        "p_value": 0.2,
        "verdict": "no detectable change",
        "placebo": -0.1,
        "placebo_p_value": 0.3,
        "dip": 0.1,
        "dip_p_value": 0.4,
        "sentence": "No detectable change: -20 %. More.",
        "n_segments": 8,
    }
)
NOT_IDENTIFIED = pd.Series({"verdict": "not identified", "sentence": "Cannot tell."})
EVENTS = pd.DataFrame(
    {"event_time": range(-8, 9), "relative_change": np.linspace(0.1, -0.3, 17), "n_segments": 3, "n_controls": 2}
)
BY_SEGMENT = pd.DataFrame(
    {
        "segment": ["A", HOSTILE, "Never"],
        "adopted": ["2024-02", "2025-03", ""],
        "error_before": [0.5, 0.4, 0.6],
        "error_after": [0.3, 0.45, np.nan],
        "benchmark_before": 0.5,
        "benchmark_after": 0.5,
        "change": [-0.3, 0.1, np.nan],
    }
)
LEFT_OUT = pd.DataFrame(
    {
        "segment": ["A", HOSTILE, "Never"],
        "relative_change": [-0.4, -0.1, np.nan],
        "interval_low": [-0.6, -0.5, -1.0],
        "interval_high": [-0.05, np.inf, np.inf],
        "p_value": [0.03, 0.4, 1.0],
        "mean_change": [-0.35, -0.12, np.nan],
        "mean_interval_low": [-0.6, -0.5, -1.0],
        "mean_interval_high": [-0.05, np.inf, np.inf],
    }
)
LEFT_OUT = LEFT_OUT.set_index("segment").add_prefix("left_out_").reset_index()
POWER = pd.DataFrame(
    {"segments": [8, 8, 8, 16, 16, 16], "relative_change": [-0.1, -0.3, -0.6] * 2, "power": [0.1, 0.5, 1, 0.3, 0.9, 1]}
)
CHANGES = pd.DataFrame(
    {
        "bar": ["start", "created", "pulled in", "won", "lost", "end"],
        "amount": [100.0, 30.0, 0.0, 0.0, -50.0, 80.0],
        "deals": [5, 2, 0, 1, 3, 4],
        "open_pipeline": [100.0, 30.0, 0.0, -20.0, -50.0, 60.0],
        "booked": [0.0, 0.0, 0.0, 20.0, 0.0, 20.0],
        "since": pd.Timestamp("2026-09-30"),
        "period": "FY26 Q4",
    }
)
_REPS = Definition(
    figure="reps at quota",
    definition="over the span",
    means="reps whose wins reached the sum of their quotas",
    unit="share",
    of="reps",
    value=0.5,
    low=0.4,
    high=0.6,
    n=80,
    n_of="rep",
)
_UNKNOWN = Definition(figure="forecast accuracy", definition="", means="", unit="share", missing="needs forecasts")
DEFINITIONS = as_table([_REPS, _UNKNOWN])
BELOW = "Compared with the survey, we are below in reps at quota"
JUDGED = {
    name: found(
        Estimate(
            value=0.1, promised=0.0, low=-0.1, high=0.3, p_value=0.4, n=8, unit="day", fewest=4, margin=LEVEL_MARGIN
        ),
        p_page=0.4,
    )
    for name in ("odds level", "odds lately", "odds slope")
}
RELIABLE = pd.DataFrame(
    {"probability": [0.2, 0.8], "happened": [0.25, 0.8], "n": [50, 50], "band_low": [0.1, 0.7], "band_high": [0.3, 0.9]}
)
LADDER = pd.DataFrame(
    {
        "step": ["stage-weighted", "pipeline", "submitted-" + HOSTILE],
        "before": ["seasonal-naive", "stage-weighted", "pipeline"],
        "lag": [0, 0, 1],
        "n": 100,
        "months": [23, 23, 5],
        "wape_before": [0.7, 0.65, 0.4],
        "wape": [0.65, 0.4, 0.8],
        "added": [0.05, 0.25, -0.4],
        "statistic": [0.5, 9.0, np.nan],
        "df": [4, 4, 0],
        "p_value": [0.6, 0.001, np.nan],
        "agreeing": [13, 22, 5],
        "p_holm": [0.6, 0.002, np.nan],
    }
)
DEALS = pd.DataFrame({"p_win": [0.05, 0.5, 0.95, 1.0], "expected_amount": [1.0, 2.0, 3.0, 4.0]})
COVERAGE = pd.DataFrame(
    {
        "table": ["opportunities", "plan"],
        "first": pd.to_datetime(["2021-11-01", None]),
        "last": pd.to_datetime(["2026-10-31", None]),
        "rows": [10, 0],
        "without": ["", "no gap to plan"],
    }
)

DRAWN = {
    "bookings_fan": lambda: bookings_fan(bookings(), actuals=ACTUALS, **PAGE),
    "bookings_fan_one_month": lambda: bookings_fan(bookings().query("horizon < 2"), **PAGE),
    "addends": lambda: addends(bookings(), **PAGE),
    "plan_dots": lambda: plan_dots(bookings(), **PAGE),
    "plan_dots_without_plan": lambda: plan_dots(bookings(plan=np.nan, p=np.nan), **PAGE),
    "segments": lambda: segments(bookings(), **PAGE),
    "small_multiples": lambda: small_multiples(bookings(), actuals=ACTUALS, **PAGE),
    "accuracy": lambda: accuracy(SCORES, **PAGE),
    "ladder": lambda: ladder(LADDER, **PAGE),
    "track_record": lambda: track_record(TRACK, **PAGE),
    "calibration": lambda: calibration(RELIABLE, pd.Series([0.1, 0.2, 0.9]), JUDGED, **PAGE),
    "deal_odds": lambda: deal_odds(DEALS, **PAGE),
    "effect": lambda: planning_charts.effect(EFFECT, **PAGE),
    "effect_open": lambda: planning_charts.effect(
        pd.Series(dict(EFFECT) | {"interval_low": -1.0, "interval_high": np.inf}), **PAGE
    ),
    "event_study": lambda: planning_charts.event_study(EVENTS, EFFECT, **PAGE),
    "planning_segments": lambda: planning_charts.planning_segments(BY_SEGMENT, **PAGE),
    "left_out": lambda: planning_limits.left_out(LEFT_OUT, EFFECT, **PAGE),
    "power": lambda: planning_limits.power(POWER, EFFECT, **PAGE),
    "waterfall": lambda: waterfall(CHANGES, **PAGE),
    "scorecard": lambda: five(DEFINITIONS, BELOW, **PAGE),
    "timeline": lambda: timeline(COVERAGE, **PAGE),
}
EMPTY = {
    "bookings_fan": lambda: bookings_fan(bookings(known=False), **PAGE),
    "bookings_fan_no_rows": lambda: bookings_fan(bookings().iloc[:0], **PAGE),
    "addends": lambda: addends(bookings(known=False), **PAGE),
    "plan_dots": lambda: plan_dots(bookings(known=False), **PAGE),
    "plan_dots_no_rows": lambda: plan_dots(bookings().iloc[:0], **PAGE),
    "segments": lambda: segments(bookings(plan=np.nan), **PAGE),
    "small_multiples": lambda: small_multiples(bookings(known=False), **PAGE),
    "accuracy": lambda: accuracy(SCORES.iloc[:0], **PAGE),
    "ladder": lambda: ladder(LADDER.iloc[:0], **PAGE),
    "track_record": lambda: track_record(TRACK.assign(observed=np.nan), **PAGE),
    "calibration": lambda: calibration(RELIABLE.iloc[:0], pd.Series(dtype=float), {}, **PAGE),
    "deal_odds": lambda: deal_odds(DEALS * np.nan, **PAGE),
    "effect": lambda: planning_charts.effect(
        pd.Series({"verdict": "not identified", "sentence": "Cannot tell.", "n_segments": 8}), **PAGE
    ),
    "event_study": lambda: planning_charts.event_study(None, EFFECT, **PAGE),
    "left_out": lambda: planning_limits.left_out(LEFT_OUT.iloc[2:], EFFECT, **PAGE),
    "left_out_nothing": lambda: planning_limits.left_out(None, EFFECT, **PAGE),
    "power": lambda: planning_limits.power(POWER.iloc[:0], EFFECT, **PAGE),
    "power_nothing": lambda: planning_limits.power(None, EFFECT, **PAGE),
    "waterfall": lambda: waterfall(CHANGES.iloc[:0], **PAGE),
    "scorecard": lambda: five(DEFINITIONS.iloc[:0], BELOW, **PAGE),
    "timeline": lambda: timeline(COVERAGE.assign(first=pd.NaT), **PAGE),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_has_its_words_and_its_data(name: str):
    chart = DRAWN[name]()
    assert isinstance(chart, Chart)
    for said in (chart.title, chart.subtitle, chart.description, chart.source):
        assert said
        assert "nan" not in said.split()
    assert len(chart.title.split()) <= 14
    assert len(chart.table)
    assert chart.narrow is not None
    html = chart._repr_html_()
    assert html.count('role="img"') == 2
    assert "<script" not in html
    assert len(html) < 120_000


@pytest.mark.filterwarnings("error")
def test_segments_without_any_error_are_drawn_on_an_axis_all_the_same():
    chart = planning_charts.planning_segments(BY_SEGMENT.assign(error_before=0.0, error_after=0.0), **PAGE)
    assert chart.figure.axes[0].get_xlim() == (0.0, 1.0)


@pytest.mark.parametrize("name", EMPTY)
def test_where_there_is_nothing_to_draw_it_says_why(name: str):
    said = EMPTY[name]()
    assert isinstance(said, Statement)
    assert said.sentence.endswith(".")
    assert len(said.more) > 10
    assert "nan" not in f"{said.sentence} {said.more}".split()


def lines(chart: Chart) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata(), dtype=float) for axes in chart.figure.axes for line in axes.get_lines()]


def bars(chart: Chart) -> list[tuple[float, float]]:
    return [(p.get_x(), p.get_width()) for p in chart.figure.axes[0].patches]


def test_the_fan_draws_the_median_and_the_bars_what_was_booked():
    table = bookings()
    chart = bookings_fan(table, actuals=ACTUALS, **PAGE)
    total = table[(table["segment"] == TOTAL) & (table["horizon"] > 0)]
    assert any(len(y) == 3 and np.allclose(y, total["q50"]) for y in lines(chart))
    heights = [patch.get_height() for patch in chart.figure.axes[0].patches]
    assert heights[:2] == [1e6, 1e6]  # two segments of 500,000 in each of two months
    assert chart.figure.axes[0].get_ylim()[0] == 0


def test_the_addends_stand_on_one_another():
    chart = addends(bookings(), **PAGE)
    first = [p for p in chart.figure.axes[0].patches if p.get_fill() and abs(p.get_x() + p.get_width() / 2) < 1e-9]
    assert [round(p.get_y()) for p in first] == [0, 110_000, 660_000]
    assert first[-1].get_y() + first[-1].get_height() == pytest.approx(1.1e6)


def test_without_a_plan_no_outcome_is_said_to_reach_it_or_not():
    chart = plan_dots(bookings(plan=np.nan, p=np.nan), **PAGE)
    assert list(chart.table) == ["outcome", "bookings"]
    assert "reaches plan" not in chart._repr_html_()
    assert "reached" in plan_dots(bookings(), **PAGE).table


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(5e5, 2e6))
def test_as_many_dots_are_filled_as_the_chance_says(p: float, plan: float):
    from forecast.reporting.pages.bookings.prepare import DOTS

    chart = plan_dots(bookings(p=p, plan=plan, names=()), **PAGE)
    reached = chart.table["reached"]
    assert abs(int(reached.sum()) - p * DOTS) <= 0.5 + 1e-9
    assert (np.diff(chart.table["bookings"]) >= 0).all()
    assert not (np.diff(reached.astype(int)) < 0).any()  # the best outcomes are the ones that reach it


def test_nothing_is_booked_of_a_month_that_has_not_begun():
    fan = bookings_fan(bookings(), actuals=ACTUALS, **PAGE).table.set_index("target_period")["booked"]
    assert fan["2026-11"] == pytest.approx(1.1e5)  # something is: it may be won with a later date
    assert fan[["2026-12", "2027-01"]].isna().all()
    parts = addends(bookings(), **PAGE)
    assert [parts.formats["booked"](amount) for amount in (0.0, 1e5)] == ["–", "€100\u202fk"]
    assert "booked" not in parts.description.rpartition("January 2027: ")[2]
    assert parts.title.endswith("January 2027 is expected to come from deals not yet created")


def test_the_waterfall_ends_where_its_bars_lead():
    chart = waterfall(CHANGES, **PAGE)
    drawn = bars(chart)
    assert drawn[0] == (0.0, 100.0)
    assert drawn[1] == (100.0, 30.0)
    assert (80.0, 50.0) in drawn  # lost: from 130 down to 80
    assert (0.0, 80.0) in drawn
    assert "pulled in" not in set(chart.table["bar"])  # a bar that moved nothing is left out
    assert chart.title == "Booked and open for FY26 Q4 shrank by €20; the largest fall: deals lost"


def test_no_step_s_label_is_cut():
    names = {"step": "pipeline", "before": "pipeline-sales-only"}
    chart = ladder(LADDER.iloc[[2]].assign(**names), **PAGE)._repr_html_()
    assert "too few months to tell from the model without marketing of the month end before</text>" in chart
    assert ">too few months to tell</text>" in chart  # on a phone, in three lines
    assert ">from the model without marketing</text>" in chart
    assert ">of the month end before</text>" in chart
    assert "…" not in chart
    for added in (-0.124, 0.004):  # not proven, and no difference to speak of
        row = LADDER.iloc[[0]].assign(**names, added=added, wape=0.7 - added, statistic=added)
        chart = ladder(row, **PAGE)._repr_html_()
        assert "…" not in chart
        assert "in 13 of 23 months; not proven</text>" in chart


def test_the_ladder_s_bars_start_at_nothing_and_only_what_is_told_apart_has_a_colour():
    from matplotlib.colors import to_hex

    from forecast.reporting.charts.style import BLUE, GREY

    chart = ladder(LADDER, **PAGE)
    assert bars(chart) == [(0.0, 0.65), (0.0, 0.4), (0.0, 0.8)]
    assert [to_hex(patch.get_facecolor()) for patch in chart.figure.axes[0].patches] == [GREY, BLUE, GREY]
    said = [text.get_text() for text in chart.figure.axes[0].texts]
    assert "5 points less than same as last year, in 13 of 23 months; not proven" in said
    assert "25 points less than stage-weighted, in 22 of 23 months; beyond luck" in said
    assert "too few months to tell from the model of the month end before" in said


def test_scales_are_shared_where_panels_are_compared():
    chart = small_multiples(bookings(), actuals=ACTUALS, **PAGE)
    assert len(chart.figure.axes) == 2
    assert len({axes.get_ylim() for axes in chart.figure.axes}) == 1


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6))
def test_labels_keep_their_distance_and_their_order(wanted: list[float]):
    placed = spread(wanted, gap=15, low=0, high=100)
    order = np.argsort(wanted, kind="stable")
    gaps = np.diff(np.asarray(placed)[order])
    assert (gaps >= 15 - 1e-6).all()
    if len(wanted) * 15 <= 100:
        assert min(placed) >= -1e-6
        assert max(placed) <= 100 + 1e-6
    if len(wanted) == 1:
        assert placed == pytest.approx(wanted)


def test_the_deals_behind_each_bar_are_folded_away():
    table = pd.DataFrame(
        {
            "bar": ["created", "won", "won", "owner changed"],
            "opportunity_id": ["O-1", HOSTILE, "O-3", "O-4"],
            "segment": "A",
            "amount": [30.0, 0.0, 0.0, 0.0],
            "open_pipeline": [30.0, -20.0, -5.0, 0.0],
            "booked": [0.0, 20.0, 5.0, 0.0],
            "value": [30.0, 20.0, 5.0, 9.0],
        }
    )
    folds = moved_deals(table, company=PAGE["company"], most=1)
    assert [line for line, _ in folds.parts] == ["created: 1 deal, €30", "won: 2 deals, €25", "owner changed: 1 deal"]
    html = folds._repr_html_()
    assert html.count("<details") == 4  # no file holds the second deal that was won, so it is folded away
    assert "<summary>1 more row</summary>" in html
    table.attrs["table"] = "changes_deals"
    html = moved_deals(table, company=PAGE["company"], most=1)._repr_html_()
    assert html.count("<details") == 3
    assert re.search(r'1 more row(</span>)? in <span data-file="changes_deals">changes_deals.csv</span>\.', html)
    assert "<script" not in html
    assert moved_deals(table.iloc[:0], company=PAGE["company"])._repr_html_() == ""


def test_misses_beside_the_benchmark_on_the_same_forecasts():
    table = pd.DataFrame(
        {
            "model": ["pipeline", "pipeline", "ets", "ets", "submitted-joint", "seasonal-naive"],
            "horizon": [1, 2, 1, 2, 1, 1],
            "wape": [0.3, 0.4, 0.5, 0.5, 0.45, 0.9],
            "skill": [0.4, 0.2, 0.0, 0.0, -0.1, -0.8],
        }
    ).assign(span="month", level="segment", n=10, bias=0.0, coverage80=0.8, observed=1.0, p_holm=0.01)
    chart = accuracy(table, relative=True, **PAGE)
    drawn = {tuple(np.round(y, 6)) for y in lines(chart)}
    assert {(0.6, 0.8), (1.0, 1.0), (1.1,)} <= drawn  # 1 - skill; the benchmark is 1; nobody else
    assert (1.8,) not in drawn
    assert "benchmark’s on the same forecasts" in chart.subtitle
    alone = accuracy(table[table["model"] == "pipeline"], relative=True, **PAGE)
    assert "WAPE" in alone.subtitle  # without a benchmark there is nothing to compare with


def test_the_deals_that_need_attention_are_listed_without_their_owners():
    deals = pd.DataFrame(
        {
            "opportunity_id": ["O-1", HOSTILE, "O-3", "O-4"],
            "segment": "A",
            "stage": "Proposal",
            "amount": [10.0, 30.0, 20.0, 40.0],
            "outcome": ["open", "open", "open", "won"],
            "expected_close_on": pd.to_datetime(["2026-10-01", "2026-10-31", "2026-12-01", "2026-01-01"]),
            "slips": [0, 3, 5, 9],
            "owner": "Nobody Else",
        }
    )

    def listed(rows: pd.DataFrame) -> Folds:
        found = prepare_attention(rows, as_of=PAGE["as_of"], looked_at=pd.DataFrame({"open_deals": [3]}))
        return attention_deals(found, company=PAGE["company"], most=1)

    assert [sources.plain(line) for line, _ in listed(deals).parts] == [
        "Past the expected close date: 1 open deal",  # what is due on the day itself is not
        "Slipped three times or more: 2 open deals",
    ]
    html = listed(deals)._repr_html_()
    assert "Nobody Else" not in html
    assert "<script" not in html
    assert len(re.findall(r"<summary>(<span[^>]*>)?1 more row", html)) == 1  # no notebook wrote it, so it is all here
    assert listed(deals.iloc[3:])._repr_html_() == ""
    assert [line[:7] for line, _ in listed(deals.drop(columns="slips")).parts] == ["Past th"]
