"""Salesforce's exports as people have them: small cases with their right answers; reports, connectors, money."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.sources.crm.export import Choices
from forecast.data.sources.crm.importing import Imported, import_crm, read_export
from forecast.errors import DataError, ParameterError

OPPS = "Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,LastModifiedDate"
OPEN = "006A,Prospecting,1000,2026-11-30,2026-09-01T08:00:00.000Z,false,false,2026-10-20T08:00:00.000Z"
WON = "006B,Closed Won,2000,2026-09-15,2026-07-01T08:00:00.000Z,true,true,2026-09-15T10:00:00.000Z"
LOST = "006C,Closed Lost,3000,2026-10-01,2026-08-01T08:00:00.000Z,true,false,2026-10-01T10:00:00.000Z"


def read(where: Path, files: dict[str, str], **choices: object) -> Imported:
    """Import an export of these files."""
    for name, text in files.items():
        (where / name).write_text(text, encoding="utf-8")
    return read_export("salesforce", where, choices=Choices(**choices))  # type: ignore[arg-type]


def deals(result: Imported) -> pd.DataFrame:
    return result.tables["opportunities"].set_index("opportunity_id")


def told(result: Imported) -> str:
    return "\n".join(result.notes)


# -- the cases -------------------------------------------------------------------------------------------

# case -> column -> deal -> what is right
RIGHT: dict[str, dict[str, dict[str, object]]] = {
    "sf_close_date_midnight_utc": {"closed_on": {"006B": "2026-10-01", "006D": "2026-10-01", "006E": "2026-10-01"}},
    "sf_close_date_midnight_utc_no_utcword": {"closed_on": {"006B": "2026-10-01", "006D": "2026-10-01"}},
    "sf_created_closed": {"created_on": {"006X": "2026-08-01"}, "outcome": {"006X": "won"}},
    "sf_dates_dmy_decidable": {"closed_on": {"006B": "2026-09-15"}, "created_on": {"006A": "2026-09-25"}},
    "sf_duplicate_ids": {"amount": {"006A": 1000.0, "006B": 2000.0, "006C": 3000.0}},
    "sf_exponent_amount": {"amount": {"006A": 12_500_000.0}},
    "sf_field_history_no_values": {"outcome": {"006A": "open", "006B": "won", "006C": "lost"}},
    "sf_history_1000x": {"amount": {"006A": 1000.0}},
    "sf_month_end_zone": {"created_on": {"006A": "2026-10-01"}},
    "sf_negative_amount": {"amount": {"006N": -450.0, "006B": 2000.0}},
    "sf_null_text": {"amount": {"006B": 2000.0}},
    "sf_opportunity_field_history": {"amount": {"006A": 1000.0}},
    "sf_reopened": {"outcome": {"006R": "lost"}},
    "sf_semicolons": {"amount": {"006B": 2000.5}},
    "sf_thousands_and_sign": {"amount": {"006A": 1234.5, "006B": 2000.0}},
    "sf_three_currencies": {"currency": {"006B": "USD", "006M": "MXN"}},
    "sf_utf16_tab": {"outcome": {"006A": "open", "006B": "won", "006C": "lost"}},
}
SAID = {
    "sf_created_closed": "closed before they were entered",
    "sf_dates_dmy_decidable": "CloseDate: read with the day first",
    "sf_duplicate_ids": "1 row repeats another to the letter",
    "sf_field_history_no_values": "holds no old and new values",
    "sf_history_1000x": "1,000 times it in the middle",
    "sf_negative_amount": "1 deal with an amount below 0 (credits, downsells), together -450.00",
    "sf_null_text": "the word null (or NaN) is read as empty in Amount (1)",
    "sf_utf16_tab": "UTF-16",
}
REFUSED = {"sf_three_currencies_no_rates": "EUR, MXN, USD", "sf_own_stage_names": "'Signed'"}


def test_every_case_has_its_answer(crm_cases: Path):
    there = {folder.name for folder in crm_cases.glob("sf_*")}
    assert there <= set(RIGHT) | set(REFUSED), "a case without an answer"


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_the_case_is_right(name: str, crm_cases: Path, tmp_path: Path):
    import_crm("salesforce", crm_cases / name / "in", tmp_path / "ours")
    frame = forecast.read(tmp_path / "ours").opportunities.set_index("opportunity_id")
    for column, wanted in RIGHT[name].items():
        values = frame[column]
        got = values.dt.strftime("%Y-%m-%d") if pd.api.types.is_datetime64_dtype(values.dtype) else values
        assert {deal: got[deal] for deal in wanted} == wanted
    assert SAID.get(name, "") in (tmp_path / "ours" / "import_notes.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_the_case_is_refused(name: str, crm_cases: Path):
    with pytest.raises(DataError, match=REFUSED[name]):
        read_export("salesforce", crm_cases / name / "in")


def test_three_currencies_are_worth_what_the_rates_say(crm_cases: Path, tmp_path: Path):
    import_crm("salesforce", crm_cases / "sf_three_currencies" / "in", tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    known = forecast.snapshot(log, as_of="2026-10-20").opportunities.set_index("opportunity_id")
    assert known["amount"].to_dict() == {"006A": 1000, "006B": 1600, "006C": 150, "006M": 5000}
    assert log.company.currency == "EUR"


def test_reopened(crm_cases: Path, tmp_path: Path):
    import_crm("salesforce", crm_cases / "sf_reopened" / "in", tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")

    def outcome(day: str) -> str:
        return forecast.snapshot(log, as_of=day).opportunities.set_index("opportunity_id").loc["006R", "outcome"]

    days = ["2026-07-31", "2026-08-31", "2026-09-30", "2026-10-20"]
    assert [outcome(day) for day in days] == ["won", "open", "open", "lost"]


def test_the_field_history_is_rebuilt(crm_cases: Path, tmp_path: Path):
    import_crm("salesforce", crm_cases / "sf_opportunity_field_history" / "in", tmp_path / "ours")
    log = forecast.read(tmp_path / "ours")
    then = forecast.snapshot(log, as_of="2026-09-10").opportunities.set_index("opportunity_id")
    assert then.loc["006A", ["stage", "amount"]].tolist() == ["Qualification", 500]
    assert then.loc["006B", "expected_close_on"] == pd.Timestamp("2026-10-31")


# -- reports ---------------------------------------------------------------------------------------------

REPORT = """\
"Opportunity Name","Stage","Amount","Amount (converted)","Amount (converted) Currency","Close Date","Created Date",\
"Opportunity Owner","Last Modified Date","Won","Closed","Opportunity ID"
"a, b","Prospecting","MXN 200,000.00","10,000.00","EUR","11/30/2026","9/25/2026, 8:00 AM","Rep 1",\
"10/20/2026, 8:00 AM","0","0","0065g00000ABCDE"
"c","Closed Won","EUR 2,000.00","2,000.00","EUR","9/15/2026","7/17/2026, 8:00 AM","Rep 2","9/15/2026, 8:00 AM","1",\
"1","0065g00000ABCDF"

"Grand Totals (2 records)","","","12,000.00"
"Confidential Information - Do Not Distribute"
"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."
"Generated By: Rep 1"
"""
FIELD_REPORT = """\
"Opportunity ID","Field / Event","Old Value","New Value","Edit Date"
"0065g00000ABCDEAA5","Stage","Qualification","Prospecting","10/1/2026 8:00 AM"
"0065g00000ABCDEAA5","Amount","MXN 100,000.00","MXN 200,000.00","10/19/2026 8:00 AM"
"""


def test_a_report_with_a_foot_in_dollars_and_pesos(tmp_path: Path):
    result = read(tmp_path, {"report1699999999999.csv": REPORT})
    frame = deals(result)
    assert frame["amount"].tolist() == [10_000, 2_000]
    assert frame["outcome"].tolist() == ["open", "won"]
    assert frame["owner"].tolist() == ["Rep 1", "Rep 2"]
    assert frame["created_on"].dt.strftime("%Y-%m-%d").tolist() == ["2026-09-25", "2026-07-17"]
    assert 'currency = "EUR"' in result.company
    assert "4 lines below the table, the foot of a report" in told(result)


def test_field_history_of_a_report_is_converted_and_joined_by_either_form_of_the_identifier(tmp_path: Path):
    files = {"report1699999999999.csv": REPORT, "report1699999999998.csv": FIELD_REPORT}
    result = read(tmp_path, files)
    history = result.tables["opportunity_history"]
    first = history[history["opportunity_id"].str.startswith("0065g00000ABCDE")]
    # The last row is of the day of the export, since the close date is not among the fields.
    assert first["amount"].tolist() == [5_000, 5_000, 10_000, 10_000]
    assert first["stage"].tolist() == ["Qualification", "Prospecting", "Prospecting", "Prospecting"]
    assert first["expected_close_on"].isna().tolist() == [True, True, True, False]


def test_the_history_report_knows_deals_by_their_name(tmp_path: Path):
    history = (
        '"Opportunity Name","From Stage","To Stage","Amount (converted)","Probability (%)","Close Date",'
        '"Last Modified"\n'
        '"a, b","","Qualification","5,000.00","10%","12/31/2026","9/25/2026 8:00 AM"\n'
        '"a, b","Qualification","Prospecting","10,000.00","20%","11/30/2026","10/20/2026 8:00 AM"\n'
        '"gone","","Qualification","5,000.00","10%","12/31/2026","9/25/2026 8:00 AM"\n'
    )
    result = read(tmp_path, {"report1699999999999.csv": REPORT, "report2.csv": history})
    table = result.tables["opportunity_history"]
    assert table["opportunity_id"].unique().tolist() == ["0065g00000ABCDE"]
    assert table["amount"].tolist() == [5_000, 10_000]
    assert table["probability"].tolist() == [0.1, 0.2]
    assert "deals are found by their name; 1 row has a name that is not there" in told(result)


def test_a_report_without_identifiers(tmp_path: Path):
    bare = REPORT.replace(',"Opportunity ID"', "").replace(',"0065g00000ABCDE"', "").replace(',"0065g00000ABCDF"', "")
    bare = bare.replace(",\\\n", ",")
    result = read(tmp_path, {"report1.csv": bare})
    assert deals(result).index.tolist() == ["a, b", "c"]
    assert "a deal is known by its name" in told(result)
    with pytest.raises(DataError, match="add the column Opportunity ID to the report"):
        read(tmp_path, {"report1.csv": bare.replace('"a, b"', '"c"')})


# -- connectors ------------------------------------------------------------------------------------------


def test_versions_of_a_connector_are_one_deal_and_its_history(tmp_path: Path):
    names = "id,stage_name,amount,close_date,created_date,is_closed,is_won,is_deleted,_fivetran_active,_fivetran_start"
    rows = [
        f"{names},_fivetran_synced",
        "006A,Prospecting,500,2026-11-30 00:00:00,2026-09-01 08:00:00,false,false,false,false,2026-09-01 08:00:00,",
        "006A,Closed Won,1000,2026-10-20 00:00:00,2026-09-01 08:00:00,true,true,false,true,2026-10-20 08:00:00,",
        "006Z,Prospecting,7,2026-11-30 00:00:00,2026-09-01 08:00:00,false,false,true,true,2026-09-01 08:00:00,",
    ]
    text = "\n".join([rows[0], *(f"{row}2026-10-31 01:00:00" for row in rows[1:])]) + "\n"
    result = read(tmp_path, {"opportunity.csv": text, "company.toml": 'timezone = "America/New_York"\n'})
    frame = deals(result)
    assert frame.index.tolist() == ["006A"]
    assert frame.loc["006A", ["amount", "outcome"]].tolist() == [1000, "won"]
    assert frame.loc["006A", "closed_on"] == pd.Timestamp("2026-10-20")
    history = result.tables["opportunity_history"]
    assert history["amount"].tolist() == [500, 1000]
    assert history["recorded_at"].iloc[0] == pd.Timestamp("2026-09-01T08:00Z")
    assert "1 deal marked as deleted is left out" in told(result)


# -- money -----------------------------------------------------------------------------------------------


def with_currency(*rows: tuple[str, str]) -> str:
    return "\n".join([f"{OPPS},CurrencyIsoCode", *(f"{row},{code}" for row, code in rows)]) + "\n"


MIXED = with_currency((OPEN, "EUR"), (WON, "USD"), (LOST, "MXN"))


def test_dated_rates_have_a_first_day(tmp_path: Path):
    files = {
        "Opportunity.csv": MIXED,
        "CurrencyType.csv": "IsoCode,ConversionRate,IsCorporate\nEUR,1,true\nUSD,1.25,false\nMXN,20,false\n",
        "DatedConversionRate.csv": "IsoCode,ConversionRate,StartDate,NextStartDate\n"
        "USD,1.25,2020-01-01,2026-01-01\nUSD,1.0,2026-01-01,9999-12-31\n",
    }
    rates = read(tmp_path, files).tables["currencies"].set_index("currency")
    assert rates.loc["MXN", "plan_rate"] == 0.05
    assert rates.loc["USD", "plan_rate"].tolist() == [0.8, 1.0]
    assert rates.loc["USD", "from"].isna().tolist() == [True, False]


def test_rates_turn_to_the_currency_of_company_toml(tmp_path: Path):
    files = {
        "Opportunity.csv": MIXED,
        "CurrencyType.csv": "IsoCode,ConversionRate,IsCorporate\nEUR,1,true\nUSD,1.25,false\nMXN,20,false\n",
        "company.toml": 'currency = "USD"\n',
    }
    rates = read(tmp_path, files).tables["currencies"].set_index("currency")["plan_rate"]
    assert rates.round(6).to_dict() == {"EUR": 1.25, "USD": 1.0, "MXN": 0.0625}


def test_a_user_may_say_that_it_is_one_currency_after_all(tmp_path: Path):
    result = read(tmp_path, {"Opportunity.csv": MIXED}, one_currency=True)
    assert "currency" not in result.tables["opportunities"]
    assert "all amounts are taken to be in one currency, as asked; the export says EUR, MXN, USD" in told(result)


def test_an_export_in_another_currency_than_the_companys_is_refused(tmp_path: Path):
    files = {"Opportunity.csv": with_currency((OPEN, "USD"), (WON, "USD")), "company.toml": 'currency = "EUR"\n'}
    with pytest.raises(DataError, match=r"amounts are in USD, company.toml says EUR"):
        read(tmp_path, files)


def test_credits_may_be_left_out(tmp_path: Path):
    text = "\n".join([OPPS, OPEN, WON, LOST.replace("3000", "-300")]) + "\n"
    assert deals(read(tmp_path, {"Opportunity.csv": text}))["amount"].tolist() == [1000, 2000, -300]
    assert deals(read(tmp_path, {"Opportunity.csv": text}, negative="leave-out")).index.tolist() == ["006A", "006B"]


# -- the day of the export -------------------------------------------------------------------------------


def test_the_day_is_asked_for_or_in_the_name(tmp_path: Path):
    text = "\n".join([OPPS, OPEN, WON, LOST]) + "\n"
    day = pd.Timestamp(dt.date(2026, 10, 25))
    assert "extracted_on = 2026-10-25" in read(tmp_path, {"Opportunity.csv": text}, extracted_on=day).company
    with pytest.raises(ParameterError, match="the export knows of changes on 2026-10-20"):
        read(tmp_path, {"Opportunity.csv": text}, extracted_on=pd.Timestamp("2026-10-01"))
    (tmp_path / "Opportunity.csv").unlink()
    result = read(tmp_path, {"Opportunities_2026-10-31.csv": text})
    assert "extracted_on = 2026-10-31" in result.company


def test_the_later_of_two_versions_of_a_deal_counts(tmp_path: Path):
    text = "\n".join([OPPS, OPEN, WON, WON.replace("2000", "2500").replace("T10:", "T11:")]) + "\n"
    result = read(tmp_path, {"Opportunity.csv": text})
    assert deals(result).loc["006B", "amount"] == 2500
    with pytest.raises(DataError, match="rows of one identifier differ"):
        read(tmp_path, {"Opportunity.csv": "\n".join([OPPS, OPEN, WON, WON.replace("2000", "2500")]) + "\n"})


# -- reports in other languages, grouped, and with placeholders ------------------------------------------

GERMAN = """Opportunity-ID;Phase;Betrag;Schlusstermin;Erstelldatum;Geschlossen;Gewonnen
006A;Fertig;1.234,56 €;15.09.2026;01.07.2026;WAHR;WAHR
006B;Weg;2.500,00 €;20.09.2026;02.07.2026;WAHR;FALSCH
Gesamtsummen (2 Datensätze);;3.734,56 €;;;;
Vertrauliche Informationen - Nicht weitergeben;;;;;;
"""


def test_a_german_report_is_read_by_its_labels(tmp_path: Path):
    frame = deals(read(tmp_path, {"report1.csv": GERMAN}))
    assert frame["outcome"].to_dict() == {"006A": "won", "006B": "lost"}
    assert frame["amount"].to_dict() == {"006A": 1234.56, "006B": 2500.0}
    assert frame.loc["006A", "closed_on"] == pd.Timestamp("2026-09-15")


def test_a_spanish_report_known_by_names(tmp_path: Path):
    text = "Nombre de la oportunidad,Etapa,Importe,Fecha de cierre,Fecha de creación\n"
    text += "A,Cerrada ganada,5,15/09/2026,01/07/2026\nB,Cerrada perdida,6,15/09/2026,01/07/2026\n"
    assert deals(read(tmp_path, {"informe.csv": text}))["outcome"].to_dict() == {"A": "won", "B": "lost"}


def test_flags_that_are_neither_yes_nor_no_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"Gewonnen: is neither true nor false"):
        read(tmp_path, {"report1.csv": GERMAN.replace("WAHR;WAHR", "WAHR;vielleicht")})


def test_a_day_that_stands_for_none_is_left_empty(tmp_path: Path):
    result = read(tmp_path, {"Opportunity.csv": "\n".join([OPPS, OPEN.replace("2026-11-30", "9999-12-31"), WON, LOST])})
    assert pd.isna(deals(result).loc["006A", "expected_close_on"])
    assert "1 deals are expected to close on 9999-12-31, which stands for no date" in told(result)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_change_on_a_day_that_stands_for_none_is_refused_and_does_not_date_the_export(tmp_path: Path, zone: str):
    history = "OpportunityId,CreatedDate,StageName,Amount,CloseDate\n"
    history += "006A,2026-09-01T08:00:00.000Z,Prospecting,1000,2026-11-30\n"
    history += "006B,2026-07-01T08:00:00.000Z,Prospecting,2000,2026-09-15\n"
    history += "006B,9999-12-31T09:00:00.000Z,Closed Won,2000,2026-09-15\n"
    files = {"Opportunity.csv": "\n".join([OPPS, OPEN, WON, LOST]), "OpportunityHistory.csv": history}
    with pytest.raises(DataError, match=r"opportunity_history.recorded_at: .*\n  rows: .*9999-12-31"):
        read(tmp_path, {**files, "company.toml": f'timezone = "{zone}"\n'})


def test_a_mapping_says_the_decimal_sign(tmp_path: Path):
    text = "Opportunity ID;Stage;Amount;Close Date;Created Date\n"
    text += "006A;Closed Won;2.000;15.09.2026;01.07.2026\n006B;Closed Lost;12.500;20.09.2026;02.07.2026\n"
    (tmp_path / "m.toml").write_text('[numbers]\ndecimal = ","\n')
    (tmp_path / "in").mkdir()
    (tmp_path / "in/report.csv").write_text(text)
    with pytest.raises(DataError, match="decimal = "):
        read_export("salesforce", tmp_path / "in")
    result = read_export("salesforce", tmp_path / "in", mapping=tmp_path / "m.toml")
    assert deals(result).loc["006A", "amount"] == 2000
