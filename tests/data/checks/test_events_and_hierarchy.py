"""The tables that later pages will show: what is refused in them, and that their absence is not complained of."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.audit.audit import coverage
from forecast.data.checks.validation import problems
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Company
from logs import STAGES, log_of, table

OPPORTUNITIES = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2026-01-10 East    Won     120    2026-04-30        2026-03-30 won
    B              2026-02-10 West    Propose 60     2026-04-30        .          open
    """
)
EVENTS = table(
    """
    from       to         segment kind     text  announced_on
    2026-02-01 2026-03-31 East    campaign Fair  2026-01-15
    2026-03-01 .          .       price    List  .
    2026-03-01 .          .       price    List  .
    """
)
HIERARCHY = table(
    """
    of      node from       parent to
    segment East 2026-01-01 Europe 2026-02-28
    segment East 2026-03-01 Asia   .
    """
)
GOOD = {"opportunities": OPPORTUNITIES, "stages": STAGES, "events": EVENTS, "hierarchy": HIERARCHY}


def test_they_are_read_with_their_kinds_and_an_event_may_be_there_twice():
    assert problems(GOOD, Company()) == []
    log = log_of(GOOD)
    assert log.tables["events"]["from"].tolist() == pd.to_datetime(["2026-02-01", "2026-03-01", "2026-03-01"]).tolist()
    assert log.tables["events"]["to"].isna().tolist() == [False, True, True]
    assert log.tables["hierarchy"]["parent"].tolist() == ["Europe", "Asia"]
    # What is planned does not make the log longer: it ends with the month of the last closure.
    assert log.extracted_on == pd.Timestamp("2026-03-31")


@pytest.mark.parametrize(
    ("name", "column", "value", "what"),
    [
        ("events", "from", None, "empty"),
        ("events", "from", "soon", "date"),
        ("events", "kind", None, "empty"),
        ("events", "text", None, "empty"),
        ("hierarchy", "of", "team", "segment"),
        ("hierarchy", "parent", None, "empty"),
        ("hierarchy", "from", "2026-03-01", "more than once"),
    ],
)
def test_what_does_not_fit_is_named(name: str, column: str, value: str | None, what: str):
    frame = GOOD[name].copy()
    frame.loc[0, column] = value
    (problem,) = problems(GOOD | {name: frame}, Company())
    assert (problem.table, problem.severity) == (name, "fatal")
    assert column in problem.column
    assert what in problem.what + problem.mend


def test_a_segment_that_no_opportunity_has_is_a_doubt():
    (problem,) = problems(GOOD | {"events": EVENTS.assign(segment="Est")}, Company())
    assert (problem.table, problem.column, problem.severity) == ("events", "segment", "warning")


def test_without_them_nothing_is_missing():
    log = log_of({"opportunities": OPPORTUNITIES, "stages": STAGES})
    assert not {"events", "hierarchy"} & set(log.missing)
    assert "plan" in log.missing
    assert coverage(log).set_index("table").loc["events", "without"] == ""


def test_a_start_and_its_announcement_are_known_from_their_days_on():
    starts = table(
        """
        segment adopted_on announced_on
        East    2026-03-01 2026-02-10
        West    .          .
        """
    )
    log = log_of(GOOD | {"joint_planning": starts})
    for day, known in (("2026-01-31", (False, False)), ("2026-02-28", (True, False)), ("2026-03-31", (True, True))):
        seen = snapshot(log, as_of=day).joint_planning.set_index("segment").loc["East"]
        assert (pd.notna(seen["announced_on"]), pd.notna(seen["adopted_on"])) == known, day
