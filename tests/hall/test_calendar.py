"""Periods and fiscal quarters: answers read off a printed calendar, properties, and bad input."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.calendar import (
    NAMED_BY,
    NO_PERIOD,
    PATTERNS,
    WEEKDAYS,
    YEAR_ENDS,
    Calendar,
    is_quarter,
    parse_period,
    parse_periods,
    period_label,
    period_labels,
)
from forecast.errors import ParameterError

PERIODS = st.integers(min_value=1990 * 12, max_value=2060 * 12)


def test_months_by_hand():
    calendar = Calendar()
    assert calendar.period_of(["2026-10-31", None, "2026-11-01"]).tolist() == [24321, NO_PERIOD, 24322]
    assert period_label(24321) == "2026-10"
    assert calendar.start(24321) == pd.Timestamp("2026-10-01")
    assert calendar.end(24321) == pd.Timestamp("2026-10-31")
    assert calendar.end(parse_period("2024-02")) == pd.Timestamp("2024-02-29")


@pytest.mark.parametrize(
    ("start", "month", "label", "position", "months"),
    [
        (1, "2026-10", "FY26 Q4", 0, ["2026-10", "2026-11", "2026-12"]),
        (2, "2026-01", "FY26 Q4", 2, ["2025-11", "2025-12", "2026-01"]),
        (4, "2026-03", "FY26 Q4", 2, ["2026-01", "2026-02", "2026-03"]),
        (4, "2026-04", "FY27 Q1", 0, ["2026-04", "2026-05", "2026-06"]),
        (10, "2026-10", "FY27 Q1", 0, ["2026-10", "2026-11", "2026-12"]),
    ],
)
def test_fiscal_quarters_by_hand(start: int, month: str, label: str, position: int, months: list[str]):
    calendar = Calendar(fiscal_year_start=start)
    period = parse_period(month)
    quarter = calendar.quarter_of(period)
    assert calendar.quarter_label(quarter) == label
    assert calendar.quarter_position(period) == position
    assert period_labels(calendar.quarter_periods(quarter)) == months


@pytest.mark.parametrize(
    ("settle_days", "settled"),
    [(0, 10), (1, 9), (7, 9), (31, 9), (32, 8), (45, 8), (61, 8), (62, 7), (90, 7), (92, 7), (93, 6), (123, 6)],
)
def test_the_last_settled_month_by_hand(settle_days: int, settled: int):
    # 31 October is 31 days after 30 September, 61 after 31 August, 92 after 31 July, 123 after 30 June.
    calendar, day = Calendar(), pd.Timestamp("2026-10-31")
    assert period_label(calendar.last_settled(day, settle_days=settle_days)) == f"2026-{settled:02d}"


@given(
    st.dates(dt.date(2000, 1, 1), dt.date(2050, 12, 31)),
    st.integers(min_value=0, max_value=366),
    st.sampled_from(sorted(PATTERNS)),
)
def test_the_last_settled_period_has_settled_and_the_next_has_not(day: dt.date, settle_days: int, pattern: str):
    calendar, as_of = Calendar(fiscal_year_start=2, pattern=pattern), pd.Timestamp(day)
    last = calendar.last_settled(as_of, settle_days=settle_days)
    assert calendar.settles_on(last, settle_days=settle_days) <= as_of
    assert calendar.settles_on(last + 1, settle_days=settle_days) > as_of


def test_retail_year_by_hand():
    # The Monday nearest 1 February 2023, a Wednesday, is 30 January; then 4, 5 and 4 weeks.
    calendar = Calendar(fiscal_year_start=2, pattern="4-5-4")
    assert calendar.start(parse_period("2023-02")) == pd.Timestamp("2023-01-30")
    assert calendar.start(parse_period("2023-03")) == pd.Timestamp("2023-02-27")
    assert calendar.start(parse_period("2023-04")) == pd.Timestamp("2023-04-03")
    assert calendar.start(parse_period("2023-05")) == pd.Timestamp("2023-05-01")


def test_retail_year_from_january_is_the_iso_year():
    # ISO 8601: week 1 is the week whose Monday is nearest 1 January; 2020 and 2026 have 53 weeks.
    calendar = Calendar(fiscal_year_start=1, pattern="4-4-5")
    for year in range(1995, 2045):
        assert calendar.start(year * 12).date() == dt.date.fromisocalendar(year, 1, 1)
    weeks = {year: (calendar.start(year * 12 + 12) - calendar.start(year * 12)).days // 7 for year in range(2019, 2028)}
    assert [year for year, number in weeks.items() if number == 53] == [2020, 2026]
    assert (calendar.start(2027 * 12) - calendar.start(2026 * 12 + 11)).days == 6 * 7  # December takes the week


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("start", [1, 2, 7])
@given(period=PERIODS)
def test_periods_tile_the_calendar(pattern: str, start: int, period: int):
    calendar = Calendar(fiscal_year_start=start, pattern=pattern)
    first, last = calendar.start(period), calendar.end(period)
    assert calendar.period_of([first, last]).tolist() == [period, period]
    assert calendar.period(last + pd.Timedelta(days=1)) == period + 1
    assert 27 <= (last - first).days <= 41
    assert period in calendar.quarter_periods(calendar.quarter_of(period))
    assert calendar.quarter_periods(calendar.quarter_of(period))[calendar.quarter_position(period)] == period


@given(period=PERIODS)
def test_labels_return(period: int):
    assert parse_period(period_label(period)) == period


def test_months_agree_with_pandas():
    days = pd.date_range("2019-12-25", "2027-01-10")
    ours = period_labels(Calendar().period_of(days))
    assert ours == [str(period) for period in days.to_period("M")]
    # pandas names a fiscal quarter after the year it ends in, as we do.
    quarters = days.to_period("Q-MAR")
    calendar = Calendar(fiscal_year_start=4)
    theirs = [f"FY{period.qyear % 100:02d} Q{period.quarter}" for period in quarters]
    assert [calendar.quarter_label(int(q)) for q in calendar.quarter_of(calendar.period_of(days))] == theirs


def test_arrays_of_periods_keep_their_shape():
    calendar = Calendar(fiscal_year_start=4)
    assert calendar.quarter_of(np.array([24321, 24322])).shape == (2,)
    assert parse_periods([]).shape == (0,)
    assert calendar.period_of([]).shape == (0,)


def test_a_date_may_be_a_month():
    calendar = Calendar()
    assert calendar.parse_day("2026-10") == pd.Timestamp("2026-10-31")
    assert calendar.parse_day("2026-10-30") == pd.Timestamp("2026-10-30")
    assert calendar.parse_day(pd.Timestamp("2026-10-30 17:00")) == pd.Timestamp("2026-10-30")


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-02-30", "31.10.2026", "", "October"])
def test_what_is_no_date_is_refused(text: str):
    with pytest.raises(ParameterError, match="is not a date"):
        Calendar().parse_day(text)


@pytest.mark.parametrize("text", ["2026-10-31", "2026-00", "26-10", ""])
def test_what_is_no_month_is_refused(text: str):
    with pytest.raises(ParameterError, match="is not a month"):
        parse_period(text)


def test_a_calendar_that_does_not_exist_is_refused():
    with pytest.raises(ParameterError, match="4-4-6"):
        Calendar(fiscal_year_start=1, pattern="4-4-6")
    with pytest.raises(ParameterError, match="13"):
        Calendar(fiscal_year_start=13)


def test_a_target_is_a_quarter_or_a_month():
    assert is_quarter(["2026-10", "FY26 Q3", "FY03 Q1", "2003-01"]).tolist() == [False, True, True, False]
    assert is_quarter([]).tolist() == []
    labels = pd.Series([Calendar(fiscal_year_start=4, pattern="4-4-5").quarter_label(8105), period_label(24300)])
    assert is_quarter(labels).tolist() == [True, False]


# -- weeks that start on any day, years that end and are named in other ways ---------------------------------

RETAIL_YEARS = {
    # Published first days of the National Retail Federation's 4-5-4 years, Sunday to Saturday, nearest 31 January.
    **{2006: "2006-01-29", 2007: "2007-02-04", 2008: "2008-02-03", 2009: "2009-02-01", 2010: "2010-01-31"},
    **{2011: "2011-01-30", 2012: "2012-01-29", 2013: "2013-02-03", 2014: "2014-02-02", 2015: "2015-02-01"},
    **{2016: "2016-01-31", 2017: "2017-01-29", 2018: "2018-02-04", 2019: "2019-02-03", 2020: "2020-02-02"},
    **{2021: "2021-01-31", 2022: "2022-01-30", 2023: "2023-01-29", 2024: "2024-02-04", 2025: "2025-02-02"},
    2026: "2026-02-01",
}


def test_the_published_retail_years():
    calendar = Calendar(fiscal_year_start=2, pattern="4-5-4", week_starts_on="sunday", year_named_by="start")
    for year, day in RETAIL_YEARS.items():
        first = parse_period(f"{year}-02")
        assert calendar.start(first) == pd.Timestamp(day)
        assert calendar.quarter_label(calendar.quarter_of(first)) == f"FY{year % 100:02d} Q1"
        assert calendar.quarter_label(calendar.quarter_of(first + 11)) == f"FY{year % 100:02d} Q4"
    weeks = {year: (calendar.start(year * 12 + 13) - calendar.start(year * 12 + 1)).days // 7 for year in RETAIL_YEARS}
    assert [year for year, number in weeks.items() if number == 53] == [2006, 2012, 2017, 2023]
    # 2024 month by month: February ends on 2 March, March has five weeks, January 2025 ends on 1 February.
    ends = [str(calendar.end(parse_period(f"2024-{month:02d}")).date()) for month in range(2, 13)]
    assert ends == [
        *("2024-03-02", "2024-04-06", "2024-05-04", "2024-06-01", "2024-07-06", "2024-08-03", "2024-08-31"),
        *("2024-10-05", "2024-11-02", "2024-11-30", "2025-01-04"),
    ]
    # In the 53-week year January takes the week.
    assert calendar.start(parse_period("2024-01")) == pd.Timestamp("2023-12-31")
    assert calendar.end(parse_period("2024-01")) == pd.Timestamp("2024-02-03")


def test_every_day_of_an_iso_year_of_weeks():
    calendar = Calendar(pattern="4-4-5")
    days = pd.date_range("2004-01-01", "2033-12-31")
    iso = days.isocalendar()
    month = np.minimum(np.searchsorted(np.cumsum([4, 4, 5] * 4), iso["week"].to_numpy(), side="left"), 11)
    assert (calendar.period_of(days) == iso["year"].to_numpy() * 12 + month).all()


@pytest.mark.parametrize(
    ("named", "day", "label"),
    [("end", "2026-03-31", "FY26 Q4"), ("start", "2026-03-31", "FY25 Q4"), ("start", "2026-04-01", "FY26 Q1")],
)
def test_a_year_named_by_its_end_or_start(named: str, day: str, label: str):
    calendar = Calendar(fiscal_year_start=4, year_named_by=named)
    quarter = calendar.quarter_of(calendar.period(day))
    assert calendar.quarter_label(quarter) == label
    assert calendar.period(day) in calendar.quarter_periods(quarter)
    assert calendar.first_day_of_year(day) == pd.Timestamp("2026-04-01" if day == "2026-04-01" else "2025-04-01")


def test_the_last_saturday_of_september():
    # A year of the kind of many manufacturers: Sunday to Saturday, ending on the last Saturday of September.
    calendar = Calendar(fiscal_year_start=10, pattern="5-4-4", week_starts_on="sunday", year_ends="last")
    ends = {year: str(calendar.end(parse_period(f"{year}-09")).date()) for year in range(2019, 2026)}
    days = {2019: 28, 2020: 26, 2021: 25, 2022: 24, 2023: 30, 2024: 28, 2025: 27}
    assert ends == {year: f"{year}-09-{day}" for year, day in days.items()}
    assert (calendar.start(parse_period("2023-10")) - calendar.start(parse_period("2022-10"))).days == 53 * 7


OWN = tuple((2025 * 12 + k, 20089 + 28 * k) for k in range(24))  # from 2025-01-01 in steps of four weeks
CALENDARS = st.one_of(
    st.builds(
        Calendar,
        fiscal_year_start=st.integers(1, 12),
        pattern=st.sampled_from(sorted(PATTERNS)),
        week_starts_on=st.sampled_from(WEEKDAYS),
        year_ends=st.sampled_from(YEAR_ENDS),
        year_named_by=st.sampled_from(NAMED_BY),
    ),
    st.builds(
        Calendar,
        fiscal_year_start=st.integers(1, 12),
        own=st.lists(st.integers(20, 45), min_size=11, max_size=40).map(
            lambda steps: tuple((24289 + k, 20000 + sum(steps[:k])) for k in range(len(steps) + 1))
        ),
    ),
)


@given(CALENDARS, st.dates(dt.date(1990, 1, 1), dt.date(2060, 12, 31)))
def test_every_day_is_in_one_period_and_every_quarter_has_three(calendar: Calendar, date: dt.date):
    day = pd.Timestamp(date)
    period = calendar.period(day)
    assert calendar.start(period) <= day <= calendar.end(period)
    assert calendar.end(period) + pd.Timedelta(days=1) == calendar.start(period + 1)
    assert calendar.period_of([calendar.start(period), calendar.end(period)]).tolist() == [period, period]
    quarter = calendar.quarter_of(period)
    periods = calendar.quarter_periods(quarter)
    assert [calendar.quarter_of(each) for each in periods] == [quarter] * 3
    assert [calendar.quarter_position(each) for each in periods] == [0, 1, 2]
    assert calendar.quarter_periods(quarter + 1)[0] == periods[-1] + 1
    year = calendar.first_day_of_year(day)
    assert year <= day
    assert calendar.quarter_position(calendar.period(year)) == 0
    assert calendar.quarter_of(calendar.period(year)) % 4 == 0
    if PATTERNS[calendar.pattern]:
        assert (calendar.start(period + 12) - calendar.start(period)).days in (52 * 7, 53 * 7)
        assert calendar.start(period).day_name().lower() == calendar.week_starts_on
        # The year ends in the month before the start month, or at most three days after it.
        end = year - pd.Timedelta(days=1)
        anchor = pd.Timestamp(year=(year + pd.Timedelta(days=7)).year, month=calendar.fiscal_year_start, day=1)
        late = (end - (anchor - pd.Timedelta(days=1))).days
        assert -6 <= late <= 0 if calendar.year_ends == "last" else -3 <= late <= 3


def test_own_periods_by_hand_and_beyond_their_ends():
    calendar = Calendar(own=OWN)
    assert calendar.start(parse_period("2025-02")) == pd.Timestamp("2025-01-29")
    assert calendar.end(parse_period("2026-12")) == calendar.start(parse_period("2027-01")) - pd.Timedelta(days=1)
    assert (calendar.start(parse_period("2030-06")) - calendar.start(parse_period("2026-12"))).days == 42 * 28
    assert calendar.end(parse_period("2024-12")) == pd.Timestamp("2024-12-31")
    # One year of months, whose last end the table does not tell: the year has 52 weeks.
    year = Calendar(own=(*OWN[:11], (2025 * 12 + 11, 20089 + 334)))
    assert (year.start(2026 * 12) - year.start(2025 * 12)).days == 364


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"week_starts_on": "sun"}, "week_starts_on: 'sun' is not one of monday"),
        ({"year_ends": "first"}, "year_ends: 'first' is not one of nearest, last"),
        ({"year_named_by": "middle"}, "year_named_by: 'middle' is not one of end, start"),
        ({"own": OWN[:11]}, "own periods"),
        ({"own": OWN[:12][::-1]}, "own periods"),
    ],
)
def test_calendars_that_do_not_exist(wrong: dict, message: str):
    with pytest.raises(ParameterError, match=message):
        Calendar(**wrong)


def test_a_column_of_labels_is_read_like_a_list_of_them():
    labels = ["2026-10", " 2025-01", "2026-10"]
    assert list(parse_periods(pd.Series(labels, dtype="str"))) == list(parse_periods(labels)) == [24321, 24300, 24321]
    assert parse_periods(pd.Series([], dtype="str")).shape == (0,)
    for wrong in (None, "2026-13"):
        with pytest.raises(ParameterError, match="is not a month"):
            parse_periods(pd.Series(["2026-10", wrong], dtype="str"))
