"""Numbers in words: right at zero, one, many, negative and unknown."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast import wording
from forecast.data.schema import Company

T, M = wording.THIN, wording.MINUS
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
    assert wording.share(3, 40) == f"8{T}%"
    assert wording.share(0, 0) == "unknown"
    assert wording.points(0.01) == "+1 percentage point"
    assert wording.points(-0.07) == f"{M}7 percentage points"
    assert [wording.in_points(value) for value in (0.05, -0.11, 0.001, math.inf, NAN, None)] == [
        "+5",
        f"{M}11",
        "0",
        "unbounded",
        "–",
        "–",
    ]
    assert wording.in_points(-0.0012, digits=1) == f"{M}0.1"


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.31, f"about 3 in 10 (31{T}%)"),
        (0.7, f"about 7 in 10 (70{T}%)"),
        (0.15, f"about 1 in 7 (15{T}%)"),
        (0.5, f"about even (50{T}%)"),
        (0.0, f"very unlikely (less than 1{T}%)"),
        (1.0, f"almost certain (more than 99{T}%)"),
        (None, "unknown"),
    ],
)
def test_odds(p, said):
    assert wording.odds(p) == said


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.314, "31 of 100"),
        (1.0, "100 of 100"),
        (0.01, "1 of 100"),
        (0.0012, "12 of 10,000"),
        (1e-9, "1 of 10,000"),
        (NAN, "unknown"),
    ],
)
def test_cases(p, said):
    assert wording.cases(p) == said


@pytest.mark.parametrize(
    ("p", "draws", "said"),
    [
        (0.001, 1_000, "at most 1 of 1,000"),
        (0.0001, 10_000, "at most 1 of 10,000"),
        (0.002, 1_000, "20 of 10,000"),
        (0.05, 20, "5 of 100"),
        (0.25, 10_000, "25 of 100"),
        (0.0012, 0, "12 of 10,000"),
    ],
)
def test_cases_that_are_as_few_as_the_draws_allow(p, draws, said):
    assert wording.cases(p, draws=draws) == said
    assert wording.rounded([p], f"cases;draws={draws}" if draws else "cases") == said


def test_decimals_that_every_share_of_a_column_has():
    assert [wording.percent(v, places=1) for v in (0.2422, 0.0003, -0.002, NAN)] == [
        f"24.2{wording.THIN}%",
        f"0.0{wording.THIN}%",
        f"{wording.MINUS}0.2{wording.THIN}%",
        "unknown",
    ]
    assert wording.moved(0.17, -0.0001, sign=True, places=1) == f"+17.0{wording.THIN}→{wording.THIN}0.0{wording.THIN}%"
    assert wording.points(-0.0806, digits=1) == f"{wording.MINUS}8.1 percentage points"


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


def test_counts_of_two_and_lead_times():
    assert wording.counts(1_184, 48) == f"1,184{T}→{T}48"
    assert wording.held(0.8260869565217391, 23) == "19 of 23"
    assert (wording.ahead(0), wording.ahead(1)) == ("in the month itself", "one month ahead")
    assert wording.ahead(2) == "2 months ahead"
    assert wording.leads(1, 1) == "one month ahead"
    assert wording.leads(1, 2) == "1 and 2 months ahead"
    assert wording.leads(2, 6) == "2 to 6 months ahead"
    assert wording.percents(-0.9, -0.4) == f"40–90{T}%"
    assert wording.percents(0.401, 0.399) == f"40{T}%"
    assert wording.percents(0.025, 0.0338) == f"2.5–3.4{T}%"  # whole, both would be 3 %
    assert wording.percents(0.03, 0.03) == f"3{T}%"
    assert wording.percents(0.04, 0.052) == f"4–5{T}%"
    assert wording.gap(-0.231) == "23 percentage points"
    assert wording.gap(0.004, short=True) == "under 1 point"


def test_dates_and_names():
    assert wording.month("2026-10") == "October 2026"
    assert wording.month("FY26 Q4") == "FY26 Q4"
    assert wording.day(pd.Timestamp("2026-10-01")) == "1 October 2026"
    assert wording.day(pd.NaT) == "unknown"
    assert wording.label("a\u202eb\x00c\n d") == "abc d"
    assert wording.label("x" * 500, most=10) == "x" * 9 + "…"
    assert wording.label(None) == "unknown"


def test_factors_are_not_parted_from_what_they_speak_for():
    assert wording.factors("in Negotiation (for); large amount (against)") == (
        "in Negotiation\u00a0(for); large amount\u00a0(against)"
    )
    assert wording.factors("") == ""
    assert wording.factors("too few closed deals to tell") == "too few closed deals to tell"


def test_the_source_of_a_chart_names_no_table_that_may_not_be_there():
    source = wording.source(Company(name="C"), "2026-10-31")
    assert source == "Source: C, its own tables, as known on 31 October 2026."


def test_what_is_not_all_is_not_a_hundred_per_cent():
    assert [wording.percent(value) for value in (0.9944, 0.9966, 0.9999, 1.0, 1.0 - 1e-12, 1.004)] == [
        f"{text}{wording.THIN}%" for text in ("99", "99.6", "99.9", "100", "100", "100")
    ]
    assert wording.whole(0.997) == f"100{wording.THIN}%"  # a column of whole ones


def test_an_amount_next_to_nothing_has_no_digits():
    assert wording.money(1.4, currency="EUR", least=100.0) == "under €100"
    assert wording.money(0.0, currency="EUR", least=100.0) == "€0"
    assert wording.money(100.0, currency="EUR", least=100.0) == "€100"
