"""Late wins: what was won of deals the CRM did not know three weeks into the quarter, by hand and as known then."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.data.known.settled import late_wins
from forecast.errors import ParameterError
from tiny import tiny_company

HEAD = "opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome\n"
OPPORTUNITIES = (
    HEAD
    + """\
A,2025-10-02,North,Won,100,2026-02-15,2026-02-10,won
B,2025-12-20,North,Won,200,2026-01-15,2026-01-12,won
C,2026-01-22,South,Won,400,2026-03-15,2026-03-11,won
D,2026-01-21,South,Won,800,2026-03-15,2026-03-20,won
E,2026-01-10,South,Won,1600,2026-03-25,2026-03-25,won
F,2025-11-05,North,Won,3200,2026-03-25,2026-03-30,won
G,2026-02-01,North,Lost,50,2026-03-25,2026-03-30,lost
H,2026-02-01,North,Won,6400,2026-03-25,2026-03-31,won
"""
)
HISTORY = """\
opportunity_id,recorded_at,stage,amount,expected_close_on
A,2025-10-02T09:00:00Z,Propose,100,2026-02-15
A,2026-02-10T09:00:00Z,Won,100,2026-02-15
B,2025-12-20T09:00:00Z,Propose,200,2026-01-15
B,2026-01-12T09:00:00Z,Won,200,2026-01-15
C,2026-01-22T09:00:00Z,Propose,300,2026-03-15
C,2026-03-11T09:00:00Z,Won,400,2026-03-15
D,2026-01-21T21:00:00Z,Propose,800,2026-03-15
D,2026-03-20T09:00:00Z,Won,800,2026-03-15
E,2026-03-25T09:00:00Z,Won,1600,2026-03-25
F,2025-11-05T09:00:00Z,Propose,3200,2025-12-25
F,2025-12-28T09:00:00Z,Lost,3200,2025-12-25
F,2026-03-01T09:00:00Z,Propose,3200,2026-03-25
F,2026-03-30T09:00:00Z,Won,3200,2026-03-25
G,2026-02-01T09:00:00Z,Propose,50,2026-03-25
G,2026-03-30T09:00:00Z,Lost,50,2026-03-25
H,2026-02-01T09:00:00Z,Propose,6400,2026-03-25
H,2026-04-20T09:00:00Z,Won,6400,2026-03-25
"""
COMPANY = 'name = "Late"\ncurrency = "EUR"\nextracted_on = 2026-06-30\n'


@pytest.fixture
def log(tmp_path: Path) -> forecast.Log:
    return forecast.read(
        tiny_company(tmp_path / "late", opportunities=OPPORTUNITIES, history=HISTORY, plan=None, company=COMPANY)
    )


def test_by_hand(log: forecast.Log):
    # The log begins on 2 October: the quarter that began the day before could not be seen whole. Of Q1, A was open and
    # B already won on 21 January; D came in that evening. Late: C (a day after), E (entered when won, dated back),
    # F (stood as lost). G was lost; H was recorded as won only after the quarter had settled on 7 April.
    table = late_wins(log, as_of="2026-06-30")
    assert table["quarter"].tolist() == ["FY26 Q1"]
    row = table.iloc[0]
    assert (row["day"], row["settled_on"]) == (pd.Timestamp("2026-01-21"), pd.Timestamp("2026-04-07"))
    assert (row["won"], row["late"], row["backdated"]) == (6, 3, 2)
    assert row["won_amount"] == 100 + 200 + 400 + 800 + 1600 + 3200
    assert row["late_amount"] == 400 + 1600 + 3200
    assert row["late_share"] == pytest.approx(0.5)
    assert row["late_amount_share"] == pytest.approx(5200 / 6300)


def test_another_day_of_the_quarter(log: forecast.Log):
    day_before = late_wins(log, as_of="2026-06-30", days=20).iloc[0]
    assert day_before["late"] == 4  # D too
    end = late_wins(log, as_of="2026-06-30", days=90).iloc[0]
    assert end["late"] == 0
    assert late_wins(log, as_of="2026-06-30", days=22).iloc[0]["late"] == 2


def test_only_what_had_settled_and_was_recorded_by_then(log: forecast.Log):
    assert late_wins(log, as_of="2026-04-06").empty
    then, later = late_wins(log, as_of="2026-04-07"), late_wins(log, as_of="2026-06-30")
    pd.testing.assert_frame_equal(then, later)


def test_without_history_creation_tells(tmp_path: Path):
    folder = tiny_company(tmp_path / "bare", opportunities=OPPORTUNITIES, history=None, plan=None, company=COMPANY)
    row = late_wins(forecast.read(folder), as_of="2026-06-30").iloc[-1]
    assert (row["won"], row["late"], row["backdated"]) == (7, 2, 0)  # C and H


def test_a_quarter_without_wins_has_no_share(tmp_path: Path):
    lost = HEAD + "A,2025-12-02,North,Lost,100,2026-02-15,2026-02-10,lost\n"
    folder = tiny_company(tmp_path / "none", opportunities=lost, history=None, plan=None, company=COMPANY)
    row = late_wins(forecast.read(folder), as_of="2026-06-30").iloc[-1]
    assert (row["won"], row["late"], row["won_amount"]) == (0, 0, 0)
    assert math.isnan(row["late_share"])
    assert math.isnan(row["late_amount_share"])


def test_a_quarter_whose_first_closures_were_not_recorded_is_left_out(tmp_path: Path):
    # Thirty deals of July 2025; closures are recorded from March 2026 on, the last month of a quarter.
    rows = [
        f"{i},2025-07-01,North,Won,100,{day},{day},won\n"
        for i, day in enumerate([*["2026-03-05"] * 10, *["2026-04-05"] * 10, *["2026-05-05"] * 10])
    ]
    company = COMPANY.replace("2026-06-30", "2026-07-31")
    folder = tiny_company(
        tmp_path / "from", opportunities=HEAD + "".join(rows), history=None, plan=None, company=company
    )
    table = late_wins(forecast.read(folder), as_of="2026-07-31")
    assert table[["quarter", "won"]].to_numpy().tolist() == [["FY26 Q2", 20]]


@pytest.mark.slow
def test_it_agrees_with_what_settled_on_the_sample(sample: Path):
    log = forecast.read(sample)
    table = late_wins(log, as_of="2026-10-31", quarters=4).set_index("quarter")
    assert table.index.tolist() == ["FY25 Q4", "FY26 Q1", "FY26 Q2", "FY26 Q3"]
    settled = forecast.settled_actuals(log)
    by_hand = settled[settled["period"].between("2026-07", "2026-09")]
    # a month settles earlier than its quarter: a correction in between may move a little
    assert table.loc["FY26 Q3", "won_amount"] == pytest.approx(by_hand["amount"].sum(), rel=0.01)
    assert table["late_share"].between(0, 1).all()


def test_bad_input(log: forecast.Log):
    for options in ({"days": 0}, {"days": 91}, {"quarters": 0}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            late_wins(log, as_of="2026-06-30", **options)
    with pytest.raises(ParameterError, match="later than the log"):
        late_wins(log, as_of="2026-07-31")
