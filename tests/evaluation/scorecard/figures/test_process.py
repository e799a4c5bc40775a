"""How far deals follow the process: by hand on six deals, thresholds, and what is said without a history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.evaluation.scorecard.benchmarks import benchmark, beside
from forecast.evaluation.scorecard.figures.process import LEVELS, followed_by_deal, level, monthly, process
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.spans import Span, year_of
from logs import log_of, table

STAGES = """
stage position outcome
Qualify 1 open
Show 2 open
Propose 3 open
Won 4 won
Lost 5 lost
"""
DEALS = """
opportunity_id created_on segment stage amount expected_close_on closed_on outcome
straight 2025-01-01 A Won 10 2025-03-10 2025-03-10 won
skipped 2025-01-01 A Won 10 2025-03-10 2025-03-10 won
back 2025-01-01 A Won 10 2025-03-10 2025-03-10 won
early 2025-01-01 A Lost 10 2025-03-10 2025-02-10 lost
late 2025-01-01 B Won 10 2025-02-10 2025-04-10 won
open 2025-01-01 B Qualify 10 2025-06-10 . open
"""
HISTORY = """
opportunity_id recorded_at stage amount expected_close_on
straight 2025-01-01 Qualify 10 2025-03-10
straight 2025-01-20 Show 10 2025-03-10
straight 2025-02-10 Propose 10 2025-03-10
straight 2025-03-10 Won 10 2025-03-10
skipped 2025-01-01 Qualify 10 2025-03-10
skipped 2025-02-10 Propose 10 2025-03-10
skipped 2025-03-10 Won 10 2025-03-10
back 2025-01-01 Qualify 10 2025-03-10
back 2025-01-20 Show 10 2025-03-10
back 2025-01-25 Qualify 10 2025-03-10
back 2025-02-10 Show 10 2025-03-10
back 2025-02-20 Propose 10 2025-03-10
back 2025-03-10 Won 10 2025-03-10
early 2025-01-01 Qualify 10 2025-03-10
early 2025-01-20 Show 10 2025-03-10
early 2025-02-10 Lost 10 2025-03-10
late 2025-01-01 Qualify 10 2025-02-10
late 2025-01-20 Show 10 2025-02-10
late 2025-02-10 Propose 10 2025-02-10
late 2025-02-12 Propose 10 2025-04-10
late 2025-04-10 Won 10 2025-04-10
open 2025-01-01 Qualify 10 2025-06-10
"""
"""On the evening of 11 February `late` is open and due on the 10th."""


def company(history: str | None = HISTORY, deals: str = DEALS) -> Log:
    tables = {"opportunities": table(deals), "stages": table(STAGES)}
    if history is not None:
        tables["opportunity_history"] = table(history)
    return log_of(tables, extracted_on=pd.Timestamp("2025-12-31"))


def known(log: Log) -> tuple[Known, Span]:
    snap = snapshot(log, as_of="2025-12-31")
    return known_of(log, snap), year_of(snap).now


def rows_of(log: Log) -> pd.DataFrame:
    return pd.DataFrame(process(*known(log))).set_index(["segment", "definition"])


def test_each_deal_by_hand():
    deals = followed_by_deal(known(company())[0])
    assert deals is not None
    assert len(deals) == 5  # one is open
    held = deals.set_index("opportunity_id").loc[["straight", "skipped", "back", "early", "late"]]
    assert held["in_order"].tolist() == [True, True, False, True, True]
    assert held["none_skipped"].tolist() == [True, False, True, True, True]
    assert held["dates_kept"].tolist() == [True, True, True, True, False]
    assert held["followed"].tolist() == [True, False, False, True, True]


def test_a_date_that_is_changed_on_the_morning_after_was_kept():
    kept = followed_by_deal(known(company(HISTORY.replace("late 2025-02-12", "late 2025-02-11")))[0])
    assert kept is not None
    assert kept["dates_kept"].all()
    blank = HISTORY.replace("back 2025-01-25 Qualify 10 2025-03-10", "back 2025-01-25 Qualify 10 .")
    without = followed_by_deal(known(company(blank))[0])
    assert without is not None
    assert not without.set_index("opportunity_id").loc["back", "dates_kept"]


def test_shares_by_hand():
    rows = rows_of(company())
    assert rows.loc[("Total", "in order and none skipped"), ["value", "n", "of"]].tolist() == [0.6, 5, "deals closed"]
    assert rows.loc[("A", "in order and none skipped"), "value"] == 0.5
    assert rows.loc[("B", "close dates kept"), "value"] == 0
    low, high = rows.loc[("Total", "in order and none skipped"), ["low", "high"]]
    assert low < 0.6 < high
    assert "fewer than 10 deals" in rows.loc[("A", "level"), "missing"]
    values = monthly(*known(company()))[0].values
    found = {(row.segment, row.period): row.value for row in values.itertuples()}
    assert found == {("A", "2025-02"): 1, ("A", "2025-03"): pytest.approx(1 / 3), ("B", "2025-04"): 1}


def many(stuck: int) -> Log:
    """Return 40 deals of which `stuck` stand unchanged in their only stage for 100 days, the others 10 to 19."""
    deals, history = [], []
    for at in range(40):
        days = 100 if at < stuck else 10 + at % 10
        closed = pd.Timestamp("2025-03-01") + pd.Timedelta(days=days + 7 * (at % 12))
        born, closed_on = f"{closed - pd.Timedelta(days=days):%Y-%m-%d}", f"{closed:%Y-%m-%d}"
        deals.append(f"O{at} {born} A Lost 10 2025-12-01 {closed_on} lost")
        history += [f"O{at} {born} Qualify 10 2025-12-01", f"O{at} {closed_on} Lost 10 2025-12-01"]
    head = [text.strip().splitlines()[0] for text in (DEALS, HISTORY)]
    return company("\n".join([head[1], *history]), "\n".join([head[0], *deals]))


def test_stalled_is_longer_than_nine_in_ten_stays_of_the_stage():
    for stuck in (1, 3):
        deals = followed_by_deal(known(many(stuck))[0])
        assert deals is not None
        durations = np.sort([100] * stuck + [10 + at % 10 for at in range(stuck, 40)])
        assert (~deals["not_stalled"]).sum() == (durations > np.quantile(durations, 0.9)).sum()


def test_a_level_has_the_levels_at_the_ends_of_the_intervals_beside_it():
    rows = rows_of(many(1))
    found = rows.loc[("Total", "level")]
    assert (found["value"], found["unit"], found["n"]) == (3, "count", 40)
    assert found["low"] <= 3 == found["high"]
    assert found["means"].startswith("dynamic, level 3 of 0 to 3: 100 % of deals")
    segments = rows.loc[("Total", "segments whose process is formal or dynamic")]
    assert (segments["value"], segments["n"], segments["of"]) == (1, 1, "segments")


def test_thresholds_and_that_more_never_lowers_a_level():
    assert [LEVELS[level(f, t)] for f, t in ((0.49, 1), (0.5, 1), (0.79, 1), (0.8, 0.79), (0.8, 0.8))] == [
        "random",
        "informal",
        "informal",
        "formal",
        "dynamic",
    ]
    grid = np.linspace(0, 1, 21)
    found = np.array([[level(f, t) for t in grid] for f in grid])
    assert (np.diff(found, axis=0) >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()


def test_the_survey_s_share_of_companies_is_never_ranked_with_ours():
    made = process(*known(many(1)))
    assert {beside(row, benchmark("formal sales process")).standing for row in made} <= {"beside", "apart"}


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (company(None), "needs opportunity_history"),
        (company(deals=DEALS.replace("2025-", "2023-"), history=HISTORY.replace("2025-", "2023-")), "no deal with"),
    ],
)
def test_without_history_or_closings_it_says_why(log: Log, why: str):
    rows = rows_of(log)
    assert rows["missing"].str.startswith(why).all()
    assert rows["value"].isna().all()
    assert len(rows) == 8
