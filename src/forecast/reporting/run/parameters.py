"""The parameters of a notebook: read from its `parameters` cell without running it, checked before a kernel starts.

The cell holds plain literals, one a line, with the meaning in a comment:

    months: int = 6  # how many months ahead; allowed: 1 to 12
    model: str = "pipeline"  # which forecaster; allowed: pipeline, ets
    as_of: str = "2026-10-31"  # the day whose knowledge is used; allowed: date

Papermill itself only warns of an unknown name and passes any type; here both are refused.
"""

from __future__ import annotations

import ast
import datetime as dt
import io
import json
import math
import re
import tokenize
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.errors import ParameterError, did_you_mean, nearest

_PLAIN = (str, int, float, bool, dt.date)
TYPES = ("str", "int", "float", "bool", "date", "list[str]", "list[int]", "list[float]")

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"^({_NUMBER})\s*(?:to|\.\.|–)\s*({_NUMBER})$")
_AT_LEAST = re.compile(rf"^(?:({_NUMBER}) or more|at least ({_NUMBER})|>=\s*({_NUMBER}))$")
_DATE = re.compile(r"^\d{4}-(0[1-9]|1[0-2])(-\d{2})?$")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_TYPE_NAMES = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "date": "a date"}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter: its name, type (one of `TYPES`), default, what it may be, and what it means.

    `allowed` is the text after `allowed:` in its comment; `choices` and `low`..`high` are the same, read.
    """

    name: str
    type: str
    default: Any
    allowed: str = ""
    meaning: str = ""
    choices: tuple[Any, ...] = ()
    low: float = -math.inf
    high: float = math.inf


def parameters_file(file: Path) -> dict[str, Any]:
    """Return the parameters of a file, TOML or YAML by its ending: plain values and lists by name.

    Raises ParameterError where there is no such file, it is damaged, or it holds anything else.
    """
    kinds = {".toml": "TOML", ".yaml": "YAML", ".yml": "YAML"}
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        raise ParameterError(f"{file.name!r} must end in .toml, .yaml or .yml")
    try:
        text = file.read_text(encoding="utf-8-sig")
        found = tomllib.loads(text) if kind == "TOML" else _yaml(text)
    except FileNotFoundError:
        raise ParameterError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ParameterError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # those of TOML and of decoding are among these
        raise ParameterError(f"{file}: this is not {kind} ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict):
        raise ParameterError(f"{file}: this is not a list of NAME = VALUE")
    for name, value in found.items():
        parts = value if isinstance(value, list) else [value]
        if not isinstance(name, str) or not all(isinstance(part, _PLAIN) for part in parts):
            raise ParameterError(f"{file}: {name} is not a plain value or a list of these")
    return found


def _yaml(text: str) -> Any:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    return {} if found is None else found


def notebook_parameters(path: str | Path) -> list[Parameter]:
    """Return the parameters of a notebook file, in its order; empty where it has no cell tagged `parameters`.

    Raises ParameterError where the file is no notebook or the cell holds anything but literals.
    """
    file = Path(path)
    return parameters_of(read_notebook(file), where=file.name)


def read_notebook(file: Path) -> dict[str, Any]:
    """Return a notebook file as JSON. Raises ParameterError where it is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        [dict(cell) for cell in content["cells"]]
    except FileNotFoundError:
        raise ParameterError(f"{file.name}: there is no such notebook") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"{file.name}: this is not a notebook ({error})") from None
    return dict(content)


def parameters_of(notebook: Mapping[str, Any], *, where: str) -> list[Parameter]:
    """Return the parameters of a notebook that was read; where : its name, for errors. Raises ParameterError."""
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code" and "parameters" in cell.get("metadata", {}).get("tags", []):
            return cell_parameters("".join(cell["source"]), where=where)
    return []


def cell_parameters(source: str, *, where: str = "parameters") -> list[Parameter]:
    """Return the parameters that a cell's source declares. Raises ParameterError; executes nothing."""
    try:
        statements = ast.parse(source).body
        comments = {
            token.start[0]: token.string.lstrip("#").strip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except (SyntaxError, tokenize.TokenError) as error:
        raise ParameterError(f"{where}: the parameters cell is not Python ({error})") from None
    found = []
    for statement in statements:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        name, annotation, value = _assignment(statement, where)
        try:
            default = ast.literal_eval(value)
        except ValueError:
            raise ParameterError(f"{where}: {name} is not a plain literal; write the value itself") from None
        comment = comments.get(statement.end_lineno or statement.lineno, "")
        found.append(_parameter(name, annotation, default, comment, where))
    return found


def _assignment(statement: ast.stmt, where: str) -> tuple[str, str, ast.expr]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        return statement.target.id, ast.unparse(statement.annotation), statement.value
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            return target.id, "", statement.value
    raise ParameterError(
        f"{where}: the parameters cell may hold only lines such as `months: int = 6  # meaning`, "
        f"not `{ast.unparse(statement).splitlines()[0]}`"
    )


def _parameter(name: str, annotation: str, default: Any, comment: str, where: str) -> Parameter:
    meaning, _, allowed = comment.partition("allowed:")
    meaning, allowed = meaning.strip().rstrip(";").strip(), allowed.strip()
    kind = annotation or _type_of(default)
    if kind == "str" and (re.match(r"^(a )?(date|day|month)\b", allowed) or _DATE.match(str(default))):
        kind = "date"
    if kind == "list":
        kind = "list[str]"
    if kind not in TYPES:
        raise ParameterError(f"{where}: {name} has the type {kind!r}; known types: {', '.join(TYPES)}")
    low, high, choices = -math.inf, math.inf, ()
    element = kind.removeprefix("list[").removesuffix("]")
    if allowed and kind != "date":
        if (match := _RANGE.match(allowed)) and element in ("int", "float"):
            low, high = float(match[1]), float(match[2])
        elif (match := _AT_LEAST.match(allowed)) and element in ("int", "float"):
            low = float(next(group for group in match.groups() if group))
        elif "," in allowed or element != "str":
            words = [word.strip().strip("\"'`") for word in re.split(r",|\bor\b", allowed)]
            bare = Parameter(name=name, type=element, default=None)
            choices = tuple(_typed("" if word == "empty" else word, bare, where) for word in words if word)
    parameter = Parameter(
        name=name,
        type=kind,
        default=default,
        allowed=allowed,
        meaning=meaning,
        choices=choices,
        low=low,
        high=high,
    )
    check_parameters({name: default}, [parameter], where=where)
    return parameter


def _type_of(value: Any) -> str:
    if isinstance(value, list):
        return f"list[{_type_of(value[0])}]" if value else "list[str]"
    return type(value).__name__


def check_parameters(values: Mapping[str, Any], parameters: Iterable[Parameter], *, where: str = "") -> dict[str, Any]:
    """Return `values` typed, in their order, or raise ParameterError.

    A value may be text from the command line or what YAML or papermill made of it: `2026-10-31` may arrive as a
    date, but `as_of` as the number 202610 is refused. Dates come back as ISO text, a day or a month.
    """
    known = {parameter.name: parameter for parameter in parameters}
    prefix = f"{where}: " if where else ""
    typed = {}
    for name, value in values.items():
        if name not in known:
            raise ParameterError(f"{prefix}there is no parameter {name!r}; {nearest(name, known)}")
        typed[name] = _typed(value, known[name], where)
    return typed


def _typed(value: Any, parameter: Parameter, where: str) -> Any:
    element = parameter.type.removeprefix("list[").removesuffix("]")
    if parameter.type.startswith("list["):
        if isinstance(value, str):
            items: Sequence[Any] = [part.strip() for part in value.split(",") if part.strip()]
        elif isinstance(value, (list, tuple)):
            items = value
        else:
            raise _wrong(value, parameter, where, f"a list of {_TYPE_NAMES[element]}")
        return [_one(item, element, parameter, where) for item in items]
    return _one(value, element, parameter, where)


def _one(value: Any, kind: str, parameter: Parameter, where: str) -> Any:
    out = _converted(value, kind, parameter.default)
    if out is None:
        raise _wrong(value, parameter, where, _TYPE_NAMES[kind], hint=_hint(value, kind))
    if parameter.choices and out not in parameter.choices:
        shown = ", ".join("empty" if choice == "" else str(choice) for choice in parameter.choices)
        close = did_you_mean(str(out), [str(choice) for choice in parameter.choices])
        hint = f"; {close}" if close else ""
        raise _wrong(value, parameter, where, f"one of {shown}", hint=hint)
    if kind in ("int", "float") and not parameter.low <= out <= parameter.high:
        raise _wrong(value, parameter, where, f"allowed: {parameter.allowed}", verb="is out of range")
    return out


def _converted(value: Any, kind: str, default: Any) -> Any:
    """Return the value in the wanted type, or None where it cannot be that."""
    try:
        if kind == "str":
            return value if isinstance(value, str) else None
        if kind == "bool":
            return value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
        if kind == "date":
            return _iso(value, empty=default == "")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return None
        if kind == "int":
            if isinstance(value, float):
                return int(value) if value.is_integer() else None
            return int(value)
        number = float(value)
        return number if math.isfinite(number) else None
    except (ValueError, OverflowError):
        return None


def _iso(value: Any, *, empty: bool) -> str | None:
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else None
    if isinstance(value, dt.date):
        return value.isoformat()
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text and _DATE.match(text):
        dt.date.fromisoformat(text if len(text) == 10 else f"{text}-01")
        return text
    return "" if text == "" and empty else None


def _hint(value: Any, kind: str) -> str:
    if kind == "date":
        return "; write a day such as 2026-10-31 or a month such as 2026-10"
    if kind == "str" and not isinstance(value, str):
        return "; put it in quotes"
    return ""


def _wrong(
    value: Any, parameter: Parameter, where: str, wanted: str, *, verb: str = "is not", hint: str = ""
) -> ParameterError:
    prefix = f"{where}: " if where else ""
    joint = " " if verb == "is not" else "; "
    return ParameterError(f"{prefix}{parameter.name}: {value!r} {verb}{joint}{wanted}{hint}")
