"""The last step of a run: the month is published, what it replaces is kept, and the chain of months goes on.

The manifest lists the SHA-256 of every file of the month and names the publication before it by the hash of that
manifest; `forecast verify` follows both. A month that comes out as it stands is not published again, so its manifest,
and with it every month that was published since, stays what it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from forecast.errors import MachineError
from forecast.reporting.month.results import write_text
from forecast.reporting.published import book, months, remade
from forecast.reporting.run import pages, workspace
from forecast.reporting.run.prepare import Job

_MADE_FROM = ("as_of", "redacted", "parameters", "fingerprints", "versions")


def publish(job: Job, measured: Mapping[str, Any]) -> tuple[months.Link, bool]:
    """Publish the finished work of a month, and write the page that lists the months; the folder is locked.

    measured : seconds and peak memory of each notebook, for the manifest.

    Returns what stands now, and whether it is new. Raises MachineError.
    """
    month = job.month
    with workspace.machine(f"{month.work} cannot be read"):
        workspace.without_half_written(month.work)
        remade.clear(month.work)
    standing = months.read(month.final)
    if standing.unreadable:  # else the version that leaders saw would be taken for none, and not be kept
        raise MachineError(f"{standing.folder}: {standing.problem}; nothing is published")
    made_from = json.loads(json.dumps(job.made_from, default=str))
    again = _made_from(standing.manifest) == made_from
    if again and (told := remade.repeated(standing.manifest)):
        remade.write(month.work, told, as_of=month.as_of, version=standing.version)
    same = again and standing.files == _files(month)
    if same:
        _leave_or_restore(month, standing)
        link = standing.link
    else:
        link = _replace(job, standing, _facts(job, measured))
    pages.write_index(month.out, company=job.company, logo=job.logo)
    book.note_index(month.out, book.Frame(company=job.company, logo=job.logo))
    return link, not same


def _leave_or_restore(month: workspace.Month, standing: months.Published) -> None:
    """End where the month came out as it was published: the same folder stays, unless its files were changed since."""
    with workspace.machine(f"{month.work} cannot be removed"):
        if months.hashes(month.final) == standing.files:
            workspace.clear(month)
            return
        shutil.copyfile(month.final / months.MANIFEST, month.work / months.MANIFEST)
    workspace.publish(month)


def _replace(job: Job, standing: months.Published, facts: dict[str, Any]) -> months.Link:
    """Publish the month as a new end of the chain, and keep the version that it replaces; return that end."""
    month = job.month
    facts["version"] = _next_version(month, standing)
    if standing.sha256:
        remade.clear(month.work)
        work = months.Published(folder=month.work, as_of=month.as_of, manifest=facts, sha256="")
        facts[remade.TABLE] = remade.record(standing, work)
        remade.write(month.work, facts[remade.TABLE], as_of=month.as_of, version=facts["version"])
    facts["files"] = _files(month)
    last = book.end_of_chain(book.read_to_change(month.out), months.everything(month.out))
    facts["previous"] = last.as_dict() if last else None
    text = json.dumps(facts, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    write_text(text, month.work / months.MANIFEST)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    link = months.Link(as_of=month.as_of, version=facts["version"], sha256=sha256)
    if job.redacted:
        _take_away_names(month, standing)
    if standing.sha256 and (standing.manifest.get("redacted") or not job.redacted):
        _keep(month, standing)
    book.note_replacing(month.out)
    workspace.publish(month)
    book.note_published(month.out, link)
    return link


def _files(month: workspace.Month) -> dict[str, str]:
    """Return the hashes of the files that are about to be published."""
    with workspace.machine(f"{month.work} cannot be read"):
        return {name: value for name, value in months.hashes(month.work).items() if name != workspace.STATE}


def _next_version(month: workspace.Month, standing: months.Published) -> int:
    """Return the number of the version about to be published: one more than any before it."""
    removed = [each.link.version for each in book.read_to_change(month.out).removed if each.link.as_of == month.as_of]
    kept = [each.version for each in months.replaced(month.out, month.as_of)]
    stands = [standing.version] if standing.sha256 else []
    return 1 + max([*removed, *kept, *stands], default=0)


def _keep(month: workspace.Month, standing: months.Published) -> None:
    """Put a copy of the month that stands among its versions; a run that was killed here may have done so already."""
    place = month.out / months.VERSIONS / month.as_of / str(standing.version)
    if months.read(place).sha256 == standing.sha256:
        return
    half = month.work.with_name(f"{month.as_of}.version")
    with workspace.machine(f"{place} cannot be written"):
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(standing.folder, half, copy_function=_link_or_copy)
        shutil.rmtree(place, ignore_errors=True)  # of a run that was killed while it wrote there
        place.parent.mkdir(parents=True, exist_ok=True)
        half.rename(place)


def _link_or_copy(source: str, target: str) -> None:
    """Link a file, which costs nothing; the month itself is replaced as a whole, never written into."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _take_away_names(month: workspace.Month, standing: months.Published) -> None:
    """Remove the versions of a month that hold names, now that it is published without; the book notes them."""
    noted = book.read_to_change(month.out)
    named = [each for each in months.replaced(month.out, month.as_of) if not each.manifest.get("redacted")]
    gone = [each for each in (*named, standing) if each.sha256 and not each.manifest.get("redacted")]
    if gone:
        removed = [book.Removed(link=each.link, previous=each.previous, reason="names") for each in gone]
        book.write(month.out, replace(noted, removed=(*noted.removed, *removed), whole=True))
    for each in named:
        shutil.rmtree(each.folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        (month.out / months.VERSIONS / month.as_of).rmdir()


def _facts(job: Job, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest says of a run but files and chain."""
    values = {name: notebook.values for name, notebook in job.notebooks.items()}
    seeds = {name: mine["seed"] for name, mine in values.items() if "seed" in mine}
    notebooks = {name: measured[name] for name in sorted(measured)}
    return {"company": job.company.name, **job.made_from, "seeds": seeds, "notebooks": notebooks}


def _made_from(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in _MADE_FROM if name in manifest}
