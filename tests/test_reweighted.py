"""Importance weights: averages at another beta, how many reads they leave, and training that uses them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from annealers import HiddenExact, random_rbm
from small_models import pattern_rbm, rbm

import rapid_ising as ri
from rapid_ising.errors import CapabilityError
from rapid_ising.machine import Calibrated, Reweighted, effective_beta
from rapid_ising.machine.reweighted import importance_weights
from rapid_ising.notices import WeightsWarning
from rapid_ising.testing import REFERENCE_MODELS, BackendConformance

DENSE = REFERENCE_MODELS["dense"].problem()


def record_of(answer: Any) -> dict[str, Any]:
    record: dict[str, Any] = answer.info["rapid_ising"]["stages"][-1]
    assert record["stage"] == "reweighted"
    return record


class TestConformance(BackendConformance):
    """Rows stay as the machine drew them."""

    @pytest.fixture
    def backend(self) -> ri.Backend:
        return Reweighted("exact", warn_below=0)


@pytest.mark.parametrize("hidden", [0.7, 0.9, 1.2])
def test_weighted_averages_are_at_the_asked_beta(hidden: float) -> None:
    """Within five errors: of as many effective reads, and of the beta that the weights start from."""
    reads = 20_000
    answer = Reweighted(HiddenExact(hidden)).sample(DENSE, num_reads=reads, seed=0)
    weights, states = answer.record.weight, answer.record.sample.astype(float)
    record = record_of(answer)
    np.testing.assert_allclose(weights.mean(), 1)
    assert math.isclose(record["effective_reads"], reads**2 / (weights**2).sum())
    truth = ri.enumerate_model(DENSE).moments(whole=True).pairs
    found = (states * weights[:, np.newaxis]).T @ states / reads
    raw = states.T @ states / reads
    error = effective_beta(DENSE, answer.record.sample).error
    slope = np.abs(raw - truth).max() / abs(hidden - 1)
    limit = 5 / math.sqrt(record["effective_reads"]) + 5 * slope * error
    assert np.abs(found - truth).max() < limit
    # The reads themselves are off by two to five times their noise.
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.6 * np.sqrt(np.mean((raw - truth) ** 2))


def test_weights_are_the_ratio_of_the_two_laws() -> None:
    answer = Reweighted(HiddenExact(0.6)).sample(DENSE, num_reads=3000, seed=1)
    beta = record_of(answer)["estimate"]
    energies = DENSE.energies(answer.record.sample)
    ratio = answer.record.weight * np.exp((1 - beta) * energies)
    np.testing.assert_allclose(ratio, ratio[0])


def test_the_calibration_just_inside_is_believed() -> None:
    machine = Reweighted(Calibrated(HiddenExact(2.0)))
    stages = machine.sample(DENSE, num_reads=2000, seed=0).info["rapid_ising"]["stages"]
    assert [stage["stage"] for stage in stages] == ["hidden-exact", "calibrated", "reweighted"]
    assert stages[2]["estimate"] == stages[1]["estimate"]
    assert stages[2]["effective_reads"] > 1900


def test_few_effective_reads_are_a_warning() -> None:
    model = random_rbm(0.5, 0)
    with pytest.warns(WeightsWarning, match=r"the 500 reads of hidden-exact, .* count as [\d.]+, below 100"):
        answer = Reweighted(HiddenExact(0.2)).sample(model, num_reads=500, seed=0)
    assert record_of(answer)["effective_reads"] < 100


def test_reads_without_a_temperature_have_no_weights() -> None:
    with pytest.warns(WeightsWarning, match="every spin of every read is satisfied"):
        answer = Reweighted(HiddenExact(50.0)).sample(DENSE, num_reads=200, seed=0)
    assert "weight" not in answer.record.dtype.names
    assert record_of(answer)["effective_reads"] is None
    # Ground states, and a model without energies, need none.
    answer = Reweighted("exact").sample(DENSE, num_reads=200, beta=math.inf, seed=0)
    assert "weight" not in answer.record.dtype.names
    answer = Reweighted("exact").sample(ri.IsingModel([0.0], [[0.0]]), num_reads=200, seed=0)
    assert record_of(answer)["reason"] == "every local field is zero"


def test_weights_of_a_stage_inside_are_multiplied() -> None:
    energies = np.array([0.0, 1.0, 2.0])
    once = importance_weights(energies, 0.5)
    np.testing.assert_allclose(importance_weights(energies, 0.25, importance_weights(energies, 0.25)), once)
    np.testing.assert_allclose(importance_weights(energies + 1e4, 0.5), once)


def test_states_without_frequencies_are_refused() -> None:
    facts = ri.Capabilities(temperature="none", returns="distinct")
    with pytest.raises(CapabilityError, match="returns each state once"):
        Reweighted(HiddenExact(1.0, capabilities=facts))


def test_training_uses_the_weights() -> None:
    """The negative phase of reads at beta = 0.6, weighted, is the model's at 1; without weights it is not."""
    model, reads = rbm(), 20_000
    data, rng = np.ones((1, 4)), np.random.default_rng(3)
    pairs = ri.enumerate_model(model.ising()).moments().pairs.T
    means = ri.enumerate_model(model.ising()).moments().means
    errors = []
    for machine in (HiddenExact(0.6), Reweighted(HiddenExact(0.6))):
        found = ri.BackendSamples(machine, num_reads=reads, prepared=False).statistics(model, data, rng)
        errors.append(np.abs(found.correlations(1, 0) - pairs).max())
        errors.append(np.abs(found.mean(0) - means[:4]).max())
    # Five errors of 20 000 reads of which about a third are effective.
    assert max(errors[2:]) < 5 * math.sqrt(3 / reads)
    assert max(errors[:2]) > 2 * max(errors[2:])


def test_sampled_images_count_alike() -> None:
    """A model's samples are rows: weights become copies of rows, as many on average as the weight says."""
    model = pattern_rbm()
    images = model.sample(20_000, backend=Reweighted(HiddenExact(0.6)), seed=0)
    assert images.shape == (20_000, 4)
    means = ri.enumerate_model(model.ising()).moments(whole=True).pairs[:4, :4]
    rows = images.astype(float)
    assert np.abs(rows.T @ rows / len(rows) - means).max() < 5 * math.sqrt(3 / 20_000)
