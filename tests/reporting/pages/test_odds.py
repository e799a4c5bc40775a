"""What the pages say of win probabilities: whether they came true, how well they tell deals apart, what is open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.judgement import EVER_MARGIN, LEVEL_MARGIN, Estimate, Finding
from forecast.evaluation.scores.comparison import PairedTest
from forecast.evaluation.scores.deals import SecondOpinion
from forecast.reporting.charts.figure import Notes, TableView
from forecast.reporting.pages import odds, odds_deals, odds_verdict
from forecast.reporting.pages.words import EVER as EVER_WORDS
from forecast.reporting.pages.words import LEVEL
from forecast.wording import THIN as T


def reliability(happened: list[float]) -> pd.DataFrame:
    forecast = np.array([0.2, 0.5, 0.8])
    band = {"band_low": forecast - 0.05, "band_high": forecast + 0.05}
    return pd.DataFrame({"probability": forecast, "happened": happened, "n": 100, **band})


def finding(verdict: str, *, value: float = 0.1, n: int = 8, unit: str = "day", fewest: int = 4) -> Finding:
    estimate = Estimate(
        value=value, promised=0.0, low=0.0, high=0.2, p_value=0.01, n=n, unit=unit, fewest=fewest, margin=0.05
    )
    return Finding(estimate=estimate, p_page=0.02, verdict=verdict)  # type: ignore[arg-type]


def judged(level: str, slope: str, *, lately: str = "unclear", ever: str = "") -> dict[str, Finding]:
    asked = {"odds level": finding(level), "odds lately": finding(lately), "odds slope": finding(slope, unit="deal")}
    return asked | ({"odds ever 0": finding(ever)} if ever else {})


DAYS = pd.DataFrame(
    {
        "origin": pd.to_datetime(["2026-02-28", "2026-05-31"]),
        "deals": [619, 679],
        "p": [0.25, 0.2528],
        "won": [0.2, 0.1105],
    }
)
OFF = {"model": "pipeline", "segment": "Total", "kind": "too high", "n": 5, "n_side": 5, "low": 0.87, "high": 3.6}
OFF |= {"first": "2026-05", "last": "2026-09", "months": 5, "bias_before": float("nan")}
MADE_OF_THEM = (
    "An alarm stands against the forecast made of such odds: the model’s last five forecasts of the company’s month, "
    f"from May 2026 on, were all too high, by 87–360{T}%."
)


def headline(table: pd.DataFrame, found: dict[str, Finding], *, alarm: dict[str, object] | None = None) -> str:
    facts = {"days": DAYS, "within": "won within 3 months", "ever": EVER}
    return odds_verdict.calibration_finding(table, found, alarm=alarm, **facts)


def in_short(table: pd.DataFrame, found: dict[str, Finding], *, alarm: dict[str, object] | None = None) -> str:
    return odds_verdict.short_finding(table, found, ever=EVER, alarm=alarm)


@pytest.mark.parametrize(
    ("level", "slope", "said"),
    [
        ("as promised", "as promised", "On the whole the odds are right to within five points: forecast 50"),
        ("above", "as promised", "The odds are too high: forecast 50"),
        ("below", "unclear", "The odds are too low: forecast 50"),
        ("above", "below", "The odds are too high; high ones are too high and low ones too low: forecast 50"),
        ("as promised", "below", "Of the odds, high ones are too high and low ones too low: forecast 50"),
        ("unclear", "above", "Of the odds, high ones are too low and low ones too high: forecast 50"),
        ("unclear", "as promised", "Nothing speaks against the odds; too little to call them honest: forecast 50"),
        ("too few", "unclear", "Nothing speaks against the odds; too little to call them honest: forecast 50"),
        ("too few", "too few", "Whether the odds are honest: too few to tell (8 days)"),
    ],
)
def test_calibration(level, slope, said):
    # The same shares for all: what may be said of them is not read from the shares.
    sentence = headline(reliability([0.05, 0.3, 0.5]), judged(level, slope))
    assert sentence.startswith(said)
    assert "too few" in sentence or sentence.endswith("300 probabilities of 8 days.")
    assert headline(reliability([0.2] * 3).iloc[:0], {}) == "The odds cannot be checked yet."


LAST_DAY = "on 31 May 2026, the last day checked, 172 of 679 deals were expected to be won within 3 months, and 75 were"


@pytest.mark.parametrize(("level", "slope"), [("unclear", "unclear"), ("as promised", "as promised"), ("too few",) * 2])
def test_a_last_day_that_went_wrong_is_not_lost_among_the_others(level, slope):
    found = judged(level, slope, lately="above")
    sentence = headline(reliability([0.2, 0.5, 0.8]), found)
    assert sentence == (
        f"Lately the odds are too high: {LAST_DAY}. All days together: forecast 50{T}%, won 50{T}%, 300 probabilities "
        "of 8 days."
    )
    assert odds_verdict.last_day_sentences(DAYS, found, within="won within 3 months") == []  # the headline says it
    assert in_short(reliability([0.2, 0.5, 0.8]), found) == "Lately the odds are too high."


def test_the_last_day_is_told_beside_all_of_them():
    both = headline(reliability([0.1, 0.4, 0.7]), judged("above", "unclear", lately="above"))
    assert both == f"The odds are too high: forecast 50{T}%, won 40{T}%, 300 probabilities of 8 days; {LAST_DAY}."
    (told,) = odds_verdict.last_day_sentences(DAYS, judged("unclear", "unclear"), within="won within 3 months")
    assert told == f"O{LAST_DAY[1:]}: luck could have made the difference."
    (few,) = odds_verdict.last_day_sentences(
        DAYS, {"odds lately": finding("too few", n=12, unit="deal", fewest=30)}, within="won within 3 months"
    )
    assert few.endswith("too few to tell (12 deals; 30 are needed).")
    assert odds_verdict.last_day_sentences(DAYS.iloc[:0], judged("unclear", "unclear"), within="won") == []


def test_an_alarm_on_the_forecast_speaks_against_odds_that_came_true_so_far():
    honest = judged("as promised", "as promised")
    sentence = headline(reliability([0.2, 0.5, 0.8]), honest, alarm=OFF)
    assert sentence.startswith("On the days checked nothing speaks against the odds: forecast 50")
    assert sentence.endswith(f"300 probabilities of 8 days. {MADE_OF_THEM}")
    broken = headline(reliability([0.2, 0.5, 0.8]), judged("unclear", "unclear", lately="above"), alarm=OFF)
    assert broken.startswith("Lately the odds are too high")
    assert broken.endswith(MADE_OF_THEM)
    assert headline(reliability([0.2] * 3).iloc[:0], {}, alarm=OFF).endswith(MADE_OF_THEM)
    assert in_short(reliability([0.2, 0.5, 0.8]), honest, alarm=OFF).endswith(MADE_OF_THEM)
    assert (
        in_short(reliability([0.2] * 3), judged("unclear", "unclear", lately="above"), alarm=OFF)
        == "Lately the odds are too high."
    )


@pytest.mark.parametrize(
    ("found", "alarm", "in_doubt"),
    [
        (judged("as promised", "as promised"), None, False),
        (judged("as promised", "as promised"), OFF, True),
        (judged("as promised", "below"), None, False),  # too far apart, and right on the whole
        (judged("above", "unclear"), None, True),
        (judged("unclear", "unclear", lately="below"), None, True),
        (judged("unclear", "unclear", ever="above"), None, True),
        (judged("unclear", "unclear", ever="unclear"), None, False),
    ],
)
def test_what_speaks_against_the_odds_of_today(found, alarm, in_doubt):
    assert odds_verdict.is_in_doubt(found, alarm) == in_doubt


EVER = pd.DataFrame(
    {
        "origin": pd.to_datetime(["2025-10-31", "2026-10-31"]),
        "deals": [80.0, 90.0],
        "expected": [40.4, 30.0],
        "expected_low": [39.0, 28.2],
        "expected_high": [45.0, 36.0],
        "until": pd.to_datetime(["2026-09-30", "2027-04-30"]),
        "expected_by": [38.0, 25.0],
        "chance_low": [26.2, np.nan],
        "chance_high": [49.8, np.nan],
        "spread": [18.0, np.nan],
        "won": [20.0, np.nan],
        "open": [10.0, np.nan],
        "late": [7.0, np.nan],
    }
)


def test_whether_a_win_ever_came_true():
    facts = {"n": 80, "unit": "deal", "fewest": 30}
    (sentence,) = odds_verdict.ever_sentences(EVER, {"odds ever 0": finding("above", **facts)})
    assert sentence == (
        "A win ever: of 80 deals open on 31 October 2025, 40 wins were expected in the end and 38 of them by 30 "
        f"September 2026 (odds that are right give 26 to 50 in 95{T}% of cases); 20 were won by then and 10 were still "
        "open: more were expected than were won: too high. 7 of the 70 that closed did so in the last six of these "
        "months: only these can show a change of late."
    )
    (none,) = odds_verdict.ever_sentences(EVER.assign(late=0.0), {"odds ever 0": finding("unclear", **facts)})
    assert none.endswith(" None of them closed in the last six of these months: a change of late cannot show here.")
    (every,) = odds_verdict.ever_sentences(EVER.assign(late=70.0), {"odds ever 0": finding("above", **facts)})
    assert every.endswith("too high.")
    assert odds_verdict.ever_sentences(EVER.iloc[1:], {}) == [odds_verdict.NO_EVER]
    # Where no deal has odds, it is not the past that is too short.
    assert odds_verdict.ever_sentences(EVER.iloc[:0], {}) == [odds_verdict.NO_ODDS_EVER]
    (few,) = odds_verdict.ever_sentences(
        EVER.assign(deals=12.0).iloc[:1], {"odds ever 0": finding("too few", **(facts | {"n": 12}))}
    )
    assert "too few to tell (12 deals; 30 are needed)." in few


def test_the_headline_is_not_silent_about_a_win_ever():
    facts = {"n": 80, "unit": "deal", "fewest": 30}
    none, ever = reliability([0.2] * 3).iloc[:0], {"odds ever 0": finding("above", **facts)}
    assert headline(none, ever) == (
        "Of deals open on 31 October 2025, the one day checked, the odds of a win by 30 September 2026 were too high "
        "(80 deals). Those of being won within 3 months cannot be checked yet."
    )
    both = {"odds ever 0": finding("unclear", **facts), "odds ever 1": finding("below", **facts)}
    two = pd.concat([EVER.iloc[:1], EVER.iloc[:1].assign(origin=pd.Timestamp("2024-10-31"))])
    assert odds_verdict.ever_title(two, both) == (
        "of deals open on 31 October 2024, one of two days checked, the odds of a win by 30 September 2026 were "
        "too low (80 deals)"
    )
    said = headline(reliability([0.05, 0.3, 0.5]), judged("as promised", "as promised", ever="below"))
    assert said.startswith("On the whole the odds are right to within five points: forecast")
    assert "; of deals open on 31 October 2025, the one day checked, the odds of a win by" in said


def wins(ever: pd.DataFrame, found: dict[str, Finding], *, alarm: dict[str, object] | None = None) -> str:
    return odds_verdict.wins_sentence(ever, found, days=DAYS, alarm=alarm)


def test_how_many_open_deals_should_be_won():
    fine = judged("as promised", "unclear")
    soon = EVER.assign(expected_by=30.4)
    assert wins(soon, fine).endswith("of cases), all of them by 30 April 2027.")
    assert wins(EVER, fine) == (
        f"Of 90 open deals, 30 should be won in the end (odds that are right give 28 to 36 in 95{T}% of cases), "
        "25 of them by 30 April 2027."
    )
    assert wins(EVER.iloc[:1], fine) == ""


def test_odds_in_doubt_have_no_range():
    fell = wins(EVER, judged("unclear", "unclear", lately="above"))  # 30 * .1105 / .2528
    assert fell == (
        "Of 90 open deals, 30 would be won in the end by these odds, 25 of them by 30 April 2027; if as few of those "
        "expected are won as on 31 May 2026, it would be about 13."
    )
    assert "if as many of those expected" in wins(EVER, judged("unclear", "unclear", lately="below"))
    off = wins(EVER, judged("as promised", "as promised"), alarm=OFF)
    assert off == "Of 90 open deals, 30 would be won in the end by these odds, 25 of them by 30 April 2027."


def test_what_a_probability_means_for_one_deal():
    assert odds.calibration_sentence(reliability([0.0, 0.5, 0.9])) == (  # of 100: 0 to z^2/(100 + z^2) = 3.7 %
        f"Of 100 deals given about 20{T}%, 0{T}% were won (95{T}% interval 0{T}% to 4{T}%); that decides nothing about "
        "any one of them."
    )
    none = reliability([0.2] * 3).iloc[:0]
    assert odds.calibration_sentence(none) == odds.NO_CHECK
    low = reliability([0.2] * 3).assign(probability=0.05)
    assert odds.calibration_sentence(low, why="No deal was open.").startswith(f"No level between 10 and 90{T}%")
    assert odds.calibration_sentence(none, why="No deal was open.") == "No deal was open."


def test_how_well_the_odds_tell_deals_apart():
    past = pd.DataFrame({"origin": ["2026-01-31"] * 4, "p": [0.9, 0.8, 0.3, 0.2], "won": [1.0, 1.0, 0.0, 0.0]})
    use = {"odds use": finding("above", value=0.825)}
    checked, apart, better = odds.skill_sentences(past, use, within="won within 3 months")
    assert checked == (
        f"4 probabilities of 8 days were checked; 50{T}% of these deals came true (won within 3 months)."
    )
    assert f"100{T}% of the time" in apart
    assert f"The odds are 82{T}% better than giving every deal the same probability (Brier score) (8 days)." in better
    unsure = {"odds use": finding("unclear", value=0.3)}
    assert better.count(f"82{T}%") == 1  # the gain is told once, with its verdict
    cannot = odds.skill_sentences(past, unsure, within="won")[2]
    assert cannot.startswith(f"Against one probability for all: 30{T}% less Brier score. Whether they are better")
    assert "cannot be told" in cannot
    worse = {"odds use": finding("below", value=-0.1)}
    assert f"10{T}% worse" in odds.skill_sentences(past, worse, within="won")[2]
    all_won = odds.skill_sentences(past.assign(won=1.0), use, within="won")
    assert all_won == ["All of these 4 probabilities came true (won): nothing to tell apart."]
    assert odds.skill_sentences(past.iloc[:0], use, within="won") == []


def test_what_is_called_right_says_how_nearly_and_which_points_are_not():
    assert (LEVEL_MARGIN, EVER_MARGIN) == (0.05, 0.10)
    assert LEVEL.promised.endswith("within five points")
    assert EVER_WORDS.promised.startswith("right to within a tenth")
    right = judged("as promised", "as promised")
    bins = reliability([0.2, 0.5, 0.9])  # the last lies outside .75 to .85
    record = odds.prepare_reliability(bins, pd.Series([0.2, 0.8]), event="won")
    assert odds.describe_reliability(record, right).subtitle.endswith("chance would show; outside it: 1 of 3 points")
    record = odds.prepare_reliability(reliability([0.2, 0.5, 0.8]), pd.Series([0.2, 0.8]), event="won")
    assert odds.describe_reliability(record, right).subtitle.endswith("chance would show")


def test_one_deal_was_and_none_were():
    facts = {"n": 80, "unit": "deal", "fewest": 30}
    (sentence,) = odds_verdict.ever_sentences(EVER.assign(open=1.0), {"odds ever 0": finding("as promised", **facts)})
    assert "20 were won by then and 1 was still open: right to within a tenth of those expected." in sentence


def test_the_open_deals_by_step_of_their_probability():
    deals = pd.DataFrame({"p_win": [0.0, 0.05, 1.0, np.nan], "expected_amount": [0.0, 1e6, 2e6, 5e6]})
    steps = odds.prepare_deal_odds(deals, company=Company(name="C", currency="EUR"))
    assert list(steps.counts) == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert list(steps.amounts[[0, 9]]) == [1e6, 2e6]
    caption = odds.describe_deal_odds(steps)
    assert sources.plain(caption.description).endswith("1 deal has a chance of one half or more.")
    assert sources.plain(caption.title) == f"4 open deals should bring €8{T}m in the end"
    doubted = sources.plain(odds.describe_deal_odds(steps, in_doubt=True).title)
    assert doubted == f"4 open deals would bring €8{T}m in the end by these odds"
    assert sources.plain(caption.tooltips[0]).startswith(f"0{T}% to 10{T}%: 2 deals")
    assert caption.tooltips[1] == ""


def opinion(*, difference: float, p_value: float, days: int = 9) -> SecondOpinion:
    test = PairedTest(statistic=0.0, df=4, p_value=p_value, mean_difference=difference, n=days)
    table = pd.DataFrame(
        {"model": ["ours", "challenger"], "brier": [0.145, 0.147], "log_loss": 0.44, "auc": 0.8, "slope": 1.0}
    )
    curves = pd.DataFrame({"model": ["ours", "challenger"], "probability": [0.2, 0.3], "happened": [0.25, 0.2]})
    return SecondOpinion(table=table.assign(slope=1.0, n=2485), curves=curves, days=days, test=test)


def test_a_challenger_is_called_nearer_on_a_test_alone():
    cannot = "Cannot tell whether our odds or those of gradient boosting are nearer to what came"
    for unsure in ("unclear", "too few"):
        assert odds.second_opinion_finding({"second opinion": finding(unsure)}, kind="boosting") == cannot
    nearer = odds.second_opinion_finding({"second opinion": finding("below")}, kind="logistic")
    assert nearer == "Our odds are nearer to what came than those of a plain logistic regression"
    theirs = odds.second_opinion_finding({"second opinion": finding("above")}, kind="logistic")
    assert theirs == "The odds of a plain logistic regression are nearer to what came than ours"
    nan, ours = float("nan"), opinion(difference=-0.002, p_value=0.03)
    assert (
        "would appear in 3 of 100 cases; one is claimed only where all words of this page together"
        in odds.second_opinion_sentence(ours)
    )
    few = odds.second_opinion_sentence(opinion(difference=0.0, p_value=nan, days=4))
    assert "2,485 probabilities of 4 days" in few
    assert "needs 8 days or more" in few


def test_a_second_opinion_is_shown_where_there_is_one():
    shown = odds.second_opinion_view(
        opinion(difference=0.0, p_value=0.5), {"second opinion": finding("unclear")}, kind="logistic"
    )._repr_html_()
    assert "plain logistic regression" in shown
    assert "Brier score" in shown
    assert odds.second_opinion_view(None, {}, kind="none")._repr_html_() == ""


@pytest.mark.parametrize(("horizon", "sentences"), [(1, 0), (3, 0), (4, 1), (6, 1)])
def test_days_whose_wins_overlap_are_named(horizon, sentences):
    found = odds.overlap_sentences(horizon)
    assert len(found) == sentences
    assert all(f"three months apart and wins within {horizon} months count for each" in sentence for sentence in found)


def test_day_by_day():
    days = pd.DataFrame({"origin": pd.to_datetime(["2026-01-31", "2026-04-30"]), "deals": [10, 1], "p": [0.3, 0.1]})
    html = odds.days_view(days.assign(won=[0.2, 0.0], auc=[0.75, float("nan")]))._repr_html_()
    for cell in ("2026-01-31", f"75{T}%", "2026-04-30", "–"):
        assert cell in html
    assert odds.days_view(days.iloc[:0])._repr_html_() == ""


THIN_DEALS = pd.DataFrame(
    {
        "opportunity_id": ["D1", "D2"],
        "segment": "North",
        "stage": "Early",
        "amount": [10.0, 20.0],
        "p_win": np.nan,
        "p_win_3": np.nan,
        "expected_amount": np.nan,
        "factors": "too few closed deals to tell (2; at least 10 are needed)",
    }
)


def test_what_no_deal_has_is_a_sentence_and_no_table():
    factors = odds_deals.named_factors(THIN_DEALS)
    assert factors.empty
    assert odds_deals.factors_view(factors) == Notes([odds.NO_PROBABILITY])
    assert odds_deals.largest_view(THIN_DEALS, currency="EUR") == Notes([odds_deals.NO_EXPECTED])


def test_factors_are_counted_and_the_largest_deals_are_those_with_an_expected_amount():
    deals = THIN_DEALS.assign(
        p_win=[0.5, np.nan],
        p_win_3=[0.2, np.nan],
        expected_amount=[5.0, np.nan],
        factors=["a (for); b (against)", "x; y"],
    )
    factors = odds_deals.named_factors(deals)
    assert factors.to_dict("list") == {"factor": ["a (for)", "b (against)"], "deals": [1, 1]}
    assert isinstance(odds_deals.factors_view(factors), TableView)
    view = odds_deals.largest_view(deals, currency="EUR")
    assert isinstance(view, TableView)
    assert view.frame["opportunity_id"].tolist() == ["D1"]
