"""Files of segments: safe names, no two alike on any disk, whatever a company calls its segments."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from forecast.reporting.segments.names import file_names


def test_names_by_hand():
    found = file_names(["Zürich/Nord", "EMEA", "Emea", "Øst", "東京", "index", "CON", "x" * 300, "../../etc", " "])
    assert found["Zürich/Nord"] == "zurich-nord"
    assert re.fullmatch(r"emea-[0-9a-f]{8}", found["EMEA"])
    assert re.fullmatch(r"emea-[0-9a-f]{8}", found["Emea"])
    assert found["Øst"] == "st"
    assert re.fullmatch(r"segment-[0-9a-f]{8}", found["東京"])
    assert re.fullmatch(r"index-[0-9a-f]{8}", found["index"])
    assert re.fullmatch(r"con-[0-9a-f]{8}", found["CON"])
    assert len(found["x" * 300]) == 69
    assert found["../../etc"] == "etc"


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=30))
def test_they_are_safe_and_no_two_are_alike(segments: list[str]):
    found = file_names(segments)
    assert list(found) == segments
    assert len(set(found.values())) == len(segments)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,98}", name) for name in found.values())
    assert file_names(segments) == found


def test_a_name_that_looks_like_a_marked_one_is_not_taken_twice():
    marked = file_names(["EMEA", "Emea"])["EMEA"]
    found = file_names(["EMEA", "Emea", marked])
    assert len(set(found.values())) == 3
