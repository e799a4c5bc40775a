"""How fast `forecast check` goes through a large company, beside pandas doing one plain pass for each rule.

A company of a million opportunities and four million rows of history, as Parquet. Measured in a process of its own: CPU
seconds of all findings after the tables are read, and the most memory above what the tables themselves take. The peer
holds the same columns as pandas reads them and asks one vectorised question for each rule: missing values, bounds,
allowed values, doubled keys, names that do not join, dates in order, counts by day and month, medians, last rows.

    python -m benchmarks.speed.checking --opportunities 1000000 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results import record

_ROWS_EACH = 4

OURS = """
import json, resource, sys, time
from forecast.data.sources.files import read_location, locate
from forecast.data.checks import validation
from forecast.data.audit.audit import misleading
read = read_location(locate(sys.argv[1]))
held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
log, found = validation.examine(read.tables, read.company, keep=False)
read_by = time.process_time()
found += misleading(log)
spent = time.process_time() - start
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"cpu": spent, "checks": read_by - start, "memory": (most - held) / 1024, "found": len(found)}))
"""

PEER = """
import json, resource, sys, time
from benchmarks.speed.checking import plain_passes
import pandas as pd
tables = {name: pd.read_parquet(f"{sys.argv[1]}/{name}.parquet") for name in ("opportunities", "opportunity_history")}
held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
found = plain_passes(tables["opportunities"], tables["opportunity_history"])
spent = time.process_time() - start
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"cpu": spent, "checks": 0.0, "memory": (most - held) / 1024, "found": found}))
"""


def plain_passes(deals: pd.DataFrame, history: pd.DataFrame) -> int:
    """Ask one question of pandas for each rule; return how many were asked."""
    asked = 0
    for frame in (deals, history):
        for name, column in frame.items():
            column.isna().sum()
            asked += 1
            if pd.api.types.is_numeric_dtype(column.dtype):
                (column < 0).sum(), (column > 1e15).sum(), np.isinf(column).sum()
                asked += 3
            elif pd.api.types.is_datetime64_any_dtype(column.dtype):
                (
                    (column < pd.Timestamp("1900-01-01", tz=column.dt.tz))
                    | (column > pd.Timestamp("2200-01-01", tz=column.dt.tz))
                ).sum()
                asked += 1
            elif name != "opportunity_id":
                column.value_counts(), (column != column.str.strip()).sum()
                asked += 2
    deals["opportunity_id"].duplicated().sum(), history.duplicated(["opportunity_id", "recorded_at"]).sum()
    (~history["opportunity_id"].isin(deals["opportunity_id"])).sum()
    (~deals["opportunity_id"].isin(history["opportunity_id"])).sum()
    (deals["closed_on"] < deals["created_on"]).sum(), (deals["expected_close_on"] < deals["created_on"]).sum()
    (deals["closed_on"] == deals["created_on"]).sum()
    for column in ("created_on", "closed_on", "expected_close_on"):
        deals[column].value_counts(), deals[column].dt.to_period("M").value_counts()
    history["recorded_at"].dt.tz_localize(None).dt.to_period("M").value_counts()
    deals.groupby(deals["created_on"].dt.to_period("M"))["amount"].median()
    deals.groupby("segment")["amount"].median(), deals["amount"].nlargest(1000)
    deals.groupby(["segment", "outcome"]).size()
    deals.duplicated(["created_on", "segment", "amount", "owner"]).sum()
    last = history.drop_duplicates("opportunity_id", keep="last")
    both = deals.merge(last, on="opportunity_id", how="left", suffixes=("", "_last"))
    for column in ("stage", "amount", "expected_close_on"):
        (both[column] != both[f"{column}_last"]).sum()
    first = history.drop_duplicates("opportunity_id")
    deals.merge(first[["opportunity_id", "recorded_at"]], on="opportunity_id", how="left")["recorded_at"].isna().sum()
    (history["stage"] != history["stage"].shift()).sum(), (history["amount"] / history["amount"].shift() > 50).sum()
    history.groupby("stage")["recorded_at"].agg(["min", "max", "size"])
    return asked + 27


def company(opportunities: int, folder: Path, *, seed: int = 0) -> None:
    """Write a company of that many opportunities, each with four rows of history; amounts and dates at random."""
    rng = np.random.default_rng(seed)
    n = opportunities
    created = np.datetime64("2019-01-01") + np.sort(rng.integers(0, 2800, n))
    takes = rng.integers(20, 200, n)
    closed = created + takes
    end = np.datetime64("2026-10-31")
    is_closed = closed <= end
    outcome = np.where(is_closed, np.where(rng.random(n) < 0.4, "won", "lost"), "open")
    stage = np.select([outcome == "won", outcome == "lost"], ["Won", "Lost"], "Propose")
    ids = np.char.add("O-", np.char.zfill(np.arange(n).astype("str"), 8))
    amount = np.round(rng.lognormal(9, 1, n), 2)
    deals = pd.DataFrame(
        {
            "opportunity_id": ids,
            "created_on": created.astype("datetime64[us]"),
            "segment": np.array([f"Region {letter}" for letter in "ABCDEFGHIJKL"])[rng.integers(0, 12, n)],
            "stage": stage,
            "amount": amount,
            "expected_close_on": closed.astype("datetime64[us]"),
            "closed_on": np.where(is_closed, closed, np.datetime64("NaT")).astype("datetime64[us]"),
            "outcome": outcome,
            "owner": np.char.add("Rep ", np.char.zfill(rng.integers(0, 400, n).astype("str"), 3)),
            "product": np.array(["Alpha", "Beta", "Gamma", "Delta"])[rng.integers(0, 4, n)],
        }
    )
    row = np.repeat(np.arange(n), _ROWS_EACH)
    step = np.tile(np.arange(_ROWS_EACH), n)
    part = np.minimum(created[row] + takes[row] * step // (_ROWS_EACH - 1), end)
    names = np.array(["Qualify", "Develop", "Propose", ""])[step]
    history = pd.DataFrame(
        {
            "opportunity_id": ids[row],
            "recorded_at": pd.Series(part.astype("datetime64[us]") + step.astype("timedelta64[h]")).dt.tz_localize(
                "UTC"
            ),
            "stage": np.where(step == _ROWS_EACH - 1, stage[row], names),
            "amount": amount[row],
            "expected_close_on": closed[row].astype("datetime64[us]"),
        }
    )
    stages = {"stage": ["Qualify", "Develop", "Propose", "Won", "Lost"], "position": range(1, 6)}
    folder.mkdir(parents=True, exist_ok=True)
    deals.to_parquet(folder / "opportunities.parquet")
    history.to_parquet(folder / "opportunity_history.parquet")
    pd.DataFrame({**stages, "outcome": ["open"] * 3 + ["won", "lost"]}).to_csv(folder / "stages.csv", index=False)
    (folder / "company.toml").write_text('currency = "EUR"\nextracted_on = 2026-10-31\n', encoding="utf-8")


def measured(code: str, folder: Path) -> dict[str, float]:
    """Return what a process of its own measured of itself."""
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--opportunities", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        company(chosen.opportunities, folder)
        rounds = {"check": [measured(OURS, folder)], "pandas": [measured(PEER, folder)]}
        for _ in range(chosen.rounds - 1):
            rounds["check"].append(measured(OURS, folder))
            rounds["pandas"].append(measured(PEER, folder))
    case = f"{chosen.opportunities:,} opportunities, {_ROWS_EACH * chosen.opportunities:,} rows of history"
    rows = []
    for who, found in rounds.items():
        for measure, unit in (("cpu", "s"), ("memory", "MB")):
            value = statistics.median(each[measure] for each in found)
            rows.append((case, f"{who}, {measure}", value, unit))
            print(f"{who:7} {measure:7} {value:8.2f} {unit}")
    ratio = statistics.median(a["cpu"] / b["cpu"] for a, b in zip(rounds["check"], rounds["pandas"], strict=True))
    print(f"ratio of CPU seconds, check / pandas: {ratio:.2f}")
    record("checking", [*rows, (case, "cpu, check / pandas", ratio, "ratio")])


if __name__ == "__main__":
    main()
