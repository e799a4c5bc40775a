"""Identifiers of 15 and 18 characters, and rows that are there twice."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.sources.crm.values.ids import case_safe, one_form, without_repeats
from forecast.errors import DataError


def text(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="str")


def test_the_form_of_18_characters():
    # From the real export: the last three say which of the first fifteen are upper case.
    real = ["0015500000Xyy06AAB", "006q000000HddohAAB", "00537000003tmTnAAI", "0051G000007F2JGQA0"]
    assert case_safe(text(*[name[:15] for name in real])).tolist() == real
    assert case_safe(text("006A", None, real[0])).tolist()[0] == "006A"


def test_both_forms_are_one_identifier():
    long, short = text("006q000000HddohAAB"), text("006q000000Hddoh", "006q000000HdPzp")
    columns, note = one_form({"a": long, "b": short})
    assert columns["b"].tolist() == ["006q000000HddohAAB", "006q000000HdPzpAAF"]
    assert note.startswith("2 identifiers of 15 characters")
    columns, note = one_form({"b": short})
    assert columns["b"].tolist() == short.tolist()
    assert note == ""


def test_rows_that_are_there_twice():
    frame = pd.DataFrame({"Id": ["a", "b", "b", "c", "c"], "amount": ["1", "2", "2", "3", "4"]}, dtype="str")
    at = pd.Series(pd.to_datetime(["2026-01-01"] * 3 + ["2026-01-01", "2026-02-01"], utc=True))
    notes: list[str] = []
    out = without_repeats(frame, "Id", changed_at=at, table="t.csv", notes=notes)
    assert out["amount"].tolist() == ["1", "2", "4"]
    assert notes[0].startswith("t.csv: 1 row repeats another to the letter, one of each is kept: row 3 ('b')")
    assert notes[1].startswith("t.csv: 1 older rows of deals that are there twice are left out: row 4 ('c')")
    with pytest.raises(DataError, match="rows of one identifier differ"):
        without_repeats(frame, "Id", changed_at=None, table="t.csv", notes=[])
