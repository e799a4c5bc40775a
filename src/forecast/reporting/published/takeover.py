"""Which notebooks of a month that stands a run may take over, because only others of them changed.

Simple case: the text of one notebook was changed, or a parameter that it alone has. Data, program, packages, day and
all else that the month was made from are what the manifest says. Then that notebook is run, and so is every notebook
that asked for a table which it wrote, and so on from these; of the others the executed notebook, the page and the
tables come from the month that stands, each with the hash that the manifest has of it. Which notebook asked for which
table, found or not, and wrote which, is in the manifest: `Results` notes it while they run.

Pages of segments read all tables: where something is run, they are made again.

Whatever is not certain lets everything run: another title (it stands on every page), a month made before tables were
noted, a changed file, a notebook that reaches for the folder of tables other than through `Results`, a logo of which
there is no fingerprint. A table that a changed notebook writes for the first time, and that one taken over had looked
for in vain, shows only in the end (`contradicted`); then everything is run after all.
"""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.reporting.month.own_code import PARAMETER
from forecast.reporting.month.results import ASKED, WROTE, write_text
from forecast.reporting.published import months
from forecast.reporting.published.tables import REMADE
from forecast.reporting.run import export, workspace
from forecast.reporting.run.prepare import LISTED, Job, Notebook

TAKEN = "taken_over"
"""What a manifest says of a notebook that was taken over, beside the tables it asked for (`ASKED`) and wrote."""

_SAME = ("as_of", "redacted", "versions")


@dataclass(frozen=True, kw_only=True)
class Takeover:
    """What is taken over from the month that stands.

    changed : the notebooks that differ, or that are to be run anew. run : those and all that their tables touch, and
    the one that is run for every part.
    kept : of each other notebook what the manifest says. files : the hash of each file that is taken over, by its path.
    """

    changed: tuple[str, ...]
    run: tuple[str, ...]
    kept: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, str]


def takeover(job: Job, *, anew: Collection[str] = ()) -> Takeover | None:
    """Return what can be taken over for a month from the one that stands; None where everything is to be run.

    anew : notebooks that are run although they did not change. Nothing is written. Raises MachineError where a file of
    the month cannot be read.
    """
    standing = months.read(job.month.final)
    if standing.problem or standing.files is None or job.redacted or not _same_ground(job, standing.manifest):
        return None
    told = _told(job, standing.manifest)
    if told is None or not all(map(_is_noted, told.values())):
        return None
    if not all(_is_plain(notebook) for notebook in job.notebooks.values()) or not _same_titles(job, standing.folder):
        return None
    each = [] if job.each is None else [job.each.stage.name]  # run for every part in any case
    changed = [name for name in (*job.notebooks, *each) if name in anew or _differs(job, name, standing.manifest)]
    own = {name: value for name, value in standing.files.items() if not (each and _of_the_list(name))}
    wrote = {name: _wrote(name, told[name], own) for name in told}
    touched = _touched(set(changed) - set(each), wrote, {name: {*told[name][ASKED], *wrote[name]} for name in told})
    kept = {name: {**told[name], TAKEN: True} for name in job.notebooks if name not in touched}
    files = _files(kept, wrote, job, own)
    if not changed or not kept or files is None or months.hashes(standing.folder) != standing.files:
        return None
    run = (*(name for name in job.notebooks if name in touched), *each)
    return Takeover(changed=tuple(changed), run=run, kept=kept, files=files)


def take_over(job: Job, found: Takeover) -> None:
    """Copy what is taken over into the work of a month, as if a run of it had been stopped after these notebooks.

    A file that is not what it was a moment ago leaves nothing: everything is run. Raises MachineError.
    """
    work = job.month.work
    with workspace.machine(f"{work} cannot be written"):
        shutil.rmtree(work, ignore_errors=True)
        for name, value in found.files.items():
            file = work / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(job.month.final / name, file)
            if workspace.file_fingerprint(file) != value:
                shutil.rmtree(work, ignore_errors=True)
                return
    state = {"fingerprint": workspace.combined(job.made_from), "finished": found.kept}
    write_text(json.dumps(state, indent=1) + "\n", work / workspace.STATE)


def contradicted(finished: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a notebook that was run wrote a table that one taken over had asked for, or wrote itself.

    finished : of each notebook what the manifest says.
    """
    wrote = {table for facts in finished.values() if not facts.get(TAKEN) for table in facts.get(WROTE, ())}
    taken = [facts for facts in finished.values() if facts.get(TAKEN)]
    return any(wrote.intersection((*facts[ASKED], *facts[WROTE])) for facts in taken)


def _same_ground(job: Job, manifest: Mapping[str, Any]) -> bool:
    """Return whether all but notebooks and parameters is what the month was made from, as far as prints can tell."""
    asked = json.loads(json.dumps(job.made_from, default=str))
    prints, others = asked["fingerprints"], manifest.get("fingerprints")
    logo = job.company.logo
    return (
        all(asked[name] == manifest.get(name) for name in _SAME)
        and isinstance(others, dict)
        and all(prints[name] == others.get(name) for name in ("data", "code"))
        and set(asked["parameters"]) == set(manifest.get("parameters", {}))
        and (not logo or Path(logo).parent == Path())
    )


def _told(job: Job, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a manifest tells of each of the run's notebooks; None where it tells of others, or not of all."""
    told = manifest.get("notebooks")
    every = {*job.notebooks, *([] if job.each is None else [job.each.stage.name])}
    if not isinstance(told, dict) or set(told) != every:
        return None
    return {name: told[name] for name in job.notebooks}


def _of_the_list(file: str) -> bool:
    """Return whether a file of a month is a table of the page that lists its parts, which is made anew."""
    table = Path(file).stem
    return file.startswith("tables/") and (table == LISTED or table.startswith(f"{LISTED}_"))


def _differs(job: Job, name: str, manifest: Mapping[str, Any]) -> bool:
    asked = json.loads(json.dumps(job.made_from, default=str))
    there = manifest["fingerprints"].get("notebooks", {})
    if asked["parameters"][name].get(PARAMETER) and _own(asked) != _own(manifest):
        return True
    return bool(
        asked["parameters"][name] != manifest["parameters"][name]
        or asked["fingerprints"]["notebooks"][name] != there.get(name)
    )


def _own(manifest: Mapping[str, Any]) -> Any:
    """Return the fingerprints of models of one's own that a month is made from."""
    return manifest["fingerprints"].get(PARAMETER)


def _is_noted(facts: Any) -> bool:
    return isinstance(facts, dict) and isinstance(facts.get(ASKED), list) and isinstance(facts.get(WROTE), list)


def _is_plain(notebook: Notebook) -> bool:
    """Return whether a notebook reaches for the folder of tables through `Results` alone, as far as its text tells."""
    for cell in notebook.content["cells"]:
        if cell["cell_type"] != "code" or "parameters" in cell.get("metadata", {}).get("tags", []):
            continue
        try:
            tree = ast.parse("".join(cell["source"]))
        except SyntaxError:  # a magic, say
            return False
        through = {
            id(argument)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Results"
            for argument in call.args
        }
        names = [each for each in ast.walk(tree) if isinstance(each, ast.Name) and each.id == "tables"]
        if any(id(each) not in through for each in names):
            return False
    return True


def _same_titles(job: Job, folder: Path) -> bool:
    for name, notebook in job.notebooks.items():
        try:
            executed = json.loads((folder / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
            if export.heading(executed, name) != notebook.title:
                return False
        except (OSError, ValueError, KeyError, TypeError):
            return False
    return True


def _page(name: str) -> str:
    """Return how the tables are called that belong to a notebook's page, as `pages.write_page` names them."""
    return f"page{name[:2]}"


def _wrote(name: str, facts: Mapping[str, Any], files: Collection[str]) -> set[str]:
    """Return the tables that a notebook or its page wrote."""
    there = {Path(file).stem for file in files if file.startswith("tables/")}
    return {*facts[WROTE], *(table for table in there if table.startswith(_page(name)))}


def _touched(changed: Collection[str], wrote: Mapping[str, set[str]], knows: Mapping[str, set[str]]) -> set[str]:
    """Return the notebooks that are run: those changed, and any that knows a table which one of these wrote."""
    found = set(changed)
    while more := {name for name in knows if name not in found and any(knows[name] & wrote[other] for other in found)}:
        found |= more
    return found


def _files(
    kept: Collection[str], wrote: Mapping[str, set[str]], job: Job, files: Mapping[str, str]
) -> dict[str, str] | None:
    """Return the files that are taken over and their hashes; None where a table is nobody's, or a file is not there."""
    owned = {table for name in wrote for table in wrote[name]}
    wanted = {f"notebooks/{name}.ipynb" for name in kept}
    wanted |= {"index.html" if job.notebooks[n].stage.kind == "leader" else f"analysis/{n}.html" for n in kept}
    for file in files:
        if file.startswith("tables/"):
            table = Path(file).stem
            if table not in owned and table != REMADE:
                return None
            if any(table in wrote[name] for name in kept):
                wanted.add(file)
    return {name: files[name] for name in sorted(wanted)} if wanted <= set(files) else None
