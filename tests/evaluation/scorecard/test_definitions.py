"""Every figure under every definition in one table: it degrades row by row, and knows no future."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from forecast.data.checks.validation import validate
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import TOTAL, Company, Log
from forecast.errors import ParameterError
from forecast.evaluation.scorecard.benchmarks import benchmarks
from forecast.evaluation.scorecard.card import scorecard
from forecast.evaluation.scorecard.definition import COLUMNS, UNITS
from forecast.evaluation.scorecard.definitions import scorecard_definitions
from forecast.evaluation.scorecard.known import known_of
from forecast.simulation.company import simulate
from futures import another_future, eventful, known_by

DAY = "2026-02-17"


@pytest.fixture(scope="module")
def log() -> Log:
    made = simulate(opportunities=1_500, months=48, seed=605, segments=6, effect=0.0)
    about = {**made.company, "fixed_at_creation": tuple(made.company["fixed_at_creation"])}  # type: ignore[arg-type]
    return validate(made.tables, Company(**about))  # type: ignore[arg-type]


def made(log: Log, as_of: str = "2026-10-31") -> pd.DataFrame:
    return scorecard_definitions(log, as_of=as_of, permutations=1_000)


@pytest.fixture(scope="module")
def table(log: Log) -> pd.DataFrame:
    return made(log)


def test_every_row_says_what_it_is_on_what_it_rests_or_why_it_is_not_known(table: pd.DataFrame):
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(["figure", "definition", "segment"]).any()
    assert set(table["unit"]) <= set(UNITS)
    assert (table["means"] != "").all()
    known = table["value"].notna()
    assert (known == (table["missing"] == "")).all()
    assert (table.loc[known, "n"] > 0).all()
    assert (table["n_of"] != "").all()
    shares = table[known & (table["unit"] == "share")]
    assert shares["value"].between(0, 1).all()
    assert (shares["of"] != "").all()
    told = table[known & table["low"].notna() & table["high"].notna()]
    assert (told["low"] <= told["value"] + 1e-9).all()
    assert (told["value"] <= told["high"] + 1e-9).all()


def test_what_is_known_can_be_shared_with_the_card(log: Log, table: pd.DataFrame):
    known = known_of(log, snapshot(log, as_of="2026-10-31"))
    shared = scorecard_definitions(log, as_of="2026-10-31", permutations=1_000, known=known)
    pd.testing.assert_frame_equal(shared, table)
    ours = scorecard(log, as_of="2026-10-31", known=known)
    pd.testing.assert_frame_equal(ours, scorecard(log, as_of="2026-10-31"))


def test_each_question_of_the_survey_is_answered(table: pd.DataFrame):
    answered = set(table.loc[(table["segment"] == TOTAL) & table["value"].notna(), "figure"])
    assert {each.figure for each in benchmarks()} <= answered


def test_changes_are_asked_of_several_figures_at_one_level(table: pd.DataFrame):
    asked = table[table["verdict"] != ""]
    assert asked["figure"].nunique() >= 4
    assert (asked["segment"] == TOTAL).all()
    assert ((asked["verdict"] == "not identified") == (asked["why"] != "")).all()
    assert (table.loc[table["verdict"] == "", "why"] == "").all()
    tested = asked[asked["change_p"].notna()]
    assert ((tested["verdict"] == "changed") == (tested["change_p"] <= 0.05)).all()


@pytest.mark.parametrize(
    ("without", "figure"),
    [
        ("quotas", "reps at quota"),
        ("opportunity_history", "formal sales process"),
        ("submitted_forecasts", "forecast accuracy"),
    ],
)
def test_what_a_table_would_bring_is_missing_alone(log: Log, table: pd.DataFrame, without: str, figure: str):
    less = made(dataclasses.replace(log, tables={n: t for n, t in log.tables.items() if n != without}))
    rows = less[less["figure"] == figure]
    assert len(rows)
    assert rows["missing"].str.contains(without).all()
    others = set(table["figure"]) - {figure}
    assert others <= set(less["figure"])
    assert less.loc[less["figure"] == "existing business", "value"].notna().any()


def test_without_starts_nothing_changed_since_them(log: Log):
    less = made(dataclasses.replace(log, tables={n: t for n, t in log.tables.items() if n != "joint_planning"}))
    asked = less[less["verdict"] != ""]
    assert len(asked)
    assert set(asked["verdict"]) == {"not identified"}
    assert asked["change"].isna().all()


def _only(outcome: str, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    deals, history = tables["opportunities"], tables["opportunity_history"]
    deals = deals[deals["outcome"] == outcome].reset_index(drop=True)
    rows = history[history["opportunity_id"].isin(deals["opportunity_id"])].reset_index(drop=True)
    return {**tables, "opportunities": deals, "opportunity_history": rows}


@pytest.mark.parametrize("outcome", ["open", "lost", "won"])
@pytest.mark.parametrize("as_of", ["2026-10-31", "2026-03-20"])
def test_a_company_of_open_or_lost_deals_alone_and_a_young_one(log: Log, outcome: str, as_of: str):
    less = made(dataclasses.replace(log, tables=_only(outcome, log.tables)), as_of)
    assert (less["value"].notna() == (less["missing"] == "")).all()
    assert (less["verdict"] != "changed").all()


def test_as_of_beyond_the_log_is_refused(log: Log):
    with pytest.raises(ParameterError, match="later than the log"):
        made(log, as_of="2031-01-31")


@pytest.mark.slow
@pytest.mark.parametrize("wild", [None, False, True], ids=["the evening's", "another", "a wilder one"])
def test_what_is_recorded_later_changes_nothing(wild: bool | None):
    tables, about = eventful(seed=606, opportunities=1_000)
    zone = str(about["timezone"])
    other = known_by(tables, DAY, zone) if wild is None else another_future(tables, DAY, about, seed=7, wild=wild)
    facts = {**about, "fixed_at_creation": tuple(about["fixed_at_creation"])}  # type: ignore[arg-type]
    ours, theirs = (made(validate(each, Company(**facts)), DAY) for each in (tables, other))  # type: ignore[arg-type]
    assert np.isfinite(ours["value"]).any()
    pd.testing.assert_frame_equal(ours, theirs)
