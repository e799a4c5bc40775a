"""What records show of themselves: ten lines at most, and markup is only ever text."""

from __future__ import annotations

import pandas as pd
import pytest

import forecast
from forecast.display import LINES, WIDTH, as_html, as_text, counted, named
from forecast.errors import ParameterError, expect


@pytest.mark.parametrize("facts", [0, 1, 5, 9, 30])
@pytest.mark.parametrize("words", [1, 20, 400])
def test_text_is_ten_lines_at_most(facts, words):
    text = as_text("Title " * words, {f"fact {number}": "word " * words for number in range(facts)})
    lines = text.splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH
    for number in range(min(facts, LINES - 1)):
        assert f"fact {number}" in text


def test_what_is_empty_is_left_out():
    assert as_text("Log", {"a": "1", "b": ""}) == "Log\n  a  1"


def test_markup_is_text():
    html = as_html("<script>", {"<b>": "a & b", "empty": ""})
    assert "<script>" not in html
    assert "<b>" not in html
    assert "a &amp; b" in html
    assert "empty" not in html


def test_tables_and_names_are_counted():
    assert counted({"leads": pd.DataFrame({"a": range(1200)}), "plan": None}) == "leads 1,200"
    assert named(["a", "b"]) == "2: a, b"
    assert named(list("abcdefgh"), most=3) == "8: a, b, c, …"
    assert named([]) == "none"


def test_a_log_and_a_snapshot_say_what_is_in_them(root):
    log = forecast.read(root / "data" / "sample")
    snap = forecast.snapshot(log, as_of="2025-06-30")
    for record, said in ((log, "21,408"), (snap, "Snapshot of Sample Company on 2025-06-30")):
        text = repr(record)
        assert said in text
        assert len(text.splitlines()) <= LINES
        assert said in record._repr_html_()


def test_what_is_no_snapshot_is_refused_with_the_call_to_make(root):
    log = forecast.read(root / "data" / "sample")
    for call in (forecast.win_probabilities, forecast.forecast_bookings):
        with pytest.raises(ParameterError, match=r"not a Log; give a snapshot: forecast\.snapshot\(log, as_of=…\)"):
            call(log)
    with pytest.raises(ParameterError, match="snapshot takes a Log, not a str"):
        forecast.snapshot("data/sample", as_of="2025-06-30")
    expect({}, dict, call="any", mend="nothing")
