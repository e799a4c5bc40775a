"""An export of any CRM -> deals, by a mapping: which rows, which columns, what their values mean.

The steps: find the files, leave out what the mapping leaves out, take the columns under our names (replaced, looked up,
constant), ask the outcome of the columns and then of the stages, read dates and numbers, choose the segment.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from forecast.data.sources.crm.deals import Deals, choose_segment
from forecast.data.sources.crm.export import Crm, Export
from forecast.data.sources.crm.mapped.files import Columns, Sheet, find_files, join_lookup, plain_key
from forecast.data.sources.crm.mapped.history import read_history
from forecast.data.sources.crm.mapped.mapping import DEAL_COLUMNS, NEEDED, CrmMapping, check_deal_columns
from forecast.data.sources.crm.mapped.marketing import read_marketing
from forecast.data.sources.crm.mapped.outcome import deal_outcomes
from forecast.data.sources.crm.values.dates import days, moments
from forecast.data.sources.crm.values.ids import whole, without_repeats
from forecast.data.sources.crm.values.names import day_in
from forecast.data.sources.crm.values.numbers import amounts, numbers, shares
from forecast.data.sources.crm.values.reading import Order, Reading
from forecast.data.sources.crm.values.stages import folded
from forecast.errors import DataError, nearest
from forecast.wording import plural

_NO_DATE = ("0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00Z")
_SEGMENTS = ("segment", "region", "territory", "sales region", "business unit", "sales team", "team", "pipeline")
_DATES = ("created_on", "expected_close_on", "closed_on", "won_on", "lost_on", "touched_on")
_COMPANYS = re.compile(r"(?:base|home|company|corporate|reporting)currency|converted|usdollar|umgerechnet|konvertiert")
"""Names, as `plain_key` gives them, of amounts that a CRM has converted to the company's currency."""
_SHOWN = 5


def assemble(
    mapping: CrmMapping,
    tables: list[Sheet],
    *,
    timezone: str,
    order: Order | None = None,
    segment_column: str | None = None,
) -> Deals:
    """Return the deals of an export.

    Parameters
    ----------
    tables : the export's; see `tables_in`. timezone : the company's.
    order : the order of day and month where dates are numbers; the mapping's where not given.
    segment_column : theirs, or `lookup.column`; before what the mapping says.

    Raises DataError for what is not there, or has values that cannot be read or are not known; ParameterError for a
    segment column that is not there.
    """
    check_deal_columns(mapping)
    found = find_files(mapping, tables)
    table = found.tables["opportunities"]
    notes = [note for one in found.tables.values() for note in one.notes]
    raw = _kept(mapping, table, notes)
    reading = Reading(
        table=table.file,
        timezone=timezone,
        order=order or mapping.order,
        decimal=mapping.decimal or table.decimal,
        decimal_said=mapping.decimal,
        frame=raw,
        notes=notes,
    )
    columns = Columns(found, raw)
    frame = _one_row_a_deal(columns, reading, mapping)
    frame["probability"] = shares(frame["probability"], reading, column="probability")
    open_by_name: set[str] = set()
    frame["outcome"] = deal_outcomes(
        columns, frame["stage"], frame["probability"], notes=notes, open_by_name=open_by_name
    )
    frame = _read_values(frame, columns, reading)
    frame["segment"] = _segment(columns, frame, segment_column, notes)
    history = read_history(found, frame, reading)
    if mapping.history is None:
        notes.append("the mapping names no history: stages, amounts and dates of past days are unknown")
    _note_unused(columns, notes)
    return Deals(
        opportunities=frame,
        history=history,
        reference=_reference(mapping, frame),
        currencies=_currencies(mapping),
        marketing=read_marketing(found, frame["segment"], reading),
        exported_on=day_in(table.name),
        extra=tuple(mapping.extra),
        open_by_name=open_by_name,
        notes=notes,
    )


def _one_row_a_deal(columns: Columns, reading: Reading, mapping: CrmMapping) -> pd.DataFrame:
    """Return the deals' columns as text; of a deal that stands there twice, the row that changed last."""
    frame = _text_columns(columns, reading.notes)
    if "opportunity_id" in columns.taken:
        called = columns.taken["opportunity_id"]
        frame["opportunity_id"] = whole(frame["opportunity_id"], table=reading.table, column=called)
    changed_at = moments(_dated(frame["touched_on"], mapping), reading, column=columns.taken.get("touched_on", ""))
    return without_repeats(frame, "opportunity_id", changed_at=changed_at, table=reading.table, notes=reading.notes)


def _kept(mapping: CrmMapping, table: Sheet, notes: list[str]) -> pd.DataFrame:
    """Return the rows of the deals that the mapping does not leave out, with a note of their number."""
    frame = table.frame
    kept = pd.Series(True, index=frame.index)
    for section, values_of in (("leave_out", mapping.leave_out), ("keep", mapping.keep)):
        for name, values in values_of.items():
            column = table.find([name])
            if column is None and mapping.shipped and f"{section}.{name}" not in mapping.asked:
                continue
            if column is None:
                mend = nearest(name, table.columns)
                raise DataError("there is no such column", table=mapping.where, column=f"{section}.{name}", mend=mend)
            hit = frame[column].fillna("").map(_cell).isin([_cell(value) for value in values])
            chosen = hit if section == "keep" else ~hit
            count = int((kept & ~chosen).sum())
            if count or not mapping.shipped:
                how = "is none of" if section == "keep" else "is"
                listed = ", ".join(map(repr, values))
                notes.append(f"{plural(count, 'deal is', 'deals are')} left out, since their {column} {how} {listed}")
            kept &= chosen
    if not kept.any():
        mend = f"see [keep] and [leave_out] of {mapping.where}" if len(frame) else "export it again"
        raise DataError("no deal is left", table=table.file, mend=mend)
    return frame[kept]


def _cell(value: str) -> str:
    """Return a cell's text as it is compared."""
    return folded(value).strip()


def _text_columns(columns: Columns, notes: list[str]) -> pd.DataFrame:
    """Return our columns as text: theirs, replaced, looked up, and constants where they are empty."""
    mapping, found = columns.found.mapping, columns.found
    frame = pd.DataFrame(index=columns.frame.index)
    for lookup in mapping.lookups:
        if lookup.name in found.tables and lookup.by not in DEAL_COLUMNS:
            keys = columns.get(lookup.by, [lookup.by], needed=not mapping.shipped)
            if keys is not None:
                join_lookup(found, lookup, keys, notes)
    # The keys of lookups first: their columns may be asked for by all others.
    by_ours = {lookup.by: lookup for lookup in mapping.lookups if lookup.by in DEAL_COLUMNS}
    for ours in dict.fromkeys([*by_ours, *DEAL_COLUMNS]):
        if ours != "segment" and ours in mapping.columns:
            values = columns.get(ours, mapping.columns[ours], needed=ours in mapping.asked or ours in NEEDED)
            if values is not None:
                frame[ours] = _replaced(mapping, ours, values, columns.file, notes)
        if ours in by_ours and ours in frame and by_ours[ours].name in found.tables:
            join_lookup(found, by_ours[ours], frame[ours], notes)
    for ours, names in mapping.extra.items():
        frame[ours] = columns.get(ours, names, needed=True)
    for ours, value in mapping.constants.items():
        if ours != "segment":
            there = frame[ours] if ours in frame else pd.Series(pd.NA, index=frame.index, dtype="str")
            frame[ours] = there.fillna(value).astype("str")
    for ours in ("opportunity_id", "stage", "probability", "touched_on", "closed_on", "expected_close_on"):
        if ours not in frame:
            frame[ours] = pd.Series(pd.NA, index=frame.index, dtype="str")
    _without_ids(frame, columns, notes)
    return frame


def _replaced(mapping: CrmMapping, ours: str, values: pd.Series, file: str, notes: list[str]) -> pd.Series:
    pairs = mapping.replace.get(ours)
    if not pairs:
        return values
    for old, new in pairs.items():
        notes.append(f"{file}: {ours} {old!r} is read as {new!r} in {plural(int((values == old).sum()), 'row')}")
    return values.replace(dict(pairs))


def _without_ids(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> None:
    """Number the rows where the export has no identifiers at all; refuse single ones that are missing."""
    if frame["opportunity_id"].isna().all():
        frame["opportunity_id"] = [f"row {label}" for label in frame.index]
        looked_for = ", ".join(columns.found.mapping.columns.get("opportunity_id", ("opportunity_id",)))
        notes.append(
            f"{columns.file}: no column of identifiers ({looked_for}): rows are numbered; a deal that stands there "
            "twice is not seen, and the next export's deals have other numbers"
        )


def _read_values(frame: pd.DataFrame, columns: Columns, reading: Reading) -> pd.DataFrame:
    """Return the frame with dates, moments and numbers read from their text."""
    mapping = columns.found.mapping
    out = frame.copy()
    named = {ours: columns.taken.get(ours, ours) for ours in out}
    for ours in _DATES:
        if ours in out:
            out[ours] = _dated(out[ours], mapping)
    money = amounts(out["amount"], reading, column=named["amount"])
    out["amount"] = money.numbers * mapping.unit
    if "currency" in out and _COMPANYS.search(plain_key(named["amount"])):
        reading.say(named["amount"], "in the company's currency by its name, so that no rates are needed")
        out = out.drop(columns="currency")
    elif "currency" not in out and money.currency is not None and money.currency.notna().any():
        out["currency"] = money.currency
    out["created_at"] = moments(out["created_on"], reading, column=named["created_on"])
    out["created_on"] = days(out["created_on"], reading, column=named["created_on"], timed=True)
    out["touched_at"] = moments(out["touched_on"], reading, column=named["touched_on"])
    out["expected_close_on"] = days(out["expected_close_on"], reading, column=named["expected_close_on"])
    out["closed_on"] = _closed_on(out, named, reading)
    if out["touched_at"].isna().all():
        # A deal was changed last when it closed, as far as such an export tells; the day of the export rests on it.
        closing = out["closed_on"].dt.tz_localize(reading.timezone, ambiguous=True, nonexistent="shift_forward")
        out["touched_at"] = closing.dt.tz_convert("UTC")
    for ours in ("lead_score", "units", "stage_position"):
        if ours in out:
            out[ours] = numbers(out[ours], reading, column=named[ours])
    if "lost_reason" in out:
        out["lost_reason"] = out["lost_reason"].where(out["outcome"] == "lost")
    return out


def _dated(values: pd.Series, mapping: CrmMapping) -> pd.Series:
    """Return a column of dates without what stands for "no date"."""
    return values.mask(values.isin([*_NO_DATE, *mapping.empty]))


def _closed_on(frame: pd.DataFrame, named: dict[str, str], reading: Reading) -> pd.Series:
    """Return the day a deal closed: that of its outcome where there is one, else that of closing."""
    closed = days(frame["closed_on"], reading, column=named["closed_on"], timed=True)
    for kind in ("won", "lost"):
        ours = f"{kind}_on"
        if ours in frame:
            day = days(frame[ours], reading, column=named[ours], timed=True)
            closed = day.where((frame["outcome"] == kind) & day.notna(), closed)
    return closed.where(frame["outcome"] != "open")


def _segment(columns: Columns, frame: pd.DataFrame, segment_column: str | None, notes: list[str]) -> pd.Series:
    """Return each deal's segment: as asked, as the mapping says, else as for any CRM."""
    mapping, found = columns.found.mapping, columns.found
    constant = mapping.constants.get("segment")
    names = mapping.columns.get("segment", ())
    if constant is not None and segment_column is None and not names:
        return pd.Series(constant, index=frame.index, dtype="str")
    lookups = {lookup.name for lookup in mapping.lookups}
    pairs = []
    for name in names or _SEGMENTS:
        role, dot, column = name.partition(".")
        pairs.append((role, column) if dot and role in lookups else ("opportunities", name))
    crm = Crm(name=mapping.name, files=(), segments=tuple(pairs))
    export = Export(crm=crm, folder=Path())
    for role, table in found.tables.items():
        export.raw[role] = table.frame if role != "opportunities" else columns.frame
        export.files[role] = table.file
    joined = {"opportunities": pd.Series(frame.index, index=frame.index), **found.rows}
    asked = segment_column if segment_column is not None else (names[0] if "segment" in mapping.asked else None)
    segment, where_from = choose_segment(export, joined, asked)
    notes.append(where_from)
    segment = _replaced(mapping, "segment", segment, columns.file, notes)
    columns.used.update(name for name in map(str, columns.frame.columns) if name in where_from)
    return segment


def _reference(mapping: CrmMapping, frame: pd.DataFrame) -> pd.DataFrame | None:
    """Return stage, outcome, position of the stages, where the mapping or the export gives their order."""
    positions: dict[str, float] = dict(mapping.positions)
    if "stage_position" in frame:
        first = frame.dropna(subset=["stage", "stage_position"]).drop_duplicates("stage").set_index("stage")
        positions = {**{str(key): float(value) for key, value in first["stage_position"].items()}, **positions}
    if not positions:
        return None
    # Only the order is told: a deal's own outcome was asked of its columns, and `outcome` of a stage would overrule it.
    today = frame.groupby("stage")["outcome"].agg(lambda kinds: kinds.iloc[0] if kinds.nunique() == 1 else "open")
    table = pd.DataFrame({"stage": list(positions), "position": list(positions.values())})
    table["outcome"] = table["stage"].map({**mapping.stages, **today.to_dict()}).fillna("open").astype("str")
    return table


def _currencies(mapping: CrmMapping) -> pd.DataFrame | None:
    if not mapping.rates:
        return None
    return pd.DataFrame({"currency": list(mapping.rates), "plan_rate": list(mapping.rates.values())})


def _note_unused(columns: Columns, notes: list[str]) -> None:
    history = columns.found.mapping.history
    entered = {columns.found.deals.called(name) for name in history.entered.values()} if history else set()
    rest = [str(name) for name in columns.frame.columns if str(name) not in columns.used | entered]
    if rest:
        notes.append(f"{columns.file}: columns not brought over: {', '.join(rest)}")
    if columns.found.unused:
        notes.append(f"files not brought over: {', '.join(columns.found.unused)}")
