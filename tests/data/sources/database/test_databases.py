"""DuckDB, PostgreSQL and SQLAlchemy give the log that files give; what is wrong is named; nothing is ever written."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as driver
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import forecast
from forecast.cli import app
from forecast.data.schema import Log
from forecast.data.sources.database import fetch as fetching
from forecast.data.sources.database import postgres as through_adbc
from forecast.data.sources.database.fetch import fetch
from forecast.data.sources.database.place import place_of
from forecast.data.sources.database.session import Lost, as_relation
from forecast.data.sources.files import read_raw
from forecast.data.sources.read import examine, in_files, read
from forecast.errors import DataError, MachineError
from servers import PASSWORD, Server
from tiny import COMPANY, tiny_company

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

EVENTS = """\
from,kind,text,segment
2026-02-01,price,up,
2026-01-05,campaign,spring,North
2026-01-05,campaign,fair,South
"""
COLUMNS = [
    ("opportunity_id", "text"),
    ("created_on", "date"),
    ("segment", "text"),
    ("stage", "text"),
    ("amount", "float8"),
    ("expected_close_on", "date"),
    ("closed_on", "date"),
    ("outcome", "text"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny company as CSV files, with events, whose rows come in no order."""
    made = tiny_company(tmp_path_factory.mktemp("tiny") / "data")
    (made / "events.csv").write_text(EVENTS, encoding="utf-8")
    return made


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setitem(fetch.__kwdefaults__, "pauses", (0.0, 0.0))


@pytest.fixture(scope="module")
def _numbers() -> list[int]:
    return []


@pytest.fixture
def database(postgres: Server, _numbers: list[int]) -> Callable[..., str]:
    """Return a function that makes a database, runs commands in it and returns its name."""

    def made(*commands: str) -> str:
        _numbers.append(len(_numbers))
        name = f"d{len(_numbers)}"
        postgres.run("postgres", f"CREATE DATABASE {name}")
        postgres.run(name, *commands)
        return name

    return made


def typed(folder: Path) -> dict[str, pa.Table]:
    """Return the tables of a folder of CSV files, rows from last to first, in the types a database would have."""
    log = read(folder)
    tables = {}
    for name, frame in log.tables.items():
        table = pa.Table.from_pandas(frame.iloc[::-1], preserve_index=False).replace_schema_metadata()
        plain = {}
        for field, column in zip(table.schema, table.columns, strict=True):
            if pa.types.is_dictionary(field.type) or pa.types.is_large_string(field.type):
                column = column.cast(pa.string())
            elif pa.types.is_timestamp(field.type) and field.type.tz is None:
                column = column.cast(pa.date32())
            plain[field.name] = column
        tables[name] = pa.table(plain)
    return tables


def same(found: Log, wanted: Log) -> None:
    """Assert that two logs hold the same to the bit."""
    assert list(found.tables) == list(wanted.tables)
    for name, frame in wanted.tables.items():
        pd.testing.assert_frame_equal(found.tables[name], frame, check_exact=True)
        assert list(found.tables[name].dtypes) == list(frame.dtypes)
    assert (found.company, found.extracted_on, found.notes) == (wanted.company, wanted.extracted_on, wanted.notes)


def in_duckdb(file: Path, tables: dict[str, pa.Table], *, schema: str = "main") -> str:
    schema = schema.replace('"', '""')
    with duckdb.connect(str(file)) as connection:
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        for name, table in tables.items():
            connection.register("given", table)
            connection.execute(f'CREATE TABLE "{schema}"."{name}" AS SELECT * FROM given')
        connection.execute(f'CREATE TABLE "{schema}".company (key VARCHAR, value VARCHAR)')
        connection.executemany(f'INSERT INTO "{schema}".company VALUES (?, ?)', KEYS)
    return f"duckdb:///{file}"


KEYS = [["name", "Tiny"], ["currency", "EUR"], ["extracted_on", "2026-03-31"], ["logo", None]]


def in_sqlite(file: Path, tables: dict[str, pa.Table]) -> str:
    connection = sqlite3.connect(file)
    for name, table in tables.items():
        table.to_pandas(date_as_object=True).map(_sqlite_value).to_sql(name, connection, index=False)
    connection.execute("CREATE TABLE company (key TEXT, value TEXT)")
    connection.executemany("INSERT INTO company VALUES (?, ?)", KEYS)
    connection.commit()
    connection.close()
    return f"sqlite:///{file}"


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, dt.datetime | dt.date) and not pd.isna(value):
        return value.isoformat()
    return value


# -- one log from each ---------------------------------------------------------------------------------


def test_every_location_gives_the_same_log(folder: Path, tmp_path: Path, postgres: Server, database):
    wanted = read(folder)
    assert wanted.tables["events"]["text"].tolist() == ["spring", "fair", "up"]  # no key: sorted by all columns
    tables = typed(folder)
    (tmp_path / "parquet").mkdir()
    for name, frame in read_raw(folder)[0].items():
        frame.reset_index(drop=True).to_parquet(tmp_path / "parquet" / f"{name}.parquet")
    (tmp_path / "parquet" / "company.toml").write_text(COMPANY, encoding="utf-8")
    same(read(tmp_path / "parquet"), wanted)
    same(read(in_duckdb(tmp_path / "tiny.duckdb", tables)), wanted)
    same(read(in_sqlite(tmp_path / "tiny.sqlite", tables)), wanted)

    name = database("CREATE SCHEMA crm", "CREATE TABLE crm.company (key text, value text)")
    postgres.load(name, tables, schema="crm")
    with postgres.connected(name) as cursor:
        cursor.executemany("INSERT INTO crm.company VALUES ($1, $2)", [(key, value or "") for key, value in KEYS])
    for socket in (False, True):
        found = read(postgres.address(name, schema="crm", socket=socket))
        same(found, wanted)
    assert found.source == f"PostgreSQL database '{name}', schema 'crm'"

    file = tmp_path / "beside.toml"
    file.write_text(f'database = "{postgres.address(name)}"\nschema = "crm"\nname = "Beside"\n', encoding="utf-8")
    assert forecast.read(file).company.name == "Beside"  # a key of the file wins over that of the table
    assert forecast.read(str(file)).company.currency == "EUR"


def test_the_sample_is_the_same_from_databases(sample: Path, tmp_path: Path, postgres: Server, database):
    wanted, tables = read(sample), typed(sample)
    in_duckdb(tmp_path / "sample.duckdb", tables)
    name = database()
    postgres.load(name, tables)
    settings = (sample / "company.toml").read_text(encoding="utf-8")
    for address in (f"duckdb:///{tmp_path}/sample.duckdb", postgres.address(name)):
        (tmp_path / "our.toml").write_text(f'database = "{address}"\n{settings}', encoding="utf-8")
        same(read(tmp_path / "our.toml"), wanted)


def test_the_same_rows_give_the_same_files(folder: Path, tmp_path: Path, postgres: Server, database):
    tables = typed(folder)
    one, other = database(), database()
    postgres.load(one, tables)
    postgres.load(other, {name: table.take(list(range(len(table)))[::-1]) for name, table in tables.items()})
    for name in (one, other):
        fetch(place_of(postgres.address(name)), tmp_path / name)
    assert sorted(path.name for path in (tmp_path / one).iterdir()) == [f"{name}.parquet" for name in sorted(tables)]
    for path in (tmp_path / one).iterdir():
        assert path.read_bytes() == (tmp_path / other / path.name).read_bytes(), path.name


# -- types ----------------------------------------------------------------------------------------------

TYPES = '''
CREATE TABLE opportunities (
  opportunity_id numeric(20, 0), created_on timestamptz, segment region, stage char(12), amount numeric(14, 2),
  expected_close_on date, closed_on timestamp, outcome text, account_id bigint, owner uuid, product varchar(9),
  units smallint, tags text[], is_big boolean, fee money, share real, ref_no text, "Odd ""name""" integer, seen jsonb)
'''


def test_types_of_postgresql(postgres: Server, database, monkeypatch):
    who = str(uuid.UUID(int=7))
    name = database(
        "CREATE TYPE region AS ENUM ('North', 'South')",
        TYPES,
        "INSERT INTO opportunities VALUES (12345678901234567890, '2026-01-31 23:30+00', 'South', 'Won', 1234567.10, "
        f"'2026-03-31', '2026-02-28 17:00', 'won', 9007199254740993, '{who}', 'A', 3, '{{a,b}}', true, 12.50, 0.5, "
        "'007', 5, '{\"a\": 1}')",
        "INSERT INTO opportunities (opportunity_id, created_on, segment, stage, amount, outcome) "
        "VALUES (2, '2026-01-31 22:30+00', 'North', 'Open', 'NaN', 'open')",
        "CREATE TABLE company AS SELECT 'timezone' AS key, 'Europe/Berlin' AS value",
    )
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    log = read(postgres.address(name))
    first, second = log.opportunities.to_dict("records")
    assert first["opportunity_id"] == "12345678901234567890"  # no digit lost
    assert first["account_id"] == "9007199254740993"
    assert first["created_on"] == pd.Timestamp("2026-02-01")  # its day in Berlin
    assert second["created_on"] == pd.Timestamp("2026-01-31")
    assert first["closed_on"] == pd.Timestamp("2026-02-28")
    assert (first["segment"], first["stage"], first["owner"]) == ("South", "Won", who)  # char(12) without its blanks
    assert (first["amount"], first["units"], first["fee"], first["share"]) == (1234567.10, 3.0, 12.5, 0.5)
    assert (first["tags"], first["is_big"], first['Odd "name"'], first["seen"]) == ("{a,b}", "true", 5.0, '{"a": 1}')
    assert first["ref_no"] == "007"
    assert pd.isna(second["amount"])  # not a number is not known
    assert pd.isna(second["closed_on"])


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("amount", "'Infinity'", "is infinite"),
        ("amount", "'-Infinity'", "is infinite"),
        ("closed_on", "'infinity'", "not a date"),
        ("expected_close_on", "'-infinity'", "not a date"),
        ("created_on", "'5874897-12-31'", "not a date"),
    ],
)
def test_what_no_calendar_and_no_sum_has_is_refused(column, value, said, postgres: Server, database):
    kinds = ", ".join(f"{name} {'numeric' if name == 'amount' else kind}" for name, kind in COLUMNS)
    name = database(
        f"CREATE TABLE opportunities ({kinds})",
        "INSERT INTO opportunities VALUES ('A', '2026-01-05', 'N', 'Won', 1, '2026-02-01', '2026-02-02', 'won')",
        f"UPDATE opportunities SET {column} = {value}",
    )
    with pytest.raises(DataError, match=rf"opportunities\.{column}: .*{said}[\s\S]*rows: A"):
        read(postgres.address(name))


def test_times_of_duckdb_and_numbers(tmp_path: Path):
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE opportunities AS SELECT 12345678901234567890::HUGEINT AS opportunity_id, "
            "TIMESTAMPTZ '2026-01-31 23:30+00' AS created_on, 'North'::ENUM('North') AS segment, 'Won' AS stage, "
            "10.10::DECIMAL(18, 3) AS amount, DATE '2026-03-01' AS expected_close_on, DATE '2026-02-28' AS closed_on, "
            "'won' AS outcome, [1, 2] AS tags, 3::UTINYINT AS units, 1.5::DECIMAL(9, 2) AS score"
        )
        connection.execute("CREATE TABLE company AS SELECT 'timezone' AS key, 'Europe/Berlin' AS value")
    (row,) = read(f"duckdb:///{tmp_path}/x.duckdb").opportunities.to_dict("records")
    assert row["opportunity_id"] == "12345678901234567890"
    assert row["created_on"] == pd.Timestamp("2026-02-01")
    assert (row["amount"], row["tags"], row["units"], row["score"]) == (10.1, "[1, 2]", 3.0, 1.5)


def test_values_of_several_kinds_through_sqlalchemy(tmp_path: Path):
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    connection.execute(
        "CREATE TABLE opportunities (opportunity_id, created_on, segment, stage, amount, expected_close_on, closed_on, "
        "outcome, odd, empty, many)"
    )
    shared = "'2026-01-05', 'N', 'Open', 12.5, '2026-04-01', NULL, 'open'"
    connection.execute(
        f"INSERT INTO opportunities VALUES (9007199254740993, {shared}, 1, NULL, 1), "
        f"('B:1', {shared}, 'x', NULL, 2.5), (NULL, {shared}, X'00ff', NULL, NULL)"
    )
    connection.execute("DELETE FROM opportunities WHERE opportunity_id IS NULL")
    connection.commit()
    connection.close()
    rows = read(f"sqlite:///{tmp_path}/x.sqlite").opportunities.to_dict("records")
    assert [row["opportunity_id"] for row in rows] == ["9007199254740993", "B:1"]
    assert [row["odd"] for row in rows] == ["1", "x"]
    assert [row["many"] for row in rows] == [1.0, 2.5]
    from forecast.data.sources.database.anysql import _plain

    assert _plain(decimal.Decimal("1E+3")) == "1000"


# -- what is read ---------------------------------------------------------------------------------------


def test_only_what_is_known_is_read_and_a_query_is_run_in_the_database(folder, tmp_path, postgres: Server, database):
    name = database("CREATE SCHEMA crm")
    postgres.load(name, typed(folder), schema="crm")
    postgres.run(
        name,
        "ALTER TABLE crm.plan RENAME TO plan_of_all",
        # Whoever reads `remark` divides by nought: a column that nothing knows is never asked for.
        "CREATE VIEW crm.plan AS SELECT *, 1 / (amount - amount) AS remark FROM crm.plan_of_all",
        'ALTER TABLE crm.opportunities RENAME TO "Deals: all"',
    )
    file = tmp_path / "crm.toml"
    file.write_text(
        f'database = "{postgres.address(name, schema="crm")}"\n{COMPANY}[tables]\n'
        "opportunities = '''select d.*, 'a:b' as note from crm.\"Deals: all\" d\n"
        "  where segment = 'North'; -- of the north'''\n"
        "opportunity_history = \"select * from crm.opportunity_history where opportunity_id in ('O1', 'O2')\"\n"
        'stages = "crm.stages"\n',
        encoding="utf-8",
    )
    log, found = examine(file)
    assert log is not None
    assert log.opportunities["opportunity_id"].tolist() == ["O1", "O2", "O5", "O7"]
    assert set(log.opportunities["note"]) == {"a:b"}
    assert log.company.name == "Tiny"
    assert [problem.column for problem in found if "not known and is left out" in problem.what] == ["remark"]
    assert "remark" not in log.tables["plan"]


def test_all_tables_are_of_one_moment(folder: Path, postgres: Server, database):
    name = database()
    postgres.load(name, typed(folder))
    with through_adbc.opened(place_of(postgres.address(name))) as session:
        relation = session.relation("public", "opportunities")
        before = session.columns(relation)
        list(session.tables())
        postgres.run(name, "DELETE FROM opportunities", "INSERT INTO stages VALUES ('Late', 9, 'open')")
        wanted = fetching._wanted(fetching.TABLES["opportunities"], before)
        assert sum(batch.num_rows for batch in session.rows(relation, wanted, ["opportunity_id"])) == 8
        stages = session.relation("", "stages")
        wanted = fetching._wanted(fetching.TABLES["stages"], session.columns(stages))
        assert sum(batch.num_rows for batch in session.rows(stages, wanted, ["stage"])) == 4


@pytest.mark.parametrize(
    "query",
    [
        "with gone as (delete from opportunities returning *) select * from gone",
        "select 1; drop table opportunities",
        "select * from opportunities) as q; drop table opportunities; --",
        "select * from opportunities) as q; commit; drop table opportunities; --",
        "select *, nextval('counter') from opportunities",
        "select *, set_config('transaction_read_only', 'off', false), spoil() from opportunities",
        "select *, spoil() from opportunities",
        "select * into other from opportunities",
    ],
)
def test_a_query_that_writes_is_refused_by_the_database(query, folder, tmp_path, postgres: Server, database):
    name = database(
        "CREATE SEQUENCE counter",
        "CREATE FUNCTION spoil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM stages; RETURN 1; END $$",
    )
    postgres.load(name, typed(folder))
    file = tmp_path / "crm.toml"
    file.write_text(f'database = "{postgres.address(name)}"\n[tables]\nopportunities = "{query}"\n', encoding="utf-8")
    with pytest.raises(DataError, match="opportunities: ") as error:
        read(file)
    assert "query" in str(error.value)
    with postgres.connected(name) as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM opportunities) + (SELECT count(*) FROM stages), "
            "(SELECT is_called FROM counter), to_regclass('other') IS NULL"
        )
        assert cursor.fetchone() == (12, False, True)


@pytest.mark.parametrize(
    "query",
    [
        "select 1) as q; copy (select 1) to 'FILE'; --",
        "select 1; create table made as select 1",
        "with gone as (delete from opportunities returning *) select * from gone",
    ],
)
def test_a_query_that_writes_is_refused_in_a_file(query: str, folder: Path, tmp_path: Path):
    address = in_duckdb(tmp_path / "x.duckdb", typed(folder))
    before = (tmp_path / "x.duckdb").read_bytes()
    query = query.replace("FILE", str(tmp_path / "made.csv"))
    file = tmp_path / "crm.toml"
    file.write_text(f'database = "{address}"\n[tables]\nplan = "{query}"\n', encoding="utf-8")
    with pytest.raises(DataError, match="plan: "):
        read(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crm.toml", "x.duckdb"]
    assert (tmp_path / "x.duckdb").read_bytes() == before


def test_names_that_hold_sql_are_names(folder: Path, tmp_path: Path, postgres: Server, database):
    schema, column = 'x"; DROP TABLE public.stages; --', "note'); DROP TABLE public.stages; --\"%s{}"
    quoted = '"' + schema.replace('"', '""') + '"'
    name = database(f"CREATE SCHEMA {quoted}")
    tables = typed(folder)
    postgres.load(name, tables)
    tables["opportunities"] = tables["opportunities"].append_column(column, pa.array(["x"] * 8))
    postgres.load(name, tables, schema=schema)
    from urllib.parse import quote

    log = read(postgres.address(name) + f"?schema={quote(schema)}")
    assert log.opportunities[column].tolist() == ["x"] * 8
    with postgres.connected(name) as cursor:
        cursor.execute("SELECT count(*) FROM stages")
        assert cursor.fetchone() == (4,)
    address = in_duckdb(tmp_path / "x.duckdb", tables, schema=schema)
    assert read(f"{address}?schema={quote(schema)}").opportunities[column].tolist() == ["x"] * 8


def test_company_settings_in_a_table(tmp_path: Path, folder: Path):
    tables = typed(folder)
    address = in_duckdb(tmp_path / "x.duckdb", tables)
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(
            "INSERT INTO company VALUES ('fiscal_year_start', '4'), ('settle_days', '3'), ('title', '4-4-5 \"x\" ü')"
        )
        connection.execute("INSERT INTO company VALUES ('fixed_at_creation', 'product, owner')")
    company = read(address).company
    assert (company.fiscal_year_start, company.settle_days, company.title) == (4, 3, '4-4-5 "x" ü')
    assert company.fixed_at_creation == ("product", "owner")
    for change, said in (
        ("INSERT INTO company VALUES ('currncy', 'EUR')", "did you mean 'currency'"),
        ("DELETE FROM company WHERE key = 'currncy'; INSERT INTO company VALUES ('name', 'x')", "there twice"),
        ("DROP TABLE company; CREATE TABLE company AS SELECT 'a' AS k, 'b' AS v", "not key and value"),
    ):
        with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
            connection.execute(change)
        with pytest.raises(DataError, match=said):
            read(address)
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("DROP TABLE company; CREATE TABLE company AS SELECT 1 AS id, 'Acme' AS name, 'x' AS city")
    assert read(address).company.name == "The company"  # the CRM's own table of that name


def test_a_logo_comes_from_beside_the_file(tmp_path: Path, folder: Path):
    address = in_duckdb(tmp_path / "x.duckdb", typed(folder))
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    (tmp_path / "crm.toml").write_text(f'database = "{address}"\nlogo = "art/logo.png"\n', encoding="utf-8")
    with in_files(tmp_path / "crm.toml") as copy:
        assert (copy / "logo.png").is_file()
        assert read(copy).company.logo == "logo.png"
        assert copy.parent.stat().st_mode & 0o077 == 0
    assert not copy.parent.exists()


# -- what goes wrong ------------------------------------------------------------------------------------


@pytest.fixture
def said(capsys, monkeypatch) -> Callable[[str], tuple[int, str]]:
    """Return a function that checks a location on the command line: its exit code and what it said."""
    monkeypatch.setenv("FORECAST_DEBUG", "0")

    def told(location: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            app.main(["check", "--data", location])
        shown = capsys.readouterr()
        text = shown.out + shown.err
        assert "Traceback" not in text
        assert "defect of this program" not in text
        assert PASSWORD not in text
        return int(end.value.code or 0), text

    return told


def test_what_is_wrong_is_said_and_by_whom(folder: Path, postgres: Server, database, said, monkeypatch, tmp_path):
    name = database("CREATE SCHEMA crm")
    postgres.load(name, typed(folder), schema="crm")
    postgres.run("postgres", f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    cases = {
        postgres.address("nothere"): (1, "there is no such database"),
        postgres.address(name): (1, "it is in schema 'crm': add ?schema=crm"),
        postgres.address(name, schema="public"): (1, "there is no table 'opportunities' in schema 'public'"),
        postgres.address(name, schema="crn"): (1, "it is in schema 'crm': add ?schema=crm to the address"),
        postgres.address(name, user="nobody"): (4, "does not let this user in"),
        postgres.address(name, user="reader", schema="crm"): (4, "grant SELECT"),
        f"postgresql://forecast@127.0.0.1:1/{name}": (4, "given up after 3 tries, nothing was kept"),
        f"postgresql://forecast@no-such-host.invalid/{name}": (1, "there is no such database"),
        "postgresql:///?service=nothere": (1, "there is no such database"),
        f"{postgres.address(name)}?sslmod=require": (1, 'invalid URI query parameter: "sslmod"'),
        f"postgresql://forecast:{PASSWORD}@127.0.0.1/{name}": (1, "holds a password"),
        "nosuch://h/d": (1, "no driver is known for nosuch://"),
        "mysql+pymysql://h/d": (1, "the driver pymysql is not installed"),
        f"duckdb:///{tmp_path}/none.duckdb": (1, "there is no file"),
        f"sqlite:///{tmp_path}/none.sqlite": (1, "there is no file"),
    }
    found = {location: said(location) for location in cases}
    wrong = {
        location: found[location]
        for location, (code, words) in cases.items()
        if found[location][0] != code or words not in found[location][1]
    }
    assert not wrong
    monkeypatch.setenv("PGPASSWORD", "wrong-word")
    code, text = said(postgres.address(name, schema="crm"))
    assert (code, "wrong-word" in text) == (4, False)
    assert "does not let this user in" in text
    assert "PGPASSWORD" in text


def test_a_service_and_a_password_file_are_enough(folder, tmp_path, postgres: Server, database, monkeypatch):
    name = database()
    postgres.load(name, typed(folder))
    monkeypatch.delenv("PGPASSWORD")
    service, passes = tmp_path / "services", tmp_path / "passes"
    service.write_text(f"[crm]\nhost=127.0.0.1\nport={postgres.port}\ndbname={name}\nuser=forecast\n", encoding="utf-8")
    passes.write_text(f"127.0.0.1:{postgres.port}:*:forecast:{PASSWORD}\n", encoding="utf-8")
    passes.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    with pytest.raises(MachineError, match="does not let this user in"):
        read("postgresql:///?service=crm")
    monkeypatch.setenv("PGPASSFILE", str(passes))
    assert len(read("postgresql:///?service=crm").opportunities) == 8


def test_tables_and_columns_that_are_not_right_are_named(folder: Path, tmp_path: Path, postgres: Server, database):
    name = database()
    postgres.load(name, typed(folder))
    file = tmp_path / "crm.toml"
    address = postgres.address(name)
    for entry, words in {
        'plan = "plans"': r"plan: .*no table 'plans'\n  mend: did you mean 'plan'\?",
        'plan = "finance.plan"': "plan: .*no table 'plan' in schema 'finance'\n  mend: it is in schema 'public'",
        'plan = "finanz.plans"': "plan: .*no table 'plans' in schema 'finanz'\n  mend: there is nothing in that schema",
        'plan = "select amont from plan"': 'plan: .*column "amont" does not exist',
        'plan = "select * from nowhere"': 'plan: .*relation "nowhere" does not exist',
        'plan = "select period, segment, amount / 0 as amount from plan"': "plan: .*division by zero",
        'plan = "select selct from"': "plan: .*syntax error",
        'plan = "select *, amount from plan"': r"plan\.amount: this column is there twice",
    }.items():
        file.write_text(f'database = "{address}"\n[tables]\n{entry}\n', encoding="utf-8")
        with pytest.raises(DataError, match=words):
            read(file)
    postgres.run(name, "ALTER TABLE plan RENAME COLUMN amount TO amont")
    with pytest.raises(DataError, match=r"plan.amount: this column is missing\n  mend: .*'amont'"):
        read(address)
    postgres.run(name, 'ALTER TABLE plan RENAME TO "Plans"')
    with pytest.raises(DataError, match=r"plan: .*'Plans' looks like a misspelt 'plan'"):
        read(address)
    postgres.run(name, 'DROP TABLE "Plans"', "DELETE FROM opportunities")
    with pytest.raises(DataError, match="opportunities: there are no rows in it"):
        read(address)


def test_a_lost_database_is_read_again_from_the_start(folder, tmp_path, postgres: Server, database, monkeypatch):
    name = database()
    postgres.load(name, typed(folder))
    place, copy_table, ended = place_of(postgres.address(name)), fetching._copy_table, []

    def losing(table: Any, relation: str, session: Any, into: Path) -> None:
        if table.name == "opportunity_history" and len(ended) < losing.times:
            ended.append(len(list(into.iterdir())))
            postgres.run(
                name,
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND "
                "application_name = 'forecast'",
            )
        copy_table(table, relation, session, into)

    losing.times = 1  # type: ignore[attr-defined]
    monkeypatch.setattr(fetching, "_copy_table", losing)
    fetch(place, tmp_path / "copy", pauses=(0.0,))
    assert ended == [1]  # opportunities had been written
    assert len(read(tmp_path / "copy").tables) == 5

    ended.clear()
    losing.times = 9  # type: ignore[attr-defined]
    with pytest.raises(MachineError, match=r"was lost while reading opportunity_hist.*given up after 2 tries") as error:
        fetch(place, tmp_path / "other", pauses=(0.0,))
    assert error.value.exit_code == 4
    assert ended == [1, 1]
    assert not (tmp_path / "other").exists()


def test_what_takes_too_long_is_the_machine_s(folder, tmp_path, postgres: Server, database, monkeypatch):
    name = database()
    postgres.load(name, typed(folder))
    settings = [command.replace("60s", "50ms") for command in through_adbc._SETTINGS]
    monkeypatch.setattr(through_adbc, "_SETTINGS", settings)
    with driver.connect(postgres.address(name).replace("@", f":{PASSWORD}@"), autocommit=False) as other:
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE stages IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(MachineError, match="stages is held by another session"):
            read(postgres.address(name))
        other.rollback()
    monkeypatch.setattr(through_adbc, "_SETTINGS", [*settings, "SET LOCAL statement_timeout = '50ms'"])
    file = tmp_path / "crm.toml"
    slow = "select p.* from plan p, pg_sleep(1)"
    file.write_text(f'database = "{postgres.address(name)}"\n[tables]\nplan = "{slow}"\n', encoding="utf-8")
    with pytest.raises(MachineError, match="canceling statement due to statement timeout"):
        read(file)


def test_a_command_that_is_stopped_leaves_no_copy(folder: Path, tmp_path: Path):
    address = in_duckdb(tmp_path / "x.duckdb", typed(folder))
    (tmp_path / "private").mkdir()
    code = (
        "import os, signal, forecast.data.sources.database.fetch as fetching\n"
        "fetching._copy = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"from forecast.cli.app import main; main(['check', '--data', {address!r}])"
    )
    stopped = {**os.environ, "TMPDIR": str(tmp_path / "private")}
    assert subprocess.run([sys.executable, "-c", code], env=stopped, check=False).returncode == 143
    assert not list((tmp_path / "private").iterdir())


def test_a_database_that_is_lost_between_two_batches(postgres: Server, database):
    name = database()
    with through_adbc.opened(place_of(postgres.address(name))) as session:
        relation = as_relation("select i as period, repeat('x', 100) as segment from generate_series(1, 1000000) i")
        wanted = fetching._wanted(fetching.TABLES["plan"], session.columns(relation))
        batches = session.rows(relation, wanted, [])
        next(iter(batches))
        postgres.run(name, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        with pytest.raises(Exception, match=r"server closed|terminating") as error:
            list(batches)
    assert isinstance(fetching.as_ours(error.value, doing="reading"), Lost)


def test_a_disk_that_is_full_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch):
    place = place_of(in_duckdb(tmp_path / "x.duckdb", typed(folder)))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "_write", full)
    with pytest.raises(MachineError, match="the copy of the data cannot be written"):
        fetch(place, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_file_that_is_no_database(tmp_path: Path, said):
    (tmp_path / "text.duckdb").write_text("opportunity_id,created_on\n" * 1000, encoding="utf-8")
    assert said(f"duckdb:///{tmp_path}/text.duckdb")[0] == 1
    (tmp_path / "text.sqlite").write_text("opportunity_id,created_on\n" * 1000, encoding="utf-8")
    code, text = said(f"sqlite:///{tmp_path}/text.sqlite")
    assert code in (1, 4)
    assert "not a database" in text


def test_a_file_that_another_process_writes(folder: Path, tmp_path: Path, said):
    address = in_duckdb(tmp_path / "x.duckdb", typed(folder))
    hold = f"import duckdb; held = duckdb.connect({str(tmp_path / 'x.duckdb')!r}); print('held', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        code, text = said(address)
        assert code == 4
        assert "another process has it open" in text
        assert "given up after 3 tries" in text
    finally:
        process.communicate("\n")
    assert said(address)[0] == 0


def test_sqlite_is_only_read(folder: Path, tmp_path: Path):
    address = in_sqlite(tmp_path / "x.sqlite", typed(folder))
    before = (tmp_path / "x.sqlite").read_bytes()
    file = tmp_path / "crm.toml"
    for query in (
        "select 1; delete from stages",
        "with gone as (delete from stages returning *) select * from gone",
        "select 1) as q; delete from stages; --",
    ):
        file.write_text(f'database = "{address}"\n[tables]\nplan = "{query}"\n', encoding="utf-8")
        with pytest.raises(DataError, match="plan: "):
            read(file)
    assert (tmp_path / "x.sqlite").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crm.toml", "x.sqlite"]


def test_columns_in_capitals_are_ours_and_a_table_in_capitals_is_named(tmp_path: Path):
    """As warehouses write them: decimals keep their cents, identifiers their noughts."""
    file = tmp_path / "sales.duckdb"
    columns = (
        "'007' AS \"OPPORTUNITY_ID\", DATE '2026-01-10' AS \"CREATED_ON\", 'East' AS \"SEGMENT\", 'Won' AS \"STAGE\", "
        'CAST(120.10 AS DECIMAL(18, 2)) AS "AMOUNT", DATE \'2026-04-30\' AS "EXPECTED_CLOSE_ON", '
        "DATE '2026-03-30' AS \"CLOSED_ON\", 'won' AS \"OUTCOME\""
    )
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TABLE opportunities AS SELECT {columns}")
    log = read(f"duckdb:///{file}")
    assert log.opportunities[["opportunity_id", "amount"]].to_numpy().tolist() == [["007", 120.1]]
    assert any("'OPPORTUNITY_ID' is opportunity_id" in note.what for note in log.notes)
    with duckdb.connect(str(file)) as connection:
        connection.execute('ALTER TABLE opportunities RENAME TO passing; ALTER TABLE passing RENAME TO "OPPORTUNITIES"')
    with pytest.raises(DataError, match=r"mend: it is 'OPPORTUNITIES' there: write opportunities = \"OPPORTUNITIES\""):
        read(f"duckdb:///{file}")
