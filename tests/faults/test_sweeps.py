"""Which operations on files are refused one by one, and that the failing file system refuses just these."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faults.runs import Disk
from faults.sweeps import Operation, neighbours, places, plain

HERE = Path(__file__).parent


def operations(*told: str) -> list[Operation]:
    parts = [text.split(" ") for text in told]
    return [
        Operation(number=number, needs="room", what=what, file=file) for number, (what, file) in enumerate(parts, 1)
    ]


def test_what_differs_from_run_to_run_is_left_out_of_a_path():
    folder = Path("/of/a/case")
    names = {
        f"{folder}/tmp/forecast-data-a8_k2xyz/04_track_record.tables": "/tmp/forecast-data-X/#_track_record.tables",
        f"{folder}/tmp/.new-17-forecast-kernels-a8_k2xyz/.owned": "/tmp/.new-#-forecast-kernels-X/.owned",
        f"{folder}/tmp/q1w2e3r4": "/tmp/X",
        f"{folder}/./.new-17-.ours-a8_k2xyz": "/./.new-#-.ours-X",
        f"{folder}/.ours-a8_k2xyz/opportunities.csv": "/.ours-X/opportunities.csv",
        f"{folder}/reports/.work/2026-03-31/.state-17-140.json": "/reports/.work/#-#-#/.state-#-#.json",
    }
    assert {name: plain(name, folder) for name in names} == names


def test_the_first_and_the_last_of_each_kind_are_tried_or_all():
    done = operations(
        "write /data/.t#.csv",
        "write /data/.t#.csv",
        "write /data/.t#.csv",
        "write /#_first.html",
        "write /#_other.html",
    )
    assert [each.number for each in places(done, every=False)] == [1, 3, 4, 5]
    assert places(done, every=True) == done
    removed = operations("unlink /out/.work/a/t", "unlink /out/.work/a/u", "unlink /out/.work/a/v", "unlink /out/.lock")
    assert [each.number for each in places(removed, every=False)] == [1, 3, 4]


def test_another_operation_counts_only_where_it_is_a_neighbour_of_the_one_that_was_meant():
    done = operations(*(f"write /{letter}" for letter in "abcdefghijkl"))
    near = neighbours(done, done[5])
    assert near == {("write", f"/{letter}") for letter in "bcdefghij"}


PROGRAM = """
import errno, os, sys
from pathlib import Path
from faults.runs import *
disk, folder = Disk(), Path(sys.argv[1])
said = []
def tried(mode, at=1, **more):
    disk.set(mode, at=at, below=[folder], **more)
    disk.of(os.getpid())
    found = []
    for name in "abc":
        try:
            (folder / name).write_text(name)
            found.append((folder / name).read_text())
        except OSError as error:
            found.append(errno.errorcode[error.errno])
    hit = disk.first_hit.replace(str(folder), "")
    disk.set(COUNT)
    return found, hit
assert tried(COUNT, trace=True) == (["a", "b", "c"], "")
for name in "abc":
    (folder / name).unlink()
assert tried(ONCE, at=3, how=errno.EDQUOT) == (["a", "EDQUOT", "c"], "open /b")
assert tried(READING, at=2, how=errno.EIO)[0][0] == "EIO"
assert tried(FULL, at=4) == (["a", "ENOSPC", "ENOSPC"], "write /b")
assert tried(READ_ONLY) == (["EROFS"] * 3, "open /a")
disk.set(COUNT, lacks=NO_LINKS)
try:
    os.link(folder / "a", folder / "d")
except PermissionError:
    print("done")
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
def test_the_failing_file_system_refuses_what_it_is_told_to(tmp_path):
    library, control = tmp_path / "filesystem.so", tmp_path / "control"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "filesystem.c", "-ldl"], check=True)
    control.write_bytes(b"\0" * Disk.SIZE)
    (tmp_path / "place").mkdir()
    env = {"LD_PRELOAD": str(library), "FAULTS_CONTROL": str(control), "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "place")]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
