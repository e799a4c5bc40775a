"""What the pages say of the audit: whether the data can carry a forecast, and what to mend first."""

from __future__ import annotations

import pandas as pd

from forecast.data.audit.audit import NO_TABLE
from forecast.data.audit.pipeline import FEWER_OF_LATE
from forecast.reporting.pages import audit


def test_the_audit():
    found = {"severity": ["warning", "info"], "table": "t", "column": ["x", ""], "finding": ["f", NO_TABLE]}
    table = pd.DataFrame(found)
    assert audit.finding(table) == "The data can carry a forecast, with 1 warning"
    assert audit.conclusion(table).endswith("Mend first: t.x, f. 1 table is absent.")
    assert audit.finding(table.iloc[:0]) == "The data can carry a forecast"
    assert list(audit.shown(table)["where"]) == ["t: x", "t"]


class TestAuditWords:
    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "severity": ["warning", "warning", "info"],
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

    def test_warnings_are_named_without_what_is_in_the_data(self):
        assert audit.warnings(self.table()) == [
            "opportunities.created_on: far fewer deals created of late.",
            "opportunities.close_value: known only after the outcome.",
        ]
        assert audit.warnings(self.table().iloc[2:]) == []
