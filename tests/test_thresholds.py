"""Thresholds of spins against their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rapid_ising.kernels.streams import stream_numbers
from rapid_ising.kernels.thresholds import COLDEST, thresholds, thresholds_twin

EXTREMES = np.array([0, 1, 2**31 - 1, 2**31, 2**31 + 200, 2**32 - 2, 2**32 - 1], np.uint32)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("metropolis", [False, True])
def test_they_are_the_twins_to_float32(real: type[np.floating], metropolis: bool) -> None:
    """Half a unit in the last place of p, of q and of each of a few operations on numbers up to 23."""
    numbers = np.concatenate([EXTREMES, stream_numbers(np.uint64(1), 0, 100_000)])
    found = np.empty(numbers.size, real)
    thresholds(numbers, np.float32(0.5), metropolis, found)
    expected = thresholds_twin(numbers, 0.5, metropolis)
    np.testing.assert_allclose(found, expected, rtol=1.5e-7, atol=2e-7)


def test_spins_have_the_logistic_law_even_where_it_is_nearly_sure() -> None:
    """P(f < t) = 1 / (1 + exp(2 beta f)) for every f: the counted share of all numbers on a fine grid."""
    count = 2**20
    numbers = (np.arange(count, dtype=np.uint64) * 2**12 + 2**11).astype(np.uint32)
    found = np.empty(count, np.float32)
    thresholds(numbers, np.float32(0.5), False, found)
    for field in (-6.0, -1.3, -0.01, 0.0, 0.2, 2.5, 7.0):
        expected = 1 / (1 + math.exp(2 * field))
        # One number of the grid, and the rounding of a threshold near the field.
        assert abs((field < found).mean() - expected) < 1.5 / count + 4e-7


def test_without_heat_the_sign_of_a_threshold_decides_ties_alone() -> None:
    found = np.empty(EXTREMES.size, np.float32)
    thresholds(EXTREMES, np.float32(COLDEST), False, found)
    assert np.abs(found).max() < 1e-33
    assert (found[:2] > 0).all()
    assert (found[-3:] < 0).all()
