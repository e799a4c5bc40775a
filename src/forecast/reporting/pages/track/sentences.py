"""What the track record and the win probabilities say, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from forecast import wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL
from forecast.evaluation.scores.events import auc, brier

OURS, BENCHMARK = "pipeline", "ets"
LUCK = 0.05
"""A difference counts where luck alone shows as much at most this often, corrected for how many are looked at."""

_GENITIVE = ("’s", "’")

_MODELS = {
    "pipeline": "the model",
    "pipeline-sales-only": "the model without marketing",
    "ets": "benchmark",
    "ets-theta": "benchmark and Theta",
    "ets-statsmodels": "statsmodels’ ETS",
    "theta-statsmodels": "statsmodels’ Theta",
    "seasonal-naive": "same as last year",
    "stage-weighted": "stage-weighted",
    "stage-weighted-future": "stage-weighted + future",
    "stage-age": "stage and age",
}


def model_name(model: str) -> str:
    """Return how a forecaster is called on a page."""
    if model.startswith("submitted-"):
        name = wording.label(model.removeprefix("submitted-"))
        return "joint forecast" if name == "joint" else f"{name}{_GENITIVE[name.endswith('s')]} forecast"
    return _MODELS.get(model, wording.label(model))


def ahead(horizon: int) -> str:
    """Return `one month ahead`; 0 is the month in progress."""
    return (
        "in the month itself" if horizon == 0 else f"{wording.plural(horizon, 'month').replace('1 ', 'one ', 1)} ahead"
    )


def monthly(scores: pd.DataFrame, *, level: str = "segment") -> pd.DataFrame:
    """Return the scores of months on one level, by model and horizon; not those of single reps (`by_rep`)."""
    rows = scores[(scores["span"] == "month") & (scores["level"] == level) & (scores["n"] > 0)]
    if "by_rep" in rows:
        rows = rows[~rows["by_rep"].astype(bool)]
    return rows.sort_values(["model", "horizon"], ignore_index=True)


def accuracy_finding(scores: pd.DataFrame, *, level: str = "segment") -> str:
    """Return the title of the track record: the model's miss beside the benchmark's, at the shortest lead time."""
    rows = monthly(scores, level=level)
    table = rows.pivot_table(index="horizon", columns="model", values="wape")
    if OURS not in table or table[OURS].isna().all():
        return "There is no track record yet"
    horizon = int(table[OURS].dropna().index[0])
    ours = table[OURS].loc[horizon]
    what = "segments" if level == "segment" else "the company"
    said = f"{ahead(horizon).capitalize()} the model misses {what} by {wording.percent(ours)}"
    other = table[BENCHMARK].get(horizon, np.nan) if BENCHMARK in table else np.nan
    return said + (f", the benchmark {wording.percent(other)}" if wording.known(other) else "")


def relative_finding(scores: pd.DataFrame, *, level: str = "segment") -> str:
    """Return the title of misses beside the benchmark's on the same forecasts, at the shortest lead time."""
    rows = monthly(scores, level=level)
    ours = rows[(rows["model"] == OURS) & rows["skill"].notna()]
    if ours.empty:
        return accuracy_finding(scores, level=level)
    first = ours.iloc[0]
    share = wording.percent(1 - first["skill"])
    return f"{ahead(int(first['horizon'])).capitalize()} the model’s miss is {share} of the benchmark’s"


def accuracy_sentences(scores: pd.DataFrame, *, level: str = "segment") -> list[str]:
    """Return how the model does beside the benchmark and the people, and whether its ranges held.

    scores : of `month.table("scores")`; p_holm tells a difference from luck.
    """
    rows = monthly(scores, level=level)
    ours = rows[rows["model"] == OURS]
    if ours.empty:
        return ["No past forecast has settled yet, so nothing can be said about accuracy."]
    said = [_skill_sentence(ours, level)] if ours["skill"].notna().any() else []
    said.extend(_people(rows))
    held = ours[ours["coverage80"].notna()]
    if len(held):
        share = float(np.average(held["coverage80"], weights=held["n"]))
        verdict = (
            "as promised"
            if abs(share - 0.8) < 0.05
            else "too rarely: widen them in your mind"
            if share < 0.8
            else "more often than promised: they are too wide"
        )
        of = "segments’ months" if level == "segment" else "the company’s months"
        said.append(
            f"The model’s 80{wording.THIN}% ranges of {of} held {wording.percent(share)} of the time, {verdict}."
        )
    bias = float(np.average(ours["bias"].fillna(0.0), weights=ours["observed"].clip(lower=1e-9)))
    if abs(bias) >= 0.02:
        said.append(f"On the whole it forecast {wording.percent(abs(bias))} too {'much' if bias > 0 else 'little'}.")
    return said


def company_sentence(scores: pd.DataFrame) -> str:
    """Return how the model does beside the benchmark for the company as a whole; empty where nothing is known."""
    rows = monthly(scores, level="total")
    ours = rows[(rows["model"] == OURS) & rows["skill"].notna()]
    return _skill_sentence(ours, "total") if len(ours) else ""


def _skill_sentence(ours: pd.DataFrame, level: str) -> str:
    """Return at which lead times the model beats the benchmark or loses to it beyond luck; rows of one model."""
    known = ours[ours["skill"].notna()]
    what = "a segment’s month" if level == "segment" else "the company’s month"
    p = known["p_holm"] if "p_holm" in known else pd.Series(np.nan, index=known.index)
    better, worse = known[(p <= LUCK) & (known["skill"] > 0)], known[(p <= LUCK) & (known["skill"] < 0)]
    if len(better) == len(known):
        span = _span(better["skill"].min(), better["skill"].max())
        return f"At every lead time the model misses {what} by less than the benchmark, beyond luck: {span} less."
    if better.empty and worse.empty:
        first = known.sort_values("horizon").iloc[0]
        why = (
            "luck could have made the difference"
            if p.notna().any()
            else "the months are too few to tell that from luck"
        )
        when, missed = ahead(int(first["horizon"])).capitalize(), wording.percent(first["wape"])
        said = f"{when} the model misses {what} by {missed}{_beside(first)}"
        return f"{said}; {why}{', also further ahead' if len(known) > 1 else ''}."
    parts = []
    for part, way in ((better, "less"), (worse, "more")):
        if len(part):
            span = _span(part["skill"].abs().min(), part["skill"].abs().max())
            parts.append(f"{_leads(part)} by {span} {way} than the benchmark")
    rest = known.drop(index=[*better.index, *worse.index])
    said = f"The model misses {what} {' and '.join(parts)}, beyond luck"
    return f"{said}; {_leads(rest)} luck could have made the difference." if len(rest) else f"{said}."


def _beside(row: pd.Series) -> str:
    """Return `, the benchmark by 51 %`: its miss on the same targets, since skill = 1 - miss / that miss."""
    same = row["wape"] / (1 - row["skill"]) if row["skill"] < 1 else np.nan
    return f", the benchmark by {wording.percent(same)}" if wording.known(same) else ""


def _leads(rows: pd.DataFrame) -> str:
    """Return `one month ahead`, `1, 2 and 4 months ahead`."""
    horizons = sorted(rows["horizon"].astype(int))
    if len(horizons) == 1:
        return ahead(horizons[0])
    if horizons == list(range(horizons[0], horizons[-1] + 1)) and len(horizons) > 2:
        return f"{horizons[0]} to {horizons[-1]} months ahead"
    return f"{wording.joined(horizons)} months ahead"


def _span(low: float, high: float) -> str:
    first, second = wording.percent(low), wording.percent(high)
    return first if first == second else f"{first} to {second}"


def _the(name: str) -> str:
    return f"The {name}" if name == "joint forecast" else name[0].upper() + name[1:]


def _people(rows: pd.DataFrame) -> list[str]:
    people = rows[rows["model"].str.startswith("submitted-") & rows["skill"].notna()]
    said = []
    for model, group in people.groupby("model"):
        first = group.sort_values("horizon").iloc[0]
        missed = f"misses by {wording.percent(first['wape'])} {ahead(int(first['horizon']))}"
        said.append(
            f"{_the(model_name(str(model)))} {missed}{_beside(first)} ({wording.plural(first['n'], 'forecast')})."
        )
    return said


def coverage_finding(rows: pd.DataFrame) -> str:
    """Return how many of past months ended inside the range given for them; rows have q10, q90 and observed."""
    known = rows.dropna(subset=["q10", "q90", "observed"])
    if known.empty:
        return "No past range can be checked yet"
    inside = int(known["observed"].between(known["q10"], known["q90"]).sum())
    return f"{inside} of {len(known)} months ended inside their 80{wording.THIN}% range"


def as_made(backtest: pd.DataFrame, *, model: str = OURS, horizon: int = 1, segment: str = TOTAL) -> pd.DataFrame:
    """Return past forecasts of one lead time as they were made, beside what was booked, in order of months."""
    rows = backtest[(backtest["model"] == model) & (backtest["horizon"] == horizon) & (backtest["segment"] == segment)]
    rows = rows[~is_quarter(rows["target_period"]) & rows["observed"].notna()]
    return rows.sort_values("target_period", ignore_index=True)


def in_order(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores with ours first, then the people, the benchmark and the rest."""
    rank = {name: i for i, name in enumerate(_order(scores["model"].unique()))}
    order = scores["model"].map(rank)
    return scores.assign(_order=order).sort_values(["_order", "level", "horizon"]).drop(columns="_order")


def _order(models: Iterable[str]) -> list[str]:
    names = sorted(models)
    first = [OURS, *(name for name in names if name.startswith("submitted-")), BENCHMARK]
    return [*first, *(name for name in names if name not in first)]


def by_segment(summary: pd.DataFrame, *, models: int = 5) -> pd.DataFrame:
    """Return the miss of each forecast by segment, one column a forecast, Total last; summary by model and segment."""
    known = summary[summary["wape"].notna()]
    order = _order(known["model"].unique())
    wide = known.pivot_table(index="segment", columns="model", values="wape")
    wide = wide[[model for model in order if model in wide][:models]].rename(columns=model_name)
    names = [*sorted(set(wide.index) - {TOTAL}), *([TOTAL] if TOTAL in wide.index else [])]
    return wide.reindex(names).rename_axis(None, axis=1).reset_index()


# -- win probabilities ----------------------------------------------------------------------------------


def calibration_finding(table: pd.DataFrame) -> str:
    """Return whether what was said happened as often as said; table as `reliability` gives it."""
    known = table[table["n"] > 0] if len(table) else table
    if known.empty:
        return "The odds cannot be checked yet"
    said = float(np.average(known["said"], weights=known["n"]))
    happened = float(np.average(known["happened"], weights=known["n"]))
    outside = known[(known["happened"] < known["band_low"]) | (known["happened"] > known["band_high"])]
    if len(outside) <= max(1, round(0.1 * len(known))) and abs(said - happened) < 0.03:
        return "The odds are honest: what was said happened as often"
    if abs(said - happened) < 0.03:
        return "The odds are right on the whole, not at every level"
    way = "high" if said > happened else "low"
    return f"The odds are too {way}: said {wording.percent(said)}, happened {wording.percent(happened)}"


def calibration_sentence(table: pd.DataFrame) -> str:
    """Return what it means for one deal, from the level with the most deals among those not near zero or one."""
    known = table[(table["n"] > 0) & table["said"].between(0.1, 0.9)] if len(table) else table
    if known.empty:
        return "Too few deals have closed to say what a probability meant."
    row = known.loc[known["n"].idxmax()]
    return (
        f"Of {wording.plural(row['n'], 'deal')} given about {wording.percent(row['said'])}, "
        f"{wording.percent(row['happened'])} were won: no verdict on any one of them."
    )


def deals_finding(deals: pd.DataFrame, *, currency: str) -> str:
    """Return what the open deals are worth, weighed by their odds."""
    known = deals["expected_amount"].dropna()
    if known.empty:
        return "No open deal has a probability" if len(deals) else "There are no open deals"
    worth = wording.money(known.sum(), currency=currency)
    return f"{wording.plural(len(known), 'open deal')} should bring {worth} in the end"


def skill_sentences(said: pd.DataFrame, *, within: str) -> list[str]:
    """Return how well the odds tell deals apart; said has p and won of past deals."""
    if said.empty or said["won"].nunique() < 2:
        return ["Too few deals have closed since the days looked at to say how well the odds tell deals apart."]
    share, area = float(said["won"].mean()), auc(said["won"], said["p"])
    worth = 1 - brier(said["won"], said["p"]) / (share * (1 - share))
    out = [
        f"{wording.plural(len(said), 'probability')} were said on {wording.plural(said['origin'].nunique(), 'day')}; "
        f"{wording.percent(share)} came true ({within}).",
        f"Of two deals, one won and one not, the won one had the higher probability {wording.percent(area)} of the time "  # noqa: E501
        f"(50{wording.THIN}% is chance).",
    ]
    if worth > 0.01:
        out.append(
            f"They are {wording.percent(worth)} better than giving every deal the same probability (Brier score)."
        )
    else:
        out.append("They are no better than giving every deal the same probability (Brier score).")
    return out
