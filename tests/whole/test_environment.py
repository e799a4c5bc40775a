"""One list of dependencies: pyproject.toml. environment.yml and requirements.lock must say the same."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
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
    names = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
    for_the_user = {"ipykernel", "jupyterlab", "pyarrow", "scikit-learn", "statsmodels", "tzdata"}
    source = "\n".join(path.read_text(encoding="utf-8") for path in (root / "src").rglob("*.py"))
    for requirement in map(Requirement, pyproject["project"]["dependencies"]):
        module = names.get(requirement.name, requirement.name.replace("-", "_"))
        used = re.search(rf"^\s*(import|from) {re.escape(module)}\b", source, flags=re.M)
        assert used or requirement.name in for_the_user, f"{requirement.name} is imported nowhere"


@pytest.mark.slow
def test_tests_of_a_group_run_in_one_worker(tmp_path: Path):
    # pytest 9.2 with pytest-xdist 3.8 spreads them without a word, and each worker makes the group's reports anew.
    (tmp_path / "test_group.py").write_text(
        "import os, pytest\n\n@pytest.mark.xdist_group('one')\n@pytest.mark.parametrize('one', range(6))\n"
        "def test_it(one):\n    open(os.environ['PYTEST_XDIST_WORKER'], 'w').close()\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(list(tmp_path.glob("gw*"))) == 1


def test_the_tests_of_a_file_are_a_group(request: pytest.FixtureRequest):
    # Else what a file makes once is made in both workers.
    assert not hasattr(request.config, "workerinput") or request.node.nodeid.endswith(
        "@tests/whole/test_environment.py"
    )
