"""How a deal's state becomes columns of numbers.

A row of the design is a handful of (column, value) pairs: `Encoding.fixed_pieces` and `Encoding.step_pieces` give
them, everything else follows. Number columns enter as normal scores, a monotone map under which what was seen looks
like a standard normal sample: a column that a company brings may be heavy-tailed, a count, or nearly a flag. Its ranks
are not (van der Waerden, *Indagationes Mathematicae* 14, 1952), so no choice of logs or cuts has to be made, and one
giant value moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from forecast.calendar import Calendar
from forecast.data.known.coding import NONE
from forecast.models.win.states import UNDATED, States, Vocabulary

AGE_EDGES = np.array([1.0, 2.0, 3.0, 6.0, 12.0])
"""Months that part the age groups."""

SEASON_RIDGE = 600.0
"""Months of the year are thought to differ by some 7 % beyond their place in the quarter (a precision of 200), and a
win is in the rows of some three landmarks."""

_DUE_SPAN = 3
_DUE_LEVELS = 2 * _DUE_SPAN + 2
_CHUNK = 2048
_KNOTS = 64

Piece = tuple[str, np.ndarray, np.ndarray | None]
"""A term, the column each state or row has in it, and the value there; None for 1."""


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
    columns that vary. With `rich=False` only step, quarter position and age are there: the base rate by age.
    """

    words: Vocabulary
    calendar: Calendar
    steps: int
    size_mean: float
    size_spread: float
    scores: Mapping[str, NormalScores]
    rich: bool = True

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
        if self.words.amount and np.isfinite(self.size_spread):
            blocks["amount"] = (1, 1.0)
            blocks["amount:step"] = (self.steps, 1.0)
            if stages:
                blocks["amount:stage"] = (stages, 1.0)
        blocks["segment"] = (self.words.width("segment"), 1.0)
        blocks |= {f"is {name}": (self.words.width(name), 1.0) for name in self.words.factors if name != "owner"}
        return blocks | {f"x {name}": (1, 1.0) for name in self.scores}

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
        """Yield (term, column, value) a state: what is the same in every step."""
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
        target = states.target[rows] + step
        yield "quarter", layout["quarter"][0] + self.calendar.quarter_position(target) + 3 * (step > 0), None
        yield "quarter", layout["season"][0] + target % 12, None
        if not self.rich:
            return
        if "stage" in layout:
            stage = states.stage[rows].astype(np.int64)
            yield "stage", self._level("stage:step", np.where(stage == NONE, NONE, stage * self.steps + last)), None
            due = states.due[rows]
            away = np.where(due == UNDATED, _DUE_SPAN + 1, np.clip(due - step, -_DUE_SPAN, _DUE_SPAN))
            yield "due", layout["due"][0] + (away + _DUE_SPAN) * 3 + early, None
            yield "stage_age", layout["stage_age"][0] + (step >= 2), _log_months(states.stage_age)[rows]
        if "amount" in layout:
            yield "amount", layout["amount:step"][0] + last, self.size(states)[rows]

    def size(self, states: States) -> np.ndarray:
        """Return log amounts less their mean over their spread, 0 where unknown."""
        return np.nan_to_num((np.log1p(states.amount) - self.size_mean) / self.size_spread)

    def matrix(self, states: States, rows: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the dense design, shape (rows, columns), float32."""
        pieces: list[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]
        pieces = [(column, value, rows) for _, column, value in self.fixed_pieces(states)]
        pieces += [(column, value, None) for _, column, value in self.step_pieces(states, rows, step)]
        out = np.zeros((len(rows), self.width + 1), dtype=np.float32)
        # In parts that stay in the cache while every piece is put in its place.
        for at in range(0, len(rows), _CHUNK):
            part = slice(at, at + _CHUNK)
            chunk = out[part]
            index = np.arange(len(chunk))
            for column, value, where in pieces:
                here = part if where is None else where[part]
                chunk[index, column[here]] = 1.0 if value is None else value[here]
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


def _log_months(months: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.log1p(months))


def encoding(words: Vocabulary, calendar: Calendar, states: States, *, steps: int, rich: bool = True) -> Encoding:
    """Return the encoding whose mean, spread and scores come from `states`."""
    sizes = np.log1p(states.amount[np.isfinite(states.amount)])
    mean, spread = (float(sizes.mean()), float(sizes.std())) if len(sizes) else (0.0, 0.0)
    scores = {name: normal_scores(states.numbers[name]) for name in words.numbers} if rich else {}
    return Encoding(
        words=words,
        calendar=calendar,
        steps=steps,
        size_mean=mean,
        size_spread=spread if spread > 1e-9 * (1 + abs(mean)) else np.inf,
        scores={name: score for name, score in scores.items() if score is not None},
        rich=rich,
    )
