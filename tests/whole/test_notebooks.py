"""The notebooks are thin, clean and parameterised, and run to the end whatever tables a company lacks."""

from __future__ import annotations

import ast
import json
import linecache
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from forecast.reporting.run.kernels import without_iri_grammar
from forecast.reporting.run.parameters import notebook_parameters
from forecast.reporting.run.prepare import ANALYST, STAGES, for_the_month
from tiny import tiny_company

with without_iri_grammar():
    from papermill import inspect_notebook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REPORTS = [path for path in NOTEBOOKS if not path.name.startswith("00")]
OF_EACH_MONTH = [path for path in REPORTS if path.stem in {stage.name for stage in STAGES}]
"""Those that a report runs without being asked for more."""
OWN = ROOT / "notebooks" / "08_your_own_model.ipynb"
"""In no report, and the one in which functions are written: a model of one's own is a function."""


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def is_analysts(cell: dict[str, Any]) -> bool:
    """Return whether a cell is for whoever works in the notebook, so that a report leaves it out."""
    return ANALYST in cell["metadata"].get("tags", [])


def names_of(some: list[dict[str, Any]], *, made: bool = False) -> set[str]:
    """Return the names in cells of code; made : only those that they make."""
    trees = [ast.parse(source(cell)) for cell in some if cell["cell_type"] == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return {node.id for node in nodes if not made or isinstance(node.ctx, ast.Store)}


def run(path: Path, *, whole: bool = False, **parameters: object) -> str:
    """Run a notebook's cells as one script and return the HTML of what each cell shows; whole : the analyst's too."""
    names: dict[str, Any] = {}
    shown = []
    for cell in cells(path):
        if cell["cell_type"] != "code" or (is_analysts(cell) and not whole):
            continue
        body = ast.parse(source(cell)).body
        linecache.cache[cell["id"]] = (len(source(cell)), None, source(cell).splitlines(keepends=True), cell["id"])
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), cell["id"], "exec"), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names.update(parameters)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)
            shown.append((hasattr(value, "_repr_html_") and value._repr_html_()) or str(value))
    return "\n".join(shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestForm:
    def test_it_opens_with_a_question(self, path: Path):
        first = cells(path)[0]
        assert first["cell_type"] == "markdown"
        title = source(first).splitlines()[0]
        assert title.startswith("# ")
        assert title.endswith("?")
        assert (
            sum(line.startswith("# ") for c in cells(path) if c["cell_type"] == "markdown" for line in c["source"]) == 1
        )

    def test_it_has_one_parameters_cell(self, path: Path):
        tagged = [cell for cell in cells(path) if "parameters" in cell["metadata"].get("tags", [])]
        assert len(tagged) == 1
        parameters = {parameter.name: parameter for parameter in notebook_parameters(path)}
        assert parameters["data"].default == "data/sample"
        assert parameters["as_of"].default == "2026-10-31"
        assert all(parameter.meaning for parameter in parameters.values())
        # Plain papermill reads the same names: it stumbles over an equals sign in a comment, and warns of right names.
        assert set(inspect_notebook(path)) == set(parameters)

    def test_it_is_thin(self, path: Path):
        code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
        assert 6 <= len([cell for cell in code if not is_analysts(cell)]) <= 12
        for cell in code:
            if "parameters" not in cell["metadata"].get("tags", []):  # that is a list, a line each
                assert len(cell["source"]) <= 15, cell["id"]
            tree = ast.parse(source(cell))
            made = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.For, ast.While)
            if path == OWN and cell["id"] in ("waiting", "model"):
                made = made[1:]
            assert not [node for node in ast.walk(tree) if isinstance(node, made)], cell["id"]
            assert max(map(len, source(cell).splitlines())) <= 120, cell["id"]

    def test_it_carries_no_outputs_and_readable_ids(self, path: Path):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["metadata"]["kernelspec"]["name"] == "python3"
        ids = [cell["id"] for cell in content["cells"]]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in ids)
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == []
                assert cell["execution_count"] is None

    def test_every_name_it_imports_is_used(self, path: Path):
        text = "\n".join(source(cell) for cell in cells(path) if cell["cell_type"] == "code")
        tree = ast.parse(text)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    assert (alias.asname or alias.name).split(".")[0] in used, alias.name


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a company of eight deals without history, plan or anything else: too thin for any forecast."""
    folder = tiny_company(tmp_path_factory.mktemp("bare") / "data")
    for file in folder.iterdir():
        if file.stem not in ("opportunities", "company"):
            file.unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_it_says_what_it_cannot_show_where_almost_everything_is_missing(path: Path, bare: Path):
    html = run(path, data=str(bare), as_of="2026-03-31")
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", html).lower().replace("finance", "")
    assert html.count("<figure") + html.count("finding") >= 2
    if path.stem.startswith("07"):
        assert "We cannot say what we will book" in html
        assert "The record of what sales and marketing forecast" in html
        assert "submitted_forecasts" in html
        assert "Rep 1" not in html


@pytest.mark.slow
@pytest.mark.xdist_group("maven")
@pytest.mark.parametrize("path", OF_EACH_MONTH, ids=lambda path: path.stem)
def test_it_runs_on_a_real_export_without_history(path: Path, maven_report: Path):
    month = maven_report / "2017-12-31"
    page = month / "index.html" if path.stem.startswith("07") else month / "analysis" / f"{path.stem}.html"
    html = page.read_text(encoding="utf-8")
    assert "<figure" in html or "finding abstain" in html
    words = re.sub(r"<[^>]+>", "", html)
    if path.stem.startswith("02"):
        assert "No skill over the base rate" in words
    if path.stem.startswith("07"):
        assert "The effect of planning together: submitted_forecasts and joint_planning." in words
        history = "since last month, odds by stage and date and formal sales process: the table opportunity_history."
        assert history in words


@pytest.mark.slow
@pytest.mark.xdist_group("maven")
def test_a_segments_page_runs_on_a_real_export_without_history(maven_report: Path, maven_company: Path):
    tables, path = maven_report / "2017-12-31" / "tables", ROOT / "notebooks" / "10_segment.ipynb"
    html = run(path, data=str(maven_company), as_of="2017-12-31", tables=str(tables))
    assert "we expect to book" in re.sub(r"<[^>]+>", "", html)
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", html).lower().replace("finance", "")


WORKED_IN = [path for path in REPORTS if any(is_analysts(cell) for cell in cells(path))]


def test_every_notebook_of_the_month_is_worked_in():
    assert {path.stem for path in WORKED_IN} == {*(path.stem for path in OF_EACH_MONTH), OWN.stem}


def test_what_is_for_the_analyst_is_no_part_of_a_leaders_page():
    brief = json.loads((ROOT / "notebooks" / "07_leadership_brief.ipynb").read_text(encoding="utf-8"))
    kept = for_the_month(brief)["cells"]
    assert [cell["id"] for cell in kept][-1] == "limits"
    assert not any(cell["id"].startswith(("try-", "look-")) or "by-hand" in cell["id"] for cell in kept)
    # what the page is made of needs no name that an analyst's cell makes
    mine = [cell for cell in brief["cells"] if is_analysts(cell)]
    assert not names_of(mine, made=True) & names_of(kept)


@pytest.mark.parametrize("path", WORKED_IN, ids=lambda path: path.stem)
def test_a_live_choice_still_works_after_the_cells_below_have_run(path: Path):
    # What is drawn of a choice looks its names up when it is made, so no later cell may give them to something else.
    all_cells = cells(path)
    for place, cell in enumerate(all_cells):
        if "Live(" in source(cell):
            drawn = [node for node in ast.walk(ast.parse(source(cell))) if isinstance(node, ast.Lambda)]
            asked = {node.id for each in drawn for node in ast.walk(each.body) if isinstance(node, ast.Name)}
            given = {name.arg for each in drawn for name in each.args.args}
            assert not (asked - given) & names_of(all_cells[place + 1 :], made=True), cell["id"]


@pytest.mark.parametrize("path", WORKED_IN, ids=lambda path: path.stem)
def test_it_teaches(path: Path):
    # A word on what to look for, the frames themselves, and three cells to change at the end.
    mine = [cell for cell in cells(path) if is_analysts(cell)]
    assert source(mine[0]).startswith("**What to look for.**")
    tried = [cell for cell in mine if cell["cell_type"] == "code" and cell["id"].startswith("try-")]
    assert len(tried) == 3
    assert [cell["id"] for cell in cells(path)][-3:] == [cell["id"] for cell in tried]
    shown = [cell for cell in mine if cell["cell_type"] == "code" and cell not in tried]
    assert len(shown) >= 3
    assert all(source(cell).startswith(("#", "import ")) for cell in [*shown, *tried]), "a cell without a word on it"


@pytest.mark.slow
@pytest.mark.parametrize("path", WORKED_IN, ids=lambda path: path.stem)
@pytest.mark.xdist_group("report")
def test_what_is_for_the_analyst_runs(path: Path, sample_report: Path, tmp_path: Path):
    tables = shutil.copytree(sample_report / "2026-10-31" / "tables", tmp_path / "tables")
    html = run(path, whole=True, data=str(ROOT / "data" / "sample"), tables=str(tables))
    assert "Traceback" not in html
    if path == OWN:
        said = re.sub(r"<[^>]+>|\s+", " ", html)
        assert "On month ends that were not used to choose it, this model, segment by segment, misses by" in said
        assert "my_models:mine: no leak found" in said


@pytest.mark.slow
def test_a_model_of_ones_own_is_claimed_nothing_of_where_nothing_can_be_told(tmp_path: Path):
    folder = tiny_company(tmp_path / "data")
    said = re.sub(r"<[^>]+>|\s+", " ", run(OWN, data=str(folder), as_of="2026-03-31"))
    assert "Cannot tell" in said
    assert "On month ends that were not used" not in said
