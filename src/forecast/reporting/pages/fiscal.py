"""What the name of a month means where a company's months are not those of the calendar; every page says it.

A module of its own, because the run that makes the pages needs it and nothing else of what is on them.
"""

from __future__ import annotations

import pandas as pd

from forecast import wording
from forecast.calendar import period_label
from forecast.data.schema import Company

# -- sentences ------------------------------------------------------------------------------------------


def fiscal_months(company: Company, *, as_of: str | pd.Timestamp) -> str:
    """Return what a month's name means where it is no month of the calendar, empty where it is one.

    >>> fiscal_months(Company(calendar="4-5-4", fiscal_year_start=2, week_starts_on="sunday"), as_of="2026-10-10")
    'Months are fiscal months of weeks (4-5-4): October 2026 is 4 October to 31 October 2026.'
    """
    calendar = company.periods
    if calendar.by_month:
        return ""
    period = calendar.period(as_of)
    kind = "the company’s own fiscal months" if calendar.own else f"fiscal months of weeks ({calendar.pattern})"
    start, end = calendar.start(period), calendar.end(period)
    first = wording.day(start) if start.year != end.year else wording.day(start).rsplit(" ", 1)[0]
    return f"Months are {kind}: {wording.month(period_label(period))} is {first} to {wording.day(end)}."
