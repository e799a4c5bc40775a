"""One list of dependencies: pyproject.toml. environment.yml and requirements.lock must say the same."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from rattler import MatchSpec


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tool(root: Path):
    spec = importlib.util.spec_from_file_location("environment", root / "tools" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_environment_is_what_pyproject_says(root: Path, pyproject: dict, tool):
    assert (root / "environment.yml").read_text(encoding="utf-8") == tool.environment(pyproject)


def test_every_conda_spec_parses_strictly(root: Path, pyproject: dict, tool):
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    specs = [item for item in environment["dependencies"] if isinstance(item, str)]
    parsed = {MatchSpec(spec, strict=True).name.normalized for spec in specs}
    wanted = {Requirement(item).name for item in pyproject["project"]["dependencies"]}
    assert parsed == {tool.CONDA_NAMES.get(name, name) for name in wanted} | {"python", "pip"}


def test_a_requirement_too_complicated_for_conda_is_refused(tool):
    with pytest.raises(ValueError, match="cannot write"):
        tool.conda_spec("dask[distributed]>=2026; python_version < '3.13'")


def test_the_lock_pins_each_dependency_with_hashes_and_no_address(root: Path, pyproject: dict):
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    pins: dict[str, list[Version]] = {}
    for entry in entries:
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", entry)
        assert match, f"not an exact pin: {entry.splitlines()[0]}"
        assert "--hash=sha256:" in entry, f"no hash: {match[1]}"
        pins.setdefault(match[1].lower(), []).append(Version(match[2]))
    wanted = pyproject["project"]["dependencies"] + pyproject["project"]["optional-dependencies"]["dev"]
    for requirement in map(Requirement, wanted):
        versions = pins.get(requirement.name.lower(), [])
        assert versions, f"{requirement.name} is not in requirements.lock: make lock"
        assert all(version in requirement.specifier for version in versions), f"{requirement}: make lock"


def test_no_dependency_is_declared_that_nothing_imports(root: Path, pyproject: dict):
    # Imported under another name; and those that analysts use in their notebooks or that others find by themselves.
    names = {"scikit-learn": "sklearn"}
    for_the_user = {"ipykernel", "jupyterlab", "pyarrow", "scikit-learn", "statsmodels", "tzdata"}
    source = "\n".join(path.read_text(encoding="utf-8") for path in (root / "src").rglob("*.py"))
    for requirement in map(Requirement, pyproject["project"]["dependencies"]):
        module = names.get(requirement.name, requirement.name)
        used = re.search(rf"^\s*(import|from) {re.escape(module)}\b", source, flags=re.M)
        assert used or requirement.name in for_the_user, f"{requirement.name} is imported nowhere"
