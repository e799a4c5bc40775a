"""What speaks for and against a deal, in words a seller understands."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from forecast.data.known.coding import NONE
from forecast.models.win.encoding import Vocabulary
from forecast.models.win.event_kinds import block_of, is_event
from forecast.models.win.landmarks import UNDATED, States
from forecast.models.win.learn import WinModel

MOST = 5
FOR, AGAINST = "(for)", "(against)"
"""What follows a factor that speaks for a win, or against it."""

AVERAGE = "close to the average deal"
BY_AGE = "base rate by age"
"""How a factor begins where no column tells, so that the age is all that does."""

SMALLEST = 0.05
"""Contributions to the log odds below this are not worth a word."""


def deal_factors(model: WinModel, states: States, *, p: np.ndarray) -> list[str]:
    """Return the factors of each deal: what moves the odds of a win against a loss, less the mean over the deals.

    p : (n,), the chances of a win that the factors stand beside. Where no column tells, the age is all that does.
    """
    n = len(states)
    if not n:
        return []
    if not model.informed:
        return [f"{BY_AGE}: {text}" for text in age_alone(states.age, p)]
    parts = _contributions(model, states)
    high = {name: score(states.numbers[name]) > 0 for name, score in model.code.scores.items()}
    high["amount"] = model.code.size(states) > 0
    soon = np.uint32((1 << model.code.steps) - 1)
    high |= {block_of(kind): (states.events[:, place] & soon) > 0 for kind, place in model.code.events.items()}
    return describe(parts, states, model.words, high=high)


def age_alone(age: np.ndarray, p: np.ndarray) -> list[str]:
    """Return how old each deal is and whether its chance lies above that of the mean open deal (for) or below it.

    age : (n,), months; nan where not known. p : (n,), chances from 0 to 1.

    >>> age_alone(np.array([0.5, 7.0]), np.array([0.5, 0.1]))
    ['open for less than a month (for)', 'open for 7 months (against)']
    """
    low, high = 1e-9, 1 - 1e-9
    lean = logit(np.clip(p, low, high)) - logit(np.clip(p.mean(), low, high))
    phrases = [text or "age not known" for text in _lasting(age, "open for", "open for less than a month")]
    return [
        f"{text} {FOR if value > 0 else AGAINST}" if abs(value) >= SMALLEST else AVERAGE
        for text, value in zip(phrases, lean, strict=True)
    ]


def _contributions(model: WinModel, states: States) -> dict[str, np.ndarray]:
    """Return what each term adds to the log odds of a win against a loss, mean over the steps less mean over deals."""
    n, steps = len(states), model.code.steps
    rows, step = np.tile(np.arange(n), steps), np.repeat(np.arange(steps), n)
    won = model.code.by_term(states, rows, step, model.beta[:, 0])
    lost = model.code.by_term(states, rows, step, model.beta[:, 1])
    effects = {
        term: (won[term] - lost[term]).reshape(steps, n).mean(axis=0) for term in won if term not in ("step", "quarter")
    }
    if len(model.owner):
        part = model.owner_part(states)
        effects["owner"] = part[:, 0] - part[:, 1]
    return {term: effect - effect.mean() for term, effect in effects.items()}


def describe(
    parts: dict[str, np.ndarray], states: States, words: Vocabulary, *, high: dict[str, np.ndarray]
) -> list[str]:
    """Return, for each deal, its strongest factors, each for it or against it, strongest first, joined by "; ".

    Parameters
    ----------
    parts : what each term adds to the log odds of a win against a loss, less its mean; shape (n,) each.
    high : for the amount and number columns, whether the deal lies above the mean, for a kind of event, whether one
    concerns the deal in the months modelled; shape (n,) each.
    """
    terms = list(parts)
    n = len(states)
    if not terms or not n:
        return [""] * n
    table = np.stack([parts[term] for term in terms], axis=1)
    order = np.argsort(-np.abs(table), axis=1, kind="stable")[:, :MOST]
    phrases = np.stack([_phrases(term, states, words, high) for term in terms], axis=1)
    strength = np.take_along_axis(table, order, axis=1)
    texts = np.take_along_axis(phrases, order, axis=1)
    out = []
    for values, strongest in zip(strength, texts, strict=True):
        shown = [
            f"{text} {FOR if value > 0 else AGAINST}"
            for value, text in zip(values, strongest, strict=True)
            if text and abs(value) >= SMALLEST
        ]
        out.append("; ".join(shown) or AVERAGE)
    return out


def _phrases(term: str, states: States, words: Vocabulary, high: dict[str, np.ndarray]) -> np.ndarray:
    """Return the phrase of one term for each deal, object array (n,); empty where nothing is known."""
    if term == "age":
        return _lasting(states.age, "open for", "open for less than a month")
    if term == "stage_age":
        return _in_stage_for(states, words)
    if term == "stage":
        return _named("in ", states.stage, words.stages)
    if term == "segment":
        return _named("segment ", states.segment, words.segments)
    if term == "due":
        return _due(states)
    if term == "planned":
        return _take(["", "planned jointly"], (states.planned_from <= states.target).astype(int))
    if is_event(term) and term not in words.factors and term not in states.numbers:
        return _take(["", term], high[term].astype(int))
    if term == "slips":
        times, code = np.unique(states.slips, return_inverse=True)
        few = ["close date never moved", "close date moved once"]
        return _take([few[k] if k < 2 else f"close date moved {k} times" for k in times], code)
    if term in words.factors:
        return _named(f"{_words(term)} ", states.factors[term], words.factors[term])
    if term in high:
        known = states.amount if term == "amount" else states.numbers[term]
        sizes = [f"{_words(term)} low", f"{_words(term)} high"]
        out = _take(["small amount", "large amount"] if term == "amount" else sizes, high[term].astype(int))
        out[np.isnan(known)] = ""
        return out
    return _take([""], np.zeros(len(states), dtype=int))


def _due(states: States) -> np.ndarray:
    """Return when each deal is expected to close; the codes are months ahead, 13 = has passed, 14 = no date."""
    phrases = ["expected to close in the next month to end", "expected to close the month after"]
    phrases += [f"expected to close {k} months ahead" for k in range(2, 12)]
    phrases += ["expected to close a year ahead or later", "expected to close by now", "no expected close date"]
    code = np.clip(states.due, 0, 12)
    code[(states.due < 0) | states.overdue] = 13
    code[states.due == UNDATED] = 14
    return _take(phrases, code)


def _lasting(months: np.ndarray, since: str, new: str) -> np.ndarray:
    whole = np.nan_to_num(months, nan=-1).astype(int)
    values, inverse = np.unique(whole, return_inverse=True)
    phrases = ["" if k < 0 else new if k == 0 else f"{since} {k} month{'s' if k > 1 else ''}" for k in values]
    return _take(phrases, inverse)


def _in_stage_for(states: States, words: Vocabulary) -> np.ndarray:
    """Return how long each deal has been in its stage, by the stage's name: as long speaks for one and against another.

    The phrase of the stage itself is `in Proposal`, so that this one begins with the time.
    """
    time = _lasting(states.stage_age, "", "less than a month")
    stage = _named(" in ", states.stage, words.stages)
    named = np.where(stage == "", " in its stage", stage)
    return np.where(time == "", "", np.char.lstrip((time + named).astype("str"))).astype(object)


def _named(prefix: str, codes: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    return _take([*(prefix + level for level in levels), ""], np.where(codes == NONE, len(levels), codes))


def _take(phrases: list[str], code: np.ndarray) -> np.ndarray:
    """Return the phrase of each code; "; " parts factors, so that a level's own semicolon becomes a comma."""
    return np.array([phrase.replace(";", ",") for phrase in phrases], dtype=object)[code]


def _words(column: str) -> str:
    return "source" if column == "lead_source" else column.replace("_", " ")
