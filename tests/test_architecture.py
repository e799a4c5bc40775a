"""The house stays in order: imports go downwards only, modules stay small, `import forecast` stays light."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

# From the hall to the door. A module imports from rows above its own, and from neighbours in its own row; a module
# that was split keeps its first name: `engine_fork` stands where `engine` does.
ROWS = [
    "errors",
    "calendar",
    "data/schema|data/coded_text",
    "data/dictionary|data/checks|data/validation",
    "data/sources",
    "data/simulate",
    "data/history|data/snapshots|data/settled|data/changes",
    "data/replay",
    "data/audit|data/leaks",
    "models/tables|models/features",
    "models/threads|models/hazards|models/factors|models/winprob",
    "models/creation",
    "models/bookings",
    "models/ets|models/theta|models/baselines",
    "models/registry",
    "evaluation/backtest",
    "evaluation/scores",
    "evaluation/planning|evaluation/fva",
    "evaluation/scorecard",
    "reporting/style|reporting/words|reporting/figure",
    "reporting/plots",
    "reporting/results",
    "reporting/scenario",
    "reporting/explore",
    "reporting/month|reporting/months",
    "reporting/parameters|reporting/progress|reporting/engine|reporting/export",
    "reporting/runs",
    "reporting/report",
    "cli",
]


def _row(module: str) -> int | None:
    for number, row in enumerate(ROWS):
        if any(module == name or module.startswith((f"{name}/", f"{name}_")) for name in row.split("|")):
            return number
    return None


def _modules(root: Path) -> dict[str, Path]:
    base = root / "src" / "forecast"
    paths = (path for path in base.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
    return {path.relative_to(base).with_suffix("").as_posix(): path for path in paths}


def _imports(path: Path) -> set[str]:
    """Return the modules of the project that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("forecast"):
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith("forecast."))
    return {name.removeprefix("forecast.").replace(".", "/") for name in found}


def test_every_module_has_its_row(root: Path):
    homeless = sorted(module for module in _modules(root) if _row(module) is None)
    assert not homeless, f"not in the order of the house: {homeless}"


def test_imports_go_downwards_only(root: Path):
    modules = _modules(root)
    upwards = [
        f"{module} imports {target}"
        for module, path in modules.items()
        for target in _imports(path)
        if target in modules and _row(target) > _row(module)  # type: ignore[operator]
    ]
    assert not upwards, "\n".join(sorted(upwards))


def test_only_the_data_room_and_the_evaluation_read_the_log(root: Path):
    # Models receive a Snapshot, so that rows of the future cannot reach them.
    for module, path in _modules(root).items():
        if module.startswith("models/"):
            assert not re.search(r"\bLog\b", path.read_text(encoding="utf-8")), f"{module} knows the log"


def test_modules_hold_one_idea(root: Path):
    long = {
        module: n for module, path in _modules(root).items() if (n := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert not long, f"modules over 400 lines: {long}"


def test_no_clock_in_the_library(root: Path):
    clock = re.compile(
        r"datetime\.(now|today|utcnow)\(|date\.today\(|Timestamp\.(now|today|utcnow)\(|time\.time\("
        r"|(Timestamp|datetime64)\([\"'](now|today)"
    )
    found = [module for module, path in _modules(root).items() if clock.search(path.read_text(encoding="utf-8"))]
    assert not found, f"a wall clock in {found}"


def test_public_functions_take_no_open_keywords(root: Path):
    for module, path in _modules(root).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert node.args.kwarg is None, f"{module}.{node.name} takes **{node.args.kwarg.arg}"


def test_import_forecast_loads_nothing_heavy():
    code = "import sys, json, forecast; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    heavy = {
        "numpy",
        "pandas",
        "scipy",
        "sklearn",
        "statsmodels",
        "matplotlib",
        "papermill",
        "nbconvert",
        "typer",
        "rich",
    }
    assert not heavy & set(loaded)


def test_the_api_of_the_contract_is_there():
    import forecast

    for name in forecast.__all__:
        assert callable(getattr(forecast, name)), name
    with pytest.raises(AttributeError, match="no attribute 'bookings_forecast'"):
        forecast.bookings_forecast  # noqa: B018
