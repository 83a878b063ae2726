"""Negative phases against exact averages of small models."""

from __future__ import annotations

from typing import Any

import dimod
import numpy as np
import pytest
from brute_force import all_states, energy_table, joint
from small_models import IMAGES, biased_pattern_rbm, kind, pattern_rbm, rbm

import rapid_ising as ri
from rapid_ising.errors import (
    CapabilityError,
    InvalidParameterError,
    ProblemTooLargeError,
    UnknownBackendError,
    UnknownNameError,
)
from rapid_ising.models import TwoLayerModel
from rapid_ising.typing import Reals

MODELS = [rbm(), pattern_rbm(), biased_pattern_rbm()]
by_name = pytest.mark.parametrize("model", MODELS, ids=kind)


def exact_correlations(model: ri.Model) -> Reals:
    pairs: Reals = np.einsum("vh,va,hi->ia", joint(model), all_states(4), all_states(3))
    return pairs


@by_name
def test_exact_expectation_is_the_sum_over_states(model: ri.Model) -> None:
    found = ri.ExactExpectation().statistics(model, IMAGES.astype(float), np.random.default_rng(0))
    law = joint(model)
    np.testing.assert_allclose(found.correlations(1, 0), exact_correlations(model), atol=1e-12)
    np.testing.assert_allclose(found.mean(0), law.sum(axis=1) @ all_states(4), atol=1e-12)
    np.testing.assert_allclose(found.mean(1), law.sum(axis=0) @ all_states(3), atol=1e-12)
    patterns = np.random.default_rng(1).normal(size=(2, 3))
    np.testing.assert_allclose(found.onto(patterns, 1, 0), patterns @ found.correlations(1, 0), atol=1e-12)


@by_name
@pytest.mark.parametrize("backend", ["exact", "gibbs", "simulated-annealing"])
def test_backend_samples_estimate_the_model_average(model: ri.Model, backend: str) -> None:
    reads = 8000
    phase = ri.BackendSamples(backend, num_reads=reads, from_patterns=False)
    rng = np.random.default_rng(5)
    phase.start(model, IMAGES.astype(float), rng)
    found = phase.statistics(model, IMAGES.astype(float), rng)
    # Each product lies within -1 .. 1, so five standard errors are at most 5 / sqrt(reads).
    assert np.abs(found.correlations(1, 0) - exact_correlations(model)).max() < 5 / np.sqrt(reads)


@by_name
def test_long_persistent_chains_estimate_the_model_average(model: ri.Model) -> None:
    phase = ri.PersistentContrastiveDivergence(k=100, chains=8000)
    rng = np.random.default_rng(6)
    phase.start(model, IMAGES.astype(float), rng)
    found = phase.statistics(model, IMAGES.astype(float), rng)
    assert np.abs(found.correlations(1, 0) - exact_correlations(model)).max() < 5 / np.sqrt(8000)


def test_patterns_without_steps_are_equation_2() -> None:
    model = pattern_rbm()
    found = ri.PatternCorrelations().statistics(model, IMAGES.astype(float), np.random.default_rng(0))
    signs = np.sign(model.visible_patterns)
    hidden = np.tanh(signs @ model.weights.T)
    np.testing.assert_allclose(found.correlations(1, 0), hidden.T @ signs / 2, atol=1e-12)


def test_refresh_by_gibbs_is_the_patterns_with_gibbs_steps() -> None:
    # The same law of chains from two pieces of code: compared by mean over many chains.
    model = pattern_rbm()
    rng = np.random.default_rng(7)
    reads = 8000
    phase = ri.PatternCorrelations(gibbs_steps=2, chains=reads // 2)
    machine = ri.BackendSamples("gibbs", num_reads=reads, sweeps=2)
    ours = phase.statistics(model, IMAGES.astype(float), rng).correlations(1, 0)
    theirs = machine.statistics(model, IMAGES.astype(float), rng).correlations(1, 0)
    assert np.abs(ours - theirs).max() < 5 * np.sqrt(2 / reads)


def test_machines_that_take_states_start_at_the_patterns() -> None:
    model = pattern_rbm()
    states = model.relaxed(model.states())
    np.testing.assert_array_equal(states[:, :4], np.sign(model.visible_patterns))
    np.testing.assert_array_equal(states[:, 4:], np.sign(states[:, :4] @ model.weights.T))


def test_reads_start_at_each_pattern_equally_often() -> None:
    assert ri.BackendSamples("gibbs").reads(ri.PatternRBM(4, 3, 5, seed=0)) == 65
    assert ri.BackendSamples("gibbs").reads(ri.PatternRBM(4, 3, 200, seed=0)) == 200
    assert ri.BackendSamples("gibbs").reads(rbm()) == 64
    assert ri.BackendSamples("gibbs", num_reads=7).reads(rbm()) == 7


def test_any_dimod_sampler_is_a_machine() -> None:
    phase = ri.BackendSamples(dimod.ExactSolver(), num_reads=4)
    found = phase.statistics(rbm(), IMAGES.astype(float), np.random.default_rng(0))
    assert found.correlations(1, 0).shape == (3, 4)


def test_what_does_not_fit_is_refused_before_any_work() -> None:
    rng = np.random.default_rng(0)
    data = IMAGES.astype(float)
    with pytest.raises(InvalidParameterError, match="needs a model built from patterns"):
        ri.PatternCorrelations().start(rbm(), data, rng)
    large = ri.RBM(30, 40, seed=0)
    with pytest.raises(ProblemTooLargeError, match="the smaller of 30"):
        ri.ExactExpectation().start(large, data, rng)
    with pytest.raises(ProblemTooLargeError, match="the smaller of 30"):
        ri.BackendSamples("exact").start(large, data, rng)
    with pytest.raises(UnknownBackendError, match="did you mean 'gibbs'"):
        ri.BackendSamples("gibs")
    values: tuple[Any, ...] = (0, -1, 2.5, True)
    for bad in values:
        with pytest.raises(InvalidParameterError, match="num_reads must be an integer"):
            ri.BackendSamples("gibbs", num_reads=bad)
    with pytest.raises(InvalidParameterError, match="k must be an integer of at least 1"):
        ri.ContrastiveDivergence(k=0)
    with pytest.raises(UnknownNameError, match="did you mean 'patterns'"):
        ri.train(rbm(), IMAGES, negative_phase="pattern", progress=False)
    with pytest.raises(CapabilityError, match="cannot start from given states"):
        ri.load_backend("exact").sample(rbm().ising(), initial_states=np.ones((1, 7)))


def test_fewer_reads_than_patterns_visit_every_pattern_in_time() -> None:
    model = ri.PatternRBM(6, 4, 8, seed=0)
    seen: set[bytes] = set()

    class Watched(ri.LocalBackend):
        name = "watched"
        capabilities = ri.Capabilities(initial_states=True)

        def _draw(self, request: ri.Request) -> Any:
            assert request.initial_states is not None
            seen.update(row.tobytes() for row in request.initial_states)
            return request.initial_states, {}

    phase = ri.BackendSamples(Watched(), num_reads=4)
    rng = np.random.default_rng(0)
    for _ in range(30):
        phase.statistics(model, np.ones((1, 6), np.float32), rng)
    assert seen == {row.tobytes() for row in model.relaxed(model.states())}


def test_machine_and_model_of_one_seed_share_no_random_numbers() -> None:
    """Reads that have not moved from their random start agree with the patterns no more than by chance."""
    model = ri.PatternRBM(400, 400, 8, seed=0)
    reads = model.sample(8, backend=ri.load_backend("gibbs", burn_in=0), seed=0)
    overlaps = np.abs(reads @ np.sign(model.visible_patterns).T) / 400
    # Five standard deviations of a mean of 400 signs.
    assert overlaps.max() < 5 / 20


@by_name
def test_energies_of_pairs(model: TwoLayerModel) -> None:
    v, h = all_states(4).astype(float), all_states(3).astype(float)
    pairs = np.repeat(v, len(h), axis=0), np.tile(h, (len(v), 1))
    np.testing.assert_allclose(model.energies(*pairs), energy_table(model).ravel(), atol=1e-12)


@by_name
def test_every_rung_of_the_ladder_keeps_its_law(model: ri.Model) -> None:
    """From equilibrium at each temperature, steps and exchanges leave each law as it is."""
    phase = ri.ParallelTempering(betas=[0.0, 0.4, 1.0], chains=20_000)
    rng = np.random.default_rng(8)
    phase.start(model, IMAGES.astype(float), rng)
    laws = [joint(model, beta).sum(axis=1) for beta in phase.ladder]
    visible = np.stack([all_states(4)[rng.choice(16, size=20_000, p=law)] for law in laws]).astype(float)
    phase.restore({"chains": visible, "parity": np.zeros(1)})
    moved = 0.0
    for _ in range(4):
        phase.statistics(model, IMAGES.astype(float), rng)
        moved += phase.accepted
    assert moved > 0.5
    for rung, law in zip(phase.state()["chains"], laws, strict=True):
        counts = np.bincount((rung > 0) @ (1 << np.arange(4)[::-1]), minlength=16)
        # Five standard errors of each frequency; chains are independent of each other.
        assert (np.abs(counts / 20_000 - law) < 5 * np.sqrt(law * (1 - law) / 20_000)).all()


def test_exchanges_carry_states_over_barriers() -> None:
    """Two modes that Gibbs steps at beta = 1 never leave: tempering visits both, plain chains stay."""
    model = ri.RBM(8, 8, dtype=np.float64)
    model.weights[...] = 1.5 * np.ones((8, 8)) / 2
    rng = np.random.default_rng(9)
    stuck = ri.PersistentContrastiveDivergence(k=1, chains=50)
    tempered = ri.ParallelTempering(betas=12, chains=50)
    found = {}
    for phase in (stuck, tempered):
        phase.start(model, np.ones((1, 8)), rng)
        state = phase.state()
        state["chains"] = np.ones_like(state["chains"])
        phase.restore(state)
        signs = []
        for _ in range(300):
            phase.statistics(model, np.ones((1, 8)), rng)
            rows = phase.state()["chains"]
            signs.append(np.sign((rows[-1] if rows.ndim == 3 else rows).sum(axis=1)))
        found[phase.name] = float(np.mean(signs[100:]))
    assert found["pcd"] > 0.9
    # The law is even in v; correlated draws of 50 chains over 200 updates.
    assert abs(found["parallel-tempering"]) < 0.3


@pytest.mark.parametrize("bad", [[1.0], [0.5, 0.9], [0.9, 0.5, 1.0], [-0.1, 1.0], 1])
def test_a_ladder_must_rise_to_one(bad: Any) -> None:
    with pytest.raises(InvalidParameterError, match="betas"):
        ri.ParallelTempering(betas=bad)
