"""What page 05 says beside the verdict: right at none, one and many, and never louder than the numbers."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from forecast.evaluation.planning_outcomes import OUTCOMES
from forecast.reporting import plots, words_planning
from forecast.reporting.words import MINUS as M
from forecast.reporting.words import THIN as T

NAN = float("nan")


def row(verdict: str = "no detectable change", **more: object) -> dict[str, object]:
    told = {"verdict": verdict, "relative_change": -0.2, "interval_low": -0.46, "interval_high": 0.14, "n_segments": 8}
    return told | {"detectable_change": NAN, "detectable_twice": NAN, "decided_by": ""} | more


@pytest.mark.parametrize(
    ("here", "twice", "title", "says"),
    [
        (
            -0.38,
            -0.27,
            f"A fall of 38{T}% or more would most likely have shown",
            f"twice as many segments one of 27{T}%",
        ),
        (-0.38, NAN, f"A fall of 38{T}% or more would most likely have shown", "More months"),
        (NAN, -0.27, f"No fall would have shown; with twice as many segments one of 27{T}%", "With twice as many"),
        (NAN, NAN, "No fall, however large, would have shown", "More months"),
    ],
)
def test_what_could_have_shown(here, twice, title, says):
    told = row(detectable_change=here, detectable_twice=twice)
    assert words_planning.power_finding(told) == title
    assert says in words_planning.detectable_sentence(told)
    assert says in words_planning.next_step(told)
    assert f"Everything between {M}46{T}% and +14{T}%" in words_planning.next_step(told)


def test_what_would_change_a_claim():
    steady = row("improved", left_out_low=-0.35, left_out_high=-0.2)
    assert f"No single segment decides it: without any one of them it lies between {M}35{T}% and {M}20{T}%." in (
        words_planning.next_step(steady)
    )
    assert words_planning.left_out_finding(steady) == f"Leaving out any one segment gives {M}35{T}% to {M}20{T}%"
    shaky = steady | {"decided_by": "North, South"}
    assert "without North or South the data would show no detectable change" in words_planning.next_step(shaky)
    assert words_planning.left_out_finding(shaky) == "The verdict hangs on North and South"
    # Where nothing is claimed, a segment without which it would be is no news for the page's first lines.
    assert "North" not in words_planning.next_step(row(decided_by="North", left_out_low=-0.3, left_out_high=0.1))
    assert words_planning.left_out_finding(row()) == "Whether one segment decides cannot be told"


def test_not_identified_says_what_would_identify():
    told = words_planning.next_step(row("not identified", detectable_twice=-0.3))
    assert "More segments that begin in different months" in told
    assert f"a fall of 30{T}% would show" in told
    assert "fall" not in words_planning.next_step(row("not identified"))


def others(*verdicts: str, change: float = 0.1) -> pd.DataFrame:
    known = [verdict != "not identified" for verdict in verdicts]
    return pd.DataFrame(
        {
            "outcome": OUTCOMES[: len(verdicts)],
            "before": 0.5,
            "after": 0.4,
            "change": [change if there else NAN for there in known],
            "interval_low": [-math.inf if not there else change - 0.1 for there in known],
            "interval_high": [math.inf if not there else change + 0.1 for there in known],
            "p_value": [0.01 if there else NAN for there in known],
            "p_holm": [0.02 if there else NAN for there in known],
            "verdict": verdicts,
            "reason": ["" if there else "no history" for there in known],
        }
    )


def test_the_other_outcomes():
    none = words_planning.others(others(*["no detectable change"] * 4))
    assert none[0] == "Nothing else changed that chance would not show."
    assert none[1].startswith("4 outcomes named in advance")
    one = words_planning.others(others("changed", "no detectable change", change=-0.11))
    assert one[0] == f"Something else changed: bias by {M}11 percentage points."
    lost = words_planning.others(others("not identified", "not identified"))
    assert lost[0] == "Cannot tell whether anything else changed."
    assert lost[1] == "Bias cannot be told (no history); interval coverage cannot be told (no history)."
    assert "changed by" not in lost[0]
    shown = words_planning.others_shown(others("changed", "not identified"))
    assert shown["interval"].tolist() == ["0 to +20", "cannot tell"]
    assert shown["change"].tolist() == ["+10", "–"]
    html = plots.planning_others(others("changed", "not identified"))._repr_html_()
    assert "nan" not in html
    assert "inf" not in html.replace("info", "")


def worth(**more: object) -> pd.DataFrame:
    told = {"when": ["before", "after"], "n": [40, 30], "wape_without": [0.5, 0.4], "wape_with": [0.49, 0.3]}
    return pd.DataFrame(told | {"added": [0.01, 0.1], "p_value": [0.4, 0.01], "p_holm": [0.4, 0.02]} | more)


def test_what_marketing_was_worth():
    first, more = words_planning.information(worth())
    assert first == "Knowing marketing changed the model’s miss: 10 percentage points off since the start."
    assert f"by 50{T}% without and 49{T}% with it before the start" in more
    assert "no effect of planning together" in more
    first, _ = words_planning.information(worth(added=[0.01, -0.1]))
    assert "10 percentage points more since the start" in first
    first, _ = words_planning.information(worth(p_holm=[0.4, NAN]))
    assert first == "Knowing marketing made no difference to the model that chance would not show."
    assert words_planning.information(worth().iloc[:0])[0].startswith("Cannot tell")
    assert words_planning.information_shown(worth())["added"].tolist() == ["+1.0", "+10.0"]
    assert "nan" not in plots.planning_information(worth(p_holm=[0.4, NAN]))._repr_html_()


@pytest.mark.parametrize(
    ("p", "said"), [(1.0, f"100{T}%"), (0.8, f"80{T}%"), (0.001, f"less than 1{T}%"), (NAN, "unknown")]
)
def test_chance_alone(p, said):
    assert words_planning.by_chance(p) == said
