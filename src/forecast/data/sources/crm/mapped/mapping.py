"""A mapping file: what an export calls things, said by its user in TOML, checked strictly.

    [columns]                        # ours = theirs; of several, the first that is there and holds a value
    opportunity_id = "Deal - ID"
    amount = ["Deal - Weighted value", "Deal - Value"]
    [stages]                         # what a stage means, and its place in the order
    "Signed" = "won"
    "Offer sent" = { outcome = "open", position = 3 }

`read_mapping` reads one from a file, `shipped` those that come with the program. docs/mapping.md lists every key. A key
that is not known is refused with the nearest one that is: a misspelt line must not be a line left out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

from forecast.data.sources.company import company_from
from forecast.data.sources.crm.values.stages import OUTCOMES, Outcome, folded
from forecast.errors import DataError, nearest

DEAL_COLUMNS = {
    "opportunity_id": "what tells deals apart",
    "created_on": "when it was entered",
    "stage": "where it stands",
    "amount": "what it is worth",
    "expected_close_on": "when it is expected to close",
    "closed_on": "when it was won or lost",
    "won_on": "when it was won, where that is a column of its own",
    "lost_on": "when it was lost, where that is a column of its own",
    "touched_on": "when it was last changed",
    "segment": "the unit in which you plan",
    "currency": "the currency of the amount",
    "owner": "whose it is",
    "account_id": "the customer",
    "type": "new or existing business",
    "lead_source": "where it came from",
    "product": "what is sold",
    "lead_score": "how good the lead was rated",
    "units": "how many",
    "lost_reason": "why it was lost",
    "stage_position": "the place of its stage in the order",
    "probability": "the CRM's probability",
}
"""Our columns of a deal that a mapping may name -> their meaning."""
NEEDED = ("created_on", "amount")

HISTORY_COLUMNS = (
    "opportunity_id",
    "recorded_at",
    "stage",
    "amount",
    "expected_close_on",
    "probability",
    "forecast_category",
    "owner",
    "outcome",
    "field",
    "value",
    "old",
)
HISTORY_FIELDS = ("stage", "amount", "expected_close_on", "probability", "forecast_category", "owner", "outcome")
_FORMS = ("states", "changes", "entered")
_MARKETING = ("file", "date", "channel", "segment", "leads", "spend", "spread")
_ORDERS = ("dmy", "mdy", "iso")
_DECIMALS = (".", ",")
_FOLDER = "shipped"

Form = Literal["states", "changes", "entered"]


@dataclass(frozen=True, kw_only=True)
class OutcomeRule:
    """What a column's values say of the outcome.

    columns : its names; the first that is there counts. values : the value, small letters -> outcome.
    filled : the outcome of a deal that has any value there. otherwise : the outcome of other values; `stage` asks the
    next rule or the stage; None refuses them.
    """

    columns: tuple[str, ...]
    values: Mapping[str, Outcome] = field(default_factory=dict)
    filled: Outcome | None = None
    otherwise: Outcome | Literal["stage"] | None = None


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Another file with a row a key: its columns are named `name.column`.

    by : the deals' column that holds the key: one of ours, as it is after [replace], else one of theirs.
    """

    name: str
    files: tuple[str, ...]
    key: tuple[str, ...]
    by: str


@dataclass(frozen=True, kw_only=True)
class HistoryMapping:
    """The form in which an export says what was known on past days.

    form : `states`, a row a state after a change; `changes`, a row a change of one field; `entered`, a column of the
    deals for each stage with the day it was entered. fields : theirs -> ours (changes). entered : stage -> column.
    """

    form: Form
    files: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    entered: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MarketingMapping:
    """A file of marketing's activity: rows are counted as leads, or a column is summed; by month, channel, segment.

    spread : `deals` gives each segment its share of the deals created, where the activity belongs to no segment.
    """

    files: tuple[str, ...]
    date: str
    channel: str = ""
    segment: str = ""
    leads: str = ""
    spend: str = ""
    spread: str = ""


@dataclass(frozen=True, kw_only=True)
class CrmMapping:
    """A mapping file as it was read. Names of theirs are kept as written; ours are those of `DEAL_COLUMNS`.

    asked : those of our columns that a user named by one name, which must then be there; and, where it stands over a
    shipped one, the user's own filters and files. positions : stage -> place.
    shipped : whether it came with the program; it then names more than any one export has.
    """

    name: str
    where: str
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stages: Mapping[str, Outcome] = field(default_factory=dict)
    positions: Mapping[str, float] = field(default_factory=dict)
    outcome: tuple[OutcomeRule, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    replace: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    leave_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keep: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    history: HistoryMapping | None = None
    marketing: MarketingMapping | None = None
    order: Literal["dmy", "mdy", "iso"] | None = None
    empty: tuple[str, ...] = ()
    decimal: str = ""
    unit: float = 1.0
    rates: Mapping[str, float] = field(default_factory=dict)
    company: Mapping[str, Any] = field(default_factory=dict)
    recognised_by: tuple[tuple[str, ...], ...] = ()
    shipped: bool = False

    def names(self) -> set[str]:
        """Return what the deals' columns may be called."""
        return {name for names in (*self.columns.values(), *self.extra.values()) for name in names}


def read_mapping(path: Path) -> CrmMapping:
    """Read a mapping file.

    Raises DataError for a file that is not there, is no TOML, or has a key or value that is not known.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", table=str(path), mend="name the mapping file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start:,})", table=str(path), mend="save it as UTF-8") from None
    return parse_mapping(text, where=path.name)


def parse_mapping(text: str, *, where: str) -> CrmMapping:
    """Return the mapping of a file's text; `where` is what errors call the file."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mend = 'write lines such as amount = "Deal value" under [columns]; names with blanks in quotes'
        raise DataError(f"cannot be read: {error}", table=where, mend=mend) from None
    return _mapping(_Section(values, where=where))


def shipped() -> list[CrmMapping]:
    """Return the mappings that come with the program, by name."""
    folder = resources.files("forecast.data.sources.crm.mapped").joinpath(_FOLDER)
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    texts = ((file.name, file.read_text(encoding="utf-8")) for file in files)
    return [replace(parse_mapping(text, where=name), asked=frozenset(), shipped=True) for name, text in texts]


class _Section:
    """A table of the file on its way: keys are taken one by one, and one that is left over is refused by name."""

    def __init__(self, values: Mapping[str, Any], *, where: str, path: str = "") -> None:
        self.values, self.where, self.path = values, where, path

    def refuse(self, key: str, what: str, mend: str) -> DataError:
        column = ".".join(part for part in (self.path, key) if part)
        return DataError(what, table=self.where, column=column, mend=mend)

    def only(self, known: Iterable[str]) -> None:
        known = tuple(known)
        for key in self.values:
            if key not in known:
                raise self.refuse(key, "this key is not known", nearest(key, known))

    def section(self, key: str) -> _Section:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.refuse(key, f"{value!r} is no section", f"write a line [{key}] and its keys below it")
        return _Section(value, where=self.where, path=".".join(part for part in (self.path, key) if part))

    def text(self, key: str, *, one_of: tuple[str, ...] = ()) -> str:
        value = self.values.get(key, "")
        if not isinstance(value, str) or (one_of and key in self.values and value not in one_of):
            wanted = f"one of {', '.join(map(repr, one_of))}" if one_of else "text in quotes"
            raise self.refuse(key, f"{value!r} is not {wanted}", f"write {wanted}")
        return value

    def needed(self, key: str) -> str:
        if not self.text(key):
            raise self.refuse(key, "this key is needed", f'write {key} = "…"')
        return self.text(key)

    def names(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(name, str) and name.strip() for name in listed):
            raise self.refuse(key, f"{value!r} is neither a name nor a list of names", 'write "Name" or ["One", "Two"]')
        return tuple(listed)

    def all_names(self) -> dict[str, tuple[str, ...]]:
        return {key: self.names(key) for key in self.values}

    def cells(self, key: str) -> tuple[str, ...]:
        """Return values as they stand in a file's cells: text, numbers and truth values are taken as text."""
        value = self.values[key]
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) for one in listed):
            raise self.refuse(key, f"{value!r} is neither a value nor a list of values", 'write ["one", "other"]')
        return tuple(str(one) for one in listed)


_SECTIONS = (
    "name",
    "recognised_by",
    "files",
    "columns",
    "extra",
    "stages",
    "outcome",
    "constants",
    "replace",
    "leave_out",
    "keep",
    "lookups",
    "history",
    "marketing",
    "dates",
    "numbers",
    "rates",
    "company",
)


def _mapping(top: _Section) -> CrmMapping:
    top.only(_SECTIONS)
    columns = top.section("columns")
    if "outcome" in columns.values:
        raise columns.refuse("outcome", "an outcome has values", 'write [outcome] with column = "…", won = ["…"]')
    files, constants = top.section("files"), top.section("constants")
    files.only(("opportunities",))
    constants.only(DEAL_COLUMNS)
    dates, numbers, rates = top.section("dates"), top.section("numbers"), top.section("rates")
    dates.only(("order", "empty"))
    numbers.only(("decimal", "unit"))
    stages = {key: _stage(top.section("stages"), key) for key in top.section("stages").values}
    company = top.section("company").values
    company_from(company)
    return CrmMapping(
        name=top.text("name") or Path(top.where).stem,
        where=top.where,
        files=files.all_names(),
        columns=columns.all_names(),
        asked=frozenset(key for key, value in columns.values.items() if isinstance(value, str)),
        extra=_extra(top.section("extra")),
        stages={name: outcome for name, (outcome, _) in stages.items()},
        positions={name: position for name, (_, position) in stages.items() if position is not None},
        outcome=_outcome_rules(top),
        constants={key: constants.text(key) for key in constants.values},
        replace={key: _texts(top.section("replace").section(key)) for key in top.section("replace").values},
        leave_out={key: top.section("leave_out").cells(key) for key in top.section("leave_out").values},
        keep={key: top.section("keep").cells(key) for key in top.section("keep").values},
        lookups=_lookups(top.section("lookups")),
        history=_history(top.section("history")) if "history" in top.values else None,
        marketing=_marketing(top.section("marketing")) if "marketing" in top.values else None,
        order=cast("Literal['dmy', 'mdy', 'iso']", dates.text("order", one_of=_ORDERS)) or None,
        empty=dates.names("empty"),
        decimal=numbers.text("decimal", one_of=_DECIMALS),
        unit=_positive(numbers, "unit", 1.0, "write unit = 1000 for amounts in thousands"),
        rates={
            code: _positive(rates, code, 1.0, f"write what one {code} is worth: {code} = 0.9") for code in rates.values
        },
        company=company,
        recognised_by=_recognised_by(top),
    )


def check_deal_columns(mapping: CrmMapping) -> None:
    """Refuse a column under [columns] that is none of ours, for a mapping used alone (`generic`)."""
    _Section(mapping.columns, where=mapping.where, path="columns").only(DEAL_COLUMNS)
    for ours in NEEDED:
        if ours not in mapping.columns and ours not in mapping.constants:
            raise DataError(
                f"no column is named for it ({DEAL_COLUMNS[ours]})",
                table=mapping.where,
                column=f"columns.{ours}",
                mend=f'write {ours} = "its name in the export" under [columns]',
            )


def _stage(section: _Section, name: str) -> tuple[Outcome, float | None]:
    value = section.values[name]
    if isinstance(value, str):
        return _outcome(section, name, value), None
    entry = section.section(name)
    entry.only(("outcome", "position"))
    position = entry.values.get("position")
    if position is not None and (isinstance(position, bool) or not isinstance(position, int | float)):
        raise entry.refuse("position", f"{position!r} is no number", "write position = 3")
    return _outcome(entry, "outcome", entry.needed("outcome")), position


def _outcome(section: _Section, key: str, value: str) -> Outcome:
    if value not in OUTCOMES:
        raise section.refuse(key, f"{value!r} is not one of {', '.join(OUTCOMES)}", nearest(value, OUTCOMES))
    return cast("Outcome", value)


def _outcome_rules(top: _Section) -> tuple[OutcomeRule, ...]:
    value = top.values.get("outcome", [])
    tables = value if isinstance(value, list) else [value]
    rules = []
    for table in tables:
        if not isinstance(table, dict):
            raise top.refuse("outcome", f"{table!r} is no section", 'write [outcome] with column = "…", won = ["…"]')
        section = _Section(table, where=top.where, path="outcome")
        section.only(("column", "won", "lost", "open", "filled", "otherwise"))
        if not section.names("column"):
            raise section.refuse("column", "this key is needed", 'write column = "its name in the export"')
        said = {folded(cell).strip(): kind for kind in OUTCOMES if kind in table for cell in section.cells(kind)}
        twice = sum(len(section.cells(kind)) for kind in OUTCOMES if kind in table) - len(said)
        if twice:
            raise section.refuse("column", "a value has two meanings, or stands there twice", "name each value once")
        filled = section.text("filled", one_of=OUTCOMES)
        if not said and not filled:
            raise section.refuse("won", "no value is named", 'write won = ["…"], lost = ["…"], open = ["…"]')
        rules.append(
            OutcomeRule(
                columns=section.names("column"),
                values=said,
                filled=cast("Outcome", filled) or None,
                otherwise=cast("Outcome", section.text("otherwise", one_of=(*OUTCOMES, "stage"))) or None,
            )
        )
    return tuple(rules)


def _texts(section: _Section) -> dict[str, str]:
    return {key: section.text(key) for key in section.values}


def _extra(section: _Section) -> dict[str, tuple[str, ...]]:
    for key in section.values:
        if key in DEAL_COLUMNS or key == "outcome":
            raise section.refuse(key, "this is one of our columns", "write it under [columns]")
        if not key.isidentifier() or key != key.lower():
            raise section.refuse(key, "is no plain name", "write small letters, digits and _ : close_value")
    return section.all_names()


def _positive(section: _Section, key: str, default: float, mend: str) -> float:
    value = section.values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise section.refuse(key, f"{value!r} is no positive number", mend)
    return float(value)


def _lookups(section: _Section) -> tuple[Lookup, ...]:
    found = []
    for name in section.values:
        entry = section.section(name)
        entry.only(("file", "key", "by"))
        if not entry.names("key"):
            raise entry.refuse("key", "this key is needed", 'write key = "its column of keys"')
        found.append(
            Lookup(name=name, files=entry.names("file") or (name,), key=entry.names("key"), by=entry.needed("by"))
        )
    return tuple(found)


def _history(section: _Section) -> HistoryMapping:
    section.only(("form", "file", "columns", "fields", "entered"))
    section.needed("form")
    form = cast("Form", section.text("form", one_of=_FORMS))
    columns, fields, entered = section.section("columns"), section.section("fields"), section.section("entered")
    columns.only(HISTORY_COLUMNS)
    for key in fields.values:
        if fields.text(key) not in HISTORY_FIELDS:
            raise fields.refuse(key, f"{fields.text(key)!r} is none of ours", nearest(fields.text(key), HISTORY_FIELDS))
    wanted = {"states": ("opportunity_id", "recorded_at", "stage"), "entered": ()}
    for ours in wanted.get(form, ("opportunity_id", "recorded_at", "field", "value")):
        if ours not in columns.values:
            raise columns.refuse(ours, f"history in the form {form!r} needs this column", f'write {ours} = "…"')
    if form == "entered" and not entered.values:
        raise entered.refuse("", "no stage is named", 'write "the stage" = "the column with the day it was entered"')
    if form == "changes" and "stage" not in _texts(fields).values():
        raise fields.refuse("stage", "no field is the stage", 'write "its name for the stage" = "stage"')
    return HistoryMapping(
        form=form,
        files=section.names("file"),
        columns=columns.all_names(),
        fields=_texts(fields),
        entered=_texts(entered),
    )


def _marketing(section: _Section) -> MarketingMapping:
    section.only(_MARKETING)
    spread = section.text("spread", one_of=("deals",))
    if bool(section.text("segment")) == bool(spread):
        raise section.refuse(
            "segment",
            "one of segment and spread is needed: whose activity it is, or how it is shared out",
            'write segment = "its column", or spread = "deals" (by each segment\'s share of the deals created)',
        )
    return MarketingMapping(
        files=section.names("file") or ("marketing",),
        date=section.needed("date"),
        channel=section.text("channel"),
        segment=section.text("segment"),
        leads=section.text("leads"),
        spend=section.text("spend"),
        spread=spread,
    )


def _recognised_by(top: _Section) -> tuple[tuple[str, ...], ...]:
    value = top.values.get("recognised_by", [])
    if not isinstance(value, list) or not all(isinstance(names, list) for names in value):
        raise top.refuse("recognised_by", "is no list of lists of columns", 'write [["Deal - ID", "Deal - Status"]]')
    return tuple(tuple(str(name) for name in names) for names in value)
