"""What a user reads when something is wrong."""

from __future__ import annotations

from forecast.errors import DataError, MachineError, NotebookError, ParameterError, Problem, did_you_mean, nearest


def test_a_data_error_names_place_rows_and_mend():
    error = DataError(
        "amount is negative", table="opportunities", column="amount", rows=[4, 9, 11, 12, 13, 40], count=812,
        mend="credit notes are not opportunities: leave them out",
    )  # fmt: skip
    assert str(error) == (
        "opportunities.amount: amount is negative\n"
        "  rows: 4, 9, 11, 12, 13 and 807 more\n"
        "  mend: credit notes are not opportunities: leave them out"
    )


def test_a_problem_and_the_error_raised_for_it_are_one_record():
    error = DataError("is zero", table="currencies", column="plan_rate", rows=[3], mend="write the rate")
    assert error.problem == Problem(
        what="is zero", table="currencies", column="plan_rate", rows=("3",), count=1, mend="write the rate"
    )
    assert str(error) == str(error.problem)


def test_a_problem_with_evidence_names_the_first_rows_and_counts_all():
    problem = Problem(severity="warning", table="leads", what="thin", evidence="2 of 9", mend="add").at(range(7))
    assert problem.rows == ("0", "1", "2", "3", "4")
    assert str(problem) == "leads: thin; 2 of 9\n  rows: 0, 1, 2, 3, 4 and 2 more\n  mend: add"
    assert str(Problem(what="no date at all")) == "no date at all"


def test_an_error_of_several_problems_lists_three_and_counts_the_rest():
    problems = [Problem(what=f"wrong {i}", table="plan") for i in range(5)]
    error = DataError.of(problems)
    assert error.problem == problems[0]
    assert str(error) == "plan: wrong 0\nplan: wrong 1\nplan: wrong 2\nand 2 more; `forecast check` lists them all"
    assert str(DataError.of(problems[:3])).count("\n") == 2


def test_each_error_has_the_exit_code_of_the_contract():
    assert DataError("x").exit_code == 1
    assert ParameterError("x").exit_code == 1
    assert NotebookError("x", notebook="03_bookings").exit_code == 3
    assert MachineError("x").exit_code == 4


def test_a_notebook_error_names_notebook_cell_and_page():
    error = NotebookError("KeyError: 'x'", notebook="03_bookings", cell=4, partial="reports/failed/03.html")
    assert str(error) == "03_bookings, cell 4: KeyError: 'x'\n  the page as far as it came: reports/failed/03.html"


def test_the_nearest_name_or_all_of_them():
    assert did_you_mean("pipelin", ["pipeline", "ets"]) == "did you mean 'pipeline'?"
    assert did_you_mean("xyz", ["pipeline", "ets"]) == ""
    assert nearest("pipelin", ["pipeline", "ets"]) == "did you mean 'pipeline'?"
    assert nearest("xyz", ["pipeline", "ets"]) == "known: ets, pipeline"
    assert nearest("xyz", []) == "none is known"


def test_a_cell_of_megabytes_is_cut_wherever_it_is_quoted():
    cell = "x" * 5_000_000
    problem = Problem(what=cell, rows=(f"line 7 ({cell!r})",), mend=cell)
    assert len(str(problem)) < 10_000
    assert "line 7 ('xxx" in str(problem)
    assert "5,000,0" in str(problem)  # how long it is
    assert did_you_mean(cell, ["xx"]) == ""
