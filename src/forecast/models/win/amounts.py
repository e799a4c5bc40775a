"""What a deal is worth where its own amount does not say so, and how far a single amount may teach.

Simple case: a deal that was open on a past day has a row of history, and its amount then is known. Where it has none,
the mean won amount of its segment stands in, on past days and on the last day alike: only so is the forecast of the
last day one of those whose record is shown.

One amount with its decimal point lost must not move what is learned from all others, and a company whose largest deals
are a thousand times its usual ones must not lose them. Both follow from the tail of a company's own amounts: an amount
counts as far as the largest of that many amounts would reach (`plausible`), and no further. It is booked as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecast import wording
from forecast.data.known.coding import NONE, in_parts
from forecast.data.known.ledger import KnownState
from forecast.models.win.landmarks import States

DOUBTED = 3
"""The largest amounts that may be mistakes, and do not say how far amounts reach."""

CHANCE = 0.1
"""Chance that the largest of a company's amounts lies beyond the bound although none is a mistake."""

LIKE = ("type", "product", "lead_source")
"""What makes deals alike, beside their segment."""

AMOUNT_SPREAD = 0.25
"""How much mean amounts of segments, products and so on are thought to differ (log scale)."""

_FEWEST = 10
_LIGHTEST = 0.3
"""Least 1 / tail index: list prices have no tail, and a deal of three of them is no mistake."""
_SAMPLE = 20_000


def plausible(values: np.ndarray) -> float:
    """Return how far the largest of some amounts may reach, given the others; inf for fewer than ten; values (n,) > 0.

    With a tail index a, the log of the largest of m amounts over the next one below is the largest of m exponentials of
    mean 1 / a: beyond log(m / p) / a with chance p. 1 / a is the mean log of some 2 sqrt(n) amounts below the m over
    the next (Hill, *Annals of Statistics* 3, 1975), so that none of the m has a say in it.

    >>> amounts = np.append(np.linspace(5.0, 15.0, 200), 1000.0)
    >>> 20.0 < plausible(amounts) < 50.0
    True
    """
    n = len(values)
    if n < _FEWEST:
        return float("inf")
    used = min(DOUBTED + max(int(2.0 * np.sqrt(n)), 5), n - 1)
    top = np.log(np.sort(np.partition(values, n - used - 1)[n - used - 1 :])[::-1])
    heaviness = max(float((top[DOUBTED:used] - top[used]).mean()), _LIGHTEST)
    return float(np.exp(top[DOUBTED] + heaviness * np.log(DOUBTED / CHANCE)))


def amount_bounds(view: KnownState, states: States) -> np.ndarray:
    """Return how far a single amount counts in each segment of the ledger, and in none last; (R + 1,), inf = any.

    The amounts looked at are those of won and of open deals, relative to the median of their segment, so that a small
    segment beside a large one has a bound of its own; of a segment with fewer than ten, to the median of all.

    states : of the day's open deals.
    """
    won = view.won_deals
    amount = np.concatenate([view.amount[won], states.amount])
    segment = np.concatenate([view.segment[won], states.segment])
    usable = amount > 0  # not where unknown
    amount, segment = amount[usable], segment[usable]
    count = len(view.ledger.segments)
    if len(amount) < _FEWEST:
        return np.full(count + 1, np.inf)
    thinned = slice(None, None, 1 + len(amount) // _SAMPLE)
    some, where = amount[thinned], segment[thinned]
    medians = np.full(count + 1, np.median(some))
    order = np.argsort(where, kind="stable")
    where, some = where[order], some[order]
    starts = np.searchsorted(where, np.arange(count + 1))
    for r in np.flatnonzero(np.diff(starts) >= _FEWEST):
        medians[r] = np.median(some[starts[r] : starts[r + 1]])
    return medians * plausible(amount / medians[segment])


def counted(amount: np.ndarray, segment: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return amounts as far as they count, (n,), credits (below 0) likewise; segment (n,), codes. nan stays."""
    out = np.empty(len(amount))
    for into, each, code in in_parts(out, amount, segment):
        bound = bounds[code]
        np.clip(each, -bound, bound, out=into)
    return out


@dataclass(frozen=True, kw_only=True)
class LikeDeals:
    """What deals like one brought where they were won: a mean amount of each segment, times factors of what it is.

    segment : (R + 1,), of no segment last. factors : by column, of each level and of none last, (levels + 1,); about 1.
    """

    segment: np.ndarray
    factors: Mapping[str, np.ndarray]

    def amounts(self, states: States) -> np.ndarray:
        """Return the amounts of deals, (n,), as those like them brought where their own is empty; read only."""
        if not np.isnan(states.amount).any():
            return states.amount
        value = self.segment[states.segment]
        for name, factor in self.factors.items():
            value = value * factor[states.factors[name]]
        return np.where(np.isnan(states.amount), value, states.amount)


def like_deals(view: KnownState, states: States, bounds: np.ndarray) -> LikeDeals:
    """Return what deals won in months that have settled brought, by segment and by what is fixed at creation.

    The mean of all, then a factor for each segment, type, product and source: what its wins brought over what they were
    expected to by the factors before it, shrunk towards 1 (Bühlmann's credibility; means are thought to differ by a
    quarter). Amounts as far as they count (`amount_bounds`); credits, wins below 0, are no measure of a deal. 0 where
    nothing was won. Where no deal's amount is empty there is nothing to find out.
    """
    ledger = view.ledger
    levels = np.zeros(len(ledger.segments) + 1)
    if not np.isnan(states.amount).any():
        return LikeDeals(segment=levels, factors={})
    won = view.won_deals[view.closed_in[view.won_deals] <= view.last_settled]
    won = won[view.amount[won] >= 0]  # neither unknown nor a credit
    value = counted(view.amount[won], view.segment[won], bounds)
    mean = float(value.mean()) if len(value) else 0.0
    if mean <= 0:
        return LikeDeals(segment=levels, factors={})
    expected = np.full(len(won), mean)
    found = {}
    columns = {"segment": (view.segment, len(ledger.segments))}
    for name in LIKE:
        column = ledger.columns.get(name)
        if column is not None and column.levels is not None and column.recorded is None:
            columns[name] = (column.fixed, len(column.levels))
    for name, (codes, count) in columns.items():
        code = np.where(codes[won] == NONE, count, codes[won])
        found[name] = _factor(value, expected, code, levels=count + 1)
        expected = expected * found[name][code]
    return LikeDeals(segment=mean * found.pop("segment"), factors=found)


def _factor(value: np.ndarray, expected: np.ndarray, code: np.ndarray, *, levels: int) -> np.ndarray:
    """Return what the amounts of each level are over what was expected of them, shrunk towards 1; (levels,).

    A level counts with n / (n + k), k the variance of single ratios within levels over that thought of between them.
    value, expected, code : (n,).
    """
    expected = np.maximum(expected, 1e-12 * expected.max())  # a level may have brought nothing at all
    ratio = value / expected
    n, paid, due, sums = (np.bincount(code, weights, minlength=levels) for weights in (None, value, expected, ratio))
    seen = n > 0
    left = len(value) - int(seen.sum())
    within = float((ratio**2).sum() - (sums[seen] ** 2 / n[seen]).sum()) / left if left else float(ratio.var())
    out = np.ones(levels)
    out[seen] += n[seen] / (n[seen] + max(within, 0.0) / AMOUNT_SPREAD**2) * (paid[seen] / due[seen] - 1.0)
    return out


# -- what a reader must know ---------------------------------------------------------------------------


def amount_notes(view: KnownState, states: States, amount: np.ndarray) -> list[str]:
    """Return what must be known of the open deals' amounts: which are not their own, and what history would bring.

    amount : (n,), as the forecast takes them.
    """
    empty, without_row = np.isnan(states.amount), view.last_row[states.deal] < 0
    notes = []
    if not view.ledger.has_history and len(states):
        notes.append(_without_history(view, states, amount))
        empty &= np.isnan(view.amount[states.deal]) & view.is_last
    elif hidden := int((empty & without_row).sum()):
        notes.append(
            f"{wording.plural(hidden, 'open deal')} without a row in opportunity_history: what won deals like them "
            "brought stands in for their amounts, as on past days, and their stages and close dates are not used."
        )
        empty &= ~without_row
    if empty.any():
        count, have = int(empty.sum()), "has" if empty.sum() == 1 else "have"
        notes.append(
            f"{wording.plural(count, 'open deal')} {have} no amount; what won deals like them brought stands in."
        )
    return notes


def _without_history(view: KnownState, states: States, amount: np.ndarray) -> str:
    """Return what a forecast without history uses, and what it could use with one."""
    fixed = "amount" in view.company.fixed_at_creation
    what = "stage and close date" if fixed else "stage, amount and close date"
    words = [
        f"Without opportunity_history {what} of an open deal are known of no past day. The forecast uses them on none, "
        "today included; its record is of forecasts recomputed in the same way.",
        "With a history, odds by stage and close date could be learned where these are filled in.",
    ]
    if fixed:
        return " ".join([words[0], "Amounts are the deals' own, which company.toml says never change.", words[1]])
    own, money = view.amount[states.deal], view.company.currency
    used = wording.money(float(amount.sum()), currency=money)
    like = f"Open deals count with what won deals like them brought, {used} in all"
    known = np.isfinite(own)
    if known.any():
        whose = "their own amounts" if known.all() else f"the amounts of the {known.sum():,} that have one"
        like += f"; {whose} of today sum to {wording.money(float(own[known].sum()), currency=money)}"
    words[1] = "With a history, odds by stage and close date could be learned, and each deal's own amount used."
    words.append('Where amounts never change, company.toml can say so: fixed_at_creation = ["amount"].')
    return " ".join([words[0], f"{like}.", *words[1:]])


def beyond_notes(view: KnownState, counts: np.ndarray) -> list[str]:
    """Return which won deals' amounts lie beyond their bound, the furthest first; counts (n,), as far as they count."""
    won = view.won_deals[np.abs(view.amount[view.won_deals]) > np.abs(counts[view.won_deals])]
    if not len(won):
        return []
    won = won[np.argsort(-view.amount[won] / counts[won], kind="stable")]
    money = view.company.currency
    some = [
        f"{name} ({wording.money(float(view.amount[deal]), currency=money)}, counted as "
        f"{wording.money(float(counts[deal]), currency=money)})"
        for name, deal in zip(view.ledger.ids_of(won[:3]), won[:3], strict=True)
    ]
    return [
        f"{wording.plural(len(won), 'won deal')} with an amount further beyond all others than chance explains: booked "
        f"as recorded, but what the forecast learns from it is bounded: {wording.joined(some)}."
    ]
