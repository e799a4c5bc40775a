"""Exports in each CRM's own file and column names -> a folder that `forecast.read` accepts, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.cli import app
from forecast.data.sources.crm.importing import KINDS, import_crm, read_export
from forecast.data.sources.crm.values.dates import days, moments
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.reading import Reading
from forecast.errors import DataError, ParameterError

SALESFORCE = {
    "Opportunity.csv": """\
Id,IsDeleted,Name,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,OwnerId,AccountId,LastModifiedDate,LeadSource
006A,false,a,Closed Won,1200,2026-02-20,2026-01-05T23:30:00.000+0000,true,true,005X,001P,2026-02-23T08:00:00.000Z,Web
006B,false,b,Closed Lost,500,2026-03-02,2026-01-10T09:00:00.000+0000,true,false,005X,001Q,2026-03-02T10:00:00.000Z,Web
006C,false,c,Proposal,800,2026-05-31,2026-02-01T09:00:00.000+0000,false,false,005Y,001Q,2026-03-05T11:00:00.000Z,Event
006D,true,d,Proposal,900,2026-05-31,2026-02-01T09:00:00.000+0000,false,false,005Y,001Q,2026-03-05T11:00:00.000Z,
006E,false,e,Closed Won,,2026-01-31,2026-02-03T09:00:00.000+0000,true,true,005Z,001R,2026-02-03T09:05:00.000Z,
""",
    "OpportunityHistory.csv": """\
Id,OpportunityId,CreatedDate,StageName,Amount,CloseDate,Probability,ForecastCategory,IsDeleted
008a,006A,2026-01-05T23:30:00.000+0000,Qualification,1000,2026-03-31,10,Pipeline,false
008b,006A,2026-01-20T12:00:00.000+0000,Proposal,1200,2026-02-28,50,BestCase,false
008c,006A,2026-02-23T08:00:00.000+0000,Closed Won,1200,2026-02-20,100,Closed,false
008d,006B,2026-01-10T09:00:00.000+0000,Qualification,500,2026-02-28,10,Pipeline,false
008e,006B,2026-03-02T10:00:00.000+0000,Closed Lost,500,2026-03-02,0,Omitted,false
008f,006C,2026-02-01T09:00:00.000+0000,Proposal,800,2026-05-31,50,Pipeline,false
008g,006D,2026-02-01T09:00:00.000+0000,Proposal,900,2026-05-31,50,Pipeline,false
008h,006E,2026-02-03T09:05:00.000+0000,Closed Won,,2026-01-31,100,Closed,false
""",
    "OpportunityStage.csv": """\
MasterLabel,ApiName,IsClosed,IsWon,SortOrder,DefaultProbability
Qualification,Qualification,false,false,1,10
Proposal,Proposal,false,false,2,50
Negotiation,Negotiation,false,false,3,80
Closed Won,Closed Won,true,true,4,100
Closed Lost,Closed Lost,true,false,5,0
""",
    "User.csv": "Id,Name,Division\n005X,Rep 1,North\n005Y,Rep 2,South\n005Z,Rep 3,\n",
    "Account.csv": "Id,Name,BillingCountry\n001P,P,FR\n001Q,Q,DE\n001R,R,DE\n",
    "Task.csv": "Id,Subject\n00T,call\n",
}


def folder(where: Path, files: dict[str, str]) -> Path:
    """Write an export."""
    where.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (where / name).write_text(text, encoding="utf-8")
    return where


def notes(out: Path) -> str:
    """Return what the import had to say."""
    return (out / "import_notes.txt").read_text(encoding="utf-8")


# -- Salesforce ----------------------------------------------------------------------------------------


def test_salesforce(tmp_path: Path):
    out = tmp_path / "ours"
    written = import_crm("salesforce", folder(tmp_path / "export", SALESFORCE), out)
    assert {path.name for path in written} == {
        "opportunities.csv",
        "opportunity_history.csv",
        "stages.csv",
        "company.toml",
        "import_notes.txt",
    }
    log = forecast.read(out)
    frame = log.opportunities.set_index("opportunity_id")
    assert frame.index.tolist() == ["006A", "006B", "006C", "006E"]
    assert frame["outcome"].tolist() == ["won", "lost", "open", "won"]
    assert frame["segment"].tolist() == ["North", "North", "South", "Unassigned"]
    assert frame["owner"].tolist() == ["Rep 1", "Rep 1", "Rep 2", "Rep 3"]
    assert frame.loc["006A", "closed_on"] == pd.Timestamp("2026-02-20")
    assert frame.loc["006C", "expected_close_on"] == pd.Timestamp("2026-05-31")
    assert pd.isna(frame.loc["006C", "closed_on"])
    # Won without an amount, and closed three days before it was entered.
    assert frame.loc["006E", "amount"] == 0
    assert frame.loc["006E", "created_on"] == pd.Timestamp("2026-01-31")
    assert log.extracted_on == pd.Timestamp("2026-03-05")
    stages = log.get("stages").set_index("stage")
    assert stages["position"].sort_values().index.tolist() == ["Qualification", "Proposal", "Closed Won", "Closed Lost"]
    assert stages["probability"].to_dict()["Proposal"] == 0.5
    told = notes(out)
    for word in (
        "1 deal marked as deleted is left out",
        "segment = Division of User.csv; 1 without one are 'Unassigned'",
        "1 deal won without an amount: amount = 0",
        "1 deal closed before they were entered",
        "Opportunity.csv: columns not brought over: Name",
        "files not brought over: Task.csv",
        "1 row of history belongs to deals that are not in the export",
        "extracted_on = 2026-03-05",
    ):
        assert word in told, told


def test_salesforce_history_says_what_was_known(tmp_path: Path):
    import_crm("salesforce", folder(tmp_path / "export", SALESFORCE), tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    then = forecast.snapshot(log, as_of="2026-01-19").opportunities.set_index("opportunity_id")
    assert then.index.tolist() == ["006A", "006B"]
    assert then.loc["006A", ["stage", "amount"]].tolist() == ["Qualification", 1000]
    assert then.loc["006A", "expected_close_on"] == pd.Timestamp("2026-03-31")
    # Closed on 20 February, entered on the 23rd: on the 22nd nobody knew.
    late = forecast.snapshot(log, as_of="2026-02-22").opportunities.set_index("opportunity_id")
    assert late.loc["006A", "outcome"] == "open"
    known = forecast.snapshot(log, as_of="2026-02-23").opportunities.set_index("opportunity_id")
    assert known.loc["006A", ["outcome", "closed_on"]].tolist() == ["won", pd.Timestamp("2026-02-20")]


def test_the_timezone_of_company_toml_decides_the_day(tmp_path: Path):
    source = folder(tmp_path / "export", SALESFORCE | {"company.toml": 'name = "Ours"\ntimezone = "Europe/Berlin"\n'})
    import_crm("salesforce", source, tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    created = log.opportunities.set_index("opportunity_id")["created_on"]
    assert created["006A"] == pd.Timestamp("2026-01-06")  # half past eleven at night in UTC
    assert log.company.name == "Ours"
    assert log.extracted_on == pd.Timestamp("2026-03-05")


def test_import_again_keeps_what_is_ours(tmp_path: Path):
    source, out = folder(tmp_path / "export", SALESFORCE), tmp_path / "ours"
    import_crm("salesforce", source, out)
    (out / "company.toml").write_text('name = "Ours"\nextracted_on = 2026-01-31\nsettle_days = 3\n', encoding="utf-8")
    (out / "plan.csv").write_text("period,segment,amount\n2026-04,North,1000\n", encoding="utf-8")
    (source / "OpportunityHistory.csv").unlink()
    import_crm("salesforce", source, out)
    log = forecast.read(out)
    assert (log.company.name, log.company.settle_days) == ("Ours", 3)
    assert log.extracted_on == pd.Timestamp("2026-03-05")
    assert "plan" in log
    assert "opportunity_history" not in log
    assert "stages, amounts and dates of past days are unknown" in notes(out)


@pytest.mark.parametrize(
    ("column", "segments"),
    [
        ("BillingCountry", ["FR", "DE", "DE", "DE"]),
        ("accounts.Billing Country", ["FR", "DE", "DE", "DE"]),
        ("LeadSource", ["Web", "Web", "Event", "Unassigned"]),
    ],
)
def test_a_segment_column_can_be_asked_for(tmp_path: Path, column: str, segments: list[str]):
    result = read_export("salesforce", folder(tmp_path, SALESFORCE), segment_column=column)
    assert result.tables["opportunities"]["segment"].tolist() == segments
    with pytest.raises(ParameterError, match="no column 'BilingCountry' in the export; did you mean 'BillingCountry'"):
        read_export("salesforce", tmp_path, segment_column="BilingCountry")


def test_one_segment_where_nothing_tells(tmp_path: Path):
    files = {name: text for name, text in SALESFORCE.items() if name in ("Opportunity.csv", "OpportunityHistory.csv")}
    result = read_export("salesforce", folder(tmp_path, files))
    assert set(result.tables["opportunities"]["segment"]) == {"All"}
    assert any("every deal is in one, 'All'; name a column with --segment-from" in note for note in result.notes)
    assert "stages" not in result.tables  # the export gives them no order


def test_salesforce_currencies(tmp_path: Path):
    files = {name: text for name, text in SALESFORCE.items() if name == "Opportunity.csv"}
    lines = files["Opportunity.csv"].splitlines()
    money = ["CurrencyIsoCode", "EUR", "USD", "USD", "EUR", "EUR"]
    files["Opportunity.csv"] = "\n".join(f"{line},{code}" for line, code in zip(lines, money, strict=True)) + "\n"
    files["CurrencyType.csv"] = "IsoCode,ConversionRate,IsCorporate\nEUR,1,true\nUSD,1.25,false\n"
    import_crm("salesforce", folder(tmp_path / "export", files), tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    snap = forecast.snapshot(log, as_of="2026-03-05").opportunities.set_index("opportunity_id")
    assert snap.loc["006C", "amount"] == pytest.approx(640)  # 800 USD at 1.25 USD a EUR


# -- HubSpot -------------------------------------------------------------------------------------------

HUBSPOT = {
    "deal.csv": """\
deal_id,is_deleted,deal_pipeline_id,deal_pipeline_stage_id,owner_id,property_dealname,property_amount,property_closedate,property_createdate
11,false,p1,s3,9,a,1200,2026-02-20 15:00:00,2026-01-05 10:00:00
12,false,p1,s4,9,b,500,2026-03-02 10:00:00,2026-01-10 09:00:00
13,false,p2,t1,8,c,800,2026-05-31 00:00:00,2026-02-01 9:00:00
""",
    "deal_pipeline_stage.csv": """\
stage_id,label,pipeline_id,display_order,probability,is_closed,closed_won
s1,Appointment,p1,0,0.2,FALSE,FALSE
s2,Contract,p1,1,0.8,FALSE,FALSE
s3,Won,p1,2,1.0,TRUE,TRUE
s4,Lost,p1,3,0.0,TRUE,FALSE
t1,Contract,p2,0,0.5,FALSE,FALSE
""",
    "deal_pipeline.csv": "pipeline_id,label\np1,New business\np2,Renewals\n",
    "deal_property_history.csv": """\
deal_id,timestamp,name,value
11,2026-01-05 10:00:00,dealstage,s1
11,2026-01-05 10:00:00,amount,1000
11,2026-01-05 10:00:00,closedate,1774915200000
11,2026-01-20 12:00:00.500,dealstage,s2
11,2026-02-10 12:00:00,amount,1200
11,2026-02-20 15:01:00,dealstage,s3
11,2026-02-20 15:01:00,closedate,1771599600000
12,2026-01-10 09:00:00,dealstage,s1
12,2026-01-10 09:00:00,amount,500
12,2026-03-02 10:00:00,dealstage,s4
13,2026-02-01 9:00:00,dealstage,t1
13,2026-02-15 09:00:00,amount,800
13,2026-02-15 09:00:00,dealname,c
""",
}


def test_hubspot_by_its_property_history(tmp_path: Path):
    import_crm("hubspot", folder(tmp_path / "export", HUBSPOT), tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    frame = log.opportunities.set_index("opportunity_id")
    assert frame["outcome"].tolist() == ["won", "lost", "open"]
    assert frame["segment"].tolist() == ["New business", "New business", "Renewals"]
    assert frame["stage"].tolist() == ["Won", "Lost", "Contract (p2)"]
    history = log.get("opportunity_history")
    eleven = history[history["opportunity_id"] == "11"]
    assert eleven["stage"].tolist() == ["Appointment", "Contract (p1)", "Contract (p1)", "Won"]
    assert eleven["amount"].tolist() == [1000, 1000, 1200, 1200]
    assert eleven["expected_close_on"].dt.strftime("%Y-%m-%d").tolist() == ["2026-03-31"] * 3 + ["2026-02-20"]
    # The amount of 13 was first set on 15 February: before, it had none.
    before = forecast.snapshot(log, as_of="2026-02-14").opportunities.set_index("opportunity_id")
    assert pd.isna(before.loc["13", "amount"])
    after = forecast.snapshot(log, as_of="2026-02-15").opportunities.set_index("opportunity_id")
    assert after.loc["13", "amount"] == 800


def test_stages_without_a_meaning_are_said(tmp_path: Path):
    result = read_export("hubspot", folder(tmp_path, {"deal.csv": HUBSPOT["deal.csv"]}))
    assert set(result.tables["opportunities"]["outcome"]) == {"open"}
    assert any(note.startswith("no deal is won or lost") for note in result.notes)


def test_hubspot_by_its_stages_alone_lets_no_amount_reach_the_past(tmp_path: Path):
    files = {name: text for name, text in HUBSPOT.items() if name != "deal_property_history.csv"}
    files["deal_stage.csv"] = (
        "deal_id,date_entered,value\n11,2026-01-05 10:00:00,s1\n11,2026-02-20 15:01:00,s3\n"
        "12,2026-01-10 09:00:00,s1\n12,2026-03-02 10:00:00,s4\n13,2026-02-01 9:00:00,t1\n"
    )
    import_crm("hubspot", folder(tmp_path / "export", files), tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    then = forecast.snapshot(log, as_of="2026-02-25").opportunities.set_index("opportunity_id")
    assert then["amount"].isna().to_dict() == {"11": False, "12": True, "13": True}
    assert then.loc["11", "amount"] == 1200
    today = forecast.snapshot(log, as_of=log.extracted_on).opportunities.set_index("opportunity_id")
    assert today.loc["13", ["stage", "amount"]].tolist() == ["Contract (p2)", 800]
    booked = forecast.settled_actuals(log, settle_days=0).set_index(["period", "segment"])["amount"]
    assert booked["2026-02", "New business"] == 1200


# -- Dynamics 365 --------------------------------------------------------------------------------------

DYNAMICS = {
    "opportunities.csv": """\
opportunityid,name,statecode,estimatedvalue,actualvalue,estimatedclosedate,actualclosedate,createdon,stepname,modifiedon,_ownerid_value,_parentaccountid_value,_owningbusinessunit_value@OData.Community.Display.V1.FormattedValue
a1,x,1,1000,1200,2026-02-28,2026-02-20,2026-01-05T10:00:00Z,3-Close,2026-02-20T15:00:00Z,u1,c1,Nord
a2,y,2,500,0,2026-02-15,2026-03-02,2026-01-10T09:00:00Z,1-Qualify,2026-03-02T10:00:00Z,u2,c2,Süd
a3,z,0,800,,2026-05-31,,2026-02-01T09:00:00Z,2-Develop,2026-03-05T09:00:00Z,u2,c2,Süd
""",
    "systemusers.csv": "systemuserid,fullname\nu1,Rep 1\nu2,Rep 2\n",
}
FLAT = """\
objectid,createdon,operation,attribute,oldvalue,newvalue
a1,2026-01-20T12:00:00Z,2,stepname,1-Qualify,2-Develop
a1,2026-01-20T12:00:00Z,2,estimatedvalue,900,1000
a1,2026-02-10T12:00:00Z,2,stepname,2-Develop,3-Close
a1,2026-02-20T15:00:00Z,2,statecode,0,1
a1,2026-02-20T15:00:00Z,2,actualvalue,,1200
a2,2026-03-02T10:00:00Z,2,statecode,0,2
a3,2026-03-05T09:00:00Z,2,estimatedclosedate,2026-04-30,2026-05-31
"""


def packed(flat: str) -> str:
    """Return the audit as Dataverse stores it: the changes of one save as JSON."""
    lines = [line.split(",") for line in flat.splitlines()[1:]]
    saves: dict[tuple[str, str], list[dict]] = {}
    for key, at, _, name, old, new in lines:
        change = {"logicalName": name, "oldValue": old or None, "newValue": new or None}
        saves.setdefault((key, at), []).append(change)
    table = pd.DataFrame(
        [
            {"_objectid_value": key, "createdon": at, "changedata": json.dumps({"changedAttributes": changes})}
            for (key, at), changes in saves.items()
        ]
    )
    return table.to_csv(index=False)


@pytest.mark.parametrize("audit", [FLAT, packed(FLAT)], ids=["a row a column", "changedata"])
def test_dynamics_with_its_audit(tmp_path: Path, audit: str):
    import_crm("dynamics", folder(tmp_path / "export", DYNAMICS | {"audits.csv": audit}), tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    frame = log.opportunities.set_index("opportunity_id")
    assert frame["outcome"].tolist() == ["won", "lost", "open"]
    assert frame["stage"].tolist() == ["Won", "Lost", "2-Develop"]
    assert frame["amount"].tolist() == [1200, 500, 800]
    assert frame["segment"].tolist() == ["Nord", "Süd", "Süd"]
    assert frame["owner"].tolist() == ["Rep 1", "Rep 2", "Rep 2"]
    history = log.get("opportunity_history")
    first = history[history["opportunity_id"] == "a1"]
    assert first["stage"].tolist() == ["1-Qualify", "2-Develop", "3-Close", "Won"]
    assert first["amount"].tolist() == [900, 1000, 1000, 1200]
    assert first["recorded_at"].dt.strftime("%m-%d").tolist() == ["01-05", "01-20", "02-10", "02-20"]
    snap = forecast.snapshot(log, as_of="2026-03-04").opportunities.set_index("opportunity_id")
    assert snap.loc["a3", "expected_close_on"] == pd.Timestamp("2026-04-30")
    assert forecast.snapshot(log, as_of="2026-03-05").opportunities.set_index("opportunity_id").loc["a3", "slips"] == 1


def test_dynamics_without_an_audit(tmp_path: Path):
    import_crm("dynamics", folder(tmp_path / "export", DYNAMICS), tmp_path / "ours")
    assert not forecast.snapshot(forecast.read(tmp_path / "ours"), as_of="2026-03-05").has_history
    assert "no audit of these opportunities" in notes(tmp_path / "ours")


# -- names, dates, refusals ----------------------------------------------------------------------------


def test_names_are_compared_without_case_blanks_and_signs():
    assert plain("StageName") == plain("stage_name") == plain("Stage Name") == "stagename"
    assert plain("property_amount") == "amount"
    assert plain("salesstage@OData.Community.Display.V1.FormattedValue") == plain("salesstage_name")


def test_dates_of_every_export():
    given = pd.Series(["2026-01-05", "2026-01-05 23:30:00", "2026-01-05T23:30:00.000+0000", "1767655800000", None])
    told = moments(given, Reading(table="t", timezone="UTC"), column="c").dt.strftime("%Y-%m-%d %H:%M")
    assert told.tolist()[:4] == ["2026-01-05 00:00"] + ["2026-01-05 23:30"] * 3
    assert pd.isna(told[4])
    local = days(given, Reading(table="t", timezone="Europe/Berlin"), column="c").dt.strftime("%Y-%m-%d")
    assert local.tolist()[:4] == ["2026-01-05", "2026-01-05", "2026-01-06", "2026-01-06"]  # no offset: a local time


def test_refusals_name_what_was_looked_for(tmp_path: Path):
    with pytest.raises(ParameterError, match="'salesfroce' is no CRM known here; did you mean 'salesforce'"):
        import_crm("salesfroce", tmp_path, tmp_path / "ours")
    for kind in KINDS[:-1]:  # the last, generic, asks for a mapping
        with pytest.raises(DataError, match=r"there is no file of opportunities .* looked for .*\.csv"):
            import_crm(kind, folder(tmp_path / "empty", {"Task.csv": "Id\n1\n"}), tmp_path / "ours")
    text = SALESFORCE["Opportunity.csv"]
    cases = {
        text.replace(
            "CloseDate", "CloseDay"
        ): r"Opportunity.csv.close_date: no column .* looked for CloseDate.*\n.*CloseDay",
        text.replace("2026-05-31", "05/06/2026"): r"Opportunity.csv.CloseDate: .*\n  rows: line 4 \('05/06/2026'\)",
        text.replace("1200,", "EUR 1.2k,"): r"Opportunity.csv.Amount: values are not numbers\n  rows: line 2",
        "": "Opportunity.csv: the file is empty",
    }
    for broken, message in cases.items():
        with pytest.raises(DataError, match=message):
            import_crm("salesforce", folder(tmp_path / "broken", {"Opportunity.csv": broken}), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", ["salesforce", "hubspot"])
def test_real_column_names(kind: str, tmp_path: Path, real_data: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / kind
    with pytest.raises(SystemExit) as ended:
        app.main(["import", kind, str(real_data / "fivetran_seeds" / kind), "--out", str(out)])
    assert not ended.value.code
    told = capsys.readouterr().out
    assert "columns not brought over" in told
    log = forecast.read(out)
    assert len(log.opportunities) == {"salesforce": 10, "hubspot": 44}[kind]
    if kind == "salesforce":
        assert log.opportunities["outcome"].value_counts().to_dict() == {"won": 5, "lost": 4, "open": 1}
        assert "the history of 9 deals begins after they closed and is left out" in told
