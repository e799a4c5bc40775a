"""How each table of a month is made, so that any notebook runs alone: what it does not find, it makes.

    results = Results(tables)
    deals = tables.table("deals", log, as_of=as_of, results=results)

reads `deals` where an earlier notebook left it, else makes it (and what it is made from) and leaves it for the next.
Everything is as known on `as_of`: what settled later is not in the track record of that day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from forecast import sources
from forecast.calendar import period_labels
from forecast.data.known.settled import late_wins, settled_actuals
from forecast.data.known.snapshot import Snapshot, keep_snapshot, snapshot
from forecast.data.rates import TABLE as RATES
from forecast.data.rates import are_dated, at_rates_of
from forecast.data.schema import HORIZONS, Log
from forecast.data.submissions import name_key, submitters
from forecast.errors import DataError, ParameterError, nearest
from forecast.evaluation import questions
from forecast.evaluation.backtest import backtest
from forecast.evaluation.by_level import backtest_by_level
from forecast.evaluation.changed import explained
from forecast.evaluation.judgement import Finding
from forecast.evaluation.lately import LAST, alarms, lately, parted
from forecast.evaluation.level_scores import scores_by_level
from forecast.evaluation.levels import TABLES as LEVELS
from forecast.evaluation.levels import levels_on
from forecast.evaluation.people.value import with_verdicts
from forecast.evaluation.planning.levels import LEVEL_COLUMNS
from forecast.evaluation.planning.study import planning_study
from forecast.evaluation.scorecard.card import scorecard
from forecast.evaluation.scorecard.definitions import scorecard_definitions
from forecast.evaluation.scorecard.funnel.plans import capacity_rows
from forecast.evaluation.scorecard.funnel.rows import as_table
from forecast.evaluation.scorecard.funnel.table import scorecard_funnel
from forecast.evaluation.scorecard.known import known_of
from forecast.evaluation.scorecard.revenue.decomposition import scorecard_decomposition
from forecast.evaluation.scores.deals import EVER_COLUMNS, ever_track, past_due_record
from forecast.evaluation.scores.events import wins_in_the_end
from forecast.evaluation.scores.scoring import BASELINE, score, summarise
from forecast.evaluation.value_added import adjustments, habits, ladder_of, skill_tests, value_added
from forecast.models.combined.combination import as_made, combinations
from forecast.models.hierarchy.forecast import forecast_by_level
from forecast.models.pipeline.bookings import MODEL_WITHOUT, drawn_bookings
from forecast.models.pipeline.components import MARKETINGS, keep_walks
from forecast.models.pipeline.deals import win_probabilities
from forecast.models.pipeline.followed import followed
from forecast.models.registry import SUBMITTED, forecaster
from forecast.reporting.month.overridden import override_values
from forecast.reporting.month.planning_rows import not_scored, row_of, tables_of
from forecast.reporting.month.results import Results

ORIGINS = 24
"""How many past month ends the track record looks back."""

EVER_BACK = (12, 24)
"""How many months back the days lie whose open deals' chances of a win ever are checked; nearer in a short history."""

FIRST_MONTHS = 12
"""Months of history before the first origin: with less, no forecaster knows the year."""

MODELS = (
    *("pipeline", "pipeline-sales-only", "combined"),
    *("ets", "seasonal-naive", "stage-weighted", "stage-weighted-future"),
)

CHANGED = ("changes_forecast", "changes_forecast_ends", "changes_forecast_deals")
"""The tables of why the forecast moved: by cause, the two forecasts themselves, and the deals."""

SCORES_BY = ("model", "span", "level", "horizon")


@dataclass(frozen=True, kw_only=True)
class _Month:
    """What tables are made from."""

    log: Log
    snap: Snapshot
    months: int
    seed: int
    results: Results


def table(
    name: str,
    log: Log,
    *,
    as_of: str | pd.Timestamp,
    months: int = 6,
    seed: int = 0,
    results: Results | None = None,
) -> pd.DataFrame:
    """Return a table of the month by its name: read from `results` where it is there, else made and written there.

    Parameters
    ----------
    name : bookings, capacity, hierarchy_forecast, hierarchy_scores, benchmark, combined, weights, deals, backtest,
        scores, lately, alarms, parted, planning, planning_levels, levels, levels_found, followed, scorecard,
        scorecard_decomposition, scorecard_definitions, scorecard_funnel, judgements, value_added, habits, adjustments,
        overrides, odds_ever, late_wins, overdue, notes, changes_forecast, changes_forecast_deals or
        changes_forecast_ends.
    log, as_of : the company's tables, and the day whose knowledge is used.
    months, seed : as `forecast_bookings`, `win_probabilities` and `backtest` take them.
    results : the folder of result files; None or `Results("")` writes nothing, and the latter remembers what was made
        of this log for this day, months and seed.

    Raises ParameterError for an unknown name and what the makers raise.
    """
    if name not in MAKERS:
        raise ParameterError(f"there is no table {name!r} in a month; {nearest(name, MAKERS)}")
    results = Results("") if results is None else results
    if name in results:
        return results.read(name)
    snap = snapshot(log, as_of=as_of)
    return _get(_Month(log=log, snap=snap, months=months, seed=seed, results=results), name)


def findings(
    log: Log, *, as_of: str | pd.Timestamp, months: int = 6, seed: int = 0, results: Results | None = None
) -> dict[str, Finding]:
    """Return what may be said of the track record, by question; see the table `judgements`."""
    judged = table("judgements", log, as_of=as_of, months=months, seed=seed, results=results)
    return questions.from_rows(sources.records(judged))


def _get(month: _Month, name: str) -> pd.DataFrame:
    asked = (month.snap.as_of, month.months, month.seed)
    return month.results.get(name, lambda: MAKERS[name](month), of=month.log, asked=asked)


def origins(log: Log, *, as_of: str | pd.Timestamp, count: int = ORIGINS) -> list[str]:
    """Return the last `count` month ends before the month of `as_of`, oldest first, as ISO days.

    Fewer where the history is shorter, for `FIRST_MONTHS` of it come before the first; but never none.
    """
    calendar = log.company.periods
    last = calendar.period(calendar.parse_day(as_of)) - 1
    first = min(last, calendar.period(log.opportunities["created_on"].min()) + FIRST_MONTHS)
    return [str(calendar.end(period).date()) for period in range(max(first, last - count + 1), last + 1)]


def models(snap: Snapshot) -> list[str]:
    """Return the names of the forecasters that are compared: ours, the baselines, and everybody who submitted.

    Where nothing is known of marketing's, the model without it is the same as ours, and is none to compare with.
    """
    knows = snap.marketing is not None or MARKETINGS & set(snap.opportunities.columns)
    return [
        *(name for name in MODELS if knows or name != MODEL_WITHOUT),
        *(f"submitted-{name}" for name in submitters(snap.submitted_forecasts)),
    ]


def keep_for_others(log: Log, snap: Snapshot) -> None:
    """Keep a log's snapshot and the walks through its past: most tables of its day are read off them."""
    keep_snapshot(log, snap)
    keep_walks(snap)


def planning(
    log: Log, *, as_of: str | pd.Timestamp, months: int = 6, seed: int = 0, results: Results | None = None
) -> dict[str, pd.DataFrame]:
    """Return whether joint planning helped, as known on `as_of`: the tables of the study by name, first `planning`.

    They are made anew and written to `results`: the row of `planning` (`row_of`) and `tables_of`. Where no forecast of
    people can be scored there is only the row, which says why.
    """
    results = Results("") if results is None else results
    return _study(_Month(log=log, snap=snapshot(log, as_of=as_of), months=months, seed=seed, results=results))


def changes_of_forecast(
    log: Log, *, as_of: str | pd.Timestamp, months: int = 6, seed: int = 0, results: Results | None = None
) -> dict[str, pd.DataFrame]:
    """Return why the forecast moved since the end of the month before: `CHANGED`, by name, all worked out at once."""
    results = Results("") if results is None else results
    if all(name in results for name in CHANGED):
        return {name: results.read(name) for name in CHANGED}
    return _changed(_Month(log=log, snap=snapshot(log, as_of=as_of), months=months, seed=seed, results=results))


# -- the makers ------------------------------------------------------------------------------------------


def _bookings(month: _Month) -> pd.DataFrame:
    """Return the forecast of bookings; from its draws `capacity` is made too, so that nobody draws them again."""
    made = drawn_bookings(month.snap, months=month.months, seed=month.seed)
    month.results.write("capacity", as_table(capacity_rows(month.snap, months=month.months, forecast=made)))
    return made.table.frame()


def _capacity(month: _Month) -> pd.DataFrame:
    """Return the chance that bookings exceed what can be delivered, where `bookings` is there without it."""
    return as_table(capacity_rows(month.snap, months=month.months, seed=month.seed))


def _by_level(month: _Month) -> pd.DataFrame:
    return forecast_by_level(month.snap, months=month.months, seed=month.seed)


def _scores_by_level(month: _Month) -> pd.DataFrame:
    """Return how near forecasts by level were at the month ends of the track record, as settled by as_of."""
    days, through = origins(month.log, as_of=month.snap.as_of), month.snap
    track = backtest_by_level(month.log, origins=days, months=month.months, ranges=False, through=through)
    settled = settled_by(month.log, month.snap.as_of, track["target_period"])
    return scores_by_level(track.assign(observed=track["observed"].where(settled)))


def _benchmark(month: _Month) -> pd.DataFrame:
    return forecaster(BASELINE)(month.snap, months=month.months, seed=month.seed)


def _combination(month: _Month) -> dict[str, pd.DataFrame]:
    """Return the combination's forecast of what `bookings` forecasts, and its weights; nothing is made twice for it."""
    there = ("backtest", "bookings", "benchmark") if not are_dated(month.log.get(RATES)) else ()
    made, day = as_made(_get(month, name) for name in there), [month.snap.as_of]
    found = next(combinations(month.snap, origins=day, months=month.months, seed=month.seed, made=made))
    named = {"combined": found.forecast.frame(), "weights": found.weights}
    return {name: month.results.write(name, frame) for name, frame in named.items()}


def _deals(month: _Month) -> pd.DataFrame:
    return win_probabilities(month.snap, months=month.months, seed=month.seed)


def _backtest(month: _Month) -> pd.DataFrame:
    days = origins(month.log, as_of=month.snap.as_of, count=ORIGINS)
    names = models(month.snap)
    keep_for_others(month.log, month.snap)
    track = backtest(month.log, origins=days, models=names, months=month.months, seed=month.seed, through=month.snap)
    settled = settled_by(month.log, month.snap.as_of, track["target_period"])
    return track.assign(observed=track["observed"].where(settled))


def settled_by(log: Log, day: pd.Timestamp, targets: pd.Series) -> np.ndarray:
    """Return which target periods (months, quarters) had settled on a day; (n,) bool."""
    company, calendar = log.company, log.company.periods
    last = calendar.last_settled(day, settle_days=company.settle_days)
    first = calendar.period(log.opportunities["created_on"].min())
    months = range(min(first, last), last + 1)
    quarters = {calendar.quarter_of(period) for period in months if calendar.quarter_position(period) == 2}
    known = {*period_labels(months), *map(calendar.quarter_label, quarters)}
    return targets.isin(known).to_numpy()


def _scores(month: _Month) -> pd.DataFrame:
    """Scores by SCORES_BY, and for months whether a model and the benchmark are further apart than luck (p_holm).

    Where reps submit forecasts themselves, `by_rep` says which models are theirs. `why` is the reason of a model that
    made none of the forecasts of a row, the last it gave; else empty.
    """
    return _with_reps(month, scores_of(_scored(month), _get(month, "backtest").attrs.get("notes", [])))


def scores_of(scored: pd.DataFrame, notes: Sequence[str]) -> pd.DataFrame:
    """Return the table `scores`, without `by_rep`. notes : of the backtest, with the reasons of abstentions."""
    tests = skill_tests(scored)[["model", "level", "horizon", "p_value", "p_holm"]].assign(span="month")
    table = summarise(scored, by=list(SCORES_BY)).merge(tests, on=list(SCORES_BY), how="left")
    reasons = reasons_of(notes, table["model"].unique())
    why = table["model"].map(reasons).where(table["n"] == 0, "").astype("str")
    return table.assign(why=why)


def reasons_of(notes: Sequence[str], models: Iterable[str]) -> dict[str, str]:
    """Return the last reason that each model gave in the notes of a backtest, without its name and days; else empty."""
    out = dict.fromkeys(map(str, models), "")
    for note in notes:
        model = re.split(r"[: ]", note, maxsplit=1)[0]
        if model in out:
            plain = re.sub(r" \([^()]*\)$", "", note.removeprefix(f"{model}: ").removeprefix("No forecast: "))
            out[model] = plain.rstrip(".").replace("`", "")
    return out


def _with_reps(month: _Month, table: pd.DataFrame) -> pd.DataFrame:
    by_rep = _by_rep(month, table["model"])
    return table.assign(by_rep=by_rep) if by_rep.any() else table


def _by_rep(month: _Month, models: pd.Series) -> pd.Series:
    """Return which models are submissions of a rep; (n,) bool."""
    reps = {f"{SUBMITTED}-{name_key(name)}" for name in _reps(month.log)}
    return models.map(name_key).isin(reps)


def _reps(log: Log) -> set[str]:
    """Return everybody who sells: a rep who submits forecasts is a line of the tables, not of a leader's page."""
    found: set[str] = set()
    for name in ("opportunities", "opportunity_history", "quotas"):
        frame = log.get(name)
        if frame is not None and "owner" in frame:
            found.update(frame["owner"].dropna().unique())
    return found


def _scored(month: _Month) -> pd.DataFrame:
    """Return the scored track record; several tables are made of it, so it is remembered, and to be read only."""
    asked = (month.snap.as_of, month.months, month.seed)
    return month.results.remembered("scored", lambda: _score(month), of=month.log, asked=asked)


def _score(month: _Month) -> pd.DataFrame:
    return scored_by(month.log, month.snap.as_of, _get(month, "backtest"))


def scored_by(log: Log, day: pd.Timestamp, track: pd.DataFrame) -> pd.DataFrame:
    """Return a backtest scored against what had settled by a day, as `score` does."""
    actuals = settled_actuals(at_rates_of(log, day))
    settled = actuals[settled_by(log, day, actuals["period"])]
    return score(track, actuals=settled, calendar=log.company.periods)


def _lately(month: _Month) -> pd.DataFrame:
    return _with_reps(month, lately(_scored(month)))


def _alarms(month: _Month) -> pd.DataFrame:
    """Not of single reps: a hundred of them would leave nothing of the budget for each."""
    scored = _scored(month)
    names = pd.Series(sorted(scored["model"].unique()), dtype="str")
    people = list(names[names.str.startswith(f"{SUBMITTED}-") & ~_by_rep(month, names)])
    return alarms(scored, people=people, past=_submissions(month, people) if people else None)


def _parted(month: _Month) -> pd.DataFrame:
    return _with_reps(month, parted(_scored(month), _get(month, "alarms")))


def _submissions(month: _Month, people: list[str]) -> pd.DataFrame:
    """Return what people submitted for the month after each month end there is, scored."""
    calendar = month.log.company.periods
    first, day = calendar.period(month.log.opportunities["created_on"].min()), month.snap.as_of
    days = origins(month.log, as_of=day, count=calendar.period(day) - first)
    track = backtest(month.log, origins=days, models=people, months=1, seed=month.seed)
    track = track[settled_by(month.log, month.snap.as_of, track["target_period"])]
    return score(track, calendar=calendar)


def _levels(month: _Month) -> dict[str, pd.DataFrame]:
    return {name: month.results.write(name, frame) for name, frame in levels_on(month.snap).items()}


def _planning(month: _Month) -> pd.DataFrame:
    return _study(month)["planning"]


def _planning_levels(month: _Month) -> pd.DataFrame:
    return _study(month).get("planning_levels", pd.DataFrame(columns=list(LEVEL_COLUMNS)))


def _study(month: _Month) -> dict[str, pd.DataFrame]:
    try:
        study = planning_study(month.log, as_of=month.snap.as_of, track=_get(month, "backtest"), seed=month.seed)
    except DataError as error:
        return {"planning": month.results.write("planning", not_scored(error))}
    made = {"planning": row_of(study), **tables_of(study)}
    return {name: month.results.write(name, frame) for name, frame in made.items()}


def _funnel(month: _Month) -> pd.DataFrame:
    return scorecard_funnel(month.snap, scores=_scored(month), capacity=_get(month, "capacity"))


def _scorecards(month: _Month) -> dict[str, pd.DataFrame]:
    """Return the scorecard, and every figure of it under every definition."""
    day, known = month.snap.as_of, known_of(month.log, month.snap)
    made = {
        "scorecard": scorecard(month.log, as_of=day, scores=_scored(month), known=known),
        "scorecard_definitions": scorecard_definitions(month.log, as_of=day, seed=month.seed, known=known),
    }
    return {name: month.results.write(name, frame) for name, frame in made.items()}


def _record(month: _Month) -> dict[str, pd.DataFrame]:
    """Return the tables whose differences are words of one page, with `p_holm` corrected over all of that page.

    People stand against the model of the month end before: it must not win by knowing up to a month more.
    """
    scored = _scored(month)
    names = scored.loc[scored["error"].notna(), "model"]
    steps = value_added(scored, ladder=ladder_of(names), lag=1)
    people, changes = habits(scored, by=["submitter"]), adjustments(scored)
    worth = override_values(month.log, month.snap.as_of, _get(month, "backtest"))
    found = questions.of_record(scored, steps, people, changes, worth)
    made = {
        "judgements": questions.as_table(found),
        "value_added": questions.with_page(steps, found, "step"),
        "habits": questions.with_page(people, found, "habit"),
        "adjustments": questions.with_page(changes, found, "change"),
        "overrides": with_verdicts(questions.with_page(worth, found, "override")),
    }
    return {name: month.results.write(name, frame) for name, frame in made.items()}


def _odds_ever(month: _Month) -> pd.DataFrame:
    """Return EVER_COLUMNS of past days, latest first, and of as_of itself: there `until` is the end of the sixth month,
    and what is known only later is not there."""
    days = {origins(month.log, as_of=month.snap.as_of, count=back)[0]: None for back in EVER_BACK}
    past = ever_track(month.log, as_of=month.snap.as_of, origins=list(days), late=LAST)
    odds = _get(month, "deals").dropna(subset=["p_win"])
    if odds.empty:
        return past
    calendar = month.log.company.periods
    expected, low, high = wins_in_the_end(odds["p_win"], odds["p_win_low"], odds["p_win_high"])
    today = {
        "origin": month.snap.as_of.normalize(),
        "deals": len(odds),
        "expected": expected,
        "expected_low": low,
        "expected_high": high,
        "until": calendar.end(calendar.period(month.snap.as_of) + HORIZONS).normalize(),
        "expected_by": odds[f"p_win_{HORIZONS}"].sum(),
    }
    row = pd.DataFrame([today], columns=list(EVER_COLUMNS)).astype(past.dtypes)
    return pd.concat([past, row], ignore_index=True) if len(past) else row


def _overdue(month: _Month) -> pd.DataFrame:
    """Return what became of deals open a year to two years ago, at four month ends, past their date and not."""
    days = origins(month.log, as_of=month.snap.as_of, count=24)[:-12:3]
    return past_due_record(month.log, as_of=month.snap.as_of, origins=days)


def _notes(month: _Month) -> pd.DataFrame:
    """What must be known of the forecast and of the snapshot, a sentence each; `abstention`: why there is none."""
    bookings = _get(month, "bookings")
    notes = [("forecast", note) for note in bookings.attrs.get("notes", [])]
    if notes and bookings["mean"].isna().all():
        notes[0] = ("abstention", notes[0][1].partition(": ")[2])
    notes += [("snapshot", note) for note in month.snap.notes]
    plain = [(about, note.replace("`", "")) for about, note in notes]
    return pd.DataFrame(plain, columns=["about", "note"]).astype("str")


def _changed(month: _Month) -> dict[str, pd.DataFrame]:
    """Return why the forecast moved since the end of the month before, the deals behind it, and the two forecasts."""
    found = explained(month.log, month.snap, months=month.months, seed=month.seed)
    made = zip(CHANGED, (found.causes, found.ends, found.deals), strict=True)
    return {name: month.results.write(name, frame) for name, frame in made}


def _each(
    make: Callable[[_Month], Mapping[str, pd.DataFrame]], *names: str
) -> dict[str, Callable[[_Month], pd.DataFrame]]:
    """Return the makers of tables that are made together."""
    return {name: lambda month, name=name: make(month)[name] for name in names}  # type: ignore[misc]


MAKERS: Mapping[str, Callable[[_Month], pd.DataFrame]] = MappingProxyType(
    {
        "bookings": _bookings,
        "capacity": _capacity,
        "hierarchy_forecast": _by_level,
        "hierarchy_scores": _scores_by_level,
        "benchmark": _benchmark,
        **_each(_combination, "combined", "weights"),
        "deals": _deals,
        "backtest": _backtest,
        "scores": _scores,
        "lately": _lately,
        "alarms": _alarms,
        "parted": _parted,
        **_each(_levels, *LEVELS),
        "followed": lambda month: followed(month.snap, months=month.months),
        "planning": _planning,
        "planning_levels": _planning_levels,
        **_each(_scorecards, "scorecard", "scorecard_definitions"),
        "scorecard_decomposition": lambda month: scorecard_decomposition(month.snap),
        "scorecard_funnel": _funnel,
        **_each(_record, "judgements", "value_added", "habits", "adjustments", "overrides"),
        "odds_ever": _odds_ever,
        "late_wins": lambda month: late_wins(month.log, as_of=month.snap.as_of),
        "overdue": _overdue,
        "notes": _notes,
        **_each(_changed, *CHANGED),
    }
)
