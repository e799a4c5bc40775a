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
from forecast.data.simulate import simulate, write

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NOTEBOOKS = sorted(path.name for path in (Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
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
  let outputs = 0, run = 0;
  for (const cell of panel.context.model.cells) {
    if (cell.type !== 'code') continue;
    run += cell.executionCount ? 1 : 0;
    for (const output of cell.sharedModel.getOutputs()) {
      outputs += 1;
      if (output.output_type === 'error') errors.push(`${cell.id}: ${output.ename}: ${output.evalue}`);
    }
  }
  await panel.sessionContext.shutdown();
  await app.commands.execute('application:close-all');
  return {errors, outputs, run};
}
"""


@pytest.fixture(scope="module")
def lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start JupyterLab on a copy of the notebooks, on a free port of this machine; yield its address.

    A small company stands where the notebooks expect the sample: the report runs them on the sample itself.
    """
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(root / "notebooks", folder / "notebooks")
    write(simulate(opportunities=1500, seed=5), folder / "data" / "sample")
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
        page.wait_for_function("() => window.jupyterapp !== undefined")
        page.evaluate("() => window.jupyterapp.restored.then(() => true)")
        yield page


def test_there_are_eight_notebooks():
    assert len(NOTEBOOKS) == 8


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_as_it_is(page, name: str):
    result = page.evaluate(RUN_ALL, f"notebooks/{name}")
    assert result["errors"] == []
    assert result["run"] >= 4
    assert result["outputs"] >= 3
