"""What the leader's page cannot show: one line for each thing, and no section over nothing."""

from __future__ import annotations

from pathlib import Path

import nbformat.v4 as nb
import pandas as pd

from forecast import read, snapshot
from forecast.evaluation.judgement import judge, mean_of
from forecast.reporting.charts.canvas import empty
from forecast.reporting.charts.figure import Notes, Shown, Statement, TableView, Together
from forecast.reporting.pages import leader
from forecast.reporting.run.export import without_empty_sections
from tiny import tiny_company

NOTHING = pd.DataFrame({"model": []})
CARD = pd.DataFrame(
    {
        "measure": ["more people: reps at quota", "lower cost: cost of sales", "mean deal"],
        "ours": [float("nan"), float("nan"), 5.0],
        "note": [
            "reps who made it; needs `quotas`",
            "cost; the log does not hold the 12 months before",
            "won; needs x",
        ],
    }
)


SCORED = {"verdict": "not identified", "n_segments": 3}


def lines(log, **tables) -> list[str]:
    snap = snapshot(log, as_of="2026-03-31")
    given = {"row": {"target_period": "2026-04", "plan": float("nan")}, "deals": snap.opportunities}
    given |= {"scores": NOTHING, "quarters": NOTHING, "card": CARD}
    given |= {"planning": {"sentence": "Cannot tell whether planning together helped: nothing is scored."}}
    return leader.lacking(log, **given | tables)


def test_each_thing_is_one_line_with_the_table_that_would_bring_it(tmp_path: Path):
    log = read(tiny_company(tmp_path / "a", history=None, plan=None))
    assert lines(log) == [
        "The chance of reaching plan, and each segment against its plan: the table plan.",
        "Which deals moved since last month: the table opportunity_history.",
        "The record of past forecasts: more months that have settled.",
        "The record of what sales and marketing forecast: the table submitted_forecasts.",
        "The effect of planning together: submitted_forecasts and joint_planning.",
        "Reps at quota: the table quotas.",
    ]


def test_what_can_be_shown_has_no_line(tmp_path: Path):
    log = read(tiny_company(tmp_path / "a"))
    row = {"target_period": "2026-04", "plan": 2500.0}
    scores = pd.DataFrame({"model": ["pipeline"], "n": 6})
    told = lines(log, row=row, scores=scores, quarters=scores, card=CARD.iloc[2:], planning=SCORED)
    assert told == ["The record of what sales and marketing forecast: the table submitted_forecasts."]
    other = {"target_period": "FY26 Q3", "plan": float("nan")}
    assert lines(log, row=other)[0].endswith("each segment against its plan: plan of FY26 Q3.")


def test_a_model_that_abstained_has_no_record_and_time_alone_brings_none(tmp_path: Path):
    abstained = pd.DataFrame({"model": ["pipeline", "ets"], "n": [0, 6]})
    assert not leader.has_record(abstained)
    told = lines(read(tiny_company(tmp_path / "a")), scores=abstained)
    assert "The record of past forecasts: months that the model had enough deals to forecast." in told


def test_where_no_open_deal_has_a_date_none_can_be_past_it(tmp_path: Path):
    log = read(tiny_company(tmp_path / "a"))
    deals = snapshot(log, as_of="2026-03-31").opportunities
    undated = deals.assign(expected_close_on=pd.NaT)
    assert "Which deals are past their date: expected_close_on in opportunities." in lines(log, deals=undated)
    assert "past their date" not in " ".join(lines(log, deals=undated.iloc[:0]))


def test_a_record_of_few_months_is_short():
    assert leader.is_short({})
    assert leader.is_short(judge({"skill total": mean_of([0.1] * 3)}))
    assert not leader.is_short(judge({"skill total": mean_of([0.1, 0.3, 0.2, 0.4] * 6)}))


def test_what_cannot_be_shown_is_left_out():
    nothing, note = empty("No picture", "No plan"), Statement("Seven won.")
    table = TableView(pd.DataFrame({"x": []}), "Nothing")
    assert "No picture" in nothing._repr_html_()
    assert Shown(nothing, table)._repr_html_() == ""
    assert Shown(nothing, Together(nothing, table), Notes([]))._repr_html_() == ""
    shown = Shown(nothing, note, table)._repr_html_()
    assert "Seven won." in shown
    assert "No picture" not in shown


def test_a_heading_over_nothing_is_not_on_the_page():
    def code(html: str | None):
        outputs = [] if html is None else [nb.new_output("display_data", {"text/html": html})]
        return nb.new_code_cell("x", outputs=outputs)

    error = nb.new_code_cell("x", outputs=[nb.new_output("error", ename="E", evalue="e", traceback=[])])
    parts = {
        "# Question": code("<p>Answer</p>"),
        "## Empty": code(""),
        "## Without output": code(None),
        "## Full": code("<p>Seven won.</p>"),
        "## Failed": error,
        "## Empty before text": code(""),
        "## Read\n\nHow to read it.": code(""),
        "## Last": code(" "),
    }
    cells = [cell for text, cell in parts.items() for cell in (nb.new_markdown_cell(text), cell)]
    notebook = nb.new_notebook(cells=cells)
    kept = [cell.source for cell in without_empty_sections(notebook).cells if cell.cell_type == "markdown"]
    assert kept == ["# Question", "## Full", "## Failed", "## Read\n\nHow to read it."]
    assert len(notebook.cells) == 16
