"""Close rates under every definition: by hand, where losses are never closed, and where it cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.schema import Log
from forecast.evaluation.scorecard.close_rates import (
    ALL_ENDED,
    BY,
    COHORT,
    COMMITS,
    DECIDED,
    NAIVE,
    PROPOSALS,
    RATES,
    WAYS,
    close_rates,
    definition_of,
)
from forecast.evaluation.scorecard.definition import Definition
from logs import log_of

AS_OF = "2026-01-31"
STAGES = pd.DataFrame(
    {
        "stage": ["Qualify", "Propose", "Won", "Lost"],
        "position": ["1", "2", "3", "4"],
        "outcome": ["open", "open", "won", "lost"],
        "is_proposal": ["false", "true", "false", "false"],
    }
)


def company(
    won: int,
    lost: int,
    left_open: int,
    *,
    first: str = "2024-02-01",
    span: int = 330,
    slowest: int = 150,
    seed: int = 1,
    columns: dict[str, list[str]] | None = None,
    history: pd.DataFrame | None = None,
) -> Log:
    """Return a company whose deals are created over `span` days and close within `slowest`."""
    n, rng = won + lost + left_open, np.random.default_rng(seed)
    created = pd.Timestamp(first) + pd.to_timedelta(rng.integers(0, span, n), unit="D")
    closed = created + pd.to_timedelta(rng.integers(10, slowest, n), unit="D")
    outcome = np.repeat(["won", "lost", "open"], [won, lost, left_open])
    deals = {
        "opportunity_id": [f"O{i:04}" for i in range(n)],
        "created_on": created.strftime("%Y-%m-%d"),
        "segment": np.where(np.arange(n) % 2 == 0, "A", "B"),
        "stage": np.where(outcome == "won", "Won", np.where(outcome == "lost", "Lost", "Qualify")),
        "amount": np.where(np.arange(n) % 2 == 0, "100", "300"),
        "expected_close_on": closed.strftime("%Y-%m-%d"),
        "closed_on": pd.Series(closed.strftime("%Y-%m-%d")).mask(outcome == "open"),
        "outcome": outcome,
        **(columns or {}),
    }
    tables = {"opportunities": pd.DataFrame(deals).astype("str").mask(lambda f: f == "nan"), "stages": STAGES}
    if history is not None:
        tables["opportunity_history"] = history
    return log_of(tables, extracted_on=pd.Timestamp("2026-02-28"))


def rows(log: Log, as_of: str = AS_OF) -> dict[tuple[str, str], Definition]:
    found = close_rates(forecast.snapshot(log, as_of=as_of))
    return {(row.definition, row.segment): row for row in found}


def value(found: dict[tuple[str, str], Definition], rate: str, way: str, by: str = "count") -> float:
    return found[definition_of(rate, way, by), "Total"].value


def test_every_definition_is_there_for_every_segment_with_its_n():
    found = close_rates(forecast.snapshot(company(50, 50, 10), as_of=AS_OF))
    names = [definition_of(rate, way, by) for rate in RATES for by in BY for way in WAYS]
    assert sorted((row.definition, row.segment) for row in found) == sorted(
        (name, segment) for name in names for segment in ("A", "B", "Total")
    )
    for row in found:
        assert row.figure == "close rate"
        assert bool(row.missing) == np.isnan(row.value)
        if not row.missing:
            assert 0 <= row.low <= row.value <= row.high <= 1
            assert row.n > 0
            assert row.means


def test_where_losses_are_never_closed_the_cohort_rate_says_what_is_won():
    # 510 won; of 490 losses 196 closed, 294 left open for ever.
    found = rows(company(510, 196, 294))
    assert value(found, DECIDED, NAIVE) == pytest.approx(510 / 706, abs=0.05)
    cohort = found[definition_of(ALL_ENDED, COHORT, "count"), "Total"]
    assert cohort.value == pytest.approx(0.51)
    assert cohort.low < 0.48
    assert cohort.high < 0.56
    assert cohort.n == 1000
    decided = found[definition_of(DECIDED, COHORT, "count"), "Total"]
    assert np.isnan(decided.value)
    assert decided.n == 706
    assert "between 51" in decided.missing
    assert "72" in decided.missing


def test_where_no_loss_is_recorded_a_tenth_is_not_the_whole():
    found = rows(company(50, 0, 450))
    assert value(found, DECIDED, NAIVE) == 1.0
    assert value(found, ALL_ENDED, COHORT) == pytest.approx(0.1)
    assert "cannot tell" in found[definition_of(DECIDED, COHORT, "count"), "Total"].missing


def test_deals_left_open_count_as_undecided_once_they_are_older_than_deals_that_close():
    found = rows(company(40, 40, 20))
    row = found[definition_of(ALL_ENDED, NAIVE, "count"), "Total"]
    assert row.value < value(found, DECIDED, NAIVE)
    assert "left open beyond" in row.means


def test_young_deals_cannot_be_told_from_those_left_open():
    # All created in the last four months: wins still come.
    found = rows(company(50, 10, 400, first="2025-08-01", span=20, slowest=140))
    row = found[definition_of(ALL_ENDED, COHORT, "count"), "Total"]
    assert np.isnan(row.value)
    assert "cannot tell" in row.missing
    assert "longer record" in row.missing


def test_of_a_young_record_the_naive_rate_says_that_it_is_one():
    young = rows(company(50, 50, 0, first="2025-05-01", span=120))[definition_of(DECIDED, NAIVE, "count"), "Total"]
    assert "ends soonest" in young.means
    old = rows(company(50, 50, 0, span=500))[definition_of(DECIDED, NAIVE, "count"), "Total"]
    assert "ends soonest" not in old.means


def test_by_value_each_deal_counts_by_its_amount():
    found = rows(company(50, 50, 0))
    deals = company(50, 50, 0).opportunities
    amounts = deals["amount"].astype(float)
    won = (deals["outcome"] == "won").to_numpy()
    assert value(found, ALL_ENDED, COHORT) == pytest.approx(0.5)
    assert value(found, ALL_ENDED, COHORT, "value") == pytest.approx((amounts * won).sum() / amounts.sum())


def test_reasons_without_a_decision_are_no_losses():
    reasons = [""] * 50 + ["Price"] * 25 + ["No decision"] * 25
    found = rows(company(50, 50, 0, columns={"lost_reason": [reason or "nan" for reason in reasons]}))
    decided = found[definition_of(DECIDED, COHORT, "count"), "Total"]
    assert (decided.value, decided.n) == (pytest.approx(50 / 75), 75)  # of those decided, not of the 100 created
    assert value(found, ALL_ENDED, COHORT) == pytest.approx(50 / 100)
    without = rows(company(50, 50, 0))[definition_of(DECIDED, NAIVE, "count"), "Total"]
    assert "no lost_reason is recorded" in without.means


def test_what_history_brings_is_missing_without_it():
    found = rows(company(50, 50, 10))
    assert "opportunity_history" in found[definition_of(PROPOSALS, COHORT, "count"), "Total"].missing
    assert "forecast_category" in found[definition_of(COMMITS, NAIVE, "value"), "B"].missing


def test_proposals_and_commits_by_hand():
    log = company(20, 20, 0)
    deals = log.opportunities
    lines = []
    for i, deal in deals.iterrows():
        created, closed = deal["created_on"], deal["closed_on"]
        lines.append((deal["opportunity_id"], created, "Qualify", "Pipeline"))
        # Every win and every second loss has a proposal out; of these all but two wins are in commit from then on.
        if deal["outcome"] == "won" or i % 2 == 0:
            category = "Best case" if i < 2 else "Commit"
            lines.append((deal["opportunity_id"], created + pd.Timedelta(days=5), "Propose", category))
        lines.append((deal["opportunity_id"], closed, deal["stage"], "Closed"))
    history = pd.DataFrame(lines, columns=["opportunity_id", "day", "stage", "forecast_category"])
    history["recorded_at"] = pd.to_datetime(history.pop("day")).dt.strftime("%Y-%m-%dT09:00:00")
    history["amount"], history["expected_close_on"] = "100", "2025-12-31"
    found = rows(company(20, 20, 0, history=history))
    proposals = found[definition_of(PROPOSALS, COHORT, "count"), "Total"]
    assert (proposals.value, proposals.n) == (pytest.approx(20 / 30), 30)

    first = pd.Timestamp("2000-01-01").to_period("M")
    stood = []
    for i, deal in deals.iterrows():
        since = deal["created_on"] + pd.Timedelta(days=5)
        first = since.to_period("M").to_timestamp()
        first = first if first == since else (since.to_period("M") + 1).to_timestamp()
        reached = deal["outcome"] == "won" or i % 2 == 0
        if reached and i >= 2 and first < deal["closed_on"]:
            stood.append(deal["outcome"] == "won")
    commits = found[definition_of(COMMITS, COHORT, "count"), "Total"]
    assert (commits.value, commits.n) == (pytest.approx(np.mean(stood)), len(stood))


def test_what_is_recorded_later_does_not_count():
    log = company(200, 200, 50, span=600)
    early = rows(log, "2025-06-30")
    deals = log.opportunities
    cut = deals[deals["created_on"] <= "2025-06-30"].copy()
    later = cut["closed_on"] > "2025-06-30"
    cut.loc[later, ["closed_on", "outcome", "stage"]] = [pd.NaT, "open", "Qualify"]
    text = cut.assign(**{name: cut[name].dt.strftime("%Y-%m-%d") for name in ("created_on", "closed_on")})
    text["expected_close_on"] = cut["expected_close_on"].dt.strftime("%Y-%m-%d")
    known = log_of(
        {"opportunities": text.astype("str").mask(lambda f: f == "nan"), "stages": STAGES},
        extracted_on=pd.Timestamp("2025-06-30"),
    )
    for key, row in rows(known, "2025-06-30").items():
        if key[0].endswith("by count"):
            assert row.value == pytest.approx(early[key].value, nan_ok=True)
            assert row.missing == early[key].missing
    # Without history nobody knows what an open deal was worth then: without these only the closed would count.
    by_value = early[definition_of(ALL_ENDED, COHORT, "value"), "Total"]
    assert np.isnan(by_value.value)
    assert "opportunity_history" in by_value.missing
