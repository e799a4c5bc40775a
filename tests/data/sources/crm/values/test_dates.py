"""Dates as exports write them: by hand in each form, and what is refused."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.sources.crm.values.dates import days, local_days, moments
from forecast.data.sources.crm.values.reading import Reading
from forecast.errors import DataError


def lines(values: list[str | None]) -> pd.Series:
    """Return a column of a file whose rows begin on line 2."""
    return pd.Series(values, dtype="str", index=pd.RangeIndex(2, len(values) + 2, name="line"))


def reading(timezone: str = "UTC", **more: object) -> Reading:
    return Reading(table="t.csv", timezone=timezone, **more)  # type: ignore[arg-type]


def told(values: list[str | None], by: Reading | None = None, *, timed: bool = False) -> list[str | None]:
    given = lines(values)
    out = days(given, by or reading(), column="c", timed=timed).dt.strftime("%Y-%m-%d")
    return [None if pd.isna(day) else day for day in out]


def at(values: list[str | None], by: Reading | None = None) -> list[str | None]:
    out = moments(lines(values), by or reading(), column="c").dt.strftime("%Y-%m-%dT%H:%M:%S")
    return [None if pd.isna(moment) else moment for moment in out]


FORMS = [
    "2026-10-31",
    "2026/10/31",
    "31/10/2026",
    "31/10/26",
    "31.10.2026",
    "31. 10. 2026",
    "31-10-2026",
    "10/31/2026",
    "Oct 31, 2026",
    "October 31, 2026",
    "Sat, Oct 31, 2026",
    "31-Oct-2026",
    "31-Oct-26",
    "31 October 2026",
    "31. Oktober 2026",
    "31 oct. 2026",
    "20261031",
    "1793404800000",
    "2026-10-31T00:00:00.000Z",
    "2026-10-31 00:00:00 UTC",
]


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_one_day(text: str):
    assert told([text, None, "null", "-"]) == ["2026-10-31", None, None, None]


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-31T23:30:00.000+0000",
        "2026-10-31T23:30:00Z",
        "2026-10-31 23:30:00 UTC",
        "2026-11-01T00:30:00+01:00",
        "2026-10-31 23:30:00 +0000 UTC",
        "2026-10-31 23:30",
        "31/10/2026 23:30",
        "31/10/2026, 23:30:00",
        "10/31/2026 11:30 PM",
        "31/10/2026 11:30 p.m.",
        "Oct 31, 2026 11:30 PM",
        "October 31, 2026 at 11:30 PM",
        "1793489400000",
        "1793489400",
        "1793489400000.0",
    ],
)
def test_every_form_of_one_moment(text: str):
    assert at([text, None]) == ["2026-10-31T23:30:00", None]


def test_midnight_and_noon_with_am_and_pm():
    assert at(["10/31/2026 12:05 AM", "10/31/2026 12:05 PM"]) == ["2026-10-31T00:05:00", "2026-10-31T12:05:00"]


def test_the_order_is_decided_by_a_day_over_12_and_said():
    by = reading()
    assert told(["03/04/2026", "25/04/2026"], by) == ["2026-04-03", "2026-04-25"]
    assert by.notes == ["t.csv.c: read with the day first, as line 3 ('25/04/2026') shows"]
    assert told(["03/04/2026", "04/25/2026"]) == ["2026-03-04", "2026-04-25"]


def test_another_column_of_the_file_bears_witness():
    frame = pd.DataFrame({"a": ["03/04/2026"], "b": ["25/04/2026 08:00"]}, dtype="str")
    by = reading(frame=frame)
    assert told(["03/04/2026"], by) == ["2026-04-03"]
    assert by.notes == ["t.csv.c: read with the day first, as in b of the same file"]
    both = pd.DataFrame({"a": ["25/04/2026"], "b": ["04/25/2026"]}, dtype="str")
    with pytest.raises(DataError, match="cannot be told apart"):
        told(["03/04/2026"], reading(frame=both))


def test_an_order_nobody_shows_is_refused_with_both_readings_and_the_option():
    with pytest.raises(DataError) as refused:
        told(["03/04/2026", "05/06/2026"])
    text = str(refused.value)
    assert "t.csv.c: no value has a day over 12" in text
    assert "'03/04/2026' is 2026-04-03 or 2026-03-04" in text
    assert "line 2 ('03/04/2026'), line 3 ('05/06/2026')" in text
    assert "--dates dmy (day first) or --dates mdy (month first)" in text
    assert told(["03/04/2026"], reading(order="dmy")) == ["2026-04-03"]
    assert told(["03/04/2026"], reading(order="mdy")) == ["2026-03-04"]


@pytest.mark.parametrize(
    ("values", "order", "message"),
    [
        (["25/04/2026", "04/25/2026"], None, "some values have the day first, others the month"),
        (["25/04/2026"], "mdy", "do not fit --dates mdy"),
        (["04/25/2026"], "dmy", "do not fit --dates dmy"),
        (["04/05/2026"], "iso", "do not fit --dates iso"),
        (["31/02/2026"], None, "values are no dates"),
        (["25/13/2026"], None, "values are no dates"),
        (["2026-02-30"], None, "values are no dates"),
        (["soon"], None, "values are no dates"),
        (["31 Foo 2026"], None, "values are no dates"),
        (["46326"], None, "a spreadsheet's day numbers"),
        (["1.79E+12"], None, "values are no dates"),
        (["10/31/2026 13:00 PM"], None, "values are no dates"),
        (["26/01/05", "26/02/17"], None, "which number is the year"),
    ],
)
def test_refusals(values: list[str], order: str | None, message: str):
    with pytest.raises(DataError, match=message):
        told(values, reading(order=order))
    with pytest.raises(DataError, match=message):
        at(values, reading(order=order))


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Tokyo", "Pacific/Kiritimati", "UTC"])
@pytest.mark.parametrize(
    "text", ["2026-10-01T00:00:00.000Z", "2026-10-01 00:00:00+00:00", "2026-10-01 00:00:00 UTC", "2026-10-01 00:00:00"]
)
def test_a_date_written_as_midnight_stays_that_date(zone: str, text: str):
    assert told([text], reading(zone)) == ["2026-10-01"]
    assert told([text, "2026-10-02"], reading(zone)) == ["2026-10-01", "2026-10-02"]
    assert told([text], reading(zone), timed=True) == ["2026-10-01"]


def test_a_field_with_times_is_converted_where_one_is_not_midnight():
    values = ["2026-10-01T00:00:00Z", "2026-10-02T03:00:00Z"]
    assert told(values, reading("America/New_York"), timed=True) == ["2026-09-30", "2026-10-01"]
    assert told(values, reading("America/New_York")) == ["2026-10-01", "2026-10-01"]


def test_a_month_ends_in_the_companys_timezone():
    assert told(["2026-09-30T22:30:00.000Z"], reading("Europe/Berlin"), timed=True) == ["2026-10-01"]
    assert at(["2026-10-31 23:30"], reading("America/New_York")) == ["2026-11-01T03:30:00"]
    assert told(["2026-10-31 23:30"], reading("America/New_York"), timed=True) == ["2026-10-31"]


def test_times_without_an_offset_are_local_but_a_connectors_are_utc():
    by = reading("Europe/Berlin")
    assert at(["2026-07-01 08:00:00"], by) == ["2026-07-01T06:00:00"]
    assert by.notes == ["t.csv.c: times without an offset are read in Europe/Berlin: the company's local time"]
    frame = pd.DataFrame({"_fivetran_synced": ["2026-07-01 08:00:00"]}, dtype="str")
    by = reading("Europe/Berlin", frame=frame)
    assert at(["2026-07-01 08:00:00"], by) == ["2026-07-01T08:00:00"]
    assert "a connector's tables are in UTC" in by.notes[0]


def test_the_hours_that_come_twice_and_never():
    by = reading("Europe/Berlin")
    assert at(["2026-10-25 02:30", "2026-03-29 02:30"], by) == ["2026-10-25T00:30:00", "2026-03-29T01:00:00"]
    assert any("1 time lies in the hour that comes twice" in note for note in by.notes)
    assert any("1 time lies in the hour skipped" in note for note in by.notes)


def test_words_for_nothing_are_counted():
    by = reading()
    assert told(["null", "N/A", "2026-10-31", "null"], by) == [None, None, "2026-10-31", None]
    assert by.notes == ["t.csv.c: 3 values are 'null', 'N/A': read as empty"]


def test_typed_columns_and_local_days():
    given = pd.Series(pd.to_datetime(["2026-10-31 23:30", None]))
    assert days(given, reading("America/New_York"), column="c", timed=True).dt.day.tolist()[0] == 31
    aware = pd.Series(pd.to_datetime(["2026-10-31 23:30"])).dt.tz_localize("UTC")
    assert local_days(moments(aware, reading(), column="c"), "Asia/Tokyo").dt.day.tolist() == [1]


# -- zones by their names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "timezone", "utc"),
    [
        ("2026-10-25 02:30:00 CEST", "Europe/Berlin", "2026-10-25T00:30:00"),
        ("2026-10-25 02:30:00 CET", "Europe/Berlin", "2026-10-25T01:30:00"),
        ("10/25/2026 2:30 PM EDT", "UTC", "2026-10-25T18:30:00"),
        ("2026-10-25 02:30 CST", "America/Chicago", "2026-10-25T08:30:00"),
        ("2026-10-25 02:30 CST", "Asia/Shanghai", "2026-10-24T18:30:00"),
        ("Sun Oct 25 02:30:00 CET 2026", "UTC", "2026-10-25T01:30:00"),
        ("25.10.2026 02:30 MESZ", "UTC", "2026-10-25T00:30:00"),
    ],
)
def test_a_zone_by_its_name_is_read_where_it_is_one_zone(text: str, timezone: str, utc: str):
    assert at([text], reading(timezone)) == [utc]


def test_the_companys_day_of_a_time_in_a_named_zone():
    assert told(["2026-07-01 23:30:00 CEST"], reading("Europe/Berlin"), timed=True) == ["2026-07-01"]


@pytest.mark.parametrize("name", ["CST", "IST", "ABC"])
def test_a_zone_that_may_be_several_is_refused_by_name(name: str):
    with pytest.raises(DataError, match=rf"times in {name} cannot be read: {name} is .*\n.*line 3") as found:
        at(["2026-10-25 02:30 UTC", f"2026-10-25 02:30 {name}"], reading("Europe/Berlin"))
    assert "timezone in company.toml" in str(found.value)
