"""Two real exports without history, through the recipes beside this file: read, snapshot, audit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import forecast
import maven
import sparklesquad
from forecast.data.audit.audit import audit
from forecast.data.audit.leaks import leaks
from forecast.data.schema import Log
from forecast.wording import THIN


@pytest.fixture(scope="module")
def maven_log(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Log:
    return forecast.read(maven.build(real_data / "maven_crm", tmp_path_factory.mktemp("maven")))


@pytest.fixture(scope="module")
def sparkle_log(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Log:
    return forecast.read(sparklesquad.build(real_data / "sparklesquad", tmp_path_factory.mktemp("sparkle")))


def test_the_recipe_leaves_nothing_unexplained(maven_log: Log):
    frame = maven_log.opportunities
    assert frame["outcome"].value_counts().to_dict() == {"won": 4238, "lost": 2473, "open": 1589}
    assert frame["segment"].value_counts().index.sort_values().tolist() == ["Central", "East", "West"]
    # The mended name joins: every deal has a price, and those of GTX Pro have its price.
    assert frame["amount"].notna().all()
    assert set(frame.loc[frame["product"] == "GTX Pro", "amount"]) == {4821.0}
    assert (frame["product"] == "GTX Pro").sum() == 1400  # of 1,480, 80 have no start date
    (note,) = maven_log.notes
    assert note.count == 500
    assert "without a creation date are left out" in note.what
    assert maven_log.extracted_on == pd.Timestamp("2017-12-31")


def test_without_history_only_creation_and_closure_are_known(maven_log: Log):
    end = forecast.snapshot(maven_log, as_of="2017-12-31")
    assert end.opportunities["outcome"].value_counts().to_dict() == {"won": 4238, "lost": 2473, "open": 1589}
    assert not end.has_history
    earlier = forecast.snapshot(maven_log, as_of="2017-09-30")
    frame = maven_log.opportunities
    day = pd.Timestamp("2017-09-30")
    closed = frame["closed_on"] <= day
    expected = frame.loc[closed, "outcome"].value_counts().to_dict()
    expected["open"] = int(((frame["created_on"] <= day) & ~closed).sum())
    assert earlier.opportunities["outcome"].value_counts().to_dict() == expected
    # What was open then has since closed: neither its stage nor its date may be seen, its list price may.
    still = earlier.opportunities[earlier.opportunities["outcome"] == "open"]
    assert still["stage"].isna().all()
    assert still["closed_on"].isna().all()
    assert still["amount"].notna().all()
    assert earlier.opportunities["close_value"].isna().all()  # it knows the outcome, and nobody listed it


def test_close_value_and_account_know_the_outcome(maven_log: Log):
    found = leaks(maven_log).set_index("column")
    assert sorted(found.index) == ["account_id", "close_value"]
    assert found.loc["close_value", "kind"] == "value"
    assert found.loc["close_value", "evidence"] == (
        "0 for 2,473 of 2,473 lost, > 0 for 4,238 of 4,238 won; empty for all 1,589 open"
    )
    assert found.loc["account_id", "evidence"] == "empty for 0 of 4,238 won, 0 of 2,473 lost, 1,088 of 1,589 open"
    table = audit(maven_log)
    # Open deals that are not there bear on the forecast; a column that it leaves out does not.
    changing = table["rank"] == "changes the answer"
    assert table["column"].tolist()[:2] == ["created_on", "created_on"]
    assert not table.loc[changing, "column"].isin(["close_value", "account_id"]).any()
    assert {"close_value", "account_id"} <= set(table.loc[table["rank"] == "cosmetic", "column"])
    missing = table["evidence"].iloc[0].replace(THIN, " ")
    assert missing.startswith(
        "500 of 2,089 open deals (24 %), $1.07 m or 22 % of the open amount; 8,300 rows were read"
    )
    few = table[table["finding"] == "far fewer deals created lately"]["evidence"].item()
    assert (
        few == "deals created: 283 in November 2017 and 121 in December 2017; the median month of the last 13 has 761"
    )
    assert (table["finding"] == "500 opportunities without a creation date are left out, all of them open").sum() == 1


def test_the_name_the_recipe_mends_is_found_where_it_is_not(maven_log: Log):
    frame = maven_log.opportunities
    twice = frame["product"].where(frame.index % 2 == 0, frame["product"].replace({"GTX Pro": "GTXPro"}))
    log = Log(
        tables={"opportunities": frame.assign(product=twice)},
        company=maven_log.company,
        extracted_on=maven_log.extracted_on,
    )
    table = audit(log)
    found = table[table["finding"] == "one name written in several ways"]
    assert found["column"].tolist() == ["product"]
    plain, joined = (twice == "GTX Pro").sum(), (twice == "GTXPro").sum()
    assert found["evidence"].item() == f"'GTX Pro' ({plain:,} rows), 'GTXPro' ({joined:,} rows)"
    assert found["count"].item() == min(plain, joined)


def test_an_account_missing_only_where_not_won(sparkle_log: Log):
    found = leaks(sparkle_log).set_index("column")
    assert sorted(found.index) == ["account_id", "close_value"]
    assert found.loc["account_id", "kind"] == "missing"
    assert found.loc["account_id", "evidence"] == "empty for 0 of 6,438 won, 1,938 of 3,493 lost, 3,455 of 4,346 open"
    assert sparkle_log.get("marketing")["leads"].sum() == pytest.approx(30_244, abs=1)


def test_the_duration_of_a_call_knows_its_outcome(real_data: Path):
    from forecast.data.audit.leaks import outcome_leaks

    calls = pd.read_csv(real_data / "bank_marketing" / "bank-additional-full.csv.gz", sep=";")
    found = outcome_leaks(calls.drop(columns="y"), calls["y"].map({"yes": "won", "no": "lost"}))
    # The economy's indicators tell wins from losses as well (AUC up to .75), but only since the base rate drifts.
    assert found["column"].tolist() == ["duration"]
    assert found["auc"].item() == pytest.approx(0.849, abs=0.005)
