"""Result files, and one run of one month: written whole or not at all, locked, taken over, swapped in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import MachineError, ParameterError
from forecast.reporting.month import results as results_module
from forecast.reporting.month import swap
from forecast.reporting.month.results import Results, read_table, write_table
from forecast.reporting.run import workspace


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "origin": pd.to_datetime(["2026-01-31", "2026-02-28"]),
            "target_period": ["2026-03", "FY26 Q1"],
            "segment": ["=HYPERLINK(1)", None],
            "horizon": [1, 2],
            "mean": [-1.5, np.nan],
        }
    )


# -- result files ----------------------------------------------------------------------------------------


def test_a_table_is_there_as_parquet_and_csv(tmp_path, table):
    results = Results(tmp_path / "tables")
    assert "bookings" not in results
    written = results.write("bookings", table)
    assert written.equals(table)
    assert written.attrs["table"] == "bookings"
    assert "table" not in table.attrs
    assert "bookings" in results
    pd.testing.assert_frame_equal(results.read("bookings"), pd.read_parquet(tmp_path / "tables" / "bookings.parquet"))
    pd.testing.assert_frame_equal(results.read("bookings"), table, check_dtype=False)
    assert (tmp_path / "tables" / "bookings.csv").read_text(encoding="utf-8") == (
        "origin,target_period,segment,horizon,mean\n2026-01-31,2026-03,'=HYPERLINK(1),1,-1.5\n2026-02-28,FY26 Q1,,2,\n"
    )
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["bookings.csv", "bookings.parquet"]


def test_get_makes_once(tmp_path, table):
    made = []
    results = Results(str(tmp_path))
    for _ in range(2):
        results.get("deals", lambda: made.append(1) or table)
    assert made == [1]
    nowhere = Results("")
    for _ in range(2):
        pd.testing.assert_frame_equal(nowhere.get("deals", lambda: made.append(1) or table), table)
    assert made == [1, 1, 1]
    with pytest.raises(ParameterError, match="there is no folder of tables"):
        nowhere.read("deals")
    with pytest.raises(ParameterError, match="no table 'planning'"):
        results.read("planning")


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "a.b"])
def test_a_table_cannot_be_named_out_of_its_folder(tmp_path, table, name):
    with pytest.raises(ParameterError, match="cannot name a table"):
        Results(tmp_path).write(name, table)


def test_facts(tmp_path):
    results = Results(tmp_path / "t")
    assert results.read_facts("headline") == {}
    results.write_facts("headline", {"headline": "4,1 Mio. € – <b>", "mean": 4.1})
    assert results.read_facts("headline") == {"headline": "4,1 Mio. € – <b>", "mean": 4.1}
    assert Results("").read_facts("headline") == {}


FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_holds_no_formula(tmp_path, text):
    file = tmp_path / "a.csv"
    write_table(pd.DataFrame({"x": [text, "plain"], text: ["a", "b"]}), file)
    raw = pd.read_csv(file, dtype="str", keep_default_na=False)
    assert raw["x"][0].startswith("'")
    assert raw.columns[1].startswith("'")


def test_csv_holds_no_formula_where_a_semicolon_divides_cells(tmp_path):
    write_table(pd.DataFrame({"x": ["a;=1+1", "a;'@b", "a; +b", "a;b"]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "x\na;'=1+1\na;''@b\na; +b\na;b\n"


def test_numbers_are_no_formulas(tmp_path):
    write_table(pd.DataFrame({"x": [-1.5], "period": ["-3"], "id": ["+49"]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "x,period,id\n-1.5,-3,+49\n"


@pytest.mark.slow
@given(st.lists(st.text(alphabet="ab='+-@,;\"\n\té", min_size=1, max_size=6), min_size=1, max_size=5))
def test_what_is_guarded_comes_back(tmp_path_factory, texts):
    file = tmp_path_factory.mktemp("csv") / "a.csv"
    written = [*texts, "'=1", "''=1", "'a", "x"]
    write_table(pd.DataFrame({"x": written}), file)
    assert read_table(file)["x"].tolist() == written


def test_a_carriage_return_ends_no_row(tmp_path):
    write_table(pd.DataFrame({"x": ["a\rb", "c\r\nd"]}), tmp_path / "a.csv")
    assert read_table(tmp_path / "a.csv")["x"].tolist() == ["a\nb", "c\nd"]


@pytest.mark.faults
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path, table, suffix, monkeypatch):
    file = tmp_path / f"a.{suffix}"
    write_table(table, file)
    before = file.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(MachineError, match="No space left on device"):
        write_table(table, file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.faults
def test_files_that_cannot_be(tmp_path, table):
    with pytest.raises(ParameterError, match=r"must end in \.csv or \.parquet"):
        write_table(table, tmp_path / "a.xlsx")
    with pytest.raises(MachineError, match="make it first"):
        write_table(table, tmp_path / "no" / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(MachineError, match="a folder, not a file"):
        write_table(table, tmp_path / "folder.csv")
    with pytest.raises(ParameterError, match="no such file"):
        read_table(tmp_path / "a.csv")
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(ParameterError, match="cannot be read as a table"):
        read_table(tmp_path / "a.parquet")


def test_a_file_may_be_read_by_others(tmp_path, table):
    before = os.umask(0o022)
    try:
        write_table(table, tmp_path / "a.csv")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o644


# -- a run -----------------------------------------------------------------------------------------------


@pytest.fixture
def month(tmp_path) -> workspace.Month:
    return workspace.Month(out=tmp_path / "reports", as_of="2026-10-31")


@pytest.mark.faults
def test_one_run_at_a_time_also_from_another_process(month):
    code = (
        "import sys\nfrom pathlib import Path\nfrom forecast.reporting.run import workspace\n"
        "from forecast.errors import MachineError\n"
        "try:\n"
        "    with workspace.locked(Path(sys.argv[1]), 'another'): print('in')\n"
        "except MachineError as error: print(error)"
    )

    def other() -> str:
        done = subprocess.run([sys.executable, "-c", code, str(month.out)], capture_output=True, text=True, check=True)
        return done.stdout

    with workspace.locked(month.out, "the report of 2026-10-31"):
        assert f"the report of 2026-10-31 (process {os.getpid()} on " in other()
    assert other() == "in\n"


def test_the_lock_goes_with_an_error(month):
    with pytest.raises(ZeroDivisionError), workspace.locked(month.out, "x"):
        raise ZeroDivisionError
    with workspace.locked(month.out, "y"):
        pass


def test_state_is_taken_over_by_the_same_report_only(month):
    month.out.mkdir()
    state = workspace.State.open(month, "a", resume=True)
    state.finish("01", {"seconds": 1.0})
    (month.work / "tables" / "bookings.csv").write_text("x")
    assert workspace.State.open(month, "a", resume=True).finished == {"01": {"seconds": 1.0}}
    assert (month.work / "tables" / "bookings.csv").exists()
    assert workspace.State.open(month, "b", resume=True).finished == {}
    assert not (month.work / "tables" / "bookings.csv").exists()


@pytest.mark.faults
@pytest.mark.parametrize("text", ["", "{", "[]", '{"fingerprint": "a"}', '{"fingerprint": "a", "finished": 3}'])
def test_a_broken_state_starts_afresh(month, text):
    month.work.mkdir(parents=True)
    (month.work / "state.json").write_text(text)
    assert workspace.State.open(month, "a", resume=True).finished == {}


def test_publication_swaps(month):
    month.out.mkdir()
    for content in ("first", "second"):
        workspace.State.open(month, content, resume=True)
        (month.work / "index.html").write_text(content)
        month.failed.mkdir(parents=True)
        workspace.publish(month)
        assert (month.final / "index.html").read_text() == content
        assert {path.name for path in month.out.iterdir()} == {"2026-10-31"}
        assert not (month.final / "state.json").exists()


@pytest.mark.faults
def test_a_swap_that_fails_puts_the_month_back(month, monkeypatch):
    month.final.mkdir(parents=True)
    (month.final / "index.html").write_text("good")
    workspace.State.open(month, "a", resume=True)
    rename = Path.rename
    monkeypatch.setattr(swap, "exchanged", lambda *_: False)  # a disk that cannot

    def refuse(self: Path, target: Path) -> Path:
        if self == month.work:
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(MachineError, match="cannot be replaced: Permission denied"):
        workspace.publish(month)
    assert (month.final / "index.html").read_text() == "good"
    assert not month.old.exists()


# -- fingerprints ----------------------------------------------------------------------------------------


def test_fingerprints_follow_what_matters(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "folder").mkdir()
    found = workspace.data_fingerprints(tmp_path)
    # echo -n x | sha256sum
    assert found == {"a.csv": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
    cell = {"cell_type": "code", "source": ["a = 1\n", "b"], "metadata": {}, "outputs": []}
    same = {**cell, "source": "a = 1\nb", "outputs": [{"output_type": "stream"}], "execution_count": 3}
    other = {**cell, "source": "a = 2\nb"}
    prints = [workspace.notebook_fingerprint({"cells": [kind]}) for kind in (cell, same, other)]
    assert prints[0] == prints[1] != prints[2]
    assert workspace.code_fingerprint() == workspace.code_fingerprint()
    assert workspace.combined({"a": 1, "b": 2}) == workspace.combined({"b": 2, "a": 1})
    assert workspace.combined({"a": 1}) != workspace.combined({"a": 2})


def test_versions_name_what_numbers_depend_on():
    found = workspace.versions()
    assert {"python", "forecast", "numpy", "pandas", "scipy", "statsmodels"} <= set(found)
    assert json.loads(json.dumps(found)) == found


def test_no_temporary_name_is_taken_for_a_result(tmp_path, table):
    results = Results(tmp_path)
    results.write("bookings", table)
    assert results_module.table_suffix("x.PARQUET") == ".parquet"
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".parquet"}
