"""Names that are not what they seem: slips of one letter, renames, wrong encodings; and what is none of these."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audited import finding, many
from forecast.data.audit import names
from forecast.data.audit.audit import audit
from forecast.data.audit.names import as_it_was, handovers, slips
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log


def found(log: Log) -> list[str]:
    return audit(log)["finding"].tolist()


@pytest.mark.parametrize(
    ("rare", "often", "is_slip"),
    [
        ("Norht", "North", True),  # two letters changed places
        ("Nort", "North", True),
        ("Northh", "North", True),
        ("Sauth Region", "South Region", True),
        ("East", "West", False),
        ("Region A", "Region B", False),
        ("Rep 001", "Rep 002", False),
        ("North East", "North West", False),
        ("North", "North West", False),
        ("Q1 Deal", "Q2 Deal", False),
    ],
)
def test_a_slip_is_one_letter_of_one_long_word(rare: str, often: str, is_slip: bool):
    assert slips({rare: 2, often: 500}) == ([(rare, often)] if is_slip else [])


def test_two_frequent_names_are_two():
    assert slips({"Anna Meyer": 90, "Anna Meier": 110}) == []


def test_thousands_of_names_are_no_trap():
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, (5000, 12)).astype("uint8")
    made = [bytes(row).decode() for row in letters]
    counts = {**dict.fromkeys(made, 100), made[7][:-1]: 1}
    assert slips(counts) == [(made[7][:-1], made[7])]


def test_a_slip_in_a_segment_changes_the_answer_and_in_an_owner_is_cosmetic():
    segment = np.where(np.arange(600) == 5, "Nroth", "North")
    owner = np.where(np.arange(600) == 9, "Bernd Keler", "Bernd Keller")
    table = audit(many(600, segment=segment, owner=owner)).set_index("column")
    table = table[table["finding"] == names.NEARLY_ALIKE]
    assert table["rank"].to_dict() == {"segment": "changes the answer", "owner": "cosmetic"}
    assert table.loc["segment", "evidence"] == "'Nroth' (1 row), 'North' (599 rows)"
    assert table.loc["segment", "mend"] == "write 'North' if 'Nroth' is a slip; leave it if the two are different"


def test_a_name_that_ends_where_another_begins_was_renamed():
    segment = np.where(np.arange(600) < 300, "Central", "Mid")
    segment[::2] = "North"
    renamed = finding(audit(many(600, segment=segment)), names.RENAMED)
    assert renamed["evidence"] == (
        "'Central' (150 rows) is last seen on 26 October 2024, 'Mid' (150 rows) first on 28 October 2024"
    )
    assert renamed["mend"].startswith("if the segment was renamed, write 'Mid' throughout")


def test_a_stage_renamed_midway_is_seen_in_history():
    frame = many(600).opportunities
    start = frame["created_on"].dt.tz_localize("UTC")
    stage = np.where(np.arange(600) < 300, "Offer", "Proposal")
    history = frame.assign(recorded_at=start, stage=stage)[
        ["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]
    ]
    table = audit(validate({"opportunities": frame, "opportunity_history": history}, Company()))
    renamed = finding(table, names.RENAMED)
    assert (renamed["table"], renamed["column"], renamed["count"]) == ("opportunity_history", "stage", 300)


def test_a_new_name_beside_old_ones_and_one_that_ends_alone_are_no_renames():
    days = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(600), unit="D"))
    for later, is_rename in ((300, True), (360, False)):  # two months between the two
        name = np.where(np.arange(600) < 300, "Old", np.where(np.arange(600) >= later, "New", "Else"))
        name[::3] = "Else"
        pairs = handovers(pd.Series(name, dtype="str"), days)
        assert bool(pairs) is is_rename, later
    rare = np.where((np.arange(600) < 300) & (np.arange(600) % 3 > 0), "Old", "Else")
    rare[300:600:12] = "New"  # an eighth as frequent
    assert not handovers(pd.Series(rare, dtype="str"), days)


def test_utf8_read_as_latin_letters():
    assert as_it_was("S\u00c3\u00bcd") == "Süd"
    assert as_it_was("Caf\u00c3\u00a9") == "Café"
    assert as_it_was("Ã") is None
    assert as_it_was("São Paulo") is None
    segment = np.where(np.arange(100) < 30, "S\u00c3\u00bcd", "Süd")
    broken = finding(audit(many(100, segment=segment)), names.WRONG_ENCODING)
    assert (broken["rank"], broken["count"]) == ("changes the answer", 30)
    assert broken["evidence"].endswith("'Süd', which is there too")
    alone = finding(audit(many(100, segment="S\u00c3\u00bcd")), names.WRONG_ENCODING)
    assert alone["rank"] == "cosmetic"


def test_a_name_of_megabytes_is_cut_where_it_is_quoted():
    long = np.where(np.arange(60) == 4, "x" * 1_000_000, "North")
    table = audit(many(60, segment=long))
    row = finding(table, names.VERY_LONG)
    assert row["evidence"] == "1 name, the longest of 1,000,000 characters"
    assert table.astype("str").map(len).to_numpy().max() < 2000
