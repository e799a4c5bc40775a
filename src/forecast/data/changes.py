"""What changed between two snapshots: a waterfall whose bars sum exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from forecast.data.snapshots import Snapshot


def changes(before: Snapshot, after: Snapshot, *, quarter: int | None = None) -> pd.DataFrame:
    """Placeholder while the rest lands."""
    raise NotImplementedError
