"""Three months of a small company as they were made by cron, one with damaged data and one with late data.

`python tests/scheduled_months.py` prints the table of docs/scheduling.md.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

import forecast
from crond import Crond
from forecast.simulation.company import simulate, write
from futures import eventful, known_by

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "docs" / "recipes" / "schedules" / "crontab"
_WIDEST = 82
"""Characters of a mail's first line in the table."""
_PROGRAM = """\
#!{python}
import datetime, pathlib, sys
sys.path.insert(0, {source!r})
from forecast.cli import app, clock
ahead = datetime.timedelta(seconds=float(pathlib.Path({ahead!r}).read_text()))
real = clock.now
clock.now = lambda: real() + ahead
app.main()
"""
"""`forecast` with a clock that is so much ahead as the daemon's."""


@dataclass(frozen=True, kw_only=True)
class Morning:
    """What one run of the recipe came to.

    published : the months that stand afterwards. code : of the command, as the recipe tells it; 0 where it tells none.
    """

    day: dt.date
    data: str
    code: int
    mail: str
    published: tuple[str, ...]


def mornings(folder: Path) -> Iterator[Morning]:
    """Let cron run the recipe on six mornings, of which one finds damaged data and two find none of the month."""
    site = _site(folder)
    crond = Crond.made(folder / "cron", RECIPE.read_text(encoding="utf-8").replace("/srv/", f"{site}/"))
    tables, company = eventful(seed=11, opportunities=500)
    made = simulate(opportunities=100, months=24, segments=3)

    def arrive(day: str) -> str:
        then = known_by(tables, day, str(company["timezone"]))
        about = {**company, "extracted_on": pd.Timestamp(day)}
        write(replace(made, tables=then, company=about), site / "crm" / "current")
        return f"up to {day}"

    def damage() -> str:
        file = site / "crm" / "current" / "opportunities.parquet"
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        return "up to 2026-09-30, the file of deals broken off"

    def morning(day: str, data: str) -> Morning:
        due = dt.datetime.fromisoformat(f"{day}T06:00:00+00:00")
        (site / "ahead").write_text(str((due - dt.datetime.now(dt.UTC)).total_seconds()), encoding="utf-8")
        text = crond.mail_of(due).text.replace(f"{site}/", "/srv/")
        code = re.search(r"^forecast ended with (\d+)$", text, flags=re.M)
        months = tuple(sorted(path.name for path in (site / "reports").glob("????-??-??")))
        return Morning(day=due.date(), data=data, code=int(code[1]) if code else 0, mail=text, published=months)

    yield morning("2026-09-01", arrive("2026-08-31"))
    arrive("2026-09-30")
    yield morning("2026-10-01", damage())
    yield morning("2026-10-02", arrive("2026-09-30"))
    yield morning("2026-11-01", "up to 2026-09-30")
    yield morning("2026-11-02", "up to 2026-09-30")
    yield morning("2026-11-03", arrive("2026-10-31"))


def _site(folder: Path) -> Path:
    """Make what the recipe expects under /srv: the program, with the clock of the daemon, and a place for the data."""
    site = folder / "srv"
    program = site / "forecast" / ".venv" / "bin" / "forecast"
    for place in (program.parent, site / "crm", site / "reports"):
        place.mkdir(parents=True)
    source = str(Path(forecast.__file__).parents[1])
    program.write_text(
        _PROGRAM.format(python=sys.executable, source=source, ahead=str(site / "ahead")), encoding="utf-8"
    )
    program.chmod(0o755)
    return site


def table(story: list[Morning]) -> str:
    """Return the mornings as the table of docs/scheduling.md."""
    head = ("cron runs on", "the data are there", "code", "cron mails", "months that stand")
    rows = [
        (str(each.day), each.data, str(each.code), f"`{_first_line(each.mail)}`", ", ".join(each.published))
        for each in story
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *rows))


def _first_line(text: str) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= _WIDEST else line[:_WIDEST].rsplit(" ", 1)[0] + " …"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cron-", dir="/tmp") as folder:
        sys.stdout.write(table(list(mornings(Path(folder)))))


if __name__ == "__main__":
    main()
