"""Salesforce's leads and campaigns -> leads and marketing: each lead once, spend by days, segments never guessed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from salesforce_exports import ONE_SEGMENT, read, rows, told

LEADS = """\
Id,CreatedDate,LeadSource,Status,IsConverted,ConvertedDate,ConvertedOpportunityId,IsDeleted
00Q1,2026-08-30T10:00:00.000Z,Web,Open,false,,,false
00Q2,2026-08-31T10:00:00.000Z,Web,Qualified,true,2026-09-01,006A,false
00Q3,2026-09-30T10:00:00.000Z,Email,Open,false,,,true
00Q4,2026-12-30T10:00:00.000Z,Email,Open,false,,,false
00Q5,2026-09-30T10:00:00.000Z,,Open,false,,,false
"""
PLACED = "\n".join(
    f"{line},{'Region__c' if not n else 'South' if n < 3 else 'North'}" for n, line in enumerate(LEADS.splitlines())
)
CAMPAIGNS = """\
Id,Name,ParentId,Type,StartDate,EndDate,BudgetedCost,ActualCost,HierarchyActualCost
701A,Spring,,Webinar,2026-08-17,2026-09-15,5000,3000,3000
701B,Top,,Email,2026-10-01,2026-12-31,1000,500,3500
701C,Planned,,Email,2026-12-01,2026-12-31,1000,,
701D,Begun,,Email,2026-09-01,2026-09-30,1000,,
"""


def test_one_segment_takes_all(tmp_path: Path):
    result = read(tmp_path, {"Lead.csv": LEADS}, deals=ONE_SEGMENT)
    assert rows(result, "marketing") == [("2026-08", "All", "Web", 2), ("2026-09", "All", "Unknown", 1)]
    leads = result.tables["leads"]
    assert leads["lead_id"].tolist() == ["00Q1", "00Q2", "00Q5"]
    assert leads.loc[1, ["opportunity_id", "qualified_on"]].tolist() == ["006A", pd.Timestamp("2026-09-01")]
    assert "1 lead marked as deleted: left out" in told(result)
    assert "1 lead created after 2026-10-20, the day of the deals: left out" in told(result)


def test_a_column_called_as_the_segments_places_leads(tmp_path: Path):
    result = read(tmp_path, {"Lead.csv": PLACED + "\n"})
    assert rows(result, "marketing") == [("2026-08", "South", "Web", 2), ("2026-09", "North", "Unknown", 1)]


def test_marketing_never_knows_what_became_of_a_lead(tmp_path: Path):
    # Were the converted lead given its deal's segment, August would tell in August who would be won over in September.
    result = read(tmp_path, {"Lead.csv": LEADS})
    unconverted = LEADS.replace("Qualified,true,2026-09-01,006A", "Open,false,,")
    again = read(tmp_path, {"Lead.csv": unconverted})
    pd.testing.assert_frame_equal(result.tables["marketing"], again.tables["marketing"])
    assert result.tables["leads"]["segment"].tolist() == ["Unassigned", "North", "Unassigned"]
    assert "in the table leads 1 have that of the deal they became, 2 are 'Unassigned'" in told(result)


def test_what_has_no_segment_is_shared_out_to_the_hundredth(tmp_path: Path):
    result = read(tmp_path, {"Lead.csv": LEADS, "Campaign.csv": CAMPAIGNS})
    table = result.tables["marketing"]
    sums = table.groupby(["period", "channel"])[["leads", "spend"]].sum()
    assert sums.loc[("2026-08", "Web"), "leads"] == 2
    assert sums.loc[("2026-08", "Webinar"), "spend"] == 1500
    assert table[(table["period"] == "2026-08") & (table["channel"] == "Web")]["leads"].tolist() == [1.33, 0.67]
    assert "belong to the company: in marketing each segment is given its share of the deals created" in told(result)


def test_spend_is_spread_by_the_days_gone_by(tmp_path: Path):
    result = read(tmp_path, {"Lead.csv": LEADS, "Campaign.csv": CAMPAIGNS}, deals=ONE_SEGMENT)
    spend = result.tables["marketing"].set_index(["period", "channel"])["spend"].dropna()
    # 15 of 30 days in August; the campaign that still runs spent all of its 500 by 20 October.
    assert spend.to_dict() == {("2026-08", "Webinar"): 1500, ("2026-09", "Webinar"): 1500, ("2026-10", "Email"): 500}
    assert "1 campaign with a budget but no actual cost" in told(result)
    assert "1 campaign beginning after the day of the export: left out" in told(result)


@pytest.mark.parametrize("form", ["own costs", "hierarchy alone", "added up by hand"])
def test_a_parent_counts_once(tmp_path: Path, form: str):
    head = "Id,ParentId,Type,StartDate,EndDate,ActualCost,HierarchyActualCost\n"
    parent = {"own costs": "100,600", "hierarchy alone": ",600", "added up by hand": "500,500"}[form]
    child = {"hierarchy alone": ",200"}.get(form, "200,200"), {"hierarchy alone": ",300"}.get(form, "300,300")
    campaigns = head + f"1,,Email,2026-09-01,2026-09-30,{parent}\n2,1,Email,2026-09-01,2026-09-30,{child[0]}\n"
    campaigns += f"3,1,Email,2026-09-01,2026-09-30,{child[1]}\n"
    result = read(tmp_path, {"Lead.csv": LEADS, "Campaign.csv": campaigns}, deals=ONE_SEGMENT)
    assert result.tables["marketing"]["spend"].sum() == (500 if form == "added up by hand" else 600)


def test_campaigns_without_leads_are_named_with_what_they_cost(tmp_path: Path):
    result = read(tmp_path, {"Campaign.csv": CAMPAIGNS})
    assert "marketing" not in result.tables
    assert "Campaign.csv: not brought over: campaigns cost 3,500.00, and the export has no leads" in told(result)


def test_campaigns_may_count_their_leads_themselves(tmp_path: Path):
    campaigns = "Campaign Name,Type,Start Date,End Date,Actual Cost in Campaign,Leads in Campaign\n"
    campaigns += "a,Email,2026-09-01,2026-09-30,100,7\n"
    result = read(tmp_path, {"Campaigns.csv": campaigns}, deals=ONE_SEGMENT)
    assert rows(result, "marketing") == [("2026-09", "All", "Email", 7, 100)]


def test_members_count_once_and_not_beside_leads(tmp_path: Path):
    members = "Id,CampaignId,LeadId,ContactId,CreatedDate\n"
    members += "1,701A,00Q1,,2026-08-20T10:00:00.000Z\n2,701B,00Q1,,2026-10-02T10:00:00.000Z\n"
    members += "3,701B,,003X,2026-10-02T10:00:00.000Z\n4,701B,00Q2,,2026-10-02T10:00:00.000Z\n"
    files = {"CampaignMember.csv": members, "Campaign.csv": CAMPAIGNS}
    result = read(tmp_path, files, deals=ONE_SEGMENT)
    leads = result.tables["marketing"].set_index(["period", "channel"])["leads"]
    assert leads[leads > 0].to_dict() == {("2026-08", "Webinar"): 1, ("2026-10", "Email"): 1}
    beside = read(tmp_path, {**files, "Lead.csv": LEADS}, deals=ONE_SEGMENT)
    assert beside.tables["marketing"]["leads"].sum() == 3
    assert "a member of two campaigns is there twice" in told(beside)


def test_a_lead_that_is_there_twice_counts_once(tmp_path: Path):
    twice = LEADS + "00Q1,2026-08-30T10:00:00.000Z,Web,Working,false,,,false\n"
    result = read(tmp_path, {"Lead.csv": twice}, deals=ONE_SEGMENT)
    assert result.tables["marketing"]["leads"].sum() == 3


def test_a_report_says_the_same(tmp_path: Path):
    screen = (
        "Leads\n\n"
        '"Lead ID","Create Date","Lead Source","Converted Date","Converted Opportunity ID"\n'
        '"00Q1","8/30/2026, 10:00 AM","Web","",""\n'
        '"00Q2","8/31/2026, 10:00 AM","Web","9/1/2026","006A"\n'
        '"00Q5","9/30/2026, 10:00 AM","","",""\n'
        '"Grand Totals (3 records)"\n'
        '"Confidential Information - Do Not Distribute"\n'
    )
    api = read(tmp_path / "a", {"Lead.csv": LEADS}, deals=ONE_SEGMENT)
    report = read(tmp_path / "b", {"Leads Report.csv": screen}, deals=ONE_SEGMENT)
    for table in ("leads", "marketing"):
        pd.testing.assert_frame_equal(api.tables[table], report.tables[table])


def test_a_report_with_members_repeats_no_cost(tmp_path: Path):
    head = "Campaign ID,Type,Start Date,End Date,Actual Cost,Lead ID\n"
    report = f"{head}701A,Email,2026-09-01,2026-09-30,100,00Q1\n701A,Email,2026-09-01,2026-09-30,100,00Q2\n"
    result = read(tmp_path, {"Lead.csv": LEADS, "Campaigns.csv": report}, deals=ONE_SEGMENT)
    assert result.tables["marketing"]["spend"].sum() == 100
    assert "1 row repeating a campaign" in told(result)
    twice = report.replace("100,00Q2", "120,00Q2")
    result = read(tmp_path, {"Lead.csv": LEADS, "Campaigns.csv": twice}, deals=ONE_SEGMENT)
    assert "campaign '701A' is there twice with different values" in told(result)
    assert result.tables["marketing"]["leads"].sum() == 3
