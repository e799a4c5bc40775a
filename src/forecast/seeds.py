"""Seeds: what counts as one, and the random numbers that come of it.

Every draw in this project starts here. A seed and a stream (a number that belongs to one use, so that no two uses
share their numbers) give a generator; the same two give the same numbers on every machine.
"""

from __future__ import annotations

import numpy as np

from forecast.errors import ParameterError


def check_seed(seed: object, *, most: int | None = None) -> int:
    """Return the seed as an int.

    Parameters
    ----------
    seed : a whole number of at least 0; True and False are none.
    most : the largest that is taken; None for no limit.

    Raises
    ------
    ParameterError : it is anything else.
    """
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or seed < 0 or (most is not None and seed > most):  # type: ignore[operator]
        wanted = "of 0 or more" if most is None else f"from 0 to {most:,}"
        raise ParameterError(f"seed: {seed!r} is not a whole number {wanted}")
    return int(seed)  # type: ignore[call-overload]


def generator(seed: int, *stream: int) -> np.random.Generator:
    """Return the random generator of one stream of a seed: other streams and other seeds draw independently of it.

    Raises
    ------
    ParameterError : the seed is not a whole number of at least 0.
    """
    return np.random.default_rng([check_seed(seed), *stream])
