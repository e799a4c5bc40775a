"""The public functions: their examples run, and their reference is what their docstrings say."""

from __future__ import annotations

import doctest
import inspect

import pytest

import forecast
from api import reference
from forecast.models.registry import MODELS

WITHOUT = {"Log", "Company"}
"""Records that nobody makes by hand; `read` shows them."""


LONG = {
    "backtest_by_level",
    "deal_track",
    "second_opinion",
    "what_if",
    "changes_forecast",
    "forecast_by_level",
    "planning_effect",
}
"""Examples that take seconds."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in forecast.__all__ if name not in WITHOUT],
)
def test_its_example_runs(name, root, monkeypatch):
    monkeypatch.chdir(root)
    text = inspect.getdoc(getattr(forecast, name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert example.examples, f"forecast.{name} has no example"
    assert not any(doctest.SKIP in each.options for each in example.examples), (
        f"an example of forecast.{name} is skipped"
    )
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


def test_the_reference_is_up_to_date(root):
    written = (root / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python tools/api.py > docs/api.md"


def test_the_reference_names_every_function_and_model():
    text = reference()
    for name in forecast.__all__:
        assert f"### {name}\n" in text
    for name in MODELS:
        assert f"`{name}`" in text
