"""Whom the combination believes, on a page: the table and the sentences, at none, one and many."""

from __future__ import annotations

import pandas as pd

from forecast import sources
from forecast.reporting.pages.value_added import weights as page
from forecast.wording import THIN


def weights(*rows: tuple[int, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["horizon", "model", "weight", "habit"]).assign(enters=True)


ALONE = [(h, model, float(model == "pipeline"), 1.0) for h in (1, 2) for model in ("pipeline", "ets")]
MIXED = [
    (1, "pipeline", 0.5, 1.0),
    (1, "ets", 0.0, 1.02),
    (1, "submitted-sales", 0.2, 0.8),
    (1, "submitted-joint", 0.3, 0.9),
    (2, "pipeline", 1.0, 1.0),
    (2, "ets", 0.0, 1.02),
    (2, "submitted-sales", 0.0, 0.8),
    (2, "submitted-joint", 0.0, 0.9),
]


def test_too_few_months_are_one_line():
    shown = page.believed(pd.DataFrame(columns=["horizon", "model", "weight", "habit"]))._repr_html_()
    assert "too few months have settled" in shown
    assert "<table" not in shown


def test_nobody_adds():
    table = weights(*ALONE)
    assert page.finding(table) == page.NOBODY
    assert "Benchmark gets nothing." in page.explained(table)


def test_the_nearest_month_is_told_the_largest_first():
    said = sources.plain(page.finding(weights(*MIXED)))
    share = f"{THIN}%"
    assert said == (
        f"One month ahead the combination gives the model 50{share}, joint forecast 30{share} and "
        f"sales’ forecast 20{share} of the weight"
    )


def test_where_others_count_further_ahead_alone_that_is_told():
    far = [(h, m, w, 1.0) for h, m, w in ((1, "pipeline", 1.0), (1, "ets", 0.0), (6, "pipeline", 0.6), (6, "ets", 0.4))]
    said = sources.plain(page.finding(weights(*far)))
    assert (
        said
        == f"One month ahead the combination is the model alone; 6 months ahead benchmark has 40{THIN}% of the weight"
    )


def test_the_table_has_a_column_a_month_ahead_and_keeps_the_order():
    table = page.by_months_ahead(weights(*MIXED))
    assert table.columns.tolist() == ["model", "level", "one", "two"]
    assert table["model"].tolist() == ["pipeline", "ets", "submitted-sales", "submitted-joint"]
    assert table["one"].tolist() == [0.5, 0.0, 0.2, 0.3]
    shown = page.believed(weights(*MIXED))._repr_html_()
    assert f"80{THIN}%" in sources.plain(shown)
    assert "Weight of each forecast" in shown
