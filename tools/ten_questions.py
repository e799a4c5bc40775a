"""The session docs/ten_questions.ipynb, run anew: its cells on data/sample, and what comes of them.

`python tools/ten_questions.py` writes the outputs into the notebook; a test runs it as well and compares. Nothing of
the machine stays: it runs in a temporary folder in which `data/sample` is found, and times and versions are left out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path("docs") / "ten_questions.ipynb"
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def session(root: Path) -> Any:
    """Return the notebook as it is kept; root : of the repository."""
    return nbformat.read(root / NOTEBOOK, as_version=4)


def executed(root: Path, folder: Path, *, then: str = "") -> Any:
    """Return the notebook run in an empty folder. Raises CellExecutionError where a cell fails.

    then : code that is run after its cells, and is not in what is returned.
    """
    notebook = session(root)
    notebook.cells += [nbformat.v4.new_code_cell(then)] * bool(then)
    (folder / "data").mkdir()
    (folder / "data" / "sample").symlink_to((root / "data" / "sample").resolve())
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    notebook.cells = notebook.cells[: len(notebook.cells) - bool(then)]
    notebook.metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


def outputs(notebook: Any) -> dict[str, list[str]]:
    """Return what each code cell shows, by the cell's id: text as it is, of a picture that there is one."""
    return {cell.id: [_shown(each) for each in cell.outputs] for cell in notebook.cells if cell.cell_type == "code"}


def _shown(output: Any) -> str:
    if output.output_type == "stream":
        return f"{output.name}: {output.text}"
    if output.output_type == "error":
        return f"error: {output.ename}: {output.evalue}"
    pictures = [kind for kind in output.data if kind.startswith("image/")]
    return ", ".join(pictures) or str(output.data["text/plain"])


def main() -> None:
    """Write the outputs into the notebook."""
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(executed(root, Path(folder)), root / NOTEBOOK)


if __name__ == "__main__":
    main()
