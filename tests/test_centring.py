"""Centred gradients against finite differences of a machine with offsets, and where they matter."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import exact_positive, mean_log_likelihood
from small_models import (
    IMAGES,
    deep_boltzmann_machine,
    freely_biased_pattern_rbm,
    kind,
    pattern_rbm,
    rbm,
)

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError
from rapid_ising.models.centring import centred_step
from rapid_ising.typing import Floats


@pytest.mark.parametrize("model", [rbm(), freely_biased_pattern_rbm(), deep_boltzmann_machine()], ids=kind)
def test_a_centred_step_is_one_of_the_machine_with_offsets(model: ri.Model) -> None:
    """E = -(h - l) W (v - m) - b' (v - m) - c' (h - l) has b = b' - W^T l and c = c' - W m.

    Its gradient by finite differences of the exact likelihood, a step along it, and the way back.
    """
    data = IMAGES.astype(float)
    positive = exact_positive(model, IMAGES)
    negative = ri.ExactExpectation().statistics(model, data, np.random.default_rng(0))
    offsets = [(positive.mean(i) + negative.mean(i)) / 2 for i in range(len(model.layers))]
    start = {name: array.copy() for name, array in model.parameters.items()}
    own = {name: array.copy() for name, array in start.items()}
    for name, pull in zip(model.bias_names, model.pulls(offsets), strict=True):
        own[name] += pull

    def put(values: dict[str, Floats]) -> None:
        """Set the usual parameters to those of a machine with offsets."""
        for name, array in values.items():
            model.parameters[name][...] = array
        for name, pull in zip(model.bias_names, model.pulls(offsets), strict=True):
            model.parameters[name] -= pull

    stepped = {name: array.copy() for name, array in own.items()}
    for name, array in own.items():
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + 1e-5
            put(own)
            above = mean_log_likelihood(model, IMAGES)
            array[index] = value - 1e-5
            put(own)
            stepped[name][index] += 0.3 * (above - mean_log_likelihood(model, IMAGES)) / 2e-5
            array[index] = value
    put(stepped)
    expected = {name: array.copy() for name, array in model.parameters.items()}
    for name, array in start.items():
        model.parameters[name][...] = array
    centred_step(
        model,
        model.gradient(positive, negative),
        (positive, negative),
        lambda slopes: ri.SGD().step(model.parameters, slopes, 0.3),
    )
    for name, array in model.parameters.items():
        np.testing.assert_allclose(array, expected[name], atol=1e-7, err_msg=name)


def test_centring_reaches_a_better_model_of_data_with_means() -> None:
    """Pixels that are mostly dark: weights and biases pull at each other in the plain gradient."""
    rng = np.random.default_rng(0)
    data = np.where(rng.random((400, 12)) < 0.08, 1, -1)
    data[:200, :3] = np.where(rng.random((200, 1)) < 0.5, 1, -1)

    def likelihood(centred: bool) -> float:
        model = ri.RBM(12, 6, seed=1, dtype=np.float64)
        ri.train(
            model, data, negative_phase="exact", optimizer=ri.SGD(0.1), epochs=10, batch_size=20,
            centred=centred, seed=1, progress=False,
        )  # fmt: skip
        return ri.log_likelihood(model, data)

    assert likelihood(True) > likelihood(False)


def test_models_without_free_biases_have_no_centred_gradient() -> None:
    with pytest.raises(InvalidParameterError, match="has no centred gradient"):
        ri.train(pattern_rbm(), IMAGES, centred=True, progress=False)


def test_an_optimizer_that_scales_each_step_stays_on_course() -> None:
    """Adam on dark pixels: biases move with weights, and the likelihood rises with either gradient."""
    rng = np.random.default_rng(1)
    data = np.where(rng.random((600, 14)) < 0.05, 1, -1)
    data[:300, :4] = np.where(rng.random((300, 1)) < 0.5, 1, -1)
    before = ri.log_likelihood(ri.RBM(14, 30, seed=2, dtype=np.float64), data)
    found = []
    for centred in (True, False):
        model = ri.RBM(14, 30, seed=2, dtype=np.float64)
        ri.train(
            model, data, negative_phase="exact", optimizer=ri.Adam(0.01), epochs=10, batch_size=50,
            centred=centred, seed=2, progress=False,
        )  # fmt: skip
        found.append(ri.log_likelihood(model, data))
    assert min(found) > before + 4
