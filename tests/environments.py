"""Environments of their own for schedulers that are no dependencies of this project, made once and kept outside it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "schedules"


class NotToBeHad(Exception):
    """An environment cannot be made here; the message says why."""


def environment(name: str, *, with_project: bool) -> Path:
    """Return the folder of programs of an environment with the packages of `<name>.txt`.

    with_project : the project and its locked libraries can be imported in it too.

    It is made where it is not there, in FORECAST_TEST_ENVIRONMENTS or the user's cache, under a name that changes with
    the packages and the Python. Raises NotToBeHad where pip cannot have the packages.
    """
    requirements = HERE / f"{name}.txt"
    python = f"{sys.version_info.major}{sys.version_info.minor}"
    base = sysconfig.get_path("purelib") if with_project else ""
    key = hashlib.sha256(requirements.read_bytes() + f"{sys.version} {base}".encode()).hexdigest()[:12]
    folder = _cache() / f"{name}-{python}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, requirements, base)
            (folder / "complete").touch()
    return folder / "bin"


def _cache() -> Path:
    given = os.environ.get("FORECAST_TEST_ENVIRONMENTS")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or (Path(os.environ["HOME"]) / ".cache" if "HOME" in os.environ else None)
    return Path(home or tempfile.gettempdir()) / "forecast-tests"


def _make(folder: Path, requirements: Path, base: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    python = folder / "bin" / "python"
    if base:
        asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        own = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        (Path(own) / "project.pth").write_text(f"import site; site.addsitedir({base!r})\n", encoding="utf-8")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*install, "-r", str(requirements)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotToBeHad(f"pip cannot have the packages of {requirements.name} here: {last}")
