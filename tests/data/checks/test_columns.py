"""Missing and misspelt columns: a rename is advised only where the name and the values fit."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from forecast.data.checks.columns import check_columns, fits
from forecast.data.schema import TABLES
from forecast.errors import Problem

OPPS = TABLES["opportunities"]


def deals(rows: int = 40, **columns: object) -> pd.DataFrame:
    """Return opportunities as read from a CSV file; `columns` replace, add, or with None take away."""
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"O{number}" for number in range(rows)],
            "created_on": "2026-01-05",
            "segment": np.resize(["North", "South"], rows),
            "stage": np.resize(["Qualify", "Propose", "Won"], rows),
            "amount": [str(100 + number) for number in range(rows)],
            "expected_close_on": "2026-05-01",
            "closed_on": "",
            "outcome": np.resize(["open", "open", "won"], rows),
        }
    ).astype("str")
    for name, values in columns.items():
        frame = frame.drop(columns=name) if values is None else frame.assign(**{name: values})
    return frame.astype("str")


def the_problem(raw: pd.DataFrame, column: str) -> Problem:
    found = [problem for problem in check_columns(OPPS, raw) if problem.column == column]
    assert len(found) == 1, found
    return found[0]


def test_a_near_name_is_no_rename_where_it_holds_something_else():
    accounts = [f"Account {number}" for number in range(40)]
    raw = deals(amount=None, account=accounts, close_value=[str(number / 2) for number in range(40)])
    mend = the_problem(raw, "amount").mend
    assert "did you mean" not in mend
    assert mend.startswith("add the column amount (value today; below 0 for a credit); columns that hold a number")
    assert "'close_value' ('0.0', …; 40 different in 40)" in mend
    assert "account" not in mend.replace("a number such as", "")
    only_names = the_problem(deals(amount=None, account=accounts), "amount").mend
    assert only_names.endswith("none that is there could be it: 'account' holds 'Account 0', …; 40 different in 40")


def test_the_seller_is_no_segment():
    agents = [f"Agent {number % 35}" for number in range(400)]
    mend = the_problem(deals(400, segment=None, sales_agent=agents), "segment").mend
    assert "did you mean" not in mend
    assert "add the column segment" in mend
    assert "'sales_agent' ('Agent 0', …; 35 different in 400)" in mend  # what it holds, for the reader to judge


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Closed On", "closed_on"),
        ("close_on", "closed_on"),
        ("ammount", "amount"),
        ("stge", "stage"),
        ("segmnt", "segment"),
    ],
)
def test_a_slip_whose_values_fit_is_named(given: str, meant: str):
    raw = deals().rename(columns={meant: given})
    assert the_problem(raw, meant).mend == f"did you mean {given!r}? Rename it to {meant!r}"
    assert not [problem for problem in check_columns(OPPS, raw) if problem.column == given]


def test_an_optional_column_misspelt_is_said_only_where_its_values_fit():
    wrong = deals(ownr=[f"Rep {number % 3}" for number in range(40)])
    assert the_problem(wrong, "ownr").mend == "did you mean 'owner'? Rename it if so"
    assert the_problem(wrong, "ownr").severity == "warning"
    assert not check_columns(OPPS, deals(unit=[f"unit {number}" for number in range(40)]))  # `units` are numbers


def test_what_nothing_reads_is_cosmetic():
    plan = pd.DataFrame({"period": ["2026-01"], "segment": ["North"], "amount": ["1"], "remark": ["x"]})
    (problem,) = check_columns(TABLES["plan"], plan)
    assert (problem.severity, problem.column) == ("info", "remark")


def test_currencies_by_another_name_are_not_added_in_silence():
    problem = the_problem(deals(curr=np.resize(["EUR", "USD"], 40)), "curr")
    assert (problem.severity, problem.what) == ("warning", "holds currencies, but amounts are added as they are")
    assert not check_columns(OPPS, deals(curr="EUR"))  # one alone is the reporting currency


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("amount", ["1", "2.5"], True),
        ("amount", ["1", "one"], False),
        ("created_on", ["2026-01-05"], True),
        ("opportunity_id", [f"O{number}" for number in range(100)], True),
        ("opportunity_id", ["Won", "Lost"] * 50, False),
        ("segment", ["North", "South"] * 5, True),
        ("segment", [f"S{number}" for number in range(100)], False),
        ("outcome", ["open", "won"], True),
        ("outcome", ["Open", "Closed"], False),
        ("owner", ["Ann", "Ben"], True),
        ("owner", ["1", "2"], False),
    ],
)
def test_which_values_could_be_of_a_column(name: str, values: list[str], answer: bool):
    column = OPPS.column(name)
    assert column is not None
    assert fits(pd.Series(values, dtype="str"), column) is answer


@pytest.mark.slow
def test_ten_thousand_columns_are_no_trap():
    wide = pd.concat(
        [deals(amount=None), pd.DataFrame({f"field_{n:05d}__c": ["x"] * 40 for n in range(10_000)})], axis=1
    )
    before = time.process_time()
    found = check_columns(OPPS, wide)
    assert time.process_time() - before < 2
    assert [problem.column for problem in found] == ["amount"]
