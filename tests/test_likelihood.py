"""Log Z and likelihoods against the sum over every state, written here with loops and no library code."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rapid_ising.errors import InvalidDataError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.evaluation import likelihood, log_likelihood, log_partition, log_probabilities
from rapid_ising.models import RBM, Model, PatternRBM

Array = npt.NDArray[Any]
BETAS = (0.0, 0.3, 1.0, 2.5)


def rbm(visible: int, hidden: int, dtype: Any = np.float64) -> RBM:
    model = RBM(visible, hidden, seed=visible, weight_std=0.7, dtype=dtype)
    rng = np.random.default_rng(hidden)
    model.parameters["visible_biases"][:] = rng.normal(0, 0.5, visible)
    model.parameters["hidden_biases"][:] = rng.normal(0, 0.5, hidden)
    return model


def pattern_rbm(visible: int, hidden: int, dtype: Any = np.float64) -> PatternRBM:
    model = PatternRBM(visible, hidden, 3, seed=1, scale=0.6, dtype=dtype)
    rng = np.random.default_rng(2)
    for name in ("visible_patterns", "hidden_patterns"):
        model.parameters[name][:] += rng.normal(0, 0.3, model.parameters[name].shape)
    return model


def energy(model: Model, v: tuple[int, ...], h: tuple[int, ...]) -> float:
    """Return E(v, h) = - h W v - b v - c h, term by term."""
    p = model.parameters
    total = 0.0
    for a, i in itertools.product(range(len(h)), range(len(v))):
        if isinstance(model, RBM):
            weight = float(p["weights"][a, i])
        else:
            products = p["hidden_patterns"][:, a].astype(float) * p["visible_patterns"][:, i]
            weight = float(p["scale"][0]) * float(products.sum()) / math.sqrt(len(products))
        total -= weight * h[a] * v[i]
    if isinstance(model, RBM):
        total -= sum(float(x) * s for x, s in zip(p["visible_biases"], v, strict=True))
        total -= sum(float(x) * s for x, s in zip(p["hidden_biases"], h, strict=True))
    return total


def states(count: int) -> list[tuple[int, ...]]:
    return list(itertools.product([-1, 1], repeat=count))


def brute_force(model: Model) -> dict[tuple[int, ...], list[float]]:
    """Return the energies over all h of every v."""
    hidden = states(model.n_hidden)
    return {v: [energy(model, v, h) for h in hidden] for v in states(model.n_visible)}


@pytest.mark.parametrize("make", [rbm, pattern_rbm])
@pytest.mark.parametrize("size", [(4, 3), (3, 5), (1, 4), (4, 1)])
def test_log_z_and_likelihoods_are_the_sums_over_all_states(make: Any, size: tuple[int, int]) -> None:
    model = make(*size)
    energies = brute_force(model)
    visible = np.array(list(energies))
    for beta in BETAS:
        weights = np.array([sum(math.exp(-beta * e) for e in row) for row in energies.values()])
        assert log_partition(model, beta) == pytest.approx(math.log(weights.sum()), abs=1e-10)
        expected = np.log(weights / weights.sum())
        np.testing.assert_allclose(log_probabilities(model, visible, beta), expected, atol=1e-10)
        some = [0, 2, 2, len(visible) - 1] if len(visible) > 2 else [0, 1]
        assert log_likelihood(model, visible[some], beta) == pytest.approx(expected[some].mean(), abs=1e-10)


@pytest.mark.parametrize("make", [rbm, pattern_rbm])
@pytest.mark.parametrize(
    ("size", "dtype", "tolerance"), [((10, 30), np.float64, 1e-9), ((10, 30), np.float32, 1e-4)]
)
def test_probabilities_sum_to_one(make: Any, size: tuple[int, int], dtype: Any, tolerance: float) -> None:
    model = make(*size, dtype)
    visible = np.array(states(10))
    for beta in BETAS:
        assert np.exp(log_probabilities(model, visible, beta)).sum() == pytest.approx(1, abs=tolerance)


def test_the_smaller_layer_is_enumerated_whichever_it_is() -> None:
    # Both models have the weights of one another transposed, and so the same log Z.
    wide, tall = RBM(300, 6, seed=0, weight_std=0.3), RBM(6, 300, weight_std=0.0)
    tall.parameters["weights"][:] = wide.weights.T
    assert log_partition(wide, 0.8) == pytest.approx(log_partition(tall, 0.8), rel=1e-6)


def test_large_weights_do_not_overflow() -> None:
    model = RBM(3, 2, weight_std=0.0, dtype=np.float64)
    model.parameters["weights"][:] = 1000.0
    # The ground states are all spins up or all down, with E = -6000.
    assert log_partition(model) == pytest.approx(6000 + math.log(2), abs=1e-9)
    assert log_likelihood(model, [[1, 1, 1]]) == pytest.approx(-math.log(2), abs=1e-9)
    assert log_likelihood(model, [[1, 1, -1]]) == pytest.approx(-4000 - math.log(2), abs=1e-9)


def test_images_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = rbm(4, 3)
    visible = np.array(states(4))
    whole = log_probabilities(model, visible)
    for block in (1, 10, 48):
        monkeypatch.setattr(likelihood, "BLOCK", block)
        np.testing.assert_allclose(log_probabilities(model, visible), whole, rtol=1e-13)
    assert log_probabilities(model, visible[:0]).shape == (0,)


def test_a_model_too_large_to_enumerate_is_refused() -> None:
    large = RBM(40, 30, seed=0)
    with pytest.raises(ProblemTooLargeError, match="30"):
        log_partition(large)
    with pytest.raises(ProblemTooLargeError, match="30"):
        log_likelihood(large, np.ones((1, 40)))


@pytest.mark.parametrize("beta", [-1.0, math.nan, math.inf, "1"])
def test_a_beta_without_a_law_is_refused(beta: Any) -> None:
    for ask in (log_partition, lambda m, beta: log_likelihood(m, [[1, 1, 1, 1]], beta)):
        with pytest.raises(InvalidParameterError, match="beta must be"):
            ask(rbm(4, 3), beta)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.ones((2, 5)), "images has rows of 5 values where 4 are needed"),
        (np.ones((0, 4)), "images has no rows"),
        ([[1, 0, 1, 0]], "look like bits"),
        ([[1, -1], [1]], "ragged"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        log_likelihood(rbm(4, 3), images)
