"""What the pages say of the audit: whether the data can carry a forecast, and what to mend first."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import forecast
from forecast import sources, wording
from forecast.data.audit.audit import NO_TABLE, coverage
from forecast.data.audit.audit import audit as found_by
from forecast.data.audit.dates import ENDS_EARLY
from forecast.data.audit.pipeline import FEWER_OF_LATE
from forecast.reporting.pages import audit
from tiny import tiny_company


def test_the_audit():
    found = {
        "rank": ["changes the answer", "absent"],
        "table": "t",
        "column": ["x_y", ""],
        "finding": ["f", NO_TABLE],
    }
    table = pd.DataFrame(found | {"evidence": "e", "mend": "do it"})
    assert audit.finding(table) == "The data can carry a forecast, with 1 finding that changes the answer"
    assert audit.conclusion(table).endswith("Mend first: x y (t): f. 1 table is absent.")
    assert audit.finding(table.iloc[:0]) == "The data can carry a forecast"
    assert list(audit.shown(table)["where"]) == ["t: x_y"]  # what is absent has a table of its own


def test_data_too_thin_to_forecast_from_cannot_carry_one_by_the_forecasts_own_reason(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path))
    table = found_by(log)
    snap = forecast.snapshot(log, as_of=log.extracted_on)
    why = "only 5 closed deals are known, at least 10 are needed"
    assert f"No forecast: {why}." in forecast.forecast_bookings(snap).attrs["notes"]
    assert audit.finding(table) == f"The data cannot carry a forecast yet: {why}"
    assert audit.conclusion(table).startswith(
        f"The data cannot carry a forecast yet: {why}. Forecast from a later day, or bring a longer history."
    )


def test_counts_are_plain_english():
    table = pd.DataFrame({"rank": ["changes the answer"] * 6 + ["cosmetic"] * 10, "finding": "f"})
    seen = pd.DataFrame({"opportunities": [8300], "open_deals": [1]})
    told = "Looked at: 8,300 opportunities, 1 open deal. Findings: "
    assert audit.counts(table, seen) == told + "6 findings that change the answer and 10 cosmetic."
    assert audit.counts(table.iloc[:1], seen) == told + "1 finding that changes the answer."
    assert audit.counts(table.iloc[:0], seen) == told + "none."


def test_absent_tables_are_counted_and_told_once(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path, history=None))
    table, notes = found_by(log), forecast.snapshot(log, as_of=log.extracted_on).notes
    absent = table[table["finding"] == NO_TABLE]
    assert set(absent["table"]) == set(log.missing)
    told = f" {len(log.missing) - 1} more tables are absent."  # one is among the findings
    assert audit.conclusion(table).endswith(told)
    listed = audit.shown(table)
    assert list(listed.loc[listed["finding"] == NO_TABLE, "table"]) == ["opportunity_history"]  # it changes the answer
    counted = audit.counts(table, pd.DataFrame({"opportunities": [9], "open_deals": [1]}))
    changing, cosmetic = ((listed["rank"] == rank).sum() for rank in ("changes the answer", "cosmetic"))
    assert counted.endswith(f"Findings: {changing} findings that change the answer and {cosmetic} cosmetic.{told}")
    html = audit.not_shown(table, coverage(log), notes)._repr_html_()
    for name, without in log.missing.items():
        assert html.count(f">{name}<") == 1
        assert wording.clean(without).replace("'", "&#39;") in html
    assert "There is no table" not in html


def test_that_every_table_is_there_is_said_only_where_each_is():
    covered = pd.DataFrame({"table": ["opportunities", "plan", "events", "hierarchy"], "rows": [9, 3, 0, 0]})
    assert audit.every_table(covered) == (
        "Every table is there that a page rests on; events and hierarchy are not, and no page needs them."
    )
    assert audit.every_table(covered.iloc[:3]).endswith("; events is not, and no page needs it.")
    assert audit.every_table(covered.iloc[:2]) == "Every table is there."


def test_what_a_snapshot_cannot_say_of_a_table_that_is_there_is_told_too():
    notes = ["opportunity_history has no row of 12 opportunities.", "There is no table plan: nothing is planned."]
    none = pd.DataFrame({"finding": ["f"], "rank": ["cosmetic"]})
    html = audit.not_shown(none, pd.DataFrame({"table": ["plan"], "rows": [1]}), notes)._repr_html_()
    assert "no row of 12" in html
    assert 'data-table="page_notes" data-rows=' in html  # what it leads to is written with the page
    assert "nothing is planned" not in html
    assert "Every table is there." in html


def test_no_history_is_said_once():
    table = pd.DataFrame({"finding": [NO_TABLE, "deals reopened"], "evidence": ["stage is unknown", "2 of 3"]})
    assert audit.revised(table).endswith("so what is revised after the fact cannot be seen.")


def test_what_is_revised_is_named_and_its_numbers_are_not_repeated():
    table = pd.DataFrame(
        {"finding": ["deals reopened", "closures are recorded late"], "evidence": ["2 of 3", "1 of 3"]}
    )
    assert sources.plain(audit.revised(table)) == (
        "The history of changes shows, with numbers among the findings: deals reopened; closures are recorded late. "
        "Past days are read as they then were; the numbers say how much would be lost otherwise."
    )
    assert audit.revised(table.iloc[:0]) == (
        "The history of changes shows no revisions. Past days are read as they then were."
    )


def test_the_title_says_what_the_deals_cover_not_plans_or_lists_of_people():
    first, last = (pd.to_datetime(days) for days in (["2021-11-01", "2013-08-18"], ["2026-10-31", "2027-12-31"]))
    names = {"table": ["opportunities", "plan"], "first": first, "last": last, "rows": [9, 3]}
    covered = audit.prepare_coverage(pd.DataFrame(names), as_of="2026-10-31")
    assert audit.describe_coverage(covered).title == "The deals cover November 2021 to October 2026"
    others = audit.prepare_coverage(pd.DataFrame(names).iloc[1:], as_of="2026-10-31")
    assert audit.describe_coverage(others).title == "The tables cover August 2013 to December 2027"


class TestAuditWords:
    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "rank": ["changes the answer", "changes the answer", "cosmetic"],
                "table": ["opportunities", "opportunities", "plan"],
                "column": ["created_on", "close_value", ""],
                "finding": [
                    FEWER_OF_LATE,
                    "known only after the outcome",
                    "there is no such table",
                ],
                "evidence": ["2 beside 40", "0 for every loss", ""],
            }
        )

    def test_a_caveat_stands_by_the_headline_only_where_it_bears_on_it(self):
        caveats = audit.caveats(self.table())
        assert len(caveats) == 1
        assert "(2 beside 40)" in caveats[0]
        assert "too low" in caveats[0]
        assert audit.caveats(self.table().iloc[1:]) == []

    def test_data_that_stop_early_stand_by_the_headline_instead_of_few_deals_of_late(self):
        last = "the last is of 14 August 2026, 78 days before 31 October 2026"
        table = self.table().assign(
            finding=[FEWER_OF_LATE, ENDS_EARLY, NO_TABLE],
            evidence=["2 beside 40", last, ""],
            table="opportunity_history",
        )
        assert [sources.plain(caveat) for caveat in audit.caveats(table)] == [
            f"The data stop before the day of this report (opportunity history: {last}). What happened since is not in "
            "the forecast, and reads as if nothing had."
        ]

    def test_open_deals_that_are_left_out_stand_by_the_headline_too(self):
        what, evidence = "3 opportunities without a creation date are left out, all of them open", "3 of 40 open deals"
        table = pd.DataFrame({"finding": [what, what.split(",")[0]], "evidence": [evidence, "3 beside 40"]})
        assert audit.caveats(table) == [
            f"{what}: {evidence}. None of them counts as an open deal; part of what they bring may stand under deals "
            "not yet created."
        ]

    def test_warnings_are_named_without_what_is_in_the_data(self):
        assert audit.warnings(self.table()) == [
            "Far fewer deals created lately.",
            "Close value (opportunities): known only after the outcome.",
        ]
        assert audit.warnings(self.table().iloc[2:]) == []
