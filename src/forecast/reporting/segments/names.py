"""How the files of a segment are called: safe on any disk, and no two alike."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_LONGEST = 60
_RESERVED = re.compile(r"index|con|prn|aux|nul|com\d|lpt\d")
"""The list of segments is called so, and some systems have no file of the other names."""


def file_names(segments: Iterable[str]) -> dict[str, str]:
    """Return what the files of each segment are called: small letters, digits and hyphens, at most 69 signs.

    Simple case: the name without accents, in small letters, with hyphens. Where nothing of it is left, it is long, a
    name that files may not have, or another segment's comes out the same (`EMEA`, `Emea`), a piece of its SHA-256
    follows.

    >>> file_names(["Zürich/Nord", "EMEA", "Emea"])
    {'Zürich/Nord': 'zurich-nord', 'EMEA': 'emea-1ac49df9', 'Emea': 'emea-4fc2bcb1'}
    """
    names = list(dict.fromkeys(segments))
    plain = {name: _plain(name) for name in names}
    often = Counter(plain.values())
    unclear = {name for name in names if often[plain[name]] > 1 or not _fits(plain[name])}
    found: dict[str, str] = {}
    taken = {plain[name] for name in names if name not in unclear}
    for name in names:
        found[name] = _marked(plain[name], name, taken) if name in unclear else plain[name]
        taken.add(found[name])
    return found


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", letters.lower()).strip("-")


def _fits(plain: str) -> bool:
    return bool(plain) and len(plain) <= _LONGEST and not _RESERVED.fullmatch(plain)


def _marked(plain: str, name: str, taken: set[str]) -> str:
    """Return a name with as much of its SHA-256 as makes it unlike those that are taken."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    begin = plain[:_LONGEST].strip("-") or "segment"
    return next(each for size in range(8, 65) if (each := f"{begin}-{digest[:size]}") not in taken)
