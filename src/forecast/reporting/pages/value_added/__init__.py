"""What each step of forecasting adds."""
