"""One figure under one definition: its value with a 95 % interval, on how much it rests, and what it means.

A question such as "what share of our proposals do we win?" has several sensible answers, which differ by what counts
as a proposal and as an end. Each is a row, so that nobody takes one for another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pandas as pd

from forecast.data.schema import TOTAL

UNITS = ("share", "money", "ratio", "count", "months")
"""What a value may be: a share from 0 to 1, money in the reporting currency, a ratio, a count, or months."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A figure under one definition, in one segment or in all.

    figure : the question, as `benchmarks` names it (`reps at quota`). definition : which answer (`by tenure: first
    year`). means : what exactly is counted, in a sentence without a full stop. of : what a share is a share of, in the
    plural (`reps`, `revenue`); empty where it is no share. segment : `Total` = all of them.
    value, low, high : the figure and the ends of its 95 % interval, NaN where it cannot be known. n, n_of : how many it
    rests on, and of what, in the singular (`rep`, `deal`, `month`). first, last : the months it covers, as text.
    missing : why the value is not known and which table or column would bring it; empty where it is known.
    before, after, change, change_low, change_high, change_p, verdict : the figure before and since joint planning
    began, and its change by the inference of the planning effect; NaN and empty where it was not asked. why : of a
    verdict `not identified` the reason; else empty.
    """

    figure: str
    definition: str
    means: str
    unit: str
    of: str = ""
    segment: str = TOTAL
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0
    n_of: str = ""
    first: str = ""
    last: str = ""
    missing: str = ""
    before: float = float("nan")
    after: float = float("nan")
    change: float = float("nan")
    change_low: float = float("nan")
    change_high: float = float("nan")
    change_p: float = float("nan")
    verdict: str = ""
    why: str = ""


COLUMNS = tuple(field.name for field in fields(Definition))


def as_table(definitions: Iterable[Definition]) -> pd.DataFrame:
    """Return definitions as a table, one row each, columns COLUMNS.

    >>> row = Definition(figure="close rate", definition="won/closed", means="deals won", unit="share", value=0.5)
    >>> as_table([row])[["figure", "segment", "value"]].to_dict("records")
    [{'figure': 'close rate', 'segment': 'Total', 'value': 0.5}]
    """
    return pd.DataFrame([asdict(each) for each in definitions], columns=list(COLUMNS))
