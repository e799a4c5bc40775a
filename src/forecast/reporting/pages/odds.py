"""Win probabilities: whether they came true as often as forecast, and those of the deals open today.

Records of what is drawn first, then every sentence of the subject, then the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation.judgement import Finding, Verdict
from forecast.evaluation.scores.comparison import FEWEST
from forecast.evaluation.scores.events import auc, share_interval
from forecast.reporting.charts.axes import money_axis, share_axis
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Format, Notes, Statement, TableView, Together
from forecast.reporting.charts.style import CHANCE_BAND, COUNT, FORECAST, REFERENCE, SOFT
from forecast.reporting.pages.odds_verdict import Row, calibration_title
from forecast.reporting.pages.track.prepare import LUCK
from forecast.reporting.pages.words import (
    NEARER,
    USE,
    evaluated,
    word,
)

if TYPE_CHECKING:
    from forecast.evaluation.scores.deals import SecondOpinion


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Probabilities in bins, with the share that came true in each and how often each probability was given.

    table : all bins, as `reliability` gives them; bins : those with deals. counts : deals in each of 20 equal steps of
    the probability. event : what came true, `won within 3 months`.
    """

    table: pd.DataFrame
    bins: pd.DataFrame
    counts: np.ndarray
    event: str


def prepare_reliability(table: pd.DataFrame, probabilities: pd.Series, *, event: str) -> Reliability:
    """Return what is drawn of a table of `reliability`, and the histogram of the probabilities themselves."""
    bins = table[table["n"] > 0] if len(table) else table
    counts = np.histogram(probabilities.dropna(), bins=20, range=(0, 1))[0]
    return Reliability(table=table, bins=bins, counts=counts, event=event)


@dataclass(frozen=True, kw_only=True)
class DealOdds:
    """The open deals in ten equal steps of their probability of a win: how many, and what they are expected to bring.

    deals : all open deals. rows : from, to, deals, amount, one row a step, over those whose probability is known.
    """

    deals: pd.DataFrame
    rows: pd.DataFrame
    company: Company

    @property
    def counts(self) -> np.ndarray:
        """How many deals a step has, (10,)."""
        return self.rows["deals"].to_numpy()

    @property
    def amounts(self) -> np.ndarray:
        """What they are expected to bring, (10,)."""
        return self.rows["amount"].to_numpy(float)

    @property
    def middles(self) -> np.ndarray:
        """The middle of each step."""
        return ((self.rows["from"] + self.rows["to"]) / 2).to_numpy(float)


def prepare_deal_odds(deals: pd.DataFrame, *, company: Company) -> DealOdds:
    """Return the open deals by step of probability; a probability of 1 is in the last step."""
    known = deals.dropna(subset=["p_win", "expected_amount"])
    step = np.minimum((known["p_win"].to_numpy(float) * 10).astype(int), 9)
    amounts = np.bincount(step, weights=known["expected_amount"].to_numpy(float), minlength=10)
    edges = np.linspace(0, 1, 11)
    rows = {"from": edges[:-1], "to": edges[1:], "deals": np.bincount(step, minlength=10), "amount": amounts}
    return DealOdds(deals=deals, rows=sources.named(pd.DataFrame(rows), "open_deals_by_odds"), company=company)


# -- sentences ------------------------------------------------------------------------------------------

LABELS = {
    "observed": "came true",
    "diagonal": "as forecast",
    "probability": "probability",
    "deals": "how many deals had it",
    "steps": "probability of a win, ever; over each bar the number of deals",
    "steps, narrow": "probability of a win, ever; over bars: deals",
}
"""What is written in the pictures."""

CHALLENGERS = {"logistic": "a plain logistic regression", "boosting": "gradient boosting"}
"""How the second models are called."""

CALIBRATION_HEADS = {
    "probability": "probability",
    "happened": "came true",
    "band_low": "chance from",
    "band_high": "chance to",
    "n": "deals",
}
DEALS_HEADS = {"from": "from", "to": "to", "deals": "deals", "amount": "expected amount"}
OPINION_HEADS = {
    "model": "model",
    "brier": "Brier score",
    "log_loss": "log loss",
    "auc": "AUC",
    "slope": "calibration slope",
    "n": "probabilities",
}
DAYS_HEADS = {"origin": "day", "deals": "deals", "p": "forecast", "won": "came true", "auc": "won one higher"}
CURVES_HEADS = {"model": "model", "probability": "probability", "happened": "came true"}
"""What stands over the columns of each table."""

OPINION_CAPTION = (
    "Odds of the same deals: Brier score and log loss are better when lower, AUC when higher; "
    "a calibration slope of 1 is as promised, below 1 the odds are too far apart"
)
CURVES_CAPTION = "Forecast and outcome by fifths of the deals"
DAYS_CAPTION = (
    "Each day looked at by itself; the last column: of a deal won and one not, how often the won one had the higher "
    f"probability (50{wording.THIN}% is chance)"
)
EVENT = "won within 3 months"
NO_CHECK = "No past day has probabilities whose months are over."
NO_MIDDLE = f"No level between 10 and 90{wording.THIN}% has deals whose months are over."
NO_PROBABILITY = "No deal has a probability."


def notes(deals: pd.DataFrame, *, why: str) -> pd.DataFrame:
    """Return what must be known, a sentence each: about (odds; check: why nothing could be checked) and note."""
    told = [("odds", note) for note in deals.attrs.get("notes", [])] + [("check", why)]
    return pd.DataFrame(told, columns=["about", "note"]).astype("str")


def model_names(kind: str) -> list[str]:
    """Return how our model and a challenger are called in a table."""
    return ["ours", CHALLENGERS[kind].removeprefix("a ")]


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Return the bins with share_low and share_high, the 95 % interval of the share that wins in the long run."""
    ends = [
        share_interval(round(p * n), int(n)) for p, n in zip(table["happened"].fillna(0.0), table["n"], strict=True)
    ]
    low, high = zip(*ends, strict=True) if ends else ((), ())
    return table.assign(share_low=pd.Series(low, table.index, float), share_high=pd.Series(high, table.index, float))


def calibration_sentence(table: pd.DataFrame, *, why: str = NO_CHECK) -> str:
    """Return what it means for one deal, from the level with the most deals among those not near zero or one.

    The interval is of the share that wins in the long run, were the deals decided independently of each other.
    why : why there is none, where nothing could be checked.
    """
    known = table[(table["n"] > 0) & table["probability"].between(0.1, 0.9)] if len(table) else table
    if known.empty:
        return NO_MIDDLE if len(table) else why
    known = known if "share_low" in known else with_intervals(known)
    [row] = sources.records(known.loc[[known["n"].idxmax()]])
    low, high = row["share_low"], row["share_high"]
    return (
        f"Of {wording.plural(row['n'], 'deal')} given about {wording.percent(row['probability'])}, "
        f"{wording.percent(row['happened'])} were won (95{wording.THIN}% interval {wording.percent(low)} to "
        f"{wording.percent(high)}); that decides nothing about any one of them."
    )


def deals_finding(deals: pd.DataFrame, *, currency: str, in_doubt: bool = False) -> str:
    """Return what the open deals are expected to bring. in_doubt : whether something speaks against their odds."""
    known = deals[deals["expected_amount"].notna()]
    if known.empty:
        what = "an expected amount" if deals["p_win"].notna().any() else "a probability"
        return f"No open deal has {what}" if len(deals) else "There are no open deals"
    worth = wording.money(sources.total(known, "expected_amount"), currency=currency)
    count = wording.plural(sources.count(known), "open deal")
    if in_doubt:
        return f"{count} would bring {worth} in the end by these odds"
    return f"{count} should bring {worth} in the end"


def skill(deals: pd.DataFrame) -> pd.DataFrame:
    """Return how well the odds tell deals apart as a table of one row: auc, NaN where all came true or none."""
    apart = deals["won"].nunique() == 2
    return pd.DataFrame({"auc": [auc(deals["won"], deals["p"]) if apart else float("nan")]})


def skill_sentences(
    deals: pd.DataFrame, judged: Mapping[str, Finding], *, within: str, area: float | None = None
) -> list[str]:
    """Return how well the odds tell deals apart.

    deals : origin, p and won of past deals. within : names the event. area : the AUC of these deals, by default worked
    out here.
    """
    if deals.empty:
        return []
    if deals["won"].nunique() < 2:
        what = "All" if deals["won"].iloc[0] else "None"
        return [
            f"{what} of these {wording.plural(sources.count(deals), 'probability')} came true ({within}): "
            "nothing to tell apart."
        ]
    share, area = sources.aggregate(deals, "won", "mean"), auc(deals["won"], deals["p"]) if area is None else area
    use = judged["odds use"]
    checked = wording.plural(sources.count(deals), "probability")
    days = wording.plural(use.estimate.n, "day")
    gain = wording.percent(abs(use.estimate.value))
    so_far = (
        "" if use.is_apart else f"Against one probability for all: {gain} {_less(use.estimate.value)} Brier score. "
    )
    return [
        f"{checked} of {days} were checked; {wording.percent(share)} of these deals came true ({within}).",
        "Of two deals, one won and one not, the won one had the higher probability "
        f"{wording.percent(area)} of the time (50{wording.THIN}% is chance).",
        f"{so_far}{wording.sentence(evaluated(use, USE, gain))}",
    ]


def _less(gain: float) -> str:
    return "less" if gain > 0 else "more"


def overlap_sentences(horizon: int, *, apart: int = 3) -> list[str]:
    """Return that one win may count for two days, where days lie fewer months apart than wins are counted."""
    if horizon <= apart:
        return []
    within = wording.plural(horizon, "month")
    return [
        f"The days are {wording.spelt(apart)} months apart and wins within {within} count for "
        "each, so that one win can count for more than one day: the days say less than as many separate ones would."
    ]


def second_opinion_finding(judged: Mapping[str, Finding], *, kind: str) -> str:
    """Return whether our odds or the challenger's are nearer; no claim but on a test that luck rarely passes."""
    found = judged["second opinion"]
    verdict: Verdict = "unclear" if found.verdict == "too few" else found.verdict
    return word(verdict, NEARER).format(CHALLENGERS[kind])


def second_opinion_sentence(opinion: SecondOpinion, found: Finding | None = None) -> str:
    """Return what the comparison rests on, and how often luck would show as much; found : of the page's table."""
    n, days = sources.row(opinion.table)["n"], found.estimate.n if found else opinion.days
    p_value = found.estimate.p_value if found else opinion.test.p_value
    if not n:
        return "No deal of the days looked at has both probabilities."
    base = f"{wording.plural(n, 'probability')} of {wording.plural(days, 'day')} were compared by their Brier score."
    if not wording.known(p_value):
        return f"{base} A test needs {FEWEST} days or more, since deals of one day share the months they close in."
    return (
        f"{base} If both were equally near, a difference this large would appear in "
        f"{wording.cases(p_value)} cases; one is claimed only where all words of this page together would "
        f"mislead in {wording.cases(LUCK)} or fewer."
    )


def describe_reliability(record: Reliability, judged: Mapping[str, Finding], *, alarm: Row | None = None) -> Caption:
    """Return the words of the share that came true against the probability."""
    title = calibration_title(record.table, judged, alarm=alarm)
    return Caption(
        title=title,
        subtitle=f"Forecast probability against the share that came true ({record.event}), all days together; "
        f"grey band: what chance would show{_outside(record.bins)}",
        description=f"{title}. {calibration_sentence(record.table)}",
        tooltips=[
            wording.listed(
                f"Forecast {wording.percent(row['probability'])}",
                wording.named_share("came true", row["happened"]),
                f"by chance {wording.percent(row['band_low'])} to {wording.percent(row['band_high'])}",
                wording.plural(row["n"], "deal"),
            )
            for row in sources.records(record.bins)
        ],
    )


def _outside(bins: pd.DataFrame) -> str:
    """Return how many points lie outside the band, to end a sentence; empty where none does."""
    off = bins[(bins["happened"] < bins["band_low"]) | (bins["happened"] > bins["band_high"])]
    points = f"{wording.number(sources.count(off))} of {wording.plural(sources.count(bins), 'point')}"
    return f"; outside it: {points}" if len(off) else ""


def describe_deal_odds(odds: DealOdds, *, in_doubt: bool = False) -> Caption:
    """Return the words of the open deals by their probability of a win; in_doubt as `deals_finding` takes it."""
    currency = odds.company.currency
    title = deals_finding(odds.deals, currency=currency, in_doubt=in_doubt)
    unit = wording.axis_unit(float(odds.amounts.max()), currency=currency)[1]
    likely = sources.total(odds.rows.iloc[len(odds.rows) // 2 :], "deals")
    verb = "has" if likely == 1 else "have"
    return Caption(
        title=title,
        subtitle=f"Expected amount of open deals by their probability of a win, {unit}",
        description=f"{title}. {wording.plural(likely, 'deal')} {verb} a chance of one half or more.",
        tooltips=[_step_tooltip(row, currency) for row in sources.records(odds.rows)],
    )


def _step_tooltip(row: Mapping[str, Any], currency: str) -> str:
    if not row["deals"]:
        return ""
    expected = wording.named_amount("expected", row["amount"], currency=currency)
    parts = (wording.plural(row["deals"], "deal"), expected)
    return f"{wording.percent(row['from'])} to {wording.percent(row['to'])}: {'; '.join(filter(None, parts))}"


# -- pictures -------------------------------------------------------------------------------------------


def calibration(
    table: pd.DataFrame,
    probabilities: pd.Series,
    judged: Mapping[str, Finding],
    *,
    company: Company,
    as_of: Any,
    what: str = EVENT,
    why: str = NO_CHECK,
    alarm: Row | None = None,
) -> Chart | Statement:
    """Draw the share that came true against the probability, over how often each probability was given.

    table : probability, happened, n, band_low, band_high (as `reliability` gives it), shares of 1; the band is what
    chance would show. probabilities : all that were given, for the histogram. judged : as `of_odds` gives it. what :
    the event they are of. why : why there is none, where there is none. alarm : on the forecast made of such odds.
    """
    record = prepare_reliability(table, probabilities, event=what)
    caption = describe_reliability(record, judged, alarm=alarm)
    if record.bins.empty:
        return empty(caption.title, why)
    return chart(
        record,
        draw_reliability,
        caption,
        table=record.bins,
        heads=CALIBRATION_HEADS,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("probability", "happened", "band_low", "band_high"), wording.percent),
    )


def draw_reliability(canvas: Canvas, record: Reliability) -> Drawing:
    """Draw the line of the bins in a square with its diagonal, and the histogram under it on the same axis."""
    side = 260 if canvas.narrow else 300
    height = side + 120
    figure = Figure(figsize=(canvas.width / 72, height / 72))
    left, wide = 48 / canvas.width, min(side * 1.2, canvas.width - 72) / canvas.width
    axes = figure.add_axes((left, 96 / height, wide, side / height))
    below = figure.add_axes((left, 38 / height, wide, 48 / height))
    bins = record.bins
    axes.plot([0, 1], [0, 1], **REFERENCE.line, linewidth=1.2, zorder=1.5)
    axes.fill_between(bins["probability"], bins["band_low"], bins["band_high"], **CHANCE_BAND.area, zorder=1)
    for edge in ("band_low", "band_high"):
        axes.plot(bins["probability"], bins[edge], color=SOFT, linewidth=0.6, zorder=1.2)
    axes.plot(bins["probability"], bins["happened"], **FORECAST.series, markersize=6, zorder=3)
    for name in ("x", "y"):
        share_axis(axes, axis=name)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.tick_params(axis="x", labelbottom=False)
    axes.text(0.02, 0.97, LABELS["observed"], color=SOFT, va="top")
    # Beside the diagonal and under the points, none of which it may hide.
    axes.text(0.98, 0.72, LABELS["diagonal"], color=SOFT, ha="right", va="center", zorder=1.6)
    _draw_histogram(below, record)
    return Drawing(figure=figure, marks=places(axes, bins["probability"], bins["happened"]))


def _draw_histogram(axes: Axes, record: Reliability) -> None:
    """Draw how often each probability was given, in 20 bars."""
    steps = len(record.counts)
    axes.bar([(i + 0.5) / steps for i in range(steps)], record.counts, width=0.88 / steps, **COUNT.area, zorder=2)
    axes.set_xlim(0, 1)
    share_axis(axes, axis="x")
    axes.grid(False)
    axes.set_yticks([])
    axes.text(0.99, 1.0, LABELS["deals"], color=SOFT, ha="right", va="top", transform=axes.transAxes)
    axes.set_xlabel(LABELS["probability"], loc="left")


def deal_odds(deals: pd.DataFrame, *, company: Company, as_of: Any, in_doubt: bool = False) -> Chart | Statement:
    """Draw how the open deals' win probabilities are spread, and how much money stands at each."""
    odds = prepare_deal_odds(deals, company=company)
    caption = describe_deal_odds(odds, in_doubt=in_doubt)
    if not odds.counts.any():
        return empty(caption.title, NO_PROBABILITY)
    formats: dict[str, Format] = dict.fromkeys(("from", "to"), wording.percent)
    formats["amount"] = wording.in_currency(company.currency)
    return chart(
        odds,
        draw_deal_odds,
        caption,
        table=odds.rows,
        heads=DEALS_HEADS,
        company=company,
        as_of=as_of,
        formats=formats,
        by="x",
    )


def draw_deal_odds(canvas: Canvas, odds: DealOdds) -> Drawing:
    """Draw a bar of expected amount for each step of probability, with its number of deals on top."""
    figure, axes = canvas.axes(234, left=44, right=22, top=26, bottom=44)
    largest = float(odds.amounts.max())
    axes.bar(odds.middles, odds.amounts, width=0.092, **FORECAST.area, zorder=2)
    for x, row in zip(odds.middles, sources.records(odds.rows), strict=True):
        if row["deals"]:
            above, count = row["amount"] + largest * 0.015, wording.in_full(row["deals"])
            axes.text(x, above, count, ha="center", va="bottom", color=SOFT)
    share_axis(axes, axis="x", ticks=5 if canvas.narrow else 10)
    axes.tick_params(axis="x", pad=8)  # clear of the 0 of the other axis
    axes.grid(False)
    axes.set_ylim(0, largest * 1.1 or 1.0)
    money_axis(axes, largest, currency=odds.company.currency)
    axes.set_xlim(0, 1)
    axes.set_xlabel(LABELS["steps, narrow" if canvas.narrow else "steps"], loc="left")
    return Drawing(figure=figure, marks=places(axes, odds.middles, odds.amounts))


# -- tables ---------------------------------------------------------------------------------------------


def days_view(days: pd.DataFrame) -> TableView | Notes:
    """Return how the odds did day by day; nothing where there is no day. days : origin, deals, p, won, auc."""
    formats: dict[str, Format] = dict.fromkeys(("p", "won", "auc"), wording.percent)
    return TableView(days, DAYS_CAPTION, columns=DAYS_HEADS, formats=formats) if len(days) else Notes([])


def second_opinion_view(opinion: SecondOpinion | None, judged: Mapping[str, Finding], *, kind: str) -> Together | Notes:
    """Return our odds and the challenger's side by side, the claim on top; nothing where there is no challenger."""
    if opinion is None:
        return Notes([])
    names = model_names(kind)
    shown = replace(opinion, table=sources.named(opinion.table.assign(model=names), "second_opinion"))
    sentence = second_opinion_sentence(shown, judged["second opinion"])
    claim = Statement(f"{second_opinion_finding(judged, kind=kind)}.", sentence)
    models = TableView(shown.table, OPINION_CAPTION, columns=OPINION_HEADS)
    named = opinion.curves.assign(model=opinion.curves["model"].replace("challenger", names[1]))
    shares: dict[str, Format] = {"probability": wording.percent, "happened": wording.percent}
    return Together(
        claim,
        models,
        TableView(sources.named(named, "second_opinion_curves"), CURVES_CAPTION, columns=CURVES_HEADS, formats=shares),
    )
