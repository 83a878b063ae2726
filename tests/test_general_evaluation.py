"""Measures of machines on graphs and of several layers, against sums over all states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from brute_force import all_states, energy_table, indices, joint
from small_models import IMAGES, general_models, kind, randomised

import rapid_ising as ri
from rapid_ising import evaluation
from rapid_ising.datasets import from_array
from rapid_ising.errors import InvalidProblemError, ProblemTooLargeError
from rapid_ising.evaluation import annealed_importance, estimated_likelihood, summary
from rapid_ising.typing import Reals

MODELS = general_models()
by_name = pytest.mark.parametrize("model", MODELS, ids=kind)


def log_law(model: ri.Model, beta: float = 1.0) -> Reals:
    """log P(v) of every v."""
    logs: Reals = np.log(joint(model, beta).sum(axis=1))
    return logs


@by_name
@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0, 2.0])
def test_likelihoods_are_the_sums_over_all_states(model: ri.Model, beta: float) -> None:
    weights = np.exp(-beta * energy_table(model))
    assert ri.log_partition(model, beta) == pytest.approx(math.log(weights.sum()), abs=1e-10)
    found = evaluation.log_probabilities(model, all_states(4), beta)
    np.testing.assert_allclose(found, log_law(model, beta), atol=1e-10)


@by_name
def test_pseudo_likelihood_is_the_sum_of_conditionals(model: ri.Model) -> None:
    beta = 0.7
    law = np.exp(log_law(model, beta))
    expected = np.zeros(16)
    for pixel in range(4):
        flipped = all_states(4)
        flipped[:, pixel] *= -1
        expected += np.log(law / (law + law[indices(flipped)]))
    found = evaluation.pseudo_log_probabilities(model, all_states(4), beta)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    uniform = evaluation.pseudo_log_likelihood(model, IMAGES, 0.0)
    assert uniform == pytest.approx(-4 * math.log(2))


@by_name
def test_best_temperature_is_where_the_likelihood_is_largest(model: ri.Model) -> None:
    beta, value = ri.best_temperature(model, IMAGES)
    betas = np.exp(np.linspace(math.log(0.001), math.log(10), 200))
    values = [log_law(model, b)[indices(IMAGES)].mean() for b in betas]
    assert value >= max(values) - 1e-6
    assert value == pytest.approx(log_law(model, beta)[indices(IMAGES)].mean(), abs=1e-9)


@by_name
@pytest.mark.parametrize("base", ["uniform", "data"])
def test_annealed_importance_brackets_log_z(model: ri.Model, base: str) -> None:
    images = IMAGES if base == "data" else None
    forward = annealed_importance(model, base=base, data=images, betas=200, chains=400, seed=1)
    exact = ri.log_partition(model)
    # Five standard errors; the bias is half of the square of one.
    assert abs(forward.log_partition - exact) < 5 * forward.standard_error + 0.002
    assert forward.states.shape == (400, len(model.carried))
    reads = ri.load_backend("exact").sample(model.ising(), num_reads=400, seed=2)
    samples = reads.record.sample[:, model.carried]
    reverse = evaluation.reverse_annealed_importance(model, forward, samples=samples, seed=3)
    assert abs(reverse.log_partition - exact) < 5 * reverse.standard_error + 0.002
    again = evaluation.reverse_annealed_importance(model, forward, seed=3)
    lower, upper = evaluation.bracket(forward, again)
    assert lower < exact < upper < lower + 0.3


@by_name
@pytest.mark.parametrize("sampled", [False, True])
def test_one_run_gives_the_likelihood_at_every_temperature(
    model: ri.Model, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hidden spins of an image are enumerated, or sampled as well where they are said to be too many."""
    if sampled:
        monkeypatch.setattr(estimated_likelihood, "MAX_WORK", 0)
    estimate = annealed_importance(model, beta=2.0, betas=200, chains=400, seed=4)
    curve = evaluation.log_likelihood_curve(model, IMAGES, estimate)
    exact = [log_law(model, beta)[indices(IMAGES)].mean() for beta in curve.betas]
    # The clamped estimates have standard errors like that of log Z: twice its bound.
    bounds = (10 if sampled else 5) * curve.standard_errors + 0.004
    assert (np.abs(curve.log_likelihoods - exact) < bounds).all()
    _, best = ri.best_temperature(model, IMAGES, bounds=(0.001, 2.0))
    assert curve.best_log_likelihood == pytest.approx(best, abs=float(bounds.max()))
    assert evaluation.estimated_log_likelihood(model, IMAGES, estimate) == pytest.approx(
        exact[-1], abs=bounds[-1]
    )


def test_a_model_too_large_to_enumerate_has_a_calibrated_temperature() -> None:
    """A ferromagnetic chain of 60 spins in strong and weak couplings: log Z is known in closed form."""
    edges = [[i, i + 1] for i in range(59)]
    model = ri.BoltzmannMachine({"nodes": 60, "edges": edges}, n_visible=60, dtype=np.float64)
    model.couplings[:] = np.random.default_rng(0).normal(1.0, 0.2, 59)
    estimate = annealed_importance(model, betas=300, chains=200, seed=0)
    log_z = np.array(
        [60 * math.log(2) + np.log(np.cosh(beta * model.couplings)).sum() for beta in estimate.betas]
    )
    assert estimate.log_partitions is not None
    assert estimate.standard_errors is not None
    bounds = 5 * estimate.standard_errors + 0.01
    assert (np.abs(estimate.log_partitions - log_z) < bounds).all()


@by_name
def test_evaluate_measures_everything(model: ri.Model) -> None:
    data = from_array(IMAGES, (2, 2))
    found = ri.evaluate(model, data, tries=20)
    law = log_law(model)[indices(data.train)]
    assert found.log_likelihood_train == pytest.approx(law.mean(), abs=1e-9)
    assert 0 <= found.hamming_train <= 1
    quality = evaluation.image_distances(model.sample(50, seed=0), IMAGES)
    assert quality is not None
    measured = evaluation.accessibility(model, seed=0)
    assert measured.ground_energy == pytest.approx(energy_table(model).min())
    assert (measured.patterns is None) == (model.n_patterns == 0)
    assert 0 <= evaluation.misfit(model) <= 0.5


@by_name
def test_likelihood_left_out_is_computed_where_it_is_cheap(
    model: ri.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = from_array(IMAGES, (2, 2))
    monkeypatch.setattr(summary, "MAX_WORK", 3)
    assert ri.evaluate(model, data, tries=1).log_likelihood_train is None
    assert ri.evaluate(model, data, tries=1, likelihood=True).log_likelihood_train is not None


def test_likelihood_left_out_is_none_of_a_large_model() -> None:
    data = from_array(np.ones((3, 36)), (6, 6))
    large: list[ri.Model] = [
        ri.BoltzmannMachine(36, seed=0),
        ri.PatternBoltzmannMachine(40, 3, 36, seed=0),
        ri.DeepBoltzmannMachine((36, 30, 20), seed=0),
        ri.PatternDeepBoltzmannMachine((36, 30, 20), 3, seed=0),
    ]
    for model in large:
        assert ri.evaluate(model, data, tries=1).log_likelihood_train is None
        with pytest.raises(ProblemTooLargeError):
            ri.log_likelihood(model, data.images)
        estimate = annealed_importance(model, betas=20, chains=10, seed=0)
        # An untrained model of small weights is near the uniform law.
        found = evaluation.estimated_log_likelihood(model, data.images, estimate)
        assert found == pytest.approx(-36 * math.log(2), rel=0.2)


def test_frustration_of_layers_and_graphs() -> None:
    deep = randomised(ri.PatternDeepBoltzmannMachine((6, 5, 4), 1, dtype=np.float64))
    # One pattern can be satisfied by its own signs.
    assert evaluation.frustration(deep).plain == 0
    with pytest.raises(InvalidProblemError, match="odd cycles"):
        evaluation.frustration(ri.BoltzmannMachine(4, seed=0))
    assert evaluation.pattern_load(ri.PatternBoltzmannMachine(40, 2)).ratio == 0.05
    assert evaluation.pattern_load(ri.PatternDeepBoltzmannMachine((20, 10, 10), 2)).ratio == 0.05
