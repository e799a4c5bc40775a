"""Events, starts of joint planning, the hierarchy: what is refused, what is doubted, and what is known on which day."""

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
    2026-03-01 .          West    price    List  .
    """
)
HIERARCHY = table(
    """
    of      node from       parent to
    segment East 2026-01-01 Europe .
    segment East 2026-03-01 Asia   .
    segment West 2026-01-01 Europe .
    """
)
GOOD = {"opportunities": OPPORTUNITIES, "stages": STAGES, "events": EVENTS, "hierarchy": HIERARCHY}


def test_they_are_read_with_their_kinds():
    assert problems(GOOD, Company()) == []
    log = log_of(GOOD)
    assert log.tables["events"]["from"].tolist() == pd.to_datetime(["2026-02-01", "2026-03-01", "2026-03-01"]).tolist()
    assert log.tables["events"]["to"].isna().tolist() == [False, True, True]
    assert log.tables["hierarchy"]["parent"].tolist() == ["Europe", "Asia", "Europe"]
    # What is planned does not make the log longer: it ends with the month of the last closure.
    assert log.extracted_on == pd.Timestamp("2026-03-31")


@pytest.mark.parametrize(
    ("name", "column", "value", "what"),
    [
        ("events", "from", None, "empty"),
        ("events", "from", "soon", "date"),
        ("events", "from", "1026-02-01", "date"),
        ("events", "to", "2026-01-31", "before it begins"),
        ("events", "to", "9999-12-31", "date"),
        ("events", "kind", None, "empty"),
        ("events", "kind", "  ", "empty"),
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


DEALS_OF_A_PRODUCT = OPPORTUNITIES.assign(product=["Service", "Goods"])


@pytest.mark.parametrize(
    ("changes", "column", "severity", "what", "mend"),
    [
        ({"segment": "Est"}, "segment", "warning", "without any opportunity: 'Est'", "did you mean 'East'"),
        ({"segment": None, "product": "Good"}, "product", "warning", "without any opportunity: 'Good'", "'Goods'"),
        ({"product": "Goods"}, "product", "info", "a segment and a product", "leave one of them empty"),
        ({"announced_on": "2026-02-02"}, "announced_on", "info", "announced after it began", "leave it empty"),
        ({"from": "2011-02-01"}, "from", "warning", "10 years away", "correct the year"),
        ({"to": "2062-02-01"}, "to", "warning", "10 years away", "correct the year"),
        ({"announced_on": "2062-01-15"}, "announced_on", "warning", "10 years away", "correct the year"),
    ],
)
def test_what_is_doubtful_of_an_event_is_named_with_its_row(
    changes: dict[str, str | None], column: str, severity: str, what: str, mend: str
):
    events = EVENTS.assign(product=None).astype("str").mask(EVENTS.assign(product=None).isna())
    for name, value in changes.items():
        events.loc[0, name] = value
    found = problems(GOOD | {"opportunities": DEALS_OF_A_PRODUCT, "events": events}, Company())
    found = [problem for problem in found if what in problem.what]
    (problem,) = found
    assert (problem.table, problem.column, problem.severity, problem.count) == ("events", column, severity, 1)
    assert mend in problem.mend
    assert "1" in problem.rows[0]


def test_where_no_deal_has_a_product_an_event_about_one_is_doubted():
    (problem,) = problems(GOOD | {"events": EVENTS.head(2).assign(segment=None, product="Goods")}, Company())
    assert (problem.column, problem.severity) == ("product", "warning")
    assert problem.mend.startswith("add the column product")


def test_an_event_that_stands_there_twice_counts_once():
    twice = pd.concat([EVENTS, EVENTS.iloc[[1]]], ignore_index=True)
    (problem,) = problems(GOOD | {"events": twice}, Company())
    assert (problem.severity, problem.count, problem.rows) == ("info", 1, ("row 4 ('2026-03-01')",))
    one, other = (snapshot(log_of(GOOD | {"events": frame}), as_of="2026-03-31").events for frame in (EVENTS, twice))
    assert len(EVENTS) == 3
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("adopted_on", "announced_on", "column", "what"),
    [
        ("2026-03-01", "2026-03-02", "announced_on", "announced after it began"),
        (None, "2026-03-02", "announced_on", "without the day it begins"),
        ("2006-03-01", "2006-02-01", "adopted_on", "10 years away"),
    ],
)
def test_what_is_doubtful_of_a_start_is_named_with_its_segment(
    adopted_on: str | None, announced_on: str, column: str, what: str
):
    starts = pd.DataFrame({"segment": ["East"], "adopted_on": [adopted_on], "announced_on": [announced_on]})
    found = problems(GOOD | {"joint_planning": starts.astype("str").mask(starts.isna())}, Company())
    assert {(problem.table, problem.severity) for problem in found} == {("joint_planning", "warning")}
    problem = next(problem for problem in found if problem.column == column)
    assert what in problem.what
    assert problem.rows[0].startswith("East")


def test_without_them_nothing_is_missing():
    log = log_of({"opportunities": OPPORTUNITIES, "stages": STAGES})
    assert not {"events", "hierarchy"} & set(log.missing)
    assert "plan" in log.missing
    assert coverage(log).set_index("table").loc["events", "without"] == ""


def test_a_start_is_known_from_its_announcement_or_else_from_its_day_on():
    starts = table(
        """
        segment adopted_on announced_on
        East    2026-03-01 2026-02-10
        North   2026-03-01 .
        South   2026-03-01 2026-03-20
        West    .          .
        """
    )
    log = log_of(GOOD | {"joint_planning": starts})
    # announced_on and adopted_on of each segment, as known
    nothing, told, begun, late = (False, False), (True, True), (False, True), (True, True)
    for day, known in (
        ("2026-01-31", (nothing, nothing, nothing, nothing)),
        ("2026-02-28", (told, nothing, nothing, nothing)),
        ("2026-03-10", (told, begun, begun, nothing)),
        ("2026-03-31", (told, begun, late, nothing)),
    ):
        seen = snapshot(log, as_of=day).joint_planning
        found = list(zip(seen["announced_on"].notna(), seen["adopted_on"].notna(), strict=True))
        assert found == list(known), day
