"""A folder of Parquet partitions is the table that one file would be; what is wrong in one is said with its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as papq
import pytest

import forecast
from forecast.data.selection.reading import hold, read_to_hold
from forecast.data.sources import redact as redacting
from forecast.data.sources.files import problems_in, read
from forecast.data.sources.read import ending_on
from forecast.data.sources.tables.partitions import files_of
from forecast.errors import DataError, MachineError
from forecast.reporting.run.reading import Reading
from forecast.reporting.run.workspace import data_fingerprints

DEALS = pd.DataFrame(
    {
        "opportunity_id": ["A", "B", "C", "D", "E"],
        "created_on": pd.to_datetime(["2026-01-05", "2026-01-06", "2026-02-07", "2026-02-08", "2026-03-09"]),
        "segment": ["North", "South", "North", "South", "North"],
        "stage": ["Won", "Open", "Open", "Lost", "Open"],
        "amount": [10.5, 20.0, 30.0, np.nan, 50.0],
        "expected_close_on": pd.to_datetime(["2026-03-01", None, "2026-04-01", "2026-04-01", "2026-05-01"]),
        "closed_on": pd.to_datetime(["2026-02-01", None, None, "2026-03-01", None]),
        "outcome": ["won", "open", "open", "lost", "open"],
        "lost_reason": [None, None, None, "Price", None],
    }
)


def parted(folder: Path, *, at: tuple[int, ...] = (2, 4), frame: pd.DataFrame = DEALS) -> Path:
    """Write deals as partitions, cut at some rows; return the folder of the data."""
    place = folder / "opportunities"
    place.mkdir(parents=True)
    for number, rows in enumerate(np.split(np.arange(len(frame)), at)):
        frame.iloc[rows].to_parquet(place / f"part-{number}.parquet", index=False)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as error:
        read(folder)
    return str(error.value)


def same(one: forecast.Log, other: forecast.Log) -> None:
    assert list(one.tables) == list(other.tables)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other.tables[name], check_exact=True)
    assert one.notes == other.notes
    assert one.extracted_on == other.extracted_on


@pytest.fixture
def one_file(tmp_path: Path) -> forecast.Log:
    (tmp_path / "one").mkdir()
    DEALS.to_parquet(tmp_path / "one" / "opportunities.parquet", index=False)
    return read(tmp_path / "one")


@pytest.mark.parametrize("at", [(), (2,), (1, 2, 3, 4), (4, 4)])  # also one without rows
def test_the_table_is_that_of_one_file(tmp_path, one_file, at):
    # lost_reason is of no type at all in partitions without a lost deal
    same(read(parted(tmp_path / "data", at=at)), one_file)


def test_the_sample_is_the_same_to_the_bit(tmp_path, sample):
    shutil.copytree(sample, tmp_path / "data")
    for name in ("opportunities", "opportunity_history"):
        file = tmp_path / "data" / f"{name}.parquet"
        table = papq.read_table(file)
        file.unlink()
        for number, begin in enumerate(range(0, len(table), 30_000)):
            place = tmp_path / "data" / f"{name}.parquet" / f"year={number}"
            place.mkdir(parents=True)
            papq.write_table(table.slice(begin, 30_000), place / "x.parquet")
    log = read(tmp_path / "data")
    whole = read(sample)
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(table, log.tables[name], check_exact=True)
    assert sum("read as places" in note.what for note in log.notes) == 2


def test_folders_may_name_a_column(tmp_path, one_file):
    for segment, rows in DEALS.groupby("segment"):
        place = tmp_path / "data" / "opportunities" / f"segment={segment}"
        place.mkdir(parents=True)
        rows.drop(columns="segment").to_parquet(place / "part.parquet", index=False)
    log = read(tmp_path / "data")
    pd.testing.assert_frame_equal(log.opportunities[list(one_file.opportunities)], one_file.opportunities)
    assert not log.notes


def test_a_column_in_files_and_in_the_names_of_folders_is_refused(tmp_path):
    place = tmp_path / "opportunities" / "segment=North"
    place.mkdir(parents=True)
    DEALS.to_parquet(place / "part.parquet", index=False)
    assert "folders are named segment=…, and its partitions hold it too" in refused(tmp_path)


def test_whole_numbers_and_decimals_differ_and_so_do_text_and_numbers(tmp_path):
    folder = parted(tmp_path)
    file = folder / "opportunities" / "part-2.parquet"
    DEALS.iloc[4:].assign(amount=["50"]).to_parquet(file, index=False)
    message = refused(folder)
    assert (
        "opportunities.amount: opportunities/part-2.parquet holds text, opportunities/part-0.parquet numbers" in message
    )


def test_a_partition_without_a_column_is_named(tmp_path):
    folder = parted(tmp_path)
    DEALS.iloc[2:4].drop(columns="amount").to_parquet(folder / "opportunities" / "part-1.parquet", index=False)
    message = refused(folder)
    assert (
        "opportunities.amount: opportunities/part-1.parquet has no such column, opportunities/part-0.parquet" in message
    )
    assert "mend: write the column into every partition" in message


def test_a_doubled_key_names_both_partitions(tmp_path):
    folder = parted(tmp_path, frame=DEALS.assign(opportunity_id=["A", "B", "A", "D", "E"]))
    message = refused(folder)
    assert "the key is there more than once" in message
    assert "A in opportunities/part-0.parquet, A in opportunities/part-1.parquet" in message


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[: len(data) // 2], "opportunities/part-1.parquet cannot be read as Parquet"),
        (lambda _: b"", "opportunities/part-1.parquet is empty"),
        (lambda data: data[:40] + bytes(60) + data[100:], "opportunities/part-1.parquet cannot be read as Parquet"),
    ],
)
def test_a_damaged_partition_is_named(tmp_path, harm, said):
    folder = parted(tmp_path)
    file = folder / "opportunities" / "part-1.parquet"
    file.write_bytes(harm(file.read_bytes()))
    assert said in refused(folder)


def test_partitions_that_are_being_written_are_not_read(tmp_path):
    folder = parted(tmp_path)
    (folder / "opportunities" / "_temporary").mkdir()
    assert "are being written" in refused(folder)


def test_what_is_no_parquet_among_partitions_is_refused_and_marks_are_passed_over(tmp_path, one_file):
    folder = parted(tmp_path / "data")
    (folder / "opportunities" / "_SUCCESS").touch()
    (folder / "opportunities" / ".part-0.parquet.crc").write_bytes(b"crc")
    same(read(folder), one_file)
    (folder / "opportunities" / "late.csv").write_text("opportunity_id\nX\n")
    assert "opportunities/late.csv is no Parquet" in refused(folder)


def test_partitions_and_a_file_of_one_table_are_refused(tmp_path):
    folder = parted(tmp_path)
    DEALS.to_parquet(folder / "opportunities.parquet", index=False)
    assert "there is opportunities and opportunities.parquet for this table" in refused(folder)


def test_a_folder_called_like_a_file_without_partitions_is_an_error_and_another_is_left_alone(one_file):
    place = Path(one_file.source)
    (place / "plan").mkdir()
    (place / "plan" / "notes.md").write_text("none of ours")
    same(read(place), one_file)
    (place / "leads.parquet").mkdir()
    assert "leads.parquet holds no Parquet file" in refused(place)


def test_every_problem_is_listed_beside_those_of_other_tables(tmp_path):
    folder = parted(tmp_path)
    (folder / "opportunities" / "part-1.parquet").write_bytes(b"PAR1")
    (folder / "plan.csv").write_text("period,segment,amount\n2026-13,North,1\n")
    tables = {problem.table for problem in problems_in(folder) if problem.severity == "fatal"}
    assert tables == {"opportunities", "plan"}


def test_categories_and_zones_are_kept(tmp_path):
    made = DEALS.assign(segment=DEALS["segment"].astype("category"), note=[1, 2, 3, 4, 5])
    made["seen"] = made["created_on"].dt.tz_localize("Europe/Berlin").astype("datetime64[ns, Europe/Berlin]")
    (tmp_path / "one").mkdir()
    made.to_parquet(tmp_path / "one" / "opportunities.parquet", index=False)
    same(read(parted(tmp_path / "data", frame=made)), read(tmp_path / "one"))


# -- one reading ------------------------------------------------------------------------------------------


def test_the_files_of_a_folder_are_all_its_partitions_and_nothing_else_below_it(tmp_path):
    folder = parted(tmp_path)
    (folder / "old").mkdir()
    (folder / "old" / "opportunities.parquet").touch()
    (folder / "company.toml").touch()
    (folder / ".hidden").touch()
    names = [file.relative_to(folder).as_posix() for file in files_of(folder)]
    assert names == ["company.toml", *(f"opportunities/part-{number}.parquet" for number in range(3))]
    assert list(data_fingerprints(folder)) == names


def test_a_partition_that_changes_ends_the_reading_and_what_is_held_for_it(tmp_path):
    folder = parted(tmp_path)
    reading, held = Reading.begin(folder), read_to_hold(folder)
    reading.check()
    DEALS.iloc[4:].assign(amount=51.0).to_parquet(folder / "opportunities" / "part-2.parquet", index=False)
    with pytest.raises(MachineError, match=r"part-2\.parquet"):
        reading.check()
    hold(held)
    assert forecast.read(folder).opportunities["amount"].iloc[4] == 51.0


def test_copies_hold_the_partitions(tmp_path, one_file):
    folder = parted(tmp_path / "data")
    log = read(folder)
    copy = ending_on(folder, tmp_path / "copy", company=log.company, day=pd.Timestamp("2026-06-30"))
    assert read(copy).opportunities.equals(one_file.opportunities)
    names = redacting.redact(folder, tmp_path / "redacted", log=log, salt=b"secret")
    hidden = read(tmp_path / "redacted").opportunities
    assert sorted(hidden["opportunity_id"]) == sorted(names["deal"].values())
    assert hidden["amount"].sum() == one_file.opportunities["amount"].sum()


def test_a_text_in_a_large_dictionary_is_read(tmp_path):
    frame = pd.concat([DEALS.assign(opportunity_id=DEALS["opportunity_id"] + str(number)) for number in range(3)])
    folder = parted(tmp_path, frame=frame, at=(7,))
    file = folder / "opportunities" / "part-0.parquet"
    table = papq.read_table(file)
    papq.write_table(table.set_column(3, "stage", table["stage"].cast(pa.large_string())), file)
    assert read(folder).opportunities["stage"].value_counts().to_dict() == {"Open": 9, "Lost": 3, "Won": 3}
