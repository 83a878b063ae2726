"""The Langevin-like sampler against its transition matrix and exact laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brute_force import all_states, indices, joint
from phases import check_resume, improvement
from small_models import IMAGES, biased_pattern_rbm, boltzmann_machine, kind, pattern_rbm, rbm

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError
from rapid_ising.training.negative_phase.langevin import flip_odds
from rapid_ising.typing import Reals

MODELS = [rbm(), pattern_rbm(), biased_pattern_rbm()]
by_name = pytest.mark.parametrize("model", MODELS, ids=kind)
STATES = all_states(4).astype(float)


def free_energy(model: ri.RBM, visible: Reals) -> Reals:
    """F(v) for real v, from the parameters."""
    p = model.parameters
    x = visible @ p["weights"].T + p["hidden_biases"]
    energy: Reals = -visible @ p["visible_biases"] - np.log(2 * np.cosh(x)).sum(axis=-1)
    return energy


def transitions(model: ri.RBM, step_size: float) -> Reals:
    """The matrix of the proposals and acceptances of all 16 visible states, gradients by differences."""
    width = 1e-5
    gradient = np.stack(
        [
            (free_energy(model, STATES + width * e) - free_energy(model, STATES - width * e)) / (2 * width)
            for e in np.eye(4)
        ],
        axis=1,
    )
    change = STATES[None, :, :] - STATES[:, None, :]
    log_q = -0.5 * np.einsum("vi,vwi->vw", gradient, change) - np.square(change).sum(axis=2) / (2 * step_size)
    q = np.exp(log_q)
    q /= q.sum(axis=1, keepdims=True)
    law = np.exp(-free_energy(model, STATES))
    ratio = law[None, :] * q.T / (law[:, None] * q)
    matrix: Reals = q * np.minimum(1, ratio)
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, 1 - matrix.sum(axis=1))
    return matrix


@pytest.mark.parametrize("step_size", [0.3, 1.0, 20.0])
def test_detailed_balance_and_the_matrix_of_moves(step_size: float) -> None:
    model = rbm()
    matrix = transitions(model, step_size)
    flow = joint(model).sum(axis=1)[:, None] * matrix
    np.testing.assert_allclose(flow, flow.T, atol=1e-9)
    # One move of many chains from each state has the frequencies of the matrix.
    chains = 4000
    phase = ri.Langevin(k=1, chains=16 * chains, step_size=step_size)
    rng = np.random.default_rng(3)
    phase.restore({"chains": np.repeat(STATES, chains, axis=0), "step": np.array([step_size])})
    phase.statistics(model, IMAGES.astype(float), rng)
    reached = indices(phase.state()["chains"])
    counts = np.stack([np.bincount(row, minlength=16) for row in reached.reshape(16, chains)])
    # Five standard errors of a share; one more count for entries that are almost 0.
    errors = np.sqrt(matrix * (1 - matrix) / chains)
    assert (np.abs(counts / chains - matrix) < 5 * errors + 1 / chains).all()
    off = 1 - np.diagonal(matrix) @ np.full(16, 1 / 16)
    assert phase.accepted >= off - 5 / np.sqrt(16 * chains)


@by_name
def test_flip_odds_are_the_gradient(model: Any) -> None:
    """Flipping v_i changes F by 2 v_i dF/dv_i to first order: the odds halve that, less 2 / alpha."""
    weights, biases = np.asarray(model.weights), model.biases
    hidden = np.tanh(model.hidden_fields(STATES))
    gradient = -hidden @ weights - (0 if biases is None else biases)
    np.testing.assert_allclose(flip_odds(model, STATES, 0.5), STATES * gradient - 4, atol=1e-12)


@by_name
@pytest.mark.parametrize("step_size", [None, 0.7])
def test_the_law_of_visible_states_is_kept(model: ri.Model, step_size: float | None) -> None:
    chains = 40_000
    law = joint(model).sum(axis=1)
    rng = np.random.default_rng(4)
    phase = ri.Langevin(k=4, chains=200, step_size=step_size)
    phase.start(model, IMAGES.astype(float), rng)
    phase.restore({**phase.state(), "chains": STATES[rng.choice(16, size=chains, p=law)]})
    phase.statistics(model, IMAGES.astype(float), rng)
    assert 0.1 < phase.accepted < 1
    counts = np.bincount(indices(phase.state()["chains"]), minlength=16)
    # Chi-square of 15 degrees of freedom: mean 15, standard deviation sqrt(30); six of these above.
    assert (np.square(counts - chains * law) / (chains * law)).sum() < 15 + 6 * np.sqrt(30)


def test_the_step_size_goes_to_the_best_acceptance() -> None:
    model = ri.RBM(40, 20, weight_std=0.5, seed=1, dtype=np.float64)
    phase = ri.Langevin(k=200, chains=100, burn_in=400)
    rng = np.random.default_rng(5)
    phase.start(model, np.ones((1, 40)), rng)
    phase.statistics(model, np.ones((1, 40)), rng)
    # Random starts are not in equilibrium and the step size fluctuates by some per cent.
    assert abs(phase.accepted - 0.574) < 0.1


def test_training_and_resume(tmp_path: Path) -> None:
    assert improvement("langevin") > 2
    check_resume(ri.Langevin(k=3, chains=20, burn_in=5), tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be"),
        ({"chains": 0}, "chains must be"),
        ({"burn_in": -1}, "burn_in must be"),
        ({"step_size": 0.0}, "step_size must be"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ri.Langevin(**options)


def test_a_machine_without_two_layers_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="the Langevin sampler needs a model of one visible"):
        ri.train(boltzmann_machine(), IMAGES, negative_phase="langevin", progress=False)
