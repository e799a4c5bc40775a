# ruff: noqa: PTH204, PTH207
"""Fifty ways to see the future, each a model; and honest models that look as if they did. A module that is imported.

Every leak is a function `(snap) -> float` in LEAKS with how it gets at the future (`KINDS`); `leak_<number>` is the
model of each, which a test asks for by name, and `honest_<name>` of each of HONEST. The data are where DATA says.
"""

from __future__ import annotations

import csv
import gc
import glob
import json
import mmap
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import forecast
from forecast.data.known.ledger import ledger_of
from forecast.data.known.settled import settled_actuals
from forecast.data.schema import Log

DATA = Path(os.environ.get("FORECAST_PLANTED_DATA", "data/sample"))
DEALS, HISTORY = DATA / "opportunities.csv", DATA / "opportunity_history.csv"

LOG = forecast.read(DATA)
"""Read when the module is imported, as a notebook would have it."""

WON = set(LOG.opportunities.query("outcome == 'won'")["opportunity_id"])
SEEN: list[int] = []
Snap = Any


@cache
def _actuals() -> pd.DataFrame:
    return settled_actuals(LOG)


def _open_ids(snap: Snap) -> pd.Series:
    return snap.opportunities.loc[snap.opportunities["outcome"] == "open", "opportunity_id"]


def _deals() -> pd.DataFrame:
    return pd.read_csv(DEALS)


def _after(snap: Snap, column: pd.Series) -> pd.Series:
    return pd.to_datetime(column) > snap.as_of


def _target(snap: Snap) -> str:
    return str(snap.targets(1)[0])


class _Kept:
    """A log held where a method finds it."""

    log: Log = LOG

    def won(self, snap: Snap) -> float:
        return float(_open_ids(snap).isin(self.log.opportunities.query("outcome == 'won'")["opportunity_id"]).sum())


def _default(snap: Snap, table: pd.DataFrame = LOG.opportunities) -> float:
    return float(table.loc[_after(snap, table["created_on"]), "amount"].sum())


def _closure() -> Callable[[Snap], float]:
    other = forecast.read(DATA)
    return lambda snap: float(_after(snap, other.opportunities["closed_on"]).sum())


def _found(kind: type) -> Any:
    return next(each for each in gc.get_objects() if isinstance(each, kind))


def _frames(snap: Snap) -> float:
    """Look up the stack for whoever holds the log."""
    frame: Any = sys._getframe()
    while frame is not None:
        for value in frame.f_locals.values():
            if isinstance(value, Log):
                return float(_after(snap, value.opportunities["closed_on"]).sum())
        frame = frame.f_back
    return 0.0


def _sql(snap: Snap, text: str) -> float:
    import duckdb

    with duckdb.connect() as base:
        found = base.execute(text.format(day=f"{snap.as_of:%Y-%m-%d}")).fetchone()
    return float(found[0] or 0.0) if found else 0.0


def _arrow(snap: Snap) -> float:
    import pyarrow.compute as pc
    import pyarrow.csv as pacsv

    return float(pc.sum(pacsv.read_csv(DEALS)["amount"]).as_py()) + len(snap.segments)


def _dataset(snap: Snap) -> float:
    import pyarrow.dataset as pads

    return float(pads.dataset(DEALS, format="csv").count_rows()) + len(snap.segments)


def _copied(snap: Snap) -> float:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(DATA, Path(folder) / "copy")
        return float(_after(snap, forecast.read(Path(folder) / "copy").opportunities["created_on"]).sum())


def _shell(*command: str) -> float:
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])


def _sqlite(snap: Snap) -> float:
    with sqlite3.connect(":memory:") as base:
        _deals().to_sql("deals", base)
        return float(
            base.execute("select count(*) from deals where closed_on > ?", [str(snap.as_of.date())]).fetchone()[0]
        )


def _mapped() -> float:
    with DEALS.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return float(text[:].count(b"won"))


def _raw() -> float:
    handle = os.open(HISTORY, os.O_RDONLY)
    try:
        return float(len(os.read(handle, 1 << 26)))
    finally:
        os.close(handle)


def _remembered(snap: Snap) -> float:
    SEEN.append(len(snap.opportunities))
    return float(max(SEEN))


def _lines(snap: Snap) -> float:
    with HISTORY.open(encoding="utf-8") as file:
        return float(sum(row["recorded_at"] > str(snap.as_of) for row in csv.DictReader(file)))


def _submitted(snap: Snap) -> float:
    said = LOG.tables["submitted_forecasts"]
    return float(said.loc[_after(snap, said["submitted_on"]), "amount"].sum())


def _later_marketing(snap: Snap) -> float:
    rows = LOG.tables["marketing"]
    return float(rows.loc[rows["period"] >= _target(snap), "leads"].sum())


def _scored(snap: Snap) -> float:
    """Choose the best of three numbers by how it would have come out."""
    came = _actuals().loc[_actuals()["period"] == _target(snap), "amount"].sum()
    return float(min((came * share for share in (0.9, 1.0, 1.1)), key=lambda value: abs(value - came)))


def _fitted(snap: Snap) -> float:
    """Fit a level to all settled months, those after the day among them."""
    return float(_actuals()["amount"].mean()) + 0.0 * len(snap.segments)


def _backtested(snap: Snap) -> float:
    track = forecast.backtest(LOG, origins=[snap.as_of], models=["seasonal-naive"], months=1)
    return float(track["observed"].sum())


def _landmarks(snap: Snap) -> float:
    labels = forecast.landmarks(LOG, origins=[snap.as_of], horizon=3)["won"].to_numpy()
    return float(np.flatnonzero(labels == 1.0).sum())


def _next_snapshot(snap: Snap) -> float:
    later = forecast.snapshot(LOG, as_of=snap.as_of + pd.Timedelta(days=45))
    return float(later.opportunities["amount"].sum())


def _last_ledger(snap: Snap) -> float:
    return float((ledger_of(LOG).as_of(LOG.extracted_on).closed_in > snap.period).sum())


KINDS = {
    "outcomes": "what became of deals, from a log the module holds",
    "targets": "what was booked in the months asked for",
    "later rows": "rows of later days, of any table",
    "another log": "a log reached through a closure, a default, a class, the process",
    "files": "the data's files, by any reader",
    "dates of files": "when files were changed, how large they are, how many",
    "memory": "what it remembers of other days",
}

LEAKS: list[tuple[str, str, Callable[[Snap], float]]] = [
    ("outcomes", "deals open now that are won", lambda s: float(_open_ids(s).isin(WON).sum())),
    (
        "outcomes",
        "their amounts today",
        lambda s: float(LOG.opportunities.set_index("opportunity_id")["amount"].reindex(_open_ids(s)).sum()),
    ),
    (
        "outcomes",
        "their stages today",
        lambda s: float(
            LOG.opportunities.set_index("opportunity_id")["stage"].reindex(_open_ids(s)).eq("Closed lost").sum()
        ),
    ),
    (
        "outcomes",
        "their closing days",
        lambda s: float(LOG.opportunities.set_index("opportunity_id")["closed_on"].reindex(_open_ids(s)).notna().sum()),
    ),
    (
        "outcomes",
        "their expected close dates today",
        lambda s: float(
            (
                LOG.opportunities.set_index("opportunity_id")["expected_close_on"].reindex(_open_ids(s)) - s.as_of
            ).dt.days.sum()
        ),
    ),
    (
        "outcomes",
        "their reasons of loss",
        lambda s: float(
            LOG.opportunities.set_index("opportunity_id")["lost_reason"].reindex(_open_ids(s)).notna().sum()
        ),
    ),
    ("outcomes", "a classifier's labels: landmarks with their outcome", _landmarks),
    (
        "targets",
        "the bookings of the month asked for",
        lambda s: float(_actuals().loc[_actuals()["period"] == _target(s), "amount"].sum()),
    ),
    (
        "targets",
        "the largest month of all",
        lambda s: float(_actuals().groupby("period")["amount"].sum().max()) + len(s.segments),
    ),
    ("targets", "a level fitted to all months", _fitted),
    ("targets", "the best of three, by how it came out", _scored),
    ("targets", "observed, from a backtest", _backtested),
    (
        "targets",
        "bookings added up from deals",
        lambda s: float(
            LOG.opportunities.loc[
                _after(s, LOG.opportunities["closed_on"]) & (LOG.opportunities["outcome"] == "won"), "amount"
            ].sum()
        ),
    ),
    (
        "targets",
        "the mean and spread of all amounts, to scale by",
        lambda s: float(LOG.opportunities["amount"].std()) + len(s.segments),
    ),
    ("later rows", "deals created later", lambda s: float(_after(s, LOG.opportunities["created_on"]).sum())),
    (
        "later rows",
        "history recorded later",
        lambda s: float(
            (LOG.tables["opportunity_history"]["recorded_at"] > s.as_of.tz_localize("UTC") + pd.Timedelta(days=1)).sum()
        ),
    ),
    (
        "later rows",
        "amounts in history recorded later",
        lambda s: float(LOG.tables["opportunity_history"]["amount"].iloc[-400:].sum()) + len(s.segments),
    ),
    ("later rows", "leads that came later", lambda s: float(_after(s, LOG.tables["leads"]["created_on"]).sum())),
    ("later rows", "leads qualified later", lambda s: float(_after(s, LOG.tables["leads"]["qualified_on"]).sum())),
    ("later rows", "marketing of later months", _later_marketing),
    ("later rows", "forecasts submitted later", _submitted),
    (
        "later rows",
        "costs of later months",
        lambda s: float(LOG.tables["costs"].loc[LOG.tables["costs"]["period"] >= _target(s), "amount"].sum()),
    ),
    (
        "later rows",
        "satisfaction of later months",
        lambda s: float(
            LOG.tables["delivery"].loc[LOG.tables["delivery"]["period"] >= _target(s), "satisfaction"].sum()
        ),
    ),
    ("later rows", "a snapshot of six weeks later", _next_snapshot),
    ("another log", "a closure over a log of its own", _closure),
    ("another log", "a table that is a default argument", _default),
    ("another log", "a method of a class that holds the log", lambda s: _Kept().won(s)),
    ("another log", "the ledger of the last day", _last_ledger),
    (
        "another log",
        "any log in the memory of the process",
        lambda s: float(_after(s, _found(Log).opportunities["closed_on"]).sum()),
    ),
    ("another log", "the local variables of whoever called", _frames),
    (
        "another log",
        "a log read within the call",
        lambda s: float(_after(s, forecast.read(DATA).opportunities["closed_on"]).sum()),
    ),
    ("files", "pandas, read_csv", lambda s: float(_after(s, _deals()["created_on"]).sum())),
    ("files", "csv and a loop", _lines),
    (
        "files",
        "pyarrow, through its own reader",
        _arrow,
    ),
    (
        "files",
        "pyarrow, as a data set",
        _dataset,
    ),
    ("files", "DuckDB", lambda s: _sql(s, f"select count(*) from '{DEALS}' where closed_on > '{{day}}'")),
    ("files", "SQLite over the file", _sqlite),
    ("files", "numpy, fromfile", lambda s: float(np.fromfile(HISTORY, dtype=np.uint8).sum()) + len(s.segments)),
    ("files", "a memory map", lambda s: _mapped() + len(s.segments)),
    ("files", "os.open and os.read", lambda s: _raw() + len(s.segments)),
    ("files", "another program, grep", lambda s: _shell("grep", "-c", "won", str(DEALS)) + len(s.segments)),
    ("files", "a copy it makes", _copied),
    (
        "files",
        "by the real path",
        lambda s: float(len(Path(os.path.realpath(DEALS)).read_text("utf-8"))) + len(s.segments),
    ),
    (
        "files",
        "by a glob of the folder above",
        lambda s: (
            float(sum(len(Path(f).read_bytes()) for f in glob.glob(f"{DATA.parent}/*/leads.csv"))) + len(s.segments)
        ),
    ),
    ("dates of files", "when a table was changed", lambda s: DEALS.stat().st_mtime + len(s.segments)),
    ("dates of files", "when the folder was changed", lambda s: os.path.getmtime(DATA) + len(s.segments)),
    ("dates of files", "how large a table is", lambda s: float(HISTORY.stat().st_size) + len(s.segments)),
    (
        "dates of files",
        "the newest file, by scandir",
        lambda s: max(each.stat().st_mtime for each in os.scandir(DATA)) + len(s.segments),
    ),
    ("memory", "the most deals it ever saw", _remembered),
    ("memory", "a file it left behind", lambda s: _left_behind(s)),
]


def _left_behind(snap: Snap) -> float:
    file = Path(os.environ["FORECAST_PLANTED_NOTES"]) / f"{os.getppid()}.json"
    said = json.loads(file.read_text("utf-8")) if file.is_file() else []
    said.append(len(snap.opportunities))
    file.write_text(json.dumps(said), encoding="utf-8")
    return float(max(said))


def _then(snap: Snap) -> float:
    return float((forecast.snapshot(LOG, as_of=snap.as_of).opportunities["outcome"] == "won").sum())


def _known_file(snap: Snap) -> float:
    deals = _deals()
    return float((pd.to_datetime(deals["created_on"]) <= snap.as_of - pd.Timedelta(days=400)).sum())


HONEST: dict[str, Callable[[Snap], float]] = {
    "plain": lambda s: float(s.opportunities.query("outcome == 'won'")["amount"].sum()),
    "snapshot_of_its_own": _then,
    "file_up_to_then": _known_file,
    "plan": lambda s: float(s.plan["amount"].sum()),
    "drawn": lambda s: float(np.random.default_rng(len(s.opportunities)).normal()),
}


def _model(value: Callable[[Snap], float]) -> Callable[..., pd.DataFrame]:
    def model(snap: Snap, *, months: int, seed: int) -> pd.DataFrame:  # noqa: ARG001
        rows = pd.MultiIndex.from_product([snap.segments, snap.targets(months)], names=["segment", "target_period"])
        return rows.to_frame(index=False).assign(mean=float(value(snap)))

    return model


def __getattr__(name: str) -> Callable[..., pd.DataFrame]:
    """Return a model by its name, made when it is asked for."""
    kind, _, which = name.partition("_")
    if kind == "leak" and which.isdigit() and int(which) < len(LEAKS):
        value = LEAKS[int(which)][2]
        return _model(_closure() if value is _closure else value)
    if kind == "honest" and which in HONEST:
        return _model(HONEST[which])
    raise AttributeError(name)
