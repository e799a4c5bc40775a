"""Tables in a .zip, as Salesforce's weekly export comes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from forecast.data.sources.tables.archive import files_of
from forecast.errors import DataError


def packed(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_tables_are_unpacked_while_they_are_read(tmp_path: Path):
    packed(tmp_path / "WE_1.ZIP", {"a/Opportunity.csv": "Id", "readme.md": "x", "../User.csv": "u", "_x/._a.csv": "z"})
    (tmp_path / "Account.csv").write_text("Id")
    (tmp_path / ".hidden.csv").write_text("Id")
    with files_of(tmp_path) as paths:
        assert [path.name for path in paths] == ["Account.csv", "Opportunity.csv", "User.csv"]
        unpacked = paths[1]
        assert unpacked.read_text() == "Id"
        assert tmp_path not in unpacked.parents
    assert not unpacked.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden.csv", "Account.csv", "WE_1.ZIP"]
    with files_of(tmp_path / "Account.csv") as paths:
        assert paths == [tmp_path / "Account.csv"]


def test_what_cannot_be_unpacked_is_refused(tmp_path: Path):
    (tmp_path / "half.zip").write_bytes(b"PK\x03\x04half")
    packed(tmp_path / "none.zip", {"readme.md": "x"})
    packed(tmp_path / "twice.zip", {"a/Deal.csv": "1", "b/Deal.csv": "2"})
    packed(tmp_path / "bomb.zip", {"Deal.csv": "0" * (300 << 20)})
    wanted = {"half": "damaged", "none": "holds no table", "twice": "two files called Deal.csv", "bomb": "larger"}
    for name, what in wanted.items():
        with pytest.raises(DataError, match=what), files_of(tmp_path / f"{name}.zip"):
            pass
