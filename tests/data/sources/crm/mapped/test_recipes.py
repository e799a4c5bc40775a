"""The recipes of docs/recipes, on the exports they are for: what their page says comes out."""

from __future__ import annotations

from pathlib import Path

from forecast.data.sources.crm.importing import read_export

RECIPES = Path(__file__).parents[5] / "docs" / "recipes"


def test_maven(real_data: Path):
    result = read_export("generic", real_data / "maven_crm", mapping=RECIPES / "maven.toml")
    deals = result.tables["opportunities"]
    assert deals["outcome"].value_counts().to_dict() == {"won": 4238, "lost": 2473, "open": 2089}
    assert deals.loc[deals["outcome"] == "won", "amount"].sum() == 10_023_482
    assert deals["created_on"].isna().sum() == 500
    assert any("'GTXPro' is read as 'GTX Pro' in 1,480 rows" in note for note in result.notes)


def test_sparklesquad_with_the_clicks_of_the_whole_company(real_data: Path):
    result = read_export("generic", real_data / "sparklesquad", mapping=RECIPES / "sparklesquad.toml")
    deals, marketing = result.tables["opportunities"], result.tables["marketing"]
    assert deals["outcome"].value_counts().to_dict() == {"won": 6438, "lost": 3493, "open": 4346}
    assert round(marketing["leads"].sum()) == 30_244
    assert (marketing["period"].nunique(), marketing["channel"].nunique()) == (14, 6)
    assert any("clicks.csv belongs to the company" in note for note in result.notes)
