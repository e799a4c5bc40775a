"""Whom the combination believes: the weight of each forecaster by months ahead, as a table and in sentences."""

from __future__ import annotations

import pandas as pd

from forecast import sources, wording
from forecast.reporting.charts.figure import Format, Notes, Statement, TableView, Together
from forecast.reporting.pages.track.sentences import model_name

FIRST, LEVELLED = "pipeline", "pipeline-levelled"
_NEGLIGIBLE = 0.005


def believed(weights: pd.DataFrame) -> Together:
    """Return whom the combination believes: the finding, the weights by months ahead, and how they come about.

    weights : the month's table, as `combinations` gives it; empty where too little has settled.
    """
    if weights.empty:
        return Together(Statement(TOO_FEW, kind="nothing"))
    shown = by_months_ahead(weights)
    ahead = list(shown.columns[2:])
    heads = {"model": "forecast", "level": PUT_AT, **{name: name for name in ahead}}
    formats: dict[str, Format] = {"model": name_of, **dict.fromkeys(["level", *ahead], wording.whole)}
    table = TableView(shown, CAPTION, columns=heads, formats=formats)
    return Together(Statement(f"{finding(weights)}."), table, Notes(explained(weights)))


def by_months_ahead(weights: pd.DataFrame) -> pd.DataFrame:
    """Return a row a forecaster, in the order of the weights, and a column a number of months ahead; `level` = habit.

    A forecaster that never entered has a row of zeros, so that it shows that it was asked.
    """
    wide = weights.pivot(index="model", columns="horizon", values="weight").sort_index(axis=1)
    level = weights.drop_duplicates("model").set_index("model")["habit"]
    wide.columns = pd.Index([IN_PROGRESS if ahead == 0 else wording.spelt(int(ahead)) for ahead in wide.columns])
    wide.insert(0, "level", level)
    shown = wide.loc[list(dict.fromkeys(weights["model"]))]
    return sources.named(shown.rename_axis(None, axis=1).reset_index(), "weights_by_months_ahead")


# -- sentences ------------------------------------------------------------------------------------------

TOO_FEW = "The combination is the model alone: too few months have settled to weigh anybody."
CAPTION = "Weight of each forecast in the combination, by months ahead; put at: its usual level"
IN_PROGRESS, PUT_AT = "in progress", "put at"
NOBODY = "Nobody adds to the model: the combination is the model alone"
HOW = (
    "The weights come from the errors of the last two years, as each forecast was made then. Who did not make the "
    "model’s past errors smaller by more than luck gets nothing; people must add to what the models say."
)
LEVELS = (
    "Each forecast is first put at its usual level: it counts as the share of it that usually comes, as far as enough "
    "months say so."
)
SILENT = "Where somebody is silent, the others share the weight; the table is the mean over segments."


def name_of(model: str) -> str:
    """Return what a forecaster is called on a page."""
    return "the model at its usual level" if model == LEVELLED else model_name(model)


def finding(weights: pd.DataFrame) -> str:
    """Return whom the combination believes for the nearest month, without a full stop."""
    nearest = weights[weights["horizon"] == _nearest(weights)]
    others = nearest[(nearest["model"] != FIRST) & (nearest["weight"] >= _NEGLIGIBLE)]
    further = weights[(weights["model"] != FIRST) & (weights["weight"] >= _NEGLIGIBLE)]
    if further.empty:
        return NOBODY
    when = wording.ahead(_nearest(weights))
    if others.empty:
        last = sources.row(further.sort_values("weight", ascending=False))
        share = wording.percent(last["weight"])
        return (
            f"{sources.capitalised(when)} the combination is the model alone; {wording.ahead(last['horizon'])} "
            f"{name_of(str(last['model']))} has {share} of the weight"
        )
    rows = sources.records(others.sort_values("weight", ascending=False, kind="stable"))
    model = sources.row(nearest[nearest["model"] == FIRST])
    parts = [f"{name_of(FIRST)} {wording.percent(model['weight'])}"]
    parts += [f"{name_of(str(row['model']))} {wording.percent(row['weight'])}" for row in rows]
    return f"{sources.capitalised(when)} the combination gives {wording.joined(parts)} of the weight"


def explained(weights: pd.DataFrame) -> list[str]:
    """Return how the weights come about, and who gets nothing."""
    most = weights.groupby("model", sort=False)["weight"].max()
    nothing = [name_of(str(name)) for name in most[most < _NEGLIGIBLE].index if name not in (FIRST, LEVELLED)]
    told = [HOW, LEVELS]
    if nothing:
        told.append(f"{sources.capitalised(wording.joined(nothing))} {'gets' if len(nothing) == 1 else 'get'} nothing.")
    return [*told, SILENT]


def _nearest(weights: pd.DataFrame) -> int:
    ahead = weights.loc[weights["horizon"] >= 1, "horizon"]
    return int(ahead.min() if len(ahead) else weights["horizon"].min())
