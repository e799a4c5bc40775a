"""What is said of a change of the share won: nothing without an alarm; with one what, when, where and how sure."""

from __future__ import annotations

import pandas as pd

from forecast.data.schema import Company
from forecast.reporting.pages.bookings.levels import (
    CANNOT_TELL,
    FOLLOWED,
    HOW_SURE,
    NO_CHANGE,
    NOT_FOLLOWED,
    TOO_SHORT,
    changed_sentences,
    record_title,
)
from forecast.reporting.pages.bookings.levels_chart import prepare_won, share_won
from forecast.wording import THIN as T


def row(segment: str = "Total", **changed: object) -> dict[str, object]:
    told: dict[str, object] = {"segment": segment, "kind": "fewer", "alarm": True, "first": "2026-03", "n": 4}
    told |= {"closed": 1234, "share": 0.15, "low": 0.13, "high": 0.171, "expected_share": 0.27, "moved": 0.99}
    return told | {"segments": 8, "segments_side": 8} | changed


def test_without_an_alarm_nothing_is_said():
    assert changed_sentences(pd.DataFrame([row(alarm=False), row("Alps", alarm=False)])) == []
    assert changed_sentences(pd.DataFrame([row()]).iloc[:0]) == []


def test_what_when_where_and_how_sure():
    (text,) = changed_sentences(pd.DataFrame([row(), row("Alps")]))
    assert text.replace(T, " ") == (
        "Since March 2026 fewer deals are won in all eight segments: of the 1,234 deals that closed 15 % were won (95 "
        f"% interval 13 % to 17 %), where 27 % had been expected. {HOW_SURE} {FOLLOWED}"
    )


def test_some_segments_are_named_where_not_all_show_it():
    (text,) = changed_sentences(pd.DataFrame([row(segments_side=5), row("Alps")]))
    assert "in five of eight segments, by an alarm of its own in Alps," in text


def test_a_segment_alone():
    (text,) = changed_sentences(pd.DataFrame([row(alarm=False), row("Alps", kind="more", moved=0.2)]))
    assert "more deals are won in Alps:" in text
    assert text.endswith(NOT_FOLLOWED)


def test_a_change_that_fills_all_months_may_be_older():
    assert "Since March 2026 or before fewer" in changed_sentences(pd.DataFrame([row(n=12)]))[0]


def record(months: int = 30, *, since: int = 26) -> pd.DataFrame:
    """Return a table `levels` of the company, with half the share won from a month on."""
    labels = [str(period) for period in pd.period_range("2024-04", periods=months, freq="M")]
    share = [0.3 if at < since else 0.15 for at in range(months)]
    table = pd.DataFrame({"period": labels, "segment": "Total", "won": 30, "closed": 100, "share": share})
    return table.assign(expected_won=30.0, expected_closed=100.0, expected_share=0.3, low=0.24, high=0.36)


def test_the_picture_names_the_change_and_marks_its_months():
    found, page = pd.DataFrame([row(first="2026-06")]), {"company": Company(), "as_of": "2026-09-30"}
    won = prepare_won(record(), found, company=Company())
    assert won.rows["period"].tolist()[0] == "2024-10"
    assert won.changed.sum() == 4
    drawn = share_won(record(), found, **page)
    assert drawn.title.startswith("Since June 2026 fewer deals are won in all eight segments")
    assert drawn.description.endswith(f"In September 2026 15{T}% were won, 30{T}% had been expected.")


def test_the_picture_claims_nothing_without_an_alarm():
    page = {"company": Company(), "as_of": "2026-09-30"}
    still, moved = (pd.DataFrame([row(alarm=False, moved=p)]) for p in (0.01, 0.7))
    assert share_won(record(), still, **page).title == NO_CHANGE
    assert share_won(record(), moved, **page).title == CANNOT_TELL
    assert not prepare_won(record(), still, company=Company()).changed.any()
    assert record_title(pd.DataFrame([row(alarm=False, moved=0.01), row("Alps")])).endswith("there is one in Alps")


def test_too_short_a_record_has_no_picture():
    found = pd.DataFrame([row()]).iloc[:0]
    assert TOO_SHORT in repr(share_won(record(11), found, company=Company(), as_of="2026-09-30"))
