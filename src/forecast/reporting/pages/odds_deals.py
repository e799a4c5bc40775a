"""The tables of the deals open today: what speaks for and against them, and which matter most.

What is not known of any deal makes no table but a sentence that says so.
"""

from __future__ import annotations

import pandas as pd

from forecast import sources, wording
from forecast.models.win.factors import AVERAGE, BY_AGE
from forecast.reporting.charts.figure import Format, Notes, TableView
from forecast.reporting.pages.odds import NO_PROBABILITY

SHOWN = 15
"""Rows of each table."""

# -- sentences ------------------------------------------------------------------------------------------

FACTORS_CAPTION = "The factors named most often"
LARGEST_CAPTION = "Largest expected amounts"
NO_EXPECTED = "No open deal has an expected amount."
AGE_ALONE = (
    "Nothing but its age speaks for or against a deal: (for) where its odds lie above those of the mean open deal."
)
LARGEST_HEADS = {
    "opportunity_id": "deal",
    "segment": "segment",
    "stage": "stage",
    "amount": "amount",
    "p_win_3": "within 3 months",
    "p_win": "ever",
    "factors": "factors",
}


# -- tables ---------------------------------------------------------------------------------------------


def named_factors(deals: pd.DataFrame) -> pd.DataFrame:
    """Return factor and deals, the most named first, over the deals whose probability is known.

    >>> deals = pd.DataFrame({"p_win": [0.4, None], "factors": ["a (for); b (against)", "too few closed deals"]})
    >>> named_factors(deals)["factor"].tolist()
    ['a (for)', 'b (against)']
    """
    named = deals.loc[deals["p_win"].notna(), "factors"].str.split("; ").explode()
    return named.value_counts().rename_axis("factor").reset_index(name="deals")


def factors_view(factors: pd.DataFrame) -> TableView | Notes:
    """Return the factors named most often; factors : as `named_factors` gives them."""
    if factors.empty:
        return Notes([NO_PROBABILITY])
    if factors["factor"].str.startswith((BY_AGE, AVERAGE)).all():
        return Notes([AGE_ALONE])
    return TableView(factors.head(SHOWN), FACTORS_CAPTION, formats={"factor": wording.factors})


def largest_view(deals: pd.DataFrame, *, currency: str) -> TableView | Notes:
    """Return the deals with the largest expected amounts; deals : with stage and amount of today."""
    known = deals.dropna(subset=["expected_amount"])
    if known.empty:
        return Notes([NO_EXPECTED])
    largest = known.nlargest(SHOWN, "expected_amount")
    largest = sources.named(largest, "largest_deals", texts=["opportunity_id", "stage", "factors"])
    formats: dict[str, Format] = dict.fromkeys(("p_win", "p_win_3"), wording.chance)
    formats |= {"amount": wording.in_currency(currency), "factors": wording.factors}
    return TableView(largest, LARGEST_CAPTION, columns=LARGEST_HEADS, formats=formats)
