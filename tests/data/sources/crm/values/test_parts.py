"""An export in parts: joined where the parts are of one table, refused with both names where they may not be."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast.data.sources.crm.importing import read_export
from forecast.data.sources.crm.values.parts import in_one
from forecast.errors import DataError
from salesforce_exports import DEALS

HEAD, *ROWS = DEALS.splitlines()


def imported(where: Path, **files: list[str]) -> tuple[pd.DataFrame, str]:
    """Return the deals of an export of these files, each the header and these lines, and the notes."""
    where.mkdir(exist_ok=True)
    for old in where.iterdir():
        old.unlink()
    for name, lines in files.items():
        (where / f"{name.replace('__', '-')}.csv").write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    result = read_export("salesforce", where)
    return result.tables["opportunities"], "\n".join(result.notes)


def test_parts_are_one_table_whatever_they_are_called(tmp_path: Path):
    whole, _ = imported(tmp_path / "x", Opportunity=ROWS)
    for names in (
        ("Opportunity_1", "Opportunity_2"),
        ("Opportunity__1", "Opportunity__2"),
        ("open_view", "closed_view"),
    ):
        joined, notes = imported(tmp_path / "x", **{names[0]: ROWS[:1], names[1]: ROWS[1:]})
        pd.testing.assert_frame_equal(
            joined.sort_values("opportunity_id", ignore_index=True),
            whole.sort_values("opportunity_id", ignore_index=True),
        )
        assert "are parts of one table, 3 rows" in notes


def test_a_row_of_both_parts_counts_once(tmp_path: Path):
    joined, notes = imported(tmp_path, Opportunity_1=ROWS[:2], Opportunity_2=ROWS[1:])
    assert joined["opportunity_id"].tolist() == ["006A", "006B", "006C"]
    assert "1 row in two of them count once" in notes


def test_deals_that_differ_are_two_exports(tmp_path: Path):
    later = ROWS[0].replace(",1000,", ",1500,")
    with pytest.raises(DataError, match=r"Opportunity_1\.csv and Opportunity_2\.csv .* exports of two days\?"):
        imported(tmp_path, Opportunity_1=ROWS, Opportunity_2=[later])


def test_columns_that_differ_are_named(tmp_path: Path):
    (tmp_path / "Opportunity_1.csv").write_text("\n".join([HEAD, *ROWS]) + "\n", encoding="utf-8")
    (tmp_path / "Opportunity_2.csv").write_text(f"{HEAD},Extra\n{ROWS[0]},1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"their columns differ: Extra"):
        read_export("salesforce", tmp_path)


def test_exports_named_by_different_days_are_not_parts(tmp_path: Path):
    with pytest.raises(DataError, match="their names have different days"):
        imported(tmp_path, Opportunity__2026__09__30=ROWS[:1], Opportunity__2026__10__31=ROWS[1:])


def test_the_history_may_come_in_parts(tmp_path: Path):
    (tmp_path / "Opportunity.csv").write_text(DEALS, encoding="utf-8")
    head = "OpportunityId,CreatedDate,Field,OldValue,NewValue"
    one = "006A,2026-09-10T08:00:00.000Z,StageName,Qualification,Prospecting"
    two = "006B,2026-09-15T08:00:00.000Z,StageName,Prospecting,Closed Won"
    (tmp_path / "OpportunityFieldHistory.csv").write_text(f"{head}\n{one}\n{two}\n", encoding="utf-8")
    whole = read_export("salesforce", tmp_path).tables["opportunity_history"]
    (tmp_path / "OpportunityFieldHistory.csv").unlink()
    (tmp_path / "OpportunityFieldHistory-1.csv").write_text(f"{head}\n{one}\n", encoding="utf-8")
    (tmp_path / "OpportunityFieldHistory-2.csv").write_text(f"{head}\n{two}\n{one}\n", encoding="utf-8")
    parts = read_export("salesforce", tmp_path).tables["opportunity_history"]
    pd.testing.assert_frame_equal(parts.reset_index(drop=True), whole.reset_index(drop=True))


def test_columns_in_another_order_are_the_same():
    notes: list[str] = []
    parts = {
        "a": pd.DataFrame({"Id": ["1"], "Stage Name": ["x"]}),
        "b": pd.DataFrame({"stage_name": ["y"], "ID": ["2"]}),
    }
    table = in_one(parts, key=["id"], kind="opportunities", notes=notes)
    assert table.to_numpy().tolist() == [["1", "x"], ["2", "y"]]
    assert notes == ["a and b are parts of one table, 2 rows"]
