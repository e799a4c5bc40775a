"""Any scikit-learn classifier as a challenger of the win model: `challenger(classifier)`."""

from forecast.models.own.classifiers import Challenger, challenger, covariates, encoded

__all__ = ["Challenger", "challenger", "covariates", "encoded"]
