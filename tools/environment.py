"""Write environment.yml from pyproject.toml, the one list of dependencies.

`python tools/environment.py` writes it; a test compares. Only the dependencies of the suite itself go in: the tools of
its developers come from requirements.lock.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Where conda-forge calls a package by another name than the Python index does.
CONDA_NAMES = {"duckdb": "python-duckdb", "tzdata": "python-tzdata"}

_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?P<spec>[<>=!~][^;]*)?$")


def conda_spec(requirement: str) -> str:
    """Return the conda spec of a requirement, e.g. `pandas >=3.0,<4`; ValueError where it is not that simple."""
    match = _REQUIREMENT.match(requirement.replace(" ", ""))
    if not match:
        raise ValueError(f"cannot write {requirement!r} as a conda spec")
    name = CONDA_NAMES.get(match["name"], match["name"])
    return f"{name} {match['spec']}" if match["spec"] else name


def environment(pyproject: dict[str, object]) -> str:
    """Return the text of environment.yml for a parsed pyproject.toml."""
    project = pyproject["project"]
    assert isinstance(project, dict)
    specs = [
        f"python {project['requires-python']}",
        *(conda_spec(item) for item in project["dependencies"]),
        "pip",
    ]
    lines = [
        "# Generated from pyproject.toml by `make environment`; change it there.",
        f"name: {project['name']}",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        *(f"  - {spec}" for spec in specs),
        "  - pip:",
        "      - -e .",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write environment.yml beside pyproject.toml."""
    text = environment(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    (ROOT / "environment.yml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
