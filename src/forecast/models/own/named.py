"""Models of one's own by a name: `package.module:mine`, or an entry point of the group `forecast.models`.

A module is looked for where Python looks, then in the folder one works in.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from forecast.errors import ParameterError, nearest, shortened
from forecast.models.own.model import OwnModel, own_model, told

GROUP = "forecast.models"
"""The group of entry points of packages that bring models."""


def named(name: str) -> OwnModel | None:
    """Return the model of one's own that goes by a name, imported now; None where none does.

    Raises
    ------
    ParameterError : the module cannot be imported, holds no such thing, or it is no function that can be called.
    """
    module, colon, attribute = name.partition(":")
    if colon:
        return own_model((attribute.rpartition(".")[2], _imported(module.strip(), attribute.strip(), name)))
    for each in _entries():
        if each.name == name:
            return own_model((name, _imported(each.module, each.attr, f"the entry point {name}")))
    return None


def names_of_entry_points() -> list[str]:
    """Return the names of the models that installed packages bring."""
    return sorted({each.name for each in _entries()})


def _entries() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


def _imported(module: str, attribute: str, asked: str) -> Any:
    """Return an attribute of a module; raises ParameterError where there is none, with what went wrong."""
    if not module or not attribute:
        raise ParameterError(f"model: {shortened(asked)!r} is not package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise ParameterError(
            f"model: {shortened(asked)}: the module {module!r} cannot be imported: {told(error, importing=True)}\n"
            "  mend: work in the folder it lies in, or install it"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [name for name in vars(found) if not name.startswith("_")]
            raise ParameterError(f"model: the module {module!r} has no {part!r}; {nearest(part, known)}")
        found = getattr(found, part)
    return found
