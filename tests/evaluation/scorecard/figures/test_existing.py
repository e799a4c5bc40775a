"""New and existing business by hand, and the same share from a long and a short log of one company."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.evaluation.scorecard.benchmarks import benchmark, beside
from forecast.evaluation.scorecard.figures.existing import (
    FIGURE,
    NEW,
    by_purchase,
    existing_business,
    monthly,
    whole_from,
)
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.spans import Span, year_of
from logs import log_of, table

DEALS = """
opportunity_id created_on segment stage amount closed_on outcome type account_id
O1 2022-01-10 A Won 100 2022-01-20 won new K1
O2 2023-12-10 A Won 100 2023-12-20 won new K1
O3 2024-02-10 A Won  50 2024-02-20 won new K2
O4 2024-12-10 A Won 300 2024-12-20 won existing K1
O5 2025-02-10 B Won 200 2025-02-20 won existing K2
O6 2025-02-10 B Won 400 2025-02-20 won new K3
O7 2025-02-10 B Won 100 2025-02-20 won new K3
O8 2025-06-10 B Won 700 2025-06-20 won . .
O9 2025-07-10 B Won 300 2025-07-20 won . K1
"""


def known(log: Log, as_of: str = "2025-12-31") -> tuple[Known, Span]:
    snap = snapshot(log, as_of=as_of)
    return known_of(log, snap), year_of(snap).now


def company(text: str = DEALS, *, without: tuple[str, ...] = ()) -> Log:
    deals = table(text).drop(columns=list(without))
    deals["expected_close_on"] = deals["closed_on"]
    return log_of({"opportunities": deals}, extracted_on=pd.Timestamp("2025-12-31"))


def rows_of(log: Log, figure: str = FIGURE) -> pd.DataFrame:
    rows = pd.DataFrame(existing_business(*known(log)))
    return rows[rows["figure"] == figure].set_index("definition")


def test_by_hand():
    rows = rows_of(company())
    # 2025 by type: 200 of the 700 with a type; one deal of three.
    assert rows.loc["by type, by value", ["value", "n", "of"]].tolist() == [pytest.approx(200 / 700), 3, "revenue"]
    assert rows.loc["by type, by count", ["value", "n", "of"]].tolist() == [pytest.approx(1 / 3), 3, "deals won"]
    assert "of the 41 % of won value" in rows.loc["by type, by value", "means"]
    # By purchase: O5 (K2 bought twelve months before) and O9 (K1 in December) of 1,000 with an account; both deals of
    # K3 are of one day. The year before K1 bought twelve months before O4, and K2 for the first time: 300 of 350.
    year = rows.loc[f"{by_purchase(12)}, by value"]
    assert (year["value"], year["n"]) == (pytest.approx(500 / 1000), 4)
    before = rows.loc[f"{by_purchase(12)}, by value, the year before"]
    assert (before["value"], before["first"], before["last"]) == (pytest.approx(300 / 350), "2024-01", "2024-12")
    survey = benchmark(FIGURE)
    ours = [row for row in existing_business(*known(company())) if row.figure == FIGURE]
    made = {row.definition: beside(row, survey).standing for row in ours}
    assert made["by type, by value"] == "ranked"
    assert made[f"{by_purchase(12)}, by value"] == "beside"  # the least it can be is not below anything
    new = rows_of(company(), NEW).loc[f"{by_purchase(12)}, by value"]
    assert new["value"] == 1 - year["value"]
    assert (new["low"], new["high"]) == (1 - year["high"], 1 - year["low"])


def random_company(rng: np.random.Generator, *, months: int = 60) -> pd.DataFrame:
    count = 40 * months
    created = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 30 * months, count), unit="D")
    closed = created + pd.to_timedelta(rng.integers(1, 100, count), unit="D")
    deals = pd.DataFrame({"created_on": created, "closed_on": closed, "segment": "A", "stage": "Won", "outcome": "won"})
    deals = deals[deals["closed_on"] <= "2025-12-31"].reset_index(drop=True)
    deals["account_id"] = [f"K{i}" for i in rng.integers(0, 1_500, len(deals))]
    deals["amount"] = rng.lognormal(3, 1, len(deals)).round(2)
    deals["opportunity_id"] = [f"O{i}" for i in range(len(deals))]
    return deals.assign(expected_close_on=deals["closed_on"])


@pytest.mark.parametrize("first", ["2024-01-01", "2023-06-01"])
def test_a_short_log_says_what_a_long_one_says_or_that_it_cannot_tell(first: str):
    # Every closing since `first` is in the short log, whenever the deal was created.
    deals = random_company(np.random.default_rng(611))
    day = pd.Timestamp("2025-12-31")
    long = rows_of(log_of({"opportunities": deals}, extracted_on=day))
    short = rows_of(log_of({"opportunities": deals[deals["closed_on"] >= first]}, extracted_on=day))
    both = short["missing"] == ""
    facts = ["value", "low", "high", "n"]
    assert f"{by_purchase(12)}, by value" in short.index[both]
    pd.testing.assert_frame_equal(short.loc[both, facts], long.loc[both, facts])
    assert short.loc[~both, "missing"].str.contains("the log's are whole from").any()
    assert long.loc[f"{by_purchase(24)}, by value", "value"] > long.loc[f"{by_purchase(12)}, by value", "value"]


def test_a_log_of_deals_created_since_a_day_lacks_the_wins_of_older_ones():
    deals = random_company(np.random.default_rng(612))
    cut = deals[deals["created_on"] >= "2024-01-01"]
    made, _ = known(log_of({"opportunities": cut}, extracted_on=pd.Timestamp("2025-12-31")))
    assert whole_from(made) == made.begins + 3  # of 1 to 99 days 99 in 100 end at most three months later
    rows = rows_of(log_of({"opportunities": cut}, extracted_on=pd.Timestamp("2025-12-31")))
    why = rows.loc[f"{by_purchase(12)}, by value", "missing"]
    assert why == "needs the wins from 2024-01 on; the log's are whole from 2024-04"


def test_neither_money_nor_names_of_accounts_matter():
    deals = random_company(np.random.default_rng(613))
    day = pd.Timestamp("2025-12-31")
    other = deals.assign(amount=3 * deals["amount"], account_id="x" + deals["account_id"])
    facts = ["value", "low", "high", "n"]
    first, second = (rows_of(log_of({"opportunities": rows}, extracted_on=day)) for rows in (deals, other))
    pd.testing.assert_frame_equal(first[facts], second[facts])


def test_by_segment_and_month():
    found = {each.definition: each.values for each in monthly(*known(company()))}
    values = {(row.segment, row.period): row.value for row in found["by type, by value"].itertuples()}
    assert values == {("B", "2025-02"): pytest.approx(200 / 700)}
    values = {(r.segment, r.period): r.value for r in found[f"{by_purchase(12)}, by value"].itertuples()}
    assert values == {("B", "2025-02"): pytest.approx(200 / 700), ("B", "2025-07"): 1}


def test_credits_that_outweigh_sales_leave_no_share():
    rows = rows_of(company(DEALS.replace("O5 2025-02-10 B Won 200", "O5 2025-02-10 B Won -200")))
    assert rows.loc["by type, by value", "missing"].startswith("credits outweigh")
    assert np.isnan(rows.loc["by type, by value", "value"])
    assert rows.loc["by type, by count", "value"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("log", "named"),
    [
        (company(without=("type", "account_id")), {"needs type in opportunities", "needs account_id in opportunities"}),
        (company(without=("type",)), {"needs type in opportunities"}),
    ],
)
def test_what_is_missing_is_named(log: Log, named: set[str]):
    rows = rows_of(log)
    assert named <= set(rows["missing"])
    assert (rows["value"].isna() == (rows["missing"] != "")).all()
    assert (rows.loc[rows["missing"] != "", "n"] == 0).all()
