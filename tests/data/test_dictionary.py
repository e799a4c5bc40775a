"""data/README.md is what the declarations say."""

from __future__ import annotations

from dictionary import dictionary
from forecast.data.known.recorded import FIXED
from forecast.data.schema import COMPANY_KEYS, TABLES


def test_the_data_dictionary_is_up_to_date(root):
    written = (root / "data" / "README.md").read_text(encoding="utf-8")
    assert written == dictionary(), "run: python tools/dictionary.py > data/README.md"


def test_it_names_every_table_column_and_key():
    text = dictionary()
    for table in TABLES.values():
        section = text.split(f"### {table.name}\n")[1].split("\n### ")[0]
        for column in table.columns:
            assert f"`{column.name}`" in section, f"{table.name}.{column.name}"
    for key in COMPANY_KEYS:
        assert f"| `{key}` |" in text
    rule = text.split("count as fixed at creation")[0].rsplit("- ", 1)[1]
    assert {f"`{name}`" for name in FIXED} == {word.strip(",") for word in rule.split() if word.startswith("`")}
