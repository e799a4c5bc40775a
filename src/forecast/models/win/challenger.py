"""A second opinion on the win probabilities: a plain scikit-learn classifier on the same landmarks.

Ours models two hazards month by month. The challenger asks one question directly: of the deals that were open on past
days (`landmarks`), which were won by the end of the h-th month? Text columns are one-hot encoded, numbers are
standardised or left as they are, and a logistic regression or gradient boosting answers. Nothing is tuned: it is what
an analyst would write in an afternoon, and so a fair thing to be measured against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import HORIZONS
from forecast.errors import ParameterError
from forecast.models.win.encoding import Vocabulary, log_size, vocabulary
from forecast.models.win.hazards import FEWEST_EACH
from forecast.models.win.landmarks import UNDATED, States, open_states, seen_landmarks, steps_of
from forecast.models.win.learn import WINDOW
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

KINDS = ("logistic", "boosting")

_MOST_LANDMARKS = 60_000
"""Landmarks learned from; of more, every second, third, ... one."""

_MOST_LEVELS = 40
_DUE_SPAN = 6


def challenger_probabilities(
    snap: Snapshot, *, kind: str = "logistic", horizon: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Return the challenger's chance of every open deal to be won by the end of a horizon.

    It learns from what the snapshot knows alone: landmarks of the last 60 months whose `horizon` months have settled,
    with the covariates that the win model may use (columns that know the outcome are left out of both).

    Parameters
    ----------
    snap : a snapshot. kind : logistic or boosting.
    horizon : months, 1 to 6; the month in progress comes on top where there is one, as in `p_win_1` … `p_win_6`.
    seed : of the boosting's choices, an integer >= 0.

    Returns
    -------
    DataFrame with opportunity_id and p (0 to 1), one row an open deal, sorted by opportunity_id. p is nan where fewer
    than 20 landmarks were won, or fewer than 20 were not: there is nothing to tell them apart by.

    Raises
    ------
    ParameterError : kind, horizon or seed is not one of these.
    """
    if kind not in KINDS:
        raise ParameterError(f"kind: {kind!r} is not one of {', '.join(KINDS)}")
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or not 1 <= horizon <= HORIZONS:
        raise ParameterError(f"horizon: {horizon!r} is not a whole number from 1 to {HORIZONS}")
    check_seed(seed)
    words, past, won, today = _landmarks(snap, horizon=horizon)
    ids = snap.opportunities["opportunity_id"].iloc[today.deal].reset_index(drop=True)
    p = np.full(len(today), np.nan)
    if len(today) and min(won.sum(), (~won).sum()) >= FEWEST_EACH:
        # On one thread, so that two machines agree to the last digit.
        with threadpool_limits(limits=1):
            seen = _features(past, words)
            varied = [name for name in seen if seen[name].nunique() > 1]
            pipeline = _pipeline(kind, seed=seed).fit(seen[varied], won)
            p = pipeline.predict_proba(_features(today, words)[varied])[:, 1]
    return pd.DataFrame({"opportunity_id": ids, "p": p})


def _landmarks(snap: Snapshot, *, horizon: int) -> tuple[Vocabulary, States, np.ndarray, States]:
    """Return the covariates in use, the landmarks to learn from, whether each was won in time, and today's open deals.

    A landmark counts once all its months have settled: none is taken for lost whose win was not yet recorded.
    """
    ledger = snap.ledger
    born = ledger.created_in[ledger.created_in > 0]
    begin = snap.period - WINDOW
    begin = min(max(begin, int(born.min()) if len(born) else begin), snap.period)
    past: dict[int, States] = {}
    for view in ledger.walk(ledger.days_like(snap.as_of, first=begin)):
        past[view.first_target] = open_states(view)
    seen = seen_landmarks(view, past, months=WINDOW)
    steps = horizon + steps_of(view) - HORIZONS
    use = np.flatnonzero(seen.states.target + steps - 1 <= view.last_settled)
    use = use[:: 1 + len(use) // _MOST_LANDMARKS]
    won = seen.won[use] & (seen.event[use] < steps)
    return vocabulary(view), seen.states.take(use), won, past[view.first_target]


def _features(states: States, words: Vocabulary) -> pd.DataFrame:
    """Return the columns a classifier sees, one row a deal: `is …` categories as codes, `x …` numbers, nan unknown."""
    due = np.clip(states.due, -_DUE_SPAN, _DUE_SPAN)
    columns = {
        "is stage": states.stage,
        "is segment": words.places["segment"][states.segment],
        "is due": np.where(states.due == UNDATED, UNDATED, due),
        "is overdue": states.overdue.astype(np.int64),
        "is month": states.target % 12,
        "x age": np.log1p(states.age),
        "x stage_age": np.log1p(states.stage_age),
        "x slips": np.log1p(states.slips),
    }
    if words.amount:
        columns["x amount"] = log_size(states.amount)
    columns |= {f"is {name}": words.places[name][states.factors[name]] for name in words.factors}
    columns |= {f"x {name}": states.numbers[name] for name in words.numbers}
    return pd.DataFrame({name: values.astype(np.float64) for name, values in columns.items()})


def _pipeline(kind: str, *, seed: int) -> Pipeline:
    """Return the classifier, not yet fitted."""
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    levels = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=_MOST_LEVELS, sparse_output=False, dtype=np.float32
    )
    if kind == "logistic":
        numbers = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
        )
        classifier = LogisticRegression(max_iter=1000)
    else:
        # Small trees: a deal is a landmark at several origins, and large ones learn it by heart.
        numbers = "passthrough"
        classifier = HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=100,
            max_leaf_nodes=8,
            min_samples_leaf=200,
            l2_regularization=20.0,
            early_stopping=False,
            random_state=seed,
        )
    encoded = ColumnTransformer(
        [
            ("levels", levels, make_column_selector(pattern="^is ")),
            ("numbers", numbers, make_column_selector(pattern="^x ")),
        ]
    )
    return make_pipeline(encoded, classifier)
