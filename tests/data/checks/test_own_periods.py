"""A company's own fiscal months: bookings fall where the table says, and a table that cannot be one is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.known.settled import settled_actuals
from forecast.errors import DataError
from logs import STAGES, log_of, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2025-02-10 East    Won     120    2025-04-30        2025-03-28 won
    B              2025-02-10 East    Won     60     2025-04-30        2025-03-29 won
    C              2026-05-11 East    Propose 61     2026-06-30        .          open
    """
)
FIRST = pd.Timestamp("2024-12-28") + pd.to_timedelta(np.cumsum([0, *([28, 28, 35] * 12)])[:36], unit="D")
PERIODS = pd.DataFrame(
    {
        "period": [f"{2025 + k // 12}-{k % 12 + 1:02d}" for k in range(36)],
        "first_day": [str(day.date()) for day in FIRST],
        "quarter": [str(k % 12 // 3 + 1) for k in range(36)],
        "year": [str(2025 + k // 12) for k in range(36)],
    }
)


FOUR_WEEKS = [str(day.date()) for day in pd.date_range("2024-12-28", periods=36, freq="28D")]


def log(periods=PERIODS, **company):
    return log_of({"opportunities": DEALS, "stages": STAGES, "periods": periods}, **company)


def test_bookings_fall_where_the_table_says():
    # Four, four and five weeks from 28 December: 2025-03 goes from 22 February to 28 March.
    read = log()
    assert read.notes == ()
    booked = settled_actuals(read).set_index("period")["amount"]
    assert booked["2025-03"] == 120
    assert booked["2025-04"] == 60
    assert read.company.periods.quarter_label(read.company.periods.quarter_of(2025 * 12 + 3)) == "FY25 Q2"
    assert read.extracted_on == read.company.periods.end(read.company.periods.period("2026-05-11"))


def test_what_the_table_does_not_reach_is_said():
    notes = [note.what for note in log(PERIODS.iloc[4:17]).notes]
    assert notes[0].startswith("the record begins in 2025-02, the table with 2025-05: each period outside it is taken")
    assert notes[1].startswith("the record ends in 2026-05, the table with 2026-05")


@pytest.mark.parametrize(
    ("changes", "company", "message"),
    [
        ({"calendar": "4-4-5"}, {"calendar": "4-4-5"}, "periods: calendar in company.toml says 4-4-5, and this table"),
        ({"rows": slice(0, 11)}, {}, "periods: 11 periods: a year has twelve"),
        ({"drop": 5}, {}, "periods.period: 2025-06 is missing between 2025-05 and 2025-07"),
        ({"first_day": (3, "2026-03-01")}, {}, "periods.first_day: 2025-03 would last 372 days, until 2025-04 begins"),
        ({"first_day": (3, "2025-02-22")}, {}, "2025-03 would last 0 days"),
        ({"quarter": (0, "4")}, {}, "periods.quarter: 2025-01 is of quarter 4 here, and of 1 by fiscal_year_start"),
        ({"first_day": (slice(None), FOUR_WEEKS)}, {}, "the twelve periods from 2025-01 last 336 days, not a year"),
        ({"period": (1, "2025-01")}, {}, "periods.period: the key is there more than once"),
        ({"period": (1, "P2")}, {}, "periods.period: a value is not a month"),
        ({"first_day": (1, None)}, {}, "periods.first_day: this must not be empty"),
    ],
)
def test_tables_that_are_refused(changes, company, message):
    frame = PERIODS.copy()
    for name, value in changes.items():
        if name == "rows":
            frame = frame.iloc[value]
        elif name == "drop":
            frame = frame.drop(index=value)
        elif name in frame:
            frame.loc[value[0], name] = value[1]
    with pytest.raises(DataError) as error:
        log(frame, **company)
    assert message in str(error.value)
    assert "mend:" in str(error.value)


def test_the_mend_names_the_keys_with_which_the_quarters_fit():
    april = PERIODS.assign(
        quarter=[str((k % 12 - 3) % 12 // 3 + 1) for k in range(36)],
        year=[str(2025 + (k - 3) // 12) for k in range(36)],
    )
    with pytest.raises(DataError, match=r'write fiscal_year_start = 4 and year_named_by = "start" in company.toml'):
        log(april)
    assert log(april, fiscal_year_start=4, year_named_by="start").notes == ()
