"""The explorer without a browser: widgets' values are set, and what they show changes as it should."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import forecast
from forecast import sources, wording
from forecast.errors import DataError, ParameterError
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.explorer import days, sentences
from forecast.reporting.explorer.days import Day
from forecast.reporting.explorer.explorer import Explorer
from forecast.reporting.explorer.scenario import Levers, scenario
from forecast.reporting.explorer.scenario_file import read_scenario
from forecast.reporting.explorer.work import BUSY
from forecast.wording import MINUS
from forecast.wording import THIN as T
from tiny import OPPORTUNITIES, edited, tiny_company

pytestmark = pytest.mark.usefixtures("kept_walks")

DAY = "2026-10-31"
IMPROVED = pd.DataFrame(
    [{"verdict": "improved", "relative_change": -0.4, "interval_low": -0.6, "interval_high": -0.1, "sentence": "Fell"}]
)


@pytest.fixture(scope="module")
def log(sample):
    return forecast.read(sample)


@pytest.fixture(scope="module")
def deals(log):
    return forecast.win_probabilities(forecast.snapshot(log, as_of=DAY))


@pytest.fixture(scope="module")
def shared(log, deals, tmp_path_factory) -> Explorer:
    return Explorer(log, as_of=DAY, deals=deals, planning=IMPROVED, scenarios=tmp_path_factory.mktemp("explore") / "in")


@pytest.fixture
def explorer(shared) -> Iterator[Explorer]:
    """One explorer for all tests, everything back after each."""
    yield shared
    shared.tabs.selected_index = 0
    shared.panel.reset.click()
    shared.table.search.value, shared.table.stage.value, shared.table.owner.value = "", "", ""
    shared.table.sort.value, shared.table.direction.value = "amount", True
    shared.segment.value, shared.product.value, shared.day.value = "Total", "", DAY
    shared.name.value, shared.saved.value = "what-if", ""


def look(explorer: Explorer, tab: str) -> None:
    explorer.tabs.selected_index = sentences.TABS.index(tab)


def test_an_alarm_on_the_companys_forecast_is_said_of_every_answer():
    alarm = {
        "alarm": True,
        "model": "pipeline",
        "segment": "Total",
        "kind": "too high",
        "evidence": 500.0,
        "limit": 9.0,
    }
    alarm |= {"n": 5, "n_side": 5, "low": 0.87, "high": 3.6, "bias_before": 0.01, "first": "2026-05", "months": 23}
    alarms = pd.DataFrame([alarm])
    said = sentences.caveat(alarms)
    assert said.startswith(
        "The model’s last five forecasts of the company’s month, from May 2026 on, were all too high, by "
        f"87–360{T}%; in the 18 months before, they came to 1{T}% more than was booked; "
    )
    assert said.endswith(f"; {sentences.STILL_OFF}. {sentences.CAVEAT}")
    for quiet in (None, alarms.assign(alarm=False), alarms.assign(segment="North"), alarms.iloc[:0]):
        assert sentences.caveat(quiet) == sentences.CAVEAT


def test_the_answer_says_what_it_supposes():
    change, nan = "The levers add €1 to 6 months: €2 in all", float("nan")
    names = ["marketing's pipeline", "win rate", "cycle time", "slippage", "deals set by hand"]
    rows = pd.DataFrame({"lever": names, "moved": [0.0, 0.1, 0.0, nan, nan], "change": [0.0, 1.0, 0.0, 0.0, 0.0]})
    ten = f"10{T}%"
    said = sentences.supposed(change, rows)
    assert said == f"If every chance to win were {ten} higher, the levers add €1 to 6 months: €2 in all"
    rows = rows.assign(moved=[-0.1, 0.0, -0.2, nan, nan], change=[-1.0, 0.0, 1.0, 2.0, 3.0])
    assert sentences.supposed(change, rows).startswith(
        f"If marketing's pipeline still to come were {ten} lower, the time to a win were 20{T}% shorter, open deals "
        "were won later and open deals ended as set by hand, the levers add"
    )
    assert sentences.supposed(change, rows.assign(change=0.0)) == change


def finding(explorer: Explorer) -> str:
    return explorer.answer(explorer.moved())[0].sentence  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lever", "value"), [("leads", 0.5), ("win_rate", 0.1), ("cycle_time", 0.3), ("slippage", 1.0)]
)
def test_a_lever_changes_what_is_shown(explorer, lever, value):
    before = explorer.picture.value
    assert "No lever is moved" in before
    explorer.levers[lever].value = value
    after = explorer.picture.value
    assert "The levers add" in after or "The levers take" in after
    assert after.count("<figure") == 2
    explorer.panel.reset.click()
    assert explorer.levers[lever].value == 0
    assert explorer.picture.value == before


@pytest.mark.slow
def test_all_levers_back_draws_once(explorer, monkeypatch):
    explorer.levers["win_rate"].value, explorer.levers["slippage"].value = 0.2, 1.0
    drawn = []
    monkeypatch.setattr(explorer.panel, "_changed", lambda: drawn.append(1))
    explorer.panel.back()
    assert not drawn


def is_grey(widget: Any) -> bool:
    return BUSY in widget._dom_classes


@pytest.mark.slow
def test_a_tab_is_grey_until_it_is_of_what_the_controls_say(explorer):
    for tab in ("Pipeline", "Deals", "What if"):
        look(explorer, tab)
    assert not any(map(is_grey, (explorer.picture, explorer.pipe, *explorer.table.follows)))
    pipe, rows = explorer.pipe.value, explorer.table.rows.options
    explorer.segment.value = "Iberia"
    assert not is_grey(explorer.picture)
    assert all(map(is_grey, (explorer.pipe, *explorer.table.follows)))
    assert (explorer.pipe.value, explorer.table.rows.options) == (pipe, rows)
    look(explorer, "Deals")
    assert set(explorer.table.listed()["segment"]) == {"Iberia"}
    assert not any(map(is_grey, explorer.table.follows))
    assert is_grey(explorer.pipe)
    explorer.levers["win_rate"].value = 0.3  # from the keyboard, say
    assert is_grey(explorer.picture)
    look(explorer, "What if")
    assert "Iberia" in explorer.picture.value
    assert not is_grey(explorer.picture)


@pytest.mark.slow
@pytest.mark.parametrize("tab", sentences.TABS)
@pytest.mark.parametrize("error", [DataError("the tables disagree", mend="mend them"), ValueError("seven")])
def test_where_a_tab_fails_the_reason_stands_in_place_of_the_old_picture(explorer, monkeypatch, tab, error):
    def fail(*_: object) -> None:
        raise error

    look(explorer, tab)
    explorer.levers["win_rate"].value = 0.15  # beside no saved scenario it is compared as it stands
    pictures = (explorer.picture, explorer.pipe, explorer.table.why, explorer.shelf.picture)
    shown = dict(zip(sentences.TABS, pictures, strict=True))[tab]
    with monkeypatch.context() as broken:
        broken.setattr(Day, "scenario", fail)
        broken.setattr(Explorer, "deals", fail)
        explorer.segment.value = "Alps"
        assert (
            "The tables disagree. Mend them." if isinstance(error, DataError) else "ValueError: Seven."
        ) in shown.value
        assert "<svg" not in shown.value
        assert not is_grey(shown)
        if tab == "Deals":
            assert explorer.table.rows.options == ()
            assert explorer.table.count.value == ""
    explorer.segment.value = "Total"
    assert "ValueError" not in shown.value
    assert "disagree" not in shown.value


@pytest.mark.slow
def test_what_was_saved_is_not_said_of_what_is_moved_then(explorer):
    explorer.save.click()
    assert "Saved" in explorer.saved.value
    explorer.levers["win_rate"].value = 0.35
    assert explorer.saved.value == ""


@pytest.mark.slow
def test_the_same_scenario_is_worked_out_once(explorer, monkeypatch):
    made = []
    monkeypatch.setattr(days, "scenario", lambda *given, **more: (made.append(1), scenario(*given, **more))[1])
    explorer.levers["win_rate"].value = 0.45
    for segment in ("Alps", "Iberia", "Total"):
        explorer.segment.value = segment
    assert len(made) == 1


def test_names_are_whole_and_told_apart(tmp_path):
    lines = OPPORTUNITIES
    for line, product in (
        (7, "GTX Plus Basic"),
        (8, "GTX Plus Pro"),
        (9, "A product of a name too long for any list of choices"),
    ):
        lines = edited(lines, line, product=product)
    folder = tiny_company(tmp_path / "data", opportunities=lines)
    explorer = Explorer(forecast.read(folder), as_of="2026-03-31")
    shown = [label for label, _ in explorer.product.options]
    assert {"GTX Plus Basic", "GTX Plus Pro"} <= set(shown)
    look(explorer, "Deals")
    listed = [label for label, _ in explorer.table.rows.options]
    for name in ("GTX Plus Basic", "GTX Plus Pro"):
        assert any(name in label.replace("\N{NO-BREAK SPACE}", " ") for label in listed)
    long = next(name for _, name in explorer.product.options if name.startswith("A product"))
    explorer.product.value = long
    assert explorer.product.tooltip == long
    explorer.product.value = "GTX Plus Pro"
    assert explorer.product.tooltip is None


@pytest.mark.slow
def test_the_shares_are_of_the_segment_shown(explorer):
    explorer.segment.value = "Iberia"
    explorer.levers["win_rate"].value, explorer.levers["slippage"].value = 0.2, 0.5
    _, months, shares, *_ = explorer.answer(explorer.moved())
    change = months.table["scenario"].sum() - months.table["base"].sum()
    assert shares.table["change"].sum() == pytest.approx(change)
    assert "Iberia" in shares.subtitle
    explorer.segment.value = "Total"
    whole = explorer.answer(explorer.moved())[2].table["change"].sum()
    assert abs(whole) > abs(change)


@pytest.mark.slow
def test_base_and_scenario_have_a_range(explorer):
    explorer.levers["win_rate"].value = 0.2
    table = explorer.answer(explorer.moved())[1].table
    for side, low, high in (("base", "base_q10", "base_q90"), ("scenario", "q10", "q90")):
        assert (table[low] < table[side]).all()
        assert (table[side] < table[high]).all()


@pytest.mark.slow
def test_a_product_narrows_pipeline_and_deals_and_says_what_it_does_not_narrow(explorer):
    before = finding(explorer)
    look(explorer, "Pipeline")
    pipe = explorer.pipe.value
    look(explorer, "Deals")
    everything = len(explorer.table.listed())
    assert explorer.product_note.value == ""
    counts = {}
    for _, product in explorer.product.options[1:]:
        explorer.product.value = product
        listed = explorer.table.listed()
        assert set(listed["product"]) == {product}
        counts[product] = len(listed)
    assert sum(counts.values()) == everything
    look(explorer, "Pipeline")
    assert explorer.pipe.value != pipe
    assert "not yet created is forecast by segment alone" in explorer.product_note.value
    assert finding(explorer) == before  # the forecast itself is of all products
    note = explorer.answer(explorer.moved())[-1]
    assert note.sentence.startswith(f"Open deals of {product} in all segments bring €")
    assert "in the scenario" not in note.sentence
    explorer.levers["win_rate"].value = 0.3
    assert "in the scenario" in explorer.answer(explorer.moved())[-1].sentence


@pytest.mark.slow
def test_the_pipeline_is_all_open_deals(explorer, deals):
    chart, stages = explorer.pipeline()
    assert isinstance(chart, Chart)
    assert chart.table["deals"].sum() == stages.frame["deals"].sum() == len(deals)
    assert stages.frame["expected_amount"].sum() == pytest.approx(deals["expected_amount"].sum())


@pytest.mark.slow
def test_every_mark_says_its_values(explorer):
    explorer.levers["win_rate"].value = 0.2
    _, months, shares, *_ = explorer.answer(explorer.moved())
    pipeline = explorer.pipeline()[0]
    for chart, count, begins in (
        (months, 6, "November 2026: base €"),
        (shares, 5, "marketing"),
        (pipeline, 9, "overdue"),  # and October: some are due on its last day
    ):
        assert len(chart.tooltips) == len(chart.tooltips_narrow) == count
        assert sources.plain(chart.tooltips[0][2]).startswith(begins)
    assert "range €" in sources.plain(months.tooltips[0][2])


@pytest.mark.slow
def test_deals_are_filtered_and_sorted(explorer):
    look(explorer, "Deals")
    table = explorer.table
    table.stage.value = "Negotiation"
    table.sort.value = "p_win"
    listed = table.listed()
    assert set(listed["stage"]) == {"Negotiation"}
    assert listed["p_win"].is_monotonic_decreasing
    table.direction.value = False
    assert table.listed()["p_win"].is_monotonic_increasing
    assert table.rows.options[0][1] == table.listed()["opportunity_id"].iloc[0]
    table.owner.value = listed["owner"].iloc[0]
    assert set(table.listed()["owner"]) == {listed["owner"].iloc[0]}
    table.search.value = "no such deal"
    assert table.rows.options == ()
    assert table.outcome.disabled
    assert "No open deal fits." in table.count.value
    assert table.why.value == ""


@pytest.mark.slow
def test_a_long_list_says_that_it_is_cut(explorer):
    look(explorer, "Deals")
    assert len(explorer.table.rows.options) == 200
    assert "The first 200 are listed" in explorer.table.count.value


@pytest.mark.slow
def test_lines_are_columns(explorer):
    look(explorer, "Deals")
    lengths = {len(label) for label, _ in explorer.table.rows.options}
    assert len(lengths) == 1


@pytest.mark.slow
def test_the_chosen_deal_is_explained(explorer):
    look(explorer, "Deals")
    table = explorer.table
    table.sort.value = "p_win"
    row = table.listed().iloc[3]
    table.rows.value = row["opportunity_id"]
    assert row["opportunity_id"] in table.why.value
    for factor in row["factors"].split("; "):
        assert wording.factors(factor) in table.why.value
    assert "by the end of Nov" in table.why.value
    assert "by the end of Apr" in table.why.value


@pytest.mark.slow
def test_a_deal_set_to_won_and_to_lost(explorer):
    look(explorer, "Deals")
    table = explorer.table
    deal = table.rows.value
    amount = table.listed().iloc[0]["amount"]
    table.outcome.value = "won"
    assert explorer.moved() == Levers(won=(deal,))
    assert f"{deal} taken as won" in explorer.panel.deals_note.value
    assert table.rows.label.startswith("W")
    shares = explorer.answer(explorer.moved())[2].table.set_index("lever")["change"]
    assert 0 < shares["deals set by hand"] < 3 * amount
    assert shares.drop("deals set by hand").abs().max() < 0.01
    table.outcome.value = "lost"
    assert explorer.moved() == Levers(lost=(deal,))
    assert explorer.answer(explorer.moved())[2].table["change"].sum() < 0
    table.rows.value = table.rows.options[1][1]
    assert table.outcome.value == "as forecast"
    table.rows.value = deal
    assert table.outcome.value == "lost"
    table.outcome.value = "as forecast"
    assert explorer.moved() == Levers()


@pytest.mark.slow
def test_another_day_forgets_deals_that_are_not_open_then(explorer):
    look(explorer, "Deals")
    explorer.table.sort.value = "created_on"
    explorer.table.outcome.value = "won"
    look(explorer, "What if")
    before = explorer.picture.value
    explorer.day.value = explorer.day.options[6]
    assert explorer.moved() == Levers()
    assert explorer.picture.value != before
    assert explorer.panel.joint.disabled  # the verdict is of another day
    assert "has not been worked out for this day" in explorer.panel.joint_note.value


@pytest.mark.slow
def test_joint_planning_moves_the_range_and_not_the_bookings(explorer):
    assert not explorer.panel.joint.disabled
    assert "East, Isles and Nordics" in explorer.panel.joint_note.value
    before = explorer.answer(explorer.moved())[1].table
    explorer.panel.joint.value = True
    shown = explorer.answer(explorer.moved())
    after = shown[1].table
    assert after["scenario"].tolist() == pytest.approx(before["base"].tolist())
    assert (after["q90"] < after["base_q90"]).all()
    assert "No lever that moves bookings is moved" in shown[0].sentence
    assert shown[-1].sentence == "Joint planning starts: the range moves, bookings do not."
    explorer.segment.value = "Iberia"  # plans jointly already
    after = explorer.answer(explorer.moved())[1].table
    assert after["q90"].tolist() == pytest.approx(after["base_q90"].tolist())


@pytest.mark.slow
def test_joint_planning_is_refused_with_the_reason(log, deals):
    verdict = IMPROVED.assign(verdict="no detectable change", answer=f"No detectable change: {MINUS}16 %")
    made = []

    def planning() -> pd.DataFrame:
        made.append(1)
        return verdict

    explorer = Explorer(log, as_of=DAY, deals=deals, make_planning=planning, levers=Levers(joint_planning=True))
    panel = explorer.panel
    assert panel.joint.disabled
    assert not panel.joint.value
    assert "has not been worked out" in panel.joint_note.value
    assert panel.work_out.layout.display != "none"
    panel.work_out.click()
    assert made == [1]
    assert panel.joint.disabled
    assert "Not offered. No detectable change: −16" in panel.joint_note.value
    assert panel.work_out.layout.display == "none"
    shown = explorer.answer(Levers(joint_planning=True))
    assert shown[-1].sentence == "Joint planning does not start."
    assert shown[1].table["q90"].tolist() == shown[1].table["base_q90"].tolist()


@pytest.mark.slow
def test_it_opens_where_the_parameters_say(log, deals):
    levers = Levers(win_rate=0.123, slippage=2.0, won=("O-14652",), lost=("O-17067",))
    explorer = Explorer(log, as_of=DAY, segment="Alps", product="Core", deals=deals, levers=levers)
    assert explorer.moved() == levers
    assert (explorer.segment.value, explorer.product.value) == ("Alps", "Core")
    assert explorer.deal_list().frame["segment"].unique().tolist() == ["Alps"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"segment": "Alpes"}, "there is no segment 'Alpes' on that day; did you mean 'Alps'?"),
        ({"product": "Cor"}, "no open deal is of the product 'Cor'; did you mean 'Core'?"),
        ({"levers": Levers(won=("O-00001",))}, "'O-00001' is not an open deal"),
        ({"levers": Levers(leads=3)}, "leads: 3 is not from -1 to 2"),
        ({"as_of": "2030-01"}, "later than the log's last day"),
    ],
)
def test_what_the_day_does_not_know_is_refused(log, deals, given, said):
    with pytest.raises(ParameterError, match=said):
        Explorer(log, **{"as_of": DAY, "deals": deals, **given})


@pytest.mark.slow
def test_a_scenario_is_saved_and_read_back(explorer):
    explorer.segment.value = "Alps"
    explorer.levers["win_rate"].value = 0.25
    look(explorer, "Deals")
    explorer.table.outcome.value = "won"
    explorer.name.value = " spring "
    explorer.save.click()
    assert "Saved" in explorer.saved.value
    values = read_scenario(Path(explorer.scenarios) / "spring.json")
    assert values["segment"] == "Alps"
    assert values["win_rate"] == 0.25
    assert values["won"] == list(explorer.table.won)
    explorer.name.value = "../<b>"
    explorer.save.click()
    assert "Not saved." in explorer.saved.value
    assert "<b>" not in explorer.saved.value


def test_names_from_a_crm_are_text(tmp_path):
    bad = "<img src=x onerror=alert(1)>"
    opportunities = edited(OPPORTUNITIES, 8, product=bad, owner=bad, segment=bad, account_id=bad)
    folder = tiny_company(tmp_path / "data", opportunities=opportunities, plan=None)
    explorer = Explorer(forecast.read(folder), as_of="2026-03-31", segment=bad, product=bad)
    for tab in sentences.TABS:
        look(explorer, tab)
    table = explorer.table
    html = [
        explorer.product_note,
        explorer.picture,
        explorer.pipe,
        table.why,
        table.count,
        table.head,
        explorer.panel.notes,
    ]
    shown = "".join(widget.value for widget in html) + explorer.deal_list()._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown


def test_thin_data_abstain_and_still_list_the_deals(tmp_path):
    folder = tiny_company(tmp_path / "data")
    explorer = Explorer(forecast.read(folder), as_of="2026-03-31", levers=Levers(win_rate=0.1))
    (said,) = explorer.answer(explorer.moved())
    assert isinstance(said, Statement)
    assert said.kind == "abstain"
    assert all(slider.disabled for slider in explorer.levers.values())
    assert explorer.panel.joint.disabled
    assert explorer.panel.work_out.layout.display == "none"
    look(explorer, "Pipeline")
    look(explorer, "Deals")
    assert [deal for _, deal in explorer.table.rows.options] == ["O8", "O6", "O7"]
    assert "too few closed deals to tell" in explorer.table.why.value
    assert "nan" not in (explorer.pipe.value + explorer.table.count.value).split("</svg>")[-1]


def test_without_products_and_owners_their_filters_are_off(tmp_path):
    rows = [line.rsplit(",", 3)[0] for line in OPPORTUNITIES.splitlines()]
    folder = tiny_company(tmp_path / "data", opportunities="\n".join(rows) + "\n")
    explorer = Explorer(forecast.read(folder), as_of="2026-03-31")
    assert explorer.product.disabled
    look(explorer, "Deals")
    assert explorer.table.owner.disabled
    assert "product" not in explorer.deal_list().columns
    assert len(explorer.table.rows.options) == 3


def test_without_an_open_deal(tmp_path):
    closed = OPPORTUNITIES.splitlines()[:6]
    folder = tiny_company(tmp_path / "data", opportunities="\n".join(closed) + "\n", history=None)
    explorer = Explorer(forecast.read(folder), as_of="2026-03-31")
    assert explorer.table.rows.options == ()
    assert explorer.pipeline()[0].sentence == "No deal is open here."
    assert explorer.deal_list().frame.empty


# -- the notebook ----------------------------------------------------------------------------------------


def run(root: Path, **parameters: Any) -> tuple[str, dict[str, Any]]:
    """Run 00_explore's cells as one script; return the HTML of what they show, and the names."""
    names: dict[str, Any] = {}
    shown = []
    for cell in json.loads((root / "notebooks" / "00_explore.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), cell["id"], "exec"), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names.update(parameters)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)
            shown.append(value._repr_html_() if hasattr(value, "_repr_html_") else "")
    return "".join(shown), names


@pytest.mark.slow
def test_the_notebook_shows_the_scenario_of_its_parameters(root, sample, tmp_path):
    deals = forecast.read(sample).opportunities
    first, second = deals.loc[deals["outcome"] == "open", "opportunity_id"].iloc[[0, -1]]
    # plain papermill passes a list as the text it was given
    html, names = run(root, data=str(sample), won=f"{first}, {second}", win_rate=0.0, scenarios=str(tmp_path))
    assert names["explorer"].moved() == Levers(won=(first, second))
    assert "Deals set by hand bring €" in html
    assert html.count("<figure") == 4  # with the one for whoever works in it, of scenarios side by side
    assert not list(tmp_path.iterdir())


def test_the_notebook_says_what_it_cannot_show(root, tmp_path):
    folder = tiny_company(tmp_path / "data")
    html, _ = run(root, data=str(folder), as_of="2026-03-31", scenarios=str(tmp_path / "none"))
    assert "The data are too thin for a what-if." in html
    assert not (tmp_path / "none").exists()


def test_the_notebook_says_where_to_start(root):
    cells = json.loads((root / "notebooks" / "00_explore.ipynb").read_text(encoding="utf-8"))["cells"]
    start = "".join(cells[1]["source"])
    for path in (root / "notebooks").glob("*.ipynb"):
        assert f"`{path.stem}`" in start
    assert "forecast params" in start
    assert "00_explore.ipynb" in (root / "Makefile").read_text(encoding="utf-8")
