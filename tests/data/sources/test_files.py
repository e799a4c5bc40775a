"""Folders of CSV and Parquet files, company.toml, and what stands in their way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import maven
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import snapshot
from forecast.data.sources.files import locate, problems_in, read, read_raw
from forecast.errors import DataError

OPPORTUNITIES = """opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome,account_id
A,2026-01-10,East,Won,120.10,2026-04-30,2026-03-30,won,"Acme, Inc."
B,2026-02-10,Süd,Propose,60,2026-04-30,,open,
"""
HISTORY = """opportunity_id,recorded_at,stage,amount,expected_close_on
A,2026-01-10T09:00:00Z,Qualify,100,2026-03-31
A,2026-03-30T09:00:00Z,Won,120.10,2026-04-30
B,2026-02-10T09:00:00Z,Propose,60,2026-04-30
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, opportunities=OPPORTUNITIES, opportunity_history=HISTORY)
    return tmp_path


def write(folder: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.csv").write_bytes(data)


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as error:
        read(folder)
    return str(error.value)


def test_a_folder_of_csv(folder):
    log = read(folder)
    assert log.opportunities["account_id"].tolist()[0] == "Acme, Inc."
    assert log.opportunities["segment"].tolist() == ["East", "Süd"]
    assert log.source == str(folder)
    assert len(log.tables["opportunity_history"]) == 3
    assert set(log.missing) >= {"stages", "leads", "plan"}


@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), str.rstrip])
def test_marks_line_ends_and_a_missing_last_newline_make_no_difference(folder, change):
    before = read(folder)
    write(folder, opportunities=change(OPPORTUNITIES))
    pd.testing.assert_frame_equal(read(folder).opportunities, before.opportunities)


def test_parquet_gives_the_same_log(folder, tmp_path_factory):
    log = read(folder)
    typed, plain = tmp_path_factory.mktemp("typed"), tmp_path_factory.mktemp("plain")
    for name, frame in log.tables.items():
        frame.to_parquet(typed / f"{name}.parquet")
    for name, frame in read_raw(folder)[0].items():
        frame.reset_index(drop=True).to_parquet(plain / f"{name}.parquet")
    for other in (typed, plain):
        again = read(other)
        for name, frame in log.tables.items():
            pd.testing.assert_frame_equal(again.tables[name], frame)


def test_a_separator_at_the_end_of_each_line_makes_no_column(folder):
    before = read(folder).opportunities
    write(folder, opportunities="".join(f"{line},\n" for line in OPPORTUNITIES.splitlines()))
    pd.testing.assert_frame_equal(read(folder).opportunities, before)


OTHERS = ("accounts", "contacts", "cases", "deals", "quotes", "teams", "products", "users", "leaders", "pipelines")


def test_files_of_others_are_left_alone_and_named(folder):
    (folder / "README.md").write_text("# Notes")
    (folder / ".hidden.csv").write_text("x")
    (folder / "import_notes.txt").write_text("- read as it is")
    assert read(folder).notes == ()
    for name in OTHERS:
        (folder / f"{name}.csv").write_text("account,sector,owner\nAcme,retail,Ann\n")
    (folder / "weather.csv").write_text("")
    log = read(folder)
    assert set(log.tables) == {"opportunities", "opportunity_history"}
    (note,) = log.notes
    names = ", ".join(sorted([*(f"{name}.csv" for name in OTHERS), "weather.csv"]))
    assert note.what == f"files that are none of our tables are not read: {names}"
    assert note.severity == "info"
    assert problems_in(folder) == [note]


def test_text_of_windows_is_read_and_said(folder):
    before = read(folder)
    write(folder, opportunities=OPPORTUNITIES.encode("cp1252"))
    log = read(folder)
    pd.testing.assert_frame_equal(log.opportunities, before.opportunities)
    (note,) = log.notes
    assert (note.severity, note.table) == ("info", "opportunities")
    assert "read as Windows-1252 (cp1252), since it is not UTF-8: byte 0xfc, line 3 (" in note.what


class TestLocation:
    def test_a_relative_folder_is_found_from_any_folder_below(self, folder, monkeypatch):
        below = folder.parent / "notebooks" / "old"
        below.mkdir(parents=True)
        monkeypatch.chdir(below)
        assert locate(folder.name) == folder
        assert len(read(folder.name).opportunities) == 2

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(DataError, match="there is no folder"):
            locate(tmp_path / "nowhere")

    def test_a_file_is_no_folder(self, folder):
        with pytest.raises(DataError, match=r"opportunities\.csv is a file"):
            locate(folder / "opportunities.csv")


class TestRefused:
    def test_a_misspelt_table(self, folder):
        (folder / "opportunity_history.csv").rename(folder / "oportunity_history.csv")
        assert "oportunity_history.csv looks like a misspelt table: did you mean 'opportunity_history'?" in refused(
            folder
        )

    @pytest.mark.parametrize("name", ["opportunites", "Opportunities", "oportunities", "opportunity"])
    def test_a_misspelt_table_of_opportunities(self, folder, name):
        (folder / "opportunities.csv").rename(folder / f"{name}.csv")
        assert f"{name}.csv looks like a misspelt table: did you mean 'opportunities'?" in refused(folder)

    def test_a_table_that_is_there_twice(self, folder):
        pd.DataFrame({"opportunity_id": ["A"]}).to_parquet(folder / "opportunities.parquet")
        assert "there is opportunities.csv and opportunities.parquet" in refused(folder)

    def test_a_column_that_is_there_twice(self, folder):
        write(folder, opportunities=OPPORTUNITIES.replace("expected_close_on", "amount"))
        assert "opportunities.amount: this column is there twice" in refused(folder)

    def test_a_column_without_a_name(self, folder):
        write(folder, opportunities=OPPORTUNITIES.replace("account_id", ""))
        assert "column 9 of opportunities.csv has no name" in refused(folder)

    def test_rows_of_another_length(self, folder):
        write(folder, opportunities=OPPORTUNITIES.replace('"Acme, Inc."', "Acme, Inc."))
        text = refused(folder)
        assert "more or fewer values than the 9 columns\n  rows: line 2 (10 values)" in text

    def test_not_parquet(self, folder):
        (folder / "plan.parquet").write_text("period,segment,amount")
        assert "plan: plan.parquet cannot be read as Parquet" in refused(folder)
        (folder / "plan.parquet").write_text("")
        assert "plan: plan.parquet is empty" in refused(folder)

    def test_no_tables_at_all(self, tmp_path):
        assert "opportunities: this table is missing" in refused(tmp_path)

    def test_lines_are_those_of_the_file_also_after_text_of_two_lines(self, folder):
        rows = OPPORTUNITIES.splitlines()
        two_lines = rows[1].replace("Acme, Inc.", "Acme\nInc.")
        write(folder, opportunities="\n".join([rows[0], two_lines, "", rows[2].replace(",60,", ",6o,"), ""]))
        assert "opportunities.amount: a value is not a number" in refused(folder)
        assert "rows: line 5 ('6o')" in refused(folder)

    def test_nothing_is_written(self, folder):
        before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
        read(folder)
        assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before


def test_check_lists_files_and_values_together(folder):
    write(folder, opportunities=OPPORTUNITIES.replace(",60,", ",sixty,"), plan="", stages="stage;position\n")
    (folder / "company.toml").write_text("nmae = 'x'")
    found = {(problem.table, problem.column) for problem in problems_in(folder) if problem.severity == "fatal"}
    assert found == {("company.toml", "nmae"), ("plan", ""), ("stages", "outcome"), ("opportunities", "amount")}
    write(folder, opportunities=OPPORTUNITIES)
    for name in ("plan.csv", "stages.csv", "company.toml"):
        (folder / name).unlink()
    assert problems_in(folder) == []


class TestCompany:
    def company(self, folder, text):
        (folder / "company.toml").write_text(text, encoding="utf-8")
        return read(folder).company

    def test_defaults(self, folder):
        company = read(folder).company
        assert (company.timezone, company.fiscal_year_start, company.calendar, company.settle_days) == (
            "UTC",
            1,
            "month",
            7,
        )

    def test_every_key(self, folder):
        (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
        company = self.company(
            folder,
            """
            name = "Müller"
            currency = "EUR"
            timezone = "Europe/Berlin"
            fiscal_year_start = 4
            calendar = "4-4-5"
            logo = "logo.png"
            extracted_on = 2026-05-17
            settle_days = 3
            fixed_at_creation = ["amount", "account_id"]
            """,
        )
        assert company.name == "Müller"
        assert company.extracted_on == pd.Timestamp("2026-05-17")
        assert company.periods.pattern == "4-4-5"
        assert company.fixed_at_creation == ("amount", "account_id")
        assert read(folder).extracted_on == pd.Timestamp("2026-05-17")
        retail = "calendar = '4-5-4'\nfiscal_year_start = 2\nweek_starts_on = 'Sunday'\nyear_named_by = 'start'"
        assert self.company(folder, retail).periods.start(2024 * 12 + 1) == pd.Timestamp("2024-02-04")
        assert self.company(folder, "extracted_on = '2026-05-17'").extracted_on == pd.Timestamp("2026-05-17")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("timezon = 'UTC'", "company.toml.timezon: this key is not known\n  mend: did you mean 'timezone'?"),
            ("timezone = 'Europe/Berln'", "'Europe/Berln' is not a known timezone"),
            ("timezone = 'Europe/Berln'", "did you mean 'Europe/Berlin'?"),
            ("calendar = '4-4-4'", "company.toml.calendar: '4-4-4' is not one of month, 4-4-5, 4-5-4, 5-4-4"),
            ("calendar = '4-4-5'\nweek_starts_on = 'sundy'", "week_starts_on: 'sundy' is not one of monday, tuesday"),
            ("calendar = '4-4-5'\nweek_starts_on = 'sundy'", "mend: did you mean 'sunday'? Write one of"),
            ("calendar = '4-4-5'\nweek_starts_on = 7", "week_starts_on: 7 is not one of monday"),
            ("calendar = '4-4-5'\nyear_ends = 'first'", "year_ends: 'first' is not one of nearest, last"),
            ("year_named_by = 'begin'", "year_named_by: 'begin' is not one of end, start"),
            ("week_starts_on = 'sunday'", "week_starts_on: months of a calendar have no weeks, so that this key says"),
            ("calendar = 'month'\nyear_ends = 'last'", "year_ends: months of a calendar have no weeks"),
            ("own_periods = []", "own_periods: this key is not known"),
            ("negative_amounts = 'drop'", "negative_amounts: 'drop' is not one of keep, leave-out"),
            ("negative_amounts = true", "negative_amounts: True is not one of keep, leave-out"),
            ("fiscal_year_start = 13", "13 is not a whole number from 1 to 12"),
            ("fiscal_year_start = '4'", "'4' is not a whole number from 1 to 12"),
            ("settle_days = -1", "-1 is not a whole number from 0 to 366"),
            ("settle_days = true", "True is not a whole number"),
            ("extracted_on = '31.5.2026'", "'31.5.2026' is not a date such as 2026-10-31"),
            ("extracted_on = 2026-05-31T12:00:00", "is not a date such as 2026-10-31"),
            ("extracted_on = 9999-12-31", "is not a date such as 2026-10-31"),
            ("name = 5", "company.toml.name: 5 is not text in quotes"),
            ("fixed_at_creation = 'amount'", "'amount' is not a list of columns"),
            ("fixed_at_creation = ['outcome']", "'outcome' cannot be fixed at creation"),
            ("logo = 'https://example.org/logo.png'", "never an address"),
            ("logo = '../logo.png'", "is not a picture (png, jpg, gif, webp) in the folder of the data"),
            ("logo = 'logo.svg'", "is not a picture (png, jpg, gif, webp) in the folder of the data"),
            ("logo = 'logo.png'", "there is no file 'logo.png'"),
            ("title = 3", "3 is not text in quotes"),
            ("title = '  '", "is not a title, such as Sales forecast"),
            ('title = "a\\nb"', "one line of text"),
            ('footer = "a\\u202eb"', "without line breaks, tabs or invisible marks"),
            (f"title = '{'x' * 61}'", "at most 60 characters (it has 61)"),
            (f"footer = '{'x' * 401}'", "at most 400 characters (it has 401)"),
            ("logo = 'fake.png'", "'fake.png' is not a png picture"),
            ("name = Acme", "company.toml: cannot be read"),
        ],
    )
    def test_what_is_refused(self, folder, text, message):
        (folder / "fake.png").write_text("<svg/>")
        with pytest.raises(DataError) as error:
            self.company(folder, text)
        assert message in str(error.value)

    def test_a_misspelt_file(self, folder):
        (folder / "compny.toml").write_text("name = 'x'")
        assert "looks like a misspelt company.toml" in refused(folder)


def test_reading_imports_nothing_that_only_models_and_pages_need(folder):
    code = f"import sys, forecast; forecast.read({str(folder)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy", "statsmodels", "sklearn", "matplotlib"} & set(done.stdout.split())


def test_a_real_export_without_history(real_data, tmp_path):
    log = read(maven.build(real_data / "maven_crm", tmp_path / "maven"))
    assert len(log.opportunities) == 8300
    (note,) = [note for note in log.notes if note.column == "created_on"]
    assert note.count == 500
    assert len(note.rows) == 5
    june, end = snapshot(log, as_of="2017-06-30"), snapshot(log, as_of="2017-12-31")
    table = log.opportunities
    assert len(june.opportunities) == (table["created_on"] <= "2017-06-30").sum()
    won = ((table["closed_on"] <= "2017-06-30") & (table["outcome"] == "won")).sum()
    assert (june.opportunities["outcome"] == "won").sum() == won
    still_open = june.opportunities[june.opportunities["outcome"] == "open"]
    assert still_open["stage"].isna().all()
    assert still_open["amount"].notna().all()  # the list price, fixed at creation
    assert june.opportunities["close_value"].isna().all()  # it knows the outcome, and nobody listed it
    assert end.opportunities["stage"].notna().all()
    assert june.notes[0].startswith("There is no table opportunity_history")
    # Published beside the data: 4,238 of the 8,800 were won.
    assert settled_actuals(log, settle_days=0)["deals"].sum() == (table["outcome"] == "won").sum() == 4238
