"""How the scorecard's page shares one level over its questions, so that it misleads at most 5 % of the time.

Simple case: one question has all of LEVEL. The page asks four kinds, each with its own correction over what it asks,
and their parts add up to LEVEL, so that the chance of any false claim on the page is at most that (Bonferroni). What
the page is about has the largest part; the parts were fixed before anything was measured with them.
"""

from __future__ import annotations

from forecast.evaluation.judgement import LEVEL

SINCE_JOINT = 0.5 * LEVEL
"""Of a change since joint planning began, over all figures asked about (`figures.since_joint`)."""

CARD = 0.3 * LEVEL
"""Of being apart from the survey, and from the year before, over all measures (`card`)."""

PLANS, LATE = 0.1 * LEVEL, 0.1 * LEVEL
"""Of one plan being nearer than another, over the plans, and of a late order going with fewer or more orders later
(`funnel`)."""
