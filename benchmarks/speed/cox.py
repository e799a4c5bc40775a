"""One origin, both causes: our win probabilities against lifelines' CoxTimeVaryingFitter on the same deals and months.

    python -m benchmarks.speed.cox [--sizes 20000,200000] [--repeats 3]

Ours is everything: the snapshot, 36 months of landmarks, both hazards, skill and calibration, P(win) of every open
deal. Theirs is the two fits alone, on one row a deal and month end with the covariates of `analyst_quick`; making these
rows and predicting are not counted. lifelines needs an older pandas and is installed (pip, once) into an environment of
its own under benchmarks/.cache.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from benchmarks.peers.environments import run_peer
from benchmarks.results import record
from benchmarks.speed import analyst_quick

ORIGIN = pd.Timestamp("2026-04-30")


def rows_of(folder: str) -> pd.DataFrame:
    """Return one row a deal and month end, from that day to the next month end or the closure."""
    work = analyst_quick.prepare(analyst_quick.read_tables(folder), "Europe/Berlin")
    known = work.history[work.history["day"] <= ORIGIN]
    ends = pd.date_range(end=ORIGIN, periods=analyst_quick.LOOKBACK + 1, freq="ME")[:-1]
    past = analyst_quick.landmark_states(work, known, ends)
    month = ORIGIN.year * 12 + ORIGIN.month - 1
    past = analyst_quick.with_outcomes(work, known, past, month)
    # Closed on the landmark's own day or before it: a record that came late; half a day stands in.
    closed = work.deals["closed_on"].to_numpy()[past["deal"]] - work.deals["created_on"].to_numpy()[past["deal"]]
    closed = closed / np.timedelta64(1, "D") / 30.4
    now = (past["event"] == 0).to_numpy()
    start = past["age"].to_numpy()
    stop = np.where(now, np.maximum(closed, start + 0.5 / 30.4), start + 1.0)
    won = now & (past["closed_as"] == work.won_code).to_numpy()
    away = np.where(past["due"] > 90, 4, np.clip(past["due"], -3, 3))
    levels = {name: past[name] for name in ("stage", *analyst_quick.ATTRIBUTES)} | {"away": away}
    dummies = pd.get_dummies(pd.DataFrame(levels).astype("category"), drop_first=True, dtype=float)
    numbers = {
        "size": past["size"] - past["size"].mean(),
        "stage_age": np.log1p(past["stage_age"]),
        "slips": past["slips"],
        "lead_score": past["lead_score"] / 10,
        "overdue": past["overdue"].astype(float),
    }
    for code in range(1, len(work.stages)):
        numbers[f"size:{code}"] = numbers["size"] * (past["stage"] == code)
    frame = pd.DataFrame(
        {"deal": past["deal"], "start": start.round(2), "stop": stop.round(2), "won": won, "lost": now & ~won} | numbers
    )
    frame["stop"] = np.maximum(frame["stop"], frame["start"] + 0.01)
    return pd.concat([frame, dummies], axis=1).reset_index(drop=True)


def ours(log: forecast.Log) -> float:
    """Return CPU seconds of a snapshot and the win probabilities of its open deals."""
    start = time.process_time()
    forecast.win_probabilities(forecast.snapshot(log, as_of=ORIGIN), seed=0)
    return time.process_time() - start


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="20000,200000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found: list[tuple[str, str, float, str]] = []
    with tempfile.TemporaryDirectory() as place:
        for size in [int(text) for text in options.sizes.split(",")]:
            folder = Path(place) / str(size)
            command = [sys.executable, "-m", "forecast", "simulate", "--out", str(folder), "--opportunities", str(size)]
            subprocess.run([*command, "--seed", str(options.seed)], check=True, capture_output=True)
            path = folder / "rows.parquet.of-peer"
            rows_of(str(folder)).to_parquet(path)
            log = forecast.read(folder)
            ours(log)  # loads what is loaded at the first call
            mine, peer = [], []
            for _ in range(options.repeats):
                mine.append(ours(log))
                peer.append(run_peer("lifelines", "lifelines_cox.py", str(path)))
            our = float(np.median(mine))
            their = float(np.median([each["won"] + each["lost"] for each in peer]))
            case = f"{size} opportunities, one origin"
            found += [(case, "win probabilities CPU", our, "s"), (case, "lifelines Cox CPU", their, "s")]
            found += [(case, "ratio", their / our, "x")]
            what = f"{int(peer[0]['rows']):,} rows, {int(peer[0]['columns'])} columns"
            print(f"{case} ({what}): ours {our:.2f} s, lifelines {their:.1f} s, {their / our:.1f} x", flush=True)
    record("win probability speed", found)


if __name__ == "__main__":
    main()
