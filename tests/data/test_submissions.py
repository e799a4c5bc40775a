"""Who submitted what, when, and what counts: one rule, whoever asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.calendar import Calendar
from forecast.data.checks.validation import problems
from forecast.data.schema import Company, Log
from forecast.data.submissions import counted, official_forecasts, submitters, why_none_counts
from forecast.errors import DataError
from forecast.evaluation.scorecard.card import scorecard
from forecast.evaluation.scores.scoring import score
from forecast.evaluation.value_added import habits, ladder_of, value_added
from forecast.reporting.month.tables import models, not_scored

NAMES = ["submitted_on", "target_period", "segment", "submitter", "category", "amount"]


def table(text: str) -> pd.DataFrame:
    frame = pd.DataFrame([line.split("|") for line in text.split()], columns=NAMES)
    frame["submitted_on"] = pd.to_datetime(frame["submitted_on"]).astype("datetime64[us]")
    frame["submitter"] = frame["submitter"].str.replace("_", " ")
    frame["category"] = frame["category"].mask(frame["category"] == "").str.replace("_", " ")
    return frame.assign(amount=frame["amount"].astype(float))


def amounts(frame: pd.DataFrame) -> dict[str, list[float]]:
    rows = counted(frame, calendar=Calendar())
    return {str(name): list(part["amount"]) for name, part in rows.groupby("submitter")}


def test_capitals_and_blanks_make_no_other_submitter():
    frame = table("2025-03-01|2025-03|A|_Sales||1 2025-03-02|2025-04|A|sales||2 2025-03-02|2025-04|A|Ann_Lee_||3")
    assert amounts(frame) == {"sales": [1, 2], "Ann Lee": [3]}
    assert submitters(frame) == ["Ann Lee", "sales"]
    more = pd.concat([frame, table("2025-04-02|2025-04|A|ANN_LEE||4")])
    assert submitters(more) == ["Ann Lee", "sales"]  # spelled as it first was
    assert submitters(None) == []


def test_the_last_of_a_month_counts_and_of_a_day_the_commit():
    frame = table("2025-03-09|2025-04|A|sales||1 2025-03-09|2025-04|A|Sales||2 2025-03-01|2025-04|A|sales||3")
    assert amounts(frame) == {"sales": [2]}
    frame = table("2025-03-09|2025-04|A|sales|Commit|1 2025-03-09|2025-04|A|sales||2")
    assert amounts(frame) == {"sales": [1]}
    frame = table("2025-03-09|2025-04|A|sales||1 2025-04-01|2025-04|A|sales||2 2025-04-01|2025-04|Total|sales||9")
    rows = counted(frame, calendar=Calendar())
    assert list(rows["horizon"]) == [1, 0]
    assert list(rows["amount"]) == [1, 2]


def test_where_categories_exist_and_none_is_commit_nothing_counts():
    frame = table("2025-03-09|2025-04|A|sales|best_case|1 2025-03-09|2025-05|A|sales||2")
    assert why_none_counts(frame) == "categories exist ('best case') but none is 'commit', the one that counts"
    assert amounts(frame) == {}
    committed = table("2025-03-09|2025-04|A|sales|best_case|1 2025-03-09|2025-05|A|sales|_COMMIT|2")
    assert why_none_counts(committed) == ""
    assert amounts(committed) == {"sales": [2]}
    assert why_none_counts(frame.drop(columns="category")) == ""


@pytest.fixture(scope="module")
def log(root: Path) -> Log:
    return forecast.read(root / "data" / "sample")


def other(log: Log, **columns: object) -> Log:
    return Log(
        tables={**log.tables, "submitted_forecasts": log.tables["submitted_forecasts"].assign(**columns)},
        company=log.company,
        extracted_on=log.extracted_on,
    )


ORIGINS = ["2026-03-31", "2026-04-30", "2026-05-31"]


@pytest.mark.slow
def test_the_sample_in_capitals_is_the_sample(log: Log):
    names = {"sales": "Sales", "joint": " Joint", "marketing": "MARKETING "}
    capitals = other(log, submitter=log.tables["submitted_forecasts"]["submitter"].map(names).astype("str"))
    pd.testing.assert_frame_equal(official_forecasts(capitals), official_forecasts(log))
    assert models(forecast.snapshot(capitals, as_of="2026-06-30")) == models(forecast.snapshot(log, as_of="2026-06-30"))
    tracks = [forecast.backtest(each, origins=ORIGINS, models=["submitted", "ets"]) for each in (capitals, log)]
    pd.testing.assert_frame_equal(*tracks)
    assert "submitted-joint" in set(tracks[0]["model"])
    scored = [score(track) for track in tracks]
    ladders = [ladder_of(each["model"]) for each in scored]
    assert ladders[0] == ladders[1]
    assert ("submitted-joint", "submitted-sales") in ladders[0]
    pd.testing.assert_frame_equal(*(value_added(each, ladder=ladders[0]) for each in scored))
    pd.testing.assert_frame_equal(*(habits(each) for each in scored))
    asked = forecast.backtest(capitals, origins=ORIGINS[:1], models=["submitted-Sales"])
    assert set(asked["model"]) == {"submitted-sales"}


@pytest.mark.slow
def test_everybody_says_that_no_category_is_commit(log: Log):
    upside = other(log, category="upside")
    with pytest.raises(DataError, match="none is 'commit'") as error:
        official_forecasts(upside)
    row = not_scored(error.value).iloc[0]
    assert "none is 'commit'" in row["sentence"]
    track = forecast.backtest(upside, origins=ORIGINS, models=["submitted"])
    assert track["mean"].isna().all()
    notes = track.attrs["notes"]
    assert len(notes) == 3  # one of each submitter, over all origins
    assert all("none is 'commit'" in note and "3 origins" in note for note in notes)
    card = scorecard(upside, as_of="2026-06-30").set_index("measure")
    assert np.isnan(card.loc["forecast accuracy", "ours"])
    assert "none is 'commit'" in card.loc["forecast accuracy", "note"]
    found = [problem for problem in problems(dict(upside.tables), Company()) if problem.column == "category"]
    assert [problem.severity for problem in found] == ["warning"]
    assert "no submitted forecast is scored" in found[0].what
    assert not [note for note in log.notes if note.column == "category"]
