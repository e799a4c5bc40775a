"""Names where there is little room: whole while they fit, and never two that look the same.

`wording.label` cuts a name's end. Of several names beside each other that is not enough: of `GTX Plus Basic` and
`GTX Plus Pro` it would leave one and the same. Where two would, their ends are kept instead of their middles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from forecast import wording

WHOLE = 48
"""Characters up to which a name in a list of choices is whole."""


def labels(names: Iterable[str], *, most: int = WHOLE) -> dict[str, str]:
    """Return how each name is shown, no two alike.

    Whole where it has at most `most` characters, else cut to these: at its end, or in its middle where another name
    would look the same. Names that look alike even so are numbered: `Basic (2)`, which may take a few characters more.
    """
    distinct = list(dict.fromkeys(names))
    shown = {name: wording.label(name, most=most) for name in distinct}
    for tail in (most // 2, most - 3):  # the more of the end, the less of the beginning
        alike = Counter(shown.values())
        shown.update({name: _middle(name, most, tail) for name in distinct if alike[shown[name]] > 1})
    taken: set[str] = set()
    for name in distinct:
        label, number = shown[name], 1
        while shown[name] in taken:
            number += 1
            shown[name] = f"{label} ({number})"
        taken.add(shown[name])
    return shown


def is_cut(name: str, label: str) -> bool:
    """Return whether a label does not show all of its name."""
    return wording.label(name, most=max(len(name), 1)) != label


def widths(columns: Iterable[tuple[int, int]], *, room: int) -> list[int]:
    """Return how many characters each column gets: what it wants while there is room, else the widest give way first.

    columns : (least, wanted) of each. room : characters of all together; no column gets less than its least.
    """
    found = [(least, max(least, wanted)) for least, wanted in columns]
    given = [wanted for _, wanted in found]
    while sum(given) > room:
        spare = [width - least for width, (least, _) in zip(given, found, strict=True)]
        if not any(spare):
            break
        at = max((i for i, left in enumerate(spare) if left), key=lambda i: given[i])
        given[at] -= 1
    return given


def _middle(name: str, most: int, tail: int) -> str:
    whole = wording.label(name, most=max(len(name), 1))
    if len(whole) <= most:
        return whole
    return f"{whole[: most - 1 - tail].rstrip()}…{whole[-tail:].lstrip()}"
