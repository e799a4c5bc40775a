"""What a column of an unknown export holds, by its values: dates, numbers, statuses, identifiers.

A column is read as the importer would read it: it holds dates if they can be read as dates, so that a draft that takes
it for one can be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from forecast.data.sources.crm.mapped.files import Sheet
from forecast.data.sources.crm.values.dates import days
from forecast.data.sources.crm.values.numbers import numbers
from forecast.data.sources.crm.values.reading import Order, Reading
from forecast.data.sources.crm.values.stages import OUTCOMES, Outcome, folded, outcome_of_name
from forecast.errors import DataError

ROWS_READ = 20_000
"""So many rows of a file, evenly spaced, are looked at."""
_NO_DATE = ("0000-00-00", "0000-00-00 00:00:00", "00.00.0000")
_STATUSES_AT_MOST = 60
_STATUSES_OF_FEW = 10
"""So many statuses may a short table have, where half of its rows would be fewer."""
_DIGITS_ALONE = r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?"

# What a column of statuses says beside the words of stages.
_STATUS_WORDS: Mapping[str, tuple[str, ...]] = {
    "won": (
        *(
            "sold",
            "success",
            "successful",
            "order",
            "ordered",
            "verkauft",
            "auftrag",
            "erfolgreich",
            "vendu",
            "vendido",
        ),
        *("venduto", "verkocht", "positive", "positiv"),
    ),
    "lost": ("failed", "failure", "unsuccessful", "no sale", "erfolglos", "negative", "negativ"),
    "open": (
        *(
            "open",
            "active",
            "in progress",
            "running",
            "pending",
            "new",
            "on hold",
            "suspended",
            "offen",
            "laufend",
            "aktiv",
        ),
        *("in bearbeitung", "ouvert", "ouverte", "en cours", "actif", "abierto", "abierta", "en curso", "aperto"),
        *("aperta", "in corso", "aberto", "aberta", "em andamento", "openstaand", "lopend", "oppen", "pagaende"),
        *("aaben", "apen", "avoin", "otwarta", "w toku", "otevreno", "acik", "открыта", "в работе", "進行中", "商談中"),
    ),
}
_BY_WORD: dict[str, Outcome] = {folded(word): outcome for outcome in OUTCOMES for word in _STATUS_WORDS[outcome]}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a column holds.

    filled, distinct : share of rows with a value; number of different values. dates : row label -> day, where it holds
    dates. undecided : whether it holds dates whose order of day and month is open. number : whether all values are
    numbers; negative : share below 0. plain_digits : whether its values are digits alone, as an identifier's.
    """

    name: str
    filled: float
    distinct: int
    rows: int
    values: pd.Series
    dates: pd.Series | None = None
    undecided: bool = False
    number: bool = False
    negative: float = 0.0
    plain_digits: bool = False

    @property
    def is_date(self) -> bool:
        """Whether it holds dates, also where their order is open."""
        return self.dates is not None or self.undecided

    @property
    def is_key(self) -> bool:
        """Whether every row has a value of its own."""
        return self.filled == 1 and self.distinct == self.rows

    @property
    def is_status(self) -> bool:
        """Whether it has a few values that come again."""
        most = max(2, self.rows // 2, min(self.rows - 1, _STATUSES_OF_FEW))
        return 2 <= self.distinct <= min(_STATUSES_AT_MOST, most) and not self.is_date


@dataclass(frozen=True, kw_only=True)
class Statuses:
    """What the values of a column of statuses say: value -> outcome, and those that say nothing."""

    said: Mapping[str, Outcome] = field(default_factory=dict)
    unclear: tuple[str, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether won and lost are both told."""
        return {"won", "lost"} <= set(self.said.values())


def profiles(sheet: Sheet, *, order: Order | None = None) -> dict[str, Profile]:
    """Return what each column of a table holds, by evenly spaced rows of it."""
    step = max(1, -(-len(sheet.frame) // ROWS_READ))
    frame = sheet.frame.iloc[::step]
    reading = Reading(table=sheet.file, order=order, decimal=sheet.decimal, frame=frame)
    return {name: _profile(name, frame[name], reading) for name in sheet.columns}


def statuses(values: pd.Series, *, words: bool = True) -> Statuses:
    """Return what the values of a column say of the outcome; words : also those that are a status, but no stage."""
    said: dict[str, Outcome] = {}
    unclear = []
    for value in values.dropna().unique():
        text = folded(str(value)).replace("_", " ").strip()
        outcome = _BY_WORD.get(text) if words else None
        by_name = outcome_of_name(str(value))
        if outcome is None and by_name in ("won", "lost"):
            outcome = by_name
        if outcome is None:
            unclear.append(str(value))
        else:
            said[str(value)] = outcome
    return Statuses(said=said, unclear=tuple(unclear))


def _profile(name: str, values: pd.Series, reading: Reading) -> Profile:
    there = values[~values.isin(_NO_DATE)].dropna()
    digits = bool(len(there)) and bool(there.str.fullmatch(_DIGITS_ALONE).all())
    numbers_read = _numbers(there, reading, name)
    # Digits alone are numbers or identifiers; as dates (milliseconds, 20261031) they would be a guess.
    dates, undecided = (None, False) if digits else _dates(there, reading, name)
    return Profile(
        name=name,
        filled=len(there) / len(values) if len(values) else 0.0,
        distinct=int(there.nunique()),
        rows=len(values),
        values=values,
        dates=dates,
        undecided=undecided,
        number=numbers_read is not None and dates is None and not undecided,
        negative=0.0 if numbers_read is None else float((numbers_read < 0).mean()),
        plain_digits=digits,
    )


def _numbers(values: pd.Series, reading: Reading, name: str) -> pd.Series | None:
    if values.empty:
        return None
    try:
        read = numbers(values, reading, column=name)
    except DataError:
        return None
    return read if read.notna().any() else None


def _dates(values: pd.Series, reading: Reading, name: str) -> tuple[pd.Series | None, bool]:
    """Return the days of a column, and whether only the order of day and month is open."""
    if values.empty:
        return None, False
    try:
        return days(values, reading, column=name, timed=True), False
    except DataError:
        pass
    for order in ("dmy", "mdy"):
        told = Reading(table=reading.table, order=order, decimal=reading.decimal, frame=None)
        try:
            days(values, told, column=name, timed=True)
        except DataError:
            return None, False
    return None, True
