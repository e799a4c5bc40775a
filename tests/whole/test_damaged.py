"""Hundreds of damaged companies through check, bookings and import: each is named, refused, or changes nothing.

No traceback and no defect of ours, whatever the damage; no file of the user is touched; and what moves the forecast of
the next months by more than 1 % is a finding of `forecast check` that is fatal or changes the answer, or is refused.
`make test` goes through 200, `make faults` through 2,000 (FORECAST_DAMAGED sets another number).
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import forecast
from damage import KINDS, Company, company, write, write_export
from forecast.cli import app
from forecast.data.audit.findings import findings
from forecast.errors import RANKS, ForecastError

MOVED = 0.01
"""Part of the forecast of three months from which a damage must be named."""

SHORT, LONG = 200, int(os.environ.get("FORECAST_DAMAGED", "2000"))
PARTS = 20
EXPORTS = 5
"""Each fifth company is damaged as an export, and imported."""


@cache
def _whole(seed: int, history: bool) -> Company:
    return company(seed, history=history)


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A company before it is damaged: what is said of it, and its forecast."""

    told: frozenset[tuple[str, ...]]
    expected: float
    notes: frozenset[str] = frozenset()


@cache
def _sound(seed: int, history: bool, folder: Path) -> Sound:
    where = write(copy.deepcopy(_whole(seed, history)), folder / f"sound-{seed}-{history}")
    found = findings(where)
    assert not found.is_fatal
    return Sound(told=told(found.as_dict()), expected=expected(where))


def told(found: dict[str, Any]) -> frozenset[tuple[str, ...]]:
    """Return what the JSON of `forecast check` says that changes the answer, and of how many rows."""
    return frozenset(
        tuple(str(problem[key]) for key in ("table", "column", "finding", "count", "evidence"))
        for problem in found["problems"]
        if problem["rank"] != RANKS["info"]
    )


def expected(folder: Path) -> float:
    """Return the bookings forecast of the three months after the data's last day; NaN where there is none."""
    log = forecast.read(folder)
    table = forecast.forecast_bookings(forecast.snapshot(log, as_of=log.extracted_on), months=3, seed=0)
    months = (table["segment"] == "Total") & ~table["target_period"].str.contains("Q") & (table["horizon"] > 0)
    return float(table.loc[months, "mean"].sum(skipna=False))


def files_in(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command line in this process; return its exit code and all it said, which is never a traceback."""
    with pytest.raises(SystemExit) as ended:
        app.main(list(arguments))
    said = capsys.readouterr()
    text = said.out + said.err
    assert "Traceback" not in text, text
    assert "defect" not in text, text
    assert ended.value.code in (0, 1, None), text
    return int(ended.value.code or 0), text


def hold_import(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Damage an export and hold what is promised of its import: refused, said in a note or by check, or harmless."""
    rng = np.random.default_rng(number)
    seed, history = int(rng.integers(1, 4)), bool(rng.random() < 0.7)
    sound = _sound_export(seed, history, tmp_path)
    made = copy.deepcopy(_whole(seed, history))
    made.tables.pop("plan")
    kind = list(KINDS)[number // EXPORTS % len(KINDS)]
    what = f"export {number} (company {seed}, {'with' if history else 'without'} history): {KINDS[kind](made, rng)}"
    export, out = write_export(made, tmp_path / f"export-{number}"), tmp_path / f"imported-{number}"
    before = files_in(export)
    code, text = run(capsys, *_import(export, out))
    assert files_in(export) == before, f"{what}: a source file changed"
    assert out.exists() == (code == 0), what
    assert len(text) < 60_000, what
    if code == 0 and not _notes(text) - sound.notes:
        _, found = run(capsys, "check", "--data", str(out), "--format", "json")
        hold_that_it_is_named(json.loads(found), out, sound, what, can_be_known=made.can_be_known)


def _import(export: Path, out: Path) -> list[str]:
    return ["import", "salesforce", str(export), "--out", str(out), "--segment-from", "Region__c"]


def _notes(text: str) -> frozenset[str]:
    return frozenset(line for line in text.splitlines() if line.startswith("note"))


@cache
def _sound_export(seed: int, history: bool, folder: Path) -> Sound:
    made = copy.deepcopy(_whole(seed, history))
    where, out = (
        write_export(made, folder / f"sound-export-{seed}-{history}"),
        folder / f"sound-import-{seed}-{history}",
    )
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        app.main(_import(where, out))
    found = findings(out)
    assert not found.is_fatal
    return Sound(told=told(found.as_dict()), expected=expected(out), notes=_notes(said.getvalue()))


def hold(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Damage a company and hold what is promised of it."""
    if number % EXPORTS == EXPORTS - 1:
        hold_import(number, tmp_path, capsys)
        return
    rng = np.random.default_rng(number)
    seed, history = int(rng.integers(1, 4)), bool(rng.random() < 0.7)
    sound = _sound(seed, history, tmp_path)
    made = copy.deepcopy(_whole(seed, history))
    kind = list(KINDS)[number % len(KINDS)]
    what = f"case {number} (company {seed}, {'with' if history else 'without'} history): {KINDS[kind](made, rng)}"
    folder = write(made, tmp_path / f"damaged-{number}")
    before = files_in(folder)
    code, text = run(capsys, "check", "--data", str(folder), "--format", "json")
    assert len(text) < 60_000, what
    if number % 7 == 0 or code == 1:
        out = tmp_path / f"bookings-{number}.csv"
        day = "2026-10-31"
        booked, message = run(
            capsys, "bookings", "--data", str(folder), "--as-of", day, "--out", str(out), "--months", "2"
        )
        assert booked == 1 or code == 0, f"{what}: check refuses, bookings does not\n{text}"
        assert out.exists() == (booked == 0), what
        assert len(message) < 20_000, what
    if code == 0:
        hold_that_it_is_named(json.loads(text), folder, sound, what, can_be_known=made.can_be_known)
    assert files_in(folder) == before, f"{what}: a source file changed"


def hold_that_it_is_named(found: dict[str, Any], folder: Path, sound: Sound, what: str, *, can_be_known: bool) -> None:
    if told(found) - sound.told:
        return
    try:
        now = expected(folder)
    except ForecastError:
        return
    moved = abs(now / sound.expected - 1) if np.isfinite(now) else np.inf
    assert moved <= MOVED or not can_be_known, (
        f"{what}: believed, and the forecast is {now:,.0f} for {sound.expected:,.0f}"
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.mark.usefixtures("kept_walks")  # what is read as it was is forecast as it was
@pytest.mark.filterwarnings("error::RuntimeWarning")  # a line of numpy's in front of what is said
@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_damage_is_named_or_changes_nothing(part: int, shared: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(part, SHORT, PARTS):
        hold(number, shared, capsys)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_damage_of_thousands_is_named_or_changes_nothing(part: int, shared: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(SHORT + part, LONG, PARTS):
        hold(number, shared, capsys)
