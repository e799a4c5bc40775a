"""What the leader's page cannot show: one line for each thing, and no section over nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nbformat.v4 as nb
import pandas as pd

from forecast import read, snapshot, sources
from forecast.data.audit.names import SEVERAL_WAYS
from forecast.data.schema import QUANTILE_COLUMNS, Company
from forecast.evaluation.judgement import Estimate, Finding, judge, mean_of
from forecast.reporting.charts.canvas import empty
from forecast.reporting.charts.figure import Notes, Shown, Statement, TableView, Together
from forecast.reporting.pages import leader
from forecast.reporting.pages.bookings.sentences import headline_cards
from forecast.reporting.run.export import without_empty_sections, without_removed
from forecast.wording import THIN as T
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
        "Which deals moved in stage, date or amount since last month and odds by stage and date: "
        "the table opportunity_history.",
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


OTHER = {"model": "ets", "segment": "Total", "target_period": "FY18 Q1", "mean": 3.28e6, "q10": 2.26e6, "q90": 4.37e6}
OURS = {"target_period": "FY18 Q1", "mean": 1.18e6, "q10": 0.94e6, "q90": 1.45e6}
FEW = judge({"skill total": mean_of([0.1] * 3)})


def said_beside(judged=FEW, row=OURS, **other: object) -> list[str]:
    told = leader.beside(row, pd.DataFrame([OTHER | other]), judged, company=Company(name="C", currency="USD"))
    return [line.replace(T, " ") for line in told]


def test_a_benchmark_whose_range_does_not_meet_ours_is_named_in_one_line():
    first = (
        "The benchmark expects $3.28 m, 80 % range $2.26–4.37 m: the two ranges do not meet. Which of the two is nearer"
    )
    assert said_beside() == [f"{first}: too few to tell (3 months; 8 are needed)."]
    assert said_beside({}) == [f"{first}: too few to tell; no past forecast has settled."]
    below = {"mean": 0.5e6, "q10": 0.2e6, "q90": 0.9e6}
    assert said_beside(**below)[0].startswith("The benchmark expects $500 k, 80 % range $200–900 k: the two ranges do")
    for verdict, size, said in (
        ("above", 0.25, "so far the model, which misses 25 % less than the benchmark, beyond luck (24 months)"),
        ("below", -0.25, "so far the benchmark; the model misses 25 % more, beyond luck (24 months)"),
        ("unclear", 0.1, "so far the model missed less in 17 of 24 months, which is not proven"),
    ):
        estimate = replace(mean_of([0.1, 0.3, 0.2, 0.4] * 6), value=size, agreeing=17)
        assert said_beside({"skill total": Finding(estimate=estimate, p_page=0.02, verdict=verdict)}) == [
            f"{first}: {said}."
        ]


def test_a_benchmark_whose_range_meets_ours_is_named_with_its_chance_unless_that_has_been_told():
    touching = {"q10": 1.45e6, "p_at_least_plan": 0.22}
    assert said_beside(**touching) == ["The benchmark expects $3.28 m: 22 % likely to reach plan."]
    assert said_beside(q10=1.45e6) == ["The benchmark expects $3.28 m."]  # no plan
    other, given = pd.DataFrame([OTHER | touching]), {"company": Company(name="C", currency="USD")}
    alarmed = "The model is off; plan $2 m."  # no chance is told
    assert leader.beside(OURS, other, FEW, headline=alarmed, **given) == [f"The benchmark expects $3.28{T}m."]
    told = f"The model is off. The benchmark, closer since then, says $3.28{T}m for FY18 Q1."
    assert leader.beside(OURS, other, FEW, headline=told, **given) == []
    by_chance = f"We expect to book $3.28{T}m in FY18 Q1."  # the same amount, of the model
    assert len(leader.beside(OURS, other, FEW, headline=by_chance, **given)) == 1


def test_a_benchmark_that_is_not_known_is_not_named():
    assert said_beside(q10=float("nan")) == []
    assert said_beside(target_period="FY18 Q2") == []
    assert said_beside(row=OURS | {"mean": float("nan")}) == []
    assert said_beside(row=None) == []
    nothing = pd.DataFrame(columns=list(OTHER))
    assert leader.beside(OURS, nothing, FEW, company=Company(name="C")) == []


def test_one_line_under_the_headline_has_the_benchmark_and_the_year_before():
    past = pd.DataFrame({"segment": ["Total", "S0"], "target_period": "FY17 Q1", "observed": [0.9e6, 0.1e6]})
    given = {"company": Company(name="C", currency="USD")}
    other = pd.DataFrame([OTHER | {"q10": 1.45e6}])
    (line,) = leader.yardsticks(OURS, other, FEW, past, **given)
    assert line.replace(T, " ") == "The benchmark expects $3.28 m. FY17 Q1 brought $900 k."
    assert leader.yardsticks(OURS, other, FEW, past.assign(observed=float("nan")), **given) == [
        f"The benchmark expects $3.28{T}m."
    ]
    month = past.assign(target_period="2025-11")
    (line,) = leader.yardsticks(OURS | {"target_period": "2026-11"}, other, FEW, month, **given)
    assert line == f"November 2025 brought $900{T}k."
    assert leader.yardsticks(None, other, FEW, past, **given) == []


def test_only_what_is_on_the_page_is_explained(tmp_path: Path):
    log = read(tiny_company(tmp_path / "a"))
    row = OURS | {"not_yet_created": 1e5}
    scores = pd.DataFrame({"model": ["pipeline"], "n": [3]})
    absent = {"sentence": "Cannot tell whether planning together helped: nothing is scored."}

    def subjects(row=row, scores=NOTHING, planning=absent, **given) -> list[str]:
        told = leader.how_to_read(log, row=row, scores=scores, planning=planning, **given)
        return [name for name, text in leader.READING.items() if text in told]

    assert subjects() == ["range", "parts", "model"]
    assert subjects(compared=True) == ["range", "parts", "model", "benchmark"]
    assert subjects(scores=scores) == ["range", "parts", "model", "benchmark", "miss"]
    assert subjects(scores=scores, planning=SCORED)[-1] == "planning"
    assert subjects(row=None) == []
    assert subjects(row=row | {"mean": float("nan")}) == []
    assert "people" not in subjects(scores=scores)  # nobody submits a forecast
    with_people = replace(log, tables={**log.tables, "submitted_forecasts": pd.DataFrame()})
    told = leader.how_to_read(with_people, row=row, scores=scores, planning=absent)
    assert leader.READING["people"] in told


def test_what_to_know_of_the_data_has_its_numbers_and_its_mend_but_no_name_from_the_data():
    rows = [
        ("changes the answer", "opportunities", "amount", "amounts are odd", "2 of 40", "check them", 2),
        ("changes the answer", "opportunities", "close_value", "known too early", "0 for 'Ann'", "keep it out", 1_473),
        ("changes the answer", "opportunities", "owner", "filled in late", "'Ann' 7", "ask 'Ann'", 7),
        (
            "changes the answer",
            "opportunities",
            "segment",
            SEVERAL_WAYS,
            "'Ann' (2 rows), 'ann' (1 row)",
            "write 'Ann'",
            1,
        ),
        ("cosmetic", "opportunities", "amount", "amounts are round", "3 of 40", "", 3),
        ("changes the answer", "plan", "", "there is no such table", "", "add it", 0),
    ]
    names = ["rank", "table", "column", "finding", "evidence", "mend", "count"]
    told = leader.of_the_data(pd.DataFrame(rows, columns=names))
    ends = [
        "mounts are odd; 2 of 40; check them.",
        "nown too early; 1,473 rows.",
        "illed in late; 7 rows.",
        "ne name written in several ways; 1 row.",
    ]
    assert [line.endswith(end) for line, end in zip(told, ends, strict=True)] == [True] * 4, told
    assert not any("nn'" in line for line in told)
    assert leader.of_the_data(pd.DataFrame(columns=names)) == []


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


def test_a_cell_for_whoever_works_in_the_notebook_is_not_on_its_page():
    for_the_lab = nb.new_markdown_cell("Run all cells.", metadata={"tags": ["remove_cell"]})
    notebook = nb.new_notebook(cells=[nb.new_markdown_cell("# Question"), for_the_lab, nb.new_code_cell("1 + 1")])
    assert [cell.source for cell in without_removed(notebook).cells] == ["# Question", "1 + 1"]
    assert len(notebook.cells) == 3


# -- whose number the headline tells ----------------------------------------------------------------------

NO_ALARM = pd.DataFrame({"model": ["pipeline"], "segment": ["Total"], "kind": ["high"], "alarm": [False]})


def forecast_of(model: str, mean: float) -> pd.DataFrame:
    quantiles = {name: mean * k for name, k in zip(QUANTILE_COLUMNS, (0.6, 0.7, 0.9, 1.0, 1.1, 1.3, 1.4), strict=True)}
    keys = {"model": model, "target_period": "FY26 Q4", "horizon": 1, "segment": "Total", "mean": mean}
    return pd.DataFrame([{**keys, **quantiles, "booked": 1e5, "plan": 1.1e6, "p_at_least_plan": mean / 3e6}])


def headline_told(verdict: str, *, combined: float = 2e6) -> tuple[dict, str]:
    judged = {}
    if verdict:
        facts = {"value": 0.2, "promised": 0.0, "low": 0.1, "high": 0.3, "p_value": 0.001, "n": 23, "unit": "month"}
        estimate = Estimate(**facts, fewest=8, ours=0.08, theirs=0.1, agreeing=19)
        judged = {"combined total": Finding(estimate=estimate, p_page=0.01, verdict=verdict)}
    return leader.told(
        forecast_of("pipeline", 1e6),
        forecast_of("combined", combined),
        judged,
        NO_ALARM,
        forecast_of("ets", 1.2e6),
        notes=pd.DataFrame({"about": [], "note": []}),
        company=Company(currency="EUR"),
    )


def test_the_headline_is_the_models_unless_the_combination_is_nearer_beyond_luck():
    for verdict in ("", "unclear", "below", "too few"):
        row, answer = headline_told(verdict)
        assert row["mean"] == 1e6
        assert "combination" not in answer
        assert not leader.is_combined(row)


def test_the_headline_is_the_combinations_where_it_is_nearer_and_says_so():
    row, answer = headline_told("above")
    assert row["mean"] == 2e6
    assert row["q10"] == 1.4e6
    assert row["booked"] == 1e5
    assert leader.is_combined(row)
    assert "We expect to book €2" in sources.plain(answer)
    assert sources.plain(answer).endswith(
        f"This is the combination’s number: it missed the company’s months by 8{T}%, the model by 10{T}%, in 19 of 23 "
        f"months; beyond luck. The model alone says €1{T}m; the rest here is the model’s."
    )
    cards = headline_cards(row, {}, company=Company(currency="EUR"))
    assert cards[1][2] == "the combination’s, as wide as its past misses ask for"


def test_a_combination_without_a_number_tells_none():
    assert headline_told("above", combined=float("nan"))[0]["mean"] == 1e6
