"""How good the forecasts have been, and whether planning together made them better."""
