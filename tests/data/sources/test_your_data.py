"""docs/your_data.md stays true: its commands, in an empty folder, on a small company in each CRM's form."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import crm_forms
from forecast.cli import app
from forecast.data.known.snapshot import snapshot
from forecast.data.sources.read import read
from servers import PASSWORD

PAGE = Path(__file__).parents[3] / "docs" / "your_data.md"
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S))
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.M | re.S)


def blocks(section: str, language: str) -> list[str]:
    """Return the fenced blocks of a section: commands have no language, what they print is text, files are toml."""
    return [body for name, body in _FENCED.findall(SECTIONS[section]) if name == language]


@pytest.fixture(scope="module")
def company(root: Path) -> crm_forms.Deals:
    return crm_forms.some_of(crm_forms.deals_of(root / "data" / "sample"), every=40)


@pytest.fixture
def forecast(capsys, monkeypatch, tmp_path) -> Callable[[str], str]:
    """Return a function that runs a command in an empty folder and returns what it printed.

    Of a report only what it begins with: the data are read, and the day is one of theirs.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORECAST_DEBUG", "0")
    (tmp_path / "export").mkdir()

    def ran(command: str) -> str:
        words = shlex.split(command)
        assert words[0] == "forecast"
        if words[1] == "report":
            assert (words[2], words[4]) == ("--data", "--as-of")
            assert len(snapshot(read(words[3]), as_of=words[5]).opportunities)
            return ""
        with pytest.raises(SystemExit) as end:
            app.main(words[1:])
        said = capsys.readouterr()
        assert not end.value.code, said.err
        return said.out + said.err

    return ran


def comes_out(company: crm_forms.Deals, data: str = "ours", *, money: str = "base") -> None:
    """Hold what was imported against the company: deals by outcome, won amounts, months, history."""
    log = read(data)
    deals, ours = log.tables["opportunities"], company.deals
    assert deals["outcome"].value_counts().to_dict() == ours["outcome"].value_counts().to_dict()
    assert deals["segment"].nunique() == ours["segment"].nunique()
    for day in ("created_on", "expected_close_on", "closed_on"):
        months = [frame[day].dt.to_period("M").value_counts().to_dict() for frame in (deals, ours)]
        assert months[0] == months[1], day
    for outcome, rows in ours.groupby("outcome"):
        assert deals.loc[deals["outcome"] == outcome, "amount"].sum() == pytest.approx(rows[money].sum(), abs=0.5)


def same_past(company: crm_forms.Deals, *, money: str) -> None:
    """Hold the history that was imported against the company's, row by row, changes of owner apart."""
    past = read("ours").tables["opportunity_history"]
    theirs = pd.DataFrame(
        {
            "number": past["opportunity_id"].astype("str").str[3:15].astype(int),
            "stage": past["stage"].astype("str"),
            "amount": past["amount"].round(2),
            "expected_close_on": past["expected_close_on"],
        }
    )
    ours = company.past.assign(amount=company.past[money])[list(theirs)]
    pd.testing.assert_frame_equal(_changes(theirs), _changes(ours.astype({"stage": "str"})), check_dtype=False)


def _changes(past: pd.DataFrame) -> pd.DataFrame:
    past = past.sort_values("number", kind="stable")
    return past[past.ne(past.shift()).any(axis=1)].reset_index(drop=True)


def like(text: str) -> str:
    """Return a text without its numbers, which are those of the large company."""
    return re.sub(r"[\d,.]+", "#", text)


def follow(section: str, forecast: Callable[[str], str]) -> None:
    """Run the first commands of a section, and find every line that the page says they print."""
    printed = ""
    for command in blocks(section, "")[0].splitlines():
        printed += forecast(command)
    for line in blocks(section, "text")[0].splitlines():
        if not line.startswith("report:"):
            assert like(line) in like(printed), line


class TestSalesforce:
    def test_objects_with_the_field_history(self, company, forecast):
        crm_forms.salesforce_api(company, Path("export"), history="fields")
        follow("Salesforce", forecast)
        comes_out(company, money="amount")
        same_past(company, money="amount")

    def test_objects_with_the_history_of_stages(self, company, forecast):
        crm_forms.salesforce_api(company, Path("export"), history="states")
        forecast(blocks("Salesforce", "")[0].splitlines()[0])
        same_past(company, money="amount")

    @pytest.mark.parametrize("history", ["", "states", "fields"])
    def test_reports(self, company, forecast, history):
        crm_forms.salesforce_report(company, Path("export"), history=history)
        forecast(blocks("Salesforce", "")[0].splitlines()[0])
        comes_out(company)
        if history:
            same_past(company, money="base")
        else:
            assert "opportunity_history" not in read("ours").tables


class TestHubSpot:
    def test_two_pipelines_with_stages_of_their_own(self, company, forecast):
        crm_forms.hubspot_screen(company, Path("export"))
        follow("HubSpot", forecast)
        comes_out(company)
        assert set(read("ours").tables["opportunities"]["stage"]) >= {"Signed (Renewals)", "Gone (New business)"}

    def test_without_the_columns_that_say_what_is_closed(self, company, forecast, capsys):
        crm_forms.hubspot_screen(company, Path("export"), closed_columns=False)
        with pytest.raises(SystemExit) as end:
            app.main(["import", "hubspot", "export", "--out", "ours"])
        message = capsys.readouterr().err
        assert end.value.code == 1
        assert "'Signed (New business)'" in message
        assert "taken as open by their names" in message
        assert "'Gone (New business)'" in message
        Path("stages.toml").write_text(blocks("HubSpot", "toml")[0], encoding="utf-8")
        forecast(blocks("HubSpot", "")[1].strip())
        comes_out(company)


def test_dynamics(company, forecast):
    crm_forms.dynamics_view(company, Path("export"))
    follow("Dynamics 365", forecast)
    comes_out(company)


class TestPipedrive:
    def test_with_the_mapping_that_comes_with_the_program(self, company, forecast):
        crm_forms.pipedrive_list(company, Path("export"))
        follow("Pipedrive", forecast)
        comes_out(company)

    def test_with_a_mapping_of_ones_own(self, company, forecast):
        crm_forms.pipedrive_list(company, Path("export"))
        Path("pipedrive.toml").write_text(blocks("Pipedrive", "toml")[0], encoding="utf-8")
        forecast(blocks("Pipedrive", "")[1].strip())
        deals = read("ours").tables["opportunities"]
        assert set(deals["segment"]) <= set(company.deals["owner"])
        assert len(deals) == (company.deals["account_id"] != "Account 7311").sum() < len(company.deals)


def test_any_other_crm(company, forecast):
    deals = company.deals
    pd.DataFrame(
        {
            "Deal number": deals["number"],
            "Created": deals["created_on"].dt.strftime("%Y-%m-%d"),
            "Phase": deals["stage"],
            "Value": deals["base"],
            "Expected close date": deals["expected_close_on"].dt.strftime("%Y-%m-%d"),
            "Closed on": deals["closed_on"].dt.strftime("%Y-%m-%d"),
            "Status": deals["outcome"],
            "Region": deals["segment"],
        }
    ).to_csv("export/deals.csv", index=False)
    for command in blocks("Any other CRM", "")[0].splitlines():
        forecast(command)
    comes_out(company)


class TestTablesOfYourOwn:
    def test_a_workbook(self, company, forecast):
        crm_forms.workbook(company, Path("export/ours.xlsx"))
        forecast(blocks("Tables of your own", "")[0].strip())
        comes_out(company, "export/ours.xlsx")

    def test_a_csv_of_a_european_excel(self, company, forecast):
        crm_forms.european_csv(company, Path("export"))
        forecast(blocks("Tables of your own", "")[1].strip())
        comes_out(company, "export")


class TestADatabase:
    """The tables in it are those of a workbook; test_databases holds that any source gives the same log."""

    @pytest.fixture
    def tables(self, company) -> dict[str, pa.Table]:
        crm_forms.workbook(company, Path("ours.xlsx"))
        frames = {name: frame for name, frame in read("ours.xlsx").tables.items() if name != "stages"}
        texts = {
            name: frame.astype(dict.fromkeys(frame.select_dtypes("category"), "str")) for name, frame in frames.items()
        }
        return {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in texts.items()}

    def test_duckdb(self, company, forecast, tables):
        with duckdb.connect("export/sales.duckdb") as database:
            for name, table in tables.items():
                database.register("given", table)
                database.execute(f'create table "{name}" as select * from given')
                database.unregister("given")
        command = blocks("A database", "")[0].strip()
        forecast(command)
        comes_out(company, shlex.split(command)[3])

    @pytest.mark.slow
    @pytest.mark.xdist_group("postgres")
    def test_postgresql(self, company, forecast, tables, postgres, monkeypatch):
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        postgres.run("postgres", "create database your_data")
        postgres.run("your_data", "create schema crm")
        postgres.load("your_data", tables, schema="crm")
        ours = postgres.address("your_data", schema="crm")
        theirs = shlex.split(blocks("A database", "")[1])[3]
        assert re.sub(r"//[^?]*", "", ours) == re.sub(r"//[^?]*", "", theirs)
        forecast(blocks("A database", "")[1].strip().replace(theirs, ours))
        comes_out(company, ours)


@pytest.mark.long
@pytest.mark.slow
def test_the_report_itself_from_a_screen_export(company, monkeypatch, tmp_path):
    """The second command as it stands, notebooks and all: there is a leader's page."""
    monkeypatch.chdir(tmp_path)
    Path("export").mkdir()
    crm_forms.hubspot_screen(company, Path("export"))
    for command in blocks("HubSpot", "")[0].splitlines():
        with pytest.raises(SystemExit) as end:
            app.main(shlex.split(command)[1:])
        assert not end.value.code
    assert "FY26 Q4" in Path("reports/2026-10-31/index.html").read_text(encoding="utf-8")


def test_the_company_toml_of_the_page_is_one(company, forecast):
    section = PAGE.read_text(encoding="utf-8")
    text = next(body for name, body in _FENCED.findall(section) if name == "toml")
    assert set(tomllib.loads(text)) == {"name", "timezone", "fiscal_year_start"}
    crm_forms.salesforce_api(company, Path("export"), history="")
    Path("export/company.toml").write_text(text, encoding="utf-8")
    printed = forecast("forecast import salesforce export --out ours")
    assert "company.toml is new" not in printed
    assert read("ours").company.fiscal_year_start == 2


def test_without_a_company_toml_what_is_assumed_is_said(company, forecast):
    crm_forms.dynamics_view(company, Path("export"))
    printed = forecast("forecast import dynamics export --out ours")
    assert 'company.toml is new and assumes timezone = "UTC", fiscal_year_start = 1, no currency' in printed
