"""What the pages say of bookings: the headline, segments, what changed and what needs attention."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.schema import TOTAL, Company
from forecast.reporting.pages.bookings import changes
from forecast.reporting.pages.bookings import sentences as bookings_sentences
from forecast.reporting.pages.bookings.prepare import headline_row
from forecast.reporting.pages.segments import segment_rows, segments_finding
from forecast.wording import THIN as T

EURO = Company(name="C", currency="EUR")
NAN = float("nan")


def forecast(**columns: object) -> pd.DataFrame:
    row = {"model": "pipeline", "origin": pd.Timestamp("2026-10-31"), "target_period": "FY26 Q4", "horizon": 0}
    row |= {"segment": TOTAL, "mean": 4.1e6, "q10": 3.7e6, "q50": 4.1e6, "q90": 4.6e6, "booked": 1e6}
    return pd.DataFrame([row | columns])


def said(**columns: object) -> str:
    return bookings_sentences.headline(headline_row(forecast(**columns)), company=EURO).replace(T, " ")


def test_the_headline():
    assert said(plan=4.4e6, p_at_least_plan=0.31) == (
        "We expect to book €4.1 m in FY26 Q4, 80 % range €3.7–4.6 m; plan €4.4 m: 31 % likely."
    )
    assert said(plan=NAN, p_at_least_plan=NAN).endswith("there is no plan to compare it with.")
    assert said(mean=NAN) == "We cannot say what we will book in FY26 Q4: too little is known to forecast it."
    assert "no forecast" in bookings_sentences.headline(None, company=EURO)


def test_the_headline_speaks_of_the_quarter_in_progress_or_the_first_month():
    months = forecast(target_period="2026-11", horizon=1)
    assert headline_row(months)["target_period"] == "2026-11"
    both = pd.concat([months, forecast(target_period="FY27 Q1", horizon=1), forecast()])
    assert headline_row(both)["target_period"] == "FY26 Q4"
    facts = bookings_sentences.headline_facts(headline_row(forecast(mean=NAN)), company=EURO)
    assert facts["mean"] is None
    assert facts["target_period"] == "FY26 Q4"


def segments(*gaps: float) -> pd.DataFrame:
    rows = pd.concat(
        [forecast(plan=10.0), *(forecast(segment=f"S{i}", mean=10 + g, plan=10.0) for i, g in enumerate(gaps))]
    )
    return segment_rows(rows)


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        ((), "Segments cannot be compared with a plan"),
        ((1.0,), "S0 is expected to reach plan"),
        ((1.0, 0.0), "Both segments are expected to reach plan"),
        ((-1.0,), "S0 is expected below plan, by €1"),
        ((-1.0, -2.0), "Both segments are below plan, S1 by €2"),
        ((1.0, -2.0), "Only S1 is expected below plan, by €2"),
        ((-3.0, -2.0, 5.0), "Two of three segments are below plan, S0 by €3"),
        ((NAN,), "Segments cannot be compared with a plan"),
    ],
)
def test_segments(gaps, told):
    assert segments_finding(segments(*gaps), company=EURO) == told


def waterfall(created: float, lost: float) -> pd.DataFrame:
    bars = [("start", 100.0, 3), ("created", created, int(created > 0)), ("won", 0.0, 1), ("lost", lost, int(lost < 0))]
    table = pd.DataFrame([*bars, ("end", 100 + created + lost, 3)], columns=["bar", "amount", "deals"])
    booked = [0.0, 0.0, 40.0, 0.0, 40.0]
    return table.assign(open_pipeline=0.0, booked=booked, since=pd.Timestamp("2026-09-30"), period="FY26 Q4")


def test_what_changed():
    grew = waterfall(50.0, -10.0)
    assert (
        changes.changes_finding(grew, company=EURO) == "Booked and open for FY26 Q4 grew by €40, mostly deals created"
    )
    shrank = waterfall(0.0, -10.0)
    assert changes.changes_finding(shrank, company=EURO).endswith("shrank by €10, mostly deals lost")
    assert changes.changes_finding(waterfall(0.0, 0.0), company=EURO) == "Nothing changed for FY26 Q4"
    assert changes.changes_sentence(shrank, company=EURO) == (
        "Since 30 September 2026, 1 deal was won (€40), no deals were created and 1 deal was lost (€10)."
    )
    nothing = grew.iloc[:0]
    sentence = changes.changes_sentence(nothing, company=EURO, notes=["there is no history"])
    assert sentence.startswith("What changed is not known: there is no")


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
    told = changes.attention(segments(-5.0).assign(p_at_least_plan=0.1), deals, company=EURO, as_of="2026-10-31")
    assert told[0].replace(T, " ") == "S0 is expected €5 below plan in FY26 Q4; reaching it is about 1 in 10 (10 %)."
    assert told[1] == "1 open deal (€10) is past the expected close date: give a new date or close."
    assert "slipped 3 times" in told[2]
    assert told[3] == "1 open deal has no expected close date."
    assert "Rep" not in " ".join(told)
    assert changes.attention(segments(), deals.iloc[:0], company=EURO, as_of="2026-10-31") == []


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
