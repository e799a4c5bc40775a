"""A scenario small enough to be worked out by hand."""

from __future__ import annotations

import numpy as np

from forecast.models.pipeline.components import Components
from forecast.reporting.explorer.scenario import Base


def two_deals() -> Base:
    """One segment, two steps: A is won by 0.5 now and 0.2 then, worth 100; B by 0.1 and 0.3, worth 1,000."""
    parts = Components(
        ids=np.array(["A", "B"], dtype=object),
        segment=np.array([0, 0]),
        chance=np.array([[0.5, 0.2], [0.1, 0.3]]),
        won_before=np.zeros(2),
        value=np.array([[100.0, 100.0], [1000.0, 1000.0]]),
        booked=np.array([[10.0, 0.0]]),
        wins=np.array([[1.0, 2.0]]),
        new=np.array([[40.0, 80.0]]),
        marketed=np.array([[20.0, 80.0]]),
        pool=np.array([40.0]),
        ratios=np.ones(1),
        common=np.zeros(2),
        own=np.zeros(2),
    )
    return Base(parts=parts, periods=np.array([24322, 24323]), segments=("North",), seed=0)
