"""A past month as of then with today's code: the same where nothing changed, else what differs; nothing is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forecast.errors import DataError, NotebookError, ParameterError
from forecast.reporting.published.replay import parameters_of_then, replayed
from forecast.reporting.run.parameters import Parameter
from forecast.reporting.run.prepare import Notebook, Stage
from reports import WRITES, notebook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published-months")]

REPORTS = Path("reports")


@pytest.fixture
def replay(make, kernels):  # noqa: ARG001
    """Return a function that replays a month and returns what came of it."""
    stages = (Stage(name="01_first"), Stage(name="07_brief", after=("01_first",), kind="leader"))

    def done(name, **changed):
        options = {"data": "data", "notebooks": "notebooks", "stages": stages, "kernels": kernels}
        with replayed(REPORTS, name, **{**options, **changed}) as found:
            return found

    return done


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


def test_where_nothing_changed_everything_is_the_same(make, replay):
    make("2026-02", months=3, seed=4)
    make("2026-03")
    before = contents()
    found = replay("2026-02")
    assert found.comparison.conclusion == "Everything is the same."
    assert found.comparison.now.manifest["parameters"]["01_first"]["months"] == 3
    assert found.left_out == []
    assert contents() == before
    assert not found.comparison.now.folder.exists()


def test_code_of_today_beside_what_was_published(make, place, replay):
    make("2026-02")
    notebook(place / "notebooks", "01_first", "months = months * 2", WRITES.format(name="first"))
    found = replay("2026-02").comparison
    assert [cause.what for cause in found.causes if cause.differs] == ["notebooks"]
    assert found.conclusion == "Of all that a month is made from only the notebooks differ: that did it."
    table = next(each for each in found.tables if each.table == "first")
    assert (table.largest.before, table.largest.now) == (6, 12)
    lines = list(found.lines())
    assert lines[1] == "replayed:   2026-02-28: We expect 6 deals"


def test_later_data_are_used_as_of_then_and_named(make, replay, more_data):
    make("2026-02", redacted=True, salt_file="salt")
    more_data()
    found = replay("2026-02", salt_file="salt").comparison
    assert found.now.manifest["redacted"]
    assert [cause.what for cause in found.causes if cause.differs] == ["data"]


def test_a_version_that_was_replaced_can_be_replayed(make, replay):
    make()
    make(months=7)
    assert replay("2026-03@1").comparison.now.manifest["parameters"]["01_first"]["months"] == 6
    assert replay("2026-03").comparison.conclusion == "Everything is the same."


def test_the_command(place, run):
    for name in ("00_explore", "01_data_audit", "02_win_probability", "03_bookings", "04_track_record"):
        notebook(place / "notebooks", name, "1")
    for name in ("05_joint_planning", "06_scorecard", "07_leadership_brief"):
        notebook(place / "notebooks", name, "1")
    assert run("report", "--data", "data", "--as-of", "2026-02", "--notebooks", "notebooks", "-q")[0] == 0
    code, out, err = run("replay", "2026-02", "--data", "data", "--notebooks", "notebooks", "--quiet", "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert facts["conclusion"] == "Everything is the same."
    assert facts["left_out"] == []
    code, out, _ = run("replay", "2026-02", "--data", "data", "--notebooks", "notebooks", "--quiet")
    assert code == 0
    assert out.splitlines()[-1] == "Everything is the same."


def test_what_cannot_be_replayed(make, place, run, replay):
    make("2026-02")
    code, _, err = run("replay", "2025-02", "--data", "data")
    assert code == 1
    assert "there is no month '2025-02'" in err
    with pytest.raises(ParameterError, match="no such folder of reports"), replayed(Path("no"), "2026-02", data="data"):
        pass
    with pytest.raises(ParameterError, match="a salt is of no use"):
        replay("2026-02", salt_file="salt")
    with pytest.raises((DataError, ParameterError), match="nowhere"):
        replay("2026-02", data="nowhere")
    notebook(place / "notebooks", "01_first", "1 / 0")
    with pytest.raises(NotebookError):
        replay("2026-02")
    file = Path("reports/2026-02-28/manifest.json")
    facts = json.loads(file.read_text())
    del facts["parameters"]
    file.write_text(json.dumps(facts))
    with pytest.raises(ParameterError, match="does not say by which parameters"):
        replay("2026-02")


def test_parameters_of_then_as_far_as_there_are_such_today():
    def today(name: str, *names: str) -> Notebook:
        declared = [Parameter(name=each, type="int", default=0) for each in names]
        return Notebook(stage=Stage(name=name), file=Path(name), content={}, declared=declared)

    asked = {
        "00_explore": {"segment": "North", "months": 6, "data": "d"},
        "03_bookings": {"segment": "", "months": 6, "as_of": "2026-03-31", "gone": 1},
        "08_old": {"x": 1},
    }
    notebooks = {"00_explore": today("00_explore", "segment", "months")}
    notebooks["03_bookings"] = today("03_bookings", "segment", "months")
    values, left_out = parameters_of_then(asked, notebooks)
    assert values == {"segment": "", "months": 6}
    assert [line.split(":")[0] for line in left_out] == [
        "03_bookings.gone = 1",
        "08_old.x = 1",
        "00_explore.segment = 'North'",
    ]
