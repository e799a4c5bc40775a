"""Numbers in words: money, percentages, odds, ranges, months and lists, for every room of the house.

Nothing else writes a number into a sentence, so one rule holds everywhere: amounts have three significant figures at
most, shares are whole per cents (below one per cent, one significant figure), a negative number has a true minus sign,
a narrow space stands between a number and its unit, and what is not known is `unknown`, never `nan`. Exact values live
in the tables.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import pandas as pd

from forecast import sources

UNKNOWN = "unknown"
THIN = "\u202f"
MINUS = "\u2212"

_UNITS = ((1e9, "bn"), (1e6, "m"), (1e3, "k"), (1.0, ""))
_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥", "INR": "₹"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_IN = ((1, 20), (1, 10), (1, 7), (1, 5), (1, 4), (3, 10), (1, 3), (2, 5))
_ODDS = (
    *((part / of, f"about {part} in {of}") for part, of in _IN),
    (0.5, "about even"),
    *((1 - part / of, f"about {of - part} in {of}") for part, of in _IN),
)
_SPELT = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
_UNSEEN_BUT_MARKS = re.compile(_UNSEEN.pattern.replace("\\u2060-\\u2069", "\\u2060\\u2061\\u2065-\\u2069"))


Words = TypeVar("Words", bound=Callable[..., str])


def carries(values: int = 1) -> Callable[[Words], Words]:
    """Return a decorator: the text that a function makes of its first `values` arguments carries their sources."""

    def decorate(function: Words) -> Words:
        signature = inspect.signature(function)
        names = list(signature.parameters)[:values]

        @functools.wraps(function)
        def _worded(*given: Any, **options: Any) -> str:
            if not any(isinstance(value, sources.Sourced) for value in (*given, *options.values())):
                return function(*given, **options)
            bound = signature.bind(*given, **options)
            numbers = [bound.arguments[name] for name in names]
            rest = {name: value for name, value in bound.arguments.items() if name not in names}
            told = {name: value for name, value in rest.items() if value != signature.parameters[name].default}
            rounding = [function.__name__, *(f"{name}={quote(str(value), safe='')}" for name, value in told.items())]
            text = function(*map(sources.bare, numbers), **{k: sources.bare(v) for k, v in rest.items()})
            return sources.marked(text, numbers, ";".join(rounding))

        _ROUNDINGS[function.__name__] = function
        return _worded  # type: ignore[return-value]

    return decorate


_ROUNDINGS: dict[str, Callable[..., str]] = {}  # filled once, while this module is read


def rounded(values: Iterable[Any], rounding: str) -> str:
    """Return the text that a rounding makes of values; `text` is the value itself, as `clean` shows it.

    >>> rounded([4_123_456.0], "money;currency=EUR")
    '€4.12\u202fm'
    """
    name, *options = rounding.split(";")
    if name == "text":
        return " ".join(clean(str(value)) for value in values)
    function = _ROUNDINGS[name]
    parameters = inspect.signature(function).parameters
    given: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        kind = type(parameters[key].default)
        text = unquote(value)
        given[key] = text == "True" if kind is bool else kind(text) if kind in (int, float) else text
    return function(*values, **given)


def known(value: Any) -> bool:
    """Return whether a value is there and, if a number, finite."""
    if value is None or value is pd.NaT or value is pd.NA:
        return False
    return not isinstance(value, (int, float)) or math.isfinite(value)


@carries()
def number(value: float | None, *, digits: int = 3) -> str:
    """Return a number with at most `digits` significant figures; whole numbers below 10,000 whole."""
    if not known(value):
        return UNKNOWN
    assert value is not None
    if float(value).is_integer() and abs(value) < 10_000:
        return _signed(value, f"{abs(value):,.0f}")
    if abs(value) >= 10_000:
        return money(value, digits=digits)
    return _signed(value, _figures(abs(value), digits))


@carries()
def in_full(count: float | None) -> str:
    """Return a count with all its digits: `51,539`."""
    return _signed(count, f"{abs(count):,.0f}") if known(count) and count is not None else UNKNOWN


@carries()
def money(value: float | None, *, currency: str = "", digits: int = 3, sign: bool = False, least: float = 0.0) -> str:
    """Return an amount such as `€4.1 m`; with `sign` a gain carries its plus, and less than `least` is `under €1 k`."""
    if not known(value):
        return UNKNOWN
    assert value is not None
    if 0 < value < least:
        return f"under {money(least, currency=currency, digits=digits)}"
    scale, unit = _unit(abs(value), digits)
    return _priced(value, _figures(abs(value) / scale, digits), unit, currency, sign)


@carries(2)
def money_range(low: float | None, high: float | None, *, currency: str = "", digits: int = 3) -> str:
    """Return `€3.7–4.6 m`: one unit and the same decimals at both ends."""
    if not (known(low) and known(high)):
        return UNKNOWN
    assert low is not None
    assert high is not None
    scale, unit = _unit(max(abs(low), abs(high)), digits)
    ends = [value / scale for value in (low, high)]
    places = max(0, digits - 1 - math.floor(math.log10(max(abs(end) for end in ends) or 1.0)))
    while places and all(math.isclose(round(end, places), round(end, places - 1), abs_tol=1e-12) for end in ends):
        places -= 1
    shown = [f"{abs(end):,.{places}f}" for end in ends]
    first, second = (_signed(end, text) for end, text in zip(ends, shown, strict=True))
    between = f"{THIN}to{THIN}" if MINUS in first + second else "–"
    return f"{_SYMBOLS.get(currency, '')}{first}{between}{second}{_tail(unit, currency)}"


@carries()
def percent(value: float | None, *, sign: bool = False, digits: int = 1, least: float = 0.0, places: int = 0) -> str:
    """Return a share as a percentage: whole, or below 1 % with `digits` significant figures; not all is `99.7 %`.

    least : what is not zero is never written as less, so that its side of zero shows. places : decimals that every
    share of a column has, so that its differences can be redone: `24.2 %`.
    """
    if not known(value):
        return UNKNOWN
    assert value is not None
    hundred = max(abs(value), least if value else 0.0) * 100
    if places:
        text = f"{hundred:.{places}f}"
        return f"{_signed(value, text, plus=sign) if float(text) else text}{THIN}%"
    text = f"{hundred:,.0f}" if hundred >= 0.95 or hundred < 0.005 or not digits else _figures(hundred, digits)
    text = f"{math.floor(10 * hundred) / 10:.1f}" if digits and 99.5 <= hundred < 100 * (1 - 1e-9) else text
    return f"{_signed(value if text != '0' else 0.0, text, plus=sign)}{THIN}%"


@carries(2)
def moved(before: float | None, after: float | None, *, sign: bool = False, places: int = 0) -> str:
    """Return two shares as percentages of so many decimals on one line, `45 → 38 %`; a dash for what is not known."""
    ends = [
        percent(value, sign=sign, digits=0, places=places).removesuffix(f"{THIN}%") if known(value) else "–"
        for value in (before, after)
    ]
    return f"{f'{THIN}→{THIN}'.join(ends)}{THIN}%" if ends != ["–", "–"] else "–"


@carries(2)
def percents(first: float, second: float) -> str:
    """Return the sizes of two shares, the smaller first: `40–90 %`, `40 %` where one, small ones `2.5–3.4 %`."""
    low, high = sorted((abs(first), abs(second)))
    ends = [percent(size, digits=0, places=int(low < high < 0.05)).removesuffix(f"{THIN}%") for size in (low, high)]
    return f"{'–'.join(dict.fromkeys(ends))}{THIN}%"


@carries(2)
def share(part: float, whole: float) -> str:
    """Return a part of a whole as a percentage; `unknown` where the whole is nothing."""
    return percent(part / whole if whole else math.nan)


@carries()
def whole(value: float | None) -> str:
    """Return a share as a whole percentage, for a column of them."""
    return percent(value, digits=0)


def in_currency(currency: str) -> Callable[[Any], str]:
    """Return the function that words amounts of this currency, for a column of them."""
    return lambda value: money(value, currency=currency)


@carries()
def points(value: float | None, *, sign: bool = True, short: bool = False, digits: int = 0) -> str:
    """Return a difference of two shares in percentage points with so many decimals; `short`: in points."""
    if not known(value):
        return UNKNOWN
    assert value is not None
    text, unit = f"{abs(value) * 100:.{digits}f}", "point" if short else "percentage point"
    return f"{_signed(value if float(text) else 0.0, text, plus=sign)} {unit}{'' if text == '1' else 's'}"


@carries()
def gap(value: float, *, short: bool = False) -> str:
    """Return how far two shares are apart, without a sign: `23 percentage points`, `less than 1 percentage point`."""
    less = "under 1 point" if short else "less than 1 percentage point"
    return less if abs(value) < 0.005 else points(abs(value), sign=False, short=short)


@carries()
def in_points(value: float | None, *, digits: int = 0) -> str:
    """Return a difference of two shares in points, for a column: `+5`; `unbounded` for infinity, a dash for nothing."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "unbounded"
    text = f"{abs(value) * 100:.{digits}f}"
    return _signed(value, text, plus=True) if float(text) else text


@carries()
def chance(value: float | None) -> str:
    """Return a probability as a percentage that never says never: `31 %`, `less than 1 %`, `more than 99 %`."""
    if not known(value):
        return UNKNOWN
    assert value is not None
    if value < 0.01:
        return f"less than 1{THIN}%"
    return f"more than 99{THIN}%" if value > 0.99 else f"{value * 100:.0f}{THIN}%"


@carries()
def short_chance(value: float | None) -> str:
    """Return a probability for a column: `31 %`, `< 1 %`."""
    return chance(value).replace("less than", "<").replace("more than", ">")


@carries()
def odds(value: float | None) -> str:
    """Return a probability in plain words with its number: `about 1 in 3 (33 %)`."""
    return f"{rough_odds(value)} ({chance(value)})" if known(value) else UNKNOWN


@carries()
def rough_odds(value: float | None) -> str:
    """Return a probability in plain words alone, to stand beside its number: `about 1 in 3`."""
    if not known(value):
        return UNKNOWN
    assert value is not None
    if value < 0.035:
        return "very unlikely"
    return "almost certain" if value > 0.965 else min(_ODDS, key=lambda entry: abs(entry[0] - value))[1]


@carries()
def cases(value: float | None, *, draws: int = 0) -> str:
    """Return a probability as so many cases: `31 of 100`, below a hundredth `12 of 10,000`; never `0 of`.

    draws : of how many it was counted, if it was. One of them is the least it can be, so it is `at most 1 of 1,000`.
    """
    if not known(value):
        return UNKNOWN
    assert value is not None
    if 0.01 >= 1 / max(draws, 1) >= value * (1 - 1e-9):
        return f"at most 1 of {draws:,}"
    return f"{round(100 * value)} of 100" if value >= 0.01 else f"{max(1, round(10_000 * value))} of 10,000"


@carries()
def dots(value: float | None, *, of: int = 20) -> str:
    """Return a probability as so many of `of`: `6 of 20`."""
    if not known(value):
        return UNKNOWN
    assert value is not None
    return f"{round(value * of)} of {of}"


@carries()
def change(value: float | None, *, up: str = "rose by", down: str = "fell by", same: str = "did not change") -> str:
    """Return a relative change in words: `fell by 30 %`."""
    if not known(value):
        return "changed by an unknown amount"
    assert value is not None
    shown = whole(abs(value))
    if shown.startswith("0" + THIN):
        return same
    return f"{up if value > 0 else down} {shown}"


@carries()
def spelt(count: int) -> str:
    """Return a small count as a word, a large one in figures."""
    return _SPELT[int(count)] if 0 <= count < len(_SPELT) else f"{count:,.0f}"


@carries(2)
def counts(before: int | float, after: int | float) -> str:
    """Return two counts on one line, `184 → 48`."""
    return f"{round(before):,}{THIN}→{THIN}{round(after):,}"


@carries(2)
def held(part: float, of: float) -> str:
    """Return a share of a count as counts: `19 of 23` of .826 and 23."""
    return f"{round(part * of):,} of {round(of):,}"


@carries()
def ahead(horizon: int) -> str:
    """Return `one month ahead`, `2 months ahead`; 0 is the month in progress."""
    return ("in the month itself", "one month ahead")[int(horizon)] if horizon < 2 else f"{horizon:,} months ahead"


@carries(2)
def leads(first: int, last: int) -> str:
    """Return `1 to 6 months ahead`, `one month ahead` where both are one, `2 and 3 months ahead` of neighbours."""
    between = "and" if last == first + 1 else "to"
    return ahead(first) if first == last else f"{first:,} {between} {last:,} months ahead"


@carries(2)
def of_all(part: int, count: int, noun: str) -> str:
    """Return `two of five figures`, `both figures`, `the one figure`; part of count, spelt out."""
    many = _plural_of(noun)
    if count == 1:
        return f"the one {noun}" if part else f"not the one {noun}"
    if part == count:
        return f"both {many}" if count == 2 else f"all {spelt(count)} {many}"
    return f"{'none' if part == 0 else spelt(part)} of {spelt(count)} {many}"


@carries()
def plural(count: int | float | None, singular: str, plural_form: str = "") -> str:
    """Return `no deals`, `1 deal`, `1,234 deals`, `an unknown number of deals`."""
    many = plural_form or _plural_of(singular)
    if not known(count):
        return f"an unknown number of {many}"
    assert count is not None
    nearest = round(count)
    if nearest == 0:
        return f"no {many}"
    return f"{_signed(nearest, f'{abs(nearest):,}')} {singular if nearest == 1 else many}"


def joined(items: Iterable[object], *, last: str = "and", none: str = "none", most: int = 0) -> str:
    """Return `a, b and c`; beyond `most`, `a, b and 3 more`."""
    names = [seen(str(item)) for item in items]
    if not names:
        return none
    if most and len(names) > most:
        names = [*names[:most], f"{len(names) - most:,} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def month(period: str) -> str:
    """Return `October 2026` for `2026-10`; a quarter's label is already words."""
    year, dash, rest = str(period).partition("-")
    return f"{_MONTHS[int(rest) - 1]} {year}" if dash and rest.isdigit() else str(period)


def short_month(period: str, *, year: bool = False) -> str:
    """Return `Oct` or `Oct 26` for `2026-10`."""
    name = month(period)
    first, _, number_of_year = name.partition(" ")
    return name if "-" not in str(period) else first[:3] + (f" {number_of_year[2:]}" if year else "")


def day(date: Any) -> str:
    """Return `31 October 2026`."""
    if not known(date):
        return UNKNOWN
    stamp = pd.Timestamp(date)
    return f"{stamp.day} {_MONTHS[stamp.month - 1]} {stamp.year}"


def clean(value: str) -> str:
    """Return text without control characters, marks that turn the direction of writing, and what it carries."""
    return _UNSEEN.sub("", sources.plain(value))


def seen(value: str) -> str:
    """Return text as `clean` does, but with the sources that it carries."""
    if not sources.cited(value):
        return clean(value)
    return _UNSEEN_BUT_MARKS.sub("", value)


def label(value: Any, *, most: int = 28) -> str:
    """Return a name on one line, cut to `most` characters with an ellipsis."""
    if not known(value):
        return UNKNOWN
    text = " ".join(clean(unicodedata.normalize("NFC", str(value))).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def factors(text: str) -> str:
    """Return the factors of a deal without a line break between a factor and `(for)` or `(against)`."""
    return text.replace(" (for)", "\N{NO-BREAK SPACE}(for)").replace(" (against)", "\N{NO-BREAK SPACE}(against)")


def sentence(text: str) -> str:
    """Return text with a capital first and one full stop last."""
    words = text.strip()
    if not sources.plain(words):
        return ""
    return sources.capitalised(words) + ("" if sources.plain(words)[-1] in ".!?:" else ".")


def listed(name: Any, *parts: str, most: int = 60) -> str:
    """Return `name: one; two`, without the parts that are empty; a tooltip is worded so."""
    title = str(name) if sources.cited(str(name)) else label(name, most=most)
    rest = "; ".join(part for part in parts if part)
    return f"{title}: {rest}" if rest else title


def named_amount(what: str, value: Any, *, currency: str, sign: bool = False) -> str:
    """Return `plan €4.9 m`, or nothing where the amount is not known."""
    return f"{what} {money(value, currency=currency, sign=sign)}".strip() if known(value) else ""


def named_share(what: str, value: Any, *, sign: bool = False) -> str:
    """Return `plan reached 31 %`, or nothing where the share is not known."""
    return f"{what} {percent(value, sign=sign)}".strip() if known(value) else ""


def named_range(low: Any, high: Any, *, currency: str, nominal: int = 80) -> str:
    """Return `80 % range €3.7–4.6 m`, or nothing where an end is not known."""
    if not (known(low) and known(high)):
        return ""
    return f"{nominal}{THIN}% range {money_range(low, high, currency=currency)}"


def source(company: Any, as_of: Any) -> str:
    """Return the source line of a chart: whose tables, whichever there are, as of when."""
    return f"Source: {label(company.name, most=60)}, its own tables, as known on {day(as_of)}."


def axis_unit(largest: float, *, currency: str = "") -> tuple[float, str]:
    """Return what to divide an axis of money by, and the words for it: (1e6, `€ million`)."""
    scale, unit = _unit(abs(largest) if known(largest) else 0.0, 3)
    words = {"bn": "billion", "m": "million", "k": "thousand", "": ""}[unit]
    symbol = _SYMBOLS.get(currency, currency)
    return scale, " ".join(part for part in (symbol, words) if part) or "amount"


# -- digits, signs and units ----------------------------------------------------------------------------


def _unit(size: float, digits: int) -> tuple[float, str]:
    for scale, unit in _UNITS:
        if float(f"{size:.{digits}g}") >= scale:
            return scale, unit
    return _UNITS[-1]


def _figures(size: float, digits: int) -> str:
    if size == 0:
        return "0"
    rounded = float(f"{size:.{digits}g}")
    places = max(0, digits - 1 - math.floor(math.log10(rounded)))
    text = f"{rounded:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(value: float, text: str, *, plus: bool = False) -> str:
    if value < 0 and text.strip("0.,"):
        return MINUS + text
    return f"+{text}" if plus and value > 0 and text.strip("0.,") else text


def _priced(value: float, figures: str, unit: str, currency: str, sign: bool) -> str:
    symbol = _SYMBOLS.get(currency, "")
    signed = _signed(value, figures, plus=sign)
    if symbol and signed[0] in f"+{MINUS}":
        return f"{signed[0]}{symbol}{signed[1:]}{_tail(unit, currency)}"
    return f"{symbol}{signed}{_tail(unit, currency)}"


def _tail(unit: str, currency: str) -> str:
    code = currency if currency and currency not in _SYMBOLS else ""
    return "".join(f"{THIN}{part}" for part in (unit, clean(code)) if part)


def _plural_of(word: str) -> str:
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")
