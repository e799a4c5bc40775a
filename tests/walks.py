"""What the pipeline learns of a snapshot, kept, so that tests that ask the same of it twice pay for one walk.

A walk through the past takes no seed and no clock: the same snapshot gives the same components. That it does so is held
where nothing is kept (`test_bookings`, `test_no_future`); here the tests are of what is made of the components.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

import pandas as pd
import pytest

from forecast.data.known.snapshot import Snapshot
from forecast.models.pipeline import bookings, components, deals, explained
from forecast.models.pipeline.components import Origin

KEPT = 24
"""Walks kept; the one asked for least recently goes first."""

_MODULES = (bookings, components, deals, explained)
_OWN = components.components_at_origins


def _content(value: object) -> object:
    """Return what a field of a snapshot holds; of a table its columns, for a table that was read pickles otherwise."""
    if not isinstance(value, pd.DataFrame):
        return value
    return value.index.to_numpy(), [(name, column.array) for name, column in value.items()]


@contextmanager
def kept_walks() -> Iterator[None]:
    """Keep the walks asked for from here on, by the content of the snapshot and all that was asked.

    Not by its own columns as extracted: no model of ours reads them (tests/data/known/test_own_columns.py).
    """
    kept = OrderedDict[bytes, list[Origin]]()

    def once(snap: Snapshot, *, origins: list[pd.Timestamp], steps: int, marketing: bool) -> Iterator[Origin]:
        content = [_content(getattr(snap, field.name)) for field in fields(snap) if field.name != "own_columns"]
        key = hashlib.sha256(pickle.dumps([content, list(origins), steps, marketing])).digest()
        if key not in kept:
            kept[key] = list(_OWN(snap, origins=origins, steps=steps, marketing=marketing))
            if len(kept) > KEPT:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return iter(kept[key])

    with pytest.MonkeyPatch.context() as patch:
        for module in _MODULES:
            patch.setattr(module, "components_at_origins", once)
        yield


@contextmanager
def own_walks() -> Iterator[None]:
    """Let each forecast made inside this walk by itself, also where walks are kept."""
    with pytest.MonkeyPatch.context() as patch:
        for module in _MODULES:
            patch.setattr(module, "components_at_origins", _OWN)
        yield
