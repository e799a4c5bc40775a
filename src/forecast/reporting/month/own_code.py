"""Models of one's own that a report is asked to show: found before any notebook starts, and known by their code.

A month is made from them as from notebooks and data: where their code has changed, the month is not the same. Looked at
are the Python files of the model's package, or those beside a module that lies in no package; what else a model reads
(files, other packages) has no fingerprint.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from forecast.errors import ParameterError

PARAMETER = "models"
"""The parameter of a notebook that names models of one's own."""


def prints(values: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return one SHA-256 over the code of each model of one's own by its name; values : of notebooks' parameters.

    Raises ParameterError where a name leads to no module.
    """
    names = dict.fromkeys(name for each in values for name in each.get(PARAMETER, ()))
    return {name: _print_of(name) for name in names}


def check(values: Iterable[Mapping[str, Any]]) -> None:
    """Import the models of one's own that notebooks are to show; raises ParameterError for what is none."""
    names = [name for each in values for name in each.get(PARAMETER, ())]
    if not names:
        return
    from forecast.models.own.model import OwnModel
    from forecast.models.registry import own_or_name

    for name in names:
        if not isinstance(own_or_name(name), OwnModel):
            raise ParameterError(
                f"{PARAMETER}: {name!r} is no model of your own\n  mend: package.module:function, or an entry point"
            )


def _print_of(name: str) -> str:
    module = name.partition(":")[0]
    if ":" not in name:
        module = next((each.module for each in entry_points(group="forecast.models") if each.name == name), name)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin:
        raise ParameterError(
            f"{PARAMETER}: there is no module {module!r}\n  mend: work in the folder it lies in, or install it"
        )
    folder, parts = Path(found.origin).parent, module.split(".")
    in_package = len(parts) > 1 or found.submodule_search_locations is not None
    for _ in parts[1 if found.submodule_search_locations else 2 :]:
        folder = folder.parent
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*.py") if in_package else folder.glob("*.py")):
        for part in (file.relative_to(folder).as_posix().encode(), file.read_bytes()):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()
