"""Has a figure changed since joint planning began: the secondary outcomes' own inference, and one level for all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import Calendar, period_labels
from forecast.evaluation.planning.secondary import outcome_changes
from forecast.evaluation.planning.verdict import NO_STARTS
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures.since_joint import Monthly, with_changes

SEGMENTS = [f"S{i}" for i in range(8)]
MONTHS = period_labels(range(24_252, 24_252 + 48))


def values(rng: np.random.Generator, *, effect: float = 0.0, starts: dict[str, int] | None = None) -> pd.DataFrame:
    rows = []
    for segment in SEGMENTS:
        level = 0.5 + 0.1 * rng.standard_normal()
        since = (starts or {}).get(segment, 99)
        for at, month in enumerate(MONTHS):
            value = level + 0.05 * rng.standard_normal() + effect * (at >= since)
            rows.append({"segment": segment, "period": month, "value": value})
    return pd.DataFrame(rows)


STARTS = {name: 22 + 3 * i for i, name in enumerate(SEGMENTS[:6])}
ADOPTION = pd.DataFrame(
    {
        "segment": SEGMENTS,
        "adopted_on": [pd.Timestamp(f"{MONTHS[STARTS[s]]}-01") if s in STARTS else pd.NaT for s in SEGMENTS],
    }
)


def row(name: str, **facts: object) -> Definition:
    return Definition(figure="f", definition=name, means="", unit="share", value=0.5, **facts)  # type: ignore[arg-type]


def changes(
    series: list[Monthly], rows: list[Definition], adoption: pd.DataFrame | None = ADOPTION
) -> list[Definition]:
    return with_changes(rows, series, adoption, calendar=Calendar(), permutations=1_000)


def test_it_is_the_inference_of_the_secondary_outcomes():
    table = values(np.random.default_rng(601), effect=0.2, starts=STARTS)
    found = changes([Monthly(figure="f", definition="slippage", values=table)], [row("slippage")])[0]
    reference = outcome_changes(table.assign(outcome="slippage"), ADOPTION, permutations=1_000, seed=0)
    theirs = reference.set_index("outcome").loc["slippage"]
    ours = (found.before, found.after, found.change, found.change_low, found.change_high, found.change_p, found.verdict)
    names = ["before", "after", "change", "interval_low", "interval_high", "p_holm", "verdict"]
    assert ours == tuple(theirs[names])
    assert found.verdict == "changed"
    assert found.change_low < 0.2 < found.change_high


def test_all_figures_asked_share_one_level():
    rng = np.random.default_rng(602)
    table = values(rng, effect=0.2, starts=STARTS)
    others = [Monthly(figure="f", definition=f"other {i}", values=values(rng)) for i in range(4)]
    first = Monthly(figure="f", definition="changed", values=table)
    alone = changes([first], [row("changed")])[0]
    together = changes([first, *others], [row("changed"), *(row(f"other {i}") for i in range(4))])
    assert together[0].change_p == pytest.approx(5 * alone.change_p)
    assert together[0].change == alone.change
    assert {each.verdict for each in together[1:]} == {"no detectable change"}


def test_where_nothing_can_be_told_it_says_so_and_other_rows_stay_as_they_are():
    table = values(np.random.default_rng(603))
    series = [Monthly(figure="f", definition="a", values=table)]
    without = changes(series, [row("a")], None)[0]
    assert (without.verdict, without.why) == ("not identified", NO_STARTS)
    at_once = ADOPTION.assign(adopted_on=pd.Timestamp("2023-06-01"))
    found = changes(series, [row("a")], at_once)[0]
    assert (found.verdict, np.isnan(found.change)) == ("not identified", True)
    assert found.why.startswith("every segment began in 2023-06")
    young = [Monthly(figure="f", definition="a", values=table[table["period"] <= MONTHS[1]])]
    assert changes(young, [row("a")])[0].why.startswith("values of 8 segments over 2 months are left to compare")
    same = [row("b"), row("a", segment="S0"), row("a", missing="needs quotas")]
    assert changes(series, same) == same


@pytest.mark.slow
@pytest.mark.long
def test_without_an_effect_few_pages_claim_any_change():
    claims = 0
    for seed in range(604, 704):
        rng = np.random.default_rng(seed)
        names = [f"d{i}" for i in range(4)]
        series = [Monthly(figure="f", definition=name, values=values(rng)) for name in names]
        found = changes(series, [row(name) for name in names])
        claims += any(each.verdict == "changed" for each in found)
    assert claims <= 9  # 5 % of 100 and two standard errors
