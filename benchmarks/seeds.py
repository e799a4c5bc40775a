"""The lists of seeds: those looked at while designing, those that settled how hard the company is, and those that
figures come from.

A figure of accuracy, size or power that a document states comes from `REPORT` seeds only. Whoever looks at a result of
a report seed while changing a model has used it up: move it to `DESIGN` and take a new one.
"""

from __future__ import annotations

DESIGN = (*range(1, 1000), *range(6000, 7000))
"""Free for designing; the former data/sample was seed 1."""

COMPANY = tuple(range(7001, 7013))
"""How hard the simulated company is, and size and power of the first planning verdict, were measured on these."""

USED = tuple(range(7101, 7121))
"""Reported from once, then looked at while the models went on: free for designing now."""

REPORT = tuple(range(7121, 7201))
"""For figures of models that are reported: 7121-7140 for those of record of bookings and win probabilities, 7141-7160
more of them for coverage, 7161: size and power of the planning verdict (used), 7162-7169: win probabilities against a
challenger (used), 7170 and 7171: the planning verdict that rests on two comparisons, before its checks were settled
(used), 7172: its size and power, 7173: the same on real errors, 7174 to 7176: the pages' words (7174 used for records
too, by a draw in which people knew a month more), 7177: the words of the odds once a win ever is held against what came
by a day (used), 7178: the page on planning as a whole, 7179: the paired test on real series, 7180: the words of the
odds once the last day is asked for itself, 7184: the words of the scorecard once the last months are asked about alone,
7186: scorecards once like months are compared and the formal process is not held against the survey, 7185: records with
the joint forecast held against the model, 7190 to 7193: ranges by level. The others from 7181 on have not been looked
at."""

SIZE_AND_POWER = 7172

WORDS = {"odds": 7180, "record": 7185, "scorecard": 7186}
"""Histories whose sentences are read, by page."""

BY_LEVEL = (7190, 7191, 7192, 7193)
"""Companies whose forecasts by level are held against what came, node by node."""

PLANNING_PAGE = 7178
"""Companies on which the words of the page on planning are read together."""

JUDGEMENT = 7187
"""Companies whose people change the number before them."""

PAIRED = 7179
"""Real series on which two forecasters are made equal."""

SETTLING = tuple(range(8301, 8307))
"""What waiting for settled months costs and brings was measured on these (used)."""

REAL_ERRORS = 7173
"""Sets of real forecasters with made-up starts."""

PLANNING = tuple(range(8201, 8301))
"""Companies with and without an effect, on which the road from forecasts to the planning verdict is reported; 8001 to
8200 were reported from for the verdict before it."""

ALARMS = tuple(range(8401, 8441))
"""Companies on which alarms of a changed record are counted, with nothing changed and with a change put in (used)."""

SAMPLE = tuple(range(9001, 9201))
"""Companies like the sample, on which it is reported what one can answer; the first of them is data/sample."""

CAUSES = tuple(range(8501, 8504))
"""Companies in which one cause alone is put in, to see whether it gets the credit (used)."""

NO_HISTORY = tuple(range(8601, 8605))
"""Companies exported without their history at the ends of six quarters (8601 and 8602 used)."""

BREAKS = tuple(range(8701, 8744))
"""Companies on which breaks in the record are looked for: 30 that go on, ten of each kind of break, and from 8741 on
three on which it is measured what each costs a forecast (all used)."""

CHANGES = tuple(range(8901, 8911))
"""Companies that change, kind by kind, on which it is reported how near forecasts come to what can be known."""

CHANGES_OF = {"break": tuple(range(8911, 8921)), "adopt": tuple(range(8921, 8931))}
"""The same of kinds of which the others were looked at (8901 to 8920) before conversion by age had a factor of its own
where planning is joint."""

LEVELS = tuple(range(8801, 8861))
"""Companies on which changes of the share won are looked for: all 60 still, the first of them with each change
(used)."""

SCORECARD = tuple(range(9301, 9501))
"""Companies on which it is counted whether known rates lie in their intervals."""

SCORECARD_CLAIMS = tuple(range(9501, 9701))
"""Companies on which it is counted what the scorecard claims to have changed (9301 to 9500 before its tests of reps at
quota were mended)."""

SCORECARD_AGAIN = tuple(range(9501, 9701))
"""The same companies in number, of another size: whether rates of the close rates and the funnel lie in their intervals
once those of leads and by value had been mended, since SCORECARD had been looked at for that."""
