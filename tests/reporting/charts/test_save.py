"""A chart as a file for a slide: with its words, the same every time, and the chart itself as it was."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from forecast.errors import MachineError, ParameterError
from forecast.reporting.charts.figure import Chart


@pytest.fixture
def chart() -> Chart:
    figure = Figure(figsize=(6, 3))
    figure.add_subplot().plot([1, 2, 3], [3, 1, 2])
    return Chart(
        figure=figure,
        title="Bookings fell, and then they rose again, which takes more than one line of a slide to say in full",
        subtitle="€ million, all segments",
        description="A line.",
        table=pd.DataFrame({"a": [1]}),
        source="Source: Tiny, as known on 31 March 2026.",
    )


def test_a_file_has_title_unit_and_source(chart, tmp_path):
    chart.save(tmp_path / "slide.svg")
    from forecast.reporting.charts.style import drawing  # text stays text in SVG

    with drawing():
        text = (tmp_path / "slide.svg").read_text(encoding="utf-8")
    for words in ("Bookings fell,", "in full", "€ million, all segments", "as known on 31 March 2026."):
        assert words in text


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_chart_gives_the_same_bytes(chart, tmp_path, kind):
    chart.save(tmp_path / f"a.{kind}")
    chart.save(tmp_path / f"b.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    assert (tmp_path / f"a.{kind}").stat().st_size > 1000


def test_the_drawing_is_as_it_was(chart, tmp_path):
    before = chart.plots()[0].picture
    chart.save(tmp_path / "slide.png")
    assert chart.plots()[0].picture == before
    assert not chart.figure.texts


def test_nothing_of_the_words_is_cut(chart, tmp_path):
    from matplotlib.image import imread

    chart.save(tmp_path / "slide.png", dpi=100)
    picture = imread(tmp_path / "slide.png")[..., :3]
    edges = (picture[:10], picture[-10:], picture[:, :10], picture[:, -10:])
    assert all((edge > 0.98).all() for edge in edges)  # white all around, so that no word reaches the edge
    assert picture.shape[0] > 300


def test_what_cannot_be_written_is_told(chart, tmp_path):
    with pytest.raises(ParameterError, match=r"must end in \.png, \.svg, \.pdf"):
        chart.save(tmp_path / "slide.gif")
    with pytest.raises(MachineError, match="is not there; make it first"):
        chart.save(tmp_path / "nowhere" / "slide.png")
