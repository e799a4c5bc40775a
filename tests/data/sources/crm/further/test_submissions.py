"""Salesforce's forecasts -> submitted_forecasts: their day, their month, whose they are, what a category holds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from salesforce_exports import ONE_SEGMENT, USERS, read, told

DAY = pd.Timestamp("2026-10-20")
PERIODS = (
    "Id,StartDate,EndDate\nP09,2026-09-01,2026-09-30\nP10,2026-10-01,2026-10-31\nP11,2026-11-01,2026-11-30\n"
    "Q4,2026-10-01,2026-12-31\n"
)
HEAD = "Id,OwnerId,PeriodId,ForecastingItemCategory,ForecastAmount,OwnerOnlyAmount,ParentForecastingItemId\n"
TEAM = HEAD + (
    "1,005A,P10,CommitForecast,500,450,3\n"
    "2,005B,P10,CommitForecast,700,700,3\n"
    "3,005M,P10,CommitForecast,1250,0,\n"
    "5,005A,P11,CommitForecast,600,450,\n"
    "6,005A,P11,ClosedOnly,0,0,\n"
    "7,005A,P09,CommitForecast,999,450,\n"
)


def submitted(where: Path, items: str, **options: object) -> pd.DataFrame:
    result = read(where, {"ForecastingItem.csv": items, "Period.csv": PERIODS}, extracted_on=DAY, **options)  # type: ignore[arg-type]
    return result.tables["submitted_forecasts"]


def amounts(table: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    return {(row.target_period, row.segment, row.category): row.amount for row in table.itertuples()}


def test_what_was_forecast_on_the_day_of_the_export(tmp_path: Path):
    table = submitted(tmp_path, TEAM)
    assert amounts(table) == {
        ("2026-10", "North", "commit"): 500,
        ("2026-10", "South", "commit"): 700,
        ("2026-11", "North", "closed"): 0,
        ("2026-11", "North", "commit"): 600,
    }
    assert set(table["submitted_on"]) == {DAY}
    assert set(table["submitter"]) == {"sales"}


def test_without_a_day_nothing_comes_over(tmp_path: Path):
    result = read(tmp_path, {"ForecastingItem.csv": TEAM, "Period.csv": PERIODS})
    assert "submitted_forecasts" not in result.tables
    assert "does not say on which day these forecasts stood: say --extracted-on" in told(result)


def test_the_day_may_stand_in_a_column_or_in_the_files_name(tmp_path: Path):
    dated = "\n".join(
        f"{line},{'Snapshot Date' if not n else '2026-09-30' if n < 4 else '2026-10-15'}"
        for n, line in enumerate(TEAM.splitlines())
    )
    result = read(tmp_path / "a", {"ForecastingItem.csv": dated + "\n", "Period.csv": PERIODS})
    days = result.tables["submitted_forecasts"].groupby("submitted_on")["amount"].sum()
    assert days.to_dict() == {pd.Timestamp("2026-09-30"): 1200, pd.Timestamp("2026-10-15"): 600}
    named = read(tmp_path / "b", {"ForecastingItem-2026-10-20.csv": TEAM, "Period.csv": PERIODS})
    assert set(named.tables["submitted_forecasts"]["submitted_on"]) == {DAY}


def test_months_that_had_ended_hold_no_forecast(tmp_path: Path):
    assert "2026-09" not in set(submitted(tmp_path, TEAM)["target_period"])


def test_a_forecast_of_a_quarter_is_not_split(tmp_path: Path):
    items = HEAD + "1,005A,Q4,CommitForecast,500,450,\n"
    result = read(tmp_path, {"ForecastingItem.csv": items, "Period.csv": PERIODS}, extracted_on=DAY)
    assert "forecasts of quarters: ours are of months" in told(result)


def test_a_manager_of_one_segment_stands_for_the_team(tmp_path: Path):
    # The manager adjusted the team's 1,200 to 1,250: that is what was forecast.
    assert amounts(submitted(tmp_path, TEAM, deals=ONE_SEGMENT))["2026-10", "All", "commit"] == 1250


def test_managers_may_be_told_by_the_users(tmp_path: Path):
    bare = "".join(line.rpartition(",")[0] + "\n" for line in TEAM.splitlines())
    assert amounts(submitted(tmp_path, bare, deals=ONE_SEGMENT))["2026-10", "All", "commit"] == 1250


def test_a_sum_that_may_hold_the_others_is_refused(tmp_path: Path):
    items = "Id,OwnerId,PeriodId,ForecastingItemCategory,ForecastAmount\n"
    items += "1,005A,P10,CommitForecast,500\n2,005B,P10,CommitForecast,700\n3,005M,P10,CommitForecast,1250\n"
    files = {"ForecastingItem.csv": items, "Period.csv": PERIODS}
    users = USERS.replace("ManagerId", "Title")
    result = read(tmp_path, files, users=users, deals=ONE_SEGMENT, extracted_on=DAY)
    assert "the forecast of 'Mia' may hold those of the others" in told(result)
    assert "submitted_forecasts" not in result.tables


def test_own_amounts_alone_where_no_manager_is_known(tmp_path: Path):
    bare = "".join(line.rpartition(",")[0] + "\n" for line in TEAM.splitlines())
    table = submitted(tmp_path, bare, users=USERS.replace("ManagerId", "Title"), deals=ONE_SEGMENT)
    assert amounts(table)["2026-10", "All", "commit"] == 1150


def test_an_owner_without_a_segment_is_named(tmp_path: Path):
    items = HEAD + "1,005A,P10,CommitForecast,500,450,\n2,005M,P10,CommitForecast,90,90,\n"
    result = read(tmp_path, {"ForecastingItem.csv": items, "Period.csv": PERIODS}, extracted_on=DAY)
    assert "the segment of 1 owner with a forecast is not known ('Mia')" in told(result)


def test_single_categories_are_added_to_what_is_closed(tmp_path: Path):
    items = HEAD + (
        "1,005A,P10,ClosedOnly,300,300,\n2,005A,P10,CommitOnly,200,200,\n3,005A,P10,BestCaseOnly,50,50,\n"
        "4,005A,P10,PipelineOnly,900,900,\n"
    )
    assert amounts(submitted(tmp_path, items)) == {
        ("2026-10", "North", "closed"): 300,
        ("2026-10", "North", "commit"): 500,
        ("2026-10", "North", "best case"): 550,
    }


def test_names_that_could_hold_the_closed_deals_or_not_are_refused(tmp_path: Path):
    items = HEAD.replace("ForecastingItemCategory", "ForecastCategoryName")
    grows = items + "1,005A,P10,Closed,300,300,\n2,005A,P10,Commit,400,200,\n"
    files = {"ForecastingItem.csv": grows, "Period.csv": PERIODS}
    assert "cannot be told whether Commit holds what is closed" in told(read(tmp_path, files, extracted_on=DAY))
    shows = items + "1,005A,P10,Closed,300,300,\n2,005A,P10,Commit,200,200,\n"
    assert amounts(submitted(tmp_path, shows))["2026-10", "North", "commit"] == 500


def test_without_closed_the_month_in_progress_is_left_out(tmp_path: Path):
    items = HEAD + "1,005A,P10,CommitOnly,200,200,\n2,005A,P11,CommitOnly,70,70,\n"
    assert amounts(submitted(tmp_path, items)) == {("2026-11", "North", "commit"): 70}


def test_submissions_have_their_own_day(tmp_path: Path):
    heads = "Id,ForecastOwnerId,PeriodId,PeriodStartDate,SubmissionDateTime,IsLatest\n"
    heads += (
        "S1,005A,P10,2026-10-01,2026-09-28T09:00:00.000Z,false\nS2,005A,P10,2026-10-01,2026-10-05T09:00:00.000Z,true\n"
    )
    heads += "S3,005A,P10,2026-10-01,2026-10-05T08:00:00.000Z,false\n"
    parts = "ForecastingSubmissionId,ForecastingItemCategory,Amount\n"
    parts += "S1,CommitForecast,800\nS2,CommitForecast,650\nS3,CommitForecast,1\n"
    files = {"ForecastingSubmission.csv": heads, "ForecastingSubmissionItem.csv": parts, "Period.csv": PERIODS}
    table = read(tmp_path, files).tables["submitted_forecasts"]
    # Of the two of 5 October the later counts.
    assert table[["submitted_on", "amount"]].values.tolist() == [
        [pd.Timestamp("2026-09-28"), 800],
        [pd.Timestamp("2026-10-05"), 650],
    ]


def test_two_forecasts_of_one_owner_and_month_are_not_added_up(tmp_path: Path):
    items = HEAD + "1,005A,P10,CommitForecast,500,450,\n2,005A,P10,CommitForecast,480,450,\n"
    result = read(tmp_path, {"ForecastingItem.csv": items, "Period.csv": PERIODS}, extracted_on=DAY)
    assert "2 rows are second forecasts of the same owner, month and category" in told(result)
