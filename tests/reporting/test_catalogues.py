"""Every sentence of a page stands in its subject's catalogue, so that another language can be added without logic.

A catalogue is a module `sentences`, or the part of a module under a heading `# -- sentences`. Elsewhere in
`forecast.reporting` no text is written that a reader of a page would see.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from house import SOURCE, modules

BASE = SOURCE / "reporting"

# What is no text of a page, and why.
MODULES = {
    "explorer/override_file": "what is wrong with an override or its file: the message of an error",
    "published/clean": "what is removed, in the terminal",
    "published/compare": "what differs, in the terminal",
    "published/months": "why a month cannot be read: the message of an error",
    "published/planned": "what would run, in the terminal",
    "published/record": "what became of a run: its record",
    "published/replay": "what could not be replayed, in the terminal",
    "published/runs": "the list of runs, in the terminal",
    "published/tables": "what differs, in the terminal",
    "published/verify": "what was found, in the terminal",
    "run/engine": "why a notebook failed: the message of an error",
    "run/parameters": "what is wrong with a parameter: the message of an error",
    "run/progress": "the progress of a run, in the terminal",
    "run/workspace": "what the machine refuses: the message of an error",
}
TEXTS = {
    "not identified": "a verdict, as the table `planning` holds it",
    "offset points": "a unit of matplotlib",
    "OSError: [Errno 28]": "how an error begins",
    "the report of {}": "who holds the lock: part of the message of an error",
    "# Parameters of this run\n": "a comment in the code of the cell of parameters",
    "{}\n@media (prefers-color-scheme: dark) {\n{}\n}": "CSS",
    "\n  in: {}": "the place of an error: part of its message",
    "yes": "a code of the table of quarters",
    "no": "a code of the table of quarters",
}

# A heading, a label, a caption: one word is enough. Elsewhere two words are a text.
VISIBLE_ARGUMENTS = {
    *("alt", "caption", "description", "fold", "head", "label", "lead", "more", "placeholder", "sentence", "subtitle"),
    *("title", "titles", "tooltip", "tooltips", "why"),
}
VISIBLE_CALLS = {
    *("Caption", "Cards", "Folds", "Label", "Notes", "Statement", "TableView", "Tooltip", "annotate", "empty"),
    *("named_amount", "named_range", "named_share", "plural", "set_title", "set_xlabel", "set_ylabel", "text"),
}
# What is in these calls is no text of a page: patterns, the looks of widgets, messages of errors, style sheets.
INVISIBLE_CALLS = {"compile", "sub", "Layout", "filterwarnings", "Problem", "machine"}
STYLES = {"arrowprops", "bbox", "style", "layout"}
LOOKS = {"style", "font", "settings"}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of what a reader would see of a module, catalogues left out."""
    catalogue = catalogue_lines(source)
    for node in _marked(source):
        text = _text(node)
        if not text or text in TEXTS or node.lineno in catalogue or _is_invisible(node):
            continue
        if _is_sentence(text) or (_is_word(text) and _is_at_a_visible_place(node)):
            yield node.lineno, text


def catalogue_lines(source: str) -> set[int]:
    """Return the lines under a heading `# -- sentences`, up to the next heading."""
    inside, lines = False, set()
    for number, line in enumerate(source.splitlines(), start=1):
        if line.startswith("# -- "):
            inside = line.startswith("# -- sentences")
        if inside:
            lines.add(number)
    return lines


def _marked(source: str) -> list[ast.AST]:
    """Return all nodes of a module, each with the one above it as `parent`."""
    nodes = list(ast.walk(ast.parse(source)))
    for node in nodes:
        for child in ast.iter_child_nodes(node):
            child.parent = node
    return nodes


def _parents(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield each node above one, and the node below it on the way."""
    while hasattr(node, "parent"):
        yield node.parent, node
        node = node.parent


def _text(node: ast.AST) -> str:
    """Return a literal, of an f-string with {} for each value in it; empty for a part of an f-string and any other."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "" if isinstance(node.parent, ast.JoinedStr) else node.value
    return ""


def _is_sentence(text: str) -> bool:
    """Return whether a text is two words or more, or a word next to a value."""
    words = [word for word in text.split() if re.search(r"[A-Za-z]{2}", word)]
    return bool(words) and len(text.split()) > 1 and any(character.islower() for character in text)


def _is_word(text: str) -> bool:
    """Return whether a text is a word as people write it: no colour, no option, no type of a column."""
    return bool(re.fullmatch(r"[A-Za-z{][^\[\]_/#]*[a-z][^\[\]_/#]*", text))


def _is_invisible(node: ast.AST) -> bool:
    """Return whether it is a docstring, a name to look something up by, the message of an error, a pattern, a style."""
    for above, below in _parents(node):
        if isinstance(above, ast.Raise | ast.Assert):
            return True
        if isinstance(above, ast.Expr) and above.value is node:
            return True
        if isinstance(above, ast.FunctionDef) and above.name == "__repr__":
            return True
        if isinstance(above, ast.Subscript) and above.slice is below:
            return True
        if isinstance(above, ast.Call) and _name(above.func) in INVISIBLE_CALLS:
            return True
        if isinstance(above, ast.Call) and _name(above.func).endswith("Error"):
            return True
        if isinstance(above, ast.keyword) and above.arg in STYLES:
            return True
        if isinstance(above, ast.FormattedValue) and above.format_spec is below:
            return True
        if isinstance(above, ast.Assign | ast.AnnAssign):
            names = above.targets if isinstance(above, ast.Assign) else [above.target]
            if any(isinstance(name, ast.Name) and name.id.lower().strip("_") in LOOKS for name in names):
                return True
    return False


def _is_at_a_visible_place(node: ast.AST) -> bool:
    """Return whether a word is an argument that is shown, or what a dictionary of words alone gives for its keys."""
    above, below = next(_parents(node))
    if isinstance(above, ast.BinOp | ast.IfExp | ast.List | ast.Tuple):
        above, below = next(_parents(above))
    if isinstance(above, ast.keyword):
        return above.arg in VISIBLE_ARGUMENTS
    if isinstance(above, ast.Call):
        return _name(above.func) in VISIBLE_CALLS
    if isinstance(above, ast.Dict) and below in above.values:
        return all(_is_word(_text(part)) for part in above.values)
    return False


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


MODULES_WALKED = {
    name: path for name, path in modules(BASE).items() if name not in MODULES and not name.endswith("sentences")
}


@pytest.mark.parametrize("module", MODULES_WALKED)
def test_sentences_stand_in_catalogues(module):
    found = [f"{line}: {text!r}" for line, text in texts(MODULES_WALKED[module].read_text(encoding="utf-8"))]
    assert not found, f"reporting/{module} writes what its catalogue should: " + "; ".join(found)


def test_every_exception_is_needed():
    walked = "\n".join(path.read_text(encoding="utf-8") for path in MODULES_WALKED.values())
    literals = {_text(node) for node in _marked(walked)}
    assert not set(TEXTS) - literals, f"no module writes {sorted(set(TEXTS) - literals)}"
    assert set(MODULES) <= set(modules(BASE))


@pytest.mark.parametrize(
    "line",
    [
        'return empty(title, "No deal has a probability.")',
        'table = rows.rename(columns={"q10": "low (80 %)"})',
        'heads = {"step": "step", "wape": "miss"}',
        'axes.text(0, 1, "plan")',
        'axes.set_xlabel("months", loc="left")',
        'w.Button(description="Save")',
        'shown = TableView(rows, "Deals")',
        'name = f"{size:,} segments"',
        'parts.append(f"{name}: {count} deals")',
        'why = "Nothing" + " to see"',
        'return wording.plural(count, "deal")',
        'return Statement("Done" if done else "Failed")',
    ],
)
def test_a_text_outside_the_catalogue_is_found(line):
    assert list(texts(line)), line
    assert not list(texts(f"# -- sentences ---\n\n{line}"))
    assert list(texts(f"# -- sentences ---\n\n# -- pictures ---\n\n{line}"))


@pytest.mark.parametrize(
    "line",
    [
        '"""What a module is about."""',
        'raise ParameterError(f"{name}: no such thing")',
        'columns = ["target_period", "q10"]',
        'axes.text(0, 1, LABELS["set aside"], va="bottom", ha="right")',
        'axes.text(0, 1, f"  {count:,}", va="center")',
        'box.layout = w.Layout(flex_flow="row wrap")',
        'rows = table[table["verdict"] == "improved"]',
        '_PERCENT = re.compile(r"(\\d) %")',
        'style = {"description_width": "initial"}',
    ],
)
def test_what_is_no_text_of_a_page_is_not_found(line):
    assert not list(texts(line)), line
