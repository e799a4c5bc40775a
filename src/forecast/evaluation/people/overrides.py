"""Overrides: what people submitted instead of a number they had, and whether it came nearer to what was booked.

Simple case: somebody has the number 100 before them (`base`), submits 120 and writes why; 130 is booked. The error was
30 and is 10: the override gained 20. Complications: without a base of its own a submission is held against the model's
forecast of the month end before, which was there to be seen; what equals its base is no override; and a submission
made after its month had ended is no forecast.

Who is counted where is decided by what was written on the day: person, reason, direction and size. Nothing of the
outcome decides it, and no outcome counts that had not settled.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pandas as pd

from forecast.calendar import is_quarter, parse_periods, period_labels
from forecast.data.rates import by_rates
from forecast.data.schema import FURTHEST_MONTH, Log, NotedTable
from forecast.data.submissions import counted, name_key, spelled, submitted_by
from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import backtest, observed, parse_origins
from forecast.evaluation.value_added import SMALL

MODEL: Literal["pipeline"] = "pipeline"
Against = Literal["base", "pipeline"]
COLUMNS = (
    *("submitter", "segment", "target_period", "horizon", "submitted_on", "amount", "base", "against"),
    *("written", "reason", "direction", "size", "observed", "abs_error_before", "abs_error", "gain"),
)
"""What `overrides` gives."""

BASE: Literal["base"] = "base"
"""Held against the number that was changed, as the submission says."""

NO_REASON = "no reason"
LEFT_OUT = {
    "late": ("submitted after its month had ended", "submitted after their month had ended"),
    "open": ("of a month that has not settled", "of months that have not settled"),
    "without": (
        f"without a base of its own or a forecast by {MODEL} of the month end before",
        f"without a base of their own or a forecast by {MODEL} of the month end before",
    ),
    "unchanged": ("equal to what it would have changed", "equal to what they would have changed"),
}
"""Why a submission is no override that can be judged: of one, of several."""


def overrides(
    log: Log,
    *,
    as_of: str | pd.Timestamp | None = None,
    against: Against = BASE,
    track: pd.DataFrame | None = None,
    small: float = SMALL,
) -> pd.DataFrame:
    """Return every override whose month has settled, beside what was changed and what was booked.

    Parameters
    ----------
    log : with the table `submitted_forecasts`; its columns `base` and `reason` are used where they are there.
    as_of : what was submitted and had settled by this day counts; by default the log's last day.
    against : what a submission is held against: `base`, its own where it names one, else the model's forecast of the
        month end before; or `pipeline`, that forecast always. A poor base makes any override look good.
    track : a forecast table with the model's forecasts of past month ends and `observed`, as `backtest` gives it; by
        default they are made where one is needed.
    small : a change |amount - base| / base below this share is small; above 0.

    Returns
    -------
    One row a submission that counts (the last of a submitter's month; of categories, commit) and differs from its base:
    submitter, segment, target_period, horizon, submitted_on, amount, base; against: `base`, or `pipeline` where it is
    the model's forecast of the month end before; written (yes, no), reason (`no reason` where none is written),
    direction (up, down), size (small, large; a change of 0 is large); observed, abs_error_before (of the base),
    abs_error (of the amount), gain = abs_error_before - abs_error, money. `attrs["notes"]` count what was left out.

    Raises
    ------
    DataError : nobody submitted, or no submission counts. ParameterError : as_of is no day of the log, against is
    neither, or small is not above 0.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> each = forecast.overrides(log, as_of="2026-10-31")
    >>> len(each), each["direction"].value_counts().to_dict(), each["written"].value_counts().to_dict()
    (5808, {'up': 3977, 'down': 1831}, {'no': 3945, 'yes': 1863})
    """
    return noted_overrides(log, as_of=as_of, against=against, track=track, small=small).frame()


def noted_overrides(
    log: Log,
    *,
    as_of: str | pd.Timestamp | None = None,
    against: Against = BASE,
    track: pd.DataFrame | None = None,
    small: float = SMALL,
) -> NotedTable:
    """Return what `overrides` hands out, with its notes by name."""
    if against not in (BASE, MODEL):
        raise ParameterError(f"against: {against!r} is neither {BASE!r} nor {MODEL!r}")
    if not (small > 0 and math.isfinite(small)):
        raise ParameterError(f"small: {small} is not above 0")
    day = parse_origins(log, [log.extracted_on if as_of is None else as_of])[0]
    rows = _submitted(log, day)
    rows = rows if against == BASE else rows.assign(base=np.nan)
    calendar = log.company.periods
    ended = rows["horizon"] < 0
    settled = rows["target"] <= calendar.last_settled(day, settle_days=log.company.settle_days)
    left = {"late": int(ended.sum()), "open": int((~settled & ~ended).sum())}
    rows = rows[settled & ~ended].reset_index(drop=True)
    rows["observed"] = _observed(log, rows)
    rows = _against(log, rows, track)
    without = (rows[["base", "observed", "abs_error_before"]].isna()).any(axis=1)
    same = rows["base"] == rows["amount"]
    left |= {"without": int(without.sum()), "unchanged": int((same & ~without).sum())}
    rows = rows[~without & ~same].reset_index(drop=True)
    notes = [_left_out(why, count) for why, count in left.items() if count]
    return NotedTable(table=_described(rows, small=small), notes=tuple(notes))


def _left_out(why: str, count: int) -> str:
    one, several = LEFT_OUT[why]
    return f"1 submission {one} is left out." if count == 1 else f"{count:,} submissions {several} are left out."


def _submitted(log: Log, day: pd.Timestamp) -> pd.DataFrame:
    """Return the submissions that count, as known on a day, with base and reason."""
    known = submitted_by(log, day, counts="category that counts")
    known = known.assign(
        base=known.get("base", np.nan),
        reason=known["reason"].fillna("").astype("str") if "reason" in known else "",
    )
    return counted(known, calendar=log.company.periods, beside=("base", "reason")).reset_index(drop=True)


def _observed(log: Log, rows: pd.DataFrame) -> np.ndarray:
    """Return the settled bookings of each row, at the plan rates of the year it was submitted in; (n,)."""
    out = np.full(len(rows), np.nan)
    targets = pd.DataFrame(
        {"target_period": period_labels(rows["target"].to_numpy()), "segment": rows["segment"].astype("str")}
    )
    for at, mine in by_rates(log, rows["submitted_on"]) if len(rows) else ():
        out[mine] = observed(at, targets[mine])
    return out


def _against(log: Log, rows: pd.DataFrame, track: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows with `against` and the error of what they are held against; a base of their own goes first."""
    rows = rows.assign(against=BASE, abs_error_before=(rows["base"] - rows["observed"]).abs())
    bare = np.flatnonzero(rows["base"].isna())
    if not len(bare):
        return rows
    asked = rows.iloc[bare]
    forecasts = _made(log, asked) if track is None else track
    known = _of_month_end_before(asked, forecasts)
    rows.loc[bare, "against"] = MODEL
    rows.loc[bare, "base"] = known["mean"].to_numpy()
    rows.loc[bare, "abs_error_before"] = (known["mean"] - known["observed"]).abs().to_numpy()
    return rows


def _made(log: Log, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the model's forecasts of the month ends before these submissions, as far ahead as they look."""
    calendar, ahead = log.company.periods, rows["horizon"] + 1
    first = log.opportunities["created_on"].min()
    within = rows[ahead <= FURTHEST_MONTH]
    days = [calendar.end(int(period) - 1) for period in sorted(within["origin"].unique())]
    days = [day for day in days if day >= first]
    if not days:
        return pd.DataFrame(columns=["model", "origin", "target_period", "horizon", "segment", "mean", "observed"])
    months = int(ahead[ahead <= FURTHEST_MONTH].max())
    return backtest(log, origins=days, models=[MODEL], months=months)


def _of_month_end_before(rows: pd.DataFrame, track: pd.DataFrame) -> pd.DataFrame:
    """Return mean and observed of the model's last forecast made in the month before each submission's; row by row."""
    for name in ("model", "origin", "target_period", "horizon", "segment", "mean", "observed"):
        if name not in track.columns:
            raise DataError("the column is missing", table="track", column=name, mend="pass what backtest() returned")
    of_months = track[(track["model"] == MODEL) & ~is_quarter(track["target_period"])]
    target = parse_periods(of_months["target_period"]) if len(of_months) else np.zeros(0, dtype=np.int64)
    made = of_months.assign(target=target, origin_month=target - of_months["horizon"].to_numpy(dtype=np.int64))
    keys = ["segment", "target", "origin_month"]
    last = made.sort_values("origin").drop_duplicates(keys, keep="last")
    asked = rows[["segment", "target"]].assign(origin_month=rows["origin"] - 1)
    return asked.merge(last[[*keys, "mean", "observed"]], on=keys, how="left", validate="many_to_one")


def _described(rows: pd.DataFrame, *, small: float) -> pd.DataFrame:
    """Return the rows as `COLUMNS`: whether a reason is written, which way and how far the amount is from its base."""
    change = (rows["amount"] - rows["base"]).to_numpy(dtype=np.float64)
    base = rows["base"].to_numpy(dtype=np.float64)
    written = rows["reason"].str.strip() != ""
    names = spelled(" ".join(text.split()) for text in rows.loc[written, "reason"])
    reason = [names[name_key(" ".join(text.split()))] if text.strip() else NO_REASON for text in rows["reason"]]
    error = (rows["amount"] - rows["observed"]).abs()
    out = rows.assign(
        target_period=pd.array(period_labels(rows["target"].to_numpy()), dtype="str"),
        written=np.where(written, "yes", "no"),
        reason=pd.array(reason, dtype="str"),
        direction=np.where(change > 0, "up", "down"),
        size=np.where((base != 0) & (np.abs(change) < small * np.abs(base)), "small", "large"),
        abs_error=error,
        gain=rows["abs_error_before"] - error,
    )
    texts = dict.fromkeys(("segment", "against", "written", "direction", "size"), "str")
    order = ["target_period", "segment", "submitter", "submitted_on"]
    return out[list(COLUMNS)].astype(texts).sort_values(order, ignore_index=True)
