"""`--guess`: which column of an unknown export is which of ours, with the evidence, and what is left for its user.

A wrong guess is worse than a line left open. A column is taken where its name and its values agree, or where its values
alone leave one choice; else the line stays open, with the candidates. Nothing is imported by a draft that nobody read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from forecast.data.sources.crm.mapped.files import Sheet, plain_key
from forecast.data.sources.crm.mapped.mapping import DEAL_COLUMNS, CrmMapping
from forecast.data.sources.crm.mapped.profile import Profile, Statuses, profiles, statuses
from forecast.data.sources.crm.mapped.vocabulary import OTHER_NUMBERS, SURE, likeness, words
from forecast.data.sources.crm.values.reading import Order
from forecast.data.sources.crm.values.stages import Outcome

ESSENTIAL = ("created_on", "amount", "outcome", "closed_on")
"""What no forecast can do without, and no guess may stand for."""
_LIKELY = 70.0
_AGREE = 0.98
_LATER = 0.95
_SEGMENTS_AT_MOST = 60
_STATUSES_READ = 60
_FEW_ROWS = 20
"""In so short a table a stage may stand once, so that its name counts for more than its values."""
_NUMBERED = frozenset({"id", "nr", "no", "number", "nummer", "numero", "numer", "key", "code"})
_OTHERS = frozenset({"account", "customer", "contact", "lead", "owner", "user", "company", "person", "kunde", "konto"})
_PERIODS = frozenset(
    {"one time", "onetime", "once", "monthly", "quarterly", "annual", "annually", "yearly", "recurring"}
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was found for one of our columns. column : theirs, empty where left open. candidates : what it may be."""

    ours: str
    column: str = ""
    evidence: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What was found in an export.

    table : the deals' file. choices : ours -> what was found, for those that were found or are essential.
    outcome : the values of the column of statuses; stages : those of the stages, where these say the outcome.
    stage_counts : deals a stage. undecided : columns of dates whose order of day and month is open.
    unused : files that play no part.
    """

    table: str
    stem: str
    rows: int
    choices: Mapping[str, Choice]
    outcome: Statuses | None = None
    stages: Statuses | None = None
    stage_counts: Mapping[str, int] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    unit: float = 1.0
    unused: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """Return which of the essential are left for the user."""
        open_lines = [ours for ours in ESSENTIAL if not self.choices[ours].column]
        return tuple(open_lines)


def guess(tables: list[Sheet], *, known: CrmMapping | None = None, order: Order | None = None) -> Guess:
    """Return what can be said of an export nobody has described.

    known : a shipped mapping that recognises it, whose names then count as ours. order : of day and month, if given.
    """
    found = [(sheet, _of_table(sheet, known=known, order=order)) for sheet in tables]
    sheet, best = max(found, key=lambda pair: (-len(pair[1].left), len(pair[1].choices), pair[1].rows))
    unused = tuple(other.file for other in tables if other is not sheet)
    return Guess(**{**best.__dict__, "unused": unused})


def _of_table(sheet: Sheet, *, known: CrmMapping | None, order: Order | None) -> Guess:
    columns = profiles(sheet, order=order)
    names = _Names(columns, known)
    taken: dict[str, Choice] = {}

    def take(choice: Choice) -> None:
        if choice.column or choice.candidates or choice.ours in ESSENTIAL:
            taken[choice.ours] = choice

    outcome, outcome_values = _outcome(columns, names)
    stage = _stage(columns, names, outcome)
    stages = statuses(columns[stage.column].values, words=False) if stage.column else None
    if not outcome.column and stages is not None and stages.tells:
        outcome = Choice(ours="outcome", column=stage.column, evidence="its stages say which are won and lost")
    kinds = _kinds(columns, outcome, outcome_values or stages)
    key = _key(columns, names)
    take(key)
    for choice in _dates(columns, names, kinds).values():
        take(choice)
    take(stage)
    take(outcome)
    amount = _amount({name: one for name, one in columns.items() if name not in (key.column, *key.candidates)}, names)
    in_cents = _written_as_money(columns, amount.column)
    if in_cents:
        amount = replace(amount, evidence=f"{amount.evidence}; {in_cents} shows a hundredth of each: they are cents")
    take(amount)
    used = {choice.column for choice in taken.values()}
    for ours in ("segment", "currency", "owner", "account_id", "type", "lead_source", "product", "lost_reason"):
        take(_by_name(ours, columns, names, used))
    counts = columns[stage.column].values.value_counts() if stage.column else pd.Series(dtype="int64")
    return Guess(
        table=sheet.file,
        stem=sheet.name,
        rows=len(sheet.frame),
        choices=taken,
        outcome=outcome_values,
        stages=stages if outcome_values is None else None,
        stage_counts={str(name): int(count) for name, count in counts.items()},
        unit=0.01 if in_cents else 1.0,
        undecided=tuple(
            name
            for name, profile in columns.items()
            if profile.undecided and name in {c.column for c in taken.values()}
        ),
    )


class _Names:
    """How like the names of our columns the export's names are; those a shipped mapping knows are certain."""

    def __init__(self, columns: Mapping[str, Profile], known: CrmMapping | None) -> None:
        self._known = {} if known is None else {plain_key(n): ours for ours, ns in known.columns.items() for n in ns}
        rules = () if known is None else known.outcome
        self._known |= {plain_key(name): "outcome" for rule in rules if rule.values for name in rule.columns}
        self._scores = {
            (ours, name): self._score(name, ours) for name in columns for ours in (*DEAL_COLUMNS, "outcome")
        }

    def _score(self, name: str, ours: str) -> float:
        if plain_key(name) in self._known:
            return 100.0 if self._known[plain_key(name)] == ours else 0.0
        try:
            return likeness(name, ours)
        except KeyError:
            return 0.0

    def of(self, name: str, ours: str) -> float:
        return self._scores[ours, name]

    def ranked(self, ours: str, names: Iterable[str]) -> list[str]:
        """Return the names that may be ours, the likest first."""
        likely = [name for name in names if self.of(name, ours) >= _LIKELY]
        return sorted(likely, key=lambda name: -self.of(name, ours))

    def sure(self, ours: str, names: Iterable[str]) -> str:
        """Return the name that is surely ours: like it, more like it than anything else, and alone so; else empty."""
        ranked = self.ranked(ours, names)
        if not ranked or self.of(ranked[0], ours) < SURE:
            return ""
        if (
            len(ranked) > 1
            and self.of(ranked[1], ours) >= SURE
            and self.of(ranked[1], ours) == self.of(ranked[0], ours)
        ):
            return ""
        return ranked[0]


# -- each of ours --------------------------------------------------------------------------------------


def _key(columns: Mapping[str, Profile], names: _Names) -> Choice:
    keys = [name for name, profile in columns.items() if profile.is_key and not profile.is_date]
    keys = [name for name in keys if all(names.of(name, ours) < SURE for ours in ("amount", "stage", "outcome"))]
    sure = names.sure("opportunity_id", keys)
    if sure:
        return Choice(ours="opportunity_id", column=sure, evidence="its name, and another value in every row")
    ranked = names.ranked("opportunity_id", keys)
    if len(ranked) == 1 or len(keys) == 1:
        chosen = (ranked or keys)[0]
        return Choice(ours="opportunity_id", column=chosen, evidence="the only column with another value in every row")
    numbered = [name for name in keys if _NUMBERED & set(words(name)) and not _OTHERS & set(words(name))]
    if len(numbered) == 1:
        evidence = "the only identifier with another value in every row"
        return Choice(ours="opportunity_id", column=numbered[0], evidence=evidence)
    return Choice(ours="opportunity_id", candidates=tuple(keys[:5]))


def _outcome(columns: Mapping[str, Profile], names: _Names) -> tuple[Choice, Statuses | None]:
    """Return the column of statuses that tells won from lost, and its values."""
    told = {}
    for name, profile in columns.items():
        if profile.filled < _LATER or profile.is_date or not 2 <= profile.distinct <= _STATUSES_READ:
            continue
        values = statuses(profile.values)
        # In a few rows each status may stand once: then each of them must be one, and won and lost be among them.
        if values.tells and (profile.is_status or not values.unclear):
            told[name] = values
    # A column of stages tells it too, with many values that say nothing: the one with the fewest of those is it.
    ranked = sorted(told, key=lambda name: (len(told[name].unclear), -names.of(name, "outcome")))
    if ranked and not told[ranked[0]].unclear:
        values = told[ranked[0]]
        if len(ranked) > 1 and not told[ranked[1]].unclear and not _same(columns, told, ranked[0], ranked[1]):
            return Choice(ours="outcome", candidates=tuple(ranked[:5])), None
        return Choice(ours="outcome", column=ranked[0], evidence=f"its values: {_listed(values.said)}"), values
    named = names.sure("outcome", [name for name in columns if _few_values(name, columns, names, "outcome", most=8)])
    if named:
        values = statuses(columns[named].values)
        unclear = f"; it is not told what {', '.join(map(repr, values.unclear))} means" if values.unclear else ""
        evidence = f"its values: {_listed(values.said)}{unclear}"
        return Choice(ours="outcome", candidates=(named,), evidence=evidence), None
    return Choice(ours="outcome"), None


def _few_values(name: str, columns: Mapping[str, Profile], names: _Names, ours: str, *, most: int = 0) -> bool:
    """Return whether a column has a few values that come again; in a short table its name may say that they would."""
    profile = columns[name]
    if most and profile.distinct > most:
        return False
    short = profile.rows <= _FEW_ROWS and profile.distinct > 1 and not profile.is_date
    return profile.is_status or (short and names.of(name, ours) >= SURE)


def _same(columns: Mapping[str, Profile], told: Mapping[str, Statuses], one: str, other: str) -> bool:
    """Return whether two columns of statuses say the same of every row."""
    first, second = (columns[name].values.map(dict(told[name].said)) for name in (one, other))
    return bool((first.fillna("") == second.fillna("")).all())


def _stage(columns: Mapping[str, Profile], names: _Names, outcome: Choice) -> Choice:
    candidates = [
        name
        for name, profile in columns.items()
        if _few_values(name, columns, names, "stage")
        and not profile.number
        and profile.filled >= 0.5
        and name != outcome.column
    ]
    sure = names.sure("stage", candidates)
    if sure:
        return Choice(ours="stage", column=sure, evidence=f"its name, and {columns[sure].distinct} values")
    telling = [name for name in candidates if statuses(columns[name].values, words=False).tells]
    if not outcome.column and len(telling) == 1:
        return Choice(ours="stage", column=telling[0], evidence="its values: some are won, some are lost")
    if outcome.column and not names.ranked("stage", candidates):
        return Choice(
            ours="stage", column=outcome.column, evidence="there is no column of stages: the status stands for it"
        )
    return Choice(ours="stage", candidates=tuple(names.ranked("stage", candidates)[:5] or telling[:5]))


def _kinds(columns: Mapping[str, Profile], outcome: Choice, values: Statuses | None) -> pd.Series | None:
    """Return each row's outcome, as far as it is told."""
    if not outcome.column or values is None:
        return None
    said: dict[str, Outcome] = dict(values.said)
    return columns[outcome.column].values.map(said).fillna("open")


def _amount(columns: Mapping[str, Profile], names: _Names) -> Choice:
    candidates = [
        name
        for name, profile in columns.items()
        if profile.number
        and profile.filled >= 0.3
        and not (OTHER_NUMBERS & set(words(name)))
        and (names.of(name, "amount") >= SURE or not _is_counter(profile))
    ]
    sure = names.sure("amount", candidates)
    per = _periods(columns)
    if sure and per:
        evidence = f"{per} says that some are worth so much a month or a year: which of them to add up is left to you"
        return Choice(ours="amount", candidates=(sure,), evidence=evidence)
    if sure:
        evidence = f"its name, and numbers in {columns[sure].filled:.0%} of the rows"
        return Choice(ours="amount", column=sure, evidence=evidence)
    if len(candidates) == 1:
        evidence = "the only column of numbers that is no key and no share"
        return Choice(ours="amount", column=candidates[0], evidence=evidence)
    called = names.sure("amount", [name for name, one in columns.items() if not one.number and not one.is_date])
    if called and not candidates:
        shown = ", ".join(map(repr, columns[called].values.dropna().unique()[:3]))
        return Choice(ours="amount", candidates=(called,), evidence=f"its values are not all numbers: {shown}")
    return Choice(ours="amount", candidates=tuple((names.ranked("amount", candidates) or candidates)[:5]))


def _periods(columns: Mapping[str, Profile]) -> str:
    """Return the column by which some amounts are for a month and others for a year, or once; empty where none is."""
    for name, profile in columns.items():
        if 2 <= profile.distinct <= len(_PERIODS):
            values = {" ".join(words(str(value))) for value in profile.values.dropna().unique()}
            if values <= _PERIODS:
                return name
    return ""


def _written_as_money(columns: Mapping[str, Profile], amount: str) -> str:
    """Return the column that shows a hundredth of each amount beside a currency sign (`120050`, `$1,200.50`); empty
    where there is none: the amounts are then what they seem."""
    if not amount or not columns[amount].plain_digits:
        return ""
    whole = pd.to_numeric(columns[amount].values, errors="coerce")
    for name, profile in columns.items():
        if name == amount or profile.plain_digits or profile.is_date:
            continue
        parts = profile.values.str.extract(r"^\s*[^\d\s]{0,4}\s*([\d.,'\s]*?\d)(?:[.,](\d\d))?(?![\d.,])")
        shown = pd.to_numeric(
            parts[0].str.replace(r"\D", "", regex=True) + "." + parts[1].fillna("00"), errors="coerce"
        )
        both = (whole > 0) & (shown > 0)
        if both.any() and bool((whole[both] == (shown[both] * 100).round()).all()):
            return name
    return ""


def _is_counter(profile: Profile) -> bool:
    """Return whether a column of numbers is a key, or a few numbers that come again (a share, a score, a year)."""
    return (profile.is_key and profile.plain_digits and profile.rows > 2 and _ascends(profile)) or (
        profile.rows >= 20 and profile.distinct <= 12
    )


def _ascends(profile: Profile) -> bool:
    read = pd.to_numeric(profile.values, errors="coerce")
    return bool((read % 1 == 0).all() and (read.is_monotonic_increasing or read.is_monotonic_decreasing))


def _by_name(ours: str, columns: Mapping[str, Profile], names: _Names, used: set[str]) -> Choice:
    """Return an optional column: only where its name says it, and its values do not speak against it."""
    free = [name for name, profile in columns.items() if name not in used and not profile.is_date and profile.distinct]
    if ours == "segment":
        free = [
            name for name in free if 2 <= columns[name].distinct <= _SEGMENTS_AT_MOST and columns[name].filled >= 0.5
        ]
    if ours == "currency":
        free = [name for name in free if columns[name].values.dropna().str.fullmatch(r"[A-Za-z]{3}|[$€£¥]").all()]
    sure = names.sure(ours, free)
    if not sure:
        return Choice(ours=ours)
    used.add(sure)
    return Choice(ours=ours, column=sure, evidence=f"its name, and {columns[sure].distinct:,} values")


# -- dates ---------------------------------------------------------------------------------------------


def _dates(columns: Mapping[str, Profile], names: _Names, kinds: pd.Series | None) -> dict[str, Choice]:
    """Return the columns of dates: by their names, and by which deals have them and which comes before which."""
    there = [name for name, profile in columns.items() if profile.is_date]
    out: dict[str, Choice] = {}
    created = names.sure("created_on", [name for name in there if columns[name].filled >= _LATER])
    closing = {ours: _closing(ours, columns, names, there, kinds) for ours in ("won_on", "lost_on", "closed_on")}
    if created:
        out["created_on"] = Choice(ours="created_on", column=created, evidence="its name, and a date in every row")
    else:
        out["created_on"] = _first_of_all(columns, there, closing, names)
    created = out["created_on"].column
    for ours, choice in closing.items():
        if choice.column and created and not _not_before(columns[choice.column], columns[created]):
            choice = Choice(ours=ours, candidates=(choice.column,), evidence="it often lies before the creation")
        out[ours] = choice
    both = _one_for_both(columns, names, there, kinds)
    expected = names.sure("expected_close_on", there)
    if expected:
        out["expected_close_on"] = Choice(ours="expected_close_on", column=expected, evidence="its name, and dates")
    separate = bool(out["won_on"].column and out["lost_on"].column)
    if both and not separate and not out["closed_on"].column:
        evidence = "its name, and a date in every row: the expected day while open, the day of closing afterwards"
        out["closed_on"] = Choice(ours="closed_on", column=both, evidence=evidence)
        if not expected:
            out["expected_close_on"] = Choice(ours="expected_close_on", column=both, evidence=evidence)
    if separate and not out["closed_on"].column:
        evidence = "won and lost have a column each"
        out["closed_on"] = Choice(ours="closed_on", column=out["won_on"].column, evidence=evidence)
    touched = names.sure("touched_on", there)
    if touched:
        out["touched_on"] = Choice(ours="touched_on", column=touched, evidence="its name, and dates")
    return {ours: choice for ours, choice in out.items() if choice.column or ours in ESSENTIAL}


def _closing(
    ours: str, columns: Mapping[str, Profile], names: _Names, there: list[str], kinds: pd.Series | None
) -> Choice:
    """Return the column that has a date exactly where deals are won, lost, or either."""
    if kinds is None:
        return Choice(ours=ours, candidates=tuple(names.ranked(ours, there)[:3]))
    wanted = kinds.isin({"won_on": ["won"], "lost_on": ["lost"], "closed_on": ["won", "lost"]}[ours])
    if not wanted.any() or wanted.all():
        return Choice(ours=ours, candidates=tuple(names.ranked(ours, there)[:3]))
    exact = [name for name in there if _agreement(columns[name], wanted) >= _AGREE]
    called = "won or lost" if ours == "closed_on" else ours.removesuffix("_on")
    evidence = f"a date exactly where deals are {called}"
    sure = names.sure(ours, exact)
    if sure:
        return Choice(ours=ours, column=sure, evidence=f"its name, and {evidence}")
    if len(exact) == 1:
        return Choice(ours=ours, column=exact[0], evidence=f"the only column with {evidence}")
    return Choice(ours=ours, candidates=tuple(exact[:3] or names.ranked(ours, there)[:3]))


def _agreement(profile: Profile, wanted: pd.Series) -> float:
    """Return the share of rows that have a date exactly where it is wanted."""
    return float((_has_date(profile) == wanted).mean())


def _has_date(profile: Profile) -> pd.Series:
    if profile.dates is None:
        return profile.values.notna()
    return profile.dates.reindex(profile.values.index).notna()


def _first_of_all(
    columns: Mapping[str, Profile], there: list[str], closing: Mapping[str, Choice], names: _Names
) -> Choice:
    """Return the date every row has and no other precedes, where one column is so and its name does not deny it."""
    whole = [name for name in there if columns[name].filled >= _LATER and columns[name].dates is not None]
    ends = [choice.column for choice in closing.values() if choice.column]
    # The expected day and the last change are later than the creation, and have a date in every row too.
    first = [
        name
        for name in whole
        if all(_not_before(columns[other], columns[name]) for other in [*whole, *ends] if other != name)
        and not any(names.of(name, other) >= SURE for other in ("expected_close_on", "touched_on", "closed_on"))
    ]
    if len(first) == 1 and ends:
        return Choice(ours="created_on", column=first[0], evidence="a date in every row, and before all others")
    candidates = names.ranked("created_on", there) or first or whole
    return Choice(ours="created_on", candidates=tuple(candidates[:5]))


def _not_before(later: Profile, earlier: Profile) -> bool:
    """Return whether dates lie on or after others, in nearly all rows that have both; True where none has."""
    if later.dates is None or earlier.dates is None:
        return True
    both = pd.concat([later.dates.rename("later"), earlier.dates.rename("earlier")], axis=1).dropna()
    return both.empty or bool((both["later"] >= both["earlier"]).mean() >= _LATER)


def _one_for_both(columns: Mapping[str, Profile], names: _Names, there: list[str], kinds: pd.Series | None) -> str:
    """Return a column called as a closing day, though no more than that, that open deals have too; else empty."""
    if kinds is None:
        return ""
    closed = kinds != "open"
    whole = [name for name in there if _has_date(columns[name])[closed].mean() >= _LATER]
    whole = [name for name in whole if names.of(name, "closed_on") > names.of(name, "expected_close_on")]
    return names.sure("closed_on", whole)


def _listed(said: Mapping[str, Outcome]) -> str:
    return ", ".join(f"{value!r} {outcome}" for value, outcome in list(said.items())[:6])
