"""The words that pages explain: one sentence each, the same as in docs/glossary.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.reporting.pages.glossary import BY_SPELLING, SECTIONS, term

TERMS = [each for terms in SECTIONS.values() for each in terms]


def test_pages_and_docs_say_the_same(root: Path):
    rows = [
        line[2:-2].split(" | ", 1) for line in (root / "docs" / "glossary.md").read_text().splitlines() if "| " in line
    ]
    in_docs = {row[0]: row[1] for row in rows if len(row) == 2}
    assert {each.word: each.meaning for each in TERMS} == {each.word: in_docs.get(each.word) for each in TERMS}


def test_words_places_and_spellings_are_each_one_term_s():
    assert len({each.word for each in TERMS}) == len(TERMS) == len({each.anchor for each in TERMS})
    assert sum(len(each.spellings) or 1 for each in TERMS) == len(BY_SPELLING)
    assert all(BY_SPELLING[way].word == each.word for each in TERMS for way in each.spellings or [each.word.lower()])


def test_a_sentence_is_short_and_one():
    for each in TERMS:
        assert each.sentence[0].isupper()
        assert each.sentence.endswith(".")
        assert ". " not in each.sentence
        assert len(each.sentence) <= 170, each.word


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Expected: 80\u202f% ranges of months", "80 % range"),
        ("Bias: forecast less booked", "bias"),
        ("two win probabilities", "odds, win probability"),
        ("the planning\ntogether", "joint planning"),
        ("overbooked, unbiased, a pre-benchmark", None),
        ("", None),
    ],
)
def test_a_use_is_found_as_pages_write_it(text: str, word: str | None):
    found = term(text)
    assert (found.word if found else None) == word
