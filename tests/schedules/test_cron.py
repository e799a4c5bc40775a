"""Three months run by a real cron daemon from the recipe, with damaged data once and late data once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import crond
from scheduled_months import Morning, mornings, table

pytestmark = [pytest.mark.slow, pytest.mark.long]

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def told(absent: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Morning]]:
    """Return the folder of reports after six mornings, and what came of each."""
    if lacks := crond.missing():
        absent(lacks)
    if lacks := crond.forbidden():
        pytest.skip(lacks)
    folder = tmp_path_factory.mktemp("cron")
    return folder / "srv" / "reports", list(mornings(folder))


def test_each_month_is_made_by_the_first_morning_that_finds_its_data(told: tuple[Path, list[Morning]]):
    _, story = told
    august, september, october = "2026-08-31", "2026-09-30", "2026-10-31"
    assert [(each.code, each.published) for each in story] == [
        (0, (august,)),
        (1, (august,)),
        (0, (august, september)),
        (1, (august, september)),
        (1, (august, september)),
        (0, (august, september, october)),
    ]


def test_cron_mails_the_page_or_what_is_wrong(told: tuple[Path, list[Morning]]):
    _, story = told
    made, damaged, mended, early, still_early, late = (each.mail.splitlines() for each in story)
    assert made == ["report: /srv/reports/2026-08-31/index.html"]
    assert "opportunities" in damaged[0]
    assert mended == ["report: /srv/reports/2026-09-30/index.html"]
    assert early == still_early
    assert early[0].startswith("error: as_of: 2026-10-31 is after the last day of the data, 2026-09-30")
    assert damaged[-1] == early[-1] == "forecast ended with 1"
    assert late == ["report: /srv/reports/2026-10-31/index.html"]


def test_every_run_is_recorded_and_every_month_is_as_it_was_published(told: tuple[Path, list[Morning]]):
    reports, _ = told
    command = [sys.executable, "-m", "forecast"]
    listed = subprocess.run(
        [*command, "runs", "--out", str(reports), "--json"], capture_output=True, text=True, check=True
    )
    runs = json.loads(listed.stdout)
    of_runs = [(run["status"], run["started"][:16]) for run in (runs if isinstance(runs, list) else runs["runs"])]
    assert of_runs == [
        ("published", "2026-11-03T06:00"),
        ("refused", "2026-11-02T06:00"),
        ("refused", "2026-11-01T06:00"),
        ("published", "2026-10-02T06:00"),
        ("refused", "2026-10-01T06:00"),
        ("published", "2026-09-01T06:00"),
    ]
    assert subprocess.run([*command, "verify", "--out", str(reports)], capture_output=True, check=False).returncode == 0


def test_the_page_shows_these_mornings(told: tuple[Path, list[Morning]]):
    _, story = told
    assert table(story) in (DOCS / "scheduling.md").read_text(encoding="utf-8")
