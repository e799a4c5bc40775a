"""No page evaluates without a test: every evaluative word comes through `pages/words`, or is allowed for a reason.

What is walked through are the texts of `forecast.reporting` and of the notebooks. A text with such a word that is
neither in `pages/words` nor allowed here fails. `BEYOND` names the two modules outside whose sentences stand on pages.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forecast.evaluation.judgement import Estimate, Finding
from forecast.reporting.pages import words
from forecast.reporting.run.prepare import ANALYST
from house import modules

EVALUATIVE = re.compile(
    r"\b(honest|too (?:wide|narrow|high|low|much|little|rarely|often)|better|worse|best|worst|as promised|nearer|closer"
    r"|beyond (?:luck|chance)|more than (?:luck|chance)|strong(?:est)?|improved?|worsened|hurts?|helps?|helped|accurate"
    r"|(?:adds?|takes?) accuracy|accuracy away|higher|lower|above|below|good|poor|reliable|far fewer|no difference)\b",
    re.IGNORECASE,
)
HOME = "pages/words"

# Modules outside `reporting` whose sentences stand on pages, with the test that each asks itself.
BEYOND = {
    "evaluation/planning/verdict": "the verdict on planning, by its own tests (docs/methods/planning.md)",
    "models/baselines/decomposition": "trend and season, by the shuffles of the months, both held to one level",
}

CODE = "a value in code or a code of a table, on no page"
FACT = "a fact of amounts, both of which are on the page"
READING = "how a column or an axis is read, of no figure in particular"
VERDICT = "chosen by `verdict`, which asks `judgement` with a p-value corrected over the page"
SHUFFLED = "of parts that `has_trend` and `has_season` let through, both held to one level"
RANKED = "by Tukey's range, of the season's months (models/baselines/decomposition)"
ALARM = "the kind of an alarm, said where there is one (docs/methods/alarms.md)"
SEVERAL = "by a test of its own, corrected over its table (docs/methods/words.md: the page on planning)"

ALLOWED: dict[str, dict[str, str]] = {
    "explorer/levers": {"improved": CODE, "worsened": CODE},
    "explorer/sentences": {
        "higher": "a supposition: how a lever was moved",
        "lower": "a supposition: how a lever was moved",
        "(+) and against it": READING,
        "strongest first": READING,
    },
    "pages/audit": {"Far fewer deals were created lately": "a finding of the audit, which has a bound of its own"},
    "pages/bookings/changes": {"below plan": FACT},
    "pages/bookings/seasons": {
        "Bookings have a trend, but no season beyond chance": SHUFFLED,
        "Bookings have a season, but no trend beyond chance": SHUFFLED,
        "{} is the strongest month": RANKED,
        "are the strongest months": RANKED,
        "its strongest months are": RANKED,
        "Neither a trend nor a season is more than chance": SHUFFLED,
    },
    "pages/bookings/sentences": {
        "as promised": CODE,
        "above": FACT,
        "below": FACT,
        "too little is known": "says that nothing can be said",
    },
    "pages/glossary": {
        "How good forecasts are": "a heading",
        "one below and one above": READING,
        "half of what may happen lies above it": READING,
        "what is no better than it adds nothing": READING,
        "above zero, too much was forecast": READING,
        "below zero, the error is the larger one": READING,
        "lower is better": READING,
        "beyond luck": "the word that is explained",
        "as promised": "the word that is explained",
    },
    "pages/leader": {
        "above": CODE,
        "one below and one above": READING,
        "a forecast that is no better adds nothing": READING,
    },
    "pages/odds": {
        "as promised": CODE,
        "the won one had the higher": FACT,
        "how often the won one": READING,
        "won one higher": READING,
        "Brier score and log loss are better when lower": READING,
    },
    "pages/odds_deals": {"where its odds lie above those of the mean open deal": READING},
    "pages/odds_verdict": {"as promised": CODE, "above": CODE},
    "pages/planning/limits": {"improved by": "a supposition: had they improved"},
    "pages/planning/levels": {
        "above zero, too much was promised": READING,
        "improved": CODE,
    },
    "pages/planning/others": {
        "above zero": READING,
        "beyond luck": SEVERAL,
    },
    "pages/planning/prepare": {"improved": CODE, "worsened": CODE},
    "pages/planning/sentences": {
        "improved by": "a supposition: had they improved",
        "lie below zero": FACT,
        "Cannot tell whether planning together helped": "says that nothing can be said",
    },
    "pages/quarters": {"above": FACT, "below": FACT},
    "pages/scorecard/answers": {"beyond chance": SEVERAL, "Above or below the survey is said only": READING},
    "pages/scorecard/card": {"above": CODE, "below": CODE, "|lower cost): ": CODE},
    "pages/scorecard/funnel": {"above": CODE, "below": CODE, "Whose forecast was nearer?": "a heading"},
    "pages/segments": {"below plan": FACT},
    "pages/track/by_level": {"off to one side by more than luck": "the head of a column; its words come from `word`"},
    "pages/track/lately_sentences": {
        "too high": ALARM,
        "too low": ALARM,
        "too high (bias)": READING,
        "below": CODE,
        "closer since then (it missed by": FACT,
    },
    "pages/track/sentences": {
        "lower is better": READING,
        "in sum above": FACT,
        "in sum below": FACT,
        "above": FACT,
        "below": FACT,
        "we cannot say how accurate forecasts are": "says that nothing can be said",
    },
    "pages/value_added/weights": {
        "more than luck": "the rule by which weights are given; each forecaster was tested by it",
    },
    "pages/value_added/ladder": {
        "lower is better": READING,
        "who was closer": FACT,
        "closer, not why": FACT,
        "whether planning together helped": "says what is not shown",
        "better": VERDICT,
        "worse": VERDICT,
    },
    "pages/value_added/own": {"better": VERDICT, "worse": VERDICT},
    "pages/value_added/people": {
        "came closer": FACT,
        "closer than the model": READING,
        "equally good forecasts": "a warning that no figure is meant",
        "Too few months to tell whether": "says that nothing can be said",
        "beyond chance": VERDICT,
        "above": CODE,
        "below": CODE,
        "better": VERDICT,
        "worse": VERDICT,
        "too high": "the head of the column that counts how many were so",
    },
}
NOTEBOOKS: dict[str, str] = {
    "are the odds honest": "a question",
    "Are the odds honest": "a question",
    "is honest": "what the word means",
    "look better known than it was": "what revising does, of no figure",
    "at a lower cost": "a question",
    "Who forecasts too high or too low": "a question, the caption of a table",
    "did planning together help": "a question",
    "Did planning together help": "a question",
    "how good have": "a question",
    "How good have": "a question",
    "what follows below": "a place on the page",
    "help(...)": CODE,
    "how much of the difference is more than luck": "a question",
    "strongest first": "how a list is ordered",
    "lower=0": CODE,
    "further down": "a place on the page",
}


def texts(source: str) -> Iterator[str]:
    """Yield every text of a module that is no docstring; what is filled in stands as {}."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(value) for value in node.values}
            yield "".join(value.value if isinstance(value, ast.Constant) else "{}" for value in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def evaluating(source: str, allowed: dict[str, str]) -> list[str]:
    """Return the texts of a module that hold an evaluative word and are not allowed."""
    return [text for text in texts(source) if EVALUATIVE.search(text) and not any(map(_is_of(text), allowed))]


def _is_of(text: str) -> Callable[[str], bool]:
    """Return whether what is allowed is this text: one word only as the whole of it, words also as a part of it."""
    return lambda part: part in text if " " in part else part == text


WALKED = {
    name.removeprefix("reporting/"): path
    for name, path in modules().items()
    if name.startswith("reporting/") and not name.endswith(HOME)
}


@pytest.mark.parametrize("module", WALKED)
def test_no_text_evaluates_by_itself(module: str):
    found = evaluating(WALKED[module].read_text(encoding="utf-8"), ALLOWED.get(module, {}))
    assert not found, f"{module} evaluates without `pages/words`: {found}"


def test_what_is_allowed_is_there():
    for module, parts in ALLOWED.items():
        held = [text for text in texts(WALKED[module].read_text(encoding="utf-8")) if EVALUATIVE.search(text)]
        for part in parts:
            assert any(_is_of(text)(part) for text in held), f"{module}: {part!r} need not be allowed any more"
    assert set(BEYOND) <= set(modules())


def test_notebooks_evaluate_nothing(root: Path):
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if ANALYST in cell["metadata"].get("tags", []):
                continue  # on no page: it says what to look for, of no company
            source = "".join(cell["source"])
            lines = source.splitlines() if cell["cell_type"] == "markdown" else texts(source)
            found = [line for line in lines if EVALUATIVE.search(line) and not any(part in line for part in NOTEBOOKS)]
            assert not found, f"{path.name}, {cell['id']}: {found}"


def test_the_walk_sees_an_evaluative_word():
    source = 'def finding(share):\n    """Ranges that are too wide."""\n    return f"{share} held: they are too wide"\n'
    assert evaluating(source, {}) == ["{} held: they are too wide"]
    assert evaluating(source, {"too wide": "known"}) == []


# -- the one function -------------------------------------------------------------------------------------


def finding(verdict: str, *, n: int = 24) -> Finding:
    estimate = Estimate(
        value=0.9, promised=0.8, low=0.85, high=0.95, p_value=0.01, n=n, unit="month", fewest=8, margin=0.1
    )
    return Finding(estimate=estimate, p_page=0.02, verdict=verdict)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("above", "more often than promised, so they are too wide (24 months)"),
        ("below", "less often than promised, so they are too narrow (24 months)"),
        ("as promised", "as promised (24 months)"),
        ("unclear", "too few months to prove that eight in ten is kept (24 months)"),
    ],
)
def test_words_state_what_they_rest_on(verdict: str, said: str):
    assert words.evaluated(finding(verdict), words.RANGES) == said


def test_below_the_fewest_units_it_is_too_few_to_tell():
    assert words.evaluated(finding("too few", n=3), words.RANGES) == "too few to tell (3 months; 8 are needed)"
    assert (
        words.evaluated(finding("above"), words.SKILL, "5 %") == "5 % less than the benchmark, beyond luck (24 months)"
    )


def test_words_that_are_never_as_promised_fall_back():
    assert words.word("as promised", words.SKILL) == words.SKILL.unclear
