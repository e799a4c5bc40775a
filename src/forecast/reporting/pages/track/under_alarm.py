"""What the leader's page says while an alarm stands: a caution over numbers, what was booked, what needs attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.models.registry import SUBMITTED
from forecast.reporting.charts.figure import Chart, Shown, Statement
from forecast.reporting.pages.track.lately_sentences import SIDES, alarm_sentences, company_alarm, segments_too
from forecast.reporting.pages.track.prepare import OURS
from forecast.reporting.pages.track.sentences import model_name, span

# -- sentences ------------------------------------------------------------------------------------------


def cautioned(alarms: pd.DataFrame, *charts: Chart | Statement) -> Shown:
    """Return charts of the model's numbers; while an alarm stands against these, one line over them says so."""
    alarm, shown = company_alarm(alarms), Shown(*charts)
    if alarm is None or not shown.parts:
        return shown
    return Shown(Statement(f"An alarm stands against these numbers: {_what(alarm)}.", kind="note"), shown)


def stands_against(alarms: pd.DataFrame) -> str:
    """Return what an alarm says of our forecast of the company, in half a sentence; empty without one."""
    alarm = company_alarm(alarms)
    return "" if alarm is None else _what(alarm)


def within(alarms: pd.DataFrame, part: str) -> list[str]:
    """Return that a part of people's record holds the months of the company's alarm; no line where it ends before."""
    alarm = company_alarm(alarms)
    if alarm is None or not (alarms["model"].str.startswith(SUBMITTED) & (alarms["last"] >= alarm["first"])).any():
        return []
    return [f"“{part}” holds the months since {wording.month(alarm['first'])}, in which {_off(alarm)}."]


def changed(
    alarms: pd.DataFrame, *forecasts: pd.DataFrame, past: pd.DataFrame, period: str, company: Company
) -> list[str]:
    """Return what has changed of late, a sentence each: what was booked, then all alarms but the headline's.

    forecasts : as `alarm_sentences` takes them. past : the month's `backtest`.
    """
    told = alarm_sentences(alarms, *forecasts, past=past, period=period, company=company)
    return [*booked_since(alarms, past, company=company), *told]


def booked_since(alarms: pd.DataFrame, past: pd.DataFrame, *, company: Company) -> list[str]:
    """Return what was booked in the months of the company's alarm, and in the same months a year before.

    No sentence without an alarm, or where any of these months is not in the record. past : the month's `backtest`.
    """
    alarm = company_alarm(alarms)
    if alarm is None:
        return []
    rows = past[(past["model"] == OURS) & (past["segment"] == TOTAL) & past["observed"].notna()]
    rows = rows[~is_quarter(rows["target_period"]) & (rows["horizon"] >= 1)]
    rows = rows.sort_values("horizon").drop_duplicates("target_period")
    months = pd.period_range(alarm["first"], alarm["last"], freq="M")
    now, before = (rows[rows["target_period"].isin(each.astype(str))] for each in (months, months - 12))
    if len(now) < len(months) or len(before) < len(months):
        return []
    late, early = (sources.total(each, "observed") for each in (now, before))
    money = wording.in_currency(company.currency)
    when = span(alarm["first"], alarm["last"])
    fell = f" ({wording.percent(late / early - 1, sign=True)})" if early > 0 else ""
    return [f"Booked, {when}: {money(late)}, after {money(early)} in the same months a year before{fell}."]


def to_attend(alarms: pd.DataFrame, past: pd.DataFrame) -> list[str]:
    """Return what an alarm asks for: the model's own first, then in one sentence the others.

    Segments that all show what the company shows are not among these. past : the month's `backtest`.
    """
    alarm, rows = company_alarm(alarms), alarms[alarms["alarm"]]
    sentences = []
    if alarm is not None:
        sentences.append(f"{sources.capitalised(_what(alarm))}: find out what changed before you plan with them.")
        rows = rows[(rows["model"] != OURS) | (rows["segment"] != TOTAL)]
        if segments_too(alarm, past):
            rows = rows[(rows["model"] != OURS) | (rows["kind"] != alarm["kind"])]
    also = " as well" if sentences else ""
    for kind, part in rows.groupby("kind", sort=False):
        names = wording.joined(_named(row) for row in sources.records(part))
        sentences.append(f"{sources.capitalised(str(kind))} of late{also}: {names}.")
    return sentences


def _what(alarm: Mapping[str, Any]) -> str:
    """Return `the model’s forecasts have been too high since May 2026`, or that its ranges have not held since."""
    return f"{_off(alarm)} since {wording.month(alarm['first'])}"


def _off(alarm: Mapping[str, Any]) -> str:
    if alarm["kind"] in SIDES:
        return f"the model’s forecasts have been {alarm['kind']}"
    return "the model’s ranges have not held"


def _named(row: Mapping[str, Any]) -> str:
    """Return `sales’ forecast`, `the joint forecast`, or `the model in Iberia`."""
    name = model_name(str(row["model"]))
    if row["model"] == OURS:
        return f"{name} in {wording.label(row['segment'])}"
    return f"the {name}" if name == "joint forecast" else name
