"""A quicker import of papermill, nbclient and nbconvert.

They validate notebooks with jsonschema, which on import compiles a grammar of internationalised addresses when the
package for it is installed: 1.7 CPU seconds, for a check that notebooks do not need.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_GRAMMAR = "rfc3987_syntax"


@contextmanager
def without_iri_grammar() -> Iterator[None]:
    """Hide the grammar from what is imported inside; jsonschema then leaves that one format unchecked."""
    if _GRAMMAR in sys.modules or "jsonschema" in sys.modules:
        yield
        return
    sys.modules[_GRAMMAR] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(_GRAMMAR, None)
