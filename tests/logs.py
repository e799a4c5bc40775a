"""Small logs for the tests: written out by hand, or random with a known past and an arbitrary future."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log

STAGES = pd.DataFrame(
    {
        "stage": ["Qualify", "Propose", "Won", "Lost"],
        "position": ["1", "2", "3", "4"],
        "outcome": ["open", "open", "won", "lost"],
    }
)


def table(text: str) -> pd.DataFrame:
    """Return a table written as lines of words; `.` is an empty value."""
    lines = [line.split() for line in text.strip().splitlines()]
    frame = pd.DataFrame(lines[1:], columns=lines[0], dtype="str")
    return frame.mask(frame == ".")


def log_of(tables: dict[str, pd.DataFrame], **company: Any) -> Log:
    return validate(tables, Company(**company))


def random_tables(
    past: int, future: int, *, as_of: str, deals: int = 12, carry: bool = True
) -> dict[str, pd.DataFrame]:
    """Return random tables in which what is recorded up to `as_of` depends on `past` alone, the rest on `future` too.

    `carry`: history carries closed_on, owner and segment. Otherwise closures of the past are recorded on the day they
    take effect, since a closure that is undone later leaves no other trace of its date.
    """
    cut = pd.Timestamp(as_of)
    rows: list[dict[str, Any]] = []
    opportunities: list[dict[str, Any]] = []
    later = np.random.default_rng([future, 9])
    for number in range(deals + int(later.integers(0, 4))):
        before = number < deals
        rng = np.random.default_rng([past, number]) if before else np.random.default_rng([future, number])
        first = -int(rng.integers(0, 120)) if before else int(rng.integers(1, 60))
        day, changes = first, []
        state = {"stage": "Qualify", "amount": int(rng.integers(1, 100)), "due": first + int(rng.integers(5, 90))}
        state |= {"owner": f"Rep {rng.integers(3)}", "segment": ["East", "West"][int(rng.integers(2))], "closed": None}
        home = state["segment"]
        while day <= 90:
            if day > 0 and before and changes and changes[-1][0] <= 0:
                rng = np.random.default_rng([future, number])  # from here on another future
                day = max(1, day - int(rng.integers(0, 20)))
            changes.append((day, dict(state)))
            day += int(rng.integers(1, 50))
            state["stage"] = str(rng.choice(["Qualify", "Propose", "Won", "Lost"], p=[0.2, 0.3, 0.3, 0.2]))
            state["amount"] = int(rng.integers(1, 100))
            state["due"] = day + int(rng.integers(-5, 60)) if rng.random() < 0.8 else None
            state["owner"] = f"Rep {rng.integers(3)}"
            if carry:
                state["segment"] = ["East", "West"][int(rng.integers(2))]
            ended = state["stage"] in ("Won", "Lost")
            late = int(rng.integers(0, 6)) if carry or day > 0 else 0
            if not ended:
                state["closed"] = None
            elif carry or changes[-1][1]["stage"] != state["stage"]:
                state["closed"] = max(day - late, changes[-1][0])  # not before it was reopened
        for at, what in changes:
            moment = cut + pd.Timedelta(days=at, hours=9)
            row = {"opportunity_id": f"O{number:02d}", "recorded_at": moment.strftime("%Y-%m-%dT%H:%M:%S")}
            row |= {"stage": what["stage"], "amount": str(what["amount"]), "expected_close_on": _text(cut, what["due"])}
            if carry:
                row |= {"closed_on": _text(cut, what["closed"]), "owner": what["owner"], "segment": what["segment"]}
            rows.append(row)
        today = changes[-1][1]
        opportunities.append(
            {
                "opportunity_id": f"O{number:02d}",
                "created_on": _text(cut, first),
                "segment": today["segment"] if carry else home,
                "stage": today["stage"],
                "amount": str(today["amount"]),
                "expected_close_on": _text(cut, today["due"]),
                "closed_on": _text(cut, today["closed"]),
                "outcome": {"Won": "won", "Lost": "lost"}.get(today["stage"], "open"),
                "product": f"P{number % 3}",
            }
        )
    return {
        "opportunities": pd.DataFrame(opportunities),
        "opportunity_history": pd.DataFrame(rows),
        "stages": STAGES,
        **_side_tables(past, future, cut),
    }


def _side_tables(past: int, future: int, cut: pd.Timestamp) -> dict[str, pd.DataFrame]:
    known, new = np.random.default_rng([past, 77]), np.random.default_rng([future, 78])
    leads, submitted = [], []
    for number in range(12):
        came = int(known.integers(-60, 1)) if number < 8 else int(new.integers(1, 30))
        worked = came + int(known.integers(0, 5)) if number < 4 else int(new.integers(max(1, came), 40))
        if number < 4:
            worked = min(worked, 0)
        leads.append(
            {
                "lead_id": f"L{number}",
                "created_on": _text(cut, came),
                "segment": "East",
                "channel": "web",
                "worked_on": _text(cut, worked),
            }
        )
        amount = known.integers(1, 99) if number < 8 else new.integers(1, 99)
        submitted.append(
            {
                "submitted_on": _text(cut, came),
                "target_period": "2026-12",
                "segment": "East",
                "submitter": f"s{number}",
                "amount": str(amount),
            }
        )
    # The month of the cut has not ended on it, so its figures may still be anything.
    months = [cut.to_period("M") + step for step in (-2, -1, 0, 1)]
    marketing = pd.DataFrame(
        {
            "period": [str(month) for month in months],
            "segment": "East",
            "leads": [str(known.integers(9)), str(known.integers(9)), str(new.integers(9)), str(new.integers(9))],
        }
    )
    return {"leads": pd.DataFrame(leads), "submitted_forecasts": pd.DataFrame(submitted), "marketing": marketing}


def _text(cut: pd.Timestamp, days: int | None) -> str | None:
    return None if days is None else (cut + pd.Timedelta(days=days)).strftime("%Y-%m-%d")


def counted(month_counts: dict[str, list[int]]) -> Log:
    """Return a log without history of deals by segment and month from January 2024; each is lost after 60 days."""
    rows = []
    for segment, counts in month_counts.items():
        for at, count in enumerate(counts):
            start = pd.Timestamp("2024-01-01") + pd.DateOffset(months=at)
            days = [start + pd.Timedelta(days=k * 27 // max(count, 1)) for k in range(count)]
            rows += [(segment, day) for day in days]
    frame = pd.DataFrame(rows, columns=["segment", "created_on"])
    end = pd.Timestamp("2024-01-01") + pd.DateOffset(months=len(counts)) - pd.Timedelta(days=1)
    frame["closed_on"] = frame["created_on"] + pd.Timedelta(days=60)
    frame["outcome"] = np.where(frame["closed_on"] <= end, "lost", "open")
    frame["closed_on"] = frame["closed_on"].where(frame["outcome"] == "lost")
    frame["opportunity_id"] = [f"O{k:05d}" for k in range(len(frame))]
    frame = frame.assign(stage=frame["outcome"], amount=10.0, expected_close_on=pd.NaT)
    return validate({"opportunities": frame}, Company(extracted_on=end.as_unit("us")))
