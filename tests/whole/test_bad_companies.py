"""Odd and thin companies: each forecast is an answer or an abstention with its reason, never half of one.

An answer has every number, quantiles that never fall and are at least what is booked, addends that sum to the mean and
a Total that is the sum of its segments. An abstention has no number and says what is needed. Named cases first, then
companies made up by hypothesis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import forecast
from addsup import hold_that_deals_add_up
from forecast.data.checks.validation import validate
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, QUANTILE_COLUMNS, TOTAL, Company, Log, deal_columns
from forecast.errors import DataError
from forecast.models.registry import MODELS, forecaster
from forecast.models.tables import month_targets
from logs import STAGES

pytestmark = [
    pytest.mark.filterwarnings("error::RuntimeWarning"),  # nothing is divided by nothing on the way
    pytest.mark.usefixtures("kept_walks"),
]

CHANCES = [f"p_win_{h}" for h in range(1, 7)]
END = pd.Timestamp("2026-03-31")
WITH_DRAWS = ("pipeline", "pipeline-sales-only", "ets", "ets-theta")
"""Models whose answer always has quantiles; the others may lack past errors to learn them from, and say so."""


# -- what is always true ----------------------------------------------------------------------------------


def check_forecast(
    table: pd.DataFrame, snap: Snapshot, *, months: int, model: str, won: pd.Series | None = None
) -> bool:
    """Hold what is true of every forecast table; return whether it is an answer. won : `booked_so_far(snap)`."""
    assert table.columns[: len(FORECAST_COLUMNS)].tolist() == list(FORECAST_COLUMNS)
    assert (table["model"] == model).all()
    first = snap.period + 1 if snap.at_month_end else snap.period
    labels = [f"{p // 12:04d}-{p % 12 + 1:02d}" for p in range(first, snap.period + months + 1)]
    is_month = ~table["target_period"].str.contains("Q")
    assert table.loc[is_month, "target_period"].unique().tolist() == labels
    assert (table.groupby("target_period").size() == len(snap.segments) + 1).all()
    assert not table.duplicated(["target_period", "segment"]).any()
    present = [name for name in ADDENDS if name in table]
    numbers = ["mean", *present, *QUANTILE_COLUMNS]
    assert not np.isinf(table[numbers].to_numpy()).any()
    assert table["p_at_least_plan"].dropna().between(0, 1).all() if "p_at_least_plan" in table else True
    notes = table.attrs.get("notes", [])
    assert all(isinstance(note, str) and note.strip() for note in notes)
    if table["mean"].isna().any():
        assert table[numbers].isna().all().all()
        assert "p_at_least_plan" not in table or table["p_at_least_plan"].isna().all()
        assert notes
        assert "need" in " ".join(notes), notes
        return False
    subtracts = has_credits(snap)  # then there is no bound below
    assert subtracts or (table[["mean", *present]] >= 0).all().all()
    key = pd.MultiIndex.from_frame(table[["target_period", "segment"]])
    won = booked_so_far(snap) if won is None else won
    booked = won.reindex(key).fillna(0.0).to_numpy(dtype=np.float64)
    assert subtracts or (table["mean"] >= booked - 1e-6 * (1 + booked)).all()
    if present:
        assert present == list(ADDENDS)
        cents = 1e-6 if subtracts else 1e-9  # what cancels out leaves the last digits of what it was made of
        np.testing.assert_allclose(table[present].sum(axis=1), table["mean"], rtol=1e-9, atol=cents)
        np.testing.assert_allclose(table["booked"], booked, rtol=1e-9, atol=cents)
    parts = table[table["segment"] != TOTAL].groupby("target_period", sort=False)["mean"].sum()
    total = table[table["segment"] == TOTAL].set_index("target_period")["mean"]
    np.testing.assert_allclose(parts, total, rtol=1e-9, atol=1e-6 if subtracts else 1e-9)
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy()
    if np.isnan(quantiles).any():
        assert model not in WITH_DRAWS
        assert np.isnan(quantiles).all()
        assert "no quantiles" in " ".join(notes)
        return True
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert subtracts or (quantiles >= 0).all()
    assert subtracts or (quantiles[:, 0] >= booked - 1e-6 * (1 + booked)).all()
    return True


def has_credits(snap: Snapshot) -> bool:
    """Return whether any amount is negative."""
    return any(frame is not None and (frame["amount"] < 0).any() for frame in (snap.opportunities, snap.history))


def booked_so_far(snap: Snapshot) -> pd.Series:
    """Return what is booked already by month or quarter and segment or Total, from the snapshot's opportunities."""
    deals = snap.opportunities[snap.opportunities["outcome"] == "won"]
    period = np.asarray(snap.calendar.period_of(deals["closed_on"]))
    quarter = np.asarray(snap.calendar.quarter_of(period)) if len(period) else period
    month = [f"{p // 12:04d}-{p % 12 + 1:02d}" for p in period]
    names = {int(q): snap.calendar.quarter_label(int(q)) for q in np.unique(quarter)}
    long = pd.concat(
        [
            pd.DataFrame({"target": target, "segment": segment, "amount": deals["amount"].fillna(0.0).to_numpy()})
            for target in (month, [names[int(q)] for q in quarter])
            for segment in (deals["segment"].to_numpy(), np.full(len(deals), TOTAL))
        ]
    )
    return long.groupby(["target", "segment"])["amount"].sum()


def check_deals(table: pd.DataFrame, snap: Snapshot, *, months: int, bookings: pd.DataFrame | None = None) -> bool:
    """Hold what is true of every table of open deals, against the bookings forecast; return whether it is an answer."""
    expected = [f"expected_{h}" for h in month_targets(snap, months)[1]]
    assert list(table.columns) == list(deal_columns(month_targets(snap, months)[1]))
    bookings = forecast.forecast_bookings(snap, months=months, seed=1) if bookings is None else bookings
    amounts = table[[*expected, "expected_amount"]]
    if bookings["mean"].isna().all():
        assert amounts.isna().all(axis=None)
        assert not len(table) or "need" in " ".join(table.attrs["notes"]), table.attrs["notes"]
    else:
        assert amounts.notna().all(axis=None)
        hold_that_deals_add_up(table, bookings, snap)
    deals = snap.opportunities
    open_deals = deals[deals["outcome"] == "open"]
    assert table["opportunity_id"].tolist() == sorted(open_deals["opportunity_id"])
    assert table["factors"].map(lambda text: isinstance(text, str) and text.strip() != "").all()
    numbers = table[["p_win", *CHANCES]].to_numpy()
    if np.isnan(numbers).any():
        assert np.isnan(numbers).all()
        assert "need" in " ".join(table.attrs["notes"]), table.attrs["notes"]
        return False
    chances = table[[*CHANCES, "p_win"]].to_numpy()
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances, axis=1) >= 0).all()
    return True


def check_backtest(log: Log, origins: list[pd.Timestamp], *, months: int) -> None:
    """Hold what is true of a backtest of every model."""
    track = forecast.backtest(log, origins=origins, models=MODELS, months=months, seed=1)
    assert track["origin"].drop_duplicates().tolist() == origins
    assert not np.isinf(track[["mean", *QUANTILE_COLUMNS, "observed"]].to_numpy()).any()
    subtracts = (log.opportunities["amount"] < 0).any()
    assert subtracts or (track["observed"].dropna() >= 0).all()
    for _, rows in track.groupby(["origin", "model"]):
        assert rows["mean"].isna().all() or rows["mean"].notna().all()
        quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy()
        assert np.isnan(quantiles).all() or (np.diff(quantiles, axis=1) >= 0).all()
        assert subtracts or not (quantiles < 0).any()
    silent = track[track["mean"].isna()].drop_duplicates("model")["model"]
    notes = " ".join(track.attrs["notes"])
    for model in silent:
        assert model in notes


def check_all(log: Log, day: pd.Timestamp, *, months: int, models: tuple[str, ...] = MODELS) -> dict[str, bool]:
    """Hold it of every model and of the win probabilities; return which of them answer.

    Without marketing the model that leaves it out is the other one (`test_without_marketing_the_two_are_one`).
    """
    snap = forecast.snapshot(log, as_of=day)
    before, won = snap.opportunities.copy(), booked_so_far(snap)
    answers, tables = {}, {}
    for model in models:
        if model == "pipeline-sales-only" and "marketing" not in log.tables:
            answers[model] = answers["pipeline"]
            continue
        tables[model] = forecaster(model)(snap, months=months, seed=1)
        answers[model] = check_forecast(tables[model], snap, months=months, model=model, won=won)
    deals = forecast.win_probabilities(snap, months=months, seed=1)
    answers["deals"] = check_deals(deals, snap, months=months, bookings=tables["pipeline"])
    pd.testing.assert_frame_equal(snap.opportunities, before)
    return answers


# -- companies by hand --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What a made-up company is like; every closed deal's history says so unless `history` is False."""

    deals: int = 80
    months: int = 15
    seed: int = 1
    won: float = 0.5
    closed: float = 0.8
    segments: int = 2
    stages: int = 2
    amounts: str = "spread"
    history: bool = True
    stage_table: bool = True
    same_day: bool = False
    scores: str = "none"
    owners: int = 3
    currency: bool = False
    marketing: str = "none"
    plan: bool = False
    submitted: bool = False
    late_segment: bool = False
    due: bool = True
    fixed: bool = False
    at_noon: bool = False
    calendar: str = "month"
    fiscal_year_start: int = 1
    timezone: str = "UTC"


def amounts_of(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    n = plan.deals
    spread = np.round(rng.lognormal(8, 1, n), 2)
    giant = spread.copy()
    giant[0] = 1e9
    made = {
        "spread": spread,
        "constant": np.full(n, 500.0),
        "zero": np.zeros(n),
        "huge": np.full(n, 1e9),
        "giant": giant,
        "pennies": np.full(n, 0.01),
        "some credits": np.where(np.arange(n) % 6 == 0, -0.4 * spread, spread),
        "mostly credits": np.where(np.arange(n) % 6 == 0, spread, -0.4 * spread),
        "all credits": -spread,
        "mostly zero": spread * (np.arange(n) % 5 == 0),
        "empty while open": spread,
        "empty": spread,
    }
    return made[plan.amounts]


def tables_of(plan: Plan) -> dict[str, pd.DataFrame]:
    """Return the tables of a made-up company whose log ends on END."""
    rng = np.random.default_rng([plan.seed, 5])
    n = plan.deals
    begin = END - pd.DateOffset(months=plan.months) + pd.Timedelta(days=1)
    days = (END - begin).days
    born = np.sort(rng.integers(0, max(days - 20, 1), n))
    if plan.same_day:
        born[:] = 0
    life = rng.integers(1, max(min(days // 2, 200), 2), n)
    closed = (rng.random(n) < plan.closed) & (born + life <= days)
    won = closed & (rng.random(n) < plan.won)
    amount = amounts_of(plan, rng)
    open_stages = ["Qualify", "Propose", "Discuss"][: plan.stages]
    segment = np.array([f"S{k % plan.segments}" for k in range(n)], dtype=object)
    if plan.late_segment:
        segment[n - min(3, n) :] = "Newland"
        born[n - min(3, n) :] = days - 10
        closed[n - min(3, n) :] = won[n - min(3, n) :] = False
    ids = [f"O{k:04d}" for k in range(n)]
    created = begin + pd.to_timedelta(born, unit="D")
    due = created + pd.to_timedelta(rng.integers(0, 180, n), unit="D")
    ended = created + pd.to_timedelta(life, unit="D")
    rows: list[dict[str, object]] = []
    stage_now = []
    for k in range(n):
        stage = open_stages[0]
        shown = np.nan if plan.amounts == "empty while open" or (plan.amounts == "empty" and not won[k]) else amount[k]
        row = {"opportunity_id": ids[k], "amount": shown, "expected_close_on": due[k] if plan.due else pd.NaT}
        hour = 12 if plan.at_noon else int(rng.integers(0, 24))
        moment = created[k] + pd.Timedelta(hours=hour)
        rows.append(row | {"recorded_at": moment, "stage": stage})
        stop = min(int(life[k]), days - int(born[k]))
        for day in np.unique(rng.integers(1, stop + 1, int(rng.integers(0, 3)))):
            if day < stop:
                stage = str(rng.choice(open_stages))
                later = row | {"recorded_at": moment + pd.Timedelta(days=int(day)), "stage": stage}
                if plan.due:
                    later["expected_close_on"] = due[k] + pd.Timedelta(days=int(rng.integers(-20, 60)))
                rows.append(later)
        if closed[k]:
            stage = "Won" if won[k] else "Lost"
            paid = amount[k] if won[k] else shown
            when = min(ended[k] + pd.Timedelta(days=int(rng.integers(0, 3))), END) + pd.Timedelta(hours=23)
            rows.append(
                row
                | {
                    "recorded_at": max(when, rows[-1]["recorded_at"] + pd.Timedelta(minutes=1)),
                    "stage": stage,
                    "amount": paid,
                }
            )  # type: ignore[operator,type-var]
        stage_now.append(stage)
    history = pd.DataFrame(rows)
    last = history.groupby("opportunity_id").tail(1).set_index("opportunity_id")
    deals = pd.DataFrame(
        {
            "opportunity_id": ids,
            "created_on": created,
            "segment": segment.astype(str),
            "stage": stage_now,
            "amount": last.loc[ids, "amount"].to_numpy(),
            "expected_close_on": last.loc[ids, "expected_close_on"].to_numpy(),
            "closed_on": pd.Series(ended).where(closed).to_numpy(),
            "outcome": np.where(won, "won", np.where(closed, "lost", "open")),
            "lead_source": rng.choice(["Events", "Web", "Outbound"], n),
            "owner": [f"Rep {k % plan.owners}" for k in range(n)],
        }
    )
    if plan.scores != "none":
        score = np.full(n, np.nan) if plan.scores == "empty" else rng.integers(0, 100, n).astype(float)
        deals["lead_score"] = np.where(rng.random(n) < 0.5, np.nan, score)
    out = {"opportunities": deals}
    if plan.currency:
        deals["currency"] = pd.Series(rng.choice(["USD", "EUR", None], n), dtype="str")
        out["currencies"] = pd.DataFrame({"currency": ["USD", "EUR"], "plan_rate": [0.5, 1.0]})
    if plan.history:
        out["opportunity_history"] = history
    if plan.stage_table:
        keep = STAGES["stage"].isin([*open_stages, "Won", "Lost"])
        more = pd.DataFrame({"stage": ["Discuss"], "position": ["2.5"], "outcome": ["open"]})
        out["stages"] = pd.concat([STAGES[keep], more]) if plan.stages == 3 else STAGES[keep]
    periods = [str(month) for month in pd.period_range(begin, END, freq="M")]
    names = sorted(set(segment))
    if plan.marketing != "none":
        used = periods[: max(len(periods) // 2, 1)] if plan.marketing == "stops early" else periods
        channels = ["Web"] if plan.marketing == "one channel" else ["Web", "Events"]
        grid = pd.MultiIndex.from_product([used, names, channels], names=["period", "segment", "channel"])
        market = grid.to_frame(index=False)
        market["leads"] = 0.0 if plan.marketing == "no leads" else rng.integers(0, 40, len(market)).astype(float)
        out["marketing"] = market
    if plan.plan:
        grid = pd.MultiIndex.from_product([["2026-04", "2026-05"], names[:1]], names=["period", "segment"])
        out["plan"] = grid.to_frame(index=False).assign(amount=1000.0)
    if plan.submitted:
        grid = pd.MultiIndex.from_product(
            [[END], ["2026-04"], names], names=["submitted_on", "target_period", "segment"]
        )
        out["submitted_forecasts"] = grid.to_frame(index=False).assign(submitter="sales", amount=500.0)
    return out


def log_of(plan: Plan, **changes: pd.DataFrame) -> Log:
    company = Company(
        extracted_on=END,
        calendar=plan.calendar,
        fiscal_year_start=plan.fiscal_year_start,
        timezone=plan.timezone,
        currency="EUR" if plan.currency else "",
        fixed_at_creation=("amount",) if plan.fixed else (),
    )
    return validate(tables_of(plan) | changes, company)


# Each case, and the models that must answer; the others may abstain.
ANSWERED = set(MODELS)
SERIES = {"ets", "ets-theta", "ets-statsmodels", "theta-statsmodels", "seasonal-naive"}
NO_WINS = ANSWERED - (SERIES - {"seasonal-naive"})
CASES: dict[str, tuple[Plan, set[str]]] = {
    "plain": (Plan(), ANSWERED),
    "constant amounts": (Plan(amounts="constant"), ANSWERED),
    "one stage": (Plan(stages=1), ANSWERED),
    "one segment": (Plan(segments=1), ANSWERED),
    "nothing won": (Plan(won=0.0), NO_WINS),
    "nothing lost": (Plan(won=1.0), ANSWERED),
    "all open": (Plan(closed=0.0), set()),
    "a billion each": (Plan(amounts="huge"), ANSWERED),
    "one giant": (Plan(amounts="giant"), ANSWERED),
    "all amounts zero": (Plan(amounts="zero"), NO_WINS),
    "most amounts zero": (Plan(amounts="mostly zero"), ANSWERED),
    "a penny each": (Plan(amounts="pennies"), ANSWERED),
    "some credits": (Plan(amounts="some credits"), ANSWERED),
    "mostly credits": (Plan(amounts="mostly credits"), ANSWERED),
    "all credits": (Plan(amounts="all credits"), NO_WINS),
    "no amount while open": (Plan(amounts="empty while open"), ANSWERED),
    "amounts of won deals alone": (Plan(amounts="empty"), ANSWERED),
    "a segment born last month": (Plan(late_segment=True), ANSWERED),
    "three months": (Plan(months=3, deals=60), set()),
    "one month": (Plan(months=1, deals=30), set()),
    "one deal": (Plan(deals=1), set()),
    "no history": (Plan(history=False), {"pipeline", "pipeline-sales-only", *SERIES}),
    "no history, amounts fixed": (Plan(history=False, fixed=True), {"pipeline", *SERIES}),
    "no table of stages": (Plan(stage_table=False), ANSWERED),
    "nothing but opportunities": (Plan(history=False, stage_table=False), SERIES),
    "created on one day": (Plan(same_day=True), {"seasonal-naive"}),
    "one timestamp a day": (Plan(at_noon=True), ANSWERED),
    "a single owner": (Plan(owners=1), ANSWERED),
    "an owner a deal": (Plan(owners=1000), ANSWERED),
    "no expected close": (Plan(due=False), ANSWERED),
    "no lead score": (Plan(scores="empty"), ANSWERED),
    "some lead scores": (Plan(scores="some"), ANSWERED),
    "4-4-5 from February": (Plan(calendar="4-4-5", fiscal_year_start=2), ANSWERED),
    "5-4-4 from October": (Plan(calendar="5-4-4", fiscal_year_start=10), ANSWERED),
    "two currencies": (Plan(currency=True), ANSWERED),
    "marketing stops early": (Plan(marketing="stops early"), ANSWERED),
    "marketing of one channel": (Plan(marketing="one channel"), ANSWERED),
    "marketing without leads": (Plan(marketing="no leads"), ANSWERED),
    "a plan for one segment": (Plan(plan=True), ANSWERED),
    "the other side of the world": (Plan(timezone="Pacific/Kiritimati"), ANSWERED),
    "300 segments": (Plan(segments=300, deals=300, months=13), ANSWERED),
}


def days_of(log: Log) -> list[pd.Timestamp]:
    """Return a month's end and a day in the middle of a month, in the company's calendar."""
    calendar = log.company.periods
    last = calendar.end(calendar.period(log.extracted_on))
    if last > log.extracted_on:
        last = calendar.end(calendar.period(log.extracted_on) - 1)
    return [last, last - pd.Timedelta(days=12)]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "constant amounts", "a plan for one segment"])
def test_without_marketing_the_two_are_one(case: str):
    log = log_of(CASES[case][0])
    for day in days_of(log):
        snap = forecast.snapshot(log, as_of=day)
        both, without = (forecaster(name)(snap, months=4, seed=1) for name in ("pipeline", "pipeline-sales-only"))
        pd.testing.assert_frame_equal(both.drop(columns="model"), without.drop(columns="model"))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_named_cases(case: str):
    plan, answered = CASES[case]
    log = log_of(plan)
    for day, months in zip(days_of(log), (6, 4), strict=True):
        answers = check_all(log, day, months=months)
        silent = sorted(answered - {name for name, answer in answers.items() if answer})
        assert not silent, (day, silent)
        if case == "all open":
            assert not any(answer for name, answer in answers.items() if name not in ("seasonal-naive",))


SOME = [*[name for name in CASES if name not in ("300 segments", "plain")][::2], "one month"]


@pytest.mark.slow
@pytest.mark.parametrize("case", SOME)
def test_backtests_of_the_named_cases(case: str):
    log = log_of(CASES[case][0])
    calendar = log.company.periods
    last = calendar.period(days_of(log)[0])
    check_backtest(log, [calendar.end(last - back) for back in (7, 2, 1, 0)], months=3)


@pytest.mark.slow
@pytest.mark.parametrize("months", [1, 2, 3, 6, 11, 12])
def test_few_months_and_many(months: int):
    log = log_of(Plan(months=30, deals=100))
    day = days_of(log)[months % 2]
    answers = check_all(log, day, months=months)
    assert all(answers.values()), answers


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "4-4-5 from February"])
def test_any_day_of_a_month(case: str):
    log = log_of(CASES[case][0])
    for back in (1, 2, 3, 8, 15, 22, 27, 28, 29, 30, 31):
        check_all(log, END - pd.Timedelta(days=back), months=2, models=("pipeline", "stage-age"))


@pytest.mark.slow
def test_names_of_any_kind():
    names = {"S0": "Ζυρίχη 株式会社 \U0001f600", "S1": "x" * 400, "S2": "a,b\"c'\n|;", "S3": " = 1+1", "S4": "nan"}
    tables = tables_of(Plan(segments=5))
    deals = tables["opportunities"]
    deals["segment"] = deals["segment"].map(names)
    deals["owner"] = deals["owner"] + " \u202e\u0301" * 30
    deals["lead_source"] = deals["lead_source"].map({"Events": "Σ", "Web": "nan", "Outbound": "None"})
    for name in ("opportunities", "opportunity_history"):
        tables[name]["opportunity_id"] = "№ " + tables[name]["opportunity_id"] + "\u00e9" * 100
    snap = forecast.snapshot(validate(tables, Company(extracted_on=END)), as_of=END)
    assert len(snap.segments) == 5
    for model in MODELS:
        assert check_forecast(forecaster(model)(snap, months=3, seed=1), snap, months=3, model=model)
    assert check_deals(forecast.win_probabilities(snap), snap, months=6)


@pytest.mark.slow
def test_one_won_deal():
    for history in (True, False):
        tables = tables_of(Plan(won=0.0, history=history))
        deals = tables["opportunities"]
        first = deals.index[deals["outcome"] == "lost"][0]
        deals.loc[first, ["outcome", "stage"]] = ["won", "Won"]
        if history:
            told = tables["opportunity_history"]
            mine = (told["opportunity_id"] == deals.loc[first, "opportunity_id"]) & (told["stage"] == "Lost")
            told.loc[mine, "stage"] = "Won"
        log = validate(tables, Company(extracted_on=END))
        for day in days_of(log):
            answers = check_all(log, day, months=6)
            assert answers["pipeline"]
            assert answers["seasonal-naive"]
            assert answers["deals"]


@pytest.mark.slow
def test_all_closed_on_one_day():
    tables = tables_of(Plan(history=False))
    deals = tables["opportunities"]
    closed = deals["outcome"] != "open"
    deals.loc[closed, "closed_on"] = pd.Timestamp("2026-02-20")
    deals.loc[closed & (deals["created_on"] > "2026-02-20"), "created_on"] = pd.Timestamp("2026-02-19")
    log = validate(tables, Company(extracted_on=END))
    for day in days_of(log):
        check_all(log, day, months=6)


@pytest.mark.slow
def test_closed_on_the_day_it_was_created():
    tables = tables_of(Plan(history=False))
    deals = tables["opportunities"]
    deals["closed_on"] = deals["closed_on"].where(deals["closed_on"].isna(), deals["created_on"])
    log = validate(tables, Company(extracted_on=END))
    for day in days_of(log):
        check_all(log, day, months=6)


def test_closed_before_it_was_created_is_refused():
    tables = tables_of(Plan())
    deals = tables["opportunities"]
    deals.loc[deals["outcome"] != "open", "created_on"] = END
    with pytest.raises(DataError, match="closed before it was created"):
        validate(tables, Company(extracted_on=END))


@pytest.mark.slow
def test_every_closure_reopened():
    tables = tables_of(Plan())
    history, deals = tables["opportunity_history"], tables["opportunities"]
    back = history[history["stage"].isin(["Won", "Lost"])].copy()
    back["recorded_at"] = (back["recorded_at"] + pd.Timedelta(days=9)).clip(
        upper=END + pd.Timedelta(hours=23, minutes=50)
    )
    back["stage"] = "Propose"
    tables["opportunity_history"] = pd.concat([history, back], ignore_index=True)
    deals[["outcome", "closed_on", "stage"]] = ["open", pd.NaT, "Propose"]
    log = validate(tables, Company(extracted_on=END))
    for day in (*days_of(log), pd.Timestamp("2025-11-30")):
        check_all(log, day, months=6)


@pytest.mark.slow
def test_nothing_open_any_more():
    log = log_of(Plan())
    whole = log.tables["opportunities"]
    gone = set(whole.loc[whole["outcome"] == "open", "opportunity_id"])
    tables = {name: log.tables[name] for name in ("opportunities", "opportunity_history", "stages")}
    for name in ("opportunities", "opportunity_history"):
        tables[name] = tables[name][~tables[name]["opportunity_id"].isin(gone)].reset_index(drop=True)
    rest = validate(tables, Company(extracted_on=END))
    snap = forecast.snapshot(rest, as_of=END)
    assert (snap.opportunities["outcome"] != "open").all()
    assert all(check_all(rest, END, months=6).values())
    assert len(forecast.win_probabilities(snap)) == 0


@pytest.mark.slow
def test_years_of_silence():
    """The last record is three years old."""
    tables = tables_of(Plan())
    later = Company(extracted_on=END + pd.DateOffset(years=3))
    log = validate(tables, later)
    check_all(log, pd.Timestamp("2029-03-10"), months=6)


@pytest.mark.slow
def test_an_amount_scaled_scales_the_forecast():
    """In thousands or in billions, the company is the same: means differ by the factor, to 2 %."""
    one = forecast.snapshot(log_of(Plan(months=30, deals=300)), as_of=END)
    tables = tables_of(Plan(months=30, deals=300))
    for name in ("opportunities", "opportunity_history"):
        tables[name]["amount"] *= 1e6
    other = forecast.snapshot(validate(tables, Company(extracted_on=END)), as_of=END)
    for model in MODELS:
        a, b = (forecaster(model)(snap, months=6, seed=1) for snap in (one, other))
        np.testing.assert_allclose(b["mean"] / 1e6, a["mean"], rtol=0.02, err_msg=model)


# -- companies by hypothesis --------------------------------------------------------------------------------

SHARES = st.sampled_from([0.0, 0.02, 0.2, 0.5, 0.9, 1.0])
PLANS = st.builds(
    Plan,
    deals=st.integers(1, 80),
    months=st.integers(1, 26),
    seed=st.integers(1, 999),
    won=SHARES,
    closed=SHARES,
    segments=st.integers(1, 4),
    stages=st.integers(1, 3),
    amounts=st.sampled_from(
        [
            *("spread", "constant", "zero", "huge", "giant", "pennies", "mostly zero", "empty while open", "empty"),
            *("some credits", "mostly credits"),
        ]
    ),
    history=st.booleans(),
    stage_table=st.booleans(),
    same_day=st.sampled_from([False, False, True]),
    scores=st.sampled_from(["none", "empty", "some"]),
    owners=st.integers(1, 5),
    currency=st.booleans(),
    marketing=st.sampled_from(["none", "all", "stops early", "one channel", "no leads"]),
    plan=st.booleans(),
    submitted=st.booleans(),
    late_segment=st.booleans(),
    due=st.booleans(),
    fixed=st.booleans(),
    at_noon=st.booleans(),
    calendar=st.sampled_from(["month", "month", "4-4-5", "4-5-4", "5-4-4"]),
    fiscal_year_start=st.integers(1, 12),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland"]),
)


def any_day(log: Log, back: int) -> pd.Timestamp:
    """Return a day on which something is known, `back` days before the log's end or later."""
    first = log.opportunities["created_on"].min() + pd.Timedelta(days=2)
    return min(max(log.extracted_on - pd.Timedelta(days=back), first), log.extracted_on)


QUIET = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a plan is read as it stands; making it smaller takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.slow
@settings(QUIET, max_examples=30)
@given(plan=PLANS, months=st.integers(1, 12), back=st.sampled_from([0, 0, 1, 14, 31, 59, 60, 90, 200]))
def test_an_answer_or_an_abstention(plan: Plan, months: int, back: int):
    log = log_of(plan)
    check_all(log, any_day(log, back), months=months)


@pytest.mark.slow
@settings(QUIET, max_examples=8)
@given(plan=PLANS, months=st.integers(1, 7), step=st.integers(1, 4))
def test_a_backtest_answers_or_abstains(plan: Plan, months: int, step: int):
    log = log_of(plan)
    calendar = log.company.periods
    last = calendar.period(days_of(log)[0])
    check_backtest(log, [calendar.end(last - back * step) for back in (4, 2, 1, 0)], months=months)
