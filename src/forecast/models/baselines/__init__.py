"""The forecasts to hold ours against."""
