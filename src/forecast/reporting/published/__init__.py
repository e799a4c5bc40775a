"""Months that are published: read, listed, verified, compared, cleaned away."""
