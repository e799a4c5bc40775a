"""A combination of the forecasters, learned from their past forecasts as they were made."""
