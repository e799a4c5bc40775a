"""Tables of ours as people have them: names of columns in another spelling, titles above, several sheets, odd dates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as papq
import pytest
import xlsxwriter

from forecast.data.schema import TABLES
from forecast.data.sources.files import problems_in, read
from forecast.data.sources.tables.header import TitlesAbove, in_our_spelling
from forecast.errors import DataError

OPPORTUNITIES = """opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome
a,2026-01-10,East,Won,120.5,2026-04-30,2026-03-30,won
b,2026-02-13,West,Propose,60,2026-04-30,,open
"""
HEAD = "Opportunity ID,CREATED_ON, segment ,Stage,Amount,Expected close on,ClosedOn,Outcome"


def folder_of(where: Path, text: str, *, name: str = "opportunities.csv", zone: str = "UTC") -> Path:
    where.mkdir(exist_ok=True)
    (where / name).write_text(text, encoding="utf-8")
    (where / "company.toml").write_text(f'timezone = "{zone}"\nextracted_on = 2026-04-30\n', encoding="utf-8")
    return where


def book_of(file: Path, **sheets: list[list[object]]) -> None:
    with xlsxwriter.Workbook(file, {"default_date_format": "dd/mm/yyyy"}) as book:
        for name, rows in sheets.items():
            page = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for place, value in enumerate(row):
                    if value is not None:
                        page.write(number, place, value)


def cells(*, dates: object = dt.date.fromisoformat) -> list[list[object]]:
    """The table as cells of a sheet; dates : what makes a cell of an ISO date."""
    names, *lines = [line.split(",") for line in OPPORTUNITIES.splitlines()]
    out: list[list[object]] = [list(names)]
    for line in lines:
        pairs = zip(names, line, strict=True)
        out.append([None if not v else dates(v) if n.endswith("_on") else v for n, v in pairs])  # type: ignore[operator]
        out[-1][4] = float(line[4])
    return out


def same_as_plain(folder: Path, tmp_path: Path) -> None:
    plain = read(folder_of(tmp_path / "plain", OPPORTUNITIES)).opportunities
    pd.testing.assert_frame_equal(read(folder).opportunities.reset_index(drop=True), plain.reset_index(drop=True))


def notes(folder: Path) -> str:
    return " ".join(note.what for note in read(folder).notes)


# -- names of columns ----------------------------------------------------------------------------------


def test_names_are_read_without_case_blanks_and_signs(tmp_path: Path):
    folder = folder_of(tmp_path / "in", HEAD + OPPORTUNITIES[OPPORTUNITIES.index("\n") :])
    same_as_plain(folder, tmp_path)
    assert "'Opportunity ID' is opportunity_id, 'CREATED_ON' is created_on" in notes(folder)


def test_our_own_name_comes_first_and_of_two_others_neither(tmp_path: Path):
    table = TABLES["opportunities"]
    assert in_our_spelling(["amount", "Amount", "Owner", "OWNER "], table) == {}
    assert in_our_spelling(["Amount", "Closed"], table) == {"Amount": "amount"}
    text = OPPORTUNITIES.replace("amount", "Amount", 1).replace("stage", "AMOUNT", 1)
    with pytest.raises(DataError, match="this column is missing"):
        read(folder_of(tmp_path / "in", text))


# -- titles above --------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", ["# exported 2026-04-30\n", "Opportunities 2026,,,,,,,\n,,,,,,,\n"])
def test_titles_above_the_names_are_left_out_and_said(tmp_path: Path, above: str):
    folder = folder_of(tmp_path / "in", above + OPPORTUNITIES)
    same_as_plain(folder, tmp_path)
    assert "above the names of the columns left out" in notes(folder)


def test_titles_in_a_sheet(tmp_path: Path):
    folder = folder_of(tmp_path / "in", "", name="readme.txt")
    book_of(folder / "opportunities.xlsx", S=[["Opportunities"], ["as of 30 April"], [], *cells()])
    same_as_plain(folder, tmp_path)


def test_the_first_row_counts_unless_a_later_one_knows_more():
    header = TitlesAbove(TABLES["stages"])
    assert header([["stage", "position", "outcome"], ["stage", "1", "open"]]) == 0
    assert header([["stages"], ["stage", "position"]]) == 0  # two names are no proof
    assert header([["stages"], ["Stage", "Position", "Outcome"]]) == 1
    assert header.rows == 1


# -- sheets, folders -----------------------------------------------------------------------------------


def test_of_several_sheets_the_one_with_the_columns_is_taken(tmp_path: Path):
    folder = folder_of(tmp_path / "in", "", name="readme.txt")
    book_of(folder / "opportunities.xlsx", Pivot=[["Row Labels", "Sum"], ["East", 3]], Data=cells())
    same_as_plain(folder, tmp_path)
    assert "sheet 'Data' of opportunities.xlsx is taken, by its columns; not read: Pivot" in notes(folder)


@pytest.mark.parametrize(
    ("sheets", "what"),
    [
        ({"FY25": cells(), "FY26": cells()}, "all have the columns of this table: FY25, FY26"),
        ({"One": [["x"], ["y"]], "Two": [["x"], ["y"]]}, "no sheet of opportunities.xlsx has the columns"),
    ],
)
def test_several_sheets_or_none_are_refused(tmp_path: Path, sheets: dict[str, list[list[object]]], what: str):
    folder = folder_of(tmp_path / "in", "", name="readme.txt")
    book_of(folder / "opportunities.xlsx", **sheets)
    assert what in problems_in(folder)[0].what


def test_a_folder_below_is_named(tmp_path: Path):
    folder_of(tmp_path / "data", OPPORTUNITIES)
    assert problems_in(tmp_path)[0].mend == f"it is in 'data' below: name {tmp_path / 'data'}"


# -- dates ---------------------------------------------------------------------------------------------


def test_text_dates_of_a_sheet_are_read_where_a_day_is_above_twelve(tmp_path: Path):
    folder = folder_of(tmp_path / "in", "", name="readme.txt")
    book_of(folder / "opportunities.xlsx", S=cells(dates=lambda day: f"{day[8:]}/{day[5:7]}/{day[:4]}"))
    same_as_plain(folder, tmp_path)
    assert "dates such as 31/10/2026 are read day first in created_on" in notes(folder)


def test_day_numbers_of_a_spreadsheet_are_refused_with_the_mend(tmp_path: Path):
    folder = folder_of(tmp_path / "in", "", name="readme.txt")
    numbers = cells(dates=lambda day: (dt.date.fromisoformat(day) - dt.date(1899, 12, 30)).days)
    book_of(folder / "opportunities.xlsx", S=numbers)
    found = {problem.column: problem.mend for problem in problems_in(folder) if "date" in problem.what}
    assert found["closed_on"].startswith("they look like a spreadsheet's day numbers: format the column as a date")


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Tokyo"])
def test_dates_written_as_midnight_utc_stay_these_dates(tmp_path: Path, zone: str):
    text = OPPORTUNITIES.replace("-10,", "-10T00:00:00Z,").replace("-13,", "-13T00:00:00Z,")
    text = text.replace("-30,", "-30 00:00:00+00:00,")
    folder = folder_of(tmp_path / "in", text, zone=zone)
    same_as_plain(folder, tmp_path)
    assert f"every value is midnight UTC: read as dates, not as moments in {zone}" in notes(folder)


def test_typed_midnights_stay_and_true_moments_are_local_days(tmp_path: Path):
    folder = folder_of(tmp_path / "in", "", name="readme.txt", zone="America/New_York")
    frame = pd.read_csv(folder_of(tmp_path / "plain", OPPORTUNITIES) / "opportunities.csv")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name, hour in (("created_on", 2), ("expected_close_on", 0), ("closed_on", 0)):
        at = pa.array(pd.to_datetime(frame[name]).dt.tz_localize("UTC") + pd.Timedelta(hours=hour))
        table = table.set_column(table.column_names.index(name), name, at)
    papq.write_table(table, folder / "opportunities.parquet")
    found = read(folder).opportunities
    assert found["closed_on"].tolist()[0] == pd.Timestamp("2026-03-30")
    assert found["created_on"].tolist()[0] == pd.Timestamp("2026-01-09")  # two in the night UTC is the evening before
