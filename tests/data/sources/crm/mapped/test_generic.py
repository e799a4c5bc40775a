"""An export of any CRM by a mapping file: what it says is done, what it does not say is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from forecast.data.sources.crm.export import Choices
from forecast.data.sources.crm.importing import import_crm, read_export
from forecast.data.sources.crm.mapped.mapping import shipped
from forecast.data.sources.files import read
from forecast.errors import DataError, ForecastError, ParameterError

MAPPING = """
[columns]
opportunity_id = "No"
created_on = "Begun"
stage = "Step"
amount = "Worth"
closed_on = "Ended"
[outcome]
column = "State"
won = ["sold"]
lost = ["gone"]
open = ["running"]
"""
DEALS = """No,Begun,Step,Worth,Ended,State,Area
1,2026-01-05,Talk,100,2026-03-01,sold,North
2,2026-02-05,Talk,200,2026-03-09,gone,South
3,2026-03-05,Offer,400,,running,North
"""


def _mapping(folder: Path, text: str = MAPPING) -> Path:
    path = folder / "own.mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _source(folder: Path, files: Mapping[str, str]) -> Path:
    source = folder / "in"
    source.mkdir(parents=True)
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
    return source


def _read(folder: Path, mapping: str = MAPPING, **files: str):
    source = _source(folder, {f"{name}.csv": text for name, text in ({"deals": DEALS} | files).items()})
    return read_export("generic", source, mapping=_mapping(folder, mapping))


def _rows(result, *columns: str) -> list[tuple]:
    table = result.tables["opportunities"][list(columns)]
    return list(table.astype("str").fillna("").itertuples(index=False, name=None))


def test_columns_and_outcomes_by_hand(tmp_path: Path):
    result = _read(tmp_path)
    assert _rows(result, "opportunity_id", "created_on", "amount", "closed_on", "outcome") == [
        ("1", "2026-01-05", "100.0", "2026-03-01", "won"),
        ("2", "2026-02-05", "200.0", "2026-03-09", "lost"),
        ("3", "2026-03-05", "400.0", "", "open"),
    ]
    assert "deals.csv: columns not brought over: Area" in result.notes


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("moves", range(5))
def test_an_import_that_is_killed_leaves_no_folder_of_two_kinds(tmp_path: Path, moves: int):
    mapping, source = _mapping(tmp_path), _source(tmp_path, {"deals.csv": DEALS})
    import_crm("generic", source, tmp_path / "out", mapping=mapping)
    (source / "deals.csv").write_text(DEALS + "4,2026-03-06,Offer,900,,running,South\n")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom forecast.data.sources.crm.importing import import_crm\n"
        f"moved, replace = [], Path.replace\ndef killed(path, target):\n    if len(moved) == {moves}: os._exit(9)\n"
        "    moved.append(path)\n    return replace(path, target)\nPath.replace = killed\n"
        "import_crm('generic', Path('in'), Path('out'), mapping=Path('own.mapping.toml'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    if done.returncode:  # else there were not so many moves
        with pytest.raises(DataError, match="is being filled, or was when the program that did it was ended"):
            read(tmp_path / "out")
        import_crm("generic", source, tmp_path / "out", mapping=mapping)
    assert len(read(tmp_path / "out").opportunities) == 4
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


@pytest.mark.parametrize(
    ("last", "other", "ends"),
    [
        ("2026-01-30", "2026-01-05", "2026-01-31"),  # a Friday: the month has only its Saturday left
        ("2026-02-27", "2026-01-05", "2026-02-28"),
        ("2026-02-26", "2026-01-05", "2026-02-26"),  # a Friday is left
        ("2026-01-30", "2026-01-10", "2026-01-30"),  # a company that works on Saturdays
        ("2026-01-31", "2026-01-05", "2026-01-31"),
    ],
)
def test_a_month_that_ends_on_a_weekend_is_whole(tmp_path: Path, last: str, other: str, ends: str):
    deals = f"No,Begun,Step,Worth,Ended,State\n1,{other},Talk,100,{last},sold\n2,2026-01-07,Talk,200,,running\n"
    result = _read(tmp_path, deals=deals)
    assert result.company.endswith(f"extracted_on = {ends}\n")
    assert any(f"extracted_on = {ends}" in note for note in result.notes)
    asked = read_export(
        "generic",
        tmp_path / "in",
        mapping=tmp_path / "own.mapping.toml",
        choices=Choices(extracted_on=pd.Timestamp(last)),
    )
    assert asked.company.endswith(f"extracted_on = {last}\n")


def test_the_folder_is_written_and_read(tmp_path: Path):
    source = _source(tmp_path, {"deals.csv": DEALS})
    import_crm("generic", source, tmp_path / "out", mapping=_mapping(tmp_path))
    log = read(tmp_path / "out")
    assert list(log.opportunities["outcome"]) == ["won", "lost", "open"]
    assert 'name = "Imported from own.mapping"' in (tmp_path / "out" / "company.toml").read_text(encoding="utf-8")


def test_one_file_is_enough(tmp_path: Path):
    source = _source(tmp_path, {"Deals of October.csv": DEALS})
    result = read_export("generic", source / "Deals of October.csv", mapping=_mapping(tmp_path))
    assert len(result.tables["opportunities"]) == 3


def test_a_segment_as_said_and_as_asked(tmp_path: Path):
    result = _read(tmp_path, MAPPING.replace("[columns]", '[columns]\nsegment = "Area"'))
    assert _rows(result, "segment") == [("North",), ("South",), ("North",)]
    asked = read_export("generic", tmp_path / "in", mapping=tmp_path / "own.mapping.toml", segment_column="Step")
    assert _rows(asked, "segment") == [("Talk",), ("Talk",), ("Offer",)]


def test_a_status_the_mapping_does_not_know_is_refused_with_its_count(tmp_path: Path):
    with pytest.raises(DataError) as refused:
        _read(tmp_path, deals=DEALS.replace("running", "solld"))
    assert "deals.csv.State: has values that own.mapping.toml does not know" in str(refused.value)
    assert "'solld' (1 deals)" in str(refused.value)
    assert "did you mean 'sold'?" in str(refused.value)


def test_without_rules_the_stages_say_it_and_one_that_looks_closed_is_refused(tmp_path: Path):
    by_stage = MAPPING.split("[outcome]")[0]
    deals = DEALS.replace("Talk,100", "Closed Won,100").replace("Talk,200", "Signed,200")
    with pytest.raises(DataError, match=r"'Signed' \(1 deal\)"):
        _read(tmp_path, by_stage, deals=deals)
    _mapping(tmp_path, by_stage + '[stages]\n"Signed" = "lost"\n"Offer" = { outcome = "open", position = 1 }\n')
    result = read_export("generic", tmp_path / "in", mapping=tmp_path / "own.mapping.toml")
    assert _rows(result, "outcome") == [("won",), ("lost",), ("open",)]
    assert list(result.tables["stages"]["stage"]) == ["Offer", "Closed Won", "Signed"]


def test_what_is_left_out_and_kept_is_counted(tmp_path: Path):
    result = _read(tmp_path, MAPPING + '[leave_out]\nState = ["gone"]\n[keep]\nArea = "North"\n')
    assert _rows(result, "opportunity_id") == [("1",), ("3",)]
    assert "1 deal is left out, since their State is 'gone'" in result.notes
    assert "no deals are left out, since their Area is none of 'North'" in result.notes


def test_constants_units_and_rates(tmp_path: Path):
    more = '[numbers]\nunit = 1000\n[constants]\nsegment = "Export"\nproduct = "Pump"\n[company]\ncurrency = "EUR"\n'
    result = _read(tmp_path, MAPPING + more)
    assert _rows(result, "amount", "segment", "product")[0] == ("100000.0", "Export", "Pump")
    assert 'currency = "EUR"' in result.company


def test_a_lookup_joins_after_the_replacement_and_says_what_does_not_join(tmp_path: Path):
    mapping = (
        MAPPING.replace('amount = "Worth"', 'amount = "prices.Price"\nproduct = "Thing"')
        + '[replace.product]\nGTXPro = "GTX Pro"\n[lookups.prices]\nkey = "Thing"\nby = "product"\n'
    )
    deals = (
        "No,Begun,Step,Ended,State,Thing\n1,2026-01-05,Talk,2026-03-01,sold,GTXPro\n2,2026-01-05,Talk,,running,GTX Pr\n"
    )
    result = _read(tmp_path, mapping, deals=deals, prices="Thing,Price\nGTX Pro,4821\n")
    assert _rows(result, "amount", "product") == [("4821.0", "GTX Pro"), ("", "GTX Pr")]
    assert any("1 deal has no row there by product: 'GTX Pr' (1); did you mean 'GTX Pro'?" in n for n in result.notes)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path):
    mapping = MAPPING.replace('amount = "Worth"', 'amount = "prices.Price"') + (
        '[lookups.prices]\nkey = "Thing"\nby = "Area"\n'
    )
    with pytest.raises(DataError, match="a key stands there twice"):
        _read(tmp_path, mapping, prices="Thing,Price\nNorth,1\nNorth,2\n")


HISTORY = """[history]
form = "states"
file = "log"
[history.columns]
opportunity_id = "No"
recorded_at = "When"
stage = "Step"
amount = "Worth"
"""


def test_history_as_states(tmp_path: Path):
    log = "No,When,Step,Worth\n3,2026-03-05 10:00,Talk,300\n3,2026-03-20 10:00,Offer,400\n"
    result = _read(tmp_path, MAPPING + HISTORY, log=log)
    history = result.tables["opportunity_history"]
    assert list(history["amount"]) == [300.0, 400.0]
    assert list(history["stage"]) == ["Talk", "Offer"]


def test_history_as_changes(tmp_path: Path):
    mapping = MAPPING + (
        '[history]\nform = "changes"\nfile = "log"\n[history.columns]\nopportunity_id = "No"\nrecorded_at = "When"\n'
        'field = "What"\nvalue = "New"\nold = "Old"\n[history.fields]\nStep = "stage"\nWorth = "amount"\n'
    )
    log = "No,When,What,Old,New\n3,2026-03-20 10:00,Step,Talk,Offer\n3,2026-03-21 10:00,Worth,300,400\n"
    history = _read(tmp_path, mapping, log=log).tables["opportunity_history"]
    assert list(history["stage"]) == ["Talk", "Offer", "Offer"]
    assert list(history["amount"]) == [300.0, 300.0, 400.0]


def test_history_as_stages_entered_lets_no_amount_reach_the_past(tmp_path: Path):
    mapping = MAPPING + '[history]\nform = "entered"\n[history.entered]\nTalk = "Talk on"\nOffer = "Offer on"\n'
    deals = (
        "No,Begun,Step,Worth,Ended,State,Talk on,Offer on\n"
        "3,2026-03-05,Offer,400,,running,2026-03-05,2026-03-20\n1,2026-01-05,Talk,1,2026-03-25,sold,2026-01-05,\n"
    )
    history = _read(tmp_path, mapping, deals=deals).tables["opportunity_history"]
    open_deal = history[history["opportunity_id"] == "3"]
    assert list(open_deal["stage"]) == ["Talk", "Offer", "Offer"]
    assert list(open_deal["amount"].isna()) == [True, True, False]
    assert str(open_deal["recorded_at"].iloc[-1].date()) == "2026-03-25"


def test_marketing_of_the_whole_company_is_shared_out_by_deals(tmp_path: Path):
    mapping = MAPPING.replace("[columns]", '[columns]\nsegment = "Area"') + (
        '[marketing]\nfile = "clicks"\ndate = "Day"\nchannel = "From"\nspread = "deals"\n'
    )
    result = _read(tmp_path, mapping, clicks="Day,From\n2026-01-03,Web\n2026-01-09,Web\n2026-02-01,Fair\n")
    table = result.tables["marketing"]
    assert list(table.itertuples(index=False, name=None)) == [
        ("2026-01", "North", "Web", 1.33),
        ("2026-01", "South", "Web", 0.67),
        ("2026-02", "North", "Fair", 0.67),
        ("2026-02", "South", "Fair", 0.33),
    ]
    assert any("clicks.csv belongs to the company" in note for note in result.notes)


def test_without_identifiers_rows_are_numbered_and_it_is_said(tmp_path: Path):
    result = _read(tmp_path, MAPPING.replace('opportunity_id = "No"\n', ""))
    assert _rows(result, "opportunity_id") == [("row 2",), ("row 3",), ("row 4",)]
    assert any("no column of identifiers" in note for note in result.notes)


def test_a_row_that_stands_twice_counts_once(tmp_path: Path):
    result = _read(tmp_path, deals=DEALS + DEALS.splitlines()[1] + "\n")
    assert len(result.tables["opportunities"]) == 3


# -- shipped mappings ----------------------------------------------------------------------------------


def test_pipedrive_with_the_outcomes_it_holds(crm_cases: Path):
    result = read_export("generic", crm_cases / "pipedrive" / "in")
    assert _rows(result, "opportunity_id", "amount", "outcome", "closed_on", "expected_close_on") == [
        ("1", "1000.0", "won", "2026-09-10", "2026-09-30")
    ]
    assert result.notes[0].startswith("deals.csv is an export of Pipedrive")
    assert 'currency = "EUR"' in result.company


@pytest.mark.parametrize("kind", ["hubspot", "salesforce", "dynamics"])
def test_another_crms_importer_refuses_it_and_names_the_command(crm_cases: Path, kind: str):
    with pytest.raises(ParameterError, match="is an export of Pipedrive") as refused:
        read_export(kind, crm_cases / "pipedrive" / "in")
    assert "forecast import generic" in str(refused.value)


PIPEDRIVE = {
    "api": "id,title,value,currency,status,stage_id,add_time,won_time,lost_time,expected_close_date,pipeline_id\n"
    "1,A,1000,EUR,won,3,2026-07-01 10:00:00,2026-09-10 10:00:00,,2026-09-30,1\n"
    "2,B,50,EUR,lost,2,2026-07-02 10:00:00,,2026-09-11 10:00:00,,1\n"
    "3,C,70,EUR,open,1,2026-07-03 10:00:00,,,2026-12-31,1\n"
    "4,D,90,EUR,deleted,1,2026-07-03 10:00:00,,,2026-12-31,1\n",
    "screen": "Deal - Title,Deal - Stage (pipeline),Deal - Status,Deal - Value,Deal - Currency of value,"
    "Deal - Creation date,Deal - Expected close date,Deal - Closed on,Deal - Pipedrive System ID\n"
    "A,Offer,Won,1000,EUR,2026-07-01,2026-09-30,2026-09-10,1\nB,Call,Lost,50,EUR,2026-07-02,,2026-09-11,2\n"
    "C,Call,Open,70,EUR,2026-07-03,2026-12-31,,3\n",
}
ZOHO = (
    "Record Id,Deal Owner,Amount,Deal Name,Closing Date,Stage,Created Time,Modified Time\n"
    "zcrm_1,Ann,1000,A,2026-09-10,Closed Won,2026-07-01 10:00:00,2026-09-10 10:00:00\n"
    "zcrm_2,Ann,50,B,2026-09-11,Closed Lost to Competition,2026-07-02 10:00:00,2026-09-11 10:00:00\n"
    "zcrm_3,Bob,70,C,2026-12-31,Qualification,2026-07-03 10:00:00,2026-09-12 10:00:00\n"
)
COPPER = (
    "Copper ID,Name,Stage,Status,Value,Close Date,Created At\n1,A,Offer,Won,1000,9/10/2026,7/1/2026\n"
    "2,B,Offer,Abandoned,50,9/11/2026,7/22/2026\n3,C,Call,Open,70,12/31/2026,7/3/2026\n"
)
FRESHSALES = (
    "Id,Name,Deal stage,Deal pipeline,Deal value,Sales owner,Expected close date,Closed date,Created at\n"
    "1,A,Won,Default,1000,Ann,2026-09-30,2026-09-10,2026-07-01\n2,B,Lost,Default,50,Ann,,2026-09-11,2026-07-02\n"
    "3,C,New,Default,70,Bob,2026-12-31,,2026-07-03\n"
)
ODOO = (
    "id,name,stage_id,expected_revenue,create_date,date_deadline,date_closed,active\n"
    "1,A,Won,1000,2026-07-01 10:00:00,2026-09-30,2026-09-10 10:00:00,True\n"
    "2,B,Proposition,50,2026-07-02 10:00:00,,2026-09-11 10:00:00,False\n"
    "3,C,New,70,2026-07-03 10:00:00,2026-12-31,,True\n"
)


@pytest.mark.parametrize(
    "text",
    [*PIPEDRIVE.values(), ZOHO, COPPER, FRESHSALES, ODOO],
    ids=["api", "screen", "zoho", "copper", "freshsales", "odoo"],
)
def test_exports_of_other_crms_are_known_by_their_columns(tmp_path: Path, text: str):
    result = read_export("generic", _source(tmp_path, {"export.csv": text}))
    assert _rows(result, "amount", "outcome", "closed_on") == [
        ("1000.0", "won", "2026-09-10"),
        ("50.0", "lost", "2026-09-11"),
        ("70.0", "open", ""),
    ]


def test_pipedrives_stages_are_named_by_their_table(tmp_path: Path):
    stages = "id,name,order_nr,pipeline_id\n1,Call,1,1\n2,Demo,2,1\n3,Offer,3,1\n"
    result = read_export("generic", _source(tmp_path, {"deals.csv": PIPEDRIVE["api"], "stages.csv": stages}))
    assert _rows(result, "stage") == [("Offer",), ("Demo",), ("Call",)]
    assert result.tables["stages"].set_index("stage")["position"].to_dict() == {"Call": 1, "Offer": 2, "Demo": 3}


def test_every_shipped_mapping_is_read_and_has_what_is_needed():
    names = [mapping.name for mapping in shipped()]
    assert names == ["Copper", "Freshsales", "Odoo", "Pipedrive", "SugarCRM", "Zoho CRM"]
    assert all(mapping.recognised_by for mapping in shipped())


def test_a_crms_own_importer_takes_a_mapping_of_columns_and_stages(tmp_path: Path):
    source = _source(
        tmp_path,
        {
            "Opportunity.csv": "Id,Own Stage__c,Amount,CloseDate,CreatedDate,LastModifiedDate\n"
            "006A,Signed,2000,2026-09-15,2026-07-01,2026-09-15\n006B,Talk,10,2026-11-30,2026-09-01,2026-10-20\n"
        },
    )
    mapping = _mapping(tmp_path, '[columns]\nstage = "Own Stage__c"\n[stages]\nSigned = "won"\n')
    result = read_export("salesforce", source, mapping=mapping)
    assert _rows(result, "outcome", "stage")[1] == ("open", "Talk")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[columns]\nstag = "X"\n', "did you mean 'stage'?"),
        ('[columns]\nstage = "X"\n[outcome]\ncolumn = "Y"\nwon = ["a"]\n', "would have no effect"),
        ("[numbers]\nunit = 1000\n", "has no effect"),
    ],
)
def test_what_a_crms_own_importer_would_not_do_is_refused(tmp_path: Path, text: str, said: str):
    source = _source(tmp_path, {"Opportunity.csv": "Id,StageName,Amount,CloseDate,CreatedDate\n"})
    with pytest.raises(ForecastError) as refused:
        read_export("salesforce", source, mapping=_mapping(tmp_path, text))
    assert said in str(refused.value)


def test_nobodys_export_is_told_to_be_guessed(tmp_path: Path):
    with pytest.raises(DataError, match="--guess"):
        read_export("generic", _source(tmp_path, {"deals.csv": DEALS}))


def test_three_lines_mend_a_shipped_mapping(tmp_path: Path):
    text = PIPEDRIVE["screen"].replace(",Lost,", ",Archived,")
    source = _source(tmp_path, {"deals.csv": text})
    with pytest.raises(DataError, match=r"'Archived' \(1 deals\)"):
        read_export("generic", source)
    own = '[outcome]\ncolumn = "Deal - Status"\nlost = ["Archived"]\n[stages]\nOffer = "open"\n'
    result = read_export("generic", source, mapping=_mapping(tmp_path, own))
    assert _rows(result, "outcome") == [("won",), ("lost",), ("open",)]
    with pytest.raises(DataError, match=r"leave_out\.Deal - Stat: there is no such column"):
        read_export("generic", source, mapping=_mapping(tmp_path, own + '[leave_out]\n"Deal - Stat" = "open"\n'))


def test_rates_alone_are_a_mapping_for_a_known_export(tmp_path: Path):
    text = PIPEDRIVE["api"].replace("70,EUR", "70,USD")
    mapping = _mapping(tmp_path, "[rates]\nEUR = 1\nUSD = 0.5\n")
    result = read_export("generic", _source(tmp_path, {"deals.csv": text}), mapping=mapping)
    rates = result.tables["currencies"].set_index("currency")["plan_rate"]
    assert rates.to_dict() == {"EUR": 1.0, "USD": 0.5}
    assert _rows(result, "currency") == [("EUR",), ("EUR",), ("USD",)]


SUGAR = """id,name,sales_stage,amount,date_closed,date_entered,date_modified,deleted
a1,A,Closed Won,1000,2026-09-28,2026-07-01 10:00:00,2026-10-11 11:00:00,0
a2,B,Closed Lost,500,2026-09-27,2026-07-01 10:00:00,2026-10-11 11:00:00,0
a3,C,Prospecting,700,2026-12-28,2026-07-01 10:00:00,2026-10-11 11:00:00,0
a4,D,Closed Won,900,2026-09-28,2026-07-01 10:00:00,2026-10-11 11:00:00,1
"""


def test_sugarcrm_needs_no_mapping(tmp_path: Path):
    result = read_export("generic", _source(tmp_path, {"opportunities.csv": SUGAR}))
    rows = _rows(result, "opportunity_id", "outcome", "amount")
    assert rows == [("a1", "won", "1000.0"), ("a2", "lost", "500.0"), ("a3", "open", "700.0")]


def test_an_amount_in_the_companys_currency_by_its_name_needs_no_rates(tmp_path: Path):
    text = "Id,Deal value,Deal value in base currency,Currency,Deal stage,Deal pipeline,Sales owner,"
    text += "Created at,Closed date\n1,1000,900,USD,Won,D,Ann,2026-07-01,2026-09-15\n"
    text += "2,500,500,EUR,Lost,D,Ann,2026-07-01,2026-09-15\n"
    result = read_export("generic", _source(tmp_path, {"deals.csv": text}))
    assert _rows(result, "outcome", "amount") == [("won", "900.0"), ("lost", "500.0")]


def test_a_mapping_that_says_nothing_of_the_outcome_is_refused(tmp_path: Path):
    mapping = '[columns]\ncreated_on = "Entered"\namount = "Worth"\n'
    with pytest.raises(DataError, match="nothing says whether deals are won, lost or open"):
        _read(tmp_path, mapping, deals="Entered,Worth\n2026-01-01,5\n2026-01-02,6\n")


def test_identifiers_that_a_spreadsheet_shortened_are_refused(tmp_path: Path):
    deals = DEALS.replace("1,2026-01-05", "1.70001E+10,2026-01-05").replace("2,2026-02-05", "1.70001E+10,2026-02-05")
    with pytest.raises(DataError, match="identifiers have lost digits"):
        _read(tmp_path, deals=deals)
    whole = DEALS.replace("1,2026-01-05", "1.0,2026-01-05")
    assert _rows(_read(tmp_path / "again", deals=whole), "opportunity_id")[0] == ("1",)


def test_a_header_without_rows_is_refused(tmp_path: Path):
    (tmp_path / "Opportunity.csv").write_text("Id,StageName,Amount,CloseDate,CreatedDate\n")
    with pytest.raises(DataError, match="a header and no rows"):
        read_export("salesforce", tmp_path)


# -- a currency that is a sign or a name ----------------------------------------------------------------

WORTH = MAPPING.replace('closed_on = "Ended"', 'closed_on = "Ended"\ncurrency = "Money"')


def _in_money(folder: Path, money: str, *, company: str = ""):
    lines = DEALS.splitlines()
    text = "\n".join([f"{lines[0]},Money", *(f"{line},{money}" for line in lines[1:])]) + "\n"
    source = _source(folder, {"deals.csv": text} | ({"company.toml": company} if company else {}))
    return read_export("generic", source, mapping=_mapping(folder, WORTH))


@pytest.mark.parametrize(
    ("written", "code"), [("€", "EUR"), ("usd", "USD"), ("US Dollars : USD", "USD"), ("Euro", "EUR")]
)
def test_a_currency_by_its_sign_or_name_becomes_its_code(tmp_path: Path, written: str, code: str):
    assert f'currency = "{code}"' in _in_money(tmp_path, written).company


@pytest.mark.parametrize(("written", "named"), [("$", "USD, CAD"), ("kr", "SEK, NOK, DKK or ISK"), ("Peso", "'Peso'")])
def test_a_sign_of_several_currencies_is_left_out_and_noted(tmp_path: Path, written: str, named: str):
    result = _in_money(tmp_path, written)
    assert "currency" not in result.company
    assert any(named in note and "no currency is taken" in note for note in result.notes)


def test_a_sign_fits_the_companys_currency_or_is_refused(tmp_path: Path):
    assert 'currency = "CAD"' in _in_money(tmp_path / "fits", "$", company='currency = "CAD"\n').company
    with pytest.raises(DataError, match=r"amounts are in \$, company.toml says EUR"):
        _in_money(tmp_path / "not", "$", company='currency = "EUR"\n')
