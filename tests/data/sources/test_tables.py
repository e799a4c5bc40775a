"""One text file -> a raw table: encodings, line ends, separators, the lines of its rows, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast.data.sources.tables.raw import RawTable
from forecast.data.sources.tables.read import read_file
from forecast.errors import DataError

TEXT = 'id,name,amount\nA,Süd,1000\nB,"x\ny",2000\n\nC,z,3\n'
SEMICOLONS = 'id;name;amount\nA;Süd;1.000\nB;"x;y";2000,50\n'


def table_of(folder: Path, content: bytes, name: str = "deals.csv", **options: object) -> RawTable:
    (folder / name).write_bytes(content)
    return read_file(folder / name, **options)  # type: ignore[arg-type]


def refused(folder: Path, content: bytes, name: str = "deals.csv") -> str:
    with pytest.raises(DataError) as error:
        table_of(folder, content, name)
    return str(error.value)


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings_give_one_table(tmp_path, encoding, seen):
    table = table_of(tmp_path, TEXT.encode(encoding))
    assert table.frame["name"].tolist() == ["Süd", "x\ny", "z"]
    assert list(table.frame.index) == [2, 3, 6]
    assert (table.encoding, table.separator) == (seen, ",")
    assert len(table.notes) == (seen != "utf-8")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path, end):
    table = table_of(tmp_path, TEXT.replace("\n", end).encode())
    assert list(table.frame.index) == [2, 3, 6]
    assert table.frame["amount"].tolist() == ["1000", "2000", "3"]
    assert table.frame["name"].tolist()[1] == f"x{end}y"


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_separators_are_seen_and_said(tmp_path, sign):
    table = table_of(tmp_path, SEMICOLONS.replace(";", sign).encode())
    assert table.frame["amount"].tolist() == ["1.000", "2000,50"]
    assert table.frame["name"].tolist() == ["Süd", f"x{sign}y"]
    assert (table.separator, table.decimal) == (sign, ",")
    assert "a comma before the decimals" in table.notes[0]


def test_a_first_line_that_declares_the_separator_is_no_row(tmp_path):
    table = table_of(tmp_path, b"sep=;\r\n" + SEMICOLONS.encode())
    assert list(table.frame.columns) == ["id", "name", "amount"]
    assert list(table.frame.index) == [3, 4]


def test_a_header_with_another_separator_does_not_decide(tmp_path):
    table = table_of(tmp_path, b"id;amount, converted, EUR, today;stage\nA;1;x\nB;2;y\n")
    assert list(table.frame.columns) == ["id", "amount, converted, EUR, today", "stage"]


def test_rows_of_separators_are_left_out(tmp_path):
    assert list(table_of(tmp_path, b"a,b\n1,2\n,\n3,4\n,\n").frame.index) == [2, 4]


def test_the_foot_of_a_report_and_the_titles_above_it(tmp_path):
    report = b"Pipeline report\n\nid,amount\nA,1\nB,2\n\nTotal\nCopyright (c) us\n"
    with pytest.raises(DataError, match="rows with more or fewer values"):
        table_of(tmp_path, report, header=lambda rows: [len(row) for row in rows].index(2))
    table = table_of(tmp_path, report, ragged=True, header=lambda rows: [len(row) for row in rows].index(2))
    assert list(table.frame.index) == [4, 5, 7, 8]
    assert table.frame["id"].tolist() == ["A", "B", "Total", "Copyright (c) us"]
    assert table.frame["amount"].isna().tolist() == [False, False, True, True]


def test_a_value_of_ten_megabytes_is_read(tmp_path):
    table = table_of(tmp_path, b'id,text\nA,"' + b"x\n" * 5_000_000 + b'"\nB,y\n')
    assert table.frame["text"].str.len().tolist() == [10_000_000, 1]
    assert list(table.frame.index) == [2, 5_000_003]


@pytest.mark.slow
def test_ten_thousand_columns_are_read(tmp_path):
    names = ",".join(f"c{number}" for number in range(10_000))
    table = table_of(tmp_path, f"{names}\n{',' * 9_998}x,y\n".encode())
    assert table.frame.shape == (1, 10_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "deals.csv: the file is empty"),
        (b" \r\n \n", "deals.csv: the file is empty"),
        (b'a,b\n1,2\n3,"x\n4,5\n', "it is half written, or a quote is missing\n  rows: line 3"),
        (b"a,b\n1,2\n\n3\n4,5,6\n", "the 2 columns\n  rows: line 4 (1 values), line 5 (3 values)"),
        (b"a,b\n1,2\n\0\0\0\0", "zero byte at position 8: it is damaged, half written, or no text\n  rows: line 3"),
        ("a,b\n1,2\n3,ü".encode()[:-1], "it ends in the middle of a letter, so it is half written\n  rows: line 3"),
        ("a,b\nü,2\n".encode() + "ü,3\n".encode("cp1252"), "so the file is damaged or of two parts\n  rows: line 3"),
        ("a,b\nМосква,2\n".encode("cp1251"), "in an encoding that nothing says\n  rows: line 2"),
        ("a,b\nMüller,2\n".encode("mac_roman"), "in Windows-1252 it would be a capital inside a word\n  rows: line 2"),
        ("a,b\nPaweł i Kasia\n".encode("cp1250").replace(b" ", b"a"), "a sign inside a word"),
        ("a,b\nŁódź,2\n".encode("cp1250"), "in Windows-1252 it would be a sign inside a word"),
        ("a,b\nWieś,2\n".encode("iso-8859-2"), "in Windows-1252 it would be a sign inside a word"),
        (b"a,b\nx\x81,2\n", "no letter of Windows-1252 either\n  rows: line 2"),
        ("a,b\nü,2\n".encode("utf-16")[:-1], "UTF-16-LE and breaks off, or is damaged"),
        (b"a;b,c\n1;2,3\n4;5,6\n", "nothing says whether commas or semicolons separate the columns"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, content, message):
    assert message in refused(tmp_path, content)


@pytest.mark.parametrize(
    "names", ["Société Générale", "L’Oréal «x»", "¿Qué? Nº 5", "Ørsted Mærsk", "Geht´s Größe", "€ 5 £bn"]
)
def test_names_of_the_west_are_read_as_windows_wrote_them(tmp_path, names):
    assert table_of(tmp_path, f"a,b\n{names},1\n".encode("cp1252")).frame["a"].tolist() == [names]


def test_no_source_file_is_changed(tmp_path):
    table_of(tmp_path, SEMICOLONS.encode("utf-16"))
    assert (tmp_path / "deals.csv").read_bytes() == SEMICOLONS.encode("utf-16")


def test_the_frame_is_text(tmp_path):
    frame = table_of(tmp_path, TEXT.encode()).frame
    assert (frame.dtypes == "str").all()
    assert frame.index.name == "line"
    pd.testing.assert_index_equal(frame.columns, pd.Index(["id", "name", "amount"]))
