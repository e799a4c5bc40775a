"""Tables as an import writes them: byte for byte what Arrow's own writer gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from forecast.data.checks.table import check_table
from forecast.data.codes import coded
from forecast.data.schema import Company
from forecast.data.sources.tables.read import read_tables
from forecast.data.sources.writing import write_csv, write_parquet


def by_arrow(frame: pd.DataFrame, path: Path) -> bytes:
    """Write with Arrow's writer, dates as dates; return the bytes."""
    columns = {}
    for name in frame:
        values = pa.array(frame[name], from_pandas=True)
        columns[str(name)] = (
            values.cast(pa.date32()) if frame[name].dtype.kind == "M" and not values.type.tz else values
        )
    pacsv.write_csv(pa.table(columns), path)
    return path.read_bytes()


@pytest.mark.parametrize("rows", [0, 1, 3, 40_000])
def test_every_kind_is_written_as_arrow_writes_it(tmp_path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    moments = pd.Series(pd.to_datetime(random.integers(-(10**15), 2 * 10**15, rows), unit="us", utc=True))
    days = pd.Series(pd.to_datetime(random.integers(0, 20_000, rows), unit="D")).astype("datetime64[us]")
    text = pd.Series(random.choice(['say "a"', "c,d", "two\nlines", "Zoë", None], rows), dtype="str")
    frame = pd.DataFrame(
        {
            "text": text,
            'in "codes"': coded(text),
            "at": moments.where(np.arange(rows) != 1),
            "on": days.where(np.arange(rows) != 2),
            "amount": random.choice([1.0, 0.1, 1e20, 1e-7, np.nan, -0.0, 0.1 + 0.2], rows),
            "count": random.integers(-5, 5, rows),
            "flag": random.integers(0, 2, rows) == 1,
        }
    )
    write_csv(frame, tmp_path / "ours.csv")
    assert (tmp_path / "ours.csv").read_bytes() == by_arrow(frame, tmp_path / "arrows.csv")


@pytest.mark.parametrize("rows", [0, 1, 40_000])
def test_parquet_is_read_as_the_csv_is(tmp_path: Path, rows: int) -> None:
    random = np.random.default_rng(1)
    moments = pd.Series(pd.to_datetime(random.integers(10**15, 2 * 10**15, rows), unit="us", utc=True))
    days = pd.Series(pd.to_datetime(random.integers(0, 20_000, rows), unit="D")).astype("datetime64[us]")
    names = pd.Series([f"deal {number // 5:09d} of a length that fills pages" for number in range(rows)], dtype="str")
    frame = pd.DataFrame(
        {
            "opportunity_id": coded(names),
            "recorded_at": moments,
            "stage": pd.Series(random.choice(["Open", "Zoë", None], rows), dtype="str"),
            "amount": random.choice([1.0, 0.1, np.nan, 0.1 + 0.2], rows),
            "expected_close_on": days.where(np.arange(rows) != 1),
        }
    )
    write_csv(frame, tmp_path / "opportunity_history.csv")
    write_parquet(frame, tmp_path / "opportunity_history.parquet")
    of_csv, of_parquet = (
        check_table(
            "opportunity_history", read_tables(tmp_path / f"opportunity_history.{form}", typed=True)[0].frame, Company()
        )
        for form in ("csv", "parquet")
    )
    assert [one.what for one in of_parquet[1]] == [one.what for one in of_csv[1]]
    pd.testing.assert_frame_equal(of_parquet[0].reset_index(drop=True), of_csv[0].reset_index(drop=True))


def test_by_hand(tmp_path: Path) -> None:
    at = pd.Series(pd.to_datetime(["2026-10-31T17:05:00Z", None])).astype("datetime64[us, UTC]")
    write_csv(pd.DataFrame({"name": pd.Series(["A", None], dtype="str"), "at": at}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == '"name","at"\n"A",2026-10-31 17:05:00.000000Z\n,\n'
