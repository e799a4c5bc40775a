"""The form in which a number is changed: its base is shown, the past told as far as it can be, a reason needed."""

from __future__ import annotations

import pandas as pd
import pytest

import forecast
from forecast.calendar import period_label
from forecast.errors import DataError, ParameterError
from forecast.reporting.explorer import scenario
from forecast.reporting.explorer.override_form import OverrideForm, bases_of, past_sentence
from logs import log_of, table

DEALS = """
    opportunity_id  created_on  segment stage outcome closed_on   expected_close_on amount
    O1              2026-01-05  East    Won   won     2026-03-10  2026-03-10        130
    O2              2026-01-05  West    Won   won     2026-03-10  2026-03-10        50
"""
SUBMITTED = """
    submitted_on target_period segment submitter amount
    2026-03-02   2026-03       East    sales     120
    2026-03-02   2026-03       East    <b>s</b>  120
"""
BOOKINGS = pd.DataFrame(
    [
        ("2026-04", "East", 100.004),
        ("2026-05", "East", 200.0),
        ("2026-04", "West", 50.0),
        ("2026-05", "West", float("nan")),
        ("2026-04", "Total", 150.0),
        ("FY26 Q2", "East", 900.0),
    ],
    columns=["target_period", "segment", "mean"],
)


def past(months: int = 12, *, better: float = 30.0) -> pd.DataFrame:
    rows = [
        {
            "submitter": "Sales",
            "target_period": period_label(12 * 2025 + t),
            "direction": way,
            "observed": 100.0,
            "against": "base",
        }
        | {"abs_error_before": 40.0 + t % 3, "abs_error": 40.0 - better + (t * t) % 5}
        for t in range(months)
        for way in ("up", "down")
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def form(tmp_path) -> OverrideForm:
    tables = {"opportunities": table(DEALS), "submitted_forecasts": table(SUBMITTED)}
    log = log_of(tables, extracted_on=pd.Timestamp("2026-03-31"), currency="EUR")
    return OverrideForm(log, as_of="2026-03-31", bookings=BOOKINGS, file=tmp_path / "o.csv", past=past, segment="East")


def test_the_base_is_shown_and_is_where_the_amount_begins(form):
    assert "As of 2026-03-31 the model expects" in form.base_note.value
    assert (form.base, form.amount.value) == (100.0, 100.0)
    form.month.value = "2026-05"
    assert "200" in form.base_note.value
    assert form.amount.value == 200
    assert list(form.month.options) == ["2026-04", "2026-05"]
    assert [value for _, value in form.segment.options] == ["East", "West"]


def test_a_reason_is_needed_and_then_the_row_stands_in_the_file(form):
    form.who.value, form.amount.value = "sales", 130
    form.save.click()
    assert "mend: write why it is not the base" in form.saved.value
    assert not form.file.exists()
    form.reason.value = "the port renews"
    form.save.click()
    assert "Written to o.csv" in form.saved.value
    assert form.file.read_text().splitlines()[1] == "2026-03-31,2026-04,East,sales,,130,the port renews,100"
    assert form.reason.value == ""
    form.reason.value = "the port renews for more"
    form.save.click()
    assert "stands in o.csv already" in form.saved.value
    form.replace.value = True
    form.save.click()
    assert form.file.read_text().count("\n") == 2


def test_what_past_changes_of_that_direction_brought(form):
    form.amount.value = 130
    assert form.past() == ""  # nobody is named
    form.who.value = "sales"
    said = form.past_note.value
    assert "12 upward changes by sales in 12 months missed by" in said
    assert "closer, beyond luck" in said
    assert "began with other numbers than the model" in said  # a poor base makes any change look good
    form.amount.value = 90
    assert "downward" in form.past_note.value
    form.who.value = "nobody yet"
    assert "No downward change by nobody yet has settled yet" in form.past_note.value


def test_against_the_model_nothing_is_added(form):
    form._history = past().assign(against="pipeline")
    form.who.value, form.amount.value = "sales", 130
    assert form.past_note.value.count("closer, beyond luck.") == 1
    assert "other numbers" not in form.past_note.value


def test_it_is_no_louder_than_its_test():
    row = {"n": 5, "months": 5, "wape": 0.2, "wape_before": 0.4, "verdict": "too few to tell"}
    assert past_sentence(row, who="sales", way="up").startswith("Too few months to tell what 5 upward changes by sales")
    row |= {"n": 40, "months": 20, "verdict": "cannot tell"}
    assert past_sentence(row, who="sales", way="up").endswith("whether they came closer cannot be told.")
    assert past_sentence(row | {"verdict": "further off"}, who="sales", way="up").endswith("further off, beyond luck.")


def test_names_are_text_and_a_past_that_cannot_be_made_is_told(form):
    form.who.value, form.amount.value = "<b>s</b>", 130
    assert "<b>s" not in form.past_note.value

    def none() -> pd.DataFrame:
        raise DataError("is missing or empty", table="submitted_forecasts")

    form._past, form._history = none, None
    form.amount.value = 131
    assert "is missing or empty" in form.past_note.value


def test_where_no_widget_lives_it_says_so(form):
    assert "lives in JupyterLab" in form._repr_html_()
    assert "application/vnd.jupyter.widget-view+json" in form._repr_mimebundle_()


def test_where_nothing_is_forecast_it_says_so(form):
    thin = OverrideForm(form.log, as_of="2026-03-31", bookings=BOOKINGS.iloc[-2:], file="o.csv", past=past)
    assert "too thin for a forecast" in thin._repr_html_()
    assert "too thin for a forecast" in thin.view.value


@pytest.mark.slow
def test_the_bases_are_those_of_the_explorer(sample):
    log = forecast.read(sample)
    snap = forecast.snapshot(log, as_of="2026-10-31")
    bases = bases_of(lambda: scenario.base(snap, months=2))
    table = forecast.forecast_bookings(snap, months=2)
    months = table[table["target_period"].isin(bases["target_period"])]
    both = bases.merge(months, on=["target_period", "segment"], suffixes=("", "_table"), validate="one_to_one")
    assert len(both) == len(bases) == 26
    assert both["mean"].to_numpy() == pytest.approx(both["mean_table"].to_numpy())

    def thin() -> scenario.Base:
        raise DataError("too few deals")

    assert bases_of(thin).empty


def test_bad_input(form):
    with pytest.raises(ParameterError, match="no forecast of 'Eest'"):
        OverrideForm(form.log, as_of="2026-03-31", bookings=BOOKINGS, file="o.csv", past=past, segment="Eest")
