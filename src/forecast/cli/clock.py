"""The one look at a clock, for `--as-of today` and `--as-of last-month`; the library receives the moment."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """Return this moment, in UTC."""
    return dt.datetime.now(dt.UTC)
