"""Break one thing of a small valid company: the message names table, column, rows and the mend; nothing is written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import forecast
from forecast.cli import app
from forecast.data.audit.audit import audit
from forecast.errors import RANKS, DataError
from forecast.reporting.run import prepare
from reports import notebook
from tiny import HISTORY, OPPORTUNITIES, PLAN, edited, tiny_company


def _without(text: str, column: str) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    at = rows[0].index(column)
    return "\n".join(",".join(row[:at] + row[at + 1 :]) for row in rows) + "\n"


# What is broken, what tiny_company is given, and what the message must hold: table, column, rows, mend.
BROKEN = {
    "missing table": (
        {"opportunities": None, "history": None},
        ["opportunities", "this table is missing", "mend: add opportunities.csv"],
    ),
    "missing column": (
        {"opportunities": _without(OPPORTUNITIES, "segment")},
        ["opportunities.segment", "this column is missing", "mend: add the column segment"],
    ),
    "misspelt column": (
        {"opportunities": OPPORTUNITIES.replace("closed_on,outcome", "close_on,outcome")},
        ["opportunities.closed_on", "this column is missing", "mend: did you mean 'close_on'? Rename it"],
    ),
    "duplicate key": (
        {"opportunities": edited(OPPORTUNITIES, 4, opportunity_id="O2")},
        ["opportunities.opportunity_id", "more than once", "line 3 ('O2'), line 4 ('O2')", "mend: keep one"],
    ),
    "duplicate key of two columns": (
        {"plan": PLAN + "2026-04,South,1800\n"},
        ["plan.period, segment", "more than once", "line 3", "line 4", "mend: keep one row for each period, segment"],
    ),
    "closed before created": (
        {"opportunities": edited(OPPORTUNITIES, 6, closed_on="2025-12-01")},
        [
            "opportunities.closed_on",
            "closed before it was created",
            "line 6 ('2025-12-01')",
            "mend: correct created_on",
        ],
    ),
    "unknown stage": (
        {"opportunities": edited(OPPORTUNITIES, 8, stage="Proposal")},
        [
            "opportunities.stage",
            "not in stages: 'Proposal'",
            "line 8 ('Proposal')",
            "mend: add it to stages",
            "'Propose'",
        ],
    ),
    "unknown stage in history": (
        {"history": HISTORY.replace("O8,2026-03-11T09:00:00Z,Qualify", "O8,2026-03-11T09:00:00Z,Qualfy")},
        ["opportunity_history.stage", "line 17 ('Qualfy')", "did you mean 'Qualify'?"],
    ),
    "unparseable date": (
        {"opportunities": edited(OPPORTUNITIES, 5, created_on="25/11/2025")},
        ["opportunities.created_on", "not a date such as", "line 5 ('25/11/2025')", "mend: write a date such as"],
    ),
    "a day that is none": (
        {"opportunities": edited(OPPORTUNITIES, 5, created_on="2025-11-31")},
        ["opportunities.created_on", "line 5 ('2025-11-31')", "mend:"],
    ),
    "a negative plan": (
        {"plan": PLAN.replace("South,", "South,-")},
        ["plan.amount", "is negative", "line 3 ('-", "mend: correct the sign"],
    ),
    "an amount with a thousands separator": (
        {"opportunities": edited(OPPORTUNITIES, 2, amount="1.200.50")},
        ["opportunities.amount", "not a number", "line 2 ('1.200.50')", "mend:"],
    ),
    "a segment named Total": (
        {"opportunities": edited(OPPORTUNITIES, 3, segment="Total")},
        ["opportunities.segment", "'Total' is reserved", "line 3 ('Total')", "mend: rename the segment"],
    ),
    "a segment named total, in the plan": (
        {"plan": PLAN.replace("South", "total")},
        ["plan.segment", "'Total' is reserved", "line 3 ('total')", "mend:"],
    ),
    "an empty file": (
        {"opportunities": ""},
        ["opportunities", "opportunities.csv is empty", "mend: write the table again"],
    ),
    "a header and no rows": (
        {"opportunities": OPPORTUNITIES.splitlines()[0] + "\n", "history": None},
        ["opportunities", "no rows", "mend: put the rows in"],
    ),
    "won without a date": (
        {"opportunities": edited(OPPORTUNITIES, 2, closed_on="")},
        ["opportunities.closed_on", "without the day it closed", "line 2", "mend: fill in closed_on"],
    ),
    "an outcome of its own": (
        {"opportunities": edited(OPPORTUNITIES, 2, outcome="Won")},
        ["opportunities.outcome", "must be one of open, won, lost", "line 2 ('Won')", "did you mean 'won'?"],
    ),
    "an unknown key of company.toml": (
        {"company": 'nmae = "Tiny"\n'},
        ["company.toml.nmae", "not known", "did you mean 'name'?"],
    ),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command line in this process; return its exit code and all it said."""
    with pytest.raises(SystemExit) as ended:
        app.main(list(arguments))
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out + told.err


def test_the_company_is_valid_before_it_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tiny_company(tmp_path / "data")
    log = forecast.read(folder)
    assert len(log.opportunities) == 8
    assert not log.notes
    code, text = run(capsys, "check", "--data", str(folder))
    assert code == 0
    assert "0 fatal" in text


def test_check_counts_what_the_page_of_the_audit_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tiny_company(tmp_path / "data")
    (folder / "opportunity_history.csv").unlink(missing_ok=True)
    found = audit(forecast.read(folder))["rank"].value_counts()
    _, text = run(capsys, "check", "--data", str(folder))
    changing, cosmetic = found["changes the answer"], found["cosmetic"]
    assert text.splitlines()[-1] == f"0 fatal, {changing} change the answer, {cosmetic} cosmetic"
    assert changing >= 1  # the history is absent
    begins = "changes the answer: opportunities: too little is known to forecast from; only 5 closed deals are known"
    assert text.startswith(begins)
    ranks = [rank for line in text.splitlines() for rank in RANKS.values() if line.startswith(f"{rank}: ")]
    assert ranks == sorted(ranks, key=list(RANKS.values()).index)
    assert "8 opportunities, 3 tables, to " in text


@pytest.mark.parametrize("what", BROKEN)
def test_reading_refuses(what: str, tmp_path: Path):
    changes, words = BROKEN[what]
    folder = tiny_company(tmp_path / "data", **changes)
    with pytest.raises(DataError) as refused:
        forecast.read(folder)
    message = str(refused.value)
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("what", BROKEN)
def test_check_says_it_and_ends_with_1(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    changes, words = BROKEN[what]
    folder = tiny_company(tmp_path / "data", **changes)
    code, text = run(capsys, "check", "--data", str(folder))
    assert code == 1
    assert "Traceback" not in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("what", BROKEN)
def test_a_forecast_is_refused_and_nothing_written(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    changes, words = BROKEN[what]
    folder = tiny_company(tmp_path / "data", **changes)
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "bookings.csv"
    code, text = run(capsys, "bookings", "--data", str(folder), "--as-of", "2026-03-31", "--out", str(out))
    assert code == 1, text
    assert "Traceback" not in text
    for word in words:
        assert word in text, text
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("what", ["duplicate key", "closed before created"])
def test_the_main_job_refuses_as_a_scheduler_sees_it(what: str, tmp_path: Path, root: Path):
    changes, words = BROKEN[what]
    folder = tiny_company(tmp_path / "data", **changes)
    out = tmp_path / "reports"
    for stage in prepare.STAGES:
        notebook(tmp_path / "notebooks", stage.name, "print(as_of)")
    command = [sys.executable, "-m", "forecast", "report", "--data", str(folder), "--as-of", "2026-03-31"]
    command += ["--out", str(out), "--notebooks", str(tmp_path / "notebooks")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    for word in words:
        assert word in done.stderr, done.stderr
    assert {path.name for path in out.iterdir()} <= {"runs"}  # the record of the run, and nothing else


def test_the_json_holds_what_the_text_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tiny_company(tmp_path / "data", opportunities=edited(OPPORTUNITIES, 2, amount="1e308"))
    code, text = run(capsys, "check", "--data", str(folder), "--format", "json")
    told = json.loads(text)
    assert (code, told["can_be_forecast"], told["last_day"], told["tables"]) == (1, False, None, {})
    assert told["counts"] == {"fatal": 1, "changes the answer": 1, "cosmetic": 0, "absent": 0}
    problem = told["problems"][0]
    assert list(problem) == ["rank", "table", "column", "finding", "evidence", "rows", "count", "mend"]
    assert (problem["rank"], problem["rows"], problem["count"]) == ("fatal", ["line 2 ('1e308')"], 1)
    good = tiny_company(tmp_path / "good")
    code, text = run(capsys, "check", "--data", str(good), "--format", "json")
    told = json.loads(text)
    assert (code, told["can_be_forecast"], told["last_day"], told["tables"]["plan"]) == (0, True, "2026-03-31", 2)
    _, lines = run(capsys, "check", "--data", str(good))
    for problem in told["problems"]:
        assert problem["finding"] in lines or problem["finding"] == "there is no such table"
    assert run(capsys, "check", "--data", str(good), "--format", "xml")[0] == 2


def test_several_problems_are_all_listed_by_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    broken = edited(edited(OPPORTUNITIES, 2, amount="inf"), 3, created_on="yesterday")
    folder = tiny_company(tmp_path / "data", opportunities=broken, plan=PLAN.replace("2026-04", "April", 1))
    code, text = run(capsys, "check", "--data", str(folder))
    assert code == 1
    for word in ("opportunities.amount", "opportunities.created_on", "plan.period", "line 2 ('April')", "3 fatal"):
        assert word in text, text


def test_a_day_after_the_end_and_before_the_beginning(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tiny_company(tmp_path / "data")
    out = tmp_path / "bookings.csv"
    late, early = "after the last day of the data, 2026-03-31", "earlier than the log's first"
    for day, word in (("2026-04-30", late), ("2025-09-30", early)):
        code, text = run(capsys, "bookings", "--data", str(folder), "--as-of", day, "--out", str(out))
        assert code == 1
        assert word in text
        assert not out.exists()
