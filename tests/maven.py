"""The Maven Analytics CRM export as a data folder, by the recipe that docs/recipes holds."""

from __future__ import annotations

from pathlib import Path

from forecast.data.sources.crm.importing import import_crm

RECIPE = Path(__file__).parents[1] / "docs" / "recipes" / "maven.toml"


def build(source: Path, out: Path) -> Path:
    """Write the data folder of the export in `source` into `out`; return `out`."""
    import_crm("generic", source, out, mapping=RECIPE)
    return out
