"""Earlier forecasts of quarters: of the quarter ahead a month ago, and of the last quarters before they began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from forecast import wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.reporting.pages.bookings.prepare import MODEL


def moved(backtest: pd.DataFrame, row: Mapping[str, Any] | None, *, company: Company) -> str:
    """Return how the forecast of a period moved since the last month end: `On 30 September we expected …; now …`.

    backtest : forecasts as they were made, past month ends. row : the headline's row, as of now. Empty where either is
    not known.
    """
    if row is None or not wording.known(row["mean"]):
        return ""
    period = str(row["target_period"])
    rows = _total(backtest)
    rows = rows[(rows["target_period"] == period) & rows["mean"].notna()].sort_values("origin")
    if rows.empty:
        return ""
    then = rows.iloc[-1]
    return wording.sentence(
        f"on {wording.day(then['origin']).rsplit(' ', 1)[0]} we expected {_expected(then, company)} for "
        f"{wording.month(period)}; now {_expected(row, company)}"
    )


def closed_quarters(backtest: pd.DataFrame, *, most: int = 4) -> pd.DataFrame:
    """Return the forecasts of the last settled quarters at the month end before each began, and what came.

    backtest : as `month.table` makes it; the Total's quarters. Returns quarter, expected, q10, q90, plan, booked,
    inside (whether q10 <= booked <= q90), oldest first; only quarters whose last forecast of horizon 1 is there.
    """
    rows = _total(backtest)
    rows = rows[is_quarter(rows["target_period"]) & rows["observed"].notna() & rows["mean"].notna()]
    last = rows[rows["horizon"] == 1].sort_values("origin").drop_duplicates("target_period", keep="last")
    last = last.sort_values("target_period").tail(most)
    plan = last["plan"] if "plan" in last else pd.Series(float("nan"), index=last.index)
    out = pd.DataFrame(
        {
            "quarter": last["target_period"],
            "expected": last["mean"],
            "q10": last["q10"],
            "q90": last["q90"],
            "plan": plan,
            "booked": last["observed"],
        }
    )
    known = out[["q10", "q90"]].notna().all(axis=1)
    inside = out["booked"].between(out["q10"], out["q90"])
    answer = pd.Series("unknown", index=out.index, dtype="str").where(~known, inside.map({True: "yes", False: "no"}))
    return out.assign(inside=answer).reset_index(drop=True)


def quarters_finding(table: pd.DataFrame) -> str:
    """Return how many of the last quarters ended inside the range given before they began; a miss of the last first."""
    known = table[table["inside"] != "unknown"]
    if known.empty:
        return "No quarter has settled whose forecast was made before it began"
    span = f"80{wording.THIN}% range"
    last, before = known.iloc[-1], known.iloc[:-1]
    if last["inside"] == "no":
        way = "below" if last["booked"] < last["q10"] else "above"
        miss = f"{last['quarter']} ended {way} its {span}"
        inside = int((before["inside"] == "yes").sum())
        rest = f"; inside theirs: {wording.spelt(inside)} of {wording.spelt(len(before))} before it"
        return miss + (rest if len(before) else "")
    inside = int((known["inside"] == "yes").sum())
    ended = wording.of_all(inside, len(known), "quarter")
    return f"{ended[0].upper()}{ended[1:]} ended inside the {span} given before it began"


def columns(company: Company) -> tuple[dict[str, str], dict[str, Callable[[Any], str]]]:
    """Return headers and formats of what `closed_quarters` gives."""
    names = {"quarter": "", "expected": "expected", "q10": f"80{wording.THIN}% from", "q90": "to"}
    names |= {"booked": "booked", "inside": "inside", "plan": "plan"}
    money = wording.in_currency(company.currency)
    return names, dict.fromkeys(("expected", "q10", "q90", "plan", "booked"), money)


def _total(backtest: pd.DataFrame) -> pd.DataFrame:
    return backtest[(backtest["model"] == MODEL) & (backtest["segment"] == TOTAL)]


def _expected(row: Mapping[str, Any], company: Company) -> str:
    amount = wording.money(row["mean"], currency=company.currency)
    chance = row.get("p_at_least_plan")
    return f"{amount} ({wording.chance(chance)} likely to reach plan)" if wording.known(chance) else amount
