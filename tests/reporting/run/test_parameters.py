"""Parameters of notebooks: read without running, checked before a kernel starts."""

from __future__ import annotations

import datetime as dt
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import ParameterError
from forecast.reporting.run.parameters import Parameter, cell_parameters, check_parameters, notebook_parameters

CELL = '''\
"""What may be changed."""
# a comment of its own
data: str = "data/sample"  # folder of tables
as_of: str = "2026-10-31"  # the day whose knowledge is used
months: int = 6  # how many months ahead; allowed: 1 to 12
share: float = 0.8  # width of the range; allowed: 0.5 to 0.99
model: str = "pipeline"  # which forecaster; allowed: pipeline, ets, empty
quarters: bool = True  # show quarters
segments: list[str] = []  # only these; empty = all
lags = [0, 1, 2]  # months of lag
spend: float = 0  # more or less spend; allowed: 0 or more
'''


@pytest.fixture
def parameters() -> list[Parameter]:
    return cell_parameters(CELL, where="03_bookings")


def test_a_cell_is_read(parameters):
    found = {parameter.name: (parameter.type, parameter.default, parameter.meaning) for parameter in parameters}
    assert found == {
        "data": ("str", "data/sample", "folder of tables"),
        "as_of": ("date", "2026-10-31", "the day whose knowledge is used"),
        "months": ("int", 6, "how many months ahead"),
        "share": ("float", 0.8, "width of the range"),
        "model": ("str", "pipeline", "which forecaster"),
        "quarters": ("bool", True, "show quarters"),
        "segments": ("list[str]", [], "only these; empty = all"),
        "lags": ("list[int]", [0, 1, 2], "months of lag"),
        "spend": ("float", 0, "more or less spend"),
    }
    by_name = {parameter.name: parameter for parameter in parameters}
    assert (by_name["months"].low, by_name["months"].high) == (1, 12)
    assert by_name["spend"].low == 0
    assert math.isinf(by_name["spend"].high)
    assert by_name["model"].choices == ("pipeline", "ets", "")
    assert by_name["months"].allowed == "1 to 12"


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("months", "3", 3),
        ("months", 3.0, 3),
        ("share", "0.9", 0.9),
        ("share", "5e-1", 0.5),
        ("model", "ets", "ets"),
        ("model", "", ""),
        ("quarters", "false", False),
        ("quarters", "Yes", True),
        ("as_of", "2026-10", "2026-10"),
        ("as_of", "2028-02-29", "2028-02-29"),
        ("as_of", dt.date(2026, 10, 1), "2026-10-01"),  # what YAML makes of a day
        ("as_of", dt.datetime(2026, 10, 1), "2026-10-01"),
        ("segments", "North, South", ["North", "South"]),
        ("segments", ["North"], ["North"]),
        ("lags", "0,3", [0, 3]),
        ("data", "01", "01"),
    ],
)
def test_right_values_are_typed(parameters, name, value, typed):
    out = check_parameters({name: value}, parameters)[name]
    assert out == typed
    assert type(out) is type(typed)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("month", 3, "03_bookings: there is no parameter 'month'; did you mean 'months'?"),
        ("zzz", 3, "there is no parameter 'zzz'; known: as_of, data"),
        ("months", "3.5", "months: '3.5' is not a whole number"),
        ("months", 3.5, "months: 3.5 is not a whole number"),
        ("months", True, "months: True is not a whole number"),
        ("months", "0", "months: '0' is out of range; allowed: 1 to 12"),
        ("months", 13, "months: 13 is out of range; allowed: 1 to 12"),
        ("months", None, "months: None is not a whole number"),
        ("share", "nan", "share: 'nan' is not a number"),
        ("share", "inf", "share: 'inf' is not a number"),
        ("spend", -1, "spend: -1 is out of range; allowed: 0 or more"),
        ("model", "pipelin", "model: 'pipelin' is not one of pipeline, ets, empty; did you mean 'pipeline'?"),
        ("model", 3, "model: 3 is not text; put it in quotes"),
        ("quarters", "perhaps", "quarters: 'perhaps' is not true or false"),
        ("as_of", 202610, "as_of: 202610 is not a date; write a day such as 2026-10-31 or a month such as 2026-10"),
        ("as_of", "2026-02-30", "as_of: '2026-02-30' is not a date"),
        ("as_of", "2026-13", "as_of: '2026-13' is not a date"),
        ("as_of", "31.10.2026", "as_of: '31.10.2026' is not a date"),
        ("as_of", "", "as_of: '' is not a date"),
        ("as_of", dt.datetime(2026, 10, 1, 12), "as_of: datetime.datetime(2026, 10, 1, 12, 0) is not a date"),
        ("segments", 3, "segments: 3 is not a list of text"),
        ("lags", "0,x", "lags: 'x' is not a whole number"),
    ],
)
def test_wrong_values_are_refused(parameters, name, value, said):
    with pytest.raises(ParameterError) as error:
        check_parameters({name: value}, parameters, where="03_bookings")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("months = 2 * 3", "months is not a plain literal"),
        ("import os", "may hold only lines such as"),
        ("months: int = ", "is not Python"),
        ("months: dict = {}", "known types"),
        ("months: int = 13  # x; allowed: 1 to 12", "months: 13 is out of range"),
        ("months: int = 'six'", "months: 'six' is not a whole number"),
        ("model: str = 'a'  # x; allowed: b, c", "model: 'a' is not one of b, c"),
    ],
)
def test_a_wrong_cell_is_told(source, said):
    with pytest.raises(ParameterError, match="nb: ") as error:
        cell_parameters(source, where="nb")
    assert said in str(error.value)


def test_nothing_is_executed(tmp_path):
    with pytest.raises(ParameterError):
        cell_parameters(f"x = open({str(tmp_path / 'made')!r}, 'w')")
    assert not (tmp_path / "made").exists()


@given(st.integers(-(10**6), 10**6))
def test_a_range_lets_through_what_is_in_it(number):
    parameter = cell_parameters("n: int = 0  # x; allowed: -500 to 500")
    if -500 <= number <= 500:
        assert check_parameters({"n": str(number)}, parameter) == {"n": number}
    else:
        with pytest.raises(ParameterError):
            check_parameters({"n": str(number)}, parameter)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_but_never_breaks(text):
    parameters = cell_parameters(CELL)
    for parameter in parameters:
        try:
            typed = check_parameters({parameter.name: text}, parameters)[parameter.name]
        except ParameterError:
            continue
        assert check_parameters({parameter.name: typed}, parameters) == {parameter.name: typed}


def test_notebook_files(tmp_path):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# x"]},
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": ["a: int = 1  # first\n", "b = 'x'"]},
    ]
    file = tmp_path / "n.ipynb"
    file.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert [parameter.name for parameter in notebook_parameters(file)] == ["a", "b"]
    file.write_text(json.dumps({"cells": cells[:1]}), encoding="utf-8")
    assert notebook_parameters(file) == []
    with pytest.raises(ParameterError, match="there is no such notebook"):
        notebook_parameters(tmp_path / "other.ipynb")
    file.write_text("no notebook", encoding="utf-8")
    with pytest.raises(ParameterError, match="not a notebook"):
        notebook_parameters(file)


def test_the_projects_notebooks_declare_what_the_report_passes(root):
    files = sorted((root / "notebooks").glob("*.ipynb"))
    if not files:
        pytest.fail("there are no notebooks")
    for file in files:
        found = {parameter.name: parameter for parameter in notebook_parameters(file)}
        assert {"data", "as_of"} <= set(found), file.name
        assert found["as_of"].type == "date"
        assert found["tables"].default == ""
        assert all(parameter.meaning for parameter in found.values()), file.name
