"""What a file of an export may be called, and the day in its name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast.data.sources.crm.importing import read_export
from forecast.data.sources.crm.values.names import day_in, stems_of
from forecast.errors import DataError

DEALS = "Record ID,Deal Stage,Close Date,Create Date,Amount\n1,Closed Won,2026-09-10,2026-07-01,100\n"


@pytest.mark.parametrize(
    ("stem", "day"),
    [
        ("hubspot-crm-exports-all-deals-2026-10-31", "2026-10-31"),
        ("hubspot-crm-exports-my-view-2024-08-27-1", "2024-08-27"),
        ("hubspot-crm-exports-q3-2024-05-09 (1)", "2024-05-09"),
        ("opportunity_20261031", "2026-10-31"),
        ("My Open Opportunities 10-31-2026 3-15-22 PM", "2026-10-31"),
        ("Alle Verkaufschancen 31.10.2026 15-15-22", "2026-10-31"),
        ("All Opportunities 11-11-2026 9-05-00 AM", "2026-11-11"),
        ("All Opportunities 10-11-2026 9-05-00 AM", None),
        ("deals-2026-13-45", None),
        ("deals", None),
        ("deal_pipeline_stage", None),
    ],
)
def test_the_day_in_a_name(stem: str, day: str | None):
    assert day_in(stem) == (None if day is None else pd.Timestamp(day))


@pytest.mark.parametrize(
    ("stem", "meant"),
    [
        ("hubspot-crm-exports-all-deals-2026-10-31", "deals"),
        ("hubspot-crm-exports-all-deals-2026-10-31-2", "deals"),
        ("all-deals (3)", "deals"),
        ("hubspot__deals", "deals"),
        ("stg_hubspot__deal", "deal"),
        ("HUBSPOT_DEAL_PIPELINE_STAGE_data", "dealpipelinestage"),
        ("Opportunity_2026-10-31", "opportunity"),
        ("All Opportunities 10-31-2026 3-15-22 PM", "opportunities"),
    ],
)
def test_what_a_name_may_mean(stem: str, meant: str):
    assert meant in stems_of(stem)


def test_a_file_is_recognised_by_its_columns(tmp_path: Path):
    (tmp_path / "hubspot-crm-exports-my-view-2026-10-31-1.csv").write_text(DEALS, encoding="utf-8")
    (tmp_path / "contacts.csv").write_text("Record ID,Create Date,Email\n9,2026-01-01,a@b.c\n", encoding="utf-8")
    result = read_export("hubspot", tmp_path)
    assert len(result.tables["opportunities"]) == 1
    assert any("my-view-2026-10-31-1.csv: taken as the opportunities, by its columns" in note for note in result.notes)
    assert any(note == "files not brought over: contacts.csv" for note in result.notes)
    (tmp_path / "other.csv").write_text(DEALS, encoding="utf-8")
    assert len(read_export("hubspot", tmp_path).tables["opportunities"]) == 1  # a copy to the letter
    (tmp_path / "other.csv").write_text(DEALS.replace("Won", "Lost"), encoding="utf-8")
    with pytest.raises(DataError, match=r"my-view-.* and other\.csv are both taken for the opportunities file"):
        read_export("hubspot", tmp_path)
