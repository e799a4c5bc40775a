"""What the page says of the cost of selling: the sentence, the tables, and what cannot be told."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.data.schema import Company
from forecast.evaluation.scorecard.definition import Definition, as_table
from forecast.evaluation.scorecard.figures.channels import CREATED, WON
from forecast.evaluation.scorecard.figures.cost import (
    COST,
    NEW_CUSTOMERS,
    PAYBACK,
    PER_CUSTOMER,
    PER_WIN,
    SALES_FORMULA,
    VELOCITY,
)
from forecast.evaluation.scorecard.measures import BOOKINGS
from forecast.reporting.pages.scorecard import cost
from forecast.wording import THIN as T

EURO = Company(currency="EUR")
NAN = float("nan")


def known(figure: str, definition: str, value: float, unit: str, **more: object) -> Definition:
    facts = {"means": "m", "low": value * 0.9, "high": value * 1.1, "n": 12, "n_of": "month"} | more
    return Definition(figure=figure, definition=definition, value=value, unit=unit, **facts)  # type: ignore[arg-type]


@pytest.fixture
def definitions() -> pd.DataFrame:
    both = "sales and marketing"
    return as_table(
        [
            known(COST, both, 0.187, "ratio"),
            known(COST, f"{both}, the year before", 0.2, "ratio"),
            known(COST, both, 0.3, "ratio", segment="North"),
            known(PER_WIN, both, 3_700, "money"),
            known(NEW_CUSTOMERS, "no order in the 24 months before", 1_902, "count", low=NAN, high=NAN),
            known(PER_CUSTOMER, both, 4_300, "money"),
            known(PAYBACK, "in bookings", 2.4, "months", first="2024-11", last="2025-10"),
            known(VELOCITY, SALES_FORMULA, 2.58e6, "money"),
            known(CREATED, "Events", 80, "ratio"),
            known(CREATED, "Events, the year before", 70, "ratio"),
            known(WON, "Events", 30, "ratio"),
            Definition(figure=CREATED, definition="Fairs", means="m", unit="ratio", missing="cannot tell: why"),
            Definition(figure=WON, definition="Fairs", means="m", unit="ratio", missing="cannot tell: why"),
        ]
    )


def test_the_sentence_has_both_years_and_ranges(definitions: pd.DataFrame):
    assert cost.cost_sentence(definitions, company=EURO) == (
        f"Selling cost 18.7{T}% (16.8{T}% to 20.6{T}%) of what was booked in the last twelve months, 20.0{T}% "
        f"(18.0{T}% to 22.0{T}%) in the year before; a deal won cost €3.7{T}k and a new customer cost €4.3{T}k "
        f"(1,902 customers with no order in the 24 months before); of customers won November 2024 to October 2025 the "
        f"cost was 20{T}% (18–22{T}%) of what they bought in their first year."
    )


def test_the_tables(definitions: pd.DataFrame):
    figures = cost.figures(definitions, EURO).frame
    assert figures["now"].tolist()[0] == f"18.7{T}% (16.8{T}% to 20.6{T}%)"
    assert figures["before"].tolist() == [f"20.0{T}% (18.0{T}% to 22.0{T}%)", "–", "–", "–", f"20{T}% (18–22{T}%)", "–"]
    assert figures["now"].tolist()[-2] == "not over yet"  # the first year of those won in the last twelve months
    assert figures["definition"].tolist() == [
        "sales and marketing",
        "",
        "no order in the 24 months before",
        "sales and marketing",
        "customers won November 2024 to October 2025",
        "",
    ]
    channels = cost.by_channel(definitions, EURO)
    assert channels.frame[["channel", "created", "created_before", "won"]].to_numpy().tolist() == [
        ["Events", "80 (72 to 88)", "70 (63 to 77)", "30 (27 to 33)"],
        ["Fairs", "–", "–", "–"],
    ]
    assert channels.frame["why"].tolist() == ["", "cannot tell: why"]
    assert channels.columns["created"] == "EUR of pipeline created per EUR of channel spend"


def test_payback_has_months_of_its_own_and_velocity_is_not_bookings(definitions: pd.DataFrame):
    card = pd.DataFrame({"measure": [BOOKINGS], "ours": [44.16e6], "months": [12]})
    payback, velocity, came_with = cost.remarks(definitions, card, company=EURO)
    assert came_with == cost.CAME_WITH
    assert "is known of those won November 2024 to October 2025, for whom it has passed; " in payback
    assert "months" not in payback.replace("of the same months", "")  # a share, and no time that passed
    assert velocity.startswith(f"Velocity, €2.58{T}m a month, is not what was booked, €3.68{T}m a month: it is ")
    assert cost.remarks(definitions, card.iloc[:0], company=EURO)[1].startswith(
        "Velocity is not what was booked: it is"
    )
    then = known(PAYBACK, "in bookings, the year before", 2.5, "months", first="2023-11", last="2024-10")
    both = pd.concat([definitions, as_table([then])], ignore_index=True)
    assert f". Of those won November 2023 to October 2024 it was 21{T}%" in cost.remarks(both, card, company=EURO)[0]
    assert cost.remarks(definitions.iloc[:2], card, company=EURO) == []


def test_without_costs_it_says_which_table_is_missing():
    rows = [
        Definition(figure=figure, definition="sales and marketing", means="m", unit="ratio", missing="needs costs")
        for figure in (COST, PER_WIN)
    ]
    rows.append(Definition(figure=CREATED, definition="by channel", means="m", unit="ratio", missing="needs spend"))
    table = as_table(rows)
    assert cost.cost_sentence(table, company=EURO) == ""
    assert cost.missing(table) == [
        "Cost of selling and cost per won deal: needs costs.",
        "Pipeline created per unit of marketing: needs spend.",
    ]
    card = pd.DataFrame(columns=["measure", "against_year", "year_n", "n_of"])
    assert "is not known" in repr(cost.shown(table, card, company=EURO))
