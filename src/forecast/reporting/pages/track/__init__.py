"""How good forecasts have been."""
