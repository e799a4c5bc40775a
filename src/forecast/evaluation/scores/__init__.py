"""Scores of points, quantiles, events and deals."""
