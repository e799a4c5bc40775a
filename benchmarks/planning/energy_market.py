"""A natural experiment: did day-ahead load forecasts get better where a joint energy market was joined?

    python -m benchmarks.planning.energy_market [--data DIR] [--out FILE]

DIR holds monthly.csv and adoption.csv of eia930; by default it lies in the folder that FORECAST_REAL_DATA names.
FILE, by default docs/evidence/energy_imbalance_market.md, keeps its plan, down to a marked line, and what was seen
afterwards, from another one on; what lies between is written anew from the data, and so is the picture next to it, the
same to the byte each time. The answer comes from the library's own functions; this reads the data, leaves out what the
plan says, and prints tables.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.planning.real_errors import FEWEST_HOURS, FIRST, LAST
from forecast.calendar import Calendar
from forecast.data.audit.scope import Scope, other_scope
from forecast.evaluation.planning.effect import PlanningEffect, planning_effect
from forecast.evaluation.planning.levels import before_and_after
from forecast.evaluation.planning.limits import detectable_change, leave_one_out, power
from forecast.evaluation.planning.panel import error_panel
from forecast.evaluation.planning.verdict import interval_ends
from forecast.wording import MINUS, joined, percent

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "evidence" / "energy_imbalance_market.md"
MARK = "<!-- What follows is written by: python -m benchmarks.planning.energy_market -->\n"

END = "<!-- What follows is written by hand again. -->\n"

OPERATORS = ("CISO", "ERCO", "PJM", "SWPP")
UNSEEN_SCOPE = "SPA"
FEWEST_MONTHS = 48
BEFORE_THE_PANDEMIC = "2020-02"
WEST = (
    *("AZPS", "BANC", "BPAT", "CHPD", "CISO", "IID", "IPCO", "NEVP", "NWMT", "PACE", "PACW", "PGE", "PSCO", "PSEI"),
    *("SCL", "SRP", "TEPC", "TPWR", "WACM", "WAUW"),
)
SHOWN_MONTHS = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Market:
    """What the plan takes.

    monthly : rows of monthly.csv in the months used. adoption : segment, adopted_on, source. left_out : reason ->
    authorities. scopes : authority -> what the scope check found.
    """

    monthly: pd.DataFrame
    adoption: pd.DataFrame
    left_out: dict[str, list[str]]
    scopes: dict[str, Scope]

    @property
    def out(self) -> set[str]:
        """Every authority left out."""
        return {name for names in self.left_out.values() for name in names}

    def errors(self, *, without: Iterable[str], last: str = LAST) -> pd.DataFrame:
        """Return segment, period, error, benchmark_error of everybody else."""
        rows = self.monthly[~self.monthly["segment"].isin(set(without)) & (self.monthly["period"] <= last)]
        sizes = {"error": rows["abs_f"] / rows["load"], "benchmark_error": rows["abs_n"] / rows["load"]}
        return rows[["segment", "period"]].assign(**sizes)


def read(folder: Path) -> Market:
    """Read the data and leave out what the plan leaves out, in its order."""
    adoption = pd.read_csv(folder / "adoption.csv")
    table = pd.read_csv(folder / "monthly.csv")
    table = table[table["period"].between(FIRST, LAST) & (table["hours"] >= FEWEST_HOURS)]
    joined_in = dict(zip(adoption["segment"], adoption["adopted_on"].str[:7], strict=True))
    scopes = {}
    for name, rows in table.groupby("segment"):
        start = int((rows["period"] < joined_in[name]).sum()) if joined_in.get(name, "9999") <= LAST else None
        load = rows["load"].to_numpy()
        scope = other_scope(load + rows["bias"].to_numpy(), load, start=start)
        if scope:
            scopes[str(name)] = scope
    months = table["segment"].value_counts()
    reasons = {
        "joined before the first month": [name for name in months.index if joined_in.get(name, "9999") < FIRST],
        "operators of a joint market throughout": list(OPERATORS),
        "another scope": [*scopes, UNSEEN_SCOPE],
        f"fewer than {FEWEST_MONTHS} months": list(months.index[months < FEWEST_MONTHS]),
    }
    left_out: dict[str, list[str]] = {}
    for reason, names in reasons.items():
        gone = {name for group in left_out.values() for name in group}
        left_out[reason] = sorted(set(names) - gone)
    return Market(monthly=table, adoption=adoption, left_out=left_out, scopes=scopes)


def confirmed(market: Market) -> pd.Series:
    """Return segment -> whether its day of joining stands in a source, not in somebody's memory."""
    source = market.adoption.set_index("segment")["source"]
    return ~source.str.contains("from memory")


# -- the looks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Look:
    """One question put to the data: who is left out, and the last month."""

    name: str
    without: frozenset[str]
    last: str = LAST


def looks(market: Market) -> list[Look]:
    """Return the primary look, then the secondary ones in the plan's order."""
    out, names = market.out, set(market.monthly["segment"])
    known = confirmed(market)
    unsure = {str(name) for name in known.index[~known]} & names
    begun = {name for name in unsure if _start(market, name) <= LAST}
    return [
        Look(name="primary", without=frozenset(out)),
        Look(name="without starts that are not confirmed", without=frozenset(out | begun)),
        Look(name=f"months to {BEFORE_THE_PANDEMIC}", without=frozenset(out), last=BEFORE_THE_PANDEMIC),
        Look(name="western authorities only", without=frozenset(out | (names - set(WEST)))),
        Look(name="market operators compared with", without=frozenset(out - (set(OPERATORS) - {"CISO"}))),
        Look(name="those of another scope put back", without=frozenset(out - set(market.left_out["another scope"]))),
    ]


def _start(market: Market, name: str) -> str:
    return str(market.adoption.set_index("segment")["adopted_on"][name])[:7]


def answer(market: Market, look: Look) -> PlanningEffect:
    """Put one look to the library."""
    return planning_effect(market.errors(without=look.without, last=look.last), market.adoption, seed=0)


# -- the document ----------------------------------------------------------------------------------------


def document(market: Market) -> tuple[str, PlanningEffect]:
    """Return what stands below the mark, and the primary answer."""
    questions = looks(market)
    answers = [answer(market, look) for look in questions]
    first = answers[0]
    errors = market.errors(without=questions[0].without)
    parts = [
        "## The result\n",
        f"**{first.verdict.capitalize()}.** {first.sentence}\n",
        "Read *segments* as authorities and *plan jointly* as being in the joint market.\n",
        *([f"Why, and what else must be known: {'; '.join(first.reasons)}.\n"] if first.reasons else []),
        _who(market, first),
        _levels(market, questions[0].without),
        _by_segment(first),
        _secondary(questions, answers),
        _left_out(errors, market.adoption),
        _checks(first),
        _event_study(first),
        _power(errors, market.adoption),
    ]
    return "\n".join(parts), first


def _who(market: Market, effect: PlanningEffect) -> str:
    """Return who is in and who is not, and why."""
    table, known = effect.by_segment, confirmed(market)
    starts = [
        f"{row.segment} {row.adopted}{'' if known[row.segment] else ' (not confirmed: year known, day from memory)'}"
        for row in table[table["adopted"].between(FIRST, LAST)].sort_values("adopted").itertuples()
    ]
    others = table.loc[~table["adopted"].between(FIRST, LAST), "segment"]
    lines = [
        f"**In: {effect.n_segments} authorities, {effect.n_months} months.** Began: {', '.join(starts)}. Not begun by"
        f" {LAST}: {', '.join(others)}.\n",
        "**Left out.**\n",
        *(f"- {reason}: {joined(names)}" for reason, names in market.left_out.items()),
        f"- too few months before the start: see the reasons above\n\nWhat the scope check found: {_scopes(market)}.\n",
    ]
    return "\n".join(lines)


def _scopes(market: Market) -> str:
    return "; ".join(
        f"{name} {scope.kind}, {scope.ratio:.2f} times in {len(scope.months)} of {scope.of} months"
        for name, scope in market.scopes.items()
    )


def _levels(market: Market, without: Iterable[str]) -> str:
    """Return the miss and the bias before and after, by `before_and_after`."""
    rows = market.monthly[~market.monthly["segment"].isin(set(without))]
    base = rows[["segment", "period"]].assign(lead=0, submitter="authority", official=True, actual=rows["load"])
    base[["benchmark_low", "benchmark_high", "low", "high"]] = np.nan
    # Hourly misses, added up: as if each month had been missed by their sum on one side.
    missed = base.assign(forecast=rows["load"] + rows["abs_f"], benchmark=rows["load"] + rows["abs_n"])
    biased = base.assign(forecast=rows["load"] + rows["bias"], benchmark=rows["load"])
    found = []
    for table, measure, of in (
        (missed, "miss", "people"),
        (missed, "miss", "benchmark"),
        (biased, "bias", "people"),
    ):
        levels = before_and_after(table, market.adoption)
        levels = levels[(levels["by"] == "all") & (levels["measure"] == measure) & (levels["of"] == of)]
        value = levels.set_index(["group", "when"])["value"]
        cells = [value[group, when] for group in ("began", "not begun") for when in ("before", "after")]
        difference = (cells[1] - cells[0]) - (cells[3] - cells[2])
        shown = [_finely(cell) for cell in cells] + [f"{100 * difference:+.2f} points".replace("-", MINUS)]
        found.append((f"{measure}, {'benchmark' if of == 'benchmark' else 'authorities'}", *shown))
    head = ("", "began: before", "after", "not begun: earlier", "later", "difference of differences")
    return (
        "### Before and after, plainly\n\nMegawatt-hours missed over megawatt-hours used, so large authorities count"
        " for more; nothing here is tested.\n\n" + _table(head, found)
    )


def _by_segment(effect: PlanningEffect) -> str:
    table = effect.by_segment
    table = table[table["adopted"].between(FIRST, LAST)].sort_values("adopted")
    rows = [
        (
            row.segment,
            row.adopted,
            f"{row.months_before} / {row.months_after}",
            _finely(row.error_before),
            _finely(row.error_after),
            _finely(row.benchmark_before),
            _finely(row.benchmark_after),
            percent(row.change, sign=True),
        )
        for row in table.itertuples()
    ]
    head = ("", "joined", "months before / after", "error before", "after", "benchmark before", "after", "change")
    return (
        "### Each that began\n\nMean errors without the six months before the start; the change is against those that"
        " had not begun, with the benchmark taken out.\n\n" + _table(head, rows)
    )


def _secondary(questions: Sequence[Look], answers: Sequence[PlanningEffect]) -> str:
    rows = [
        (
            look.name,
            f"{found.n_segments} / {found.n_adopting}",
            found.verdict,
            percent(found.mean_change, sign=True),
            interval_ends(*found.mean_interval),
            f"{found.p_value:.3f}",
            percent(found.given_record, sign=True),
            percent(found.set_aside, sign=True),
            ", ".join(found.withheld) or "none",
        )
        for look, found in zip(questions, answers, strict=True)
    ]
    head = (
        *("look", "authorities / began", "verdict", "change of the mean error", "95 % interval", "p"),
        *("on the test's scale: given its record", "six months set aside", "withheld by"),
    )
    return "### The primary look and the secondary ones\n\n" + _table(head, rows)


def _left_out(errors: pd.DataFrame, adoption: pd.DataFrame) -> str:
    panel = error_panel(errors, adoption, calendar=Calendar())
    table = leave_one_out(panel, permutations=1_000, seed=0)
    starters = {name for name, begins in zip(panel.segments, panel.adopting, strict=True) if begins}
    rows = [
        (
            f"**{row.segment}**" if row.segment in starters else row.segment,
            percent(row.relative_change, sign=True),
            interval_ends(row.interval_low, row.interval_high),
            f"{row.p_value:.3f}",
        )
        for row in table.itertuples()
    ]
    return (
        "### One authority less\n\nThose that began in bold; on the scale of the test, 1,000 assignments each.\n\n"
        + _table(("without", "change", "95 % interval", "p"), rows)
    )


def _checks(effect: PlanningEffect) -> str:
    rows = [
        ("errors already moving before the start (trend)", effect.trend_p_value),
        ("those that never began moved (controls)", effect.controls_p_value),
        ("the benchmark's own error moved (benchmark)", effect.benchmark_p_value),
        ("more months missing after than before (missing)", effect.missing_p_value),
        ("the same comparison 7 to 12 months before the start (placebo)", effect.placebo_p_value),
        ("the six months before the start were unusual (dip)", effect.dip_p_value),
    ]
    shown = [(name, "not to be told" if np.isnan(p) else f"{p:.3f}") for name, p in rows]
    return "### The checks\n\n" + _table(("what could mislead", "p"), shown)


def _event_study(effect: PlanningEffect) -> str:
    table = shown_months(effect)
    begun = table[table["event_time"] >= 0]
    spans = table.groupby(pd.cut(table["event_time"], [-25, -13, -7, -1, 5, 11, 24], right=True), observed=True)
    rows = [
        (f"{int(part['event_time'].min())} to {int(part['event_time'].max())}", percent(_mean(part), sign=True))
        for _, part in spans
    ]
    return (
        "### Month by month\n\n![Change of the error by months since joining](energy_imbalance_market.svg)\n\n"
        f"The last months rest on few authorities: {int(begun['n_segments'].max())} of those that began are there in"
        f" the first month, {int(begun['n_segments'].min())} in the last one shown. Means over the months:\n\n"
        + _table(("months since joining", "change against those that had not begun"), rows)
    )


def _mean(part: pd.DataFrame) -> float:
    return float(np.expm1(part["estimate"].mean()))


def _power(errors: pd.DataFrame, adoption: pd.DataFrame) -> str:
    panel = error_panel(errors, adoption, calendar=Calendar())
    table = power(panel, effect=0.0, seed=0, times=(1,))
    smallest = detectable_change(table, segments=len(panel.segments))
    rows = [(percent(row.relative_change, sign=True), percent(row.power)) for row in table.itertuples()]
    wanted = "no fall looked at" if np.isnan(smallest) else f"a fall of {percent(abs(smallest))}"
    return (
        "### What could have shown\n\nThese authorities' own histories, with a fall put in from the real months of"
        f" joining on, had every starter's errors fallen by as much: seen 4 of 5 times is {wanted}.\n\n"
        + _table(("fall", "seen"), rows)
    )


def _finely(value: float) -> str:
    return "none" if np.isnan(value) else f"{100 * value:.2f} %".replace("-", MINUS)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


# -- the picture -----------------------------------------------------------------------------------------


def shown_months(effect: PlanningEffect) -> pd.DataFrame:
    """Return the rows of the event study that are drawn: two years on either side, where there is a comparison."""
    table = effect.event_study
    return table[table["supported"] & table["event_time"].abs().le(SHOWN_MONTHS)].reset_index(drop=True)


def draw(effect: PlanningEffect) -> Figure:
    """Draw the change of the error by months since joining; the size of a dot is how many authorities are in it."""
    table = shown_months(effect)
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-6.5, -0.5, color="#eeeeee", zorder=0)
    axes.axhline(0, color="#777777", linewidth=0.8)
    axes.axvline(-0.5, color="#777777", linewidth=0.8)
    axes.scatter(table["event_time"], 100 * table["relative_change"], s=6 * table["n_segments"], color="#1f4e79")
    axes.annotate("six months\nset aside", (-3.5, 1), xycoords=("data", "axes fraction"), ha="center", va="top", size=7)
    axes.set_xlabel("Months since joining the market")
    axes.set_ylabel("Change of the error, %")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def picture(effect: PlanningEffect) -> bytes:
    """Return the picture as SVG, the same bytes each time."""
    out = BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "energy", "font.family": "sans-serif"}):
        draw(effect).savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def write(folder: Path, out: Path) -> None:
    """Write the result between plan and remarks of `out`, and the picture next to it."""
    plan, mark, rest = out.read_text(encoding="utf-8").partition(MARK)
    _, end, remarks = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"{out}: a line that bounds the result is missing: {MARK}{END}")
    text, effect = document(read(folder))
    out.write_text(f"{plan}{mark}\n{text}\n{end}{remarks}", encoding="utf-8")
    out.with_suffix(".svg").write_bytes(picture(effect))
    print(f"{effect.verdict}: {effect.sentence}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given = Path(os.environ.get("FORECAST_REAL_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=given / "eia930")
    parser.add_argument("--out", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    write(options.data, options.out)


if __name__ == "__main__":
    main()
