"""A walk that is kept gives what a walk of its own would have given, to the bit, and nothing else."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

import forecast
from forecast.data.checks.validation import validate
from forecast.data.known.kept import KeptWalk
from forecast.data.known.snapshot import Snapshot, keep_snapshot, snapshot
from forecast.data.schema import Company, Log
from forecast.evaluation.backtest import backtest
from forecast.evaluation.changed import explained
from forecast.evaluation.levels import levels_on
from forecast.evaluation.planning.secondary import measure_outcomes, model_track
from forecast.evaluation.scores.deals import deal_track, ever_track
from forecast.models.pipeline import components
from forecast.models.pipeline.components import keep_walks
from forecast.models.pipeline.followed import followed
from forecast.simulation.company import simulate

PAST = ("2025-06", "2025-09", "2025-12", "2026-03")
NONE = pd.DataFrame({"segment": [], "period": [], "value": []}).astype({"segment": "str", "period": "str"})


def log_of_company(months: int = 36) -> Log:
    """Return the log of a small simulated company, a new one each time: what is kept hangs on it."""
    company = simulate(opportunities=1500, months=months, seed=11, segments=3)
    return validate(company.tables, Company(**company.company))


@cache
def log_with_walks(day: str, *, most: int = components.MOST_KEPT) -> Log:
    """Return a log of the same company whose walk to a day is kept; who asks it something changes nothing of it."""
    log = log_of_company()
    with_walks(log, day, most=most)
    return log


def with_walks(log: Log, day: str, *, most: int = components.MOST_KEPT) -> Snapshot:
    """Return a snapshot of the log that is kept with its walks."""
    snap = snapshot(log, as_of=day)
    keep_snapshot(log, snap)
    keep_walks(snap, most=most)
    return snap


def of_the_day(log: Log, day: str, months: int) -> dict[str, pd.DataFrame]:
    """Return what is asked of one day."""
    snap = snapshot(log, as_of=day)
    change = explained(log, snap, months=months)
    return {
        "bookings": forecast.forecast_bookings(snap, months=months),
        "without marketing": forecast.forecast_bookings(snap, months=months, marketing=False),
        "deals": forecast.win_probabilities(snap, months=months),
        "followed": followed(snap, months=months),
        **levels_on(snap),
        "causes": change.causes,
        "ends": change.ends,
    }


def of_the_past(log: Log, day: str) -> dict[str, pd.DataFrame]:
    """Return what is asked of past days."""
    through = snapshot(log, as_of=day)
    first = log.company.periods.period(pd.Timestamp("2025-10-31"))
    targets = range(first, first + 4)
    models = model_track(log, None, targets=targets, seed=0, through=through)
    return {
        "backtest": backtest(
            log, origins=PAST, models=["pipeline", "pipeline-sales-only", "combined", "ets"], months=4, through=through
        ),
        "odds": deal_track(log, as_of=day, origins=["2025-06-28", "2025-09-30"], horizon=3),
        "ever": ever_track(log, as_of=day, origins=["2025-06-30", "2025-12-31"]),
        "models": models,
        "outcomes": measure_outcomes(
            log, signed=NONE, models=models, as_of=pd.Timestamp(through.as_of), targets=targets
        ).table,
    }


def assert_the_same(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name, table in one.items():
        pd.testing.assert_frame_equal(other[name], table, check_exact=True, obj=name)
        assert other[name].attrs == table.attrs, name


@pytest.mark.slow
@pytest.mark.parametrize("day", [pytest.param("2026-06-30", marks=pytest.mark.long), "2026-06-17"])
@pytest.mark.parametrize("most", [components.MOST_KEPT, pytest.param(0, marks=pytest.mark.long)])
def test_what_is_asked_of_the_day_is_the_same_to_the_bit(day, most):
    kept = log_with_walks(day, most=most)
    assert_the_same(of_the_day(log_of_company(), day, 6), of_the_day(kept, day, 6))


@pytest.mark.slow
@pytest.mark.long
def test_more_months_than_were_kept_are_walked_anew():
    kept = log_with_walks("2026-06-30")
    assert_the_same(of_the_day(log_of_company(), "2026-06-30", 9), of_the_day(kept, "2026-06-30", 9))


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2026-06-30", pytest.param("2026-06-17", marks=pytest.mark.long)])
def test_what_is_asked_of_past_days_is_the_same_to_the_bit(day):
    kept = log_with_walks(day)
    assert_the_same(of_the_past(log_of_company(), day), of_the_past(kept, day))


@pytest.mark.slow
def test_a_young_company_that_first_abstains():
    plain, kept = log_of_company(24), log_of_company(24)
    first = plain.opportunities["created_on"].min()
    days = [str(day.date()) for day in pd.date_range(first, periods=14, freq="ME")]
    through = with_walks(kept, days[-1])
    models = ["pipeline", "pipeline-sales-only"]
    one = backtest(plain, origins=days[:-1], models=models)
    assert one["mean"].isna().any()
    assert one["mean"].notna().any()
    assert_the_same({"track": one}, {"track": backtest(kept, origins=days[:-1], models=models, through=through)})


def walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by one with every walk."""
    made: list[int] = []
    walk = components._walk

    def counted(*given: object, **named: object) -> object:
        made.append(1)
        return walk(*given, **named)

    monkeypatch.setattr(components, "_walk", counted)
    return made


@pytest.mark.slow
def test_nobody_walks_again(monkeypatch):
    log = log_with_walks("2026-06-30")
    made = walks(monkeypatch)
    of_the_day(log, "2026-06-30", 6)
    backtest(log, origins=PAST, models=["pipeline", "combined"], through=snapshot(log, as_of="2026-06-30"))
    assert not made


@pytest.mark.slow
def test_a_later_walk_serves_no_day_that_it_does_not_pass(monkeypatch):
    log = log_with_walks("2026-06-30")
    made = walks(monkeypatch)
    backtest(log, origins=["2026-02-11"], models=["pipeline"], through=snapshot(log, as_of="2026-06-30"))
    assert made


def test_a_kept_walk_begins_with_walks_along_its_first_days():
    days = tuple(pd.date_range("2026-01-31", periods=3, freq="ME"))
    walk = KeptWalk(days=days, first_target=100, fit_from=98, stops={days[2]: object()}, months=None)
    assert walk.begins(days[:2], fit_from=100)
    assert walk.begins(days, fit_from=0)
    assert not walk.begins(days, fit_from=101)  # its first model would be another
    assert not walk.begins(days[1:], fit_from=98)
    assert walk.has(days[2:])
    assert not walk.has(days)
