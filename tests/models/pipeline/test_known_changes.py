"""What is known to change creation: spells and growth by hand, agreement against statsmodels, put in and recovered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

import forecast
from companies import make_snapshot
from forecast.calendar import parse_period
from forecast.data.known.snapshot import Snapshot
from forecast.models.pipeline.creation import expected_wins
from forecast.models.pipeline.creation_counts import forecast_series
from forecast.models.pipeline.known_changes import (
    MOST,
    WANDER,
    agreed,
    believed,
    forecast_grown,
    grown,
    growth_in,
    learned_growth,
    spells,
)
from logs import log_of

SEGMENTS, MONTHS, STEPS = 8, 60, 6
START = 2019 * 12
MOY = np.arange(MONTHS + STEPS) % 12
CAMPAIGNS = ((20, 22), (33, 34), (46, 48), (61, 62))
"""First and last month of each; the last one lies ahead, in the second and third month."""
STARTS = (24, 29, 34, 39, 44, 48, 62)
"""Months in which segments begin to plan jointly; the seventh lies ahead, and the eighth segment never does."""


def campaigns_on(*, segment: int | None = None) -> np.ndarray:
    on = np.zeros((1, SEGMENTS, MONTHS + STEPS), dtype=bool)
    for first, last in CAMPAIGNS:
        on[0, slice(None) if segment is None else segment, first : last + 1] = True
    return on


def planned_on() -> np.ndarray:
    on = np.zeros((1, SEGMENTS, MONTHS + STEPS), dtype=bool)
    for segment, begin in enumerate(STARTS):
        on[0, segment, begin:] = True
    return on


def created(seed: int, on: np.ndarray, growth: float, *, level: float = 40.0, wander: float = 0.05) -> np.ndarray:
    """Return deals created by segment and month: a season, levels that wander, and what is put in where `on`."""
    rng = np.random.default_rng([seed, 53])
    log = np.log(level) + 0.3 * rng.standard_normal((SEGMENTS, 1)) + 0.15 * np.sin(2 * np.pi * np.arange(MONTHS) / 12)
    log = log + wander * rng.standard_normal((SEGMENTS, MONTHS)) + growth * on[0, :, :MONTHS]
    return rng.poisson(np.exp(log)).astype(float)


# -- by hand -----------------------------------------------------------------------------------------------


def test_spells_by_hand():
    on = np.zeros((3, 40), dtype=bool)
    on[0, 15:17] = on[1, 15:18] = True  # begun in one month: one spell
    on[2, 20:] = True
    found = spells(on)
    assert len(found) == 2
    assert found.rows.tolist() == [[True, True, False], [False, False, True]]
    assert found.begin.tolist() == [15, 20]
    assert found.end.tolist() == [18, 32]  # a year at most
    assert np.flatnonzero(found.around[0]).tolist() == [*range(3, 15), *range(18, 30)]
    assert np.flatnonzero(found.around[1]).tolist() == [*range(8, 20)]
    assert len(spells(np.zeros((3, 40), dtype=bool))) == 0


def test_growth_by_hand():
    on = np.zeros((2, 40), dtype=bool)
    on[0, 20:22] = True
    counts = np.full((2, 40), 1000.0)
    counts[0, 20:22] = 3000.0
    counts[:, 20:22] *= 1.5  # for both: not the change's
    growth, variance = growth_in(spells(on), counts, np.full((2, 40), 1000.0))
    half = 0.5
    own = np.log((9000 + half) / 2000) - np.log((24000 + half) / 24000)
    others = np.log((3000 + half) / 2000) - np.log((24000 + half) / 24000)
    assert growth == pytest.approx([own - others])
    assert growth[0] == pytest.approx(np.log(3), abs=1e-3)
    # Moved to 38 other places in time, it shows something beside its own months alone.
    assert variance[0] > WANDER**2 + 2 * (1 / 2000 + 1 / 24000)
    still = growth_in(spells(on), np.full((2, 40), 1000.0), np.full((2, 40), 1000.0))
    assert still[0] == pytest.approx([0.0])
    assert still[1] == pytest.approx([WANDER**2 + 2 * (1 / 2000 + 1 / 24000)])


def test_what_cannot_be_seen_tells_nothing():
    on = np.zeros((1, 40), dtype=bool)
    on[0, 3:] = True  # three months before it
    assert growth_in(spells(on), np.full((1, 40), 50.0), np.full((1, 40), 50.0))[1].tolist() == [np.inf]
    on = np.zeros((1, 12), dtype=bool)
    on[0, 7:9] = True  # too few other places
    assert growth_in(spells(on), np.full((1, 12), 50.0), np.full((1, 12), 50.0))[1].tolist() == [np.inf]


def test_agreement_is_that_of_dersimonian_and_laird():
    rng = np.random.default_rng(1)
    for scatter in (0.0, 0.5):
        variance = rng.uniform(0.01, 0.05, 7)
        growth = 0.3 + rng.standard_normal(7) * np.sqrt(variance + scatter**2)
        with np.errstate(invalid="ignore"):  # it takes roots of what may be below 0
            other = combine_effects(growth, variance, method_re="dl")
        mean, of_mean = agreed(growth, variance)
        tau2 = max(other.tau2, 0.0)
        weight = 1 / (variance + tau2)
        assert mean == pytest.approx(weight @ growth / weight.sum())
        assert of_mean == pytest.approx(1 / weight.sum())
        if other.tau2 > 0:
            assert mean == pytest.approx(other.mean_effect_re)
    assert agreed(np.array([0.7, 0.0]), np.array([0.01, np.inf])) == (0.0, np.inf)


def test_what_is_believed():
    growth = np.linspace(-1, 1, 201)
    part = np.array([believed(each, 0.01) for each in growth])
    assert (part[np.abs(growth) <= 0.2] == 0).all()
    assert (np.abs(part) <= np.abs(growth)).all()
    assert (np.diff(part) >= -1e-12).all()
    assert believed(-0.4, 0.01) == pytest.approx(-0.3)
    assert believed(0.0, np.inf) == 0.0


def test_without_a_factor_a_series_is_forecast_as_it_is_and_with_one_apart_from_it():
    counts = created(1, campaigns_on(), 0.0)
    plain = forecast_series(counts, ahead=STEPS, month_of_year=MOY)
    same = forecast_grown(counts, None, ahead=STEPS, month_of_year=MOY)
    np.testing.assert_array_equal(same.mean, plain.mean)
    factor = grown(np.array([np.log(2)]), campaigns_on())
    doubled = forecast_grown(counts * factor[:, :MONTHS], factor, ahead=STEPS, month_of_year=MOY)
    ratio = doubled.mean[:, -1] / plain.mean[:, -1]
    np.testing.assert_allclose(ratio, np.tile([1, 2, 2, 1, 1, 1], (SEGMENTS, 1)))


# -- what is put in comes out --------------------------------------------------------------------------------


@pytest.mark.parametrize("segment", [None, 2], ids=["everywhere", "in one segment"])
def test_a_campaign_that_doubled_creation_three_times_is_found_to(segment: int | None):
    on = campaigns_on(segment=segment)
    found = [
        learned_growth(created(seed, on, np.log(2)), on[:, :, :MONTHS], month_of_year=MOY)[0] for seed in range(20)
    ]
    assert 1.8 < np.exp(np.mean(found)) < 2.1
    assert min(found) > np.log(1.4)


def test_joint_planning_that_raised_creation_is_found_to():
    on = planned_on()
    found = [
        learned_growth(created(seed, on, np.log(1.3)), on[:, :, :MONTHS], month_of_year=MOY)[0] for seed in range(20)
    ]
    assert np.exp(np.mean(found)) == pytest.approx(1.27, abs=0.05)
    assert min(found) > np.log(1.1)


@pytest.mark.parametrize("on", [campaigns_on(), campaigns_on(segment=2), planned_on()], ids=["all", "one", "planned"])
def test_where_nothing_changes_nothing_is_claimed(on: np.ndarray):
    found = [learned_growth(created(seed, on, 0.0), on[:, :, :MONTHS], month_of_year=MOY)[0] for seed in range(40)]
    assert np.mean(np.abs(found) > 0.03) <= 0.05
    assert np.abs(np.mean(found)) < 0.01


def test_what_happened_once_tells_nothing():
    on = np.zeros((1, SEGMENTS, MONTHS), dtype=bool)
    on[0, :5, 40:44] = True  # in five segments, and at once
    assert learned_growth(created(1, on, np.log(3)), on, month_of_year=MOY).tolist() == [0.0]
    assert learned_growth(created(1, on, 0.0), on[:0], month_of_year=MOY).tolist() == []


def test_two_kinds_are_told_apart():
    on = np.concatenate([campaigns_on(), planned_on()])
    counts = [created(seed, on[:1], np.log(2)) for seed in range(10)]
    found = np.array([learned_growth(each, on[:, :, :MONTHS], month_of_year=MOY) for each in counts])
    assert np.exp(found[:, 0].mean()) == pytest.approx(1.95, abs=0.15)
    assert np.abs(found[:, 1]).max() < 0.1


def test_no_growth_is_beyond_all_bounds():
    on = campaigns_on()[:, :, :MONTHS]
    counts = np.where(on[0], 0.0, created(1, on, 0.0))
    found = learned_growth(counts, on, month_of_year=MOY)
    assert -MOST <= found[0] < -1


# -- in the forecast --------------------------------------------------------------------------------------------


def label(month: int) -> str:
    return f"{(START + month) // 12:04d}-{(START + month) % 12 + 1:02d}"


def deals_of(counts: np.ndarray) -> pd.DataFrame:
    rows = [(r, t) for r, of in enumerate(counts) for t, n in enumerate(of) for _ in range(int(n))]
    won = np.random.default_rng(3).random(len(rows)) < 0.3
    closed = [f"{label(t + 1)}-05" if t + 1 < MONTHS else None for _, t in rows]
    return pd.DataFrame(
        {
            "opportunity_id": [f"O{i:06d}" for i in range(len(rows))],
            "created_on": [f"{label(t)}-10" for _, t in rows],
            "closed_on": closed,
            "outcome": [("won" if yes else "lost") if day else "open" for yes, day in zip(won, closed, strict=True)],
            "segment": [f"S{r}" for r, _ in rows],
            "amount": 100.0,
        }
    )


def campaigns(*, announced: str | None = "2018-12-01", product: str | None = None) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "from": pd.to_datetime([f"{label(first)}-01" for first, _ in CAMPAIGNS]),
            "to": pd.to_datetime([f"{label(last)}-20" for _, last in CAMPAIGNS]),
            "kind": "Campaign",
            "text": "Half off",
            "announced_on": pd.to_datetime(announced),
            "product": pd.Series([product] * len(CAMPAIGNS), dtype="str"),
        }
    )
    return table.astype(dict.fromkeys(("from", "to", "announced_on"), "datetime64[us]"))


def starts(announced: str) -> pd.DataFrame:
    table = pd.DataFrame(
        {"segment": [f"S{k}" for k in range(7)], "adopted_on": pd.to_datetime([f"{label(t)}-01" for t in STARTS])}
    )
    return table.assign(announced_on=pd.to_datetime(announced)).astype(
        dict.fromkeys(("adopted_on", "announced_on"), "datetime64[us]")
    )


def snapshot_of(deals: pd.DataFrame, events: pd.DataFrame | None = None) -> Snapshot:
    return replace(make_snapshot(f"{label(MONTHS - 1)}-31", deals), events=events)


def ahead(snap: Snapshot) -> np.ndarray:
    """Return deals expected to be created, by segment and month."""
    return expected_wins(snap.state, steps=STEPS).created.sum(axis=1)


def test_a_campaign_ahead_raises_creation_in_its_months_alone():
    deals = deals_of(created(4, campaigns_on(), np.log(2)))
    with_it, without = (ahead(snapshot_of(deals, each)) for each in (campaigns(), campaigns().iloc[:3]))
    ratio = (with_it / without).mean(axis=0)
    np.testing.assert_allclose(ratio[[0, 3, 4, 5]], 1.0, atol=1e-9)
    np.testing.assert_allclose(ratio[[1, 2]], 2.0, atol=0.25)
    # About a product, or not known yet: as if there were none, to the bit.
    plain = ahead(snapshot_of(deals))
    for other in (campaigns(product="Core"), campaigns().iloc[:0], campaigns().iloc[:1]):
        np.testing.assert_array_equal(ahead(snapshot_of(deals.assign(product="Core"), other)), plain)


def test_a_start_ahead_is_foreseen_from_its_announcement_on():
    told_on = f"{label(MONTHS - 2)}-15"
    deals = deals_of(created(5, planned_on(), np.log(1.3))).assign(stage="Early", expected_close_on=None)
    whole = {"opportunities": deals, "joint_planning": starts(told_on)}
    never = whole | {"joint_planning": starts(told_on).iloc[:6]}
    days = [f"{label(MONTHS - 2)}-14", f"{label(MONTHS - 2)}-15", f"{label(MONTHS - 1)}-31"]
    for day in days:
        with_it, without = (ahead(forecast.snapshot(log_of(each), as_of=day)) for each in (whole, never))
        if day < told_on:
            np.testing.assert_array_equal(with_it, without)
            continue
        first = STARTS[6] + START - parse_period(day[:7]) - (day == days[-1])
        ratio = with_it / without
        np.testing.assert_allclose(np.delete(ratio, 6, axis=0), 1.0, atol=1e-9)
        np.testing.assert_allclose(ratio[6, :first], 1.0, atol=1e-9)
        np.testing.assert_allclose(ratio[6, first:], 1.27, atol=0.1)


def test_what_is_told_later_changes_nothing_before_though_the_past_has_been_learned():
    """Events and starts of later days, some of them backdated, as an origin of a longer log and as its own snapshot."""
    day, later = f"{label(MONTHS - 1)}-31", f"{label(MONTHS)}-03"
    counts = created(6, campaigns_on(), np.log(2))
    deals = deals_of(counts).assign(stage="Early", expected_close_on=None)
    known, more = campaigns(), campaigns(announced=later)
    more[["from", "to"]] -= pd.Timedelta(days=120)
    begun = starts("2018-12-01").iloc[:3]
    other = starts(later).iloc[3:]  # those of days before it was told count from their day on
    other = other[other["adopted_on"] > pd.Timestamp(day)]
    logs = [
        log_of(
            {"opportunities": deals, "events": pd.concat(events), "joint_planning": pd.concat(planned)},
            extracted_on=pd.Timestamp(later),
        )
        for events, planned in (([known], [begun]), ([known, more], [begun, other]))
    ]
    views = [forecast.snapshot(log, as_of=day).state for log in logs]
    views += [forecast.snapshot(log, as_of=later).state.ledger.as_of(day) for log in logs]
    found = [expected_wins(view, steps=STEPS).created for view in views]
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])
    plain = forecast.snapshot(log_of({"opportunities": deals}), as_of=day).state
    assert (found[0].sum() / expected_wins(plain, steps=STEPS).created.sum()) > 1.1


def test_leads_carry_a_campaign_and_it_is_not_counted_twice():
    rng = np.random.default_rng(8)
    on = campaigns_on()
    leads = created(7, on, np.log(2), level=150.0, wander=0.3)
    counts = np.zeros_like(leads)
    counts[:, 1:] = rng.binomial(leads[:, :-1].astype(int), 0.3)  # of a month's leads, in the next
    rows = deals_of(counts).assign(lead_source="Web")
    table = pd.DataFrame(
        [(label(t), f"S{r}", "Web", leads[r, t]) for r in range(SEGMENTS) for t in range(MONTHS)],
        columns=["period", "segment", "channel", "leads"],
    )
    snap = replace(make_snapshot(f"{label(MONTHS - 1)}-31", rows, marketing=table), events=campaigns())
    future = expected_wins(snap.state, steps=STEPS)
    assert future.used_leads
    total = future.created.sum(axis=(0, 1))
    np.testing.assert_allclose(total[[2, 3]] / total[[1, 4]].mean(), 2.0, atol=0.35)
