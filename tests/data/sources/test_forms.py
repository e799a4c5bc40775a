"""One company in every form a file can have -> the same log, to the byte."""

from __future__ import annotations

import gzip
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter

from forecast.data.schema import Log
from forecast.data.sources.files import read, read_raw
from forecast.data.sources.redact import redact
from forecast.errors import DataError

TABLES = {
    "opportunities": """\
opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome,units,note,since,score
0061,2026-01-10,Süd,Won,1234.5,2026-04-30,2026-03-30,won,3,"a; b, c",2020-01-31,1.25
0062,2026-02-10,Nord,Propose,60,2026-04-30,,open,,€ x,2021-02-28,10
0063,2026-02-13,Nord,Lost,1234567.89,2026-04-30,2026-03-31,lost,12,,,2000.5
""",
    "opportunity_history": """opportunity_id,recorded_at,stage,amount,expected_close_on
0061,2026-01-10T09:00:00,Qualify,100,2026-03-31
0061,2026-03-30T17:05:09,Won,1234.5,2026-04-30
0062,2026-02-10T00:00:00,Propose,60,2026-04-30
0063,2026-02-13T23:59:59,Propose,1234567.89,2026-04-30
0063,2026-03-31T12:30:00,Lost,1234567.89,2026-04-30
""",
    "stages": """stage,position,outcome,probability,is_proposal
Qualify,1,open,0.1,false
Propose,2,open,0.5,true
Won,3,won,1,false
Lost,4,lost,0,false
""",
    "plan": "period,segment,amount\n2026-04,Nord,1000.5\n2026-05,Süd,2000\n",
}  # fmt: skip
COMPANY = (
    'name = "Süd & Co"\ncurrency = "EUR"\ntimezone = "Europe/Berlin"\nextracted_on = 2026-04-30\nsettle_days = 5\n'
)

_DATES = ("created_on", "expected_close_on", "closed_on", "since")
_NUMBERS = ("amount", "units", "score", "probability")


def frames() -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False) for name, text in TABLES.items()}


def european(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as a spreadsheet of Germany saves it: 1.234,50 and 31.10.2026."""
    out = frame.copy()
    for name in out:
        if name in _NUMBERS:
            out[name] = [
                f"{float(value):,.2f}".translate(str.maketrans(",.", ".,")) if value else "" for value in out[name]
            ]
        if name in _DATES or name == "recorded_at":
            out[name] = out[name].str.replace(r"^(\d+)-(\d+)-(\d+)T?(.*)$", r"\3.\2.\1 \4", regex=True).str.strip()
    return out


def as_csv(folder: Path, *, ending: str = ".csv", encoding: str = "utf-8", sep: str = ",", end: str = "\n") -> None:
    for name, frame in frames().items():
        text = frame.to_csv(index=False, sep=sep, lineterminator=end)
        (folder / f"{name}{ending}").write_bytes(text.encode(encoding))


def as_european(folder: Path) -> None:
    for name, frame in frames().items():
        text = european(frame).to_csv(index=False, sep=";", lineterminator="\r\n")
        (folder / f"{name}.csv").write_bytes(text.encode("cp1252"))


def as_gzip(folder: Path) -> None:
    for name, frame in frames().items():
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))


def as_parquet(folder: Path) -> None:
    for name, frame in frames().items():
        typed = frame.mask(frame == "")
        for column in typed:
            if column in _DATES or column == "recorded_at":
                typed[column] = pd.to_datetime(typed[column], format="ISO8601")
            elif column in _NUMBERS or column == "position":
                typed[column] = typed[column].astype("float64")
            elif column == "is_proposal":
                typed[column] = typed[column] == "true"
        typed.to_parquet(folder / f"{name}.parquet", index=False)


def _fill(book: xlsxwriter.Workbook, sheet: str, frame: pd.DataFrame) -> None:
    page = book.add_worksheet(sheet)
    day, moment = (book.add_format({"num_format": form}) for form in ("dd.mm.yyyy", "yyyy-mm-dd hh:mm:ss"))
    page.write_row(0, 0, list(frame.columns))
    for column, name in enumerate(frame.columns):
        for row, value in enumerate(frame[name], start=1):
            if not value:
                continue
            if name in _DATES:
                page.write_datetime(row, column, pd.Timestamp(value).to_pydatetime(), day)
            elif name == "recorded_at":
                page.write_datetime(row, column, pd.Timestamp(value).to_pydatetime(), moment)
            elif name in _NUMBERS or name == "position":
                page.write_number(row, column, float(value))
            elif name == "is_proposal":
                page.write_boolean(row, column, value == "true")
            else:
                page.write_string(row, column, value)


def as_sheets(folder: Path) -> None:
    for name, frame in frames().items():
        with xlsxwriter.Workbook(folder / f"{name}.xlsx", {"date_1904": name == "stages"}) as book:
            _fill(book, "Sheet1", frame)


def as_workbook(folder: Path) -> None:
    with xlsxwriter.Workbook(folder / "book.xlsx", {"date_1904": True}) as book:
        notes = book.add_worksheet("Read me")
        notes.write(0, 0, "Ours")
        for name, frame in frames().items():
            _fill(book, name.replace("_", " ").capitalize(), frame)
        page = book.add_worksheet("company")
        page.write_row(0, 0, ["key", "value"])
        page.write_row(1, 0, ["name", "Süd & Co"])
        page.write_row(2, 0, ["currency", "EUR"])
        page.write_row(3, 0, ["timezone", "Europe/Berlin"])
        page.write(4, 0, "extracted_on")
        page.write_datetime(4, 1, pd.Timestamp("2026-04-30").to_pydatetime(), book.add_format({"num_format": "d/m/yy"}))
        page.write_row(5, 0, ["settle_days", 5])


FORMS: dict[str, Callable[[Path], None]] = {
    "utf-8": as_csv,
    "utf-8 with a mark": lambda folder: as_csv(folder, encoding="utf-8-sig", end="\r\n"),
    "line ends of old": lambda folder: as_csv(folder, end="\r"),
    "utf-16 with tabs": lambda folder: as_csv(folder, ending=".txt", encoding="utf-16", sep="\t", end="\r\n"),
    "utf-16 without a mark": lambda folder: as_csv(folder, encoding="utf-16-be", sep="|"),
    "tabs": lambda folder: as_csv(folder, ending=".tsv", sep="\t"),
    "cp1252 with semicolons and decimal commas": as_european,
    "gzip": as_gzip,
    "parquet": as_parquet,
    "workbooks": as_sheets,
    "one workbook": as_workbook,
}


def company_in(folder: Path, form: str) -> Path:
    """Write the company in a form; return its location."""
    FORMS[form](folder)
    if form == "one workbook":
        return folder / "book.xlsx"
    (folder / "company.toml").write_text(COMPANY, encoding="utf-8")
    return folder


def assert_same(log: Log, other: Log) -> None:
    assert log.company == other.company
    assert log.extracted_on == other.extracted_on
    assert list(log.tables) == list(other.tables)
    for name, frame in other.tables.items():
        ours = log.tables[name].reset_index(drop=True)
        pd.testing.assert_frame_equal(ours, frame.reset_index(drop=True), check_exact=True)
        assert ours.to_csv() == frame.reset_index(drop=True).to_csv()


@pytest.fixture
def plain(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return read(company_in(tmp_path_factory.mktemp("plain"), "utf-8"))


@pytest.mark.parametrize("form", list(FORMS)[1:])
def test_every_form_gives_the_same_log(tmp_path, plain, form):
    place = company_in(tmp_path, form)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    log = read(place)
    assert_same(log, plain)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    wanted = {"utf-16 with tabs", "utf-16 without a mark", "tabs", "cp1252 with semicolons and decimal commas"}
    assert any("read as" in note.what for note in log.notes) == (form in wanted)


@pytest.mark.parametrize("form", list(FORMS))
def test_a_redacted_copy_of_every_form_is_read_the_same(tmp_path, plain, form):
    """The copy of a workbook is a folder of CSV files; none of the names is in any of them."""
    (tmp_path / "in").mkdir()
    place = company_in(tmp_path / "in", form)
    redact(place, tmp_path / "copy", log=read(place), salt=b"x" * 32)
    log = read(tmp_path / "copy")
    assert log.company == plain.company
    assert log.opportunities["amount"].tolist() == plain.opportunities["amount"].tolist()
    assert log.opportunities["created_on"].tolist() == plain.opportunities["created_on"].tolist()
    assert log.opportunities["opportunity_id"].str.startswith("deal-").all()
    assert not list((tmp_path / "copy").glob("*.xlsx"))


def test_a_workbook_with_a_sheet_and_a_file_for_the_company_is_refused(tmp_path):
    place = company_in(tmp_path, "one workbook")
    (tmp_path / "company.toml").write_text(COMPANY, encoding="utf-8")
    with pytest.raises(DataError, match=r"company: there is company.toml and a sheet 'company'"):
        read(place)


def test_a_table_in_two_files_is_refused(tmp_path):
    company_in(tmp_path, "utf-8")
    shutil.copy(tmp_path / "plan.csv", tmp_path / "plan.tsv")
    with pytest.raises(DataError, match=r"plan: there is plan.csv and plan.tsv"):
        read(tmp_path)
    (tmp_path / "plan.tsv").unlink()
    (tmp_path / "company.toml").unlink()
    as_workbook(tmp_path)
    with pytest.raises(DataError, match=r"opportunities: there is book.xlsx and opportunities.csv"):
        read(tmp_path)


def test_what_was_decided_is_a_note(tmp_path):
    log = read(company_in(tmp_path, "cp1252 with semicolons and decimal commas"))
    said = {note.table: note.what for note in log.notes if "separated" in note.what}
    assert said["plan"] == "plan.csv: read as columns separated by semicolons, and a comma before the decimals"
    dates = [note.what for note in log.notes if "day first" in note.what]
    assert "opportunities.csv: dates such as 31.10.2026 are read day first in created_on, expected_close_on" in dates[0]


def test_a_number_that_nothing_decides_is_refused_with_both_readings(tmp_path):
    company_in(tmp_path, "utf-8")
    (tmp_path / "plan.csv").write_text("period;segment;amount\n2026-04;Nord;1.234\n2026-05;Nord;2.345\n")
    with pytest.raises(DataError) as error:
        read_raw(tmp_path)
    assert "plan.amount: 1.234 may be 1234 or 1.234, and nothing in plan.csv decides\n  rows: line 2" in str(
        error.value
    )
