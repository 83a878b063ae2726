"""The compiled sweeps against their plain twin, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rapid_ising import Couplings, Dense, Patterns, Sparse
from rapid_ising.kernels.layer_means import layer_means, layer_means_twin
from rapid_ising.kernels.layer_sums import LARGEST, layer_sums, layer_sums_twin
from rapid_ising.kernels.lowest_energies import lowest_energies, lowest_energies_twin
from rapid_ising.kernels.single_spin import sweep_dense, sweep_patterns, sweep_sparse, sweep_twin

CHAINS, SPINS, SWEEPS = 6, 9, 5


@pytest.mark.parametrize("kind", ["dense", "sparse", "patterns"])
@pytest.mark.parametrize("beta", [0.0, 0.4, 2.0, math.inf])
@pytest.mark.parametrize("whole", [False, True], ids=["real", "whole"])
@pytest.mark.parametrize("part", [False, True], ids=["all", "some free"])
def test_kernel_equals_twin(kind: str, beta: float, whole: bool, part: bool) -> None:
    """Whole numbers give fields of exactly zero, and so ties at beta = infinity.

    With some spins free the others stay, and two of the free ones, and a held one, are not known at first.
    """
    free = np.array([1, 2, 4, 5, 8]) if part else np.arange(SPINS)
    rng = np.random.default_rng(5)

    def numbers(*shape: int) -> Any:
        return rng.integers(-1, 2, size=shape).astype(float) if whole else rng.normal(size=shape)

    fields = numbers(SPINS) * (rng.random(SPINS) < 0.5)
    half = np.triu(numbers(SPINS, SPINS), 1)
    rows, columns = np.nonzero(half)
    couplings: Couplings = {
        "dense": Dense(half + half.T),
        "sparse": Sparse(SPINS, rows, columns, half[rows, columns]),
        "patterns": Patterns(numbers(3, SPINS), -0.5),
    }[kind]
    start = rng.choice([-1, 1], size=(CHAINS, SPINS)).astype(np.int8)
    if part:
        start[:, [0, 4, 8]] = 0
    expected, states = start.copy(), start.copy()
    sweep_twin(expected, fields, couplings.to_dense(), free, beta, SWEEPS, np.random.default_rng(1))
    generator = np.random.default_rng(1)
    if isinstance(couplings, Dense):
        sweep_dense(states, fields, couplings.matrix, free, beta, SWEEPS, generator)
    elif isinstance(couplings, Sparse):
        m = couplings.matrix
        sweep_sparse(states, fields, m.indptr, m.indices, m.data, free, beta, SWEEPS, generator)
    else:
        assert isinstance(couplings, Patterns)
        scale = float(couplings.scale)
        sweep_patterns(states, fields, couplings.patterns, scale, free, beta, SWEEPS, generator)
    np.testing.assert_array_equal(states, expected)
    assert (states != start).any()
    held = np.setdiff1d(np.arange(SPINS), free)
    np.testing.assert_array_equal(states[:, held], start[:, held])
    # As many random numbers were taken: the next one is the same.
    used = np.random.default_rng(1)
    used.random(CHAINS * SWEEPS * len(free))
    assert generator.random() == used.random()


@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_fields(sign: int) -> None:
    """A field beyond the range of exp holds its spin, in both directions, without a warning."""
    states = np.array([[sign]], dtype=np.int8)
    free, fields = np.zeros(1, np.intp), np.array([sign * 1e6])
    sweep_dense(states, fields, np.zeros((1, 1)), free, 1.0, 3, np.random.default_rng(0))
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
