"""Gradients against finite differences of the exact log-likelihood, for free weights and for patterns."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import all_states, exact_positive, joint, mean_log_likelihood
from small_models import IMAGES, all_models, kind, pattern_rbm

import rapid_ising as ri
from rapid_ising.models.statistics import MixedStatistics

MODELS = all_models()


@pytest.mark.parametrize("model", MODELS, ids=kind)
def test_gradient_is_the_finite_difference_of_the_exact_log_likelihood(model: ri.Model) -> None:
    negative = ri.ExactExpectation().statistics(model, IMAGES.astype(float), np.random.default_rng(0))
    gradient = model.gradient(exact_positive(model, IMAGES), negative)
    assert set(gradient) == set(model.parameters)
    step = 1e-5
    for name, array in model.parameters.items():
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + step
            above = mean_log_likelihood(model, IMAGES)
            array[index] = value - step
            below = mean_log_likelihood(model, IMAGES)
            array[index] = value
            assert gradient[name][index] == pytest.approx((above - below) / (2 * step), abs=1e-8), name


@pytest.mark.parametrize("model", MODELS, ids=kind)
def test_gradient_vanishes_where_the_data_equal_the_model(model: ri.Model) -> None:
    # Each state as often as the model says, through the weights of the statistics.
    probabilities = joint(model).sum(axis=1)
    states = all_states(4)
    parts = [exact_positive(model, states[i : i + 1]) for i in range(len(states))]
    positive = MixedStatistics(parts, probabilities)
    negative = ri.ExactExpectation().statistics(model, states.astype(float), np.random.default_rng(0))
    for name, slope in model.gradient(positive, negative).items():
        np.testing.assert_allclose(slope, 0, atol=1e-12, err_msg=name)


def test_patterns_and_weights_give_the_same_model() -> None:
    patterns = pattern_rbm()
    free = ri.RBM(4, 3, dtype=np.float64)
    free.weights[...] = patterns.weights
    np.testing.assert_allclose(joint(free), joint(patterns), atol=1e-14)
    states = all_states(4).astype(float)
    np.testing.assert_allclose(free.hidden_fields(states), patterns.hidden_fields(states), atol=1e-13)
    hidden = all_states(3).astype(float)
    np.testing.assert_allclose(free.visible_fields(hidden), patterns.visible_fields(hidden), atol=1e-13)


def test_divisor_is_the_nominal_batch_size() -> None:
    model = pattern_rbm()
    batch = IMAGES[:1].astype(float)
    own, nominal = model.statistics(batch), model.statistics(batch, 3)
    np.testing.assert_allclose(nominal.correlations(1, 0), own.correlations(1, 0) / 3)
    np.testing.assert_allclose(
        nominal.onto(model.hidden_patterns, 1, 0) * 3, own.onto(model.hidden_patterns, 1, 0)
    )
