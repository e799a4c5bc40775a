"""What is said of what the forecast reckons with: by hand, nothing where all is small, and no more than is there."""

from __future__ import annotations

import pandas as pd

from forecast import sources
from forecast.data.schema import TOTAL
from forecast.models.pipeline.followed import (
    CREATED,
    DEALS,
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
from forecast.reporting.pages.bookings.followed import LEAD, NO_VERDICT, NOTHING, followed_notes, followed_sentences
from forecast.reporting.pages.bookings.levels import NO_CHANGE
from forecast.wording import THIN as T

QUIET = pd.DataFrame([{"segment": TOTAL, "kind": "fewer", "alarm": False, "moved": 0.01}])
NAN = float("nan")


def table(*rows: dict[str, object]) -> pd.DataFrame:
    blank = {"name": TOTAL, "period": "", "of": WINS, "change": NAN, "share": NAN, "rest": NAN, "deals": 200}
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
    small += [{"kind": SEASON, "change": 0.5, "rest": 0.12, "period": "2026-12"}]
    small += [{"kind": KEPT, "name": "type: existing", "share": 0.59, "rest": 0.1}]
    small += [*both(EVENT, "campaign", 0.03, 0.0, period="2026-12"), *both(SOURCE, "Content", 0.01, 0.0)]
    small += [{"kind": TO_COME, "name": "segment: Alps", "change": 0.1}]
    small += [{"kind": CREATED, "name": "source: Content", "of": DEALS, "change": 0.7}]
    assert told(*small) == []
    notes = repr(followed_notes(table(*small), QUIET))
    assert notes.startswith(NOTHING)
    assert f"in each segment: {NO_CHANGE}." in notes
    assert followed_sentences(table().iloc[:0]) == []


def test_a_level_and_the_segments_that_differ():
    rows = both(LEVEL, TOTAL, -0.47, 0.24)
    for name, wins in (("Alps", -0.5), ("Benelux", -0.48), ("Isles", -0.2)):
        rows += both(LEVEL, name, wins, 0.002)
    assert told(*rows) == [
        "All open deals, going by the last months: in a month 47 % fewer wins, 24 % more losses, compared with what "
        "earlier years would give.",
        "Open deals in Isles, going by the last months: in a month 20 % fewer wins, losses "
        "unchanged, compared with what earlier years would give.",
    ]


def test_joint_planning_names_who_began_and_when():
    rows = both(PLANNED, "Alps", 0.11, 0.02, period="2024-02") + both(PLANNED, "Isles", 0.09, -0.02, period="2024-08")
    assert told(*rows) == [
        "Joint planning (Alps since February 2024 and Isles since August 2024): in a month 9–11 % more wins, 2 % "
        f"fewer losses to 2 % more losses, compared with the same deals without it. {NO_VERDICT}."
    ]
    notes = repr(followed_notes(table(*rows), QUIET))
    assert notes.startswith(LEAD)


def test_months_close_dates_events_and_new_deals():
    rows: list[dict[str, object]] = [
        {"kind": SEASON, "change": 0.3, "rest": 0.2, "period": "2026-12"},
        {"kind": SEASON, "change": -0.2, "rest": 0.0, "period": "2027-01"},
        {"kind": KEPT, "name": "lead_source: Renewal", "share": 0.9, "rest": 0.12, "deals": 208},
        {"kind": KEPT, "name": "type: new", "share": 0.1, "rest": 0.6},
        {"kind": TO_COME, "name": "source: Content", "change": -0.36},
        {"kind": CREATED, "name": "source: Content", "of": DEALS, "change": 1.11},
    ]
    rows += both(EVENT, "campaign", 0.4, 0.0, period="2026-12") + both(EVENT, "campaign", 0.4, 0.0, period="2027-01")
    assert told(*rows) == [
        "The season: 30 % more wins in December 2026 and 20 % fewer wins in January 2027, of as many open deals and "
        "compared with an average month.",
        "Close dates hold for lead source Renewal: of 208 open deals due in the months ahead 90 % are expected to be "
        "won in the month they are due, of the others 12 %.",
        "Events, campaign (December 2026 to January 2027): in a month 40 % more wins, losses unchanged, compared "
        "with the same months without.",
        "As recorded: 111 % more deals were created a month from Content in the last three months than in the twelve "
        "before.",
        "Deals still to be created from Content: 36 % fewer wins, going by the deals of the last "
        "three months, compared with as many deals of the last three years.",
    ]
