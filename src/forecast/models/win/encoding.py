"""How an open deal becomes columns of numbers: which covariates are in use, and what stands in each column.

Simple case: a text column has a column of its own for each level, a number column is one (`Encoding`). Before that,
`vocabulary` chooses what there is to encode: columns that know the outcome, or tell nothing, are left out.

A row of the design is a handful of (column, value) pairs: `Encoding.fixed_pieces` and `Encoding.step_pieces` give
them, everything else follows. Number columns enter as normal scores, a monotone map under which what was seen looks
like a standard normal sample: a column that a company brings may be heavy-tailed, a count, or nearly a flag. Its ranks
are not (van der Waerden, *Indagationes Mathematicae* 14, 1952), so no choice of logs or cuts has to be made, and one
giant value moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtri

from forecast.data.audit.leaks import leaking
from forecast.data.known.coding import NONE, Column, in_parts
from forecast.data.known.events import MONTHS
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.schema import OUTCOMES
from forecast.models.win.event_kinds import block_of
from forecast.models.win.landmarks import UNDATED, Rows, States

AGE_EDGES = np.array([1.0, 2.0, 3.0, 6.0, 12.0])
"""Months that part the age groups."""

LEAD_SOURCE = "lead_source"
KEPT_DATES = ("type", LEAD_SOURCE)
"""Columns that say whose expected close date is as good as a contract: renewals are booked when they say."""

KEPT_RIDGE = 20.0
"""Least ridge of how much more, or less, the close date says of a type or a source than of all deals."""

PLANNED_RIDGE = 200.0
"""Least ridge of what joint planning changes: a segment that plans jointly is thought to be much as before."""

EVENT_RIDGE = 250.0
"""Least ridge of what an event changes in its months: most are thought to change little."""

SEASON_RIDGE = 600.0
"""Months of the year are thought to differ by some 7 % beyond their place in the quarter (a precision of 200), and a
win is in the rows of some three landmarks."""

_MOST_LEVELS = 40
_LEAK_SAMPLE = 15_000
"""Deals on which columns that know the outcome are looked for."""

_DUE_SPAN = 3
_DUE_LEVELS = 2 * _DUE_SPAN + 2
_CHUNK = 2048
_KNOTS = 64

Piece = tuple[str, np.ndarray, np.ndarray | None]
"""A term, the column each deal or row has in it, and the value there; None for 1."""


# -- the columns in use --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The levels behind the codes, and the covariates in use: text columns, number columns.

    `amount` says whether the amount is one; `left_out` are columns that know the outcome, with the evidence.
    `places` maps the codes of a text column (and NONE, last) to its columns in the design, NONE where a level has none.
    """

    stages: tuple[str, ...]
    segments: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    amount: bool = True
    left_out: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, np.ndarray] = field(default_factory=dict)

    def width(self, name: str) -> int:
        """Return how many levels of a text column have a column of their own."""
        return int(self.places[name].max(initial=NONE)) + 1

    @property
    def sources(self) -> int:
        """How many lead sources have a column of their own; 0 where the column is not in use."""
        return self.width(LEAD_SOURCE) if LEAD_SOURCE in self.factors else 0

    def source_of(self, states: States) -> np.ndarray:
        """Return the place of each deal's lead source among these, (n,); NONE where it has none."""
        if LEAD_SOURCE not in self.factors:
            return np.full(len(states), NONE)
        return np.asarray(self.places[LEAD_SOURCE][states.factors[LEAD_SOURCE]])

    def without(self, names: frozenset[str]) -> Vocabulary:
        """Return the vocabulary less some covariates."""
        factors = {name: levels for name, levels in self.factors.items() if name not in names}
        numbers = tuple(name for name in self.numbers if name not in names)
        places = {name: self.places[name] for name in ("segment", *factors)}
        return replace(self, factors=factors, numbers=numbers, places=places)


def vocabulary(view: KnownState) -> Vocabulary:
    """Return the levels of the columns known by a day.

    A text column of more than 40 levels keeps its 40 most frequent ones (owner keeps all). Left out are a column of
    one value, one of one number a stage (the CRM's probability, as a rule), and one that knows the outcome
    (`data.audit.leaks`) by what was known that day.
    """
    ledger = view.ledger
    left_out = _leaks(view)
    recorded = ledger.day <= view.day
    factors: dict[str, tuple[str, ...]] = {}
    places = {"segment": _segment_places(view)}
    numbers: list[str] = []
    for name, column in ledger.columns.items():
        if name in left_out:
            continue
        counts = _counts(column, view.known if column.recorded is None else recorded)
        if _is_number(column, counts):
            if _number_helps(view, column, recorded):
                numbers.append(name)
            continue
        assert column.levels is not None
        frequent = _frequent(counts, most=None if name == "owner" else _MOST_LEVELS)
        if len(frequent) > 1:
            places[name] = np.full(len(column.levels) + 1, NONE)
            places[name][frequent] = np.arange(len(frequent))
            factors[name] = column.levels
    return Vocabulary(
        stages=ledger.stages,
        segments=ledger.segments,
        factors=factors,
        numbers=tuple(numbers),
        amount="amount" not in left_out,
        left_out=left_out,
        places=places,
    )


def _segment_places(view: KnownState) -> np.ndarray:
    """Return the design's column of each segment code; NONE for segments not yet born: no fit depends on these."""
    counts = np.bincount(view.segment[view.known & (view.segment != NONE)], minlength=len(view.ledger.segments))
    exists = counts > 0
    return np.append(np.where(exists, np.cumsum(exists) - 1, NONE), NONE)


def _counts(column: Column, known: np.ndarray) -> np.ndarray:
    """Return how often each level is there among what is known, (levels,); none of a column of numbers.

    known : (n,) or, where history carries the column, (m,) bool.
    """
    out = np.zeros(len(column.levels or ()), dtype=np.int64)
    if column.levels is not None:
        for codes, there in in_parts(column.fixed if column.recorded is None else column.recorded, known):
            out += np.bincount(codes[there & (codes != NONE)], minlength=len(out))
    return out


def _frequent(counts: np.ndarray, *, most: int | None) -> np.ndarray:
    """Return the codes that occur, ascending; of more than `most` the most frequent. counts : (levels,)."""
    order = np.argsort(-counts, kind="stable")
    return np.sort(order[counts[order] > 0][:most])


def _leaks(view: KnownState) -> dict[str, str]:
    """Return the columns history does not carry that know the outcome, and the evidence."""
    ledger, deals = view.ledger, np.flatnonzero(view.known)
    deals = deals[np.argsort(ledger.created_on[deals], kind="stable")]
    deals = deals[:: 1 + len(deals) // _LEAK_SAMPLE]
    frame = {}
    for name, column in ledger.columns.items():
        if column.recorded is None:
            values = column.fixed[deals]
            is_number = _is_number(column, _counts(replace(column, fixed=values), np.ones(len(values), dtype=bool)))
            frame[name] = column.as_numbers(values) if is_number else np.where(values == NONE, np.nan, values)
    if "amount" in view.company.fixed_at_creation:
        frame["amount"] = view.amount[deals]
    if not frame:
        return {}
    return leaking(pd.DataFrame(frame), np.array(OUTCOMES)[view.outcome[deals]])


def _is_number(column: Column, counts: np.ndarray) -> bool:
    """Say whether a column holds numbers, by how often each level is known, (levels,)."""
    if column.levels is None or column.parsed is None:
        return True
    seen = np.flatnonzero(counts)
    return len(seen) > 0 and bool(np.isfinite(column.parsed[seen]).all())


def _number_helps(view: KnownState, column: Column, recorded: np.ndarray) -> bool:
    """Say whether a number column varies, and does not merely repeat the stage."""
    given, there = (column.fixed, view.known) if column.recorded is None else (column.recorded, recorded)
    low, high = np.inf, -np.inf
    for part, known in in_parts(given, there):
        values = column.as_numbers(part[known])
        values = values[np.isfinite(values)]
        low, high = min(low, values.min(initial=np.inf)), max(high, values.max(initial=-np.inf))
    if column.recorded is None or not low < high:
        return bool(low < high)
    return not _follows_from_stage(view.ledger, column, recorded)


def _follows_from_stage(ledger: Ledger, column: Column, recorded: np.ndarray) -> bool:
    """Say whether a number carried by history has one value a stage; closing stages are one for each result."""
    low, high = np.full(len(ledger.stages) + 3, np.inf), np.full(len(ledger.stages) + 3, -np.inf)
    assert column.recorded is not None
    for part, known, stage_of, result in in_parts(column.recorded, recorded, ledger.stage, ledger.result):
        values = column.as_numbers(part)
        use = known & np.isfinite(values)
        stage = np.where(stage_of == NONE, len(ledger.stages) + result.astype(np.int64), stage_of)[use]
        np.minimum.at(low, stage, values[use])
        np.maximum.at(high, stage, values[use])
    return bool((low >= high).all())


# -- number columns ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NormalScores:
    """Where the map bends: values and their scores, both ascending, shape (knots,). Beyond the ends it stays level."""

    values: np.ndarray
    scores: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the scores of values, shape as given; 0 where a value is not known."""
        known = np.isfinite(values)
        return np.where(known, np.interp(np.where(known, values, self.values[0]), self.values, self.scores), 0.0)


def normal_scores(values: np.ndarray) -> NormalScores | None:
    """Return the map learned from values, shape (n,), nan = not known; None where fewer than two values differ.

    A value ranks in the middle of those equal to it. The map is straight between at most 64 knots, evenly spread over
    the scores. The scores of the values learned from have mean 0 and variance 1.
    """
    known = np.sort(values[np.isfinite(values)])
    distinct, first, count = np.unique(known, return_index=True, return_counts=True)
    if len(distinct) < 2:
        return None
    raw = ndtri((first + count / 2) / len(known))
    if len(distinct) > _KNOTS:
        evenly = np.interp(np.linspace(raw[0], raw[-1], _KNOTS), raw, np.arange(len(distinct)))
        at = np.unique(np.rint(evenly).astype(np.int64))
        distinct, raw = distinct[at], raw[at]
    scores = np.interp(known, distinct, raw)
    return NormalScores(values=distinct, scores=(raw - scores.mean()) / scores.std())


# -- all columns ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How states become columns.

    `size_mean` and `size_spread` standardise log amount (spread inf = it does not vary); `scores` map the number
    columns that vary; `planned` says whether any segment plans jointly; `events` are the kinds of event with a column,
    by name their place in `States.events`. With `rich=False` only step, quarter position and age are there: the base
    rate by age.
    """

    words: Vocabulary
    steps: int
    size_mean: float
    size_spread: float
    scores: Mapping[str, NormalScores]
    planned: bool = False
    events: Mapping[str, int] = field(default_factory=dict)
    rich: bool = True

    @property
    def base_rate(self) -> Encoding:
        """The base rate by age: the encoding's first columns alone."""
        return replace(self, scores={}, rich=False)

    @cached_property
    def layout(self) -> dict[str, tuple[int, int, float]]:
        """Each block of columns: first column, width, ridge. Those of the base rate come first."""
        out, at = {}, 0
        for name, (width, ridge) in self._blocks().items():
            out[name] = (at, width, ridge)
            at += width
        return out

    def _blocks(self) -> dict[str, tuple[int, float]]:
        """Return the width and the ridge of each block of columns."""
        blocks = {
            "step": (self.steps, 0.01),
            "quarter": (6, 0.5),
            "season": (12, SEASON_RIDGE),
            "age": (len(AGE_EDGES) + 1, 1.0),
        }
        if not self.rich:
            return blocks
        stages = len(self.words.stages)
        if stages:
            blocks["stage"] = (stages, 0.1)
            blocks["stage:step"] = (stages * self.steps, 1.0)
            blocks["due"] = (_DUE_LEVELS * 3, 1.0)
            blocks["overdue"] = (1, 1.0)
            blocks["slips"] = (1, 1.0)
            blocks["stage_age"] = (2, 1.0)
            blocks["stage_age:stage"] = (stages, 3.0)
            for name in KEPT_DATES:
                if name in self.words.factors:
                    blocks[f"due is {name}"] = (2 * self.words.width(name), KEPT_RIDGE)
            if self.planned:
                blocks["planned:stage"] = (stages, PLANNED_RIDGE)
                blocks["planned:due"] = (_DUE_LEVELS * 3, PLANNED_RIDGE)
        if self.words.amount and np.isfinite(self.size_spread):
            blocks["amount"] = (1, 1.0)
            blocks["amount:step"] = (self.steps, 1.0)
            if stages:
                blocks["amount:stage"] = (stages, 1.0)
        if self.planned:
            blocks["planned"] = (1, PLANNED_RIDGE)
        blocks["segment"] = (self.words.width("segment"), 1.0)
        blocks |= {f"is {name}": (self.words.width(name), 1.0) for name in self.words.factors if name != "owner"}
        blocks |= {f"x {name}": (1, 1.0) for name in self.scores}
        # Last, so that a kind that is new adds columns behind those that are there.
        return blocks | {block_of(kind): (1, EVENT_RIDGE) for kind in self.events}

    @cached_property
    def width(self) -> int:
        """Number of columns."""
        return sum(width for _, width, _ in self.layout.values())

    @cached_property
    def ridge(self) -> np.ndarray:
        """Penalty of each column, shape (columns,)."""
        return np.concatenate([np.full(width, ridge) for _, width, ridge in self.layout.values()])

    def _level(self, block: str, codes: np.ndarray) -> np.ndarray:
        """Return the column of each code in a block; an unknown level points past the last column."""
        return np.where(codes == NONE, self.width, self.layout[block][0] + codes)

    def fixed_pieces(self, states: States) -> Iterator[Piece]:
        """Yield (term, column, value) a deal: what is the same in every step."""
        layout, level, n = self.layout, self._level, len(states)
        age = states.age
        yield "age", level("age", np.where(np.isnan(age), NONE, np.searchsorted(AGE_EDGES, age, side="right"))), None
        if not self.rich:
            return
        if "stage" in layout:
            yield "stage", level("stage", states.stage), None
            yield "due", np.full(n, layout["overdue"][0]), states.overdue.astype(float)
            yield "slips", np.full(n, layout["slips"][0]), np.log1p(states.slips)
            yield "stage_age", level("stage_age:stage", states.stage), _log_months(states.stage_age)
        if "amount" in layout:
            size = self.size(states)
            yield "amount", np.full(n, layout["amount"][0]), size
            if "amount:stage" in layout:
                yield "amount", level("amount:stage", states.stage), size
        yield "segment", level("segment", self.words.places["segment"][states.segment]), None
        for name in self.words.factors:
            if name != "owner":
                yield name, level(f"is {name}", self.words.places[name][states.factors[name]]), None
        for name, score in self.scores.items():
            yield name, np.full(n, layout[f"x {name}"][0]), score(states.numbers[name])

    def step_pieces(self, states: States, rows: np.ndarray, step: np.ndarray) -> Iterator[Piece]:
        """Yield (term, column, value) a row, `rows` indexing `states`: what depends on the step."""
        layout = self.layout
        last = np.minimum(step, self.steps - 1)
        early = np.minimum(step, 2)
        yield "step", layout["step"][0] + last, None
        position = (states.quarter_position[rows] + step) % 3
        yield "quarter", layout["quarter"][0] + position + 3 * (step > 0), None
        yield "quarter", layout["season"][0] + (states.target[rows] + step) % 12, None
        if not self.rich:
            return
        planned = states.target[rows] + step >= states.planned_from[rows]
        jointly = planned.astype(float) if "planned" in layout and planned.any() else None
        if jointly is not None:
            yield "planned", np.full(len(rows), layout["planned"][0]), jointly
        if "stage" in layout:
            stage = states.stage[rows].astype(np.int64)
            yield "stage", self._level("stage:step", np.where(stage == NONE, NONE, stage * self.steps + last)), None
            due = states.due[rows]
            away = np.where(due == UNDATED, _DUE_SPAN + 1, np.clip(due - step, -_DUE_SPAN, _DUE_SPAN))
            yield "due", layout["due"][0] + (away + _DUE_SPAN) * 3 + early, None
            for name in KEPT_DATES:
                if f"due is {name}" in layout:
                    level = self.words.places[name][states.factors[name][rows]]
                    inside = (level != NONE) & (away >= 0) & (away <= _DUE_SPAN)
                    column = np.where(inside, 2 * level + (away == 0), NONE)
                    yield "due", self._level(f"due is {name}", column), None
            if jointly is not None and "planned:due" in layout:
                yield "planned", self._level("planned:stage", stage), jointly
                yield "planned", layout["planned:due"][0] + (away + _DUE_SPAN) * 3 + early, jointly
            yield "stage_age", layout["stage_age"][0] + (step >= 2), _log_months(states.stage_age)[rows]
        if "amount" in layout:
            yield "amount", layout["amount:step"][0] + last, self.size(states)[rows]
        yield from self._event_pieces(states, rows, step)

    def _event_pieces(self, states: States, rows: np.ndarray, step: np.ndarray) -> Iterator[Piece]:
        """Yield the columns of the events that concern any row in its month."""
        for kind, place in self.events.items():
            months = states.events[:, place]
            if not months.any():
                continue
            on = (months[rows] >> np.minimum(step, MONTHS - 1).astype(np.uint32)) & np.uint32(1)
            yield block_of(kind), np.full(len(rows), self.layout[block_of(kind)][0]), on.astype(float)

    def size(self, states: States) -> np.ndarray:
        """Return log amounts less their mean over their spread, 0 where unknown."""
        return np.nan_to_num((log_size(states.amount) - self.size_mean) / self.size_spread)

    def matrix(self, rows: Rows) -> np.ndarray:
        """Return the dense design, shape (rows, columns), float32."""
        states, landmark = rows.states, rows.landmark
        pieces: list[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]
        pieces = [(column, value, landmark) for _, column, value in self.fixed_pieces(states)]
        pieces += [(column, value, None) for _, column, value in self.step_pieces(states, landmark, rows.step)]
        width = self.width + 1
        out = np.zeros((len(rows), width), dtype=np.float32)
        # In parts that stay in the cache while every piece is put in its place, which one index finds soonest.
        for at in range(0, len(rows), _CHUNK):
            part = slice(at, at + _CHUNK)
            chunk = out[part].reshape(-1)
            first = np.arange(0, len(chunk), width)
            for column, value, where in pieces:
                here = part if where is None else where[part]
                chunk[first + column[here]] = 1.0 if value is None else value[here]
        return out[:, :-1]

    def logits(self, states: States, beta: np.ndarray, *, steps: int) -> np.ndarray:
        """Return the linear predictors of several causes, (n, steps, causes); `beta` is (columns, causes)."""
        padded = np.vstack([beta, np.zeros(beta.shape[1])])

        def effect(column: np.ndarray, value: np.ndarray | None) -> np.ndarray:
            # `take` is some ten times as quick as an index where rows are short.
            each = padded.take(column, axis=0)
            return each if value is None else each * value[:, None]

        fixed = np.zeros((len(states), beta.shape[1]))
        for _, column, value in self.fixed_pieces(states):
            fixed += effect(column, value)
        everyone = np.arange(len(states))
        out = np.empty((len(states), steps, beta.shape[1]))
        for step in range(steps):
            total = fixed.copy()
            for _, column, value in self.step_pieces(states, everyone, np.full(len(states), step)):
                total += effect(column, value)
            out[:, step] = total
        return out

    def by_term(self, states: States, rows: np.ndarray, step: np.ndarray, beta: np.ndarray) -> dict[str, np.ndarray]:
        """Return what each term adds to the logit, shape (rows,) each; `beta` has shape (columns,)."""
        padded = np.append(beta, 0.0)
        out: dict[str, np.ndarray] = {}
        pieces = [(term, column, value, rows) for term, column, value in self.fixed_pieces(states)]
        every = np.arange(len(rows))
        pieces += [(term, column, value, every) for term, column, value in self.step_pieces(states, rows, step)]
        for term, column, value, where in pieces:
            part = (padded[column] if value is None else padded[column] * value)[where]
            out[term] = out[term] + part if term in out else part
        return out


def log_size(amount: np.ndarray) -> np.ndarray:
    """Return log(1 + amount), nan where unknown; of a credit, which is below 0, the same of its size with its sign.

    >>> log_size(np.array([np.e - 1, 0.0, 1 - np.e]))
    array([ 1.,  0., -1.])
    """
    return np.sign(amount) * np.log1p(np.abs(amount))


def _log_months(months: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.log1p(months))


def encoding(words: Vocabulary, states: States, *, steps: int, events: Mapping[str, int] | None = None) -> Encoding:
    """Return the encoding whose mean, spread and scores come from `states`.

    events : as in `Encoding`; none if left out.
    """
    sizes = log_size(states.amount[np.isfinite(states.amount)])
    mean, spread = (float(sizes.mean()), float(sizes.std())) if len(sizes) else (0.0, 0.0)
    scores = {name: normal_scores(states.numbers[name]) for name in words.numbers}
    return Encoding(
        words=words,
        steps=steps,
        size_mean=mean,
        size_spread=spread if spread > 1e-9 * (1 + abs(mean)) else np.inf,
        scores={name: score for name, score in scores.items() if score is not None},
        planned=bool((states.target + steps > states.planned_from).any()),
        events={} if events is None else events,
    )
