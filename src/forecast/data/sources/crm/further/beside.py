"""What a file beside the deals needs to know of them: whose row is in which segment, and what its amounts are worth.

Simple case: one segment, one currency, and owners under the names that the deals' have. The complications, each with a
rule of its own: several segments (`owner_segments`, `own_segment`), several currencies (`money`). What no rule decides
is not guessed: the file is left aside (`LeftAside`), and the import says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.rates import rates_on
from forecast.data.schema import UNASSIGNED
from forecast.data.sources.crm.deals import people
from forecast.data.sources.crm.export import Export
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.numbers import amounts
from forecast.data.sources.crm.values.reading import flags
from forecast.wording import joined, plural

_LISTED = 5


class LeftAside(Exception):
    """A file that is not brought over; its text says why, and what would mend it."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The deals, as far as other files of the export refer to them.

    export : whose files they are. calendar : the company's.
    deals : opportunity_id, segment, [owner (name), owner_id (as in the file)], index as in the file.
    rates : currency, plan_rate, [from]; None where the export has none. seen : currency -> the company's currency per
    unit, as deals with both amounts show it. reporting : the company's currency, empty where nothing says it.
    """

    export: Export
    calendar: Calendar
    deals: pd.DataFrame
    rates: pd.DataFrame | None = None
    seen: Mapping[str, float] = field(default_factory=dict)
    reporting: str = ""

    @property
    def segments(self) -> list[str]:
        """The segments of the deals, sorted."""
        return sorted(self.deals["segment"].dropna().unique())

    @property
    def one_segment(self) -> str:
        """The segment, where every deal is in one; else empty."""
        return self.segments[0] if len(self.segments) == 1 else ""

    def file(self, role: str) -> str:
        """Return what a role's file is called."""
        return self.export.files[role]

    def say(self, role: str, text: str) -> None:
        """Add a note about a role's file, once."""
        self.export.reading(role).say("", text)


def listed(names: Iterable[object]) -> str:
    """Return the first names of a list, in words."""
    return joined([repr(str(name)) for name in names], most=_LISTED)


def rows_of(beside: Beside, role: str, *, what: str, named_by: str = "") -> pd.DataFrame | None:
    """Return a role's rows without those in the bin and those that repeat another to the letter; None without any.

    what : what a row is, for the notes: "campaign". named_by : the column without which equal rows are not one.
    """
    frame = beside.export.get(role)
    if frame is None:
        return None
    deleted = flags(beside.export.column(role, "deleted"))
    if deleted.any():
        beside.say(role, f"{plural(int(deleted.sum()), what)} marked as deleted: left out")
        frame = frame[~deleted]
    repeats = beside.export.raw[role].loc[frame.index].duplicated()
    if repeats.any() and (not named_by or named_by in frame):
        beside.say(role, f"{plural(int(repeats.sum()), 'row')} that repeat another to the letter: left out")
        frame = frame[~repeats]
    return None if frame.empty else frame


# -- whose row it is -----------------------------------------------------------------------------------


def owner_names(beside: Beside, ids: pd.Series) -> pd.Series:
    """Return owners under the names that the deals' owners have, where these are known."""
    deals = beside.deals
    if {"owner", "owner_id"} <= set(deals.columns):
        pairs = deals[["owner_id", "owner"]].dropna().drop_duplicates("owner_id")
        known = ids.map(pairs.set_index("owner_id")["owner"]).astype("str")
        return known.fillna(people(beside.export, ids))
    return people(beside.export, ids)


def owner_segments(beside: Beside) -> dict[str, str]:
    """Return the segment of each owner, by name: of the user where users have it, else that of all of their deals.

    An owner whose deals lie in several segments, or who has none, is not in it.
    """
    export, deals = beside.export, beside.deals
    found: dict[str, str] = {}
    if "owner" in deals:
        each = deals[["owner", "segment"]].dropna().drop_duplicates()
        each = each[~each["owner"].duplicated(keep=False)]
        found = dict(zip(each["owner"], each["segment"], strict=True))
    if export.segment_from and export.segment_from[0] == "users":
        users = export.frames["users"]
        names = owner_names(beside, users["owner"])
        segment = export.raw["users"][export.segment_from[1]]
        found = dict(zip(names[segment.notna()], segment.dropna(), strict=True))
    return found


def own_segment(beside: Beside, role: str, frame: pd.DataFrame) -> pd.Series | None:
    """Return the segment that the file's own column of that name says; None without the column.

    Where it is empty it is missing, or `Unassigned` where deals without one are.

    The column is called as the one that the deals' segment was taken from (`Region__c` here and there), or "segment".
    """
    if beside.one_segment:
        return pd.Series(beside.one_segment, index=frame.index, dtype="str")
    taken = plain(beside.export.segment_from[1].rpartition(".")[2]) if beside.export.segment_from else ""
    wanted = {taken, taken.removesuffix("c"), f"{taken}c", "segment", "segmentc"} - {"", "c"}
    for name in beside.export.raw[role].columns:
        if plain(str(name)) in wanted:
            values = beside.export.raw[role].loc[frame.index, name]
            if values.notna().any():
                values = values.astype("str")
                return values.fillna(UNASSIGNED) if UNASSIGNED in beside.segments else values
    return None


# -- what its amounts are worth ------------------------------------------------------------------------


def money(
    beside: Beside, role: str, frame: pd.DataFrame, *, day: pd.Series, converted: frozenset[str], amount: str = "amount"
) -> pd.Series:
    """Return amounts in the company's currency (float64), missing where empty.

    Parameters
    ----------
    frame : rows of the role with a column `amount`, [currency].
    day : of each row: it counts at the plan rate of the fiscal year of that day, as deals do.
    converted : names of columns, as `plain` compares them, that hold amounts in the company's currency already.
    amount : our name of the column.

    Simple case: no currency, or the company's own, and the amount counts as it stands. Raises LeftAside for amounts in
    a currency that nothing shows the rate of: a sum without them would be too small.
    """
    export = beside.export
    column = export.columns[role][amount]
    read = amounts(frame[amount], export.reading(role), column=column)
    currency = frame.get("currency", read.currency)
    if plain(column) in converted or currency is None or export.choices.one_currency:
        return read.numbers
    counts = read.numbers.notna() & (read.numbers != 0) & currency.notna()
    named = sorted(currency[counts].unique())
    ours = beside.reporting or (named[0] if len(named) == 1 and beside.rates is None and not beside.seen else "")
    if not [name for name in named if name != ours]:
        return read.numbers
    rate = _rates(beside, currency, day, ours)
    without = sorted(currency[counts & rate.isna()].unique())
    if without:
        raise LeftAside(
            f"amounts are in {joined(without, most=_LISTED)}, and nothing shows what that is worth in "
            f"{ours or 'the company’s currency'}: export amounts converted, or the file CurrencyType"
        )
    beside.say(role, f"amounts in {joined([n for n in named if n != ours], most=_LISTED)} are converted as the deals'")
    return (read.numbers * rate).round(2)


def _rates(beside: Beside, currency: pd.Series, day: pd.Series, ours: str) -> pd.Series:
    """Return the company's currency per unit of each row's, missing where nothing shows it; 1 for its own and none."""
    rate = currency.map(dict(beside.seen)).astype("float64")
    if beside.rates is not None:
        years = day.map({one: beside.calendar.first_day_of_year(one) for one in day.dropna().unique()})
        for year in years.dropna().unique():
            now = rates_on(beside.rates, year, beside.calendar).set_index("currency")["plan_rate"]
            there = years == year
            rate[there] = currency[there].map(now).astype("float64").fillna(rate[there])
    return rate.where(currency.notna() & (currency != ours), 1.0)


def in_cents(total: np.ndarray, up_to: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the parts of totals in whole cents, so that the parts of each total sum to it.

    total : (n,) the whole that each part belongs to. up_to : (n,) the share of it that this part and those before it
    make, 1 at the last. group : (n,) which total; its parts stand together, in order.

    >>> in_cents(np.array([100.0] * 3), np.array([1 / 3, 2 / 3, 1.0]), np.zeros(3)).tolist()
    [33.33, 33.34, 33.33]
    """
    reached = np.round(total * up_to, 2)
    first = np.append(True, group[1:] != group[:-1])[: len(group)]
    before = np.where(first, 0.0, np.append(0.0, reached[:-1])[: len(group)])
    return np.round(reached - before, 2)
