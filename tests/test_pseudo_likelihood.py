"""The pseudo-likelihood against sums over every state, and where it is the likelihood itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import small_models
from brute_force import all_states, joint

from rapid_ising import RBM, Model, PatternRBM
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.evaluation import (
    log_likelihood,
    log_probabilities,
    pseudo_likelihood,
    pseudo_log_likelihood,
    pseudo_log_probabilities,
)

Reals = npt.NDArray[np.float64]
MODELS = [small_models.rbm(), small_models.pattern_rbm(), small_models.biased_pattern_rbm()]
BETAS = (0.0, 0.3, 1.0, 2.5)


def conditionals(law: Reals) -> Reals:
    """sum_i log p(v_i | v_-i) of every state, in the order of ``all_states``, from p(v)."""
    n = int(math.log2(len(law)))
    total = np.zeros(len(law))
    for i in range(n):
        flipped = law[np.arange(len(law)) ^ (1 << (n - 1 - i))]
        total += np.log(law / (law + flipped))
    return total


@pytest.mark.parametrize("model", MODELS, ids=small_models.kind)
@pytest.mark.parametrize("beta", BETAS)
def test_is_the_sum_of_conditionals_over_every_state(model: Model, beta: float) -> None:
    expected = conditionals(joint(model, beta).sum(axis=1))
    states = all_states(model.n_visible)
    np.testing.assert_allclose(pseudo_log_probabilities(model, states, beta), expected, atol=1e-10)
    some = [0, 3, 3, 9]
    assert pseudo_log_likelihood(model, states[some], beta) == pytest.approx(expected[some].mean(), abs=1e-10)


def larger(dtype: Any) -> list[Model]:
    rbm = RBM(23, 40, seed=3, weight_std=0.4, dtype=dtype)
    rng = np.random.default_rng(4)
    rbm.parameters["visible_biases"][:] = rng.normal(0, 0.5, 23)
    rbm.parameters["hidden_biases"][:] = rng.normal(0, 0.5, 40)
    return [rbm, PatternRBM(23, 600, 5, seed=3, amplitude=0.5, biases=True, dtype=dtype)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-3)])
def test_is_that_of_flipped_free_energies(dtype: Any, tolerance: float) -> None:
    images = np.where(np.random.default_rng(5).random((6, 23)) < 0.5, 1, -1)
    for model in larger(dtype):
        expected = np.zeros(len(images))
        for i in range(23):
            flipped = images * np.where(np.arange(23) == i, -1, 1)
            cost = model.free_energy(flipped, 0.8) - model.free_energy(images, 0.8)
            expected -= np.logaddexp(0, -0.8 * cost)
        np.testing.assert_allclose(pseudo_log_probabilities(model, images, 0.8), expected, atol=tolerance)


@pytest.mark.parametrize("beta", BETAS)
def test_of_one_pixel_is_the_log_likelihood(beta: float) -> None:
    rbm = RBM(1, 5, seed=0, weight_std=0.8, dtype=np.float64)
    rbm.parameters["visible_biases"][:], rbm.parameters["hidden_biases"][:] = 0.3, np.linspace(-1, 1, 5)
    for model in (rbm, PatternRBM(1, 5, 2, seed=0, biases=True, dtype=np.float64)):
        for image in ([[1]], [[-1]]):
            exact = log_likelihood(model, image, beta)
            assert pseudo_log_likelihood(model, image, beta) == pytest.approx(exact, abs=1e-12)


def test_of_independent_pixels_is_the_log_likelihood() -> None:
    # Each pixel has hidden spins of its own.
    model = RBM(6, 12, weight_std=0.0, dtype=np.float64)
    rng = np.random.default_rng(0)
    model.parameters["weights"][np.arange(12), np.arange(12) % 6] = rng.normal(0, 1, 12)
    model.parameters["visible_biases"][:] = rng.normal(0, 1, 6)
    model.parameters["hidden_biases"][:] = rng.normal(0, 1, 12)
    for beta in BETAS:
        exact = log_probabilities(model, all_states(6), beta)
        np.testing.assert_allclose(pseudo_log_probabilities(model, all_states(6), beta), exact, atol=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=small_models.kind)
def test_is_largest_at_the_temperature_that_the_images_come_from(model: Model) -> None:
    # Gibbs' inequality, for each pixel given the others; the average over images is exact.
    law = joint(model, 0.7).sum(axis=1)
    states = all_states(model.n_visible)
    at = {
        beta: float(law @ pseudo_log_probabilities(model, states, beta)) for beta in (0.4, 0.6, 0.7, 0.8, 1.1)
    }
    assert max(at, key=lambda beta: at[beta]) == 0.7


@pytest.mark.parametrize("block", [1, 37, 400])
def test_images_and_pixels_are_taken_in_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.where(np.random.default_rng(5).random((5, 23)) < 0.5, 1, -1)
    for model in larger(np.float64):
        whole = pseudo_log_probabilities(model, images)
        with monkeypatch.context() as context:
            context.setattr(pseudo_likelihood, "BLOCK", block)
            np.testing.assert_allclose(pseudo_log_probabilities(model, images), whole, rtol=1e-11)


def test_large_weights_do_not_overflow() -> None:
    model = RBM(3, 2, weight_std=0.0, dtype=np.float64)
    model.parameters["weights"][:] = 1000.0
    # Flipping a pixel of +++ takes both hidden fields from 3000 to 1000.
    assert pseudo_log_likelihood(model, [[1, 1, 1]]) == 0.0
    # In ++- the flip of the third pixel gains 4000, those of the others cost nothing.
    assert pseudo_log_likelihood(model, [[1, 1, -1]]) == pytest.approx(-4000 - 2 * math.log(2), abs=1e-9)


@pytest.mark.parametrize("beta", [-1.0, math.nan, math.inf, "1"])
def test_a_beta_without_a_law_is_refused(beta: Any) -> None:
    with pytest.raises(InvalidParameterError, match="beta must be"):
        pseudo_log_likelihood(small_models.rbm(), [[1, 1, 1, 1]], beta)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.ones((2, 5)), "images has rows of 5 values where 4 are needed"),
        (np.ones((0, 4)), "images has no rows"),
        ([[1, 0, 1, 0]], "look like bits"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        pseudo_log_likelihood(small_models.rbm(), images)
