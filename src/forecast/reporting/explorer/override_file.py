"""An override as a row of a CSV file: the number that was changed, what stands instead, and why.

Goodwin's rule (2000, Int. J. Forecasting 16): who must write down why changes a forecast less often for no reason. So
a row without a reason is refused. A file that is there keeps every byte: a row is added below its others, in the order
of its columns, and the new file takes the old one's place in one step.
"""

from __future__ import annotations

import csv
import fcntl
import io
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from forecast.calendar import parse_periods
from forecast.data.schema import TABLES, TOTAL, Log
from forecast.data.submissions import TABLE, name_key
from forecast.errors import DataError, MachineError, ParameterError, nearest
from forecast.reporting.month.results import is_formula, write_atomic

COLUMNS = tuple(column.name for column in TABLES[TABLE].columns)
KEY = TABLES[TABLE].key
NEEDED = tuple(name for name in COLUMNS if name != "category")

LEAST_WORDS = 2
MOST_LETTERS = 500
_WORD = re.compile(r"[^\W\d_]{2,}")


def write_override(
    log: Log,
    file: str | os.PathLike[str],
    *,
    submitted_on: str | pd.Timestamp,
    target_period: str,
    segment: str,
    submitter: str,
    amount: float,
    base: float,
    reason: str,
    category: str = "",
    replace: bool = False,
) -> pd.DataFrame:
    """Add an override to a CSV file, whole or not at all, and return it as a table of one row.

    Parameters
    ----------
    log : the company, whose segments, calendar and submissions are known.
    file : a CSV file with the columns of `submitted_forecasts`, made where it is not there; the folder must be.
    submitted_on : the day. target_period : a month, such as 2026-11, that has not ended by then.
    segment : one of the log's. submitter : who; capitals make no difference.
    amount, base : what is submitted, and the number before it, money, 0 or more; they must differ.
    reason : why, in two words at least. category : where forecasts have one.
    replace : whether a row of the same day, month, segment, submitter and category in the file is replaced; without it
        such a row is refused.

    Returns
    -------
    submitted_on, target_period, segment, submitter, category, amount, reason, base: one row, as it was written.

    Raises
    ------
    ParameterError : a value is none, the reason is lacking, a text would be a formula in a spreadsheet, or the row is
    there already. DataError : the file is no CSV of such columns. MachineError : it cannot be read or written.

    Source: Goodwin 2000, Int. J. Forecasting 16; docs/methods/judgement.md.

    Examples
    --------
    >>> import forecast, tempfile
    >>> log = forecast.read("data/sample")
    >>> why = {"base": 210_000, "reason": "the renewal of the port moved to January"}
    >>> row = {"submitted_on": "2026-10-31", "target_period": "2026-11", "segment": "Alps", "submitter": "sales"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     forecast.write_override(log, f"{folder}/overrides.csv", amount=180_000, **row, **why)["amount"].item()
    180000.0
    """
    day = str(log.company.periods.parse_day(submitted_on).date())
    texts = {"submitted_on": day, "target_period": target_period, "segment": segment, "submitter": submitter}
    row = _checked(log, {**texts, "category": category, "amount": amount, "reason": reason, "base": base})
    path = Path(file).resolve()
    with _alone(path.parent):
        old = _read(path)
        write_atomic(path, lambda temporary: _write(temporary, _with_row(log, path, old, row, replace=replace), path))
    return pd.DataFrame([row], columns=list(COLUMNS))


# -- what may be written ----------------------------------------------------------------------------------


def _checked(log: Log, given: Mapping[str, object]) -> dict[str, object]:
    """Return the row with its texts on one line and its numbers as numbers."""
    row = {name: _text(name, value) if isinstance(value, str) else value for name, value in given.items()}
    known = sorted(set(log.opportunities["segment"].dropna().unique()))
    if row["segment"] == TOTAL or row["segment"] not in known:
        raise ParameterError(f"segment: there is no segment {row['segment']!r}; {nearest(str(row['segment']), known)}")
    if not row["submitter"]:
        raise ParameterError("submitter: nobody is named\n  mend: write who changes the number")
    for name in ("amount", "base"):
        value = row[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise ParameterError(f"{name}: {value!r} is not an amount of 0 or more")
        row[name] = float(value)
    if row["amount"] == row["base"]:
        raise ParameterError("amount: it is the base itself\n  mend: nothing need be written where nothing is changed")
    if len(_WORD.findall(str(row["reason"]))) < LEAST_WORDS:
        mend = f"write why it is not the base, in {LEAST_WORDS} words at least, such as 'renewal postponed'"
        raise ParameterError(f"reason: there is none in {row['reason']!r}\n  mend: {mend}")
    calendar = log.company.periods
    target = int(parse_periods([str(row["target_period"])])[0])
    if calendar.end(target) < pd.Timestamp(str(row["submitted_on"])):
        raise ParameterError(f"target_period: {row['target_period']} had ended by {row['submitted_on']}")
    return row


def _text(name: str, text: str) -> str:
    """Return a text on one line; what a spreadsheet would run, or nobody can read, is refused."""
    plain = " ".join(text.split())
    if len(plain) > MOST_LETTERS:
        raise ParameterError(f"{name}: {len(plain):,} letters are too many\n  mend: at most {MOST_LETTERS}")
    if not plain.isprintable():
        raise ParameterError(f"{name}: it holds what cannot be printed")
    if is_formula(plain):
        mend = "begin with a letter or a digit"
        raise ParameterError(f"{name}: a spreadsheet would take {plain[:40]!r} for a formula\n  mend: {mend}")
    return plain


# -- the file ---------------------------------------------------------------------------------------------


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let nobody else add a row to a file of this folder meanwhile."""
    if not folder.is_dir():
        raise MachineError(f"{folder}: this folder is not there; make it first")
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(file: Path) -> str:
    """Return the text of the file as it is, empty where it is not there."""
    try:
        return file.read_bytes().decode("utf-8") if file.exists() else ""
    except UnicodeDecodeError:
        mend = "save it as CSV UTF-8, or name another file"
        raise DataError(f"{file.name} is not written in UTF-8", table=TABLE, mend=mend) from None
    except OSError as error:
        raise MachineError(f"{file}: cannot be read ({error.strerror or error})") from None


def _write(temporary: Path, text: str, file: Path) -> None:
    temporary.write_bytes(text.encode("utf-8"))
    if file.exists():
        shutil.copymode(file, temporary)


def _with_row(log: Log, file: Path, old: str, row: Mapping[str, object], *, replace: bool) -> str:
    """Return the file's text with the row below the others, or in the place of the one it replaces."""
    if not old.strip("\ufeff \r\n"):
        _refuse_known(log, row)
        return _line(COLUMNS, "\n") + _line([_cell(row[name]) for name in COLUMNS], "\n")
    lines = list(io.StringIO(old, newline=""))
    reader = _rows(lines, file)
    names = [name.strip().lower() for name in next(reader)[0]]
    lacking = [name for name in NEEDED if name not in names]
    if row["category"] and "category" not in names:
        lacking.append("category")
    if lacking:
        mend = f"its first line is to have {', '.join(COLUMNS)}, with commas between; or name another file"
        raise DataError(f"{file.name} has no column {', '.join(lacking)}", table=TABLE, mend=mend)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    new = _line([_cell(row[name]) if name in COLUMNS else "" for name in names], end)
    same = [where for values, where in reader if _key(dict(zip(names, values, strict=False))) == _key(row)]
    if not same:
        _refuse_known(log, row)
        gap = "" if lines[-1].endswith(("\n", "\r")) else end
        return f"{old}{gap}{new}"
    if not replace:
        raise ParameterError(
            f"{_named(row)} stands in {file.name} already\n  mend: replace=True puts this in its place"
        )
    (first, after), *others = same
    gone = {number for start, stop in others for number in range(start, stop)}
    kept = [line for number, line in enumerate(lines) if number not in gone]
    return "".join([*kept[:first], new, *kept[after:]])


def _rows(lines: Sequence[str], file: Path) -> Iterator[tuple[list[str], tuple[int, int]]]:
    """Yield the cells of each row, with the number of its first line and of that after its last, counted from 0."""
    begins = 0
    reader = csv.reader([lines[0].removeprefix("\ufeff"), *lines[1:]], strict=True)
    try:
        for values in reader:
            yield values, (begins, reader.line_num)
            begins = reader.line_num
    except csv.Error as error:
        mend = "open it in a spreadsheet and save it as CSV UTF-8, or name another file"
        raise DataError(f"{file.name} cannot be read after line {begins}: {error}", table=TABLE, mend=mend) from None


def _refuse_known(log: Log, row: Mapping[str, object]) -> None:
    """Refuse a row that the company's own table has already: both together would be refused when they are read."""
    table = log.get(TABLE)
    if table is None:
        return
    mine = table[(table["segment"] == row["segment"]) & (table["target_period"] == row["target_period"])]
    mine = mine[mine["submitted_on"] == pd.Timestamp(str(row["submitted_on"]))]
    mine = mine.assign(submitted_on=mine["submitted_on"].dt.strftime("%Y-%m-%d"))
    if any(_key(there) == _key(row) for there in mine.fillna("").to_dict("records")):
        mend = "submit it on another day; of a month the last counts"
        raise ParameterError(f"{_named(row)} is in the company's data already\n  mend: {mend}")


def _key(row: Mapping[str, object]) -> tuple[str, ...]:
    texts = {name: " ".join(str(row.get(name) or "").split()) for name in KEY}
    texts["submitted_on"] = texts["submitted_on"][:10]
    return tuple(name_key(texts[name]) if name in ("submitter", "category") else texts[name] for name in KEY)


def _named(row: Mapping[str, object]) -> str:
    return f"{row['submitter']}'s forecast of {row['segment']} for {row['target_period']}, of {row['submitted_on']},"


def _cell(value: object) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _line(values: Sequence[str], end: str) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end).writerow(values)
    return written.getvalue()
