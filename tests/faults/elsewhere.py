"""Faults to what is not the run of a month itself: imports, a database, and a folder of a thousand months."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

import forecast
import servers
from faults.faults import FEW, Case
from faults.place import BEFORE, MONTH, REPORT, Found, Place, answered, differing, left_lying, prepared, survived
from faults.runs import FULL, KILL, ONCE, READING, Disk, Run, left_running, start, temporary
from faults.sweeps import operation, refused, traced
from forecast.errors import DataError
from forecast.reporting.published import book, months
from forecast.reporting.published.verify import verify
from reports import WRITES, company, notebook

OPEN = ExitStack()
"""What stays open until the last fault is done: the database."""

# -- imports ----------------------------------------------------------------------------------------------

IMPORT = ("import", "salesforce", "export", "--out", "ours")
HEAD = "Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,LastModifiedDate,OwnerId,LeadSource,Region__c\n"


def export(deals: int, *, seed: int) -> str:
    """Return the opportunities of a Salesforce export: a third each open, won and lost."""
    dice, rows = random.Random(seed), []
    for number in range(deals):
        created = dt.date(2025, 1, 1) + dt.timedelta(days=dice.randrange(400))
        closed = created + dt.timedelta(days=dice.randrange(20, 150))
        stage = ("Prospecting", "Closed Won", "Closed Lost")[number % 3]
        ended = "true" if number % 3 else "false"
        cells = [f"006{number:05d}", stage, str(100 * dice.randrange(5, 90)), str(closed)]
        cells += [f"{created}T08:00:00.000Z", ended, "true" if number % 3 == 1 else "false"]
        cells += [f"{closed if number % 3 else created}T10:00:00.000Z", "005A", "Web", dice.choice(["North", "South"])]
        rows.append(",".join(cells))
    return HEAD + "\n".join(rows) + "\n"


def importing(folder: Path, disk: Disk) -> Place:
    """Return a data folder that an import of 400 deals has filled, and the export of 500 that is to come."""
    (folder / "export").mkdir(parents=True)
    for deals in (400, 500):
        (folder / "export" / "Opportunity.csv").write_text(export(deals, seed=1))
        (folder / "export" / "User.csv").write_text("Id,Name,ManagerId\n005A,Ann,\n")
        if deals == 400:
            done = start(folder, *IMPORT).wait()
            assert done.code == 0, done.said
    place = Place(folder=folder, command=IMPORT, published=_files(folder / "ours"))
    whole = place.copy(folder.with_name("whole"))
    disk.set(0, below=[whole.folder])
    done = whole.run(disk=disk).wait()
    assert done.code == 0, done.said
    facts = {"expected": _files(whole.folder / "ours"), "operations": disk.count, "seconds": done.seconds}
    for name in ("trace", "readings"):
        copied = place.copy(folder.with_name(f"{folder.name}-{name}"))
        facts[name] = traced(copied, disk, readings=name == "readings")
    return Place(**{**place.__dict__, **facts})


def import_killed(case: Case) -> Found:
    """Kill an import at an operation on files, or every other time after a share of the time it takes."""
    place = case.place
    if case.number % 2:
        run = place.run()
        time.sleep(case.share * place.seconds)
        run.kill()
    else:
        case.disk.set(KILL, at=max(1, round(case.share * place.operations)), below=[place.folder])
        run = place.run(disk=case.disk).wait()
    found = answered(run, (-signal.SIGKILL, 0))
    found.note = case.disk.first_hit
    return _import_survived(place, run, found)


def import_full(case: Case) -> Found:
    """Let the disk be full from a write of an import on, to its end."""
    return _import_refused(case, FULL, how=errno.ENOSPC)


def import_fails_once(case: Case) -> Found:
    """Let one operation of an import alone fail."""
    return _import_refused(case, ONCE, how=errno.ENOSPC if operation(case).needs == "room" else errno.EIO)


def import_unreadable(case: Case) -> Found:
    """Let one reading of an import fail by an error of the disk."""
    return _import_refused(case, READING, how=errno.EIO)


def _import_refused(case: Case, mode: int, *, how: int) -> Found:
    run, missed = refused(case, mode, how=how)
    found = answered(run, (0, 4) if mode != READING else (0, 1, 4), "error: ")
    found.answer += [missed] if missed else []
    found.note = f"{operation(case).what} {operation(case).file}: {run.code}"
    return _import_survived(case.place, run, found)


def _import_survived(place: Place, run: Run, found: Found) -> Found:
    """Return what holds after a fault to an import: the folder whole or refused, the next import right to the byte."""
    found.intact += _whole_or_refused(place, made=run.code == 0)
    following = place.run().wait()
    if following.code != 0:
        found.next_run.append(f"the next import ended with {following.code}: {following.said[-500:]}")
    if _files(place.folder / "ours") != place.expected:
        found.next_run.append("the folder is not what an undisturbed import makes")
    found.left += [f"still runs: {command}" for command in left_running(place.folder)]
    lying = {path.name for path in place.folder.iterdir()} - {"export", "ours", "tmp"}
    lying |= {path.name for folder in temporary(place.folder) for path in folder.iterdir()}
    found.left += [f"left: {name}" for name in sorted(lying)]
    found.lost = max(0.0, run.seconds + following.seconds - place.seconds)
    return found


def _files(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _whole_or_refused(place: Place, *, made: bool) -> list[str]:
    """Return what is wrong where a folder is neither of one import nor refused when it is read; made : it is new."""
    now = _files(place.folder / "ours")
    if made and now != place.expected:
        return ["the import ended with 0, and the folder is not what it makes"]
    if now in (place.published, place.expected):
        return []
    try:
        forecast.read(place.folder / "ours")
    except DataError:
        return []
    return ["the folder holds files of two imports, and is read"]


# -- a database -------------------------------------------------------------------------------------------

SLOW = "CREATE VIEW opportunities AS SELECT deals.* FROM deals, pg_sleep(1.5)"
"""The table of the deals, which takes its time to be read."""
COMPANY = "CREATE TABLE company AS SELECT 'name' AS key, 'Tiny' AS value UNION SELECT 'extracted_on', '2026-03-31'"


def database(folder: Path, disk: Disk) -> Place:
    """Return a place whose data are in a PostgreSQL of our own, where reading the deals takes a second and a half."""
    server = OPEN.enter_context(servers.running())
    os.environ["PGPASSWORD"] = servers.PASSWORD
    from forecast.data.sources.files import read_raw

    tables = {name: pa.Table.from_pandas(frame) for name, frame in read_raw(company(folder / "files"))[0].items()}
    server.load("postgres", {"deals": tables["opportunities"].drop_columns("line")})
    server.run("postgres", COMPANY, SLOW)
    _SERVERS.append(server)
    for name in FEW:
        notebook(folder / "notebooks", name, WRITES.format(name=f"t{name[:2]}"))
    (folder / "newer").mkdir()
    (folder / "data").mkdir()
    command = [server.address("postgres") if each == "data" else each for each in REPORT]
    return prepared(folder, command=command, older=("2026-02",), fresh=True, disk=disk, stages=FEW)


_SERVERS: list[servers.Server] = []


def database_restarted(case: Case) -> Found:
    """Restart the database while the deals are read, which are then read again."""
    server = _SERVERS[0]
    run = case.place.run()
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    while not run.ended():
        with server.connected() as cursor:
            cursor.execute(asleep)
            if cursor.fetchone()[0]:
                break
        time.sleep(0.02)
    time.sleep(case.dice.random())
    server.restart()
    run.wait()
    return survived(case.place, run=run, found=answered(run, (0, 4), "database"))


# -- a thousand months ------------------------------------------------------------------------------------


def thousand_months(case: Case) -> Found:
    """Put a thousand published months, a chain of them, before those that are there; then run, twice."""
    place = case.place
    days = [day for day in _month_ends(1000) if day < BEFORE]
    _multiply(place.out, days)
    run = place.run().wait()
    found = answered(run, (0,))
    listed = (place.out / "index.html").read_text(encoding="utf-8")
    wanted = sorted([*days, BEFORE, MONTH], reverse=True)
    places = [listed.find(f'href="{day}/index.html"') for day in wanted]
    if -1 in places or places != sorted(places):
        found.answer.append("the list of months is not all of them, newest first")
    found.lost = max(0.0, run.seconds - place.seconds)
    found.note = f"{run.seconds:.1f} s, {run.peak_mb:.0f} MB; without them: {place.seconds:.1f} s"
    told = months.standing(place.out)
    if len(told) != len(days) + 2:
        found.intact.append(f"{len(told)} months stand")
    found.intact += [line for line in verify(place.out).lines() if "unchanged" not in line][:-1]
    again = place.run("--no-resume").wait()
    if again.code != 0:
        found.next_run.append(f"the next run ended with {again.code}: {again.said[-500:]}")
    found.next_run += differing(place, of=(BEFORE, MONTH, f"versions/{MONTH}"))
    found.left += [*left_running(place.folder), *left_lying(place)]
    return found


def _month_ends(count: int) -> list[str]:
    """Return the last days of so many months before 2026-02, newest first."""
    first = dt.date(2026, 2, 1)
    found = []
    for _ in range(count):
        last = first - dt.timedelta(days=1)
        found.append(last.isoformat())
        first = last.replace(day=1)
    return found


def _multiply(out: Path, days: list[str]) -> None:
    """Publish copies of a month as so many others, each following the one before, at the end of the chain."""
    facts = json.loads((out / BEFORE / "manifest.json").read_text(encoding="utf-8"))
    last = book.end_of_chain(book.read(out), months.everything(out))
    for day in reversed(days):
        for file in [each for each in (out / BEFORE).rglob("*") if each.is_file() and each.name != "manifest.json"]:
            target = out / day / file.relative_to(out / BEFORE)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)
        text = json.dumps({**facts, "as_of": day, "previous": last.as_dict() if last else None}, indent=2)
        (out / day / "manifest.json").write_text(text, encoding="utf-8")
        last = months.read(out / day).link
    assert last is not None
    noted = book.read(out)
    book.write(out, book.Book(**{**noted.__dict__, "last": last}))
