"""The notebooks open and run in a real JupyterLab, in a real browser, as they are."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import browser
from forecast.simulation.company import simulate, write

pytestmark = [pytest.mark.slow, pytest.mark.browser]

FOLDERS: dict[str, Path] = {}
NOTEBOOKS = sorted(path.name for path in (Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
EXPLORER, TABLES = "00_explore.ipynb", "02_win_probability.ipynb"
"""Notebooks that a test of their own runs, and looks at."""

# Waiting for "idle" is not enough: before the kernel has answered its first question, Run All does nothing.
RUN_ALL = """
async (path) => {
  const app = window.jupyterapp;
  const panel = await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  app.shell.activateById(panel.id);
  await app.commands.execute('notebook:run-all-cells');
  const errors = [];
  const unrun = [];
  let outputs = 0;
  for (const cell of panel.context.model.cells) {
    if (cell.type !== 'code') continue;
    if (!cell.executionCount) unrun.push(cell.id);
    for (const output of cell.sharedModel.getOutputs()) {
      outputs += 1;
      if (output.output_type === 'error') errors.push(`${cell.id}: ${output.ename}: ${output.evalue}`);
    }
  }
  await panel.sessionContext.shutdown();
  await app.commands.execute('application:close-all');
  return {errors, outputs, unrun};
}
"""


@pytest.fixture(scope="module")
def lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start JupyterLab on a copy of the notebooks, on a free port of this machine; yield its address.

    A small company stands where the notebooks expect the sample: the report runs them on the sample itself.
    """
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(root / "notebooks", folder / "notebooks")
    write(simulate(opportunities=400, months=24, seed=5, segments=3), folder / "data" / "sample")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=test", "--ServerApp.open_browser=False"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
    }
    with (folder / "lab.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    FOLDERS[address] = folder
    try:
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{address}/api?token=test", timeout=2) as answer:
                    assert json.load(answer)["version"]
                    break
            except OSError:
                assert process.poll() is None, (folder / "lab.log").read_text()[-2000:]
                time.sleep(0.25)
        else:
            pytest.fail("JupyterLab did not start within a minute:\n" + (folder / "lab.log").read_text()[-2000:])
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def page(lab: str, chromium: str) -> Iterator[object]:
    with browser(chromium) as running:
        page = running.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(300_000)
        page.goto(f"{lab}/lab?token=test&reset")
        page.wait_for_function("() => window.jupyterapp !== undefined", polling=200)
        page.evaluate("() => window.jupyterapp.restored.then(() => true)")
        yield page


def test_there_are_ten_notebooks():
    assert len(NOTEBOOKS) == 10
    assert {EXPLORER, TABLES} < set(NOTEBOOKS)


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if name not in (EXPLORER, TABLES)])
def test_notebook_runs_as_it_is(page, name: str):
    result = page.evaluate(RUN_ALL, f"notebooks/{name}")
    assert result["errors"] == []
    assert result["unrun"] == []  # those to try, at the end, among them
    assert result["outputs"] >= 3


LOOKS = """
() => [...document.querySelectorAll('.jp-OutputArea .scroll table :is(th, td)')].map(cell => {
  const look = getComputedStyle(cell);
  return {side: cell.className, align: look.textAlign, breaks: look.whiteSpace,
          layout: getComputedStyle(cell.closest('table')).tableLayout};
})
"""


def test_tables_are_set_as_on_a_page(page, lab: str, tmp_path: Path):
    page.set_default_timeout(60_000)
    page.goto(f"{lab}/lab/tree/notebooks/{TABLES}?token=test&reset")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext !== undefined", polling=200)
    page.evaluate(READY)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    largest = page.locator(".jp-OutputArea .scroll[aria-label='Largest expected amounts']")
    largest.scroll_into_view_if_needed()
    page.screenshot(path=str(tmp_path / "tables.png"))
    cells = page.evaluate(LOOKS)
    figures = [cell for cell in cells if cell["side"] == "n"]
    assert len(figures) >= 20
    assert {cell["align"] for cell in figures} == {"right"}
    assert {cell["align"] for cell in cells if cell["side"] != "n"} == {"left"}
    assert {cell["breaks"] for cell in cells if cell["side"] != "t"} == {"nowrap"}
    assert {cell["layout"] for cell in cells} == {"auto"}
    assert page.evaluate(ERRORS) == []
    assert page.evaluate(UNRUN) == []
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


UNRUN = """
() => [...window.jupyterapp.shell.currentWidget.context.model.cells]
  .filter(cell => cell.type === 'code' && !cell.executionCount).map(cell => cell.id)
"""
READY = """
async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}
"""
ERRORS = """
() => {
  const said = [];
  for (const cell of window.jupyterapp.shell.currentWidget.context.model.cells) {
    if (cell.type !== 'code') continue;
    for (const output of cell.sharedModel.getOutputs()) {
      if (output.output_type === 'error') said.push(`${cell.id}: ${output.ename}: ${output.evalue}`);
      if (output.output_type === 'stream' && output.name === 'stderr') said.push(`${cell.id}: ${output.text}`);
    }
  }
  return said;
}
"""


def test_the_explorer_moves_as_a_person_moves_it(page, lab: str, tmp_path: Path):
    # What fails once here is mostly Lab still drawing; what fails twice is ours.
    for last in (False, True):
        try:
            explore(page, lab)
        except Exception as error:
            picture = tmp_path / f"lab-{'second' if last else 'first'}.png"
            page.screenshot(path=str(picture))
            if last:
                raise AssertionError(f"see {picture}") from error
        else:
            break


def explore(page, lab: str) -> None:
    """Open the explorer's notebook as `make lab` does, run it from the menu, and use every part of the explorer."""
    page.set_default_timeout(60_000)
    page.goto(f"{lab}/lab/tree/notebooks/{EXPLORER}?token=test&reset")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext !== undefined", polling=200)
    page.evaluate(READY)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    whole = page.locator(".forecast-explorer")
    shown = whole.locator(".forecast-picture")
    shown.locator("figure").first.wait_for()
    assert page.evaluate(ERRORS) == []
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
        polling=200,
    )
    page.wait_for_function(f"() => ({UNRUN.strip()})().length === 0", polling=200)
    assert page.evaluate(ERRORS) == []

    # Sliders: by mouse, then by keyboard; the picture says something else each time.
    handles = whole.locator(".noUi-handle")
    assert handles.count() == 4
    handle = handles.nth(1)
    handle.scroll_into_view_if_needed()
    said = [another(page, shown, "")]  # what lies outside the window has no text yet
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 25, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    said.append(another(page, shown, said[-1]))
    handles.nth(3).focus()
    page.keyboard.press("ArrowRight")
    said.append(another(page, shown, said[-1]))
    assert all(text.startswith("The levers ") for text in said), said

    another_day(page, whole)
    said = [another(page, shown, "")]

    # A deal found by a word, taken as won.
    whole.get_by_role("tab", name="Deals").click()
    rows = whole.locator("select[multiple], .forecast-rows select")
    whole.locator(".forecast-list:not(.forecast-busy)").wait_for()
    rows.locator("option").first.wait_for(state="attached")
    before = rows.locator("option").count()
    deal = rows.locator("option").nth(1).inner_text().split()[0]
    whole.get_by_placeholder("any word").fill(deal)
    page.wait_for_function(
        "() => document.querySelectorAll('.forecast-rows select option, select.forecast-rows option').length === 1",
        polling=200,
    )
    assert before > 1
    whole.get_by_role("button", name="won", exact=True).click()
    whole.get_by_role("tab", name="What if").click()
    whole.get_by_text(f"{deal} taken as won").wait_for()
    said.append(another(page, shown, said[-1]))

    # Joint planning is off with a reason; the scenario is saved beside the notebook.
    assert whole.get_by_label("Start joint planning").is_disabled()
    whole.get_by_placeholder("a name").fill("from-lab")
    whole.get_by_role("button", name="Save scenario").click()
    whole.get_by_text("Saved.").wait_for()
    saved = json.loads((FOLDERS[lab] / "notebooks" / "scenarios" / "from-lab.json").read_text(encoding="utf-8"))
    assert saved["won"] == [deal]
    assert saved["win_rate"] > 0.1
    assert saved["slippage"] > 0
    whole.get_by_role("tab", name="Scenarios").click()
    whole.locator(".forecast-picture thead th", has_text="from-lab").wait_for()
    whole.get_by_role("tab", name="What if").click()
    whole.get_by_role("button", name="All levers back").click()
    assert "No lever is moved" in another(page, shown, said[-1])
    assert page.evaluate(ERRORS) == []
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


SEEN = """
() => {
  const whole = document.querySelector('.forecast-explorer'), picture = whole.querySelector('.forecast-picture');
  window.seen = [];
  const look = () => {
    const day = new Date(whole.querySelector('select').selectedOptions[0].text + 'T12:00');
    const words = day.toLocaleDateString('en-GB', {day: 'numeric', month: 'long', year: 'numeric'});
    const source = picture.querySelector('.source'), of = source ? source.textContent : '';
    const title = picture.querySelector('.title');
    const now = {agrees: of.includes(words), grey: picture.classList.contains('forecast-busy'),
                 title: title ? title.textContent : '', from: performance.now()};
    const last = window.seen.at(-1);
    if (!last || ['agrees', 'grey', 'title'].some(name => last[name] !== now[name])) window.seen.push(now);
    if (window.seen !== null) requestAnimationFrame(look);
  };
  look();
}
"""
DONE = """
() => {
  const last = window.seen.at(-1);
  return last.agrees && !last.grey && window.seen.length > 2;
}
"""


def another_day(page, whole) -> None:
    """Choose another day, and move a lever four times while it is worked out: nothing shown contradicts a control."""
    before = page.evaluate("() => document.querySelector('.forecast-explorer .forecast-picture').innerText")
    page.evaluate(SEEN)
    whole.locator("select").first.select_option(index=3)
    whole.locator(".noUi-handle").nth(3).focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(DONE, polling=100)
    seen = page.evaluate("() => window.seen")
    ends = [state["from"] for state in seen[1:]] + [seen[-1]["from"]]
    wrong = [
        end - state["from"] for state, end in zip(seen, ends, strict=True) if not state["agrees"] and not state["grey"]
    ]
    assert any(state["grey"] for state in seen)
    assert sum(wrong) < 1000, seen  # until the kernel has heard of it, in milliseconds
    after = seen[next(i for i, state in enumerate(seen) if state["grey"]) :]
    shown = {state["title"] for state in after if not state["grey"]}
    assert len(shown) == 1, seen  # the moves in between are passed over
    assert before != page.evaluate("() => document.querySelector('.forecast-explorer .forecast-picture').innerText")


def another(page, shown, before: str) -> str:
    """Wait until the picture's title is another one, and return it."""
    title = shown.locator(".title").first
    for _ in range(200):
        now = title.inner_text()
        if now != before:
            return now
        page.wait_for_timeout(50)
    raise AssertionError(f"the picture still says {before!r}")
