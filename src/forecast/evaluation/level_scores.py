"""How near past forecasts by level were: by kind of node and lead time, and node by node, with luck.

By kind the misses of all nodes are pooled: the further down, the larger, since what one owner gains another loses. Node
by node the question is whether forecasts were too high or too low, by more than luck: its months' errors are held
against nothing by the test of every record (`diebold_mariano`), and all nodes together to one level of
0.5 %, on top of the 5 % of the page's other words.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.evaluation.judgement import Estimate, judge, of_test
from forecast.evaluation.scores.amounts import ratio
from forecast.evaluation.scores.comparison import diebold_mariano

LEVEL = 0.005
"""How often one of all nodes is called too high or too low though its errors are luck."""

COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("of", "kind"), "str"),
    "level": "int64",
    **dict.fromkeys(("path", "node"), "str"),
    "horizon": "int64",
    "n": "int64",
    **dict.fromkeys(("booked", "wape", "bias", "p_value", "p_page"), "float64"),
    "verdict": "str",
}
"""The columns of the table and their kinds."""


def scores_by_level(track: pd.DataFrame) -> pd.DataFrame:
    """Return how near forecasts by level were.

    Parameters
    ----------
    track : of `backtest_by_level`, `observed` NaN where not settled by the day asked about.

    Returns
    -------
    COLUMNS. First a row a tree, kind and horizon, with path and node empty: n forecasts of node and month, what was
    booked, wape (sum of errors without sign over bookings) and bias (forecast less bookings, over bookings). Then a row
    a node below the whole, at the shortest lead time of a month or more: n months, and `verdict`: whether the bias is
    above or below 0 beyond luck, unclear, or too few months for a test; p_page is corrected over all nodes. Shares of
    1; nan where nothing was booked.
    """
    settled = track[track["observed"].notna()]
    settled = settled.assign(error=settled["mean"] - settled["observed"])
    if settled.empty:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})
    kinds = [
        {"of": of, "kind": kind, "level": int(rows["level"].min()), "horizon": horizon, **_figures(rows)}
        for (of, kind, horizon), rows in settled.groupby(["of", "kind", "horizon"])
    ]
    leads = settled.loc[settled["horizon"] >= 1, "horizon"]
    first = settled[(settled["horizon"] == (leads.min() if len(leads) else 0)) & (settled["level"] > 0)]
    nodes = {name: rows.sort_values("origin") for name, rows in first.groupby(["of", "path"])}
    found = judge({name: _bias(rows) for name, rows in nodes.items()}, level=LEVEL)
    by_node = [
        {
            **{name: rows[name].iloc[-1] for name in ("of", "kind", "level", "path", "node", "horizon")},
            **_figures(rows),
            "p_value": found[name].estimate.p_value,
            "p_page": found[name].p_page,
            "verdict": found[name].verdict,
        }
        for name, rows in nodes.items()
    ]
    frame = pd.DataFrame([*kinds, *by_node], columns=list(COLUMNS))
    text = [name for name, kind in COLUMNS.items() if kind == "str"]
    return frame.fillna(dict.fromkeys(text, "")).astype(dict(COLUMNS))


def _figures(rows: pd.DataFrame) -> dict[str, float]:
    """Return n, booked, wape and bias of some forecasts."""
    booked = float(rows["observed"].sum())
    return {
        "n": len(rows),
        "booked": booked,
        "wape": ratio(rows["error"].abs().sum(), booked),
        "bias": ratio(rows["error"].sum(), booked),
    }


def _bias(rows: pd.DataFrame) -> Estimate:
    """Return the bias of a node, held against 0; rows : a month each, in time order."""
    errors = rows.assign(t=parse_periods(rows["target_period"])).groupby("t")["error"].sum()
    test = diebold_mariano(errors, np.zeros(len(errors)))
    return of_test(test, value=ratio(rows["error"].sum(), rows["observed"].sum()))
