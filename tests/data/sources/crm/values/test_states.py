"""Single changes become states: held against walking through each deal's changes one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.codes import coded
from forecast.data.sources.crm.values.ids import are_among
from forecast.data.sources.crm.values.states import states, with_unchanged

DEALS = ("A", "B", "C")
FIELDS = ("stage", "amount", "note")
TEXTS = st.sampled_from(["x", "y", "z", "", None])
CHANGE = st.tuples(st.sampled_from([*DEALS, "gone"]), st.integers(0, 5), st.sampled_from(FIELDS), TEXTS, TEXTS)


def at(hour: int) -> pd.Timestamp:
    return pd.Timestamp("2026-10-01", tz="UTC") + pd.Timedelta(hours=hour)


def text(values: list) -> pd.Series:
    return pd.Series(values, dtype="str")


def one_by_one(changes: list[tuple], created: list[int], today: dict[str, list], *, with_old: bool) -> list[tuple]:
    """Return deal, hour and the fields' values after each change, in the plainest way."""
    fields = sorted({field for deal, _, field, _, _ in changes if deal in DEALS})
    out = []
    for place, deal in enumerate(DEALS):
        own = sorted((change for change in changes if change[0] == deal), key=lambda change: change[1])
        if not own:
            continue
        state: dict[str, str | None] = dict.fromkeys(fields)
        if created[place] < own[0][1]:
            if with_old:
                for field in fields:
                    olds = [old for _, _, name, _, old in own if name == field]
                    state[field] = (olds[0] if olds else today.get(field, [None] * 3)[place]) or None
            out.append((deal, created[place], *state.values()))
        for hour in sorted({hour for _, hour, *_ in own}):
            for _, when, field, value, _ in own:
                if when == hour:
                    state[field] = value or None
            out.append((deal, hour, *state.values()))
    return out


@given(st.lists(CHANGE, max_size=15), st.lists(st.integers(0, 5), min_size=3, max_size=3), st.booleans(), st.booleans())
def test_states_are_those_of_a_walk(changes, created, with_old, as_codes):
    frame = pd.DataFrame(
        {
            "opportunity_id": text([change[0] for change in changes]),
            "recorded_at": pd.Series([at(change[1]) for change in changes], dtype="datetime64[us, UTC]"),
            "field": text([change[2] for change in changes]),
            "value": text([change[3] for change in changes]),
            "old": text([change[4] for change in changes]),
        }
    )
    if as_codes:
        frame = frame.assign(**{name: coded(frame[name]) for name in ("opportunity_id", "field", "value", "old")})
    today = {"stage": ["x", "now", None], "amount": ["", "1", "2"]}
    deals = pd.DataFrame(
        {
            "opportunity_id": text(list(DEALS)),
            "created_at": pd.Series([at(hour) for hour in created], dtype="datetime64[us, UTC]"),
            **{name: text(values) for name, values in today.items()},
        }
    )
    found = states(frame if with_old else frame.drop(columns="old"), deals)
    rows = [
        (deal, round((moment - at(0)) / pd.Timedelta(hours=1)), *(None if pd.isna(value) else value for value in rest))
        for deal, moment, *rest in found.itertuples(index=False)
    ]
    assert rows == one_by_one(changes, created, today, with_old=with_old)


@pytest.mark.parametrize("as_codes", [False, True])
def test_which_are_among(as_codes: bool):
    ids, rows = text(["A", "B", None, "C"]), text(["C", "A", "A", None] * 5)
    assert are_among(ids, coded(rows) if as_codes else rows).tolist() == [True, False, False, True]


def test_deals_that_never_changed_stand_below_the_states():
    today = pd.DataFrame(
        {
            "opportunity_id": text(["A", "B", "C"]),
            "created_at": pd.Series([at(0)] * 3, dtype="datetime64[us, UTC]"),
            "stage": text(["x", "y", "z"]),
        }
    )
    changes = pd.DataFrame(
        {
            "opportunity_id": text(["A"]),
            "recorded_at": pd.Series([at(3)], dtype="datetime64[us, UTC]"),
            "field": text(["stage"]),
            "value": text(["x"]),
            "old": text(["v"]),
        }
    )
    known = states(changes, today)
    frame = today.assign(outcome=text(["open", "open", "won"]))
    whole = with_unchanged(known, today, frame, None)
    assert whole[["opportunity_id", "stage"]].to_numpy().tolist() == [["A", "v"], ["A", "x"], ["B", "y"]]
    assert whole["recorded_at"].tolist() == [at(0), at(3), at(0)]
    assert np.array_equal(whole.index, np.arange(3))
