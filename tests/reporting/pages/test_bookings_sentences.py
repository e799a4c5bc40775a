"""What the pages say of bookings: the headline, segments, what changed and what needs attention."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast import read, snapshot, sources
from forecast.data.audit.audit import audit
from forecast.data.audit.pipeline import PAST_DUE
from forecast.data.known.changes import BARS
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.judgement import coverage, judge
from forecast.reporting.explorer import deal_table
from forecast.reporting.pages.bookings import changes
from forecast.reporting.pages.bookings import sentences as bookings_sentences
from forecast.reporting.pages.bookings.prepare import headline_row, prepare_fan
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


def test_too_thin_a_company_is_told_why_in_one_line():
    notes = pd.DataFrame({"about": ["abstention"], "note": ["only 2 closed deals are known, at least 10 are."]})
    row = headline_row(forecast(mean=NAN, q10=NAN, q90=NAN), notes=notes)
    assert bookings_sentences.headline(row, company=EURO) == (
        "We cannot say what we will book in FY26 Q4: only 2 closed deals are known, at least 10 are."
    )
    assert bookings_sentences.headline_cards(row, {}, company=EURO) == []
    assert bookings_sentences.other_notes(notes) == []


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
        ((-1.0, -2.0), "Both segments are expected below plan, S1 by €2"),
        ((1.0, -2.0), "Only S1 is expected below plan, by €2"),
        ((-3.0, -2.0, 5.0), "Two of three segments are expected below plan, S0 by €3"),
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
    assert changes.changes_finding(grew, company=EURO) == (
        "Booked and open for FY26 Q4 grew by €40; the largest rise: deals created"
    )
    shrank = waterfall(0.0, -10.0)
    assert changes.changes_finding(shrank, company=EURO).endswith("shrank by €10; the largest fall: deals lost")
    assert changes.changes_finding(waterfall(0.0, 0.0), company=EURO) == "Nothing changed for FY26 Q4"
    assert changes.changes_sentence(shrank, company=EURO) == (
        "Since 30 September 2026, 1 deal of FY26 Q4 was won (€40), no deals created since are due in it and 1 deal "
        "that was due in it was lost (€10)."
    )
    slipped = grew.replace({"bar": {"created": "slipped in", "lost": "pushed out"}})
    assert changes.changes_finding(slipped, company=EURO).endswith(
        "; the largest rise: deals slipped in from an earlier quarter"
    )
    assert changes.changes_sentence(slipped, company=EURO) == (
        "Since 30 September 2026, 1 deal of FY26 Q4 was won (€40), 1 deal slipped into it from an earlier quarter, "
        "won since or still open "
        "(€50) and 1 deal was pushed out to a later quarter (€10)."
    )
    nothing = grew.iloc[:0]
    sentence = changes.changes_sentence(nothing, company=EURO, notes=["there is no history"])
    assert sentence == "Which deals came into the quarter and which left it is not known: there is no history."
    undated = pd.DataFrame({"expected_close_on": [pd.NaT, pd.NaT]})
    given = {"company": EURO, "notes": ["there is no history"], "row": {"mean": 1e6}}
    assert changes.changes_sentence(nothing, deals=undated, **given) == (
        "Which deals came into the quarter and which left it is not known: there is no history; nor is it known "
        "today, since expected_close_on is empty. Why the forecast itself moved is a question of the leader’s page."
    )
    dated = undated.assign(expected_close_on=[pd.Timestamp("2026-11-30"), pd.NaT])
    assert "empty" not in changes.changes_sentence(nothing, deals=dated, **given)
    assert "leader" not in changes.changes_sentence(nothing, deals=dated, **given | {"row": {"mean": NAN}})


def test_every_bar_has_its_words():
    inner = [bar for bar in BARS if bar not in ("start", "end")]
    assert set(inner) == set(changes.CHANGE_WORDS)
    assert set(inner) - {"won", "owner changed"} == set(changes.HAPPENED)


def open_deals(*rows: tuple[str, str | None, float, float]) -> pd.DataFrame:
    """Return deals: outcome, expected close, amount, slips."""
    table = pd.DataFrame(list(rows), columns=["outcome", "expected_close_on", "amount", "slips"])
    ids = [f"O{i}" for i in range(len(table))]
    table["expected_close_on"] = pd.to_datetime(table["expected_close_on"])
    return table.assign(opportunity_id=ids, owner="Rep 001", segment="S0", stage="Propose")


def looked_at(deals: int) -> pd.DataFrame:
    return pd.DataFrame({"opportunities": [deals], "open_deals": [deals]})


def plainly(sentences: list[str]) -> list[str]:
    return [sources.plain(sentence) for sentence in sentences]


def test_attention_names_no_owner_and_counts_right():
    deals = open_deals(
        ("open", "2026-10-01", 10.0, 3.0),
        ("open", "2026-10-31", 15.0, 0.0),  # due on the day itself: not past its date
        ("open", None, 20.0, 0.0),
        ("won", "2026-10-01", 30.0, 9.0),
    )
    found = changes.prepare_attention(deals, as_of=pd.Timestamp("2026-10-31"), looked_at=looked_at(3))
    told = plainly(changes.attention(segments(-5.0).assign(p_at_least_plan=0.1), found, company=EURO))
    assert told[0].replace(T, " ") == "Far below plan in FY26 Q4, with the chance of reaching it: S0 by €5 (10 %)."
    assert told[1] == "1 open deal (€10) is past the expected close date and needs a new one."
    record = pd.DataFrame({"past_due": ["yes", "no"], "deals": [155, 4334], "share_won": [0.85, 0.69]})
    often = plainly(changes.attention(segments(), found, company=EURO, overdue=record))[0].replace(T, " ")
    assert often == f"{told[1]} Of such deals a year or two ago 85 % were won since, of other open deals 69 %."
    few = record.assign(deals=[29, 4334])
    assert plainly(changes.attention(segments(), found, company=EURO, overdue=few))[0] == told[1]
    assert told[2].replace(T, " ") == "1 open deal (€10), 33 % of all open deals, has slipped three times or more."
    assert told[3] == "1 open deal (€20) has no expected close date."
    assert "Rep" not in " ".join(told)
    listed = changes.attention_deals(found, company=EURO)
    assert "Rep" not in listed._repr_html_()
    assert [sources.plain(line) for line, _ in listed.parts] == [
        "Past the expected close date: 1 open deal",
        "Slipped three times or more: 1 open deal",
        "No expected close date: 1 open deal",
    ]
    none = changes.prepare_attention(deals.iloc[:0], as_of=pd.Timestamp("2026-10-31"), looked_at=looked_at(0))
    assert changes.attention(segments(), none, company=EURO) == []  # nothing that could be looked at


def test_attention_begins_with_alarms_and_may_tell_no_chance():
    none = changes.prepare_attention(open_deals(), as_of=pd.Timestamp("2026-10-31"), looked_at=looked_at(0))
    far = segments(-5.0, -7.0, 1.0).assign(p_at_least_plan=0.1)[::-1]
    told = plainly(changes.attention(far, none, company=EURO, alarms=["An alarm."], chances=False))
    assert told == ["An alarm.", "Far below plan in FY26 Q4, by the model: S1 by €7 and S0 by €5."], "most money first"
    assert changes.attention(segments(1.0), none, company=EURO, alarms=["An alarm."]) == ["An alarm."]


def test_nothing_stands_out_only_of_what_can_be_looked_at():
    as_of = pd.Timestamp("2026-10-31")
    dated = changes.prepare_attention(open_deals(("open", "2026-12-01", 1.0, 0.0)), as_of=as_of, looked_at=looked_at(1))
    told = changes.attention(segments(1.0).assign(p_at_least_plan=0.6), dated, company=EURO)
    assert told == [
        "Nothing stands out: there are no segments far below plan, deals past their expected close date or deals that "
        "slipped three times or more."
    ]
    no_history = changes.prepare_attention(
        open_deals(("open", "2026-12-01", 1.0, NAN)), as_of=as_of, looked_at=looked_at(1)
    )
    told = changes.attention(segments(1.0), no_history, company=EURO)
    assert told == ["Nothing stands out: there are no deals past their expected close date."]


def test_a_segment_above_its_plan_needs_no_attention_whatever_its_chance():
    none = changes.prepare_attention(open_deals(), as_of=pd.Timestamp("2026-10-31"), looked_at=looked_at(0))
    told = changes.attention(segments(5.0).assign(p_at_least_plan=0.1), none, company=EURO)
    assert told == ["Nothing stands out: there are no segments far below plan."]


def test_a_deal_without_an_amount_is_not_taken_for_nothing():
    past = "2026-10-01"
    deals = open_deals(("open", past, 10.0, 0.0), ("open", past, NAN, 0.0))
    found = changes.prepare_attention(deals, as_of=pd.Timestamp("2026-10-31"), looked_at=looked_at(2))
    (told,) = plainly(changes.attention(segments(), found, company=EURO))
    assert told.startswith("2 open deals (€10 and one without an amount) are past")
    unknown = changes.prepare_attention(deals.iloc[1:], as_of=pd.Timestamp("2026-10-31"), looked_at=looked_at(1))
    (told,) = plainly(changes.attention(segments(), unknown, company=EURO))
    assert told.startswith("1 open deal without an amount is past the expected close date")
    shown = changes.attention_deals(found, company=EURO)._repr_html_()
    assert "€0" not in shown
    assert ">–<" in shown


def test_where_no_deal_has_a_date_none_is_said_to_lack_one():
    found = changes.prepare_attention(
        open_deals(("open", None, 1.0, NAN)), as_of=pd.Timestamp("2026-10-31"), looked_at=looked_at(1)
    )
    assert changes.attention(segments(), found, company=EURO) == []


def test_the_page_and_the_audit_count_the_same_deals_past_their_date(sample: Path):
    log = read(sample)
    snap = snapshot(log, as_of="2026-10-31")
    table = audit(log, as_of="2026-10-31")
    due_today = (snap.opportunities["expected_close_on"] == snap.as_of) & (snap.opportunities["outcome"] == "open")
    assert due_today.any()
    (counted,) = table.loc[table["finding"] == PAST_DUE, "count"]
    found = changes.prepare_attention(snap.opportunities, as_of=snap.as_of, looked_at=looked_at(1))
    assert len(found.past_due) == counted
    open_deals = snap.opportunities[snap.opportunities["outcome"] == "open"].assign(expected_amount=0.0)
    by_month = deal_table.by_month(open_deals, snap, months=6).set_index("month")["deals"]
    assert by_month["overdue"] == counted
    assert by_month["2026-10"] == due_today.sum()


def test_a_quarter_s_range_says_how_many_of_quarters_held_and_nothing_of_months():
    row, months = headline_row(forecast()), judge({"ranges total": coverage([1.0] * 40, range(40), nominal=0.8)})

    def note(judged=months, **more):
        card = bookings_sentences.headline_cards(row, judged, company=EURO, **more)[1]
        assert card[:2] == (f"80{T}% range", f"€3.7–4.6{T}m")
        return card[2]

    held = "given one month into a quarter, 7 of 8 held"
    assert "Booked already" in [card[0] for card in bookings_sentences.headline_cards(row, {}, company=EURO)]
    assert note(quarters=held) == held
    assert note() == note({}) == "no past quarter to check it by"
    assert note(alarm=True, quarters=held) == "an alarm speaks against it"


@pytest.mark.parametrize(
    ("held", "note"),
    [
        ([], "not yet checked"),
        ([1.0], "1 of 1 past ones held"),
        ([1.0, 1.0, 1.0, 1.0, 0.0] * 40, "four of five such months should end inside"),
        ([1.0, 1.0, 1.0, 1.0, 0.0] * 5, "20 of 25 past ones held"),
        ([1.0] * 40, "40 of 40 past ones held: more often than promised, so they are too wide"),
        ([1.0, 0.0] * 12, "12 of 24 past ones held: less often than promised, so they are too narrow"),
    ],
)
def test_a_month_s_range_promises_only_what_past_ones_were_checked_for(held, note):
    judged = judge({"ranges total": coverage(held, range(len(held)), nominal=0.8)})
    row = headline_row(forecast(target_period="2026-11", horizon=1, booked=0.0))
    cards = bookings_sentences.headline_cards(row, judged, company=EURO)
    assert cards[1][2] == note
    assert "Booked already" not in [card[0] for card in cards]  # it has not begun


def months(*ranges: tuple[float, float, float]) -> pd.DataFrame:
    """Months from December 2026 on; a range is low, mean and high, in millions."""
    names = [str(period) for period in pd.period_range("2026-12", periods=len(ranges), freq="M")]
    rows = [{"mean": mean * 1e6, "q10": low * 1e6, "q90": high * 1e6} for low, mean, high in ranges]
    return pd.DataFrame(rows).assign(target_period=names)


NEAR = "; their ranges overlap"


@pytest.mark.parametrize(
    ("ranges", "title"),
    [
        # .8 apart; of the ranges sqrt(.3^2 + .4^2) = .5 is left open
        ([(1.7, 2.0, 2.3), (0.8, 1.2, 1.6)], "December 2026 should bring the most, €2 m"),
        # .4 apart, less than the .5 that is left open
        (
            [(1.7, 2.0, 2.3), (1.2, 1.6, 2.0)],
            "Dec and Jan should bring most, €1.6–2.0 m each" + NEAR,
        ),
        (
            [(1.7, 2.0, 2.3), (1.2, 1.6, 2.0), (0.1, 0.2, 0.3)],
            "Dec and Jan should bring most, €1.6–2.0 m each" + NEAR,
        ),
        (
            [(0.5, 2.0, 3.5)] * 3 + [(0.5, 1.5, 2.5), (0.0, 0.1, 0.1)],
            "Four of five months should bring €1.5–2.0 m each" + NEAR,
        ),
        (
            [(0.5, 2.0, 3.5)] * 4,
            "All four months should bring €2 m each" + NEAR,
        ),
        ([(0.5, 2.0, 3.5)], "December 2026 should bring €2 m"),
        ([(NAN, NAN, NAN)], "The months ahead cannot be forecast"),
        # where no range is known no month is ranked
        (
            [(NAN, 2.0, NAN), (NAN, 0.1, NAN)],
            "Dec and Jan should bring most, €0.1–2.0 m each; too near to rank",
        ),
    ],
)
def test_a_month_should_bring_the_most_only_where_the_ranges_leave_no_doubt(ranges, title):
    assert bookings_sentences.months_finding(months(*ranges), company=EURO).replace(T, " ") == title


def test_the_interval_of_a_difference_is_that_of_two_normal_months():
    # of two independent normal months the 80 % interval of the difference is 1.2816 sqrt(s^2 + t^2) to either side
    s, t, z = 0.3, 0.4, 1.2815515655446004
    for apart, ahead in ((z * 0.5 + 1e-9, 1), (z * 0.5 - 1e-9, 2)):
        first, second = (5.0 - z * s, 5.0, 5.0 + z * s), (5.0 - apart - z * t, 5.0 - apart, 5.0 - apart + z * t)
        assert len(bookings_sentences.leaders(months(first, second))) == ahead
    same = months((1.0, 2.0, 3.0), (1.0, 2.0, 3.0))
    before = same.copy()
    bookings_sentences.leaders(same)
    pd.testing.assert_frame_equal(same, before)


def test_where_no_month_is_forecast_nothing_is_said_of_its_parts():
    none = months((NAN, NAN, NAN)).assign(not_yet_created=NAN)
    told = bookings_sentences.addends_finding(none)
    assert told == "What the months ahead will consist of cannot be said"
    assert bookings_sentences.addends_finding(none.iloc[:0]) == told
    assert bookings_sentences.NO_ADDENDS not in told
    assert bookings_sentences.addends_finding(months((0.0, 0.0, 0.0))) == "The parts of the forecast"


def test_a_month_far_off_the_record_is_told_with_both_numbers():
    past = pd.DataFrame({"period": [f"2026-{m:02d}" for m in range(5, 12)], "segment": "Total", "amount": 1e6})
    ahead = forecast(target_period="2026-12", horizon=1, booked=0.0)

    def told(mean: float, months: pd.DataFrame = past, period: str = "2026-12") -> list[str]:
        fan = prepare_fan(ahead.assign(mean=mean), actuals=months, company=EURO)
        return [sources.plain(text) for text in bookings_sentences.beyond_the_record(fan, period)]

    begins = f"December 2026 is expected to bring €{{}}{T}{{}}; no month since May 2026 brought {{}} than €1{T}m."
    assert told(0.49e6) == [begins.format(490, "k", "less")]
    assert told(2.01e6) == [begins.format(2.01, "m", "more")]
    assert told(0.49e6, period="FY26 Q4") == told(0.49e6)  # the quarter that holds it
    assert told(0.49e6, period="FY27 Q1") == told(0.51e6) == told(1.99e6) == told(0.49e6, past.tail(5)) == []
