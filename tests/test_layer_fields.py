"""Layers drawn in one pass: against the plain twin, the exact law, and any number of threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import rapid_ising as ri
from rapid_ising.kernels.spin_draws import draw_spins, draw_twin
from rapid_ising.layer_fields import LayerFields, block_sweeps, product, tiles


def normal(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.float32]:
    return rng.normal(size=shape).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 70),
    gain=st.sampled_from([1.0, -1.0, 0.3, -2.5]),
    beta=st.sampled_from([0.0, 0.4, 3.0, 1e30, math.inf]),
    seed=st.integers(0, 2**32),
)
def test_kernel_equals_twin(rows: int, columns: int, gain: float, beta: float, seed: int) -> None:
    """Fields of whole numbers too, with ties; each row at a temperature of its own."""
    rng = np.random.default_rng(seed)
    sums = np.round(normal(rng, rows, columns) * 2) / 2
    biases = np.round(normal(rng, columns))
    betas = np.where(rng.random(rows) < 0.5, beta, 1.0)
    drawn, expected = sums.copy(), sums.copy()
    draw_spins(drawn, biases, gain, betas, np.uint64(seed), 3, (0, rows), (0, columns))
    draw_twin(expected, biases, gain, betas, np.uint64(seed), 3)
    # The kernel's powers of two are within 1e-7 of the twin's: one spin in millions may differ.
    np.testing.assert_array_equal(drawn, expected)


def test_a_wide_row_takes_several_chunks_of_numbers() -> None:
    rng = np.random.default_rng(0)
    sums = normal(rng, 3, 10_000)
    drawn, expected = sums.copy(), sums.copy()
    draw_spins(drawn, np.zeros(10_000, np.float32), 1.0, np.ones(3), np.uint64(1), 0, (0, 3), (0, 10_000))
    draw_twin(expected, np.zeros(10_000, np.float32), 1.0, np.ones(3), np.uint64(1), 0)
    assert (drawn != expected).sum() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rare_spins_are_as_rare_as_they_should_be(dtype: Any) -> None:
    """Probabilities down to one in a million, from sixteen million draws of each."""
    fields = np.array([0.0, 1.0, -1.0, 3.0, 5.0, 6.9])
    reads, counts = 2**18, np.zeros(6)
    rng = np.random.default_rng(4)
    for _ in range(16):
        spins = ri.sample_spins(np.tile(fields, (reads, 4)).astype(dtype), 1.0, rng)
        counts += (spins == 1).reshape(-1, 6).sum(axis=0)
    total = reads * 4 * 16
    expected = expit(-2 * fields)
    deviation = np.sqrt(expected * (1 - expected) / total)
    assert (np.abs(counts / total - expected) < 5 * deviation + 1.2e-7).all()


def test_impossible_spins_are_never_drawn() -> None:
    spins = ri.sample_spins(np.full((1000, 1000), 60.0, np.float32), 1.0, np.random.default_rng(0))
    assert (spins == -1).all()


@given(rows=st.integers(1, 5000), columns=st.integers(1, 5000), work=st.integers(1, 10**7))
def test_tiles_cover_each_entry_once(rows: int, columns: int, work: int) -> None:
    pieces = tiles(rows, columns, work)
    area = sum((r[1] - r[0]) * (c[1] - c[0]) for r, c in pieces)
    assert area == rows * columns
    assert {r[0] for r, _ in pieces} | {c[0] for _, c in pieces} >= {0}
    assert max(r[1] for r, _ in pieces) == rows
    assert max(c[1] for _, c in pieces) == columns


SIZES = [(3, 5, 2), (700, 300, 400), (130, 600, 1100), (2000, 16, 200)]


@pytest.mark.parametrize(("rows", "low", "high"), SIZES)
@pytest.mark.parametrize("through", ["matrix", "patterns"])
def test_sweeps_do_not_depend_on_the_number_of_threads(rows: int, low: int, high: int, through: str) -> None:
    rng = np.random.default_rng(1)
    if through == "matrix":
        block = normal(rng, low, high) / math.sqrt(low)
        up = LayerFields((block,), -1.0, normal(rng, high))
        down = LayerFields((block.T,), -1.0, normal(rng, low))
    else:
        first, second = normal(rng, 8, low), normal(rng, 8, high)
        up = LayerFields((first.T, second), -0.1, normal(rng, high), normal(rng, 8))
        down = LayerFields((second.T, first), -0.1, normal(rng, low))
    start = np.sign(normal(rng, rows, low))
    found: list[list[Any]] = []
    for number in (1, 2, 3):
        energies = np.empty(rows)
        with ri.use_threads(number):
            states = block_sweeps(up, down, start, np.ones(4), np.random.default_rng(7), energies=energies)
            found.append([*states, energies, up.means(states[0]), product(states[0].T, states[1])])
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("couplings", ["bipartite", "patterns", "clamped patterns"])
def test_energies_are_those_of_the_states_it_returns(couplings: str) -> None:
    rng = np.random.default_rng(2)
    model = (
        ri.RBM(5, 7, seed=1, weight_std=1.0)
        if couplings == "bipartite"
        else ri.PatternRBM(5, 7, 2, seed=1, amplitude=0.8, biases="free" if couplings == "patterns" else True)
    )
    for name in model.bias_names:
        model.parameters[name][...] = rng.normal(size=model.parameters[name].shape)
    up, down = model.layer_fields()
    assert len(up.matrices) == (1 if couplings == "bipartite" else 2)
    energies = np.empty(40)
    states = block_sweeps(up, down, model.random_chains(40, rng), np.ones(2), rng, energies=energies)
    np.testing.assert_allclose(energies, model.problem().energies(np.hstack(states)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clamps", [False, "clamped", "free"])
def test_weights_or_patterns_make_the_same_fields(dtype: Any, clamps: Any) -> None:
    """The choice between them is by cost; many states of a model of many patterns go through the weights."""
    rng = np.random.default_rng(3)
    model = ri.PatternRBM(6, 5, 9, seed=0, biases=clamps, dtype=dtype)
    for array in model.parameters.values():
        array[...] = rng.normal(size=array.shape)
    states = [model.random_chains(11, rng), np.sign(rng.normal(size=(11, 5))).astype(dtype)]
    few, many = model.layer_fields(1), model.layer_fields(10**6)
    assert [len(fields.matrices) for fields in (*few, *many)] == [2, 2, 1, 1]
    for layer in (0, 1):
        tolerance = 1e-5 if dtype is np.float32 else 1e-12
        expected = few[layer].fields(states[layer])
        np.testing.assert_allclose(many[layer].fields(states[layer]), expected, atol=tolerance)
        np.testing.assert_allclose(many[layer].means(states[layer], 0.7), -np.tanh(0.7 * expected), atol=1e-6)
