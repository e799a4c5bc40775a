"""The record of late beside the whole of it, in words: the headline where the model is off, alarms, and one table.

Everything a page says of a change is worded here, from the tables `lately`, `alarms` and `benchmark` of a month. No
sentence decides anything: whether there is an alarm is a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.alarms import FEWEST, LOOKS
from forecast.evaluation.judgement import Finding
from forecast.reporting.charts.figure import Format, Notes, TableColumns, TableView
from forecast.reporting.pages.bookings.sentences import headline as plain_headline
from forecast.reporting.pages.track import parted
from forecast.reporting.pages.track.prepare import BENCHMARK, OURS, order_of, reps_of
from forecast.reporting.pages.track.sentences import (
    A_MONTH,
    UNJUDGED,
    accuracy_sentences,
    company_sentence,
    model_name,
    span,
)
from forecast.reporting.pages.words import SKILL, evaluated

SIDES = ("too high", "too low")
"""The kinds of an alarm that have a side; the other is of ranges."""

RANGE = f"80{wording.THIN}% range"
NO_ALARM = "No alarm: nothing that is watched has changed of late by more than happens by itself"
CAPTION = "The record twice: over all months → over the last six"
FOLD = "The record twice, of every forecast and lead time"
WATCHED, WATCHED_FOLD = "What is asked each month", "Everything that is watched"
CLOSER = 0.75
"""What stands in missed by at most this share of what it stands in for."""

LEAD = "What has changed of late:"
ASKED = {"too high": "too high", "too low": "too low", "ranges": "outside its ranges"}
OF = {"segment": "segments", "total": "company"}

_PEOPLE = "submitted-"
_FIGURES = ("forecasts", "wape", "bias", "coverage80")


# -- the headline ---------------------------------------------------------------------------------------


def headline(
    row: Mapping[str, Any] | None,
    alarms: pd.DataFrame,
    benchmark: pd.DataFrame,
    *,
    company: Company,
    judged: Mapping[str, Finding] = UNJUDGED,
    whose: str = "",
) -> str:
    """Return the sentence that answers; where the benchmark has been closer it says so, and what that expects.

    Simple case: nothing speaks against the model. Two complications: it is under alarm, which comes first with what
    stands in; and over all months it has missed by more than the benchmark, beyond luck, which comes last.

    row : the headline's row of `bookings`. alarms, benchmark : the month's tables. judged : of the month's record.
    whose : that the number is not the model's, where it is not; the benchmark is then no yardstick of the model's.
    """
    plain = plain_headline(row, company=company)
    if row is None or not wording.known(row["mean"]):
        return plain
    alarm, period = company_alarm(alarms), str(row["target_period"])
    if alarm is not None and alarm["kind"] in SIDES:
        off = _off(row, alarm, benchmark, company=company)
        return " ".join(part for part in (off, beaten_sentence(judged)) if part)
    happened = "" if alarm is None else wording.sentence(what_happened(alarm))
    amount = _amount(benchmark, model=BENCHMARK, segment=TOTAL, period=period)
    says = f"the benchmark says {wording.money(amount, currency=company.currency)} for {wording.month(period)}"
    beaten = beaten_sentence(judged, says if wording.known(amount) else "")
    return " ".join(part for part in (plain, happened, whose or beaten) if part)


def beaten_sentence(judged: Mapping[str, Finding], says: str = "") -> str:
    """Return that the benchmark beats the model beyond luck; empty where it does not.

    Of the company's months, else of the segments'. says : what the benchmark expects, to end the sentence.
    """
    for level in ("total", "segment"):
        found = judged.get(f"skill {level}")
        if found is not None and found.verdict == "below":
            size = wording.percent(abs(found.estimate.value))
            beaten = f"over all lead times the model misses {A_MONTH[level]} by {evaluated(found, SKILL, size)}"
            return wording.sentence("; ".join(part for part in (beaten, says) if part))
    return ""


def _off(row: Mapping[str, Any], alarm: Mapping[str, Any], benchmark: pd.DataFrame, *, company: Company) -> str:
    """Return the headline under alarm: what happened, what stands in, and what the model says, without its range."""
    money, period = wording.in_currency(company.currency), str(row["target_period"])
    model = f"the model says {money(row['mean'])}"
    if wording.known(row.get("plan")):
        model += f"; plan {money(row['plan'])}"
    other = stand_in(alarm, benchmark, period=period, company=company)
    if other.endswith(wording.month(period)):
        return f"{wording.sentence(what_happened(alarm))} {wording.sentence(f'{other}; {model}')}"
    return " ".join(
        wording.sentence(part) for part in (what_happened(alarm), other, f"for {wording.month(period)} {model}")
    )


def company_alarm(alarms: pd.DataFrame) -> Mapping[str, Any] | None:
    """Return the row of the alarm on our forecast of the company, None where there is none; a side before ranges."""
    rows = alarms[alarms["alarm"] & (alarms["model"] == OURS) & (alarms["segment"] == TOTAL)]
    if rows.empty:
        return None
    order = rows.assign(_ranges=~rows["kind"].isin(SIDES), _over=-rows["evidence"] / rows["limit"])
    return sources.row(order.sort_values(["_ranges", "_over"]))


def record_answer(
    scores: pd.DataFrame,
    judged: Mapping[str, Finding],
    lately: pd.DataFrame,
    alarms: pd.DataFrame,
    forecasts: pd.DataFrame,
    parts: pd.DataFrame,
    *,
    company: Company,
    brief: bool = False,
) -> tuple[str, list[str]]:
    """Return the sentence that answers how good forecasts have been, and those on the rest of the record, told twice.

    Simple case: no alarm on the company's forecast; what holds over all comes first, then what holds of late. Under
    alarm that comes first, then the record before it began and since; over all only who was nearer. brief : for a page
    whose headline has told the alarm, and whose table has what people missed: of the company alone, since then first.
    """
    sentences = accuracy_sentences(scores, judged, people=not brief)
    company_first = company_sentence(scores, judged)
    whole = [company_first, *sentences] if company_first else sentences
    off = record_sentence(alarms, forecasts, period=nearest_period(forecasts), company=company)
    if not off:
        return whole[0], [part for part in (*whole[1:], lately_sentence(lately)) if part]
    levels = ("total",) if brief else ("total", "segment")
    told = [sentence for level in levels for sentence in parted.parted_sentences(parts, level=level)]
    told = told[::-1] if brief and told else [off, *told]
    others = ("" if brief else parted.people_parted(parts), parted.over_all_sentence(judged, levels=levels))
    return told[0], [part for part in (*told[1:], *others) if part]


# -- alarms ---------------------------------------------------------------------------------------------


def record_sentence(alarms: pd.DataFrame, forecasts: pd.DataFrame, *, period: str, company: Company) -> str:
    """Return the alarm on our forecast of the company with what stands in for it in a period; empty without one."""
    alarm = company_alarm(alarms)
    if alarm is None:
        return ""
    other = stand_in(alarm, forecasts, period=period, company=company)
    return " ".join(wording.sentence(part) for part in (what_happened(alarm), other) if part)


def alarm_sentences(
    alarms: pd.DataFrame, *forecasts: pd.DataFrame, period: str, company: Company, past: pd.DataFrame | None = None
) -> list[str]:
    """Return the other alarms: our ranges, people, segments; strongest first.

    Simple case: no alarm on the company's forecast; each is a sentence, with what stands in. Where there is one, it has
    said what stands in: people who are off to the same side are one sentence, and so are the segments, of which none is
    singled out where all show the same.

    forecasts : forecast tables of today, of the benchmark and, for people, of the model. past : the month's `backtest`.
    """
    first = company_alarm(alarms)
    rows = alarms[alarms["alarm"]]
    too = segments = ""
    if first is not None and first["kind"] in SIDES:
        same = rows["kind"] == first["kind"]
        people = rows[rows["model"].str.startswith(_PEOPLE) & same].sort_values("evidence", ascending=False)
        too, segments = _people_too(people, kind=first["kind"]), segments_too(first, past)
        told = people.index.union(rows.index[same & (rows["segment"] != TOTAL)] if segments else [])
        rows = rows.drop(index=told)
    rows = rows.assign(_over=rows["evidence"] / rows["limit"])
    rows = rows.assign(_segment=rows["segment"] != TOTAL, _people=rows["model"] != OURS)
    sentences = []
    order = rows.sort_values(["_segment", "_people", "_over"], ascending=[True, True, False])
    for row in sources.records(order):
        if first is not None and all(row[name] == first[name] for name in ("model", "segment", "kind")):
            continue
        other = stand_in(row, *forecasts, period=period, company=company, model_is_off=first is not None)
        sentences.append(" ".join(wording.sentence(part) for part in (what_happened(row), other) if part))
    return [*sentences, *(each for each in (too, segments) if each)]


def _people_too(rows: pd.DataFrame, *, kind: str) -> str:
    """Return the people's forecasts that are under an alarm of the model's kind, in one sentence; empty for none."""
    whose = []
    for row in sources.records(rows):
        many = _last_forecasts(str(row["model"]), row["n"])
        if row["n_side"] < row["n"]:
            many = f"{wording.spelt(row['n_side'])} of {many}"
        sizes = f" by {wording.percents(row['low'], row['high'])}" if wording.known(row["low"]) else ""
        before = f" ({wording.percent(row['bias_before'], sign=True)} {_window(row)})" if _has_before(row) else ""
        whose.append(f"{many}{sizes}{before}")
    return f"{sources.capitalised(kind)} as well: {wording.joined(whose)}." if whose else ""


def segments_too(alarm: Mapping[str, Any], past: pd.DataFrame | None) -> str:
    """Return that all segments were off to the side of the company's alarm, each over its months; else empty.

    alarm : on our forecast of the company. past : the month's `backtest`; its shortest lead time is what is watched.
    """
    if past is None or alarm["kind"] not in SIDES:
        return ""
    rows = past[(past["model"] == OURS) & (past["segment"] != TOTAL) & past["observed"].notna() & past["mean"].notna()]
    rows = rows[~is_quarter(rows["target_period"]) & (rows["horizon"] >= 1)]
    rows = rows[(rows["horizon"] == rows["horizon"].min()) & (rows["target_period"] >= alarm["first"])]
    sums = rows.groupby("segment")[["mean", "observed"]].sum()
    off = rows["mean"] > rows["observed"] if alarm["kind"] == "too high" else rows["mean"] < rows["observed"]
    way = sums["mean"] > sums["observed"] if alarm["kind"] == "too high" else sums["mean"] < sums["observed"]
    if len(sums) < 2 or not way.all():
        return ""
    segments = sources.count(rows.drop_duplicates("segment"))
    every = sources.capitalised(wording.of_all(segments, segments, "segment"))
    count = f"{wording.in_full(sources.count(rows[off]))} of {wording.in_full(sources.count(rows))}"
    return f"{every} show it: {count} forecasts of their months were {alarm['kind']}."


def watched_sentence(alarms: pd.DataFrame) -> str:
    """Return what is watched, and how often all of it together gives a false alarm."""
    if alarms.empty or alarms["months"].max() < FEWEST:
        few = "Too few months have settled to see whether anything has changed of late"
        return f"{few}: {wording.spelt(FEWEST)} are needed."
    asked = wording.plural(sources.count(alarms), "question")
    budget = f"All {asked} asked each month together give a false alarm at most once"
    budget = f"{budget} in {wording.spelt(LOOKS // 12)} years, if forecasts keep what they promise."
    return budget if alarms["alarm"].any() else f"{NO_ALARM}. {budget}"


def what_happened(row: Mapping[str, Any]) -> str:
    """Return what the months of an alarm were like: `the model’s last five forecasts … were all too high, by …`."""
    n, side = row["n"], row["n_side"]
    if row["kind"] not in SIDES:
        if n == 1:
            return f"the model’s last {RANGE}{_where(row)} did not hold what came"
        ranges = f"of the model’s last {wording.spelt(n)} {RANGE}s{_where(row)}"
        return (
            f"none {ranges} held what came" if side == n else f"{ranges} {wording.spelt(side)} did not hold what came"
        )
    whose = _last_forecasts(str(row["model"]), n) + _where(row) + _since(row)
    sizes = f", by {wording.percents(row['low'], row['high'])}" if wording.known(row["low"]) else ""
    if n == 1:
        happened = f"{whose} was {row['kind']}{sizes}"
    elif side == n:
        happened = f"{whose} were {'both' if n == 2 else 'all'} {row['kind']}{sizes}"
    else:
        happened = f"of {whose} {wording.spelt(side)} {'was' if side == 1 else 'were'} {row['kind']}{sizes}"
    return happened + _before(row)


def stand_in(
    row: Mapping[str, Any], *forecasts: pd.DataFrame, period: str, company: Company, model_is_off: bool = True
) -> str:
    """Return what to take instead while an alarm lasts; empty for ranges.

    forecasts : forecast tables of today, of the benchmark and, for people, of the model.

    Simple case: the benchmark was closer in the same months, and this is its number. For people the model comes first,
    unless it is off itself. Where neither was clearly closer (`CLOSER`) its number is given as what it is.
    """
    if row["kind"] not in SIDES:
        return ""
    candidates = [("the benchmark", BENCHMARK, row["wape_benchmark"])]
    if str(row["model"]).startswith(_PEOPLE) and not model_is_off:
        candidates.insert(0, ("the model", OURS, row["wape_model"]))
    known = [candidate for candidate in candidates if wording.known(candidate[2])]
    if not known:
        return "there is no benchmark for those months that could stand in"
    closer = [candidate for candidate in known if candidate[2] <= CLOSER * row["wape"]]
    name, model, miss = (closer or known)[0]
    misses = f"{wording.percent(miss)} against {wording.percent(row['wape'])}"
    amount = _amount(*forecasts, model=model, segment=str(row["segment"]), period=period)
    says = f"says {wording.money(amount, currency=company.currency)} for {wording.month(period)}"
    if str(row["model"]).startswith(_PEOPLE):
        says += ", of the whole company"
    if not closer:
        not_closer = f"nothing stands in well: since then {name} missed by {misses}"
        return f"{not_closer}, and {says}" if wording.known(amount) else not_closer
    instead = f"{name}, closer since then (it missed by {misses}),"
    return f"{instead} {says}" if wording.known(amount) else f"{instead} stands in"


def _amount(*forecasts: pd.DataFrame, model: str, segment: str, period: str) -> float:
    """Return what a model expects of a segment's period in the first of some forecast tables that says it, else NaN."""
    for table in forecasts:
        rows = table[(table["model"] == model) & (table["segment"] == segment) & (table["target_period"] == period)]
        if len(rows):
            return sources.row(rows)["mean"]
    return float("nan")


def nearest_period(forecasts: pd.DataFrame) -> str:
    """Return the quarter in progress (else the next, else the next month) of a forecast table; empty where it is."""
    rows = forecasts[is_quarter(forecasts["target_period"])]
    rows = forecasts if rows.empty else rows
    return "" if rows.empty else str(rows.sort_values(["horizon", "target_period"])["target_period"].iloc[0])


def _where(row: Mapping[str, Any]) -> str:
    """Return ` of the company’s month`, ` of a month in Iberia`; nothing for people, who forecast what they choose."""
    if str(row["model"]).startswith(_PEOPLE):
        return ""
    segment = str(row["segment"])
    return " of the company’s month" if segment == TOTAL else f" of a month in {wording.label(segment)}"


def _last_forecasts(model: str, n: int) -> str:
    """Return `the model’s last five forecasts`, `sales’ last five forecasts`, `the last five joint forecasts`."""
    many = "last forecast" if n == 1 else f"last {wording.spelt(n)} forecasts"
    if model == OURS:
        return f"the model’s {many}"
    name = model_name(model)
    if name == "joint forecast":
        return f"the {many.replace('forecast', 'joint forecast')}"
    return f"{name.removesuffix(' forecast')} {many}"


def _since(row: Mapping[str, Any]) -> str:
    """Return `, from May 2026 on,`, of the company's months; nothing for people and segments, told after these."""
    if row["model"] != OURS or row["segment"] != TOTAL:
        return ""
    first = wording.month(row["first"])
    return f", {first}," if row["n"] == 1 else f", from {first} on,"


def _before(row: Mapping[str, Any]) -> str:
    """Return how forecasts were before, of the company and of people: `; in the 18 months before, they came to …`."""
    if not _has_before(row) or (row["model"] == OURS and row["segment"] != TOTAL):
        return ""
    return f"; {_window(row)}, they came to {parted.in_sum(row['bias_before'])}"


def _has_before(row: Mapping[str, Any]) -> bool:
    """Return whether anything is known of the months before those an alarm speaks of."""
    return row["months"] > row["n"] and wording.known(row["bias_before"])


def _window(row: Mapping[str, Any]) -> str:
    """Return `in the 18 months before`."""
    count = row["months"] - row["n"]
    return "in the month before" if count == 1 else f"in the {wording.plural(count, 'month')} before"


# -- the record twice -----------------------------------------------------------------------------------


def lately_sentence(lately: pd.DataFrame, *, level: str = "total") -> str:
    """Return the model's record at the shortest lead time, of late and over all; empty where one is the other."""
    rows = lately[(lately["model"] == OURS) & (lately["level"] == level) & (lately["n_lately"] > 0)]
    if rows.empty:
        return ""
    row = sources.row(rows.sort_values("horizon"))
    if row["n"] == row["n_lately"]:
        return ""
    what = A_MONTH[level]
    parts = [f"missed {what} {wording.ahead(row['horizon'])} by {_twice(row, 'wape')}"]
    if wording.known(row["bias_lately"]) and wording.known(row["bias"]):
        parts.append(f"forecast {parted.in_sum(row['bias_lately'])} in sum (over all {parted.in_sum(row['bias'])})")
    if wording.known(row["coverage80_lately"]):
        parts.append(f"its {RANGE}s held {_held(row, '_lately')} (over all {_held(row, '')})")
    return f"Of late, {span(row['first'], row['last'])}, the model {wording.joined(parts)}."


def _twice(row: Mapping[str, Any], name: str) -> str:
    return f"{wording.percent(row[f'{name}_lately'])} (over all {wording.percent(row[name])})"


def _held(row: Mapping[str, Any], late: str) -> str:
    """Return `5 of 6`: ranges that held what came, of all there were."""
    return wording.held(row[f"coverage80{late}"], row[f"n{late}"])


def record_table(lately: pd.DataFrame, parts: pd.DataFrame | None = None, *, brief: bool = False) -> TableView | Notes:
    """Return the record twice as a table, folded unless `brief`; nothing where all months are the last ones.

    parts : the month's table `parted`; where it has rows, there is an alarm, the record before it began and since.
    """
    since = "" if parts is None else parted.since_of(parts)
    if not since and not (lately["n"] > lately["n_lately"]).any():
        return Notes([])
    table, shown = twice(lately if not since or parts is None else parts, brief=brief), twice_columns()
    title = f"The record twice: before {wording.month(since)} → since" if since else CAPTION
    if not brief:
        return TableView(table, title, fold=FOLD, most=200, right=_FIGURES, **shown)
    caption = f"{title}, {wording.ahead(sources.row(table)['horizon'])}"
    names = [f"{model_name(row['model'])}, {OF[row['level']]}" for row in sources.records(table)]
    narrow = table.drop(columns=["horizon", "level"]).assign(model=names)
    shown["formats"] = dict.fromkeys(_FIGURES, str)
    return TableView(narrow, caption, right=_FIGURES, **shown)


def watched_table(alarms: pd.DataFrame) -> TableView | Notes:
    """Return what is watched as a folded table; nothing where nothing is, or too shortly to raise an alarm."""
    if alarms.empty or alarms["months"].max() < FEWEST:
        return Notes([])
    return TableView(watched(alarms), WATCHED, fold=WATCHED_FOLD, **watched_columns())


def twice(lately: pd.DataFrame, *, brief: bool = False) -> pd.DataFrame:
    """Return the record for reading: forecast, level, months ahead, and each figure twice in a cell.

    lately : the month's table, for figures over all and of late, or `parted`, for those before and since an alarm.

    What nobody forecast is left out. brief : of the model, people and the benchmark alone, at the shortest lead time:
    those of the company, then what people forecast for segments only, with model and benchmark for segments too.
    Single reps are in the table of the month only.
    """
    rows = lately[~lately["model"].isin(reps_of(lately))]
    rows = rows[rows["n"] > 0]
    rank = {name: i for i, name in enumerate(order_of(rows["model"].unique()))}
    rows = rows.assign(_order=rows["model"].map(rank)).sort_values(["_order", "level", "horizon"])
    if brief:
        shown = rows["model"].isin([OURS, BENCHMARK]) | rows["model"].str.startswith(_PEOPLE)
        rows = rows[shown & (rows["horizon"] == rows["horizon"].min())]
        rows = rows[_of_like_with_like(rows)].sort_values("level", ascending=False, kind="stable")  # "total" first
    cells = {"forecasts": [wording.counts(*pair) for pair in _pairs(rows, "n")]}
    for name, sign in (("wape", False), ("bias", True), ("coverage80", False)):
        cells[name] = [wording.moved(*pair, sign=sign) for pair in _pairs(rows, name)]
    return rows[["model", "level", "horizon"]].assign(
        **{name: pd.Series(texts, index=rows.index, dtype="str") for name, texts in cells.items()}
    )


def _of_like_with_like(rows: pd.DataFrame) -> pd.Series:
    """Return which rows a short record shows: each forecast once, for the company where it is made for it.

    Where people forecast segments only, the model and the benchmark are shown for segments as well: the miss of a
    segment is larger than that of the company.
    """
    of_company = rows["level"] == "total"
    only_segments = ~rows["model"].isin(rows.loc[of_company, "model"])
    mixed = of_company.any() and only_segments.any()
    return of_company | only_segments | (mixed & rows["model"].isin([OURS, BENCHMARK]))


def _pairs(rows: pd.DataFrame, name: str) -> list[tuple[float, float]]:
    """Return a figure over all and of late, or before and since, one pair a row."""
    ends = (f"{name}_before", f"{name}_since") if f"{name}_since" in rows else (name, f"{name}_lately")
    return list(zip(*(sources.column(rows, end) for end in ends), strict=True))


def twice_columns() -> TableColumns:
    """Return headers and formats of what `twice` gives."""
    columns = {"model": "forecast", "level": "of", "horizon": "months ahead", "forecasts": "forecasts"}
    columns |= {"wape": "miss (WAPE)", "bias": "too high (bias)", "coverage80": f"inside {RANGE}"}
    formats: dict[str, Format] = {"model": model_name, "level": OF.__getitem__}
    return {"columns": columns, "formats": formats | dict.fromkeys(_FIGURES, str)}


def watched(alarms: pd.DataFrame) -> pd.DataFrame:
    """Return what is watched for reading, what is nearest to an alarm first; a table of the page."""
    over = alarms["evidence"] / alarms["limit"]
    whole = alarms["segment"] == TOTAL
    people = alarms["model"].str.startswith(_PEOPLE)
    of = alarms["segment"].mask(whole & ~people, "the company").mask(whole & people, "all they forecast")
    table = alarms.assign(over=over, of=of).loc[over.sort_values(ascending=False).index]
    return sources.named(table, "watched")


def times(value: float) -> str:
    """Return how many times its limit evidence is: `2.4`, `0.49`; below a hundredth 0."""
    return wording.number(0.0 * value if value < 0.005 else value, digits=2)


def watched_columns() -> TableColumns:
    """Return headers and formats of what `watched` gives."""
    columns = {"model": "forecast", "of": "of", "kind": "has become", "months": "months watched"}
    columns |= {"over": "evidence, times its limit", "alarm": "alarm"}
    formats: dict[str, Format] = {"model": model_name, "kind": ASKED.__getitem__, "over": times}
    return {"columns": columns, "formats": formats}
