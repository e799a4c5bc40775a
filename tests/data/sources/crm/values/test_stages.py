"""What a stage's name says, what it does not say, and what is refused."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.sources.crm.values.stages import (
    NONE_CLOSED_AT_MOST,
    decide,
    none_closed,
    outcome_of_name,
    outcomes,
    outcomes_of_names,
    refuse_long_overdue,
)
from forecast.errors import DataError

WON = """Closed Won; closedwon; ClosedWon; Won; WON; 6 - Closed/Won; 06. Closed Won; Closed-Won
Closed Won (Sales Pipeline); Closed Won (Lost Customers); Closed (Won); Deal won; Closed Won - EMEA
Closed Win; Gewonnen; Abgeschlossen - gewonnen; Gagné; Fermée gagnée; Cerrada ganada; Ganado; Chiusa vinta
Fechado ganho; Stängd vunnen; Voitettu; 受注; Stage 7 (Won); 100% - Won; Won - renewal; Выиграна"""
LOST = """Closed Lost; closedlost; Lost; 7 - Closed Lost; Closed-Lost (Sales Pipeline); Deal Lost; Verloren; Perdu
Perdido; Fermé perdu; Chiuso perso; Lost to competitor; Closed Lost - not interested; Lost - no budget
Disqualified; Closed - Disqualified; Abandoned; Dead; Dead deal; No decision; Closed: No Decision; Cancelled
Canceled by customer; Withdrawn; Rejected; No bid; 失注; Przegrana; 0% Lost"""
OPEN = """Prospecting; Qualification; Needs Analysis; Value Proposition; Id. Decision Makers; No decision maker yet
Proposal/Price Quote; Negotiation/Review; Contract Sent; Appointment Scheduled; Closing; Ready to close
Verbal agreement; Demo completed; NDA signed; Proposal accepted; Meeting cancelled; Demo declined; Win plan
On hold; Go / No go; Commit; Angebot; Offre envoyée; Qualified to buy; Proposal (Lost Customers)
Presentation Scheduled (Won back); 3; Deadline set"""
UNCLEAR = """Signed; Contract signed; Closed; Completed; Done; 5. Delivered; Paid; Closed/Renewed; Won/Lost
Verbally won; Not won; Won - pending signature; Abgeschlossen; Vertrag unterschrieben; Cerrado; Sold
Closed (Sales Pipeline); Order received; To be won; Lost contact; Signed (Lost Customers); Archived; 100%
90284257"""


def _names(text: str) -> list[str]:
    return [name.strip() for line in text.splitlines() for name in line.split(";")]


@pytest.mark.parametrize(("names", "outcome"), [(WON, "won"), (LOST, "lost"), (OPEN, "open"), (UNCLEAR, None)], ids=str)
def test_what_names_say(names: str, outcome: str | None):
    said = {name: outcome_of_name(name) for name in _names(names)}
    assert {name: got for name, got in said.items() if got != outcome} == {}


@given(st.text(max_size=40))
def test_any_text_has_an_answer_that_case_does_not_change(name: str):
    assert outcome_of_name(name) in ("open", "won", "lost", None)


@given(st.sampled_from(_names(WON) + _names(LOST)), st.integers(0, 99), st.sampled_from([". ", " - ", ") ", ": "]))
def test_numbering_and_a_pipeline_in_brackets_change_nothing(name: str, number: int, sign: str):
    assert outcome_of_name(f"{number}{sign}{name}") == outcome_of_name(name)
    assert outcome_of_name(f"{name} (Some Pipeline)") == outcome_of_name(name)


def test_the_crm_comes_before_the_mapping_and_the_mapping_before_the_name():
    stage = pd.Series(["Closed Won", "Signed", "Offer", None, "Lost"], dtype="str")
    got = outcomes(stage, declared={"Closed Won": "lost"}, mapped={"Closed Won": "open", "Signed": "won"})
    assert list(got) == ["lost", "won", "open", "open", "lost"]
    assert list(outcomes_of_names(stage).fillna("?")) == ["won", "?", "open", "?", "lost"]


def _decide(names: list[str], mapped: dict[str, str] | None = None, probability: list[float] | None = None):
    notes: list[str] = []
    chances = None if probability is None else pd.Series(probability)
    stage = pd.Series(names, dtype="str")
    outcome = decide(
        stage,
        declared={},
        mapped=mapped or {},
        table="O.csv",
        column="StageName",
        notes=notes,
        open_by_name=set(),
        probability=chances,
    )
    return list(outcome), notes


def test_stages_open_by_their_name_alone_are_told_apart():
    open_by_name: set[str] = set()
    stage = pd.Series(["Gone", "Offer", "Won", None, "Talks"], dtype="str")
    decide(
        stage,
        declared={"Talks": "open"},
        mapped={"Offer": "open"},
        table="O.csv",
        column="StageName",
        notes=[],
        open_by_name=open_by_name,
    )
    assert open_by_name == {"Gone"}


def _dated(**days_late: list[int]) -> pd.DataFrame:
    """Return open deals by stage, each so many days past its close date on 2026-10-31 (negative: still to come)."""
    rows = [(stage, pd.Timestamp("2026-10-31") - pd.Timedelta(days=n)) for stage, all in days_late.items() for n in all]
    return pd.DataFrame(rows, columns=["stage", "expected_close_on"]).assign(outcome="open")


LONG_AGO, TO_COME = [91] * 95 + [30] * 5, [-30] * 60


@pytest.mark.parametrize(
    ("deals", "by_name", "refused"),
    [
        (_dated(Gone=LONG_AGO, Offer=TO_COME), {"Gone", "Offer"}, True),
        (_dated(Gone=LONG_AGO), {"Gone"}, True),  # and no other open deal at all
        (_dated(Gone=LONG_AGO, Offer=TO_COME), {"Offer"}, False),  # the CRM says that it is open
        (_dated(Gone=[90] * 95 + [30] * 5, Offer=TO_COME), {"Gone", "Offer"}, False),  # not long ago
        (_dated(Gone=[91] * 94 + [30] * 6, Offer=TO_COME), {"Gone", "Offer"}, False),  # not nearly all
        (_dated(Gone=[91] * 49, Offer=TO_COME), {"Gone", "Offer"}, False),  # few
        (_dated(Gone=LONG_AGO, Offer=[91] * 51 + [-30] * 49), {"Gone", "Offer"}, False),  # nobody keeps dates
        (_dated(Gone=LONG_AGO).assign(outcome="lost"), {"Gone"}, False),
        (_dated(Gone=LONG_AGO).assign(expected_close_on=pd.NaT), {"Gone"}, False),
    ],
)
def test_a_stage_open_by_its_name_whose_deals_are_long_overdue_is_refused(deals, by_name, refused):
    before = deals.copy()
    end = pd.Timestamp("2026-10-31")
    if refused:
        with pytest.raises(
            DataError, match=r"(?s)hold 100 deals that should have closed long ago.*'Gone' \(100 deals\)"
        ):
            refuse_long_overdue(deals, open_by_name=by_name, end=end, table="opportunities")
    else:
        refuse_long_overdue(deals, open_by_name=by_name, end=end, table="opportunities")
    pd.testing.assert_frame_equal(deals, before)


def test_names_decide_with_a_note_that_counts_the_open():
    outcome, notes = _decide(["1 - Qualify", "6 - Closed/Won", "7 - Closed Lost", "1 - Qualify"])
    assert outcome == ["open", "won", "lost", "open"]
    assert notes == [
        "what a stage means is taken from its name: won: '6 - Closed/Won' (1); lost: '7 - Closed Lost' (1); "
        "2 deals taken as open: '1 - Qualify' (2)"
    ]


def test_a_stage_that_looks_closed_is_refused_by_name_with_counts_and_the_mend():
    with pytest.raises(DataError) as refused:
        _decide(["1 - Qualify", "Signed", "Signed", "Closed", "6 - Closed/Won"])
    message = str(refused.value)
    assert (
        "O.csv.StageName: stages that look closed, or are mere identifiers, do not say what they mean; 3 deals"
        in message
    )
    assert "rows: 'Signed' (2 deals), 'Closed' (1 deal)" in message
    assert '"Signed" = "won" or "lost"' in message
    assert "--mapping FILE" in message


def test_a_mapping_mends_it():
    outcome, notes = _decide(["Signed", "Offer"], mapped={"Signed": "won", "Offer": "open"})
    assert (outcome, notes) == (["won", "open"], [])


def test_a_stage_at_100_per_cent_looks_closed_whatever_its_name():
    with pytest.raises(DataError, match=r"'Handover' \(2 deals\)"):
        _decide(["Handover", "Handover", "Offer"], probability=[1.0, 1.0, 0.5])
    assert _decide(["Handover", "Handover", "Offer"], probability=[1.0, 0.9, 0.5])[0] == ["open"] * 3


def test_no_closed_deal_among_many_is_refused_and_among_few_said():
    stage = pd.Series(["Offer"] * NONE_CLOSED_AT_MOST)
    (note,) = none_closed(pd.Series("open", index=stage.index), stage, table="O.csv")
    assert note.startswith("no deal is won or lost: all 50 are taken as open (stages: 'Offer' (50))")
    more = pd.Series(["Offer"] * 11_637)
    with pytest.raises(DataError, match="no deal is won or lost: all 11,637 are taken as open"):
        none_closed(pd.Series("open", index=more.index), more, table="O.csv")
    assert none_closed(pd.Series(["open", "won"]), pd.Series(["a", "b"]), table="O.csv") == []
