"""Tables in a .zip: Salesforce's weekly export and many downloads come as one.

Its tables are unpacked into a folder of their own, which is gone afterwards; the archive stays as it is.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from forecast.data.sources.private import make_private
from forecast.data.sources.tables.content import CHUNK, is_bomb, too_large
from forecast.data.sources.tables.raw import is_table
from forecast.errors import DataError

ARCHIVE = ".zip"


@contextmanager
def files_of(source: Path) -> Iterator[list[Path]]:
    """Give the files of a folder, or the one file, sorted by name; those of a .zip unpacked while this holds.

    Only tables are taken from an archive, without its folders. Hidden files are left out.

    Raises DataError where an archive is damaged, protected by a password, or has two tables of one name.

    Example: `with files_of(Path("exports/WE_00D.ZIP")) as paths: ...`
    """
    paths = [source] if source.is_file() else sorted(path for path in source.iterdir() if path.is_file())
    paths = [path for path in paths if path == source or not path.name.startswith(".")]
    archives = [path for path in paths if path.suffix.lower() == ARCHIVE]
    folder = make_private("forecast-zip-") if archives else None
    try:
        unpacked = [
            file
            for number, path in enumerate(archives)
            if folder is not None
            for file in _unpacked(path, folder.path / str(number))
        ]
        yield [path for path in paths if path not in archives] + unpacked
    finally:
        if folder is not None:
            folder.remove()


def _unpacked(path: Path, folder: Path) -> list[Path]:
    """Return the tables of an archive, unpacked into a folder that is made for them."""
    folder.mkdir()
    out: list[Path] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = PurePosixPath(info.filename.replace("\\", "/")).name
                if info.is_dir() or name.startswith((".", "_")) or not is_table(Path(name)):
                    continue
                if info.flag_bits & 1:
                    raise DataError(
                        "is protected by a password", table=path.name, mend="unpack it, and name the folder"
                    )
                if (folder / name).exists():
                    raise DataError(f"has two files called {name}", table=path.name, mend="unpack the one that holds")
                with archive.open(info) as packed, (folder / name).open("wb") as file:
                    total = 0
                    while chunk := packed.read(CHUNK):
                        total += len(chunk)
                        if is_bomb(total, max(info.compress_size, 1)):
                            raise too_large(f"{path.name}, {name}", path.name)
                        file.write(chunk)
                out.append(folder / name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise DataError(f"is damaged or no .zip ({error})", table=path.name, mend="load it down again") from error
    if not out:
        raise DataError("holds no table", table=path.name, mend="name the file or folder that has the tables")
    return sorted(out)
