"""The redacted copy of a data folder: what is replaced, what stays, whose secret the salt is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import forecast
import hostile
from forecast.data.sources.files import read_raw
from forecast.data.sources.redact import TEAM, pseudonyms, read_salt, redact
from forecast.errors import MachineError, ParameterError

SALT = b"0" * 32


def copied(folder: Path, into: Path, salt: bytes = SALT) -> Path:
    redact(folder, into, log=forecast.read(folder), salt=salt)
    return into


def write(folder: Path, **tables: str) -> Path:
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


# -- pseudonyms ------------------------------------------------------------------------------------------


def test_a_pseudonym_by_hand():
    # python -c "import hashlib; print(hashlib.blake2b(b'owner\\0Ada', key=b'0'*32, digest_size=32).hexdigest()[:8])"
    assert pseudonyms(["Ada"], kind="owner", salt=SALT) == {"Ada": "owner-774060d9"}


@pytest.mark.slow
@given(st.sets(st.text(min_size=1), max_size=20), st.binary(min_size=1, max_size=64))
def test_no_two_names_share_a_pseudonym(names, salt):
    said = pseudonyms(sorted(names), kind="deal", salt=salt)
    assert set(said) == names
    assert len(set(said.values())) == len(names)
    assert all(value.startswith("deal-") for value in said.values())


@pytest.mark.slow
def test_names_whose_digits_collide_get_more():
    names = [f"O-{number}" for number in range(150_000)]  # among so many, some share eight digits
    said = pseudonyms(names, kind="deal", salt=SALT)
    assert len(set(said.values())) == len(names)
    lengths = pd.Series(said).str.len().value_counts()
    assert set(lengths.index) == {13, 21}
    assert 2 <= lengths[21] < 30


def test_another_salt_or_kind_is_another_pseudonym():
    one = pseudonyms(["Ada"], kind="owner", salt=SALT)["Ada"]
    assert pseudonyms(["Ada", "Bob"], kind="owner", salt=SALT)["Ada"] == one
    assert pseudonyms(["Ada"], kind="owner", salt=b"1" * 32)["Ada"] != one
    assert pseudonyms(["Ada"], kind="account", salt=SALT)["Ada"].split("-")[1] != one.split("-")[1]


# -- the copy --------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = write(
        tmp_path / "data",
        opportunities="opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome,owner,account_id,"
        "lost_reason,product,e-mail,employees,since,mood\n"
        'O1,2026-01-05,North,Won,100,2026-02-10,2026-02-12,won,Ada,"Acme, Ltd",,Core,a@acme.example,12,2020-01-01,\n'
        "O2,2026-01-20,North,Lost,50,2026-03-01,2026-03-04,lost,Bob,Brass,by Bob,Core,b@brass.example,7,2021-01-01,3\n"
        "O3,2026-02-03,Bob,Open,70,2026-05-01,,open,sales,,,Core,,8,2022-01-01,good\n",
        quotas="owner,period,quota\nAda,2026-01,10\nBob,2026-01,10\n",
        leads="lead_id,created_on,segment,channel,opportunity_id\nL1,2026-01-02,North,Web,O1\nL2,2026-01-03,Bob,Web,\n",
        plan="period,segment,amount\n2026-04,North,100\n2026-04,Bob,100\n",
        submitted_forecasts="submitted_on,target_period,segment,submitter,amount\n"
        "2026-01-05,2026-02,North,sales,90\n2026-01-05,2026-02,North,Ada,80\n",
        costs="period,segment,function,amount\n2026-01,North,sales,5\n",
        people="name\nAda of Acme\n",
    )
    (folder / "notes of Ada.txt").write_text("Ada", encoding="utf-8")
    return folder


def test_names_are_replaced_and_the_rest_stays(small: Path, tmp_path: Path):
    copy = copied(small, tmp_path / "copy")
    before, after = (forecast.read(folder) for folder in (small, copy))
    assert set(after.tables) == set(before.tables)
    deals = pseudonyms(before.opportunities["opportunity_id"], kind="deal", salt=SALT)
    was = before.opportunities.assign(opportunity_id=before.opportunities["opportunity_id"].map(deals))
    was = was.sort_values("opportunity_id", ignore_index=True)
    now = after.opportunities
    kept = ["opportunity_id", "created_on", "stage", "amount", "closed_on", "outcome", "product", "employees", "since"]
    pd.testing.assert_frame_equal(now[kept], was[kept], check_column_type=False)
    for column, kind in {"owner": "owner", "account_id": "account", "lost_reason": "reason", "e-mail": "text"}.items():
        assert now[column].isna().tolist() == was[column].isna().tolist()
        assert now[column].dropna().str.fullmatch(rf"{kind}-[0-9a-f]{{8}}").all()
    assert now["mood"].dropna().str.startswith("text-").all()  # a column of numbers and words is one of words
    assert set(after.get("quotas")["owner"]) < set(now["owner"])
    assert after.get("leads")["opportunity_id"].dropna().isin(now["opportunity_id"]).all()
    assert not {"people.csv", "notes of Ada.txt"} & {path.name for path in copy.iterdir()}
    assert (copy / "costs.csv").read_bytes() == (small / "costs.csv").read_bytes()


def test_an_owner_in_a_column_of_categories_is_followed_but_not_into_the_words_of_the_contract(small, tmp_path):
    after = forecast.read(copied(small, tmp_path / "copy"))
    owners = pseudonyms(["Ada", "Bob", "sales"], kind="owner", salt=SALT)
    assert set(after.get("submitted_forecasts")["submitter"]) == {"sales", owners["Ada"]}
    assert set(after.opportunities["segment"]) == {"North", owners["Bob"]} == set(after.get("plan")["segment"])
    assert set(after.get("costs")["function"]) == {"sales"}
    assert owners["sales"] in set(after.opportunities["owner"])
    for path in (tmp_path / "copy").iterdir():
        for name in (b"Ada", b"Bob", b"Acme", b"Brass", b"O1", b"O2", b"O3", b"L1", b"acme"):
            assert name not in path.read_bytes(), f"{name!r} in {path.name}"


def test_people_of_the_hierarchy_and_sentences_are_replaced_segments_and_products_stay(small: Path, tmp_path: Path):
    (small / "hierarchy.csv").write_text(
        "of,node,from,parent\nowner,Ada,2026-01-01,Team of Zoe\nowner,Eve,2026-01-01,Team of Zoe\n"
        "owner,Team of Zoe,2026-01-01,North\nsegment,North,2026-01-01,Europe\nproduct,Core,2026-01-01,Software\n",
        encoding="utf-8",
    )
    (small / "events.csv").write_text("from,kind,text\n2026-02-01,campaign,Ada meets Acme\n", encoding="utf-8")
    (small / "submitted_forecasts.csv").write_text(
        "submitted_on,target_period,segment,submitter,amount,reason,base\n"
        "2026-01-05,2026-02,North,sales,90,Ada closes Acme,70\n",
        encoding="utf-8",
    )
    copied(small, tmp_path / "copy")
    after = pd.read_csv(tmp_path / "copy" / "hierarchy.csv")
    owners, team = (
        pseudonyms(["Ada", "Eve"], kind="owner", salt=SALT),
        pseudonyms(["Team of Zoe"], kind=TEAM, salt=SALT),
    )
    assert after["node"].tolist() == [*owners.values(), *team.values(), "North", "Core"]
    assert after["parent"].tolist() == [*team.values()] * 2 + ["North", "Europe", "Software"]
    for name in ("hierarchy", "events", "submitted_forecasts"):
        for word in (b"Ada", b"Eve", b"Zoe", b"Acme"):
            assert word not in (tmp_path / "copy" / f"{name}.csv").read_bytes(), f"{word!r} in {name}"


def test_an_identifier_is_one_name_whether_number_or_text(small: Path, tmp_path: Path):
    (small / "opportunities.csv").unlink()
    for name in ("leads", "submitted_forecasts", "quotas", "plan", "costs"):
        (small / f"{name}.csv").unlink()
    deals = pd.DataFrame(
        {
            "opportunity_id": [17, 18],
            "created_on": pd.to_datetime(["2026-01-05", "2026-01-06"]),
            "segment": "North",
            "stage": ["Won", "Open"],
            "amount": [1.0, 2.0],
            "expected_close_on": pd.to_datetime(["2026-03-01", "2026-04-01"]),
            "closed_on": pd.to_datetime(["2026-02-12", None]),
            "outcome": ["won", "open"],
        }
    )
    deals.to_parquet(small / "opportunities.parquet")
    (small / "leads.csv").write_text("lead_id,created_on,segment,channel,opportunity_id\n1,2026-01-02,North,Web,17\n")
    after = forecast.read(copied(small, tmp_path / "copy"))
    assert after.get("leads")["opportunity_id"].item() in set(after.opportunities["opportunity_id"])
    assert after.opportunities["opportunity_id"].str.startswith("deal-").all()


@pytest.mark.slow
def test_a_hostile_company_is_copied_row_for_row(tmp_path: Path):
    hostile.write(tmp_path / "data")
    copy = copied(tmp_path / "data", tmp_path / "copy")
    (before, _), (after, _) = read_raw(tmp_path / "data"), read_raw(copy)
    for name, was in before.items():
        now = after[name]
        assert list(now.columns) == list(was.columns)
        for column in was:
            if not now[column].astype("str").str.fullmatch("[a-z]+-[0-9a-f]{8}").any():
                pd.testing.assert_series_equal(now[column], was[column], check_index=False)
    assert (copy / "logo.png").read_bytes() == hostile.LOGO
    assert {path.name for path in copy.iterdir()} == {
        "company.toml",
        "logo.png",
        *(path.name for path in (tmp_path / "data").iterdir() if path.suffix in (".csv", ".parquet")),
    }


# -- the salt --------------------------------------------------------------------------------------------


def test_a_salt_is_made_once_and_for_one_person(tmp_path: Path):
    file = tmp_path / "salt"
    one = read_salt(file, outside=tmp_path / "reports")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) == 64
    assert read_salt(file, outside=tmp_path / "reports") == one
    assert read_salt(tmp_path / "other", outside=tmp_path / "reports") != one
    assert len(one) >= 32


def test_a_salt_without_a_file_is_drawn_afresh(tmp_path: Path):
    assert read_salt(None, outside=tmp_path) != read_salt(None, outside=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_salt_that_is_none_is_refused(tmp_path: Path):
    file = tmp_path / "salt"
    file.write_text("x" * 40)
    file.chmod(0o640)
    with pytest.raises(ParameterError, match="others can read this salt; take that away with chmod 600"):
        read_salt(file, outside=tmp_path / "reports")
    file.chmod(0o600)
    file.write_text("short")
    with pytest.raises(ParameterError, match="at least 16 characters"):
        read_salt(file, outside=tmp_path / "reports")
    with pytest.raises(ParameterError, match="keep it elsewhere"):
        read_salt(tmp_path / "reports" / "salt", outside=tmp_path / "reports")
    with pytest.raises(MachineError, match="cannot be read or made"):
        read_salt(tmp_path / "none" / "salt", outside=tmp_path / "reports")
    assert not os.path.lexists(tmp_path / "reports")
