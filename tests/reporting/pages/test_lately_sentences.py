"""What pages say where the record has changed of late: the headline, alarms, what stands in, the record twice."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.judgement import Estimate, Finding, found
from forecast.evaluation.lately import ALARM_COLUMNS
from forecast.reporting.charts.figure import TableView
from forecast.reporting.pages.track import lately_sentences as page
from forecast.wording import MINUS
from forecast.wording import THIN as T

NAN = float("nan")
EURO = Company(name="Example", currency="EUR")
NO_FORECAST = pd.DataFrame({name: [] for name in ("model", "segment", "target_period", "horizon", "mean")})

ROW = pd.Series(
    {"target_period": "FY26 Q4", "mean": 5.2e6, "q10": 4.4e6, "q90": 6.1e6, "plan": 5e6, "p_at_least_plan": 0.6}
)


def alarm(**changed: object) -> dict[str, object]:
    row = {"model": "pipeline", "segment": "Total", "kind": "too high", "months": 23, "evidence": 500.0, "limit": 120.0}
    row |= {"alarm": True, "first": "2026-05", "last": "2026-09", "n": 5, "n_side": 5, "low": 0.4, "high": 0.9}
    row |= {"wape": 0.62, "wape_benchmark": 0.12, "wape_model": 0.62, "bias_before": 0.01}
    return row | changed


def watched(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(ALARM_COLUMNS)).astype({"alarm": bool})


def says(model: str, mean: float, *, segment: str = "Total") -> pd.DataFrame:
    row = {"model": model, "segment": segment, "target_period": "FY26 Q4", "horizon": 0, "mean": mean}
    return pd.DataFrame([row])


def plain(text: str) -> str:
    return text.replace(T, " ")


def test_the_headline_without_an_alarm_is_as_it_was():
    quiet = watched(alarm(alarm=False))
    headline = plain(page.headline(ROW, quiet, NO_FORECAST, company=EURO))
    assert headline.startswith("We expect to book €5.2 m in FY26 Q4")
    assert "no forecast" in page.headline(None, watched(alarm()), NO_FORECAST, company=EURO)
    unknown = page.headline(ROW.where(ROW.index != "mean", NAN), watched(alarm()), NO_FORECAST, company=EURO)
    assert unknown.startswith("We cannot say")


def skill(value: float, p: float, *, n: int = 23) -> dict[str, Finding]:
    facts = {"promised": 0.0, "low": value - 0.1, "high": value + 0.1, "p_value": p, "unit": "month", "fewest": 8}
    return {"skill total": found(Estimate(value=value, n=n, **facts), p_page=p)}


def test_the_headline_says_where_the_benchmark_has_been_closer_beyond_luck_and_only_there():
    quiet, other = watched(alarm(alarm=False)), says("ets", 4.1e6)
    plainly = page.headline(ROW, quiet, other, company=EURO)
    behind = page.headline(ROW, quiet, other, judged=skill(-0.3, 0.01), company=EURO)
    more = "Over all lead times the model misses the company’s month by 30 % more than the benchmark, beyond luck"
    assert plain(behind.removeprefix(plainly)) == f" {more} (23 months); the benchmark says €4.1 m for FY26 Q4."
    for judged in (skill(-0.3, 0.06), skill(0.3, 0.01), skill(-0.3, NAN, n=5), {}):
        assert page.headline(ROW, quiet, other, judged=judged, company=EURO) == plainly
    # Also where ranges have begun to fail, and under an alarm, whose sentence has the benchmark's number already.
    ranges = page.headline(ROW, watched(alarm(kind="ranges")), other, judged=skill(-0.3, 0.01), company=EURO)
    assert ranges.endswith(behind.removeprefix(plainly))
    off = plain(page.headline(ROW, watched(alarm()), other, judged=skill(-0.3, 0.01), company=EURO))
    assert off.endswith(f"plan €5 m. {more} (23 months).")
    segments = {"skill segment": skill(-0.3, 0.01)["skill total"]}
    assert "misses a segment’s month by" in page.headline(ROW, quiet, NO_FORECAST, judged=segments, company=EURO)


def test_the_headline_under_alarm_says_so_and_what_stands_in():
    headline = plain(page.headline(ROW, watched(alarm()), says("ets", 4.1e6), company=EURO))
    assert headline == (
        "The model’s last five forecasts of the company’s month, from May 2026 on, were all too high, by 40–90 %; "
        "in the 18 months before, they came to 1 % more than was booked. "
        "The benchmark, closer since then (it missed by 12 % against 62 %), says €4.1 m for FY26 Q4; "
        "the model says €5.2 m; plan €5 m."
    )
    ranges = watched(alarm(kind="ranges", n=6, n_side=6))
    headline = plain(page.headline(ROW, ranges, says("ets", 4.1e6), company=EURO))
    assert headline.startswith("We expect to book €5.2 m")
    assert headline.endswith("likely. None of the model’s last six 80 % ranges of the company’s month held what came.")
    # A side comes before ranges, whatever their evidence.
    both = watched(alarm(kind="ranges", evidence=9e9), alarm(kind="too low", low=-0.5, high=-0.2))
    assert "too low, by 20–50 %" in plain(page.headline(ROW, both, says("ets", 6e6), company=EURO))


@pytest.mark.parametrize(
    ("changed", "forecasts", "expected"),
    [
        (
            {"wape_benchmark": 0.6},
            says("ets", 4.1e6),
            "nothing stands in well: since then the benchmark missed by 60 % against 62 %",
        ),
        ({"wape_benchmark": NAN}, NO_FORECAST, "there is no benchmark for those months"),
        ({}, NO_FORECAST, "the benchmark, closer since then (it missed by 12 % against 62 %), stands in"),
        ({"kind": "ranges"}, says("ets", 4.1e6), ""),
        ({"segment": "Iberia"}, says("ets", 1e5, segment="Iberia"), "says €100 k for FY26 Q4"),
    ],
)
def test_what_stands_in(changed: dict[str, object], forecasts: pd.DataFrame, expected: str):
    told = plain(page.stand_in(alarm(**changed), forecasts, period="FY26 Q4", company=EURO))
    assert expected in told
    assert bool(told) == bool(expected)


def test_what_happened_is_right_at_one_two_some_and_zero():
    def told(**changed: object) -> str:
        return plain(page.what_happened(alarm(**changed)))

    one = told(n=1, n_side=1, high=0.4, first="2026-09", bias_before=NAN)
    assert one.endswith("last forecast of the company’s month, September 2026, was too high, by 40 %")
    assert told(n=2, n_side=2, bias_before=NAN).endswith("were both too high, by 40–90 %")
    assert told(n=7, n_side=6).startswith(
        "of the model’s last seven forecasts of the company’s month, from May 2026 on, six were too high"
    )
    nothing_booked = {"low": NAN, "high": NAN, "bias_before": NAN}
    assert told(**nothing_booked).endswith("were all too high")
    assert told(n=22).endswith("; in the month before, they came to 1 % more than was booked")
    assert told(months=5).endswith("by 40–90 %")  # there is no month before
    assert told(segment="Iberia").endswith("last five forecasts of a month in Iberia were all too high, by 40–90 %")
    sales, joint = {"model": "submitted-sales"}, {"model": "submitted-joint"}
    assert told(**sales) == (
        "sales’ last five forecasts were all too high, by 40–90 %; in the 18 months before, they came to 1 % more than "
        "was booked"
    )
    assert told(**joint, bias_before=0.0).startswith("the last five joint forecasts were all too high")
    assert told(**joint, bias_before=0.0).endswith("; in the 18 months before, they came to what was booked")
    assert told(**sales, bias_before=NAN).endswith("by 40–90 %")


def test_other_alarms_in_their_order_each_with_what_stands_in():
    sales = alarm(model="submitted-sales", limit=250.0, wape_model=0.1, wape_benchmark=0.2)
    table = watched(alarm(segment="Iberia", limit=1920.0, evidence=9e9), sales, alarm(kind="ranges", n_side=4))
    forecasts = (says("ets", 4.1e6), says("pipeline", 5.2e6))
    # The ranges are the company's only alarm and stand in the headline; the model is then not what stands in.
    told = [plain(text) for text in page.alarm_sentences(table, *forecasts, period="FY26 Q4", company=EURO)]
    assert [text.split(" ")[0] for text in told] == ["Sales’", "The"]
    assert "The benchmark, closer" in told[0]
    assert "Iberia" in told[1]
    told = page.alarm_sentences(watched(sales), *forecasts, period="FY26 Q4", company=EURO)
    assert "The model, closer since then (it missed by 10 % against 62 %), says €5.2 m" in plain(told[0])
    assert page.alarm_sentences(watched(alarm()), *forecasts, period="FY26 Q4", company=EURO) == []
    assert page.alarm_sentences(watched(alarm(alarm=False)), *forecasts, period="FY26 Q4", company=EURO) == []


def past(*forecasts: float, segment: str = "Iberia", observed: float = 1.0) -> pd.DataFrame:
    """Return forecasts of May 2026 and the months after, one month ahead."""
    months = [str(month) for month in pd.period_range("2026-05", periods=len(forecasts), freq="M")]
    table = pd.DataFrame({"target_period": months, "mean": forecasts, "observed": observed})
    return table.assign(model="pipeline", segment=segment, horizon=1)


def test_while_the_model_is_off_nobody_else_is_told_to_stand_in_and_no_segment_is_singled_out():
    sales = alarm(model="submitted-sales", months=46, bias_before=0.46, low=1.75, high=7.44)
    joint = alarm(model="submitted-joint", months=31, bias_before=NAN, evidence=400.0, n_side=4)
    table = watched(alarm(), joint, sales, alarm(segment="Iberia", evidence=9e9))
    given = {"period": "FY26 Q4", "company": EURO}
    all_off = pd.concat([past(2.0, 3.0), past(2.0, 0.9, segment="Alps"), past(9.0, segment="Total")])
    told = [plain(text) for text in page.alarm_sentences(table, says("ets", 4.1e6), past=all_off, **given)]
    assert told == [
        "Too high as well: sales’ last five forecasts by 175–744 % (+46 % in the 41 months before) and four of the "
        "last five joint forecasts by 40–90 %.",
        "Both segments show it: 3 of 4 forecasts of their months were too high.",
    ]
    # One segment is not off: the one that is under alarm is named.
    one_off = pd.concat([past(2.0, 3.0), past(0.5, 0.9, segment="Alps")])
    told = page.alarm_sentences(table, says("ets", 4.1e6), past=one_off, **given)
    assert "in Iberia" in told[0]
    assert len(told) == 2
    assert page.segments_too(alarm(kind="ranges"), all_off) == ""
    low = pd.concat([past(0.2), past(0.3, segment="Alps")])
    assert "2 of 2 forecasts of their months were too low" in plain(page.segments_too(alarm(kind="too low"), low))


def test_what_is_watched_and_its_budget():
    quiet = watched(alarm(alarm=False, evidence=30.0), alarm(alarm=False, kind="ranges", evidence=60.0))
    assert page.watched_sentence(quiet).startswith(f"{page.NO_ALARM}. All 2 questions")
    assert not page.watched_sentence(watched(alarm())).startswith("No alarm")
    few = "Too few months have settled to see whether anything has changed of late: six are needed."
    assert page.watched_sentence(watched(alarm(alarm=False, months=3))) == few
    assert page.watched_sentence(watched()) == few
    shown = TableView(page.watched(quiet), "", **page.watched_columns()).grid()
    assert tuple(map(sources.plain, shown.rows[0][1:4])) == ("the company", "outside its ranges", "23")
    far = page.watched(watched(alarm(evidence=6000.0, limit=240.0), alarm(evidence=0.1, limit=240.0)))
    assert [sources.plain(page.times(value)) for value in far["over"]] == ["25", "0"]
    assert repr(page.watched_table(watched())) == ""
    assert "Everything that is watched" in page.watched_table(quiet)._repr_html_()


def test_an_alarm_on_one_forecast_or_range_is_worded_as_of_one():
    one = plain(page.what_happened(alarm(kind="ranges", n=1, n_side=1)))
    assert one == "the model’s last 80 % range of the company’s month did not hold what came"
    part = plain(page.what_happened(alarm(n=2, n_side=1, low=0.4, high=0.4, bias_before=NAN)))
    assert (
        part == "of the model’s last two forecasts of the company’s month, from May 2026 on, one was too high, by 40 %"
    )


def test_what_stands_in_for_people_is_said_to_be_of_the_whole_company():
    row, given = alarm(model="submitted-joint"), {"period": "FY26 Q4", "company": EURO}
    assert page.stand_in(row, says("ets", 4.1e6), **given).endswith("for FY26 Q4, of the whole company")
    assert page.stand_in(alarm(), says("ets", 4.1e6), **given).endswith("for FY26 Q4")


def record(**changed: object) -> pd.DataFrame:
    row = {"model": "pipeline", "level": "total", "horizon": 1, "n": 23, "wape": 0.21, "bias": 0.01, "coverage80": 0.78}
    row |= {"n_lately": 6, "wape_lately": 0.5, "bias_lately": 0.45, "coverage80_lately": 0.0}
    return pd.DataFrame([row | {"first": "2026-04", "last": "2026-09"} | changed])


def two_parts() -> pd.DataFrame:
    row = {"model": "pipeline", "level": "total", "horizon": 1, "n": 23, "first": "2026-05"}
    row |= {
        "n_before": 18,
        "wape_before": 0.18,
        "bias_before": -0.006,
        "coverage80_before": 15 / 18,
        "skill_before": 0.3,
    }
    row |= {"n_since": 5, "wape_since": 1.54, "bias_since": 1.54, "coverage80_since": 0.0, "skill_since": -0.1}
    return pd.DataFrame([row | {"months_before": 18, "months_since": 5}])


def test_the_record_is_told_twice():
    assert plain(page.lately_sentence(record())) == (
        "Of late, April 2026 to September 2026, the model missed the company’s month one month ahead by 50 % (over all "
        "21 %), forecast 45 % more than was booked in sum (over all 1 % more than was booked) and its 80 % ranges held "
        "0 of 6 (over all 18 of 23)."
    )
    assert page.lately_sentence(record(n_lately=0)) == ""
    assert "forecast what was booked in sum" in page.lately_sentence(record(bias_lately=0.001))
    people = record(model="submitted-sales", level="segment", coverage80=NAN, coverage80_lately=NAN, bias_lately=-0.2)
    table = pd.concat([record(), record(level="segment"), record(horizon=2), people], ignore_index=True)
    brief = page.twice(table, brief=True)
    assert brief[["model", "level", "horizon"]].values.tolist() == [
        ["pipeline", "total", 1],
        ["pipeline", "segment", 1],  # what people forecast for segments stands beside the model's segments
        ["submitted-sales", "segment", 1],
    ]
    assert [plain(cell) for cell in brief["wape"]] == ["21 → 50 %"] * 3
    assert [plain(cell) for cell in brief["bias"]] == ["+1 → +45 %", "+1 → +45 %", f"+1 → {MINUS}20 %"]
    assert brief["coverage80"].iloc[2] == "–"
    both = pd.concat([table, people.assign(level="total")], ignore_index=True)
    assert page.twice(both, brief=True)["level"].tolist() == ["total", "total"]  # all forecast the company
    alone = table[table["level"] == "segment"]
    assert page.twice(alone, brief=True)["model"].tolist() == ["pipeline", "submitted-sales"]
    shown = page.record_table(table, brief=True)
    assert isinstance(shown, TableView)
    heads = [column.head for column in shown.grid().columns]
    assert heads[:3] == ["forecast", "forecasts", "miss (WAPE)"]  # narrow enough for a column of paper
    assert [row[0] for row in shown.grid().rows] == [
        "the model, company",
        "the model, segments",
        "sales’ forecast, segments",
    ]
    assert len(page.twice(table)) == 4
    assert repr(page.record_table(table.assign(n=0))) == ""
    assert "<details" not in page.record_table(table, brief=True)._repr_html_()
    assert page.record_table(table, brief=True).caption.endswith("over the last six, one month ahead")
    assert "<details" in page.record_table(table)._repr_html_()
    assert len(page.twice(table.assign(by_rep=[False, False, False, True]))) == 3


def test_under_alarm_the_record_is_told_before_it_began_and_since():
    scores = pd.DataFrame([{"model": "pipeline", "horizon": 1, "wape": 0.3, "skill": 0.2, "level": "total"}])
    scores = scores.assign(span="month", n=10, coverage80=0.8, bias=0.0, observed=1.0)
    scores = pd.concat([scores, scores.assign(level="segment")])
    forecasts = says("ets", 4.1e6)
    parts = two_parts()
    given = (scores, {}, record(), watched(alarm()), forecasts, parts)
    answer, more = page.record_answer(*given, company=EURO)
    assert answer.startswith("The model’s last five forecasts")
    assert "says €4.1 m for FY26 Q4." in plain(answer)
    assert [sentence.split(",")[0] for sentence in more] == ["Before May 2026 (18 months)", "Since May 2026 (5 months)"]
    assert "Of late" not in " ".join(more)
    answer, more = page.record_answer(*given, company=EURO, brief=True)  # where the alarm has been told already
    assert answer.startswith("Since May 2026")
    assert [sentence[:15] for sentence in more] == ["Before May 2026"]
    quiet = watched(alarm(alarm=False))
    answer, more = page.record_answer(scores, {}, record(), quiet, forecasts, parts.iloc[:0], company=EURO)
    assert answer.startswith("One month ahead the model misses the company’s month")
    assert more[-1].startswith("Of late")
    assert page.record_table(record(), parts).caption == "The record twice: before May 2026 → since"
    assert plain(page.twice(parts)["wape"].iloc[0]) == "18 → 154 %"
    assert page.record_table(record(), parts.iloc[:0]).caption == page.CAPTION
    assert page.nearest_period(NO_FORECAST) == ""
