"""Flags of dated events on an axis of time: which are shown, where they stand, and that no letter covers another."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from companies import make_snapshot
from forecast import sources
from forecast.data.schema import Company
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart
from forecast.reporting.charts.flags import MOST, NO_FLAGS, Flags, apart, dated, draw_flags, flags_of, flags_of_days
from forecast.reporting.charts.flags import panel_flags as panels_of
from forecast.reporting.charts.style import EVENT, NARROW, WIDE, drawing
from logs import table

MONTHS = [f"2026-{month:02d}" for month in range(1, 13)]
DEAL = pd.DataFrame({"opportunity_id": ["A"], "created_on": ["2026-01-01"], "outcome": ["open"]})
COMPANY = Company(name="Example", currency="EUR")


def events(text: str) -> pd.DataFrame:
    """Return events as `dated` gives them, of a table in words; `.` is empty."""
    frame = table(text).reindex(columns=["from", "to", "segment", "product", "kind", "text"])
    kinds = dict.fromkeys(frame.columns[2:], "str")
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in ("from", "to")}).astype(kinds)


def shown(frame: pd.DataFrame, *, segment: str = "Total", months: list[str] | None = None) -> Flags:
    return flags_of(frame, MONTHS if months is None else months, company=COMPANY, name="months", segment=segment)


FEW = events(
    """
    from       to         segment product kind     text
    2025-06-01 .          .       .       price    Before
    2025-12-01 2026-01-31 .       .       campaign Into
    2026-02-15 .          .       Goods   price    List5
    2026-03-01 2026-03-31 East    .       campaign Fair
    2026-04-01 .          West    .       campaign Elsewhere
    2027-01-01 .          .       .       price    After
    """
)


def test_a_day_stands_as_far_in_its_month_as_it_is_over():
    one, two = shown(FEW).marks
    assert (one.letter, sources.plain(one.kind), one.begins, one.ends) == (
        "a",
        "campaign",
        -np.inf,
        0.5,
    )  # ends with January
    assert (two.letter, sources.plain(two.kind), two.begins) == (
        "b",
        "price",
        1.0,
    )  # 14 of the 28 days of February are over
    assert np.isnan(two.ends)


def test_a_chart_of_the_company_shows_what_is_about_no_segment_and_one_of_a_segment_its_own_too():
    assert [mark.begins for mark in shown(FEW).marks] == [-np.inf, 1.0]
    assert [mark.begins for mark in shown(FEW, segment="East").marks] == [-np.inf, 1.0, 1.5]
    assert shown(FEW.head(1)) == shown(FEW.iloc[:0]) == NO_FLAGS
    assert flags_of(None, MONTHS, company=COMPANY, name="months") == NO_FLAGS
    assert shown(FEW, months=[]).marks == ()


def test_bars_that_are_no_months_hold_no_day():
    months = ["overdue", "2026-01", "2026-02", "2026-03", "later"]
    assert [mark.begins for mark in shown(FEW, months=months).marks] == [-np.inf, 2.0]
    assert shown(FEW, months=["overdue", "later"]).marks == ()


def test_months_of_weeks_are_the_company_s_own():
    weeks = Company(fiscal_year_start=1, calendar="4-4-5")
    start = weeks.periods.start(weeks.periods.period("2026-02-15"))
    (flag,) = flags_of(FEW.iloc[[2]], MONTHS, company=weeks, name="months").marks
    assert flag.begins == MONTHS.index("2026-02") - 0.5 + (pd.Timestamp("2026-02-15") - start).days / 28


def test_an_axis_of_days_counts_them():
    first, last = 20_454.0, 20_500.0  # 2026-01-01 and 46 days later
    flags = flags_of_days(FEW, first=first, last=last, name="coverage")
    assert [mark.begins for mark in flags.marks] == [-np.inf, first + 45]
    assert flags.marks[0].ends == first + 31


def test_of_many_the_latest_have_letters_and_the_others_are_counted():
    many = pd.concat([FEW.iloc[[2]]] * 8, ignore_index=True)
    many["from"] = pd.date_range("2026-01-05", periods=8, freq="35D")
    flags = shown(many)
    assert [mark.letter for mark in flags.marks] == list("abcdef")
    assert [mark.begins for mark in flags.marks] == sorted(mark.begins for mark in flags.marks)
    assert sources.plain(flags.sentences[-1][1]) == "and 2 earlier events, in the data of this chart"
    assert flags.table is not None
    assert flags.table.frame["flag"].fillna("").tolist() == ["", "", *"abcdef"]
    assert len(flags.sentences) == MOST + 1


def test_the_words_say_what_when_and_of_which_kind_and_lead_to_the_table():
    flags = shown(FEW, segment="East")
    words = [(letter, sources.plain(text)) for letter, text in flags.sentences]
    assert words == [
        ("a", "Into (campaign, 1 December 2025 to 31 January 2026)"),
        ("b", "List5 (price, from 15 February 2026)"),
        ("c", "Fair (campaign, 1 March 2026 to 31 March 2026)"),
    ]
    assert sources.cited(flags.sentences[1][1])[0] == "page_months_events:1:text|text"
    assert flags.description.startswith("Flags: a: ")
    assert list(flags.table.columns) == ["flag", "from", "to", "segment", "product", "kind", "text"]
    assert flags.table.frame.attrs["table"] == "page_months_events"


def test_starts_of_joint_planning_share_a_letter_and_stand_in_their_segment_s_panel_alone():
    snap = make_snapshot("2026-06-30", DEAL)
    days = pd.to_datetime(["2026-02-01", None, "2026-05-01"]).astype("datetime64[us]")
    starts = pd.DataFrame({"segment": ["East", "North", "West"], "adopted_on": days})
    known = dated(replace(snap, joint_planning=starts))
    assert known["segment"].tolist() == ["East", "West"]
    flags = panels_of(known, dict.fromkeys(["East", "North", "West"], MONTHS), company=COMPANY, name="panels")
    assert {name: [(mark.letter, mark.begins) for mark in each.marks] for name, each in flags.items()} == {
        "East": [("a", 0.5)],
        "North": [],
        "West": [("a", 3.5)],
    }
    (only,) = flags["North"].sentences
    assert sources.plain(only[1]) == "joint planning begins: East 1 February 2026, West 1 May 2026"
    assert shown(known) == NO_FLAGS  # a start is its segment's


def test_what_is_not_known_is_not_flagged():
    frame = FEW.drop(columns=["segment", "product"])
    snap = make_snapshot("2026-02-28", DEAL)
    assert dated(snap).empty
    assert list(dated(snap)) == ["from", "to", "segment", "product", "kind", "text"]
    known = dated(replace(snap, events=frame[frame["from"] <= snap.as_of]))
    assert known["text"].tolist() == ["Before", "Into", "List5"]
    assert known["segment"].isna().all()


# -- how they are drawn ---------------------------------------------------------------------------------


def drawn(flags: Flags, *, width: int, inside: bool = False) -> Drawing:
    with drawing():
        figure, axes = Canvas(width=width, flags=NO_FLAGS if inside else flags).axes(200, right=80)
        axes.set_xlim(-0.6, len(MONTHS) - 0.4)
        draw_flags(axes, flags, inside=inside)
        for text in axes.texts:
            text.set_text(sources.plain(text.get_text()))  # as a page shows it
        FigureCanvasAgg(figure).draw()
    return Drawing(figure=figure)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("seed", range(12))
def test_no_label_covers_another_or_leaves_the_picture(seed: int, width: int):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    begins = pd.Timestamp("2025-11-01") + pd.to_timedelta(np.sort(rng.integers(0, 430, n)), unit="D")
    ends = (begins + pd.to_timedelta(rng.integers(0, 120, n), unit="D")).where(rng.random(n) < 0.6)
    frame = pd.DataFrame({"from": begins, "to": ends, "segment": None, "product": None, "kind": "reorganisation"})
    flags = shown(frame.assign(text="x").astype(dict.fromkeys(["segment", "product", "kind", "text"], "str")))
    figure = drawn(flags, width=width).figure
    (axes,) = figure.axes
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.x0)
    assert len(boxes) <= 2 * MOST
    assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))
    assert all(box.x0 >= 0 and box.x1 <= width and box.y1 <= figure.bbox.height for box in boxes)
    assert all(box.y0 >= axes.get_window_extent().y1 for box in boxes)  # above the axes
    assert all(text.get_color() == EVENT.name for text in axes.texts)


def test_with_room_the_kind_stands_behind_the_letter_and_without_it_the_letter_alone():
    wide, narrow = (drawn(shown(FEW, segment="East"), width=width).figure.axes[0] for width in (WIDE, 240))
    assert [text.get_text() for text in wide.texts] == ["a", "b", "c"]  # February and March are too near
    assert [text.get_text() for text in narrow.texts] == ["a", "b", "c"]
    roomy = drawn(shown(FEW.iloc[[1, 3]].assign(segment=None).astype({"segment": "str"})), width=WIDE)
    texts = [sources.plain(text.get_text()) for text in roomy.figure.axes[0].texts]
    assert texts == ["a", "b", "campaign", "campaign"]


def test_bars_that_overlap_lie_in_rows_of_their_own():
    frame = pd.concat([FEW.iloc[[3]].assign(segment=None)] * 3, ignore_index=True).astype({"segment": "str"})
    frame["to"] = pd.to_datetime(["2026-03-31", "2026-04-30", None])
    flags = shown(frame)
    assert flags.lanes == [0, 1, -1]
    assert NO_FLAGS.height == 0
    assert flags.height > shown(FEW).height > 0


def test_inside_a_panel_they_stand_at_its_top():
    axes = drawn(shown(FEW), width=WIDE, inside=True).figure.axes[0]
    top = axes.get_window_extent().y1
    assert all(top - 20 <= text.get_window_extent().y0 <= text.get_window_extent().y1 <= top for text in axes.texts)


def test_a_chart_without_flags_is_as_high_as_ever_and_with_them_tells_them():
    frame = pd.DataFrame({"month": MONTHS, "amount": 1.0})

    def draw(canvas: Canvas, _: Flags) -> Drawing:
        figure, axes = canvas.axes(200)
        axes.set_xlim(-0.6, len(MONTHS) - 0.4)
        return Drawing(figure=figure)

    def made(flags: Flags) -> tuple[str, float]:
        caption = Caption(title="Title", subtitle="Unit", description="Shape.")
        given = {"table": frame, "heads": {"month": "month"}, "company": COMPANY, "as_of": "2026-06-30"}
        done = chart(flags, draw, caption, flags=flags, **given)
        return done._repr_html_(), float(done.figure.get_size_inches()[1] * 72)

    plain, height = made(NO_FLAGS)
    assert height == pytest.approx(200)
    assert "flags" not in plain
    flagged, higher = made(shown(FEW))
    assert higher == pytest.approx(200 + shown(FEW).height)
    assert "Shape. Flags: a: Into" in re.sub(r"<[^>]*>", "", flagged)
    assert re.search(r'<ul class="flags"><li><strong>a </strong>', flagged)
    assert "Events flagged: Title" in flagged


@pytest.mark.parametrize("seed", range(10))
def test_what_is_moved_apart_keeps_its_order_and_distance(seed: int):
    wanted = np.sort(np.random.default_rng(seed).uniform(0, 100, 6)).tolist()
    placed = apart(wanted, gap=10, end=110)
    assert all(later - before >= 10 - 1e-9 for before, later in pairwise(placed))
    assert placed[-1] <= 110
    assert apart([0, 40, 80], gap=10, end=110) == [0, 40, 80]
    assert apart([], gap=10, end=110) == []
