"""The track record of late beside the whole of it, and the alarms where it has changed.

`lately` gives every figure twice: over all origins and over the last six; `parted`, where there is an alarm, before and
since it began. `alarms` puts the record under watch, one row
a question: has the model become too high or too low for the company or for a segment, have its ranges begun to fail,
has somebody who submits forecasts left their habit? All use the one rule and the one budget of `alarms`.

Watched are forecasts of the shortest lead time: they settle first, and one month's is over before the next begins, so
that no two share what came between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.schema import TOTAL
from forecast.evaluation.alarms import Alarm, Floats, habit_bets, limit, range_bets, side_bets, watch
from forecast.evaluation.scores.amounts import bias, ratio, wape
from forecast.evaluation.scores.scoring import BASELINE, summarise

LAST = 6
"""Months, the last that have settled, that count as of late: for each lead time those of its last six origins."""

MODEL = "pipeline"
_PEOPLE = "submitted-"
_BY = ("model", "level", "horizon")
FIGURES = ("n", "wape", "bias", "coverage80", "skill")

ALARM_COLUMNS = (
    "model",
    "segment",
    "kind",
    "months",
    "evidence",
    "limit",
    "alarm",
    "first",
    "last",
    "n",
    "n_side",
    "low",
    "high",
    "wape",
    "wape_benchmark",
    "wape_model",
    "bias_before",
)
"""What `alarms` gives."""


def lately(scored: pd.DataFrame, *, last: int = LAST) -> pd.DataFrame:
    """Return the record of months twice, one row a model, level and lead time.

    scored : what `score` gave. Returns the key; n, wape, bias, coverage80 and skill as `summarise` gives them over all
    that has settled; the same with `_lately` over the forecasts of the last `last` months that have settled; first and
    last, those months. A model that forecast none of them has n_lately 0 and no figures.
    """
    rows = _months(scored)
    months = sorted(rows["target_period"].unique())[-last:]
    whole = summarise(rows, by=list(_BY))[[*_BY, *FIGURES]]
    recent = summarise(rows[rows["target_period"].isin(months)], by=list(_BY))[[*_BY, *FIGURES]]
    table = whole.merge(recent, on=list(_BY), how="left", suffixes=("", "_lately"))
    table["n_lately"] = table["n_lately"].fillna(0).astype(np.int64)
    ends = (months[0], months[-1]) if months else ("", "")
    return table.assign(first=ends[0], last=ends[1])


def parted(scored: pd.DataFrame, alarms: pd.DataFrame) -> pd.DataFrame:
    """Return the record of months before and since an alarm on our forecast of the company, as `lately` gives it twice.

    alarms : what `alarms` gave. Returns the key; n; n, wape, bias, coverage80 and skill with `_before` and `_since`,
    of the months before the first that the alarm speaks of, and from it on; first, that month; months_before and
    months_since, how many settled months these are. Where one part has no forecast its n is 0 and its figures NaN.
    Without rows where there is no alarm on the company.
    """
    columns = [*_BY, "n", *(f"{name}_{part}" for part in ("before", "since") for name in FIGURES)]
    columns += ["first", "months_before", "months_since"]
    since, rows = company_since(alarms), _months(scored)
    if not since or rows.empty:
        return pd.DataFrame(columns=columns)
    table = summarise(rows, by=list(_BY))[[*_BY, "n"]]
    for part, some in (("before", rows["target_period"] < since), ("since", rows["target_period"] >= since)):
        figures = summarise(rows[some], by=list(_BY))[[*_BY, *FIGURES]]
        named = figures.rename(columns={name: f"{name}_{part}" for name in FIGURES})
        table = table.merge(named, on=list(_BY), how="left")
        table[f"n_{part}"] = table[f"n_{part}"].fillna(0).astype(np.int64)
        known = rows[some & (rows["horizon"] == rows["horizon"].min())]
        table[f"months_{part}"] = known["target_period"].nunique()
    return table.assign(first=since)[columns]


def company_since(alarms: pd.DataFrame) -> str:
    """Return the first month of the alarm on our forecast of the company; of its side before its ranges; else empty."""
    rows = alarms[alarms["alarm"] & (alarms["model"] == MODEL) & (alarms["segment"] == TOTAL)]
    if rows.empty:
        return ""
    order = rows.assign(_ranges=rows["kind"] == "ranges", _over=-rows["evidence"] / rows["limit"])
    return str(order.sort_values(["_ranges", "_over"])["first"].iloc[0])


def alarms(
    scored: pd.DataFrame, *, people: Sequence[str] | None = None, past: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what is watched, one row a question, with its evidence and whether it is an alarm.

    Parameters
    ----------
    scored : what `score` gave, of one month after the other.
    people : the models of those who submit that are watched; default all of them.
    past : the same of people's forecasts over all the months there are, since a habit shows the better the longer it is
        known; default `scored`.

    Returns
    -------
    model; segment (`Total`: the company, or for people all that they forecast); kind (`too high`, `too low`,
    `ranges`); months watched; evidence, limit and alarm as `alarms.watch` has them. Then of the months the evidence
    speaks of, first to last: n of them, n_side those on that side (outside their range), low and high, the least and
    the greatest error of these as a share of what was booked; wape, wape_benchmark and wape_model on the same months
    and segments, those of the benchmark and of the model, NaN where these were not there; bias_before, sum of errors
    over sum of bookings of the months before. People are watched for leaving their habit, and it is no alarm where one
    who was always too low no longer is: their forecasts of these months must be too high on the whole, or too low.
    """
    rows = _months(scored)
    rows = rows[(rows["horizon"] == rows["horizon"].min()) & rows["error"].notna()]
    names = [name for name in sorted(rows["model"].unique()) if name.startswith(_PEOPLE)]
    longest = rows if past is None else _months(past)
    longest = longest[(longest["horizon"] == rows["horizon"].min()) & longest["error"].notna()]
    watched = [*_of_model(rows), *_of_people(longest, names if people is None else list(people))]
    record = _Record.of(rows)
    table = pd.DataFrame([_row(series, record) for series in watched], columns=list(ALARM_COLUMNS))
    return table.astype({"alarm": bool})


@dataclass(frozen=True, kw_only=True)
class _Series:
    """What is watched: forecasts of one model by month, and the alarm on them.

    table : target_period, mean, observed, outside (whether it fell outside its range); one row a month, in order.
    segments : those it is made of.
    """

    model: str
    segment: str
    kind: str
    table: pd.DataFrame
    alarm: Alarm
    segments: Sequence[str]


def _of_model(rows: pd.DataFrame) -> Iterator[_Series]:
    ours = rows[(rows["model"] == MODEL) & rows["pit"].notna()]
    names = sorted(set(ours["segment"]) - {TOTAL})
    for segment in [TOTAL, *names]:
        part = ours[ours["segment"] == segment].sort_values("target_period", ignore_index=True)
        table = part[["target_period", "mean", "observed"]].assign(outside=part["in80"] == 0)
        bets: dict[str, Floats] = {
            "too high": side_bets(part["pit"], too_high=True),
            "too low": side_bets(part["pit"], too_high=False),
        }
        if segment == TOTAL:
            bets["ranges"] = range_bets(part["in80"])
        for kind, paid in bets.items():
            if part.empty:
                continue
            family, watched = ("company", 1) if segment == TOTAL else ("segments", len(names))
            yield _Series(
                model=MODEL,
                segment=segment,
                kind=kind,
                table=table,
                alarm=watch(paid, limit=limit(f"{family} {kind}", watched=watched)),
                segments=[segment],
            )


def _of_people(rows: pd.DataFrame, names: Sequence[str]) -> Iterator[_Series]:
    """Yield each submitter's series: all segments of a month together, since few submit for the whole company."""
    recent = sorted(rows["target_period"].unique())[-LAST:]
    known = rows[rows["segment"] != TOTAL]
    parts = {name: known[known["model"] == name] for name in names}
    parts = {name: part for name, part in parts.items() if part["target_period"].isin(recent).any()}
    for name, part in parts.items():
        table = part.groupby("target_period", as_index=False)[["mean", "observed"]].sum().assign(outside=False)
        error = ratio(table["mean"] - table["observed"], table["mean"].abs() + table["observed"].abs())
        for kind, sign in (("too high", 1.0), ("too low", -1.0)):
            yield _Series(
                model=name,
                segment=TOTAL,
                kind=kind,
                table=table,
                alarm=watch(habit_bets(sign * np.asarray(error)), limit=limit(f"people {kind}", watched=len(parts))),
                segments=sorted(part["segment"].unique()),
            )


def _row(series: _Series, record: _Record) -> dict[str, object]:
    """Return the row of a series: the alarm, and what the months it speaks of were like."""
    before, part = series.table.iloc[: series.alarm.start], series.table.iloc[series.alarm.start :]
    amount = (part["mean"] - part["observed"]).to_numpy()
    error = np.asarray(ratio(amount, part["observed"]))
    side = {"too high": amount > 0, "too low": amount < 0}.get(series.kind, part["outside"].to_numpy())
    on_the_whole = {"too high": amount.sum() > 0, "too low": amount.sum() < 0}.get(series.kind, True)
    on_side = error[side & ~np.isnan(error)]
    return {
        "model": series.model,
        "segment": series.segment,
        "kind": series.kind,
        "months": len(series.table),
        "evidence": float(series.alarm.evidence[-1]),
        "limit": series.alarm.limit,
        "alarm": series.alarm.is_on and bool(on_the_whole),
        "first": part["target_period"].iloc[0],
        "last": part["target_period"].iloc[-1],
        "n": len(part),
        "n_side": int(side.sum()),
        "low": float(on_side.min()) if len(on_side) else np.nan,
        "high": float(on_side.max()) if len(on_side) else np.nan,
        "wape": wape(part["observed"], part["mean"]),
        "wape_benchmark": record.miss(BASELINE, series, list(part["target_period"])),
        "wape_model": record.miss(MODEL, series, list(part["target_period"])),
        "bias_before": bias(before["observed"], before["mean"]),
    }


@dataclass(frozen=True, kw_only=True)
class _Record:
    """Forecasts of months one ahead. mean : by model, a row a month and a column a segment. observed : the same."""

    mean: Mapping[str, pd.DataFrame]
    observed: pd.DataFrame

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Record:
        wide = {
            str(model): part.pivot(index="target_period", columns="segment", values="mean")
            for model, part in rows.groupby("model")
        }
        known = rows.drop_duplicates(["target_period", "segment"])
        return cls(mean=wide, observed=known.pivot(index="target_period", columns="segment", values="observed"))

    def miss(self, model: str, series: _Series, months: list[str]) -> float:
        """Return the WAPE of a model's forecasts of what a series forecast in these months, summed over segments.

        NaN where it did not forecast all of them, or a month lies before the record.
        """
        where = {"index": months, "columns": list(series.segments)}
        if model not in self.mean or series.model not in self.mean:
            return float("nan")
        own, other = (self.mean[name].reindex(**where).to_numpy() for name in (series.model, model))
        asked, observed = ~np.isnan(own), self.observed.reindex(**where).to_numpy()
        if not asked.any(axis=1).all() or np.isnan(other[asked]).any():
            return float("nan")
        return wape(np.where(asked, observed, 0.0).sum(axis=1), np.where(asked, other, 0.0).sum(axis=1))


def _months(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the scored forecasts of months, from a month ahead."""
    return scored[(scored["span"] == "month") & (scored["horizon"] >= 1)]
