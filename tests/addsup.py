"""Hold that the open deals add up to the forecast: by segment, month, quarter and owner, and in total."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL

CENT = 0.005


def expected_columns(deals: pd.DataFrame) -> dict[int, str]:
    """Return the columns of the months' expected bookings by horizon, in the table's order."""
    names = [name for name in deals if name.startswith("expected_") and name != "expected_amount"]
    return {int(name.removeprefix("expected_")): name for name in names}


def hold_that_deals_add_up(deals: pd.DataFrame, bookings: pd.DataFrame, snap: Snapshot) -> None:
    """Hold it to the cent, whoever adds up: by segment, by owner, or all at once."""
    columns = expected_columns(deals)
    months = bookings[bookings["target_period"].str.fullmatch(r"\d{4}-\d{2}")]
    assert list(columns) == sorted(months["horizon"].unique())
    label = months.drop_duplicates("horizon").set_index("horizon")["target_period"]
    by_month = deals[list(columns.values())].set_axis([label[horizon] for horizon in columns], axis=1)

    # Months, then the quarters they make up; a month that is over has nothing open.
    quarter = {name: _quarter(name, snap) for name in by_month}
    covered = set(bookings["target_period"])
    by_quarter = by_month.T.groupby(quarter).sum(min_count=1).T
    by_period = pd.concat([by_month, by_quarter[[name for name in by_quarter if name in covered]]], axis=1)
    assert set(by_period) == covered

    expected = by_period.groupby(deals["segment"]).sum(min_count=1)
    given = bookings.pivot(index="segment", columns="target_period", values="open_pipeline")
    for segment, row in given.drop(index=TOTAL).iterrows():
        mine = expected.loc[segment] if segment in expected.index else pd.Series(0.0, index=given.columns)
        _hold_equal(mine[given.columns], row)
    assert set(expected.index) <= set(given.index)
    owner = snap.opportunities.set_index("opportunity_id").reindex(deals["opportunity_id"])
    owner = owner["owner"].fillna("").to_numpy() if "owner" in owner else np.full(len(deals), "")
    for sums in (by_period.sum(), by_period.groupby(owner).sum().sum()):
        if len(deals):
            _hold_equal(sums[given.columns], given.loc[TOTAL])

    # What comes in these months is no more than what comes in the end.
    assert (by_month.sum(axis=1).abs() <= deals["expected_amount"].abs() + CENT).all()
    # A credit brings less than nothing, in every month.
    credit = deals["opportunity_id"].map(snap.opportunities.set_index("opportunity_id")["amount"]).lt(0)
    assert (deals.loc[~credit, [*columns.values(), "expected_amount"]] >= 0).all(axis=None)
    assert (deals.loc[credit, [*columns.values(), "expected_amount"]] <= 0).all(axis=None)


def _quarter(month: str, snap: Snapshot) -> str:
    period = int(month[:4]) * 12 + int(month[5:]) - 1
    return str(snap.calendar.quarter_label(int(snap.calendar.quarter_of(period))))


def _hold_equal(mine: pd.Series, given: pd.Series) -> None:
    np.testing.assert_allclose(mine.to_numpy(float), given.to_numpy(float), rtol=1e-12, atol=CENT)
