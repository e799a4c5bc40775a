"""A tiny valid company in files, to break one thing of: eight opportunities, their history, stages and a plan."""

from __future__ import annotations

from pathlib import Path

OPPORTUNITIES = """\
opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome,product,owner,account_id
O1,2025-10-03,North,Won,1200,2025-12-15,2025-12-12,won,Core,Rep 1,Account 1
O2,2025-10-20,North,Lost,800,2026-01-20,2026-01-22,lost,Core,Rep 2,Account 2
O3,2025-11-05,South,Won,2500,2026-01-31,2026-01-30,won,Plus,Rep 1,Account 3
O4,2025-11-25,South,Lost,400,2026-02-10,2026-02-14,lost,Core,Rep 2,Account 4
O5,2025-12-09,North,Won,900,2026-02-28,2026-02-25,won,Plus,Rep 1,Account 5
O6,2026-01-14,South,Propose,1500,2026-04-15,,open,Core,Rep 2,Account 6
O7,2026-02-02,North,Propose,700,2026-05-01,,open,Plus,Rep 1,Account 7
O8,2026-03-11,South,Qualify,3000,2026-06-30,,open,Core,Rep 2,Account 8
"""

HISTORY = """\
opportunity_id,recorded_at,stage,amount,expected_close_on
O1,2025-10-03T09:00:00Z,Qualify,1000,2025-12-31
O1,2025-11-12T10:00:00Z,Propose,1200,2025-12-15
O1,2025-12-12T16:00:00Z,Won,1200,2025-12-15
O2,2025-10-20T09:00:00Z,Qualify,800,2025-12-20
O2,2026-01-22T11:00:00Z,Lost,800,2026-01-20
O3,2025-11-05T09:00:00Z,Qualify,2000,2026-01-31
O3,2025-12-01T09:00:00Z,Propose,2500,2026-01-31
O3,2026-01-30T17:00:00Z,Won,2500,2026-01-31
O4,2025-11-25T09:00:00Z,Qualify,400,2026-02-10
O4,2026-02-14T12:00:00Z,Lost,400,2026-02-10
O5,2025-12-09T09:00:00Z,Qualify,900,2026-02-28
O5,2026-02-25T15:00:00Z,Won,900,2026-02-28
O6,2026-01-14T09:00:00Z,Qualify,1500,2026-03-31
O6,2026-02-20T09:00:00Z,Propose,1500,2026-04-15
O7,2026-02-02T09:00:00Z,Propose,700,2026-05-01
O8,2026-03-11T09:00:00Z,Qualify,3000,2026-06-30
"""

STAGES = """\
stage,position,outcome
Qualify,1,open
Propose,2,open
Won,3,won
Lost,4,lost
"""

PLAN = """\
period,segment,amount
2026-04,North,1000
2026-04,South,1500
"""

COMPANY = """\
name = "Tiny"
currency = "EUR"
extracted_on = 2026-03-31
"""


def tiny_company(
    folder: Path,
    *,
    opportunities: str | bytes | None = OPPORTUNITIES,
    history: str | bytes | None = HISTORY,
    stages: str | bytes | None = STAGES,
    plan: str | bytes | None = PLAN,
    company: str | bytes | None = COMPANY,
) -> Path:
    """Write the company into `folder` and return it; a text replaces a file, bytes are written as they are, None leaves
    it out."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "opportunities.csv": opportunities,
        "opportunity_history.csv": history,
        "stages.csv": stages,
        "plan.csv": plan,
        "company.toml": company,
    }
    for name, text in files.items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return folder


def edited(text: str, line: int, **values: str) -> str:
    """Return a CSV text with values of one line replaced; lines are counted from 1, the header being the first."""
    lines = text.splitlines()
    names = lines[0].split(",")
    cells = lines[line - 1].split(",")
    for name, value in values.items():
        cells[names.index(name)] = value
    lines[line - 1] = ",".join(cells)
    return "\n".join(lines) + "\n"
