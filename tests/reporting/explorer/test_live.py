"""Controls beside a picture: the picture follows them, is grey meanwhile, and is a picture where no widget lives."""

from __future__ import annotations

import pytest

from forecast.errors import DataError, ParameterError
from forecast.reporting.charts.figure import Statement
from forecast.reporting.explorer.live import Live

WIDGET = "application/vnd.jupyter.widget-view+json"


def drawn(name: str) -> Statement:
    if name == "thin":
        raise DataError("too few deals", mend="bring more")
    return Statement(f"This is {name}")


@pytest.fixture
def live() -> Live:
    return Live("Segment", ["Total", "East", "thin"], value="East", draw=drawn)


def test_it_is_a_picture_and_a_widget(live):
    bundle = live._repr_mimebundle_()
    assert "This is East" in bundle["text/html"]
    assert bundle["text/plain"] == "Segment: East"
    assert WIDGET in bundle
    assert "This is East" in live._repr_html_()


def test_the_picture_follows_the_control_and_is_grey_meanwhile(live):
    seen = []
    live.widget  # noqa: B018
    draw = live._draw
    live._draw = lambda name: (seen.append(live.picture._dom_classes), draw(name))[1]
    live.controls[0].value = "Total"
    assert "This is Total" in live.picture.value
    assert "forecast-busy" in seen[0]
    assert "forecast-busy" not in live.picture._dom_classes


def test_what_cannot_be_drawn_is_told_in_the_picture(live):
    live.widget  # noqa: B018
    live.controls[0].value = "thin"
    assert "too few deals" in live.picture.value
    live.controls[0].value = "East"
    assert "This is East" in live.picture.value


def test_options_may_have_names():
    live = Live("Months", {"1 ahead": 1, "2 ahead": 2}, value=2, draw=lambda ahead: Statement(f"{ahead} months"))
    assert "2 months" in live._repr_html_()
    live.widget  # noqa: B018
    assert dict(live.controls[0].options) == {"1 ahead": 1, "2 ahead": 2}


def test_a_value_that_is_none_of_them_is_refused():
    with pytest.raises(ParameterError, match="did you mean 'East'"):
        Live("Segment", ["Total", "East"], value="Eest", draw=drawn)


def test_two_choices_are_drawn_together():
    choices = {"Segment": ["Total", "East"], "Months": {"1 ahead": 1, "2 ahead": 2}}
    drawn: list[tuple[str, int]] = []
    live = Live(choices, value=("East", 1), draw=lambda *both: (drawn.append(both), Statement(f"{both}"))[1])
    assert live._repr_mimebundle_()["text/plain"] == "Segment: East, Months: 1"
    live.controls[1].value = 2
    live.controls[0].value = "Total"
    assert drawn == [("East", 1), ("East", 2), ("Total", 2)]
    assert live.values == ("Total", 2)
    assert "Total" in live.picture.value


def test_each_choice_needs_a_value_of_its_own():
    choices = {"Segment": ["Total", "East"], "Months": {"1 ahead": 1}}
    with pytest.raises(ParameterError, match="1 for 2 choices"):
        Live(choices, value=("East",), draw=drawn)
    with pytest.raises(ParameterError, match="months: 7 is none of them"):
        Live(choices, value=("East", 7), draw=drawn)
