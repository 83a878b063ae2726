"""Gibbs sampling against the logistic law of a spin and the Boltzmann law of a model."""

from __future__ import annotations

import math

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.deadline import Deadline
from rapid_ising.errors import DeadlineExceededError, InvalidParameterError
from rapid_ising.testing import REFERENCE_MODELS, ReferenceModel, tolerance, total_variation

READS = 4000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0, math.inf])
def test_spins_in_their_fields(beta: float, dtype: type[np.floating]) -> None:
    """The frequency of +1 is 1 / (1 + exp(2 beta f)), within Hoeffding's bound at one in a million."""
    reads = 20_000
    fields = np.array([-400.0, -0.8, -0.1, 0.0, 0.3, 1.5, 400.0], dtype=dtype)
    spins = ri.sample_spins(np.tile(fields, (reads, 1)), beta, np.random.default_rng(2))
    assert spins.dtype == dtype
    assert set(np.unique(spins)) == {-1.0, 1.0}
    if math.isinf(beta):
        expected = np.where(fields == 0, 0.5, fields < 0)
    else:
        expected = np.array([1 / (1 + math.exp(min(700.0, 2 * beta * float(f)))) for f in fields])
    bound = math.sqrt(math.log(2 * len(fields) / 1e-6) / (2 * reads))
    np.testing.assert_allclose((spins == 1).mean(axis=0), expected, atol=bound)
    sure = (expected < 1e-12) | (expected > 1 - 1e-12)
    assert np.array_equal((spins == 1).mean(axis=0)[sure], np.round(expected[sure]))


def frequencies_hold(model: ri.IsingModel, law: dict[tuple[int, ...], float], beta: float) -> None:
    rng = np.random.default_rng(3)
    start = rng.choice([-1, 1], size=(READS, model.num_variables))
    reads = ri.gibbs_sweeps(model, start, 100, beta, rng)
    assert reads.dtype == np.int8
    assert total_variation(map(tuple, reads.tolist()), law) < tolerance(law, READS)


@pytest.mark.parametrize("name", REFERENCE_MODELS)
def test_every_structure_has_the_law(name: str) -> None:
    reference = REFERENCE_MODELS[name]
    frequencies_hold(reference.problem(), reference.law(1.0), 1.0)


@pytest.mark.parametrize("name", ["bipartite", "layered-patterns"])
def test_layers_and_single_spins_have_one_law(name: str) -> None:
    """The same model without its layers is swept spin by spin, to the same law."""
    reference = REFERENCE_MODELS[name]
    dense = ri.IsingModel(reference.fields, reference.couplings.to_dense())
    assert dense.couplings.layers is None
    frequencies_hold(dense, reference.law(1.0), 1.0)


def test_three_layers_have_the_law() -> None:
    patterns = np.array([[1.0, -0.7, 0.5, 1.2, -0.4], [0.3, 0.9, -1.1, 0.6, 0.8]])
    model = ri.IsingModel([0.2, -0.3, 0.1, 0.4, 0.0], ri.Patterns(patterns, -0.6, (2, 2, 1)))
    pairs = [(0, 2), (0, 3), (1, 2), (1, 3), (2, 4), (3, 4)]
    truth = {(i, j): float(-0.6 * patterns[:, i] @ patterns[:, j]) for i, j in pairs}
    reference = ReferenceModel("three", tuple(model.fields), truth, model.couplings)
    frequencies_hold(model, reference.law(1.0), 1.0)


@pytest.mark.parametrize("name", ["dense", "sparse", "patterns", "bipartite"])
def test_float32_has_the_law(name: str) -> None:
    reference = REFERENCE_MODELS[name]
    couplings = reference.couplings
    if isinstance(couplings, ri.Bipartite):
        couplings = ri.Bipartite(couplings.block.astype(np.float32))
    elif isinstance(couplings, ri.Dense):
        couplings = ri.Dense(couplings.matrix.astype(np.float32))
    elif isinstance(couplings, ri.Patterns):
        couplings = ri.Patterns(couplings.patterns.astype(np.float32), float(couplings.scale))
    else:
        rows, columns, values = couplings.to_coo()
        couplings = ri.Sparse(couplings.num_variables, rows, columns, values.astype(np.float32))
    model = ri.IsingModel(np.array(reference.fields, dtype=np.float32), couplings)
    assert model.dtype == np.float32
    frequencies_hold(model, reference.law(1.0), 1.0)


@pytest.mark.parametrize("name", [name for name in REFERENCE_MODELS if name != "one-spin"])
def test_some_spins_are_drawn_and_the_others_held(name: str) -> None:
    """Each row holds its own values; the free spins start unknown and have the law given those."""
    reference = REFERENCE_MODELS[name]
    model, law = reference.problem(), reference.law(1.0)
    n = model.num_variables
    held, free = np.array([0, n - 1]), np.arange(1, n - 1)
    for values in ((1, -1), (-1, -1)):
        start = np.zeros((READS, n))
        start[:, held] = values
        reads = ri.gibbs_sweeps(model, start, 100, 1.0, np.random.default_rng(4), free=free)
        given = {state: p for state, p in law.items() if (state[0], state[-1]) == values}
        total = sum(given.values())
        given = {state: p / total for state, p in given.items()}
        assert total_variation(map(tuple, reads.tolist()), given) < tolerance(given, READS)


def test_free_spins_must_be_spins_of_the_model() -> None:
    model = REFERENCE_MODELS["dense"].problem()
    start = np.ones((2, model.num_variables))
    for bad in ([model.num_variables], [-1], [0.5], [[0]]):
        with pytest.raises(InvalidParameterError, match="free must be"):
            ri.gibbs_sweeps(model, start, 1, 1.0, np.random.default_rng(0), free=bad)
    kept = ri.gibbs_sweeps(model, start, 1, 1.0, np.random.default_rng(0), free=[])
    assert np.array_equal(kept, start)


def test_no_sweeps_change_nothing() -> None:
    start = np.array([[1, -1, 1, 1, -1]], dtype=np.int8)
    for name in ("dense", "whole-numbers"):
        model = REFERENCE_MODELS[name].problem()
        reads = ri.gibbs_sweeps(model, start, 0, 1.0, np.random.default_rng(0))
        assert np.array_equal(reads, start)
        assert reads is not start


def test_the_starting_states_are_kept() -> None:
    """The caller's array is not swept in place."""
    start = np.array([[1, 1, 1, 1, 1]], dtype=np.int8)
    ri.gibbs_sweeps(REFERENCE_MODELS["dense"].problem(), start, 10, 0.0, np.random.default_rng(0))
    assert (start == 1).all()


@pytest.mark.parametrize("name", ["dense", "bipartite"])
def test_the_deadline_is_checked(name: str) -> None:
    model = REFERENCE_MODELS[name].problem()
    start = np.ones((1000, model.num_variables))
    with pytest.raises(DeadlineExceededError, match="Gibbs"):
        ri.gibbs_sweeps(model, start, 10**7, 1.0, np.random.default_rng(0), Deadline(0.05))


@pytest.mark.parametrize("name", ["dense", "sparse", "patterns", "bipartite"])
def test_the_machine_reads_chains_in_turn(name: str) -> None:
    """Two chains share four thousand reads; thinned enough, they have the law."""
    reference = REFERENCE_MODELS[name]
    machine = ri.load_backend("gibbs", chains=2, burn_in=100, thinning=20)
    answer = machine.sample(reference.problem(), num_reads=READS + 1, beta=0.5, seed=4)
    assert len(answer) == READS + 1
    law = reference.law(0.5)
    assert total_variation(map(tuple, answer.record.sample.tolist()), law) < tolerance(law, READS)
    stage = answer.info["rapid_ising"]["stages"][0]
    assert (stage["chains"], stage["burn_in"], stage["thinning"]) == (2, 100, 20)
    assert stage["update"] == ("by layers" if name == "bipartite" else "spin by spin")


def test_a_bipartite_graph_is_swept_by_layers_and_keeps_its_spins() -> None:
    """A star in a dense matrix: its centre is not the first spin, so that the spins are reordered."""
    fields = (0.3, -0.2, 0.5, 0.1)
    pairs = {(0, 2): 0.9, (1, 2): -0.6, (2, 3): 0.4}
    matrix = np.zeros((4, 4))
    for (i, j), value in pairs.items():
        matrix[i, j] = matrix[j, i] = value
    reference = ReferenceModel("star", fields, pairs, ri.Dense(matrix))
    answer = ri.load_backend("gibbs").sample(reference.problem(), num_reads=READS, seed=5)
    assert answer.info["rapid_ising"]["stages"][0]["update"] == "by layers"
    law = reference.law(1.0)
    assert total_variation(map(tuple, answer.record.sample.tolist()), law) < tolerance(law, READS)


def test_refreshing_sets_the_burn_in() -> None:
    assert ri.load_backend("gibbs", chains=3).for_refresh(7) == ri.load_backend("gibbs", chains=3, burn_in=7)


@pytest.mark.parametrize(
    "options", [{"burn_in": -1}, {"thinning": 0}, {"chains": 0}, {"chains": 1.5}], ids=repr
)
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        ri.load_backend("gibbs", **options)


def test_beta_beyond_the_range_of_the_type_is_infinity() -> None:
    fields = np.array([[0.0, 1.0, -1.0]], dtype=np.float32)
    rng = np.random.default_rng(0)
    draws = np.vstack([ri.sample_spins(fields, 1e39, rng) for _ in range(400)])
    assert (draws[:, 1] == -1).all()
    assert (draws[:, 2] == 1).all()
    # Five standard deviations of 400 even draws.
    assert abs(draws[:, 0].mean()) < 5 / 20
