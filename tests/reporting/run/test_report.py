"""The main job with notebooks of a few lines: what is published, what a failure leaves, what is refused at once."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from forecast.errors import DataError, MachineError, NotebookError, ParameterError
from forecast.reporting.run import engine, pages, workspace
from forecast.reporting.run.engine import run_notebook
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import Stage
from forecast.reporting.run.progress import Lines
from forecast.reporting.run.report import report
from reports import PARAMETERS, WRITES, company, notebook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tiny-report")]

STAGES = (
    Stage(name="01_first"),
    Stage(name="02_second"),
    Stage(name="07_brief", after=("01_first", "02_second"), kind="leader"),
)


SECOND_OF_MAY = dt.datetime(2026, 5, 2, 6, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def kernels():
    with Kernels() as source:
        yield source


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder, made the current one, with a company and three notebooks that work."""
    monkeypatch.chdir(tmp_path)
    company(tmp_path / "data")
    notebook(tmp_path / "notebooks", "01_first", WRITES.format(name="first"), "print('first ran')", title="What first?")
    notebook(tmp_path / "notebooks", "02_second", WRITES.format(name="second"))
    notebook(
        tmp_path / "notebooks",
        "07_brief",
        "from forecast.reporting.month.results import Results\n"
        "results = Results(tables)\n"
        "months = int(results.read('first')['months'][0])",
        "from IPython.display import Markdown\n"
        "results.write_facts('headline', {'headline': f'We expect <{months}> deals'})\n"
        "Markdown(f'We expect **{months}** deals <script>alert(1)</script>')",
        title="The brief",
    )
    return tmp_path


@pytest.fixture
def make(place, kernels):  # noqa: ARG001
    """Return a function that makes the report."""

    def made(**changed):
        options = {"as_of": "2026-03", "out": "reports", "notebooks": "notebooks", "stages": STAGES}
        return report("data", **{**options, "kernels": kernels, **changed})

    return made


def snapshot_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_a_month_is_published_whole(make, place):
    page = make(parameters={})
    month = place / "reports" / "2026-03-31"
    assert page == Path("reports/2026-03-31/index.html")
    assert set(snapshot_of(place / "reports")) == {
        "index.html",
        "published.json",
        *(f"2026-03-31/{name}" for name in ("index.html", "glossary.html", "manifest.json", "tables/headline.json")),
        *(f"2026-03-31/analysis/{name}.html" for name in ("01_first", "02_second")),
        *(f"2026-03-31/notebooks/{name}.ipynb" for name in ("01_first", "02_second", "07_brief")),
        *(f"2026-03-31/tables/{name}.{end}" for name in ("first", "second") for end in ("csv", "parquet")),
    }
    assert pd.read_csv(month / "tables" / "first.csv")["as_of"].item() == "2026-03-31"  # a month means its last day
    leader = (month / "index.html").read_text(encoding="utf-8")
    assert "We expect <strong>6</strong> deals" in leader
    assert "<script" not in leader
    assert "read_facts" not in leader
    assert "results.read" not in leader
    assert 'href="analysis/01_first.html"' in leader
    assert "Tiny &amp; Co" in leader
    analysis = (month / "analysis" / "01_first.html").read_text(encoding="utf-8")
    assert "<details" in analysis
    assert "first ran" in analysis
    assert 'href="../index.html"' in analysis
    assert "What first?" in analysis
    index = (place / "reports" / "index.html").read_text(encoding="utf-8")
    assert "We expect &lt;6&gt; deals" in index
    assert 'href="2026-03-31/index.html"' in index


def test_no_clock_and_no_path_of_the_machine_in_what_is_published(make, place):
    make(out=place / "reports")
    before = snapshot_of(place / "reports")
    for name, content in before.items():
        assert str(place).encode() not in content, name
        assert str(Path.home()).encode() + b"/" not in content, name
        assert not re.search(rb"\d\d:\d\d:\d\d", content) or name.endswith(".parquet"), name
    make(out=place / "reports")
    after = snapshot_of(place / "reports")
    manifest = "2026-03-31/manifest.json"
    measured = [json.loads(found.pop(manifest)) for found in (before, after)]
    assert before == after
    for found in measured:
        for notebook_facts in found.pop("notebooks").values():
            assert notebook_facts["seconds"] > 0
            assert 20 < notebook_facts["peak_memory_mb"] < 1000
    assert measured[0] == measured[1]
    assert measured[0]["parameters"]["01_first"] == {
        "data": "data",
        "as_of": "2026-03-31",
        "tables": "../tables",
        "months": 6,
    }
    assert set(measured[0]["fingerprints"]["data"]) == {"opportunities.csv", "company.toml"}
    assert {"code", "notebooks"} <= set(measured[0]["fingerprints"])
    assert measured[0]["versions"]["pandas"] == pd.__version__


def test_an_executed_notebook_runs_again_from_where_it_lies(make, place, kernels, monkeypatch):
    make()
    folder = place / "reports" / "2026-03-31" / "notebooks"
    monkeypatch.chdir(folder)
    again = run_notebook(folder / "07_brief.ipynb", {}, kernels=kernels)
    assert again.failure is None
    cells = nbformat.read(folder / "07_brief.ipynb", as_version=4).cells
    assert len({cell.id for cell in cells}) == len(cells)


@pytest.mark.faults
def test_a_failure_leaves_the_last_good_month(make, place):
    make()
    good = snapshot_of(place / "reports")
    notebook(place / "notebooks", "02_second", "print('so far so good')", "x = 1\nx / 0", "print('never')")
    with pytest.raises(NotebookError) as error:
        make()
    assert (error.value.notebook, error.value.cell, error.value.exit_code) == ("02_second", 4, 3)
    message = str(error.value)
    assert "02_second, cell 4: ZeroDivisionError: division by zero" in message
    assert "in: x = 1" in message
    partial = place / "reports" / "failed" / "2026-03-31" / "02_second.html"
    assert str(partial.relative_to(place)) in message
    html = partial.read_text(encoding="utf-8")
    assert "so far so good" in html
    assert "ZeroDivisionError" in html
    assert "never" in html  # its code, not its output
    now = snapshot_of(place / "reports")
    assert {name: now[name] for name in good} == good
    assert {name.split("/")[0] for name in set(now) - set(good)} == {"failed", ".work"}


@pytest.mark.faults
def test_a_rerun_continues_after_the_finished_notebooks(make, place):
    log = place / "ran.txt"
    mark = "open('ran.txt', 'a').write('{}\\n')"
    notebook(place / "notebooks", "01_first", mark.format("first"), WRITES.format(name="first"))
    notebook(
        place / "notebooks",
        "02_second",
        mark.format("second"),
        "import os\nassert os.path.exists('mended'), 'not yet'",
        WRITES.format(name="second"),
    )
    with pytest.raises(NotebookError):
        make(jobs=1)
    (place / "mended").touch()
    make(jobs=1)
    assert log.read_text().split() == ["first", "second", "second"]
    assert not (place / "reports" / ".work").exists()
    assert not (place / "reports" / "failed").exists()
    measured = json.loads((place / "reports/2026-03-31/manifest.json").read_text())["notebooks"]
    assert set(measured) == {"01_first", "02_second", "07_brief"}


@pytest.mark.parametrize("change", ["no resume", "parameter", "data", "notebook"])
def test_work_made_from_something_else_is_not_taken_over(make, place, change):
    mark = "open('ran.txt', 'a').write('first\\n')"
    notebook(place / "notebooks", "01_first", mark, WRITES.format(name="first"))
    notebook(place / "notebooks", "02_second", "import os\nassert os.path.exists('mended')")
    with pytest.raises(NotebookError):
        make(jobs=1)
    (place / "mended").touch()
    options = {}
    if change == "no resume":
        options = {"resume": False}
    elif change == "parameter":
        options = {"months": 3}
    elif change == "data":
        with (place / "data" / "opportunities.csv").open("a") as file:
            file.write("O4,2026-02-03,South,Open,70,2026-05-01,,open\n")
    else:
        notebook(place / "notebooks", "01_first", mark, WRITES.format(name="first"), "1")
    make(jobs=1, **options)
    assert (place / "ran.txt").read_text().split() == ["first", "first"]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import os\nos._exit(7)", "its kernel died (exit code 7)"),
        ("import os, signal\nos.kill(os.getpid(), 9)", "its kernel died (exit code -9, perhaps for want of memory)"),
        ("import time\ntime.sleep(60)", "the cell took longer than 1 s and was stopped"),
    ],
)
def test_a_dying_kernel_and_an_endless_cell_end_the_run(make, place, cell, said):
    notebook(place / "notebooks", "02_second", "print('before')", cell)
    start = time.perf_counter()
    with pytest.raises(NotebookError) as error:
        make(cell_seconds=1)
    assert time.perf_counter() - start < 20
    assert said in str(error.value)
    assert error.value.cell == 4
    html = (place / "reports/failed/2026-03-31/02_second.html").read_text(encoding="utf-8")
    assert said.split("(")[0] in html
    assert "before" in html


@pytest.mark.faults
@pytest.mark.parametrize(
    "cell",
    ["import sys\nsys.exit()", "raise SystemExit(0)", "import sys\nsys.exit('enough')", "exit()", "print(1)\nquit()"],
)
@pytest.mark.parametrize("rest", [["print('never')"], []])
def test_a_notebook_that_exits_before_its_end_has_failed(make, place, cell, rest):
    make()
    good = snapshot_of(place / "reports")
    notebook(place / "notebooks", "02_second", "print('so far so good')", cell, *rest)
    with pytest.raises(NotebookError, match="SystemExit") as error:
        make()
    assert (error.value.notebook, error.value.cell) == ("02_second", 4)
    now = snapshot_of(place / "reports")
    assert {name: now[name] for name in good} == good


@pytest.mark.faults
def test_a_cell_that_prints_without_end_is_cut_and_stopped(make, place):
    prints = "print('begins')\nwhile True:\n    print('x' * 1000)"
    notebook(place / "notebooks", "02_second", prints)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NotebookError, match="the cell took longer than 3 s and was stopped"):
        make(cell_seconds=3)
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    )  # kilobytes; it prints that in a second
    html = (place / "reports/failed/2026-03-31/02_second.html").read_text(encoding="utf-8")
    assert "begins" in html
    assert "is cut here: more than 200,000 characters" in html
    assert len(html) < 400_000


def test_a_cell_that_prints_much_is_published_as_far_as_a_page_can_bear(make, place):
    notebook(
        place / "notebooks", "02_second", WRITES.format(name="second"), "for _ in range(900):\n    print('x' * 999)"
    )
    make()
    html = (place / "reports/2026-03-31/analysis/02_second.html").read_text(encoding="utf-8")
    assert html.count("is cut here: more than 200,000 characters") == 1
    assert 150_000 < html.count("x") < 250_000


@pytest.mark.faults
def test_a_full_disk_in_a_notebook_is_the_machines_fault(make, place):
    notebook(place / "notebooks", "02_second", "raise OSError(28, 'No space left on device')")
    with pytest.raises(MachineError, match="02_second: OSError") as error:
        make()
    assert error.value.exit_code == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parameters": {"mounts": 3}}, "no notebook has a parameter 'mounts'"),
        ({"parameters": {"as_off": "2026-03"}}, "no notebook has a parameter 'as_off'"),
        ({"parameters": {"extr": 3}}, "did you mean 'extra'?"),
        ({"parameters": {"extra": "seven"}}, "02_second: extra: 'seven' is not a whole number"),
        ({"parameters": {"extra": 11}}, "out of range; allowed: 0 to 10"),
        ({"parameters": {"months": 3}}, "give --months"),
        ({"months": 13}, "months: 13 is out of range"),
        ({"as_of": "2026-13"}, "as_of: '2026-13' is not a date"),
        ({"as_of": 202603}, "as_of: 202603 is not a date"),
        ({"as_of": "2026-04-01"}, "2026-04-01 is after the last day of the data, 2026-03-31"),
        ({"as_of": "1990-01"}, "as_of 1990-01-31 is earlier than the log's first record, 2026-01-05"),
        ({"as_of": "9999-12"}, "'9999-12' is not a date"),
        ({"as_of": "last-month"}, "as_of: 'last-month' is not a date"),  # without a moment it is none
        ({"as_of": "last-month", "now": SECOND_OF_MAY}, "2026-04-30 is after the last day of the data, 2026-03-31"),
        ({"jobs": 0}, "jobs: 0"),
        ({"cell_seconds": float("inf")}, "cell_seconds: inf is not from 1 to 10,000,000"),
        ({"cell_seconds": float("nan")}, "cell_seconds: nan"),
        ({"out": "data"}, "--out data: this is the folder of the data"),
        ({"out": "data/reports"}, "--out data/reports: this is not apart from the folder of the data"),
        ({"out": "."}, "--out .: this is not apart from the folder of the data"),
        ({"notebooks": "nowhere"}, "no such folder of notebooks"),
    ],
)
def test_what_is_wrong_is_refused_before_a_kernel_starts(place, monkeypatch, options, said):
    notebook(
        place / "notebooks",
        "02_second",
        "1",
        parameters=PARAMETERS + "\nextra: int = 1  # something else; allowed: 0 to 10",
    )
    started = []
    monkeypatch.setattr(Kernels, "register", lambda self, *_: started.append(self))
    monkeypatch.setattr(Kernels, "fork", lambda self, *_: started.append(self))
    asked = {"as_of": "2026-03", "out": "reports", "notebooks": "notebooks", "stages": STAGES, **options}
    with Kernels(forking=False) as kernels, pytest.raises(ParameterError) as error:
        report("data", **asked, kernels=kernels)
    assert said in str(error.value)
    assert not started
    assert not (place / "reports").exists()


def test_wrong_data_write_nothing(place, kernels):
    (place / "data" / "opportunities.csv").write_text("opportunity_id,created_on\nO1,2026-01-01\n")
    with pytest.raises(DataError, match="opportunities"):
        report("data", as_of="2026-03", notebooks="notebooks", stages=STAGES, kernels=kernels)
    assert not (place / "reports").exists()


@pytest.mark.faults
def test_a_second_run_is_refused_and_told_who_runs(make, place):
    out = place / "reports"
    with workspace.locked(out, "the report of 2026-02-28"), pytest.raises(MachineError) as error:
        make()
    assert f"the report of 2026-02-28 (process {os.getpid()} on" in str(error.value)
    make()


@pytest.mark.faults
def test_an_out_folder_that_cannot_be(make, place):
    with pytest.raises(MachineError, match="is not there; make it first"):
        make(out="no/such/reports")
    (place / "file").touch()
    with pytest.raises(MachineError, match="cannot be used"):
        make(out="file")


@pytest.mark.faults
def test_a_run_killed_while_it_swapped_is_mended(make, place):
    make()
    month = workspace.Month(out=Path("reports"), as_of="2026-03-31")
    good = snapshot_of(place / "reports")
    month.old.parent.mkdir()
    month.final.rename(month.old)  # as far as a killed run came
    notebook(place / "notebooks", "02_second", "1 / 0")
    with pytest.raises(NotebookError):
        make()
    now = snapshot_of(place / "reports")
    assert {name: now.get(name) for name in good} == good


def test_months_are_listed_newest_first(make, place):
    make()
    make(as_of="2026-02-15")
    (place / "reports" / "2025-01-31").mkdir()  # not a finished month
    (place / "reports" / "notes").mkdir()
    shutil.copytree(place / "reports" / "2026-03-31", place / "reports" / "2026-02-30")  # there is no such day
    make(as_of="2026-02-15")
    assert [month["as_of"] for month in pages.months(place / "reports")] == ["2026-03-31", "2026-02-15"]
    index = (place / "reports" / "index.html").read_text(encoding="utf-8")
    assert index.index("2026-03-31") < index.index("2026-02-15")
    assert set(pages.seconds_of_last_run(place / "reports")) == {stage.name for stage in STAGES}


def test_last_month_is_the_last_one_that_was_over(make, place):
    page = make(as_of="last-month", now=dt.datetime(2026, 4, 3, 6, tzinfo=dt.UTC))
    assert page == Path("reports/2026-03-31/index.html")
    manifest = json.loads((place / "reports" / "2026-03-31" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["as_of"] == "2026-03-31"
    assert {one["as_of"] for one in manifest["parameters"].values()} == {"2026-03-31"}


def test_data_that_end_before_the_month_are_reported_only_where_nothing_happened(make, place):
    (place / "data" / "company.toml").write_text('name = "Tiny & Co"\n', encoding="utf-8")
    with pytest.raises(ParameterError, match="the data end on 2026-03-04, 27 days before 2026-03-31") as error:
        make()
    assert "--nothing-since" in str(error.value)
    assert not (place / "reports").exists()
    make(as_of="2026-03-13")  # nine days after the last record
    reads = "import forecast\nlog = forecast.read(data)\nprint(log.extracted_on.date(), log.company.name)"
    notebook(place / "notebooks", "01_first", WRITES.format(name="first"), reads)
    make(as_of="2026-05", nothing_since=True)
    month = place / "reports" / "2026-05-31"
    executed = (month / "notebooks" / "01_first.ipynb").read_text(encoding="utf-8")
    assert "2026-05-31 Tiny & Co" in executed
    assert '"as_of": "2026-05-31"' in (month / "manifest.json").read_text(encoding="utf-8")
    assert (place / "data" / "company.toml").read_text(encoding="utf-8") == 'name = "Tiny & Co"\n'


@pytest.mark.faults
def test_what_is_published_can_be_read_whatever_the_umask(make, place):
    before = os.umask(0o077)
    try:
        make()
    finally:
        os.umask(before)
    reports = place / "reports"
    published = (reports, reports / "index.html", reports / "2026-03-31", *(reports / "2026-03-31").rglob("*"))
    modes = {path: path.stat().st_mode & 0o777 for path in published}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o644}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o755}
    reports.chmod(0o700)  # who made it so wants it so
    make()
    assert reports.stat().st_mode & 0o777 == 0o700


def test_progress_in_a_log_is_a_line_a_start_and_a_line_an_end(make, capsys):
    make(jobs=1, progress=Lines(sys.stderr))
    lines = [re.sub(r"[\d.]+ s", "? s", line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "start  01_first",
        "done   01_first ? s (1 of 3)",
        "start  02_second",
        "done   02_second ? s (2 of 3)",
        "start  07_brief",
        "done   07_brief ? s (3 of 3)",
    ]


def test_notebooks_wait_for_those_they_read_from_and_run_side_by_side(make, place):
    meet = (
        "import os, time\nopen(f'at-{me}', 'w').close()\n"
        "deadline = time.monotonic() + 20\n"
        "while not os.path.exists(f'at-{other}'):\n"
        "    assert time.monotonic() < deadline, 'alone'\n"
        "    time.sleep(.01)"
    )
    for name, me, other in (("01_first", 1, 2), ("02_second", 2, 1)):
        notebook(place / "notebooks", name, f"me, other = {me}, {other}", meet, WRITES.format(name=name[3:]))
    make(jobs=2)


@pytest.mark.usefixtures("kernels_as_for_a_user")
@pytest.mark.parametrize("forking", [True, False])
def test_kernels_are_this_python_whatever_is_installed(place, forking, monkeypatch):
    if forking and sys.platform != "linux":
        pytest.skip("kernels are forked on Linux only")
    spec = place / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text('{"argv": ["/no/python"], "display_name": "Wrong", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(place))
    cells = "import sys, os, json\nprint(json.dumps([sys.executable, os.environ['OMP_NUM_THREADS'], os.getcwd()]))"
    file = notebook(place, "where", cells, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    with Kernels(forking=forking) as kernels:
        execution = run_notebook(file, {}, kernels=kernels)
    assert execution.failure is None
    outputs = [output for cell in execution.notebook.cells for output in cell.get("outputs", [])]
    assert json.loads(outputs[0].text) == [sys.executable, "1", str(place)]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert execution.peak_mb > 20


def test_kernels_start_one_after_the_other(place, kernels, monkeypatch):
    """Two threads that resolve the classes of a kernel at once can each find what the other has half done."""
    events = []
    made, started = engine._manager, engine.Watch.started

    def slowly(source):
        events.append("start")
        time.sleep(0.3)
        return made(source)

    def first_cell(watch, index):
        if watch.current is None:
            events.append("cell")
        started(watch, index)

    monkeypatch.setattr(engine, "_manager", slowly)
    monkeypatch.setattr(engine.Watch, "started", first_cell)
    files = [notebook(place, name, "x = 1") for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda file: run_notebook(file, {}, kernels=kernels), files))
    assert [each.failure for each in done] == [None, None]
    assert events == ["start", "cell", "start", "cell"]


def test_a_start_that_fails_lets_the_next_one_go(place, kernels, monkeypatch):
    made = engine._manager
    monkeypatch.setattr(engine, "_manager", lambda _: 1 / 0)
    assert run_notebook(notebook(place, "one", "x = 1"), {}, kernels=kernels).failure is not None
    monkeypatch.setattr(engine, "_manager", made)
    assert run_notebook(notebook(place, "two", "x = 1"), {}, kernels=kernels).failure is None


def test_a_kernel_that_cannot_start_says_why():
    watch = engine.Watch(kernels=Kernels(forking=False), on_cell=None, cell_seconds=None)
    assert watch.explain(RuntimeError("can't start new thread")) == "its kernel did not start (can't start new thread)"
    assert watch.lost


@pytest.mark.parametrize("forking", [True, False])
def test_no_kernel_starts_after_the_end(place, forking):
    kernels = Kernels(forking=forking)
    with kernels:
        pass
    execution = run_notebook(notebook(place, "late", "open('late', 'w')"), {}, kernels=kernels)
    assert execution.failure is not None
    assert execution.failure.message == "the run was stopped"
    assert not (place / "late").exists()


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
@pytest.mark.usefixtures("kernels_as_for_a_user")
def test_the_loss_of_what_forks_is_made_good(place):
    file = notebook(place, "still", "print('ran')")
    with Kernels(forking=True) as kernels:
        kernels._server.kill()
        kernels._server.wait()
        execution = run_notebook(file, {}, kernels=kernels)
    assert execution.failure is None
    assert execution.notebook.cells[-1].outputs[0].text == "ran\n"


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
@pytest.mark.usefixtures("kernels_as_for_a_user")
def test_what_forks_has_one_thread_and_no_random_state_in_common(place):
    code = (
        "import os\nfrom forecast.reporting.run.fork import preload\npreload()\n"
        "import sys\nprint(len(os.listdir('/proc/self/task')), 'pandas' in sys.modules, "
        "any(name in sys.modules for name in ('forecast.cli.app', 'sqlalchemy', 'duckdb')))"
    )
    env = Kernels().environment()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split() == ["1", "True", "False"]  # a fork keeps one thread only: others would leave locks held
    file = notebook(place, "chance", "import uuid, random\nprint(uuid.uuid4(), random.random())")
    with Kernels() as kernels:
        drawn = [run_notebook(file, {}, kernels=kernels).notebook.cells[-1].outputs[0].text for _ in range(2)]
    assert drawn[0] != drawn[1]


@pytest.mark.usefixtures("kernels_as_for_a_user")
def test_wrong_data_do_not_wait_for_kernels(place):
    (place / "data" / "opportunities.csv").write_text("")
    start = time.perf_counter()
    with pytest.raises(DataError):
        report("data", as_of="2026-03", notebooks="notebooks", stages=STAGES)
    assert time.perf_counter() - start < 2


@pytest.mark.faults
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_run_leaves_no_kernel_and_no_half_month(place, number, code):
    notebook(
        place / "notebooks",
        "02_second",
        "open('there', 'w').write(str(__import__('os').getpid()))",
        "import time; time.sleep(99)",
    )
    notebook(place / "notebooks", "07_leadership_brief", "1")
    for name in (
        "00_explore",
        "01_data_audit",
        "02_win_probability",
        "03_bookings",
        "05_joint_planning",
        "06_scorecard",
    ):
        notebook(place / "notebooks", name, "1")
    (place / "notebooks" / "02_second.ipynb").rename(place / "notebooks" / "04_track_record.ipynb")
    command = [
        sys.executable,
        "-m",
        "forecast",
        "report",
        "--data",
        "data",
        "--as-of",
        "2026-03",
        "--notebooks",
        "notebooks",
    ]
    # Tests started in the background ignore Ctrl-C, those started by `nohup` that the terminal is gone; and so would
    # what they start.
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    heard = functools.partial(signal.signal, number, usual)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    deadline = time.monotonic() + 60
    while not ((place / "there").exists() and (place / "there").read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    kernel = int((place / "there").read_text())
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("stopped; ")
    assert "failed" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
    assert not (place / "reports" / "2026-03-31").exists()
    assert not (place / "reports" / "index.html").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_progress_on_a_terminal_shows_notebook_cell_and_time(monkeypatch):
    import pty

    monkeypatch.setenv("TERM", "xterm")
    script = (
        "import sys, time\nfrom forecast.reporting.run.progress import Live, progress\n"
        "shown = progress()\nassert isinstance(shown, Live)\n"
        "with shown:\n"
        "    shown.plan(['a', 'b'], {'a': 3.0})\n    shown.begin('a')\n    shown.cell('a', 2, 4)\n    time.sleep(.6)\n"
        "    shown.end('a', 'done', 1.25)\n    shown.end('b', 'kept', 0)\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", script])
    seen = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other end has closed
            break
        if not part:
            break
        seen += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())
    assert "cell 2 of 4" in text
    assert "0 of 2 notebooks" in text
    assert "to go" in text
    assert "done   a 1.2 s" in text
    assert "kept   b" in text


def test_progress_is_lines_where_there_is_no_terminal(capsys):
    from forecast.reporting.run.progress import Quiet, progress

    assert type(progress(quiet=True)) is Quiet
    shown = progress()
    assert isinstance(shown, Lines)
    with shown:
        shown.plan(["a"], {})
        shown.begin("a")
        shown.cell("a", 1, 2)
        shown.end("a", "kept", 0)
    assert capsys.readouterr().err == "start  a\nkept   a (1 of 1)\n"
