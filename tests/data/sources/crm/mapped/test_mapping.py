"""A mapping file is checked strictly: every error names the file, the key and the mend."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.sources.crm.mapped.mapping import DEAL_COLUMNS, check_deal_columns, parse_mapping, shipped
from forecast.errors import DataError, ForecastError

WHOLE = """
name = "Ours"
[files]
opportunities = ["deals"]
[columns]
opportunity_id = "No"
created_on = "Begun"
amount = ["Worth", "Value"]
[extra]
close_value = "Paid"
[[outcome]]
column = "State"
won = ["sold"]
lost = ["gone"]
[[outcome]]
column = "Won at"
filled = "won"
[stages]
"Signed" = "won"
"Offer" = { outcome = "open", position = 3 }
[constants]
segment = "Export"
[replace.product]
GTXPro = "GTX Pro"
[leave_out]
State = ["test", 1, true]
[lookups.prices]
key = "Thing"
by = "product"
[history]
form = "states"
file = "log"
[history.columns]
opportunity_id = "No"
recorded_at = "When"
stage = "Step"
[marketing]
file = "clicks"
date = "Day"
spread = "deals"
[dates]
order = "dmy"
[numbers]
decimal = ","
unit = 1000
[rates]
USD = 0.9
[company]
currency = "EUR"
"""


def test_every_section_is_read():
    mapping = parse_mapping(WHOLE, where="m.toml")
    assert mapping.columns["amount"] == ("Worth", "Value")
    assert mapping.asked == {"opportunity_id", "created_on"}
    assert mapping.stages == {"Signed": "won", "Offer": "open"}
    assert mapping.positions == {"Offer": 3}
    assert [rule.filled for rule in mapping.outcome] == [None, "won"]
    assert mapping.leave_out == {"State": ("test", "1", "True")}
    assert (mapping.order, mapping.decimal, mapping.unit, mapping.rates) == ("dmy", ",", 1000.0, {"USD": 0.9})


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("[colums]\n", "colums", "did you mean 'columns'?"),
        ('[columns]\noutcome = "X"\n', "columns.outcome", "[outcome]"),
        ("[columns]\namount = 3\n", "columns.amount", "neither a name nor a list of names"),
        ('[stages]\nSigned = "wonn"\n', "stages.Signed", "did you mean 'won'?"),
        ('[stages]\nSigned = { outcome = "won", place = 3 }\n', "stages.Signed.place", "position"),
        ('[outcome]\nwon = ["x"]\n', "outcome.column", "this key is needed"),
        ('[outcome]\ncolumn = "S"\nwon = ["x"]\nlost = ["X"]\n', "outcome.column", "two meanings"),
        ('[outcome]\ncolumn = "S"\n', "outcome.won", "no value is named"),
        ('[dates]\norder = "dym"\n', "dates.order", "'dmy', 'mdy', 'iso'"),
        ('[numbers]\ndecimal = ";"\n', "numbers.decimal", "is not one of"),
        ("[numbers]\nunit = -1\n", "numbers.unit", "no positive number"),
        ("[rates]\nUSD = 0\n", "rates.USD", "no positive number"),
        ('[extra]\namount = "X"\n', "extra.amount", "one of our columns"),
        ('[extra]\n"Close value" = "X"\n', "extra.Close value", "no plain name"),
        ('[lookups.prices]\nkey = "Thing"\n', "lookups.prices.by", "this key is needed"),
        ('[history]\nform = "stats"\n', "history.form", "'states', 'changes', 'entered'"),
        ('[history]\nform = "states"\n', "history.columns.opportunity_id", "needs this column"),
        ('[history]\nform = "entered"\n', "history.entered", "no stage is named"),
        ('[marketing]\ndate = "Day"\n', "marketing.segment", "one of segment and spread"),
        ('[company]\ntimezone = "Mars"\n', "timezone", "not a known timezone"),
        ("columns = 3\n", "columns", "is no section"),
    ],
)
def test_each_error_names_the_key_and_the_mend(text: str, key: str, said: str):
    with pytest.raises(DataError) as refused:
        parse_mapping(text, where="m.toml")
    assert key in str(refused.value)
    assert said in str(refused.value)
    assert "mend: " in str(refused.value)


def test_no_toml_and_a_missing_column_are_told():
    with pytest.raises(DataError, match=r"m\.toml: cannot be read"):
        parse_mapping("[columns\n", where="m.toml")
    with pytest.raises(DataError, match=r"m.toml.columns.amount: no column is named for it \(what it is worth\)"):
        check_deal_columns(parse_mapping('[columns]\ncreated_on = "X"\n', where="m.toml"))
    with pytest.raises(DataError, match="did you mean 'amount'"):
        check_deal_columns(parse_mapping('[columns]\ncreated_on = "X"\namonut = "Y"\n', where="m.toml"))


_LEAVES = st.one_of(st.text(max_size=8), st.integers(-5, 5), st.booleans(), st.floats(allow_nan=False), st.just([]))
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_SECTIONS = st.sampled_from(
    ["files", "columns", "stages", "outcome", "history", "lookups", "marketing", "dates", "numbers", "rates", "replace"]
)


@given(st.dictionaries(_SECTIONS | st.text(max_size=8), _VALUES, max_size=4))
def test_whatever_stands_in_a_file_it_is_read_or_refused_with_a_message(values: dict):
    # JSON's values stand inside an inline table as TOML's do, but for keys and floats: what is no TOML is refused too.
    lines = [f"{json.dumps(key)} = {_toml(value)}" for key, value in values.items()]
    with contextlib.suppress(ForecastError):
        parse_mapping("\n".join(lines), where="m.toml")


@given(st.sampled_from(sorted(DEAL_COLUMNS)), st.data())
def test_a_misspelt_column_is_refused_and_the_right_one_named(ours: str, data: st.DataObject):
    place = data.draw(st.integers(0, len(ours) - 1))
    misspelt = ours[:place] + ours[place + 1 :]
    text = f'[columns]\ncreated_on = "A"\namount = "B"\n{misspelt} = "C"\n'
    if misspelt in ("created_on", "amount"):
        return
    with pytest.raises(DataError) as refused:
        check_deal_columns(parse_mapping(text, where="m.toml"))
    assert misspelt in str(refused.value)
    assert "did you mean" in str(refused.value) or "known: " in str(refused.value)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def test_shipped_mappings_have_what_is_needed():
    for mapping in shipped():
        check_deal_columns(mapping)
