"""The survey's figures next to ours; and more to more people, more often, for more money, at lower cost.

Ours are computed as known on `as_of`, over the 12 months ended by then and the 12 before. What a company's tables
cannot say stays empty, with the table that would bring it. Whether a figure is above the survey's, or above that of the
year before, by more than chance is asked of `judgement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.calendar import is_quarter, parse_periods, period_label
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import TOTAL, Log
from forecast.data.submissions import TABLE
from forecast.errors import ParameterError
from forecast.evaluation.judgement import Estimate, Finding, judge, mean_of
from forecast.evaluation.last_months import mean_of_late
from forecast.evaluation.people.shares import of_share, of_shares, with_shared_luck
from forecast.evaluation.scorecard.figures.process import FIGURE as PROCESS
from forecast.evaluation.scorecard.figures.process import followed_by_deal
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.measures import LOOK_BACK, ROWS, Measure, survey_figure, within_share
from forecast.evaluation.scorecard.one_level import CARD
from forecast.evaluation.scorecard.spans import Span, year_of
from forecast.evaluation.scores.amounts import Floats, ratio

COLUMNS = ("measure", "ours", "unit", "survey", "survey_text", "period", "change", "note", "previous", "missing")
COVERED = ("first", "last", "months", "ours_n", "previous_n", "of", "survey_of", "bound")
"""The months that `ours` covers, on how many of them (or people) it and `previous` rest, what ours and the survey's are
shares of where that differs, and whether ours is the least it can be."""

FOUND = ("against_survey", "survey_n", "against_year", "year_n", "against_late", "late_n", "n_of")
"""What `judgement` finds of each measure, and on how many months (`n_of` = month; of reps at quota: person)."""

LAST = 6
"""Months, the last of the year, that count as of late."""

LATE = ("late_first", "late", "late_previous")
"""The first of the months of late, the measure over them, and over the same months a year before."""

MODEL = "pipeline"
BACKTEST = "a backtest"
"""What the accuracy of the model comes from."""


# -- the table ------------------------------------------------------------------------------------------


def scorecard(
    log: Log, *, as_of: str | pd.Timestamp, scores: pd.DataFrame | None = None, known: Known | None = None
) -> pd.DataFrame:
    """Return one row a measure.

    Parameters
    ----------
    log : the company's tables.
    as_of : the day whose knowledge is used; not later than the log's last.
    scores : what `forecast.score` gave for a backtest; adds the accuracy of the model to that of the people.
    known : what `known_of` gave for that day, where it is made already.

    Returns
    -------
    measure, ours (NaN where the tables cannot say), unit (`share` 0 to 1, `money` in the reporting currency, `count`,
    `ratio`), survey (NaN where it has no such figure), survey_text, period (the months `ours` covers: of the last 12
    ended those whose bookings are recorded), change (against the same months a year before: difference of shares, else
    relative change), note (what it means, what is missing), previous (those months, of accuracy as many as have settled
    now; NaN where the log does not hold the 12 before), missing (why `ours` is not known and what would bring it),
    first, last and months (the months it covers, and how many they are), ours_n, previous_n (in how many of them there
    is such a figure; people where it is a share of people), of and survey_of (`of our segment-months`, `of companies`,
    where the two differ), bound (`at least` where it can only be more; else empty), late_first, late and late_previous
    (the measure over the last LAST of the 12 months, from late_first on, and over the same months of the year before;
    NaN where there is none), against_survey, against_year and against_late (`above`, `below`, `unclear` or `too few`, a
    `judgement`; empty where there is nothing to compare with, where the survey's figure is a share of something else,
    and where our bound is not above), survey_n, year_n, late_n and n_of (how many these rest on, and of what: `month`
    or `person`).

    Raises ParameterError for an as_of that the log cannot answer.
    """
    known = known_of(log, snapshot(log, as_of=as_of)) if known is None else known
    year = year_of(known.snap)
    begins, now, before = year.begins, year.now, year.before
    measures = list(ROWS)
    measures.insert(2, _process_measure(known))
    if scores is not None:
        measures.insert(1, _model_measure(scores))
    measures = [_made_once(measure) for measure in measures]
    rows = [_row(measure, known, now=now, before=before, begins=begins) for measure in measures]
    columns = [*COLUMNS, *COVERED]
    table = pd.DataFrame(rows, columns=columns).astype({"ours": float, "survey": float, "change": float})
    return with_findings(table, measures, known, now=now, before=before)


def _made_once(measure: Measure) -> Measure:
    """Return a measure that remembers what it gave for each span: the same months are asked about several times."""
    values: dict[Span, float | None] = {}

    def make(known: Known, span: Span) -> float | None:
        if span not in values:
            values[span] = measure.make(known, span)
        return values[span]

    return replace(measure, make=make)


# -- is a difference more than chance? ------------------------------------------------------------------


def with_findings(
    table: pd.DataFrame, measures: Sequence[Measure], known: Known, *, now: Span, before: Span
) -> pd.DataFrame:
    """Add LATE and FOUND: what may be said of each measure against the survey and the year before, all at one level,
    that of the card (`one_level`).

    The measure of each month is held against the survey's figure, and against that of the same month a year earlier,
    so that the season does not count; of a share of people, the people are the units as well, and the larger p-value
    counts, since one market moves them together. The year is asked about twice:
    as a whole, and its last months alone, since a change of a few months is averaged away by those before.
    """
    values = _of_late(table, measures, known, now=now)
    estimates = {}
    for row, measure in zip(table.to_dict("records"), measures, strict=True):
        if np.isnan(row["ours"]):
            continue
        if not np.isnan(row["survey"]) and not measure.survey_is_apart:
            estimates[measure.name, "survey"] = _against_survey(measure, known, now, row)
        if not np.isnan(row["previous"]):
            estimates[measure.name, "year"] = _against_year(measure, known, now, before, row)
            estimates[measure.name, "late"] = _against_late(measure, known, now, before, values[measure.name])
    found, bounds = judge(estimates, level=CARD), dict(zip(table["measure"], table["bound"], strict=True))
    columns: dict[str, list[object]] = {name: [] for name in FOUND}
    for measure in measures:
        columns["n_of"].append("month" if measure.people is None else "person")
        for kind in ("survey", "year", "late"):
            finding = found.get((measure.name, kind))
            bound = kind == "survey" and bool(bounds[measure.name])
            columns[f"against_{kind}"].append(_verdict(finding, bound=bound))
            columns[f"{kind}_n"].append(finding.estimate.n if finding else 0)
    late = pd.DataFrame(list(values.values()), columns=["late", "late_previous"], index=table.index)
    return table.assign(late_first=period_label(_late_part(now).first), **late, **columns)


def _late_part(span: Span) -> Span:
    """Return the last months of a span; all of it where it has no more."""
    return Span(first=max(span.first, span.last - LAST + 1), last=span.last)


def _of_late(
    table: pd.DataFrame, measures: Sequence[Measure], known: Known, *, now: Span
) -> dict[str, tuple[float, float]]:
    """Return each measure over the months of late and over the same a year before; NaN without a year before."""
    nan = float("nan")
    values = {}
    for measure, previous in zip(measures, table["previous"], strict=True):
        parts = _late_part(now), _a_year_before(measure, known, _late_part(now))
        ours, theirs = (nan if np.isnan(previous) else measure.make(known, part) for part in parts)
        values[measure.name] = (nan if ours is None else ours, nan if theirs is None else theirs)
    return values


def _a_year_before(measure: Measure, known: Known, span: Span) -> Span:
    """Return the months a year before those of a span; of a measure that waits for months to settle up to the last
    that has, so that the same months are compared."""
    last = span.last
    if measure.of_settled:
        has_figure = np.flatnonzero(np.isfinite(_by_month(measure, known, span)))
        last = span.first + int(has_figure[-1]) if len(has_figure) else last
    return Span(first=span.first - 12, last=last - 12)


def _verdict(finding: Finding | None, *, bound: bool) -> str:
    """Return the word of a finding; of a bound (the least that ours can be), only that it is above or rests on too
    few."""
    if finding is None or (bound and finding.verdict not in ("above", "too few")):
        return ""
    return finding.verdict


def _against_survey(measure: Measure, known: Known, now: Span, row: Mapping[Any, Any]) -> Estimate:
    if measure.people is not None:
        reached = measure.people(known, now)
        return of_share([] if reached is None else reached, promised=row["survey"])
    return mean_of(_by_month(measure, known, now), promised=row["survey"], value=row["ours"], target=row["survey"])


def _against_year(measure: Measure, known: Known, now: Span, before: Span, row: Mapping[Any, Any]) -> Estimate:
    months = (_by_month(measure, known, span) for span in (now, before))
    by_month = mean_of(next(months), promised=next(months), value=row["ours"], target=row["previous"])
    return by_month if measure.people is None else with_shared_luck(_of_people(measure, known, now, before), by_month)


def _against_late(measure: Measure, known: Known, now: Span, before: Span, values: tuple[float, float]) -> Estimate:
    ours, theirs = (_by_month(measure, known, span) for span in (now, before))
    ours, theirs = ours[-len(theirs) :], theirs[-len(ours) :]
    late = np.arange(len(ours)) >= len(ours) - LAST
    by_month = mean_of_late(ours, promised=theirs, late=late, value=values[0], target=values[1])
    if measure.people is None:
        return by_month
    return with_shared_luck(_of_people(measure, known, _late_part(now), _late_part(before)), by_month)


def _of_people(measure: Measure, known: Known, now: Span, before: Span) -> Estimate:
    """Return the share of people of two spans, held against each other as if each had their own luck."""
    assert measure.people is not None
    first, second = (measure.people(known, span) for span in (now, before))
    return of_shares([] if first is None else first, [] if second is None else second)


def _by_month(measure: Measure, known: Known, span: Span) -> Floats:
    """Return a measure of each month of a span by itself; NaN where the tables cannot say."""
    values = (measure.make(known, Span(first=month, last=month)) for month in range(span.first, span.last + 1))
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _row(measure: Measure, known: Known, *, now: Span, before: Span, begins: int) -> dict[str, object]:
    """Return the row of a measure; `begins` is the first period of the log."""
    ours, previous, missing, note = measure.make(known, now), None, "", measure.meaning
    then = _a_year_before(measure, known, now)
    told_by = measure.told_by(known, now) if measure.told_by is not None and ours is not None else ""
    note += f", {told_by}" if told_by else ""
    note += _not_settled(known, now) if measure.of_settled and ours is not None else ""
    why_bound = "" if measure.bound is None or ours is None else measure.bound(known)
    if ours is None and measure.needs == TABLE and known.without_official:
        missing = f"no submitted forecast is official: {known.without_official}"
    elif ours is None:
        missing = f"needs {still_needed(measure.needs, known.snap)}"
    elif before.first < begins and measure.needs != BACKTEST:
        note += "; the log does not hold the 12 months before"
    elif why_bound and before.first - begins < LOOK_BACK:
        note += "; more of the customers of the 12 months before count as new, so they are not compared"
    else:
        previous = measure.make(known, then)
    if ours is not None and np.isnan(ours):
        missing = "there is nothing in these months to take a share of"
    note += f"; at least: {why_bound}" if why_bound else ""
    note += f"; {missing}" if missing else ""
    of = measure.of if measure.told_by is None or told_by else ""
    texts = {"note": note, "missing": missing, "of": of, "bound": "at least" if why_bound else ""}
    rests_on = {
        "ours_n": 0 if ours is None else _rests_on(measure, known, now),
        "previous_n": 0 if previous is None else _rests_on(measure, known, then),
    }
    return _laid_out(measure, ours=ours, previous=previous, span=now, texts=texts) | rests_on


def _not_settled(known: Known, span: Span) -> str:
    """Return `; October 2026 has not settled yet`, the months of a span that wait; empty where all have settled."""
    last = max(int(known.actuals.index.max()) if len(known.actuals) else span.first - 1, span.first - 1)
    waiting = [wording.month(period_label(period)) for period in range(last + 1, span.last + 1)]
    return f"; {wording.joined(waiting)} {'has' if len(waiting) == 1 else 'have'} not settled yet" if waiting else ""


def still_needed(needs: str, snap: Snapshot) -> str:
    """Return what a measure needs, less what is there; all of it where nothing else tells why it is not known.

    Where the history is there: `opportunity_history, and is_proposal in stages` -> `is_proposal in stages`.
    """
    return ", and ".join(part for part in needs.split(", and ") if not _is_there(part, snap)) or needs


def _is_there(part: str, snap: Snapshot) -> bool:
    """Return whether a snapshot has the table, or a value in the column (`owner in opportunities`), that is named."""
    column, _, table = part.rpartition(" in ")
    frame = getattr(snap, {"opportunity_history": "history"}.get(table, table), None)
    return frame is not None and (not column or (column in frame and bool(frame[column].notna().any())))


def _rests_on(measure: Measure, known: Known, span: Span) -> int:
    """Return in how many months of a span there is such a figure; of a share of people, how many they are."""
    if measure.people is not None:
        people = measure.people(known, span)
        return 0 if people is None else len(people)
    return int(np.isfinite(_by_month(measure, known, span)).sum())


def _process_measure(known: Known) -> Measure:
    """Return the share of deals that followed the sales process, as a measure; the deals are looked at once."""
    deals = followed_by_deal(known)

    def share(_: Known, months: Span) -> float | None:
        if deals is None:
            return None
        followed = deals.loc[months.has(deals["period"]), "followed"]
        return float(followed.mean()) if len(followed) else float("nan")

    return Measure(
        name=PROCESS,
        unit="share",
        make=share,
        needs="opportunity_history",
        meaning="deals closed that passed the stages in order and skipped none",
        **survey_figure(PROCESS),
        survey_is_apart=True,
        of="of our deals closed",
        survey_of="of companies, by their own account",
    )


def _model_measure(scores: pd.DataFrame) -> Measure:
    """Return how accurate the model was, as a measure like the people's; scores : what `score` gave for a backtest."""
    for name in ("model", "horizon", "segment", "target_period", "observed", "mean"):
        if name not in scores.columns:
            raise ParameterError(f"scores: the column {name!r} is missing; give what forecast.score returns")
    rows = scores[(scores["model"] == MODEL) & (scores["horizon"] == 1) & (scores["segment"] != TOTAL)]
    rows = rows[~is_quarter(rows["target_period"]) & rows["mean"].notna()]
    periods = parse_periods(rows["target_period"])

    def share(_: Known, months: Span) -> float:
        part = rows[months.has(periods)]
        return within_share(part["observed"].to_numpy(), part["mean"].to_numpy())

    return Measure(
        name="forecast accuracy of the model",
        unit="share",
        make=share,
        needs=BACKTEST,
        meaning=(
            "segment-months whose forecast by the model, made at the month end before, was within 10 % of what was "
            "booked; the official forecast is up to a month older"
        ),
        of_settled=True,
    )


def _laid_out(
    measure: Measure, *, ours: float | None, previous: float | None, span: Span, texts: Mapping[str, str]
) -> dict[str, object]:
    """Return the row of a measure's two values; None, which the tables cannot give, is NaN there."""
    now, then = (float("nan") if value is None else value for value in (ours, previous))
    return {
        "measure": measure.name,
        "ours": now,
        "unit": measure.unit,
        "survey": measure.survey,
        "survey_text": measure.survey_text,
        "survey_of": measure.survey_of,
        "period": f"{period_label(span.first)} to {period_label(span.last)}",
        "first": period_label(span.first),
        "last": period_label(span.last),
        "months": span.last - span.first + 1,
        "change": now - then if measure.unit == "share" else ratio(now - then, then),
        **texts,
        "previous": then,
    }
