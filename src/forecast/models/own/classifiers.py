"""Any scikit-learn classifier on the open deals of past days: a challenger of the win model.

    from sklearn.ensemble import RandomForestClassifier
    from forecast.adapters.sklearn import challenger
    from forecast.evaluation.scores.deals import deal_track, second_opinion

    mine = challenger(RandomForestClassifier(min_samples_leaf=20))
    track = deal_track(log, as_of="2026-10-31", origins=origins, horizon=3, challenger=mine)
    second_opinion(track).test

Simple case: the classifier learns of the landmarks that a snapshot knows (`forecast.landmarks`) which deals were won in
time, and says so of those open today. Two complications: what it says need not be a chance, so it is calibrated on the
later of its origins, which it has not seen; and columns that know the outcome are kept from it, as from ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from forecast.data.known.snapshot import Snapshot
from forecast.errors import ParameterError
from forecast.models.own.landmark_table import DATES, open_deals, past_landmarks
from forecast.models.win.encoding import vocabulary
from forecast.models.win.hazards import FEWEST_EACH
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_NO_COVARIATES = ("origin", "opportunity_id", "account_id", "won", *DATES)
_MOST_LEVELS = 40


def covariates(landmarks: pd.DataFrame, *, without: frozenset[str] = frozenset()) -> pd.DataFrame:
    """Return what a classifier may look at of landmarks: no ids, dates or outcome; text, numbers, truth values as 0, 1.

    landmarks : of `forecast.landmarks`. without : columns to be left out.
    """
    names = [name for name in landmarks.columns if name not in _NO_COVARIATES and name not in without]
    kept = landmarks[names]
    return kept.assign(**{name: kept[name].astype(np.float64) for name in kept.select_dtypes("bool").columns})


def encoded(classifier: Any) -> Pipeline:
    """Return a pipeline that encodes covariates for a classifier: text one-hot, numbers filled in and standardised.

    Of a text column at most 40 levels are told apart; a number that is missing is the median, and said to be missing.
    """
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    text = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_LEVELS, sparse_output=False)
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    columns = ColumnTransformer(
        [
            ("text", text, make_column_selector(dtype_exclude=np.number)),
            ("numbers", make_pipeline(filled, StandardScaler()), make_column_selector(dtype_include=np.number)),
        ]
    )
    return make_pipeline(columns, classifier)


@dataclass(frozen=True, kw_only=True)
class Challenger:
    """A classifier that says how likely open deals are won in time; see `challenger`."""

    classifier: Any
    calibration: str
    months: int
    later: float
    encode: bool

    def __call__(self, snap: Snapshot, *, horizon: int = 3, seed: int = 0) -> pd.DataFrame:
        """Return opportunity_id and p (0 to 1), one row an open deal; p is nan where there is too little to learn from.

        It learns of the landmarks whose months had settled by the snapshot's day. The same snapshot and seed give the
        same numbers. Raises ParameterError where the seed is none.
        """
        check_seed(seed)
        past = past_landmarks(snap, horizon=horizon, months=self.months)
        today = open_deals(snap.state)
        p = np.full(len(today), np.nan)
        won = past["won"].to_numpy() == 1.0
        if len(today) and min(won.sum(), (~won).sum()) >= FEWEST_EACH:
            kept_out = frozenset(vocabulary(snap.state).left_out)
            with threadpool_limits(limits=1):
                fitted = self._fitted(past, won, kept_out, seed=seed)
                p = fitted.predict_proba(covariates(today, without=kept_out)[self._used(past, kept_out)])[:, 1]
        return pd.DataFrame({"opportunity_id": today["opportunity_id"], "p": p})

    def _used(self, past: pd.DataFrame, kept_out: frozenset[str]) -> list[str]:
        seen = covariates(past, without=kept_out)
        return [name for name in seen if seen[name].nunique(dropna=False) > 1 and seen[name].notna().any()]

    def _fitted(self, past: pd.DataFrame, won: np.ndarray, kept_out: frozenset[str], *, seed: int) -> Any:
        """Return the classifier fitted to the earlier origins, calibrated on the later ones where these are enough."""
        from sklearn.base import clone
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.frozen import FrozenEstimator

        base = encoded(clone(self.classifier)) if self.encode else clone(self.classifier)
        open_seeds = {
            name: seed for name, value in base.get_params().items() if name.endswith("random_state") and value is None
        }
        base.set_params(**open_seeds)
        seen = covariates(past, without=kept_out)[self._used(past, kept_out)]
        origins = np.sort(past["origin"].unique())
        first_later = origins[int(len(origins) * (1 - self.later))] if len(origins) > 1 else None
        later = (past["origin"] >= first_later).to_numpy() if first_later is not None else np.zeros(len(past), bool)
        enough = all(min((won & part).sum(), (~won & part).sum()) >= FEWEST_EACH for part in (later, ~later))
        if self.calibration == "none" or not enough:
            return base.fit(seen, won)
        base.fit(seen[~later], won[~later])
        return CalibratedClassifierCV(FrozenEstimator(base), method=self.calibration).fit(seen[later], won[later])


def challenger(
    classifier: Any,
    *,
    calibration: str = "sigmoid",
    months: int = 36,
    later: float = 0.3,
    encode: bool = True,
) -> Challenger:
    """Return a challenger of the win model: any scikit-learn classifier with `predict_proba`.

    Parameters
    ----------
    classifier : not fitted; it is cloned for each fit, and gets the seed where its random_state is not set.
    calibration : sigmoid, isotonic or none: how `CalibratedClassifierCV` makes chances of what it says, on the latest
        share `later` of the origins, which it was not fitted to.
    months : past origins it learns from. encode : whether text is one-hot encoded and numbers standardised for it
        (`encoded`); without, it gets the DataFrame of `covariates` as it is.

    Returns
    -------
    Called with a snapshot (and horizon=, seed=) it gives opportunity_id and p; `deal_track(..., challenger=)` takes it.

    Raises
    ------
    ParameterError : it has no predict_proba, or an option is out of range.
    """
    if not hasattr(classifier, "predict_proba") or not hasattr(classifier, "get_params"):
        raise ParameterError(
            f"classifier: {type(classifier).__name__} has no predict_proba\n"
            "  mend: a scikit-learn classifier that gives probabilities, such as LogisticRegression()"
        )
    if calibration not in ("sigmoid", "isotonic", "none"):
        raise ParameterError(f"calibration: {calibration!r} is not one of sigmoid, isotonic, none")
    if not 0 < later < 1:
        raise ParameterError(f"later: {later!r} is not between 0 and 1")
    if isinstance(months, bool) or not isinstance(months, int) or months < 2:
        raise ParameterError(f"months: {months!r} is not a whole number of at least 2")
    return Challenger(classifier=classifier, calibration=calibration, months=months, later=later, encode=encode)
