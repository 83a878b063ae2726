"""Enumeration by halves and by layers against the sum over all states, and against closed forms."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from rapid_ising import Bipartite, Dense, IsingModel, Patterns, Sparse, check_enumerable, enumerate_model
from rapid_ising.enumeration import HalvesEnumeration, LayersEnumeration, halves
from rapid_ising.errors import DeadlineExceededError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.testing import tolerance, total_variation

READS = 4000


def brute_force(model: IsingModel, beta: float) -> tuple[Any, Any, Any, float]:
    """Return states, energies, probabilities and log Z, term by term over the dense matrix."""
    J = model.couplings.to_dense().astype(float)
    n = model.num_variables
    states = np.array(list(itertools.product((-1, 1), repeat=n)))
    energies = np.array(
        [
            model.offset + model.fields @ s + sum(J[i, j] * s[i] * s[j] for i in range(n) for j in range(i))
            for s in states
        ]
    )
    if math.isinf(beta):
        weights = (energies < energies.min() + 1e-9).astype(float)
        return states, energies, weights / weights.sum(), math.nan
    log_weights = -beta * energies
    highest = log_weights.max()
    weights = np.exp(log_weights - highest)
    return states, energies, weights / weights.sum(), highest + math.log(weights.sum())


def random_model(kind: str, seed: int) -> IsingModel:
    """Return a model with whole-number coefficients now and then, so that ground states are degenerate."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> Any:
        return rng.integers(-1, 2, size=shape).astype(float) if seed % 2 else rng.normal(size=shape)

    first, second = (int(x) for x in rng.integers(1, 5, size=2))
    n = first + second
    matrix = np.triu(numbers(n, n), 1)
    couplings = {
        "dense": Dense(matrix + matrix.T),
        "bipartite": Bipartite(numbers(first, second)),
        "patterns": Patterns(numbers(2, n), -0.5),
        "layered": Patterns(numbers(2, n), -0.5, (first, second)),
        "three layers": Patterns(numbers(2, n), 0.5, (first, second - 1, 1)),
    }[kind]
    return IsingModel(numbers(n), couplings, 0.25)


KINDS = ["dense", "bipartite", "patterns", "layered", "three layers"]


@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0, 4.0, math.inf]))
def test_averages(kind: str, seed: int, beta: float) -> None:
    model = random_model(kind, seed)
    states, energies, p, log_z = brute_force(model, beta)
    exact = enumerate_model(model, beta)
    layered = kind in ("bipartite", "layered", "three layers")
    assert isinstance(exact, LayersEnumeration if layered else HalvesEnumeration)
    assert exact.ground_energy == pytest.approx(energies.min(), abs=1e-9)
    if math.isinf(beta):
        with pytest.raises(InvalidParameterError, match="finite beta"):
            _ = exact.log_partition
    else:
        assert exact.log_partition == pytest.approx(log_z, abs=1e-9)
    moments = exact.moments()
    np.testing.assert_allclose(moments.means, p @ states, atol=1e-9)
    pairs = np.einsum("s,si,sj->ij", p, states, states)
    np.testing.assert_allclose(exact.moments(whole=True).pairs, pairs, atol=1e-9)
    if isinstance(exact, LayersEnumeration):
        split = model.bipartition()
        assert split is not None
        assert split[0].couplings.layers is not None
        cut = split[0].couplings.layers[0]
        pairs = pairs[np.ix_(split[1][:cut], split[1][cut:])]
    np.testing.assert_allclose(moments.pairs, pairs, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("beta", [0.7, math.inf])
def test_samples(kind: str, seed: int, beta: float) -> None:
    """Samples are draws from the law; at infinity every ground state is as likely as any other."""
    model = random_model(kind, seed)
    states, _, p, _ = brute_force(model, beta)
    law = {tuple(s): float(x) for s, x in zip(states.tolist(), p, strict=True)}
    reads = enumerate_model(model, beta).sample(READS, np.random.default_rng(seed))
    assert reads.dtype == np.int8
    assert total_variation(map(tuple, reads.tolist()), law) < tolerance(law, READS)


def test_degenerate_ground_states() -> None:
    """An antiferromagnetic triangle has six; five free spins beside a held one have 32."""
    triangle = IsingModel(np.zeros(3), 1.0 - np.eye(3))
    free = IsingModel([1.0, 0, 0, 0, 0, 0], Bipartite(np.zeros((1, 5))))
    for model, number in ((triangle, 6), (free, 32)):
        reads = enumerate_model(model, math.inf).sample(READS, np.random.default_rng(0))
        uniform = {state: 1 / number for state in map(tuple, np.unique(reads, axis=0).tolist())}
        assert len(uniform) == number
        assert total_variation(map(tuple, reads.tolist()), uniform) < tolerance(uniform, READS)


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0, 25.0, 120.0, math.inf])
@pytest.mark.parametrize("tables", [True, False], ids=["products", "one by one"])
def test_halves_of_many_states(beta: float, tables: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums by products of exponentials, or of each energy where those are too large, over compiled minima."""
    if not tables:
        monkeypatch.setattr(halves, "LARGEST_SCALE", -math.inf)
    model, n = random_dense(17), 17
    states = (2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1).astype(np.int8)
    energies = model.energies(states)
    exact = enumerate_model(model, beta)
    assert exact.ground_energy == pytest.approx(energies.min(), rel=1e-12)
    if math.isinf(beta):
        p = (energies < energies.min() + 1e-9).astype(float)
    else:
        log_z = logsumexp(-beta * energies)
        assert exact.log_partition == pytest.approx(log_z, rel=1e-12)
        p = np.exp(-beta * energies - log_z)
    p /= p.sum()
    moments = exact.moments()
    np.testing.assert_allclose(moments.means, p @ states, atol=1e-10)
    np.testing.assert_allclose(moments.pairs, (states.T * p) @ states, atol=1e-10)
    means = exact.sample(READS, np.random.default_rng(1)).mean(axis=0)
    np.testing.assert_allclose(means, p @ states, atol=5 / math.sqrt(READS))


def random_dense(n: int) -> IsingModel:
    rng = np.random.default_rng(n)
    matrix = np.triu(rng.normal(size=(n, n)), 1)
    return IsingModel(rng.normal(size=n), matrix + matrix.T, 3.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 7), (7, 4)])
@pytest.mark.parametrize("beta", [0.4, 2.0, math.inf])
def test_two_layers_without_fields(shape: tuple[int, int], beta: float) -> None:
    """Half of the states are visited, and their mirror images weigh the same."""
    block = np.random.default_rng(7).normal(size=shape)
    model = IsingModel(np.zeros(sum(shape)), Bipartite(block), 0.5)
    states, energies, p, log_z = brute_force(model, beta)
    exact = enumerate_model(model, beta)
    assert exact.ground_energy == pytest.approx(energies.min())
    if math.isfinite(beta):
        assert exact.log_partition == pytest.approx(log_z, rel=1e-12)
    moments = exact.moments()
    np.testing.assert_allclose(moments.means, 0.0, atol=1e-12)
    pairs = (states.T * p) @ states
    np.testing.assert_allclose(moments.pairs, pairs[: shape[0], shape[0] :], atol=1e-12)
    np.testing.assert_allclose(exact.moments(whole=True).pairs, pairs, atol=1e-12)
    reads = exact.sample(READS, np.random.default_rng(0))
    law = {tuple(s): float(x) for s, x in zip(states.tolist(), p, strict=True)}
    assert total_variation(map(tuple, reads.tolist()), law) < tolerance(law, READS)


def ring(n: int, coupling: float, field: float) -> IsingModel:
    couplings = Sparse(n, range(n), [*range(1, n), 0], np.full(n, coupling))
    return IsingModel(np.full(n, field), couplings)


def ring_log_partition(n: int, coupling: float, field: float) -> float:
    """Return log Z at beta = 1 from the eigenvalues of the transfer matrix."""
    transfer = np.exp([[-coupling - field, coupling], [coupling, -coupling + field]])
    eigenvalues = np.linalg.eigvalsh(transfer)
    return float(np.log(np.sum((eigenvalues / eigenvalues.max()) ** n)) + n * np.log(eigenvalues.max()))


def test_the_largest_model_by_halves() -> None:
    exact = enumerate_model(ring(26, 0.4, 0.2))
    assert exact.log_partition == pytest.approx(ring_log_partition(26, 0.4, 0.2), rel=1e-12)


def test_a_ring_by_layers() -> None:
    """A graph of more than 26 spins is enumerated when it is bipartite."""
    exact = enumerate_model(ring(28, 0.4, 0.2))
    assert isinstance(exact, LayersEnumeration)
    assert exact.log_partition == pytest.approx(ring_log_partition(28, 0.4, 0.2), rel=1e-12)


def test_sizes() -> None:
    check_enumerable(IsingModel(np.zeros(26), np.zeros((26, 26))))
    check_enumerable(IsingModel(np.zeros(1022), Bipartite(np.ones((22, 1000)))))
    check_enumerable(IsingModel(np.zeros(1022), Bipartite(np.ones((1000, 22)))))
    too_large = [
        (IsingModel(np.zeros(27), 1.0 - np.eye(27)), "27 spins and a graph that is not bipartite"),
        (IsingModel(np.zeros(46), Bipartite(np.ones((23, 23)))), "two layers, the smaller of 23"),
        (IsingModel(np.zeros(46), Patterns(np.ones((2, 46)))), "46 spins"),
    ]
    for model, message in too_large:
        for call in (check_enumerable, enumerate_model):
            with pytest.raises(ProblemTooLargeError, match=message):
                call(model)


@pytest.mark.parametrize("kind", KINDS)
def test_strong_couplings_do_not_overflow(kind: str) -> None:
    model = random_model(kind, 8).scaled(500.0)
    states, energies, p, log_z = brute_force(model, 1.0)
    exact = enumerate_model(model)
    assert exact.log_partition == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(exact.moments().means, p @ states, atol=1e-9)
    rows = exact.sample(5, np.random.default_rng(0))
    np.testing.assert_allclose(model.energies(rows), energies.min())


def test_the_deadline_is_checked() -> None:
    with pytest.raises(DeadlineExceededError):
        enumerate_model(ring(26, 1.0, 0.0), deadline=1e-4)


@pytest.mark.parametrize(
    "couplings", [np.zeros((1, 1)), Bipartite(np.zeros((1, 0)))], ids=["halves", "layers"]
)
def test_small_units_and_large_offsets_change_nothing(couplings: Any) -> None:
    """In units of 1e-10, or on top of 1e17, the same model has the same law."""
    tiny = enumerate_model(IsingModel([1e-10], couplings), math.inf)
    assert (tiny.sample(100, np.random.default_rng(0)) == -1).all()
    raised = enumerate_model(IsingModel([1.0], couplings, offset=1e17))
    assert raised.moments().means[0] == pytest.approx(-math.tanh(1.0), abs=1e-12)


def test_a_deadline_in_seconds_is_one_for_the_enumeration_alone() -> None:
    law = enumerate_model(IsingModel(np.ones(4), np.zeros((4, 4))), deadline=0.5)
    time.sleep(0.6)
    assert law.sample(3, np.random.default_rng(0)).shape == (3, 4)
