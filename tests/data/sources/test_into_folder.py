"""An import into a folder that is there: what it replaces, what stays, what adds up."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.sources import into_folder
from forecast.data.sources.crm.export import Choices
from forecast.data.sources.crm.importing import import_crm
from salesforce_exports import DEALS, USERS

QUOTAS = "Id,QuotaOwnerId,StartDate,QuotaAmount\n1,005A,2026-09-01,10\n2,005A,2026-10-01,20\n"
ITEMS = (
    "Id,OwnerId,StartDate,EndDate,ForecastingItemCategory,ForecastAmount\n"
    "1,005A,2026-10-01,2026-10-31,CommitForecast,500\n2,005A,2026-11-01,2026-11-30,CommitForecast,600\n"
)


def again(where: Path, *, day: str, **files: str) -> str:
    """Import an export of a day into the folder `ours`; return the notes."""
    source = where / f"export {day}"
    source.mkdir(exist_ok=True)
    for name, text in {"Opportunity": DEALS, "User": USERS, **files}.items():
        (source / f"{name}.csv").write_text(text, encoding="utf-8")
    import_crm("salesforce", source, where / "ours", choices=Choices(extracted_on=pd.Timestamp(day)))
    return (where / "ours" / "import_notes.txt").read_text(encoding="utf-8")


def test_a_table_of_ones_own_stays(tmp_path: Path):
    ours = tmp_path / "ours"
    ours.mkdir()
    own = "owner,period,quota\nAnn,2026-10,7\n"
    (ours / "quotas.csv").write_text(own, encoding="utf-8")
    notes = again(tmp_path, day="2026-10-20", ForecastingQuota=QUOTAS)
    assert (ours / "quotas.csv").read_text(encoding="utf-8") == own
    assert "quotas.csv in" in notes
    assert "is your own and stays: the export's 2 rows of quotas are not written" in notes


def test_a_hierarchy_which_no_export_holds_stays(tmp_path: Path):
    ours = tmp_path / "ours"
    ours.mkdir()
    own = "of,node,from,parent\nowner,Ann,2026-01-01,Team\n"
    (ours / "hierarchy.csv").write_text(own, encoding="utf-8")
    again(tmp_path, day="2026-10-20")
    assert (ours / "hierarchy.csv").read_text(encoding="utf-8") == own
    assert forecast.read(ours).tables["hierarchy"]["parent"].tolist() == ["Team"]


def test_a_table_of_an_earlier_import_is_replaced(tmp_path: Path):
    again(tmp_path, day="2026-10-20", ForecastingQuota=QUOTAS)
    again(tmp_path, day="2026-10-21", ForecastingQuota=QUOTAS.replace(",20\n", ",30\n"))
    assert forecast.read(tmp_path / "ours").tables["quotas"]["quota"].tolist() == [10, 30]
    again(tmp_path, day="2026-10-22")  # an export without quotas takes none away, and they stay the import's
    again(tmp_path, day="2026-10-23", ForecastingQuota=QUOTAS)
    assert forecast.read(tmp_path / "ours").tables["quotas"]["quota"].tolist() == [10, 20]


def test_forecasts_of_several_exports_add_up(tmp_path: Path):
    again(tmp_path, day="2026-10-20", ForecastingItem=ITEMS)
    again(tmp_path, day="2026-10-27", ForecastingItem=ITEMS.replace(",500\n", ",450\n"))
    notes = again(tmp_path, day="2026-10-27", ForecastingItem=ITEMS.replace(",500\n", ",400\n"))
    table = forecast.read(tmp_path / "ours").tables["submitted_forecasts"]
    october = table[table["target_period"] == "2026-10"]
    assert october["amount"].tolist() == [500, 400]
    assert "submitted_forecasts: 2 forecasts of earlier imports stay" in notes


def test_a_long_table_is_written_as_parquet_and_replaced_by_the_next_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    again(tmp_path, day="2026-10-20")
    in_csv = forecast.read(tmp_path / "ours").opportunities
    assert (tmp_path / "ours" / "opportunities.csv").is_file()
    with monkeypatch.context() as patch:
        patch.setattr(into_folder, "MANY_ROWS", 3)
        notes = again(tmp_path, day="2026-10-21")
        assert "written as Parquet: opportunities\n" in notes
        assert "set aside" not in notes
        assert not (tmp_path / "ours" / "opportunities.csv").exists()
        pd.testing.assert_frame_equal(forecast.read(tmp_path / "ours").opportunities, in_csv)
        assert "set aside" not in again(tmp_path, day="2026-10-22")
    notes = again(tmp_path, day="2026-10-23")
    assert "Parquet" not in notes
    assert "set aside" not in notes
    assert not (tmp_path / "ours" / "opportunities.parquet").exists()
    pd.testing.assert_frame_equal(forecast.read(tmp_path / "ours").opportunities, in_csv)


def test_parquet_of_ones_own_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(into_folder, "MANY_ROWS", 3)
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "opportunities.parquet").write_bytes(b"mine")
    assert "set aside" in again(tmp_path, day="2026-10-20")
    assert (ours / "opportunities.parquet.before-import").read_bytes() == b"mine"
    assert len(forecast.read(ours).opportunities) == 3


def test_a_table_in_another_form_is_set_aside_not_read_twice(tmp_path: Path):
    ours = tmp_path / "ours"
    ours.mkdir()
    for name in ("opportunities.tsv", "opportunities.csv.gz", "stages.parquet", "notes.txt"):
        (ours / name).write_text("opportunity_id\tstage\n", encoding="utf-8")
    notes = again(tmp_path, day="2026-10-20")
    assert forecast.read(ours).opportunities.shape[0] == 3
    assert sorted(path.name for path in ours.glob("*.before-import")) == [
        "opportunities.csv.gz.before-import",
        "opportunities.tsv.before-import",
        "stages.parquet.before-import",
    ]
    assert (ours / "notes.txt").is_file()
    assert "set aside in" in notes
