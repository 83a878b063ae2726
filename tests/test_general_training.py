"""Training of machines on graphs and of several layers: every negative phase, the recipes, and resuming."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brute_force import all_states, indices, joint
from small_models import IMAGES, general_models, kind

import rapid_ising as ri

STRIPES = ri.datasets.stripes(3)
MODELS = general_models()
by_name = pytest.mark.parametrize("model", MODELS, ids=kind)
PHASES: dict[str, dict[str, Any]] = {
    "patterns": {"negative_phase": "patterns"},
    "cd": {"negative_phase": "cd"},
    "pcd": {"negative_phase": "pcd"},
    "exact": {"negative_phase": "exact"},
    "parallel-tempering": {"negative_phase": "parallel-tempering"},
    "simulated-tempering": {"negative_phase": "simulated-tempering"},
    "wang-landau": {"negative_phase": "wang-landau"},
    "gibbs": {"backend": "gibbs"},
    "annealing": {"backend": "simulated-annealing"},
}


@by_name
@pytest.mark.parametrize("phase", PHASES)
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(
    model: ri.Model, phase: str, tmp_path: Path
) -> None:
    if phase == "patterns" and not model.n_patterns:
        pytest.skip("free weights have no patterns")
    settings: dict[str, Any] = {**PHASES[phase], "seed": 3, "batch_size": 2, "progress": False}
    # Cold: in a warm model chains from any start come together under the same random numbers.
    model = copy.deepcopy(model)
    model.rescale(3.0)
    model.temperature = 1.0  # else a training would take the factor back
    whole, parts = copy.deepcopy(model), copy.deepcopy(model)
    ri.train(whole, IMAGES, epochs=4, **settings)
    ri.train(parts, IMAGES, epochs=2, checkpoint=tmp_path / "state", **settings)
    again = copy.deepcopy(model)
    ri.train(again, IMAGES, epochs=4, checkpoint=tmp_path / "state", resume=True, **settings)
    for name, array in whole.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], array, err_msg=name)
        changed = name != "scale" or phase == "exact"
        assert not changed or (array != model.parameters[name]).any(), name


@by_name
@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_each_recipe_fits_each_machine(model: ri.Model, recipe: str) -> None:
    trained = copy.deepcopy(model)
    run = ri.train(trained, IMAGES, recipe=recipe, epochs=2, seed=0, progress=False)
    assert run.stopped == "finished"


def untrained() -> list[ri.Model]:
    return [
        ri.BoltzmannMachine(9, seed=0),
        ri.BoltzmannMachine(12, 9, seed=0),
        ri.PatternBoltzmannMachine(9, 6, seed=0),
        ri.PatternBoltzmannMachine(12, 6, 9, seed=0),
        ri.DeepBoltzmannMachine((9, 6, 4), seed=0),
        ri.PatternDeepBoltzmannMachine((9, 6, 4), 6, seed=0),
    ]


@pytest.mark.parametrize("model", untrained(), ids=kind)
def test_default_training_beats_independent_pixels(model: ri.Model) -> None:
    """Independent pixels have -9 log 2 = -6.2 nats an image, the best possible law -log 6 = -1.8.

    Over eight seeds the deep machine of patterns had -4.5 to -1.9 and at most a ninth of the pixels wrong;
    the others had -2.5 or more, and none wrong.
    """
    before = ri.log_likelihood(model, STRIPES.images)
    ri.train(model, STRIPES.images, seed=0, progress=False)
    after = ri.log_likelihood(model, STRIPES.images)
    assert before < -5.5
    assert after > -5.0
    mask = ri.known_rows(STRIPES.shape)
    assert ri.hamming_distance(model, STRIPES.images, mask, beta=np.inf, steps=5, seed=0) < 0.2


@by_name
def test_every_rung_of_the_ladder_keeps_its_law(model: ri.Model) -> None:
    """From equilibrium at each temperature, steps and exchanges leave each law as it is."""
    phase, reads = ri.ParallelTempering(betas=[0.0, 0.4, 1.0], chains=10_000), 10_000
    rng = np.random.default_rng(8)
    phase.start(model, IMAGES.astype(float), rng)
    every = all_states(4 + model.n_hidden)[:, model.carried].astype(float)
    laws = [joint(model, beta).ravel() for beta in phase.ladder]
    chains = np.stack([every[rng.choice(len(law), size=reads, p=law)] for law in laws])
    phase.restore({"chains": chains, "parity": np.zeros(1)})
    for _ in range(4):
        phase.statistics(model, IMAGES.astype(float), rng)
    assert phase.accepted > 0.3
    places = indices(every)
    for rung, law in zip(phase.state()["chains"], laws, strict=True):
        carried = np.bincount(places, weights=law)
        counts = np.bincount(indices(rung), minlength=len(carried))
        # Five standard errors of each frequency, and a few reads for states so rare that few are expected.
        bounds = 5 * np.sqrt(carried * (1 - carried) / reads) + 4 / reads
        assert (np.abs(counts / reads - carried) < bounds).all()


@by_name
@pytest.mark.parametrize("backend", ["exact", "gibbs", "simulated-annealing"])
def test_samples_of_a_machine_estimate_the_model_average(model: ri.Model, backend: str) -> None:
    reads = 4000
    rng = np.random.default_rng(5)
    phase = ri.BackendSamples(backend, num_reads=reads, from_patterns=False)
    found = phase.statistics(model, IMAGES.astype(float), rng)
    exact = ri.ExactExpectation().statistics(model, IMAGES.astype(float), rng)
    # Spins and products lie within -1 .. 1, so five standard errors are at most 5 / sqrt(reads).
    bound = 5 / np.sqrt(reads)
    for layer in range(len(model.layers)):
        assert np.abs(found.mean(layer) - exact.mean(layer)).max() < bound
        other = max(0, layer - 1)
        if layer == other and len(model.layers) > 1:
            continue
        difference = found.correlations(layer, other) - exact.correlations(layer, other)
        assert np.abs(difference).max() < bound
