"""docs/your_own_model.md: its code runs, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from forecast.cli import app


def code(root: Path, number: int = 0) -> str:
    text = (root / "docs" / "your_own_model.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)[number]


@pytest.mark.slow
def test_the_first_model_runs_and_is_short(root: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(root)
    space: dict[str, object] = {"__name__": "documented"}
    exec(compile(code(root), "documented", "exec"), space)
    said = capsys.readouterr().out
    assert "recent" in said
    assert "ets" in said
    track = space["track"]
    assert isinstance(track, pd.DataFrame)
    assert track.loc[track["model"] == "recent", "mean"].notna().all()
    function = re.search(r"^def recent.*?(?=\n\n\n)", code(root), flags=re.S | re.M)
    assert function is not None
    assert len(function[0].splitlines()) <= 15


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_adapters_run_as_they_stand_there(number: int, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(root)
    space: dict[str, object] = {"__name__": "documented"}
    exec(compile(code(root, number), "documented", "exec"), space)
    track = space["track"]
    assert isinstance(track, pd.DataFrame)
    assert len(track)


@pytest.mark.slow
def test_by_its_name_on_the_command_line(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "a_model_of_mine.py").write_text(code(root).partition("log = ")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    data = str(root / "data" / "sample")
    span = ["--from", "2026-03", "--to", "2026-04", "--months", "1"]
    for arguments in (
        ["backtest", "--data", data, *span, "--models", "ets,a_model_of_mine:recent", "--out", "track.csv"],
        ["bookings", "--data", data, "--as-of", "2026-10", "--model", "a_model_of_mine:recent", "--out", "one.csv"],
    ):
        with pytest.raises(SystemExit) as ended:
            app.main(arguments)
        assert not ended.value.code, capsys.readouterr().err
    track, one = pd.read_csv("track.csv"), pd.read_csv("one.csv")
    assert set(track["model"]) == {"ets", "recent"}
    assert set(one["model"]) == {"recent"}
    assert one.loc[one["segment"] == "Total", "mean"].notna().all()
    with pytest.raises(SystemExit) as ended:
        app.main(
            ["bookings", "--data", data, "--as-of", "2026-10", "--model", "a_model_of_mine:rcent", "--out", "o.csv"]
        )
    assert ended.value.code == 1
    assert "did you mean 'recent'" in capsys.readouterr().err
