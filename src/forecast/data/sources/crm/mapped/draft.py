"""A guess -> the text of a mapping file to read and mend, and what is said of it on the screen.

What is taken stands as a line with its evidence; what is left open stands as a comment with the candidates, so that a
draft never says more than was found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from forecast.data.sources.crm.mapped.guess import ESSENTIAL, Choice, Guess
from forecast.data.sources.crm.mapped.mapping import DEAL_COLUMNS
from forecast.data.sources.crm.values.stages import OUTCOMES, Outcome, outcome_of_name
from forecast.wording import plural

_WIDTH = 56
_MEANINGS = {**DEAL_COLUMNS, "outcome": "whether it is won, lost or open"}


def draft(guess: Guess) -> str:
    """Return the text of a mapping file."""
    lines = [
        f"# Drafted from {guess.table} ({plural(guess.rows, 'row')}). Read each line: # says what it rests on.",
        "# A line that begins with # is left for you: take the # away and write the name.",
        "",
        "[files]",
        f"opportunities = {_quoted(guess.stem)}",
        "",
        "[columns]",
    ]
    separate = {"won_on", "lost_on"} <= {ours for ours, choice in guess.choices.items() if choice.column}
    for ours, choice in guess.choices.items():
        if ours == "outcome" or (ours == "closed_on" and separate and choice.column == guess.choices["won_on"].column):
            continue
        lines.append(_line(ours, choice))
    lines += ["", *_outcome_lines(guess)]
    if guess.unit != 1:
        lines += ["", "[numbers]", f"unit = {guess.unit:g}"]
    if guess.undecided:
        listed = ", ".join(guess.undecided)
        lines += ["", "[dates]", f'# order = "dmy"   # or "mdy": day and month of {listed} can be either']
    return "\n".join(lines) + "\n"


def report(guess: Guess) -> list[str]:
    """Return what is said of a guess, a line each: what was taken and from what, what is left."""
    said = [f"{guess.table}: {plural(guess.rows, 'deal')}"]
    for ours, choice in guess.choices.items():
        if choice.column:
            said.append(f"  {ours:18} {choice.column}   ({choice.evidence})")
    left = [_left(ours, choice) for ours, choice in guess.choices.items() if not choice.column]
    left += [
        f"{name!r} ({plural(guess.stage_counts.get(name, 0), 'deal')}): what this stage means"
        for name in _unclear(guess)
    ]
    left += [f"the order of day and month in {name}: [dates] order, or --dates" for name in guess.undecided]
    if guess.unused:
        left.append(f"files that play no part in the draft: {', '.join(guess.unused)}")
    return [*said, *(f"left    {line}" for line in left)]


def essentials_left(guess: Guess) -> list[str]:
    """Return what must be said before the draft can be imported."""
    left = [f"{ours} ({_MEANINGS[ours]})" for ours in guess.left]
    left += [f"what the stage {name!r} means" for name in _unclear(guess)]
    return [*left, *(f"the order of day and month in {name}" for name in guess.undecided)]


def _unclear(guess: Guess) -> list[str]:
    """Return the stages that look closed and do not say how, where stages say the outcome."""
    if guess.stages is None:
        return []
    return [name for name in guess.stages.unclear if outcome_of_name(name) is None]


def _left(ours: str, choice: Choice) -> str:
    why = f": {choice.evidence}" if choice.evidence else ""
    candidates = f"; it may be {', '.join(map(repr, choice.candidates))}" if choice.candidates else ""
    needed = ", without which no forecast can be made" if ours in ESSENTIAL else ""
    return f"{ours} ({_MEANINGS[ours]}{needed}){candidates}{why}"


def _line(ours: str, choice: Choice) -> str:
    if choice.column:
        return f"{f'{ours} = {_quoted(choice.column)}':{_WIDTH}} # {choice.evidence}"
    candidates = " or ".join(map(_quoted, choice.candidates)) or '"?"'
    return f"# {ours} = {candidates}   # {_MEANINGS[ours]}; left for you"


def _outcome_lines(guess: Guess) -> Iterable[str]:
    choice = guess.choices["outcome"]
    if choice.column and guess.outcome is not None:
        yield "[outcome]"
        yield f"{f'column = {_quoted(choice.column)}':{_WIDTH}} # {choice.evidence}"
        for kind in OUTCOMES:
            values = [value for value, outcome in guess.outcome.said.items() if outcome == kind]
            if values:
                yield f"{kind} = {json.dumps(values, ensure_ascii=False)}"
        return
    if choice.column and guess.stages is not None:
        yield "[stages]"
        for name in guess.stage_counts:
            yield _stage_line(guess, name)
        return
    yield '# [outcome]   # or [stages], with lines such as "Signed" = "won"'
    candidates = " or ".join(map(_quoted, choice.candidates)) or '"?"'
    yield f"# column = {candidates}   # {_MEANINGS['outcome']}; left for you"
    yield '# won = ["?"]'
    yield '# lost = ["?"]'
    yield '# open = ["?"]'


def _stage_line(guess: Guess, name: str) -> str:
    count = guess.stage_counts[name]
    said: Outcome | None = None if guess.stages is None else guess.stages.said.get(name)
    if name in _unclear(guess):
        return f'# {_quoted(name)} = "won"   # or "lost", "open": left for you; {plural(count, "deal")}'
    line = f"{_quoted(name)} = {_quoted(said or 'open')}"
    return f"{line:{_WIDTH}} # {plural(count, 'deal')}"


def _quoted(text: str) -> str:
    """Return a text as TOML writes it in quotes."""
    return json.dumps(text, ensure_ascii=False)
