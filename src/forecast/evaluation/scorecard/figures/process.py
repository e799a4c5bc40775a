"""How far deals follow a sales process, measured from history instead of asked: random, informal, formal or dynamic.

Simple case: a deal passes the open stages one after the other until it closes. Of each deal that closed four things are
asked of its history, and the shares of deals that hold them are the figures:

- its stages are in order: it never moves back;
- none is skipped: a deal won has been in each open stage, one lost in each up to the furthest it reached;
- its close date is kept in the future: at the end of no day is it open and past its date, or without one;
- no stage is stalled: it never stands unchanged in a stage for longer than 90 % of the stays in that stage last.

The levels have the names of the survey's publisher, the thresholds are ours: see `level`. What companies answered of
themselves is another thing than what a history shows, so the two are never ranked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.codes import places
from forecast.data.known.coding import codes_of
from forecast.data.schema import TOTAL
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.figures.since_joint import Monthly
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.spans import Span

FIGURE = "formal sales process"
LEVELS = ("random", "informal", "formal", "dynamic")
INFORMAL, FORMAL, DYNAMIC = 0.5, 0.8, 0.8
"""Share of deals that pass the stages in order with none skipped from which on a process is informal, and formal; and
share of deals with close dates kept and no stage stalled from which on a formal one is dynamic."""

LONGEST = 0.9
"""Quantile of the stays in a stage beyond which a deal that stands there unchanged is stalled."""

FEWEST_STAYS, FEWEST_DEALS = 20, 10
"""Stays in a stage below which nothing is called stalled there, and deals below which a segment has no level."""

NEEDS = "needs opportunity_history"
_SHARES = {
    "in_order": ("stages in order", "deals closed that never moved back to an earlier stage"),
    "none_skipped": (
        "none skipped",
        "deals closed that were in each open stage; lost ones in each up to the furthest they reached",
    ),
    "followed": ("in order and none skipped", "deals closed that never moved back and skipped no stage"),
    "dates_kept": ("close dates kept", "deals closed that at the end of no day were open past their close date"),
    "not_stalled": (
        "no stage stalled",
        f"deals closed that never stood unchanged for longer than {100 * LONGEST:.0f} % of the stays in the stage",
    ),
    "tended": ("close dates kept and no stage stalled", "deals closed whose date was kept and that never stalled"),
}
_LEVEL = "level"
_LEVEL_MEANS = f"the level of the process: {', '.join(f'{at} {name}' for at, name in enumerate(LEVELS))}"
_SEGMENTS = "segments whose process is formal or dynamic"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The deals of a segment, or of all."""

    segment: str
    deals: pd.DataFrame
    span: Span


def process(known: Known, span: Span) -> list[Definition]:
    """Return how far the deals closed in a span followed the process: each share, the level, for segments and all.

    Intervals: Wilson's with the number of deals over the design effect of the months of closing, since the deals of a
    quarter's end are hurried together. That of a level is from the level at the low ends to that at the high ends.
    """
    deals = followed_by_deal(known)
    if deals is None:
        return [_missing(name, means, NEEDS, span) for name, means in _names()]
    deals = deals[span.has(deals["period"])]
    if deals.empty:
        why = "no deal with a history closed in these months"
        return [_missing(name, means, why, span) for name, means in _names()]
    parts = [_Part(segment=TOTAL, deals=deals, span=span)]
    parts += [_Part(segment=str(name), deals=rows, span=span) for name, rows in deals.groupby("segment", sort=True)]
    rows, levels = [], {}
    for part in parts:
        shares = {name: _share(part, name) for name in _SHARES}
        found = _level(part, shares)
        rows += [*shares.values(), found]
        if part.segment != TOTAL and not found.missing:
            levels[part.segment] = found.value
    return [*rows, _of_segments(levels, span)]


def level(followed: float, tended: float) -> int:
    """Return the level, a place in LEVELS, of two shares of deals: stages followed, close dates kept and none stalled.

    `random` below INFORMAL of deals that follow the stages, `informal` below FORMAL, `formal` from there on, `dynamic`
    where besides DYNAMIC of the deals are tended.

    >>> [LEVELS[level(*shares)] for shares in ((0.4, 1.0), (0.6, 1.0), (0.9, 0.5), (0.9, 0.8))]
    ['random', 'informal', 'formal', 'dynamic']
    """
    if followed < FORMAL:
        return int(followed >= INFORMAL)
    return 2 + int(tended >= DYNAMIC)


def followed_by_deal(known: Known) -> pd.DataFrame | None:
    """Return a row a deal that is closed and has rows of history: segment, period (closed), and what holds of it.

    in_order, none_skipped, followed (both), dates_kept, not_stalled, tended (both) : bool. None without history.
    """
    history = known.snap.history
    if history is None or history.empty:
        return None
    rows = _open_rows(known, history)
    by_deal = rows.groupby("deal", sort=True)
    deals = known.closed[["opportunity_id", "segment", "period", "outcome"]].reset_index(drop=True)
    deals = deals.loc[np.unique(rows["deal"])].copy()
    deals["in_order"] = ~by_deal["back"].any()
    stages = known.snap.stages
    positions = np.unique(stages.loc[stages["outcome"] == "open", "position"].to_numpy(dtype=np.float64))
    been, furthest = by_deal["position"].nunique(), by_deal["position"].max()
    asked = np.where(deals["outcome"] == "won", len(positions), np.searchsorted(positions, furthest, side="right"))
    deals["none_skipped"] = been.to_numpy() == asked
    deals["dates_kept"] = by_deal["kept"].all()
    deals["not_stalled"] = ~by_deal["stalled"].any()
    deals["followed"] = deals["in_order"] & deals["none_skipped"]
    deals["tended"] = deals["dates_kept"] & deals["not_stalled"]
    return deals.reset_index(drop=True)


def _open_rows(known: Known, history: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of history in which closed deals were open: deal (place in `closed`), position, back, kept,
    stalled; as each stood until the next row, or until the deal closed."""
    closed, stages = known.closed.reset_index(drop=True), known.snap.stages
    meaning = stages.drop_duplicates("stage")
    # Numbers alone: a name a row would take more memory than all of this.
    deal, stage = places(history["opportunity_id"], closed["opportunity_id"]), tuple(meaning["stage"])
    of_closed = np.flatnonzero(deal >= 0)
    rows = history[["recorded_on", "expected_close_on"]].iloc[of_closed]
    rows = rows.assign(deal=deal[of_closed], stage=codes_of(history["stage"], stage)[of_closed])
    last = rows["deal"].ne(rows["deal"].shift(-1))
    until = rows["recorded_on"].shift(-1).mask(last, closed["closed_on"].to_numpy()[rows["deal"]])
    rows["days"] = (until - rows["recorded_on"]).dt.days.clip(lower=0)
    overdue = (rows["expected_close_on"] < until - pd.Timedelta(days=1)) | rows["expected_close_on"].isna()
    rows["kept"] = ~(overdue & (rows["days"] > 0))
    is_open = np.append((meaning["outcome"] == "open").to_numpy(dtype=bool), False)[rows["stage"]]  # not where unknown
    rows = rows[is_open].drop(columns=["recorded_on", "expected_close_on"])
    rows["position"] = meaning["position"].to_numpy(dtype=np.float64)[rows["stage"]]
    same_deal = rows["deal"].eq(rows["deal"].shift())
    rows["back"] = same_deal & (rows["position"] < rows["position"].shift())
    stay = (~same_deal | rows["stage"].ne(rows["stage"].shift())).cumsum()
    stays = rows.groupby(stay).agg(stage=("stage", "first"), days=("days", "sum"))
    by_stage = stays.groupby("stage")["days"]
    longest = by_stage.quantile(LONGEST).where(by_stage.size() >= FEWEST_STAYS, np.inf)
    limits = longest.reindex(range(len(stage))).to_numpy(dtype=np.float64)
    rows["stalled"] = rows["days"].to_numpy() > limits[rows["stage"]]
    return rows


def monthly(known: Known, span: Span) -> list[Monthly]:
    """Return by segment and month of closing the share of deals that followed the stages, and that were tended."""
    deals = followed_by_deal(known)
    if deals is None or deals.empty:
        return []
    deals = deals[span.has(deals["period"])]
    out = []
    for column in ("followed", "tended"):
        values = deals.groupby(["segment", "period"])[column].mean().astype(float).rename("value").reset_index()
        values = values.assign(period=period_labels(values["period"]))
        out.append(Monthly(figure=FIGURE, definition=_SHARES[column][0], values=values))
    return out


def _share(part: _Part, column: str) -> Definition:
    name, means = _SHARES[column]
    held = part.deals[column].to_numpy(dtype=bool)
    low, high = intervals.share_by(held, part.deals["period"])
    row = _missing(name, means, "", part.span, segment=part.segment)
    return replace(row, value=float(held.mean()), low=low, high=high, n=len(held))


def _level(part: _Part, shares: dict[str, Definition]) -> Definition:
    """Return the row of the level of a segment, with those at the ends of its shares' intervals."""
    row = replace(_missing(_LEVEL, "", "", part.span, segment=part.segment), unit="count", of="", n=len(part.deals))
    if len(part.deals) < FEWEST_DEALS:
        why = f"fewer than {FEWEST_DEALS} deals closed in these months"
        return replace(row, means=_LEVEL_MEANS, missing=why, n=len(part.deals))
    followed, tended = shares["followed"], shares["tended"]
    value = level(followed.value, tended.value)
    means = (
        f"{LEVELS[value]}, level {value} of 0 to {len(LEVELS) - 1}: {100 * followed.value:.0f} % of deals passed the"
        f" stages in order with none skipped (informal from {100 * INFORMAL:.0f} %, formal from {100 * FORMAL:.0f} %),"
        f" and {100 * tended.value:.0f} % kept their close date and never stalled (dynamic from {100 * DYNAMIC:.0f} %)"
    )
    if np.isnan(followed.low) or np.isnan(tended.low):
        return replace(row, means=means, value=float(value))
    low, high = level(followed.low, tended.low), level(followed.high, tended.high)
    return replace(row, means=means, value=float(value), low=float(low), high=float(high))


def _of_segments(levels: dict[str, float], span: Span) -> Definition:
    row = replace(_missing(_SEGMENTS, _SEGMENTS, "", span), of="segments", n_of="segment")
    if not levels:
        return replace(row, missing=f"no segment closed {FEWEST_DEALS} deals in these months")
    formal = np.array([value >= LEVELS.index("formal") for value in levels.values()])
    low, high = intervals.share(formal)
    return replace(row, value=float(formal.mean()), low=low, high=high, n=len(formal))


def _names() -> list[tuple[str, str]]:
    return [*_SHARES.values(), (_LEVEL, _LEVEL_MEANS), (_SEGMENTS, _SEGMENTS)]


def _missing(name: str, means: str, why: str, span: Span, *, segment: str = TOTAL) -> Definition:
    return Definition(
        figure=FIGURE,
        definition=name,
        means=means,
        unit="share",
        of="deals closed",
        segment=segment,
        n_of="deal",
        first=span.first_label,
        last=span.last_label,
        missing=why,
    )
