"""What the leader's page says while an alarm stands, by hand: the caution, what was booked, what needs attention."""

from __future__ import annotations

import pandas as pd

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.lately import ALARM_COLUMNS
from forecast.reporting.charts.figure import Statement
from forecast.reporting.pages.track import under_alarm as page
from forecast.wording import MINUS
from forecast.wording import THIN as T

EURO = Company(name="Example", currency="EUR")


def watched(*changes: dict[str, object]) -> pd.DataFrame:
    row = {"model": "pipeline", "segment": "Total", "kind": "too high", "alarm": True, "first": "2026-05"}
    row |= {"last": "2026-09", "evidence": 500.0, "limit": 120.0, "n": 5, "n_side": 5}
    return pd.DataFrame([row | change for change in changes], columns=list(ALARM_COLUMNS)).astype({"alarm": bool})


def past(first: str, *observed: float, segment: str = "Total", mean: float = 9.0) -> pd.DataFrame:
    months = [str(month) for month in pd.period_range(first, periods=len(observed), freq="M")]
    table = pd.DataFrame({"target_period": months, "observed": observed})
    return table.assign(model="pipeline", segment=segment, horizon=1, mean=mean)


def test_a_caution_stands_over_charts_and_over_nothing_else():
    chart = Statement("A chart.")
    line = "An alarm stands against these numbers: the model’s forecasts have been too high since May 2026."
    assert repr(page.cautioned(watched({}), chart)) == f"{line}\nA chart."
    assert repr(page.cautioned(watched({"alarm": False}), chart)) == "A chart."
    assert repr(page.cautioned(watched({"segment": "Iberia"}), chart)) == "A chart."
    assert repr(page.cautioned(watched({}), Statement("Nothing.", kind="nothing"))) == ""
    assert "the model’s ranges have not held since May 2026" in repr(page.cautioned(watched({"kind": "ranges"}), chart))


def test_what_was_booked_since_and_a_year_before():
    record = pd.concat([past("2025-05", *[2e6] * 5), past("2026-05", *[1e6] * 5), past("2026-05", 7.0, segment="Alps")])
    (told,) = page.booked_since(watched({}), record, company=EURO)
    assert sources.plain(told).replace(T, " ") == (
        f"Booked, May 2026 to September 2026: €5 m, after €10 m in the same months a year before ({MINUS}50 %)."
    )
    assert page.booked_since(watched({"alarm": False}), record, company=EURO) == []
    nobody = record.iloc[:0].assign(period="")
    both = page.changed(watched({}, {"kind": "ranges"}), nobody, past=record, period="FY26 Q4", company=EURO)
    assert both[0] == told
    assert both[1].startswith("None of the model’s last five")
    assert page.booked_since(watched({}), record.iloc[1:], company=EURO) == []  # a month of the year before is unknown
    nothing = record.assign(observed=record["observed"].mask(record["target_period"] < "2026", 0.0))
    assert "%" not in page.booked_since(watched({}), nothing, company=EURO)[0]


def test_what_an_alarm_asks_for_comes_first():
    rows = ({}, {"kind": "ranges"}, {"model": "submitted-sales"}, {"model": "submitted-joint", "kind": "too low"})
    one, other = past("2026-05", 1.0, segment="Alps"), past("2026-05", 1.0, segment="Iberia")
    asked = "The model’s forecasts have been too high since May 2026: find out what changed before you plan with them."
    told = page.to_attend(watched(*rows, {"segment": "Iberia"}), pd.concat([one, other]))
    assert told == [
        asked,
        "Too high of late as well: sales’ forecast.",
        "Too low of late as well: the joint forecast.",
    ]
    # Where not all segments show it, the one that is under alarm is named.
    told = page.to_attend(watched({}, {"segment": "Iberia"}), pd.concat([one.assign(mean=0.5), other]))
    assert told == [asked, "Too high of late as well: the model in Iberia."]
    assert page.to_attend(watched({"segment": "Iberia"}), other) == ["Too high of late: the model in Iberia."]
    assert page.to_attend(watched({"alarm": False}), other) == []
