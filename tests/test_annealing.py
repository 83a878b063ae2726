"""The annealer of the library's own: its way through each structure, its schedule, its seeds and limits."""

from __future__ import annotations

import math
import time

import neal
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.deadline import Deadline
from rapid_ising.errors import DeadlineExceededError, InvalidParameterError
from rapid_ising.spin_sweeps import spin_sweeps
from rapid_ising.threads import use_threads
from rapid_ising_backends.annealing import Annealing, ordering_field, search_schedule


def glass(n: int, dtype: type[np.floating] = np.float32) -> ri.IsingModel:
    half = np.triu(np.random.default_rng(n).normal(size=(n, n)), 1).astype(dtype)
    return ri.IsingModel(np.zeros(n, dtype), half + half.T)


def patterns(count: int, n: int) -> ri.Patterns:
    return ri.Patterns(np.random.default_rng(1).normal(size=(count, n)), -1 / n)


WAYS = {
    "dense": glass(70),
    "patterns": ri.IsingModel(np.zeros(70), patterns(3, 70)),
    "many patterns": ri.IsingModel(np.zeros(70), patterns(20, 70)),
    "sparse": ri.IsingModel(np.zeros(70), ri.Sparse(70, range(69), range(1, 70), np.ones(69))),
    "layers": ri.IsingModel(np.zeros(70), ri.Bipartite(np.ones((30, 40)))),
    "three layers": ri.IsingModel(np.zeros(70), ri.Layered([np.ones((30, 30)), np.ones((30, 10))])),
    "layers unsaid": ri.IsingModel(np.zeros(70), ri.Bipartite(np.ones((30, 40))).to_dense()),
}
NAMES = {"many patterns": "dense", "three layers": "layers", "layers unsaid": "layers"}


@pytest.mark.parametrize("kind", WAYS)
def test_sweeps_suit_the_couplings(kind: str) -> None:
    """Whatever the number of threads, 40 chains in several pieces give the same states."""
    model = WAYS[kind]
    answers = []
    for number in (1, 2):
        with use_threads(number):
            answers.append(Annealing(num_sweeps=300).sample(model, num_reads=40, seed=3))
    assert answers[0].info["rapid_ising"]["stages"][0]["sweeps"] == NAMES.get(kind, kind)
    assert np.array_equal(answers[0].record.sample, answers[1].record.sample)


def test_the_schedule_of_a_finite_beta_holds_it_and_a_start_stays_there() -> None:
    model = glass(40)
    stage = Annealing(num_sweeps=7).sample(model, beta=2.5, seed=0).info["rapid_ising"]["stages"][0]
    assert (stage["num_sweeps"], stage["beta_range"]) == (7, [0.0, 2.5])
    answer = Annealing().for_refresh(7).sample(model, beta=2.5, initial_states=np.ones((1, 40)), seed=0)
    stage = answer.info["rapid_ising"]["stages"][0]
    assert (stage["num_sweeps"], stage["beta_range"]) == (7, [2.5, 2.5])


@pytest.mark.parametrize("n", [20, 60])
def test_the_field_of_an_ordered_state(n: int) -> None:
    for model in (glass(n), WAYS["layers"]):
        exact = -np.linalg.eigvalsh(model.couplings.to_dense().astype(float)).min()
        assert ordering_field(model, np.random.default_rng(0)) == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize("num_sweeps", [1, 2, 50])
def test_a_search_cools_from_order_to_frost(num_sweeps: int) -> None:
    model, rng = glass(60), np.random.default_rng(0)
    betas = search_schedule(model, np.linspace(1.0, 5.0, 60), num_sweeps, False, rng)
    assert len(betas) == num_sweeps
    assert (betas[1:] >= betas[:-1]).all()
    assert betas[-1] == math.inf
    if num_sweeps == 50:
        assert betas[44] == pytest.approx(6 / 1.2)
    assert np.isinf(search_schedule(model, np.ones(60), num_sweeps, True, rng)).all()
    assert np.isinf(search_schedule(model, np.zeros(60), num_sweeps, False, rng)).all()


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_planted_ground_state_is_found(scale: float) -> None:
    rng = np.random.default_rng(0)
    hidden = rng.choice([-1, 1], size=40)
    size = np.triu(rng.exponential(size=(40, 40)) * (rng.random((40, 40)) < 0.2), 1)
    model = ri.IsingModel(-0.1 * scale * hidden, -scale * (size + size.T) * np.outer(hidden, hidden))
    answer = Annealing().sample(model, num_reads=20, beta=math.inf, seed=1)
    assert answer.first.energy == pytest.approx(float(model.energies(hidden)[0]))


def test_small_terms_beside_large_ones_are_told_apart() -> None:
    """Two spins held up pull 18 others both ways with 10^8: what is left is 0.3, which float32 would lose."""
    others = np.arange(2, 20)
    rows, columns = np.repeat([0, 1], 18), np.tile(others, 2)
    pulls = ri.Sparse(20, rows, columns, np.repeat([1e8, -1e8], 18))
    model = ri.IsingModel(np.r_[-1e10, -1e10, np.full(18, 0.3)], pulls)
    answer = Annealing(50).sample(model, num_reads=200, beta=1.0, seed=0)
    assert answer.info["rapid_ising"]["stages"][0]["dtype"] == "float64"
    assert (answer.record.sample[:, :2] == 1).all()
    # Five standard deviations of the mean of 3600 spins.
    assert abs(answer.record.sample[:, 2:].mean() - math.tanh(-0.3)) < 5 / 60


@pytest.mark.parametrize("kind", ["glass", "fields", "whole", "lattice", "layers"])
def test_it_is_as_good_as_neal_at_equal_sweeps(kind: str) -> None:
    """Within three standard errors of the difference, and a thousandth of it, of neal's own mean energy."""
    n, rng = 100, np.random.default_rng(4)
    half = np.triu(rng.normal(size=(n, n)), 1)
    lattice = np.array([(i, i + step) for step in (1, 10) for i in range(n - step)]).T
    layers = ri.Bipartite(rng.normal(size=(50, 50)))
    model = {
        "glass": ri.IsingModel(np.zeros(n), half + half.T),
        "fields": ri.IsingModel(10 * rng.normal(size=n), half + half.T),
        "whole": ri.IsingModel(np.zeros(n), np.sign(half + half.T)),
        "lattice": ri.IsingModel(np.zeros(n), ri.Sparse(n, lattice[0], lattice[1], rng.normal(size=189))),
        "layers": ri.IsingModel(np.zeros(n), layers),
    }[kind]
    ours = Annealing(200).sample(model, num_reads=200, beta=math.inf, seed=0).record.energy
    theirs = neal.SimulatedAnnealingSampler().sample(model.to_bqm(), num_reads=200, num_sweeps=200, seed=0)
    error = math.hypot(ours.std(), theirs.record.energy.std()) / math.sqrt(200)
    assert ours.mean() < theirs.record.energy.mean() * 0.999 + 3 * error


def test_sweeps_cut_by_the_deadline_leave_the_start_as_it_was() -> None:
    model, start = glass(50), np.ones((1000, 50), np.int8)
    began = time.perf_counter()
    with pytest.raises(DeadlineExceededError, match="Gibbs"):
        Annealing(num_sweeps=10**7).sample(model, num_reads=1000, deadline=0.1)
    assert time.perf_counter() - began < 5.0
    spin_sweeps(model, start, np.ones((3, 1)), np.random.default_rng(0), Deadline())
    assert (start == 1).all()


def test_each_chain_has_its_own_temperature() -> None:
    """One hot chain beside a cold one: the cold one stays in its field."""
    model = ri.IsingModel(np.full(200, -1.0), ri.Sparse(200, [0], [1], [0.1]))
    states = spin_sweeps(
        model, np.ones((2, 200), np.int8), np.array([[0.0, 30.0]]), np.random.default_rng(0), Deadline()
    )
    assert (states[1] == 1).all()
    # Five standard deviations of 200 even draws.
    assert abs(states[0].mean()) < 5 / math.sqrt(200)


@pytest.mark.parametrize("options", [{"num_sweeps": 0}, {"hold": -0.1}, {"hold": 1.5}], ids=repr)
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        ri.load_backend("annealing", **options)


def test_ground_states_are_searched_by_annealing_where_no_machine_is_named() -> None:
    """Gibbs chains at zero temperature fall into the next local minimum; twelve errors lie between."""
    model = ri.RBM(40, 40, seed=3, weight_std=1.0)
    searched = model.sample(200, beta=math.inf, seed=0)
    fallen = model.sample(200, backend="gibbs", beta=math.inf, seed=0)
    lowest = [model.free_energy(states, math.inf) for states in (searched, fallen)]
    error = math.hypot(*(energies.std() / math.sqrt(200) for energies in lowest))
    assert lowest[0].mean() < lowest[1].mean() - 12 * error
