"""Files in the plainest form are read straight into their kinds, and come out as the careful road has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.codes import is_coded
from forecast.data.sources.crm import export
from forecast.data.sources.crm.importing import Imported, read_export
from forecast.data.sources.tables.plain import Plain, read_plain
from forecast.errors import DataError

KINDS: dict[str, Plain] = {"deal": "key", "at": "moment", "on": "day", "amount": "number", "note": "text"}
ROWS = """\
deal,at,on,amount,note
A,2026-10-30T17:05:00.000Z,2026-11-30,12500.5,first
A,2026-10-31T00:00:00+02:00,,,
B,2026-10-31T08:00:00Z,2026-12-01,7,Zoë
"""


def kinds(names: Sequence[str]) -> Mapping[str, Plain]:
    return {name: KINDS[name] for name in names if name in KINDS}


def plain(where: Path, text: str | bytes) -> pd.DataFrame | None:
    file = where / "t.csv"
    file.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    table = read_plain(file, columns=kinds)
    return None if table is None else table.frame


def test_by_hand(tmp_path: Path):
    frame = plain(tmp_path, ROWS)
    assert frame is not None
    assert frame.index.tolist() == [2, 3, 4]
    assert frame.index.name == "line"
    assert is_coded(frame["deal"])
    assert frame["deal"].tolist() == ["A", "A", "B"]
    assert frame["at"].tolist() == [
        pd.Timestamp("2026-10-30T17:05", tz="UTC"),
        pd.Timestamp("2026-10-30T22:00", tz="UTC"),
        pd.Timestamp("2026-10-31T08:00", tz="UTC"),
    ]
    assert str(frame["on"].dtype) == "datetime64[us]"
    assert frame["on"].dropna().tolist() == [pd.Timestamp("2026-11-30"), pd.Timestamp("2026-12-01")]
    assert frame["amount"].dropna().tolist() == [12500.5, 7.0]
    assert frame["note"].dropna().tolist() == ["first", "Zoë"]


def test_columns_that_nobody_asks_for_are_named_and_not_read(tmp_path: Path):
    (tmp_path / "t.csv").write_text("deal,other\nA,x\nA,y\n", encoding="utf-8")
    table = read_plain(tmp_path / "t.csv", columns=kinds)
    assert table is not None
    assert list(table.frame) == ["deal"]
    assert table.names == ("deal", "other")


@pytest.mark.parametrize(
    "text",
    [
        ROWS.replace(",", ";"),
        "sep=,\n" + ROWS,
        ROWS + "C,2026-10-31T08:00:00Z\n",
        ROWS + "\nC,2026-10-31T08:00:00Z,,,\n",
        ROWS.replace("deal,at", "at,at"),
        ROWS.replace("deal,", " deal,"),
        "Deals of October\n" + ROWS,
        ROWS.encode("utf-16"),
        ROWS.encode("cp1252"),
        ROWS.encode("utf-8") + b"C,2026-10-31T08:00:00Z,,,\0\n",
        ROWS + 'C,2026-10-31T08:00:00Z,,,"two\nlines"\n',
        ROWS + 'C,2026-10-31T08:00:00Z,,,"never closed\n',
        "deal,at\n",
        "",
    ],
)
def test_what_is_not_plain_is_left_to_the_careful_road(tmp_path: Path, text: str | bytes):
    assert plain(tmp_path, text) is None


@pytest.mark.parametrize(
    "odd",
    [
        ",31/10/2026 08:00,,,\n",
        ",2026-10-31T08:00:00,,,\n",
        ",,31.10.2026,,\n",
        ",,2026-02-30,,\n",
        ",,,1.234.567,\n",
        ",,,nan,\n",
        ",,,inf,\n",
        ",,,null,\n",
        ',,,,"a\nb"\n',
        "A,,,\n",
        "\n",
    ],
)
def test_one_odd_row_far_down_ends_the_attempt(tmp_path: Path, odd: str):
    many = ROWS + ROWS.split("\n", 1)[1] * 2_000
    assert plain(tmp_path, many) is not None
    assert plain(tmp_path, many + odd) is None


@pytest.mark.parametrize(("amounts", "kind"), [("1.234 5.678", "str"), ("1.234 5.5", "float64"), ("10 40", "float64")])
def test_three_digits_behind_a_point_are_decimals_only_where_another_value_shows_it(
    tmp_path: Path, amounts: str, kind: str
):
    frame = plain(tmp_path, "deal,amount\n" + "".join(f"A,{amount}\n" for amount in amounts.split()))
    assert frame is not None
    assert frame["amount"].dtype == kind


def test_quoted_values_are_plain(tmp_path: Path):
    quoted = "".join(",".join(f'"{cell}"' for cell in line.split(",")) + "\r\n" for line in ROWS.splitlines())
    frame = plain(tmp_path, quoted)
    assert frame is not None
    pd.testing.assert_frame_equal(frame, plain(tmp_path, ROWS))


# -- the two roads -----------------------------------------------------------------------------------------

_STAGES = ("Prospecting", "Proposal", "Closed Won", "Closed Lost")
_DAMAGES = (
    ("Id", ("", " 006x ", "Total", '006"q')),
    ("Amount", ("", "1.234", "1,5", "null", "-5", "1e3", "nan", "12500.50 ", "EUR 5")),
    ("CloseDate", ("", "31/10/2026", "2026-10-31T00:00:00.000Z", "9999-12-31", "31.12.2026")),
    ("CreatedDate", ("", "2026-10-01", "2026-10-01T00:00:00.000Z", "2026-10-01T08:00:00", "2026-10-01T08:00:00+0200")),
    ("StageName", ("", "null", " Proposal", "Änderung", "Subtotal")),
    ("OpportunityId", ("", "006000000000000", "unknown")),
)


def written(where: Path, seed: int) -> Path:
    """Write a small export of Salesforce with some damaged values."""
    random = np.random.default_rng(seed)
    count = int(random.integers(3, 40))
    created = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 200 * 86_400, count), unit="s")
    stage = random.choice(_STAGES, count)
    deals = pd.DataFrame(
        {
            "Id": [f"006{number:012d}" for number in range(count)],
            "StageName": stage,
            "Amount": np.round(random.lognormal(9, 1, count), 2),
            "CloseDate": (created + pd.Timedelta(days=60)).strftime("%Y-%m-%d"),
            "CreatedDate": created.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "IsClosed": np.where(np.isin(stage, _STAGES[2:]), "true", "false"),
            "IsWon": np.where(stage == "Closed Won", "true", "false"),
            "Region__c": random.choice(["North", "South"], count),
        }
    ).astype(object)
    of = random.integers(0, count, 4 * count)
    history = pd.DataFrame(
        {
            "OpportunityId": deals["Id"].to_numpy()[of],
            "CreatedDate": (created[of] + pd.to_timedelta(random.integers(0, 30, len(of)), unit="D")).strftime(
                "%Y-%m-%dT%H:%M:%S.000Z"
            ),
            "StageName": random.choice(_STAGES, len(of)),
            "Amount": deals["Amount"].to_numpy()[of],
            "CloseDate": deals["CloseDate"].to_numpy()[of],
        }
    ).astype(object)
    for frame in (deals, history):
        for _ in range(int(random.integers(0, 3))):
            column, values = _DAMAGES[random.integers(len(_DAMAGES))]
            if column in frame:
                frame.loc[random.integers(len(frame)), column] = random.choice(values)
    where.mkdir()
    deals.to_csv(where / "Opportunity.csv", index=False, quoting=int(random.integers(2)))
    history.to_csv(where / "OpportunityHistory.csv", index=False, quoting=int(random.integers(2)))
    return where


def outcome(source: Path) -> Imported | str:
    try:
        return read_export("salesforce", source)
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("part", range(4))
def test_both_roads_lead_to_the_same_tables_notes_and_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
):
    taken = 0
    for seed in range(10 * part, 10 * part + 10):
        source = written(tmp_path / str(seed), seed)
        with monkeypatch.context() as patch:
            read = []
            patch.setattr(export, "read_plain", lambda *path, _read=read, **more: _kept(_read, *path, **more))
            quick = outcome(source)
            taken += sum(table is not None for table in read)
            patch.setattr(export, "read_plain", lambda *_, **__: None)
            careful = outcome(source)
        if isinstance(quick, str) or isinstance(careful, str):
            assert quick == careful
            continue
        assert quick.notes == careful.notes
        assert quick.tables.keys() == careful.tables.keys()
        for name, frame in quick.tables.items():
            pd.testing.assert_frame_equal(
                frame.reset_index(drop=True), careful.tables[name].reset_index(drop=True), obj=f"{name} of seed {seed}"
            )
    assert taken >= 5


def _kept(read: list, *path: Path, **more: object) -> object:
    table = read_plain(*path, **more)
    read.append(table)
    return table
