"""A draft for an export nobody described: what it takes is right, what it cannot know it leaves open."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from forecast.data.sources.crm.importing import draft_mapping, read_export
from forecast.data.sources.crm.mapped.mapping import parse_mapping
from forecast.errors import ParameterError
from forecast.simulation.company import simulate

ROWS = 300


@dataclass(frozen=True)
class Variant:
    """How a company's deals are written out: headers by our column, words of the outcome, separator and dates."""

    name: str
    headers: dict[str, str]
    words: tuple[str, str, str] = ("Open", "Won", "Lost")
    separator: str = ","
    day: str = "%Y-%m-%d"
    decimal: str = "."
    status: bool = True
    extra: dict[str, str] = field(default_factory=dict)


def _variant(name: str, headers: str, **more) -> Variant:
    ours = ("opportunity_id", "created_on", "stage", "amount", "expected_close_on", "closed_on", "outcome")
    given = [header.strip() for header in headers.split("|")]
    return Variant(name, dict(zip((*ours, "segment", "owner"), given, strict=False)), **more)


GERMAN = {"separator": ";", "day": "%d.%m.%Y", "decimal": ","}
VARIANTS = (
    _variant(
        "english",
        "Deal No | Created | Phase | Contract Value | Expected Close | Closed On | Status | Region | Sales Rep",
    ),
    _variant("api", "id | created_at | stage | value | expected_close_date | closed_at | status | territory | owner"),
    _variant("camel", "dealId | createdDate | salesStage | dealValue | expectedCloseDate | closedDate | dealStatus"),
    _variant("shouting", "OPPORTUNITY ID | DATE ADDED | SALES STAGE | REVENUE | TARGET DATE | DATE CLOSED | OUTCOME"),
    _variant(
        "german",
        "Angebots-Nr | Erstellt am | Verkaufsphase | Auftragswert | Abschluss erwartet"
        " | Abgeschlossen am | Status | Gebiet",
        words=("Offen", "Gewonnen", "Verloren"),
        **GERMAN,
    ),
    _variant(
        "german2",
        "Vorgangsnummer | Anlagedatum | Phase | Betrag | Geplanter Abschluss | Abschlussdatum"
        " | Ergebnis | Niederlassung",
        words=("In Bearbeitung", "gewonnen", "verloren"),
        **GERMAN,
    ),
    _variant(
        "french",
        "Numéro | Créé le | Étape | Montant | Date de clôture prévue | Date de clôture | Statut | Secteur | Commercial",
        words=("En cours", "Gagné", "Perdu"),
        separator=";",
        day="%d/%m/%Y",
        decimal=",",
    ),
    _variant(
        "spanish",
        "Identificador | Fecha de creación | Etapa | Importe | Fecha prevista | Fecha de cierre"
        " | Estado | Zona | Vendedor",
        words=("Abierta", "Ganada", "Perdida"),
    ),
    _variant(
        "italian",
        "Codice | Data creazione | Fase | Importo | Chiusura prevista | Data chiusura | Esito | Regione | Venditore",
        words=("Aperta", "Vinta", "Persa"),
    ),
    _variant(
        "portuguese",
        "Código | Data de criação | Etapa | Valor | Previsão de fechamento | Data de fechamento | Situação | Região",
        words=("Em andamento", "Ganha", "Perdida"),
    ),
    _variant(
        "dutch",
        "Dealnummer | Aangemaakt op | Fase | Bedrag | Verwachte sluitingsdatum | Gesloten op | Status | Gebied",
        words=("Openstaand", "Gewonnen", "Verloren"),
    ),
    _variant(
        "swedish",
        "Nummer | Skapad | Steg | Belopp | Förväntat avslut | Avslutsdatum | Status",
        words=("Öppen", "Vunnen", "Förlorad"),
    ),
    _variant(
        "polish",
        "Numer | Data utworzenia | Etap | Kwota | Oczekiwana data zamknięcia | Data zamknięcia | Status",
        words=("Otwarta", "Wygrana", "Przegrana"),
    ),
    _variant(
        "russian",
        "Номер | Дата создания | Этап | Сумма | Плановая дата закрытия | Дата закрытия | Статус",
        words=("В работе", "Выиграна", "Проиграна"),
    ),
    _variant(
        "japanese", "案件番号 | 作成日 | フェーズ | 金額 | 完了予定日 | 完了日 | 状態", words=("商談中", "受注", "失注")
    ),
    _variant("invented", "Zorp | Blix | Quam | Vund | Tarn | Mopp | Hesk"),
    _variant(
        "misspelt", "Deal Nmuber | Createed On | Stage Nme | Deal Vallue | Expeted Close Date | Closd Date | Statsu"
    ),
    _variant(
        "engaged", "opportunity_id | engage_date | deal_stage | deal_amount | target_close_date | close_date | result"
    ),
    _variant("no status", "Deal No | Created | Stage | Amount | Expected Close | Closed On | -", status=False),
    _variant(
        "american",
        "Deal # | Date Created | Stage | Deal Size | Est. Close Date | Actual Close Date | State",
        day="%m/%d/%Y",
    ),
    _variant("tabs", "Ref | Opened | Step | Price | Planned Close | Ended | Result", separator="\t"),
    _variant(
        "pipedrive",
        "Deal - ID | Deal - Deal created | Deal - Stage | Deal - Value"
        " | Deal - Expected close date | Deal - Deal closed on"
        " | Deal - Status | Deal - Pipeline | Deal - Owner",
        words=("open", "won", "lost"),
    ),
)


@cache
def _company() -> pd.DataFrame:
    deals = simulate(opportunities=2_000, months=24, end="2026-10", seed=3).tables["opportunities"]
    columns = [
        "opportunity_id",
        "created_on",
        "stage",
        "amount",
        "expected_close_on",
        "closed_on",
        "outcome",
        "segment",
        "owner",
    ]
    return deals[columns].iloc[:: len(deals) // ROWS].reset_index(drop=True)


def _written(variant: Variant, folder: Path) -> Path:
    deals = _company()
    table = pd.DataFrame(index=deals.index)
    for ours, theirs in variant.headers.items():
        values = deals[ours]
        if ours.endswith("_on"):
            values = values.dt.strftime(variant.day)
        elif ours == "amount":
            values = values.map(lambda one: "" if pd.isna(one) else f"{one:.2f}".replace(".", variant.decimal))
        elif ours == "outcome":
            if not variant.status:
                continue
            values = values.map(dict(zip(("open", "won", "lost"), variant.words, strict=True)))
        elif ours == "stage":
            # The phase a deal was in, not how it ended; where there is no status, the stage says that.
            ended = {"won": "Closed Won", "lost": "Closed Lost"}
            values = values.where(deals["outcome"] == "open", deals["outcome"].map(ended if not variant.status else {}))
            values = values.fillna("Negotiation")
        table[theirs] = values
    folder.mkdir(exist_ok=True)
    path = folder / "deals.csv"
    table.to_csv(path, sep=variant.separator, index=False)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=[variant.name for variant in VARIANTS])
def test_a_company_written_out_under_other_headers_comes_back_with_its_outcomes_and_amounts(variant, tmp_path: Path):
    source = _written(variant, tmp_path / "in")
    drafted = draft_mapping(source)
    assert drafted.left == (), drafted.text
    mapping = tmp_path / "own.toml"
    mapping.write_text(drafted.text, encoding="utf-8")
    result = read_export("generic", source, mapping=mapping)
    got = result.tables["opportunities"].reset_index(drop=True)
    deals = _company()
    assert list(got["outcome"]) == list(deals["outcome"])
    assert got["amount"].fillna(-1).round(2).tolist() == deals["amount"].fillna(-1).round(2).tolist()
    assert got["created_on"].dt.date.tolist() == deals["created_on"].dt.date.tolist()
    assert got["closed_on"].fillna(pd.Timestamp(0)).tolist() == deals["closed_on"].fillna(pd.Timestamp(0)).tolist()


DEALS = "No,Begun,Ended,Worth,Cost,State\n" + "".join(
    f"A{row},2026-01-{row:02d},{'2026-03-01' if row % 3 else ''},{100 * worth},{90 * worth},{'ABC'[row % 3]}\n"
    for row, worth in ((row, row * 7 % 25) for row in range(1, 25))
)


def _draft(tmp_path: Path, text: str):
    path = tmp_path / "deals.csv"
    path.write_text(text, encoding="utf-8")
    return draft_mapping(path)


def test_what_values_cannot_say_is_left_open_with_the_candidates(tmp_path: Path):
    drafted = _draft(tmp_path, DEALS)
    assert drafted.left == (
        "outcome (whether it is won, lost or open)",
        "closed_on (when it was won or lost)",
    ), drafted.text
    assert '# column = "State"' in drafted.text
    assert parse_mapping(drafted.text, where="draft").outcome == ()


def test_stages_that_look_closed_are_left_to_the_user(tmp_path: Path):
    stages = ("Closed Won", "Closed Lost", "Signed", "Offer")
    text = "Id,Created,Closed,Amount,Stage\n" + "".join(
        f"A{row},2026-01-{row:02d},{'' if row % 4 == 3 else '2026-03-01'},{100 * row},{stages[row % 4]}\n"
        for row in range(1, 25)
    )
    drafted = _draft(tmp_path, text)
    assert "what the stage 'Signed' means" in drafted.left
    assert '# "Signed" = "won"   # or "lost", "open": left for you; 6 deals' in drafted.text
    assert "Signed" not in parse_mapping(drafted.text, where="draft").stages


def test_an_order_of_day_and_month_that_nothing_decides_is_left(tmp_path: Path):
    text = "Id,Created,Closed,Amount,Status\n" + "".join(
        f"A{row},0{row % 9 + 1}/01/2026,{'05/06/2026' if row % 3 else ''},{row},{('Open', 'Won', 'Lost')[row % 3]}\n"
        for row in range(1, 25)
    )
    drafted = _draft(tmp_path, text)
    assert any("the order of day and month in Created" in line for line in drafted.left)
    assert '# order = "dmy"' in drafted.text


def test_two_amounts_leave_the_choice(tmp_path: Path):
    drafted = _draft(tmp_path, DEALS.replace("Worth,Cost", "First value,Second value"))
    assert any(line.startswith("amount") for line in drafted.left)


def test_a_weighted_amount_is_not_the_amount(tmp_path: Path):
    drafted = _draft(tmp_path, DEALS.replace("Worth,Cost", "Value,Weighted value"))
    assert 'amount = "Value"' in drafted.text


def test_the_export_of_a_known_crm_needs_no_draft(tmp_path: Path):
    with pytest.raises(ParameterError, match="needs no mapping"):
        _draft(tmp_path, "StageName,CloseDate,Amount\nWon,2026-01-01,5\n")


def test_a_few_rows_with_as_many_statuses_are_enough(tmp_path: Path):
    rows = "A,Won,1000,2026-09-15,2026-02-11\nB,Lost,500,2026-09-16,2026-03-12\nC,Open,300,,2026-04-13\n"
    (tmp_path / "deals.csv").write_text("Name,Status,Deal Value,Close Date,Created\n" + rows)
    drafted = draft_mapping(tmp_path / "deals.csv")
    assert drafted.left == ()
    (tmp_path / "m.toml").write_text(drafted.text)
    table = read_export("generic", tmp_path / "deals.csv", mapping=tmp_path / "m.toml").tables["opportunities"]
    assert table["outcome"].tolist() == ["won", "lost", "open"]
    assert table["amount"].tolist() == [1000.0, 500.0, 300.0]


# -- short tables, cents, amounts a month --------------------------------------------------------------

BOARD = """Name,Stage,Deal Value,Expected Close Date,Close Date,Deal creation date,Item ID (auto generated)
A,Negotiation,1200.5,2026-12-10,,2026-09-01,111
B,Won,800,2026-09-30,2026-09-10,2026-07-01,112
C,Lost,300,2026-09-30,2026-09-11,2026-07-02,113
"""
CENTS = """id,status_label,status_type,value,value_period,value_formatted,date_created,date_won,date_lost
o1,Proposal,active,120050,one_time,"$1,200.50",2026-09-01,,
o2,Signed,won,80000,one_time,$800,2026-07-01,2026-09-10,
o3,Gone,lost,30000,one_time,$300,2026-07-02,,2026-09-11
"""


def _of(folder: Path, text: str):
    (folder / "deals.csv").write_text(text, encoding="utf-8")
    return draft_mapping(folder)


def test_in_a_short_table_a_stage_may_stand_once(tmp_path: Path):
    drafted = _of(tmp_path, BOARD)
    assert not drafted.left
    for line in ('stage = "Stage"', 'opportunity_id = "Item ID (auto generated)"', 'closed_on = "Close Date"'):
        assert line in drafted.text


def test_amounts_in_cents_are_told_by_the_column_that_shows_them_as_money(tmp_path: Path):
    drafted = _of(tmp_path, CENTS)
    assert "unit = 0.01" in drafted.text
    assert any("value_formatted shows a hundredth of each" in line for line in drafted.report)
    assert "unit =" not in _of(tmp_path, CENTS.replace("120050", "1200.50").replace("0000", "00")).text


def test_amounts_a_month_and_a_year_are_left_to_the_user(tmp_path: Path):
    drafted = _of(tmp_path, CENTS.replace("80000,one_time", "80000,monthly"))
    assert any(line.startswith("amount") for line in drafted.left)
    assert any("value_period" in line for line in drafted.report)


def test_a_status_that_says_nothing_is_named(tmp_path: Path):
    drafted = _of(tmp_path, CENTS.replace("Proposal,active", "Proposal,parked"))
    assert any("'parked'" in line for line in drafted.report if line.startswith("left"))


def test_amounts_that_are_no_numbers_are_shown(tmp_path: Path):
    drafted = _of(tmp_path, BOARD.replace("1200.5", "1.2k"))
    assert any("'1.2k'" in line for line in drafted.report if line.startswith("left    amount"))
