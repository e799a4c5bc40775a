"""The win model as a scikit-learn classifier: the same encoding of a deal, the same regression, one horizon.

The win model proper asks month by month who is won and who is lost, along a company's past. Here the question is one:
won in time or not, of the rows that are given, so that it can sit in a Pipeline and be cross-validated by time. What is
the same: how stage, amount, dates, age and slips become columns (`encoding`), the ridge of each, and that what a
company brings on top weighs as much as the rows bear out (`shrunk_by_evidence`). What is not there: months, competing
losses, effects of sellers beyond a column, levels that move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from forecast.data.known.coding import NONE
from forecast.data.known.planned import NEVER
from forecast.models.own.landmark_table import DATES
from forecast.models.win.encoding import Vocabulary, encoding
from forecast.models.win.hazards import fitted, one_thread, shrunk_by_evidence
from forecast.models.win.landmarks import UNDATED, Rows, States

_STATE = ("segment", "stage", "amount", "age", "stage_age", "months_to_close", "slips", "origin")
_NO_COVARIATES = ("opportunity_id", "account_id", "won", *DATES)
_SELLER = "seller"
"""What owners are called here: the encoding leaves `owner` to effects that this model does not have."""


class WinClassifier(ClassifierMixin, BaseEstimator):
    """The win model's regression on landmarks, as a classifier of two classes.

    X : a DataFrame of `forecast.landmarks`, whose columns it knows (ids and dates are not looked at; every other text
    column is a factor, every other number a number), or any table or array of numbers. Missing values are unknown.
    y : two classes; the second of the sorted ones is what predict_proba's second column is the chance of.

    Parameters
    ----------
    evidence : whether what a company brings (its own columns, segments, months) is shrunk by the evidence for it, as in
        the win model; without, its ridge is 1.

    Attributes
    ----------
    classes_ : (2,). n_features_in_, feature_names_in_ : as scikit-learn has them. coef_ : (columns,). idle_ : columns
    that weigh next to nothing.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold, cross_val_score
    >>> seen = landmarks(log, origins=origins).dropna(subset=["won"])  # doctest: +SKIP
    >>> cross_val_score(WinClassifier(), seen, seen["won"], groups=seen["origin"], cv=GroupKFold(3))  # doctest: +SKIP
    """

    def __init__(self, *, evidence: bool = True) -> None:
        self.evidence = evidence

    def fit(self, X: Any, y: Any) -> WinClassifier:
        """Fit to rows; X : (n, features), y : (n,) of two classes. Raises ValueError as scikit-learn's do."""
        self._is_table = _is_table(X)
        if self._is_table:
            validate_data(self, X, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            if len(y) != len(X):
                raise ValueError(f"X has {len(X)} rows, y has {len(y)}")
            table = X
        else:
            numbers, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
            table = _of_numbers(numbers)
        check_classification_targets(y)
        self.classes_, code = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(f"Only binary classification is supported. y has {len(self.classes_)} classes.")
        if len(self.classes_) < 2:
            raise ValueError("Classifier can't train when only one class is present.")
        self._terms = _Terms.of(table)
        states, won = self._terms.states(table), code == 1
        rows = Rows(
            states=states,
            landmark=np.arange(len(won)),
            step=np.zeros(len(won), dtype=np.int64),
            won=won,
            lost=~won,
            weight=np.ones(len(won)),
            offset=np.zeros((len(won), 2), dtype=np.float32),
        )
        with one_thread():
            self._code = encoding(self._terms.words, states, steps=1)
            fit = fitted(self._code, self._code.matrix(rows), rows)
            beta, idle = shrunk_by_evidence(fit) if self.evidence else (fit.beta, ())
        self.coef_, self.idle_ = beta[:, 0], tuple(idle)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the log odds of the second class, (n,)."""
        check_is_fitted(self)
        if self._is_table:
            validate_data(self, X, reset=False, skip_check_array=True)
            table = X
        else:
            table = _of_numbers(validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"))
        logits = self._code.logits(self._terms.states(table), self.coef_[:, None], steps=1)
        return np.asarray(logits[:, 0, 0])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the chances of both classes, (n, 2)."""
        p = expit(self.decision_function(X))
        return np.column_stack([1.0 - p, p])

    def predict(self, X: Any) -> np.ndarray:
        """Return the likelier class of each row, (n,)."""
        second = self.decision_function(X) > 0  # first of all: an estimator that is not fitted has no classes
        return np.asarray(self.classes_[second.astype(int)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def _is_table(X: Any) -> bool:
    """Return whether rows are a table whose columns mean something: text among them, or the names of landmarks."""
    if not isinstance(X, pd.DataFrame):
        return False
    numeric = all(pd.api.types.is_numeric_dtype(kind) for kind in X.dtypes)
    return not numeric or len({*_STATE} & {str(name) for name in X.columns}) > 1


def _of_numbers(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What the columns of the rows learned from are: levels of stage, segment and each factor, names of numbers."""

    words: Vocabulary
    levels: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, table: pd.DataFrame) -> _Terms:
        """Return the terms of rows: text is a factor, all else a number."""
        others = {str(name): table[name] for name in table if name not in (*_STATE, *_NO_COVARIATES)}
        others = {_SELLER if name == "owner" else name: column for name, column in others.items()}
        others = {name: column for name, column in others.items() if not pd.api.types.is_datetime64_dtype(column)}
        text = {name: column for name, column in others.items() if not pd.api.types.is_numeric_dtype(column)}
        others = {name: column for name, column in others.items() if name not in text or column.notna().any()}
        text = {name: column for name, column in text.items() if name in others}
        texts = {**text, **{name: table[name] for name in ("segment", "stage") if name in table}}
        levels = {name: tuple(sorted(map(str, column.dropna().unique()))) for name, column in texts.items()}
        levels.setdefault("segment", ("",))  # one that no row has
        places = {name: np.append(np.arange(len(found)), NONE) for name, found in levels.items()}
        return cls(
            words=Vocabulary(
                stages=levels.get("stage", ()),
                segments=levels["segment"],
                factors={name: levels[name] for name in text},
                numbers=tuple(name for name in others if name not in text),
                amount="amount" in table,
                places=places,
            ),
            levels=levels,
        )

    def states(self, table: pd.DataFrame) -> States:
        """Return rows as the encoding takes deals; what a row does not have, or nobody knew of, is unknown."""
        n = len(table)

        def number(name: str, missing: float = np.nan) -> np.ndarray:
            if name not in table:
                return np.full(n, missing)
            values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            return np.where(np.isnan(values), missing, values)

        def codes(name: str, column: str) -> np.ndarray:
            if column not in table:
                return np.full(n, NONE)
            text = table[column].map(str, na_action="ignore")
            return pd.Index(self.levels.get(name, ()), dtype="object").get_indexer(pd.Index(text, dtype="object"))

        away = number("months_to_close")
        due = np.where(np.isnan(away), UNDATED, np.floor(np.nan_to_num(away)))
        month = _months_of(table) + 1
        return States(
            deal=np.arange(n),
            target=month.astype(np.int32),
            quarter_position=(month % 3).astype(np.int32),
            segment=codes("segment", "segment"),
            stage=codes("stage", "stage"),
            amount=number("amount"),
            age=number("age"),
            stage_age=number("stage_age"),
            due=due.astype(np.int32),
            overdue=np.nan_to_num(away, nan=1.0) <= 0,
            slips=number("slips", 0.0).astype(np.int32),
            planned_from=np.full(n, NEVER),
            events=np.zeros((n, 0), dtype=np.uint32),
            factors={name: codes(name, "owner" if name == _SELLER else name) for name in self.words.factors},
            numbers={name: number(name) for name in self.words.numbers},
        )


def _months_of(table: pd.DataFrame) -> np.ndarray:
    """Return the month of each row's origin, counted from year 0; 0 where rows have none."""
    if "origin" not in table:
        return np.zeros(len(table), dtype=np.int64)
    origin = pd.to_datetime(table["origin"])
    return (origin.dt.year * 12 + origin.dt.month - 1).to_numpy(dtype=np.int64)
