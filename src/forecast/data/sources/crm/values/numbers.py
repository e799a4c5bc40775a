"""Amounts and other numbers as exports write them -> float64.

The simple case: `12500.5`, `1.25E7`. The complications: currency signs and codes, thousands separators and decimal
commas, brackets or a trailing minus for what is negative, per cent, words for "nothing here".

Which sign is the decimal one is decided once for a column: by a value that has both signs, by a number of digits that
no thousands separator leaves, else by the file's own decimal sign. `1.234` alone decides nothing and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.codes import by_text, bytes_of
from forecast.data.sources.crm.values.reading import Cells, Reading, cells

_SIGNS = {
    **{"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₪": "ILS", "₴": "UAH", "₫": "VND"},
    **{"zł": "PLN", "Kč": "CZK", "Ft": "HUF", "lei": "RON", "Lei": "RON", "руб": "RUB", "руб.": "RUB", "лв": "BGN"},
    **{"лв.": "BGN", "R$": "BRL"},
}
"""Currency signs that stand for one currency."""
_SEVERAL = {
    **{"$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "CLP", "COP", "ARS", "TWD"), "¥": ("JPY", "CNY")},
    **{"kr": ("SEK", "NOK", "DKK", "ISK"), "kr.": ("SEK", "NOK", "DKK", "ISK"), "Rs": ("INR", "PKR", "LKR")},
    **{"Fr.": ("CHF",), "US$": ("USD",), "C$": ("CAD",), "CA$": ("CAD",), "A$": ("AUD",), "AU$": ("AUD",)},
}
"""Currency signs that stand for several currencies, or with a letter for one."""
_NAMES = {
    **{"euro": "EUR", "us dollar": "USD", "us dollars": "USD", "pound sterling": "GBP", "british pound": "GBP"},
    **{"swiss franc": "CHF", "japanese yen": "JPY", "canadian dollar": "CAD", "australian dollar": "AUD"},
    **{"swedish krona": "SEK", "norwegian krone": "NOK", "danish krone": "DKK", "mexican peso": "MXN"},
}
_CODE = re.compile(r"(?:.*[\s:(-])?([A-Z]{3})\)?|([A-Z]{3})\s*[-:(].*")
_CURRENCY = r"(?:[A-Z]{2,3}|[A-Z]{0,2}[$€£¥₹₩₽₺₪₴₫฿₱₦]|kr\.?|zł|Fr\.|CHF|Kč|Ft|[Ll]ei|Rs\.?|руб\.?|лв\.?)"
_BODY = re.compile(
    rf"(?P<open>\()?(?P<minus>[-−–+])?\s*(?P<before>{_CURRENCY})?\s*(?P<inner>[-−–])?\s*"
    rf"(?P<digits>\d[\d.,'’\s]*|[.,]\d+)(?P<power>[eE][+-]?\d+)?\s*(?P<percent>%)?(?P<early>[-−–])?\s*"
    rf"(?P<after>{_CURRENCY})?(?P<trail>[-−–])?(?P<close>\))?"
)
_MONEY = r"(?:EUR|USD|GBP|CHF|[A-Z]{0,2}[$€£¥₹₩₽₺₪₴₫฿₱₦]|kr\.?|zł)"
_ZERO = rf"(?:{_MONEY}\s*[-−–]+|[-−–]+\s*{_MONEY})"
"""How a spreadsheet's accounting format writes nothing: a dash beside the currency."""
_THOUSANDTHS = ("KWD", "BHD", "OMR", "TND", "JOD", "LYD", "IQD", "KD", "BD", "DT", "JD")
"""Currencies whose amounts have three decimals."""
_GROUPED = {sign: re.compile(rf"\d{{1,3}}(?:{re.escape(sign)}\d{{2,3}})*{re.escape(sign)}\d{{3}}") for sign in ".,"}


_CALLED = {".": "point", ",": "comma"}
_MINUS = ["open", "inner", "early", "trail", "minus"]
"""The places of a sign; the last may hold a plus."""


def currency_codes(written: str) -> tuple[str, ...]:
    """Return the ISO codes a currency may be, as it is written in a column: one for `EUR`, `US Dollars : USD` and `€`,
    several for `$` and `kr`, none where nothing is known of it (`Peso`)."""
    text = written.strip()
    one = _SIGNS.get(text, _NAMES.get(text.lower()))
    if one is not None:
        return (one,)
    found = _CODE.fullmatch(text.upper() if len(text) == 3 else text)
    return _SEVERAL.get(text, ()) if found is None else (found[1] or found[2],)


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """numbers : float64 as in the file. currency : the code or sign written next to each (text), None where none is."""

    numbers: pd.Series
    currency: pd.Series | None = None


def numbers(values: pd.Series, reading: Reading, *, column: str) -> pd.Series:
    """Return numbers (float64), missing where empty; per cent as the number before the sign.

    Raises DataError for what is no number, or where decimal and thousands signs cannot be told apart.
    """
    return amounts(values, reading, column=column).numbers


def shares(values: pd.Series, reading: Reading, *, column: str) -> pd.Series:
    """Return probabilities from 0 to 1: written as such, or as per cent (a value over 1, or a per cent sign)."""
    read = numbers(values, reading, column=column)
    text = values.dtype == "str" and values.str.contains("%", regex=False).fillna(False).any()
    return read / 100 if text or (read > 1).any() else read


def amounts(values: pd.Series, reading: Reading, *, column: str) -> Amounts:
    """Return numbers and the currency written next to them; see `numbers`."""
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return Amounts(numbers=values.astype("float64"))
    quick = _quick(values) if values.dtype == "str" and reading.decimal_said != "," else None
    if quick is not None:
        return Amounts(numbers=pd.Series(quick, index=values.index))
    given = cells(values, reading, column)
    given = replace(given, texts=given.texts.str.replace(rf"^{_ZERO}$", "0", regex=True))
    parts = given.texts.str.extract(rf"^{_BODY.pattern}$")
    signs = parts[_MINUS].notna().sum(axis=1) > 1
    whole = given.texts.str.fullmatch(_BODY) & (parts["open"].isna() == parts["close"].isna()) & ~signs
    _refuse_unread(~whole.to_numpy(dtype=bool), given)
    digits = parts["digits"].str.replace(r"['’\s]", "", regex=True).fillna("")
    beside = parts["before"].fillna(parts["after"])
    money = beside.notna() & ~beside.isin(_THOUSANDTHS)
    decimal = _decimal(digits, parts["power"].notna().to_numpy(), given, money=money.to_numpy(dtype=bool))
    other = "," if decimal == "." else "."
    plain = digits.str.replace(other, "", regex=False).str.replace(",", ".", regex=False)
    read = pd.to_numeric(plain + parts["power"].fillna(""), errors="coerce").to_numpy(dtype=np.float64).copy()
    _refuse_unread(np.isnan(read), given)
    negative = parts[_MINUS[:-1]].notna().any(axis=1) | (parts["minus"].fillna("+") != "+")
    read[negative.to_numpy()] *= -1
    return Amounts(numbers=given.spread(read, np.nan), currency=_written(parts, given))


def _quick(values: pd.Series) -> np.ndarray | None:
    """Return the numbers where every value is one as programs write them; None otherwise.

    Three digits behind a point could be thousands, unless another value shows that the point is the decimal sign.
    """
    try:
        return by_text(values, _as_programs_write).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None


def _as_programs_write(text: pa.Array) -> pa.Array:
    """Return the numbers of texts (float64); raises ArrowInvalid where one is no number, or not plainly one."""
    read = text.cast(pa.float64())
    numbers = read.to_numpy(zero_copy_only=False)
    if np.isnan(numbers).sum() > read.null_count or np.isinf(numbers).any():
        raise pa.ArrowInvalid("infinite, or no number")
    pointed = _three_behind_a_point(text)
    if pc.any(pc.match_substring_regex(pointed, r"^[+-]?[1-9]\d{0,2}\.\d{3}$")).as_py():
        pointed = text.filter(pc.match_substring(text, "."))
        shown = pc.match_substring_regex(pointed, r"\.\d{1,2}$|\.\d{4,}|^[+-]?0?\.|\d{4,}\.|[eE]")
        if not pc.any(shown).as_py():
            raise pa.ArrowInvalid("thousands, or three decimals")
    return read


def _three_behind_a_point(text: pa.Array) -> pa.Array:
    """Return the texts whose fourth sign from the end is a point; by their bytes, since few of many are."""
    at, signs = bytes_of(text)
    long = np.diff(at) > 4
    there = np.zeros(len(text), dtype=bool)
    there[long] = signs[at[1:][long] - 4] == ord(".")
    return text.filter(pa.array(there))


def _refuse_unread(bad: np.ndarray, given: Cells) -> None:
    bad = bad & ~given.empty
    if bad.any():
        raise given.refusal("values are not numbers", bad, mend="export it as 12500.50, or leave it empty")


_SAY = (
    "export it without thousands separators, as 12500.50, or say it under [numbers] of a mapping (--mapping FILE): "
    'decimal = "," or decimal = "."'
)


@dataclass(frozen=True, kw_only=True)
class _Marks:
    """What each of n texts says of the decimal sign.

    shows : sign -> (n,) where it must be the decimal one. doubtful : (n,) one sign before three digits, which may be
    either. uses : sign -> (n,) where it occurs. wrong : (n,) parted as no number is.
    """

    shows: dict[str, np.ndarray]
    doubtful: np.ndarray
    uses: dict[str, np.ndarray]
    wrong: np.ndarray


def _marks(text: pd.Series, power: np.ndarray) -> _Marks:
    """Return the marks of texts of digits; power : (n,) whether an exponent follows, before which nothing is parted."""
    counts = {sign: text.str.count(re.escape(sign)).to_numpy() for sign in ".,"}
    both = (counts["."] > 0) & (counts[","] > 0)
    point_last = (text.str.rfind(".") > text.str.rfind(",")).to_numpy()
    shows = {".": both & point_last, ",": both & ~point_last}
    doubtful, wrong = np.zeros(len(text), dtype=bool), np.zeros(len(text), dtype=bool)
    for sign, other in ((".", ","), (",", ".")):
        alone = (counts[sign] > 0) & (counts[other] == 0)
        grouped = text.str.fullmatch(_GROUPED[sign]).to_numpy(dtype=bool) & ~text.str.startswith("0").to_numpy()
        grouped &= ~power
        shows[other] |= alone & (counts[sign] > 1)
        shows[sign] |= alone & (counts[sign] == 1) & ~grouped
        doubtful |= alone & (counts[sign] == 1) & grouped
        parted = (counts[sign] > 1) | (both & (point_last == (sign == ",")))
        if parted.any():
            whole = text.str.replace(rf"[{other}]\d*$", "", regex=True)
            wrong |= parted & ~whole.str.fullmatch(_GROUPED[sign]).to_numpy(dtype=bool)
    return _Marks(shows=shows, doubtful=doubtful, uses={sign: counts[sign] > 0 for sign in ".,"}, wrong=wrong)


def _decimal(text: pd.Series, power: np.ndarray, given: Cells, *, money: np.ndarray) -> str:
    """Return the column's decimal sign; money : (n,) which texts have a currency of two decimals beside them."""
    marks, own, said = _marks(text, power), given.reading.decimal, given.reading.decimal_said
    _refuse_unread(marks.wrong, given)
    points, commas = marks.shows["."], marks.shows[","]
    if points.any() and commas.any():
        raise given.refusal(
            "some values have a decimal point, others a decimal comma",
            points | commas,
            rows=given.rows(points)[:2] + given.rows(commas)[:2],
            mend="export the column in one form, best as 12500.50",
        )
    against = {".": commas, ",": points}.get(said, np.zeros(len(text), dtype=bool))
    if against.any():
        raise given.refusal(f"values do not have the decimal {_CALLED[said]} that the mapping says", against, mend=_SAY)
    if points.any() or commas.any():
        shown = "." if points.any() else ","
        if shown == "," or marks.uses[","].any():
            given.say(f"decimal {_CALLED[shown]}, as {given.rows(marks.shows[shown])[0]} shows")
        return shown
    doubtful = marks.doubtful
    if said or not doubtful.any():
        return said or "."
    if own and not (doubtful & marks.uses[own]).any():
        given.say(f"thousands in {given.rows(doubtful)[0]}: the file's decimal sign is the {_CALLED[own]}")
        return own
    parting = [sign for sign in ".," if (doubtful & marks.uses[sign]).any()]
    if len(parting) == 1 and parting[0] != own and not (doubtful & ~money).any():
        given.say(f"thousands in {given.rows(doubtful)[0]}: money has no three decimals")
        return "," if parting[0] == "." else "."
    example = text[doubtful].iloc[0]
    raise given.refusal(
        f"it cannot be told whether {example!r} is {int(re.sub('[.,]', '', example)):,} or "
        f"{example.replace(',', '.')} (no value shows which sign is the decimal one)",
        doubtful,
        mend=_SAY,
    )


def _written(parts: pd.DataFrame, given: Cells) -> pd.Series | None:
    """Return the currency next to each number: a code, a sign's code, or the sign where several currencies have it."""
    sign = parts["before"].fillna(parts["after"])
    if not sign.notna().any():
        return None
    return given.spread(sign.replace(_SIGNS).to_numpy(dtype=object), None).astype("str")
