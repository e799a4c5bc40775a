"""The words of the field as the pages explain them: one sentence each, here and nowhere else.

A page marks the first use of a word with its sentence (`run/links.py`), the page `glossary.html` of a month lists them
all, and docs/glossary.md holds the same sentences for people (a test compares).

>>> term("Ranges held: 80 % ranges of months").word
'80 % range'
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from forecast import wording


@dataclass(frozen=True, kw_only=True)
class Term:
    """A word, its meaning as docs/glossary.md has it, and how pages write it; by default as the word itself."""

    word: str
    meaning: str
    spellings: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """The name of its place on the glossary's page."""
        return re.sub(r"[^a-z0-9]+", "-", self.word.lower()).strip("-")

    @property
    def sentence(self) -> str:
        """Its meaning as a sentence."""
        return wording.sentence(self.meaning)


def term(text: str) -> Term | None:
    """Return the term that is first used in a text, or None."""
    found = USES.search(text)
    return BY_SPELLING[spelling(found[0])] if found else None


def spelling(text: str) -> str:
    """Return how a use of a term is looked up: small letters, plain spaces."""
    return re.sub(r"\s+", " ", text).lower()


# -- sentences ------------------------------------------------------------------------------------------

TITLE = "What the words mean"
"""The heading of the glossary's page, and of the links to it."""

BOOKINGS = (
    Term(word="booked", meaning="won in the period, as far as it has gone"),
    Term(
        word="open pipeline",
        meaning="expected to be won in the period from deals that are open now, each by its odds",
    ),
    Term(word="not yet created", meaning="expected to be won in the period from deals that nobody has entered yet"),
    Term(
        word="80 % range",
        meaning="of ten things forecast with such a range eight should end inside it, one below and one above",
        spellings=("80 % range", "80 % ranges"),
    ),
    Term(word="median", meaning="the middle: half of what may happen lies above it, half below"),
    Term(
        word="odds, win probability",
        meaning="the chance that a deal is won, learned from what became of past deals that stood as it does",
        spellings=("odds", "win probability", "win probabilities"),
    ),
    Term(
        word="close rate, win rate",
        meaning="deals won as a share of the deals that were won or lost; another share is said by its name",
        spellings=("close rate", "close rates", "win rate", "win rates"),
    ),
    Term(
        word="cohort",
        meaning="the deals, leads or accounts that began in the same months, followed from then on whatever becomes "
        "of them",
        spellings=("cohort", "cohorts"),
    ),
    Term(
        word="hand-over",
        meaning="a step from one side to the next: lead to worked, qualified, opportunity, proposal, won, delivered on "
        "time, bought again",
        spellings=("hand-over", "hand-overs"),
    ),
    Term(
        word="cost of selling",
        meaning="what sales and marketing cost, not what is delivered; the tables call it `cost of sales`",
    ),
    Term(
        word="segment-month, segment-quarter",
        meaning="a month, or quarter, of one segment",
        spellings=("segment-month", "segment-months", "segment-quarter", "segment-quarters"),
    ),
    Term(word="pipeline coverage", meaning="open pipeline over what is still missing to plan, the sales ratio"),
    Term(word="slippage", meaning="the expected close date moved later", spellings=("slippage", "slipped", "slips")),
    Term(
        word="segment",
        meaning="a part of the company, such as a region, that plans and submits forecasts of its own",
        spellings=("segment", "segments"),
    ),
)

DATA = (
    Term(
        word="changes the answer",
        meaning="said of a problem of the data: the forecast would be another number if it were mended",
        spellings=("that changes the answer", "that change the answer"),
    ),
    Term(
        word="cosmetic",
        meaning="said of a problem of the data: the forecast would be the same, or nearly so, if it were mended",
    ),
)

SCORES = (
    Term(
        word="model",
        meaning="the forecast that is computed from the CRM: open deals by their odds, and deals still to come",
        spellings=("the model",),
    ),
    Term(
        word="benchmark",
        meaning="a plain continuation of past bookings that knows no deal; what is no better than it adds nothing",
    ),
    Term(word="WAPE", meaning="all misses added up, as a share of all that was booked: never a mean of ratios"),
    Term(word="bias", meaning="forecast less booked, all added up; above zero, too much was forecast"),
    Term(word="MASE", meaning="the miss as a multiple of the mean miss of repeating last year, up to the origin"),
    Term(
        word="skill",
        meaning="the share of a baseline's error that is gone on the same targets: 1 - score / its score; below zero, "
        "the error is the larger one",
    ),
    Term(
        word="Brier score", meaning="mean squared gap between a probability and what came true, 1 or 0; lower is better"
    ),
    Term(word="coverage", meaning="share of observed values inside an interval"),
    Term(
        word="lead time",
        meaning="months from the day a forecast was made to the month it forecasts",
        spellings=("lead time", "lead times"),
    ),
    Term(
        word="settled", meaning="said of bookings read some days after their period ended (`settle_days`, 7 by default)"
    ),
    Term(
        word="beyond luck",
        meaning="luck alone would show as much at most 5 times in 100, allowing for all that the page looks at",
    ),
    Term(
        word="not proven",
        meaning="seen, but luck alone would show as much more often than 5 times in 100, allowing for all that the "
        "page looks at",
    ),
    Term(word="as promised", meaning="the data are enough to exclude that the ranges are wrong by ten points"),
    Term(word="of late", meaning="the last six months that have settled; for each lead time its last six forecasts"),
    Term(
        word="alarm",
        meaning="what is watched has changed of late by more than happens by itself; all alarms of a company together "
        "are false at most once in two years",
        spellings=("alarm", "alarms"),
    ),
    Term(
        word="stands in",
        meaning="the forecast to take instead while an alarm lasts: the benchmark, or for people the model, with its "
        "miss in the same months",
        spellings=("stands in", "stand in"),
    ),
    Term(
        word="95 % interval",
        meaning="all values that go with the data; of 20 such intervals 19 should hold the true one",
        spellings=("95 % interval", "95 % intervals"),
    ),
)

PLANNING = (
    Term(
        word="joint planning",
        meaning="sales and marketing of a segment agree on one forecast and submit it together",
        spellings=("joint planning", "plan jointly", "planning jointly", "planning together", "planned together"),
    ),
    Term(
        word="official forecast",
        meaning="the submission that counts: `joint` where there is one, else `sales`, else the only submitter's; "
        "category `commit` where there are categories",
    ),
    Term(word="commit", meaning="the category of a submitted forecast that its submitter stands for"),
    Term(word="adoption", meaning="the month in which a segment began to plan jointly"),
    Term(
        word="placebo, pre-trend",
        meaning="an effect measured before adoption, where there can be none",
        spellings=("placebo", "placebos", "pre-trend"),
    ),
    Term(
        word="set aside",
        meaning="the six months before adoption: neither before nor after, since a start often follows a bad spell",
    ),
    Term(
        word="no detectable change",
        meaning="what lies in the interval goes with the data; it does not say that nothing changed",
    ),
    Term(
        word="not identified",
        meaning="the data cannot tell an effect from something else that happened at the same time",
    ),
)

SECTIONS: Mapping[str, Sequence[Term]] = MappingProxyType(
    {"Bookings": BOOKINGS, "The data": DATA, "How good forecasts are": SCORES, "Joint planning": PLANNING}
)

# -- how they are found ---------------------------------------------------------------------------------

BY_SPELLING: Mapping[str, Term] = MappingProxyType(
    {spelling(way): each for terms in SECTIONS.values() for each in terms for way in each.spellings or (each.word,)}
)

USES = re.compile(
    r"(?<![\w-])(?:"
    + "|".join(re.escape(way).replace(r"\ ", r"\s+") for way in sorted(BY_SPELLING, key=len, reverse=True))
    + r")(?![\w-])",
    re.IGNORECASE,
)
"""Any use of a term in a text; longer ones first."""
