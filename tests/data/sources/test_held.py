"""A log that is held for the next reader: the log of the folder as it is, once, and never that of another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.schema import Log
from forecast.data.selection import reading
from forecast.data.selection.reading import hold, read_to_hold

ROWS = {
    "opportunity_id": ["a", "b"],
    "created_on": ["2026-01-05", "2026-02-06"],
    "segment": ["North", "South"],
    "stage": ["Open", "Open"],
    "amount": [10.0, 20.0],
    "expected_close_on": ["2026-03-01", "2026-04-01"],
    "closed_on": ["", ""],
    "outcome": ["open", "open"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    pd.DataFrame(ROWS).to_csv(made / "opportunities.csv", index=False)
    return made


@pytest.fixture(autouse=True)
def _nothing_held(monkeypatch):
    monkeypatch.setattr(reading, "_for_the_next", [])


def held_for(folder: Path) -> Log:
    held = read_to_hold(folder)
    hold(held)
    return held.log


def test_the_next_reader_gets_it_and_the_one_after_reads(folder):
    held = held_for(folder)
    assert forecast.read(folder) is held
    again = forecast.read(folder)
    assert again is not held
    pd.testing.assert_frame_equal(again.opportunities, held.opportunities)
    assert again.source == held.source


def changed(folder: Path) -> None:
    file = folder / "opportunities.csv"
    old = file.stat()
    file.write_text(file.read_text().replace("10.0", "11.0"))
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns + 1))


def replaced(folder: Path) -> None:
    """Put another file of the same size and time in the place of one."""
    file, other = folder / "opportunities.csv", folder.parent / "other.csv"
    other.write_text(file.read_text().replace("10.0", "11.0"))
    shutil.copystat(file, other)
    other.replace(file)


def with_another_currency(folder: Path) -> None:
    (folder / "company.toml").write_text('currency = "CHF"\n')


@pytest.mark.parametrize("change", [changed, replaced, with_another_currency])
def test_a_folder_that_has_changed_is_read_anew(folder, change):
    held = held_for(folder)
    change(folder)
    log = forecast.read(folder)
    assert log is not held
    assert log.opportunities["amount"].iloc[0] == 11.0 or log.company.currency == "CHF"


def test_another_folder_is_read_itself(folder, tmp_path):
    held = held_for(folder)
    shutil.copytree(folder, tmp_path / "copy")
    log = forecast.read(tmp_path / "copy")
    assert log is not held
    assert log.source == str(tmp_path / "copy")
