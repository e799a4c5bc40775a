"""What overrides were worth, in words: never louder than the test, nothing where nobody wrote what was changed."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources
from forecast.evaluation import questions
from forecast.evaluation.people.value import FIGURES, with_verdicts
from forecast.reporting.pages.value_added import overrides as page

NAN = float("nan")


def table(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Return the month's table: by, group, added, corrected p-value; what was changed misses by half."""
    out = pd.DataFrame(rows, columns=["by", "group", "added", "p_holm"]).assign(
        n=40, months=20, share_better=0.6, wape_before=0.5, p_value=0.01, luck=0.005, agreeing=15, verdict=""
    )
    out = out.assign(wape=0.5 - out["added"], low=out["added"] - 0.1, high=out["added"] + 0.1, shrunk=out["added"] / 2)
    return with_verdicts(out[["by", "group", *FIGURES]])


MODEL = ", which does not say that they missed by less than the model"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((("person", "sales", 0.2, NAN),), "Too few months to tell what overrides brought"),
        (
            (("person", "sales", 0.2, 0.06), ("reason", "with a reason", 0.2, NAN)),
            "No overrides missed by less or by more than the numbers they changed beyond chance",
        ),
        (
            (("person", "sales", 0.2, 0.01), ("reason", "with a reason", 0.2, 0.01)),
            "Overrides by sales and those with a reason missed by less than the numbers they changed, beyond chance"
            + MODEL,
        ),
        (
            (("reason", "with a reason", 0.2, 0.01), ("reason", "without a reason", 0.2, 0.01)),
            "Overrides with a reason and those without a reason missed by less than the numbers they changed, "
            "beyond chance" + MODEL,
        ),
        (
            (("person", "joint", -0.2, 0.01), ("person", "reps", -0.2, 0.01), ("person", "sales", 0.1, 0.01)),
            "Overrides by joint and reps missed by more than the numbers they changed; overrides by sales missed by "
            "less than the numbers they changed, beyond chance" + MODEL,
        ),
    ],
)
def test_overrides_in_a_title(rows, said):
    assert page.overrides_finding(table(*rows)) == said


def test_the_table_says_how_much_how_often_and_whether_it_could_be_luck():
    month = sources.of_file(table(("person", "rep 7", 0.2, 0.01), ("person", "<b>x</b>", 0.2, 0.5)), "overrides")
    html = page.what_overrides_brought(month, pooled=" since May")._repr_html_()
    for name in ("n", "wape", "wape_before", "shrunk", "agreeing", "months"):
        assert f"overrides:0:{name}" in html
    assert "<b>x</b>" not in html
    assert "lead times since May" in html
    assert "overrides:1:shrunk" not in html  # what luck may have brought promises nothing
    assert "A base that misses by much flatters any change" in html


def test_where_nobody_wrote_what_was_changed_there_is_nothing():
    assert page.what_overrides_brought(table())._repr_html_() == ""


def test_they_share_the_level_of_the_page():
    rows = table(("person", "sales", 0.2, 0.01), ("reason", "with a reason", -0.1, 0.01))
    found = questions.judge(
        {f"override {i}": questions.of_override(row) for i, row in enumerate(rows.to_dict("records"))}
    )
    assert [found[f"override {i}"].verdict for i in range(2)] == ["above", "below"]
    estimate = found["override 0"].estimate
    assert (estimate.value, estimate.ours, estimate.theirs, estimate.agreeing) == (0.2, 0.3, 0.5, 15)
    assert estimate.weight == 0.25
    paged = with_verdicts(questions.with_page(rows, found, "override"))
    assert paged["p_holm"].tolist() == [0.02, 0.02]  # two of .01
