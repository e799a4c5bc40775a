"""Past months as one forecaster saw them: a dash for what was forecast, a dot for what was booked."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from forecast.data.schema import Company
from forecast.reporting.pages.track.made_by import forecasters, made_by, prepare_made

COMPANY = Company(name="Acme", currency="EUR")
MONTHS = ("2026-01", "2026-02", "2026-03")


def track() -> pd.DataFrame:
    """Return sales' forecasts of the Total, and joint ones of one segment alone, one month ahead."""
    rows = [
        {"model": model, "segment": segment, "target_period": month, "horizon": 1, "mean": mean, "observed": observed}
        for model, segment, means, booked in (
            ("submitted-sales", "Total", (90.0, 110.0, 100.0), (100.0, 100.0, 100.0)),
            ("submitted-joint", "East", (60.0, 40.0, float("nan")), (50.0, 50.0, 50.0)),
            ("submitted-joint", "Total", (float("nan"),) * 3, (100.0, 100.0, 100.0)),
        )
        for month, mean, observed in zip(MONTHS, means, booked, strict=True)
    ]
    return pd.DataFrame(rows)


def words(shown: object) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<style.*?</style>|<[^>]+>", " ", shown._repr_html_(), flags=re.S))


def test_the_miss_is_a_ratio_of_sums():
    made = prepare_made(track(), model="submitted-sales", horizon=1, company=COMPANY)
    assert made.miss == pytest.approx(20 / 300)
    assert not made.in_part
    assert "Sales’ forecast one month ahead missed by 7" in words(
        made_by(track(), model="submitted-sales", company=COMPANY, as_of="2026-04-30")
    )


def test_of_whoever_forecast_some_segments_these_are_summed_and_it_is_said():
    made = prepare_made(track(), model="submitted-joint", horizon=1, company=COMPANY)
    assert made.in_part
    assert list(made.rows["mean"]) == [60.0, 40.0]
    shown = words(made_by(track(), model="submitted-joint", company=COMPANY, as_of="2026-04-30"))
    assert "missed by 20" in shown
    assert "over 2 months" in shown
    assert "the segments that have such a forecast" in shown


def test_what_has_not_settled_is_not_drawn():
    shown = words(made_by(track(), model="submitted-sales", horizon=2, company=COMPANY, as_of="2026-04-30"))
    assert "Nothing by sales’ forecast 2 months ahead has settled" in shown


def test_who_made_forecasts_is_listed_by_the_names_of_pages():
    assert forecasters(track()) == {"joint forecast": "submitted-joint", "sales’ forecast": "submitted-sales"}
