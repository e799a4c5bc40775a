"""A model of one's own: a function `mine(snap, *, months, seed)` and the name it goes by.

Simple case: the function is handed what was known on a day, and what it returns is the forecast. Three complications:
it gets copies, so that it can harm nobody who comes after it; whatever it raises is told in words, with the line of its
own code; and a function that other processes must run is sent to them with the code of its module, unless that is
installed there anyway.
"""

from __future__ import annotations

import inspect
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.data.codes import is_coded, text_of
from forecast.data.known.snapshot import Snapshot
from forecast.errors import MachineError, ModelError, ParameterError, shortened
from forecast.models.spread.worker import one_thread

Function = Callable[..., Any]
SIGNATURE = "mine(snap, *, months, seed)"
_NAME = re.compile(r"\w[\w.+-]{0,59}")
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, kw_only=True)
class OwnModel:
    """A model of one's own.

    name : what its rows of a forecast table, its notes and its line on pages are called.
    function : `mine(snap, *, months, seed)`; what it may return is told in `answer.table_of`.
    code : the function as it is sent to another process, where it has been made ready for that.
    """

    name: str
    function: Function
    code: bytes = b""

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the model pass to another process as its code."""
        return _received, (self.name, self.code or _sent(self))

    def ready(self) -> OwnModel:
        """Return the model ready to be sent to another process; raises ParameterError where it cannot be."""
        return replace(self, code=_sent(self))

    def answer(self, snap: Snapshot, *, months: int, seed: int) -> Any:
        """Return what the function returns of a copy of a snapshot. Raises ModelError for what it raises."""
        given = copied(snap)
        try:
            with one_thread():  # the same numbers in whichever process it runs
                return self.function(given, months=months, seed=seed)
        except (MachineError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            raise ModelError(told(error), model=self.name, origin=f"{snap.as_of:%Y-%m-%d}") from error


def own_model(given: Any) -> OwnModel:
    """Return the model that a function, or `(name, function)`, is.

    Raises
    ------
    ParameterError : it is neither, has no name to go by, or cannot be called as `mine(snap, *, months, seed)`.
    """
    if isinstance(given, OwnModel):
        return given
    is_pair = isinstance(given, (tuple, list)) and len(given) == 2
    name, function = given if is_pair else (getattr(given, "__name__", None), given)
    if not callable(function):
        raise ParameterError(
            f"models: {shortened(repr(given))} is neither a name nor a function\n"
            f"  mend: give a name, a function {SIGNATURE}, or (name, function)"
        )
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ParameterError(
            f"models: {shortened(repr(name))} is no name for a model (letters, digits, _ . + -, at most 60)\n"
            "  mend: give (name, function)"
        )
    if inspect.isclass(function):
        raise ParameterError(f"models: {name} is a class\n  mend: give a function, or an object that can be called")
    try:
        inspect.signature(function).bind(None, months=1, seed=0)
    except TypeError as error:
        raise ParameterError(
            f"models: {name} cannot be called as {name}(snap, months=6, seed=0): {error}\n  mend: def {SIGNATURE}"
        ) from None
    except ValueError:  # of C: it has no signature to look at
        pass
    return OwnModel(name=name, function=function)


def copied(snap: Snapshot) -> Snapshot:
    """Return a snapshot of copies, text as plain text: nothing of it is shared, not even levels that it does not hold.

    What was worked out on the snapshot is not handed on, nor on which day the data were extracted, nor what the
    company's own columns held on that day.
    """
    frames = {field.name: getattr(snap, field.name) for field in fields(snap)}
    plain = {name: _plain(frame) for name, frame in frames.items() if isinstance(frame, pd.DataFrame)}
    plain["own_columns"] = None
    return replace(snap, company=replace(snap.company, extracted_on=snap.as_of), **plain)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy(deep=True)
    for name in out:
        if is_coded(out[name]):
            out[name] = pd.Series(pd.array(text_of(out[name]).to_pylist(), dtype="str"), index=out.index)
    out.attrs = {}
    return out


# -- what went wrong inside ------------------------------------------------------------------------------


def told(error: BaseException, *, importing: bool = False) -> str:
    """Return what a model raised, and the last line of its own code that led there; importing : while it was loaded."""
    said = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_library(frame.filename) and not frame.filename.startswith("<frozen")]
    what = type(error).__name__ if importing else f"it raised {type(error).__name__}"
    what += f": {shortened(said) if len(said) > 300 else said}" if said else ""
    if not own:
        return what
    last = own[-1]
    line = f": {last.line}" if last.line else ""
    return f"{what} ({Path(last.filename).name}, line {last.lineno}, in {last.name}{line})"


def _is_library(file: str) -> bool:
    path = Path(file)
    standard = Path(sysconfig.get_path("stdlib"))
    ours = Path(__file__).parents[2]
    return any(part in path.parts for part in _INSTALLED) or path.is_relative_to(standard) or path.is_relative_to(ours)


# -- to another process ----------------------------------------------------------------------------------


def _sent(model: OwnModel) -> bytes:
    """Return a model's function as bytes: what is installed by its name, all else with the code of its module."""
    import cloudpickle

    kept = cloudpickle.list_registry_pickle_by_value()
    own = [module for name, module in list(sys.modules.items()) if name not in kept and _is_own(name, module)]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(model.function))
    except Exception as error:
        raise ParameterError(
            f"models: {model.name} cannot be sent to other processes ({type(error).__name__}: {error})\n"
            "  mend: workers=1 and no dask; or a function that holds neither an open file nor a connection"
        ) from None
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _is_own(name: str, module: Any) -> bool:
    """Return whether a module is a file that only this process is sure to find."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and name not in ("__main__", "__mp_main__") and not _is_library(file)


def _received(name: str, sent: bytes) -> OwnModel:
    import pickle

    try:
        return OwnModel(name=name, function=pickle.loads(sent))
    except ImportError as error:
        return OwnModel(name=name, function=partial(_missing, str(error)))


def _missing(why: str, _: Snapshot, *, months: int, seed: int) -> Any:  # noqa: ARG001
    """Stand for a function whose modules this process does not have."""
    raise ModuleNotFoundError(f"{why}: a worker does not have it; install it there, or use one process")
