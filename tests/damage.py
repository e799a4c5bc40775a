"""Damage to a small company's files, of every kind that exports, spreadsheets and copying do.

`damaged` takes a company's tables as text, does one thing to them that a seed chooses, and writes the folder. What it
did is told in words, so that a failing case can be read and made again.
"""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.simulation.company import simulate

OPPS, HISTORY = "opportunities", "opportunity_history"

Tables = dict[str, pd.DataFrame]


@dataclass(kw_only=True)
class Company:
    """A company as the text of its files, and what is to be done to the bytes of one of them in the end.

    tables : table -> columns of text, empty where missing. raw : what is done to the written folder.
    can_be_known : False where nothing in the data contradicts what was done: where today's values are all there is, a
        deal's amount may well be a hundredth, and its date another.
    """

    tables: Tables
    toml: str
    raw: list[Callable[[Path], None]] = field(default_factory=list)
    can_be_known: bool = True


def company(seed: int, *, history: bool) -> Company:
    """Return a small simulated company; without its history, today's values are all that is known."""
    made = simulate(opportunities=320, months=24, seed=seed, segments=3)
    wanted = [OPPS, "stages", "plan", *([HISTORY] if history else [])]
    texts = {name: _as_text(made.tables[name]) for name in wanted}
    toml = "\n".join(f"{key} = {_toml(value)}" for key, value in made.company.items() if key != "name")
    return Company(tables=texts, toml=toml + "\n")


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    out = {}
    for name, column in frame.items():
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            text = column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        elif pd.api.types.is_datetime64_dtype(column.dtype):
            text = column.dt.strftime("%Y-%m-%d")
        else:
            text = column.astype("str")
        out[name] = text.mask(column.isna(), "").astype("object")
    return pd.DataFrame(out)


def write(made: Company, folder: Path) -> Path:
    """Write the files of a company, then do to them what is to be done."""
    folder.mkdir(parents=True)
    for name, table in made.tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "company.toml").write_text(made.toml, encoding="utf-8")
    for step in made.raw:
        step(folder)
    return folder


# -- which cells ------------------------------------------------------------------------------------------


def _some(table: pd.DataFrame, rng: np.random.Generator, *, filled: str) -> tuple[np.ndarray, str]:
    """Return some rows in which a column is filled: one, a twentieth, a third, all, a month's or a segment's."""
    have = (table[filled] != "").to_numpy()
    rows = np.flatnonzero(have)
    pick = np.zeros(len(table), dtype=bool)
    which = rng.integers(0, 6)
    if which == 0:
        pick[rng.choice(rows)] = True
        return pick, "of one row"
    if which in (1, 2):
        share = (0.05, 0.33)[which - 1]
        pick[rng.choice(rows, max(1, int(share * len(rows))), replace=False)] = True
        return pick, f"of {share:.0%} of the rows"
    if which == 3:
        return have, "of all rows"
    by = (
        "segment" if which == 4 and "segment" in table else next(c for c in ("created_on", "recorded_at") if c in table)
    )
    groups = table[by].str[:7] if by != "segment" else table[by]
    group = rng.choice(sorted(groups[have].unique()))
    return have & (groups == group).to_numpy(), f"where {by} is {group}"


def _a_table(made: Company, rng: np.random.Generator, column: str) -> str:
    return str(rng.choice([name for name in (OPPS, HISTORY) if name in made.tables and column in made.tables[name]]))


# -- kinds of damage --------------------------------------------------------------------------------------


def amounts(made: Company, rng: np.random.Generator) -> str:
    """Amounts times a power of ten, negative, beyond any sum, or no number."""
    table = _a_table(made, rng, "amount")
    frame = made.tables[table]
    rows, words = _some(frame, rng, filled="amount")
    worth = frame.loc[rows, "amount"].astype("float64")
    how = str(
        rng.choice(["x100", "x1000", "/100", "negative", "1e308", "inf", "text", "decimal comma", "zero", "currency"])
    )
    made.tables[table].loc[rows, "amount"] = {
        "x100": (worth * 100).astype("str"),
        "x1000": (worth * 1000).astype("str"),
        "/100": (worth / 100).astype("str"),
        "negative": (-worth).astype("str"),
        "1e308": "1e308",
        "inf": "inf",
        "text": "n/a",
        "decimal comma": worth.map(lambda value: f"{value:,.2f}".replace(",", "x").replace(".", ",").replace("x", ".")),
        "zero": "0",
        "currency": worth.map(lambda value: f"€ {value:.2f}"),
    }[how]
    made.can_be_known = HISTORY in made.tables or how not in ("/100", "x100", "x1000") or words == "of all rows"
    return f"{table}.amount {how} {words}"


def dates(made: Company, rng: np.random.Generator) -> str:
    """Dates with day and month swapped, shifted, in 2099 or 1900, or in another form."""
    column = str(rng.choice(["created_on", "closed_on", "expected_close_on", "recorded_at"]))
    if column == "recorded_at" and HISTORY not in made.tables:
        column = "created_on"
    table = _a_table(made, rng, column)
    frame = made.tables[table]
    rows, words = _some(frame, rng, filled=column)
    day, rest = frame.loc[rows, column].str[:10], frame.loc[rows, column].str[10:]
    stamp = pd.to_datetime(day)
    shift = pd.Timedelta(days=int(rng.choice([-3650, -365, -31, 31, 365, 3650])))
    how = str(rng.choice(["swapped", "shifted", "2099", "1900", "9999", "d/m/y", "two digits", "empty"]))
    if how == "swapped":
        new = day.map(lambda text: f"{text[:4]}-{text[8:]}-{text[5:7]}" if int(text[8:]) <= 12 else text)
    else:
        new = {
            "shifted": (stamp + shift).dt.strftime("%Y-%m-%d"),
            "2099": "2099-12-31",
            "1900": "1900-01-01",
            "9999": "9999-12-31",
            "d/m/y": stamp.dt.strftime("%d/%m/%Y"),
            "two digits": stamp.dt.strftime("%y-%m-%d"),
            "empty": "",
        }[how]
    frame.loc[rows, column] = new + rest if how not in ("empty", "d/m/y", "two digits") else new
    made.can_be_known = HISTORY in made.tables or how not in ("shifted", "swapped", "empty")
    return f"{table}.{column} {how}{f' by {shift.days} days' * (how == 'shifted')} {words}"


def rows_of(made: Company, rng: np.random.Generator) -> str:
    """Rows there twice, under their own name or another, missing, or in another order."""
    table = str(rng.choice(list(made.tables)))
    frame = made.tables[table]
    how = str(rng.choice(["twice", "twice by another name", "missing", "last missing", "a month missing", "shuffled"]))
    if how == "shuffled":
        made.tables[table] = frame.sample(frac=1, random_state=int(rng.integers(1e6)))
        return f"{table}: rows shuffled"
    share = float(rng.choice([0.01, 0.1, 0.4]))
    count = max(1, int(share * len(frame)))
    if how == "last missing":
        # A handful of the youngest deals missing looks like a quiet week, where no history names them.
        made.can_be_known = HISTORY in made.tables or table != "opportunities" or count > 10
        made.tables[table] = frame.iloc[: len(frame) - count]
        return f"{table}: last {share:.0%} of the rows missing"
    if how == "a month missing":
        column = next((c for c in ("created_on", "recorded_at", "period") if c in frame), None)
        if column is None:
            how = "missing"
        else:
            months = frame[column].str[:7]
            month = rng.choice(sorted(months.unique())[2:-1])
            made.tables[table] = frame[months != month]
            return f"{table}: {month} missing"
    at = rng.choice(len(frame), count, replace=False)
    if how == "missing":
        # Deals missing here and there are a smaller company, where no history names them: identifiers skip numbers
        # in every CRM.
        made.can_be_known = HISTORY in made.tables or table != OPPS
        made.tables[table] = frame.drop(frame.index[at])
    else:
        again = frame.iloc[at].copy()
        if how == "twice by another name" and "opportunity_id" in again:
            again["opportunity_id"] = again["opportunity_id"] + "-copy"
        made.tables[table] = pd.concat([frame, again])
    return f"{table}: {share:.0%} of the rows {how}"


def columns(made: Company, rng: np.random.Generator) -> str:
    """Columns in another order, renamed, left out, there twice, or with the values of another."""
    table = str(rng.choice(list(made.tables)))
    frame = made.tables[table]
    name = str(rng.choice(list(frame.columns)))
    how = str(
        rng.choice(["shuffled", "misspelt", "in capitals", "renamed", "left out", "twice", "swapped", "nameless"])
    )
    if how == "shuffled":
        made.tables[table] = frame[list(rng.permutation(frame.columns))]
        return f"{table}: columns shuffled"
    if how == "left out":
        made.tables[table] = frame.drop(columns=name)
        made.can_be_known = False  # where it is needed, it is asked for; nobody misses what a company may not have
        return f"{table}.{name} left out"
    if how == "twice":
        at = list(frame.columns).index(name)
        made.raw.append(lambda folder: _column_twice(folder / f"{table}.csv", at))
        return f"{table}.{name} twice"
    if how == "swapped":
        other = str(rng.choice([each for each in frame.columns if each != name]))
        made.tables[table] = frame.rename(columns={name: other, other: name})
        # Both hold names that nothing else in the company explains.
        made.can_be_known = HISTORY in made.tables or {name, other} != {"product", "owner"}
        return f"{table}: {name} and {other} swapped"
    letter = int(rng.integers(1, len(name)))
    new = {
        "misspelt": name[:letter] + name[letter + 1 :],
        "in capitals": name.upper().replace("_", " "),
        "renamed": f"{name}__c",
        "nameless": "",
    }[how]
    made.tables[table] = frame.rename(columns={name: new})
    return f"{table}.{name} called {new!r}"


def _column_twice(path: Path, at: int) -> None:
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    at = min(at, len(frame.columns) - 1)
    doubled = pd.concat([frame, frame.iloc[:, [at]]], axis=1)
    doubled.to_csv(path, index=False)


def spellings(made: Company, rng: np.random.Generator) -> str:
    """Segments, stages and others written in several ways."""
    column = str(rng.choice(["segment", "stage", "outcome", "segment", "stage"]))
    tables = [name for name in made.tables if column in made.tables[name]]
    table = str(rng.choice(tables))
    frame = made.tables[table]
    rows, words = _some(frame, rng, filled=column) if table in (OPPS, HISTORY) else (np.arange(len(frame)) == 0, "once")
    name = str(rng.choice(sorted(frame.loc[rows, column].unique())))
    rows = rows & (frame[column] == name).to_numpy()
    letter = int(rng.integers(1, max(len(name) - 1, 2)))
    how = str(
        rng.choice(["lower", "blank", "sign", "letter", "changed", "bom", "sql", "long", "mojibake", "total", "empty"])
    )
    new = {
        "lower": name.lower() if name != name.lower() else name.upper(),
        "blank": f"{name} ",
        "sign": f"{name}.",
        "letter": name[:letter] + name[letter + 1 :],
        "changed": name[:letter] + name[letter + 1 : letter + 2] + name[letter : letter + 1] + name[letter + 2 :],
        "bom": f"\ufeff{name}",
        "sql": "'; DROP TABLE opportunities; --",
        "long": "x" * 100_000,
        "mojibake": f"{name}\u00c3\u00bc",
        "total": "Total",
        "empty": "",
    }[how]
    frame.loc[rows, column] = new
    return f"{table}.{column} {name!r} written {how} {words}"


def bytes_of(made: Company, rng: np.random.Generator) -> str:
    """What copying, spreadsheets and editors do to a file."""
    table = str(rng.choice(list(made.tables)))
    how = str(rng.choice(list(_BYTES)))
    at = float(rng.random())
    made.raw.append(lambda folder: _BYTES[how](folder / f"{table}.csv", at))
    return f"{table}.csv: {how} (at {at:.2f})"


def _rewritten(change: Callable[[bytes, float], bytes]) -> Callable[[Path, float], None]:
    return lambda path, at: path.write_bytes(change(path.read_bytes(), at)) and None


def _inserted(what: bytes) -> Callable[[bytes, float], bytes]:
    def change(data: bytes, at: float) -> bytes:
        place = int(at * len(data))
        return data[:place] + what + data[place:]

    return change


def _outside(path: Path, _at: float) -> None:
    """Make the file a link to one outside of the folder."""
    real = path.parent.parent / f"outside-{path.name}"
    shutil.move(path, real)
    path.symlink_to(real)


def _folder_instead(path: Path, _at: float) -> None:
    path.unlink()
    path.mkdir()


def _twice_as_parquet(path: Path, _at: float) -> None:
    pd.read_csv(path, dtype="str").to_parquet(path.with_suffix(".parquet"))


def _cut_parquet(path: Path, at: float) -> None:
    made = path.with_suffix(".parquet")
    pd.read_csv(path, dtype="str").to_parquet(made)
    path.unlink()
    data = made.read_bytes()
    made.write_bytes(data[: int(at * len(data))])


def _not_gzip(path: Path, _at: float) -> None:
    path.rename(path.with_name(f"{path.name}.gz"))


def _cut_gzip(path: Path, at: float) -> None:
    data = gzip.compress(path.read_bytes(), mtime=0)
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(data[: int(at * len(data))])


_BYTES: dict[str, Callable[[Path, float], None]] = {
    "cut off": _rewritten(lambda data, at: data[: int(at * len(data))]),
    "cut off after a row": _rewritten(lambda data, at: data[: data.rfind(b"\n", 0, max(int(at * len(data)), 60)) + 1]),
    "empty": _rewritten(lambda _data, _at: b""),
    "header alone": _rewritten(lambda data, _at: data[: data.index(b"\n") + 1]),
    "without header": _rewritten(lambda data, _at: data[data.index(b"\n") + 1 :]),
    "NUL": _rewritten(_inserted(b"\0")),
    "many NUL": _rewritten(_inserted(b"\0" * 4096)),
    "a quote": _rewritten(_inserted(b'"')),
    "a line end": _rewritten(_inserted(b"\r")),
    "a stray byte": _rewritten(_inserted(b"\xe9")),
    "megabytes in a cell": _rewritten(_inserted(b"x" * 2_000_000)),
    "UTF-16": _rewritten(lambda data, _at: data.decode().encode("utf-16")),
    "UTF-16 cut off": _rewritten(lambda data, at: data.decode().encode("utf-16")[: int(at * len(data))]),
    "BOM": _rewritten(lambda data, _at: b"\xef\xbb\xbf" + data),
    "semicolons": _rewritten(lambda data, _at: data.replace(b",", b";")),
    "line ends of a Mac": _rewritten(lambda data, _at: data.replace(b"\n", b"\r")),
    "a report's title": _rewritten(lambda data, _at: b"Pipeline report\n\n" + data),
    "a sum at the foot": _rewritten(lambda data, _at: data + b"Total,,,,,\n"),
    "zeros": _rewritten(lambda data, _at: b"\0" * len(data)),
    "HTML": _rewritten(lambda _data, _at: b"<html><body>Your session has expired</body></html>"),
    "link outside": _outside,
    "a folder": _folder_instead,
    "as Parquet too": _twice_as_parquet,
    "Parquet cut off": _cut_parquet,
    "no gzip": _not_gzip,
    "gzip cut off": _cut_gzip,
}


def settings(made: Company, rng: np.random.Generator) -> str:
    """company.toml, damaged."""
    how = str(
        rng.choice(["extracted_on", "a slip", "no TOML", "timezone", "currency", "settle_days", "NUL", "calendar"])
    )
    day = str(rng.choice(["2099-01-01", "2020-01-01", "yesterday", "2026-12-15", "2027-06-30"]))
    made.toml = {
        "extracted_on": re.sub(r"extracted_on = .*\n", "", made.toml) + f"extracted_on = {day}\n",
        "a slip": made.toml.replace("timezone", "timezon").replace("currency", "curency"),
        "no TOML": made.toml + "this is no TOML\n",
        "timezone": re.sub(r"timezone = .*\n", "", made.toml) + 'timezone = "Mars/Olympus"\n',
        "currency": re.sub(r"(?m)^currency = .*\n", "", made.toml) + "currency = 7\n",
        "settle_days": re.sub(r"settle_days = .*\n", "", made.toml) + "settle_days = -3\n",
        "NUL": made.toml + "\0",
        "calendar": re.sub(r"calendar = .*\n", "", made.toml) + 'calendar = "4-4-4"\n',
    }[how]
    return f"company.toml: {how} {day * (how == 'extracted_on')}"


KINDS: dict[str, Callable[[Company, np.random.Generator], str]] = {
    "amounts": amounts,
    "dates": dates,
    "rows": rows_of,
    "columns": columns,
    "spellings": spellings,
    "bytes": bytes_of,
    "settings": settings,
}


# -- the same company as an export ------------------------------------------------------------------------

_FILES = {OPPS: "Opportunity", HISTORY: "OpportunityHistory", "stages": "OpportunityStage"}
_NAMES = {
    OPPS: {
        "opportunity_id": "Id",
        "created_on": "CreatedDate",
        "segment": "Region__c",
        "stage": "StageName",
        "amount": "Amount",
        "closed_on": "CloseDate",
        "owner": "OwnerId",
        "account_id": "AccountId",
        "type": "Type",
        "lead_source": "LeadSource",
    },
    HISTORY: {
        "opportunity_id": "OpportunityId",
        "recorded_at": "CreatedDate",
        "stage": "StageName",
        "amount": "Amount",
        "expected_close_on": "CloseDate",
    },
    "stages": {"stage": "MasterLabel", "position": "SortOrder"},
}


def write_export(made: Company, folder: Path) -> Path:
    """Write a company as a Salesforce export: its tables under the names the CRM has for them and their columns."""
    made.tables.pop("plan", None)
    for name, table in made.tables.items():
        if "outcome" in table:
            closed = table["outcome"].isin(["won", "lost"])
            table["IsClosed"] = np.where(closed, "true", "false")
            table["IsWon"] = np.where(table["outcome"] == "won", "true", "false")
        if {"closed_on", "expected_close_on"} <= set(table.columns):
            table["closed_on"] = table["closed_on"].where(table["closed_on"] != "", table["expected_close_on"])
            table = table.drop(columns="expected_close_on")
        made.tables[name] = table.drop(columns="outcome", errors="ignore").rename(columns=_NAMES[name])
    write(made, folder)
    for path in sorted(folder.iterdir()):
        stem, _, endings = path.name.partition(".")
        if stem in _FILES:
            path.rename(path.with_name(f"{_FILES[stem]}.{endings}"))
    return folder
