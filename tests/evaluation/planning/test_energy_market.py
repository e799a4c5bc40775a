"""The document on the energy market is what its command makes of the data, to the byte."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def energy_market(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(root)
    return importlib.import_module("benchmarks.planning.energy_market")


def test_the_plan_names_who_is_left_out(real_data: Path, energy_market: ModuleType):
    market = energy_market.read(real_data / "eia930")
    plan = energy_market.DOCUMENT.read_text(encoding="utf-8").partition(energy_market.MARK)[0]
    assert market.left_out == {
        "joined before the first month": ["CISO", "PACE", "PACW"],
        "operators of a joint market throughout": ["ERCO", "PJM", "SWPP"],
        "another scope": ["AEC", "CHPD", "FPC", "PSEI", "SPA", "TEPC"],
        "fewer than 48 months": ["JEA"],
    }
    assert all(
        text in plan for text in ("CISO", "SPA", "48 of the 59 months", "`planning_effect(errors, adoption, seed=0)`")
    )
    primary, *others = energy_market.looks(market)
    assert primary.without == market.out
    assert all(look.without != primary.without or look.last != primary.last for look in others)


@pytest.mark.slow
def test_the_document_is_what_the_command_makes(real_data: Path, tmp_path: Path, energy_market: ModuleType):
    written, mark, end = energy_market.DOCUMENT, energy_market.MARK, energy_market.END
    out = tmp_path / written.name
    plan, _, rest = written.read_text(encoding="utf-8").partition(mark)
    out.write_text(plan + mark + end + rest.partition(end)[2], encoding="utf-8")
    energy_market.write(real_data / "eia930", out)
    assert out.read_bytes() == written.read_bytes()
    assert out.with_suffix(".svg").read_bytes() == written.with_suffix(".svg").read_bytes()
