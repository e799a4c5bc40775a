"""How the forecast of a quarter moved from month to month: right words for one month, no plan, no change, bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages import quarters
from forecast.reporting.run import export, pages
from forecast.sources import plain
from one_truth import index_faults

COMPANY = Company(name="C", currency="EUR")
T = "\u202f"


def rows(day: str, quarters: dict[str, float], *, plan: float = 5e6) -> pd.DataFrame:
    """Return the bookings table a month leaves behind, with a segment and another model beside what counts."""
    out = []
    for horizon, (quarter, mean) in enumerate(quarters.items()):
        facts = {"origin": pd.Timestamp(day), "target_period": quarter, "horizon": horizon, "mean": mean}
        spread = {"q2.5": mean * 0.7, "q10": mean * 0.8, "q50": mean, "q90": mean * 1.2, "q97.5": mean * 1.3}
        for model, segment in (("pipeline", TOTAL), ("pipeline", "North"), ("ets", TOTAL)):
            out.append(facts | spread | {"model": model, "segment": segment, "booked": 1e6, "plan": plan})
    out.append(out[0] | {"target_period": "2026-11", "horizon": 1})
    return pd.DataFrame(out)


def leave(out: Path, day: str, quarters: dict[str, float]) -> str:
    folder = out / day / "tables"
    folder.mkdir(parents=True)
    rows(day, quarters).to_parquet(folder / "bookings.parquet")
    return day


def table(*means: float, first: str = "2026-08-31", plan: float = 5e6) -> pd.DataFrame:
    days = pd.date_range(first, periods=len(means), freq="ME")
    frame = pd.DataFrame({"as_of": days, "target_period": "FY26 Q4", "mean": means, "booked": 0.0, "plan": plan})
    return frame.assign(q10=frame["mean"] * 0.8, q90=frame["mean"] * 1.2)


@pytest.mark.parametrize(
    ("means", "observed", "said"),
    [
        ((4.2e6, 4.5e6, 4.73e6), None, f"The forecast of FY26 Q4 rose from €4.2{T}m in August to €4.73{T}m now"),
        ((4.73e6, 4.2e6), None, f"The forecast of FY26 Q4 fell from €4.73{T}m in August to €4.2{T}m now"),
        ((4.731e6, 4.9e6, 4.729e6), None, f"The forecast of FY26 Q4 is €4.73{T}m, as it was in August"),
        ((4.2e6, 4.5e6), 4e6, f"FY26 Q4 brought €4{T}m; in August we expected €4.2{T}m"),
        ((0.0, 0.0), None, "The forecast of FY26 Q4 is €0, as it was in August"),
        ((4.2e6,), None, f"We expect to book €4.2{T}m in FY26 Q4"),
        ((np.nan, np.nan), None, "No month has a forecast of the quarter"),
        ((), None, "No month has a forecast of the quarter"),
    ],
)
def test_the_movement_in_a_sentence(means, observed, said):
    assert quarters.movement_finding(table(*means), company=COMPANY, observed=observed) == said


def test_a_year_is_named_where_it_differs_and_a_day_where_the_month_had_not_ended():
    assert quarters.when("2026-10-31", compared_to="2026-12-31") == "in October"
    assert quarters.when("2025-12-31", compared_to="2026-01-31") == "in December 2025"
    assert quarters.when("2026-10-15", compared_to="2026-12-31") == "on 15 October"


@pytest.mark.slow
@pytest.mark.parametrize("plan", [5e6, np.nan])
@pytest.mark.parametrize("observed", [None, 4.4e6])
@pytest.mark.parametrize("means", [(4e6, 4.5e6), (0.0, 0.0), tuple(np.linspace(3e6, 5e6, 30))])
def test_the_movement_is_drawn_as_it_was_made(plan, observed, means):
    chart = quarters.movement(table(*means, plan=plan), company=COMPANY, as_of="2031-10-31", observed=observed)
    assert isinstance(chart, Chart)
    drawn = [np.asarray(line.get_ydata(), float) for line in chart.figure.axes[0].get_lines()]
    assert any(np.array_equal(y, means) for y in drawn)
    assert len(drawn) == 1 + bool(plan == plan) + (observed is not None)
    assert len(chart.tooltips) == len(chart.tooltips_narrow) == len(means)
    assert "nan" not in chart._repr_html_()
    assert ("plan" in chart.table) == bool(plan == plan)


def test_one_month_is_told_in_words():
    said = quarters.movement(table(4e6), company=COMPANY, as_of="2026-08-31")
    assert repr(said) == (
        "How the forecast of FY26 Q4 moves shows from the second month on. "
        "So far one report here holds it, made in August 2026."
    )
    assert isinstance(quarters.movement(table(), company=COMPANY, as_of="2026-08-31"), Statement)


def test_months_are_read_as_they_were_left(tmp_path: Path):
    days = [
        leave(tmp_path, "2026-08-31", {"FY26 Q3": 4e6, "FY26 Q4": 4.8e6}),
        leave(tmp_path, "2026-09-30", {"FY26 Q4": 4.9e6, "FY27 Q1": 4e6}),
        leave(tmp_path, "2026-10-31", {"FY26 Q4": 4.7e6, "FY27 Q1": 4.1e6}),
    ]
    read = pages.forecasts(tmp_path, days[::-1])
    assert list(read[read["target_period"] == "FY26 Q4"]["mean"]) == [4.8e6, 4.9e6, 4.7e6]
    (moved,) = pages.movements(tmp_path, days, company=COMPANY)  # the third quarter was forecast once: nothing moved
    assert plain(moved.title) == f"The forecast of FY26 Q4 fell from €4.8{T}m in August to €4.7{T}m now"
    assert list(moved.table["mean"]) == [4.8e6, 4.9e6, 4.7e6]


def test_every_number_of_the_index_leads_to_a_table_of_its_month(tmp_path: Path):
    for day, mean in (("2026-08-31", 4.8e6), ("2026-09-30", 4.9e6), ("2026-10-31", 4.7e6)):
        folder = tmp_path / leave(tmp_path, day, {"FY26 Q4": mean}) / "tables"
        (folder / "headline.json").write_text('{"headline": "We expect to book 1 m.", "currency": "EUR"}')
        (folder.parent / "index.html").write_text("")
        (folder.parent / "manifest.json").write_text("{}")
    pages.write_index(tmp_path, company=COMPANY)
    assert index_faults(tmp_path) == []
    html = (tmp_path / "index.html").read_text()
    assert 'data-src="2026-10-31/bookings:0:mean|money;currency=EUR"' in html
    assert 'data-src="2026-09-30/headline:0:headline|text"' in html
    changed = tmp_path / "2026-08-31" / "tables" / "bookings.parquet"
    pd.read_parquet(changed).assign(mean=1.0).to_parquet(changed)
    assert any("differs" in fault for fault in index_faults(tmp_path))


def test_events_that_the_newest_month_knew_are_flagged_between_the_days(tmp_path: Path):
    days = [leave(tmp_path, f"2026-{month}", {"FY26 Q4": 4.8e6}) for month in ("08-31", "09-30", "10-31")]
    for folder in (tmp_path / day for day in days):
        (folder / "tables" / "headline.json").write_text('{"headline": "We expect to book 1 m.", "currency": "EUR"}')
        (folder / "index.html").write_text("")
        (folder / "manifest.json").write_text("{}")
    events = pd.DataFrame(
        {
            "from": pd.to_datetime(["2026-01-01", "2026-09-10", "2026-09-20", "2026-12-01"]),
            "to": pd.to_datetime([None, "2026-09-30", None, None]),
            "segment": [None, None, "East", None],
            "product": None,
            "kind": ["price", "campaign 7", "campaign", "price"],
            "text": ["Before", "12 trade fairs", "Of a segment", "Ahead"],
        }
    )
    events.to_parquet(tmp_path / days[-1] / "tables" / "events.parquet")
    pages.write_index(tmp_path, company=COMPANY)
    html = (tmp_path / "index.html").read_text()
    assert 'data-src="2026-10-31/events:1:text|text">12 trade fairs<' in html
    assert "Of a segment" not in html
    assert "Before" not in html
    assert "Ahead" not in html
    assert index_faults(tmp_path) == []
    (moved,) = pages.movements(tmp_path, days, company=COMPANY)
    assert [letter for letter, _ in moved.flags] == ["a"]
    for damaged in (b"PAR1 and then nothing", pd.DataFrame({"from": [1]}).to_parquet()):
        (tmp_path / days[-1] / "tables" / "events.parquet").write_bytes(damaged)
        (moved,) = pages.movements(tmp_path, days, company=COMPANY)
        assert not moved.flags


def test_the_quarter_before_is_shown_beside_what_it_brought(tmp_path: Path):
    days = [
        leave(tmp_path, "2026-08-31", {"FY26 Q3": 4e6, "FY26 Q4": 4.8e6}),
        leave(tmp_path, "2026-09-15", {"FY26 Q3": 4.1e6, "FY26 Q4": 4.8e6}),
        leave(tmp_path, "2026-10-31", {"FY26 Q4": 4.7e6}),
    ]
    assert pages.settled(tmp_path, days[-1], "FY26 Q3") is None
    before = pages.movements(tmp_path, days, company=COMPANY)[1]
    assert plain(before.title) == f"The forecast of FY26 Q3 rose from €4{T}m in August to €4.1{T}m on 15 September"
    backtest = rows("2026-08-31", {"FY26 Q3": 4e6}).assign(observed=3.9e6)
    backtest.to_parquet(tmp_path / days[-1] / "tables" / "backtest.parquet")
    before = pages.movements(tmp_path, days, company=COMPANY)[1]
    assert plain(before.title) == f"FY26 Q3 brought €3.9{T}m; in August we expected €4{T}m"


def test_a_month_that_cannot_be_read_is_left_out(tmp_path: Path):
    good = leave(tmp_path, "2026-08-31", {"FY26 Q4": 4.8e6})
    damaged = leave(tmp_path, "2026-09-30", {"FY26 Q4": 4.9e6})
    (tmp_path / damaged / "tables" / "bookings.parquet").write_bytes(b"PAR1 and then nothing")
    other = leave(tmp_path, "2026-10-31", {"FY26 Q4": 4.9e6})
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / other / "tables" / "bookings.parquet")
    words = leave(tmp_path, "2026-11-30", {"FY26 Q4": np.inf})
    days = [good, damaged, other, words, "2026-12-31"]
    (said,) = pages.movements(tmp_path, days, company=COMPANY)
    assert isinstance(said, Statement)
    assert "August 2026" in said.more
    assert pages.movements(tmp_path, days[1:], company=COMPANY) == []
    assert pages.movements(tmp_path, [], company=COMPANY) == []


def test_the_index_shows_it_between_the_newest_month_and_the_earlier_ones():
    listed = [{"as_of": f"2026-{m}", "href": f"{m}.html", "headline": f"h{m}"} for m in ("10-31", "09-30")]
    moved = [quarters.movement(table(4e6, 5e6), company=COMPANY, as_of="2026-09-30")]
    html = export.months_page(listed, company="C", report="The <plan>", footer="Ask & see", moved=moved)
    order = [html.index(part) for part in ("h10-31", "How has the forecast moved?", "Earlier months", "h09-30")]
    assert order == sorted(order)
    assert '<time datetime="2026-10-31">31 October 2026</time>' in html
    assert "The &lt;plan&gt;" in html
    assert "<p>Ask &amp; see</p>" in html
    alone = export.months_page(listed[:1], company="C")
    assert "Earlier months" not in alone
    assert "How has" not in alone
    assert "No report yet." in export.months_page([], company="C")
