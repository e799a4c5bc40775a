"""The command line as a user and a scheduler meet it: exit codes, messages, nothing half-written."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.cli import app
from forecast.evaluation.planning.effect import json_ready
from reports import PARAMETERS, company, notebook

BACKTEST = ("backtest", "--data", "DATA", "--out", "OUT.csv")
COMMANDS = (
    *("report", "check", "bookings", "deals", "backtest", "planning", "simulate", "init", "import", "params"),
    *("runs", "verify", "compare", "replay", "clean", "leaktest"),
)


@pytest.fixture
def run(capsys, monkeypatch):
    """Return a function that runs the command line and returns its exit code and what it printed."""
    monkeypatch.setenv("FORECAST_DEBUG", "0")

    def ran(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            app.main([str(argument) for argument in arguments])
        code = end.value.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(code or 0), said.out + said.err

    return ran


@pytest.fixture
def data(tmp_path) -> Path:
    return company(tmp_path / "data")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(run, command):
    code, text = run(command, "--help")
    assert code == 0
    assert f"Example: forecast {command} " in text
    assert "Usage: forecast " in text or "Usage: " in text


def test_help_lists_the_commands_and_the_exit_codes(run):
    code, text = run("--help")
    assert code == 0
    listed = [line.split()[0] for line in text[text.index("Commands:") :].splitlines()[1:] if line.strip()]
    assert tuple(listed) == COMMANDS
    assert "0 done" in text
    assert "..." not in text[text.index("Commands:") :]


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom forecast.cli import app\n"
        "try: app.main(['report', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'numpy', 'papermill', 'nbconvert', 'rich', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(run):
    from forecast import __version__

    assert run("--version") == (0, f"forecast {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reprot"], "No such command 'reprot'"),
        (["bookings", "--data", "x", "--as-off", "2026"], "--as-of"),
        (["bookings", "--data", "x"], "Missing option"),
        (
            ["bookings", "--data", "x", "--as-of", "2026-10", "--months", "0", "--out", "a.csv"],
            "greater than or equal to 1",
        ),
        (["report", "--data", "x", "--as-of", "2026-10", "--jobs", "two"], "should be a valid integer"),
        (["import", "sales", "x", "--out", "y"], "'sales' is not one of salesforce, hubspot, dynamics, generic"),
    ],
)
def test_usage_ends_with_2(run, arguments, said):
    code, text = run(*arguments)
    assert code == 2
    assert said in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "--data", "nowhere"], "there is no folder 'nowhere'"),
        (["bookings", "--data", "DATA", "--as-of", "2026-03", "--out", "a.xlsx"], "must end in .csv or .parquet"),
        (["bookings", "--data", "DATA", "--as-of", "2026-03", "--model", "pipline", "--out", "OUT.csv"], "'pipline'"),
        (["deals", "--data", "DATA", "--as-of", "March", "--out", "OUT.csv"], "'March' is not a date"),
        (["deals", "--data", "DATA", "--as-of", "2026-04", "--out", "OUT.csv"], "2026-04-30"),
        (["planning", "--data", "DATA", "--out", "a.csv"], "must end in .json"),
        ([*BACKTEST, "--from", "2026-02", "--to", "2026-01"], "2026-02 is after 2026-01"),
        ([*BACKTEST, "--from", "2026-02", "--to", "2026-04"], "2026-04-30"),
        ([*BACKTEST, "--from", "2026-01", "--to", "2026-02", "--models", "pipline"], "'pipline'"),
        (["simulate", "--out", "DATA/.."], "holds something else"),
        (["simulate", "--out", "OUT", "--end", "2026"], "'2026' is not a month"),
        (["simulate", "--out", "OUT", "--change", "brake"], "did you mean 'break'"),
        (["import", "hubspot", "nowhere", "--out", "OUT"], "there is no such folder"),
        (["import", "generic", "DATA", "--out", "OUT", "--mapping", "no.toml"], "draft one with --guess"),
        (["import", "hubspot", "DATA", "--out", "OUT", "--extracted-on", "31.10.2026"], "is not a date such as"),
        (["report", "--data", "DATA", "--as-of", "2026-03", "-p", "months"], "'months' is not NAME=VALUE"),
        (["report", "--data", "DATA", "--as-of", "2026-03", "-p", "a=1", "-p", "a=2"], "a is given twice"),
    ],
)
def test_wrong_data_and_parameters_end_with_1_and_write_nothing(run, data, tmp_path, arguments, said):
    before = sorted(tmp_path.rglob("*"))
    filled = [text.replace("DATA", str(data)).replace("OUT", str(tmp_path / "out")) for text in arguments]
    code, text = run(*filled)
    assert code == 1, text
    assert text.startswith("error: ")
    assert said in text
    assert sorted(tmp_path.rglob("*")) == before


def test_today_and_last_month_are_read_from_the_clock_once(run, data, tmp_path, monkeypatch):
    monkeypatch.setattr("forecast.cli.clock.now", lambda: dt.datetime(2026, 4, 2, 6, tzinfo=dt.UTC))
    code, text = run("bookings", "--data", data, "--as-of", "today", "--out", tmp_path / "out.csv")
    assert code == 1
    assert "2026-04-02 is after the last day of the data, 2026-03-31" in text
    code, text = run("deals", "--data", data, "--as-of", "last-month", "--out", tmp_path / "out.csv")
    assert code == 0, text
    (data / "company.toml").unlink()
    code, text = run("deals", "--data", data, "--as-of", "last-month", "--out", tmp_path / "out.csv")
    assert code == 1
    assert "the data end on 2026-03-04, 27 days before 2026-03-31" in text
    code, text = run("deals", "--data", data, "--as-of", "today", "--out", tmp_path / "out.csv", "--nothing-since")
    assert code == 0, text


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (["bookings", "--as-of", "2026-03"], "note: No forecast: "),
        (["bookings", "--as-of", "2026-03", "--model", "combined"], "note: No forecast: "),
        (["deals", "--as-of", "2026-03"], "note: No win probability: too few closed deals"),
        (
            ["backtest", "--from", "2026-02", "--to", "2026-02", "--models", "stage-weighted"],
            "note: stage-weighted needs",
        ),
    ],
)
def test_why_a_table_is_empty_is_said_where_no_program_reads(data, tmp_path, capsys, command, note):
    with pytest.raises(SystemExit) as end:
        app.main([command[0], "--data", str(data), *command[1:], "--out", str(tmp_path / "out.csv")])
    printed = capsys.readouterr()
    assert not end.value.code
    assert note in printed.err
    assert "note" not in printed.out
    assert printed.out.startswith("table: ")


def test_why_nothing_is_identified_is_said_too(tmp_path, capsys):
    folder = company(tmp_path / "data")
    months = [str(month) for month in pd.period_range("2024-01", "2026-03", freq="M")]
    deals = [
        f"{segment}{month},{month}-01,{segment},Won,100,{month}-20,{month}-20,won"
        for month in months
        for segment in "AB"
    ]
    header = (folder / "opportunities.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / "opportunities.csv").write_text("\n".join([header, *deals]) + "\n", encoding="utf-8")
    forecasts = [f"{month}-02,{month},{segment},sales,110" for month in months for segment in "AB"]
    text = "\n".join(["submitted_on,target_period,segment,submitter,amount", *forecasts]) + "\n"
    (folder / "submitted_forecasts.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        app.main(["planning", "--data", str(folder), "--out", str(tmp_path / "out.json")])
    printed = capsys.readouterr()
    assert not end.value.code, printed.err
    assert printed.out.startswith("planning: not identified")
    assert "note: no table joint_planning says when segments began to plan jointly" in printed.err
    assert "note: 22 segment-months are left out: no divisor" in printed.err


def test_a_missing_folder_is_told_before_anything_is_computed(run, data, tmp_path, monkeypatch):
    monkeypatch.setattr("forecast.data.sources.files.read", lambda _: pytest.fail("read"))
    code, text = run("deals", "--data", data, "--as-of", "2026-03", "--out", tmp_path / "no" / "deals.csv")
    assert code == 4
    assert "make it first" in text


def test_a_defect_is_one_line_and_with_debug_a_traceback(run, data, monkeypatch):
    def broken(_: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("forecast.data.sources.files.examine", broken)
    code, text = run("check", "--data", data)
    assert code == 4
    assert "a defect of this program: ZeroDivisionError: inside" in text
    with pytest.raises(ZeroDivisionError):
        app.main(["--debug", "check", "--data", str(data)])


@pytest.mark.slow
def test_check_lists_rows_and_mends(run, data):
    code, text = run("check", "--data", data)
    assert code == 0
    assert "changes the answer: opportunity_history: there is no such table" in text
    assert "absent: " in text
    assert "3 opportunities" in text
    rows = (data / "opportunities.csv").read_text(
        encoding="utf-8"
    ) + "O4,2026-03-03,Total,Open,5 EUR,2026-05-01,,open\n"
    (data / "opportunities.csv").write_text(rows, encoding="utf-8")
    code, text = run("check", "--data", data)
    assert code == 1
    assert "fatal: opportunities.amount" in text
    assert "fatal: opportunities.segment" in text
    assert "rows: line 5" in text
    assert "mend: " in text
    assert "2 fatal" in text


def test_simulate_writes_over_a_company_but_over_nothing_else(run, tmp_path):
    out = tmp_path / "company"
    assert run("simulate", "--out", out, "--opportunities", "400", "--months", "30", "--seed", "3")[0] == 0
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert "opportunities.parquet" in first
    (out / "PROVENANCE.md").write_text("ours")
    (out / "leads.csv").write_text("stale")
    again = run("simulate", "--out", out, "--opportunities", "400", "--months", "30", "--seed", "3")
    assert again[0] == 0
    now = {path.name: path.read_bytes() for path in out.iterdir()}
    assert now.pop("PROVENANCE.md") == b"ours"
    assert now == first
    assert [path.name for path in tmp_path.iterdir()] == ["company"]


def test_simulate_makes_a_company_that_changes(run, tmp_path):
    options = ("--opportunities", "400", "--months", "30", "--seed", "3")
    assert run("simulate", "--out", tmp_path / "still", *options)[0] == 0
    changes = ("--change", "rename@2026-01", "--change", "closed/East")
    assert run("simulate", "--out", tmp_path / "changed", *options, *changes)[0] == 0
    stages = (tmp_path / "changed" / "stages.csv").read_text(encoding="utf-8")
    assert "Offer" in stages
    assert "Offer" not in (tmp_path / "still" / "stages.csv").read_text(encoding="utf-8")
    plan = (tmp_path / "changed" / "plan.csv").read_text(encoding="utf-8")
    assert "2026-10,East" not in plan
    assert "2024-06,East" in plan


def test_params(run, tmp_path):
    notebook(tmp_path / "notebooks", "07_leadership_brief", "1")
    notebook(tmp_path / "notebooks", "03_bookings", "1", parameters=PARAMETERS)
    code, text = run("params", "--notebooks", tmp_path / "notebooks")
    assert code == 0
    assert text.index("03_bookings") < text.index("07_leadership_brief")
    code, one = run("params", "03_bookings", "--notebooks", tmp_path / "notebooks")
    assert code == 0
    assert one.splitlines() == [
        "03_bookings",
        "  parameter  type  default       allowed  meaning",
        '  data       str   "data"                 folder of the company\'s tables',
        '  as_of      date  "2026-03-31"           the day whose knowledge is used',
        '  tables     str   ""                     folder of result files; empty = none',
        "  months     int   6             1 to 12  how many months ahead",
    ]
    code, text = run("params", "03_booking", "--notebooks", tmp_path / "notebooks")
    assert code == 1
    assert "did you mean '03_bookings'?" in text


def test_json_holds_what_json_can_hold():
    facts = {
        "verdict": "improved",
        "interval": (-1.0, float("inf")),
        "p_value": np.float64(0.5),
        "n": np.int64(3),
        16: float("nan"),
        "curve": pd.DataFrame({"month": [1, 2], "value": [0.5, np.nan]}),
    }
    assert json.loads(json.dumps(json_ready(facts), allow_nan=False)) == {
        "verdict": "improved",
        "interval": [-1.0, None],
        "p_value": 0.5,
        "n": 3,
        "16": None,
        "curve": [{"month": 1, "value": 0.5}, {"month": 2, "value": None}],
    }


def test_a_mapping_is_drafted_then_used_and_never_written_over(run, tmp_path):
    (tmp_path / "in").mkdir()
    rows = [f"{row},2026-01-{row:02d},Call,{row * 7 % 25},{'' if row % 3 else '2026-03-01'}," for row in range(1, 25)]
    text = "No,Created,Phase,Worth,Closed on,Status\n" + "".join(
        f"{row}{'Running' if number % 3 else 'Won' if number % 2 else 'Lost'}\n" for number, row in enumerate(rows, 1)
    )
    (tmp_path / "in" / "deals.csv").write_text(text, encoding="utf-8")
    command = ["import", "generic", tmp_path / "in", "--out", tmp_path / "ours"]
    code, said = run(*command, "--guess")
    assert code == 0, said
    mapping = tmp_path / "ours.mapping.toml"
    assert f"draft: {mapping}" in said
    assert not (tmp_path / "ours").exists()
    code, said = run(*command, "--guess")
    assert (code, "never writes over one" in said) == (1, True)
    code, said = run(*command, "--mapping", mapping)
    assert code == 0, said
    assert "opportunities 24" in said


def test_a_draft_that_lacks_something_is_written_and_says_what(run, tmp_path):
    (tmp_path / "deals.csv").write_text("No,Day,Name\n1,2026-01-05,A\n2,2026-01-06,B\n", encoding="utf-8")
    draft = tmp_path / "own.toml"
    code, said = run(
        "import", "generic", tmp_path / "deals.csv", "--out", tmp_path / "ours", "--guess", "--mapping", draft
    )
    assert code == 1
    assert "the draft cannot be used yet" in said
    assert "amount (what it is worth)" in said
    assert draft.is_file()
