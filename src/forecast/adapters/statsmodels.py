"""Any statsmodels time-series model as a forecaster of monthly bookings: `forecaster(factory, name=…)`."""

from forecast.models.own.time_series import DRAWS, FEWEST_MONTHS, forecaster

__all__ = ["DRAWS", "FEWEST_MONTHS", "forecaster"]
