"""Small hand-made snapshots for the tests of the models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import Company

STAGES = pd.DataFrame(
    {
        "stage": ["Early", "Late", "Closed won", "Closed lost"],
        "position": [1.0, 2.0, 3.0, 4.0],
        "outcome": ["open", "open", "won", "lost"],
    }
)


def make_snapshot(
    as_of: str,
    opportunities: pd.DataFrame,
    history: pd.DataFrame | None = None,
    *,
    marketing: pd.DataFrame | None = None,
    plan: pd.DataFrame | None = None,
    company: Company | None = None,
) -> Snapshot:
    """Return a snapshot of tables given as they were known; dates may be text."""
    deals = opportunities.copy()
    for name in ("created_on", "closed_on", "expected_close_on", "stage_since"):
        if name not in deals:
            deals[name] = pd.NaT
        deals[name] = pd.to_datetime(deals[name]).astype("datetime64[us]")
    for name, value in (("segment", "North"), ("stage", "Early"), ("amount", 100.0), ("slips", 0.0)):
        if name not in deals:
            deals[name] = value
    if history is not None:
        history = history.copy()
        history["recorded_on"] = pd.to_datetime(history["recorded_on"]).astype("datetime64[us]")
        history["recorded_at"] = history["recorded_on"].dt.tz_localize("UTC") + pd.Timedelta(hours=12)
        history["expected_close_on"] = pd.to_datetime(history["expected_close_on"]).astype("datetime64[us]")
        meaning = dict(zip(STAGES["stage"], STAGES["outcome"], strict=True))
        history["outcome"] = history["stage"].map(meaning).astype("str")
    return Snapshot(
        as_of=pd.Timestamp(as_of).as_unit("us"),
        company=company or Company(),
        opportunities=deals.sort_values("opportunity_id", ignore_index=True),
        history=history,
        stages=STAGES.copy(),
        leads=None,
        marketing=marketing,
        submitted_forecasts=None,
        plan=plan,
        joint_planning=None,
        quotas=None,
        costs=None,
        delivery=None,
        events=None,
        segments=tuple(sorted(deals["segment"].unique())),
        has_history=history is not None,
        notes=(),
    )


def plain_company(
    *,
    deals: int,
    months: int,
    seed: int,
    won: float = 0.15,
    lost: float = 0.15,
    segments: int = 1,
    amount: float = 100.0,
) -> pd.DataFrame:
    """Return opportunities of a company without history whose deals close with constant hazards each month.

    Deals are created on the 10th of months 2020-01 onwards and may close on the 20th of each later month; as of the
    end of the last month.
    """
    rng = np.random.default_rng([seed, 77])
    start = 2020 * 12
    born = start + rng.integers(0, months, deals)
    u = rng.random((deals, months))
    event = np.where(u < won, 1, np.where(u < won + lost, 2, 0))
    age = np.where((event > 0).any(axis=1), (event > 0).argmax(axis=1) + 1, 10_000)
    closed = born + age
    known = closed < start + months
    which = event[np.arange(deals), np.minimum(age - 1, months - 1)]
    outcome = np.where(known, np.array(["open", "won", "lost"])[which], "open")

    def day(period: np.ndarray, of_month: int) -> list[str]:
        return [f"{p // 12:04d}-{p % 12 + 1:02d}-{of_month:02d}" for p in period]

    closed_on = np.where(known, day(np.where(known, closed, start), 20), None)
    return pd.DataFrame(
        {
            "opportunity_id": [f"O{i:06d}" for i in range(deals)],
            "created_on": day(born, 10),
            "closed_on": closed_on,
            "outcome": pd.Series(outcome, dtype="str"),
            "segment": pd.Series([f"S{i % segments}" for i in range(deals)], dtype="str"),
            "amount": amount,
        }
    )
