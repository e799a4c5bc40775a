"""No forecast sees the future: whatever is recorded after a day, the forecasts of that day stay the same to the byte.

The company is one in which much is recorded late (`futures`). Its log is compared with what an extraction on that
evening would have held, and with logs that go on otherwise from there: other stages, amounts and outcomes, closures
dated before the day and recorded after it, deals reopened, corrected and handed over, deals entered late, new segments,
levels, leads, marketing, submissions and dates of adoption. The plan stays: it is made in advance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.cli import app
from forecast.data.checks.validation import validate
from forecast.data.schema import QUANTILE_COLUMNS, TOTAL, Company, Log
from forecast.models.registry import MODELS, forecaster
from forecast.reporting.charts.flags import dated
from futures import CLOSING, Tables, another_future, eventful, known_by, local_days
from walks import own_walks

pytestmark = pytest.mark.usefixtures("kept_walks")
"""Where two snapshots hold the same to the byte, what was learned of the first serves the second: one that held
anything of the future would be walked through anew. `test_no_model_sees_the_future` walks anew in any case."""

SEED = 12
DAYS = ("2025-10-31", "2026-02-17")
"""A month's end and a day in the middle of a month."""
FUTURES = ("the evening's", "another", "a wilder one")
EVERY = (*MODELS, "submitted-sales")
CARRY = pytest.mark.parametrize("carry", [False, True], ids=["closed_on today's", "history carries closed_on"])
PAIRS = pytest.mark.parametrize(("day", "carry"), list(zip(DAYS, (False, True), strict=True)), ids=DAYS)
MONTHS_END_IS_LONG = pytest.mark.parametrize("day", [pytest.param(DAYS[0], marks=pytest.mark.long), DAYS[1]])
"""Each day and each kind of history once. Every future is held on both days with both kinds where the snapshots are
compared, whole; a forecaster is given the snapshot alone, so what it makes of them need not be held for all four.
"""


def in_turn(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return each name with a day, the days taking turns; `pipeline`, which all else rests on, with both."""
    turns = [(name, DAYS[at % 2]) for at, name in enumerate(names) if name != "pipeline"]
    return [*[("pipeline", day) for day in DAYS if "pipeline" in names], *turns]


@cache
def company(carry: bool = False) -> tuple[Tables, dict[str, object]]:
    return eventful(seed=SEED, carry=carry)


@cache
def tables_of(future: str, day: str, carry: bool = False) -> Tables:
    tables, about = company(carry)
    if future == "the evening's":
        return known_by(tables, day, str(about["timezone"]))
    wild = future == "a wilder one"
    return another_future(tables, day, about, seed=1 + wild, carry=carry, wild=wild)


def log_of(tables: Tables, **changes: object) -> Log:
    about = {**company()[1], **changes}
    return validate(tables, Company(**{**about, "fixed_at_creation": tuple(about["fixed_at_creation"])}))  # type: ignore[arg-type]


@cache
def real_log(carry: bool = False) -> Log:
    return log_of(company(carry)[0])


@cache
def other_log(future: str, day: str, carry: bool = False) -> Log:
    return log_of(tables_of(future, day, carry))


@cache
def forecast_of(day: str, model: str, carry: bool = False) -> pd.DataFrame:
    return forecaster(model)(forecast.snapshot(real_log(carry), as_of=day), months=6, seed=5)


def real(day: str, model: str, carry: bool = False) -> str:
    return written(forecast_of(day, model, carry))


def written(table: pd.DataFrame) -> str:
    """Return a table and its notes as text that shows every bit of every number."""
    return table.to_csv() + repr(table.attrs)


def differing(one: Tables, other: Tables, table: str) -> int:
    """Return how many rows of the first are not among the second's."""
    rows = [set(tables[table].to_csv(header=False, index=False).splitlines()) for tables in (one, other)]
    return len(rows[0] - rows[1])


# -- the futures differ ---------------------------------------------------------------------------------


@pytest.mark.slow
@CARRY
@pytest.mark.parametrize("day", DAYS)
def test_the_futures_are_others_in_everything_recorded_later(day: str, carry: bool):
    """What the tests below compare must differ, else they could not fail."""
    tables, about = company(carry)
    cut = pd.Timestamp(day)
    evening, other = tables_of("the evening's", day, carry), tables_of("a wilder one", day, carry)
    for name in ("opportunities", "opportunity_history", "leads", "submitted_forecasts", "marketing", "costs"):
        assert differing(tables, other, name) > 20, name
        assert len(evening[name]) < len(other[name]), name
    assert tables["plan"].equals(other["plan"])
    # Events and starts too: some announced and yet to come, whose days must stand; some known to come to an end.
    assert differing(tables, other, "events") > 20
    assert len(evening["events"]) < len(other["events"])
    assert (other["events"]["from"] <= cut).sum() > len(evening["events"])  # told later of days before
    assert ((evening["events"]["from"] > cut) & (evening["events"]["announced_on"] <= cut)).sum() > 5
    assert ((evening["events"]["to"] > cut) & (evening["events"]["announced_on"] <= cut)).sum() > 5
    assert differing(tables, other, "hierarchy") > 5  # ends that lie ahead, and places since
    assert len(evening["hierarchy"]) < len(other["hierarchy"])
    assert differing(tables, other, "joint_planning") >= (day == DAYS[0])
    ahead = evening["joint_planning"]["adopted_on"] > cut
    assert ahead.any()
    assert tables["joint_planning"]["adopted_on"][ahead].equals(other["joint_planning"]["adopted_on"][ahead])

    deals = tables["opportunities"].merge(other["opportunities"], on="opportunity_id", suffixes=("", "_other"))
    for name in ("stage", "amount", "outcome", "closed_on", "expected_close_on", "owner"):
        assert (deals[name].ne(deals[f"{name}_other"]) & deals[name].notna()).sum() > 20, name
    history = other["opportunity_history"]
    recorded = local_days(history["recorded_at"], str(about["timezone"]))
    closed = history["stage"].isin(list(CLOSING))
    was_closed = history.loc[(recorded <= cut) & closed, "opportunity_id"]
    reopened = (recorded > cut) & ~closed & history["opportunity_id"].isin(was_closed)
    assert reopened.sum() > 10
    late = other["opportunities"].loc[lambda f: f["closed_on"] <= cut, "opportunity_id"]
    assert ((recorded > cut) & closed & history["opportunity_id"].isin(late)).sum() > 2  # closed before, recorded after
    first = recorded.groupby(history["opportunity_id"]).min()
    created = other["opportunities"].set_index("opportunity_id")["created_on"]
    assert ((first > cut) & (created.reindex(first.index) <= cut)).sum() > 10  # entered late
    assert (other["opportunities"]["segment"] == "Aaland").sum() > 5


@pytest.mark.slow
@CARRY
@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("future", FUTURES)
def test_a_snapshot_holds_nothing_of_the_future(future: str, day: str, carry: bool):
    """Models read it through a replay that looks at the days once more, so that one slip alone would not show there."""
    one, other = (forecast.snapshot(log, as_of=day) for log in (real_log(carry), other_log(future, day, carry)))
    for field in fields(one):
        if field.name == "own_columns":
            continue  # of the extraction, as it says, and handed to no model
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, pd.DataFrame):
            pd.testing.assert_frame_equal(a, b, obj=field.name)
        else:
            assert a == b, field.name
    pd.testing.assert_frame_equal(dated(one), dated(other))  # what charts flag


# -- every model ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "day", "carry"),
    [
        pytest.param(model, day, carry, marks=[] if (model, day) in in_turn(EVERY) else pytest.mark.long)
        for day, carry in zip(DAYS, (False, True), strict=True)
        for model in EVERY
    ],
)
def test_no_model_sees_the_future(model: str, day: str, carry: bool):
    said = real(day, model, carry)
    assert ",,,," not in said or model.startswith("submitted")  # it did not abstain
    walking = own_walks() if model.startswith("pipeline") else contextlib.nullcontext()
    with walking:
        for future in FUTURES:
            snap = forecast.snapshot(other_log(future, day, carry), as_of=day)
            assert written(forecaster(model)(snap, months=6, seed=5)) == said, future


@pytest.mark.slow
@MONTHS_END_IS_LONG
def test_what_is_dated_ahead_moves_no_forecast_before_it_is_known(day: str):
    """Starts of joint planning and events that are announced later, in any order of rows; all else stands."""
    rng = np.random.default_rng(21)
    for future in FUTURES:
        other = tables_of(future, day)
        names = ("joint_planning", "events")
        mixed_up = {name: other[name].iloc[rng.permutation(len(other[name]))] for name in names}
        snap = forecast.snapshot(log_of(company()[0] | mixed_up), as_of=day)
        assert written(forecaster("pipeline")(snap, months=6, seed=5)) == real(day, "pipeline"), future


@pytest.mark.slow
@MONTHS_END_IS_LONG
@pytest.mark.parametrize("model", ["pipeline", "stage-age"])
def test_what_an_extraction_of_that_evening_says_is_what_is_said_in_hindsight(model: str, day: str):
    """Without deals that history does not tell of: of these the last day of a log shows today's values."""
    tables, about = company()
    told = tables["opportunity_history"]["opportunity_id"]
    whole = tables | {"opportunities": tables["opportunities"][tables["opportunities"]["opportunity_id"].isin(told)]}
    evening = known_by(whole, day, str(about["timezone"]))
    then = log_of(evening, extracted_on=pd.Timestamp(day))
    assert then.extracted_on == pd.Timestamp(day)
    tables_now = [
        forecaster(model)(forecast.snapshot(log, as_of=day), months=6, seed=5) for log in (then, log_of(whole))
    ]
    assert written(tables_now[0]) == written(tables_now[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("absent", "day"),
    [
        (("marketing", "leads"), DAYS[1]),
        (("stages",), DAYS[0]),
        (("stages",), DAYS[1]),
        (("currencies", "submitted_forecasts", "plan"), DAYS[0]),
    ],
)
def test_with_tables_absent_no_model_sees_the_future_either(absent: tuple[str, ...], day: str):
    every = (company()[0], *(tables_of(future, day) for future in (FUTURES[0], FUTURES[2])))
    kept = [{name: frame for name, frame in tables.items() if name not in absent} for tables in every]
    known = {"one_currency": True} if "currencies" in absent else {}  # else amounts without rates are refused
    snaps = [forecast.snapshot(log_of(tables, **known), as_of=day) for tables in kept]
    for model in ("pipeline", "stage-weighted-future", "ets"):
        said = [written(forecaster(model)(snap, months=4, seed=1)) for snap in snaps]
        assert said[1:] == said[:1] * (len(said) - 1), model


@pytest.mark.slow
@pytest.mark.parametrize(("model", "day"), in_turn(list(MODELS)))
def test_without_history_only_creation_and_closure_are_known(model: str, day: str):
    """Later values of open deals, later closures and later deals are out of sight; what has closed stands."""
    cut = pd.Timestamp(day)
    kept = {name: frame for name, frame in company()[0].items() if name != "opportunity_history"}
    deals = kept["opportunities"].copy()
    rng = np.random.default_rng(6)
    moving = ~(deals["closed_on"] <= cut) & (deals["created_on"] <= cut)
    deals.loc[moving, "amount"] = 1e9
    deals.loc[moving, "expected_close_on"] = cut
    won = rng.random(len(deals)) < 0.5
    for chosen, stage, outcome in ((moving & won, "Closed won", "won"), (moving & ~won, "Proposal", "open")):
        deals.loc[chosen, ["stage", "outcome"]] = [stage, outcome]
        deals.loc[chosen, "closed_on"] = cut + pd.Timedelta(days=1) if outcome == "won" else pd.NaT
        deals.loc[chosen, ["lost_reason"]] = None
        deals.loc[chosen, ["promised_on", "delivered_on"]] = pd.NaT
    unborn = deals["created_on"] > cut
    deals.loc[unborn, ["segment", "lead_source", "amount"]] = ["Aaland", "Podcast", 5e8]
    deals = deals[~unborn | won]
    assert len(deals) < len(kept["opportunities"]) - 50
    said = []
    for table in (kept["opportunities"], deals):
        leads = kept["leads"][kept["leads"]["opportunity_id"].isin(deals["opportunity_id"])]
        log = log_of(kept | {"opportunities": table, "leads": leads})
        said.append(written(forecaster(model)(forecast.snapshot(log, as_of=day), months=4, seed=1)))
    assert said[0] == said[1]


@pytest.mark.parametrize("extracted", ["2025-06-30", "2026-03-31"], ids=["that evening", "in hindsight"])
def test_what_a_stage_means_is_not_learned_from_what_came_later(extracted: str):
    """Without a table of stages their meaning is read off the deals that stand in them: off those of that day."""
    day, end = pd.Timestamp("2025-06-30"), pd.Timestamp(extracted)
    deals, history = [], []
    for number in range(60):
        born = pd.Timestamp("2024-01-10") + pd.Timedelta(days=10 * number)
        won, closes = number % 2 == 0, born + pd.Timedelta(days=90)
        deal = {"opportunity_id": f"O{number:02d}", "created_on": born, "segment": "East", "amount": 10.0 + number}
        deal |= {"expected_close_on": closes, "closed_on": closes if closes <= end else pd.NaT}
        moves = [(born, "Qualify"), (born + pd.Timedelta(days=30), "Handshake"), (closes, "Gone")]
        if won:
            moves.pop()  # a won deal stays where it is
        moves = [(when, stage) for when, stage in moves if when <= end]
        if not moves:
            continue
        deal |= {"stage": moves[-1][1], "outcome": ("won" if won else "lost") if closes <= end else "open"}
        deals.append(deal)
        for when, stage in moves:
            row = {
                "opportunity_id": deal["opportunity_id"],
                "recorded_at": when + pd.Timedelta(hours=9),
                "stage": stage,
            }
            history.append(row | {"amount": deal["amount"], "expected_close_on": closes})
    tables = {"opportunities": pd.DataFrame(deals), "opportunity_history": pd.DataFrame(history)}
    snap = forecast.snapshot(validate(tables, Company(extracted_on=end)), as_of=day)
    seen = snap.opportunities.set_index("opportunity_id")
    # Created 60 days before, shaken hands 30 days before: closes in August.
    assert seen.loc["O48", ["outcome", "stage"]].tolist() == ["open", "Handshake"]
    assert (seen["outcome"] == "won").sum() == 23  # created by 2025-04-01, every other one


@pytest.mark.slow
@pytest.mark.parametrize("model", ["pipeline", "stage-age"])
def test_a_later_value_does_not_change_how_a_column_is_read(model: str):
    """A column of numbers stays one on the day before somebody first writes a word into it."""
    day = DAYS[0]
    said = []
    for value in ("7", "large"):
        tables = {name: frame.copy() for name, frame in company()[0].items()}
        deals = tables["opportunities"]
        unborn = deals["created_on"] > pd.Timestamp("2025-11-30")
        sizes = deals["region_size"].map("{:.0f}".format)
        deals["region_size"] = sizes.mask(unborn, value).astype("str")
        history = tables["opportunity_history"]
        late = local_days(history["recorded_at"], str(company()[1]["timezone"])) > pd.Timestamp("2025-11-30")
        scores = (history["amount"] % 7).map("{:.0f}".format)
        history["fit"] = scores.mask(late, value).astype("str")
        said.append(written(forecaster(model)(forecast.snapshot(log_of(tables), as_of=day), months=4, seed=1)))
    assert said[0] == said[1]


# -- the files of the command line ------------------------------------------------------------------------


def folder_of(tables: Tables, place: Path) -> Path:
    place.mkdir()
    for name, table in tables.items():
        table.to_parquet(place / f"{name}.parquet", index=False)
    about = company()[1]
    lines = [f'timezone = "{about["timezone"]}"', f"extracted_on = {about['extracted_on']:%Y-%m-%d}"]
    lines += ['currency = "EUR"', 'fixed_at_creation = ["region_size"]']
    (place / "company.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        app.main(list(arguments))
    assert not ended.value.code


def mixed(tables: Tables) -> Tables:
    rng = np.random.default_rng(8)
    return {name: frame.iloc[rng.permutation(len(frame))] for name, frame in tables.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("day", "suffixes", "future"),
    [
        pytest.param(DAYS[0], ("csv", "parquet"), FUTURES[0], marks=pytest.mark.long),
        (DAYS[1], ("parquet", "csv"), FUTURES[2]),
    ],
    ids=DAYS,
)
def test_the_files_are_the_same_to_the_byte(
    day: str, suffixes: tuple[str, str], future: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    logs = {"real": company()[0], "shuffled": mixed(company()[0]), future: tables_of(future, day)}
    said: dict[str, list[bytes]] = {}
    for number, tables in enumerate(logs.values()):
        data = folder_of(tables, tmp_path / f"data{number}")
        for command, suffix in zip(("bookings", "deals"), suffixes, strict=True):
            out = tmp_path / f"{number}-{command}.{suffix}"
            run(command, "--data", str(data), "--as-of", day, "--seed", "7", "--months", "6", "--out", str(out))
            said.setdefault(out.name.split("-")[1], []).append(out.read_bytes())
    capsys.readouterr()
    assert list(said) == [f"bookings.{suffixes[0]}", f"deals.{suffixes[1]}"]
    for name, files in said.items():
        assert len(files[0]) > 2000
        for which, file in zip(logs, files, strict=True):
            assert file == files[0], (name, which)


# -- the backtest ------------------------------------------------------------------------------------------

ORIGINS = ("2025-08-31", "2025-09-30", "2025-10-31", "2025-11-30", "2025-12-31")
TOLERANCE, OF_QUANTILES = 1e-6, 1e-3
"""Of the mean: what one walk over several origins may differ by from walks of their own. A chance that differs in its
ninth digit may turn one of the thousands of coin tosses behind a quantile, hence the second."""
REORDERED = 1e-5
"""Of the mean, where levels that come later are coded too: sums run in another order, fits end within a tolerance."""


@cache
def track(*origins: str, future: str = "", day: str = "", carry: bool = False) -> pd.DataFrame:
    log = other_log(future, day, carry) if future else real_log(carry)
    return forecast.backtest(log, origins=origins, models=[*MODELS, "submitted-sales"], months=6, seed=5)


def at(table: pd.DataFrame, origin: str) -> pd.DataFrame:
    return table[table["origin"] == pd.Timestamp(origin)].drop(columns="observed").reset_index(drop=True)


def assert_close(one: pd.DataFrame, other: pd.DataFrame, *, tolerance: float = TOLERANCE) -> None:
    keys = ["model", "origin", "target_period", "horizon", "segment", "plan"]
    pd.testing.assert_frame_equal(one[keys], other[keys])
    for name in ("mean", "booked", "open_pipeline", "not_yet_created", *QUANTILE_COLUMNS):
        a, b = one[name].to_numpy(), other[name].to_numpy()
        assert (np.isnan(a) == np.isnan(b)).all(), name
        scale = np.maximum(np.abs(one["mean"]), 1.0)
        off = np.nan_to_num(np.abs(a - b) / scale)
        allowed = OF_QUANTILES if name in QUANTILE_COLUMNS else tolerance
        assert off.max() <= allowed, (name, float(off.max()), one["model"][int(off.argmax())])


@pytest.mark.slow
@PAIRS
@pytest.mark.parametrize("future", FUTURES)
def test_an_origin_of_a_backtest_sees_nothing_later(day: str, future: str, carry: bool):
    one, other = track(day, carry=carry), track(day, future=future, day=day, carry=carry)
    assert written(at(one, day)) == written(at(other, day))
    if future == "a wilder one":
        assert not np.array_equal(one["observed"], other["observed"], equal_nan=True)  # the future came otherwise


@pytest.mark.slow
@pytest.mark.parametrize("future", [pytest.param(FUTURES[1], marks=pytest.mark.long), FUTURES[2]])
def test_earlier_origins_of_a_backtest_see_nothing_later(future: str):
    """All origins are walked through in one replay of the last one's snapshot, which holds what came after."""
    one = track(*ORIGINS)
    other = track(*ORIGINS, future=future, day=ORIGINS[2])
    for origin in ORIGINS[:3]:
        assert_close(at(one, origin), at(other, origin), tolerance=REORDERED)
    late = at(one, ORIGINS[-1])["mean"] - at(other, ORIGINS[-1])["mean"]
    assert late.abs().max() > 100  # the last origin saw another past


@pytest.mark.slow
@pytest.mark.parametrize("origin", [ORIGINS[0], ORIGINS[2], ORIGINS[4]])
def test_an_origin_among_others_says_what_it_says_alone(origin: str):
    assert_close(at(track(*ORIGINS), origin), at(track(origin), origin))


@pytest.mark.slow
@pytest.mark.parametrize("origin", [ORIGINS[0], "2026-02-17"])
@pytest.mark.parametrize("model", EVERY)
def test_a_backtest_says_what_the_forecaster_says(model: str, origin: str):
    one, alone = track(origin), forecast_of(origin, model)
    part = at(one[one["model"] == model], origin)
    pd.testing.assert_frame_equal(part[list(alone.columns)], alone, check_flags=False, rtol=TOLERANCE)


# -- rows and names ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("day", "read"), list(zip(DAYS, (False, True), strict=True)), ids=["as given", "once read"])
def test_the_order_of_rows_changes_nothing(day: str, read: bool):
    log = replace(real_log(), tables=mixed(dict(real_log().tables))) if read else log_of(mixed(company()[0]))
    snap = forecast.snapshot(log, as_of=day)
    for model in EVERY:
        assert written(forecaster(model)(snap, months=6, seed=5)) == real(day, model), model


def renamed(names: dict[str, str]) -> Log:
    """Return the log with other names of segments, everywhere."""
    tables = {}
    for name, frame in company()[0].items():
        tables[name] = frame.assign(segment=frame["segment"].map(names)) if "segment" in frame else frame
    return log_of(tables)


def called_back(table: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    back = {new: old for old, new in names.items()} | {TOTAL: TOTAL}
    out = table.assign(segment=table["segment"].map(back).astype("str"))
    place = pd.Index([*sorted(names), TOTAL]).get_indexer(pd.Index(out["segment"]))
    block = np.arange(len(out)) // (len(names) + 1)
    return out.iloc[np.lexsort([place, block])].reset_index(drop=True)


def segment_names(change: str) -> dict[str, str]:
    old = sorted(company()[0]["opportunities"]["segment"].unique())
    if change == "in order":
        return {name: f"Region {k} – Südöst" for k, name in enumerate(old)}
    return {name: f"r{9 - k}" for k, name in enumerate(old)}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "day"), in_turn(EVERY))
def test_names_of_segments_that_sort_alike_change_nothing_but_names(model: str, day: str):
    names = segment_names("in order")
    table = forecaster(model)(forecast.snapshot(renamed(names), as_of=day), months=6, seed=5)
    back = called_back(table, names)
    pd.testing.assert_frame_equal(back, forecast_of(day, model), check_flags=False, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "day"), in_turn(EVERY))
def test_names_of_segments_in_another_order_change_nothing_but_the_draws(model: str, day: str):
    """Means to 1e-6; quantiles by no more than six standard deviations of what eight seeds show (of that cell or
    of the median cell of that quantile, relative to the mean, whichever is more) and 1 % of the mean (3 % of the
    combination's)."""
    names = segment_names("reversed")
    table = called_back(forecaster(model)(forecast.snapshot(renamed(names), as_of=day), months=6, seed=5), names)
    snap, plain = forecast.snapshot(real_log(), as_of=day), forecast_of(day, model)
    keys = ["target_period", "horizon", "segment"]
    pd.testing.assert_frame_equal(table[keys], plain[keys])
    for name in ("mean", "booked", "open_pipeline", "not_yet_created"):
        if name in plain:
            np.testing.assert_allclose(table[name], plain[name], rtol=1e-6, atol=1e-3, err_msg=name)
    columns = list(QUANTILE_COLUMNS)
    if model.startswith("submitted"):
        assert table[columns].isna().all().all()
        return
    again = np.stack([forecaster(model)(snap, months=6, seed=seed)[columns].to_numpy() for seed in range(8)])
    scale = plain[["mean"]].to_numpy() + 1.0
    relative = again.std(axis=0, ddof=1) / scale
    # The combination's width is read off the draws of 24 past origins, which all get other streams.
    slack = 0.03 if model == "combined" else 0.01
    noise = 6 * scale * np.maximum(relative, np.median(relative, axis=0)) + slack * scale
    assert (np.abs(table[columns].to_numpy() - again.mean(axis=0)) <= noise).all()


@pytest.mark.slow
@pytest.mark.parametrize(("day", "change"), list(zip(DAYS, ("in order", "reversed"), strict=True)))
def test_names_of_segments_leave_win_probabilities_as_they_are(day: str, change: str):
    """To 1e-5 of the probability: sums run in another order, and a fit ends within its own tolerance."""
    plain = forecast.win_probabilities(forecast.snapshot(real_log(), as_of=day))
    names = segment_names(change)
    table = forecast.win_probabilities(forecast.snapshot(renamed(names), as_of=day))
    numbers = plain.columns[2:-1]
    assert table["opportunity_id"].equals(plain["opportunity_id"])
    assert table["segment"].tolist() == plain["segment"].map(names).tolist()
    np.testing.assert_allclose(table[numbers], plain[numbers], rtol=1e-5, atol=1e-9)
