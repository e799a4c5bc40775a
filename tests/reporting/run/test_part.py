"""A report of a part of the company: what notebooks read, what pages say, and in which folder it may stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forecast.cli.app import main
from forecast.errors import ParameterError
from forecast.reporting.published.replay import replayed
from forecast.reporting.run.prepare import STAGES, as_published
from forecast.reporting.run.progress import Quiet
from forecast.reporting.run.report import report
from reports import PARAMETERS, company, notebook

NORTH = "segment = 'North'"
WITH_PART = PARAMETERS.replace("tables: str", 'where: str = ""  # which deals\ntables: str', 1)
READS = """\
import pandas as pd
import forecast
from forecast.reporting.month.results import Results
log = forecast.read(data, where=where)
seen = pd.DataFrame({{"deals": [len(log.opportunities)], "company": [log.company.name]}})
Results(tables).write("{name}", seen)"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Return a place with data, notebooks that read it, and the month of the deals of the North."""
    place = tmp_path_factory.mktemp("part")
    company(place / "data")
    for stage in STAGES:
        notebook(place / "notebooks", stage.name, READS.format(name=stage.name[3:]), parameters=WITH_PART)
    made(place, where=NORTH)
    return place


def made(place: Path, **more: Any) -> Path:
    asked = {"as_of": "2026-03", "out": place / "reports", "notebooks": place / "notebooks"}
    return report(place / "data", **asked | more)


def test_every_notebook_reads_the_part_and_every_page_says_so(place):
    month = place / "reports" / "2026-03-31"
    for stage in STAGES:
        seen = pd.read_parquet(month / "tables" / f"{stage.name[3:]}.parquet")
        assert list(seen["deals"]) == [2]
        assert list(seen["company"]) == ["Tiny & Co (segment = 'North')"]
    for page in [month / "index.html", *month.glob("analysis/*.html")]:
        assert "Tiny &amp; Co (segment = &#39;North&#39;)" in page.read_text(encoding="utf-8"), page.name
    manifest = json.loads((month / "manifest.json").read_text(encoding="utf-8"))
    assert {values["where"] for values in manifest["parameters"].values()} == {NORTH}


def test_the_same_part_is_found_and_the_whole_is_not(place):
    asked = {"as_of": "2026-03", "out": place / "reports", "notebooks": place / "notebooks", "progress": Quiet()}
    assert as_published(place / "data", where=NORTH, **asked)
    assert as_published(place / "data", **asked) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "of the deals with \"segment = 'North'\", not of the whole company"),
        ({"where": "segment = 'South'"}, "give each part a folder of its own"),
        ({"where": "outcome = 'won'"}, "give each part a folder of its own"),
        ({"out": "other", "where": "outcome = 'won'"}, "has seen the future"),
        ({"out": "other", "where": "segment = 'Nort'"}, "did you mean 'North'?"),
        ({"out": "other", "where": "segment ="}, "cannot be read"),
        ({"out": "other", "where": "opportunity_id = 'O1'", "redacted": True}, "stands as a pseudonym"),
        ({"out": "other", "parameters": {"where": NORTH}}, "where has an option of its own: give --where"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(place, asked, said):
    before = sorted(place.rglob("*"))
    if "out" in asked:
        asked = {**asked, "out": place / asked["out"]}
    with pytest.raises(ParameterError) as error:
        made(place, **asked)
    assert said in str(error.value)
    left = {path for path in place.rglob("*") if path not in before}
    assert all(path.name in ("other", ".lock") for path in left), left


def test_a_notebook_that_does_not_know_of_parts_is_refused(place, tmp_path):
    for stage in STAGES:
        parameters = WITH_PART if stage.name != "06_scorecard" else PARAMETERS
        notebook(tmp_path, stage.name, "1", parameters=parameters)
    with pytest.raises(ParameterError, match=r"06_scorecard has no parameter 'where': it would show"):
        made(place, notebooks=tmp_path, out=tmp_path / "out", where=NORTH)


def test_a_replay_is_of_the_same_part(place):
    with replayed(place / "reports", "2026-03", data=place / "data", notebooks=place / "notebooks") as found:
        assert not found.left_out
        assert all(table.same for table in found.comparison.tables)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("bookings", ["--as-of", "2026-03"]),
        ("deals", ["--as-of", "2026-03"]),
        ("backtest", ["--from", "2026-01", "--to", "2026-02", "--models", "seasonal-naive"]),
    ],
)
def test_every_command_takes_a_part(place, tmp_path, capsys, command, more):
    for where, segments in ((NORTH, {"North"}), ("", {"North", "South"})):
        out = tmp_path / f"{command}.csv"
        with pytest.raises(SystemExit) as end:
            main([command, "--data", str(place / "data"), "--out", str(out), "--where", where, *more])
        assert not end.value.code, capsys.readouterr().err
        found = set(pd.read_csv(out)["segment"]) - {"Total"}
        assert found == segments - ({"North"} if command == "deals" else set())  # those of the North are closed


def test_check_and_planning_take_a_part(place, tmp_path, capsys):
    def ran(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main([str(each) for each in arguments])
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out + said.err

    code, text = ran("check", "--data", place / "data", "--where", NORTH)
    assert code == 0
    assert "2 opportunities" in text
    code, text = ran("check", "--data", place / "data", "--where", "stage > ")
    assert code == 1
    assert "cannot be read" in text
    code, text = ran("planning", "--data", place / "data", "--where", "nothing = 1", "--out", tmp_path / "a.json")
    assert code == 1
    assert "no column 'nothing'" in text
