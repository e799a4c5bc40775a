"""Columns that know the outcome: filled in, or overwritten, once an opportunity was won or lost.

A model fitted on such a column looks brilliant on the past and knows nothing of an open deal. `outcome_leaks` works on
any table with an outcome; `leaks` asks it about the opportunities of a log. Four signs, each with its numbers:

    value      one value stands for one outcome alone ("0 for 2,473 of 2,473 lost, for none of 4,238 won")
    missing    empty only where it was not won, or only where it was not lost, or only while open
    separates  the column alone tells won from lost better than anything known beforehand plausibly can
    closing    filled for what is closed, empty for what is open

docs/methods/data_audit.md has the rules, the thresholds and what they flag on real data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.schema import Log
from forecast.errors import ParameterError

LEAK_COLUMNS = ("column", "kind", "evidence", "auc", "count", "mend")

# Were a value or a gap spread by chance, the outcome that never has it would have it this often: the probability of
# seeing none is then below exp(-10).
EXPECTED_AT_LEAST = 10.0
# A value must stand for this share of its outcome; a single owner who lost all his deals is no leak.
SHARE_AT_LEAST = 0.2
# The area under the ROC curve that one column known beforehand does not reach; its lower 95 % bound must exceed it.
PLAUSIBLE_AUC = 0.8
# A column that is empty (or constant) for open deals while closed ones have it.
FILLED_CLOSED, FILLED_OPEN = 0.9, 0.02
OPEN_AT_LEAST = 20

_BLOCKS = 20
_BLOCK_AT_LEAST = 100
_RANKED_AT_MOST = 100_000
_FOLDS = 5
_SMOOTHING = 10.0

# What says how an opportunity ended, or moves on its own until then: not covariates, so not examined.
_STATE = ("opportunity_id", "created_on", "segment", "stage", "expected_close_on", "closed_on", "outcome")
_AFTERWARDS = ("lost_reason", "promised_on", "delivered_on", "currency")


def leaks(log: Log) -> pd.DataFrame:
    """Return the columns of `opportunities` that know the outcome, one row a column, as `outcome_leaks` does.

    Examined are the columns a model could take today's value of: the amount where there is no history, and every
    further column that history does not carry. In a backtest, call `outcome_leaks` on what was known at the origin
    instead: this function sees the whole log.
    """
    frame = log.opportunities.sort_values(["created_on", "opportunity_id"], kind="stable")
    history = log.get("opportunity_history")
    known_by_date = set() if history is None else set(history.columns)
    examined = [name for name in frame if name not in (*_STATE, *_AFTERWARDS) and name not in known_by_date]
    return outcome_leaks(frame[examined], frame["outcome"])


def outcome_leaks(frame: pd.DataFrame, outcome: pd.Series | np.ndarray) -> pd.DataFrame:
    """Return the columns that know the outcome, strongest sign first.

    Parameters
    ----------
    frame : (n, k) the columns to examine, with rows in order of time where there is one: a column is looked at within
        successive blocks of rows, so that a base rate that drifts along with it is not mistaken for a leak.
    outcome : (n,) `won`, `lost` or `open`, in the order of the rows.

    Returns
    -------
    DataFrame with column, kind (value, missing, separates, closing), evidence (a sentence with counts), auc (0.5 to 1,
    of won against lost; empty where the kind does not rest on it), count (rows that show it, int64), mend.

    Raises
    ------
    ParameterError : the lengths differ, or an outcome is none of the three.
    """
    text = dict.fromkeys(("column", "kind", "evidence", "mend"), "str")
    table = pd.DataFrame(_found(frame, outcome), columns=list(LEAK_COLUMNS))
    return table.astype({**text, "auc": "float64", "count": "int64"})


def leaking(frame: pd.DataFrame, outcome: pd.Series | np.ndarray) -> dict[str, str]:
    """Return what `outcome_leaks` says in brief: the columns that know the outcome, strongest first, and the evidence.

    A model asks it at each full fit, and of a small company a table took longer to set up than to fill.
    """
    return {leak["column"]: leak["evidence"] for leak in _found(frame, outcome)}


def _found(frame: pd.DataFrame, outcome: pd.Series | np.ndarray) -> list[dict]:
    """Return the rows of `outcome_leaks`."""
    result = np.asarray(outcome)
    if len(result) != len(frame):
        raise ParameterError(f"outcome: {len(result):,} values for {len(frame):,} rows")
    won, lost, still = (np.asarray(result == word, dtype=bool) for word in ("won", "lost", "open"))
    if not (won | lost | still).all():
        other = min(map(str, result[~(won | lost | still)]))
        raise ParameterError(f"outcome: {other!r} is not one of won, lost, open")
    groups = _Groups(won=won, lost=lost, open=still)
    found = [leak for name in frame for leak in _examine(str(name), frame[name], groups)]
    return sorted(found, key=lambda leak: (_KINDS.index(leak["kind"]), -leak["count"], leak["column"]))


_KINDS = ("value", "missing", "separates", "closing")
_MEND = "nothing: the model leaves it out; recorded in opportunity_history, its past values could be used"


@dataclass(frozen=True, kw_only=True)
class _Groups:
    """Which rows were won, lost, are open: (n,) masks."""

    won: np.ndarray
    lost: np.ndarray
    open: np.ndarray

    def counts(self, mask: np.ndarray) -> tuple[int, int, int]:
        return int((mask & self.won).sum()), int((mask & self.lost).sum()), int((mask & self.open).sum())


def _examine(name: str, values: pd.Series, groups: _Groups) -> list[dict]:
    """Return the strongest sign that a column knows the outcome as a list of one, or an empty list."""
    there = np.asarray(values.notna())
    for sign in (_value, _missing, _separates, _closing):
        found = sign(values, there, groups)
        if found is not None:
            evidence, auc, count, kind = found
            return [
                {"column": name, "kind": kind, "evidence": evidence, "auc": auc, "count": count, "mend": _MEND},
            ]
    return []


_Found = tuple[str, float, int, str] | None


def _value(values: pd.Series, there: np.ndarray, groups: _Groups) -> _Found:
    """One value stands for one outcome: all its closed rows ended that way, though by chance many would not have."""
    codes, distinct = pd.factorize(values)
    size = len(distinct)
    if size == 0:
        return None
    won = np.bincount(codes[there & groups.won], minlength=size)
    lost = np.bincount(codes[there & groups.lost], minlength=size)
    both = won.sum() + lost.sum()
    if not (won.sum() and lost.sum()):
        return None
    for mine, other, word, opposite in ((lost, won, "lost", "won"), (won, lost, "won", "lost")):
        expected = mine * (other.sum() / both)
        sure = (other == 0) & (expected >= EXPECTED_AT_LEAST) & (mine >= SHARE_AT_LEAST * mine.sum())
        if sure.any():
            code = int(np.argmax(np.where(sure, mine, -1)))
            value = distinct[code]
            shown = f"{value:g}" if isinstance(value, float | np.floating) else f"{value!s}"
            verb = _beyond(values, there & (groups.won if opposite == "won" else groups.lost), value)
            evidence = (
                f"{shown} for {mine[code]:,} of {mine.sum():,} {word}, {verb} of {other.sum():,} {opposite}"
                f"{_open_words(values, there, groups)}"
            )
            return evidence, np.nan, int(mine[code]), "value"
    return None


def _beyond(values: pd.Series, rows: np.ndarray, value: object) -> str:
    """Say where the other outcome lies: above, below, or elsewhere."""
    others = values[rows]
    if pd.api.types.is_numeric_dtype(values.dtype) and len(others):
        for comparison, sign in ((others > value, ">"), (others < value, "<")):
            if comparison.all():
                return f"{sign} {value:g} for {int(comparison.sum()):,}"
    return "for 0"


def _open_words(values: pd.Series, there: np.ndarray, groups: _Groups) -> str:
    """Say how the column stands for open rows."""
    open_rows = int(groups.open.sum())
    if not open_rows:
        return ""
    empty = int((groups.open & ~there).sum())
    if empty == open_rows:
        return f"; empty for all {open_rows:,} open"
    filled = values[groups.open & there]
    if filled.nunique() == 1 and empty < open_rows:
        return f"; always {filled.iloc[0]!s} for the {len(filled):,} open that have it"
    return f"; empty for {empty:,} of {open_rows:,} open" if empty else f"; filled for all {open_rows:,} open"


def _missing(_: pd.Series, there: np.ndarray, groups: _Groups) -> _Found:
    """Empty rows keep to one outcome, though by chance many would have had the other."""
    won, lost, still = groups.counts(~there)
    all_won, all_lost, all_open = (int(mask.sum()) for mask in (groups.won, groups.lost, groups.open))
    if not (all_won and all_lost):
        return None
    words = f"empty for {won:,} of {all_won:,} won, {lost:,} of {all_lost:,} lost, {still:,} of {all_open:,} open"
    closed, empty = all_won + all_lost, won + lost
    for none, share in ((won, all_won / closed), (lost, all_lost / closed)):
        if none == 0 and empty * share >= EXPECTED_AT_LEAST:
            return words, np.nan, empty, "missing"
    # As above, but between what is closed and what is open: it is filled in on the way, so having it is news.
    if empty == 0 and all_open >= OPEN_AT_LEAST and still >= SHARE_AT_LEAST * all_open:
        if still == all_open:
            return None  # `closing` says so
        if still * closed / (closed + all_open) >= EXPECTED_AT_LEAST:
            return words, np.nan, still, "missing"
    return None


def _separates(values: pd.Series, there: np.ndarray, groups: _Groups) -> _Found:
    """The column alone tells won from lost implausibly well, and open rows do not have it (or there are none)."""
    all_open = int(groups.open.sum())
    if all_open:
        filled = there & groups.open
        blank = filled.sum() <= FILLED_OPEN * all_open or values[filled].nunique() <= 1
        if not blank:
            return None
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return None
    rows = np.flatnonzero(there & (groups.won | groups.lost))
    if len(rows) > _RANKED_AT_MOST:
        rows = rows[:: -(-len(rows) // _RANKED_AT_MOST)]
    won = groups.won[rows]
    if min(won.sum(), (~won).sum()) < OPEN_AT_LEAST:
        return None
    taken = values.iloc[rows]
    score = taken.to_numpy(dtype=np.float64) if _is_number(taken) else _encoded(taken, won)
    auc, low = blocked_auc(score, won)
    if _is_number(taken) and auc < 0.5:
        auc, low = blocked_auc(-score, won)
    if low < PLAUSIBLE_AUC:
        return None
    evidence = (
        f"alone it tells won from lost with an AUC of {auc:.2f} ({len(rows):,} closed rows, within blocks of time; "
        f"one column known beforehand seldom reaches {PLAUSIBLE_AUC:.2f}){_open_words(values, there, groups)}"
    )
    return evidence, auc, len(rows), "separates"


def _closing(_: pd.Series, there: np.ndarray, groups: _Groups) -> _Found:
    """Filled for what is closed, empty for what is open."""
    won, lost, still = groups.counts(there)
    closed, all_open = int((groups.won | groups.lost).sum()), int(groups.open.sum())
    if all_open < OPEN_AT_LEAST or closed < OPEN_AT_LEAST:
        return None
    if won + lost < FILLED_CLOSED * closed or still > FILLED_OPEN * all_open:
        return None
    evidence = f"filled for {won + lost:,} of {closed:,} closed, for {still:,} of {all_open:,} open"
    return evidence, np.nan, won + lost, "closing"


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)


def _encoded(values: pd.Series, won: np.ndarray) -> np.ndarray:
    """Return, for each row, the win rate of its value in the other folds, drawn towards the whole's."""
    codes, distinct = pd.factorize(values)
    fold = np.arange(len(won)) % _FOLDS
    score = np.empty(len(won))
    for k in range(_FOLDS):
        rest = fold != k
        wins = np.bincount(codes[rest], weights=won[rest], minlength=len(distinct))
        seen = np.bincount(codes[rest], minlength=len(distinct))
        rate = (wins + _SMOOTHING * won[rest].mean()) / (seen + _SMOOTHING)
        score[~rest] = rate[codes[~rest]]
    return score


def blocked_auc(score: np.ndarray, won: np.ndarray) -> tuple[float, float]:
    """Return the AUC of a score within successive blocks of rows, and its lower 95 % bound.

    Up to 20 blocks of at least 100 rows; each block's AUC (ties count half) is weighted by its number of pairs. The
    bound uses Hanley & McNeil's variance (1982, Radiology 143, equation 1) of each block.

    Parameters: score (n,) higher where a win is likelier; won (n,) bool. Both bounds are NaN without a pair.
    """
    blocks = max(1, min(_BLOCKS, len(score) // _BLOCK_AT_LEAST))
    pairs, areas, variances = [], [], []
    for rows in np.array_split(np.arange(len(score)), blocks):
        n_won = int(won[rows].sum())
        n_lost = len(rows) - n_won
        if not (n_won and n_lost):
            continue
        rank = pd.Series(score[rows]).rank().to_numpy()
        area = (rank[won[rows]].sum() - n_won * (n_won + 1) / 2) / (n_won * n_lost)
        q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
        spread = area * (1 - area) + (n_won - 1) * (q1 - area**2) + (n_lost - 1) * (q2 - area**2)
        pairs.append(n_won * n_lost)
        areas.append(area)
        variances.append(max(spread, 0.0) / (n_won * n_lost))
    if not pairs:
        return np.nan, np.nan
    weight = np.array(pairs) / np.sum(pairs)
    auc = float(weight @ np.array(areas))
    return auc, auc - 1.96 * float(np.sqrt(weight**2 @ np.array(variances)))
