"""Notes that differ in the column alone are said once."""

from __future__ import annotations

from forecast.data.sources.crm.notes import gathered

LOCAL = "times without an offset are read in UTC: the company's local time"


def test_columns_of_one_file_are_said_together_where_the_first_stood():
    notes = ["first", f"a.csv.Opened: {LOCAL}", "between", f"a.csv.Closed at: {LOCAL}", f"a.csv.Changed: {LOCAL}"]
    assert gathered(notes) == ["first", f"a.csv.Opened, Closed at, Changed: {LOCAL}", "between"]


def test_columns_of_two_files_keep_the_names_of_theirs():
    assert gathered([f"a.csv.On: {LOCAL}", f"b.csv.On: {LOCAL}"]) == [f"a.csv.On, b.csv.On: {LOCAL}"]


def test_one_column_stays_as_it_is_and_other_zones_are_told_apart():
    other = "times without an offset are read in UTC: a connector's tables are in UTC"
    assert gathered([f"a.csv.On: {LOCAL}", f"b.csv.On: {other}"]) == [f"a.csv.On: {LOCAL}", f"b.csv.On: {other}"]


def test_nothing_else_is_touched_but_a_note_said_twice():
    assert gathered(["a: b", "c", "a: b"]) == ["a: b", "c"]
    assert gathered([]) == []
