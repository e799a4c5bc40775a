"""What a month had booked, what changed since, and from when to when the tables speak: by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.audit.audit import coverage
from forecast.data.known.changes import changes_since
from forecast.data.known.settled import booked_by_month
from forecast.errors import ParameterError
from tiny import tiny_company


@pytest.fixture
def log(tmp_path: Path) -> forecast.Log:
    return forecast.read(tiny_company(tmp_path / "tiny"))


def test_booked_by_month(log: forecast.Log):
    table = booked_by_month(forecast.snapshot(log, as_of="2026-03-31")).set_index(["period", "segment"])
    assert list(table.index.get_level_values("period").unique()) == ["2025-12", "2026-01", "2026-02", "2026-03"]
    assert table.loc[("2025-12", "North")].tolist() == [1200.0, 1]
    assert table.loc[("2026-01", "South")].tolist() == [2500.0, 1]
    assert table.loc[("2026-02", "North")].tolist() == [900.0, 1]
    assert table["amount"].sum() == 4600.0
    earlier = booked_by_month(forecast.snapshot(log, as_of="2026-01-15"))
    assert earlier["amount"].sum() == 1200.0  # what was won later is not known yet


def test_booked_agrees_with_what_settled(sample: Path):
    log = forecast.read(sample)
    booked = booked_by_month(forecast.snapshot(log, as_of=log.extracted_on)).set_index(["period", "segment"])["amount"]
    settled = forecast.settled_actuals(log).set_index(["period", "segment"])["amount"]
    known = booked.reindex(settled.index, fill_value=0.0)
    assert (known >= settled - 0.01).mean() > 0.95  # some wins are recorded later than a month settles
    assert known.sum() == pytest.approx(settled.sum(), rel=0.02)


def test_what_changed_since(log: forecast.Log):
    # On the last day of a quarter the next one is looked at: O6 and O7 (Q2) were open on 28 February, O8 came in March.
    table = changes_since(log, forecast.snapshot(log, as_of="2026-03-31"))
    assert set(table["period"]) == {"FY26 Q2"}
    assert set(table["since"]) == {pd.Timestamp("2026-02-28")}
    bars = table.set_index("bar")
    assert bars.loc["start", "amount"] == 1500 + 700
    assert bars.loc["created", ["amount", "deals"]].tolist() == [3000.0, 1]
    assert bars.loc["end", "amount"] == 1500 + 700 + 3000
    assert bars["amount"].drop(["start", "end"]).sum() == bars.loc["end", "amount"] - bars.loc["start", "amount"]
    other = changes_since(log, forecast.snapshot(log, as_of="2026-03-31"), since="2026-01")
    assert set(other["since"]) == {pd.Timestamp("2026-01-31")}


def test_where_what_changed_cannot_be_told_it_says_why(tmp_path: Path, log: forecast.Log):
    bare = forecast.read(tiny_company(tmp_path / "bare", history=None))
    table = changes_since(bare, forecast.snapshot(bare, as_of="2026-03-31"))
    assert table.empty
    assert "without history" in table.attrs["notes"][0]
    first = changes_since(log, forecast.snapshot(log, as_of="2025-10-15"))
    assert first.empty
    assert "earlier than the log's first record" in first.attrs["notes"][0]
    with pytest.raises(ParameterError, match="is not before"):
        changes_since(log, forecast.snapshot(log, as_of="2026-03-31"), since="2026-03-31")


def test_coverage(log: forecast.Log):
    table = coverage(log).set_index("table")
    assert table.loc["opportunities", ["first", "last", "rows"]].tolist() == [
        pd.Timestamp("2025-10-03"),
        pd.Timestamp("2026-03-11"),
        8,
    ]
    # O5 closed after the last creation, once O6 to O8 had not been made.
    deals = log.opportunities
    fewer = {**log.tables, "opportunities": deals[deals["created_on"] < "2026-01-01"]}
    earlier = coverage(replace(log, tables=fewer)).set_index("table").loc["opportunities"]
    assert earlier[["first", "last"]].tolist() == [pd.Timestamp("2025-10-03"), pd.Timestamp("2026-02-25")]
    assert table.loc["plan", "first"] == pd.Timestamp("2026-04-01")
    assert table.loc["plan", "last"] == pd.Timestamp("2026-04-30")
    assert table.loc["quotas", "rows"] == 0
    assert pd.isna(table.loc["quotas", "first"])
    assert "quota" in table.loc["quotas", "without"]
    assert table.loc["opportunities", "without"] == ""
    assert table.loc["currencies", "without"] == ""  # every amount is in the reporting currency
