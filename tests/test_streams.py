"""The streams of random numbers of compiled loops, against their twin and against chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_ising.kernels.streams import LANES, fill, new_key, numbers_twin, seed_lanes, stream_numbers


@settings(max_examples=30, deadline=None)
@given(key=st.integers(0, 2**64 - 1), stream=st.integers(0, 2**40), count=st.integers(0, 200))
def test_numbers_are_the_twins(key: int, stream: int, count: int) -> None:
    found = stream_numbers(np.uint64(key), stream, count)
    assert found.tolist() == numbers_twin(key, stream, count).tolist()


def test_one_generator_is_xoshiro128_plus_plus() -> None:
    # The first outputs from the state 1, 2, 3, 4, worked out by hand from the published algorithm.
    state = np.zeros((4, LANES), np.uint32)
    state[:, 0] = 1, 2, 3, 4
    numbers = np.empty(2 * LANES, np.uint32)
    fill(state, numbers)
    assert numbers[[0, LANES]].tolist() == [641, 1573767]


def test_a_stream_goes_on_where_it_was() -> None:
    state = np.empty((4, LANES), np.uint32)
    seed_lanes(state, np.uint64(5), 3)
    parts = [np.empty(LANES, np.uint32), np.empty(3 * LANES, np.uint32)]
    for part in parts:
        fill(state, part)
    assert np.concatenate(parts).tolist() == stream_numbers(np.uint64(5), 3, 4 * LANES).tolist()


@pytest.mark.parametrize("along", ["one stream", "first numbers of streams", "first numbers of keys"])
def test_bits_are_even_and_independent(along: str) -> None:
    count = 2**16
    if along == "one stream":
        numbers = stream_numbers(np.uint64(11), 0, count)
    elif along == "first numbers of streams":
        numbers = np.array([stream_numbers(np.uint64(11), i, 1)[0] for i in range(count)])
    else:
        numbers = np.array([stream_numbers(np.uint64(i), 0, 1)[0] for i in range(count)])
    bits = (numbers[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    signs = 2.0 * bits - 1
    # Means and correlations of 2^16 even signs have the standard deviation 1 / 256; six of these are passed
    # in one of 1024 places by chance once in half a million.
    assert np.abs(signs.mean(axis=0)).max() < 6 / 256
    together = signs.T @ signs / count - np.eye(32)
    assert np.abs(together).max() < 6 / 256
    following = signs[1:].T @ signs[:-1] / (count - 1)
    assert np.abs(following).max() < 6 / 256


def test_a_key_comes_from_the_callers_generator() -> None:
    keys = [new_key(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]
