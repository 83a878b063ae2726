"""Local machines against enumeration: laws, log Z, densities of states, marginals, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from brute_force import all_states

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    DeadlineExceededError,
    InvalidParameterError,
    ProblemTooLargeError,
)
from rapid_ising.testing import BackendConformance, tolerance, total_variation
from rapid_ising.typing import Reals
from rapid_ising_backends.openjij import OpenJij, interactions
from rapid_ising_backends.parallel_tempering import ParallelTempering, ladder
from rapid_ising_backends.path_integral import PathIntegral
from rapid_ising_backends.simulated_tempering import SimulatedTempering
from rapid_ising_backends.steepest_descent import SteepestDescent
from rapid_ising_backends.tabu import Tabu
from rapid_ising_backends.tree_decomposition import TreeDecomposition, treewidth_bound
from rapid_ising_backends.wang_landau import WangLandau


class TestSettings(BackendConformance):
    """Settings other than the default ones, which the suite of all entry points has."""

    num_reads = 1500

    @pytest.fixture(
        params=[
            ParallelTempering(rungs=4, chains=300, burn_in=30, thinning=20),
            SimulatedTempering(rungs=4, chains=1000),
            WangLandau(walkers=200, width=1.0),
            PathIntegral(transverse_field=0.0),
            TreeDecomposition(marginals=False),
            OpenJij("sqa", num_sweeps=50),
        ],
        ids=repr,
    )
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        backend: ri.Backend = request.param
        return backend


SAMPLERS = [ParallelTempering(), SimulatedTempering(), WangLandau(), PathIntegral(), OpenJij()]
named = pytest.mark.parametrize("machine", SAMPLERS, ids=lambda machine: machine.name)


def magnet(n: int = 8) -> ri.IsingModel:
    """Two wells of unequal depth, which single flips at beta = 1 cross once in millions of sweeps."""
    return ri.IsingModel(np.full(n, 0.03), -0.9 * (np.ones((n, n)) - np.eye(n)))


def sparse_model(seed: int, n: int = 6, share: float = 0.35) -> ri.IsingModel:
    """Whole numbers, some fields and many couplings zero, often with spins that nothing acts on."""
    rng = np.random.default_rng(seed)
    rows, columns = np.triu_indices(n, 1)
    values = rng.integers(-1, 2, len(rows)) * (rng.random(len(rows)) < share).astype(float)
    return ri.IsingModel(rng.integers(-1, 2, n).astype(float), ri.Sparse(n, rows, columns, values), 0.7)


def law(model: ri.IsingModel, beta: float) -> tuple[dict[tuple[int, ...], float], float]:
    """The probability of each state and log Z, with the energies summed here."""
    states = all_states(model.num_variables)
    weights: Reals = np.exp(-beta * energies(model, states.astype(float)))
    shares = (weights / weights.sum()).tolist()
    return dict(zip(map(tuple, states.tolist()), shares, strict=True)), math.log(weights.sum())


def energies(model: ri.IsingModel, states: Reals) -> Reals:
    pairs = np.triu(model.couplings.to_dense(), 1)
    found: Reals = model.offset + states @ model.fields + np.einsum("si,ij,sj->s", states, pairs, states)
    return found


def record(answer: Any) -> dict[str, Any]:
    stage: dict[str, Any] = answer.info["rapid_ising"]["stages"][0]
    return stage


def hold(answer: Any, model: ri.IsingModel, beta: float) -> None:
    exact, _ = law(model, beta)
    reads = list(map(tuple, answer.record.sample.tolist()))
    assert total_variation(reads, exact) <= tolerance(exact, len(reads))


@pytest.mark.parametrize("machine", SAMPLERS[:3], ids=lambda machine: machine.name)
def test_barriers_are_crossed(machine: ri.Backend) -> None:
    """Both wells have their share; a chain at beta = 1 stays in the one that it fell into."""
    hold(machine.sample(magnet(), num_reads=1000, seed=1), magnet(), 1.0)


@named
def test_models_with_many_zeros(machine: ri.Backend) -> None:
    for seed in range(3):
        hold(machine.sample(sparse_model(seed), num_reads=1000, beta=0.8, seed=seed), sparse_model(seed), 0.8)


@pytest.mark.parametrize("seed", range(8))
def test_tree_decomposition_is_exact(seed: int) -> None:
    """Samples, log Z and all marginals, also where dwave-samplers leaves out spins that nothing acts on."""
    model, beta = sparse_model(seed), 0.9
    answer = TreeDecomposition().sample(model, num_reads=2000, beta=beta, seed=seed)
    hold(answer, model, beta)
    exact, log_z = law(model, beta)
    states, shares = np.array(list(exact)), np.array(list(exact.values()))
    assert record(answer)["log_partition"] == pytest.approx(log_z)
    marginals = shares @ (states > 0)
    np.testing.assert_allclose(record(answer)["variable_marginals"], marginals, atol=1e-9)
    rows, columns, _ = model.couplings.to_coo()
    told = {tuple(item["pair"]): item["law"] for item in record(answer)["interaction_marginals"]}
    assert set(told) == set(zip(rows.tolist(), columns.tolist(), strict=True))
    for (i, j), pair in told.items():
        wanted = [
            shares @ ((states[:, i] == s) & (states[:, j] == t)) for s in (-1, 1) for t in (-1, 1)
        ]  # fmt: skip
        np.testing.assert_allclose(pair, wanted, atol=1e-9)


def test_tree_decomposition_of_a_long_chain() -> None:
    """Z = 2^N cosh(beta J)^(N - 1) of 500 spins without fields."""
    n = 500
    chain = ri.IsingModel(np.zeros(n), ri.Sparse(n, range(n - 1), range(1, n), np.full(n - 1, -0.7)))
    stage = record(TreeDecomposition().sample(chain, num_reads=2, beta=1.3, seed=0))
    assert stage["treewidth"] == 1
    assert stage["log_partition"] == pytest.approx(n * math.log(2) + (n - 1) * math.log(math.cosh(0.91)))


def test_tree_decomposition_says_the_treewidth_that_is_too_large() -> None:
    grid = [(8 * r + c, 8 * r + c + 1) for r in range(8) for c in range(7)]
    grid += [(8 * r + c, 8 * r + c + 8) for r in range(7) for c in range(8)]
    rows, columns = zip(*grid, strict=True)
    model = ri.IsingModel(np.zeros(64), ri.Sparse(64, rows, columns, np.ones(len(grid))))
    with pytest.raises(ProblemTooLargeError, match=r"up to 5 and the problem has one of \d"):
        TreeDecomposition(max_treewidth=5).check(model)
    TreeDecomposition(max_treewidth=12).check(model)
    # A complete graph of N spins has N - 1, told without a look at the graph.
    complete = ri.IsingModel(np.zeros(400), np.ones((400, 400)) - np.eye(400))
    assert treewidth_bound(complete) == 399
    with pytest.raises(ProblemTooLargeError, match="at least 399"):
        TreeDecomposition().check(complete)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.5])
def test_wang_landau_tells_the_density_of_states_and_log_z(beta: float) -> None:
    rng = np.random.default_rng(5)
    half = np.triu(rng.choice([-1.0, 1.0], (9, 9)), 1)
    model = ri.IsingModel(np.ones(9), half + half.T, 0.5)
    levels, counts = np.unique(energies(model, all_states(9).astype(float)), return_counts=True)
    stage = record(WangLandau(width=1.0).sample(model, num_reads=500, beta=beta, seed=3))
    density = stage["density_of_states"]
    np.testing.assert_allclose(density["energies"], levels, atol=1e-9)
    # Visits are flat: of some 30 000 states at least 1000 fall to each level, and a few sweeps apart they are
    # nearly independent: a fifth is more than five of their errors.
    np.testing.assert_allclose(np.exp(density["log_density"]), counts, rtol=0.2)
    error = abs(stage["log_partition"] - law(model, beta)[1])
    assert error < 7 * stage["log_partition_error"] + 1e-9
    assert error < 0.1
    assert stage["effective_sample_size"] >= 5 * 500
    assert stage["lowest_energy"] == levels[0]


def test_simulated_tempering_learns_flat_weights() -> None:
    model = magnet()
    stage = record(SimulatedTempering().sample(model, num_reads=500, seed=2))
    wanted = [law(model, beta)[1] for beta in stage["betas"]]
    # 512 chains know the share of each of ten rungs to a seventh at a step; over steps it is much better.
    found = np.array(stage["weights"])
    np.testing.assert_allclose(found[0] - found, np.array(wanted) - wanted[0], atol=0.5)
    np.testing.assert_allclose(stage["shares"], 0.1, atol=0.05)


def test_simulated_tempering_gives_up_with_the_number() -> None:
    """One chain, started at the warm rung of two that are so far apart that it never leaves it."""
    hard = ri.IsingModel(np.full(60, 30.0), np.zeros((60, 60)))
    with pytest.raises(BackendError, match=r"0 times in .* give more than 2 rungs"):
        SimulatedTempering(rungs=2, burn_in=1, chains=1, thinning=1).sample(hard, num_reads=50, seed=0)


def test_ladders_end_at_the_asked_beta() -> None:
    model = magnet()
    assert ladder(model, 2.0, 5).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert ladder(model, 2.0, 1).tolist() == [2.0]
    assert ladder(model, 0.0, 5).tolist() == [0.0]
    cold = ladder(model, math.inf, 5)
    assert len(cold) == 5
    assert (np.diff(cold) > 0).all()
    assert len(ladder(ri.IsingModel([0.0], [[0.0]]), math.inf, 5)) == 1


@pytest.mark.parametrize("machine", [*SAMPLERS, Tabu(), OpenJij("sqa")], ids=repr)
def test_ground_states_of_a_glass(machine: ri.Backend) -> None:
    rng = np.random.default_rng(2)
    half = np.triu(rng.normal(size=(14, 14)), 1)
    model = ri.IsingModel(rng.normal(size=14), half + half.T)
    ground = ri.load_backend("exact").sample(model, beta=math.inf, seed=0).first.energy
    answer = machine.sample(model, num_reads=30, beta=math.inf, seed=4)
    assert answer.first.energy == pytest.approx(ground)


def test_steepest_descent_ends_in_local_minima_from_where_it_starts() -> None:
    model = sparse_model(4, n=12)
    answer = SteepestDescent().sample(model, num_reads=50, seed=0)
    states = answer.record.sample.astype(float)
    assert (states * model.local_fields(answer.record.sample) <= 1e-9).all()
    # A state that no flip improves stays.
    start = answer.record.sample[:1]
    kept = SteepestDescent().sample(model, initial_states=start, seed=1).record.sample
    assert model.energies(kept)[0] == model.energies(start)[0]
    wells = SteepestDescent().sample(magnet(), num_reads=2, initial_states=[[1] * 8, [-1] * 8], seed=0)
    assert wells.record.sample.tolist() == [[1] * 8, [-1] * 8]


def test_openjijs_graph_has_the_energies_of_the_model() -> None:
    """Its own energy, through its own graph, of every state."""
    model = sparse_model(1)
    graph = interactions(model)
    every = all_states(6)
    # OpenJij's graph counts the constant of the spin that stands for the fields.
    found = np.array([graph.calc_energy([*map(float, s), 1.0]) for s in every])
    wanted = energies(model, every.astype(float))
    np.testing.assert_allclose(found - found[0], wanted - wanted[0], atol=1e-9)


def test_openjijs_quantum_annealing_feels_the_fields_and_is_no_sampler() -> None:
    """Nine of ten reads are ground states of models with fields, and others have the law of no beta."""
    machine = OpenJij("sqa")
    assert machine.capabilities.temperature == "none"
    assert OpenJij("sa").capabilities.temperature == "settable"
    for seed in range(3):
        model = sparse_model(seed)
        lowest = energies(model, all_states(6).astype(float)).min()
        answer = machine.sample(model, num_reads=300, seed=seed)
        assert np.isclose(answer.record.energy, lowest).mean() >= 0.9
    rng = np.random.default_rng(1)
    half = np.triu(rng.normal(size=(6, 6)), 1)
    model = ri.IsingModel(rng.normal(size=6), half + half.T)
    warm = OpenJij("sqa", num_sweeps=100, trotter=16, path_beta=1.0)
    reads = list(map(tuple, warm.sample(model, num_reads=3000, seed=1).record.sample.tolist()))
    for beta in np.linspace(0, 5, 101).tolist():
        exact, _ = law(model, beta)
        assert total_variation(reads, exact) > tolerance(exact, len(reads))


def test_openjijs_reads_differ_within_a_seeded_call() -> None:
    model = ri.IsingModel(np.zeros(12), np.zeros((12, 12)))
    for sampler in ("sa", "sqa"):
        answer = ri.load_backend("openjij", sampler=sampler, num_sweeps=20).sample(
            model, num_reads=20, seed=0
        )
        assert len(np.unique(answer.record.sample, axis=0)) > 15


@pytest.mark.parametrize(
    "machine", [ParallelTempering(), SimulatedTempering(), OpenJij(), PathIntegral()], ids=lambda m: m.name
)
def test_the_deadline_interrupts(machine: ri.Backend) -> None:
    model = ri.IsingModel(np.zeros(60), np.ones((60, 60)) - np.eye(60))
    with pytest.raises(DeadlineExceededError):
        machine.sample(model, num_reads=50_000, deadline=0.2)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("parallel-tempering", {"rungs": 0}),
        ("parallel-tempering", {"burn_in": -1}),
        ("simulated-tempering", {"thinning": 0}),
        ("wang-landau", {"oversampling": 0.5}),
        ("wang-landau", {"width": 0.0}),
        ("path-integral", {"transverse_field": -1.0}),
        ("path-integral", {"hold": 2.0}),
        ("tree-decomposition", {"max_treewidth": 26}),
        ("tree-decomposition", {"marginals": 1}),
        ("tabu", {"steps": 0}),
        ("tabu", {"tenure": -1}),
        ("openjij", {"sampler": "csqa"}),
        ("openjij", {"trotter": 1}),
    ],
)
def test_bad_options(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        ri.load_backend(name, **options)
