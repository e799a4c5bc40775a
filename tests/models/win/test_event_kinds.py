"""Dated events in the win model: recovered where put in, no weight for noise or for what has happened once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from companies import make_snapshot
from forecast.calendar import parse_period
from forecast.data.known.events import LASTING, MONTHS, MOST_KINDS, Events
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import Company
from forecast.models.win.encoding import EVENT_RIDGE
from forecast.models.win.event_kinds import MOST, block_of, kinds_in_use, told_by_the_past
from forecast.models.win.hazards import Fit, learned_ridge, shrunk_by_evidence
from forecast.models.win.learn import WinModel, with_events
from forecast.models.win.probabilities import fit_win_model

START = 2018 * 12
MONTHS_OF_LOG = 60
CAMPAIGNS = ((10, 13), (20, 22), (28, 31), (40, 43), (50, 52), (62, 64))
"""First and last month of each; the last one lies ahead."""


def label(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def table_of(campaigns: Sequence[tuple[int, int]], *, segment: str | None = None) -> pd.DataFrame:
    first = pd.to_datetime([f"{label(START + begin)}-01" for begin, _ in campaigns]).astype("datetime64[us]")
    last = pd.to_datetime([f"{label(START + end)}-20" for _, end in campaigns]).astype("datetime64[us]")
    told = first - pd.Timedelta(days=100)
    return pd.DataFrame(
        {"from": first, "to": last, "kind": "Campaign", "text": "Half off", "announced_on": told, "segment": segment}
    )


def company(
    *, seed: int, factor: float, campaigns: Sequence[tuple[int, int]] = CAMPAIGNS, deals: int = 12_000
) -> pd.DataFrame:
    """Return deals of two types, closing with constant chances each month; a campaign multiplies the odds of a win."""
    rng = np.random.default_rng([seed, 31])
    born = START + rng.integers(0, MONTHS_OF_LOG, deals)
    kind = rng.integers(0, 2, deals)
    month = born[:, None] + 1 + np.arange(MONTHS_OF_LOG)
    on = np.any([(month >= START + begin) & (month <= START + end) for begin, end in campaigns], axis=0)
    won = expit(logit(np.array([0.08, 0.15])[kind])[:, None] + on * np.log(factor))
    lost = np.array([0.15, 0.1])[kind][:, None]
    draw = rng.random(won.shape)
    event = np.where(draw < won, 1, np.where(draw < won + lost, 2, 0))
    age = np.where(event.any(axis=1), (event > 0).argmax(axis=1), MONTHS_OF_LOG - 1)
    closed = born + 1 + age
    known = event.any(axis=1) & (closed < START + MONTHS_OF_LOG)
    outcome = np.where(known, np.array(["open", "won", "lost"])[event[np.arange(deals), age]], "open")
    return pd.DataFrame(
        {
            "opportunity_id": [f"O{i:06d}" for i in range(deals)],
            "created_on": [f"{label(each)}-10" for each in born],
            "closed_on": np.where(known, [f"{label(each)}-20" for each in closed], None),
            "outcome": pd.Series(outcome, dtype="str"),
            "segment": pd.Series([f"S{i % 2}" for i in range(deals)], dtype="str"),
            "type": pd.Series(np.array(["new", "existing"])[kind], dtype="str"),
            "amount": 100.0,
        }
    )


def snapshot_of(deals: pd.DataFrame, events: pd.DataFrame | None) -> Snapshot:
    return replace(make_snapshot(f"{label(START + MONTHS_OF_LOG - 1)}-31", deals), events=events)


def model_of(deals: pd.DataFrame, events: pd.DataFrame | None) -> WinModel:
    model = fit_win_model(snapshot_of(deals, events)).model
    assert model is not None
    assert model.informed
    return model


def effect(model: WinModel, kind: str = "campaign") -> np.ndarray:
    """Return what an event of a kind adds to the logits of won and lost, (2,)."""
    return model.beta[model.code.layout[block_of(kind)][0]]


# -- which months concern whom -------------------------------------------------------------------------


def events_of(**columns: Sequence[int]) -> Events:
    arrays = {name: np.array(values) for name, values in columns.items()}
    n = len(arrays["first"])
    none = {name: np.full(n, -1) for name in ("segment", "product")} | {
        name: np.zeros(n, dtype=np.int64) for name in ("kind", "known_on", "end_known_on")
    }
    kinds = tuple(f"k{code:02d}" for code in range(int(arrays.get("kind", np.zeros(1)).max()) + 1))
    return Events(**{**none, **arrays}, kinds=kinds)


def test_months_by_hand():
    # Two of one kind for all, months 101 and 103 to 104, and one for good; another about segment 1 and product 0.
    events = events_of(
        first=[101, 103, 99, 90],
        last=[101, 104, LASTING, 500],
        kind=[0, 0, 0, 1],
        segment=[-1, -1, -1, 1],
        product=[-1, -1, -1, 0],
    )
    months = events.months_of(segment=np.array([0, 1, 1]), product=np.array([0, 0, -1]), target=100)
    assert months[:, 0].tolist() == [0b11010] * 3
    assert months[:, 1].tolist() == [0, 2**MONTHS - 1, 0]
    assert events.months_of(segment=np.array([0]), product=np.array([0]), target=105).tolist() == [[0, 0]]
    assert events.months_of(segment=np.array([0]), product=np.array([0]), target=104).tolist() == [[1, 0]]


def test_of_many_kinds_the_most_frequent_count_in_the_order_they_became_known():
    n = MOST_KINDS + 4
    codes = [*range(n), *range(12, 12 + MOST)]
    events = events_of(first=range(len(codes)), last=range(len(codes)), kind=codes, known_on=[n - c for c in codes])
    assert len(events.by_first_known) == n
    used = kinds_in_use(events)
    assert list(used) == [f"k{code:02d}" for code in range(11 + MOST, 11, -1)]
    assert [events.by_first_known[place] for place in used.values()] == list(used)
    # Those in use stay, and new ones come behind.
    few = {"k15": 12, "k14": 13}
    more = kinds_in_use(events, few)
    assert list(more)[:2] == list(few)
    assert len(more) == MOST


def test_what_happened_once_and_briefly_tells_nothing():
    def told(settled: int, **columns: Sequence[int]) -> set[str]:
        return set(told_by_the_past(events_of(**columns), settled=settled))

    assert told(110, first=[100], last=[101]) == set()
    assert told(110, first=[100], last=[102]) == {"k00"}
    assert told(101, first=[100], last=[102]) == set()  # its third month has not settled
    assert told(102, first=[100], last=[LASTING]) == set()  # for good: a level
    assert told(102, first=[100], last=[200]) == {"k00"}
    assert told(110, first=[100, 105], last=[100, 105]) == {"k00"}
    assert told(104, first=[100, 105], last=[100, 105]) == set()  # the second lies ahead
    assert told(110, first=[100, 100], last=[101, 101], segment=[0, 1]) == set()  # one event in two segments
    assert told(110, first=[100, 100, 101], last=[100, 103, 101], kind=[0, 1, 2]) == {"k01"}


# -- further columns -----------------------------------------------------------------------------------


def test_a_kind_never_seen_leaves_a_fit_as_it_is():
    model_code = model_of(company(seed=1, factor=1.0, deals=2000), None).code
    rng = np.random.default_rng(1)
    design = rng.standard_normal((500, model_code.width))
    gram = design.T @ design + np.diag(model_code.ridge)
    fit = Fit(code=model_code, beta=rng.standard_normal((model_code.width, 2)), gram=(gram, gram))
    assert with_events(fit, {}) is fit
    wide = with_events(fit, {"campaign": 0, "price": 1})
    assert list(wide.code.layout)[-2:] == ["event campaign", "event price"]
    n = model_code.width
    np.testing.assert_array_equal(wide.beta[:n], fit.beta)
    np.testing.assert_array_equal(wide.beta[n:], 0)
    np.testing.assert_array_equal(wide.gram[0][:n, :n], gram)
    np.testing.assert_array_equal(wide.gram[0][n:], np.eye(n + 2)[n:] * EVENT_RIDGE)
    np.testing.assert_allclose(shrunk_by_evidence(wide)[0][:n], shrunk_by_evidence(fit)[0], atol=1e-9)


def test_a_block_that_is_shut_weighs_nothing_and_the_others_follow():
    code = SimpleNamespace(
        layout={"step": (0, 1, 0.01), "event a": (1, 1, 200.0)}, ridge=np.array([0.01, 200.0]), steps=2
    )
    design = np.column_stack([np.ones(4000), np.arange(4000) % 2])
    target = design @ np.array([1.0, 3.0])
    gram = design.T @ design + np.diag(code.ridge)
    beta = np.linalg.solve(gram, design.T @ target)
    both = np.column_stack([beta, beta])
    free = learned_ridge(code, both, (gram, gram), blocks=["event a"])
    assert free.beta[1] == pytest.approx([beta[1]] * 2, rel=1e-6)  # the ridge is at its least already
    shut = learned_ridge(code, both, (gram, gram), blocks=["event a"], shut={"event a"})
    assert abs(shut.beta[1]).max() < 1e-3
    assert shut.beta[0] == pytest.approx([2.5] * 2, rel=1e-3)  # the mean, as without the column


# -- what is put in comes out --------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.slow
def test_doubled_odds_are_recovered_and_noise_has_no_weight():
    doubled = np.array([effect(model_of(company(seed=seed, factor=2.0), table_of(CAMPAIGNS))) for seed in range(2)])
    assert doubled[:, 0].mean() == pytest.approx(np.log(2), abs=0.2)
    assert abs(doubled[:, 1]).max() < 0.15
    noise = np.array([effect(model_of(company(seed=seed, factor=1.0), table_of(CAMPAIGNS))) for seed in range(2)])
    assert abs(noise).max() < 0.06


@pytest.mark.slow
def test_a_campaign_ahead_raises_the_chances_of_its_months_alone():
    deals = company(seed=3, factor=2.0)
    today = fit_win_model(snapshot_of(deals, table_of(CAMPAIGNS)))
    assert today.model is not None
    won = today.model.hazards(today.states, steps=6)[0].mean(axis=0)
    plain = fit_win_model(snapshot_of(deals, table_of(CAMPAIGNS[:-1])))
    assert plain.model is not None
    without = plain.model.hazards(plain.states, steps=6)[0].mean(axis=0)
    ratio = won / without
    np.testing.assert_allclose(ratio[[0, 1, 5]], 1.0, atol=0.02)  # it begins in the third month and ends in the fifth
    assert (ratio[2:5] > 1.4).all()
    # One about another segment raises nobody's chance here.
    elsewhere = pd.concat([table_of(CAMPAIGNS[:-1]), table_of(CAMPAIGNS[-1:], segment="S1")], ignore_index=True)
    other = fit_win_model(snapshot_of(deals, elsewhere))
    assert other.model is not None
    here, there = (other.model.hazards(other.states, steps=6)[0][other.states.segment == s][:, 3] for s in (0, 1))
    assert there.mean() > 1.4 * here.mean()


@pytest.mark.slow
def test_the_first_of_its_kind_has_no_weight_until_it_has_lasted():
    # The only one begins two months before the end: it has a column, and nothing in it.
    only = ((57, 70),)
    model = model_of(company(seed=4, factor=3.0, campaigns=only), table_of(only))
    assert abs(effect(model)).max() < 1e-3


@pytest.mark.slow
def test_without_events_the_model_is_the_same_to_the_bit():
    deals = company(seed=5, factor=1.0, deals=3000)
    none, empty = model_of(deals, None), model_of(deals, table_of(CAMPAIGNS).iloc[:0])
    assert none.code.layout == empty.code.layout
    assert not any(name.startswith("event ") for name in none.code.layout)
    np.testing.assert_array_equal(none.beta, empty.beta)
    later = model_of(deals, table_of(((80, 82),)).assign(announced_on=pd.NaT))  # not known yet
    np.testing.assert_array_equal(none.beta, later.beta)
    assert parse_period("2018-01") == START
    assert Company().periods.period(pd.Timestamp("2018-01-31")) == START
