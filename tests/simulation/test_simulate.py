"""The simulated company: its tables keep the contract, its twin differs in nothing else, its oracle is right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import forecast
from forecast.calendar import parse_periods, period_label
from forecast.data.schema import TABLES, TOTAL
from forecast.simulation import parameters as par
from forecast.simulation import truth as oracle
from forecast.simulation.company import Simulation, simulate, write
from forecast.simulation.pipeline import calendar_factors, chances, draw_size, giant_quantile, rates
from forecast.simulation.records.submitted import possible_error
from forecast.simulation.truth import expected_bookings

SAMPLE = {"opportunities": 20_000, "seed": 9001, "effect": 0.3, "steady": True, "segments": 12}


@pytest.fixture(scope="module")
def company() -> Simulation:
    return simulate(opportunities=6000, seed=11)


def hill(values: np.ndarray, share: float) -> float:
    """Return Hill's estimate of the tail index from the largest share of values."""
    top = np.sort(values)[-int(share * len(values)) - 1 :]
    return 1.0 / float(np.mean(np.log(top[1:] / top[0])))


# -- what is written -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_same_seed_same_bytes_other_seed_others(tmp_path: Path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write(simulate(opportunities=400, seed=seed), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {name.split(".")[0] for name in files} == set(TABLES) - {"periods", "stage_changes"} | {"company"}
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    for name in ("opportunities.parquet", "leads.parquet", "submitted_forecasts.parquet", "plan.csv"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes(), name


@pytest.mark.slow
def test_the_effect_touches_nothing_but_the_joint_forecast(tmp_path: Path):
    twin, treated = simulate(opportunities=1500, seed=4, effect=0.0), simulate(opportunities=1500, seed=4, effect=0.6)
    write(twin, tmp_path / "twin")
    write(treated, tmp_path / "treated")
    for path in (tmp_path / "twin").iterdir():
        if path.stem != "submitted_forecasts":
            assert path.read_bytes() == (tmp_path / "treated" / path.name).read_bytes(), path.name
    a, b = twin.tables["submitted_forecasts"], treated.tables["submitted_forecasts"]
    key = [name for name in a.columns if name not in ("amount", "reason")]
    assert_frame_equal(a[key], b[key])
    joint = (a["submitter"] == "joint").to_numpy()  # their reasons fit their amounts
    assert_frame_equal(a[~joint], b[~joint])
    actual = actual_of(twin, a)
    np.testing.assert_allclose((b["amount"] - actual)[joint], 0.4 * (a["amount"] - actual)[joint], atol=0.011)
    assert np.abs((a["amount"] - actual)[joint]).min() > 1.0


def actual_of(company: Simulation, table: pd.DataFrame) -> np.ndarray:
    """Return the actual that each submitted forecast is about, also where it lies beyond the log's end."""
    g = table["segment"].map({name: i for i, name in enumerate(company.settings.names)})
    month = parse_periods(table["target_period"]) - company.settings.start_period
    return company.truth.actual[g.to_numpy(), month]


@pytest.mark.slow
@pytest.mark.parametrize("giant", [False, True])
def test_the_folder_is_read_without_a_complaint(tmp_path: Path, giant: bool):
    made = simulate(opportunities=2000, months=40, end="2025-05", seed=3, segments=20, giant=giant)
    write(made, tmp_path)
    log = forecast.read(tmp_path)
    assert not log.notes
    assert set(log.tables) == set(TABLES) - {"periods", "stage_changes"}  # its months are those of the calendar
    for name, frame in log.tables.items():
        # One plan rate for all years, and leads of people who are no account yet.
        without = {"currencies": {"segment", "from"}, "leads": {"segment", "account_id"}}.get(name, {"segment"})
        assert {column.name for column in TABLES[name].columns} - without <= set(frame.columns), name
    assert str(log.extracted_on.date()) == "2025-05-31"
    assert log.company.settle_days == 7


@pytest.mark.slow
def test_what_settles_is_the_truth(company: Simulation, tmp_path: Path):
    write(company, tmp_path)
    settled = forecast.settled_actuals(forecast.read(tmp_path))
    wide = settled.pivot(index="segment", columns="period", values="amount")
    assert wide.columns[-1] == "2026-09"
    assert wide.shape == (8, 59)
    np.testing.assert_allclose(wide.to_numpy(), company.truth.actual[:, :59], atol=1e-6)


@pytest.mark.slow
def test_the_sample_is_what_the_command_makes(sample: Path):
    made, log = simulate(**SAMPLE), forecast.read(sample)
    for name, table in made.tables.items():
        kept = log.tables[name][list(table.columns)]
        key = [column for column in TABLES[name].key if column in table] or list(table.columns)
        assert_frame_equal(
            kept.sort_values(key, ignore_index=True), table.sort_values(key, ignore_index=True), check_dtype=False
        )
    assert sum(path.stat().st_size for path in sample.iterdir()) < 4_000_000
    assert log.company.name == "Sample Company"


def test_names_are_nobody(company: Simulation):
    opportunities = company.tables["opportunities"]
    assert opportunities["owner"].str.fullmatch(r"Rep \d{3}").all()
    assert opportunities["account_id"].str.fullmatch(r"Account \d{4,}").all()
    assert set(company.tables["quotas"]["owner"]) >= set(opportunities["owner"])


def test_adoption(company: Simulation):
    adopted = company.tables["joint_planning"]["adopted_on"]
    assert adopted.isna().sum() == 2
    assert adopted.dropna().nunique() == 6
    assert (adopted.dropna().dt.day == 1).all()
    assert adopted.min() >= pd.Timestamp("2023-11-01")
    assert adopted.max() <= pd.Timestamp("2025-10-01")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("opportunities", 99),
        ("opportunities", 1000.0),
        ("months", 23),
        ("seed", -1),
        ("seed", True),
        ("effect", 1.01),
        ("effect", -0.1),
        ("effect", float("nan")),
        ("effect", "0.3"),
        ("giant", 1),
        ("segments", 1),
        ("segments", 21),
        ("end", "2026-13"),
    ],
)
def test_out_of_range_is_refused(option: str, value: object):
    with pytest.raises(forecast.errors.ParameterError, match=option if option != "end" else "2026-13"):
        simulate(**{option: value})


# -- what is recorded ------------------------------------------------------------------------------------


def test_history_tells_what_opportunities_show(company: Simulation):
    opportunities, history = company.tables["opportunities"], company.tables["opportunity_history"]
    local = history["recorded_at"].dt.tz_convert(par.TIMEZONE).dt.tz_localize(None)
    assert not history.duplicated(["opportunity_id", "recorded_at"]).any()
    assert local.max() < pd.Timestamp("2026-11-01")
    assert local.dt.hour.between(8, 18).all()
    grouped = history.assign(day=local.dt.normalize()).groupby("opportunity_id")
    first, last = grouped.first(), grouped.last()
    now = opportunities.set_index("opportunity_id")
    assert (first["day"] == now["created_on"]).all()
    for column in ("stage", "amount", "expected_close_on", "owner"):
        assert (last[column] == now[column]).all(), column
    closed = now["outcome"] != "open"
    late = (last["day"] - now["closed_on"])[closed].dt.days
    assert late.between(0, par.LATE_DAYS).all()
    assert 0.06 < (late > 0).mean() < 0.14
    assert now.loc[~closed, "closed_on"].isna().all()
    assert (now["closed_on"] > now["created_on"])[closed].all()


def test_close_dates_slip_and_sellers_are_optimistic(company: Simulation):
    history = company.tables["opportunity_history"]
    opportunities = company.tables["opportunities"].set_index("opportunity_id")
    first = history.groupby("opportunity_id")["expected_close_on"].first()
    won = opportunities[opportunities["outcome"] == "won"]
    slip = (won["closed_on"] - first[won.index]).dt.days
    assert slip.median() > 10
    assert (
        np.corrcoef((first[won.index] - won["created_on"]).dt.days, (won["closed_on"] - won["created_on"]).dt.days)[
            0, 1
        ]
        > 0.1
    )


def test_leads_come_before_their_opportunities(company: Simulation):
    leads, opportunities = company.tables["leads"], company.tables["opportunities"].set_index("opportunity_id")
    became = leads[leads["opportunity_id"].notna()]
    created = opportunities["created_on"].reindex(became["opportunity_id"]).set_axis(became.index)
    lag = (created.dt.year - became["created_on"].dt.year) * 12 + created.dt.month - became["created_on"].dt.month
    assert set(lag) == {1, 2, 3}
    assert (lag <= 2).mean() > 0.85
    assert (became["qualified_on"] <= created).all()
    assert (leads["worked_on"].isna() | (leads["worked_on"] >= leads["created_on"])).all()
    assert not (leads["qualified_on"].notna() & leads["rejected_on"].notna()).any()
    source = opportunities["lead_source"].reindex(became["opportunity_id"]).to_numpy()
    assert (source == became["channel"].to_numpy()).all()
    counted = company.tables["marketing"].groupby("period")["leads"].sum()
    assert counted.to_dict() == leads["created_on"].dt.strftime("%Y-%m").value_counts().to_dict()
    # Leads of a month announce the opportunities of the next in the same segment.
    month = company.tables["marketing"].groupby(["segment", "period"])["leads"].sum().unstack().to_numpy()
    marketing = opportunities[opportunities["lead_source"].isin(par.CHANNELS)]
    made = marketing.groupby(["segment", marketing["created_on"].dt.strftime("%Y-%m")]).size().unstack(fill_value=0)
    ahead = np.mean([np.corrcoef(a[6:-1], b[7:])[0, 1] for a, b in zip(month, made.to_numpy(), strict=True)])
    assert ahead > 0.6


def test_quality_shows_in_part(company: Simulation):
    deals = company.truth.pipeline.deals
    closed = deals.outcome > 0
    won = deals.outcome == 1
    scored = closed & ~np.isnan(deals.score)
    high, low = scored & (deals.score > 60), scored & (deals.score < 40)
    assert won[high].mean() > 1.2 * won[low].mean()
    assert 0.3 < np.corrcoef(deals.score[scored], deals.quality[scored])[0, 1] < 0.75
    skill = company.truth.staff.owner_skill[deals.owner]
    assert won[closed & (skill > 0.3)].mean() > 1.2 * won[closed & (skill < -0.3)].mean()
    big = deals.size > 1.5
    assert won[closed & big].mean() < 0.9 * won[closed & ~big].mean()


def test_new_and_existing_business(company: Simulation):
    opportunities = company.tables["opportunities"]
    first_win = opportunities[opportunities["outcome"] == "won"].groupby("account_id")["closed_on"].min()
    new = opportunities[opportunities["type"] == "new"]
    assert new["account_id"].is_unique
    again = opportunities[opportunities["type"] == "existing"]
    since = again["created_on"] - again["account_id"].map(first_win)
    # A customer won in the log comes back a year later at the earliest; the others were customers before.
    bought_here = again["account_id"].isin(set(new["account_id"]))
    assert bought_here.sum() > 50
    assert (since[bought_here].dt.days > 330).all()


def test_submissions(company: Simulation):
    table = company.tables["submitted_forecasts"]
    adopted = company.tables["joint_planning"].set_index("segment")["adopted_on"]
    joint = table[table["submitter"] == "joint"]
    assert (joint["submitted_on"] >= joint["segment"].map(adopted)).all()
    origin = table["submitted_on"].dt.year * 12 + table["submitted_on"].dt.month - 1
    horizon = parse_periods(table["target_period"]) - origin
    key = [origin.rename("origin"), table["segment"], table["submitter"], table["category"]]
    assert horizon.groupby(key).agg(["min", "max", "nunique"]).drop_duplicates().to_numpy().tolist() == [[0, 3, 4]]
    months = origin[table["submitter"] == "sales"].groupby(table["segment"]).nunique()
    assert (months == 54).all()
    assert (table["amount"] >= 0).all()
    days = table.groupby([origin.rename("origin"), "segment", "submitter"])["submitted_on"].nunique()
    assert set(days) == {1, 2}


@given(
    st.floats(-1e7, 1e7, allow_nan=False),
    st.floats(0, 1e7, allow_nan=False),
    st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_no_forecast_is_negative_and_every_error_keeps_its_size(error: float, actual: float, effect: float):
    possible = possible_error(np.array([error]), np.array([actual]))
    assert abs(possible[0]) == abs(error)
    assert actual + (1.0 - effect) * possible[0] >= 0


def test_errors_by_hand():
    error = possible_error(np.array([-70.0, -85.0, 40.0]), np.array([100.0, 100.0, 0.0]))
    assert error.tolist() == [-70.0, 85.0, 40.0]


# -- the law of what happens -----------------------------------------------------------------------------


def test_tail_index():
    rng = np.random.default_rng(8)
    options = simulate(opportunities=100, months=24).settings
    n = 400_000
    product, source = rng.choice(4, n, p=par.PRODUCT_SHARE), rng.choice(8, n)
    assert 2.0 < hill(np.exp(draw_size(rng, options, product, source)), 0.002) < 3.0
    giant = np.exp(draw_size(rng, dataclasses.replace(options, giant=True), product, source))
    assert 0.9 < hill(giant[giant < 300], 0.02) < 1.3
    assert giant.max() <= 1000.0
    assert np.median(giant) == pytest.approx(1.0, rel=0.02)
    np.testing.assert_allclose(giant_quantile(np.array([0.5, 1.0])), [1.0, 1000.0])


def test_chances_by_hand():
    # An ordinary deal at the last level in the last tick of a quarter: won at .16, lost at .088, times the calendar.
    calendar = calendar_factors()
    np.testing.assert_allclose(calendar.mean(axis=0), 1.0)
    tick = 11
    advance, won, lost = chances(np.ones((1, 3)), np.array([7]), tick)
    a, b = 0.16 * calendar[tick, 1], 0.088 * calendar[tick, 2]
    assert advance[0] == 0.0
    assert won[0] == pytest.approx(a / (a + b) * (1 - np.exp(-a - b)))
    assert lost[0] == pytest.approx(b / (a + b) * (1 - np.exp(-a - b)))
    np.testing.assert_allclose(rates(np.array([0.5]), np.array([2.0])), np.exp([[-0.175, -0.26, -0.10]]))


def test_recursion_against_products_of_transition_matrices():
    factors = rates(np.array([0.3, -1.0]), np.array([1.2, -0.4]))
    state = np.zeros((8, 2))
    state[[0, 5], [0, 1]] = 1.0
    ours = oracle.win_chances(factors, state, 46, 7)
    for deal in range(2):
        law = np.append(state[:, deal], 0.0)
        for step in range(7):
            move = np.zeros((9, 9))
            for level in range(8):
                advance, won, lost = chances(factors[[deal]], np.array([level]), (46 + step) % 48)
                move[level, level] = 1.0 - (advance + won + lost)[0]
                move[level, min(level + 1, 7)] += advance[0]
                move[level, 8] = won[0]
            law = np.append(law[:8], 0.0) @ move
            assert ours[step, deal] == pytest.approx(law[8], abs=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize(("source", "month"), [(2, 10), (7, 1)])
def test_conversion_against_gaussian_quadrature(company: Simulation, source: int, month: int):
    staff, segment, after = company.truth.staff, 3, 4
    skill = staff.owner_skill[staff.owner_segment == segment]
    share = staff.owner_weight[staff.owner_segment == segment]
    normal, mass = np.polynomial.hermite_e.hermegauss(7)
    tail, tail_mass = np.polynomial.laguerre.laggauss(18)
    product, who, frailty, body, long = (
        axis.ravel() for axis in np.meshgrid(range(4), range(len(skill)), range(7), range(7), range(18), indexing="ij")
    )
    quality = staff.quality[segment] + par.SOURCE_QUALITY[source] + par.PRODUCT_QUALITY[product] + skill[who]
    quality += normal[frailty] * np.hypot(par.FRAILTY_SD, par.SCORE_WEIGHT * par.SCORED[source])
    # Gauss-Laguerre integrates against exp(-x): exp(s) times the tail's density is one of rate 2.5 - 1.
    kind = par.ORDINARY
    size = kind.product_size[product] + par.SOURCE_SIZE[source] + kind.body_sd * normal[body]
    size += tail[long] / 1.5 - np.log(2) / 2.5
    value = np.exp(size - tail[long] / 1.5) * 2.5 / 1.5
    weight = par.PRODUCT_SHARE[product] * share[who] * mass[frailty] * mass[body] * tail_mass[long] / (2 * np.pi)
    weight *= par.MEDIAN_AMOUNT * staff.scale[segment] * par.MEAN_CLOSING * value
    factors = rates(quality, size)
    expected = np.zeros(after)
    for tick in range(4):
        state = np.zeros((8, len(size)))
        state[:2] = np.array([[1 - par.SOURCE_HEAD_START[source]], [par.SOURCE_HEAD_START[source]]])
        won = oracle.win_chances(factors, state, month * 4 + tick + 1, after * 4 - tick - 1) @ weight
        expected += np.concatenate([np.zeros(tick + 1), won]).reshape(after, 4).sum(axis=1) / 4
    np.testing.assert_allclose(company.truth.conversion[segment, source, month, :after], expected, rtol=1e-3)


@pytest.fixture(scope="module")
def large() -> Simulation:
    return simulate(opportunities=80_000, seed=12)


@pytest.mark.slow
def test_won_amounts_have_a_finite_variance(large: Simulation):
    deals = large.truth.pipeline.deals
    assert hill(deals.closed_amount[deals.outcome == 1], 0.01) > 2.0


@pytest.mark.slow
def test_value_of_a_new_deal_against_simulated_deals(large: Simulation):
    made = large
    deals = made.truth.pipeline.deals
    old = deals.tick // par.TICKS < 55
    ratios = []
    for g in range(8):
        here = old & (deals.segment == g)
        source = np.bincount(deals.source[here], minlength=8) / here.sum()
        month = np.bincount(deals.tick[here] // 4 % 12, minlength=12) / here.sum()
        expected = np.einsum("smd,s,m->", made.truth.conversion[g], source, np.roll(month, 10))
        ratios.append(np.nan_to_num(deals.closed_amount[here]).mean() / expected)
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.std(ratios) / np.sqrt(8))
    assert np.std(ratios) < 0.06


@pytest.mark.slow
def test_expected_bookings_is_a_table_that_adds_up(company: Simulation):
    table = expected_bookings(company, "2026-06", months=6)
    assert list(table.columns) == ["target_period", "horizon", "segment", "mean"]
    assert table["target_period"].unique().tolist() == [f"2026-{m:02d}" for m in range(7, 13)]
    assert table["segment"].unique().tolist() == [*company.settings.names, TOTAL]
    by = table.pivot(index="horizon", columns="segment", values="mean")
    np.testing.assert_allclose(by[TOTAL], by.drop(columns=TOTAL).sum(axis=1))
    assert_frame_equal(table, expected_bookings(company, "2026-06-30"))
    shorter = expected_bookings(company, "2026-06", months=2)
    assert_frame_equal(shorter, table.head(len(shorter)))


@pytest.mark.parametrize(("origin", "months"), [("2026-06-15", 6), ("2026-11", 6), ("2021-10", 1), ("2026-06", 13)])
def test_expected_bookings_refuses(company: Simulation, origin: str, months: int):
    with pytest.raises(forecast.errors.ParameterError):
        expected_bookings(company, origin, months)


def pooled(seeds: range, opportunities: int, origins: range) -> pd.DataFrame:
    parts = []
    for seed in seeds:
        made = simulate(opportunities=opportunities, seed=seed)
        start, actual = made.settings.start_period, made.truth.actual
        for month in origins:
            table = expected_bookings(made, period_label(start + month))
            table = table[table["segment"] != TOTAL].drop(columns=["target_period", "segment"])
            future = {"actual": actual[:, month + 1 : month + 7].T.ravel()}
            simple = {"mean": np.tile(actual[:, month - 11 : month + 1].mean(axis=1), 6)}
            year = {"year": actual[:, month - 11 : month - 5].T.ravel()}
            last = {"last": np.tile(actual[:, month], 6)}
            parts.append(table.rename(columns={"mean": "oracle"}).assign(seed=seed, **future, **simple, **year, **last))
    return pd.concat(parts)


@pytest.mark.long
@pytest.mark.slow
def test_the_oracle_is_unbiased():
    # One figure a seed, so that what the origins of one company share does not count as evidence.
    bookings, creation = [], []
    for seed in range(300, 350):
        made = simulate(opportunities=4000, seed=seed)
        options, truth = made.settings, made.truth
        deals = truth.pipeline.deals
        counted = np.zeros((options.simulated_months, par.N_SOURCES))
        np.add.at(counted, (deals.tick // par.TICKS, deals.source), 1.0)
        gap, total, surplus = np.zeros(6), np.zeros(6), np.zeros((par.N_SOURCES, 3))
        for month in range(14, 60, 9):
            expected = oracle.open_pipeline(options, truth, month, 6) + oracle.not_yet_created(options, truth, month, 6)
            gap += truth.actual[:, month + 1 : month + 7].sum(axis=0) - expected.sum(axis=0)
            total += expected.sum(axis=0)
            surplus += counted[month + 1 : month + 4].T - oracle.expected_creation(options, truth, month, 3).sum(axis=0)
        bookings.append(gap / total)
        creation.append([surplus[: par.N_CHANNELS].sum(axis=0), surplus[par.N_CHANNELS :].sum(axis=0)])
    for figures in (np.array(bookings), np.array(creation)):
        z = figures.mean(axis=0) / (figures.std(axis=0, ddof=1) / np.sqrt(len(figures)))
        assert (np.abs(z) < 3.0).all(), z
    assert (np.abs(np.mean(bookings, axis=0)) < 0.03).all()


@pytest.mark.slow
def test_the_company_is_hard_and_its_oracle_beats_simple_forecasts():
    table = pooled(range(80, 83), 20_000, range(24, 54, 2))
    errors = {name: (table[name] - table["actual"]).abs() for name in ("oracle", "mean", "year", "last")}
    wape = pd.DataFrame(errors).groupby(table["horizon"]).sum().div(table.groupby("horizon")["actual"].sum(), axis=0)
    assert (wape.drop(columns="oracle").min(axis=1) > 1.25 * wape["oracle"]).all()
    assert wape.loc[1, "oracle"] >= 0.20
    assert wape.loc[1].drop("oracle").min() >= 1.4 * wape.loc[1, "oracle"]


@pytest.mark.slow
def test_joint_errors_stay_above_the_oracles():
    for seed in (21, 22):
        made = simulate(opportunities=12_000, seed=seed)
        table = made.tables["submitted_forecasts"]
        table = table[(table["submitter"] == "joint") & (table["category"] == "commit")]
        table = table.assign(actual=actual_of(made, table))
        origin = table["submitted_on"].dt.to_period("M") - 1
        parts = [expected_bookings(made, str(o), 4).assign(origin=o) for o in sorted(set(origin))]
        table = table.assign(origin=origin.to_numpy())
        both = table.merge(pd.concat(parts), on=["origin", "target_period", "segment"], validate="many_to_one")
        assert len(both) == len(table)
        ours = (both["mean"] - both["actual"]).abs().sum()
        assert (both["amount"] - both["actual"]).abs().sum() > ours
