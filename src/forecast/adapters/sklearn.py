"""scikit-learn: any classifier as a challenger of the win model, and the win model as a classifier of its own."""

from forecast.models.own.classifiers import Challenger, challenger, covariates, encoded
from forecast.models.own.win_classifier import WinClassifier

__all__ = ["Challenger", "WinClassifier", "challenger", "covariates", "encoded"]
