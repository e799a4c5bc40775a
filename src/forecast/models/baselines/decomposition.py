"""Monthly bookings taken apart into trend, season and remainder, and how much of either is more than chance.

The parts are those of STL (Cleveland, Cleveland, McRae & Terpenning, *J. Official Statistics* 6, 1990, 3-73), by
statsmodels, with a season that stays the same every year: two to six years are too few to see one change, and STL's
usual window of seven years finds a "season" in pure noise (strength 1.0 in two years of it, .7 in three).

How strong a part is, is the share of the variance that goes when it is taken out: 1 - var(remainder) /
var(part + remainder), at least 0 (Wang, Smith & Hyndman, *Data Mining and Knowledge Discovery* 13, 2006, 335-364).
That share is never 0 in a short series, so it comes with the share of shuffled series that show as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from forecast.errors import DataError
from forecast.seeds import generator
from forecast.wording import cases, percent

YEAR = 12
FEWEST_MONTHS = 2 * YEAR
SHUFFLES = 99
RARE = 0.05
"""How often either part of a series without any may be called more than chance."""
_STRONG, _MODERATE = 0.6, 0.3
_FLAT = 1e-9
"""Standard deviation, relative to the largest month, below which all months are taken to be the same."""


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """Bookings in three parts, and the strength of two of them.

    trend, seasonal, remainder : (months,), in the unit of the bookings; they add up to them. The seasonal part
    swings about 0: its months sum to about 0 over a year.
    trend_strength, season_strength : 0 (none) to 1 (nothing is left when it is taken out).
    trend_by_chance, season_by_chance : share, above 0 to 1, of series with the same months in another order that show
    a part at least as strong. A level that wanders counts as a trend.
    """

    trend: np.ndarray
    seasonal: np.ndarray
    remainder: np.ndarray
    trend_strength: float
    season_strength: float
    trend_by_chance: float
    season_by_chance: float

    @property
    def has_trend(self) -> bool:
        """Whether the months in random order would rarely show a trend as strong."""
        return _is_rare(self.trend_by_chance, other=self.season_by_chance)

    @property
    def has_season(self) -> bool:
        """Whether the months in random order would rarely show a season as strong."""
        return _is_rare(self.season_by_chance, other=self.trend_by_chance)

    @property
    def strongest(self) -> np.ndarray:
        """Months of the last year, 0 to 11, that may be the strongest: the highest, and those too near it to rank.

        Simple case: one. Another is below it where their seasons differ by more than Tukey's range for all twelve
        (Kramer 1956 where some came once more): the one looked at is the highest of twelve, picked by the same months.
        The trend, which bends about once a year, and the season are taken from the months that tell the scatter.
        """
        from scipy.stats import studentized_range

        months, last = len(self.remainder), self.seasonal[-YEAR:]
        free = months - YEAR - months / YEAR
        scatter = float(np.sqrt((self.remainder**2).sum() / free))
        each = np.array([len(self.remainder[::-1][YEAR - 1 - month :: YEAR]) for month in range(YEAR)])
        best = int(np.argmax(last))
        near = studentized_range.ppf(1 - RARE, YEAR, free) * scatter * np.sqrt((1 / each[best] + 1 / each) / 2)
        return np.flatnonzero((last[best] - last <= near) | (np.arange(YEAR) == best))

    @property
    def note(self) -> str:
        """How strong trend and season are, in a sentence each, and whether chance would show as much."""
        trend = _sentence("trend", self.trend_strength, self.trend_by_chance, rare=self.has_trend)
        season = _sentence("season", self.season_strength, self.season_by_chance, rare=self.has_season)
        return f"{trend} {season}"


def seasonal_trend(bookings: np.ndarray, *, seed: int = 0) -> Decomposition:
    """Take a series of complete months apart.

    Parameters
    ----------
    bookings : (months,), finite, one value a month without a gap, oldest first; at least 24. Zeros are months like
        others. seed : of the shuffles, an integer >= 0.

    Raises
    ------
    DataError : fewer than two full years.
    ValueError : not one series of finite numbers.
    """
    bookings = np.asarray(bookings, dtype=np.float64)
    if bookings.ndim != 1 or not np.isfinite(bookings).all():
        raise ValueError(f"bookings: {bookings.shape} is not one series of finite numbers")
    if len(bookings) < FEWEST_MONTHS:
        raise DataError(
            f"{len(bookings)} complete months of bookings are known: trend and season can be told apart from "
            f"{FEWEST_MONTHS} on, two full years",
            table="opportunities",
            mend="bring a longer history",
        )
    rng = generator(seed, 16)
    if bookings.std() <= _FLAT * np.abs(bookings).max():
        nothing = np.zeros(len(bookings))
        return Decomposition(
            trend=bookings.copy(),
            seasonal=nothing,
            remainder=nothing.copy(),
            trend_strength=0.0,
            season_strength=0.0,
            trend_by_chance=1.0,
            season_by_chance=1.0,
        )
    trend, seasonal, remainder = _parts(bookings)
    trend_strength, season_strength = _strength(trend, remainder), _strength(seasonal, remainder)
    shuffled_trends = (_parts(seasonal + months) for months in _shuffled(trend + remainder, rng))
    shuffled_seasons = (_parts(trend + months) for months in _shuffled(seasonal + remainder, rng))
    return Decomposition(
        trend=trend,
        seasonal=seasonal,
        remainder=remainder,
        trend_strength=trend_strength,
        season_strength=season_strength,
        trend_by_chance=_share_at_least(trend_strength, (_strength(t, r) for t, _, r in shuffled_trends)),
        season_by_chance=_share_at_least(season_strength, (_strength(s, r) for _, s, r in shuffled_seasons)),
    )


def _parts(bookings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return trend, seasonal and remainder, (months,) each, by STL with a season that stays the same."""
    # Imported here: it takes a second of CPU, and most who import this module's neighbours do not need it.
    from statsmodels.tsa.seasonal import STL

    # A constant through a window of ten times the series weighs all years alike: R's `s.window = "periodic"`.
    found = STL(bookings, period=YEAR, seasonal=10 * len(bookings) + 1, seasonal_deg=0).fit()
    return np.asarray(found.trend), np.asarray(found.seasonal), np.asarray(found.resid)


def _strength(part: np.ndarray, remainder: np.ndarray) -> float:
    whole = float((part + remainder).var())
    return max(0.0, 1.0 - float(remainder.var()) / whole) if whole > 0 else 0.0


def _shuffled(months: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    return (rng.permutation(months) for _ in range(SHUFFLES))


def _share_at_least(observed: float, shuffled: Iterator[float]) -> float:
    """Return the share of strengths at least as large as the observed one, which itself is counted among them."""
    return (1 + sum(strength >= observed for strength in shuffled)) / (1 + SHUFFLES)


def _is_rare(by_chance: float, *, other: float) -> bool:
    """Return whether a share is rare where two are looked at; by chance either is with RARE at most (Holm 1979)."""
    return by_chance <= RARE / 2 or (by_chance <= RARE and other <= RARE / 2)


def _sentence(part: str, strength: float, by_chance: float, *, rare: bool) -> str:
    if not rare:
        often = cases(by_chance)
        return f"No {part} beyond chance: the same months in random order show one as strong in {often} cases."
    size = "strong" if strength >= _STRONG else "moderate" if strength >= _MODERATE else "weak"
    left = "around the trend" if part == "season" else "once the season is taken out"
    return f"A {size} {part}: it explains {percent(strength)} of how months vary {left}."
