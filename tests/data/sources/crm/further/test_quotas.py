"""Salesforce's quotas -> quotas and plan: months, quarters, currencies, types of forecast, managers, territories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.sources.crm.further.beside import in_cents
from forecast.data.sources.crm.further.periods import by_month
from forecast.errors import DataError
from salesforce_exports import DEALS, USERS, read, rows, told

HEAD = "Id,QuotaOwnerId,StartDate,QuotaAmount,QuotaQuantity,ForecastingTypeId\n"
MONTHLY = HEAD + "0J1,005A,2026-09-01,1000,,0Db1\n0J2,005A,2026-10-01,1100.5,,0Db1\n0J3,005B,2026-10-01,2000,,0Db1\n"


def test_a_row_a_month_is_a_row_of_quotas(tmp_path: Path):
    result = read(tmp_path, {"ForecastingQuota.csv": MONTHLY})
    assert rows(result, "quotas") == [("Ann", "2026-09", 1000), ("Ann", "2026-10", 1100.5), ("Bob", "2026-10", 2000)]
    assert "plan" not in result.tables
    assert "quotas of 2 owners from 2026-09 to 2026-10" in told(result)


def test_a_report_says_the_same(tmp_path: Path):
    screen = (
        "Quotas of 2026\n\n"
        '"Owner: Full Name","Start Date","Quota Amount","Forecasting Type: Name"\n'
        '"Ann","9/1/2026","EUR 1,000.00","Revenue"\n'
        '"Ann","10/1/2026","EUR 1,100.50","Revenue"\n'
        '"Bob","10/1/2026","EUR 2,000.00","Revenue"\n'
        '"Grand Totals (3 records)","","EUR 4,100.50"\n'
        '"Confidential Information - Do Not Distribute"\n'
    )
    result = read(tmp_path, {"Quotas-2026-10-20.csv": screen})
    assert rows(result, "quotas") == [("Ann", "2026-09", 1000), ("Ann", "2026-10", 1100.5), ("Bob", "2026-10", 2000)]


def test_a_period_begins_on_the_first_whatever_its_month(tmp_path: Path):
    # 1/9 and 1/10 are the first of September and of October, 9/1 and 10/1 too: no other reading begins a month.
    days_first = "Owner: Full Name,Start Date,Quota Amount\nAnn,1/9/2026,10\nAnn,1/10/2026,20\n"
    result = read(tmp_path, {"Quotas.csv": days_first})
    assert rows(result, "quotas") == [("Ann", "2026-09", 10), ("Ann", "2026-10", 20)]
    assert "Start Date: read with the day first, since each period begins on the first of a month" in told(result)
    with pytest.raises(DataError, match="day and month cannot be told apart"):
        read(tmp_path, {"Quotas.csv": days_first.replace("1/9", "2/9")})


def test_a_quarter_is_three_equal_months_in_cents(tmp_path: Path):
    quarters = HEAD + "0J1,005A,2026-07-01,1000,,\n0J2,005A,2026-10-01,300,,\n"
    result = read(tmp_path, {"ForecastingQuota.csv": quarters})
    quota = result.tables["quotas"].set_index("period")["quota"]
    assert quota.tolist() == [333.33, 333.34, 333.33, 100, 100, 100]
    assert "2 quotas for a quarter: a third of it for each of its months" in told(result)


def test_one_start_alone_does_not_say_month_or_quarter(tmp_path: Path):
    alone = HEAD + "0J1,005A,2026-10-01,1000,,\n"
    result = read(tmp_path, {"ForecastingQuota.csv": alone})
    assert "quotas" not in result.tables
    assert "it cannot be told whether 2026-10-01 begins a month or a quarter" in told(result)
    periods = "Id,StartDate,EndDate,Type\n026A,2026-10-01,2026-12-31,Quarter\n"
    by_id = "Id,QuotaOwnerId,PeriodId,QuotaAmount\n0J1,005A,026A,900\n"
    result = read(tmp_path, {"ForecastingQuota.csv": by_id, "Period.csv": periods})
    assert rows(result, "quotas") == [("Ann", f"2026-{month}", 300) for month in (10, 11, 12)]


def test_without_a_period_nothing_comes_over(tmp_path: Path):
    result = read(tmp_path, {"ForecastingQuota.csv": "Id,QuotaOwnerId,PeriodId,QuotaAmount\n0J1,005A,026A,900\n"})
    assert "quotas" not in result.tables
    assert "ForecastingQuota.csv: not brought over: its rows do not say their month" in told(result)


def test_a_start_within_a_month_asks_for_the_calendar(tmp_path: Path):
    weeks = HEAD + "0J1,005A,2026-08-30,1000,,\n0J2,005A,2026-10-04,1000,,\n"
    result = read(tmp_path, {"ForecastingQuota.csv": weeks})
    assert "2026-08-30 is not the first day of a month" in told(result)
    (tmp_path / "company.toml").write_text('fiscal_year_start = 1\ncalendar = "4-4-5"\nweek_starts_on = "sunday"\n')
    again = read(tmp_path, {"ForecastingQuota.csv": weeks})
    assert again.tables["quotas"]["period"].tolist() == ["2026-09", "2026-10"]


def test_quotas_of_units_are_left_out(tmp_path: Path):
    units = MONTHLY + "0J9,005B,2026-09-01,,50,0Db1\n"
    result = read(tmp_path, {"ForecastingQuota.csv": units})
    assert len(result.tables["quotas"]) == 3
    assert "1 quota of units, or without an amount: left out" in told(result)


def test_several_types_of_forecast_are_never_added_up(tmp_path: Path):
    two = MONTHLY + "0J4,005A,2026-10-01,400,,0Db2\n"
    result = read(tmp_path, {"ForecastingQuota.csv": two})
    assert "quotas" not in result.tables
    assert "2 types of forecast ('0Db1' and '0Db2')" in told(result)
    types = "Id,IsActive,IsAmount\n0Db1,true,true\n0Db2,false,true\n"
    result = read(tmp_path, {"ForecastingQuota.csv": two, "ForecastingType.csv": types})
    assert result.tables["quotas"]["quota"].sum() == 4100.5


def test_product_families_of_one_owner_are_added_up(tmp_path: Path):
    family = "Id,QuotaOwnerId,StartDate,QuotaAmount,ProductFamily\n"
    family += "1,005A,2026-09-01,10,A\n2,005A,2026-09-01,20,B\n3,005A,2026-10-01,30,A\n"
    result = read(tmp_path, {"ForecastingQuota.csv": family})
    assert rows(result, "quotas") == [("Ann", "2026-09", 30), ("Ann", "2026-10", 30)]


def test_two_quotas_of_one_owner_and_month_are_not_added_up(tmp_path: Path):
    twice = MONTHLY + "0J8,005A,2026-10-01,7,,0Db1\n"
    assert "2 rows are second quotas of the same owner and period" in told(
        read(tmp_path, {"ForecastingQuota.csv": twice})
    )


def test_a_managers_quota_that_holds_the_teams_is_left_out(tmp_path: Path):
    team = MONTHLY + "0J5,005M,2026-10-01,3100.5,,0Db1\n"
    result = read(tmp_path, {"ForecastingQuota.csv": team})
    assert set(result.tables["quotas"]["owner"]) == {"Ann", "Bob"}
    assert "the quotas of 1 manager hold their reports' and are left out: 'Mia'" in told(result)


def test_other_currencies_count_as_the_deals_do(tmp_path: Path):
    deals = DEALS.replace("Region__c\n", "Region__c,CurrencyIsoCode\n").replace("th\n", "th,EUR\n")
    quotas = (
        "Id,QuotaOwnerId,StartDate,QuotaAmount,CurrencyIsoCode\n1,005A,2026-09-01,100,EUR\n2,005A,2026-10-01,100,USD\n"
    )
    result = read(tmp_path, {"ForecastingQuota.csv": quotas}, deals=deals)
    assert "amounts are in USD, and nothing shows what that is worth in EUR" in told(result)
    rates = "IsoCode,ConversionRate,IsCorporate\nEUR,1,true\nUSD,1.25,false\n"
    result = read(tmp_path, {"ForecastingQuota.csv": quotas, "CurrencyType.csv": rates}, deals=deals)
    assert result.tables["quotas"]["quota"].tolist() == [100, 80]


def test_converted_amounts_come_first(tmp_path: Path):
    quotas = "Quota Owner ID,Start Date,Quota Amount,Quota Amount Currency,Quota Amount (converted)\n"
    quotas += "005A,2026-09-01,100,USD,90\n005A,2026-10-01,100,USD,85\n"
    assert read(tmp_path, {"Quotas.csv": quotas}).tables["quotas"]["quota"].tolist() == [90, 85]


def test_quotas_of_territories_that_are_segments_are_the_plan(tmp_path: Path):
    quotas = "Id,QuotaOwnerId,Territory2Id,StartDate,QuotaAmount\n"
    quotas += "1,005M,0MI000000000001,2026-09-01,10\n2,005M,0MI000000000002,2026-09-01,20\n"
    quotas += "3,005M,0MI000000000003,2026-09-01,30\n4,005M,0MI000000000001,2026-10-01,11\n"
    areas = "Id,Name\n0MI000000000001GAA,NORTH\n0MI000000000002GAA,South\n0MI000000000003GAA,World\n"
    result = read(tmp_path, {"ForecastingQuota.csv": quotas, "Territory2.csv": areas})
    assert rows(result, "plan") == [("2026-09", "North", 10), ("2026-09", "South", 20), ("2026-10", "North", 11)]
    assert "quotas" not in result.tables
    assert "1 quota of territories that are no segments ('World')" in told(result)


def test_rows_in_the_bin_and_repeated_ones_do_not_count(tmp_path: Path):
    deleted = (
        "Id,QuotaOwnerId,StartDate,QuotaAmount,IsDeleted\n1,005A,2026-09-01,10,false\n1,005A,2026-09-01,10,false\n"
    )
    deleted += "2,005A,2026-10-01,10,true\n3,005A,2026-10-01,12,false\n"
    assert rows(read(tmp_path, {"ForecastingQuota.csv": deleted}), "quotas") == [
        ("Ann", "2026-09", 10),
        ("Ann", "2026-10", 12),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_parts_of_an_amount_sum_to_it(seed: int):
    rng = np.random.default_rng(seed)
    whole = np.round(rng.uniform(0, 1e6, 50), 2)
    table = by_month(pd.DataFrame({"first": 24_300, "months": 3, "quota": whole, "k": range(50)}), "quota")
    assert np.allclose(table.groupby("k")["quota"].sum(), whole, atol=1e-6, rtol=0)
    assert np.abs(table["quota"] - np.repeat(whole / 3, 3)).max() <= 0.0101


def test_in_cents_of_nothing_is_nothing():
    assert in_cents(np.empty(0), np.empty(0), np.empty(0)).tolist() == []


def test_users_without_managers_leave_every_quota(tmp_path: Path):
    team = MONTHLY + "0J5,005M,2026-10-01,3100.5,,0Db1\n"
    result = read(tmp_path, {"ForecastingQuota.csv": team}, users=USERS.replace(",005M\n", ",\n"))
    assert "1 owner with a quota own no deal of the export: 'Mia'" in told(result)
