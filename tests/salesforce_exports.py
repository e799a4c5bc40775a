"""Exports of Salesforce with more than deals, in three forms, for the tests beside this file."""

from __future__ import annotations

from pathlib import Path

from forecast.data.sources.crm.export import Choices
from forecast.data.sources.crm.importing import Imported, read_export

DEALS = """\
Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,LastModifiedDate,OwnerId,LeadSource,Region__c
006A,Prospecting,1000,2026-11-30,2026-09-01T08:00:00.000Z,false,false,2026-10-20T08:00:00.000Z,005A,Web,North
006B,Closed Won,2000,2026-09-15,2026-07-01T08:00:00.000Z,true,true,2026-09-15T10:00:00.000Z,005B,Web,South
006C,Closed Lost,3000,2026-10-01,2026-08-01T08:00:00.000Z,true,false,2026-10-01T10:00:00.000Z,005A,Web,North
"""
ONE_SEGMENT = DEALS.replace("South", "North")
USERS = "Id,Name,ManagerId\n005A,Ann,005M\n005B,Bob,005M\n005M,Mia,\n"


def read(where: Path, files: dict[str, str], *, deals: str = DEALS, users: str = USERS, **choices: object) -> Imported:
    """Import an export of the deals, the users and these files."""
    where.mkdir(parents=True, exist_ok=True)
    for name, text in {"Opportunity.csv": deals, "User.csv": users, **files}.items():
        (where / name).write_text(text, encoding="utf-8")
    return read_export("salesforce", where, choices=Choices(**choices))  # type: ignore[arg-type]


def rows(result: Imported, table: str) -> list[tuple[object, ...]]:
    """Return a table's rows, missing values as None."""
    frame = result.tables[table]
    return [tuple(None if value != value else value for value in row) for row in frame.itertuples(index=False)]


def told(result: Imported) -> str:
    return "\n".join(result.notes)
