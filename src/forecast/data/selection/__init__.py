"""A part of the company as a log of its own: a product, a segment, the last two years, what a condition says."""
