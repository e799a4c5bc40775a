"""Published files are what they were, or it is said which are not; what was published last is never lost silently."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from forecast.errors import MachineError, ParameterError
from forecast.reporting.published import book, months
from forecast.reporting.published.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-months")]


def manifest(month: str, *, version: int | None = None) -> dict:
    folder = Path("reports") / month if version is None else Path("reports/versions") / month / str(version)
    return json.loads((folder / "manifest.json").read_text())


def sha256(file: str | Path) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def contents(folder: str | Path) -> dict[str, bytes]:
    base = Path(folder)
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file()}


def test_each_manifest_lists_its_files_and_the_manifest_before_it(make, run):
    make("2026-02")
    make("2026-03")
    first, second = manifest("2026-02-28"), manifest("2026-03-31")
    assert first["previous"] is None
    assert second["previous"] == {
        "as_of": "2026-02-28",
        "version": 1,
        "sha256": sha256("reports/2026-02-28/manifest.json"),
    }
    assert second["files"] == {
        name: sha256(f"reports/2026-03-31/{name}") for name in contents("reports/2026-03-31") if name != "manifest.json"
    }
    code, out, err = run("verify", "--out", "reports")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2026-02-28: unchanged (8 files)",
        "2026-03-31: unchanged (8 files)",
        f"last published: 2026-03-31 version 1, manifest {sha256('reports/2026-03-31/manifest.json')}",
    ]


def test_a_changed_a_missing_and_an_extra_file_are_named(make, run):
    make("2026-02")
    make("2026-03")
    month = Path("reports/2026-02-28")
    with (month / "tables" / "first.csv").open("a") as file:
        file.write(" ")
    (month / "glossary.html").unlink()
    (month / "notes.txt").write_text("mine")
    (month / "index.html").unlink()
    (month / "index.html").symlink_to("glossary.html")
    code, out, _ = run("verify")
    assert code == 1
    assert out.splitlines()[:6] == [
        "2026-02-28: NOT as it was published",
        "  changed: index.html",
        "  changed: tables/first.csv",
        "  missing: glossary.html",
        "  extra: notes.txt",
        "2026-03-31: unchanged (8 files)",
    ]
    code, out, _ = run("verify", "--json")
    found = json.loads(out)
    assert code == 1
    assert not found["unchanged"]
    assert [each["unchanged"] for each in found["months"]] == [False, True]
    assert found["months"][0]["extra"] == ["notes.txt"]


def test_a_manifest_that_was_edited_breaks_the_chain(make, run):
    make("2026-02")
    make("2026-03")
    facts = manifest("2026-02-28")
    facts["seeds"] = {"07_brief": 1}
    Path("reports/2026-02-28/manifest.json").write_text(json.dumps(facts))
    code, out, _ = run("verify")
    assert code == 1
    assert "2026-02-28 version 1, published before 2026-03-31, is missing, or its manifest.json is not as it was" in out


@pytest.mark.parametrize("gone", ["2026-02-28", "2026-03-31"])
def test_a_month_that_is_gone_is_missed(make, run, gone):
    make("2026-02")
    make("2026-03")
    shutil.rmtree(f"reports/{gone}")
    code, out, _ = run("verify")
    assert code == 1
    assert f"{gone} version 1, published " in out
    assert "is missing" in out


def test_the_page_of_months_is_held_too(make, run):
    make()
    with Path("reports/index.html").open("a") as file:
        file.write("<!-- hello -->")
    code, out, _ = run("verify")
    assert code == 1
    assert "index.html (the list of months) is not as it was published" in out
    make()  # the same month again writes it anew
    assert run("verify")[0] == 0


def test_the_same_month_again_changes_nothing(make):
    make()
    before, there = contents("reports"), Path("reports/2026-03-31").stat().st_ino
    make()
    assert contents("reports") == before
    assert Path("reports/2026-03-31").stat().st_ino == there
    assert not Path("reports/.work/2026-03-31").exists()


def test_the_same_month_again_mends_what_was_damaged(make, run):
    make("2026-02")
    make("2026-03")
    before = contents("reports")
    Path("reports/2026-02-28/index.html").write_text("defaced")
    make("2026-02")
    assert contents("reports") == before
    assert run("verify")[0] == 0


def test_a_month_remade_keeps_the_version_that_was_seen(make, run, more_data):
    make("2026-02")
    make("2026-03")
    seen = contents("reports/2026-02-28")
    more_data()
    make("2026-02")
    assert contents("reports/versions/2026-02-28/1") == seen
    again = manifest("2026-02-28")
    assert again["version"] == 2
    assert again["previous"]["as_of"] == "2026-03-31"  # what was published before it, not the month before it
    code, out, _ = run("verify")
    assert code == 0, out
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "2026-02-28",
        "2026-03-31",
        "2026-02-28 version 1",
        "last published",
    ]
    more_data(5)
    make("2026-02")
    assert manifest("2026-02-28")["version"] == 3
    assert manifest("2026-02-28", version=2) == again
    assert run("verify")[0] == 0
    shutil.rmtree("reports/versions/2026-02-28/1")
    code, out, _ = run("verify")
    assert code == 1
    assert "2026-02-28 version 1, published before 2026-03-31, is missing" in out


def test_a_run_that_ended_before_it_noted_what_it_published_is_followed(make, run, more_data):
    make("2026-02")
    noted = Path("reports/published.json").read_text()
    make("2026-03")
    Path("reports/published.json").write_text(noted)
    assert book.end_of_chain(book.read(Path("reports")), months.everything(Path("reports"))).as_of == "2026-03-31"
    code, out, _ = run("verify")
    assert code == 1  # the page of months is another
    assert out.count("\n") == 4
    more_data()
    make("2026-03")
    assert manifest("2026-03-31")["previous"]["as_of"] == "2026-03-31"
    assert run("verify")[0] == 0


def test_a_run_that_ended_before_it_published_has_kept_the_month_that_stands(make, run):
    make("2026-02")
    make("2026-03")
    shutil.copytree("reports/2026-03-31", "reports/versions/2026-03-31/1")  # as far as it came
    code, out, _ = run("verify", "--out", "reports")
    assert code == 0, out
    assert "from another folder" not in out


def test_a_lost_book_is_told_and_made_again(make, run):
    make("2026-02")
    make("2026-03")
    Path("reports/published.json").write_text("{")
    code, out, _ = run("verify")
    assert code == 1
    assert "published.json is missing or damaged" in out
    make("2026-03")
    make("2026-01")
    assert manifest("2026-01-31")["previous"]["as_of"] == "2026-03-31"
    assert run("verify")[0] == 0


def test_a_month_of_an_earlier_version_cannot_be_told(make, run):
    make("2026-02")
    file = Path("reports/2026-02-28/manifest.json")
    facts = manifest("2026-02-28")
    for name in ("files", "previous", "version"):
        del facts[name]
    file.write_text(json.dumps(facts))
    Path("reports/published.json").unlink()
    code, out, _ = run("verify")
    assert code == 1
    assert out.startswith("2026-02-28: cannot be told; its manifest lists no hashes")
    make("2026-03")
    assert manifest("2026-03-31")["previous"]["sha256"] == sha256(file)
    code, out, _ = run("verify")
    assert code == 1
    assert "2026-03-31: unchanged" in out
    make("2026-02")
    assert manifest("2026-02-28")["version"] == 2
    assert manifest("2026-02-28", version=1) == facts


def test_a_folder_without_manifest_is_no_month(make, run):
    make()
    Path("reports/2026-02-28").mkdir()
    Path("reports/2026-01-31").mkdir()
    Path("reports/2026-01-31/manifest.json").write_text("[1]")
    code, out, _ = run("verify")
    assert code == 1
    assert "2026-02-28: NOT as it was published\n  it has no manifest.json" in out
    assert "2026-01-31: NOT as it was published\n  its manifest.json is damaged" in out


def test_a_month_copied_from_another_folder_is_noticed(make, run):
    make("2026-02")
    make("2026-02", out="others")
    make("2026-03")
    make("2026-03", out="others", months=3)
    shutil.copytree("others/2026-03-31", "reports/2026-03-30")
    code, out, _ = run("verify")
    assert code == 1
    assert "its manifest.json is of 2026-03-31" in out


def test_a_redacted_month_takes_the_versions_with_names_away(make, run, more_data):
    make()
    more_data()
    make()
    assert Path("reports/versions/2026-03-31/1").is_dir()
    make(redacted=True, salt_file="salt")
    assert not Path("reports/versions/2026-03-31").exists()
    assert manifest("2026-03-31")["version"] == 3
    code, out, _ = run("verify")
    assert code == 0, out
    assert "removed since by `forecast clean` or for their names: 2" in out
    more_data(5)
    make(redacted=True, salt_file="salt")
    assert manifest("2026-03-31", version=3)["redacted"]
    assert run("verify")[0] == 0


def test_nothing_to_verify(run, tmp_path, place):  # noqa: ARG001
    code, out, err = run("verify", "--out", "nowhere")
    assert (code, out) == (1, "")
    assert "nowhere: there is no such folder of reports" in err
    (tmp_path / "empty").mkdir()
    code, _, err = run("verify", "--out", "empty")
    assert code == 1
    assert "no month is published here" in err
    with pytest.raises(ParameterError):
        verify(Path("nowhere"))


def test_months_are_found_by_day_and_by_month(make, tmp_path):
    make()
    out = tmp_path / "reports"
    assert months.find(out, "2026-03").as_of == "2026-03-31"
    assert months.find(out, "2026-03-31").version == 1
    with pytest.raises(ParameterError, match="there is no month '2026-04'; did you mean '2026-03-31'"):
        months.find(out, "2026-04")
    (out / "2026-03-15").mkdir()
    with pytest.raises(ParameterError, match="several reports"):
        months.find(out, "2026-03")
    with pytest.raises(ParameterError, match=r"has no manifest\.json"):
        months.find(out, "2026-03-15")


@pytest.mark.parametrize("name", ["2026-03-31/manifest.json", "published.json"])
def test_what_is_published_and_cannot_be_read_is_not_written_over(make, more_data, name):
    make()
    file = Path("reports") / name
    content, first = file.read_bytes(), manifest("2026-03-31")
    file.unlink()
    file.mkdir()  # what no user can read as a file
    before = contents("reports")
    more_data()
    with pytest.raises(MachineError, match=rf"{file.name}.* cannot be read .*nothing is"):
        make()
    after = contents("reports")
    assert {name: after[name] for name in before if not name.startswith(".")} == {
        name: value for name, value in before.items() if not name.startswith(".")
    }
    file.rmdir()
    file.write_bytes(content)
    make()
    assert manifest("2026-03-31")["version"] == 2
    assert manifest("2026-03-31", version=1) == first
    assert verify(Path("reports")).unchanged
