"""The reference of the public functions, docs/api.md, written from their docstrings so that it cannot differ from them.

`python tools/api.py > docs/api.md` writes it; a test compares, and runs the examples.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import forecast

_HEAD = """# Reference

<!-- Generated: python tools/api.py > docs/api.md -->

What `import forecast` gives. Everything below is also in `help(forecast.read)` and in JupyterLab by Shift-Tab.

- Models by name: {models}, and `submitted-<submitter>` for each who submits.
- A model of your own: [your_own_model.md](your_own_model.md). A part of the company: [selecting.md](selecting.md).
- Words: [glossary.md](glossary.md).

"""

SUBJECTS = (
    ("Data", ("read", "select", "Log", "Company")),
    ("What was known on a day", ("snapshot", "Snapshot", "settled_actuals", "landmarks", "slips")),
    ("Forecasts", ("win_probabilities", "forecast_bookings", "forecast_by_level", "changes_forecast")),
    ("What if, and a picture", ("what_if", "bookings_chart")),
    ("How good", ("backtest", "backtest_by_level", "score", "summarise", "deal_track", "second_opinion")),
    ("What people change", ("overrides", "value_of_judgement", "write_override")),
    ("Did planning together help", ("planning_errors", "planning_effect")),
)
"""The public names, in the order in which one needs them."""


def reference() -> str:
    """Return the text of docs/api.md."""
    from forecast.models.registry import MODELS

    known = [name for _, names in SUBJECTS for name in names]
    others = tuple(name for name in forecast.__all__ if name not in known)
    parts = [_HEAD.format(models=", ".join(f"`{name}`" for name in MODELS))]
    for subject, names in (*SUBJECTS, ("More", others)):
        there = [name for name in names if name in forecast.__all__]
        parts += [f"## {subject}\n"] * bool(there)
        parts += [_entry(name, getattr(forecast, name)) for name in there]
    return "\n".join(parts).rstrip() + "\n"


def _entry(name: str, thing: Any) -> str:
    """Return one public name: how it is called, then its docstring, with its examples as code."""
    text = inspect.getdoc(thing) or ""
    call = f"forecast.{name}" if dataclasses.is_dataclass(thing) else f"forecast.{name}{_signature(thing)}"
    return f"### {name}\n\n```python\n{call}\n```\n\n```text\n{text}\n```\n"


def _signature(function: Any) -> str:
    """Return how a function is called, a line an argument."""
    lines, starred = [], False
    found = inspect.signature(function)
    for name, one in found.parameters.items():
        if one.kind is one.KEYWORD_ONLY and not starred:
            lines.append("*")
            starred = True
        default = "" if one.default is one.empty else f" = {one.default!r}"
        lines.append(f"{name}: {one.annotation}{default}")
    return "(\n    " + ",\n    ".join(lines) + f",\n) -> {found.return_annotation}"


if __name__ == "__main__":
    print(reference(), end="")
