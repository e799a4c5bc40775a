"""`forecast.landmarks`: the deals open on past days, as they were known then, and whether they were won in time."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from forecast.data.known.ledger import ledger_of
from forecast.data.rates import at_rates_of
from forecast.data.schema import FURTHEST_MONTH, Log
from forecast.errors import ParameterError
from forecast.evaluation.backtest import parse_origins
from forecast.models.own.landmark_table import open_deals, with_outcome


def landmarks(
    log: Log,
    *,
    origins: Iterable[str | pd.Timestamp],
    horizon: int = 3,
    as_of: str | pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Return the deals that were open on past days, one row a day and deal, and whether each was won in time.

    Parameters
    ----------
    log : the company's tables.
    origins : days, or months such as 2025-06 (their last day); no duplicates, none after the log's last day.
    horizon : months, 1 to 24: won means won by the end of the month so many months after the origin's.
    as_of : the day whose knowledge tells what became of the deals; by default the log's last day.

    Returns
    -------
    By origin, then opportunity_id, as known at the end of the origin: origin (date), opportunity_id, segment, stage,
    amount (reporting currency), age and stage_age (months since creation and since the stage was entered),
    months_to_close (to the expected close date, negative where it has passed), slips (times that date had moved later),
    created_on, expected_close_on, then every other column known of a deal (type, lead_source, product, owner,
    lead_score, …). What was not known is empty. Last `won`: 1.0 or 0.0; nan where the months had not settled by as_of.

    A deal open on several origins is a row on each (a landmark: van Houwelingen & Putter, 2012), so that rows of a deal
    are not independent: split by origin or by deal, never by row.

    Raises
    ------
    ParameterError : an origin is no date, doubled, or after as_of; horizon is out of range.

    Examples
    --------
    >>> import forecast
    >>> seen = forecast.landmarks(forecast.read("data/sample"), origins=["2026-01", "2026-02"], horizon=3)
    >>> seen.groupby("origin")["won"].mean().round(2).tolist()
    [0.48, 0.48]
    """
    if isinstance(horizon, bool) or not isinstance(horizon, int) or not 1 <= horizon <= FURTHEST_MONTH:
        raise ParameterError(f"horizon: {horizon!r} is not a whole number from 1 to {FURTHEST_MONTH}")
    days = parse_origins(log, origins)
    ledger = ledger_of(log)
    now = ledger.as_of(log.extracted_on if as_of is None else as_of)
    if days[-1] > now.as_of:
        raise ParameterError(f"origins: {days[-1]:%Y-%m-%d} is after as_of, {now.as_of:%Y-%m-%d}")
    parts = []
    for day in days:
        at = at_rates_of(log, day)
        then = (ledger if at is log else ledger_of(at)).as_of(day)
        parts.append(with_outcome(open_deals(then), then, now, horizon=horizon))
    return pd.concat(parts, ignore_index=True)
