"""The tables of a month."""
