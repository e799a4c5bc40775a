"""What counts as a seed, and that a stream gives the same numbers again."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.errors import ParameterError
from forecast.seeds import check_seed, generator


@pytest.mark.parametrize("seed", [0, 7, 2**40, np.int64(3)])
def test_a_whole_number_of_at_least_nought_is_a_seed(seed):
    assert check_seed(seed) == seed
    assert type(check_seed(seed)) is int


@pytest.mark.parametrize("seed", [-1, True, np.True_, 1.0, "1", None])
def test_anything_else_is_refused_in_one_wording(seed):
    with pytest.raises(ParameterError, match=r"^seed: .* is not a whole number of 0 or more$"):
        check_seed(seed)
    with pytest.raises(ParameterError, match=r"^seed: .* is not a whole number of 0 or more$"):
        generator(seed, 1)


def test_a_largest_seed_is_named():
    assert check_seed(9, most=9) == 9
    with pytest.raises(ParameterError, match=r"^seed: 10 is not a whole number from 0 to 9$"):
        check_seed(10, most=9)


def test_every_door_refuses_a_bad_seed_in_the_same_words(sample):
    import forecast
    from forecast.simulation.company import simulate

    snap = forecast.snapshot(forecast.read(sample), as_of="2026-10-31")
    for door in (forecast.win_probabilities, forecast.forecast_bookings):
        with pytest.raises(ParameterError, match=r"^seed: -1 is not a whole number of 0 or more$"):
            door(snap, seed=-1)
    with pytest.raises(ParameterError, match=r"^seed: -1 is not a whole number from 0 to 4,294,967,295$"):
        simulate(seed=-1)


def test_streams_are_repeatable_and_differ():
    assert np.array_equal(generator(5, 1).random(4), np.random.default_rng([5, 1]).random(4))
    assert not np.array_equal(generator(5, 1).random(4), generator(5, 2).random(4))
