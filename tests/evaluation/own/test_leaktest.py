# ruff: noqa: ARG001
"""Fifty planted leaks are caught and honest models pass; the other future is another one, and what was known stands."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.cli import app
from forecast.data.checks.validation import validate
from forecast.data.known.settled import settled_actuals
from forecast.data.schema import Company, Log
from forecast.data.sources.company import FILE, company_text
from forecast.data.sources.writing import write_csv
from forecast.errors import DataError, ModelError, ParameterError
from forecast.evaluation.own import leaktest as module
from forecast.evaluation.own.future import another_future
from forecast.evaluation.own.leaktest import CLEAN, LEAK, UNSTEADY, Leaks, copy_with, leaktest
from forecast.simulation.company import simulate
from futures import eventful

DAYS = ["2025-06-30", "2025-12-31"]
TABLE = re.compile(r"^\| (\d+) \| ([\w ]+) \| ([^|]+) \| (yes|no) \|$", flags=re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a company in CSV files."""
    made = simulate(opportunities=500, months=30, seed=4, segments=3)
    place = tmp_path_factory.mktemp("leaks") / "company"
    place.mkdir()
    for name, frame in made.tables.items():
        write_csv(frame, place / f"{name}.csv")
    about = Company(**{**made.company, "fixed_at_creation": ()})
    (place / FILE).write_text(company_text(about), encoding="utf-8")
    return place


@pytest.fixture
def planted(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return the module of planted leaks, which the processes find."""
    tests = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("FORECAST_PLANTED_DATA", str(folder))
    monkeypatch.setenv("FORECAST_PLANTED_NOTES", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{Path(forecast.__file__).parents[1]}:{tests}")
    monkeypatch.syspath_prepend(str(tests))
    import planted_leaks

    return planted_leaks


@pytest.mark.slow
def test_one_leak_of_each_kind_is_caught(planted, folder: Path):
    """All fifty take two minutes: the test below."""
    kinds = [kind for kind, *_ in planted.LEAKS]
    first = [kinds.index(kind) for kind in planted.KINDS]
    found = leaktest([f"planted_leaks:leak_{number}" for number in first], data=folder, days=DAYS, months=1)
    wanted = {kind: UNSTEADY if kind == "memory" else LEAK for kind in planted.KINDS}
    assert {kinds[at]: each.verdict for at, each in zip(first, found, strict=True)} == wanted


@pytest.mark.long
def test_every_planted_leak_that_goes_through_the_data_is_caught(planted, folder: Path):
    names = [f"planted_leaks:leak_{number}" for number in range(len(planted.LEAKS))]
    found = leaktest(names, data=folder, days=DAYS, months=1)
    missed = [planted.LEAKS[at][:2] for at, each in enumerate(found) if each.clean]
    assert not missed
    assert all(each.covered for each in found)
    wanted = [UNSTEADY if kind == "memory" else LEAK for kind, *_ in planted.LEAKS]
    assert [each.verdict for each in found] == wanted


def test_the_list_in_the_docs_is_the_one_that_is_tested(planted, root: Path):
    text = (root / "docs" / "your_own_model.md").read_text(encoding="utf-8")
    rows = [(int(number) - 1, kind, what.strip(), caught) for number, kind, what, caught in TABLE.findall(text)]
    assert rows == [(at, kind, what, "yes") for at, (kind, what, _) in enumerate(planted.LEAKS)]
    assert len(rows) == 50
    assert set(Counter(kind for kind, *_ in planted.LEAKS)) == set(planted.KINDS)


@pytest.mark.slow
def test_honest_models_pass_though_they_read_the_files(planted, folder: Path):
    names = [*(f"planted_leaks:honest_{name}" for name in planted.HONEST), "seasonal-naive", "stage-age"]
    found = leaktest(names, data=folder, days=DAYS, months=1)
    assert [(each.model, each.verdict) for each in found] == [(name, CLEAN) for name in names]


@pytest.mark.slow
def test_without_a_mount_files_that_python_opens_are_told(planted, folder: Path, monkeypatch: pytest.MonkeyPatch):
    run = module._Worlds._run

    def uncovered(self, name, days, *, data, cover):
        return run(self, name, days, data=data, cover=cover and {"folder": "/nowhere", "by": "/nowhere"})

    monkeypatch.setattr(module._Worlds, "_run", uncovered)
    number = next(at for at, (_, what, _) in enumerate(planted.LEAKS) if what == "csv and a loop")
    names = [f"planted_leaks:leak_{number}", "seasonal-naive"]
    loop, naive = leaktest(names, data=folder, days=DAYS[:1], months=1)
    assert loop.verdict == module.UNTOLD
    assert "opens the data's own files" in "\n".join(loop.lines())
    assert naive.clean
    assert "cannot hide" in "\n".join(naive.lines())


@pytest.mark.slow
def test_on_the_command_line(planted, folder: Path, capsys: pytest.CaptureFixture[str]):
    ends = {}
    for name in ("honest_plain", "leak_0"):
        with pytest.raises(SystemExit) as ended:
            app.main(["leaktest", f"planted_leaks:{name}", "--data", str(folder), "--days", "2025-12", "--months", "1"])
        ends[name] = (int(ended.value.code or 0), capsys.readouterr().out)
    assert ends["honest_plain"] == (0, "planted_leaks:honest_plain: no leak found (2025-12-31)\n")
    assert ends["leak_0"][0] == 1
    assert re.search(r"leak \(2025-12-31\)\n  2025-12-31: .* rows, first 2026-01 Alps: ", ends["leak_0"][1])


@pytest.mark.slow
def test_bad_input(planted, folder: Path, tmp_path: Path):
    with pytest.raises(ModelError, match="has no 'mine'"):
        leaktest(["planted_leaks:mine"], data=folder, days=DAYS[:1])
    with pytest.raises(ParameterError, match="days: 2026-10-31 has no future"):
        leaktest(["ets"], data=folder, days=["2026-10-31"])
    with pytest.raises(ParameterError, match="months: 0"):
        leaktest(["ets"], data=folder, months=0)
    with pytest.raises(DataError, match="opportunities"):
        copy_with(tmp_path, tmp_path / "copy", forecast.read(folder))


# -- the other future -----------------------------------------------------------------------------------------


def _eventful() -> Log:
    tables, about = eventful(seed=3, opportunities=700)
    return validate(tables, Company(**{**about, "fixed_at_creation": tuple(about["fixed_at_creation"])}))


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2025-10-31", "2026-02-17"])
def test_what_was_known_stands_and_what_came_is_another(day: str):
    """On a company in which much is recorded late, reopened, corrected or told in advance."""
    log = _eventful()
    made = another_future(log, pd.Timestamp(day), seed=1)
    assert not made.left
    one, other = (forecast.snapshot(each, as_of=day) for each in (log, made.log))
    for field in fields(one):
        if field.name == "own_columns":
            continue  # of the extraction, as it says, and handed to no model
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, pd.DataFrame):
            pd.testing.assert_frame_equal(a, b, obj=field.name)
        else:
            assert a == b, field.name
    came, comes = (
        settled_actuals(each).groupby("period")["amount"].sum().loc[day[:7] :].iloc[2:] for each in (log, made.log)
    )
    assert (came != comes.reindex(came.index)).all()
    for name in ("opportunities", "opportunity_history", "leads", "marketing", "submitted_forecasts", "costs"):
        assert not log.tables[name].equals(made.log.tables[name]), name
    assert log.tables["plan"].equals(made.log.tables["plan"])


@pytest.mark.slow
def test_the_other_future_is_a_log_that_can_be_written_and_read(folder: Path, tmp_path: Path):
    log = forecast.read(folder)
    made = another_future(log, pd.Timestamp(DAYS[1]), seed=2)
    copy_with(folder, tmp_path / "copy", made.log)
    again = forecast.read(tmp_path / "copy")
    assert again.extracted_on == log.extracted_on
    assert set(again.tables) == set(log.tables)
    one, other = (forecast.snapshot(each, as_of=DAYS[1]).opportunities for each in (log, again))
    pd.testing.assert_frame_equal(one, other)
    assert another_future(log, pd.Timestamp(DAYS[1]), seed=2).log.opportunities.equals(made.log.opportunities)
    assert not another_future(log, pd.Timestamp(DAYS[1]), seed=3).log.opportunities.equals(made.log.opportunities)


@pytest.mark.slow
def test_a_column_of_ones_own_that_knows_the_end_is_kept_away_or_caught(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`close_value` is filled in when a deal is won: no model is handed it, and one that fetches it is a leak."""
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    deals = pd.read_csv(data / "opportunities.csv")
    write_csv(deals.assign(close_value=deals["amount"].where(deals["outcome"] == "won")), data / "opportunities.csv")
    (tmp_path / "with_own_columns.py").write_text(
        "import pandas as pd\nimport forecast\n"
        f"LOG = forecast.read({str(data)!r})\n"
        "def table(snap, months, mean):\n"
        "    keys = pd.MultiIndex.from_product([snap.segments, snap.targets(months)])\n"
        "    return keys.to_frame(index=False, name=['segment', 'target_period']).assign(mean=mean)\n"
        "def given(snap, *, months, seed):\n"
        "    assert snap.own_columns is None\n"
        "    return table(snap, months, 1.0 + snap.opportunities['close_value'].sum())\n"
        "def fetched(snap, *, months, seed):\n"
        "    still = snap.opportunities.query(\"outcome == 'open'\")['opportunity_id']\n"
        "    own = forecast.snapshot(LOG, as_of=snap.as_of).own_columns.set_index('opportunity_id')\n"
        "    return table(snap, months, own['close_value'].reindex(still).sum())\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", f"{Path(forecast.__file__).parents[1]}:{tmp_path}")
    found = leaktest(["with_own_columns:given", "with_own_columns:fetched"], data=data, days=DAYS[:1], months=1)
    assert [each.verdict for each in found] == [CLEAN, LEAK]


def test_what_is_told():
    told = Leaks(
        model="mine", verdict=CLEAN, days=("2025-06-30",), seen={}, left=("costs",), covered=False, elsewhere=("w.bin",)
    )
    assert told.clean
    text = "\n".join(told.lines())
    assert "mine: no leak found (2025-06-30)" in text
    assert "not tested: costs" in text
    assert "files outside the data, which this test cannot change: w.bin" in text
