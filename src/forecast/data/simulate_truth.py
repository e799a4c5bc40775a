"""The oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.data.simulate_clock import Clock
from forecast.data.simulate_demand import Demand, Leads, Staff
from forecast.data.simulate_pipeline import Pipeline


@dataclass(frozen=True)
class Truth:
    """The hidden state."""

    clock: Clock
    staff: Staff
    demand: Demand
    leads: Leads
    pipeline: Pipeline
    actual: np.ndarray


def expected_bookings(simulation, origin, months=6):
    raise NotImplementedError
