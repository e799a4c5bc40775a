"""Dynamics 365's exports as people have them: views, the Web API, Dataverse's own tables, the audit in both forms."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.sources.crm.importing import Imported, import_crm, read_export
from forecast.errors import DataError

BERLIN = 'timezone = "Europe/Berlin"\n'
GUID = "0f3a0000-0000-0000-0000-00000000000"
API = "@OData.Community.Display.V1.FormattedValue"


def read(where: Path, files: dict[str, str]) -> Imported:
    """Return what an export of these files becomes."""
    where.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (where / name).write_text(text, encoding="utf-8")
    return read_export("dynamics", where)


def deals(result: Imported) -> pd.DataFrame:
    return result.tables["opportunities"].set_index("opportunity_id")


def history(result: Imported, deal: str) -> pd.DataFrame:
    table = result.tables["opportunity_history"]
    return table[table["opportunity_id"] == deal]


# -- the exports that failed ---------------------------------------------------------------------------


def test_the_audit_is_converted_like_its_deal(crm_cases: Path, tmp_path: Path):
    import_crm("dynamics", crm_cases / "dyn_base_currency_audit_as_entered" / "in", tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    worth = {
        day: forecast.snapshot(log, as_of=day).opportunities.set_index("opportunity_id").loc["3", "amount"]
        for day in ("2026-09-15", "2026-10-20")
    }
    assert worth == {"2026-09-15": 7500, "2026-10-20": 10_000}  # 150,000 and 200,000 MXN at 0.05
    assert log.opportunities.set_index("opportunity_id").loc["1", "amount"] == 5000


def test_base_columns_of_a_view_come_first(crm_cases: Path):
    frame = deals(read_export("dynamics", crm_cases / "dyn_ui_base_currency" / "in"))
    assert frame["amount"].to_dict() == {"1": 5000, "2": 1000}
    assert "currency" not in frame


def test_the_headers_of_a_view(crm_cases: Path):
    result = read_export("dynamics", crm_cases / "dyn_ui_headers" / "in")
    frame = deals(result)
    assert frame.index.tolist() == ["1", "2"]
    assert frame["outcome"].tolist() == ["open", "won"]
    assert frame["stage"].tolist() == ["Qualify", "Won"]
    assert "extracted_on = 2026-10-20" in result.company  # (Do Not Modify) Modified On


# -- variants: views -----------------------------------------------------------------------------------

VIEW = (
    "(Do Not Modify) Opportunity,(Do Not Modify) Row Checksum,(Do Not Modify) Modified On,Topic,"
    "Potential Customer,Status,"
    "Status Reason,Est. revenue,Est. close date,Actual Revenue,Actual Close Date,Created On,Owner,"
    "Sales Stage,Probability\n"
)


def test_a_view_under_the_name_dynamics_gives_it(tmp_path: Path):
    text = (
        VIEW + f"{{{GUID.upper()}1}},sum,2026-10-31 10:15,A,Acme,Open,In Progress,1000,2026-12-10,,,"
        "2026-10-31 23:30,P. Person"
        ",Develop,50\n"
        f"{{{GUID.upper()}2}},sum,2026-10-30 10:15,B,Acme,Lost,Canceled,700,2026-10-30,0,2026-10-30,2026-07-01 "
        "09:00,P. Person,Propose,50\n"
    )
    result = read(tmp_path, {"My Opportunities 10-31-2026 3-15-22 PM.csv": text, "company.toml": BERLIN})
    frame = deals(result)
    assert frame.index.tolist() == [f"{GUID}1", f"{GUID}2"]
    assert frame["outcome"].tolist() == ["open", "lost"]
    assert frame["amount"].tolist() == [1000, 700]
    assert frame["created_on"].tolist() == [pd.Timestamp("2026-10-31"), pd.Timestamp("2026-07-01")]
    assert frame["lost_reason"].tolist()[1] == "Canceled"
    assert frame["account_id"].tolist() == ["Acme", "Acme"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            VIEW.replace("Est. close date", "Closes"),
            r"expected: no column for it: looked for estimatedclosedate, Est\. Cl",
        ),
        (VIEW.replace("Status,", "Tila,", 1), "state: no column for it: looked for statecode, Status"),
        (
            VIEW.replace("Est. revenue", "Myynti"),
            r"estimated: no column with a value in it: looked for estimatedvalue, Est",
        ),
        (VIEW.replace("(Do Not Modify) Opportunity", "Nr"), r"looked for opportunityid, \(Do Not Modify\) Opportunity"),
    ],
)
def test_renamed_and_translated_columns_are_refused_with_what_was_looked_for(tmp_path: Path, broken: str, message: str):
    row = "1,x,2026-10-20,A,Acme,Open,In Progress,1000,2026-12-10,,,2026-09-01,P. Person,Develop,50\n"
    with pytest.raises(DataError, match=message):
        read(tmp_path, {"opportunity.csv": broken + row})


def test_states_that_nothing_explains_are_refused(tmp_path: Path):
    row = "1,x,2026-10-20,A,Acme,Xwon,Xwon,1000,2026-10-10,1000,2026-10-10,2026-09-01,P. Person,Develop,50\n"
    with pytest.raises(DataError, match=r"is none of 0 \(open\), 1 \(won\), 2 \(lost\)") as refused:
        read(tmp_path, {"opportunity.csv": VIEW + row})
    assert '[outcome] column = "Status", won = ["Xwon"]' in str(refused.value)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("Offen", "Gewonnen", "Verloren"), "'Gewonnen' is won"),
        (("Ouverte", "Conclue", "Perdue"), "'Conclue' is won"),
        (("Abierta", "Lograda", "Perdida"), "'Lograda' is won"),
        (("Avoin", "Voitettu", "Hävitty"), "'Hävitty' is lost"),
        (("0", "1", "2"), ""),
        (("Open", "Won", "Lost"), ""),
    ],
)
def test_states_in_other_languages(tmp_path: Path, states: tuple[str, str, str], said: str):
    rows = "".join(
        f"{deal},x,2026-10-20,A,Acme,{state},x,1000,2026-12-10,,{closed},2026-09-01,P. Person,Develop,50\n"
        for deal, state, closed in zip("abc", states, ("", "2026-10-10", "2026-10-11"), strict=True)
    )
    result = read(tmp_path, {"opportunity.csv": VIEW + rows})
    assert deals(result)["outcome"].tolist() == ["open", "won", "lost"]
    assert any(said in note for note in result.notes) or not said


def test_a_german_view(tmp_path: Path):
    text = (
        "(Nicht ändern) Verkaufschance;(Nicht ändern) Zeilenprüfsumme;(Nicht ändern) Geändert am;Thema;Status;"
        "Gesch. Umsatz;Gesch. Abschlussdatum;Tatsächlicher Umsatz;Tatsächliches Abschlussdatum;Erstellt am;Besitzer\n"
        "a;x;20.10.2026 09:05;A;Offen;1.000,50 €;10.12.2026;;;01.09.2026 23:30;Ana\n"
        "b;x;05.10.2026 09:05;B;Gewonnen;2.000,00 €;10.10.2026;2.100,00 €;03.10.2026;01.07.2026 08:00;Ana\n"
    )
    frame = deals(read(tmp_path, {"Meine Verkaufschancen.csv": text}))
    assert frame["outcome"].tolist() == ["open", "won"]
    assert frame["amount"].tolist() == [1000.5, 2100]
    assert frame["closed_on"].tolist()[1] == pd.Timestamp("2026-10-03")


def test_a_view_of_another_language_by_a_mapping(tmp_path: Path):
    text = (
        "Tunnus,Tila,Summa,Arvio,Suljettu,Luotu\n"
        "a,Xopen,1000,2026-12-10,,2026-09-01\n"
        "b,Xwon,700,2026-10-10,2026-10-03,2026-07-01\n"
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "myynti.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"--mapping FILE"):
        read_export("dynamics", tmp_path / "in")
    mapping = tmp_path / "finnish.toml"
    mapping.write_text(
        '[columns]\nopportunity_id = "Tunnus"\namount = "Summa"\nexpected_close_on = "Arvio"\nclosed_on = "Suljettu"\n'
        'created_on = "Luotu"\n[outcome]\ncolumn = "Tila"\nopen = ["Xopen"]\nwon = ["Xwon"]\n',
        encoding="utf-8",
    )
    import_crm("dynamics", tmp_path / "in", tmp_path / "ours", mapping=mapping)
    frame = forecast.read(tmp_path / "ours").opportunities.set_index("opportunity_id")
    assert frame["outcome"].tolist() == ["open", "won"]
    assert frame["amount"].tolist() == [1000, 700]


def test_deals_of_a_second_view_are_not_left_behind(tmp_path: Path):
    row = "{},x,2026-10-20,A,Acme,{},x,1000,2026-12-10,,{},2026-09-01,P. Person,Develop,50\n"
    open_deals, closed = row.format("a", "Open", ""), row.format("b", "Won", "2026-10-10")
    with pytest.raises(DataError, match=r"Closed\.csv has the columns of opportunities too, and 1 deals that"):
        read(tmp_path / "two", {"Opportunities.csv": VIEW + open_deals, "Closed.csv": VIEW + closed})
    result = read(tmp_path / "part", {"Opportunities.csv": VIEW + open_deals + closed, "Closed.csv": VIEW + closed})
    assert deals(result).index.tolist() == ["a", "b"]


def test_currencies_beside_the_amounts_are_not_added_up(tmp_path: Path):
    text = VIEW + (
        'a,x,2026-10-20,A,Acme,Open,x,"$1,000.00",2026-12-10,,,2026-09-01,P,Develop,50\n'
        'b,x,2026-10-20,A,Acme,Open,x,"€2,000.00",2026-12-10,,,2026-09-01,P,Develop,50\n'
    )
    with pytest.raises(DataError, match="currenc"):
        read(tmp_path, {"opportunity.csv": text})


def test_users_and_accounts_are_found_in_any_form(tmp_path: Path):
    table = (
        "opportunityid,statecode,createdon,estimatedclosedate,actualclosedate,estimatedvalue,ownerid,Account\n"
        f"1,0,2026-09-01T08:00:00Z,2026-12-01,,100,{{{GUID.upper()}A}},Acme\n"
        f"2,0,2026-07-01T08:00:00Z,2026-12-10,,70,{GUID}b,Bolt\n"
    )
    files = {
        "opportunity.csv": table,
        "systemuser.csv": f"systemuserid,fullname,Desk\n{GUID}a,Ana,North\n{{{GUID.upper()}B}},Bo,South\n",
        "account.csv": f"accountid,name,Region\n{GUID}c,Acme,East\n{GUID}d,Bolt,West\n",
    }
    frame = deals(read(tmp_path, files))
    assert frame["owner"].tolist() == ["Ana", "Bo"]
    for column, expected in (("users.Desk", ["North", "South"]), ("accounts.Region", ["East", "West"])):
        result = read_export("dynamics", tmp_path, segment_column=column)
        assert deals(result)["segment"].tolist() == expected


# -- variants: money -----------------------------------------------------------------------------------

TABLE = "opportunityid,statecode,createdon,modifiedon,estimatedclosedate,actualclosedate,stepname"
OPEN = "0,2026-09-01T08:00:00Z,2026-10-20T08:00:00Z,2026-12-01,,2-Develop"
WON = "1,2026-07-01T08:00:00Z,2026-09-10T08:00:00Z,2026-09-10,2026-09-10,3-Close"


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        # Both pairs; the estimate's base alone; the rate of the row alone; the rate instead of a missing base.
        ("estimatedvalue,estimatedvalue_base,actualvalue,actualvalue_base", "100000,5000,120000,6000"),
        ("estimatedvalue,estimatedvalue_base,actualvalue", "100000,5000,120000"),
        ("estimatedvalue,actualvalue,exchangerate", "100000,120000,20"),
        ("estimatedvalue,estimatedvalue_base,actualvalue,exchangerate", "100000,,120000,20"),
        ("estimatedvalue_base,actualvalue_base", "5000,6000"),
        ("Est. Revenue,Est. Revenue (Base),Actual Revenue,Actual Revenue (Base)", "100000,5000,120000,6000"),
    ],
)
def test_the_base_currency_comes_first_in_every_form(tmp_path: Path, columns: str, values: str):
    text = f"{TABLE},_transactioncurrencyid_value,{columns}\n1,{WON},MXN,{values}\n2,{WON},MXN,{values}\n"
    assert deals(read(tmp_path, {"opportunity.csv": text}))["amount"].tolist() == [6000, 6000]


def test_the_rate_is_that_of_the_deal_itself(tmp_path: Path):
    text = (
        f"{TABLE},Currency,estimatedvalue,exchangerate\n1,{OPEN},Mexican Peso,100000,20\n"
        f"2,{OPEN},Mexican Peso,100000,25\n"
        f"3,{OPEN},Euro,700,1\n"
    )
    result = read(tmp_path, {"opportunity.csv": text})
    assert deals(result)["amount"].tolist() == [5000, 4000, 700]
    assert any("as entered / exchangerate of the deal" in note for note in result.notes)


def test_a_currency_nothing_shows_the_rate_of_is_refused(tmp_path: Path):
    text = (
        f"{TABLE},Currency,estimatedvalue,estimatedvalue_base\n1,{OPEN},Mexican Peso,100000,5000\n"
        f"2,{OPEN},Real,100000,\n"
    )
    with pytest.raises(DataError, match=r"estimatedvalue_base: is empty where estimatedvalue is not.*\n  rows: line 3"):
        read(tmp_path, {"opportunity.csv": text})


def test_currencies_with_the_rates_of_their_table_and_without(tmp_path: Path):
    text = f"{TABLE},Currency,estimatedvalue\n1,{OPEN},Mexican Peso,100000\n2,{OPEN},Euro,700\n"
    rates = "transactioncurrencyid,isocurrencycode,currencyname,exchangerate\na,MXN,Mexican Peso,20\nb,EUR,Euro,1\n"
    with pytest.raises(DataError, match="Euro, Mexican Peso"):
        read(tmp_path / "without", {"opportunity.csv": text})
    result = read(tmp_path / "with", {"opportunity.csv": text, "transactioncurrencies.csv": rates})
    assert deals(result)["currency"].tolist() == ["MXN", "EUR"]
    assert result.tables["currencies"].set_index("currency")["plan_rate"].to_dict() == {"MXN": 0.05, "EUR": 1}


def test_audited_amounts_where_only_the_base_was_exported(tmp_path: Path):
    files = {
        "opportunity.csv": f"{TABLE},estimatedvalue_base\n3,{OPEN},10000\n",
        "audit.csv": "objectid,createdon,attribute,oldvalue,newvalue\n"
        "3,2026-10-01T08:00:00Z,estimatedvalue,150000,200000\n",
    }
    assert history(read(tmp_path, files), "3")["amount"].tolist() == [7500, 10_000]


# -- variants: Dataverse and the Web API ---------------------------------------------------------------


def test_the_web_api_with_its_formatted_values(tmp_path: Path):
    text = (
        f"opportunityid,statecode,statecode{API},estimatedvalue,actualvalue,estimatedclosedate,"
        "actualclosedate,createdon,"
        f"salesstage,salesstage{API},_ownerid_value,_ownerid_value{API},_transactioncurrencyid_value,"
        f"_transactioncurrencyid_value{API}\n"
        f"{GUID}1,0,Open,1000,,2026-12-10,,2026-09-30T22:30:00Z,1,Develop,u1,Rep 1,c1,Euro\n"
        f"{GUID}2,1,Won,900,950,2026-09-10,2026-09-10,2026-07-01T08:00:00Z,3,Close,u2,Rep 2,c1,Euro\n"
    )
    create = [("statecode", None, "0"), ("salesstage", None, "0"), ("estimatedvalue", None, "800.0000")]
    create += [("estimatedclosedate", None, "11/05/2026 00:00:00"), ("ownerid", None, "systemuser,u1")]
    step = [("salesstage", "0", "1"), ("estimatedvalue", "800.0000", "1000.0000")]
    step += [("estimatedclosedate", "11/05/2026 00:00:00", "12/10/2026 00:00:00")]
    audit = pd.DataFrame(
        [
            {
                "_objectid_value": f"{GUID}1".upper(),
                "createdon": at,
                "operation": operation,
                "changedata": json.dumps(
                    {"changedAttributes": [{"logicalName": n, "oldValue": o, "newValue": v} for n, o, v in changes]}
                ),
            }
            for at, operation, changes in (
                ("2026-09-30T22:30:04Z", 1, create),
                ("2026-10-12T08:00:00Z", 2, step),
            )
        ]
    )
    files = {"opportunities.csv": text, "audits.csv": audit.to_csv(index=False), "company.toml": BERLIN}
    result = read(tmp_path, files)
    frame = deals(result)
    assert frame["stage"].tolist() == ["Develop", "Won"]
    assert frame["owner"].tolist() == ["Rep 1", "Rep 2"]
    assert frame["created_on"].iloc[0] == pd.Timestamp("2026-10-01")
    assert "currency" not in frame
    known = history(result, f"{GUID}1")
    assert known["stage"].tolist() == ["Qualify", "Develop"]
    assert known["amount"].tolist() == [800, 1000]
    assert known["expected_close_on"].dt.strftime("%Y-%m-%d").tolist() == ["2026-11-05", "2026-12-10"]
    assert known["recorded_at"].iloc[0] == pd.Timestamp("2026-09-30T22:30:00Z")


def test_rows_that_are_only_ever_added(tmp_path: Path):
    """Synapse Link in its appending form: a row a change, the highest version holds, IsDelete says what is gone."""
    text = (
        "Id,SinkCreatedOn,SinkModifiedOn,IsDelete,versionnumber,statecode,createdon,modifiedon,"
        "estimatedvalue,actualvalue,"
        "estimatedclosedate,actualclosedate,stepname\n"
        "1,2026-09-01,2026-09-01,,100,0,2026-09-01T08:00:00Z,2026-09-01T08:00:00Z,1000,,2026-12-01,,1-Qualify\n"
        "1,2026-09-01,2026-09-20,,300,0,2026-09-01T08:00:00Z,2026-09-20T08:00:00Z,1500,,2026-12-24,,2-Develop\n"
        "2,2026-09-02,2026-09-02,,200,0,2026-09-02T08:00:00Z,2026-09-02T08:00:00Z,70,,2026-12-01,,1-Qualify\n"
        "2,2026-09-02,2026-09-21,True,400,0,2026-09-02T08:00:00Z,2026-09-21T08:00:00Z,70,,2026-12-01,,1-Qualify\n"
    )
    result = read(tmp_path, {"opportunity.csv": text})
    assert deals(result)["amount"].to_dict() == {"1": 1500}
    assert history(result, "1")["amount"].tolist() == [1000, 1500]
    assert any("2 former versions of deals are not counted as deals" in note for note in result.notes)


def test_a_table_without_header_is_refused_as_such(tmp_path: Path):
    text = (
        f"{GUID}1,2026-09-01T08:00:00Z,2026-09-01T08:00:00Z,0,1000.00\n"
        f"{GUID}2,2026-09-01T08:00:00Z,2026-09-01T08:00:00Z,1,9\n"
    )
    with pytest.raises(DataError, match=r"has no header: its first line holds values \('0f3a.*\n  mend: .*model\.json"):
        read(tmp_path, {"opportunity.csv": text})


def test_the_audit_as_the_screen_shows_it(tmp_path: Path):
    files = {
        "opportunity.csv": f"{TABLE},estimatedvalue\n3,{OPEN},1000\n",
        "audit.csv": "Object ID,Changed Date,Event,Changed Field,Old Value,New Value\n"
        '3,2026-09-20 10:00,Update,Est. Revenue,"€800.00","€1,000.00"\n'
        "3,2026-09-20 10:00,Update,Pipeline Phase,1-Qualify,2-Develop\n"
        "3,2026-09-21 10:00,Update,Description,a,b\n",
    }
    known = history(read(tmp_path, files), "3")
    assert known["amount"].tolist() == [800, 1000]
    assert known["stage"].tolist() == ["1-Qualify", "2-Develop"]


def test_a_closing_activity_dates_a_closure_without_one(tmp_path: Path):
    files = {
        "opportunity.csv": f"{TABLE},estimatedvalue\n1,{WON.replace('2026-09-10,3', ',3')},900\n",
        "opportunitycloses.csv": "activityid,_opportunityid_value,actualend\nx,1,2026-08-01T08:00:00Z\n"
        "y,1,2026-09-09T22:30:00Z\n",
        "company.toml": BERLIN,
    }
    assert deals(read(tmp_path, files)).loc["1", "closed_on"] == pd.Timestamp("2026-09-10")


def test_a_won_deal_reopened_is_open_in_between(tmp_path: Path):
    files = {
        "opportunity.csv": f"{TABLE},estimatedvalue,actualvalue\n1,{WON},900,950\n",
        "audit.csv": "objectid,createdon,attribute,oldvalue,newvalue\n1,2026-08-01T08:00:00Z,statecode,0,1\n"
        "1,2026-08-05T08:00:00Z,statecode,1,0\n1,2026-09-10T08:00:00Z,statecode,0,1\n",
    }
    assert history(read(tmp_path, files), "1")["stage"].tolist() == ["3-Close", "Won", "3-Close", "Won"]


def test_a_view_is_one_workbook(tmp_path: Path):
    view = pd.DataFrame(
        {
            "(Do Not Modify) Opportunity": ["1", "2"],
            "(Do Not Modify) Modified On": pd.to_datetime(["2026-10-20 10:15", "2026-09-10 10:15"]),
            "Status": ["Open", "Won"],
            "Est. Revenue": [1000.5, 2000],
            "Est. Close Date": pd.to_datetime(["2026-12-10", "2026-09-10"]),
            "Actual Close Date": pd.to_datetime([None, "2026-09-10"]),
            "Created On": pd.to_datetime(["2026-09-01 09:00", "2026-07-01 09:00"]),
        }
    )
    path = tmp_path / "My Opportunities 10-31-2026 3-15-22 PM.xlsx"
    with pd.ExcelWriter(path, engine="xlsxwriter") as book:
        view.to_excel(book, sheet_name="My Opportunities", index=False)
        pd.DataFrame({"a": ["x"]}).to_excel(book, sheet_name="hiddenSheet", index=False)
        book.sheets["hiddenSheet"].hide()
    result = read_export("dynamics", path)
    frame = deals(result)
    assert frame["amount"].to_dict() == {"1": 1000.5, "2": 2000}
    assert frame["outcome"].tolist() == ["open", "won"]
    assert frame["created_on"].tolist() == [pd.Timestamp("2026-09-01"), pd.Timestamp("2026-07-01")]
    with pd.ExcelWriter(tmp_path / "two.xlsx", engine="xlsxwriter") as book:
        view.to_excel(book, sheet_name="Opportunities", index=False)
        pd.DataFrame({"systemuserid": ["u"], "fullname": ["Rep 1"]}).to_excel(book, sheet_name="Users", index=False)
    assert deals(read_export("dynamics", tmp_path / "two.xlsx"))["amount"].sum() == 3000.5


def test_an_open_deal_that_the_audit_never_mentions_stands_as_at_its_creation(tmp_path: Path):
    files = {
        "opportunity.csv": f"{TABLE},estimatedvalue\n1,{OPEN},1000\n2,{OPEN},700\n",
        "audit.csv": "objectid,createdon,attribute,oldvalue,newvalue\n1,2026-10-01T08:00:00Z,estimatedvalue,800,1000\n",
    }
    result = read(tmp_path, files)
    assert history(result, "1")["amount"].tolist() == [800, 1000]
    assert history(result, "2")["amount"].tolist() == [700]
    assert history(result, "2")["recorded_at"].tolist() == [pd.Timestamp("2026-09-01T08:00:00Z")]


def test_an_audit_that_was_switched_on_late_says_nothing_of_before(tmp_path: Path):
    early = "".join(
        f"{n},{WON.replace('2026-07-01', '2026-01-01').replace('2026-09-10', '2026-03-10')},9\n" for n in range(5, 10)
    )
    files = {
        "opportunity.csv": f"{TABLE},estimatedvalue\n{early}1,{OPEN.replace('2026-09-01', '2026-02-01')},1000\n",
        "audit.csv": "objectid,createdon,attribute,oldvalue,newvalue\n"
        "1,2026-09-01T08:00:00Z,stepname,1-Qualify,2-Develop\n"
        "1,2026-10-01T08:00:00Z,estimatedvalue,800,1000\n",
    }
    result = read(tmp_path, files)
    assert history(result, "1")["recorded_at"].min() == pd.Timestamp("2026-09-01T08:00:00Z")
    assert any("after 5 deals closed: of the days before, no states are known" in note for note in result.notes)


def test_a_file_of_a_form_that_is_not_read_is_named(tmp_path: Path):
    (tmp_path / "opportunities.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"found: opportunities\.json, which is no table that can be read"):
        read_export("dynamics", tmp_path)


# -- actual amounts of 0 -------------------------------------------------------------------------------


def _with_actual(folder: Path, actual: list[str]) -> Imported:
    head = (
        "opportunityid,statecode,estimatedvalue,actualvalue,estimatedclosedate,actualclosedate,createdon,modifiedon\n"
    )
    rows = [f"{k},1,100,{value},2026-09-10,2026-09-10,2026-07-01,2026-09-10\n" for k, value in enumerate(actual)]
    (folder / "opportunity.csv").write_text(head + "".join(rows), encoding="utf-8")
    return read_export("dynamics", folder)


def test_an_actual_amount_that_nobody_keeps_is_none(tmp_path: Path):
    result = _with_actual(tmp_path, ["0"] * 5)
    assert result.tables["opportunities"]["amount"].astype(float).tolist() == [100.0] * 5
    assert any(
        "5 won deals have actualvalue 0" in note and "estimated amounts are taken" in note for note in result.notes
    )


def test_some_actual_amounts_of_nothing_are_kept_and_said(tmp_path: Path):
    result = _with_actual(tmp_path, ["0", "90", "", "110", "120"])
    assert result.tables["opportunities"]["amount"].astype(float).tolist() == [0.0, 90.0, 100.0, 110.0, 120.0]
    assert any("1 won deal has actualvalue 0" in note and "won for nothing" in note for note in result.notes)
