"""An override as a row of a file: whole or not at all, no other row touched, nothing a spreadsheet would run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.schema import TABLES
from forecast.errors import DataError, MachineError, ParameterError
from forecast.reporting.explorer import override_file
from forecast.reporting.explorer.override_file import write_override
from logs import log_of, table

DEALS = """
    opportunity_id  created_on  segment stage outcome closed_on   expected_close_on amount
    O1              2026-01-05  East    Won   won     2026-03-10  2026-03-10        130
    O2              2026-01-05  West    Won   won     2026-03-10  2026-03-10        50
"""
SUBMITTED = """
    submitted_on target_period segment submitter amount category
    2026-03-02   2026-03       East    sales     120    commit
"""
ROW: dict[str, Any] = {
    "submitted_on": "2026-03-31",
    "target_period": "2026-04",
    "segment": "East",
    "submitter": "sales",
    "amount": 120,
    "base": 100.5,
    "reason": "the port, renewed",
}
HEADER = "submitted_on,target_period,segment,submitter,category,amount,reason,base\n"


@pytest.fixture(scope="module")
def log() -> forecast.Log:
    tables = {"opportunities": table(DEALS), "submitted_forecasts": table(SUBMITTED)}
    return log_of(tables, extracted_on=pd.Timestamp("2026-03-31"))


def test_by_hand(log, tmp_path):
    file = tmp_path / "overrides.csv"
    row = write_override(log, file, **ROW)
    written = f'{HEADER}2026-03-31,2026-04,East,sales,,120,"the port, renewed",100.5\n'
    assert file.read_text() == written
    assert tuple(row.columns) == tuple(column.name for column in TABLES["submitted_forecasts"].columns)
    assert row.to_dict("records")[0] == ROW | {"category": ""}
    write_override(log, file, **ROW | {"segment": "West", "reason": " a  campaign\n begins "})
    assert file.read_text() == f"{written}2026-03-31,2026-04,West,sales,,120,a campaign begins,100.5\n"


def test_the_file_is_read_as_the_companys_table(log, tmp_path):
    table(DEALS).to_csv(tmp_path / "opportunities.csv", index=False)
    write_override(log, tmp_path / "submitted_forecasts.csv", **ROW)
    again = forecast.read(tmp_path).get("submitted_forecasts").iloc[0]
    assert (again["amount"], again["base"], again["reason"]) == (120, 100.5, "the port, renewed")


def test_every_byte_of_the_others_stays(log, tmp_path):
    file = tmp_path / "theirs.csv"
    old = (
        '\ufeff"Submitted_on",base,amount,note,segment,submitter,target_period,reason\r\n'
        '2026-02-03,1,2.50,"two\r\nlines",East,sales,2026-03,"said ""so"""\r\n'
        "2026-02-03,,,,,,,\r\n"
        "2026-02-04,1,2,x,West,Sales,2026-03,y"  # no end of the line
    ).encode()
    file.write_bytes(old)
    file.chmod(0o640)
    write_override(log, file, **ROW)
    assert file.read_bytes() == old + b'\r\n2026-03-31,100.5,120,,East,sales,2026-04,"the port, renewed"\r\n'
    assert file.stat().st_mode & 0o777 == 0o640
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    write_override(log, link, **ROW | {"segment": "West"})
    assert link.is_symlink()
    assert file.read_bytes().startswith(old)


def test_the_same_row_twice_is_refused_or_replaced(log, tmp_path):
    file = tmp_path / "overrides.csv"
    write_override(log, file, **ROW)
    write_override(log, file, **ROW | {"segment": "West", "reason": "of two\nlines"})
    before = file.read_bytes()
    for same in (ROW, ROW | {"submitter": " SALES ", "amount": 90}):
        with pytest.raises(ParameterError, match=r"stands in overrides.csv already\n  mend: replace=True"):
            write_override(log, file, **same)
    assert file.read_bytes() == before
    write_override(log, file, **ROW | {"amount": 90}, replace=True)
    assert file.read_bytes() == before.replace(b"sales,,120", b"sales,,90", 1)
    write_override(log, file, **ROW | {"submitter": "reps"}, replace=True)  # there is none to replace: it is added
    assert file.read_text().count("\n") == 4


def test_a_row_that_the_company_has_already_is_refused(log, tmp_path):
    known = ROW | {"submitted_on": "2026-03-02", "target_period": "2026-03", "submitter": "Sales", "category": "Commit"}
    with pytest.raises(ParameterError, match="in the company's data already"):
        write_override(log, tmp_path / "overrides.csv", **known)
    assert not (tmp_path / "overrides.csv").exists()
    write_override(log, tmp_path / "overrides.csv", **known | {"category": "best case"})


@pytest.mark.parametrize("reason", ["", "   ", "because", "?? !! 12 34", "a b"])
def test_without_a_reason_nothing_is_written(log, tmp_path, reason):
    with pytest.raises(ParameterError, match=r"reason: .*\n  mend: write why it is not the base"):
        write_override(log, tmp_path / "overrides.csv", **ROW | {"reason": reason})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": "=cmd() and more"}, "formula"),
        ({"reason": "fine;=cmd() and more"}, "formula"),
        ({"submitter": "@sales"}, "formula"),
        ({"category": "+commit"}, "formula"),
        ({"reason": "a large\x07 deal"}, "cannot be printed"),
        ({"reason": "large deal " * 60}, "letters are too many"),
        ({"segment": "Easst"}, "did you mean 'East'"),
        ({"segment": "Total"}, "no segment 'Total'"),
        ({"submitter": " "}, "nobody is named"),
        ({"amount": -1.0}, "amount: -1.0"),
        ({"amount": np.nan}, "amount: nan"),
        ({"base": True}, "base: True"),
        ({"base": "100"}, "base: '100'"),
        ({"amount": 100.5}, "the base itself"),
        ({"target_period": "2026-02"}, "had ended by 2026-03-31"),
        ({"target_period": "April"}, "April"),
        ({"submitted_on": "soon"}, "soon"),
    ],
)
def test_bad_values(log, tmp_path, wrong, said):
    with pytest.raises(ParameterError, match=said):
        write_override(log, tmp_path / "overrides.csv", **ROW | wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"submitted_on;target_period;segment\n", "no column submitted_on"),
        (HEADER.replace(",reason", "").encode(), "no column reason"),
        (f'{HEADER}2026-03-31,2026-04,East,sales,,1,"never closed,1\n'.encode(), "cannot be read after line 1"),
        ("Übersicht".encode("latin-1"), "not written in UTF-8"),
    ],
)
def test_a_file_that_is_none_of_ours_stays_as_it_is(log, tmp_path, text, said):
    file = tmp_path / "theirs.csv"
    file.write_bytes(text)
    with pytest.raises(DataError, match=said):
        write_override(log, file, **ROW)
    assert file.read_bytes() == text


def test_whole_or_not_at_all(log, tmp_path, monkeypatch):
    file = tmp_path / "overrides.csv"
    write_override(log, file, **ROW)
    before = file.read_bytes()

    def full(temporary: Path, text: str, path: Path) -> None:  # noqa: ARG001
        temporary.write_bytes(text.encode()[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(override_file, "_write", full)
    with pytest.raises(MachineError, match="No space left"):
        write_override(log, file, **ROW | {"segment": "West"})
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(MachineError, match="make it first"):
        write_override(log, tmp_path / "nowhere" / "overrides.csv", **ROW)


def test_rows_of_several_writers_are_all_there(log, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    file = tmp_path / "overrides.csv"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: write_override(log, file, **ROW | {"submitter": f"rep {k}"}), range(24)))
    rows = list(csv.DictReader(file.open()))
    assert sorted(row["submitter"] for row in rows) == sorted(f"rep {k}" for k in range(24))
