"""Changes of the simulated company: none by default, each there at the size asked for, and known to the oracle."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

import forecast
from forecast.calendar import period_label
from forecast.simulation import parameters as par
from forecast.simulation.changes import outlook
from forecast.simulation.changes.kinds import SORTS, Change, parse_change
from forecast.simulation.changes.regime import (
    JUNK_MONTHS,
    NEVER,
    PAID_IN,
    PERSISTENCE,
    RUNGS,
    Course,
    Regime,
    make_drift,
)
from forecast.simulation.company import Simulation, simulate
from forecast.simulation.pipeline import LOST, WON, chances, rates
from forecast.simulation.truth import expected_bookings

RECORD = ("migration", "newcrm", "rename", "unrecorded")
"""Kinds that break the record alone."""


def changed(kind: str, *, size: float | None = None, opportunities: int = 8000, seed: int = 21, **where: object):
    return simulate(opportunities=opportunities, seed=seed, changes=Change(kind=kind, size=size, **where))


def regime_of(company: Simulation) -> Regime:
    assert company.truth.regime is not None
    return company.truth.regime


def begins(company: Simulation, kind: str) -> np.ndarray:
    """Return the first month of a change in each segment; (G,)."""
    shift = regime_of(company).shift(kind)
    assert shift is not None
    return np.searchsorted(company.truth.clock.month_start, shift.begins, side="right") - 1


def surplus(company: Simulation, course: Course, segments: Iterable[int], outcome: int) -> float:
    """Return by how many standard errors the wins, or losses, are more than a course makes expected."""
    settings, deals = company.settings, company.truth.pipeline.deals
    here = np.isin(deals.segment, list(segments))
    counted, expected, variance = 0, 0.0, 0.0
    for tick in range(24 * par.TICKS, settings.months * par.TICKS):
        path = company.truth.pipeline.paths[tick - 1]
        chosen = here[path.deal]
        deal = path.deal[chosen]
        changed, turned = course.moves(deals.segment[deal], tick)
        factors = rates(deals.quality[deal], deals.size[deal]) * changed
        of_year = settings.tick_of_year(tick)
        chance = chances(factors, path.level[chosen], of_year, kind=settings.kind, turned=turned)[outcome]
        counted += int(((deals.closed_tick[deal] == tick) & (deals.outcome[deal] == outcome)).sum())
        expected += chance.sum()
        variance += (chance * (1.0 - chance)).sum()
    return float((counted - expected) / np.sqrt(variance))


# -- how a change is written ------------------------------------------------------------------------------------


def test_a_change_is_read_as_it_is_written():
    assert parse_change("break") == Change(kind="break")
    written = parse_change("break=0.5@2024-03/Alps")
    assert written == Change(kind="break", size=0.5, month="2024-03", segment="Alps")
    assert parse_change("price=-0.2/Central") == Change(kind="price", size=-0.2, segment="Central")
    assert [Change(kind=kind).amount for kind in ("break", "closed")] == [0.55, 0.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brake", "did you mean 'break'"),
        ("Break = 1", "is not written KIND"),
        ("break=half", "'half'"),
        ("break=1.5", "not a number from 0.05 to 1"),
        ("closed=1", "it has no size"),
        ("seasonal@2024-03", "begins in no month"),
        ("drift/Alps", "not of one segment"),
        ("break@2024-13", "2024-13"),
        ("unrecorded=1.5", "not a whole number from 1 to 12"),
    ],
)
def test_a_change_that_is_none_is_refused(text: str, message: str):
    with pytest.raises(forecast.errors.ParameterError, match=message):
        parse_change(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([Change(kind="break"), Change(kind="break", size=0.4)], "given twice"),
        ([Change(kind="break", segment="Alp")], "did you mean 'Alps'"),
        ([Change(kind="break", month="2021-11")], "not after the first month"),
        ([Change(kind="break", month="2026-11")], "not after the first month"),
        (["break"], "is not a Change"),
        ([Change(kind="renewals"), Change(kind="closed")], "not together with closed"),
    ],
)
def test_changes_that_do_not_fit_a_company_are_refused(changes: list[Change], message: str):
    with pytest.raises(forecast.errors.ParameterError, match=message):
        simulate(opportunities=100, changes=changes)


def test_what_cannot_be_announced_is_not_left_unannounced():
    with pytest.raises(forecast.errors.ParameterError, match="never announced"):
        Change(kind="break", announced=False)


# -- off by default -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_change_of_size_nought_changes_nothing_not_even_the_oracle():
    # So the two ways of the oracle, for companies that stay as they are and for those that change, agree as well.
    still, same = simulate(opportunities=2000, seed=5), changed("adopt", size=0.0, opportunities=2000, seed=5)
    assert still.truth.regime is None
    for name, table in still.tables.items():
        assert_frame_equal(table, same.tables[name])
    assert_frame_equal(expected_bookings(still, "2025-06"), expected_bookings(same, "2025-06"), rtol=1e-12)


@pytest.mark.slow
def test_one_change_does_not_move_another():
    alone, both = (
        simulate(opportunities=300, seed=9, changes=[Change(kind=kind) for kind in kinds])
        for kinds in (("junk",), ("break", "junk", "drift"))
    )
    assert begins(alone, "junk").tolist() == begins(both, "junk").tolist()
    table = both.changes
    assert table["kind"].value_counts().to_dict() == {"break": 8, "junk": 8, "drift": 8}
    assert table.loc[table["kind"] == "drift", ["begins", "known_from"]].isna().all(axis=None)


# -- each is there ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "size", "outcome"),
    [("adopt", 1.0, LOST), ("break", 0.55, WON), ("seasonal", 1.0, WON), ("drift", 0.5, WON), ("price", 0.3, WON)],
)
def test_deals_move_as_the_change_says_and_not_as_before(kind: str, size: float, outcome: int):
    company = changed(kind, size=size)
    shift = regime_of(company).shift(kind)
    some = range(8) if shift is None else np.flatnonzero(shift.begins < NEVER)
    assert abs(surplus(company, regime_of(company).actual, some, outcome)) < 3.5
    if kind not in ("seasonal", "drift"):  # these two move wins in time, or between segments
        assert abs(surplus(company, Course.still(company.settings), some, outcome)) > 5.0


@pytest.mark.slow
def test_after_a_break_so_many_are_won_as_was_asked_and_elsewhere_as_before():
    company = changed("break", size=0.5, month="2024-11", segment="Central", opportunities=30_000)
    deals, place = company.truth.pipeline.deals, company.settings.names.index("Central")
    known = deals.tick // par.TICKS < 58
    after, closed = deals.tick // par.TICKS >= 36, deals.outcome != 0
    won = deals.outcome == WON

    def log_ratio(here: np.ndarray) -> tuple[float, float]:
        late, early = won[here & after], won[here & ~after]
        error = np.hypot(*(np.sqrt((1 - part.mean()) / part.sum()) for part in (late, early)))
        return float(np.log(late.mean() / early.mean())), float(error)

    here, error = log_ratio(known & closed & (deals.segment == place))
    assert abs(here - np.log(0.5)) < 3.0 * error
    assert error < 0.1
    elsewhere, error = log_ratio(known & closed & (deals.segment != place))
    assert abs(elsewhere) < 3.0 * error


@pytest.mark.slow
def test_joint_planning_keeps_dates_and_calls_losses_sooner():
    company = changed("adopt", opportunities=20_000)
    tables = company.tables
    first = tables["opportunity_history"].groupby("opportunity_id")["expected_close_on"].first()
    table = tables["opportunities"].set_index("opportunity_id").assign(first=first)
    starts = table["segment"].map(tables["joint_planning"].set_index("segment")["adopted_on"])
    table = table.assign(late=table["created_on"] >= starts)[starts.notna()]
    table = table[table["created_on"].between("2022-11-01", "2026-03-31")]
    late = table["late"]
    age = (table["closed_on"] - table["created_on"]).dt.days
    missed = (table["closed_on"] - table["first"]).dt.days.abs()
    lost, won = (table["outcome"] == outcome for outcome in ("lost", "won"))
    sooner = age[lost].groupby(late).median()
    assert sooner[True] < 0.92 * sooner[False]
    nearer = missed[won].groupby(late).median()
    assert nearer[True] < 0.85 * nearer[False]
    share = (table["outcome"] == "won")[won | lost].groupby(late).mean()
    assert 0.7 < share[True] / share[False] < 1.05


@pytest.mark.slow
def test_winning_amounts_and_creation_follow_the_month():
    company, still = changed("seasonal", opportunities=20_000), simulate(opportunities=20_000, seed=21)
    course = regime_of(company).actual

    def by_month(made: Simulation) -> np.ndarray:
        deals = made.truth.pipeline.deals
        month = (made.settings.start_period + deals.closed_tick // par.TICKS) % 12
        here = (deals.outcome == WON) & (deals.closed_tick // par.TICKS >= 12)
        return np.bincount(month[here], minlength=12) / here.sum()

    ratio = by_month(company) / by_month(still)
    assert (ratio[10:] > 1.3).all()
    assert ratio[10] / ratio[0] > 2.0
    december = (company.settings.start_period + np.arange(60)) % 12 == 11
    assert course.paid[:, :60][:, december] == pytest.approx(1.12)
    assert course.rate[0, :48, 1].mean() == pytest.approx(1.0)
    deals, leads = company.truth.pipeline.deals, company.truth.leads
    counted = np.bincount(leads.month[leads.month >= 0], minlength=72)
    expected = (company.truth.demand.lead_rate * course.creation[:, None, :])[:, :, par.MAX_LAG :].sum(axis=(0, 1))
    assert (np.abs(counted - expected) < 4.5 * np.sqrt(expected)).all()
    # What is paid in December and January, as a share of the amount before the win.
    for of_year, factor in ((11, PAID_IN[11]), (0, PAID_IN[0])):
        shares = []
        for tick in range(par.TICKS, 72 * par.TICKS):
            path = company.truth.pipeline.paths[tick - 1]
            wins = (deals.closed_tick[path.deal] == tick) & (deals.outcome[path.deal] == WON)
            if company.settings.tick_of_year(tick) // par.TICKS == of_year:
                shares.append(deals.closed_amount[path.deal[wins]] / path.amount[wins])
        share = np.concatenate(shares) / par.MEAN_CLOSING
        assert share.mean() == pytest.approx(factor, abs=4.0 * share.std() / np.sqrt(len(share)))


def test_a_drift_is_the_chain_it_is_said_to_be():
    settings = simulate(opportunities=100, months=24, segments=20).settings
    drift = make_drift(np.random.default_rng(3), settings, 0.4)
    np.testing.assert_allclose(drift.transition.sum(axis=1), 1.0)
    # A month on, a rung is expected to have come nearer to the middle one by the persistence.
    middle = (RUNGS - 1) / 2
    away = drift.transition @ (np.arange(RUNGS) - middle)
    np.testing.assert_allclose(away, PERSISTENCE * (np.arange(RUNGS) - middle), atol=1e-12)
    law = np.linalg.matrix_power(drift.transition, 2000)[0]
    assert law @ np.exp(drift.log_rate) == pytest.approx(1.0)
    assert np.sqrt(law @ drift.log_rate**2 - (law @ drift.log_rate) ** 2) == pytest.approx(0.4)
    steps = np.bincount(np.abs(np.diff(drift.rung, axis=1)).ravel(), minlength=3)
    assert steps[0] > steps[2:].sum()
    assert drift.factor.shape == (20, 36)


@pytest.mark.slow
def test_junk_comes_in_a_flood_and_to_nothing():
    company = changed("junk", size=5.0, month="2025-01")
    deals, leads = company.truth.pipeline.deals, company.truth.leads
    junk = (deals.lead >= 0) & leads.junk[deals.lead]
    channel = np.unique(leads.channel[leads.junk])
    assert len(channel) == 1
    assert set(np.unique(leads.month[leads.junk])) == set(range(38, 38 + JUNK_MONTHS))
    usual = ((leads.month >= 38) & (leads.month < 38 + JUNK_MONTHS) & ~leads.junk & (leads.channel == channel)).sum()
    assert leads.junk.sum() == pytest.approx(5.0 * usual, rel=4.0 / np.sqrt(usual))
    assert np.median(deals.score[junk]) < 30 < 45 < np.nanmedian(deals.score[~junk])
    assert (deals.outcome[junk] == WON).mean() < 0.02
    weeks = (deals.closed_tick - deals.tick)[junk & (deals.outcome == LOST)]
    assert np.median(weeks) <= 5
    assert (weeks > 8).mean() > 0.05
    shown = (
        company.tables["marketing"]
        .groupby(["channel", "period"])[["leads", "lead_score"]]
        .agg({"leads": "sum", "lead_score": "mean"})
    )
    flood = shown.loc[par.CHANNELS[channel[0]]]
    assert flood.loc["2025-03", "lead_score"] < flood.loc["2024-12", "lead_score"] - 10


@pytest.mark.slow
def test_other_prices_are_those_asked_for_and_announced():
    company = changed("price", size=0.3, month="2025-01")
    deals = company.truth.pipeline.deals
    month = deals.tick // par.TICKS
    late, early = (np.log(deals.amount) - deals.size)[month >= 38], (np.log(deals.amount) - deals.size)[month < 38]
    place = deals.segment
    for g in range(8):
        gap = late[place[month >= 38] == g].mean() - early[place[month < 38] == g].mean()
        assert gap == pytest.approx(np.log(1.3))
    shift = regime_of(company).shift("price")
    assert shift is not None
    assert (shift.known_from < shift.begins - 15).all()
    told = company.tables["events"].set_index("text").loc["New prices for new offers: +30 %"]
    assert told["from"] == np.datetime64("2025-01-01")
    assert told["announced_on"] == np.datetime64(int(shift.known_from[0]), "D")
    assert company.tables["events"]["from"].is_monotonic_increasing


def test_a_segment_closes_and_one_begins():
    company = simulate(
        opportunities=4000,
        seed=21,
        changes=[
            Change(kind="closed", month="2025-01", segment="East"),
            Change(kind="split", month="2024-06", segment="South"),
        ],
    )
    deals, names = company.truth.pipeline.deals, company.settings.names
    east, south, carrier = (deals.segment == names.index(name) for name in ("East", "South", "Nordics"))
    month = deals.tick // par.TICKS
    assert month[east].max() == 37
    assert deals.closed_tick[east].max() // par.TICKS == 38
    assert (deals.outcome[east & (deals.closed_tick // par.TICKS == 38)] == LOST).all()
    assert month[south].min() == 31
    before, after = (carrier & (month < 31)).sum() / 31, (carrier & (month >= 31) & (month < 60)).sum() / 29
    assert after < 0.75 * before


# -- the oracle -------------------------------------------------------------------------------------------------


def test_a_change_is_known_from_its_first_day_or_its_announcement_on():
    company = simulate(
        opportunities=300,
        seed=2,
        changes=[
            Change(kind="break", month="2025-01"),
            Change(kind="price", month="2025-06"),
            Change(kind="adopt", announced=False),
        ],
    )
    regime, clock = regime_of(company), company.truth.clock
    day = int(clock.month_start[38])
    assert (regime.known(day - 1).turned == 0.0).all()
    assert (regime.known(day).turned[:, 38 * par.TICKS :] == 1.0 - 0.55).all()
    price = regime.shift("price")
    assert price is not None
    assert regime.known(int(price.known_from[0]) - 1).size.max() == 1.0
    assert regime.known(int(price.known_from[0])).size.max() == 1.15
    adopt = regime.shift("adopt")
    assert adopt is not None
    assert (adopt.known_from == adopt.begins).all()
    assert "announced_on" not in company.tables["joint_planning"]


@pytest.mark.slow
def test_recursions_with_a_drift_against_products_of_transition_matrices():
    company = simulate(
        opportunities=200, seed=6, changes=[Change(kind="drift", size=0.5), Change(kind="break", size=0.6)]
    )
    ahead = outlook.make_outlook(company.settings, regime_of(company), month=50, day=NEVER - 1)
    factors, segment = rates(np.array([0.4]), np.array([-0.3])), np.array([2])
    rungs, lost = len(ahead.log_rate), par.LEVELS
    months = 3

    def move(step: int) -> np.ndarray:
        """Return the matrix of one tick over (level or lost, rung); a win leaves it."""
        out = np.zeros((lost + 1, rungs, lost + 1, rungs))
        for level in range(par.LEVELS):
            advance, won, gone = ahead.chances(factors, level, segment, step)
            for k in range(rungs):
                out[level, k, level, k] = 1.0 - (advance + won + gone)[k, 0]
                out[level, k, min(level + 1, 7), k] += advance[k, 0]
                out[level, k, lost, k] = gone[k, 0]
        out[lost, range(rungs), lost, range(rungs)] = 1.0
        return out.reshape((lost + 1) * rungs, -1)

    wander = np.kron(np.eye(lost + 1), ahead.transition)

    def law_of(level: int, steps: range, law: np.ndarray) -> list[float]:
        """Return the chance of a win by month, from a level and a law of the rung at the start of the first step."""
        state = np.zeros((lost + 1, rungs))
        state[level] = law
        now, wins = state.ravel(), [0.0] * months
        for step in steps:
            if step % par.TICKS == 0:
                now = now @ wander
            after = now @ move(step)
            wins[step // par.TICKS] += now.sum() - after.sum()
            now = after
        return wins

    point = np.eye(rungs)[ahead.rung[2]]
    ours = outlook.open_wins(ahead, factors, np.array([4]), segment, months=months)
    np.testing.assert_allclose(ours[:, 0], law_of(4, range(12), point), atol=1e-13)
    new = outlook.new_wins(ahead, factors, 2, months=months)
    # Created in the second month, in any of its ticks: it moves from the next tick on.
    law = outlook.rungs_to_come(ahead, 2, months=months)[1]
    np.testing.assert_allclose(law, point @ ahead.transition @ ahead.transition)
    expected = np.mean([law_of(1, range(step + 1, 12), law) for step in range(4, 8)], axis=0)
    np.testing.assert_allclose(new[1, 1, :, :, 0] @ law, expected, atol=1e-13)


PROCESS = sorted(set(SORTS) - set(RECORD))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("kind", PROCESS)
def test_the_oracle_of_a_company_that_changes_is_unbiased(kind: str):
    # From the month on in which everything that changes is known; one figure a seed.
    gaps = []
    # Twelve companies of 40,000 tell more, in the same time, than many small ones, of which one deal is a month.
    for seed in range(400, 412):
        made = changed(kind, opportunities=40_000, seed=seed)
        settings, truth = made.settings, made.truth
        shifts = () if truth.regime is None else truth.regime.shifts
        known = [0, *(day for shift in shifts for day in shift.known_from if day < NEVER)]
        first = max(14, int(np.searchsorted(truth.clock.month_start, max(known) + 1)))
        gap, total = np.zeros(6), np.zeros(6)
        for month in sorted({first, (first + 59) // 2}):
            table = expected_bookings(made, period_label(settings.start_period + month))
            expected = table[table["segment"] == "Total"]["mean"].to_numpy()
            gap += truth.actual[:, month + 1 : month + 7].sum(axis=0) - expected
            total += expected
        gaps.append(gap / total)
    figures = np.array(gaps)
    z = figures.mean(axis=0) / (figures.std(axis=0, ddof=1) / np.sqrt(len(figures)))
    assert (np.abs(z) < 4.4).all(), z  # Student's t, 11 degrees: one in a thousand
    assert abs(figures.mean()) < 0.05, figures.mean(axis=0)  # some four standard errors


@pytest.mark.slow
def test_before_it_happens_a_change_is_unknown_to_the_oracle():
    still, broken = simulate(opportunities=600, seed=4), changed("break", month="2025-06", opportunities=600, seed=4)
    for origin, same in (("2025-05", True), ("2025-06", False)):
        ours, usual = expected_bookings(broken, origin, 1)["mean"], expected_bookings(still, origin, 1)["mean"]
        assert np.allclose(ours, usual, rtol=1e-12) == same
