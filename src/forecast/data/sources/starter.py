"""A folder to start from: a commented company.toml, every table empty, and a tiny example that can be read.

Simple case: `forecast init data/ours` makes `data/ours`, in which `empty/` holds one file a table with its column
names, to be filled and moved up, and `example/` eight opportunities with their history. Nothing is written over.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from forecast.data.schema import COMPANY_KEYS, TABLES, Company
from forecast.data.sources.company import FILE, MEANINGS
from forecast.errors import MachineError, ParameterError

_HEAD = """\
# What the suite must know of the company. Every key is optional: take the # before a line away to set it.
# The tables go beside this file; empty/ has one of each with its columns, example/ shows a few filled ones.
"""

_EXAMPLE = MappingProxyType(
    {
        FILE: """\
name = "Example"
currency = "EUR"
timezone = "Europe/Berlin"
extracted_on = 2026-03-31
""",
        "opportunities.csv": """\
opportunity_id,created_on,segment,stage,amount,expected_close_on,closed_on,outcome,type,owner
D1,2025-10-06,North,Won,5200,2025-12-19,2025-12-17,won,new,Rep 1
D2,2025-10-21,North,Lost,3100,2026-01-16,2026-01-20,lost,new,Rep 2
D3,2025-11-04,South,Won,8400,2026-01-30,2026-01-29,won,existing,Rep 1
D4,2025-11-26,South,Lost,2700,2026-02-12,2026-02-16,lost,new,Rep 2
D5,2025-12-10,North,Won,4600,2026-02-27,2026-02-24,won,existing,Rep 1
D6,2026-01-13,South,Proposal,6900,2026-04-17,,open,new,Rep 2
D7,2026-02-03,North,Proposal,3800,2026-05-04,,open,existing,Rep 1
D8,2026-03-12,South,Qualified,9500,2026-06-26,,open,new,Rep 2
""",
        "opportunity_history.csv": """\
opportunity_id,recorded_at,stage,amount,expected_close_on
D1,2025-10-06T09:00:00,Qualified,4800,2025-12-31
D1,2025-11-13T10:00:00,Proposal,5200,2025-12-19
D1,2025-12-17T16:00:00,Won,5200,2025-12-19
D2,2025-10-21T09:00:00,Qualified,3100,2025-12-22
D2,2026-01-20T11:00:00,Lost,3100,2026-01-16
D3,2025-11-04T09:00:00,Qualified,7600,2026-01-30
D3,2025-12-02T09:00:00,Proposal,8400,2026-01-30
D3,2026-01-29T17:00:00,Won,8400,2026-01-30
D4,2025-11-26T09:00:00,Qualified,2700,2026-02-12
D4,2026-02-16T12:00:00,Lost,2700,2026-02-12
D5,2025-12-10T09:00:00,Qualified,4600,2026-02-27
D5,2026-02-24T15:00:00,Won,4600,2026-02-27
D6,2026-01-13T09:00:00,Qualified,6900,2026-03-31
D6,2026-02-19T09:00:00,Proposal,6900,2026-04-17
D7,2026-02-03T09:00:00,Proposal,3800,2026-05-04
D8,2026-03-12T09:00:00,Qualified,9500,2026-06-26
""",
        "stages.csv": """\
stage,position,outcome
Qualified,1,open
Proposal,2,open
Won,3,won
Lost,4,lost
""",
        "plan.csv": """\
period,segment,amount
2026-04,North,6000
2026-04,South,8000
""",
    }
)


def start_folder(folder: Path) -> list[Path]:
    """Make the folder and write into it; return the files written.

    Parameters
    ----------
    folder : a folder that is empty or not there; the one above it must be.

    Raises
    ------
    ParameterError : the folder holds something, or is a file.
    MachineError : it cannot be made or written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     [file.name for file in start_folder(Path(place) / "ours")][:2]
    ['company.toml', 'opportunities.csv']
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "this folder is not empty" if folder.is_dir() else "this is a file"
        raise ParameterError(f"{folder}: {what}, and nothing is written over; name a new folder")
    if not folder.parent.is_dir():
        raise MachineError(f"{folder}: the folder {folder.parent} is not there; make it first")
    texts = {FILE: company_text()}
    texts |= {f"empty/{name}.csv": header(name) for name in TABLES}
    texts |= {f"example/{name}": text for name, text in _EXAMPLE.items()}
    written = []
    try:
        for name, text in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            written.append(file)
    except OSError as error:
        raise MachineError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return written


def header(table: str) -> str:
    """Return the line of column names of a table, those that are needed first as they stand in the dictionary.

    >>> header("plan")
    'period,segment,amount\\n'
    """
    return ",".join(column.name for column in TABLES[table].columns) + "\n"


def company_text() -> str:
    """Return a company.toml in which every key stands with what it means and its default, commented out."""
    defaults = Company()
    lines = [_HEAD]
    for key in COMPANY_KEYS:
        value = getattr(defaults, key)
        shown = "2026-10-31" if key == "extracted_on" else _toml(value)
        lines.append(f"\n# {MEANINGS[key].replace('`', '')}\n# {key} = {shown}\n")
    return "".join(lines)


def _toml(value: object) -> str:
    """Return a default as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
