"""What a month was made from and what it cost: fingerprints, versions, seconds, memory; no clock and no paths."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import forecast
from forecast.errors import MachineError

_PACKAGES = (
    "ipykernel",
    "matplotlib",
    "nbclient",
    "nbconvert",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "statsmodels",
)
_CODE = (".py", ".j2", ".css", ".js", ".json")


def data_fingerprints(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a data folder, by name; of nothing below it and nothing hidden."""
    files = (file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return {file.name: file_fingerprint(file) for file in sorted(files)}


def code_fingerprint() -> str:
    """Return one SHA-256 over the library's files, their names and contents."""
    base = Path(forecast.__file__).parent
    files = sorted(file for file in base.rglob("*") if file.suffix in _CODE and "__pycache__" not in file.parts)
    return _sum(part for file in files for part in (file.relative_to(base).as_posix().encode(), file.read_bytes()))


def notebook_fingerprint(notebook: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the cells of a notebook, whatever outputs it was saved with."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), sorted(cell.get("metadata", {}).get("tags", []))]
        for cell in notebook["cells"]
    ]
    return _sum([json.dumps(cells).encode()])


def file_fingerprint(file: Path) -> str:
    """Return the SHA-256 of a file."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise MachineError(f"{file.name}: cannot be read ({error.strerror})") from None


def versions() -> dict[str, str]:
    """Return the versions of Python, of this suite and of what numbers and pages depend on."""
    found = {"python": platform.python_version(), "forecast": forecast.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def combined(made_from: Mapping[str, Any]) -> str:
    """Return one SHA-256 over everything a month is made from."""
    return _sum([json.dumps(made_from, sort_keys=True, default=str).encode()])


def _sum(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()
