"""A file of marketing's activity -> the table `marketing`, a row a month, segment and channel.

Simple case: each row has a day, a channel and a segment; rows are counted as leads, or a column is summed. The
complication: activity of the whole company. It is shared out by each segment's part of the deals created in all, a
choice, not a fact of the data: a note says so.
"""

from __future__ import annotations

import pandas as pd

from forecast.data.sources.crm.mapped.files import Found
from forecast.data.sources.crm.values.dates import days
from forecast.data.sources.crm.values.numbers import numbers
from forecast.data.sources.crm.values.reading import Reading
from forecast.wording import plural

_DECIMALS = 2


def read_marketing(found: Found, segment: pd.Series, reading: Reading) -> pd.DataFrame | None:
    """Return period, segment, [channel], leads, [spend]; None where the mapping names no such file, or it is not there.

    segment : each deal's, by whose numbers company-wide activity is shared out.
    """
    mapping = found.mapping.marketing
    if mapping is None or "marketing" not in found.tables:
        return None
    sheet = found.tables["marketing"]
    reading = Reading(
        table=sheet.file,
        timezone=reading.timezone,
        order=reading.order,
        decimal=found.mapping.decimal or sheet.decimal,
        frame=sheet.frame,
        notes=reading.notes,
    )

    def column(ours: str, theirs: str) -> pd.Series:
        return sheet.frame[sheet.get([theirs], ours=f"marketing.{ours}", where=found.mapping.where)]

    day = days(column("date", mapping.date), reading, column=mapping.date, timed=True)
    rows = pd.DataFrame({"period": day.dt.strftime("%Y-%m")})
    for ours, theirs in (("segment", mapping.segment), ("channel", mapping.channel)):
        if theirs:
            rows[ours] = column(ours, theirs).fillna("Unknown")
    rows["leads"] = numbers(column("leads", mapping.leads), reading, column=mapping.leads) if mapping.leads else 1.0
    measures = ["leads"]
    if mapping.spend:
        rows["spend"] = numbers(column("spend", mapping.spend), reading, column=mapping.spend)
        measures.append("spend")
    undated = int(rows["period"].isna().sum())
    if undated:
        reading.notes.append(
            f"{sheet.file}: {plural(undated, 'row without a date is', 'rows without a date are')} left out"
        )
    keys = [name for name in ("period", "segment", "channel") if name in rows]
    table = rows.groupby(keys, as_index=False)[measures].sum()
    if mapping.spread:
        table = _spread(table, segment, measures)
        reading.notes.append(
            f"{sheet.file} belongs to the company: each segment is given it by its share of the deals created in all"
        )
    return table[[name for name in ("period", "segment", "channel", *measures) if name in table]]


def _spread(table: pd.DataFrame, segment: pd.Series, measures: list[str]) -> pd.DataFrame:
    """Return a row a segment for each of the company's, its measures by the segment's share of the deals."""
    shares = segment.value_counts(normalize=True).rename("share").rename_axis("segment").reset_index()
    spread = table.merge(shares, how="cross")
    for name in measures:
        spread[name] = (spread[name] * spread["share"]).round(_DECIMALS)
    return spread.drop(columns="share")
