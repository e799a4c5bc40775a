"""The session of docs/ten_questions.ipynb: it runs as kept, is as short as it says, and every answer is right.

Each answer is held against a calculation of its own: a loop over the rows, a sum of the columns, a log cut by hand.
"""

from __future__ import annotations

import ast
import dataclasses
import pickle
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
import ten_questions
from forecast.adapters.series import monthly_bookings

QUESTIONS = ["slips", "win-rate", "product", "two-years", "levels", "classifier", "statsmodels", "chart", "lost"]
QUESTIONS += ["overrides"]
KEPT = ["slipped", "rate", "core_months", "years", "levels", "track", "past", "bookings", "deals", "lost", "worth"]
AS_OF, MONTHS = "2026-10-31", ["2026-11", "2026-12", "2027-01"]


def cells(root: Path) -> dict[str, str]:
    return {cell.id: cell.source for cell in ten_questions.session(root).cells if cell.cell_type == "code"}


# -- the notebook as it is kept ------------------------------------------------------------------------------------


def test_each_answer_has_five_lines_at_most(root: Path):
    found = cells(root)
    assert list(found) == ["read", *QUESTIONS]
    for name, source in found.items():
        lines = [line for line in source.splitlines() if line.strip()]
        assert len(lines) <= 5, name
        assert max(map(len, lines)) <= 119, name
        assert ";" not in source, name


def test_answers_use_public_names_alone(root: Path):
    for name, source in cells(root).items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("forecast"):
                assert str(node.module).startswith("forecast.adapters."), name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "forecast":
                assert node.attr in forecast.__all__, name


def test_every_question_is_asked_answered_and_explained(root: Path):
    notebook = ten_questions.session(root)
    ids = [cell.id for cell in notebook.cells]
    assert ids == ["head", "read", *(f"{name}{part}" for name in QUESTIONS for part in ("-question", "", "-says"))]
    shown = ten_questions.outputs(notebook)
    assert all(shown[name] for name in QUESTIONS)
    assert shown["chart"] == ["image/png"]
    text = (root / ten_questions.NOTEBOOK).read_text(encoding="utf-8")
    assert not re.search(r'"(error|stderr)"|/(home|work|root|tmp|Users)/', text)


@pytest.mark.parametrize("page", ["README.md", "docs/your_own_model.md", "docs/selecting.md"])
def test_it_is_linked(root: Path, page: str):
    assert "ten_questions.ipynb" in (root / page).read_text(encoding="utf-8")


# -- the notebook as it runs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any], Path]:
    """Return the notebook run, the frames of its answers, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("session")
    then = f"import pickle\npickle.dump(dict({', '.join(f'{k}={k}' for k in KEPT)}), open('answers.pickle', 'wb'))"
    notebook = ten_questions.executed(root, folder, then=then)
    return notebook, pickle.loads((folder / "answers.pickle").read_bytes()), folder


@pytest.fixture(scope="module")
def answers(run) -> dict[str, Any]:
    return run[1]


@pytest.fixture(scope="module")
def log(root: Path) -> forecast.Log:
    return forecast.read(root / "data" / "sample")


@pytest.fixture(scope="module")
def snap(log: forecast.Log) -> forecast.Snapshot:
    return forecast.snapshot(log, as_of=AS_OF)


@pytest.mark.slow
def test_it_shows_what_is_kept(root: Path, run):
    kept, now = (ten_questions.outputs(each) for each in (ten_questions.session(root), run[0]))
    assert now == kept, "run: python tools/ten_questions.py"


@pytest.mark.slow
def test_which_owners_slip_most_by_a_loop_over_the_rows(answers, log):
    rows = log.tables["opportunity_history"].sort_values(["opportunity_id", "recorded_at"], kind="stable")
    moves, days, deals = Counter[str](), Counter[str](), defaultdict(set)
    last: dict[str, pd.Timestamp] = {}
    closed = set(log.tables["stages"].query("outcome != 'open'")["stage"])
    columns = ["opportunity_id", "owner", "stage", "expected_close_on"]
    for deal, owner, stage, due in rows[columns].itertuples(index=False):
        deals[owner].add(deal)
        if pd.isna(due):
            continue
        if deal in last and due > last[deal] and stage not in closed:
            moves[owner] += 1
            days[owner] += (due - last[deal]).days
        last[deal] = due
    found = answers["slipped"]
    assert found["slips"].to_dict() == dict(moves)
    assert found["days"].to_dict() == dict(days)
    assert found["deals"].to_dict() == {owner: len(deals[owner]) for owner in found.index}
    worst = sorted((o for o in moves if len(deals[o]) >= 100), key=lambda o: -moves[o] / len(deals[o]))
    assert found[found["deals"] >= 100].nlargest(5, "per_deal").index.tolist() == worst[:5]


@pytest.mark.slow
def test_the_win_rate_by_a_loop_over_the_deals(answers, log):
    won, closed = Counter(), Counter()
    table = log.opportunities
    for source, outcome, day in zip(table["lead_source"], table["outcome"], table["closed_on"], strict=True):
        if outcome != "open":
            key = source, f"{day.year}Q{(day.month + 2) // 3}"
            closed[key] += 1
            won[key] += outcome == "won"
    found = answers["rate"].stack()
    assert len(found) == len(closed)
    for (source, quarter), rate in found.items():
        assert rate == pytest.approx(won[source, str(quarter)] / closed[source, str(quarter)])


@pytest.mark.slow
def test_the_levels_add_up_and_are_the_forecast(answers):
    rows = answers["levels"].query("of == 'segment'")
    whole = answers["bookings"].set_index(["segment", "target_period"])["mean"]
    for period, month in rows.groupby("target_period"):
        means = month.set_index("node")["mean"]
        below = month[month["level"] > 0].groupby("parent")["mean"].sum()
        assert np.abs(below - means[below.index]).max() < 0.005
        if period in MONTHS:
            segments = month[(month["kind"] == "segment") | (month["kind"] == "total")]
            expected = whole.xs(period, level="target_period")[segments["node"]].to_numpy()
            np.testing.assert_allclose(segments["mean"], expected, atol=0.01)


@pytest.mark.slow
def test_the_classifier_is_judged_on_what_became_of_the_deals(answers, run, log):
    track = answers["track"]
    deals = log.opportunities.set_index("opportunity_id")
    ends = {"2025-10-31": "2026-01-31", "2026-01-31": "2026-04-30", "2026-04-30": "2026-07-31"}
    end = pd.to_datetime(track["origin"].dt.strftime("%Y-%m-%d").map(ends))
    became = deals.loc[track["opportunity_id"]]
    won = ((became["outcome"] == "won").to_numpy() & (became["closed_on"].to_numpy() <= end.to_numpy())).astype(float)
    assert (won == track["won"]).all()
    brier = [((track[name] - won) ** 2).mean() for name in ("p", "p_challenger")]
    shown = [line.split()[2] for line in ten_questions.outputs(run[0])["classifier"][0].splitlines()[1:]]
    assert shown == [f"{value:.3f}" for value in brier]
    assert forecast.second_opinion(track).days == 3


@pytest.mark.slow
def test_the_statsmodels_forecaster_by_statsmodels_itself(answers, run, log):
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    past = answers["past"]
    then = forecast.snapshot(log, as_of="2026-05-31")
    y = monthly_bookings(then).iloc[-72:]["Alps"]
    alone = np.maximum(ExponentialSmoothing(y, trend="add", damped_trend=True).fit().forecast(3), 0.0)
    rows = past[(past["model"] == "damped") & (past["origin"] == "2026-05-31") & (past["segment"] == "Alps")]
    months = rows[rows["target_period"].str.fullmatch(r"\d{4}-\d{2}")].sort_values("target_period")
    np.testing.assert_allclose(months["mean"], alone, rtol=1e-6)
    scored = past.dropna(subset=["mean", "observed"])
    quarter = scored["target_period"].str.startswith("FY")
    groups = [quarter, scored["model"], scored["segment"] == "Total"]
    missed = (scored["mean"] - scored["observed"]).abs().groupby(groups).sum()
    wape = missed / scored.groupby(groups)["observed"].sum()
    shown = [line.split()[5] for line in ten_questions.outputs(run[0])["statsmodels"][0].splitlines()[1:]]
    assert shown == [f"{each:.2f}" for each in wape]


@pytest.mark.slow
def test_the_chart_is_a_picture_of_the_forecast(answers, run, snap):
    assert (run[2] / "slide.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    drawn = forecast.bookings_chart(answers["bookings"], snap=snap)
    total = answers["bookings"].query("segment == 'Total'").set_index("target_period")
    assert all(f"{value:.6g}" in drawn.table.to_csv(float_format="%.6g") for value in total.loc[MONTHS, "q50"])


@pytest.mark.slow
def test_a_lost_deal_takes_away_what_was_expected_of_it(answers):
    total = answers["lost"].query("segment == 'Total'").set_index("target_period")
    largest = answers["deals"].nlargest(1, "expected_amount").iloc[0]
    expected = [-largest[f"expected_{k}"] for k in (1, 2, 3)]
    np.testing.assert_allclose(total["change"], expected, atol=0.01)
    base = answers["bookings"].query("segment == 'Total'").set_index("target_period")["mean"]
    np.testing.assert_allclose(total["base"], base[total.index], atol=0.01)


@pytest.mark.slow
def test_overrides_by_the_submissions_alone(answers, log):
    actual = forecast.settled_actuals(log).set_index(["period", "segment"])["amount"]
    rows = log.tables["submitted_forecasts"].dropna(subset=["base"])
    rows = rows[(rows["category"] == "commit") & (rows["amount"] != rows["base"])].sort_values("submitted_on")
    rows = rows.assign(month=rows["submitted_on"].dt.to_period("M"))
    rows = rows.drop_duplicates(["month", "target_period", "segment", "submitter"], keep="last")
    observed = actual.reindex(pd.MultiIndex.from_frame(rows[["target_period", "segment"]])).to_numpy()
    rows = rows.assign(observed=observed, written=np.where(rows["reason"].notna(), "yes", "no")).dropna(
        subset=["observed"]
    )
    found = answers["worth"].set_index(["submitter", "written"])
    for key, part in rows.groupby(["submitter", "written"]):
        booked = part["observed"].sum()
        assert found.loc[key, "n"] == len(part)
        assert found.loc[key, "wape"] == pytest.approx((part["amount"] - part["observed"]).abs().sum() / booked)
        assert found.loc[key, "wape_before"] == pytest.approx((part["base"] - part["observed"]).abs().sum() / booked)
    assert len(found) == 6


# -- logs cut by hand ----------------------------------------------------------------------------------------------


def cut(log: forecast.Log, deals: pd.DataFrame, **tables: pd.DataFrame) -> forecast.Log:
    """Return a log of some deals, their history and what is given besides."""
    rows = log.tables["opportunity_history"]
    rows = rows[rows["opportunity_id"].isin(deals["opportunity_id"])].reset_index(drop=True)
    kept = {name: log.tables[name] for name in ("stages", "joint_planning", "hierarchy", "currencies")}
    kept |= {"opportunities": deals.reset_index(drop=True), "opportunity_history": rows, **tables}
    return dataclasses.replace(log, tables=kept)


def of_total(log: forecast.Log) -> pd.DataFrame:
    table = forecast.forecast_bookings(forecast.snapshot(log, as_of=AS_OF), months=3)
    return table[table["segment"] == "Total"].set_index("target_period")[["mean", "q10", "q90"]]


@pytest.mark.slow
def test_one_product_is_the_log_of_its_deals(answers, log):
    events = log.tables["events"]
    product = events["product"] if "product" in events else pd.Series(None, index=events.index, dtype="str")
    events = events[product.isna() | (product == "Core")].reset_index(drop=True)
    alone = of_total(cut(log, log.opportunities.query("product == 'Core'"), events=events))
    found = answers["core_months"].query("segment == 'Total'").set_index("target_period")[["mean", "q10", "q90"]]
    pd.testing.assert_frame_equal(found, alone)


@pytest.mark.slow
def test_two_years_are_the_log_without_what_closed_before(answers, log):
    first = pd.Timestamp("2024-11-01")
    tables = {}
    for name, column in {"plan": "period", "marketing": "period", "submitted_forecasts": "target_period"}.items():
        tables[name] = log.tables[name][log.tables[name][column] >= "2024-11"].reset_index(drop=True)
    events, leads = log.tables["events"], log.tables["leads"]
    tables["events"] = events[(events["from"] >= first) | (events["to"] >= first)].reset_index(drop=True)
    deals = log.opportunities[~(log.opportunities["closed_on"] < first)]
    unmade = leads["opportunity_id"].isna() | leads["opportunity_id"].isin(deals["opportunity_id"])
    tables["leads"] = leads[(leads["created_on"] >= first) & unmade].reset_index(drop=True)
    alone = of_total(cut(log, deals, **tables))
    pd.testing.assert_frame_equal(answers["years"]["two years"], alone)
    whole = answers["bookings"].query("segment == 'Total'").set_index("target_period")["mean"]
    np.testing.assert_allclose(answers["years"]["all"].loc[MONTHS, "mean"], whole[MONTHS])
