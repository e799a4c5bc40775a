"""Does the page on planning mislead as a whole? Simulated companies, and the words of its three answers together.

    python -m benchmarks.planning.page

A company is a panel of errors (`process`, 8 segments), four other outcomes by segment and month, and forecasts of one
model with and without what marketing knows. Simple case: nothing changed and marketing is worth nothing, so any claim
misleads. Where the errors fell by 30 % and nothing else changed, a claim of anything else does. `alone` is what the
page would say if each table were held to 5 % by itself.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.planning import process
from benchmarks.planning.process import Scenario, panels_of
from benchmarks.planning.verdicts import PERMUTATIONS, Answer, frames, judge, panel_of
from benchmarks.results import record
from benchmarks.seeds import PLANNING_PAGE
from forecast.calendar import period_label
from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.secondary import (
    LEADS,
    OUTCOMES,
    WITH,
    WITHOUT,
    at_one_level,
    outcome_changes,
    worth_of_marketing,
)
from forecast.reporting.pages.planning import others

COMPANIES = 400
SPREAD, LEVELS = 0.08, (0.05, 0.8, 0.0, 0.3)
"""Of the other outcomes: how far months differ, and what is usual, in the order of OUTCOMES."""

USUAL, OWN = 100.0, 10.0
"""What a segment books in a month, and how far off a model is by itself."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is true of a company: effect, the share the errors fell by; shift of the first other outcome from the start
    on; gain, the share of its own noise that the model loses by knowing marketing."""

    name: str
    effect: float = 0.0
    shift: float = 0.0
    gain: float = 0.0


CASES = (
    Case(name="nothing changed"),
    Case(name="errors fell by 30 %, nothing else", effect=0.3),
    Case(name="errors fell by 30 %, bias by 10 points, marketing helps", effect=0.3, shift=-0.1, gain=0.5),
)


def draw_outcomes(panel: ErrorPanel, rng: np.random.Generator, *, shift: float) -> pd.DataFrame:
    """Return the four other outcomes of a panel's segments and months, AR(1), shared between segments in part."""
    segments, months = panel.error.shape
    moves = process.series_ar(rng, (len(OUTCOMES), segments, months)) * SPREAD
    since = panel.months[None, :] >= panel.dates[:, None]
    values = moves + np.array(LEVELS)[:, None, None]
    values[0] += shift * since
    outcome, segment, month = np.indices(values.shape)
    return pd.DataFrame(
        {
            "outcome": np.array(OUTCOMES)[outcome.ravel()],
            "segment": np.array(panel.segments)[segment.ravel()],
            "period": np.array([period_label(int(at)) for at in panel.months])[month.ravel()],
            "value": values.ravel(),
        }
    )


def draw_models(panel: ErrorPanel, rng: np.random.Generator, *, gain: float) -> pd.DataFrame:
    """Return forecasts of the model with and without marketing, one to three months ahead.

    What neither can know is the same for both and overlaps between lead times; each has a noise of its own.
    """
    segments, months = panel.error.shape
    shocks = process.series_ar(rng, (segments, months + LEADS[-1])) * 10.0
    names = np.array([period_label(int(at)) for at in panel.months])
    parts = []
    for lead in LEADS:
        unknown = np.sum([shocks[:, LEADS[-1] - at : LEADS[-1] - at + months] for at in range(lead)], axis=0)
        for model, share in ((WITH, 1 - gain), (WITHOUT, 1.0)):
            own = process.series_ar(rng, (segments, months)) * OWN * share
            cells = {"mean": (USUAL + own).ravel(), "observed": (USUAL + unknown).ravel(), "horizon": lead}
            where = {"segment": np.repeat(panel.segments, months), "target_period": np.tile(names, segments)}
            parts.append(pd.DataFrame({"model": model, "origin": f"{lead} ahead", **where, **cells}))
    return pd.concat(parts, ignore_index=True)


def claimed(changes: pd.DataFrame, worth: pd.DataFrame) -> tuple[bool, bool]:
    """Return whether the page says that something else changed, and that marketing made a difference."""
    other, marketing = others.others(changes)[0], others.information(worth)[0]
    return not other.startswith(("Nothing else", "Cannot tell")), marketing.startswith("Knowing marketing changed")


def verdict_of(answer: Answer) -> str:
    """Return the verdict behind an answer, as far as the rest of the page goes by it."""
    if answer.withheld:
        return "not identified"
    return {-1: "improved", 1: "worsened"}.get(answer.claim, "no detectable change")


def rows_of(case: Case, *, companies: int, seed: int) -> list[tuple[str, str, float]]:
    """Return case, what is counted and its share, of so many companies."""
    panels = panels_of(Scenario(case.name, effect=case.effect), companies, seed)
    rng = np.random.default_rng([seed, CASES.index(case)])
    found: dict[str, list[bool]] = {}
    for i, (error, benchmark, dates) in enumerate(zip(panels.error, panels.benchmark, panels.dates, strict=True)):
        panel = panel_of(error, benchmark, dates)
        answer = judge(panel, truth=panels.truth, seed=i, in_full=False)
        adoption = frames(panel)[1]
        values = draw_outcomes(panel, rng, shift=case.shift)
        alone = (
            outcome_changes(values, adoption, permutations=PERMUTATIONS, seed=i),
            worth_of_marketing(draw_models(panel, rng, gain=case.gain), adoption),
        )
        together = at_one_level(*alone, verdict=verdict_of(answer), withheld=answer.withheld)
        said = {"": claimed(*together), ", alone": claimed(*alone)}
        found.setdefault("verdict claims", []).append(answer.claim != 0)
        for how, (other, marketing) in said.items():
            found.setdefault(f"another outcome claimed{how}", []).append(other)
            found.setdefault(f"marketing's worth claimed{how}", []).append(marketing)
            false_verdict = answer.claim > 0 or (answer.claim < 0 and not case.effect)
            wrong = false_verdict or (other and not case.shift) or (marketing and not case.gain)
            found.setdefault(f"misleading{how}", []).append(wrong)
    return [(f"page, {case.name}", what, float(np.mean(each))) for what, each in found.items()]


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of its companies, instead of the reported ones")
    parser.add_argument("--companies", type=int, default=COMPANIES, help="of each case")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="one case alone, by its number")
    given = parser.parse_args()
    seed = PLANNING_PAGE if given.seed is None else given.seed
    for case in CASES if given.case is None else [CASES[given.case]]:
        rows = rows_of(case, companies=given.companies, seed=seed)
        for name, what, value in rows:
            error = np.sqrt(value * (1 - value) / given.companies)
            print(f"{name:66s} {what:38s} {value:6.1%} ({error:.1%})", flush=True)
        if given.seed is None and given.companies == COMPANIES:
            record("planning page", [(name, what, value, "share") for name, what, value in rows])


if __name__ == "__main__":
    main()
