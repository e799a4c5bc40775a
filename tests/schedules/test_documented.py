"""docs/scheduling.md shows the recipes as they are kept in files, which other tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECIPES = sorted(path for path in (DOCS / "recipes" / "schedules").iterdir() if path.suffix != ".ipynb")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_page_shows_the_file_as_it_is(recipe: Path):
    page = (DOCS / "scheduling.md").read_text(encoding="utf-8")
    assert f"\n{recipe.read_text(encoding='utf-8')}```\n" in page
