"""`forecast init`: a folder to start from, that reads as it says."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pytest

import forecast
from forecast.cli.app import main
from forecast.data.schema import COMPANY_KEYS, TABLES, Company
from forecast.data.sources.company import company_from
from forecast.data.sources.starter import company_text, start_folder
from forecast.errors import MachineError, ParameterError


def test_the_example_is_a_company_of_eight_deals(tmp_path: Path):
    start_folder(tmp_path / "ours")
    log = forecast.read(tmp_path / "ours" / "example")
    assert len(log.opportunities) == 8
    assert set(log.tables) == {"opportunities", "opportunity_history", "stages", "plan"}
    assert forecast.snapshot(log, as_of="2025-12-31").opportunities["outcome"].eq("open").sum() == 4  # D2 to D5
    assert not [problem for problem in log.notes if problem.severity == "fatal"]


def test_every_table_is_there_empty_with_its_columns(tmp_path: Path):
    start_folder(tmp_path / "ours")
    files = sorted((tmp_path / "ours" / "empty").iterdir())
    assert [file.stem for file in files] == sorted(TABLES)
    for file in files:
        (names,) = csv.reader(file.read_text(encoding="utf-8").splitlines())
        assert names == [column.name for column in TABLES[file.stem].columns]


def test_every_key_of_the_company_is_explained_and_holds_alone_when_uncommented():
    text = company_text()
    assert tomllib.loads(text) == {}
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    values = tomllib.loads("\n".join(line for line in lines if line.split(" = ")[0] in COMPANY_KEYS))
    assert set(values) == set(COMPANY_KEYS)
    assert str(values.pop("extracted_on")) == "2026-10-31"
    for key, value in values.items():
        weeks = {"calendar": "4-4-5"} if key in ("week_starts_on", "year_ends") else {}
        assert company_from({key: value, **weeks}) == Company(**weeks), key


def test_nothing_is_written_over(tmp_path: Path):
    (tmp_path / "ours").mkdir()
    start_folder(tmp_path / "ours")  # an empty folder is taken
    before = {file: file.read_bytes() for file in (tmp_path / "ours").rglob("*") if file.is_file()}
    with pytest.raises(ParameterError, match="not empty"):
        start_folder(tmp_path / "ours")
    assert {file: file.read_bytes() for file in (tmp_path / "ours").rglob("*") if file.is_file()} == before
    with pytest.raises(ParameterError, match="this is a file"):
        start_folder(next(iter(before)))
    with pytest.raises(MachineError, match="make it first"):
        start_folder(tmp_path / "none" / "ours")


def test_the_command_says_what_is_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as done:
        main(["init", str(tmp_path / "ours")])
    assert done.value.code == 0
    assert "company.toml" in capsys.readouterr().out
    with pytest.raises(SystemExit) as again:
        main(["init", str(tmp_path / "ours")])
    assert again.value.code == 1
    assert "name a new folder" in capsys.readouterr().err
