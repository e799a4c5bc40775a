"""Addresses of databases: what is one, what is refused, and that no message repeats a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.data.sources.database import place as of
from forecast.data.sources.database.place import is_query, name_parts, place_in, place_of, without_secrets
from forecast.data.sources.read import database_of, shown
from forecast.errors import DataError, ForecastError, ParameterError
from forecast.reporting.run import kernels

SECRET = "hunter2-9c"


@pytest.mark.parametrize(
    ("location", "label"),
    [
        ("postgresql://ana@db.example/sales", "PostgreSQL database 'sales'"),
        ("postgres://db.example:6432/sales?schema=crm", "PostgreSQL database 'sales', schema 'crm'"),
        ("postgresql:///?service=crm", "PostgreSQL service 'crm'"),
        ("postgresql://", "PostgreSQL database"),
        ("postgresql:///?dbname=a%20b&host=/run/pg", "PostgreSQL database 'a b'"),
        ("postgresql://ana%40corp@h/d?sslmode=require&passfile=/etc/pgpass", "PostgreSQL database 'd'"),
        ("postgresql://h:5432/d?user=ana@corp", "PostgreSQL database 'd'"),
        ("postgresql://[::1]:5432/d", "PostgreSQL database 'd'"),
        ("mysql+pymysql://ana@h/sales?schema=crm", "mysql database 'sales', schema 'crm'"),
    ],
)
def test_a_label_names_neither_host_nor_user(location: str, label: str):
    found = place_of(location)
    assert found.label == label
    assert "schema=" not in found.address
    assert shown(location) == label
    assert "ana" not in label


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://ana:{SECRET}@h/d",
        f"postgres://:{SECRET}@h/d",
        f"postgresql://ana:{SECRET}/x@h/d",
        f"postgresql://ana:{SECRET}#x@h/d",
        f"postgresql://ana:{SECRET}?x@h/d",
        f"postgresql://h/d?user=ana&password={SECRET}",
        f"postgresql://h/d?sslpassword={SECRET}",
        f"postgresql://h/d?PASSWORD={SECRET}",
        f"mysql+pymysql://ana:{SECRET}@h/d",
        f"snowflake://h/d?private_key_passphrase={SECRET}",
        f"databricks://h/d?access_token={SECRET}",
        f"mssql+pyodbc://?odbc_connect=UID%3Dana%3BPWD%3D{SECRET}",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(location: str, tmp_path: Path):
    with pytest.raises(ParameterError) as error:
        place_of(location)
    assert "holds a password" in str(error.value)
    assert "PGPASSWORD" in str(error.value) or of.PASSWORD in str(error.value)
    assert SECRET not in str(error.value)
    file = tmp_path / "crm.toml"
    file.write_text(f'database = "{location}"\n', encoding="utf-8")
    with pytest.raises(ForecastError) as error:
        place_in(file)
    assert SECRET not in str(error.value)


def test_what_cannot_be_read_as_an_address_is_not_repeated():
    with pytest.raises(ParameterError) as error:
        place_of(f"postgresql://ana{SECRET}@[h/d")
    assert SECRET not in str(error.value)
    with pytest.raises(ParameterError, match="a character that no name can"):
        place_of("postgresql://h/d%00x")


def test_kernels_and_messages_know_every_variable_of_a_password(monkeypatch):
    for number, name in enumerate(kernels._PASSWORDS):
        monkeypatch.setenv(name, f"{SECRET}-{number}")
    assert without_secrets(f"no entry for {SECRET}-0, {SECRET}-1 or {SECRET}-2") == "no entry for …, … or …"


def test_a_file_is_found_here_and_above_and_never_made(tmp_path: Path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "sales.duckdb").write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert place_of("duckdb:///sales.duckdb").address == str(tmp_path / "a" / "sales.duckdb")
    assert place_of(f"duckdb:///{tmp_path}/a/sales.duckdb").address == str(tmp_path / "a" / "sales.duckdb")
    assert shown("duckdb:///sales.duckdb?schema=crm") == "DuckDB file 'sales.duckdb', schema 'crm'"
    with pytest.raises(ParameterError, match=r"there is no file 'other\.duckdb'"):
        place_of("duckdb:///other.duckdb")
    with pytest.raises(ParameterError, match="names no file"):
        place_of("duckdb://")
    assert sorted(path.name for path in (tmp_path / "a").rglob("*")) == ["b", "sales.duckdb"]


def test_folders_and_paths_are_no_databases(tmp_path: Path):
    for location in ("data/sample", tmp_path, "C:/data", "x.toml", "./a:b"):
        assert database_of(location) is None
    assert shown("data/sample") == "data/sample"
    assert shown(tmp_path) == tmp_path.name


def test_a_file_names_a_database_and_settings(tmp_path: Path):
    file = tmp_path / "crm.toml"
    file.write_text(
        'database = "postgresql:///sales?service=crm"\nschema = "crm"\nname = "Acme"\n'
        '[tables]\nplan = "finance.plan_2026"\nopportunities = """\n-- this year\nselect * from deals"""\n',
        encoding="utf-8",
    )
    found = database_of(file)
    assert found is not None
    assert (found.schema, found.label) == ("crm", "PostgreSQL database 'sales', schema 'crm'")
    assert dict(found.company) == {"name": "Acme"}
    assert is_query(found.tables["opportunities"])
    assert not is_query(found.tables["plan"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "Acme"', "names no database"),
        ("database = 3", "names no database"),
        ('database = "data/sample"', "names no database"),
        ('database = "postgresql:///x"\nschema = 3', "this is not text"),
        ('database = "postgresql:///x"\ntables = "plan"', "this is not a section"),
        ('database = "postgresql:///x"\n[tables]\nplans = "plan"', "did you mean 'plan'"),
        ('database = "postgresql:///x"\n[tables]\nplan = 3', "neither a name nor a query"),
        ("database = ", "cannot be read"),
    ],
)
def test_a_file_that_names_none_is_refused(tmp_path: Path, text: str, said: str):
    file = tmp_path / "crm.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        database_of(str(file))


def test_names_of_tables():
    assert name_parts("plan") == ("", "plan")
    assert name_parts(" crm . Deals ") == ("crm", "Deals")
    assert name_parts('"my schema"."a ""b"".c"') == ("my schema", 'a "b".c')
    for wrong in ("a.b.c", "", "a.", ".b", '"a" b', 'a"b'):
        with pytest.raises(ParameterError, match="no name of a table"):
            name_parts(wrong)


def test_queries_are_told_from_names():
    for text in ("select 1", "  WITH a as (select 1) select * from a", "/* x */ -- y\n SELECT 1", "table deals"):
        assert is_query(text)
    for text in ("selected", "deals", "crm.with_history", '"select 1"'):
        assert not is_query(text)


def test_a_databases_file_is_tried_beside_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sales").mkdir()
    (tmp_path / "sales" / "w.duckdb").write_bytes(b"")
    file = tmp_path / "sales" / "crm.toml"
    file.write_text('database = "duckdb:///w.duckdb"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert place_in(file).address == str(tmp_path / "sales" / "w.duckdb")
