"""A CRM's deals -> our tables: what CRMs allow and we cannot use is mended here, and said.

A deal won without an amount, closed before it was entered, or closed with a date to come: each mend is a rule, with a
note that says how many rows it touched (docs/importing.md lists them).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.calendar import Calendar
from forecast.data.codes import column_of, key_order, places, text_of
from forecast.data.schema import FIRST_DAY, NO_DAY_FROM
from forecast.data.sources.crm.deals import Deals
from forecast.data.sources.crm.export import Choices
from forecast.data.sources.crm.values.dates import local_days
from forecast.data.sources.crm.values.stages import none_closed, refuse_long_overdue
from forecast.errors import DataError, ParameterError
from forecast.wording import joined, plural

UNKNOWN_STAGE = "Unknown"

_OPPORTUNITY_COLUMNS = (
    "opportunity_id",
    "created_on",
    "segment",
    "stage",
    "amount",
    "expected_close_on",
    "closed_on",
    "outcome",
    "type",
    "lead_source",
    "product",
    "owner",
    "account_id",
    "lead_score",
    "currency",
    "units",
    "lost_reason",
)
_HISTORY_COLUMNS = (
    "opportunity_id",
    "recorded_at",
    "stage",
    "amount",
    "expected_close_on",
    "probability",
    "forecast_category",
    "owner",
    "currency",
)
_SAME = 0.005
"""Two amounts are the same if they differ by less than this share."""
_APART_AT_LEAST = 0.2
_UNIT_APART = 5.0
_WEEKEND, _HARDLY = {5, 6}, 0.02
"""Saturday and Sunday; a company hardly works on a day of the week with at most this share of what is recorded."""
_NAME_WITHIN = 31
"""Days after the last change within which a day in the file's name is taken to be the export's."""


def canonical(
    deals: Deals, *, timezone: str, choices: Choices, calendar: Calendar
) -> tuple[dict[str, pd.DataFrame], pd.Timestamp]:
    """Return our tables and the day until which the export goes.

    The day is what the user says, else the day in the file's name (`exported_on`) where the last change is not long
    before it, else that of the last change the export knows of: the CRM does not write when it was exported. Where the
    user says nothing, and the month has only a weekend left on which the company does not work, it is the month's end.
    """
    frame = deals.opportunities.copy(deep=False)
    history = None if deals.history is None or deals.history.empty else deals.history
    if history is not None:
        history = history[[name for name in (*_HISTORY_COLUMNS, "closed") if name in history]]
    if choices.one_currency:
        frame, history = _in_one_currency(frame, history, deals)
    _refuse_mixed(frame, deals)
    frame, history = _without_negatives(frame, history, choices, deals.notes)
    within = _NAME_WITHIN if frame["touched_at"].notna().any() or history is not None else None
    end = _end(_last_day(frame, history, timezone), choices, deals.exported_on, within, deals.notes)
    frame = _without_placeholders(_mended(frame, end, timezone, deals.notes), "deals", deals.notes)
    refuse_long_overdue(frame, open_by_name=deals.open_by_name, end=end, table="opportunities")
    if history is not None:
        history = _mended_history(history, frame, timezone, deals.notes)
    if history is not None:
        history = _without_placeholders(history, "rows of history", deals.notes)
        _compare_amounts(history, frame, deals.notes)
    frame, history = _closing_stages(frame, history, deals)
    tables = {"opportunities": frame[[name for name in (*_OPPORTUNITY_COLUMNS, *deals.extra) if name in frame]]}
    if history is not None:
        if deals.currencies is None:  # amounts are in one currency, or refused with the deals'
            history = history.drop(columns="currency", errors="ignore")
        tables["opportunity_history"] = history[[name for name in _HISTORY_COLUMNS if name in history]]
    stages = _stages(frame, history, deals.reference)
    if stages is not None:
        tables["stages"] = stages
    if deals.currencies is not None and "currency" in frame and not choices.one_currency:
        tables["currencies"] = deals.currencies
    if deals.marketing is not None:
        tables["marketing"] = deals.marketing
    if deals.further is not None:
        tables.update(deals.further(end))
    if choices.extracted_on is None and pd.notna(end):
        moments = [frame["created_at"], *([] if history is None else [history["recorded_at"]])]
        days = pd.concat([frame["closed_on"], *(local_days(part, timezone) for part in moments)])
        end = _to_the_end_of_the_month(end, days, calendar, deals.notes)
    return tables, end


def _to_the_end_of_the_month(end: pd.Timestamp, days: pd.Series, calendar: Calendar, notes: list[str]) -> pd.Timestamp:
    """Return the month's last day where only days of a weekend lie between, on which this company hardly works."""
    month_end = calendar.end(calendar.period(end))
    left = pd.date_range(end, month_end)[1:]
    weekend = set(left.day_of_week)
    if left.empty or not weekend <= _WEEKEND:
        return end
    if days.dropna().dt.day_of_week.isin(weekend).mean() > _HARDLY * len(weekend):
        return end
    notes.append(
        f"{joined([f'{one:%A}, {one:%Y-%m-%d}' for one in left])} ended the month, and on such days hardly anything is "
        f"recorded: extracted_on = {month_end:%Y-%m-%d}"
    )
    return month_end


def _in_one_currency(
    frame: pd.DataFrame, history: pd.DataFrame | None, deals: Deals
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Leave the currencies out, as the user says that they mean nothing."""
    if "currency" in frame:
        names = ", ".join(sorted(frame["currency"].dropna().unique())[:5])
        deals.notes.append(f"all amounts are taken to be in one currency, as asked; the export says {names}")
        frame = frame.drop(columns="currency")
    return frame, None if history is None else history.drop(columns="currency", errors="ignore")


def _refuse_mixed(frame: pd.DataFrame, deals: Deals) -> None:
    """Refuse amounts in several currencies that nothing brings to one: their sum is no number."""
    if "currency" not in frame or deals.currencies is not None:
        return
    given = frame[frame["amount"].notna() & frame["currency"].notna()]
    with np.errstate(over="ignore"):  # amounts beyond any sum are refused with their rows, where they are read
        worth = given.groupby("currency")["amount"].agg(["sum", "size"]).sort_values("size", ascending=False)
    if len(worth) > 1:
        raise DataError(
            f"amounts are in {', '.join(sorted(worth.index)[:5])}, and the export has no rates: they cannot be added",
            table="opportunities",
            column="currency",
            rows=[f"{row['sum']:,.0f} {name} in {plural(int(row['size']), 'deal')}" for name, row in worth.iterrows()],
            count=len(worth),
            mend="export amounts in the company's currency, or the file of rates; or say --one-currency if all "
            "are in one whatever this column says",
        )


def _without_negatives(
    frame: pd.DataFrame, history: pd.DataFrame | None, choices: Choices, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Count what is below 0, credits and downsells; keep it, as our tables do, or leave it out, as the user says."""
    below = frame["amount"] < 0
    if not below.any():
        return frame, history
    won = below & (frame["outcome"] == "won")
    what = (
        f"{plural(int(below.sum()), 'deal')} with an amount below 0 (credits, downsells), together "
        f"{frame.loc[below, 'amount'].sum():,.2f}, of which won {frame.loc[won, 'amount'].sum():,.2f}"
    )
    if choices.negative == "keep":
        notes.append(f"{what}: kept, bookings subtract them; --negative leave-out leaves them out")
        return frame, history
    notes.append(f"{what}: left out, as asked")
    return frame[~below], history


def _end(
    last: pd.Timestamp, choices: Choices, named_day: pd.Timestamp | None, within: int | None, notes: list[str]
) -> pd.Timestamp:
    """Return the day of the export; within : days after the last change, None where changes are not time-stamped."""
    asked = choices.extracted_on
    if asked is not None:
        if pd.notna(last) and asked < last:
            raise ParameterError(
                f"--extracted-on {asked:%Y-%m-%d}: the export knows of changes on {last:%Y-%m-%d}; give a later day"
            )
        notes.append(f"extracted_on = {asked:%Y-%m-%d}, as asked")
        return asked
    if (
        named_day is not None
        and pd.notna(last)
        and last <= named_day
        and (within is None or named_day <= last + pd.Timedelta(days=within))
    ):
        notes.append(
            f"extracted_on = {named_day:%Y-%m-%d}, the day in the file's name; the last change is of {last:%Y-%m-%d}"
        )
        return named_day
    if pd.notna(last):
        notes.append(f"the export knows of nothing after {last:%Y-%m-%d}: extracted_on = {last:%Y-%m-%d}")
    return last


def _last_day(frame: pd.DataFrame, history: pd.DataFrame | None, timezone: str) -> pd.Timestamp:
    """Return the day of the last change; where nothing is time-stamped, of the last creation or closure."""
    seen = [_latest(frame["created_at"]), _latest(frame["touched_at"])]
    if history is not None:
        seen.append(_latest(history["recorded_at"]))
    latest = max((moment for moment in seen if pd.notna(moment)), default=pd.NaT)
    day = latest.tz_convert(timezone).tz_localize(None).normalize() if pd.notna(latest) else pd.NaT
    if frame["touched_at"].isna().all() and history is None:
        days = [day, _latest(frame["closed_on"]), _latest(frame["created_on"])]
        day = max((one for one in days if pd.notna(one)), default=pd.NaT)
    return day


def _latest(moments: pd.Series) -> pd.Timestamp:
    """Return the last of days or moments, NaT without any; one that stands for no date is refused where it is read."""
    never = NO_DAY_FROM.tz_localize(moments.dt.tz)
    return moments[moments < never].max()


def _compare_amounts(history: pd.DataFrame, frame: pd.DataFrame, notes: list[str]) -> None:
    """Warn where the last amount of a deal's history is not today's: two units or currencies, or a history cut off."""
    last = np.append(np.diff(history["deal"].to_numpy()) != 0, True)
    deal, then = history["deal"].to_numpy()[last], history["amount"].to_numpy(dtype=np.float64)[last]
    now = frame["amount"].to_numpy(dtype=np.float64)[deal]
    both = (then > 0) & (now > 0)
    if not both.any():
        return
    ratio = then[both] / now[both]
    apart = np.abs(ratio - 1) > _SAME
    if apart.mean() < _APART_AT_LEAST:
        return
    middle = float(np.median(ratio))
    text = f"the last amount of the history is not today's in {int(apart.sum()):,} of {len(ratio):,} deals"
    if max(middle, 1 / middle) >= _UNIT_APART:
        same = float(np.mean(np.abs(ratio / middle - 1) < _SAME))
        text += f", and {middle:,.4g} times it in the middle ({same:.0%} of them by that very factor): another unit?"
    names = frame["opportunity_id"].to_numpy()[deal[both][apart]][:3]
    shown = ", ".join(
        f"{name} ({was:,.10g} then, {is_now:,.10g} today)"
        for name, was, is_now in zip(names, then[both][apart], now[both][apart], strict=False)
    )
    notes.append(f"WARNING: {text}; {shown}. Forecasts would mix the two: export both with one unit and currency")


def _mended(frame: pd.DataFrame, end: pd.Timestamp, timezone: str, notes: list[str]) -> pd.DataFrame:
    def note(mask: pd.Series, text: str) -> None:
        if mask.any():
            notes.append(f"{plural(int(mask.sum()), 'deal')} {text}")

    nameless = frame["stage"].isna()
    note(nameless, f"without a stage: stage = {UNKNOWN_STAGE!r}")
    frame["stage"] = frame["stage"].where(~nameless, UNKNOWN_STAGE)

    unpriced = (frame["outcome"] == "won") & frame["amount"].isna()
    note(unpriced, "won without an amount: amount = 0")
    frame["amount"] = frame["amount"].where(~unpriced, 0.0)

    closed = frame["outcome"] != "open"
    notes += none_closed(frame["outcome"], frame["stage"], table="opportunities")
    touched = local_days(frame["touched_at"], timezone)
    undated = closed & frame["closed_on"].isna()
    note(undated & touched.notna(), "closed without a date: closed_on = the day of their last change")
    frame["closed_on"] = frame["closed_on"].where(~undated, touched).where(closed)

    ahead = closed & (frame["closed_on"] > end)
    note(ahead, "closed with a date still to come: closed_on = the day of their last change")
    frame["closed_on"] = frame["closed_on"].where(~ahead, touched.fillna(end).clip(upper=end))

    late = closed & (frame["closed_on"] < frame["created_on"])
    note(late, "closed before they were entered: created_on = the day they closed")
    frame["created_on"] = frame["created_on"].where(~late, frame["closed_on"])
    return frame


def _without_placeholders(frame: pd.DataFrame, what: str, notes: list[str]) -> pd.DataFrame:
    """Return the frame without expected days such as 9999-12-31, by which a CRM's users say "not known"."""
    if "expected_close_on" not in frame:
        return frame
    day = frame["expected_close_on"]
    never = (day >= NO_DAY_FROM) | (day < FIRST_DAY)
    if not never.any():
        return frame
    shown = ", ".join(f"{one:%Y-%m-%d}" for one in day[never].drop_duplicates().head(3))
    notes.append(f"{int(never.sum()):,} {what} are expected to close on {shown}, which stands for no date: left empty")
    return frame.assign(expected_close_on=day.mask(never))


def _mended_history(history: pd.DataFrame, frame: pd.DataFrame, timezone: str, notes: list[str]) -> pd.DataFrame | None:
    """Return the history of the deals that are there, by deal and time; column `deal` is their place in `frame`."""
    deal = places(history["opportunity_id"], frame["opportunity_id"])
    there = deal >= 0
    if not there.all():
        count = int((~there).sum())
        notes.append(
            f"{plural(count, 'row of history belongs', 'rows of history belong')} to deals that are not in the export: "
            "left out"
        )
        history, deal = history[there], deal[there]
    undated = history["recorded_at"].isna().to_numpy()
    if undated.any():
        notes.append(f"{plural(int(undated.sum()), 'row of history has', 'rows of history have')} no time: left out")
        history, deal = history[~undated], deal[~undated]
    if history.empty:
        return None
    at = history["recorded_at"].dt.tz_localize(None).to_numpy().view(np.int64)
    order = key_order([deal, at])
    if order is not None:
        deal, at = deal[order], at[order]
    last = np.append((deal[1:] != deal[:-1]) | (at[1:] != at[:-1]), True)  # of several at one time
    if not last.all():
        deal, order = deal[last], np.flatnonzero(last) if order is None else order[last]
    if order is not None:
        history = history.iloc[order]
    names = pa.DictionaryArray.from_arrays(pa.array(deal), text_of(frame["opportunity_id"]).cast(pa.large_string()))
    history = history.assign(deal=deal, opportunity_id=column_of(names, index=history.index))
    if history["stage"].hasnans:
        history["stage"] = history["stage"].fillna(UNKNOWN_STAGE)
    return _from_before_closing(history, frame, timezone, notes)


def _from_before_closing(
    history: pd.DataFrame, frame: pd.DataFrame, timezone: str, notes: list[str]
) -> pd.DataFrame | None:
    """Leave out the record of deals that begins after they closed: it would only say when the CRM began to keep one."""
    deal = history["deal"].to_numpy()
    first = np.append(True, deal[1:] != deal[:-1])
    began = local_days(history.loc[first, "recorded_at"], timezone).to_numpy()
    closed_on = frame["closed_on"].to_numpy()[deal[first]]
    after = history.loc[first, "closed"].to_numpy(dtype=bool) & (began > closed_on)
    if after.any():
        notes.append(
            f"the history of {plural(int(after.sum()), 'deal')} begins after they closed and is left out: of these "
            "only creation and closure are known"
        )
        history = history[~np.isin(deal, deal[first][after])]
    return None if history.empty else history


def _closing_stages(
    frame: pd.DataFrame, history: pd.DataFrame | None, deals: Deals
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Give closed deals a stage of their own where the CRM leaves them in an open one."""
    pairs = frame[["stage", "outcome"]].drop_duplicates().dropna(subset=["stage"])
    outcomes = {stage: set(values) for stage, values in pairs.groupby("stage")["outcome"]}
    open_too = {stage for stage, values in outcomes.items() if "open" in values and len(values) > 1}
    both = {stage for stage, values in outcomes.items() if values == {"won", "lost"}}
    if deals.reference is not None:
        known = deals.reference.set_index("stage")["outcome"]
        meant = frame["stage"].map(known)
        open_too |= set(frame.loc[meant.notna() & (meant != frame["outcome"]), "stage"])
    mixed = open_too | both
    if not mixed:
        return frame, history
    names = {"won": "Won", "lost": "Lost"}
    moved = frame["stage"].isin(mixed) & (frame["outcome"] != "open")
    if moved.any():
        deals.notes.append(
            f"{plural(int(moved.sum()), 'closed deal stands', 'closed deals stand')} in a stage of open ones: "
            "stage = 'Won' or 'Lost'"
        )
    frame = frame.assign(stage=frame["stage"].where(~moved, frame["outcome"].map(names)))
    if history is not None and moved.any():
        ending = history["opportunity_id"].map(frame[moved].set_index("opportunity_id")["outcome"]).map(names)
        closing = history["closed"].to_numpy(dtype=bool) & ending.notna().to_numpy()
        history = history.assign(stage=history["stage"].where(~closing, ending))
    return frame, history


def _stages(frame: pd.DataFrame, history: pd.DataFrame | None, reference: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the stages that are in use, in the CRM's order; None where the CRM gives no order."""
    if reference is None or "position" not in reference:
        return None
    names = list(frame["stage"].unique()) + ([] if history is None else list(history["stage"].unique()))
    table = pd.DataFrame({"stage": sorted(set(names))})
    known = reference.drop_duplicates("stage").set_index("stage")
    today = frame.drop_duplicates("stage").set_index("stage")["outcome"]
    table["outcome"] = table["stage"].map(today).fillna(table["stage"].map(known["outcome"])).fillna("open")
    position = table["stage"].map(known["position"]).astype("float64")
    rank = table["outcome"].map({"open": 0, "won": 1, "lost": 2})
    order = np.lexsort((table["stage"], position.fillna(-1), rank))
    table["position"] = np.empty(len(table), dtype=np.int64)
    table.loc[table.index[order], "position"] = np.arange(1, len(table) + 1)
    if "probability" in known:
        table["probability"] = table["stage"].map(known["probability"])
    return table.sort_values("position", ignore_index=True)
