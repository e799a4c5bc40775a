"""Files that are damaged, not what their name says, or made to fill the memory: refused, never changed."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import random
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as papq
import pytest
import xlsxwriter

from forecast.data.sources.files import problems_in, read
from forecast.data.sources.tables import content
from forecast.data.sources.tables.read import read_file, read_tables
from forecast.errors import DataError, ForecastError

DEALS = b"id,amount\nA,1\nB,2\n"
SHEET = "xl/worksheets/sheet1.xml"


def workbook(file: Path, fill: Callable[[xlsxwriter.Workbook], None] | None = None) -> bytes:
    with xlsxwriter.Workbook(file) as book:
        if fill is not None:
            fill(book)
        else:
            page = book.add_worksheet()
            page.write_column(0, 0, ["id", "A", "B"])
            page.write_column(0, 1, ["amount", 1, 2])
    return file.read_bytes()


def with_rows(file: Path, rows: str, *, change: Callable[[str], str] = str) -> Path:
    """Write the rows of a sheet as XML says them, below a header of `h` and `k`."""
    data = workbook(file)
    head = "".join(
        f'<c r="{cell}" t="inlineStr"><is><t>{text}</t></is></c>' for cell, text in (("A1", "h"), ("B1", "k"))
    )
    with zipfile.ZipFile(io.BytesIO(data)) as packed, zipfile.ZipFile(file, "w") as out:
        for name in packed.namelist():
            text = packed.read(name)
            if name == SHEET:
                sheet = re.sub(
                    "<sheetData>.*</sheetData>", f'<sheetData><row r="1">{head}</row>{rows}</sheetData>', text.decode()
                )
                text = change(sheet).encode()
            out.writestr(name, text)
    return file


def refused(file: Path) -> str:
    before = file.read_bytes()
    with pytest.raises(DataError) as error:
        read_file(file)
    assert file.read_bytes() == before
    return str(error.value)


class TestNotWhatItsNameSays:
    def test_a_workbook_called_csv_is_read_as_a_workbook(self, tmp_path):
        (tmp_path / "deals.csv").write_bytes(workbook(tmp_path / "deals.xlsx"))
        frame = read_file(tmp_path / "deals.csv").frame
        assert frame.to_dict("list") == {"id": ["A", "B"], "amount": ["1", "2"]}
        assert list(frame.index) == [2, 3]

    def test_text_called_xlsx_is_read_as_text(self, tmp_path):
        (tmp_path / "deals.xlsx").write_bytes(DEALS)
        assert read_file(tmp_path / "deals.xlsx").frame["amount"].tolist() == ["1", "2"]

    def test_gzip_without_its_ending_is_unpacked(self, tmp_path):
        (tmp_path / "deals.csv").write_bytes(gzip.compress(DEALS))
        assert read_file(tmp_path / "deals.csv").frame["amount"].tolist() == ["1", "2"]

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("deals.xlsx", b"<html><body><table>", "deals.xlsx: the file is a web page (HTML) under that name"),
            ("deals.csv", b"\r\n<!DOCTYPE html>", "is a web page (HTML) under that name"),
            ("deals.xlsx", b"<?xml version='1.0'?><Workbook>", "is XML under that name"),
            ("deals.xlsx", content.OLE + bytes(600), "is a workbook of Excel 97-2003"),
            (
                "deals.xlsx",
                content.OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
                "is protected by a password\n  mend: take the password off",
            ),
            ("deals.csv.gz", DEALS, "is not compressed, or damaged"),
            ("deals.csv", b"PAR1xxxx", "is Parquet under another name"),
            ("deals.parquet", DEALS, "cannot be read as Parquet"),
            ("deals.xlsx", b"", "is empty"),
        ],
    )
    def test_what_is_neither_text_nor_a_workbook(self, tmp_path, name, data, message):
        (tmp_path / name).write_bytes(data)
        assert message in refused(tmp_path / name)

    def test_an_archive_that_is_no_workbook(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "deals.xlsx", "w") as packed:
            packed.writestr("deals.csv", DEALS)
        assert "is an archive, but no .xlsx workbook" in refused(tmp_path / "deals.xlsx")


class TestHalfWritten:
    def test_parquet(self, tmp_path):
        file = tmp_path / "deals.parquet"
        pd.DataFrame({"id": ["A", "B"], "amount": [1.0, 2.0]}).to_parquet(file)
        whole = file.read_bytes()
        for length in (3, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:length])
            assert "cannot be read as Parquet" in refused(file)

    def test_gzip(self, tmp_path):
        (tmp_path / "deals.csv.gz").write_bytes(gzip.compress(DEALS * 99)[:-12])
        assert "breaks off: it is half written" in refused(tmp_path / "deals.csv.gz")
        (tmp_path / "deals.csv.gz").write_bytes(gzip.compress(DEALS)[:-8] + bytes(8))
        assert "is damaged (" in refused(tmp_path / "deals.csv.gz")

    def test_a_workbook(self, tmp_path):
        data = workbook(tmp_path / "deals.xlsx")
        (tmp_path / "deals.xlsx").write_bytes(data[: len(data) // 2])
        assert "is damaged or half written" in refused(tmp_path / "deals.xlsx")

    def test_several_gzip_members_and_zeros_behind_them_are_one_file(self, tmp_path):
        (tmp_path / "deals.csv.gz").write_bytes(gzip.compress(b"id,amount\n") + gzip.compress(b"A,1\n") + bytes(512))
        assert read_file(tmp_path / "deals.csv.gz").frame["amount"].tolist() == ["1"]


class TestMadeToFillTheMemory:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        monkeypatch.setattr(content, "FREE", 1 << 20)

    def test_gzip(self, tmp_path):
        (tmp_path / "deals.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b" " * (3 << 20)))
        assert "is larger, unpacked, than a table of its size can be" in refused(tmp_path / "deals.csv.gz")

    def test_gzip_of_many_members(self, tmp_path):
        (tmp_path / "deals.csv.gz").write_bytes(gzip.compress(b" " * (1 << 19)) * 6)
        assert "is larger, unpacked, than a table of its size can be" in refused(tmp_path / "deals.csv.gz")

    def test_a_workbook(self, tmp_path):
        workbook(tmp_path / "deals.xlsx")
        with zipfile.ZipFile(tmp_path / "deals.xlsx", "a", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("xl/sharedStrings2.xml", b" " * (3 << 20))
        assert "is larger, unpacked, than a table of its size can be" in refused(tmp_path / "deals.xlsx")

    def test_a_workbook_that_lies_about_its_size(self, tmp_path):
        data = bytearray(workbook(tmp_path / "deals.xlsx"))
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = packed.getinfo(SHEET).file_size
        data = bytes(data).replace(size.to_bytes(4, "little"), (size // 2).to_bytes(4, "little"))
        (tmp_path / "deals.xlsx").write_bytes(data)
        assert "is damaged or half written" in refused(tmp_path / "deals.xlsx")

    def test_parquet_of_more_rows_than_its_size_can_hold(self, tmp_path, monkeypatch):
        monkeypatch.setattr("forecast.data.sources.tables.parquet.LARGEST", 1 << 20)
        papq.write_table(pa.table({"a": pa.nulls(2_000_000, pa.int64())}), tmp_path / "deals.parquet")
        assert "claims 2,000,000 rows" in refused(tmp_path / "deals.parquet")

    def test_a_cell_far_off(self, tmp_path):
        def fill(book: xlsxwriter.Workbook) -> None:
            page = book.add_worksheet("Deals")
            page.write_row(0, 0, ["id", "amount"])
            page.write(1_048_575, 16_383, "x")

        workbook(tmp_path / "deals.xlsx", fill)
        text = refused(tmp_path / "deals.xlsx")
        assert "sheet 'Deals' of deals.xlsx spans 1,048,576 rows and 16,384 columns, with 3 cells in them" in text
        assert "rows: row 1048576, column XFD" in text

    def test_a_format_far_off_is_no_cell(self, tmp_path):
        def fill(book: xlsxwriter.Workbook) -> None:
            page = book.add_worksheet("Deals")
            page.write_column(0, 0, ["id", "A"])
            page.write_blank(1_048_575, 16_383, None, book.add_format({"bold": True}))

        workbook(tmp_path / "deals.xlsx", fill)
        assert read_file(tmp_path / "deals.xlsx").frame["id"].tolist() == ["A"]


class TestCells:
    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            ('<c r="B2" t="e"><v>#REF!</v></c>', "holds errors of formulas\n  rows: cell B2 (#REF!)"),
            ("<c t='e' r='B2'><f>1/0</f><v>#DIV/0!</v></c>", "holds errors of formulas\n  rows: cell B2 (#DIV/0!)"),
            ('<c r="B2"><f>1+1</f></c>', "holds formulas that were never calculated\n  rows: cell B2"),
            ('<c r="B2"><f>1+1</f><v></v></c>', "never calculated\n  rows: cell B2"),
            ('<c r="B2"><f t="shared" si="0"/><v/></c>', "never calculated\n  rows: cell B2"),
            ('<c r="XFE4294967297"><v>1</v></c>', "has a cell that is nowhere in a sheet: it is damaged"),
            ('<c r="B2" t="s"><v>999</v></c>', "sheet 'Sheet1' of deals.xlsx cannot be read"),
        ],
    )
    def test_what_is_refused(self, tmp_path, cells, message):
        assert message in refused(with_rows(tmp_path / "deals.xlsx", f'<row r="2">{cells}</row>'))

    @pytest.mark.parametrize(
        ("cell", "text"),
        [
            ('<c r="B2"><v>1000</v></c>', "1000"),
            ('<c r="B2"><v>0.30000000000000004</v></c>', "0.30000000000000004"),
            ('<c r="B2"><v>1.5E-7</v></c>', "1.5e-07"),
            ('<c r="B2"><v>-0</v></c>', "0"),
            ('<c r="B2" t="b"><v>1</v></c>', "true"),
            ('<c r="B2" t="d"><v>2026-10-31T00:00:00</v></c>', "2026-10-31"),
            ('<c r="B2" t="d"><v>2026-10-31T17:05:09</v></c>', "2026-10-31T17:05:09"),
            ('<c r="B2" t="str"><f>"x"</f><v>x</v></c>', "x"),
            ('<c r="B2" t="inlineStr"><is><t>007</t></is></c>', "007"),
        ],
    )
    def test_how_a_cell_is_written(self, tmp_path, cell, text):
        file = with_rows(tmp_path / "deals.xlsx", f'<row r="2">{cell}</row>')
        assert read_file(file).frame["k"].tolist() == [text]

    def test_a_formula_of_empty_text_is_an_empty_cell(self, tmp_path):
        file = with_rows(
            tmp_path / "deals.xlsx", '<row r="2"><c r="A2"><v>1</v></c><c r="B2" t="str"><f>""</f><v></v></c></row>'
        )
        assert read_file(file).frame.isna().to_numpy().tolist() == [[False, True]]

    def test_names_with_a_prefix(self, tmp_path):
        def prefixed(text: str) -> str:
            return re.sub(r"<(/?)(?=[a-z])", r"<\1x:", text).replace("xmlns=", "xmlns:x=")

        file = with_rows(tmp_path / "deals.xlsx", '<row r="2"><c r="B2"><v>5</v></c></row>', change=prefixed)
        assert read_file(file).frame["k"].tolist() == ["5"]
        file = with_rows(tmp_path / "deals.xlsx", '<row r="2"><c r="B2" t="e"><v>#N/A</v></c></row>', change=prefixed)
        assert "cell B2 (#N/A)" in refused(file)

    def test_hidden_sheets_and_rows_above_the_table(self, tmp_path):
        def fill(book: xlsxwriter.Workbook) -> None:
            page = book.add_worksheet("Deals")
            page.write(0, 0, "Pipeline report")
            page.write_row(3, 1, ["id", "amount"])
            page.write_row(5, 1, ["A", 5])
            hidden = book.add_worksheet("hiddenDataSheet")
            hidden.write(0, 0, "kept by a program")
            hidden.hide()

        workbook(tmp_path / "deals.xlsx", fill)
        table = read_file(tmp_path / "deals.xlsx", header=lambda rows: [row.count("") for row in rows].index(1))
        assert table.frame.to_dict("list") == {"id": ["A"], "amount": ["5"]}
        assert list(table.frame.index) == [6]

    def test_several_sheets(self, tmp_path):
        def fill(book: xlsxwriter.Workbook) -> None:
            for name in ("Deals", "Owners", "Empty"):
                page = book.add_worksheet(name)
                if name != "Empty":
                    page.write_column(0, 0, ["id", name])

        workbook(tmp_path / "deals.xlsx", fill)
        assert "has several sheets with something in them: 'Deals', 'Owners'" in refused(tmp_path / "deals.xlsx")
        assert [table.name for table in read_tables(tmp_path / "deals.xlsx")] == ["Deals", "Owners"]


class TestInAFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "data"
        folder.mkdir()
        (folder / "opportunities.csv").write_text(
            "opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome\n"
            "A,2026-01-10,East,Won,120.10,2026-04-30,2026-03-30,won\n"
        )
        (folder.parent / "outside.csv").write_text("period,segment,amount\n2026-04,East,5\n")
        return folder

    def fatal(self, folder: Path) -> str:
        (problem,) = [problem for problem in problems_in(folder) if problem.severity == "fatal"]
        return str(problem)

    def test_a_link_out_of_the_folder_is_read_and_said(self, folder):
        (folder / "plan.csv").symlink_to(folder.parent / "outside.csv")
        log = read(folder)
        assert len(log.tables["plan"]) == 1
        assert "plan.csv is a link out of the folder, to " in log.notes[-1].what

    def test_a_link_that_leads_nowhere(self, folder):
        (folder / "plan.csv").symlink_to(folder / "nowhere.csv")
        assert "plan: plan.csv is a link that leads nowhere" in self.fatal(folder)

    def test_what_is_no_file(self, folder):
        (folder / "plan.parquet").mkdir()
        assert "plan: plan.parquet holds no Parquet file" in self.fatal(folder)
        (folder / "plan.parquet").rmdir()
        (folder / "plan.csv").mkdir()
        assert "plan: plan.csv is no file" in self.fatal(folder)
        (folder / "plan.csv").rmdir()
        os.mkfifo(folder / "plan.csv")
        assert "plan: plan.csv is no file" in self.fatal(folder)

    def test_an_old_workbook(self, folder):
        (folder / "plan.xls").write_bytes(content.OLE)
        assert "plan: plan.xls is a workbook of another kind" in self.fatal(folder)

    def test_a_damaged_workbook_of_others_is_left_alone_and_named(self, folder):
        (folder / "payroll.xlsx").write_bytes(content.OLE)
        (folder / "~$payroll.xlsx").write_bytes(b"open")
        (note,) = read(folder).notes
        assert note.what == "payroll.xlsx is not read: the file is a workbook of Excel 97-2003"
        (folder / "plan.xlsx").write_bytes(content.OLE)
        assert "plan: plan.xlsx is a workbook of Excel 97-2003" in self.fatal(folder)

    def test_a_column_of_parquet_that_is_there_twice(self, folder):
        table = pa.table([["2026-04"], ["East"], [1.0], [2.0]], names=["period", "segment", "amount", "amount"])
        papq.write_table(table, folder / "plan.parquet")
        assert "plan.amount: this column is there twice" in self.fatal(folder)

    @pytest.mark.slow
    def test_ten_thousand_columns(self, folder):
        lines = (folder / "opportunities.csv").read_text().splitlines()
        names = ",".join(f"c{number}" for number in range(10_000))
        (folder / "opportunities.csv").write_text(f"{lines[0]},{names}\n{lines[1]}{',' * 10_000}\n")
        assert len(read(folder).opportunities) == 1


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_is_read_or_refused(tmp_path, seed):
    """A byte changed, lost or doubled anywhere, in any kind of file: never another error, never a changed file."""
    draw = random.Random(seed)
    frame = pd.DataFrame({"id": ["A", "B"], "amount": [1.0, 2.0], "day": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    file = tmp_path / draw.choice(["deals.csv", "deals.csv.gz", "deals.parquet", "deals.xlsx", "deals.tsv"])
    if file.suffix == ".parquet":
        frame.to_parquet(file)
    elif file.suffix == ".xlsx":
        workbook(file)
    else:
        text = frame.to_csv(index=False).encode("utf-16" if file.suffix == ".tsv" else "utf-8")
        file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
    data = bytearray(file.read_bytes())
    at = draw.randrange(len(data))
    until = min(len(data), at + draw.randrange(1, 40))
    damage = draw.choice(["cut", "zeros", "lost", "doubled", "noise"])
    if damage == "cut":
        del data[at:]
    elif damage == "lost":
        del data[at:until]
    else:
        parts = {"zeros": bytes(until - at), "doubled": data[at:until] * 2, "noise": draw.randbytes(until - at)}
        data[at:until] = parts[damage]
    file.write_bytes(data)
    with contextlib.suppress(ForecastError):
        read_tables(file)
    assert file.read_bytes() == data


def test_a_gzip_error_is_no_other_error(tmp_path):
    (tmp_path / "deals.csv.gz").write_bytes(b"\x1f\x8b" + zlib.compress(DEALS))
    assert "is damaged" in refused(tmp_path / "deals.csv.gz")
