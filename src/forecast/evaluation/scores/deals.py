"""Are the odds honest: the probabilities of deals on past days, held against what became of them.

`deal_track` collects them, `reliability` says whether they came true as often as they should, and `second_opinion`
whether another model's were nearer, with a test that says how often chance alone would show as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.codes import places
from forecast.data.known.ledger import Ledger, ledger_of
from forecast.data.known.mended import is_known_alike, one_knowledge_each
from forecast.data.known.snapshot import Snapshot, past_due, snapshot
from forecast.data.schema import HORIZONS, Log
from forecast.errors import ParameterError
from forecast.evaluation.scores.comparison import PairedTest, diebold_mariano
from forecast.evaluation.scores.events import (
    auc,
    binomial_quantile,
    brier,
    calibration,
    log_score,
    wins_in_the_end,
    wins_interval,
)
from forecast.models.own.model import copied
from forecast.models.win.challenger import KINDS, challenger_probabilities
from forecast.models.win.probabilities import FAR, Today, fit_at_days, odds_ahead, odds_table

CHANCE = 0.95
CHALLENGERS = ("none", *KINDS)

Opinion = Callable[..., pd.DataFrame]
"""A second model of one's own: called as opinion(snapshot, horizon=, seed=), it gives opportunity_id and p."""

_COLUMNS = {
    "origin": "datetime64[us]",
    "opportunity_id": "str",
    "segment": "str",
    "stage": "str",
    "p": "float64",
    "won": "float64",
}


def deal_track(
    log: Log,
    *,
    as_of: str | pd.Timestamp,
    origins: Sequence[str],
    horizon: int = 3,
    seed: int = 0,
    challenger: str | Opinion = "none",
) -> pd.DataFrame:
    """Return the probability of every deal open on past days, and whether it was won within `horizon` months.

    Parameters
    ----------
    log : the company's tables. as_of : the day whose knowledge tells what became of deals: nothing later is used.
    origins : past days (ISO); those whose `horizon` months had not all settled by `as_of` are left out.
    horizon : months, 1 to 6. seed : of the challenger.
    challenger : none, or a second model whose probabilities come with it: logistic, boosting, or one of your own,
        called as challenger(snapshot, horizon=, seed=), which gives opportunity_id and p (`adapters.sklearn`).

    Returns
    -------
    DataFrame with origin (date), opportunity_id, segment, stage, p (0 to 1), won (0.0 or 1.0) and, with a challenger,
    p_challenger (nan where it has none); deals without a probability are left out. Where there is no row,
    `attrs["why"]` says why.

    Raises
    ------
    ParameterError : horizon or challenger is none of these, or a day is no date.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> track = forecast.deal_track(log, as_of="2026-10-31", origins=["2026-06-30"], horizon=3)
    >>> len(track), track[["p", "won"]].mean().round(2).tolist()
    (1298, [0.47, 0.43])
    """
    if not 1 <= horizon <= HORIZONS:
        raise ParameterError(f"horizon: {horizon} is not a whole number from 1 to {HORIZONS}")
    if not callable(challenger) and challenger not in CHALLENGERS:
        raise ParameterError(f"challenger: {challenger!r} is not one of {', '.join(CHALLENGERS)}")
    ledger = ledger_of(log)
    now = snapshot(log, as_of=as_of, ledger=ledger)
    checked = [day for day in origins if _has_settled(log, day, now, horizon)]
    fitted = _at_days(log, checked, ledger=ledger, now=now)
    parts = []
    for day, today in zip(checked, fitted, strict=True):
        then = snapshot(log, as_of=day, ledger=ledger)  # one at a time: each is as large as the log
        part = _with_outcome(then, today, now, horizon)
        if challenger != "none":
            second = _second(challenger, then, horizon=horizon, seed=seed).rename(columns={"p": "p_challenger"})
            part = part.merge(second, on="opportunity_id", how="left", validate="one_to_one")
        parts.append(part)
    if not any(len(part) for part in parts):
        columns = _COLUMNS if challenger == "none" else _COLUMNS | {"p_challenger": "float64"}
        none = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
        none.attrs["why"] = _why_none(fitted[-1]) if fitted else _TOO_NEAR
        return none
    return pd.concat(parts, ignore_index=True)


def _second(challenger: str | Opinion, then: Snapshot, *, horizon: int, seed: int) -> pd.DataFrame:
    """Return opportunity_id and p of the second model on a past day; raises ParameterError where it gives no such."""
    if isinstance(challenger, str):
        return challenger_probabilities(then, kind=challenger, horizon=horizon, seed=seed)
    said = challenger(copied(then), horizon=horizon, seed=seed)
    wanted = "a DataFrame with opportunity_id, one row a deal, and p from 0 to 1"
    if not isinstance(said, pd.DataFrame) or not {"opportunity_id", "p"} <= set(said.columns):
        raise ParameterError(f"challenger: it gave {type(said).__name__} without these columns\n  mend: {wanted}")
    p = pd.to_numeric(said["p"], errors="coerce")
    wrong = (p.isna() & said["p"].notna()) | (p < 0) | (p > 1) | said["opportunity_id"].duplicated()
    if wrong.any():
        first = said.loc[wrong, "opportunity_id"].iloc[0]
        raise ParameterError(f"challenger: on {then.as_of.date()} what it said of {first} is none\n  mend: {wanted}")
    return said[["opportunity_id"]].assign(p=p)


_TOO_NEAR = (
    "No day that is checked, from a year after the first deal on, lies far enough back: the months after it have not "
    "all settled."
)


def _why_none(today: Today) -> str:
    """Return why no probability of past days, of which this is the last, can be held against what became of it."""
    if not len(today.view.open_deals):
        return "No deal was open on the past days."
    notes = odds_table(today.view, today.states, today.model).notes
    reason = notes[0] if notes else "no open deal had a probability then."
    return f"On {today.view.as_of.date()} the deals had no odds yet. {reason}"


def _at_days(log: Log, origins: Sequence[str], *, ledger: Ledger, now: Snapshot) -> list[Today]:
    """Return the win model of past days, as the days are given; one walk for month ends.

    ledger : the log's. now : a later snapshot, whose walk serves where it is kept and reads the days as they did.
    """
    days = [log.company.periods.parse_day(day) for day in origins]
    fitted: dict[pd.Timestamp, Today] = {}
    for group in one_knowledge_each(log, sorted(set(days)), ledger=ledger):
        serves = bool(now.ledger.kept) and is_known_alike(log, group[-1], now.as_of, ledger=ledger)
        last = now if serves else snapshot(log, as_of=group[-1], ledger=ledger)
        fitted.update(zip(group, fit_at_days(last, days=group), strict=True))
    return [fitted[day] for day in days]


def _has_settled(log: Log, day: str, now: Snapshot, horizon: int) -> bool:
    calendar = log.company.periods
    last = calendar.period(calendar.parse_day(day)) + horizon
    return last <= calendar.last_settled(now.as_of, settle_days=log.company.settle_days)


def _with_outcome(then: Snapshot, today: Today, now: Snapshot, horizon: int) -> pd.DataFrame:
    """Return the probabilities of a past day, and whether each deal was won in time by what is known now."""
    p = odds_table(today.view, today.states, today.model).table[["opportunity_id", f"p_win_{horizon}"]]
    p = p.set_axis(["opportunity_id", "p"], axis=1).dropna(subset=["p"])
    frame = _joined(_joined(p, then.opportunities, ["segment", "stage"]), now.opportunities, ["outcome", "closed_on"])
    end = then.calendar.end(then.period + horizon)
    frame["won"] = ((frame["outcome"] == "won") & (frame["closed_on"] <= end)).astype("float64")
    frame.insert(0, "origin", then.as_of)
    return frame[list(_COLUMNS)]


def _joined(frame: pd.DataFrame, deals: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return rows of some deals with columns of those deals, missing where one is not there."""
    place = places(frame["opportunity_id"], deals["opportunity_id"])
    taken = {name: deals[name].array.take(place, allow_fill=True) for name in columns}
    return frame.assign(**{name: pd.Series(values, index=frame.index) for name, values in taken.items()})


def past_due_record(log: Log, *, as_of: str | pd.Timestamp, origins: Sequence[str]) -> pd.DataFrame:
    """Return what has become, by what is known now, of the deals that were open on past days.

    A deal open on several of the days counts on each. Deals without a date on the day are neither past it nor due.

    Parameters
    ----------
    log : the company's tables. as_of : the day whose knowledge tells what became of deals.
    origins : past days (ISO).

    Returns
    -------
    DataFrame: past_due ("yes": past the expected close date on the day, "no": not), deals, won and still open since
    (counts), share_won (won / deals, in [0, 1]; NaN without deals); two rows, "yes" first.
    """
    ledger = ledger_of(log)
    became = snapshot(log, as_of=as_of, ledger=ledger).opportunities.set_index("opportunity_id")["outcome"]
    parts = []
    for day in origins:
        then = snapshot(log, as_of=day, ledger=ledger)
        dated = then.opportunities[then.opportunities["outcome"].eq("open")].dropna(subset=["expected_close_on"])
        late = past_due(dated, as_of=then.as_of).map({True: "yes", False: "no"})
        parts.append(pd.DataFrame({"past_due": late, "outcome": dated["opportunity_id"].map(became)}))
    deals = pd.concat(parts) if parts else pd.DataFrame({"past_due": [], "outcome": []}, dtype="str")
    rows = []
    for answer in ("yes", "no"):
        of = deals.loc[deals["past_due"] == answer, "outcome"]
        is_won = of == "won"
        rows.append(
            {
                "past_due": answer,
                "deals": len(of),
                "won": int(is_won.sum()),
                "open": int((of == "open").sum()),
                "share_won": float(is_won.mean()),
            }
        )
    return pd.DataFrame(rows)


EVER_COLUMNS = (
    *("origin", "deals", "expected", "expected_low", "expected_high"),
    *("until", "expected_by", "chance_low", "chance_high", "spread", "won", "open", "late"),
)
"""Of each day: its open deals; the wins expected of them in the end, and between what numbers these lie 95 % of the
time if the odds are right; the same of those expected by the end of `until`; the sum of p (1 - p) of these odds; and
how many were won by then, are still open, and closed of late (by then)."""


def ever_track(log: Log, *, as_of: str | pd.Timestamp, origins: Sequence[str], late: int = 6) -> pd.DataFrame:
    """Return how many wins were expected of the deals open on past days, in the end and by now, and how many came.

    Simple case: all deals of a day have closed since, so the wins expected in the end are held against those that came.
    Complication: some are still open, as happens for ever where losses are not recorded. So what is held against what
    came are the wins expected by the end of the last settled month, which the chance of a win in the end is made of.

    Parameters
    ----------
    log : the company's tables. as_of : the day whose knowledge tells what became of deals.
    origins : past days (ISO); left out are those after which no month has settled, or more than FAR, and those on which
        no deal had a probability.
    late : how many of the last settled months count as of late.

    Returns
    -------
    DataFrame of EVER_COLUMNS, one row a day; counts and sums of chances are float64, `origin` and `until` dates.

    Raises
    ------
    ParameterError : a day is no date.
    """
    ledger = ledger_of(log)
    now = snapshot(log, as_of=as_of, ledger=ledger)
    last = now.calendar.last_settled(now.as_of, settle_days=log.company.settle_days)
    became = now.opportunities.set_index("opportunity_id")[["outcome", "closed_on"]]
    steps = {day: _steps_until(last, day, now.calendar) for day in origins}
    reached = [day for day in origins if 1 <= steps[day] <= FAR]
    rows = []
    until, before = (now.calendar.end(month) for month in (last, last - late))
    for day, today in zip(reached, _at_days(log, reached, ledger=ledger, now=now), strict=True):
        odds = odds_ahead(today, steps=steps[day])
        rows += [_ended(today.view.as_of, odds, became, until=until, before=before)] if len(odds) else []
    table = pd.DataFrame(rows, columns=list(EVER_COLUMNS))
    dates = dict.fromkeys(("origin", "until"), "datetime64[us]")
    return table.astype({name: dates.get(name, "float64") for name in EVER_COLUMNS})


def _steps_until(last: int, day: str, calendar: Calendar) -> int:
    """Return how many steps lie after a day up to the end of period `last`; a month in progress is the first."""
    then = calendar.parse_day(day)
    period = calendar.period(then)
    return last - period - (then == calendar.end(period)) + 1


def _ended(
    day: pd.Timestamp, odds: pd.DataFrame, became: pd.DataFrame, *, until: pd.Timestamp, before: pd.Timestamp
) -> dict[str, Any]:
    """Return what was expected of the deals of a day, and what came by the end of `until`; EVER_COLUMNS.

    before : the last day that is not of late.
    """
    outcome = became.reindex(odds["opportunity_id"])
    ended = outcome["closed_on"] <= until
    by, spread = float(odds["by"].sum()), float((odds["by"] * (1 - odds["by"])).sum())
    low, high = wins_interval(by, spread, deals=len(odds))
    expected, expected_low, expected_high = wins_in_the_end(odds["p"], odds["low"], odds["high"])
    return {
        "origin": day.normalize(),
        "deals": len(odds),
        "expected": expected,
        "expected_low": expected_low,
        "expected_high": expected_high,
        "until": until.normalize(),
        "expected_by": by,
        "chance_low": low,
        "chance_high": high,
        "spread": spread,
        "won": (ended & (outcome["outcome"] == "won")).sum(),
        "open": (~ended).sum(),
        "late": (ended & (outcome["closed_on"] > before)).sum(),
    }


# -- do they come true as often? -----------------------------------------------------------------------


def reliability(happened: Any, probability: Any, *, bins: int = 10) -> pd.DataFrame:
    """Return probabilities against shares, in bins that hold about as many deals each.

    Parameters
    ----------
    happened : (n,) 0 or 1. probability : (n,) 0 to 1. bins : at most so many; equal probabilities share a bin.

    Returns
    -------
    DataFrame with probability (mean), happened (share), n (int64), band_low, band_high: between them the share
    would lie 95 % of the time if every probability of the bin were its mean (Bröcker and Smith 2007, consistency bars;
    exact binomial).

    Raises
    ------
    ParameterError : lengths differ, a probability is outside 0 to 1, or bins is below 1.
    """
    y, p = np.asarray(happened, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise ParameterError(f"happened and probability differ in shape: {y.shape} and {p.shape}")
    if bins < 1:
        raise ParameterError(f"bins: {bins} is not 1 or more")
    if len(p) and not (p.min() >= 0 and p.max() <= 1):
        raise ParameterError("a probability is not between 0 and 1")
    columns = ["probability", "happened", "n", "band_low", "band_high"]
    if not len(p):
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in columns}).astype({"n": "int64"})
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    code = np.searchsorted(edges, p, side="right")
    groups = pd.DataFrame({"probability": p, "happened": y, "code": code}).groupby("code")
    out = groups[["probability", "happened"]].mean().reset_index(drop=True)
    n = groups.size().to_numpy(dtype=np.int64)
    tail = (1 - CHANCE) / 2
    low, high = (binomial_quantile(level, n, out["probability"].to_numpy()) / n for level in (tail, 1 - tail))
    return out.assign(n=n, band_low=low, band_high=high)[columns]


# -- is another model nearer? --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """Two models' probabilities of the same deals on the same days.

    table : model (ours, challenger), brier, log_loss, auc, slope (of the calibration line), n; one row a model.
    days : past days they come from.
    curves : model, probability (mean of a bin), happened (share won); see `calibration_curves`.
    test : of equal accuracy, on the Brier score of each day; positive = the challenger is nearer. Its p-value is NaN,
    so that nothing can be claimed, on fewer than 8 days.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    days: int
    test: PairedTest


def second_opinion(track: pd.DataFrame) -> SecondOpinion:
    """Compare the challenger's probabilities with ours on the deals that have both.

    The days are the units of the test, not the deals: deals of one day share the months in which they are won or not,
    so thousands of them may say no more than a few. Days should be as far apart as the horizon is long; then no month
    counts twice. A day counts by its number of deals, so that the mean over days is the Brier score of the table.

    track : what `deal_track` gives with a challenger.

    Returns
    -------
    `table`: model (`ours`, `challenger`), brier and log_loss (lower is better), auc, slope (of calibration; 1 is right)
    and n; `curves`: mean probability and share won by model in bins; `days`; `test`: of the same Brier score.

    Raises
    ------
    ParameterError : the track has no challenger.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> track = forecast.deal_track(log, as_of="2026-10-31", origins=["2026-06-30"], challenger="logistic")
    >>> found = forecast.second_opinion(track)
    >>> found.table["model"].tolist(), found.days
    (['ours', 'challenger'], 1)
    """
    if "p_challenger" not in track:
        raise ParameterError("track: it has no challenger; ask deal_track for one")
    both = track.dropna(subset=["p_challenger"])
    models = {"ours": both["p"], "challenger": both["p_challenger"]}
    won = both["won"]
    table = pd.DataFrame(
        {
            "model": list(models),
            "brier": [brier(won, p) for p in models.values()],
            "log_loss": [log_score(won, p) for p in models.values()],
            "auc": [auc(won, p) for p in models.values()],
            "slope": [calibration(won, p).slope for p in models.values()],
            "n": len(both),
        }
    )
    losses = pd.DataFrame({name: (p - won) ** 2 for name, p in models.items()}).groupby(both["origin"]).sum()
    losses = losses / max(len(both) / max(len(losses), 1), 1)
    test = diebold_mariano(losses["ours"], losses["challenger"], alike=0.0)
    curves = calibration_curves(won, models)
    return SecondOpinion(table=table, curves=curves, days=len(losses), test=test)


def calibration_curves(won: pd.Series, models: Mapping[str, pd.Series], *, bins: int = 5) -> pd.DataFrame:
    """Return, model by model, the mean probability and the share won in bins of about as many deals each.

    By scikit-learn's `calibration_curve`, so that both models are read by somebody else's rule. won : (n,) 0 or 1.
    models : probabilities by name, each (n,). Returns model, probability, happened; nothing where there are no deals.
    """
    from sklearn.calibration import calibration_curve  # half a second, so not before it is needed

    if not len(won):
        kinds = {"model": "str", "probability": "float64", "happened": "float64"}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    parts = []
    for name, p in models.items():
        share, mean = calibration_curve(won, p, n_bins=bins, strategy="quantile")
        parts.append(pd.DataFrame({"model": name, "probability": mean, "happened": share}))
    return pd.concat(parts, ignore_index=True)
