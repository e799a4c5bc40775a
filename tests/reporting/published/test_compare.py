"""Which numbers differ between two months, and what did it, if that can be told."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.errors import MachineError, ParameterError
from forecast.reporting.published import months
from forecast.reporting.published.compare import causes, compare
from forecast.reporting.published.tables import difference, differences
from reports import WRITES, notebook

group = pytest.mark.xdist_group("published-months")
REPORTS = Path("reports")


def compared(before: str, now: str):
    return compare(months.find(REPORTS, before), months.find(REPORTS, now))


def differing(found) -> dict[str, tuple[str, ...]]:
    return {cause.what: cause.details for cause in found.causes if cause.differs}


# -- tables ---------------------------------------------------------------------------------------------


def bookings(**changed) -> pd.DataFrame:
    """Return four rows as a table of bookings has them, with values replaced by column."""
    return pd.DataFrame(
        {
            "model": "pipeline",
            "origin": pd.Timestamp("2026-09-30"),
            "target_period": ["2026-10", "2026-10", "2026-11", "2026-11"],
            "horizon": [1, 1, 2, 2],
            "segment": ["North", "South"] * 2,
            "mean": [100.0, 50.0, 120.0, np.nan],
            **changed,
        }
    )


def test_by_hand_rows_are_matched_by_their_names_and_numbers_compared():
    now = bookings(mean=[100.0, 55.0, 120.0, 80.0]).iloc[::-1]
    now = pd.concat([now, pd.DataFrame({**now.iloc[[0]], "target_period": "2026-12"})])
    found = difference("bookings", bookings(), now)
    assert (found.only_before, found.only_now) == (0, 1)
    assert (found.numbers, found.numbers_differ) == (8, 2)  # mean and horizon of four rows
    assert (found.largest.column, found.largest.before, found.largest.now) == (
        "mean",
        pytest.approx(np.nan, nan_ok=True),
        80,
    )
    assert found.largest.where == "pipeline / 2026-09-30 / 2026-11 / South"
    assert not found.same


def test_of_two_months_the_day_and_what_follows_from_it_is_not_compared():
    now = bookings(origin=pd.Timestamp("2026-10-31"), horizon=[0, 0, 1, 1])
    found = difference("bookings", bookings(), now, days=("2026-09-30", "2026-10-31"))
    assert found.same
    assert found.numbers == 4
    assert difference("bookings", bookings(), now).only_now == 4


def test_rows_that_nothing_names_are_matched_by_their_place():
    first = pd.DataFrame({"low": [0.0, 0.5], "n": [3, 3]})
    found = difference("bins", first, first.assign(n=[3, 4]))
    assert (found.numbers, found.numbers_differ) == (4, 1)
    assert found.largest.where == "row 2"
    again = pd.DataFrame({"kind": ["a", "a", "b"], "x": [1.0, 2.0, 3.0]})
    found = difference("twice", again, again.assign(x=[1.0, 5.0, 3.0]))
    assert (found.numbers_differ, found.largest.where, found.largest.before) == (1, "a", 2.0)


def test_texts_missing_values_and_other_columns():
    first = pd.DataFrame({"name": ["a", "b"], "why": ["x", None], "n": [1, 2]})
    assert difference("t", first, first.copy()).same
    assert difference("t", first, first.assign(why=["x", "y"])).texts_differ == 1
    assert difference("t", first, first.assign(new=1)).same  # only what both have is compared
    assert difference("t", first, pd.DataFrame({"other": [1]})).problem == "it has other columns"
    assert difference("t", first.iloc[:0], first).only_now == 2
    assert difference("t", first, first.assign(n=[1, np.inf])).numbers_differ == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"), st.floats(allow_nan=True)), max_size=8),
    st.randoms(use_true_random=False),
)
def test_a_table_is_the_same_as_itself_in_any_order_of_named_rows(rows, random):
    table = pd.DataFrame(rows, columns=["segment", "kind", "value"]).drop_duplicates(["segment", "kind"])
    order = list(range(len(table)))
    random.shuffle(order)
    before = table.copy()
    assert difference("t", table, table.iloc[order]).same
    pd.testing.assert_frame_equal(table, before)


def test_damaged_and_missing_tables_are_named(tmp_path):
    before, now = tmp_path / "before", tmp_path / "now"
    for folder in (before, now):
        folder.mkdir()
        bookings().to_parquet(folder / "bookings.parquet")
        (folder / "headline.json").write_text(json.dumps({"mean": 1.0, "headline": "one", "list": [1]}))
        bookings().to_parquet(folder / "page03_months.parquet")
    (now / "bookings.parquet").write_text("PAR1")
    (now / "headline.json").write_text(json.dumps({"mean": 2.0, "headline": "two", "list": [1]}))
    bookings().to_parquet(now / "deals.parquet")
    found = {each.table: each for each in differences(before, now, days=("", ""))}
    assert found["bookings"].problem == "cannot be read as it was now"
    assert found["deals"].problem == "there was none before"
    assert (found["headline"].numbers_differ, found["headline"].texts_differ) == (1, 1)
    assert "page03_months" not in found


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_where_the_disk_fails_nothing_is_said_of_a_table(tmp_path, monkeypatch, number):
    before, now = tmp_path / "before", tmp_path / "now"
    for folder in (before, now):
        folder.mkdir()
        bookings().to_parquet(folder / "bookings.parquet")

    def fails(file, **_):
        raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setattr(pd, "read_parquet", fails)
    with pytest.raises(MachineError, match=rf"bookings: cannot be read \({os.strerror(number)}\)"):
        differences(before, now, days=("", ""))


# -- what did it ----------------------------------------------------------------------------------------


@group
@pytest.mark.slow
def test_two_months_of_the_same_data(make, run):
    make("2026-02")
    make("2026-03")
    found = compared("2026-02", "2026-03")
    assert differing(found) == {"day": ("2026-02-28 -> 2026-03-31",)}
    code, out, err = run("compare", "2026-02", "2026-03", "--out", "reports")
    assert (code, err) == (0, "")
    assert "before:     2026-02-28 version 1: We expect 6 deals" in out
    assert "Nothing in the tables differs, though the day differs." in out


@group
@pytest.mark.slow
@pytest.mark.parametrize("change", ["data", "parameters", "notebooks", "several", "nothing"])
def test_what_did_it(make, place, run, more_data, change):
    make()
    if change in ("data", "several"):
        more_data()
        notebook(place / "notebooks", "07_brief", "from forecast.reporting.month.results import Results")
    if change == "notebooks":
        notebook(place / "notebooks", "01_first", WRITES.format(name="first"), "1")
    if change == "nothing":
        make("2026-02")
        assert compared("2026-03", "2026-03").conclusion == "Everything is the same."
        return
    make(**({"months": 7} if change in ("parameters", "several") else {}))
    found = compared("2026-03@1", "2026-03")
    assert found.before.version == 1
    assert found.now.version == 2
    if change == "parameters":
        assert differing(found) == {"parameters": ("01_first.months 6 -> 7", "07_brief.months 6 -> 7")}
        assert found.conclusion == "Of all that a month is made from only the parameters differ: that did it."
        first = next(each for each in found.tables if each.table == "first")
        assert (first.numbers_differ, first.largest.before, first.largest.now) == (1, 6, 7)
    elif change == "notebooks":
        assert differing(found) == {"notebooks": ("01_first changed",)}
        assert found.conclusion == "Nothing in the tables differs, though the notebooks differ."
    else:
        assert differing(found)["data"] == ("opportunities.csv changed",)
        code, out, _ = run("compare", "2026-03@1", "2026-03@2", "--json")
        facts = json.loads(out)
        assert code == 0
        assert {each["what"] for each in facts["made_from"] if each["differs"]} == set(differing(found))
        if change == "several":
            assert "`forecast replay 2026-03-31`" in found.conclusion
            assert found.conclusion.startswith("The data, the notebooks and the parameters differ; how much each did")


@group
@pytest.mark.slow
def test_nothing_is_concluded_from_files_that_were_changed(make, more_data):
    make()
    more_data()
    make(months=7)
    Path("reports/2026-03-31/tables/first.csv").write_text("months\n9\n")
    found = compared("2026-03@1", "2026-03")
    assert found.conclusion.startswith("Cannot be told: 2026-03-31/tables/first.csv changed since it was published")


def test_a_manifest_that_says_little_lets_nothing_be_concluded():
    full = {
        "as_of": "2026-03-31",
        "redacted": False,
        "parameters": {"a": {"months": 6, "as_of": "2026-03-31"}},
        "fingerprints": {"data": {"a.csv": "1"}, "code": "2", "notebooks": {"a": "3"}},
        "versions": {"pandas": "3.0", "forecast": "1"},
    }
    later = {**full, "versions": {"pandas": "3.1", "forecast": "2", "numpy": "2"}}
    later["fingerprints"] = {"data": {"b.csv": "1"}, "code": "4", "notebooks": {"a": "3"}}
    found = {cause.what: cause for cause in causes(full, later)}
    assert found["code"].details == ("forecast 1 -> 2",)
    assert found["libraries"].details == ("numpy none -> 2", "pandas 3.0 -> 3.1")
    assert found["data"].details == ("a.csv gone", "b.csv new")
    assert found["parameters"].differs is False
    assert {cause.differs for cause in causes(full, {})} == {None}


@group
@pytest.mark.slow
def test_an_older_manifest_is_compared_as_far_as_it_goes(make, run):
    make("2026-02")
    make("2026-03")
    file = Path("reports/2026-02-28/manifest.json")
    facts = json.loads(file.read_text())
    for name in ("files", "previous", "version", "fingerprints"):
        del facts[name]
    file.write_text(json.dumps(facts))
    code, out, _ = run("compare", "2026-02", "2026-03")
    assert code == 0
    assert "What did it cannot be told: a manifest does not record the data, the code and the notebooks" in out


@group
@pytest.mark.slow
def test_what_cannot_be_compared(make, run):
    make()
    for arguments, said in (
        (("2026-03", "2026-04"), "there is no month '2026-04'"),
        (("2026-03@2", "2026-03"), "2026-03-31 has no version '2'; known: 1"),
        (("2026-03", "2026-03", "--out", "nowhere"), "there is no such folder of reports"),
    ):
        code, out, err = run("compare", *arguments)
        assert (code, out) == (1, "")
        assert said in err
    Path("reports/2026-03-31/manifest.json").unlink()
    with pytest.raises(ParameterError, match=r"it has no manifest\.json; make the month again"):
        months.find(REPORTS, "2026-03")
