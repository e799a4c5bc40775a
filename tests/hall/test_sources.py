"""Numbers know the cells they were read from, through arithmetic, wording and sentences."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast import sources, wording


@pytest.fixture
def bookings():
    frame = pd.DataFrame(
        {"segment": ["A", "B", "C"], "mean": [1.5e6, 2e6, 3e6], "plan": [1e6, 3e6, 2e6], "n": [3, 0, 1]}
    )
    return sources.of_file(frame, "bookings")


def lead(text, table):
    """Return what the one number of a text was read from, worded anew from the table."""
    [source] = sources.cited(text)
    expressions, rounding = sources.split(source)
    return wording.rounded([sources.evaluate(each, lambda _: table) for each in expressions], rounding)


def test_a_cell_is_a_number_that_knows_its_place(bookings):
    value = sources.cell(bookings, 1, "mean")
    assert value == 2e6
    assert value.source == "bookings:1:mean"
    assert sources.cell(bookings, 1, "segment") == "B"
    assert sources.row(bookings[bookings["n"] == 1])["mean"].source == "bookings:2:mean"  # rows stay those of the file


def test_a_text_is_the_cell_as_pages_show_it():
    table = sources.of_file(pd.DataFrame({"deal": ["\u202egnp.exe\u202c 7"]}), "deals")
    text = wording.seen(sources.quoted(table, 0, "deal"))
    assert lead(text, table) == sources.plain(text) == "gnp.exe 7"


def test_a_table_without_a_name_gives_plain_numbers():
    frame = pd.DataFrame({"mean": [1.5]})
    assert type(sources.row(frame)["mean"]) is float
    assert type(sources.count(frame)) is int
    assert sources.cited(wording.money(sources.total(frame, "mean"))) == []


def test_arithmetic_remembers_what_it_was_made_from(bookings):
    row = sources.row(bookings, 1)
    gap = row["mean"] - row["plan"]
    assert gap == -1e6
    assert gap.source == "(bookings:1:mean-bookings:1:plan)"
    assert abs(gap).source == "(-(bookings:1:mean-bookings:1:plan))"
    share = 1 - row["mean"] / row["plan"]
    assert sources.evaluate(share.source, lambda _: bookings) == pytest.approx(1 / 3)
    some = bookings[bookings["n"] > 0]
    assert sources.total(some, "mean").source == "sum(bookings:0,2:mean)"
    assert sources.total(some, "mean") == 4.5e6
    assert sources.count(some) == 2
    assert sources.count(bookings.iloc[:0]) == 0
    assert sources.evaluate(sources.count(bookings.iloc[:0]).source, lambda _: bookings) == 0
    assert sources.aggregate(bookings, "mean", "median") == 2e6


NUMBERS = st.one_of(st.integers(-9999, 9999), st.floats(-1e7, 1e7, allow_nan=False).map(lambda value: round(value, 2)))


@given(a=NUMBERS, b=NUMBERS, c=NUMBERS)
def test_an_expression_evaluates_to_the_number_it_belongs_to(a, b, c):
    table = sources.of_file(pd.DataFrame({"a": [a], "b": [b], "c": [c]}), "t")
    x, y, z = (sources.cell(table, 0, name) for name in "abc")
    for number in (x + y - z, x * y - 3, 2 - x, -z + abs(y), (x - y) / 4, x / (abs(y) + 1)):
        assert sources.evaluate(number.source, lambda _: table) == pytest.approx(sources.bare(number))


def test_every_rounding_leads_back_to_its_cell(bookings):
    row = sources.row(bookings, 0)
    for text in (
        wording.money(row["mean"], currency="EUR", digits=2),
        wording.money_range(row["plan"], row["mean"], currency="SEK"),
        wording.percent(row["plan"] / row["mean"], sign=True),
        wording.plural(row["n"], "deal"),
        wording.spelt(row["n"]),
        wording.chance(row["plan"] / row["mean"]),
        wording.of_all(row["n"], sources.count(bookings), "quarter"),
        wording.number(row["mean"]),
    ):
        assert lead(text, bookings) == sources.plain(text)
        assert not any(sign in sources.plain(text) for sign in "\u2062\u2063\u2064|")


def test_a_text_carries_its_sources_through_sentences(bookings):
    row = sources.row(bookings, 0)
    text = wording.sentence(wording.joined([wording.plural(row["n"], "deal"), wording.money(row["mean"])]))
    assert sources.plain(text) == "3 deals and 1.5\u202fm."
    assert sources.cited(text) == ["bookings:0:n|plural;singular=deal", "bookings:0:mean|money"]
    nothing = wording.sentence(f"{wording.plural(sources.cell(bookings, 1, 'n'), 'deal')} won")
    assert sources.plain(nothing) == "No deals won."


def test_a_text_is_cut_without_cutting_into_what_it_carries(bookings):
    first, second = (wording.money(sources.cell(bookings, place, "mean")) for place in (0, 1))
    text = f"by {first} or {second}"
    assert sources.shortened(text, 40) == text
    cut = sources.shortened(text, 12)
    assert sources.plain(cut) == "by 1.5\u202fm or…"
    assert sources.cited(cut) == ["bookings:0:mean|money"]
    assert sources.cited(sources.shortened(text, 6)) == []


def test_a_column_of_any_name_leads_back_to_its_cell():
    frame = sources.of_file(pd.DataFrame({"stage-weighted + ~future": [0.25]}), "scores")
    text = wording.percent(sources.cell(frame, 0, "stage-weighted + ~future"))
    assert lead(text, frame) == sources.plain(text)


def test_a_name_cannot_carry_a_source(bookings):
    forged = sources.marked("9", [sources.cell(bookings, 0, "n")], "number")
    assert sources.cited(wording.label(forged)) == []
    assert wording.label(forged) == "9"
    assert wording.clean(forged) == "9"
    assert wording.clean("a\u2062b\u2064") == "ab"


def test_numbers_are_numbers_everywhere_else(bookings):
    value, count = sources.cell(bookings, 0, "mean"), sources.cell(bookings, 0, "n")
    assert isinstance(value, float)
    assert isinstance(count, int)
    assert not wording.known(sources.sourced(float("nan"), "t:0:a"))
    assert pickle.loads(pickle.dumps(value)).source == value.source
    assert f"{count}" == "3"
    assert sources.bare(count) == 3
    assert type(sources.bare(value)) is float
    assert sources.sourced("text", "t:0:a") == "text"
    assert sources.sourced(True, "t:0:a") is True


@pytest.mark.parametrize("source", ["bookings:9:mean", "bookings:0:none", "(bookings:0:mean", "open('x')", "bookings"])
def test_a_source_that_leads_nowhere_is_an_error(bookings, source):
    with pytest.raises((KeyError, IndexError, ValueError)):
        sources.evaluate(source, lambda _: bookings)


@pytest.mark.parametrize(("rows", "spans"), [([], ""), ([4], "4"), ([7, 0, 1, 2, 3], "0-3,7"), ([5, 5, 6], "5-6")])
def test_rows_are_written_as_spans(rows, spans):
    assert sources.spans_of(rows) == spans


def test_rows_of_several_tables_keep_their_places():
    months = [sources.of_file(pd.DataFrame({"mean": [1.0, mean]}), f"{day}/bookings") for day, mean in DAYS.items()]
    both = sources.gathered(month.iloc[[1]] for month in months)
    values = sources.column(both, "mean")
    assert [value.source for value in values] == ["2026-09-30/bookings:1:mean", "2026-10-31/bookings:1:mean"]
    read = {sources.table_of(month): month for month in months}.__getitem__
    change = values[1] - values[0]
    assert sources.evaluate(values[0].source, read) == 2.0
    assert sources.evaluate(change.source, read) == change == 1.0
    assert type(sources.count(both)) is int  # rows of several tables are no cells of one


DAYS = {"2026-09-30": 2.0, "2026-10-31": 3.0}
