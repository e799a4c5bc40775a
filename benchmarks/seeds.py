"""The two lists of seeds: those looked at while designing, and those that figures come from.

A figure of accuracy, size or power that a document states comes from `REPORT` seeds only. Whoever looks at a result of
a report seed while changing a model has used it up: move it to `DESIGN` and take a new one.
"""

from __future__ import annotations

DESIGN = tuple(range(1, 100))
"""Free for designing; data/sample is seed 1."""

REPORT = tuple(range(7001, 7101))
"""For figures that are reported."""
