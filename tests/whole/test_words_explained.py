"""Notebooks explain the words of the field where they first appear: in italics, in brackets, or by a link."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").glob("0*.ipynb") if not path.stem.startswith("00"))

# Words of the glossary that a reader knows without it, in the sense in which notebooks use them.
EVERYDAY = {
    *("as of", "as_of", "base", "before and after", "booked", "cause", "check", "credit", "error", "event", "finding"),
    *("level", "lost", "luck", "model", "note", "odds", "of late", "points", "segment", "settled", "spell"),
    "joint planning",  # what 05 and 06 are about, told in their first cells
}
# Words of the field that the glossary has under another name, or not.
MORE = ("addends", "AUC", "backtest", "discrimination", "Holm", "interval", "log loss", "paired test", "p-value")
MORE += ("Shapley", "stage-weighted", "win rate")


def glossary() -> list[str]:
    """Return the words that docs/glossary.md explains."""
    rows = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), flags=re.M)
    return [word.strip() for row in rows if row not in ("word", "---") for word in row.split(",")]


WORDS = [word for word in dict.fromkeys([*glossary(), *MORE]) if word not in EVERYDAY]


def read(path: Path) -> str:
    """Return what a reader of a notebook reads, in order: Markdown, and the comments that stand on their own lines."""
    shown = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        is_text = cell["cell_type"] == "markdown"
        shown.append(text if is_text else "\n".join(line for line in text.splitlines() if line.startswith("#")))
    return "\n".join(shown)


def unexplained(text: str, words: list[str]) -> list[str]:
    """Return which words a text uses before it explains them: `*word*`, `… (word)`, `word: …`, or `[word](…)`."""
    found = []
    for word in words:
        use = re.search(rf"(?<![\w-]){re.escape(word)}s?(?![\w-])", text, flags=re.IGNORECASE)
        if use is None:
            continue
        before, after = text[: use.start()], text[use.end() :]
        # of several words in italics or brackets, such as *Brier score* or (ETS, Holm), the whole counts
        is_marked = re.search(r"[*(\[][\w -]*$", before) and re.match(r"[\w -]*[*)\]]", after)
        if not is_marked and not re.match(r'"?: ', after):
            found.append(word)
    return found


def test_the_walk_sees_what_is_not_explained():
    assert unexplained("The miss (WAPE) is all errors. The bias is low.", ["WAPE", "bias"]) == ["bias"]
    assert unexplained("A *Brier score* is a mean. Briers add up.", ["Brier"]) == []
    assert unexplained("Its PIT, then the *PIT*.", ["PIT"]) == ["PIT"]
    assert unexplained("The official forecast: sales' own.", ["official forecast"]) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_words_are_explained_where_they_first_appear(path: Path):
    assert unexplained(read(path), WORDS) == []


def test_words_that_need_no_explanation_are_in_the_glossary_or_were():
    assert {word for word in EVERYDAY if word not in glossary()} <= {"as of", "base", "luck"}
