"""A scenario on its way into a report: read, checked before anything runs, and renamed where names are replaced.

What reads and checks it is loaded only where a scenario is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from forecast.errors import ParameterError

if TYPE_CHECKING:
    from forecast.data.schema import Log

NOTEBOOK = "00_explore"
"""The notebook that shows a scenario; no other receives it."""

_TEXTS, _DEALS = ("segment", "product"), ("won", "lost")


def read(file: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return the parameters of a scenario file, none where there is no file. Raises ParameterError."""
    if file is None:
        return {}
    from forecast.reporting.explorer.scenario_file import read_scenario

    return read_scenario(file)


def check_given(scenario: Mapping[str, Any], given: Mapping[str, Any], notebooks: Collection[str]) -> None:
    """Raise ParameterError where no notebook could show a scenario, or a parameter is given twice."""
    if scenario and NOTEBOOK not in notebooks:
        raise ParameterError(f"there is no notebook {NOTEBOOK} that could show a scenario")
    if twice := sorted(set(scenario) & set(given)):
        raise ParameterError(f"{twice[0]} is given twice: by --scenario and by --parameter")


def check_day(values: Mapping[str, Any], log: Log, *, as_of: str) -> None:
    """Raise ParameterError where values name a segment, product or open deal that the day does not know."""
    if not any(values.get(name) for name in (*_TEXTS, *_DEALS)):
        return
    from forecast.data.known.snapshot import snapshot
    from forecast.reporting.explorer.scenario_file import check_scenario

    snap = snapshot(log, as_of=as_of)
    still = snap.opportunities[snap.opportunities["outcome"] == "open"]
    products = still["product"].dropna().astype(str) if "product" in still else ()
    check_scenario(values, segments=snap.segments, products=products, open_deals=still["opportunity_id"])


def renamed(values: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the values that name something, with its pseudonym instead; `names` as `redact` returns them."""
    deals, categories = names.get("deal", {}), names.get("category", {})
    found: dict[str, Any] = {name: [deals[deal.strip()] for deal in values[name]] for name in _DEALS if name in values}
    found.update({name: categories.get(values[name], values[name]) for name in _TEXTS if name in values})
    return found
