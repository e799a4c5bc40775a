"""What is said of what the forecast reckons with: by hand, nothing where all is small, and no more than is there."""

from __future__ import annotations

import pandas as pd

from forecast import sources
from forecast.data.schema import TOTAL
from forecast.models.pipeline.followed import (
    EVENT,
    FOLLOWED_COLUMNS,
    KEPT,
    LEVEL,
    LOSSES,
    PLANNED,
    SEASON,
    SOURCE,
    TO_COME,
    WINS,
)
from forecast.reporting.pages.bookings.followed import LEAD, NO_CLAIM, NOTHING, followed_notes, followed_sentences
from forecast.wording import THIN as T


def table(*rows: dict[str, object]) -> pd.DataFrame:
    blank = {"name": TOTAL, "period": "", "of": WINS, "change": float("nan"), "share": float("nan"), "deals": 200}
    made = pd.DataFrame([blank | row for row in rows], columns=list(FOLLOWED_COLUMNS))
    return sources.of_file(made, "followed")


def told(*rows: dict[str, object]) -> list[str]:
    return [sources.plain(sentence).replace(T, " ") for sentence in followed_sentences(table(*rows))]


def both(kind: str, name: str, wins: float, losses: float, **more: object) -> list[dict[str, object]]:
    return [
        {"kind": kind, "name": name, "of": of, "change": change, **more}
        for of, change in ((WINS, wins), (LOSSES, losses))
    ]


def test_nothing_is_told_of_what_is_small():
    small = [*both(LEVEL, TOTAL, -0.04, 0.03), *both(PLANNED, "Alps", -0.06, 0.05, period="2025-03")]
    small += [{"kind": SEASON, "change": 0.12, "period": "2026-12"}, {"kind": KEPT, "share": 0.2}]
    small += [*both(EVENT, "campaign", 0.03, 0.0, period="2026-12"), *both(SOURCE, "Content", 0.01, 0.0)]
    assert told(*small) == []
    notes = followed_notes(table(*small))
    assert NOTHING in repr(notes)
    assert followed_sentences(table().iloc[:0]) == []


def test_a_level_and_the_segments_that_differ():
    rows = both(LEVEL, TOTAL, -0.47, 0.24)
    for name, wins in (("Alps", -0.5), ("Benelux", -0.48), ("Isles", -0.2)):
        rows += both(LEVEL, name, wins, 0.2)
    assert told(*rows) == [
        "The level of all deals, as the last months show it: wins down by 47 %, losses up by 24 % a month, compared "
        "with what the years before would give.",
        "In Isles, all told, wins down by 20 %, losses up by 20 %.",
    ]


def test_joint_planning_names_who_began_and_when():
    rows = both(PLANNED, "Alps", 0.11, 0.22, period="2024-02") + both(PLANNED, "Isles", 0.09, 0.22, period="2024-08")
    assert told(*rows) == [
        "Joint planning (Alps since February 2024 and Isles since August 2024): wins up by 9 % to up by 11 %, losses "
        "up by 22 % a month, compared with the same deals without it."
    ]
    notes = followed_notes(table(*rows))
    assert repr(notes).startswith(LEAD)
    assert repr(notes).endswith(NO_CLAIM)


def test_months_close_dates_and_events():
    rows: list[dict[str, object]] = [
        {"kind": SEASON, "change": 0.3, "period": "2026-12"},
        {"kind": SEASON, "change": -0.2, "period": "2027-01"},
        {"kind": KEPT, "share": 0.26},
        {"kind": KEPT, "name": "lead_source: Renewal", "share": 0.9, "deals": 208},
        {"kind": KEPT, "name": "type: new", "share": 0.1},
    ]
    rows += both(EVENT, "campaign", 0.4, 0.0, period="2026-12") + both(EVENT, "campaign", 0.4, 0.0, period="2027-01")
    rows += [{"kind": TO_COME, "name": "source: Content", "change": -0.36}]
    rows += [{"kind": TO_COME, "name": "segment: Alps", "change": 0.1}]
    assert told(*rows) == [
        "The month of the year, beside its place in the quarter: wins of December 2026 up by 30 % and January 2027 "
        "down by 20 %, compared with an average month.",
        "Close dates that are kept (lead source Renewal): of 208 open deals due in the months ahead 90 % are expected "
        "to be won in just that month; of all that are due 26 %.",
        "Events, campaign (December 2026 to January 2027): the odds of wins up by 40 %, losses as many.",
        "Deals not yet created (source Content): wins down by 36 %, as the youngest deals show, compared with those of "
        "the last three years.",
    ]
