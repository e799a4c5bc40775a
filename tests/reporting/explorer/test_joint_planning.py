"""The lever of joint planning: when it is offered, and that it moves the range alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.data.schema import QUANTILE_COLUMNS, TOTAL
from forecast.models.pipeline.components import Components
from forecast.reporting.explorer import sentences as explorer_sentences
from forecast.reporting.explorer.levers import joint_planning
from forecast.reporting.explorer.scenario import Base, Levers, ranges_differ, scenario
from forecast.reporting.explorer.sentences import NOT_LOOKED

SEGMENTS = ("East", "North", "South")


def row(verdict: str, change: float = -0.3) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "verdict": verdict,
                "relative_change": change,
                "interval_low": -0.5,
                "interval_high": -0.1 if change < 0 else np.inf,
                "answer": f"The verdict is {verdict} <b>",
            }
        ]
    )


def snap(**begun: str | None) -> SimpleNamespace:
    """What the lever asks of a snapshot; North began, South has not."""
    days = begun or {"North": "2026-01-01", "South": None}
    table = pd.DataFrame({"segment": list(days), "adopted_on": pd.to_datetime(list(days.values()))})
    return SimpleNamespace(joint_planning=table, as_of=pd.Timestamp("2026-03-31"))


@pytest.mark.parametrize("verdict", ["no detectable change", "not identified", "something else"])
def test_it_is_not_offered_without_a_change(verdict: str):
    lever = joint_planning(row(verdict), snap(), SEGMENTS)
    assert not lever.offered
    assert lever.sentence == f"Not offered. The verdict is {verdict} <b>."
    assert (lever.width == 1).all()


def test_it_is_not_offered_where_nobody_looked_or_everybody_began():
    assert joint_planning(None, snap(), SEGMENTS).sentence == NOT_LOOKED
    assert joint_planning(row("improved").iloc[:0], snap(), SEGMENTS).sentence == NOT_LOOKED
    assert not joint_planning(row("improved", np.nan), snap(), SEGMENTS).offered
    everybody = snap(East="2025-01-01", North="2025-01-01", South="2026-03-31")
    lever = joint_planning(row("improved"), everybody, SEGMENTS)
    assert (lever.offered, lever.sentence) == (False, "Not offered: every segment plans jointly already.")


@pytest.mark.parametrize(
    ("change", "verdict", "said"), [(-0.3, "improved", "30\u202f% narrower"), (0.2, "worsened", "20\u202f% wider")]
)
def test_it_is_offered_to_those_who_have_not_begun(change: float, verdict: str, said: str):
    lever = joint_planning(row(verdict, change), snap(), SEGMENTS)
    assert lever.offered
    assert lever.width == pytest.approx([1 + change, 1.0, 1 + change])
    assert said in lever.sentence
    assert "East and South" in lever.sentence
    assert "that is assumed" in lever.sentence
    assert "Bookings do not move" in lever.sentence


def test_the_width_is_that_of_the_mean_error_and_so_is_the_sentence():
    # The number to read is the change of the mean error; that of the test may be another.
    both = row("improved", -0.3).assign(mean_change=-0.2, mean_interval_low=-0.4, mean_interval_high=-0.002)
    lever = joint_planning(both, snap(), SEGMENTS)
    assert lever.width == pytest.approx([0.8, 1.0, 0.8])
    assert "fell by 20\u202f%" in lever.sentence
    assert "interval −40\u202f% to −0.2\u202f%" in lever.sentence
    assert "30\u202f%" not in lever.sentence


def test_without_the_table_nobody_began():
    bare = SimpleNamespace(joint_planning=None, as_of=pd.Timestamp("2026-03-31"))
    assert joint_planning(row("improved"), bare, SEGMENTS).width == pytest.approx([0.7] * 3)


def three_segments() -> Base:
    """Three segments, two steps; something is booked, so that a wide range meets its floor."""
    n = 12
    parts = Components(
        ids=np.array([f"D{i}" for i in range(n)], dtype=object),
        segment=np.arange(n) % 3,
        chance=np.full((n, 2), 0.3),
        won_before=np.zeros(n),
        value=np.linspace(50, 600, n)[:, None] * np.ones(2),
        booked=np.array([[100.0, 0.0], [0.0, 0.0], [50.0, 10.0]]),
        wins=np.full((3, 2), 2.0),
        new=np.full((3, 2), 90.0),
        marketed=np.zeros((3, 2)),
        pool=np.array([20.0, 40.0, 60.0]),
        ratios=np.array([0.8, 1.2]),
        common=np.full(2, 0.02),
        own=np.full(2, 0.03),
    )
    return Base(parts=parts, periods=np.array([24315, 24316]), segments=SEGMENTS, seed=0)


BASE = three_segments()


@settings(max_examples=20, deadline=None)
@given(change=st.floats(-1, 1.5))
def test_the_width_moves_by_the_change_and_nothing_else_does(change: float):
    table = scenario(BASE, Levers(), width=np.array([1 + change, 1.0, 1 + change])).table.set_index(
        ["segment", "period"]
    )
    assert table["scenario"].tolist() == table["base"].tolist()
    assert table["q50"].tolist() == pytest.approx(table["base_q50"].tolist())
    assert table.loc["North", "q90"].tolist() == pytest.approx(table.loc["North", "base_q90"].tolist())
    east = table.loc["East"]
    assert (east["q90"] - east["q50"]).tolist() == pytest.approx(
        ((1 + change) * (east["base_q90"] - east["base_q50"])).tolist()
    )
    assert (np.diff(table[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) >= -1e-9).all()
    assert (table.loc["East", "q2.5"].to_numpy() >= BASE.parts.booked[0] - 1e-9).all()  # never below what is booked
    wide = (table.loc[TOTAL, "q90"] - table.loc[TOTAL, "q10"]).to_numpy()
    was = (table.loc[TOTAL, "base_q90"] - table.loc[TOTAL, "base_q10"]).to_numpy()
    assert (wide <= was + 1e-9).all() if change <= -0.05 else True
    assert (wide >= was - 1e-9).all() if change >= 0.05 else True


def test_a_width_of_one_is_the_base():
    table = scenario(BASE, Levers(), width=np.ones(3)).table
    assert table["q10"].tolist() == table["base_q10"].tolist()
    assert not ranges_differ(table)


def test_the_finding_does_not_say_that_nothing_moved(sample):
    import forecast

    company = forecast.read(sample).company
    table = scenario(BASE, Levers(), width=np.array([0.5, 1.0, 0.5])).table
    said = explorer_sentences.finding(table, segment=TOTAL, company=company)
    assert said.startswith("No lever that moves bookings is moved")
    north = explorer_sentences.finding(table, segment="North", company=company)
    assert north.startswith("No lever is moved")
