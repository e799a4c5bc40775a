"""The recipe of systemd: both files are what systemd takes them for."""

from __future__ import annotations

import configparser
import datetime as dt
import re
import shutil
import subprocess
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes" / "schedules"


@pytest.fixture(scope="module")
def analyze(absent) -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        absent("no systemd-analyze on this machine: install the package systemd")
    return str(found)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with the two files, whose program is there."""
    program = tmp_path / "forecast" / ".venv" / "bin" / "forecast"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    for name in ("forecast.service", "forecast.timer"):
        text = (RECIPES / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/srv/", f"{tmp_path}/"), encoding="utf-8")
    return tmp_path


def verified(analyze: str, units: Path) -> str:
    """Return what systemd says against the files; it ignores unknown keys with exit code 0."""
    files = [str(units / name) for name in ("forecast.service", "forecast.timer")]
    done = subprocess.run([analyze, "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if str(units) in line or "forecast." in line]
    return "\n".join(said) if said or done.returncode == 0 else done.stderr


def test_systemd_has_nothing_to_say_against_them(analyze: str, units: Path):
    assert verified(analyze, units) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("RestartSec=", "RestartSecs="),
        ("OnCalendar=*-*-01", "OnCalendar=*-*-41"),
        (".venv/bin/forecast", ".venv/forecast"),
    ],
)
def test_a_slip_in_them_would_be_told(analyze: str, units: Path, right: str, wrong: str):
    for name in ("forecast.service", "forecast.timer"):
        text = (units / name).read_text(encoding="utf-8")
        (units / name).write_text(text.replace(right, wrong), encoding="utf-8")
    assert verified(analyze, units) != ""


def test_the_timer_elapses_on_the_first_five_mornings(analyze: str):
    when = read("forecast.timer")["Timer"]["OnCalendar"]
    command = [analyze, "calendar", "--iterations=6", "--base-time=2026-10-04 00:00 UTC", f"{when} UTC"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [dt.date.fromisoformat(day) for day in re.findall(r"(\d{4}-\d\d-\d\d) 06:00:00 UTC", done.stdout)]
    days = [dt.date(2026, 10, day) for day in (4, 5)] + [dt.date(2026, 11, day) for day in (1, 2, 3, 4)]
    assert list(dict.fromkeys(found)) == days


def test_what_a_retry_would_meet_again_is_not_retried():
    service = read("forecast.service")
    assert service["Service"]["Restart"] == "on-failure"
    assert service["Service"]["RestartPreventExitStatus"].split() == ["1", "2"]
    # Three starts in all, 10 minutes apart, within the time in which systemd counts them.
    assert (service["Unit"]["StartLimitBurst"], service["Unit"]["StartLimitIntervalSec"]) == ("3", "6h")


def read(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(RECIPES / name, encoding="utf-8")
    return parser
