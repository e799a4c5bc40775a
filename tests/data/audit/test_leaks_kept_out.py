"""Columns that know the outcome stay out of the win model, also where the company lists them as fixed at creation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
import maven
import sparklesquad
from companies import make_snapshot, plain_company
from forecast.data.schema import Company
from forecast.models.pipeline.deals import win_probabilities
from forecast.models.win.probabilities import fit_win_model


def listed(log, *names: str):
    """Return a log whose company says that columns are fixed at creation."""
    return replace(log, company=replace(log.company, fixed_at_creation=names))


@pytest.mark.slow
def test_a_planted_leak_is_kept_out_and_an_honest_column_stays():
    deals = plain_company(deals=3000, months=36, seed=11)
    rng = np.random.default_rng(5)
    lost = (deals["outcome"] == "lost").to_numpy()
    deals["budget"] = np.where(lost, 0.0, rng.lognormal(3, 0.5, len(deals)))
    deals["reply"] = np.where((deals["outcome"] == "won").to_numpy(), "yes", None)
    deals["heat"] = rng.normal(size=len(deals)) + 0.3 * (deals["outcome"] == "won")
    company = Company(fixed_at_creation=("budget", "reply", "heat"))
    snap = make_snapshot("2022-12-31", deals, company=company)
    model = fit_win_model(snap).model
    assert set(model.words.left_out) == {"budget", "reply"}
    assert model.words.numbers == ("heat",)
    notes = " ".join(win_probabilities(snap).attrs["notes"])
    assert "budget is kept out of the win model" in notes
    assert "0 for" in notes


def test_before_anything_shows_nothing_is_kept_out():
    # Judged by what was known: with a dozen closed deals the same column proves nothing yet.
    deals = plain_company(deals=40, months=12, seed=12)
    deals["budget"] = np.where((deals["outcome"] == "lost").to_numpy(), 0.0, 5.0)
    snap = make_snapshot("2020-12-31", deals, company=Company(fixed_at_creation=("budget",)))
    assert not fit_win_model(snap).model.words.left_out


@pytest.mark.slow
def test_close_value_of_maven(real_data, tmp_path):
    log = forecast.read(maven.build(real_data / "maven_crm", tmp_path / "maven"))
    pipeline = pd.read_csv(real_data / "maven_crm" / "sales_pipeline.csv").set_index("opportunity_id")
    value = log.opportunities["opportunity_id"].map(pipeline["close_value"]).astype("float64")
    tables = {**log.tables, "opportunities": log.opportunities.assign(close_value=value)}
    snap = forecast.snapshot(listed(replace(log, tables=tables), "amount", "close_value"), as_of="2017-09-30")
    model = fit_win_model(snap).model
    assert "close_value" in model.words.left_out
    assert "close_value" not in model.words.numbers
    # Taken as the amount itself it is no covariate either.
    as_amount = {**log.tables, "opportunities": log.opportunities.assign(amount=value)}
    snap = forecast.snapshot(listed(replace(log, tables=as_amount), "amount"), as_of="2017-09-30")
    assert not fit_win_model(snap).model.words.amount


@pytest.mark.slow
def test_the_missing_account_of_sparklesquad(real_data, tmp_path):
    log = forecast.read(sparklesquad.build(real_data / "sparklesquad", tmp_path / "sparklesquad"))
    named = {**log.tables, "opportunities": log.opportunities.assign(customer=log.opportunities["account_id"])}
    snap = forecast.snapshot(listed(replace(log, tables=named), "customer"), as_of=log.extracted_on)
    model = fit_win_model(snap).model
    assert "customer" in model.words.left_out
    assert "account_id" not in {*model.words.factors, *model.words.numbers}


@pytest.mark.slow
def test_the_duration_of_bank_marketing(real_data):
    calls = pd.read_csv(real_data / "bank_marketing" / "bank-additional-full.csv.gz", sep=";")
    rng = np.random.default_rng(3)
    n = len(calls)
    born = np.sort(rng.integers(0, 30, n))
    deals = pd.DataFrame(
        {
            "opportunity_id": [f"C{i:06d}" for i in range(n)],
            "created_on": [f"{2020 + b // 12}-{b % 12 + 1:02d}-05" for b in born],
            "closed_on": [f"{2020 + b // 12}-{b % 12 + 1:02d}-20" for b in born + rng.integers(0, 3, n)],
            "outcome": np.where(calls["y"] == "yes", "won", "lost"),
            "duration": calls["duration"].astype(float),
            "age": calls["age"].astype(float),
        }
    )
    snap = make_snapshot("2022-12-31", deals, company=Company(fixed_at_creation=("duration", "age")))
    assert set(fit_win_model(snap).model.words.left_out) == {"duration"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_an_honest_company_loses_no_column(seed: int, tmp_path):
    from forecast.simulation.company import simulate, write

    write(simulate(opportunities=3000, months=36, seed=seed), tmp_path)
    log = forecast.read(tmp_path)
    assert not fit_win_model(forecast.snapshot(log, as_of=log.extracted_on)).model.words.left_out
