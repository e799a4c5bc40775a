"""Two months, or two versions of one, beside each other: which numbers differ, and what may have done it.

The manifests say by which data, code, notebooks, libraries and parameters each was made. Where one of these alone
differs, it did it, since the same give the same bytes; where several do, the manifests cannot say how much each did.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forecast.reporting.published import months
from forecast.reporting.published.months import Published
from forecast.reporting.published.runs import headline
from forecast.reporting.published.tables import Difference, Largest, differences
from forecast.wording import joined

_OF_THE_MONTH = ("as_of", "tables", "data")
"""Parameters that follow from the month and from where its data lie."""
_LISTED = 6


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One thing that a month is made from: whether it differs (None: a manifest does not say), and in what."""

    what: str
    differs: bool | None
    details: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read."""
        return {"what": self.what, "differs": self.differs, "details": list(self.details)}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs between two published months: `causes` in what they are made from, `tables` in their numbers.

    changed : files of either that are not as they were published, so that nothing follows from a manifest.
    headlines : of both. replayed : `now` is the month `before` made again, for this comparison alone.
    """

    before: Published
    now: Published
    causes: Sequence[Cause]
    tables: Sequence[Difference]
    changed: Sequence[str] = ()
    headlines: tuple[str, str] = ("", "")
    replayed: bool = False

    @property
    def differing(self) -> list[Difference]:
        """The tables that differ."""
        return [table for table in self.tables if not table.same]

    @property
    def conclusion(self) -> str:
        """What follows, in a sentence or two."""
        found = [cause.what for cause in self.causes if cause.differs]
        unknown = [cause.what for cause in self.causes if cause.differs is None]
        if self.changed:
            return _CHANGED.format(files=_listed(self.changed))
        if unknown:
            return _UNKNOWN.format(what=_the(unknown))
        if not self.differing:
            return _ALL_SAME if not found else _NO_NUMBER.format(what=_the(found), verb=_verb(found))
        if not found:
            return _NO_CAUSE
        if len(found) == 1:
            return _ONE_CAUSE.format(what=_the(found), verb=_verb(found))
        return (_SEVERAL_REPLAYED if self.replayed else _SEVERAL).format(
            what=_the(found).capitalize(), as_of=self.before.as_of
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read."""
        sides = zip(("before", "now"), (self.before, self.now), self.headlines, strict=True)
        return {
            **{side: {"as_of": month.as_of, "version": month.version, "headline": told} for side, month, told in sides},
            "made_from": [cause.as_dict() for cause in self.causes],
            "changed_since_published": list(self.changed),
            "tables": [table.as_dict() for table in self.tables],
            "conclusion": self.conclusion,
        }

    def lines(self) -> Iterator[str]:
        """Yield it for a person to read."""
        names = ("before:", "replayed:" if self.replayed else "now:")
        for side, month, told in zip(names, (self.before, self.now), self.headlines, strict=True):
            version = "" if side == "replayed:" else f" version {month.version}"
            yield f"{side:11} {month.as_of}{version}: {told or '(no headline)'}"
        yield ""
        for cause in self.causes:
            word = {True: "differs", False: "the same", None: "not known"}[cause.differs]
            yield f"{cause.what:11} {word}{': ' if cause.details else ''}{_listed(cause.details)}"
        yield ""
        same = len(self.tables) - len(self.differing)
        for table in self.differing:
            yield f"{table.table}: {'; '.join(_words(table))}"
        yield f"{same:,} of {len(self.tables):,} tables are the same"
        yield ""
        yield self.conclusion


# -- sentences ------------------------------------------------------------------------------------------

_CHANGED = "Cannot be told: {files} changed since it was published (`forecast verify`)."
_UNKNOWN = "What did it cannot be told: a manifest does not record {what} (made by an earlier version of forecast)."
_ALL_SAME = "Everything is the same."
_NO_NUMBER = "Nothing in the tables differs, though {what} {verb}."
_NO_CAUSE = "Nothing that the manifests record differs, and yet the tables do: something they do not record did it."
_ONE_CAUSE = "Of all that a month is made from only {what} {verb}: that did it."
_SEVERAL = (
    "{what} differ; how much each did, the manifests cannot say. `forecast replay {as_of}` makes the earlier month "
    "again with today's code and data."
)
_SEVERAL_REPLAYED = (
    "{what} differ; how much each did cannot be told. Replayed with the data of then, or by the code of then, "
    "the rest stands alone."
)
_PLURAL = ("data", "notebooks", "libraries", "parameters", "names")


def _the(found: Sequence[str]) -> str:
    """Return things that a month is made from as a list: `the day and the data`."""
    return joined(f"the {what}" for what in found)


def _verb(found: Sequence[str]) -> str:
    return "differ" if len(found) > 1 or found[0] in _PLURAL else "differs"


def _words(table: Difference) -> Iterator[str]:
    if table.problem:
        yield table.problem
    if table.only_before:
        yield f"{table.only_before:,} rows only before"
    if table.only_now:
        yield f"{table.only_now:,} rows only now"
    if table.numbers_differ:
        yield f"{table.numbers_differ:,} of {table.numbers:,} numbers differ"
    if table.texts_differ:
        yield f"{table.texts_differ:,} of {table.texts:,} texts differ"
    if table.largest is not None:
        yield f"most in {largest(table.largest)}"


def largest(found: Largest) -> str:
    """Return a number that differs in words: `mean of 2026-11 / North: 1,200 -> 1,260 (+5.0 %)`."""
    ratio = "" if math.isnan(found.ratio) else f" ({found.ratio:+.1%})".replace("%", " %")
    return f"{found.column} of {found.where}: {_number(found.before)} -> {_number(found.now)}{ratio}"


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


# -- comparing ------------------------------------------------------------------------------------------


def compare(before: Published, now: Published) -> Comparison:
    """Return what differs between two published months. Raises MachineError where a file cannot be read."""
    tables = [month.folder / "tables" for month in (before, now)]
    return Comparison(
        before=before,
        now=now,
        causes=causes(before.manifest, now.manifest),
        tables=differences(tables[0], tables[1], days=(before.as_of, now.as_of)),
        changed=[name for month in (before, now) for name in _changed(month)],
        headlines=(headline(before.folder), headline(now.folder)),
    )


def causes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Cause]:
    """Return what two manifests say a month is made from, and what of it differs."""
    prints, other = (_part(manifest, "fingerprints") for manifest in (before, now))
    versions, later = (_part(manifest, "versions") for manifest in (before, now))
    libraries = [{k: v for k, v in each.items() if k != "forecast"} for each in (versions, later)]
    code = _single("code", prints.get("code"), other.get("code"))
    if code.differs:
        code = Cause(what="code", differs=True, details=_moved(versions, later, only=("forecast",)))
    return [
        _single("day", before.get("as_of"), now.get("as_of"), shown=True),
        _several("data", prints.get("data"), other.get("data")),
        code,
        _several("notebooks", prints.get("notebooks"), other.get("notebooks")),
        _several("libraries", *libraries, shown=True),
        _several("parameters", *(_parameters(each, of=_shared(before, now)) for each in (before, now)), shown=True),
        _single("names", before.get("redacted"), now.get("redacted")),
    ]


def _single(what: str, before: Any, now: Any, *, shown: bool = False) -> Cause:
    if before is None or now is None:
        return Cause(what=what, differs=None)
    details = (f"{before} -> {now}",) if shown and before != now else ()
    return Cause(what=what, differs=before != now, details=details)


def _several(what: str, before: Any, now: Any, *, shown: bool = False) -> Cause:
    """Return the cause that is made of named parts; `shown` says with their values."""
    if not isinstance(before, dict) or not isinstance(now, dict) or not (before and now):
        return Cause(what=what, differs=None)
    if shown:
        details = _moved(before, now)
    else:
        words = {(True, True): "changed", (False, True): "new", (True, False): "gone"}
        names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        details = tuple(f"{name} {words[name in before, name in now]}" for name in names)
    return Cause(what=what, differs=bool(details), details=details)


def _moved(before: Mapping[str, Any], now: Mapping[str, Any], *, only: Sequence[str] = ()) -> tuple[str, ...]:
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    values = [(name, before.get(name, "none"), now.get(name, "none")) for name in names if not only or name in only]
    return tuple(f"{name} {first} -> {second}" for name, first, second in values)


def _shared(before: Mapping[str, Any], now: Mapping[str, Any]) -> Collection[str]:
    """Return the notebooks that both manifests have parameters of; what a notebook more has is no other parameter."""
    both = [_part(manifest, "parameters") for manifest in (before, now)]
    return set(both[0]) & set(both[1]) or {*both[0], *both[1]}


def _parameters(manifest: Mapping[str, Any], *, of: Collection[str]) -> dict[str, Any] | None:
    """Return the parameters of some notebooks by `notebook.name`, without those that follow from the month."""
    found = manifest.get("parameters")
    if not isinstance(found, dict):
        return None
    return {
        f"{notebook}.{name}": value
        for notebook, values in found.items()
        if notebook in of and isinstance(values, dict)
        for name, value in values.items()
        if name not in _OF_THE_MONTH
    }


def _part(manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}


def _changed(month: Published) -> list[str]:
    """Return the tables of a month that are not as they were published; none where nobody wrote down how they were."""
    listed = {name: value for name, value in (month.files or {}).items() if name.startswith("tables/")}
    there = months.hashes(month.folder / "tables")
    return [f"{month.as_of}/{name}" for name in listed if there.get(name.removeprefix("tables/")) != listed[name]]
