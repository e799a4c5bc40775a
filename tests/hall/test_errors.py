"""What a user reads when something is wrong."""

from __future__ import annotations

from forecast.errors import DataError, MachineError, NotebookError, ParameterError, nearest


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


def test_each_error_has_the_exit_code_of_the_contract():
    assert DataError("x").exit_code == 1
    assert ParameterError("x").exit_code == 1
    assert NotebookError("x", notebook="03_bookings").exit_code == 3
    assert MachineError("x").exit_code == 4


def test_a_notebook_error_names_notebook_cell_and_page():
    error = NotebookError("KeyError: 'x'", notebook="03_bookings", cell=4, partial="reports/failed/03.html")
    assert str(error) == "03_bookings, cell 4: KeyError: 'x'\n  the page as far as it came: reports/failed/03.html"


def test_the_nearest_name_or_all_of_them():
    assert nearest("pipelin", ["pipeline", "ets"]) == "did you mean 'pipeline'?"
    assert nearest("xyz", ["pipeline", "ets"]) == "known: ets, pipeline"
    assert nearest("xyz", []) == "none is known"
