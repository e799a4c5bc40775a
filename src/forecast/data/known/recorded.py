"""A log's opportunities and history as they were recorded: in local days, in one currency, each stage with its meaning.

This is the only place that says on which day a row counts as recorded, what an amount in another currency is worth, and
whether a stage means won, lost or open. The ledger walks through what comes out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.data.codes import from_codes, places
from forecast.data.known.coding import OPEN, in_parts, owners
from forecast.data.rates import TABLE, are_dated, converted
from forecast.data.schema import OUTCOMES, Log

FIXED = ("type", "lead_source", "product", "owner", "account_id", "lead_score", "currency", "units")
"""The optional columns of `opportunities` that count as fixed at creation unless history carries them."""

STATE = ("stage", "amount", "expected_close_on")
"""What changes as a deal goes on, so that `opportunities` holds today's value of it."""

_SOME = 0.1
_DAY_LENGTH = 86_400_000_000
"""Microseconds."""


_NOT_LOOKED_AT = ("account_id", "lost_reason", "promised_on", "delivered_on")


def for_forecasters(log: Log) -> Log:
    """Return a log without what no forecaster looks at: accounts, what came after a win, leads one by one.

    Half of a log as the simulated one with its ledger; forecasts are the same to the bit. What a ledger would make of
    the log's own columns is made here, so that it is not there twice: amounts in the reporting currency, where one rate
    a currency holds for all days, and the day of each row in place of its moment, where rows are in order (the time
    zone is then UTC, in which a day begins as it says).
    """
    unused = [name for name in _NOT_LOOKED_AT if name not in log.company.fixed_at_creation]
    tables = {**log.tables, **_in_reporting_currency(log)}
    tables["opportunities"] = tables["opportunities"].drop(columns=unused, errors="ignore")
    leads = log.get("leads")
    if leads is not None:  # a slice of none would hold all of them
        tables["leads"] = pd.DataFrame({name: pd.Series(dtype=leads[name].dtype) for name in leads})
    history = tables.get("opportunity_history")
    if history is None or owners(tables["opportunities"]["opportunity_id"], history)[1] is not None:
        return replace(log, tables=tables)
    days = pd.Series(_local_days(history["recorded_at"], log.company.timezone), index=history.index, copy=False)
    tables["opportunity_history"] = history.assign(recorded_at=days.dt.tz_localize("UTC"))
    return replace(log, tables=tables, company=replace(log.company, timezone="UTC"))


def _in_reporting_currency(log: Log) -> dict[str, pd.DataFrame]:
    """Return opportunities and history with amounts in the reporting currency and without currencies; as they are
    where there is no rate, rates change from a day on, or a deal's currency is a covariate."""
    rates, history = log.get(TABLE), log.get("opportunity_history")
    found = {"opportunities": log.opportunities} | ({} if history is None else {"opportunity_history": history})
    if rates is None or are_dated(rates) or "currency" in log.company.fixed_at_creation:
        return found
    amounts = {"opportunities": converted(log, log.opportunities["amount"], log.opportunities.get("currency"))}
    if history is not None:
        amounts["opportunity_history"] = _history_amount(log, history, log.opportunities)
    return {
        name: frame.drop(columns="currency", errors="ignore").assign(amount=amounts[name])
        for name, frame in found.items()
    }


def recorded_opportunities(log: Log) -> pd.DataFrame:
    """Return the log's opportunities sorted by opportunity_id, amounts in the reporting currency."""
    opportunities = log.opportunities
    if not opportunities["opportunity_id"].is_monotonic_increasing:
        opportunities = opportunities.sort_values("opportunity_id", ignore_index=True)
    return opportunities.assign(amount=converted(log, opportunities["amount"], opportunities.get("currency")))


def recorded_history(log: Log, opportunities: pd.DataFrame) -> pd.DataFrame | None:
    """Return the log's history in its order, None where it has none.

    Columns: opportunity_id, recorded_at, recorded_on (day in the company's timezone, datetime64[us]), stage, outcome
    (what the stage means), amount (reporting currency), expected_close_on, then whatever else history carries. A row
    without a currency of its own is in that of its opportunity.
    """
    history = log.get("opportunity_history")
    if history is None:
        return None
    stages, recorded_on = stage_outcomes(log), _local_days(history["recorded_at"], log.company.timezone)
    meaning = np.array([OUTCOMES.index(value) for value in stages.values()] + [OPEN], dtype=np.int8)
    outcome = from_codes(meaning[places(history["stage"], list(stages))], OUTCOMES)
    columns: dict[str, object] = {
        "opportunity_id": history["opportunity_id"],
        "recorded_at": history["recorded_at"],
        "recorded_on": recorded_on,
        "stage": history["stage"],
        "outcome": outcome.set_axis(history.index),
        "amount": _history_amount(log, history, opportunities),
        "expected_close_on": history["expected_close_on"],
    }
    columns |= {name: history[name] for name in history if name not in columns and name != "currency"}
    return pd.DataFrame(columns, copy=False)


def _history_amount(log: Log, history: pd.DataFrame, opportunities: pd.DataFrame) -> pd.Series:
    """Return the amounts of history in the reporting currency: at the rate of a row's own currency, or its deal's."""
    currency = history.get("currency")
    if "currency" in opportunities and (currency is None or currency.isna().any()):
        deal = places(history["opportunity_id"], opportunities["opportunity_id"])
        of_deal = pd.Series(opportunities["currency"].array.take(deal, allow_fill=True), index=history.index)
        currency = of_deal if currency is None else currency.where(currency.notna(), of_deal)
    return converted(log, history["amount"], currency)


def stage_outcomes(log: Log) -> dict[str, str]:
    """Return what each stage means: from `stages`, or else from the opportunities that stand in it.

    Without `stages` a stage is won (lost) where all opportunities in it are, and most that came into it stayed.
    """
    stages = log.get("stages")
    if stages is not None:
        return dict(zip(stages["stage"], stages["outcome"], strict=True))
    frame = log.opportunities[["stage", "outcome"]].drop_duplicates()
    alone = frame.groupby("stage", sort=True)["outcome"].agg(["first", "size"])
    meaning = alone["first"].where(alone["size"] == 1, "open").to_dict()
    history = log.get("opportunity_history")
    if history is not None:
        came = history.drop_duplicates(["opportunity_id", "stage"])["stage"].value_counts()
        stayed = log.opportunities["stage"].value_counts()
        for stage in came.index:
            if stage not in meaning or 2 * stayed.get(stage, 0) < came[stage]:
                meaning[stage] = "open"
    return dict(sorted(meaning.items()))


def outcomes_as_read_on(
    day: int,
    *,
    deal: np.ndarray,
    recorded_on: np.ndarray,
    stage: np.ndarray,
    outcome: np.ndarray,
    closed_on: np.ndarray,
) -> np.ndarray:
    """Return what each row's stage meant on a day, where that is read off the deals; (m,) int8.

    A stage in which all deals are won in the end may have held open ones on the day: where more than a tenth of those
    that stood in it and stayed there closed only later, it meant `open` then.

    Parameters
    ----------
    day : days since 1970. deal, recorded_on, stage, outcome : (m,) rows sorted by deal and time; codes of stages, and
        what these mean in the end. closed_on : (n,) day each deal closed in the end.
    """
    rows = np.flatnonzero(recorded_on <= day)
    if not len(rows):
        return outcome
    last = rows[np.append(deal[rows][1:] != deal[rows][:-1], True)]
    deals, standing = deal[last], stage[last]
    final = np.zeros(len(closed_on), dtype=np.int64)
    final[deal] = stage  # in order of time, so the last one stays
    closed_later = (final[deals] == standing) & (closed_on[deals] > day)
    count = int(stage.max()) + 1
    open_then = np.bincount(standing[closed_later], minlength=count) > _SOME * np.bincount(standing, minlength=count)
    return np.where(open_then[stage], OPEN, outcome).astype(np.int8)


def _local_days(values: pd.Series, timezone: str) -> np.ndarray:
    """Return the day of each moment in a timezone; (m,) datetime64[us]."""
    if timezone == "UTC" and values.dt.unit == "us":
        moments = values.array.view("int64")
        if not any((part % _DAY_LENGTH).any() for (part,) in in_parts(moments)):
            moments.flags.writeable = False  # each is a day's beginning: the log's own column serves
            return moments.view("datetime64[us]")
    local = values.dt.tz_convert(timezone).dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    start = local.view(np.int64) // _DAY_LENGTH
    start *= _DAY_LENGTH
    days = start.view("datetime64[us]")
    days[np.isnat(local)] = np.datetime64("NaT", "us")
    return days
