"""Machines of several layers: two layers are an RBM, biases by a clamped spin, symmetry, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brute_force import all_states, exact_positive, joint
from small_models import (
    biased_pattern_deep_boltzmann_machine,
    deep_boltzmann_machine,
    deeper_boltzmann_machine,
    pattern_deep_boltzmann_machine,
    rbm,
)
from test_boltzmann_machine import SYMMETRIC

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError


def test_two_layers_are_an_rbm() -> None:
    """The same law, and the same chains where chance has no part."""
    one = rbm()
    deep = ri.DeepBoltzmannMachine((4, 3), dtype=np.float64)
    deep.weights(1)[:] = one.weights
    deep.biases(0)[:] = one.parameters["visible_biases"]
    deep.biases(1)[:] = one.parameters["hidden_biases"]
    np.testing.assert_allclose(joint(deep), joint(one), atol=1e-14)
    np.testing.assert_allclose(deep.free_energy(all_states(4)), one.free_energy(all_states(4)), atol=1e-12)
    visible = all_states(4).astype(float)
    np.testing.assert_array_equal(
        deep.gibbs_step(visible, np.inf, np.random.default_rng(0), 3),
        one.gibbs_step(visible, np.inf, np.random.default_rng(0), 3),
    )
    np.testing.assert_allclose(
        deep.statistics(visible).correlations(1, 0), one.statistics(visible).correlations(1, 0), atol=1e-14
    )
    rng = np.random.default_rng(0)
    assert deep.posterior(visible, rng) is visible


def test_chains_carry_the_even_layers() -> None:
    assert deep_boltzmann_machine().carried.tolist() == [0, 1, 2, 3, 6, 7, 8]
    assert deeper_boltzmann_machine().carried.tolist() == [0, 1, 2, 3, 6, 7]
    model = pattern_deep_boltzmann_machine()
    relaxed = model.relaxed(model.states())
    np.testing.assert_array_equal(relaxed[:, model.carried], model.states())
    fields = relaxed[:, :4] @ model.weights(1).T + relaxed[:, 6:] @ model.weights(2)
    np.testing.assert_array_equal(relaxed[:, 4:6], np.sign(fields))


def test_patterns_and_weights_give_the_same_model() -> None:
    patterns = pattern_deep_boltzmann_machine()
    free = ri.DeepBoltzmannMachine(patterns.layers, dtype=np.float64)
    for layer in (1, 2):
        free.weights(layer)[:] = patterns.weights(layer)
    np.testing.assert_allclose(joint(free), joint(patterns), atol=1e-14)


def test_biases_are_couplings_to_a_clamped_spin() -> None:
    model = biased_pattern_deep_boltzmann_machine()
    p = model.parameters
    layers = np.hstack([p["patterns_0"], p["patterns_1"], p["patterns_2"]])
    unbiased = ri.IsingModel(np.zeros(9), ri.Patterns(layers, -1.3 / 2**0.5, model.layers))
    states = all_states(9)
    to_clamp = -1.3 / 2**0.5 * (states @ layers.T) @ p["clamp"]
    np.testing.assert_allclose(
        model.ising().energies(states), unbiased.energies(states) + to_clamp, atol=1e-12
    )
    signs = np.sign(np.hstack([p["patterns_0"], p["patterns_2"]])) * np.sign(p["clamp"])[:, None]
    np.testing.assert_array_equal(model.states(), signs)


def test_patterns_without_biases_stay_symmetric() -> None:
    model = pattern_deep_boltzmann_machine()
    ri.train(model, SYMMETRIC, negative_phase="exact", epochs=20, seed=0, progress=False)
    law = joint(model).sum(axis=1)
    np.testing.assert_allclose(law, law[::-1], rtol=1e-12)


def test_free_biases_of_a_symmetric_machine_have_no_gradient() -> None:
    """With data closed under negation and exact averages of both phases."""
    model = deep_boltzmann_machine()
    for layer in range(3):
        model.biases(layer)[:] = 0
    negative = ri.ExactExpectation().statistics(model, SYMMETRIC.astype(float), np.random.default_rng(0))
    gradient = model.gradient(exact_positive(model, SYMMETRIC), negative)
    for layer in range(3):
        np.testing.assert_allclose(gradient[f"biases_{layer}"], 0, atol=1e-12)


def test_exact_averages_beyond_26_spins() -> None:
    """Odd layers are one side and even ones the other: here 20 spins and 10."""
    model = ri.DeepBoltzmannMachine((12, 10, 8), seed=0, weight_std=0.4, dtype=np.float64)
    found = ri.ExactExpectation().statistics(model, np.ones((1, 12)), np.random.default_rng(0))
    # All states of layer 1, the others independent given it.
    middle = all_states(10).astype(float)
    fields = [middle @ model.weights(1), middle @ model.weights(2).T]
    log_weights = sum(np.log(2 * np.cosh(field)).sum(axis=1) for field in fields)
    law = np.exp(log_weights - log_weights.max())
    law /= law.sum()
    below, above = np.tanh(fields[0]), np.tanh(fields[1])
    np.testing.assert_allclose(found.correlations(1, 0), (middle.T * law) @ below, atol=1e-12)
    np.testing.assert_allclose(found.correlations(2, 1), (above.T * law) @ middle, atol=1e-12)
    assert ri.log_partition(model) == pytest.approx(
        float(np.log(np.exp(log_weights - log_weights.max()).sum()) + log_weights.max()), abs=1e-9
    )


def test_patterns_never_form_the_weights() -> None:
    # The weights would hold 8e10 numbers.
    model = ri.PatternDeepBoltzmannMachine((200_000, 200_000, 200_000), 2, seed=0, amplitude=0.01)
    chains = model.gibbs_step(model.states(), 1.0, np.random.default_rng(0))
    assert chains.shape == (2, 400_000)
    statistics = model.statistics(chains)
    assert model.gradient(statistics, statistics)["patterns_1"].shape == (2, 200_000)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((4,), "two layers or more"),
        (4, "two layers or more"),
        ("44", "two layers or more"),
        ((4, 0), "each of sizes must be an integer of at least 1"),
        ((4, 2.5), "each of sizes"),
    ],
)
def test_what_is_no_machine_is_refused(sizes: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ri.DeepBoltzmannMachine(sizes)
