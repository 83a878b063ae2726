"""The best temperature of a model, and moving the model there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from brute_force import all_states, joint, mean_log_likelihood
from small_models import IMAGES, biased_pattern_rbm, kind, pattern_rbm, rbm

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError

MODELS = [rbm, pattern_rbm, biased_pattern_rbm]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_rescaled_model_is_the_model_at_that_beta(make: Callable[[], ri.Model]) -> None:
    model, colder = make(), make()
    colder.rescale(1.7)
    np.testing.assert_allclose(joint(colder), joint(model, 1.7), atol=1e-14)
    np.testing.assert_allclose(1.7 * model.free_energy(all_states(4), 1.7), colder.free_energy(all_states(4)))


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_no_other_temperature_is_better(make: Callable[[], ri.Model]) -> None:
    model = make()
    # Images that the model explains best at about 0.6: enough of them, drawn at that temperature.
    images = model.sample(500, backend="exact", beta=0.6, seed=0)
    beta, value = ri.best_temperature(model, images)
    assert 0.3 < beta < 1.2
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        other = make()
        other.rescale(beta * factor)
        assert mean_log_likelihood(other, images) <= value + 1e-9, kind(model)
    model.rescale(beta)
    assert mean_log_likelihood(model, images) == pytest.approx(value, abs=1e-12)


def test_the_papers_recipe_is_hundreds_of_nats_too_cold() -> None:
    """At beta = 1 hundreds of nats below 16 fair coins, at its best temperature two nats above them."""
    data = ri.datasets.stripes(4)
    model = ri.PatternRBM(16, 1000, 8, seed=0)
    ri.train(model, data.train, recipe="paper", seed=0, progress=False)
    assert ri.log_likelihood(model, data.train) < -200
    beta, value = ri.best_temperature(model, data.train)
    assert beta < 0.2
    assert value > -16 * np.log(2) + 2


@pytest.mark.parametrize("bounds", [(0, 1), (2, 1), (1, 1), (1, np.inf)])
def test_bounds_must_rise(bounds: tuple[float, float]) -> None:
    with pytest.raises(InvalidParameterError, match="bounds"):
        ri.best_temperature(rbm(), IMAGES, bounds=bounds)
