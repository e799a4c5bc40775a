"""What the scorecard says, in sentences and in units."""

from __future__ import annotations

import pandas as pd

from forecast import wording

_SAME = 0.02


def finding(table: pd.DataFrame) -> str:
    """Return how many of the survey's figures we are above."""
    known = table[table["survey"].notna() & table["ours"].notna()] if len(table) else table
    if known.empty:
        return "Nothing can be held beside the survey yet"
    if len(known) == 1:
        row = known.iloc[0]
        return f"{'Above' if row['ours'] > row['survey'] else 'Not above'} the survey on {row['measure']}"
    # A figure within two points of the survey's is about the same.
    apart = known["ours"] - known["survey"]
    counts = [
        (int((apart > _SAME).sum()), "above"),
        (int((apart.abs() <= _SAME).sum()), "about the same"),
        (int((apart < -_SAME).sum()), "below"),
    ]
    said = wording.joined(f"{wording.spelt(count)} {word}" for count, word in counts if count)
    return f"Beside the survey, {said}"


def value_in(value: float | None, unit: str, *, currency: str) -> str:
    """Return a figure of the scorecard in its unit."""
    if not wording.known(value):
        return wording.UNKNOWN
    if unit == "share":
        return wording.percent(value)
    return wording.money(value, currency=currency) if unit == "money" else wording.number(value)


def missing(table: pd.DataFrame) -> str:
    """Return which figures the tables cannot say, and what would bring them."""
    unknown = table[table["ours"].isna()]
    if unknown.empty:
        return ""
    return f"Unknown: {wording.joined(unknown['measure'])}. The table below says what would bring them."


def shown(table: pd.DataFrame, *, currency: str) -> pd.DataFrame:
    """Return the scorecard for reading: every figure in its unit, as text."""
    said = {
        name: [value_in(value, unit, currency=currency) for value, unit in zip(table[name], table["unit"], strict=True)]
        for name in ("ours", "previous")
    }
    out = table[["measure", "note"]].assign(**said)
    # "more people", "lower cost" are what one hopes for; the table says what came.
    out["measure"] = out["measure"].str.replace(r"^(more [a-z]+|lower cost): ", "", regex=True)
    out["change"] = [_change(row) for _, row in table.iterrows()]
    return out


def sentences(table: pd.DataFrame) -> list[str]:
    """Return which figures rose and which fell against the 12 months before."""
    known = table[table["change"].notna()]
    if known.empty:
        return ["There is no year before to compare with."]
    said = []
    for word, rows in (("Higher", known[known["change"] > 0]), ("Lower", known[known["change"] < 0])):
        if len(rows):
            said.append(f"{word} than a year ago: {wording.joined(rows['measure'])}.")
    same = known[known["change"] == 0]
    return [*said, *([f"As a year ago: {wording.joined(same['measure'])}."] if len(same) else [])]


def _change(row: pd.Series) -> str:
    now, then = row["ours"], row["previous"]
    if not (wording.known(now) and wording.known(then)):
        return "–"
    if row["unit"] == "share":
        # Of the figures as they are shown, so that the row adds up.
        return wording.points(round(now, 2) - round(then, 2), short=True)
    return wording.percent(now / then - 1, sign=True) if then else "–"
