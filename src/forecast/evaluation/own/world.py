"""A process in which a model is imported afresh and makes its forecasts, in a world that may have another future.

    python -m forecast.evaluation.own.world JOB.json

Simple case: the data lie in a folder, the model is imported, and forecasts what each day knew. In a world with another
future the folder of the data is covered: where it lies, the process finds the other one, by whatever path it looks
(a mount that this process alone has; Linux, as root or where user namespaces are allowed). Where it cannot be covered,
whoever opens a file of the data through Python is noted, and that is told. Files that are opened elsewhere are noted
too: what they hold this test cannot see.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NEW_NAMESPACE, _NEW_USER, _BIND, _PRIVATE = 0x00020000, 0x10000000, 0x1000, 0x40000 | 0x4000
_MOST_FILES = 20
_CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".dist-info", ".egg-info", ".pem", ".zip")


def main(job: dict[str, Any]) -> None:
    """Do a job: `models`, each with `out`; data, days (in their order), months, seed, cover (folder, by) or None."""
    covered = bool(job["cover"]) and _cover(**job["cover"])
    import forecast

    log = forecast.read(job["data"])
    for model in job["models"]:
        # One model alone needs no process of its own; of several each finds modules and memory as if it were alone.
        if len(job["models"]) == 1:
            _forecasts(log, job, model, covered=covered)
            continue
        child = os.fork()
        if child == 0:
            try:
                _forecasts(log, job, model, covered=covered)
            finally:
                os._exit(0)
        os.waitpid(child, 0)


def _forecasts(log: Any, job: dict[str, Any], model: dict[str, str], *, covered: bool) -> None:
    """Write what a model says of each day, as text that shows every bit; what it raises is what it says."""
    import forecast
    from forecast.errors import ForecastError
    from forecast.models.registry import forecaster

    said: dict[str, str] = {}
    with _watched(Path(job["folder"])) as opened:
        try:
            call = forecaster(model["name"])
            for day in job["days"]:
                try:
                    table = call(forecast.snapshot(log, as_of=day), months=job["months"], seed=job["seed"])
                    said[day] = table.to_csv(index=False) + json.dumps(table.attrs.get("notes", []))
                except ForecastError as error:
                    said[day] = f"{type(error).__name__}: {error}"
        except ForecastError as error:
            said["import"] = f"{type(error).__name__}: {error}"
    facts = {"said": said, "covered": covered, "data": opened["data"], "elsewhere": opened["elsewhere"]}
    Path(model["out"]).write_text(json.dumps(facts), encoding="utf-8")


# -- what is opened ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _watched(data: Path) -> Iterator[dict[str, list[str]]]:
    """Note the files that are opened through Python inside this: those of the data, and those elsewhere."""
    opened: dict[str, list[str]] = {"data": [], "elsewhere": []}
    watching = [True]
    places = [os.path.realpath(place) for place in {sys.prefix, sys.base_prefix, str(Path(__file__).parents[3])}]
    ours = os.path.realpath(data)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching[0] or event not in ("open", "os.listdir", "os.scandir"):
            return
        path = arguments[0]
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        watching[0] = False  # looking for the real path must not be noted
        try:
            real = os.path.realpath(os.fsdecode(path))
        except (OSError, ValueError):
            return
        finally:
            watching[0] = True
        if real == ours or real.startswith(ours + os.sep):
            kind = "data"
        elif event != "open" or _is_code(real, places):
            return
        else:
            kind = "elsewhere"
        if real not in opened[kind] and len(opened[kind]) < _MOST_FILES:
            opened[kind].append(real)

    sys.addaudithook(hook)  # cannot be taken away: it is told to look no longer
    try:
        yield opened
    finally:
        watching[0] = False


def _is_code(file: str, places: list[str]) -> bool:
    """Return whether a file is a program's, or the system's."""
    system = file.endswith(_CODE) or file.startswith(("/proc", "/sys", "/dev", "/etc"))
    return system or any(file.startswith(place + os.sep) for place in places)


# -- the folder is covered -----------------------------------------------------------------------------------


def _cover(folder: str, by: str) -> bool:
    """Let this process find one folder where another lies; say whether that could be done."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        _unshare(libc)
        mount = libc.mount
        if mount(b"none", b"/", None, _PRIVATE, None) or mount(os.fsencode(by), os.fsencode(folder), None, _BIND, None):
            return False
    except (OSError, AttributeError):
        return False
    return Path(folder).samefile(by)


def _unshare(libc: Any) -> None:
    """Give this process mounts of its own: as root, or in a user namespace in which it is."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NAMESPACE) == 0:
        return
    if libc.unshare(_NEW_NAMESPACE | _NEW_USER):
        raise OSError(ctypes.get_errno(), "no namespace")
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
