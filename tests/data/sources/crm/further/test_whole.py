"""A company written as a Salesforce export comes back to the cent; the three forms of an export make the same files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.sources.crm.export import Choices
from forecast.data.sources.crm.importing import import_crm
from forecast.data.submissions import official_forecasts
from salesforce_exports import DEALS, USERS

FURTHER = ("leads", "marketing", "plan", "quotas", "submitted_forecasts")


CATEGORIES = {"commit": "CommitForecast", "best case": "BestCaseForecast"}


def _first_days(periods: pd.Series) -> pd.Series:
    return periods + "-01"


def write_export(tables: dict[str, pd.DataFrame], where: Path) -> None:
    """Write a company's tables as Salesforce's API exports them."""
    where.mkdir()
    deals, segments = tables["opportunities"], sorted(tables["plan"]["segment"].unique())
    owners = {name: f"005{place:012d}" for place, name in enumerate(sorted(tables["quotas"]["owner"].unique()))}
    areas = {name: f"0MI{place:012d}" for place, name in enumerate(segments)}
    iso = "%Y-%m-%d"
    pd.DataFrame(
        {
            "Id": deals["opportunity_id"].astype("str"),
            "StageName": deals["stage"].astype("str"),
            "Amount": deals["amount"],
            "CloseDate": deals["closed_on"].fillna(deals["expected_close_on"]).dt.strftime(iso),
            "CreatedDate": deals["created_on"].dt.strftime(iso),
            "IsClosed": deals["outcome"] != "open",
            "IsWon": deals["outcome"] == "won",
            "OwnerId": deals["owner"].astype("str").map(owners),
            "Region__c": deals["segment"].astype("str"),
        }
    ).to_csv(where / "Opportunity.csv", index=False)
    pd.DataFrame({"Id": owners.values(), "Name": owners.keys()}).to_csv(where / "User.csv", index=False)
    pd.DataFrame({"Id": areas.values(), "Name": areas.keys()}).to_csv(where / "Territory2.csv", index=False)
    plan, quotas = tables["plan"], tables["quotas"]
    pd.concat(
        [
            pd.DataFrame(
                {
                    "QuotaOwnerId": "005M00000000000",
                    "Territory2Id": plan["segment"].map(areas),
                    "StartDate": _first_days(plan["period"]),
                    "QuotaAmount": plan["amount"],
                }
            ),
            pd.DataFrame(
                {
                    "QuotaOwnerId": quotas["owner"].map(owners),
                    "StartDate": _first_days(quotas["period"]),
                    "QuotaAmount": quotas["quota"],
                }
            ),
        ]
    ).to_csv(where / "ForecastingQuota.csv", index=False)
    said = tables["submitted_forecasts"]
    pd.DataFrame(
        {
            "Territory2Id": said["segment"].map(areas),
            "OwnerId": "005M00000000000",
            "StartDate": _first_days(said["target_period"]),
            "EndDate": [f"{pd.Period(one, 'M').end_time:%Y-%m-%d}" for one in said["target_period"]],
            "ForecastingItemCategory": said["category"].map(CATEGORIES),
            "ForecastAmount": said["amount"],
            "Snapshot Date": said["submitted_on"].dt.strftime(iso),
        }
    ).to_csv(where / "ForecastingItem.csv", index=False)
    spent, leads = tables["marketing"], tables["leads"]
    months = [pd.Period(one, "M") for one in spent["period"]]
    pd.DataFrame(
        {
            "Id": [f"701{place:012d}" for place in range(len(spent))],
            "Type": spent["channel"],
            "StartDate": [f"{one.start_time:%Y-%m-%d}" for one in months],
            "EndDate": [f"{one.end_time:%Y-%m-%d}" for one in months],
            "ActualCost": spent["spend"],
            "Region__c": spent["segment"],
        }
    ).to_csv(where / "Campaign.csv", index=False)
    pd.DataFrame(
        {
            "Id": leads["lead_id"].astype("str"),
            "CreatedDate": leads["created_on"].dt.strftime(iso),
            "LeadSource": leads["channel"].astype("str"),
            "ConvertedOpportunityId": leads["opportunity_id"].astype("str"),
            "Region__c": leads["segment"].astype("str"),
        }
    ).to_csv(where / "Lead.csv", index=False)


KEYS = {
    "plan": ["period", "segment"],
    "quotas": ["owner", "period"],
    "marketing": ["period", "segment", "channel"],
    "submitted_forecasts": ["submitted_on", "target_period", "segment", "category"],
}
NUMBERS = {
    "plan": ["amount"],
    "quotas": ["quota"],
    "marketing": ["leads", "spend"],
    "submitted_forecasts": ["amount"],
}


def _numbers(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table's numbers by its key, in order."""
    return table.astype(dict.fromkeys(KEYS[name], "str")).set_index(KEYS[name])[NUMBERS[name]].sort_index()


@pytest.mark.slow
def test_a_company_comes_back_to_the_cent(tmp_path: Path, root: Path):
    given = forecast.read(root / "data" / "sample")
    tables = {name: given.tables[name] for name in ("opportunities", *FURTHER)}
    said = tables["submitted_forecasts"]
    origin = said["submitted_on"].dt.strftime("%Y-%m")
    tables["submitted_forecasts"] = said[(said["submitter"] == "sales") & (said["target_period"] >= origin)]
    write_export(tables, tmp_path / "export")
    choices = Choices(extracted_on=pd.Timestamp("2026-10-31"))
    import_crm("salesforce", tmp_path / "export", tmp_path / "ours", choices=choices)
    log = forecast.read(tmp_path / "ours")
    for name in KEYS:
        got, wanted = _numbers(log.tables[name], name), _numbers(tables[name], name)
        pd.testing.assert_frame_equal(got, wanted, check_dtype=False, atol=0.005, rtol=0)
    assert len(log.tables["leads"]) == len(tables["leads"])
    assert not official_forecasts(log).empty


# -- three forms -----------------------------------------------------------------------------------------

QUOTAS = [
    ("005A", "Ann", "2026-09-01", 1000.0),
    ("005A", "Ann", "2026-10-01", 1234.5),
    ("005B", "Bob", "2026-10-01", 9.0),
]
ITEMS = [("1", "005A", "Ann", "CommitForecast", 500.25), ("2", "005B", "Bob", "CommitForecast", 70.0)]
LEADS = [("00Q1", "2026-08-13T10:00:00.000Z", "Web", "North"), ("00Q2", "2026-09-20T23:30:00.000Z", "Email", "South")]
CAMPAIGNS = [("701A", "Email", "2026-08-17", "2026-09-15", 3000.5, "North")]
PERIOD = ["Period: Start Date", "Period: End Date"]


def _api(where: Path, *, quote: str = "") -> None:
    def table(name: str, head: str, rows: list[tuple[object, ...]]) -> None:
        lines = [head.split(","), *[[str(value) for value in row] for row in rows]]
        text = "\n".join(",".join(f"{quote}{value}{quote}" for value in line) for line in lines)
        (where / name).write_text(f"{text}\n", encoding="utf-8")

    quotas = [(n, a, d, x) for n, (a, _, d, x) in enumerate(QUOTAS)]
    items = [(n, a, "2026-10-01", "2026-10-31", c, x) for n, a, _, c, x in ITEMS]
    table("ForecastingQuota.csv", "Id,QuotaOwnerId,StartDate,QuotaAmount", quotas)
    table("ForecastingItem.csv", "Id,OwnerId,StartDate,EndDate,ForecastingItemCategory,ForecastAmount", items)
    table("Lead.csv", "Id,CreatedDate,LeadSource,Region__c", list(LEADS))
    table("Campaign.csv", "Id,Type,StartDate,EndDate,ActualCost,Region__c", list(CAMPAIGNS))


def _screen(where: Path) -> None:
    """Write the same as reports: labels, dates of the United States, signs, titles above and a foot below."""

    def day(text: str) -> str:
        at = pd.Timestamp(text)
        clock = f", {at:%I:%M %p}".replace(", 0", ", ") if "T" in text else ""
        return f"{at.month}/{at.day}/{at.year}{clock}"

    def report(name: str, head: list[str], rows: list[list[str]]) -> None:
        lines = [",".join(f'"{value}"' for value in line) for line in [head, *rows]]
        foot = f'"Grand Totals ({len(rows)} records)"\n"Confidential Information - Do Not Distribute"\n'
        (where / name).write_text("A report\n\n" + "\n".join(lines) + f"\n{foot}", encoding="utf-8")

    quotas = [[n, day(d), f"EUR {x:,.2f}"] for _, n, d, x in QUOTAS]
    items = [[n, "10/1/2026", "10/31/2026", c, f"EUR {x:,.2f}"] for _, _, n, c, x in ITEMS]
    leads = [[i, day(d), s, r] for i, d, s, r in LEADS]
    campaigns = [[i, t, day(a), day(b), f"EUR {x:,.2f}", r] for i, t, a, b, x, r in CAMPAIGNS]
    report("Quotas-2026-10-20.csv", ["Owner: Full Name", "Start Date", "Quota Amount"], quotas)
    report("Forecast Items.csv", ["Owner: Full Name", *PERIOD, "Forecasting Item Category", "Forecast Amount"], items)
    report("Leads Report.csv", ["Lead ID", "Create Date", "Lead Source", "Region"], leads)
    report("Campaigns.csv", ["Campaign ID", "Type", "Start Date", "End Date", "Actual Cost", "Region"], campaigns)


def test_three_forms_make_the_same_files(tmp_path: Path):
    made = {}
    for form in ("api", "bulk", "screen"):
        where, ours = tmp_path / form, tmp_path / f"{form} ours"
        where.mkdir()
        (where / "Opportunity.csv").write_text(DEALS, encoding="utf-8")
        (where / "User.csv").write_text(USERS, encoding="utf-8")
        if form == "screen":
            _screen(where)
        else:
            _api(where, quote='"' if form == "bulk" else "")
        import_crm("salesforce", where, ours, choices=Choices(extracted_on=pd.Timestamp("2026-10-20")))
        made[form] = {path.name: path.read_bytes() for path in ours.glob("*.csv")}
    assert {f"{name}.csv" for name in FURTHER} - set(made["api"]) == {"plan.csv"}
    assert made["api"] == made["bulk"]
    assert made["api"] == made["screen"]
