"""A copy of a data folder in which deals, accounts, owners and free text carry pseudonyms.

A pseudonym is a keyed hash (BLAKE2b) of a name: without the salt nobody can try names against it, with it the same name
is the same pseudonym in every table and every month. Numbers, dates, segments, stages and the other categories stay.
See docs/privacy.md and docs/decisions/redacted_copy.md.
"""

from __future__ import annotations

import csv
import hashlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as papq

from forecast.data.checks.kinds import as_kind
from forecast.data.schema import OUTCOMES, TABLES, TOTAL, Log
from forecast.data.sources.company import FILE, company_text
from forecast.data.sources.files import read_location
from forecast.data.sources.tables.raw import PARQUET, WORKBOOK, ending
from forecast.errors import MachineError, ParameterError

NAMES = {
    "opportunity_id": "deal",
    "account_id": "account",
    "owner": "owner",
    "lead_id": "lead",
    "lost_reason": "reason",
    "reason": "reason",
    "text": "text",
}
"""The declared columns that are replaced, and what their pseudonyms begin with; a reason is often a sentence."""

TEXT = "text"
"""What the pseudonym of a text in a column of the company's own begins with."""

TEAM = "team"
"""What the pseudonym of somebody begins with whom owners belong to in the hierarchy, and who owns no deal."""

_FOLLOWED = ("account", "owner", TEAM)
_RESERVED = {*OUTCOMES, TOTAL, "sales", "marketing", "joint", "delivery", "new", "existing", "true", "false"}
_SHORTEST = 16
_DIGITS = 8


def read_salt(file: Path | None, *, outside: Path) -> bytes:
    """Return the secret of the pseudonyms, 32 bytes or more.

    Parameters
    ----------
    file : holds it; made, readable by its owner alone, where it is not there. None draws one that is never written.
    outside : a folder that others read, in which the file must not lie.

    Raises ParameterError where others can read the file or it is too short, MachineError where it cannot be read.
    """
    if file is None:
        return secrets.token_bytes(32)
    if file.resolve().is_relative_to(outside.resolve()):
        raise ParameterError(f"{file}: a salt in the folder of the reports goes where they go; keep it elsewhere")
    try:
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            content = file.read_bytes().strip()
            if file.stat().st_mode & 0o077:
                raise ParameterError(f"{file}: others can read this salt; take that away with chmod 600") from None
        else:
            content = secrets.token_hex(32).encode()
            with os.fdopen(handle, "wb") as made:
                made.write(content + b"\n")
    except OSError as error:
        raise MachineError(f"{file}: the salt cannot be read or made ({error.strerror or error})") from None
    if len(content) < _SHORTEST:
        raise ParameterError(f"{file}: a salt has at least {_SHORTEST} characters; name a new file and one is made")
    return hashlib.blake2b(content).digest()


def redact(folder: Path, into: Path, *, log: Log, salt: bytes) -> dict[str, dict[str, str]]:
    """Write a copy of a data folder, with pseudonyms for names, into a folder that is not there yet.

    Returns name -> pseudonym by kind (the values of `NAMES`), and under `category` those of accounts and owners, which
    are replaced where they are a category too.

    Parameters
    ----------
    folder : the data folder, or a workbook. Its tables, company.toml and logo are copied; other files, read by nothing,
        are not.
    log : the same folder as read: its types say which of the company's own columns are text.
    salt : the secret, 1 to 64 bytes.

    Rows keep their order, CSV and Parquet files their format; sheets become CSV. A file that holds no name is copied as
    it is.
    Raises MachineError where the copy cannot be written.
    """
    found = read_location(folder)
    if found.errors:
        raise found.errors[0]
    raw = found.tables
    try:
        into.mkdir(parents=True)
        for name in (FILE, found.company.logo):
            if name and (found.folder / name).is_file():
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found.folder / name, into / name)
        if not (into / FILE).exists() and (text := company_text(found.company)):
            (into / FILE).write_text(text, encoding="utf-8")  # from the sheet of a workbook
        kinds = {name: _kinds(name, frame, log) for name, frame in raw.items()}
        names = _pseudonyms(raw, kinds, salt)
        followed = {
            name: pseudonym
            for kind in _FOLLOWED
            for name, pseudonym in names.get(kind, {}).items()
            if name not in _RESERVED and any(letter.isalpha() for letter in name)
        }
        for name in list(raw):
            frame = raw.pop(name)
            changed = {column: _replaced(_text(frame[column]), names[kind]) for column, kind in kinds[name].items()}
            changed |= _followed(name, frame, followed, but=changed)
            _copy(name, frame, changed, found.files[name], into)
        return {**names, "category": followed}
    except OSError as error:
        raise MachineError(f"the redacted copy of the data cannot be written ({error.strerror or error})") from None


def pseudonyms(values: Iterable[str], *, kind: str, salt: bytes) -> dict[str, str]:
    """Return a pseudonym for each distinct value, such as `deal-7f3a9c21`; no two values share one.

    Two that would share their eight digits get sixteen. `kind` is hashed too: a deal and an owner of one name differ.
    """
    digests = {
        value: hashlib.blake2b(f"{kind}\0{value}".encode(), key=salt, digest_size=32).hexdigest() for value in values
    }
    digits = dict.fromkeys(digests, _DIGITS)
    while True:
        short = {value: digest[: digits[value]] for value, digest in digests.items()}
        count = Counter(short.values())
        twice = [value for value, shown in short.items() if count[shown] > 1]
        if not twice:
            return {value: f"{kind}-{shown}" for value, shown in short.items()}
        for value in twice:
            digits[value] += _DIGITS


# -- how ------------------------------------------------------------------------------------------------


def _kinds(name: str, frame: pd.DataFrame, log: Log) -> dict[str, str]:
    """Return what is replaced in a table: column -> what its pseudonyms begin with."""
    typed = log.get(name)
    found = {}
    for column in map(str, frame.columns):
        if column in NAMES:
            found[column] = NAMES[column]
        elif TABLES[name].column(column) is None and (
            typed is None or column not in typed or pd.api.types.is_string_dtype(typed[column].dtype)
        ):
            found[column] = TEXT
    return found


def _text(values: pd.Series) -> pd.Series:
    """Return names as validation reads them, so that a number in one table and text in another are one name."""
    return as_kind(values, "key", timezone="UTC")[0]


def _pseudonyms(
    raw: Mapping[str, pd.DataFrame], kinds: Mapping[str, Mapping[str, str]], salt: bytes
) -> dict[str, dict[str, str]]:
    """Return the pseudonyms of each kind, over all tables."""
    values: dict[str, set[str]] = {}
    for table, columns in kinds.items():
        for column, kind in columns.items():
            values.setdefault(kind, set()).update(_text(raw[table][column]).dropna().unique())
    if "hierarchy" in raw:
        people, owners = _people(raw["hierarchy"], raw["opportunities"]), values.setdefault("owner", set())
        above = set(_text(raw["hierarchy"]["parent"]).dropna()) if people else set()
        values[TEAM] = (people & above) - owners
        owners |= people - values[TEAM]
    return {kind: pseudonyms(sorted(some), kind=kind, salt=salt) for kind, some in values.items()}


def _people(hierarchy: pd.DataFrame, opportunities: pd.DataFrame) -> set[str]:
    """Return who stands in the hierarchy: owners, and what they belong to unless it is a segment or product too."""
    if not {"of", "node", "parent"} <= set(hierarchy.columns):
        return set()
    columns = {name: _text(hierarchy[name]) for name in ("node", "parent")}
    of_owner = (_text(hierarchy["of"]) == "owner").to_numpy(dtype=bool)
    people = {name for values in columns.values() for name in values[of_owner].dropna()}
    others = {name for values in columns.values() for name in values[~of_owner].dropna()}
    for name in ("segment", "product"):
        if name in opportunities:
            others.update(_text(opportunities[name]).dropna())
    return people - others


def _replaced(values: pd.Series, names: Mapping[str, str]) -> pd.Series:
    codes, distinct = pd.factorize(values)
    shown = pd.Series([names.get(str(name), str(name)) for name in distinct] + [None], dtype="str")
    return shown.take(codes).set_axis(values.index)


def _followed(
    table: str, frame: pd.DataFrame, names: Mapping[str, str], *, but: Mapping[str, pd.Series]
) -> dict[str, pd.Series]:
    """Return the columns of categories that hold an account or owner too (a rep who submits forecasts), replaced."""
    found = {}
    for column in TABLES[table].columns:
        asked = column.name in frame and column.name not in but and column.kind in ("key", "text")
        if asked and not column.values and column.name != "currency":
            values = _text(frame[column.name])
            if not names.keys().isdisjoint(values.dropna().unique()):
                found[column.name] = _replaced(values, names)
    return found


def _copy(name: str, frame: pd.DataFrame, changed: Mapping[str, pd.Series], file: Path, into: Path) -> None:
    """Write one table: as it is where nothing changed, Parquet as Parquet, of partitions one; everything else as CSV.

    A workbook holds more than its cells (who wrote it, what stood there before), so that none is ever copied.
    """
    kind = ending(file)
    if not changed and file.is_file() and kind not in WORKBOOK and not file.is_symlink():
        shutil.copyfile(file, into / file.name)
    elif file.is_dir():  # of partitions
        frame.assign(**changed).to_parquet(into / f"{name}{PARQUET}")
    elif kind == PARQUET:
        table = papq.read_table(file)
        for column, values in changed.items():
            table = table.set_column(table.schema.get_field_index(column), column, pa.array(values))
        papq.write_table(table.replace_schema_metadata(), into / f"{name}{PARQUET}")
    else:
        frame.assign(**changed).to_csv(into / f"{name}.csv", index=False, quoting=csv.QUOTE_ALL, lineterminator="\n")
