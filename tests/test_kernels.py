"""The compiled sweeps against their plain twin, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rapid_ising import Patterns, Sparse
from rapid_ising.kernels.layer_flips import sweep_layers
from rapid_ising.kernels.layer_means import layer_means, layer_means_twin
from rapid_ising.kernels.layer_sums import LARGEST, layer_sums, layer_sums_twin
from rapid_ising.kernels.lowest_energies import lowest_energies, lowest_energies_twin
from rapid_ising.kernels.single_spin import (
    BLOCK,
    dense_fields,
    sweep_dense,
    sweep_patterns,
    sweep_sparse,
    sweep_twin,
)
from rapid_ising.kernels.streams import LANES, seed_lanes, stream_numbers

CHAINS, SPINS, SWEEPS, KEY = 7, 70, 4, np.uint64(9)


BETAS = [0.0, 0.1, 0.4, 1.0, 2.0, math.inf, 0.4]
"""The inverse temperature of each chain."""


def streams(count: int) -> Any:
    states = np.empty((count, 4, LANES), np.uint32)
    for place, state in enumerate(states):
        seed_lanes(state, KEY, place)
    return states


@pytest.mark.parametrize("kind", ["dense", "sparse", "patterns"])
@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("whole", [False, True], ids=["real", "whole"])
@pytest.mark.parametrize("rows", [1, CHAINS], ids=["one row of fields", "a row a chain"])
@pytest.mark.parametrize("metropolis", [False, True], ids=["heat bath", "Metropolis"])
def test_kernel_equals_twin(
    kind: str, real: type[np.floating], whole: bool, rows: int, metropolis: bool
) -> None:
    """Whole numbers give fields of exactly zero, and so ties at beta = infinity.

    Some spins that are drawn are not known at first. Real fields are rounded otherwise than the twin's,
    which shows where one is as near to a threshold as that: in about one of 10^6 draws.
    """
    rng = np.random.default_rng(5)

    def numbers(*shape: int) -> Any:
        return (rng.integers(-1, 2, size=shape) if whole else rng.normal(size=shape)).astype(real)

    fields, patterns = numbers(rows, SPINS), numbers(3, SPINS)
    half = np.triu(numbers(SPINS, SPINS), 1) * (rng.random((SPINS, SPINS)) < 0.2)
    low_rank = Patterns(patterns, -0.5).to_dense()
    matrix = low_rank if kind == "patterns" else (half + half.T).astype(real)
    start = rng.choice([-1, 1] if metropolis else [-1, 0, 1], size=(CHAINS, SPINS)).astype(np.int8)
    betas = np.tile(BETAS, (SWEEPS, 1))
    expected, states = start.copy(), start.copy()
    padded = -(-SPINS // BLOCK) * BLOCK
    if kind == "dense":
        drawn = [stream_numbers(KEY, c, SWEEPS * padded).reshape(SWEEPS, padded) for c in range(CHAINS)]
        local = np.empty((CHAINS, padded), real)
        dense_fields(states, fields, matrix, local)
        sweep_dense(states, local, matrix, betas, metropolis, streams(CHAINS))
        np.testing.assert_allclose(local[:, :SPINS], fields + states @ matrix, rtol=1e-4, atol=1e-4)
        used = np.stack(drawn, axis=1)[:, :, :SPINS]
    else:
        drawn_for_all = stream_numbers(KEY, 0, SWEEPS * padded * LANES).reshape(SWEEPS, padded, LANES)
        used = drawn_for_all[:, :SPINS, :CHAINS].transpose(0, 2, 1)
        if kind == "sparse":
            above, below = np.nonzero(half)
            edges = Sparse(SPINS, above, below, half[above, below]).matrix
            arguments = (edges.indptr, edges.indices, edges.data)
            sweep_sparse(states, fields, *arguments, betas, metropolis, streams(1)[0])
        else:
            by_spin = np.ascontiguousarray(patterns.T)
            sweep_patterns(states, fields, by_spin, -0.5, betas, metropolis, streams(1)[0])
    sweep_twin(expected, fields, matrix, betas, metropolis, used)
    np.testing.assert_array_equal(states, expected)
    assert set(np.unique(states)) == {-1, 1}


@pytest.mark.parametrize("whole", [False, True], ids=["real", "whole"])
@pytest.mark.parametrize("metropolis", [False, True], ids=["heat bath", "Metropolis"])
def test_layers_equal_the_twin(whole: bool, metropolis: bool) -> None:
    """Two layers are a matrix whose spins are taken in another order, the second layer first."""
    rng, (low, high) = np.random.default_rng(6), (70, 100)
    values = rng.integers(-1, 2, size=(low, high)) if whole else rng.normal(size=(low, high))
    block, fields = values.astype(np.float32), rng.normal(size=(1, low + high)).astype(np.float32)
    start = rng.choice([-1, 1] if metropolis else [-1, 0, 1], size=(CHAINS, low + high)).astype(np.int8)
    betas, states = np.tile(BETAS, (SWEEPS, 1)), start.copy()
    first, second = np.zeros((CHAINS, 128), np.float32), np.zeros((CHAINS, 128), np.float32)
    turned = np.ascontiguousarray(block.T)
    dense_fields(states[:, low:], fields[:, :low], turned, first)
    dense_fields(states[:, :low], fields[:, low:], block, second)
    sweep_layers(states, first, second, block, turned, betas, metropolis, streams(CHAINS))
    drawn = [stream_numbers(KEY, c, SWEEPS * 256).reshape(SWEEPS, 256) for c in range(CHAINS)]
    used = np.stack(drawn, axis=1)[:, :, np.r_[:high, 128 : 128 + low]]
    order = np.r_[low : low + high, :low]
    matrix = np.zeros((low + high,) * 2, np.float32)
    matrix[:high, high:], matrix[high:, :high] = turned, block
    expected = start[:, order]
    sweep_twin(expected, fields[:, order], matrix, betas, metropolis, used)
    np.testing.assert_array_equal(states[:, order], expected)


@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_fields(sign: int) -> None:
    """A field beyond every threshold holds its spin, in both directions."""
    states = np.array([[sign]], dtype=np.int8)
    local = np.full((1, BLOCK), sign * 1e6)
    sweep_dense(states, local, np.zeros((1, 1)), np.ones((3, 1)), False, streams(1))
    assert states.tolist() == [[-sign]]


@pytest.mark.parametrize("width", [0, 1, 511, 512, 1300])
@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_layer_sums_equal_twin(width: int, beta: float) -> None:
    """Sums of many terms in another order: equal to a few units in the last place of the largest."""
    rng = np.random.default_rng(6)
    low, high = 3 * rng.normal(size=(5, width)), 3 * rng.normal(size=(4, width))
    for ours, twin in zip(layer_sums(low, high, beta), layer_sums_twin(low, high, beta), strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-13)


@pytest.mark.parametrize("size", [0.49 * LARGEST, 0.51 * LARGEST, 1e6])
def test_layer_sums_of_large_fields(size: float) -> None:
    """Fields of opposite signs cancel without overflow, below and above the limit of the exponentials."""
    low = np.array([[size, -size]])
    high = np.array([[size, size], [-size, 0.0]])
    with np.errstate(all="raise", under="ignore"):
        sums, sizes = layer_sums(low, high, 1.0)
    np.testing.assert_allclose(sums[:, 0], [2 * size + math.log(2), math.log(2) + size], rtol=1e-14)
    np.testing.assert_allclose(sizes[:, 0], [2 * size, size], rtol=1e-14)


@pytest.mark.parametrize("size", [0.1, 3.0, 1.1 * LARGEST])
def test_layer_means_equal_their_twin(size: float) -> None:
    """The means of both halves, also where exponentials would overflow, and without negligible states."""
    rng = np.random.default_rng(2)
    low, high = rng.uniform(-size / 2, size / 2, (4, 700)), rng.uniform(-size / 2, size / 2, (8, 700))
    probabilities = rng.dirichlet(np.ones(32)).reshape(8, 4)
    expected = layer_means_twin(low, high, 1.0, probabilities)
    for found, sums in zip(layer_means(low, high, 1.0, probabilities), expected, strict=True):
        np.testing.assert_allclose(found, sums, rtol=0, atol=1e-14)
    least = float(np.sort(probabilities.ravel())[3])
    for found, sums in zip(layer_means(low, high, 1.0, probabilities, least), expected, strict=True):
        assert np.abs(found - sums).max() <= 4 * least + 1e-14


@pytest.mark.parametrize("width", [1, 7, 700])
@pytest.mark.parametrize("rows", [1, 5, 8])
def test_layer_means_of_any_shape(width: int, rows: int) -> None:
    """Also where threads share the layer, and where means of -1 and 1 lie beside each other."""
    rng = np.random.default_rng(4)
    low, high = (0.49 * LARGEST * rng.uniform(-1, 1, (n, width)) ** 9 for n in (3, rows))
    probabilities = rng.dirichlet(np.ones(3 * rows)).reshape(rows, 3)
    expected = layer_means_twin(low, high, 1.0, probabilities)
    for found, sums in zip(layer_means(low, high, 1.0, probabilities), expected, strict=True):
        np.testing.assert_allclose(found, sums, rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 9), (40, 16, 32)])
def test_lowest_energies_equal_their_twin(shape: tuple[int, int, int]) -> None:
    """The same sums but for their order."""
    rows, q, p = shape
    rng = np.random.default_rng(3)
    parts = rng.normal(size=(rows, q)), rng.normal(size=(rows, p)), rng.normal(size=(q, p))
    found = np.empty(rows)
    lowest_energies(*parts, found)
    np.testing.assert_allclose(found, lowest_energies_twin(*parts), rtol=0, atol=1e-14)
