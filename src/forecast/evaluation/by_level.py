"""Past forecasts of every node of the hierarchy, with what was booked in it in the end.

Simple case: at each origin the nodes are those of that day, and what a deal brings counts where its segment, owner and
product stood then. A deal that changed hands since counts with whoever held it when the month had settled: who loses a
deal to a colleague is forecast too high, and that is part of the error. What came from somebody who was not there on
the day is a node of its own with a forecast of 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.known.coding import NONE
from forecast.data.known.ledger import KnownState, Ledger, ledger_of
from forecast.data.known.mended import is_known_alike, one_knowledge_each
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.rates import by_rates
from forecast.data.schema import ADDENDS, Log
from forecast.evaluation.backtest import parse_origins
from forecast.models.hierarchy.forecast import COLUMNS, by_level
from forecast.models.hierarchy.layout import OWNER, PRODUCT, Layout, codes_on, layouts, written
from forecast.models.pipeline.components import components_at_origins

KEY = ("of", "path", "target_period")


def backtest_by_level(
    log: Log,
    *,
    origins: Iterable[str | pd.Timestamp],
    months: int = 6,
    seed: int = 0,
    ranges: bool = True,
    through: Snapshot | None = None,
) -> pd.DataFrame:
    """Return the forecasts by level of every origin, with what was booked in each node in the end.

    Parameters
    ----------
    origins : days, or months such as 2025-06 (their last day). months, seed : as `forecast_by_level` takes them.
    ranges : False leaves the quantiles nan, which takes a tenth of the time. through : as `backtest` takes it.

    Returns
    -------
    Rows of `forecast_by_level` of months alone, by origin, with `observed`: settled bookings of the node in the month,
    nan where it has not settled yet. A node that brought something and was not there on the day has a row too: mean 0,
    quantiles nan. Without rows where the company has no hierarchy.

    Raises
    ------
    ParameterError : as `backtest` raises it.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> track = forecast.backtest_by_level(log, origins=["2025-06"], months=3, ranges=False)
    >>> set(track["of"].unique()) >= {"segment", "product"}, track["target_period"].nunique()
    (True, 3)
    """
    days = parse_origins(log, origins)
    parts = [
        part
        for at, mine in by_rates(log, days)
        for part in _tracks(at, list(itertools.compress(days, mine)), months, seed, ranges=ranges, through=through)
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=[*COLUMNS, "observed"]).astype({"observed": "float64"})
    return pd.concat(filled, ignore_index=True)


def _tracks(
    log: Log, days: Sequence[pd.Timestamp], months: int, seed: int, *, ranges: bool, through: Snapshot | None
) -> Iterator[pd.DataFrame]:
    if not days or "hierarchy" not in log:
        return
    ledger = ledger_of(log)
    days = [day for day in days if day >= ledger.first_day]
    came = _settled(log, ledger, days, months=months)
    for group in one_knowledge_each(log, days, ledger=replace(ledger)):
        snap = through
        if snap is None or not snap.ledger.kept or not is_known_alike(log, group[-1], snap.as_of, ledger=ledger):
            snap = snapshot(log, as_of=group[-1], ledger=ledger)
        for origin in components_at_origins(snap, origins=group, steps=months, marketing=True):
            table = by_level(origin, months=months, seed=seed if ranges else None).table
            by_month = table[~table["target_period"].str.contains(" ")].reset_index(drop=True)
            yield _with_observed(by_month, origin.view, came)


def _settled(log: Log, ledger: Ledger, days: Sequence[pd.Timestamp], *, months: int) -> pd.DataFrame:
    """Return every deal won in a month that has settled, of those that are forecast: period (text), segment, owner,
    product, amount; names as known once it had settled, owner and product empty where unknown."""
    calendar = log.company.periods
    settle = log.company.settle_days
    first = min((calendar.period(day) for day in days), default=0)
    last = min(
        max((calendar.period(day) for day in days), default=-1) + months,
        calendar.last_settled(log.extracted_on, settle_days=settle),
    )
    periods = range(first, last + 1)
    frames = []
    states = ledger.walk(calendar.settles_on(period, settle_days=settle) for period in periods)
    for period, state in zip(periods, states, strict=True):
        won = state.won_deals[state.closed_in[state.won_deals] == period]
        won = won[state.segment[won] != NONE]
        names = {name: _names_on(state, name, won) for name in (OWNER, PRODUCT)}
        segment = np.array(ledger.segments, dtype=object)[state.segment[won]]
        frames.append(
            pd.DataFrame(
                {"target_period": period_label(period), "segment": segment, **names, "amount": state.amount[won]}
            )
        )
    empty = pd.DataFrame(columns=["target_period", "segment", OWNER, PRODUCT, "amount"])
    settled = pd.concat([frame for frame in frames if len(frame)] or [empty], ignore_index=True)
    settled.attrs["periods"] = [period_label(period) for period in periods]
    return settled.assign(amount=settled["amount"].astype("float64").fillna(0.0))


def _names_on(state: KnownState, column: str, deals: np.ndarray) -> np.ndarray:
    found = state.ledger.columns.get(column)
    if found is None or found.levels is None:
        return np.full(len(deals), "", dtype=object)
    return np.array([*found.levels, ""], dtype=object)[codes_on(state, column, deals)]


def _with_observed(table: pd.DataFrame, view: KnownState, came: pd.DataFrame) -> pd.DataFrame:
    """Return a day's table with what came of each node, and rows for those that nobody knew of."""
    settled = came.attrs["periods"]
    inside = came[came["target_period"].isin(table["target_period"].unique())]
    sums = pd.concat([_by_node(inside, tree) for tree in view.once(layouts)] or [inside], ignore_index=True)
    if not len(table):
        return table.assign(observed=np.nan)
    joined = table.merge(sums, on=list(KEY), how="outer", suffixes=("", "_of"), indicator=True, sort=False)
    new = (joined["_merge"] == "right_only").to_numpy()
    for name in ("level", "kind", "node", "parent"):
        joined[name] = joined[name].where(~new, joined[f"{name}_of"])
    horizon = dict(zip(table["target_period"], table["horizon"], strict=True))
    joined["horizon"] = joined["target_period"].map(horizon)
    joined["origin"] = view.as_of
    joined.loc[new, ["mean", *ADDENDS]] = 0.0
    is_settled = joined["target_period"].isin(settled)
    joined["observed"] = joined["observed"].fillna(0.0).where(is_settled)
    joined = joined.sort_values(["of", "path", "horizon"], kind="stable", ignore_index=True)
    kinds = {"level": "int64", "horizon": "int64", "origin": "datetime64[us]"}
    return joined[[*COLUMNS, "observed"]].astype(kinds)


def _by_node(came: pd.DataFrame, tree: Layout) -> pd.DataFrame:
    """Return what came of each node of a tree: KEY, level, kind, node, parent, observed."""
    by = [each for each in ("segment", tree.by) if each]
    cells = came.groupby(["target_period", *by], observed=True)["amount"].sum().reset_index()
    rows = []
    for cell in cells.to_dict("records"):
        nodes = tree.nodes_of(cell["segment"], cell.get(tree.by, "") if tree.by else "")
        for path, kind in nodes:
            rows.append(
                {
                    "of": tree.of,
                    "path": written(path),
                    "target_period": cell["target_period"],
                    "level": len(path),
                    "kind": kind,
                    "node": path[-1] if path else written(path),
                    "parent": (written(()), *path)[-2] if path else "",
                    "observed": cell["amount"],
                }
            )
    columns = [*KEY, "level", "kind", "node", "parent", "observed"]
    frame = pd.DataFrame(rows, columns=columns)
    first = dict.fromkeys(("level", "kind", "node", "parent"), "first")
    return frame.groupby(list(KEY), as_index=False).agg({**first, "observed": "sum"})
