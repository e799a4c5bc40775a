"""The house stays in order: imports go downwards only, modules stay small, `import forecast` stays light."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

# From the hall to the door: a module imports from rows above its own, and from neighbours in its own row.
# A row names modules, or folders with everything in them.
ROWS = [
    "errors",
    "calendar",
    "wording",
    "data/schema|data/text|data/keys",
    "data/dictionary|data/checks",
    "data/sources",
    "data/known",
    "data/audit",
    "simulation",
    "models/tables",
    "models/threads|models/win",
    "models/pipeline",
    "models/baselines",
    "models/registry",
    "evaluation/backtest",
    "evaluation/scores",
    "evaluation/value_added|evaluation/adjustments",
    "evaluation/planning",
    "evaluation/measures|evaluation/scorecard",
    "reporting/charts",
    "reporting/pages",
    "reporting/month/results",
    "reporting/explorer",
    "reporting/month",
    "reporting/run",
    "cli",
]


def _row(module: str) -> int | None:
    """Return the row of a module: of the longest name in `ROWS` that it is or lies in."""
    found = {
        name: number
        for number, row in enumerate(ROWS)
        for name in row.split("|")
        if module == name or module.startswith(f"{name}/")
    }
    return found[max(found, key=len)] if found else None


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


def _circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return each set of modules that reach each other, of two or more."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for target in arrows[ahead.pop()] - seen:
                seen.add(target)
                ahead.append(target)
        return seen

    reach = {module: reached(module) for module in arrows}
    return sorted({tuple(sorted(b for b in reach[a] if a in reach[b])) for a in arrows if a in reach[a]})  # type: ignore[arg-type]


def test_no_modules_import_each_other_in_a_circle(root: Path):
    # Imports for type checking and inside functions count: they only hide a circle.
    modules = _modules(root)
    assert _circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == [("a", "b")]
    assert not _circles({module: _imports(path) & set(modules) - {module} for module, path in modules.items()})


def test_only_the_data_room_and_the_evaluation_read_the_log(root: Path):
    # Models receive a Snapshot, so that rows of the future cannot reach them.
    for module, path in _modules(root).items():
        if module.startswith("models/"):
            assert not re.search(r"\bLog\b", path.read_text(encoding="utf-8")), f"{module} knows the log"


def test_modules_hold_one_idea(root: Path):
    long = {
        module: n for module, path in _modules(root).items() if (n := len(path.read_text("utf-8").splitlines())) > 500
    }
    assert not long, f"modules over 500 lines: {long}"


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
