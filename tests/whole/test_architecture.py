"""The house stays in order: imports go downwards only, modules stay small, `import forecast` stays light."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from house import arrows, circles, crowded, functions, modules

# From the hall to the door: a module imports from rows above its own, and from neighbours in its own row.
# A row names modules, or folders with everything in them.
ROWS = [
    "errors",
    "calendar",
    "sources",
    "wording|seeds|display",
    "differences",
    "data/schema|data/text|data/zones|data/memory|data/mapped",
    "data/codes",
    "data/submissions|data/rates",
    "data/checks",
    "data/sources",
    "data/known/coding",
    "data/known/planned",
    "data/known/recorded|data/known/events|data/known/broken|data/known/places",
    "data/known/archive|data/known/kept",
    "data/known/ledger",
    "data/known/breaks|data/known/segment_breaks",
    "data/known/mended",
    "data/known/snapshot|data/known/enough",
    "data/known/settled|data/known/changes",
    "data/asked_day",
    "data/selection",
    "data/audit",
    "simulation",
    "models/tables|models/spread|models/logistic",
    "models/win",
    "models/pipeline",
    "models/hierarchy",
    "models/baselines",
    "models/own",
    "models/registry",
    "models/combined",
    "adapters",
    "evaluation/backtest|evaluation/changed",
    "evaluation/by_level",
    "evaluation/own",
    "evaluation/scores",
    "evaluation/judgement",
    "evaluation/value_added|evaluation/alarms|evaluation/last_months|evaluation/people",
    "evaluation/lately|evaluation/levels|evaluation/level_scores",
    "evaluation/questions",
    "evaluation/planning",
    "evaluation/scorecard/definition",
    "evaluation/scorecard/benchmarks|evaluation/scorecard/spans",
    "evaluation/scorecard/funnel/incidence|evaluation/scorecard/funnel/journeys",
    "evaluation/scorecard/known",
    "evaluation/scorecard/close_rates",
    "evaluation/scorecard/funnel/rows",
    "evaluation/scorecard/funnel/hand_overs|evaluation/scorecard/funnel/plans",
    "evaluation/scorecard/funnel/leaks",
    "evaluation/scorecard/funnel/table",
    "evaluation/scorecard/one_level",
    "evaluation/scorecard/measures",
    "evaluation/scorecard/revenue",
    "evaluation/scorecard/revenue/lmdi",
    "evaluation/scorecard/revenue/parts",
    "evaluation/scorecard/revenue/shares",
    "evaluation/scorecard/revenue/decomposition",
    "evaluation/scorecard/figures/intervals|evaluation/scorecard/figures/since_joint",
    "evaluation/scorecard/figures",
    "evaluation/scorecard/definitions",
    "evaluation/scorecard/card",
    "reporting/charts",
    "reporting/pages",
    "reporting/month/results|reporting/month/planning_rows",
    "reporting/explorer",
    "reporting/month",
    "reporting/published",
    "reporting/run",
    "reporting/published/takeover",
    "reporting/segments/names|reporting/segments/page|reporting/segments/listed",
    "reporting/segments/month",
    "reporting/segments",
    "reporting/run/report",
    "reporting/published/record|reporting/published/clean|reporting/published/replay|reporting/published/planned",
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


def test_every_module_has_its_row():
    homeless = sorted(module for module in modules() if _row(module) is None)
    assert not homeless, f"not in the order of the house: {homeless}"


@pytest.mark.slow
def test_imports_go_downwards_only():
    upwards = [
        f"{module} imports {target}"
        for module, targets in arrows().items()
        for target in targets
        if _row(target) > _row(module)  # type: ignore[operator]
    ]
    assert not upwards, "\n".join(sorted(upwards))


@pytest.mark.slow
def test_no_modules_import_each_other_in_a_circle():
    # Imports for type checking and inside functions count: they only hide a circle.
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == [("a", "b")]
    assert not circles(arrows())


def test_only_the_data_room_and_the_evaluation_read_the_log():
    # Models receive a Snapshot, so that rows of the future cannot reach them.
    for module, path in modules().items():
        if module.startswith("models/"):
            assert not re.search(r"\bLog\b", path.read_text(encoding="utf-8")), f"{module} knows the log"


def test_only_the_command_line_simulates():
    # A simulated company is for tests, benchmarks and `forecast simulate`; nothing that forecasts or reports knows one.
    users = {
        module for module, targets in arrows().items() if any(target.startswith("simulation/") for target in targets)
    }
    outside = {module for module in users if not module.startswith(("simulation/", "cli/"))}
    assert not outside, f"modules that import the simulation: {sorted(outside)}"


def test_benchmarks_that_are_named_exist(root: Path):
    scripts = {
        path.relative_to(root).as_posix() for path in (root / "benchmarks").rglob("*.py") if ".cache" not in path.parts
    }
    texts = [root / "Makefile", *root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("benchmarks/**/*.py")]
    for path in [*texts, root / "benchmarks" / "README.md"]:
        text = path.read_text(encoding="utf-8")
        named = {f"{name.replace('.', '/')}.py" for name in re.findall(r"(?:-m|from) (benchmarks(?:\.\w+)+)", text)}
        named = {name for name in named if not (root / name.removesuffix(".py")).is_dir()}
        named |= set(re.findall(r"benchmarks/[\w/]+\.py", text))
        assert not named - scripts, f"{path.name} names {sorted(named - scripts)}"


def test_modules_hold_one_idea_and_functions_fit_a_screen():
    long = {module: n for module, path in modules().items() if (n := len(path.read_text("utf-8").splitlines())) > 500}
    assert not long, f"modules over 500 lines: {long}"
    tall = {f"{module}.{name}": n for module, path in modules().items() for name, n in functions(path) if n > 59}
    assert not tall, f"functions over 50 lines: {tall}"


@pytest.mark.slow
def test_no_folder_is_crowded(root: Path):
    for base in (root / "src" / "forecast", root / "benchmarks"):
        for folder, (entries, between) in crowded(arrows(base)).items():
            assert entries <= 16, f"{base.name}/{folder}: {entries} files and folders"
            assert between <= 35, f"{base.name}/{folder}: {between} imports between them"


def test_no_clock_in_the_library():
    # But for the one that the command line hands in: what day is `today`, when did a run begin.
    clock = re.compile(
        r"datetime\.(now|today|utcnow)\(|date\.today\(|Timestamp\.(now|today|utcnow)\(|time\.time\("
        r"|(Timestamp|datetime64)\([\"'](now|today)"
    )
    found = [module for module, path in modules().items() if clock.search(path.read_text(encoding="utf-8"))]
    assert found == ["cli/clock"], f"a wall clock in {found}"


@pytest.mark.slow
def test_public_functions_take_no_open_keywords():
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert node.args.kwarg is None, f"{module}.{node.name} takes **{node.args.kwarg.arg}"


@pytest.mark.slow
def test_the_run_loads_nothing_that_draws_or_fits():
    # Kernels do that; the run's own process stays small, and what draws the list of months is loaded in the end.
    code = (
        "import sys, json, forecast.cli.app, forecast.reporting.run.report\n"
        "from forecast.reporting.run import engine, export\n"
        "export.glossary_page(company='C')\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert not {"matplotlib", "scipy", "sklearn", "statsmodels", "duckdb", "IPython", "ipykernel"}.intersection(loaded)


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
