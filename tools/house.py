"""What the source code looks like from above: modules and their lines, long functions, circles, crowded folders.

`python tools/house.py` prints the figures; `tests/whole/test_architecture.py` holds them.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "forecast"


def modules(base: Path = SOURCE) -> dict[str, Path]:
    """Return the modules below a folder by their path without suffix; `__init__` and `__main__` are none."""
    paths = (path for path in sorted(base.rglob("*.py")) if path.name not in ("__init__.py", "__main__.py"))
    return {path.relative_to(base).with_suffix("").as_posix(): path for path in paths}


def imports(path: Path, *, package: str = "forecast") -> set[str]:
    """Return what a file imports of the package, as paths; also for type checking and inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith(f"{package}."))
    return {name.removeprefix(f"{package}.").replace(".", "/") for name in found}


def arrows(base: Path = SOURCE) -> dict[str, set[str]]:
    """Return for each module the modules that it imports."""
    known = modules(base)
    return {name: (imports(path, package=base.name) & set(known)) - {name} for name, path in known.items()}


def circles(drawn: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Return each set of two or more modules that reach each other."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for target in drawn[ahead.pop()] - seen:
                seen.add(target)
                ahead.append(target)
        return seen

    reach = {name: reached(name) for name in drawn}
    return sorted({tuple(sorted(b for b in reach[a] if a in reach[b])) for a in drawn if a in reach[a]})


def crowded(drawn: Mapping[str, set[str]]) -> dict[str, tuple[int, int]]:
    """Return for each folder how many files and folders lie in it, and how many imports run between these."""
    folders = {"/".join(name.split("/")[:depth]) for name in drawn for depth in range(name.count("/") + 1)}
    out = {}
    for folder in sorted(folders):
        prefix = f"{folder}/" if folder else ""
        child = {name: name[len(prefix) :].split("/")[0] for name in drawn if name.startswith(prefix)}
        between = {
            (child[a], child[b])
            for a, targets in drawn.items()
            for b in targets
            if a in child and b in child and child[a] != child[b]
        }
        out[folder or "."] = (len(set(child.values())), len(between))
    return out


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of lines of each function of a file, decorators left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def main() -> None:
    """Print the figures."""
    known, drawn = modules(), arrows()
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in known.items()}
    longest = sorted(((n, f"{name}.{function}") for name, path in known.items() for function, n in functions(path)))
    longest.reverse()
    print(f"modules {len(known)}, lines {sum(lines.values())}, median {statistics.median(lines.values()):.0f}")
    print(f"longest module {max(lines, key=lines.__getitem__)} {max(lines.values())}")
    print(f"functions above 50 lines: {sum(n > 50 for n, _ in longest)}; longest {longest[0][1]} {longest[0][0]}")
    for n, name in (pair for pair in longest if pair[0] > 50):
        print(f"  {n} {name}")
    print(f"circles: {circles(drawn) or 'none'}")
    for folder, (entries, between) in crowded(drawn).items():
        print(f"{folder}: {entries} files and folders, {between} imports between them")
    for package in ("statsmodels", "sklearn"):
        users = [name for name, path in known.items() if package in _outside(path)]
        print(f"{package}: {', '.join(users) or 'nowhere'}")


def _outside(path: Path) -> set[str]:
    """Return the packages that a file imports."""
    tree = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module for node in tree if isinstance(node, ast.ImportFrom) and node.module]
    names += [alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[0] for name in names}


if __name__ == "__main__":
    sys.exit(main())
