"""A month that is made again says so, says what changed, and comes out the same when that is repeated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from forecast.reporting.published import remade
from reports import WRITES, notebook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-months")]

MONTH = Path("reports/2026-03-31")


def page(folder: Path = MONTH) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def note(folder: Path = MONTH) -> str:
    text = page(folder)
    return text[text.index('<section id="remade"') :].partition("</section>")[0] if "remade" in text else ""


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path("reports").rglob("*")) if path.is_file()}


def test_the_first_version_says_nothing(make):
    make()
    assert note() == ""
    assert "remade" not in json.loads((MONTH / "manifest.json").read_text())
    assert not (MONTH / "tables" / "remade.csv").exists()


def test_a_month_made_again_says_what_did_it_and_what_changed(make, run):
    make()
    first = page()
    make(months=7)
    assert "This report was made again: it is version 2, and replaces version 1." in note()
    assert "It is made from other parameters than the version before." in note()
    assert "Numbers that differ: 1 of 1; in 2 tables: " in note()  # the other is the headline, a text
    assert '<a href="tables/remade.csv">remade.csv</a>' in note()
    assert "It said: “We expect 6 deals”" in note()
    assert "versions/2026-03-31/1" in note()
    table = pd.read_csv(MONTH / "tables" / "remade.csv").set_index("table")
    assert table.loc["first", ["numbers_differ", "before", "now"]].tolist() == [1, 6, 7]
    assert page(Path("reports/versions/2026-03-31/1")) == first
    index = Path("reports/index.html").read_text(encoding="utf-8")
    assert '<a href="versions/2026-03-31/1/index.html">version 1</a>' in index
    assert run("verify")[0] == 0
    assert run("compare", "2026-03@1", "2026-03")[1].count("remade") == 0


def test_the_version_that_stands_comes_out_the_same_when_it_is_made_again(make, run):
    make()
    make(months=7)
    before = contents()
    make(months=7)
    assert contents() == before
    Path("reports/2026-03-31/index.html").write_text("defaced")
    (MONTH / "tables" / "remade.csv").unlink()
    make(months=7)
    assert contents() == before
    assert run("clean", "--keep", 1, "--versions", 0)[0] == 0
    assert "versions/" not in Path("reports/index.html").read_text()
    before = contents()
    make(months=7)  # what changed is in the manifest, so the version before is not needed
    assert contents() == before


def test_each_version_is_told_from_the_one_before_it(make):
    make()
    make(months=7)
    make()
    assert "replaces version 2" in note()
    assert note().count("made again") == 1
    assert "It said: “We expect 7 deals”" in note()
    assert "replaces version 1" in note(Path("reports/versions/2026-03-31/2"))
    folders = ("reports/versions/2026-03-31/1", "reports/2026-03-31")
    first, third = (json.loads(Path(folder, "manifest.json").read_text()) for folder in folders)
    assert {**first["files"], "index.html": ""} == {
        name: value for name, value in {**third["files"], "index.html": ""}.items() if "remade" not in name
    }


def test_other_data_but_the_same_numbers(make, more_data):
    make()
    more_data()
    make()
    assert "It is made from other data than the version before. No number differs from it." in note()
    assert not (MONTH / "tables" / "remade.csv").exists()


def test_a_run_that_ended_before_it_published_leaves_nothing_of_its_note(make, monkeypatch):
    make()
    with monkeypatch.context() as patched:
        patched.setattr("forecast.reporting.run.workspace.publish", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(months=7)
    assert "remade" in (Path("reports/.work/2026-03-31/index.html")).read_text()
    shutil.copytree("reports", "whole")
    make(months=7)
    ended = contents()
    shutil.rmtree("reports/.work", ignore_errors=True)
    assert note().count("made again") == 1
    assert ended["reports/2026-03-31/tables/remade.csv"]


def test_names_are_not_quoted_by_a_month_without_names(make, place):
    notebook(
        place / "notebooks",
        "01_first",
        WRITES.format(name="first"),
        "Results(tables).write('deals', pd.read_csv(data + '/opportunities.csv')[['opportunity_id', 'amount']])",
    )
    make()
    make(redacted=True, salt_file="salt")
    assert "The version before held names and is not kept." in note()
    written = b"".join(content for name, content in contents().items() if name.endswith((".json", ".html", ".csv")))
    assert b"O1" not in written
    make(redacted=True, salt_file="salt", months=7)
    assert "replaces version 2" in note()
    assert "Numbers that differ: 1 of " in note()


def test_text_of_a_company_is_text(tmp_path):
    (tmp_path / "index.html").write_text('<main id="content" class="band"><h1>x</h1></main>')
    record = {
        **{"replaces": 1, "kept": True, "headline": "<b>50 %</b> & \\1", "differs": [], "unknown": []},
        **{"numbers": 3, "tables": []},
    }
    remade.write(tmp_path, record, as_of="2026-03-31", version=2)
    text = page(tmp_path)
    assert "&lt;b&gt;50 %&lt;/b&gt; &amp; \\1" in text
    assert "made from the same data, code, notebooks, libraries and parameters" in text
    remade.clear(tmp_path)
    assert page(tmp_path) == '<main id="content" class="band"><h1>x</h1></main>'


def test_a_version_that_is_not_fully_recorded(make):
    make()
    file = MONTH / "manifest.json"
    facts = json.loads(file.read_text())
    for name in ("files", "previous", "version", "fingerprints"):
        del facts[name]
    file.write_text(json.dumps(facts))
    make(months=7)
    assert "What the version before was made from is not fully recorded." in note()
    facts = json.loads(file.read_text())
    facts["remade"] = {"replaces": 1}
    file.write_text(json.dumps(facts))
    make(months=7)
    assert json.loads(file.read_text())["version"] == 3
