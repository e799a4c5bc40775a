"""A scenario as a file: the levers and what was looked at, as parameters of 00_explore in JSON.

    {"segment": "Iberia", "win_rate": 0.1, "won": ["O-09682"]}

Written whole or not at all, under a plain name in one folder; read strictly: no unknown name, nothing twice, no text
where a number belongs, no lever out of its range.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from forecast.data.schema import TOTAL
from forecast.errors import MachineError, ParameterError, nearest
from forecast.reporting.explorer.scenario import RANGES, Levers, check_deals
from forecast.reporting.month.results import write_text

TEXTS, DEALS, SWITCH = ("segment", "product"), ("won", "lost"), "joint_planning"
FIELDS = (*TEXTS, *RANGES, *DEALS, SWITCH)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_BYTES = 1_000_000


def write_scenario(
    levers: Levers, *, name: str, folder: str | os.PathLike[str], segment: str = TOTAL, product: str = ""
) -> Path:
    """Write `<folder>/<name>.json`, whole or not at all, and return its path; a scenario of that name is replaced.

    The folder is made where it is not there; the one it lies in must be.

    Raises
    ------
    ParameterError : the name is not made of letters, digits, _ and -. MachineError : the file cannot be written.
    """
    _check_name(name)
    values: dict[str, Any] = {"segment": segment, "product": product}
    values.update({lever: getattr(levers, lever) for lever in RANGES})
    values.update(won=list(levers.won), lost=list(levers.lost), joint_planning=levers.joint_planning)
    file = Path(folder) / f"{name}.json"
    write_text(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n", file, parents=True)
    return file


def saved_scenarios(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of the scenarios in a folder, sorted; none where there is no such folder."""
    try:
        return sorted(file.stem for file in Path(folder).glob("*.json") if _NAME.fullmatch(file.stem))
    except OSError as error:
        raise ParameterError(f"{folder}: cannot be read ({error.strerror})") from None


def delete_scenario(name: str, *, folder: str | os.PathLike[str]) -> None:
    """Remove `<folder>/<name>.json`; one that is not there any more is no error.

    Raises ParameterError where the name is none of a scenario, MachineError where the file cannot be removed.
    """
    _check_name(name)
    file = Path(folder) / f"{name}.json"
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{file}: cannot be removed ({error.strerror})") from None


def levers_of(values: Mapping[str, Any]) -> Levers:
    """Return the levers of a scenario as `read_scenario` gives it."""
    return Levers.given(**{name: value for name, value in values.items() if name not in TEXTS})


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ParameterError(f"{name!r} cannot name a scenario; use up to 64 letters, digits, _ and -")


def read_scenario(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the parameters a scenario file holds, in the order of `FIELDS`; those it leaves out are left out.

    Raises ParameterError, naming the file, where it is not there, is no JSON object, or holds what no scenario may.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ParameterError(f"{file.name}: this is too large for a scenario")
        given = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except FileNotFoundError:
        raise ParameterError(f"{file}: there is no such scenario") from None
    except OSError as error:
        raise ParameterError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{file.name}: this is not a scenario: {error}") from None
    if not isinstance(given, dict):
        raise ParameterError(f'{file.name}: a scenario is one JSON object, such as {{"win_rate": 0.1}}')
    for name in given:
        if name not in FIELDS:
            raise ParameterError(f"{file.name}: a scenario has no {name!r}; {nearest(name, FIELDS)}")
    return {name: _field(name, given[name], file.name) for name in FIELDS if name in given}


def check_scenario(
    values: Mapping[str, Any], *, segments: Iterable[str], products: Iterable[str], open_deals: Iterable[str]
) -> None:
    """Raise ParameterError where a scenario names a segment, product or open deal that the day does not know."""
    check_choice(values.get("segment", TOTAL), values.get("product", ""), segments=segments, products=products)
    check_deals(Levers.given(won=values.get("won", ()), lost=values.get("lost", ())), open_deals)


def check_choice(segment: str, product: str, *, segments: Iterable[str], products: Iterable[str]) -> None:
    """Raise ParameterError where the day does not know a segment or product; product : empty for all."""
    known = [TOTAL, *segments]
    if segment not in known:
        raise ParameterError(f"segment: there is no segment {segment!r} on that day; {nearest(segment, known)}")
    offered = sorted(set(products))
    if product and product not in offered:
        raise ParameterError(f"product: no open deal is of the product {product!r}; {nearest(product, offered)}")


def _field(name: str, value: Any, where: str) -> Any:
    if name in RANGES:
        low, high = RANGES[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ParameterError(f"{where}: {name}: {value!r} is not a number")
        if not low <= value <= high:
            raise ParameterError(f"{where}: {name}: {value!r} is not from {low:g} to {high:g}")
        return float(value)
    if name in DEALS:
        if not isinstance(value, list) or not all(isinstance(deal, str) and deal.strip() for deal in value):
            raise ParameterError(f"{where}: {name}: {value!r} is not a list of opportunity ids in quotes")
        return value
    if name == SWITCH:
        if not isinstance(value, bool):
            raise ParameterError(f"{where}: {name}: {value!r} is not true or false")
        return value
    if not isinstance(value, str):
        raise ParameterError(f"{where}: {name}: {value!r} is not text")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name given twice, of which JSON would silently keep the last."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = value
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")
