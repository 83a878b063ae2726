"""Centred gradients against finite differences of a machine with offsets, and where they matter."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import mean_log_likelihood
from small_models import IMAGES, pattern_rbm, rbm

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError


def test_centred_gradient_is_that_of_the_machine_with_offsets() -> None:
    """E = -(h - l) W (v - m) - b' (v - m) - c' (h - l) has b = b' - W^T l and c = c' - W m."""
    model = rbm()
    data = IMAGES.astype(float)
    positive = model.statistics(data)
    negative = ri.ExactExpectation().statistics(model, data, np.random.default_rng(0))
    mu, lam = ((positive.mean(i) + negative.mean(i)) / 2 for i in (0, 1))
    found = model.centred(model.gradient(positive, negative), positive, negative)

    w, b, c = (model.parameters[n] for n in ("weights", "visible_biases", "hidden_biases"))
    own = {"w": w.copy(), "b": b + lam @ w, "c": c + w @ mu}

    def likelihood() -> float:
        w[...] = own["w"]
        b[...] = own["b"] - lam @ own["w"]
        c[...] = own["c"] - own["w"] @ mu
        return mean_log_likelihood(model, IMAGES)

    slopes = {}
    for name, array in own.items():
        slopes[name] = np.empty_like(array)
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + 1e-5
            above = likelihood()
            array[index] = value - 1e-5
            slopes[name][index] = (above - likelihood()) / 2e-5
            array[index] = value
    np.testing.assert_allclose(found["weights"], slopes["w"], atol=1e-8)
    # A step along (W, b', c') moves b by the step of b' less that of W^T l.
    np.testing.assert_allclose(found["visible_biases"], slopes["b"] - lam @ slopes["w"], atol=1e-8)
    np.testing.assert_allclose(found["hidden_biases"], slopes["c"] - slopes["w"] @ mu, atol=1e-8)


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


def test_models_of_patterns_have_no_centred_gradient() -> None:
    with pytest.raises(InvalidParameterError, match="centred gradients are for free weights"):
        ri.train(pattern_rbm(), IMAGES, centred=True, progress=False)
