"""Humane numbers and sentences: right at zero, one, many, negative and unknown."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast import wording
from forecast.data.audit.pipeline import FEWER_OF_LATE
from forecast.data.schema import TOTAL, Company
from forecast.models.registry import MODELS
from forecast.reporting.pages import audit, scorecard
from forecast.reporting.pages.bookings import sentences as bookings_sentences
from forecast.reporting.pages.planning import sentences as planning_sentences
from forecast.reporting.pages.track import sentences as track_sentences

T, M = wording.THIN, wording.MINUS
EURO = Company(name="C", currency="EUR")
NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (4_102_345.33, f"€4.1{T}m"),
        (0, "€0"),
        (0.0, "€0"),
        (7, "€7"),
        (999_600, f"€1{T}m"),
        (999_400, f"€999{T}k"),
        (-12_345, f"{M}€12.3{T}k"),
        (2.5e9, f"€2.5{T}bn"),
        (NAN, "unknown"),
        (math.inf, "unknown"),
        (None, "unknown"),
    ],
)
def test_money(value, said):
    assert wording.money(value, currency="EUR") == said


def test_money_with_a_sign_and_another_currency():
    assert wording.money(1_500, currency="EUR", sign=True) == f"+€1.5{T}k"
    assert wording.money(0, currency="EUR", sign=True) == "€0"
    assert wording.money(1_500, currency="CHF") == f"1.5{T}k{T}CHF"
    assert wording.money(1_500, currency="<b>") == f"1.5{T}k{T}<b>"  # escaped where it becomes HTML


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (3_700_000, 4_600_000, f"€3.7–4.6{T}m"),
        (3_601_000, 5_523_000, f"€3.60–5.52{T}m"),
        (0, 0, "€0–0"),
        (-200_000, 1_234_000, f"€{M}0.20{T}to{T}1.23{T}m"),
        (NAN, 1, "unknown"),
    ],
)
def test_money_range(low, high, said):
    assert wording.money_range(low, high, currency="EUR") == said


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_money_says_the_number_to_three_figures(value):
    said = wording.money(value)
    match = re.fullmatch(rf"({M})?([\d,.]+)(?:{T}(bn|m|k))?", said)
    assert match, said
    scale = {"bn": 1e9, "m": 1e6, "k": 1e3, None: 1.0}[match[3]]
    back = float(match[2].replace(",", "")) * scale * (-1 if match[1] else 1)
    assert back == pytest.approx(value, rel=0.0051, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.31, "31"), (0, "0"), (-0.001, f"{M}0.1"), (0.0042, "0.4"), (1.5, "150"), (-0.4, f"{M}40"), (1e-9, "0")],
)
def test_percent(value, said):
    assert wording.percent(value) == f"{said}{T}%"
    assert wording.percent(NAN) == "unknown"


def test_percent_with_a_sign_whole_and_points():
    assert wording.percent(0.12, sign=True) == f"+12{T}%"
    assert wording.percent(0.0, sign=True) == f"0{T}%"
    assert wording.whole(0.004) == f"0{T}%"
    assert wording.points(0.01) == "+1 percentage point"
    assert wording.points(-0.07) == f"{M}7 percentage points"


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.31, f"about 1 in 3 (31{T}%)"),
        (0.15, f"about 1 in 7 (15{T}%)"),
        (0.5, f"about even (50{T}%)"),
        (0.0, f"very unlikely (less than 1{T}%)"),
        (1.0, f"almost certain (more than 99{T}%)"),
        (None, "unknown"),
    ],
)
def test_odds(p, said):
    assert wording.odds(p) == said


@given(st.floats(0, 1))
def test_odds_are_near_what_they_say(p):
    match = re.search(r"(\d+) in (\d+)", wording.odds(p))
    if match:
        assert abs(int(match[1]) / int(match[2]) - p) < 0.051


def test_counts_and_lists():
    assert wording.plural(0, "deal") == "no deals"
    assert wording.plural(1, "deal") == "1 deal"
    assert wording.plural(1234, "company") == "1,234 companies"
    assert wording.plural(NAN, "deal") == "an unknown number of deals"
    assert wording.joined([]) == "none"
    assert wording.joined(["a"]) == "a"
    assert wording.joined("abcde", most=2) == "a, b and 3 more"
    assert wording.change(-0.3) == f"fell by 30{T}%"
    assert wording.change(0.0001) == "did not change"
    assert wording.of_all(0, 3, "figure") == "none of three figures"
    assert wording.of_all(1, 1, "company") == "the one company"
    assert wording.of_all(3, 3, "company") == "all three companies"
    assert wording.change(NAN) == "changed by an unknown amount"


def test_dates_and_names():
    assert wording.month("2026-10") == "October 2026"
    assert wording.month("FY26 Q4") == "FY26 Q4"
    assert wording.day(pd.Timestamp("2026-10-01")) == "1 October 2026"
    assert wording.day(pd.NaT) == "unknown"
    assert wording.label("a\u202eb\x00c\n d") == "abc d"
    assert wording.label("x" * 500, most=10) == "x" * 9 + "…"
    assert wording.label(None) == "unknown"


# -- sentences from tables ------------------------------------------------------------------------------


def forecast(**columns: object) -> pd.DataFrame:
    row = {"model": "pipeline", "origin": pd.Timestamp("2026-10-31"), "target_period": "FY26 Q4", "horizon": 0}
    row |= {"segment": TOTAL, "mean": 4.1e6, "q10": 3.7e6, "q50": 4.1e6, "q90": 4.6e6, "booked": 1e6}
    return pd.DataFrame([row | columns])


def said(**columns: object) -> str:
    return bookings_sentences.headline(bookings_sentences.headline_row(forecast(**columns)), company=EURO).replace(
        T, " "
    )


def test_the_headline():
    assert said(plan=4.4e6, p_at_least_plan=0.31) == (
        "We expect to book €4.1 m in FY26 Q4, 80 % range €3.7–4.6 m; plan €4.4 m: 31 % likely."
    )
    assert said(plan=NAN, p_at_least_plan=NAN).endswith("there is no plan to hold it against.")
    assert said(mean=NAN) == "We cannot say what we will book in FY26 Q4: too little is known to forecast it."
    assert "no forecast" in bookings_sentences.headline(None, company=EURO)


def test_the_headline_speaks_of_the_quarter_in_progress_or_the_first_month():
    months = forecast(target_period="2026-11", horizon=1)
    assert bookings_sentences.headline_row(months)["target_period"] == "2026-11"
    both = pd.concat([months, forecast(target_period="FY27 Q1", horizon=1), forecast()])
    assert bookings_sentences.headline_row(both)["target_period"] == "FY26 Q4"
    facts = bookings_sentences.headline_facts(bookings_sentences.headline_row(forecast(mean=NAN)), company=EURO)
    assert facts["mean"] is None
    assert facts["target_period"] == "FY26 Q4"


def segments(*gaps: float) -> pd.DataFrame:
    rows = pd.concat(
        [forecast(plan=10.0), *(forecast(segment=f"S{i}", mean=10 + g, plan=10.0) for i, g in enumerate(gaps))]
    )
    return bookings_sentences.segment_rows(rows)


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        ((), "Segments cannot be held against a plan"),
        ((1.0,), "S0 is expected to reach plan"),
        ((1.0, 0.0), "Both segments are expected to reach plan"),
        ((-1.0,), "S0 is expected below plan, by €1"),
        ((-1.0, -2.0), "Both segments are below plan, S1 by €2"),
        ((1.0, -2.0), "Only S1 is expected below plan, by €2"),
        ((-3.0, -2.0, 5.0), "Two of three segments are below plan, S0 by €3"),
        ((NAN,), "Segments cannot be held against a plan"),
    ],
)
def test_segments(gaps, told):
    assert bookings_sentences.segments_finding(segments(*gaps), company=EURO) == told


def waterfall(created: float, lost: float) -> pd.DataFrame:
    bars = [("start", 100.0, 3), ("created", created, int(created > 0)), ("won", 0.0, 1), ("lost", lost, int(lost < 0))]
    table = pd.DataFrame([*bars, ("end", 100 + created + lost, 3)], columns=["bar", "amount", "deals"])
    booked = [0.0, 0.0, 40.0, 0.0, 40.0]
    return table.assign(open_pipeline=0.0, booked=booked, since=pd.Timestamp("2026-09-30"), period="FY26 Q4")


def test_what_changed():
    grew = waterfall(50.0, -10.0)
    assert (
        bookings_sentences.changes_finding(grew, company=EURO)
        == "Booked and open for FY26 Q4 grew by €40, mostly deals created"
    )
    shrank = waterfall(0.0, -10.0)
    assert bookings_sentences.changes_finding(shrank, company=EURO).endswith("shrank by €10, mostly deals lost")
    assert bookings_sentences.changes_finding(waterfall(0.0, 0.0), company=EURO) == "Nothing changed for FY26 Q4"
    assert bookings_sentences.changes_sentence(shrank, company=EURO) == (
        "Since 30 September 2026, 1 deal was won (€40), no deals were created and 1 deal was lost (€10)."
    )
    nothing = grew.iloc[:0]
    nothing.attrs["notes"] = ["there is no history"]
    assert bookings_sentences.changes_sentence(nothing, company=EURO).startswith(
        "What changed cannot be told: there is no"
    )


def test_attention_names_no_owner_and_counts_right():
    deals = pd.DataFrame(
        {
            "outcome": ["open", "open", "won"],
            "expected_close_on": pd.to_datetime(["2026-10-01", None, "2026-10-01"]),
            "amount": [10.0, 20.0, 30.0],
            "slips": [3.0, 0.0, 9.0],
            "owner": ["Rep 001", "Rep 002", "Rep 003"],
        }
    )
    told = bookings_sentences.attention(
        segments(-5.0).assign(p_at_least_plan=0.1), deals, company=EURO, as_of="2026-10-31"
    )
    assert told[0].replace(T, " ") == "S0 is expected €5 below plan in FY26 Q4; reaching it is about 1 in 10 (10 %)."
    assert told[1] == "1 open deal (€10) is past the expected close date: give a new date or close."
    assert "slipped 3 times" in told[2]
    assert told[3] == "1 open deal has no expected close date."
    assert "Rep" not in " ".join(told)
    assert bookings_sentences.attention(segments(), deals.iloc[:0], company=EURO, as_of="2026-10-31") == []


@pytest.mark.parametrize(
    ("verdict", "change", "title"),
    [
        ("improved", -0.3, f"Forecast errors fell by 30{T}% when planning together"),
        ("worsened", 0.3, f"Forecast errors rose by 30{T}% when planning together"),
        ("no detectable change", -0.3, "No detectable change in errors when planning together"),
        ("not identified", -0.3, "Cannot tell whether planning together helped"),
        ("not identified", NAN, "Cannot tell whether planning together helped"),
    ],
)
def test_an_improvement_is_claimed_only_where_the_verdict_says_so(verdict, change, title):
    row = {
        "verdict": verdict,
        "relative_change": change,
        "interval_low": -0.5,
        "interval_high": 0.1,
        "sentence": "A -3 %. B.",
    }
    assert planning_sentences.finding(row) == title
    first, rest = planning_sentences.parts(row)
    assert first == f"A {M}3{T}%."
    assert rest.startswith("B. ")
    if verdict != "improved":
        everything = " ".join([title, planning_sentences.next_step(row)]).lower()
        assert "improve" not in everything
        assert "fell" not in everything


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.5, 0.1, f"{M}50{T}% to +10{T}%"),
        (-1.0, math.inf, "any change is possible"),
        (-0.5, math.inf, f"{M}50{T}% upwards"),
        (-1.0, 0.1, f"down to no errors at all, up to +10{T}%"),
    ],
)
def test_open_intervals_are_named(low, high, told):
    assert planning_sentences.interval({"interval_low": low, "interval_high": high}) == told


def scores(*rows: tuple[str, int, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["model", "horizon", "wape", "skill"])
    return table.assign(span="month", level="segment", n=10, coverage80=0.8, bias=0.0, observed=1.0)


def test_every_forecaster_has_a_name_of_its_own_on_a_page():
    names = [track_sentences.model_name(model) for model in (*MODELS, "submitted-sales", "submitted-joint")]
    assert len(set(names)) == len(names)
    assert track_sentences.model_name("ets-theta") == "benchmark and Theta"


def test_the_track_record():
    table = scores(("pipeline", 1, 0.3, 0.2), ("pipeline", 2, 0.5, -0.1), ("ets", 1, 0.4, 0.0))
    assert track_sentences.accuracy_finding(table) == (
        f"One month ahead the model misses segments by 30{T}%, the benchmark 40{T}%"
    )
    told = track_sentences.accuracy_sentences(table)
    assert told[0].startswith(f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 37{T}%;")
    assert "too few" in told[0]
    assert "as promised" in told[1]
    assert track_sentences.accuracy_finding(table.iloc[:0]) == "There is no track record yet"
    assert track_sentences.accuracy_sentences(table.iloc[:0]) == [
        "No past forecast has settled yet, so nothing can be said about accuracy."
    ]
    people = scores(("pipeline", 1, 0.3, 0.2), ("submitted-joint", 1, 0.55, -0.1), ("ets", 1, 0.4, 0.0))
    told = track_sentences.accuracy_sentences(people)
    assert told[1] == f"The joint forecast misses by 55{T}% one month ahead, the benchmark by 50{T}% (10 forecasts)."


@pytest.mark.parametrize(
    ("skills", "p", "said"),
    [
        (
            (0.2, 0.3),
            (0.01, 0.05),
            f"At every lead time the model misses a segment’s month by less than the benchmark, beyond luck: "
            f"20{T}% to 30{T}% less.",
        ),
        (
            (0.2, 0.3),
            (0.01, 0.2),
            f"The model misses a segment’s month one month ahead by 20{T}% less than the benchmark, beyond luck; "
            "2 months ahead luck could have made the difference.",
        ),
        (
            (0.2, -0.3),
            (0.01, 0.02),
            f"The model misses a segment’s month one month ahead by 20{T}% less than the benchmark and 2 months "
            f"ahead by 30{T}% more than the benchmark, beyond luck.",
        ),
        (
            (0.2, 0.3),
            (0.06, 0.9),
            f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 37{T}%; luck could have "
            "made the difference, also further ahead.",
        ),
        (
            (-0.2, 0.3),
            (0.06, NAN),
            f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 25{T}%; luck could have "
            "made the difference, also further ahead.",
        ),
        (
            (-0.2, -0.2),
            (NAN, NAN),
            f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 25{T}%; the months are "
            "too few to tell that from luck, also further ahead.",
        ),
    ],
)
def test_a_skill_is_claimed_only_beyond_luck(skills, p, said):
    table = scores(*(("pipeline", at, 0.3, skill) for at, skill in enumerate(skills, start=1))).assign(p_holm=p)
    assert track_sentences.accuracy_sentences(table)[0] == said
    assert track_sentences.company_sentence(table) == ""
    company = track_sentences.company_sentence(table.assign(level="total"))
    assert company == said.replace("a segment’s month", "the company’s month")


def reliability(happened: list[float]) -> pd.DataFrame:
    said = np.array([0.2, 0.5, 0.8])
    band = {"band_low": said - 0.05, "band_high": said + 0.05}
    return pd.DataFrame({"said": said, "happened": happened, "n": 100, **band})


def test_calibration():
    assert track_sentences.calibration_finding(reliability([0.21, 0.5, 0.79])).startswith("The odds are honest")
    assert track_sentences.calibration_finding(reliability([0.05, 0.3, 0.5])).startswith(
        "The odds are too high: said 50"
    )
    assert track_sentences.calibration_finding(reliability([0.4, 0.5, 0.6])) == (
        "The odds are right on the whole, not at every level"
    )
    assert track_sentences.calibration_finding(reliability([0.2] * 3).iloc[:0]) == "The odds cannot be checked yet"


def test_the_scorecard_and_the_audit():
    table = pd.DataFrame(
        {
            "measure": ["a", "b", "c"],
            "ours": [0.5, NAN, 30_000.0],
            "survey": [0.4, 0.6, NAN],
            "unit": ["share", "share", "money"],
            "previous": [0.4, NAN, 20_000.0],
            "change": [0.1, NAN, 10_000.0],
            "note": "",
        }
    )
    assert scorecard.finding(table) == "Above the survey on a"
    assert scorecard.missing(table).startswith("Unknown: b.")
    shown = scorecard.shown(table, currency="EUR")
    assert list(shown["ours"]) == [f"50{T}%", "unknown", f"€30{T}k"]
    assert list(shown["change"]) == ["+10 points", "–", f"+50{T}%"]
    assert scorecard.sentences(table) == ["Higher than a year ago: a and c."]
    audit = pd.DataFrame({"severity": ["warning", "info"], "table": "t", "column": ["x", ""], "finding": "f"})
    assert audit.finding(audit) == "The data can carry a forecast, with 1 warning"
    assert audit.conclusion(audit, without=1).endswith("Mend first: t.x, f. 1 table is absent.")
    assert audit.finding(audit.iloc[:0]) == "The data can carry a forecast"
    assert list(audit.shown(audit)["where"]) == ["t: x", "t"]


class TestAuditWords:
    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "severity": ["warning", "warning", "info"],
                "table": ["opportunities", "opportunities", "plan"],
                "column": ["created_on", "close_value", ""],
                "finding": [
                    FEWER_OF_LATE,
                    "known only after the outcome",
                    "there is no such table",
                ],
                "evidence": ["2 beside 40", "0 for every loss", ""],
            }
        )

    def test_a_caveat_stands_by_the_headline_only_where_it_bears_on_it(self):
        caveats = audit.caveats(self.table())
        assert len(caveats) == 1
        assert "(2 beside 40)" in caveats[0]
        assert "too low" in caveats[0]
        assert audit.caveats(self.table().iloc[1:]) == []

    def test_warnings_are_named_without_what_is_in_the_data(self):
        assert audit.warnings(self.table()) == [
            "opportunities.created_on: far fewer deals created of late.",
            "opportunities.close_value: known only after the outcome.",
        ]
        assert audit.warnings(self.table().iloc[2:]) == []


def test_factors_have_a_true_minus_and_keep_their_signs():
    assert wording.factors("+ in Negotiation; - large amount") == "+\u00a0in Negotiation; \u2212\u00a0large amount"
    assert wording.factors("- owner Rep - A") == "\u2212\u00a0owner Rep - A"
    assert wording.factors("") == ""
    assert wording.factors("too few closed deals to tell") == "too few closed deals to tell"


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ((0.5, 0.5, 0.5), "Beside the survey, one above, one about the same and one below"),
        ((0.1, 0.1, 0.1), "Beside the survey, three below"),
        ((0.9, 0.9, 0.9), "Beside the survey, three above"),
        ((0.41, 0.505, NAN), "Beside the survey, two about the same"),
    ],
)
def test_the_survey_is_no_contest(ours, said):
    table = pd.DataFrame({"measure": ["a", "b", "c"], "ours": ours, "survey": [0.4, 0.5, 0.6]})
    assert scorecard.finding(table) == said


def test_months_as_good_as_level_share_a_title():
    ahead = pd.DataFrame({"target_period": ["2026-12", "2027-01", "2027-03"], "mean": [2.09e6, 1e6, 2.11e6]})
    assert bookings_sentences.months_finding(ahead, company=EURO).replace(T, " ") == (
        "December 2026 and March 2027 should bring the most, about €2.1 m each"
    )
    apart = ahead.assign(mean=[1.9e6, 1e6, 2.11e6])
    assert (
        bookings_sentences.months_finding(apart, company=EURO).replace(T, " ")
        == "March 2027 should bring the most, €2.11 m"
    )
    level = ahead.assign(mean=1e6)
    assert bookings_sentences.months_finding(level, company=EURO).startswith(
        "December 2026, January 2027 and March 2027"
    )
    none = ahead.assign(mean=0.0)
    assert bookings_sentences.months_finding(none, company=EURO).startswith("December 2026 should bring the most")
