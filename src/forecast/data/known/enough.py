"""Whether enough is known on a day to forecast from it: the one rule, of the forecast and of the audit alike.

Simple case: a company that has closed two deals has shown too little for any chance to be worth a number. The forecast
then says so instead of giving one (`models/pipeline/components`), and the audit says so before (`audit/audit`). Another
has closed enough, but each deal was closed in the month in which it was entered, so that none was ever seen open.
"""

from __future__ import annotations

from forecast.data.known.coding import OPEN
from forecast.data.known.ledger import KnownState

FEWEST_CLOSED = 10
"""Closed deals below which no probability is given."""

FEWEST_MONTHS = 3
"""Complete months of records below which nothing is forecast."""

NOTHING_TO_LEARN = "no deal was open at a past month's end, so nothing can be learned; a month more is needed"
"""Why there is no forecast although enough deals have closed: none was seen open before a month that has settled."""

MORE_RECORD = "forecast from a later day, or bring a longer history"
"""What to do where too little is known."""


def closed_deals(view: KnownState) -> int:
    """Return how many closed deals are known."""
    return int(((view.outcome != OPEN) & view.known).sum())


def complete_months(view: KnownState) -> int:
    """Return how many months are over, from the first in which a deal was created; 0 where none was."""
    born = view.ledger.created_in[view.known]
    born = born[born > 0]
    return max(view.last_complete - int(born.min()) + 1, 0) if len(born) else 0


def too_thin(view: KnownState) -> str | None:
    """Return why no forecast can be made, or None.

    Example: `only 2 closed deals are known, at least 10 are needed`.
    """
    closed, months = closed_deals(view), complete_months(view)
    if closed < FEWEST_CLOSED:
        return f"only {_are(closed, 'closed deal')} known, at least {FEWEST_CLOSED} are needed"
    if months < FEWEST_MONTHS:
        return f"only {_are(months, 'complete month')} recorded, at least {FEWEST_MONTHS} are needed"
    return None


def why_no_forecast(view: KnownState) -> str | None:
    """Return why the forecast of the view's day will abstain, or None where it will not; without making one."""
    return too_thin(view) or (None if _seen_open(view) else NOTHING_TO_LEARN)


def _seen_open(view: KnownState) -> bool:
    """Say whether a deal was known to be open before a month that has settled since, and whose closures are recorded.

    Simple case: at the end of any month but the last few. In the middle of a month, as much of each is over.
    """
    ahead = view.first_target - view.period
    born = view.ledger.created_in[view.known]
    first = max(view.closures_recorded_from - ahead, int(born[born > 0].min()))
    days = view.ledger.days_like(view.as_of, first=first)
    settled = days[: max(view.last_settled - ahead - first + 1, 0)]
    return any(len(then.open_deals) > 0 for then in view.ledger.walk(settled))


def _are(count: int, noun: str) -> str:
    return f"{count} {noun} is" if count == 1 else f"{count} {noun}s are"
