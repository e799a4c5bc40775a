"""What the pages say of the track record: how far forecasts miss, beyond luck or not."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources
from forecast.evaluation.judgement import Estimate, found
from forecast.models.registry import MODELS
from forecast.reporting.pages.track import sentences as track_sentences
from forecast.reporting.pages.track.prepare import by_segment, prepare_accuracy
from forecast.wording import THIN as T

NAN = float("nan")


def scores(*rows: tuple[str, int, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["model", "horizon", "wape", "skill"])
    return table.assign(span="month", level="segment", n=10, coverage80=0.8, bias=0.0, observed=1.0)


def test_every_forecaster_has_a_name_of_its_own_on_a_page():
    names = [track_sentences.model_name(model) for model in (*MODELS, "submitted-sales", "submitted-joint")]
    assert len(set(names)) == len(names)
    assert track_sentences.model_name("ets-theta") == "benchmark and Theta"


def finding(value: float, p: float, *, n: int = 23, promised: float = 0.0, margin: float = 0.0, half: float = 0.05):
    estimate = Estimate(
        ours=0.41,
        theirs=0.47,
        agreeing=17,
        value=value,
        promised=promised,
        low=value - half,
        high=value + half,
        p_value=p,
        n=n,
        unit="month",
        fewest=8,
        margin=margin,
    )
    return found(estimate, p_page=p)


def test_the_track_record():
    table = scores(("pipeline", 1, 0.3, 0.2), ("pipeline", 2, 0.5, -0.1), ("ets", 1, 0.4, 0.0))
    assert track_sentences.accuracy_finding(table) == (
        f"One month ahead the model misses segments by 30{T}%, the benchmark 37{T}%"
    )  # of the same targets, as in the sentence below, and not of all that the benchmark forecast
    assert track_sentences.accuracy_finding(table.iloc[:0]) == "There is no track record yet"
    assert track_sentences.accuracy_sentences(table.iloc[:0]) == [
        f"No past forecast has settled yet, so we cannot say how accurate forecasts are. {track_sentences.BRINGS}"
    ]
    # Without findings the numbers stand alone.
    assert track_sentences.accuracy_sentences(table) == [
        f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 37{T}%."
    ]
    people = scores(("pipeline", 1, 0.3, 0.2), ("submitted-joint", 1, 0.55, -0.1), ("ets", 1, 0.4, 0.0))
    told = track_sentences.accuracy_sentences(people)
    assert (
        told[1] == f"The joint forecast misses a segment’s month by 55{T}% one month ahead, the "
        f"benchmark by 50{T}% on the same (10 forecasts)."
    )
    # A submission counts under the end of the month it was made in.
    assert told[2] == f"{track_sentences.PEOPLE_EARLIER}."
    assert track_sentences.people_sentences(people) == told[1:3]


def test_where_people_are_drawn_their_forecasts_are_said_to_be_older():
    table = scores(("pipeline", 1, 0.3, 0.2), ("ets", 1, 0.4, 0.0), ("submitted-sales", 1, 0.5, -0.2))
    for rows, is_said in ((table, True), (table.iloc[:2], False)):
        for relative in (False, True):
            misses = prepare_accuracy(rows, level="segment", relative=relative, judged={})
            subtitle = track_sentences.describe_accuracy(misses).subtitle
            assert subtitle.endswith("; people’s forecasts are up to a month older") == is_said


def test_the_misses_by_segment_keep_ours_and_the_benchmark_and_leave_out_reps():
    models = ["ets", "pipeline", "seasonal-naive", *(f"submitted-{name}" for name in "abcde")]
    rows = [{"model": model, "segment": name, "wape": 0.1} for model in models for name in ("Total", "North")]
    wide = by_segment(pd.DataFrame(rows), reps=["submitted-b"])
    assert list(wide.columns) == ["segment", "pipeline", "submitted-a", "submitted-c", "submitted-d", "ets"]
    assert list(wide["segment"]) == ["North", "Total"]
    assert sources.table_of(wide) == "page_by_segment"
    assert by_segment(pd.DataFrame(rows[:0], columns=["model", "segment", "wape"])).empty


def test_what_was_scored_is_said_with_its_months():
    months = ["2026-08", "2026-09", "2026-10", "FY26 Q3"]
    track = pd.DataFrame({"model": "pipeline", "target_period": months, "observed": [1.0, 2.0, NAN, 3.0], "mean": 1.0})
    track["horizon"] = 1
    track["origin"] = ["2026-07-31", "2026-08-31", "2026-09-30", "2026-06-30"]
    counted = pd.DataFrame({"span": "month", "level": ["segment", "total"], "n": [24, 2]})
    said = (
        "Scored are the forecasts as of the month ends 31 July 2026 to 31 August 2026, of the last {}settled months, "
        "August 2026 to September 2026."
    )
    assert track_sentences.scored_sentence(track, counted) == said.format("2 ")
    assert track_sentences.scored_sentence(track, counted.iloc[:1]) == said.format("")
    assert "as of 31 July 2026, of the last settled month, August 2026." in track_sentences.scored_sentence(
        track.iloc[:1], counted
    )
    assert track_sentences.scored_sentence(track.iloc[2:], counted) == ""
    assert track_sentences.segment_caption(track.iloc[:1]) == "Miss (WAPE) one month ahead, by segment, August 2026"
    assert track_sentences.segment_caption(track.iloc[2:3]) == "Miss (WAPE) by segment"


def test_a_model_that_abstained_is_not_a_record_that_has_not_settled():
    # The model made none of six forecasts; last year's made them, of months in which nothing was booked.
    table = scores(("pipeline", 1, NAN, NAN), ("seasonal-naive", 1, NAN, NAN))
    table = table.assign(n=[0, 6], abstained=[6, 0], why=["only 2 closed deals are known, at least 10 are needed", ""])
    why = (
        "The model made no forecast on the past days whose months have settled: only 2 closed deals are known, at "
        "least 10 are needed."
    )
    assert track_sentences.accuracy_sentences(table) == [why]
    assert track_sentences.nothing_scored(table) == why
    assert track_sentences.accuracy_finding(table) == why.partition(":")[0]
    assert track_sentences.nothing_scored(table.iloc[:0]) == track_sentences.NOTHING_SETTLED
    assert track_sentences.company_sentence(table) == ""
    track = pd.DataFrame({"model": ["pipeline", "seasonal-naive"], "mean": [NAN, 0.0], "observed": 0.0})
    track = track.assign(target_period="2026-09", origin="2026-08-31", horizon=1)
    assert track_sentences.scored_sentence(track, table) == (
        "Scored are the other forecasts as of 31 August 2026, of the last settled month, September 2026. Nothing was "
        "booked in these months."
    )
    assert track_sentences.scored_sentence(track.iloc[:1], table) == ""


def test_where_nothing_was_booked_no_miss_is_given():
    table = scores(("pipeline", 1, NAN, NAN), ("ets", 1, NAN, NAN)).assign(coverage80=NAN, observed=0.0, abstained=0)
    judged = {"ranges segment": finding(1.0, NAN, n=3, promised=0.8)}
    assert track_sentences.accuracy_sentences(table, judged) == [track_sentences.NOTHING_BOOKED]
    assert track_sentences.nothing_scored(table) == track_sentences.NOTHING_BOOKED
    alone = scores(("pipeline", 1, 0.3, NAN))  # there is no benchmark
    assert track_sentences.accuracy_sentences(alone) == [f"One month ahead the model misses segments by 30{T}%."]


@pytest.mark.parametrize(
    ("skill", "said"),
    [
        (
            finding(0.25, 0.01),
            f"Over 1 and 2 months ahead together the model misses a segment’s month by 25{T}% less than the "
            "benchmark, beyond luck (23 months).",
        ),
        (
            finding(-0.3, 0.05),
            f"Over 1 and 2 months ahead together the model misses a segment’s month by 30{T}% more than the "
            "benchmark, beyond luck (23 months).",
        ),
        (
            finding(0.25, 0.06),
            f"Over 1 and 2 months ahead together the model misses a segment’s month by 41{T}%, the benchmark by "
            f"47{T}%: less in 17 of 23 months, which is not proven.",
        ),
        (
            finding(0.25, NAN, n=5),
            f"Over 1 and 2 months ahead together the model misses a segment’s month by 41{T}%, the benchmark by "
            f"47{T}%: too few to tell (5 months; 8 are needed).",
        ),
    ],
)
def test_a_skill_is_claimed_only_beyond_luck(skill, said):
    table = scores(("pipeline", 1, 0.3, 0.2), ("pipeline", 2, 0.3, 0.3))
    assert track_sentences.accuracy_sentences(table, {"skill segment": skill})[0] == said
    assert track_sentences.company_sentence(table, {"skill total": skill}) == ""
    company = track_sentences.company_sentence(table.assign(level="total"), {"skill total": skill})
    assert company == said.replace("a segment’s month", "the company’s month")


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (finding(0.8, 1.0, promised=0.8, margin=0.1), f"80{T}% of the time: as promised (23 months)."),
        (
            finding(0.8, 1.0, promised=0.8, margin=0.1, half=0.2),
            f"80{T}% of the time: too few months to prove that eight in ten is kept (23 months).",
        ),
        (finding(0.5, 0.001, promised=0.8), "less often than promised, so they are too narrow (23 months)."),
        (finding(1.0, 0.01, promised=0.8), "more often than promised, so they are too wide (23 months)."),
        (finding(1.0, NAN, n=3, promised=0.8), f"100{T}% of the time: too few to tell (3 months; 8 are needed)."),
    ],
)
def test_ranges_are_called_wrong_only_beyond_luck(ranges, said):
    table = scores(("pipeline", 1, 0.3, 0.2), ("pipeline", 2, 0.3, 0.3), ("pipeline", 3, 0.3, 0.3))
    _, first = track_sentences.accuracy_sentences(table, {"ranges segment": ranges})
    assert first.startswith(f"One month ahead, the model’s 80{T}% ranges of segments’ months held ")
    assert first.endswith(said)


def test_the_company_s_ranges_are_counted_where_too_few_months_prove_them():
    table = scores(("pipeline", 1, 0.3, 0.2)).assign(level="total", coverage80=19 / 23, n=23)
    ranges = finding(19 / 23, 1.0, promised=0.8, margin=0.1, half=0.2)
    said = track_sentences.accuracy_sentences(table, {"ranges total": ranges}, level="total")[-1]
    assert said.endswith(" held in 19 of 23 months; too few months to prove that eight in ten is kept.")


def test_ranges_of_the_company_are_counted_beside_its_months():
    table = scores(
        ("pipeline", 1, 0.3, 0.2), ("pipeline", 2, 0.3, 0.3), ("pipeline", 3, 0.3, 0.3), ("ets", 2, 0.3, 0.0)
    )
    company = table.assign(level="total", n=[10, 10, 5, 10], coverage80=[0.9, 0.7, 0.6, 0.1])
    told = track_sentences.ranges_ahead(company)
    assert told == [
        f"One month ahead, 9 of 10 past 80{T}% ranges of the company’s months held; 2 and 3 months ahead, where "
        "forecasts overlap, 10 of 15."
    ]
    assert track_sentences.ranges_ahead(company.iloc[:1]) == [told[0].partition(";")[0] + "."]
    assert track_sentences.ranges_ahead(table) == []  # of segments
    assert track_sentences.ranges_ahead(company.iloc[3:]) == []  # not ours


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        (finding(0.2, 0.001), f"One month ahead the model forecast 20{T}% too much (23 months)."),
        (finding(-0.2, 0.001), f"One month ahead the model forecast 20{T}% too little (23 months)."),
        (
            finding(0.04, 0.4),
            f"One month ahead the sum of the model’s forecasts was 4{T}% above what was booked, which luck could have "
            "made (23 months).",
        ),
    ],
)
def test_a_bias_is_that_of_one_lead_time_and_beyond_luck(bias, said):
    table = scores(("pipeline", 1, 0.3, 0.2), ("pipeline", 2, 0.3, 0.3))
    assert track_sentences.accuracy_sentences(table, {"bias": bias})[-1] == said
    assert said not in track_sentences.accuracy_sentences(table.assign(level="total"), {"bias": bias}, level="total")
