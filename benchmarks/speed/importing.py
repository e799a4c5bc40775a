"""CPU of importing a Salesforce export (200,000 opportunities, 1,000,000 rows of history), beside pandas reading it.

    python -m benchmarks.speed.importing --rounds 5

Both read the same two files; the import also brings them to our columns, mends, validates and writes the folder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.data.sources.crm.importing import import_crm


def write_export(folder: Path, *, opportunities: int, history: int, seed: int = 0) -> None:
    """Write Opportunity.csv and OpportunityHistory.csv as the API exports them."""
    random = np.random.default_rng(seed)
    ids = np.array([f"006{number:012d}AAA" for number in range(opportunities)])
    created = pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, 1_600 * 86_400, opportunities), unit="s")
    outcome = random.choice(
        ["Closed Won", "Closed Lost", "Prospecting", "Proposal"], opportunities, p=[0.3, 0.5, 0.1, 0.1]
    )
    closed = np.char.startswith(outcome.astype(str), "Closed")
    close = created + pd.to_timedelta(random.integers(5, 200, opportunities), unit="D")
    amount = np.round(random.lognormal(9, 1, opportunities), 2)
    stamp = "%Y-%m-%dT%H:%M:%S.000Z"
    pd.DataFrame(
        {
            "Id": ids,
            "IsDeleted": "false",
            "StageName": outcome,
            "Amount": amount,
            "CloseDate": close.strftime("%Y-%m-%d"),
            "CreatedDate": created.strftime(stamp),
            "IsClosed": np.where(closed, "true", "false"),
            "IsWon": np.where(outcome == "Closed Won", "true", "false"),
            "OwnerId": np.array([f"005{number:012d}AAA" for number in random.integers(0, 200, opportunities)]),
            "Type": random.choice(["New Business", "Existing Business"], opportunities),
            "LeadSource": random.choice(["Web", "Event", "Partner"], opportunities),
            "LastModifiedDate": (close + pd.Timedelta(hours=9)).strftime(stamp),
        }
    ).to_csv(folder / "Opportunity.csv", index=False)
    deal = np.sort(random.integers(0, opportunities, history))
    later = np.round(random.random(history) * 86_400 * 150).astype(int)
    pd.DataFrame(
        {
            "Id": np.array([f"008{number:012d}AAA" for number in range(history)]),
            "OpportunityId": ids[deal],
            "CreatedDate": (created[deal] + pd.to_timedelta(later, unit="s")).strftime(stamp),
            "StageName": random.choice(["Prospecting", "Proposal", "Negotiation"], history),
            "Amount": amount[deal],
            "CloseDate": close[deal].strftime("%Y-%m-%d"),
            "Probability": random.choice([10, 40, 80], history),
            "ForecastCategory": random.choice(["Pipeline", "BestCase", "Forecast"], history),
        }
    ).to_csv(folder / "OpportunityHistory.csv", index=False)


def _cpu(work) -> float:  # type: ignore[no-untyped-def]
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opportunities", type=int, default=200_000)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "export", Path(name) / "ours"
        source.mkdir()
        write_export(source, opportunities=asked.opportunities, history=asked.history)
        files = sorted(source.glob("*.csv"))
        ours, pandas = [], []
        for _ in range(asked.rounds):
            pandas.append(_cpu(lambda: [pd.read_csv(file) for file in files]))
            ours.append(_cpu(lambda: import_crm("salesforce", source, out)))
    print(f"pandas {statistics.median(pandas):.2f} s, import {statistics.median(ours):.2f} s, CPU", end=", ")
    print(f"ratio {statistics.median(ours) / statistics.median(pandas):.2f}")


if __name__ == "__main__":
    main()
