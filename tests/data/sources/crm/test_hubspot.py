"""HubSpot's exports as people have them: from the screen, from the API, from connectors and their models."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.sources.crm.importing import Imported, import_crm, read_export
from forecast.errors import DataError

BERLIN = 'timezone = "Europe/Berlin"\n'


def read(where: Path, files: dict[str, str]) -> Imported:
    """Return what an export of these files becomes."""
    where.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (where / name).write_text(text, encoding="utf-8")
    return read_export("hubspot", where)


def deals(result: Imported) -> pd.DataFrame:
    return result.tables["opportunities"].set_index("opportunity_id")


def outcomes(result: Imported) -> dict[str, str]:
    return deals(result)["outcome"].to_dict()


def worth(result: Imported, deal: str) -> list[float]:
    """Return the amounts that the history knows of a deal, in order."""
    history = result.tables["opportunity_history"]
    return history[history["opportunity_id"] == deal]["amount"].tolist()


# -- the exports that failed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "right"),
    [
        ("hs_closed_columns_ui", {"1": "won", "2": "open", "3": "lost"}),
        ("hs_stage_with_pipeline", {"1": "won", "2": "open", "3": "lost"}),
        ("hs_two_pipelines_one_label", {"1": "won", "2": "lost", "3": "open", "4": "open"}),
        ("hs_file_name_as_given", {"1": "won", "2": "open"}),
    ],
)
def test_what_is_won_and_lost(crm_cases: Path, case: str, right: dict[str, str]):
    assert outcomes(read_export("hubspot", crm_cases / case / "in")) == right


def test_the_day_in_the_name_is_that_of_the_export(crm_cases: Path):
    result = read_export("hubspot", crm_cases / "hs_file_name_as_given" / "in")
    assert "extracted_on = 2026-10-31" in result.company
    assert any("the day in the file's name" in note for note in result.notes)


def test_two_pipelines_with_one_label_are_kept_apart(crm_cases: Path):
    stages = deals(read_export("hubspot", crm_cases / "hs_two_pipelines_one_label" / "in"))["stage"]
    assert stages.tolist() == ["Won (A)", "Won (B)", "New (A)", "New (B)"]


def test_currencies_without_rates_are_refused(crm_cases: Path):
    with pytest.raises(DataError, match="EUR, MXN, USD"):
        read_export("hubspot", crm_cases / "hs_currency_code" / "in")


def test_the_amount_in_company_currency_comes_first(crm_cases: Path):
    result = read_export("hubspot", crm_cases / "hs_ui_company_currency" / "in")
    frame = deals(result)
    assert frame.loc[frame["outcome"] == "won", "amount"].sum() == 6000
    assert "currency" not in frame
    assert 'currency = "EUR"' in result.company


def test_history_is_converted_like_its_deal(crm_cases: Path, tmp_path: Path):
    source = crm_cases / "hs_home_currency_history_in_deal_currency" / "in"
    import_crm("hubspot", source, tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    for day in ("2026-09-30", "2026-10-20"):
        assert forecast.snapshot(log, as_of=day).opportunities.set_index("opportunity_id").loc["3", "amount"] == 10_000
    assert "converted at the rate of each deal today" in (tmp_path / "ours" / "import_notes.txt").read_text()


def test_times_of_a_screen_export_are_local(crm_cases: Path):
    result = read_export("hubspot", crm_cases / "hs_ui_local_times" / "in")
    frame = deals(result)
    assert frame.loc["1", "closed_on"] == pd.Timestamp("2026-10-31")
    assert frame.loc["1", "created_on"] == pd.Timestamp("2026-07-01")
    assert "extracted_on = 2026-10-31" in result.company


# -- variants: what is won and lost --------------------------------------------------------------------

SCREEN = "Record ID,Deal Stage,Close Date,Create Date,Amount"


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        # One flag less than the three, in every combination that decides.
        ("Is Closed Won,Is closed lost", ["true,false", "false,true", "false,false"]),
        ("Is Closed Won,Is Deal Closed?", ["Yes,Yes", "No,Yes", "No,No"]),
        ("Is closed lost,Is Deal Closed?", ["false,true", "true,true", "false,false"]),
        ("hs_is_closed_won,hs_is_closed", ["1,1", "0,1", "0,0"]),
        ("Is Closed (numeric),Is Closed Won,Is Deal Closed?", ["1,TRUE,TRUE", "1,FALSE,TRUE", "0,FALSE,FALSE"]),
    ],
)
def test_flags_decide_whatever_the_stage_is_called(tmp_path: Path, header: str, rows: list[str]):
    lines = [
        f"{number},{stage},2026-09-1{number},2026-07-01,100,{flags}"
        for number, (stage, flags) in enumerate(zip(["Signed", "Archived", "Signed"], rows, strict=True), start=1)
    ]
    result = read(tmp_path, {"all-deals.csv": "\n".join([f"{SCREEN},{header}", *lines]) + "\n"})
    assert outcomes(result) == {"1": "won", "2": "lost", "3": "open"}


def test_a_label_is_looked_up_with_its_pipeline(tmp_path: Path):
    stages = (
        "stage_id,label,pipeline_id,display_order,probability,is_closed,closed_won\n"
        "100,New,A,0,0.2,false,false\n101,Done,A,1,1.0,true,true\n200,New,B,0,0.1,false,false\n"
        "201,Done,B,1,0.0,true,false\n"
    )
    labels = "pipeline_id,label\nA,Sales\nB,Renewals\n"
    screen = f"{SCREEN},Pipeline\n1,Done,2026-09-10,2026-07-01,5,Sales\n2,Done,2026-09-10,2026-07-01,6,Renewals\n"
    files = {"deals.csv": screen, "deal_pipeline_stage.csv": stages, "deal_pipeline.csv": labels}
    result = read(tmp_path / "column", files)
    assert outcomes(result) == {"1": "won", "2": "lost"}
    assert deals(result)["stage"].tolist() == ["Done (A)", "Done (B)"]

    bracket = f"{SCREEN}\n1,Done (Sales),2026-09-10,2026-07-01,5\n2,Done (Renewals),2026-09-10,2026-07-01,6\n"
    assert outcomes(read(tmp_path / "bracket", files | {"deals.csv": bracket})) == {"1": "won", "2": "lost"}

    alone = f"{SCREEN}\n1,Done,2026-09-10,2026-07-01,5\n"
    with pytest.raises(DataError, match=r"stage 'Done' is one of 2 pipelines and means different things: won in A"):
        read(tmp_path / "alone", files | {"deals.csv": alone})


def test_a_shared_label_that_means_the_same_needs_no_pipeline(tmp_path: Path):
    stages = (
        "stage_id,label,pipeline_id,is_closed,closed_won\n1,Won,A,true,true\n2,Won,B,true,true\n3,Open,A,false,false\n"
    )
    result = read(
        tmp_path, {"deals.csv": f"{SCREEN}\n1,Won,2026-09-10,2026-07-01,5\n", "deal_pipeline_stages.csv": stages}
    )
    assert deals(result)["stage"].tolist() == ["Won"]
    assert outcomes(result) == {"1": "won"}


def test_labels_of_several_pipelines_are_kept_apart_without_a_table(tmp_path: Path):
    text = (
        f"{SCREEN},Pipeline\n1,Closed Won,2026-09-10,2026-07-01,5,Sales\n"
        "2,Contract sent,2026-12-10,2026-07-01,6,Sales\n"
        "3,Contract sent,2026-12-10,2026-07-01,7,Renewals\n4,Kick-off,2026-12-10,2026-07-01,8,Renewals\n"
    )
    stages = deals(read(tmp_path, {"all-deals.csv": text}))["stage"]
    assert stages.tolist() == ["Closed Won", "Contract sent (Sales)", "Contract sent (Renewals)", "Kick-off"]


def test_identifiers_that_nothing_explains_are_refused(tmp_path: Path):
    text = (
        "id,dealstage,closedate,createdate,amount\n1,2292223,2026-09-10,2026-07-01,5\n"
        "2,closedwon,2026-09-10,2026-07-01,5\n"
    )
    with pytest.raises(DataError, match=r"mere identifiers, do not say what they mean.*\n  rows: '2292223' \(1 deal\)"):
        read(tmp_path, {"deals.csv": text})


def test_stages_that_look_closed_are_refused_by_name(tmp_path: Path):
    text = (
        f"{SCREEN}\n1,Signed (Sales Pipeline),2026-09-10,2026-07-01,5\n"
        "2,Closed Lost (Sales Pipeline),2026-09-10,2026-07-01,5\n"
    )
    with pytest.raises(DataError, match=r"Signed \(Sales Pipeline\)"):
        read(tmp_path, {"all-deals.csv": text})


def test_stages_as_the_api_gives_them(tmp_path: Path):
    pipelines = (
        "id,label,displayOrder,stages\n"
        '77,Sales,0,"[{""id"": ""901"", ""label"": ""Pilot"", ""displayOrder"": 0, ""metadata"": '
        '{""isClosed"": ""false"", ""probability"": ""0.2""}}, {""id"": ""902"",'
        ' ""label"": ""Signed"", ""displayOrder"": 1, '
        '""metadata"": {""isClosed"": ""true"", ""probability"": ""1.0""}}, {""id"": ""903"", ""label"": ""Gone"", '
        '""displayOrder"": 2, ""metadata"": {""isClosed"": ""true"", ""probability"": ""0.0""}}]"\n'
    )
    api = (
        "id,properties.dealstage,properties.pipeline,properties.amount,"
        "properties.closedate,properties.createdate,archived\n"
        "1,902,77,10,2026-09-30T22:30:00Z,2026-07-01T08:00:00.123Z,false\n"
        "2,903,77,20,2026-09-10T00:00:00Z,2026-07-01T08:00:00Z,false\n"
        "3,901,77,30,2026-12-10T00:00:00Z,2026-07-01T08:00:00Z,false\n"
        "4,901,77,40,2026-12-10T00:00:00Z,2026-07-01T08:00:00Z,true\n"
    )
    result = read(tmp_path, {"deals.csv": api, "pipelines.csv": pipelines, "company.toml": BERLIN})
    assert outcomes(result) == {"1": "won", "2": "lost", "3": "open"}
    assert deals(result).loc["1", "closed_on"] == pd.Timestamp("2026-10-01")  # half past midnight in Berlin
    assert result.tables["stages"]["stage"].tolist() == ["Pilot", "Signed", "Gone"]
    broken = pipelines.replace('[{""id""', '[""id""')
    with pytest.raises(DataError, match="cannot be read as the JSON list of a pipeline's stages"):
        read(tmp_path, {"pipelines.csv": broken})


# -- variants: money -----------------------------------------------------------------------------------


def test_company_currency_alone(tmp_path: Path):
    text = (
        "Record ID,Deal Stage,Close Date,Create Date,Amount in company currency\n"
        "1,Closed Won,2026-09-10,2026-07-01,5000\n"
    )
    assert deals(read(tmp_path, {"all-deals.csv": text}))["amount"].tolist() == [5000]
    with pytest.raises(DataError, match="looked for amount, amount_in_home_currency, Amount in company currency"):
        read(tmp_path, {"all-deals.csv": text.replace("Amount in company currency", "Worth")})


def test_a_deal_without_its_home_amount_takes_its_currencys_rate(tmp_path: Path):
    text = (
        "deal_id,dealstage,amount,amount_in_home_currency,deal_currency_code,closedate,createdate\n"
        "1,closedwon,100000,5000,MXN,2026-09-10,2026-07-01\n2,closedwon,40000,,MXN,2026-09-10,2026-07-01\n"
        "3,contractsent,700,700,EUR,2026-12-10,2026-07-01\n4,contractsent,800,,,2026-12-10,2026-07-01\n"
    )
    assert deals(read(tmp_path, {"deal.csv": text}))["amount"].tolist() == [5000, 2000, 700, 800]
    with pytest.raises(DataError, match=r"amount_in_home_currency: is empty where amount is not.*\n  rows: line 3"):
        read(tmp_path, {"deal.csv": text.replace("40000,,MXN", "40000,,BRL")})


HOME = "deal_id,dealstage,amount,amount_in_home_currency,deal_currency_code,closedate,createdate,hs_lastmodifieddate\n"


def test_history_where_the_amount_as_entered_was_not_exported(tmp_path: Path):
    files = {
        "deal.csv": HOME.replace("amount,", "", 1) + "3,contractsent,10000,MXN,2026-12-01,2026-09-01,2026-10-20\n",
        "deal_property_history.csv": "deal_id,timestamp,name,value\n3,2026-09-01T08:00:00Z,dealstage,contractsent\n"
        "3,2026-09-01T08:00:00Z,amount,100000\n3,2026-09-05T08:00:00Z,amount,200000\n",
    }
    assert worth(read(tmp_path, files), "3")[:2] == [5000, 10_000]


def test_history_that_keeps_the_home_amount_itself(tmp_path: Path):
    files = {
        "deal.csv": HOME + "3,contractsent,200000,10000,MXN,2026-12-01,2026-09-01,2026-10-20\n",
        "deal_property_history.csv": "deal_id,timestamp,name,value\n3,2026-09-01T08:00:00Z,dealstage,contractsent\n"
        "3,2026-09-01T08:00:00Z,amount,200000\n3,2026-09-01T08:00:00Z,amount_in_home_currency,11000\n"
        "3,2026-09-20T08:00:00Z,amount_in_home_currency,10000\n",
    }
    assert worth(read(tmp_path, files), "3")[:2] == [11_000, 10_000]


def test_history_in_a_currency_the_deal_had_then(tmp_path: Path):
    files = {
        "deal.csv": HOME + "1,closedwon,100000,5000,MXN,2026-09-10,2026-07-01,2026-09-10\n"
        "3,contractsent,12000,12000,EUR,2026-12-01,2026-09-01,2026-10-20\n",
        "deal_property_history.csv": "deal_id,timestamp,name,value\n3,2026-09-01T08:00:00Z,dealstage,contractsent\n"
        "3,2026-09-01T08:00:00Z,amount,200000\n3,2026-09-01T08:00:00Z,deal_currency_code,MXN\n"
        "3,2026-09-20T08:00:00Z,amount,12000\n3,2026-09-20T08:00:00Z,deal_currency_code,EUR\n",
    }
    assert worth(read(tmp_path, files), "3")[:2] == [10_000, 12_000]
    lost = {
        name: text.replace("1,closedwon,100000,5000,MXN", "1,closedwon,5000,5000,EUR") for name, text in files.items()
    }
    result = read(tmp_path, lost)
    assert pd.isna(worth(result, "3")[0])
    assert any("1 amounts are in a currency nothing shows the rate of" in note for note in result.notes)


# -- variants: connectors ------------------------------------------------------------------------------


def test_versions_of_a_deal_are_its_history_and_count_once(tmp_path: Path):
    text = (
        "deal_id,deal_pipeline_stage_id,property_amount,property_closedate,"
        "property_createdate,_fivetran_active,_fivetran_start\n"
        "1,contractsent,900,2026-09-30 00:00:00,2026-07-01 08:00:00,FALSE,2026-07-01 08:00:00\n"
        "1,closedwon,1000,2026-09-10 15:00:00,2026-07-01 08:00:00,TRUE,2026-09-10 15:00:00\n"
        "2,contractsent,500,2026-12-01 00:00:00,2026-07-02 08:00:00,FALSE,2026-07-02 08:00:00\n"
        "3,contractsent,700,2026-12-01 00:00:00,2026-07-03 08:00:00,TRUE,2026-07-03 08:00:00\n"
    )
    result = read(tmp_path, {"deal.csv": text})
    assert outcomes(result) == {"1": "won", "3": "open"}
    assert worth(result, "1") == [900, 1000]
    assert any("1 deal has no active version" in note for note in result.notes)


def test_merged_deals_do_not_count_twice(tmp_path: Path):
    text = (
        "deal_id,dealstage,amount,closedate,createdate,is_deleted\n1,contractsent,100,2026-12-10,2026-07-01,false\n"
        "2,contractsent,100,2026-12-10,2026-07-01,false\n3,closedwon,70,2026-09-10,2026-07-01,false\n"
        "4,closedwon,80,2026-09-10,2026-07-01,false\n"
    )
    history = "deal_id,timestamp,name,value\n1,2026-07-01,dealstage,contractsent\n2,2026-07-01,dealstage,contractsent\n"
    merged = "deal_id,merged_deal_id,_fivetran_synced\n1,2,2026-08-01\n99,3,2026-08-01\n"
    files = {"deal.csv": text, "deal_property_history.csv": history, "merged_deal.csv": merged}
    result = read(tmp_path / "table", files)
    # 3 was merged into a deal that is not there: it stays, or its 70 would be lost.
    assert deals(result).index.tolist() == ["1", "3", "4"]
    assert set(result.tables["opportunity_history"]["opportunity_id"]) == {"1"}
    assert any(note.startswith("1 deal was merged into others") for note in result.notes)

    lines = text.splitlines()
    ids = ["hs_merged_object_ids", "2;77", "", "", ""]
    column = "\n".join(f"{line},{value}" for line, value in zip(lines, ids, strict=True)) + "\n"
    assert deals(read(tmp_path / "column", {"deal.csv": column})).index.tolist() == ["1", "3", "4"]


def test_the_public_models_of_connectors(tmp_path: Path):
    modelled = (
        "deal_id,deal_name,closed_date,created_date,amount,is_deal_deleted,deal_pipeline_id,deal_pipeline_stage_id,"
        "pipeline_label,pipeline_stage_label,owner_full_name\n"
        "1,a,2026-09-10 15:00:00,2026-07-01 08:00:00,1000,false,p1,901,Sales,Closed won,Rep 1\n"
        "2,b,2026-12-10 15:00:00,2026-07-01 08:00:00,500,false,p1,902,Sales,Pilot,Rep 2\n"
        "3,c,2026-12-10 15:00:00,2026-07-01 08:00:00,600,true,p1,902,Sales,Pilot,Rep 2\n"
    )
    stages = (
        "deal_stage_id,deal_id,date_stage_entered,is_stage_active,pipeline_stage_id,pipeline_stage_label,pipeline_id,"
        "pipeline_label,is_pipeline_stage_closed_won,pipeline_stage_display_order,pipeline_stage_probability\n"
        "1-1,1,2026-07-01 08:00:00,false,902,Pilot,p1,Sales,false,0,0.2\n"
        "1-2,1,2026-09-10 15:00:00,true,901,Closed won,p1,Sales,true,1,1.0\n"
        "2-1,2,2026-07-01 08:00:00,true,902,Pilot,p1,Sales,false,0,0.2\n"
    )
    result = read(tmp_path, {"hubspot__deals.csv": modelled, "hubspot__deal_stages.csv": stages})
    assert outcomes(result) == {"1": "won", "2": "open"}
    assert deals(result)["stage"].tolist() == ["Closed won", "Pilot"]
    assert deals(result)["owner"].tolist() == ["Rep 1", "Rep 2"]
    history = result.tables["opportunity_history"]
    assert history[history["opportunity_id"] == "1"]["stage"].tolist() == ["Pilot", "Closed won"]
    alone = read(tmp_path / "alone", {"hubspot__deals.csv": modelled})
    assert outcomes(alone) == {"1": "won", "2": "open"}


def test_a_daily_history_is_known_by_the_end_of_the_day(tmp_path: Path):
    files = {
        "deal.csv": "deal_id,dealstage,amount,closedate,createdate,hs_lastmodifieddate\n"
        "1,closedwon,1200,2026-09-03,2026-09-01,2026-09-03\n",
        "hubspot__daily_deal_history.csv": "deal_day_id,date_day,deal_id,amount,pipeline_stage_id,is_deal_closed\n"
        "a,2026-09-01,1,1000,contractsent,false\nb,2026-09-02,1,1000,contractsent,false\n"
        "c,2026-09-03,1,1200,closedwon,true\n",
        "company.toml": BERLIN,
    }
    history = read(tmp_path, files).tables["opportunity_history"]
    assert history["amount"].tolist() == [1000, 1200]
    assert history["recorded_at"].dt.strftime("%m-%dT%H:%M").tolist() == ["09-01T21:59", "09-03T21:59"]


@pytest.mark.parametrize(
    "header",
    [
        "deal_id,timestamp,name,value",
        "deal_id,change_timestamp,field_name,new_value",
        "deal_id,valid_from,field_name,new_value",
        "objectId,timestamp,property,value",
        "Record ID,Change date,Property name,New value",
    ],
)
def test_every_form_of_the_property_history(tmp_path: Path, header: str):
    name = "Deal Stage" if header.startswith("Record") else "dealstage"
    rows = f"1,2026-07-01T08:00:00Z,{name},contractsent\n1,2026-09-10T08:00:00Z,{name},closedwon\n"
    files = {
        "deals.csv": "id,dealstage,amount,closedate,createdate\n1,closedwon,10,2026-09-10,2026-07-01\n",
        "deal_property_history.csv": f"{header}\n{rows}",
    }
    assert read(tmp_path, files).tables["opportunity_history"]["stage"].tolist() == ["contractsent", "closedwon"]


def test_the_probability_says_what_is_won_and_lost(tmp_path: Path):
    text = (
        f"{SCREEN},Deal probability\n1,Done,2026-09-10,2026-07-01,5,100%\n2,Gone,2026-09-10,2026-07-01,5,0%\n"
        "3,Pilot,2026-12-10,2026-07-01,5,40%\n"
    )
    assert outcomes(read(tmp_path, {"all-deals.csv": text})) == {"1": "won", "2": "lost", "3": "open"}


def test_closed_without_won_and_flags_that_are_none_are_refused(tmp_path: Path):
    closed = (
        f"{SCREEN},Is Deal Closed?\n1,Pilot,2026-09-10,2026-07-01,5,true\n2,Closed Won,2026-09-10,2026-07-01,5,true\n"
    )
    with pytest.raises(
        DataError, match=r"says that these deals are closed, and nothing whether they are won\n  rows: li"
    ):
        read(tmp_path / "closed", {"all-deals.csv": closed})
    odd = f"{SCREEN},Is Closed Won,Is closed lost\n1,X,2026-09-10,2026-07-01,5,maybe,false\n"
    with pytest.raises(DataError, match=r"Is Closed Won: is neither true nor false\n  rows: line 2 \('maybe'\)"):
        read(tmp_path / "odd", {"all-deals.csv": odd})


# -- variants: identifiers, doubles, names of stages ---------------------------------------------------

HISTORY = (
    "deal_id,timestamp,name,value\n1,2026-07-01T08:00:00Z,dealstage,contractsent\n"
    "1,2026-07-01T08:00:00Z,amount,5\n1,2026-09-10T08:00:00Z,dealstage,closedwon\n"
)


def test_identifiers_that_a_spreadsheet_took_for_numbers(tmp_path: Path):
    deal = f"{SCREEN}\n1.0,Closed Won,2026-09-10,2026-07-01,5\n"
    result = read(tmp_path / "whole", {"all-deals.csv": deal, "deal_property_history.csv": HISTORY})
    assert worth(result, "1") == [5, 5]
    with pytest.raises(
        DataError, match=r"Record ID: identifiers have lost digits.*\n  rows: line 2 \('9.08991E\+09'\)"
    ):
        read(tmp_path / "lost", {"all-deals.csv": deal.replace("1.0,", "9.08991E+09,")})


def test_history_by_identifier_has_the_labels_of_the_deals(tmp_path: Path):
    deal = f"{SCREEN}\n1,Closed Won (Sales),2026-09-10,2026-07-01,5\n2,Contract Sent (Sales),2026-12-10,2026-07-01,5\n"
    result = read(tmp_path, {"all-deals.csv": deal, "deal_property_history.csv": HISTORY})
    stages = result.tables["opportunity_history"]["stage"]
    assert stages.tolist() == ["Contract Sent (Sales)", "Closed Won (Sales)"]


def test_a_deal_that_is_there_twice_counts_once(tmp_path: Path):
    row = "1,Contract Sent,2026-12-10,2026-07-01,5,2026-10-01\n"
    text = f"{SCREEN},Last Modified Date\n{row}{row}{row.replace('5,2026-10-01', '7,2026-10-09')}"
    result = read(tmp_path, {"all-deals.csv": text})
    assert deals(result)["amount"].tolist() == [7]
    assert any("row repeats another to the letter" in note for note in result.notes)


def test_a_company_currency_other_than_company_toml_says_is_refused(tmp_path: Path):
    files = {
        "deal.csv": HOME + "1,closedwon,100000,5000,MXN,2026-09-10,2026-07-01,2026-09-10\n"
        "2,closedwon,700,700,EUR,2026-09-10,2026-07-01,2026-09-10\n",
        "company.toml": 'currency = "USD"\n',
    }
    with pytest.raises(DataError, match=r"converted amounts are in EUR, company\.toml says USD"):
        read(tmp_path, files)


def test_history_that_is_in_the_company_currency_already(tmp_path: Path):
    files = {
        "deal.csv": HOME + "3,contractsent,200000,10000,MXN,2026-12-01,2026-09-01,2026-10-20\n",
        "deal_property_history.csv": "deal_id,timestamp,name,value\n3,2026-09-01T08:00:00Z,dealstage,contractsent\n"
        "3,2026-09-01T08:00:00Z,amount,9000\n3,2026-09-05T08:00:00Z,amount,10000\n",
    }
    result = read(tmp_path, files)
    assert worth(result, "3")[:2] == [9000, 10_000]
    assert any("in the company's currency already" in note for note in result.notes)


def test_a_screen_in_french_is_read_by_its_labels(tmp_path: Path):
    (tmp_path / "toutes.csv").write_text(
        "ID d'objet,Phase de la transaction,Date de fermeture,Date de création,Montant\n"
        "1,Fermé gagné,2026-09-15 10:00,2026-07-01 10:00,1000\n2,Fermé perdu,2026-09-15 10:00,2026-07-01 10:00,500\n"
    )
    frame = read_export("hubspot", tmp_path).tables["opportunities"].set_index("opportunity_id")
    assert frame["outcome"].to_dict() == {"1": "won", "2": "lost"}
    assert frame["amount"].to_dict() == {"1": 1000.0, "2": 500.0}


def test_goals_and_leads_are_named_with_their_mend(tmp_path: Path):
    head = "Record ID,Deal Stage,Amount,Close Date,Create Date,Is Closed Won,Is Deal Closed?"
    deal = f"{head}\n1,x,5,2026-10-01,2026-09-01,true,true\n"
    files = {"all-deals.csv": deal, "goals.csv": "a,b\n1,2\n", "hubspot-crm-exports-leads-2026-10-31.csv": "a,b\n1,2\n"}
    told = "\n".join(read(tmp_path, files).notes)
    assert "goals.csv: what it holds can be used: write it as quotas.csv into the data folder" in told
    assert "leads-2026-10-31.csv: what it holds can be used: write it as marketing.csv" in told
