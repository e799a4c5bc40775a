"""Amounts in another unit: rates the wrong way round, plans in thousands, each with the numbers that tell it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import sources, wording
from forecast.data.audit.audit import misleading
from forecast.data.audit.units import _off
from forecast.data.checks.amounts import OTHER_AMOUNT
from forecast.data.schema import Log
from logs import STAGES, log_of


def deals(currency: str = "JPY", *, each: float = 1_500_000.0) -> pd.DataFrame:
    """Return 24 deals won, one every half month; every other one in another currency."""
    days = pd.date_range("2025-01-15", periods=24, freq="15D")
    turn = np.arange(24) % 2 == 0
    return pd.DataFrame(
        {
            "opportunity_id": [f"O{k:02d}" for k in range(24)],
            "created_on": days.strftime("%Y-%m-%d"),
            "segment": "East",
            "stage": "Won",
            "amount": np.where(turn, each, 10_000.0) * (1 + np.arange(24) / 100),
            "expected_close_on": days.strftime("%Y-%m-%d"),
            "closed_on": (days + pd.Timedelta(days=10)).strftime("%Y-%m-%d"),
            "outcome": "won",
            "currency": np.where(turn, currency, "EUR"),
            "owner": "Rep 1",
        }
    )


PLANNED = {"East": 1_500_000.0, "West": 20.0}


def found(log: Log, table: str) -> list[tuple[str, str]]:
    """Return what and evidence of the warnings of a table that are about units, in plain text."""
    problems = [one for one in misleading(log) if one.table == table and one.column in ("plan_rate", "amount", "quota")]
    return [(sources.plain(one.what), sources.plain(one.evidence).replace(wording.THIN, " ")) for one in problems]


def with_rate(rate: float, *, currency: str = "JPY", each: float = 1_500_000.0, reporting: str = "EUR") -> Log:
    rates = pd.DataFrame({"currency": [currency, "EUR"], "plan_rate": [rate, 1.0]})
    return log_of({"opportunities": deals(currency, each=each), "currencies": rates}, currency=reporting)


def test_yen_the_wrong_way_round():
    [(what, evidence)] = found(with_rate(150.0), "currencies")
    assert what.startswith("150 is written as the worth of 1 JPY in EUR: it looks the wrong way round")
    assert evidence == "usually about 0.0072, and 1 / 150 is 0.00667"


@pytest.mark.parametrize("rate", [1 / 150, 1 / 100, 1 / 190])
def test_yen_as_they_are_worth(rate: float):
    assert found(with_rate(rate), "currencies") == []


def test_a_currency_that_the_table_does_not_know():
    """Its deals tell: of 40 k each at 40 to the euro, taken for 40 euro each."""
    [(what, evidence)] = found(with_rate(40.0, currency="XQQ", each=400_000.0), "currencies")
    assert "40 is written as the worth of 1 XQQ" in what
    assert "a deal in XQQ is then" in evidence
    assert found(with_rate(1 / 40.0, currency="XQQ", each=400_000.0), "currencies") == []


def test_a_currency_whose_deals_are_small_is_believed():
    """The deals of one country may be a thousandth of the others': turned round, the rate would make it worse."""
    assert found(with_rate(0.9, currency="XQQ", each=10.0), "currencies") == []


def planned(table: str, amount: float) -> Log:
    months = [f"2025-{month:02d}" for month in range(1, 13)]
    frame = pd.DataFrame({"period": months, "segment": "East", "amount": amount})
    if table == "quotas":
        frame = frame.assign(owner="Rep 1", quota=amount).drop(columns=["segment", "amount"])
    if table == "submitted_forecasts":
        frame = pd.DataFrame(
            {
                "submitted_on": [f"{month}-01" for month in months] * 2,
                "target_period": months * 2,
                "segment": "East",
                "submitter": ["sales"] * 12 + ["marketing"] * 12,
                "amount": amount,
            }
        )
    each = deals("EUR", each=10_000.0).drop(columns="currency")
    return log_of({"opportunities": each, table: frame, "stages": STAGES}, currency="EUR")


@pytest.mark.parametrize("table", ["plan", "quotas", "submitted_forecasts"])
@pytest.mark.parametrize(("amount", "words"), [(22.0, "as if in thousands"), (22e6, "as if a thousandfold")])
def test_a_plan_in_another_unit(table: str, amount: float, words: str):
    [(what, evidence)] = found(planned(table, amount), table)
    assert what == f"of another size than what is booked, {words}"
    assert "in the same months are" in evidence
    assert evidence.endswith(" times" if amount > 1e6 else evidence.split(": ")[1])


@pytest.mark.parametrize("table", ["plan", "quotas", "submitted_forecasts"])
@pytest.mark.parametrize("amount", [22_000.0, 5_000.0, 200_000.0])
def test_a_plan_that_is_bold_or_meek_is_believed(table: str, amount: float):
    assert found(planned(table, amount), table) == []


def test_a_plan_of_months_to_come():
    each = deals("EUR", each=10_000.0).drop(columns="currency")
    plan = pd.DataFrame({"period": ["2026-02", "2026-03"], "segment": "East", "amount": [25.0, 30.0]})
    [(what, evidence)] = found(log_of({"opportunities": each, "plan": plan}), "plan")
    assert "as if in thousands" in what
    assert "in the last year" in evidence


def test_history_in_another_unit():
    frame = deals("EUR", each=10_000.0).drop(columns="currency")
    history = pd.DataFrame(
        {
            "opportunity_id": np.repeat(frame["opportunity_id"].to_numpy(), 2),
            "recorded_at": [
                f"{day}T0{hour}:00:00"
                for born, end in zip(frame["created_on"], frame["closed_on"], strict=True)
                for hour, day in ((8, born), (9, end))
            ],
            "stage": ["Propose", "Won"] * 24,
            "amount": np.repeat(frame["amount"].to_numpy(), 2),
            "expected_close_on": np.repeat(frame["expected_close_on"].to_numpy(), 2),
        }
    )
    tables = {"opportunities": frame, "stages": STAGES}
    good = log_of(tables | {"opportunity_history": history})
    assert [note for note in good.notes if note.what == OTHER_AMOUNT] == []
    [note] = log_of(tables | {"opportunity_history": history.assign(amount=history["amount"] * 1000)}).notes
    assert (note.what, note.severity, note.count) == (OTHER_AMOUNT, "warning", 24)
    assert sources.plain(note.evidence).endswith("by their last rows, 1,000 times")
    # One deal that was corrected by one of 12,300 changes nothing.
    cent = history.assign(amount=history["amount"] + np.where(history.index == 47, 1.0, 0.0))
    [note] = log_of(tables | {"opportunity_history": cent}).notes
    assert (note.severity, note.count) == ("info", 1)
    # In the currency of each row, the two are the same amount.
    rates = pd.DataFrame({"currency": ["USD", "EUR"], "plan_rate": [0.5, 1.0]})
    dollars = history.assign(amount=history["amount"] * 2, currency="USD")
    both = tables | {"opportunities": frame.assign(currency="EUR"), "currencies": rates}
    assert log_of(both | {"opportunity_history": dollars}, currency="EUR").notes == ()


def test_one_segment_of_a_plan_in_thousands():
    """West is booked 10,000 a deal and planned 20: a thousandth, within a plan whose sum looks right."""
    frame = pd.concat([deals("EUR"), deals("EUR").assign(segment="West", amount=10_000.0)], ignore_index=True)
    frame["opportunity_id"] = [f"O{k:02d}" for k in range(len(frame))]
    months = pd.period_range("2025-01", "2026-01", freq="M").strftime("%Y-%m")
    plan = pd.DataFrame(
        [{"period": month, "segment": name, "amount": worth} for month in months for name, worth in PLANNED.items()]
    )
    [(what, evidence)] = found(log_of({"opportunities": frame, "plan": plan}, currency="EUR"), "plan")
    assert what == "of another size than what is booked, in some segments, as if in thousands"
    assert evidence.startswith("beside bookings of the same months: 1 / ")
    assert evidence.endswith("in 'West'")
    ambitious = plan.assign(amount=plan["amount"].where(plan["segment"] == "East", 60_000.0))
    assert found(log_of({"opportunities": frame, "plan": ambitious}, currency="EUR"), "plan") == []


@pytest.mark.parametrize(("rate", "off"), [(0.85, True), (0.8, True), (1.18, False), (1.35, False), (1.02, False)])
def test_a_rate_near_one_is_held_against_its_reciprocal(rate: float, off: bool):
    """A pound is worth about 1.2 euro; 0.85 is what a euro is worth in pounds."""
    assert bool(_off(rate, 1.2)) is off
