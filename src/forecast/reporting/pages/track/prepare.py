"""What the charts of the track record draw: rows of scores and of past forecasts, put into records once.

Nothing here is a sentence and nothing draws; `sentences` describes these records and `charts` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.judgement import Finding
from forecast.models.registry import own_among

OURS, BENCHMARK = "pipeline", "ets"
LUCK = 0.05
"""A difference counts where luck alone shows as much at most this often, corrected for how many are looked at."""

_MOST_SERIES, _MOST_OWN = 5, 2
_OTHERS = ("stage-weighted-future", "seasonal-naive", "stage-weighted", "pipeline-sales-only", "ets-theta")


# -- rows of scores and of past forecasts ---------------------------------------------------------------


def monthly(scores: pd.DataFrame, *, level: str = "segment") -> pd.DataFrame:
    """Return the scores of months on one level, by model and horizon; not those of single reps (`by_rep`)."""
    rows = scores[(scores["span"] == "month") & (scores["level"] == level) & (scores["n"] > 0)]
    rows = rows[~rows["model"].isin(reps_of(rows))]
    return rows.sort_values(["model", "horizon"])


def as_made(backtest: pd.DataFrame, *, model: str = OURS, horizon: int = 1, segment: str = TOTAL) -> pd.DataFrame:
    """Return past forecasts of one lead time as they were made, with what was booked, in order of months."""
    rows = backtest[(backtest["model"] == model) & (backtest["horizon"] == horizon) & (backtest["segment"] == segment)]
    rows = rows[~is_quarter(rows["target_period"]) & rows["observed"].notna()]
    return rows.sort_values("target_period")


def reps_of(scores: pd.DataFrame) -> list[str]:
    """Return the models that are forecasts of single reps."""
    return list(scores.loc[scores["by_rep"].astype(bool), "model"].unique()) if "by_rep" in scores else []


def in_order(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of months that rest on any forecast: ours first, then people, the benchmark and the rest."""
    rows = scores[(scores["span"] == "month") & (scores["n"] > 0)]
    rank = {name: i for i, name in enumerate(order_of(rows["model"].unique()))}
    order = rows["model"].map(rank)
    return rows.assign(_order=order).sort_values(["_order", "level", "horizon"]).drop(columns="_order")


def by_segment(summary: pd.DataFrame, *, reps: Sequence[str] = (), models: int = 5) -> pd.DataFrame:
    """Return the miss of each forecast by segment, one column a model, Total last; a table of the page.

    summary : by model and segment, with wape. reps : models that are left out. models : how many at most; ours and the
    benchmark are among them, then people by name.
    """
    known = summary[summary["wape"].notna() & ~summary["model"].isin(reps)]
    names = set(known["model"].unique())
    first = [name for name in (OURS, BENCHMARK, *own_among(sorted(names))) if name in names]
    kept = [*first, *(name for name in order_of(names) if name in names and name not in first)][:models]
    wide = known[known["model"].isin(kept)].pivot_table(index="segment", columns="model", values="wape")
    wide = wide[[model for model in order_of(kept) if model in wide]]
    rows = [*sorted(set(wide.index) - {TOTAL}), *([TOTAL] if TOTAL in wide.index else [])]
    return sources.named(wide.reindex(rows).rename_axis(None, axis=1).reset_index(), "by_segment")


def order_of(models: Iterable[str]) -> list[str]:
    """Return the models in the order of tables: ours, people by name, one's own, the benchmark, the rest by name."""
    names = sorted(models)
    first = [OURS, *(name for name in names if name.startswith("submitted-")), *own_among(names), BENCHMARK]
    return [*first, *(name for name in names if name not in first)]


# -- records --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How far forecasts miss, by model and months ahead.

    scores : all that were given, for the words. models : at most five, in the order of their lines. rows : their scores
    of months, with `drawn`, the miss as a share of what was booked (WAPE) or, where `relative`, of the benchmark's miss
    on the same targets (1 - skill). judged : what may be said of them, by question.
    """

    scores: pd.DataFrame
    models: Sequence[str]
    rows: pd.DataFrame
    level: str
    relative: bool
    judged: Mapping[str, Finding]

    @property
    def series(self) -> Mapping[str, pd.DataFrame]:
        """The rows of each model."""
        return {model: self.rows[self.rows["model"] == model] for model in self.models}

    @property
    def horizons(self) -> list[int]:
        """All months ahead that are drawn, in order."""
        return sorted({int(horizon) for horizon in self.rows["horizon"]})


def prepare_accuracy(scores: pd.DataFrame, *, level: str, relative: bool, judged: Mapping[str, Finding]) -> Accuracy:
    """Return the misses of the models worth drawing; relative ones only where the benchmark is there.

    scores : as `summarise` gives them by model, span, level and horizon.
    """
    rows = monthly(scores, level=level)
    rows = rows[rows["wape"].notna()]
    benchmark = rows["model"] == BENCHMARK
    relative = relative and bool(benchmark.any())
    drawn = rows["wape"]
    if relative:
        compared = (rows["model"] == OURS) | rows["model"].str.startswith("submitted-")
        rows = rows[benchmark | (compared & rows["skill"].notna())]
        drawn = (1 - rows["skill"]).where(rows["model"] != BENCHMARK, 1.0)
    models = _worth_drawing(list(rows["model"].unique()))
    rows = rows.assign(drawn=drawn)[rows["model"].isin(models)]
    return Accuracy(scores=scores, models=models, rows=rows, level=level, relative=relative, judged=judged)


def _worth_drawing(models: list[str]) -> list[str]:
    """Return at most five models: ours, people, the benchmark, the best known of the rest; and two of one's own."""
    order = [OURS, *sorted(model for model in models if model.startswith("submitted-")), BENCHMARK, *_OTHERS]
    known = [model for model in order if model in models][:_MOST_SERIES] or models[:_MOST_SERIES]
    return [*known, *(model for model in own_among(models) if model not in known)][: len(known) + _MOST_OWN]


@dataclass(frozen=True, kw_only=True)
class PastForecasts:
    """Months as forecast `horizon` months before, and as booked; rows of a backtest, one a month, in order.

    since : the first month of an alarm on the company's forecast; empty for none.
    """

    rows: pd.DataFrame
    horizon: int
    segment: str
    company: Company
    since: str = ""

    @property
    def lead(self) -> str:
        """How far ahead of its month each forecast was made, in words."""
        return wording.ahead(sources.row(self.rows)["horizon"] if len(self.rows) else self.horizon)

    @property
    def inside(self) -> np.ndarray:
        """Whether each month ended inside its 80 % range."""
        return self.rows["observed"].between(self.rows["q10"], self.rows["q90"]).to_numpy()

    @property
    def largest(self) -> float:
        """The largest amount drawn; at least 1, so that an axis has a length."""
        return float(np.nanmax([self.rows["q97.5"].max(), self.rows["observed"].max(), 1.0]))

    @property
    def unit(self) -> str:
        """The unit of the axis of amounts, in words."""
        return wording.axis_unit(self.largest, currency=self.company.currency)[1]

    @property
    def is_known(self) -> bool:
        """Whether any month has a forecast to draw."""
        return bool(self.rows["q50"].notna().any())
