"""Which day is asked for, and whether the data reach it.

Simple case: a day, or a month for its last day, with records up to it. `last-month` and `today` are words for a day
that follows from a moment, which is an argument: nothing here looks at a clock. Data that end long before the day would
read as a month without business: they are refused, unless somebody says that nothing happened.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass, replace

import pandas as pd

from forecast.calendar import Calendar
from forecast.data.checks.validation import last_record
from forecast.data.codes import places
from forecast.data.schema import Log
from forecast.errors import ParameterError

LAST_MONTH, TODAY = "last-month", "today"
NAMED = (LAST_MONTH, TODAY)
"""The words that stand for a day."""

SILENT_DAYS = 10
"""So many days without a record, up to the day that is asked for, are no pause: the data end before it."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a day is asked for: `as_of` and `now` as `day_asked` takes them, `nothing_since` as `covering` does."""

    as_of: str
    now: dt.datetime | None = None
    nothing_since: bool = False

    @property
    def first_guess(self) -> str:
        """A date in place of a word, as long as the company's calendar is not known."""
        return str(self.now.date()) if is_named(self.as_of) and self.now is not None else self.as_of


def is_named(as_of: object) -> bool:
    """Return whether a day is given by a word that needs a moment."""
    return isinstance(as_of, str) and as_of.strip().lower() in NAMED


def day_asked(as_of: str, log: Log, *, now: dt.datetime | None = None) -> pd.Timestamp:
    """Return the day that is meant.

    Parameters
    ----------
    as_of : a day such as `2026-10-31`; a month such as `2026-10`, for its last day in the company's calendar; `today`,
        or `last-month` for the last day of the last month that was over, both where the company is.
    now : the moment, with its zone, that the two words refer to; not looked at for a day or a month.

    Raises
    ------
    ParameterError : it is no day, or a word without a moment.

    Examples
    --------
    >>> day_asked("last-month", log, now=dt.datetime(2026, 11, 3, 6, tzinfo=dt.UTC))  # doctest: +SKIP
    Timestamp('2026-10-31 00:00:00')
    """
    if not is_named(as_of):
        return log.company.periods.parse_day(as_of)
    if now is None or now.tzinfo is None:
        raise ParameterError(f"as_of: {as_of!r} depends on when it is asked; give the moment, with its zone: now")
    today = pd.Timestamp(now.astimezone(zoneinfo.ZoneInfo(log.company.timezone)).date()).as_unit("us")
    return today if as_of.strip().lower() == TODAY else last_month_end(today, log.company.periods)


def last_month_end(today: pd.Timestamp, calendar: Calendar) -> pd.Timestamp:
    """Return the last day of the last month that was over before a day began.

    >>> str(last_month_end(pd.Timestamp("2026-11-01"), Calendar()).date())
    '2026-10-31'
    >>> str(last_month_end(pd.Timestamp("2026-10-31"), Calendar()).date())
    '2026-09-30'
    """
    return calendar.end(calendar.period(today) - 1)


def covering(log: Log, day: pd.Timestamp, *, nothing_since: bool = False) -> Log:
    """Return the log, if its records reach a day; with `nothing_since` a log that says that they do.

    Simple case: somebody said until when the data go (`extracted_on`), and the day is not later. Where nobody did, the
    data go to the end of the month of the last record at most, and there must be a record in the ten days up to the
    day, or one after it.

    Raises ParameterError where they do not, with the day on which they end, and where nothing was known on the day yet.
    """
    said = log.company.extracted_on
    last = said or last_record(log.tables, log.company)
    if day > log.extracted_on or (said is None and (day - last).days >= SILENT_DAYS):
        if not nothing_since:
            raise ParameterError(_ends_before(log, day, last))
        log = replace(log, company=replace(log.company, extracted_on=day), extracted_on=day)
    if day < _first_record(log):
        from forecast.data.known.snapshot import snapshot  # seldom needed, and it loads much

        snapshot(log, as_of=day)  # refuses the day where nothing was known
    return log


def _ends_before(log: Log, day: pd.Timestamp, last: pd.Timestamp) -> str:
    """Say that the data end before a day, when, and what can be done."""
    if day > log.extracted_on:
        what = f"{day.date()} is after the last day of the data, {log.extracted_on.date()}"
        if last < log.extracted_on:
            what += f"; the last record is of {last.date()}"
    else:
        what = f"the data end on {last.date()}, {(day - last).days} days before {day.date()}"
    return (
        f"as_of: {what}: the days in between would read as days without business\n"
        "  mend: bring the export of that day, or ask as of a day that it reaches. Where nothing happened since: write "
        "the day of the export as extracted_on in company.toml (--extracted-on of an import), or give --nothing-since"
    )


def _first_record(log: Log) -> pd.Timestamp:
    """Return the day of the first record: of history, and of deals without."""
    deals, history = log.opportunities, log.get("opportunity_history")
    if history is None or history.empty:
        return deals["created_on"].min()
    followed = places(deals["opportunity_id"], history["opportunity_id"]) >= 0
    recorded = history["recorded_at"].min()
    days = [deals.loc[~followed, "created_on"].min()]
    if pd.notna(recorded):
        days.append(recorded.tz_convert(log.company.timezone).tz_localize(None).normalize())
    return min((day for day in days if pd.notna(day)), default=deals["created_on"].min())
