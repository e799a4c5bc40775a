"""The data dictionary, data/README.md, written from the declarations so that it cannot differ from them.

`python tools/dictionary.py > data/README.md` writes it; a test compares.
"""

from __future__ import annotations

from forecast.data.schema import COMPANY_KEYS, TABLES, Column, Company, Table
from forecast.data.sources.company import MEANINGS

_HEAD = """# The data

<!-- Generated: python tools/dictionary.py > data/README.md -->

A data location is a folder with the tables below, each as `<table>.csv`, `<table>.parquet` or `<table>.xlsx`, and
optionally `company.toml`; or one workbook (`--data book.xlsx`) with a sheet for each table, and a sheet `company` (key,
value) or a company.toml beside it; or a database with such tables: PostgreSQL, a DuckDB file, whatever SQLAlchemy knows
([docs/databases.md](../docs/databases.md)). `sample/` is a small simulated company with every table. Only
`opportunities` is required; what is missing switches off what needs it, and every page says which and why.
`forecast check --data DIR` lists every problem of a location with rows and mends
([what it says](../docs/checking.md)); `--format json` for a program.

How values are written:

- **CSV** is best UTF-8 with commas and one line of column names; text that holds a comma stands in double quotes. Read
  as well, and said: `.tsv` and `.txt`, `.gz` behind any of these, UTF-16 and Windows' own encoding (cp1252), line ends
  of any system, semicolons, tabs or bars, a first line `sep=;`. In a file without commas between its columns, numbers
  may have a decimal comma (`1.234,56`) and dates be written `31.10.2026`, where values of the file show which it is.
- **names of columns** are read without case, blanks and signs (`Created On` is `created_on`), and titles above them are
  left out; both are said.
- **workbooks** are .xlsx: dates are cells formatted as dates, or text such as `31/10/2026` where a day above 12 shows
  its order; a formula's error, and a formula that was never calculated, is refused with its cell. Of several sheets in
  `opportunities.xlsx` the one with the columns is taken; two such are refused.
- **partitions**: a folder `opportunities/` (or `opportunities.parquet/`) of Parquet files, at any depth, is one table,
  as of any other; rows follow each other in the order of the files' names. All have the same columns of the same kinds.
  A folder `segment=North` gives a column of the table that the files do not hold; other such names (`year=2026`) say
  only where files lie, and that is said. What is wrong in one is told with its name; files that begin with `_` or `.`
  are passed over, any other that is no Parquet is refused.
- files and sheets that are none of our tables are left alone and named; one that is nearly called like a table and has
  its key columns is taken for a misspelling and refused.
- **dates** as `2026-10-31`. A timestamp is accepted and stands for its day in the company's timezone; where every value
  of a column is midnight UTC they are dates that a program wrote so, and stay these dates.
- **timestamps** (`recorded_at`) as `2026-10-31T17:05:00`, in the company's timezone, or with an offset:
  `2026-10-31T17:05:00Z`. In the hour that happens twice when clocks go back the first is meant, unless the zone's name
  says it (`02:30 CET`); a name that may be several zones (`CST`) is refused, unless it is one of the company's own.
- **months** as `2026-10`. With a calendar of weeks, or with the table `periods`, it is the fiscal month of that name.
- **amounts** as `12500.50`, in the reporting currency unless `currency` says otherwise. Amounts in several currencies
  need `currencies`, or are refused. A rate holds from its day `from` (empty: from the beginning); a fiscal year has the
  rates that held on its first day, and a forecast those of the year it is made in.
- **empty** means not known or not yet. Leave it empty; `n/a`, `-` or `9999-12-31` are refused.
- a **segment** is the unit in which joint planning is adopted and forecasts are submitted. `Total` is reserved.
- a **column of your own**, one not named here, is read as numbers or dates where every value is one, as text otherwise
  (lists and the like by how they are written). `opportunities`, `opportunity_history`, `leads` and `marketing` may have
  any number of them; [what is known of them on a day](#columns-of-your-own) says how far they go. In any other table
  they are left out, and `forecast check` says so. The names `stage_since`, `slips` and `recorded_on` are of figures
  that are worked out for each day: a column that is called so is not in a snapshot, and the check says so.
"""

_AS_OF = """
## What was known on a day

Forecasts of the past are made from what was known then. A day counts to its end in the company's timezone.

- `opportunities` holds **today's** values. What stage, amount, expected close date and owner were on a past day comes
  from `opportunity_history`: the last row recorded by the end of that day. So does every other column that history
  carries.
- An opportunity is known from its first row of history, or from `created_on` where it has none.
- A closure is known from the day its row was **recorded**; its date is `closed_on`. A deal won on 30 March that the CRM
  learned of on 2 April is open on 31 March, and belongs to March's bookings once they have settled. Where history has
  no closing row, `closed_on` counts as the day of recording.
- A deal that was reopened has one `closed_on`, that of its last closure. An earlier closure is dated by the day it was
  recorded, unless history carries a column `closed_on` of its own. The same holds until the day of a `closed_on` that
  lies after its recording.
- Without history only creation and closure are known: stage, amount and expected close date of an open opportunity are
  empty on every past day. On the log's last day today's values are shown, since they are what is then recorded;
  forecasts do not use them, because no past day could teach what they mean.
- {fixed} count as fixed at creation, unless history carries them. `lost_reason`, `promised_on` and `delivered_on` are
  shown once the opportunity is known closed and the day has come.
- Leads are known by each of their dates, a month of `marketing` or `costs` on its last day, a submitted forecast on
  `submitted_on`, a start of joint planning on `announced_on` with its day, else on `adopted_on`. `plan`, `quotas` and
  the capacity of `delivery` are always known.
- An event is known from `announced_on`, with its end; without it from its first day, and its end once that has come.
  One that was announced only after it had begun is not known before the announcement.
- A row of `hierarchy` is known from its first day. It holds until its `to`, which is known once it has come, or until
  the next row of its node begins. Two parents at once, and a node that by way of its parents belongs to itself, are
  refused.
- The log ends on `extracted_on`; a later day is refused, and so is one before the first record. Where nobody
  says `extracted_on`, `report`, `bookings` and `deals` also refuse a day without a record in the ten days up to it and
  with none after it, and name the day on which the data end; `--nothing-since` says that nothing happened.
- Bookings of a month are **settled** `settle_days` after it ended: what was then recorded as won in it.

### Columns of your own

| where it stands | `snap.opportunities`, `snap.leads` | models of ours use it | `landmarks`, `--where` |
| --- | --- | --- | --- |
| `opportunity_history` | as of the day: what the last row recorded by then says | yes | yes, the first row |
| `opportunities`, listed in `fixed_at_creation` | as it is, on every day | yes | yes |
| `opportunities` alone | today's value on the log's last day; **empty on every earlier day** | never | no |
| `leads` | today's value on the log's last day; **empty on every earlier day** | never | - |
| `marketing` | with its month, once that has ended | never | - |

A column without a history holds today's value, and nobody knows since when: the price at which a deal was won, the
reason it was lost, the competitor who won it are all filled in at the end, and a forecast that looks at them has seen
the future. So a snapshot of a past day leaves such a column empty and says so in `snap.notes`. The values as they stood
when the data were extracted are in `snap.own_columns` (opportunity_id and these columns, a row a deal known that day):
**as of extraction, not as of the day**, to cut and count by, not to forecast from. A model of your own is not handed
them, and one that fetches them from the log is what `forecast leaktest` finds. A deal without a row of history has no
past either: its columns of your own are empty until the last day, closed or not.
"""

_NO_LOSS = {
    "events": "charts over time have no flags of what the company did or met",
    "hierarchy": "forecasts are of segments and the whole, of nothing between or below",
    "stage_changes": "two names of a stage are read as one only where `stages` has both at one position",
}
"""What tables bring whose absence no report complains of."""


def dictionary() -> str:
    """Return the text of data/README.md."""
    parts = [_HEAD, _overview(), *(_table(table) for table in TABLES.values()), _company()]
    fixed = ", ".join(
        f"`{name}`" for name in ("type", "lead_source", "product", "owner", "account_id", "lead_score", "currency")
    )
    return "".join([*parts, _AS_OF.format(fixed=f"{fixed} and `units`")])


def _overview() -> str:
    lines = ["\n## The tables\n\n", "| table | one row | without it |\n", "| --- | --- | --- |\n"]
    for table in TABLES.values():
        need = "**required**: " if table.name == "opportunities" else ""
        without = table.without or _NO_LOSS.get(table.name, "nothing is missed: no page shows it yet")
        lines.append(f"| [`{table.name}`](#{table.name}) | {table.meaning} | {need}{without} |\n")
    return "".join(lines)


def _table(table: Table) -> str:
    lines = [f"\n### {table.name}\n\n", f"{table.meaning[0].upper()}{table.meaning[1:]}. "]
    lines.append(f"Unique: {', '.join(f'`{name}`' for name in table.key)}." if table.key else "Rows may repeat.")
    lines.append(" Any other column is welcome.\n\n" if table.extra_columns else "\n\n")
    lines += ["| column | holds | empty? | meaning |\n", "| --- | --- | --- | --- |\n"]
    for column in table.columns:
        name = f"`{column.name}`" if column.required else f"[`{column.name}`]"
        lines.append(f"| {name} | {_holds(column)} | {'may be' if column.nullable else 'no'} | {column.meaning} |\n")
    if any(not column.required for column in table.columns):
        lines.append("\nColumns in brackets are optional.\n")
    return "".join(lines)


def _holds(column: Column) -> str:
    if column.values:
        return " / ".join(column.values)
    kinds = {"key": "text", "period": "month", "amount": "number"}
    text = kinds.get(column.kind, column.kind)
    if column.unit:
        text += f", {column.unit}"
    if column.minimum is not None and column.unit != "0 to 1":
        text += f", at least {column.minimum:g}"
    return text


def _company() -> str:
    lines = ["\n### company.toml\n\n", "Every key is optional.\n\n"]
    lines += ["| key | default | meaning |\n", "| --- | --- | --- |\n"]
    defaults = Company()
    for key in COMPANY_KEYS:
        value = getattr(defaults, key)
        text = f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "none"
        shown = {"extracted_on": "the data's", "fixed_at_creation": "`[]`"}.get(key, text)
        lines.append(f"| `{key}` | {shown} | {MEANINGS[key]} |\n")
    return "".join(lines)


if __name__ == "__main__":
    print(dictionary(), end="")
