"""Are the pages' words right? Histories where all is as promised, and histories where something is broken.

    python -m benchmarks.accuracy.words

Each history is drawn as arrays or tables of the shape the pages get, the pages' own functions write the sentences, and
the words are read from the text. A word is misleading where it says other than how the history was drawn. Simple case:
everybody equally near, no bias, ranges that hold four times in five, odds that come true. Then what real records have:
deals of one day that share their luck, segments that share a month's, forecasts further ahead that overlap.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from benchmarks.results import record
from benchmarks.seeds import WORDS
from forecast.calendar import period_labels
from forecast.evaluation import questions
from forecast.evaluation.scorecard.card import with_findings
from forecast.evaluation.scorecard.measures import Measure
from forecast.evaluation.scorecard.spans import Span
from forecast.evaluation.scores.deals import reliability
from forecast.evaluation.scores.events import wins_interval
from forecast.evaluation.scores.scoring import score, summarise
from forecast.evaluation.value_added import adjustments, habits, ladder_of, value_added
from forecast.reporting.pages import odds, odds_verdict, words
from forecast.reporting.pages.scorecard import card as scorecard
from forecast.reporting.pages.track.sentences import accuracy_sentences, company_sentence
from forecast.reporting.pages.value_added import ladder, people
from forecast.reporting.pages.words import word

HISTORIES = 400
DEALS = (30, 60, 120, 300, 1200)
MONTHS = (3, 12, 23)
SEGMENTS, LEADS = 8, 6
FIRST = 24_300
"""The first month of a record; any will do."""


# -- odds -------------------------------------------------------------------------------------------------


def draw_odds(
    rng: np.random.Generator,
    n: int,
    *,
    slope: float = 1.0,
    shift: float = 0.0,
    lost: float = 0.0,
    days: int = 8,
    shared: float,
):
    """Return past odds and those of a win ever of n deals: logits spread 1.0 about -0.8, on `days` days.

    slope : of the odds given against the true ones. shift : added to the logits given. lost : share of the wins
    of the last day that does not come. shared : spread of what the deals of one day share.
    """
    true = rng.normal(-0.8, 1.0, n)
    day = np.arange(n) % days
    luck = rng.normal(0.0, shared, days)[day] if shared else 0.0
    p = expit(slope * true + shift)
    origin = pd.Timestamp("2024-08-31") + pd.to_timedelta(91 * day, unit="D")
    happened = rng.random(n) < _mean_of(true, shared, luck)
    if lost:
        happened &= (day < days - 1) | (rng.random(n) >= lost)
    past = pd.DataFrame({"origin": origin, "p": p, "won": happened.astype(float)})
    won = float((rng.random(n) < expit(true)).sum())
    spread, day = float((p * (1 - p)).sum()), pd.Timestamp("2025-10-31")
    low, high = wins_interval(p.sum(), spread, deals=n)
    facts = {"origin": day, "deals": n, "expected": p.sum(), "expected_by": p.sum(), "until": day, "spread": spread}
    ended = pd.DataFrame([facts | {"chance_low": low, "chance_high": high, "won": won, "open": 0.0, "late": 0.0}])
    return past, ended


def _mean_of(true: np.ndarray, shared: float, luck: Any) -> np.ndarray:
    """Return chances that shared luck moves, with the mean that the odds promise (a probit's attenuation undone)."""
    return expit(true * np.sqrt(1 + (shared * 0.588) ** 2) + luck) if shared else expit(true)


def odds_text(past: pd.DataFrame, ended: pd.DataFrame) -> str:
    """Return the sentences of the page of the odds."""
    judged = questions.of_odds(past, ended, horizon=3)
    table = reliability(past["won"], past["p"])
    within = "won within 3 months"
    days = past.groupby("origin").agg(deals=("p", "size"), p=("p", "mean"), won=("won", "mean")).reset_index()
    lines = [odds_verdict.calibration_finding(table, judged, days=days, within=within, ever=ended)]
    lines += odds_verdict.last_day_sentences(days, judged, within=within)
    lines += odds.skill_sentences(past, judged, within=within)
    return "\n".join([*lines, *odds_verdict.ever_sentences(ended, judged)])


ODDS_WRONG = (words.LEVEL.above, words.LEVEL.below, words.SLOPE.above, words.SLOPE.below)
ODDS_WRONG += (words.LATELY.above, words.LATELY.below)
ODDS_CLAIMS = (*ODDS_WRONG, words.EVER.above, words.EVER.below)
"""What no page may say of odds that come true."""


# -- the record -------------------------------------------------------------------------------------------


def draw_record(
    rng: np.random.Generator,
    months: int,
    *,
    width: float = 1.0,
    bias: float = 0.0,
    benchmark: float = 1.0,
) -> pd.DataFrame:
    """Return scored forecasts of `months` months, SEGMENTS segments, one to LEADS months ahead.

    What nobody could know (the sum of the months' shocks since the origin, shared between segments by a third) is the
    same for all forecasters; each adds a noise of its own. People know as much as the model of the month end before,
    with which they are compared. width : of the model's ranges against the true ones. bias :
    of the model, share of the usual month. benchmark : size of the benchmark's own noise against the others'.
    """
    reach = LEADS + 2  # shocks that a month's bookings hold; the longest lead, an older month end's, knows one of them
    steps = months + reach
    shocks = rng.normal(0, 1, (steps, SEGMENTS)) * 8 + rng.normal(0, 1, (steps, 1)) * 5
    usual = rng.uniform(80, 120, SEGMENTS)
    newest = np.stack(
        [shocks[at : months + at] for at in range(reach, 0, -1)]
    )  # (reach, months, SEGMENTS), newest first
    observed = usual + newest.sum(axis=0)
    parts = []
    for lead in range(1, LEADS + 1):
        sd = np.append(
            np.full(SEGMENTS, np.sqrt(lead * 89.0 + 100)),
            np.sqrt(lead * (64 * SEGMENTS + 25 * SEGMENTS**2) + 100 * SEGMENTS),
        )
        for name in NAMES:
            unknown = newest[: lead + name.startswith("submitted-")].sum(axis=0)
            own = _smooth(rng, months) * 10 * (benchmark if name == "ets" else 1.0)
            mean = observed - unknown + own + (bias * usual if name == "pipeline" else 0.0)
            both = [np.column_stack([values, values.sum(axis=1)]) for values in (observed, mean)]
            parts.append((name, lead, *both, sd * width if name == "pipeline" else sd * np.nan))
    return score(_table(parts, months))


NAMES = ("pipeline", "pipeline-sales-only", "ets", "seasonal-naive", "stage-weighted")
NAMES += ("submitted-sales", "submitted-marketing", "submitted-joint")
_LEVELS = {"q2.5": -1.96, "q10": -1.2816, "q25": -0.6745, "q50": 0.0, "q75": 0.6745, "q90": 1.2816, "q97.5": 1.96}


def _table(parts: Sequence[tuple[str, int, np.ndarray, np.ndarray, np.ndarray]], months: int) -> pd.DataFrame:
    """Return the forecast table of (name, lead, observed, mean, sd of the ranges), segments and Total in columns."""
    wide = SEGMENTS + 1
    cells, count = months * wide, len(parts)
    labels = period_labels(np.arange(FIRST - LEADS, FIRST + months))
    ends = pd.PeriodIndex(labels, freq="M").to_timestamp(how="end").normalize().to_numpy()
    target = np.tile(np.repeat(np.arange(months), wide), count)
    lead = np.repeat([part[1] for part in parts], cells)
    observed, mean = (np.concatenate([part[at].ravel() for part in parts]) for at in (2, 3))
    sd = np.concatenate([np.tile(part[4], months) for part in parts])
    return pd.DataFrame(
        {
            "model": np.repeat([part[0] for part in parts], cells),
            "origin": ends[target + LEADS - lead],
            "target_period": np.asarray(labels)[target + LEADS],
            "horizon": lead,
            "segment": np.tile([*(f"S{at}" for at in range(SEGMENTS)), "Total"], months * count),
            "mean": mean,
            **{column: mean + z * sd for column, z in _LEVELS.items()},
            "observed": observed,
        }
    ).astype({"model": "str", "target_period": "str", "segment": "str"})


def _smooth(rng: np.random.Generator, months: int) -> np.ndarray:
    """Return noise that resembles its neighbours (AR .3) with variance 1, (months, SEGMENTS)."""
    noise = rng.normal(0, 1, (months + 5, SEGMENTS))
    for t in range(1, len(noise)):
        noise[t] = 0.3 * noise[t - 1] + np.sqrt(1 - 0.09) * noise[t]
    return noise[5:]


def record_text(scored: pd.DataFrame) -> dict[str, str]:
    """Return the sentences of the page of the record, by part."""
    steps = value_added(scored, ladder=ladder_of(scored["model"]), lag=1)
    submitters, changes = habits(scored, by=["submitter"]), adjustments(scored)
    found = questions.of_record(scored, steps, submitters, changes)
    table = summarise(scored, by=["model", "span", "level", "horizon"])
    steps, submitters, changes = (
        questions.with_page(frame, found, kind)
        for frame, kind in ((steps, "step"), (submitters, "habit"), (changes, "change"))
    )
    by_level = {level: accuracy_sentences(table, found, level=level) for level in questions.LEVELS}
    return {
        "segments": "\n".join(by_level["segment"]),
        "company": "\n".join([company_sentence(table, found), *by_level["total"]]),
        "steps": "\n".join([ladder.ladder_finding(steps), *map(ladder.step_sentence, steps.to_dict("records"))]),
        "people": "\n".join([people.habits_finding(submitters), people.adjustments_finding(changes)]),
    }


RECORD_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "segments": ("too wide", "too narrow", ", beyond luck", "too much", "too little"),
    "company": ("too wide", "too narrow", ", beyond luck"),
    "steps": (f"; {words.BEYOND_LUCK}",),
    "people": (" too high, by", " too low, by", " missed by more than the model", " missed by less than the model"),
}
"""What no page may say of forecasters all alike, with ranges that hold."""


def claims(texts: Mapping[str, str]) -> list[str]:
    """Return the claims of a record's page, by the part they stand in."""
    return [
        f"{part}: {claim}" for part, text in texts.items() for claim in RECORD_CLAIMS[part] if _claimed(text, claim)
    ]


def _claimed(text: str, claim: str) -> bool:
    """Return whether a claim stands in a text; that one cannot tell is none."""
    return any(claim in line for line in text.split("\n") if not line.startswith("Too few months to tell"))


# -- the scorecard ----------------------------------------------------------------------------------------


def draw_card(rng: np.random.Generator, *, change: float = 0.0, of_late: float = 0.0) -> pd.DataFrame:
    """Return a scorecard of 12 measures, 4 with a survey's figure that is their true mean, and a year before.

    Months resemble their neighbours (AR .3), with a season. change : of all measures against the year before. of_late :
    the same of the last five months alone.
    """
    measures, rows = [], []
    now, before = Span(first=12, last=23), Span(first=0, last=11)
    for at in range(12):
        season = 0.1 * np.sin(2 * np.pi * (np.arange(24) + at) / 12)
        values = 0.5 + season + 0.08 * _smooth(rng, 24)[:, 0]
        values[12:] *= 1 + change
        values[-5:] *= 1 + of_late
        measures.append(Measure(name=f"measure {at}", unit="share", make=_mean_in(values), needs="", meaning=""))
        survey = 0.5 if at < 4 else np.nan
        means = values[12:].mean(), values[:12].mean()
        row = {"measure": f"measure {at}", "ours": means[0], "survey": survey, "previous": means[1]}
        rows.append(row | {"unit": "share", "bound": "", "last": "2026-12"})
    known: Any = None
    return with_findings(pd.DataFrame(rows), measures, known, now=now, before=before)


def _mean_in(values: np.ndarray) -> Callable[[Any, Span], float]:
    return lambda _, span: float(values[span.first : span.last + 1].mean())


def card_text(card: pd.DataFrame) -> str:
    """Return the sentences of the scorecard's page."""
    return "\n".join([scorecard.finding(card), *scorecard.year_sentences(card, currency="")])


def card_claims(text: str) -> bool:
    """Return whether the page calls any figure above or below the survey, higher or lower than a year ago."""
    first, *rest = text.split("\n")
    changed = (
        word("above", words.YEAR),
        word("below", words.YEAR),
        word("above", words.LATE),
        word("below", words.LATE),
    )
    return " above" in first or " below" in first or any(claim in line for line in rest for claim in changed)


BROKEN: Sequence[tuple[str, dict[str, float], dict[str, tuple[str, str]]]] = (
    (
        "ranges half as wide",
        {"width": 0.5},
        {"segments' ranges": ("segments", "too narrow"), "the Total's": ("company", "too narrow")},
    ),
    (
        "ranges twice as wide",
        {"width": 2.0},
        {"segments' ranges": ("segments", "too wide"), "the Total's": ("company", "too wide")},
    ),
    (
        "20 % too much, a benchmark four times as noisy",
        {"bias": 0.2, "benchmark": 4.0},
        {"bias": ("segments", "too much"), "skill": ("segments", "less than the benchmark, beyond luck")},
    ),
)
"""What is broken, how it is drawn, and the claims that find it, by part of the page."""


# -- counting ---------------------------------------------------------------------------------------------


def share(histories: Iterable[bool]) -> tuple[float, float]:
    """Return the share of histories for which something holds, and its standard error."""
    values = np.array(list(histories), dtype=float)
    return float(values.mean()), float(np.sqrt(values.mean() * (1 - values.mean()) / len(values)))


Rows = list[tuple[str, str, float]]


def count(rows: Rows, case: str, what: str, found: list[bool]) -> None:
    """Add the share of histories for which something holds, and print it with its standard error."""
    mean, error = share(found)
    rows.append((case, what, mean))
    print(f"{case:58s} {what:34s} {mean:6.1%} ({error:.1%})", flush=True)


def measure_odds(rng: np.random.Generator, histories: int) -> Rows:
    """Return case, what was counted and its share, of the page of the odds."""
    rows: Rows = []
    for n in DEALS:
        for shared in (0.0, 0.3):
            texts = [odds_text(*draw_odds(rng, n, shared=shared)) for _ in range(histories)]
            case = f"odds, perfect, {n} deals" + (", a day's luck shared" if shared else "")
            count(rows, case, "misleading", [any(claim in text for claim in ODDS_CLAIMS) for text in texts])
            count(rows, case, "called honest", [words.LEVEL.promised in text for text in texts])
        for case, bent in (("half the slope", 0.5), ("twice the slope", 2.0)):
            texts = [odds_text(*draw_odds(rng, n, slope=bent, shared=0.0)) for _ in range(histories)]
            found = [any(claim in text for claim in ODDS_WRONG) for text in texts]
            count(rows, f"odds, {case}, {n} deals", "found", found)
            count(rows, f"odds, {case}, {n} deals", "called honest", [words.LEVEL.promised in text for text in texts])
        texts = [odds_text(*draw_odds(rng, n, shift=0.5, shared=0.0)) for _ in range(histories)]
        count(rows, f"odds, 0.5 too high in logits, {n} deals", "found", [words.LEVEL.above in text for text in texts])
        texts = [odds_text(*draw_odds(rng, n, lost=0.5, shared=0.0)) for _ in range(histories)]
        case, claims = (
            f"odds, half of the wins lost on the last day, {n} deals",
            (words.LATELY.above, words.LEVEL.above),
        )
        count(rows, case, "found", [any(claim in text for claim in claims) for text in texts])
        count(rows, case, "called honest", [words.LEVEL.promised in text for text in texts])
    return rows


def measure_record(rng: np.random.Generator, histories: int) -> Rows:
    """Return case, what was counted and its share, of the page of the record."""
    rows: Rows = []
    for months in MONTHS:
        texts = [record_text(draw_record(rng, months)) for _ in range(histories)]
        case = f"record, perfect, {months} months"
        count(rows, case, "misleading", [bool(claims(text)) for text in texts])
        for part in RECORD_CLAIMS:
            found = [any(claim.startswith(f"{part}:") for claim in claims(text)) for text in texts]
            count(rows, case, f"of that, {part}", found)
        ranges = [any("too wide" in part or "too narrow" in part for part in text.values()) for text in texts]
        count(rows, case, "of that, ranges", ranges)
    for case, how, looked_for in BROKEN:
        texts = [record_text(draw_record(rng, 23, **how)) for _ in range(histories)]
        for what, (part, claim) in looked_for.items():
            count(rows, f"record, {case}, 23 months", f"found: {what}", [claim in text[part] for text in texts])
    return rows


def measure_card(rng: np.random.Generator, histories: int) -> Rows:
    """Return case, what was counted and its share, of the scorecard's page."""
    rows: Rows = []
    wrong = [card_claims(card_text(draw_card(rng))) for _ in range(histories)]
    count(rows, "scorecard, perfect", "misleading", wrong)
    for change in (0.2, 0.4):
        texts = [card_text(draw_card(rng, change=change)) for _ in range(histories)]
        found = [word("above", words.YEAR) in text or word("above", words.LATE) in text for text in texts]
        count(rows, f"scorecard, all {change:.0%} higher", "found (any)", found)
    texts = [card_text(draw_card(rng, of_late=-0.5)) for _ in range(histories)]
    found = [word("below", words.LATE) in text for text in texts]
    count(rows, "scorecard, all halved for five months", "found (any)", found)
    return rows


PARTS = {"odds": measure_odds, "record": measure_record, "scorecard": measure_card}


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="one part alone; without it all")
    parser.add_argument("--seed", type=int, help="of its histories, instead of the reported ones")
    parser.add_argument("--histories", type=int, default=HISTORIES, help="of each case")
    given = parser.parse_args()
    for part in [given.part] if given.part else PARTS:
        seed = WORDS[part] if given.seed is None else given.seed
        rows = PARTS[part](np.random.default_rng(seed), given.histories)
        if given.seed is None and given.histories == HISTORIES:
            record("words", [(case, what, value, "share") for case, what, value in rows])


if __name__ == "__main__":
    main()
