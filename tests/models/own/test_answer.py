# ruff: noqa: ARG001, ARG005
"""What a model of one's own returns: the table by hand, sums that agree, and every bad frame refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import FORECAST_COLUMNS, QUANTILE_COLUMNS
from forecast.errors import ModelError, ParameterError
from forecast.models.own.model import own_model
from forecast.models.registry import forecaster, own_or_name
from tiny import tiny_company

MONTHS = ("2026-03", "2026-04")
"""What is asked for in the middle of March: the month in progress, and one ahead."""
ROWS = [("North", "2026-03", 10.0), ("South", "2026-03", 20.0), ("North", "2026-04", 30.0), ("South", "2026-04", 40.0)]


@pytest.fixture(scope="module")
def snap(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    log = forecast.read(tiny_company(tmp_path_factory.mktemp("own") / "tiny"))
    return forecast.snapshot(log, as_of="2026-03-15")


def frame(rows: list[tuple[Any, ...]] = ROWS, **more: Any) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["segment", "target_period", "mean"]).assign(**more)


def table(snap: Snapshot, answer: Any, *, months: int = 1) -> pd.DataFrame:
    return forecaster(("mine", lambda snap, *, months, seed: answer))(snap, months=months, seed=0)


def cell(found: pd.DataFrame, segment: str, target: str, column: str = "mean") -> float:
    return found.set_index(["segment", "target_period"]).loc[(segment, target), column]


# -- by hand -------------------------------------------------------------------------------------------------


def test_means_add_up_to_total_and_to_the_quarter_in_progress(snap: Snapshot):
    found = table(snap, frame())
    assert list(found.columns) == [*FORECAST_COLUMNS, "plan", "p_at_least_plan"]
    assert set(found["model"]) == {"mine"}
    assert (found["origin"] == snap.as_of).all()
    assert found["target_period"].unique().tolist() == [*MONTHS, "FY26 Q1"]
    assert cell(found, "Total", "2026-03") == 30.0
    assert cell(found, "Total", "2026-04") == 70.0
    # The quarter: January's 2,500 of South and February's 900 of North are booked, March is forecast.
    assert cell(found, "South", "FY26 Q1") == 2500 + 20
    assert cell(found, "North", "FY26 Q1") == 900 + 10
    assert cell(found, "Total", "FY26 Q1") == 3430.0
    assert cell(found, "South", "2026-04", "plan") == 1500
    assert found[list(QUANTILE_COLUMNS)].isna().all(axis=None)
    assert found.attrs["notes"] == []


def test_some_quantiles_stay_with_their_rows_and_are_not_added(snap: Snapshot):
    found = table(snap, frame(q10=[5.0, 15.0, 20.0, 35.0], q90=[15.0, 25.0, 40.0, 45.0]))
    assert cell(found, "North", "2026-04", "q90") == 40.0
    assert np.isnan(cell(found, "Total", "2026-04", "q90"))
    assert np.isnan(cell(found, "North", "2026-04", "q50"))
    assert found["p_at_least_plan"].isna().all()
    assert found.attrs["notes"] == ["mine: no range of Total: those of segments do not add up; return it, or draws."]
    of_total = [*ROWS, ("Total", "2026-04", 70.0)]
    with_total = table(snap, frame(of_total, q10=[5.0, 15.0, 20.0, 35.0, 60.0]))
    assert cell(with_total, "Total", "2026-04", "q10") == 60.0
    assert with_total.attrs["notes"] == []


def test_all_quantiles_give_the_chance_of_the_plan(snap: Snapshot):
    ladder = {name: np.array([1.0, 2, 3, 4]) * 500 * (k + 1) for k, name in enumerate(QUANTILE_COLUMNS)}
    found = table(snap, frame(**ladder))
    # South in April: quantiles 2000, 4000, …; the plan of 1,500 lies below the lowest.
    assert cell(found, "South", "2026-04", "p_at_least_plan") == 1 - 0.025 / 2


def test_draws_give_total_and_quarters_their_ranges(snap: Snapshot):
    rng = np.random.default_rng(1)
    base = rng.normal(100, 10, 1000)
    draws = pd.concat(
        pd.DataFrame({"draw": range(1000), "segment": segment, "target_period": month, "amount": sign * base + 500})
        for month in MONTHS
        for segment, sign in (("North", 1.0), ("South", -1.0))
    )
    found = table(snap, draws.sample(frac=1, random_state=3))
    assert cell(found, "North", "2026-04") == pytest.approx(500 + base.mean())
    assert cell(found, "North", "2026-04", "q10") == pytest.approx(500 + np.quantile(base, 0.1))
    # What one segment gains the other loses: the Total is certain.
    for name in ("mean", *QUANTILE_COLUMNS):
        assert cell(found, "Total", "2026-04", name) == pytest.approx(1000.0)
    assert cell(found, "South", "FY26 Q1", "q50") == pytest.approx(2500 + 500 - np.median(base))


def test_what_is_left_out_is_empty_with_a_note_and_so_is_what_sums_it_up(snap: Snapshot):
    found = table(snap, frame(ROWS[:3]))
    assert np.isnan(cell(found, "South", "2026-04"))
    assert np.isnan(cell(found, "Total", "2026-04"))
    assert cell(found, "Total", "2026-03") == 30.0
    assert found.attrs["notes"] == [
        "mine: no number for 1 segment-month, first South 2026-04; what sums them up is empty too."
    ]
    nothing = table(snap, frame([]))
    assert nothing["mean"].isna().all()
    assert nothing.attrs["notes"] == ["mine: it returned no number."]


def test_a_total_may_be_forecast_without_its_segments(snap: Snapshot):
    found = table(snap, frame([("Total", "2026-03", 100.0), ("Total", "2026-04", 200.0)], q50=[90.0, 180.0]))
    assert cell(found, "Total", "2026-04") == 200.0
    assert cell(found, "Total", "2026-04", "q50") == 180.0
    assert cell(found, "Total", "FY26 Q1") == 3400 + 100
    assert np.isnan(cell(found, "North", "2026-04"))
    assert found.attrs["notes"] == ["mine: it forecasts the Total alone, not its segments."]


def test_a_month_may_be_a_date_or_a_period_and_rows_may_come_in_any_order(snap: Snapshot):
    plain = table(snap, frame())
    rows = frame().sample(frac=1, random_state=2)
    dates = rows.assign(target_period=pd.to_datetime(rows["target_period"]) + pd.Timedelta(days=9))
    periods = rows.assign(target_period=pd.PeriodIndex(rows["target_period"], freq="M"))
    indexed = rows.set_index(["segment", "target_period"])
    for given in (rows, dates, periods, indexed):
        pd.testing.assert_frame_equal(table(snap, given), plain)


def test_one_of_our_own_tables_comes_back_as_it_was(snap: Snapshot):
    ours = forecaster("ets")(snap, months=6, seed=0).assign(model="ets")
    again = table(snap, ours, months=6)
    pd.testing.assert_frame_equal(again[["mean", *QUANTILE_COLUMNS]], ours[["mean", *QUANTILE_COLUMNS]])


def test_its_own_notes_and_negative_means_are_told(snap: Snapshot):
    answer = frame([("North", "2026-03", -1.0), *ROWS[1:]])
    answer.attrs["notes"] = ["mine: by hand."]
    assert table(snap, answer).attrs["notes"] == ["mine: by hand.", "mine: 1 mean of a segment's month below 0."]


# -- refused ---------------------------------------------------------------------------------------------------


def _with(column: str, values: list[Any]) -> pd.DataFrame:
    return frame().assign(**{column: values})


BAD: dict[str, tuple[Any, str]] = {
    "nothing": (None, "it returned nothing"),
    "a list": ([1, 2], "it returned list, not a DataFrame"),
    "no mean": (frame().drop(columns="mean"), "there is no column 'mean'"),
    "no segment": (frame().rename(columns={"segment": "region"}), r"no column 'segment'.*columns: region"),
    "an unknown segment": (
        _with("segment", ["North", "Souht", "North", "South"]),
        r"row 1 \(Souht, .*'South'",
    ),
    "a segment that is a number": (_with("segment", ["North", 7, "North", "South"]), r"row 1 \(7, 2026-03\) 7 is no"),
    "a month outside": (
        _with("target_period", ["2026-03", "2026-03", "2026-05", "2026-04"]),
        "row 2 .*'2026-05' is not",
    ),
    "a month past": (_with("target_period", ["2026-02", "2026-03", "2026-04", "2026-04"]), r"'2026-02' is not among"),
    "no month": (_with("target_period", [None, "2026-03", "2026-04", "2026-04"]), "is not among the months"),
    "doubled rows": (frame([*ROWS, ROWS[0]]), r"row 4 \(North, 2026-03\) is there more than once"),
    "text": (_with("mean", ["a", 1, 2, 3]), r"mean: row 0 \(North, 2026-03\) 'a' is no finite number"),
    "infinity": (_with("mean", [1, np.inf, 2, np.inf]), r"mean: row 1 .* inf; row 3 .* inf are no finite number"),
    "truth values": (_with("mean", [True, False, True, True]), "mean: row 0 .* are no finite number"),
    "quantiles that cross": (frame(q10=[9.0] * 4, q90=[8.0, 10, 10, 10]), r"q90: row 0 .* is below a lower quantile"),
    "an unknown quantile": (frame(q95=1.0), "the column 'q95' is no quantile that is kept"),
    "quantiles alone": (_with("mean", [None, 1, 2, 3]).assign(q50=1.0), "without one, but with quantiles"),
    "a total that is no sum": (frame([*ROWS, ("Total", "2026-04", 71.0)]), "Total of 2026-04 is 71.00.*sum to 70.00"),
    "a column twice": (
        pd.concat([frame(), frame()[["mean"]]], axis=1),
        "the column 'mean' stands there more than once",
    ),
    "few draws": (frame().rename(columns={"mean": "amount"}).assign(draw=1), "draw: 1 different ones, where 100"),
    "draws with a hole": (
        frame(ROWS[:3]).rename(columns={"mean": "amount"}).merge(pd.DataFrame({"draw": range(100)}), how="cross"),
        "draws: 100 values missing, first South 2026-04 of draw 0",
    ),
    "draws of the Total": (
        frame([("Total", "2026-03", 1.0)]).rename(columns={"mean": "amount"}).assign(draw=1),
        "is no draw of a segment's month",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_frame_is_refused_with_model_day_place_and_mend(snap: Snapshot, name: str):
    answer, message = BAD[name]
    with pytest.raises(ModelError, match=f"(?s){message}") as refused:
        table(snap, answer)
    assert str(refused.value).startswith("mine at 2026-03-15: ")
    assert "\n  mend: " in str(refused.value)


def _raises(snap: Snapshot, *, months: int, seed: int) -> pd.DataFrame:
    return snap.opportunities[["no such column"]]  # what went wrong


def test_what_it_raises_is_told_with_the_line_of_its_own_code(snap: Snapshot):
    with pytest.raises(ModelError) as raised:
        forecaster(_raises)(snap, months=1, seed=0)
    text = str(raised.value)
    assert text.startswith("_raises at 2026-03-15: it raised KeyError: ")
    assert "test_answer.py, line " in text
    assert 'in _raises: return snap.opportunities[["no such column"]]' in text
    assert "pandas" not in text
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_model_that_exits_ends_nothing(snap: Snapshot):
    def leaves(snap, *, months, seed):
        raise SystemExit(3)

    with pytest.raises(ModelError, match=r"leaves at .* it raised SystemExit: 3"):
        forecaster(leaves)(snap, months=1, seed=0)


def good(snap, *, months, seed):
    return frame()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, "7 is neither a name nor a function"),
        (lambda snap, *, months, seed: None, "'<lambda>' is no name for a model"),
        (("a,b", good), "'a,b' is no name"),
        (("ETS", good), "'ETS' is the name of a forecaster of ours"),
        (("submitted-sales", good), "name of a forecaster of ours"),
        (("mine", 3), "neither a name nor a function"),
        (dict, "dict is a class"),
        (lambda: None, "no name"),
        (("mine", lambda snap: None), r"cannot be called as mine\(snap, months=6, seed=0\)"),
        ("no_such_module:mine", "the module 'no_such_module' cannot be imported"),
        ("forecast.errors:nearst", "has no 'nearst'; did you mean 'nearest'"),
        (":mine", "is not package.module:function"),
        ("pipelin", "did you mean 'pipeline'"),
    ],
)
def test_what_is_no_model_is_refused(given: Any, message: str):
    with pytest.raises(ParameterError, match=message):
        forecaster(given)


def test_a_model_cannot_harm_who_comes_after_it(snap: Snapshot):
    before = snap.opportunities.copy(deep=True)

    def spoils(snap, *, months, seed):
        for name in snap.opportunities:
            snap.opportunities[name] = None
        snap.history["stage"] = None
        return frame()

    forecaster(spoils)(snap, months=1, seed=0)
    pd.testing.assert_frame_equal(snap.opportunities, before)
    assert snap.history["stage"].notna().all()


def test_it_is_handed_plain_text_and_no_day_of_extraction(snap: Snapshot):
    seen: list[Snapshot] = []

    def looks(snap, *, months, seed):
        seen.append(snap)
        return frame()

    forecaster(looks)(snap, months=1, seed=0)
    assert seen[0].company.extracted_on == snap.as_of
    pd.testing.assert_frame_equal(seen[0].opportunities, snap.opportunities)


def test_a_model_by_its_name_in_the_folder_one_works_in(
    snap: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = "import pandas as pd\ndef mine(snap, *, months, seed):\n    return pd.DataFrame({'segment': ['North'], "
    text += "'target_period': ['2026-04'], 'mean': [float(seed)]})\nclass Kept:\n    best = staticmethod(mine)\n"
    (tmp_path / "models_of_mine.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = own_or_name("models_of_mine:mine")
    assert own_model(found).name == "mine"
    assert cell(forecaster("models_of_mine:mine")(snap, months=1, seed=9), "North", "2026-04") == 9.0
    assert set(forecaster("models_of_mine:Kept.best")(snap, months=1, seed=9)["model"]) == {"best"}


def test_a_model_of_an_installed_package_goes_by_the_name_of_its_entry_point(
    snap: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bringing.py").write_text("def theirs(snap, *, months, seed):\n    return None\n", encoding="utf-8")
    about = tmp_path / "bringing-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bringing\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[forecast.models]\nbrought = bringing:theirs\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelError, match="brought at 2026-03-15: it returned nothing"):
        forecaster("brought")(snap, months=1, seed=0)
    with pytest.raises(ParameterError, match="did you mean 'brought'"):
        forecaster("brouhgt")
